//! The network side: a thread with its own runtime, two bounded channels, no drawing.

mod live;
mod session;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::{AccountId, JobId, PublicKey, ShotIndex};
use tokio::sync::mpsc;
use transport::{Backoff, Peer, PeerConfig, Ticket, identity};

use crate::state::{Event, Identity, Link};

/// What the app asks of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Connect to the farm of this ticket, leaving any other.
    Connect(String),
    /// Do not wait for the next attempt.
    RetryNow,
    /// Watch a shot of a job, instead of any other.
    Watch {
        /// The job.
        job: JobId,
        /// The shot.
        shot: ShotIndex,
    },
    /// Fetch the newest rows of an account.
    Statement(AccountId),
}

/// The app's ends of the channels.
#[derive(Debug)]
pub struct Wires {
    /// Towards the network.
    pub asks: mpsc::Sender<Ask>,
    /// From the network.
    pub events: mpsc::Receiver<Event>,
}

/// The network's ends of the channels.
#[derive(Debug)]
pub struct FarEnds {
    /// From the app.
    pub asks: mpsc::Receiver<Ask>,
    /// Towards the app.
    pub events: mpsc::Sender<Event>,
}

/// Asks that may wait: a person does not click faster than this.
const ASKS_MAX: usize = 32;
/// Events that may wait while the app draws a frame.
const EVENTS_MAX: usize = 64;

/// Both ends of the channels.
#[must_use]
pub fn wires() -> (Wires, FarEnds) {
    let (asks, far_asks) = mpsc::channel(ASKS_MAX);
    let (far_events, events) = mpsc::channel(EVENTS_MAX);
    (Wires { asks, events }, FarEnds { asks: far_asks, events: far_events })
}

/// Where the caller's key lies.
#[derive(Debug, Clone)]
pub struct BridgeConfig {
    /// The key file, made on first use.
    pub key_path: PathBuf,
    /// How often lists and balances are asked for.
    pub poll_interval: Duration,
}

impl BridgeConfig {
    /// How often lists and balances are asked for when nothing else is said.
    pub const POLL_INTERVAL: Duration = Duration::from_secs(2);
}

/// Sends events and wakes the window.
#[derive(Clone)]
pub(crate) struct Outlet {
    events: mpsc::Sender<Event>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Outlet {
    pub(crate) async fn send(&self, event: Event) {
        // A closed channel means that the window is gone; the thread ends by its asks.
        if self.events.send(event).await.is_ok() {
            (self.wake)();
        }
    }
}

/// Runs the network on a thread of its own until the app drops its ends.
///
/// `wake` is called after every event: it asks the window for a frame.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(
    config: BridgeConfig,
    ends: FarEnds,
    wake: impl Fn() + Send + Sync + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let outlet = Outlet { events: ends.events, wake: Arc::new(wake) };
    std::thread::Builder::new().name("bridge".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime.block_on(run(config, ends.asks, outlet)),
            Err(error) => {
                let why = format!("The network cannot be started: {error}. Start the app again");
                // No runtime, no way to wait for room: the channel is empty at the start.
                let _told = outlet.events.try_send(Event::Link(Link::Unusable { why }));
                (outlet.wake)();
            }
        }
    })
}

async fn run(config: BridgeConfig, mut asks: mpsc::Receiver<Ask>, outlet: Outlet) {
    let (peer, _scenes) = match bind(&config, &outlet).await {
        Ok(bound) => bound,
        Err(why) => {
            outlet.send(Event::Link(Link::Unusable { why })).await;
            return;
        }
    };
    let mut wanted = Wanted::default();
    while wanted.ticket.is_none() {
        match asks.recv().await {
            Some(ask) => wanted.take(ask),
            None => return peer.close().await,
        }
    }
    let mut backoff = Backoff::new(u64::from(std::process::id()));
    while let Some(text) = wanted.ticket.clone() {
        outlet.send(Event::Link(Link::Connecting)).await;
        let ended = match text.trim().parse::<Ticket>() {
            Ok(ticket) => {
                let session = session::Session { peer: &peer, outlet: &outlet, config: &config };
                session.run(&ticket, &mut asks, &mut wanted, &mut backoff).await
            }
            Err(error) => Ended::Hopeless(error.to_string()),
        };
        let next = match ended {
            Ended::AppGone => break,
            Ended::OtherFarm => {
                backoff.reset();
                continue;
            }
            Ended::Hopeless(why) => {
                outlet.send(Event::Link(Link::Unusable { why })).await;
                wait_for_ask(&mut asks, &mut wanted, None).await
            }
            Ended::Lost(why) => {
                let wait = backoff.next_wait();
                let retry_at_ms = now_ms() + wait.as_millis() as u64;
                outlet.send(Event::Link(Link::Lost { why, retry_at_ms })).await;
                wait_for_ask(&mut asks, &mut wanted, Some(wait)).await
            }
        };
        if !next {
            break;
        }
    }
    peer.close().await;
}

/// Why a session ended.
enum Ended {
    /// The app dropped its ends.
    AppGone,
    /// A person chose another farm.
    OtherFarm,
    /// The farm went away, or has not come yet.
    Lost(String),
    /// Only a person can help.
    Hopeless(String),
}

/// What the app wants, across connections.
#[derive(Debug, Default)]
struct Wanted {
    ticket: Option<String>,
    watch: Option<(JobId, ShotIndex)>,
    statement: Option<AccountId>,
}

impl Wanted {
    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Connect(ticket) => *self = Self { ticket: Some(ticket), ..Self::default() },
            Ask::Watch { job, shot } => self.watch = Some((job, shot)),
            Ask::Statement(account) => self.statement = Some(account),
            Ask::RetryNow => {}
        }
    }
}

/// Waits for a reason to try again; `false` when the app is gone.
async fn wait_for_ask(
    asks: &mut mpsc::Receiver<Ask>,
    wanted: &mut Wanted,
    wait: Option<Duration>,
) -> bool {
    let patience = async {
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(patience);
    loop {
        tokio::select! {
            () = &mut patience => return true,
            ask = asks.recv() => match ask {
                None => return false,
                Some(ask) => {
                    let now = matches!(ask, Ask::RetryNow | Ask::Connect(_));
                    wanted.take(ask);
                    if now {
                        return true;
                    }
                }
            }
        }
    }
}

/// Reads the key and opens the socket. The folder of scenes lives as long as the app.
async fn bind(config: &BridgeConfig, outlet: &Outlet) -> Result<(Peer, tempfile::TempDir), String> {
    let key = identity::load_or_create(&config.key_path)
        .map_err(|error| format!("Your key cannot be used: {}", chain(&error)))?;
    let scenes = tempfile::Builder::new()
        .prefix("tessera-desktop-")
        .tempdir()
        .map_err(|error| format!("No temporary folder can be made: {error}. Free some space"))?;
    // An own port on every interface: a farm may be on this machine, the LAN or beyond.
    let mut peer = PeerConfig::new(key.to_bytes(), scenes.path());
    peer.bind = std::net::SocketAddr::from((std::net::Ipv4Addr::UNSPECIFIED, 0));
    let peer = Peer::bind(peer).await.map_err(|error| chain(&error))?;
    let key = PublicKey(key.verifying_key().to_bytes());
    let path = config.key_path.display().to_string();
    outlet.send(Event::Identity(Identity { key, path })).await;
    Ok((peer, scenes))
}

/// An error with its causes, in one sentence.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The clock, milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
