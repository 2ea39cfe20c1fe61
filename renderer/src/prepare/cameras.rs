//! Which camera looks, and from where.

use protocol::{CameraChoice, Opening, RenderSettings};
use scene::{Camera, Projection, Scene};

use super::PrepareError;
use super::place::{Place, cross, dot, unit};
use super::shutter::Shutter;
use crate::bvh::Bounds;
use crate::moving::CAMERA_FLOATS;
use crate::precise::sin_cos;
use crate::tables::{CAMERA_ORTHOGRAPHIC, CAMERA_PANORAMA, CAMERA_PERSPECTIVE, Header};

/// Vertical field of view of the camera that frames a scene without one, radians: 40°.
pub const FRAMING_VFOV: f64 = 0.698_131_700_797_731_8;
/// From the middle of such a scene towards its camera: from the right, above and in front.
const FRAMING_SIDE: [f64; 3] = [0.55, 0.38, 0.85];
/// Room around a framed scene, as a factor of the distance.
const FRAMING_ROOM: f64 = 1.04;

const UP: [f64; 3] = [0.0, 1.0, 0.0];

/// Whether the camera is our own, which frames the scene.
pub fn frames(scene: &Scene, choice: &CameraChoice) -> bool {
    matches!(choice, CameraChoice::Default) && first_camera(scene).is_none()
}

/// Sets the header's camera; `cameras` are the scene's at the time, `bounds` is what a camera of
/// our own frames.
pub fn place(
    header: &mut Header,
    scene: &Scene,
    cameras: &[Camera],
    places: &[Place],
    bounds: &Bounds,
    choice: &CameraChoice,
) -> Result<(), PrepareError> {
    // Without a lens, until a camera brings one.
    header.lens_radius = 0.0;
    header.lens_focus = 0.0;
    header.lens_blades = 0;
    header.lens_turn = 0.0;
    match choice {
        CameraChoice::Default => match first_camera(scene) {
            Some(node) => use_node(header, &scene.nodes[node], cameras, &places[node]),
            None => frame(header, bounds),
        },
        CameraChoice::Named(name) => {
            let node = named_camera(scene, name).ok_or_else(|| PrepareError::NoCamera {
                name: name.clone(),
                names: camera_names(scene),
            })?;
            use_node(header, &scene.nodes[node], cameras, &places[node]);
        }
        CameraChoice::LookAt { eye, target, vfov_degrees } => {
            let (eye, target) = (eye.map(f64::from), target.map(f64::from));
            let forward = [target[0] - eye[0], target[1] - eye[1], target[2] - eye[2]];
            look(header, eye, forward, UP);
            set_perspective(header, f64::from(*vfov_degrees).to_radians());
        }
    }
    Ok(())
}

/// Changes by this share are roundings of f32.
const STILL: f32 = 2.384_185_8e-7;

/// The camera at each key, [`CAMERA_FLOATS`] each, or nothing where it stands still. `header` is
/// that of the frame, with its camera placed.
pub fn keys(
    header: &Header,
    scene: &Scene,
    shutter: &Shutter<'_>,
    bounds: &Bounds,
    choice: &CameraChoice,
) -> Result<Option<Vec<f32>>, PrepareError> {
    let mut list = Vec::with_capacity(shutter.keys.len());
    for key in &shutter.keys {
        let mut own = *header;
        place(&mut own, scene, &key.cameras, &key.places, bounds, choice)?;
        let rows = [
            (own.camera_origin, own.camera_half_width),
            (own.camera_right, own.camera_half_height),
            (own.camera_up, 0.0),
            (own.camera_forward, 0.0),
        ];
        list.push(rows.map(|([x, y, z], w)| [x, y, z, w]));
    }
    // Apart by more than a share of the larger.
    let differ = |a: &[f32], b: &[f32]| {
        let largest = |list: &[f32]| list.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let apart = a.iter().zip(b).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        apart > largest(a).max(largest(b)) * STILL
    };
    let first = &list[0];
    let moves = list.iter().skip(1).any(|key| {
        let mut rows = key.iter().zip(first);
        rows.any(|(a, b)| differ(&a[..3], &b[..3]) || differ(&a[3..], &b[3..]))
    });
    assert_eq!(list.as_flattened().as_flattened().len(), list.len() * CAMERA_FLOATS as usize);
    Ok(moves.then(|| list.as_flattened().as_flattened().to_vec()))
}

/// Height of the film that f-numbers speak of, metres: that of 36 × 24 mm.
const FILM_HEIGHT: f64 = 0.024;
/// Focal length that a camera without perspective counts as, metres.
const ORTHOGRAPHIC_FOCAL_LENGTH: f64 = 0.05;

/// A turn without whole turns.
fn turns(value: f64) -> f32 {
    (value - value.floor()) as f32
}

