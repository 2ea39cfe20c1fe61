//! What the book holds of webhooks.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::queue::{self, DELIVERIES, DUE, Queue};
use super::{
    AddWebhookError, Attempt, Delivery, DeliveryState, HOOKS_MAX, HookSecret, NewWebhook, Webhook,
    check_url,
};
use crate::book::{
    Book, BookError, Event, Keep, META, Row, decode, encode, events, get, hex, random_id, teams,
};

/// By id.
const WEBHOOKS: TableDefinition<'static, &str, Row> = TableDefinition::new("webhooks");
/// In the table of counters: the last event that deliveries were queued of.
const SEEN: &str = "webhooks_seen";
/// Domain of the ids of deliveries.
const DOMAIN: &str = "tessera studio webhook delivery v1";
/// Events that one change queues.
const EVENTS_AT_ONCE: usize = 1_000;

#[derive(Serialize, Deserialize)]
struct Kept {
    webhook: Webhook,
    secret: HookSecret,
    /// The last event before it was made, which it is not sent.
    after_event: u64,
}

/// A delivery whose time has come.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) webhook: Webhook,
    pub(super) secret: HookSecret,
    pub(super) delivery: Delivery,
    /// `None` where it is no longer in the log.
    pub(super) event: Option<Event>,
}

/// What comes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has come to this.
    State(DeliveryState),
    /// Its receiver wants no more, ever.
    Gone {
        /// Since when: milliseconds since 1970.
        now_ms: u64,
    },
}

impl Book {
    /// Makes a webhook, which is sent events that are appended from now on.
    ///
    /// # Errors
    /// - [`AddWebhookError::Url`], [`AddWebhookError::UnknownTeam`], [`AddWebhookError::TooMany`]
    /// - [`AddWebhookError::Book`]
    pub fn add_webhook(
        &self,
        new: NewWebhook,
        now_ms: u64,
    ) -> Result<(Webhook, HookSecret), AddWebhookError> {
        let NewWebhook { url, events, team } = new;
        check_url(&url)?;
        let secret = HookSecret::try_new()?;
        let id = random_id("whk_")?;
        let webhook = Webhook { id, url, events, team, created_ms: now_ms, disabled_ms: None };
        self.write(Keep::Now, |change| {
            if let Some(team) = &webhook.team
                && !teams::exists(change, team)?
            {
                return Err(AddWebhookError::UnknownTeam { team: team.clone() });
            }
            if kept_within(change)?.len() >= HOOKS_MAX {
                return Err(AddWebhookError::TooMany);
            }
            let after_event = events::last_id(change)?;
            let (webhook, secret) = (webhook.clone(), secret.clone());
            put(change, &Kept { webhook, secret, after_event })?;
            Ok(())
        })?;
        Ok((webhook, secret))
    }

