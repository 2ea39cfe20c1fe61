//! Events: what happened to jobs, budgets and the farm, in one order.

use std::fmt;
use std::str::FromStr;

use redb::{ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Book, BookError, Keep, META, Row, decode, encode, get};

/// By id.
const EVENTS: TableDefinition<'static, u64, Row> = TableDefinition::new("events");
/// The ids of each job's.
const OF_JOB: TableDefinition<'static, (&str, u64), ()> = TableDefinition::new("events_of_job");
/// In the table of counters: the next id.
const NEXT: &str = "event_next";
/// In the table of counters: ids up to this one may have been given, and are never given again by
/// a process that finds the file after a crash.
const RESERVED: &str = "event_reserved";
/// Ids that are reserved at once; appending the last of them waits for the disk.
const BLOCK: u64 = 256;
/// Events that one change removes.
const PRUNED_AT_ONCE: usize = 10_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A job was ordered.
    JobOrdered,
    /// A job came further.
    JobProgress,
    /// A job was paused.
    JobPaused,
    /// A job goes on.
    JobResumed,
    /// A job is done.
    JobDone,
    /// A job ended with what was there.
    JobStopped,
    /// A job failed.
    JobFailed,
    /// A job was cancelled.
    JobCancelled,
    /// A team's budget has reached its warning.
    BudgetWarning,
    /// A team's budget did not cover an order, or is exceeded.
    BudgetExhausted,
    /// The farm does not answer.
    FarmLost,
    /// The farm answers again.
    FarmFound,
}

/// Text that is not a type of event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a type of event (as job.done): {0}")]
pub struct ParseEventKindError(pub String);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the order: from 1, rising, with gaps.
    pub id: u64,
    /// What happened.
    pub kind: EventKind,
    /// When: milliseconds since 1970.
    pub time_ms: u64,
    /// The job it happened to.
    #[serde(default)]
    pub job: Option<String>,
    /// The team it concerns.
    #[serde(default)]
    pub team: Option<String>,
    /// An object of whatever else is told.
    #[serde(default)]
    pub body: Value,
}

/// An event to be appended; the fields are [`Event`]'s.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// When: milliseconds since 1970.
    pub time_ms: u64,
    /// The job it happened to.
    pub job: Option<String>,
    /// The team it concerns.
    pub team: Option<String>,
    /// An object of whatever else is told.
    pub body: Value,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::JobOrdered,
        Self::JobProgress,
        Self::JobPaused,
        Self::JobResumed,
        Self::JobDone,
        Self::JobStopped,
        Self::JobFailed,
        Self::JobCancelled,
        Self::BudgetWarning,
        Self::BudgetExhausted,
        Self::FarmLost,
        Self::FarmFound,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JobOrdered => "job.ordered",
            Self::JobProgress => "job.progress",
            Self::JobPaused => "job.paused",
            Self::JobResumed => "job.resumed",
            Self::JobDone => "job.done",
            Self::JobStopped => "job.stopped",
            Self::JobFailed => "job.failed",
            Self::JobCancelled => "job.cancelled",
            Self::BudgetWarning => "budget.warning",
            Self::BudgetExhausted => "budget.exhausted",
            Self::FarmLost => "farm.lost",
            Self::FarmFound => "farm.found",
        }
    }

    /// Whether a job has ended with it.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::JobDone | Self::JobStopped | Self::JobFailed | Self::JobCancelled)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = ParseEventKindError;

    fn from_str(text: &str) -> Result<Self, ParseEventKindError> {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        named.ok_or_else(|| ParseEventKindError(text.chars().take(60).collect()))
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl Event {
    /// The event as it is told, in the stream and to webhooks: an object of `id`, `type`, `time`
    /// (RFC 3339 in UTC), `job`, `team`, and what its body holds beside.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut told = match &self.body {
            Value::Object(body) => body.clone(),
            _ => serde_json::Map::new(),
        };
        told.insert("id".to_owned(), self.id.into());
        told.insert("type".to_owned(), self.kind.as_str().into());
        told.insert("time".to_owned(), crate::clock::time(self.time_ms).into());
        told.insert("job".to_owned(), self.job.clone().into());
        told.insert("team".to_owned(), self.team.clone().into());
        Value::Object(told)
    }
}

impl Book {
    /// Appends events, in order, and says which they are.
    ///
    /// Without `durable` it does not wait for the disk: a power cut or a kill may take the last
    /// such events, at most 256 of them and never one before a durable one. Their ids are not
    /// given again.
    ///
    /// # Errors
    /// [`BookError`]; none is appended.
    pub fn append(&self, new: Vec<NewEvent>, durable: bool) -> Result<Vec<Event>, BookError> {
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let change = self.open_change()?;
        let mut events = Vec::with_capacity(new.len());
        let mut counters = change.open_table(META)?;
        let mut next = counters.get(NEXT)?.map_or(1, |next| next.value());
        for NewEvent { kind, time_ms, job, team, body } in new {
            events.push(Event { id: next, kind, time_ms, job, team, body });
            next += 1;
        }
        counters.insert(NEXT, next)?;
        let reserved = counters.get(RESERVED)?.map_or(0, |reserved| reserved.value());
        let block_over = next > reserved;
        if block_over {
            counters.insert(RESERVED, next + BLOCK)?;
        }
        drop(counters);
        insert(&change, &events)?;
        self.close_change(if durable || block_over { Keep::Now } else { Keep::Soon }, change)?;
        Ok(events)
    }

