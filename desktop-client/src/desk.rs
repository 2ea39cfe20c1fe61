//! Everything that waits, apart from the window: a thread with its own runtime, and on it a desk for
//! each matter.
//!
//! A desk is a task with an inbox. No desk waits for another's call, so that a farm that is slow to
//! say what it costs holds up no click on another job. The connection is shared: `link` puts it
//! where the others see it.
//!
//! ```text
//! window ──Ask──► router ─┬─► link   dials, and dials again
//!        ◄─Event─         ├─► book   balances, jobs, nodes; steering, blocking
//!                         ├─► live   the watched picture
//!                         ├─► reel   frames to be played
//!                         ├─► stage  imports, previews (another process)
//!                         ├─► order  scenes to the farm, prices, orders
//!                         ├─► verify receipts, and pixels rendered again (another process)
//!                         └─► save   pictures and settings to files
//! ```

pub mod autostart;
mod book;
mod link;
mod live;
mod member;
mod node;
mod order;
mod own_farm;
mod reel;
mod save;
mod stage;
mod verify;
mod wallet;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::{Caller, Farm};
use farm_node::Wishes;
use film::Look;
use protocol::{AccountId, JobId, JobSpec, Offer, Schedule, ShotIndex};
use scene::Package;
use tokio::sync::{mpsc, watch};

use crate::state::blocks::Blocking;
use crate::state::checkout::Firm;
use crate::state::notices::Tone;
use crate::state::settings::Settings;
use crate::state::sheet::SaveSheet;
use crate::state::stage::{Sighting, Surroundings};
use crate::state::wallet::Act;
use crate::state::{Event, Identity, Link, Steered};

/// What the window asks of the desks.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Connect to the farm of this ticket, leaving any other.
    Connect(String),
    /// Do not wait for the next attempt.
    RetryNow,
    /// Look into the farm's books now.
    Refresh,
    /// Fetch so many of the newest rows of an account, now and whenever the balance has moved.
    Statement(AccountId, u64),
    /// Do something with the wallet or the key; the wallet's account, where it is known.
    Wallet(Option<AccountId>, Act),
    /// Fetch what the caller's nodes have earned, now and whenever the balance has moved.
    Earnings,
    /// Fetch whom the caller keeps off his jobs.
    Blocks,
    /// Keep somebody off the caller's jobs or let him back, and fetch who is kept off then.
    Block(Blocking),
    /// Watch a shot of a job, instead of any other.
    Watch {
        /// The job.
        job: JobId,
        /// The shot.
        shot: ShotIndex,
    },
    /// Change the course of a job.
    Steer(Steered),
    /// Save pictures of a job.
    Save {
        /// Which, where and how.
        sheet: Box<SaveSheet>,
        /// How a PNG looks.
        look: Look,
    },
    /// Read a scene.
    Import(PathBuf),
    /// Put other surroundings around it, or its own.
    Surround(Option<Surroundings>),
    /// Show what one sees of it, instead of anything else.
    Look(Box<Sighting>),
    /// Nobody looks at the stage for now.
    LookAway,
    /// Nothing is on the stage any more.
    ClearStage,
    /// What a price was asked for is of no matter any more.
    DropPrice,
    /// Ask the farm what this costs, instead of anything else; the scene is sent for it.
    Price(Box<PriceAsk>),
    /// Order what a firm price is for.
    Order {
        /// The price, and for what.
        firm: Box<Firm>,
        /// When.
        schedule: Schedule,
    },
    /// Fetch finished frames, to be played, instead of any others.
    FetchFrames(Box<ReelAsk>),
    /// Fetch no more of them.
    StopFetchingFrames,
    /// Check a finished frame without believing the farm, instead of any other.
    Verify(Box<VerifyAsk>),
    /// Nobody waits for that any more.
    StopVerifying,
    /// Write down what is remembered.
    Remember(Box<Settings>),
    /// Start one's own node.
    StartNode(Box<NodeStart>),
    /// Tell it what its owner wishes.
    Wish(Box<Wishes>),
    /// Ask it to end.
    StopNode,
    /// Start a farm of one's own.
    StartFarm,
    /// Ask it to end.
    StopFarm,
    /// Have the app started with the session, to lend the machine, or not any more.
    StartWithSession(bool),
}

