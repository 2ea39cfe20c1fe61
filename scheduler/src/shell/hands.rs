//! Who renders what the farm itself wants to see of scenes: a worker process for each of them.
//!
//! Scenes come from strangers. One that takes over who reads it finds no key there and no network, and
//! judges no films but its own.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use film::{Film, Sums};
use protocol::{Batch, Piece, SceneId, Spots};
use renderer::{Cancel, RenderError, Work};
use sandbox::{
    BackendChoice, FEARED, Frame, Hand, LIVES, OpenError, Order, Patience, Probed, Probing,
    RenderFault, Setup, WorkerError, words_of,
};
use transport::{SceneError, Scenes};

use crate::config::Config;

/// Scenes that are remembered because they are let alone.
const FEARED_MAX: usize = 1024;
/// How many times as long as it should an answer may take in all.
const WHOLE: u32 = 2;

/// What a hand is asked to do, or told why there is none.
type Errand = Box<dyn FnOnce(Result<&mut Hand, HandError>) + Send>;

/// Hands at work, by scene, the latest used first.
pub(super) struct Hands {
    store: Scenes,
    runtime: tokio::runtime::Handle,
    opener: Opener,
    kept_max: usize,
    kept: Mutex<Vec<(SceneId, Sender<Errand>)>>,
    feared: Mutex<Vec<(SceneId, Instant)>>,
    cancel: Arc<Cancel>,
}

/// How a hand is opened.
#[derive(Debug, Clone)]
struct Opener {
    /// The program that is its own worker; none to render in this process.
    program: Option<PathBuf>,
    setup: Setup,
}

