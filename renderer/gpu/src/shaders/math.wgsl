// The arithmetic of the kernels, mirrored from renderer/src/math.rs: same functions, same order of
// operations. Names that WGSL has a function of its own for carry an `f` in front.
#define_import_path tessera::math

#import tessera::rounding::{div, sqrt_rounded}

const PI: f32 = 3.1415927;
const INV_PI: f32 = 0.3183099;
// Stands for infinity in ray parameters; finite, so that products stay numbers.
const FAR: f32 = 1e30;

fn rcp(a: f32) -> f32 {
    return div(1.0, a);
}

// Square root; 0 for what is not above 0, NaN included.
fn fsqrt(a: f32) -> f32 {
    if a > 0.0 { return sqrt_rounded(a); }
    return 0.0;
}

// The smaller; `b` when either is NaN; `b` of two zeros.
fn fmin(a: f32, b: f32) -> f32 {
    return select(b, a, a < b);
}

// The larger; `b` when either is NaN; `b` of two zeros.
fn fmax(a: f32, b: f32) -> f32 {
    return select(b, a, a > b);
}

// `a` within low..=high; `low` for NaN.
fn fclamp(a: f32, low: f32, high: f32) -> f32 {
    return fmin(fmax(a, low), high);
}

fn fsaturate(a: f32) -> f32 {
    return fclamp(a, 0.0, 1.0);
}

fn fabs(a: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(a) & 0x7fffffffu);
}

fn copysign(a: f32, b: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(a) & 0x7fffffffu) | (bitcast<u32>(b) & 0x80000000u));
}

// The whole number at or below `a`, which is held within ±2^30 first; NaN counts as -2^30.
fn floor_to_i32(a: f32) -> i32 {
    let held = fclamp(a, -1073741824.0, 1073741824.0);
    let whole = i32(held);
    return select(whole, whole - 1, f32(whole) > held);
}

