//! The run: what happens when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use ledger::{Code, Transfer, account};
use protocol::{
    Commitment, Digest, Engine, JobId, LeaseId, NodeId, PublicKey, RayCount, Signed, SigningKey,
    Tokens,
};
use scheduler::core::{
    Challenged, Check, Durability, Effect, Event, Policy, Secret, State, plan, step,
};

use super::ideal::{Ideal, Idleness};
use super::money::Bank;
use super::nodes::SimNode;
use super::orders::Order;
use super::random::Random;
use super::report::Tally;
use super::tails::{Step, Steps, Tail};

pub const ENGINE: Engine = Engine(1);
/// Time between two looks at what has come due, milliseconds.
const TICK_MS: u64 = 500;
/// Happenings from one word on how far it is to the next.
const EVENTS_PER_WORD: u64 = 1 << 21;
/// Idle nodes that ask in vain before the rest is left in peace.
const REFUSALS_MAX: u32 = 8;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Settings {
    pub nodes: u32,
    pub jobs: u32,
    pub seed: u64,
    /// Units of all jobs, for each node.
    pub units_per_node: f64,
    /// How long the middle node is at the middle unit, milliseconds.
    pub unit_ms: f64,
    /// Challenges that the trusted renderer answers a second.
    pub checks_per_second: f64,
    /// Nodes of a hundred that forge films.
    pub cheats_percent: f64,
    /// Nodes of a hundred that are new to the farm.
    pub newcomers_percent: f64,
    /// Jobs of a hundred that are for certain nodes only.
    pub needs_percent: f64,
    /// A check of every invariant after so many events, for small farms.
    pub verify_every: Option<u64>,
    /// So many of the longest tails are told.
    pub tails: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nodes: 2_000,
            jobs: 50,
            seed: 1,
            units_per_node: 40.0,
            unit_ms: 10_000.0,
            checks_per_second: 400.0,
            cheats_percent: 1.0,
            newcomers_percent: 1.0,
            needs_percent: 0.0,
            verify_every: None,
            tails: 0,
        }
    }
}

/// What is to come.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// The film that a node is at is done; `turn` tells an older plan of the node from this.
    Film {
        node: u32,
        turn: u32,
    },
    Beat {
        node: u32,
        stay: u32,
    },
    Leave {
        node: u32,
        stay: u32,
    },
    Return {
        node: u32,
    },
    Order {
        number: u32,
    },
    Moved {
        seq: u64,
    },
    /// The trusted renderer has answered the first check in its line.
    Checked,
    /// A verifier has answered.
    Found {
        number: u64,
    },
    Tick,
}

pub struct Farm {
    pub settings: Settings,
    pub state: State,
    pub nodes: Vec<SimNode>,
    pub orders: Vec<Order>,
    pub bank: Bank,
    pub ideal: Ideal,
    pub idleness: Idleness,
    pub tally: Tally,
    pub(super) steps: Option<Steps>,
    pub tails: Vec<Tail>,
    pub now_ms: u64,
    pub events: u64,
    /// Polls that got a lease, and the time that they took; then those that got none.
    pub granted: u64,
    pub granting: Duration,
    pub refused: u64,
    pub refusing: Duration,
    pub(super) random: Random,
    pub(super) numbers: BTreeMap<NodeId, u32>,
    pub(super) jobs: BTreeMap<JobId, u32>,
    pub(super) idle: VecDeque<u32>,
    pub(super) line: VecDeque<Check>,
    pub(super) free_ms: f64,
    pub(super) entrusted: BTreeMap<u64, (Challenged, (NodeId, PublicKey))>,
    pub(super) findings: u64,
    pub(super) key: SigningKey,
    pub(super) word: Signed<Commitment>,
    pub(super) waking: bool,
    ticked: bool,
    queue: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    queued: u64,
    moves: BTreeMap<u64, Vec<Transfer>>,
    decisions: blake3::Hasher,
    jobs_left: u32,
}

