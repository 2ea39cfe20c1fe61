//! Light that is known beforehand.

use std::f64::consts::PI;

use protocol::Sun;
use scene::{AlphaMode, Environment, Image, LightKind, Node, Pixels, Transform};

use crate::make::{add_light, assert_mean, looking, material, mean_green, quad, scene_of, sphere};

/// A floor of a diffuse albedo; the lobe of the dielectric lies over it.
fn floor(half: f32, material: u32) -> scene::Primitive {
    quad([-half, 0.0, half], [2.0 * half, 0.0, 0.0], [0.0, 0.0, -2.0 * half], material)
}

#[test]
fn a_white_furnace_gives_back_what_it_gets() {
    for (metallic, roughness) in
        [(0.0, 1.0), (0.0, 0.5), (0.0, 0.0), (1.0, 1.0), (1.0, 0.5), (1.0, 0.2), (0.5, 0.7)]
    {
        for eye in [[0.0, 4.0, 0.1], [4.0, 1.0, 0.0]] {
            let scene =
                scene_of(vec![floor(1.0, 0)], vec![material([1.0; 3], metallic, roughness)]);
            let mut settings = looking(eye, [0.0; 3], 16, 64);
            settings.lighting.sky = Some([1.0; 3]);
            let what = format!("metallic {metallic}, roughness {roughness}, from {eye:?}");
            assert_mean(&what, mean_green(&scene, &settings), 1.0, 0.01);
        }
    }
}

#[test]
fn a_wide_floor_does_not_shade_itself() {
    // Its middle is as uncertain as its far corners; the smallest is a coin.
    for half in [0.01, 1.0, 200.0, 1000.0, 50_000.0] {
        let mut scene = scene_of(vec![floor(half, 0)], vec![material([1.0; 3], 0.0, 1.0)]);
        scene.make_clay(1.0);
        let eye = [half * 0.2, half * 0.05, half * 0.1];
        let mut settings = looking(eye, [0.0; 3], 32, 64);
        settings.lighting.sky = Some([1.0; 3]);
        assert_mean(&format!("{half} m"), mean_green(&scene, &settings), 1.0, 1e-4);
        // Placed far away, by an instance that stretches it.
        let mut far = scene_of(vec![floor(1.0, 0)], vec![material([1.0; 3], 0.0, 1.0)]);
        far.make_clay(1.0);
        let place = [half * 3.0, 0.0, -half];
        for shown in [0.0, 10.0_f32] {
            let node = Node {
                transform: Transform::Trs {
                    translation: [place[0] + shown * half, 0.0, place[2]],
                    rotation: [0.0, 0.0, 0.0, 1.0],
                    scale: [half; 3],
                },
                mesh: Some(0),
                ..Node::default()
            };
            far.nodes.push(node);
        }
        far.nodes.remove(0);
        let eye = [eye[0] + place[0], eye[1], eye[2] + place[2]];
        let mut settings = looking(eye, place, 32, 64);
        settings.lighting.sky = Some([1.0; 3]);
        assert_mean(&format!("{half} m away"), mean_green(&far, &settings), 1.0, 1e-4);
    }
}

#[test]
fn a_sphere_in_a_furnace_cannot_be_seen() {
    for (metallic, roughness) in [(0.0, 0.6), (1.0, 0.4)] {
        let scene = scene_of(vec![sphere(24, 0)], vec![material([1.0; 3], metallic, roughness)]);
        let mut settings = looking([0.0, 0.0, 6.0], [0.0; 3], 24, 32);
        settings.camera = protocol::CameraChoice::LookAt {
            eye: [0.0, 0.0, 6.0],
            target: [0.0; 3],
            vfov_degrees: 20.0,
        };
        settings.lighting.sky = Some([1.0; 3]);
        // Normals that are bent at the rim lose a little.
        assert_mean("sphere", mean_green(&scene, &settings), 1.0, 0.02);
    }
}

