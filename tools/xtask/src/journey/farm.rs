//! A farm of real processes, and the app before it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::screen::{Screen, wait};

/// How long a farm may take to open and to judge its nodes' first pictures.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long a process may take to stop before it is killed.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Pay is not held long where nobody waits for an appeal.
const CONFIG: &str = "[policy]\nhold_ms = 500\n";

/// A process that ends with it.
pub struct Member {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Member {
    /// Starts a program; what it says goes to a log in `folder`.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let log = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    /// # Errors
    /// It has ended.
    pub fn check(&mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "a process has ended; its log says why");
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Members of a farm end with their input; a window does not.
        let is_polite = self.stdin.take().is_some();
        let deadline = Instant::now() + if is_polite { STOP_MAX } else { Duration::ZERO };
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The folder of a walk, its farm, and what it is walked with.
pub struct Farm {
    // Nodes stop before their scheduler does.
    _nodes: Vec<Member>,
    _scheduler: Member,
    tessera: PathBuf,
    desktop: PathBuf,
    folder: PathBuf,
}

impl Farm {
    /// Starts a scheduler and nodes in an empty `folder`, and waits until all may work.
    pub fn start(programs: &Path, folder: &Path, nodes: &[&str]) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        let home = folder.join("home");
        std::fs::create_dir_all(&home)
            .with_context(|| format!("cannot make {}", home.display()))?;
        // As it is for whoever has said nothing, but the same whatever the system says.
        std::fs::write(home.join("desktop.toml"), "theme = \"dark\"\n")?;
        std::fs::write(folder.join("farm.toml"), CONFIG)?;
        let suffix = std::env::consts::EXE_SUFFIX;
        let tessera = programs.join(format!("tessera{suffix}"));
        let desktop = programs.join(format!("tessera-desktop{suffix}"));
        let mut scheduler = Command::new(&tessera);
        scheduler.args(["scheduler", "--stop-on-stdin-eof", "--bind", "127.0.0.1:0"]);
        scheduler.arg("--data").arg(folder.join("farm"));
        scheduler.arg("--config").arg(folder.join("farm.toml"));
        let mut scheduler = Member::start("scheduler", &mut scheduler, folder)?;
        let ticket = folder.join("farm/ticket");
        wait("the farm's ticket", READY_MAX, || {
            scheduler.check()?;
            Ok(ticket.is_file().then_some(()))
        })?;
        let mut started = Vec::new();
        for name in nodes {
            let mut node = Command::new(&tessera);
            node.args(["node", "--stop-on-stdin-eof", "--backend", "cpu", "--threads", "1"]);
            node.args(["--name", name, "--farm"]).arg(format!("@{}", ticket.display()));
            node.arg("--data").arg(folder.join(name));
            started.push(Member::start(name, &mut node, folder)?);
        }
        let farm = Self {
            _nodes: started,
            _scheduler: scheduler,
            tessera,
            desktop,
            folder: folder.to_owned(),
        };
        wait("the nodes to be judged", READY_MAX, || {
            let fit = farm.told(&["farm"])?.into_iter().filter(|node| !node["class"].is_null());
            Ok((fit.count() == nodes.len()).then_some(()))
        })?;
        Ok(farm)
    }

    /// Where everything lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `tessera` for the person of the walk.
    pub fn tessera(&self) -> Command {
        let mut command = Command::new(&self.tessera);
        command.env("TESSERA_HOME", self.folder.join("home")).current_dir(&self.folder);
        command
    }

    /// What `tessera … --farm --json` tells, an object a line.
    pub fn told(&self, words: &[&str]) -> Result<Vec<Value>> {
        let output = self
            .tessera()
            .args(words)
            .args(["--farm", "@farm/ticket", "--json"])
            .output()
            .context("tessera cannot be started")?;
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tessera {words:?}: {why}");
        let lines = String::from_utf8(output.stdout)?;
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// The jobs of the walk, the newest first.
    pub fn jobs(&self) -> Result<Vec<Value>> {
        self.told(&["jobs", "list"])
    }

    /// Opens the app with a scene on the screen.
    pub fn open_app(&self, scene: &Path, screen: &Screen) -> Result<Member> {
        let mut app = Command::new(&self.desktop);
        app.arg(scene).args(["--farm", "@farm/ticket"]).arg("--program").arg(&self.tessera);
        app.current_dir(&self.folder);
        app.env("TESSERA_HOME", self.folder.join("home")).env("DISPLAY", screen.display());
        // Only this display; and Mesa's Vulkan looks for no desktop.
        app.env_remove("WAYLAND_DISPLAY").env("WGPU_BACKEND", "vulkan").env("NODEVICE_SELECT", "1");
        let mut app = Member::start("app", &mut app, &self.folder)?;
        app.stdin = None;
        screen.enter("Tessera")?;
        app.check()?;
        Ok(app)
    }
}
