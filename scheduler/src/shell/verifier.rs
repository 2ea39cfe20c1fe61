//! The trusted renderer: answers challenges, trials and rechecks.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use film::{Film, Frame, Sums};
use protocol::{
    Batch, Challenge, Class, Digest, EVIDENCE_PIXELS_MAX, Evidence, LeaseId, NoiseTarget, Piece,
    Refusal, Signed, SigningKey,
};
use renderer::{Cancel, Work};
use sandbox::{Frame as Shot, words_of};

use super::by_hash::{ByHash, FileError};
use super::desk::DeskHandle;
use super::doubt::Doubt;
use super::hands::{Cause, HandError, Hands, frame_of};
use super::queue::Queue;
use super::restore::{Lost, Restorer};
use crate::core::{Check, CheckKind, CheckOutcome, Event, FilmRef, Tried};
use crate::verify;

/// Checks looked at together, so that those of one frame come one after the other.
const TOGETHER_MAX: usize = 64;

/// How long a check waits whose films or evidence are out of reach just now.
const ANSWER_AGAIN: Duration = Duration::from_secs(1);

/// How long one waits whose scene is let alone just now.
const ASK_LATER: Duration = Duration::from_secs(60);

/// What checking has cost since the start.
#[derive(Debug, Default)]
pub(super) struct Meter {
    busy_ns: AtomicU64,
    pixels: AtomicU64,
    threads: u64,
}

/// What is to be done about an error: where the storage that several schedulers share does not answer
/// nothing is lost.
fn cause(error: &anyhow::Error) -> Cause {
    let is_of_depot = |it: &(dyn std::error::Error + 'static)| {
        matches!(it.downcast_ref(), Some(FileError::Depot(_)))
    };
    match error.downcast_ref::<HandError>() {
        Some(error) => error.cause(),
        None if error.chain().any(is_of_depot) => Cause::Passing,
        None => Cause::Farm,
    }
}

impl Meter {
    /// Of a renderer with so many threads.
    pub(super) fn new(threads: Option<NonZeroUsize>) -> Self {
        let threads = threads.map_or(1, |count| count.get() as u64);
        Self { threads, ..Self::default() }
    }

    /// Seconds that the trusted renderer was busy, times its threads: an upper bound of its
    /// CPU-seconds, `prepare` included.
    pub(super) fn cpu_seconds_max(&self) -> f64 {
        let busy_s = self.busy_ns.load(Ordering::Relaxed) as f64 * 1e-9;
        busy_s * self.threads as f64
    }

    /// Pixels rendered again.
    pub(super) fn pixels(&self) -> u64 {
        self.pixels.load(Ordering::Relaxed)
    }
}

/// The trusted renderer, and what it works with.
pub(super) struct Verifier {
    pub(super) hands: Arc<Hands>,
    pub(super) films: Arc<ByHash>,
    pub(super) evidence: Arc<ByHash>,
    /// Signs evidence.
    pub(super) key: SigningKey,
    pub(super) desk: DeskHandle,
    pub(super) meter: Arc<Meter>,
    pub(super) cancel: Arc<Cancel>,
}

impl Verifier {
    /// Works until the queue is closed.
    pub(super) fn work(self, checks: &Arc<Queue<Check>>) {
        while let Some(mut some) = checks.take(TOGETHER_MAX) {
            some.sort_by_key(|check| (check.piece.unit.job, check.piece.unit.shot));
            for check in some {
                let begun = Instant::now();
                let answer = catch_unwind(AssertUnwindSafe(|| self.answered_in_the_end(&check)));
                let answer = answer.unwrap_or_else(|panic| bail!("{}", words_of(&*panic)));
                let busy_ns = begun.elapsed().as_nanos() as u64;
                self.meter.busy_ns.fetch_add(busy_ns, Ordering::Relaxed);
                checks.done();
                match answer {
                    Ok(Answer::Event(event)) => self.desk.tell(move |desk| {
                        let now_ms = desk.now_ms();
                        desk.apply(stamped(*event, now_ms));
                    }),
                    Ok(Answer::Later) => ask_later(check, checks.clone()),
                    Ok(Answer::Stopped) => return,
                    Err(error) => {
                        // A film or a scene that was promised to be durable is not.
                        let error =
                            error.context(format!("checking {:?} failed", check.piece.unit));
                        self.desk.tell(move |desk| desk.fail(error));
                        return;
                    }
                }
            }
        }
    }

