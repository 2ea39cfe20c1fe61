//! The work on one lease: fetch its scene, render, sign.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use film::Sums;
use protocol::{
    Commitment, Findings, Lease, NodeId, Piece, PublicKey, SceneId, Signed, SigningKey,
    VerificationLease,
};
use renderer::{Cancel, RenderError, Work};
use sandbox::{Frame, Order, RenderFault};
use transport::{Connection, FetchError, FetchProgress, Peer, SceneError};

use crate::bench::Bench;
use crate::cache::SceneCache;
use crate::config::Cheat;
use crate::event::NodeEvent;
use crate::giving;
use crate::studio::Studio;

/// Attempts to fetch a scene before its lease is given back: about half a minute in all.
const FETCH_ATTEMPTS: u32 = 6;
/// How often who holds a lease hostage looks whether it was taken back.
const HOSTAGE_LOOK: Duration = Duration::from_millis(100);
/// Least advance of a fetch between two events, in parts of its size.
const FETCH_EVENTS: u64 = 50;

/// Where events go.
pub(crate) type Events = Arc<dyn Fn(NodeEvent) + Send + Sync>;

/// What the work on a lease needs.
pub(crate) struct Workshop {
    pub(crate) node: NodeId,
    pub(crate) key: SigningKey,
    pub(crate) peer: Peer,
    pub(crate) studio: Studio,
    pub(crate) events: Events,
    pub(crate) cheat: Option<Cheat>,
    /// Whether the node gives scenes to others.
    pub(crate) gives: bool,
    pub(crate) shelf: Mutex<Shelf>,
    /// What is being rendered, and what was a moment ago.
    pub(crate) bench: Bench,
    /// The scheduler, while it is there.
    pub(crate) line: Mutex<Option<Connection>>,
}

/// Scenes on disk, and how many leases need each.
pub(crate) struct Shelf {
    pub(crate) cache: SceneCache,
    pub(crate) pins: BTreeMap<SceneId, u32>,
}

/// A film, ready to be submitted as often as it takes.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) commitment: Signed<Commitment>,
    pub(crate) film: Bytes,
}

