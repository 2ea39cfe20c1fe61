//! The layered material: energy, densities, and light whose way through a body is known.

use renderer::RenderScene;
use renderer::bsdf::lobe::fresnel_rise;
use renderer::bsdf::{bsdf_of, evaluate, sample_direction};
use renderer::math::{Vec3, max_component, normalize, vec3};
use renderer::sampler::sample_pair;
use renderer::surface::Surface;
use scene::{Layers, Material, Primitive};

use crate::make::{assert_mean, looking, material, mean_green, prepared, quad, scene_of, sphere};

/// A scene for its tables.
fn tables() -> RenderScene {
    prepared(&scene_of(Vec::new(), Vec::new()), &looking([0.0, 0.0, 1.0], [0.0; 3], 1, 1))
}

/// Named surfaces that have every layer, alone and together.
fn surfaces() -> Vec<(&'static str, Surface)> {
    let plain = Surface { roughness: 0.5, ..Surface::PLAIN };
    let glass = Surface { transmission: 1.0, eta: 1.5, is_thin: false, ..plain };
    let tilted = normalize(vec3(0.2, -0.1, 1.0));
    vec![
        ("plain", plain),
        ("rough metal", Surface { metallic: 1.0, roughness: 0.8, ..plain }),
        ("half metal", Surface { metallic: 0.5, roughness: 0.4, ..plain }),
        ("bright dielectric", Surface { f0: vec3(0.3, 0.2, 0.1), f90: 0.7, ..plain }),
        ("coat", Surface { coat: 0.8, coat_roughness: 0.4, ..plain }),
        ("coat on metal", Surface { coat: 1.0, coat_roughness: 0.3, metallic: 1.0, ..plain }),
        ("tilted coat", Surface { coat: 0.8, coat_roughness: 0.4, coat_normal: tilted, ..plain }),
        ("sheen", Surface { sheen: vec3(0.9, 0.5, 0.2), sheen_roughness: 0.5, ..plain }),
        (
            "brushed metal",
            Surface {
                metallic: 1.0,
                anisotropy: 0.7,
                tangent: normalize(vec3(1.0, 1.0, 0.0)),
                ..plain
            },
        ),
        ("brushed glass", Surface { anisotropy: 0.6, tangent: vec3(0.0, 1.0, 0.0), ..glass }),
        (
            "film on metal",
            Surface {
                metallic: 1.0,
                iridescence: 1.0,
                iridescence_ior: 1.6,
                iridescence_thickness: 400.0,
                ..plain
            },
        ),
        (
            "film",
            Surface {
                iridescence: 0.8,
                iridescence_ior: 1.4,
                iridescence_thickness: 300.0,
                ..plain
            },
        ),
        ("leaf", Surface { translucency: 0.6, translucent: Vec3::ONE, ..plain }),
        ("thin wall", Surface { transmission: 1.0, ..plain }),
        ("half a thin wall", Surface { transmission: 0.5, roughness: 0.7, ..plain }),
        ("into glass", glass),
        ("out of glass", Surface { eta: 1.0 / 1.5, ..glass }),
        (
            "everything",
            Surface {
                coat: 0.5,
                coat_roughness: 0.5,
                sheen: Vec3::ONE,
                sheen_roughness: 0.7,
                transmission: 0.4,
                translucency: 0.5,
                translucent: Vec3::ONE,
                anisotropy: 0.4,
                tangent: vec3(0.6, 0.8, 0.0),
                metallic: 0.3,
                ..plain
            },
        ),
    ]
}

const VIEWS: [Vec3; 3] = [vec3(0.0, 0.0, 1.0), vec3(0.6, 0.0, 0.8), vec3(-0.5, 0.78, 0.378)];

/// The middle of a cell of a grid over the sphere that is even in solid angle. Its poles lie on the
/// x axis, where no lobe is narrow.
fn middle(row: usize, column: usize, rows: usize, columns: usize) -> Vec3 {
    let x = 1.0 - 2.0 * (row as f32 + 0.5) / rows as f32;
    let phi = (column as f32 + 0.5) / columns as f32 * std::f32::consts::TAU;
    let radius = (1.0 - x * x).max(0.0).sqrt();
    vec3(x, radius * phi.cos(), radius * phi.sin())
}

