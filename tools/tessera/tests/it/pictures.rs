//! Rendering and comparing real pictures.

use std::fs;

use serde_json::{Value, json};

use crate::run::Place;

const SMALL: [&str; 6] = ["--size", "40x24", "--spp", "20", "--backend", "cpu"];

fn render(place: &Place, more: &[&str]) -> String {
    let scene = place.scene();
    let arguments: Vec<&str> =
        ["render", &scene].iter().chain(&SMALL).chain(more).copied().collect();
    place.done(&arguments)
}

#[test]
fn a_render_writes_both_files_and_names_them() {
    let place = Place::new();
    let out = render(&place, &["-o", "a.exr", "-o", "a.png", "--camera", "front", "--sky", "1"]);
    assert_eq!(out, "a.exr\na.png\n");
    let picture = film::read_exr(&place.path("a.exr")).expect("an EXR");
    assert_eq!((picture.size.width, picture.size.height), (40, 24));
    assert!(picture.samples.iter().all(|&samples| samples == 20));
    let middle = 12 * 40 + 20;
    assert_eq!(picture.alpha[middle].to_bits(), 1.0_f32.to_bits(), "the square is in the middle");
    assert!(picture.beauty[middle][1] > 0.1, "and lit");
    let png = fs::read(place.path("a.png")).expect("a PNG");
    assert!(png.starts_with(b"\x89PNG"));
}