#[test]
fn a_point_light_falls_off_with_the_square() {
    let near = lit_by_point(1.0);
    let far = lit_by_point(2.0);
    assert_mean("square", (near.0 / far.0, near.1 / far.0 + far.1), 4.0, 1e-3);
}

fn lit_by_point(height: f32) -> (f64, f64) {
    let mut scene = scene_of(vec![floor(4.0, 0)], vec![material([0.5; 3], 0.0, 1.0)]);
    add_light(&mut scene, [0.0, height, 0.0], LightKind::Point, 10.0);
    let mut settings = looking([0.0, 8.0, 0.01], [0.0; 3], 8, 16);
    settings.camera = protocol::CameraChoice::LookAt {
        eye: [0.0, 8.0, 0.01],
        target: [0.0; 3],
        vfov_degrees: 0.05,
    };
    settings.bounces = 1;
    mean_green(&scene, &settings)
}

#[test]
fn sun_point_and_spot_of_equal_irradiance_agree() {
    let floor_scene = || scene_of(vec![floor(1.0, 0)], vec![material([0.6; 3], 0.0, 0.8)]);
    let mut settings = looking([0.3, 3.0, 0.2], [0.0; 3], 8, 16);
    settings.bounces = 1;
    let mut with_sun = settings.clone();
    with_sun.lighting.sun =
        Some(Sun { direction: [0.0, 1.0, 0.0], irradiance: [2.0; 3], angle_degrees: 0.0 });
    let sun = mean_green(&floor_scene(), &with_sun);
    let distance = 200.0_f32;
    let intensity = 2.0 * distance * distance;
    let mut lit = floor_scene();
    add_light(&mut lit, [0.0, distance, 0.0], LightKind::Point, intensity);
    assert_mean("point", mean_green(&lit, &settings), sun.0, 1e-3);
    let mut lit = floor_scene();
    let spot = LightKind::Spot { inner_cone: 0.2, outer_cone: 0.4 };
    add_light(&mut lit, [0.0, distance, 0.0], spot, intensity);
    assert_mean("spot", mean_green(&lit, &settings), sun.0, 1e-3);
    let mut lit = floor_scene();
    add_light(&mut lit, [3.0, 1.0, 7.0], LightKind::Directional, 2.0);
    assert_mean("directional", mean_green(&lit, &settings), sun.0, 1e-3);
}

/// The lobe over the floor has no closed form, so a black floor is subtracted: what is left is the
/// diffuse lobe, albedo · E / π, but for what the coupling takes.
#[test]
fn an_area_light_has_the_form_factor_of_a_disc_seen_from_below() {
    // A square of side 2 at height 1 above the middle is four squares that each have a corner above
    // it; the form factor of one is 2 · x/√(1+x²) · atan(x/√(1+x²)) / 2π with x = side / height.
    let side = 1.0_f64;
    let height = 1.0_f64;
    let x = side / height;
    let root = (1.0 + x * x).sqrt();
    let corner = (x / root * (x / root).atan()) * 2.0 / (2.0 * PI);
    let irradiance = PI * 3.0 * 4.0 * corner;
    let emitter = scene::Material { emissive: [3.0; 3], ..material([0.0; 3], 0.0, 1.0) };
    let lamp = quad([-1.0, 1.0, -1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 2.0], 1);
    let lit = |base: f32, double_sided: bool| {
        let own = emitter.clone();
        let lamp_material = scene::Material { double_sided, ..own };
        let scene = scene_of(
            vec![floor(3.0, 0), lamp.clone()],
            vec![material([base; 3], 0.0, 1.0), lamp_material],
        );
        let mut settings = looking([0.0, 0.5, 1.6], [0.0; 3], 16, 64);
        settings.bounces = 1;
        mean_green(&scene, &settings)
    };
    // What the coupling leaves of the diffuse lobe is 1 on the mean over directions, and within a
    // few percent for a light that fills half of the sky.
    let (white, black) = (lit(1.0, false), lit(0.0, false));
    let diffuse = (white.0 - black.0, white.1 + black.1);
    assert_mean("diffuse", diffuse, irradiance / PI, 0.05);
    assert_mean("double-sided", lit(1.0, true), white.0, 0.01);
}

