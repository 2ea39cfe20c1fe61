//! The answering side: who may speak, what a request may cost, and its reply.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt};
use protocol::message::RefusedCode;
use protocol::{PROTOCOL_VERSION, PublicKey, Reply, Request, limits, wire};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::frame::{Bounds, FrameError};
use crate::lobby::Seat;
use crate::peer::PeerLimits;
use crate::registry::{Registered, Registry};
use crate::stream::{FrameReader, StreamError, write_frame};
use crate::{BoxFuture, RPC_ALPN};

/// What answers the calls of other peers.
///
/// The transport sees to sizes, deadlines, versions and the order of words: the first request of
/// a connection is a [`Request::Hello`] of this [`PROTOCOL_VERSION`], and nothing else arrives
/// before the service has answered one with anything but [`Reply::Refused`].
pub trait Service: Send + Sync + 'static {
    /// Answers a request. `caller` is the key that the other side has proven to hold.
    ///
    /// Runs to its end even when the caller goes away. A panic becomes
    /// [`RefusedCode::Internal`] for the caller.
    fn call(
        self: Arc<Self>,
        caller: PublicKey,
        request: Request,
        body: Bytes,
    ) -> BoxFuture<'static, (Reply, Bytes)>;

    /// The last connection of an admitted caller is closed or lost.
    fn gone(&self, caller: PublicKey);
}

/// Unit of [`Door::body_memory`].
const MEMORY_UNIT_BYTES: usize = 1 << 10;
/// Hellos that a stranger may try on one connection.
const HELLOS_MAX: u32 = 3;

/// What all served connections share.
pub(crate) struct Door {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) registry: Registry,
    pub(crate) limits: PeerLimits,
    body_memory: Arc<Semaphore>,
    shares: Mutex<BTreeMap<PublicKey, Weak<Share>>>,
}