/// A crop has the pixels of the whole frame, an EXR says where they lie, a PNG holds them alone;
/// overscan goes on beyond the frame, and a PNG leaves it out.
#[test]
fn crops_and_overscan_are_of_the_same_frame() {
    let place = Place::new();
    let picture = |name: &str| film::read_exr(&place.path(name)).expect("an EXR");
    let png_size = |name: &str| {
        let bytes = fs::read(place.path(name)).expect("a PNG");
        [16, 20].map(|at| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four")))
    };
    let sky = ["--sky", "1", "--layers", "position"];
    let pair = |name: &str, more: &[&str]| {
        let (exr, png) = (format!("{name}.exr"), format!("{name}.png"));
        render(&place, &[&["-o", &exr, "-o", &png], &sky[..], more].concat());
        (picture(&exr), png_size(&png))
    };
    let (whole, whole_png) = pair("whole", &[]);
    let (part, part_png) = pair("part", &["--crop", "9,4,20x11"]);
    let (wide, wide_png) = pair("wide", &["--overscan", "10%"]);
    assert_eq!((whole_png, part_png, wide_png), ([40, 24], [20, 11], [40, 24]));
    let bytes = |name: &str| fs::read(place.path(name)).expect("written");
    assert_eq!(bytes("whole.png"), bytes("wide.png"));
    assert_eq!((part.place.x, part.place.y, part.place.frame), (9, 4, whole.size));
    assert_eq!((wide.place.x, wide.place.y, wide.place.frame), (-4, -4, whole.size));
    assert_eq!((wide.size.width, wide.size.height), (48, 32));
    let layers = |picture: &film::Picture, at: usize| -> Vec<u32> {
        let bits = |layer: &film::Layer| -> Vec<u32> {
            let channels = layer.channels().len();
            let at = at * channels..(at + 1) * channels;
            match layer.values() {
                film::LayerValues::Float(values) => {
                    values[at].iter().map(|v| v.to_bits()).collect()
                }
                film::LayerValues::Uint(values) => values[at].to_vec(),
            }
        };
        picture.layers().iter().flat_map(bits).collect()
    };
    let mut compared = 0;
    for found in [&part, &wide] {
        for at in 0..found.pixel_count() {
            let (x, y) = (at as i32 % found.size.width as i32, at as i32 / found.size.width as i32);
            let (x, y) = (x + found.place.x, y + found.place.y);
            if !(0..40).contains(&x) || !(0..24).contains(&y) {
                continue;
            }
            let there = (y * 40 + x) as usize;
            assert_eq!(found.beauty[at].map(f32::to_bits), whole.beauty[there].map(f32::to_bits));
            assert_eq!(layers(found, at), layers(&whole, there), "{x} {y}");
            compared += 1;
        }
    }
    assert_eq!(compared, 20 * 11 + 40 * 24);

    let refused = |words: &[&str], more: &[&str]| {
        let scene = place.scene();
        place.refused(2, words, &[&["render", &scene, "--size", "40x24"], more].concat());
    };
    refused(&["30,4,20x11", "40x24"], &["--crop", "30,4,20x11"]);
    refused(&["9,4,0x11 has no pixels"], &["--crop", "9,4,0x11"]);
    refused(&["800,300,320x200"], &["--crop", "9,4"]);
    refused(&["40000 px", "40x24"], &["--overscan", "40000"]);
}

/// A picture of each camera, under its name, as each alone would be.
#[test]
fn several_cameras_make_several_pictures() {
    let place = Place::new();
    let scene = place.scene_with(|document| {
        let mut wide = document["cameras"][0].clone();
        wide["name"] = json!("wide");
        wide["perspective"]["yfov"] = json!(1.4);
        let camera = document["cameras"][0].clone();
        document["cameras"] = json!([camera, wide]);
        document["scenes"][0]["nodes"] = json!([0, 1, 2]);
        let carrier = json!({ "camera": 1, "translation": [0.0, 1.0, 3.0] });
        document["nodes"].as_array_mut().expect("a list").push(carrier);
    });
    let done = |more: &[&str]| {
        let all = [&["render", &scene, "--sky", "1"], &SMALL[..], more].concat();
        place.done(&all)
    };
    let files = ["-o", "a.exr", "-o", "{camera}_{frame}.png"];
    let out = done(&[&files[..], &["--camera", "wide", "--camera", "front"]].concat());
    assert_eq!(out, "a.wide.exr\nwide_0000.png\na.front.exr\nfront_0000.png\n");
    let out = done(&[&files[..], &["--all-cameras", "--json"]].concat());
    let cameras: Vec<Value> = out
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("an object a line")["camera"].clone()
        })
        .collect();
    assert_eq!(cameras, [json!("front"), json!("wide")]);
    let bytes = |name: &str| fs::read(place.path(name)).expect("written");
    assert_ne!(bytes("a.front.exr"), bytes("a.wide.exr"));
    assert_eq!(done(&["-o", "b.exr", "--camera", "wide"]), "b.exr\n");
    assert_eq!(bytes("b.exr"), bytes("a.wide.exr"));

    let refused = |code, words: &[&str], more: &[&str]| {
        place.refused(code, words, &[&["render", &scene], &SMALL[..], more].concat());
    };
    refused(
        2,
        &["--camera: \"wide\" stands there twice"],
        &["--camera", "wide", "--camera", "wide"],
    );
    refused(2, &["--frame"], &["--time", "1.5", "-o", "{frame}.exr"]);
}

#[test]
fn looks_change_pictures_and_not_the_exr() {
    let place = Place::new();
    let plain = ["-o", "a.exr", "-o", "a.png", "-o", "a.jpg", "--sky", "1"];
    let warm = ["-o", "b.exr", "-o", "b.png", "--sky", "1", "--view", "neutral"];
    render(&place, &plain);
    render(&place, &[&warm[..], &["--white-balance", "3200,5", "--png-depth", "16"]].concat());
    let bytes = |name: &str| fs::read(place.path(name)).expect("written");
    assert_eq!(bytes("a.exr"), bytes("b.exr"));
    // The header's depth, after eight bytes of signature and the chunk's length, name and sides.
    assert_eq!((bytes("a.png")[24], bytes("b.png")[24]), (8, 16));
    assert!(bytes("a.jpg").starts_with(&[0xff, 0xd8]));
}

