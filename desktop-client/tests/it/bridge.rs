//! The bridge against a farm on loopback that answers from literals.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use desktop_client::bridge::{Ask, BridgeConfig, Wires, spawn, wires};
use desktop_client::state::{Event, Link, State};
use film::{Film, Pixel};
use protocol::message::RefusedCode;
use protocol::view::{AcceptedUnit, JobStatus, JobUpdate, TileStatus};
use protocol::{
    Batch, Engine, NodeId, PublicKey, RayCount, Reply, Request, ShotIndex, TileIndex, Unit,
};
use tokio::runtime::Runtime;
use transport::{BoxFuture, Peer, PeerConfig, Service, Ticket};

use crate::fixtures::{farm, job, job_id, spec, statement, wallet};

/// A farm with one job of which one tile is accepted.
struct TinyFarm {
    key: PublicKey,
    lies_about_the_film: bool,
    refuses: Option<(RefusedCode, &'static str)>,
}

fn tile_film() -> Film {
    let rect = spec("").grid().rect(TileIndex(5)).expect("of the grid");
    let mut film = Film::zeroed(rect, Batch::new(0, 4).expect("aligned"));
    let pixel = Pixel { beauty: [64.0, 32.0, 16.0], alpha: 64.0, samples: 64, ..Pixel::default() };
    film.pixels_mut().fill(pixel);
    film
}

impl TinyFarm {
    fn answer(&self, request: Request) -> (Reply, Bytes) {
        let summary = job(1, "lighthouse_v12", JobStatus::Done, 60, 1_860_000);
        let reply = match request {
            Request::Hello { .. } => match self.refuses {
                Some((code, message)) => Reply::refused(code, message),
                None => Reply::Welcome { scheduler: self.key, engine: Engine(1), qualify: None },
            },
            Request::Wallet => Reply::Wallet(wallet()),
            Request::Jobs { .. } => Reply::Jobs(vec![summary]),
            Request::Farm => Reply::Farm(farm()),
            Request::Statement { .. } => Reply::Statement(statement()),
            Request::Watch { job, .. } if job == job_id(1) => Reply::Job(Box::new(JobUpdate {
                summary,
                tiles: vec![TileStatus::Accepted; 60],
                accepted: vec![AcceptedUnit {
                    unit: Unit {
                        job: job_id(1),
                        shot: ShotIndex(0),
                        tile: TileIndex(5),
                        batch: Batch::new(0, 4).expect("aligned"),
                    },
                    node: NodeId([1; 32]),
                    root: tile_film().root(),
                    rays: RayCount::default(),
                    pixels_checked: 136,
                }],
                next: 1,
            })),
            Request::Film { .. } => {
                let mut film = tile_film();
                if self.lies_about_the_film {
                    film.pixels_mut()[0].beauty[0] += 1.0;
                }
                return (Reply::Film, film.to_bytes().into());
            }
            _other => Reply::refused(RefusedCode::BadRequest, "not asked for in this test"),
        };
        (reply, Bytes::new())
    }
}

impl Service for TinyFarm {
    fn call(
        self: Arc<Self>,
        _caller: PublicKey,
        request: Request,
        _body: Bytes,
    ) -> BoxFuture<'static, (Reply, Bytes)> {
        let answer = self.answer(request);
        Box::pin(async move { answer })
    }

    fn gone(&self, _caller: PublicKey) {}
}

/// A farm that listens, with its ticket.
struct Running {
    runtime: Runtime,
    peer: Peer,
    ticket: Ticket,
    _scenes: tempfile::TempDir,
}

fn run_farm(change: impl FnOnce(&mut TinyFarm)) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let scenes = tempfile::tempdir().expect("a folder");
    let config = PeerConfig::new([7; 32], scenes.path());
    let peer = runtime.block_on(Peer::bind(config)).expect("binds to loopback");
    let mut farm = TinyFarm { key: peer.id(), lies_about_the_film: false, refuses: None };
    change(&mut farm);
    runtime.block_on(async { peer.serve(Arc::new(farm)) });
    Running { ticket: peer.ticket(), runtime, peer, _scenes: scenes }
}

fn app(home: &Path) -> Wires {
    let (wires, ends) = wires();
    let key_path = home.join("key");
    let config = BridgeConfig { key_path, poll_interval: Duration::from_millis(50) };
    spawn(config, ends, || ()).expect("a thread");
    wires
}

/// Applies events until `enough`; the deadline only ends a test that would hang.
fn until(wires: &mut Wires, state: &mut State, enough: impl Fn(&State) -> bool) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    while !enough(state) {
        let next =
            async { tokio::time::timeout(Duration::from_secs(60), wires.events.recv()).await };
        let event = runtime.block_on(next).expect("news within a minute").expect("a bridge");
        state.apply(event);
    }
}

