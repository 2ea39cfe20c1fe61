//! What artists order, and how long they wait.

use protocol::{
    BatchLengths, FrameRange, JobSpec, Needs, Offer, PublicKey, RenderSettings, SceneId, Schedule,
    Signed, Size, Tokens,
};
use scheduler::Kept;
use scheduler::core::{Event, Ordered};
use scheduler::quote::{self, Prices, Probe, SampleCost, Terms};

use super::farm::{Farm, Happening};
use super::nodes::SPEED;

/// Tiles of a frame.
const TILES: u32 = 64;
/// Samples of a unit: 16 x 16 pixels of 16.
const UNIT_SAMPLES: f64 = 4_096.0;
/// Part of the time that the farm would need for all work in which it is ordered.
const ARRIVING: f64 = 0.6;

/// A job, as its artist sees it.
pub struct Order {
    pub ordered_ms: u64,
    pub begun_ms: Option<u64>,
    /// When 99 of a hundred units were accepted.
    pub nearly_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    pub is_done: bool,
    /// How long a film took on average, milliseconds.
    pub usual_ms: f64,
    frames: u32,
    /// Rays of its middle unit.
    rays: f64,
    pub(super) job: Option<protocol::JobId>,
}

pub const fn artist() -> PublicKey {
    PublicKey([200; 32])
}

impl Order {
    pub const fn units(&self) -> u32 {
        self.frames * TILES
    }

    /// Rays of a unit: parts of a picture differ up to fourfold.
    pub fn unit_rays(&self, unit_index: u32) -> f64 {
        let hash = (u64::from(unit_index) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        self.rays * (hash as f64 / f64::from(1 << 24) * 1.2 + 0.4)
    }

    pub fn all_rays(&self) -> f64 {
        (0..self.units()).map(|index| self.unit_rays(index)).sum()
    }
}

impl Farm {
    /// Draws all jobs: most are small, some are a hundred times larger.
    pub(super) fn plan_orders(&mut self) {
        let jobs = self.settings.jobs;
        let weights: Vec<f64> = (0..jobs).map(|_| (1.2 * self.random.normal()).exp()).collect();
        let all: f64 = weights.iter().sum();
        let units = self.settings.units_per_node * f64::from(self.settings.nodes);
        // The mean node is faster than the middle one, and a fifth is away.
        let busy_ms = self.settings.units_per_node * self.settings.unit_ms / (1.38 * 0.8);
        for (number, weight) in (0..).zip(weights) {
            let frames = (weight / all * units / f64::from(TILES)).ceil().max(1.0) as u32;
            let rays = self.settings.unit_ms * SPEED;
            self.orders.push(Order {
                ordered_ms: 0,
                begun_ms: None,
                nearly_ms: None,
                ended_ms: None,
                is_done: false,
                usual_ms: 0.0,
                frames,
                rays,
                job: None,
            });
            let wait_ms = (self.random.uniform() * ARRIVING * busy_ms) as u64;
            self.queue_in(wait_ms, Happening::Order { number });
        }
    }

    pub(super) fn order(&mut self, number: u32) {
        let is_for_some = self.settings.needs_percent > 0.0
            && self.random.chance(self.settings.needs_percent / 100.0);
        let needs = if is_for_some { self.draw_needs() } else { Needs::default() };
        let order = &mut self.orders[number as usize];
        order.ordered_ms = self.now_ms;
        let spec = JobSpec {
            name: format!("simulated {number}"),
            scene: SceneId([0; 32]),
            settings: RenderSettings {
                size: Size::new(128, 128),
                samples: 16,
                ..RenderSettings::default()
            },
            more_cameras: Vec::new(),
            frames: FrameRange { first: 1, last: order.frames, step: 1, fps: 24.0 },
            tile_side_px: 16,
            base: None,
            noise: None,
            needs,
        };
        // The probe bounds the whole a tenth above what it is.
        let per_sample = order.rays * 1.1 / UNIT_SAMPLES;
        let bound = SampleCost { closest: per_sample, shadow: 0.0 };
        let memory = protocol::Footprint::default();
        let probe =
            Probe { bound, mean: bound, shots: 3, pixels: 1_024, weight_percent: 100, memory };
        let rays = order.all_rays();
        self.ideal.order(self.now_ms, rays);
        // One in five bids half as much again.
        let base = self.state.book.base_per_gray.micro();
        let bid = self.random.chance(0.2).then(|| Tokens::from_micro(base * 3 / 2));
        let terms = Terms {
            reach: protocol::Reach::default(),
            prices: &Prices::default(),
            rules: &self.state.book.policy.market,
            base_per_gray: self.state.book.base_per_gray,
            offer: Offer { bid, ..Offer::default() },
        };
        let id = self.state.book.secret.quote_id(1, u64::from(number));
        let quoted =
            quote::quote(&spec, &Kept::default(), &probe, terms, id, self.now_ms).expect("a price");
        let order = protocol::Order {
            quote: quoted.quote.id,
            spec: spec.digest(),
            price: quoted.quote.price,
            artist: artist(),
            schedule: Schedule::default(),
        };
        let job = protocol::lease::job_id(&order);
        self.jobs.insert(job, number);
        self.orders[number as usize].job = Some(job);
        self.apply(Event::Ordered(Box::new(Ordered {
            job,
            spec,
            quote: quoted.quote,
            schedule: Schedule::default(),
            batches: BatchLengths { chunks_max: 1, growing: false },
            order: Signed::new(&order, &self.key),
            artist: artist(),
            now_ms: self.now_ms,
        })));
        self.waking = true;
    }

    /// Notes which jobs have come to 99 of a hundred.
    pub(super) fn watch_tails(&mut self) {
        let active = self.state.book.active.values().map(|id| &self.state.book.jobs[id]);
        for job in active {
            if u64::from(job.units_accepted) * 100 >= job.units.len() as u64 * 99 {
                let order = &mut self.orders[self.jobs[&job.id] as usize];
                order.nearly_ms.get_or_insert(self.now_ms);
            }
        }
    }
}
