use protocol::{CameraChoice, JobSpec, Opening, PublicKey, SceneId, Size, Tokens};

use super::{Description, SceneAsks};

const ME: PublicKey = PublicKey([7; 32]);

fn described(json: &str) -> Description {
    serde_json::from_str(json).expect("a description")
}

fn spec(json: &str) -> Result<JobSpec, String> {
    let asks = SceneAsks { size: Some([320, 180]), shutter: Some(0.5), ..SceneAsks::default() };
    described(json).spec(SceneId([3; 32]), &asks, ME).map_err(|error| error.to_string())
}

#[test]
fn what_is_left_out_is_as_the_scene_asks_or_usual() {
    let spec = spec(r#"{"scene": "scn_x"}"#).expect("sound");
    assert_eq!(spec.settings.size, Size::new(320, 180));
    assert_eq!((spec.settings.samples, spec.settings.bounces), (64, 8));
    assert_eq!(spec.settings.shutter.map(|shutter| shutter.open_s), Some(0.5 / 24.0));
    assert_eq!(spec.settings.camera, CameraChoice::Default);
    assert_eq!((spec.frames.count(), spec.tile_side_px), (1, 128));
    assert_eq!(spec.name, SceneId([3; 32]).short());
    assert!(spec.needs.is_nothing() && spec.noise.is_none());
}

#[test]
fn a_job_file_says_the_same_as_a_body() {
    let toml = r#"
        scene = "shot.glb"
        cameras = ["left", "right"]
        size = [1920, 1080]
        frames = { first = 1, last = 240, step = 2 }
        fps = 25
        lens = { fstop = 2.8, focus = 3 }
        needs = { only_mine = true, pool = "studio", memory_gb = 8 }
        bid = "15.5"
        max_cost = "5"
        after = ["job_00000000000000000000000000000000"]
        stop_after_s = 900
        wanted_by = "2026-12-01T08:00:00Z"
    "#;
    let described: Description = toml::from_str(toml).expect("a job file");
    let again = serde_json::to_string(&described).expect("writes");
    assert_eq!(serde_json::from_str::<Description>(&again).expect("reads"), described);
    let spec = described.spec(SceneId([3; 32]), &SceneAsks::default(), ME).expect("sound");
    assert_eq!((spec.view_count(), spec.frames.count(), spec.shot_count()), (2, 120, 240));
    assert_eq!(spec.settings.lens.map(|lens| lens.opening), Some(Opening::FNumber(2.8)));
    assert!(spec.needs.owners.contains(&ME));
    assert_eq!(spec.needs.memory_bytes, 8_000_000_000);
    assert_eq!(described.offer().expect("sound").bid, Some(Tokens::from_micro(15_500_000)));
    assert_eq!(described.max_cost().expect("sound"), Some(Tokens::from_whole(5)));
    let schedule = described.schedule().expect("sound");
    assert_eq!(schedule.wanted_by_ms, Some(1_796_112_000_000));
    assert_eq!((schedule.after.len(), schedule.stop_after_ms), (1, Some(900_000)));
    assert!(schedule.progressive, "it may end with what it has");
}

#[test]
fn what_is_not_usable_is_named_with_its_field_and_value() {
    let check = |json: &str, words: &[&str]| {
        let error = spec(json).expect_err(json);
        words.iter().for_each(|word| assert!(error.contains(word), "{json}: {error}"));
    };
    check(r#"{"cameras": ["a"], "look_at": {"eye": [0,0,1], "target": [0,0,0]}}"#, &["look_at:"]);
    check(r#"{"cameras": ["a", "b", "a"]}"#, &["cameras:", "\"a\""]);
    let many: Vec<String> = (0..33).map(|number| format!("\"{number}\"")).collect();
    check(&format!(r#"{{"cameras": [{}]}}"#, many.join(",")), &["cameras:", "33 are too many"]);
    check(r#"{"lens": {"focus": 1}}"#, &["lens:", "fstop"]);
    check(r#"{"lens": {"focus": 1, "fstop": 2, "aperture": 1}}"#, &["lens:", "not both"]);
    check(r#"{"shutter": -1}"#, &["shutter:", "-1"]);
    check(r#"{"noise": {"threshold": 7}}"#, &["noise.threshold:", "7"]);
    check(r#"{"samples": 0}"#, &["job:", "samples"]);
    check(r#"{"size": [0, 10]}"#, &["job:", "0x10"]);
    check(r#"{"frames": {"first": 9, "last": 1}}"#, &["job:"]);
    check(r#"{"fps": 0}"#, &["job:"]);
    check(r#"{"needs": {"pool": "Not So"}}"#, &["needs.pool:", "Not So"]);
    check(r#"{"needs": {"owners": ["me"]}}"#, &["needs.owners:"]);
}

#[test]
fn terms_and_times_that_are_none_are_named() {
    let terms = |json: &str| described(json).offer().expect_err(json).to_string();
    assert!(terms(r#"{"bid": "a lot"}"#).starts_with("bid: "));
    assert!(terms(r#"{"bid": "0"}"#).starts_with("bid: "));
    assert!(terms(r#"{"assurance": "90"}"#).starts_with("assurance: "));
    let times = |json: &str| described(json).schedule().expect_err(json).to_string();
    assert!(times(r#"{"priority": 101}"#).starts_with("priority: 101"));
    assert!(times(r#"{"after": ["job_x"]}"#).starts_with("after: "));
    assert!(times(r#"{"wanted_by": "tomorrow"}"#).contains("\"tomorrow\" is no time"));
    assert!(times(r#"{"stop_after_s": 0}"#).starts_with("job: "));
    assert!(described(r#"{"max_cost": "-1"}"#).max_cost().is_err());
}

#[test]
fn unknown_words_are_refused_by_name() {
    let refused = |json: &str| serde_json::from_str::<Description>(json).expect_err(json);
    assert!(refused(r#"{"sample": 4}"#).to_string().contains("`sample`"));
    assert!(refused(r#"{"lens": {"focus": 1, "fstops": 2}}"#).to_string().contains("`fstops`"));
    assert!(refused(r#"{"filter": "mitchell"}"#).to_string().contains("`mitchell`"));
}

#[test]
fn long_animations_have_large_tiles_unless_asked_otherwise() {
    let side = |json: &str| spec(json).expect("sound").tile_side_px;
    let hd = |frames: u32, more: &str| {
        side(&format!(
            r#"{{"size": [1920, 1080], "frames": {{"first": 1, "last": {frames}}}{more}}}"#
        ))
    };
    assert_eq!(hd(1, ""), 128);
    assert_eq!(hd(400, ""), 128, "54 000 tiles");
    assert_eq!(hd(1_000, ""), 256, "40 000 instead of 135 000");
    assert_eq!(hd(10_000, ""), 512, "120 000 instead of 400 000");
    assert_eq!(hd(10_000, r#", "passes": true"#), 256);
    assert_eq!(hd(10_000, r#", "tile": 128"#), 128);
}
