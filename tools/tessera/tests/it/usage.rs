//! Help, versions and bad input at every door.

use std::fs;

use crate::run::Place;

#[test]
fn help_shows_examples_first() {
    let place = Place::new();
    for command in [&[][..], &["render"], &["jobs", "submit"], &["demo"], &["ledger", "verify"]] {
        let arguments = [command, &["--help"]].concat();
        let help = place.done(&arguments);
        let examples = help.find("Examples:").expect("examples");
        assert!(examples < help.find("Usage:").expect("usage"), "{help}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    place.done(&["man", "deep/man1"]);
    let page = |name: &str| fs::read_to_string(place.path("deep/man1").join(name));
    let submit = page("tessera-jobs-submit.1").expect("written");
    assert!(submit.contains(".SH EXAMPLES\n.nf\ntessera jobs submit"), "{submit}");
    assert!(page("tessera.1").expect("written").contains("tessera\\-node(1)"));
    assert!(page("tessera-worker.1").is_err(), "nobody types it");
}

#[test]
fn shells_get_completions() {
    let script = Place::new().done(&["completions", "bash"]);
    assert!(script.contains("tessera") && script.contains("--spp"), "{script}");
}

#[test]
fn the_version_names_engine_and_protocol() {
    let version = Place::new().done(&["--version"]);
    assert!(version.starts_with("tessera ") && version.contains("engine"), "{version}");
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_usage_error() {
    let place = Place::new();
    let scene = place.scene();
    place.refused(2, &["Usage"], &[]);
    place.refused(2, &["unexpected argument"], &["render", &scene, "--sise", "1x1"]);
    place.refused(2, &["640x360"], &["render", &scene, "--size", "640"]);
    place.refused(2, &["640x360"], &["render", &scene, "--size", "0x10"]);
    place.refused(2, &["out of range"], &["render", &scene, "--size", "99999x99999"]);
    place.refused(2, &["samples per pixel"], &["render", &scene, "--spp", "0"]);
    place.refused(2, &["bounces"], &["render", &scene, "--bounces", "65"]);
    place.refused(2, &["fraction of a frame"], &["render", &scene, "--shutter", "half"]);
    place.refused(2, &["fraction of a frame"], &["render", &scene, "--shutter", "-1"]);
    place.refused(2, &["--target"], &["render", &scene, "--eye", "1,2,3"]);
    place.refused(2, &["three numbers"], &["render", &scene, "--eye", "1,2", "--target", "0,0,0"]);
    place.refused(2, &[".exr, .png or .jpg"], &["render", &scene, "-o", "a.tif"]);
    place.refused(2, &["1700 K to 15000 K"], &["render", &scene, "--white-balance", "100"]);
    place.refused(2, &["a whole number from 1 to 100"], &["render", &scene, "--jpeg-quality", "0"]);
    place.refused(2, &["same point"], &["render", &scene, "--eye", "1,2,3", "--target", "1,2,3"]);
    place.refused(2, &["--env"], &["render", &scene, "--env-strength", "2"]);
    place.refused(2, &["more than 0 and at most 1"], &["render", &scene, "--noise", "0"]);
    place.refused(2, &["a noise of 1.5"], &["render", &scene, "--noise", "1.5"]);
    place.refused(2, &["--noise"], &["render", &scene, "--min-samples", "16"]);
}

#[test]
fn half_a_lens_is_a_usage_error() {
    let place = Place::new();
    let scene = place.scene();
    let check = |words: &[&str], lens: &[&str]| {
        place.refused(2, words, &[&["render", &scene][..], lens].concat());
    };
    check(&["--fstop", "--aperture"], &["--focus", "2"]);
    check(&["--fstop", "--aperture"], &["--focus", "2", "--blades", "6"]);
    check(&["--focus"], &["--fstop", "2"]);
    check(&["--focus"], &["--aperture", "0.01"]);
    check(&["--focus"], &["--blades", "6"]);
    check(&["--blades"], &["--blade-rotation", "10"]);
    check(&["--blades"], &["--blade-rotation", "10", "--fstop", "2", "--focus", "2"]);
    check(&["cannot be used with"], &["--fstop", "2", "--aperture", "0.01", "--focus", "2"]);
    check(&["3 to 64 blades"], &["--fstop", "2", "--focus", "2", "--blades", "2"]);
    let whole = ["--aperture", "0.01", "--focus", "4", "--blades", "6", "--blade-rotation", "10"];
    let small = ["render", &scene, "--size", "8x8", "--spp", "1", "--backend", "cpu"];
    place.done(&[&small[..], &whole].concat());
}

#[test]
fn what_is_not_there_is_not_found() {
    let place = Place::new();
    let scene = place.scene();
    place.refused(3, &["nowhere.glb"], &["render", "nowhere.glb"]);
    place.refused(3, &["nowhere.hdr"], &["render", &scene, "--env", "nowhere.hdr"]);
    place.refused(3, &["side", "front"], &["render", &scene, "--camera", "side"]);
    place.refused(3, &["no such folder"], &["render", &scene, "-o", "nowhere/a.exr"]);
    place.refused(3, &["a.exr"], &["compare", "a.exr", "b.exr"]);
    place.refused(3, &["nowhere.glb"], &["demo", "--scene", "nowhere.glb"]);
    place.refused(3, &["nowhere"], &["ledger", "verify", "--data", "nowhere"]);
    place.refused(3, &["nowhere.toml"], &["scheduler", "--data", "d", "--config", "nowhere.toml"]);
}

#[test]
fn a_file_that_is_no_scene_is_refused_with_its_name() {
    let place = Place::new();
    for (name, bytes) in [
        ("empty.glb", &b""[..]),
        ("text.glb", b"this is no scene"),
        ("short.glb", b"glTF\x02\0\0\0\xff\xff\xff\xff"),
        ("broken.gltf", b"{\"asset\":"),
    ] {
        fs::write(place.path(name), bytes).expect("written");
        place.refused(1, &[name], &["render", name]);
    }
}

#[test]
fn the_schedulers_settings_are_checked_and_shown() {
    let place = Place::new();
    let shown = place.done(&["scheduler", "--data", "farm", "--print-config"]);
    fs::write(place.path("farm.toml"), &shown).expect("written");
    let again =
        place.done(&["scheduler", "--data", "farm", "--config", "farm.toml", "--print-config"]);
    assert_eq!(shown, again, "what is printed can be read");
    fs::write(place.path("bad.toml"), "no_such_setting = 1\n").expect("written");
    place.refused(
        2,
        &["bad.toml", "no_such_setting"],
        &["scheduler", "--data", "farm", "--config", "bad.toml"],
    );
}
