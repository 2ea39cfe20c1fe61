//! The window: takes events in, draws, carries commands out.

use std::time::Duration;

use egui::{Context, Ui};
use protocol::view::JobSummary;
use protocol::{JobId, ShotIndex};
use tokio::sync::mpsc::error::TrySendError;

use crate::bridge::{Ask, Wires};
use crate::command::{self, Command, Commands, DOOR_KEYS};
use crate::screens;
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
    unsent: Vec<Ask>,
}

impl App {
    /// An app that starts from `state` and talks over `wires`.
    ///
    /// `clock` gives milliseconds since 1970.
    #[must_use]
    pub fn new(ctx: &Context, state: State, wires: Wires, clock: fn() -> u64) -> Self {
        theme::install(ctx);
        let mut app = Self { state, wires, clock, unsent: Vec::new() };
        app.state.apply(Event::Now((app.clock)()));
        app
    }

    /// What the app knows.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    fn take_events(&mut self, ctx: &Context) {
        for _ in 0..EVENTS_PER_FRAME {
            match self.wires.events.try_recv() {
                Ok(event) => self.state.apply(event),
                Err(_empty_or_gone) => return self.watch_something(),
            }
        }
        ctx.request_repaint();
    }

    /// Before a person has chosen, the newest job is looked at.
    fn watch_something(&mut self) {
        let newest = self.state.jobs.as_ref().and_then(|jobs| jobs.first());
        if self.state.selected.is_none()
            && let Some(newest) = newest
        {
            self.watch(newest.job, ShotIndex::default());
        }
    }

    fn watch(&mut self, job: JobId, shot: ShotIndex) {
        let before = self.state.live.as_ref().map(|live| (live.job, live.shot));
        self.state.apply(Event::Selected { job, shot });
        if before != Some((job, shot)) {
            self.ask(Ask::Watch { job, shot });
        }
    }

    fn ask(&mut self, ask: Ask) {
        self.unsent.push(ask);
        self.send_asks();
    }

    fn send_asks(&mut self) {
        while let Some(ask) = self.unsent.first() {
            match self.wires.asks.try_send(ask.clone()) {
                Err(TrySendError::Full(_)) => return,
                Ok(()) | Err(TrySendError::Closed(_)) => drop(self.unsent.remove(0)),
            }
        }
    }

    fn carry_out(&mut self, command: Command, ctx: &Context) {
        match command {
            Command::Open(door) => self.state.apply(Event::Opened(door)),
            Command::Connect(ticket) => {
                let ticket = ticket.trim().to_owned();
                self.state.apply(Event::Ticket(ticket.clone()));
                self.state.apply(Event::Link(Link::Connecting));
                self.ask(Ask::Connect(ticket));
            }
            Command::RetryNow => self.ask(Ask::RetryNow),
            Command::Watch { job, shot } => self.watch(job, shot),
            Command::Statement(account) => self.ask(Ask::Statement(account)),
            Command::Copy(text) => ctx.copy_text(text),
            Command::NextJob => self.step(1),
            Command::PreviousJob => self.step(-1),
        }
    }

    /// Looks at the job `by` rows further down the list.
    fn step(&mut self, by: isize) {
        let jobs: &[JobSummary] = self.state.jobs.as_deref().unwrap_or_default();
        let here = jobs.iter().position(|job| Some(job.job) == self.state.selected);
        let there = here.and_then(|here| here.checked_add_signed(by)).or(Some(0));
        if let Some(next) = there.and_then(|there| jobs.get(there)) {
            let job = next.job;
            self.watch(job, ShotIndex::default());
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.state.apply(Event::Now((self.clock)()));
        self.take_events(ctx);
        self.send_asks();
        // Only a countdown moves by itself; an age is fine to a minute.
        if matches!(self.state.link, Link::Lost { .. }) {
            ctx.request_repaint_after(Duration::from_secs(1));
        } else if self.state.heard_ms.is_some() {
            ctx.request_repaint_after(Duration::from_secs(60));
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let mut commands = Commands::new();
        command::read_keys(ui.ctx(), &mut commands);
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

const _: () = assert!(DOOR_KEYS.len() == 5, "five doors, five keys");