    /// All webhooks, the oldest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn webhooks(&self) -> Result<Vec<Webhook>, BookError> {
        let kept = all(&self.read()?.open_table(WEBHOOKS)?)?;
        let mut webhooks: Vec<Webhook> = kept.into_iter().map(|kept| kept.webhook).collect();
        webhooks.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
        Ok(webhooks)
    }

    /// A webhook by its id.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn webhook(&self, id: &str) -> Result<Option<Webhook>, BookError> {
        Ok(self.webhook_and_secret(id)?.map(|(webhook, _)| webhook))
    }

    /// Removes a webhook with its deliveries; whether it was there.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn remove_webhook(&self, id: &str) -> Result<bool, BookError> {
        self.write(Keep::Now, |change| {
            Queue::open(change)?.clear(id)?;
            let mut webhooks = change.open_table(WEBHOOKS)?;
            Ok(webhooks.remove(id)?.is_some())
        })
    }

    /// The last `limit` deliveries of a webhook before an event, or before none, the newest first:
    /// those that wait and the last [`ENDED_MAX`](super::ENDED_MAX) that have ended.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn deliveries(
        &self,
        webhook: &str,
        before_event: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Delivery>, BookError> {
        let table = self.read()?.open_table(DELIVERIES)?;
        let end = before_event.unwrap_or(u64::MAX);
        let mut deliveries = Vec::new();
        for row in table.range((webhook, 0)..(webhook, end))?.rev().take(limit) {
            deliveries.push(decode("deliveries", row?.1.value())?);
        }
        Ok(deliveries)
    }

    /// Queues deliveries of all events since it was last called; how many. The courier calls it.
    ///
    /// Does not wait for the disk. What a power cut takes is queued again at the next call, since
    /// the place in the log is lost with it; nothing is queued twice.
    pub(super) fn enqueue(&self) -> Result<usize, BookError> {
        let mut count = 0;
        loop {
            let view = self.read()?;
            let none = all(&view.open_table(WEBHOOKS)?)?.is_empty();
            if none || seen(&view.open_table(META)?)? >= self.last_event_id()? {
                return Ok(count);
            }
            drop(view);
            count += self.write(Keep::Soon, enqueue_some)?;
        }
    }

    /// What is due, at most one delivery a webhook and `limit` in all, those due longest first; and
    /// when the next of the other webhooks will be. Leaves out webhooks that are busy.
    pub(super) fn due(
        &self,
        now_ms: u64,
        busy: &BTreeSet<String>,
        limit: usize,
    ) -> Result<(Vec<Due>, Option<u64>), BookError> {
        let view = self.read()?;
        let due = view.open_table(DUE)?;
        let mut first = Vec::new();
        let mut next_ms = None::<u64>;
        for kept in all(&view.open_table(WEBHOOKS)?)? {
            let id = kept.webhook.id.as_str();
            if busy.contains(id) {
                continue;
            }
            let mut waiting = due.range((id, 0, 0)..=(id, u64::MAX, u64::MAX))?;
            if let Some(row) = waiting.next() {
                let (_, at_ms, event) = row?.0.value();
                match at_ms <= now_ms {
                    true => first.push((at_ms, event, kept)),
                    false => next_ms = Some(next_ms.map_or(at_ms, |next| next.min(at_ms))),
                }
            }
        }
        first.sort_by_key(|&(at_ms, event, _)| (at_ms, event));
        first.truncate(limit);
        let found = first.into_iter().map(|(_, event, kept)| load(&view, kept, event));
        Ok((found.filter_map(Result::transpose).collect::<Result<_, _>>()?, next_ms))
    }

    /// Records a try and what came of it. Nothing where the delivery is gone or has ended.
    ///
    /// Does not wait for the disk: what a power cut takes is tried again, under the same id.
    pub(super) fn record(
        &self,
        webhook: &str,
        event: u64,
        attempt: Option<Attempt>,
        outcome: Outcome,
    ) -> Result<(), BookError> {
        self.write(Keep::Soon, |change| {
            let mut queue = Queue::open(change)?;
            let Some(mut delivery) = queue.get(webhook, event)? else {
                return Ok(());
            };
            if !matches!(delivery.state, DeliveryState::Waiting { .. }) {
                return Ok(());
            }
            delivery.attempts.extend(attempt);
            match outcome {
                Outcome::State(state) => {
                    delivery.state = state;
                    queue.put(&delivery)?;
                }
                Outcome::Gone { now_ms } => {
                    queue.put(&delivery)?;
                    queue.give_up_beyond(webhook, 0)?;
                    disable(change, webhook, now_ms)?;
                }
            }
            queue.trim(webhook)
        })
    }

    /// A webhook, and what its messages are signed with.
    pub(super) fn webhook_and_secret(
        &self,
        id: &str,
    ) -> Result<Option<(Webhook, HookSecret)>, BookError> {
        let kept = get::<_, Kept>("webhooks", &self.read()?.open_table(WEBHOOKS)?, id)?;
        Ok(kept.map(|kept| (kept.webhook, kept.secret)))
    }
}

/// Makes the tables.
pub(crate) fn create(change: &WriteTransaction) -> Result<(), BookError> {
    change.open_table(WEBHOOKS)?;
    queue::create(change)
}

/// Queues deliveries of the next events; how many.
fn enqueue_some(change: &WriteTransaction) -> Result<usize, BookError> {
    let mut count = 0;
    let kept = kept_within(change)?;
    let from = kept.iter().map(|kept| kept.after_event).min().unwrap_or(u64::MAX);
    let seen = seen(&change.open_table(META)?)?;
    let events = events::after(change, seen.max(from), EVENTS_AT_ONCE)?;
    let mut queue = Queue::open(change)?;
    for Kept { webhook, after_event, .. } in &kept {
        let wanted = |event: &&Event| event.id > *after_event && webhook.wants(event);
        let before = count;
        for event in events.iter().filter(wanted) {
            queue.put(&delivery(&webhook.id, event))?;
            count += 1;
        }
        if count > before {
            queue.trim(&webhook.id)?;
        }
    }
    let last = match events.last() {
        Some(event) if events.len() == EVENTS_AT_ONCE => event.id,
        _ => events::last_id(change)?,
    };
    change.open_table(META)?.insert(SEEN, last)?;
    Ok(count)
}

