//! The node's life: what it holds on to from one connection to the next.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use protocol::sign::public_key;
use protocol::{
    BackendKind, Equipment, GivenBack, Lease, LeaseId, NodeHello, NodeId, OwnerBinding, PublicKey,
    Request, Signed,
};
use renderer::Cancel;
use sandbox::{Hand, Patience, Setup};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};
use transport::{Backoff, Connection, Peer, PeerConfig, identity};

use crate::announce::{self, Desk};
use crate::bench::Bench;
use crate::cache::SceneCache;
use crate::cheat::{self, Fraud};
use crate::config::{Cheat, Config};
use crate::event::NodeEvent;
use crate::giving::Passes;
use crate::health::{self, Health};
use crate::manners::woke;
use crate::painter::Painter;
use crate::seen::SeenVerdicts;
use crate::session;
use crate::steer::{self, Base};
use crate::studio::Studio;
use crate::vitals;
use crate::watch::{Post, Watched};
use crate::wishes::Wishes;
use crate::witness::Witness;
use crate::work::{Events, Finished, Shelf, WorkError, Workshop};
use crate::{RunError, backend, memory};

/// How long a stopping node takes to hand in films and give leases back.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// A lease that the node holds.
pub(crate) struct Held {
    pub(crate) lease: Lease,
    pub(crate) finished: Option<Finished>,
    cancel: Arc<Cancel>,
    task: AbortHandle,
}

/// What outlives a connection.
pub(crate) struct Agent {
    pub(crate) config: Config,
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) hello: NodeHello,
    pub(crate) held: BTreeMap<LeaseId, Held>,
    pub(crate) works: JoinSet<(LeaseId, Result<Finished, WorkError>)>,
    pub(crate) connection: Option<Connection>,
    pub(crate) seen: SeenVerdicts,
    pub(crate) witness: Arc<Witness>,
    /// Why the node pauses of itself or by its owner's wish, and how long its machine has slept.
    pub(crate) watched: watch::Receiver<Watched>,
    /// What the work has to say to that.
    pub(crate) desk: watch::Sender<Desk>,
    /// What runs beside the work.
    beside: JoinSet<()>,
    /// Notified when the machine may sleep.
    pub(crate) ready: Arc<Notify>,
}

impl Agent {
    /// Loads the key, opens the backend and the scenes, measures the speed.
    pub(crate) async fn start(
        config: Config,
        wishes: watch::Receiver<Wishes>,
        events: Events,
    ) -> Result<Self, RunError> {
        let folder = |source| RunError::Folder { path: config.data_dir.clone(), source };
        std::fs::create_dir_all(&config.data_dir).map_err(folder)?;
        let key = identity::load_or_create(&config.data_dir.join("key"));
        let key = key.map_err(RunError::Identity)?;
        let node = NodeId(public_key(&key).0);
        let owner = owner_binding(&config, node)?;
        if config.cheat.is_some() {
            tracing::warn!(cheat = ?config.cheat, "this node defrauds the farm");
        }

        let witness = Witness::new(config.data_dir.join("checkpoints"), key.clone());
        let witness = Arc::new(witness);
        let memory_bytes = config.memory_bytes.unwrap_or_else(sandbox::half_bytes);
        let opening = config.clone();
        let studio = Studio::open(move || painter(&opening, memory_bytes)).await?;
        events(NodeEvent::Started { node, backend: studio.description().to_owned() });
        events(NodeEvent::Confined { confinement: studio.confinement().cloned() });
        examine(&studio).await?;
        let mut rays_per_second = 0;
        if config.benchmark {
            rays_per_second = studio.ask(Painter::benchmark).await.map_err(RunError::Render)?;
            events(NodeEvent::Benchmarked { rays_per_second });
            rays_per_second = cheat::claimed(config.cheat, rays_per_second);
        }

        let mut peer = PeerConfig::new(key.to_bytes(), config.data_dir.join("scenes"));
        peer.bind = config.bind_address();
        let base = Base::of(&config);
        peer.pace = Some(base.pace());
        let peer = Peer::bind(peer).await.map_err(RunError::Bind)?;
        if let Some(bytes_per_second) = config.give_bytes_per_second {
            peer.give_scenes(Arc::new(Passes { farm: config.farm.key() }), bytes_per_second);
        }
        let mut cache = SceneCache::new(config.cache_bytes);
        for (scene, held) in peer.scenes().stock().await.map_err(RunError::Scenes)? {
            // Their order is not known any more. Too much goes when the next one comes.
            cache.touch(scene, &held.parts, |_pinned| true);
        }
        let hello = NodeHello {
            name: config.name.clone(),
            engine: renderer::ENGINE,
            backend: studio.description().to_owned(),
            rays_per_second,
            equipment: equipment(&config, &studio, memory_bytes),
            ask_per_gray: config.ask,
            owner,
        };
        let shelf = Mutex::new(Shelf { cache, pins: BTreeMap::new() });
        let cheat = config.cheat;
        let (gives, line) = (config.give_bytes_per_second.is_some(), Mutex::default());
        let bench = Bench::default();
        let workshop =
            Workshop { node, key, peer, studio, events, cheat, gives, shelf, bench, line };
        let workshop = Arc::new(workshop);
        let (held, works) = (BTreeMap::new(), JoinSet::new());
        let seen = SeenVerdicts::load(&config.data_dir);
        let connection = None;
        let (beside, watched, desk, ready) = begin_beside(&config, wishes, base, &workshop);
        Ok(Self {
            config,
            workshop,
            hello,
            held,
            works,
            connection,
            seen,
            witness,
            watched,
            desk,
            beside,
            ready,
        })
    }

