//! The mirrored functions of the kernel, over a scene's tables.

use gpu::{EvaluateError, Function, Rounding};
use renderer::bsdf::lobe::fresnel_rise;
use renderer::bsdf::{bsdf_of, evaluate, sample_direction};
use renderer::light::sample_light;
use renderer::light_tree::{Vertex, finite_probability, pick_emitter};
use renderer::math::{Vec3, vec3};
use renderer::surface::Surface;
use renderer::{RenderScene, camera, environment, ray, texture};

use crate::device::evaluator;
use crate::make::{Random, golden, many_lights, moving, settings};

/// A shader function, what Rust says, and the inputs for both.
pub struct Check<'a> {
    pub name: &'a str,
    pub function: Function<'a>,
    pub inputs: &'a [u32],
    pub rust: &'a dyn Fn(&[u32]) -> Vec<u32>,
}

impl Check<'_> {
    /// Compares every bit of every row; two NaNs are equal whatever their payload.
    pub fn run(
        &self,
        evaluate: impl FnOnce(&Function<'_>, &[u32]) -> Result<Vec<u32>, EvaluateError>,
    ) {
        let got = evaluate(&self.function, self.inputs).expect("the function runs");
        let words = self.function.output_words as usize;
        let rows = self.inputs.chunks_exact(self.function.input_words as usize);
        assert_eq!(got.len(), rows.len() * words, "{}", self.name);
        let is_nan = |bits: u32| f32::from_bits(bits).is_nan();
        for (row, got) in rows.zip(got.chunks_exact(words)) {
            let wanted = (self.rust)(row);
            let equal = wanted.iter().zip(got).all(|(&a, &b)| a == b || is_nan(a) && is_nan(b));
            assert!(
                equal,
                "{}: of {row:x?} {:?} Rust makes {wanted:x?} and the shader {got:x?}",
                self.name,
                row.iter().map(|&bits| f32::from_bits(bits)).collect::<Vec<_>>(),
            );
        }
    }
}

/// Checks a function over a scene's tables, with the driver's division and square root and with
/// ours.
fn check_in(
    scene: &RenderScene,
    name: &str,
    (imports, body): (&str, &str),
    (input_words, output_words): (u32, u32),
    inputs: &[u32],
    rust: &dyn Fn(&[u32]) -> Vec<u32>,
) {
    for rounding in [Rounding::Driver, Rounding::Exact] {
        let Some(mut evaluator) = evaluator(rounding) else { return };
        let function = Function { imports, body, input_words, output_words };
        Check { name, function, inputs, rust }.run(|f, i| evaluator.evaluate_in(scene, f, i));
    }
}

fn vector(row: &[u32], at: usize) -> Vec3 {
    let [x, y, z] = [row[at], row[at + 1], row[at + 2]].map(f32::from_bits);
    vec3(x, y, z)
}

fn bits3(v: Vec3) -> [u32; 3] {
    v.to_array().map(f32::to_bits)
}

/// Words of a surface, of the directions to viewer and light, and of the numbers that draw one.
const SCATTERING_WORDS: u32 = 43;

/// A surface with some of the layers, as the words that [`scattering_is_the_same`] reads.
fn layered(random: &mut Random) -> Vec<u32> {
    let edge = |value: f32| if value < 0.1 { 0.0 } else { ((value - 0.1) * 1.2).min(1.0) };
    let sometimes = |random: &mut Random| {
        let is_there = random.unit() < 0.4;
        if is_there { edge(random.unit()) } else { 0.0 }
    };
    let mut words = Vec::new();
    let color = |random: &mut Random| vec3(random.unit(), random.unit(), random.unit());
    words.extend(bits3(color(random)));
    words.extend([edge(random.unit()), edge(random.unit())].map(f32::to_bits));
    words.extend(bits3(color(random) * 0.3));
    words.push(edge(random.unit()).to_bits());
    words.push(sometimes(random).to_bits());
    let is_thin = random.unit() < 0.5;
    let eta = if is_thin { 1.0 } else { random.between(0.4, 2.4) };
    words.extend([eta.to_bits(), u32::from(is_thin)]);
    words.extend([sometimes(random), edge(random.unit())].map(f32::to_bits));
    let tilt = vec3(random.between(-0.3, 0.3), random.between(-0.3, 0.3), 1.0);
    words.extend(bits3(renderer::math::normalize(tilt)));
    let strength = sometimes(random);
    words.extend(bits3(color(random) * strength));
    words.push(random.between(0.1, 1.0).to_bits());
    words.push(sometimes(random).to_bits());
    words.extend(bits3(color(random)));
    words.push(sometimes(random).to_bits());
    words.extend(bits3(random.direction()));
    words
}

