//! A farm of simulated nodes and artists around the real core.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use protocol::{
    BatchLengths, Class, Commitment, Digest, Engine, FrameRange, JobId, JobSpec, LeaseId, NodeId,
    Offer, Order, PublicKey, RayCount, RenderSettings, SceneId, Schedule, Signed, SigningKey, Size,
    Tokens,
};
use scheduler::Kept;
use scheduler::core::{
    Check, CheckKind, CheckOutcome, Effect, Event, FilmRef, NodeFacts, Ordered, Policy, Secret,
    State, Tried, plan, step,
};
use scheduler::quote::{self, Prices, Probe, SampleCost, Terms};

pub const HOUR_MS: u64 = 3_600_000;
const ENGINE: Engine = Engine(1);
/// Speed of the middle node, metered rays a second; others are up to four times slower or faster.
const SPEED: f64 = 8e6;
/// A unit takes the middle node half an hour.
const UNIT_RAYS: f64 = SPEED * 1_800.0;
/// Samples of a unit: 16 x 16 pixels of 128.
const UNIT_SAMPLES: f64 = 32_768.0;
/// Tiles of a frame.
const TILES: f64 = 16.0;
/// What part of all nodes the usual demand would keep busy at a price that nobody minds.
const LOAD: f64 = 1.0;
/// Frames of a job, on average.
const FRAMES_MEAN: f64 = 10.0;
/// How often an artist who finds the price too high looks again.
const LOOKS: u32 = 6;

pub struct SimNode {
    pub id: NodeId,
    /// Metered rays a second.
    pub speed: f64,
    /// What a billion rays cost its owner.
    pub cost: Tokens,
    pub is_here: bool,
    pub busy_ms: u64,
    idle: bool,
}

/// What became of an order.
pub struct Ordering {
    pub ordered_ms: u64,
    pub begun_ms: Option<u64>,
    pub done_ms: Option<u64>,
    /// Whether it bid above the base price.
    pub bid: bool,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Film { node: usize, lease: LeaseId, begun_ms: u64 },
    Artist { most: u128, looks: u32 },
    Arrival,
    Tick,
}

/// One moment of a run.
pub struct Moment {
    pub at_ms: u64,
    pub base: f64,
    /// Part of the speed that is here that works.
    pub busy: f64,
    pub line_ms: Option<u64>,
}

pub struct Farm {
    pub state: State,
    pub nodes: Vec<SimNode>,
    pub orders: Vec<Ordering>,
    pub moments: Vec<Moment>,
    pub films: u64,
    pub gone_elsewhere: u64,
    /// How much of the usual demand there is.
    pub demand: f64,
    now_ms: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    queued: u64,
    index: BTreeMap<NodeId, usize>,
    open: BTreeMap<JobId, usize>,
    waking: bool,
    key: SigningKey,
    random: u64,
    prices: Prices,
}

impl Farm {
    pub fn new(nodes: u32, seed: u64) -> Self {
        let mut policy = Policy { leases_per_node: 1, hold_units: 2, ..Policy::default() };
        // Nodes of the simulation send no heartbeats, and none of them is lost.
        policy.lease_ms = u64::MAX / 4;
        let mut farm = Self {
            state: State::new(Secret::new([9; 32])),
            nodes: Vec::new(),
            orders: Vec::new(),
            moments: Vec::new(),
            films: 0,
            gone_elsewhere: 0,
            demand: 1.0,
            now_ms: 0,
            queue: BinaryHeap::new(),
            queued: 0,
            index: BTreeMap::new(),
            open: BTreeMap::new(),
            waking: false,
            key: SigningKey::from_bytes(&[1; 32]),
            random: seed,
            prices: Prices::default(),
        };
        farm.apply(Event::Started { policy, engine: ENGINE, now_ms: 0 });
        let amount = Tokens::from_whole(1_000_000_000);
        farm.apply(Event::ReserveSeeded { scheduler: PublicKey([0; 32]), amount });
        for number in 0..nodes {
            farm.add_node(number);
        }
        farm.queue_in(0, Happening::Arrival);
        farm.queue_in(0, Happening::Tick);
        farm
    }

