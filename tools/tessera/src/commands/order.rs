//! From a quote to an order: terms, consent, when it is rendered, and following it to the picture.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use client::pictures::Outputs;
use client::{Description, DescriptionError, Farm};
use protocol::{Assurance, JobId, JobSpec, Offer, Priority, Quote, Schedule, Tokens};

use crate::commands::jobs::{self, Told};
use crate::deadline;
use crate::described;
use crate::download::Download;
use crate::exit::{Exit, fail};
use crate::explain;
use crate::interrupt::Interrupt;
use crate::job_file::JobFile;
use crate::json;
use crate::manners;
use crate::options::FarmArgs;
use crate::output::{KeepArgs, OutputArgs};
use crate::text;
use crate::values;
use crate::video::Plan;

/// On which terms.
#[derive(Debug, Args)]
pub struct OfferArgs {
    /// Pay this per billion rays instead of the farm's base price, tokens: more to come sooner, less
    /// to wait for nodes that work for it
    #[arg(long, value_name = "TOKENS", value_parser = values::bid)]
    bid: Option<Tokens>,
    /// How surely a forgery of 5 % of a tile is caught: 95, 99 or 99.9 per cent; less costs less.
    /// 99.9 without it
    #[arg(long, value_name = "PERCENT")]
    assurance: Option<Assurance>,
}

impl OfferArgs {
    /// Puts what is typed into a description.
    pub fn describe(&self, description: &mut Description) {
        let text = |bid: Tokens| bid.to_string();
        description.bid = self.bid.map(text).or(description.bid.take());
        let assurance = self.assurance.map(|assurance| assurance.to_string());
        description.assurance = assurance.or(description.assurance.take());
    }
}

/// When it is rendered.
#[derive(Debug, Args)]
#[command(next_help_heading = "Schedule")]
struct ScheduleArgs {
    /// Which of your jobs comes first, 1 to 100, the highest first; others' jobs do not count. 50
    /// without it
    #[arg(long, value_name = "N", value_parser = values::priority)]
    priority: Option<Priority>,
    /// Begin when this job of yours is done; may be repeated
    #[arg(long, value_name = "JOB")]
    after: Vec<JobId>,
    /// Begin when you say so: tessera jobs resume
    #[arg(long)]
    paused: bool,
    /// Have all of a picture soon, with few samples, and more of them from there
    #[arg(long)]
    progressive: bool,
    /// End after this time with the samples that are there, whole seconds: 90s, 15m, 2h; what is not
    /// used returns. Implies --progressive
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    stop_after: Option<Duration>,
    /// When you want it: a local time, "2026-12-01 08:00", or a span from now, 3h. Of your jobs of one
    /// priority the one that is wanted first comes first; others' jobs do not count
    #[arg(long, value_name = "TIME", value_parser = deadline::parse)]
    by: Option<u64>,
}

impl ScheduleArgs {
    /// Puts what is typed into a description.
    fn describe(&self, description: &mut Description) {
        let to = description;
        to.priority = self.priority.map(u8::from).or(to.priority);
        if !self.after.is_empty() {
            to.after = self.after.iter().map(ToString::to_string).collect();
        }
        to.paused = self.paused.then_some(true).or(to.paused);
        to.progressive = self.progressive.then_some(true).or(to.progressive);
        let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        to.stop_after_s = self.stop_after.map(seconds).or(to.stop_after_s);
        to.wanted_by = self.by.and_then(deadline::rfc3339).or(to.wanted_by.take());
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
    /// Never order above this price, tokens; where a job file has one, too, the lower counts
    #[arg(long, value_name = "TOKENS")]
    max_cost: Option<Tokens>,
    /// Order without asking; needs --max-cost, or max_cost in a job file
    #[arg(long)]
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
    #[command(flatten)]
    keep: KeepArgs,
    /// Print JSON objects
    #[arg(long)]
    json: bool,
}

/// What an order is held to, and where its pictures go.
pub struct OrderTerms {
    /// On which terms it is quoted.
    pub offer: Offer,
    /// When it is rendered.
    pub schedule: Schedule,
    /// The most that it may cost.
    pub limit: Option<Tokens>,
    /// Where its pictures go that are written here.
    pub outputs: Option<Outputs>,
    /// The video that is made of them.
    video: Option<Plan>,
}

impl OrderArgs {
    /// Puts what is typed into a description, and checks its terms, and the places of the pictures
    /// where they are written here, before anything is paid.
    ///
    /// # Errors
    /// Usage, not found.
    pub fn terms(
        &self,
        description: &mut Description,
        file: Option<&JobFile>,
        name: &str,
    ) -> anyhow::Result<OrderTerms> {
        self.schedule.describe(description);
        let fault = |error: DescriptionError| described::fault(&error, file);
        let in_file = description.max_cost().map_err(fault)?;
        let limit = match (self.max_cost, in_file) {
            (Some(typed), Some(in_file)) => Some(typed.min(in_file)),
            (typed, in_file) => typed.or(in_file),
        };
        if self.yes && limit.is_none() {
            let message = "--yes orders without asking and needs a limit; give --max-cost, too";
            return Err(fail(Exit::Usage, message));
        }
        let (offer, schedule) =
            (description.offer().map_err(fault)?, description.schedule().map_err(fault)?);
        let outputs = self.follow.then(|| self.keep.outputs(&self.output, name)).transpose()?;
        let video = self.keep.video()?;
        if video.is_some() && !self.follow {
            let message = "--video is made when the frames are here; give --follow, too";
            return Err(fail(Exit::Usage, message));
        }
        Ok(OrderTerms { offer, schedule, limit, outputs, video })
    }