    /// The first `limit` events after an id for which `filter` holds, in order.
    ///
    /// All events after the id may be read for it: who follows the log takes
    /// [`last_event_id`](Self::last_event_id) before asking, and goes on from there where fewer
    /// than `limit` came.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn events_after(
        &self,
        id: u64,
        limit: usize,
        filter: impl Fn(&Event) -> bool,
    ) -> Result<Vec<Event>, BookError> {
        let table = self.read()?.open_table(EVENTS)?;
        let mut events = Vec::new();
        for row in table.range(id.saturating_add(1)..)? {
            if events.len() >= limit {
                break;
            }
            let event = decode("events", row?.1.value())?;
            if filter(&event) {
                events.push(event);
            }
        }
        Ok(events)
    }

    /// The first `limit` events of a job after an id, in order.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn events_of(&self, job: &str, after: u64, limit: usize) -> Result<Vec<Event>, BookError> {
        let view = self.read()?;
        let table = view.open_table(EVENTS)?;
        let mut events = Vec::new();
        let ids = view.open_table(OF_JOB)?;
        for row in ids.range((job, after.saturating_add(1))..=(job, u64::MAX))?.take(limit) {
            let id = row?.0.value().1;
            events.extend(get::<_, Event>("events", &table, id)?);
        }
        Ok(events)
    }

    /// The last event of a job that is kept.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn last_event_of(&self, job: &str) -> Result<Option<Event>, BookError> {
        let view = self.read()?;
        let ids = view.open_table(OF_JOB)?;
        let last = ids.range((job, 0)..=(job, u64::MAX))?.next_back().transpose()?;
        let Some(id) = last.map(|row| row.0.value().1) else { return Ok(None) };
        get("events", &view.open_table(EVENTS)?, id)
    }

    /// No event has a greater id, and every later one will have; 0 before the first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn last_event_id(&self) -> Result<u64, BookError> {
        let counters = self.read()?.open_table(META)?;
        Ok(counters.get(NEXT)?.map_or(0, |next| next.value() - 1))
    }

    /// Removes the oldest events, up to the first that is not before a time; how many.
    ///
    /// Writes in several changes where there are many; does not wait for the disk, since what a
    /// power cut brings back is removed the next time.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn prune_events(&self, before_ms: u64) -> Result<u64, BookError> {
        let mut pruned = 0;
        loop {
            let old = self.oldest(before_ms)?;
            if old.is_empty() {
                return Ok(pruned);
            }
            pruned += old.len() as u64;
            self.write(Keep::Soon, |change| remove(change, &old))?;
        }
    }

    /// The oldest events before a time, not more than one change removes.
    fn oldest(&self, before_ms: u64) -> Result<Vec<Event>, BookError> {
        let mut old = Vec::new();
        for row in self.read()?.open_table(EVENTS)?.iter()?.take(PRUNED_AT_ONCE) {
            let event: Event = decode("events", row?.1.value())?;
            if event.time_ms >= before_ms {
                break;
            }
            old.push(event);
        }
        Ok(old)
    }
}

/// Makes the tables, and goes on after all ids that may have been given.
pub(super) fn create(change: &WriteTransaction) -> Result<(), BookError> {
    change.open_table(EVENTS)?;
    change.open_table(OF_JOB)?;
    let mut counters = change.open_table(META)?;
    let reserved = counters.get(RESERVED)?.map_or(0, |reserved| reserved.value());
    counters.insert(NEXT, reserved + 1)?;
    Ok(())
}

/// The first events after an id, within a change.
pub(crate) fn after(
    change: &WriteTransaction,
    id: u64,
    limit: usize,
) -> Result<Vec<Event>, BookError> {
    let table = change.open_table(EVENTS)?;
    let mut events = Vec::new();
    for row in table.range(id.saturating_add(1)..)?.take(limit) {
        events.push(decode("events", row?.1.value())?);
    }
    Ok(events)
}

/// An event, within a view.
pub(crate) fn find(view: &ReadTransaction, id: u64) -> Result<Option<Event>, BookError> {
    get("events", &view.open_table(EVENTS)?, id)
}

/// The last id, as [`Book::last_event_id`] says it, within a change.
pub(crate) fn last_id(change: &WriteTransaction) -> Result<u64, BookError> {
    let counters = change.open_table(META)?;
    Ok(counters.get(NEXT)?.map_or(0, |next| next.value() - 1))
}

fn insert(change: &WriteTransaction, events: &[Event]) -> Result<(), BookError> {
    let mut table = change.open_table(EVENTS)?;
    let mut of_job = change.open_table(OF_JOB)?;
    for event in events {
        table.insert(event.id, &encode(event)[..])?;
        if let Some(job) = &event.job {
            of_job.insert((job.as_str(), event.id), ())?;
        }
    }
    Ok(())
}

fn remove(change: &WriteTransaction, events: &[Event]) -> Result<(), BookError> {
    let mut table = change.open_table(EVENTS)?;
    let mut of_job = change.open_table(OF_JOB)?;
    for event in events {
        table.remove(event.id)?;
        if let Some(job) = &event.job {
            of_job.remove((job.as_str(), event.id))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
