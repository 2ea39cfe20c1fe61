//! What lies under `extras.tessera` arrives; what the numbers of lamps mean is the caller's word.

use scene::{
    AreaShape, Environment, ImportError, ImportOptions, Imported, LampUnits, LightFactor, NoFiles,
    Target, Wishes, import, import_slice, pack, unpack,
};
use serde_json::{Value, json};

use crate::build::{Build, rich};
use crate::import::chain;

fn read(build: Build) -> Result<Imported, ImportError> {
    import_slice(&build.glb(), &mut NoFiles, 1 << 20)
}

/// The rich file with `tessera` under the extras of the object at a pointer.
fn with(pointer: &str, tessera: Value) -> Build {
    let mut build = rich();
    let object = build.json.pointer_mut(pointer).expect("a place in the file");
    object["extras"] = json!({ "other": [1, "x"], "tessera": tessera });
    build
}

/// A file for mutations: something under every object's extras.
pub fn told() -> Build {
    let mut build = rich();
    let says = [
        (SUN, json!({ "angle": 0.53 })),
        (BULB, json!({ "radius": 0.05 })),
        (CAMERA, json!({ "fstop": 2.0, "focus_distance": 3, "blades": 6, "shutter": 0.5 })),
        (NODE, json!({ "area": { "shape": "disk", "size": [1, 2], "power": 10 } })),
        (SCENE, json!({ "sun_sky": { "elevation": 30, "azimuth": 10 }, "samples": 64 })),
    ];
    for (pointer, tessera) in says {
        let object = build.json.pointer_mut(pointer).expect("a place in the file");
        object["extras"] = json!({ "tessera": tessera });
    }
    build
}

/// It imports with exactly these warnings, by their parts, and travels.
fn warned(pointer: &str, tessera: Value, parts: &[&str]) -> Imported {
    let imported = read(with(pointer, tessera)).expect("a valid file");
    let warnings: Vec<String> = imported.report.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), parts.len(), "{warnings:?}");
    for (warning, part) in warnings.iter().zip(parts) {
        assert!(warning.contains(part), "{warning:?} should contain {part:?}");
    }
    let package = pack(&imported.scene);
    assert_eq!(unpack(package.bytes()).expect("own package"), imported.scene);
    imported
}

fn refused(pointer: &str, tessera: Value, part: &str) {
    let error = chain(read(with(pointer, tessera)).expect_err(part));
    assert!(error.contains(part), "{error:?} should contain {part:?}");
}

fn near(found: f32, expected: f32) {
    assert!((found - expected).abs() <= 1e-5 * expected.abs(), "{found}, expected {expected}");
}

const SUN: &str = "/extensions/KHR_lights_punctual/lights/0";
const BULB: &str = "/extensions/KHR_lights_punctual/lights/1";
const CAMERA: &str = "/cameras/0";
const NODE: &str = "/nodes/2";
const SCENE: &str = "/scenes/0";

#[test]
fn lamps_have_sizes() {
    let scene = warned(BULB, json!({ "radius": 0.05 }), &[]).scene;
    near(scene.lights[1].radius, 0.05);
    let scene = warned(SUN, json!({ "angle": 0.53 }), &[]).scene;
    near(scene.lights[0].angle, 0.53 * std::f32::consts::PI / 180.0);
    warned(SUN, json!({ "radius": 1.0 }), &["extras.tessera.radius of light"]);
    warned(BULB, json!({ "glow": 1 }), &["extras.tessera.glow of light bulb means nothing"]);
    refused(BULB, json!({ "radius": -1.0 }), "a radius of -1");
    refused(BULB, json!({ "radius": "big" }), "extras.tessera of light bulb cannot be read");
    refused(SUN, json!({ "angle": 400 }), "an angle of 6.98");
    refused(BULB, json!([]), "cannot be read");
}

