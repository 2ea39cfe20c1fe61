//! What is kept of jobs that are over, and for how long.

use std::collections::BTreeSet;

use protocol::{Digest, JobId, SceneId};

use crate::core::event::{Event, FilmRef};
use crate::core::state::{Book, State};

/// Jobs that ended long ago, and that nothing rests on any more.
///
/// It looks at every job and at all pay that is held back: not for every tick.
#[must_use]
pub fn expired(state: &State, now_ms: u64) -> Vec<Event> {
    let book = &state.book;
    let is_old = |ended_ms: u64| now_ms >= ended_ms.saturating_add(book.policy.keep_ms);
    let old = book.jobs.values().filter(|job| {
        job.is_over() && !job.expired && job.ended_ms.is_some_and(is_old) && job.rechecks == 0
    });
    let mut old = old.map(|job| job.id).peekable();
    if old.peek().is_none() {
        return Vec::new();
    }
    let needed = needed(book);
    old.filter(|job| !needed.contains(job)).map(|job| Event::Expired { job }).collect()
}

/// Jobs whose films may still be looked at, however old: those that newer ones go on from, and those
/// of films that somebody is held to.
fn needed(book: &Book) -> BTreeSet<JobId> {
    let bases = book.jobs.values().filter(|job| !job.expired).filter_map(|job| job.spec.base);
    bases.chain(in_doubt(book)).collect()
}

/// Jobs of which something may have to be rendered again.
fn in_doubt(book: &Book) -> BTreeSet<JobId> {
    let held = book.nodes.values().flat_map(|node| node.holds.values()).map(|hold| hold.unit.job);
    let convictions = book.convictions.values().map(|conviction| conviction.unit.job);
    let audits = book.audits.values().map(|audit| audit.job);
    let disputes = book.disputes.values().map(|dispute| dispute.job);
    let rechecks = book.rechecks.values().map(|recheck| recheck.hold.unit.job);
    held.chain(convictions).chain(audits).chain(disputes).chain(rechecks).collect()
}

/// Scenes of jobs that have not expired; of those whose artist does without it, only where something
/// may have to be rendered again.
#[must_use]
pub fn scenes(book: &Book) -> BTreeSet<SceneId> {
    let kept = book.jobs.values().filter(|job| !job.expired);
    let (without, with): (Vec<_>, Vec<_>) = kept.partition(|job| job.does_without_scene());
    let doubted = if without.is_empty() { BTreeSet::new() } else { in_doubt(book) };
    let still = without.into_iter().filter(|job| doubted.contains(&job.id));
    with.into_iter().chain(still).map(|job| job.spec.scene).collect()
}

/// Scenes without which the artist of a job does.
#[must_use]
pub fn dropped(book: &Book) -> BTreeSet<SceneId> {
    let jobs = book.jobs.values().filter(|job| !job.expired && job.does_without_scene());
    jobs.map(|job| job.spec.scene).collect()
}

/// Hashes of all films that may be asked for: accepted ones of jobs that have not expired, those that
/// are being judged, and those that somebody is held to. All others can go.
#[must_use]
pub fn films(book: &Book) -> BTreeSet<Digest> {
    let units = book.jobs.values().flat_map(|job| &job.units);
    let accepted = units.filter_map(|unit| unit.accepted.as_ref()).map(|accepted| accepted.film);
    let judged = book.leases.values().filter_map(|lease| lease.committed()).map(|it| it.film);
    let held = book.nodes.values().flat_map(|node| node.holds.values()).map(|hold| hold.film);
    let rechecked = book.rechecks.values().map(|recheck| recheck.hold.film);
    let convicting = book.convictions.values().filter_map(|conviction| conviction.film);
    let audited = book.audits.values().map(|audit| audit.film);
    let disputed = book.disputes.values().map(|dispute| dispute.film);
    let all = accepted.chain(judged).chain(held).chain(rechecked).chain(convicting);
    all.chain(audited).chain(disputed).map(|film: FilmRef| film.root).collect()
}

/// Hashes of all evidence that may be asked for: what verdicts that are kept rest on, and the word of
/// verifiers that may still turn out wrong. All other can go.
#[must_use]
pub fn evidence(book: &Book) -> BTreeSet<Digest> {
    let verdicts = book.nodes.values().flat_map(|node| node.verdicts.iter());
    let of_verdicts = verdicts.filter_map(|verdict| verdict.evidence);
    let accepted = book.jobs.values().flat_map(|job| &job.units);
    let accepted = accepted.filter_map(|unit| unit.accepted.as_ref()?.vouched.as_deref());
    let judged = book.leases.values().filter_map(|lease| lease.committed()?.vouched.as_deref());
    let held = book.nodes.values().flat_map(|node| node.holds.values());
    let rechecked = book.rechecks.values().map(|recheck| &recheck.hold);
    let held = held.chain(rechecked).filter_map(|hold| hold.vouched.as_deref());
    let convicting = book.convictions.values().filter_map(|conviction| conviction.audit.as_ref());
    let words = accepted.chain(judged).chain(held).chain(convicting).chain(book.audits.values());
    of_verdicts.chain(words.map(|audit| audit.finding.evidence)).collect()
}
