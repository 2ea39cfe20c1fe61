//! `tessera jobs watch`: a job until it ends, its pictures saved as they are done.

use clap::Args;
use client::Farm;
use protocol::JobId;
use protocol::view::{JobStatus, JobSummary, JobUpdate};

use crate::download::{Download, Downloaded};
use crate::exit::Exit;
use crate::follow::{self, Followed};
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::output::{KeepArgs, OutputArgs};
use crate::progress::Progress;
use crate::text;

/// Pictures that are not whole and named one by one.
const INCOMPLETE_LINES_MAX: usize = 10;

/// Options of `tessera jobs watch`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs watch job_3f… --farm @ticket
  tessera jobs watch job_3f… --farm @ticket --json
  tessera jobs watch job_3f… --farm @ticket -o frame.exr --existing skip

")]
pub struct WatchArgs {
    /// The job
    job: JobId,
    #[command(flatten)]
    pub(super) farm: FarmArgs,
    /// Where its pictures go; without --out none is saved.
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    keep: KeepArgs,
    /// Print JSON objects
    #[arg(long)]
    json: bool,
}

pub(super) async fn watch(
    args: &WatchArgs,
    farm: &Farm,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let mut download = None;
    if !args.output.out.is_empty() {
        let summary = farm.watch(args.job, 0, std::time::Duration::ZERO).await?.summary;
        let outputs = args.keep.outputs(&args.output, &summary.spec.name)?;
        let whole = Download::new(args.job, &summary.spec, outputs);
        download = Some(whole.with_video(args.keep.video()?)?);
    }
    let told = Told { ends: args.json, news: args.json };
    to_the_end(farm, args.job, download, interrupt, told).await
}

/// What is printed as JSON.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// The job as it ends, with its files.
    pub ends: bool,
    /// The job at every change.
    pub news: bool,
}

/// Follows a job until it ends, fetching films as they are accepted, and writes its pictures where
/// any are wanted.
///
/// # Errors
/// The farm, or a file that cannot be written.
pub async fn to_the_end(
    farm: &Farm,
    job: JobId,
    mut download: Option<Download>,
    interrupt: &Interrupt,
    told: Told,
) -> anyhow::Result<Exit> {
    let progress = Progress::start("rendering", ["unit", "units"]);
    let followed = follow::follow(farm, job, interrupt, async |update| {
        show_progress(&progress, update);
        if told.news {
            text::print(json::job(&update.summary))?;
        }
        match &mut download {
            Some(download) => download.take(farm, &update.accepted).await,
            None => Ok(()),
        }
    })
    .await?;
    drop(progress);
    let Followed::Ended(summary) = followed else { return Ok(detached(job)) };
    say_end(&summary);
    match (download, summary.status) {
        (Some(download), _) => save(download, &summary, told.ends, interrupt),
        (None, JobStatus::Done | JobStatus::Stopped) => Ok(Exit::Done),
        (None, _) => Ok(Exit::Failed),
    }
}

/// Shows how far a job is.
pub(super) fn show_progress(progress: &Progress, update: &JobUpdate) {
    let job = &update.summary;
    let (why, word) = (held_up(job), goes_on(job));
    progress.because(why);
    progress.show(job.units_accepted.into(), job.units.into(), &word);
}

/// Why a job does not go on as one would think, where the farm says so.
pub(super) fn held_up(job: &JobSummary) -> Option<String> {
    (job.reason.is_some() && !job.status.is_over()).then(|| text::standing(job))
}

/// What goes on in a job: what it has cost, unless something holds it up, or others come first.
fn goes_on(job: &JobSummary) -> String {
    match job.status {
        _ if held_up(job).is_some() => String::new(),
        JobStatus::Waiting => job.status.word().to_owned(),
        _ if job.price.is_zero() => String::new(),
        _ => format!("{} of {} tokens", text::tokens(job.spent), text::tokens(job.price)),
    }
}

fn detached(job: JobId) -> Exit {
    note!("  the job goes on; follow it again with: tessera jobs watch {job}");
    Exit::Interrupted
}

/// Says how a job ended.
pub(super) fn say_end(job: &JobSummary) {
    let money = match job.price.is_zero() {
        true => String::new(),
        false => format!(", {} tokens spent, {} refunded", job.spent, job.refunded),
    };
    let units = text::share(job.units_accepted.into(), job.units.into(), ["unit", "units"]);
    note!("  {}; {units} accepted{money}", text::standing(job));
}

