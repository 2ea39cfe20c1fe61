//! A farm in one thread: a journal that can lose its tail, a bank, nodes of every character.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ledger::journal::Fold as _;
use ledger::{Account, Code, Transfer, account};
use protocol::{
    BatchLengths, Class, Commitment, Digest, Engine, Equipment, Footprint, JobId, JobSpec, LeaseId,
    Needs, NodeId, NoiseTarget, Offer, Order, Probed, PublicKey, Quote, QuoteId, RayCount, Refusal,
    RenderSettings, SceneId, Schedule, Signed, SigningKey, Size, Tokens, Unit, VerdictKind,
};
use scheduler::core::{
    Book, Challenged, Check, CheckKind, CheckOutcome, Durability, Effect, Event, FilmRef, Finding,
    JobPhase, LeasePhase, NodeFacts, Ordered, Policy, Secret, State, Tried, kept, may_appeal,
    outstanding, plan, step, verifiers, view,
};
use scheduler::money;

use crate::bank::Bank;

mod invariants;
pub mod people;

/// Random numbers of a seed.
pub struct Dice(blake3::OutputReader);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof())
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What a node is like.
#[derive(Debug, Clone, Copy)]
pub struct Character {
    pub class: Class,
    /// Films that are wrong, of a hundred.
    pub forges_percent: u64,
    /// Accepted units before the first that may be.
    pub good_units: u64,
    /// Leases that are never answered, of a hundred.
    pub sleeps_percent: u64,
    /// What it says of others' films.
    pub says: Says,
}

/// What a verifier says of a film.
#[derive(Debug, Clone, Copy)]
pub enum Says {
    /// What it has rendered.
    Truth,
    /// Of every film that it is good.
    Good,
    /// Of one in ten the contrary of what it has rendered.
    Lies,
}

pub struct Node {
    pub id: NodeId,
    pub character: Character,
    pub leases: Vec<LeaseId>,
}

/// An artist's program that asks for news of a job again and again.
#[derive(Default)]
struct Watcher {
    after: u64,
    told: BTreeMap<Unit, Digest>,
}

/// What an artist wants.
pub struct Wanted {
    /// How much of the work the price is enough for.
    pub percent: u64,
    pub price_per_gray: Tokens,
    pub offer: Offer,
    pub samples: u32,
    pub base: Option<JobId>,
    pub noise: Option<NoiseTarget>,
    pub needs: Needs,
    pub memory: Footprint,
    pub schedule: Schedule,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            percent: 140,
            price_per_gray: Tokens::from_whole(1_000),
            offer: Offer::default(),
            samples: 40,
            base: None,
            noise: None,
            needs: Needs::default(),
            memory: Footprint::default(),
            schedule: Schedule::default(),
        }
    }
}

pub struct World {
    pub state: State,
    pub bank: Bank,
    pub nodes: Vec<Node>,
    pub now_ms: u64,
    pub dice: Dice,
    pub crashes: u32,
    pub trials: u32,
    pub reopened: u32,
    /// Of these, films of jobs that were done.
    pub reopened_done: u32,
    /// Good films that the verifier refuses: a machine that is sick now and then.
    pub faults_percent: u64,
    /// Films that the disk loses before they are judged, of a hundred checks.
    pub loses_percent: u64,
    /// How many it has lost.
    pub lost: u32,
    /// Checks of films that the farm itself cannot render, of a hundred.
    pub unrenderable_percent: u64,
    /// Challenges, and trials, that were given up for it.
    pub given_up: (u32, u32),
    /// Whether nodes come back with other equipment, or without.
    pub reequips: bool,
    /// Leases, and looks at others' films, of jobs that are not for every node.
    pub chosen: u32,
    /// Whether owners of nodes appeal, and put tokens at risk.
    pub owners_act: bool,
    /// Bad films of a convict's that a second look misses.
    pub recheck_missed_percent: u64,
    /// Challenges that verifiers get where there are some, of a hundred.
    pub entrusts_percent: u64,
    /// Films that verifiers have looked at.
    pub found: u32,
    /// Accepted films that were looked at again because who vouched for them was wrong elsewhere.
    pub doubted: u32,
    pub disputes: u32,
    /// Looks at the noise of tiles.
    pub looks: u32,
    /// Of these, by artists who were right.
    pub disputes_won: u32,
    stakes_made: u32,
    policy: Policy,
    pub journal: Vec<Vec<u8>>,
    synced: usize,
    held_back: Vec<Effect>,
    moves: VecDeque<(u64, Vec<Transfer>)>,
    checks: Vec<Check>,
    /// Checks that verifiers have.
    entrusted: Vec<(Challenged, (NodeId, PublicKey))>,
    /// Films that a trusted render has confirmed.
    confirmed: BTreeSet<(Unit, Digest)>,
    /// Commitments acknowledged to their nodes, until they are settled.
    acknowledged: BTreeMap<LeaseId, JobId>,
    settled: BTreeSet<LeaseId>,
    watchers: BTreeMap<JobId, Watcher>,
}