/// Something that was not rendered.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandError {
    /// The store does not give the scene.
    #[error("the scene is not here: {scene}")]
    Store {
        /// The scene.
        scene: SceneId,
        /// What the store said.
        #[source]
        source: SceneError,
    },
    /// No thread or no backend is to be had in this process.
    #[error("the farm's own renderer does not start")]
    Open(#[source] OpenError),
    /// No worker starts.
    #[error("the farm's own renderer does not start")]
    Start(#[source] WorkerError),
    /// It gave numbers that are none.
    #[error("the scene gives values that are not finite")]
    NotFinite,
    /// It was not rendered.
    #[error(transparent)]
    Render(#[from] RenderFault),
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing: it was asked to stop.
    Stopped,
    /// Another try: the machine has no room for a process just now, or one was lost, which a scene does
    /// twice at most.
    Passing,
    /// The scene is at fault, and no other try will go better.
    Scene,
    /// The scene is let alone, after two processes that it has ended.
    Feared,
    /// What was promised to be here is not.
    Farm,
}

impl HandError {
    /// Whether the scene wants more memory than there is for it.
    pub(super) const fn is_too_large(&self) -> bool {
        matches!(self, Self::Render(fault) if fault.is_too_large())
    }

    pub(super) const fn cause(&self) -> Cause {
        match self {
            Self::Store { .. } => Cause::Farm,
            Self::Open(_) | Self::Start(_) => Cause::Passing,
            Self::NotFinite => Cause::Scene,
            Self::Render(RenderFault::Render(RenderError::Cancelled)) => Cause::Stopped,
            // One that is open has a backend.
            Self::Render(RenderFault::Worker(WorkerError::NoBackend(_))) => Cause::Scene,
            Self::Render(
                RenderFault::Worker(_) | RenderFault::Unopened(_) | RenderFault::Ended,
            ) => Cause::Passing,
            Self::Render(RenderFault::Feared { .. }) => Cause::Feared,
            Self::Render(_) => Cause::Scene,
        }
    }
}

impl Hands {
    /// Hands that stop with `cancel`.
    pub(super) fn new(
        store: Scenes,
        runtime: tokio::runtime::Handle,
        config: &Config,
        cancel: Arc<Cancel>,
    ) -> Self {
        let kept_max = config.scenes_kept;
        let (memory_bytes, usual_bytes) = sandbox::default_memory_bytes();
        let limit_bytes = config.worker_bytes.unwrap_or(usual_bytes);
        let setup = Setup {
            backend: BackendChoice::Cpu,
            // A worker cannot read how many cores it may use.
            threads: threads(config),
            memory_bytes: (memory_bytes / kept_max.max(1) as u64).min(limit_bytes / 3 * 2),
            limit_bytes,
            ..Setup::default()
        };
        let opener = Opener { program: config.worker.clone(), setup };
        let (kept, feared) = (Mutex::default(), Mutex::default());
        Self { store, runtime, opener, kept_max, kept, feared, cancel }
    }

    /// Tries whether a hand can be opened at all. Blocks.
    ///
    /// # Errors
    /// None can.
    pub(super) fn try_one(&self) -> Result<(), HandError> {
        self.opener.open().map(drop)
    }

    /// Others of the same kind, which know nothing of what these do, for so many scenes.
    pub(super) fn others(&self, kept_max: usize) -> Self {
        let (store, runtime) = (self.store.clone(), self.runtime.clone());
        let (opener, cancel) = (self.opener.clone(), self.cancel.clone());
        let (kept, feared) = (Mutex::default(), Mutex::default());
        Self { store, runtime, opener, kept_max, kept, feared, cancel }
    }

    /// Others that compute by the plainest code path there is: the same bits, and nothing else in common.
    pub(super) fn plain(&self) -> Self {
        let mut plain = self.others(1);
        plain.opener.setup.plain = true;
        plain
    }

    /// A film. Blocks: for threads, never for tasks.
    pub(super) fn film(&self, frame: &Frame, work: Work) -> Result<Film, HandError> {
        let (order, cancel) = (Order { frame: frame.clone(), work }, self.cancel.clone());
        let film =
            self.ask(frame.scene, move |hand, package| hand.film(&order, package, &cancel))?;
        if is_finite(film.sums()) { Ok(film) } else { Err(HandError::NotFinite) }
    }

    /// Pixels of a film, in their order. Blocks.
    pub(super) fn pixels(
        &self,
        frame: &Frame,
        places: Vec<(u32, u32)>,
        batch: Batch,
    ) -> Result<Sums, HandError> {
        let scene = frame.scene;
        let spots = [Spots { batch, places }];
        let (frame, cancel) = (frame.clone(), self.cancel.clone());
        let sums = self.ask(scene, move |hand, package| {
            let sums = hand.spots(&frame, &spots, package, &cancel)?;
            Ok(sums.and_then(|sums| sums.into_iter().next()))
        })?;
        if is_finite(&sums) { Ok(sums) } else { Err(HandError::NotFinite) }
    }

    /// What a frame's rays are. Blocks.
    pub(super) fn probe(&self, probing: Probing) -> Result<Probed, HandError> {
        let cancel = self.cancel.clone();
        self.ask(probing.frame.scene, move |hand, package| hand.probe(&probing, package, &cancel))
    }

    /// Has a frame made ready that will be asked for soon, where there is room for another scene. Returns
    /// at once.
    pub(super) fn warm(&self, frame: &Frame) {
        let scene = frame.scene;
        let is_full = |kept: &[(SceneId, Sender<Errand>)]| {
            kept.len() >= self.kept_max || kept.iter().any(|(other, _)| *other == scene)
        };
        if is_full(&lock(&self.kept)) {
            return;
        }
        let (frame, cancel) = (frame.clone(), self.cancel.clone());
        let done =
            self.errand(scene, move |hand, package| hand.spots(&frame, &[], package, &cancel));
        // Whoever asks in earnest hears what is wrong.
        let _nobody_waits = self.send(scene, move |hand| drop(hand.and_then(done)));
    }

    /// Ends all hands but a scene's, which may need all the memory there is.
    pub(super) fn make_room(&self, scene: SceneId) {
        lock(&self.kept).retain(|(other, _)| *other == scene);
    }

    /// Has the scene's hand do something.
    fn ask<T: Send + 'static>(
        &self,
        scene: SceneId,
        order: impl Fn(&mut Hand, Option<&Bytes>) -> Result<Option<T>, RenderFault> + Send + 'static,
    ) -> Result<T, HandError> {
        let now = Instant::now();
        let is_feared = |(other, since): &(SceneId, Instant)| {
            *other == scene && now.duration_since(*since) < FEARED
        };
        if lock(&self.feared).iter().any(is_feared) {
            return Err(RenderFault::Feared { ended: LIVES }.into());
        }
        let (answer, answered) = sync_channel(1);
        let done = self.errand(scene, order);
        self.send(scene, move |hand| {
            let _gone = answer.send(hand.and_then(done));
        })?;
        let outcome = answered.recv().unwrap_or(Err(HandError::Render(RenderFault::Ended)));
        if matches!(outcome, Err(HandError::Render(RenderFault::Feared { .. }))) {
            // From now on it is known here, whatever becomes of the hand.
            lock(&self.kept).retain(|(other, _)| *other != scene);
            let mut feared = lock(&self.feared);
            feared.retain(|(other, _)| *other != scene);
            feared.insert(0, (scene, now));
            feared.truncate(FEARED_MAX);
        }
        outcome
    }

    /// What a hand does for an order, with the scene's package where it needs it. A panic of the renderer
    /// costs the hand's state and no more.
    fn errand<T: Send + 'static>(
        &self,
        scene: SceneId,
        order: impl Fn(&mut Hand, Option<&Bytes>) -> Result<Option<T>, RenderFault> + Send + 'static,
    ) -> impl FnOnce(&mut Hand) -> Result<T, HandError> + Send + 'static {
        let (store, runtime) = (self.store.clone(), self.runtime.clone());
        let cancel = self.cancel.clone();
        let done = move |hand: &mut Hand| {
            if let Some(done) = order(hand, None)? {
                return Ok(done);
            }
            if cancel.is_set() {
                return Err(RenderFault::Render(RenderError::Cancelled).into());
            }
            let package = runtime.block_on(store.read(scene));
            let package = package.map_err(|source| HandError::Store { scene, source })?;
            Ok(order(hand, Some(&package))?.ok_or(RenderFault::Ended)?)
        };
        move |hand| {
            catch_unwind(AssertUnwindSafe(|| done(hand))).unwrap_or_else(|panic| {
                hand.recover();
                Err(RenderFault::Panicked(words_of(&*panic)).into())
            })
        }
    }

    /// Gives an errand to the scene's hand, which is opened for it where there is none.
    ///
    /// # Errors
    /// The system gives no thread.
    fn send(
        &self,
        scene: SceneId,
        errand: impl FnOnce(Result<&mut Hand, HandError>) + Send + 'static,
    ) -> Result<(), HandError> {
        let mut kept = lock(&self.kept);
        if let Some(place) = kept.iter().position(|(other, _)| *other == scene) {
            kept[..=place].rotate_right(1);
        } else {
            let (errands, to_do) = channel();
            let opener = self.opener.clone();
            // A worker ends with the thread that has started it, so each has its own.
            super::spawn("hand", move || opener.serve(&to_do))
                .map_err(|error| HandError::Open(OpenError::new(error)))?;
            kept.insert(0, (scene, errands));
            kept.truncate(self.kept_max);
        }
        if kept[0].1.send(Box::new(errand)).is_err() {
            // Its thread has panicked: whoever waits hears of it, and the next one gets another.
            kept.remove(0);
        }
        Ok(())
    }
}

