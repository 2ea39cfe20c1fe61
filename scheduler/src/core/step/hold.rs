//! Held pay that has aged.

use std::collections::BTreeSet;

use ledger::{Code, Transfer, account};
use protocol::{LeaseId, NodeId, Tokens};

use crate::core::event::Effect;
use crate::core::state::Book;
use crate::money;

/// Releases holds of a node into its owner's wallet, in one movement.
pub(super) fn release(book: &mut Book, id: NodeId, leases: &[LeaseId], effects: &mut Vec<Effect>) {
    let leases: BTreeSet<LeaseId> = leases.iter().copied().collect();
    book.touched.node(id);
    let Some(node) = book.nodes.get_mut(&id) else { return };
    let mut released = Vec::new();
    let mut vouched = Vec::new();
    let mut sum = Tokens::ZERO;
    node.holds.retain(|&number, hold| {
        let ripe = leases.contains(&hold.film.lease);
        if ripe {
            released.push(hold.film.lease);
            vouched.extend(hold.vouched_by().map(|verifier| (verifier, number)));
            sum = money::plus(sum, hold.amount);
        }
        !ripe
    });
    node.earned = money::plus(node.earned, sum);
    let accounts = (account::held(id), account::wallet(node.facts.owner));
    let release = money::release_id(id, &released);
    for (verifier, number) in vouched {
        book.node_mut(verifier).vouched.remove(&(id, number));
    }
    book.transfer(vec![Transfer::posted(release, accounts, sum, Code::Release)], effects);
}
