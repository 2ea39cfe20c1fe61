//! The one owner of the state and its journal.
//!
//! Everybody else sends closures over a bounded channel. What a closure applies is journalled
//! first; effects leave, and answers that depend on durable events are given, only after the
//! fsync that covers them. One fsync covers all closures that waited together.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use ledger::journal::{AppendError, Journal, Keeper};
use protocol::wire;
use tokio::sync::{mpsc, oneshot, watch};

use super::docket::Docket;
use super::door::grant;
use super::lobby::Lobby;
use super::open::{Folded, tell_problem};
use super::queue::Queue;
use super::till::{Batch, Errand};
use crate::core::{
    Challenged, Check, Durability, Effect, Event, State, outstanding, plan, step, verifiers,
};

/// Closures that share one fsync.
const TOGETHER_MAX: usize = 256;
/// Nodes called for work between two closures.
const CALLED_TOGETHER: usize = 64;
/// Closures in line before senders wait.
const LINE_MAX: usize = 1024;

type Task = Box<dyn FnOnce(&mut Desk) + Send>;
type Answer = Box<dyn FnOnce() + Send>;

/// The state with its journal. Lives on a thread of its own.
pub(super) struct Desk {
    state: State,
    /// Goes before the journal, whose lock says that nobody else writes beside it.
    keeper: Keeper<State>,
    journal: Journal,
    clock: Clock,
    /// Something is in the journal's line that is not durable yet.
    unsynced: bool,
    /// It must be before the next answer.
    sync_wanted: bool,
    held_back: Vec<Effect>,
    answers: Vec<Answer>,
    outlets: Outlets,
    /// Checks that verifiers have.
    docket: Docket,
    /// Nodes that wait for work.
    lobby: Lobby,
    failure: Option<anyhow::Error>,
    /// Something was applied that others may wait for.
    touched: bool,
    stopping: bool,
}

/// A clock that goes on at least as fast as time does: where the system's was set back, deadlines
/// still come.
struct Clock {
    /// What it said last.
    ms: u64,
    /// When.
    looked: Instant,
}

impl Clock {
    fn now_ms(&mut self, system_ms: u64, now: Instant) -> u64 {
        let passed_ms = now.saturating_duration_since(self.looked).as_millis() as u64;
        // What is less than a millisecond stays for the next look.
        self.looked += Duration::from_millis(passed_ms);
        self.ms = system_ms.max(self.ms + passed_ms);
        self.ms
    }
}

/// Where effects go.
#[derive(Clone)]
pub(super) struct Outlets {
    pub(super) money: Arc<Queue<Errand>>,
    pub(super) checks: Arc<Queue<Check>>,
    pub(super) ended: Arc<dyn Fn(&crate::core::Job) + Send + Sync>,
}

/// Sends closures to the desk.
#[derive(Clone)]
pub(super) struct DeskHandle {
    line: mpsc::Sender<Task>,
    changed: watch::Receiver<u64>,
}

/// The desk has stopped: the scheduler is on its way down.
#[derive(Debug, thiserror::Error)]
#[error("the scheduler is stopping")]
pub(super) struct Stopped;

impl Desk {
    /// What is known now.
    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    /// Milliseconds since 1970; never goes back nor stands still, whatever the system's clock does.
    pub(super) fn now_ms(&mut self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.clock.now_ms(since.as_millis() as u64, Instant::now())
    }

    /// What is kept of this process only; see [`crate::core::Live`].
    pub(super) const fn live_mut(&mut self) -> &mut crate::core::Live {
        &mut self.state.live
    }

    /// Applies an event: journal first, effects once it is durable.
    pub(super) fn apply(&mut self, event: Event) {
        let durability = event.durability();
        self.touched |= !matches!(event, Event::Heard { .. } | Event::Beat { .. });
        if durability > Durability::Volatile {
            if self.failure.is_some() {
                return;
            }
            if let Err(error) = self.append(&wire::encode(&event)) {
                self.failure = Some(error);
                return;
            }
            self.unsynced = true;
            self.sync_wanted |= durability == Durability::Sync;
        }
        let effects = step(&mut self.state, event);
        self.held_back.extend(effects);
    }

