//! What files in the wild are like: each is imported, or refused by name and number.

use scene::{
    ImportError, ImportOptions, Imported, MissingTextures, NoFiles, Pixels, Transform, import,
    import_slice, pack, unpack,
};
use serde_json::json;

use crate::build::{Build, moving, rich};
use crate::import::chain;

fn read(build: Build, bytes_max: u64) -> Result<Imported, ImportError> {
    import_slice(&build.glb(), &mut NoFiles, bytes_max)
}

/// It imports, travels, and has exactly these warnings, by their parts.
fn imported(build: Build, parts: &[&str]) -> Imported {
    let imported = read(build, 1 << 24).expect("a valid file");
    let warnings: Vec<String> = imported.report.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), parts.len(), "{warnings:?}");
    for (warning, part) in warnings.iter().zip(parts) {
        assert!(warning.contains(part), "{warning:?} should contain {part:?}");
    }
    assert_eq!(unpack(pack(&imported.scene).bytes()).expect("own package"), imported.scene);
    imported
}

fn refused(build: Build, part: &str) {
    let error = chain(read(build, 1 << 24).expect_err(part));
    assert!(error.contains(part), "{error:?} should contain {part:?}");
}

fn attribute(build: &mut Build, name: &str, accessor: usize) {
    build.json["meshes"][0]["primitives"][0]["attributes"][name] = json!(accessor);
}

#[test]
fn triangles_without_an_area_are_no_trouble() {
    // All corners in one place, on a line, twice the same vertex; with a normal map, so that
    // tangents are made for them.
    let mut build = rich();
    let positions = build.floats(&[[0.0; 3], [0.0; 3], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]);
    attribute(&mut build, "POSITION", positions);
    let indices = build.indices(&[0, 1, 0, 0, 1, 2, 1, 2, 3, 3, 3, 3]);
    build.json["meshes"][0]["primitives"][0]["indices"] = json!(indices);
    let scene = imported(build, &[]).scene;
    let primitive = &scene.meshes[0].primitives[0];
    assert_eq!(primitive.indices.len(), 2, "two equal corners span nothing");
    assert_eq!(primitive.tangents.len(), primitive.positions.len());
}

#[test]
fn normals_that_point_nowhere_are_made_anew_alone() {
    let nan = f32::NAN;
    let mut build = moving();
    let normals =
        build.floats(&[[0.0; 3], [nan, 0.0, 1.0], [0.0, 2.0, 0.0], [0.0, 0.0, f32::INFINITY]]);
    attribute(&mut build, "NORMAL", normals);
    let scene = imported(build, &["mesh square has NORMAL vectors of no direction"]).scene;
    let square = &scene.meshes[0].primitives[0];
    let bits = |vector: [f32; 3]| vector.map(f32::to_bits);
    for (vertex, wanted) in
        [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].into_iter().enumerate()
    {
        assert_eq!(bits(square.normals[vertex]), bits(wanted), "of vertex {vertex}");
    }
    let mut build = rich();
    let normals = build.floats(&[[0.0, 0.0, 1.0]; 4]);
    attribute(&mut build, "NORMAL", normals);
    let tangents = build.floats(&[[nan, 0.0, 0.0, 1.0]; 4]);
    attribute(&mut build, "TANGENT", tangents);
    imported(build, &["TANGENT vectors of no direction"]);
}

#[test]
fn emitters_without_an_area_are_imported() {
    let mut build = rich();
    let positions = build.floats(&[[1.0, 2.0, 3.0]; 4]);
    attribute(&mut build, "POSITION", positions);
    let scene = imported(build, &[]).scene;
    assert!(scene.materials[0].emissive[0] > 0.0);
}

/// A checksum as PNG has it (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
    let byte = |crc: u32, &byte: &u8| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc));
    !bytes.iter().fold(u32::MAX, byte)
}

