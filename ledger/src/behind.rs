//! What a thread derives from the journal, behind the acknowledgement: nothing waits for it but
//! those who read it, and the journal gives all of it again.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Something that grows with the journal.
pub(crate) trait Derived: Sized {
    /// For reading it in any thread; clones are cheap.
    type View: Clone + Send + 'static;
    /// Why it stops.
    type Error: Display;

    /// Entries of the journal that are in it.
    fn size(&self) -> u64;
    /// A view of it as it is now.
    fn view(&self) -> Self::View;
    /// Takes in entries up to `until`, or some of them: at least one.
    fn take_in(&mut self, until: u64) -> Result<(), Self::Error>;
    /// Forgets all, because somebody has found it wrong.
    fn start_over(&mut self) -> Result<(), Self::Error>;
    /// Last words.
    fn close(&mut self) -> Result<(), Self::Error>;
}

/// How far it is, and whether it works.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Entries of the journal it holds.
    pub applied: u64,
    /// Why it stopped, when it has.
    pub problem: Option<String>,
}

#[derive(Debug)]
struct State<V> {
    durable: u64,
    progress: Progress,
    stop: bool,
    start_over: bool,
    view: Option<V>,
}

#[derive(Debug)]
struct Shared<V> {
    state: Mutex<State<V>>,
    changed: Condvar,
}

impl<V> Shared<V> {
    fn lock(&self) -> MutexGuard<'_, State<V>> {
        // Every change of the state is a few assignments: a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that keeps it.
#[derive(Debug)]
pub(crate) struct Behind<V> {
    shared: Arc<Shared<V>>,
    thread: Option<JoinHandle<()>>,
}

impl<V: Clone + Send + 'static> Behind<V> {
    /// Starts following the journal, of which `durable` entries may be read. `open` is told so, and
    /// asks its second argument whether it should stop.
    pub(crate) fn start<D, O>(name: &str, durable: u64, open: O) -> std::io::Result<Self>
    where
        D: Derived<View = V>,
        O: FnOnce(u64, &dyn Fn() -> bool) -> Result<D, D::Error> + Send + 'static,
    {
        let state = State {
            durable,
            progress: Progress::default(),
            stop: false,
            start_over: false,
            view: None,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let its = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Stores assert on damaged files: then what they hold is lost, not the ledger.
            let run = catch_unwind(AssertUnwindSafe(|| follow(&its, open)));
            let problem = match run {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_panic) => "its store panicked".to_owned(),
            };
            its.lock().progress.problem = Some(problem);
            its.changed.notify_all();
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Says that more entries may be read.
    pub(crate) fn advance(&self, durable: u64) {
        self.shared.lock().durable = durable;
        self.shared.changed.notify_all();
    }

    pub(crate) fn progress(&self) -> Progress {
        self.shared.lock().progress.clone()
    }

    /// For reading it in any thread.
    pub(crate) fn reader(&self) -> BehindReader<V> {
        BehindReader(Arc::clone(&self.shared))
    }
}

impl<V> Drop for Behind<V> {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It caught its own panics.
            let _always_ok = thread.join();
        }
    }
}

/// Reads it.
#[derive(Debug, Clone)]
pub(crate) struct BehindReader<V>(Arc<Shared<V>>);

impl<V: Clone> BehindReader<V> {
    /// A view once it holds `size` entries; `None` when it fails or takes too long.
    pub(crate) fn wait_for(&self, size: u64, timeout: Duration) -> Option<V> {
        let waits = |state: &mut State<V>| {
            let is_behind = state.view.is_none() || state.progress.applied < size;
            is_behind && state.progress.problem.is_none() && !state.stop
        };
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), timeout, waits);
        let (state, _timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_there = state.progress.applied >= size && state.progress.problem.is_none();
        if is_there { state.view.clone() } else { None }
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        self.0.lock().progress.clone()
    }

    /// Has it made anew, because it was found wrong.
    pub(crate) fn start_over(&self) {
        let mut state = self.0.lock();
        (state.start_over, state.view, state.progress.applied) = (true, None, 0);
        drop(state);
        self.0.changed.notify_all();
    }
}

fn follow<D, O>(shared: &Shared<D::View>, open: O) -> Result<(), D::Error>
where
    D: Derived,
    O: FnOnce(u64, &dyn Fn() -> bool) -> Result<D, D::Error>,
{
    let durable = shared.lock().durable;
    let mut derived = open(durable, &|| shared.lock().stop)?;
    loop {
        let (until, start_over) = {
            let mut state = shared.lock();
            if !state.start_over {
                (state.progress.applied, state.view) = (derived.size(), Some(derived.view()));
            }
            shared.changed.notify_all();
            let waits = |state: &mut State<D::View>| {
                state.durable <= derived.size() && !state.stop && !state.start_over
            };
            state = shared.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
            if state.stop {
                break;
            }
            (state.durable, std::mem::take(&mut state.start_over))
        };
        match start_over {
            true => derived.start_over()?,
            false => derived.take_in(until)?,
        }
    }
    derived.close()
}
