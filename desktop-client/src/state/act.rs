//! What becomes of a person's commands.

use protocol::view::JobStatus;
use protocol::{JobId, ShotIndex, Steering};

use super::jobs::{Deed, Jobs, Wish};
use super::sheet::{SaveSheet, Sheet};
use super::stage::Trouble;
use super::{Link, Pane, State, Steered, crop, settings, verify};
use crate::command::Command;
use crate::desk::Ask;
use crate::state::Door;

/// Rows of the wallet that come more at a press.
const OLDER_ROWS: u64 = 400;

impl State {
    /// Does what a person wants; returns what is to be asked of the desks for it.
    ///
    /// What only the window can do (the clipboard) is left to it.
    pub fn act(&mut self, command: Command) -> Vec<Ask> {
        let mut asks = Vec::new();
        let (saw_stage, saw_nodes) = (self.sees_stage(), self.door == Door::MyNode);
        self.obey(command, &mut asks);
        if !self.sees_stage() {
            self.stage.is_cropping = false;
        }
        // What nobody looks at is not rendered, and not told.
        match (saw_stage, self.sees_stage()) {
            (true, false) => asks.push(Ask::LookAway),
            (false, true) => {
                self.asked_look = None;
                self.look_again(&mut asks);
            }
            _same => {}
        }
        if saw_nodes != (self.door == Door::MyNode) {
            self.tell_node(&mut asks);
        }
        asks
    }

    /// Whether the scene on the stage is what one sees.
    #[must_use]
    pub fn sees_stage(&self) -> bool {
        self.door == Door::Render && self.stage.scene.is_some() && self.shows_stage()
    }

    /// Whether the selected job is what one sees.
    #[must_use]
    pub fn sees_job(&self) -> bool {
        self.door == Door::Render && self.selected.is_some() && !self.shows_stage()
    }

    /// Whether the Render door shows the stage: also where there is neither scene nor job.
    #[must_use]
    pub fn shows_stage(&self) -> bool {
        let has_scene = self.stage.scene.is_some() || self.stage.opening.is_some();
        match (has_scene, self.selected.is_some()) {
            (true, true) => self.pane == Pane::Stage,
            (has_scene, has_job) => has_scene || !has_job,
        }
    }

    fn obey(&mut self, command: Command, asks: &mut Vec<Ask>) {
        match command {
            Command::Open(door) => self.open(door, asks),
            Command::Show(pane) => {
                self.open(Door::Render, asks);
                self.pane = pane;
            }
            Command::Sheet(sheet) => {
                if sheet == Some(Sheet::Notices) {
                    self.notices.read_all();
                }
                if sheet == Some(Sheet::Blocks) {
                    self.ask_for_blocks(asks);
                }
                self.sheet = sheet;
            }
            Command::Connect(ticket) => self.connect(ticket.trim(), asks),
            Command::RetryNow => asks.push(Ask::RetryNow),
            Command::Refresh => asks.push(Ask::Refresh),
            Command::Statement(account) => {
                self.book.statement.ask();
                asks.push(Ask::Statement(account, super::book::STATEMENT_ROWS));
            }
            Command::OlderEntries => {
                let Some(page) = self.book.statement.get() else { return };
                let rows = page.rows.len() as u64 + OLDER_ROWS;
                asks.push(Ask::Statement(page.account, rows));
            }
            Command::Wallet(act) => {
                self.sheet = None;
                let account = self.book.wallet.get().map(|wallet| wallet.account);
                asks.push(Ask::Wallet(account, act));
            }
            Command::Earnings => {
                self.book.earnings.ask();
                asks.push(Ask::Earnings);
            }
            Command::Block(blocking) => self.block(blocking, asks),
            Command::Copy(_) | Command::ShowFolder(_) => {}
            Command::OpenScene(_)
            | Command::ReloadScene
            | Command::CloseScene
            | Command::Stand(_)
            | Command::Shine(_)
            | Command::Surround(_)
            | Command::SetFrame(_)
            | Command::LookAgain
            | Command::Room(_)
            | Command::SetLook(_)
            | Command::ResetExposure
            | Command::SetDraft(_)
            | Command::DrawCrop(_)
            | Command::SetCrop(_)
            | Command::GetPrice
            | Command::Submit => self.prepare(command, asks),
            Command::Watch { .. }
            | Command::NextJob
            | Command::PreviousJob
            | Command::Steer { .. }
            | Command::AskToSave
            | Command::Save(_)
            | Command::PauseOrResume
            | Command::AskToStop => self.attend(command, asks),
            Command::Verify => self.show_verification(verify::PIXELS, asks),
            Command::VerifyAgain { pixels } => self.start_verifying(pixels, asks),
            Command::StopVerifying => self.stop_verifying(asks),
            Command::Compare(wish) => {
                self.compare(wish);
                if self.compares() && self.reel.play.is_some() {
                    self.play_or_pause(asks);
                }
            }
            Command::PlayOrPause => self.play_or_pause(asks),
            Command::StepFrame(by) => self.step_frame(by, asks),
            Command::FetchFrames => self.fetch_frames(asks),
            Command::StopFetchingFrames => self.stop_fetching_frames(asks),
            Command::SetPort(port) => self.port = port,
            Command::ShowFarm(shows) => self.shows_farm = shows,
            Command::StartNode
            | Command::StopNode
            | Command::PauseNode(_)
            | Command::ResumeNode
            | Command::RunAnyway
            | Command::Refuse(_)
            | Command::SetLending(_)
            | Command::StartOwnFarm
            | Command::StopOwnFarm => self.lend(command, asks),
            Command::SetTheme(theme) => {
                self.settings.theme = theme;
                self.remember(asks);
            }
            Command::SetZoom(zoom) => {
                let zoom = (zoom * 10.0).round() / 10.0;
                self.settings.zoom = zoom.clamp(*settings::ZOOM.start(), *settings::ZOOM.end());
                self.remember(asks);
            }
            Command::SendAhead(is_wanted) => {
                self.settings.sends_ahead = is_wanted;
                self.remember(asks);
            }
            Command::StartWithSession(is_wanted) => asks.push(Ask::StartWithSession(is_wanted)),
            Command::Dismiss(number) => self.notices.dismiss(number),
            Command::Jobs(wish) => self.wish(wish, asks),
        }
    }

