//! The agent on a rendering machine: it takes leases from a farm, renders them, and is paid.
//!
//! [`run`] is the whole of it; a program brings a [`Config`], passes its owner's [`Wishes`] on, shows
//! the [`NodeEvent`]s and says when to stop. A node survives the loss of its scheduler: it keeps what it works on and comes
//! back. Scenes come from strangers: it renders them in a process of their own (see [`sandbox`]). It
//! believes nothing but leases signed by the scheduler it was welcomed by, and works for
//! none whose ledger tells another story than it did before (see [`witness`]).

mod agent;
mod announce;
mod backend;
mod bench;
mod cache;
pub mod cards;
mod cheat;
mod config;
mod duty;
mod event;
mod giving;
pub mod health;
mod hello;
mod lease;
pub mod manners;
mod memory;
mod painter;
mod seen;
mod session;
mod steer;
mod studio;
mod vitals;
mod watch;
mod wishes;
pub mod witness;
mod work;

use std::future::Future;
use std::path::PathBuf;

use protocol::{Engine, SettingsError};
use tokio::sync::watch::Receiver;

pub use backend::{OpenBackendError, open as open_backend};
pub use bench::Rendering;
pub use config::{Cheat, Config};
pub use duty::{Duty, DutyError};
pub use event::NodeEvent;
pub use lease::LeaseError;
pub use manners::{Manners, Pause};
pub use vitals::Vitals;
pub use wishes::{Hold, RunAnyway, Unwanted, Wishes, WishesError};
pub use witness::{Witness, WitnessError};

/// Why a node cannot go on. What a retry may heal is a [`NodeEvent::Error`] instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The node's own key cannot be read or made, or the owner's cannot be read.
    #[error("the node has no key to go by")]
    Identity(#[source] transport::identity::IdentityError),
    /// The node's folder cannot be used.
    #[error("the node's folder cannot be used: {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The network cannot be used.
    #[error("the node cannot use the network")]
    Bind(#[source] transport::BindError),
    /// The store of scenes failed.
    #[error("the node's scenes cannot be read")]
    Scenes(#[source] transport::SceneError),
    /// The store of scenes failed while the node worked, and will not come back by itself.
    #[error(
        "the node can keep no scenes any more; if its disk is full, free some space, then start it again: {path}"
    )]
    Store {
        /// The node's folder.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: transport::SceneError,
    },
    /// No backend renders here.
    #[error("the node cannot render")]
    Backend(#[source] sandbox::OpenError),
    /// The process that renders does not come up.
    #[error("the node cannot render apart")]
    Worker(#[source] sandbox::WorkerError),
    /// The benchmark or the golden film did not render.
    #[error("the node cannot render even the built-in scene")]
    Render(#[source] sandbox::RenderFault),
    /// The machine does not render what it must, and would ruin what it is given.
    #[error(
        "this machine renders the built-in scene wrongly ({differing} pixels differ); undo any overclocking, check its memory, update the graphics driver or let the CPU render; `tessera doctor` shows when it is well"
    )]
    Sick {
        /// Pixels beyond the tolerance.
        differing: usize,
    },
    /// The farm's ticket is no ticket.
    #[error("the farm cannot be reached with this ticket")]
    Ticket(#[source] transport::ConnectError),
    /// The farm renders with another engine.
    #[error("the farm renders with {farm}, this node with {node}; install the same release")]
    Engine {
        /// The farm's engine.
        farm: Engine,
        /// This node's.
        node: Engine,
    },
    /// The farm's ledger cannot be believed.
    #[error("the node does not work for this farm")]
    Witness(#[source] WitnessError),
    /// The farm does not want this node.
    #[error("the farm refuses this node: {0}")]
    Refused(String),
    /// The farm wants a golden film that is no single batch.
    #[error("the farm asks for a golden film of {chunks} chunks, which is not one batch")]
    GoldenBatch {
        /// Chunks asked for.
        chunks: u32,
    },
    /// The farm wants a golden film that cannot be rendered.
    #[error("the farm asks for a golden film that cannot be rendered")]
    GoldenSettings(#[source] SettingsError),
}

/// Is a node's worker process, and anybody's who renders on what nodes do; see [`sandbox::run`].
#[must_use]
pub fn worker() -> std::process::ExitCode {
    sandbox::run(backend::open)
}

/// Runs a node until `shutdown` is ready, or until something is wrong that no retry heals.
///
/// Leases not finished by then are given back. `wishes` are heeded as they change, within a
/// twentieth of a second; who has none that change passes [`Wishes::for_good`]. Those that no node
/// can meet change nothing and are told as a [`NodeEvent::Error`]. `events` is called from several
/// threads and should return at once.
///
/// # Errors
/// See [`RunError`].
pub async fn run(
    config: Config,
    wishes: Receiver<Wishes>,
    events: impl Fn(NodeEvent) + Send + Sync + 'static,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let mut shutdown = std::pin::pin!(shutdown);
    let mut agent = agent::Agent::start(config, wishes, std::sync::Arc::new(events)).await?;
    let ended = agent.work(shutdown.as_mut()).await;
    agent.stop().await;
    ended
}
