//! Random numbers: pure functions of (job seed, time, pixel, sample index, dimension).
//!
//! Owen-scrambled Sobol' points in padded pairs: each pair of dimensions is the first two
//! dimensions of the sequence, in an order of its own and scrambled on its own, all by hashing
//! (Burley, "Practical hash-based Owen scrambling", JCGT 2020). No scramble depends on the number
//! of samples, so more can always be added. Integers only.
//!
//! All pixels of a frame take their points of one sequence, so that neighbours' errors differ and
//! cancel: blue noise. Which points, `of_digits` says; what that gives, docs/renderer.md, Samples,
//! and decision 0008.

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

/// What all random numbers of a frame hang on: the job's seed, and the bits of the time.
#[must_use]
pub fn frame_key(seed: u32, time_bits: u32) -> u32 {
    hash_with(hash(seed), hash(time_bits))
}

/// A pixel's place along a Z-curve through the frame: its bits are those of x and y in turn, y's
/// lowest first. Coordinates count modulo 2¹⁶.
#[inline(always)]
#[must_use]
pub fn place_of(x: u32, y: u32) -> u32 {
    spread(x & 0xffff) << 1 | spread(y & 0xffff)
}

/// Moves bit i of a half word to bit 2i.
#[inline(always)]
fn spread(half: u32) -> u32 {
    let a = (half | half << 8) & 0x00ff_00ff;
    let b = (a | a << 4) & 0x0f0f_0f0f;
    let c = (b | b << 2) & 0x3333_3333;
    (c | c << 1) & 0x5555_5555
}

/// What alpha decisions along a ray of a frame hang on: bounce 0 is the camera ray; `kind` is 0 for
/// rays that look for the closest hit, 1 for shadow rays.
#[inline(always)]
#[must_use]
pub fn ray_key(place: u32, sample: u32, bounce: u32, kind: u32) -> u32 {
    hash_with(hash_with(place ^ 0x5bd1_e995, sample), bounce * 2 + kind)
}