const ENGINE: Engine = Engine(1);

pub fn truth(unit: &Unit, class: Class) -> Digest {
    Digest::of("truth", &[&protocol::encode(unit), &protocol::encode(&class)])
}

/// After how many chunks a tile has as little noise as this: four times as many for half of it.
pub fn quiet_after(unit: &Unit, target: NoiseTarget) -> u32 {
    let tile = Digest::of("noise", &[&protocol::encode(&(unit.shot, unit.tile))]);
    let times = if target.threshold() < 0.1 { 4 } else { 1 };
    times << (tile.0[0] % 5)
}

fn rays(unit: &Unit) -> RayCount {
    let weight = u64::from(truth(unit, Class::Exact).0[0]) + 20;
    RayCount { closest: weight * 1_000, shadow: weight * 500 }
}

pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub fn public(number: u8) -> PublicKey {
    protocol::sign::public_key(&key(number))
}

impl World {
    pub fn new(seed: u64, characters: &[(u8, Character)], policy: Policy) -> Self {
        let mut world = Self {
            state: State::new(Secret::new([9; 32])),
            bank: Bank::default(),
            nodes: Vec::new(),
            now_ms: 1_000_000,
            dice: Dice::new(seed),
            crashes: 0,
            trials: 0,
            reopened: 0,
            reopened_done: 0,
            faults_percent: 0,
            loses_percent: 0,
            lost: 0,
            unrenderable_percent: 0,
            given_up: (0, 0),
            reequips: false,
            chosen: 0,
            owners_act: false,
            recheck_missed_percent: 5,
            entrusts_percent: 0,
            found: 0,
            doubted: 0,
            disputes: 0,
            looks: 0,
            disputes_won: 0,
            stakes_made: 0,
            policy,
            journal: Vec::new(),
            synced: 0,
            held_back: Vec::new(),
            moves: VecDeque::new(),
            checks: Vec::new(),
            entrusted: Vec::new(),
            confirmed: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            settled: BTreeSet::new(),
            watchers: BTreeMap::new(),
        };
        world.start();
        let seed_money = Tokens::from_whole(100);
        world.apply(Event::ReserveSeeded { scheduler: public(0), amount: seed_money });
        for (index, &(owner, character)) in characters.iter().enumerate() {
            let id = NodeId(public(100 + index as u8).0);
            let facts = NodeFacts {
                equipment: Equipment::default(),
                name: format!("node {index}"),
                backend: "cpu".to_owned(),
                engine: ENGINE,
                owner: public(owner),
                rays_per_second: 1_000_000,
                ask_per_gray: Tokens::ZERO,
            };
            world.nodes.push(Node { id, character, leases: Vec::new() });
            world.apply(Event::NodeMet { node: id, facts });
            world.apply(Event::Qualified { node: id, class: character.class });
            world.apply(Event::Heard { node: id, now_ms: world.now_ms });
        }
        world
    }

    pub fn issue(&mut self, to: Account, amount: Tokens, cause: u8) {
        let id = ledger::transfer_id("test grant", &[&[cause]]);
        let grant = Transfer::posted(id, (account::issuance(), to), amount, Code::Grant);
        self.bank.apply(&[grant]).expect("issuance may");
    }

    /// An order as the shell makes it, with a price that is enough for `percent` of the work.
    pub fn order(&mut self, artist: u8, number: u8, percent: u64) -> JobId {
        self.order_at(artist, number, percent, Tokens::from_whole(1_000), Offer::default())
    }

    /// The same at a price of its own.
    pub fn order_at(
        &mut self,
        artist: u8,
        number: u8,
        percent: u64,
        price_per_gray: Tokens,
        offer: Offer,
    ) -> JobId {
        self.place(artist, number, Wanted { percent, price_per_gray, offer, ..Wanted::default() })
    }