#[test]
fn a_scene_may_ask_for_its_picture_and_options_win() {
    let place = Place::new();
    let wishing = |wishes: Value| {
        place.scene_with(|document| document["scenes"][0]["extras"] = json!({ "tessera": wishes }))
    };
    let wishes = json!({ "resolution": [24, 16], "samples": 3, "view": "Standard",
        "exposure": 0.5 });
    let render = |more: &[&str]| {
        let scene = "square.gltf";
        let said =
            place.run(&[&["render", scene, "--backend", "cpu", "--sky", "1"], more].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
        said.err
    };
    let line = |said: &str| -> Option<String> {
        Some(said.lines().find_map(|line| line.strip_prefix("  from the scene: "))?.to_owned())
    };
    let picture = |name: &str| film::read_exr(&place.path(name)).expect("an EXR");
    let bytes = |name: &str| fs::read(place.path(name)).expect("written");

    wishing(wishes.clone());
    let said = render(&["-o", "asked.exr", "-o", "asked.png"]);
    assert_eq!(line(&said).as_deref(), Some("24x16, 3 samples, srgb, +0.5 EV"));
    assert!(!said.contains("warning"), "{said}");
    let asked = picture("asked.exr");
    assert_eq!((asked.size.width, asked.size.height, asked.samples[0]), (24, 16, 3));
    let half = ["--spp", "2", "--view", "raw", "-o", "half.exr"];
    assert_eq!(line(&render(&half)).as_deref(), Some("24x16, +0.5 EV"));
    assert_eq!(picture("half.exr").samples[0], 2);
    let options = ["--size", "24x16", "--spp", "3", "--view", "srgb", "--exposure", "0.5"];
    assert_eq!(line(&render(&[&options[..], &["-o", "b.png"]].concat())), None);
    assert_eq!(bytes("asked.png"), bytes("b.png"));

    // The same picture of a scene that asks for nothing.
    wishing(json!({}));
    assert_eq!(line(&render(&[&options[..], &["-o", "c.png", "-o", "c.exr"]].concat())), None);
    assert_eq!((bytes("asked.png"), asked), (bytes("c.png"), picture("c.exr")));

    wishing(json!({ "view": "Filmic" }));
    let small = ["--size", "8x8", "--spp", "1", "-o", "d.png"];
    assert!(render(&small).contains("none of agx, "), "and it is rendered all the same");
    wishing(json!({ "resolution": [99_999, 99_999] }));
    place.refused(2, &["out of range"], &["render", "square.gltf"]);
}

#[test]
fn an_exr_is_stored_as_asked() {
    let place = Place::new();
    let stored = ["--exr-precision", "half", "--exr-compression", "piz", "--exr-names", "blender"];
    render(&place, &[&["-o", "a.exr", "--camera", "front", "--sky", "1"], &stored[..]].concat());
    let bytes = fs::read(place.path("a.exr")).expect("written");
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("ViewLayer.Combined.R\0") && holds("tessera/camera\0string\0\u{5}\0\0\0front"));
    let picture = film::read_exr(&place.path("a.exr")).expect("an EXR");
    assert!(picture.scalars("depth").is_some() && picture.samples[0] == 20);
    let said = film::read_exr_metadata(&place.path("a.exr")).expect("an EXR");
    assert_eq!((said.samples, said.frame), (Some(20), Some(0)));
}

/// The square is black and glows with a luminance of 1.
fn glowing(document: &mut Value) {
    document["materials"] = json!([{
        "pbrMetallicRoughness": { "baseColorFactor": [0, 0, 0, 1] },
        "emissiveFactor": [1, 1, 1],
    }]);
    document["meshes"][0]["primitives"][0]["material"] = json!(0);
}

