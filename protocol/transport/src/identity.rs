//! The key file of a person or a machine: where it lies, how it is made, how it is read.
//!
//! One convention for every program on a machine, so that the command line and the desktop app
//! are the same artist: `$TESSERA_HOME/key`, else the platform's place for settings.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use protocol::SigningKey;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file or its folder cannot be read or written.
    #[error("the key file cannot be read or made; check the folder's permissions: {path}")]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file does not hold 64 hex digits.
    #[error(
        "the key file does not hold a key (64 hex digits); restore it from a copy, or move it away to start as somebody new: {path}"
    )]
    Malformed {
        /// The key file.
        path: PathBuf,
    },
    /// Other users of the machine may read the file.
    #[error("other users may read the key file (mode {mode:03o}); run chmod 600 on it: {path}")]
    Open {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness for a new key")]
    Random(#[source] io::Error),
}

/// Where a person's key lies: `$TESSERA_HOME/key`, else `$XDG_CONFIG_HOME/tessera/key`, else
/// `~/.config/tessera/key` (`%APPDATA%\tessera\key` on Windows).
///
/// `variable` looks up an environment variable: [`std::env::var_os`] in programs.
/// `None` when none of the variables is set.
#[must_use]
pub fn default_path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(home) = folder("TESSERA_HOME") {
        return Some(home.join("key"));
    }
    let settings = folder("XDG_CONFIG_HOME")
        .or_else(|| folder("APPDATA"))
        .or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(settings.join("tessera").join("key"))
}

/// Reads the key at `path`, or makes one there on first use: 32 secret bytes as hex, readable by
/// the owner alone.
///
/// Two programs that start at once agree on one key.
///
/// # Errors
/// See [`IdentityError`].
pub fn load_or_create(path: &Path) -> Result<SigningKey, IdentityError> {
    match load(path) {
        Err(IdentityError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            create(path)?;
            load(path)
        }
        other => other,
    }
}

/// Reads the key at `path`.
///
/// # Errors
/// See [`IdentityError`]; a missing file is [`IdentityError::Io`].
pub fn load(path: &Path) -> Result<SigningKey, IdentityError> {
    let io = |source| IdentityError::Io { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(io)?;
    check_mode(path)?;
    let secret = parse(text.trim());
    let secret = secret.ok_or_else(|| IdentityError::Malformed { path: path.to_owned() })?;
    Ok(SigningKey::from_bytes(&secret))
}

fn parse(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut secret = [0; 32];
    for (index, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(secret)
}

fn create(path: &Path) -> Result<(), IdentityError> {
    let io = |source| IdentityError::Io { path: path.to_owned(), source };
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(|error| IdentityError::Random(error.into()))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).map_err(io)?;
    }

    // Write it whole under another name, then give it its name unless somebody else was first.
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = PathBuf::from(draft);
    let mut file = private_file(&draft).map_err(io)?;
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let written = writeln!(file, "{hex}").and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links: the short moment in which two could meet is accepted.
        Err(_no_links) => fs::rename(&draft, path),
        Ok(()) => Ok(()),
    });
    // After a rename there is no draft any more.
    fs::remove_file(&draft).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(io(error)),
    })?;
    linked.map_err(io)
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata =
        fs::metadata(path).map_err(|source| IdentityError::Io { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(IdentityError::Open { path: path.to_owned(), mode })
    }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<(), IdentityError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_use_makes_a_key_and_the_second_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("key");
        let made = load_or_create(&path).expect("made");
        let read = load_or_create(&path).expect("read");
        assert_eq!(made.to_bytes(), read.to_bytes());
        let files = fs::read_dir(folder.path().join("deep")).expect("a folder").count();
        assert_eq!(files, 1, "no draft is left behind");
        let other = load_or_create(&folder.path().join("key")).expect("made");
        assert_ne!(made.to_bytes(), other.to_bytes());
    }

    #[test]
    fn a_damaged_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        load_or_create(&path).expect("made");
        fs::write(&path, "c0ffee").expect("written");
        let refused = load_or_create(&path);
        assert!(matches!(refused, Err(IdentityError::Malformed { .. })), "{refused:?}");
        assert_eq!(fs::read_to_string(&path).expect("read"), "c0ffee");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        load_or_create(&path).expect("made");
        let mode = fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        assert!(matches!(load(&path), Err(IdentityError::Open { mode: 0o644, .. })));
    }

    #[test]
    fn places_are_tried_in_order() {
        let path = |set: &'static [(&str, &str)]| {
            default_path(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            })
        };
        assert_eq!(path(&[("TESSERA_HOME", "/t"), ("HOME", "/h")]), Some(PathBuf::from("/t/key")));
        assert_eq!(
            path(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]),
            Some(PathBuf::from("/x/tessera/key"))
        );
        assert_eq!(
            path(&[("TESSERA_HOME", ""), ("HOME", "/h")]),
            Some(PathBuf::from("/h/.config/tessera/key"))
        );
        assert_eq!(path(&[]), None);
    }
}
