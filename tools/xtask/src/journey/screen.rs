//! A screen that nobody sits before: an X server without a monitor, keys that are pressed on it, and
//! what is to be seen.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use image::{ImageFormat, RgbImage};

/// Between two looks at whatever is waited for.
const LOOK: Duration = Duration::from_millis(100);
/// How long the window may take to answer a key, on a machine that renders besides.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// A cursor's whole blink.
const BLINK: Duration = Duration::from_millis(1_200);
/// Looks that must be the same before something has come to rest.
const SAME_LOOKS: u32 = 4;

/// A part of the screen: left, top, right, bottom, pixels.
pub type Part = [u32; 4];

/// The X server, which ends with it.
pub struct Screen {
    server: Child,
    display: String,
}

impl Screen {
    /// The screen's size, pixels: that of the window as it opens.
    pub const SIZE: [u32; 2] = [1280, 800];
    /// All of it.
    pub const ALL: Part = [0, 0, Self::SIZE[0], Self::SIZE[1]];

    /// Starts a server under a number of its own choice.
    pub fn open() -> Result<Self> {
        let [width, height] = Self::SIZE;
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"])
            .arg(format!("{width}x{height}x24"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start Xvfb; `cargo xtask setup` says what to install")?;
        let said = server.stdout.take().context("invariant: its output is a pipe")?;
        let mut number = String::new();
        BufReader::new(said).read_line(&mut number)?;
        let display = format!(":{}", number.trim());
        let screen = Self { server, display };
        ensure!(screen.display.len() > 1, "Xvfb told no number");
        Ok(screen)
    }

    /// What programs find it by.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Waits for a window of this title and gives it the keyboard: nobody manages windows here. The
    /// pointer goes where it is over nothing.
    pub fn enter(&self, title: &str) -> Result<()> {
        let exact = format!("^{title}$");
        let found = wait("the window", ANSWER_MAX, || {
            let output = self.xdotool(&["search", "--onlyvisible", "--name", &exact])?;
            Ok(output.lines().next().map(str::to_owned))
        })?;
        let [width, height] = Self::SIZE.map(|side| (side - 1).to_string());
        self.xdotool(&["mousemove", &width, &height])?;
        self.xdotool(&["windowfocus", "--sync", &found]).map(|_said| ())
    }

    /// Presses a key, as `ctrl+p`.
    pub fn press(&self, keys: &str) -> Result<()> {
        self.xdotool(&["key", "--clearmodifiers", keys]).map(|_said| ())
    }

    /// Presses a key and waits until a part of the screen is another.
    pub fn press_until(&self, keys: &str, part: Part) -> Result<()> {
        let before = self.look(part)?;
        self.press(keys)?;
        self.changed(&format!("an answer to {keys}"), part, &before)
    }

    /// Presses a key and waits until a part is as it never was of itself: a cursor blinks. What is
    /// pressed next finds the focus moved; in the same frame it would be lost.
    pub fn step_to(&self, keys: &str, part: Part) -> Result<()> {
        let mut known = Vec::new();
        let start = Instant::now();
        while start.elapsed() < BLINK {
            let seen = self.look(part)?;
            if !known.contains(&seen) {
                known.push(seen);
            }
        }
        self.press(keys)?;
        let what = format!("an answer to {keys}");
        wait(&what, ANSWER_MAX, || Ok((!known.contains(&self.look(part)?)).then_some(())))
    }

    /// Types text.
    pub fn write(&self, text: &str) -> Result<()> {
        self.xdotool(&["type", "--delay", "15", "--", text]).map(|_said| ())
    }

    /// Waits until a part is another than it was.
    pub fn changed(&self, what: &str, part: Part, before: &RgbImage) -> Result<()> {
        wait(what, ANSWER_MAX, || Ok((self.look(part)? != *before).then_some(())))
    }

    /// Waits until a part has come to rest.
    pub fn settled(&self, what: &str, part: Part, limit: Duration) -> Result<()> {
        let (mut last, mut same) = (self.look(part)?, 0);
        wait(what, limit, || {
            let now = self.look(part)?;
            same = if now == last { same + 1 } else { 0 };
            last = now;
            Ok((same >= SAME_LOOKS).then_some(()))
        })
    }

    /// Waits until a part shows a picture: so many colours as no page of words has.
    pub fn pictured(&self, what: &str, part: Part, colours: usize) -> Result<()> {
        wait(what, ANSWER_MAX * 2, || {
            let seen = self.look(part)?;
            let found: std::collections::BTreeSet<_> = seen.pixels().map(|it| it.0).collect();
            Ok((found.len() >= colours).then_some(()))
        })
    }

    /// What is to be seen in a part.
    pub fn look(&self, [left, top, right, bottom]: Part) -> Result<RgbImage> {
        let output = Command::new("import")
            .args(["-silent", "-window", "root", "png:-"])
            .env("DISPLAY", &self.display)
            .output()
            .context("cannot start import (ImageMagick)")?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the screen cannot be seen: {words}");
        let whole = image::load_from_memory_with_format(&output.stdout, ImageFormat::Png)?;
        Ok(whole.crop_imm(left, top, right - left, bottom - top).into_rgb8())
    }

    /// Keeps what is to be seen as a PNG.
    pub fn keep(&self, path: &Path) -> Result<()> {
        let seen = self.look(Self::ALL)?;
        seen.save_with_format(path, ImageFormat::Png)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn xdotool(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output()
            .context("cannot start xdotool")?;
        let words = String::from_utf8_lossy(&output.stderr);
        // A search that finds nothing is a failure without words.
        if !output.status.success() && !words.trim().is_empty() {
            bail!("xdotool {arguments:?}: {}", words.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // No effect on one that has ended.
        let _killed = self.server.kill();
        let _status = self.server.wait();
    }
}

/// Looks again and again until there is something.
///
/// # Errors
/// There is nothing in time, or a look fails.
pub fn wait<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(start.elapsed() < limit, "waited {} s for {what}", limit.as_secs());
        std::thread::sleep(LOOK);
    }
}
