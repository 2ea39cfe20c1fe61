//! The program under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The `tessera` program of this workspace, built once for all tests.
///
/// A test binary cannot name the binary of another package, and one that an earlier build left
/// behind would be tested in silence: so cargo is asked, which does nothing when it is fresh.
///
/// # Panics
/// When it does not build.
pub fn tessera() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = Command::new(cargo);
        // Cargo describes this crate's build in the environment; build scripts of dependencies
        // would see a change in it, and half the tree would be built again.
        for (name, _value) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
            }) {
                command.env_remove(name);
            }
        }
        let build = command
            .args(["build", "--release", "--package", "tessera", "--message-format", "json"])
            .current_dir(root)
            .output()
            .expect("cargo starts");
        assert!(
            build.status.success(),
            "tessera does not build:\n{}",
            String::from_utf8_lossy(&build.stderr)
        );
        String::from_utf8_lossy(&build.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|message| message["target"]["name"] == "tessera")
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .expect("cargo names the program it built")
    })
}