    fn open(&mut self, door: Door, asks: &mut Vec<Ask>) {
        self.sheet = None;
        self.door = door;
        if self.settings.door != door {
            self.settings.door = door;
            self.remember(asks);
        }
    }

    /// Another farm: nothing of the last one stays; the scene and the person do.
    fn connect(&mut self, ticket: &str, asks: &mut Vec<Ask>) {
        if self.ticket != ticket {
            let last = std::mem::take(self);
            *self = Self {
                jobs: Jobs::new(&last.settings.jobs),
                now_ms: last.now_ms,
                door: last.door,
                pane: last.pane,
                identity: last.identity,
                ticket: ticket.to_owned(),
                look: last.look,
                compare: last.compare,
                stage: last.stage,
                room: last.room,
                draft: last.draft,
                crop_of: last.crop_of,
                notices: last.notices,
                settings: last.settings,
                node: last.node,
                own_farm: last.own_farm,
                with_session: last.with_session,
                // It was to lend to the farm that it was started with, and to no other.
                lends_at_once: last.lends_at_once && last.ticket.is_empty(),
                has_lent: last.has_lent,
                asked_look: last.asked_look,
                checkout: super::Checkout {
                    serial: last.checkout.serial + 1,
                    ..super::Checkout::default()
                },
                verify: verify::Verify { serial: last.verify.serial + 1, last: None },
                picture_ids: last.picture_ids,
                ..Self::default()
            };
        }
        self.link = Link::Connecting;
        self.settings.farm = ticket.to_owned();
        // Whoever chooses a farm wants it the next time, too.
        self.settings.own_farm = self.is_on_own_farm();
        self.remember(asks);
        asks.push(Ask::Connect(ticket.to_owned()));
        // The desks begin anew with a farm, also with the same one.
        if let Some(live) = &mut self.live {
            live.picture = super::picture::Picture::new(live.picture.id, live.picture.size);
            asks.push(Ask::Watch { job: live.job, shot: live.shot });
        }
    }

    /// Commands about the scene on the stage.
    fn prepare(&mut self, command: Command, asks: &mut Vec<Ask>) {
        match command {
            Command::OpenScene(path) => {
                self.sheet = None;
                self.door = Door::Render;
                self.pane = Pane::Stage;
                self.stage.trouble = None;
                if path.as_os_str().is_empty() {
                    let why = "Name a .glb or .gltf file".to_owned();
                    self.stage.trouble = Some(Trouble { path, why });
                    return;
                }
                self.stage.opening = Some(path.clone());
                asks.push(Ask::Import(path));
            }
            Command::ReloadScene => {
                if let Some(scene) = &self.stage.scene {
                    let path = scene.imported.path.clone();
                    self.prepare(Command::OpenScene(path), asks);
                }
            }
            Command::CloseScene => {
                self.stage.clear();
                self.asked_look = None;
                self.checkout = super::Checkout {
                    serial: self.checkout.serial + 1,
                    ..super::Checkout::default()
                };
                asks.push(Ask::ClearStage);
            }
            Command::Stand(standpoint) => {
                let Some(scene) = &mut self.stage.scene else { return };
                scene.standpoint = standpoint;
                self.changed(asks);
            }
            Command::Shine(light) => {
                let Some(scene) = &mut self.stage.scene else { return };
                scene.light = light;
                self.changed(asks);
            }
            Command::Surround(surroundings) => {
                self.sheet = None;
                let Some(scene) = &mut self.stage.scene else { return };
                scene.surrounding.clone_from(&surroundings);
                scene.surrounding_trouble = None;
                asks.push(Ask::Surround(surroundings));
            }
            Command::SetFrame(frame) => {
                let Some(scene) = &mut self.stage.scene else { return };
                scene.frame = frame;
                self.changed(asks);
            }
            Command::LookAgain => {
                self.asked_look = None;
                if let Some(scene) = &mut self.stage.scene {
                    scene.preview.trouble = None;
                }
                self.look_again(asks);
            }
            Command::Room(room) => {
                self.room = Some(room);
                self.look_again(asks);
            }
            Command::SetLook(look) => self.look = look,
            Command::ResetExposure => self.look.exposure_ev = 0.0,
            Command::SetDraft(draft) => {
                let before = std::mem::replace(&mut self.draft, *draft);
                self.crop_of.follow((before.crop, before.size), &mut self.draft);
                self.changed(asks);
            }
            Command::DrawCrop(is_wanted) => {
                self.stage.is_cropping = is_wanted && self.stage.scene.is_some();
            }
            Command::SetCrop(crop) => {
                self.stage.is_cropping = false;
                let before = (self.draft.crop, self.draft.size);
                self.draft.crop = crop.map(|crop| crop::inside(crop, self.draft.size));
                self.crop_of.follow(before, &mut self.draft);
                self.changed(asks);
            }
            Command::GetPrice => {
                self.checkout.follows = true;
                self.reprice(asks);
            }
            Command::Submit if self.price_holds() => self.order(asks),
            Command::Submit if self.book.is_free() => {
                self.checkout.orders_if_free = self.drafted();
                self.reprice(asks);
            }
            _other => {}
        }
    }

