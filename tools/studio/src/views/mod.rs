//! What is spoken over HTTP: objects with the words of docs/api.md.

mod farm;
mod job;
mod quote;
mod scene;

use protocol::Tokens;
use serde::{Deserialize, Serialize};

pub use crate::clock::{now_ms, time, time_ms};
pub use farm::{Block, FarmView, Market, NodeRow, StatementRow, Wallet};
pub use job::{Event, Frame, Job, LogLine, Returned, Tile, TileCounts, camera_name};
pub use quote::{Memory, Nodes, Probed, Quote};
pub use scene::{Animation, Arrival, FileState, NewScene, Scene};

/// An amount of tokens: for people, and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Money {
    /// With all six decimals.
    #[schema(example = "3.200000")]
    pub tokens: String,
    /// Millionths.
    #[schema(value_type = u64, example = 3_200_000)]
    pub micro: u128,
}

impl From<Tokens> for Money {
    fn from(tokens: Tokens) -> Self {
        Self { tokens: tokens.to_string(), micro: tokens.micro() }
    }
}

/// A part of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// What there is of it.
    pub items: Vec<T>,
    /// Where the next part begins; none after the last.
    pub next_cursor: Option<String>,
}
