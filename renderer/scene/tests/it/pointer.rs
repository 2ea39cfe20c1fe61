//! `KHR_animation_pointer`: what changes in place arrives, and what cannot is named.

use scene::{
    Factor, Imported, LightFactor, NoFiles, Property, Target, TextureSlot, Variation, import_slice,
    pack, unpack,
};
use serde_json::{Value, json};

use crate::build::{Build, rich};

/// A file for mutations: a colour, a texture's place, a lamp and a camera that change.
pub fn varying() -> Build {
    animated(&[
        (COLOR, vec![vec![1.0, 0.0, 0.0, 1.0], vec![0.0, 0.0, 1.0, 0.5]]),
        (STRENGTH, vec![vec![1.0], vec![2.0]]),
        ("/extensions/KHR_lights_punctual/lights/1/range", vec![vec![1.0], vec![2.0]]),
        ("/cameras/0/perspective/yfov", vec![vec![0.5], vec![1.0]]),
    ])
}

/// The rich file with an animation of two keys a channel: pointers and their values at both.
fn animated(channels: &[(&str, Vec<Vec<f32>>)]) -> Build {
    let mut build = rich();
    let times = build.floats(&[[0.0], [2.0]]);
    let mut samplers: Vec<Value> = Vec::new();
    let mut targets: Vec<Value> = Vec::new();
    for (index, (pointer, keys)) in channels.iter().enumerate() {
        let flat: Vec<[f32; 1]> = keys.concat().into_iter().map(|value| [value]).collect();
        let output = build.floats(&flat);
        build.json["accessors"][output]["count"] = json!(keys.len());
        let kind = ["SCALAR", "VEC2", "VEC3", "VEC4"][keys[0].len() - 1];
        build.json["accessors"][output]["type"] = json!(kind);
        samplers.push(json!({ "input": times, "output": output }));
        targets.push(json!({ "sampler": index, "target": { "path": "pointer",
            "extensions": { "KHR_animation_pointer": { "pointer": pointer } } } }));
    }
    build.push("animations", json!({ "samplers": samplers, "channels": targets }));
    build
}

/// That file with one change.
fn import(channels: &[(&str, Vec<Vec<f32>>)], change: impl FnOnce(&mut Build)) -> Imported {
    let mut build = animated(channels);
    change(&mut build);
    let imported = import_slice(&build.glb(), &mut NoFiles, 1 << 20).expect("a valid file");
    let package = pack(&imported.scene);
    assert_eq!(unpack(package.bytes()).expect("own package"), imported.scene);
    imported
}

/// One channel must be left out with a warning that holds `part`.
fn left_out(pointer: &str, keys: Vec<Vec<f32>>, change: impl FnOnce(&mut Build), part: &str) {
    let Imported { scene, report, .. } = import(&[(pointer, keys)], change);
    assert_eq!(scene.variations, []);
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains(pointer) && warnings[0].contains(part), "{warnings:?}");
}

fn values(variations: &[Variation], target: Target) -> Vec<f32> {
    let found = variations.iter().find(|variation| variation.target == target);
    found.unwrap_or_else(|| panic!("no {target:?} in {variations:?}")).values.clone()
}

fn near(found: &[f32], expected: &[f32]) {
    let same = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(same && found.len() == expected.len(), "{found:?}, expected {expected:?}");
}

const COLOR: &str = "/materials/0/pbrMetallicRoughness/baseColorFactor";
const EMISSION: &str = "/materials/0/emissiveFactor";
const STRENGTH: &str = "/materials/0/extensions/KHR_materials_emissive_strength/emissiveStrength";
const LIGHT: &str = "/extensions/KHR_lights_punctual/lights";

fn material(factor: Factor) -> Target {
    Target::Material { material: 0, factor }
}

#[test]
fn factors_arrive_and_travel() {
    let moved = "/materials/0/pbrMetallicRoughness/baseColorTexture/extensions/\
                 KHR_texture_transform/offset";
    let cone = format!("{LIGHT}/2/spot/outerConeAngle");
    let Imported { scene, report, .. } = import(
        &[
            (COLOR, vec![vec![1.0, 0.0, 0.0, 1.0], vec![0.0, 0.0, 1.0, 0.5]]),
            ("/materials/0/alphaCutoff", vec![vec![0.25], vec![0.75]]),
            (moved, vec![vec![0.0, 0.0], vec![1.0, 0.0]]),
            ("/cameras/0/perspective/yfov", vec![vec![0.5], vec![1.0]]),
            (&cone, vec![vec![0.5], vec![0.2]]),
            ("/nodes/2/translation", vec![vec![0.0; 3], vec![1.0; 3]]),
            ("/cameras/0/perspective/znear", vec![vec![0.5], vec![1.0]]),
        ],
        |_| {},
    );
    assert_eq!(report.warnings, []);
    assert_eq!(scene.channels.len(), 1);
    assert_eq!(scene.channels[0].property, Property::Translation);
    let found: Vec<Target> = scene.variations.iter().map(|variation| variation.target).collect();
    let wanted = [
        material(Factor::BaseColor),
        material(Factor::AlphaCutoff),
        material(Factor::TextureOffset(TextureSlot::BaseColor)),
        Target::Camera { camera: 0 },
        Target::Light { light: 2, factor: LightFactor::OuterCone },
    ];
    assert_eq!(found, wanted);
    let color = values(&scene.variations, wanted[0]);
    near(&color, &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.5]);
}

