//! Starts everything in order, waits, and stops everything in order.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ledger::journal::{Journal, Options};
use ledger::{Audit, AuditReader, Ledger};
use protocol::sign::public_key;
use protocol::{Digest, Invitation, PublicKey, SigningKey};
use renderer::{Cancel, CpuBackend};
use tokio::sync::Semaphore;
use transport::{Peer, PeerConfig, Ticket, identity};

use super::assay::Assays;
use super::by_hash::ByHash;
use super::desk::{self, DeskHandle, Outlets};
use super::door::{Arrivals, Door, Givers, LedgerChecks, Turnstile, Witnesses};
use super::frames::Frames;
use super::page::{self, Page};
use super::queue::Queue;
use super::sweep::{SceneUses, Sweeper};
use super::till::{self, TillHandle};
use super::verifier::{Meter, Tools, Verifier};
use crate::config::Config;
use crate::core::{Event, Job, Secret, State, outstanding};

/// How long the parts may take to stop before they are left to the system.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Statements and proofs that are made at once: without a working index a statement reads the whole
/// journal.
const STATEMENTS_AT_ONCE: usize = 4;

/// A scheduler that can be called.
#[derive(Debug, Clone)]
pub struct Ready {
    /// What nodes and clients connect with.
    pub ticket: Ticket,
    /// The scheduler's key: it signs quotes, leases and verdicts.
    pub key: PublicKey,
    /// Where the status page is, where one was asked for.
    pub status: Option<SocketAddr>,
}

/// Runs a scheduler until `shutdown` resolves.
///
/// `on_ready` is called once, when peers can connect. After a `kill -9` at any moment the next
/// start continues every job: no accepted film is lost, none is paid twice.
///
/// # Errors
/// What kept it from starting, or what stopped it before it was asked to: a disk that fails, a
/// journal that is damaged, a ledger that disagrees.
pub async fn run(
    config: Config,
    on_ready: impl FnOnce(Ready),
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    config.validate()?;
    tracing::info!("settings: {}", toml::to_string(&config).unwrap_or_default());
    if config.dangerously_accept_unchecked_films {
        tracing::warn!("films are accepted unchecked: whoever cheats is paid");
    }
    let opened = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || open(&config)).await.context("opening panicked")??
    };
    let mut peer_config = PeerConfig::new(opened.key.to_bytes(), config.data_dir.join("scenes"));
    peer_config.bind = config.bind;
    let peer = Peer::bind(peer_config).await.context("the network door was not opened")?;

    let listener = match config.status {
        Some(address) => Some(page::bind(address).await?),
        None => None,
    };
    let parts = Parts::start(&config, opened, &peer).await?;
    let status = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let ticket = match parts.door.invitation {
        Some(invitation) => peer.ticket().inviting(invitation),
        None => peer.ticket(),
    };
    let ready = Ready { ticket, key: peer.id(), status };
    peer.usher_scenes(parts.door.clone());
    peer.serve(parts.door.clone());
    let page = page::serve(listener, parts.page.clone());
    on_ready(ready);

    let sweeper = parts.sweeper(&config);
    let ended = tokio::select! {
        () = shutdown => "asked to",
        () = tick(&parts.door.desk, config.tick_ms) => "the desk stopped",
        () = till::tend(&parts.door.till) => "the till stopped",
        () = sweeper.tend() => "the desk stopped",
        () = page => "the status page stopped",
    };
    tracing::info!("stopping: {ended}");
    peer.close().await;
    parts.stop().await
}

/// What is on disk.
struct Opened {
    key: SigningKey,
    invitation: Option<Invitation>,
    state: State,
    journal: Journal,
    ledger: Ledger,
    films: ByHash,
    evidence: ByHash,
}

fn open(config: &Config) -> anyhow::Result<Opened> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir)
        .with_context(|| format!("the data folder cannot be made: {}", dir.display()))?;
    let key = identity::load_or_create(&dir.join("key"))?;
    let secret = identity::load_or_create(&dir.join("secret"))?;
    let invitation = config.private.then(|| invitation(&secret, config.invitation));
    let films = ByHash::open(dir.join("films"), "film")?;
    let evidence = ByHash::open(dir.join("evidence"), "evidence")?;
    let origin = format!("tessera-scheduler/{}", public_key(&key));
    let options = Options::new(origin).signed_by(key.clone());
    let (journal, replay) = Journal::open(&dir.join("journal"), options)
        .context("the scheduler's journal was not opened")?;
    if let Some(cut) = &replay.cut {
        tracing::warn!(bytes = cut.bytes, "the journal's torn end was cut off");
    }
    let state = desk::replay(State::new(Secret::new(secret.to_bytes())), replay)?;
    let ledger = Ledger::open(&dir.join("ledger"), key.clone(), &ledger::Options::default())
        .context("the ledger was not opened")?;
    for snapshot in ledger.passed_over() {
        let why = anyhow::Error::msg(snapshot.why.to_string());
        tracing::warn!("a snapshot of the ledger is not used, {why}: {}", snapshot.path.display());
    }
    tell_audit(ledger.audit_reader())?;
    Ok(Opened { key, invitation, state, journal, ledger, films, evidence })
}

