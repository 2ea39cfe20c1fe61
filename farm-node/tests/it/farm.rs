//! A farm of one scene that hands out what a test gives it and keeps what comes.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use farm_node::{Cheat, Config, Manners, NodeEvent, RunError, Wishes};
use film::Film;
use protocol::message::{Qualification, RefusedCode};
use protocol::sign::public_key;
use protocol::{
    Batch, Class, Engine, GivenBack, Holder, Holders, Invitation, JobId, Lease, LeaseId, NodeId,
    Piece, PublicKey, RayCount, Rect, RenderSettings, Reply, Request, SceneId, ScenePass, Signed,
    SigningKey, Size, TileIndex, Tokens, Unit, Verdict, VerdictKind,
};
use renderer::{Backend as _, Cancel, CpuBackend, Work};
use sandbox::BackendChoice;
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use transport::{BoxFuture, Peer, PeerConfig, Service};

/// Nothing waits this long when all is well.
pub const LONG: Duration = Duration::from_secs(60);

/// What the farm knows.
#[derive(Default)]
pub struct Book {
    pub to_lease: VecDeque<Signed<Lease>>,
    pub golden: Option<Bytes>,
    pub films: Vec<(LeaseId, Bytes)>,
    pub beaten: Vec<LeaseId>,
    pub released: Vec<LeaseId>,
    pub unwanted: Vec<(LeaseId, String)>,
    /// Films are heard and never answered.
    pub deaf: bool,
    /// Leases go to the nodes that they name; else to whoever asks next.
    pub by_node: bool,
    /// What each node says that it gives, and where.
    pub given: BTreeMap<PublicKey, (Vec<SceneId>, Vec<SocketAddr>)>,
    /// Named before those, whatever they have.
    pub named: Vec<Holder>,
    /// Only who knows it comes in.
    pub invitation: Option<Invitation>,
}

/// The scheduler's side.
pub struct Farm {
    pub key: SigningKey,
    pub engine: Engine,
    pub qualify: bool,
    book: Mutex<Book>,
    news: Notify,
}

impl Service for Farm {
    fn call(
        self: Arc<Self>,
        caller: PublicKey,
        request: Request,
        body: Bytes,
    ) -> BoxFuture<'static, (Reply, Bytes)> {
        Box::pin(async move { (self.answer(caller, request, body).await, Bytes::new()) })
    }

    fn gone(&self, _caller: PublicKey) {}
}

impl Farm {
    pub fn new(engine: Engine, qualify: bool) -> Arc<Self> {
        let key = SigningKey::from_bytes(&[77; 32]);
        let (book, news) = (Mutex::default(), Notify::new());
        Arc::new(Self { key, engine, qualify, book, news })
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no panic")
    }

    /// Signs a lease and hands it to whoever polls next.
    pub fn offer(&self, lease: &Lease) {
        self.book().to_lease.push_back(Signed::new(lease, &self.key));
        self.news.notify_waiters();
    }

    /// Waits until the book satisfies `done`.
    pub async fn until(&self, done: impl Fn(&Book) -> bool) {
        let waiting = async {
            loop {
                let news = self.news.notified();
                if done(&self.book()) {
                    return;
                }
                news.await;
            }
        };
        tokio::time::timeout(LONG, waiting).await.expect("the farm hears what the test waits for");
    }

    fn refuses(&self, shown: Option<&Invitation>) -> bool {
        self.book().invitation.is_some_and(|wanted| shown.is_none_or(|shown| shown.0 != wanted.0))
    }

