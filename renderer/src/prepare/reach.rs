//! The room that a scene takes, over its whole animation where it has one, for a camera that frames
//! it.
//!
//! Framed anew at every frame, a fox that stands still and turns its head would swim in the
//! picture.

use scene::{Mesh, Scene};

use super::motion::Motion;
use super::objects::moved_box;
use super::place::{Place, world_places};
use super::pose::{Poser, morph, shared_weights};
use super::{PrepareError, lamps};
use crate::bvh::Bounds;

/// Looks at the animation, evenly from its first key to its last: what a limb does in between is
/// within the room around a framed scene.
const LOOKS: u32 = 17;

/// Points beyond cannot be traced, and are not framed.
const COORDINATE_MAX: f32 = 1e9;

/// The box of all looks, in world space; empty without geometry. It does not depend on the time.
pub fn bounds(scene: &Scene) -> Result<Bounds, PrepareError> {
    let times = || scene.channels.iter().flat_map(|channel| &channel.times).copied();
    let first = f64::from(times().fold(f32::INFINITY, f32::min));
    let last = f64::from(times().fold(f32::NEG_INFINITY, f32::max));
    let boxes: Vec<Bounds> = scene.meshes.iter().map(mesh_box).collect();
    let bent = scene.bent_nodes();
    let mut all = Bounds::EMPTY;
    for look in 0..LOOKS {
        let share = f64::from(look) / f64::from(LOOKS - 1);
        let motion = Motion::at(scene, first + (last - first) * share);
        let places = world_places(scene, &motion)?;
        all = all.union(&bounds_now(
            scene,
            Poser::new(scene, &places, &motion),
            &places,
            &bent,
            &boxes,
        ));
    }
    Ok(all)
}

/// The box of a scene without channels as its trees hold it, but for their roundings; empty without
/// geometry.
pub fn bounds_still(scene: &Scene) -> Result<Bounds, PrepareError> {
    let motion = Motion::at(scene, 0.0);
    let places = world_places(scene, &motion)?;
    let bent = scene.bent_nodes();
    let mut uses = vec![0_u32; scene.meshes.len()];
    scene.nodes.iter().filter_map(|node| node.mesh).for_each(|mesh| uses[mesh as usize] += 1);
    // What is shown once lies in the world as it is; all else is placed as a box.
    let boxed =
        |(mesh, uses): (&Mesh, &u32)| if *uses > 1 { mesh_box(mesh) } else { Bounds::EMPTY };
    let boxes: Vec<Bounds> = scene.meshes.iter().zip(&uses).map(boxed).collect();
    let poser = Poser::new(scene, &places, &motion);
    let mut all = bounds_now(scene, poser, &places, &bent, &boxes);
    for (index, node) in scene.nodes.iter().enumerate() {
        let Some(mesh) = node.mesh.filter(|&mesh| uses[mesh as usize] == 1 && !bent[index]) else {
            continue;
        };
        let place = &places[index];
        all = all.union(&mesh_points_box(&scene.meshes[mesh as usize], |at| place.point(at)));
    }
    for lamp in &scene.area_lights {
        let place = &places[lamp.node as usize];
        let outline = lamps::surface(lamp, 0).positions.into_iter();
        all = all.union(&points_box(outline.map(|at| place.point(at))));
    }
    Ok(all)
}

fn bounds_now(
    scene: &Scene,
    mut poser: Poser,
    places: &[Place],
    bent: &[bool],
    boxes: &[Bounds],
) -> Bounds {
    let mut all = Bounds::EMPTY;
    for (index, node) in scene.nodes.iter().enumerate() {
        let Some(mesh) = node.mesh else { continue };
        if !bent[index] {
            let own = &boxes[mesh as usize];
            if own.low[0] <= own.high[0] {
                all = all.union(&moved_box(&places[index], own));
            }
            continue;
        }
        let primitives = &scene.meshes[mesh as usize].primitives;
        for primitive in primitives.iter().filter(|primitive| !primitive.indices.is_empty()) {
            let (posed, place) = poser.pose(index, primitive);
            all = all.union(&points_box(posed.positions.iter().map(|&at| place.point(at))));
        }
    }
    all
}

/// A mesh in its own space, as it is where no node bends it.
fn mesh_box(mesh: &Mesh) -> Bounds {
    mesh_points_box(mesh, |at| at)
}

