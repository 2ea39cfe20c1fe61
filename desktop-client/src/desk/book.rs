//! The farm's books: balances, jobs, nodes; and what changes them: steering of jobs, blocking of
//! nodes.
//!
//! The newest jobs are asked for at each look. Those beyond a page are asked for page by page, once
//! when the farm is new and then seldom: they are old, and mostly over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use client::{Error, Farm};
use protocol::view::{EarningsBy, FarmView, JobSummary, StatementPage, WalletView};
use protocol::{AccountId, JobId, Request, limits};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::{FarmSeat, Outlet, now_ms, seated, sentence, wallet};
use crate::state::blocks::Blocking;
use crate::state::notices::Tone;
use crate::state::wallet::Act;
use crate::state::{Event, Steered, book};

/// Looks from one sweep through the jobs beyond the first page to the next: half a minute of them.
const LOOKS_PER_SWEEP: u32 = 15;
/// Pages of one sweep: a hundred thousand jobs, and an end to a farm that never ends.
const PAGES_MAX: u32 = 200;
/// Jobs that are steered at the same time: who steers thousands leaves the farm room to breathe.
const STEERED_AT_ONCE: usize = 4;

/// How far back earnings are shown, milliseconds.
const EARNINGS_MS: u64 = book::EARNINGS_DAYS * 86_400_000;

/// What this desk is asked.
pub(super) enum Ask {
    Refresh,
    Statement(AccountId, u64),
    Act(AccountId, Act),
    Earnings,
    Blocks,
    Block(Blocking),
    Steer(Steered),
}

/// What is fetched again whenever the balance has moved.
#[derive(Default)]
struct Shown {
    statement: Option<(AccountId, u64)>,
    has_earnings: bool,
}

pub(super) async fn run(
    mut seat: FarmSeat,
    mut asks: mpsc::Receiver<Ask>,
    interval: Duration,
    outlet: Outlet,
) {
    let mut errands = Errands::new();
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
                        if let Some(statement) = shown.statement {
                            errands.tasks.spawn(state(farm.clone(), statement, outlet.clone()));
                        }
                        if shown.has_earnings {
                            errands.tasks.spawn(earned(farm.clone(), outlet.clone()));
                        }
                    }
                    if std::mem::take(&mut last.wants_sweep) {
                        errands.sweep(farm.clone(), outlet.clone());
                    }
                }
                ask = asks.recv() => match ask {
                    None => return,
                    Some(Ask::Refresh) => tick.reset_immediately(),
                    Some(ask) => begin(ask, &farm, &mut errands, &mut shown, &outlet),
                },
            }
            while errands.tasks.try_join_next().is_some() {}
        }
        // What another farm has is not mixed with what this one had.
        errands.sweep.take().inspect(AbortHandle::abort);
    }
}

/// What is under way beside the looks.
struct Errands {
    tasks: JoinSet<()>,
    steering: Arc<Semaphore>,
    blocking: Arc<Semaphore>,
    sweep: Option<AbortHandle>,
}

impl Errands {
    fn new() -> Self {
        let steering = Arc::new(Semaphore::new(STEERED_AT_ONCE));
        // One after the other: the list that is told last is the newest.
        let blocking = Arc::new(Semaphore::new(1));
        Self { tasks: JoinSet::new(), steering, blocking, sweep: None }
    }

    /// Goes through the jobs beyond the first page, unless that is under way.
    fn sweep(&mut self, farm: Farm, outlet: Outlet) {
        if self.sweep.as_ref().is_none_or(AbortHandle::is_finished) {
            self.sweep = Some(self.tasks.spawn(sweep(farm, outlet)));
        }
    }
}

/// Asks for the jobs beyond the first page, one page after the other.
async fn sweep(farm: Farm, outlet: Outlet) {
    for page in 1..=PAGES_MAX {
        // A job ordered meanwhile moves all others on: one is then told twice, and none left out.
        let rows = farm.jobs(page * limits::PAGE_ROWS_MAX, limits::PAGE_ROWS_MAX).await;
        // What is wrong with the farm is told by the next look.
        let Ok(rows) = rows else { return };
        let is_last = rows.len() < limits::PAGE_ROWS_MAX as usize;
        if !rows.is_empty() {
            outlet.send(Event::Book(book::Event::SomeJobs(rows))).await;
        }
        if is_last {
            return;
        }
    }
}

/// Takes asks in while something else is awaited; returns when the window is gone.
async fn serve(
    farm: &Farm,
    asks: &mut mpsc::Receiver<Ask>,
    errands: &mut Errands,
    shown: &mut Shown,
    outlet: &Outlet,
) {
    while let Some(ask) = asks.recv().await {
        begin(ask, farm, errands, shown, outlet);
    }
}

