//! What the app knows. [`State::apply`] is the only way in from outside, [`State::act`] the only one
//! from the person; both say what is to be asked of the desks. Screens read.

mod act;
pub mod blocks;
pub mod book;
pub mod checkout;
pub mod compare;
pub mod crop;
pub mod draft;
pub mod fetched;
pub mod jobs;
mod lend;
pub mod lending;
pub mod live;
pub mod node;
pub mod notices;
pub mod orbit;
pub mod own_farm;
pub mod picture;
pub mod port;
mod prepare;
pub mod reel;
pub mod settings;
pub mod sheet;
pub mod stage;
pub mod verify;
mod verifying;
pub mod wallet;

use std::path::PathBuf;

use film::Look;
use protocol::view::JobSummary;
use protocol::{JobId, PublicKey, ShotIndex, Size, Steering};
use serde::{Deserialize, Serialize};

use crate::desk::Ask;
use blocks::Blocking;
use book::Book;
use checkout::Checkout;
use compare::Compare;
use draft::Draft;
use jobs::Jobs;
use live::Live;
use node::Node;
use notices::{Notices, Tone};
use own_farm::OwnFarm;
use port::Port;
use reel::Reel;
use settings::Settings;
use sheet::Sheet;
use stage::{Sighting, Stage};
use verify::Verify;

pub use live::TileLook;

/// The doors of the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// A scene on the stage, or the selected job's picture.
    #[default]
    Render,
    /// The caller's nodes.
    MyNode,
    /// All jobs of the caller.
    Jobs,
    /// Balance and statement.
    Wallet,
    /// Farm, key, looks.
    Settings,
}

/// What the Render door shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// The scene on the stage.
    #[default]
    Stage,
    /// The selected job.
    Job,
}

/// How it stands with the farm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Link {
    /// Nobody has said which farm.
    #[default]
    NoFarm,
    /// Dialling, for the first time.
    Connecting,
    /// Admitted.
    Connected,
    /// It was there, or should be; the app tries again by itself.
    Lost {
        /// What happened.
        why: String,
        /// When it tries again, milliseconds since 1970.
        retry_at_ms: u64,
    },
    /// Trying again is of no use before somebody does something.
    Unusable {
        /// What happened, and what to do.
        why: String,
    },
}

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The public key: the artist, the owner of nodes.
    pub key: PublicKey,
    /// Where the secret half lies.
    pub path: String,
}

/// Something that is being done to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steered {
    /// To which.
    pub job: JobId,
    /// What.
    pub steering: Steering,
}

/// What became of saving pictures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// Pictures that have not all their samples.
    pub short: usize,
    /// Why there are not more.
    pub trouble: Option<String>,
}

impl Saved {
    /// Nothing was written.
    #[must_use]
    pub fn failed(why: impl Into<String>) -> Self {
        Self { trouble: Some(why.into()), ..Self::default() }
    }

    /// Notes what became of one picture.
    pub fn add(&mut self, written: Result<Vec<PathBuf>, String>, is_whole: bool) {
        match written {
            Ok(files) => {
                self.files.extend(files);
                self.short += usize::from(!is_whole);
            }
            Err(why) => self.trouble = Some(why),
        }
    }
}

