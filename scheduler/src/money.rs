//! Money as the scheduler means it: the ids of its transfers and the arithmetic of pay.
//!
//! The id of a transfer is a hash of what causes it, so that the same cause moves money once,
//! however often it is asked for.

use ledger::transfer_id;
use protocol::{
    JobId, LeaseId, NodeId, PublicKey, Quote, RayCount, Tokens, TransferId, Unit, encode,
};

/// How long a lease's reservation lasts when nobody resolves it: far beyond any lease, since the
/// scheduler resolves each one itself and this only cleans up after one that never came back.
pub const RESERVATION_TIMEOUT_MS: u64 = 30 * 24 * 3_600_000;

/// Id of the one primary payment of a unit: the node is not part of it, so there can be only one.
#[must_use]
pub fn payment_id(unit: &Unit) -> TransferId {
    transfer_id("payment", &[&encode(unit)])
}

/// Ids under which the pay for a unit's accepted film can have reached its node: at once, on top of
/// that, and when a bad film was rendered anew.
#[must_use]
pub fn pay_ids(unit: &Unit, lease: LeaseId) -> [TransferId; 3] {
    [payment_id(unit), unit_movement_id("top-up", unit), lease_movement_id("anew", lease)]
}

/// Id of a movement that a lease causes: its reservation, its void, its twin's pay.
#[must_use]
pub fn lease_movement_id(what: &str, lease: LeaseId) -> TransferId {
    transfer_id(what, &[&lease.0])
}

/// Id of a movement of a verifier's wage for one challenge of a film.
#[must_use]
pub fn wage_id(what: &str, lease: LeaseId, round: u32) -> TransferId {
    transfer_id(what, &[&lease.0, &round.to_le_bytes()])
}

/// Id of a movement that a unit's payment brings along: fee, reserve share, top-up.
#[must_use]
pub fn unit_movement_id(what: &str, unit: &Unit) -> TransferId {
    transfer_id(what, &[&encode(unit)])
}

/// Id of a movement that a job causes once: its escrow, its refund.
#[must_use]
pub fn job_movement_id(what: &str, job: JobId) -> TransferId {
    transfer_id(what, &[&job.0])
}

/// Id of a release of held pay, from the leases it releases.
#[must_use]
pub fn release_id(node: NodeId, leases: &[LeaseId]) -> TransferId {
    transfer_id("release", &[&node.0, &encode(&leases)])
}

/// Id of tokens put at risk: the owner chooses a number for each time.
#[must_use]
pub fn stake_id(owner: PublicKey, id: [u8; 16]) -> TransferId {
    transfer_id("stake", &[&owner.0, &id])
}

/// Id of an owner's `number`th return of a stake.
#[must_use]
pub fn unstake_id(owner: PublicKey, number: u64) -> TransferId {
    transfer_id("unstake", &[&owner.0, &number.to_le_bytes()])
}

/// Id of a key's welcome grant: one for each key.
#[must_use]
pub fn grant_id(to: PublicKey) -> TransferId {
    transfer_id("welcome grant", &[&to.0])
}

/// Id of the operator's gift to the verification reserve, made once by each scheduler's key.
#[must_use]
pub fn reserve_seed_id(scheduler: PublicKey) -> TransferId {
    transfer_id("reserve seed", &[&scheduler.0])
}

/// Metered centirays that make up one billion weighted rays.
const CENTIRAYS_PER_GRAY: u128 = 100 * 1_000_000_000;

/// Pay for counted rays, rounded down: a node is never paid a fraction that was not earned.
#[must_use]
pub fn pay_for(rays: RayCount, price_per_gray: Tokens) -> Tokens {
    price_per_gray
        .checked_mul_div(rays.metered_centirays(), CENTIRAYS_PER_GRAY)
        .unwrap_or(Tokens::from_micro(u128::MAX))
}

/// Price of expected rays, rounded up: a quote never falls short by a rounding.
///
/// `None` on overflow.
#[must_use]
pub fn price_for(rays: RayCount, price_per_gray: Tokens) -> Option<Tokens> {
    let product = price_per_gray.micro().checked_mul(rays.metered_centirays())?;
    Some(Tokens::from_micro(product.div_ceil(CENTIRAYS_PER_GRAY)))
}

