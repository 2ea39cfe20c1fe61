//! The window: takes events in, draws, carries commands out.

use std::collections::VecDeque;
use std::time::Duration;

use egui::{Context, ThemePreference, Ui};
use tokio::sync::mpsc::error::TrySendError;

use crate::command::{self, Command, Commands};
use crate::desk::{Ask, Wires};
use crate::look;
use crate::screens;
use crate::state::settings::Theme;
use crate::state::stage::Surroundings;
use crate::state::{Event, Link, State};
use crate::theme;

/// Events taken in for one drawn frame: a flood must not stop the drawing.
const EVENTS_PER_FRAME: usize = 256;

/// The app.
pub struct App {
    state: State,
    wires: Wires,
    clock: fn() -> u64,
    /// Asks that found no room yet.
    unsent: VecDeque<Ask>,
    /// The theme that egui was last told.
    dressed: Theme,
}

impl App {
    /// An app that starts from `state` and talks over `wires`.
    ///
    /// `clock` gives milliseconds since 1970.
    #[must_use]
    pub fn new(
        cc: &eframe::CreationContext<'_>,
        state: State,
        wires: Wires,
        clock: fn() -> u64,
    ) -> Self {
        theme::install(&cc.egui_ctx);
        // Zoom is ours, so that it has limits and is remembered.
        cc.egui_ctx.options_mut(|options| options.zoom_with_keyboard = false);
        if let Some(render) = &cc.wgpu_render_state {
            look::install(render);
        }
        let unsent = VecDeque::new();
        let mut app = Self { state, wires, clock, unsent, dressed: Theme::System };
        app.event(Event::Now((app.clock)()));
        app
    }

    /// What the app knows.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Does what a person wants, as if a screen had asked for it.
    pub fn command(&mut self, command: Command) {
        let asks = self.state.act(command);
        self.ask(asks);
    }

    /// Takes an event in, as if a desk had sent it.
    pub fn event(&mut self, event: Event) {
        let asks = self.state.apply(event);
        self.ask(asks);
    }

    fn take_events(&mut self, ctx: &Context) {
        for _ in 0..EVENTS_PER_FRAME {
            match self.wires.events.try_recv() {
                Ok(event) => self.event(event),
                Err(_empty_or_gone) => return,
            }
        }
        ctx.request_repaint();
    }

    fn ask(&mut self, asks: Vec<Ask>) {
        self.unsent.extend(asks);
        while let Some(ask) = self.unsent.front() {
            match self.wires.asks.try_send(ask.clone()) {
                Err(TrySendError::Full(_)) => return,
                Ok(()) | Err(TrySendError::Closed(_)) => drop(self.unsent.pop_front()),
            }
        }
    }

    fn take_files(&mut self, ctx: &Context) {
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        // One scene at a time stands on the stage: of several the first that may be one.
        let paths = dropped.into_iter().filter_map(|file| file.path);
        let is_scene = |path: &std::path::PathBuf| {
            let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
            ending.is_some_and(|ending| ending == "glb" || ending == "gltf")
        };
        let mut paths: Vec<_> = paths.collect();
        let is_light = |path: &std::path::PathBuf| {
            path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("hdr"))
        };
        if self.state.stage.scene.is_some()
            && let Some(light) = paths.iter().position(is_light)
        {
            let surroundings = Surroundings::of(paths.swap_remove(light));
            self.command(Command::Surround(Some(surroundings)));
            return;
        }
        let first = paths.iter().position(is_scene).unwrap_or(0);
        if first < paths.len() {
            self.command(Command::OpenScene(paths.swap_remove(first)));
        }
    }

    fn carry_out(&mut self, command: Command, ctx: &Context) {
        match &command {
            Command::Copy(text) => ctx.copy_text(text.clone()),
            Command::ShowFolder(folder) => {
                ctx.open_url(egui::OpenUrl::new_tab(format!("file://{}", folder.display())));
            }
            _other => {}
        }
        self.command(command);
    }

    /// Theme and zoom follow the settings.
    fn dress(&mut self, ctx: &Context) {
        let wanted = match self.state.settings.theme {
            Theme::System => ThemePreference::System,
            Theme::Dark => ThemePreference::Dark,
            Theme::Light => ThemePreference::Light,
        };
        // As the system is, is also how egui begins; whoever has chosen before keeps it.
        let theme = self.state.settings.theme;
        if self.dressed != theme {
            ctx.set_theme(wanted);
            self.dressed = theme;
        }
        if (ctx.zoom_factor() - self.state.settings.zoom).abs() > 1e-3 {
            ctx.set_zoom_factor(self.state.settings.zoom);
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.event(Event::Now((self.clock)()));
        self.take_events(ctx);
        self.take_files(ctx);
        self.dress(ctx);
        if self.state.played().is_some() {
            // Twice a frame, so that none is late by much.
            let rate = self.state.rate().clamp(1.0, 240.0);
            ctx.request_repaint_after(Duration::from_secs_f32(0.5 / rate));
        }
        // Only a countdown moves by itself; an age is fine to a minute.
        let has_countdown = matches!(self.state.link, Link::Lost { .. })
            || self.state.notices.in_sight(self.state.now_ms).next().is_some();
        if has_countdown {
            ctx.request_repaint_after(Duration::from_secs(1));
        } else if self.state.heard_ms.is_some() {
            ctx.request_repaint_after(Duration::from_secs(60));
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let mut commands = Commands::new();
        command::read_keys(ui.ctx(), &self.state, &mut commands);
        screens::show(&self.state, ui, &mut commands);
        let ctx = ui.ctx().clone();
        if !commands.is_empty() {
            ctx.request_repaint();
        }
        for command in commands {
            self.carry_out(command, &ctx);
        }
    }
}