/// The invitation of this number: a function of the farm's secret, so that nothing more is to be kept.
fn invitation(secret: &SigningKey, number: u32) -> Invitation {
    let secret = secret.to_bytes();
    let digest = Digest::of("tessera 2026 invitation v1", &[&secret, &number.to_le_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    Invitation(bytes)
}

/// Logs what reading the whole ledger in the background finds.
fn tell_audit(audit: AuditReader) -> anyhow::Result<()> {
    // It ends by itself when the ledger is closed.
    let _detached = spawn("ledger audit's log", move || match audit.wait() {
        Audit::Damaged { problem } => tracing::error!("the ledger is damaged: {problem}"),
        Audit::Contradicted { problem } => tracing::error!("the ledger has stopped: {problem}"),
        Audit::Holds { entries } => tracing::info!(entries, "the whole ledger was verified"),
        _ => {}
    })?;
    Ok(())
}

/// The threads and what they share.
struct Parts {
    door: Arc<Door>,
    page: Arc<Page>,
    threads: Vec<std::thread::JoinHandle<()>>,
    desk: std::thread::JoinHandle<anyhow::Result<()>>,
    money: Arc<Queue<till::Errand>>,
    checks: Arc<Queue<crate::core::Check>>,
    cancel: Arc<Cancel>,
}

impl Parts {
    async fn start(config: &Config, opened: Opened, peer: &Peer) -> anyhow::Result<Self> {
        let Opened { key, invitation, state, journal, ledger, films, evidence } = opened;
        let prover = ledger.prover().context("the ledger keeps no hashes for proofs")?;
        let (money, checks) = (Arc::new(Queue::new()), Arc::new(Queue::new()));
        let meter = Arc::new(Meter::default());
        let ended = {
            let meter = meter.clone();
            Arc::new(move |job: &Job| log_end(job, &meter))
        };
        let outlets = Outlets { money: money.clone(), checks: checks.clone(), ended };
        // Unconfirmed money and unanswered checks first, in their old order.
        let again = outstanding(&state.book);
        let (desk, desk_thread) = desk::open(state, journal, outlets, again)?;
        let started = begin(&desk, config, public_key(&key)).await;

        let runtime = tokio::runtime::Handle::current();
        let scenes = peer.scenes().clone();
        let frames = Arc::new(Frames::new(scenes.clone(), runtime, config.frames_kept));
        let (films, evidence) = (Arc::new(films), Arc::new(evidence));
        let cancel = Arc::new(Cancel::default());
        let tools = Tools {
            frames: frames.clone(),
            films: films.clone(),
            evidence: evidence.clone(),
            key: key.clone(),
            desk: desk.clone(),
            meter: meter.clone(),
            cancel: cancel.clone(),
        };
        let verifier = Verifier::new(config.cpu_threads, tools);
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
            assays: Arc::new(Assays::new(&key)),
            turnstile: Turnstile::new(config),
            key,
            config: config.clone(),
            desk,
            till: TillHandle::new(money.clone()),
            scenes,
            arrivals: Arrivals::default(),
            givers: Givers::default(),
            frames,
            films,
            evidence,
            qualifying: Mutex::default(),
            backend: Arc::new(Mutex::new(CpuBackend::new(config.cpu_threads))),
            renders: Semaphore::new(1),
            ledger_check: LedgerChecks::default(),
            prover,
            witnesses: Witnesses::default(),
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

    /// Stops the desk first, so that nothing is decided that cannot be written.
    fn sweeper(&self, config: &Config) -> Sweeper {
        let Door { desk, films, scenes, scene_uses, .. } = &*self.door;
        let (desk, films, scenes) = (desk.clone(), films.clone(), scenes.clone());
        Sweeper::new(config, desk, films, scenes, scene_uses.clone())
    }

    async fn stop(self) -> anyhow::Result<()> {
        // A desk that has failed already is gone, which its thread will tell.
        drop(self.door.desk.ask(desk::Desk::stop).await);
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

fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
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

/// Looks at deadlines for ever; ends when the desk has.
async fn tick(desk: &DeskHandle, tick_ms: u64) {
    let mut interval = tokio::time::interval(Duration::from_millis(tick_ms));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if desk.tick().await.is_err() {
            return;
        }
    }
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
