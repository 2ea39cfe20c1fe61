//! Lamps that have a size: as bright as points, with soft shadows.

use std::f64::consts::PI;

use protocol::{CameraChoice, Sun};
use scene::{AreaLight, AreaShape, LightKind, Scene};

use crate::make::{add_light, assert_mean, looking, material, mean_green, quad, scene_of};

/// A floor of 8 m, and what stands on it.
fn over_a_floor(others: Vec<scene::Primitive>) -> Scene {
    let mut parts = vec![quad([-4.0, 0.0, 4.0], [8.0, 0.0, 0.0], [0.0, 0.0, -8.0], 0)];
    parts.extend(others);
    scene_of(parts, vec![material([0.6; 3], 0.0, 1.0)])
}

/// Mean radiance of a small spot of the floor, by direct light.
fn spot_of_the_floor(scene: &Scene, at: [f32; 3], samples: u32, sun: Option<Sun>) -> (f64, f64) {
    let eye = [at[0], 6.0, at[2] + 0.01];
    let mut settings = looking(eye, at, 8, samples);
    settings.camera = CameraChoice::LookAt { eye, target: at, vfov_degrees: 0.05 };
    settings.bounces = 1;
    settings.lighting.sun = sun;
    mean_green(scene, &settings)
}

#[test]
fn a_sphere_shines_like_a_point() {
    // A sphere of even radiance that is wholly seen gives I cos / d², whatever its size.
    for (kind, share) in
        [(LightKind::Point, 0.005), (LightKind::Spot { inner_cone: 0.5, outer_cone: 1.0 }, 0.005)]
    {
        let lit = |radius: f32| {
            let mut scene = over_a_floor(Vec::new());
            add_light(&mut scene, [0.0, 2.0, 0.0], kind, 10.0);
            scene.lights[0].radius = radius;
            spot_of_the_floor(&scene, [0.0; 3], 256, None)
        };
        let point = lit(0.0);
        for radius in [1e-3, 0.1, 0.5] {
            assert_mean(&format!("{kind:?} {radius}"), lit(radius), point.0, share);
        }
    }
}

#[test]
fn a_wide_sun_shines_like_a_narrow_one() {
    let sun = |angle_degrees| {
        let sun = Sun { direction: [0.0, 1.0, 0.0], irradiance: [2.0; 3], angle_degrees };
        spot_of_the_floor(&over_a_floor(Vec::new()), [0.0; 3], 256, Some(sun))
    };
    let narrow = sun(0.0);
    for angle in [0.53, 5.0, 30.0] {
        assert_mean(&format!("{angle}°"), sun(angle), narrow.0, 0.01);
    }
    // As a light of the scene.
    let mut scene = over_a_floor(Vec::new());
    add_light(&mut scene, [0.0; 3], LightKind::Directional, 2.0);
    scene.lights[0].angle = (5.0 * PI / 180.0) as f32;
    assert_mean("light", spot_of_the_floor(&scene, [0.0; 3], 256, None), narrow.0, 0.01);
}

/// A wall's edge right above a point of the floor hides half of a lamp behind it.
#[test]
fn shadows_are_soft() {
    // The wall fills x < 0 at half the lamp's height.
    let wall = || vec![quad([-4.0, 1.0, 4.0], [4.0, 0.0, 0.0], [0.0, 0.0, -8.0], 0)];
    let lamp = |parts: Vec<scene::Primitive>, radius: f32, x: f32| {
        let mut scene = over_a_floor(parts);
        add_light(&mut scene, [0.0, 2.0, 0.0], LightKind::Point, 10.0);
        scene.lights[0].radius = radius;
        spot_from_below(&scene, x)
    };
    let open = lamp(Vec::new(), 0.3, 0.0);
    let half = lamp(wall(), 0.3, 0.0);
    assert_mean("half", half, open.0 * 0.5, 0.02);
    assert!(lamp(wall(), 0.3, -0.5).0 < 1e-9, "umbra");
    assert!(lamp(wall(), 0.0, -0.1).0 < 1e-9, "a point's shadow is hard");
    let penumbra = lamp(wall(), 0.3, -0.1);
    assert!(penumbra.0 > 5.0 * penumbra.1 && penumbra.0 < half.0, "{penumbra:?}");
}

