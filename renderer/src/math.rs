//! The arithmetic of the kernels: every operation whose bits count, in one order.
//!
//! Kernels use `+`, `-`, `*` on f32 and what stands here, nothing else: no fused operations, no
//! functions of the platform's library. A shader that writes the same expressions, and whose
//! compiler may not contract them, gets the same bits. Division and square root are IEEE 754
//! correctly rounded and stand in [`div`], [`rcp`] and [`sqrt`] alone.

use std::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub};

/// π.
pub const PI: f32 = std::f32::consts::PI;
/// 1/π to seven digits, 0.3183099: what shaders write.
pub const INV_PI: f32 = f32::from_bits(0x3ea2_f984);
/// Stands for infinity in ray parameters; finite, so that products stay numbers.
pub const FAR: f32 = 1e30;

/// A vector, a point or an RGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vec3 {
    /// First component.
    pub x: f32,
    /// Second component.
    pub y: f32,
    /// Third component.
    pub z: f32,
}

/// The vector `x, y, z`.
#[inline(always)]
#[must_use]
pub const fn vec3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    /// Nothing, or black.
    pub const ZERO: Self = vec3(0.0, 0.0, 0.0);
    /// One in each component, or white.
    pub const ONE: Self = vec3(1.0, 1.0, 1.0);

    /// From an array.
    #[inline(always)]
    #[must_use]
    pub const fn of(v: [f32; 3]) -> Self {
        vec3(v[0], v[1], v[2])
    }

    /// To an array.
    #[inline(always)]
    #[must_use]
    pub const fn to_array(self) -> [f32; 3] {
        [self.x, self.y, self.z]
    }
}

impl Add for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        vec3(self.x + b.x, self.y + b.y, self.z + b.z)
    }
}

impl Sub for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        vec3(self.x - b.x, self.y - b.y, self.z - b.z)
    }
}

impl Mul for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        vec3(self.x * b.x, self.y * b.y, self.z * b.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, s: f32) -> Self {
        vec3(self.x * s, self.y * s, self.z * s)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        vec3(-self.x, -self.y, -self.z)
    }
}

impl AddAssign for Vec3 {
    #[inline(always)]
    fn add_assign(&mut self, b: Self) {
        *self = *self + b;
    }
}

impl MulAssign for Vec3 {
    #[inline(always)]
    fn mul_assign(&mut self, b: Self) {
        *self = *self * b;
    }
}

/// `a / b`, correctly rounded.
#[inline(always)]
#[must_use]
pub fn div(a: f32, b: f32) -> f32 {
    a / b
}

/// `1 / a`, correctly rounded.
#[inline(always)]
#[must_use]
pub fn rcp(a: f32) -> f32 {
    1.0 / a
}

/// Square root, correctly rounded; 0 for what is not above 0, NaN included.
#[inline(always)]
#[must_use]
pub fn sqrt(a: f32) -> f32 {
    if a > 0.0 { a.sqrt() } else { 0.0 }
}

/// The smaller; `b` when either is NaN; `b` of two zeros.
#[inline(always)]
#[must_use]
pub fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The larger; `b` when either is NaN; `b` of two zeros.
#[inline(always)]
#[must_use]
pub fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// `a` within `low..=high`; `low` for NaN.
#[inline(always)]
#[must_use]
pub fn clamp(a: f32, low: f32, high: f32) -> f32 {
    min(max(a, low), high)
}

/// `a` within 0..=1; 0 for NaN.
#[inline(always)]
#[must_use]
pub fn saturate(a: f32) -> f32 {
    clamp(a, 0.0, 1.0)
}

/// `a` without its sign: the sign bit is cleared.
#[inline(always)]
#[must_use]
pub fn abs(a: f32) -> f32 {
    f32::from_bits(a.to_bits() & 0x7fff_ffff)
}

/// The size of `a` with the sign bit of `b`.
#[inline(always)]
#[must_use]
pub fn copysign(a: f32, b: f32) -> f32 {
    f32::from_bits((a.to_bits() & 0x7fff_ffff) | (b.to_bits() & 0x8000_0000))
}