/// The cell of a direction.
fn cell(d: Vec3, rows: usize, columns: usize) -> usize {
    let row = ((1.0 - d.x) * 0.5 * rows as f32) as usize;
    let turns = (d.z.atan2(d.y) / std::f32::consts::TAU).rem_euclid(1.0);
    let column = (turns * columns as f32) as usize;
    row.min(rows - 1) * columns + column.min(columns - 1)
}

#[test]
fn directions_are_drawn_with_the_density_that_is_told() {
    let scene = tables();
    let (rows, columns, fine, draws) = (16, 16, 24, 40_000_u32);
    for (name, surface) in surfaces() {
        for view in VIEWS {
            let bsdf = bsdf_of(scene.albedo(), &surface, view);
            let mut expected = vec![0.0_f64; rows * columns];
            let solid_angle = 4.0 * std::f64::consts::PI / (rows * columns * fine * fine) as f64;
            for row in 0..rows * fine {
                for column in 0..columns * fine {
                    let d = middle(row, column, rows * fine, columns * fine);
                    let density = f64::from(evaluate(scene.albedo(), &bsdf, d).density);
                    expected[row / fine * columns + column / fine] += density * solid_angle;
                }
            }
            let mut counts = vec![0_u32; rows * columns];
            let mut lost = 0_u32;
            for i in 0..draws {
                let (u, v) = sample_pair(11, 0, i, 0);
                let (choice, _) = sample_pair(12, 0, i, 1);
                let d = sample_direction(&bsdf, choice, u, v);
                if evaluate(scene.albedo(), &bsdf, d).density > 0.0 {
                    counts[cell(d, rows, columns)] += 1;
                } else {
                    lost += 1;
                }
            }
            // Pearson's statistic over cells that are expected often enough. Draws are more even
            // than random ones, so it may only be smaller than chance makes it.
            let (mut statistic, mut cells) = (0.0, 0.0);
            for (&count, &share) in counts.iter().zip(&expected) {
                let wanted = share * f64::from(draws);
                if wanted >= 20.0 {
                    statistic += (f64::from(count) - wanted).powi(2) / wanted;
                    cells += 1.0;
                }
            }
            let bound = cells + 5.0 * f64::sqrt(2.0 * cells);
            assert!(
                statistic < bound,
                "{name} from {view:?}: {statistic:.0} over {cells} cells, at most {bound:.0}"
            );
            let drawn: f64 = expected.iter().sum();
            let kept = 1.0 - f64::from(lost) / f64::from(draws);
            assert!((drawn - kept).abs() < 0.01, "{name} from {view:?}: {drawn} and {kept}");
        }
    }
}

#[test]
fn no_surface_gives_more_than_it_gets() {
    let scene = tables();
    for (name, surface) in surfaces() {
        let white = Surface { base_color: Vec3::ONE, ..surface };
        for view in VIEWS {
            let bsdf = bsdf_of(scene.albedo(), &white, view);
            let draws = 1_u32 << 16;
            let mut sum = 0.0_f64;
            for i in 0..draws {
                let (u, v) = sample_pair(21, 0, i, 0);
                let (choice, _) = sample_pair(22, 0, i, 1);
                let d = sample_direction(&bsdf, choice, u, v);
                let scatter = evaluate(scene.albedo(), &bsdf, d);
                if scatter.density > 0.0 {
                    sum += f64::from(max_component(scatter.value) / scatter.density);
                }
            }
            let albedo = sum / f64::from(draws);
            // A white surface gives back all but where its colours differ (bright dielectric,
            // sheen: their other components leave more); a tilted coat sends light below the
            // horizon; a brushed lobe is compensated as the round one that loses about as much.
            let least = match name {
                "tilted coat" => 0.93,
                // A film takes colours out of a metal.
                "film on metal" => 0.5,
                "brushed metal" | "brushed glass" => 0.95,
                _ => 0.985,
            };
            let most = if name.starts_with("brushed") { 1.05 } else { 1.015 };
            assert!((least..most).contains(&albedo), "{name} from {view:?}: {albedo}");
        }
    }
}