    /// Asks, orders and perhaps follows.
    ///
    /// # Errors
    /// No consent; the farm; a file that cannot be written.
    pub async fn order(
        &self,
        farm: &Farm,
        (spec, quote): (&JobSpec, &Quote),
        terms: OrderTerms,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Exit> {
        note!("  quote       {}", price_line(quote));
        if self.dry_run {
            match self.json {
                true => text::print(json::quote(quote))?,
                false => text::print(quote.price)?,
            }
            return Ok(Exit::Done);
        }
        if let Some(video) = &terms.video {
            video.check(spec)?;
        }
        consent(quote.price, terms.limit, self.yes)?;
        let job = farm.order(spec, quote, terms.schedule).await;
        let job = job.context("the order was not taken")?;
        match self.json {
            true => text::print(json::ordered(job, quote))?,
            false => text::print(job)?,
        }
        let Some(outputs) = terms.outputs else { return Ok(Exit::Done) };
        let download = Download::new(job, spec, outputs).with_video(terms.video)?;
        let told = Told { ends: self.json, news: false };
        jobs::to_the_end(farm, job, Some(download), interrupt, told).await
    }
}

/// A quote in a line.
pub fn price_line(quote: &Quote) -> String {
    if quote.price.is_zero() {
        return explain::FREE.to_owned();
    }
    format!(
        "{} tokens, firm (work {}, fee {}, checking and twins {})",
        quote.price, quote.work, quote.fee, quote.reserve
    )
}

/// Nothing is spent without a yes: typed, or given with a limit. What is free needs none.
pub fn consent(price: Tokens, limit: Option<Tokens>, yes: bool) -> anyhow::Result<()> {
    if let Some(limit) = limit
        && price > limit
    {
        let message = format!(
            "the price of {price} tokens is above the limit of {limit} (--max-cost, or max_cost in a file); nothing was ordered"
        );
        return Err(fail(Exit::Failed, message));
    }
    if yes || price.is_zero() {
        return Ok(());
    }
    if !manners::may_ask() {
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
    fn what_is_free_has_no_price() {
        let quote = crate::examples::quote();
        let paid =
            "12.500000 tokens, firm (work 11.000000, fee 0.750000, checking and twins 0.750000)";
        assert_eq!(price_line(&quote), paid);
        let free = Quote { price: Tokens::ZERO, ..quote };
        assert_eq!(price_line(&free), "nothing: this farm is free");
    }

    #[test]
    fn a_script_that_stated_its_limit_is_held_to_it() {
        let limit = Some(Tokens::from_whole(5));
        assert!(consent(Tokens::from_whole(5), limit, true).is_ok());
        let refused = consent(Tokens::from_micro(5_000_001), limit, true);
        assert!(refused.is_err_and(|error| error.to_string().contains("5.000001")));
        assert!(consent(Tokens::ZERO, None, false).is_ok(), "nothing is spent");
    }
}