#[test]
fn products_keep_both_factors() {
    // The file: emission [1, 0.5, 0.25] of strength 4, a sun of colour [1, 0.5, 0.25] and 3.
    let keys = || vec![vec![1.0, 0.0, 1.0], vec![0.5, 1.0, 0.0]];
    let scene = import(&[(EMISSION, keys())], |_| {}).scene;
    let target = material(Factor::Emissive);
    near(&values(&scene.variations, target), &[4.0, 0.0, 4.0, 2.0, 4.0, 0.0]);
    let scene = import(&[(STRENGTH, vec![vec![0.0], vec![8.0]])], |_| {}).scene;
    near(&values(&scene.variations, target), &[0.0, 0.0, 0.0, 8.0, 4.0, 2.0]);
    let both = [(STRENGTH, vec![vec![0.0], vec![8.0]]), (EMISSION, keys())];
    let scene = import(&both, |_| {}).scene;
    near(&values(&scene.variations, target), &keys().concat());
    near(&values(&scene.variations, material(Factor::EmissiveStrength)), &[0.0, 8.0]);

    let (color, strength) = (format!("{LIGHT}/0/color"), format!("{LIGHT}/0/intensity"));
    let target = Target::Light { light: 0, factor: LightFactor::Intensity };
    let scene = import(&[(color.as_str(), keys())], |_| {}).scene;
    near(&values(&scene.variations, target), &[3.0, 0.0, 3.0, 1.5, 3.0, 0.0]);
    let scene = import(&[(strength.as_str(), vec![vec![2.0], vec![4.0]])], |_| {}).scene;
    near(&values(&scene.variations, target), &[2.0, 1.0, 0.5, 4.0, 2.0, 1.0]);
}

#[test]
fn what_cannot_change_is_named() {
    let two = || vec![vec![0.0], vec![1.0]];
    left_out("/materials/0/occlusionTexture/strength", two(), |_| {}, "nothing here can change");
    left_out("/nodes/0/extensions/KHR_node_visibility/visible", two(), |_| {}, "nothing here");
    let opaque = |b: &mut Build| b.json["materials"][0]["alphaMode"] = json!("OPAQUE");
    left_out("/materials/0/alphaCutoff", two(), opaque, "no cutoff");
    let coat = "/materials/0/extensions/KHR_materials_clearcoat/clearcoatTexture/extensions/\
                KHR_texture_transform/rotation";
    left_out(coat, two(), |_| {}, "no such texture");
    left_out(&format!("{LIGHT}/0/range"), two(), |_| {}, "its light has none");
    left_out(&format!("{LIGHT}/1/spot/innerConeAngle"), two(), |_| {}, "its light has none");
    left_out("/cameras/0/orthographic/ymag", two(), |_| {}, "of the other kind");
    let unlit = |b: &mut Build| {
        b.json["materials"][0]["extensions"]["KHR_materials_unlit"] = json!({});
    };
    left_out("/materials/0/pbrMetallicRoughness/metallicFactor", two(), unlit, "is unlit");
    let gloss = |b: &mut Build| {
        b.json["materials"][0]["extensions"]["KHR_materials_pbrSpecularGlossiness"] = json!({});
    };
    left_out("/materials/0/pbrMetallicRoughness/roughnessFactor", two(), gloss, "Glossiness");
    // Twice the same, and a material that nothing shows.
    let Imported { scene, report, .. } = import(&[(STRENGTH, two()), (STRENGTH, two())], |_| {});
    assert_eq!((scene.variations.len(), report.warnings.len()), (1, 1));
    let unseen = import(&[("/materials/1/alphaCutoff", two())], |b| {
        b.push("materials", json!({ "alphaMode": "MASK" }));
    });
    assert_eq!((unseen.scene.variations.len(), unseen.report.warnings.len()), (0, 0));
}

#[test]
fn impossible_changes_are_refused() {
    let refused = |pointer: &str, keys: Vec<Vec<f32>>, part: &str| {
        let pointer = pointer.to_owned();
        let result = std::panic::catch_unwind(move || import(&[(pointer.as_str(), keys)], |_| {}));
        let text = result.expect_err("not imported");
        let text = text.downcast_ref::<String>().expect("a message");
        assert!(text.contains(part), "{text:?} should contain {part:?}");
    };
    refused("/materials/7/alphaCutoff", vec![vec![0.0], vec![1.0]], "index: 7");
    refused(COLOR, vec![vec![0.0; 3], vec![1.0; 3]], "VEC4");
    refused(COLOR, vec![vec![0.0; 4]; 3], "expected: 8");
    refused(COLOR, vec![vec![f32::NAN; 4]; 2], "value: NaN");
}
