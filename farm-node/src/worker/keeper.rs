//! The worker as its node has it: started when needed, replaced when lost, kept from scenes that
//! end it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use film::{Film, Sums, film_pixel_bytes};
use protocol::settings::CHUNK_SAMPLES;
use protocol::{Batch, Rect, RenderSettings, SceneId, Spots};
use renderer::{Cancel, RenderError, Work};

use super::confinement::Confinement;
use super::process::{Cancelling, Process, Wait, WorkerError};
use super::reins::Reins;
use super::trial::Attempt;
use super::wire::{Ask, Setup, Told, Trial};
use crate::config::BackendChoice;
use crate::easel::{Frame, Order, RenderFault, SEEN_PIXEL_BYTES, SIGHT_PIXELS_MAX, Seen, Sight};

/// Workers that a scene may end before it is not rendered any more.
const LIVES: u32 = 2;

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
        }
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
    /// Workers that a scene has ended.
    ended: BTreeMap<SceneId, u32>,
    package_bytes: BTreeMap<SceneId, u64>,
    /// Films and views that were asked for.
    asked: u64,
}

impl Worker {
    /// Starts `program` with the one argument `worker` and waits until it can render.
    ///
    /// With [`BackendChoice::Auto`] a worker that finds no GPU is started again for the CPU alone,
    /// which is locked in more closely.
    ///
    /// The program need not be a node. It only has to be its own worker when it is started as one:
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    ///
    /// use farm_node::worker::{self, Patience, Setup, Worker};
    /// use farm_node::{BackendChoice, Frame, Sight};
    /// use protocol::RenderSettings;
    /// use renderer::Cancel;
    ///
    /// fn main() -> ExitCode {
    ///     // Before any thread is started, file opened or window shown.
    ///     if std::env::args().nth(1).as_deref() == Some("worker") {
    ///         return worker::run();
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
    ///     let (memory_bytes, limit_bytes) = worker::default_memory_bytes();
    ///     let setup = Setup {
    ///         backend: BackendChoice::Auto,
    ///         software_gpu: false,
    ///         gpu: None,
    ///         threads: None,
    ///         memory_bytes,
    ///         limit_bytes,
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
        match self.exchange(Ask::Break(trial), Bytes::new(), self.patience.base, None)? {
            (Told::Attempts(attempts), _) => Ok(attempts),
            _other => Err(self.nonsense()),
        }
    }

    /// Metered rays a second on the built-in scene.
    ///
    /// # Errors
    /// [`RenderFault::Worker`] and what the worker says.
    pub fn benchmark(&mut self) -> Result<u64, RenderFault> {
        let bound = self.patience.base + self.patience.mega_sample_bounce;
        let told = self.exchange(Ask::Benchmark, Bytes::new(), bound, None)?;
        match told {
            (Told::Speed(rays_per_second), _) => Ok(rays_per_second),
            (other, _) => Err(self.fault(other)),
        }
    }

    /// A film of the built-in scene.
    ///
    /// # Errors
    /// [`RenderFault::Worker`] and what the worker says.
    pub fn golden(&mut self, settings: &RenderSettings, batch: Batch) -> Result<Film, RenderFault> {
        let rect = Rect::of_size(settings.size);
        let samples = rect.pixel_count() * samples(batch);
        let bound = self.bound(0, samples, settings.bounces);
        let ask = Ask::Golden { settings: settings.clone(), batch };
        let (told, body) = self.exchange(ask, Bytes::new(), bound, None)?;
        match told {
            Told::Film => self.film_of(rect, batch, settings.passes, &body),
            other => Err(self.fault(other)),
        }
    }

    /// Whether a frame can be rendered without its package.
    pub(crate) fn holds(&mut self, frame: &Frame) -> Result<bool, RenderFault> {
        self.look_out_for(frame.scene)?;
        let ask = Ask::Holds { frame: frame.clone() };
        match self.exchange(ask, Bytes::new(), self.patience.base, None)? {
            (Told::Holds(holds), _) => Ok(holds),
            (other, _) => Err(self.fault(other)),
        }
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
        self.look_out_for(frame.scene)?;
        let samples = rect.pixel_count() * samples(*batch);
        let bound = self.bound_of(frame, package, samples);
        self.asked += 1;
        let number = self.asked;
        let cancelling = Cancelling { cancel, number, patience: self.patience.stop };
        let (rect, batch, packed) = (*rect, *batch, package.is_some());
        let ask = Ask::Film { number, frame: frame.clone(), rect, batch, packed };
        let body = package.cloned().unwrap_or_default();
        let told = self.exchange(ask, body, bound, Some(cancelling));
        match self.blame(frame.scene, told)? {
            (Told::Film, body) => self.film_of(rect, batch, frame.settings.passes, &body).map(Some),
            (Told::PackageNeeded, _) if !packed => Ok(None),
            (other, _) => Err(self.fault(other)),
        }
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
        self.look_out_for(frame.scene)?;
        // It tells of every chunk.
        let samples = size.pixel_count() * u64::from(CHUNK_SAMPLES.min(settings.samples));
        let bound = self.bound_of(frame, Some(package), samples);
        for packed in [false, true] {
            if cancel.is_set() {
                return Err(RenderError::Cancelled.into());
            }
            self.asked += 1;
            let number = self.asked;
            let ask = Ask::Look { number, sight: sight.clone(), packed };
            let body = if packed { package.clone() } else { Bytes::new() };
            // A scene that is being prepared is worth waiting for: the next view needs it.
            let cancelling = Cancelling { cancel, number, patience: bound };
            let told = self.exchange(ask, body, bound, Some(cancelling));
            match self.blame(frame.scene, told)? {
                (Told::Seen { samples, prepare, render }, body)
                    if body.len() as u64 == size.pixel_count() * SEEN_PIXEL_BYTES as u64
                        && (1..=settings.samples).contains(&samples) =>
                {
                    return Ok(Seen { size, pixels: halves(&body), samples, prepare, render });
                }
                (Told::PackageNeeded, _) if !packed => {}
                (other, _) => return Err(self.fault(other)),
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
    ) -> Result<Option<Vec<Sums>>, RenderFault> {
        self.look_out_for(frame.scene)?;
        let count = |spots: &Spots| spots.places.len() as u64 * samples(spots.batch);
        let bound = self.bound_of(frame, package, spots.iter().map(count).sum());
        let packed = package.is_some();
        let ask = Ask::Spots { frame: frame.clone(), spots: spots.to_vec(), packed };
        let body = package.cloned().unwrap_or_default();
        let told = self.exchange(ask, body, bound, None);
        match self.blame(frame.scene, told)? {
            (Told::Sums, body) => self.sums_of(spots, frame.settings.passes, &body).map(Some),
            (Told::PackageNeeded, _) if !packed => Ok(None),
            (other, _) => Err(self.fault(other)),
        }
    }

    /// Ends the present process; the next order starts another.
    pub(crate) fn replace(&mut self) {
        self.process = None;
    }

    /// Starts a process; says whether it renders on a GPU.
    fn open(&mut self) -> Result<bool, WorkerError> {
        let mut process = Process::start(&self.program, &self.reins)?;
        let (bound, limit) = (self.patience.start, self.setup.limit_bytes);
        let wait = Wait { bound, cancelling: None };
        let open = Ask::Open(self.setup.clone());
        let (told, _none) = process.exchange(open, Bytes::new(), &wait, limit)?;
        let Told::Confined(confinement) = told else {
            return Err(WorkerError::Nonsense(None));
        };
        self.confinement = confinement.bounded();
        tracing::info!("a worker process is locked in: {}", self.confinement);
        match process.next(&wait, limit)? {
            (Told::Opened { description, on_gpu }, _) => {
                self.description = super::plain(&description);
                self.process = Some(process);
                Ok(on_gpu)
            }
            (Told::NoBackend(why), _) => Err(WorkerError::NoBackend(super::plain(&why))),
            _other => Err(WorkerError::Nonsense(None)),
        }
    }

    /// Asks the present process, or a new one; one that fails at it is ended.
    fn exchange(
        &mut self,
        ask: Ask,
        body: Bytes,
        bound: Duration,
        cancelling: Option<Cancelling<'_>>,
    ) -> Result<(Told, Vec<u8>), WorkerError> {
        if self.process.as_mut().is_none_or(|process| !process.is_alive()) {
            // One that ended while it had nothing to do is nobody's fault.
            self.process = None;
            self.open()?;
        }
        let process = self.process.as_mut().expect("invariant: it was just started");
        let wait = Wait { bound, cancelling };
        let told = process.exchange(ask, body, &wait, self.setup.limit_bytes);
        if told.is_err() {
            self.process = None;
        }
        told
    }

    /// Counts workers that a scene has ended.
    fn blame<T>(&mut self, scene: SceneId, told: Result<T, WorkerError>) -> Result<T, RenderFault> {
        match told {
            Ok(told) => Ok(told),
            // It was asked to stop, and would have.
            Err(WorkerError::Stopped) => Err(RenderError::Cancelled.into()),
            Err(error @ (WorkerError::Start { .. } | WorkerError::NoBackend(_))) => {
                Err(error.into())
            }
            Err(error) => {
                let ended = self.ended.entry(scene).or_default();
                *ended += 1;
                tracing::warn!(%scene, ended = *ended, %error, "a worker was lost over a scene");
                Err(error.into())
            }
        }
    }

    fn look_out_for(&self, scene: SceneId) -> Result<(), RenderFault> {
        match self.ended.get(&scene) {
            Some(&ended) if ended >= LIVES => Err(RenderFault::Feared { ended }),
            _ => Ok(()),
        }
    }

    fn bound_of(&mut self, frame: &Frame, package: Option<&Bytes>, samples: u64) -> Duration {
        if let Some(package) = package {
            self.package_bytes.insert(frame.scene, package.len() as u64);
        }
        let package_bytes = self.package_bytes.get(&frame.scene).copied().unwrap_or_default();
        self.bound(package_bytes, samples, frame.settings.bounces)
    }

    fn bound(&self, package_bytes: u64, samples: u64, bounces: u32) -> Duration {
        let Patience { base, package_mib, mega_sample_bounce, .. } = self.patience;
        let mib = package_bytes as f64 / f64::from(1 << 20);
        let mega = samples as f64 * (f64::from(bounces) + 1.0) / 1e6;
        base + package_mib.mul_f64(mib) + mega_sample_bounce.mul_f64(mega)
    }

    fn film_of(
        &mut self,
        rect: Rect,
        batch: Batch,
        passes: bool,
        body: &[u8],
    ) -> Result<Film, RenderFault> {
        Film::from_bytes(rect, batch, passes, body).map_err(|_another_film| self.nonsense().into())
    }

    fn sums_of(
        &mut self,
        spots: &[Spots],
        passes: bool,
        mut body: &[u8],
    ) -> Result<Vec<Sums>, RenderFault> {
        let mut sums = Vec::with_capacity(spots.len());
        for Spots { places, .. } in spots {
            let of_these = body.split_at_checked(places.len() * film_pixel_bytes(passes));
            let read = of_these.and_then(|(bytes, rest)| {
                body = rest;
                Sums::from_bytes(places.len(), passes, bytes).ok()
            });
            let Some(read) = read else { return Err(self.nonsense().into()) };
            sums.push(read);
        }
        if body.is_empty() { Ok(sums) } else { Err(self.nonsense().into()) }
    }

    /// What a word means that is no answer.
    fn fault(&mut self, told: Told) -> RenderFault {
        match told {
            Told::Cancelled => RenderError::Cancelled.into(),
            Told::Failed(words) => RenderFault::Apart(super::plain(&words)),
            Told::TooLarge(words) => RenderFault::TooLarge(super::plain(&words)),
            Told::NoBackend(words) => {
                // The next order tries a process of its own.
                self.process = None;
                WorkerError::NoBackend(super::plain(&words)).into()
            }
            _other => self.nonsense().into(),
        }
    }

    fn nonsense(&mut self) -> WorkerError {
        self.process = None;
        WorkerError::Nonsense(None)
    }
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
