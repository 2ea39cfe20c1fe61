//! Filters: what an element's bits mean, written back as an accessor reads it.
//!
//! Elements outside the specification's ranges give some number, never a panic: casts saturate.

use super::Filter;

/// Applies a filter to elements of `stride` bytes, which suits it.
pub fn apply(filter: Filter, stride: usize, bytes: &mut [u8]) {
    match (filter, stride) {
        (Filter::None, _) => {}
        (Filter::Octahedral, 4) => {
            for element in bytes.as_chunks_mut::<4>().0 {
                let [x, y, one, _] = element.map(|byte| f32::from(byte as i8));
                let direction = octahedral(x, y, one).map(|value| (value * 127.0).round() as i8);
                for (byte, value) in element.iter_mut().zip(direction) {
                    *byte = value as u8;
                }
            }
        }
        (Filter::Octahedral, _) => {
            shorts(bytes, |[x, y, one, last]| {
                let [a, b, one] = [x, y, one].map(|short| f32::from(short as i16));
                let [x, y, z] =
                    octahedral(a, b, one).map(|value| (value * 32_767.0).round() as i16 as u16);
                [x, y, z, last]
            });
        }
        (Filter::Quaternion, _) => shorts(bytes, quaternion),
        (Filter::Exponential, _) => {
            for word in bytes.as_chunks_mut::<4>().0 {
                let bits = i32::from_le_bytes(*word);
                let exponent = (bits >> 24).clamp(-126, 127);
                let power = f32::from_bits(((exponent + 127) as u32) << 23);
                *word = (power * ((bits << 8) >> 8) as f32).to_le_bytes();
            }
        }
        (Filter::Color, 4) => {
            for element in bytes.as_chunks_mut::<4>().0 {
                let [y, orange, green, alpha] = *element;
                let chroma = [orange, green].map(|byte| i32::from(byte as i8));
                let color = color(i32::from(y), chroma, u32::from(alpha));
                *element = color.map(|value| (value * 255.0).round() as u8);
            }
        }
        (Filter::Color, _) => shorts(bytes, |[y, orange, green, alpha]| {
            let chroma = [orange, green].map(|short| i32::from(short as i16));
            let color = color(i32::from(y), chroma, u32::from(alpha));
            color.map(|value| (value * 65_535.0).round() as u16)
        }),
    }
}

fn shorts(bytes: &mut [u8], filter: impl Fn([u16; 4]) -> [u16; 4]) {
    for element in bytes.as_chunks_mut::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *element;
        let values = filter([[a, b], [c, d], [e, f], [g, h]].map(u16::from_le_bytes));
        for (place, value) in element.as_chunks_mut::<2>().0.iter_mut().zip(values) {
            *place = value.to_le_bytes();
        }
    }
}

/// A unit vector from its place on the unfolded octahedron; `one` is 1 in the same units.
fn octahedral(x: f32, y: f32, one: f32) -> [f32; 3] {
    let (x, y) = (x / one, y / one);
    let z = 1.0 - x.abs() - y.abs();
    let fold = z.min(0.0);
    let (x, y) = (x - fold.copysign(x), y - fold.copysign(y));
    let length = (x * x + y * y + z * z).sqrt();
    [x / length, y / length, z / length]
}

/// A quaternion from the three components that are not the largest, in cyclic order behind it.
fn quaternion([x, y, z, last]: [u16; 4]) -> [u16; 4] {
    let one = f32::from((last | 3) as i16);
    let part = |short: u16| f32::from(short as i16) / one * std::f32::consts::FRAC_1_SQRT_2;
    let (x, y, z) = (part(x), part(y), part(z));
    let largest = (1.0 - x * x - y * y - z * z).max(0.0).sqrt();
    let mut parts = [largest, x, y, z].map(|value| (value * 32_767.0).round() as i16 as u16);
    parts.rotate_right(usize::from(last & 3));
    parts
}

/// Red, green, blue and alpha, 1 for full, from luma, two chromas, and alpha behind a marker bit
/// that tells the number of bits.
fn color(luma: i32, [orange, green]: [i32; 2], alpha: u32) -> [f32; 4] {
    let bits = u32::BITS - alpha.leading_zeros();
    let full = ((1_u32 << bits) - 1).max(1);
    let alpha = alpha & (full >> 1);
    let alpha = (alpha << 1) | (alpha & 1);
    let rgb = [luma + orange - green, luma + green, luma - orange - green];
    let [r, g, b] = rgb.map(|value| value as f32 / full as f32);
    [r, g, b, alpha as f32 / full as f32]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<const N: usize>(filter: Filter, mut bytes: [u8; N], expected: [u8; N]) {
        apply(filter, N, &mut bytes);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn elements_by_hand() {
        let shorts = |values: [i16; 4]| {
            let mut bytes = [0; 8];
            for (place, value) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(values) {
                *place = value.to_le_bytes();
            }
            bytes
        };
        // Up, down, and along x in 8, 6 and 10 bits.
        check(Filter::Octahedral, [0, 0, 127, 9], [0, 0, 127, 9]);
        check(Filter::Octahedral, [31, 31, 31, 1], [0, 0, -127_i8 as u8, 1]);
        check(Filter::Octahedral, shorts([511, 0, 511, -7]), shorts([32_767, 0, 0, -7]));
        // No turn, whose largest part is w (3); a quarter turn about x, w and x alike.
        check(Filter::Quaternion, shorts([0, 0, 0, 2047]), shorts([0, 0, 0, 32_767]));
        check(Filter::Quaternion, shorts([2047, 0, 0, 2047]), shorts([23_170, 0, 0, 23_170]));
        // 3 · 2⁻¹ and -5 · 2³.
        let word = |exponent: i32, mantissa: i32| {
            ((exponent << 24) | (mantissa & 0xff_ffff)).to_le_bytes()
        };
        check(Filter::Exponential, word(-1, 3), 1.5_f32.to_le_bytes());
        check(Filter::Exponential, word(3, -5), (-40.0_f32).to_le_bytes());
        // Full white in 8 bits; full red: luma 127 (255 / 2), orange 128, green -127.
        check(Filter::Color, [255, 0, 0, 255], [255; 4]);
        check(Filter::Color, [64, 64, -64_i8 as u8, 128], [192, 0, 64, 0]);
    }

    #[test]
    fn what_means_nothing_gives_something() {
        for filter in [Filter::Octahedral, Filter::Quaternion, Filter::Exponential, Filter::Color] {
            for byte in [0, 1, 127, 128, 255] {
                apply(filter, 8, &mut [byte; 8]);
            }
        }
        apply(Filter::Color, 4, &mut [0; 4]);
        apply(Filter::Octahedral, 4, &mut [0; 4]);
    }
}
