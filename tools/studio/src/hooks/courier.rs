//! Who sends what is due.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use protocol::chain;
use reqwest::{Client, Response, redirect};
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

use super::keep::{Due, Outcome};
use super::{Attempt, DeliveryState, HookSecret, Ladder};
use crate::book::{Book, BookError, Desk, hex};
use crate::clock::{now_ms, time};

/// Messages that are under way at once, each to another webhook.
const AT_ONCE: usize = 16;
/// How long a receiver may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How much of an answer is read: what lets its connection be used again.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// How much of an answer is kept, in characters.
const ANSWER_CHARS_MAX: usize = 200;
/// How often the courier looks without being woken, and how long what it recorded may wait for the
/// disk.
const LOOK: Duration = Duration::from_secs(5);
/// How long a stop waits for messages that are under way.
const STOP: Duration = Duration::from_secs(3);

/// Sends deliveries to webhooks; cheap to clone.
///
/// Redirects are not followed. Whatever address a webhook has is sent to, those of the studio's own
/// network too, which is why only owners make them. Proxies are those of the environment
/// (`HTTPS_PROXY` and the like).
#[derive(Debug, Clone)]
pub struct Courier {
    book: Desk,
    wake: Arc<Notify>,
    client: Client,
    ladder: Ladder,
    answer: Duration,
}

/// Why there is no courier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CourierError {
    /// The HTTP client cannot be made, for one because the system has no certificates to trust.
    #[error("the HTTP client for webhooks cannot be made")]
    Client(#[source] reqwest::Error),
}

