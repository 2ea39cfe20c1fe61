//! Pictures to files: EXR as rendered, PNG and JPEG through a look, under names with cameras and
//! frames.

mod names;
mod views;

use std::path::{Path, PathBuf};

use film::denoise::{A_TROUS, DenoiseError, Oidn, OidnError, a_trous};
use film::{
    ExrOptions, ImageFileError, JpegQuality, Look, Metadata, Picture, PngDepth, WriteError,
};

use names::{FRAME, free, inserted, name_of};
pub use names::{Label, camera_words};
pub use views::{VIEWS, view_name, view_named};

/// Why there is no picture file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// A kind of file that is not written here.
    #[error("a picture is written as .exr, .png or .jpg; choose one of them: {}", .0.display())]
    Ending(PathBuf),
    /// The folder is not there.
    #[error("no such folder; make it first: {}", .0.display())]
    Folder(PathBuf),
    /// Somebody's file is there.
    #[error("there is such a file already; choose another name, or let it be replaced: {}", .0.display())]
    Exists(PathBuf),
    /// The EXR.
    #[error("the EXR was not written: {}", path.display())]
    Exr {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<WriteError>,
    },
    /// The PNG or JPEG.
    #[error("the {kind} was not written: {}", path.display())]
    Image {
        /// Which of them.
        kind: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<ImageFileError>,
    },
    /// The denoiser did not do it.
    #[error("the picture was not denoised")]
    Denoise(#[from] DenoiseError),
    /// The denoiser is not there.
    #[error("the picture was not denoised")]
    Oidn(#[from] OidnError),
}

/// What becomes of a file that has a picture's name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It is replaced.
    #[default]
    Replace,
    /// It stays, and the picture gets the first free name: `shot-2.exr`.
    Keep,
    /// It stays, and nothing is written.
    Refuse,
    /// It stays, and what is not there yet is written: files are whole or not there.
    Skip,
}

/// A picture file's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Exr,
    Png,
    Jpeg,
}

/// Checked places for the frames of one job or render, and how to fill them.
#[derive(Debug, Clone)]
pub struct Outputs {
    paths: Vec<(PathBuf, Format)>,
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
    /// What becomes of files that are there.
    pub existing: Existing,
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

/// What was written of a picture.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The files, noisy ones first.
    pub files: Vec<PathBuf>,
    /// Who denoised it.
    pub denoiser: Option<String>,
}

impl Outputs {
    /// These places, with all else by default.
    ///
    /// # Errors
    /// [`PictureError::Ending`], [`PictureError::Folder`].
    pub fn to(paths: Vec<PathBuf>) -> Result<Self, PictureError> {
        let paths = paths.into_iter().map(checked).collect::<Result<_, _>>()?;
        Ok(Self::of(paths))
    }

    /// An EXR and a PNG beside each other, seen through AgX.
    #[must_use]
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
            existing: Existing::default(),
        }
    }

    /// Whether a file's name has a place for the frame's number.
    #[must_use]
    pub fn name_frames(&self) -> bool {
        self.paths.iter().any(|(path, _)| name_of(path).contains(FRAME))
    }

    /// Names of a picture's files, without those that are denoised.
    #[must_use]
    pub fn names(&self, label: &Label<'_>) -> Vec<PathBuf> {
        self.paths.iter().map(|(path, _)| label.name(path)).collect()
    }

    /// Whether every file of a picture is there already. A file appears under its name only once it
    /// is whole.
    #[must_use]
    pub fn are_there(&self, label: &Label<'_>) -> bool {
        self.names(label).iter().all(|path| {
            path.exists() && (self.denoising.is_none() || inserted(path, "denoised").exists())
        })
    }

    /// Writes a picture everywhere, under the names that its label makes.
    ///
    /// # Errors
    /// A file that cannot or may not be written; then none of the others is touched where a name
    /// was taken.
    pub fn write(
        &self,
        picture: &Picture,
        label: &Label<'_>,
        metadata: &Metadata,
    ) -> Result<Written, PictureError> {
        let names = self.paths.iter().map(|(path, format)| (label.name(path), *format));
        let places: Vec<(PathBuf, Format)> = names
            .map(|(path, format)| Ok((self.allowed(path)?, format)))
            .collect::<Result<_, PictureError>>()?;
        let is_wanted = |path: &Path| self.existing != Existing::Skip || !path.exists();
        let mut written: Vec<PathBuf> = Vec::with_capacity(places.len());
        for (path, format) in places.iter().filter(|(path, _)| is_wanted(path)) {
            self.write_one(picture, path, *format, metadata)?;
            written.push(path.clone());
        }
        let Some(denoising) = &self.denoising else {
            return Ok(Written { files: written, denoiser: None });
        };
        let (picture, denoiser) = denoising.apply(picture)?;
        let metadata = Metadata { denoiser: Some(denoiser.clone()), ..metadata.clone() };
        let places = places.iter().map(|(path, format)| (inserted(path, "denoised"), *format));
        for (path, format) in places.filter(|(path, _)| is_wanted(path)) {
            self.write_one(&picture, &path, format, &metadata)?;
            written.push(path);
        }
        Ok(Written { files: written, denoiser: Some(denoiser) })
    }

    /// The name under which a file may be written.
    fn allowed(&self, path: PathBuf) -> Result<PathBuf, PictureError> {
        match self.existing {
            Existing::Replace | Existing::Skip => Ok(path),
            Existing::Keep => Ok(free(path, |path| path.exists())),
            Existing::Refuse if path.exists() => Err(PictureError::Exists(path)),
            Existing::Refuse => Ok(path),
        }
    }

    fn write_one(
        &self,
        picture: &Picture,
        path: &Path,
        format: Format,
        metadata: &Metadata,
    ) -> Result<(), PictureError> {
        let image = |kind, source| PictureError::Image {
            kind,
            path: path.to_owned(),
            source: Box::new(source),
        };
        match format {
            Format::Exr => film::write_exr(picture, path, metadata, &self.exr).map_err(|source| {
                PictureError::Exr { path: path.to_owned(), source: Box::new(source) }
            }),
            Format::Png => film::write_png(picture, path, &self.look, self.png_depth)
                .map_err(|source| image("PNG", source)),
            Format::Jpeg => film::write_jpeg(picture, path, &self.look, self.jpeg_quality)
                .map_err(|source| image("JPEG", source)),
        }
    }
}

