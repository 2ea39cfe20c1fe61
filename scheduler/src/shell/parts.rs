//! The threads of a scheduler that is open, and what they share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use protocol::PublicKey;
use protocol::sign::public_key;
use renderer::{Cancel, CpuBackend};
use tokio::sync::Semaphore;
use transport::Peer;

use super::assay::Assays;
use super::depot::SceneDepot;
use super::desk::{self, DeskHandle, Outlets};
use super::door::{Arrivals, Door, Givers, LedgerChecks, Turnstile, Witnesses};
use super::hands::{self, Hands};
use super::open::Found;
use super::page::Page;
use super::queue::Queue;
use super::shared::Proof;
use super::spawn;
use super::sweep::{SceneUses, Sweeper};
use super::till::{self, TillHandle};
use super::verifier::{Meter, Verifier};
use crate::config::Config;
use crate::core::{Event, Job};

/// How long the parts may take to stop before they are left to the system.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Films that are written or read at once: each holds a thread while object storage answers, which
/// needs threads of the same pool.
const STORED_AT_ONCE: usize = 64;

/// Statements and proofs that are made at once: without a working index a statement reads the whole
/// journal.
const STATEMENTS_AT_ONCE: usize = 4;

/// Scenes that are probed at once: one that hangs until it is given up holds up one place of these.
const PROBES_AT_ONCE: usize = 2;

/// The threads and what they share.
pub(super) struct Parts {
    pub(super) door: Arc<Door>,
    pub(super) page: Arc<Page>,
    threads: Vec<std::thread::JoinHandle<()>>,
    desk: std::thread::JoinHandle<anyhow::Result<()>>,
    money: Arc<Queue<till::Errand>>,
    pub(super) checks: Arc<Queue<crate::core::Check>>,
    pub(super) cancel: Arc<Cancel>,
}

impl Parts {
    pub(super) async fn start(
        config: &Config,
        found: Found,
        peer: &Peer,
        depot: Option<SceneDepot>,
    ) -> anyhow::Result<Self> {
        let Found { key, invitation, journal, ledger, films, evidence } = found;
        let prover = ledger.prover().context("the ledger keeps no hashes for proofs")?;
        let (money, checks) = (Arc::new(Queue::new()), Arc::new(Queue::new()));
        let meter = Arc::new(Meter::new(hands::threads(config)));
        let ended = {
            let meter = meter.clone();
            Arc::new(move |job: &Job| log_end(job, &meter))
        };
        let outlets = Outlets { money: money.clone(), checks: checks.clone(), ended };
        let (desk, desk_thread) = desk::open(journal, outlets)?;
        let started = begin(&desk, config, public_key(&key)).await;

        let runtime = tokio::runtime::Handle::current();
        let scenes = peer.scenes().clone();
        let cancel = Arc::new(Cancel::default());
        let hands = Arc::new(Hands::new(scenes.clone(), runtime, config, cancel.clone()));
        let tried = hands.clone();
        // Else nothing would ever be quoted or checked, without a word.
        tokio::task::spawn_blocking(move || tried.try_one()).await??;
        let (films, evidence) = (Arc::new(films), Arc::new(evidence));
        let verifier = Verifier {
            hands: hands.clone(),
            films: films.clone(),
            evidence: evidence.clone(),
            key: key.clone(),
            desk: desk.clone(),
            meter: meter.clone(),
            cancel: cancel.clone(),
        };
        let threads = vec![
            spawn("verifier", {
                let checks = checks.clone();
                move || verifier.work(&checks)
            })?,
            spawn("till", {
                let (money, desk) = (money.clone(), desk.clone());
                move || till::work(ledger, &money, &desk)
            })?,
        ];
        let page = Arc::new(Page::new(desk.clone(), films.clone(), checks.clone(), meter));
        let door = Arc::new(Door {
            invitation,
            scene_uses: Arc::new(SceneUses::default()),
            assays: Arc::new(Assays::new(&key, hands.others(PROBES_AT_ONCE))),
            turnstile: Turnstile::new(config),
            key,
            config: config.clone(),
            desk,
            till: TillHandle::new(money.clone()),
            scenes,
            depot,
            arrivals: Arrivals::default(),
            givers: Givers::default(),
            hands,
            films,
            evidence,
            qualifying: Mutex::default(),
            backend: Arc::new(Mutex::new(CpuBackend::new(config.cpu_threads))),
            renders: Semaphore::new(1),
            restores: Semaphore::new(1),
            probes: Semaphore::new(PROBES_AT_ONCE),
            ledger_check: LedgerChecks::default(),
            prover,
            witnesses: Witnesses::default(),
            store_turns: Semaphore::new(STORED_AT_ONCE),
            statements: Semaphore::new(STATEMENTS_AT_ONCE),
        });
        let parts = Self { door, page, threads, desk: desk_thread, money, checks, cancel };
        match started {
            Ok(()) => Ok(parts),
            Err(_stopped) => match parts.stop().await {
                Err(error) => Err(error),
                Ok(()) => bail!("the desk stopped before it had begun"),
            },
        }
    }

