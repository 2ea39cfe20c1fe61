//! Pictures to files: EXR as rendered, PNG and JPEG through a look.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum, ValueHint};
use client::pictures::{Denoising, Existing, Label, Outputs, PictureError};
use film::denoise::{A_TROUS, Oidn};
use film::{
    ChannelNames, ExrCompression, ExrOptions, JpegQuality, Look, Lut, Metadata, Picture, PngDepth,
    Precision, View, WhiteBalance,
};

use crate::exit::{Exit, WithExit as _, fail};
use crate::values;
use crate::video::Plan;

/// Where pictures go, how they are stored and how they look.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Where the picture goes, .exr, .png or .jpg; may be repeated. Its name may have {camera} and
    /// {frame}. Without it, `SCENE.exr`
    #[arg(short = 'o', long = "out", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Vec<PathBuf>,
    /// Write a denoised picture beside each noisy one: NAME.denoised.exr
    #[arg(long, value_enum, value_name = "DENOISER", num_args = 0..=1, require_equals = true,
        default_missing_value = "auto")]
    pub denoise: Option<DenoiserName>,
    /// The file of Open Image Denoise 2, where the system does not find it
    #[arg(long, value_name = "FILE", env = "TESSERA_OIDN", value_hint = ValueHint::FilePath)]
    pub oidn_library: Option<PathBuf>,
    /// How light becomes the colours of a PNG or JPEG; without it as the scene asks, or agx
    #[arg(long, value_enum)]
    pub view: Option<ViewName>,
    /// A table for what the view shows, .cube with LUT_3D_SIZE
    #[arg(long, value_name = "FILE.cube", value_hint = ValueHint::FilePath)]
    pub view_lut: Option<PathBuf>,
    /// Exposure of a PNG or JPEG, stops; without it the scene's, or 0
    #[arg(long, value_name = "EV", allow_hyphen_values = true)]
    pub exposure: Option<f32>,
    /// The light that is to look white, and its tint towards green; 6500 changes nothing
    #[arg(long, value_name = "KELVIN[,TINT]", default_value = "6500")]
    pub white_balance: WhiteBalance,
    /// Bits a channel of a PNG
    #[arg(long, value_name = "BITS", value_enum, default_value = "8")]
    pub png_depth: PngBits,
    /// Quality of a JPEG
    #[arg(long, value_name = "1-100", default_value_t = 92,
        value_parser = values::whole(1_u8..=100))]
    pub jpeg_quality: u8,
    /// How colour is stored in an EXR; measures are always float
    #[arg(long, value_name = "PRECISION", value_enum, default_value_t = PrecisionName::Float)]
    pub exr_precision: PrecisionName,
    /// How an EXR is packed
    #[arg(long, value_name = "COMPRESSION", value_enum, default_value_t = CompressionName::Zip)]
    pub exr_compression: CompressionName,
    /// How an EXR's channels are called
    #[arg(long, value_name = "NAMES", value_enum, default_value_t = NamesName::Tessera)]
    pub exr_names: NamesName,
}

/// What becomes of files that are there, and of a job's frames when all are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct KeepArgs {
    /// What becomes of files that have a picture's name already
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ExistingName::Replace)]
    existing: ExistingName,
    /// Make a video of the frames when all are whole, through ffmpeg: .mp4 for H.264, .mov for
    /// ProRes; more choices has tessera video
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    video: Option<PathBuf>,
}

/// What becomes of a file that has a picture's name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExistingName {
    /// It is replaced
    Replace,
    /// It stays, and its frame is not fetched again: to go on where a download was cut; frames
    /// that are not whole yet are left to another time
    Skip,
    /// It stays, and the picture gets the first free name: `frame-2.exr`
    Keep,
    /// It stays, and that is an error
    Refuse,
}

impl KeepArgs {
    /// The video that is wanted.
    ///
    /// # Errors
    /// See [`Plan::new`]. Usage: frames whose names are not known before they are written.
    pub fn video(&self) -> anyhow::Result<Option<Plan>> {
        if self.video.is_some() && self.existing == ExistingName::Keep {
            let message = "--video needs frames under their own names; choose another --existing";
            return Err(fail(Exit::Usage, message));
        }
        self.video.as_deref().map(Plan::new).transpose()
    }

    /// The places, checked before any work is done.
    ///
    /// # Errors
    /// See [`OutputArgs::outputs`].
    pub fn outputs(&self, output: &OutputArgs, name: &str) -> anyhow::Result<Outputs> {
        let existing = match self.existing {
            ExistingName::Replace => Existing::Replace,
            ExistingName::Skip => Existing::Skip,
            ExistingName::Keep => Existing::Keep,
            ExistingName::Refuse => Existing::Refuse,
        };
        let mut outputs = output.outputs(name)?;
        outputs.existing = existing;
        Ok(outputs)
    }
}

/// A denoiser's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DenoiserName {
    /// Open Image Denoise where it is installed, else à-trous
    Auto,
    /// Intel Open Image Denoise 2, or an error
    Oidn,
    /// Tessera's own, weaker, always there
    ATrous,
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

