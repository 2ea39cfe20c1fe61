//! A bus on which somebody plays logind.

use std::io::{BufRead as _, BufReader, PipeReader, Read as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use farm_tests::{PATIENCE, Place};
use tokio::runtime::Runtime;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{self, OwnedObjectPath};
use zbus::{connection, interface};

use super::with;

const MANAGER: &str = "/org/freedesktop/login1";
const SEAT: &str = "/org/freedesktop/login1/seat/seat0";
const SESSION: &str = "/org/freedesktop/login1/session/_31";

/// What whoever holds the machine back keeps open.
type Held = Arc<Mutex<Option<PipeReader>>>;

/// A bus daemon, and logind on it.
pub struct Bus {
    daemon: Child,
    address: String,
    logind: zbus::Connection,
    runtime: Runtime,
    held: Held,
}

struct Manager {
    held: Held,
}

#[interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn inhibit(
        &self,
        what: &str,
        _who: &str,
        why: &str,
        mode: &str,
    ) -> zbus::fdo::Result<zvariant::OwnedFd> {
        if (what, mode) != ("sleep", "delay") || why.is_empty() {
            return Err(zbus::fdo::Error::InvalidArgs(format!("{what} {mode}: {why}")));
        }
        let failed = |error: std::io::Error| zbus::fdo::Error::Failed(error.to_string());
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(OwnedFd::from(writer).into())
    }

    #[zbus(signal)]
    async fn prepare_for_sleep(emitter: &SignalEmitter<'_>, start: bool) -> zbus::Result<()>;
}

struct Seat;

#[interface(name = "org.freedesktop.login1.Seat")]
impl Seat {
    #[zbus(property)]
    fn active_session(&self) -> (String, OwnedObjectPath) {
        let path = OwnedObjectPath::try_from(SESSION).expect("a path");
        ("1".to_owned(), path)
    }
}

#[derive(Default)]
struct Session {
    idle_since_us: Option<u64>,
}

#[interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property)]
    fn idle_hint(&self) -> bool {
        self.idle_since_us.is_some()
    }

    #[zbus(property)]
    fn idle_since_hint(&self) -> u64 {
        self.idle_since_us.unwrap_or_default()
    }

    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        false
    }
}

impl Bus {
    /// Starts a bus and logind.
    pub fn start() -> Result<Self> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut daemon = command.spawn().context("no dbus-daemon here")?;
        let stdout = daemon.stdout.take().context("no standard output")?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        let address = address.trim().to_owned();
        ensure!(!address.is_empty(), "the bus does not start");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let held = Held::default();
        let manager = Manager { held: held.clone() };
        let logind = runtime.block_on(async {
            let builder = connection::Builder::address(address.as_str())?;
            let builder = builder.serve_at(MANAGER, manager)?.serve_at(SEAT, Seat)?;
            let builder = builder.serve_at(SESSION, Session::default())?;
            builder.name("org.freedesktop.login1")?.build().await
        })?;
        Ok(Self { daemon, address, logind, runtime, held })
    }

    /// Where programs take it for the system's.
    pub fn place(&self) -> Place {
        with(format!("DBUS_SYSTEM_BUS_ADDRESS={}", self.address))
    }

    /// The desktop says that nobody has been there for an hour.
    pub fn user_is_away(&self) -> Result<()> {
        let hour_ago = SystemTime::now().duration_since(UNIX_EPOCH)? - Duration::from_secs(3600);
        let idle_since_us = Some(u64::try_from(hour_ago.as_micros())?);
        let server = self.logind.object_server();
        let session = self.runtime.block_on(server.interface::<_, Session>(SESSION))?;
        self.runtime.block_on(async {
            let mut session = session.get_mut().await;
            session.idle_since_us = idle_since_us;
        });
        Ok(())
    }

    /// Says that the machine is about to sleep, or that it woke.
    pub fn announce_sleep(&self, begins: bool) -> Result<()> {
        let emitter = SignalEmitter::new(&self.logind, MANAGER)?;
        Ok(self.runtime.block_on(Manager::prepare_for_sleep(&emitter, begins))?)
    }

    /// Waits until somebody holds the machine back.
    pub fn held_back(&self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.held.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("nobody asked for a word before a sleep")
    }

    /// Waits until the machine is let go.
    pub fn let_go(&self) -> Result<()> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last of those who can write to it has closed it.
        held.context("nobody holds the machine back")?.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // It may have ended; there is nobody left to tell.
        let _killed = self.daemon.kill();
        let _reaped = self.daemon.wait();
    }
}
