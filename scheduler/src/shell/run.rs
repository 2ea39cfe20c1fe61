//! Starts everything in order, waits, and stops everything in order.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ledger::journal::{AppendError, Journal, Options, ShareError};
use ledger::{ApplyError, Audit, AuditReader, Ledger};
use protocol::sign::public_key;
use protocol::{Digest, Invitation, PublicKey, SigningKey};
use renderer::{Cancel, CpuBackend};
use tokio::sync::{Semaphore, mpsc};
use transport::{BindError, Peer, PeerConfig, Ticket, identity};

use super::assay::Assays;
use super::by_hash::ByHash;
use super::depot::{Depot, SceneDepot};
use super::desk::{self, DeskHandle, Outlets};
use super::door::{Arrivals, Door, Givers, LedgerChecks, Turnstile, Witnesses};
use super::frames::Frames;
use super::page::{self, Page};
use super::queue::Queue;
use super::shared::{self, Deposed, LEDGER_LOG, Lead, PostgresLog, Proof, SCHEDULER_LOG, Silent};
use super::sweep::{SceneUses, Sweeper};
use super::till::{self, TillHandle};
use super::verifier::{Meter, Tools, Verifier};
use crate::config::{Config, Database};
use crate::core::{Event, Job, Secret, State, keep, outstanding};

/// How long the parts may take to stop before they are left to the system.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a scheduler waits that could not stand by.
const STAND_BY_AGAIN: Duration = Duration::from_secs(1);

/// How long whoever takes the lead waits for its address, and how often it looks.
const BIND_PATIENCE: Duration = Duration::from_secs(20);
const BIND_AGAIN: Duration = Duration::from_millis(100);

/// Films that are written or read at once: each holds a thread while object storage answers, which
/// needs threads of the same pool.
const STORED_AT_ONCE: usize = 64;

/// Statements and proofs that are made at once: without a working index a statement reads the whole
/// journal.
const STATEMENTS_AT_ONCE: usize = 4;

/// What a scheduler tells whoever started it.
#[derive(Debug, Clone)]
pub enum News {
    /// It can be called.
    Open(Ready),
    /// Its ticket has changed: another scheduler of the farm is found.
    Moved(Ready),
    /// Another scheduler of the farm leads, at this address, and this one stands by.
    StandingBy(String),
}

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
/// `tell` is called when peers can connect, and see [`News`]. After a `kill -9` at any moment the
/// next start continues every job: no accepted film is lost, none is paid twice.
///
/// # Errors
/// What kept it from starting, or what stopped it before it was asked to: a disk that fails, a
/// journal that is damaged, a ledger that disagrees. One of several that loses the lead stands by
/// again.
pub async fn run(
    config: Config,
    mut tell: impl FnMut(News),
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    config.validate()?;
    tracing::info!("settings: {}", toml::to_string(&config).unwrap_or_default());
    if config.dangerously_accept_unchecked_films {
        tracing::warn!("films are accepted unchecked: whoever cheats is paid");
    }
    let asked = AtomicBool::new(false);
    let mut shutdown = pin!(async {
        shutdown.await;
        asked.store(true, Ordering::Relaxed);
    });
    let Some(database) = &config.database else {
        return serve(&config, None, &mut tell, shutdown).await.map(drop);
    };
    loop {
        let lead = match stand_by(&config, database, &mut tell, shutdown.as_mut()).await {
            Ok(Some(lead)) => lead,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::warn!("standing by failed, trying again: {error:#}");
                tokio::select! {
                    () = shutdown.as_mut() => return Ok(()),
                    () = tokio::time::sleep(STAND_BY_AGAIN) => continue,
                }
            }
        };
        match serve(&config, Some(lead), &mut tell, shutdown.as_mut()).await {
            Ok(Ended::AskedTo) => return Ok(()),
            Ok(Ended::Deposed) => tracing::warn!("standing by again"),
            // What it could not write is not written, and another goes on without.
            Err(error) if is_shared(&error) && asked.load(Ordering::Relaxed) => {
                tracing::warn!("stopped without the database: {error:#}");
                return Ok(());
            }
            Err(error) if is_shared(&error) => tracing::warn!("standing by again: {error:#}"),
            Err(error) => return Err(error),
        }
    }
}

/// Why a scheduler stopped that did not fail.
enum Ended {
    /// It was to.
    AskedTo,
    /// Another leads.
    Deposed,
}