/// Everything the app knows.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The clock, milliseconds since 1970.
    pub now_ms: u64,
    /// The open door.
    pub door: Door,
    /// What the Render door shows.
    pub pane: Pane,
    /// Whether the door of nodes shows the farm's instead of one's own.
    pub shows_farm: bool,
    /// What lies over the page.
    pub sheet: Option<Sheet>,
    /// The caller; `None` until the key is read.
    pub identity: Option<Identity>,
    /// How it stands with the farm.
    pub link: Link,
    /// The farm's ticket, as given.
    pub ticket: String,
    /// When the farm was last heard of, milliseconds since 1970.
    pub heard_ms: Option<u64>,
    /// Jobs, nodes, tokens.
    pub book: Book,
    /// The job that is looked at.
    pub selected: Option<JobId>,
    /// Its picture.
    pub live: Option<Live>,
    /// What is being done to jobs, and not answered yet.
    pub steering: Vec<Steered>,
    /// Who is being kept off one's jobs or let back, and not answered yet.
    pub blocking: Vec<Blocking>,
    /// Frames of it that can be played.
    pub reel: Reel,
    /// Whether a picture is being saved.
    pub is_saving: bool,
    /// Which part of the watched picture one sees.
    pub port: Port,
    /// How light becomes what the screen shows.
    pub look: Look,
    /// Pictures that are kept beside it.
    pub compare: Compare,
    /// The scene that is being prepared.
    pub stage: Stage,
    /// Room for its preview, pixels of the screen.
    pub room: Option<Size>,
    /// What will be ordered.
    pub draft: Draft,
    /// What its crop was drawn or typed as.
    crop_of: crop::Origin,
    /// What it will cost.
    pub checkout: Checkout,
    /// What was checked of a finished frame.
    pub verify: Verify,
    /// One's own node.
    pub node: Node,
    /// A farm of one's own.
    pub own_farm: OwnFarm,
    /// What happened.
    pub notices: Notices,
    /// What is remembered.
    pub settings: Settings,
    /// The list of jobs as one looks at it.
    pub jobs: Jobs,
    /// The last look that was asked for.
    asked_look: Option<Sighting>,
    /// Ids that pictures have been given.
    picture_ids: u64,
    /// Whether the app is started with the session; `None` where that is not known here.
    pub with_session: Option<bool>,
    /// Whether the node is to start as soon as the farm answers, whatever is remembered.
    pub lends_at_once: bool,
    /// Whether the node has been started with the app.
    has_lent: bool,
}

/// What happens outside the app.
#[derive(Debug, Clone)]
pub enum Event {
    /// Time passed.
    Now(u64),
    /// The key was read.
    Identity(Identity),
    /// The connection changed.
    Link(Link),
    /// The farm answered, whatever it said; milliseconds since 1970.
    Heard(u64),
    /// The farm's books.
    Book(book::Event),
    /// The watched shot.
    Live(live::Event),
    /// The stage.
    Stage(stage::Event),
    /// Prices and orders.
    Checkout(checkout::Event),
    /// Frames to be played.
    Reel(reel::Event),
    /// How checking a frame goes.
    Verify(verify::Event),
    /// What became of a steering.
    Steered {
        /// What was asked for.
        steered: Steered,
        /// Why it was not done.
        trouble: Option<String>,
    },
    /// What became of keeping somebody off one's jobs, or letting him back.
    Blocked {
        /// What was asked for.
        blocking: Blocking,
        /// Why it was not done.
        trouble: Option<String>,
    },
    /// What became of saving pictures.
    Saved(Saved),
    /// One's own node.
    Node(node::Event),
    /// The farm of one's own.
    OwnFarm(own_farm::Event),
    /// Whether the app is started with the session.
    WithSession(Option<bool>),
    /// Something to tell.
    Notice(Tone, String),
}

impl State {
    /// A state that begins with what is remembered.
    #[must_use]
    pub fn new(mut settings: Settings) -> Self {
        settings.zoom = settings.zoom.clamp(*settings::ZOOM.start(), *settings::ZOOM.end());
        let jobs = Jobs::new(&settings.jobs);
        Self { door: settings.door, settings, jobs, ..Self::default() }
    }

