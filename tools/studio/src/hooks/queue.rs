//! The rows of deliveries, and their order.

use redb::{ReadableTable as _, Table, TableDefinition, WriteTransaction};

use super::{Delivery, DeliveryState, ENDED_MAX, WAITING_MAX};
use crate::book::{BookError, Row, encode, get};

/// By webhook and event.
pub(super) const DELIVERIES: TableDefinition<'static, (&str, u64), Row> =
    TableDefinition::new("deliveries");
/// Those that wait: by webhook, when they are due, and event.
pub(super) const DUE: TableDefinition<'static, (&str, u64, u64), ()> =
    TableDefinition::new("deliveries_due");
/// By webhook, whether they have ended, and event.
const STATES: TableDefinition<'static, (&str, bool, u64), ()> =
    TableDefinition::new("deliveries_states");

/// The tables of deliveries within a change, which agree after each call.
pub(super) struct Queue<'change> {
    deliveries: Table<'change, (&'static str, u64), Row>,
    due: Table<'change, (&'static str, u64, u64), ()>,
    states: Table<'change, (&'static str, bool, u64), ()>,
}

impl<'change> Queue<'change> {
    pub(super) fn open(change: &'change WriteTransaction) -> Result<Self, BookError> {
        Ok(Self {
            deliveries: change.open_table(DELIVERIES)?,
            due: change.open_table(DUE)?,
            states: change.open_table(STATES)?,
        })
    }

    pub(super) fn get(&self, webhook: &str, event: u64) -> Result<Option<Delivery>, BookError> {
        get("deliveries", &self.deliveries, (webhook, event))
    }

    /// Puts a delivery, in place of what it was.
    pub(super) fn put(&mut self, new: &Delivery) -> Result<(), BookError> {
        self.remove(&new.webhook, new.event_id)?;
        let (webhook, event) = (new.webhook.as_str(), new.event_id);
        self.deliveries.insert((webhook, event), &encode(new)[..])?;
        self.states.insert((webhook, is_over(new), event), ())?;
        if let DeliveryState::Waiting { next_ms } = new.state {
            self.due.insert((webhook, next_ms, event), ())?;
        }
        Ok(())
    }

    fn remove(&mut self, webhook: &str, event: u64) -> Result<(), BookError> {
        let Some(old) = self.get(webhook, event)? else {
            return Ok(());
        };
        self.deliveries.remove((webhook, event))?;
        self.states.remove((webhook, is_over(&old), event))?;
        if let DeliveryState::Waiting { next_ms } = old.state {
            self.due.remove((webhook, next_ms, event))?;
        }
        Ok(())
    }

    /// Gives up the oldest of those that wait beyond `max`.
    pub(super) fn give_up_beyond(&mut self, webhook: &str, max: usize) -> Result<(), BookError> {
        for event in self.beyond(webhook, false, max)? {
            if let Some(old) = self.get(webhook, event)? {
                self.put(&Delivery { state: DeliveryState::GivenUp, ..old })?;
            }
        }
        Ok(())
    }

    /// Keeps a webhook's deliveries within their bounds.
    pub(super) fn trim(&mut self, webhook: &str) -> Result<(), BookError> {
        self.give_up_beyond(webhook, WAITING_MAX)?;
        for event in self.beyond(webhook, true, ENDED_MAX)? {
            self.remove(webhook, event)?;
        }
        Ok(())
    }

    /// Removes all deliveries of a webhook.
    pub(super) fn clear(&mut self, webhook: &str) -> Result<(), BookError> {
        for over in [false, true] {
            for event in self.beyond(webhook, over, 0)? {
                self.remove(webhook, event)?;
            }
        }
        Ok(())
    }

    /// The events of all but the last `max` deliveries that wait, or have ended.
    fn beyond(&self, webhook: &str, over: bool, max: usize) -> Result<Vec<u64>, BookError> {
        let mut events = Vec::new();
        let all = self.states.range((webhook, over, 0)..=(webhook, over, u64::MAX))?;
        for row in all.rev().skip(max) {
            events.push(row?.0.value().2);
        }
        Ok(events)
    }
}

/// Makes the tables.
pub(super) fn create(change: &WriteTransaction) -> Result<(), BookError> {
    Queue::open(change).map(drop)
}

fn is_over(delivery: &Delivery) -> bool {
    !matches!(delivery.state, DeliveryState::Waiting { .. })
}
