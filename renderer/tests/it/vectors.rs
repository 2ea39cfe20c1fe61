//! Motion vectors against values by hand.

use protocol::{CameraChoice, PixelFilter, Rect, RenderSettings, Shutter, ShutterPosition, Size};
use renderer::{Cancel, FirstHits, Moves, PrepareError, moving_first_hits, prepare};
use scene::{
    AreaLight, AreaShape, Camera, Mesh, MorphTarget, Node, Primitive, Projection, Property, Scene,
    Skin, Transform,
};

use crate::make::{material, moving, node, quad, scene_of};

const COLUMNS: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]];
const SIDE: u32 = 64;

/// 64 pixels a side, 32 pixels from the middle to an edge that is seen at 45°: what is 4 m away and
/// moves by 1 m moves by 8 pixels.
fn settings() -> RenderSettings {
    RenderSettings {
        size: Size::new(SIDE, SIDE),
        samples: 64,
        filter: PixelFilter::Box,
        camera: CameraChoice::LookAt { eye: [0.0, 0.0, 4.0], target: [0.0; 3], vfov_degrees: 90.0 },
        ..RenderSettings::default()
    }
}

/// The first hits of the frame at one second, its neighbours a second away.
fn hits(scene: &Scene, settings: &RenderSettings) -> Vec<FirstHits> {
    assert_eq!(scene.validate(), Ok(()));
    let prepared = prepare(scene, settings, 1.0).expect("the scene is sound");
    let moves = Moves::of(scene, &prepared, 1.0, 1.0).expect("so it is a second later");
    let rect = Rect::of_size(settings.size);
    moving_first_hits(&prepared, &moves, rect, |_, _| 64, &Cancel::default()).expect("no stop")
}

fn check(what: &str, hits: &[FirstHits], (x, y): (u32, u32), is_met: bool, wanted: [f64; 4]) {
    let hit = &hits[(y * SIDE + x) as usize];
    assert_eq!(hit.met > 0, is_met, "{what}: {hit:?}");
    let off = hit.motion.iter().zip(wanted).map(|(got, wanted)| (f64::from(*got) - wanted).abs());
    // A mean over 64 places of a pixel is half a hundredth of a pixel off its middle.
    assert!(off.fold(0.0, f64::max) < 0.03, "{what}: {:?}, wanted {wanted:?}", hit.motion);
}

fn square() -> Primitive {
    quad([-1.0, -1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], 0)
}

fn square_scene(square: Primitive) -> Scene {
    scene_of(vec![square], vec![material([0.5; 3], 0.0, 1.0)])
}

/// One metre to the right and half a metre up in the first second, two to the right in the second.
const WAY: [[f32; 3]; 3] = [[0.0; 3], [1.0, 0.5, 0.0], [3.0, 0.5, 0.0]];

fn along(node: u32, way: &[[f32; 3]]) -> scene::Channel {
    let keys: Vec<&[f32]> = way.iter().map(<[f32; 3]>::as_slice).collect();
    moving(node, Property::Translation, &keys)
}

fn by_node() -> Scene {
    let mut scene = square_scene(square());
    scene.channels = vec![along(0, &WAY)];
    scene
}

fn by_parent_and_instance() -> Scene {
    let mut scene = square_scene(square());
    scene.nodes.insert(0, Node::default());
    scene.nodes[1].parent = Some(0);
    // A second showing makes instances of both; a mirror must not mix up the corners.
    let away = Transform::Trs {
        translation: [-50.0, 0.0, 0.0],
        rotation: [0.0, 0.0, 0.0, 1.0],
        scale: [-1.0, 1.0, 1.0],
    };
    scene.nodes.push(Node { mesh: Some(0), ..node(away) });
    scene.channels = vec![along(0, &WAY)];
    scene
}

fn by_morph() -> Scene {
    let mut shape = square();
    let target =
        |change: [f32; 3]| MorphTarget { positions: vec![change; 4], ..MorphTarget::default() };
    shape.targets = vec![target([1.0, 0.0, 0.0]), target([0.0, 1.0, 0.0])];
    let mut scene = square_scene(shape);
    let weights: Vec<[f32; 2]> = WAY.iter().map(|&[x, y, _]| [x, y]).collect();
    let weights: Vec<&[f32]> = weights.iter().map(<[f32; 2]>::as_slice).collect();
    scene.channels = vec![moving(0, Property::Weights, &weights)];
    scene
}

