//! A job's log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::VerdictKind;

use super::auth::Caller;
use super::extract::{Params, Segments};
use super::jobs::seen;
use super::paging::{Part, page};
use crate::book::EventKind;
use crate::door::Door;
use crate::gates::Toll;
use crate::gather::Known;
use crate::news::event_view;
use crate::problem::Problem;
use crate::views::{LogLine, Page};

/// What happened to a job, and films of it that were refused, oldest first
#[utoipa::path(
    get, path = "/v1/jobs/{job}/log", tag = "jobs",
    params(("job" = String, Path, description = "Its id, job_…"), Part),
    responses((status = 200, description = "Lines of its log", body = Page<LogLine>))
)]
pub async fn job_log(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(job): Segments<String>,
    Params(part): Params<Part>,
) -> Result<Json<Page<LogLine>>, Problem> {
    let known = seen(&door, &caller, &job)?;
    let _turn = caller.pays(&door, Toll::Look).await?;
    let events = door.book.with(move |book| book.events_of(&job, 0, usize::MAX));
    let events = events.await.map_err(|error| Problem::internal(&error))?;
    let told = events.iter().filter(|event| event.kind != EventKind::JobProgress);
    // By their numbers: events, and then refusals, of which nobody knows when they were.
    let mut lines: Vec<((u8, u64), LogLine)> = told
        .map(|event| {
            let view = event_view(event);
            let level = if event.kind == EventKind::JobFailed { "error" } else { "info" };
            let reason = view.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            let line = LogLine {
                id: Some(event.id),
                time: Some(view.time),
                level: level.to_owned(),
                message: format!("{}{reason}", in_words(event.kind)),
                node: None,
                frame: None,
                tile: None,
            };
            ((0, event.id), line)
        })
        .collect();
    let refusals = refusals(&door, &known).await?.into_iter();
    lines.extend(refusals.map(|(number, line)| ((1, number), line)));
    page(lines, &part).map(Json)
}

/// What happened, in words.
const fn in_words(kind: EventKind) -> &'static str {
    match kind {
        EventKind::JobOrdered => "it was ordered",
        EventKind::JobProgress => "more of it is accepted",
        EventKind::JobPaused => "it was paused",
        EventKind::JobResumed => "it goes on",
        EventKind::JobDone => "it is done",
        EventKind::JobStopped => "it was stopped with the samples that it had",
        EventKind::JobFailed => "it failed",
        EventKind::JobCancelled => "it was cancelled",
        EventKind::BudgetWarning => "its team's budget is nearly used up",
        EventKind::BudgetExhausted => "its team's budget is used up",
        EventKind::FarmLost => "the farm did not answer",
        EventKind::FarmFound => "the farm answers again",
    }
}

/// Films of a job that were refused; the farm tells their order, not their times.
async fn refusals(door: &Door, known: &Known) -> Result<Vec<(u64, LogLine)>, Problem> {
    let spec = &known.summary.spec;
    let verdicts = door.farm.verdicts(Some(known.summary.job)).await?;
    let line = |verdict: protocol::Verdict| {
        let message = match &verdict.kind {
            VerdictKind::Refused(refusal) => format!("a film was refused: {refusal}"),
            VerdictKind::Disputed { .. } => {
                "two films of a tile differ; a third decides".to_owned()
            }
            VerdictKind::Accepted { .. } => return None,
            VerdictKind::WrongFinding { .. } => "a verifier was wrong about a film".to_owned(),
            VerdictKind::Overturned { .. } => "a refusal was overturned".to_owned(),
        };
        Some(LogLine {
            id: None,
            time: None,
            level: "warning".to_owned(),
            message,
            node: Some(verdict.node.to_string()),
            frame: spec.shot(verdict.unit.shot).map(|shot| shot.frame),
            tile: Some(verdict.unit.tile.0),
        })
    };
    let lines = verdicts.into_iter().map(|(number, verdict)| Some((number, line(verdict)?)));
    Ok(lines.flatten().collect())
}
