//! The golden scene in motion, for tests of what moves while a shutter is open.

use super::{HALF_TURN, IDENTITY, golden, node, sphere};
use crate::animation::{Channel, Interpolation, MorphTarget, Property, Skin};
use crate::lamps::{AreaLight, AreaShape};
use crate::model::{Mesh, Node, Primitive, Scene};

/// The golden scene with nearly all of it in motion from 0 s to 1 s: spheres that turn, one of them
/// as the mirrored child of the other, two that share a mesh; a masked card that slides and a
/// blended one that is squeezed flat and turned over; a lamp that swings, and a flat one; a body on
/// two bones with a morph target; the camera.
#[must_use]
pub fn golden_in_motion() -> Scene {
    let mut scene = golden();
    let named = |scene: &Scene, name: &str| scene.nodes.iter().position(|node| node.name == name);
    let at = |scene: &Scene, name: &str| {
        named(scene, name).expect("invariant: the golden scene has it") as u32
    };
    let (metal, leaf, film) = (at(&scene, "metal sphere"), at(&scene, "leaf"), at(&scene, "film"));
    let (lamp, camera) = (at(&scene, "lamp"), at(&scene, "camera"));

    // A second showing of a mesh, which stands still.
    scene.nodes.push(Node { mesh: Some(1), ..node("second sphere", [-1.5, 0.6, -0.8]) });
    scene.nodes.push(node("flat lamp", [1.2, 1.6, 0.9]));
    let flat_lamp = scene.nodes.len() as u32 - 1;
    scene.area_lights.push(AreaLight {
        name: "flat lamp".to_owned(),
        node: flat_lamp,
        shape: AreaShape::Rectangle,
        size: [0.5, 0.25],
        radiance: [2.0, 2.5, 4.0],
        two_sided: true,
    });
    let bone = add_body(&mut scene);

    let half = HALF_TURN;
    scene.channels = vec![
        moving(metal, Property::Rotation, &[&IDENTITY, &[0.0, half, 0.0, half]]),
        moving(metal, Property::Translation, &[&[-0.7, 0.5, 0.0], &[-0.5, 0.6, 0.25]]),
        moving(leaf, Property::Translation, &[&[0.9, 0.6, -0.3], &[0.6, 0.7, -0.2]]),
        moving(film, Property::Scale, &[&[1.0; 3], &[1.25, 1.0, -0.5]]),
        moving(lamp, Property::Rotation, &[&[half, 0.0, 0.0, half], &[0.6, 0.0, 0.0, 0.8]]),
        moving(flat_lamp, Property::Translation, &[&[1.2, 1.6, 0.9], &[0.8, 1.5, 1.2]]),
        moving(flat_lamp, Property::Rotation, &[&IDENTITY, &[0.6, 0.0, 0.0, 0.8]]),
        moving(bone + 1, Property::Rotation, &[&IDENTITY, &[0.0, 0.0, 0.6, 0.8]]),
        moving(bone - 1, Property::Weights, &[&[0.0], &[0.75]]),
        moving(camera, Property::Translation, &[&[0.0, 1.3, 4.0], &[0.1, 1.35, 3.9]]),
    ];
    debug_assert_eq!(scene.validate(), Ok(()));
    scene
}

/// Adds a body on two bones, of which the second hangs on the first; returns the first bone.
fn add_body(scene: &mut Scene) -> u32 {
    let mut body = Primitive { material: Some(1), ..sphere(3, 0.3) };
    let weights = |[_, y, _]: &[f32; 3]| {
        let upper = 0.5 + y * 1.5;
        [1.0 - upper, upper, 0.0, 0.0]
    };
    body.joints[0] = vec![[0, 1, 0, 0]; body.positions.len()];
    body.joint_weights[0] = body.positions.iter().map(weights).collect();
    body.targets = vec![MorphTarget {
        positions: body.positions.iter().map(|[x, y, z]| [x * 0.5, y * -0.25, z * 0.5]).collect(),
        normals: body.normals.iter().map(|[x, _, z]| [x * -0.25, 0.0, z * -0.25]).collect(),
        tangents: Vec::new(),
    }];
    let mesh = scene.meshes.len() as u32;
    scene.meshes.push(Mesh { name: "body".to_owned(), primitives: vec![body], ..Mesh::default() });
    let bone = scene.nodes.len() as u32 + 1;
    scene.nodes.push(Node { mesh: Some(mesh), skin: Some(0), ..node("body", [0.0; 3]) });
    scene.nodes.push(node("lower bone", [0.2, 0.4, 0.9]));
    scene.nodes.push(Node { parent: Some(bone), ..node("upper bone", [0.0, 0.05, 0.0]) });
    let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]];
    scene.skins.push(Skin {
        name: "body".to_owned(),
        joints: vec![bone, bone + 1],
        inverse_binds: vec![identity; 2],
    });
    bone
}

/// Keys at 0 s, 1 s and so on.
fn moving(node: u32, property: Property, values: &[&[f32]]) -> Channel {
    Channel {
        node,
        property,
        interpolation: Interpolation::Linear,
        times: (0..values.len()).map(|key| key as f32).collect(),
        values: values.concat(),
    }
}
