//! Which pixels a challenge renders again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::geometry::Rect;
use crate::id::{Digest, LeaseId, NodeId};

/// What a challenge's pixels are drawn from, beside the commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The lease's nonce, opened; its hash stood in the lease.
    pub nonce: [u8; 32],
    /// Which challenge of the lease.
    pub round: u32,
    /// Pixels asked for.
    pub pixels: u32,
}

/// Fewest pixels of a challenge, for tiles so small that a share of them would be next to none.
const PIXELS_MIN: u32 = 32;
/// Largest share of a tile that a challenge renders again: one in this many pixels.
const SHARE_MAX: u64 = 8;

/// Draws the pixels of a challenge: different ones, every set equally likely, known to nobody
/// before both the commitment and the nonce are fixed.
///
/// Returns the pixels asked for in the order of their place; fewer of a tile of under 8 times as
/// many: an eighth of it, but at least 32, or all it has.
#[must_use]
pub fn challenge_pixels(
    lease: LeaseId,
    node: NodeId,
    root: Digest,
    challenge: &Challenge,
    rect: Rect,
) -> Vec<(u32, u32)> {
    let Challenge { nonce, round, pixels: wanted } = *challenge;
    let all = rect.pixel_count();
    let most = (all / SHARE_MAX).max(u64::from(PIXELS_MIN.min(wanted))).min(all);
    let count = u64::from(wanted).min(most);

    let mut hasher = blake3::Hasher::new_derive_key("tessera 2026 challenge pixels v1");
    for part in [&lease.0[..], &node.0, &root.0, &nonce, &round.to_le_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut stream = hasher.finalize_xof();
    let mut below = |bound: u64| {
        let mut bytes = [0; 16];
        stream.fill(&mut bytes);
        // 128 bits modulo fewer than 2^28: the bias is below 2^-100.
        (u128::from_le_bytes(bytes) % u128::from(bound)) as u64
    };

    // Fisher and Yates's shuffle, of which only the first places are ever looked at.
    let mut moved = BTreeMap::<u64, u64>::new();
    let mut drawn: Vec<u64> = (0..count)
        .map(|place| {
            let other = place + below(all - place);
            let here = moved.get(&place).copied().unwrap_or(place);
            moved.insert(other, here).unwrap_or(other)
        })
        .collect();
    drawn.sort_unstable();
    let width = u64::from(rect.width());
    let at = |index: u64| (rect.x0 + (index % width) as u32, rect.y0 + (index / width) as u32);
    drawn.into_iter().map(at).collect()
}

/// Probability that at least one of `drawn` different pixels is among the `forged` of `all`.
#[must_use]
pub fn detection_probability(all: u64, forged: u64, drawn: u64) -> f64 {
    let honest = all.saturating_sub(forged);
    let missed: f64 = (0..drawn)
        .map(|place| honest.saturating_sub(place) as f64 / (all - place).max(1) as f64)
        .product();
    1.0 - missed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const TILE: Rect = Rect { x0: 64, y0: 32, x1: 192, y1: 160 };

    fn draw(lease: u32, rect: Rect, wanted: u32) -> Vec<(u32, u32)> {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&lease.to_le_bytes());
        let (node, root) = (NodeId([1; 32]), Digest([2; 32]));
        let challenge = Challenge { nonce: [3; 32], round: 0, pixels: wanted };
        challenge_pixels(LeaseId(id), node, root, &challenge, rect)
    }

    #[test]
    fn pixels_are_different_and_inside() {
        let pixels = draw(0, TILE, 136);
        assert_eq!(pixels.len(), 136);
        assert!(pixels.iter().all(|&(x, y)| TILE.contains(x, y)));
        assert_eq!(pixels.iter().collect::<BTreeSet<_>>().len(), 136);
        assert_eq!(draw(0, TILE, 136), pixels);
        assert_ne!(draw(1, TILE, 136), pixels);
    }

    #[test]
    fn every_part_of_the_cause_changes_the_draw() {
        let base = |lease, node, root, nonce: u8, round| {
            challenge_pixels(
                LeaseId([lease; 16]),
                NodeId([node; 32]),
                Digest([root; 32]),
                &Challenge { nonce: [nonce; 32], round, pixels: 16 },
                TILE,
            )
        };
        let draws = [
            base(0, 0, 0, 0, 0),
            base(1, 0, 0, 0, 0),
            base(0, 1, 0, 0, 0),
            base(0, 0, 1, 0, 0),
            base(0, 0, 0, 1, 0),
            base(0, 0, 0, 0, 1),
        ];
        assert_eq!(draws.iter().collect::<BTreeSet<_>>().len(), draws.len());
    }

    #[test]
    fn small_tiles_are_not_rendered_twice() {
        let side = |px| Rect { x0: 0, y0: 0, x1: px, y1: px };
        assert_eq!(draw(0, side(16), 136).len(), 32);
        assert_eq!(draw(0, side(32), 136).len(), 128);
        assert_eq!(draw(0, side(33), 136).len(), 136);
        assert_eq!(draw(0, side(5), 136).len(), 25);
        assert_eq!(draw(0, side(1), 136).len(), 1);
    }

    #[test]
    fn every_pixel_is_as_likely_as_any_other() {
        let rect = Rect { x0: 0, y0: 0, x1: 16, y1: 16 };
        let mut hits = [0_u32; 256];
        let draws = 4_000;
        for lease in 0..draws {
            for (x, y) in draw(lease, rect, 32) {
                hits[(y * 16 + x) as usize] += 1;
            }
        }
        // Chi-squared with 255 degrees of freedom; sampling without replacement makes it smaller
        // than with. Mean 223, deviation 21: five deviations.
        let expected = f64::from(draws) * 32.0 / 256.0;
        let chi: f64 = hits.iter().map(|&h| (f64::from(h) - expected).powi(2) / expected).sum();
        assert!(chi < 330.0, "{chi}");
    }

    #[test]
    fn a_forgery_of_five_percent_is_caught_999_times_in_1000() {
        for rect in [TILE, Rect { x0: 0, y0: 0, x1: 256, y1: 256 }] {
            let all = rect.pixel_count();
            let forged = all / 20;
            assert!(detection_probability(all, forged, 136) >= 0.999);
        }
        // The formula without replacement, in closed form for a small case: 1 - C(8,2)/C(10,2).
        assert!((detection_probability(10, 2, 2) - (1.0 - 28.0 / 45.0)).abs() < 1e-12);
        assert!((detection_probability(4, 1, 4) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_simulated_forger_fares_as_the_formula_says() {
        let rect = Rect { x0: 0, y0: 0, x1: 128, y1: 128 };
        // The forger guesses: a run of rows, the pixels that are cheapest to leave out.
        let forged = |x: u32, y: u32| y * 128 + x < 128 * 128 / 20;
        let attempts = 20_000;
        let missed = (0..attempts)
            .filter(|&lease| !draw(lease, rect, 136).into_iter().any(|(x, y)| forged(x, y)))
            .count();
        // Expected misses: 20 000 × 0.00090 = 18, deviation 4.2; five deviations.
        assert!(missed <= 40, "{missed} of {attempts} forgeries went unseen");
    }
}
