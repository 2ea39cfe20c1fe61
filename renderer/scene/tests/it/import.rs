//! What a file says is what the scene holds; what it cannot hold is named.

use scene::{
    AlphaMode, Filter, ImportError, ImportOptions, Imported, LightKind, NoFiles, Projection,
    Transform, Wrap, import, import_slice,
};
use serde_json::json;

use crate::build::{Build, rich};

fn read(bytes: &[u8]) -> Result<Imported, ImportError> {
    import_slice(bytes, &mut NoFiles, 1 << 24)
}

fn imported(build: Build) -> Imported {
    read(&build.glb()).expect("a valid file")
}

/// The error's whole chain of messages.
pub fn chain(error: ImportError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// The rich file with one change must be refused with a message that holds `part`.
fn refused(change: impl FnOnce(&mut Build), part: &str) {
    let mut build = rich();
    change(&mut build);
    let error = chain(read(&build.glb()).expect_err(part));
    assert!(error.contains(part), "{error:?} should contain {part:?}");
}

/// The rich file with one change must import with a warning that holds `part`.
fn warned(change: impl FnOnce(&mut Build), part: &str) -> Imported {
    let mut build = rich();
    change(&mut build);
    let imported = imported(build);
    let warnings: Vec<String> = imported.report.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.iter().any(|text| text.contains(part)), "{warnings:?} lacks {part:?}");
    imported
}

#[test]
fn everything_arrives() {
    let Imported { scene, report, .. } = imported(rich());
    assert_eq!(report.warnings, []);
    assert_eq!((report.nodes, report.triangles, report.textures), (6, 2, 1));

    let material = &scene.materials[0];
    assert_eq!(material.base_color.map(f32::to_bits), [0.5_f32, 0.6, 0.7, 0.8].map(f32::to_bits));
    assert_eq!(material.emissive.map(f32::to_bits), [4.0_f32, 2.0, 1.0].map(f32::to_bits));
    assert!(matches!(material.alpha, AlphaMode::Mask(cutoff) if (cutoff - 0.3).abs() < 1e-6));
    assert!(material.double_sided);
    let moved = material.base_color_texture.expect("a texture");
    assert_eq!(moved.uv_set, 0, "the extension overrides the set");
    assert_eq!(moved.scale.map(f32::to_bits), [2.0_f32, 3.0].map(f32::to_bits));
    let texture = scene.textures[moved.texture as usize];
    assert_eq!((texture.wrap_u, texture.wrap_v), (Wrap::Clamp, Wrap::Mirror));
    assert_eq!(texture.filter, Filter::Nearest);
    assert_eq!((scene.images[0].width, scene.images[0].height), (4, 4));

    // A normal map without normals and tangents: both are computed.
    let primitive = &scene.meshes[0].primitives[0];
    assert_eq!(primitive.normals.len(), primitive.positions.len());
    assert_eq!(primitive.tangents.len(), primitive.positions.len());
    assert_eq!(primitive.colors[0].map(f32::to_bits), [0.5_f32, 0.5, 0.5, 1.0].map(f32::to_bits));

    // Lights keep colour times intensity.
    assert_eq!(scene.lights[0].intensity.map(f32::to_bits), [3.0_f32, 1.5, 0.75].map(f32::to_bits));
    assert_eq!(scene.lights[0].kind, LightKind::Directional);
    assert_eq!(scene.lights[1].range.map(f32::to_bits), Some(5.0_f32.to_bits()));
    assert!(matches!(scene.lights[2].kind, LightKind::Spot { outer_cone, .. } if outer_cone > 0.3));

    // Parents come first, and names fall back to the node's.
    let child = scene.nodes.iter().position(|node| node.name == "child").expect("the child");
    let parent = scene.nodes[child].parent.expect("its parent") as usize;
    assert!(parent < child);
    assert_eq!(scene.nodes[parent].name, "parent");
    assert!(matches!(scene.nodes[child].transform, Transform::Matrix(_)));
    assert_eq!(scene.cameras[0].name, "hero");
    assert!(matches!(scene.cameras[0].projection, Projection::Perspective { .. }));
}