/// Puts the settings' lens, or the panorama, before what the camera brings.
pub fn look_through(header: &mut Header, settings: &RenderSettings) {
    if settings.panorama {
        header.camera_kind = CAMERA_PANORAMA;
        header.lens_radius = 0.0;
    } else if let Some(lens) = &settings.lens {
        let focal_length = if header.camera_kind == CAMERA_ORTHOGRAPHIC {
            ORTHOGRAPHIC_FOCAL_LENGTH
        } else {
            FILM_HEIGHT * 0.5 / f64::from(header.camera_half_height).max(1e-6)
        };
        header.lens_radius = match lens.opening {
            Opening::Radius(radius) => radius,
            Opening::FNumber(number) => (focal_length * 0.5 / f64::from(number)) as f32,
        };
        header.lens_focus = lens.focus;
        header.lens_blades = lens.blades;
        header.lens_turn = turns(f64::from(lens.rotation_degrees) / 360.0);
    }
}

/// How long the shutter of the camera that a choice stands for is open, as a fraction of a frame:
/// what the scene asks for. 0 for cameras that are not the scene's.
#[must_use]
pub fn scene_shutter(scene: &Scene, choice: &CameraChoice) -> f32 {
    let node = match choice {
        CameraChoice::Default => first_camera(scene),
        CameraChoice::Named(name) => named_camera(scene, name),
        CameraChoice::LookAt { .. } => None,
    };
    let camera = node.and_then(|node| scene.nodes[node].camera);
    camera.map_or(0.0, |camera| scene.cameras[camera as usize].lens.shutter)
}

/// The node that carries the first camera of the list that any node carries.
fn first_camera(scene: &Scene) -> Option<usize> {
    let carried = scene.nodes.iter().enumerate().filter_map(|(at, node)| Some((node.camera?, at)));
    carried.min().map(|(_, at)| at)
}

/// The cameras of a scene that can be asked for by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SceneCameras {
    /// A name for each, in the order of the nodes that carry them: the camera's own, or its node's
    /// where the camera has none, or another camera has the same.
    pub names: Vec<String>,
    /// How many have neither.
    pub nameless: u64,
}

/// All cameras that a scene shows, as [`CameraChoice::Named`] finds them.
#[must_use]
pub fn scene_cameras(scene: &Scene) -> SceneCameras {
    let mut all = SceneCameras::default();
    for (at, node) in scene.nodes.iter().enumerate() {
        let Some(camera) = node.camera else { continue };
        let names = [&scene.cameras[camera as usize].name, &node.name];
        let is_found =
            |name: &&&String| !name.is_empty() && named_camera(scene, name.as_str()) == Some(at);
        match names.iter().find(is_found) {
            Some(name) => all.names.push((*name).clone()),
            None => all.nameless += 1,
        }
    }
    all
}

fn named_camera(scene: &Scene, name: &str) -> Option<usize> {
    let carries = |node: &scene::Node, by_node: bool| {
        node.camera.is_some_and(|camera| {
            if by_node { node.name == name } else { scene.cameras[camera as usize].name == name }
        })
    };
    let find = |by_node| scene.nodes.iter().position(|node| carries(node, by_node));
    find(false).or_else(|| find(true))
}