#[test]
fn a_closed_box_glows_as_the_series_says() {
    // Walls that reflect all and emit 1: every bounce adds 1, whatever the shape, so n bounces
    // gather n + 1.
    for bounces in [0, 1, 4] {
        let mut walls = vec![
            quad([-1.0, -1.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, -2.0], 0),
            quad([-1.0, 1.0, -1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 2.0], 0),
            quad([-1.0, -1.0, -1.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], 0),
            quad([1.0, -1.0, 1.0], [-2.0, 0.0, 0.0], [0.0, 2.0, 0.0], 0),
            quad([-1.0, -1.0, 1.0], [0.0, 0.0, -2.0], [0.0, 2.0, 0.0], 0),
            quad([1.0, -1.0, -1.0], [0.0, 0.0, 2.0], [0.0, 2.0, 0.0], 0),
        ];
        walls.reverse();
        let wall = scene::Material { emissive: [1.0; 3], ..material([1.0; 3], 0.0, 1.0) };
        let scene = scene_of(walls, vec![wall]);
        let mut settings = looking([0.1, 0.2, 0.3], [0.5, 0.1, -0.9], 16, 64);
        settings.bounces = bounces;
        let wanted = f64::from(bounces + 1);
        assert_mean("box", mean_green(&scene, &settings), wanted, 0.01);
    }
}

/// A map with one bright spot, and the same light as a constant.
fn mapped(pixels: Vec<[f32; 3]>, width: u32, height: u32) -> scene::Scene {
    let mut scene = scene_of(vec![floor(1.0, 0)], vec![material([0.8; 3], 0.0, 0.7)]);
    scene.images.push(Image { name: String::new(), width, height, pixels: Pixels::Rgb32F(pixels) });
    scene.environment = Some(Environment::Map { image: 0, strength: 2.0, rotation: 0.7 });
    scene
}

#[test]
fn a_uniform_map_is_a_constant_sky() {
    let mut settings = looking([2.0, 2.0, 0.5], [0.0; 3], 16, 32);
    settings.lighting.sky = Some([1.0; 3]);
    let scene = mapped(vec![[0.5; 3]; 32 * 16], 32, 16);
    let constant = mean_green(&scene, &settings);
    settings.lighting.sky = None;
    assert_mean("map", mean_green(&scene, &settings), constant.0, 2e-3);
}

#[test]
fn picking_and_scattering_find_the_same_sky() {
    // One bright spot over a dim sky: found by picking and by scattering, weighted.
    let mut pixels = vec![[0.05; 3]; 64 * 32];
    pixels[6 * 64 + 40] = [200.0; 3];
    let scene = mapped(pixels.clone(), 64, 32);
    let mut settings = looking([2.0, 2.0, 0.5], [0.0; 3], 24, 256);
    settings.lighting.sky = None;
    settings.bounces = 1;
    let picked = mean_green(&scene, &settings);
    // The same sky as many directional lights.
    let mut lit = scene_of(vec![floor(1.0, 0)], vec![material([0.8; 3], 0.0, 0.7)]);
    let sum = summed_as_lights(&pixels, &mut lit);
    assert!(sum > 0.0);
    settings.lighting.sky = Some([0.0; 3]);
    let lights = mean_green(&lit, &settings);
    assert_mean("map against lights", picked, lights.0, 0.02 + 5.0 * lights.1 / lights.0);
}

