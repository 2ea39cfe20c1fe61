//! The worker as its keeper has it: started when needed, replaced when lost, kept from scenes that
//! end it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use film::{Film, Sums, film_pixel_bytes};
use protocol::settings::CHUNK_SAMPLES;
use protocol::{Batch, Rect, RenderSettings, SceneId, Spots};
use renderer::{Cancel, RenderError, Work};

use crate::confinement::Confinement;
use crate::easel::{
    Frame, Order, PROBE_SAMPLES_MAX, Probed, Probing, RenderFault, SEEN_PIXEL_BYTES,
    SIGHT_PIXELS_MAX, Seen, Sight,
};
use crate::hand::BackendChoice;
use crate::plain;
use crate::process::{Bound, Cancelling, Process, Wait, WorkerError};
use crate::reins::Reins;
use crate::trial::Attempt;
use crate::wire::{Ask, Setup, Told, Trial};

/// Workers that a scene may end before it is let alone.
pub const LIVES: u32 = 2;
/// How long it is let alone then, and how long one that it has ended is held against it.
pub const FEARED: Duration = Duration::from_secs(600);

/// How long a worker may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until its backend is open: graphics drivers compile.
    pub start: Duration,
    /// In addition to the rest, whatever it is at.
    pub base: Duration,
    /// For each MiB of a package that is unpacked and prepared.
    pub package_mib: Duration,
    /// For each million of samples, of so many bounces at most, that are rendered.
    pub mega_sample_bounce: Duration,
    /// From the wish to stop to the stop.
    pub stop: Duration,
    /// How many times as long an answer may take in all, however much progress is told.
    pub whole: u32,
}

impl Default for Patience {
    /// Twenty times what one core of an old machine takes, so that what shares its machine with
    /// others is not taken for dead.
    fn default() -> Self {
        Self {
            start: Duration::from_secs(120),
            base: Duration::from_secs(60),
            package_mib: Duration::from_secs(2),
            mega_sample_bounce: Duration::from_secs(20),
            stop: Duration::from_secs(2),
            // Who works a share of the time only rests for the others of it.
            whole: 20,
        }
    }
}

impl Patience {
    fn bound(&self, silent: Duration) -> Bound {
        Bound { silent, whole: silent.saturating_mul(self.whole) }
    }
}

