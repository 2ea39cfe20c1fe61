//! Tests: scenes that are no picture book's can be prepared.

use protocol::RenderSettings;
use scene::{Mesh, Node, Primitive, Scene, Transform, golden};

use crate::RenderScene;
use crate::prepare::prepare;
use crate::tables::EMITTER_TRIANGLE;

fn prepared(scene: &Scene) -> RenderScene {
    assert_eq!(scene.validate(), Ok(()));
    prepare(scene, &RenderSettings::default(), 0.0).expect("the scene is sound")
}

#[test]
fn glowing_triangles_without_an_area_are_no_lights() {
    let mut scene = golden();
    let lamps = |scene: &Scene| {
        let all = prepared(scene).emitters;
        all.iter().filter(|emitter| emitter.kind == EMITTER_TRIANGLE).count()
    };
    let before = lamps(&scene);
    let glowing = scene.meshes[5].primitives[0].material;
    let flat = Primitive {
        positions: vec![[0.0; 3], [0.0; 3], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]],
        indices: vec![[0, 1, 2], [1, 2, 3]],
        uvs: [vec![[0.0; 2]; 4], Vec::new()],
        material: glowing,
        ..Primitive::default()
    };
    scene.meshes[5].primitives.push(flat);
    assert_eq!(lamps(&scene), before);
    // Nothing else glows: the tables are those of a scene without such lights.
    scene.meshes[5].primitives.remove(0);
    assert_eq!(lamps(&scene), 0);
}

#[test]
fn trees_ten_thousand_deep_are_placed() {
    let mut scene = golden();
    let root = scene.nodes.len() as u32;
    let step = |parent| Node {
        parent,
        transform: Transform::Trs {
            translation: [0.001, 0.0, 0.0],
            rotation: [0.0, 0.0, 0.0, 1.0],
            scale: [1.0; 3],
        },
        ..Node::default()
    };
    scene.nodes.push(step(None));
    scene.nodes.extend((root..root + 9_999).map(|parent| step(Some(parent))));
    scene.nodes.last_mut().expect("nodes").mesh = Some(0);
    let found = prepared(&scene);
    assert!(found.instances.len() >= prepared(&golden()).instances.len());
}

#[test]
fn flat_and_mirrored_places_are_prepared() {
    for scale in [[-2.0, 0.5, 3.0], [1.0, 0.0, 1.0], [0.0; 3], [-1e-20, 1e9, 1.0]] {
        let mut scene = golden();
        scene.meshes.push(Mesh { primitives: vec![Primitive::default()], ..Mesh::default() });
        scene.nodes[0].transform =
            Transform::Trs { translation: [0.0; 3], rotation: [0.0, 0.0, 0.0, 1.0], scale };
        assert_eq!(scene.validate(), Ok(()));
        // A place beyond 1e9 m is an error with its node; nothing panics.
        if let Err(error) = prepare(&scene, &RenderSettings::default(), 0.0) {
            assert!(error.to_string().contains("node 0"), "{scale:?}: {error}");
        }
    }
}