    fn append(&mut self, entry: &[u8]) -> anyhow::Result<()> {
        let appended = match self.journal.append(entry) {
            Err(AppendError::Full { .. }) => {
                self.journal.sync().context("the scheduler's journal cannot be written")?;
                self.journal.append(entry)
            }
            appended => appended,
        };
        appended.map(|_seq| ()).context("the scheduler's journal takes no more")
    }

    /// Makes durable what is in line, then lets effects and answers go.
    fn settle(&mut self, force: bool) {
        if self.unsynced && (self.sync_wanted || force) && self.failure.is_none() {
            if let Err(error) = self.journal.sync() {
                let error = anyhow!(error).context("the scheduler's journal cannot be written");
                self.failure = Some(error);
            } else {
                self.unsynced = false;
                self.sync_wanted = false;
                self.keeper.advance(&self.journal);
                tell_problem(&mut self.keeper);
            }
        }
        if self.failure.is_some() {
            // Nothing may be seen outside that is not on the disk: nobody gets an answer.
            self.answers.clear();
            self.held_back.clear();
            self.stopping = true;
            return;
        }
        if !self.unsynced {
            for effect in std::mem::take(&mut self.held_back) {
                self.release(effect);
            }
        }
        for answer in std::mem::take(&mut self.answers) {
            answer();
        }
    }

    fn release(&mut self, effect: Effect) {
        match effect {
            Effect::Move { seq, transfers } => {
                self.outlets.money.push(Errand::Move(Batch { seq, transfers }));
            }
            Effect::Check(check) => self.assign(*check),
            Effect::JobEnded(job) => {
                if let Some(job) = self.state.book.jobs.get(&job) {
                    (self.outlets.ended)(job);
                }
            }
        }
    }

    /// Gives a check to the trusted renderer, or to a verifier when its line is long.
    fn assign(&mut self, check: Check) {
        let policy = &self.state.book.policy;
        let until_ms = self.clock.ms + policy.verifier_wait_ms;
        let is_long = self.outlets.checks.line() >= policy.verifier_line as usize;
        let listens = |node| self.docket.listens(node);
        let entrusted = check.challenged().filter(|_| is_long).and_then(|challenged| {
            let verifier = verifiers::choose(&self.state, &challenged, listens)?;
            Some((verifier, challenged))
        });
        match entrusted {
            Some((verifier, challenged)) => self.docket.put(verifier, challenged, until_ms),
            None => self.outlets.checks.push(check),
        }
    }

    /// Checks that verifiers have.
    pub(super) const fn docket(&self) -> &Docket {
        &self.docket
    }

    /// The same, to be changed.
    pub(super) const fn docket_mut(&mut self) -> &mut Docket {
        &mut self.docket
    }

    /// The trusted renderer takes what a verifier did not answer, or not so that it can be used.
    pub(super) fn take_back(&self, challenged: impl IntoIterator<Item = Challenged>) {
        challenged.into_iter().for_each(|it| self.outlets.checks.push(it.into()));
    }

    /// Nodes that wait for work.
    pub(super) const fn lobby_mut(&mut self) -> &mut Lobby {
        &mut self.lobby
    }

    /// Offers what there is to nodes that wait, some at a time.
    fn call_waiting(&mut self) {
        self.lobby.note_line(self.state.index.jobs_in_line());
        if !self.lobby.is_calling() {
            return;
        }
        let begun = Instant::now();
        for _ in 0..CALLED_TOGETHER {
            if !self.state.index.has_work() {
                self.lobby.end_round();
                break;
            }
            let Some((place, max)) = self.lobby.next() else { break };
            let told = grant(self, place.0, max);
            let is_nothing = told.as_ref().is_ok_and(Vec::is_empty);
            if let Some(tell) = (!is_nothing).then(|| self.lobby.take(place)).flatten() {
                // Who hangs up now lets the leases lapse.
                self.answers.push(Box::new(move || drop(tell.send(told))));
            }
        }
        self.lobby.has_taken(begun.elapsed());
    }

    fn tick(&mut self) {
        let now_ms = self.now_ms();
        let late = self.docket.overdue(now_ms);
        self.take_back(late);
        for event in plan::due(&self.state, now_ms) {
            self.apply(event);
        }
        let live = &mut self.state.live;
        live.quotes.retain(|_, quoted| quoted.quote.valid_until_ms >= now_ms);
        self.lobby.sweep();
        if self.state.index.has_work() {
            self.lobby.begin_round();
        }
    }

