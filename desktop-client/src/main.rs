//! `tessera-desktop`: the window.

use anyhow::{Context as _, anyhow};
use clap::Parser;
use desktop_client::app::App;
use desktop_client::bridge::{self, Ask, BridgeConfig};
use desktop_client::state::{Event, Link, State};
use transport::identity;

/// Shows a farm: your balance, your jobs as they render, your nodes and what they earn.
#[derive(Debug, Parser)]
#[command(name = "tessera-desktop", version)]
struct Arguments {
    /// The farm's ticket, as the scheduler printed it, or @FILE that holds it; without it the
    /// app asks.
    #[arg(long, value_name = "TICKET|@FILE", env = "TESSERA_FARM")]
    farm: Option<String>,
}

/// The ticket's text, from the argument or the file that it names.
fn ticket(argument: &str) -> anyhow::Result<String> {
    match argument.trim().strip_prefix('@') {
        None => Ok(argument.trim().to_owned()),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the ticket cannot be read: {path}"))?;
            Ok(text.trim().to_owned())
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let key_path = identity::default_path(|name| std::env::var_os(name)).ok_or_else(|| {
        anyhow!("no folder for your key; set TESSERA_HOME to a folder of your own")
    })?;

    let farm = arguments.farm.as_deref().map(ticket).transpose()?.filter(|farm| !farm.is_empty());

    let size = [1280.0, 800.0];
    let viewport = egui::ViewportBuilder::default()
        .with_title("Tessera")
        .with_app_id("tessera-desktop")
        .with_inner_size(size)
        .with_min_inner_size([960.0, 600.0]);
    let options = eframe::NativeOptions { viewport, ..Default::default() };
    let start = move |cc: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        let (wires, far_ends) = bridge::wires();
        let mut state = State::default();
        if let Some(farm) = farm {
            wires.asks.try_send(Ask::Connect(farm.clone()))?;
            state.apply(Event::Ticket(farm));
            state.apply(Event::Link(Link::Connecting));
        }
        let ctx = cc.egui_ctx.clone();
        let config = BridgeConfig { key_path, poll_interval: BridgeConfig::POLL_INTERVAL };
        bridge::spawn(config, far_ends, move || ctx.request_repaint())?;
        Ok(Box::new(App::new(&cc.egui_ctx, state, wires, bridge::now_ms)))
    };
    eframe::run_native("Tessera", options, Box::new(start))
        .map_err(|error| anyhow!("{error}"))
        .context("the window cannot be opened; is there a display and a graphics driver?")
}
