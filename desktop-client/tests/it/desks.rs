//! The desks against a farm on loopback that answers from literals.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use desktop_client::command::Command;
use desktop_client::desk::{DeskConfig, Wires, spawn, wires};
use desktop_client::state::blocks::Blocking;
use desktop_client::state::settings::Settings;
use desktop_client::state::sheet::Sheet;
use desktop_client::state::wallet::Act;
use desktop_client::state::{Link, State};
use film::{Film, Pixel};
use protocol::message::RefusedCode;
use protocol::view::{
    AcceptedUnit, BlockView, JobStatus, JobSummary, JobUpdate, StatementPage, StatementRow,
    TileStatus,
};
use protocol::{
    Batch, Engine, JobId, NodeId, PublicKey, RayCount, Reply, Request, ShotIndex, Steering,
    TileIndex, Tokens, TransferId, Unit,
};
use tokio::runtime::Runtime;
use transport::{BoxFuture, Peer, PeerConfig, Service, Ticket};

use crate::fixtures::{NOW_MS, farm, job, job_id, spec, statement, wallet};

/// A farm with one job of which one tile is accepted.
struct TinyFarm {
    key: PublicKey,
    lies_about_the_film: bool,
    never_says_the_balance: bool,
    refuses_the_balance: bool,
    refuses: Option<(RefusedCode, &'static str)>,
    /// Jobs beside the one.
    more_jobs: u32,
    /// Entries of the wallet; the usual few without any.
    entries: u32,
    /// Offsets of the pages that were asked for.
    pages: Arc<Mutex<Vec<u32>>>,
    /// Whom the caller keeps off his jobs.
    blocks: Mutex<Vec<PublicKey>>,
}

fn tile_film() -> Film {
    let rect = spec("").grid().rect(TileIndex(5)).expect("of the grid");
    let mut film = Film::zeroed(rect, Batch::new(0, 4).expect("aligned"));
    let pixel = Pixel { beauty: [64.0, 32.0, 16.0], alpha: 64.0, samples: 64, ..Pixel::default() };
    film.pixels_mut().fill(pixel);
    film
}

/// The job at this place of the list.
fn numbered(place: u32) -> JobSummary {
    if place == 0 {
        return job(1, "lighthouse_v12", JobStatus::Done, 60, 1_860_000);
    }
    let mut id = [0; 16];
    id[12..].copy_from_slice(&place.to_be_bytes());
    let ordered_ms = 1_795_000_000_000 - u64::from(place);
    JobSummary { job: JobId(id), ordered_ms, ..job(2, "shot", JobStatus::Waiting, 0, 0) }
}

impl TinyFarm {
    fn of(key: PublicKey) -> Self {
        Self {
            key,
            lies_about_the_film: false,
            never_says_the_balance: false,
            refuses_the_balance: false,
            refuses: None,
            more_jobs: 0,
            entries: 0,
            pages: Arc::default(),
            blocks: Mutex::default(),
        }
    }

    /// The caller's jobs, newest first: the one, then waiting ones.
    fn page(&self, offset: u32, limit: u32) -> Vec<JobSummary> {
        self.pages.lock().expect("no panic").push(offset);
        let end = (offset + limit).min(self.more_jobs + 1);
        (offset..end).map(numbered).collect()
    }

    /// Of the nodes that it knows.
    fn block(&self, who: PublicKey, is_blocked: bool) -> Reply {
        if is_blocked && !farm().nodes.iter().any(|node| node.node.0 == who.0) {
            return Reply::refused(RefusedCode::NotFound, "no node of that key is known here");
        }
        let mut blocks = self.blocks.lock().expect("no panic");
        blocks.retain(|other| *other != who);
        blocks.extend(is_blocked.then_some(who));
        Reply::Done
    }

    fn blocks(&self) -> Vec<BlockView> {
        let view = |who: &PublicKey| {
            let nodes = farm().nodes.into_iter().filter(|node| node.node.0 == who.0);
            let nodes = nodes.map(|node| node.name).collect();
            BlockView { who: *who, is_node: true, nodes, since_ms: NOW_MS }
        };
        self.blocks.lock().expect("no panic").iter().map(view).collect()
    }

