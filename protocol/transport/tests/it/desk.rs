//! A service that shows every kind of answer, and peers to ask it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use protocol::message::RefusedCode;
use protocol::{LeaseId, PROTOCOL_VERSION, PublicKey, Reply, Request, Role};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use transport::{BoxFuture, CallError, Connection, Peer, PeerConfig, PeerLimits, Service};

/// Long enough for any machine; nothing waits for it when all is well.
pub const LONG: Duration = Duration::from_secs(60);

/// What the desk has seen.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Asked(PublicKey),
    Gone(PublicKey),
}

/// Answers by the kind of request.
pub struct Desk {
    seen: UnboundedSender<Seen>,
    doors_open: watch::Receiver<bool>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Service for Desk {
    fn call(
        self: Arc<Self>,
        caller: PublicKey,
        request: Request,
        body: Bytes,
    ) -> BoxFuture<'static, (Reply, Bytes)> {
        Box::pin(async move {
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
            let answer = self.answer(caller, request, body).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }

    fn gone(&self, caller: PublicKey) {
        let _no_listener = self.seen.send(Seen::Gone(caller));
    }
}

impl Desk {
    async fn answer(&self, caller: PublicKey, request: Request, body: Bytes) -> (Reply, Bytes) {
        let reply = match request {
            Request::Hello { .. } => {
                let _no_listener = self.seen.send(Seen::Asked(caller));
                Reply::Welcome { scheduler: caller, engine: protocol::Engine(1), qualify: None }
            }
            // The film comes back mirrored.
            Request::Qualify => return (Reply::Film, body.iter().rev().copied().collect()),
            Request::Wallet => Reply::refused(RefusedCode::NotFound, "no wallet here"),
            Request::Farm => {
                let mut doors_open = self.doors_open.clone();
                let _closed = doors_open.wait_for(|open| *open).await;
                Reply::Done
            }
            Request::MyNode => panic!("the desk fails on purpose"),
            Request::CheckLedger => Reply::Lapsed(vec![LeaseId([7; 16]); 100_000]),
            _other => Reply::Done,
        };
        (reply, Bytes::new())
    }
}

/// A peer that serves a desk.
pub struct Office {
    pub peer: Peer,
    pub seen: UnboundedReceiver<Seen>,
    pub doors: watch::Sender<bool>,
    desk: Arc<Desk>,
    _folder: Option<TempDir>,
}

impl Office {
    pub async fn open(limits: PeerLimits) -> Self {
        let (peer, folder) = bind(1, limits).await;
        Self { _folder: Some(folder), ..Self::at(peer) }
    }

    pub fn at(peer: Peer) -> Self {
        let (sender, seen) = unbounded_channel();
        let (doors, doors_open) = watch::channel(false);
        let desk = Arc::new(Desk {
            seen: sender,
            doors_open,
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        });
        peer.serve(desk.clone());
        Self { peer, seen, doors, desk, _folder: None }
    }

    pub fn most_under_way(&self) -> usize {
        self.desk.most_under_way.load(Ordering::SeqCst)
    }
}

/// A peer with a key made of `seed`.
pub async fn bind(seed: u8, limits: PeerLimits) -> (Peer, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = PeerConfig::new([seed; 32], folder.path().join("scenes"));
    config.limits = limits;
    (Peer::bind(config).await.expect("a free port"), folder)
}

pub fn hello() -> Request {
    Request::Hello { protocol: PROTOCOL_VERSION, role: Role::Client, invitation: None }
}

pub async fn call(
    connection: &Connection,
    request: &Request,
    body: Bytes,
) -> Result<(Reply, Bytes), CallError> {
    connection.call(request, body, LONG).await
}

/// A connection that was admitted.
pub async fn admitted(guest: &Peer, office: &Office) -> Connection {
    let connection = guest.connect(&office.peer.ticket()).await.expect("connected");
    call(&connection, &hello(), Bytes::new()).await.expect("welcome");
    connection
}
