//! Quotes.

use protocol::Footprint;
use serde::Serialize;

use super::{Money, time};

/// A firm price; what is not used of it returns.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Quote {
    /// Its id.
    pub quote: String,
    /// The most that the job costs.
    pub price: Money,
    /// Of that, for rendering.
    pub work: Money,
    /// Of that, the farm's fee.
    pub fee: Money,
    /// Of that, for checking.
    pub reserve: Money,
    /// Of the work, for preparing scenes.
    pub setup: Money,
    /// What checking is expected to take of the reserve.
    pub checking: Money,
    /// What it pays per billion rays.
    pub price_per_gray: Money,
    /// The farm's base price per billion rays.
    pub base_per_gray: Money,
    /// How surely a forgery of 5 % of a tile is caught, per cent.
    pub assurance: String,
    /// Samples of all pixels of all frames.
    pub samples: u64,
    /// What was rendered to find the price.
    pub probed: Probed,
    /// Which nodes may render it.
    pub nodes: Nodes,
    /// What its scene takes.
    pub memory: Memory,
    /// Until when it can be ordered at this price.
    pub valid_until: String,
}

/// What a price was found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Probed {
    /// Frames looked at.
    pub frames: u32,
    /// Pixels rendered.
    pub pixels: u32,
}

/// How many nodes may render a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Nodes {
    /// Nodes that the farm knows.
    pub known: u32,
    /// Of these, those that meet its needs.
    pub meet: u32,
    /// Of these, those that can hold its scene.
    pub hold: u32,
    /// Of these, those that are here now.
    pub here: u32,
}

/// Memory that a scene takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Memory {
    /// On a processor, bytes.
    pub cpu_bytes: u64,
    /// On a graphics card, bytes.
    pub gpu_bytes: u64,
}

impl From<Footprint> for Memory {
    fn from(memory: Footprint) -> Self {
        Self { cpu_bytes: memory.cpu_bytes, gpu_bytes: memory.gpu_bytes }
    }
}

impl From<&protocol::Quote> for Quote {
    fn from(quote: &protocol::Quote) -> Self {
        let reach = quote.reach;
        Self {
            quote: quote.id.to_string(),
            price: quote.price.into(),
            work: quote.work.into(),
            fee: quote.fee.into(),
            reserve: quote.reserve.into(),
            setup: quote.setup.into(),
            checking: quote.checking.into(),
            price_per_gray: quote.price_per_gray.into(),
            base_per_gray: quote.base_per_gray.into(),
            assurance: quote.offer.assurance.to_string().trim_end_matches(" %").to_owned(),
            samples: quote.samples,
            probed: Probed { frames: quote.probed.shots, pixels: quote.probed.pixels },
            nodes: Nodes {
                known: reach.known,
                meet: reach.meet,
                hold: reach.hold,
                here: reach.here,
            },
            memory: quote.memory.into(),
            valid_until: time(quote.valid_until_ms),
        }
    }
}
