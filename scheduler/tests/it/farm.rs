//! The shell over real sockets: scripted nodes and a client on loopback.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use film::{Film, Frame, Pixel};
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::{JobStatus, JobUpdate, NodeView};
use protocol::{
    Class, Commitment, FrameRange, JobId, JobSpec, Lease, NodeHello, NodeId, Order,
    PROTOCOL_VERSION, Quote, Refusal, RenderSettings, Reply, Request, Role, Signed, SigningKey,
    Size, Tokens, Unit, VerdictKind,
};
use renderer::{Backend as _, Cancel, CpuBackend, RenderScene, Work};
use scheduler::{Config, Ready};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use transport::{CallError, Connection, Peer, PeerConfig, Ticket};

const TIMEOUT: Duration = Duration::from_secs(60);

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

fn backend() -> CpuBackend {
    CpuBackend::new(NonZeroUsize::new(1))
}

fn settings() -> RenderSettings {
    RenderSettings { size: Size::new(48, 32), samples: 32, bounces: 4, ..Default::default() }
}

fn spec(name: &str) -> JobSpec {
    JobSpec {
        name: name.to_owned(),
        scene: scene::package_id(&scene::pack(&scene::golden())),
        settings: settings(),
        more_cameras: Vec::new(),
        frames: FrameRange::STILL,
        tile_side_px: 16,
    }
}

/// A scheduler in this process.
struct Farm {
    ready: Ready,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Farm {
    async fn start(dir: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            data_dir: dir.to_owned(),
            cpu_threads: NonZeroUsize::new(1),
            // Units of one chunk, so that small frames have many.
            unit_ms: 1,
            tick_ms: 20,
            ..Config::default()
        };
        change(&mut config);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let running = tokio::spawn(scheduler::run(
            config,
            move |ready| tell.send(ready).expect("the test waits"),
            async move { drop(stopped.await) },
        ));
        match told.await {
            Ok(ready) => Self { ready, stop, running },
            Err(_never_ready) => panic!("{:?}", running.await.expect("no panic")),
        }
    }

    async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.running.await.expect("no panic").expect("a clean stop");
    }
}

/// A peer with a connection to the farm.
struct Caller {
    key: SigningKey,
    peer: Peer,
    connection: Connection,
    _scenes: tempfile::TempDir,
}

impl Caller {
    async fn connect(number: u8, ticket: &Ticket) -> Self {
        let key = SigningKey::from_bytes(&[number; 32]);
        let scenes = tempfile::tempdir().expect("a folder");
        let peer = Peer::bind(PeerConfig::new(key.to_bytes(), scenes.path())).await.expect("binds");
        let connection = peer.connect(ticket).await.expect("connects");
        Self { key, peer, connection, _scenes: scenes }
    }

    async fn call(&self, request: Request, body: Bytes) -> Result<(Reply, Bytes), CallError> {
        self.connection.call(&request, body, TIMEOUT).await
    }

    async fn ask(&self, request: Request) -> Reply {
        self.call(request, Bytes::new()).await.expect("an answer").0
    }

    async fn refusal(&self, request: Request) -> protocol::message::Refused {
        match self.call(request, Bytes::new()).await {
            Err(CallError::Refused(refused)) => refused,
            other => panic!("not refused: {other:?}"),
        }
    }

    async fn hello(&self, role: Role) -> Reply {
        self.ask(Request::Hello { protocol: PROTOCOL_VERSION, role }).await
    }
}

/// A client that has offered the golden scene.
async fn client(number: u8, ticket: &Ticket) -> Caller {
    let caller = Caller::connect(number, ticket).await;
    caller.hello(Role::Client).await;
    let package = scene::pack(&scene::golden());
    let size_bytes = package.len() as u64;
    let scene = caller.peer.scenes().add(package.into()).await.expect("kept");
    assert_eq!(caller.ask(Request::OfferScene { scene, size_bytes }).await, Reply::Done);
    caller
}

async fn quote(client: &Caller, spec: &JobSpec) -> Quote {
    let Reply::Quote(signed) = client.ask(Request::Quote { spec: spec.clone() }).await else {
        panic!("no quote")
    };
    signed.open().expect("signed")
}

fn order(client: &Caller, spec: &JobSpec, quote: &Quote) -> Request {
    let artist = public_key(&client.key);
    let (quote, price) = (quote.id, quote.price);
    let order = Order { quote, spec: spec.digest(), price, artist };
    Request::Order { spec: spec.clone(), order: Signed::new(&order, &client.key) }
}

