//! What moves arrives, and what cannot is named.

use scene::{
    ImportOptions, Imported, Interpolation, NoFiles, Property, import_slice, pack, unpack,
};
use serde_json::json;

use crate::build::{Build, moving};

/// The moving file with one change must import with exactly these warnings, by their parts.
fn warned(change: impl FnOnce(&mut Build), parts: &[&str]) -> Imported {
    let mut build = moving();
    change(&mut build);
    let imported = import_slice(&build.glb(), &mut NoFiles, 1 << 20).expect("a valid file");
    let warnings: Vec<String> = imported.report.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), parts.len(), "{warnings:?}");
    for (warning, part) in warnings.iter().zip(parts) {
        assert!(warning.contains(part), "{warning:?} should contain {part:?}");
    }
    imported
}

/// The moving file with one change must be refused with a chain of messages that holds `part`.
fn refused(change: impl FnOnce(&mut Build), part: &str) {
    let mut build = moving();
    change(&mut build);
    let error = import_slice(&build.glb(), &mut NoFiles, 1 << 20).expect_err(part);
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    assert!(text.contains(part), "{text:?} should contain {part:?}");
}

fn attribute(build: &mut Build, name: &str, accessor: usize) {
    build.json["meshes"][0]["primitives"][0]["attributes"][name] = json!(accessor);
}

#[test]
fn everything_that_moves_arrives_and_travels() {
    let scene = warned(|_| {}, &[]).scene;
    let kinds: Vec<_> =
        scene.channels.iter().map(|c| (c.node, c.property, c.interpolation)).collect();
    assert_eq!(
        kinds,
        [
            (2, Property::Rotation, Interpolation::Linear),
            (1, Property::Translation, Interpolation::Step),
            (1, Property::Scale, Interpolation::Step),
            (0, Property::Weights, Interpolation::CubicSpline),
        ]
    );
    assert_eq!(scene.channels.iter().map(|c| c.values.len()).collect::<Vec<_>>(), [8, 6, 6, 12]);
    assert_eq!(scene.channels[0].times.iter().map(|t| t.to_bits()).max(), Some(1_f32.to_bits()));
    let skin = &scene.skins[0];
    assert_eq!((skin.name.as_str(), skin.joints.as_slice()), ("bones", &[1, 2][..]));
    assert_eq!(skin.inverse_binds[1][3].map(f32::to_bits), [0.0_f32, -1.0, 0.0].map(f32::to_bits));
    assert_eq!(scene.nodes[0].skin, Some(0));
    assert_eq!(scene.meshes[0].weights.len(), 2);
    let square = &scene.meshes[0].primitives[0];
    assert_eq!(square.joints[0][2], [1, 0, 0, 0], "joints that do not count name none");
    assert_eq!(square.targets.len(), 2);
    assert!(square.targets[0].normals.is_empty() && square.targets[1].normals.len() == 4);

    let package = pack(&scene);
    let again = unpack(package.bytes()).expect("own package");
    assert_eq!(again, scene);
    assert_eq!(pack(&again), package);
    for change in [
        (|s| s.channels[0].values[0] = 0.001) as fn(&mut scene::Scene),
        |s| s.channels[0].times[1] = 2.0,
        |s| s.skins[0].inverse_binds[0][0][0] = 2.0,
        |s| s.meshes[0].primitives[0].joints[0][0][1] = 1,
        |s| s.meshes[0].primitives[0].targets[1].normals[0][0] = 2.0,
    ] {
        let mut other = scene.clone();
        change(&mut other);
        assert_ne!(pack(&other).id(), package.id());
        assert_eq!(unpack(pack(&other).bytes()).expect("own package"), other);
    }
}

#[test]
fn truncated_packages_of_what_moves_are_refused() {
    let bytes = pack(&warned(|_| {}, &[]).scene).into_bytes();
    for length in 0..bytes.len() {
        assert!(unpack(&bytes[..length]).is_err(), "the first {length} bytes");
    }
}

#[test]
fn the_animation_that_was_asked_for_is_played() {
    let mut build = moving();
    let still = json!({ "channels": [], "samplers": [] });
    build.push("animations", still);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("moving.glb");
    std::fs::write(&path, build.glb()).expect("the scene");
    let import = |name: Option<&str>| {
        let animation = name.map(str::to_owned);
        let options = ImportOptions { animation, ..ImportOptions::default() };
        scene::import(&path, &options)
    };
    let channels = |name| import(name).expect("a valid file").scene.channels.len();
    assert_eq!([None, Some("wave"), Some("animation 1")].map(channels), [4, 4, 0]);
    let error = import(Some("run")).expect_err("no such animation").to_string();
    assert!(error.contains("named \"run\"; choose one of: wave, animation 1"), "{error}");
}

