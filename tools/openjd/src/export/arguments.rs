//! What is rendered, as arguments of `tessera render`.

use client::description::{EnvironmentFile, LensWords, LookAt, NoiseWords, SkyBySun, SunWords};
use client::{Description, SceneImport};

use super::word;
use super::write::Writer;

/// The picture's options.
pub(super) fn picture(writer: &mut Writer, description: &Description) {
    for (index, camera) in (1..).zip(&description.cameras) {
        writer.chosen("--camera", &format!("Camera{index}"), camera);
    }
    if let Some(LookAt { eye, target, vfov_degrees }) = description.look_at {
        writer.option("--eye", &commas(&eye));
        writer.option("--target", &commas(&target));
        writer.option("--vfov", &vfov_degrees.to_string());
    }
    if let Some([width, height]) = description.size {
        writer.option("--size", &format!("{width}x{height}"));
    }
    if let Some(crop) = description.crop {
        let [x, y] = [crop.x, crop.y];
        writer.option("--crop", &format!("{x},{y},{}x{}", crop.width, crop.height));
    }
    let mut number = |option: &str, number: Option<String>| {
        if let Some(number) = number {
            writer.option(option, &number);
        }
    };
    number("--overscan", description.overscan.map(|pixels| pixels.to_string()));
    number("--spp", description.samples.map(|samples| samples.to_string()));
    number("--bounces", description.bounces.map(|bounces| bounces.to_string()));
    number("--seed", description.seed.map(|seed| seed.to_string()));
    number("--fps", description.fps.map(|rate| rate.to_string()));
    number("--shutter", description.shutter.map(|share| share.to_string()));
    number("--shutter-position", description.shutter_position.as_ref().map(word));
    number("--filter", description.filter.as_ref().map(word));
    number("--rr", description.roulette.map(|on| if on { "on" } else { "off" }.to_owned()));
    if let Some(NoiseWords { threshold, min_samples }) = description.noise {
        writer.option("--noise", &threshold.to_string());
        writer.option("--min-samples", &min_samples.to_string());
    }
    lens(writer, description.lens);
    if let Some(SunWords { direction, irradiance, angle_degrees }) = description.sun {
        writer.option("--sun", &commas(&irradiance));
        writer.option("--sun-dir", &commas(&direction));
        writer.option("--sun-angle", &angle_degrees.to_string());
    }
    if let Some(radiance) = description.sky {
        writer.option("--sky", &commas(&radiance));
    }
    if description.panorama == Some(true) {
        writer.argument("--panorama");
    }
    if description.passes == Some(true) {
        writer.argument("--passes");
    }
}

fn lens(writer: &mut Writer, lens: Option<LensWords>) {
    let Some(LensWords { fstop, aperture, focus, blades, rotation_degrees }) = lens else { return };
    if let Some(number) = fstop {
        writer.option("--fstop", &number.to_string());
    }
    if let Some(radius) = aperture {
        writer.option("--aperture", &radius.to_string());
    }
    writer.option("--focus", &focus.to_string());
    writer.option("--blades", &blades.to_string());
    writer.option("--blade-rotation", &rotation_degrees.to_string());
}

/// What surrounds the scene, and what of it is read.
pub(super) fn surroundings(writer: &mut Writer, scene_import: &SceneImport) {
    let usual = SceneImport::default();
    let SceneImport { animation, variant, lamps, missing_textures, environment, sun_sky, without } =
        scene_import;
    if let Some(animation) = animation {
        writer.chosen("--animation", "Animation", animation);
    }
    if let Some(variant) = variant {
        writer.chosen("--variant", "Variant", variant);
    }
    if *lamps != usual.lamps {
        writer.option("--lamps", &word(lamps));
    }
    if *missing_textures != usual.missing_textures {
        writer.option("--missing-textures", &word(missing_textures));
    }
    if let Some(EnvironmentFile { file, strength, rotation_degrees }) = environment {
        writer.file("Environment", file, Some("--env"), &["*.hdr"]);
        writer.option("--env-strength", &strength.to_string());
        writer.option("--env-rotation", &rotation_degrees.to_string());
    }
    if let Some(SkyBySun { elevation_degrees, azimuth_degrees, haze }) = *sun_sky {
        writer.option("--sun-sky", &commas(&[elevation_degrees, azimuth_degrees, haze]));
    }
    if !without.is_empty() {
        let words: Vec<String> = without.iter().map(word).collect();
        writer.option("--without", &words.join(","));
    }
}

/// Numbers with commas between them.
fn commas(numbers: &[f32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
