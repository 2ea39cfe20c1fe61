//! `tessera jobs logs`: what happened to a job, as the farm tells it.

use std::time::Duration;

use clap::Args;
use client::Farm;
use protocol::view::{AcceptedUnit, JobSummary};
use protocol::{JobId, JobSpec, NodeId, TileIndex, Unit, Verdict, VerdictKind, limits};
use serde_json::{Value, json};

use crate::commands::verdicts;
use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::text;
use crate::values::TilePlace;

/// How often somebody who follows asks for films that were refused.
const REFUSALS_EVERY: Duration = Duration::from_secs(2);

/// Options of `tessera jobs logs`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera jobs logs job_3f… --farm @ticket
  tessera jobs logs job_3f… --farm @ticket --tile 3,7 -f
  tessera jobs logs job_3f… --farm @ticket --frame 12 --accepted --json

")]
pub struct LogsArgs {
    /// The job
    job: JobId,
    #[command(flatten)]
    pub(super) farm: FarmArgs,
    /// What happened to this tile only, by column and row, or by its number in rows from the upper
    /// left; who rendered it is told, too
    #[arg(long, value_name = "COLUMN,ROW|N")]
    tile: Option<TilePlace>,
    /// What happened to this frame only
    #[arg(long, value_name = "N")]
    frame: Option<u32>,
    /// Also tell of films that were accepted
    #[arg(long)]
    accepted: bool,
    /// Go on until the job has ended
    #[arg(short, long)]
    follow: bool,
    /// Print a JSON object an event
    #[arg(long)]
    json: bool,
}

/// Something that happened.
#[derive(Debug)]
pub struct Event<'a> {
    job: &'a JobSummary,
    /// When, where that is known.
    time_ms: Option<u64>,
    kind: EventKind<'a>,
}

#[derive(Debug)]
enum EventKind<'a> {
    Ordered,
    Status,
    Refused(u64, &'a Verdict),
    Accepted(&'a AcceptedUnit),
}

impl Event<'_> {
    const fn word(&self) -> &'static str {
        match &self.kind {
            EventKind::Ordered => "ordered",
            EventKind::Status => self.job.status.word(),
            EventKind::Refused(_, verdict) => match verdict.kind {
                VerdictKind::Refused(_) => "refused",
                VerdictKind::Disputed { .. } => "disputed",
                _ => "verdict",
            },
            EventKind::Accepted(_) => "accepted",
        }
    }

    /// One of each kind, of views that never change.
    #[cfg(test)]
    pub fn examples() -> Vec<Value> {
        use crate::examples;

        let (job, verdict, accepted) = (examples::job(), examples::verdict(), examples::accepted());
        let kinds = [
            EventKind::Ordered,
            EventKind::Status,
            EventKind::Refused(12, &verdict),
            EventKind::Accepted(&accepted),
        ];
        let time_ms = Some(1_800_000_000_000);
        kinds.into_iter().map(|kind| Event { job: &job, time_ms, kind }.json()).collect()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "v": json::VERSION,
            "event": match self.kind {
                EventKind::Status => "status",
                _ => self.word(),
            },
            "job": self.job.job.to_string(),
            "time_ms": self.time_ms,
        });
        let spec = &self.job.spec;
        match self.kind {
            EventKind::Ordered => {
                object["name"] = spec.name.as_str().into();
                object["price"] = self.job.price.to_string().into();
            }
            EventKind::Status => {
                object["status"] = self.job.status.word().into();
                object["reason"] = self.job.reason.as_deref().into();
                object["units"] = self.job.units.into();
                object["units_accepted"] = self.job.units_accepted.into();
                object["spent"] = self.job.spent.to_string().into();
            }
            EventKind::Refused(number, verdict) => {
                place(&mut object, spec, &verdict.unit, verdict.node);
                object["number"] = number.into();
                object["lease"] = verdict.lease.to_string().into();
                object["reason"] = verdicts::words(&verdict.kind).into();
            }
            EventKind::Accepted(accepted) => {
                place(&mut object, spec, &accepted.unit, accepted.node);
                object["pixels_checked"] = accepted.pixels_checked.into();
            }
        }
        object
    }

    /// For people.
    fn line(&self) -> String {
        let time = self.time_ms.map(text::clock).unwrap_or_default();
        let (spec, job) = (&self.job.spec, self.job);
        let words = match self.kind {
            EventKind::Ordered => format!("{}, for {} tokens at most", spec.name, job.price),
            EventKind::Status => {
                let (accepted, all) = (job.units_accepted.into(), job.units.into());
                format!("{} accepted", text::share(accepted, all, ["unit", "units"]))
            }
            EventKind::Refused(_, verdict) => format!(
                "{} by {}: {}; tessera verdicts evidence {}",
                place_words(spec, &verdict.unit),
                verdict.node.short(),
                verdicts::why(&verdict.kind),
                verdict.lease
            ),
            EventKind::Accepted(accepted) => format!(
                "{} by {}, {} checked",
                place_words(spec, &accepted.unit),
                accepted.node.short(),
                text::plural(accepted.pixels_checked.into(), "pixel", "pixels")
            ),
        };
        match self.kind {
            EventKind::Status if job.reason.is_some() => {
                format!("{time:<19}  {}; {words}", text::standing(job))
            }
            _ => format!("{time:<19}  {:<10} {words}", self.word()),
        }
    }
}

