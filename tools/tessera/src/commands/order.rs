//! From a quote to an order: terms, consent, when it is rendered, and following it to the picture.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use client::Farm;
use client::pictures::Outputs;
use protocol::{Assurance, JobId, JobSpec, Offer, Priority, Quote, Schedule, Tokens};

use crate::commands::jobs;
use crate::deadline;
use crate::download::Download;
use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::output::OutputArgs;
use crate::text;
use crate::values;

/// On which terms.
#[derive(Debug, Args)]
pub struct OfferArgs {
    /// Pay this per billion rays instead of the farm's base price, tokens: more to come sooner, less
    /// to wait for nodes that work for it
    #[arg(long, value_name = "TOKENS", value_parser = values::bid)]
    bid: Option<Tokens>,
    /// How surely a forgery of 5 % of a tile is caught: 95, 99 or 99.9 per cent; less costs less
    #[arg(long, value_name = "PERCENT", default_value = "99.9")]
    assurance: Assurance,
}

impl OfferArgs {
    /// The terms.
    pub const fn offer(&self) -> Offer {
        Offer { bid: self.bid, assurance: self.assurance }
    }
}

/// When it is rendered.
#[derive(Debug, Args)]
#[command(next_help_heading = "Schedule")]
struct ScheduleArgs {
    /// Which of your jobs comes first, 1 to 100, the highest first; others' jobs do not count
    #[arg(long, value_name = "N", default_value = "50", value_parser = values::priority)]
    priority: Priority,
    /// Begin when this job of yours is done; may be repeated
    #[arg(long, value_name = "JOB")]
    after: Vec<JobId>,
    /// Begin when you say so: tessera jobs resume
    #[arg(long)]
    paused: bool,
    /// Have all of a picture soon, with few samples, and more of them from there
    #[arg(long)]
    progressive: bool,
    /// End after this time with the samples that are there: 90s, 15m, 2h; what is not used returns.
    /// Implies --progressive
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    stop_after: Option<Duration>,
    /// When you want it: a local time, "2026-12-01 08:00", or a span from now, 3h. Of your jobs of one
    /// priority the one that is wanted first comes first; others' jobs do not count
    #[arg(long, value_name = "TIME", value_parser = deadline::parse)]
    by: Option<u64>,
}

impl ScheduleArgs {
    fn schedule(&self) -> Schedule {
        let stop_after = self.stop_after.map(|time| time.as_millis());
        Schedule {
            priority: self.priority,
            after: self.after.clone(),
            paused: self.paused,
            progressive: self.progressive || stop_after.is_some(),
            stop_after_ms: stop_after.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
            wanted_by_ms: self.by,
        }
    }
}

/// Whether to order, and what becomes of it.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// Which farm.
    #[command(flatten)]
    pub farm: FarmArgs,
    #[command(flatten)]
    schedule: ScheduleArgs,
    /// Never order above this price, tokens
    #[arg(long, value_name = "TOKENS")]
    max_cost: Option<Tokens>,
    /// Order without asking; needs --max-cost
    #[arg(long, requires = "max_cost")]
    yes: bool,
    /// Show the price and order nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Stay until the job has ended, then save its picture
    #[arg(long)]
    pub follow: bool,
    /// Where its picture goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Print JSON objects
    #[arg(long)]
    json: bool,
}

impl OrderArgs {
    /// Checks the schedule, and the places of the pictures where they are written here, before anything
    /// is paid.
    ///
    /// # Errors
    /// Usage, not found.
    pub fn check(&self, name: &str) -> anyhow::Result<Option<Outputs>> {
        let schedule = self.schedule.schedule();
        schedule.validate().map_err(|error| fail(Exit::Usage, error.to_string()))?;
        self.follow.then(|| self.output.outputs(name)).transpose()
    }

    /// Asks, orders and perhaps follows.
    ///
    /// # Errors
    /// No consent; the farm; a file that cannot be written.
    pub async fn order(
        &self,
        farm: &Farm,
        (spec, quote): (&JobSpec, &Quote),
        outputs: Option<Outputs>,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Exit> {
        eprintln!("  quote       {}", price_line(quote));
        if self.dry_run {
            match self.json {
                true => text::print(json::quote(quote))?,
                false => text::print(quote.price)?,
            }
            return Ok(Exit::Done);
        }
        consent(quote.price, self.max_cost, self.yes)?;
        let job = farm.order(spec, quote, self.schedule.schedule()).await;
        let job = job.context("the order was not taken")?;
        match self.json {
            true => text::print(serde_json::json!({
                "v": json::VERSION,
                "job": job.to_string(),
                "price": quote.price.to_string(),
            }))?,
            false => text::print(job)?,
        }
        let Some(outputs) = outputs else { return Ok(Exit::Done) };
        let download = Download::new(job, spec, outputs);
        jobs::follow_to_files(farm, job, download, interrupt, self.json).await
    }
}

/// A quote in a line.
pub fn price_line(quote: &Quote) -> String {
    if quote.price.is_zero() {
        return "nothing: this farm is free".to_owned();
    }
    format!(
        "{} tokens, firm (work {}, fee {}, checking {})",
        quote.price, quote.work, quote.fee, quote.reserve
    )
}

/// Nothing is spent without a yes: typed, or given with a limit. What is free needs none.
fn consent(price: Tokens, max_cost: Option<Tokens>, yes: bool) -> anyhow::Result<()> {
    if let Some(max_cost) = max_cost
        && price > max_cost
    {
        let message = format!(
            "the price of {price} tokens is above --max-cost {max_cost}; nothing was ordered"
        );
        return Err(fail(Exit::Failed, message));
    }
    if yes || price.is_zero() {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        let message = "nobody is here to agree to the price; a script gives --yes and --max-cost";
        return Err(fail(Exit::Usage, message));
    }
    eprint!("Order for {price} tokens? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(fail(Exit::Failed, "nothing was ordered")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_stated_its_limit_is_held_to_it() {
        let limit = Some(Tokens::from_whole(5));
        assert!(consent(Tokens::from_whole(5), limit, true).is_ok());
        let refused = consent(Tokens::from_micro(5_000_001), limit, true);
        assert!(refused.is_err_and(|error| error.to_string().contains("5.000001")));
        assert!(consent(Tokens::ZERO, None, false).is_ok(), "nothing is spent");
    }
}
