//! Many lights: the tree picks what lights a point, as often as it says.

use renderer::RenderScene;
use renderer::light::sample_light;
use renderer::light_tree::{
    Picked, Vertex, finite_probability, infinite_probability, pick_emitter,
};
use renderer::math::{Vec3, dot, sin_cos_turns, sqrt, vec3};
use renderer::sampler::{hash, sample_pair, to_unit};
use renderer::tables::{EMITTER_ENVIRONMENT, Emitter, NONE};
use scene::{Environment, Image, Light, LightKind, Material, Node, Pixels, Scene, Transform};

use crate::make::{
    add_light, assert_mean, looking, material, mean_green, node, prepared, quad, scene_of,
};

/// Numbers in 0..1 that look random, the same every time.
struct Random(u32);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(1);
        to_unit(hash(self.0.wrapping_mul(0x9e37_79b1)))
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    fn direction(&mut self) -> Vec3 {
        let z = self.between(-1.0, 1.0);
        let (sin, cos) = sin_cos_turns(self.unit());
        let radius = sqrt(1.0 - z * z);
        vec3(radius * cos, radius * sin, z)
    }
}

/// A lamp of any kind, somewhere within a few metres.
fn any_lamp(random: &mut Random) -> (Light, Node) {
    let kind = match (random.unit() * 3.0) as u32 {
        0 => LightKind::Point,
        1 => LightKind::Spot { inner_cone: 0.2, outer_cone: random.between(0.21, 1.5) },
        _ => LightKind::Spot { inner_cone: 0.0, outer_cone: random.between(0.05, 0.5) },
    };
    let range = (random.unit() < 0.3).then_some(3.0);
    let radius = if random.unit() < 0.3 { random.between(0.01, 0.7) } else { 0.0 };
    let intensity = [random.between(0.1, 2.0); 3];
    let light = Light { intensity, kind, range, radius, ..Light::default() };
    let turn = random.direction();
    let place = random.direction() * random.between(0.5, 4.0);
    let transform = Transform::Trs {
        translation: place.to_array(),
        rotation: [turn.x, turn.y, turn.z, 0.0],
        scale: [1.0; 3],
    };
    (light, node(transform))
}

/// A floor under a crowd of lamps and emissive triangles of both kinds.
fn crowd(lamps: u32, triangles: u32) -> Scene {
    let mut random = Random(5);
    let glow = |double_sided| Material {
        emissive: [2.0; 3],
        double_sided,
        ..material([0.0; 3], 0.0, 1.0)
    };
    let floor = quad([-4.0, -1.0, 4.0], [8.0, 0.0, 0.0], [0.0, 0.0, -8.0], 0);
    let mut parts = vec![floor];
    for index in 0..triangles {
        let corner = random.direction() * random.between(0.5, 4.0);
        let side = random.between(0.05, 0.6);
        let [u, v] = [(); 2].map(|()| (random.direction() * side).to_array());
        let mut part = quad(corner.to_array(), u, v, 1 + index % 2);
        part.indices.truncate(1);
        parts.push(part);
    }
    let mut scene = scene_of(parts, vec![material([0.7; 3], 0.0, 1.0), glow(false), glow(true)]);
    for _ in 0..lamps {
        let (light, carrier) = any_lamp(&mut random);
        scene.nodes.push(Node { light: Some(scene.lights.len() as u32), ..carrier });
        scene.lights.push(light);
    }
    scene
}

/// The crowd under a sun and a sky.
fn crowd_outdoors() -> RenderScene {
    let mut scene = crowd(200, 300);
    let pixels = Pixels::Rgb32F(vec![[0.2; 3]; 8 * 4]);
    scene.images.push(Image { name: String::new(), width: 8, height: 4, pixels });
    scene.environment = Some(Environment::Map { image: 0, strength: 1.0, rotation: 0.0 });
    add_light(&mut scene, [0.0; 3], LightKind::Directional, 0.5);
    let mut settings = looking([0.0, 3.0, 0.1], [0.0; 3], 8, 16);
    settings.lighting.sky = None;
    prepared(&scene, &settings)
}

fn indoors(scene: &Scene) -> RenderScene {
    prepared(scene, &looking([0.0, 3.0, 0.1], [0.0; 3], 8, 16))
}

fn any_vertex(random: &mut Random) -> Vertex {
    let point = random.direction() * random.between(0.0, 5.0);
    let both = random.unit() < 0.25;
    Vertex { point, normal: if both { Vec3::ZERO } else { random.direction() } }
}

fn told(scene: &RenderScene, at: &Vertex, light: &Emitter) -> f32 {
    if light.leaf == NONE {
        infinite_probability(scene, at, light)
    } else {
        finite_probability(scene, at, light)
    }
}

#[test]
fn probabilities_sum_to_one() {
    for scene in [crowd_outdoors(), indoors(&crowd(300, 0)), indoors(&crowd(0, 300))] {
        let mut random = Random(7);
        let mut mean = 0.0;
        for _ in 0..500 {
            let at = any_vertex(&mut random);
            let sum: f64 =
                scene.emitters().iter().map(|light| f64::from(told(&scene, &at, light))).sum();
            // Where a node promises what none of its children does, nothing is picked.
            assert!(sum < 1.0 + 1e-4, "{sum} at {at:?}");
            mean += sum / 500.0;
        }
        assert!(mean > 0.5, "{mean} of the picks are of use");
    }
}