/// Where in the job.
fn place(object: &mut Value, spec: &JobSpec, unit: &Unit, node: NodeId) {
    let shot = spec.shot(unit.shot).map(|shot| json::shot(spec, shot)).unwrap_or_default();
    let columns = spec.grid().columns();
    object["frame"] = shot["frame"].clone();
    object["camera"] = shot["camera"].clone();
    object["tile"] = unit.tile.0.into();
    object["column"] = (unit.tile.0 % columns).into();
    object["row"] = (unit.tile.0 / columns).into();
    object["batch"] = unit.batch.to_string().into();
    object["node"] = node.to_string().into();
}

fn place_words(spec: &JobSpec, unit: &Unit) -> String {
    let columns = spec.grid().columns();
    let (tile, column, row) = (unit.tile.0, unit.tile.0 % columns, unit.tile.0 / columns);
    let shot = spec.shot(unit.shot);
    let several = spec.shot_count() > 1;
    let frame = shot.filter(|_| several).map_or_else(String::new, |shot| {
        let camera = spec.camera(shot.view).filter(|_| spec.view_count() > 1);
        let of = camera.map_or_else(String::new, |camera| format!(" of {camera}"));
        format!("frame {}{of} ", shot.frame)
    });
    format!("{frame}tile {column},{row} ({tile})")
}

pub(super) async fn logs(
    args: &LogsArgs,
    farm: &Farm,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let mut update = farm.watch(args.job, 0, Duration::ZERO).await?;
    let filter = Filter::of(args, &update.summary.spec)?;
    let ordered_ms = Some(update.summary.ordered_ms);
    let said = Event { job: &update.summary, time_ms: ordered_ms, kind: EventKind::Ordered };
    args.say(&said)?;
    let (mut seen, mut status, mut is_caught_up) = (0, None, false);
    loop {
        let job = &update.summary;
        // What has no time of its own has that of its being seen, as far as it was waited for.
        let time_ms = is_caught_up.then(text::now_ms);
        let refusals = farm.verdicts_after(Some(args.job), seen).await?;
        for (number, verdict) in &refusals {
            seen = *number;
            if filter.holds(&job.spec, &verdict.unit) {
                let kind = EventKind::Refused(*number, verdict);
                args.say(&Event { job, time_ms, kind })?;
            }
        }
        for accepted in &update.accepted {
            if filter.tells_accepted && filter.holds(&job.spec, &accepted.unit) {
                args.say(&Event { job, time_ms, kind: EventKind::Accepted(accepted) })?;
            }
        }
        let is_last_page = update.accepted.is_empty();
        if is_last_page && status.replace(job.status) != Some(job.status) {
            let time_ms = job.ended_ms.or(time_ms);
            args.say(&Event { job, time_ms, kind: EventKind::Status })?;
        }
        if is_last_page && (job.status.is_over() || !args.follow) {
            return Ok(Exit::Done);
        }
        is_caught_up |= is_last_page;
        let wait = if is_last_page { REFUSALS_EVERY } else { Duration::ZERO };
        update = match farm.watch(args.job, update.next, wait.min(limits::POLL_WAIT_MAX)).await {
            Err(_stopped) if interrupt.is_set() => {
                note!("  the job goes on");
                return Ok(Exit::Interrupted);
            }
            update => update?,
        };
    }
}