#[test]
fn scattering_is_the_same() {
    let scene = golden(&settings(32, 32, 1));
    let mut random = Random::new(1);
    let mut inputs = Vec::new();
    for _ in 0..12_000 {
        inputs.extend(layered(&mut random));
        let view = random.direction();
        let upward = random.unit() < 0.95;
        inputs.extend(bits3(if upward == (view.z < 0.0) { -view } else { view }));
        let light = random.direction();
        let upward = random.unit() < 0.6;
        inputs.extend(bits3(if upward == (light.z < 0.0) { -light } else { light }));
        inputs.extend([random.unit(), random.unit(), random.unit()].map(f32::to_bits));
        let film = if random.unit() < 0.4 { random.unit() } else { 0.0 };
        let (ior, thickness) = (random.between(1.0, 2.5), random.between(0.0, 900.0));
        inputs.extend([film, ior, thickness].map(f32::to_bits));
        let index = random.between(1.0, 3.0);
        inputs.extend([index, fresnel_rise(index)].map(f32::to_bits));
    }
    let code = (
        "#import tessera::bsdf
        #import tessera::lobe
        #import tessera::surface::plain_surface",
        "var surface = plain_surface();
        surface.base_color = vec3<f32>(in_f(0u), in_f(1u), in_f(2u));
        surface.metallic = in_f(3u);
        surface.roughness = in_f(4u);
        surface.reflectance = vec3<f32>(in_f(5u), in_f(6u), in_f(7u));
        surface.reflectance_rim = in_f(8u);
        surface.transmission = in_f(9u);
        surface.eta = in_f(10u);
        surface.is_thin = in_u(11u) == 1u;
        surface.coat = in_f(12u);
        surface.coat_roughness = in_f(13u);
        surface.coat_normal = vec3<f32>(in_f(14u), in_f(15u), in_f(16u));
        surface.sheen = vec3<f32>(in_f(17u), in_f(18u), in_f(19u));
        surface.sheen_roughness = in_f(20u);
        surface.translucency = in_f(21u);
        surface.translucent = vec3<f32>(in_f(22u), in_f(23u), in_f(24u));
        surface.anisotropy = in_f(25u);
        surface.tangent = vec3<f32>(in_f(26u), in_f(27u), in_f(28u));
        surface.iridescence = in_f(38u);
        surface.iridescence_ior = in_f(39u);
        surface.iridescence_thickness = in_f(40u);
        surface.index = in_f(41u);
        surface.rise = lobe::fresnel_rise(surface.index);
        let view = vec3<f32>(in_f(29u), in_f(30u), in_f(31u));
        let b = bsdf::bsdf_of(surface, view);
        let e = bsdf::evaluate(b, vec3<f32>(in_f(32u), in_f(33u), in_f(34u)));
        let d = bsdf::sample_direction(b, in_f(35u), in_f(36u), in_f(37u));
        out_f(0u, e.value.x); out_f(1u, e.value.y); out_f(2u, e.value.z); out_f(3u, e.density);
        out_f(4u, d.x); out_f(5u, d.y); out_f(6u, d.z);
        out_f(7u, b.share_lobe); out_f(8u, b.share_transmission);
        out_f(9u, b.share_coat); out_f(10u, b.share_cosine); out_f(11u, b.share_behind);",
    );
    check_in(&scene, "scattering", code, (SCATTERING_WORDS, 12), &inputs, &|row| {
        let f = |k: usize| f32::from_bits(row[k]);
        let surface = Surface {
            base_color: vector(row, 0),
            metallic: f(3),
            roughness: f(4),
            f0: vector(row, 5),
            f90: f(8),
            transmission: f(9),
            eta: f(10),
            is_thin: row[11] == 1,
            coat: f(12),
            coat_roughness: f(13),
            coat_normal: vector(row, 14),
            sheen: vector(row, 17),
            sheen_roughness: f(20),
            translucency: f(21),
            translucent: vector(row, 22),
            anisotropy: f(25),
            tangent: vector(row, 26),
            iridescence: f(38),
            iridescence_ior: f(39),
            iridescence_thickness: f(40),
            index: f(41),
            rise: f(42),
            ..Surface::PLAIN
        };
        let bsdf = bsdf_of(scene.albedo(), &surface, vector(row, 29));
        let scatter = evaluate(scene.albedo(), &bsdf, vector(row, 32));
        let [choice, u, v] = vector(row, 35).to_array();
        let shares = bsdf.shares;
        let mut out = bits3(scatter.value).to_vec();
        out.push(scatter.density.to_bits());
        out.extend(bits3(sample_direction(&bsdf, choice, u, v)));
        out.extend(
            [shares.lobe, shares.transmission, shares.coat, shares.cosine, shares.behind]
                .map(f32::to_bits),
        );
        out
    });
}