/// A worker process, whichever is the present one.
pub struct Worker {
    program: PathBuf,
    setup: Setup,
    patience: Patience,
    reins: Reins,
    process: Option<Process>,
    description: String,
    confinement: Confinement,
    /// Workers that a scene has ended, and when the last.
    ended: BTreeMap<SceneId, (u32, Instant)>,
    package_bytes: BTreeMap<SceneId, u64>,
    /// What was asked for that may be cancelled.
    asked: u64,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Worker");
        shown.field("setup", &self.setup).field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Worker {
    /// Starts `program` with the one argument `worker` and waits until it can render.
    ///
    /// With [`BackendChoice::Auto`] a worker that finds no GPU is started again for the CPU alone,
    /// which is locked in more closely.
    ///
    /// The program only has to be its own worker when it is started as one:
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    ///
    /// use protocol::RenderSettings;
    /// use renderer::Cancel;
    /// use sandbox::{BackendChoice, Frame, Patience, Setup, Sight, Worker};
    ///
    /// fn main() -> ExitCode {
    ///     // Before any thread is started, file opened or window shown.
    ///     if std::env::args().nth(1).as_deref() == Some("worker") {
    ///         return sandbox::run(sandbox::open_cpu);
    ///     }
    ///     match show() {
    ///         Ok(()) => ExitCode::SUCCESS,
    ///         Err(error) => {
    ///             eprintln!("{error}");
    ///             ExitCode::FAILURE
    ///         }
    ///     }
    /// }
    ///
    /// fn show() -> Result<(), Box<dyn std::error::Error>> {
    ///     let (memory_bytes, limit_bytes) = sandbox::default_memory_bytes();
    ///     let setup = Setup {
    ///         backend: BackendChoice::Cpu,
    ///         memory_bytes,
    ///         limit_bytes,
    ///         ..Setup::default()
    ///     };
    ///     let mut worker = Worker::start(std::env::current_exe()?, setup, Patience::default())?;
    ///     let package = scene::pack(&scene::golden());
    ///     let settings = RenderSettings { samples: 1, ..RenderSettings::default() };
    ///     let frame = Frame { scene: package.id(), settings, time_s: 0.0 };
    ///     let sight = Sight { frame, chunks: 1 };
    ///     let seen = worker.look(&sight, package.bytes(), &Cancel::default())?;
    ///     println!("{} with {} samples, in {:?}", seen.size, seen.samples, seen.render);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Every call blocks until it is answered: a program with windows gives the worker a thread of
    /// its own, and keeps the [`Cancel`] of what it has asked for.
    ///
    /// # Errors
    /// See [`WorkerError`].
    pub fn start(program: PathBuf, setup: Setup, patience: Patience) -> Result<Self, WorkerError> {
        let mut worker = Self {
            program,
            setup,
            patience,
            reins: Reins::default(),
            process: None,
            description: String::new(),
            confinement: Confinement::default(),
            ended: BTreeMap::new(),
            package_bytes: BTreeMap::new(),
            asked: 0,
        };
        let on_gpu = worker.open()?;
        if worker.setup.backend == BackendChoice::Auto && !on_gpu {
            worker.setup.backend = BackendChoice::Cpu;
            worker.process = None;
            worker.open()?;
        }
        Ok(worker)
    }

    /// What it renders on, for people.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What it is locked in with, as it says.
    #[must_use]
    pub fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    /// What halts it.
    #[must_use]
    pub fn reins(&self) -> Reins {
        self.reins.clone()
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Has it try to break out.
    ///
    /// # Errors
    /// See [`WorkerError`].
    pub fn attempts(&mut self, trial: Trial) -> Result<Vec<Attempt>, WorkerError> {
        let wait = Wait { bound: self.patience.bound(self.patience.base), cancelling: None };
        let told = self.exchange(Ask::Break(trial), Bytes::new(), wait);
        match told.map_err(Lost::error)? {
            (Told::Attempts(attempts), _) => Ok(attempts),
            _other => Err(self.nonsense()),
        }
    }

    /// Metered rays a second on the built-in scene.
    ///
    /// # Errors
    /// [`RenderFault::Worker`] and what the worker says.
    pub fn benchmark(&mut self) -> Result<u64, RenderFault> {
        let bound = self.bound(0, 1_000_000, 0);
        let wait = Wait { bound, cancelling: None };
        self.ask(None, (Ask::Benchmark, Bytes::new()), wait, |told, _| match told {
            Told::Speed(rays_per_second) => Some(rays_per_second),
            _other => None,
        })
    }

    /// A film of the built-in scene.
    ///
    /// # Errors
    /// [`RenderFault::Worker`] and what the worker says.
    pub fn golden(&mut self, settings: &RenderSettings, batch: Batch) -> Result<Film, RenderFault> {
        let rect = Rect::of_size(settings.size);
        let samples = rect.pixel_count() * samples(batch);
        let bound = self.bound(0, samples, settings.bounces);
        let wait = Wait { bound, cancelling: None };
        let ask = Ask::Golden { settings: settings.clone(), batch };
        self.ask(None, (ask, Bytes::new()), wait, |told, body| match told {
            Told::Film => Film::from_bytes(rect, batch, settings.passes, body).ok(),
            _other => None,
        })
    }

    /// Whether a frame can be rendered without its package.
    ///
    /// # Errors
    /// [`RenderFault::Worker`] and [`RenderFault::Feared`].
    pub fn holds(&mut self, frame: &Frame) -> Result<bool, RenderFault> {
        let ask = Ask::Holds { frame: frame.clone() };
        let wait = Wait { bound: self.patience.bound(self.patience.base), cancelling: None };
        self.ask(Some(frame.scene), (ask, Bytes::new()), wait, |told, _| match told {
            Told::Holds(holds) => Some(holds),
            _other => None,
        })
    }

    /// Renders what is ordered; `None` when the package is needed for it.
    ///
    /// # Errors
    /// [`RenderFault::Worker`] when the process was lost over it; [`RenderFault::Feared`] when too
    /// many were lost over this scene; else what the worker says.
    pub fn film(
        &mut self,
        order: &Order,
        package: Option<&Bytes>,
        cancel: &Cancel,
    ) -> Result<Option<Film>, RenderFault> {
        let Order { frame, work: Work { rect, batch } } = order;
        let (rect, batch, passes) = (*rect, *batch, frame.settings.passes);
        let samples = rect.pixel_count() * samples(batch);
        let ask = |number, packed| Ask::Film { number, frame: frame.clone(), rect, batch, packed };
        self.ask_about(frame, package, samples, cancel, ask, |told, body| match told {
            Told::Film => Film::from_bytes(rect, batch, passes, body).ok(),
            _other => None,
        })
    }

    /// Adds samples to a view of a scene and gives what is seen of it.
    ///
    /// The worker keeps one scene for this, beside those of films, and one film of the last view. A
    /// view of the same scene and time costs no more than its rays, unless a shutter is open; a new
    /// scene or time is prepared first, with trees that are made quickly. `package` is the scene's,
    /// and goes to the worker only if it is not at hand there.
    ///
    /// Whoever does not want it any more sets `cancel`: rendering stops within some milliseconds on
    /// the CPU, and within a dispatch or two on a GPU. Unpacking and preparing go on to their end,
    /// and are of use to the next view. What was rendered before is kept.
    ///
    /// # Errors
    /// [`RenderFault::Prepare`] and [`RenderFault::View`] before anything is asked;
    /// [`RenderFault::Render`] when it was cancelled; [`RenderFault::Worker`] when the process was
    /// lost over it, and the next look starts another; [`RenderFault::Feared`] when too many were
    /// lost over this scene; else what the worker says.
    ///
    /// # Determinism
    /// The sums are those of any film: with all samples of the settings, the means are those of
    /// [`film::Frame`]'s picture, rounded to half precision.
    pub fn look(
        &mut self,
        sight: &Sight,
        package: &Bytes,
        cancel: &Cancel,
    ) -> Result<Seen, RenderFault> {
        let frame = &sight.frame;
        let settings = &frame.settings;
        settings.validate().map_err(|error| RenderFault::Prepare(error.into()))?;
        let size = settings.window().size();
        if size.pixel_count() > SIGHT_PIXELS_MAX {
            return Err(RenderFault::View { size });
        }
        // It tells of every chunk.
        let samples = size.pixel_count() * u64::from(CHUNK_SAMPLES.min(settings.samples));
        let Bound { silent, whole } = self.bound_of(frame, Some(package), samples);
        let bound =
            Bound { silent, whole: whole.saturating_add(silent.saturating_mul(sight.chunks)) };
        for packed in [false, true] {
            if cancel.is_set() {
                return Err(RenderError::Cancelled.into());
            }
            // A scene that is being prepared is worth waiting for: the next view needs it.
            let cancelling = Cancelling { patience: silent, ..self.cancelling(cancel) };
            let ask = Ask::Look { number: cancelling.number, sight: sight.clone(), packed };
            let body = if packed { package.clone() } else { Bytes::new() };
            let wait = Wait { bound, cancelling: Some(cancelling) };
            let seen = self.ask(Some(frame.scene), (ask, body), wait, |told, body| match told {
                Told::Seen { samples, prepare, render }
                    if body.len() as u64 == size.pixel_count() * SEEN_PIXEL_BYTES as u64
                        && (1..=settings.samples).contains(&samples) =>
                {
                    Some(Some(Seen { size, pixels: halves(body), samples, prepare, render }))
                }
                Told::PackageNeeded if !packed => Some(None),
                _other => None,
            })?;
            if let Some(seen) = seen {
                return Ok(seen);
            }
        }
        Err(self.nonsense().into())
    }

    /// Renders single pixels of a frame's films, as a verification lease asks for them; `None` when
    /// the package is needed for it.
    ///
    /// # Errors
    /// [`RenderFault::Worker`] when the process was lost over it; [`RenderFault::Feared`] when too
    /// many were lost over this scene; else what the worker says.
    pub fn spots(
        &mut self,
        frame: &Frame,
        spots: &[Spots],
        package: Option<&Bytes>,
        cancel: &Cancel,
    ) -> Result<Option<Vec<Sums>>, RenderFault> {
        let count = |spots: &Spots| spots.places.len() as u64 * samples(spots.batch);
        let samples = spots.iter().map(count).sum();
        let ask = |number, packed| Ask::Spots {
            number,
            frame: frame.clone(),
            spots: spots.to_vec(),
            packed,
        };
        let passes = frame.settings.passes;
        self.ask_about(frame, package, samples, cancel, ask, |told, body| match told {
            Told::Sums => sums_of(spots, passes, body),
            _other => None,
        })
    }

    /// Counts and times the rays of some pixels of a frame; `None` when the package is needed for it.
    /// What it says of them is the worker's word, and a number that a probe can give.
    ///
    /// # Errors
    /// [`RenderFault::Worker`] when the process was lost over it; [`RenderFault::Feared`] when too
    /// many were lost over this scene; else what the worker says.
    pub fn probe(
        &mut self,
        probing: &Probing,
        package: Option<&Bytes>,
        cancel: &Cancel,
    ) -> Result<Option<Probed>, RenderFault> {
        let ask = |number, packed| Ask::Probe { number, probing: probing.clone(), packed };
        let (frame, samples) = (&probing.frame, PROBE_SAMPLES_MAX);
        self.ask_about(frame, package, samples, cancel, ask, |told, _| match told {
            Told::Probed(probed) => probed.is_sound().then_some(probed),
            _other => None,
        })
    }

    /// What has a number of its own, and is stopped soon when it is not wanted any more.
    fn cancelling<'a>(&mut self, cancel: &'a Cancel) -> Cancelling<'a> {
        self.asked += 1;
        Cancelling { cancel, number: self.asked, patience: self.patience.stop }
    }

