//! What the app knows. [`State::apply`] is the only way in; screens read and ask.

use egui::Color32;
use protocol::view::{
    AcceptedUnit, FarmView, JobSummary, NodeView, StatementPage, TileStatus, WalletView,
};
use protocol::{JobId, PublicKey, Rect, ShotIndex, Size, TileIndex};

use crate::theme::tokens::picture_pixel;

/// The doors of the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Door {
    /// The selected job's picture.
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

/// Everything the app knows.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The open door.
    pub door: Door,
    /// The caller; `None` until the key is read.
    pub identity: Option<Identity>,
    /// How it stands with the farm.
    pub link: Link,
    /// The farm's ticket, as given.
    pub ticket: String,
    /// When the farm was last heard of, milliseconds since 1970.
    pub heard_ms: Option<u64>,
    /// Balances; `None` until they come.
    pub wallet: Option<WalletView>,
    /// The caller's wallet, newest first; `None` until it comes.
    pub statement: Option<StatementPage>,
    /// The caller's jobs, newest first; `None` until they come.
    pub jobs: Option<Vec<JobSummary>>,
    /// The farm at a glance; `None` until it comes.
    pub farm: Option<FarmView>,
    /// The job that is looked at.
    pub selected: Option<JobId>,
    /// Its picture.
    pub live: Option<Live>,
    /// The clock, milliseconds since 1970.
    pub now_ms: u64,
}

/// A job as it is being watched.
#[derive(Debug, Clone)]
pub struct Live {
    /// The job.
    pub job: JobId,
    /// The shot that is shown.
    pub shot: ShotIndex,
    /// Status of each tile of that shot; empty until the first news.
    pub tiles: Vec<TileStatus>,
    /// Accepted units of that shot, in order of acceptance.
    pub accepted: Vec<AcceptedUnit>,
    /// Accepted chunks of each tile.
    pub chunks: Vec<u32>,
    /// What has come of the picture.
    pub picture: LivePicture,
    /// Why the picture stays incomplete, when it does.
    pub problem: Option<String>,
}

/// How a tile is shown: the farm names the least advanced of its batches, but samples that are
/// here are worth seeing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileLook {
    /// Nothing is here and no node has it.
    Waiting,
    /// Some of its samples are accepted; the others wait.
    Partial,
    /// Leased.
    Rendering,
    /// A film was refused; it goes elsewhere.
    Retrying,
    /// A film is being checked.
    Received,
    /// All of it is accepted.
    Accepted,
}

impl TileLook {
    /// Every look, in the order of a tile's life.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Partial,
        Self::Rendering,
        Self::Received,
        Self::Retrying,
        Self::Accepted,
    ];
}

/// Pixels as they arrive.
#[derive(Debug, Clone)]
pub struct LivePicture {
    /// Width and height.
    pub size: Size,
    /// Display pixels, rows from the upper left; transparent where nothing has come.
    pub pixels: Vec<Color32>,
    /// Every rectangle that was written, in order: a texture catches up from where it stands.
    pub changes: Vec<Rect>,
}

/// What happens outside and to the app.
#[derive(Debug, Clone)]
pub enum Event {
    /// A door was opened.
    Opened(Door),
    /// The key was read.
    Identity(Identity),
    /// A farm was chosen.
    Ticket(String),
    /// The connection changed.
    Link(Link),
    /// Balances.
    Wallet(WalletView),
    /// A page of the wallet.
    Statement(StatementPage),
    /// The caller's jobs.
    Jobs(Vec<JobSummary>),
    /// The farm.
    Farm(FarmView),
    /// The farm answered, whatever it said; milliseconds since 1970.
    Heard(u64),
    /// A job was chosen, and a shot of it.
    Selected {
        /// The job.
        job: JobId,
        /// The shot.
        shot: ShotIndex,
    },
    /// News of the watched shot.
    Update {
        /// The job as it is now.
        summary: Box<JobSummary>,
        /// The shot that the rest is about.
        shot: ShotIndex,
        /// Status of its tiles.
        tiles: Vec<TileStatus>,
        /// Units of it accepted since the last news.
        accepted: Vec<AcceptedUnit>,
    },
    /// Pixels of the watched shot.
    Pixels {
        /// The job.
        job: JobId,
        /// The shot.
        shot: ShotIndex,
        /// Where.
        rect: Rect,
        /// Display bytes, four a pixel.
        rgba: Vec<u8>,
    },
    /// The watched picture cannot be shown whole.
    PictureProblem {
        /// The job.
        job: JobId,
        /// What happened.
        why: String,
    },
    /// Time passed.
    Now(u64),
}

