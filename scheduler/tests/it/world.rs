//! A farm in one thread: a journal that can lose its tail, a bank, nodes of every character.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ledger::{Account, Code, Transfer, account};
use protocol::{
    Class, Commitment, Digest, Engine, JobId, JobSpec, LeaseId, NodeId, Offer, Order, Probed,
    PublicKey, Quote, QuoteId, RayCount, Refusal, RenderSettings, SceneId, Signed, SigningKey,
    Size, Tokens, Unit, VerdictKind,
};
use scheduler::core::{
    Book, Check, CheckKind, CheckOutcome, Durability, Effect, Event, FilmRef, JobPhase, NodeFacts,
    Ordered, Policy, Secret, State, Tried, may_appeal, outstanding, plan, step, view,
};
use scheduler::money;

use crate::bank::Bank;

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
    /// Leases that are never answered, of a hundred.
    pub sleeps_percent: u64,
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
    /// Whether owners of nodes appeal, and put tokens at risk.
    pub owners_act: bool,
    /// Bad films of a convict's that a second look misses.
    pub recheck_missed_percent: u64,
    pub disputes: u32,
    /// Of these, by artists who were right.
    pub disputes_won: u32,
    stakes_made: u8,
    policy: Policy,
    journal: Vec<Vec<u8>>,
    synced: usize,
    held_back: Vec<Effect>,
    moves: VecDeque<(u64, Vec<Transfer>)>,
    checks: Vec<Check>,
    /// Films that a trusted render has confirmed.
    confirmed: BTreeSet<(Unit, Digest)>,
    /// Commitments acknowledged to their nodes, until they are settled.
    acknowledged: BTreeSet<LeaseId>,
    settled: BTreeSet<LeaseId>,
    watchers: BTreeMap<JobId, Watcher>,
}

const ENGINE: Engine = Engine(1);

