//! `tessera-desktop`: the window.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::{Parser, ValueHint};
use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::{self, DeskConfig, autostart};
use desktop_client::state::notices::Tone;
use desktop_client::state::settings::Settings;
use desktop_client::state::{Event, State};
use transport::identity;

/// How long the end of the program may wait for what is under way.
const GOODBYE: Duration = Duration::from_secs(5);

/// The icon, for the window's frame and the task bar.
const ICON: &[u8] = include_bytes!("../../assets/icon/tessera.png");

/// Renders scenes on a farm and shows them as they come: your jobs, your balance, your nodes and
/// what they earn.
#[derive(Debug, Parser)]
#[command(name = "tessera-desktop", version)]
struct Arguments {
    /// A scene to open: .glb or .gltf
    #[arg(value_name = "SCENE", value_hint = ValueHint::FilePath)]
    scene: Option<PathBuf>,
    /// The farm's ticket, as the scheduler printed it, or @FILE that holds it; without it the farm
    /// of the last time
    #[arg(long, value_name = "TICKET|@FILE", env = "TESSERA_FARM")]
    farm: Option<String>,
    /// The program that renders previews and runs nodes and farms, of the same version; without it,
    /// tessera beside this program, or the one on the PATH
    #[arg(long, value_name = "FILE", env = "TESSERA_PROGRAM", value_hint = ValueHint::FilePath)]
    program: Option<PathBuf>,
    /// Lend this machine as soon as the farm answers, with the window minimised: what is started with
    /// a session
    #[arg(long)]
    lend: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let key_path = identity::default_path(|name| std::env::var_os(name)).ok_or_else(|| {
        anyhow!("no folder for your key; set TESSERA_HOME to a folder of your own")
    })?;
    let settings_path = key_path.with_file_name("desktop.toml");
    let (settings, problem) = match desk::settings_from(&settings_path) {
        Ok(settings) => (settings, None),
        Err(why) => (Settings::default(), Some(why)),
    };

    let icon = eframe::icon_data::from_png_bytes(ICON).context("the icon is no PNG")?;
    let viewport = egui::ViewportBuilder::default()
        .with_title("Tessera")
        .with_icon(Arc::new(icon))
        // The name of the .desktop file, by which desktops know whose window it is.
        .with_app_id("tessera-desktop")
        .with_active(!arguments.lend)
        .with_inner_size([1280.0, 800.0])
        .with_min_inner_size([960.0, 600.0]);
    let (desks, thread) = std::sync::mpsc::channel();
    let options = eframe::NativeOptions { viewport, ..Default::default() };
    let start = move |cc: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        let (wires, far_ends) = desk::wires();
        let config = DeskConfig {
            key_path,
            // What cannot be read is not written over.
            settings_path: problem.is_none().then_some(settings_path),
            program: arguments.program.or_else(desk::find_program),
            poll_interval: DeskConfig::POLL_INTERVAL,
        };
        let own_farm = settings.own_farm && arguments.farm.is_none();
        let farm = arguments.farm.map_or_else(|| settings.farm.clone(), |farm| whole(&farm));
        let ctx = cc.egui_ctx.clone();
        let thread = desk::spawn(config, far_ends, move || ctx.request_repaint())?;
        drop(desks.send(thread));
        let mut state = State::new(settings);
        state.with_session = autostart::is_on();
        if arguments.lend {
            state.lends_at_once = true;
            cc.egui_ctx.send_viewport_cmd(egui::ViewportCommand::Minimized(true));
        }
        let mut app = App::new(cc, state, wires, desk::now_ms);
        if let Some(why) = problem {
            let words = format!("Settings cannot be read and are left as they are: {why}");
            app.event(Event::Notice(Tone::Warning, words));
        }
        // A farm of one's own is connected to as soon as it is up.
        match own_farm {
            true => app.command(Command::StartOwnFarm),
            false if farm.trim().is_empty() => {}
            false => app.command(Command::Connect(farm)),
        }
        if let Some(scene) = arguments.scene {
            let whole = std::path::absolute(&scene).unwrap_or(scene);
            app.command(Command::OpenScene(whole));
        }
        Ok(Box::new(app))
    };
    let ran = eframe::run_native("Tessera", options, Box::new(start))
        .map_err(|error| anyhow!("{error}"))
        .context("the window cannot be opened; is there a display and a graphics driver?");
    // Settings are written, farms are told goodbye, and scenes under way are removed.
    if let Ok(thread) = thread.try_recv() {
        let deadline = Instant::now() + GOODBYE;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    ran
}

/// A ticket as it can be remembered: where it is a file's name, from the root.
fn whole(ticket: &str) -> String {
    match ticket.trim().strip_prefix('@') {
        None => ticket.trim().to_owned(),
        Some(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
            format!("@{}", path.display())
        }
    }
}