#[test]
fn what_is_not_supported_is_named() {
    let extension = "KHR_materials_foo";
    warned(|b| b.json["extensionsUsed"] = json!([extension]), extension);
    warned(|b| b.json["materials"][0]["extensions"][extension] = json!({}), "(1 uses)");
    warned(|b| b.json["nodes"][0]["scale"] = json!([2, 2, 2]), "node child has a matrix and");
    warned(|b| _ = b.push("scenes", json!({})), "1 other scenes");
    warned(|b| b.json["materials"][0]["occlusionTexture"] = json!({ "index": 0 }), "occlusion");
    warned(|b| b.json["materials"][0]["emissiveTexture"]["texCoord"] = json!(2), "TEXCOORD_2");
    warned(|b| b.json["materials"][0]["emissiveTexture"]["texCoord"] = json!(1), "lacks texture");
    warned(|b| b.json["textures"][0] = json!({}), "has no PNG, JPEG, WebP or KTX 2");
    let roughness = "roughnessFactor";
    warned(|b| b.json["materials"][0]["pbrMetallicRoughness"][roughness] = json!(1.5), "clamped");
    let attributes = |b: &mut Build, name: &str, accessor: usize| {
        b.json["meshes"][0]["primitives"][0]["attributes"][name] = json!(accessor);
    };
    warned(
        |b| {
            let colors = b.floats(&[[2.0, 0.0, 0.0]; 4]);
            attributes(b, "COLOR_0", colors);
        },
        "vertex colours of mesh square",
    );
    warned(|b| attributes(b, "_CUSTOM", 0), "_CUSTOM");
    warned(
        |b| {
            let normals = b.floats(&[[0.0; 3]; 4]);
            attributes(b, "NORMAL", normals);
        },
        "NORMAL vectors of no direction",
    );
    let lines =
        warned(|b| b.json["meshes"][0]["primitives"][0]["mode"] = json!(1), "LINES of mesh");
    assert_eq!(lines.report.triangles, 0);
}

/// The rich file's material with these extensions.
fn with_extensions(extensions: serde_json::Value) -> (scene::Material, scene::Scene) {
    let mut build = rich();
    build.json["materials"][0]["extensions"] = extensions;
    let Imported { scene, report, .. } = imported(build);
    assert_eq!(report.warnings, []);
    (scene.materials[0].clone(), scene)
}

#[test]
fn every_layer_arrives() {
    let texture = json!({ "index": 0 });
    let (material, _) = with_extensions(json!({
        "KHR_materials_ior": { "ior": 1.4 },
        "KHR_materials_specular": {
            "specularFactor": 0.5, "specularTexture": texture,
            "specularColorFactor": [0.25, 0.5, 2.0], "specularColorTexture": texture,
        },
        "KHR_materials_transmission": { "transmissionFactor": 0.75, "transmissionTexture": texture },
        "KHR_materials_volume": {
            "thicknessFactor": 0.1, "attenuationDistance": 2.0, "attenuationColor": [0.1, 0.2, 0.3],
        },
        "KHR_materials_clearcoat": {
            "clearcoatFactor": 0.9, "clearcoatTexture": texture,
            "clearcoatRoughnessFactor": 0.2, "clearcoatRoughnessTexture": texture,
            "clearcoatNormalTexture": { "index": 0, "scale": 0.5 },
        },
        "KHR_materials_sheen": {
            "sheenColorFactor": [0.3, 0.2, 0.1], "sheenColorTexture": texture,
            "sheenRoughnessFactor": 0.6, "sheenRoughnessTexture": texture,
        },
        "KHR_materials_anisotropy": {
            "anisotropyStrength": 0.7, "anisotropyRotation": 1.5, "anisotropyTexture": texture,
        },
        "KHR_materials_dispersion": { "dispersion": 0.3 },
        "KHR_materials_iridescence": {
            "iridescenceFactor": 0.4, "iridescenceTexture": texture, "iridescenceIor": 1.8,
            "iridescenceThicknessMinimum": 150.0, "iridescenceThicknessMaximum": 550.0,
            "iridescenceThicknessTexture": texture,
        },
        "KHR_materials_diffuse_transmission": {
            "diffuseTransmissionFactor": 0.8, "diffuseTransmissionTexture": texture,
            "diffuseTransmissionColorFactor": [0.1, 0.9, 0.2],
            "diffuseTransmissionColorTexture": texture,
        },
    }));
    let layers = material.layers;
    assert_eq!(layers.textures().count(), 13);
    let numbers = [
        layers.ior,
        layers.specular,
        layers.specular_color[2],
        layers.transmission,
        layers.attenuation_color[1],
        layers.attenuation_distance,
        layers.coat,
        layers.coat_roughness,
        layers.coat_normal_scale,
        layers.sheen_color[0],
        layers.sheen_roughness,
        layers.anisotropy,
        layers.anisotropy_rotation,
        layers.dispersion,
        layers.translucency,
        layers.translucent_color[1],
        layers.iridescence,
        layers.iridescence_ior,
        layers.iridescence_thickness[0],
        layers.iridescence_thickness[1],
    ];
    let wanted = [
        1.4_f32, 0.5, 2.0, 0.75, 0.2, 2.0, 0.9, 0.2, 0.5, 0.3, 0.6, 0.7, 1.5, 0.3, 0.8, 0.9, 0.4,
        1.8, 150.0, 550.0,
    ];
    assert_eq!(numbers.map(f32::to_bits), wanted.map(f32::to_bits));
    assert!(layers.is_body && !material.is_unlit);
}

