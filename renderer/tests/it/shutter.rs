//! Motion blur: what moves while the shutter is open.

use film::Film;
use protocol::{
    Batch, CameraChoice, Lighting, PixelFilter, Rect, RenderSettings, Shutter, ShutterPosition,
    Size,
};
use renderer::moving::{corners_at, instance_at};
use renderer::ray::{Cast, Hit, Query, Ray, intersect_triangle, probe_of};
use renderer::sampler::{hash, to_unit};
use renderer::tables::{EMITTER_MOVING, INSTANCE_IDENTITY, INSTANCE_MOVES, NONE, TRIANGLE_MOVES};
use renderer::trace::{Path, Tracer};
use renderer::{Backend, Cancel, CpuBackend, RenderScene, Work, first_hits, prepare};
use scene::{
    Camera, Material, Mesh, MorphTarget, Node, Primitive, Projection, Property, Scene, Skin,
    Transform,
};

use crate::make::{
    assert_mean, looking, material, mean_green, moving, node, quad, scene_of, sphere,
};

const IDENTITY: [f32; 4] = [0.0, 0.0, 0.0, 1.0];
const COLUMNS: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]];

/// From the frame's time on, seconds.
fn open(open_s: f32) -> Option<Shutter> {
    Some(Shutter { open_s, position: ShutterPosition::Start })
}

fn shift(translation: [f32; 3]) -> Transform {
    Transform::Trs { translation, rotation: IDENTITY, scale: [1.0; 3] }
}

/// Adds a camera without perspective that looks along -z and sees `2 · half_height` metres.
fn add_flat_camera(scene: &mut Scene, half_height: f32) -> u32 {
    scene
        .cameras
        .push(Camera { projection: Projection::Orthographic { half_height }, ..Camera::default() });
    scene.nodes.push(Node { camera: Some(0), ..node(shift([0.0, 0.0, 5.0])) });
    scene.nodes.len() as u32 - 1
}

/// Without light and perspective: who asks for coverage, not for brightness.
fn flat(size: Size, samples: u32, open_s: f32) -> RenderSettings {
    RenderSettings {
        size,
        samples,
        filter: PixelFilter::Box,
        lighting: Lighting { sun: None, sky: Some([1.0; 3]) },
        shutter: open(open_s),
        ..RenderSettings::default()
    }
}

fn prepared_at(scene: &Scene, settings: &RenderSettings, time_s: f32) -> RenderScene {
    assert_eq!(scene.validate(), Ok(()));
    prepare(scene, settings, time_s).expect("the scene is sound")
}

fn whole(scene: &RenderScene) -> Work {
    let chunks = scene.settings().chunk_count().next_power_of_two();
    let batch = Batch::new(0, chunks).expect("aligned");
    Work { rect: Rect::of_size(scene.settings().size), batch }
}

fn filmed(mut backend: CpuBackend, scene: &RenderScene) -> Film {
    backend.render(scene, whole(scene), &Cancel::default()).expect("renders")
}

fn film(scene: &RenderScene) -> Film {
    filmed(CpuBackend::new(None), scene)
}

/// Shares of covered samples, pixel by pixel.
fn coverage(scene: &RenderScene) -> Vec<f64> {
    let share = |pixel: &film::Pixel| f64::from(pixel.alpha) / f64::from(pixel.samples);
    film(scene).pixels().iter().map(share).collect()
}

/// A square of side 2 in the plane z = 0, its lower left at (-2, -1), that is at (0, -1) a second
/// later: what moves it is the test's.
fn square() -> Primitive {
    quad([-2.0, -1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], 0)
}

fn by_node() -> Scene {
    let mut scene = scene_of(vec![square()], vec![material([0.5; 3], 0.0, 1.0)]);
    scene.channels = vec![moving(0, Property::Translation, &[&[0.0; 3], &[2.0, 0.0, 0.0]])];
    scene
}