/// Adds a directional light for each of many directions of the interpolated map of
/// [`mapped`]; returns their irradiance.
fn summed_as_lights(pixels: &[[f32; 3]], scene: &mut scene::Scene) -> f64 {
    let (width, height, fine) = (64_usize, 32_usize, 4_usize);
    let mut sum = 0.0;
    let value = |x: i64, y: i64| {
        let row = y.clamp(0, height as i64 - 1) as usize;
        f64::from(pixels[row * width + x.rem_euclid(width as i64) as usize][0]) * 2.0
    };
    for row in 0..height * fine / 2 {
        for column in 0..width * fine {
            let (u, v) = (
                (column as f64 + 0.5) / (width * fine) as f64,
                (row as f64 + 0.5) / (height * fine) as f64,
            );
            let (x, y) = (u * width as f64 - 0.5, v * height as f64 - 0.5);
            let (left, top) = (x.floor(), y.floor());
            let (fx, fy) = (x - left, y - top);
            let (left, top) = (left as i64, top as i64);
            let upper = value(left, top) * (1.0 - fx) + value(left + 1, top) * fx;
            let lower = value(left, top + 1) * (1.0 - fx) + value(left + 1, top + 1) * fx;
            let radiance = upper * (1.0 - fy) + lower * fy;
            let theta = v * PI;
            let solid_angle =
                theta.sin() * (PI / (height * fine) as f64) * (2.0 * PI / (width * fine) as f64);
            // The map's turn is counter-clockwise; its middle column lies towards -z.
            let phi = (u - 0.5) * 2.0 * PI;
            let local = [theta.sin() * phi.sin(), theta.cos(), -theta.sin() * phi.cos()];
            let (sin, cos) = 0.7_f32.sin_cos();
            let (sin, cos) = (f64::from(sin), f64::from(cos));
            let towards =
                [local[0] * cos + local[2] * sin, local[1], -local[0] * sin + local[2] * cos];
            add_directional(scene, towards, (radiance * solid_angle) as f32);
            sum += radiance * solid_angle;
        }
    }
    sum
}

fn add_directional(scene: &mut scene::Scene, towards: [f64; 3], irradiance: f32) {
    // A rotation that takes +z to `towards`: about the axis between the two.
    let [x, y, z] = towards;
    let w = (1.0 + z).max(1e-9);
    let length = (x * x + y * y + w * w).sqrt();
    let rotation = [-y / length, x / length, 0.0, w / length].map(|value| value as f32);
    scene.lights.push(scene::Light {
        intensity: [irradiance; 3],
        kind: LightKind::Directional,
        ..scene::Light::default()
    });
    let transform = scene::Transform::Trs { translation: [0.0; 3], rotation, scale: [1.0; 3] };
    let light = Some(scene.lights.len() as u32 - 1);
    scene.nodes.push(scene::Node { light, ..crate::make::node(transform) });
}

#[test]
fn a_smooth_mirror_shows_the_lamp_as_it_is() {
    // Scattering alone can find a lamp in a mirror; picking would be hopeless. Seen by the mirror
    // the lamp's radiance is its own.
    let emitter = scene::Material { emissive: [3.0; 3], ..material([0.0; 3], 0.0, 1.0) };
    let lamp = quad([-2.0, 2.0, -6.0], [4.0, 0.0, 0.0], [0.0, 0.0, 4.0], 1);
    let scene = scene_of(vec![floor(3.0, 0), lamp], vec![material([1.0; 3], 1.0, 0.0), emitter]);
    let mut settings = looking([0.0, 1.0, 2.0], [0.0; 3], 8, 64);
    settings.bounces = 1;
    assert_mean("mirror", mean_green(&scene, &settings), 3.0, 0.01);
}

#[test]
fn half_transparent_cards_let_half_through() {
    let mut card = material([0.0; 3], 0.0, 1.0);
    card.base_color[3] = 0.25;
    card.alpha = AlphaMode::Blend;
    card.double_sided = true;
    let mut primitive = quad([-1.0, 1.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, -2.0], 0);
    primitive.material = Some(0);
    let scene = scene_of(vec![primitive], vec![card]);
    let mut settings = looking([0.0, 3.0, 0.1], [0.0; 3], 16, 64);
    settings.lighting.sky = Some([1.0; 3]);
    settings.bounces = 0;
    assert_mean("card", mean_green(&scene, &settings), 0.75, 0.0);
}

