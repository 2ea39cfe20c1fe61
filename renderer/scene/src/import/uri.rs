//! What a file names: `data:` and files beside it, never anything else.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::UriProblem;

/// Gives the bytes of files that a scene file names.
pub trait Resolver {
    /// Reads a file of at most `bytes_max` bytes; more is an error.
    ///
    /// `path` is relative, with `/` between its parts, none of which is empty, `.` or `..`.
    ///
    /// # Errors
    /// Whatever keeps the file from being read.
    fn read(&mut self, path: &str, bytes_max: u64) -> std::io::Result<Vec<u8>>;
}

/// A resolver without any files: `.glb` and `data:` only.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

impl Resolver for NoFiles {
    fn read(&mut self, _path: &str, _bytes_max: u64) -> std::io::Result<Vec<u8>> {
        Err(std::io::Error::new(std::io::ErrorKind::NotFound, "there are no files beside"))
    }
}

/// A resolver for the files of one folder and the folders in it.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Files of `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
}

impl Resolver for Folder {
    fn read(&mut self, path: &str, bytes_max: u64) -> std::io::Result<Vec<u8>> {
        // A link inside the folder may still lead out of it.
        let root = self.root.canonicalize()?;
        let file = root.join(path).canonicalize()?;
        if !file.starts_with(&root) {
            let message = "it is a link that leads out of the scene's folder";
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, message));
        }
        read_file(&file, bytes_max)
    }
}

/// Reads a regular file of at most `bytes_max` bytes.
pub fn read_file(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    // A pipe or a device could block for ever, or never end.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let too_large = || {
        let message = format!("it is larger than {bytes_max} bytes");
        std::io::Error::new(std::io::ErrorKind::FileTooLarge, message)
    };
    if metadata.len() > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(too_large()) } else { Ok(bytes) }
}

/// Bytes behind a URI.
pub fn read(uri: &str, resolver: &mut dyn Resolver, bytes_max: u64) -> Result<Vec<u8>, UriProblem> {
    match uri.strip_prefix("data:") {
        Some(data) => decode_data(data),
        None => resolver.read(&relative_path(uri)?, bytes_max).map_err(UriProblem::Read),
    }
}

/// The bytes of `[<media type>];base64,<data>` (RFC 2397).
fn decode_data(data: &str) -> Result<Vec<u8>, UriProblem> {
    let (head, body) = data.split_once(',').ok_or(UriProblem::NotBase64)?;
    if !head.ends_with(";base64") {
        return Err(UriProblem::NotBase64);
    }
    STANDARD.decode(body).map_err(UriProblem::Base64)
}

/// The path that a relative URI means, if it stays inside the folder.
fn relative_path(uri: &str) -> Result<String, UriProblem> {
    let text = decode_percent(uri)?;
    let before_slash = text.split('/').next().unwrap_or_default();
    if before_slash.contains(':') {
        return Err(UriProblem::Scheme);
    }
    // A backslash separates folders on Windows, where `..\x` would lead out.
    if text.is_empty() || text.contains(['\\', '\0', ':']) {
        return Err(UriProblem::Malformed);
    }
    if text.starts_with('/') {
        return Err(UriProblem::Outside);
    }
    let parts: Vec<&str> =
        text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(UriProblem::Outside);
    }
    if parts.is_empty() { Err(UriProblem::Malformed) } else { Ok(parts.join("/")) }
}

fn decode_percent(uri: &str) -> Result<Cow<'_, str>, UriProblem> {
    if !uri.contains('%') {
        return Ok(Cow::Borrowed(uri));
    }
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |index: usize| {
            let digit = tail.get(index).and_then(|&digit| char::from(digit).to_digit(16));
            digit.and_then(|digit| u8::try_from(digit).ok())
        };
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(UriProblem::Malformed);
        };
        bytes.push(16 * high + low);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_not_utf8| UriProblem::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, expected: Option<&str>) {
        assert_eq!(relative_path(uri).ok().as_deref(), expected, "{uri:?}");
    }

    #[test]
    fn paths_stay_inside_the_folder() {
        check("a.bin", Some("a.bin"));
        check("./textures//a%20b.png", Some("textures/a b.png"));
        check("ä.png", Some("ä.png"));
        check("../a.bin", None);
        check("a/../../b", None);
        check("%2e%2e/b", None);
        check("a/%2E%2E/b", None);
        check("/etc/passwd", None);
        check("file:///etc/passwd", None);
        check("https://example.org/a.bin", None);
        check("C:\\a.bin", None);
        check("..\\a.bin", None);
        check("a%zz", None);
        check("a%f", None);
        check("%00", None);
        check("", None);
        check("./", None);
    }

    #[test]
    fn data_is_decoded() {
        let read = |uri: &str| read(uri, &mut NoFiles, 100);
        assert_eq!(read("data:application/octet-stream;base64,AQID").ok(), Some(vec![1, 2, 3]));
        assert!(matches!(read("data:;base64,A$"), Err(UriProblem::Base64(_))));
        assert!(matches!(read("data:text/plain,abc"), Err(UriProblem::NotBase64)));
        assert!(matches!(read("a.bin"), Err(UriProblem::Read(_))));
    }
}
