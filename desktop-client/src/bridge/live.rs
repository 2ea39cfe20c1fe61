//! Follows one shot of a job: news by long polls, films as they are accepted.

use std::collections::VecDeque;
use std::time::Duration;

use film::{Film, Frame, Look, view_rgba8};
use protocol::view::{AcceptedUnit, JobUpdate, TileStatus};
use protocol::{JobId, JobSpec, Rect, Reply, Request, ShotIndex, limits};
use tokio::task::JoinSet;
use transport::{CallError, Connection};

use super::{Outlet, chain, session};
use crate::state::Event;

/// Films on the way at a time: fewer than a connection may carry, so that others get through.
const FILMS_AT_ONCE: usize = 3;
/// Rest after a refusal or a failure, before the next attempt.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs until the job is over and every film has come, or the connection closes.
pub(super) async fn follow(connection: Connection, outlet: Outlet, job: JobId, shot: ShotIndex) {
    let mut after = 0;
    let mut gathering: Option<Gathering> = None;
    loop {
        let wait_ms = limits::POLL_WAIT_MAX.as_millis() as u32;
        let watch = Request::Watch { job, after, wait_ms };
        let timeout = limits::CALL_TIMEOUT + limits::POLL_WAIT_MAX;
        let update = match session::call_for(&connection, &watch, timeout).await {
            Ok((Reply::Job(update), _body)) => *update,
            Ok((other, _body)) => {
                tracing::warn!(?other, "an unexpected answer to a watch");
                return;
            }
            Err(CallError::Refused(refused)) => {
                outlet.send(Event::PictureProblem { job, why: refused.message }).await;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(error) => {
                tracing::info!(error = chain(&error), "the watch ended");
                return;
            }
        };
        after = update.next;
        let over = update.summary.status.is_over();
        let gathering = gathering.get_or_insert_with(|| Gathering::new(&update.summary.spec));
        let accepted = take_news(&outlet, update, shot).await;
        gathering.waiting.extend(accepted);
        gathering.fetch(&connection, &outlet, job).await;
        if over && gathering.waiting.is_empty() {
            return;
        }
    }
}

/// Tells the app what concerns the shot and returns its newly accepted units.
async fn take_news(outlet: &Outlet, update: JobUpdate, shot: ShotIndex) -> Vec<AcceptedUnit> {
    let JobUpdate { summary, tiles, accepted, .. } = update;
    let tiles = tiles_of(&summary.spec, &tiles, shot);
    let accepted: Vec<AcceptedUnit> =
        accepted.into_iter().filter(|it| it.unit.shot == shot).collect();
    let news = accepted.clone();
    let summary = Box::new(summary);
    outlet.send(Event::Update { summary, shot, tiles, accepted: news }).await;
    accepted
}

/// The tiles of one shot among those of all shots.
fn tiles_of(spec: &JobSpec, tiles: &[TileStatus], shot: ShotIndex) -> Vec<TileStatus> {
    let count = spec.grid().tile_count() as usize;
    let start = (shot.0 as usize).checked_mul(count);
    let end = start.and_then(|start| start.checked_add(count));
    let range = start.zip(end).and_then(|(start, end)| tiles.get(start..end));
    range.unwrap_or_default().to_vec()
}

/// Films of the shot, and units whose films are still to come.
struct Gathering {
    spec: JobSpec,
    frame: Frame,
    waiting: VecDeque<AcceptedUnit>,
}

type Fetched = (AcceptedUnit, Result<Film, String>);

impl Gathering {
    fn new(spec: &JobSpec) -> Self {
        Self { spec: spec.clone(), frame: Frame::of(&spec.settings), waiting: VecDeque::new() }
    }

    /// Fetches what waits, a few at a time, and shows each tile as it comes.
    async fn fetch(&mut self, connection: &Connection, outlet: &Outlet, job: JobId) {
        let mut running: JoinSet<Fetched> = JoinSet::new();
        let mut failed = VecDeque::new();
        loop {
            while running.len() < FILMS_AT_ONCE
                && let Some(unit) = self.waiting.pop_front()
            {
                let connection = connection.clone();
                let rect = self.spec.grid().rect(unit.unit.tile);
                let has_passes = self.spec.settings.passes;
                running.spawn(async move {
                    let film = film_of(&connection, &unit, rect, has_passes).await;
                    (unit, film)
                });
            }
            let Some(joined) = running.join_next().await else { break };
            match joined {
                Ok((unit, Ok(film))) => self.show(film, &unit, outlet, job).await,
                Ok((unit, Err(why))) => {
                    outlet.send(Event::PictureProblem { job, why }).await;
                    failed.push_back(unit);
                }
                Err(error) => tracing::error!(%error, "a fetch broke off"),
            }
        }
        if !failed.is_empty() {
            self.waiting = failed;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn show(&mut self, film: Film, unit: &AcceptedUnit, outlet: &Outlet, job: JobId) {
        let rect = film.rect();
        if let Err(error) = self.frame.insert(film) {
            let why = format!("A part of the picture does not fit: {error}");
            outlet.send(Event::PictureProblem { job, why }).await;
            return;
        }
        if let Some(tile) = self.frame.tile_picture(rect) {
            let rgba = view_rgba8(&tile, &Look::default());
            let rect = rect.inside(&self.spec.settings.window());
            outlet.send(Event::Pixels { job, shot: unit.unit.shot, rect, rgba }).await;
        }
    }
}

/// Fetches one film and holds it against the hash that was accepted.
async fn film_of(
    connection: &Connection,
    accepted: &AcceptedUnit,
    rect: Option<Rect>,
    has_passes: bool,
) -> Result<Film, String> {
    let rect = rect.ok_or("The farm names a tile that the frame does not have")?;
    let unit = accepted.unit;
    let request = Request::Film { unit };
    let answer = session::call_for(connection, &request, limits::TRANSFER_TIMEOUT).await;
    let (_reply, body) = answer.map_err(|error| chain(&error))?;
    let film = Film::from_bytes(rect, unit.batch, has_passes, &body);
    let film = film.map_err(|error| error.to_string())?;
    if film.root() == accepted.root {
        // What is shown here is the beauty.
        Ok(film.without_passes())
    } else {
        Err(format!("Tile {} is not the one that was accepted; trying again", unit.tile.0))
    }
}