    /// What answers a check, however long it takes to be reached what it needs.
    fn answered_in_the_end(&self, check: &Check) -> anyhow::Result<Answer> {
        let Self { hands, cancel, .. } = self;
        loop {
            let error = match self.answer(check) {
                Ok(event) => return Ok(Answer::Event(Box::new(event))),
                Err(_) if cancel.is_set() => return Ok(Answer::Stopped),
                Err(error) => error,
            };
            match cause(&error) {
                // What was accepted is not decided by what has befallen others.
                Cause::Feared if is_of_accepted(check) => return Ok(Answer::Later),
                Cause::Scene | Cause::Feared => {
                    tracing::error!(unit = ?check.piece.unit, "it cannot be rendered: {error:#}");
                    return Ok(Answer::Event(Box::new(unrenderable(check, &error))));
                }
                Cause::Passing => {
                    tracing::warn!("a check waits: {error:#}");
                    std::thread::sleep(ANSWER_AGAIN);
                    if error.downcast_ref::<HandError>().is_some() {
                        // Perhaps there was too little memory for all.
                        hands.make_room(check.piece.scene);
                    }
                }
                Cause::Farm | Cause::Stopped => return Err(error),
            }
        }
    }

    /// The event that answers a check.
    fn answer(&self, check: &Check) -> anyhow::Result<Event> {
        if check.piece.engine != renderer::ENGINE {
            return Ok(unlooked(check));
        }
        let piece = &check.piece;
        let work = Work { rect: piece.rect, batch: piece.unit.batch };
        let place = Place { piece, frame: &frame_of(piece), work };
        self.looked(check, &place).or_else(|error| match error.downcast_ref::<Lost>() {
            Some(lost) => {
                tracing::error!(unit = ?piece.unit, "{error:#}");
                Ok(unseen(check, lost.root))
            }
            None => Err(error),
        })
    }

    /// The event that answers a check of this engine's film.
    fn looked(&self, check: &Check, place: &Place<'_>) -> anyhow::Result<Event> {
        match &check.kind {
            CheckKind::Challenge { film, challenge } => {
                let (lease, round) = (film.lease, challenge.round);
                let outcome = self.challenge(place, film, challenge);
                outcome.map(|outcome| Event::Judged { lease, round, outcome, now_ms: 0 })
            }
            CheckKind::Recheck { film, challenge } => {
                let lease = film.lease;
                let outcome = self.challenge(place, film, challenge);
                outcome.map(|outcome| Event::Rechecked { lease, outcome, now_ms: 0 })
            }
            CheckKind::Appeal { conviction: lease, film, challenge } => {
                let lease = *lease;
                let holds = self.hearing(place, film, challenge.as_ref());
                holds.map(|holds| Event::AppealHeard { lease, holds: Some(holds) })
            }
            CheckKind::Dispute { film } => {
                let lease = film.lease;
                let outcome = self.whole(place, film);
                outcome.map(|outcome| Event::DisputeHeard { lease, outcome, now_ms: 0 })
            }
            CheckKind::Noise { target, films } => {
                self.is_quiet(place, *target, films).map(|is_enough| weighed(check, is_enough))
            }
            CheckKind::Trial { films } => {
                let (job, unit_index) = (check.piece.unit.job, check.unit_index);
                let films = self.trial(place, films);
                films.map(|films| Event::Tried { job, unit_index, films, now_ms: 0 })
            }
        }
    }

    fn challenge(
        &self,
        place: &Place<'_>,
        film: &FilmRef,
        challenge: &Challenge,
    ) -> anyhow::Result<CheckOutcome> {
        let got = self.film(place, film)?;
        let Work { rect, batch } = place.work;
        let (lease, node, root) = (film.lease, film.node, film.root);
        let places = verify::challenge_pixels(lease, node, root, challenge, rect);
        let trusted = self.hands.pixels(place.frame, places.clone(), batch)?;
        self.count(places.len());
        let claimed = picked(&got, &places).context("a challenged pixel is outside its tile")?;
        let refusal = match verify::judge(film.class, &places, &claimed, &trusted) {
            Ok(()) => return Ok(CheckOutcome::Passed { pixels: places.len() as u32 }),
            Err(refusal) => refusal,
        };
        if film.class == Class::Tolerant {
            // Across classes few pixels can have bad luck: the whole tile decides.
            let whole = self.trusted(place)?;
            if self.differing(place, film, &got, &whole)? == 0 {
                return Ok(CheckOutcome::Passed { pixels: whole.pixels().len() as u32 });
            }
        }
        let shown = Shown { places: &places, got: &claimed, trusted: &trusted };
        let evidence = self.keep_evidence(place, film, Some(*challenge), &shown)?;
        Ok(CheckOutcome::Refused { refusal, evidence: Some(evidence) })
    }

