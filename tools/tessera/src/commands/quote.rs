//! `tessera quote`: the firm price of a job, before anything is paid.

use clap::Args;
use client::Farm;
use protocol::Offer;

use crate::commands::submit::{JobArgs, PreparedJob};
use crate::door;
use crate::exit::Exit;
use crate::explain::{self, Explained};
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::text;

/// Options of `tessera quote`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera quote scene.glb --farm @ticket --size 1920x1080 --spp 256
  tessera quote job.toml --farm @ticket
  tessera quote scene.glb --farm @ticket --frames 1-240 --json
  tessera quote scene.glb --farm @ticket --explain
  tessera quote scene.glb --farm @ticket --bid 15 --assurance 99
  TESSERA_FARM=@ticket tessera quote scene.glb

")]
pub struct QuoteArgs {
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    farm: FarmArgs,
    /// Say what the price is made of, and what would change it
    #[arg(long)]
    explain: bool,
    /// Print the quote as a JSON object
    #[arg(long)]
    json: bool,
}

/// Uploads the scene unless the farm has it, and prints the price.
///
/// # Errors
/// The scene, the options, the farm.
pub fn run(args: &QuoteArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let described = args.job.described()?;
    let offer = described.description.offer().map_err(|error| described.fault(&error))?;
    let prepared = args.job.prepare(described, interrupt, None)?;
    door::block_on(async {
        let farm = door::connect(&args.farm, interrupt).await?;
        let said = quote(args, prepared, offer, &farm).await;
        farm.close().await;
        said.map(|()| Exit::Done)
    })
}

async fn quote(
    args: &QuoteArgs,
    prepared: PreparedJob,
    offer: Offer,
    farm: &Farm,
) -> anyhow::Result<()> {
    let (spec, quote) = prepared.quote(farm, offer).await?;
    if !args.explain {
        match args.json {
            true => text::print(json::quote(&quote))?,
            false => text::print(quote.price)?,
        }
        return Ok(());
    }
    let view = farm.farm().await?;
    let mut what_ifs = Vec::new();
    // The farm keeps what it has counted: these are firm quotes too, and cost next to nothing.
    for alternative in explain::alternatives(&spec, &quote, view.market.floor) {
        let other = farm.quote(&alternative.spec, alternative.offer).await?;
        what_ifs.push((alternative, other));
    }
    let explained = Explained { quote, farm: view, what_ifs };
    match args.json {
        true => text::print(explained.json())?,
        false => explained.lines().into_iter().try_for_each(text::print)?,
    }
    Ok(())
}