/// Names of the cameras that nodes carry: the camera's own, or its node's where it has none.
fn camera_names(scene: &Scene) -> Vec<String> {
    let mut names = Vec::new();
    for node in &scene.nodes {
        let Some(camera) = node.camera else { continue };
        let own = &scene.cameras[camera as usize].name;
        let name = if own.is_empty() { &node.name } else { own };
        if !name.is_empty() && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn use_node(header: &mut Header, node: &scene::Node, cameras: &[Camera], place: &Place) {
    let Some(camera) = node.camera else { return };
    let m = &place.0;
    let column = |at: usize| [m[0][at], m[1][at], m[2][at]];
    look(header, column(3), column(2).map(|value| -value), column(1));
    let Camera { projection, lens, .. } = &cameras[camera as usize];
    header.lens_radius = lens.aperture;
    header.lens_focus = lens.focus_distance;
    header.lens_blades = lens.blades;
    header.lens_turn = turns(f64::from(lens.blade_rotation) / std::f64::consts::TAU);
    match *projection {
        Projection::Perspective { vfov } => set_perspective(header, f64::from(vfov)),
        Projection::Orthographic { half_height } => {
            header.camera_kind = CAMERA_ORTHOGRAPHIC;
            set_half_height(header, f64::from(half_height));
        }
    }
}

/// Looks along `forward` with `up` upwards as far as can be; any way where they say nothing.
fn look(header: &mut Header, eye: [f64; 3], forward: [f64; 3], up: [f64; 3]) {
    let forward = unit(forward).unwrap_or([0.0, 0.0, -1.0]);
    let right = unit(cross(forward, up))
        .filter(|_| cross(forward, up).iter().any(|value| value.abs() > 1e-6))
        .or_else(|| unit(cross(forward, [0.0, 0.0, -1.0])))
        .unwrap_or([1.0, 0.0, 0.0]);
    let up = cross(right, forward);
    header.camera_origin = eye.map(|value| value as f32);
    header.camera_right = right.map(|value| value as f32);
    header.camera_up = up.map(|value| value as f32);
    header.camera_forward = forward.map(|value| value as f32);
}

fn set_perspective(header: &mut Header, vfov: f64) {
    header.camera_kind = CAMERA_PERSPECTIVE;
    set_half_height(header, half_tangent(vfov));
}

fn half_tangent(vfov: f64) -> f64 {
    let (sin, cos) = sin_cos(vfov * 0.5);
    sin / cos.max(1e-6)
}

fn set_half_height(header: &mut Header, half_height: f64) {
    let aspect = f64::from(header.width) / f64::from(header.height);
    header.camera_half_height = half_height as f32;
    header.camera_half_width = (half_height * aspect) as f32;
}

/// Frames a box in a three-quarter view, as close as its corners allow.
fn frame(header: &mut Header, bounds: &Bounds) {
    set_perspective(header, FRAMING_VFOV);
    if bounds.low[0] > bounds.high[0] {
        // Nothing to frame: stand at the origin and look at the horizon.
        look(header, [0.0; 3], [0.0, 0.0, -1.0], UP);
        return;
    }
    let (low, high) = (bounds.low.map(f64::from), bounds.high.map(f64::from));
    let middle = [0, 1, 2].map(|axis| (low[axis] + high[axis]) * 0.5);
    let side = unit(FRAMING_SIDE).unwrap_or(UP);
    let forward = side.map(|value| -value);
    let right = unit(cross(forward, UP)).unwrap_or([1.0, 0.0, 0.0]);
    let up = cross(right, forward);
    let half_height = half_tangent(FRAMING_VFOV);
    let half_width = half_height * f64::from(header.width) / f64::from(header.height);
    let mut distance = 1e-3_f64;
    for corner in 0..8 {
        let pick = |axis: usize| {
            (if corner >> axis & 1 == 0 { low[axis] } else { high[axis] }) - middle[axis]
        };
        let offset = [pick(0), pick(1), pick(2)];
        let depth = dot(offset, forward);
        distance = distance
            .max(dot(offset, right).abs() / half_width - depth)
            .max(dot(offset, up).abs() / half_height - depth);
    }
    let eye = [0, 1, 2].map(|axis| middle[axis] + side[axis] * distance * FRAMING_ROOM);
    look(header, eye, forward, UP);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framed_box_lies_inside_the_picture() {
        let mut header = Header { width: 320, height: 180, ..bytemuck::Zeroable::zeroed() };
        let bounds = Bounds { low: [-3.0, 0.0, 1.0], high: [5.0, 2.0, 2.0] };
        frame(&mut header, &bounds);
        let axis = |v: [f32; 3]| v.map(f64::from);
        let mut widest = 0.0_f64;
        for corner in 0..8_usize {
            let pick = |axis: usize| {
                let side = if corner >> axis & 1 == 0 { bounds.low } else { bounds.high };
                f64::from(side[axis]) - f64::from(header.camera_origin[axis])
            };
            let offset = [pick(0), pick(1), pick(2)];
            let depth = dot(offset, axis(header.camera_forward));
            let x = dot(offset, axis(header.camera_right)) / depth;
            let y = dot(offset, axis(header.camera_up)) / depth;
            let share = (x / f64::from(header.camera_half_width))
                .abs()
                .max((y / f64::from(header.camera_half_height)).abs());
            assert!(depth > 0.0 && share < 1.0, "{share}");
            widest = widest.max(share);
        }
        assert!(widest > 0.9, "as close as can be: {widest}");
    }

    #[test]
    fn cameras_are_listed_by_names_that_find_them() {
        let mut scene = scene::golden();
        scene.nodes.clear();
        let own = |name: &str| Camera { name: name.to_owned(), ..scene.cameras[0].clone() };
        let cameras = ["wide", "", "close", ""].map(own).to_vec();
        let carrier = |name: &str, camera| scene::Node {
            name: name.to_owned(),
            camera: Some(camera),
            ..scene::Node::default()
        };
        // The third shows the first's camera again; the fifth is one too many of its name.
        scene.nodes = vec![
            carrier("a", 0),
            carrier("left", 1),
            carrier("b", 0),
            carrier("c", 2),
            carrier("left", 3),
            scene::Node::default(),
        ];
        scene.cameras = cameras;
        let all = scene_cameras(&scene);
        assert_eq!(
            (all.names.as_slice(), all.nameless),
            (&["wide", "left", "b", "close"].map(str::to_owned)[..], 1)
        );
        let nodes: Vec<_> = all.names.iter().map(|name| named_camera(&scene, name)).collect();
        assert_eq!(nodes, [Some(0), Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn looking_straight_down_has_a_right_side() {
        let mut header = Header { width: 1, height: 1, ..bytemuck::Zeroable::zeroed() };
        look(&mut header, [0.0; 3], [0.0, -2.0, 0.0], UP);
        let right = header.camera_right.map(f64::from);
        assert!((dot(right, right) - 1.0).abs() < 1e-6 && right[1].abs() < 1e-6);
    }
}
