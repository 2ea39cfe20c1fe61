//! Which file is written how.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use film::denoise::{A_TROUS, Oidn, a_trous};
use film::{ExrOptions, JpegQuality, Look, Metadata, Picture, PngDepth};

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

    /// Writes a picture everywhere; with a frame number, `shot.exr` becomes `shot.0012.exr`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(
        &self,
        picture: &Picture,
        frame: Option<u32>,
        metadata: &Metadata,
    ) -> anyhow::Result<Vec<PathBuf>> {
        let places: Vec<(PathBuf, Format)> = self
            .paths
            .iter()
            .map(|(path, format)| {
                let number = frame.map(|frame| inserted(path, &format!("{frame:04}")));
                (number.unwrap_or_else(|| path.clone()), *format)
            })
            .collect();
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
    fn other_endings_are_a_usage_error() {
        for name in ["a.tif", "a", "exr"] {
            let error = checked(PathBuf::from(name)).expect_err(name);
            assert_eq!(crate::exit::classify(&error), Exit::Usage);
        }
        assert!(checked(PathBuf::from("a.EXR")).is_ok());
    }
}
