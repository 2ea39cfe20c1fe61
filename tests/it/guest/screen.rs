//! A screen that nobody sees, and windows on it. No window manager is there: a window says itself
//! what one would say of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use farm_tests::Place;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ConnectionExt as _, CreateWindowAux, PropMode, Window as Id, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use super::with;

/// An X server without a screen.
pub struct Screen {
    server: Child,
    name: String,
}

/// A program's window, which has the keys.
pub struct Window {
    connection: RustConnection,
    id: Id,
}

impl Screen {
    /// Starts a server under a number that is free.
    pub fn start() -> Result<Self> {
        let (server, number) = serve(&[])?;
        Ok(Self { server, name: format!(":{number}") })
    }

    /// Ends the server, and starts another under the same number.
    pub fn restart(&mut self) -> Result<()> {
        self.server.kill()?;
        self.server.wait()?;
        let (server, number) = serve(&[&self.name])?;
        self.server = server;
        ensure!(self.name == format!(":{number}"), "another number: {number}");
        Ok(())
    }

    /// Where programs see it.
    pub fn place(&self) -> Place {
        with(format!("DISPLAY={}", self.name))
    }

    /// Opens the window of a program of this name.
    pub fn open(&self, program: &str) -> Result<Window> {
        let (connection, screen) = RustConnection::connect(Some(&self.name))?;
        let root = connection.setup().roots[screen].root;
        let id = connection.generate_id()?;
        let (kind, aux) = (WindowClass::INPUT_OUTPUT, CreateWindowAux::new());
        connection.create_window(0, id, root, 0, 0, 64, 64, 0, kind, 0, &aux)?.check()?;
        let class = format!("game\0{program}\0");
        let (property, text) = (AtomEnum::WM_CLASS, AtomEnum::STRING);
        connection.change_property8(PropMode::REPLACE, id, property, text, class.as_bytes())?;
        let window = Window { connection, id };
        let active = window.atom("_NET_ACTIVE_WINDOW")?;
        window.set(root, active, AtomEnum::WINDOW, &[id])?;
        Ok(window)
    }
}

fn serve(arguments: &[&str]) -> Result<(Child, u32)> {
    let mut command = Command::new("Xvfb");
    command.args(arguments).args(["-displayfd", "1", "-nolisten", "tcp"]);
    // It ends with its last client otherwise, before the next comes.
    command.args(["-noreset", "-screen", "0", "640x480x24"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = command.spawn().context("no Xvfb here")?;
    let stdout = server.stdout.take().context("no standard output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((server, line.trim().parse().context("Xvfb does not start")?))
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended; there is nobody left to tell.
        let _killed = self.server.kill();
        let _reaped = self.server.wait();
    }
}

impl Window {
    /// Fills the screen, or leaves it.
    pub fn fill(&self, fills: bool) -> Result<()> {
        let (state, full) = (self.atom("_NET_WM_STATE")?, self.atom("_NET_WM_STATE_FULLSCREEN")?);
        let states: &[u32] = if fills { &[full] } else { &[] };
        self.set(self.id, state, AtomEnum::ATOM, states)
    }

    fn atom(&self, name: &str) -> Result<u32> {
        Ok(self.connection.intern_atom(false, name.as_bytes())?.reply()?.atom)
    }

    fn set(&self, window: Id, property: u32, kind: AtomEnum, values: &[u32]) -> Result<()> {
        let mode = PropMode::REPLACE;
        self.connection.change_property32(mode, window, property, kind, values)?.check()?;
        Ok(())
    }
}