    /// An order of any kind.
    pub fn place(&mut self, artist: u8, number: u8, wanted: Wanted) -> JobId {
        let Wanted {
            percent,
            price_per_gray,
            offer,
            samples,
            base,
            noise,
            needs,
            memory,
            schedule,
        } = wanted;
        let spec = JobSpec {
            name: format!("job {number}"),
            scene: SceneId([0; 32]),
            settings: RenderSettings {
                size: Size::new(80, 48),
                samples,
                ..RenderSettings::default()
            },
            more_cameras: vec![protocol::CameraChoice::Named("left".to_owned())],
            frames: protocol::FrameRange { first: 0, last: 1, step: 1, fps: 24.0 },
            tile_side_px: 16,
            base,
            noise,
            needs,
        };
        let kept = kept(&self.state.book, public(artist), &spec).expect("a base that may be");
        let batches = BatchLengths { chunks_max: 2, growing: schedule.progressive };
        let units =
            scheduler::split(JobId([0; 16]), &spec, batches, &kept).expect("small").len() as u64;
        // The heaviest unit has a weight of 275, the average one of 147.
        let counted = RayCount { closest: units * 1_650 * percent, shadow: units * 825 * percent };
        let work = money::price_for(counted, price_per_gray).expect("small");
        let (fee, reserve) = (money::share(work, 5, 100), money::share(work, 10, 100));
        let quote = Quote {
            id: QuoteId([number; 16]),
            spec: spec.digest(),
            price: money::plus(work, money::plus(fee, reserve)),
            work,
            setup: Tokens::from_micro(4_000),
            fee,
            reserve,
            checking: Tokens::ZERO,
            offer,
            base_per_gray: self.state.book.base_per_gray,
            price_per_gray,
            weight_percent: 100,
            samples: kept.missing(&spec).samples,
            rays: counted,
            probed: Probed::default(),
            memory,
            reach: protocol::Reach::default(),
            valid_until_ms: u64::MAX,
        };
        let order = Order {
            quote: quote.id,
            spec: quote.spec,
            price: quote.price,
            artist: public(artist),
            schedule: schedule.clone(),
        };
        let job = protocol::lease::job_id(&order);
        self.apply(Event::Ordered(Box::new(Ordered {
            job,
            spec,
            quote,
            schedule,
            batches,
            order: Signed::new(&order, &key(artist)),
            artist: public(artist),
            now_ms: self.now_ms,
        })));
        job
    }

    /// A node asks for more from now on.
    pub fn ask(&mut self, index: usize, ask_per_gray: Tokens) {
        let node = self.nodes[index].id;
        let facts = NodeFacts { ask_per_gray, ..self.state.book.nodes[&node].facts.clone() };
        self.apply(Event::NodeMet { node, facts });
    }

    /// A node has this from now on.
    pub fn equip(&mut self, index: usize, equipment: Equipment) {
        let node = self.nodes[index].id;
        let facts = NodeFacts { equipment, ..self.state.book.nodes[&node].facts.clone() };
        self.apply(Event::NodeMet { node, facts });
    }

    /// A node gets a lease and answers it at once, well; whose job it was.
    pub fn work_one(&mut self, index: usize) -> Option<JobId> {
        let node = self.nodes[index].id;
        let event = plan::next_grant(&self.state, node, self.now_ms)?;
        let Event::Granted { lease, job, unit_index, .. } = event.clone() else {
            panic!("a plan is a grant")
        };
        self.apply(event);
        self.commit(index, lease, job, unit_index);
        Some(job)
    }

    pub fn commit(&mut self, index: usize, lease: LeaseId, job: JobId, unit_index: u32) {
        let unit = self.state.book.jobs[&job].units[unit_index as usize].unit;
        let (root, rays) = (truth(&unit, self.nodes[index].character.class), rays(&unit));
        let commitment = self.signed(index, lease, &unit, root);
        self.apply(Event::Committed { lease, root, rays, commitment, now_ms: self.now_ms });
        self.acknowledged.insert(lease, job);
    }

    /// A node's word on its film.
    fn signed(
        &self,
        index: usize,
        lease: LeaseId,
        unit: &Unit,
        root: Digest,
    ) -> Signed<Commitment> {
        let piece = self.state.book.jobs[&unit.job].spec.piece(*unit, ENGINE);
        let piece = piece.expect("a unit of its job").digest();
        let (node, rays) = (self.nodes[index].id, rays(unit));
        let commitment = Commitment { lease, node, piece, root, rays, engine: ENGINE };
        Signed::new(&commitment, &key(100 + index as u8))
    }