/// Why a lease yields no film.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error("the scene did not come")]
    Fetch(#[from] FetchError),
    #[error("the scene cannot be read")]
    Scene(#[from] SceneError),
    #[error(transparent)]
    Render(#[from] RenderFault),
    #[error("kept silent about it")]
    Silent,
}

impl WorkError {
    /// Whether the scene does not fit into this node's memory.
    pub(crate) const fn is_too_large(&self) -> bool {
        match self {
            Self::Render(fault) => fault.is_too_large(),
            Self::Scene(SceneError::Memory(_)) => true,
            _other => false,
        }
    }
}

/// A scene that must stay on disk for now.
struct Pinned {
    workshop: Arc<Workshop>,
    scene: SceneId,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut shelf = self.workshop.shelf();
        if let Some(count) = shelf.pins.get_mut(&self.scene) {
            *count -= 1;
            if *count == 0 {
                shelf.pins.remove(&self.scene);
            }
        }
    }
}

impl Workshop {
    /// Works on a lease to its film. Orders of several leases wait for the render thread in
    /// turn, so that a scene is fetched while another renders.
    pub(crate) async fn work(
        self: Arc<Self>,
        lease: Lease,
        scheduler: PublicKey,
        cancel: Arc<Cancel>,
    ) -> Result<Finished, WorkError> {
        if self.cheat == Some(Cheat::Silent) {
            tokio::time::sleep(until(lease.deadline_ms)).await;
            return Err(WorkError::Silent);
        }
        if self.cheat == Some(Cheat::Hostage) {
            while !cancel.is_set() {
                tokio::time::sleep(HOSTAGE_LOOK).await;
            }
            return Err(WorkError::Silent);
        }
        let _pinned = self.clone().pin(lease.piece.scene);
        self.fetch(lease.piece.scene, scheduler).await?;
        let mut rendered = self.render(&lease, None, &cancel).await?;
        if rendered.is_none() {
            let package = self.package(lease.piece.scene).await?;
            rendered = self.render(&lease, Some(package), &cancel).await?;
        }
        // The package was given, so that nothing can be missing now.
        let film = rendered.ok_or(RenderFault::Render(RenderError::Cancelled))?;
        let commitment = Commitment {
            lease: lease.id,
            node: self.node,
            piece: lease.piece.digest(),
            root: film.root(),
            rays: film.rays(),
            engine: renderer::ENGINE,
        };
        let film = Bytes::from(film.to_bytes());
        Ok(Finished { commitment: Signed::new(&commitment, &self.key), film })
    }

    /// Renders the pixels of a verification lease, before any unit that has not begun.
    pub(crate) async fn verify(
        self: Arc<Self>,
        lease: VerificationLease,
        scheduler: PublicKey,
    ) -> Result<Signed<Findings>, WorkError> {
        let _pinned = self.clone().pin(lease.scene);
        self.fetch(lease.scene, scheduler).await?;
        let mut sums = self.spots(&lease, None).await?;
        if sums.is_none() {
            let package = self.package(lease.scene).await?;
            sums = self.spots(&lease, Some(package)).await?;
        }
        // The package was given, so that nothing can be missing now.
        let sums = sums.ok_or(RenderFault::Render(RenderError::Cancelled))?;
        let digests = sums.iter().enumerate();
        let digests =
            digests.map(|(entry, sums)| Findings::digest(lease.id, entry, &sums.to_bytes()));
        let findings = Findings { lease: lease.id, node: self.node, digests: digests.collect() };
        Ok(Signed::new(&findings, &self.key))
    }

    async fn spots(
        &self,
        lease: &VerificationLease,
        package: Option<Bytes>,
    ) -> Result<Option<Vec<Sums>>, RenderFault> {
        let (settings, time_s) = (lease.settings.clone(), lease.time_s);
        let frame = Frame { scene: lease.scene, settings, time_s };
        let (spots, events) = (lease.spots.clone(), self.events.clone());
        let job = self.studio.ask_soon(move |painter| {
            if package.is_none() && !painter.holds(&frame)? {
                return Ok(None);
            }
            let begin = Instant::now();
            let sums = painter.spots(&frame, &spots, package.as_ref())?;
            let pixels = spots.iter().map(|spots| spots.places.len() as u32).sum();
            let (films, took) = (spots.len() as u32, begin.elapsed());
            events(NodeEvent::Verified { films, pixels, took });
            Ok(sums)
        });
        job.await
    }

    async fn render(
        &self,
        lease: &Lease,
        package: Option<Bytes>,
        cancel: &Arc<Cancel>,
    ) -> Result<Option<film::Film>, RenderFault> {
        let Piece { unit, scene, settings, time_s, rect, .. } = lease.piece.clone();
        let work = Work { rect, batch: unit.batch };
        let order = Order { frame: Frame { scene, settings, time_s }, work };
        let id = lease.id;
        let (events, cancel, bench) = (self.events.clone(), cancel.clone(), self.bench.clone());
        let job = self.studio.ask(move |painter| {
            if cancel.is_set() {
                return Err(RenderError::Cancelled.into());
            }
            if package.is_none() && !painter.holds(&order.frame)? {
                return Ok(None);
            }
            let _turn = bench.begin(id, unit);
            events(NodeEvent::Rendering { lease: id, unit });
            let begin = Instant::now();
            let film = painter.film(&order, package.as_ref(), &cancel)?;
            if let Some(film) = &film {
                let (rays, took) = (film.rays(), begin.elapsed());
                events(NodeEvent::Rendered { lease: id, unit, rays, took });
            }
            Ok(film)
        });
        job.await
    }

    /// Has the scene on disk, from the scheduler if need be, through a few losses of it.
    async fn fetch(
        self: &Arc<Self>,
        scene: SceneId,
        scheduler: PublicKey,
    ) -> Result<(), WorkError> {
        if self.peer.scenes().has(scene).await? {
            return self.note(scene).await.map_err(WorkError::from);
        }
        let fetched = self.fetch_in_attempts(scene, scheduler).await;
        // What an attempt leaves for the next takes room, too.
        self.note(scene).await?;
        self.tell_given();
        Ok(fetched?)
    }

    /// Tells the scheduler what this node gives, if it gives at all. Nothing waits for it.
    pub(crate) fn tell_given(self: &Arc<Self>) {
        if let Some(connection) = self.line().filter(|_line| self.gives) {
            let workshop = self.clone();
            tokio::spawn(async move {
                let peer = &workshop.peer;
                giving::tell(&connection, peer.scenes(), &peer.ticket()).await;
            });
        }
    }

    /// Notes the use of a scene, and lets go of those for which there is no room any more.
    async fn note(&self, scene: SceneId) -> Result<(), SceneError> {
        let held = self.peer.scenes().held(scene).await?;
        let removed = held.map_or_else(Vec::new, |held| {
            let Shelf { cache, pins } = &mut *self.shelf();
            cache.touch(scene, &held.parts, |scene| pins.contains_key(&scene))
        });
        for scene in removed {
            self.peer.scenes().remove(scene).await?;
        }
        Ok(())
    }

    async fn fetch_in_attempts(
        &self,
        scene: SceneId,
        scheduler: PublicKey,
    ) -> Result<(), FetchError> {
        let size_bytes_max = self.shelf().cache.scene_bytes_max();
        let mut attempt = 0;
        loop {
            let told = Mutex::new(0);
            let progress = |report: FetchProgress| {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                let step = report.size_bytes / FETCH_EVENTS;
                if report.received_bytes >= *told + step || *told == 0 {
                    *told = report.received_bytes;
                    let FetchProgress { found_bytes, received_bytes, size_bytes } = report;
                    (self.events)(NodeEvent::Fetching {
                        scene,
                        found_bytes,
                        received_bytes,
                        size_bytes,
                    });
                }
            };
            // Other nodes are asked once; the scheduler has it for certain.
            if attempt == 0 && self.fetch_given(scene, size_bytes_max, &progress).await? {
                return Ok(());
            }
            let fetched =
                self.peer.scenes().fetch(scene, size_bytes_max, scheduler, progress).await;
            attempt += 1;
            match fetched {
                Ok(_size_bytes) => return Ok(()),
                Err(
                    FetchError::NotConnected(_)
                    | FetchError::Unreachable { .. }
                    | FetchError::Interrupted { .. },
                ) if attempt < FETCH_ATTEMPTS => {
                    tokio::time::sleep(Duration::from_secs(1 << attempt.min(3))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The scene's package, from disk. One that cannot be read is let go of: the next lease of it
    /// fetches it anew.
    async fn package(&self, scene: SceneId) -> Result<Bytes, SceneError> {
        let read = self.peer.scenes().read(scene).await;
        if let Err(error) = &read
            && !matches!(error, SceneError::Memory(_))
        {
            self.shelf().cache.forget(scene);
            self.peer.scenes().remove(scene).await?;
        }
        read
    }

    fn pin(self: Arc<Self>, scene: SceneId) -> Pinned {
        *self.shelf().pins.entry(scene).or_default() += 1;
        Pinned { workshop: self, scene }
    }

    pub(crate) fn line(&self) -> Option<Connection> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_line(&self, connection: Option<Connection>) {
        // Whatever stood there is replaced as a whole.
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }

    pub(crate) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Counts and sizes are whole after any panic.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long it is until a moment of the scheduler's clock, taking ours for equal.
fn until(deadline_ms: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(deadline_ms).saturating_sub(now)
}