fn by_morph() -> Scene {
    let mut shape = square();
    shape.targets =
        vec![MorphTarget { positions: vec![[4.0, 0.0, 0.0]; 4], ..MorphTarget::default() }];
    let mut scene = scene_of(vec![shape], vec![material([0.5; 3], 0.0, 1.0)]);
    scene.channels = vec![moving(0, Property::Weights, &[&[0.0], &[0.5]])];
    scene
}

fn by_bone() -> Scene {
    let mut skinned = square();
    skinned.joints[0] = vec![[0; 4]; 4];
    skinned.joint_weights[0] = vec![[1.0, 0.0, 0.0, 0.0]; 4];
    let mut scene = scene_of(vec![skinned], vec![material([0.5; 3], 0.0, 1.0)]);
    scene.nodes[0].skin = Some(0);
    scene.nodes.push(Node::default());
    scene.skins = vec![Skin { name: String::new(), joints: vec![1], inverse_binds: vec![COLUMNS] }];
    scene.channels = vec![moving(1, Property::Translation, &[&[0.0; 3], &[2.0, 0.0, 0.0]])];
    scene
}

/// A node flattened at one key is placed vertex by vertex.
fn by_flattened_node() -> Scene {
    let mut scene = by_node();
    scene.channels.push(moving(0, Property::Scale, &[&[1.0; 3], &[1.0, 1.0, 0.0]]));
    scene
}

/// A square that moves by its own width is over a place for a share of the time that rises and
/// falls with the place in straight lines.
#[test]
fn what_moves_by_its_own_width_covers_a_ramp() {
    for (name, mut scene, moves_vertices) in [
        ("node", by_node(), false),
        ("morph target", by_morph(), true),
        ("bone", by_bone(), true),
        ("flattened node", by_flattened_node(), true),
    ] {
        add_flat_camera(&mut scene, 1.0);
        let prepared = prepared_at(&scene, &flat(Size::new(24, 4), 1024, 1.0), 0.0);
        let flags = prepared.triangles().iter().map(|triangle| triangle.flags & TRIANGLE_MOVES);
        assert_eq!(flags.sum::<u32>() > 0, moves_vertices, "{name}");
        let columns = coverage(&prepared);
        for x in 0..24 {
            // The middle of the column, metres: 24 columns of half a metre.
            let place = (f64::from(x) + 0.5) * 0.5 - 6.0;
            let wanted = ((place + 2.0) / 2.0).min((2.0 - place) / 2.0).max(0.0);
            let found = (0..4).map(|row| columns[(row * 24 + x) as usize]).sum::<f64>() / 4.0;
            // Stratified, so better than the binomial deviation of 4096 samples.
            let room = 5.0 * (wanted * (1.0 - wanted) / 4096.0).sqrt() + 1e-9;
            assert!((found - wanted).abs() <= room, "{name} {x}: {found}, wanted {wanted}");
        }
    }
}

#[test]
fn frames_lie_where_they_were_put_in_the_shutter() {
    let mut scene = by_node();
    // From 1 s on, at constant speed before and after.
    scene.channels =
        vec![moving(0, Property::Translation, &[&[-2.0, 0.0, 0.0], &[0.0; 3], &[2.0, 0.0, 0.0]])];
    add_flat_camera(&mut scene, 1.0);
    for (position, middle) in [
        (ShutterPosition::Start, -0.5),
        (ShutterPosition::Center, -1.0),
        (ShutterPosition::End, -1.5),
    ] {
        let shutter = Some(Shutter { open_s: 0.5, position });
        let settings = RenderSettings { shutter, ..flat(Size::new(24, 4), 256, 0.0) };
        let columns = coverage(&prepared_at(&scene, &settings, 1.0));
        let (mut mean, mut sum) = (0.0, 0.0);
        for (index, share) in columns.iter().enumerate() {
            mean += ((index % 24) as f64 * 0.5 - 5.75) * share;
            sum += share;
        }
        mean /= sum;
        assert!((mean - middle).abs() < 0.01, "{position:?}: {mean}, wanted {middle}");
    }
}

