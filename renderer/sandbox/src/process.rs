//! One run of a worker, seen from its keeper.

use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::Engine;
use renderer::Cancel;

use crate::confinement::ENVIRONMENT;
use crate::reins::Reins;
use crate::wire::{self, Ask, TOLD_BODY_BYTES_MAX, Told, WireError};

/// How often it is looked whether an order was cancelled.
const LOOK: Duration = Duration::from_millis(10);
/// How long a process that closed its pipe may take to end.
const END: Duration = Duration::from_secs(1);
/// Lines of a worker that are passed on to the log; more are nothing but noise.
const LINES_MAX: usize = 200;
/// Longest line that is read at all, bytes.
const LINE_BYTES_MAX: u64 = 4096;

/// Why a worker is of no more use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// It does not start.
    #[error("the worker process does not start: {}", program.display())]
    Start {
        /// Its program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It has nothing to render with.
    #[error("the worker process has no backend: {0}")]
    NoBackend(String),
    /// It wanted more memory than it may have.
    #[error("the worker process ran out of the {limit_mib} MiB of memory that it may use")]
    Memory {
        /// Its limit.
        limit_mib: u64,
    },
    /// It died.
    #[error("the worker process ended ({how}){words}")]
    Ended {
        /// Its exit code or signal.
        how: String,
        /// Its last words.
        words: String,
    },
    /// It makes no progress.
    #[error("the worker process made no progress for {after_s:.0} s and was killed")]
    Hung {
        /// For how long.
        after_s: f64,
    },
    /// It tells of progress and comes to no end.
    #[error("the worker process came to no end in {after_s:.0} s and was killed")]
    Endless {
        /// For how long.
        after_s: f64,
    },
    /// It is of another release, which renders other bits.
    #[error(
        "the worker program is of another release, with {worker} instead of {own}: start again what it works for"
    )]
    Engine {
        /// The worker's.
        worker: Engine,
        /// Its keeper's.
        own: Engine,
    },
    /// It did not stop when it was asked to.
    #[error("the worker process did not stop and was killed")]
    Stopped,
    /// It answers what nobody asked.
    #[error("the worker process talks nonsense and was killed")]
    Nonsense(#[source] Option<WireError>),
}

/// A running worker. Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    asks: SyncSender<(Ask, Bytes)>,
    told: Receiver<Result<(Told, Vec<u8>), WireError>>,
    last_words: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
    reins: Reins,
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// Longest time without progress.
    pub(crate) silent: Duration,
    /// Longest time in all, however much progress is told.
    pub(crate) whole: Duration,
}

/// What an answer is waited for by.
#[derive(Clone, Copy)]
pub(crate) struct Wait<'a> {
    /// How long at most.
    pub(crate) bound: Bound,
    /// How it is stopped, where it can be.
    pub(crate) cancelling: Option<Cancelling<'a>>,
}

/// How a film or a view is stopped.
#[derive(Clone, Copy)]
pub(crate) struct Cancelling<'a> {
    /// The wish to stop.
    pub(crate) cancel: &'a Cancel,
    /// The number of what it is about.
    pub(crate) number: u64,
    /// Longest time from the wish to the stop.
    pub(crate) patience: Duration,
}