    /// How many pixels of each film differ from the truth beyond what its class allows.
    fn trial(&self, place: &Place<'_>, films: &[FilmRef]) -> anyhow::Result<Vec<Tried>> {
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
            let held = |film: &FilmRef| Tried { lease: film.lease, differing: 0, evidence: None };
            return Ok(films.iter().map(held).collect());
        }
        let trusted = self.trusted(place)?;
        let tried = films.iter().zip(&got).map(|(film, got)| {
            let (differing, evidence) = self.compared(place, film, got, &trusted)?;
            Ok(Tried { lease: film.lease, differing, evidence })
        });
        tried.collect()
    }

    /// Whether a tile has samples enough, by the films of its first chunks.
    fn is_quiet(
        &self,
        place: &Place<'_>,
        target: NoiseTarget,
        films: &[(Batch, FilmRef)],
    ) -> anyhow::Result<bool> {
        let Work { rect, batch } = place.work;
        let mut gathered = Frame::of(&place.frame.settings);
        for &(batch, film) in films {
            let work = Work { rect, batch };
            gathered.insert(self.film(&Place { work, ..*place }, &film)?)?;
        }
        let start = gathered.start_of(rect, batch.chunk_count());
        Ok(start.is_some_and(|film| film::is_quiet(film, target)))
    }

    /// What a render of the whole tile says of a film.
    fn whole(&self, place: &Place<'_>, film: &FilmRef) -> anyhow::Result<CheckOutcome> {
        let got = self.film(place, film)?;
        let trusted = self.trusted(place)?;
        Ok(match self.compared(place, film, &got, &trusted)? {
            (0, _) => CheckOutcome::Passed { pixels: trusted.pixels().len() as u32 },
            (differing, evidence) => {
                CheckOutcome::Refused { refusal: Refusal::Duplicate { differing }, evidence }
            }
        })
    }

    /// In how many pixels a film differs from the truth beyond what its class allows, and the
    /// evidence of it.
    fn compared(
        &self,
        place: &Place<'_>,
        film: &FilmRef,
        got: &Film,
        trusted: &Film,
    ) -> anyhow::Result<(u32, Option<Digest>)> {
        let places: Vec<(u32, u32)> = place.work.rect.pixels().collect();
        let shown = Shown { places: &places, got: got.sums(), trusted: trusted.sums() };
        let differing = self.differing(place, film, got, trusted)?;
        let evidence = match differing {
            0 => None,
            _ => Some(self.keep_evidence(place, film, None, &shown)?),
        };
        Ok((differing, evidence))
    }

    /// In how many pixels a film differs from the truth beyond what its class allows; none where those
    /// that do are honest all the same.
    fn differing(
        &self,
        place: &Place<'_>,
        film: &FilmRef,
        got: &Film,
        trusted: &Film,
    ) -> anyhow::Result<u32> {
        let differing = verify::differing_pixels(film.class, got.sums(), trusted.sums());
        if differing == 0 {
            return Ok(0);
        }
        let doubt = Doubt { film, piece: place.piece, got, trusted };
        let (is_honest, pixels) = doubt.settle(&self.hands)?;
        self.count(pixels);
        Ok(if is_honest { 0 } else { differing })
    }

    /// Whether a film that convicted its node was good after all: the whole tile, or the pixels that a
    /// verifier was asked for, by the plainest code path there is, which gives the same bits and shares
    /// least with the first judge. Where that is too slow the usual one looks once more.
    fn hearing(
        &self,
        place: &Place<'_>,
        film: &FilmRef,
        challenge: Option<&Challenge>,
    ) -> anyhow::Result<bool> {
        let Self { hands, cancel, .. } = self;
        match self.heard(&hands.plain(), place, film, challenge) {
            Err(error) if !cancel.is_set() && error.downcast_ref::<HandError>().is_some() => {
                tracing::warn!("an appeal is heard by the usual path: {error:#}");
                self.heard(hands, place, film, challenge)
            }
            heard => heard,
        }
    }

    fn heard(
        &self,
        hands: &Hands,
        place: &Place<'_>,
        film: &FilmRef,
        challenge: Option<&Challenge>,
    ) -> anyhow::Result<bool> {
        let got = self.film(place, film)?;
        if let Some(challenge) = challenge {
            let FilmRef { lease, node, root, .. } = *film;
            let Work { rect, batch } = place.work;
            let places = verify::challenge_pixels(lease, node, root, challenge, rect);
            let trusted = hands.pixels(place.frame, places.clone(), batch)?;
            self.count(places.len());
            let claimed =
                picked(&got, &places).context("a challenged pixel is outside its tile")?;
            return Ok(verify::judge(film.class, &places, &claimed, &trusted).is_ok());
        }
        let trusted = hands.film(place.frame, place.work)?;
        self.count(trusted.pixels().len());
        Ok(self.differing(place, film, &got, &trusted)? == 0)
    }

    /// Writes down which pixels prove a film wrong; durable when it returns.
    fn keep_evidence(
        &self,
        place: &Place<'_>,
        film: &FilmRef,
        challenge: Option<Challenge>,
        shown: &Shown<'_>,
    ) -> anyhow::Result<Digest> {
        let Shown { places, got, trusted } = shown;
        let mut wrong = verify::differing(film.class, got, trusted);
        if wrong.is_empty() {
            // No pixel is far off, but all are a little: those that are not the same show it.
            wrong = (0..places.len()).filter(|&at| !got.is_same(trusted, at)).collect();
        }
        wrong.truncate(EVIDENCE_PIXELS_MAX);
        let trusted = trusted.picked(wrong.iter().copied()).context("a pixel is not there")?;
        let wrong: Vec<(u32, u32)> = wrong.iter().map(|&at| places[at]).collect();
        let evidence = Evidence {
            lease: film.lease,
            node: film.node,
            piece: place.piece.clone(),
            class: film.class,
            commitment: film.commitment(place.piece),
            challenge,
            places: Vec::new(),
            opening: Vec::new(),
            trusted: Vec::new(),
        };
        let bytes = self.films.read(film.root)?;
        let evidence = film::evidence::gather(evidence, &bytes, &wrong, Some(&trusted))?;
        keep(&self.evidence, &evidence, &self.key)
    }

    fn trusted(&self, place: &Place<'_>) -> anyhow::Result<Film> {
        let film = self.hands.film(place.frame, place.work)?;
        self.count(film.pixels().len());
        Ok(film)
    }

    fn film(&self, place: &Place<'_>, film: &FilmRef) -> anyhow::Result<Film> {
        let Self { films, hands, .. } = self;
        let restorer = Restorer { films, hands, frame: place.frame, work: place.work };
        restorer.film(film.root)
    }

    fn count(&self, pixels: usize) {
        self.meter.pixels.fetch_add(pixels as u64, Ordering::Relaxed);
    }
}

