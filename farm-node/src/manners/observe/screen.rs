//! What an X display tells: which program fills the screen, and when somebody last used a key.
//!
//! A thread of its own asks, over one connection, so that a display that hangs halts nobody; one
//! that goes away is tried again.

use std::fs;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::errors::{ConnectError, ConnectionError, ReplyError};
use x11rb::properties::WmClass;
use x11rb::protocol::screensaver::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, Window};
use x11rb::rust_connection::RustConnection;

use super::{FIRST_WORD, SLOW, STALE};

/// How often it is asked when somebody last used a key, where a rule is about it.
const IDLE_LOOK: Duration = Duration::from_millis(50);
/// Letters of a program's name that are told.
const NAME_CHARS_MAX: usize = 40;

/// What a display told last, or why it tells nothing.
pub(super) struct Screen {
    told: Arc<Mutex<Result<Told, String>>>,
}

/// What a display told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    at: Instant,
    /// The program that fills the screen.
    pub(super) full_screen: Option<String>,
    /// When somebody last used a key or the mouse; `None` where the display does not know.
    pub(super) used_at: Option<Instant>,
    /// Whether it is a Wayland desktop's display for older programs: it knows of those only.
    pub(super) of_wayland: bool,
}

impl Screen {
    /// Asks the display of this name, as in `DISPLAY`; `closely` where a rule is about keys.
    pub(super) fn begin(display: Option<String>, closely: bool) -> Self {
        let name = match display {
            Some(name) if name.starts_with(':') => name,
            Some(name) => return Self::silent(format!("{name} is another machine's display")),
            None => return Self::silent("no X display: DISPLAY is not set".to_owned()),
        };
        let screen = Self::silent(format!("the display {name} does not answer"));
        let told = Arc::downgrade(&screen.told);
        let (first, heard) = sync_channel(1);
        std::thread::spawn(move || follow(&name, closely, &told, &first));
        // It tells within this time, or not at all for now.
        let _late = heard.recv_timeout(FIRST_WORD);
        screen
    }

    fn silent(why: String) -> Self {
        Self { told: Arc::new(Mutex::new(Err(why))) }
    }

    /// What it told last; why nothing, where it is silent.
    pub(super) fn told(&self) -> Result<Told, String> {
        let told = lock(&self.told).clone()?;
        if told.at.elapsed() > STALE {
            return Err("the display hangs".to_owned());
        }
        Ok(told)
    }
}

fn lock(told: &Mutex<Result<Told, String>>) -> MutexGuard<'_, Result<Told, String>> {
    // What was told is whole after any panic.
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks until nobody listens any more.
fn follow(
    name: &str,
    closely: bool,
    listener: &Weak<Mutex<Result<Told, String>>>,
    first: &SyncSender<()>,
) {
    while listener.strong_count() > 0 {
        let ended = Display::open(name).and_then(|display| {
            let mut told = None;
            while let Some(listener) = listener.upgrade() {
                let next = display.look(told.as_ref())?;
                *lock(&listener) = Ok(next.clone());
                told = Some(next);
                drop(listener);
                let _heard = first.try_send(());
                std::thread::sleep(if closely { IDLE_LOOK } else { SLOW });
            }
            Ok(())
        });
        if let (Err(error), Some(listener)) = (ended, listener.upgrade()) {
            *lock(&listener) = Err(format!("the display {name} cannot be asked: {error}"));
        }
        let _heard = first.try_send(());
        std::thread::sleep(SLOW);
    }
}