/// Whether the database did not take what was written, or did not answer: whoever leads now, or this
/// one again, goes on from what it has taken.
fn is_shared(error: &anyhow::Error) -> bool {
    let is_closed =
        |cause: &AppendError| matches!(cause, AppendError::Shared(_) | AppendError::Closed { .. });
    error.chain().any(|cause| {
        let journal = match cause.downcast_ref() {
            Some(ApplyError::Journal(error)) => Some(error),
            _ => cause.downcast_ref::<AppendError>(),
        };
        let behind = matches!(cause.downcast_ref(), Some(ShareError::Behind { .. }));
        let is_database =
            cause.is::<tokio_postgres::Error>() || cause.is::<Silent>() || cause.is::<Deposed>();
        journal.is_some_and(is_closed) || behind || is_database
    })
}

/// Waits for the lead; none when the wait is to end.
async fn stand_by(
    config: &Config,
    database: &Database,
    tell: &mut impl FnMut(News),
    mut shutdown: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Option<Lead>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (say, mut leaders) = mpsc::unbounded_channel();
    let waiting = tokio::task::spawn_blocking({
        let (config, database, stop) = (config.clone(), database.clone(), stop.clone());
        move || shared::stand_by(&config, &database, &keys(&config)?, (&say, &stop))
    });
    let mut waiting = pin!(waiting);
    loop {
        tokio::select! {
            led = waiting.as_mut() => return led.context("standing by panicked")?,
            Some(leader) = leaders.recv() => tell(News::StandingBy(leader)),
            () = shutdown.as_mut() => {
                stop.store(true, Ordering::Relaxed);
                // A lead that was taken meanwhile is left again.
                drop(waiting.await);
                return Ok(None);
            }
        }
    }
}

/// Opens what is on disk, and answers peers until `shutdown` resolves or the lead is lost.
async fn serve(
    config: &Config,
    lead: Option<Lead>,
    tell: &mut impl FnMut(News),
    shutdown: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Ended> {
    let runtime = tokio::runtime::Handle::current();
    let depot = config.objects.as_ref().map(|url| Depot::open(url, runtime)).transpose()?;
    let opened = {
        let (config, depot) = (config.clone(), depot.clone());
        let term = lead.as_ref().map(|lead| lead.term);
        tokio::task::spawn_blocking(move || open(&config, depot, term))
            .await
            .context("opening panicked")??
    };
    let patience = if lead.is_some() { BIND_PATIENCE } else { Duration::ZERO };
    let peer = bind(config, &opened.key, patience).await?;
    let depot = depot.map(|depot| SceneDepot::new(depot, peer.scenes().clone()));
    if let Some(depot) = &depot {
        restore_scenes(depot, &opened.state).await;
    }

    let listener = match config.status {
        Some(address) => Some(page::bind(address).await?),
        None => None,
    };
    let parts = Parts::start(config, opened, &peer, depot.clone()).await?;
    let status = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let ticket = match parts.door.invitation {
        Some(invitation) => peer.ticket().inviting(invitation),
        None => peer.ticket(),
    };
    let mut found = lead.as_ref().map(Lead::addresses);
    let mut ready = || {
        let others = found.as_mut().map(|found| found.borrow_and_update().clone());
        let ticket = ticket.clone().reaching(others.into_iter().flatten());
        Ready { ticket, key: peer.id(), status }
    };
    peer.usher_scenes(parts.door.clone());
    peer.serve(parts.door.clone());
    let page = page::serve(listener, parts.page.clone());
    tell(News::Open(ready()));

    let proof = lead.as_ref().map(Lead::proof);
    let sweeper = parts.sweeper(config, depot, proof);
    let mut outcome = Ended::AskedTo;
    let lost = async {
        let Some(lead) = &lead else { return std::future::pending().await };
        let (mut lost, mut found) = (pin!(lead.lost()), lead.addresses());
        loop {
            tokio::select! {
                () = lost.as_mut() => return,
                Ok(()) = found.changed() => tell(News::Moved(ready())),
            }
        }
    };
    let ended = tokio::select! {
        () = shutdown => "asked to",
        () = lost => {
            outcome = Ended::Deposed;
            "another scheduler leads"
        }
        () = tick(&parts.door.desk, config.tick_ms) => "the desk stopped",
        () = till::tend(&parts.door.till) => "the till stopped",
        () = sweeper.tend() => "the desk stopped",
        () = page => "the status page stopped",
    };
    tracing::info!("stopping: {ended}");
    // The verifier reads scenes, which close with the peer.
    parts.cancel.set();
    parts.checks.close();
    peer.close().await;
    parts.stop().await?;
    Ok(outcome)
}

/// Opens the network door. Where this process had it open a moment ago, as when it takes the lead
/// again, the system may need a moment to give the address back.
async fn bind(config: &Config, key: &SigningKey, patience: Duration) -> anyhow::Result<Peer> {
    let begun = Instant::now();
    loop {
        let mut peer = PeerConfig::new(key.to_bytes(), config.data_dir.join("scenes"));
        peer.bind = config.bind;
        match Peer::bind(peer).await {
            Err(BindError::Address { .. }) if begun.elapsed() < patience => {
                tokio::time::sleep(BIND_AGAIN).await;
            }
            bound => return bound.context("the network door was not opened"),
        }
    }
}

/// Brings scenes here that jobs need and another scheduler has taken in, and stores those that were
/// here before there was a storage.
async fn restore_scenes(depot: &SceneDepot, state: &State) {
    for scene in keep::scenes(&state.book) {
        let is_there = async {
            depot.restore(scene).await?;
            depot.store(scene).await
        };
        if let Err(error) = is_there.await {
            tracing::error!(%scene, "a scene that a job needs is not here and stored: {error:#}");
        }
    }
}

/// What a farm is known by and draws from.
pub(super) struct Keys {
    pub(super) key: SigningKey,
    pub(super) secret: SigningKey,
}

fn keys(config: &Config) -> anyhow::Result<Keys> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir)
        .with_context(|| format!("the data folder cannot be made: {}", dir.display()))?;
    let key = identity::load_or_create(&dir.join("key"))?;
    let secret = identity::load_or_create(&dir.join("secret"))?;
    Ok(Keys { key, secret })
}

