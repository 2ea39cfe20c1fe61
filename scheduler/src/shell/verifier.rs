//! The trusted renderer: answers challenges, trials and rechecks.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use film::{Film, Sums};
use protocol::{Class, Rect};
use renderer::{Backend as _, Cancel, CpuBackend, RenderError, RenderScene, Work};

use super::desk::DeskHandle;
use super::films::Films;
use super::frames::Frames;
use super::queue::Queue;
use crate::core::{Check, CheckKind, CheckOutcome, Event, FilmRef};
use crate::verify;

/// Checks looked at together, so that those of one frame come one after the other.
const TOGETHER_MAX: usize = 64;

/// What checking has cost since the start.
#[derive(Debug, Default)]
pub(super) struct Meter {
    busy_ns: AtomicU64,
    pixels: AtomicU64,
    threads: AtomicU64,
}

impl Meter {
    /// Seconds that the trusted renderer was busy, times its threads: an upper bound of its
    /// CPU-seconds, `prepare` included.
    pub(super) fn cpu_seconds_max(&self) -> f64 {
        let busy_s = self.busy_ns.load(Ordering::Relaxed) as f64 * 1e-9;
        busy_s * self.threads.load(Ordering::Relaxed) as f64
    }

    /// Pixels rendered again.
    pub(super) fn pixels(&self) -> u64 {
        self.pixels.load(Ordering::Relaxed)
    }
}

/// The trusted renderer.
pub(super) struct Verifier {
    backend: CpuBackend,
    frames: Arc<Frames>,
    films: Arc<Films>,
    desk: DeskHandle,
    meter: Arc<Meter>,
    cancel: Arc<Cancel>,
}

impl Verifier {
    pub(super) fn new(
        threads: Option<NonZeroUsize>,
        frames: Arc<Frames>,
        films: Arc<Films>,
        desk: DeskHandle,
        meter: Arc<Meter>,
        cancel: Arc<Cancel>,
    ) -> Self {
        let count = threads.or_else(|| std::thread::available_parallelism().ok());
        meter.threads.store(count.map_or(1, |count| count.get() as u64), Ordering::Relaxed);
        Self { backend: CpuBackend::new(threads), frames, films, desk, meter, cancel }
    }

    /// Works until the queue is closed.
    pub(super) fn work(mut self, checks: &Queue<Check>) {
        while let Some(mut some) = checks.take(TOGETHER_MAX) {
            some.sort_by_key(|check| (check.unit.job, check.unit.shot));
            for check in some {
                let begun = Instant::now();
                let answer = self.answer(&check);
                let busy_ns = begun.elapsed().as_nanos() as u64;
                self.meter.busy_ns.fetch_add(busy_ns, Ordering::Relaxed);
                match answer {
                    Ok(Some(answer)) => self.desk.tell(move |desk| {
                        let now_ms = desk.now_ms();
                        desk.apply(stamped(answer, now_ms));
                    }),
                    Ok(None) => return,
                    Err(error) => {
                        // A film or a scene that was promised to be durable is not.
                        let error = error.context(format!("checking {:?} failed", check.unit));
                        self.desk.tell(move |desk| desk.fail(error));
                        return;
                    }
                }
            }
        }
    }

