//! One admitted connection: what is asked for regularly, and what is watched.

use std::time::Duration;

use bytes::Bytes;
use protocol::message::{Refused, RefusedCode};
use protocol::view::{FarmView, JobSummary, WalletView};
use protocol::{AccountId, JobId, Reply, Request, Role, ShotIndex, limits};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use transport::{Backoff, CallError, ConnectError, Connection, Peer, Ticket};

use super::{Ask, BridgeConfig, Ended, Outlet, Wanted, chain, live, now_ms};
use crate::state::{Event, Link};

/// Rows of a statement that are shown.
const STATEMENT_ROWS: u32 = 100;

pub(super) struct Session<'a> {
    pub(super) peer: &'a Peer,
    pub(super) outlet: &'a Outlet,
    pub(super) config: &'a BridgeConfig,
}

impl Session<'_> {
    /// Connects, says hello, and stays until the connection or the app's patience ends.
    pub(super) async fn run(
        self,
        ticket: &Ticket,
        asks: &mut mpsc::Receiver<Ask>,
        wanted: &mut Wanted,
        backoff: &mut Backoff,
    ) -> Ended {
        let connection = match self.admit(ticket).await {
            Ok(connection) => connection,
            Err(ended) => return ended,
        };
        backoff.reset();
        self.outlet.send(Event::Link(Link::Connected)).await;
        self.outlet.send(Event::Heard(now_ms())).await;

        let mut last = Last::default();
        let mut watching = Watching(None);
        watching.start(wanted.watch, &connection, self.outlet);
        let mut poll = tokio::time::interval(self.config.poll_interval);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                reason = connection.closed() => return Ended::Lost(lost(&reason)),
                _tick = poll.tick() => {
                    if let Err(error) = self.poll(&connection, &mut last, wanted.statement).await {
                        connection.close("no longer answered");
                        return Ended::Lost(lost(&chain(&error)));
                    }
                }
                ask = asks.recv() => {
                    let Some(ask) = ask else { return Ended::AppGone };
                    wanted.take(ask.clone());
                    match ask {
                        Ask::Connect(_) => return Ended::OtherFarm,
                        Ask::RetryNow => poll.reset_immediately(),
                        Ask::Watch { .. } => {
                            watching.start(wanted.watch, &connection, self.outlet);
                        }
                        Ask::Statement(_) => poll.reset_immediately(),
                    }
                }
            }
        }
    }

    async fn admit(&self, ticket: &Ticket) -> Result<Connection, Ended> {
        let connection = self.peer.connect(ticket).await.map_err(|error| match error {
            ConnectError::Key(_) => Ended::Hopeless(error.to_string()),
            other => Ended::Lost(chain(&other)),
        })?;
        let hello = ticket.hello(Role::Client);
        match call(&connection, &hello).await {
            Ok((Reply::Welcome { .. }, _body)) => Ok(connection),
            Ok((other, _body)) => Err(Ended::Hopeless(unexpected("hello", &other))),
            Err(CallError::Refused(Refused { code: RefusedCode::Busy, message })) => {
                Err(Ended::Lost(message))
            }
            Err(CallError::Refused(refused)) => Err(Ended::Hopeless(refused.message)),
            Err(error) => Err(Ended::Lost(chain(&error))),
        }
    }

    /// Asks for what has no news of its own; tells the app only what changed.
    async fn poll(
        &self,
        connection: &Connection,
        last: &mut Last,
        statement: Option<AccountId>,
    ) -> Result<(), CallError> {
        let mut heard = false;
        if let Some((Reply::Wallet(wallet), _)) = ask(connection, &Request::Wallet).await? {
            heard = true;
            if last.wallet.as_ref() != Some(&wallet) {
                last.wallet = Some(wallet.clone());
                last.statement_due = true;
                self.outlet.send(Event::Wallet(wallet)).await;
            }
        }
        let jobs = Request::Jobs { offset: 0, limit: limits::PAGE_ROWS_MAX };
        if let Some((Reply::Jobs(jobs), _)) = ask(connection, &jobs).await? {
            heard = true;
            if last.jobs.as_ref() != Some(&jobs) {
                last.jobs = Some(jobs.clone());
                self.outlet.send(Event::Jobs(jobs)).await;
            }
        }
        if let Some((Reply::Farm(farm), _)) = ask(connection, &Request::Farm).await? {
            heard = true;
            if last.farm.as_ref() != Some(&farm) {
                last.farm = Some(farm.clone());
                self.outlet.send(Event::Farm(farm)).await;
            }
        }
        if let Some(account) = statement
            && (last.statement_due || last.statement != Some(account))
        {
            let rows = Request::Statement { account, offset: 0, limit: STATEMENT_ROWS };
            if let Some((Reply::Statement(page), _)) = ask(connection, &rows).await? {
                last.statement_due = false;
                last.statement = Some(account);
                self.outlet.send(Event::Statement(page)).await;
            }
        }
        if heard {
            self.outlet.send(Event::Heard(now_ms())).await;
        }
        Ok(())
    }
}

/// What the app was last told.
#[derive(Default)]
struct Last {
    wallet: Option<WalletView>,
    jobs: Option<Vec<JobSummary>>,
    farm: Option<FarmView>,
    statement: Option<AccountId>,
    statement_due: bool,
}

/// The task that follows the watched job; stopped when another is watched.
struct Watching(Option<AbortHandle>);

impl Watching {
    fn start(
        &mut self,
        wanted: Option<(JobId, ShotIndex)>,
        connection: &Connection,
        outlet: &Outlet,
    ) {
        if let Some(running) = self.0.take() {
            running.abort();
        }
        if let Some((job, shot)) = wanted {
            let following = live::follow(connection.clone(), outlet.clone(), job, shot);
            self.0 = Some(tokio::spawn(following).abort_handle());
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.abort();
        }
    }
}

/// One ordinary call.
pub(super) async fn call(
    connection: &Connection,
    request: &Request,
) -> Result<(Reply, Bytes), CallError> {
    call_for(connection, request, limits::CALL_TIMEOUT).await
}

pub(super) async fn call_for(
    connection: &Connection,
    request: &Request,
    timeout: Duration,
) -> Result<(Reply, Bytes), CallError> {
    connection.call(request, Bytes::new(), timeout).await
}

/// A call whose refusal is no reason to leave: `None`, with a line in the log.
async fn ask(
    connection: &Connection,
    request: &Request,
) -> Result<Option<(Reply, Bytes)>, CallError> {
    match call(connection, request).await {
        Ok(answer) => Ok(Some(answer)),
        Err(CallError::Refused(refused)) => {
            tracing::warn!(?request, %refused, "the farm refused");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn lost(reason: &str) -> String {
    format!("The connection to the farm ended: {reason}")
}

fn unexpected(to: &str, reply: &Reply) -> String {
    let reply = format!("{reply:?}");
    let kind = reply.split(['(', ' ', '{']).next().unwrap_or_default();
    format!("The farm answered {kind} to {to}; it may run another version. Update the app")
}
