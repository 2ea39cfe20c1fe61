//! Archives whose bytes depend on what is in them and on nothing else: sorted, of one time, of
//! nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use tar::{EntryType, Header};

use super::files::File;

/// Files under `top` as a tar, with the folders that they lie in. `time_s` is that of all of them,
/// seconds since 1970.
pub fn tar(top: &str, files: &[File], time_s: u64) -> Result<Vec<u8>> {
    let files: BTreeMap<String, &File> =
        files.iter().map(|file| (format!("{top}{}", file.path), file)).collect();
    let mut entries: BTreeMap<String, Option<&File>> = BTreeMap::new();
    for folder in folders(files.keys()) {
        entries.insert(folder, None);
    }
    entries.extend(files.into_iter().map(|(path, file)| (path, Some(file))));
    let mut archive = tar::Builder::new(Vec::new());
    for (path, file) in entries {
        let mut header = Header::new_gnu();
        header.set_mtime(time_s);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        let bytes = match file {
            Some(file) => {
                header.set_entry_type(EntryType::Regular);
                header.set_mode(file.mode);
                &*file.bytes
            }
            None => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(0o755);
                &[]
            }
        };
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, bytes)?;
    }
    Ok(archive.into_inner()?)
}

/// Every folder that paths lie in, each with a `/` behind it.
fn folders<'p>(paths: impl Iterator<Item = &'p String>) -> BTreeSet<String> {
    let ends =
        |path: &'p String| path.match_indices('/').map(move |(end, _)| path[..=end].to_owned());
    paths.flat_map(ends).collect()
}

/// Bytes as small as they get, without a time or a name.
pub fn gzipped(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    Ok(packed.finish()?)
}

/// A `.deb`: what it says of itself and what it brings, as Debian wants both.
pub fn deb(control: &[File], data: &[File], time_s: u64) -> Result<Vec<u8>> {
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", gzipped(&tar("./", control, time_s)?)?),
        ("data.tar.gz", gzipped(&tar("./usr/", data, time_s)?)?),
    ];
    let mut archive = ar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mtime(time_s);
        header.set_mode(0o100_644);
        archive.append(&header, &*bytes)?;
    }
    Ok(archive.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<File> {
        let program = File { path: "bin/tessera".to_owned(), mode: 0o755, bytes: vec![7; 100] };
        vec![File::new("share/doc/tessera/README.md", "read"), program]
    }

    #[test]
    fn an_archive_depends_on_what_is_in_it_alone() -> Result<()> {
        let mut turned = files();
        turned.reverse();
        let (one, other) = (tar("t/", &files(), 9)?, tar("t/", &turned, 9)?);
        assert_eq!(one, other);
        assert_eq!(gzipped(&one)?, gzipped(&other)?);
        assert_eq!(deb(&files(), &files(), 9)?, deb(&turned, &turned, 9)?);
        assert_ne!(one, tar("t/", &files(), 10)?);
        Ok(())
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_all_are_roots() -> Result<()> {
        let bytes = tar("t/", &files(), 9)?;
        let mut archive = tar::Archive::new(&*bytes);
        let mut seen = Vec::new();
        for entry in archive.entries()? {
            let entry = entry?;
            let header = entry.header();
            assert_eq!((header.mtime()?, header.uid()?, header.gid()?), (9, 0, 0));
            let path = entry.path()?.display().to_string();
            seen.push((path, header.mode()?));
        }
        let expected = [
            ("t/", 0o755),
            ("t/bin/", 0o755),
            ("t/bin/tessera", 0o755),
            ("t/share/", 0o755),
            ("t/share/doc/", 0o755),
            ("t/share/doc/tessera/", 0o755),
            ("t/share/doc/tessera/README.md", 0o644),
        ];
        assert_eq!(seen, expected.map(|(path, mode)| (path.to_owned(), mode)));
        Ok(())
    }

    #[test]
    fn a_deb_has_its_three_parts_in_order() -> Result<()> {
        let bytes = deb(&files(), &files(), 9)?;
        let mut archive = ar::Archive::new(&*bytes);
        let mut names = Vec::new();
        while let Some(member) = archive.next_entry() {
            names.push(String::from_utf8_lossy(member?.header().identifier()).into_owned());
        }
        assert_eq!(names, ["debian-binary", "control.tar.gz", "data.tar.gz"]);
        Ok(())
    }
}