/// What a price is asked for.
#[derive(Clone)]
pub struct PriceAsk {
    /// Which question it is.
    pub serial: u64,
    /// What is to be rendered.
    pub spec: JobSpec,
    /// On which terms.
    pub offer: Offer,
    /// The scene.
    pub package: Arc<Package>,
}

impl std::fmt::Debug for PriceAsk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PriceAsk").field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// The window's ends of the channels.
#[derive(Debug)]
pub struct Wires {
    /// Towards the desks.
    pub asks: mpsc::Sender<Ask>,
    /// From the desks.
    pub events: mpsc::Receiver<Event>,
}

/// The desks' ends of the channels.
#[derive(Debug)]
pub struct FarEnds {
    /// From the window.
    pub asks: mpsc::Receiver<Ask>,
    /// Towards the window.
    pub events: mpsc::Sender<Event>,
}

/// Asks that may wait for the router, which waits for nobody.
const ASKS_MAX: usize = 64;
/// Events that may wait while the window draws a frame.
const EVENTS_MAX: usize = 64;

/// Both ends of the channels.
#[must_use]
pub fn wires() -> (Wires, FarEnds) {
    let (asks, far_asks) = mpsc::channel(ASKS_MAX);
    let (far_events, events) = mpsc::channel(EVENTS_MAX);
    (Wires { asks, events }, FarEnds { asks: far_asks, events: far_events })
}

/// What the desks need to know.
#[derive(Debug, Clone)]
pub struct DeskConfig {
    /// The key file, made on first use.
    pub key_path: PathBuf,
    /// Where settings are kept; nowhere without it.
    pub settings_path: Option<PathBuf>,
    /// The program that previews are rendered by: `tessera`, of this version.
    pub program: Option<PathBuf>,
    /// How often lists and balances are asked for.
    pub poll_interval: Duration,
}

impl DeskConfig {
    /// How often lists and balances are asked for when nothing else is said.
    pub const POLL_INTERVAL: Duration = Duration::from_secs(2);
}

pub use node::NodeStart;
pub use reel::ReelAsk;
pub use save::settings_from;
pub use verify::VerifyAsk;

/// The program that renders previews: `tessera` beside this one, or on the PATH.
#[must_use]
pub fn find_program() -> Option<PathBuf> {
    let name = format!("tessera{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(&name));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&on_path).map(|folder| folder.join(&name));
    beside.into_iter().chain(on_path).find(|path| path.is_file())
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

    /// What no window need be drawn anew for.
    pub(crate) async fn whisper(&self, event: Event) {
        drop(self.events.send(event).await);
    }

    /// What may be left out where the window is busy: progress, of which more comes.
    pub(crate) fn mention(&self, event: Event) {
        if self.events.try_send(event).is_ok() {
            (self.wake)();
        }
    }

    /// From where nothing can be awaited: waits on the thread.
    pub(crate) fn send_blocking(&self, event: Event) {
        if self.events.blocking_send(event).is_ok() {
            (self.wake)();
        }
    }
}

/// The farm, where there is one now.
pub(crate) type FarmSeat = watch::Receiver<Option<Farm>>;

/// Runs the desks on a thread of their own until the window drops its ends.
///
/// `wake` is called after every event: it asks the window for a frame.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(
    config: DeskConfig,
    ends: FarEnds,
    wake: impl Fn() + Send + Sync + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let outlet = Outlet { events: ends.events, wake: Arc::new(wake) };
    std::thread::Builder::new().name("desks".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => {
                runtime.block_on(run(config, ends.asks, outlet));
                // An import or a save under way must not hold the window's end up.
                runtime.shutdown_timeout(Duration::from_secs(2));
            }
            Err(error) => {
                let why = format!("The network cannot be started: {error}. Start the app again");
                outlet.send_blocking(Event::Link(Link::Unusable { why }));
            }
        }
    })
}

