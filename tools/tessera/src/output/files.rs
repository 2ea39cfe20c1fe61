//! Which file is written how.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use film::denoise::{A_TROUS, Oidn, a_trous};
use film::{ExrOptions, JpegQuality, Look, Metadata, Picture, PngDepth};
use protocol::CameraChoice;

use crate::exit::{Exit, fail};

/// A picture file's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Exr,
    Png,
    Jpeg,
}

/// Checked places for the frames of one job or render, and how to fill them.
#[derive(Debug, Clone)]
pub struct Outputs {
    pub(super) paths: Vec<(PathBuf, Format)>,
    /// How a PNG or JPEG looks.
    pub look: Look,
    /// How an EXR is stored.
    pub exr: ExrOptions,
    /// How a PNG is stored.
    pub png_depth: PngDepth,
    /// How a JPEG is stored.
    pub jpeg_quality: JpegQuality,
    /// What denoises the picture beside each noisy one.
    pub denoising: Option<Denoising>,
}

/// What denoises.
#[derive(Debug, Clone)]
pub enum Denoising {
    /// Our own filter.
    ATrous,
    /// Open Image Denoise.
    Oidn {
        /// Its file, where the system does not find it.
        library: Option<PathBuf>,
    },
}

/// Where a file's name is to have the camera.
const CAMERA: &str = "{camera}";
/// Where it is to have the frame's number.
const FRAME: &str = "{frame}";

/// What tells a picture's files from those of the other pictures of a render or a job.
#[derive(Debug, Clone, Copy)]
pub struct Label<'a> {
    /// A word for its camera, see [`camera_words`].
    pub camera: &'a str,
    /// Whether there are pictures of other cameras.
    pub of_cameras: bool,
    /// Its frame's number.
    pub frame: u32,
    /// Whether there are pictures of other frames.
    pub of_frames: bool,
}

impl Label<'_> {
    /// A file's name for this picture: its `{camera}` and `{frame}` filled in; where it has no such
    /// place and there are several, `shot.exr` becomes `shot.left.0012.exr`.
    fn name(&self, path: &Path) -> PathBuf {
        let (name, number) = (name_of(path), format!("{:04}", self.frame));
        let mut place =
            path.with_file_name(name.replace(CAMERA, self.camera).replace(FRAME, &number));
        if self.of_cameras && !name.contains(CAMERA) {
            place = inserted(&place, self.camera);
        }
        if self.of_frames && !name.contains(FRAME) {
            place = inserted(&place, &number);
        }
        place
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A word for each camera that a file's name can have and no other of them has, whatever the
/// system makes of capitals: letters, digits, `-` and `_` of its name; `camera` for the one that is
/// not named, `eye` for one that is set by hand.
pub fn camera_words<'a>(cameras: impl IntoIterator<Item = &'a CameraChoice>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for camera in cameras {
        let word: String = match camera {
            CameraChoice::Named(name) => {
                let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
                name.chars().map(plain).collect()
            }
            CameraChoice::Default => "camera".to_owned(),
            CameraChoice::LookAt { .. } => "eye".to_owned(),
        };
        let is_taken =
            |word: &str| words.iter().any(|other| other.to_lowercase() == word.to_lowercase());
        let numbered = (2..).map(|number| format!("{word}_{number}"));
        let free = std::iter::once(word.clone()).chain(numbered).find(|word| !is_taken(word));
        words.push(free.unwrap_or(word));
    }
    words
}

impl Outputs {
    /// These places, with all else by default.
    ///
    /// # Errors
    /// Usage: another ending than `.exr`, `.png` or `.jpg`. Not found: the folder does not exist.
    pub fn to(paths: Vec<PathBuf>) -> anyhow::Result<Self> {
        let paths = paths.into_iter().map(checked).collect::<anyhow::Result<_>>()?;
        Ok(Self::of(paths))
    }

    /// An EXR and a PNG beside each other, seen through AgX.
    pub fn exr_and_png(folder: &Path, name: &str) -> Self {
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        Self::of(vec![(path("exr"), Format::Exr), (path("png"), Format::Png)])
    }

    fn of(paths: Vec<(PathBuf, Format)>) -> Self {
        Self {
            paths,
            look: Look::default(),
            exr: ExrOptions::default(),
            png_depth: PngDepth::default(),
            jpeg_quality: JpegQuality::default(),
            denoising: None,
        }
    }

    /// Whether a file's name has a place for the frame's number.
    pub fn name_frames(&self) -> bool {
        self.paths.iter().any(|(path, _)| name_of(path).contains(FRAME))
    }