    fn answer(&self, request: Request) -> (Reply, Bytes) {
        let summary = job(1, "lighthouse_v12", JobStatus::Done, 60, 1_860_000);
        let reply = match request {
            Request::Hello { .. } => match self.refuses {
                Some((code, message)) => Reply::refused(code, message),
                None => Reply::Welcome { scheduler: self.key, engine: Engine(1), qualify: None },
            },
            Request::Wallet if self.refuses_the_balance => {
                Reply::refused(RefusedCode::Internal, "the books are being mended")
            }
            Request::Wallet => Reply::Wallet(wallet()),
            Request::Jobs { offset, limit } => Reply::Jobs(self.page(offset, limit)),
            Request::Farm => Reply::Farm(farm()),
            Request::Statement { offset, limit, .. } if self.entries > 0 => {
                Reply::Statement(entries(offset, limit, self.entries))
            }
            Request::Statement { .. } => Reply::Statement(statement()),
            Request::Stake { amount, .. } if amount == Tokens::from_whole(3) => Reply::Done,
            Request::Stake { amount, .. } => {
                let words = format!("the wallet holds less than {amount}");
                Reply::refused(RefusedCode::NotEnoughTokens, words)
            }
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
            // Steered ones are looked at by themselves.
            Request::Watch { job, after: u64::MAX, .. } => {
                let number = u32::from_be_bytes(job.0[12..].try_into().expect("four bytes"));
                let summary = JobSummary { status: JobStatus::Paused, ..numbered(number) };
                let (tiles, accepted) = (Vec::new(), Vec::new());
                Reply::Job(Box::new(JobUpdate { summary, tiles, accepted, next: 1 }))
            }
            Request::Steer { steering: Steering::Pause, .. } => Reply::Done,
            Request::Block { who, is_blocked } => self.block(who, is_blocked),
            Request::Blocks => Reply::Blocks(self.blocks()),
            _other => Reply::refused(RefusedCode::BadRequest, "not asked for in this test"),
        };
        (reply, Bytes::new())
    }
}

/// A page of a wallet of so many entries, the newest first.
fn entries(offset: u32, limit: u32, total: u32) -> StatementPage {
    let row = |number: u32| {
        let mut transfer = [0; 16];
        transfer[12..].copy_from_slice(&number.to_be_bytes());
        StatementRow { transfer: TransferId(transfer), ..statement().rows.remove(0) }
    };
    let rows = (offset..(offset + limit).min(total)).map(row).collect();
    StatementPage { rows, total: u64::from(total), ..statement() }
}

impl Service for TinyFarm {
    fn call(
        self: Arc<Self>,
        _caller: PublicKey,
        request: Request,
        _body: Bytes,
    ) -> BoxFuture<'static, (Reply, Bytes)> {
        let hangs = self.never_says_the_balance && matches!(request, Request::Wallet);
        let answer = self.answer(request);
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            answer
        })
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
    let mut farm = TinyFarm::of(peer.id());
    change(&mut farm);
    runtime.block_on(async { peer.serve(Arc::new(farm)) });
    Running { ticket: peer.ticket(), runtime, peer, _scenes: scenes }
}

fn app(home: &Path) -> Wires {
    let (wires, ends) = wires();
    let config = DeskConfig {
        key_path: home.join("key"),
        settings_path: Some(home.join("desktop.toml")),
        program: None,
        poll_interval: Duration::from_millis(50),
    };
    spawn(config, ends, || ()).expect("a thread");
    wires
}

/// A person does something, and the desks are asked for it.
fn act(wires: &Wires, state: &mut State, command: Command) {
    for ask in state.act(command) {
        wires.asks.try_send(ask).expect("room");
    }
}

fn connect(wires: &Wires, state: &mut State, running: &Running) {
    act(wires, state, Command::Connect(running.ticket.to_string()));
}

/// Applies events until `enough`; the deadline only ends a test that would hang.
fn until(wires: &mut Wires, state: &mut State, enough: impl Fn(&State) -> bool) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    while !enough(state) {
        let next =
            async { tokio::time::timeout(Duration::from_secs(60), wires.events.recv()).await };
        let event = runtime.block_on(next).expect("news within a minute").expect("desks");
        for ask in state.apply(event) {
            wires.asks.try_send(ask).expect("room");
        }
    }
}

#[test]
fn everything_shown_comes_from_the_farm() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|_farm| ());
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &running);
    let known = |s: &State| {
        s.book.jobs.get().is_some() && s.book.wallet.get().is_some() && s.book.farm.get().is_some()
    };
    until(&mut wires, &mut state, known);
    assert_eq!(state.link, Link::Connected);
    assert_eq!(state.book.wallet.get(), Some(&wallet()));
    assert!(state.identity.is_some(), "the key was made");

    // The newest job is watched by itself.
    assert_eq!(state.selected, Some(job_id(1)));
    act(&wires, &mut state, Command::Statement(wallet().account));
    let drawn = |s: &State| s.live.as_ref().is_some_and(|l| l.picture.changes() > 0);
    until(&mut wires, &mut state, |s| drawn(s) && s.book.statement.get().is_some());
    let live = state.live.as_ref().expect("watched");
    assert_eq!(live.tiles.len(), 60);
    let rect = spec("").grid().rect(TileIndex(5)).expect("of the grid");
    let rects: Vec<_> = live.picture.patches().iter().map(|patch| patch.rect).collect();
    assert_eq!(rects, [rect]);
    assert_eq!(live.picture.light(rect.x0, rect.y0), Some([1.0, 0.5, 0.25]));
}

