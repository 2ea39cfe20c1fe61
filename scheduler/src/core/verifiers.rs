//! Which node looks at a challenged film in the trusted renderer's place. Only reads, as
//! [`plan`](super::plan) does.
//!
//! A verifier answers with a digest of pixels that it must have rendered, so being lazy is being wrong.
//! What is left is a friend of the film's maker, who is told what the film holds: the trusted renderer
//! looks at a share *a* of what verifiers vouch for, and who vouches has at least 1/*a* times the film's
//! pay held back, all of which it loses with one wrong word. So vouching for a bad film costs at least
//! as much as it brings, however many verifiers are friends.

use protocol::{Class, LeaseId, NodeId, PublicKey, Tokens};

use crate::core::event::{Check, CheckKind, FilmRef};
use crate::core::state::{Book, LeaseRecord, Node, State};
use crate::money;

/// The node that is to look at a film, with its owner; none where the trusted renderer has to.
///
/// `may` says which nodes are waiting for such work. Owners are drawn by the scheduler's secret, every
/// owner as likely as any other, however many nodes he has.
#[must_use]
pub fn choose(
    state: &State,
    check: &Check,
    may: impl Fn(NodeId) -> bool,
) -> Option<(NodeId, PublicKey)> {
    let book = &state.book;
    let CheckKind::Challenge { film, challenge } = &check.kind else { return None };
    let record = book.leases.get(&film.lease)?;
    if !is_entrusted(book, record, film) || check.piece.engine != book.engine {
        return None;
    }
    let job = book.jobs.get(&record.job)?;
    if book.reserve < job.wage(&check.piece.unit, challenge.pixels) {
        return None;
    }
    let bond = bond(book, record, film)?;
    let owner_of = |lease: &LeaseId| book.leases[lease].owner;
    let rendering: Vec<PublicKey> =
        job.units[record.unit_index as usize].leases.iter().map(owner_of).collect();
    let fits = |node: &&Node| {
        let owner = node.facts.owner;
        node.class == Some(Class::Exact)
            && !node.barred
            && node.facts.engine == book.engine
            && node.accepted_for_others >= u64::from(book.policy.verifier_units)
            && owner != job.artist
            && !rendering.contains(&owner)
            && node.held() >= bond
    };
    let here = state.live.rendered.get(&record.job)?.get(&check.piece.unit.shot)?;
    here.iter()
        .filter(|id| state.live.connected.contains_key(*id) && may(**id))
        .filter_map(|id| book.nodes.get(id))
        .filter(fits)
        .map(|node| (node.id, node.facts.owner))
        .min_by_key(|(_, owner)| book.secret.verifier_rank(film.lease, challenge.round, *owner))
}

/// Whether others may look at the film at all: not at one of a node without a name, nor at one that is
/// looked at more closely, or by the trusted renderer already.
fn is_entrusted(book: &Book, record: &LeaseRecord, film: &FilmRef) -> bool {
    let named = |node: &Node| node.accepted_for_others >= u64::from(book.policy.newcomer_units);
    film.class == Class::Exact
        && !record.boosted
        && record.committed().is_some_and(|committed| committed.finding.is_none())
        && book.nodes.get(&film.node).is_some_and(named)
}

/// What a verifier must have to lose; none where no finding is ever looked at again.
fn bond(book: &Book, record: &LeaseRecord, film: &FilmRef) -> Option<Tokens> {
    let pay = book.jobs[&record.job].worth(film.rays).min(record.pay_max);
    let share = u128::from(book.policy.audit_ppm.min(1_000_000));
    (share > 0).then(|| money::share(pay, 1_000_000, share))
}

/// Whether the trusted renderer looks as well at what a verifier says is good: nobody can know before.
#[must_use]
pub fn is_audited(book: &Book, lease: LeaseId, round: u32) -> bool {
    book.secret.audit_draw_ppm(lease, round) < book.policy.audit_ppm
}
