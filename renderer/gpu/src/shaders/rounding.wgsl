// Division and square root, correctly rounded on every device.
//
// Vulkan lets a driver be 2.5 ulp off in division and in square root. Where the self-test finds
// that it is not (lavapipe, SwiftShader), the driver's own are used; elsewhere EXACT_ROUNDING
// swaps in versions that take the driver's result as a guess and correct it by the exact integer
// remainder. Results equal IEEE 754's round to nearest even for all inputs, denormals included;
// NaN comes back as the canonical quiet NaN, its payload is not kept.
#define_import_path tessera::rounding

const QUIET_NAN: u32 = 0x7fc00000u;
const INFINITY: u32 = 0x7f800000u;

fn div(a: f32, b: f32) -> f32 {
#ifdef EXACT_ROUNDING
    return div_exact(a, b);
#else
    return a / b;
#endif
}

fn sqrt_rounded(x: f32) -> f32 {
#ifdef EXACT_ROUNDING
    return sqrt_exact(x);
#else
    return sqrt(x);
#endif
}

// A positive finite float as mantissa * 2^exponent with the mantissa in [2^23, 2^24).
struct Scaled {
    mantissa: u32,
    exponent: i32,
}

fn scaled(magnitude: u32) -> Scaled {
    let biased = i32(magnitude >> 23u);
    if biased == 0 {
        let shift = countLeadingZeros(magnitude) - 8u;
        return Scaled(magnitude << shift, -149 - i32(shift));
    }
    return Scaled((magnitude & 0x7fffffu) | 0x800000u, biased - 150);
}

fn moved(guess: f32, ulps: i32) -> f32 {
    return bitcast<f32>(bitcast<i32>(guess) + ulps);
}

// Rounds quotient * 2^exponent to the nearest float, ties to even. The quotient lies in
// [2^24, 2^25]; `inexact` says whether something non-zero lies below its last bit.
fn round_to_bits(quotient: u32, exponent: i32, inexact: bool) -> u32 {
    // Biased exponent of a float with 24 mantissa bits whose unit is 2^(exponent + 1).
    let biased = exponent + 1 + 150;
    if biased >= 255 { return INFINITY; }
    var shift = 1u;
    if biased < 1 { shift = min(u32(2 - biased), 31u); }
    let kept = quotient >> shift;
    let rest = quotient & ((1u << shift) - 1u);
    let half = 1u << (shift - 1u);
    let up = rest > half || (rest == half && (inexact || (kept & 1u) == 1u));
    let rounded = kept + select(0u, 1u, up);
    if biased < 1 { return rounded; }
    // The hidden bit adds one to the exponent; a carry out of the mantissa adds another.
    return (u32(biased - 1) << 23u) + rounded;
}

fn div_exact(a: f32, b: f32) -> f32 {
    return div_from(a, b, 0);
}

fn sqrt_exact(x: f32) -> f32 {
    return sqrt_from(x, 0);
}

// Division from a guess that is off by so many units in the last place, beside the driver's own
// error: up to six in all are corrected. Tests show it; kernels pass 0.
fn div_from(a: f32, b: f32, guess_ulps: i32) -> f32 {
    let a_bits = bitcast<u32>(a);
    let b_bits = bitcast<u32>(b);
    let sign = (a_bits ^ b_bits) & 0x80000000u;
    let a_magnitude = a_bits & 0x7fffffffu;
    let b_magnitude = b_bits & 0x7fffffffu;
    if a_magnitude > INFINITY || b_magnitude > INFINITY { return bitcast<f32>(QUIET_NAN); }
    if a_magnitude == INFINITY || b_magnitude == 0u {
        let undefined = b_magnitude == INFINITY || a_magnitude == 0u;
        return bitcast<f32>(select(sign | INFINITY, QUIET_NAN, undefined));
    }
    if a_magnitude == 0u || b_magnitude == INFINITY { return bitcast<f32>(sign); }
    let n = scaled(a_magnitude);
    let d = scaled(b_magnitude);
    // The quotient of the mantissas as an integer in [2^24, 2^25).
    let shift = select(24u, 25u, n.mantissa < d.mantissa);
    let guess = moved(f32(n.mantissa) / f32(d.mantissa), guess_ulps);
    var quotient = u32(guess * f32(1u << shift));
    // The remainder is at most a few divisors (below 2^28), so 32 wrapping bits hold it exactly.
    var remainder = bitcast<i32>((n.mantissa << shift) - quotient * d.mantissa);
    let divisor = i32(d.mantissa);
    let off = i32(floor(f32(remainder) / f32(divisor)));
    quotient = bitcast<u32>(bitcast<i32>(quotient) + off);
    remainder -= off * divisor;
    if remainder < 0 { quotient -= 1u; remainder += divisor; }
    if remainder >= divisor { quotient += 1u; remainder -= divisor; }
    let exponent = n.exponent - d.exponent - i32(shift);
    return bitcast<f32>(sign | round_to_bits(quotient, exponent, remainder != 0));
}

// Square root from a guess that is off, see `div_from`.
fn sqrt_from(x: f32, guess_ulps: i32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    if magnitude == 0u { return x; }
    if magnitude > INFINITY || (bits >> 31u) == 1u { return bitcast<f32>(QUIET_NAN); }
    if magnitude == INFINITY { return x; }
    let m = scaled(magnitude);
    // mantissa * 2^shift lies in [2^48, 2^50) with an even exponent left: its root has 25 bits.
    let shift = select(26u, 25u, (m.exponent & 1) != 0);
    let guess = moved(sqrt(f32(m.mantissa) * f32(1u << (shift - 24u))), guess_ulps);
    var root = u32(guess * 4096.0);
    // The remainder is at most a few roots (below 2^30), so 32 wrapping bits hold it exactly.
    var remainder = bitcast<i32>((m.mantissa << shift) - root * root);
    let off = i32(floor(f32(remainder) / f32(2u * root)));
    remainder -= off * (2 * i32(root) + off);
    root = bitcast<u32>(bitcast<i32>(root) + off);
    if remainder < 0 { root -= 1u; remainder += 2 * i32(root) + 1; }
    if remainder > 2 * i32(root) { remainder -= 2 * i32(root) + 1; root += 1u; }
    let exponent = (m.exponent - i32(shift)) >> 1u;
    return bitcast<f32>(round_to_bits(root, exponent, remainder != 0));
}