#[test]
fn the_sky_is_the_same() {
    let scene = golden(&settings(32, 32, 1));
    let mut random = Random::new(2);
    let mut inputs = Vec::new();
    for i in 0..4000 {
        let axis = [vec3(0.0, 1.0, 0.0), vec3(0.0, -1.0, 0.0), vec3(0.0, 0.0, 1.0)];
        inputs.extend(bits3(if i < 3 { axis[i] } else { random.direction() }));
        inputs.extend([(); 4].map(|()| random.unit()).map(f32::to_bits));
    }
    let code = (
        "#import tessera::environment",
        "let d = vec3<f32>(in_f(0u), in_f(1u), in_f(2u));
        let l = environment::sky_radiance(d);
        let p = environment::sky_pick(vec2<f32>(in_f(3u), in_f(4u)), in_f(5u), in_f(6u));
        out_f(0u, l.x); out_f(1u, l.y); out_f(2u, l.z);
        out_f(3u, environment::sky_pick_density(d)); out_f(4u, p.density);
        out_f(5u, p.direction.x); out_f(6u, p.direction.y); out_f(7u, p.direction.z);",
    );
    check_in(&scene, "the sky", code, (7, 8), &inputs, &|row| {
        let direction = vector(row, 0);
        let f = |k: usize| f32::from_bits(row[k]);
        let pick = environment::pick(&scene, (f(3), f(4)), f(5), f(6));
        let mut out = bits3(environment::radiance(&scene, direction)).to_vec();
        out.push(environment::density(&scene, direction).to_bits());
        out.push(pick.density.to_bits());
        out.extend(bits3(pick.direction));
        out
    });
}

#[test]
fn lights_are_the_same() {
    let settings = settings(32, 32, 1);
    for scene in [golden(&settings), many_lights(&settings), moving(&settings)] {
        lights_are_the_same_in(&scene);
    }
}

fn lights_are_the_same_in(scene: &RenderScene) {
    let mut random = Random::new(3);
    let mut inputs = Vec::new();
    for i in 0..4000 {
        let place = random.direction() * random.between(0.0, 4.0);
        inputs.extend(bits3(place));
        inputs.extend([(); 6].map(|()| random.unit()).map(f32::to_bits));
        inputs.extend(bits3(if i % 3 == 0 { Vec3::ZERO } else { random.direction() }));
    }
    let code = (
        "#import tessera::light
        #import tessera::light_tree
        #import tessera::tables::{NONE, emitter_of}",
        "let point = vec3<f32>(in_f(0u), in_f(1u), in_f(2u));
        let at = light_tree::Vertex(point, vec3<f32>(in_f(9u), in_f(10u), in_f(11u)));
        let e = light_tree::pick_emitter(at, in_f(3u), in_f(7u));
        out_u(0u, e.emitter);
        if e.emitter != NONE {
            out_f(12u, e.probability);
            out_f(13u, light_tree::finite_probability(at, emitter_of(e.emitter).leaf));
            let l = light::sample_light(
                e, point, vec2<f32>(in_f(4u), in_f(8u)), in_f(5u), in_f(6u), in_f(7u));
            out_u(1u, select(0u, 1u, l.shines));
            if l.shines {
                out_f(2u, l.direction.x); out_f(3u, l.direction.y); out_f(4u, l.direction.z);
                out_f(5u, l.distance); out_f(6u, l.density); out_u(7u, select(0u, 1u, l.is_point));
                out_f(8u, l.radiance.x); out_f(9u, l.radiance.y); out_f(10u, l.radiance.z);
                out_f(11u, light::power_weight(l.density, in_f(4u)));
            }
        }",
    );
    check_in(scene, "lights", code, (12, 14), &inputs, &|row| {
        let f = |k: usize| f32::from_bits(row[k]);
        let at = Vertex { point: vector(row, 0), normal: vector(row, 9) };
        let Some(picked) = pick_emitter(scene, &at, f(3), f(7)) else {
            let mut out = vec![0; 14];
            out[0] = renderer::tables::NONE;
            return out;
        };
        let mut out = vec![picked.emitter, 0];
        if let Some(light) = sample_light(scene, picked, at.point, (f(4), f(8)), (f(5), f(6)), f(7))
        {
            out[1] = 1;
            out.extend(bits3(light.direction));
            out.extend([light.distance.to_bits(), light.density.to_bits()]);
            out.push(u32::from(light.is_point));
            out.extend(bits3(light.radiance));
            out.push(renderer::light::power_weight(light.density, f(4)).to_bits());
        }
        out.resize(12, 0);
        out.push(picked.probability.to_bits());
        let emitter = &scene.emitters()[picked.emitter as usize];
        out.push(finite_probability(scene, &at, emitter).to_bits());
        out
    });
}

