//! Running the binary in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder to run in, which is also the person's home.
pub struct Place {
    folder: TempDir,
}

/// What a run said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that knows no farm and no person but those of this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TESSERA_HOME", self.folder.path())
            .env_remove("TESSERA_FARM")
            .env_remove("TESSERA_KEY")
            .env_remove("TESSERA_LOG")
            .env_remove("TESSERA_LOG_FORMAT")
            .env_remove("TESSERA_FFMPEG")
            .env_remove("NO_COLOR");
        command
    }

    /// Runs to the end; whatever was asked, nothing may panic.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().expect("the binary runs");
        let said = Said::from(output);
        assert!(!said.err.contains("panicked"), "{arguments:?}: {}", said.err);
        said
    }

    /// Runs and expects an exit code and words on standard error.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str], arguments: &[&str]) {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.err);
        for word in words {
            assert!(said.err.contains(word), "{arguments:?} lacks {word:?}: {}", said.err);
        }
        assert_eq!(said.out, "", "{arguments:?}: errors are no data");
    }

    /// Runs and expects success; returns standard output.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.err);
        said.out
    }

    /// A lit square before a camera named `front`, as glTF with its buffer beside it.
    pub fn scene(&self) -> String {
        self.scene_with(|_| ())
    }

    /// The same with its document changed.
    pub fn scene_with(&self, change: impl FnOnce(&mut Value)) -> String {
        write_scene(self.folder.path(), change);
        "square.gltf".to_owned()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn write_scene(folder: &Path, change: impl FnOnce(&mut Value)) {
    let corners: [[f32; 3]; 4] =
        [[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]];
    let indices: [u16; 6] = [0, 1, 2, 0, 2, 3];
    let mut buffer: Vec<u8> = corners.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    buffer.extend(indices.iter().flat_map(|index| index.to_le_bytes()));
    let mut document = json!({
        "asset": { "version": "2.0" },
        "scene": 0,
        "scenes": [{ "nodes": [0, 1] }],
        "nodes": [
            { "name": "square", "mesh": 0 },
            { "name": "front", "camera": 0, "translation": [0.0, 0.0, 4.0] },
        ],
        "cameras": [{
            "name": "front",
            "type": "perspective",
            "perspective": { "yfov": 0.7, "znear": 0.1 },
        }],
        "meshes": [{ "primitives": [{ "attributes": { "POSITION": 0 }, "indices": 1 }] }],
        "accessors": [
            {
                "bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3",
                "min": [-1.0, -1.0, 0.0], "max": [1.0, 1.0, 0.0],
            },
            { "bufferView": 1, "componentType": 5123, "count": 6, "type": "SCALAR" },
        ],
        "bufferViews": [
            { "buffer": 0, "byteLength": 48 },
            { "buffer": 0, "byteOffset": 48, "byteLength": 12 },
        ],
        "buffers": [{ "uri": "square.bin", "byteLength": buffer.len() }],
    });
    change(&mut document);
    fs::write(folder.join("square.bin"), buffer).expect("written");
    fs::write(folder.join("square.gltf"), document.to_string()).expect("written");
}
