//! What the state looks like from outside. Views carry data and decide nothing.

use std::collections::BTreeMap;

use protocol::view::{
    AcceptedUnit, FarmView, HeldRow, JobStatus, JobSummary, JobUpdate, MarketView, NodeView,
    TileStatus,
};
use protocol::{
    Footprint, JobId, JobSpec, Lease, LeaseId, Needs, NodeId, PublicKey, Reach, Shot, ShotIndex,
    Tokens, Unit, Verdict, VerdictKind,
};

use crate::core::state::{
    Accepted, Book, Ending, Job, JobPhase, LeasePhase, Node, Pause, Stake, State, UnitState,
};
use crate::core::{gauge, kept_units};
use crate::market::base;
use crate::{money, reputation};

/// Accepted units in one update: what fits a message with room to spare.
const ACCEPTED_PER_UPDATE_MAX: usize = 2_000;

/// A lease as its node sees it; a twin's looks the same.
#[must_use]
pub fn lease(state: &State, id: LeaseId) -> Option<Lease> {
    let book = &state.book;
    let record = book.leases.get(&id)?;
    let job = &book.jobs[&record.job];
    let unit = job.units[record.unit_index as usize].unit;
    let deadline_ms = state.live.deadlines.get(&id);
    Some(Lease {
        id,
        node: record.node,
        piece: job.spec.piece(unit, job.engine)?,
        nonce_hash: Lease::nonce_hash(&book.secret.nonce(id)),
        pay_max: record.pay_max,
        deadline_ms: deadline_ms.unwrap_or(record.granted_ms + book.policy.lease_ms),
    })
}

/// A row of the job list.
#[must_use]
pub fn summary(job: &Job) -> JobSummary {
    let (status, reason) = standing(job);
    JobSummary {
        job: job.id,
        spec: job.spec.clone(),
        artist: job.artist,
        status,
        reason,
        priority: job.priority,
        stops_ms: job.stops_ms,
        wanted_by_ms: job.wanted_by_ms,
        done_ms: None,
        memory: job.quote.memory,
        nodes_here: None,
        units: job.units_wanted(),
        units_accepted: job.units_accepted,
        price: job.quote.price,
        price_per_gray: job.quote.price_per_gray,
        assurance: job.quote.offer.assurance,
        spent: job.spent_by_artist(),
        refunded: job.refunded,
        ordered_ms: job.ordered_ms,
        ended_ms: job.ended_ms,
        expired: job.expired,
        scene_dropped: job.scene_dropped,
    }
}

/// A row of the job list now: with when it is done, and why nobody is at it where no node may be.
#[must_use]
pub fn row(state: &State, job: &Job, now_ms: u64) -> JobSummary {
    let mut row = summary(job);
    row.done_ms = job.done_ms(now_ms);
    row.nodes_here = (!job.is_over()).then(|| nodes_here(state, job)).flatten();
    let unserved = || unserved(state, job).or_else(|| passed_over(state, job));
    row.reason = row.reason.take().or_else(unserved);
    row
}

/// Connected nodes that may render a job and can hold its scene.
fn nodes_here(state: &State, job: &Job) -> Option<u32> {
    let able = state.index.able_for(&job.demand)?;
    let book = &state.book;
    let is_passed_by =
        |id: &NodeId| job.is_passed_by(*id) || book.blocks.hold(job.artist, &book.nodes[id]);
    let passed_by = match book.passes_some_by(job) {
        true => able.ids().filter(|id| is_passed_by(id)).count(),
        false => 0,
    };
    Some((able.len() - passed_by) as u32)
}

/// Whether a job has units that want a film, and no node that is here may or will render them.
#[must_use]
pub fn is_unserved(state: &State, job: &Job) -> bool {
    unserved(state, job).is_some()
}

/// Whether nobody is at a job with units that want a film.
fn is_left(job: &Job) -> bool {
    job.is_offered() && job.leases == 0 && !job.waiting.is_empty()
}

