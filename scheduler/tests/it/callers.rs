//! A scheduler in this process, and scripted nodes and clients that call it over loopback.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use film::{Film, Frame, Pixel};
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::{JobStatus, JobUpdate, NodeView, SceneArrival};
use protocol::{
    Class, Commitment, FrameRange, JobId, JobSpec, Lease, NodeHello, NodeId, Offer, Order, Quote,
    RenderSettings, Reply, Request, Role, SceneId, Schedule, Signed, SigningKey, Size, Tokens,
};
use renderer::{Backend as _, Cancel, CpuBackend, RenderScene, Work};
use scheduler::{Config, News, Ready};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use transport::{CallError, Connection, Peer, PeerConfig, Ticket};

pub const TIMEOUT: Duration = Duration::from_secs(60);

pub fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

pub fn backend() -> CpuBackend {
    CpuBackend::new(NonZeroUsize::new(1))
}

pub fn settings() -> RenderSettings {
    RenderSettings { size: Size::new(48, 32), samples: 32, bounces: 4, ..Default::default() }
}

pub fn spec(name: &str) -> JobSpec {
    JobSpec {
        name: name.to_owned(),
        scene: scene::pack(&scene::golden()).id(),
        settings: settings(),
        more_cameras: Vec::new(),
        frames: FrameRange::STILL,
        tile_side_px: 16,
        base: None,
        noise: None,
        needs: protocol::Needs::default(),
    }
}

/// A scheduler in this process.
pub struct Farm {
    pub ready: Ready,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Farm {
    pub async fn start(dir: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            data_dir: dir.to_owned(),
            cpu_threads: NonZeroUsize::new(1),
            // Units of one chunk, so that small frames have many.
            unit_ms: 1,
            unit_ms_max: 1,
            // Scripts ask faster than people.
            requests_per_second: 0,
            tick_ms: 20,
            ..Config::default()
        };
        change(&mut config);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let running = tokio::spawn(scheduler::run(
            config,
            move |news| {
                if let (News::Open(ready), Some(tell)) = (news, tell.take()) {
                    tell.send(ready).expect("the test waits");
                }
            },
            async move { drop(stopped.await) },
        ));
        match told.await {
            Ok(ready) => Self { ready, stop, running },
            Err(_never_ready) => panic!("{:?}", running.await.expect("no panic")),
        }
    }

    pub async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.running.await.expect("no panic").expect("a clean stop");
    }
}

/// A peer with a connection to the farm.
pub struct Caller {
    pub key: SigningKey,
    pub peer: Peer,
    pub connection: Connection,
    ticket: Ticket,
    _scenes: tempfile::TempDir,
}

impl Caller {
    pub async fn connect(number: u8, ticket: &Ticket) -> Self {
        let key = SigningKey::from_bytes(&[number; 32]);
        let scenes = tempfile::tempdir().expect("a folder");
        let peer = Peer::bind(PeerConfig::new(key.to_bytes(), scenes.path())).await.expect("binds");
        let connection = peer.connect(ticket).await.expect("connects");
        Self { key, peer, connection, ticket: ticket.clone(), _scenes: scenes }
    }

    pub async fn call(&self, request: Request, body: Bytes) -> Result<(Reply, Bytes), CallError> {
        self.connection.call(&request, body, TIMEOUT).await
    }

    pub async fn ask(&self, request: Request) -> Reply {
        self.call(request, Bytes::new()).await.expect("an answer").0
    }

