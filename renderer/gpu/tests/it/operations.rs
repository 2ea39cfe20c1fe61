//! Single operations: what a shader computes is what Rust computes, in every bit.

use gpu::{Function, Rounding};
use renderer::{math, sampler};

use crate::device::{backend, evaluator};
use crate::functions::Check;
use crate::make::Random;

/// Rows of three words: all combinations of special numbers, then random bits.
fn rows(random: u32) -> Vec<u32> {
    let special = [
        0.0_f32,
        -0.0,
        1.0,
        -1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        f32::from_bits(1),
        f32::from_bits(0x8000_0001),
        f32::from_bits(0x007f_ffff),
        f32::from_bits(0x00ff_ffff),
        0.999_999_94,
        8_388_607.5,
        16_777_215.0,
        0.333_333_34,
        -2.5e-3,
    ]
    .map(f32::to_bits);
    let mut rows = Vec::new();
    for a in special {
        for b in special {
            rows.extend(special.iter().flat_map(|&c| [a, b, c]));
        }
    }
    let mut bits = Random::new(7);
    rows.extend((0..random * 3).map(|_| bits.bits()));
    rows
}

fn check(rounding: Rounding) {
    let Some(mut evaluator) = evaluator(rounding) else { return };
    let mut run = |name: &str, body: &str, rust: &dyn Fn([f32; 3]) -> Vec<f32>| {
        let function = Function {
            imports: "#import tessera::math
                #import tessera::rounding",
            body,
            input_words: 3,
            output_words: rust([0.0; 3]).len() as u32,
        };
        let inputs = rows(20_000);
        let wanted = |row: &[u32]| {
            rust([row[0], row[1], row[2]].map(f32::from_bits))
                .into_iter()
                .map(f32::to_bits)
                .collect()
        };
        Check { name, function, inputs: &inputs, rust: &wanted }
            .run(|f, i| evaluator.evaluate(f, i));
    };
    run(
        "sums and products",
        "let a = in_f(0u); let b = in_f(1u); let c = in_f(2u);
        out_f(0u, a + b);
        out_f(1u, a * b + c);
        out_f(2u, a * b + b * c + c * a);
        out_f(3u, (vec3<f32>(a, b, c) * c - vec3<f32>(b, c, a)).y);
        out_f(4u, a - (b - (c - a)));",
        &|[a, b, c]| vec![a + b, a * b + c, a * b + b * c + c * a, b * c - c, a - (b - (c - a))],
    );
    run(
        "division and square root",
        "let a = in_f(0u); let b = in_f(1u);
        out_f(0u, rounding::div(a, b));
        out_f(1u, math::rcp(a));
        out_f(2u, math::fsqrt(a));",
        &|[a, b, _]| vec![math::div(a, b), math::rcp(a), math::sqrt(a)],
    );
    run(
        "choices",
        "let a = in_f(0u); let b = in_f(1u); let c = in_f(2u);
        out_f(0u, math::fmin(a, b));
        out_f(1u, math::fmax(a, b));
        out_f(2u, math::fclamp(a, b, c));
        out_f(3u, math::fsaturate(a));
        out_f(4u, math::fabs(a));
        out_f(5u, math::copysign(a, b));
        out_u(6u, bitcast<u32>(math::floor_to_i32(a)));",
        &|[a, b, c]| {
            let floor = f32::from_bits(math::floor_to_i32(a) as u32);
            vec![
                math::min(a, b),
                math::max(a, b),
                math::clamp(a, b, c),
                math::saturate(a),
                math::abs(a),
                math::copysign(a, b),
                floor,
            ]
        },
    );
    run(
        "vectors",
        "let a = vec3<f32>(in_f(0u), in_f(1u), in_f(2u)); let b = a.zxy;
        let c = math::fcross(a, b); let n = math::normalize_or(a, b);
        out_f(0u, math::fdot(a, b)); out_f(1u, c.x); out_f(2u, c.y); out_f(3u, c.z);
        out_f(4u, math::flength(a)); out_f(5u, n.x); out_f(6u, n.y); out_f(7u, n.z);
        out_f(8u, math::luminance(a)); out_f(9u, math::lerp(a.x, a.y, a.z));
        out_f(10u, math::max_component(a));",
        &|[x, y, z]| {
            let (a, b) = (math::vec3(x, y, z), math::vec3(z, x, y));
            let (c, n) = (math::cross(a, b), math::normalize_or(a, b));
            let mut out = vec![math::dot(a, b), c.x, c.y, c.z, math::length(a), n.x, n.y, n.z];
            out.extend([math::luminance(a), math::lerp(x, y, z), math::max_component(a)]);
            out
        },
    );
    run(
        "angles",
        "let s = math::sin_cos_turns(in_f(0u) * 1e-36 + in_f(1u));
        out_f(0u, s.x); out_f(1u, s.y); out_f(2u, math::atan2_turns(in_f(0u), in_f(1u)));
        let f = math::frame_of(math::normalize_or(
            vec3<f32>(in_f(0u), in_f(1u), in_f(2u)), vec3<f32>(0.0, 0.0, 1.0)));
        out_f(3u, f.s.x); out_f(4u, f.s.y); out_f(5u, f.s.z);
        out_f(6u, f.t.x); out_f(7u, f.t.y); out_f(8u, f.t.z);",
        &|[a, b, c]| {
            let (sin, cos) = math::sin_cos_turns(a * 1e-36 + b);
            let n = math::normalize_or(math::vec3(a, b, c), math::vec3(0.0, 0.0, 1.0));
            let (s, t) = math::frame_of(n);
            vec![sin, cos, math::atan2_turns(a, b), s.x, s.y, s.z, t.x, t.y, t.z]
        },
    );
}

