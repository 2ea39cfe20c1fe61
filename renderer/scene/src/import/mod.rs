//! Import of glTF 2.0 (ISO/IEC 12113:2022): a file becomes a validated [`Scene`] and a report.
//!
//! What is not supported is named in the report, or, where the file requires it, refused by
//! name. Sizes are checked before memory is taken, and all that an import decodes comes out of
//! one budget. Clipping planes and aspect ratios of cameras do not exist for a path tracer and
//! a picture with its own size; of application data (`extras`) only ours is read (`docs/extras.md`).

mod accessor;
mod animation;
mod buffers;
mod container;
mod draco;
mod error;
mod extension;
mod extras;
mod foreign;
mod json;
mod ktx;
mod lamps;
mod layers;
mod material;
mod meshopt;
mod normals;
mod picture;
mod pointer;
mod primitive;
mod report;
mod skin;
mod tree;
mod uri;
mod variant;
mod variation;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use accessor::{Budget, Data};
pub use draco::DracoProblem;
pub use error::{AccessorProblem, ImageProblem, ImportError, PrimitiveProblem, UriProblem};
pub use extras::Wishes;
pub use lamps::LampUnits;
pub use meshopt::MeshoptProblem;
use report::Warnings;
pub use report::{ImportReport, ImportWarning};
pub use uri::{Folder, NoFiles, Resolver};

use crate::limits::{NAME_BYTES_MAX, SCENE_BYTES_MAX};
use crate::model::{Image, Scene};

/// How to import.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// A Radiance HDR file (`.hdr`), equirectangular, that surrounds the scene.
    pub environment: Option<PathBuf>,
    /// Factor of the environment's radiance.
    pub environment_strength: f32,
    /// Turn of the environment about y, degrees, counter-clockwise seen from above.
    pub environment_rotation_degrees: f32,
    /// Name of the animation that is played; without it, the file's first.
    pub animation: Option<String>,
    /// Name of the material variant that is shown (`KHR_materials_variants`); without it, the
    /// materials that the file has for readers who know no variants.
    pub variant: Option<String>,
    /// What the numbers of the file's lamps mean.
    pub lamps: LampUnits,
    /// What becomes of textures whose files are not there.
    pub missing_textures: MissingTextures,
    /// Bytes that vertices and pixels may take once decoded.
    pub decoded_bytes_max: u64,
}

/// What becomes of textures whose files are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingTextures {
    /// The file is refused, with the texture's name.
    #[default]
    Refuse,
    /// They become magenta, and a warning.
    Magenta,
}

impl Default for ImportOptions {
    /// No environment; the first animation; no variant; lamps as they are; as much memory as the largest package has.
    fn default() -> Self {
        Self {
            environment: None,
            environment_strength: 1.0,
            environment_rotation_degrees: 0.0,
            animation: None,
            variant: None,
            lamps: LampUnits::default(),
            missing_textures: MissingTextures::default(),
            decoded_bytes_max: SCENE_BYTES_MAX,
        }
    }
}

/// An imported scene and what there is to say about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The scene, validated.
    pub scene: Scene,
    /// What was imported, and what was not.
    pub report: ImportReport,
    /// What the file asks of the picture; it is no part of the scene, whose id stays the same
    /// when only this changes.
    pub wishes: Wishes,
}

/// Imports a `.glb` or `.gltf` file with the files beside it.
///
/// Files outside the scene's folder are never read, whatever the scene says; the environment is
/// the caller's word and may lie anywhere.
///
/// # Errors
/// See [`ImportError`]. What is merely not supported is a warning in the report.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported, ImportError> {
    let bytes = read(path)?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut imported = import_with(&bytes, &mut Folder::new(folder), options)?;
    if let Some(stem) = path.file_stem() {
        imported.scene.name = cut(&stem.to_string_lossy());
    }
    if let Some(path) = &options.environment {
        let left = options.decoded_bytes_max.saturating_sub(imported.report.bytes);
        let image = read_environment(path, left)?;
        let rotation = options.environment_rotation_degrees.to_radians();
        imported.scene.set_environment(image, options.environment_strength, rotation)?;
        imported.report.bytes = imported.scene.decoded_bytes();
    }
    Ok(imported)
}

/// Reads an equirectangular environment in Radiance HDR (`.hdr`), for [`Scene::set_environment`].
/// It is named after its file.
///
/// Decodes at most `decoded_bytes_max` bytes of pixels: [`SCENE_BYTES_MAX`] less what the scene has
/// ([`Scene::decoded_bytes`]) is what fits beside it.
///
/// # Errors
/// [`ImportError::Read`], [`ImportError::Environment`].
pub fn read_environment(path: &Path, decoded_bytes_max: u64) -> Result<Image, ImportError> {
    let decoded = picture::decode_environment(&read(path)?, &mut Budget::new(decoded_bytes_max))
        .map_err(|problem| ImportError::Environment { path: path.to_owned(), problem })?;
    let name = path.file_stem().map(|stem| cut(&stem.to_string_lossy())).unwrap_or_default();
    let picture::Decoded { width, height, pixels, .. } = decoded;
    Ok(Image { name, width, height, pixels })
}

fn read(path: &Path) -> Result<Vec<u8>, ImportError> {
    uri::read_file(path, SCENE_BYTES_MAX)
        .map_err(|source| ImportError::Read { path: path.to_owned(), source })
}

