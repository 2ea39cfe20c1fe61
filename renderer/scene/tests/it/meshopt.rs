//! Compressed buffer views decode to what the reference decoder makes of them.

use scene::{Imported, NoFiles, import_slice, pack};
use serde_json::json;

use crate::build::Build;
use crate::import::chain;

const FILES: [(&str, &[u8]); 2] = [
    ("EXT_meshopt_compression", include_bytes!("../data/meshopt-ext.glb")),
    ("KHR_meshopt_compression", include_bytes!("../data/meshopt-khr.glb")),
];

fn import(build: Build) -> Imported {
    import_slice(&build.glb(), &mut NoFiles, 1 << 20).expect("a valid file")
}

/// Both files with their streams alone: the views stand in a buffer that is not there.
pub fn compressed() -> Vec<Build> {
    let files = FILES.map(|(name, bytes)| {
        let mut build = Build::open(bytes);
        let whole = std::mem::take(&mut build.buffer);
        let views = build.json["bufferViews"].as_array_mut().expect("a list");
        for view in views {
            let stream = &mut view["extensions"][name];
            let number = |value: &serde_json::Value| value.as_u64().expect("a number") as usize;
            let (offset, length) = (number(&stream["byteOffset"]), number(&stream["byteLength"]));
            stream["byteOffset"] = json!(build.buffer.len());
            build.buffer.extend_from_slice(&whole[offset..offset + length]);
            view["buffer"] = json!(1);
        }
        build.json["buffers"] = json!([{}, { "byteLength": whole.len() }]);
        build
    });
    files.into()
}

#[test]
fn every_mode_and_filter_decodes_as_the_reference_does() {
    for ((name, bytes), alone) in FILES.into_iter().zip(compressed()) {
        let read = import(Build::open(bytes));
        assert_eq!(read.report.warnings, [], "{name}");
        assert_eq!(read.scene.nodes.len(), 38, "{name}");
        let mut plain = Build::open(bytes);
        for view in plain.json["bufferViews"].as_array_mut().expect("a list") {
            view.as_object_mut().expect("an object").remove("extensions");
        }
        let plain = import(plain);
        assert_eq!(pack(&read.scene), pack(&plain.scene), "{name}");
        assert_eq!(pack(&import(alone).scene), pack(&plain.scene), "{name}");
    }
}

/// The first file with one change to a view and its stream must be refused with a chain of
/// messages that holds `part`.
fn refused(view: usize, change: impl FnOnce(&mut serde_json::Value, &mut Vec<u8>), part: &str) {
    let mut build = compressed().swap_remove(0);
    change(&mut build.json["bufferViews"][view], &mut build.buffer);
    let error = import_slice(&build.glb(), &mut NoFiles, 1 << 20).expect_err(part);
    let text = chain(error);
    assert!(text.contains(part), "{text:?} should contain {part:?}");
}

#[test]
fn what_cannot_be_decoded_is_named() {
    let set = |key: &'static str, value: serde_json::Value| {
        move |view: &mut serde_json::Value, _: &mut Vec<u8>| {
            view["extensions"]["EXT_meshopt_compression"][key] = value;
        }
    };
    refused(0, set("mode", json!("ZIP")), "view 0 cannot be decoded");
    refused(0, set("mode", json!("ZIP")), "mode \"ZIP\"");
    refused(0, set("mode", json!(null)), "no mode");
    refused(0, set("filter", json!("BLUR")), "filter \"BLUR\"");
    refused(1, set("filter", json!("QUATERNION")), "4 bytes do not suit the filter QUATERNION");
    refused(3, set("filter", json!("OCTAHEDRAL")), "2 bytes do not suit a mode of indices");
    refused(0, set("byteStride", json!(6)), "6 bytes do not suit the mode ATTRIBUTES");
    refused(0, set("byteStride", json!(null)), "no byteStride");
    refused(0, set("count", json!(271)), "271 elements of 8 bytes do not make its 2176 bytes");
    refused(0, set("count", json!(u64::MAX)), "do not make its 2176 bytes");
    refused(3, set("count", json!(1021)), "fill no last triangle");
    refused(0, set("buffer", json!(null)), "no buffer");
    refused(0, set("buffer", json!(7)), "buffer view 0 names buffer 7");
    refused(0, set("byteLength", json!(1 << 30)), "ends early");
    refused(0, set("byteLength", json!(100)), "ends early");
    refused(0, set("mode", json!("INDICES")), "8 bytes do not suit");
    refused(4, set("mode", json!("ATTRIBUTES")), "begins with byte 0xd1");
    refused(0, |_, bytes| bytes[0] = 7, "begins with byte 0x07");
    // A billion elements of a stream that lies: refused before memory is taken.
    let bomb = |view: &mut serde_json::Value, _: &mut Vec<u8>| {
        view["byteLength"] = json!(8_u64 << 30);
        view["extensions"]["EXT_meshopt_compression"]["count"] = json!(1_u64 << 30);
    };
    refused(0, bomb, "needs more than 1048576 bytes");
}

#[test]
fn damaged_streams_are_errors_or_other_numbers() {
    // Every byte of every stream, each way it may break that a decoder would notice.
    for build in compressed() {
        let bytes = build.buffer.len();
        let (mut good, mut bad) = (0, 0);
        for at in 0..bytes {
            for flip in [0x01, 0x80, 0xff] {
                let mut broken = Build { json: build.json.clone(), buffer: build.buffer.clone() };
                broken.buffer[at] ^= flip;
                match import_slice(&broken.glb(), &mut NoFiles, 1 << 20) {
                    Ok(imported) => {
                        assert!(imported.report.triangles <= 390);
                        good += 1;
                    }
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        bad += 1;
                    }
                }
            }
        }
        assert!(good > 100 && bad > 100, "{good} good, {bad} bad");
    }
}
