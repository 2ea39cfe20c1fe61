//! Jobs written as templates and read again; with `OPENJD_CLI` set to the public `openjd` program,
//! that is asked as well.

use std::path::PathBuf;
use std::process::Command;

use client::description::{FrameNumbers, LookAt, NoiseWords, ShutterName, SunWords};
use client::{Description, SceneImport};
use openjd::{Format, Template, export};

use crate::imported;
use crate::jobs::{animation, jobs, plain};

fn check(name: &str, description: &Description, scene_import: &SceneImport) -> String {
    let export =
        export(description, scene_import, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(export.given.is_empty(), "{name}: {:?}", export.given);
    let text = export.to_json();
    let template = Template::parse(&text, Format::Json)
        .unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    assert_eq!(template.check(), [], "{name}");
    let import = imported(&template, &[]);
    let [job] = import.jobs.as_slice() else {
        panic!("{name}: {} jobs\n{text}", import.jobs.len())
    };
    assert_eq!(&job.description, description, "{name}\n{text}");
    assert_eq!(&job.scene_import, scene_import, "{name}\n{text}");
    assert!(job.after.is_empty() && import.client_steps.is_empty());
    text
}

#[test]
fn a_job_is_the_same_when_its_template_is_read() {
    for (name, description, scene_import) in jobs() {
        check(name, &description, &scene_import);
    }
}

#[test]
fn frames_are_the_same_where_their_range_is_written_otherwise() {
    for (wide, narrow) in
        [((1, 240, 2), (1, 239, 2)), ((5, 5, 7), (5, 5, 1)), ((5, 9, 7), (5, 5, 1))]
    {
        let job = |(first, last, step)| animation(first, last, step);
        let text = export(&job(wide), &plain(), None).expect("sound").to_json();
        let template = Template::parse(&text, Format::Json).expect("sound");
        assert_eq!(imported(&template, &[]).jobs[0].description, job(narrow));
    }
}

/// Random numbers of a seed, after Steele and others 2014 (SplitMix64).
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u32) -> u32 {
        (self.draw() % u64::from(end)) as u32
    }

    fn perhaps<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| make(self))
    }

    /// Any finite number of this many bits' magnitude.
    fn number(&mut self) -> f32 {
        (self.draw() as i32 as f32) / 2.0_f32.powi(self.below(60) as i32)
    }

    fn positive(&mut self) -> f32 {
        1.0 + self.below(1_000_000) as f32 / 997.0
    }

    /// Text that holds what templates and shells mind.
    fn text(&mut self) -> String {
        const PARTS: [&str; 16] = [
            "a",
            "Z",
            "7",
            " ",
            "-",
            "--size",
            "{",
            "}",
            "{{",
            "}}",
            "=",
            ",",
            "\"",
            "'",
            "\\",
            "ß\u{1f3a5}",
        ];
        let length = 1 + self.below(6);
        (0..length).map(|_| PARTS[self.below(16) as usize]).collect()
    }
}

fn random(random: &mut Random) -> Description {
    let frames = random.perhaps(|random| {
        let (first, step) = (random.below(1_000), 1 + random.below(9));
        let count = random.below(50);
        let step = if count == 0 { 1 } else { step };
        FrameNumbers { first, last: first + count * step, step }
    });
    let cameras: std::collections::BTreeSet<String> =
        (0..random.below(3)).map(|_| random.text()).collect();
    let look_at = if cameras.is_empty() {
        random.perhaps(|random| LookAt {
            eye: [random.number(), 0.0, 1.5],
            target: [random.number(), -0.0, 9.0],
            vfov_degrees: 1.0 + random.below(1_000) as f32 / 9.0,
        })
    } else {
        None
    };
    Description {
        scene: format!("{}.glb", random.text().replace(['\\', '/'], "_")),
        name: random.perhaps(Random::text),
        cameras: cameras.into_iter().collect(),
        look_at,
        size: random.perhaps(|random| [1 + random.below(4_000), 1 + random.below(4_000)]),
        samples: random.perhaps(|random| 1 + random.below(65_536)),
        noise: random.perhaps(|random| NoiseWords {
            threshold: 0.001 * (1 + random.below(500)) as f32,
            min_samples: 1 + random.below(64),
        }),
        frames,
        fps: random.perhaps(|random| 1.0 + random.below(9_000) as f32 / 10.0),
        bounces: random.perhaps(|random| random.below(65)),
        seed: random.perhaps(|random| random.draw() as u32),
        shutter: random.perhaps(|random| random.below(10_001) as f32 / 100.0),
        shutter_position: random.perhaps(|_| ShutterName::Center),
        sun: random.perhaps(|random| SunWords {
            direction: [random.number(), random.positive(), -1.0],
            irradiance: [random.positive(), 0.0, random.positive()],
            angle_degrees: 0.5,
        }),
        sky: random.perhaps(|random| [random.positive(), 0.0, random.positive()]),
        roulette: random.perhaps(|random| random.below(2) == 0),
        paused: random.perhaps(|random| random.below(2) == 0),
        progressive: random.perhaps(|random| random.below(2) == 0),
        priority: random.perhaps(|random| 1 + random.below(100) as u8),
        stop_after_s: random.perhaps(|random| u64::from(1 + random.below(100_000))),
        ..Description::default()
    }
}

#[test]
fn any_job_is_the_same_when_its_template_is_read() {
    let mut numbers = Random(20_261_130);
    let mut written = 0;
    for round in 0..2_000 {
        let description = random(&mut numbers);
        // What is no job is not written; most are.
        if export(&description, &plain(), None).is_ok() {
            check(&format!("round {round}"), &description, &plain());
            written += 1;
        }
    }
    assert!(written > 1_000, "{written}");
}

#[test]
fn the_public_program_takes_what_is_written() {
    let Some(program) = std::env::var_os("OPENJD_CLI") else { return };
    let folder = std::env::var_os("OPENJD_OUT").map_or_else(std::env::temp_dir, PathBuf::from);
    let mut numbers = Random(7);
    let more = (0..20).map(|_| ("random", random(&mut numbers), plain()));
    for (index, (name, description, scene_import)) in jobs().into_iter().chain(more).enumerate() {
        let Ok(export) = export(&description, &scene_import, None) else { continue };
        let path = folder.join(format!("tessera_{index}_{name}.json"));
        std::fs::write(&path, export.to_json()).expect("a file");
        for command in ["check", "summary"] {
            let output = Command::new(&program).arg(command).arg(&path).output().expect("it runs");
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command} {name}: {said}\n{}", export.to_json());
            println!("{command} {name}: {}", said.trim());
        }
    }
}