/// The number in 0..1 that a triangle's alpha is compared with.
#[inline(always)]
#[must_use]
pub fn alpha_draw(frame_key: u32, ray_key: u32, instance: u32, primitive: u32) -> f32 {
    to_unit(hash_with(hash_with(frame_key ^ ray_key, instance), primitive))
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

/// The digits of a place in the grid of a pair, two bits each from the top, the lowest first.
///
/// Each pair lays its own grid of squares over the frame, pushed aside (by odd numbers of pixels or
/// even ones in turn) and with its digits multiplied by a power of ω in GF(4): pairs whose squares
/// and digits were the same would be alike in whole squares, which shows as blotches where light
/// depends on both. Each digit is then scrambled as the digits above it say.
#[inline(always)]
fn digits_of(place: u32, pair: u32, seed: u32) -> u32 {
    let aside = (hash(seed ^ 0xb529_7a4d) & !3) | (pair & 3);
    let x = (place | 0x5555_5555).wrapping_add(aside & 0xaaaa_aaaa) & 0xaaaa_aaaa;
    let y = (place | 0xaaaa_aaaa).wrapping_add(aside & 0x5555_5555) & 0x5555_5555;
    let digits = (x | y).reverse_bits();
    let (upper, lower) = ((digits >> 1) & 0x5555_5555, digits & 0x5555_5555);
    let (upper, lower) = match pair % 3 {
        0 => (upper, lower),
        1 => (upper ^ lower, upper),
        _ => (lower, upper ^ lower),
    };
    laine_karras(upper << 1 | lower, hash(seed ^ 0x68bc_21eb))
}

/// What the digits of a place add to those of its samples, which are coefficients of polynomials in
/// x over the field of two elements, the constant one in bit 0.
///
/// Digit i, z, is a polynomial as well, of degree 1. With q = 1 + x + x² this is the power series
/// of z₀ / q + z₁ / q² + … + z₁₅ / q¹⁶ at 0, or, with z of [`seen_from_one`], at 1 (Niederreiter's
/// construction with a place of degree two). The samples s < 2ʲ of a square of 4ᵏ pixels are the
/// fractions (s qᵏ + …) / qᵏ, whose numerators have degrees below j + 2k: no two agree in a digits
/// at 0 and b digits at 1 where a + b is j + 2k. So together they are a (0, j + 2k, 2)-net,
/// whatever j and k.
#[inline(always)]
fn of_digits(digits: u32) -> u32 {
    // Horner's scheme in pairs: digits, then halves of bytes, bytes, half words.
    let a = times_q(digits, 0xcccc_cccc, 1);
    let b = times_q(a, 0xf0f0_f0f0, 2);
    let c = times_q(b, 0xff00_ff00, 4);
    let d = times_q(c, 0xffff_0000, 8);
    // Through q¹⁶ = 1 + x¹⁶ + x³².
    d ^ (d << 16)
}

/// Multiplies what lies in `upper`, counted as 2 · `step` bits further down, by q to the power of
/// `step`, a power of two, and adds it to what lies there.
#[inline(always)]
fn times_q(word: u32, upper: u32, step: u32) -> u32 {
    let part = word & upper;
    word ^ (part >> step) ^ (part >> (2 * step))
}

/// Digits as polynomials in x + 1.
#[inline(always)]
fn seen_from_one(digits: u32) -> u32 {
    digits ^ ((digits & 0xaaaa_aaaa) >> 1)
}

/// Two numbers in 0..1: sample `sample` of pair `pair` at a place in a frame.
///
/// Any aligned run of 2ʲ samples of a pair is a (0, j, 2)-net, and in each square of 4ᵏ pixels of
/// the pair's grid it is a (0, j + 2k, 2)-net, as far as 2³² points go.
#[inline(always)]
#[must_use]
pub fn sample_pair(frame_key: u32, place: u32, sample: u32, pair: u32) -> (f32, f32) {
    let seed = hash_with(frame_key, pair);
    let index = laine_karras(sample.reverse_bits(), seed).reverse_bits();
    let digits = digits_of(place, pair, seed);
    let first = index ^ of_digits(digits);
    let second = pascal(index) ^ of_digits(seen_from_one(digits));
    let first = laine_karras(first, hash(seed ^ 0xa511_e9b3)).reverse_bits();
    let second = laine_karras(second, hash(seed ^ 0x63d8_3595)).reverse_bits();
    (to_unit(first), to_unit(second))
}

/// [`sample_pair`] for many paths: `u` and `v` of each, from its pixel's place and its sample.
///
/// All slices have the same length. The loop is plain, so that compilers make vectors of it: it is
/// inlined where the machine's are known.
#[inline(always)]
pub fn sample_pairs(
    frame_key: u32,
    places: &[u32],
    samples: &[u32],
    pair: u32,
    out: &mut [[f32; 2]],
) {
    for ((out, &place), &sample) in out.iter_mut().zip(places).zip(samples) {
        let (u, v) = sample_pair(frame_key, place, sample, pair);
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

    /// Whether points fill all boxes of their number's size once.
    fn is_net(points: &[(f32, f32)]) -> bool {
        let log2 = points.len().ilog2();
        (0..=log2).all(|split| {
            let (columns, rows) = (1_u32 << split, 1_u32 << (log2 - split));
            let mut seen = vec![false; points.len()];
            points.iter().all(|(u, v)| {
                let cell = (u * columns as f32) as u32 * rows + (v * rows as f32) as u32;
                !std::mem::replace(&mut seen[cell as usize], true)
            })
        })
    }

    #[test]
    fn aligned_runs_are_nets() {
        for (first, log2) in [(0_u32, 4_u32), (16, 4), (48, 4), (64, 6), (0, 8), (3 << 12, 12)] {
            let points: Vec<_> = (first..first + (1 << log2))
                .map(|sample| sample_pair(7, place_of(1919, 1079), sample, 3))
                .collect();
            assert!(is_net(&points), "{first} {log2}");
        }
    }

    /// Where squares of a pair's grid begin: a pixel whose digits before scrambling are all 0.
    fn origin(frame_key: u32, pair: u32) -> (u32, u32) {
        let aside = (hash(hash_with(frame_key, pair) ^ 0xb529_7a4d) & !3) | (pair & 3);
        let bits = |from: u32| (0..16).map(|i| (aside >> (2 * i + from) & 1) << i).sum::<u32>();
        (0_u32.wrapping_sub(bits(1)), 0_u32.wrapping_sub(bits(0)))
    }

    #[test]
    fn squares_of_pixels_are_nets() {
        for (x, y, side, first, samples) in [
            (0, 0, 2, 0, 1),
            (2, 6, 2, 0, 2),
            (1022, 510, 2, 48, 16),
            (64, 32, 8, 0, 1),
            (8, 8, 8, 6, 2),
            (32, 96, 32, 0, 1),
            (16, 0, 16, 128, 64),
            (128, 128, 128, 3, 1),
        ] {
            for pair in [0, 1, 5, 11] {
                let (x0, y0) = origin(11, pair);
                let points: Vec<_> = (0..side * side)
                    .flat_map(|pixel| {
                        let x = x0.wrapping_add(x + pixel % side);
                        let place = place_of(x, y0.wrapping_add(y + pixel / side));
                        (first..first + samples)
                            .map(move |sample| sample_pair(11, place, sample, pair))
                    })
                    .collect();
                assert!(is_net(&points), "{x} {y} {side} {first} {samples} {pair}");
            }
        }
    }

    #[test]
    fn places_are_a_z_curve() {
        assert_eq!(place_of(0, 0), 0);
        assert_eq!(place_of(1, 0), 2);
        assert_eq!(place_of(0, 1), 1);
        assert_eq!(place_of(2, 3), 0b11_01);
        assert_eq!(place_of(0x8000, 0), 1 << 31);
        // Overscan begins with negative coordinates.
        assert_eq!(place_of(u32::MAX, u32::MAX), u32::MAX);
    }

    #[test]
    fn pairs_frames_and_squares_are_independent() {
        let mut sums = [0.0_f64; 4];
        let count = 4096_u32;
        for index in 0..count {
            // Pixels far from each other, of no common square of a size.
            let place = place_of(hash(index) >> 16, hash(!index) >> 16);
            let (a, b) = sample_pair(9, place, 5, 0);
            let (c, _) = sample_pair(9, place, 5, 1);
            let (d, _) = sample_pair(10, place, 5, 0);
            let [a, b, c, d] = [a, b, c, d].map(|value| f64::from(value) - 0.5);
            for (sum, value) in sums.iter_mut().zip([a, a * b, a * c, a * d]) {
                *sum += value;
            }
        }
        // Deviations of the means: sqrt(1/12/4096) = 4.5e-3 and 1/12/64 = 1.3e-3; five of them.
        assert!(sums[0].abs() / f64::from(count) < 0.0226, "{sums:?}");
        for product in &sums[1..] {
            assert!(product.abs() / f64::from(count) < 0.0066, "{sums:?}");
        }
    }
}