/// What one key may have under way. Its connections share it, so that calls left behind by
/// closed ones still count.
struct Share {
    calls: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

/// A call's place among those of its key; taken until the service is done with it.
#[derive(Clone)]
struct Place {
    _call: Arc<OwnedSemaphorePermit>,
    share: Arc<Share>,
}

/// A request that arrived whole, with the memory it was granted.
struct Arrived {
    request: Request,
    body: Bytes,
    granted: Option<Granted>,
}

struct Granted {
    _body: OwnedSemaphorePermit,
    memory: OwnedSemaphorePermit,
}

/// Why a request is not handed to the service.
enum Declined {
    /// Answer this.
    Refused(RefusedCode, String),
    /// The stream is beyond answering.
    Lost,
}

impl Door {
    pub(crate) fn new(service: Arc<dyn Service>, registry: Registry, limits: PeerLimits) -> Self {
        let units = limits.body_bytes_held_max / MEMORY_UNIT_BYTES;
        let body_memory = Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS)));
        Self { service, registry, limits, body_memory, shares: Mutex::default() }
    }

    fn share(&self, caller: PublicKey) -> Arc<Share> {
        // A map of shares is whole after any panic.
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&caller).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_key, share| share.strong_count() > 0);
        let share = Arc::new(Share {
            calls: Arc::new(Semaphore::new(limits::STREAMS_PER_CONNECTION_MAX as usize)),
            bodies: Arc::new(Semaphore::new(limits::BODIES_PER_CONNECTION_MAX as usize)),
        });
        shares.insert(caller, Arc::downgrade(&share));
        share
    }

    /// Serves one connection until it closes. The seat is given back once it is admitted.
    pub(crate) async fn serve(
        self: Arc<Self>,
        connection: Connection,
        caller: PublicKey,
        mut seat: Seat,
    ) {
        let admitted = tokio::select! {
            admitted = self.admit(&connection, caller) => admitted,
            () = seat.needed() => {
                let reason = b"others wait for a word with this peer; say hello at once";
                connection.close(VarInt::from_u32(3), reason);
                None
            }
        };
        let Some(registered) = admitted else { return };
        drop(seat);
        let share = self.share(caller);
        loop {
            // The place is taken first: a caller who resets his streams cannot pile up work.
            let place = tokio::select! {
                place = share.calls.clone().acquire_owned() => place,
                _reason = connection.closed() => break,
            };
            let Ok(place) = place else { break };
            let Ok((send, recv)) = connection.accept_bi().await else { break };
            let place = Place { _call: Arc::new(place), share: share.clone() };
            let (door, connection) = (self.clone(), connection.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = door.answer(caller, send, recv, place) => {}
                    // The service goes on with what it began; nobody waits for the answer.
                    _reason = connection.closed() => {}
                }
            });
        }
        if registered.forget() {
            self.service.gone(caller);
        }
    }

    /// Listens to hellos, one after the other, until one is welcome.
    async fn admit(&self, connection: &Connection, caller: PublicKey) -> Option<Registered> {
        let close = |code: u32, reason: &str| {
            connection.close(VarInt::from_u32(code), reason.as_bytes());
        };
        if self.registry.count(caller) >= limits::CONNECTIONS_PER_KEY_MAX as usize {
            close(2, "this key has too many connections; close one");
            return None;
        }
        for _attempt in 0..HELLOS_MAX {
            let arriving = async {
                let (send, recv) = connection.accept_bi().await.ok()?;
                Some((send, self.hello(recv).await))
            };
            let Ok(arrived) = timeout(self.limits.hello_timeout, arriving).await else {
                close(3, "no hello came in time");
                return None;
            };
            let (mut send, hello) = arrived?;
            let (reply, body) = match hello {
                Ok(hello) => self.ask(caller, hello, Bytes::new(), None).await,
                Err(Declined::Refused(code, why)) => (Reply::refused(code, why), Bytes::new()),
                Err(Declined::Lost) => continue,
            };
            let admitted = !matches!(reply, Reply::Refused(_));
            // The caller counts as connected before he learns that he is.
            let registered = admitted.then(|| self.registry.enter_admitted(caller, connection));
            self.reply(&mut send, &reply, body).await;
            if registered.is_some() {
                return registered;
            }
        }
        // Let the last refusal arrive before the connection goes.
        let _either = timeout(self.limits.hello_timeout, connection.closed()).await;
        close(3, "no hello was welcome");
        None
    }

    async fn hello(&self, recv: RecvStream) -> Result<Request, Declined> {
        let bounds = Bounds { header_bytes_max: limits::HELLO_BYTES_MAX, body_bytes_max: 0 };
        let mut reader = FrameReader::new(recv, bounds, self.limits.stall_timeout);
        let outcome = match reader.head().await {
            Ok(_no_body) => decode(reader.header()),
            Err(StreamError::Frame(FrameError::Truncated)) | Err(StreamError::Broken(_)) => {
                Err(Declined::Lost)
            }
            Err(error) => Err(bad_request(format!("say hello first, with no body: {error}"))),
        };
        reader.give_up();
        match outcome? {
            hello @ Request::Hello { .. } => Ok(hello),
            _other => Err(bad_request("the first request of a connection must be a hello")),
        }
    }

    async fn answer(
        self: Arc<Self>,
        caller: PublicKey,
        mut send: SendStream,
        recv: RecvStream,
        place: Place,
    ) {
        let arriving = timeout(limits::TRANSFER_TIMEOUT, self.receive(recv, &place.share));
        let (reply, body, granted) = match arriving.await {
            Ok(Ok(Arrived { request, body, mut granted })) => {
                let (reply, body) = self.ask(caller, request, body, Some(place.clone())).await;
                if let Some(Granted { memory, .. }) = &mut granted {
                    // Of the memory granted, only the reply's is still held.
                    let freed = memory.num_permits().saturating_sub(memory_units(body.len()));
                    drop(memory.split(freed));
                }
                (reply, body, granted)
            }
            Ok(Err(Declined::Refused(code, why))) => {
                (Reply::refused(code, why), Bytes::new(), None)
            }
            Ok(Err(Declined::Lost)) => return,
            Err(_elapsed) => {
                let why = "the request did not arrive in time; send it again";
                (Reply::refused(RefusedCode::BadRequest, why), Bytes::new(), None)
            }
        };
        let replying = self.reply(&mut send, &reply, body);
        if timeout(limits::TRANSFER_TIMEOUT, replying).await.is_err() {
            tracing::debug!(%caller, "a reply was not taken in time");
        }
        drop(granted);
    }

    /// Reads a request: its header, then, once there is memory for it, its body.
    async fn receive(&self, recv: RecvStream, share: &Share) -> Result<Arrived, Declined> {
        let bounds = Bounds {
            header_bytes_max: limits::MESSAGE_BYTES_MAX,
            body_bytes_max: limits::FILM_BYTES_MAX,
        };
        let mut reader = FrameReader::new(recv, bounds, self.limits.stall_timeout);
        let read = match reader.head().await {
            Ok(sizes) => decode(reader.header()).map(|request| (sizes, request)),
            Err(error) => Err(declined(error)),
        };
        let ((_, held_bytes), request) = match read {
            Ok(((body_bytes, _), request)) if body_bytes > 0 && !request.has_body() => {
                reader.give_up();
                let why = format!("this request carries no body, {body_bytes} bytes came");
                return Err(bad_request(why));
            }
            Ok(read) => read,
            Err(declined) => {
                reader.give_up();
                return Err(declined);
            }
        };
        let reply_bytes = if request.reply_has_body() { limits::FILM_BYTES_MAX } else { 0 };
        let granted = match self.grant(held_bytes.max(reply_bytes), share).await {
            Ok(granted) => granted,
            Err(busy) => {
                reader.give_up();
                return Err(busy);
            }
        };
        let (_header, body) = reader.rest().await.map_err(declined)?;
        Ok(Arrived { request, body, granted })
    }

    /// Waits a while for a place and memory for a film of this size.
    async fn grant(&self, size_bytes: usize, share: &Share) -> Result<Option<Granted>, Declined> {
        if size_bytes == 0 {
            return Ok(None);
        }
        let units = u32::try_from(memory_units(size_bytes)).unwrap_or(u32::MAX);
        let waiting = async {
            let body = share.bodies.clone().acquire_owned().await.ok()?;
            let memory = self.body_memory.clone().acquire_many_owned(units).await.ok()?;
            Some(Granted { _body: body, memory })
        };
        match timeout(self.limits.stall_timeout, waiting).await {
            Ok(Some(granted)) => Ok(Some(granted)),
            _closed_or_elapsed => {
                let why = "too many films are under way; try again in a moment".to_owned();
                Err(Declined::Refused(RefusedCode::Busy, why))
            }
        }
    }

    /// Has the service answer, in a task of its own so that its panic is not ours.
    async fn ask(
        &self,
        caller: PublicKey,
        request: Request,
        body: Bytes,
        place: Option<Place>,
    ) -> (Reply, Bytes) {
        let call = self.service.clone().call(caller, request, body);
        let answer = tokio::spawn(async move {
            let answer = call.await;
            drop(place);
            answer
        });
        let answer = answer.await;
        answer.unwrap_or_else(|panic| {
            tracing::error!(%caller, %panic, "the service failed on a request");
            (
                Reply::refused(RefusedCode::Internal, "the request failed here; see the log"),
                Bytes::new(),
            )
        })
    }

    async fn reply(&self, send: &mut SendStream, reply: &Reply, mut body: Bytes) {
        let mut header = wire::encode(reply);
        if header.len() > limits::MESSAGE_BYTES_MAX || body.len() > limits::FILM_BYTES_MAX {
            tracing::error!(header = header.len(), body = body.len(), "a reply is too large");
            let why = "the answer is too large to send; ask for less";
            header = wire::encode(&Reply::refused(RefusedCode::Internal, why));
            body = Bytes::new();
        }
        let stall = self.limits.stall_timeout;
        if let Err(error) = write_frame(send, &header, body, stall, None).await {
            tracing::debug!(%error, "a reply was not taken");
            // A half reply must not look like a short one.
            let _closed = send.reset(crate::stream::STREAM_GIVEN_UP);
        }
    }
}