impl Courier {
    /// A courier that waits for an answer for 10 s and tries again as the default [`Ladder`] says.
    /// Whoever appends events calls `wake.notify_one()`.
    ///
    /// Makes ring the process's choice of cryptography for TLS, unless one was chosen. On a machine
    /// that has no certificates to trust, as small containers are, nothing is sent to `https`.
    ///
    /// # Errors
    /// [`CourierError::Client`].
    pub fn try_new(book: Book, wake: Arc<Notify>) -> Result<Self, CourierError> {
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(concat!("tessera-studio/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
        };
        let client = builder().build().or_else(|error| {
            tracing::warn!(
                "webhooks at https cannot be reached, install ca-certificates: {}",
                chain(&error)
            );
            builder().tls_certs_only([]).build()
        });
        let client = client.map_err(CourierError::Client)?;
        Ok(Self { book: book.into(), wake, client, ladder: Ladder::default(), answer: ANSWER })
    }

    /// The same with other waits between tries.
    #[must_use]
    pub fn with_ladder(self, ladder: Ladder) -> Self {
        Self { ladder, ..self }
    }

    /// The same with another time for an answer.
    #[must_use]
    pub fn with_answer(self, answer: Duration) -> Self {
        Self { answer, ..self }
    }

    /// Queues and sends until `stop` is true or its sender is gone.
    ///
    /// At most 16 messages are under way at once and one a webhook. A stop waits up to 3 s for
    /// them; what it leaves is sent again by the next courier.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let wake = Arc::clone(&self.wake);
        let mut round = Round {
            courier: self,
            busy: BTreeSet::new(),
            sent: JoinSet::new(),
            by_task: HashMap::new(),
            synced: Instant::now(),
        };
        loop {
            let pause = round.look().await;
            tokio::select! {
                biased;
                _stopped = stop.wait_for(|&stop| stop) => break,
                Some(done) = round.sent.join_next_with_id() => round.end(done),
                () = wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        let under_way = async { while round.sent.join_next().await.is_some() {} };
        if timeout(STOP, under_way).await.is_err() {
            tracing::info!(webhooks = round.sent.len(), "webhooks that do not answer are left");
        }
        round.courier.sync().await;
    }

    /// Sends an event of type `ping` to a webhook now, disabled or not, and says how it went;
    /// `None` where there is no such webhook. It is no delivery: not recorded and not tried again.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn test(&self, webhook: &str) -> Result<Option<Attempt>, BookError> {
        let id = webhook.to_owned();
        let found = self.book.with(move |book| book.webhook_and_secret(&id)).await?;
        let Some((webhook, secret)) = found else {
            return Ok(None);
        };
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(BookError::Random)?;
        let body = json!({ "id": null, "type": "ping", "time": time(now_ms()),
            "job": null, "team": webhook.team });
        let body = body.to_string();
        Ok(Some(self.post(&webhook.url, &secret, &hex("msg_", &id), body).await))
    }

    /// Sends what is due and records how it went.
    async fn deliver(self, due: Due) {
        let Due { webhook, secret, delivery, event } = due;
        let (attempt, outcome) = match event {
            Some(event) => {
                let body = event.to_json().to_string();
                let attempt = self.post(&webhook.url, &secret, &delivery.id, body).await;
                let outcome = self.outcome(&attempt, delivery.attempts.len() + 1);
                (Some(attempt), outcome)
            }
            None => (None, Outcome::State(DeliveryState::GivenUp)),
        };
        let (id, event) = (delivery.webhook, delivery.event_id);
        let recorded = self.book.with(move |book| book.record(&id, event, attempt, outcome)).await;
        if let Err(error) = recorded {
            tracing::warn!(error = chain(&error), id = delivery.id, "a delivery was not recorded");
            // It is still due; a broken disk must not make a flood of messages.
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What comes of a try, the `tries`th.
    fn outcome(&self, attempt: &Attempt, tries: usize) -> Outcome {
        let now_ms = now_ms();
        if attempt.is_success() {
            return Outcome::State(DeliveryState::Delivered);
        }
        if attempt.status == Some(410) {
            return Outcome::Gone { now_ms };
        }
        let mut random = [0; 2];
        // Without randomness the waits are the longest.
        let random = getrandom::fill(&mut random).map_or(u16::MAX, |()| u16::from_le_bytes(random));
        Outcome::State(match self.ladder.wait(tries, random) {
            Some(wait) => DeliveryState::Waiting { next_ms: now_ms + milliseconds(wait) },
            None => DeliveryState::GivenUp,
        })
    }

    /// Sends one message.
    async fn post(&self, url: &str, secret: &HookSecret, id: &str, body: String) -> Attempt {
        let (time_ms, begun) = (now_ms(), Instant::now());
        let deadline = begun + self.answer;
        let time_s = time_ms / 1_000;
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", time_s)
            .header("webhook-signature", secret.sign(id, time_s, body.as_bytes()))
            .body(body);
        let (status, error) = match timeout_at(deadline, request.send()).await {
            Err(_elapsed) => (None, Some(format!("no answer within {:?}", self.answer))),
            Ok(Err(error)) => (None, Some(chain(&error.without_url()))),
            Ok(Ok(answer)) => {
                let status = answer.status();
                let text = timeout_at(deadline, begin_of(answer)).await.unwrap_or_default();
                let error = (!status.is_success()).then(|| format!("answered {status}: {text}"));
                (Some(status.as_u16()), error)
            }
        };
        Attempt { time_ms, status, error, took_ms: milliseconds(begun.elapsed()) }
    }

    async fn sync(&self) {
        if let Err(error) = self.book.with(Book::sync).await {
            tracing::warn!(error = chain(&error), "what was sent may be sent again");
        }
    }
}

/// What a running courier knows.
struct Round {
    courier: Courier,
    /// Webhooks that a message is under way to.
    busy: BTreeSet<String>,
    sent: JoinSet<()>,
    by_task: HashMap<Id, String>,
    /// When what was recorded was last brought to the disk.
    synced: Instant,
}

impl Round {
    /// Queues, sends what is due, and says how long there is nothing to do.
    async fn look(&mut self) -> Duration {
        let (busy, free) = (self.busy.clone(), AT_ONCE - self.busy.len());
        let now_ms = now_ms();
        let is_late = self.synced.elapsed() >= LOOK;
        if is_late {
            self.synced = Instant::now();
        }
        let found = self.courier.book.with(move |book| {
            book.enqueue()?;
            if is_late {
                book.sync()?;
            }
            book.due(now_ms, &busy, free)
        });
        let (due, next_ms) = match found.await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(error = chain(&error), "webhooks are not sent for now");
                return LOOK;
            }
        };
        for due in due {
            let id = due.webhook.id.clone();
            let task = self.sent.spawn(self.courier.clone().deliver(due));
            self.by_task.insert(task.id(), id.clone());
            self.busy.insert(id);
        }
        next_ms
            .map_or(LOOK, |next_ms| Duration::from_millis(next_ms.saturating_sub(now_ms)).min(LOOK))
    }

    /// Notes that a message is no longer under way.
    fn end(&mut self, done: Result<(Id, ()), JoinError>) {
        let task = match &done {
            Ok((task, ())) => *task,
            Err(error) => error.id(),
        };
        if let Some(id) = self.by_task.remove(&task) {
            self.busy.remove(&id);
        }
    }
}

/// The first of an answer's text, on one line.
async fn begin_of(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(ANSWER_BYTES_MAX);
    let text = String::from_utf8_lossy(&bytes);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(ANSWER_CHARS_MAX).map(plain).collect()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