/// Why nobody works for a job with units that want a film, as far as needs and asks say.
fn unserved(state: &State, job: &Job) -> Option<String> {
    let able = state.index.able_for(&job.demand).filter(|_| is_left(job))?;
    let (needs, here, all) = (&job.spec.needs, able.len(), state.index.able.len());
    let (memory, hold) = (job.quote.memory, nodes_here(state, job)?);
    let price = job.quote.price_per_gray;
    if all == 0 {
        return Some("no node that gets work is connected".to_owned());
    }
    if here > 0 && hold == 0 {
        let book = &state.book;
        let is_blocked = |id: &NodeId| book.blocks.hold(job.artist, &book.nodes[id]);
        let blocked = able.ids().filter(|id| is_blocked(id)).count();
        if blocked > 0 {
            let others = match here - blocked {
                0 => String::new(),
                others => format!(", and it does not fit into {others} or they do not want it"),
            };
            return Some(format!(
                "its artist has blocked {blocked} of the {here} connected nodes that may render it{others}; tessera nodes unblock lets some back"
            ));
        }
        return Some(match job.unwanted_by.is_empty() {
            false => format!(
                "none of the {here} connected nodes that may render it can hold its scene or wants to"
            ),
            true => format!(
                "its scene did not fit into the memory of any of the {here} connected nodes that may render it ({memory}); lower its textures or triangles, or wait for larger nodes"
            ),
        });
    }
    let lowest_ask = if !state.book.passes_some_by(job) {
        able.lowest_ask()
    } else {
        let nodes = able.ids().map(|id| &state.book.nodes[&id]);
        nodes.filter(|node| state.book.is_for(job, node)).map(|node| node.facts.ask_per_gray).min()
    };
    match lowest_ask {
        None if job.demand.memory == Footprint::default() => Some(format!(
            "no node that meets its needs is connected ({needs}); none of the {all} that are does"
        )),
        None if needs.is_nothing() => Some(format!(
            "no node that can hold its scene is connected ({memory}); none of the {all} that are can"
        )),
        None => Some(format!(
            "no node that meets its needs and can hold its scene is connected ({needs}; {memory}); none of the {all} that are does"
        )),
        Some(ask) if ask > price => Some(format!(
            "the {hold} connected nodes that may render it ask at least {ask} tokens per billion rays, and it pays {price}"
        )),
        Some(_) => None,
    }
}

/// That nodes have failed so often in a job that it waits for others.
fn passed_over(state: &State, job: &Job) -> Option<String> {
    if !is_left(job) {
        return None;
    }
    let max = state.book.policy.job_failures_per_node_max;
    let failed = job.failures.values().filter(|failures| **failures >= max).count();
    (failed > 0).then(|| {
        format!(
            "{failed} nodes have failed in it too often and others come first; tessera jobs retry lets them try again"
        )
    })
}

/// How many nodes may render an artist's job with these needs, whose scene takes so much memory.
#[must_use]
pub fn reach(state: &State, artist: PublicKey, needs: &Needs, memory: Footprint) -> Reach {
    let book = &state.book;
    let works =
        |node: &&Node| node.class.is_some() && !node.barred && node.facts.engine == book.engine;
    let mut reach = Reach::default();
    for node in book.nodes.values().filter(works) {
        let meets =
            needs.allow(node.facts.owner, &node.facts.equipment) && !book.blocks.hold(artist, node);
        let holds = meets && memory.fits(&node.facts.equipment);
        reach.known += 1;
        reach.meet += u32::from(meets);
        reach.hold += u32::from(holds);
        reach.here += u32::from(holds && state.live.connected.contains_key(&node.id));
    }
    reach
}

/// Where a job stands, and why where that says too little.
fn standing(job: &Job) -> (JobStatus, Option<String>) {
    let held = job.pause.map(|pause| match pause {
        Pause::Artist => "by you".to_owned(),
        Pause::After(other) => {
            format!("it was to begin after {other}, which ended before it was done; resume it to begin all the same, or cancel it")
        }
    });
    match &job.phase {
        JobPhase::Funding => (JobStatus::Waiting, None),
        // What was begun still comes in.
        JobPhase::Open if held.is_some() => (JobStatus::Paused, held),
        JobPhase::Open if job.units_accepted == 0 && job.leases == 0 => {
            let after: Vec<String> = job.after.iter().map(ToString::to_string).collect();
            let reason =
                (!after.is_empty()).then(|| format!("it begins after {}", after.join(", ")));
            (JobStatus::Waiting, reason)
        }
        // Until the last film is judged the money is not settled: the job is not over.
        JobPhase::Open => (JobStatus::Rendering, None),
        JobPhase::Closing(ending) => {
            let why = match ending {
                Ending::Failed(why) => why,
                Ending::Stopped => "you stopped it",
                Ending::Cancelled => "you cancelled it",
            };
            (JobStatus::Rendering, Some(format!("it ends when what nodes have begun is in: {why}")))
        }
        JobPhase::Done => (JobStatus::Done, None),
        JobPhase::Ended(Ending::Failed(why)) => (JobStatus::Failed, Some(why.clone())),
        JobPhase::Ended(Ending::Cancelled) => (JobStatus::Cancelled, None),
        JobPhase::Ended(Ending::Stopped) => (JobStatus::Stopped, None),
    }
}

/// A shot in words; its camera where there are several.
#[must_use]
pub fn shot_words(spec: &JobSpec, shot: ShotIndex) -> String {
    let Some(Shot { frame, view }) = spec.shot(shot) else { return format!("shot {}", shot.0) };
    match spec.camera(view) {
        Some(camera) if spec.view_count() > 1 => format!("frame {frame} of {camera}"),
        _ => format!("frame {frame}"),
    }
}

