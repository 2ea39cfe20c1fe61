//! Frames to a video, through ffmpeg where it is installed.
//!
//! Frames are developed here, EXR through a look, and go to ffmpeg as 16-bit RGB, so that what a
//! video shows is what a PNG shows, and its file says which colours those are.

mod ffmpeg;
mod frames;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Context as _;
use film::{FrameRate, Look};
use protocol::{JobSpec, Size};

use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::progress::Progress;

pub use self::ffmpeg::{Codec, find};
pub use self::frames::in_folder_or_pattern;

/// Frames that are ready before ffmpeg wants them.
const FRAMES_AHEAD: usize = 2;

/// What is made, and how.
#[derive(Debug, Clone)]
pub struct Video {
    /// The ffmpeg program.
    pub ffmpeg: PathBuf,
    /// Where the video goes.
    pub output: PathBuf,
    /// Its frames, in order.
    pub frames: Vec<PathBuf>,
    /// Frames a second; without it the first frame's own, or 24.
    pub rate: Option<FrameRate>,
    /// How it is coded.
    pub codec: Codec,
    /// How EXR frames look.
    pub look: Look,
    /// Whether a file that is there is replaced.
    pub overwrites: bool,
}

/// A video that is to be made of a job's frames once they are whole.
#[derive(Debug, Clone)]
pub struct Plan {
    ffmpeg: PathBuf,
    output: PathBuf,
    codec: Codec,
}

impl Plan {
    /// Checks what can be before the frames are there.
    ///
    /// # Errors
    /// Usage: its ending. Not found: ffmpeg. Failed: a file of that name.
    pub fn new(output: &Path) -> anyhow::Result<Self> {
        let codec = codec_for(output, None)?;
        if output.exists() {
            let message = "there is such a video already; choose another name, or remove it";
            return Err(fail(Exit::Failed, format!("{message}: {}", output.display())));
        }
        Ok(Self { ffmpeg: find(None)?, output: output.to_owned(), codec })
    }

    /// Whether a job's frames make one video.
    ///
    /// # Errors
    /// Usage: several cameras, or one frame.
    pub fn check(&self, spec: &JobSpec) -> anyhow::Result<()> {
        let message = match (spec.view_count(), spec.frames.count()) {
            (1, 2..) => return Ok(()),
            (1, _) => "a video needs several frames; give --frames, or leave --video out",
            _ => "a video shows one camera; make one of each with: tessera video",
        };
        Err(fail(Exit::Usage, message))
    }

    /// The video of these frames of a job, as long as what they show takes.
    pub fn of(self, frames: Vec<PathBuf>, spec: &JobSpec, look: Look) -> Video {
        let rate = FrameRate::nearest(spec.frames.fps / spec.frames.step as f32);
        let Self { ffmpeg, output, codec } = self;
        Video { ffmpeg, output, frames, rate, codec, look, overwrites: false }
    }
}

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// Pixels of a frame; even numbers.
    pub size: Size,
    /// Frames a second.
    pub rate: FrameRate,
}

impl Video {
    /// Makes it; the file appears under its name once it is whole.
    ///
    /// # Errors
    /// A frame that cannot be read or has another size; what ffmpeg says; interrupted.
    pub fn make(&self, interrupt: &Interrupt) -> anyhow::Result<Made> {
        if !self.overwrites && self.output.exists() {
            let message = "there is such a file already; choose another name, or give --overwrite";
            return Err(fail(Exit::Failed, format!("{message}: {}", self.output.display())));
        }
        let first = self.frames.first().context("a video needs frames")?;
        let rate = self.rate.or_else(|| frames::rate_of(first));
        let rate = rate.unwrap_or(FrameRate { frames: 24, seconds: 1 });
        let (send, receive) = sync_channel(FRAMES_AHEAD);
        let (paths, look) = (self.frames.clone(), self.look.clone());
        std::thread::spawn(move || {
            for path in paths {
                let frame = frames::read(&path, &look);
                // Whoever does not listen any more has failed or was interrupted, and says so.
                if send.send(frame).is_err() {
                    return;
                }
            }
        });
        self.encode(&receive, rate, interrupt)
    }

    fn encode(
        &self,
        frames: &Receiver<anyhow::Result<frames::Frame>>,
        rate: FrameRate,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Made> {
        let first = frames.recv().context("the first frame was not read")??;
        let size = first.size;
        let even = Size::new(size.width.next_multiple_of(2), size.height.next_multiple_of(2));
        let mut ffmpeg = ffmpeg::Encoder::start(self, even, rate)?;
        let progress = Progress::start("encoding", ["frame", "frames"]);
        let mut next = Some(first);
        let mut done = 0;
        while let Some(frame) = next {
            if interrupt.is_set() {
                return Err(interrupted());
            }
            if frame.size != size {
                let message = format!(
                    "a frame has {} px and those before it {size} px; a video has one size: {}",
                    frame.size,
                    self.frames[done].display()
                );
                return Err(fail(Exit::Failed, message));
            }
            match ffmpeg.write(&frame.bytes(even)) {
                // Who interrupts us interrupts ffmpeg, too.
                Err(_ended) if interrupt.is_set() => return Err(interrupted()),
                written => written?,
            }
            done += 1;
            progress.show(done as u64, self.frames.len() as u64, "");
            // The channel ends with the frames.
            next = frames.recv().ok().transpose()?;
        }
        if interrupt.is_set() {
            return Err(interrupted());
        }
        anyhow::ensure!(done == self.frames.len(), "only {done} frames were read");
        ffmpeg.finish(&self.output)?;
        Ok(Made { size: even, rate })
    }
}

fn interrupted() -> anyhow::Error {
    fail(Exit::Interrupted, "interrupted; there is no video")
}

/// How a video is coded where only its name is known.
///
/// # Errors
/// Usage: another ending than `.mp4` or `.mov`, or ProRes in an `.mp4`.
pub fn codec_for(output: &Path, wanted: Option<Codec>) -> anyhow::Result<Codec> {
    let ending = output.extension().map(|ending| ending.to_ascii_lowercase());
    match (ending.as_ref().and_then(|ending| ending.to_str()), wanted) {
        (Some("mp4"), None | Some(Codec::H264)) => Ok(Codec::H264),
        (Some("mp4"), Some(_)) => {
            let message = "ProRes goes into a .mov; change the name";
            Err(fail(Exit::Usage, format!("{message}: {}", output.display())))
        }
        (Some("mov"), wanted) => Ok(wanted.unwrap_or(Codec::Prores)),
        _ => {
            let message = "a video is written as .mp4 or .mov; choose one of them";
            Err(fail(Exit::Usage, format!("{message}: {}", output.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_chooses_the_codec() {
        let check = |name: &str, wanted| codec_for(Path::new(name), wanted).ok();
        assert_eq!(check("a.mp4", None), Some(Codec::H264));
        assert_eq!(check("a.MOV", None), Some(Codec::Prores));
        assert_eq!(check("a.mov", Some(Codec::H264)), Some(Codec::H264));
        assert_eq!(check("a.mov", Some(Codec::Prores4444)), Some(Codec::Prores4444));
        assert_eq!(check("a.mp4", Some(Codec::Prores)), None);
        assert_eq!(check("a.mkv", None), None);
        assert_eq!(check("mp4", None), None);
    }
}