    /// Stops after the closure under way.
    pub(super) const fn stop(&mut self) {
        self.stopping = true;
    }

    /// Stops because something failed that must not.
    pub(super) fn fail(&mut self, error: anyhow::Error) {
        self.failure.get_or_insert(error);
    }
}

/// Begins work at a desk: returns the handle and the thread, which yields the journal's failure.
pub(super) fn open(
    folded: Folded<State>,
    outlets: Outlets,
) -> std::io::Result<(DeskHandle, std::thread::JoinHandle<anyhow::Result<()>>)> {
    let Folded { journal, fold: state, keeper } = folded;
    let (line, tasks) = mpsc::channel(LINE_MAX);
    let (changes, changed) = watch::channel(0);
    // Unconfirmed money and unanswered checks first, in their old order.
    let held_back = outstanding(&state.book);
    let mut desk = Desk {
        state,
        journal,
        keeper,
        clock: Clock { ms: 0, looked: Instant::now() },
        unsynced: false,
        sync_wanted: false,
        held_back,
        answers: Vec::new(),
        outlets,
        docket: Docket::default(),
        lobby: Lobby::default(),
        failure: None,
        touched: false,
        stopping: false,
    };
    desk.settle(false);
    let thread = std::thread::Builder::new()
        .name("desk".to_owned())
        .spawn(move || work(desk, tasks, &changes))?;
    Ok((DeskHandle { line, changed }, thread))
}

fn work(
    mut desk: Desk,
    mut tasks: mpsc::Receiver<Task>,
    changes: &watch::Sender<u64>,
) -> anyhow::Result<()> {
    loop {
        if !desk.lobby.is_calling() {
            let Some(task) = tasks.blocking_recv() else { break };
            task(&mut desk);
        }
        for _ in 1..TOGETHER_MAX {
            match tasks.try_recv() {
                Ok(task) => task(&mut desk),
                Err(_empty_or_gone) => break,
            }
        }
        desk.call_waiting();
        desk.settle(false);
        if std::mem::take(&mut desk.touched) {
            changes.send_modify(|count| *count += 1);
        }
        if desk.stopping {
            break;
        }
    }
    desk.settle(true);
    match desk.failure {
        Some(error) => Err(error),
        None => {
            desk.keeper.close(&desk.journal, &desk.state);
            let stored = desk.journal.checkpoint().map(|_text| ());
            stored.context("the journal's last checkpoint was not stored")
        }
    }
}

impl DeskHandle {
    /// Runs `ask` at the desk and returns its answer, once everything that it applied and that
    /// must be durable is.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Desk) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (give, answer) = oneshot::channel();
        let task: Task = Box::new(move |desk| {
            let result = ask(desk);
            desk.answers.push(Box::new(move || drop(give.send(result))));
        });
        self.line.send(task).await.map_err(|_gone| Stopped)?;
        answer.await.map_err(|_gone| Stopped)
    }

    /// The same from a thread that may block, without waiting for an answer.
    pub(super) fn tell(&self, tell: impl FnOnce(&mut Desk) + Send + 'static) {
        // A desk that is gone needs no news.
        drop(self.line.blocking_send(Box::new(tell)));
    }

    /// Lets the desk look at its deadlines, and makes lazy events durable.
    pub(super) async fn tick(&self) -> Result<(), Stopped> {
        let task: Task = Box::new(|desk| {
            desk.tick();
            desk.sync_wanted |= desk.unsynced;
        });
        self.line.send(task).await.map_err(|_gone| Stopped)
    }

    /// Changes after every turn of the desk that applied something.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on_and_one_that_is_set_ahead_is_followed() {
        let start = Instant::now();
        let mut clock = Clock { ms: 0, looked: start };
        let mut look =
            |system_ms, after_us| clock.now_ms(system_ms, start + Duration::from_micros(after_us));
        assert_eq!(look(1_000, 0), 1_000);
        assert_eq!(look(900_000, 10_000), 900_000, "ahead");
        assert_eq!(look(1_020, 20_000), 900_010, "back: ten milliseconds later it is ten later");
        // A look every quarter of a millisecond loses none.
        let last = (1..=40).map(|quarter| look(1_020, 20_000 + 250 * quarter)).last();
        assert_eq!(last, Some(900_020));
        assert_eq!(look(900_500, 31_000), 900_500, "the system's own again");
    }
}