impl Denoising {
    /// The denoised picture, and who did it.
    fn apply(&self, picture: &Picture) -> Result<(Picture, String), PictureError> {
        match self {
            Self::ATrous => Ok((a_trous(picture)?, A_TROUS.to_owned())),
            Self::Oidn { library } => {
                let oidn = Oidn::open(library.as_deref())?;
                Ok((oidn.denoise(picture)?, oidn.name()))
            }
        }
    }
}

fn checked(path: PathBuf) -> Result<(PathBuf, Format), PictureError> {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    let format = match ending.as_ref().and_then(|ending| ending.to_str()) {
        Some("exr") => Format::Exr,
        Some("png") => Format::Png,
        Some("jpg" | "jpeg") => Format::Jpeg,
        _ => return Err(PictureError::Ending(path)),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(PictureError::Folder(folder.to_owned())),
        _ => Ok((path, format)),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Size;

    use super::*;

    #[test]
    fn other_endings_are_refused() {
        for name in ["a.tif", "a", "exr"] {
            let refused = checked(PathBuf::from(name));
            assert!(matches!(refused, Err(PictureError::Ending(_))), "{name}");
        }
        assert!(checked(PathBuf::from("a.EXR")).is_ok());
    }

    #[test]
    fn a_file_that_is_there_is_replaced_kept_or_in_the_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shot.png");
        let picture = film::Frame::new(Size::new(2, 2), 16).picture();
        let label = Label { camera: "camera", of_cameras: false, frame: 0, of_frames: false };
        let write = |existing| {
            let outputs = Outputs { existing, ..Outputs::to(vec![path.clone()]).expect("sound") };
            outputs.write(&picture, &label, &Metadata::default()).map(|written| written.files)
        };
        let files = |number: &str| vec![folder.path().join(format!("shot{number}.png"))];
        assert_eq!(write(Existing::Refuse).expect("it is free"), files(""));
        assert_eq!(write(Existing::Replace).expect("replaced"), files(""));
        assert_eq!(write(Existing::Keep).expect("beside it"), files("-2"));
        assert_eq!(write(Existing::Keep).expect("beside both"), files("-3"));
        assert!(matches!(write(Existing::Refuse), Err(PictureError::Exists(_))));
        assert_eq!(write(Existing::Skip).expect("nothing to do"), Vec::<PathBuf>::new());
        let both = Outputs::to(vec![path.clone(), folder.path().join("b.png")]).expect("sound");
        let both = Outputs { existing: Existing::Skip, ..both };
        assert!(!both.are_there(&label));
        let written = both.write(&picture, &label, &Metadata::default()).expect("one is missing");
        assert_eq!(written.files, [folder.path().join("b.png")]);
        assert!(both.are_there(&label));
        assert!(!Outputs { denoising: Some(Denoising::ATrous), ..both }.are_there(&label));
    }
}