#[test]
fn picks_follow_the_told_probabilities() {
    let scene = crowd_outdoors();
    let mut random = Random(8);
    let draws = 4000_u32;
    let (mut chi, mut degrees) = (0.0, 0.0);
    for vertex in 0..300_u32 {
        let at = any_vertex(&mut random);
        let mut counts = vec![0_u32; scene.emitters().len()];
        for draw in 0..draws {
            let key = hash(vertex ^ draw.wrapping_mul(0x9e37_79b1));
            let (u, v) = (to_unit(hash(key)), to_unit(hash(key ^ 0x5555_5555)));
            let Some(Picked { emitter, probability }) = pick_emitter(&scene, &at, u, v) else {
                continue;
            };
            counts[emitter as usize] += 1;
            let wanted = told(&scene, &at, &scene.emitters()[emitter as usize]);
            assert!((probability / wanted - 1.0).abs() < 1e-4, "{probability} told as {wanted}");
        }
        for (light, &count) in scene.emitters().iter().zip(&counts) {
            let expected = f64::from(told(&scene, &at, light)) * f64::from(draws);
            if expected >= 8.0 {
                let variance = expected * (1.0 - expected / f64::from(draws)).max(1e-3);
                chi += (f64::from(count) - expected).powi(2) / variance;
                degrees += 1.0;
            }
        }
    }
    assert!(degrees > 1000.0, "{degrees}");
    // Five deviations of the chi-square distribution.
    assert!((chi - degrees).abs() < 5.0 * (2.0 * degrees).sqrt(), "{chi} of {degrees}");
}

#[test]
fn what_lights_a_point_can_be_picked() {
    for scene in [crowd_outdoors(), indoors(&crowd(60, 60))] {
        let mut random = Random(9);
        let mut lit = 0;
        for _ in 0..400 {
            let at = any_vertex(&mut random);
            for (index, light) in scene.emitters().iter().enumerate() {
                let picked = Picked { emitter: index as u32, probability: 1.0 };
                let cell = (random.unit(), random.unit());
                let place = (random.unit(), random.unit());
                let Some(sample) = sample_light(&scene, picked, at.point, cell, place, 0.0) else {
                    continue;
                };
                let is_above =
                    dot(at.normal, at.normal) <= 0.0 || dot(at.normal, sample.direction) > 0.0;
                let tree_has_it = light.kind != EMITTER_ENVIRONMENT;
                if is_above && tree_has_it && sample.radiance.y > 0.0 {
                    lit += 1;
                    assert!(told(&scene, &at, light) > 0.0, "{light:?} at {at:?}");
                }
            }
        }
        assert!(lit > 1000, "{lit}");
    }
}

/// All lights at once are the sum of each alone: what picking by any probability must give.
#[test]
fn many_lights_are_the_sum_of_each() {
    let all = crowd(40, 40);
    let mut settings = looking([0.5, 4.5, 0.1], [0.0, -1.0, 0.0], 12, 256);
    settings.bounces = 1;
    let together = mean_green(&all, &settings);
    let mut sum = (0.0, 0.0);
    let mut add = |one: &Scene| {
        settings.samples = 64;
        settings.seed += 1;
        let (mean, error) = mean_green(one, &settings);
        sum = (sum.0 + mean, sum.1 + error * error);
    };
    for index in 0..all.lights.len() {
        let mut one = all.clone();
        one.materials[1].emissive = [0.0; 3];
        one.materials[2].emissive = [0.0; 3];
        for carrier in &mut one.nodes {
            carrier.light = carrier.light.filter(|&light| light as usize == index);
        }
        add(&one);
    }
    // A triangle that glows while the others are only in the way.
    for part in 1..all.meshes[0].primitives.len() {
        let mut one = all.clone();
        let dark = one.materials.len() as u32;
        one.materials
            .extend([1, 2].map(|at| Material { emissive: [0.0; 3], ..one.materials[at].clone() }));
        for (at, primitive) in one.meshes[0].primitives.iter_mut().enumerate().skip(1) {
            if at != part {
                primitive.material = primitive.material.map(|own| dark + own - 1);
            }
        }
        for carrier in &mut one.nodes {
            carrier.light = None;
        }
        add(&one);
    }
    let error = together.1 + sum.1.sqrt();
    assert_mean("all", (together.0, error), sum.0, 1e-3);
}

#[test]
fn neighbours_in_a_net_are_spread_over_the_tree() {
    // Sixteen samples of a pair among sixteen equal lamps pick nearly all of them: the two numbers
    // take turns, and what is left of them is stretched.
    let mut scene = scene_of(
        vec![quad([-1.0, 0.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, -2.0], 0)],
        vec![material([0.5; 3], 0.0, 1.0)],
    );
    for i in 0..16_u8 {
        let (sin, cos) = sin_cos_turns(f32::from(i) / 16.0);
        add_light(&mut scene, [cos * 3.0, 5.0, sin * 3.0], LightKind::Point, 1.0);
    }
    let scene = indoors(&scene);
    let at = Vertex { point: Vec3::ZERO, normal: vec3(0.0, 1.0, 0.0) };
    let mut seen = 0;
    for key in 0..64 {
        let mut picked = [false; 16];
        for sample in 0..16 {
            let (u, v) = sample_pair(key, 0, sample, 3);
            if let Some(it) = pick_emitter(&scene, &at, u, v) {
                picked[it.emitter as usize] = true;
            }
        }
        seen += picked.iter().filter(|&&it| it).count();
    }
    assert!(seen > 64 * 12, "{seen} of {}: independent draws would see 660", 64 * 16);
}
