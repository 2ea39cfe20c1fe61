//! From files to a scene.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, MAIN_SEPARATOR, Path};

use client::{SceneAsks, SceneImport};
use protocol::SceneId;
use scene::Package;
use serde::{Deserialize, Serialize};

use crate::files::{FileHash, Files, HashError};
use crate::views::{Animation, NewScene, now_ms};
use protocol::chain;

/// Files of one scene, at most.
const FILES_MAX: usize = 100_000;
/// Frames a second that an animation's frames are counted by.
const FPS: f32 = 24.0;

/// What is kept of a scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) root: String,
    pub(super) created_ms: u64,
    pub(super) size_bytes: u64,
    pub(super) warnings: Vec<String>,
    pub(super) cameras: Vec<String>,
    pub(super) asks: SceneAsks,
    pub(super) animation: Option<Animation>,
    pub(super) files: BTreeMap<String, String>,
    pub(super) import: SceneImport,
    /// Teams that made it; none among them is whoever has no team.
    #[serde(default)]
    pub(super) teams: BTreeSet<Option<String>>,
}

/// Why a scene was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// No path in a folder of its own.
    #[error(
        "{0:?} is no path of a scene's file; write it relative, with forward slashes, without `..`"
    )]
    Path(String),
    /// The root is none of the files.
    #[error("the root {0:?} is none of the files; name its path as it stands among them")]
    Root(String),
    /// The environment is none of the files.
    #[error("the environment {0:?} is none of the files; name its path as it stands among them")]
    Environment(String),
    /// Too many.
    #[error("a scene of {0} files has too many; at most {FILES_MAX}")]
    TooMany(usize),
    /// No hash.
    #[error("the hash of {path:?} cannot be: {source}")]
    Hash {
        /// Of which file.
        path: String,
        /// Why.
        source: HashError,
    },
    /// Files that are not here.
    #[error("{} of the scene's files are not here; send them first", .0.len())]
    Missing(Vec<String>),
    /// The importer's reason, with paths as they were sent.
    #[error("the scene was not imported: {0}")]
    Import(String),
    /// The disk.
    #[error("the scene's files cannot be laid out")]
    Disk(#[from] io::Error),
}

impl Record {
    /// Whether whoever is of this team, or of none, may see it.
    pub(super) fn is_of(&self, team: Option<&str>) -> bool {
        team.is_none_or(|team| self.teams.contains(&Some(team.to_owned())))
    }
}

/// Reads a scene of its files.
pub(super) fn import(
    files: &Files,
    new: NewScene,
) -> Result<(SceneId, Record, Package), MakeError> {
    let laid_out = lay_out(files, &new)?;
    let folder = laid_out.path();
    let imported = new.import.read(&folder.join(&new.root), folder);
    let imported = imported.map_err(|error| MakeError::Import(as_sent(&chain(&error), folder)))?;
    let package = scene::pack(&imported.scene);
    let channels = imported.scene.channels.iter();
    let ends = channels.filter_map(|channel| channel.keys().times.last().copied());
    let animation_s = ends.fold(0.0, f32::max);
    let last_frame = (animation_s * FPS).floor() as u32;
    let animation =
        (animation_s > 0.0).then_some(Animation { first_frame: 0, last_frame, fps: FPS });
    let record = Record {
        root: new.root,
        created_ms: now_ms(),
        size_bytes: package.size_bytes(),
        warnings: imported
            .report
            .warnings
            .iter()
            .map(|warning| as_sent(&warning.to_string(), folder))
            .collect(),
        cameras: client::description::camera_names(&imported),
        asks: SceneAsks::of(&imported),
        animation,
        files: new.files,
        import: new.import,
        teams: BTreeSet::new(),
    };
    Ok((package.id(), record, package))
}

/// Words without the folder that a scene's files were laid out in, which is nobody's concern.
fn as_sent(words: &str, folder: &Path) -> String {
    // The longer first.
    let folders = folder.canonicalize().into_iter().chain([folder.to_owned()]);
    folders.fold(words.to_owned(), |words, folder| {
        words.replace(&format!("{}{MAIN_SEPARATOR}", folder.display()), "")
    })
}

