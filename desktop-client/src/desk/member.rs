//! A program of ours that runs beside the window: a node, or a farm of one's own. It ends with the
//! window, however that ends, for it stops when its standard input does.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines of its log that are kept to say why it ended.
const LOG_LINES: usize = 12;

/// A program that runs.
pub(super) struct Member {
    stdin: ChildStdin,
    is_stopping: Arc<AtomicBool>,
    has_ended: Arc<AtomicBool>,
}

impl Member {
    /// Starts it. `on_line` is given each line that it says, on a thread of its own; `on_end` why it
    /// ended, where it was not asked to.
    ///
    /// # Errors
    /// Why it cannot be started, in a sentence.
    pub(super) fn start(
        name: &'static str,
        mut command: Command,
        on_line: impl FnMut(String) + Send + 'static,
        on_end: impl FnOnce(Option<String>) + Send + 'static,
    ) -> Result<Self, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("The {name} cannot be started: {error}: {program}"))?;
        let stdin = child.stdin.take().ok_or_else(|| format!("The {name} does not listen"))?;
        let is_stopping = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::new(AtomicBool::new(false));
        let (theirs, ended) = (Arc::clone(&is_stopping), Arc::clone(&has_ended));
        let on_end = move |trouble| {
            ended.store(true, Ordering::Relaxed);
            on_end(trouble);
        };
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || listen(name, child, &theirs, on_line, on_end))
            .map_err(|error| format!("There is no thread for the {name}: {error}"))?;
        Ok(Self { stdin, is_stopping, has_ended })
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    /// Tells it a line.
    ///
    /// # Errors
    /// It has ended, of which its listener says more.
    pub(super) fn tell(&mut self, line: &str) -> std::io::Result<()> {
        // One that is stopped reads nothing, and a pipe holds only so much.
        tokio::task::block_in_place(|| {
            self.stdin.write_all(line.as_bytes())?;
            self.stdin.write_all(b"\n")?;
            self.stdin.flush()
        })
    }

    /// Asks it to end, in its own time.
    pub(super) fn stop(self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }
}

/// Hands on what it says until it ends, and says how that was.
fn listen(
    name: &'static str,
    mut child: Child,
    is_stopping: &AtomicBool,
    mut on_line: impl FnMut(String),
    on_end: impl FnOnce(Option<String>),
) {
    let log = Arc::new(Mutex::new(VecDeque::new()));
    let logging = child.stderr.take().map(|stderr| {
        let log = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                tracing::info!("{name}: {line}");
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                if log.len() == LOG_LINES {
                    log.pop_front();
                }
                log.push_back(line);
            }
        })
    });
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).lines().map_while(Result::ok).for_each(&mut on_line);
    }
    let ended = child.wait();
    if let Some(logging) = logging {
        drop(logging.join());
    }
    let trouble = match ended {
        Ok(_status) if is_stopping.load(Ordering::Relaxed) => None,
        Ok(status) => {
            let log = log.lock().unwrap_or_else(PoisonError::into_inner);
            let last = log.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
            let last = last.map(|line| format!(": {line}")).unwrap_or_default();
            Some(format!("The {name} ended by itself ({status}){last}"))
        }
        Err(error) => Some(format!("The {name} was lost: {error}")),
    };
    on_end(trouble);
}
