//! Random numbers: pure functions of (job seed, time, pixel, sample index, dimension).
//!
//! Owen-scrambled Sobol' points in padded pairs: each pair of dimensions is the first two
//! dimensions of the sequence, in an order of its own and scrambled on its own, all by hashing
//! (Burley, "Practical hash-based Owen scrambling", JCGT 2020). No scramble depends on the number
//! of samples, so more can always be added. Integers only.

/// Pair of the pixel filter.
pub const PAIR_FILTER: u32 = 0;
/// Pair of the lens.
pub const PAIR_LENS: u32 = 1;
/// The colour that dispersion leaves of a path.
pub const PAIR_COLOR: u32 = 2;
/// The path's time while the shutter is open: its first number.
pub const PAIR_TIME: u32 = 3;
/// First pair of bounce 0; each bounce has [`PAIRS_PER_BOUNCE`].
pub const PAIR_BOUNCE: u32 = 4;
/// Pairs of a bounce.
pub const PAIRS_PER_BOUNCE: u32 = 5;
/// Within a bounce: the direction of scattering.
pub const PAIR_SCATTER: u32 = 0;
/// Within a bounce: which lobe scatters, and whether the path goes on.
pub const PAIR_CHOICE: u32 = 1;
/// Within a bounce: the place on an emitter.
pub const PAIR_LIGHT: u32 = 2;
/// Within a bounce: which emitter, as the two numbers of an alias table.
pub const PAIR_PICK: u32 = 3;
/// Within a bounce: which cell of the environment, as the two numbers of an alias table.
pub const PAIR_CELL: u32 = 4;

/// Mixes all bits of a word (Wellons' `lowbias32`).
#[inline(always)]
#[must_use]
pub fn hash(value: u32) -> u32 {
    let a = value ^ (value >> 16);
    let b = a.wrapping_mul(0x7feb_352d);
    let c = b ^ (b >> 15);
    let d = c.wrapping_mul(0x846c_a68b);
    d ^ (d >> 16)
}

/// Adds a word to a hash; the order counts.
#[inline(always)]
#[must_use]
pub fn hash_with(state: u32, value: u32) -> u32 {
    hash(state.wrapping_mul(0x9e37_79b1) ^ hash(value.wrapping_add(0x85eb_ca6b)))
}

/// What all random numbers of a pixel hang on.
#[inline(always)]
#[must_use]
pub fn pixel_key(seed: u32, time_hash: u32, x: u32, y: u32) -> u32 {
    hash_with(hash_with(hash_with(hash(seed), time_hash), x), y)
}

/// What alpha decisions along a ray hang on: bounce 0 is the camera ray; `kind` is 0 for rays
/// that look for the closest hit, 1 for shadow rays.
#[inline(always)]
#[must_use]
pub fn ray_key(pixel_key: u32, sample: u32, bounce: u32, kind: u32) -> u32 {
    hash_with(hash_with(pixel_key ^ 0x5bd1_e995, sample), bounce * 2 + kind)
}

/// A number in 0..1 from 32 bits.
#[inline(always)]
#[must_use]
pub fn to_unit(bits: u32) -> f32 {
    // Below 2²⁴, so the sign does not matter; signed words are the ones that vectors convert.
    (bits >> 8) as i32 as f32 * 5.960_464_5e-8
}

/// Random flips of each bit that depend on the lower bits only: the core of nested uniform
/// scrambling (Laine and Karras 2011; constants by Vegdahl 2021, as in pbrt 4).
#[inline(always)]
#[must_use]
pub fn laine_karras(bits: u32, seed: u32) -> u32 {
    let a = bits ^ bits.wrapping_mul(0x3d20_adea);
    let b = a.wrapping_add(seed);
    let c = b.wrapping_mul((seed >> 16) | 1);
    let d = c ^ c.wrapping_mul(0x0552_6c56);
    d ^ d.wrapping_mul(0x53a2_2864)
}

/// The second dimension's matrix of the Sobol' sequence on reversed bits: Pascal's triangle
/// modulo 2, as five butterflies.
#[inline(always)]
#[must_use]
pub fn pascal(index: u32) -> u32 {
    let a = index ^ ((index >> 1) & 0x5555_5555);
    let b = a ^ ((a >> 2) & 0x3333_3333);
    let c = b ^ ((b >> 4) & 0x0f0f_0f0f);
    let d = c ^ ((c >> 8) & 0x00ff_00ff);
    d ^ (d >> 16)
}

