//! What nodes do: work, beat, hang, leave, come back.

use std::collections::VecDeque;

use protocol::{
    BackendKind, Class, Digest, Equipment, GivenBack, JobId, LeaseId, Needs, NodeId, Pool,
    PublicKey, RayCount, Tokens, Unit,
};
use scheduler::core::{Event, LeasePhase, LeasePurse, NodeFacts};

use super::farm::{ENGINE, Farm, Happening};
use super::report::Waste;
use super::tails::Step;

/// Speed of the middle node, rays a millisecond.
pub const SPEED: f64 = 8e3;
/// Time between heartbeats, milliseconds.
const BEAT_MS: u64 = 10_000;
/// How long a node is here, and away, on average, milliseconds.
const STAY_MS: f64 = 3_600_000.0;
const AWAY_MS: f64 = 900_000.0;
/// Films of all that take much longer: somebody uses the machine meanwhile.
const STRAGGLES: f64 = 0.005;
const STRAGGLER_FACTOR: f64 = 8.0;
/// Films of all during which the machine hangs and says nothing any more.
const HANGS: f64 = 0.001;
/// Films of a cheat that are forged.
const FORGES: f64 = 0.3;

/// The least memory of a node, bytes.
const GIGABYTES_4: u64 = 4_000_000_000;

/// A lease that a node has.
pub struct SimLease {
    pub id: LeaseId,
    pub job: JobId,
    pub unit_index: u32,
    pub rays: f64,
}

pub struct SimNode {
    pub id: NodeId,
    /// Rays a millisecond.
    pub speed: f64,
    pub is_cheat: bool,
    pub is_here: bool,
    pub is_idle: bool,
    /// Rays that it has rendered, whatever became of them.
    pub rendered: f64,
    leases: VecDeque<SimLease>,
    /// When it began with the first of them, and how fast it is at it.
    begun_ms: u64,
    pace: f64,
    /// What the ideal farm counts it for: its pace while it works, its speed while it is idle.
    counted: f64,
    /// The speed that it lets lie.
    idle: f64,
    turn: u32,
    stay: u32,
}

impl Farm {
    pub(super) fn add_node(&mut self, number: u32) {
        let id = NodeId(*blake3::hash(&number.to_le_bytes()).as_bytes());
        // A long tail to both sides: one in a hundred is six times faster, one in a hundred six times
        // slower; none is a hundredth of the middle.
        let speed = SPEED * (0.8 * self.random.normal()).exp().clamp(0.05, 20.0);
        let is_cheat = self.random.chance(self.settings.cheats_percent / 100.0);
        let is_new = self.random.chance(self.settings.newcomers_percent / 100.0);
        // Most owners have a node or two, some dozens.
        let owners = f64::from(self.settings.nodes) / 2.0;
        let owner = (owners * self.random.uniform().powi(2)) as u32;
        let owner = PublicKey(Digest::of("owner", &[&owner.to_le_bytes()]).0);
        let ask_per_gray = Tokens::from_micro((self.random.uniform() * 5e6) as u128);
        let facts = NodeFacts {
            equipment: equipment(number),
            name: format!("node {number}"),
            backend: "cpu".to_owned(),
            engine: ENGINE,
            owner,
            rays_per_second: (speed * 1e3) as u64,
            ask_per_gray,
        };
        self.apply(Event::NodeMet { node: id, facts });
        self.apply(Event::Qualified { node: id, class: Class::Exact });
        if !is_new {
            // The farm is not new: most nodes have a name and have shown what they can do.
            let film_ms = (self.settings.unit_ms * SPEED / speed) as u64;
            let start_ms = self.now_ms.saturating_sub(film_ms);
            let node = self.state.book.nodes.get_mut(&id).expect("it was met");
            (node.granted, node.accepted, node.accepted_for_others) = (200, 200, 200);
            let centirays = (speed * film_ms as f64 * 100.0) as u128;
            node.pace.observe(centirays, start_ms, self.now_ms);
        }
        self.numbers.insert(id, number);
        self.nodes.push(SimNode {
            id,
            speed,
            is_cheat,
            is_here: false,
            is_idle: false,
            rendered: 0.0,
            leases: VecDeque::new(),
            begun_ms: 0,
            pace: speed,
            counted: 0.0,
            idle: 0.0,
            turn: 0,
            stay: 0,
        });
        let wait_ms = self.random.wait_ms(AWAY_MS);
        // The part of all nodes that is here at any time.
        if self.random.chance(STAY_MS / (STAY_MS + AWAY_MS)) {
            self.come(number);
        } else {
            self.queue_in(wait_ms, Happening::Return { node: number });
        }
    }

