//! `tessera jobs continue`: another job of the same pictures, which renders only what they lack.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use client::{Description, Farm};
use protocol::{JobId, JobSpec, Needs, RenderSettings, limits};

use crate::commands::order::{OfferArgs, OrderArgs};
use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::needs::{NeedsArgs, reach_lines};
use crate::options::NoiseArgs;
use crate::values;

/// Options of `tessera jobs continue`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs continue job_3f… --farm @ticket --samples 1024 --follow -o frame.exr
  tessera jobs continue job_3f… --farm @ticket --noise 0.005 --follow -o frame.exr
  tessera jobs continue job_3f… --farm @ticket --dry-run

")]
pub struct ContinueArgs {
    /// The job, which is over
    job: JobId,
    /// Samples per pixel in all, those that are there included; without it, as many as the job was to
    /// have
    #[arg(long, visible_alias = "spp", value_name = "N",
        value_parser = values::whole(1..=limits::SAMPLES_MAX))]
    samples: Option<u32>,
    #[command(flatten)]
    noise: NoiseArgs,
    /// Render all samples of every tile, though the job was to end tiles that have little noise
    #[arg(long, conflicts_with = "noise", help_heading = "Picture")]
    all_samples: bool,
    #[command(flatten)]
    needs: NeedsArgs,
    /// Let any node render it, though the job was for certain nodes only; without this, or other needs,
    /// it is for the same
    #[arg(long, conflicts_with_all = ["only_mine", "owners", "pool", "backend", "memory"],
        help_heading = "Nodes")]
    any_node: bool,
    #[command(flatten)]
    offer: OfferArgs,
    #[command(flatten)]
    pub(super) order: OrderArgs,
}

pub(super) async fn go_on(
    args: &ContinueArgs,
    farm: &Farm,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let wanted = args.noise.target()?;
    let before = farm.watch(args.job, 0, Duration::ZERO).await?.summary.spec;
    let samples = args.samples.unwrap_or(before.settings.samples);
    if samples < before.settings.samples {
        let message = format!(
            "the job has up to {} samples a pixel, and they stay; give --samples as many or more",
            before.settings.samples
        );
        return Err(fail(Exit::Usage, message));
    }
    let settings = RenderSettings { samples, ..before.settings.clone() };
    let noise = wanted.or(before.noise).filter(|_| !args.all_samples);
    let needs = match args.any_node {
        true => Needs::default(),
        false => args.needs.over(&before.needs, farm.id())?,
    };
    let spec = JobSpec { settings, base: Some(args.job), noise, needs, ..before };
    spec.validate().exit(Exit::Usage)?;
    let mut order = Description::default();
    args.offer.describe(&mut order);
    let terms = args.order.terms(&mut order, None, &spec.name)?;
    let quote = farm.quote(&spec, terms.offer).await.context("there is no quote")?;
    for line in reach_lines(&spec.needs, quote.memory, quote.reach) {
        note!("{line}");
    }
    args.order.order(farm, (&spec, &quote), terms, interrupt).await
}