/// Two numbers in 0..1: sample `sample` of pair `pair`.
///
/// Any aligned run of 2ᵏ samples of a pair is a (0, k, 2)-net.
#[inline(always)]
#[must_use]
pub fn sample_pair(pixel_key: u32, sample: u32, pair: u32) -> (f32, f32) {
    let seed = hash_with(pixel_key, pair);
    let index = laine_karras(sample.reverse_bits(), seed).reverse_bits();
    let first = laine_karras(index, hash(seed ^ 0xa511_e9b3)).reverse_bits();
    let second = laine_karras(pascal(index), hash(seed ^ 0x63d8_3595)).reverse_bits();
    (to_unit(first), to_unit(second))
}

/// [`sample_pair`] for many paths: `u` and `v` of each, from its pixel's key and its sample.
///
/// All slices have the same length. The loop is plain, so that compilers make vectors of it: it is
/// inlined where the machine's are known.
#[inline(always)]
pub fn sample_pairs(keys: &[u32], samples: &[u32], pair: u32, out: &mut [[f32; 2]]) {
    for ((out, &key), &sample) in out.iter_mut().zip(keys).zip(samples) {
        let (u, v) = sample_pair(key, sample, pair);
        *out = [u, v];
    }
}

/// The pair of a bounce: `purpose` is one of the `PAIR_` constants within a bounce.
#[inline(always)]
#[must_use]
pub fn bounce_pair(bounce: u32, purpose: u32) -> u32 {
    PAIR_BOUNCE + bounce * PAIRS_PER_BOUNCE + purpose
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second dimension by its direction numbers.
    fn sobol_second(index: u32) -> u32 {
        let mut direction = 1_u32 << 31;
        let mut value = 0;
        for bit in 0..32 {
            if index >> bit & 1 == 1 {
                value ^= direction;
            }
            direction ^= direction >> 1;
        }
        value
    }

    #[test]
    fn the_second_dimension_is_sobols() {
        for index in (0..70_000).chain([u32::MAX, 0x8000_0000, 0x1234_5678]) {
            assert_eq!(pascal(index).reverse_bits(), sobol_second(index), "{index}");
        }
    }

    #[test]
    fn aligned_runs_are_nets() {
        for (first, log2) in [(0_u32, 4_u32), (16, 4), (48, 4), (64, 6), (0, 8)] {
            let count = 1_u32 << log2;
            let key = pixel_key(7, 8, 9, 10);
            let points: Vec<_> =
                (first..first + count).map(|sample| sample_pair(key, sample, 3)).collect();
            for split in 0..=log2 {
                let (columns, rows) = (1_u32 << split, 1_u32 << (log2 - split));
                let mut seen = vec![false; count as usize];
                for (u, v) in &points {
                    let cell = (u * columns as f32) as u32 * rows + (v * rows as f32) as u32;
                    assert!(!std::mem::replace(&mut seen[cell as usize], true), "{first} {split}");
                }
            }
        }
    }

    #[test]
    fn pairs_and_pixels_are_independent() {
        let mut sums = [0.0_f64; 3];
        let count = 4096_u32;
        for pixel in 0..count {
            let key = pixel_key(1, 2, pixel % 64, pixel / 64);
            let (a, b) = sample_pair(key, 5, 0);
            let (c, _) = sample_pair(key, 5, 1);
            let (a, b, c) = (f64::from(a) - 0.5, f64::from(b) - 0.5, f64::from(c) - 0.5);
            for (sum, value) in sums.iter_mut().zip([a, a * b, a * c]) {
                *sum += value;
            }
        }
        // Deviations of the means: sqrt(1/12/4096) = 4.5e-3 and 1/12/64 = 1.3e-3; five of them.
        assert!(sums[0].abs() / f64::from(count) < 0.0226, "{sums:?}");
        assert!(sums[1].abs() / f64::from(count) < 0.0066, "{sums:?}");
        assert!(sums[2].abs() / f64::from(count) < 0.0066, "{sums:?}");
    }
}
