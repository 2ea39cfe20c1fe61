//! The connection: dials, says how it stands, and dials again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use client::{Admission, Caller, Error, Farm, Terms};
use protocol::message::RefusedCode;
use tokio::sync::{mpsc, watch};
use transport::{Backoff, Ticket};

use super::{Outlet, capital, now_ms, sentence};
use crate::state::notices::Tone;
use crate::state::{Event, Link};

/// What this desk is asked.
pub(super) enum Ask {
    Connect(String),
    RetryNow,
}

/// Why a connection ended, or did not begin.
enum Ended {
    /// The window is gone.
    WindowGone,
    /// A person chose a farm.
    Chosen(String),
    /// The farm went away, or has not come yet.
    Lost(String),
    /// Only a person can help.
    Hopeless(String),
}

pub(super) async fn run(
    caller: Arc<Caller>,
    seat: watch::Sender<Option<Farm>>,
    mut asks: mpsc::Receiver<Ask>,
    outlet: Outlet,
) {
    let mut ticket: Option<String> = None;
    let mut backoff = Backoff::new(u64::from(std::process::id()));
    loop {
        let ended = match &ticket {
            None => Ended::Hopeless(String::new()),
            Some(text) => {
                outlet.send(Event::Link(Link::Connecting)).await;
                stay(&caller, text, &seat, &mut asks, &mut backoff, &outlet).await
            }
        };
        seat.send_replace(None);
        let wait = match ended {
            Ended::WindowGone => return,
            Ended::Chosen(text) => {
                backoff.reset();
                ticket = Some(text);
                continue;
            }
            Ended::Hopeless(why) => {
                if ticket.is_some() {
                    outlet.send(Event::Link(Link::Unusable { why })).await;
                }
                None
            }
            Ended::Lost(why) => {
                let wait = backoff.next_wait();
                let retry_at_ms = now_ms() + wait.as_millis() as u64;
                outlet.send(Event::Link(Link::Lost { why, retry_at_ms })).await;
                Some(wait)
            }
        };
        match rest(&mut asks, wait).await {
            None => return,
            Some(Some(text)) => {
                backoff.reset();
                ticket = Some(text);
            }
            Some(None) => {}
        }
    }
}

/// Waits for a reason to try again: a ticket, a person's word, or that time has passed. `None` when
/// the window is gone.
async fn rest(asks: &mut mpsc::Receiver<Ask>, wait: Option<Duration>) -> Option<Option<String>> {
    let patience = async {
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = patience => Some(None),
        ask = asks.recv() => match ask? {
            Ask::Connect(text) => Some(Some(text)),
            Ask::RetryNow => Some(None),
        },
    }
}

/// Dials, is admitted, and stays until that ends.
async fn stay(
    caller: &Arc<Caller>,
    text: &str,
    seat: &watch::Sender<Option<Farm>>,
    asks: &mut mpsc::Receiver<Ask>,
    backoff: &mut Backoff,
    outlet: &Outlet,
) -> Ended {
    let (ticket, ticket_file) = match read(text) {
        Ok(read) => read,
        Err(why) => return Ended::Hopeless(why),
    };
    let terms = Terms { ticket_file, ..Terms::default() };
    let entering = Farm::enter(caller, ticket, terms);
    tokio::pin!(entering);
    let admission = loop {
        tokio::select! {
            entered = &mut entering => match entered {
                Ok(admission) => break admission,
                Err(error) => return of(&error),
            },
            ask = asks.recv() => match ask {
                None => return Ended::WindowGone,
                Some(Ask::Connect(text)) => return Ended::Chosen(text),
                Some(Ask::RetryNow) => {}
            },
        }
    };
    let Admission { farm, doubt } = admission;
    if let Some(doubt) = doubt {
        let words = format!("The farm's ledger could not be looked at: {doubt}");
        outlet.send(Event::Notice(Tone::Warning, words)).await;
    }
    backoff.reset();
    outlet.send(Event::Link(Link::Connected)).await;
    outlet.send(Event::Heard(now_ms())).await;
    seat.send_replace(Some(farm.clone()));
    loop {
        tokio::select! {
            reason = farm.closed() => {
                return Ended::Lost(format!("The connection to the farm ended: {reason}"));
            }
            ask = asks.recv() => match ask {
                None => return Ended::WindowGone,
                Some(Ask::Connect(text)) => {
                    farm.leave("another farm").await;
                    return Ended::Chosen(text);
                }
                Some(Ask::RetryNow) => {}
            },
        }
    }
}

/// A ticket, or the ticket in `@FILE`, which is read anew at every attempt: a scheduler may move.
fn read(text: &str) -> Result<(Ticket, Option<PathBuf>), String> {
    let text = text.trim();
    let (words, file) = match text.strip_prefix('@') {
        None => (text.to_owned(), None),
        Some(path) => {
            let words = std::fs::read_to_string(path)
                .map_err(|error| format!("The ticket's file cannot be read: {path}: {error}"))?;
            (words, Some(PathBuf::from(path)))
        }
    };
    let ticket = words.trim().parse::<Ticket>().map_err(|error| capital(&error.to_string()))?;
    Ok((ticket, file))
}

fn of(error: &Error) -> Ended {
    let words = sentence(error);
    let is_busy = error.refusal().is_some_and(|refused| refused.code == RefusedCode::Busy);
    if is_busy || error.is_of_network() { Ended::Lost(words) } else { Ended::Hopeless(words) }
}