    /// The event that answers a check; `None` when asked to stop.
    fn answer(&mut self, check: &Check) -> anyhow::Result<Option<Event>> {
        let frame = self.frames.frame(check.scene, &check.settings, check.time_s)?;
        let grid = protocol::TileGrid::new(check.settings.window(), check.tile_side_px);
        let rect = grid.rect(check.unit.tile).context("the tile is outside its frame")?;
        let place = Place { frame: &frame, work: Work { rect, batch: check.unit.batch } };
        let answer = match &check.kind {
            CheckKind::Challenge { film, round, pixels, nonce } => {
                let draw = Draw { nonce, round: *round, pixels: *pixels };
                let lease = film.lease;
                self.challenge(&place, film, &draw).map(|outcome| Event::Judged {
                    lease,
                    round: *round,
                    outcome,
                    now_ms: 0,
                })
            }
            CheckKind::Recheck { film, pixels, nonce } => {
                let draw = Draw { nonce, round: 0, pixels: *pixels };
                let lease = film.lease;
                self.challenge(&place, film, &draw).map(|outcome| Event::Rechecked {
                    lease,
                    outcome,
                    now_ms: 0,
                })
            }
            CheckKind::Trial { films } => {
                let (job, unit_index) = (check.unit.job, check.unit_index);
                self.trial(&place, films).map(|differing| Event::Tried {
                    job,
                    unit_index,
                    differing,
                    now_ms: 0,
                })
            }
        };
        match answer {
            Ok(event) => Ok(Some(event)),
            Err(error) if matches!(error.downcast_ref(), Some(RenderError::Cancelled)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn challenge(
        &mut self,
        place: &Place<'_>,
        film: &FilmRef,
        draw: &Draw<'_>,
    ) -> anyhow::Result<CheckOutcome> {
        let got = self.film(place, film)?;
        let rect = place.work.rect;
        let (lease, node, root) = (film.lease, film.node, film.root);
        let Draw { nonce, round, pixels } = *draw;
        let places = verify::challenge_pixels(lease, node, root, nonce, round, rect, pixels);
        let batch = place.work.batch;
        let trusted = self.backend.render_pixels(place.frame, &places, batch, &self.cancel)?;
        self.count(places.len());
        let claimed = picked(&got, &places).context("a challenged pixel is outside its tile")?;
        let refusal = match verify::judge(film.class, &places, &claimed, &trusted) {
            Ok(()) => return Ok(CheckOutcome::Passed { pixels: places.len() as u32 }),
            Err(refusal) => refusal,
        };
        if film.class == Class::Exact {
            return Ok(CheckOutcome::Refused(refusal));
        }
        // Across classes few pixels can have bad luck: the whole tile decides.
        let trusted = self.trusted(place)?;
        let differing = verify::differing_pixels(film.class, got.sums(), trusted.sums());
        Ok(match differing {
            0 => CheckOutcome::Passed { pixels: trusted.pixels().len() as u32 },
            _ => CheckOutcome::Refused(refusal),
        })
    }

    /// How many pixels of each film differ from the truth beyond what its class allows.
    fn trial(
        &mut self,
        place: &Place<'_>,
        films: &[FilmRef],
    ) -> anyhow::Result<Vec<(protocol::LeaseId, u32)>> {
        let got: Vec<Film> =
            films.iter().map(|film| self.film(place, film)).collect::<anyhow::Result<_>>()?;
        // Films of different classes that agree within the tolerance need no third.
        let of_two_classes = films.iter().any(|film| film.class == Class::Tolerant);
        let agree = of_two_classes
            && got.windows(2).all(|pair| {
                let (a, b) = (pair[0].sums(), pair[1].sums());
                verify::differing_pixels(Class::Tolerant, a, b) == 0
            });
        if agree {
            return Ok(films.iter().map(|film| (film.lease, 0)).collect());
        }
        let trusted = self.trusted(place)?;
        let differing = films.iter().zip(&got).map(|(film, got)| {
            let differing = verify::differing_pixels(film.class, got.sums(), trusted.sums());
            (film.lease, differing)
        });
        Ok(differing.collect())
    }

    fn trusted(&mut self, place: &Place<'_>) -> anyhow::Result<Film> {
        let film = self.backend.render(place.frame, place.work, &self.cancel)?;
        self.count(film.pixels().len());
        Ok(film)
    }

    fn film(&self, place: &Place<'_>, film: &FilmRef) -> anyhow::Result<Film> {
        let bytes = self.films.read(film.root)?;
        let Work { rect, batch } = place.work;
        let has_passes = place.frame.settings().passes;
        Ok(Film::from_bytes(rect, batch, has_passes, &bytes)?)
    }

    fn count(&self, pixels: usize) {
        self.meter.pixels.fetch_add(pixels as u64, Ordering::Relaxed);
    }
}

/// Where a check looks.
struct Place<'a> {
    frame: &'a RenderScene,
    work: Work,
}

/// The sums of some pixels of a film, in this order.
fn picked(film: &Film, places: &[(u32, u32)]) -> Option<Sums> {
    let indices: Option<Vec<usize>> = places.iter().map(|&(x, y)| film.index(x, y)).collect();
    film.sums().picked(indices?.into_iter())
}

/// What decides a challenge's pixels, beside the film.
#[derive(Clone, Copy)]
struct Draw<'a> {
    nonce: &'a [u8; 32],
    round: u32,
    pixels: u32,
}

/// The event with the time at which it enters the state.
fn stamped(event: Event, at_ms: u64) -> Event {
    match event {
        Event::Judged { lease, round, outcome, .. } => {
            Event::Judged { lease, round, outcome, now_ms: at_ms }
        }
        Event::Rechecked { lease, outcome, .. } => {
            Event::Rechecked { lease, outcome, now_ms: at_ms }
        }
        Event::Tried { job, unit_index, differing, .. } => {
            Event::Tried { job, unit_index, differing, now_ms: at_ms }
        }
        other => other,
    }
}

/// Rays that an honest film can have at most, for the tripwires.
pub(super) const fn ray_bounds(bounces: u32) -> film::tripwire::RayBounds {
    // One closest-hit ray a path vertex; at most one shadow ray a scattering event, with room for
    // an engine that samples two lights.
    film::tripwire::RayBounds {
        closest_per_sample_max: bounces + 1,
        shadow_per_sample_max: 2 * (bounces + 1),
    }
}

/// Reads a film and looks for what no honest film can be.
pub(super) fn trip(
    bytes: &[u8],
    rect: Rect,
    batch: protocol::Batch,
    settings: &protocol::RenderSettings,
) -> Result<Film, protocol::Refusal> {
    use film::tripwire::{Trip, check};
    use protocol::Refusal;

    let film = Film::from_bytes(rect, batch, settings.passes, bytes);
    let film = film.map_err(|_another_layout| Refusal::Shape)?;
    match check(&film, settings.samples, &ray_bounds(settings.bounces)) {
        Ok(()) => Ok(film),
        Err(Trip::Samples { x, y, got, wanted, .. }) => Err(Refusal::Samples { x, y, got, wanted }),
        Err(Trip::NotFinite { x, y }) => Err(Refusal::NotFinite { x, y }),
        Err(other) => Err(Refusal::Implausible(other.to_string())),
    }
}
