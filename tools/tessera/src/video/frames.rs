//! Frames of a video: found by their numbers, read, developed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use film::{FrameRate, Look, view_rgba16};
use protocol::Size;

use crate::exit::{Exit, fail};

/// Where a pattern has the frame's number.
const PLACES: [&str; 2] = ["{frame}", "*"];

/// Frames by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered(pub BTreeMap<u32, PathBuf>);

impl Numbered {
    /// Those of these numbers, of which none may be missing: every one, or every second and so on.
    ///
    /// # Errors
    /// Not found: none, or a hole.
    pub fn whole(self, first: u32, last: u32) -> anyhow::Result<Vec<PathBuf>> {
        let frames: Vec<(u32, PathBuf)> =
            self.0.into_iter().filter(|(number, _)| (first..=last).contains(number)).collect();
        let step = frames.windows(2).map(|pair| pair[1].0 - pair[0].0).min().unwrap_or(1);
        let hole = frames.windows(2).find(|pair| pair[1].0 - pair[0].0 != step);
        if let Some([before, after]) = hole {
            let message = format!(
                "frames are missing between {} and {}; fetch them, or choose others with --frames",
                before.0, after.0
            );
            return Err(fail(Exit::NotFound, message));
        }
        if frames.is_empty() {
            return Err(fail(Exit::NotFound, "there are no frames of these numbers"));
        }
        Ok(frames.into_iter().map(|(_, path)| path).collect())
    }
}

/// The frames of a folder, or those that a pattern means: `out/shot.{frame}.exr`, `out/shot.*.png`,
/// `out/shot.%04d.png`.
///
/// # Errors
/// Not found: no such folder, or no frames. Usage: frames of several pictures in one folder.
pub fn in_folder_or_pattern(place: &Path) -> anyhow::Result<Numbered> {
    if place.is_dir() {
        return in_folder(place);
    }
    let name = place.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let Some((before, after)) = parts(name) else {
        let message = "this is no folder, and no pattern of frames, as shot.{frame}.exr";
        return Err(fail(Exit::NotFound, format!("{message}: {}", place.display())));
    };
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut frames = BTreeMap::new();
    for (name, path) in files(folder.unwrap_or(Path::new(".")))? {
        let number = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(Ok(number)) = number.filter(is_number).map(str::parse::<u32>) {
            frames.insert(number, path);
        }
    }
    if frames.is_empty() {
        return Err(fail(Exit::NotFound, format!("no frames are here: {}", place.display())));
    }
    Ok(Numbered(frames))
}

/// What stands before and after the number in a pattern.
fn parts(name: &str) -> Option<(&str, &str)> {
    if let Some(found) = PLACES.iter().find_map(|place| name.split_once(place)) {
        return Some(found);
    }
    let (before, rest) = name.split_once('%')?;
    let (digits, after) = rest.split_once('d')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some((before, after))
}

fn in_folder(folder: &Path) -> anyhow::Result<Numbered> {
    let mut pictures: BTreeMap<String, BTreeMap<u32, PathBuf>> = BTreeMap::new();
    for (name, path) in files(folder)? {
        let is_picture = ["exr", "png", "jpg", "jpeg"]
            .iter()
            .any(|ending| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(ending)));
        if let Some((pattern, number)) = numbered(&name).filter(|_| is_picture) {
            pictures.entry(pattern).or_default().insert(number, path);
        }
    }
    let mut patterns: Vec<String> =
        pictures.keys().map(|name| folder.join(name).display().to_string()).collect();
    match (pictures.len(), pictures.into_values().next()) {
        (1, Some(frames)) => Ok(Numbered(frames)),
        (0, _) | (_, None) => {
            let message = "no numbered frames (.exr, .png, .jpg) are here";
            Err(fail(Exit::NotFound, format!("{message}: {}", folder.display())))
        }
        _ => {
            patterns.truncate(8);
            let message = "frames of several pictures are here; choose one of them";
            Err(fail(Exit::Usage, format!("{message}: {}", patterns.join(", "))))
        }
    }
}

/// `shot.0012.exr` is number 12 of `shot.{frame}.exr`: the last digits before the ending count.
fn numbered(name: &str) -> Option<(String, u32)> {
    let stem = name.rfind('.').unwrap_or(name.len());
    let end = name[..stem].rfind(|c: char| c.is_ascii_digit())? + 1;
    let is_digit = |c: char| c.is_ascii_digit();
    let begin = name[..end]
        .rfind(|c: char| !is_digit(c))
        .map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
    let number = name[begin..end].parse().ok()?;
    Some((format!("{}{{frame}}{}", &name[..begin], &name[end..]), number))
}

/// Files of a folder with names that are text; those that are not yet whole begin with a dot.
fn files(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let listed = std::fs::read_dir(folder).map_err(|error| {
        let message = format!("the folder cannot be read ({error})");
        fail(Exit::NotFound, format!("{message}: {}", folder.display()))
    })?;
    let mut files = Vec::new();
    for entry in listed {
        let entry = entry.with_context(|| format!("cannot list: {}", folder.display()))?;
        let name = entry.file_name().to_str().map(str::to_owned);
        files.extend(name.filter(|name| !name.starts_with('.')).map(|name| (name, entry.path())));
    }
    Ok(files)
}