#[test]
fn operations_with_the_drivers_rounding() {
    check(Rounding::Driver);
}

#[test]
fn operations_with_our_own_rounding() {
    check(Rounding::Exact);
}

/// Our own division and square root correct guesses that are off by as much as Vulkan allows, and
/// more.
#[test]
fn bad_guesses_are_corrected() {
    let Some(mut evaluator) = evaluator(Rounding::Exact) else { return };
    for ulps in [-5, -3, -1, 1, 3, 5] {
        let body = format!(
            "out_f(0u, rounding::div_from(in_f(0u), in_f(1u), {ulps}));
            out_f(1u, select(0.0, rounding::sqrt_from(in_f(2u), {ulps}), in_f(2u) > 0.0));"
        );
        let function = Function {
            imports: "#import tessera::rounding",
            body: &body,
            input_words: 3,
            output_words: 2,
        };
        let inputs = rows(30_000);
        let rust = |row: &[u32]| {
            let [a, b, c] = [row[0], row[1], row[2]].map(f32::from_bits);
            vec![(a / b).to_bits(), math::sqrt(c).to_bits()]
        };
        Check { name: "a bad guess", function, inputs: &inputs, rust: &rust }
            .run(|f, i| evaluator.evaluate(f, i));
    }
}

#[test]
fn random_numbers_are_the_same() {
    let Some(mut evaluator) = evaluator(Rounding::Driver) else { return };
    let function = Function {
        imports: "#import tessera::sampler",
        body: "let p = sampler::sample_pair(in_u(3u), in_u(0u), in_u(1u), in_u(2u));
            out_f(0u, p.x); out_f(1u, p.y);
            out_u(2u, sampler::place_of(in_u(0u), in_u(1u)));
            out_u(3u, sampler::ray_key(in_u(0u), in_u(1u), in_u(2u) & 63u, 1u));
            out_u(4u, sampler::bounce_pair(in_u(0u) % 65u, sampler::PAIR_PICK));
            out_f(5u, sampler::alpha_draw(in_u(3u), in_u(0u), in_u(1u), in_u(2u)));",
        input_words: 4,
        output_words: 6,
    };
    let rust = |row: &[u32]| {
        let [a, b, c, d] = [row[0], row[1], row[2], row[3]];
        let (x, y) = sampler::sample_pair(d, a, b, c);
        vec![
            x.to_bits(),
            y.to_bits(),
            sampler::place_of(a, b),
            sampler::ray_key(a, b, c & 63, 1),
            sampler::bounce_pair(a % 65, sampler::PAIR_PICK),
            sampler::alpha_draw(d, a, b, c).to_bits(),
        ]
    };
    Check { name: "random numbers", function, inputs: &rows(10_000), rust: &rust }
        .run(|f, i| evaluator.evaluate(f, i));
}

#[test]
fn the_self_test_says_what_the_device_does() {
    let Some(backend) = backend() else { return };
    let found = backend.qualification();
    assert!(found.arithmetic.products, "{found:?}");
    assert!(found.arithmetic.division && found.arithmetic.square_root, "{found:?}");
    assert!(found.bit_equal(), "{found:?}");
}