impl Opener {
    /// Runs errands until nobody can send any.
    fn serve(&self, errands: &Receiver<Errand>) {
        let mut hand = None;
        while let Ok(errand) = errands.recv() {
            if hand.is_none() {
                match self.open() {
                    Ok(opened) => hand = Some(opened),
                    Err(error) => {
                        errand(Err(error));
                        continue;
                    }
                }
            }
            errand(Ok(hand.as_mut().expect("invariant: it was just opened")));
        }
    }

    fn open(&self) -> Result<Hand, HandError> {
        let Self { program, setup } = self.clone();
        let Some(program) = program else {
            return Hand::here(setup, sandbox::open_cpu).map_err(HandError::Open);
        };
        let patience = Patience { whole: WHOLE, ..Patience::default() };
        Hand::apart(program, setup, patience).map_err(HandError::Start)
    }
}

/// Whether all values are numbers. Films that nodes hand in are looked at when they come.
fn is_finite(sums: &Sums) -> bool {
    let mut passes = sums.passes().into_iter().flatten();
    sums.pixels().iter().all(film::Pixel::is_finite)
        && passes.all(|passes| passes.values().iter().all(|value| value.is_finite()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every list is whole after any panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The frame that a piece is of.
pub(super) fn frame_of(piece: &Piece) -> Frame {
    Frame { scene: piece.scene, settings: piece.settings.clone(), time_s: piece.time_s }
}

/// Threads of the trusted renderer.
pub(super) fn threads(config: &Config) -> Option<NonZeroUsize> {
    config.cpu_threads.or_else(|| std::thread::available_parallelism().ok())
}

#[cfg(test)]
mod tests {
    use protocol::{Rect, RenderSettings, Size};
    use tokio::runtime::Runtime;
    use transport::{Peer, PeerConfig};

    use super::*;

    /// Hands that render here, and keep so many scenes; the peer and its folder go with them.
    fn hands(runtime: &Runtime, scenes_kept: usize) -> (Hands, Peer, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let config = PeerConfig::new([1; 32], folder.path().to_owned());
        let peer = runtime.block_on(Peer::bind(config)).expect("it binds");
        let config = Config { scenes_kept, cpu_threads: NonZeroUsize::new(1), ..Config::default() };
        let hands =
            Hands::new(peer.scenes().clone(), runtime.handle().clone(), &config, Arc::default());
        (hands, peer, folder)
    }

    fn order(scene: SceneId) -> (Frame, Work) {
        let size = Size::new(16, 12);
        let settings = RenderSettings { size, samples: 16, ..RenderSettings::default() };
        let batch = Batch::new(0, 1).expect("aligned");
        (Frame { scene, settings, time_s: 0.0 }, Work { rect: Rect::of_size(size), batch })
    }

    #[test]
    fn each_scene_has_a_hand_and_the_least_used_goes() {
        let runtime = Runtime::new().expect("a runtime");
        let (hands, peer, _folder) = hands(&runtime, 1);
        let mut other = scene::golden();
        other.name.push_str(" of another name");
        let scenes = [scene::golden(), other].map(|scene| {
            let parts = scene::pack(&scene).parts().collect();
            runtime.block_on(peer.scenes().add(parts)).expect("it is kept")
        });
        let film = |scene| {
            let (frame, work) = order(scene);
            hands.film(&frame, work).expect("it renders").root()
        };
        let root = film(scenes[0]);
        for scene in [scenes[1], scenes[1], scenes[0]] {
            assert_eq!(film(scene), root, "they look the same");
            let kept: Vec<SceneId> =
                hands.kept.lock().expect("whole").iter().map(|(scene, _)| *scene).collect();
            assert_eq!(kept, [scene]);
        }
        let (frame, work) = order(scenes[0]);
        let plain = hands.plain().film(&frame, work);
        assert_eq!(plain.expect("it renders").root(), root, "by another code path");
        let others = hands.others(1);
        others.warm(&frame);
        let warmed = lock(&others.kept)[0].0;
        others.warm(&order(scenes[1]).0);
        assert_eq!((warmed, lock(&others.kept)[0].0), (scenes[0], scenes[0]), "there was no room");
        assert_eq!(others.film(&frame, work).expect("it renders").root(), root);
        let pixels = hands.pixels(&frame, vec![(3, 4)], work.batch);
        assert_eq!(pixels.expect("they are rendered").len(), 1);
    }

    #[test]
    fn whose_fault_it_is_is_told() {
        let runtime = Runtime::new().expect("a runtime");
        let (hands, peer, _folder) = hands(&runtime, 2);
        let rendered = |scene| {
            let (frame, work) = order(scene);
            hands.film(&frame, work).expect_err("nothing to render")
        };
        let missing = rendered(SceneId([1; 32]));
        assert!(matches!(missing, HandError::Store { .. }), "{missing:?}");
        assert_eq!(missing.cause(), Cause::Farm);
        let add = |parts| runtime.block_on(peer.scenes().add(parts)).expect("it is kept");
        let none = rendered(add(vec![vec![0; 1 << 12].into()]));
        assert_eq!(none.cause(), Cause::Scene, "{none:?}");
        let sound = add(scene::pack(&scene::golden()).parts().collect());
        hands.cancel.set();
        let stopped = rendered(sound);
        assert_eq!(stopped.cause(), Cause::Stopped, "{stopped:?}");
        let lost = HandError::from(RenderFault::Worker(WorkerError::Hung { after_s: 60.0 }));
        assert_eq!(lost.cause(), Cause::Passing, "another try may go well");
        let feared = HandError::from(RenderFault::Feared { ended: 2 });
        assert_eq!(feared.cause(), Cause::Feared, "and a third is not made");
    }

    #[test]
    fn a_scene_that_is_feared_is_let_alone_for_a_while() {
        let runtime = Runtime::new().expect("a runtime");
        let (hands, peer, _folder) = hands(&runtime, 2);
        let parts = scene::pack(&scene::golden()).parts().collect();
        let scene = runtime.block_on(peer.scenes().add(parts)).expect("it is kept");
        let (frame, work) = order(scene);
        let feared =
            || hands.ask(scene, |_, _| Err::<Option<()>, _>(RenderFault::Feared { ended: 2 }));
        feared().expect_err("feared by its hand");
        let still = hands.film(&frame, work).expect_err("feared by all");
        assert!(matches!(still, HandError::Render(RenderFault::Feared { .. })), "{still:?}");
        assert!(lock(&hands.kept).is_empty(), "and its hand is gone");
        assert!(hands.others(1).film(&frame, work).is_ok(), "others know nothing of it");
        lock(&hands.feared)[0].1 -= FEARED;
        assert!(hands.film(&frame, work).is_ok(), "it was long ago");
    }
}
