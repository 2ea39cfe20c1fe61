//! The desktop app against a farm of real processes, by what a person sees and presses.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::{self, DeskConfig};
use desktop_client::state::node::{Doing, Run};
use desktop_client::state::settings::Settings;
use desktop_client::state::verify::{Part, Standing};
use desktop_client::state::{Link, Pane, State};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use farm_node::Hold;
use farm_tests::{Farm, PATIENCE};
use protocol::view::JobStatus;

use crate::{IMPATIENT, scene};

/// The app of a new person, with its window drawn nowhere.
struct Desktop {
    harness: Harness<'static, App>,
    home: PathBuf,
}

impl Desktop {
    fn open(farm: &Farm, name: &str) -> Result<Self> {
        Self::at(farm.path(name))
    }

    fn at(home: PathBuf) -> Result<Self> {
        let (wires, ends) = desk::wires();
        let config = DeskConfig {
            key_path: home.join("key"),
            settings_path: Some(home.join("desktop.toml")),
            program: Some(farm_tests::tessera().to_owned()),
            poll_interval: Duration::from_millis(200),
        };
        let settings = desk::settings_from(&home.join("desktop.toml"));
        let settings: Settings = settings.map_err(anyhow::Error::msg)?;
        let farm_of_last_time = settings.farm.clone();
        desk::spawn(config, ends, || ())?;
        let mut harness = Harness::builder()
            .with_size([1280.0, 800.0])
            .with_max_steps(12)
            .build_eframe(|cc| App::new(cc, State::new(settings), wires, desk::now_ms));
        if !farm_of_last_time.is_empty() {
            harness.state_mut().command(Command::Connect(farm_of_last_time));
        }
        Ok(Self { harness, home })
    }

    fn state(&self) -> &State {
        self.harness.state().state()
    }

    /// Draws frames until it is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&State) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self.state()) {
            ensure!(Instant::now() < deadline, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(20));
            self.harness.run_steps(1);
        }
        self.harness.run_steps(2);
        Ok(())
    }

    fn press(&mut self, words: &str) {
        self.harness.get_by_role_and_label(egui::accesskit::Role::Button, words).click();
        self.harness.run_steps(3);
    }

    fn does(&mut self, command: Command) {
        self.harness.state_mut().command(command);
        self.harness.run_steps(2);
    }
}