#[test]
fn a_wall_without_thickness_is_no_body_and_no_distance_absorbs_nothing() {
    let (material, _) = with_extensions(json!({
        "KHR_materials_volume": { "thicknessFactor": 0.0, "attenuationColor": [0.1, 0.2, 0.3] },
    }));
    assert!(!material.layers.is_body);
    assert_eq!(material.layers.attenuation_distance.to_bits(), 0);
    let (material, _) = with_extensions(json!({ "KHR_materials_unlit": {} }));
    assert!(material.is_unlit);
    assert_eq!(material.emissive.map(f32::to_bits), [0; 3]);
    let (material, _) = with_extensions(json!({ "KHR_materials_ior": { "ior": 0.0 } }));
    assert_eq!(material.layers.ior.to_bits(), 0);
}

#[test]
fn specular_glossiness_becomes_a_dielectric() {
    let (material, scene) = with_extensions(json!({
        "KHR_materials_pbrSpecularGlossiness": {
            "diffuseFactor": [0.1, 0.2, 0.3, 1.0], "specularFactor": [0.9, 0.8, 0.7],
            "glossinessFactor": 0.5, "specularGlossinessTexture": { "index": 0 },
        },
    }));
    assert_eq!(material.base_color.map(f32::to_bits), [0.1_f32, 0.2, 0.3, 1.0].map(f32::to_bits));
    assert_eq!((material.metallic.to_bits(), material.layers.ior.to_bits()), (0, 0));
    let shown = material.metallic_roughness_texture.expect("made from the glossiness");
    let glossy = material.layers.specular_color_texture.expect("the texture itself");
    let pixels = |texture: u32| {
        let image = &scene.images[scene.textures[texture as usize].image as usize];
        match &image.pixels {
            scene::Pixels::Rgba8(bytes) => bytes.clone(),
            scene::Pixels::Rgb32F(_) => panic!("eight bits a channel"),
        }
    };
    for (made, source) in
        pixels(shown.texture).chunks_exact(4).zip(pixels(glossy.texture).chunks_exact(4))
    {
        let wanted = (255.0 - f32::from(source[3]) * 0.5).round();
        assert_eq!(
            [f32::from(made[1]), f32::from(made[2])].map(f32::to_bits),
            [wanted, 0.0].map(f32::to_bits)
        );
    }
}