fn by_bone() -> Scene {
    let mut skinned = square();
    skinned.joints[0] = vec![[0; 4]; 4];
    skinned.joint_weights[0] = vec![[1.0, 0.0, 0.0, 0.0]; 4];
    let mut scene = square_scene(skinned);
    scene.nodes[0].skin = Some(0);
    scene.nodes.push(Node::default());
    scene.skins = vec![Skin { name: String::new(), joints: vec![1], inverse_binds: vec![COLUMNS] }];
    scene.channels = vec![along(1, &WAY)];
    scene
}

fn by_lamp() -> Scene {
    let mut scene = Scene { nodes: vec![Node::default()], ..Scene::default() };
    scene.area_lights.push(AreaLight {
        name: "lamp".to_owned(),
        node: 0,
        shape: AreaShape::Rectangle,
        size: [2.0, 2.0],
        radiance: [1.0; 3],
        two_sided: true,
    });
    scene.channels = vec![along(0, &WAY)];
    scene
}

#[test]
fn a_square_has_the_same_vectors_whatever_moves_it() {
    // It stands at (1, 0.5), pixel (40, 28), and came by 8 pixels from the left and 4 from below; it
    // goes on by 16 to the right: where it was less where it is, where it is less where it will be.
    let wanted = [-8.0, -4.0, -16.0, 0.0];
    for (name, scene) in [
        ("a node", by_node()),
        ("a parent", by_parent_and_instance()),
        ("a morph target", by_morph()),
        ("a bone", by_bone()),
        ("a lamp", by_lamp()),
    ] {
        let still = hits(&scene, &settings());
        check(name, &still, (40, 28), true, wanted);
        check(name, &still, (34, 33), true, wanted);
        check(name, &still, (5, 60), false, [0.0; 4]);
        // An edge has the square's motion, not that of a mean with what stands still.
        let mut open = settings();
        open.shutter = Some(Shutter { open_s: 0.2, position: ShutterPosition::Center });
        let blurred = hits(&scene, &open);
        check(name, &blurred, (40, 28), true, wanted);
        check(name, &blurred, (31, 28), true, wanted);
    }
}

#[test]
fn what_comes_nearer_moves_away_from_the_middle() {
    let mut scene = square_scene(quad([-3.0, -3.0, 0.0], [6.0, 0.0, 0.0], [0.0, 6.0, 0.0], 0));
    scene.channels = vec![along(0, &[[0.0, 0.0, -4.0], [0.0; 3], [0.0, 0.0, 2.0]])];
    // The middle of pixel (40, 28) is 8.5 pixels right of the picture's and 3.5 above: at 8 m it was
    // half of that, at 2 m it will be twice.
    check("nearer", &hits(&scene, &settings()), (40, 28), true, [-4.25, -1.75, -8.5, -3.5]);
    // What was behind the camera has no place to come from.
    scene.channels = vec![along(0, &[[0.0, 0.0, 9.0], [0.0; 3], [0.0, 0.0, 2.0]])];
    check("from behind", &hits(&scene, &settings()), (40, 28), true, [0.0, 0.0, -8.5, -3.5]);
}

/// A camera 4 m before the origin, by its node, with a way or a turn for it.
fn with_camera(mut scene: Scene, projection: Projection) -> (Scene, RenderSettings, u32) {
    scene.cameras.push(Camera { projection, ..Camera::default() });
    let place = Transform::Trs {
        translation: [0.0, 0.0, 4.0],
        rotation: [0.0, 0.0, 0.0, 1.0],
        scale: [1.0; 3],
    };
    scene.nodes.push(Node { camera: Some(0), ..node(place) });
    let camera = scene.nodes.len() as u32 - 1;
    (scene, RenderSettings { camera: CameraChoice::Default, ..settings() }, camera)
}

const RIGHT_ANGLE: Projection = Projection::Perspective { vfov: std::f32::consts::FRAC_PI_2 };

/// Turns to the left, radians.
fn turns(node: u32, angles: [f32; 3]) -> scene::Channel {
    let keys = angles.map(|angle| [0.0, (angle * 0.5).sin(), 0.0, (angle * 0.5).cos()]);
    let keys = keys.each_ref().map(<[f32; 4]>::as_slice);
    moving(node, Property::Rotation, &keys)
}

