//! `tessera jobs show`: a job in lines.

use client::Farm;
use protocol::view::{JobSummary, JobUpdate, TileStatus};
use protocol::{JobSpec, NoiseTarget, ViewIndex};

use super::JobArgs;
use crate::deadline;
use crate::exit::Exit;
use crate::json;
use crate::text;

pub(super) async fn show(args: &JobArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let update = farm.watch(args.job, 0, std::time::Duration::ZERO).await?;
    let job = &update.summary;
    if args.json {
        text::print(json::job(job))?;
        return Ok(Exit::Done);
    }
    let (settings, over) = (&job.spec.settings, job.status.is_over());
    let rows = [
        ("name", job.spec.name.clone()),
        ("status", job.status.word().to_owned()),
        ("reason", job.reason.clone().unwrap_or_default()),
        ("scene", job.spec.scene.to_string()),
        ("picture", format!("{}, {} spp", text::frame(settings), settings.samples)),
        ("enough", job.spec.noise.as_ref().map(enough).unwrap_or_default()),
        ("cameras", cameras(&job.spec)),
        ("needs", needs(&job.spec)),
        ("memory", memory(job)),
        ("frames", text::count(u64::from(job.spec.frames.count()))),
        ("accepted", format!("{} of {}", job.units_accepted, job.units)),
        ("tiles", tile_counts(&update)),
        ("price", job.price.to_string()),
        ("pays", format!("{} per billion rays", text::tokens(job.price_per_gray))),
        ("assurance", job.assurance.to_string()),
        ("spent", job.spent.to_string()),
        ("refunded", job.refunded.to_string()),
        ("priority", if over { String::new() } else { job.priority.to_string() }),
        ("goes on from", job.spec.base.map(|base| base.to_string()).unwrap_or_default()),
        ("ordered", text::ago(job.ordered_ms, text::now_ms())),
        ("films", if job.expired { "not kept any longer".to_owned() } else { String::new() }),
        ("wanted", deadline::line(job, text::now_ms()).unwrap_or_default()),
        ("stops", job.stops_ms.filter(|_| !over).map(stops).unwrap_or_default()),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        text::print(format_args!("{name:<13}{value}"))?;
    }
    Ok(Exit::Done)
}

/// Memory that its scene takes, and how many of those who may render it and are here have it.
fn memory(job: &JobSummary) -> String {
    let here = job.nodes_here.map(|count| {
        let nodes = text::plural(count.into(), "node", "nodes");
        format!("; {nodes} that can hold it here now")
    });
    format!("{}{}", job.memory, here.unwrap_or_default())
}

/// Which nodes may render it, where not every one may.
fn needs(spec: &JobSpec) -> String {
    if spec.needs.is_nothing() { String::new() } else { spec.needs.to_string() }
}

/// When a tile has samples enough.
fn enough(target: &NoiseTarget) -> String {
    let (threshold, least) = (target.threshold(), target.samples_min());
    format!("a noise of {threshold}, after {least} spp or more")
}

/// When a job ends with the samples that it has.
fn stops(stops_ms: u64) -> String {
    let left = std::time::Duration::from_millis(stops_ms.saturating_sub(text::now_ms()));
    format!("in {}, with the samples that it has then", text::span(left))
}

/// The cameras, where there are several.
fn cameras(spec: &JobSpec) -> String {
    let names = (0..spec.view_count()).filter_map(|view| spec.camera(ViewIndex(view)));
    let names: Vec<String> = names.map(ToString::to_string).collect();
    if names.len() > 1 { names.join(", ") } else { String::new() }
}

/// `3 rendering, 12 accepted`; of a job that is over, `3 missing, 12 accepted`.
fn tile_counts(update: &JobUpdate) -> String {
    let job = &update.summary;
    let word = |status: TileStatus| match status {
        TileStatus::Accepted => status.word(),
        _ if !job.status.is_over() => status.word(),
        // Of several films of a tile some may be there.
        _ if u64::from(job.units) > update.tiles.len() as u64 => "incomplete",
        _ => "missing",
    };
    let mut statuses = update.tiles.clone();
    statuses.sort_unstable();
    let words: Vec<&str> = statuses.into_iter().map(word).collect();
    let counts = words.chunk_by(|a, b| a == b).map(|run| {
        format!("{} {}", text::count(run.len() as u64), run.first().copied().unwrap_or_default())
    });
    counts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use protocol::view::JobStatus;

    use super::*;
    use crate::examples;

    #[test]
    fn a_job_that_is_over_waits_for_no_tile() {
        use TileStatus::{Accepted, Rendering, Retrying, Waiting};
        let tiles = vec![Accepted, Waiting, Rendering, Accepted, Retrying];
        let counts = |status, units| {
            let summary = JobSummary { status, units, ..examples::job() };
            tile_counts(&JobUpdate { summary, tiles: tiles.clone(), accepted: Vec::new(), next: 1 })
        };
        let under_way = "1 waiting, 1 rendering, 1 retrying, 2 accepted";
        assert_eq!(counts(JobStatus::Rendering, 5), under_way);
        assert_eq!(counts(JobStatus::Paused, 5), under_way);
        assert_eq!(counts(JobStatus::Stopped, 5), "3 missing, 2 accepted");
        assert_eq!(counts(JobStatus::Cancelled, 5), "3 missing, 2 accepted");
        assert_eq!(counts(JobStatus::Stopped, 20), "3 incomplete, 2 accepted");
    }
}