impl LogsArgs {
    fn say(&self, event: &Event<'_>) -> anyhow::Result<()> {
        match self.json {
            true => text::print(event.json())?,
            false => text::print(event.line())?,
        }
        Ok(())
    }
}

/// What is told.
struct Filter {
    tile: Option<TileIndex>,
    frame: Option<u32>,
    tells_accepted: bool,
}

impl Filter {
    fn of(args: &LogsArgs, spec: &JobSpec) -> anyhow::Result<Self> {
        let grid = spec.grid();
        let tile = args.tile.map(|tile| {
            tile.index(&grid).ok_or_else(|| {
                let message = format!(
                    "there is no such tile; the picture has {} columns and {} rows of them",
                    grid.columns(),
                    grid.rows()
                );
                fail(Exit::NotFound, message)
            })
        });
        if let Some(frame) = args.frame.filter(|frame| spec.frames.place(*frame).is_none()) {
            let message = format!(
                "the job has no frame {frame}; it has frames {} to {}",
                spec.frames.first, spec.frames.last
            );
            return Err(fail(Exit::NotFound, message));
        }
        let tile = tile.transpose()?;
        Ok(Self { tile, frame: args.frame, tells_accepted: args.accepted || tile.is_some() })
    }

    fn holds(&self, spec: &JobSpec, unit: &Unit) -> bool {
        let frame = spec.shot(unit.shot).map(|shot| shot.frame);
        self.tile.is_none_or(|tile| tile == unit.tile)
            && self.frame.is_none_or(|wanted| frame == Some(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn events_are_told_with_their_place_and_reason() {
        let (job, verdict, accepted) = (examples::job(), examples::verdict(), examples::accepted());
        let line = |kind| Event { job: &job, time_ms: None, kind }.line();
        let refused = line(EventKind::Refused(1, &verdict));
        let place = "refused    frame 3 of right tile 3,7 (73) by nod_11111111: the film";
        assert!(refused.contains(place), "{refused}");
        assert!(refused.ends_with(&format!("tessera verdicts evidence {}", verdict.lease)));
        let accepted = line(EventKind::Accepted(&accepted));
        assert!(accepted.ends_with("(73) by nod_3f3f3f3f, 64 pixels checked"), "{accepted}");
        let status = line(EventKind::Status);
        let stands = "  rendering: two nodes are slow; 960 of 1 920 units accepted";
        assert!(status.ends_with(stands), "{status}");
        let one = JobSummary { reason: None, units: 1, units_accepted: 0, ..job.clone() };
        let status = Event { job: &one, time_ms: None, kind: EventKind::Status }.line();
        assert!(status.ends_with("  rendering  0 of 1 unit accepted"), "{status}");
        let ordered = line(EventKind::Ordered);
        assert!(ordered.ends_with("shot_010, for 12.500000 tokens at most"), "{ordered}");
    }

    #[test]
    fn a_tile_and_a_frame_can_be_chosen() {
        let (spec, unit) = (examples::spec(), examples::unit());
        let holds = |tile: Option<u32>, frame| {
            let filter = Filter { tile: tile.map(TileIndex), frame, tells_accepted: true };
            filter.holds(&spec, &unit)
        };
        assert!(holds(None, None) && holds(Some(73), Some(3)));
        assert!(!holds(Some(72), None) && !holds(None, Some(5)));
    }
}
