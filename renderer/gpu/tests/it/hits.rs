//! What rays meet.

use gpu::{Function, Rounding};
use renderer::RenderScene;
use renderer::math::{FAR, Vec3, vec3};
use renderer::ray::{Cast, Hit, Query, Ray};
use renderer::trace::{Path, Tracer};

use crate::device::evaluator;
use crate::functions::Check;
use crate::make::{Random, golden, moving, settings};

/// Nearest and any hits of random rays through the golden scene: mirrored and nested instances,
/// masked and blended cards, culled backs.
#[test]
fn rays_meet_the_same() {
    let settings = settings(32, 32, 1);
    for (scene, least) in [(golden(&settings), 2000), (moving(&settings), 1000)] {
        rays_meet_the_same_in(&scene, least);
    }
}

fn rays_meet_the_same_in(scene: &RenderScene, least: u32) {
    let Some(mut evaluator) = evaluator(Rounding::Driver) else { return };
    let mut random = Random::new(5);
    let mut inputs = Vec::new();
    for i in 0..8000_u32 {
        let origin = random.direction() * random.between(0.0, 4.0) + vec3(0.0, 1.0, 0.0);
        let direction = if i < 64 { axis(i) } else { random.direction() };
        let t_max = if i % 3 == 0 { random.between(0.1, 5.0) } else { FAR };
        inputs.extend(origin.to_array().map(f32::to_bits));
        inputs.extend(direction.to_array().map(f32::to_bits));
        inputs.extend([t_max.to_bits(), random.bits(), i & 1, i >> 1 & 1]);
        inputs.push(random.unit().to_bits());
    }
    let function = Function {
        imports: "#import tessera::trace::walk
            #import tessera::ray::{Query, Ray}",
        body: "let ray = Ray(
                vec3<f32>(in_f(0u), in_f(1u), in_f(2u)), vec3<f32>(in_f(3u), in_f(4u), in_f(5u)));
            let shadow = in_u(9u) == 1u;
            let w = walk(ray, Query(in_f(6u), in_u(7u), in_u(8u) == 1u, in_f(10u)), shadow);
            out_u(0u, select(0u, 1u, w.finished));
            if shadow {
                out_u(1u, select(0u, 1u, w.hit.triangle != 0xffffffffu));
            } else {
                out_f(1u, w.hit.t); out_f(2u, w.hit.u); out_f(3u, w.hit.v);
                out_u(4u, w.hit.instance); out_u(5u, w.hit.triangle);
            }",
        input_words: 11,
        output_words: 6,
    };
    let tracer = Tracer::new(scene, Path::Portable);
    let mut met = 0;
    let rust = |row: &[u32]| {
        let f = |k: usize| f32::from_bits(row[k]);
        let ray = Ray { origin: vec3(f(0), f(1), f(2)), direction: vec3(f(3), f(4), f(5)) };
        let query = Query { t_max: f(6), key: row[7], camera: row[8] == 1, time: f(10) };
        let mut hits = [Hit::miss(0.0)];
        if row[9] == 1 {
            tracer.any(&[Cast { ray, query }], &mut hits);
            return vec![1, u32::from(hits[0].is_hit()), 0, 0, 0, 0];
        }
        tracer.closest(&[Cast { ray, query }], &mut hits);
        let [hit] = hits;
        let [t, u, v] = [hit.t, hit.u, hit.v].map(f32::to_bits);
        vec![1, t, u, v, hit.instance, hit.triangle]
    };
    for row in inputs.chunks_exact(11) {
        met += u32::from(rust(row)[5] != renderer::tables::NONE);
    }
    assert!(met > least, "only {met} of 8000 rays meet anything");
    Check { name: "rays", function, inputs: &inputs, rust: &rust }
        .run(|f, i| evaluator.evaluate_in(scene, f, i));
}

/// Directions along axes and diagonals, where divisions by zero lurk.
fn axis(i: u32) -> Vec3 {
    let side = |k: u32| match i >> (2 * k) & 3 {
        0 => 0.0,
        1 => 1.0,
        2 => -1.0,
        _ => -0.0,
    };
    let d = vec3(side(0), side(1), side(2));
    if renderer::math::dot(d, d) > 0.0 { d } else { vec3(0.0, -1.0, 0.0) }
}