#[test]
fn cameras_and_textures_are_the_same() {
    let settings = settings(37, 21, 1);
    for scene in [golden(&settings), moving(&settings)] {
        cameras_and_textures_are_the_same_in(&scene);
    }
}

fn cameras_and_textures_are_the_same_in(scene: &RenderScene) {
    let words = scene.words();
    let uses: Vec<u32> = texture_uses(scene, &words);
    assert!(!uses.is_empty(), "the golden scene has textures");
    let mut random = Random::new(4);
    let mut inputs = Vec::new();
    for i in 0..4000 {
        inputs.extend([random.between(-3.0, 3.0), random.between(-3.0, 3.0)].map(f32::to_bits));
        inputs.push(uses[i % uses.len()]);
        inputs.push(random.bits() & 1);
        inputs.push(random.unit().to_bits());
    }
    let code = (
        "#import tessera::camera
        #import tessera::ray
        #import tessera::texture
        #import tessera::tables::{TextureUse, word_vec, words}",
        "let at = in_u(2u);
        let usage = TextureUse(words[at], words[at + 1u], word_vec(at + 2u), word_vec(at + 5u));
        let time = in_f(4u);
        let c = texture::sample(usage, vec2<f32>(in_f(0u), in_f(1u)), in_u(3u) == 1u);
        out_f(0u, c.x); out_f(1u, c.y); out_f(2u, c.z); out_f(3u, c.w);
        let r = camera::camera_ray(in_f(0u) * 9.0, in_f(1u) * 9.0, vec2<f32>(0.0), time);
        out_f(4u, r.origin.x); out_f(5u, r.direction.x); out_f(6u, r.direction.y);
        out_f(7u, camera::filter_offset(abs(in_f(0u)) * 0.33));
        let o = ray::offset_origin(vec3<f32>(in_f(0u), in_f(1u), in_f(0u) * 1e-2), r.direction, in_f(1u));
        out_f(8u, o.x); out_f(9u, o.y); out_f(10u, o.z); out_f(11u, camera::depth_of(o, time));",
    );
    check_in(scene, "cameras and textures", code, (5, 12), &inputs, &|row| {
        let [x, y, time] = [row[0], row[1], row[4]].map(f32::from_bits);
        let at = row[2] as usize;
        let usage: renderer::tables::TextureUse =
            *bytemuck::from_bytes(bytemuck::cast_slice(&words[at..at + 8]));
        let color = texture::sample(scene, &usage, x, y, row[3] == 1);
        let ray = camera::camera_ray(scene, x * 9.0, y * 9.0, (0.0, 0.0), time);
        let moved = ray::offset_origin(vec3(x, y, x * 1e-2), ray.direction, y);
        let mut out = bits3(color.rgb).to_vec();
        out.push(color.a.to_bits());
        out.extend([ray.origin.x, ray.direction.x, ray.direction.y].map(f32::to_bits));
        out.push(camera::filter_offset(scene, x.abs() * 0.33).to_bits());
        out.extend(bits3(moved));
        out.push(camera::depth_of(scene, moved, time).to_bits());
        out
    });
}

/// Where the words of every texture use begin that has a texture.
fn texture_uses(scene: &RenderScene, words: &[u32]) -> Vec<u32> {
    let material = renderer::render_scene::words_of::<renderer::tables::Material>();
    let usage = renderer::render_scene::words_of::<renderer::tables::TextureUse>();
    let header = scene.header();
    (header.materials_at..header.textures_at)
        .step_by(material as usize)
        .flat_map(|at| (0..4).map(move |k| at + 16 + k * usage))
        .filter(|&at| words[at as usize] != renderer::tables::NONE)
        .collect()
}