    pub async fn refusal(&self, request: Request) -> protocol::message::Refused {
        match self.call(request, Bytes::new()).await {
            Err(CallError::Refused(refused)) => refused,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub async fn hello(&self, role: Role) -> Reply {
        self.ask(self.ticket.hello(role)).await
    }
}

/// A client that has offered the golden scene.
pub async fn client(number: u8, ticket: &Ticket) -> Caller {
    let caller = Caller::connect(number, ticket).await;
    caller.hello(Role::Client).await;
    let package = scene::pack(&scene::golden());
    let scene = caller.peer.scenes().add(package.parts().collect()).await.expect("kept");
    assert_eq!(scene, package.id());
    offer(&caller, scene, package.size_bytes()).await;
    caller
}

/// Offers a scene until it is there.
pub async fn offer(caller: &Caller, scene: SceneId, size_bytes: u64) -> SceneArrival {
    loop {
        let request = Request::OfferScene { scene, size_bytes, wait_ms: 10_000 };
        let Reply::Arrival(arrival) = caller.ask(request).await else { panic!("no arrival") };
        if arrival.is_whole {
            return arrival;
        }
    }
}

pub async fn quote(client: &Caller, spec: &JobSpec) -> Quote {
    let Reply::Quote(signed) =
        client.ask(Request::Quote { spec: spec.clone(), offer: Offer::default() }).await
    else {
        panic!("no quote")
    };
    signed.open().expect("signed")
}

pub fn order(client: &Caller, spec: &JobSpec, quote: &Quote) -> Request {
    let artist = public_key(&client.key);
    let (quote, price, schedule) = (quote.id, quote.price, Schedule::default());
    let order = Order { quote, spec: spec.digest(), price, artist, schedule };
    Request::Order { spec: spec.clone(), order: Signed::new(&order, &client.key) }
}

pub async fn ordered(client: &Caller, spec: &JobSpec) -> JobId {
    let quote = quote(client, spec).await;
    match client.ask(order(client, spec, &quote)).await {
        Reply::Ordered { job } => job,
        other => panic!("{other:?}"),
    }
}

pub async fn wait_for(client: &Caller, job: JobId, status: JobStatus) -> JobUpdate {
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

pub fn node_hello(backend: &str) -> Role {
    Role::Node(NodeHello {
        name: "scripted".to_owned(),
        engine: renderer::ENGINE,
        backend: backend.to_owned(),
        rays_per_second: 1_000_000,
        equipment: protocol::Equipment::default(),
        ask_per_gray: Tokens::ZERO,
        owner: None,
    })
}

/// A node that has qualified.
pub async fn node(number: u8, ticket: &Ticket) -> Caller {
    let caller = Caller::connect(number, ticket).await;
    if let Some(film) = golden(&caller, "cpu").await {
        let answer = caller.call(Request::Qualify, film.to_bytes().into()).await;
        assert_eq!(answer.expect("an answer").0, Reply::Qualified { class: Class::Exact });
    }
    caller
}

/// Says hello with this backend; the golden film, rendered well, where one is asked for.
pub async fn golden(caller: &Caller, backend_name: &str) -> Option<Film> {
    golden_as(caller, node_hello(backend_name)).await
}

/// The same of one that is equipped in its own way.
pub async fn golden_as(caller: &Caller, role: Role) -> Option<Film> {
    let Reply::Welcome { qualify, .. } = caller.hello(role).await else { panic!("not welcome") };
    let settings = qualify?.settings;
    let frame = renderer::prepare(&scene::golden(), &settings, 0.0).expect("prepares");
    let batch = protocol::Batch::new(0, 1).expect("aligned");
    let work = Work { rect: protocol::Rect::of_size(settings.size), batch };
    Some(backend().render(&frame, work, &Cancel::default()).expect("renders"))
}

pub async fn leases(node: &Caller, max: u32, wait_ms: u32) -> Result<Vec<Lease>, CallError> {
    match node.call(Request::Leases { max, wait_ms }, Bytes::new()).await?.0 {
        Reply::Leases(leases) => {
            Ok(leases.iter().map(|lease| lease.open().expect("signed")).collect())
        }
        other => panic!("{other:?}"),
    }
}

pub fn commit(node: &Caller, lease: &Lease, film: &Film) -> Request {
    let commitment = Commitment {
        lease: lease.id,
        node: NodeId(public_key(&node.key).0),
        piece: lease.piece.digest(),
        root: film.root(),
        rays: film.rays(),
        engine: renderer::ENGINE,
    };
    Request::Submit { commitment: Signed::new(&commitment, &node.key) }
}

pub fn render(frame: &RenderScene, lease: &Lease) -> Film {
    render_unit(frame, lease.piece.rect, lease.piece.unit.batch)
}

pub fn render_unit(frame: &RenderScene, rect: protocol::Rect, batch: protocol::Batch) -> Film {
    backend().render(frame, Work { rect, batch }, &Cancel::default()).expect("renders")
}

/// Works until there is nothing to do for `idle_ms`, or `units` are done. Returns how many were.
pub async fn work(
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

pub fn honest(_film: &mut Film) {}

/// Every third pixel is a copy of its neighbour, its counts unchanged.
pub fn lazy(film: &mut Film) {
    let pixels = film.pixels_mut();
    for index in (3..pixels.len()).step_by(3) {
        let (before, here) = (pixels[index - 1], pixels[index]);
        pixels[index] = Pixel { samples: here.samples, ..before };
    }
}

pub fn frame() -> Arc<RenderScene> {
    Arc::new(renderer::prepare(&scene::golden(), &settings(), 0.0).expect("prepares"))
}

/// The picture that the farm made is, to the bit, the one that a local render makes.
pub async fn assert_picture(client: &Caller, update: &JobUpdate, frame: &RenderScene) {
    let settings = frame.settings();
    let mut merged = Frame::of(settings);
    for unit in &update.accepted {
        let (id, root) = (unit.unit, unit.root);
        let got = client.call(Request::Film { unit: id }, Bytes::new()).await;
        let (reply, body) = got.expect("a film");
        assert_eq!(reply, Reply::Film);
        let rect = update.summary.spec.grid().rect(id.tile).expect("a tile");
        let film = Film::from_bytes(rect, id.batch, settings.passes, &body).expect("a film");
        assert_eq!(film.root(), root);
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

pub async fn assert_ledger(caller: &Caller) {
    let Reply::Ledger(check) = caller.ask(Request::CheckLedger).await else { panic!("no check") };
    assert!(check.verified && check.sum_is_zero, "{check:?}");
}

/// Pay is held back for a moment only.
pub fn soon_paid(config: &mut Config) {
    config.policy.hold_ms = 1;
}

/// A node as it sees itself once nothing of it is held back.
pub async fn once_paid(node: &Caller) -> NodeView {
    for _ in 0..500 {
        let Reply::Node(view) = node.ask(Request::MyNode).await else { panic!("no view") };
        if view.held.is_zero() {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("held pay was never released");
}