/// Where a job stands.
#[must_use]
pub fn status(job: &Job) -> JobStatus {
    standing(job).0
}

/// News of a job since version `after`.
#[must_use]
pub fn update(state: &State, id: JobId, after: u64, now_ms: u64) -> Option<JobUpdate> {
    let book = &state.book;
    let job = book.jobs.get(&id)?;
    // What was kept has the versions before the job's first.
    let kept = (1..).zip(kept_units(book, &job.spec)).filter(|_| !job.expired);
    let own = job.units.iter().filter_map(|unit| Some((unit, unit.accepted.as_ref()?)));
    let own = own.map(|(unit, accepted)| (accepted.version, (unit, accepted)));
    let mut fresh: Vec<(u64, (&UnitState, &Accepted))> =
        kept.chain(own).filter(|(version, _)| *version > after).collect();
    fresh.sort_by_key(|(version, _)| *version);
    let cut = fresh.len() > ACCEPTED_PER_UPDATE_MAX;
    fresh.truncate(ACCEPTED_PER_UPDATE_MAX);
    let next = match fresh.last() {
        Some((version, _)) if cut => *version,
        _ => job.version,
    };
    let accepted = fresh
        .into_iter()
        .map(|(_, (unit, accepted))| AcceptedUnit {
            unit: unit.unit,
            node: accepted.film.node,
            root: accepted.film.root,
            rays: accepted.film.rays,
            pixels_checked: accepted.pixels_checked,
        })
        .collect();
    Some(JobUpdate { summary: row(state, job, now_ms), tiles: tiles(book, job), accepted, next })
}

/// Where every tile of every shot stands.
fn tiles(book: &Book, job: &Job) -> Vec<TileStatus> {
    let per_shot = job.spec.grid().tile_count() as usize;
    let place = |unit: &Unit| unit.shot.0 as usize * per_shot + unit.tile.0 as usize;
    let placed = job.units.iter().map(|unit| (place(&unit.unit), unit));
    least_advanced(book, placed, per_shot * job.spec.shot_count() as usize)
}

/// Where the tiles of one shot stand.
#[must_use]
pub fn tiles_of(book: &Book, job: &Job, shot: ShotIndex) -> Vec<TileStatus> {
    let units = job.units.iter().filter(|unit| unit.unit.shot == shot);
    let placed = units.map(|unit| (unit.unit.tile.0 as usize, unit));
    least_advanced(book, placed, job.spec.grid().tile_count() as usize)
}

/// A tile stands where the least advanced of its batches does.
fn least_advanced<'a>(
    book: &Book,
    units: impl Iterator<Item = (usize, &'a UnitState)>,
    count: usize,
) -> Vec<TileStatus> {
    let mut tiles = vec![TileStatus::Accepted; count];
    for (place, unit) in units {
        tiles[place] = tiles[place].min(unit_status(book, unit));
    }
    tiles
}

fn unit_status(book: &Book, unit: &UnitState) -> TileStatus {
    if unit.accepted.is_some() || unit.spared {
        return TileStatus::Accepted;
    }
    let phases = unit.leases.iter().map(|lease| &book.leases[lease].phase);
    let furthest = phases
        .map(|phase| match phase {
            LeasePhase::Out => TileStatus::Rendering,
            LeasePhase::Committed(_) | LeasePhase::Passed(_) => TileStatus::Received,
        })
        .max();
    match furthest {
        Some(status) => status,
        None if unit.failures > 0 => TileStatus::Retrying,
        None => TileStatus::Waiting,
    }
}

/// A node as the farm sees it.
#[must_use]
pub fn node(state: &State, node: &Node) -> NodeView {
    let mut name = reputation::reputation(node.accepted_for_others, node.refused, node.dropped);
    name.accepted = node.accepted;
    NodeView {
        node: node.id,
        name: node.facts.name.clone(),
        backend: node.facts.backend.clone(),
        equipment: node.facts.equipment.clone(),
        owner: node.facts.owner,
        ask_per_gray: node.facts.ask_per_gray,
        base_per_gray: state.book.base_per_gray,
        class: node.class,
        barred: node.barred,
        reputation: name,
        rays: node.rays,
        claimed_rays_per_second: node.facts.rays_per_second,
        shown_rays_per_second: node.pace.rays_per_second(),
        earned: node.earned,
        held: node.held(),
        verified: node.verified,
        stake: staked(&state.book, node.facts.owner),
        leases: node.out,
        seen_ms: state.live.seen.get(&node.id).copied().unwrap_or(0),
    }
}