/// A square that glows with a luminance of 1 in the dark: a sample is 1 or 0, so of n samples whose
/// share a met it the mean is a, and the variance of the mean a (1 - a) / (n - 1).
#[test]
fn light_passes_are_layers_that_add_up() {
    let place = Place::new();
    let seen = ["--camera", "front", "--sky", "1"];
    render(&place, &[&seen[..], &["-o", "plain.exr"]].concat());
    render(&place, &[&seen[..], &["-o", "passes.exr", "--passes"]].concat());
    let [plain, passes] =
        ["plain.exr", "passes.exr"].map(|name| film::read_exr(&place.path(name)).expect("an EXR"));
    assert_eq!(plain.beauty, passes.beauty);
    assert_eq!(passes.layers().len(), plain.layers().len() + 8);
    let names = film::Passes::default().named().map(|(name, _)| name);
    let light = names.map(|name| passes.triples(name).expect("a layer"));
    for (at, beauty) in passes.beauty.iter().enumerate() {
        let sum: f32 = light.iter().map(|light| light[at][1]).sum();
        assert!((sum - beauty[1]).abs() <= 1e-5 * beauty[1], "pixel {at}: {sum}, {}", beauty[1]);
    }
    let middle = 12 * 40 + 20;
    let of = |name: &str| passes.triples(name).expect("a layer");
    // The square in the middle is of glTF's default material, a metal.
    let [lit, diffuse, sky] =
        ["glossy_direct", "diffuse_direct", "environment"].map(|name| of(name)[middle][1]);
    assert!(lit > 0.1 && diffuse.abs() <= 0.0 && sky.abs() <= 0.0, "{lit}, {diffuse}, {sky}");
    let open = passes.alpha.iter().zip(of("environment"));
    let mut open = open.filter(|(alpha, _)| **alpha <= 0.0).peekable();
    assert!(open.peek().is_some() && open.all(|(_, sky)| (sky[1] - 1.0).abs() < 1e-6));
}

#[test]
fn motion_vectors_are_a_layer_of_four_channels() {
    let place = Place::new();
    for names in ["tessera", "blender"] {
        let names = ["--exr-names", names, "--layers", "motion", "--fps", "25", "--frame", "3"];
        render(&place, &[&["-o", "a.exr", "--sky", "1"], &names[..]].concat());
        let picture = film::read_exr(&place.path("a.exr")).expect("an EXR");
        let motion = picture.layer("motion").expect("a layer");
        assert_eq!(motion.channels(), ["X", "Y", "Z", "W"]);
        let film::LayerValues::Float(values) = motion.values() else { panic!("real numbers") };
        assert_eq!(values.len(), 4 * 40 * 24);
        assert!(values.iter().all(|value| value.abs() <= 0.0), "nothing moves here");
    }
}

#[test]
fn variance_and_sample_counts_are_told() {
    let place = Place::new();
    let scene = place.scene_with(glowing);
    let options = ["--bounces", "0", "--sky", "0", "--camera", "front", "-o", "a.exr"];
    place.done(&[&["render", &scene][..], &SMALL, &options].concat());
    let picture = film::read_exr(&place.path("a.exr")).expect("an EXR");
    let variance = picture.scalars("variance").expect("in every film");
    let mut edge = 0;
    for (at, (&found, &alpha)) in variance.iter().zip(&picture.alpha).enumerate() {
        assert!((picture.beauty[at][1] - alpha).abs() < 1e-6 && picture.samples[at] == 20);
        let wanted = alpha * (1.0 - alpha) / 19.0;
        assert!((found - wanted).abs() < 1e-6, "pixel {at}: {found}, not {wanted}");
        edge += usize::from(wanted > 0.005);
    }
    assert!(edge > 20, "the square's edges are noisy: {edge}");
}

