//! The watched shot: news by long polls, films as they are accepted, and its picture to files.
//!
//! News and films are two tasks: joining a job of a thousand accepted films does not hold up what
//! becomes of its tiles.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::shots::{Shots, Whole};
use client::{Farm, FilmFault};
use film::{Film, Frame, Look};
use protocol::view::{AcceptedUnit, JobUpdate, TileStatus};
use protocol::{JobId, JobSpec, Rect, ShotIndex, Size, Unit, limits};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{FarmSeat, Outlet, save, sentence};
use crate::state::picture::{Texel, texel};
use crate::state::sheet::SaveSheet;
use crate::state::{Event, Saved, live, reel};

/// Films on the way at a time: fewer than a connection may carry, so that others get through.
const FILMS_AT_ONCE: usize = 3;
/// Rest after a refusal or a failure, before the next attempt.
const PAUSE: Duration = Duration::from_secs(2);

/// What is watched.
type Watched = Option<(JobId, ShotIndex)>;

/// The sums of the watched shot, as far as they are here. Kept while the farm is away.
#[derive(Clone)]
struct Gathering {
    watched: (JobId, ShotIndex),
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    spec: JobSpec,
    frame: Frame,
    taken: BTreeSet<Unit>,
}

pub(super) async fn run(
    mut seat: FarmSeat,
    mut watched: watch::Receiver<Watched>,
    mut saves: mpsc::Receiver<(Box<SaveSheet>, Look)>,
    outlet: Outlet,
) {
    let gathering: Arc<Mutex<Option<Gathering>>> = Arc::default();
    let mut tasks = JoinSet::new();
    let mut saving = JoinSet::new();
    loop {
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
        if watched.has_changed().unwrap_or(false) {
            // The window begins with an empty picture, also of a shot that it has watched before.
            *locked(&gathering) = None;
        }
        let wanted = *watched.borrow_and_update();
        let farm = seat.borrow_and_update().clone();
        if let (Some(farm), Some(wanted)) = (farm, wanted) {
            let (gathering, outlet) = (Arc::clone(&gathering), outlet.clone());
            tasks.spawn(follow(farm, wanted, gathering, outlet));
        }
        let next = async {
            loop {
                tokio::select! {
                    changed = watched.changed() => return changed.is_ok(),
                    changed = seat.changed() => return changed.is_ok(),
                    save = saves.recv() => match save {
                        None => return false,
                        Some((sheet, look)) => {
                            let here = at_hand(&gathering, &sheet);
                            let (seat, outlet) = (seat.clone(), outlet.clone());
                            saving.spawn(keep(seat, here, sheet, look, outlet));
                        }
                    },
                    _done = saving.join_next(), if !saving.is_empty() => {}
                }
            }
        };
        if !next.await {
            return;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The gathering of what is to be saved, where that is what is watched.
fn at_hand(gathering: &Mutex<Option<Gathering>>, sheet: &SaveSheet) -> Option<Gathering> {
    let shot = sheet.shot?;
    locked(gathering).clone().filter(|it| it.watched == (sheet.job, shot))
}

/// Runs until the job is over and every film has come, or the connection closes.
async fn follow(
    farm: Farm,
    watched: (JobId, ShotIndex),
    gatherings: Arc<Mutex<Option<Gathering>>>,
    outlet: Outlet,
) {
    let (job, shot) = watched;
    let mut after = 0;
    let (units, fetched) = mpsc::unbounded_channel();
    let mut fetched = Some(fetched);
    let mut fetching = JoinSet::new();
    loop {
        let update = match farm.watch(job, after, limits::POLL_WAIT_MAX).await {
            Ok(update) => update,
            Err(_closed) if farm.is_closed().await => return,
            Err(error) => {
                let why = sentence(&error);
                outlet.send(Event::Live(live::Event::Problem { job, why })).await;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let is_over = update.summary.status.is_over();
        let was_last = is_over && update.accepted.is_empty();
        after = update.next;
        let gathering = current(&gatherings, watched, &update.summary.spec);
        if let Some(fetched) = fetched.take() {
            let (farm, gathering, outlet) = (farm.clone(), gathering.clone(), outlet.clone());
            fetching.spawn(fetch(farm, gathering, fetched, outlet));
        }
        let accepted = of_shot(&update, shot);
        // Films of a job that ended long ago are gone.
        let there = accepted.iter().filter(|_| !update.summary.expired);
        for unit in there {
            if !locked(&gathering.inner).taken.contains(&unit.unit) {
                drop(units.send(unit.clone()));
            }
        }
        let tiles = tiles_of(&update, shot);
        let per_shot = update.summary.spec.grid().tile_count() as usize;
        let shots = live::looks_of_shots(&update.tiles, per_shot);
        let summary = Box::new(update.summary);
        let news = live::Event::Update { summary, shot, tiles, accepted, shots };
        outlet.send(Event::Live(news)).await;
        if was_last {
            break;
        }
    }
    // The fetching ends with what was sent to it.
    drop(units);
    while fetching.join_next().await.is_some() {}
}

/// The gathering of this shot: the one that is there, or a new one in its place.
fn current(
    gatherings: &Mutex<Option<Gathering>>,
    watched: (JobId, ShotIndex),
    spec: &JobSpec,
) -> Gathering {
    let mut slot = locked(gatherings);
    let new = || {
        let frame = Frame::of(&spec.settings);
        let inner = Inner { spec: spec.clone(), frame, taken: BTreeSet::new() };
        Gathering { watched, inner: Arc::new(Mutex::new(inner)) }
    };
    match &*slot {
        Some(gathering) if gathering.watched == watched => gathering.clone(),
        _other => slot.insert(new()).clone(),
    }
}

fn of_shot(update: &JobUpdate, shot: ShotIndex) -> Vec<AcceptedUnit> {
    // A job that goes on from another names that one's units, whose shots may count otherwise.
    let wanted = update.summary.spec.shot(shot);
    update
        .accepted
        .iter()
        .filter(|unit| update.summary.spec.shot(unit.unit.shot) == wanted)
        .cloned()
        .collect()
}

fn tiles_of(update: &JobUpdate, shot: ShotIndex) -> Vec<TileStatus> {
    let count = update.summary.spec.grid().tile_count() as usize;
    let first = shot.0 as usize * count;
    update.tiles.get(first..first + count).map_or_else(Vec::new, <[_]>::to_vec)
}

/// Fetches units as they are named; what fails is tried again for as long as the connection lasts.
async fn fetch(
    farm: Farm,
    gathering: Gathering,
    mut units: mpsc::UnboundedReceiver<AcceptedUnit>,
    outlet: Outlet,
) {
    let (job, shot) = gathering.watched;
    let spec = locked(&gathering.inner).spec.clone();
    let mut fetches: JoinSet<(AcceptedUnit, Result<Film, client::Error>)> = JoinSet::new();
    let mut waiting: Vec<AcceptedUnit> = Vec::new();
    let mut is_open = true;
    while is_open || !waiting.is_empty() || !fetches.is_empty() {
        while fetches.len() < FILMS_AT_ONCE
            && let Some(unit) = waiting.pop()
        {
            let (farm, spec) = (farm.clone(), spec.clone());
            fetches.spawn(async move {
                let film = farm.film(&spec, &unit).await;
                if film.is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
                (unit, film)
            });
        }
        tokio::select! {
            unit = units.recv(), if is_open => match unit {
                // The newest is fetched first: it is what one waits to see.
                Some(unit) => waiting.push(unit),
                None => is_open = false,
            },
            Some(done) = fetches.join_next() => match done {
                Ok((unit, Ok(film))) => {
                    let taken = gathering.clone();
                    let came = tokio::task::spawn_blocking(move || take(&taken, &unit, film)).await;
                    let event = match came {
                        Ok(Ok(Some((rect, texels)))) => live::Event::Light { job, shot, rect, texels },
                        Ok(Ok(None)) | Err(_) => continue,
                        Ok(Err(fault)) => live::Event::Problem { job, why: fault.to_string() },
                    };
                    outlet.send(Event::Live(event)).await;
                    let done = gathering.clone();
                    let whole = tokio::task::spawn_blocking(move || finished(&done)).await;
                    if let Ok(Some((size, texels))) = whole {
                        let still = reel::Event::Still { job, shot, size, texels };
                        outlet.send(Event::Reel(still)).await;
                    }
                }
                Ok((_unit, Err(_closed))) if farm.is_closed().await => return,
                Ok((unit, Err(error))) => {
                    let why = sentence(&error);
                    outlet.send(Event::Live(live::Event::Problem { job, why })).await;
                    waiting.insert(0, unit);
                }
                Err(_cut_off) => return,
            },
        }
    }
}

/// Adds a film to its frame; gives what its tile shows by now, in pixels of what is rendered.
fn take(
    gathering: &Gathering,
    unit: &AcceptedUnit,
    film: Film,
) -> Result<Option<(Rect, Vec<Texel>)>, FilmFault> {
    let mut inner = locked(&gathering.inner);
    let rect = film.rect();
    let Inner { spec, frame, taken } = &mut *inner;
    client::shots::insert(frame, film, spec)?;
    taken.insert(unit.unit);
    let Some(picture) = frame.tile_picture(rect) else { return Ok(None) };
    let window = spec.settings.window();
    drop(inner);
    let light = picture.beauty.iter().zip(&picture.samples);
    let texels = light.map(|(&rgb, &samples)| if samples > 0 { texel(rgb) } else { [0; 4] });
    Ok(Some((rect.inside(&window), texels.collect())))
}

/// A frame of several that is whole by now, small enough to be played.
fn finished(gathering: &Gathering) -> Option<(Size, Vec<Texel>)> {
    let inner = locked(&gathering.inner);
    if inner.spec.frames.count() < 2 || !inner.frame.is_complete() {
        return None;
    }
    let picture = inner.frame.picture();
    drop(inner);
    Some(reel::still(picture.size, &picture.beauty))
}

/// Saves a picture from what is here, or all of a job's by fetching them.
async fn keep(
    seat: FarmSeat,
    here: Option<Gathering>,
    sheet: Box<SaveSheet>,
    look: Look,
    outlet: Outlet,
) {
    let farm = seat.borrow().clone();
    // What is here may be less than what there is, unless it is all, or nothing else is to be had.
    let here = here.filter(|it| farm.is_none() || locked(&it.inner).frame.is_complete());
    let saved = match (here, farm) {
        (Some(gathering), _) => {
            let saving = tokio::task::spawn_blocking(move || {
                let (index, inner) = (gathering.watched.1, locked(&gathering.inner));
                let shots = Shots::new(sheet.job, &inner.spec);
                let whole = Whole { index, frame: inner.frame.clone() };
                drop(inner);
                save::pictures(&sheet, look, &shots, &[whole])
            });
            saving.await.unwrap_or_else(|_cut_off| Saved::failed("It was cut off"))
        }
        (None, Some(farm)) => save::fetched(&farm, &sheet, look).await,
        (None, None) => Saved::failed("The farm cannot be reached now"),
    };
    outlet.send(Event::Saved(saved)).await;
}
