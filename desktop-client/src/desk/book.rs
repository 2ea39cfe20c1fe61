//! The farm's books: balances, jobs, nodes; and steering of jobs, which changes them.

use std::time::Duration;

use client::{Error, Farm};
use protocol::view::{EarningsBy, FarmView, JobSummary, WalletView};
use protocol::{AccountId, Request, limits};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{FarmSeat, Outlet, now_ms, seated, sentence};
use crate::state::{Event, Steered, book};

/// Rows of a statement that are shown.
const STATEMENT_ROWS: u32 = 100;

/// How far back earnings are shown, milliseconds: two weeks.
const EARNINGS_MS: u64 = 14 * 86_400_000;

/// What this desk is asked.
pub(super) enum Ask {
    Refresh,
    Statement(AccountId),
    Earnings,
    Steer(Steered),
}

/// What is fetched again whenever the balance has moved.
#[derive(Default)]
struct Shown {
    statement: Option<AccountId>,
    has_earnings: bool,
}

pub(super) async fn run(
    mut seat: FarmSeat,
    mut asks: mpsc::Receiver<Ask>,
    interval: Duration,
    outlet: Outlet,
) {
    let mut errands = JoinSet::new();
    let mut shown = Shown::default();
    loop {
        let Some(farm) = seated(&mut seat).await else { return };
        let mut last = Last::default();
        let mut tick = tokio::time::interval(interval);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = seat.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    break;
                }
                _tick = tick.tick() => {
                    // A look that hangs holds up neither asks nor the next farm.
                    tokio::select! {
                        _changed = seat.changed() => break,
                        () = look(&farm, &mut last, &outlet) => {}
                        () = serve(&farm, &mut asks, &mut errands, &mut shown, &outlet) => return,
                    }
                    if std::mem::take(&mut last.wallet_moved) {
                        if let Some(account) = shown.statement {
                            errands.spawn(state(farm.clone(), account, outlet.clone()));
                        }
                        if shown.has_earnings {
                            errands.spawn(earned(farm.clone(), outlet.clone()));
                        }
                    }
                }
                ask = asks.recv() => match ask {
                    None => return,
                    Some(Ask::Refresh) => tick.reset_immediately(),
                    Some(ask) => begin(ask, &farm, &mut errands, &mut shown, &outlet),
                },
            }
            while errands.try_join_next().is_some() {}
        }
    }
}

/// Takes asks in while something else is awaited; returns when the window is gone.
async fn serve(
    farm: &Farm,
    asks: &mut mpsc::Receiver<Ask>,
    errands: &mut JoinSet<()>,
    shown: &mut Shown,
    outlet: &Outlet,
) {
    while let Some(ask) = asks.recv().await {
        begin(ask, farm, errands, shown, outlet);
    }
}

fn begin(ask: Ask, farm: &Farm, errands: &mut JoinSet<()>, shown: &mut Shown, outlet: &Outlet) {
    let (farm, outlet) = (farm.clone(), outlet.clone());
    match ask {
        Ask::Refresh => {}
        Ask::Statement(account) => {
            shown.statement = Some(account);
            errands.spawn(state(farm, account, outlet));
        }
        Ask::Earnings => {
            shown.has_earnings = true;
            errands.spawn(earned(farm, outlet));
        }
        Ask::Steer(steered) => {
            errands.spawn(async move {
                let Steered { job, steering } = steered;
                let done = farm.ask(Request::Steer { job, steering }).await;
                let trouble = done.err().map(|error| sentence(&error));
                outlet.send(Event::Steered { steered, trouble }).await;
                // What it did is seen at once, not at the next look.
                if let Ok(jobs) = farm.jobs(0, limits::PAGE_ROWS_MAX).await {
                    outlet.send(Event::Book(book::Event::Jobs(Ok(jobs)))).await;
                }
            });
        }
    }
}

async fn state(farm: Farm, account: AccountId, outlet: Outlet) {
    let page = farm.statement(account, 0, STATEMENT_ROWS).await.map_err(|error| sentence(&error));
    outlet.send(Event::Book(book::Event::Statement(page))).await;
}

async fn earned(farm: Farm, outlet: Outlet) {
    let from_ms = now_ms().saturating_sub(EARNINGS_MS);
    let view = farm.earnings(EarningsBy::Day, from_ms).await.map_err(|error| sentence(&error));
    outlet.send(Event::Book(book::Event::Earnings(view))).await;
}

/// What the window was last told.
#[derive(Default)]
struct Last {
    wallet: Option<Result<WalletView, String>>,
    jobs: Option<Result<Vec<JobSummary>, String>>,
    farm: Option<Result<FarmView, String>>,
    /// Whether the statement has changed since it was asked for.
    wallet_moved: bool,
}

/// Asks for what has no news of its own, all at once; tells only what changed.
async fn look(farm: &Farm, last: &mut Last, outlet: &Outlet) {
    let (wallet, jobs, view) =
        tokio::join!(farm.wallet(), farm.jobs(0, limits::PAGE_ROWS_MAX), farm.farm());
    let troubles = [wallet.as_ref().err(), jobs.as_ref().err(), view.as_ref().err()];
    if troubles.into_iter().flatten().any(Error::is_of_network) {
        // Whoever holds the connection is to notice, and dials again.
        farm.leave("no longer answered").await;
        return;
    }
    let wallet = wallet.map_err(|error| sentence(&error));
    if last.wallet.as_ref() != Some(&wallet) {
        last.wallet = Some(wallet.clone());
        last.wallet_moved = true;
        outlet.send(Event::Book(book::Event::Wallet(wallet))).await;
    }
    let jobs = jobs.map_err(|error| sentence(&error));
    if last.jobs.as_ref() != Some(&jobs) {
        last.jobs = Some(jobs.clone());
        outlet.send(Event::Book(book::Event::Jobs(jobs))).await;
    }
    let view = view.map_err(|error| sentence(&error));
    if last.farm.as_ref() != Some(&view) {
        last.farm = Some(view.clone());
        outlet.send(Event::Book(book::Event::Farm(view))).await;
    }
    outlet.whisper(Event::Heard(now_ms())).await;
}