    /// Asks for so many samples of a frame; `None` when the package is needed for it.
    fn ask_about<T>(
        &mut self,
        frame: &Frame,
        package: Option<&Bytes>,
        samples: u64,
        cancel: &Cancel,
        ask: impl FnOnce(u64, bool) -> Ask,
        read: impl FnOnce(Told, &[u8]) -> Option<T>,
    ) -> Result<Option<T>, RenderFault> {
        let bound = self.bound_of(frame, package, samples);
        let cancelling = self.cancelling(cancel);
        let packed = package.is_some();
        let asked = (ask(cancelling.number, packed), package.cloned().unwrap_or_default());
        let wait = Wait { bound, cancelling: Some(cancelling) };
        self.ask(Some(frame.scene), asked, wait, |told, body| match told {
            Told::PackageNeeded if !packed => Some(None),
            told => read(told, body).map(Some),
        })
    }

    /// Asks, and reads the answer. Whatever cannot be read as one was said by a scene that has taken over;
    /// it answers for that, and for a process that was lost over it.
    fn ask<T>(
        &mut self,
        scene: Option<SceneId>,
        (ask, body): (Ask, Bytes),
        wait: Wait<'_>,
        read: impl FnOnce(Told, &[u8]) -> Option<T>,
    ) -> Result<T, RenderFault> {
        // Two in a row say something of the scene, two in a month nothing.
        self.ended.retain(|_scene, (_ended, last)| last.elapsed() < FEARED);
        if let Some(&(ended, _last)) = scene.and_then(|scene| self.ended.get(&scene))
            && ended >= LIVES
        {
            return Err(RenderFault::Feared { ended });
        }
        let is_unwanted = || wait.cancelling.is_some_and(|it| it.cancel.is_set());
        let lost = match self.exchange(ask, body, wait) {
            Ok((Told::Cancelled, _)) if is_unwanted() => {
                return Err(RenderError::Cancelled.into());
            }
            Ok((Told::Failed(words), _)) => return Err(RenderFault::Apart(plain(&words))),
            Ok((Told::TooLarge(words), _)) => return Err(RenderFault::TooLarge(plain(&words))),
            Ok((Told::NoBackend(words), _)) => {
                // The next order tries a process of its own.
                self.process = None;
                return Err(WorkerError::NoBackend(plain(&words)).into());
            }
            Ok((told, body)) => match read(told, &body) {
                Some(answer) => return Ok(answer),
                None => self.nonsense(),
            },
            // It was asked to stop, and would have.
            Err(Lost::Over(WorkerError::Stopped)) => return Err(RenderError::Cancelled.into()),
            Err(Lost::Before(error)) => return Err(RenderFault::Unopened(error)),
            Err(Lost::Over(error)) => error,
        };
        if let Some(scene) = scene {
            let (ended, last) = self.ended.entry(scene).or_insert((0, Instant::now()));
            (*ended, *last) = (*ended + 1, Instant::now());
            tracing::warn!(%scene, ended = *ended, error = %lost, "a worker was lost over a scene");
        }
        Err(lost.into())
    }

