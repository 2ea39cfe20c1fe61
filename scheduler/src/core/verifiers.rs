//! Which node looks at a challenged film in the trusted renderer's place. Only reads, as
//! [`plan`](super::plan) does.
//!
//! A verifier answers with a digest of pixels that it must have rendered, so being lazy is being wrong.
//! What is left is a friend of the film's maker, who is told what the film holds: the trusted renderer
//! looks at a share *a* of what verifiers vouch for, and who vouches has at least 1/*a* times the film's
//! pay held back, all of which it loses with one wrong word; and all else that it has vouched for is
//! looked at again. So vouching for bad films costs at least as much as it brings, however many
//! verifiers are friends.

use protocol::{Class, LeaseId, NodeId, PublicKey, Tokens, limits};

use crate::core::event::{Challenged, FilmRef};
use crate::core::state::{Book, LeaseRecord, Node, State};
use crate::money;

/// The node that is to look at a film, with its owner; none where the trusted renderer has to.
///
/// `may` says which nodes are waiting for such work. Owners are drawn by the scheduler's secret, every
/// owner as likely as any other, however many nodes he has.
#[must_use]
pub fn choose(
    state: &State,
    challenged: &Challenged,
    may: impl Fn(NodeId) -> bool,
) -> Option<(NodeId, PublicKey)> {
    let book = &state.book;
    let Challenged { piece, film, challenge, .. } = challenged;
    let record = book.leases.get(&film.lease)?;
    let is_large = challenge.pixels as usize > limits::VERIFICATION_PIXELS_MAX;
    if !is_entrusted(book, record, film) || piece.engine != book.engine || is_large {
        return None;
    }
    let job = book.jobs.get(&record.job)?;
    if book.reserve < job.wage(&piece.unit, challenge.pixels) {
        return None;
    }
    let bond = bond(book, record, film)?;
    // Owners of the unit's films, when they got their leases and now: a node may change hands.
    let owners_of = |lease: &LeaseId| {
        let LeaseRecord { node, owner, .. } = &book.leases[lease];
        [*owner, book.nodes[node].facts.owner]
    };
    let leases = &job.units[record.unit_index as usize].leases;
    let rendering: Vec<PublicKey> = leases.iter().flat_map(owners_of).collect();
    let is_rendering = |node: &Node| {
        node.id == film.node || leases.iter().any(|lease| book.leases[lease].node == node.id)
    };
    let fits = |node: &&Node| {
        let owner = node.facts.owner;
        node.class == Some(Class::Exact)
            && !node.barred
            && node.facts.engine == book.engine
            && node.accepted_for_others >= u64::from(book.policy.verifier_units)
            && owner != job.artist
            && book.is_for(job, node)
            && !rendering.contains(&owner)
            && !is_rendering(node)
            && node.held() >= bond
    };
    let here = state.live.rendered.get(&record.job)?.get(&piece.unit.shot)?;
    here.iter()
        .filter(|id| state.live.connected.contains_key(*id) && may(**id))
        .filter_map(|id| book.nodes.get(id))
        .filter(fits)
        .map(|node| (node.id, node.facts.owner))
        .min_by_key(|(_, owner)| book.secret.verifier_rank(film.lease, challenge.round, *owner))
}

/// Whether others may look at the film at all: not at one of a node without a name, nor at one that is
/// looked at more closely, or by the trusted renderer already, nor at one whose twin is still to be
/// leased: a verifier of it could be the one to get it.
fn is_entrusted(book: &Book, record: &LeaseRecord, film: &FilmRef) -> bool {
    let unit = &book.jobs[&record.job].units[record.unit_index as usize];
    let round = record.committed().map(|committed| committed.round);
    film.class == Class::Exact
        && !record.boosted
        && unit.leases.len() >= usize::from(unit.films_wanted)
        && round.is_some_and(|round| !book.audits.contains_key(&(film.lease, round)))
        && book.nodes.get(&film.node).is_some_and(|node| book.has_name(node))
}

/// What a verifier must have to lose; none where no finding is ever looked at again.
fn bond(book: &Book, record: &LeaseRecord, film: &FilmRef) -> Option<Tokens> {
    let pay = book.jobs[&record.job].worth(film.rays).min(record.pay_max);
    let share = u128::from(book.policy.audit_ppm.min(1_000_000));
    (share > 0).then(|| money::share(pay, 1_000_000, share))
}

/// Whether the trusted renderer looks as well at what a verifier says is good: where dice that nobody
/// can foresee say so, and where the verifier has no longer enough to lose.
#[must_use]
pub fn is_audited(book: &Book, verifier: NodeId, lease: LeaseId, round: u32) -> bool {
    let is_bonded = || {
        let (record, node) = (book.leases.get(&lease)?, book.nodes.get(&verifier)?);
        let bond = bond(book, record, &record.committed()?.film)?;
        Some(!node.barred && node.held() >= bond)
    };
    book.secret.audit_draw_ppm(lease, round) < book.policy.audit_ppm || is_bonded() != Some(true)
}