    /// What will be ordered is another: one sees it, and its price is asked for where it follows.
    fn changed(&mut self, asks: &mut Vec<Ask>) {
        self.look_again(asks);
        if self.checkout.follows && self.link == Link::Connected {
            self.reprice(asks);
        }
    }

    /// Commands about jobs.
    fn attend(&mut self, command: Command, asks: &mut Vec<Ask>) {
        match command {
            Command::Watch { job, shot } => {
                self.open(Door::Render, asks);
                self.pane = Pane::Job;
                self.watch(job, shot, asks);
            }
            Command::NextJob => self.step(1, asks),
            Command::PreviousJob => self.step(-1, asks),
            // Behind the door of all jobs, it is what is chosen there that is meant.
            Command::PauseOrResume if self.door == Door::Jobs => {
                let pauses = self.can_do(Deed::Pause).is_ok();
                self.wish(Wish::Do(if pauses { Deed::Pause } else { Deed::Resume }), asks);
            }
            Command::AskToStop if self.door == Door::Jobs => {
                self.wish(Wish::Do(Deed::Stop), asks);
            }
            Command::Steer { job, steering } => {
                self.sheet = None;
                let steered = Steered { job, steering };
                if !self.steering.contains(&steered) {
                    self.steering.push(steered.clone());
                    asks.push(Ask::Steer(steered));
                }
            }
            Command::PauseOrResume => {
                let Some(job) = self.selected_job() else { return };
                let is_paused = job.status == JobStatus::Paused;
                let steering = if is_paused { Steering::Resume } else { Steering::Pause };
                let job = job.job;
                self.attend(Command::Steer { job, steering }, asks);
            }
            Command::AskToStop => self.sheet = self.selected.map(Sheet::Stop),
            Command::AskToSave => self.sheet = self.save_sheet().map(Sheet::Save),
            Command::Save(sheet) => {
                self.sheet = None;
                if sheet.problem().is_none() && !self.is_saving {
                    self.is_saving = true;
                    self.settings.folder = Some(sheet.folder.trim().into());
                    self.remember(asks);
                    asks.push(Ask::Save { sheet, look: self.look.clone() });
                }
            }
            _other => {}
        }
    }

    /// Where the watched picture would be saved.
    fn save_sheet(&self) -> Option<SaveSheet> {
        let (live, job) = (self.live.as_ref()?, self.selected_job()?);
        let folder = self.settings.folder.clone().or_else(|| {
            let scene = self.stage.scene.as_ref()?;
            scene.imported.path.parent().map(Into::into)
        });
        Some(SaveSheet {
            job: job.job,
            shot: Some(live.shot),
            folder: folder.unwrap_or_default().display().to_string(),
            name: file_name(&job.spec.name),
            exr: true,
            png: true,
            replaces: false,
        })
    }

    /// Looks at the job `by` rows further down the list.
    fn step(&mut self, by: isize, asks: &mut Vec<Ask>) {
        if self.door == Door::Jobs {
            return self.wish(Wish::Step { by, extends: false }, asks);
        }
        let jobs = self.book.job_list();
        let here = jobs.iter().position(|job| Some(job.job) == self.selected);
        let there = here.and_then(|here| here.checked_add_signed(by)).or(Some(0));
        let next: Option<JobId> = there.and_then(|there| jobs.get(there)).map(|row| row.job);
        if let Some(job) = next {
            self.watch(job, ShotIndex::default(), asks);
        }
    }
}

/// A job's name as a file can have it.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if matches!(c, '/' | '\\' | ':') { '_' } else { c }).collect()
}
