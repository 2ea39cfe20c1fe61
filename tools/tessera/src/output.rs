//! Pictures to files: EXR as rendered, PNG and JPEG through a look.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum, ValueHint};
use film::{JpegQuality, Look, Picture, PngDepth, View, WhiteBalance};

use crate::exit::{Exit, fail};

/// Where pictures go, how they are stored and how they look.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Where the picture goes, .exr, .png or .jpg; may be repeated. Without it, `SCENE.exr`
    #[arg(short = 'o', long = "out", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Vec<PathBuf>,
    /// How light becomes the colours of a PNG or JPEG
    #[arg(long, value_enum, default_value_t = ViewName::Agx)]
    pub view: ViewName,
    /// Exposure of a PNG or JPEG, stops
    #[arg(long, value_name = "EV", default_value_t = 0.0, allow_hyphen_values = true)]
    pub exposure: f32,
    /// The light that is to look white, and its tint towards green; 6500 changes nothing
    #[arg(long, value_name = "KELVIN[,TINT]", default_value = "6500")]
    pub white_balance: WhiteBalance,
    /// Bits a channel of a PNG
    #[arg(long, value_name = "BITS", value_enum, default_value = "8")]
    pub png_depth: PngBits,
    /// Quality of a JPEG
    #[arg(long, value_name = "1-100", default_value_t = 92,
        value_parser = clap::value_parser!(u8).range(1..=100))]
    pub jpeg_quality: u8,
}

/// Bits a channel of a PNG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PngBits {
    /// What screens show
    #[value(name = "8")]
    Eight,
    /// For grading, and gradients without steps
    #[value(name = "16")]
    Sixteen,
}

/// A view transform's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ViewName {
    /// Film-like, soft in the highlights, as in Blender
    Agx,
    /// AgX with Blender's punchy look: darker, richer
    AgxPunchy,
    /// Khronos PBR Neutral: base colours as they are, only highlights are compressed
    Neutral,
    /// ACES-like: a fit of the ACES 1 rendering, not ACES itself
    Aces,
    /// Straight sRGB, clipped
    Srgb,
    /// The values as they are, clipped: for technical passes
    Raw,
}

impl From<ViewName> for View {
    fn from(name: ViewName) -> Self {
        match name {
            ViewName::Agx => Self::Agx,
            ViewName::AgxPunchy => Self::AgxPunchy,
            ViewName::Neutral => Self::Neutral,
            ViewName::Aces => Self::AcesLike,
            ViewName::Srgb => Self::Srgb,
            ViewName::Raw => Self::Raw,
        }
    }
}

/// A picture file's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Exr,
    Png,
    Jpeg,
}

/// Checked places for the frames of one job or render.
#[derive(Debug, Clone)]
pub struct Outputs {
    paths: Vec<(PathBuf, Format)>,
    look: Look,
    png_depth: PngDepth,
    jpeg_quality: JpegQuality,
}

impl OutputArgs {
    /// The places, checked before any work is done.
    ///
    /// # Errors
    /// Usage: another ending than `.exr`, `.png` or `.jpg`. Not found: the folder does not exist.
    pub fn outputs(&self, name: &str) -> anyhow::Result<Outputs> {
        let mut paths = self.out.clone();
        if paths.is_empty() {
            paths.push(PathBuf::from(format!("{name}.exr")));
        }
        if !self.exposure.is_finite() {
            return Err(fail(Exit::Usage, "the exposure must be a finite number of stops"));
        }
        let look = Look {
            view: self.view.into(),
            exposure_ev: self.exposure,
            white_balance: self.white_balance,
        };
        let paths = paths.into_iter().map(checked).collect::<anyhow::Result<_>>()?;
        let png_depth = match self.png_depth {
            PngBits::Eight => PngDepth::Eight,
            PngBits::Sixteen => PngDepth::Sixteen,
        };
        let jpeg_quality = JpegQuality::new(self.jpeg_quality);
        Ok(Outputs { paths, look, png_depth, jpeg_quality })
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

impl Outputs {
    /// An EXR and a PNG beside each other, seen through AgX.
    pub fn exr_and_png(folder: &Path, name: &str) -> Self {
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        let paths = vec![(path("exr"), Format::Exr), (path("png"), Format::Png)];
        Self {
            paths,
            look: Look::default(),
            png_depth: PngDepth::default(),
            jpeg_quality: JpegQuality::default(),
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
        metadata: &film::Metadata,
    ) -> anyhow::Result<Vec<PathBuf>> {
        let mut written = Vec::with_capacity(self.paths.len());
        for (path, format) in &self.paths {
            let path = frame.map_or_else(|| path.clone(), |frame| numbered(path, frame));
            match format {
                Format::Exr => film::write_exr(picture, &path, metadata)
                    .with_context(|| format!("the EXR was not written: {}", path.display()))?,
                Format::Png => film::write_png(picture, &path, &self.look, self.png_depth)
                    .with_context(|| format!("the PNG was not written: {}", path.display()))?,
                Format::Jpeg => film::write_jpeg(picture, &path, &self.look, self.jpeg_quality)
                    .with_context(|| format!("the JPEG was not written: {}", path.display()))?,
            }
            written.push(path);
        }
        Ok(written)
    }
}

fn numbered(path: &Path, frame: u32) -> PathBuf {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_extension(format!("{frame:04}.{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_numbered_before_the_ending() {
        assert_eq!(numbered(Path::new("a/shot.v2.exr"), 12), Path::new("a/shot.v2.0012.exr"));
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