#[test]
fn nodes_carry_area_lights() {
    let area = |more: Value| {
        let mut area = json!({ "size": [2.0, 0.5], "color": [1.0, 0.5, 0.25] });
        for (key, value) in more.as_object().into_iter().flatten() {
            area[key.as_str()] = value.clone();
        }
        json!({ "area": area })
    };
    let scene = warned(NODE, area(json!({ "radiance": 8.0 })), &[]).scene;
    let light = &scene.area_lights[0];
    assert_eq!((light.shape, light.two_sided), (AreaShape::Rectangle, false));
    assert_eq!(scene.nodes[light.node as usize].name, "node 2");
    near(light.radiance[1], 4.0);
    // A lamp sends π · L · area to each side.
    let scene = warned(NODE, area(json!({ "power": 10.0 })), &[]).scene;
    near(scene.area_lights[0].radiance[0], 10.0 / std::f32::consts::PI);
    let disk = json!({ "power": 10.0, "shape": "disk", "two_sided": true });
    let scene = warned(NODE, area(disk), &[]).scene;
    let quarter_turn = std::f32::consts::FRAC_PI_4;
    near(scene.area_lights[0].radiance[0], 10.0 / (2.0 * std::f32::consts::PI * quarter_turn));
    refused(NODE, area(json!({})), "needs a power or a radiance");
    refused(NODE, area(json!({ "power": 1, "radiance": 1 })), "and only one");
    refused(NODE, area(json!({ "power": 1, "shape": "star" })), "rectangle or disk");
    refused(NODE, area(json!({ "power": 1, "size": [0, 1] })), "a side of 0");
    refused(NODE, area(json!({ "power": -1 })), "a radiance of -");
    refused(NODE, json!({ "area": { "power": 1 } }), "missing field `size`");
}

#[test]
fn cameras_have_lenses() {
    let scene = warned(
        CAMERA,
        json!({ "aperture": 0.02, "focus_distance": 3.5, "blades": 6, "blade_rotation": 90,
            "shutter": 0.5 }),
        &[],
    )
    .scene;
    let lens = scene.cameras[0].lens;
    near(lens.aperture, 0.02);
    near(lens.focus_distance, 3.5);
    near(lens.shutter, 0.5);
    near(lens.blade_rotation, std::f32::consts::FRAC_PI_2);
    assert_eq!(lens.blades, 6);
    // 24 mm high at 0.8 rad: 12 mm / tan 0.4 = 28.38 mm; at f/2 the radius is a quarter of it.
    let scene = warned(CAMERA, json!({ "fstop": 2.0 }), &[]).scene;
    near(scene.cameras[0].lens.aperture, 0.012 / 0.4_f32.tan() / 4.0);
    let sensor = json!({ "fstop": 2.0, "sensor_height": 0.048 });
    let scene = warned(CAMERA, sensor, &[]).scene;
    near(scene.cameras[0].lens.aperture, 0.024 / 0.4_f32.tan() / 4.0);
    refused(CAMERA, json!({ "fstop": 2.0, "aperture": 0.1 }), "one of them is enough");
    refused(CAMERA, json!({ "fstop": 0.0 }), "an aperture of inf");
    refused(CAMERA, json!({ "aperture": 0.1, "focus_distance": 0 }), "a focus distance of 0");
    refused(CAMERA, json!({ "blades": 2 }), "a blade count of 2");
    refused(CAMERA, json!({ "shutter": 1.5 }), "a shutter of 1.5");
}

#[test]
fn scenes_have_surroundings_and_wishes() {
    let scene = warned(SCENE, json!({ "sky": [0.5, 0.6, 0.7] }), &[]).scene;
    assert_eq!(scene.environment, Some(Environment::Constant([0.5, 0.6, 0.7])));
    let sun = json!({ "sun_sky": { "elevation": 30, "azimuth": 180 } });
    let sky = warned(SCENE, sun, &[]).scene.sun_sky.expect("a sky");
    near(sky.elevation, std::f32::consts::FRAC_PI_6);
    near(sky.azimuth, std::f32::consts::PI);
    near(sky.turbidity, 3.0);
    let wishes = json!({ "exposure": -1.5, "samples": 256, "resolution": [1920, 1080],
        "view": "agx" });
    let imported = warned(SCENE, wishes, &[]);
    let wanted = Wishes {
        exposure: Some(-1.5),
        samples: Some(256),
        resolution: Some([1920, 1080]),
        view: Some("agx".to_owned()),
    };
    assert_eq!(imported.wishes, wanted);
    let plain = read(rich()).expect("a valid file").scene;
    assert_eq!(pack(&imported.scene), pack(&plain), "wishes are no part of the scene");
    let both = json!({ "sky": [1, 1, 1], "sun_sky": { "elevation": 1, "azimuth": 0 } });
    refused(SCENE, both, "more than one of environment, sky and sun_sky");
    refused(SCENE, json!({ "sky": [1, -1, 1] }), "a radiance of -1");
    let haze = json!({ "sun_sky": { "elevation": 1, "azimuth": 0, "turbidity": 50 } });
    refused(SCENE, haze, "a turbidity of 50");
    refused(SCENE, json!({ "samples": 0 }), "asks for 0 samples");
    refused(SCENE, json!({ "samples": -1 }), "cannot be read");
    refused(SCENE, json!({ "environment": { "file": "../sky.hdr" } }), "out of the scene's folder");
    refused(SCENE, json!({ "view": "x".repeat(70_000) }), "more than 65536 bytes");
}

