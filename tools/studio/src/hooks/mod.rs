//! Webhooks: where events are sent, what was sent, and who sends it.
//!
//! Appending an event is all that a caller does: the [`Courier`], once woken, queues a delivery for
//! each webhook that wants it and sends what is due. It goes through the log from where it stopped
//! and notes how far it came in the changes that queue deliveries, so that a crash loses no
//! delivery of an event that it did not lose, and none is queued twice. What was sent may be sent
//! again after a crash, with the same `webhook-id`: at least once, as Standard Webhooks have it.
//!
//! Order is best effort: a webhook is sent one event at a time, those due longest first, and an
//! event that waits for its next try holds up no other.

mod courier;
mod keep;
mod ladder;
mod queue;
mod sign;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use courier::{Courier, CourierError};
pub(crate) use keep::create;
pub use ladder::Ladder;
pub use sign::{HookSecret, ParseHookSecretError};

use crate::book::{BookError, Event, EventKind};

/// Webhooks that a book holds.
pub const HOOKS_MAX: usize = 100;
/// Deliveries of a webhook that are kept once they have ended.
pub const ENDED_MAX: usize = 1_000;
/// Deliveries of a webhook that may wait; with more, the oldest is given up.
pub const WAITING_MAX: usize = 10_000;
/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// Where events are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// `whk_` and 16 hex digits.
    pub id: String,
    /// Where: `http` or `https`, with a host and without a user.
    pub url: String,
    /// What is sent; all but `job.progress` where it is empty.
    #[serde(default)]
    pub events: BTreeSet<EventKind>,
    /// The only team whose events are sent; all without, those that concern no team too.
    #[serde(default)]
    pub team: Option<String>,
    /// When it was made: milliseconds since 1970.
    pub created_ms: u64,
    /// Since when nothing is sent, because its receiver answered 410 Gone: milliseconds since
    /// 1970. It stays so; whoever wants it back makes a new one.
    #[serde(default)]
    pub disabled_ms: Option<u64>,
}

/// A webhook to be made; the fields are [`Webhook`]'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// Where: `http` or `https`, with a host and without a user.
    pub url: String,
    /// What is sent; all but `job.progress` where it is empty.
    pub events: BTreeSet<EventKind>,
    /// A team that exists.
    pub team: Option<String>,
}

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// `msg_` and 32 hex digits, of webhook and event: the header `webhook-id`, in every attempt.
    pub id: String,
    /// The webhook's id.
    pub webhook: String,
    /// The event's id.
    pub event_id: u64,
    /// The event's type.
    pub kind: EventKind,
    /// What was tried, oldest first.
    pub attempts: Vec<Attempt>,
    /// How far it has come.
    pub state: DeliveryState,
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be tried.
    Waiting {
        /// Not before: milliseconds since 1970.
        next_ms: u64,
    },
    /// Its receiver has it.
    Delivered,
    /// It was tried as often as the ladder has it, or there is no use: its webhook is disabled, too
    /// many wait, or the event is no longer in the log.
    GivenUp,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began: milliseconds since 1970.
    pub time_ms: u64,
    /// What the receiver answered; `None` where it did not.
    #[serde(default)]
    pub status: Option<u16>,
    /// What was wrong: with an answer that is not 2xx the first of its text. `None` of a success.
    #[serde(default)]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A URL that nothing can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a URL for a webhook (http or https, a host, no user or password, at most 2048 bytes): \
     {0}"
)]
pub struct WebhookUrlError(pub String);

/// Why no webhook was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddWebhookError {
    /// Not a URL that can be sent to.
    #[error(transparent)]
    Url(#[from] WebhookUrlError),
    /// No such team.
    #[error("there is no such team; make it first: {team}")]
    UnknownTeam {
        /// What was asked for.
        team: String,
    },
    /// There are as many as a book holds.
    #[error("there are {HOOKS_MAX} webhooks already; remove one that is not used")]
    TooMany,
    /// The book failed.
    #[error(transparent)]
    Book(#[from] BookError),
}

impl Webhook {
    /// Whether an event is sent there.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        let kind = match self.events.is_empty() {
            true => event.kind != EventKind::JobProgress,
            false => self.events.contains(&event.kind),
        };
        let team = self.team.is_none() || self.team == event.team;
        self.disabled_ms.is_none() && kind && team
    }
}

impl Attempt {
    /// Whether the receiver has it: its answer was 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Refuses a URL that nothing can be sent to.
fn check_url(text: &str) -> Result<(), WebhookUrlError> {
    let fits = text.len() <= URL_BYTES_MAX;
    let parsed = reqwest::Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    });
    match parsed {
        Some(_) if fits => Ok(()),
        _ => Err(WebhookUrlError(text.chars().take(200).collect())),
    }
}

#[cfg(test)]
mod tests;
