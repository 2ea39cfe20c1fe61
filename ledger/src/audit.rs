//! What opening from a snapshot did not read is read afterwards, in the background.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use protocol::PublicKey;

use crate::offline::{self, in_full};
use crate::snapshot::Outline;

/// What reading the whole journal in the background has found since the ledger was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Audit {
    /// Opening read the whole journal itself.
    #[default]
    Unneeded,
    /// It is being read.
    Running,
    /// All of it holds, and gives the books that the snapshot held.
    Holds {
        /// Entries read.
        entries: u64,
    },
    /// Part of it is damaged or could not be read. The books are those that were signed; restore
    /// the file that is named from a backup.
    Damaged {
        /// What is wrong, with the file.
        problem: String,
    },
    /// The ledger was closed before all was read.
    Stopped,
    /// The journal holds, but gives other books than the snapshot: the ledger takes no more.
    Contradicted {
        /// What is wrong, and what to do.
        problem: String,
    },
}

#[derive(Debug, Default)]
struct Shared {
    found: Mutex<Audit>,
    changed: Condvar,
    stop: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Audit> {
        // Every change is one assignment: a panic leaves nothing half done.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, found: Audit) {
        *self.lock() = found;
        self.changed.notify_all();
    }
}

/// Asks for what was found, in any thread.
#[derive(Debug, Clone)]
pub struct AuditReader(Arc<Shared>);

impl AuditReader {
    /// What was found so far.
    #[must_use]
    pub fn found(&self) -> Audit {
        self.0.lock().clone()
    }

    /// Waits until all is read, or the ledger is closed.
    #[must_use]
    pub fn wait(&self) -> Audit {
        let runs = |found: &mut Audit| *found == Audit::Running;
        let found = self.0.changed.wait_while(self.0.lock(), runs);
        found.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The thread that reads the journal.
#[derive(Debug, Default)]
pub(crate) struct Auditor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Auditor {
    /// Starts reading the ledger of `key` in `dir`, which was opened from `used`.
    pub(crate) fn start(dir: &Path, key: PublicKey, used: Outline) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        *shared.lock() = Audit::Running;
        let (its, dir) = (Arc::clone(&shared), dir.to_owned());
        let thread = std::thread::Builder::new().name("ledger audit".into()).spawn(move || {
            let found = read(&dir, key, &used, &its.stop);
            its.set(found);
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn found(&self) -> Audit {
        self.shared.lock().clone()
    }

    pub(crate) fn reader(&self) -> AuditReader {
        AuditReader(Arc::clone(&self.shared))
    }

    /// What is wrong, when the ledger must take no more.
    pub(crate) fn contradiction(&self) -> Option<String> {
        match &*self.shared.lock() {
            Audit::Contradicted { problem } => Some(problem.clone()),
            _ => None,
        }
    }

    /// Waits until it is done.
    pub(crate) fn wait(&mut self) -> Audit {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            let problem = "the thread that read the journal panicked".to_owned();
            self.shared.set(Audit::Damaged { problem });
        }
        self.found()
    }
}

impl Drop for Auditor {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _found = self.wait();
    }
}

fn read(dir: &Path, key: PublicKey, used: &Outline, stop: &AtomicBool) -> Audit {
    let (size, mut is_of) = (used.state.checkpoint.size, None);
    let verified = offline::verify_journal(dir, key, &[], &mut |books, _entry, _bytes| {
        if books.size() == size {
            is_of = Some(used.is_of(books));
        }
        match stop.load(Ordering::Relaxed) {
            true => Err("the ledger was closed".into()),
            false => Ok(()),
        }
    });
    match (verified, is_of) {
        (Err(_), _) if stop.load(Ordering::Relaxed) => Audit::Stopped,
        (Err(error), _) => Audit::Damaged { problem: in_full(&error) },
        (Ok(verified), Some(true)) => Audit::Holds { entries: verified.head.size },
        (Ok(_), _) => {
            let problem = format!(
                "the snapshot at entry {size} holds other books than the journal gives; close the \
                 ledger, rebuild it, and report this"
            );
            Audit::Contradicted { problem }
        }
    }
}
