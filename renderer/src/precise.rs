//! Double precision for preparing scenes: the same bits on every machine, like [`crate::math`].
//!
//! Only `+`, `-`, `*`, `/` and square roots, which IEEE 754 fixes; no functions of the platform's
//! library.

/// Sine and cosine of `turns` full turns, any finite number below 2⁴⁰ in size.
#[must_use]
pub fn sin_cos_turns(turns: f64) -> (f64, f64) {
    let quarters = turns * 4.0;
    let shifted = quarters + 0.5;
    let whole = shifted as i64;
    let quadrant = if whole as f64 > shifted { whole - 1 } else { whole };
    let x = (quarters - quadrant as f64) * std::f64::consts::FRAC_PI_2;
    let square = x * x;
    let (mut sin, mut cos) = (0.0, 0.0);
    // Taylor series from the smallest term.
    for k in (0..10).rev() {
        let k = f64::from(k);
        sin = 1.0 - square * sin / ((2.0 * k + 2.0) * (2.0 * k + 3.0));
        cos = 1.0 - square * cos / ((2.0 * k + 1.0) * (2.0 * k + 2.0));
    }
    let sin = x * sin;
    match quadrant & 3 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// Sine and cosine of an angle in radians.
#[must_use]
pub fn sin_cos(radians: f64) -> (f64, f64) {
    sin_cos_turns(radians / std::f64::consts::TAU)
}

/// Angle in radians, within ±π/2, whose tangent is a finite number.
#[must_use]
pub fn atan(tangent: f64) -> f64 {
    let size = tangent.abs();
    let mut x = if size > 1.0 { 1.0 / size } else { size };
    // Halve the angle twice: tan(a/2) = tan a / (1 + √(1 + tan² a)). What is left is below 0.2.
    for _half in 0..2 {
        x /= 1.0 + (1.0 + x * x).sqrt();
    }
    // Taylor series from the smallest term.
    let square = x * x;
    let mut sum = 0.0;
    for k in (0..14).rev() {
        sum = 1.0 / f64::from(2 * k + 1) - square * sum;
    }
    let angle = 4.0 * x * sum;
    let angle = if size > 1.0 { std::f64::consts::FRAC_PI_2 - angle } else { angle };
    if tangent < 0.0 { -angle } else { angle }
}

/// Natural logarithm of a number above 0.
#[must_use]
pub fn ln(value: f64) -> f64 {
    let bits = value.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)).
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let mut sum = 0.0;
    for k in (0..14).rev() {
        sum = sum * square + 1.0 / f64::from(2 * k + 1);
    }
    2.0 * t * sum + exponent as f64 * std::f64::consts::LN_2
}

/// e to the power of a number within ±700.
#[must_use]
pub fn exp(value: f64) -> f64 {
    let scaled = value / std::f64::consts::LN_2;
    let whole = (scaled + if scaled < 0.0 { -0.5 } else { 0.5 }) as i64;
    let x = value - whole as f64 * std::f64::consts::LN_2;
    let mut sum = 1.0;
    for k in (1..18).rev() {
        sum = 1.0 + sum * x / f64::from(k);
    }
    sum * f64::from_bits(((1023 + whole) as u64) << 52)
}

/// Linear value of an sRGB-encoded one, both 0..=1 (IEC 61966-2-1).
#[must_use]
pub fn srgb_to_linear(encoded: f64) -> f64 {
    if encoded <= 0.040_45 { encoded / 12.92 } else { exp(ln((encoded + 0.055) / 1.055) * 2.4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_agree_with_the_library() {
        for i in -500..500 {
            let x = f64::from(i) * 0.037;
            let (sin, cos) = sin_cos(x);
            assert!((sin - x.sin()).abs() < 1e-13 && (cos - x.cos()).abs() < 1e-13, "{x}");
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-13, "{x}");
            assert!((atan(x) - x.atan()).abs() < 1e-15, "{x}");
            let y = x.exp();
            assert!((ln(y) - x).abs() < 1e-12, "{x}");
        }
        assert!((srgb_to_linear(0.5) - 0.214_041_140_482_232_6).abs() < 1e-12);
        assert!((srgb_to_linear(1.0) - 1.0).abs() < 1e-12);
    }
}