fn begin(ask: Ask, farm: &Farm, errands: &mut Errands, shown: &mut Shown, outlet: &Outlet) {
    let (farm, outlet) = (farm.clone(), outlet.clone());
    match ask {
        Ask::Refresh => {}
        Ask::Statement(account, rows) => {
            shown.statement = Some((account, rows));
            errands.tasks.spawn(state(farm, (account, rows), outlet));
        }
        Ask::Act(account, act) => {
            errands.tasks.spawn(async move {
                let told = match wallet::act(&farm, account, act).await {
                    Ok(words) => Event::Notice(Tone::Good, words),
                    Err(why) => Event::Notice(Tone::Bad, why),
                };
                outlet.send(told).await;
            });
        }
        Ask::Earnings => {
            shown.has_earnings = true;
            errands.tasks.spawn(earned(farm, outlet));
        }
        Ask::Blocks => {
            let turn = Arc::clone(&errands.blocking);
            errands.tasks.spawn(block(farm, None, turn, outlet));
        }
        Ask::Block(blocking) => {
            let turn = Arc::clone(&errands.blocking);
            errands.tasks.spawn(block(farm, Some(blocking), turn, outlet));
        }
        Ask::Steer(steered) => {
            let turn = Arc::clone(&errands.steering);
            errands.tasks.spawn(async move {
                let Ok(_turn) = turn.acquire_owned().await else { return };
                let Steered { job, steering } = steered;
                let done = farm.ask(Request::Steer { job, steering }).await;
                let trouble = done.err().map(|error| sentence(&error));
                outlet.send(Event::Steered { steered, trouble }).await;
                // What it did is seen at once, not at the next look.
                if let Ok(update) = farm.watch(job, u64::MAX, Duration::ZERO).await {
                    let rows = vec![update.summary];
                    outlet.send(Event::Book(book::Event::SomeJobs(rows))).await;
                }
            });
        }
    }
}

async fn state(farm: Farm, (account, rows): (AccountId, u64), outlet: Outlet) {
    let page = wallet::rows(&farm, account, rows).await;
    let page = page.map(|(rows, total)| StatementPage { account, rows, total });
    outlet.send(Event::Book(book::Event::Statement(page))).await;
}

async fn earned(farm: Farm, outlet: Outlet) {
    let from_ms = now_ms().saturating_sub(EARNINGS_MS);
    let view = farm.earnings(EarningsBy::Day, from_ms).await.map_err(|error| sentence(&error));
    outlet.send(Event::Book(book::Event::Earnings(view))).await;
}

/// Keeps somebody off the caller's jobs or lets him back, if that is wanted; then fetches who is kept
/// off.
async fn block(farm: Farm, wanted: Option<Blocking>, turn: Arc<Semaphore>, outlet: Outlet) {
    let Ok(_turn) = turn.acquire_owned().await else { return };
    if let Some(blocking) = wanted {
        let done = farm.block(blocking.who, blocking.is_blocked).await;
        let (is_done, trouble) = (done.is_ok(), done.err().map(|error| sentence(&error)));
        outlet.send(Event::Blocked { blocking, trouble }).await;
        if !is_done {
            return;
        }
    }
    let blocks = farm.blocks().await.map_err(|error| sentence(&error));
    outlet.send(Event::Book(book::Event::Blocks(blocks))).await;
}

/// What the window was last told.
#[derive(Default)]
struct Last {
    wallet: Option<Result<WalletView, String>>,
    jobs: Option<Result<Vec<JobSummary>, String>>,
    farm: Option<Result<FarmView, String>>,
    /// Whether the statement has changed since it was asked for.
    wallet_moved: bool,
    /// Looks since the jobs beyond the first page were asked for.
    looks: u32,
    /// Whether they are to be asked for now.
    wants_sweep: bool,
}

impl Last {
    /// Whether the jobs beyond this first page are to be asked for: it is full, and nothing joins it to
    /// what is known, or that was long ago.
    fn is_sweep_due(&self, page: &[JobSummary]) -> bool {
        let known: HashSet<JobId> = match &self.jobs {
            Some(Ok(rows)) => rows.iter().map(|row| row.job).collect(),
            _nothing => HashSet::new(),
        };
        let is_full = page.len() == limits::PAGE_ROWS_MAX as usize;
        let is_joined = page.iter().any(|row| known.contains(&row.job));
        is_full && (!is_joined || self.looks >= LOOKS_PER_SWEEP)
    }
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
    last.looks += 1;
    if jobs.as_ref().is_ok_and(|page| last.is_sweep_due(page)) {
        (last.looks, last.wants_sweep) = (0, true);
    }
    if last.jobs.as_ref() != Some(&jobs) {
        last.jobs = Some(jobs.clone());
        let event = match jobs {
            Ok(page) if page.len() == limits::PAGE_ROWS_MAX as usize => {
                book::Event::NewestJobs(page)
            }
            jobs => book::Event::Jobs(jobs),
        };
        outlet.send(Event::Book(event)).await;
    }
    let view = view.map_err(|error| sentence(&error));
    if last.farm.as_ref() != Some(&view) {
        last.farm = Some(view.clone());
        outlet.send(Event::Book(book::Event::Farm(view))).await;
    }
    outlet.whisper(Event::Heard(now_ms())).await;
}
