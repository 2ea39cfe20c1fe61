//! Jobs of all kinds, with how their scenes are read.

use client::description::{
    BackendName, CropBox, EnvironmentFile, FilterName, FrameNumbers, LampsName, LensWords, LookAt,
    MissingName, NeedsWords, NoiseWords, ShutterName, SkyBySun, SunWords, Without,
};
use client::{Description, SceneImport};

type Job = (&'static str, Description, SceneImport);

/// All of them.
pub fn jobs() -> Vec<Job> {
    [frames(), names(), pictures(), needs(), surroundings()].concat()
}

pub fn still(scene: &str) -> Description {
    Description { scene: scene.to_owned(), ..Description::default() }
}

pub fn animation(first: u32, last: u32, step: u32) -> Description {
    Description { frames: Some(FrameNumbers { first, last, step }), ..still("shot.glb") }
}

pub fn plain() -> SceneImport {
    SceneImport::default()
}

fn frames() -> Vec<Job> {
    let cameras = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    vec![
        ("still", still("shot.glb"), plain()),
        ("animation", animation(1, 239, 2), plain()),
        ("one_frame", animation(5, 5, 1), plain()),
        ("two_frames", animation(0, 4_294_967_295, 4_294_967_295), plain()),
        (
            "two_cameras",
            Description { cameras: cameras(&["left", "right"]), ..animation(1, 10, 1) },
            plain(),
        ),
        ("full", full(), plain()),
    ]
}

fn names() -> Vec<Job> {
    let odd = "{{Param.Scene}} \"quoted\" 'too' $HOME `x` \u{1f3a5}\ttab\nline }} %d \\ é";
    let cameras = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    vec![
        ("scene_called_like_an_id", still("scn_shot.glb"), plain()),
        (
            "odd_names",
            Description {
                cameras: cameras(&[odd, "-x", "--size", "", "a=b", "{a}"]),
                ..still("{{odd}} scène.glb")
            },
            SceneImport {
                animation: Some(odd.to_owned()),
                variant: Some("--v".to_owned()),
                ..plain()
            },
        ),
        (
            "odd_name",
            Description { name: Some("{{x}} \u{202e}\"".to_owned()), ..still("-a.glb") },
            plain(),
        ),
        (
            "long_name",
            Description {
                name: Some("n".repeat(200)),
                ..still(&format!("{}.glb", "s".repeat(200)))
            },
            plain(),
        ),
        (
            "named_as_scene",
            Description { name: Some("shot".to_owned()), ..still("shot.glb") },
            plain(),
        ),
        (
            "called_tessera",
            Description { name: Some("Tessera".to_owned()), ..still("{.glb") },
            plain(),
        ),
    ]
}

fn pictures() -> Vec<Job> {
    vec![
        (
            "look_at",
            Description {
                look_at: Some(LookAt {
                    eye: [-1.0, 0.5, 4.0],
                    target: [0.0, 1.0, 0.0],
                    vfov_degrees: 35.5,
                }),
                ..still("a.glb")
            },
            plain(),
        ),
        (
            "aperture",
            Description {
                lens: Some(LensWords {
                    fstop: None,
                    aperture: Some(0.01),
                    focus: 2.0,
                    blades: 0,
                    rotation_degrees: 0.0,
                }),
                ..still("a.glb")
            },
            plain(),
        ),
        (
            "panorama",
            Description { panorama: Some(true), roulette: Some(true), ..still("a.glb") },
            plain(),
        ),
    ]
}

fn needs() -> Vec<Job> {
    let needs = |needs: NeedsWords| Description { needs: Some(needs), ..still("a.glb") };
    vec![
        (
            "pool_gpu_memory",
            needs(NeedsWords {
                pool: Some("studio".to_owned()),
                backend: Some(BackendName::Gpu),
                memory_gb: Some(24),
                ..NeedsWords::default()
            }),
            plain(),
        ),
        (
            "cpu_of_3d",
            needs(NeedsWords {
                pool: Some("3d-floor".to_owned()),
                backend: Some(BackendName::Cpu),
                memory_gb: Some(1),
                ..NeedsWords::default()
            }),
            plain(),
        ),
        ("memory", needs(NeedsWords { memory_gb: Some(1_024), ..NeedsWords::default() }), plain()),
    ]
}

fn surroundings() -> Vec<Job> {
    vec![
        (
            "surroundings",
            still("a.glb"),
            SceneImport {
                lamps: LampsName::Photometric,
                missing_textures: MissingName::Magenta,
                environment: Some(EnvironmentFile {
                    file: "sky/noon.hdr".to_owned(),
                    strength: 0.5,
                    rotation_degrees: -90.0,
                }),
                without: vec![Without::Lamps, Without::Emission],
                ..plain()
            },
        ),
        (
            "sun_sky",
            still("a.glb"),
            SceneImport {
                sun_sky: Some(SkyBySun {
                    elevation_degrees: -2.0,
                    azimuth_degrees: 90.0,
                    haze: 3.5,
                }),
                ..plain()
            },
        ),
    ]
}

/// A job in which everything is said.
fn full() -> Description {
    Description {
        scene: "shots/shot 010.glb".to_owned(),
        name: Some("shot 010 – Übersicht".to_owned()),
        cameras: vec!["shot_cam".to_owned()],
        look_at: None,
        size: Some([1920, 1080]),
        samples: Some(256),
        noise: Some(NoiseWords { threshold: 0.01, min_samples: 64 }),
        frames: Some(FrameNumbers { first: 1, last: 239, step: 2 }),
        fps: Some(23.976),
        bounces: Some(4),
        seed: Some(7),
        crop: Some(CropBox { x: -8, y: 0, width: 960, height: 540 }),
        overscan: Some(16),
        shutter: Some(0.5),
        shutter_position: Some(ShutterName::End),
        panorama: None,
        lens: Some(LensWords {
            fstop: Some(2.8),
            aperture: None,
            focus: 3.1,
            blades: 6,
            rotation_degrees: -15.0,
        }),
        filter: Some(FilterName::Gaussian),
        roulette: Some(false),
        passes: Some(true),
        tile: Some(128),
        sun: Some(SunWords {
            direction: [-0.4, 0.8, 0.45],
            irradiance: [3.0, 2.5, 2.0],
            angle_degrees: 0.53,
        }),
        sky: Some([0.1, 0.2, 1e-7]),
        needs: Some(NeedsWords {
            only_mine: true,
            owners: vec![format!("key_{}", "1a".repeat(32))],
            pool: Some("studio".to_owned()),
            backend: Some(BackendName::Gpu),
            memory_gb: Some(8),
        }),
        bid: Some("15.00".to_owned()),
        assurance: Some("99".to_owned()),
        max_cost: Some("5".to_owned()),
        priority: Some(80),
        after: vec![format!("job_{}", "2b".repeat(16)), format!("job_{}", "3c".repeat(16))],
        paused: Some(false),
        progressive: Some(true),
        stop_after_s: Some(900),
        wanted_by: Some("2026-12-01T08:00:00Z".to_owned()),
    }
}
