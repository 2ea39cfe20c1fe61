//! The demo while it runs: nodes arriving, tiles accepted, tiles refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use protocol::view::{FarmView, JobSummary, JobUpdate, TileStatus};
use protocol::{JobId, JobSpec, NodeId, TileIndex};

use crate::client::Farm;
use crate::commands::farm::standing;
use crate::download::Download;
use crate::exit::{Exit, fail};
use crate::follow::{self, Followed};
use crate::interrupt::Interrupt;
use crate::output::Outputs;
use crate::progress::Progress;
use crate::text;

use super::farm::{LocalFarm, NODES};
use super::say;

/// How long the nodes may take to qualify: a slow machine compiles shaders meanwhile.
const QUALIFY_MAX: Duration = Duration::from_secs(180);
/// How long held pay may take to reach the wallets.
const PAY_MAX: Duration = Duration::from_secs(10);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What watching the job yielded.
pub struct Watched {
    /// The job as it ended.
    pub job: JobSummary,
    /// Files written.
    pub written: Vec<PathBuf>,
    /// Frames that are not complete.
    pub incomplete: Vec<u32>,
    /// Tiles of which a film was refused.
    pub refused_tiles: Vec<TileIndex>,
    /// Why the first one was.
    pub refusal: Option<String>,
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
    while seen.len() < NODES.len() {
        farm.check()?;
        if interrupt.is_set() {
            return Err(fail(Exit::Interrupted, "interrupted"));
        }
        if Instant::now() >= give_up {
            anyhow::bail!("only {} of {} nodes qualified in time", seen.len(), NODES.len());
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
    let mut shown = Shown::default();
    let progress = Progress::start("rendering", "units");
    let followed = follow::follow(client, job, interrupt, async |update| {
        farm.check()?;
        let nodes = client.farm().await?;
        for (node, line) in farm.node_lines() {
            shown.hear(&node, &line);
        }
        shown.look(update, &nodes, &progress);
        download.take(client, &update.accepted).await
    })
    .await?;
    drop(progress);
    let Followed::Ended(job) = followed else {
        return Err(fail(Exit::Interrupted, "interrupted"));
    };
    let files = download.finish()?;
    Ok(Watched {
        job: *job,
        written: files.written,
        incomplete: files.incomplete,
        refused_tiles: shown.retried.into_iter().collect(),
        refusal: shown.reason,
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
    /// A node's own word on a refusal names the reason.
    fn hear(&mut self, node: &str, line: &str) {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { return };
        if event.get("event").and_then(|kind| kind.as_str()) == Some("refused")
            && let Some(reason) = event.get("reason").and_then(|reason| reason.as_str())
        {
            tracing::debug!("{node}: {reason}");
            self.reason.get_or_insert_with(|| reason.to_owned());
        }
    }

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

/// Waits a moment until held pay has reached the wallets.
///
/// # Errors
/// The network.
pub async fn wait_for_pay(client: &Farm) -> anyhow::Result<()> {
    let give_up = Instant::now() + PAY_MAX;
    while Instant::now() < give_up {
        let nodes = client.farm().await?.nodes;
        if nodes.iter().all(|node| node.held.is_zero() || node.barred) {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