    /// Writes a picture everywhere, under the names that its label makes.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(
        &self,
        picture: &Picture,
        label: &Label<'_>,
        metadata: &Metadata,
    ) -> anyhow::Result<Vec<PathBuf>> {
        let places: Vec<(PathBuf, Format)> =
            self.paths.iter().map(|(path, format)| (label.name(path), *format)).collect();
        for (path, format) in &places {
            self.write_one(picture, path, *format, metadata)?;
        }
        let mut written: Vec<PathBuf> = places.iter().map(|(path, _)| path.clone()).collect();
        if let Some(denoising) = &self.denoising {
            let (picture, denoiser) =
                denoising.apply(picture).context("the picture was not denoised")?;
            eprintln!("  denoised    by {denoiser}");
            let metadata = Metadata { denoiser: Some(denoiser), ..metadata.clone() };
            for (path, format) in &places {
                let path = inserted(path, "denoised");
                self.write_one(&picture, &path, *format, &metadata)?;
                written.push(path);
            }
        }
        Ok(written)
    }

    fn write_one(
        &self,
        picture: &Picture,
        path: &Path,
        format: Format,
        metadata: &Metadata,
    ) -> anyhow::Result<()> {
        match format {
            Format::Exr => film::write_exr(picture, path, metadata, &self.exr)
                .with_context(|| format!("the EXR was not written: {}", path.display())),
            Format::Png => film::write_png(picture, path, &self.look, self.png_depth)
                .with_context(|| format!("the PNG was not written: {}", path.display())),
            Format::Jpeg => film::write_jpeg(picture, path, &self.look, self.jpeg_quality)
                .with_context(|| format!("the JPEG was not written: {}", path.display())),
        }
    }
}

impl Denoising {
    /// The denoised picture, and who did it.
    fn apply(&self, picture: &Picture) -> anyhow::Result<(Picture, String)> {
        match self {
            Self::ATrous => Ok((a_trous(picture)?, A_TROUS.to_owned())),
            Self::Oidn { library } => {
                let oidn = Oidn::open(library.as_deref())?;
                Ok((oidn.denoise(picture)?, oidn.name()))
            }
        }
    }
}

fn checked(path: PathBuf) -> anyhow::Result<(PathBuf, Format)> {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    let format = match ending.as_ref().and_then(|ending| ending.to_str()) {
        Some("exr") => Format::Exr,
        Some("png") => Format::Png,
        Some("jpg" | "jpeg") => Format::Jpeg,
        _ => {
            let shown = path.display();
            return Err(fail(
                Exit::Usage,
                format!("a picture is written as .exr, .png or .jpg; choose one of them: {shown}"),
            ));
        }
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            let shown = folder.display();
            Err(fail(Exit::NotFound, format!("no such folder; make it first: {shown}")))
        }
        _ => Ok((path, format)),
    }
}

/// `shot.exr` and `0012` make `shot.0012.exr`.
fn inserted(path: &Path, word: &str) -> PathBuf {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_extension(format!("{word}.{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_numbered_before_the_ending() {
        assert_eq!(inserted(Path::new("a/shot.v2.exr"), "0012"), Path::new("a/shot.v2.0012.exr"));
    }

    #[test]
    fn names_have_cameras_and_frames_where_asked_or_where_there_are_several() {
        let check = |path: &str, of_cameras, of_frames, wanted: &str| {
            let label = Label { camera: "left", of_cameras, frame: 12, of_frames };
            assert_eq!(label.name(Path::new(path)), Path::new(wanted), "{path}");
        };
        check("a/shot.exr", false, false, "a/shot.exr");
        check("a/shot.exr", false, true, "a/shot.0012.exr");
        check("a/shot.exr", true, false, "a/shot.left.exr");
        check("a/shot.exr", true, true, "a/shot.left.0012.exr");
        check("a/{camera}_{frame}.exr", false, false, "a/left_0012.exr");
        check("a/{camera}.exr", true, true, "a/left.0012.exr");
        check("a/f{frame}.v2.png", true, true, "a/f0012.v2.left.png");
    }

    #[test]
    fn cameras_have_words_of_their_own() {
        let named = |name: &str| CameraChoice::Named(name.to_owned());
        let set = CameraChoice::LookAt { eye: [0.0; 3], target: [1.0; 3], vfov_degrees: 40.0 };
        let cameras =
            [named("Left eye"), named("left/eye"), named("../über"), CameraChoice::Default, set];
        let wanted = ["Left_eye", "left_eye_2", "___über", "camera", "eye"];
        assert_eq!(camera_words(&cameras), wanted);
    }

    #[test]
    fn other_endings_are_a_usage_error() {
        for name in ["a.tif", "a", "exr"] {
            let error = checked(PathBuf::from(name)).expect_err(name);
            assert_eq!(crate::exit::classify(&error), Exit::Usage);
        }
        assert!(checked(PathBuf::from("a.EXR")).is_ok());
    }
}