/// Three tiles beside each other, of which the one in the middle alone has edges, and so noise.
#[test]
fn tiles_without_noise_end_early() {
    let place = Place::new();
    let scene = place.scene_with(glowing);
    let fixed = ["render", &scene, "--size", "384x128", "--backend", "cpu", "--bounces", "0"];
    let dark = ["--sky", "0", "--camera", "front"];
    let render = |more: &[&str]| {
        let said = place.run(&[&fixed[..], &dark, more].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
        said
    };
    let picture = |name: &str| film::read_exr(&place.path(name)).expect("an EXR");

    let noise = ["--spp", "128", "--noise", "0.001", "--layers", "cryptomatte"];
    let said = render(&[&noise[..], &["-o", "a.exr", "--threads", "1", "--json"]].concat());
    assert!(said.err.contains("(50 %): 2 of 3 tiles have little noise"), "{}", said.err);
    let object: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((&object["quiet_tiles"], &object["tiles"]), (&json!(2), &json!(3)));
    assert_eq!(object["samples"], 128 * 128 * (32 + 128 + 32));
    let found = picture("a.exr");
    let tile = |at: usize| at % 384 / 128;
    for (at, &samples) in found.samples.iter().enumerate() {
        assert_eq!(samples, [32, 128, 32][tile(at)], "pixel {at}");
    }

    // Threads have no say, and each tile is that of a render of as many samples.
    render(&[&noise[..], &["-o", "b.exr", "--threads", "2"]].concat());
    let bytes = |name: &str| fs::read(place.path(name)).expect("written");
    assert_eq!(bytes("a.exr"), bytes("b.exr"));
    render(&["--spp", "32", "-o", "few.exr"]);
    render(&["--spp", "128", "-o", "many.exr"]);
    let (few, many) = (picture("few.exr"), picture("many.exr"));
    for (at, found) in found.beauty.iter().enumerate() {
        let wanted = [&few, &many, &few][tile(at)].beauty[at];
        assert_eq!(found.map(f32::to_bits), wanted.map(f32::to_bits), "pixel {at}");
    }

    // As much noise as there can be is little noise for all, and the least samples are kept.
    let said = render(&["--spp", "64", "--noise", "1", "--min-samples", "16", "-o", "c.exr"]);
    assert!(said.err.contains("(75 %): 3 of 3 tiles"), "{}", said.err);
    assert!(picture("c.exr").samples.iter().all(|&samples| samples == 16));
    let said = render(&["--spp", "20", "--noise", "1", "-o", "d.exr"]);
    assert!(said.err.contains("(0 %): 0 of 3 tiles"), "{}", said.err);
}

#[test]
fn a_denoised_picture_stands_beside_the_noisy_one() {
    let place = Place::new();
    let out = render(&place, &["-o", "a.exr", "-o", "a.png", "--sky", "1", "--denoise=a-trous"]);
    assert_eq!(out, "a.exr\na.png\na.denoised.exr\na.denoised.png\n");
    render(&place, &["-o", "b.exr", "--sky", "1"]);
    let bytes = |name: &str| fs::read(place.path(name)).expect("written");
    assert_eq!(bytes("a.exr"), bytes("b.exr"), "the noisy one is as it is without");
    let said = film::read_exr_metadata(&place.path("a.denoised.exr")).expect("an EXR");
    assert_eq!(said.denoiser.as_deref(), Some(film::denoise::A_TROUS));
    let scene = place.scene();
    let missing = ["render", &scene, "--denoise=oidn", "--oidn-library", "/none/oidn.so"];
    place.refused(3, &["install it", "/none/oidn.so"], &missing);
}

#[test]
fn a_table_changes_what_is_shown() {
    let place = Place::new();
    let corners = ["1 1 1\n", "0 1 1\n", "1 0 1\n", "0 0 1\n", "1 1 0\n", "0 1 0\n", "1 0 0\n"];
    let negative = format!("LUT_3D_SIZE 2\n{}0 0 0\n", corners.concat());
    fs::write(place.path("negative.cube"), &negative).expect("written");
    render(&place, &["-o", "a.png", "--sky", "1"]);
    render(&place, &["-o", "b.png", "--sky", "1", "--view-lut", "negative.cube"]);
    assert_ne!(fs::read(place.path("a.png")).ok(), fs::read(place.path("b.png")).ok());
    fs::write(place.path("half.cube"), &negative[..38]).expect("written");
    let scene = place.scene();
    place.refused(1, &["half.cube", "8 colours"], &["render", &scene, "--view-lut", "half.cube"]);
    place.refused(3, &["none.cube"], &["render", &scene, "--view-lut", "none.cube"]);
}

#[test]
fn the_number_of_threads_changes_no_bit_and_the_seed_does() {
    let place = Place::new();
    render(&place, &["-o", "one.exr", "--threads", "1"]);
    render(&place, &["-o", "two.exr", "--threads", "2"]);
    render(&place, &["-o", "seed.exr", "--seed", "7"]);
    let compare = |test: &str| -> Value {
        let out = place.done(&["compare", "one.exr", test, "--json"]);
        serde_json::from_str(&out).expect("one JSON object")
    };
    assert_eq!(compare("two.exr")["bit_equal_share"], 1.0);
    assert_eq!(compare("two.exr")["rel_mse"], 0.0);
    assert!(compare("seed.exr")["bit_equal_share"].as_f64().is_some_and(|share| share < 1.0));
    let limited = ["compare", "one.exr", "seed.exr", "--fail-above-relmse", "0"];
    let said = place.run(&limited);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.out.contains("relMSE") && said.err.contains("above 0"), "{}", said.err);
}