#[test]
fn a_question_that_hangs_holds_up_no_other() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|farm| farm.never_says_the_balance = true);
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &running);
    until(&mut wires, &mut state, |s| s.link == Link::Connected);
    act(&wires, &mut state, Command::Statement(wallet().account));
    until(&mut wires, &mut state, |s| s.book.statement.get().is_some());
    assert!(state.book.wallet.get().is_none(), "that one still hangs");
}

#[test]
fn a_refusal_is_told_and_not_waited_for() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|farm| farm.refuses_the_balance = true);
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &running);
    until(&mut wires, &mut state, |s| s.book.wallet.trouble.is_some());
    assert_eq!(state.book.wallet.trouble.as_deref(), Some("The books are being mended"));
    until(&mut wires, &mut state, |s| s.book.jobs.get().is_some());
}

#[test]
fn a_farm_that_signs_with_another_key_is_not_believed() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|farm| farm.key = PublicKey([9; 32]));
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &running);
    until(
        &mut wires,
        &mut state,
        |s| matches!(&s.link, Link::Unusable { why } if why.contains("another key")),
    );
}

#[test]
fn the_farm_is_remembered() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|_farm| ());
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &running);
    until(&mut wires, &mut state, |s| s.link == Link::Connected);
    let path = home.path().join("desktop.toml");
    let read = || desktop_client::desk::settings_from(&path).expect("readable");
    // A desk writes them, at its own pace.
    until(&mut wires, &mut state, |_| !read().farm.is_empty());
    let settings = read();
    assert_eq!(settings, Settings { farm: running.ticket.to_string(), ..Settings::default() });
}

#[test]
fn a_film_that_was_not_accepted_is_not_drawn() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|farm| farm.lies_about_the_film = true);
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &running);
    let told = |s: &State| s.live.as_ref().is_some_and(|live| live.problem.is_some());
    until(&mut wires, &mut state, told);
    assert_eq!(state.live.expect("watched").picture.changes(), 0);
}

#[test]
fn a_farm_that_goes_away_is_found_again() {
    let home = tempfile::tempdir().expect("a folder");
    let first = run_farm(|_farm| ());
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &first);
    until(&mut wires, &mut state, |s| s.book.jobs.get().is_some());
    let address = first.ticket.addresses()[0];
    first.runtime.block_on(first.peer.close());
    until(&mut wires, &mut state, |s| matches!(s.link, Link::Lost { .. }));
    assert!(state.book.jobs.get().is_some(), "what was known stays");
    drop(first);

    // The same farm at the same address, as after a restart.
    let runtime = Runtime::new().expect("a runtime");
    let scenes = tempfile::tempdir().expect("a folder");
    let mut config = PeerConfig::new([7; 32], scenes.path());
    config.bind = address;
    let peer = runtime.block_on(Peer::bind(config)).expect("the address is free again");
    let farm = TinyFarm::of(peer.id());
    runtime.block_on(async { peer.serve(Arc::new(farm)) });
    act(&wires, &mut state, Command::RetryNow);
    until(&mut wires, &mut state, |s| s.link == Link::Connected);
    runtime.block_on(peer.close());
}

#[test]
fn what_only_a_person_can_mend_is_said_and_not_retried() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut wires, mut state) = (app(home.path()), State::default());
    act(&wires, &mut state, Command::Connect("no ticket".to_owned()));
    until(&mut wires, &mut state, |s| matches!(s.link, Link::Unusable { .. }));
    let Link::Unusable { why } = &state.link else { unreachable!("just waited for it") };
    assert!(why.starts_with("Not a farm ticket"), "{why}");

    let other = run_farm(|farm| {
        farm.refuses = Some((RefusedCode::Version, "this farm speaks version 2; update the app"));
    });
    connect(&wires, &mut state, &other);
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
    assert!(why.starts_with("Other users may read") && why.contains("chmod 600"), "{why}");
}