impl Farm {
    pub fn new(settings: Settings) -> Self {
        let key = SigningKey::from_bytes(&[1; 32]);
        let (lease, node, zero) = (LeaseId([0; 16]), NodeId([0; 32]), Digest([0; 32]));
        let rays = RayCount::default();
        // The shell has checked signatures before the core hears of a film: one stands for all.
        let word = Commitment { lease, node, piece: zero, root: zero, rays, engine: ENGINE };
        let mut farm = Self {
            state: State::new(Secret::new([9; 32])),
            nodes: Vec::new(),
            orders: Vec::new(),
            bank: Bank::default(),
            ideal: Ideal::default(),
            idleness: Idleness::default(),
            tally: Tally::default(),
            steps: (settings.tails > 0).then(Steps::default),
            tails: Vec::new(),
            now_ms: 1_000_000,
            events: 0,
            granted: 0,
            granting: Duration::ZERO,
            refused: 0,
            refusing: Duration::ZERO,
            random: Random::new(settings.seed),
            numbers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            idle: VecDeque::new(),
            line: VecDeque::new(),
            free_ms: 0.0,
            entrusted: BTreeMap::new(),
            findings: 0,
            word: Signed::new(&word, &key),
            key,
            waking: false,
            ticked: false,
            queue: BinaryHeap::new(),
            queued: 0,
            moves: BTreeMap::new(),
            decisions: blake3::Hasher::new(),
            jobs_left: settings.jobs,
            settings,
        };
        // What is held back in a run is released in it as well.
        let policy = Policy { hold_units: 16, ..Policy::default() };
        farm.apply(Event::Started { policy, engine: ENGINE, now_ms: farm.now_ms });
        let amount = Tokens::from_whole(1_000_000);
        farm.apply(Event::ReserveSeeded { scheduler: PublicKey([0; 32]), amount });
        let grant = Tokens::from_whole(1_000_000_000);
        let accounts = (account::issuance(), account::wallet(super::orders::artist()));
        let id = ledger::transfer_id("simulated grant", &[]);
        farm.bank.apply(&[Transfer::posted(id, accounts, grant, Code::Grant)]);
        (0..farm.settings.nodes).for_each(|number| farm.add_node(number));
        farm.plan_orders();
        farm.queue_in(TICK_MS, Happening::Tick);
        farm
    }

    /// Runs until every job is over and all money has come to rest.
    pub fn run(&mut self) {
        while self.jobs_left > 0 || !self.moves.is_empty() {
            let Some(Reverse((at_ms, _, happening))) = self.queue.pop() else { break };
            self.now_ms = at_ms;
            self.events += 1;
            if self.events.is_multiple_of(EVENTS_PER_WORD) {
                let Self { events, jobs_left, .. } = self;
                eprintln!("{} s in, {events} events, {jobs_left} jobs left", at_ms / 1_000);
            }
            match happening {
                Happening::Film { node, turn } => self.film(node, turn),
                Happening::Beat { node, stay } => self.beat(node, stay),
                Happening::Leave { node, stay } => self.leave(node, stay),
                Happening::Return { node } => self.come(node),
                Happening::Order { number } => self.order(number),
                Happening::Moved { seq } => {
                    let transfers = self.moves.remove(&seq).expect("moved once");
                    self.bank.apply(&transfers);
                    self.apply(Event::Moved { seq, now_ms: self.now_ms });
                }
                Happening::Checked => self.checked(),
                Happening::Found { number } => self.found(number),
                Happening::Tick => self.tick(),
            }
            let has_work = self.state.index.jobs_in_line() > 0;
            if std::mem::take(&mut self.waking) && (has_work || self.ticked) {
                self.ticked = false;
                self.wake();
            }
            let every = self.settings.verify_every;
            if every.is_some_and(|every| self.events.is_multiple_of(every)) {
                self.verify();
            }
        }
    }

    /// Whether every job was done.
    pub fn all_done(&self) -> bool {
        self.jobs_left == 0 && self.orders.iter().all(|order| order.is_done)
    }

    /// Stands for every decision of the run: two runs that decide alike have the same.
    pub fn digest(&self) -> String {
        self.decisions.finalize().to_hex().to_string()
    }

