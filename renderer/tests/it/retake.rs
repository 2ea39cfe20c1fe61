//! A scene seen through other settings is the scene prepared for them, to the bit.

use std::path::Path;

use protocol::{
    CameraChoice, Crop, Digest, Lens, Lighting, Opening, PixelFilter, RenderSettings, Shutter,
    ShutterPosition, Size, Sun,
};
use renderer::{Effort, PrepareError, RenderScene, prepare_with};
use scene::{ImportOptions, Scene, SunSky};

use crate::make::{material, prepared, quad, rendered, scene_of};

const LOOK: CameraChoice =
    CameraChoice::LookAt { eye: [3.0, 2.0, 5.0], target: [0.0, 0.5, 0.0], vfov_degrees: 35.0 };
const SUN: Sun = Sun { direction: [1.0, 2.0, 0.0], irradiance: [3.0; 3], angle_degrees: 0.5 };

/// Settings that differ from each other in all that a preview changes.
fn settings() -> Vec<RenderSettings> {
    let base = || RenderSettings { size: Size::new(32, 18), samples: 16, ..Default::default() };
    let lit = |sun, sky| RenderSettings { lighting: Lighting { sun, sky }, ..base() };
    let lens =
        Lens { opening: Opening::FNumber(2.8), focus: 3.0, blades: 6, rotation_degrees: 10.0 };
    let crop = Crop { x: 3, y: 2, size: Size::new(20, 10) };
    vec![
        base(),
        RenderSettings { camera: LOOK, seed: 7, ..base() },
        RenderSettings { size: Size::new(20, 30), overscan: 4, lens: Some(lens), ..base() },
        RenderSettings { samples: 1, bounces: 2, roulette: false, camera: LOOK, ..base() },
        RenderSettings { filter: PixelFilter::Box, crop: Some(crop), ..base() },
        RenderSettings { filter: PixelFilter::Gaussian, panorama: true, passes: true, ..base() },
        lit(Some(SUN), None),
        RenderSettings { camera: LOOK, ..lit(Some(SUN), Some([0.2, 0.3, 0.4])) },
        lit(None, Some([0.0; 3])),
        // Another sky to the bit, and not by its values.
        lit(None, Some([-0.0; 3])),
        lit(None, Some([0.5; 3])),
    ]
}

fn open(open_s: f32) -> RenderSettings {
    let shutter = Some(Shutter { open_s, position: ShutterPosition::Center });
    RenderSettings { size: Size::new(32, 18), shutter, ..Default::default() }
}

fn asset(name: &str) -> Scene {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets").join(name);
    scene::import(&path, &ImportOptions::default()).expect("an asset of ours").scene
}

/// Goes from each of the settings to each other, and compares with what is prepared for them.
fn check(scene: &Scene, time_s: f32, effort: Effort, settings: &[RenderSettings]) {
    let wanted: Vec<Digest> = settings
        .iter()
        .map(|own| prepare_with(scene, own, time_s, effort).expect("sound").digest())
        .collect();
    let mut seen = prepare_with(scene, &settings[0], time_s, effort).expect("sound");
    let turn = |seen: RenderScene, to: usize| -> RenderScene {
        // Whoever has asked for the digest before gets the new one.
        let _before = seen.digest();
        let seen = seen.seen_through(scene, &settings[to]).expect("sound");
        assert_eq!(seen.digest(), wanted[to], "{:?} at {time_s} s", settings[to]);
        assert_eq!(seen.settings(), &settings[to]);
        seen
    };
    for from in 0..settings.len() {
        for to in 0..settings.len() {
            seen = turn(turn(seen, from), to);
        }
    }
}

#[test]
fn the_golden_scenes_are_seen_as_prepared() {
    check(&scene::golden(), 0.0, Effort::Full, &settings());
    let mut settings = settings();
    // What opens no longer than an instant is no shutter.
    settings.truncate(4);
    settings.push(open(0.0));
    check(&scene::golden_in_motion(), 0.5, Effort::Preview, &settings);
}

