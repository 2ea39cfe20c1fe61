//! Views as JSON: one object a line, with the schema's version first. Amounts are decimal strings
//! in tokens with all six digits, times milliseconds since 1970.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::view::{FarmView, JobSummary, LedgerCheck, NodeView, StatementRow, WalletView};
use protocol::{
    CameraChoice, Class, JobId, JobSpec, NoiseTarget, Pool, Quote, Shot, Tokens, TransferId,
    ViewIndex,
};
use sandbox::{Confinement, Raised, Standing};
use serde_json::{Value, json};

use crate::download::Downloaded;
use crate::needs;

/// Version of every object printed.
pub const VERSION: u32 = 1;

/// A job.
pub fn job(job: &JobSummary) -> Value {
    let spec = &job.spec;
    json!({
        "v": VERSION,
        "job": job.job.to_string(),
        "name": spec.name,
        "status": job.status.word(),
        "reason": job.reason,
        "scene": spec.scene.to_string(),
        "size": spec.settings.size.to_string(),
        "crop": spec.settings.crop.map(|crop| crop.to_string()),
        "overscan": spec.settings.overscan,
        "samples": spec.settings.samples,
        "noise": spec.noise.map(|target| noise(&target)),
        "cameras": cameras(spec),
        "needs": needs::json(&spec.needs),
        "memory": needs::memory_json(job.memory),
        "nodes_here": job.nodes_here,
        "frames": { "first": spec.frames.first, "last": spec.frames.last, "step": spec.frames.step },
        "units": job.units,
        "units_accepted": job.units_accepted,
        "price": job.price.to_string(),
        "price_per_gray": job.price_per_gray.to_string(),
        "assurance": job.assurance.to_string(),
        "spent": job.spent.to_string(),
        "refunded": job.refunded.to_string(),
        "priority": u8::from(job.priority),
        "base": spec.base.map(|base| base.to_string()),
        "stops_ms": job.stops_ms,
        "wanted_by_ms": job.wanted_by_ms,
        "done_ms": job.done_ms,
        "ordered_ms": job.ordered_ms,
        "ended_ms": job.ended_ms,
        "expired": job.expired,
    })
}

/// How little noise is enough, and after how many samples at the least.
fn noise(target: &NoiseTarget) -> Value {
    json!({ "threshold": target.threshold(), "min_samples": target.samples_min() })
}

/// A job's cameras, in order of its views; the scene's first one and one set by hand have no name.
fn cameras(spec: &JobSpec) -> Vec<Option<&str>> {
    (0..spec.view_count()).map(|view| camera_name(spec, ViewIndex(view))).collect()
}

/// The name of a view's camera.
fn camera_name(spec: &JobSpec, view: ViewIndex) -> Option<&str> {
    match spec.camera(view)? {
        CameraChoice::Named(name) => Some(name),
        CameraChoice::Default | CameraChoice::LookAt { .. } => None,
    }
}

/// One of a job's pictures.
pub fn shot(spec: &JobSpec, shot: Shot) -> Value {
    json!({ "frame": shot.frame, "camera": camera_name(spec, shot.view) })
}

/// A quote.
pub fn quote(quote: &Quote) -> Value {
    json!({
        "v": VERSION,
        "quote": quote.id.to_string(),
        "price": quote.price.to_string(),
        "work": quote.work.to_string(),
        "fee": quote.fee.to_string(),
        "reserve": quote.reserve.to_string(),
        "setup": quote.setup.to_string(),
        "checking": quote.checking.to_string(),
        "bid": quote.offer.bid.map(|bid| bid.to_string()),
        "assurance": quote.offer.assurance.to_string(),
        "base_per_gray": quote.base_per_gray.to_string(),
        "price_per_gray": quote.price_per_gray.to_string(),
        "weight_percent": quote.weight_percent,
        "pay_per_gray": quote.pay_per_gray().to_string(),
        "samples": quote.samples,
        "rays": { "closest": quote.rays.closest, "shadow": quote.rays.shadow },
        "expected": {
            "closest": quote.probed.expected.closest,
            "shadow": quote.probed.expected.shadow,
        },
        "probed": { "shots": quote.probed.shots, "pixels": quote.probed.pixels },
        "memory": needs::memory_json(quote.memory),
        "nodes": {
            "known": quote.reach.known,
            "meet": quote.reach.meet,
            "hold": quote.reach.hold,
            "here": quote.reach.here,
        },
        "valid_until_ms": quote.valid_until_ms,
    })
}

/// A job that was ordered.
pub fn ordered(job: JobId, quote: &Quote) -> Value {
    json!({ "v": VERSION, "job": job.to_string(), "price": quote.price.to_string() })
}

/// A job with what was saved of its pictures.
pub fn saved(job: &JobSummary, files: &Downloaded) -> Value {
    let mut object = self::job(job);
    let shot = |&shot: &Shot| self::shot(&job.spec, shot);
    let frames: BTreeSet<u32> = files.incomplete.iter().map(|shot| shot.frame).collect();
    let shares = files.short.iter().map(|&(shot, share)| {
        let mut object = self::shot(&job.spec, shot);
        object["share_done"] = share.into();
        object
    });
    object["files"] = files.written.iter().map(|path| path.display().to_string()).collect();
    object["incomplete_frames"] = frames.into_iter().collect();
    object["incomplete"] = files.incomplete.iter().map(shot).collect();
    object["short"] = shares.collect();
    object["missing"] = files.missing.into();
    object["skipped"] = files.skipped.into();
    object["video"] = files.video.as_ref().map(|it| it.output.display().to_string()).into();
    object
}

/// A job that has ended, and whether tiles of it have no samples.
pub fn ended(job: &JobSummary, has_holes: bool) -> Value {
    let mut object = self::job(job);
    object["has_holes"] = has_holes.into();
    object
}

