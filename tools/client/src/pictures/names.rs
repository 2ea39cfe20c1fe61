//! Names of picture files.

use std::path::{Path, PathBuf};

use protocol::CameraChoice;

/// Where a file's name is to have the camera.
const CAMERA: &str = "{camera}";
/// Where it is to have the frame's number.
pub(super) const FRAME: &str = "{frame}";

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
    #[must_use]
    pub fn name(&self, path: &Path) -> PathBuf {
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

pub(super) fn name_of(path: &Path) -> String {
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

/// `shot.exr` and `0012` make `shot.0012.exr`.
pub(super) fn inserted(path: &Path, word: &str) -> PathBuf {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_extension(format!("{word}.{ending}"))
}

/// The path, or the first of `shot-2.exr`, `shot-3.exr` … that is not taken.
pub(super) fn free(path: PathBuf, is_taken: impl Fn(&Path) -> bool) -> PathBuf {
    if !is_taken(&path) {
        return path;
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let numbered = (2u32..).map(|number| path.with_file_name(format!("{stem}-{number}.{ending}")));
    numbered.into_iter().find(|path| !is_taken(path)).unwrap_or(path)
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
    fn a_taken_name_is_numbered() {
        let taken = ["a/shot.exr", "a/shot-2.exr"];
        let name =
            |path: &str| free(path.into(), |path| taken.iter().any(|it| path == Path::new(it)));
        assert_eq!(name("a/other.exr"), Path::new("a/other.exr"));
        assert_eq!(name("a/shot.exr"), Path::new("a/shot-3.exr"));
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
}