#[test]
fn layers_out_of_range_are_named() {
    let set = |extension: &'static str, value: serde_json::Value| {
        move |b: &mut Build| b.json["materials"][0]["extensions"][extension] = value
    };
    warned(set("KHR_materials_ior", json!({ "ior": 0.5 })), "the index of refraction of material");
    warned(set("KHR_materials_clearcoat", json!({ "clearcoatFactor": 2 })), "the clearcoat of");
    warned(
        set("KHR_materials_volume", json!({ "thicknessTexture": { "index": 0 } })),
        "the thickness texture of material",
    );
    refused(
        set("KHR_materials_sheen", json!({ "sheenColorTexture": { "index": 9 } })),
        "texture 9",
    );
    refused(set("KHR_materials_ior", json!({ "ior": "glass" })), "invalid type");
}

#[test]
fn what_the_file_requires_and_we_lack_is_refused() {
    let required = json!(["KHR_texture_transform", "MSFT_lod", "FOO_bar"]);
    refused(|b| b.json["extensionsRequired"] = required, "MSFT_lod, FOO_bar");
}

#[test]
fn indices_out_of_range_are_refused() {
    let root = |b: &mut Build, pointer: &str, value: serde_json::Value| {
        *b.json.pointer_mut(pointer).expect("a place in the file") = value;
    };
    refused(|b| root(b, "/nodes/0/mesh", json!(9)), "node 0 names mesh 9");
    refused(|b| b.json["nodes"][1]["camera"] = json!(9), "names camera 9");
    refused(|b| b.json["scene"] = json!(3), "names scene 3");
    refused(|b| root(b, "/scenes/0/nodes/0", json!(77)), "names node 77");
    refused(|b| root(b, "/meshes/0/primitives/0/material", json!(5)), "names material 5");
    refused(|b| root(b, "/meshes/0/primitives/0/indices", json!(50)), "names accessor 50");
    refused(|b| root(b, "/textures/0/source", json!(4)), "names image 4");
    refused(|b| root(b, "/textures/0/sampler", json!(4)), "names sampler 4");
    refused(|b| root(b, "/images/0/bufferView", json!(40)), "names buffer view 40");
    refused(|b| root(b, "/materials/0/normalTexture/index", json!(4)), "names texture 4");
    refused(|b| root(b, "/bufferViews/1/buffer", json!(4)), "names buffer 4");
    refused(|b| root(b, "/nodes/0/mesh", json!(4_294_967_296_u64)), "not valid glTF");
    let light = "/nodes/2/extensions/KHR_lights_punctual/light";
    refused(|b| root(b, light, json!(9)), "names light 9");
}

