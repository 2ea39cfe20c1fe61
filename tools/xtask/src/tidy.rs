//! Checks what the compiler cannot: who may depend on whom, and the form of the sources.
//!
//! The rules are those of `docs/architecture.md`. Each is a pure function over what was read, so
//! that the tests can show that a broken rule is found.

mod graph;
mod source;

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use graph::Graph;

/// Reads the workspace and fails with every rule that is broken.
pub fn tidy(root: &Path) -> Result<()> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .context("cannot read the workspace's metadata")?;
    let mut problems = graph::problems(&Graph::from_metadata(&metadata)?);
    let lock =
        std::fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    problems.extend(graph::lock_problems(&lock));
    for file in source::files(root)? {
        let text = std::fs::read_to_string(root.join(&file))
            .with_context(|| format!("cannot read {}", file.display()))?;
        problems.extend(source::problems(&file, &text));
    }
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort();
    bail!("{} rules are broken:\n  {}", problems.len(), problems.join("\n  "))
}
