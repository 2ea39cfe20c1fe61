//! `tessera video`: frames to a video.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use film::{FrameRate, Look};
use serde_json::{Value, json};

use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::output::{self, ViewName};
use crate::text;
use crate::values::Frames;
use crate::video::{self, Codec, Made, Video};

/// Options of `tessera video`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera video out/ -o shot.mp4
  tessera video 'out/shot.{frame}.exr' -o shot.mov --view agx-punchy --exposure 0.5
  tessera video 'out/shot.*.png' -o shot.mov --codec prores4444 --fps 25

")]
pub struct VideoArgs {
    /// A folder with the frames of one picture, or their pattern: shot.{frame}.exr, shot.*.png
    #[arg(value_name = "FRAMES", value_hint = ValueHint::AnyPath)]
    frames: PathBuf,
    /// The video, .mp4 or .mov
    #[arg(short, long = "output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// These frames only, first and last
    #[arg(long = "frames", value_name = "A-B")]
    range: Option<Frames>,
    /// Frames a second; without it what the EXRs say, or 24
    #[arg(long, value_name = "RATE")]
    fps: Option<f32>,
    /// How it is coded; without it h264 in an .mp4, prores in a .mov
    #[arg(long, value_enum)]
    codec: Option<Codec>,
    /// How light becomes colours, of EXR frames; agx without it
    #[arg(long, value_enum)]
    view: Option<ViewName>,
    /// Exposure of EXR frames, stops
    #[arg(long, value_name = "EV", allow_hyphen_values = true)]
    exposure: Option<f32>,
    /// Replace a file that is there
    #[arg(long)]
    overwrite: bool,
    /// The ffmpeg program, where it is not in PATH
    #[arg(long, value_name = "FILE", env = "TESSERA_FFMPEG", value_hint = ValueHint::FilePath)]
    ffmpeg: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Makes it.
///
/// # Errors
/// Not found: ffmpeg, or frames. Usage: the options. Failed: a frame, or ffmpeg's reason.
pub fn run(args: &VideoArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let codec = video::codec_for(&args.output, args.codec)?;
    let folder = args.output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let message = format!("no such folder; make it first: {}", folder.display());
        return Err(fail(Exit::NotFound, message));
    }
    let rate = args.fps.map(|fps| {
        let message = "frames a second must be above 0, and at most a million";
        FrameRate::nearest(fps).ok_or_else(|| fail(Exit::Usage, message))
    });
    let ffmpeg = video::find(args.ffmpeg.as_deref())?;
    let found = video::in_folder_or_pattern(&args.frames)?;
    let range = args.range.unwrap_or(Frames { first: 0, last: u32::MAX });
    let mut look = Look::default();
    output::set(&mut look, args.view.map(Into::into), args.exposure);
    let video = Video {
        ffmpeg,
        output: args.output.clone(),
        frames: found.whole(range.first, range.last)?,
        rate: rate.transpose()?,
        codec,
        look,
        overwrites: args.overwrite,
    };
    let made = video.make(interrupt)?;
    match args.json {
        true => text::print(object(&video, &made))?,
        false => text::print(video.output.display())?,
    }
    Ok(Exit::Done)
}

/// A video that was made, for programs.
pub fn object(video: &Video, made: &Made) -> Value {
    json!({
        "v": json::VERSION,
        "file": video.output.display().to_string(),
        "frames": video.frames.len(),
        "size": made.size.to_string(),
        "fps": format!("{}/{}", made.rate.frames, made.rate.seconds),
        "codec": match video.codec {
            Codec::H264 => "h264",
            Codec::Prores => "prores",
            Codec::Prores4444 => "prores4444",
        },
    })
}