/// The floor seen from below the wall.
fn spot_from_below(scene: &Scene, x: f32) -> (f64, f64) {
    let (eye, target) = ([x, 0.5, 2.0], [x, 0.0, 0.0]);
    let mut settings = looking(eye, target, 8, 256);
    settings.camera = CameraChoice::LookAt { eye, target, vfov_degrees: 0.05 };
    settings.bounces = 1;
    mean_green(scene, &settings)
}

#[test]
fn inside_a_lamp_it_is_as_bright_as_at_its_surface() {
    // Radiance I / (π r²) from everywhere: E = I / r² on either side of any surface within.
    let mut scene = over_a_floor(Vec::new());
    add_light(&mut scene, [0.0, 1.0, 0.0], LightKind::Point, 8.0);
    let lit = |scene: &Scene| spot_from_below(scene, 0.0);
    let point = lit(&scene);
    scene.lights[0].radius = 2.0;
    // The point gave I / 1 m²; the sphere gives a quarter. The lobe sees other directions.
    assert_mean("inside", lit(&scene), point.0 * 0.25, 0.06);
}

/// A flat lamp over the floor's middle.
fn flat_lamp(shape: AreaShape, size: [f32; 2], radiance: f32) -> AreaLight {
    AreaLight {
        name: "lamp".to_owned(),
        node: 0,
        shape,
        size,
        radiance: [radiance; 3],
        two_sided: false,
    }
}

/// The light under a flat lamp so high above the floor, which shines down, or up.
fn under_a_flat_lamp(lamp: AreaLight, height: f32, looks_up: bool) -> (f64, f64) {
    let mut scene = over_a_floor(Vec::new());
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let transform = scene::Transform::Trs {
        translation: [0.0, height, 0.0],
        rotation: [if looks_up { half } else { -half }, 0.0, 0.0, half],
        scale: [1.0; 3],
    };
    scene.nodes.push(scene::Node { name: "lamp".to_owned(), transform, ..Default::default() });
    scene.area_lights.push(AreaLight { node: scene.nodes.len() as u32 - 1, ..lamp });
    spot_from_below(&scene, 0.0)
}

#[test]
fn flat_lamps_shine_like_meshes() {
    let glow = scene::Material { emissive: [3.0; 3], ..material([0.0; 3], 0.0, 1.0) };
    let mut mesh = over_a_floor(vec![quad([-0.5, 1.0, -1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0], 1)]);
    mesh.materials.push(glow);
    let wanted = spot_from_below(&mesh, 0.0).0;
    let flat =
        |two_sided| AreaLight { two_sided, ..flat_lamp(AreaShape::Rectangle, [1.0, 2.0], 3.0) };
    assert_mean("rectangle", under_a_flat_lamp(flat(false), 1.0, false), wanted, 0.01);
    assert_mean("two-sided", under_a_flat_lamp(flat(true), 1.0, false), wanted, 0.01);
    assert_mean("two-sided from behind", under_a_flat_lamp(flat(true), 1.0, true), wanted, 0.01);
    assert!(under_a_flat_lamp(flat(false), 1.0, true).0 < 1e-9, "its back is dark");
}

#[test]
fn a_disk_is_as_bright_as_a_square_of_its_area_far_away() {
    let side = (0.01 * PI).sqrt() as f32;
    let lit = |shape, side| under_a_flat_lamp(flat_lamp(shape, [side; 2], 300.0), 3.0, false);
    let square = lit(AreaShape::Rectangle, side);
    assert_mean("disk", lit(AreaShape::Disk, 0.2), square.0, 0.01);
}