#[test]
fn a_render_describes_itself_as_json() {
    let place = Place::new();
    let object: Value =
        serde_json::from_str(&render(&place, &["-o", "a.exr", "--json"])).expect("JSON");
    assert_eq!(object["v"], 1);
    assert_eq!(object["complete"], true);
    assert_eq!(object["samples"], 40 * 24 * 20);
    assert_eq!(object["files"][0], "a.exr");
    assert!(object["rays"]["closest"].as_u64().is_some_and(|rays| rays >= 40 * 24 * 20));
}

#[test]
fn pictures_that_cannot_be_compared_are_refused() {
    let place = Place::new();
    render(&place, &["-o", "a.exr"]);
    let scene = place.scene();
    place.done(&[
        "render",
        &scene,
        "--size",
        "8x8",
        "--spp",
        "1",
        "-o",
        "b.exr",
        "--backend",
        "cpu",
    ]);
    place.refused(1, &["40x24", "8x8"], &["compare", "a.exr", "b.exr"]);
    fs::write(place.path("text.exr"), "no picture").expect("written");
    place.refused(1, &["text.exr"], &["compare", "a.exr", "text.exr"]);
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let place = Place::new();
    render(&place, &["-o", "a.exr"]);
    let mut child = place
        .command(&["compare", "a.exr", "a.exr"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Interrupts a render once it says a word; returns what it said after.
#[cfg(unix)]
fn interrupted(place: &Place, more: &[&str], word: &str) -> Vec<String> {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let scene = place.scene();
    let fixed = ["render", &scene, "--backend", "cpu", "-o", "a.exr"];
    let mut child = place
        .command(&[&fixed[..], more].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let begun = said.by_ref().map_while(Result::ok).any(|line| line.contains(word));
    assert!(begun, "it never says {word}");
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
    assert!(sent.success());
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{rest:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a.exr\n");
    rest
}

#[cfg(unix)]
#[test]
fn an_interrupted_render_saves_what_it_has() {
    let place = Place::new();
    // Far more work than the test waits for.
    let endless = ["--size", "2048x2048", "--spp", "65536", "--layers", "position"];
    interrupted(&place, &endless, "rendering");
    let picture = film::read_exr(&place.path("a.exr")).expect("an EXR");
    assert!(picture.samples.contains(&0), "it is not complete");
}

#[cfg(unix)]
#[test]
fn interrupted_layers_leave_the_whole_picture() {
    let place = Place::new();
    // Layers of a second or two: a picture costs more, so it cannot be made endless.
    let long = ["--size", "256x256", "--spp", "256", "--bounces", "0", "--layers", "position"];
    let rest = interrupted(&place, &long, "camera rays");
    assert!(rest.iter().any(|line| line.contains("without --layers")), "{rest:?}");
    let picture = film::read_exr(&place.path("a.exr")).expect("an EXR");
    assert!(picture.samples.iter().all(|&samples| samples == 256));
    assert!(picture.layer("position").is_none());
}
