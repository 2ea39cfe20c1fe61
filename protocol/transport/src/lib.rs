//! How words travel between peers: an iroh endpoint, calls, scenes.
//!
//! - A peer is its ed25519 key; both ends of every connection have proven theirs.
//! - A call is one stream: a [`protocol::Request`] with perhaps a film, a [`protocol::Reply`] with
//!   perhaps a film. Every call has a deadline, for calls wait through a partition.
//! - The first request of a connection is [`protocol::Request::Hello`]. **Admission is its reply**,
//!   not a successful [`Peer::connect`]: callers send it and look at the answer.
//! - Scenes are fetched by hash, in parts, from whomever one is connected with, whoever dialled;
//!   or from a stranger who gives them to whoever shows a pass ([`Peer::give_scenes`]).
//!
//! Nothing here needs the internet: no relay, no address service, direct addresses only.
//!
//! **Architecture invariant:** types of iroh do not leave this crate.

mod backoff;
mod blobs;
mod connection;
pub mod frame;
mod giving;
pub mod identity;
mod lobby;
mod pace;
pub mod packing;
mod peer;
mod registry;
mod scenes;
mod serve;
mod stream;
mod ticket;

use std::future::Future;
use std::pin::Pin;

pub use backoff::Backoff;
pub use connection::{CallError, Connection};
pub use giving::Porter;
pub use pace::{Carried, PeerPace};
pub use peer::{BindError, ConnectError, Peer, PeerConfig, PeerLimits};
pub use scenes::{FetchError, FetchProgress, Held, Part, SceneError, Scenes, Usher};
pub use serve::Service;
pub use ticket::{Ticket, TicketError};

/// A future in a box: what an object-safe trait can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The name of the call protocol on the network.
pub const RPC_ALPN: &[u8] = b"tessera/rpc/1";