/// The same with its points placed.
fn mesh_points_box(mesh: &Mesh, place: impl Fn([f32; 3]) -> [f32; 3]) -> Bounds {
    let shown = mesh.primitives.iter().filter(|primitive| !primitive.indices.is_empty());
    shown.fold(Bounds::EMPTY, |all, primitive| {
        let own = if primitive.targets.is_empty() {
            points_box(primitive.positions.iter().map(|&at| place(at)))
        } else {
            let morphed = morph(primitive, &shared_weights(mesh));
            points_box(morphed.positions.into_iter().map(&place))
        };
        all.union(&own)
    })
}

fn points_box(points: impl Iterator<Item = [f32; 3]>) -> Bounds {
    points
        .filter(|point| point.iter().all(|value| value.abs() <= COORDINATE_MAX))
        .fold(Bounds::EMPTY, |all, point| all.union(&Bounds { low: point, high: point }))
}

#[cfg(test)]
mod tests {
    use protocol::RenderSettings;
    use scene::{
        Camera, Channel, Interpolation, Light, LightKind, Node, Primitive, Projection, Property,
    };

    use crate::prepare::prepare;
    use crate::tables::EMITTER_POINT;

    use super::*;

    /// Two squares, the second of which moves by 6 m along x within two seconds.
    fn moving() -> Scene {
        let square = Primitive {
            positions: vec![[0.0; 3], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]],
            indices: vec![[0, 1, 2], [0, 2, 3]],
            ..Primitive::default()
        };
        let mesh = Mesh { primitives: vec![square], ..Mesh::default() };
        Scene {
            nodes: vec![Node { mesh: Some(0), ..Node::default() }; 2],
            meshes: vec![mesh],
            channels: vec![Channel {
                node: 1,
                property: Property::Translation,
                interpolation: Interpolation::Linear,
                times: vec![1.0, 3.0],
                values: vec![0.0, 0.0, 0.0, 6.0, 0.0, 0.0],
            }],
            ..Scene::default()
        }
    }

    fn camera(scene: &Scene, time_s: f32) -> [f32; 3] {
        let settings = RenderSettings::default();
        prepare(scene, &settings, time_s).expect("the scene is sound").header.camera_origin
    }

    #[test]
    fn a_camera_of_our_own_stands_still() {
        let mut scene = moving();
        let still = camera(&scene, 0.0);
        for time_s in [1.3, 2.0, 99.0] {
            assert_eq!(camera(&scene, time_s).map(f32::to_bits), still.map(f32::to_bits));
        }
        let all = bounds(&scene).expect("in range");
        assert_eq!(all.low.map(f32::to_bits), [0.0_f32; 3].map(f32::to_bits));
        assert_eq!(all.high.map(f32::to_bits), [7.0_f32, 1.0, 0.0].map(f32::to_bits));
        // What bends is framed as it is posed.
        let target = scene::MorphTarget {
            positions: vec![[0.0, 0.0, 3.0]; 4],
            ..scene::MorphTarget::default()
        };
        scene.meshes[0].primitives[0].targets = vec![target];
        scene.meshes[0].weights = vec![1.0];
        let all = bounds(&scene).expect("in range");
        assert_eq!(all.high.map(f32::to_bits), [7.0_f32, 1.0, 3.0].map(f32::to_bits));
    }

    #[test]
    fn cameras_and_lights_move_with_their_nodes() {
        let mut scene = moving();
        let projection = Projection::Perspective { vfov: 0.7 };
        scene.cameras.push(Camera { name: "eye".to_owned(), projection, ..Camera::default() });
        scene.lights.push(Light {
            name: "lamp".to_owned(),
            intensity: [1.0; 3],
            kind: LightKind::Point,
            ..Light::default()
        });
        scene.nodes.push(Node { parent: Some(1), camera: Some(0), ..Node::default() });
        scene.nodes.push(Node { parent: Some(1), light: Some(0), ..Node::default() });
        for (time_s, x) in [(0.0, 0.0), (1.5, 1.5), (2.0, 3.0), (3.0, 6.0)] {
            let prepared =
                prepare(&scene, &RenderSettings::default(), time_s).expect("the scene is sound");
            let lamp = prepared.emitters.iter().find(|emitter| emitter.kind == EMITTER_POINT);
            let lamp = lamp.map(|emitter| emitter.position.map(f32::to_bits));
            assert_eq!(lamp, Some([x, 0.0_f32, 0.0].map(f32::to_bits)), "at {time_s} s");
            let eye = prepared.header.camera_origin.map(f32::to_bits);
            assert_eq!(eye, [x, 0.0, 0.0].map(f32::to_bits), "at {time_s} s");
        }
    }
}