/// `a` without its fraction, held within ±2³⁰ first; NaN counts as -2³⁰.
///
/// The language's own conversion also answers for numbers out of range, which no vector instruction
/// does: loops over it stay scalar.
#[inline(always)]
#[must_use]
pub fn truncate_to_i32(a: f32) -> i32 {
    let held = clamp(a, -1_073_741_824.0, 1_073_741_824.0);
    #[expect(unsafe_code, reason = "the checked conversion keeps loops from becoming vectors")]
    // SAFETY: `clamp` leaves numbers within ±2³⁰ only, for NaN too.
    unsafe {
        held.to_int_unchecked()
    }
}

/// The whole number at or below `a`, which is held within ±2³⁰ first; NaN counts as -2³⁰.
#[inline(always)]
#[must_use]
pub fn floor_to_i32(a: f32) -> i32 {
    let held = clamp(a, -1_073_741_824.0, 1_073_741_824.0);
    let whole = truncate_to_i32(a);
    if (whole as f32) > held { whole - 1 } else { whole }
}

/// `x·x + y·y + z·z`, from left to right.
#[inline(always)]
#[must_use]
pub fn dot(a: Vec3, b: Vec3) -> f32 {
    a.x * b.x + a.y * b.y + a.z * b.z
}

/// Cross product.
#[inline(always)]
#[must_use]
pub fn cross(a: Vec3, b: Vec3) -> Vec3 {
    vec3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
}

/// Length.
#[inline(always)]
#[must_use]
pub fn length(a: Vec3) -> f32 {
    sqrt(dot(a, a))
}

/// `a` of length 1, or `fallback` where its squared length is not within 1e-30..=1e30.
#[inline(always)]
#[must_use]
pub fn normalize_or(a: Vec3, fallback: Vec3) -> Vec3 {
    let squared = dot(a, a);
    let has_length = (1e-30..=1e30).contains(&squared);
    if has_length { a * rcp(sqrt(squared)) } else { fallback }
}

/// `a` of length 1; for vectors that have a length.
#[inline(always)]
#[must_use]
pub fn normalize(a: Vec3) -> Vec3 {
    a * rcp(sqrt(dot(a, a)))
}

/// From `a` at 0 to `b` at 1: `a·(1 - t) + b·t`.
#[inline(always)]
#[must_use]
pub fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a * (1.0 - t) + b * t
}

/// From `a` at 0 to `b` at 1, per component.
#[inline(always)]
#[must_use]
pub fn lerp3(a: Vec3, b: Vec3, t: f32) -> Vec3 {
    a * (1.0 - t) + b * t
}