/// What comes of a check.
enum Answer {
    Event(Box<Event>),
    /// It is to be asked again.
    Later,
    /// It was asked to stop.
    Stopped,
}

/// Whether a check is of a film that was accepted.
const fn is_of_accepted(check: &Check) -> bool {
    matches!(
        check.kind,
        CheckKind::Recheck { .. } | CheckKind::Appeal { .. } | CheckKind::Dispute { .. }
    )
}

/// Puts a check into the line again after a while; a line that is closed meanwhile drops it, and the next
/// start asks for it.
fn ask_later(check: Check, checks: Arc<Queue<Check>>) {
    tracing::warn!(unit = ?check.piece.unit, "a check waits until its scene is not feared any more");
    let later = move || {
        std::thread::sleep(ASK_LATER);
        checks.push(check);
    };
    if let Err(error) = super::spawn("later", later) {
        tracing::error!("a check waits for the next start: {error}");
    }
}

/// Where a check looks.
struct Place<'a> {
    piece: &'a Piece,
    frame: &'a Shot,
    work: Work,
}

/// The sums of some pixels of a film, in this order.
pub(super) fn picked(film: &Film, places: &[(u32, u32)]) -> Option<Sums> {
    let indices: Option<Vec<usize>> = places.iter().map(|&(x, y)| film.index(x, y)).collect();
    film.sums().picked(indices?.into_iter())
}

/// Pixels of a film beside the same, rendered again.
struct Shown<'a> {
    places: &'a [(u32, u32)],
    got: &'a Sums,
    trusted: &'a Sums,
}

/// Signs evidence and makes it durable; its hash is what the verdict names.
pub(super) fn keep(
    store: &ByHash,
    evidence: &Evidence,
    key: &SigningKey,
) -> anyhow::Result<Digest> {
    let bytes = protocol::encode(&Signed::new(evidence, key));
    let hash = Digest::from(blake3::hash(&bytes));
    store.write(hash, &bytes)?;
    Ok(hash)
}