async fn ordered(client: &Caller, spec: &JobSpec) -> JobId {
    let quote = quote(client, spec).await;
    match client.ask(order(client, spec, &quote)).await {
        Reply::Ordered { job } => job,
        other => panic!("{other:?}"),
    }
}

async fn wait_for(client: &Caller, job: JobId, status: JobStatus) -> JobUpdate {
    let mut after = 0;
    for _ in 0..1_000 {
        let request = Request::Watch { job, after, wait_ms: 10_000 };
        let Reply::Job(update) = client.ask(request).await else { panic!("no news") };
        if update.summary.status == status {
            let Reply::Job(all) = client.ask(Request::Watch { job, after: 0, wait_ms: 0 }).await
            else {
                panic!("no news")
            };
            return *all;
        }
        after = update.next;
    }
    panic!("the job never became {status:?}");
}

fn node_hello(backend: &str) -> Role {
    Role::Node(NodeHello {
        name: "scripted".to_owned(),
        engine: renderer::ENGINE,
        backend: backend.to_owned(),
        rays_per_second: 1,
        memory_bytes: 1 << 30,
        owner: None,
    })
}

/// A node that has qualified.
async fn node(number: u8, ticket: &Ticket) -> Caller {
    let caller = Caller::connect(number, ticket).await;
    let Reply::Welcome { qualify, .. } = caller.hello(node_hello("cpu")).await else {
        panic!("not welcome")
    };
    if let Some(golden) = qualify {
        let settings = golden.settings;
        let frame = renderer::prepare(&scene::golden(), &settings, 0.0).expect("prepares");
        let batch = protocol::Batch::new(0, 1).expect("aligned");
        let work = Work { rect: protocol::Rect::of_size(settings.size), batch };
        let film = backend().render(&frame, work, &Cancel::default()).expect("renders");
        let answer = caller.call(Request::Qualify, film.to_bytes().into()).await;
        assert_eq!(answer.expect("an answer").0, Reply::Qualified { class: Class::Exact });
    }
    caller
}

async fn leases(node: &Caller, max: u32, wait_ms: u32) -> Result<Vec<Lease>, CallError> {
    match node.call(Request::Leases { max, wait_ms }, Bytes::new()).await?.0 {
        Reply::Leases(leases) => {
            Ok(leases.iter().map(|lease| lease.open().expect("signed")).collect())
        }
        other => panic!("{other:?}"),
    }
}

fn commit(node: &Caller, lease: &Lease, film: &Film) -> Request {
    let commitment = Commitment {
        lease: lease.id,
        node: NodeId(public_key(&node.key).0),
        root: film.root(),
        rays: film.rays(),
        engine: renderer::ENGINE,
    };
    Request::Submit { commitment: Signed::new(&commitment, &node.key) }
}

fn render(frame: &RenderScene, lease: &Lease) -> Film {
    let work = Work { rect: lease.rect, batch: lease.unit.batch };
    backend().render(frame, work, &Cancel::default()).expect("renders")
}

/// Works until there is nothing to do for `idle_ms`, or `units` are done. Returns how many were.
async fn work(
    node: &Caller,
    frame: Arc<RenderScene>,
    forge: fn(&mut Film),
    idle_ms: u32,
    units: usize,
) -> usize {
    let mut done = 0;
    while done < units {
        let Ok(leases) = leases(node, 1, idle_ms).await else { break };
        let Some(lease) = leases.into_iter().next() else { break };
        let (frame, for_render) = (frame.clone(), lease.clone());
        let film = tokio::task::spawn_blocking(move || {
            let mut film = render(&frame, &for_render);
            forge(&mut film);
            film
        });
        let film = film.await.expect("renders");
        let request = commit(node, &lease, &film);
        match node.call(request, film.to_bytes().into()).await {
            Ok((reply, _)) => assert_eq!(reply, Reply::Done),
            // A convicted node's other leases are taken away.
            Err(CallError::Refused(refused)) => {
                assert_eq!(refused.code, RefusedCode::LeaseLapsed);
            }
            Err(error) => panic!("{error}"),
        }
        done += 1;
    }
    done
}

fn honest(_film: &mut Film) {}

/// Every twelfth pixel is a copy of its neighbour, its counts unchanged.
fn lazy(film: &mut Film) {
    let pixels = film.pixels_mut();
    for index in (12..pixels.len()).step_by(12) {
        let (before, here) = (pixels[index - 1], pixels[index]);
        pixels[index] = Pixel { samples: here.samples, ..before };
    }
}