/// From `a` at 0 to about `b` at 1: `a + (b - a)·t`, which is `a` wherever both are equal.
#[inline(always)]
#[must_use]
pub fn between(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// From `a` at 0 to about `b` at 1, per component.
#[inline(always)]
#[must_use]
pub fn between3(a: Vec3, b: Vec3, t: f32) -> Vec3 {
    a + (b - a) * t
}

/// The largest component.
#[inline(always)]
#[must_use]
pub fn max_component(a: Vec3) -> f32 {
    max(max(a.x, a.y), a.z)
}

/// Rec.709 luminance.
#[inline(always)]
#[must_use]
pub fn luminance(rgb: Vec3) -> f32 {
    rgb.x * 0.2126 + rgb.y * 0.7152 + rgb.z * 0.0722
}

/// Sine and cosine of `turns` full turns, for -16 384..=16 384; error below 1e-7.
///
/// Taylor series within an eighth of a turn, then the quadrant is turned.
#[inline(always)]
#[must_use]
pub fn sin_cos_turns(turns: f32) -> (f32, f32) {
    let quarters = turns * 4.0;
    let quadrant = floor_to_i32(quarters + 0.5);
    let x = (quarters - quadrant as f32) * 1.570_796_4;
    let s = x * x;
    let sin_low = ((s * 2.755_731_9e-6 - 1.984_127e-4) * s + 8.333_334e-3) * s - 1.666_666_7e-1;
    let sin = x + x * (s * sin_low);
    let cos_low = ((s * 2.480_158_7e-5 - 1.388_888_9e-3) * s + 4.166_666_8e-2) * s - 0.5;
    let cos = 1.0 + s * cos_low;
    let q = quadrant & 3;
    let (a, b) = if (q & 1) == 0 { (sin, cos) } else { (cos, sin) };
    (if (q & 2) == 0 { a } else { -a }, if ((q + 1) & 2) == 0 { b } else { -b })
}

/// The angle of `(x, y)` in turns, -0.5..=0.5; 0 for the origin; error below 1e-7.
///
/// Interpolation of atan(√s)/√s in the Chebyshev nodes of 0..1, degree 9.
#[inline(always)]
#[must_use]
pub fn atan2_turns(y: f32, x: f32) -> f32 {
    let (ax, ay) = (abs(x), abs(y));
    let high = max(ax, ay);
    let low = min(ax, ay);
    let t = if high > 0.0 { div(low, high) } else { 0.0 };
    let s = t * t;
    let p = s * -2.707_496_3e-4 + 1.669_161_2e-3;
    let p = p * s - 4.830_649e-3;
    let p = p * s + 9.086_085e-3;
    let p = p * s - 1.328_9e-2;
    let p = p * s + 1.739_936_2e-2;
    let p = p * s - 2.269_552e-2;
    let p = p * s + 3.182_792_5e-2;
    let p = p * s - 5.305_155_7e-2;
    let p = p * s + 1.591_549_4e-1;
    let first = t * p;
    let second = if ay > ax { 0.25 - first } else { first };
    let third = if x < 0.0 { 0.5 - second } else { second };
    if y < 0.0 { -third } else { third }
}

/// 2 to the power of `a`, which is held within ±126 first; relative error below 3e-7.
///
/// Taylor series within half an octave, then the exponent's bits.
#[inline(always)]
#[must_use]
pub fn exp2(a: f32) -> f32 {
    let held = clamp(a, -126.0, 126.0);
    let whole = floor_to_i32(held + 0.5);
    let f = held - whole as f32;
    let p = f * 1.540_353e-4 + 1.333_355_8e-3;
    let p = p * f + 9.618_129e-3;
    let p = p * f + 5.550_410_7e-2;
    let p = p * f + 2.402_265e-1;
    let p = p * f + 6.931_472e-1;
    (p * f + 1.0) * f32::from_bits(((whole + 127) as u32) << 23)
}

/// Logarithm to base 2 of `a`, which is held above 1e-30 first; error below 3e-7.
///
/// `ln m = 2 artanh((m - 1) / (m + 1))` of the mantissa, then the exponent.
#[inline(always)]
#[must_use]
pub fn log2(a: f32) -> f32 {
    let bits = max(a, 1e-30).to_bits();
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    let exponent = (bits >> 23) as i32 - 127;
    let is_high = mantissa > std::f32::consts::SQRT_2;
    let m = if is_high { mantissa * 0.5 } else { mantissa };
    let e = if is_high { exponent + 1 } else { exponent };
    let t = div(m - 1.0, m + 1.0);
    let s = t * t;
    let p = s * 0.111_111_11 + 0.142_857_15;
    let p = p * s + 0.2;
    let p = p * s + 0.333_333_34;
    let p = p * s + 1.0;
    e as f32 + t * p * 2.885_39
}

/// `a` to the power of `b`, for `a` above 0.
#[inline(always)]
#[must_use]
pub fn power(a: f32, b: f32) -> f32 {
    exp2(b * log2(a))
}

/// Two unit vectors that complete the unit vector `n` to a right-handed frame.
///
/// Duff et al., "Building an orthonormal basis, revisited", JCGT 2017.
#[inline(always)]
#[must_use]
pub fn frame_of(n: Vec3) -> (Vec3, Vec3) {
    let sign = copysign(1.0, n.z);
    let a = -rcp(sign + n.z);
    let b = n.x * n.y * a;
    (vec3(1.0 + sign * n.x * n.x * a, sign * b, -sign * n.x), vec3(b, sign + n.y * n.y * a, -n.y))
}

/// `m` applied to a point.
#[inline(always)]
#[must_use]
pub fn transform_point(m: &[[f32; 4]; 3], p: Vec3) -> Vec3 {
    vec3(
        p.x * m[0][0] + p.y * m[0][1] + p.z * m[0][2] + m[0][3],
        p.x * m[1][0] + p.y * m[1][1] + p.z * m[1][2] + m[1][3],
        p.x * m[2][0] + p.y * m[2][1] + p.z * m[2][2] + m[2][3],
    )
}

/// `m` applied to a direction.
#[inline(always)]
#[must_use]
pub fn transform_direction(m: &[[f32; 4]; 3], d: Vec3) -> Vec3 {
    vec3(
        d.x * m[0][0] + d.y * m[0][1] + d.z * m[0][2],
        d.x * m[1][0] + d.y * m[1][1] + d.z * m[1][2],
        d.x * m[2][0] + d.y * m[2][1] + d.z * m[2][2],
    )
}

/// The transpose of `m` applied to a direction: with an inverse, the map of normals.
#[inline(always)]
#[must_use]
pub fn transform_transposed(m: &[[f32; 4]; 3], d: Vec3) -> Vec3 {
    vec3(
        d.x * m[0][0] + d.y * m[1][0] + d.z * m[2][0],
        d.x * m[0][1] + d.y * m[1][1] + d.z * m[2][1],
        d.x * m[0][2] + d.y * m[1][2] + d.z * m[2][2],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_cosine_agree_with_the_library() {
        for i in -4000..=4000 {
            let turns = i as f32 * 1.234_5e-3;
            let (sin, cos) = sin_cos_turns(turns);
            let angle = f64::from(turns) * std::f64::consts::TAU;
            assert!((f64::from(sin) - angle.sin()).abs() < 4e-7, "{turns}");
            assert!((f64::from(cos) - angle.cos()).abs() < 4e-7, "{turns}");
        }
        assert_eq!(sin_cos_turns(0.25).0.to_bits(), 1.0_f32.to_bits());
    }

    #[test]
    fn arc_tangent_agrees_with_the_library() {
        for i in 0..2000 {
            let angle = (f64::from(i) - 999.5) * 3.14e-3;
            let turns = atan2_turns(angle.sin() as f32 * 3.0, angle.cos() as f32 * 3.0);
            assert!((f64::from(turns) * std::f64::consts::TAU - angle).abs() < 1e-6, "{angle}");
        }
        assert_eq!(atan2_turns(0.0, 0.0).to_bits(), 0);
    }

    #[test]
    fn powers_agree_with_the_library() {
        for i in -2000..=2000 {
            let x = i as f32 * 0.031;
            let wanted = f64::from(x).exp2();
            assert!((f64::from(exp2(x)) / wanted - 1.0).abs() < 4e-7, "{x}");
            let y = wanted as f32;
            assert!((f64::from(log2(y)) - f64::from(y).log2()).abs() < 4e-6, "{y}");
        }
        assert_eq!(exp2(0.0).to_bits(), 1.0_f32.to_bits());
        assert!((power(0.25, 1.5) - 0.125).abs() < 1e-7);
        assert!(exp2(f32::NAN) < 1e-30 && log2(0.0) < -99.0, "held in range");
    }

    #[test]
    fn nothing_but_numbers_comes_out() {
        assert_eq!(max(f32::NAN, 1.0).to_bits(), 1.0_f32.to_bits());
        assert_eq!(clamp(f32::NAN, 2.0, 3.0).to_bits(), 2.0_f32.to_bits());
        assert_eq!(sqrt(f32::NAN).to_bits(), 0);
        assert_eq!(floor_to_i32(f32::NAN), -(1 << 30));
        assert_eq!(floor_to_i32(f32::INFINITY), 1 << 30);
        assert_eq!([-1.5, -1.0, -0.1, 0.0, 0.9, 2.0].map(floor_to_i32), [-2, -1, -1, 0, 0, 2]);
        assert_eq!(normalize_or(Vec3::ZERO, vec3(0.0, 1.0, 0.0)), vec3(0.0, 1.0, 0.0));
    }

    #[test]
    fn frames_are_orthonormal() {
        for n in [vec3(0.0, 0.0, -1.0), vec3(0.6, 0.0, 0.8), vec3(-0.48, 0.6, -0.64)] {
            let (s, t) = frame_of(n);
            assert!(dot(s, t).abs() < 1e-6 && dot(s, n).abs() < 1e-6 && dot(t, n).abs() < 1e-6);
            assert!((dot(cross(s, t), n) - 1.0).abs() < 1e-6);
        }
    }
}
