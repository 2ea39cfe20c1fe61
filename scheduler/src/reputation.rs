//! A node's good name: the mean of a Beta posterior over verified work, with its reasons, and
//! how often that name asks for a twin.

use protocol::Tokens;
use protocol::view::Reputation;

/// What one accepted unit adds to the good side, in tenths.
const ACCEPTED: u64 = 10;
/// What one refused film adds to the bad side, in tenths: fifty good units outweigh it by half.
const REFUSED: u64 = 500;
/// What one lapsed or returned lease adds to the bad side, in tenths: machines do go to sleep.
const DROPPED: u64 = 1;
/// Pseudo-counts of a newcomer, in tenths: a Beta(1, 0.2) prior. Most strangers are honest, and
/// their first units are all paired whatever this says.
const PRIOR_GOOD: u64 = 10;
/// See [`PRIOR_GOOD`].
const PRIOR_BAD: u64 = 2;

/// Expected share of good results, in millionths, with the counts it rests on.
#[must_use]
pub fn reputation(accepted: u64, refused: u64, dropped: u64) -> Reputation {
    let good = PRIOR_GOOD + accepted.min(1 << 40) * ACCEPTED;
    let bad = PRIOR_BAD + refused.min(1 << 40) * REFUSED + dropped.min(1 << 40) * DROPPED;
    let mean_ppm = u128::from(good) * 1_000_000 / u128::from(good + bad);
    Reputation { mean_ppm: mean_ppm as u32, accepted, refused, dropped }
}

/// Probability, in millionths, that a unit given to a node of this name gets a twin.
///
/// The expected share of bad results, and never below the floor: a long record must not buy one
/// free theft.
#[must_use]
pub fn twin_ppm(name: &Reputation, floor_ppm: u32) -> u32 {
    (1_000_000 - name.mean_ppm.min(1_000_000)).max(floor_ppm)
}

/// The same for an owner with a stake: what goes beyond the floor is halved by a full stake, and by
/// less in proportion. All of it is lost with one film that is found wrong.
#[must_use]
pub fn staked_twin_ppm(ppm: u32, floor_ppm: u32, stake: Tokens, full: Tokens) -> u32 {
    let beyond = u64::from(ppm.saturating_sub(floor_ppm));
    let share = stake.min(full).micro() * 1_000_000 / full.micro().max(1);
    let less = u128::from(beyond) * share / 2_000_000;
    ppm.saturating_sub(less as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_is_trusted_a_little_and_work_makes_a_name() {
        assert_eq!(reputation(0, 0, 0).mean_ppm, 833_333);
        assert!(reputation(10, 0, 0).mean_ppm > 980_000);
        assert!(reputation(1000, 0, 0).mean_ppm > 999_700);
    }

    #[test]
    fn one_refusal_costs_more_than_many_lapses() {
        let refused = reputation(100, 1, 0).mean_ppm;
        let dropped = reputation(100, 0, 30).mean_ppm;
        assert!(refused < dropped && dropped < reputation(100, 0, 0).mean_ppm);
    }

    #[test]
    fn a_stake_halves_what_goes_beyond_the_floor() {
        let full = Tokens::from_whole(100);
        let ppm = |stake| staked_twin_ppm(160_000, 20_000, Tokens::from_whole(stake), full);
        assert_eq!([0, 50, 100, 1000].map(ppm), [160_000, 125_000, 90_000, 90_000]);
        assert_eq!(staked_twin_ppm(20_000, 20_000, full, full), 20_000);
        assert_eq!(staked_twin_ppm(160_000, 20_000, Tokens::ZERO, Tokens::ZERO), 160_000);
    }

    #[test]
    fn checks_never_fall_below_the_floor() {
        let name = reputation(1 << 30, 0, 0);
        assert_eq!(twin_ppm(&name, 20_000), 20_000);
        assert_eq!(twin_ppm(&reputation(0, 0, 0), 20_000), 166_667);
        assert!(twin_ppm(&reputation(u64::MAX, u64::MAX, u64::MAX), 0) > 900_000);
    }
}