impl Process {
    /// Starts `program` as a worker, with the environment that a worker may have.
    pub(crate) fn start(program: &PathBuf, reins: &Reins) -> Result<Self, WorkerError> {
        let failed = |source| WorkerError::Start { program: program.clone(), source };
        let kept = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut command = Command::new(program);
        // What lists of processes show, whatever the program's file is called.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, "tessera-worker");
        let mut child = command
            .arg("worker")
            .env_clear()
            .envs(kept)
            // Caches would be files.
            .env("MESA_SHADER_CACHE_DISABLE", "true")
            .env("__GL_SHADER_DISK_CACHE", "0")
            .env("NODEVICE_SELECT", "1")
            .current_dir(if cfg!(unix) { "/" } else { "." })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (asks, to_write) = sync_channel::<(Ask, Bytes)>(2);
        // What nobody asked for is not kept: a body may be large.
        let (heard, told) = sync_channel(0);
        let mut stdin = child.stdin.take().expect("invariant: it was asked for");
        let stdout = child.stdout.take().expect("invariant: it was asked for");
        let stderr = child.stderr.take().expect("invariant: it was asked for");
        // A worker that does not read must not hold its keeper up.
        let writer = move || {
            while let Ok((ask, body)) = to_write.recv() {
                if wire::write(&mut stdin, &ask, &body).is_err() {
                    return;
                }
            }
        };
        let reader = move || {
            let mut stdout = BufReader::new(stdout);
            loop {
                let read = wire::read(&mut stdout, TOLD_BODY_BYTES_MAX);
                let over = read.is_err();
                if heard.send(read).is_err() || over {
                    return;
                }
            }
        };
        let last_words = Arc::new(Mutex::new(String::new()));
        let words = last_words.clone();
        let reins = reins.clone();
        reins.harness(child.id());
        // From here on it is killed when it is dropped.
        let mut process = Self { child, asks, told, last_words, listener: None, reins };
        spawn(writer).map_err(failed)?;
        spawn(reader).map_err(failed)?;
        process.listener = Some(spawn(move || listen(stderr, &words)).map_err(failed)?);
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks, and waits for the next word that is not mere progress.
    pub(crate) fn exchange(
        &mut self,
        ask: Ask,
        body: Bytes,
        wait: &Wait<'_>,
        limit_bytes: u64,
    ) -> Result<(Told, Vec<u8>), WorkerError> {
        if self.asks.send((ask, body)).is_err() {
            return Err(self.ended(limit_bytes));
        }
        self.next(wait, limit_bytes)
    }

    /// Waits for the next word that is not mere progress.
    pub(crate) fn next(
        &mut self,
        wait: &Wait<'_>,
        limit_bytes: u64,
    ) -> Result<(Told, Vec<u8>), WorkerError> {
        let mut last = Instant::now();
        let (mut looked, mut worked) = (last, Duration::ZERO);
        let mut stop_at = None;
        loop {
            match self.told.recv_timeout(LOOK) {
                Ok(Ok((Told::Progress, _none))) => last = Instant::now(),
                Ok(Ok(told)) => return Ok(told),
                Ok(Err(WireError::Ended | WireError::Pipe(_)))
                | Err(RecvTimeoutError::Disconnected) => return Err(self.ended(limit_bytes)),
                Ok(Err(nonsense)) => return Err(WorkerError::Nonsense(Some(nonsense))),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            let passed = now - std::mem::replace(&mut looked, now);
            if self.reins.is_held() {
                // It is we who hold it up.
                last = now;
                let patience = wait.cancelling.map_or(Duration::ZERO, |own| own.patience);
                stop_at = stop_at.map(|_earlier| now + patience);
                continue;
            }
            if let (Some(Cancelling { cancel, number, patience }), None) =
                (wait.cancelling, stop_at)
                && cancel.is_set()
            {
                stop_at = Some(now + patience);
                // A full line means that it does not read: then it is killed in a moment.
                let _full = self.asks.try_send((Ask::Cancel { number }, Bytes::new()));
            }
            if stop_at.is_some_and(|at| now > at) {
                return Err(WorkerError::Stopped);
            }
            worked += passed;
            let silent = now - last;
            if silent > wait.bound.silent {
                return Err(WorkerError::Hung { after_s: silent.as_secs_f64() });
            }
            if worked > wait.bound.whole {
                return Err(WorkerError::Endless { after_s: worked.as_secs_f64() });
            }
        }
    }

    /// What it died of.
    fn ended(&mut self, limit_bytes: u64) -> WorkerError {
        let begin = Instant::now();
        while begin.elapsed() < END && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(LOOK);
        }
        self.reins.unharness();
        let _ended_already = self.child.kill();
        let status = self.child.wait();
        // The last words are whole once their pipe has ended, which it has with the process.
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner).clone();
        epitaph(status.as_ref().ok(), &words, limit_bytes)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.reins.unharness();
        // No effect on one that has ended.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A thread that talks with a worker; an error where the system gives none.
fn spawn(talk: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("worker-pipe".to_owned()).spawn(talk)
}

/// Why a process died, as far as its status and its last words tell.
fn epitaph(status: Option<&ExitStatus>, words: &str, limit_bytes: u64) -> WorkerError {
    // What Rust says before it aborts.
    if words.contains("memory allocation of") {
        return WorkerError::Memory { limit_mib: limit_bytes >> 20 };
    }
    let how = status.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let words = if words.is_empty() { String::new() } else { format!(": {words}") };
    WorkerError::Ended { how, words }
}

/// Passes a worker's words on to the log, and keeps the last.
fn listen(stderr: impl io::Read, last: &Mutex<String>) {
    let mut reader = BufReader::new(stderr);
    let mut count = 0;
    loop {
        let mut line = Vec::new();
        let read = io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut line);
        match read {
            Ok(0) | Err(_) => return,
            Ok(_some) => {}
        }
        let words = crate::plain(&String::from_utf8_lossy(&line));
        // How to see more is for who has a terminal.
        if words.is_empty() || words.starts_with("note:") {
            continue;
        }
        count += 1;
        if count <= LINES_MAX {
            tracing::warn!("the worker says: {words}");
        }
        *last.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_died_of_is_said() {
        let memory = epitaph(None, "memory allocation of 72 bytes failed", 3 << 20);
        assert!(matches!(memory, WorkerError::Memory { limit_mib: 3 }), "{memory}");
        let said = epitaph(None, "oh", 0).to_string();
        assert_eq!(said, "the worker process ended (unknown): oh");
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt as _;
            let killed = epitaph(Some(&ExitStatus::from_raw(9)), "", 0).to_string();
            assert_eq!(killed, "the worker process ended (signal: 9 (SIGKILL))");
        }
    }

    #[test]
    fn the_last_line_is_kept_and_long_ones_do_no_harm() {
        let last = Mutex::new(String::new());
        listen(&b"one\n\ntwo\xff\n"[..], &last);
        assert_eq!(*last.lock().expect("whole"), "two\u{fffd}");
        let endless = vec![b'x'; 100_000];
        listen(&endless[..], &last);
        assert!(last.lock().expect("whole").len() <= LINE_BYTES_MAX as usize);
    }
}
