//! The licences of what our programs are made of, which ask to travel with them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};

/// How files with licences are called.
const NAMES: [&str; 5] = ["licen", "copying", "copyright", "notice", "unlicense"];

/// One text: which packages are in it, and what each of them asks to be told. Texts that several
/// share are told once.
pub fn text(root: &Path, target: &str) -> Result<String> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(vec!["--locked".into(), "--filter-platform".into(), target.into()])
        .exec()
        .context("cannot read the workspace's metadata")?;
    let mut list = String::from("What Tessera's programs are made of, besides itself.\n\n");
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in others(&metadata)? {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see its text below");
        let home = package.repository.as_deref().unwrap_or_default();
        writeln!(list, "{name}: {licence}  {home}")?;
        for text in texts_of(package)? {
            texts.entry(text).or_default().insert(name.clone());
        }
    }
    let mut texts: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(text, names)| (names.into_iter().collect(), text)).collect();
    texts.sort();
    for (names, text) in texts {
        write!(list, "\n{}\n{}\n\n{text}\n", "=".repeat(80), names.join(", "))?;
    }
    Ok(list)
}

/// Packages that our programs depend on, and those that these depend on: what is linked into them,
/// and macros, which run while they are built. What build scripts alone need is not among them.
fn others(metadata: &Metadata) -> Result<Vec<&Package>> {
    let resolve = metadata.resolve.as_ref().context("cargo metadata resolved nothing")?;
    let ours = metadata.workspace_packages();
    let programs = ours.iter().filter(|it| *it.name == "tessera" || *it.name == "desktop-client");
    let mut seen: BTreeSet<&PackageId> = programs.map(|package| &package.id).collect();
    let mut queue: VecDeque<&PackageId> = seen.iter().copied().collect();
    while let Some(id) = queue.pop_front() {
        for node in resolve.nodes.iter().filter(|node| node.id == *id) {
            let linked = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            for dependency in linked {
                if seen.insert(&dependency.pkg) {
                    queue.push_back(&dependency.pkg);
                }
            }
        }
    }
    let mut others: Vec<&Package> = seen.into_iter().map(|id| &metadata[id]).collect();
    others.retain(|package| package.source.is_some());
    others.sort_by_key(|package| (package.name.to_string(), package.version.clone()));
    Ok(others)
}

/// The licences that lie in a package.
fn texts_of(package: &Package) -> Result<Vec<String>> {
    let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
    let mut texts = Vec::new();
    for file in std::fs::read_dir(folder).with_context(|| format!("cannot read {folder}"))? {
        let file = file?;
        let name = file.file_name().to_string_lossy().to_lowercase();
        let is_licence = NAMES.iter().any(|known| name.starts_with(known));
        if is_licence && file.file_type()?.is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(file.path())?).into_owned();
            texts.push(text.replace("\r\n", "\n").trim_end().to_owned());
        }
    }
    Ok(texts)
}