    pub(super) fn sweeper(
        &self,
        config: &Config,
        depot: Option<SceneDepot>,
        proof: Option<Proof>,
    ) -> Sweeper {
        let Door { desk, films, evidence, scenes, scene_uses, .. } = &*self.door;
        let (desk, scenes) = (desk.clone(), scenes.clone());
        let files = (films.clone(), evidence.clone());
        Sweeper::new(config, desk, files, (scenes, depot), (scene_uses.clone(), proof))
    }

    /// Stops the desk first, so that nothing is decided that cannot be written.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        // A desk that has failed already is gone, which its thread will tell.
        drop(tokio::time::timeout(STOP_TIMEOUT, self.door.desk.ask(desk::Desk::stop)).await);
        self.cancel.set();
        self.checks.close();
        self.money.close();
        let joined = tokio::task::spawn_blocking(move || {
            let desk = self.desk.join();
            for thread in self.threads {
                if thread.join().is_err() {
                    tracing::error!("a thread of the scheduler panicked");
                }
            }
            desk
        });
        let joined = tokio::time::timeout(STOP_TIMEOUT, joined)
            .await
            .context("the scheduler's threads did not stop in time")?;
        match joined.context("stopping panicked")? {
            Ok(result) => result,
            Err(_panic) => bail!("the desk panicked: an invariant is broken; see the log"),
        }
    }
}

/// The first events of a run.
async fn begin(
    desk: &DeskHandle,
    config: &Config,
    scheduler: PublicKey,
) -> Result<(), desk::Stopped> {
    let (policy, amount) = (config.policy(), config.reserve_grant());
    desk.ask(move |desk| {
        let now_ms = desk.now_ms();
        desk.apply(Event::Started { policy, engine: renderer::ENGINE, now_ms });
        if !desk.state().book.reserve_seeded {
            desk.apply(Event::ReserveSeeded { scheduler, amount });
        }
    })
    .await
}

/// The line that the efficiency figure is read from.
fn log_end(job: &Job, meter: &Meter) {
    let summary = crate::core::view::summary(job);
    let seconds = job.ended_ms.unwrap_or(job.ordered_ms).saturating_sub(job.ordered_ms) / 1000;
    tracing::info!(
        job = %job.id,
        status = ?summary.status,
        reason = summary.reason,
        units = summary.units,
        spent = %job.spent,
        refunded = %job.refunded,
        seconds,
        pixels_checked = job.pixels_checked,
        checking_pixels_since_start = meter.pixels(),
        checking_cpu_seconds_max_since_start = meter.cpu_seconds_max(),
        process_cpu_seconds = cpu_time::ProcessTime::now().as_duration().as_secs_f64(),
        "job ended"
    );
}