/// The files under their own names, in a folder that goes when this does.
fn lay_out(files: &Files, new: &NewScene) -> Result<tempfile::TempDir, MakeError> {
    if new.files.len() > FILES_MAX {
        return Err(MakeError::TooMany(new.files.len()));
    }
    if !new.files.contains_key(&new.root) {
        return Err(MakeError::Root(new.root.clone()));
    }
    // It would be read wherever it is.
    if let Some(around) = &new.import.environment
        && !new.files.contains_key(&around.file)
    {
        return Err(MakeError::Environment(around.file.clone()));
    }
    let (mut wanted, mut missing) = (Vec::new(), Vec::new());
    for (path, hash) in &new.files {
        let is_in_a_file = Path::new(path)
            .ancestors()
            .skip(1)
            .any(|folder| folder.to_str().is_some_and(|folder| new.files.contains_key(folder)));
        if !is_inside(path) || is_in_a_file {
            return Err(MakeError::Path(path.clone()));
        }
        let hash = hash.parse::<FileHash>();
        let hash = hash.map_err(|source| MakeError::Hash { path: path.clone(), source })?;
        match files.touch(hash) {
            true => wanted.push((path, hash)),
            false => missing.push(path.clone()),
        }
    }
    if !missing.is_empty() {
        return Err(MakeError::Missing(missing));
    }
    let folder = files.workplace()?;
    for (path, hash) in wanted {
        let to = folder.path().join(path);
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let from = files.path(hash);
        // Not every file system has links.
        std::fs::hard_link(&from, &to).or_else(|_other| std::fs::copy(&from, &to).map(drop))?;
    }
    Ok(folder)
}

/// Whether a path stays in its folder, on every system.
fn is_inside(path: &str) -> bool {
    let is_plain = |it: Component<'_>| matches!(it, Component::Normal(_));
    let has_odd = path.contains(['\\', ':', '\0'])
        || path.split('/').any(|name| name.is_empty() || name.len() > 255);
    !path.is_empty() && path.len() <= 1024 && !has_odd && Path::new(path).components().all(is_plain)
}

#[cfg(test)]
mod tests {
    use client::description::EnvironmentFile;

    use super::*;

    #[test]
    fn paths_stay_in_their_folder() {
        for good in ["shot.glb", "textures/wood.png", "a/b/c d.bin", "...", "ü.png"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in [
            "",
            &"n".repeat(256),
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a/",
            "./a",
            "C:/x",
            "a\\b",
            "a\0b",
        ] {
            assert!(!is_inside(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_told_of_a_file_has_its_path_as_it_was_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let sky = folder.path().join("skies").join("sky.hdr");
        let words = format!("the environment {} cannot be decoded", sky.display());
        let path = Path::new("skies").join("sky.hdr");
        let told = format!("the environment {} cannot be decoded", path.display());
        assert_eq!(as_sent(&words, folder.path()), told);
        let real = folder.path().canonicalize().expect("it is there").join("skies/sky.hdr");
        assert_eq!(as_sent(&real.display().to_string(), folder.path()), "skies/sky.hdr");
        assert_eq!(as_sent("the file is cut short", folder.path()), "the file is cut short");
    }

    #[test]
    fn what_is_missing_is_named_all_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::open(folder.path()).expect("opens");
        let new = |root: &str, paths: &[&str]| NewScene {
            root: root.to_owned(),
            files: paths.iter().map(|path| ((*path).to_owned(), "00".repeat(32))).collect(),
            import: SceneImport::default(),
        };
        let missing = lay_out(&files, &new("a.gltf", &["a.gltf", "b.bin"]));
        assert!(matches!(missing, Err(MakeError::Missing(paths)) if paths == ["a.gltf", "b.bin"]));
        let root = lay_out(&files, &new("c.gltf", &["a.gltf"]));
        assert!(matches!(root, Err(MakeError::Root(_))));
        let mut around = new("a.gltf", &["a.gltf"]);
        let file = "/etc/passwd".to_owned();
        let environment = EnvironmentFile { file, strength: 1.0, rotation_degrees: 0.0 };
        around.import.environment = Some(environment);
        assert!(matches!(lay_out(&files, &around), Err(MakeError::Environment(_))));
        let both = lay_out(&files, &new("a", &["a", "a/b"]));
        assert!(matches!(both, Err(MakeError::Path(path)) if path == "a/b"));
        let outside = lay_out(&files, &new("../a.gltf", &["../a.gltf"]));
        assert!(matches!(outside, Err(MakeError::Path(_))));
        let mut odd = new("a.gltf", &["a.gltf"]);
        odd.files.insert("a.gltf".to_owned(), "xyz".to_owned());
        assert!(matches!(lay_out(&files, &odd), Err(MakeError::Hash { .. })));
    }
}
