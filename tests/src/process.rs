//! A child process whose output is read while it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{PATIENCE, Place, tessera};

/// A running process; killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    /// Of one that heeds what it is told.
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

/// How a process ended and what it said.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; none when it was killed.
    pub code: Option<i32>,
    /// CPU-seconds of all its threads, as last seen; none where the system does not tell.
    pub cpu_s: Option<f64>,
    /// Lines of standard output.
    pub stdout: Vec<String>,
    /// Lines of standard error.
    pub stderr: Vec<String>,
}

impl Process {
    /// Starts `tessera` with its identity and settings inside `home`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: &str, home: &Path, arguments: &[String]) -> Result<Self> {
        Self::start_at(&Place::default(), name, home, arguments)
    }

    /// The same somewhere else.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_at(place: &Place, name: &str, home: &Path, arguments: &[String]) -> Result<Self> {
        Self::spawn(place, name, home, arguments, Stdio::null())
    }

    /// The same with a standard input, for [`Process::tell`].
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_heeding(name: &str, home: &Path, arguments: &[String]) -> Result<Self> {
        Self::spawn(&Place::default(), name, home, arguments, Stdio::piped())
    }

    fn spawn(
        place: &Place,
        name: &str,
        home: &Path,
        arguments: &[String],
        stdin: Stdio,
    ) -> Result<Self> {
        let mut child = place
            .command(tessera())
            .args(arguments)
            .env("TESSERA_HOME", home.join("home"))
            .env_remove("TESSERA_FARM")
            .env("NO_COLOR", "1")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let stdout = Lines::read(child.stdout.take().context("no standard output")?);
        let stderr = Lines::read(child.stderr.take().context("no standard error")?);
        let stdin = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, stdin, stdout, stderr })
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// It has none, or has ended.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("it heeds no standard input")?;
        writeln!(stdin, "{line}").with_context(|| format!("{} heeds nothing", self.name))
    }

    /// Ends its standard input.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits until its lines of standard output are as `wanted` likes.
    ///
    /// # Errors
    /// The process ends first, or [`PATIENCE`] does.
    pub fn wait_until(&self, wanted: impl Fn(&[String]) -> bool) -> Result<()> {
        self.stdout.wait_until(&wanted, PATIENCE).then_some(()).with_context(|| {
            let said = [self.stdout.all(), self.stderr.all()].concat().join("\n");
            format!("{} did not say what was waited for; it said:\n{said}", self.name)
        })
    }

    /// Waits for a line of either output that `wanted` likes.
    ///
    /// # Errors
    /// The process ends first, or [`PATIENCE`] does.
    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.stdout.wait_for(&wanted, PATIENCE).with_context(|| {
            let said = [self.stdout.all(), self.stderr.all()].concat().join("\n");
            format!("{} did not say what was waited for; it said:\n{said}", self.name)
        })
    }

    /// Waits for a line of standard error that `wanted` likes.
    ///
    /// # Errors
    /// The process ends first, or [`PATIENCE`] does.
    pub fn wait_for_log(&self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.stderr.wait_for(&wanted, PATIENCE).with_context(|| {
            let said = self.stderr.all().join("\n");
            format!("{} did not log what was waited for; it logged:\n{said}", self.name)
        })
    }

    /// Lines of standard error so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.stderr.all()
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Errors
    /// It has ended already.
    pub fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} had ended already ({status}):\n{}", self.name, self.log().join("\n"));
        }
        self.child.kill().with_context(|| format!("{} cannot be killed", self.name))?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It does not within `patience`.
    pub fn wait(mut self, patience: Duration) -> Result<Outcome> {
        let start = Instant::now();
        let mut cpu_s = None;
        let status = loop {
            cpu_s = self.cpu_s().or(cpu_s);
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if start.elapsed() > patience {
                bail!("{} is stuck; it said:\n{}", self.name, self.log().join("\n"));
            }
            thread::sleep(Duration::from_millis(20));
        };
        Ok(Outcome {
            code: status.code(),
            cpu_s,
            stdout: self.stdout.finished(),
            stderr: self.stderr.finished(),
        })
    }

    /// Stops it and all that it has started as a debugger does (`SIGSTOP`), or lets them go on.
    ///
    /// # Errors
    /// They cannot be signalled.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let all: Vec<u32> = std::iter::once(self.child.id()).chain(self.children()).collect();
        self.signal(signal, &all)
    }

    /// Asks it to stop in order, as who runs a service does (`SIGTERM`).
    ///
    /// # Errors
    /// It cannot be signalled.
    pub fn stop(&self) -> Result<()> {
        self.signal("-TERM", &[self.child.id()])
    }

    fn signal(&self, signal: &str, processes: &[u32]) -> Result<()> {
        let ids = processes.iter().map(u32::to_string);
        let sent = Command::new("kill").arg(signal).args(ids).status()?;
        if !sent.success() {
            bail!("{} cannot be sent {signal}", self.name);
        }
        Ok(())
    }

    /// CPU-seconds of all its threads so far, and of the processes that it has started; none where
    /// the system does not tell.
    #[must_use]
    pub fn cpu_s(&self) -> Option<f64> {
        let of = |id: u32| used(Path::new(&format!("/proc/{id}/stat"))).map(|(_name, cpu_s)| cpu_s);
        let children = self.children();
        Some(of(self.child.id())? + children.into_iter().filter_map(of).sum::<f64>())
    }

    /// Memory that it holds itself, bytes; none where the system does not tell.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    }

    /// Process ids of what it has started and still runs: a node's worker.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|&id| parent(id) == Some(self.child.id())).collect()
    }

    /// The same of the threads that it has now, those of one name together; empty where the system
    /// does not tell. Threads that have ended are missing.
    #[must_use]
    pub fn threads_cpu_s(&self) -> Vec<(String, f64)> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let mut by_name = BTreeMap::new();
        for task in tasks.into_iter().flatten().flatten() {
            if let Some((name, cpu_s)) = used(&task.path().join("stat")) {
                *by_name.entry(name).or_default() += cpu_s;
            }
        }
        by_name.into_iter().collect()
    }
}

