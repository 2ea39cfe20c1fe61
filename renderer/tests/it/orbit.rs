//! A pose shows what the camera that it was taken from shows.

use protocol::{CameraChoice, RenderSettings, Size};
use renderer::tables::Header;
use renderer::{Pose, PrepareError, pose, scene_bounds};
use scene::{AreaLight, AreaShape, Camera, Node, Projection, Scene, Transform};

use crate::make::{material, moving, node, prepared, scene_of, sphere};

fn settings(camera: CameraChoice) -> RenderSettings {
    RenderSettings { size: Size::new(160, 90), camera, ..Default::default() }
}

fn assert_near(what: &str, a: [f32; 3], b: [f32; 3]) {
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let size = a.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
    assert!(apart <= 2e-5 * size, "{what}: {a:?}, wanted {b:?}");
}

/// Asserts that the pose of a camera shows what the camera shows.
fn check(scene: &Scene, camera: CameraChoice) -> Pose {
    let settings = settings(camera);
    let pose = pose(scene, &settings, 0.0).expect("sound");
    let posed = RenderSettings { camera: pose.camera(), ..settings.clone() };
    let (posed, own) = (prepared(scene, &posed), prepared(scene, &settings));
    let (posed, own): (&Header, &Header) = (posed.header(), own.header());
    assert_near("eye", posed.camera_origin, own.camera_origin);
    assert_near("forward", posed.camera_forward, own.camera_forward);
    assert_near("up", posed.camera_up, own.camera_up);
    assert!((posed.camera_half_height / own.camera_half_height - 1.0).abs() < 1e-5);
    pose
}

/// A ball of 1 m around the origin, and a camera of the given kind at a node.
fn seen_by(projection: Projection, transform: Transform) -> Scene {
    let mut scene = scene_of(vec![sphere(8, 0)], vec![material([0.5; 3], 0.0, 1.0)]);
    scene.cameras.push(Camera { name: "eye".to_owned(), projection, ..Camera::default() });
    scene.nodes.push(Node { camera: Some(0), ..node(transform) });
    scene
}

fn placed(translation: [f32; 3], rotation: [f32; 4]) -> Transform {
    Transform::Trs { translation, rotation, scale: [1.0; 3] }
}

const UNTURNED: [f32; 4] = [0.0, 0.0, 0.0, 1.0];
const PERSPECTIVE: Projection = Projection::Perspective { vfov: 0.7 };

#[test]
fn cameras_of_scenes_have_poses() {
    check(&scene::golden(), CameraChoice::Default);
    check(&scene::golden(), CameraChoice::Named("golden".to_owned()));
    let scene = seen_by(PERSPECTIVE, placed([0.3, 0.0, 5.0], UNTURNED));
    let pose = check(&scene, CameraChoice::Default);
    // Where the axis passes nearest to the middle.
    assert_near("target", pose.target, [0.3, 0.0, 0.0]);
    // Straight down, as by hand.
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let above = placed([0.0, 5.0, 0.0], [-half, 0.0, 0.0, half]);
    check(&seen_by(PERSPECTIVE, above), CameraChoice::Default);
}

#[test]
fn a_camera_set_by_hand_is_its_own_pose() {
    let by_hand = CameraChoice::LookAt { eye: [9.0; 3], target: [8.0; 3], vfov_degrees: 20.0 };
    assert_eq!(check(&scene::golden(), by_hand.clone()).camera(), by_hand);
}

#[test]
fn a_camera_of_our_own_stands_where_it_frames() {
    // Shown once and turned: its box is exact. Shown twice: that of its turned box.
    let mut scene = scene_of(vec![sphere(8, 0)], vec![material([0.5; 3], 0.0, 1.0)]);
    let turned = [0.0, 0.0, 0.382_683_43, 0.923_879_5];
    scene.nodes[0].transform = placed([2.0, 0.0, -1.0], turned);
    check(&scene, CameraChoice::Default);
    let again = Node { transform: placed([-3.0, 0.0, 0.0], turned), ..scene.nodes[0].clone() };
    scene.nodes.push(again);
    check(&scene, CameraChoice::Default);
    // Over its whole animation.
    let channel = moving(1, scene::Property::Translation, &[&[0.0; 3], &[0.0, 9.0, 0.0]]);
    scene.channels = vec![channel];
    check(&scene, CameraChoice::Default);
    // A flat lamp is in it.
    scene.channels.clear();
    scene.area_lights.push(AreaLight {
        name: "lamp".to_owned(),
        node: 0,
        shape: AreaShape::Disk,
        size: [3.0, 5.0],
        radiance: [1.0; 3],
        two_sided: false,
    });
    check(&scene, CameraChoice::Default);
}

#[test]
fn who_looks_away_turns_on_the_spot() {
    let away = seen_by(PERSPECTIVE, placed([0.0, 0.0, -5.0], UNTURNED));
    let pose = check(&away, CameraChoice::Default);
    let ahead = -5.0 - pose.target[2];
    assert!(ahead > 0.01 && ahead < 0.1, "{ahead}");
    let empty = check(&Scene::default(), CameraChoice::Default);
    assert_near("target", empty.target, [0.0, 0.0, -1.0]);
}

#[test]
fn rolls_are_lost_and_nothing_else() {
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let rolled = seen_by(PERSPECTIVE, placed([0.0, 0.0, 5.0], [0.0, 0.0, half, half]));
    let pose = pose(&rolled, &settings(CameraChoice::Default), 0.0).expect("sound");
    let upright = RenderSettings { camera: pose.camera(), ..settings(CameraChoice::Default) };
    let seen = prepared(&rolled, &upright);
    assert_near("up", seen.header().camera_up, [0.0, 1.0, 0.0]);
    assert_near("forward", seen.header().camera_forward, [0.0, 0.0, -1.0]);
}

#[test]
fn a_flat_camera_shows_as_much_in_perspective() {
    let flat = Projection::Orthographic { half_height: 1.5 };
    let scene = seen_by(flat, placed([0.0, 0.0, 50.0], UNTURNED));
    let pose = pose(&scene, &settings(CameraChoice::Default), 0.0).expect("sound");
    assert_near("target", pose.target, [0.0; 3]);
    let half_height = pose.eye[2] * (pose.vfov_degrees.to_radians() * 0.5).tan();
    assert!((half_height - 1.5).abs() < 1e-4, "{half_height}");
}

#[test]
fn cameras_that_move_have_the_pose_of_the_time() {
    let mut scene = seen_by(PERSPECTIVE, Transform::IDENTITY);
    let way: [&[f32]; 2] = [&[0.0, 0.0, 4.0], &[0.0, 0.0, 8.0]];
    scene.channels = vec![moving(1, scene::Property::Translation, &way)];
    let at = |time_s| pose(&scene, &settings(CameraChoice::Default), time_s);
    assert_near("eye", at(0.5).expect("sound").eye, [0.0, 0.0, 6.0]);
    assert!(matches!(at(f32::NAN), Err(PrepareError::Time(_))));
}

#[test]
fn bounds_hold_the_scene() {
    assert_eq!(scene_bounds(&Scene::default()), Ok(None));
    let ball = seen_by(PERSPECTIVE, Transform::IDENTITY);
    let bounds = scene_bounds(&ball).expect("sound").expect("a ball");
    assert_near("low", bounds.low, [-1.0; 3]);
    assert_near("high", bounds.high, [1.0; 3]);
}