/// A white material of a roughness with layers.
/// What comes back to a viewer of this cosine from a white sky above a surface, and what comes from
/// below it.
fn albedos(scene: &RenderScene, surface: &Surface, cosine: f32) -> [f64; 2] {
    let view = vec3((1.0 - cosine * cosine).sqrt(), 0.0, cosine);
    let bsdf = bsdf_of(scene.albedo(), surface, view);
    let draws = 1 << 14;
    let mut sums = [0.0; 2];
    for i in 0..draws {
        let (u, v) = sample_pair(31, 0, i, 0);
        let (choice, _) = sample_pair(32, 0, i, 1);
        let d = sample_direction(&bsdf, choice, u, v);
        let scattered = evaluate(scene.albedo(), &bsdf, d);
        if scattered.density > 0.0 {
            let share = f64::from(scattered.value.y) / f64::from(scattered.density);
            sums[usize::from(d.z < 0.0)] += share / f64::from(draws);
        }
    }
    sums
}

/// Fresnel's equations by the angles on both sides.
fn fresnel(cosine: f64, eta: f64) -> f64 {
    let sine = (1.0 - cosine * cosine).sqrt() / eta;
    if sine >= 1.0 {
        return 1.0;
    }
    let beyond = (1.0 - sine * sine).sqrt();
    let across = (cosine - eta * beyond) / (cosine + eta * beyond);
    let along = (eta * cosine - beyond) / (eta * cosine + beyond);
    0.5 * (across * across + along * along)
}

fn dielectric(index: f32, roughness: f32, base_color: Vec3) -> Surface {
    let normal = ((index - 1.0) / (index + 1.0)).powi(2);
    let f0 = vec3(normal, normal, normal);
    let rise = fresnel_rise(index);
    Surface { roughness, base_color, f0, index, rise, ..Surface::PLAIN }
}

#[test]
fn dielectrics_reflect_as_fresnel_says() {
    let scene = tables();
    for index in [1.1, 1.33, 1.5, 2.0, 3.0] {
        for cosine in [1.0, 0.87, 0.7, 0.5, 0.35] {
            let black = dielectric(index, 0.05, Vec3::ZERO);
            let [got, _] = albedos(&scene, &black, cosine);
            let wanted = fresnel(cosine.into(), index.into());
            let close = (got - wanted).abs() < 0.01 * wanted + 3e-4;
            assert!(close, "index {index}, cosine {cosine}: {got}, Fresnel says {wanted}");
        }
    }
}

#[test]
fn glass_reflects_and_transmits_as_fresnel_says() {
    let scene = tables();
    for eta in [1.5, 1.0 / 1.5] {
        for cosine in [1.0, 0.87, 0.8, 0.6, 0.4] {
            let white = dielectric(1.5, 0.05, Vec3::ONE);
            let glass = Surface { transmission: 1.0, eta, is_thin: false, ..white };
            let [reflected, transmitted] = albedos(&scene, &glass, cosine);
            let wanted = fresnel(cosine.into(), eta.into());
            for (got, wanted) in [(reflected, wanted), (transmitted, 1.0 - wanted)] {
                let close = (got - wanted).abs() < 0.01;
                assert!(close, "eta {eta}, cosine {cosine}: {got}, Fresnel says {wanted}");
            }
        }
    }
}

#[test]
fn white_dielectrics_of_any_index_keep_their_light() {
    let scene = tables();
    for index in [1.0, 1.1, 1.33, 1.5, 2.0, 3.0] {
        for roughness in [0.1, 0.4, 0.7, 1.0] {
            // All directions together: what one lobe takes from another here it gives back there.
            let steps = 32;
            let mut mean = 0.0;
            for step in 0..steps {
                let cosine = (step as f32 + 0.5) / steps as f32;
                let white = dielectric(index, roughness, Vec3::ONE);
                let [kept, _] = albedos(&scene, &white, cosine);
                mean += kept * f64::from(2.0 * cosine) / f64::from(steps);
            }
            assert!((mean - 1.0).abs() < 0.01, "index {index}, roughness {roughness}: {mean}");
        }
    }
}