async fn run(config: DeskConfig, mut asks: mpsc::Receiver<Ask>, outlet: Outlet) {
    let (caller, unusable) = match bind(&config, &outlet).await {
        Ok(caller) => (Some(caller), None),
        Err(why) => {
            outlet.send(Event::Link(Link::Unusable { why: why.clone() })).await;
            (None, Some(why))
        }
    };
    let (seat, farm) = watch::channel(None);
    let (link, link_inbox) = mpsc::channel(ASKS_MAX);
    let (book, book_inbox) = mpsc::channel(ASKS_MAX);
    let (stage, stage_inbox) = mpsc::channel(ASKS_MAX);
    let (watched, watched_inbox) = watch::channel(None);
    let (saves, saves_inbox) = mpsc::channel(ASKS_MAX);
    let (prices, prices_inbox) = watch::channel(None);
    let (orders, orders_inbox) = mpsc::channel(ASKS_MAX);
    let (verifies, verifies_inbox) = watch::channel(None);
    let (reels, reels_inbox) = watch::channel(None);
    let (node, node_inbox) = mpsc::channel(ASKS_MAX);
    let (own_farm, own_farm_inbox) = mpsc::channel(ASKS_MAX);
    let (remembered, newest) = watch::channel(None);
    let remembering = config
        .settings_path
        .clone()
        .map(|path| tokio::spawn(save::settings(path, newest, outlet.clone())));
    let mut desks = tokio::task::JoinSet::new();
    if let Some(caller) = &caller {
        desks.spawn(link::run(Arc::clone(caller), seat, link_inbox, outlet.clone()));
    }
    desks.spawn(book::run(farm.clone(), book_inbox, config.poll_interval, outlet.clone()));
    desks.spawn(live::run(farm.clone(), watched_inbox, saves_inbox, outlet.clone()));
    desks.spawn(stage::run(config.program.clone(), stage_inbox, outlet.clone()));
    let (program, key_path) = (config.program.clone(), config.key_path.clone());
    let books = key_path.with_file_name("farm");
    desks.spawn(own_farm::run(program.clone(), books, own_farm_inbox, outlet.clone()));
    let home = node::Home { program, key_path };
    desks.spawn(node::run(home, node_inbox, outlet.clone()));
    desks.spawn(order::prices(farm.clone(), prices_inbox, outlet.clone()));
    desks.spawn(order::orders(farm.clone(), orders_inbox, outlet.clone()));
    desks.spawn(reel::run(farm.clone(), reels_inbox, outlet.clone()));
    let program = config.program.clone();
    desks.spawn(verify::run(farm, program, verifies_inbox, outlet.clone()));
    while let Some(ask) = asks.recv().await {
        // A desk that does not take an ask has gone, with its matter: its own words said why.
        match ask {
            Ask::Connect(ticket) => {
                watched.send_replace(None);
                prices.send_replace(None);
                verifies.send_replace(None);
                reels.send_replace(None);
                match &unusable {
                    None => drop(link.send(link::Ask::Connect(ticket)).await),
                    Some(why) => {
                        outlet.send(Event::Link(Link::Unusable { why: why.clone() })).await
                    }
                }
            }
            Ask::RetryNow => drop(link.send(link::Ask::RetryNow).await),
            Ask::Refresh => drop(book.send(book::Ask::Refresh).await),
            Ask::Statement(account, rows) => {
                drop(book.send(book::Ask::Statement(account, rows)).await);
            }
            Ask::Wallet(_account, Act::BackUp(path)) => {
                let told = match wallet::back_up(&config.key_path, &path) {
                    Ok(words) => Event::Notice(Tone::Good, words),
                    Err(why) => Event::Notice(Tone::Bad, why),
                };
                outlet.send(told).await;
            }
            Ask::Wallet(Some(account), act) => drop(book.send(book::Ask::Act(account, act)).await),
            Ask::Wallet(None, _act) => {}
            Ask::Earnings => drop(book.send(book::Ask::Earnings).await),
            Ask::Blocks => drop(book.send(book::Ask::Blocks).await),
            Ask::Block(blocking) => drop(book.send(book::Ask::Block(blocking)).await),
            Ask::Steer(steered) => drop(book.send(book::Ask::Steer(steered)).await),
            Ask::Watch { job, shot } => drop(watched.send_replace(Some((job, shot)))),
            Ask::Save { sheet, look } => drop(saves.send((sheet, look)).await),
            Ask::Import(path) => drop(stage.send(stage::Ask::Import(path)).await),
            Ask::Surround(it) => drop(stage.send(stage::Ask::Surround(it)).await),
            Ask::Look(sighting) => drop(stage.send(stage::Ask::Look(sighting)).await),
            Ask::LookAway => drop(stage.send(stage::Ask::LookAway).await),
            Ask::DropPrice => drop(prices.send_replace(None)),
            Ask::ClearStage => {
                prices.send_replace(None);
                drop(stage.send(stage::Ask::Clear).await);
            }
            Ask::Price(ask) => drop(prices.send_replace(Some(*ask))),
            Ask::Order { firm, schedule } => drop(orders.send((firm, schedule)).await),
            Ask::FetchFrames(ask) => drop(reels.send_replace(Some(*ask))),
            Ask::StopFetchingFrames => drop(reels.send_replace(None)),
            Ask::Verify(ask) => drop(verifies.send_replace(Some(*ask))),
            Ask::StopVerifying => drop(verifies.send_replace(None)),
            Ask::StartNode(start) => drop(node.send(node::Ask::Start(start)).await),
            Ask::Wish(wishes) => drop(node.send(node::Ask::Wish(wishes)).await),
            Ask::StopNode => drop(node.send(node::Ask::Stop).await),
            Ask::StartFarm => drop(own_farm.send(own_farm::Ask::Start).await),
            Ask::StopFarm => drop(own_farm.send(own_farm::Ask::Stop).await),
            Ask::StartWithSession(wanted) => start_with_session(wanted, &outlet).await,
            Ask::Remember(settings) => drop(remembered.send_replace(Some(*settings))),
        }
    }
    // The last settings are written before the end.
    drop(remembered);
    if let Some(remembering) = remembering {
        drop(remembering.await);
    }
    desks.abort_all();
    while desks.join_next().await.is_some() {}
    if let Some(caller) = caller {
        caller.close().await;
    }
}

