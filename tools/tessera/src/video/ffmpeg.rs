//! The ffmpeg program: found, started, fed, heard.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;

use anyhow::Context as _;
use clap::ValueEnum;
use film::FrameRate;
use protocol::Size;

use super::Video;
use crate::exit::{Exit, fail};

/// Bytes of its complaints that are kept.
const WORDS_BYTES_MAX: u64 = 16 << 10;

/// How a video is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Codec {
    /// For players: H.264, 8 bits, 4:2:0
    H264,
    /// For the cut: ProRes 422 HQ, 10 bits
    Prores,
    /// For compositing: ProRes 4444, 10 bits of every channel
    Prores4444,
}

impl Codec {
    /// What ffmpeg is told of it.
    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::H264 => &["-c:v", "libx264", "-preset", "slow", "-crf", "16"],
            Self::Prores => &["-c:v", "prores_ks", "-profile:v", "hq", "-vendor", "apl0"],
            Self::Prores4444 => &["-c:v", "prores_ks", "-profile:v", "4444", "-vendor", "apl0"],
        }
    }

    /// How its pixels are stored.
    const fn pixels(self) -> &'static str {
        match self {
            Self::H264 => "yuv420p",
            Self::Prores => "yuv422p10le",
            Self::Prores4444 => "yuv444p10le",
        }
    }
}

/// The program: the one that is named, or the first in `PATH`.
///
/// # Errors
/// Not found: it is not installed.
pub fn find(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = named {
        if path.is_file() {
            return Ok(path.to_owned());
        }
        let message = "no such program; check the path of ffmpeg";
        return Err(fail(Exit::NotFound, format!("{message}: {}", path.display())));
    }
    let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(&name));
    found.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let message = "ffmpeg is not installed, and makes the videos; install it (apt install ffmpeg, brew install ffmpeg, winget install ffmpeg), or name it with --ffmpeg";
        fail(Exit::NotFound, message)
    })
}

/// The program at work. Dropping it ends it, and removes what it has written.
pub struct Encoder {
    child: Child,
    stdin: Option<ChildStdin>,
    words: Option<JoinHandle<String>>,
    partial: PathBuf,
}

impl Encoder {
    /// Starts it; it writes beside the place where the video goes.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(video: &Video, size: Size, rate: FrameRate) -> anyhow::Result<Self> {
        let name = video.output.file_name().context("the path does not name a file")?;
        let partial = format!(".{}.{}.partial", name.to_string_lossy(), std::process::id());
        let partial = video.output.with_file_name(partial);
        let format = video.output.extension().unwrap_or_default().to_ascii_lowercase();
        let mut command = Command::new(&video.ffmpeg);
        command
            .args(arguments(video.codec, size, rate))
            .arg("-f")
            .arg(format)
            .arg("-y")
            // A name that begins with a dash stays one.
            .arg(Path::new(".").join(&partial))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("ffmpeg does not start: {}", video.ffmpeg.display()))?;
        let stdin = child.stdin.take();
        let words = child.stderr.take().map(|stderr| {
            std::thread::spawn(move || {
                let mut words = Vec::new();
                let mut stderr = stderr;
                let _kept = stderr.by_ref().take(WORDS_BYTES_MAX).read_to_end(&mut words);
                // The rest is read, so that it does not wait for us.
                let _rest = std::io::copy(&mut stderr, &mut std::io::sink());
                String::from_utf8_lossy(&words).trim().to_owned()
            })
        });
        Ok(Self { child, stdin, words, partial })
    }

    /// Gives it a frame.
    ///
    /// # Errors
    /// It has ended; what it said.
    pub fn write(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        let written = self.stdin.as_mut().map(|stdin| stdin.write_all(frame));
        match written {
            Some(Ok(())) => Ok(()),
            // It ended before its frames did: a pipe that is broken says less than it does.
            _ => {
                let said = self.said();
                Err(fail(Exit::Failed, format!("ffmpeg made no video: {said}")))
            }
        }
    }

    /// Waits until it has ended, and puts the video in its place.
    ///
    /// # Errors
    /// What it said.
    pub fn finish(mut self, output: &Path) -> anyhow::Result<()> {
        drop(self.stdin.take());
        let status = self.child.wait().context("ffmpeg was lost")?;
        if !status.success() || !self.partial.is_file() {
            let said = self.said();
            return Err(fail(Exit::Failed, format!("ffmpeg made no video ({status}): {said}")));
        }
        std::fs::rename(&self.partial, output)
            .with_context(|| format!("the video cannot be put in place: {}", output.display()))
    }

    /// What it complained of, once it has ended.
    fn said(&mut self) -> String {
        drop(self.stdin.take());
        let _status = self.child.wait();
        let words = self.words.take().and_then(|words| words.join().ok());
        words.filter(|words| !words.is_empty()).unwrap_or_else(|| "it said nothing".to_owned())
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It may have ended, and then there is nothing to end or to remove.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
        let _removed = std::fs::remove_file(&self.partial);
    }
}

/// What it is told, but for the file.
///
/// The frames are RGB of full range with the curve of a display; the filter makes them Rec.709's
/// Y'CbCr of narrow range, and the file says so, in the stream and around it,
/// so that players do not guess by the size.
fn arguments(codec: Codec, size: Size, rate: FrameRate) -> Vec<String> {
    let pixels = codec.pixels();
    let filter = format!(
        "scale=in_range=pc:out_range=tv:out_color_matrix=bt709:flags=bicubic+accurate_rnd+full_chroma_int,format={pixels},setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    );
    let input = [
        "-hide_banner".to_owned(),
        "-loglevel".to_owned(),
        "error".to_owned(),
        "-nostdin".to_owned(),
        "-f".to_owned(),
        "rawvideo".to_owned(),
        "-pixel_format".to_owned(),
        "rgb48le".to_owned(),
        "-video_size".to_owned(),
        size.to_string(),
        "-framerate".to_owned(),
        format!("{}/{}", rate.frames, rate.seconds),
        "-i".to_owned(),
        "pipe:0".to_owned(),
        "-vf".to_owned(),
        filter,
    ];
    let colours = [
        "-pix_fmt",
        pixels,
        "-color_range",
        "tv",
        "-color_primaries",
        "bt709",
        "-color_trc",
        "bt709",
        "-colorspace",
        "bt709",
        "-movflags",
        "+faststart+write_colr",
    ];
    let codec = codec.arguments().iter().chain(&colours).map(|word| (*word).to_owned());
    input.into_iter().chain(codec).collect()
}