/// Everything moves past the camera, or the camera past everything: the same numbers are drawn, so
/// films differ by roundings alone.
#[test]
fn a_moving_camera_is_a_moving_world() {
    let balls = vec![sphere(12, 0), quad([-3.0, -1.0, 3.0], [6.0, 0.0, 0.0], [0.0, 0.0, -6.0], 1)];
    let materials = vec![material([0.8, 0.5, 0.3], 0.0, 1.0), material([0.4; 3], 0.0, 0.5)];
    let mut still = scene_of(balls, materials);
    still.cameras.push(Camera::default());
    still.nodes.push(Node { camera: Some(0), ..node(shift([0.0, 0.5, 4.0])) });
    let mut world = still.clone();
    world.channels = vec![moving(0, Property::Translation, &[&[0.0; 3], &[0.75, -0.5, 0.25]])];
    let mut camera = still.clone();
    let way: [&[f32]; 2] = [&[0.0, 0.5, 4.0], &[-0.75, 1.0, 3.75]];
    camera.channels = vec![moving(1, Property::Translation, &way)];
    let settings = RenderSettings {
        size: Size::new(32, 24),
        samples: 64,
        bounces: 3,
        lighting: Lighting { sun: None, sky: Some([1.0; 3]) },
        shutter: open(1.0),
        ..RenderSettings::default()
    };
    let [still, world, camera] =
        [still, world, camera].map(|scene| film(&prepared_at(&scene, &settings, 0.0)));
    let apart = |a: &Film, b: &Film| {
        let pairs = a.pixels().iter().zip(b.pixels());
        let sums = pairs.map(|(a, b)| {
            let values = |p: &film::Pixel| {
                [p.beauty[0], p.beauty[1], p.alpha, p.normal[0], p.normal[2], p.depth]
            };
            let apart = values(a).into_iter().zip(values(b)).map(|(a, b)| (a - b).abs());
            f64::from(apart.sum::<f32>()) / 64.0
        });
        sums.sum::<f64>() / a.pixels().len() as f64
    };
    let (same, other) = (apart(&world, &camera), apart(&world, &still));
    assert!(same < 0.002, "{same}");
    assert!(other > 50.0 * same, "{other} without motion, {same} with");
}

/// A wedge turned by a quarter keeps its area: in a straight line from one end to the other it would
/// lose a third of it.
#[test]
fn what_turns_has_keys_enough_to_stay_as_large() {
    let wedge = Primitive {
        positions: vec![[0.0; 3], [2.0, 0.0, 0.0], [2.0, 0.5, 0.0]],
        indices: vec![[0, 1, 2]],
        material: Some(0),
        ..Primitive::default()
    };
    let mut scene = scene_of(vec![wedge], vec![material([0.5; 3], 0.0, 1.0)]);
    let half = std::f32::consts::FRAC_1_SQRT_2;
    scene.channels = vec![moving(0, Property::Rotation, &[&IDENTITY, &[0.0, 0.0, half, half]])];
    add_flat_camera(&mut scene, 2.5);
    let prepared = prepared_at(&scene, &flat(Size::new(40, 40), 256, 1.0), 0.0);
    assert_eq!(prepared.header().motion_keys, 9, "steps of less than a quarter");
    let cells = coverage(&prepared);
    let area = cells.iter().sum::<f64>() * (5.0 / 40.0_f64).powi(2);
    // Steps of 11° lose 0.6 % of it.
    assert!((area - 0.5).abs() < 0.008, "{area}, wanted 0.5");
    // Halfway, at 45° and 1.9 m from the middle, where chords of a quarter would not come.
    let place = |metres: f32| ((metres + 2.5) * 8.0) as usize;
    let far = 1.9 * half;
    let cell = cells[(39 - place(far)) * 40 + place(far)];
    // The wedge has 14° there, of 90°.
    assert!((cell - 0.155).abs() < 0.05, "{cell}");
}

