//! How many lease decisions one core makes a second, with the journal on a real disk: appended as the
//! desk does, and fsynced once for up to 256 requests that came together.
//!
//! ```text
//! decisions [--nodes N ...] [--turns 40] [--jobs 100]
//! ```
//!
//! Every node has a lease while it is measured. *Grants* are polls that get a lease. *Whole lives* are
//! those with all that follows: the film, its check, its payments, pay that ages, and the desk's look at
//! its deadlines twice a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ledger::journal::{AppendError, Journal, Options};
use protocol::{
    BatchLengths, Class, Commitment, Digest, Engine, FrameRange, JobSpec, LeaseId, NodeId, Offer,
    Order, PublicKey, RayCount, RenderSettings, SceneId, Schedule, Signed, SigningKey, Size,
    Tokens, wire,
};
use scheduler::Kept;
use scheduler::core::{
    CheckKind, CheckOutcome, Durability, Effect, Event, NodeFacts, Ordered, Policy, Secret, State,
    plan, step,
};
use scheduler::quote::{self, Prices, Probe, SampleCost, Terms};

const ENGINE: Engine = Engine(1);
/// Requests that share an fsync, as at the desk.
const TOGETHER: usize = 256;
/// Tiles of a frame.
const TILES: u32 = 64;

/// How long a node is at a unit, milliseconds.
const FILM_MS: u64 = 12_800;

struct Desk {
    state: State,
    journal: Journal,
    now_ms: u64,
    effects: Vec<Effect>,
    word: Signed<Commitment>,
    key: SigningKey,
}

impl Desk {
    fn apply(&mut self, event: Event) {
        if event.durability() > Durability::Volatile {
            let bytes = wire::encode(&event);
            if let Err(AppendError::Full { .. }) = self.journal.append(&bytes) {
                self.journal.sync().expect("a disk");
                self.journal.append(&bytes).expect("an empty line");
            }
        }
        self.effects.extend(step(&mut self.state, event));
    }

    fn grant(&mut self, node: NodeId) -> Option<LeaseId> {
        self.apply(Event::Heard { node, now_ms: self.now_ms });
        let event = plan::next_grant(&self.state, node, self.now_ms)?;
        let Event::Granted { lease, .. } = event else { return None };
        self.apply(event);
        Some(lease)
    }

    fn commit(&mut self, lease: LeaseId) {
        let root = Digest::of("film", &[&lease.0]);
        let rays = RayCount { closest: 100_000_000, shadow: 0 };
        let (commitment, now_ms) = (self.word.clone(), self.now_ms);
        self.apply(Event::Committed { lease, root, rays, commitment, now_ms });
    }

    /// The bank and the trusted renderer answer, until there is nothing more to answer.
    fn settle(&mut self) {
        self.journal.sync().expect("a disk");
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                match effect {
                    Effect::Move { seq, .. } => {
                        self.apply(Event::Moved { seq, now_ms: self.now_ms });
                    }
                    Effect::Check(check) => {
                        let CheckKind::Challenge { film, challenge } = check.kind else { continue };
                        let outcome = CheckOutcome::Passed { pixels: challenge.pixels };
                        let (round, now_ms) = (challenge.round, self.now_ms);
                        self.apply(Event::Judged { lease: film.lease, round, outcome, now_ms });
                    }
                    Effect::JobEnded(_) => {}
                }
            }
            self.journal.sync().expect("a disk");
        }
    }

    fn order(&mut self, number: u64, frames: u32) {
        let spec = JobSpec {
            name: format!("job {number}"),
            scene: SceneId([0; 32]),
            settings: RenderSettings {
                size: Size::new(128, 128),
                samples: 16,
                ..RenderSettings::default()
            },
            more_cameras: Vec::new(),
            frames: FrameRange { first: 1, last: frames, step: 1, fps: 24.0 },
            tile_side_px: 16,
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        };
        let bound = SampleCost { closest: 25_000.0, shadow: 0.0 };
        let memory = protocol::Footprint::default();
        let probe =
            Probe { bound, mean: bound, shots: 3, pixels: 1_024, weight_percent: 100, memory };
        let book = &self.state.book;
        let terms = Terms {
            reach: protocol::Reach::default(),
            prices: &Prices::default(),
            rules: &book.policy.market,
            base_per_gray: book.base_per_gray,
            offer: Offer::default(),
        };
        let id = book.secret.quote_id(1, number);
        let quoted =
            quote::quote(&spec, &Kept::default(), &probe, terms, id, self.now_ms).expect("a price");
        let artist = PublicKey([200; 32]);
        let (quote, price) = (quoted.quote.id, quoted.quote.price);
        let schedule = Schedule::default();
        let order = Order { quote, spec: spec.digest(), price, artist, schedule };
        self.apply(Event::Ordered(Box::new(Ordered {
            job: protocol::lease::job_id(&order),
            spec,
            quote: quoted.quote,
            schedule: Schedule::default(),
            batches: BatchLengths { chunks_max: 1, growing: false },
            order: Signed::new(&order, &self.key),
            artist,
            now_ms: self.now_ms,
        })));
        self.settle();
    }
}

