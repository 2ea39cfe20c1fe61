//! KTX 2 images decode to what the reference transcoder makes of them.

use scene::{ImportError, Imported, NoFiles, Pixels, import_slice};
use serde_json::json;

use crate::build::{Build, rich};
use crate::import::chain;

const FILES: [(&str, &[u8], &str); 3] = [
    (
        "leaf-etc1s",
        include_bytes!("../data/leaf-etc1s.ktx2"),
        "16cebaddd131dec18b74cfbf17a2d1df5fdb1e6a348c2ab100449923c0f6203a",
    ),
    (
        "leaf-uastc",
        include_bytes!("../data/leaf-uastc.ktx2"),
        "a0c890502d5c4fdd42143e805bafd9181c2a1758c27551c1135dd3e3d6bc1103",
    ),
    (
        "leaf-zstd",
        include_bytes!("../data/leaf-zstd.ktx2"),
        "a0c890502d5c4fdd42143e805bafd9181c2a1758c27551c1135dd3e3d6bc1103",
    ),
];

/// The rich file whose texture has a PNG and this image.
fn with_image(image: &[u8]) -> Build {
    let mut build = rich();
    let view = build.view(image);
    let image = build.push("images", json!({ "bufferView": view, "mimeType": "image/ktx2" }));
    build.json["textures"][0]["extensions"]["KHR_texture_basisu"] = json!({ "source": image });
    build.json["extensionsRequired"] = json!(["KHR_texture_basisu"]);
    build
}

fn read(image: &[u8]) -> Result<Imported, ImportError> {
    import_slice(&with_image(image).glb(), &mut NoFiles, 1 << 20)
}

#[test]
fn pictures_decode_as_the_reference_does() {
    for (name, bytes, hash) in FILES {
        let Imported { scene, report, .. } = read(bytes).expect(name);
        assert_eq!(report.warnings, [], "{name}");
        let [image] = scene.images.as_slice() else { panic!("{name}: one image, not the PNG") };
        assert_eq!((image.width, image.height), (62, 46), "{name}");
        let Pixels::Rgba8(pixels) = &image.pixels else { panic!("{name}: bytes") };
        assert_eq!(blake3::hash(pixels).to_string(), hash, "{name}");
    }
}

#[test]
fn what_cannot_be_decoded_is_named() {
    let refused = |at: usize, word: u32, part: &str| {
        let mut bytes = FILES[2].1.to_vec();
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        let error = chain(read(&bytes).expect_err(part));
        assert!(error.contains(part), "{error:?} should contain {part:?}");
    };
    refused(12, 37, "KHR_texture_basisu allows no other");
    refused(20, 0, "0x46 px");
    refused(20, 20_000, "20000x46 px");
    refused(20, 16_000, "are left of the import's limit");
    refused(28, 2, "no plain picture");
    refused(36, 6, "no plain picture");
    refused(40, 99, "KHR_texture_basisu allows no other");
    refused(44, 3, "KHR_texture_basisu allows no other");
    refused(48, u32::MAX, "ends early");
    refused(68, u32::MAX, "ends early");
    refused(84, u32::MAX, "ends early");
    // A level that claims to unpack to more than its blocks.
    refused(100, 1, "ends early");
    let error = chain(read(&FILES[0].1[..60]).expect_err("a stump"));
    assert!(error.contains("ends early"), "{error}");
}

#[test]
fn damaged_pictures_are_errors_or_other_pixels() {
    for (name, bytes, _) in FILES {
        let (mut good, mut bad) = (0, 0);
        for at in 12..bytes.len() {
            let mut broken = bytes.to_vec();
            broken[at] ^= [0x01, 0x80, 0xff][at % 3];
            match read(&broken) {
                Ok(_) => good += 1,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    bad += 1;
                }
            }
        }
        println!("{name}: {good} good, {bad} bad");
        assert!(good > 10 && bad > 10, "{name}: {good} good, {bad} bad");
    }
}
