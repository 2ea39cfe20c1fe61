//! Options that several commands share: the scene, the picture, the frames, the farm.

mod picture;
mod surroundings;

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use client::Description;
use client::description::{FrameNumbers, NoiseWords};
use protocol::NoiseTarget;
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};

use crate::exit::{Exit, WithExit as _, fail};
use crate::values::Frames;

pub use self::picture::{PictureArgs, first_camera};
pub use self::surroundings::EnvironmentArgs;

/// Samples before noise is looked at where nothing else is said.
const MIN_SAMPLES: u32 = 32;

/// A choice of a description by its name there; `names` are all of them, with what each means.
fn choice<T>(names: &'static [(&'static str, &'static str)]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    let value = |(name, help): &(&'static str, &'static str)| PossibleValue::new(*name).help(*help);
    PossibleValuesParser::new(names.iter().map(value)).map(|name| {
        named(&name)
            .expect("invariant: names of a choice are those of its description; a test tries")
    })
}

fn named<T: DeserializeOwned>(name: &str) -> Result<T, Error> {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    T::deserialize(name)
}

/// How little noise is enough.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Picture")]
pub struct NoiseArgs {
    /// A tile whose noise is at most this share of white has samples enough, as 0.01; then --spp are
    /// the most
    #[arg(long, value_name = "SHARE")]
    noise: Option<f32>,
    /// Samples per pixel before noise is looked at; 32 without it
    #[arg(long, value_name = "N")]
    min_samples: Option<u32>,
}

impl NoiseArgs {
    /// Puts what is typed into a description.
    ///
    /// # Errors
    /// Usage: samples without a noise.
    pub fn describe(&self, description: &mut Description) -> anyhow::Result<()> {
        let before = description.noise;
        let Some(threshold) = self.noise.or(before.map(|noise| noise.threshold)) else {
            return match self.min_samples {
                None => Ok(()),
                Some(_) => Err(fail(Exit::Usage, "--min-samples needs a noise; give --noise, too")),
            };
        };
        let min_samples = self.min_samples.or(before.map(|noise| noise.min_samples));
        let min_samples = min_samples.unwrap_or(MIN_SAMPLES);
        description.noise = Some(NoiseWords { threshold, min_samples });
        Ok(())
    }

    /// The target, where one is asked for.
    ///
    /// # Errors
    /// Usage: no share of white.
    pub fn target(&self) -> anyhow::Result<Option<NoiseTarget>> {
        let mut description = Description::default();
        self.describe(&mut description)?;
        let target = |noise: NoiseWords| NoiseTarget::try_new(noise.threshold, noise.min_samples);
        description.noise.map(target).transpose().exit(Exit::Usage)
    }
}

/// Which frames of an animation.
#[derive(Debug, Clone, Args)]
pub struct FrameArgs {
    /// Frames, first and last; a still without it
    #[arg(long, value_name = "A-B")]
    pub frames: Option<Frames>,
    /// Every how many frames; 1 without it
    #[arg(long, value_name = "N")]
    pub step: Option<u32>,
    /// Frames a second of the animation; 24 without it
    #[arg(long, value_name = "RATE")]
    pub fps: Option<f32>,
}

impl FrameArgs {
    /// Puts what is typed into a description.
    ///
    /// # Errors
    /// Usage: a step of no frames.
    pub fn describe(&self, description: &mut Description) -> anyhow::Result<()> {
        description.fps = self.fps.or(description.fps);
        let before = description.frames;
        let (first, last) = match (self.frames, before, self.step) {
            (Some(Frames { first, last }), _, _) => (first, last),
            (None, Some(frames), _) => (frames.first, frames.last),
            (None, None, None) => return Ok(()),
            (None, None, Some(_)) => {
                return Err(fail(Exit::Usage, "--step needs frames; give --frames, too"));
            }
        };
        let step = self.step.or(before.map(|frames| frames.step)).unwrap_or(1);
        description.frames = Some(FrameNumbers { first, last, step });
        Ok(())
    }
}

/// Which farm, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Farm")]
pub struct FarmArgs {
    /// The scheduler's ticket, or @FILE that holds it
    #[arg(long, value_name = "TICKET|@FILE", env = "TESSERA_FARM")]
    pub farm: String,
    /// The key file that says who you are; made on first use
    #[arg(long, value_name = "FILE", env = "TESSERA_KEY", value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        noise: NoiseArgs,
        #[command(flatten)]
        frames: FrameArgs,
    }

    #[test]
    fn what_is_typed_wins_over_the_file() {
        let file = r#"{
            "frames": {"first": 1, "last": 9, "step": 2}, "fps": 25,
            "noise": {"threshold": 0.5, "min_samples": 64}
        }"#;
        let check = |file: &str, words: &[&str]| -> Result<String, String> {
            let mut described: Description = serde_json::from_str(file).expect("a description");
            let line = Line::try_parse_from([&["tessera"], words].concat()).expect("a sound line");
            line.noise.describe(&mut described).map_err(|error| error.to_string())?;
            line.frames.describe(&mut described).map_err(|error| error.to_string())?;
            let frames = described.frames.map(|it| (it.first, it.last, it.step));
            let noise = described.noise.map(|it| (it.threshold, it.min_samples));
            Ok(format!("{frames:?} {:?} {noise:?}", described.fps))
        };
        let wanted = |text: &str| Ok(text.to_owned());
        let same = "Some((1, 9, 2)) Some(25.0) Some((0.5, 64))";
        assert_eq!(check(file, &[]), wanted(same));
        assert_eq!(check("{}", &[]), wanted("None None None"));
        let typed = ["--frames", "3-4", "--fps", "30", "--noise", "0.1"];
        assert_eq!(check(file, &typed), wanted("Some((3, 4, 2)) Some(30.0) Some((0.1, 64))"));
        assert_eq!(check("{}", &typed), wanted("Some((3, 4, 1)) Some(30.0) Some((0.1, 32))"));
        let steps = ["--step", "4", "--min-samples", "8"];
        assert_eq!(check(file, &steps), wanted("Some((1, 9, 4)) Some(25.0) Some((0.5, 8))"));
        assert!(check("{}", &["--step", "2"]).expect_err("no frames").contains("--frames"));
        assert!(check("{}", &["--min-samples", "2"]).expect_err("no noise").contains("--noise"));
    }
}
