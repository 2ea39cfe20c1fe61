//! Light passes: what is what, that nothing is lost, and the same bits however the work is done.

use film::{Film, Passes, film_pixel_bytes};
use protocol::{Batch, CameraChoice, Rect, RenderSettings, Size};
use renderer::trace::Path;
use renderer::{Backend, Cancel, CpuBackend, RenderScene, Work};
use scene::{Layers, LightKind, Material, Mesh, Node, Primitive, Scene, Transform};

use crate::make::{add_light, looking, material, node, prepared, quad, scene_of, sphere};

/// The picture's mean of each pass and of the beauty, green channel.
#[derive(Debug)]
struct Means {
    passes: Vec<(&'static str, f64)>,
    beauty: f64,
}

impl Means {
    fn of(film: &Film) -> Self {
        let samples: f64 = film.pixels().iter().map(|pixel| f64::from(pixel.samples)).sum();
        let beauty: f64 = film.pixels().iter().map(|pixel| f64::from(pixel.beauty[1])).sum();
        let mut passes = Passes::default().named().map(|(name, _)| (name, 0.0)).to_vec();
        for pixel in film.passes().expect("they were asked for") {
            for ((_, sum), (_, light)) in passes.iter_mut().zip(pixel.named()) {
                *sum += f64::from(light[1]) / samples;
            }
        }
        Self { passes, beauty: beauty / samples }
    }

    fn get(&self, name: &str) -> f64 {
        self.passes.iter().find(|(this, _)| *this == name).expect("a pass").1
    }