    /// Serves the farm through any number of connections, until `shutdown`.
    pub(crate) async fn work<F: Future<Output = ()>>(
        &mut self,
        mut shutdown: Pin<&mut F>,
    ) -> Result<(), RunError> {
        let mut seed = [0; 8];
        seed.copy_from_slice(&self.workshop.node.0[..8]);
        let mut backoff = Backoff::new(u64::from_le_bytes(seed));
        loop {
            let message = tokio::select! {
                () = shutdown.as_mut() => return Ok(()),
                ended = session::run(self, &mut backoff) => ended?,
            };
            self.connection = None;
            self.workshop.set_line(None);
            self.note_at_hand(false);
            let wait = backoff.next_wait();
            self.tell(NodeEvent::Error { message, retry_in: Some(wait) });
            let asleep = self.watched.borrow_and_update().slept;
            // The watch lasts as long as the agent.
            let wakes = self.watched.wait_for(|now| woke(asleep, now.slept).is_some());
            tokio::select! {
                () = shutdown.as_mut() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
                Ok(_woken) = wakes => {}
            }
        }
    }

    /// Hands in what is finished, gives the rest back, closes everything.
    pub(crate) async fn stop(mut self) {
        // Nobody listens to pauses any more, and nobody else shares the workshop.
        self.beside.shutdown().await;
        // What was halted goes on, to hear that it is cancelled.
        self.watched = watch::channel(Watched::default()).1;
        if let Some(reins) = self.workshop.studio.reins() {
            reins.release();
        }
        for held in self.held.values() {
            held.cancel.set();
        }
        if tokio::time::timeout(FAREWELL_TIMEOUT, self.farewell()).await.is_err() {
            tracing::warn!("the scheduler did not answer; the leases will lapse");
        }
        self.works.shutdown().await;
        self.workshop.peer.close().await;
        let events = self.workshop.events.clone();
        // The last task that shared the workshop ended above.
        if let Some(workshop) = Arc::into_inner(self.workshop) {
            workshop.studio.close().await;
        }
        events(NodeEvent::Stopped);
    }

    async fn farewell(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        // A silent cheat says nothing, not even goodbye.
        if self.config.cheat != Some(Cheat::Silent) {
            let mut unfinished = Vec::new();
            for (id, held) in std::mem::take(&mut self.held) {
                let Some(Finished { commitment, film }) = held.finished else {
                    unfinished.push(id);
                    continue;
                };
                let submit = Request::Submit { commitment };
                match connection.call(&submit, film, FAREWELL_TIMEOUT).await {
                    Ok(_done) => {
                        self.tell(NodeEvent::Submitted { lease: id, unit: held.lease.piece.unit });
                    }
                    Err(error) => self.drop_event(id, error.to_string()),
                }
            }
            if !unfinished.is_empty() {
                let reason = "the node is stopping".to_owned();
                let why = GivenBack::Undone;
                let release = Request::Release { leases: unfinished, reason, why };
                if let Err(error) = connection.call(&release, Bytes::new(), FAREWELL_TIMEOUT).await
                {
                    tracing::debug!(%error, "the leases were not given back");
                }
            }
        }
        connection.close("the node is stopping");
    }

    /// Begins the work on a lease.
    pub(crate) fn take(&mut self, lease: Lease, scheduler: PublicKey) {
        let cancel = Arc::new(Cancel::default());
        let id = lease.id;
        let work = self.workshop.clone().work(lease.clone(), scheduler, cancel.clone());
        let task = self.works.spawn(async move { (id, work.await) });
        self.held.insert(id, Held { lease, finished: None, cancel, task });
    }

    /// Says whether something is unfinished, or not handed in: a lease, or a verification.
    pub(crate) fn note_at_hand(&self, verifies: bool) {
        let is_at_hand = verifies || !self.held.is_empty();
        self.desk.send_if_modified(|desk| {
            std::mem::replace(&mut desk.is_at_hand, is_at_hand) != is_at_hand
        });
    }