/// The name of the scheduler's journal.
pub(super) fn journal_origin(key: &SigningKey) -> String {
    format!("tessera-scheduler/{}", public_key(key))
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

fn open(config: &Config, depot: Option<Depot>, term: Option<i64>) -> anyhow::Result<Opened> {
    let dir = &config.data_dir;
    let Keys { key, secret } = keys(config)?;
    let invitation = config.private.then(|| invitation(&secret, config.invitation));
    let films = ByHash::open(dir.join("films"), "film")?.stored_in(depot.clone());
    let evidence = ByHash::open(dir.join("evidence"), "evidence")?.stored_in(depot);
    let options = Options::new(journal_origin(&key)).signed_by(key.clone());
    let (mut journal, replay) = Journal::open(&dir.join("journal"), options)
        .context("the scheduler's journal was not opened")?;
    if let Some(cut) = &replay.cut {
        tracing::warn!(bytes = cut.bytes, "the journal's torn end was cut off");
    }
    let state = desk::replay(State::new(Secret::new(secret.to_bytes())), replay)?;
    let mut ledger = Ledger::open(&dir.join("ledger"), key.clone(), &ledger::Options::default())
        .context("the ledger was not opened")?;
    for snapshot in ledger.passed_over() {
        let why = anyhow::Error::msg(snapshot.why.to_string());
        tracing::warn!("a snapshot of the ledger is not used, {why}: {}", snapshot.path.display());
    }
    tell_audit(ledger.audit_reader())?;
    if let Some(database) = &config.database {
        let log = |name| PostgresLog::open(database, public_key(&key), name, term).map(Box::new);
        journal.share(log(SCHEDULER_LOG)?).context("the scheduler's journal is not shared")?;
        ledger.share(log(LEDGER_LOG)?).context("the ledger's journal is not shared")?;
        let term = term.context("nobody leads without a term")?;
        shared::tell_whole(database, public_key(&key), term)?;
    }
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
    async fn start(
        config: &Config,
        opened: Opened,
        peer: &Peer,
        depot: Option<SceneDepot>,
    ) -> anyhow::Result<Self> {
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
            depot,
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

    fn sweeper(&self, config: &Config, depot: Option<SceneDepot>, proof: Option<Proof>) -> Sweeper {
        let Door { desk, films, scenes, scene_uses, .. } = &*self.door;
        let (desk, films, scenes) = (desk.clone(), films.clone(), scenes.clone());
        Sweeper::new(config, desk, films, (scenes, depot), (scene_uses.clone(), proof))
    }

    /// Stops the desk first, so that nothing is decided that cannot be written.
    async fn stop(self) -> anyhow::Result<()> {
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