impl State {
    /// Takes an event in.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Opened(door) => self.door = door,
            Event::Identity(identity) => self.identity = Some(identity),
            Event::Ticket(ticket) => self.change_farm(ticket),
            Event::Link(link) => self.link = link,
            Event::Wallet(wallet) => self.wallet = Some(wallet),
            Event::Statement(page) => self.statement = Some(page),
            Event::Jobs(jobs) => self.jobs = Some(jobs),
            Event::Farm(farm) => self.farm = Some(farm),
            Event::Heard(ms) => self.heard_ms = Some(ms),
            Event::Selected { job, shot } => self.select(job, shot),
            Event::Update { summary, shot, tiles, accepted } => {
                self.update(*summary, shot, tiles, accepted);
            }
            Event::Pixels { job, shot, rect, rgba } => {
                if let Some(live) = self.watched(job, shot) {
                    live.picture.write(rect, &rgba);
                    live.problem = None;
                }
            }
            Event::PictureProblem { job, why } => {
                if let Some(live) = self.live.as_mut().filter(|live| live.job == job) {
                    live.problem = Some(why);
                }
            }
            Event::Now(ms) => self.now_ms = ms,
        }
    }

    /// The summary of the selected job.
    #[must_use]
    pub fn selected_job(&self) -> Option<&JobSummary> {
        let selected = self.selected?;
        self.jobs.as_ref()?.iter().find(|job| job.job == selected)
    }

    /// The caller's own nodes: those that pay the caller, or are the caller.
    #[must_use]
    pub fn my_nodes(&self) -> Vec<&NodeView> {
        let (Some(farm), Some(identity)) = (&self.farm, &self.identity) else {
            return Vec::new();
        };
        let mine = |node: &&NodeView| {
            node.owner == identity.key || PublicKey::from(node.node) == identity.key
        };
        farm.nodes.iter().filter(mine).collect()
    }

    /// Whether what is shown may be out of date.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        !matches!(self.link, Link::Connected)
    }

    /// Another farm: nothing of the last one stays.
    fn change_farm(&mut self, ticket: String) {
        if self.ticket != ticket {
            let identity = self.identity.take();
            let (door, now_ms) = (self.door, self.now_ms);
            *self = Self { door, identity, ticket, now_ms, ..Self::default() };
        }
    }

    fn select(&mut self, job: JobId, shot: ShotIndex) {
        self.selected = Some(job);
        let spec = self.selected_job().map(|summary| &summary.spec);
        let shape =
            spec.map(|spec| (spec.settings.window().size(), spec.grid().tile_count() as usize));
        let unchanged = self.watched(job, shot).is_some();
        if !unchanged {
            self.live = shape.map(|(size, tile_count)| Live {
                job,
                shot,
                tiles: Vec::new(),
                accepted: Vec::new(),
                chunks: vec![0; tile_count],
                picture: LivePicture::new(size),
                problem: None,
            });
        }
    }

    fn update(
        &mut self,
        summary: JobSummary,
        shot: ShotIndex,
        tiles: Vec<TileStatus>,
        accepted: Vec<AcceptedUnit>,
    ) {
        let job = summary.job;
        if let Some(row) =
            self.jobs.as_mut().and_then(|jobs| jobs.iter_mut().find(|row| row.job == job))
        {
            *row = summary;
        }
        if let Some(live) = self.watched(job, shot) {
            live.tiles = tiles;
            for unit in accepted {
                live.accept(unit);
            }
        }
    }

    fn watched(&mut self, job: JobId, shot: ShotIndex) -> Option<&mut Live> {
        self.live.as_mut().filter(|live| live.job == job && live.shot == shot)
    }
}

impl Live {
    /// Number of tiles that look so.
    #[must_use]
    pub fn count(&self, look: TileLook) -> usize {
        (0..self.tiles.len()).filter(|&tile| self.look(tile) == look).count()
    }

    /// How a tile is shown; a tile that the frame lacks waits.
    #[must_use]
    pub fn look(&self, tile: usize) -> TileLook {
        let started = self.chunks.get(tile).is_some_and(|&chunks| chunks > 0);
        match self.tiles.get(tile) {
            Some(TileStatus::Accepted) => TileLook::Accepted,
            Some(TileStatus::Received) => TileLook::Received,
            Some(TileStatus::Retrying) => TileLook::Retrying,
            Some(TileStatus::Rendering) => TileLook::Rendering,
            Some(TileStatus::Waiting) if started => TileLook::Partial,
            Some(TileStatus::Waiting) | None => TileLook::Waiting,
        }
    }

    /// Takes a unit in, once.
    fn accept(&mut self, unit: AcceptedUnit) {
        if self.accepted.contains(&unit) {
            return;
        }
        if let Some(chunks) = self.chunks.get_mut(unit.unit.tile.0 as usize) {
            *chunks = chunks.saturating_add(unit.unit.batch.chunk_count());
        }
        self.accepted.push(unit);
    }

    /// Accepted units of one tile.
    pub fn accepted_of(&self, tile: TileIndex) -> impl Iterator<Item = &AcceptedUnit> {
        self.accepted.iter().filter(move |it| it.unit.tile == tile)
    }
}

impl LivePicture {
    /// Nothing yet.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let pixels = vec![Color32::TRANSPARENT; size.pixel_count() as usize];
        Self { size, pixels, changes: Vec::new() }
    }

    /// Writes display bytes; a rectangle that does not fit is left out.
    fn write(&mut self, rect: Rect, rgba: &[u8]) {
        let Size { width, height } = self.size;
        let inside = rect.x1 <= width && rect.y1 <= height;
        if !inside || rect.pixel_count() * 4 != rgba.len() as u64 {
            return;
        }
        for ((x, y), pixel) in rect.pixels().zip(rgba.chunks_exact(4)) {
            let index = y as usize * width as usize + x as usize;
            self.pixels[index] = picture_pixel([pixel[0], pixel[1], pixel[2], pixel[3]]);
        }
        self.changes.push(rect);
    }
}