#[test]
fn what_does_not_move_is_named() {
    warned(
        |b| {
            b.push("animations", json!({ "name": "run" }));
            b.push("animations", json!({}));
        },
        &["the animation wave is played; others are left out: run, animation 2"],
    );
    let pointer = |b: &mut Build| {
        b.json["animations"][0]["channels"][0]["target"] = json!({ "path": "pointer",
            "extensions": { "KHR_animation_pointer": { "pointer": "/nodes/0" } } });
    };
    warned(pointer, &["the animation's channel for /nodes/0 is left out: nothing here can change"]);
    let target = |b: &mut Build, index: usize, node: usize, path: &str| {
        let target = json!({ "node": node, "path": path });
        b.json["animations"][0]["channels"][index]["target"] = target;
    };
    let twice = |b: &mut Build| target(b, 2, 1, "translation");
    warned(twice, &["the translation of node lower is left out: another channel"]);
    warned(|b| target(b, 3, 1, "weights"), &["weights of node lower is left out: it has no mesh"]);
    let matrix = |b: &mut Build| {
        b.json["nodes"][1]["matrix"] = json!([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    };
    let why = "of node lower is left out: a matrix places it";
    warned(matrix, &[why, why]);
    // A node of no scene is moved unseen.
    let elsewhere = warned(
        |b| {
            let node = b.push("nodes", json!({}));
            target(b, 0, node, "rotation");
        },
        &[],
    );
    assert_eq!(elsewhere.scene.channels.len(), 3);
    let stray = |b: &mut Build| {
        let node = b.push("nodes", json!({}));
        b.json["skins"][0]["joints"][1] = json!(node);
    };
    assert_eq!(warned(stray, &["skin bones is left out"]).scene.nodes[0].skin, None);
    warned(|b| attribute(b, "JOINTS_2", 0), &["attribute JOINTS_2 is left out"]);
    warned(|b| attribute(b, "JOINTS_1", 0), &["attribute JOINTS_1 is left out"]);
    let colors = |b: &mut Build| {
        b.json["meshes"][0]["primitives"][0]["targets"][0]["COLOR_0"] = json!(0);
    };
    warned(colors, &["COLOR_0 of the morph targets of mesh square is left out"]);
}

#[test]
fn weights_of_joints_are_scaled_to_one() {
    // Eight influences, quantised: they sum to 508 of 255.
    let scene = warned(
        |b| {
            let joints = b.joints(&[[0, 1, 0, 1]; 4]);
            let bytes = b.joints(&[[127, 64, 63, 0]; 4]);
            b.json["accessors"][bytes]["normalized"] = json!(true);
            for (name, accessor) in [("JOINTS_1", joints), ("WEIGHTS_1", bytes)] {
                attribute(b, name, accessor);
            }
        },
        &["joint weights of mesh square do not sum to 1"],
    )
    .scene;
    let square = &scene.meshes[0].primitives[0];
    let [first, second] = square.joint_weights.each_ref().map(|set| set[0]);
    assert!((first[0] - 255.0 / 509.0).abs() < 1e-6, "{first:?}");
    assert!((second[1] - 64.0 / 509.0).abs() < 1e-6, "{second:?}");
    let nothing = |b: &mut Build| {
        let weights = b.floats(&[[0.0; 4]; 4]);
        attribute(b, "WEIGHTS_0", weights);
    };
    let scene = warned(nothing, &["do not sum to 1"]).scene;
    let weights = scene.meshes[0].primitives[0].joint_weights[0][3];
    assert_eq!(weights.map(f32::to_bits), [1.0_f32, 0.0, 0.0, 0.0].map(f32::to_bits));
}

#[test]
fn quantised_keys_are_read() {
    let scene = warned(
        |b| {
            let bytes: Vec<u8> =
                [0_i16, 0, 0, 32_767, 0, 0, 23_170, 23_170].map(i16::to_le_bytes).concat();
            let view = b.view(&bytes);
            let turn = b.push(
                "accessors",
                json!({ "bufferView": view, "componentType": 5122, "normalized": true, "count": 2,
                    "type": "VEC4" }),
            );
            b.json["animations"][0]["samplers"][0]["output"] = json!(turn);
        },
        &[],
    )
    .scene;
    let half = std::f32::consts::FRAC_1_SQRT_2;
    for (value, expected) in
        scene.channels[0].values.iter().zip([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, half, half])
    {
        assert!((value - expected).abs() < 1e-6, "{:?}", scene.channels[0].values);
    }
}

#[test]
fn impossible_motion_is_refused() {
    let animation = |b: &mut Build, pointer: &str, value: serde_json::Value| {
        *b.json["animations"][0].pointer_mut(pointer).expect("a place in the animation") = value;
    };
    refused(|b| animation(b, "/channels/0/target/node", json!(9)), "channel 0 names node 9");
    refused(|b| animation(b, "/channels/1/sampler", json!(9)), "channel 1 names sampler 9");
    refused(|b| animation(b, "/samplers/0/input", json!(99)), "names accessor 99");
    refused(|b| animation(b, "/samplers/1/interpolation", json!("BEZIER")), "\"BEZIER\"");
    let more = "12 values for 2 keys; 4 are needed";
    refused(|b| animation(b, "/samplers/2/interpolation", json!("LINEAR")), more);
    let times = |b: &mut Build, values: &[[f32; 1]]| {
        let times = b.floats(values);
        animation(b, "/samplers/0/input", json!(times));
    };
    refused(|b| times(b, &[[1.0], [1.0]]), "later than the time before");
    refused(|b| times(b, &[[0.0], [f32::INFINITY]]), "time of inf");
    refused(|b| times(b, &[[0.0], [1.0], [2.0]]), "8 values for 3 keys");
    let zero = |b: &mut Build| {
        let turn = b.floats(&[[0.0; 4]; 2]);
        animation(b, "/samplers/0/output", json!(turn));
    };
    refused(zero, "rotation of length² 0");
    refused(|b| b.json["nodes"][0]["skin"] = json!(4), "node 0 names skin 4");
    refused(|b| b.json["skins"][0]["joints"][0] = json!(40), "skin 0 names node 40");
    refused(|b| b.json["skins"][0]["joints"] = json!([]), "a joint at least");
    refused(|b| b.json["skins"][0]["joints"] = json!([1]), "points at joint 1, but there are only");
    refused(|b| b.json["skins"][0]["joints"] = json!([1, 2, 0]), "2 inverse bind matrices for 3");
    refused(|b| b.json["meshes"][0]["weights"] = json!([1.0]), "one weight for each");
    refused(|b| b.json["nodes"][0]["weights"] = json!([1.0, 2.0, 3.0]), "one weight for each");
    let short = |b: &mut Build| {
        let raised = b.floats(&[[0.0, 0.0, 1.0]; 3]);
        b.json["meshes"][0]["primitives"][0]["targets"][0]["POSITION"] = json!(raised);
    };
    refused(short, "3 morphed positions for 4");
    let uneven = |b: &mut Build| {
        let mut second = b.json["meshes"][0]["primitives"][0].clone();
        second["targets"] = json!([]);
        b.json["meshes"][0]["primitives"].as_array_mut().expect("a list").push(second);
    };
    refused(uneven, "it has 0 morph targets where the mesh's first primitive has 2");
    let wide = |b: &mut Build| {
        let joints = b.floats(&[[0.0; 4]; 4]);
        attribute(b, "JOINTS_0", joints);
    };
    refused(wide, "component type is 5126");
}

#[test]
fn sparse_targets_and_split_vertices_keep_their_motion() {
    // A normal map splits vertices for its tangents; what moves them must be split alike.
    let scene = warned(
        |b| {
            let at = b.view(&[3]);
            let to = b.view(&[0.0_f32, 5.0, 0.0].map(f32::to_le_bytes).concat());
            let sparse = b.push(
                "accessors",
                json!({ "componentType": 5126, "count": 4, "type": "VEC3", "sparse": { "count": 1,
                    "indices": { "bufferView": at, "componentType": 5121 },
                    "values": { "bufferView": to } } }),
            );
            let texture = b.texture();
            let normal = json!({ "normalTexture": { "index": texture } });
            let material = b.push("materials", normal);
            let primitive = &mut b.json["meshes"][0]["primitives"][0];
            primitive["material"] = json!(material);
            primitive["targets"][0]["POSITION"] = json!(sparse);
            primitive["attributes"].as_object_mut().expect("an object").remove("NORMAL");
        },
        &[],
    )
    .scene;
    let square = &scene.meshes[0].primitives[0];
    assert_eq!(square.positions.len(), 6, "flat normals give every corner a vertex");
    let corner =
        |vertex: &usize| square.positions[*vertex].map(|v| v > 0.5) == [false, true, false];
    let upper: Vec<usize> = (0..6).filter(corner).collect();
    assert_eq!(upper.len(), 1);
    for vertex in 0..6 {
        let moved = square.targets[0].positions[vertex][1] > 4.0;
        let bent = square.joint_weights[0][vertex][1] > 0.7;
        assert_eq!((moved, bent), (vertex == upper[0], vertex == upper[0]));
    }
}
