//! Draco streams decode to what the reference decoder makes of them.

use scene::{Imported, NoFiles, Scene, import_slice};
use serde_json::json;

use crate::build::Build;
use crate::import::chain;

const FILE: &[u8] = include_bytes!("../data/draco.glb");

/// The file, for mutations.
pub fn compressed() -> Build {
    Build::open(FILE)
}

fn import(build: Build) -> Imported {
    import_slice(&build.glb(), &mut NoFiles, 1 << 20).expect("a valid file")
}

/// A hash of all that the two primitives hold.
fn geometry_hash(scene: &Scene) -> String {
    let mut hasher = blake3::Hasher::new();
    for primitive in scene.meshes.iter().flat_map(|mesh| &mesh.primitives) {
        let floats = [
            primitive.positions.as_flattened(),
            primitive.normals.as_flattened(),
            primitive.uvs[0].as_flattened(),
            primitive.colors.as_flattened(),
            primitive.joint_weights[0].as_flattened(),
        ];
        for value in floats.into_iter().flatten() {
            hasher.update(&value.to_le_bytes());
        }
        for joint in primitive.joints[0].as_flattened() {
            hasher.update(&joint.to_le_bytes());
        }
        for index in primitive.indices.as_flattened() {
            hasher.update(&index.to_le_bytes());
        }
    }
    hasher.finalize().to_string()
}

#[test]
fn streams_decode_as_the_reference_does() {
    let Imported { scene, report, .. } = import(Build::open(FILE));
    assert_eq!(report.warnings, []);
    assert_eq!(report.triangles, 2 * 340);
    for primitive in &scene.meshes[0].primitives {
        assert_eq!(primitive.positions.len(), 272);
        assert_eq!(primitive.joints[0].len(), 272);
    }
    // Of the same file with the bytes that the reference decoder (draco3dgltf 1.5.7) made of it.
    let reference = "21b3a1e6fd9824a9338b8d8fb38d0739ec82d57c4abfbeb4e710dc2562cf0e53";
    assert_eq!(geometry_hash(&scene), reference);
}

/// The file with one change must be refused with a chain of messages that holds `part`.
fn refused(change: impl FnOnce(&mut Build), part: &str) {
    let mut build = Build::open(FILE);
    change(&mut build);
    let error = chain(import_slice(&build.glb(), &mut NoFiles, 1 << 20).expect_err(part));
    assert!(error.contains(part), "{error:?} should contain {part:?}");
}

#[test]
fn what_cannot_be_decoded_is_named() {
    let set = |pointer: &'static str, value: serde_json::Value| {
        move |b: &mut Build| {
            let root = "/meshes/0/primitives/0/extensions/KHR_draco_mesh_compression";
            let place = b.json.pointer_mut(&format!("{root}{pointer}"));
            *place.expect("a place in the file") = value;
        }
    };
    refused(set("/bufferView", json!(9)), "it names buffer view 9");
    refused(set("/attributes/POSITION", json!(99)), "no attribute 99 for POSITION");
    refused(set("/attributes/POSITION", json!(3)), "2 components in the Draco stream where 3");
    refused(|b| b.buffer[0] = 0, "without Draco, or run `gltf-transform copy`");
    refused(|b| b.buffer.truncate(600), "its bytes cannot be found");
    refused(|b| b.json["bufferViews"][0]["byteLength"] = json!(100), "damaged or too large");
    let glb = Build::open(FILE).glb();
    let error = chain(import_slice(&glb, &mut NoFiles, 9000).expect_err("a small budget"));
    assert!(error.contains("too large") || error.contains("needs more"), "{error}");
}

#[test]
fn damaged_streams_are_errors_or_other_numbers() {
    let file = Build::open(FILE);
    let (mut good, mut bad) = (0, 0);
    for at in (0..file.buffer.len()).step_by(3) {
        for flip in [0x01, 0x80, 0xff] {
            let mut broken = Build { json: file.json.clone(), buffer: file.buffer.clone() };
            broken.buffer[at] ^= flip;
            match import_slice(&broken.glb(), &mut NoFiles, 1 << 20) {
                Ok(_) => good += 1,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    bad += 1;
                }
            }
        }
    }
    assert!(good > 100 && bad > 100, "{good} good, {bad} bad");
}