/// The farm at a glance: nodes heard of since the start, best reputation first.
#[must_use]
pub fn farm(state: &State, nodes_max: usize, now_ms: u64) -> FarmView {
    let heard = state.live.seen.keys().filter_map(|id| state.book.nodes.get(id));
    let mut nodes: Vec<NodeView> = heard.map(|heard| node(state, heard)).collect();
    nodes.sort_by_key(|node| (std::cmp::Reverse(node.reputation.mean_ppm), node.node));
    nodes.truncate(nodes_max);
    FarmView {
        nodes,
        jobs_active: state.book.active.len() as u32,
        price_per_gray: state.book.base_per_gray,
        market: market(state, now_ms),
    }
}

/// What moves the base price.
fn market(state: &State, now_ms: u64) -> MarketView {
    let rules = &state.book.policy.market;
    let signal = gauge::signal(state, now_ms);
    MarketView {
        floor: rules.floor,
        per_gray: rules.per_gray,
        ceiling: rules.ceiling,
        heading: base::heading(rules, state.book.base_per_gray, &signal),
        step_ppm: rules.step_ppm,
        epoch_ms: rules.epoch_ms,
        bid_moves_ms: rules.bid_moves_ms,
        line_ms: signal.line_ms(),
        nodes_able: signal.able,
        nodes_willing: signal.willing,
    }
}

/// The film in use for a unit, with the artist it belongs to.
#[must_use]
pub fn accepted<'a>(book: &'a Book, unit: &Unit) -> Option<(PublicKey, &'a Accepted)> {
    let job = book.jobs.get(&unit.job)?;
    let state = &job.units[job.index_of(unit)? as usize];
    Some((job.artist, state.accepted.as_ref()?))
}

/// Verdicts that refused films of a job, in order.
pub fn refusals(book: &Book, job: JobId) -> impl Iterator<Item = &Verdict> {
    let refusals = book.jobs.get(&job).into_iter().flat_map(|job| &job.refusals);
    refusals.filter_map(|(node, number)| book.nodes.get(node)?.verdicts.get(*number))
}

/// The verdict that refused a lease's film, for its node, the node's owner and the job's artist; or that
/// convicted a verifier, for the first two.
#[must_use]
pub fn refusal(book: &Book, caller: PublicKey, lease: LeaseId) -> Option<&Verdict> {
    let is_it = |verdict: &&Verdict| {
        let is_refusal =
            matches!(verdict.kind, VerdictKind::Refused(_) | VerdictKind::WrongFinding { .. });
        verdict.lease == lease && is_refusal
    };
    let own_nodes = book
        .nodes
        .values()
        .filter(|node| node.facts.owner == caller || PublicKey::from(node.id) == caller);
    let own_jobs = book.jobs.values().filter(|job| job.artist == caller);
    own_nodes
        .flat_map(|node| node.verdicts.iter())
        .find(is_it)
        .or_else(|| own_jobs.flat_map(|job| refusals(book, job.id)).find(is_it))
}

/// What a key has in escrow, and what is held back for its nodes.
#[must_use]
pub fn escrowed_and_held(book: &Book, key: PublicKey) -> (Tokens, Tokens) {
    let jobs = book.active.values().map(|id| &book.jobs[id]).filter(|job| job.artist == key);
    let escrowed = jobs
        .fold(Tokens::ZERO, |sum, job| money::plus(sum, money::plus(job.available, job.reserved)));
    let nodes = book.nodes.values().filter(|node| node.facts.owner == key);
    let held = nodes.flat_map(|node| node.holds.values());
    (escrowed, held.fold(Tokens::ZERO, |sum, hold| money::plus(sum, hold.amount)))
}

/// Pay of a key's nodes that is held back, by the minute in which it comes free at the latest.
#[must_use]
pub fn held(book: &Book, key: PublicKey) -> Vec<HeldRow> {
    const MINUTE_MS: u64 = 60_000;
    let mut rows = BTreeMap::<(u64, NodeId), HeldRow>::new();
    for node in book.nodes.values().filter(|node| node.facts.owner == key) {
        for hold in node.holds.values() {
            let until_ms = book.free_ms(node, hold);
            let until_ms = until_ms.div_ceil(MINUTE_MS).saturating_mul(MINUTE_MS);
            let empty = HeldRow { node: node.id, until_ms, amount: Tokens::ZERO, films: 0 };
            let row = rows.entry((until_ms, node.id)).or_insert(empty);
            row.amount = money::plus(row.amount, hold.amount);
            row.films += 1;
        }
    }
    rows.into_values().collect()
}

/// What a key has at risk.
#[must_use]
pub fn staked(book: &Book, owner: PublicKey) -> Tokens {
    let sum = |stake: &Stake| money::plus(stake.amount, stake.leaving);
    book.stakes.get(&owner).map_or(Tokens::ZERO, sum)
}

/// Whether a node belongs to a key.
#[must_use]
pub fn owns(book: &Book, key: PublicKey, node: NodeId) -> bool {
    book.nodes.get(&node).is_some_and(|node| node.facts.owner == key)
}
