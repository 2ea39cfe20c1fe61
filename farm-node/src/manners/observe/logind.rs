//! What logind tells: that the machine is about to sleep, and what the desktop says of its user.
//!
//! A thread of its own listens on the system bus. Before a sleep it holds logind back for a
//! moment, until the node has given its leases back.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use n0_future::StreamExt as _;
use tokio::sync::Notify;
use zbus::zvariant::{OwnedFd, OwnedObjectPath};
use zbus::{Connection, Proxy, connection};

use super::{FIRST_WORD, SLOW};

const SERVICE: &str = "org.freedesktop.login1";
/// How long the machine is kept awake for the leases to be given back; logind grants five seconds.
const FAREWELL: Duration = Duration::from_secs(3);
/// A sleep that was announced and has not begun by then is none.
const ANNOUNCED: Duration = Duration::from_secs(60);
/// Wait before a bus that did not answer is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// What logind told last, or why it tells nothing.
pub(super) struct Logind {
    told: Arc<Mutex<Result<Told, String>>>,
}

/// What logind told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// When it said that the machine is about to sleep.
    sleeps_since: Option<Instant>,
    /// What the active session says.
    pub(super) user: Option<User>,
}

/// What a desktop says of its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct User {
    /// Since when nobody is there, by its own word.
    idle_since: Option<SystemTime>,
    /// Since when its screen is locked.
    locked_since: Option<SystemTime>,
}

impl User {
    /// How long nobody is there: since the screen was locked or the desktop called itself idle,
    /// whichever was first; no time at all where it says neither.
    pub(super) fn idle(&self, now: SystemTime) -> Duration {
        let since = [self.idle_since, self.locked_since].into_iter().flatten().min();
        since.and_then(|since| now.duration_since(since).ok()).unwrap_or_default()
    }
}

impl Logind {
    /// Listens on the bus of this address, the system's without one. With `ready`, a sleep waits
    /// until that is notified, or for [`FAREWELL`].
    pub(super) fn begin(address: Option<String>, ready: Option<Arc<Notify>>) -> Self {
        let told = Arc::new(Mutex::new(Err("logind does not answer".to_owned())));
        let listener = Arc::downgrade(&told);
        let (first, heard) = sync_channel(1);
        std::thread::spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_time().build() {
                Ok(runtime) => {
                    runtime.block_on(follow(address, ready, &listener, &first));
                }
                Err(error) => tracing::warn!(%error, "nobody listens to logind"),
            }
        });
        let _late = heard.recv_timeout(FIRST_WORD);
        Self { told }
    }

    /// What it told last; why nothing, where it is silent.
    pub(super) fn told(&self) -> Result<Told, String> {
        lock(&self.told).clone()
    }
}

impl Told {
    /// Whether the machine is about to sleep.
    pub(super) fn sleeps(&self) -> bool {
        self.sleeps_since.is_some_and(|since| since.elapsed() < ANNOUNCED)
    }
}

fn lock(told: &Mutex<Result<Told, String>>) -> MutexGuard<'_, Result<Told, String>> {
    // What was told is whole after any panic.
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens until nobody wants to know any more.
async fn follow(
    address: Option<String>,
    ready: Option<Arc<Notify>>,
    listener: &Weak<Mutex<Result<Told, String>>>,
    first: &SyncSender<()>,
) {
    while listener.strong_count() > 0 {
        let ended = listen(address.as_deref(), ready.as_deref(), listener, first).await;
        if let (Err(error), Some(listener)) = (ended, listener.upgrade()) {
            *lock(&listener) = Err(format!("logind cannot be asked: {error}"));
        }
        let _heard = first.try_send(());
        let again = tokio::time::Instant::now() + RETRY;
        while listener.strong_count() > 0 && tokio::time::Instant::now() < again {
            tokio::time::sleep(SLOW).await;
        }
    }
}