pub fn truth(unit: &Unit, class: Class) -> Digest {
    Digest::of("truth", &[&protocol::encode(unit), &protocol::encode(&class)])
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
            owners_act: false,
            recheck_missed_percent: 5,
            disputes: 0,
            disputes_won: 0,
            stakes_made: 0,
            policy,
            journal: Vec::new(),
            synced: 0,
            held_back: Vec::new(),
            moves: VecDeque::new(),
            checks: Vec::new(),
            confirmed: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            settled: BTreeSet::new(),
            watchers: BTreeMap::new(),
        };
        world.start();
        let seed_money = Tokens::from_whole(100);
        world.apply(Event::ReserveSeeded { scheduler: public(0), amount: seed_money });
        for (index, &(owner, character)) in characters.iter().enumerate() {
            let id = NodeId(public(100 + index as u8).0);
            let facts = NodeFacts {
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
        let spec = JobSpec {
            name: format!("job {number}"),
            scene: SceneId([0; 32]),
            settings: RenderSettings {
                size: Size::new(80, 48),
                samples: 40,
                ..RenderSettings::default()
            },
            more_cameras: vec![protocol::CameraChoice::Named("left".to_owned())],
            frames: protocol::FrameRange { first: 0, last: 1, step: 1, fps: 24.0 },
            tile_side_px: 16,
        };
        let units = scheduler::split(JobId([0; 16]), &spec, 2).expect("small").len() as u64;
        // The heaviest unit has a weight of 275, the average one of 147.
        let counted = RayCount { closest: units * 1_650 * percent, shadow: units * 825 * percent };
        let work = money::price_for(counted, price_per_gray).expect("small");
        let (fee, reserve) = (money::share(work, 5, 100), money::share(work, 10, 100));
        let quote = Quote {
            id: QuoteId([number; 16]),
            spec: spec.digest(),
            price: money::plus(work, money::plus(fee, reserve)),
            work,
            setup: Tokens::ZERO,
            fee,
            reserve,
            checking: Tokens::ZERO,
            offer,
            base_per_gray: self.state.book.base_per_gray,
            price_per_gray,
            weight_percent: 100,
            rays: counted,
            probed: Probed::default(),
            valid_until_ms: u64::MAX,
        };
        let order =
            Order { quote: quote.id, spec: quote.spec, price: quote.price, artist: public(artist) };
        let job = protocol::lease::job_id(&order);
        self.apply(Event::Ordered(Box::new(Ordered {
            job,
            spec,
            quote,
            setup_per_frame: Tokens::from_micro(1_000),
            chunks_per_batch: 2,
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

    fn commit(&mut self, index: usize, lease: LeaseId, job: JobId, unit_index: u32) {
        let unit = self.state.book.jobs[&job].units[unit_index as usize].unit;
        let (root, rays) = (truth(&unit, self.nodes[index].character.class), rays(&unit));
        let commitment = self.signed(index, lease, &unit, root);
        self.apply(Event::Committed { lease, root, rays, commitment, now_ms: self.now_ms });
        self.acknowledged.insert(lease);
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
        while !self.moves.is_empty() || !self.checks.is_empty() {
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

    /// The state that the journal gives.
    pub fn replayed(&self) -> State {
        let mut state = State::new(Secret::new([9; 32]));
        for entry in &self.journal {
            let event: Event = protocol::decode(entry, 1 << 20).expect("our own bytes");
            step(&mut state, event);
        }
        state
    }

    /// One thing happens.
    pub fn turn(&mut self) {
        match self.dice.below(100) {
            0..30 => self.node_asks(),
            30..55 => self.node_answers(),
            55..75 => self.bank_works(),
            75..92 => self.verifier_works(),
            92..96 => {
                self.now_ms += self.dice.below(4_000);
                for event in plan::due(&self.state, self.now_ms) {
                    self.apply(event);
                }
                self.sync();
            }
            _ => self.connection_changes(),
        }
        if self.owners_act && self.dice.percent(10) {
            self.owner_acts();
        }
        self.watch();
    }

    /// Every job's artist hears what is new. What is told may rest on events that a crash takes
    /// back: only what must be synced is held back by the shell.
    fn watch(&mut self) {
        for &job in self.state.book.jobs.keys() {
            let watcher = self.watchers.entry(job).or_default();
            let Some(update) = view::update(&self.state.book, job, watcher.after) else { continue };
            watcher.after = update.next;
            for film in update.accepted {
                let unit = Unit { job, shot: film.shot, tile: film.tile, batch: film.batch };
                watcher.told.insert(unit, film.root);
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

    fn pick(&mut self) -> usize {
        self.dice.below(self.nodes.len() as u64) as usize
    }

    fn node_asks(&mut self) {
        let index = self.pick();
        let node = self.nodes[index].id;
        if !self.state.live.connected.contains_key(&node) {
            return;
        }
        if let Some(event) = plan::next_grant(&self.state, node, self.now_ms) {
            let Event::Granted { lease, job, unit_index, .. } = event.clone() else {
                panic!("a plan is a grant")
            };
            self.assert_not_both_twins(node, job, unit_index);
            self.apply(event);
            self.nodes[index].leases.push(lease);
        }
    }

    /// Nodes of one owner never hold both films of a unit.
    fn assert_not_both_twins(&self, node: NodeId, job: JobId, unit_index: u32) {
        let book = &self.state.book;
        let owner = book.nodes[&node].facts.owner;
        for lease in &book.jobs[&job].units[unit_index as usize].leases {
            assert_ne!(book.nodes[&book.leases[lease].node].facts.owner, owner);
        }
    }

    fn node_answers(&mut self) {
        let index = self.pick();
        let Some(lease) = self.nodes[index].leases.pop() else { return };
        let Node { id, character, .. } = self.nodes[index];
        if self.dice.percent(character.sleeps_percent) {
            return;
        }
        // As the shell: an unknown lease, or somebody else's, is refused.
        let Some(record) = self.state.book.leases.get(&lease).filter(|l| l.node == id) else {
            return;
        };
        if record.committed().is_some() {
            return;
        }
        let unit = self.state.book.jobs[&record.job].units[record.unit_index as usize].unit;
        if character.forges_percent > 0 && self.dice.percent(3) {
            let root = Digest([0; 32]);
            let (refusal, evidence, now_ms) = (Refusal::Shape, None, self.now_ms);
            self.apply(Event::Tripped { lease, root, refusal, evidence, now_ms });
            self.settled.insert(lease);
            return;
        }
        let forged = self.dice.percent(character.forges_percent);
        let root = if forged {
            Digest::of("forged", &[&protocol::encode(&unit), &id.0])
        } else {
            truth(&unit, character.class)
        };
        let rays = rays(&unit);
        let commitment = self.signed(index, lease, &unit, root);
        self.apply(Event::Committed { lease, root, rays, commitment, now_ms: self.now_ms });
        self.acknowledged.insert(lease);
    }

    fn bank_works(&mut self) {
        let Some((seq, transfers)) = self.moves.pop_front() else { return };
        match self.bank.apply(&transfers) {
            Ok(()) => self.apply(Event::Moved { seq, now_ms: self.now_ms }),
            Err(refusal) => {
                let unfunded = match transfers[0].credit {
                    Account::Escrow(job) => Event::Unfunded { job },
                    Account::Stake(_) => Event::StakeUnfunded { seq },
                    Account::Reserve => Event::DisputeUnfunded { seq },
                    _other => panic!("{} has not enough for {transfers:?}", refusal.account),
                };
                self.apply(unfunded);
            }
        }
    }

    fn outcome(&mut self, unit: &Unit, film: &FilmRef, missed_percent: u64) -> CheckOutcome {
        let good = film.root == truth(unit, film.class);
        if good || self.dice.percent(missed_percent) {
            self.confirmed.insert((*unit, film.root));
            return CheckOutcome::Passed { pixels: 136 };
        }
        let refusal = Refusal::Pixels { differing: 7, checked: 136, x: 0, y: 0 };
        CheckOutcome::Refused { refusal, evidence: Some(Digest([9; 32])) }
    }

    /// Somebody appeals, puts tokens at risk or asks for them back.
    fn owner_acts(&mut self) {
        let index = self.pick();
        let node = &self.state.book.nodes[&self.nodes[index].id];
        let (id, owner) = (node.id, node.facts.owner);
        let book = &self.state.book;
        match self.dice.below(4) {
            3 => self.artist_doubts(),
            0 => {
                let convictions = book.convictions.iter();
                let own = convictions.filter(|(_, it)| it.node == id).map(|(lease, _)| *lease);
                let appealed: Vec<LeaseId> =
                    own.filter(|lease| may_appeal(book, owner, *lease).is_ok()).collect();
                for lease in appealed {
                    self.apply(Event::Appealed { lease });
                }
            }
            1 => {
                self.stakes_made += 1;
                let (amount, id) = (Tokens::from_whole(1), [self.stakes_made; 16]);
                self.apply(Event::Staked { owner, amount, id });
            }
            _ => {
                let (amount, now_ms) = (Tokens::from_micro(700_000), self.now_ms);
                self.apply(Event::Unstaked { owner, amount, now_ms });
            }
        }
    }

    /// An artist has an accepted tile rendered once more.
    fn artist_doubts(&mut self) {
        let jobs: Vec<JobId> = self.state.book.jobs.keys().copied().collect();
        let job = jobs[self.dice.below(jobs.len() as u64) as usize];
        let units = self.state.book.jobs[&job].units.len() as u64;
        let unit_index = self.dice.below(units) as u32;
        let unit = &self.state.book.jobs[&job].units[unit_index as usize];
        if unit.accepted.as_ref().is_some_and(|accepted| !accepted.disputed) {
            self.disputes += 1;
            self.apply(Event::Disputed { job, unit_index });
        }
    }

    fn verifier_works(&mut self) {
        if self.checks.is_empty() {
            return;
        }
        let index = self.dice.below(self.checks.len() as u64) as usize;
        let check = self.checks.swap_remove(index);
        let now_ms = self.now_ms;
        match check.kind {
            CheckKind::Challenge { film, challenge } => {
                let round = challenge.round;
                let mut outcome = self.outcome(&check.piece.unit, &film, 60);
                if self.faults_percent > 0 && self.dice.percent(self.faults_percent) {
                    let refusal = Refusal::Pixels { differing: 1, checked: 136, x: 9, y: 9 };
                    outcome = CheckOutcome::Refused { refusal, evidence: None };
                }
                self.apply(Event::Judged { lease: film.lease, round, outcome, now_ms });
            }
            CheckKind::Recheck { film, .. } => {
                let missed_percent = self.recheck_missed_percent;
                let outcome = self.outcome(&check.piece.unit, &film, missed_percent);
                let is_bad = matches!(outcome, CheckOutcome::Refused { .. });
                let was_done = self.state.book.jobs[&check.piece.unit.job].phase == JobPhase::Done;
                self.reopened += u32::from(is_bad);
                self.reopened_done += u32::from(is_bad && was_done);
                self.apply(Event::Rechecked { lease: film.lease, outcome, now_ms });
            }
            CheckKind::Dispute { film } => {
                let outcome = self.outcome(&check.piece.unit, &film, 0);
                self.disputes_won += u32::from(matches!(outcome, CheckOutcome::Refused { .. }));
                self.apply(Event::DisputeHeard { lease: film.lease, outcome, now_ms });
            }
            CheckKind::Appeal { film } => {
                let holds = film.root == truth(&check.piece.unit, film.class);
                self.apply(Event::AppealHeard { lease: film.lease, holds });
            }
            CheckKind::Trial { films } => {
                self.trials += 1;
                let films = films
                    .iter()
                    .map(|film| {
                        let good = film.root == truth(&check.piece.unit, film.class);
                        let differing = u32::from(!good) * 9;
                        Tried { lease: film.lease, differing, evidence: None }
                    })
                    .collect();
                let (job, unit_index) = (check.piece.unit.job, check.unit_index);
                self.apply(Event::Tried { job, unit_index, films, now_ms });
            }
        }
    }

    fn connection_changes(&mut self) {
        let index = self.pick();
        let node = self.nodes[index].id;
        if self.dice.percent(30) {
            self.apply(Event::Gone { node, now_ms: self.now_ms });
        } else {
            self.apply(Event::Heard { node, now_ms: self.now_ms });
            let leases = self.nodes[index].leases.clone();
            for lease in leases {
                self.apply(Event::Beat { node, lease, now_ms: self.now_ms });
            }
            if self.dice.percent(5)
                && let Some(lease) = self.nodes[index].leases.pop()
            {
                self.apply(Event::Released { lease, now_ms: self.now_ms });
            }
        }
    }

    /// Whether every job is over, and no film of one is being checked once more.
    pub fn all_over(&self) -> bool {
        let book = &self.state.book;
        book.active.is_empty() && book.rechecks.is_empty() && book.disputes.is_empty()
    }

    /// What must hold whatever happens.
    pub fn assert_invariants(&self) {
        let book = &self.state.book;
        for job in book.jobs.values() {
            let mut accepted = 0;
            for unit in &job.units {
                if let Some(in_use) = &unit.accepted {
                    accepted += 1;
                    assert!(
                        self.confirmed.contains(&(unit.unit, in_use.film.root)),
                        "accepted without a check"
                    );
                }
                // A film, its twin, and one that races a slow one.
                assert!(unit.leases.len() <= 3);
            }
            assert_eq!(accepted, job.units_accepted);
            assert!(job.available <= job.quote.price && job.spent <= job.quote.price);
        }
        for node in book.nodes.values().filter(|node| node.barred) {
            assert!(node.holds.is_empty(), "a convict's pay is held on");
            assert!(book.leases.values().all(|lease| lease.node != node.id));
        }
        // What a node had under way when it was convicted went to others.
        let was_barred = |node: &scheduler::core::Node| {
            let won = |verdict: &protocol::Verdict| {
                matches!(verdict.kind, VerdictKind::Overturned { .. })
            };
            node.barred || node.verdicts.iter().any(won)
        };
        for lease in self.acknowledged.difference(&self.settled) {
            let judged = book
                .nodes
                .values()
                .any(|node| was_barred(node) || node.verdicts.iter().any(|v| v.lease == *lease));
            assert!(judged || book.leases.contains_key(lease), "an acknowledged film was lost");
        }
    }

    /// What must hold once nothing is under way.
    pub fn assert_settled(&mut self) {
        self.sync();
        while !self.moves.is_empty() {
            self.bank_works();
            self.sync();
        }
        let book = &self.state.book;
        assert!(book.outbox.is_empty() && book.leases.is_empty() && book.rechecks.is_empty());
        for job in book.jobs.values() {
            assert_eq!(self.bank.posted(account::escrow(job.id)), 0, "escrow of {}", job.id);
            assert_eq!(money::plus(job.spent, job.refunded), job.quote.price);
        }
        assert_eq!(self.bank.available(account::reserve()), book.reserve);
        self.assert_risk_adds_up(book);
        self.assert_pay_matches(book);
        self.assert_all_was_told();
    }

    /// On the appeal account is what was taken and may go back, and what is to render bad films
    /// anew: nothing is left there for ever. Stakes are where the book says.
    fn assert_risk_adds_up(&self, book: &Book) {
        let taken = book.convictions.values().map(|it| it.taken.micro() + it.stake.micro());
        let units = book.jobs.values().flat_map(|job| &job.units);
        let anew = units.map(|unit| unit.clawed_back.micro());
        let on_appeal = taken.chain(anew).sum::<u128>();
        assert_eq!(self.bank.posted(account::appeal()), on_appeal as i128);
        for (&owner, stake) in &book.stakes {
            let sum = stake.amount.micro() + stake.leaving.micro();
            assert_eq!(self.bank.posted(account::stake(owner)), sum as i128);
        }
    }

    /// The bank holds for each node what the book says it holds.
    fn assert_pay_matches(&self, book: &Book) {
        let mut earned = BTreeMap::<PublicKey, u128>::new();
        for node in book.nodes.values() {
            let held: u128 = node.holds.values().map(|hold| hold.amount.micro()).sum();
            assert_eq!(self.bank.posted(account::held(node.id)), held as i128);
            *earned.entry(node.facts.owner).or_default() += node.earned.micro();
        }
        for (owner, sum) in earned {
            let (wallet, stake) = (account::wallet(owner), account::stake(owner));
            let flow = |from, to| self.bank.flow(from, to) as i128;
            let other = flow(account::issuance(), wallet) + flow(stake, wallet);
            let expected = sum as i128 + other - flow(wallet, stake);
            assert_eq!(self.bank.posted(wallet), expected);
        }
    }
}