/// A bone that pulls all of a mesh, and a node that carries it, are one motion: places, normals and
/// light agree, though one moves vertices and the other a matrix.
#[test]
fn bones_and_nodes_move_alike() {
    let turn: [&[f32]; 2] = [&IDENTITY, &[0.0, 0.6, 0.0, 0.8]];
    let way: [&[f32]; 2] = [&[0.0; 3], &[0.5, 0.25, -0.25]];
    let mut body = sphere(8, 0);
    body.positions.iter_mut().for_each(|at| at[0] *= 1.5);
    let material = Material { roughness: 0.6, ..material([0.9, 0.6, 0.4], 1.0, 1.0) };
    let mut carried = scene_of(vec![body.clone()], vec![material.clone()]);
    carried.channels =
        vec![moving(0, Property::Rotation, &turn), moving(0, Property::Translation, &way)];
    body.joints[0] = vec![[0; 4]; body.positions.len()];
    body.joint_weights[0] = vec![[1.0, 0.0, 0.0, 0.0]; body.positions.len()];
    let mut pulled = scene_of(vec![body], vec![material]);
    pulled.nodes[0].skin = Some(0);
    pulled.nodes.push(Node::default());
    pulled.skins =
        vec![Skin { name: String::new(), joints: vec![1], inverse_binds: vec![COLUMNS] }];
    pulled.channels =
        vec![moving(1, Property::Rotation, &turn), moving(1, Property::Translation, &way)];
    let settings = RenderSettings {
        size: Size::new(32, 24),
        samples: 32,
        bounces: 2,
        camera: CameraChoice::LookAt { eye: [0.5, 1.0, 5.0], target: [0.0; 3], vfov_degrees: 40.0 },
        lighting: Lighting { sun: None, sky: Some([1.0, 0.5, 0.25]) },
        shutter: open(1.0),
        ..RenderSettings::default()
    };
    let [carried, pulled] = [carried, pulled].map(|scene| prepared_at(&scene, &settings, 0.0));
    let moved = |scene: &RenderScene| {
        scene.triangles().iter().any(|triangle| triangle.flags & TRIANGLE_MOVES != 0)
    };
    assert!(!moved(&carried) && moved(&pulled));
    let (carried, pulled) = (film(&carried), film(&pulled));
    let mut apart = [0.0_f64; 4];
    for (a, b) in carried.pixels().iter().zip(pulled.pixels()) {
        let values = |p: &film::Pixel| [p.alpha, p.normal[0], p.depth, p.beauty[0]];
        for ((sum, a), b) in apart.iter_mut().zip(values(a)).zip(values(b)) {
            *sum += f64::from((a - b).abs()) / 32.0;
        }
    }
    let mean = apart.map(|sum| sum / carried.pixels().len() as f64);
    assert!(mean[0] < 2e-4 && mean[1] < 2e-3 && mean[2] < 2e-3 && mean[3] < 4e-3, "{mean:?}");
}

#[test]
fn a_shutter_changes_nothing_where_nothing_moves() {
    let still = RenderSettings { size: Size::new(24, 16), samples: 16, ..Default::default() };
    let blurred = RenderSettings { shutter: open(0.25), ..still.clone() };
    let shut = RenderSettings { shutter: open(0.0), ..still.clone() };
    let moving = scene::golden_in_motion();
    // Without channels; after the last key; between keys, with a shutter that stays shut.
    for (scene, time_s) in [(&scene::golden(), 0.5), (&moving, 2.0)] {
        let digest = |settings| prepared_at(scene, settings, time_s).digest();
        assert_eq!(digest(&blurred), digest(&still));
    }
    let digest = |settings| prepared_at(&moving, settings, 0.5).digest();
    assert_eq!(digest(&shut), digest(&still));
    assert_ne!(digest(&blurred), digest(&still));
}