#[test]
fn impossible_numbers_and_words_are_refused() {
    let nan = |b: &mut Build| {
        let positions = b.floats(&[[f32::NAN; 3]; 4]);
        b.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = json!(positions);
    };
    refused(nan, "POSITION of vertex 0 is NaN");
    let far = |b: &mut Build| {
        let positions = b.floats(&[[0.0, f32::INFINITY, 0.0]; 4]);
        b.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = json!(positions);
    };
    refused(far, "is inf");
    let short = |b: &mut Build| {
        let normals = b.floats(&[[0.0, 0.0, 1.0]; 3]);
        b.json["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = json!(normals);
    };
    refused(short, "NORMAL has 3 elements where its POSITION has 4");
    refused(|b| b.json["nodes"][2]["translation"] = json!([1e39, 0, 0]), "within ±1e9");
    refused(|b| b.json["nodes"][0]["matrix"] = json!(vec![0; 16]), "a last matrix row");
    refused(|b| b.json["materials"][0]["alphaMode"] = json!("GLASS"), "\"GLASS\"");
    refused(|b| b.json["cameras"][0]["perspective"]["yfov"] = json!(7), "field of view of 7");
    refused(|b| b.json["meshes"][0]["primitives"][0]["mode"] = json!(9), "mode is 9");
    refused(|b| b.json["asset"]["version"] = json!("1.0"), "glTF 1.0");
    let indices = |b: &mut Build| {
        let indices = b.indices(&[0, 1, 4]);
        b.json["meshes"][0]["primitives"][0]["indices"] = json!(indices);
    };
    refused(indices, "indices name vertex 4, but it has 4");
    refused(|b| b.json["accessors"][0]["count"] = json!(1_u64 << 60), "of 48");
    refused(|b| b.json["images"][0]["bufferView"] = json!(1), "format is not known");
}

#[test]
fn nodes_must_form_trees() {
    refused(|b| b.json["nodes"][2]["children"] = json!([3]), "node 3 is a scene's root");
    refused(|b| b.json["nodes"][2]["children"] = json!([0]), "two parents");
    refused(|b| b.json["nodes"][0]["children"] = json!([0]), "two parents");
    let cycle = |b: &mut Build| {
        let first = b.push("nodes", json!({}));
        let second = b.push("nodes", json!({ "children": [first] }));
        b.json["nodes"][first]["children"] = json!([second]);
    };
    refused(cycle, "its own ancestor");
    refused(|b| b.json["scenes"][0]["nodes"] = json!([2, 2]), "listed twice");
}

#[test]
fn a_deep_tree_is_no_recursion() {
    let mut build = Build::new();
    build.root_node(json!({}));
    for depth in 1..100_000 {
        build.push("nodes", json!({}));
        build.json["nodes"][depth - 1]["children"] = json!([depth]);
    }
    assert_eq!(imported(build).report.nodes, 100_000);
}

#[test]
fn sharing_does_not_multiply_past_the_limit() {
    let mut build = Build::new();
    let positions = build.floats(&[[0.0; 3]; 50_000]);
    let primitive = json!({ "attributes": { "POSITION": positions } });
    let primitives = vec![primitive; 1000];
    let mesh = build.push("meshes", json!({ "primitives": primitives }));
    build.root_node(json!({ "mesh": mesh }));
    let error = chain(read(&build.glb()).expect_err("over the limit"));
    assert!(error.contains("needs more than 16777216 bytes"), "{error}");
    let zeros = |b: &mut Build| {
        let zeros = json!({ "componentType": 5126, "count": 1_u64 << 40, "type": "VEC3" });
        let zeros = b.push("accessors", zeros);
        b.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = json!(zeros);
    };
    refused(zeros, "are left of the import's limit");
}

#[test]
fn other_formats_are_refused_by_name() {
    let files: [(&[u8], &str); 7] = [
        (b"BLENDER-v500RENDH", "a Blender file; only glTF 2.0 (.glb, .gltf) is read: in Blender"),
        (b"\x28\xb5\x2f\xfd\x24", "as Blender files are; only glTF"),
        (b"#usda 1.0\n(\n)", "the file is USD;"),
        (b"PK\x03\x04\x0a\x00", "as USDZ is;"),
        (
            b" BDV\x00\x00",
            "an OpenVDB volume; only glTF 2.0 (.glb, .gltf) is read: volumes are not",
        ),
        (b"# made by hand\no cube\nv 1.0 0.0 0.0\n", "the file is Wavefront OBJ; "),
        (b"a letter to an artist", "begins with neither \"glTF\" nor JSON"),
    ];
    for (bytes, expected) in files {
        let error = read(bytes).expect_err("another format").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let glb = rich().glb();
    for length in 0..glb.len() {
        let error = read(&glb[..length]).expect_err("a truncated file");
        let expected = matches!(error, ImportError::Truncated { .. } | ImportError::NotGltf);
        assert!(expected, "the first {length} bytes: {error}");
    }
}

#[test]
fn strips_sparse_and_quantised_data_are_read() {
    let mut build = Build::new();
    build.json["extensionsRequired"] = json!(["KHR_mesh_quantization"]);
    // Four corners in bytes, twelve bytes apart, between other data; the last is moved by sparse.
    let mut bytes = vec![0xEE_u8; 48];
    for (index, corner) in [[0, 0, 0], [127, 0, 0], [0, 127, 0], [9, 9, 9]].iter().enumerate() {
        bytes[12 * index..12 * index + 3].copy_from_slice(corner);
    }
    let view = build.view(&bytes);
    build.json["bufferViews"][view]["byteStride"] = json!(12);
    let at = build.view(&[3]);
    let to = build.view(&[127, 127, 0]);
    let positions = build.push(
        "accessors",
        json!({ "bufferView": view, "componentType": 5120, "normalized": true, "count": 4,
            "type": "VEC3", "sparse": { "count": 1,
                "indices": { "bufferView": at, "componentType": 5121 },
                "values": { "bufferView": to } } }),
    );
    let mesh = build.push(
        "meshes",
        json!({ "primitives": [{ "attributes": { "POSITION": positions }, "mode": 5 }] }),
    );
    build.root_node(json!({ "mesh": mesh }));
    let scene = imported(build).scene;
    let primitive = &scene.meshes[0].primitives[0];
    assert_eq!(primitive.positions[3].map(f32::to_bits), [1.0_f32, 1.0, 0.0].map(f32::to_bits));
    assert_eq!(primitive.indices, [[0, 1, 2], [1, 3, 2]]);
    assert!(primitive.normals.is_empty(), "flat shading needs none");
}

#[test]
fn instances_become_nodes() {
    let mut build = rich();
    let translations = build.floats(&[[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 0.0, 0.0]]);
    let attributes = json!({ "TRANSLATION": translations });
    build.json["nodes"][0]["extensions"]["EXT_mesh_gpu_instancing"]["attributes"] = attributes;
    let instanced = imported(build);
    assert_eq!(instanced.report.warnings, []);
    let shown: Vec<_> = instanced.scene.nodes.iter().filter(|node| node.mesh.is_some()).collect();
    assert_eq!(shown.len(), 3, "the node itself shows nothing");
    assert!(shown.iter().all(|node| node.parent == shown[0].parent));

    let uneven = |b: &mut Build| {
        let translations = b.floats(&[[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]);
        let scales = b.floats(&[[1.0, 1.0, 1.0]]);
        b.json["nodes"][0]["extensions"]["EXT_mesh_gpu_instancing"]["attributes"] =
            json!({ "TRANSLATION": translations, "SCALE": scales });
    };
    refused(uneven, "1 SCALE values for 2 instances");
}

#[test]
fn files_beside_are_read_and_files_elsewhere_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (gltf, bin) = rich().gltf("data%20of/scene.bin");
    std::fs::create_dir(folder.path().join("data of")).expect("a folder");
    std::fs::write(folder.path().join("data of/scene.bin"), &bin).expect("the buffer");
    let path = folder.path().join("still life.gltf");
    std::fs::write(&path, gltf).expect("the scene");
    let imported = import(&path, &ImportOptions::default()).expect("a scene with its buffer");
    assert_eq!(imported.scene.name, "still life");

    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("scene.bin"), &bin).expect("the buffer");
    let absolute = outside.path().join("scene.bin").display().to_string();
    for uri in ["../scene.bin", absolute.as_str(), "https://example.org/scene.bin"] {
        let (gltf, _bin) = rich().gltf(uri);
        std::fs::write(&path, gltf).expect("the scene");
        let error = import(&path, &ImportOptions::default()).expect_err(uri);
        assert!(matches!(error, ImportError::Uri { .. }), "{uri}: {error}");
    }
    #[cfg(unix)]
    {
        let link = folder.path().join("link.bin");
        std::os::unix::fs::symlink(outside.path().join("scene.bin"), link).expect("a link");
        let (gltf, _bin) = rich().gltf("link.bin");
        std::fs::write(&path, gltf).expect("the scene");
        let error = chain(import(&path, &ImportOptions::default()).expect_err("a link out"));
        assert!(error.contains("leads out of the scene's folder"), "{error}");
    }
}

#[test]
fn data_uris_are_read() {
    use base64::Engine as _;
    let (_json, bin) = rich().gltf("");
    let data = base64::engine::general_purpose::STANDARD.encode(bin);
    let (gltf, _bin) = rich().gltf(&format!("data:application/octet-stream;base64,{data}"));
    let first = read(&gltf).expect("a buffer in the file").scene;
    let second = read(&rich().glb()).expect("a binary file").scene;
    assert_eq!(scene::pack(&first), scene::pack(&second));
}

#[test]
fn an_environment_is_read_or_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = folder.path().join("scene.glb");
    std::fs::write(&scene, rich().glb()).expect("the scene");
    let hdr = folder.path().join("sky.hdr");
    let pixels = image::Rgb32FImage::from_pixel(8, 4, image::Rgb([0.5, 0.25, 2.0]));
    image::DynamicImage::ImageRgb32F(pixels).save(&hdr).expect("the environment");
    let options = ImportOptions {
        environment: Some(hdr.clone()),
        environment_strength: 2.0,
        environment_rotation_degrees: 90.0,
        ..ImportOptions::default()
    };
    let imported = import(&scene, &options).expect("a scene with its environment");
    let Some(scene::Environment::Map { image, strength, rotation }) = imported.scene.environment
    else {
        panic!("no environment map");
    };
    assert_eq!(imported.scene.images[image as usize].width, 8);
    assert!((strength - 2.0).abs() < 1e-6 && (rotation - std::f32::consts::FRAC_PI_2).abs() < 1e-6);

    // As well afterwards, in place of what surrounded it.
    let before = ImportOptions { environment_strength: 0.5, ..options.clone() };
    let mut edited = import(&scene, &before).expect("a scene with another environment").scene;
    let image =
        scene::read_environment(&hdr, scene::limits::SCENE_BYTES_MAX).expect("an environment");
    edited.set_environment(image, 2.0, 90.0_f32.to_radians()).expect("in range");
    let id = |scene: &scene::Scene| scene::pack(scene).id();
    assert_eq!(id(&edited), id(&imported.scene));
    let bytes = 8 * 4 * 12;
    assert!(scene::read_environment(&hdr, bytes).is_ok());
    let error = chain(scene::read_environment(&hdr, bytes - 1).expect_err("too large"));
    assert!(error.contains("384 bytes"), "{error}");

    std::fs::write(&hdr, b"not a picture").expect("another file");
    let error = chain(import(&scene, &options).expect_err("no picture"));
    assert!(error.contains("Radiance HDR"), "{error}");
    let error = chain(scene::read_environment(&hdr, bytes).expect_err("no picture"));
    assert!(error.contains("sky.hdr"), "{error}");
}