    /// What must hold at any moment.
    ///
    /// # Panics
    /// When it does not.
    pub fn verify(&self) {
        let book = &self.state.book;
        assert_eq!(self.state.index, self.state.indexed_anew());
        for job in book.jobs.values() {
            let accepted = job.units.iter().filter(|unit| unit.accepted.is_some()).count();
            assert_eq!(accepted, job.units_accepted as usize);
        }
        if self.moves.is_empty() {
            let escrows = book.jobs.values().map(|job| (account::escrow(job.id), job));
            for (escrow, job) in escrows {
                let held = job.available.micro() + job.reserved.micro();
                assert_eq!(self.bank.posted(escrow), held as i128, "escrow of {}", job.id);
            }
            for node in book.nodes.values() {
                let held = node.held().micro() as i128;
                assert_eq!(self.bank.posted(account::held(node.id)), held, "pay of {}", node.id);
            }
        }
        if self.jobs_left == 0 {
            assert!(self.bank.is_settled() && book.leases.is_empty(), "something is left");
        }
    }

    pub(super) fn apply(&mut self, event: Event) {
        if event.durability() > Durability::Volatile {
            self.decisions.update(&protocol::encode(&event));
        }
        let effects = step(&mut self.state, event);
        for effect in effects {
            match effect {
                Effect::Move { seq, transfers } => {
                    self.moves.insert(seq, transfers);
                    // The ledger's fsync.
                    self.queue_in(20, Happening::Moved { seq });
                }
                Effect::Check(check) => self.check(*check),
                Effect::JobEnded(job) => self.ended(job),
            }
        }
    }

    fn ended(&mut self, job: JobId) {
        let Some(&number) = self.jobs.get(&job) else { return };
        let record = &self.state.book.jobs[&job];
        let order = &mut self.orders[number as usize];
        // A film that is found wrong opens a job again.
        if order.ended_ms.is_none() {
            self.jobs_left -= 1;
        }
        order.is_done = record.phase == scheduler::core::JobPhase::Done;
        order.ended_ms = Some(self.now_ms);
        order.usual_ms = record.films_ms as f64 / record.films.max(1) as f64;
        self.note_tail(number);
    }

    fn tick(&mut self) {
        for event in plan::due(&self.state, self.now_ms) {
            self.apply(event);
        }
        self.watch_tails();
        (self.waking, self.ticked) = (true, true);
        self.queue_in(TICK_MS, Happening::Tick);
    }

    /// The next lease of a node, if there is one for it.
    pub(super) fn grant(&mut self, node: NodeId) -> Option<(LeaseId, JobId, u32)> {
        let begun = Instant::now();
        let event = plan::next_grant(&self.state, node, self.now_ms);
        let Some(Event::Granted { lease, job, unit_index, .. }) = event else {
            self.refusing += begun.elapsed();
            self.refused += 1;
            return None;
        };
        let is_for =
            self.state.book.is_for(&self.state.book.jobs[&job], &self.state.book.nodes[&node]);
        assert!(is_for, "{job} is not for {node}");
        self.apply(event?);
        self.granting += begun.elapsed();
        self.granted += 1;
        let unit = &self.state.book.jobs[&job].units[unit_index as usize];
        if unit.leases.len() == 1 && unit.failures == 0 {
            self.idleness.begun(self.now_ms);
        }
        if self.steps.is_some() {
            let book = &self.state.book;
            let (record, place) = (&book.leases[&lease], book.nodes[&node].out);
            let needs_ms = record.expected_ms - record.granted_ms;
            let is_race = book.jobs[&job].units[unit_index as usize].leases.len() > 1;
            let node = self.numbers[&node];
            self.note((job, unit_index), Step::Granted { node, place, needs_ms, is_race });
        }
        Some((lease, job, unit_index))
    }

    /// Idle nodes ask, who has waited longest first, until some ask in vain.
    fn wake(&mut self) {
        let mut refusals = 0;
        for _ in 0..self.idle.len() {
            let Some(node) = self.idle.pop_front() else { break };
            self.nodes[node as usize].is_idle = false;
            refusals += u32::from(self.nodes[node as usize].is_here && !self.ask(node));
            if refusals > REFUSALS_MAX {
                break;
            }
        }
    }

    pub(super) fn queue_in(&mut self, wait_ms: u64, happening: Happening) {
        self.queued += 1;
        self.queue.push(Reverse((self.now_ms + wait_ms, self.queued, happening)));
    }
}
