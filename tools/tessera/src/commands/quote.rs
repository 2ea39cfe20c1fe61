//! `tessera quote`: the firm price of a job, before anything is paid.

use clap::Args;

use crate::client;
use crate::commands::submit::JobArgs;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::text;

/// Options of `tessera quote`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera quote scene.glb --farm @ticket --size 1920x1080 --spp 256
  tessera quote scene.glb --farm @ticket --frames 1-240 --json
  TESSERA_FARM=@ticket tessera quote scene.glb

")]
pub struct QuoteArgs {
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    farm: FarmArgs,
    /// Print the quote as a JSON object
    #[arg(long)]
    json: bool,
}

/// Uploads the scene unless the farm has it, and prints the price.
///
/// # Errors
/// The scene, the options, the farm.
pub fn run(args: &QuoteArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let prepared = args.job.prepare(interrupt, None)?;
    client::block_on(async {
        let farm = client::Farm::connect(&args.farm, interrupt).await?;
        let quoted = prepared.quote(&farm).await;
        farm.close().await;
        let (_spec, quote) = quoted?;
        match args.json {
            true => text::print(json::quote(&quote))?,
            false => text::print(quote.price)?,
        }
        Ok(Exit::Done)
    })
}
