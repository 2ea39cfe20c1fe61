//! From a price to an order.

use std::time::Duration;

use protocol::{JobId, JobSpec, Offer, Quote};

/// Rest before a quote lapses within which it is not ordered any more, milliseconds.
const LAPSE_MARGIN_MS: u64 = 2_000;

/// What a render will cost, and what becomes of the order.
#[derive(Debug, Clone, Default)]
pub struct Checkout {
    /// Counts the prices that were asked for: an answer to an older question is no answer.
    pub serial: u64,
    /// What is known of the price.
    pub price: Price,
    /// The price that the farm last named, with what it is for.
    pub firm: Option<Box<Firm>>,
    /// Whether the price follows the settings by itself: the person has asked for it once.
    pub follows: bool,
    /// What is ordered as soon as it is known to cost nothing: what it was when that was asked for.
    pub orders_if_free: Option<(JobSpec, Offer)>,
    /// Whether an order is on its way.
    pub is_ordering: bool,
    /// Why the last order was not taken.
    pub trouble: Option<String>,
}

/// What is known of the price.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Price {
    /// Nobody has asked.
    #[default]
    Unknown,
    /// The scene is on its way to the farm.
    Sending {
        /// Bytes that have come, of those that were not there.
        come: u64,
        /// Bytes that were not there.
        of: u64,
        /// Bytes a second, and the time that is left, once there is a pace.
        pace: Option<(u64, Duration)>,
    },
    /// The farm is looking at it.
    Asking,
    /// It is known.
    Firm,
    /// The farm does not want to say, or cannot.
    Refused(String),
}

/// A firm price.
#[derive(Debug, Clone)]
pub struct Firm {
    /// For what.
    pub spec: JobSpec,
    /// On which terms.
    pub offer: Offer,
    /// The farm's word.
    pub quote: Quote,
}

/// News of prices and orders.
#[derive(Debug, Clone)]
pub enum Event {
    /// How a price is coming along.
    Price {
        /// Which question.
        serial: u64,
        /// How it stands.
        price: Price,
    },
    /// A firm price.
    Firm {
        /// Which question.
        serial: u64,
        /// The answer.
        firm: Box<Firm>,
    },
    /// What became of an order.
    Ordered(Result<JobId, String>),
}

impl Checkout {
    /// Whether the price is for exactly this, and may still be ordered.
    #[must_use]
    pub fn holds(&self, spec: &JobSpec, offer: Offer, now_ms: u64) -> bool {
        self.firm.as_ref().is_some_and(|firm| {
            firm.spec == *spec
                && firm.offer == offer
                && firm.quote.valid_until_ms > now_ms + LAPSE_MARGIN_MS
        })
    }
}