    pub(super) fn come(&mut self, number: u32) {
        let node = &mut self.nodes[number as usize];
        if node.is_here || self.state.book.nodes[&node.id].barred {
            return;
        }
        (node.is_here, node.stay) = (true, node.stay + 1);
        let (id, stay, speed) = (node.id, node.stay, node.speed);
        self.count(number, speed);
        self.apply(Event::Heard { node: id, now_ms: self.now_ms });
        let (beat_ms, stay_ms) = (1 + self.random.next() % BEAT_MS, self.random.wait_ms(STAY_MS));
        self.queue_in(beat_ms, Happening::Beat { node: number, stay });
        self.queue_in(stay_ms, Happening::Leave { node: number, stay });
        self.ask(number);
    }

    /// Asks for leases; whether it has any. Who has none is idle.
    pub(super) fn ask(&mut self, number: u32) -> bool {
        let id = self.nodes[number as usize].id;
        while let Some((id, job, unit_index)) = self.grant(id) {
            let order = &mut self.orders[self.jobs[&job] as usize];
            order.begun_ms.get_or_insert(self.now_ms);
            let rays = order.unit_rays(unit_index);
            let lease = SimLease { id, job, unit_index, rays };
            self.nodes[number as usize].leases.push_back(lease);
            if self.nodes[number as usize].leases.len() == 1 {
                self.begin(number);
            }
        }
        let node = &mut self.nodes[number as usize];
        if node.leases.is_empty() && node.is_here && !std::mem::replace(&mut node.is_idle, true) {
            let speed = node.speed;
            self.idle.push_back(number);
            self.count(number, speed);
        }
        self.count_idle(number);
        !self.nodes[number as usize].leases.is_empty()
    }

    fn count_idle(&mut self, number: u32) {
        let node = &mut self.nodes[number as usize];
        let is_idle = node.is_here && node.leases.is_empty();
        let idle = if is_idle { node.speed } else { 0.0 };
        let change = idle - std::mem::replace(&mut node.idle, idle);
        self.idleness.change(self.now_ms, change);
    }

    /// Begins with the first lease.
    fn begin(&mut self, number: u32) {
        let hangs = self.random.chance(HANGS);
        let slower = if self.random.chance(STRAGGLES) { STRAGGLER_FACTOR } else { 1.0 };
        let jitter = (0.1 * self.random.normal()).exp();
        let node = &mut self.nodes[number as usize];
        let Some(lease) = node.leases.front() else { return };
        node.turn += 1;
        node.begun_ms = self.now_ms;
        node.pace = node.speed / slower / jitter;
        let took_ms = (lease.rays / node.pace).max(1.0) as u64;
        let (turn, stay, pace) = (node.turn, node.stay, node.pace);
        let of = (lease.job, lease.unit_index);
        self.count(number, pace);
        self.note(of, Step::Begun { node: number, takes_ms: took_ms });
        if hangs {
            self.hang(number, took_ms / 2, stay);
        } else {
            self.queue_in(took_ms, Happening::Film { node: number, turn });
        }
    }

    /// A machine that somebody uses meanwhile is slower for the ideal farm as well.
    fn count(&mut self, number: u32, pace: f64) {
        let node = &mut self.nodes[number as usize];
        let change = pace - std::mem::replace(&mut node.counted, pace);
        self.ideal.speed(self.now_ms, change);
    }

    /// Half of the film is done when the machine hangs; nobody hears of it.
    fn hang(&mut self, number: u32, after_ms: u64, stay: u32) {
        self.queue_in(after_ms, Happening::Leave { node: number, stay: stay | 1 << 31 });
    }

    /// Stops what a node is at; the work is lost.
    fn stop(&mut self, number: u32, why: Waste) {
        let node = &mut self.nodes[number as usize];
        if node.leases.pop_front().is_none() {
            return;
        }
        node.turn += 1;
        let rays = node.pace * (self.now_ms - node.begun_ms) as f64;
        node.rendered += rays;
        self.tally.waste(why, rays);
    }

    pub(super) fn film(&mut self, number: u32, turn: u32) {
        let node = &mut self.nodes[number as usize];
        if node.turn != turn || !node.is_here {
            return;
        }
        let Some(lease) = node.leases.pop_front() else { return };
        node.turn += 1;
        node.rendered += lease.rays;
        let (id, is_cheat) = (node.id, node.is_cheat);
        self.note((lease.job, lease.unit_index), Step::Film { node: number });
        let record = self.state.book.leases.get(&lease.id);
        match record.filter(|record| record.node == id && record.phase == LeasePhase::Out) {
            None => self.tally.waste(Waste::Late, lease.rays),
            Some(record) => {
                let is_twin = record.purse == LeasePurse::Reserve;
                let forges = is_cheat && self.random.chance(FORGES);
                let unit = self.state.book.jobs[&lease.job].units[lease.unit_index as usize].unit;
                let root = if forges { forged(&unit, id) } else { truth(&unit) };
                let rays = RayCount { closest: lease.rays as u64, shadow: 0 };
                self.tally.film(forges, is_twin, lease.rays);
                let (commitment, now_ms, lease) = (self.word.clone(), self.now_ms, lease.id);
                self.apply(Event::Committed { lease, root, rays, commitment, now_ms });
            }
        }
        if self.nodes[number as usize].is_here {
            self.begin(number);
            self.ask(number);
        }
    }