/// Reads a request; a hello of another version is recognised whatever else it holds.
fn decode(header: &[u8]) -> Result<Request, Declined> {
    // A hello begins with its number, 0, and the version, in every version of the protocol.
    if let Ok(((0, version), _rest)) = postcard::take_from_bytes::<(u32, u32)>(header)
        && version != PROTOCOL_VERSION
    {
        let why = format!(
            "you speak protocol version {version}, this peer speaks version {PROTOCOL_VERSION}; install the same release on both sides"
        );
        return Err(Declined::Refused(RefusedCode::Version, why));
    }
    wire::decode(header, limits::MESSAGE_BYTES_MAX).map_err(|error| {
        let protocol = String::from_utf8_lossy(RPC_ALPN);
        bad_request(format!("the bytes are no request of {protocol}: {error}"))
    })
}

fn bad_request(why: impl Into<String>) -> Declined {
    Declined::Refused(RefusedCode::BadRequest, why.into())
}

fn declined(error: StreamError) -> Declined {
    match error {
        StreamError::Broken(_) | StreamError::Frame(FrameError::Truncated) => Declined::Lost,
        other => bad_request(format!("the request cannot be taken: {other}")),
    }
}

const fn memory_units(size_bytes: usize) -> usize {
    size_bytes.div_ceil(MEMORY_UNIT_BYTES)
}