/// Who has started a process.
fn parent(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in brackets may hold anything; a letter for the state follows.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Name and CPU-seconds of a process or a thread.
fn used(stat: &Path) -> Option<(String, f64)> {
    // Fields 14 and 15 after the name in brackets, in hundredths (proc(5)).
    let stat = std::fs::read_to_string(stat).ok()?;
    let (before, fields) = stat.rsplit_once(')')?;
    let (_id, name) = before.split_once('(')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    let ticks = ticks.collect::<Result<Vec<_>, _>>().ok()?;
    Some((name.to_owned(), ticks.iter().sum::<f64>() / 100.0))
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended; there is nobody left to tell.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Outcome {
    /// The JSON objects of standard output, one a line.
    ///
    /// # Errors
    /// A line is something else.
    pub fn objects(&self) -> Result<Vec<Value>> {
        let parse = |line: &String| {
            serde_json::from_str(line).with_context(|| format!("not a JSON object: {line}"))
        };
        self.stdout.iter().map(parse).collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stdout, stderr) = (self.stdout.join("\n"), self.stderr.join("\n"));
        write!(f, "exit code {:?}\n{stdout}\n{stderr}", self.code)
    }
}

/// Lines of a stream, read by a thread of their own.
#[derive(Clone)]
struct Lines(Arc<(Mutex<Heard>, Condvar)>);

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn read(stream: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::default());
        let heard = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                heard.change(|heard| heard.lines.push(line));
            }
            heard.change(|heard| heard.ended = true);
        });
        lines
    }

    fn change(&self, change: impl FnOnce(&mut Heard)) {
        let (heard, told) = &*self.0;
        change(&mut heard.lock().unwrap_or_else(PoisonError::into_inner));
        told.notify_all();
    }

    fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    /// All lines, once the stream has ended.
    fn finished(&self) -> Vec<String> {
        let (heard, told) = &*self.0;
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = told.wait_while(heard, |heard| !heard.ended);
        ended.unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    /// The first line that `wanted` likes, or none when the stream or the patience ends first.
    fn wait_for(&self, wanted: impl Fn(&str) -> bool, patience: Duration) -> Option<String> {
        self.wait(|lines| lines.iter().find(|line| wanted(line)).cloned(), patience)
    }

    /// Whether `wanted` likes the lines before the stream or the patience ends.
    fn wait_until(&self, wanted: impl Fn(&[String]) -> bool, patience: Duration) -> bool {
        self.wait(|lines| wanted(lines).then_some(()), patience).is_some()
    }

    fn wait<T>(&self, found: impl Fn(&[String]) -> Option<T>, patience: Duration) -> Option<T> {
        let (heard, told) = &*self.0;
        let start = Instant::now();
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = found(&heard.lines) {
                return Some(found);
            }
            let left = patience.checked_sub(start.elapsed())?;
            if heard.ended {
                return None;
            }
            let waited = told.wait_timeout(heard, left);
            heard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
