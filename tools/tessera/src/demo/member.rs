//! A process of the demo's farm: started, listened to, always stopped.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Lines of a member that wait to be read; more are dropped, so that it never waits for us.
const LINES_MAX: usize = 4096;
/// How long a member may take to stop before it is killed.
const STOP_MAX: Duration = Duration::from_secs(10);
/// Lines of the log that an error shows.
const LOG_LINES: usize = 12;

/// A running process of our own executable.
///
/// Its standard input is a pipe that we hold: when we go, however we go, it ends, and so does
/// the member. It has a process group of its own, so that Ctrl+C reaches us alone.
pub struct Member {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Member {
    /// Starts our executable with `arguments`; what it says on standard error goes to a log in
    /// `folder`.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn start(name: &str, arguments: &[String], folder: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("our own executable cannot be found")?;
        let log = folder.join(format!("{name}.log"));
        let log_file = File::create(&log)
            .with_context(|| format!("a log cannot be written: {}", log.display()))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg("--stop-on-stdin-eof")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("a member has no standard output")?;
        let (sender, lines) = mpsc::sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { return };
                // A full queue drops the line: nobody waits for these words.
                if let Err(mpsc::TrySendError::Disconnected(_)) = sender.try_send(line) {
                    return;
                }
            }
        });
        Ok(Self { name: name.to_owned(), child, stdin, lines, log })
    }

    /// The next line it prints.
    ///
    /// # Errors
    /// It ends, or says nothing until the deadline.
    pub fn line_until(&mut self, deadline: Instant) -> anyhow::Result<String> {
        let wait = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(wait) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => Err(self.trouble("said nothing in time")),
            Err(RecvTimeoutError::Disconnected) => Err(self.trouble("ended")),
        }
    }

    /// Lines it has printed since the last look.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.lines.try_iter()
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// It has ended; its last words are in the error.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("a process cannot be asked")? {
            None => Ok(()),
            Some(status) => Err(self.trouble(&format!("ended ({status})"))),
        }
    }

    /// Ends its standard input: the polite wish to stop. Does not wait.
    pub fn ask_to_stop(&mut self) {
        self.stdin = None;
    }

    /// Waits until it has stopped; kills it when it does not. Returns its remaining lines.
    pub fn stop(&mut self) -> Vec<String> {
        self.ask_to_stop();
        let deadline = Instant::now() + STOP_MAX;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(_)) | Err(_) => break,
            }
        }
        // No effect on a process that has ended.
        let _killed = self.child.kill();
        let _status = self.child.wait();
        // The reader ends with the pipe, so that this ends too.
        self.lines.iter().collect()
    }

    fn trouble(&self, what: &str) -> anyhow::Error {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
        let said = if last.is_empty() { "it said nothing" } else { "its last words:" };
        anyhow::anyhow!("{} {what}; {said}\n{}", self.name, last.join("\n"))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop();
    }
}