    fn add_node(&mut self, number: u32) {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_le_bytes());
        let id = NodeId(id);
        let speed = SPEED * (4.0_f64).powf(2.0 * self.uniform() - 1.0);
        let cost = Tokens::from_micro((7e6 * (0.4 * self.normal()).exp()) as u128);
        self.index.insert(id, self.nodes.len());
        // Half of all nodes are of one owner, who is as good as anybody as long as he does not
        // withhold them.
        let owner = if number.is_multiple_of(2) { PublicKey([7; 32]) } else { id.into() };
        let facts = NodeFacts {
            equipment: protocol::Equipment::default(),
            name: format!("node {number}"),
            backend: "cpu".to_owned(),
            engine: ENGINE,
            owner,
            rays_per_second: speed as u64,
            ask_per_gray: cost,
        };
        self.nodes.push(SimNode { id, speed, cost, is_here: true, busy_ms: 0, idle: true });
        self.apply(Event::NodeMet { node: id, facts });
        self.apply(Event::Qualified { node: id, class: Class::Exact });
        self.apply(Event::Heard { node: id, now_ms: 0 });
    }

    pub fn run_until(&mut self, until_ms: u64) {
        while let Some(Reverse((at_ms, ..))) = self.queue.peek()
            && *at_ms < until_ms
        {
            let Some(Reverse((at_ms, _, happening))) = self.queue.pop() else { break };
            self.now_ms = at_ms;
            match happening {
                Happening::Film { node, lease, begun_ms } => self.film(node, lease, begun_ms),
                Happening::Artist { most, looks } => self.artist(most, looks),
                Happening::Arrival => self.arrival(),
                Happening::Tick => self.tick(),
            }
            if std::mem::take(&mut self.waking) {
                self.wake();
            }
        }
        self.now_ms = until_ms;
    }

    /// The large owner's nodes.
    fn large(&self) -> Vec<usize> {
        (0..self.nodes.len()).step_by(2).collect()
    }

    pub fn withhold(&mut self) {
        for index in self.large() {
            self.nodes[index].is_here = false;
            self.apply(Event::Gone { node: self.nodes[index].id, now_ms: self.now_ms });
        }
    }

    pub fn give_back(&mut self) {
        for index in self.large() {
            self.nodes[index].is_here = true;
            self.apply(Event::Heard { node: self.nodes[index].id, now_ms: self.now_ms });
        }
        self.waking = true;
    }

    pub fn ask_the_ceiling(&mut self) {
        let ceiling = self.state.book.policy.market.ceiling;
        self.large().into_iter().for_each(|index| self.ask(index, ceiling));
    }

    pub fn ask_costs(&mut self) {
        self.large().into_iter().for_each(|index| self.ask(index, self.nodes[index].cost));
        self.waking = true;
    }

    fn ask(&mut self, index: usize, ask_per_gray: Tokens) {
        let node = self.nodes[index].id;
        let facts = NodeFacts { ask_per_gray, ..self.state.book.nodes[&node].facts.clone() };
        self.apply(Event::NodeMet { node, facts });
    }

    fn apply(&mut self, event: Event) {
        let mut effects = step(&mut self.state, event);
        // The bank and the trusted renderer answer at once.
        while let Some(effect) = effects.pop() {
            let event = match effect {
                Effect::Move { seq, .. } => Event::Moved { seq, now_ms: self.now_ms },
                Effect::Check(check) => answer(&check, self.now_ms),
                Effect::JobEnded(job) => {
                    let place = self.open.remove(&job);
                    place.into_iter().for_each(|at| self.orders[at].done_ms = Some(self.now_ms));
                    continue;
                }
            };
            effects.extend(step(&mut self.state, event));
        }
    }

    fn tick(&mut self) {
        for event in plan::due(&self.state, self.now_ms) {
            self.apply(event);
        }
        let here = || self.nodes.iter().filter(|node| node.is_here);
        let all: f64 = here().map(|node| node.speed).sum();
        let busy: f64 = here().filter(|node| !node.idle).map(|node| node.speed).sum();
        let signal = scheduler::core::gauge::signal(&self.state, self.now_ms);
        self.moments.push(Moment {
            at_ms: self.now_ms,
            base: self.state.book.base_per_gray.micro() as f64 / 1e6,
            busy: busy / all,
            line_ms: signal.line_ms(),
        });
        self.waking = true;
        self.queue_in(60_000, Happening::Tick);
    }

    fn arrival(&mut self) {
        // Most that this artist pays, tokens per billion rays: 14 in the middle, seldom above 50.
        let most = (14e6 * (0.6 * self.normal()).exp()) as u128;
        self.artist(most, 0);
        let speed: f64 = self.nodes.iter().map(|node| node.speed).sum();
        let per_job = FRAMES_MEAN * TILES * UNIT_RAYS;
        let per_ms = LOAD * self.demand * speed / per_job / 1e3;
        let wait_ms = -(1.0 - self.uniform()).ln() / per_ms;
        self.queue_in(wait_ms as u64, Happening::Arrival);
    }

    fn artist(&mut self, most: u128, looks: u32) {
        let base = self.state.book.base_per_gray.micro();
        if base > most {
            if looks >= LOOKS {
                self.gone_elsewhere += 1;
            } else {
                let wait_ms = HOUR_MS / 2 + (self.uniform() * HOUR_MS as f64) as u64;
                self.queue_in(wait_ms, Happening::Artist { most, looks: looks + 1 });
            }
            return;
        }
        // One in five is in a hurry, and bids half as much again where that is not too much.
        let bid = base * 3 / 2;
        let hurries = self.uniform() < 0.2 && bid <= most;
        self.order(hurries.then_some(Tokens::from_micro(bid)));
    }

    fn order(&mut self, bid: Option<Tokens>) {
        let frames = 1 + (self.uniform() * 2.0 * (FRAMES_MEAN - 0.5)) as u32;
        let spec = JobSpec {
            name: "simulated".to_owned(),
            scene: SceneId([0; 32]),
            settings: RenderSettings {
                size: Size::new(64, 64),
                samples: 128,
                ..RenderSettings::default()
            },
            more_cameras: Vec::new(),
            frames: FrameRange { first: 1, last: frames, step: 1, fps: 24.0 },
            tile_side_px: 16,
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        };
        let bound = SampleCost { closest: UNIT_RAYS / UNIT_SAMPLES, shadow: 0.0 };
        let memory = protocol::Footprint::default();
        let probe =
            Probe { bound, mean: bound, shots: 3, pixels: 1_024, weight_percent: 100, memory };
        let book = &self.state.book;
        let terms = Terms {
            reach: protocol::Reach::default(),
            prices: &self.prices,
            rules: &book.policy.market,
            base_per_gray: book.base_per_gray,
            offer: Offer { bid, ..Offer::default() },
        };
        let id = book.secret.quote_id(1, self.orders.len() as u64);
        let quoted =
            quote::quote(&spec, &Kept::default(), &probe, terms, id, self.now_ms).expect("a price");
        let artist = PublicKey([200; 32]);
        let (quote, price) = (quoted.quote.id, quoted.quote.price);
        let schedule = Schedule::default();
        let order = Order { quote, spec: spec.digest(), price, artist, schedule };
        let job = protocol::lease::job_id(&order);
        let bid = bid.is_some();
        self.open.insert(job, self.orders.len());
        let ordered_ms = self.now_ms;
        self.orders.push(Ordering { ordered_ms, begun_ms: None, done_ms: None, bid });
        self.apply(Event::Ordered(Box::new(Ordered {
            job,
            spec,
            quote: quoted.quote,
            schedule: Schedule::default(),
            batches: BatchLengths { chunks_max: 8, growing: false },
            order: Signed::new(&order, &self.key),
            artist,
            now_ms: self.now_ms,
        })));
        self.waking = true;
    }

    /// Every idle node asks, in an order of chance.
    fn wake(&mut self) {
        let mut idle: Vec<usize> = (0..self.nodes.len())
            .filter(|&index| self.nodes[index].idle && self.nodes[index].is_here)
            .collect();
        for place in (1..idle.len()).rev() {
            let other = (self.uniform() * (place + 1) as f64) as usize;
            idle.swap(place, other);
        }
        // When nothing waits, only races are left, and a few of the idle are enough to see to them.
        let mut refused: BTreeSet<u128> = BTreeSet::new();
        for index in idle {
            let ask = self.nodes[index].cost.micro() / 1_000_000;
            if refused.len() > 40 || refused.contains(&ask) && refused.len() > 8 {
                continue;
            }
            if !self.take(index) {
                refused.insert(ask);
            }
        }
    }

    fn take(&mut self, index: usize) -> bool {
        self.nodes[index].idle = true;
        if !self.nodes[index].is_here {
            return false;
        }
        let id = self.nodes[index].id;
        let Some(event) = plan::next_grant(&self.state, id, self.now_ms) else { return false };
        let Event::Granted { lease, job, .. } = event else { return false };
        self.apply(event);
        if let Some(&at) = self.open.get(&job) {
            self.orders[at].begun_ms.get_or_insert(self.now_ms);
        }
        self.nodes[index].idle = false;
        let took_ms = (UNIT_RAYS / self.nodes[index].speed * 1e3) as u64;
        let begun_ms = self.now_ms;
        self.queue_in(took_ms, Happening::Film { node: index, lease, begun_ms });
        true
    }

    fn film(&mut self, index: usize, lease: LeaseId, begun_ms: u64) {
        self.nodes[index].busy_ms += self.now_ms - begun_ms;
        let node = self.nodes[index].id;
        if let Some(record) = self.state.book.leases.get(&lease) {
            let unit = self.state.book.jobs[&record.job].units[record.unit_index as usize].unit;
            let root = Digest::of("film", &[&protocol::encode(&unit)]);
            let rays = RayCount { closest: UNIT_RAYS as u64, shadow: 0 };
            let piece = self.state.book.jobs[&record.job].spec.piece(unit, ENGINE);
            let piece = piece.expect("a unit of its job").digest();
            let commitment = Commitment { lease, node, piece, root, rays, engine: ENGINE };
            let commitment = Signed::new(&commitment, &self.key);
            self.films += 1;
            self.apply(Event::Committed { lease, root, rays, commitment, now_ms: self.now_ms });
        }
        self.take(index);
    }

    fn queue_in(&mut self, wait_ms: u64, happening: Happening) {
        self.queued += 1;
        self.queue.push(Reverse((self.now_ms + wait_ms, self.queued, happening)));
    }

    /// A number below one; the generator is Vigna's SplitMix64.
    fn uniform(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number of the normal distribution (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// The trusted renderer's answer: everybody is honest here.
fn answer(check: &Check, now_ms: u64) -> Event {
    let outcome = CheckOutcome::Passed { pixels: 136 };
    match &check.kind {
        CheckKind::Challenge { film, challenge } => {
            Event::Judged { lease: film.lease, round: challenge.round, outcome, now_ms }
        }
        CheckKind::Recheck { film, .. } => Event::Rechecked { lease: film.lease, outcome, now_ms },
        CheckKind::Noise { .. } => unreachable!("no job of these has a noise target"),
        CheckKind::Trial { films } => {
            let held = |film: &FilmRef| Tried { lease: film.lease, differing: 0, evidence: None };
            let (job, unit_index) = (check.piece.unit.job, check.unit_index);
            Event::Tried { job, unit_index, films: films.iter().map(held).collect(), now_ms }
        }
        CheckKind::Appeal { .. } | CheckKind::Dispute { .. } => {
            unreachable!("nobody doubts anybody in this market")
        }
    }
}
