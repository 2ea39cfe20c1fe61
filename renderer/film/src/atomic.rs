//! Files that are whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file, which may be read back, under a temporary name beside `path`, syncs it, and renames it into place.
///
/// When `write` fails the temporary file is removed and whatever was at `path` stays.
pub(crate) fn write_whole<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path does not name a file")
    })?;
    let mut partial_name = std::ffi::OsString::from(".");
    partial_name.push(name);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    partial_name.push(format!(".{}-{number}.partial", std::process::id()));
    let partial = path.with_file_name(partial_name);

    let written = (|| {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&partial)?;
        let mut buffered = BufWriter::with_capacity(1 << 18, file);
        write(&mut buffered)?;
        buffered.flush()?;
        buffered.get_ref().sync_all()?;
        fs::rename(&partial, path)?;
        Ok(())
    })();
    if written.is_err() {
        // The first error is the one to tell; a file that was never created needs no removal.
        let _removed = fs::remove_file(&partial);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_nothing_and_keeps_the_old_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("picture.exr");
        write_whole::<io::Error>(&path, |file| file.write_all(b"old")).expect("writes");
        let failed = write_whole::<io::Error>(&path, |file| {
            file.write_all(b"half of the n")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).expect("still there"), b"old");
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 1);
    }

    #[test]
    fn a_path_without_a_name_is_an_error() {
        assert!(write_whole::<io::Error>(Path::new("/"), |_file| Ok(())).is_err());
    }
}