    /// Asserts that all light is in these passes, and in each of them some.
    fn assert_only(&self, what: &str, names: &[&str]) {
        for (name, light) in &self.passes {
            assert_eq!(*light > 0.0, names.contains(name), "{what}, {name}: {self:?}");
        }
    }
}

fn whole(scene: &RenderScene) -> Work {
    let settings = scene.settings();
    let chunks = settings.chunk_count().next_power_of_two();
    Work { rect: Rect::of_size(settings.size), batch: Batch::new(0, chunks).expect("aligned") }
}

fn filmed(scene: &RenderScene) -> Film {
    CpuBackend::new(None).render(scene, whole(scene), &Cancel::default()).expect("renders")
}

fn means(scene: &Scene, settings: &RenderSettings) -> Means {
    let settings = RenderSettings { passes: true, ..settings.clone() };
    let film = filmed(&prepared(scene, &settings));
    assert_adds_up(&film);
    Means::of(&film)
}

/// Asserts that the passes of every pixel add up to its beauty.
///
/// Both are sums of the same terms, none negative, in another order. A term goes through at most a
/// path's 18 additions, 16 of a chunk, a few of the tree and 7 of this test before either is whole:
/// under 44 roundings of at most 2⁻²⁴ of the sum on each side.
fn assert_adds_up(film: &Film) {
    let share = 2.0 * 44.0 * 2.0_f64.powi(-24);
    let passes = film.passes().expect("they were asked for");
    for (at, (pixel, passes)) in film.pixels().iter().zip(passes).enumerate() {
        for channel in 0..3 {
            let beauty = f64::from(pixel.beauty[channel]);
            let sum: f64 = passes.named().iter().map(|(_, light)| f64::from(light[channel])).sum();
            let off = (sum - beauty).abs();
            assert!(off <= share * beauty, "pixel {at}: passes {sum}, beauty {beauty}");
        }
    }
}

fn matte(albedo: f32) -> Material {
    Material {
        layers: Layers { specular: 0.0, ..Layers::default() },
        ..material([albedo; 3], 0.0, 1.0)
    }
}

fn glowing(radiance: f32) -> Material {
    Material { emissive: [radiance; 3], double_sided: true, ..matte(0.0) }
}

/// A floor of two metres.
fn floor(material: u32) -> Primitive {
    quad([-1.0, 0.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, -2.0], material)
}

/// A closed room with a lamp, and balls of every kind of surface.
fn room() -> Scene {
    let layered = |layers: Layers, roughness: f32| Material {
        layers,
        double_sided: true,
        ..material([0.8, 0.6, 0.4], 0.0, roughness)
    };
    let materials = vec![
        matte(0.7),
        Material { double_sided: true, ..material([0.7, 0.2, 0.1], 0.0, 0.4) },
        material([0.9, 0.8, 0.5], 1.0, 0.2),
        glowing(12.0),
        layered(
            Layers { transmission: 1.0, is_body: true, dispersion: 0.5, ..Layers::default() },
            0.0,
        ),
        layered(
            Layers {
                transmission: 0.7,
                is_body: true,
                attenuation_color: [0.2, 0.5, 0.9],
                attenuation_distance: 0.2,
                ..Layers::default()
            },
            0.4,
        ),
        layered(Layers { coat: 1.0, sheen_color: [0.4, 0.2, 0.7], ..Layers::default() }, 0.6),
        layered(
            Layers { translucency: 0.6, translucent_color: [0.3, 0.8, 0.2], ..Layers::default() },
            0.5,
        ),
        layered(Layers { transmission: 0.9, ..Layers::default() }, 0.3),
    ];
    let walls = vec![
        quad([-1.0, 0.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, -2.0], 0),
        quad([-1.0, 2.0, -1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 2.0], 0),
        quad([-1.0, 0.0, -1.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], 0),
        quad([-1.0, 0.0, 1.0], [0.0, 0.0, -2.0], [0.0, 2.0, 0.0], 1),
        quad([1.0, 0.0, -1.0], [0.0, 0.0, 2.0], [0.0, 2.0, 0.0], 1),
        quad([-0.3, 1.99, -0.3], [0.6, 0.0, 0.0], [0.0, 0.0, 0.6], 3),
        // A leaf and a pane that hang below the lamp.
        quad([-0.9, 1.5, -0.2], [0.7, 0.1, 0.0], [0.0, 0.2, 0.5], 7),
        quad([0.2, 1.5, -0.2], [0.7, 0.1, 0.0], [0.0, 0.2, 0.5], 8),
    ];
    let mut scene = scene_of(walls, materials);
    for (at, material) in [(0, 2), (1, 4), (2, 5), (3, 6)] {
        let mesh = Mesh { primitives: vec![sphere(16, material)], ..Mesh::default() };
        scene.meshes.push(mesh);
        let (row, column) = (at / 3, at % 3);
        let translation =
            [-0.6 + 0.6 * column as f32, 0.35 + 0.7 * row as f32, -0.4 + 0.2 * row as f32];
        let transform =
            Transform::Trs { translation, rotation: [0.0, 0.0, 0.0, 1.0], scale: [0.28; 3] };
        let mesh = Some(scene.meshes.len() as u32 - 1);
        scene.nodes.push(Node { mesh, ..node(transform) });
    }
    add_light(&mut scene, [0.4, 1.6, 0.6], LightKind::Point, 0.3);
    scene
}

fn room_settings(samples: u32) -> RenderSettings {
    RenderSettings {
        size: Size::new(48, 48),
        camera: CameraChoice::LookAt {
            eye: [0.0, 1.0, 3.4],
            target: [0.0, 1.0, 0.0],
            vfov_degrees: 40.0,
        },
        passes: true,
        ..looking([0.0; 3], [1.0; 3], 48, samples)
    }
}

#[test]
fn passes_add_up_to_the_beauty() {
    let golden = RenderSettings { size: Size::new(48, 32), samples: 64, ..room_settings(64) };
    let golden = RenderSettings { camera: CameraChoice::Default, ..golden };
    let film = filmed(&prepared(&scene::golden(), &golden));
    assert_adds_up(&film);

    let film = filmed(&prepared(&room(), &room_settings(64)));
    assert_adds_up(&film);
    let means = Means::of(&film);
    for (name, light) in &means.passes {
        assert!((*light > 0.0) == (*name != "environment"), "{name}: {means:?}");
    }
    let lost: Vec<f64> = means.passes.iter().map(|(_, light)| *light).collect();
    assert!((lost.iter().sum::<f64>() - means.beauty).abs() < 1e-6 * means.beauty, "{means:?}");
}

#[test]
fn passes_change_no_bit_of_the_rest() {
    let with = room_settings(20);
    let without = RenderSettings { passes: false, ..with.clone() };
    let (with, without) = (filmed(&prepared(&room(), &with)), filmed(&prepared(&room(), &without)));
    assert!(without.passes().is_none());
    let (with, without) = (with.to_bytes(), without.to_bytes());
    assert_eq!(without.len(), 48 * 48 * film_pixel_bytes(false));
    assert_eq!(with.len(), 48 * 48 * film_pixel_bytes(true));
    assert!(with[..without.len()] == without, "the first sheet is the film without passes");
}

#[test]
fn passes_have_the_same_bits_however_the_work_is_done() {
    let scene = prepared(&room(), &room_settings(64));
    let work = whole(&scene);
    let film = filmed(&scene);
    let cancel = Cancel::default();
    for path in Path::all() {
        let one = std::num::NonZeroUsize::new(1);
        let other = CpuBackend::with_path(one, path).render(&scene, work, &cancel);
        assert_eq!(other.expect("renders").root(), film.root(), "{}", path.name());
    }
    let part = |first| {
        let work = Work { batch: Batch::new(first, 2).expect("aligned"), ..work };
        CpuBackend::new(None).render(&scene, work, &cancel).expect("renders")
    };
    assert_eq!(part(2).merge(&part(0)).expect("siblings").root(), film.root(), "halves");
    let places = [(3, 5), (20, 12), (39, 23), (12, 40)];
    let alone = CpuBackend::new(None).render_pixels(&scene, &places, work.batch, &cancel);
    let indices = places.iter().filter_map(|&(x, y)| film.index(x, y));
    assert_eq!(film.sums().picked(indices), alone.ok(), "pixels alone");
}

#[test]
fn a_matte_floor_under_a_lamp_is_direct_and_diffuse() {
    let mut scene = scene_of(vec![floor(0)], vec![matte(0.5)]);
    add_light(&mut scene, [0.0, 1.0, 0.0], LightKind::Point, 10.0);
    let mut settings = looking([0.0, 8.0, 0.01], [0.0; 3], 4, 16);
    settings.camera =
        CameraChoice::LookAt { eye: [0.0, 8.0, 0.01], target: [0.0; 3], vfov_degrees: 0.05 };
    let means = means(&scene, &settings);
    means.assert_only("a floor", &["diffuse_direct"]);
    // Irradiance 10 W/m² by intensity over the square of 1 m, times albedo over π.
    let wanted = 10.0 * 0.5 / std::f64::consts::PI;
    assert!((means.get("diffuse_direct") - wanted).abs() < 2e-3 * wanted, "{means:?}");
}

#[test]
fn a_mirror_that_shows_a_lamp_is_direct_and_glossy() {
    // The camera looks down on a mirror; the lamp faces it from above, behind the camera.
    let lamp = quad([-3.0, 6.0, 3.0], [0.0, 0.0, -6.0], [6.0, 0.0, 0.0], 1);
    let scene = scene_of(vec![floor(0), lamp], vec![material([1.0; 3], 1.0, 0.0), glowing(2.0)]);
    let settings = looking([0.0, 4.0, 0.01], [0.0; 3], 4, 16);
    let shown = means(&scene, &settings);
    shown.assert_only("a mirror", &["glossy_direct"]);
    assert!((shown.get("glossy_direct") - 2.0).abs() < 0.01, "{shown:?}");
    // What the camera sees itself is emission.
    let seen = means(&scene, &looking([0.0, 4.0, 0.01], [0.0, 8.0, 0.0], 4, 16));
    seen.assert_only("a lamp", &["emission"]);
    assert!((seen.get("emission") - 2.0).abs() < 1e-6, "{seen:?}");
}

#[test]
fn a_mirror_that_shows_a_lit_wall_is_indirect_and_glossy() {
    let wall = quad([-3.0, 6.0, -3.0], [6.0, 0.0, 0.0], [0.0, 0.0, 6.0], 1);
    let mut scene = scene_of(vec![floor(0), wall], vec![material([1.0; 3], 1.0, 0.0), matte(0.5)]);
    add_light(&mut scene, [2.0, 4.0, 0.0], LightKind::Point, 10.0);
    // Two events: the mirror's, which the lamp does not light along the only way to the camera, and
    // the wall's.
    let settings = RenderSettings { bounces: 2, ..looking([0.0, 5.0, 0.01], [0.0; 3], 4, 16) };
    let means = means(&scene, &settings);
    let rest = means.beauty - means.get("glossy_indirect");
    assert!(means.get("glossy_indirect") > 0.1 && rest < 1e-3 * means.beauty, "{means:?}");
}

#[test]
fn the_environment_is_what_the_camera_sees_of_it() {
    let mut settings = looking([0.0, 4.0, 0.01], [0.0; 3], 4, 64);
    settings.lighting.sky = Some([1.0; 3]);
    // A white floor in a white world, of which the camera sees all light at its first event.
    let lit = means(&scene_of(vec![floor(0)], vec![matte(1.0)]), &settings);
    lit.assert_only("a floor", &["diffuse_direct"]);
    assert!((lit.get("diffuse_direct") - 1.0).abs() < 0.01, "{lit:?}");
    let open = means(
        &scene_of(vec![floor(0)], vec![matte(1.0)]),
        &RenderSettings {
            camera: CameraChoice::LookAt {
                eye: [0.0, 4.0, 0.0],
                target: [0.0, 8.0, 1.0],
                vfov_degrees: 9.0,
            },
            ..settings.clone()
        },
    );
    open.assert_only("the sky", &["environment"]);
    assert!((open.get("environment") - 1.0).abs() < 1e-6, "{open:?}");
    // Through a pane the sky is transmitted, what the pane mirrors is glossy.
    let pane = Material {
        layers: Layers { transmission: 1.0, ..Layers::default() },
        double_sided: true,
        ..material([1.0; 3], 0.0, 0.0)
    };
    let seen = means(&scene_of(vec![floor(0)], vec![pane]), &settings);
    seen.assert_only("a pane", &["glossy_direct", "transmission_direct"]);
    assert!((seen.get("glossy_direct") - 0.04).abs() < 0.004, "{seen:?}");
    assert!((seen.beauty - 1.0).abs() < 0.01, "{seen:?}");
    // A leaf sends light to both sides.
    let leaf = Material {
        layers: Layers { translucency: 0.5, specular: 0.0, ..Layers::default() },
        double_sided: true,
        ..material([1.0; 3], 0.0, 1.0)
    };
    let seen = means(&scene_of(vec![floor(0)], vec![leaf]), &settings);
    seen.assert_only("a leaf", &["diffuse_direct", "transmission_direct"]);
    assert!((seen.get("diffuse_direct") - 0.5).abs() < 0.02, "{seen:?}");
}

/// The lobe of a dielectric does not know the colour below it, so a black body shows it alone.
#[test]
fn a_dielectric_is_split_by_its_lobes_values() {
    let lit = |base_color: [f32; 3], layers: Layers| {
        let body = Material { layers, ..material(base_color, 0.0, 0.4) };
        let mut scene = scene_of(vec![floor(0)], vec![body]);
        add_light(&mut scene, [0.0, 1.0, -0.6], LightKind::Point, 10.0);
        let mut settings = looking([0.0, 4.0, 2.0], [0.0; 3], 4, 16);
        settings.bounces = 1;
        means(&scene, &settings)
    };
    let plain = Layers::default;
    let black = lit([0.0; 3], plain());
    black.assert_only("a black dielectric", &["glossy_direct"]);
    let green = lit([0.2, 0.8, 0.1], plain());
    green.assert_only("a green dielectric", &["diffuse_direct", "glossy_direct"]);
    let (got, wanted) = (green.get("glossy_direct"), black.get("glossy_direct"));
    assert!((got - wanted).abs() < 1e-4 * wanted, "{got}, wanted {wanted}");
    // Twice the colour, twice the diffuse light.
    let dim = lit([0.1, 0.4, 0.05], plain());
    let ratio = green.get("diffuse_direct") / dim.get("diffuse_direct");
    assert!((ratio - 2.0).abs() < 1e-4, "{ratio}");
    // Sheen is diffuse, a coat is glossy.
    let sheen = lit([0.0; 3], Layers { sheen_color: [0.5; 3], sheen_roughness: 0.5, ..plain() });
    sheen.assert_only("sheen", &["diffuse_direct", "glossy_direct"]);
    assert!(sheen.get("glossy_direct") < wanted, "it leaves less: {sheen:?}, {black:?}");
    let coat = lit([0.0; 3], Layers { coat: 1.0, coat_roughness: 0.4, ..plain() });
    coat.assert_only("a coat", &["glossy_direct"]);
    assert!(coat.get("glossy_direct") > 1.5 * wanted, "two lobes: {coat:?}");
}

/// A path of black and white light keeps its classes when roulette, absorption and more events
/// multiply what is left of it.
#[test]
fn glass_is_transmission_whatever_happens_behind_it() {
    let glass = Material {
        layers: Layers {
            transmission: 1.0,
            is_body: true,
            attenuation_color: [0.5, 0.8, 0.9],
            attenuation_distance: 0.5,
            dispersion: 1.0,
            ..Layers::default()
        },
        ..material([1.0; 3], 0.0, 0.0)
    };
    let below = quad([-4.0, -2.0, 4.0], [8.0, 0.0, 0.0], [0.0, 0.0, -8.0], 1);
    let mut scene = scene_of(vec![sphere(24, 0), below], vec![glass, matte(0.8)]);
    add_light(&mut scene, [3.0, 3.0, 0.0], LightKind::Point, 20.0);
    let means = means(&scene, &looking([0.0, 6.0, 0.01], [0.0; 3], 8, 64));
    let through = means.get("transmission_indirect");
    assert!(through > 0.0, "{means:?}");
    let none = ["diffuse_direct", "diffuse_indirect", "emission", "environment"];
    assert!(none.iter().all(|name| means.get(name).to_bits() == 0), "{means:?}");
    assert!(through > 0.9 * means.beauty, "{means:?}");
}