/// A delivery to be sent at once. Its id tells a receiver what it has had, even where a crash took
/// what was known here.
fn delivery(webhook: &str, event: &Event) -> Delivery {
    let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
    hasher.update(webhook.as_bytes()).update(&event.id.to_le_bytes());
    Delivery {
        id: hex("msg_", &hasher.finalize().as_bytes()[..16]),
        webhook: webhook.to_owned(),
        event_id: event.id,
        kind: event.kind,
        attempts: Vec::new(),
        state: DeliveryState::Waiting { next_ms: event.time_ms },
    }
}

fn load(view: &ReadTransaction, kept: Kept, event: u64) -> Result<Option<Due>, BookError> {
    let Kept { webhook, secret, .. } = kept;
    let key = (webhook.id.as_str(), event);
    let delivery = get("deliveries", &view.open_table(DELIVERIES)?, key)?;
    let event = events::find(view, event)?;
    Ok(delivery.map(|delivery| Due { webhook, secret, delivery, event }))
}

fn seen(counters: &impl ReadableTable<&'static str, u64>) -> Result<u64, BookError> {
    Ok(counters.get(SEEN)?.map_or(0, |seen| seen.value()))
}

fn disable(change: &WriteTransaction, id: &str, now_ms: u64) -> Result<(), BookError> {
    let kept = get::<_, Kept>("webhooks", &change.open_table(WEBHOOKS)?, id)?;
    let Some(mut kept) = kept else {
        return Ok(());
    };
    kept.webhook.disabled_ms = Some(now_ms);
    put(change, &kept)
}

fn put(change: &WriteTransaction, kept: &Kept) -> Result<(), BookError> {
    change.open_table(WEBHOOKS)?.insert(kept.webhook.id.as_str(), &encode(kept)[..])?;
    Ok(())
}

fn kept_within(change: &WriteTransaction) -> Result<Vec<Kept>, BookError> {
    all(&change.open_table(WEBHOOKS)?)
}

fn all(webhooks: &impl ReadableTable<&'static str, Row>) -> Result<Vec<Kept>, BookError> {
    let mut all = Vec::new();
    for row in webhooks.iter()? {
        all.push(decode("webhooks", row?.1.value())?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::{ENDED_MAX, WAITING_MAX};
    use super::*;
    use crate::book::{EventKind, NewEvent, scratch};

    #[test]
    fn a_webhook_keeps_its_last_deliveries() {
        let (_dir, book) = scratch::book();
        let new_hook = || NewWebhook {
            url: "https://fx.example/".to_owned(),
            events: BTreeSet::new(),
            team: None,
        };
        let (webhook, _) = book.add_webhook(new_hook(), 1).expect("it works");
        let (other, _) = book.add_webhook(new_hook(), 1).expect("it works");
        let count = WAITING_MAX + ENDED_MAX + 10;
        let done = NewEvent {
            kind: EventKind::JobDone,
            time_ms: 5,
            job: Some("job_1".to_owned()),
            team: None,
            body: serde_json::json!({"status": "done"}),
        };
        let events = (0..count).map(|_| done.clone()).collect();
        book.append(events, true).expect("it works");
        book.enqueue().expect("it works");
        let count_of = |webhook: &Webhook, wanted: fn(&DeliveryState) -> bool| {
            let deliveries = book.deliveries(&webhook.id, None, usize::MAX).expect("it works");
            deliveries.iter().filter(|delivery| wanted(&delivery.state)).count()
        };
        let waits = |state: &DeliveryState| matches!(state, DeliveryState::Waiting { .. });
        let given_up = |state: &DeliveryState| *state == DeliveryState::GivenUp;
        for webhook in [&webhook, &other] {
            assert_eq!(count_of(webhook, waits), WAITING_MAX);
            assert_eq!(count_of(webhook, given_up), ENDED_MAX);
        }
        // The oldest are those that are gone.
        let oldest = book.deliveries(&webhook.id, Some(12), 99).expect("it works");
        assert_eq!(oldest.iter().map(|delivery| delivery.event_id).collect::<Vec<_>>(), [11]);

        book.write(Keep::Now, |change| {
            let mut queue = Queue::open(change)?;
            let next = u64::try_from(ENDED_MAX + 11).expect("it works");
            let first = queue.get(&webhook.id, next)?.expect("it works");
            queue.put(&Delivery { state: DeliveryState::Delivered, ..first })?;
            queue.trim(&webhook.id)
        })
        .expect("it works");
        assert_eq!(count_of(&webhook, given_up), ENDED_MAX - 1);
        assert_eq!(count_of(&webhook, waits), WAITING_MAX - 1);
        assert_eq!(count_of(&other, waits), WAITING_MAX);
    }
}