/// A farm of nodes that are known and here, each with a lease, and jobs with work for all of them.
fn farm(
    dir: &std::path::Path,
    nodes: usize,
    jobs: usize,
    turns: usize,
) -> (Desk, VecDeque<NodeId>) {
    let key = SigningKey::from_bytes(&[1; 32]);
    let options = Options::new("decisions").signed_by(key.clone());
    let (journal, _) = Journal::open(dir, options).expect("an empty folder");
    let (lease, node, zero) = (LeaseId([0; 16]), NodeId([0; 32]), Digest([0; 32]));
    let rays = RayCount::default();
    let word = Commitment { lease, node, piece: zero, root: zero, rays, engine: ENGINE };
    let word = Signed::new(&word, &key);
    let state = State::new(Secret::new([9; 32]));
    let mut desk = Desk { state, journal, now_ms: 1_000_000, effects: Vec::new(), word, key };
    let policy = Policy::default();
    desk.apply(Event::Started { policy, engine: ENGINE, now_ms: desk.now_ms });
    let amount = Tokens::from_whole(1_000_000);
    desk.apply(Event::ReserveSeeded { scheduler: PublicKey([0; 32]), amount });
    // So much that all nodes are of use, and prefetch.
    let units = 6 * nodes + (turns + 1) * TOGETHER;
    let frames = (units / jobs / TILES as usize + 1) as u32;
    (0..jobs).for_each(|number| desk.order(number as u64, frames));
    let mut ids = VecDeque::new();
    for number in 0..nodes {
        let id = NodeId(*blake3::hash(&number.to_le_bytes()).as_bytes());
        let facts = NodeFacts {
            equipment: protocol::Equipment::default(),
            name: format!("node {number}"),
            backend: "cpu".to_owned(),
            engine: ENGINE,
            owner: id.into(),
            rays_per_second: 8_000_000,
            ask_per_gray: Tokens::from_whole(number as u64 % 8),
        };
        desk.apply(Event::NodeMet { node: id, facts });
        desk.apply(Event::Qualified { node: id, class: Class::Exact });
        // Newcomers' first units all have twins; these have a name already.
        let node = desk.state.book.nodes.get_mut(&id).expect("it was met");
        (node.granted, node.accepted, node.accepted_for_others) = (200, 200, 200);
        ids.push_back(id);
    }
    for &id in &ids {
        desk.apply(Event::Heard { node: id, now_ms: desk.now_ms });
    }
    for &id in &ids {
        desk.grant(id).expect("work for all");
    }
    desk.settle();
    desk.now_ms += FILM_MS;
    (desk, ids)
}

fn measure(nodes: usize, jobs: usize, turns: usize) {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut desk, mut ids) = farm(dir.path(), nodes, jobs, turns);
    let (mut granting, mut living, mut granted) = (Duration::ZERO, Duration::ZERO, 0_u32);
    let mut looked = Instant::now();
    for _ in 0..turns {
        let begun = Instant::now();
        let asking: Vec<NodeId> = ids.drain(..TOGETHER.min(ids.len())).collect();
        for &id in &asking {
            granted += u32::from(desk.grant(id).is_some());
        }
        desk.journal.sync().expect("a disk");
        granting += begun.elapsed();
        // Each answers a lease that it had.
        let out: Vec<LeaseId> = asking.iter().filter_map(|id| lease_of(&desk.state, *id)).collect();
        let answered = Instant::now();
        // What all nodes together need for so many units.
        desk.now_ms += FILM_MS * asking.len() as u64 / nodes as u64;
        out.into_iter().for_each(|lease| desk.commit(lease));
        desk.settle();
        if looked.elapsed() > Duration::from_millis(500) {
            looked = Instant::now();
            plan::due(&desk.state, desk.now_ms).into_iter().for_each(|event| desk.apply(event));
            desk.settle();
        }
        living += answered.elapsed();
        ids.extend(asking);
    }
    let rate = |time: Duration| f64::from(granted) / time.as_secs_f64();
    println!(
        "| {nodes} | {jobs} | {granted} | {:.0} | {:.0} |",
        rate(granting),
        rate(granting + living)
    );
}

/// A lease that a node has not answered. What is measured does not search for it.
fn lease_of(state: &State, id: NodeId) -> Option<LeaseId> {
    let of_node = |lease: &&scheduler::core::LeaseRecord| {
        lease.node == id && lease.phase == scheduler::core::LeasePhase::Out
    };
    state.book.leases.values().find(of_node).map(|lease| lease.id)
}

fn main() -> Result<(), String> {
    let (mut sizes, mut turns, mut jobs) = (Vec::new(), 40, 100);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--bench" {
            continue;
        }
        let text = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let value = text.parse::<usize>().map_err(|error| format!("{word} {text}: {error}"))?;
        match word.as_str() {
            "--nodes" => sizes.push(value.clamp(2 * TOGETHER, 1_000_000)),
            "--turns" => turns = value.clamp(1, 100_000),
            "--jobs" => jobs = value.clamp(1, 10_000),
            _ => return Err(format!("there is no {word}; see the top of benches/decisions.rs")),
        }
    }
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    println!("| nodes | jobs | leases | grants a second | whole lives a second |");
    println!("| --- | --- | --- | --- | --- |");
    sizes.into_iter().for_each(|nodes| measure(nodes, jobs, turns));
    Ok(())
}
