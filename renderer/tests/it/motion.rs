//! What moves: the same bits everywhere.

use std::path::Path;

use protocol::{RenderSettings, Size};
use renderer::{RenderScene, prepare};
use scene::{MorphTarget, Node, Property, Scene, Skin, Transform};

use crate::make::{material, moving, node, scene_of};

/// A sphere on three bones, with two morph targets, shown by two nodes. No function of the
/// platform's library has made it.
fn creature() -> Scene {
    let mut body = scene::golden().meshes[1].primitives[0].clone();
    body.material = Some(0);
    let count = body.positions.len();
    let weights = |[x, y, _]: &[f32; 3]| {
        let (a, b) = (0.2 + 0.1 * x, 0.4 + 0.3 * y);
        [a, b, 1.0 - a - b, 0.0]
    };
    body.joints[0] = vec![[0, 1, 2, 0]; count];
    body.joint_weights[0] = body.positions.iter().map(weights).collect();
    let target = |scale: f32| MorphTarget {
        positions: body.positions.iter().map(|p| p.map(|value| value * scale)).collect(),
        normals: body.normals.iter().map(|n| [n[1] * scale, n[2], n[0]]).collect(),
        tangents: Vec::new(),
    };
    body.targets = vec![target(0.3), target(-0.2)];
    let mut scene = scene_of(vec![body], vec![material([0.5; 3], 0.0, 1.0)]);
    scene.nodes[0].skin = Some(0);
    scene.nodes.push(Node { mesh: Some(0), skin: Some(0), ..Node::default() });
    for bone in 0..3 {
        let parent = (bone > 0).then_some(bone + 1);
        scene.nodes.push(Node { parent, ..node(Transform::IDENTITY) });
    }
    let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]];
    scene.skins.push(Skin {
        name: String::new(),
        joints: vec![2, 3, 4],
        inverse_binds: vec![identity; 3],
    });
    scene.channels = vec![
        moving(
            3,
            Property::Rotation,
            &[&[0.0, 0.0, 0.0, 1.0], &[0.0, 0.6, 0.0, 0.8], &[0.48, 0.64, 0.0, -0.6]],
        ),
        moving(4, Property::Translation, &[&[0.0, 1.0, 0.0], &[0.5, 2.0, 0.3]]),
        moving(1, Property::Weights, &[&[0.0, 1.0], &[1.0, 0.5]]),
    ];
    scene
}

fn small() -> RenderSettings {
    RenderSettings { size: Size::new(32, 24), samples: 16, ..RenderSettings::default() }
}

fn at(scene: &Scene, time_s: f32) -> RenderScene {
    prepare(scene, &small(), time_s).expect("the scene is sound")
}

#[test]
fn bending_is_the_same_in_any_pool() {
    let scene = creature();
    for time_s in [0.0, 0.3, 1.7, 99.0] {
        let wanted = at(&scene, time_s).digest();
        for count in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().expect("a pool");
            assert_eq!(pool.install(|| at(&scene, time_s).digest()), wanted);
        }
    }
}

#[test]
fn a_posed_creature_has_the_same_bits_everywhere() {
    let posed = at(&creature(), 0.3);
    let mut triangles = posed.triangles().to_vec();
    triangles.sort_unstable_by_key(|triangle| triangle.primitive);
    let mut hasher = blake3::Hasher::new();
    hasher.update(bytemuck::cast_slice(&triangles));
    hasher.update(bytemuck::cast_slice(posed.attributes()));
    let hash = hasher.finalize().to_hex();
    assert_eq!(
        hash.as_str(),
        "d556bb05412786dfc116f6946f77b808c4f59927f6186e99beb2e04665e6c1cf",
        "meshes bend to other bits than before. If that is meant, raise `renderer::ENGINE` and put \
         the new hash here; if not, find out what changed them"
    );
}

#[test]
fn every_showing_of_what_bends_is_posed_by_itself() {
    let scene = creature();
    let posed = at(&scene, 1.0);
    let mesh = scene.meshes[0].primitives[0].indices.len();
    assert_eq!((posed.triangles().len(), posed.instance_count()), (2 * mesh, 1));
    // Alone, each is posed as it is beside the other.
    let corners = |scene: &RenderScene| -> Vec<[u32; 9]> {
        let flat = |t: &renderer::tables::Triangle| {
            let [[a, b, c], [d, e, f], [g, h, i]] = [t.a, t.b, t.c];
            [a, b, c, d, e, f, g, h, i].map(f32::to_bits)
        };
        scene.triangles().iter().map(flat).collect()
    };
    let alone = |hidden: usize| {
        let mut scene = scene.clone();
        scene.nodes[hidden] = Node::default();
        scene.channels.retain(|channel| channel.node as usize != hidden);
        corners(&at(&scene, 1.0))
    };
    let (first, second) = (alone(1), alone(0));
    assert_ne!(first, second, "only the second has weights");
    let mut apart = [first, second].concat();
    let mut together = corners(&posed);
    apart.sort_unstable();
    together.sort_unstable();
    assert_eq!(together, apart);
}

#[test]
fn a_shape_that_all_showings_share_is_stored_once() {
    let mut scene = creature();
    scene.channels.retain(|channel| channel.property != Property::Weights);
    for node in &mut scene.nodes {
        node.skin = None;
    }
    let plain = at(&scene, 0.0);
    scene.meshes[0].weights = vec![1.0, 0.0];
    let grown = at(&scene, 0.0);
    let mesh = scene.meshes[0].primitives[0].indices.len();
    for posed in [&plain, &grown] {
        assert_eq!((posed.triangles().len(), posed.instance_count()), (mesh, 2));
    }
    let reach = |scene: &RenderScene| {
        let corners = scene.triangles().iter().flat_map(|t| [t.a, t.b, t.c]);
        corners.flatten().fold(0.0, f32::max)
    };
    assert!((reach(&grown) / reach(&plain) - 1.3).abs() < 1e-6);
}

/// The shared scene's file, where it is at hand: `../shared/scenes` beside the workspace.
fn shared(name: &str) -> Option<Scene> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/scenes");
    let path = folder.join(name);
    if !path.exists() {
        println!("skipped: {name} is not in ../shared/scenes beside the workspace");
        return None;
    }
    let imported = scene::import(&path, &scene::ImportOptions::default()).expect(name);
    Some(imported.scene)
}

#[test]
fn real_animations_move_and_stay_in_one_piece() {
    for name in [
        "Fox/Fox.glb",
        "CesiumMan/CesiumMan.glb",
        "AnimatedCube/AnimatedCube.gltf",
        "AnimatedMorphCube/AnimatedMorphCube.glb",
    ] {
        let Some(scene) = shared(name) else { continue };
        let mut digests = Vec::new();
        let mut sizes = Vec::new();
        for time_s in [0.0, 0.4, 0.8] {
            let posed = at(&scene, time_s);
            let corners = || posed.triangles().iter().flat_map(|t| [t.a, t.b, t.c]);
            let size = |axis: usize| {
                let low = corners().map(|corner| corner[axis]).fold(f32::INFINITY, f32::min);
                corners().map(|corner| corner[axis]).fold(f32::NEG_INFINITY, f32::max) - low
            };
            sizes.push((size(0).powi(2) + size(1).powi(2) + size(2).powi(2)).sqrt());
            digests.push(posed.digest());
        }
        digests.dedup();
        assert_eq!(digests.len(), 3, "{name} moves");
        let [a, b, c] = [sizes[0], sizes[1], sizes[2]];
        let largest = a.max(b).max(c);
        assert!(largest < 1.6 * a.min(b).min(c), "{name}: {sizes:?}");
    }
}