    async fn answer(&self, caller: PublicKey, request: Request, body: Bytes) -> Reply {
        let reply = match request {
            Request::Hello { invitation, .. } if self.refuses(invitation.as_ref()) => {
                Reply::refused(RefusedCode::NotInvited, "your ticket does not invite you")
            }
            Request::Hello { .. } => Reply::Welcome {
                scheduler: public_key(&self.key),
                engine: self.engine,
                qualify: self.qualify.then(|| Qualification { settings: golden_settings() }),
            },
            Request::Qualify => {
                self.book().golden = Some(body);
                Reply::Qualified { class: Class::Exact }
            }
            Request::Leases { max, .. } => self.lease(caller, max as usize).await,
            Request::Heartbeat { leases } => {
                self.book().beaten.extend(leases);
                Reply::Lapsed(Vec::new())
            }
            Request::Submit { commitment } => {
                let commitment = commitment.open_from(caller).expect("the node's own word");
                assert_eq!(commitment.root, blake3_of(&body), "the film is the one signed");
                if self.book().deaf {
                    std::future::pending::<()>().await;
                }
                self.book().films.push((commitment.lease, body));
                Reply::Done
            }
            Request::Release { leases, reason, why } => {
                let mut book = self.book();
                if why == GivenBack::Unwanted {
                    book.unwanted.extend(leases.iter().map(|lease| (*lease, reason.clone())));
                }
                book.released.extend(leases);
                drop(book);
                Reply::Done
            }
            Request::Gives { scenes, addresses } => {
                self.book().given.insert(caller, (scenes, addresses));
                Reply::Done
            }
            Request::Holders { scene } => Reply::Holders(Box::new(self.holders(scene, caller))),
            Request::MyVerdicts { after } => self.verdicts(after, caller),
            _other => Reply::refused(RefusedCode::NotFound, "not on this farm"),
        };
        self.news.notify_waiters();
        reply
    }

    async fn lease(&self, caller: PublicKey, max: usize) -> Reply {
        loop {
            let news = self.news.notified();
            let leases: Vec<_> = {
                let mut book = self.book();
                let by_node = book.by_node;
                let fits = |lease: &Signed<Lease>| {
                    !by_node || lease.open().is_ok_and(|lease| lease.node.0 == caller.0)
                };
                let (mut taken, mut kept) = (Vec::new(), VecDeque::new());
                for lease in std::mem::take(&mut book.to_lease) {
                    if taken.len() < max && fits(&lease) {
                        taken.push(lease);
                    } else {
                        kept.push_back(lease);
                    }
                }
                book.to_lease = kept;
                taken
            };
            if !leases.is_empty() {
                return Reply::Leases(leases);
            }
            news.await;
        }
    }

    fn holders(&self, scene: SceneId, caller: PublicKey) -> Holders {
        let book = self.book();
        let have = book
            .given
            .iter()
            .filter(|(node, (scenes, _))| **node != caller && scenes.contains(&scene));
        let have = have.map(|(node, (_, at))| Holder { node: *node, addresses: at.clone() });
        let pass = ScenePass { fetcher: caller, scene, expires_ms: u64::MAX };
        let holders = book.named.iter().cloned().chain(have).collect();
        Holders { holders, pass: Signed::new(&pass, &self.key) }
    }

    fn verdicts(&self, after: u64, caller: PublicKey) -> Reply {
        let book = self.book();
        let verdict = |index: usize, lease: LeaseId, film: &Bytes| {
            let kind = VerdictKind::Accepted {
                pixels_checked: 9,
                rays: RayCount::default(),
                pay: Tokens::from_whole(1),
            };
            let root = blake3_of(film);
            let (unit, node) = (unit(0), NodeId(caller.0));
            let verdict = Verdict { lease, unit, node, root, kind, evidence: None };
            (index as u64 + 1, Signed::new(&verdict, &self.key))
        };
        let verdicts = book.films.iter().enumerate();
        let verdicts = verdicts.map(|(index, (lease, film))| verdict(index, *lease, film));
        Reply::Verdicts(verdicts.filter(|(number, _)| *number > after).collect())
    }
}

fn blake3_of(bytes: &Bytes) -> protocol::Digest {
    blake3::hash(bytes).into()
}

/// A farm on a free port.
pub async fn open(farm: &Arc<Farm>, folder: &TempDir) -> Peer {
    let config = PeerConfig::new(farm.key.to_bytes(), folder.path().join("farm"));
    let peer = Peer::bind(config).await.expect("a free port");
    peer.serve(farm.clone());
    peer
}

/// A farm where one has just closed: its port and folder come free within moments.
pub async fn reopen(farm: &Arc<Farm>, folder: &TempDir, bind: SocketAddr) -> Peer {
    let mut config = PeerConfig::new(farm.key.to_bytes(), folder.path().join("farm"));
    config.bind = bind;
    let binding = async {
        loop {
            match Peer::bind(config.clone()).await {
                Ok(peer) => return peer,
                Err(_still_in_use) => tokio::task::yield_now().await,
            }
        }
    };
    let peer = tokio::time::timeout(LONG, binding).await.expect("the port comes free");
    peer.serve(farm.clone());
    peer
}