/// A PNG that says it is this large; its pixels are those of a row.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::GrayImage::new(width, 1)
        .write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png)
        .expect("a row of pixels");
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn large_textures_are_imported_or_refused_with_both_numbers() {
    let with = |png: &[u8]| {
        let mut build = rich();
        let view = build.view(png);
        build.json["images"][0]["bufferView"] = json!(view);
        build
    };
    let image = &imported(with(&png(16_384, 1)), &[]).scene.images[0];
    assert_eq!((image.width, image.height), (16_384, 1));
    let whole = chain(read(with(&png(16_384, 16_384)), 1 << 24).expect_err("too many bytes"));
    let left = whole.split("1073741824 bytes; ").nth(1).and_then(|rest| rest.split(' ').next());
    let left: u64 = left.and_then(|left| left.parse().ok()).expect(&whole);
    assert!(left < 1 << 24 && whole.contains("image 0"), "{whole}");
    refused(with(&png(16_385, 1)), "it is 16385x1 px; each side must be 1..=16384 px");
    refused(with(&png(1, 20_000)), "it is 1x20000 px");
}

#[test]
fn missing_textures_are_refused_or_magenta() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scene.glb");
    let read = |uri: &str, missing_textures| {
        let mut build = rich();
        build.json["images"][0] = json!({ "uri": uri });
        std::fs::write(&path, build.glb()).expect("the scene");
        import(&path, &ImportOptions { missing_textures, ..ImportOptions::default() })
    };
    for uri in ["wood.png", "../wood.png", "https://example.org/wood.png", "/home/a/wood.png"] {
        let error = chain(read(uri, MissingTextures::Refuse).expect_err(uri));
        assert!(error.contains("image 0") && error.contains(uri), "{error}");
        let Imported { scene, report, .. } = read(uri, MissingTextures::Magenta).expect(uri);
        let text = report.warnings[0].to_string();
        assert!(text.contains(&format!("image {uri} cannot be had")), "{text}");
        assert!(scene.images[0].pixels == Pixels::Rgba8(vec![255, 0, 255, 255]), "{uri}");
    }
    // A file that is there and no picture is damage, not absence.
    std::fs::write(folder.path().join("wood.png"), b"no picture").expect("a file");
    let error = chain(read("wood.png", MissingTextures::Magenta).expect_err("no picture"));
    assert!(error.contains("format is not known"), "{error}");
}

#[test]
fn negative_and_uneven_scales_stay() {
    let mut build = rich();
    build.json["nodes"][2]["scale"] = json!([-2.0, 0.5, 0.0]);
    build.json["nodes"][2]["rotation"] = json!([0.0, 3.0, 0.0, 4.0]);
    let scene = imported(build, &[]).scene;
    let node = scene.nodes.iter().find(|node| node.name == "node 2").expect("the node");
    let Transform::Trs { rotation, scale, .. } = node.transform else { panic!("in parts") };
    assert_eq!(scale.map(f32::to_bits), [-2.0_f32, 0.5, 0.0].map(f32::to_bits));
    assert_eq!(rotation.map(f32::to_bits), [0.0_f32, 0.6, 0.0, 0.8].map(f32::to_bits));
}

#[test]
fn deep_trees_travel() {
    let mut build = Build::new();
    build.root_node(json!({}));
    for depth in 1..10_000 {
        build.push("nodes", json!({ "translation": [0.001, 0.0, 0.0] }));
        build.json["nodes"][depth - 1]["children"] = json!([depth]);
    }
    assert_eq!(imported(build, &[]).report.nodes, 10_000);
}

#[test]
fn keys_that_are_no_numbers_are_refused() {
    let set = |list: &str, sampler: usize, values: &[[f32; 4]]| {
        let mut build = moving();
        let accessor = build.floats(values);
        build.json["animations"][0]["samplers"][sampler][list] = json!(accessor);
        build
    };
    refused(set("output", 0, &[[f32::NAN; 4]; 2]), "channel 0 has a value of NaN");
    let mut build = moving();
    let times = build.floats(&[[0.0], [f32::NAN]]);
    build.json["animations"][0]["samplers"][0]["input"] = json!(times);
    refused(build, "channel 0 has a time of NaN");
}
