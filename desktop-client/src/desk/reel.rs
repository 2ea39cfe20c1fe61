//! Finished frames of an animation, fetched one after the other and made small enough to be played.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::Farm;
use client::shots::insert;
use film::Frame;
use protocol::view::{AcceptedUnit, TileStatus};
use protocol::{JobId, JobSpec, ShotIndex, Unit, ViewIndex};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{FarmSeat, Outlet, sentence};
use crate::state::Event as Outside;
use crate::state::reel::{Event, still};

/// Films on the way at a time: fewer than for the frame that is watched.
const FILMS_AT_ONCE: usize = 2;

/// Which frames are wanted.
#[derive(Debug, Clone)]
pub struct ReelAsk {
    /// Which question it is.
    pub serial: u64,
    /// The job.
    pub job: JobId,
    /// Of which camera.
    pub view: ViewIndex,
    /// Frames that are at hand already.
    pub here: BTreeSet<ShotIndex>,
    /// How many more there is room for.
    pub room: usize,
}

pub(super) async fn run(
    seat: FarmSeat,
    mut wanted: watch::Receiver<Option<ReelAsk>>,
    outlet: Outlet,
) {
    loop {
        let ask = wanted.borrow_and_update().clone();
        let farm = seat.borrow().clone();
        let fetching = async {
            if let Some(ask) = ask {
                let fetched = match farm {
                    Some(farm) => fetch(&farm, &ask, &outlet).await,
                    None => Err("The farm cannot be reached now".to_owned()),
                };
                let (serial, trouble) = (ask.serial, fetched.err());
                outlet.send(Outside::Reel(Event::Ended { serial, trouble })).await;
            }
            std::future::pending::<()>().await;
        };
        let goes_on = tokio::select! {
            () = fetching => true,
            changed = wanted.changed() => changed.is_ok(),
        };
        if !goes_on {
            return;
        }
    }
}

async fn fetch(farm: &Farm, ask: &ReelAsk, outlet: &Outlet) -> Result<(), String> {
    let words = |error: client::Error| sentence(&error);
    let mut update = farm.watch(ask.job, 0, Duration::ZERO).await.map_err(words)?;
    let mut units = BTreeMap::<ShotIndex, BTreeMap<Unit, AcceptedUnit>>::new();
    while !update.accepted.is_empty() {
        for unit in &update.accepted {
            units.entry(unit.unit.shot).or_default().insert(unit.unit, unit.clone());
        }
        update = farm.watch(ask.job, update.next, Duration::ZERO).await.map_err(words)?;
    }
    let spec = &update.summary.spec;
    let is_wanted = |shot: &ShotIndex| {
        let is_of_view = spec.shot(*shot).is_some_and(|it| it.view == ask.view);
        is_of_view && !ask.here.contains(shot) && is_finished(spec, &update.tiles, *shot)
    };
    for (shot, units) in units.into_iter().filter(|(shot, _)| is_wanted(shot)).take(ask.room) {
        let units = units.into_values().collect();
        let (size, texels) = one(farm, spec, units).await?;
        let job = ask.job;
        outlet.send(Outside::Reel(Event::Still { job, shot, size, texels })).await;
    }
    Ok(())
}

fn is_finished(spec: &JobSpec, tiles: &[TileStatus], shot: ShotIndex) -> bool {
    let count = spec.grid().tile_count() as usize;
    let first = shot.0 as usize * count;
    let of_shot = tiles.get(first..first + count);
    of_shot.is_some_and(|tiles| tiles.iter().all(|tile| *tile == TileStatus::Accepted))
}

/// One frame: no more than its films are held at a time.
async fn one(
    farm: &Farm,
    spec: &JobSpec,
    mut units: Vec<AcceptedUnit>,
) -> Result<(protocol::Size, Vec<crate::state::picture::Texel>), String> {
    let mut frame = Frame::of(&spec.settings);
    let mut fetches = JoinSet::new();
    loop {
        while fetches.len() < FILMS_AT_ONCE
            && let Some(unit) = units.pop()
        {
            let (farm, spec) = (farm.clone(), spec.clone());
            fetches.spawn(async move { farm.film(&spec, &unit).await });
        }
        let Some(fetched) = fetches.join_next().await else { break };
        let film = fetched.map_err(|_cut_off| "It was cut off".to_owned())?;
        let film = film.map_err(|error| sentence(&error))?;
        tokio::task::block_in_place(|| insert(&mut frame, film, spec))
            .map_err(|fault| super::capital(&fault.to_string()))?;
    }
    let shrunk = tokio::task::spawn_blocking(move || {
        let picture = frame.picture();
        still(picture.size, &picture.beauty)
    });
    shrunk.await.map_err(|_cut_off| "It was cut off".to_owned())
}