impl From<PngBits> for PngDepth {
    fn from(bits: PngBits) -> Self {
        match bits {
            PngBits::Eight => Self::Eight,
            PngBits::Sixteen => Self::Sixteen,
        }
    }
}

/// A precision's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionName {
    /// 16 bits: half the size, three digits
    Half,
    /// 32 bits: every bit of the film
    Float,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::Half => Self::Half,
            PrecisionName::Float => Self::Float,
        }
    }
}

/// A compression's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompressionName {
    /// Deflate over 16 lines
    Zip,
    /// Deflate over single lines, for compositors that read lines
    Zips,
    /// Wavelets, smaller where the picture is noisy
    Piz,
    /// Run lengths
    Rle,
    /// As it is
    None,
    /// Cosine transform: several times smaller, lossy in channels R, G, B and Y
    Dwaa,
}

impl From<CompressionName> for ExrCompression {
    fn from(name: CompressionName) -> Self {
        match name {
            CompressionName::Zip => Self::Zip,
            CompressionName::Zips => Self::Zips,
            CompressionName::Piz => Self::Piz,
            CompressionName::Rle => Self::Rle,
            CompressionName::None => Self::None,
            CompressionName::Dwaa => Self::Dwaa,
        }
    }
}

/// A way to call channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NamesName {
    /// R, albedo.R, depth.Z
    Tessera,
    /// ViewLayer.Combined.R, ViewLayer.Depth.Z, as Blender's compositor has them
    Blender,
}

impl From<NamesName> for ChannelNames {
    fn from(name: NamesName) -> Self {
        match name {
            NamesName::Tessera => Self::Tessera,
            NamesName::Blender => Self::Blender,
        }
    }
}

impl OutputArgs {
    /// The places, checked before any work is done.
    ///
    /// # Errors
    /// Usage: another ending than `.exr`, `.png` or `.jpg`. Not found: the folder or the table
    /// or Open Image Denoise does not exist. Failed: the table cannot be used.
    pub fn outputs(&self, name: &str) -> anyhow::Result<Outputs> {
        let mut paths = self.out.clone();
        if paths.is_empty() {
            paths.push(PathBuf::from(format!("{name}.exr")));
        }
        if self.exposure.is_some_and(|stops| !stops.is_finite()) {
            return Err(fail(Exit::Usage, "the exposure must be a finite number of stops"));
        }
        let mut look = Look {
            white_balance: self.white_balance,
            lut: self.view_lut.as_deref().map(read_lut).transpose()?,
            ..Look::default()
        };
        set(&mut look, self.view.map(View::from), self.exposure);
        let exr = ExrOptions {
            precision: self.exr_precision.into(),
            compression: self.exr_compression.into(),
            names: self.exr_names.into(),
        };
        let mut outputs = Outputs::to(paths)?;
        outputs.look = look;
        outputs.exr = exr;
        outputs.png_depth = self.png_depth.into();
        outputs.jpeg_quality = JpegQuality::new(self.jpeg_quality);
        outputs.denoising = self.denoise.map(|name| self.denoising(name)).transpose()?;
        Ok(outputs)
    }

    /// Chooses now, so that nobody renders for hours to learn that a library is missing.
    fn denoising(&self, name: DenoiserName) -> anyhow::Result<Denoising> {
        let library = self.oidn_library.clone();
        match (name, Oidn::open(library.as_deref())) {
            (DenoiserName::ATrous, _) => Ok(Denoising::ATrous),
            (_, Ok(_opens)) => Ok(Denoising::Oidn { library }),
            (DenoiserName::Oidn, Err(error)) => {
                Err(error).context("--denoise=oidn cannot be done").exit(Exit::NotFound)
            }
            (DenoiserName::Auto, Err(error)) => {
                note!("  denoiser    {A_TROUS}, since {error}");
                Ok(Denoising::ATrous)
            }
        }
    }
}

/// Changes of a look what is given.
pub fn set(look: &mut Look, view: Option<View>, exposure_ev: Option<f32>) {
    look.view = view.unwrap_or(look.view);
    look.exposure_ev = exposure_ev.unwrap_or(look.exposure_ev);
}

/// Writes a picture everywhere and says who denoised it.
///
/// # Errors
/// A file that cannot be written.
pub fn write(
    outputs: &Outputs,
    picture: &Picture,
    label: &Label<'_>,
    metadata: &Metadata,
) -> Result<Vec<PathBuf>, PictureError> {
    let written = outputs.write(picture, label, metadata)?;
    if let Some(denoiser) = written.denoiser {
        note!("  denoised    by {denoiser}");
    }
    Ok(written.files)
}

fn read_lut(path: &Path) -> anyhow::Result<Arc<Lut>> {
    let exit = if path.exists() { Exit::Failed } else { Exit::NotFound };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the table cannot be read: {}", path.display()))
        .exit(exit)?;
    let lut = Lut::parse(&text)
        .with_context(|| format!("this is not a table that can be used: {}", path.display()))?;
    Ok(Arc::new(lut))
}
