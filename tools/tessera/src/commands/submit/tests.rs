use std::path::Path;

use clap::Parser;
use protocol::{Offer, PublicKey, Schedule, Tokens};

use super::*;

const ME: PublicKey = PublicKey([7; 32]);
const SCENE: &str = "scn_0303030303030303030303030303030303030303030303030303030303030303";
const JOB: &str = "job_00000000000000000000000000000000";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    submit: SubmitArgs,
}

fn line(words: &[&str]) -> SubmitArgs {
    let words = [&["tessera", "--farm", "@ticket"], words].concat();
    Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).submit
}

/// What would be ordered: the job, its terms, its limit.
fn ordered(words: &[&str]) -> anyhow::Result<(JobSpec, Offer, Schedule, Option<Tokens>)> {
    let SubmitArgs { job, order } = line(words);
    let mut described = job.described()?;
    let file = described.file.clone();
    let terms = order.terms(&mut described.description, file.as_ref(), "shot")?;
    job.picture.complete(&mut described.description, None, None)?;
    let spec = described.description.spec(SceneId([3; 32]), &SceneAsks::default(), ME);
    let spec = spec.map_err(|error| described.fault(&error))?;
    Ok((spec, terms.offer, terms.schedule.clone(), terms.limit))
}

/// A job file that says everything.
fn whole_file() -> String {
    format!(
        r#"
scene = "{SCENE}"
name = "shot_010"
cameras = ["left", "right"]
size = [1920, 1080]
samples = 256
frames = {{ first = 1, last = 240, step = 2 }}
fps = 25
bounces = 6
seed = 4
crop = {{ x = 10, y = 20, width = 960, height = 540 }}
overscan = 8
shutter = 0.25
shutter_position = "start"
panorama = false
filter = "gaussian"
roulette = false
passes = true
tile = 64
sky = [1, 2, 3]
bid = "15.00"
assurance = "99"
max_cost = "5.00"
priority = 80
after = ["{JOB}"]
paused = true
progressive = true
stop_after_s = 900
wanted_by = "2099-12-01T08:00:00Z"

[noise]
threshold = 0.01
min_samples = 16

[lens]
fstop = 2.8
focus = 3
blades = 6
rotation_degrees = 10

[sun]
direction = [0, 1, 0]
irradiance = [3, 2, 1]
angle_degrees = 0.5

[needs]
only_mine = true
pool = "studio"
backend = "gpu"
memory_gb = 8

[import]
animation = "walk"
variant = "red"
lamps = "photometric"
missing_textures = "magenta"
without = ["lamps"]
environment = {{ file = "sky.hdr", strength = 2.0, rotation_degrees = 90.0 }}
"#
    )
}

/// The same as options.
const WHOLE_LINE: &str = "--name shot_010 --camera left --camera right --size 1920x1080 --spp 256 \
    --frames 1-240 --step 2 --fps 25 --bounces 6 --seed 4 --crop 10,20,960x540 --overscan 8 \
    --shutter 0.25 --shutter-position start --filter gaussian --rr off --passes --tile 64 \
    --sky 1,2,3 --bid 15 --assurance 99 --max-cost 5 --priority 80 --after JOB --paused \
    --progressive --stop-after 15m --noise 0.01 --min-samples 16 --fstop 2.8 --focus 3 \
    --blades 6 --blade-rotation 10 --sun 3,2,1 --sun-dir 0,1,0 --sun-angle 0.5 --only-mine \
    --pool studio --backend gpu --memory 8";

fn whole_line() -> Vec<&'static str> {
    WHOLE_LINE.split_whitespace().map(|word| if word == "JOB" { JOB } else { word }).collect()
}

fn in_folder(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("job.toml");
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("UTF-8").to_owned();
    (folder, path)
}

#[test]
fn a_job_file_says_the_same_as_options() {
    let (_folder, file) = in_folder(&whole_file());
    let by_file = ordered(&[&file]).expect("sound");
    let (mut spec, offer, mut schedule, limit) =
        ordered(&[&["--scene", SCENE][..], &whole_line()].concat()).expect("sound");
    // A time typed is a local one.
    assert_eq!(schedule.wanted_by_ms, None);
    schedule.wanted_by_ms = by_file.2.wanted_by_ms;
    assert_eq!(by_file, (spec.clone(), offer, schedule, limit));
    // Options win over the file, and the lower limit counts.
    let (more, more_offer, _, limit) =
        ordered(&[&file, "--spp", "8", "--bid", "20", "--max-cost", "9"]).expect("sound");
    spec.settings.samples = 8;
    assert_eq!((more, limit), (spec, Some(Tokens::from_whole(5))));
    assert_eq!(more_offer.bid, Some(Tokens::from_whole(20)));
    let (.., limit) = ordered(&[&file, "--max-cost", "2"]).expect("sound");
    assert_eq!(limit, Some(Tokens::from_whole(2)));
}

