//! `tessera openjd submit`: a template's jobs, priced together and ordered one after another.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use client::{Farm, SceneAsks};
use openjd::{Import, ImportedJob};
use protocol::{JobId, JobSpec, Quote, SceneId, Tokens};

use super::TemplateArgs;
use crate::commands::order::{consent, price_line};
use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::options::FarmArgs;
use crate::{door, json, local, text, upload};

/// Options of `tessera openjd submit`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera openjd submit template.yaml -p Scene=shot.glb --farm @ticket --max-cost 20
  tessera openjd submit template.yaml --farm @ticket --yes --max-cost 20 --json

")]
pub struct SubmitArgs {
    #[command(flatten)]
    template: TemplateArgs,
    #[command(flatten)]
    farm: FarmArgs,
    /// Never order above this price of all its jobs together, tokens
    #[arg(long, value_name = "TOKENS")]
    max_cost: Option<Tokens>,
    /// Order without asking; needs --max-cost
    #[arg(long, requires = "max_cost")]
    yes: bool,
    /// Print JSON objects
    #[arg(long)]
    json: bool,
}

/// Prices and orders.
pub fn run(args: &SubmitArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let imported = args.template.import()?;
    door::block_on(async {
        let farm = door::connect(&args.farm, interrupt).await?;
        let ordered = order(args, &farm, &imported).await;
        farm.close().await;
        ordered
    })
}

async fn order(args: &SubmitArgs, farm: &Farm, imported: &Import) -> anyhow::Result<Exit> {
    let (mut quoted, mut price) = (Vec::new(), Tokens::ZERO);
    for job in &imported.jobs {
        let (spec, quote) = quote(farm, job, args.template.folder()).await?;
        note!("  quote       {:?}: {}", job.step, price_line(&quote));
        let limit = job.description.max_cost().exit(Exit::Usage)?;
        if let Some(limit) = limit.filter(|limit| quote.price > *limit) {
            let message = format!(
                "the price of {} tokens is above the limit of {limit} that the template has for the step {:?}; nothing was ordered",
                quote.price, job.step
            );
            return Err(fail(Exit::Failed, message));
        }
        let mut schedule = job.description.schedule().exit(Exit::Usage)?;
        schedule.after.extend(job.after.iter().map(|_later_known| JobId([0; 16])));
        schedule.validate().exit(Exit::Usage)?;
        let sum = price.checked_add(quote.price);
        price = sum.context("the jobs cost more tokens than there can be")?;
        quoted.push((job, spec, quote));
    }
    consent(price, args.max_cost, args.yes)?;
    let mut ordered: Vec<JobId> = Vec::new();
    for (job, spec, quote) in &quoted {
        let mut schedule = job.description.schedule().exit(Exit::Usage)?;
        schedule.after.extend(job.after.iter().map(|&place| ordered[place]));
        let id = farm.order(spec, quote, schedule).await.with_context(|| {
            let (done, all) = (ordered.len(), quoted.len());
            format!("{done} of {all} jobs were ordered; the step {:?} was not", job.step)
        })?;
        ordered.push(id);
        match args.json {
            true => text::print(serde_json::json!({
                "v": json::VERSION,
                "job": id.to_string(),
                "step": job.step,
                "price": quote.price.to_string(),
            }))?,
            false => text::print(id)?,
        }
    }
    Ok(Exit::Done)
}

/// The price of a job, once its scene is at the farm.
async fn quote(farm: &Farm, job: &ImportedJob, folder: &Path) -> anyhow::Result<(JobSpec, Quote)> {
    let described = &job.description;
    let (scene, asks) = match described.scene.parse::<SceneId>() {
        Ok(held) => (held, SceneAsks::default()),
        Err(_file) => {
            let path = folder.join(&described.scene);
            if !path.is_file() {
                let message =
                    format!("there is no scene for the step {:?}: {}", job.step, path.display());
                return Err(fail(Exit::NotFound, message));
            }
            let imported = local::import(&path, &job.scene_import, folder)?;
            local::check_cameras(&imported.scene, &described.camera_choices().exit(Exit::Usage)?)?;
            let package = scene::pack(&imported.scene);
            let id = package.id();
            upload::send(farm, package).await?;
            (id, SceneAsks::of(&imported))
        }
    };
    let spec = described.spec(scene, &asks, farm.id()).exit(Exit::Usage)?;
    let offer = described.offer().exit(Exit::Usage)?;
    let quote = farm.quote(&spec, offer).await.context("there is no quote")?;
    Ok((spec, quote))
}