/// A lamp that moves and turns sends what it sends on the average of its way: whatever of it is
/// drawn, at its time and with its density then, or met by chance.
#[test]
fn moving_lamps_shine_as_much_as_their_frames() {
    let floor = quad([-1.0, 0.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, -2.0], 0);
    let glow = Material { emissive: [5.0; 3], double_sided: true, ..material([0.0; 3], 0.0, 1.0) };
    let panel = quad([-0.5, 0.0, -0.5], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], 1);
    let mut carried = scene_of(vec![floor], vec![material([0.5; 3], 0.0, 1.0), glow]);
    carried.meshes.push(Mesh { primitives: vec![panel], ..Mesh::default() });
    carried.nodes.push(Node { mesh: Some(1), ..node(shift([-1.0, 1.0, 0.0])) });
    let way: [&[f32]; 2] = [&[-1.0, 1.0, 0.0], &[1.5, 2.0, 0.5]];
    let turn: [&[f32]; 2] = [&IDENTITY, &[0.6, 0.0, 0.0, 0.8]];
    carried.channels =
        vec![moving(1, Property::Translation, &way), moving(1, Property::Rotation, &turn)];
    // The same, but each vertex for itself: squeezed to nothing across the panel.
    let mut squeezed = carried.clone();
    squeezed.channels.push(moving(1, Property::Scale, &[&[1.0; 3], &[1.0, 0.0, 1.0]]));
    for (name, scene) in [("carried", carried), ("vertex by vertex", squeezed)] {
        let settings = RenderSettings {
            bounces: 2,
            shutter: open(1.0),
            ..looking([0.0, 5.0, 0.0], [0.0, 0.0, 0.001], 8, 4096)
        };
        let prepared = prepared_at(&scene, &settings, 0.0);
        let lamps = prepared.emitters().iter().filter(|lamp| lamp.kind == EMITTER_MOVING);
        assert_eq!(lamps.count(), 2, "{name}");
        let blurred = mean_green(&scene, &settings);
        let frames = 64;
        let mut sum = 0.0;
        for frame in 0..frames {
            let still = RenderSettings { samples: 256, shutter: None, ..settings.clone() };
            let time_s = (frame as f32 + 0.5) / frames as f32;
            let film = film(&prepared_at(&scene, &still, time_s));
            let beauty = |p: &film::Pixel| f64::from(p.beauty[1]) / f64::from(p.samples);
            sum += film.pixels().iter().map(beauty).sum::<f64>() / film.pixels().len() as f64;
        }
        // Sixteen steps of a turn are a little off, by less than 1 %.
        assert_mean(name, blurred, sum / f64::from(frames), 0.01);
    }
}

/// The golden scene in motion, small.
fn busy(samples: u32) -> RenderScene {
    let settings = RenderSettings {
        size: Size::new(40, 24),
        samples,
        shutter: open(0.9),
        ..Default::default()
    };
    prepared_at(&scene::golden_in_motion(), &settings, 0.05)
}

#[test]
fn a_busy_frame_has_everything_that_moves() {
    let scene = busy(16);
    let any = |flag: u32| scene.triangles().iter().any(|triangle| triangle.flags & flag == flag);
    let alpha = renderer::tables::TRIANGLE_ALPHA;
    assert!(any(TRIANGLE_MOVES) && any(alpha) && any(alpha | TRIANGLE_MOVES));
    assert!(scene.emitters().iter().any(|lamp| lamp.kind == EMITTER_MOVING));
    assert_ne!(scene.header().camera_keys_at, NONE);
    assert_eq!(scene.header().motion_keys, 9);
}

#[test]
fn blurred_films_are_equal_however_they_are_made() {
    let scene = busy(64);
    let best = film(&scene);
    for path in Path::all() {
        let film = filmed(CpuBackend::with_path(None, path), &scene);
        assert_eq!(film.root(), best.root(), "{}", path.name());
    }
    let one = std::num::NonZeroUsize::new(1);
    assert_eq!(filmed(CpuBackend::new(one), &scene).root(), best.root(), "one thread");
    let part = |first, count| {
        let work = Work { batch: Batch::new(first, count).expect("aligned"), ..whole(&scene) };
        CpuBackend::new(None).render(&scene, work, &Cancel::default()).expect("renders")
    };
    let (low, high) = (part(0, 2), part(2, 2));
    assert_eq!(low.merge(&high).expect("siblings").root(), best.root(), "halves");
    let places = [(3, 5), (20, 12), (39, 23)];
    let batch = whole(&scene).batch;
    let alone = CpuBackend::new(None).render_pixels(&scene, &places, batch, &Cancel::default());
    for (&(x, y), pixel) in places.iter().zip(alone.expect("renders").pixels()) {
        assert_eq!(best.pixel(x, y).map(film::Pixel::bits), Some(pixel.bits()), "{x} {y}");
    }
    for count in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().expect("a pool");
        assert_eq!(pool.install(|| busy(64).digest()), scene.digest(), "{count} threads");
    }
}