fn layered(metallic: f32, roughness: f32, layers: Layers) -> Material {
    Material { layers, double_sided: true, ..material([1.0; 3], metallic, roughness) }
}

#[test]
fn layered_spheres_in_a_furnace_cannot_be_seen() {
    let none = Layers::default;
    let cases = [
        ("coat", layered(0.0, 0.6, Layers { coat: 1.0, coat_roughness: 0.3, ..none() })),
        ("coat on metal", layered(1.0, 0.4, Layers { coat: 1.0, ..none() })),
        (
            "sheen",
            layered(0.0, 0.6, Layers { sheen_color: [1.0; 3], sheen_roughness: 0.5, ..none() }),
        ),
        ("specular", layered(0.0, 0.4, Layers { ior: 2.4, specular: 0.6, ..none() })),
        ("thin wall", layered(0.0, 0.3, Layers { transmission: 1.0, ..none() })),
        ("glass", layered(0.0, 0.0, Layers { transmission: 1.0, is_body: true, ..none() })),
        ("rough glass", layered(0.0, 0.7, Layers { transmission: 1.0, is_body: true, ..none() })),
        (
            "water",
            layered(0.0, 0.0, Layers { transmission: 1.0, is_body: true, ior: 1.33, ..none() }),
        ),
    ];
    for (name, material) in cases {
        let scene = scene_of(vec![sphere(24, 0)], vec![material]);
        let mut settings = looking([0.0, 0.0, 6.0], [0.0; 3], 24, 64);
        settings.camera = protocol::CameraChoice::LookAt {
            eye: [0.0, 0.0, 6.0],
            target: [0.0; 3],
            vfov_degrees: 20.0,
        };
        settings.lighting.sky = Some([1.0; 3]);
        settings.bounces = 32;
        assert_mean(name, mean_green(&scene, &settings), 1.0, 0.025);
    }
}

/// The six walls of a box from -1 to 1 with a half depth in z, their fronts outside.
fn slab(half_depth: f32) -> Vec<Primitive> {
    let d = half_depth;
    let s = 50.0;
    vec![
        quad([-s, -s, d], [2.0 * s, 0.0, 0.0], [0.0, 2.0 * s, 0.0], 0),
        quad([s, -s, -d], [-2.0 * s, 0.0, 0.0], [0.0, 2.0 * s, 0.0], 0),
        quad([-s, s, -d], [0.0, 0.0, 2.0 * d], [2.0 * s, 0.0, 0.0], 0),
        quad([-s, -s, -d], [2.0 * s, 0.0, 0.0], [0.0, 0.0, 2.0 * d], 0),
        quad([s, -s, -d], [0.0, 2.0 * s, 0.0], [0.0, 0.0, 2.0 * d], 0),
        quad([-s, -s, -d], [0.0, 0.0, 2.0 * d], [0.0, 2.0 * s, 0.0], 0),
    ]
}

#[test]
fn a_slab_of_coloured_glass_is_as_dark_as_stokes_says() {
    // Along the normal, F = 0.04 at both faces and T of the way through: what is reflected and what
    // passes is a geometric series (Stokes 1862).
    let color = 0.3_f64;
    let layers = Layers {
        transmission: 1.0,
        is_body: true,
        attenuation_color: [color as f32; 3],
        attenuation_distance: 0.5,
        ..Layers::default()
    };
    let glass = Material { layers, ..material([1.0; 3], 0.0, 0.0) };
    let scene = scene_of(slab(0.5), vec![glass]);
    let mut settings = looking([0.0, 0.0, 9.0], [0.0; 3], 8, 256);
    settings.camera = protocol::CameraChoice::LookAt {
        eye: [0.0, 0.0, 9.0],
        target: [0.0; 3],
        vfov_degrees: 0.5,
    };
    settings.lighting.sky = Some([1.0; 3]);
    settings.bounces = 16;
    let (f, t) = (0.04_f64, color.powf(1.0 / 0.5));
    let series = 1.0 - f * f * t * t;
    let passed = (1.0 - f) * (1.0 - f) * t / series;
    let reflected = f + (1.0 - f) * (1.0 - f) * f * t * t / series;
    assert_mean("slab", mean_green(&scene, &settings), passed + reflected, 0.01);
}