    /// Takes an event in; returns what is to be asked for because of it.
    pub fn apply(&mut self, event: Event) -> Vec<Ask> {
        let mut asks = Vec::new();
        match event {
            Event::Now(ms) => {
                self.now_ms = ms;
                self.play_on();
            }
            Event::Reel(event) => self.hear_reel(event),
            Event::Identity(identity) => self.identity = Some(identity),
            Event::Link(link) => self.relink(link, &mut asks),
            Event::Heard(ms) => self.heard_ms = Some(ms),
            Event::Book(event) => self.read(event, &mut asks),
            Event::Live(event) => self.follow(event),
            Event::Stage(event) => self.restage(event, &mut asks),
            Event::Checkout(event) => self.check_out(event, &mut asks),
            Event::Steered { steered, trouble } => {
                self.steering.retain(|under_way| *under_way != steered);
                let told = match (trouble, &steered.steering) {
                    (Some(why), _) => Some((Tone::Bad, why)),
                    // Nothing else on the screen says that it was heard.
                    (None, Steering::First(selection)) => {
                        Some((Tone::Good, words_of_first(selection).to_owned()))
                    }
                    (None, _seen) => None,
                };
                if let Some((tone, words)) = told {
                    let words = format!("{}: {words}", self.name_of(steered.job));
                    self.notices.add(self.now_ms, tone, words).job = Some(steered.job);
                }
            }
            Event::Blocked { blocking, trouble } => self.blocked(blocking, trouble),
            Event::Saved(saved) => self.saved(saved),
            Event::Verify(event) => self.verified(event),
            Event::Node(event) => self.hear_node(event, &mut asks),
            Event::OwnFarm(event) => self.hear_own_farm(event, &mut asks),
            Event::WithSession(is_on) => self.with_session = is_on,
            Event::Notice(tone, words) => {
                self.notices.add(self.now_ms, tone, words);
            }
        }
        asks
    }

    /// The summary of the selected job.
    #[must_use]
    pub fn selected_job(&self) -> Option<&JobSummary> {
        self.book.job(self.selected?)
    }

