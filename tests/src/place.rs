//! Where a process of a farm runs, and by which ticket it finds the scheduler.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// A place for processes: this machine as it is, or namespaces of the kernel that a [`Holder`] keeps.
#[derive(Debug, Clone)]
pub struct Place {
    /// What is written before a command so that it runs there.
    prefix: Vec<String>,
    /// Name of the file in the farm's folder that holds the ticket for this place.
    ticket: String,
}

impl Default for Place {
    fn default() -> Self {
        Self { prefix: Vec::new(), ticket: "ticket".to_owned() }
    }
}

impl Place {
    /// The same place, from where the scheduler is found by the ticket in another file.
    #[must_use]
    pub fn with_ticket(&self, file: &str) -> Self {
        Self { ticket: file.to_owned(), ..self.clone() }
    }

    /// The same place, reached by further words before a command.
    #[must_use]
    pub fn after(&self, words: impl IntoIterator<Item = String>) -> Self {
        let prefix = self.prefix.iter().cloned().chain(words).collect();
        Self { prefix, ..self.clone() }
    }

    /// The file that holds the ticket.
    #[must_use]
    pub fn ticket(&self) -> &str {
        &self.ticket
    }

    /// A command that runs there: the process started is the program itself.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let Some((first, rest)) = self.prefix.split_first() else { return Command::new(program) };
        let mut command = Command::new(first);
        command.args(rest).arg(program);
        command
    }

    /// Runs a line of the system's shell there; its standard output.
    ///
    /// # Errors
    /// What it said where it fails.
    pub fn run(&self, line: &str) -> Result<String> {
        let mut command = self.command(Path::new("sh"));
        let output = command.args(["-c", line]).stdin(Stdio::null()).output();
        let output = output.context("there is no shell")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{line}`: {}", said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Keeps namespaces for as long as it lives. They are nowhere on disk: the kernel takes them down,
/// with all links and mounts in them, when the last process in them ends, and the holder ends with
/// this process however that ends.
#[derive(Debug)]
pub struct Holder {
    cat: Child,
    flags: Vec<&'static str>,
}

impl Holder {
    /// New namespaces of these kinds (flags of `unshare` and `nsenter`), as seen from a place.
    ///
    /// # Errors
    /// The kernel does not give them.
    pub fn new(from: &Place, flags: &[&'static str]) -> Result<Self> {
        let mut command = from.command(Path::new("unshare"));
        // Whoever has a user namespace of his own is root in it.
        command.args(flags).args(flags.contains(&"--user").then_some("--map-root-user"));
        let piped = command.arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped());
        let cat = piped.stderr(Stdio::piped()).spawn().context("unshare does not start")?;
        let mut holder = Self { cat, flags: flags.to_vec() };
        // What comes back was said inside.
        let stdin = holder.cat.stdin.as_mut().context("no standard input")?;
        let asked = stdin.write_all(b"there\n");
        let mut answer = String::new();
        let stdout = holder.cat.stdout.as_mut().context("no standard output")?;
        BufReader::new(stdout).read_line(&mut answer)?;
        if asked.is_err() || answer != "there\n" {
            let mut why = String::new();
            let stderr = holder.cat.stderr.take().context("no standard error")?;
            BufReader::new(stderr).read_line(&mut why)?;
            bail!("{}", why.trim());
        }
        Ok(holder)
    }

    /// The process that is inside.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.cat.id()
    }

    /// Inside.
    #[must_use]
    pub fn place(&self) -> Place {
        let mut prefix = vec!["nsenter".to_owned(), format!("--target={}", self.id())];
        prefix.extend(self.flags.iter().map(|&flag| flag.to_owned()));
        if self.flags.contains(&"--user") {
            prefix.push("--preserve-credentials".to_owned());
        }
        prefix.push("--".to_owned());
        Place { prefix, ..Place::default() }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may have ended; there is nobody left to tell.
        let _killed = self.cat.kill();
        let _reaped = self.cat.wait();
    }
}

/// Says that a test was not run, and why: past the harness, which shows nothing of tests that pass.
/// Where `TESSERA_NO_SKIP` is set, that is an error.
///
/// # Errors
/// Nothing may be skipped here.
pub fn skip(test: &str, why: &anyhow::Error) -> Result<()> {
    if std::env::var_os("TESSERA_NO_SKIP").is_some() {
        bail!("{test} cannot run, and nothing may be skipped: {why:#}");
    }
    writeln!(std::io::stderr(), "SKIPPED {test}: {why:#}")?;
    Ok(())
}