/// From an empty home to two files: a ticket, a dropped scene, a walk around it, a price, an order,
/// its tiles, a pause, the picture. The EXR is, to the bit, what a render here gives.
#[test]
fn an_artist_drops_a_scene_and_saves_its_picture() -> Result<()> {
    let farm = Farm::start(IMPATIENT)?;
    let node = farm.start_node("one", &[])?;
    farm.wait_for_nodes(1)?;
    let mut app = Desktop::open(&farm, "artist")?;
    app.until("the key is read", |state| state.identity.is_some())?;
    app.does(Command::Connect(format!("@{}", farm.path("ticket").display())));
    app.until("the farm answers", |state| {
        state.link == Link::Connected && state.book.wallet.get().is_some()
    })?;

    app.harness.input_mut().dropped_files =
        vec![egui::DroppedFile { path: Some(scene()), ..Default::default() }];
    app.harness.run_steps(2);
    app.until("the scene is read", |state| state.stage.scene.is_some())?;
    let mut draft = app.state().draft.clone();
    draft.size = protocol::Size::new(192, 128);
    (draft.samples, draft.noise, draft.bounces, draft.progressive) = (32, None, 8, false);
    app.does(Command::SetDraft(Box::new(draft)));
    let is_seen =
        |state: &State| state.stage.scene.as_ref().is_some_and(|scene| scene.preview.samples == 32);
    app.until("all samples of the preview are there", is_seen)?;

    // The preview of these very settings is the picture that a render here gives, in half floats.
    let options = ["--size", "192x128", "--spp", "32"];
    let ours = farm.render_here(&scene(), &options, "here.exr")?;
    let seen = app.state().stage.scene.as_ref().context("a scene")?.preview.picture.clone();
    for (index, rgb) in ours.beauty.iter().enumerate() {
        let (x, y) = (index as u32 % 192, index as u32 / 192);
        let seen = seen.light(x, y).context("it is whole")?;
        let is_near = seen.iter().zip(rgb).all(|(a, b)| (a - b).abs() <= b.abs() * 1e-3 + 1e-7);
        ensure!(is_near, "({x}, {y}): {seen:?} is not {rgb:?}");
    }

    app.press("Get a firm price");
    app.until("there is a price", State::price_holds)?;
    let price = app.state().checkout.firm.as_ref().context("a price")?.quote.price;
    let before = app.state().book.wallet.get().context("a wallet")?.balance;
    ensure!(!price.is_zero() && price < before, "{price} of {before}");
    app.press("Submit render");
    app.until("the job is watched", |state| state.pane == Pane::Job && state.live.is_some())?;
    let job = app.state().selected.context("a job")?;
    let is_done =
        |state: &State| state.book.job(job).is_some_and(|it| it.status == JobStatus::Done);
    app.until("it is done", is_done)?;
    app.until("every film is here", |state| {
        state.live.as_ref().is_some_and(desktop_client::state::live::Live::is_whole)
    })?;
    let summary = app.state().book.job(job).context("a row")?;
    assert_eq!(summary.price, price, "what was on the button");

    // The scene is on the stage: every part is checked here, and what nobody but the farm says is
    // that there is one ledger.
    app.press("Verify this frame");
    let is_over = |state: &State| state.verification().is_some_and(|it| it.doing.is_none());
    app.until("it is verified", is_over)?;
    let found = app.state().verification().context("a verification")?.clone();
    ensure!(found.cut_short.is_none(), "{:?}", found.cut_short);
    for line in &found.lines {
        let wanted = match line.part {
            Part::Ledger => Standing::Unchecked,
            _other => Standing::Holds,
        };
        ensure!(line.standing == wanted, "{line:?}");
    }
    let all = [
        Part::Order,
        Part::Films,
        Part::Whole,
        Part::Payments,
        Part::Ledger,
        Part::Pixels,
        Part::Screen,
    ];
    assert_eq!(found.lines.iter().map(|line| line.part).collect::<Vec<_>>(), all);
    ensure!(found.lines[5].words.starts_with("64 random pixels"), "{}", found.lines[5].words);
    app.does(Command::Sheet(None));

    app.press("Save…");
    let folder = farm.path("saved");
    let Some(desktop_client::state::sheet::Sheet::Save(mut sheet)) = app.state().sheet.clone()
    else {
        anyhow::bail!("no sheet to save");
    };
    sheet.folder = folder.display().to_string();
    app.does(Command::Save(Box::new(sheet)));
    app.until("it is saved", |state| !state.is_saving)?;
    let theirs = farm_tests::read_picture(&folder.join("spheres.exr"))?;
    let share = film::compare::bit_equal_share(&ours, &theirs)?;
    ensure!(share >= 1.0, "only {share} of the pixels are those of a local render");
    ensure!(folder.join("spheres.png").is_file(), "the PNG is missing");
    let said = film::read_exr_metadata(&folder.join("spheres.exr"))?;
    assert_eq!(said.job, Some(job));
    drop(node);

    // Without the scene nobody renders pixels again, and it is said so.
    app.does(Command::CloseScene);
    app.does(Command::VerifyAgain { pixels: 8 });
    app.until("it is verified without the scene", is_over)?;
    let found = app.state().verification().context("a verification")?;
    let last = found.lines.last().context("a line")?;
    assert_eq!((last.part, last.standing), (Part::Pixels, Standing::Unchecked));
    ensure!(last.words.starts_with("The scene is not at hand"), "{}", last.words);

    // The next start needs no word: the same farm, the same wallet, the same jobs.
    let home = app.home.clone();
    drop(app);
    let mut again =
        Desktop::open(&farm, home.file_name().context("a name")?.to_str().context("utf8")?)?;
    again.until("the farm is found again", |state| !state.book.job_list().is_empty())?;
    assert_eq!(again.state().book.job_list()[0].job, job);
    Ok(())
}