/// Imports the bytes of a `.glb` or `.gltf`; `resolver` gives the files that they name.
///
/// Plays the first animation and shows no variant. Touches no file system by itself, and decodes
/// at most `decoded_bytes_max` bytes of vertices and pixels.
///
/// # Errors
/// See [`ImportError`].
pub fn import_slice(
    bytes: &[u8],
    resolver: &mut dyn Resolver,
    decoded_bytes_max: u64,
) -> Result<Imported, ImportError> {
    import_with(bytes, resolver, &ImportOptions { decoded_bytes_max, ..ImportOptions::default() })
}

/// All that the options ask for but the environment.
fn import_with(
    bytes: &[u8],
    resolver: &mut dyn Resolver,
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    let mut warnings = Warnings::default();
    let parts = container::split(bytes, &mut warnings)?;
    let root: json::Root = serde_json::from_slice(parts.json).map_err(ImportError::Json)?;
    check_version(&root.asset)?;
    extension::check(&root, &mut warnings)?;
    let mut budget = Budget::new(options.decoded_bytes_max);
    let data = buffers::read(&root, parts.blob, resolver, &mut budget)?;
    // Buffers are gone when the import is done: what the scene may take is a budget of its own.
    let budget = Budget::new(options.decoded_bytes_max);
    let mut importer = Importer {
        data,
        resolver,
        budget,
        warnings,
        scene: Scene::default(),
        taken: material::Taken::default(),
        shown: vec![None; root.nodes.len()],
        meshes: BTreeMap::new(),
        cameras: BTreeMap::new(),
        lights: BTreeMap::new(),
        variant: None,
        lamps: options.lamps,
        missing_textures: options.missing_textures,
        has_environment: options.environment.is_some(),
        wishes: Wishes::default(),
    };
    let variants = importer.choose_variant(options.variant.as_deref())?;
    importer.read_tree()?;
    importer.read_skins()?;
    importer.read_animation(options.animation.as_deref())?;
    let Importer { scene, warnings, wishes, .. } = importer;
    scene.validate()?;
    let report = ImportReport {
        warnings: warnings.into_vec(),
        nodes: scene.nodes.len(),
        triangles: scene.triangle_count(),
        textures: scene.textures.len(),
        bytes: scene.decoded_bytes(),
        variants,
    };
    Ok(Imported { scene, report, wishes })
}

/// An import under way.
struct Importer<'a> {
    data: Data<'a>,
    resolver: &'a mut dyn Resolver,
    budget: Budget,
    warnings: Warnings,
    scene: Scene,
    taken: material::Taken,
    /// Index in the scene of each of the file's nodes that the scene shows.
    shown: Vec<Option<u32>>,
    meshes: BTreeMap<u32, u32>,
    cameras: BTreeMap<u32, u32>,
    lights: BTreeMap<u32, u32>,
    /// Index of the file's material variant that is shown.
    variant: Option<u32>,
    /// What the numbers of lamps mean.
    lamps: LampUnits,
    missing_textures: MissingTextures,
    /// Whether the caller brings an environment, which stands in for the file's.
    has_environment: bool,
    wishes: Wishes,
}

impl Importer<'_> {
    /// Takes bytes from the budget.
    fn take(&mut self, needed: u64, what: &'static str) -> Result<(), ImportError> {
        let max = self.budget.max;
        self.budget.take(needed).map_err(|_left| ImportError::TooLarge { what, needed, max })
    }
}

fn check_version(asset: &json::Asset) -> Result<(), ImportError> {
    let two = |version: &str| version == "2" || version.starts_with("2.");
    let minimum = asset.min_version.as_deref().unwrap_or("2.0");
    if !two(&asset.version) {
        let version = asset.version.chars().take(20).collect();
        return Err(ImportError::AssetVersion { version });
    }
    if minimum != "2.0" {
        let version = minimum.chars().take(20).collect();
        return Err(ImportError::AssetVersion { version });
    }
    Ok(())
}

/// Adds to a list and gives the index.
fn push<T>(list: &mut Vec<T>, value: T) -> u32 {
    list.push(value);
    u32::try_from(list.len() - 1).expect("invariant: lists are bounded by LIST_MAX")
}

/// An entry of one of the file's lists.
fn at<'a, T>(
    (owner, owner_index): (&'static str, usize),
    what: &'static str,
    index: u32,
    list: &'a [T],
) -> Result<&'a T, ImportError> {
    let count = list.len();
    list.get(index as usize).ok_or(ImportError::Index { owner, owner_index, what, index, count })
}

fn word(owner: &'static str, index: u32, what: &'static str, value: &str) -> ImportError {
    let value = value.chars().take(80).collect();
    ImportError::Word { owner, owner_index: index as usize, what, value }
}

fn uri_error(owner: &'static str, index: u32, text: &str, problem: UriProblem) -> ImportError {
    let uri = text.chars().take(80).collect();
    ImportError::Uri { owner, owner_index: index as usize, problem, uri }
}

/// The given name, or what it is and its index.
fn name(text: Option<&str>, what: &str, index: u32) -> String {
    match text {
        Some(text) if !text.is_empty() => cut(text),
        _ => format!("{what} {index}"),
    }
}

/// At most [`NAME_BYTES_MAX`] bytes of a name, cut between characters.
fn cut(text: &str) -> String {
    let end = (0..=NAME_BYTES_MAX.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text[..end.unwrap_or(0)].to_owned()
}