/// Films of a tile that are rendered once more.
pub fn disputed(films: u64) -> Value {
    json!({ "v": VERSION, "films": films })
}

/// A voucher that was paid out.
pub fn redeemed(transfer: TransferId, amount: Tokens, before: bool, balance: Tokens) -> Value {
    json!({
        "v": VERSION,
        "transfer": transfer.to_string(),
        "amount": amount.to_string(),
        "before": before,
        "balance": balance.to_string(),
    })
}

/// What moves a farm's base price.
pub fn market(farm: &FarmView) -> Value {
    let market = &farm.market;
    json!({
        "base_per_gray": farm.price_per_gray.to_string(),
        "floor": market.floor.to_string(),
        "per_gray": market.per_gray.to_string(),
        "ceiling": market.ceiling.to_string(),
        "heading": market.heading.to_string(),
        "step_ppm": market.step_ppm,
        "epoch_ms": market.epoch_ms,
        "bid_moves_ms": market.bid_moves_ms,
        "line_ms": market.line_ms,
        "nodes_able": market.nodes_able,
        "nodes_willing": market.nodes_willing,
    })
}

/// A node.
pub fn node(node: &NodeView) -> Value {
    json!({
        "v": VERSION,
        "node": node.node.to_string(),
        "name": node.name,
        "backend": node.backend,
        "backend_kind": node.equipment.backend.word(),
        "memory_bytes": node.equipment.memory_bytes,
        "pools": node.equipment.pools.iter().map(Pool::as_str).collect::<Vec<_>>(),
        "owner": node.owner.to_string(),
        "ask_per_gray": node.ask_per_gray.to_string(),
        "base_per_gray": node.base_per_gray.to_string(),
        "class": node.class.map(class),
        "barred": node.barred,
        "reputation_ppm": node.reputation.mean_ppm,
        "accepted": node.reputation.accepted,
        "refused": node.reputation.refused,
        "dropped": node.reputation.dropped,
        "rays": { "closest": node.rays.closest, "shadow": node.rays.shadow },
        "claimed_rays_per_second": node.claimed_rays_per_second,
        "shown_rays_per_second": node.shown_rays_per_second,
        "earned": node.earned.to_string(),
        "held": node.held.to_string(),
        "verified": node.verified,
        "leases": node.leases,
        "seen_ms": node.seen_ms,
    })
}

/// A wallet.
pub fn wallet(wallet: &WalletView) -> Value {
    json!({
        "v": VERSION,
        "account": wallet.account.to_string(),
        "balance": wallet.balance.to_string(),
        "escrowed": wallet.escrowed.to_string(),
        "held": wallet.held.to_string(),
        "at_risk": wallet.staked.to_string(),
    })
}

/// An entry of an account.
pub fn statement_row(row: &StatementRow) -> Value {
    json!({
        "v": VERSION,
        "transfer": row.transfer.to_string(),
        "direction": if row.credit { "in" } else { "out" },
        "other": row.other.to_string(),
        "other_is": row.other_is,
        "job": row.job.map(|job| job.to_string()),
        "amount": row.amount.to_string(),
        "code": row.code,
        "balance": row.balance.to_string(),
        "time_ms": row.time_ms,
    })
}

/// What verifying a ledger found.
pub fn ledger_check(check: &LedgerCheck) -> Value {
    json!({
        "v": VERSION,
        "sum_is_zero": check.sum_is_zero,
        "verified": check.verified,
        "entries": check.entries,
        "head": check.head.to_string(),
        "problem": check.problem,
    })
}

/// The last word of a process that served a farm.
pub fn stopped(wall: Duration) -> Value {
    json!({
        "v": VERSION,
        "event": "stopped",
        "seconds": wall.as_secs_f64(),
        "cpu_seconds": cpu_seconds(),
    })
}

/// CPU time of this process and, where the system tells, of its children that have ended: a node
/// renders in one.
fn cpu_seconds() -> f64 {
    let own = cpu_time::ProcessTime::now().as_duration().as_secs_f64();
    let stat = std::fs::read_to_string("/proc/self/stat").ok();
    own + stat.and_then(|stat| children_cpu_seconds(&stat)).unwrap_or_default()
}

/// The user and system time of ended children in Linux's `/proc/PID/stat`.
fn children_cpu_seconds(stat: &str) -> Option<f64> {
    // Fixed for programs, whatever the kernel's own clock.
    const TICKS_PER_SECOND: f64 = 100.0;
    // The name in brackets may hold anything; after it, children's times are the 14th and 15th.
    let (_name, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(13).map(str::parse::<u64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

/// What a worker process is locked in with, wall by wall.
pub fn walls(confinement: &Confinement) -> Value {
    let wall = |raised: &Raised| {
        json!({
            "wall": raised.wall.name(),
            "stands": match raised.standing {
                Standing::Whole => "whole",
                Standing::Part => "part",
                Standing::Not => "not",
            },
            "words": raised.words,
        })
    };
    confinement.walls.iter().map(wall).collect()
}

/// How a node's films are compared, in a word.
pub fn class(class: Class) -> &'static str {
    match class {
        Class::Exact => "exact",
        Class::Tolerant => "tolerant",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn childrens_time_is_found_after_any_name() {
        let stat = "7 (a ) name) S 1 7 7 0 -1 0 1 2 3 4 11 12 150 50 20 0 9 0 5";
        assert!((children_cpu_seconds(stat).expect("told") - 2.0).abs() < 1e-9);
        assert_eq!(children_cpu_seconds("7 (short) S 1"), None);
        assert_eq!(children_cpu_seconds(""), None);
    }
}