fn frame() -> Arc<RenderScene> {
    Arc::new(renderer::prepare(&scene::golden(), &settings(), 0.0).expect("prepares"))
}

/// The picture that the farm made is, to the bit, the one that a local render makes.
async fn assert_picture(client: &Caller, update: &JobUpdate, frame: &RenderScene) {
    let settings = frame.settings();
    let mut merged = Frame::of(settings);
    for unit in &update.accepted {
        let job = update.summary.job;
        let id = Unit { job, shot: unit.shot, tile: unit.tile, batch: unit.batch };
        let got = client.call(Request::Film { unit: id }, Bytes::new()).await;
        let (reply, body) = got.expect("a film");
        assert_eq!(reply, Reply::Film);
        let rect = update.summary.spec.grid().rect(unit.tile).expect("a tile");
        let film = Film::from_bytes(rect, unit.batch, settings.passes, &body).expect("a film");
        assert_eq!(film.root(), unit.root);
        merged.insert(film).expect("fits");
    }
    assert!(merged.is_complete());
    let batch = protocol::Batch::new(0, 2).expect("aligned");
    let work = Work { rect: settings.window(), batch };
    let whole = backend().render(frame, work, &Cancel::default()).expect("renders");
    let mut local = Frame::of(settings);
    local.insert(whole).expect("fits");
    let bits = |frame: &Frame| -> Vec<[u32; 3]> {
        frame.picture().beauty.iter().map(|rgb| rgb.map(f32::to_bits)).collect()
    };
    assert_eq!(bits(&merged), bits(&local));
    assert_eq!(merged.picture(), local.picture(), "all layers");
}

async fn assert_ledger(caller: &Caller) {
    let Reply::Ledger(check) = caller.ask(Request::CheckLedger).await else { panic!("no check") };
    assert!(check.verified && check.sum_is_zero, "{check:?}");
}

#[test]
fn a_frame_is_quoted_rendered_checked_and_paid() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let frame = frame();
        let (a, b, c) = (node(1, ticket).await, node(2, ticket).await, node(3, ticket).await);
        let job = ordered(&client, &spec("whole")).await;
        // The lazy one renders first, so that there is something to convict it of.
        work(&c, frame.clone(), lazy, 200, 1).await;
        let both = tokio::join!(
            work(&a, frame.clone(), honest, 1_500, 1_000),
            work(&b, frame.clone(), honest, 1_500, 1_000),
        );
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert!(both.0 + both.1 >= update.summary.units as usize);
        assert_picture(&client, &update, &frame).await;

        // Money: what was spent and returned is the price; the lazy node has nothing.
        let summary = &update.summary;
        let sum = summary.spent.checked_add(summary.refunded);
        assert_eq!(sum, Some(summary.price));
        assert!(!summary.refunded.is_zero() && !summary.spent.is_zero());
        assert_ledger(&client).await;
        for (node, barred) in [(&a, false), (&b, false), (&c, true)] {
            let view = once_paid(node).await;
            assert_eq!(view.barred, barred, "{view:?}");
            assert_eq!(view.earned.is_zero(), barred);
            let Reply::Wallet(wallet) = node.ask(Request::Wallet).await else { panic!("none") };
            assert_eq!(wallet.balance, view.earned);
        }
        let Reply::Verdicts(verdicts) = c.ask(Request::MyVerdicts { after: 0 }).await else {
            panic!("no verdicts")
        };
        let verdict = verdicts[0].1.open_from(farm.ready.key).expect("signed");
        assert!(matches!(verdict.kind, protocol::VerdictKind::Refused(_)), "{verdict:?}");
        assert_eq!(
            c.refusal(Request::Leases { max: 1, wait_ms: 0 }).await.code,
            RefusedCode::NotAllowed
        );
        for caller in [client, a, b, c] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// Pay is held back for a moment only.
fn soon_paid(config: &mut Config) {
    config.policy.hold_ms = 1;
}