#[test]
fn jobs_beyond_the_first_page_are_asked_for_seldom_and_none_is_lost() {
    let home = tempfile::tempdir().expect("a folder");
    let pages = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&pages);
    let running = run_farm(|farm| (farm.more_jobs, farm.pages) = (1_233, seen));
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &running);
    until(&mut wires, &mut state, |s| s.book.job_list().len() == 1_234);
    assert!(state.book.job(numbered(1_233).job).is_some(), "the oldest");

    // The list stays whole while first pages come, of which there are many to one sweep.
    let asked = |offset| pages.lock().expect("no panic").iter().filter(|it| **it == offset).count();
    until(&mut wires, &mut state, |_| asked(1_000) >= 2);
    assert!(asked(0) >= 10, "{} first pages", asked(0));
    assert!(asked(500) <= 3 && asked(1_500) == 0);
    assert_eq!(state.book.job_list().len(), 1_234);

    // One that is steered there is seen at once.
    let job = numbered(1_100).job;
    act(&wires, &mut state, Command::Steer { job, steering: Steering::Pause });
    let is_paused = |s: &State| s.book.job(job).is_some_and(|row| row.status == JobStatus::Paused);
    until(&mut wires, &mut state, is_paused);
}

#[test]
fn a_wallet_of_many_entries_is_read_by_pages_and_written_to_a_file() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|farm| farm.entries = 1_203);
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &running);
    until(&mut wires, &mut state, |s| s.book.wallet.get().is_some());
    let rows = |s: &State| s.book.statement.get().map_or(0, |page| page.rows.len());
    act(&wires, &mut state, Command::Statement(wallet().account));
    until(&mut wires, &mut state, |s| rows(s) == 100);
    act(&wires, &mut state, Command::OlderEntries);
    until(&mut wires, &mut state, |s| rows(s) == 500);
    act(&wires, &mut state, Command::OlderEntries);
    until(&mut wires, &mut state, |s| rows(s) == 900);

    let path = home.path().join("statement.csv");
    let says = |s: &State, words: &str| s.notices.list.iter().any(|it| it.words.contains(words));
    act(&wires, &mut state, Command::Wallet(Act::Export(path.clone())));
    until(&mut wires, &mut state, |s| says(s, "entries written to"));
    let text = std::fs::read_to_string(&path).expect("written");
    assert_eq!(text.lines().count(), 1_204, "with the names of the columns");
    act(&wires, &mut state, Command::Wallet(Act::Export(path)));
    until(&mut wires, &mut state, |s| says(s, "There is a file already"));

    act(&wires, &mut state, Command::Wallet(Act::Stake(Tokens::from_whole(3))));
    until(&mut wires, &mut state, |s| says(s, "3.00 TES at risk"));
    act(&wires, &mut state, Command::Wallet(Act::Stake(Tokens::from_whole(4))));
    until(&mut wires, &mut state, |s| says(s, "The wallet holds less than 4"));
    let copy = home.path().join("copy of the key");
    act(&wires, &mut state, Command::Wallet(Act::BackUp(copy.clone())));
    until(&mut wires, &mut state, |s| says(s, "The key is copied"));
    let read = |path: &Path| std::fs::read(path).expect("there");
    assert_eq!(read(&copy), read(&home.path().join("key")));
}

#[test]
fn a_node_is_kept_off_listed_and_let_back() {
    let home = tempfile::tempdir().expect("a folder");
    let running = run_farm(|_farm| ());
    let (mut wires, mut state) = (app(home.path()), State::default());
    connect(&wires, &mut state, &running);
    until(&mut wires, &mut state, |s| s.book.farm.get().is_some());
    let says = |s: &State, words: &str| s.notices.list.iter().any(|it| it.words == words);
    let count = |s: &State| s.book.blocks.get().map(Vec::len);
    act(&wires, &mut state, Command::Sheet(Some(Sheet::Blocks)));
    until(&mut wires, &mut state, |s| count(s) == Some(0));

    // What it did is listed without being asked for.
    let node = NodeId([0x61; 32]);
    act(&wires, &mut state, Command::Block(Blocking::of(node)));
    until(&mut wires, &mut state, |s| count(s) == Some(1));
    assert!(says(&state, "studio-07 (nod_61616161): Gets nothing of your jobs from now on"));

    // A refusal is told in the farm's words, and changes nothing.
    act(&wires, &mut state, Command::Block(Blocking::of(NodeId([0xff; 32]))));
    let refused = "nod_ffffffff: No node of that key is known here";
    until(&mut wires, &mut state, |s| says(s, refused));
    assert_eq!(count(&state), Some(1));

    act(&wires, &mut state, Command::Block(Blocking::back(node.into())));
    until(&mut wires, &mut state, |s| count(s) == Some(0));
    assert!(says(&state, "studio-07 (nod_61616161): Let back to your jobs"));
}