#[test]
fn a_job_file_without_more_is_as_a_line_without_more() {
    let (_folder, file) = in_folder(&format!("scene = {SCENE:?}\n"));
    assert_eq!(ordered(&[&file]).expect("sound"), ordered(&["--scene", SCENE]).expect("sound"));
}

#[test]
fn a_scene_is_a_file_beside_the_job_file() {
    let (folder, file) = in_folder("scene = \"sets/shot_010.glb\"\n[needs]\npool = \"day\"\n");
    let described = line(&[&file]).job.described().expect("sound");
    let Source::File(path) = &described.source else { panic!("a file") };
    assert_eq!(path, &folder.path().join("sets/shot_010.glb"));
    assert_eq!(described.description.name.as_deref(), Some("shot_010"));
    assert_eq!(described.file_name(), "shot_010");
    assert_eq!(described.folder(), folder.path());
    // The scene of the farm's that is typed wins.
    let described = line(&[&file, "--scene", SCENE]).job.described().expect("sound");
    assert!(matches!(described.source, Source::Held(_)) && described.file_name() == "job");
    assert!(Path::new(&file).is_file());
}

#[test]
fn what_cannot_be_is_named_with_file_line_and_field() {
    let check = |text: &str, more: &[&str], words: &[&str]| {
        let (_folder, file) = in_folder(text);
        let error = ordered(&[&[file.as_str()], more].concat()).map(drop).expect_err(text);
        let said = format!("{error:#}");
        assert_eq!(crate::exit::classify(&error), Exit::Usage, "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{text:?}: {said}");
    };
    check("samples = 4\n", &[], &["job.toml: scene: ", "scn_…"]);
    check("\nscene = \"scn_12\"\n", &[], &["job.toml:2: scene: "]);
    check("scene = \"a.glb\"\nshutter = -1\n", &[], &["job.toml:2: shutter: -1"]);
    check("scene = \"a.glb\"\nshuter = 1\n", &[], &["job.toml:2: ", "`shuter`"]);
    check("scene = \"a.glb\"\nsamples = 0\n", &[], &["job.toml: job: 0 samples"]);
    check("scene = \"a.glb\"\npriority = 101\n", &[], &["job.toml:2: priority: 101"]);
    check("scene = \"a.glb\"\nmax_cost = \"much\"\n", &[], &["job.toml:2: max_cost: "]);
    check("scene = \"a.glb\"\nbid = \"0\"\n", &[], &["job.toml:2: bid: "]);
    check("scene = \"a.glb\"\n[needs]\npool = \"A B\"\n", &[], &["job.toml:3: needs.pool: "]);
    check("scene = \"a.glb\"\n", &["--yes"], &["--max-cost"]);
    let error = ordered(&["a.glb", "--camera", "a", "--camera", "a"]).map(drop).expect_err("twice");
    assert_eq!(error.to_string(), "--camera: \"a\" stands there twice; leave one out");
    let error = ordered(&["a.glb", "--spp", "0"]).map(drop).expect_err("none");
    assert!(error.to_string().starts_with("0 samples per pixel"), "{error}");
    let error = ordered(&["a.glb", "--scene", SCENE]).map(drop).expect_err("both");
    assert!(error.to_string().contains("not both"), "{error}");
}

#[test]
fn the_documents_job_file_is_one() {
    let document = include_str!("../../../../../docs/cli.md");
    let text = document.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let (_folder, file) = in_folder(text.expect("the first TOML is a job file"));
    let described = line(&[&file]).job.described().expect("sound");
    assert_eq!(described.description.priority, Some(50));
    assert!(described.description.schedule().is_ok() && described.import.environment.is_some());
    // Nothing that a description may say is missing from it, but for the other kind of camera.
    let whole = serde_json::to_value(&described.description).expect("an object");
    let count = whole.as_object().map(serde_json::Map::len);
    assert_eq!(count, Some(32), "{whole}");
}