/// Frames a second that a frame says it is of.
pub fn rate_of(path: &Path) -> Option<FrameRate> {
    is_exr(path).then(|| film::read_exr_metadata(path).ok()?.frame_rate)?
}

fn is_exr(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("exr"))
}

/// A frame as a display shows it: 16 bits a value.
#[derive(Debug)]
pub struct Frame {
    /// Pixels.
    pub size: Size,
    /// Red, green, blue, in rows from the upper left.
    rgb: Vec<[u16; 3]>,
}

/// Reads a frame; an EXR is developed, without its overscan.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path, look: &Look) -> anyhow::Result<Frame> {
    let context = || format!("the frame cannot be read: {}", path.display());
    if is_exr(path) {
        let picture = film::read_exr(path).with_context(context)?;
        let picture = picture.without_overscan();
        let rgba = view_rgba16(&picture, look);
        let rgb = rgba.chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        return Ok(Frame { size: picture.size, rgb });
    }
    let image = image::open(path).with_context(context)?.into_rgb16();
    let size = Size::new(image.width(), image.height());
    Ok(Frame { size, rgb: image.pixels().map(|pixel| pixel.0).collect() })
}

impl Frame {
    /// Bytes of `rgb48le` for a frame of this size or up to a pixel more each way: most codecs want
    /// even sides, and an edge that is there twice is not seen.
    pub fn bytes(&self, size: Size) -> Vec<u8> {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let mut bytes = Vec::with_capacity(size.pixel_count() as usize * 6);
        for y in 0..size.height as usize {
            let row = &self.rgb[y.min(height - 1) * width..][..width];
            for x in 0..size.width as usize {
                bytes.extend(row[x.min(width - 1)].iter().flat_map(|value| value.to_le_bytes()));
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_last_digits_before_the_ending() {
        let check = |name: &str, wanted: Option<(&str, u32)>| {
            let wanted = wanted.map(|(pattern, number)| (pattern.to_owned(), number));
            assert_eq!(numbered(name), wanted, "{name}");
        };
        check("shot.0012.exr", Some(("shot.{frame}.exr", 12)));
        check("shot_010.left.0001.png", Some(("shot_010.left.{frame}.png", 1)));
        check("0007.exr", Some(("{frame}.exr", 7)));
        check("f7.denoised.exr", Some(("f{frame}.denoised.exr", 7)));
        check("bär12ä.png", Some(("bär{frame}ä.png", 12)));
        check("shot.exr", None);
        check("99999999999.exr", None);
    }

    #[test]
    fn patterns_have_one_place_for_the_number() {
        assert_eq!(parts("a.{frame}.exr"), Some(("a.", ".exr")));
        assert_eq!(parts("a.*.exr"), Some(("a.", ".exr")));
        assert_eq!(parts("a%04d.png"), Some(("a", ".png")));
        assert_eq!((parts("a.exr"), parts("50%_dark.png")), (None, None));
    }

    #[test]
    fn frames_are_found_in_folders_and_by_patterns() {
        let folder = tempfile::tempdir().expect("a folder");
        let touch = |name: &str| std::fs::write(folder.path().join(name), "").expect("written");
        ["a.0001.exr", "a.0003.exr", "a.0002.exr", "notes.txt", ".a.0004.exr.partial"]
            .iter()
            .for_each(|name| touch(name));
        let numbers = |found: &Numbered| found.0.keys().copied().collect::<Vec<_>>();
        let found = in_folder_or_pattern(folder.path()).expect("one picture");
        assert_eq!(numbers(&found), [1, 2, 3]);
        touch("a.0001.png");
        let error = in_folder_or_pattern(folder.path()).expect_err("two pictures").to_string();
        assert!(error.contains("a.{frame}.exr") && error.contains("a.{frame}.png"), "{error}");
        let found = in_folder_or_pattern(&folder.path().join("a.*.exr")).expect("the EXRs");
        assert_eq!(numbers(&found), [1, 2, 3]);
        assert!(in_folder_or_pattern(&folder.path().join("b.*.exr")).is_err());
        assert!(in_folder_or_pattern(&folder.path().join("none")).is_err());
    }

    #[test]
    fn a_hole_is_an_error_and_a_step_is_not() {
        let frames = |numbers: &[u32]| {
            Numbered(numbers.iter().map(|number| (*number, PathBuf::new())).collect())
        };
        let count = |numbers: &[u32], first, last| {
            frames(numbers).whole(first, last).map(|paths| paths.len()).map_err(|it| it.to_string())
        };
        assert_eq!(count(&[1, 2, 3], 0, u32::MAX), Ok(3));
        assert_eq!(count(&[1, 3, 5], 0, u32::MAX), Ok(3));
        assert_eq!(count(&[1, 2, 4, 5], 4, 9), Ok(2));
        assert!(count(&[1, 2, 4, 5], 0, 9).expect_err("a hole").contains("between 2 and 4"));
        assert!(count(&[1, 2], 7, 9).is_err());
    }

    #[test]
    fn sides_become_even_by_the_edge_being_there_twice() {
        let frame = Frame { size: Size::new(1, 1), rgb: vec![[1, 0x0203, 0xffff]] };
        let pixel = [1, 0, 3, 2, 0xff, 0xff];
        assert_eq!(frame.bytes(Size::new(1, 1)), pixel);
        assert_eq!(frame.bytes(Size::new(2, 2)), [pixel; 4].concat());
    }
}