/// First hits trace the film's rays, at the film's times.
#[test]
fn blurred_first_hits_are_the_films() {
    let scene = busy(32);
    let film = film(&scene);
    let rect = Rect::of_size(scene.settings().size);
    let first = first_hits(&scene, rect, |_, _| 32, &Cancel::default()).expect("nobody stops it");
    for (pixel, first) in film.pixels().iter().zip(&first) {
        assert_eq!(pixel.alpha.to_bits(), (first.met as f32).to_bits());
    }
    let named = |name: &str| {
        let at = scene::golden_in_motion().nodes.iter().position(|node| node.name == name);
        at.expect("there is one") as u32
    };
    for name in ["metal sphere", "film", "leaf", "body", "second sphere"] {
        let seen = first.iter().flat_map(|first| &first.nodes).filter(|node| node.0 == named(name));
        assert!(seen.map(|node| node.1).sum::<u32>() > 20, "{name} is seen");
    }
}

/// Spheres and cards that turn, slide and stretch, some of them shared, and a bent one.
fn crowd() -> Scene {
    let mut scene = scene_of(
        vec![quad([-9.0, 0.0, 9.0], [18.0, 0.0, 0.0], [0.0, 0.0, -18.0], 0)],
        vec![material([0.5; 3], 0.0, 1.0)],
    );
    scene.meshes.push(Mesh { primitives: vec![sphere(6, 0)], ..Mesh::default() });
    scene.meshes.push(Mesh { primitives: vec![square()], ..Mesh::default() });
    let mut bent = sphere(6, 0);
    bent.targets = vec![MorphTarget {
        positions: bent.positions.iter().map(|[x, y, z]| [y * 2.0, *z, x * 0.5]).collect(),
        ..MorphTarget::default()
    }];
    scene.meshes.push(Mesh { primitives: vec![bent], ..Mesh::default() });
    let unit = |i: u32| to_unit(hash(i));
    for i in 0..40 {
        let at = |k: u32| unit(i * 32 + k);
        let place = |k: u32| [at(k) * 10.0 - 5.0, at(k + 1) * 3.0, at(k + 2) * 10.0 - 5.0];
        let turned = |k: u32| {
            let raw = [at(k) - 0.5, at(k + 1) - 0.5, at(k + 2) - 0.5, 0.4];
            let length = raw.iter().map(|v| v * v).sum::<f32>().sqrt();
            raw.map(|value| value / length)
        };
        let mirror = if i % 5 == 0 { -0.6 } else { 0.4 };
        let scale = [0.2 + at(6), mirror, 0.3 + at(7)];
        let number = scene.nodes.len() as u32;
        let transform = Transform::Trs { translation: place(0), rotation: turned(3), scale };
        let mesh = if i % 13 == 12 { 3 } else { 1 + i % 2 };
        scene.nodes.push(Node { mesh: Some(mesh), ..node(transform) });
        if i % 3 > 0 {
            let way: [&[f32]; 2] = [&place(0), &place(8)];
            let turn: [&[f32]; 2] = [&turned(3), &turned(11)];
            scene.channels.push(moving(number, Property::Translation, &way));
            scene.channels.push(moving(number, Property::Rotation, &turn));
        }
        if i % 7 == 1 {
            let grown = scale.map(|value| value * 1.75);
            scene.channels.push(moving(number, Property::Scale, &[&scale, &grown]));
        }
        if i % 7 == 2 {
            // Through its mirror.
            let turned_over = [scale[0], -scale[1], scale[2]];
            scene.channels.push(moving(number, Property::Scale, &[&scale, &turned_over]));
        }
        if mesh == 3 {
            scene.channels.push(moving(number, Property::Weights, &[&[0.0], &[0.75]]));
        }
    }
    scene
}