/// Writes what is left of a job's pictures, and says what there is.
pub(super) fn save(
    download: Download,
    job: &JobSummary,
    json: bool,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let mut files = download.finish(!job.status.is_over())?;
    for line in lines(&files, job) {
        note!("{line}");
    }
    let filmed = match files.video.take() {
        // What is printed has the video only once it is there.
        Some(video) => video.make(interrupt).map(|_made| files.video = Some(video)),
        None => Ok(()),
    };
    if json {
        text::print(json::saved(job, &files))?;
    } else {
        files.written.iter().try_for_each(|path| text::print(path.display()))?;
    }
    if let Some(video) = &files.video {
        note!("  video       {}", video.output.display());
    }
    filmed?;
    Ok(follow::exit_for(job.status, &files))
}

/// What is to be said of a job's pictures beside their names.
fn lines(files: &Downloaded, job: &JobSummary) -> Vec<String> {
    let frames = |count: usize, one: &str, many: &str| text::plural(count as u64, one, many);
    let mut lines = Vec::new();
    let becomes = match files.left {
        true => "not saved until it is whole",
        false => "what is missing is transparent",
    };
    for shot in files.incomplete.iter().take(INCOMPLETE_LINES_MAX) {
        let camera = job.spec.camera(shot.view).filter(|_| job.spec.view_count() > 1);
        let of = camera.map_or_else(String::new, |camera| format!(" of {camera}"));
        lines.push(format!("  frame {}{of} is incomplete; {becomes}", shot.frame));
    }
    let more = files.incomplete.len().saturating_sub(INCOMPLETE_LINES_MAX);
    if more > 0 {
        let is = frames(more, "more picture is", "more pictures are");
        lines.push(format!("  {is} incomplete; {becomes}"));
    }
    if let Some((_, share)) = files.short.iter().min_by(|a, b| a.1.total_cmp(&b.1)) {
        let have = frames(files.short.len(), "frame has", "frames have");
        let percent = share * 100.0;
        let next = match job.status.is_over() {
            true => format!("add them with: tessera jobs continue {}", job.job),
            false => "more are to come".to_owned(),
        };
        lines.push(format!("  {have} not all samples, {percent:.0} % at least; {next}"));
    }
    if files.missing > 0 {
        let have = frames(files.missing as usize, "picture has", "pictures have");
        lines.push(format!("  {have} nothing accepted yet"));
    }
    if files.skipped > 0 {
        let were = frames(files.skipped as usize, "picture was", "pictures were");
        lines.push(format!("  {were} here already"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use protocol::{Shot, ViewIndex};

    use super::*;
    use crate::examples;

    #[test]
    fn a_job_that_is_held_up_says_why_and_else_what_it_cost() {
        let said = |status, reason: Option<&str>| {
            let reason = reason.map(ToOwned::to_owned);
            let job = JobSummary { status, reason, ..examples::job() };
            (held_up(&job).unwrap_or_default(), goes_on(&job))
        };
        let check = |status, reason, why: &str, word: &str| {
            assert_eq!(said(status, reason), (why.to_owned(), word.to_owned()));
        };
        let nobody = "no node that gets work is connected";
        check(JobStatus::Waiting, Some(nobody), &format!("waiting: {nobody}"), "");
        check(JobStatus::Waiting, None, "", "waiting");
        check(JobStatus::Paused, Some("by you"), "paused: by you", "");
        check(JobStatus::Rendering, None, "", "6.25 of 12.50 tokens");
        check(JobStatus::Failed, Some("lost too often"), "", "6.25 of 12.50 tokens");
    }

    #[test]
    fn what_is_not_whole_is_said_in_few_lines() {
        let shot = |frame| Shot { frame, view: ViewIndex(0) };
        let files = Downloaded {
            incomplete: (1..=12).map(shot).collect(),
            short: vec![(shot(20), 0.5), (shot(21), 0.25)],
            missing: 1,
            skipped: 3,
            ..Downloaded::default()
        };
        let job = examples::job();
        let said = lines(&files, &job);
        assert_eq!(said.len(), INCOMPLETE_LINES_MAX + 4, "{said:?}");
        assert_eq!(said[0], "  frame 1 of left is incomplete; what is missing is transparent");
        assert_eq!(said[10], "  2 more pictures are incomplete; what is missing is transparent");
        assert_eq!(said[11], "  2 frames have not all samples, 25 % at least; more are to come");
        assert_eq!(
            said[12..],
            ["  1 picture has nothing accepted yet", "  3 pictures were here already"]
        );
        let left = lines(&Downloaded { left: true, ..files }, &job);
        assert_eq!(left[0], "  frame 1 of left is incomplete; not saved until it is whole");
    }
}