    pub(super) fn beat(&mut self, number: u32, stay: u32) {
        let node = &self.nodes[number as usize];
        if !node.is_here || node.stay != stay {
            return;
        }
        if self.state.book.nodes[&node.id].barred {
            self.remove(number);
            return;
        }
        let (id, now_ms) = (node.id, self.now_ms);
        let mine: Vec<LeaseId> = node.leases.iter().map(|lease| lease.id).collect();
        self.apply(Event::Heard { node: id, now_ms });
        for (place, lease) in mine.into_iter().enumerate() {
            let is_mine = |lease| self.state.book.leases.get(lease).is_some_and(|it| it.node == id);
            if is_mine(&lease) {
                self.apply(Event::Beat { node: id, lease, now_ms });
            } else if place == 0 {
                self.stop(number, Waste::Raced);
                self.begin(number);
            } else {
                self.nodes[number as usize].leases.retain(|it| it.id != lease);
            }
        }
        self.ask(number);
        self.queue_in(BEAT_MS, Happening::Beat { node: number, stay });
    }

    /// A node leaves: it says so, or its connection is gone, or it hangs.
    pub(super) fn leave(&mut self, number: u32, stay: u32) {
        let hangs = stay >> 31 == 1;
        let node = &self.nodes[number as usize];
        if !node.is_here || node.stay != stay & !(1 << 31) {
            return;
        }
        let (id, now_ms) = (node.id, self.now_ms);
        let says_so = !hangs && self.random.chance(0.7);
        let leases: Vec<LeaseId> = node.leases.iter().map(|lease| lease.id).collect();
        let units: Vec<_> = node.leases.iter().map(|it| (it.job, it.unit_index)).collect();
        units.into_iter().for_each(|of| self.note(of, Step::Gone { node: number }));
        self.stop(number, Waste::Left);
        if says_so {
            for lease in leases {
                self.apply(Event::Released { lease, why: GivenBack::Undone, now_ms });
            }
        }
        if !hangs {
            self.apply(Event::Gone { node: id, now_ms });
        }
        self.remove(number);
        let wait_ms = self.random.wait_ms(AWAY_MS);
        self.queue_in(wait_ms, Happening::Return { node: number });
        self.waking = true;
    }

    /// A node is no longer here, or never again.
    pub(super) fn remove(&mut self, number: u32) {
        let node = &mut self.nodes[number as usize];
        if std::mem::take(&mut node.is_here) {
            node.leases.clear();
            node.turn += 1;
            self.count(number, 0.0);
            self.count_idle(number);
        }
    }
}

/// Half of the nodes have a GPU, of 4 to 16 GB, and a third of all are in a pool.
fn equipment(number: u32) -> Equipment {
    let backend = if number.is_multiple_of(2) { BackendKind::Gpu } else { BackendKind::Cpu };
    let memory_bytes = Some(GIGABYTES_4 << (number % 3));
    let pools = number.is_multiple_of(3).then(pool).into_iter().collect();
    Equipment { backend, memory_bytes, pools }
}

fn pool() -> Pool {
    "third".parse().expect("a name")
}

impl Farm {
    /// What a job needs that is not for every node.
    pub(super) fn draw_needs(&mut self) -> Needs {
        let any = Needs::default();
        match (self.random.uniform() * 4.0) as u32 {
            0 => Needs { pool: Some(pool()), ..any },
            1 => Needs { backend: Some(BackendKind::Gpu), ..any },
            2 => Needs { backend: Some(BackendKind::Cpu), memory_bytes: 2 * GIGABYTES_4, ..any },
            _ => {
                let some = self.nodes.iter().step_by(self.nodes.len().div_ceil(20));
                let owners = some.map(|node| self.state.book.nodes[&node.id].facts.owner);
                Needs { owners: owners.collect(), ..any }
            }
        }
    }
}

pub fn truth(unit: &Unit) -> Digest {
    Digest::of("film", &[&protocol::encode(unit)])
}

fn forged(unit: &Unit, node: NodeId) -> Digest {
    Digest::of("forged", &[&protocol::encode(unit), &node.0])
}