/// The hit without a tree: every triangle of every instance is tried.
fn by_trying_all(
    scene: &RenderScene,
    instances: &[renderer::tables::Instance],
    cast: &Cast,
) -> Hit {
    let mut best = Hit::miss(cast.query.t_max);
    for (number, instance) in instances.iter().enumerate() {
        let placed = instance_at(scene, instance, cast.query.time);
        let probe = if placed.flags & INSTANCE_IDENTITY != 0 {
            probe_of(&cast.ray)
        } else {
            probe_of(&renderer::ray::transform_ray(&placed.world_to_object, &cast.ray))
        };
        let first = scene.nodes()[placed.root_node as usize].first_primitive;
        let after = instances
            .iter()
            .map(|other| scene.nodes()[other.root_node as usize].first_primitive)
            .filter(|&other| other > first)
            .min();
        for triangle in first..after.unwrap_or(scene.triangles().len() as u32) {
            let record = &scene.triangles()[triangle as usize];
            let (a, b, c) = corners_at::<true>(scene, record, cast.query.time);
            let Some((t, u, v)) = intersect_triangle(&probe, a, b, c) else { continue };
            let number = number as u32;
            if renderer::trace::is_before(scene, t, number, triangle, &best) {
                best = Hit { t, u, v, instance: number, triangle };
            }
        }
    }
    best
}

/// Trees skip nothing that a ray meets at its time, the first and the last moment included.
#[test]
fn hits_at_any_time_are_those_without_a_tree() {
    let settings =
        RenderSettings { size: Size::new(8, 8), shutter: open(1.0), ..RenderSettings::default() };
    let scene = prepared_at(&crowd(), &settings, 0.0);
    let words = scene.words();
    let size = renderer::render_scene::words_of::<renderer::tables::Instance>() as usize;
    let instances: &[renderer::tables::Instance] =
        bytemuck::cast_slice(&words[..scene.instance_count() * size]);
    let moving = instances.iter().filter(|instance| instance.flags & INSTANCE_MOVES != 0).count();
    assert!(moving > 15, "{moving}");
    assert!(scene.triangles().iter().any(|triangle| triangle.flags & TRIANGLE_MOVES != 0));
    let cast = |i: u32| {
        let at = |k: u32| to_unit(hash(i * 8 + k + 77_777));
        let origin = renderer::math::vec3(at(0) * 20.0 - 10.0, at(1) * 6.0, at(2) * 20.0 - 10.0);
        let target = renderer::math::vec3(at(3) * 8.0 - 4.0, at(4) * 3.0, at(5) * 8.0 - 4.0);
        let time = match i % 16 {
            0 => 0.0,
            1 => 0.999_999_94,
            2 => 0.5,
            _ => at(6),
        };
        let ray = Ray { origin, direction: target - origin };
        Cast { ray, query: Query { t_max: 1e30, key: i, camera: false, time } }
    };
    let casts: Vec<Cast> = (0..4000).map(cast).collect();
    let traced = |path| {
        let mut hits = vec![Hit::miss(0.0); casts.len()];
        Tracer::new(&scene, path).closest(&casts, &mut hits);
        hits
    };
    let (portable, best) = (traced(Path::Portable), traced(Path::best()));
    let bits =
        |hit: &Hit| (hit.t.to_bits(), hit.u.to_bits(), hit.v.to_bits(), hit.instance, hit.triangle);
    let mut met = 0;
    for ((a, b), cast) in portable.iter().zip(&best).zip(&casts) {
        let wanted = by_trying_all(&scene, instances, cast);
        assert_eq!(bits(a), bits(&wanted), "portable: {cast:?}");
        assert_eq!(bits(b), bits(&wanted), "the best: {cast:?}");
        met += u32::from(wanted.is_hit() && wanted.instance != 0);
    }
    assert!(met > 800, "{met}");
    // Shadow rays stop at the first: there is one where there is a nearest.
    let mut any = vec![Hit::miss(0.0); casts.len()];
    Tracer::new(&scene, Path::best()).any(&casts, &mut any);
    for (any, nearest) in any.iter().zip(&best) {
        assert_eq!(any.is_hit(), nearest.is_hit());
    }
}