/// A node at work, with its events.
pub struct Node {
    pub id: NodeId,
    pub events: mpsc::UnboundedReceiver<NodeEvent>,
    wishes: watch::Sender<Wishes>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), RunError>>,
}

impl Node {
    pub async fn start(farm: &Peer, folder: &TempDir, cheat: Option<Cheat>) -> Self {
        Self::start_with(farm, folder, cheat, Manners::default()).await
    }

    /// A node of another configuration.
    pub async fn start_as(farm: &Peer, folder: &TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(folder.path().join("node"), farm.ticket());
        config.backend = BackendChoice::Cpu;
        config.threads = std::num::NonZeroUsize::new(1);
        config.benchmark = false;
        change(&mut config);
        Self::run(config).await
    }

    pub async fn start_with(
        farm: &Peer,
        folder: &TempDir,
        cheat: Option<Cheat>,
        manners: Manners,
    ) -> Self {
        Self::start_as(farm, folder, |config| {
            config.cheat = cheat;
            config.manners = manners;
        })
        .await
    }

    async fn run(config: Config) -> Self {
        let (sender, mut events) = mpsc::unbounded_channel();
        let (stop, stopping) = oneshot::channel();
        let (wishes, heeding) = watch::channel(Wishes::default());
        let running = tokio::spawn(farm_node::run(
            config,
            heeding,
            move |event| {
                let _test_over = sender.send(event);
            },
            async {
                let _stopped_or_dropped = stopping.await;
            },
        ));
        let Some(NodeEvent::Started { node: id, .. }) = events.recv().await else {
            panic!("a node tells first who it is");
        };
        Self { id, events, wishes, stop, running }
    }

    /// What its owner wishes from now on.
    pub fn wish(&self, wishes: Wishes) {
        self.wishes.send_replace(wishes);
    }

    /// The next event of the wanted kind.
    pub async fn hears<T>(&mut self, wanted: impl Fn(&NodeEvent) -> Option<T>) -> T {
        let waiting = async {
            let mut heard = Vec::new();
            while let Some(event) = self.events.recv().await {
                match wanted(&event) {
                    Some(found) => return found,
                    None => heard.push(event),
                }
            }
            panic!("the node ended; it said {heard:#?}");
        };
        tokio::time::timeout(LONG, waiting).await.expect("the node says what the test waits for")
    }

    pub async fn stop(self) -> Result<(), RunError> {
        let _ended_already = self.stop.send(());
        self.running.await.expect("no panic")
    }

    pub async fn ends(self) -> Result<(), RunError> {
        let ended = tokio::time::timeout(LONG, self.running).await;
        ended.expect("the node ends by itself").expect("no panic")
    }
}

pub fn golden_settings() -> RenderSettings {
    RenderSettings { size: Size::new(24, 16), samples: 16, bounces: 2, seed: 5, ..settings() }
}

fn settings() -> RenderSettings {
    RenderSettings { size: Size::new(48, 32), samples: 64, bounces: 3, ..Default::default() }
}

pub fn unit(tile: u32) -> Unit {
    let batch = Batch::new(0, 4).expect("aligned");
    Unit { job: JobId([1; 16]), shot: protocol::ShotIndex(0), tile: TileIndex(tile), batch }
}

/// A lease on a tile of 16 × 16 pixels of a frame of 48 × 32.
pub fn lease(node: NodeId, scene: SceneId, tile: u32) -> Lease {
    let grid = protocol::TileGrid::new(settings().window(), 16);
    Lease {
        id: LeaseId([tile as u8 + 1; 16]),
        node,
        piece: Piece {
            unit: unit(tile),
            scene,
            settings: settings(),
            time_s: 0.0,
            rect: grid.rect(TileIndex(tile)).expect("a tile of the frame"),
            engine: renderer::ENGINE,
        },
        nonce_hash: Lease::nonce_hash(&[9; 32]),
        pay_max: Tokens::from_whole(2),
        deadline_ms: u64::MAX,
    }
}

/// What an honest node renders.
pub fn honest(settings: &RenderSettings, rect: Rect, batch: Batch) -> Film {
    let scene = renderer::prepare(&scene::golden(), settings, 0.0).expect("prepared");
    let mut cpu = CpuBackend::new(std::num::NonZeroUsize::new(1));
    cpu.render(&scene, Work { rect, batch }, &Cancel::default()).expect("rendered")
}