#[test]
fn assets_are_seen_as_prepared() {
    let few = |camera: &str| {
        let mut few = settings();
        few[1].camera = CameraChoice::Named(camera.to_owned());
        [0, 1, 2, 6].map(|at| few[at].clone())
    };
    check(&asset("mosaic.glb"), 0.0, Effort::Preview, &few("above"));
    check(&asset("spheres.glb"), 0.0, Effort::Full, &few("top"));
}

#[test]
fn skies_come_and_go_with_the_lighting() {
    let mut lit = settings();
    lit.drain(2..6);
    let floor = quad([-1.0, 0.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, -2.0], 0);
    let dark = scene_of(vec![floor], vec![material([0.5; 3], 0.0, 1.0)]);
    check(&dark, 0.0, Effort::Full, &lit);
    // Its emitters count from behind the sun's and the sky's.
    let mut glowing = dark.clone();
    glowing.materials[0].emissive = [1.0, 2.0, 3.0];
    let sky = SunSky { elevation: 0.4, azimuth: 1.0, turbidity: 3.0, strength: 1.0 };
    glowing.sun_sky = Some(sky);
    check(&glowing, 0.0, Effort::Full, &lit);
}

#[test]
fn open_shutters_are_prepared_anew() {
    let moving = scene::golden_in_motion();
    let still = RenderSettings { shutter: None, ..open(0.0) };
    check(&moving, 0.5, Effort::Full, &[still.clone(), open(0.2), open(0.4)]);
    // Where nothing can move, a shutter is a setting like others.
    check(&scene::golden(), 0.0, Effort::Full, &[still, open(0.2)]);
}

#[test]
fn views_share_what_is_not_of_them() {
    let scene = scene::golden();
    let all = settings();
    let digests = |seen: &RenderScene| (seen.stuff_digest(), seen.view_digest());
    let mut seen = prepared(&scene, &all[0]);
    let (stuff, first) = digests(&seen);
    for settings in &all[1..] {
        seen = seen.seen_through(&scene, settings).expect("sound");
        assert_eq!(digests(&seen), digests(&prepared(&scene, settings)));
        assert_eq!(seen.stuff_digest(), stuff);
        assert_ne!(seen.view_digest(), first);
    }
    // What moves while a shutter is open is other stuff.
    let moving = scene::golden_in_motion();
    let still = RenderSettings { shutter: None, ..open(0.2) };
    let seen = prepare_with(&moving, &still, 0.5, Effort::Full).expect("sound");
    let stuff = seen.stuff_digest();
    let blurred = seen.seen_through(&moving, &open(0.2)).expect("sound");
    assert_ne!(blurred.stuff_digest(), stuff);
    let wanted = prepare_with(&moving, &open(0.2), 0.5, Effort::Full).expect("sound");
    assert_eq!(digests(&blurred), digests(&wanted));
}

#[test]
fn films_are_those_of_the_prepared_scene() {
    let scene = scene::golden();
    let settings = settings();
    let mut seen = prepared(&scene, &settings[0]);
    // The trees that the CPU walks are made by the first film, and stay.
    let _first = rendered(&seen);
    for settings in &settings {
        seen = seen.seen_through(&scene, settings).expect("sound");
        assert_eq!(rendered(&seen).root(), rendered(&prepared(&scene, settings)).root());
    }
}

#[test]
fn what_cannot_be_rendered_is_refused() {
    let scene = scene::golden();
    let base = settings().remove(0);
    let refused = |settings: RenderSettings| {
        prepared(&scene, &base).seen_through(&scene, &settings).expect_err("refused")
    };
    let camera = CameraChoice::Named("nobody".to_owned());
    let no_camera = refused(RenderSettings { camera, ..base.clone() });
    assert!(matches!(no_camera, PrepareError::NoCamera { .. }), "{no_camera}");
    let no_samples = refused(RenderSettings { samples: 0, ..base.clone() });
    assert!(matches!(no_samples, PrepareError::Settings(_)), "{no_samples}");
}