/// Changes whether the app is started with the session, and says how it stands then.
async fn start_with_session(wanted: bool, outlet: &Outlet) {
    let done = tokio::task::spawn_blocking(move || (autostart::set(wanted), autostart::is_on()));
    let Ok((set, is_on)) = done.await else { return };
    if let Err(why) = set {
        outlet.send(Event::Notice(Tone::Bad, why)).await;
    }
    outlet.send(Event::WithSession(is_on)).await;
}

/// Reads the key and opens the socket.
async fn bind(config: &DeskConfig, outlet: &Outlet) -> Result<Arc<Caller>, String> {
    // An own port on every interface: a farm may be on this machine, the LAN or beyond.
    let anywhere = std::net::SocketAddr::from((std::net::Ipv4Addr::UNSPECIFIED, 0));
    let caller = Caller::bind(&config.key_path, anywhere).await;
    let caller = caller.map_err(|error| sentence(&error))?;
    let path = config.key_path.display().to_string();
    outlet.send(Event::Identity(Identity { key: caller.id(), path })).await;
    Ok(caller)
}

/// An error as a person reads it: a sentence that begins with a capital.
pub(crate) fn sentence(error: &client::Error) -> String {
    let words = error.refusal().map_or_else(|| error.words(), |refused| refused.message.clone());
    capital(&words)
}

pub(crate) use protocol::chain;

pub(crate) use crate::words::capital;

/// The clock, milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Waits for a farm; `None` when there will never be one again.
pub(crate) async fn seated(farm: &mut FarmSeat) -> Option<Farm> {
    let seen = farm.wait_for(Option::is_some).await.ok()?;
    seen.clone()
}