#[test]
fn variants_choose_materials() {
    let mut build = rich();
    let red = build.push("materials", json!({ "name": "red" }));
    let blue = build.push("materials", json!({ "name": "blue" }));
    let mapping =
        |material: usize, variants: &[u32]| json!({ "material": material, "variants": variants });
    build.json["meshes"][0]["primitives"][0]["extensions"]["KHR_materials_variants"] =
        json!({ "mappings": [mapping(red, &[0, 2]), mapping(blue, &[1])] });
    let names = ["autumn", "sea", "brick", "as it is"].map(|name| json!({ "name": name }));
    build.json["extensions"]["KHR_materials_variants"]["variants"] = json!(names);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("variants.glb");
    std::fs::write(&path, build.glb()).expect("the scene");
    let read = |name: Option<&str>| {
        let options =
            ImportOptions { variant: name.map(str::to_owned), ..ImportOptions::default() };
        import(&path, &options)
    };
    for (name, material) in
        [("autumn", "red"), ("sea", "blue"), ("brick", "red"), ("as it is", "everything")]
    {
        let Imported { scene, report, .. } = read(Some(name)).expect("a variant");
        let shown = scene.meshes[0].primitives[0].material.expect("a material");
        assert_eq!(scene.materials[shown as usize].name, material, "{name}");
        assert_eq!(scene.materials.len(), 1, "{name}: others are not in the package");
        assert_eq!(report.warnings, [], "{name}");
        assert_eq!(report.variants, ["autumn", "sea", "brick", "as it is"]);
    }
    let Imported { scene, report, .. } = read(None).expect("without a variant");
    assert_eq!(scene.materials[0].name, "everything");
    let text = report.warnings[0].to_string();
    assert!(text.contains("there are variants: autumn, sea, brick, as it is"), "{text}");
    let error = chain(read(Some("winter")).expect_err("no such variant"));
    assert!(error.contains("named \"winter\"; choose one of: autumn, sea"), "{error}");
    std::fs::write(&path, rich().glb()).expect("the scene");
    let error = chain(read(Some("sea")).expect_err("no variants"));
    assert!(error.contains("it has none; leave the variant out"), "{error}");
}