/// The answer to a check of another engine's film, which this one cannot render: nobody is harmed by
/// what cannot be looked at. A challenge so answered finds its lease withdrawn.
fn unlooked(check: &Check) -> Event {
    let (outcome, now_ms) = (CheckOutcome::Passed { pixels: 0 }, 0);
    match &check.kind {
        CheckKind::Challenge { film, challenge } => {
            Event::Judged { lease: film.lease, round: challenge.round, outcome, now_ms }
        }
        CheckKind::Recheck { film, .. } => Event::Rechecked { lease: film.lease, outcome, now_ms },
        CheckKind::Appeal { conviction, .. } => {
            Event::AppealHeard { lease: *conviction, holds: None }
        }
        CheckKind::Dispute { film } => Event::DisputeHeard { lease: film.lease, outcome, now_ms },
        CheckKind::Noise { .. } => weighed(check, false),
        CheckKind::Trial { films } => {
            let held = |film: &FilmRef| Tried { lease: film.lease, differing: 0, evidence: None };
            let (job, unit_index) = (check.piece.unit.job, check.unit_index);
            Event::Tried { job, unit_index, films: films.iter().map(held).collect(), now_ms }
        }
    }
}

/// The answer to a check of a film that is gone for good. Nobody is to blame for it: what was not judged
/// is rendered anew, what was accepted stays so.
fn unseen(check: &Check, root: Digest) -> Event {
    let lost = match &check.kind {
        CheckKind::Challenge { film, .. } => Some(film),
        CheckKind::Trial { films } => films.iter().find(|film| film.root == root),
        CheckKind::Recheck { .. }
        | CheckKind::Appeal { .. }
        | CheckKind::Dispute { .. }
        | CheckKind::Noise { .. } => None,
    };
    match lost {
        Some(film) => Event::FilmLost { lease: film.lease, now_ms: 0 },
        None => unlooked(check),
    }
}

/// The answer to a check of what the farm itself cannot render: films that were not judged are as if they
/// had never come, and their job ends, for nothing of it can be believed. What was accepted stays.
fn unrenderable(check: &Check, why: &anyhow::Error) -> Event {
    let lost: Vec<LeaseId> = match &check.kind {
        CheckKind::Challenge { film, .. } => vec![film.lease],
        CheckKind::Trial { films } => films.iter().map(|film| film.lease).collect(),
        _accepted => return unlooked(check),
    };
    let why = format!("the farm's own renderer cannot render it: {why:#}");
    Event::Unrenderable { job: check.piece.unit.job, leases: lost, why, now_ms: 0 }
}

/// The answer to a look at a tile's noise.
fn weighed(check: &Check, is_enough: bool) -> Event {
    let Check { piece, unit_index, .. } = check;
    let chunks = piece.unit.batch.chunk_count();
    Event::Weighed { job: piece.unit.job, unit_index: *unit_index, chunks, is_enough, now_ms: 0 }
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
        Event::DisputeHeard { lease, outcome, .. } => {
            Event::DisputeHeard { lease, outcome, now_ms: at_ms }
        }
        Event::Tried { job, unit_index, films, .. } => {
            Event::Tried { job, unit_index, films, now_ms: at_ms }
        }
        Event::FilmLost { lease, .. } => Event::FilmLost { lease, now_ms: at_ms },
        Event::Unrenderable { job, leases, why, .. } => {
            Event::Unrenderable { job, leases, why, now_ms: at_ms }
        }
        Event::Weighed { job, unit_index, chunks, is_enough, .. } => {
            Event::Weighed { job, unit_index, chunks, is_enough, now_ms: at_ms }
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

/// Why a film is refused unchallenged, with the pixel that shows it, where one does.
pub(super) type Tripped = (protocol::Refusal, Option<(u32, u32)>);

/// Reads a film and looks for what no honest film can be.
pub(super) fn trip(
    bytes: &[u8],
    rect: protocol::Rect,
    batch: protocol::Batch,
    settings: &protocol::RenderSettings,
) -> Result<Film, Tripped> {
    use film::tripwire::{Trip, check};
    use protocol::Refusal;

    let film = Film::from_bytes(rect, batch, settings.passes, bytes);
    let film = film.map_err(|_another_layout| (Refusal::Shape, None))?;
    let Err(trip) = check(&film, settings.samples, &ray_bounds(settings.bounces)) else {
        return Ok(film);
    };
    let refusal = match trip {
        Trip::Samples { x, y, got, wanted, .. } => Refusal::Samples { x, y, got, wanted },
        Trip::NotFinite { x, y } => Refusal::NotFinite { x, y },
        other => Refusal::Implausible(other.to_string()),
    };
    Err((refusal, Some(trip.place())))
}