#[test]
fn everything_shown_comes_from_the_farm() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|_farm| ());
    let (mut wires, mut state) = (app(home.path()), State::default());
    wires.asks.try_send(Ask::Connect(running.ticket.to_string())).expect("room");
    until(&mut wires, &mut state, |s| s.jobs.is_some() && s.wallet.is_some() && s.farm.is_some());
    assert_eq!(state.link, Link::Connected);
    assert_eq!(state.wallet, Some(wallet()));
    assert!(state.identity.is_some(), "the key was made");

    state.apply(Event::Selected { job: job_id(1), shot: ShotIndex(0) });
    wires.asks.try_send(Ask::Watch { job: job_id(1), shot: ShotIndex(0) }).expect("room");
    wires.asks.try_send(Ask::Statement(wallet().account)).expect("room");
    let drawn = |s: &State| s.live.as_ref().is_some_and(|l| !l.picture.changes.is_empty());
    until(&mut wires, &mut state, |s| drawn(s) && s.statement.is_some());
    let live = state.live.as_ref().expect("watched");
    assert_eq!(live.tiles.len(), 60);
    let rect = spec("").grid().rect(TileIndex(5)).expect("of the grid");
    assert_eq!(live.picture.changes, [rect]);
    let shown = film::display_rgb(&film::Look::default(), [1.0, 0.5, 0.25]);
    let pixel = live.picture.pixels[rect.x0 as usize].to_array();
    assert_eq!(pixel[..3], shown.map(|value| (value * 255.0).round() as u8));
}

#[test]
fn a_film_that_was_not_accepted_is_not_drawn() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|farm| farm.lies_about_the_film = true);
    let (mut wires, mut state) = (app(home.path()), State::default());
    wires.asks.try_send(Ask::Connect(running.ticket.to_string())).expect("room");
    until(&mut wires, &mut state, |s| s.jobs.is_some());
    state.apply(Event::Selected { job: job_id(1), shot: ShotIndex(0) });
    wires.asks.try_send(Ask::Watch { job: job_id(1), shot: ShotIndex(0) }).expect("room");
    let told = |s: &State| s.live.as_ref().is_some_and(|live| live.problem.is_some());
    until(&mut wires, &mut state, told);
    assert!(state.live.expect("watched").picture.changes.is_empty());
}

#[test]
fn a_farm_that_goes_away_is_found_again() {
    let home = tempfile::tempdir().expect("a folder");
    let first = run_farm(|_farm| ());
    let (mut wires, mut state) = (app(home.path()), State::default());
    wires.asks.try_send(Ask::Connect(first.ticket.to_string())).expect("room");
    until(&mut wires, &mut state, |s| s.jobs.is_some());
    let address = first.ticket.addresses()[0];
    first.runtime.block_on(first.peer.close());
    until(&mut wires, &mut state, |s| matches!(s.link, Link::Lost { .. }));
    assert!(state.jobs.is_some(), "what was known stays");
    drop(first);

    // The same farm at the same address, as after a restart.
    let runtime = Runtime::new().expect("a runtime");
    let scenes = tempfile::tempdir().expect("a folder");
    let mut config = PeerConfig::new([7; 32], scenes.path());
    config.bind = address;
    let peer = runtime.block_on(Peer::bind(config)).expect("the address is free again");
    let farm = TinyFarm { key: peer.id(), lies_about_the_film: false, refuses: None };
    runtime.block_on(async { peer.serve(Arc::new(farm)) });
    wires.asks.try_send(Ask::RetryNow).expect("room");
    until(&mut wires, &mut state, |s| s.link == Link::Connected);
    runtime.block_on(peer.close());
}

#[test]
fn what_only_a_person_can_mend_is_said_and_not_retried() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut wires, mut state) = (app(home.path()), State::default());
    wires.asks.try_send(Ask::Connect("no ticket".to_owned())).expect("room");
    until(&mut wires, &mut state, |s| matches!(s.link, Link::Unusable { .. }));
    let Link::Unusable { why } = &state.link else { unreachable!("just waited for it") };
    assert!(why.contains("not a farm ticket"), "{why}");

    let other = run_farm(|farm| {
        farm.refuses = Some((RefusedCode::Version, "this farm speaks version 2; update the app"));
    });
    wires.asks.try_send(Ask::Connect(other.ticket.to_string())).expect("room");
    until(
        &mut wires,
        &mut state,
        |s| matches!(&s.link, Link::Unusable { why } if why.contains("version 2")),
    );
}

#[test]
fn a_key_file_that_others_may_read_is_refused_with_what_to_do() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("key"), "not a key").expect("writes");
    let (mut wires, mut state) = (app(home.path()), State::default());
    until(&mut wires, &mut state, |s| matches!(s.link, Link::Unusable { .. }));
    let Link::Unusable { why } = &state.link else { unreachable!("just waited for it") };
    assert!(why.starts_with("Your key cannot be used"), "{why}");
}