/// `amount`'s share for a part that weighs `part` of `whole`, rounded down.
#[must_use]
pub fn share(amount: Tokens, part: u128, whole: u128) -> Tokens {
    amount.checked_mul_div(part, whole.max(1)).unwrap_or(Tokens::ZERO)
}

/// The farm's fee and the reserve's share on a payment, in the proportions of the quote.
#[must_use]
pub fn shares_on(pay: Tokens, quote: &Quote) -> (Tokens, Tokens) {
    let work = quote.work.micro();
    (share(quote.fee, pay.micro(), work), share(quote.reserve, pay.micro(), work))
}

/// The sum of amounts that cannot overflow: all are parts of one issued amount.
///
/// # Panics
/// When they do all the same.
#[must_use]
pub fn plus(a: Tokens, b: Tokens) -> Tokens {
    a.checked_add(b).expect("invariant: amounts in one ledger never add up to 2^128")
}

/// The difference of amounts of which the first is not the smaller.
///
/// # Panics
/// When it is: money would appear from nowhere, and the scheduler must not go on.
#[must_use]
pub fn minus(a: Tokens, b: Tokens) -> Tokens {
    a.checked_sub(b).expect("invariant: no purse pays more than it holds")
}

#[cfg(test)]
mod tests {
    use protocol::{Batch, Digest, Offer, Probed, QuoteId, ShotIndex, TileIndex};

    use super::*;

    #[test]
    fn pay_rounds_down_and_price_rounds_up() {
        let rays = RayCount { closest: 1, shadow: 1 };
        let price = Tokens::from_whole(1000);
        // 160 centirays of 1e11 at 1e9 micro-tokens: 1.6.
        assert_eq!(pay_for(rays, price), Tokens::from_micro(1));
        assert_eq!(price_for(rays, price), Some(Tokens::from_micro(2)));
    }

    #[test]
    fn overflow_is_none_and_never_wraps() {
        let rays = RayCount { closest: u64::MAX, shadow: u64::MAX };
        assert_eq!(price_for(rays, Tokens::from_micro(u128::MAX)), None);
    }

    #[test]
    fn one_unit_has_one_payment_whoever_rendered_it() {
        let unit = |tile| Unit {
            job: JobId([1; 16]),
            shot: ShotIndex(0),
            tile: TileIndex(tile),
            batch: Batch::new(0, 1).expect("aligned"),
        };
        assert_eq!(payment_id(&unit(1)), payment_id(&unit(1)));
        assert_ne!(payment_id(&unit(1)), payment_id(&unit(2)));
        assert_ne!(payment_id(&unit(1)), unit_movement_id("fee", &unit(1)));
    }

    #[test]
    fn shares_of_all_payments_stay_within_the_quote() {
        let quote = Quote {
            id: QuoteId([0; 16]),
            spec: Digest([0; 32]),
            price: Tokens::from_micro(1_150),
            work: Tokens::from_micro(1_000),
            setup: Tokens::ZERO,
            fee: Tokens::from_micro(50),
            reserve: Tokens::from_micro(100),
            checking: Tokens::ZERO,
            offer: Offer::default(),
            base_per_gray: Tokens::from_whole(1),
            price_per_gray: Tokens::from_whole(1),
            weight_percent: 100,
            samples: 1,
            rays: RayCount::default(),
            probed: Probed::default(),
            memory: protocol::Footprint::default(),
            reach: protocol::Reach::default(),
            valid_until_ms: 0,
        };
        let mut sum = (0, 0);
        for pay in [1, 333, 333, 333] {
            let (fee, reserve) = shares_on(Tokens::from_micro(pay), &quote);
            sum = (sum.0 + fee.micro(), sum.1 + reserve.micro());
        }
        assert!(sum.0 <= 50 && sum.1 <= 100, "{sum:?}");
        assert_eq!(shares_on(quote.work, &quote), (quote.fee, quote.reserve));
    }
}