    /// Ends the present process; the next order starts another.
    pub(crate) fn replace(&mut self) {
        self.process = None;
    }

    /// Starts a process; says whether it renders on a GPU.
    fn open(&mut self) -> Result<bool, WorkerError> {
        let mut process = Process::start(&self.program, &self.reins)?;
        let limit = self.setup.limit_bytes;
        let wait = Wait { bound: self.patience.bound(self.patience.start), cancelling: None };
        let open = Ask::Open(self.setup.clone());
        let (told, _none) = process.exchange(open, Bytes::new(), &wait, limit)?;
        let Told::Confined(confinement) = told else {
            return Err(WorkerError::Nonsense(None));
        };
        self.confinement = confinement.bounded();
        tracing::info!("a worker process is locked in: {}", self.confinement);
        match process.next(&wait, limit)? {
            (Told::Opened { engine: worker, .. }, _) if worker != renderer::ENGINE => {
                Err(WorkerError::Engine { worker, own: renderer::ENGINE })
            }
            (Told::Opened { description, on_gpu, .. }, _) => {
                self.description = plain(&description);
                self.process = Some(process);
                Ok(on_gpu)
            }
            (Told::NoBackend(why), _) => Err(WorkerError::NoBackend(plain(&why))),
            _other => Err(WorkerError::Nonsense(None)),
        }
    }

