//! A farm of real processes on the loopback interface, for tests that kill them.
//!
//! Every process is the `tessera` program itself, as a user starts it. Processes are killed when
//! their handle is dropped, so that a failing test leaves nothing behind.

mod bucket;
mod clock;
mod disk;
mod lan;
mod place;
mod postgres;
mod process;
mod program;
mod proxy;
mod studio;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use protocol::PublicKey;
use protocol::view::LedgerCheck;
use serde_json::Value;
use transport::Ticket;

pub use bucket::Bucket;
pub use clock::Clock;
pub use disk::Disk;
pub use lan::Lan;
pub use place::{Holder, Place, skip};
pub use postgres::Postgres;
pub use process::{Outcome, Process};
pub use program::tessera;
pub use proxy::{Proxy, Weather};
pub use studio::{Answer, Studio, order_and_forget, sha256};

/// How long a step of a test may take before it is called stuck. Far above what any step needs:
/// machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// A folder with a scheduler's data, an artist's key and a scene, and the processes on it.
pub struct Farm {
    dir: tempfile::TempDir,
    bind: SocketAddr,
    scheduler: Option<Process>,
    /// The scheduler's folder.
    data: String,
    /// Where the scheduler runs.
    home: Place,
    /// Where the artist's commands run.
    artist: Place,
}

/// A scheduler that stands by.
pub struct Standby {
    process: Process,
    data: String,
    bind: SocketAddr,
}

/// Snapshots of both journals far oftener than in earnest, so that whoever starts again finds one.
const SNAPSHOTS: &str = "snapshot_entries = 25";

impl Farm {
    /// A farm with this text added to its settings; its scheduler is started.
    ///
    /// # Errors
    /// The scheduler does not come up.
    pub fn start(settings: &str) -> Result<Self> {
        Self::start_at(Place::default(), Ipv4Addr::LOCALHOST.into(), settings)
    }

    /// A farm whose scheduler runs somewhere else, and listens there on this address; the artist's
    /// commands run there as well until [`Farm::move_artist`].
    ///
    /// # Errors
    /// The scheduler does not come up.
    pub fn start_at(home: Place, address: IpAddr, settings: &str) -> Result<Self> {
        let mut farm = Self::new(address, settings)?;
        farm.artist = home.clone();
        farm.home = home;
        farm.start_scheduler()?;
        Ok(farm)
    }

    /// A farm whose scheduler is not started yet.
    ///
    /// # Errors
    /// No folder or no port is to be had.
    pub fn new(address: IpAddr, settings: &str) -> Result<Self> {
        let dir = tempfile::tempdir().context("no temporary folder")?;
        let bind = SocketAddr::new(address, free_port(address)?);
        let (home, artist) = (Place::default(), Place::default());
        let data = "scheduler".to_owned();
        let farm = Self { dir, bind, scheduler: None, data, home, artist };
        farm.set(settings)?;
        Ok(farm)
    }