#[derive(Debug, thiserror::Error)]
enum DisplayError {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("{0}")]
    Connection(#[from] ConnectionError),
    #[error("{0}")]
    Reply(#[from] ReplyError),
}

struct Display {
    connection: RustConnection,
    root: Window,
    active: Atom,
    state: Atom,
    full_screen: Atom,
    pid: Atom,
    knows_keys: bool,
    of_wayland: bool,
}

impl Display {
    fn open(name: &str) -> Result<Self, DisplayError> {
        let (connection, screen) = RustConnection::connect(Some(name))?;
        let root = connection.setup().roots[screen].root;
        let atom = |name: &str| -> Result<Atom, DisplayError> {
            Ok(connection.intern_atom(false, name.as_bytes())?.reply()?.atom)
        };
        let (active, state) = (atom("_NET_ACTIVE_WINDOW")?, atom("_NET_WM_STATE")?);
        let (full_screen, pid) = (atom("_NET_WM_STATE_FULLSCREEN")?, atom("_NET_WM_PID")?);
        let of_wayland = connection.query_extension(b"XWAYLAND")?.reply()?.present
            || std::env::var_os("WAYLAND_DISPLAY").is_some();
        // What is typed into other windows never reaches such a display.
        let knows_keys = !of_wayland
            && connection.extension_information(screensaver::X11_EXTENSION_NAME)?.is_some();
        Ok(Self { connection, root, active, state, full_screen, pid, knows_keys, of_wayland })
    }

    /// Asks, what changes slowly only once in a while.
    fn look(&self, before: Option<&Told>) -> Result<Told, DisplayError> {
        let now = Instant::now();
        let used_at = if self.knows_keys {
            let info = self.connection.screensaver_query_info(self.root)?.reply()?;
            let idle = Duration::from_millis(u64::from(info.ms_since_user_input));
            now.checked_sub(idle)
        } else {
            None
        };
        let (at, full_screen) = match before {
            Some(before) if now - before.at < SLOW => (before.at, before.full_screen.clone()),
            _other => (now, self.full_screen()?),
        };
        Ok(Told { at, full_screen, used_at, of_wayland: self.of_wayland })
    }

    /// The name of the program whose window has the keys and says that it fills the screen.
    fn full_screen(&self) -> Result<Option<String>, DisplayError> {
        let Some(&window) = self.numbers(self.root, self.active, AtomEnum::WINDOW)?.first() else {
            return Ok(None);
        };
        let states = self.numbers(window, self.state, AtomEnum::ATOM)?;
        if !states.contains(&self.full_screen) {
            return Ok(None);
        }
        let by_class = match WmClass::get(&self.connection, window)?.reply() {
            Ok(class) => class.map(|class| String::from_utf8_lossy(class.class()).into_owned()),
            Err(error) => gone(error, None)?,
        };
        let by_process = || -> Result<Option<String>, DisplayError> {
            let pid = self.numbers(window, self.pid, AtomEnum::CARDINAL)?;
            let comm = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
            Ok(pid.first().and_then(comm))
        };
        let named = by_class.map(|name| readable(&name)).filter(|name| !name.is_empty());
        let name = match named {
            Some(name) => name,
            None => by_process()?.map_or_else(|| "unnamed".to_owned(), |name| readable(&name)),
        };
        Ok(Some(name))
    }

    /// A property of 32-bit numbers; none where the window has no such property, or is gone.
    fn numbers(
        &self,
        window: Window,
        property: Atom,
        kind: AtomEnum,
    ) -> Result<Vec<u32>, DisplayError> {
        if window == x11rb::NONE {
            return Ok(Vec::new());
        }
        let asked = self.connection.get_property(false, window, property, kind, 0, 64)?;
        match asked.reply() {
            Ok(reply) => Ok(reply.value32().map(Iterator::collect).unwrap_or_default()),
            Err(error) => Ok(gone(error, Vec::new())?),
        }
    }
}

/// A window may be gone before it is asked; anything else is an error.
fn gone<T>(error: ReplyError, nothing: T) -> Result<T, ReplyError> {
    if matches!(error, ReplyError::X11Error(_)) { Ok(nothing) } else { Err(error) }
}

/// A name as it may be shown: a window says what it likes.
fn readable(name: &str) -> String {
    let shown = name.trim().chars().filter(|it| !it.is_control());
    shown.take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_display_of_this_machine_is_not_asked() {
        let why = |display: Option<&str>| {
            Screen::begin(display.map(ToOwned::to_owned), false).told().expect_err("nothing")
        };
        assert_eq!(why(None), "no X display: DISPLAY is not set");
        assert_eq!(why(Some("far.example:0")), "far.example:0 is another machine's display");
        let nobody = why(Some(":39998"));
        assert!(nobody.starts_with("the display :39998 cannot be asked: "), "{nobody}");
    }

    #[test]
    fn a_window_cannot_write_to_the_terminal() {
        assert_eq!(readable("\u{1b}[2Jportal2\n"), "[2Jportal2");
        assert_eq!(readable(&"x".repeat(400)).len(), NAME_CHARS_MAX);
    }
}