    /// Asks the present process, or a new one; one that fails at it is ended.
    fn exchange(&mut self, ask: Ask, body: Bytes, wait: Wait<'_>) -> Result<(Told, Vec<u8>), Lost> {
        if self.process.as_mut().is_none_or(|process| !process.is_alive()) {
            // One that ended while it had nothing to do is nobody's fault.
            self.process = None;
            // Nothing of the scene was read yet: once is an accident.
            self.open().or_else(|_accident| self.open()).map_err(Lost::Before)?;
        }
        let process = self.process.as_mut().expect("invariant: it was just started");
        let told = process.exchange(ask, body, &wait, self.setup.limit_bytes);
        if told.is_err() {
            self.process = None;
        }
        told.map_err(Lost::Over)
    }

    fn bound_of(&mut self, frame: &Frame, package: Option<&Bytes>, samples: u64) -> Bound {
        if let Some(package) = package {
            self.package_bytes.insert(frame.scene, package.len() as u64);
        }
        let package_bytes = self.package_bytes.get(&frame.scene).copied().unwrap_or_default();
        self.bound(package_bytes, samples, frame.settings.bounces)
    }

    fn bound(&self, package_bytes: u64, samples: u64, bounces: u32) -> Bound {
        let Patience { base, package_mib, mega_sample_bounce, .. } = self.patience;
        let mib = package_bytes as f64 / f64::from(1 << 20);
        let mega = samples as f64 * (f64::from(bounces) + 1.0) / 1e6;
        self.patience.bound(base + package_mib.mul_f64(mib) + mega_sample_bounce.mul_f64(mega))
    }

    fn nonsense(&mut self) -> WorkerError {
        self.process = None;
        WorkerError::Nonsense(None)
    }
}

/// A process that is no more.
enum Lost {
    /// It could not be had.
    Before(WorkerError),
    /// Over what it was asked.
    Over(WorkerError),
}

impl Lost {
    fn error(self) -> WorkerError {
        match self {
            Self::Before(error) | Self::Over(error) => error,
        }
    }
}

/// Sums of so many pixels of each, one after the other.
fn sums_of(spots: &[Spots], passes: bool, mut body: &[u8]) -> Option<Vec<Sums>> {
    let mut sums = Vec::with_capacity(spots.len());
    for Spots { places, .. } in spots {
        let (bytes, rest) = body.split_at_checked(places.len() * film_pixel_bytes(passes))?;
        body = rest;
        sums.push(Sums::from_bytes(places.len(), passes, bytes).ok()?);
    }
    body.is_empty().then_some(sums)
}

/// Half floats of whole pixels.
fn halves(body: &[u8]) -> Vec<[u16; 4]> {
    let mut pixels = vec![[0; 4]; body.len() / SEEN_PIXEL_BYTES];
    let halves = pixels.as_flattened_mut().iter_mut().zip(body.as_chunks::<2>().0);
    halves.for_each(|(half, bytes)| *half = u16::from_le_bytes(*bytes));
    pixels
}