    /// Whether what is shown may be out of date.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        !matches!(self.link, Link::Connected)
    }

    /// A job's name, or its number where it is not known.
    #[must_use]
    pub fn name_of(&self, job: JobId) -> String {
        self.book.job(job).map_or_else(|| job.short(), |summary| summary.spec.name.clone())
    }

    fn relink(&mut self, link: Link, asks: &mut Vec<Ask>) {
        let is_new = matches!(link, Link::Connected) && self.link != Link::Connected;
        self.link = link;
        if is_new && self.checkout.follows {
            self.reprice(asks);
        }
        let lends = self.settings.lending.with_app || self.lends_at_once || self.is_on_own_farm();
        if is_new && lends && !self.has_lent {
            self.has_lent = true;
            self.start_node(asks);
        }
    }

    fn read(&mut self, event: book::Event, asks: &mut Vec<Ask>) {
        let has_ended = |row: &&JobSummary| {
            let before = self.book.job(row.job);
            before.is_some_and(|before| !before.status.is_over()) && row.status.is_over()
        };
        let ended: Vec<JobSummary> = event.jobs().iter().filter(has_ended).cloned().collect();
        self.book.apply(event);
        self.arrange_jobs();
        for summary in ended {
            self.tell_of_end(&summary);
        }
        self.watch_something(asks);
    }

    fn follow(&mut self, event: live::Event) {
        if let live::Event::Update { summary, .. } = &event {
            let before = self.book.job(summary.job).map(|before| before.status.is_over());
            self.book.renew((**summary).clone());
            self.arrange_jobs();
            if before == Some(false) && summary.status.is_over() {
                let summary = (**summary).clone();
                self.tell_of_end(&summary);
            }
        }
        if let Some(live) = &mut self.live {
            live.apply(event);
        }
    }

    fn tell_of_end(&mut self, summary: &JobSummary) {
        use protocol::view::JobStatus;
        let name = &summary.spec.name;
        let (tone, words) = match summary.status {
            JobStatus::Done => (Tone::Good, format!("{name} is finished")),
            JobStatus::Stopped => {
                (Tone::Good, format!("{name} was stopped with the samples that it has"))
            }
            JobStatus::Failed => {
                let why = summary.reason.as_deref().unwrap_or("the farm gave no reason");
                (Tone::Bad, format!("{name} failed: {why}"))
            }
            _other => return,
        };
        self.notices.add(self.now_ms, tone, words).job = Some(summary.job);
    }

    fn saved(&mut self, saved: Saved) {
        self.is_saving = false;
        let Saved { files, short, trouble } = saved;
        let folder = files.first().and_then(|file| file.parent()).map(PathBuf::from);
        let mut words = match files.as_slice() {
            [] => "Nothing was saved".to_owned(),
            [one] => format!("Saved {}", one.display()),
            files => {
                let place = folder.as_deref().map(|it| it.display().to_string());
                format!("Saved {} files in {}", files.len(), place.unwrap_or_default())
            }
        };
        let mut tone = Tone::Good;
        if short > 0 {
            tone = Tone::Warning;
            let pictures = crate::words::plural(short as u64, "picture has", "pictures have");
            words.push_str(&format!("; {pictures} not all samples yet"));
        }
        if let Some(why) = trouble {
            tone = Tone::Bad;
            words.push_str(&format!(": {why}"));
        }
        self.notices.add(self.now_ms, tone, words).folder = folder;
    }

    /// Before a person has chosen, the newest job is looked at.
    fn watch_something(&mut self, asks: &mut Vec<Ask>) {
        let newest = self.book.job_list().first().map(|row| row.job);
        let known = self.selected.is_some_and(|job| self.book.job(job).is_some());
        match (self.selected, newest) {
            (None, Some(newest)) => self.watch(newest, ShotIndex::default(), asks),
            // It was ordered here, and its row has only now come.
            (Some(job), _) if known && self.live.is_none() => {
                self.watch(job, ShotIndex::default(), asks);
            }
            _settled => {}
        }
    }

    /// Looks at a shot of a job.
    pub(crate) fn watch(&mut self, job: JobId, shot: ShotIndex, asks: &mut Vec<Ask>) {
        self.selected = Some(job);
        let is_watched =
            self.live.as_ref().is_some_and(|live| (live.job, live.shot) == (job, shot));
        if is_watched {
            return;
        }
        let spec = self.book.job(job).map(|summary| &summary.spec);
        let is_shown = |spec: &&protocol::JobSpec| {
            spec.settings.window().size().pixel_count() <= PICTURE_PIXELS_MAX
        };
        let shape = spec.filter(is_shown).map(|spec| {
            let tiles = spec.grid().tile_count() as usize;
            (spec.settings.window().size(), tiles)
        });
        self.reel.play = None;
        if self.reel.fetching == reel::Fetching::UnderWay && self.reel.job != Some(job) {
            self.stop_fetching_frames(asks);
        }
        self.picture_ids += 1;
        if self.live.as_ref().is_none_or(|live| live.job != job) {
            self.port = Port::Fit;
        }
        // How the other frames stand is known already.
        let shots = self.live.take().filter(|live| live.job == job).map(|live| live.shots);
        self.live = shape.map(|shape| Live::new((job, shot), shape, self.picture_ids));
        if let Some(live) = &mut self.live {
            live.shots = shots.unwrap_or_default();
        }
        if self.live.is_some() {
            asks.push(Ask::Watch { job, shot });
        }
    }

    /// Writes down what is remembered.
    pub(crate) fn remember(&self, asks: &mut Vec<Ask>) {
        asks.push(Ask::Remember(Box::new(self.settings.clone())));
    }
}

/// What is first from now on.
const fn words_of_first(selection: &protocol::Selection) -> &'static str {
    match selection.tile {
        Some(_tile) => "That tile comes first now, and then what is around it",
        None => "That frame comes before the others now",
    }
}

/// Most pixels of a picture that is shown: half a gigabyte of light on the graphics device.
const PICTURE_PIXELS_MAX: u64 = 1 << 26;