/// A job of which nothing is rendered yet is paused, let go on, and stopped; what comes back is what
/// was said before.
#[test]
fn a_job_is_steered_from_the_window() -> Result<()> {
    let farm = Farm::start(IMPATIENT)?;
    let mut app = Desktop::open(&farm, "artist")?;
    app.until("the key is read", |state| state.identity.is_some())?;
    app.does(Command::Connect(farm.ticket()?.to_string()));
    app.until("the farm answers", |state| state.book.wallet.get().is_some())?;
    app.does(Command::OpenScene(scene()));
    app.until("the scene is read", |state| state.stage.scene.is_some())?;
    let mut draft = app.state().draft.clone();
    draft.size = protocol::Size::new(96, 64);
    draft.samples = 16;
    app.does(Command::SetDraft(Box::new(draft)));
    app.press("Get a firm price");
    app.until("there is a price", State::price_holds)?;
    let before = app.state().book.wallet.get().context("a wallet")?.balance;
    app.press("Submit render");
    app.until("the job is listed", |state| state.selected_job().is_some())?;
    let status = |state: &State| state.selected_job().map(|job| job.status);
    app.press("Pause");
    app.until("it is paused", |state| status(state) == Some(JobStatus::Paused))?;
    app.press("Resume");
    app.until("it goes on", |state| status(state) == Some(JobStatus::Waiting))?;
    app.press("Stop…");
    app.press("Stop render");
    app.until("it is over", |state| status(state).is_some_and(JobStatus::is_over))?;
    app.until("all of the price is back", |state| {
        state.book.wallet.get().is_some_and(|wallet| wallet.balance == before)
    })
}

/// From an empty home to a picture without anybody else: a farm of one's own, whose node is this
/// machine; what it renders costs nothing. The node rests when it is told to, is started again where
/// it is killed, and ends with the window.
#[cfg(target_os = "linux")]
#[test]
fn a_farm_of_ones_own_renders_for_its_owner() -> Result<()> {
    let mut app = Desktop::at(tempfile::tempdir()?.keep())?;
    app.until("the key is read", |state| state.identity.is_some())?;
    app.press("Jobs");
    app.press("Start a farm on this machine");
    app.until("the farm is up", |state| state.link == Link::Connected)?;
    app.until("the node is up", |state| {
        state.node.run == Run::Up && state.node.is_connected && state.book.is_free()
    })?;
    app.does(Command::OpenScene(scene()));
    app.until("the scene is read", |state| state.stage.scene.is_some())?;
    let mut draft = app.state().draft.clone();
    draft.size = protocol::Size::new(96, 64);
    (draft.samples, draft.noise) = (16, None);
    app.does(Command::SetDraft(Box::new(draft)));
    // One press: the price is asked for, is nothing, and the order follows.
    app.press("Submit render");
    app.until("the picture is done", |state| {
        state.selected_job().is_some_and(|job| job.status == JobStatus::Done)
    })?;
    app.until("the node knows", |state| state.node.accepted > 0)?;

    app.does(Command::PauseNode(Hold::AfterThisTile));
    app.until("it rests", |state| matches!(state.node.doing, Doing::Paused { .. }))?;
    app.does(Command::ResumeNode);
    app.until("it goes on", |state| state.node.doing == Doing::Waiting)?;
    let node = pid_of(&app.home.join("node"))?;
    kill(node)?;
    app.until("its end is seen", |state| state.node.restarts == 1)?;
    app.until("it is up again", |state| state.node.is_connected)?;
    let (node, farm) = (pid_of(&app.home.join("node"))?, pid_of(&app.home.join("farm"))?);
    let home = app.home.clone();
    drop(app);
    let deadline = Instant::now() + PATIENCE;
    while runs(node) || runs(farm) {
        ensure!(Instant::now() < deadline, "a process outlives the window");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(std::fs::remove_dir_all(home)?)
}

/// The process that keeps its things in a folder, by its command line.
#[cfg(target_os = "linux")]
fn pid_of(folder: &std::path::Path) -> Result<u32> {
    let folder = folder.display().to_string();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        if words.any(|word| word == folder.as_bytes()) {
            return Ok(pid);
        }
    }
    anyhow::bail!("no process keeps its things in {folder}")
}

#[cfg(target_os = "linux")]
fn kill(pid: u32) -> Result<()> {
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status()?;
    ensure!(killed.success(), "process {pid} cannot be killed");
    Ok(())
}

#[cfg(target_os = "linux")]
fn runs(pid: u32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    !line.is_empty()
}
