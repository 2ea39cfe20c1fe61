//! The demo while it runs: nodes arriving, tiles accepted, tiles refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use client::Farm;
use client::pictures::Outputs;
use protocol::view::{FarmView, JobSummary, JobUpdate, TileStatus};
use protocol::{JobId, JobSpec, NodeId, Shot, TileIndex};

use crate::commands::farm::standing;
use crate::download::Download;
use crate::exit::{Exit, fail};
use crate::follow::{self, Followed};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::text;

use super::farm::{LocalFarm, NODES};
use super::say;

/// How long the nodes may take to qualify: a slow machine compiles shaders meanwhile.
const QUALIFY_MAX: Duration = Duration::from_secs(180);
/// How long pay and verdicts may take to arrive.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What watching the job yielded.
pub struct Watched {
    /// The job as it ended.
    pub job: JobSummary,
    /// Files written.
    pub written: Vec<PathBuf>,
    /// Shots that are not complete.
    pub incomplete: Vec<Shot>,
    /// Tiles of which a film was refused.
    pub refused_tiles: Vec<TileIndex>,
    /// Why the first one was, when its node has said so yet.
    pub refusal: Option<String>,
    /// Pixels that the farm rendered again to check films that it accepted.
    pub pixels_checked: u64,
    /// From the order to the last film.
    pub took: Duration,
}

/// Waits until all nodes have qualified.
///
/// # Errors
/// A process has ended, or it takes too long.
pub async fn wait_for_nodes(
    client: &Farm,
    farm: &mut LocalFarm,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let give_up = Instant::now() + QUALIFY_MAX;
    let mut seen = BTreeSet::new();
    while seen.len() < NODES {
        farm.check()?;
        if interrupt.is_set() {
            return Err(fail(Exit::Interrupted, "interrupted"));
        }
        if Instant::now() >= give_up {
            anyhow::bail!("only {} of {} nodes qualified in time", seen.len(), NODES);
        }
        for node in client.farm().await?.nodes {
            if node.class.is_some() && seen.insert(node.node) {
                say(&node.name, &format!("{}, {} films", node.backend, standing(&node)));
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Follows the job with a bar, fetches its films, writes its picture.
///
/// # Errors
/// A process has ended; the farm; a file that cannot be written.
pub async fn watch(
    client: &Farm,
    farm: &mut LocalFarm,
    job: JobId,
    spec: &JobSpec,
    outputs: Outputs,
    interrupt: &Interrupt,
) -> anyhow::Result<Watched> {
    let mut download = Download::new(job, spec, outputs);
    let (mut shown, started) = (Shown::default(), Instant::now());
    let mut pixels_checked = 0;
    let progress = Progress::start("rendering", ["unit", "units"]);
    let followed = follow::follow(client, job, interrupt, async |update| {
        farm.check()?;
        let nodes = client.farm().await?;
        shown.reason = shown.reason.take().or_else(|| refusal(farm));
        shown.look(update, &nodes, &progress);
        pixels_checked +=
            update.accepted.iter().map(|unit| u64::from(unit.pixels_checked)).sum::<u64>();
        download.take(client, &update.accepted).await
    })
    .await?;
    drop(progress);
    let Followed::Ended(job) = followed else {
        return Err(fail(Exit::Interrupted, "interrupted"));
    };
    let took = started.elapsed();
    let files = download.finish(false)?;
    Ok(Watched {
        job: *job,
        written: files.written,
        incomplete: files.incomplete,
        refused_tiles: shown.retried.into_iter().collect(),
        refusal: shown.reason,
        pixels_checked,
        took,
    })
}

/// What has been shown already.
#[derive(Default)]
struct Shown {
    refused: BTreeMap<NodeId, u64>,
    retried: BTreeSet<TileIndex>,
    reason: Option<String>,
}

impl Shown {
    fn look(&mut self, update: &JobUpdate, nodes: &FarmView, progress: &Progress) {
        for (index, status) in update.tiles.iter().enumerate() {
            if *status == TileStatus::Retrying {
                self.retried.insert(TileIndex(index as u32));
            }
        }
        for node in &nodes.nodes {
            let before = self.refused.insert(node.node, node.reputation.refused).unwrap_or(0);
            for _ in before..node.reputation.refused {
                progress
                    .note(&format!("  {:<11} a tile of {} was not accepted", "refused", node.name));
            }
            if node.barred && before < node.reputation.refused {
                progress.note(&format!("  {:<11} {} gets no more work", "barred", node.name));
            }
        }
        let JobSummary { units, units_accepted, spent, price, .. } = &update.summary;
        let refused: u64 = self.refused.values().sum();
        let word = match refused {
            0 => format!("{} of {} tokens", text::tokens(*spent), text::tokens(*price)),
            _ => format!("{refused} refused, {} tokens", text::tokens(*spent)),
        };
        progress.show(u64::from(*units_accepted), u64::from(*units), &word);
    }
}

/// A node's own word on why a film of it was refused, when one has said so since the last look.
fn refusal(farm: &LocalFarm) -> Option<String> {
    farm.node_lines().into_iter().find_map(|line| {
        let event: serde_json::Value = serde_json::from_str(&line).ok()?;
        let is_refusal = event.get("event")?.as_str()? == "refused";
        is_refusal.then(|| event.get("reason")?.as_str().map(ToOwned::to_owned))?
    })
}

/// Waits a moment until held pay has reached the wallets, and a convicted node has heard why.
///
/// # Errors
/// The network.
pub async fn settle(
    client: &Farm,
    farm: &LocalFarm,
    watched: &mut Watched,
) -> anyhow::Result<FarmView> {
    let give_up = Instant::now() + SETTLE_MAX;
    loop {
        let view = client.farm().await?;
        watched.refusal = watched.refusal.take().or_else(|| refusal(farm));
        let paid = view.nodes.iter().all(|node| node.held.is_zero());
        let any_refused = view.nodes.iter().any(|node| node.reputation.refused > 0);
        let settled = paid && (watched.refusal.is_some() || !any_refused);
        if settled || Instant::now() >= give_up {
            return Ok(view);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