fn fdot(a: vec3<f32>, b: vec3<f32>) -> f32 {
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

fn fcross(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

fn flength(a: vec3<f32>) -> f32 {
    return fsqrt(fdot(a, a));
}

// `a` of length 1, or `fallback` where its squared length is not within 1e-30..=1e30.
fn normalize_or(a: vec3<f32>, fallback: vec3<f32>) -> vec3<f32> {
    let squared = fdot(a, a);
    if squared >= 1e-30 && squared <= 1e30 { return a * rcp(fsqrt(squared)); }
    return fallback;
}

fn fnormalize(a: vec3<f32>) -> vec3<f32> {
    return a * rcp(fsqrt(fdot(a, a)));
}

fn lerp(a: f32, b: f32, t: f32) -> f32 {
    return a * (1.0 - t) + b * t;
}

// lerp3 in Rust.
fn lerp_vec(a: vec3<f32>, b: vec3<f32>, t: f32) -> vec3<f32> {
    return a * (1.0 - t) + b * t;
}

// `a` wherever both are equal.
fn between(a: f32, b: f32, t: f32) -> f32 {
    return a + (b - a) * t;
}

// between3 in Rust.
fn between_vec(a: vec3<f32>, b: vec3<f32>, t: f32) -> vec3<f32> {
    return a + (b - a) * t;
}

fn between_row(a: vec4<f32>, b: vec4<f32>, t: f32) -> vec4<f32> {
    return a + (b - a) * t;
}

fn max_component(a: vec3<f32>) -> f32 {
    return fmax(fmax(a.x, a.y), a.z);
}

fn luminance(rgb: vec3<f32>) -> f32 {
    return rgb.x * 0.2126 + rgb.y * 0.7152 + rgb.z * 0.0722;
}

// Sine (x) and cosine (y) of `turns` full turns.
fn sin_cos_turns(turns: f32) -> vec2<f32> {
    let quarters = turns * 4.0;
    let quadrant = floor_to_i32(quarters + 0.5);
    let x = (quarters - f32(quadrant)) * 1.5707964;
    let s = x * x;
    let sin_low = ((s * 2.7557319e-6 - 1.984127e-4) * s + 8.333334e-3) * s - 1.6666667e-1;
    let sine = x + x * (s * sin_low);
    let cos_low = ((s * 2.4801587e-5 - 1.3888889e-3) * s + 4.1666668e-2) * s - 0.5;
    let cosine = 1.0 + s * cos_low;
    let q = quadrant & 3;
    let even = (q & 1) == 0;
    let a = select(cosine, sine, even);
    let b = select(sine, cosine, even);
    return vec2<f32>(select(-a, a, (q & 2) == 0), select(-b, b, ((q + 1) & 2) == 0));
}

// The angle of (x, y) in turns, -0.5..=0.5; 0 for the origin.
fn atan2_turns(y: f32, x: f32) -> f32 {
    let ax = fabs(x);
    let ay = fabs(y);
    let high = fmax(ax, ay);
    let low = fmin(ax, ay);
    var t = 0.0;
    if high > 0.0 { t = div(low, high); }
    let s = t * t;
    var p = s * -2.7074963e-4 + 1.6691612e-3;
    p = p * s - 4.8306493e-3;
    p = p * s + 9.086085e-3;
    p = p * s - 1.3289e-2;
    p = p * s + 1.7399362e-2;
    p = p * s - 2.269552e-2;
    p = p * s + 3.1827925e-2;
    p = p * s - 5.3051557e-2;
    p = p * s + 1.5915494e-1;
    let first = t * p;
    let second = select(first, 0.25 - first, ay > ax);
    let third = select(second, 0.5 - second, x < 0.0);
    return select(third, -third, y < 0.0);
}

// 2 to the power of `a`, which is held within ±126 first.
fn fexp2(a: f32) -> f32 {
    let held = fclamp(a, -126.0, 126.0);
    let whole = floor_to_i32(held + 0.5);
    let f = held - f32(whole);
    var p = f * 1.540353e-4 + 1.3333558e-3;
    p = p * f + 9.618129e-3;
    p = p * f + 5.5504107e-2;
    p = p * f + 2.402265e-1;
    p = p * f + 6.931472e-1;
    return (p * f + 1.0) * bitcast<f32>(u32(whole + 127) << 23u);
}

// Logarithm to base 2 of `a`, which is held above 1e-30 first.
fn flog2(a: f32) -> f32 {
    let bits = bitcast<u32>(fmax(a, 1e-30));
    let mantissa = bitcast<f32>((bits & 0x007fffffu) | 0x3f800000u);
    let exponent = i32(bits >> 23u) - 127;
    let is_high = mantissa > 1.4142135;
    let m = select(mantissa, mantissa * 0.5, is_high);
    let e = select(exponent, exponent + 1, is_high);
    let t = div(m - 1.0, m + 1.0);
    let s = t * t;
    var p = s * 0.11111111 + 0.14285715;
    p = p * s + 0.2;
    p = p * s + 0.33333334;
    p = p * s + 1.0;
    return f32(e) + t * p * 2.88539;
}

// `a` to the power of `b`, for `a` above 0.
fn power(a: f32, b: f32) -> f32 {
    return fexp2(b * flog2(a));
}

// Two unit vectors that complete a unit vector to a right-handed frame.
struct Frame {
    s: vec3<f32>,
    t: vec3<f32>,
}

fn frame_of(n: vec3<f32>) -> Frame {
    let sign = copysign(1.0, n.z);
    let a = -rcp(sign + n.z);
    let b = n.x * n.y * a;
    return Frame(
        vec3<f32>(1.0 + sign * n.x * n.x * a, sign * b, -sign * n.x),
        vec3<f32>(b, sign + n.y * n.y * a, -n.y),
    );
}

// Three rows of an affine map.
struct Affine {
    x: vec4<f32>,
    y: vec4<f32>,
    z: vec4<f32>,
}

fn transform_point(m: Affine, p: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(
        p.x * m.x.x + p.y * m.x.y + p.z * m.x.z + m.x.w,
        p.x * m.y.x + p.y * m.y.y + p.z * m.y.z + m.y.w,
        p.x * m.z.x + p.y * m.z.y + p.z * m.z.z + m.z.w,
    );
}

fn transform_direction(m: Affine, d: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(
        d.x * m.x.x + d.y * m.x.y + d.z * m.x.z,
        d.x * m.y.x + d.y * m.y.y + d.z * m.y.z,
        d.x * m.z.x + d.y * m.z.y + d.z * m.z.z,
    );
}

// The transpose applied to a direction: with an inverse, the map of normals.
fn transform_transposed(m: Affine, d: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(
        d.x * m.x.x + d.y * m.y.x + d.z * m.z.x,
        d.x * m.x.y + d.y * m.y.y + d.z * m.z.y,
        d.x * m.x.z + d.y * m.y.z + d.z * m.z.z,
    );
}