    /// Other settings from the scheduler's next start.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn set(&self, settings: &str) -> Result<()> {
        Ok(fs::write(self.path("farm.toml"), format!("{SNAPSHOTS}\n{settings}"))?)
    }

    /// Where the scheduler runs from its next start.
    pub fn move_home(&mut self, to: Place) {
        self.home = to;
    }

    /// Where the artist's commands run from now on.
    pub fn move_artist(&mut self, to: Place) {
        self.artist = to;
    }

    /// Where the scheduler listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.bind
    }

    /// The scheduler's ticket.
    ///
    /// # Errors
    /// It has given none.
    pub fn ticket(&self) -> Result<Ticket> {
        Ok(fs::read_to_string(self.path("ticket"))?.parse()?)
    }

    /// A line to the scheduler over a proxy, and the place whose ticket leads over it.
    ///
    /// # Errors
    /// No socket is to be had.
    pub fn line(&self, name: &str, weather: Weather) -> Result<(Proxy, Place)> {
        let proxy = Proxy::new(self.bind, weather)?;
        let ticket = Ticket::new(self.ticket()?.key(), vec![proxy.address()]);
        let file = format!("ticket-{name}");
        fs::write(self.path(&file), ticket.to_string())?;
        Ok((proxy, Place::default().with_ticket(&file)))
    }

    /// A path inside the farm's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the scheduler, again after [`Farm::kill_scheduler`], and waits for its ticket.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_scheduler(&mut self) -> Result<()> {
        let scheduler = self.spawn_scheduler(&self.data, self.bind)?;
        let ticket = scheduler.wait_for_line(|_first| true)?;
        fs::write(self.path("ticket"), ticket)?;
        self.scheduler = Some(scheduler);
        Ok(())
    }

    /// Starts another scheduler of the same farm in a folder of its own, and waits until it stands by.
    ///
    /// # Errors
    /// It does not.
    pub fn start_standby(&self, data: &str) -> Result<Standby> {
        fs::create_dir_all(self.path(data))?;
        for key in ["key", "secret"] {
            fs::copy(self.path(&self.data).join(key), self.path(data).join(key))?;
        }
        let bind = SocketAddr::new(self.bind.ip(), free_port(self.bind.ip())?);
        let process = self.spawn_scheduler(data, bind)?;
        process.wait_for_log(|line| line.contains("standing by:"))?;
        // Whoever has the new ticket finds it.
        let start = Instant::now();
        let ticket = self.path(&self.data).join("ticket");
        while start.elapsed() < PATIENCE {
            let read: Ticket = fs::read_to_string(&ticket)?.parse()?;
            if read.addresses().contains(&bind) {
                fs::write(self.path("ticket"), read.to_string())?;
                return Ok(Standby { process, data: data.to_owned(), bind });
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("the ticket does not name the scheduler that stands by")
    }

    /// Starts another scheduler with the farm's key, which draws from another secret, and waits until it
    /// says that this cannot be.
    ///
    /// # Errors
    /// It does not.
    pub fn stranger_is_refused(&self) -> Result<()> {
        fs::create_dir_all(self.path("stranger"))?;
        fs::copy(self.path(&self.data).join("key"), self.path("stranger").join("key"))?;
        let bind = SocketAddr::new(self.bind.ip(), free_port(self.bind.ip())?);
        let stranger = self.spawn_scheduler("stranger", bind)?;
        stranger.wait_for_log(|line| line.contains("another secret"))?;
        Ok(())
    }

    /// Starts a scheduler in the farm's folder, waits until it logs what `wanted` likes, and kills it.
    ///
    /// # Errors
    /// It does not.
    pub fn scheduler_says(&self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.spawn_scheduler(&self.data, self.bind)?.wait_for_log(wanted)
    }

    /// Waits until a scheduler leads that stood by, which the farm is asked and stopped through from now
    /// on; the one that led before, if it runs.
    ///
    /// # Errors
    /// It does not lead.
    pub fn follow(&mut self, to: Standby) -> Result<Option<Process>> {
        to.process.wait_for_log(|line| line.contains("the farm is open"))?;
        (self.data, self.bind) = (to.data, to.bind);
        Ok(self.scheduler.replace(to.process))
    }

    fn spawn_scheduler(&self, data: &str, bind: SocketAddr) -> Result<Process> {
        let [data, settings] =
            [data, "farm.toml"].map(|name| self.path(name).display().to_string());
        let bind = bind.to_string();
        let arguments =
            ["scheduler", "-v", "--data", &data, "--bind", &bind, "--config", &settings];
        let arguments = arguments.map(ToOwned::to_owned);
        Process::start_at(&self.home, "scheduler", self.dir.path(), &arguments)
    }

    /// Kills the scheduler as `kill -9` does.
    ///
    /// # Errors
    /// It is not running.
    pub fn kill_scheduler(&mut self) -> Result<()> {
        self.scheduler.take().context("the scheduler is not running")?.kill()
    }

    /// Stops the scheduler in order, as its operator does.
    ///
    /// # Errors
    /// It is not running, or does not end well.
    pub fn stop_scheduler(&mut self) -> Result<Outcome> {
        self.scheduler.as_ref().context("the scheduler is not running")?.stop()?;
        let outcome = self.scheduler_ends()?;
        ensure!(outcome.code == Some(0), "the scheduler does not end well:\n{outcome}");
        Ok(outcome)
    }

    /// Waits until the running scheduler says that it has opened both of its journals from snapshots.
    ///
    /// # Errors
    /// It does not.
    pub fn opened_from_snapshots(&self) -> Result<()> {
        for journal in ["/journal", "/ledger/journal"] {
            let dir = format!("{}{journal}", self.data);
            self.wait_for_log(|line| {
                line.contains("a journal is open")
                    && line.contains(&dir)
                    && line.contains("snapshot=Some(")
            })?;
        }
        Ok(())
    }

    /// Waits until the scheduler ends by itself.
    ///
    /// # Errors
    /// It is not running, or does not end.
    pub fn scheduler_ends(&mut self) -> Result<Outcome> {
        self.scheduler.take().context("the scheduler is not running")?.wait(PATIENCE)
    }

    /// Waits for a line of the running scheduler's log that `wanted` likes.
    ///
    /// # Errors
    /// It is not running, or never logs it.
    pub fn wait_for_log(&self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.scheduler.as_ref().context("the scheduler is not running")?.wait_for_log(wanted)
    }

    /// Stops the scheduler's process as a debugger does, or lets it go on.
    ///
    /// # Errors
    /// It is not running.
    pub fn freeze_scheduler(&self, frozen: bool) -> Result<()> {
        self.scheduler.as_ref().context("the scheduler is not running")?.freeze(frozen)
    }

    /// Where the scheduler listens from its next start.
    ///
    /// # Errors
    /// No port is free.
    pub fn move_scheduler(&mut self) -> Result<()> {
        self.bind.set_port(free_port(self.bind.ip())?);
        Ok(())
    }

    /// Starts a node with further arguments.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_node(&self, name: &str, arguments: &[&str]) -> Result<Process> {
        self.start_node_at(&Place::default(), name, arguments)
    }

    /// The same somewhere else.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_node_at(&self, place: &Place, name: &str, arguments: &[&str]) -> Result<Process> {
        Process::start_at(place, name, self.dir.path(), &self.node_line(place, name, arguments))
    }

    /// The same with an owner's wishes on standard input, and its events as JSON.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_steered_node(&self, name: &str, arguments: &[&str]) -> Result<Process> {
        let steered = ["--json", "--wishes-on-stdin", "--stop-on-stdin-eof"];
        let arguments = [&steered[..], arguments].concat();
        let line = self.node_line(&Place::default(), name, &arguments);
        Process::start_heeding(name, self.dir.path(), &line)
    }

    fn node_line(&self, place: &Place, name: &str, arguments: &[&str]) -> Vec<String> {
        let mut all = vec![
            "node".to_owned(),
            "--farm".to_owned(),
            self.ticket_at(place),
            "--data".to_owned(),
            self.path(name).display().to_string(),
            "--name".to_owned(),
            name.to_owned(),
            "--backend".to_owned(),
            "cpu".to_owned(),
            "--threads".to_owned(),
            "1".to_owned(),
        ];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        all
    }

    /// Submits the scene and follows the job to its picture, in the background.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn submit(&self, scene: &Path, picture: &[&str], out: &str) -> Result<Process> {
        let mut all = vec!["jobs".to_owned(), "submit".to_owned(), scene.display().to_string()];
        all.extend(picture.iter().map(|&argument| argument.to_owned()));
        let farm = self.ticket_at(&self.artist);
        let out = self.path(out).display().to_string();
        let rest =
            ["--farm", &farm, "--yes", "--max-cost", "1000", "--json", "--follow", "-o", &out];
        all.extend(rest.map(ToOwned::to_owned));
        Process::start_at(&self.artist, "submit", self.dir.path(), &all)
    }

    /// Renders the same picture on this machine alone: what the farm's must equal.
    ///
    /// # Errors
    /// The render fails.
    pub fn render_here(&self, scene: &Path, picture: &[&str], out: &str) -> Result<film::Picture> {
        let out = self.path(out);
        let mut all = vec!["render".to_owned(), scene.display().to_string()];
        all.extend(picture.iter().map(|&argument| argument.to_owned()));
        all.extend(["--backend".to_owned(), "cpu".to_owned()]);
        all.extend(["-o".to_owned(), out.display().to_string()]);
        let outcome = Process::start("render", self.dir.path(), &all)?.wait(PATIENCE)?;
        ensure!(outcome.code == Some(0), "the local render failed:\n{outcome}");
        read_picture(&out)
    }

    /// Checks a receipt as whoever was handed the file.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify_here(&self, receipt: &str) -> Result<()> {
        let line = ["verify", &self.path(receipt).display().to_string()].map(ToOwned::to_owned);
        let outcome = Process::start("verify", self.dir.path(), &line)?.wait(PATIENCE)?;
        ensure!(outcome.code == Some(0), "the receipt does not hold:\n{outcome}");
        Ok(())
    }

    /// Holds a finished picture against its receipt as whoever was handed both, and the scene: so many of
    /// its pixels are rendered here. How that ended is told by the exit code.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn verify_picture_here(
        &self,
        receipt: &str,
        scene: &Path,
        picture: &str,
        pixels: u64,
    ) -> Result<Outcome> {
        let (receipt, picture) = (self.path(receipt), self.path(picture));
        let mut line = vec!["verify".to_owned(), receipt.display().to_string()];
        line.extend(["--scene".to_owned(), scene.display().to_string()]);
        line.extend(["--picture".to_owned(), picture.display().to_string()]);
        line.extend(["--pixels".to_owned(), pixels.to_string()]);
        Process::start("verify", self.dir.path(), &line)?.wait(PATIENCE)
    }

    /// Watches a job: a JSON object a line, whenever it changes.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn watch(&self, job: &str) -> Result<Process> {
        let farm = self.ticket_at(&self.artist);
        let all = ["jobs", "watch", job, "--farm", &farm, "--json"].map(ToOwned::to_owned);
        Process::start_at(&self.artist, "watch", self.dir.path(), &all)
    }

    /// Runs a command against the farm as the artist and returns the JSON objects it printed.
    ///
    /// # Errors
    /// It fails, or prints something else.
    pub fn ask(&self, command: &[&str]) -> Result<Vec<Value>> {
        let farm = self.ticket_at(&self.artist);
        let mut all: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        all.extend(["--farm", &farm, "--json"].map(ToOwned::to_owned));
        let outcome =
            Process::start_at(&self.artist, "ask", self.dir.path(), &all)?.wait(PATIENCE)?;
        ensure!(outcome.code == Some(0), "{command:?} failed:\n{outcome}");
        outcome.objects()
    }

    /// The node of this name as the farm sees it.
    ///
    /// # Errors
    /// The farm does not know it.
    pub fn node(&self, name: &str) -> Result<Value> {
        let nodes = self.ask(&["farm"])?;
        nodes
            .into_iter()
            .find(|node| node["name"] == name)
            .with_context(|| format!("the farm knows no node {name}"))
    }

    /// CPU-seconds of the scheduler so far; none where the system does not tell.
    #[must_use]
    pub fn scheduler_cpu_s(&self) -> Option<f64> {
        self.scheduler.as_ref()?.cpu_s()
    }

    /// Memory that the scheduler holds, bytes; none where the system does not tell.
    #[must_use]
    pub fn scheduler_memory_bytes(&self) -> Option<u64> {
        self.scheduler.as_ref()?.memory_bytes()
    }

    /// Process ids of what the scheduler has started and still runs: those that render for it.
    #[must_use]
    pub fn scheduler_children(&self) -> Vec<u32> {
        self.scheduler.as_ref().map(Process::children).unwrap_or_default()
    }

    /// CPU-seconds of the scheduler by the names of its threads: those of one name together.
    #[must_use]
    pub fn scheduler_threads_cpu_s(&self) -> Vec<(String, f64)> {
        self.scheduler.as_ref().map(Process::threads_cpu_s).unwrap_or_default()
    }

    /// Waits until so many nodes have qualified.
    ///
    /// # Errors
    /// They do not.
    pub fn wait_for_nodes(&self, count: usize) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let nodes = self.ask(&["farm"])?;
            if nodes.iter().filter(|node| !node["class"].is_null()).count() >= count {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        bail!("fewer than {count} nodes have qualified")
    }

    /// Waits until the farm answers, which it may not do for a while.
    ///
    /// # Errors
    /// It never does.
    pub fn wait_for_answer(&self) -> Result<()> {
        let start = Instant::now();
        while let Err(error) = self.ask(&["farm"]) {
            ensure!(start.elapsed() < PATIENCE, "the farm does not answer: {error:#}");
        }
        Ok(())
    }

    /// Stops the scheduler and checks its ledger from the files alone.
    ///
    /// # Errors
    /// The ledger does not verify.
    pub fn check_ledger(&mut self) -> Result<LedgerCheck> {
        if let Some(scheduler) = self.scheduler.take() {
            scheduler.kill()?;
        }
        let (dir, key) = self.ledger()?;
        let check = ledger::offline::check(&dir, key, &[]);
        if !check.verified || !check.sum_is_zero {
            bail!("the ledger does not verify: {check:?}");
        }
        Ok(check)
    }

    /// Checks, in the stopped scheduler's ledger, that no unit of any job was paid for twice, and
    /// that as many were paid for as the jobs have.
    ///
    /// # Errors
    /// One was, or too few were.
    pub fn check_each_unit_paid_once(&self, units: usize) -> Result<()> {
        let (dir, key) = self.ledger()?;
        let mut lines = Vec::new();
        ledger::offline::export(&dir, key, ledger::offline::Format::Jsonl, &mut lines)?;
        let mut paid: BTreeMap<[String; 4], [u32; 2]> = BTreeMap::new();
        for line in String::from_utf8(lines)?.lines() {
            let entry: Value = serde_json::from_str(line)?;
            if entry["code"] != "pay" {
                continue;
            }
            let unit = ["job", "shot", "tile", "batch"].map(|part| entry[part].to_string());
            let [reserved, direct] = paid.entry(unit).or_default();
            match entry["phase"].as_str() {
                Some("post") => *reserved += 1,
                Some("posted") => *direct += 1,
                _ => {}
            }
        }
        // What a lease had reserved, perhaps topped up; or, where a twin took the place of a
        // refused film, one direct payment.
        paid.retain(|_unit, payments| *payments != [0, 0]);
        let twice = paid.iter().find(|(_, [reserved, direct])| *reserved > 1 || *direct > 1);
        ensure!(twice.is_none(), "paid twice: {twice:?}");
        ensure!(paid.len() == units, "{} units were paid for, the job has {units}", paid.len());
        Ok(())
    }

    fn ticket_at(&self, place: &Place) -> String {
        format!("@{}", self.path(place.ticket()).display())
    }

    fn ledger(&self) -> Result<(PathBuf, PublicKey)> {
        let dir = self.path(&self.data).join("ledger");
        let key = ledger::offline::claimed_key(&dir).context("the ledger names no key")?;
        Ok((dir, key))
    }
}

/// A port that is free now, and again after a restart. Where the address is another host's, any is.
fn free_port(address: IpAddr) -> Result<u16> {
    let any = if address.is_loopback() { address } else { Ipv4Addr::LOCALHOST.into() };
    Ok(UdpSocket::bind((any, 0))?.local_addr()?.port())
}

/// Reads a picture.
///
/// # Errors
/// It is no picture.
pub fn read_picture(path: &Path) -> Result<film::Picture> {
    film::read_exr(path).with_context(|| format!("no picture at {}", path.display()))
}
