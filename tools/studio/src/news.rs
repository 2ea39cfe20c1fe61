//! What happens, told to whoever listens: kept in the book, streamed, posted to webhooks.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::Tokens;
use protocol::view::JobStatus;
use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast};

use crate::book::{Book, Event, EventKind, NewEvent};
use crate::gather::Known;
use crate::views::{self, now_ms};

/// Events that a slow listener may be behind before it has to look into the book.
const LISTENERS_BEHIND_MAX: usize = 1024;

/// Who tells. What is told is in the book first: whoever tells is where that may be waited for.
#[derive(Clone)]
pub struct News {
    /// Held while something is told: listeners hear in the order of the book.
    turn: Arc<Mutex<()>>,
    told: broadcast::Sender<Arc<Event>>,
    courier: Arc<Notify>,
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Happened {
    kind: EventKind,
    job: String,
    team: Option<String>,
    body: Value,
}

impl Happened {
    fn new(kind: EventKind, known: &Known) -> Self {
        let job = known.view();
        let body = json!({
            "name": job.name,
            "status": job.status,
            "tiles_accepted": job.tiles_accepted,
            "tile_count": job.tile_count,
            "progress": job.progress,
            "spent": job.spent,
            "reason": job.reason,
        });
        Self { kind, job: job.job, team: job.team, body }
    }

    /// It was ordered.
    #[must_use]
    pub fn ordered(known: &Known) -> Self {
        Self::new(EventKind::JobOrdered, known)
    }

    /// More of it is accepted.
    #[must_use]
    pub fn progress(known: &Known) -> Self {
        Self::new(EventKind::JobProgress, known)
    }

    /// It goes on.
    #[must_use]
    pub fn resumed(known: &Known) -> Self {
        Self::new(EventKind::JobResumed, known)
    }

    /// It stands so now.
    #[must_use]
    pub fn of_status(known: &Known, status: JobStatus) -> Self {
        let kind = match status {
            JobStatus::Waiting | JobStatus::Rendering => EventKind::JobProgress,
            JobStatus::Paused => EventKind::JobPaused,
            JobStatus::Done => EventKind::JobDone,
            JobStatus::Stopped => EventKind::JobStopped,
            JobStatus::Failed => EventKind::JobFailed,
            JobStatus::Cancelled => EventKind::JobCancelled,
        };
        Self::new(kind, known)
    }
}

impl News {
    /// Wakes whoever posts events.
    #[must_use]
    pub fn new(courier: Arc<Notify>) -> Self {
        let (turn, told) = (Arc::default(), broadcast::channel(LISTENERS_BEHIND_MAX).0);
        Self { turn, told, courier }
    }

    /// Hears what happens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<Event>> {
        self.told.subscribe()
    }

    /// Jobs have changed.
    pub fn jobs(&self, book: &Book, happened: Vec<Happened>) {
        let time_ms = now_ms();
        let new = |it: Happened| {
            let Happened { kind, job, team, body } = it;
            NewEvent { kind, time_ms, job: Some(job), team, body }
        };
        self.tell(book, happened.into_iter().map(new).collect());
    }

    /// The farm was found again, or lost.
    pub fn farm(&self, book: &Book, is_found: bool, reason: Option<String>) {
        let kind = if is_found { EventKind::FarmFound } else { EventKind::FarmLost };
        let body = json!({ "reason": reason });
        self.tell(book, vec![NewEvent { kind, time_ms: now_ms(), job: None, team: None, body }]);
    }

    /// A team's budget is nearly used up, or is.
    pub fn budget(&self, book: &Book, team: &str, is_exhausted: bool, committed: Tokens) {
        let (kind, word) = match is_exhausted {
            true => (EventKind::BudgetExhausted, "is used up"),
            false => (EventKind::BudgetWarning, "is nearly used up"),
        };
        let reason = format!("the budget of {team} {word}: {committed} tokens are committed");
        let body = json!({ "reason": reason });
        let team = Some(team.to_owned());
        self.tell(book, vec![NewEvent { kind, time_ms: now_ms(), job: None, team, body }]);
    }

    fn tell(&self, book: &Book, new: Vec<NewEvent>) {
        if new.is_empty() {
            return;
        }
        // Progress may be lost with the power; what matters may not.
        let is_durable = new.iter().any(|event| event.kind != EventKind::JobProgress);
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match book.append(new, is_durable) {
            Ok(events) => {
                self.courier.notify_one();
                for event in events {
                    // Nobody listening is no error.
                    drop(self.told.send(Arc::new(event)));
                }
            }
            Err(error) => tracing::error!("an event is lost: {error}"),
        }
    }
}

/// An event for whoever asks over HTTP; webhooks are sent the same words.
#[must_use]
pub fn event_view(event: &Event) -> views::Event {
    let told = serde_json::from_value(event.to_json());
    told.expect("invariant: the bodies of events are written above")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::scratch::book;

    #[test]
    fn listeners_hear_in_the_order_of_the_book() {
        let (_dir, book) = book();
        let news = News::new(Arc::default());
        let mut heard = news.listen();
        std::thread::scope(|scope| {
            for _teller in 0..8 {
                let (news, book) = (&news, &book);
                scope.spawn(move || {
                    // Progress does not wait for the disk, so that tellers follow each other closely.
                    let kind = EventKind::JobProgress;
                    let new =
                        NewEvent { kind, time_ms: 1, job: None, team: None, body: Value::Null };
                    for _again in 0..100 {
                        news.tell(book, vec![new.clone()]);
                    }
                });
            }
        });
        let told = std::iter::from_fn(|| heard.try_recv().ok());
        let ids: Vec<u64> = told.map(|event| event.id).collect();
        assert_eq!(ids, (1..=800).collect::<Vec<u64>>());
    }
}
