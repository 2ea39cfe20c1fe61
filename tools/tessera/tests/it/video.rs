//! Videos: what ffmpeg is told and given, and what it makes of it where it is installed.

use std::fs;

use serde_json::Value;

use crate::run::{Place, Said};

/// Three frames of an odd size, as EXR and PNG.
fn frames(place: &Place) {
    let scene = place.scene();
    fs::create_dir(place.path("out")).expect("a folder");
    for number in ["1", "2", "3"] {
        let files = ["-o", "out/f.{frame}.exr", "-o", "out/f.{frame}.png"];
        let more = ["--size", "17x9", "--spp", "1", "--backend", "cpu", "--fps", "25"];
        let frame = ["--frame", number, "--sky", "0.1,0.3,0.6"];
        place.done(&[&["render", &scene], &files[..], &more, &frame].concat());
    }
}

/// An ffmpeg that keeps what it is told and given.
#[cfg(unix)]
fn fake(place: &Place, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;

    let path = place.path("ffmpeg");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("changed");
    place.path("").display().to_string()
}

#[cfg(unix)]
fn in_path(place: &Place, path: &str, arguments: &[&str]) -> Said {
    let output = place.command(arguments).env("PATH", path).output().expect("the binary runs");
    Said::from(output)
}

#[cfg(unix)]
#[test]
fn ffmpeg_is_given_frames_of_even_sides_and_told_which_colours_they_are() {
    let place = Place::new();
    frames(&place);
    let keep = "for word; do last=$word; echo \"$word\"; done > told; /bin/cat > \"$last\"";
    let path = fake(&place, keep);
    let make = |arguments: &[&str]| {
        let said = in_path(&place, &path, &[&["video"], arguments].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
        let told = fs::read_to_string(place.path("told")).expect("told");
        (said.out, told.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let after = |told: &[String], word: &str| {
        let at =
            told.iter().position(|it| it == word).unwrap_or_else(|| panic!("{word}: {told:?}"));
        told[at + 1].clone()
    };
    let (out, told) = make(&["out/f.{frame}.exr", "-o", "a.mp4"]);
    assert_eq!(out, "a.mp4\n");
    let given = fs::read(place.path("a.mp4")).expect("it is in place");
    assert_eq!(given.len(), 3 * 18 * 10 * 6, "three frames of rgb48le");
    assert_eq!(after(&told, "-video_size"), "18x10");
    assert_eq!(after(&told, "-framerate"), "25/1", "as the EXRs say");
    assert_eq!(
        (after(&told, "-c:v"), after(&told, "-pix_fmt")),
        ("libx264".into(), "yuv420p".into())
    );
    for name in ["-color_primaries", "-color_trc", "-colorspace"] {
        assert_eq!(after(&told, name), "bt709");
    }
    assert_eq!(after(&told, "-color_range"), "tv");
    assert!(after(&told, "-vf").contains("out_color_matrix=bt709"), "{told:?}");

    // A PNG of the same look is the same frame in 8 bits.
    let (_, told) = make(&["out/f.*.png", "-o", "b.mov", "--fps", "23.976", "--frames", "2-3"]);
    assert_eq!(after(&told, "-framerate"), "24000/1001");
    assert_eq!(after(&told, "-c:v"), "prores_ks");
    let png = fs::read(place.path("b.mov")).expect("it is in place");
    assert_eq!(png.len(), 2 * 18 * 10 * 6);
    let values = |bytes: &[u8]| -> Vec<u16> {
        bytes.chunks_exact(2).map(|it| u16::from_le_bytes([it[0], it[1]])).collect()
    };
    let (exr, png_values) = (values(&given[18 * 10 * 6..]), values(&png));
    let most = exr.iter().zip(&png_values).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(most.is_some_and(|most| most <= 129), "half a step of 8 bits at most: {most:?}");

    let said = in_path(&place, &path, &["video", "out/f.*.png", "-o", "b.mov"]);
    assert!(said.code == Some(1) && said.err.contains("--overwrite"), "{}", said.err);
    assert_eq!(fs::read(place.path("b.mov")).expect("it stays"), png);
    make(&["out/f.*.png", "-o", "b.mov", "--overwrite"]);
    assert_eq!(fs::read(place.path("b.mov")).expect("replaced").len(), 3 * 18 * 10 * 6);
    let left = fs::read_dir(place.path("")).expect("lists").flatten();
    let left = left.filter(|it| it.file_name().to_string_lossy().contains("partial")).count();
    assert_eq!(left, 0, "nothing half made stays");
}

#[cfg(unix)]
#[test]
fn what_ffmpeg_complains_of_is_told_and_nothing_is_left() {
    let place = Place::new();
    frames(&place);
    let path = fake(&place, "echo \"Unknown encoder 'libx264'\" >&2; exit 1");
    let said = in_path(&place, &path, &["video", "out/f.*.png", "-o", "a.mp4"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("Unknown encoder 'libx264'"), "{}", said.err);
    assert!(!place.path("a.mp4").exists() && said.out.is_empty());

    let said = in_path(&place, "/nowhere", &["video", "out/f.*.png", "-o", "a.mp4"]);
    assert!(said.code == Some(3) && said.err.contains("apt install ffmpeg"), "{}", said.err);
}

#[test]
fn what_cannot_be_a_video_is_refused() {
    let place = Place::new();
    place.refused(2, &[".mp4 or .mov"], &["video", "out", "-o", "a.mkv"]);
    place.refused(2, &["ProRes"], &["video", "out", "-o", "a.mp4", "--codec", "prores"]);
    place.refused(3, &["nowhere"], &["video", "out", "-o", "nowhere/a.mp4"]);
    place.refused(3, &["ffmpeg"], &["video", "out", "-o", "a.mp4", "--ffmpeg", "nowhere"]);
}

#[test]
fn a_real_ffmpeg_writes_the_tags() {
    let probe = |place: &Place, file: &str| -> Value {
        let shown = "stream=codec_name,pix_fmt,width,height,nb_frames,color_range,color_space,color_transfer,color_primaries";
        let output = std::process::Command::new("ffprobe")
            .args(["-v", "error", "-show_entries", shown, "-of", "json", file])
            .current_dir(place.path(""))
            .output()
            .expect("it runs");
        let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        all["streams"][0].clone()
    };
    if std::process::Command::new("ffprobe").arg("-version").output().is_err() {
        eprintln!("skipped: ffmpeg and ffprobe are not installed here");
        return;
    }
    let place = Place::new();
    frames(&place);
    for (file, codec, name, pixels) in [
        ("a.mp4", "h264", "h264", "yuv420p"),
        ("a.mov", "prores", "prores", "yuv422p10le"),
        ("b.mov", "prores4444", "prores", "yuv444p"),
    ] {
        place.done(&["video", "out/f.{frame}.exr", "-o", file, "--codec", codec]);
        let stream = probe(&place, file);
        assert_eq!((&stream["codec_name"], &stream["nb_frames"]), (&name.into(), &"3".into()));
        assert_eq!((&stream["width"], &stream["height"]), (&18.into(), &10.into()));
        assert!(stream["pix_fmt"].as_str().is_some_and(|it| it.starts_with(pixels)), "{stream}");
        for tag in ["color_space", "color_transfer", "color_primaries"] {
            assert_eq!(stream[tag], "bt709", "{file}: {stream}");
        }
        assert_eq!(stream["color_range"], "tv");
    }
}