fn samples(batch: Batch) -> u64 {
    u64::from(batch.chunk_count()) * u64::from(CHUNK_SAMPLES)
}

/// Workers that are scripts, and say what a scene that has taken over might have them say.
#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use protocol::{Engine, Size};
    use tempfile::TempDir;

    use super::*;
    use crate::wire;

    /// A program that says `told` whatever it is asked, and then `again` every twentieth of a second.
    fn script(told: &[Told], again: Option<&Told>) -> (PathBuf, TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let said = |name: &str, told: &[Told]| {
            let mut bytes = Vec::new();
            told.iter().for_each(|told| wire::write(&mut bytes, told, b"").expect("it is written"));
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("it is written");
            path.display().to_string()
        };
        let confined = [Told::Confined(Confinement::default())];
        let (first, then) = (said("first", &confined), said("then", told));
        let again = said("again", again.map(std::slice::from_ref).unwrap_or_default());
        let text = format!(
            "#!/bin/sh\n/bin/cat {first} {then}\nwhile :; do /bin/sleep 0.05; /bin/cat {again}; done\n"
        );
        let program = folder.path().join("worker");
        std::fs::write(&program, text).expect("it is written");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, executable).expect("it is there");
        (program, folder)
    }

    fn opened(engine: Engine) -> Told {
        Told::Opened { description: "cpu".to_owned(), on_gpu: false, engine }
    }

    fn setup() -> Setup {
        Setup { backend: BackendChoice::Cpu, ..Setup::default() }
    }

    fn order() -> Order {
        let size = Size::new(8, 8);
        let settings = RenderSettings { size, samples: 16, ..RenderSettings::default() };
        let batch = Batch::new(0, 1).expect("aligned");
        let frame = Frame { scene: SceneId([7; 32]), settings, time_s: 0.0 };
        Order { frame, work: Work { rect: Rect::of_size(size), batch } }
    }

    #[test]
    fn answers_that_are_none_cost_a_scene_its_lives() {
        let package = Bytes::from("a package");
        let unasked = [
            Told::Cancelled,
            Told::PackageNeeded,
            Told::Film,
            Told::Speed(7),
            Told::Sums,
            Told::Attempts(Vec::new()),
        ];
        for told in unasked {
            let what = format!("{told:?}");
            let (program, _folder) = script(&[opened(renderer::ENGINE), told], None);
            let worker = Worker::start(program, setup(), Patience::default());
            let mut worker = worker.expect("it starts");
            let mut film = || {
                let film = worker.film(&order(), Some(&package), &Cancel::default());
                film.expect_err("no film")
            };
            for _life in 0..LIVES {
                let fault = film();
                let nonsense = RenderFault::Worker(WorkerError::Nonsense(None));
                assert_eq!(fault.to_string(), nonsense.to_string(), "{what}");
            }
            assert!(matches!(film(), RenderFault::Feared { ended: LIVES }), "{what}");
        }
    }

    #[test]
    fn progress_is_not_believed_for_ever() {
        let (program, _folder) = script(&[opened(renderer::ENGINE)], Some(&Told::Progress));
        let base = Duration::from_millis(500);
        let zero = Duration::ZERO;
        let patience = Patience {
            base,
            package_mib: zero,
            mega_sample_bounce: zero,
            whole: 2,
            ..Patience::default()
        };
        let mut worker = Worker::start(program, setup(), patience).expect("it starts");
        let fault = worker.film(&order(), None, &Cancel::default()).expect_err("no film");
        let RenderFault::Worker(WorkerError::Endless { after_s }) = fault else {
            panic!("{fault:?}");
        };
        assert!(after_s >= 1.0, "{after_s}");
    }

    #[test]
    fn a_worker_of_another_release_is_refused() {
        let other = Engine(renderer::ENGINE.0 + 1);
        let (program, _folder) = script(&[opened(other)], None);
        let refused = Worker::start(program, setup(), Patience::default()).err();
        let Some(WorkerError::Engine { worker, own }) = refused else { panic!("{refused:?}") };
        assert_eq!((worker, own), (other, renderer::ENGINE));
    }
}