/// A node as it sees itself once nothing of it is held back.
async fn once_paid(node: &Caller) -> NodeView {
    for _ in 0..500 {
        let Reply::Node(view) = node.ask(Request::MyNode).await else { panic!("no view") };
        if view.held.is_zero() {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("held pay was never released");
}

/// A node's first units get a twin, paid from another account: while both are out, neither node's
/// statement tells which it has.
#[test]
fn a_node_cannot_tell_a_twin_by_its_account() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let (a, b) = (node(1, ticket).await, node(2, ticket).await);
        let job = ordered(&client, &spec("twins")).await;
        let first = leases(&a, 1, 5_000).await.expect("leases").remove(0);
        let second = leases(&b, 1, 5_000).await.expect("leases").remove(0);
        assert_eq!(first.unit, second.unit, "twins");
        let mut seen = Vec::new();
        for node in [&a, &b] {
            let account = ledger::account::held(NodeId(public_key(&node.key).0)).id();
            let request = Request::Statement { account, offset: 0, limit: 10 };
            let page = loop {
                let reply = node.call(request.clone(), Bytes::new()).await;
                match reply {
                    Ok((Reply::Statement(page), _)) if page.total > 0 => break page,
                    Ok(_) | Err(CallError::Refused(_)) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            };
            let [row] = &page.rows[..] else { panic!("one lease, one row: {page:?}") };
            assert_eq!(row.other, account, "nobody's name is told");
            seen.push((row.code.clone(), row.amount, row.credit));
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0].0, "set aside");
        // The artist's own account tells the artist all.
        let escrow = ledger::account::escrow(job).id();
        let request = Request::Statement { account: escrow, offset: 0, limit: 10 };
        let Reply::Statement(page) = client.ask(request).await else { panic!("no statement") };
        assert!(page.rows.iter().any(|row| row.code == "pay (set aside)"), "{page:?}");
        for caller in [client, a, b] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// Says of some pixels that what is glossy were diffuse; the beauty stays as it is.
fn relabelling(film: &mut Film) {
    let passes = film.sums_mut().passes_mut().expect("the job asks for them");
    for passes in passes.iter_mut().step_by(12) {
        std::mem::swap(&mut passes.direct.diffuse, &mut passes.direct.glossy);
        std::mem::swap(&mut passes.environment, &mut passes.emission);
    }
}

#[test]
fn light_passes_are_rendered_checked_and_a_forged_one_is_caught() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let mut spec = spec("passes");
        spec.settings.passes = true;
        let frame = renderer::prepare(&scene::golden(), &spec.settings, 0.0).expect("prepares");
        let frame = Arc::new(frame);
        let (a, b) = (node(1, ticket).await, node(2, ticket).await);
        let job = ordered(&client, &spec).await;
        work(&b, frame.clone(), relabelling, 200, 1).await;
        work(&a, frame.clone(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert_picture(&client, &update, &frame).await;
        for (node, barred) in [(&a, false), (&b, true)] {
            let view = once_paid(node).await;
            assert_eq!((view.barred, view.earned.is_zero()), (barred, barred), "{view:?}");
        }
        let Reply::Verdicts(verdicts) = b.ask(Request::MyVerdicts { after: 0 }).await else {
            panic!("no verdicts")
        };
        let verdict = verdicts[0].1.open_from(farm.ready.key).expect("signed");
        let by_pixels =
            |kind: &VerdictKind| matches!(kind, VerdictKind::Refused(Refusal::Pixels { .. }));
        assert!(by_pixels(&verdict.kind), "{verdict:?}");
        for caller in [client, a, b] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// A crop with overscan: its tiles alone are planned and priced, and they have the local bits.
#[test]
fn a_crop_is_priced_and_rendered_alone() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let crop = Some(protocol::Crop { x: -3, y: 7, size: Size::new(22, 14) });
        let settings = RenderSettings { crop, overscan: 5, ..settings() };
        let spec = JobSpec { settings: settings.clone(), ..spec("crop") };
        let whole = RenderSettings { crop: None, overscan: 0, ..settings.clone() };
        let whole = JobSpec { settings: whole, ..spec.clone() };
        let (part, whole) = (quote(&client, &spec).await, quote(&client, &whole).await);
        assert!(part.rays.closest * 3 < whole.rays.closest, "{part:?}, {whole:?}");

        let frame = renderer::prepare(&scene::golden(), &settings, 0.0).expect("prepares");
        let frame = Arc::new(frame);
        let (a, b) = (node(1, ticket).await, node(2, ticket).await);
        let job = ordered(&client, &spec).await;
        tokio::join!(
            work(&a, frame.clone(), honest, 1_500, 1_000),
            work(&b, frame.clone(), honest, 1_500, 1_000),
        );
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert_eq!((update.tiles.len(), update.summary.units), (2, 4));
        assert_picture(&client, &update, &frame).await;
        for caller in [client, a, b] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

#[test]
fn a_stopped_scheduler_goes_on_where_it_was() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let frame = frame();
        let farm = Farm::start(dir.path(), |_| ()).await;
        let key = farm.ready.key;
        let first = client(10, &farm.ready.ticket).await;
        let job = ordered(&first, &spec("continued")).await;
        let worker = node(1, &farm.ready.ticket).await;
        // A lease is out when the scheduler stops; its film comes after the start.
        assert_eq!(work(&worker, frame.clone(), honest, 200, 3).await, 3);
        let out = leases(&worker, 1, 1_000).await.expect("leases").remove(0);
        worker.peer.close().await;
        first.peer.close().await;
        farm.stop().await;

        let farm = Farm::start(dir.path(), |_| ()).await;
        assert_eq!(farm.ready.key, key);
        let worker = node(1, &farm.ready.ticket).await;
        let film = render(&frame, &out);
        for _ in 0..2 {
            // Said twice, because the first reply may have been lost.
            let answer = worker.call(commit(&worker, &out, &film), film.to_bytes().into()).await;
            assert_eq!(answer.expect("an answer").0, Reply::Done);
        }
        let client = client(10, &farm.ready.ticket).await;
        work(&worker, frame.clone(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert_picture(&client, &update, &frame).await;
        assert_ledger(&client).await;
        worker.peer.close().await;
        client.peer.close().await;
        farm.stop().await;
    });
}

#[test]
fn who_may_not_is_told_why() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let poor = |config: &mut Config| config.welcome_grant = Tokens::from_micro(5);
        let farm = Farm::start(dir.path(), poor).await;
        let ticket = &farm.ready.ticket;
        let artist = client(10, ticket).await;
        let spec = spec("refused");

        // Not enough tokens: both amounts are named, and no job exists.
        let quoted = quote(&artist, &spec).await;
        let refused = artist.refusal(order(&artist, &spec, &quoted)).await;
        assert_eq!(refused.code, RefusedCode::NotEnoughTokens);
        assert!(refused.message.contains(&quoted.price.to_string()), "{refused}");
        assert!(refused.message.contains("0.000005"), "{refused}");
        let jobs = artist.ask(Request::Jobs { offset: 0, limit: 10 }).await;
        assert_eq!(jobs, Reply::Jobs(Vec::new()));

        // Another price, another quote, another's order.
        let mut cheaper = quoted.clone();
        cheaper.price = Tokens::from_micro(1);
        let refused = artist.refusal(order(&artist, &spec, &cheaper)).await;
        assert_eq!(refused.code, RefusedCode::QuoteLapsed);
        let stranger = client(11, ticket).await;
        let theirs = order(&artist, &spec, &quoted);
        assert_eq!(stranger.refusal(theirs).await.code, RefusedCode::NotAllowed);

        // Settings that cannot be, scenes that are not here, cameras that are not in them.
        let mut bad = spec.clone();
        bad.settings.samples = 0;
        assert_eq!(
            artist.refusal(Request::Quote { spec: bad }).await.code,
            RefusedCode::BadRequest
        );
        let mut elsewhere = spec.clone();
        elsewhere.scene = protocol::SceneId([7; 32]);
        let refused = artist.refusal(Request::Quote { spec: elsewhere }).await;
        assert_eq!(refused.code, RefusedCode::NotFound);
        let mut blind = spec.clone();
        blind.settings.camera = protocol::CameraChoice::Named("no such camera".to_owned());
        let refused = artist.refusal(Request::Quote { spec: blind }).await;
        assert_eq!(refused.code, RefusedCode::BadScene);
        assert!(refused.message.contains("no such camera"), "{refused}");

        // Other people's accounts and nodes' requests.
        let account = ledger::account::wallet(public_key(&artist.key)).id();
        let peek = Request::Statement { account, offset: 0, limit: 10 };
        assert_eq!(stranger.refusal(peek.clone()).await.code, RefusedCode::NotAllowed);
        assert!(matches!(artist.ask(peek).await, Reply::Statement(page) if page.total == 1));
        let work = Request::Leases { max: 1, wait_ms: 0 };
        assert_eq!(stranger.refusal(work).await.code, RefusedCode::NotFound);

        // A node of another engine.
        let old = Caller::connect(12, ticket).await;
        let Role::Node(mut hello) = node_hello("cpu") else { panic!("a node") };
        hello.engine = protocol::Engine(renderer::ENGINE.0 + 1);
        let protocol = PROTOCOL_VERSION;
        let refused = old.refusal(Request::Hello { protocol, role: Role::Node(hello) }).await;
        assert_eq!(refused.code, RefusedCode::Version);
        for caller in [artist, stranger, old] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