#[test]
fn light_bends_as_snell_says() {
    let scene = tables();
    let glass =
        Surface { transmission: 1.0, eta: 1.5, is_thin: false, roughness: 0.0, ..Surface::PLAIN };
    for view in VIEWS {
        let bsdf = bsdf_of(scene.albedo(), &glass, view);
        let choice = bsdf.shares.cosine
            + bsdf.shares.behind
            + bsdf.shares.coat
            + 0.5 * bsdf.shares.transmission;
        let d = sample_direction(&bsdf, choice, 0.3, 0.6);
        let sine = |v: Vec3| (v.x * v.x + v.y * v.y).sqrt();
        assert!(d.z < 0.0, "{d:?}");
        assert!((sine(view) - 1.5 * sine(d)).abs() < 2e-3, "{view:?} becomes {d:?}");
    }
    // From within, beyond the critical angle nothing passes.
    let within = Surface { eta: 1.0 / 1.5, ..glass };
    let bsdf = bsdf_of(scene.albedo(), &within, vec3(0.8, 0.0, 0.6));
    assert!(bsdf.shares.transmission < 1e-3, "{:?}", bsdf.shares);
    assert!(bsdf.shares.lobe > 0.999, "{:?}", bsdf.shares);
}

#[test]
fn unlit_surfaces_show_their_colour_whatever_shines() {
    let unlit = Material { is_unlit: true, ..material([0.25, 0.5, 0.75], 0.0, 1.0) };
    let floor = quad([-3.0, 0.0, 3.0], [6.0, 0.0, 0.0], [0.0, 0.0, -6.0], 0);
    let scene = scene_of(vec![floor], vec![unlit]);
    let mut settings = looking([0.0, 3.0, 0.1], [0.0; 3], 8, 16);
    for sky in [0.0, 1.0, 7.0] {
        settings.lighting.sky = Some([sky; 3]);
        assert_mean("unlit", mean_green(&scene, &settings), 0.5, 1e-6);
    }
}

#[test]
fn a_layers_texture_alone_brings_its_coordinates() {
    // Left texel: opaque and black under no light. Right texel: clear, and shows what is behind.
    let texture = scene::TextureRef {
        texture: 0,
        uv_set: 1,
        offset: [0.0; 2],
        rotation: 0.0,
        scale: [1.0; 2],
    };
    let layers = Layers {
        specular: 0.0,
        transmission: 1.0,
        transmission_texture: Some(texture),
        ..Layers::default()
    };
    let pane = Material { layers, double_sided: true, ..material([1.0; 3], 0.0, 0.0) };
    let glow = Material { is_unlit: true, ..material([0.5; 3], 0.0, 1.0) };
    let mut front = quad([-1.0, -1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], 0);
    front.uvs[1] = vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
    let back = quad([-9.0, -9.0, -1.0], [18.0, 0.0, 0.0], [0.0, 18.0, 0.0], 1);
    let mut scene = scene_of(vec![front, back], vec![pane, glow]);
    scene.images.push(scene::Image {
        name: String::new(),
        width: 2,
        height: 1,
        pixels: scene::Pixels::Rgba8(vec![0, 0, 0, 255, 255, 255, 255, 255]),
    });
    scene.textures.push(scene::Texture {
        image: 0,
        wrap_u: scene::Wrap::Clamp,
        wrap_v: scene::Wrap::Clamp,
        filter: scene::Filter::Nearest,
    });
    let mut settings = looking([0.0, 0.0, 9.0], [0.0; 3], 16, 64);
    settings.camera = protocol::CameraChoice::LookAt {
        eye: [0.0, 0.0, 9.0],
        target: [0.0; 3],
        vfov_degrees: 8.0,
    };
    settings.lighting.sky = Some([0.0; 3]);
    assert_mean("half a window", mean_green(&scene, &settings), 0.25, 0.03);
}
