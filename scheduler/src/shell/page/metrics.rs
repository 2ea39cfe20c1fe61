//! The farm in figures, in the OpenMetrics text form that Prometheus reads. Amounts of tokens are in
//! micro-tokens.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use protocol::view::JobStatus;

use super::super::verifier::Meter;
use crate::core::{LeasePhase, State, view};

/// What the state says.
#[derive(Default)]
pub(super) struct Gathered {
    connected: u64,
    able: u64,
    barred: u64,
    jobs: [(&'static str, u64); JobStatus::ALL.len()],
    leases: [(&'static str, u64); 3],
    units_waiting: u64,
    films_accepted: u64,
    films_refused: u64,
    leases_dropped: u64,
    films_verified: u64,
    rays: u128,
    rays_per_second: u64,
    convictions: u64,
    disputes: u64,
    transfers_waiting: u64,
    base_price: u128,
    reserve: u128,
    treasury: u128,
    drains: bool,
    reported: u64,
}

pub(super) fn gather(state: &State) -> Gathered {
    let book = &state.book;
    let mut all = Gathered {
        connected: state.live.connected.len() as u64,
        able: state.index.able.len() as u64,
        convictions: book.convictions.len() as u64,
        disputes: book.disputes.len() as u64,
        transfers_waiting: book.outbox.len() as u64,
        base_price: book.base_per_gray.micro(),
        reserve: book.reserve.micro(),
        treasury: book.treasury.micro(),
        drains: state.live.drains,
        ..Gathered::default()
    };
    for node in book.nodes.values() {
        all.barred += u64::from(node.barred);
        all.films_accepted += node.accepted;
        all.films_refused += node.refused;
        all.leases_dropped += node.dropped;
        all.films_verified += node.verified;
        all.rays += u128::from(node.rays.closest) + u128::from(node.rays.shadow);
        if state.live.connected.contains_key(&node.id) {
            all.rays_per_second += node.pace.rays_per_second().unwrap_or(0);
        }
    }
    let mut jobs = [0; JobStatus::ALL.len()];
    for job in book.jobs.values() {
        jobs[view::status(job) as usize] += 1;
        all.reported += u64::from(!job.reports.is_empty());
    }
    all.jobs = JobStatus::ALL.map(|status| (status.word(), jobs[status as usize]));
    all.units_waiting = book.active.values().map(|id| book.jobs[id].waiting.len() as u64).sum();
    let mut leases = [0; 3];
    for lease in book.leases.values() {
        let phase = match lease.phase {
            LeasePhase::Out => 0,
            LeasePhase::Committed(_) => 1,
            LeasePhase::Passed(_) => 2,
        };
        leases[phase] += 1;
    }
    all.leases = [("out", leases[0]), ("challenged", leases[1]), ("held_for_twin", leases[2])];
    all
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// The text that is served.
pub(super) fn text(
    all: &Gathered,
    checks_in_line: usize,
    meter: &Meter,
) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("tessera");
    let mut gauge = |name: &str, help: &str, values: &[(&'static str, u64)]| {
        let family = Family::<Kind, Gauge<i64, AtomicI64>>::default();
        for &(kind, value) in values {
            family.get_or_create(&Kind { kind }).set(clamped(u128::from(value)));
        }
        registry.register(name, help, family);
    };
    let nodes = [("connected", all.connected), ("able", all.able), ("barred", all.barred)];
    gauge("nodes", "Nodes by standing", &nodes);
    gauge("jobs", "Jobs by status", &all.jobs);
    gauge("leases", "Leases that are not settled", &all.leases);
    let mut single = |name: &str, help: &str, value: u128| {
        let one = Gauge::<i64, AtomicI64>::default();
        one.set(clamped(value));
        registry.register(name, help, one);
    };
    single("units_waiting", "Units that no node has", u128::from(all.units_waiting));
    single("checks_waiting", "Films in line for the trusted renderer", checks_in_line as u128);
    single("convictions_open", "Convictions that can be appealed", u128::from(all.convictions));
    single("disputes_open", "Films that their artists doubt", u128::from(all.disputes));
    single(
        "transfers_waiting",
        "Batches that the ledger has not confirmed",
        u128::from(all.transfers_waiting),
    );
    single("jobs_reported", "Jobs that owners of nodes have reported", all.reported.into());
    single("draining", "1 while no new jobs are taken", u128::from(all.drains));
    single("base_price_microtokens", "For a billion metered rays", all.base_price);
    single("reserve_microtokens", "What the verification reserve holds", all.reserve);
    single("treasury_microtokens", "What the treasury holds", all.treasury);
    single(
        "rays_per_second",
        "What connected nodes have shown, of the reference scene",
        u128::from(all.rays_per_second),
    );
    let mut counter = |name: &str, help: &str, value: u64| {
        let one = Counter::<u64, AtomicU64>::default();
        one.inc_by(value);
        registry.register(name, help, one);
    };
    counter("films_accepted", "Films accepted and paid", all.films_accepted);
    counter("films_refused", "Films refused", all.films_refused);
    counter("leases_dropped", "Leases lapsed or given back", all.leases_dropped);
    counter("films_verified", "Films that verifiers have looked at", all.films_verified);
    counter("rays", "Rays paid for", u64::try_from(all.rays).unwrap_or(u64::MAX));
    counter("pixels_checked", "Pixels rendered again since the start", meter.pixels());
    let seconds = |name: &str, help: &str, value: f64, registry: &mut Registry| {
        let one = Counter::<f64, AtomicU64>::default();
        one.inc_by(value);
        registry.register(name, help, one);
    };
    let own = cpu_time::ProcessTime::now().as_duration().as_secs_f64();
    seconds("process_cpu_seconds", "CPU time of this process", own, &mut registry);
    let checking = meter.cpu_seconds_max();
    seconds(
        "checking_cpu_seconds",
        "CPU time of checking since the start, at most",
        checking,
        &mut registry,
    );
    let mut text = String::new();
    encode(&mut text, &registry).map(|()| text)
}

fn clamped(value: u128) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