#[test]
fn environments_lie_beside_the_scene_and_the_caller_may_bring_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let save = |name: &str, width: u32| {
        let pixels = image::Rgb32FImage::from_pixel(width, 2, image::Rgb([0.5, 0.25, 2.0]));
        let path = folder.path().join(name);
        image::DynamicImage::ImageRgb32F(pixels).save(&path).expect("the environment");
        path
    };
    save("sky.hdr", 8);
    let other = save("other.hdr", 4);
    let path = folder.path().join("scene.glb");
    let environment =
        json!({ "environment": { "file": "sky.hdr", "strength": 2, "rotation": -90 } });
    std::fs::write(&path, with(SCENE, environment).glb()).expect("the scene");
    let imported = import(&path, &ImportOptions::default()).expect("a scene");
    let Some(Environment::Map { image, strength, rotation }) = imported.scene.environment else {
        panic!("no environment map");
    };
    assert_eq!(imported.scene.images[image as usize].width, 8);
    near(strength, 2.0);
    near(rotation, -std::f32::consts::FRAC_PI_2);
    let options = ImportOptions { environment: Some(other), ..ImportOptions::default() };
    let imported = import(&path, &options).expect("a scene");
    let maps: Vec<u32> = imported.scene.images.iter().map(|image| image.width).collect();
    assert_eq!(maps, [4, 4], "the texture, and the caller's map alone");
}

#[test]
fn extras_of_others_mean_nothing() {
    let plain = pack(&read(rich()).expect("a valid file").scene);
    for extras in [json!(7), json!("tessera"), json!([{ "tessera": 1 }]), json!(true), json!(null)]
    {
        for pointer in [SUN, CAMERA, NODE, SCENE] {
            let mut build = rich();
            build.json.pointer_mut(pointer).expect("a place")["extras"] = extras.clone();
            let imported = read(build).expect("a valid file");
            assert_eq!(imported.report.warnings, [], "{extras} of {pointer}");
            assert_eq!(pack(&imported.scene), plain, "{extras} of {pointer}");
        }
    }
}

#[test]
fn numbers_of_lamps_mean_what_the_caller_says() {
    let mut build = rich();
    let times = build.floats(&[[0.0]]);
    let strength = build.floats(&[[683.0]]);
    build.push(
        "animations",
        json!({ "samplers": [{ "input": times, "output": strength }], "channels": [{
            "sampler": 0, "target": { "path": "pointer", "extensions": {
                "KHR_animation_pointer": {
                    "pointer": "/extensions/KHR_lights_punctual/lights/1/intensity" } } } }] }),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lamps.glb");
    std::fs::write(&path, build.glb()).expect("the scene");
    // The file: a sun of 3, a bulb and a spot of 1 (and the bulb of 683 when it plays).
    let check = |lamps, sun: f32, bulb: f32| {
        let options = ImportOptions { lamps, ..ImportOptions::default() };
        let scene = import(&path, &options).expect("a scene").scene;
        near(scene.lights[0].intensity[0], 3.0 * sun);
        near(scene.lights[1].intensity[0], bulb);
        near(scene.lights[2].intensity[0], bulb);
        let target = Target::Light { light: 1, factor: LightFactor::Intensity };
        assert_eq!(scene.variations[0].target, target);
        near(scene.variations[0].values[0], 683.0 * bulb);
    };
    check(LampUnits::Radiometric, 1.0, 1.0);
    check(LampUnits::Photometric, 1.0 / 683.0, 1.0 / 683.0);
    check(LampUnits::Watts, 1.0, 0.25 / std::f32::consts::PI);
}