    /// The bank and the verifier do all they have to do.
    pub fn settle_all(&mut self) {
        while !(self.moves.is_empty() && self.checks.is_empty() && self.entrusted.is_empty()) {
            self.bank_works();
            self.verifier_works();
            self.sync();
        }
    }

    /// Applies an event as the shell does: the journal first, effects after their fsync.
    pub fn apply(&mut self, event: Event) {
        let durability = event.durability();
        if durability > Durability::Volatile {
            self.journal.push(protocol::encode(&event));
        }
        let effects = step(&mut self.state, event);
        self.held_back.extend(effects);
        if durability == Durability::Sync {
            self.sync();
        }
    }

    pub fn sync(&mut self) {
        self.synced = self.journal.len();
        for effect in std::mem::take(&mut self.held_back) {
            match effect {
                Effect::Move { seq, transfers } => self.moves.push_back((seq, transfers)),
                Effect::Check(check) => self.checks.push(*check),
                Effect::JobEnded(_) => {}
            }
        }
    }

    fn start(&mut self) {
        let policy = self.policy.clone();
        self.apply(Event::Started { policy, engine: ENGINE, now_ms: self.now_ms });
    }

    /// A `kill -9`: memory is gone, and with it whatever of the journal was not fsynced.
    pub fn crash(&mut self) {
        self.crashes += 1;
        let unsynced = (self.journal.len() - self.synced) as u64;
        let kept = self.synced + self.dice.below(unsynced + 1) as usize;
        self.journal.truncate(kept);
        self.held_back.clear();
        self.moves.clear();
        self.checks.clear();
        self.entrusted.clear();
        self.state = self.replayed();
        let again = outstanding(&self.state.book);
        self.start();
        // What the start itself asks for is in the outbox by now, and comes after.
        self.held_back.clear();
        for effect in again {
            match effect {
                Effect::Move { seq, transfers } => self.moves.push_front((seq, transfers)),
                Effect::Check(check) => self.checks.push(*check),
                Effect::JobEnded(_) => {}
            }
        }
        let mut moves: Vec<_> = self.moves.drain(..).collect();
        moves.sort_by_key(|(seq, _)| *seq);
        self.moves = moves.into();
        for index in 0..self.nodes.len() {
            if self.dice.percent(70) {
                let node = self.nodes[index].id;
                self.apply(Event::Heard { node, now_ms: self.now_ms });
            }
        }
    }

    /// The state that the journal gives, by way of a snapshot somewhere in it.
    pub fn replayed(&self) -> State {
        let secret = Secret::new([9; 32]);
        let mut state = State::begin(&secret);
        let snapshot_at = self.journal.len() * 2 / 3;
        for (seq, entry) in (0..).zip(&self.journal) {
            if seq == snapshot_at as u64 {
                let mut image = Vec::new();
                state.write_image(&mut image);
                let restored = State::from_image(&secret, seq, &image).expect("our own image");
                assert_eq!(restored.book, state.book, "of {seq} events");
                assert_eq!(restored.live.rendered, state.live.rendered, "of {seq} events");
                state = restored;
            }
            state.take_in(seq, entry).expect("our own bytes");
        }
        state
    }

    /// Every job's artist hears what is new. What is told may rest on events that a crash takes
    /// back: only what must be synced is held back by the shell.
    fn watch(&mut self) {
        for &job in self.state.book.jobs.keys() {
            let watcher = self.watchers.entry(job).or_default();
            let Some(update) = view::update(&self.state, job, watcher.after, self.now_ms) else {
                continue;
            };
            watcher.after = update.next;
            for film in update.accepted {
                watcher.told.insert(film.unit, film.root);
            }
        }
    }

    /// Who watched a job all along, through every crash, knows all of its films.
    fn assert_all_was_told(&mut self) {
        self.watch();
        for job in self.state.book.jobs.values() {
            let told = &self.watchers[&job.id].told;
            for unit in &job.units {
                if let Some(accepted) = &unit.accepted {
                    assert_eq!(told.get(&unit.unit), Some(&accepted.film.root), "{:?}", unit.unit);
                }
            }
        }
    }
}