    /// Leases that are still being worked on.
    pub(crate) fn unfinished(&self) -> usize {
        self.held.values().filter(|held| held.finished.is_none()).count()
    }

    /// Ends the work on a lease, whatever its state.
    pub(crate) fn let_go(&mut self, lease: LeaseId, reason: impl Into<String>) {
        self.workshop.bench.forget(lease);
        if let Some(held) = self.held.remove(&lease) {
            held.cancel.set();
            held.task.abort();
            self.drop_event(lease, reason.into());
        }
    }

    pub(crate) fn tell(&self, event: NodeEvent) {
        tracing::debug!(%event);
        (self.workshop.events)(event);
    }

    fn drop_event(&self, lease: LeaseId, reason: String) {
        self.tell(NodeEvent::Dropped { lease, reason });
    }
}

/// Begins what runs beside the work: heeding wishes, watching the machine, telling pauses and vitals.
fn begin_beside(
    config: &Config,
    wishes: watch::Receiver<Wishes>,
    base: Base,
    workshop: &Arc<Workshop>,
) -> (JoinSet<()>, watch::Receiver<Watched>, watch::Sender<Desk>, Arc<Notify>) {
    let first = wishes.borrow().clone();
    let first = if first.check().is_ok() { first } else { Wishes::default() };
    let (heeded, heeding) = watch::channel(first);
    let ready = Arc::new(Notify::new());
    let watched = crate::watch::begin(Post {
        manners: config.manners.clone(),
        data_dir: config.data_dir.clone(),
        wishes: heeding.clone(),
        reins: workshop.studio.reins(),
        busy: workshop.studio.busy(),
        ready: ready.clone(),
        events: workshop.events.clone(),
    });
    let (desk, told) = watch::channel(Desk::default());
    let mut beside = JoinSet::new();
    beside.spawn(steer::steer(wishes, heeded, base, workshop.clone()));
    beside.spawn(announce::announce(watched.clone(), told, workshop.events.clone()));
    beside.spawn(vitals::tell(heeding, workshop.clone()));
    (beside, watched, desk, ready)
}

/// Renders a film whose bits are known: a sick machine takes no lease.
async fn examine(studio: &Studio) -> Result<(), RunError> {
    let on_cpu = studio.description().starts_with("cpu");
    let golden =
        |painter: &mut Painter| painter.golden(&health::golden_settings(), health::golden_batch());
    let film = studio.ask(golden).await.map_err(RunError::Render)?;
    match health::judge(&film, on_cpu) {
        Health::Exact => Ok(()),
        Health::Tolerant { differing } => {
            tracing::info!(differing, "this device rounds in its own way");
            Ok(())
        }
        Health::Sick { differing } => Err(RunError::Sick { differing }),
    }
}

/// What renders, as the node is set up.
fn painter(config: &Config, memory_bytes: u64) -> Result<Painter, RunError> {
    let Config { backend, software_gpu, threads, .. } = *config;
    let fraud = config.cheat.map(|cheat| Fraud::new(cheat, &config.data_dir));
    let setup = Setup {
        backend,
        software_gpu,
        gpu: config.gpu.clone(),
        // The worker cannot read how many cores it may use.
        threads: threads.or_else(|| std::thread::available_parallelism().ok()),
        memory_bytes,
        limit_bytes: config.worker_bytes(memory_bytes),
        plain: false,
    };
    let hand = match &config.worker {
        Some(program) => {
            let hand = Hand::apart(program.clone(), setup, Patience::default());
            hand.map_err(RunError::Worker)?
        }
        None => Hand::here(setup, backend::open).map_err(RunError::Backend)?,
    };
    Ok(Painter::new(hand, fraud))
}

/// What the node says of itself that a job may ask for.
fn equipment(config: &Config, studio: &Studio, memory_bytes: u64) -> Equipment {
    let is_on_gpu = !studio.description().starts_with("cpu");
    let (backend, memory_bytes) = match is_on_gpu {
        false => (BackendKind::Cpu, Some(memory_bytes)),
        // A device that is simulated has no card.
        true if config.software_gpu => (BackendKind::Gpu, config.gpu_memory_bytes),
        true => (BackendKind::Gpu, config.gpu_memory_bytes.or_else(memory::gpu_bytes)),
    };
    Equipment { backend, memory_bytes, pools: config.pools.clone() }
}

fn owner_binding(config: &Config, node: NodeId) -> Result<Option<Signed<OwnerBinding>>, RunError> {
    let Some(path) = &config.owner_key else {
        return Ok(None);
    };
    let owner = identity::load(path).map_err(RunError::Identity)?;
    Ok(Some(Signed::new(&OwnerBinding { node }, &owner)))
}
