//! Settings in files, and how the program behaves towards whoever starts it.

use std::fs;

use serde_json::Value;

use crate::run::Place;

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let place = Place::new();
    let usual = place.done(&["config"]);
    assert!(usual.contains("farm      not set  (as usual)"), "{usual}");
    fs::write(place.path("config.toml"), "farm = \"@ticket\"\nmax_cost = \"5\"\n")
        .expect("written");
    fs::write(place.path("tessera.toml"), "max_cost = \"2\"\n").expect("written");
    let shown: Value = serde_json::from_str(&place.done(&["config", "--json"])).expect("JSON");
    assert_eq!(shown["max_cost"]["values"][0], "2");
    assert_eq!(shown["max_cost"]["of"], "tessera.toml");
    let ticket = place.path("ticket").display().to_string();
    assert_eq!(shown["farm"]["values"][0], format!("@{ticket}"));
    // What a file says is as if it were typed.
    place.refused(3, &[&ticket], &["jobs", "list"]);
    place.refused(3, &["there"], &["jobs", "list", "--farm", "@there"]);
}

#[test]
fn a_bad_settings_file_is_an_error_with_its_line() {
    let place = Place::new();
    fs::write(place.path("tessera.toml"), "farm = \"x\"\nfrm = 2\n").expect("written");
    place.refused(2, &["tessera.toml:2: ", "`frm`"], &["jobs", "list"]);
    place.refused(2, &["tessera.toml:2: "], &["config"]);
}

#[test]
fn a_job_file_that_cannot_be_is_told_before_anything_is_sent() {
    let place = Place::new();
    let quote = |words: &[&str], code: i32, text: &str| {
        fs::write(place.path("job.toml"), text).expect("written");
        place.refused(code, words, &["quote", "job.toml", "--farm", "x"]);
    };
    quote(&["job.toml:2: ", "`sampels`"], 2, "scene = \"a.glb\"\nsampels = 4\n");
    quote(&["job.toml:2: samples: "], 2, "scene = \"a.glb\"\nsamples = \"4\"\n");
    quote(&["nowhere.glb"], 3, "scene = \"nowhere.glb\"\n");
    quote(&["a.hdr"], 3, "scene = \"job.toml\"\n[import]\nenvironment = { file = \"a.hdr\" }\n");
    place.refused(3, &["no.toml"], &["jobs", "submit", "no.toml", "--farm", "x"]);
}

#[test]
fn silence_leaves_errors_and_data() {
    let place = Place::new();
    let scene = place.scene();
    let small = ["render", &scene, "--size", "8x8", "--spp", "1", "--backend", "cpu"];
    let said = place.run(&[&small[..], &["--quiet"]].concat());
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "square.exr\n", ""));
    let said = place.run(&["--quiet", "render", "nowhere.glb"]);
    assert!(said.code == Some(3) && said.err.starts_with("error: "), "{}", said.err);
    place.refused(2, &["--verbose"], &["--quiet", "-v", "config"]);
    let help = place.done(&["--no-color", "--no-input", "config", "--help"]);
    assert!(help.contains("Examples:"), "{help}");
}

/// A scheduler's log for what collects logs: an object a line, with fields of its own.
#[test]
fn a_log_is_json_where_that_is_asked_for() {
    let place = Place::new();
    fs::write(place.path("farm"), "no folder").expect("written");
    let log = |format: &str| {
        let mut command = place.command(&["-v", "scheduler", "--data", "farm"]);
        let said = command.env("TESSERA_LOG_FORMAT", format).output().expect("the binary runs");
        (said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned())
    };
    let (code, said) = log("xml");
    assert_ne!(code, Some(0));
    assert!(said.contains("TESSERA_LOG_FORMAT is \"xml\"; say text or json"), "{said}");
    let (_, said) = log("json");
    let line: Value = serde_json::from_str(said.lines().next().expect("a line")).expect("JSON");
    assert_eq!(line["level"], "INFO");
    assert!(line["message"].as_str().is_some_and(|it| it.starts_with("settings: ")), "{line}");
}