async fn listen(
    address: Option<&str>,
    ready: Option<&Notify>,
    listener: &Weak<Mutex<Result<Told, String>>>,
    first: &SyncSender<()>,
) -> zbus::Result<()> {
    let builder = match address {
        Some(address) => connection::Builder::address(address)?,
        None => connection::Builder::system()?,
    };
    let bus = builder.method_timeout(FAREWELL).build().await?;
    let of =
        |path: &'static str, interface: &'static str| Proxy::new(&bus, SERVICE, path, interface);
    let manager = of("/org/freedesktop/login1", "org.freedesktop.login1.Manager").await?;
    let seat = of("/org/freedesktop/login1/seat/seat0", "org.freedesktop.login1.Seat").await?;
    let mut sleeps = manager.receive_signal("PrepareForSleep").await?;
    let mut brake = brake(&manager, ready).await;
    let mut sessions = Sessions::default();
    let mut told = Told::default();
    let mut ticks = tokio::time::interval(SLOW);
    loop {
        tokio::select! {
            signal = sleeps.next() => {
                let Some(signal) = signal else { return Ok(()) };
                let sleeps: bool = signal.body().deserialize()?;
                told.sleeps_since = sleeps.then(Instant::now);
                if let Some(ready) = ready {
                    // What was said of an earlier sleep counts for nothing.
                    let _stale = tokio::time::timeout(Duration::ZERO, ready.notified()).await;
                }
                if !tell(listener, &told) {
                    return Ok(());
                }
                match (sleeps, ready) {
                    (true, Some(ready)) => {
                        // Late or not, the machine sleeps.
                        let _late = tokio::time::timeout(FAREWELL, ready.notified()).await;
                        brake = None;
                    }
                    (false, _) if brake.is_none() => brake = self::brake(&manager, ready).await,
                    _other => {}
                }
            }
            _now = ticks.tick() => {
                told.user = sessions.user(&bus, &seat).await;
                if !tell(listener, &told) {
                    return Ok(());
                }
                let _heard = first.try_send(());
            }
        }
    }
}

/// Tells; false where nobody listens any more.
fn tell(listener: &Weak<Mutex<Result<Told, String>>>, told: &Told) -> bool {
    let listener = listener.upgrade();
    if let Some(listener) = &listener {
        *lock(listener) = Ok(told.clone());
    }
    listener.is_some()
}

/// What keeps the machine awake for a moment when it is about to sleep; closing it lets go.
async fn brake(manager: &Proxy<'_>, ready: Option<&Notify>) -> Option<OwnedFd> {
    ready?;
    let why = ("sleep", "Tessera", "The node gives its leases back", "delay");
    let granted = manager.call("Inhibit", &why).await;
    granted.inspect_err(|error| tracing::debug!(%error, "no word before a sleep")).ok()
}

/// The session before the screen. What it says is kept by the library and changed by signals: no
/// question is asked twice.
#[derive(Default)]
struct Sessions {
    active: Option<(OwnedObjectPath, Proxy<'static>)>,
    user: User,
}

impl Sessions {
    async fn user(&mut self, bus: &Connection, seat: &Proxy<'_>) -> Option<User> {
        let active = seat.get_property::<(String, OwnedObjectPath)>("ActiveSession").await;
        // Nobody is logged in at the screen, or there is none.
        let (_id, path) = active.ok().filter(|(id, _path)| !id.is_empty())?;
        if self.active.as_ref().is_none_or(|(known, _proxy)| *known != path) {
            let interface = "org.freedesktop.login1.Session";
            let proxy = Proxy::new_owned(bus.clone(), SERVICE, path.clone(), interface).await;
            self.active = Some((path, proxy.ok()?));
            self.user = User::default();
        }
        let (_path, session) = self.active.as_ref()?;
        let idle: bool = session.get_property("IdleHint").await.ok()?;
        let since_us: u64 = session.get_property("IdleSinceHint").await.unwrap_or_default();
        let locked: bool = session.get_property("LockedHint").await.unwrap_or_default();
        let now = SystemTime::now();
        let idle_since = idle.then(|| UNIX_EPOCH + Duration::from_micros(since_us));
        let locked_since = locked.then(|| self.user.locked_since.unwrap_or(now));
        self.user = User { idle_since, locked_since };
        Some(self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_away_since_the_first_sign_of_it() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let at = |s| Some(UNIX_EPOCH + Duration::from_secs(s));
        let check = |idle_since, locked_since, expected_s| {
            let idle = User { idle_since, locked_since }.idle(now);
            assert_eq!(idle, Duration::from_secs(expected_s));
        };
        check(None, None, 0);
        check(at(900), None, 100);
        check(None, at(700), 300);
        check(at(900), at(700), 300);
        // A clock that was set back.
        check(at(2000), None, 0);
    }

    #[test]
    fn a_bus_that_is_not_there_is_no_word() {
        let logind = Logind::begin(Some("unix:path=/nowhere/at/all".to_owned()), None);
        let why = logind.told().expect_err("nobody there");
        assert!(why.starts_with("logind cannot be asked: "), "{why}");
    }
}