#[test]
fn a_camera_that_moves_moves_everything_but_what_is_far_away() {
    let (mut scene, settings, camera) = with_camera(square_scene(square()), RIGHT_ANGLE);
    scene.channels = vec![along(camera, &[[-1.0, 0.0, 4.0], [0.0, 0.0, 4.0], [0.5, 0.25, 4.0]])];
    let seen = hits(&scene, &settings);
    check("the square", &seen, (36, 30), true, [8.0, 0.0, 4.0, 2.0]);
    check("the sky", &seen, (5, 60), false, [0.0; 4]);

    let flat = Projection::Orthographic { half_height: 2.0 };
    let (mut scene, settings, camera) = with_camera(square_scene(square()), flat);
    scene.channels = vec![along(camera, &[[-1.0, 0.0, 4.0], [0.0, 0.0, 4.0], [0.5, 0.25, 4.0]])];
    let seen = hits(&scene, &settings);
    check("without perspective", &seen, (36, 30), true, [16.0, 0.0, 8.0, 4.0]);
    check("the sky without perspective", &seen, (2, 60), false, [0.0; 4]);
}

#[test]
fn a_camera_that_turns_moves_the_sky() {
    let empty = || scene_of(Vec::new(), Vec::new());
    let (mut scene, settings, camera) = with_camera(empty(), RIGHT_ANGLE);
    scene.channels = vec![turns(camera, [0.1, 0.0, -0.2])];
    let angle = (0.5_f64 / 32.0).atan();
    let at = |turn: f64| (angle + turn).tan() * 32.0;
    let wanted = [at(0.1) - at(0.0), 0.0, at(0.0) - at(-0.2), 0.0];
    let seen = hits(&scene, &settings);
    assert!(seen.iter().all(|hit| hit.met == 0));
    // Half a pixel below the middle line, which a turn moves by a few hundredths.
    check("a turn", &seen, (32, 32), false, wanted);

    // All around: a turn is a shift, over the seam as well, and no pole is in its way.
    let (mut scene, settings, camera) = with_camera(empty(), RIGHT_ANGLE);
    let settings = RenderSettings { panorama: true, ..settings };
    scene.channels = vec![turns(camera, [2.5, 0.0, -1.0])];
    let pixels = |angle: f64| angle / std::f64::consts::TAU * f64::from(SIDE);
    let wanted = [pixels(2.5), 0.0, pixels(1.0), 0.0];
    let seen = hits(&scene, &settings);
    for place in [(32, 32), (60, 20), (1, 50), (20, 0)] {
        check("all around", &seen, place, false, wanted);
    }
}

#[test]
fn what_stands_still_has_no_vector_at_all() {
    let golden = scene::golden();
    let settings = RenderSettings { size: Size::new(SIDE, SIDE), ..RenderSettings::default() };
    let seen = hits(&golden, &settings);
    assert!(seen.iter().any(|hit| hit.met > 0));
    assert!(seen.iter().all(|hit| hit.motion.iter().all(|&value| value.abs() <= 0.0)));
    let prepared = prepare(&golden, &settings, 1.0).expect("prepares");
    for step in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let refused = Moves::of(&golden, &prepared, 1.0, step);
        assert!(matches!(refused.err(), Some(PrepareError::Time(_))), "{step}");
    }
}

/// The mesh of a second node is the first's, and a mesh of several parts knows which is which.
#[test]
fn parts_and_nodes_are_not_mixed_up() {
    let left = quad([-3.0, -1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], 0);
    let nothing = Primitive { material: Some(0), ..Primitive::default() };
    let far = quad([-90.0, -90.0, -90.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], 0);
    let mut scene = scene_of(vec![nothing, far, left], vec![material([0.5; 3], 0.0, 1.0)]);
    let right = quad([1.0, -1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], 0);
    scene.meshes.push(Mesh { primitives: vec![right], ..Mesh::default() });
    scene.nodes.push(Node { mesh: Some(1), ..Node::default() });
    scene.channels = vec![
        along(0, &[[-1.0, 0.0, 0.0], [0.0; 3], [0.0; 3]]),
        along(1, &[[0.0; 3], [0.0; 3], [0.0, 1.0, 0.0]]),
    ];
    let seen = hits(&scene, &settings());
    check("the left part", &seen, (16, 32), true, [-8.0, 0.0, 0.0, 0.0]);
    check("the right node", &seen, (48, 32), true, [0.0, 0.0, 0.0, -8.0]);
}