#[test]
fn roulette_does_not_change_the_mean() {
    // Inside a glowing white sphere twelve bounces gather 13, though roulette ends one path in
    // twenty at every bounce after the third.
    let wall = scene::Material { emissive: [1.0; 3], ..material([1.0; 3], 1.0, 1.0) };
    let mut inside = sphere(16, 0);
    for corners in &mut inside.indices {
        corners.swap(1, 2);
    }
    inside.normals.clear();
    let scene = scene_of(vec![inside], vec![wall]);
    let mut settings = looking([0.0; 3], [0.0, 0.0, -1.0], 16, 64);
    settings.bounces = 12;
    assert_mean("sphere", mean_green(&scene, &settings), 13.0, 0.01);
}

#[test]
fn dim_parts_of_a_sky_with_a_sun_are_picked_as_often_as_they_should_be() {
    // A sun of four texels in a fine map: nearly all cells have a tiny share of the alias table.
    let (width, height) = (1024_u32, 512_u32);
    let mut pixels = vec![[1e-2; 3]; (width * height) as usize];
    for at in [100 * 1024 + 300, 100 * 1024 + 301, 101 * 1024 + 300, 101 * 1024 + 301] {
        pixels[at] = [2e3; 3];
    }
    let scene = mapped(pixels, width, height);
    let mut settings = looking([2.0, 2.0, 0.5], [0.0; 3], 8, 16);
    settings.lighting.sky = None;
    let scene = crate::make::prepared(&scene, &settings);
    let draws = 200_000_u32;
    let (mut dim, mut mean) = (0_u32, 0.0_f64);
    for i in 0..draws {
        let cell = renderer::sampler::sample_pair(7, 0, i, 0);
        let (u, v) = renderer::sampler::sample_pair(7, 0, i, 1);
        let sky = renderer::environment::pick(&scene, cell, u, v);
        let radiance = renderer::environment::radiance(&scene, sky.direction).x;
        dim += u32::from(radiance < 0.03);
        mean += f64::from(radiance) / f64::from(sky.density) / f64::from(draws);
    }
    let theta = PI * 101.0 / f64::from(height);
    let texel = PI / f64::from(height) * (2.0 * PI / f64::from(width)) * theta.sin();
    let (sun, sky) = (4.0 * 4e3 * texel, 0.02 * 4.0 * PI);
    assert!((mean / (sun + sky) - 1.0).abs() < 0.02, "{mean}, wanted {}", sun + sky);
    let (share, wanted) = (f64::from(dim) / f64::from(draws), sky / (sun + sky));
    assert!((share / wanted - 1.0).abs() < 0.25, "{share} of the draws, wanted {wanted}");
}

#[test]
fn a_lamp_with_holes_shines_through_its_solid_part() {
    // Half of a blended lamp is there: it gives half of the light of a solid one.
    let lit = |alpha: f32| {
        let mut lamp = scene::Material {
            emissive: [3.0; 3],
            alpha: AlphaMode::Blend,
            ..material([0.0; 3], 0.0, 1.0)
        };
        lamp.base_color[3] = alpha;
        let quads =
            vec![floor(3.0, 0), quad([-1.0, 1.0, -1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 2.0], 1)];
        let scene = scene_of(quads, vec![material([0.8; 3], 0.0, 1.0), lamp]);
        let mut settings = looking([0.0, 0.5, 1.6], [0.0; 3], 16, 64);
        settings.bounces = 1;
        mean_green(&scene, &settings)
    };
    assert_mean("half", lit(0.5), lit(1.0).0 * 0.5, 0.01);
}
