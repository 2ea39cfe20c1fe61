//! Which extensions a file declares and uses, and which of them we read.

use std::collections::BTreeMap;

use super::error::ImportError;
use super::json::{Extensions, Known, Material, Root};
use super::report::{ImportWarning, Warnings};

/// Extensions that are read in full.
const SUPPORTED: [&str; 24] = [
    "KHR_animation_pointer",
    "KHR_draco_mesh_compression",
    "KHR_lights_punctual",
    "KHR_materials_anisotropy",
    "KHR_materials_clearcoat",
    "KHR_materials_diffuse_transmission",
    "KHR_materials_dispersion",
    "KHR_materials_emissive_strength",
    "KHR_materials_ior",
    "KHR_materials_iridescence",
    "KHR_materials_pbrSpecularGlossiness",
    "KHR_materials_sheen",
    "KHR_materials_specular",
    "KHR_materials_transmission",
    "KHR_materials_unlit",
    "KHR_materials_variants",
    "KHR_materials_volume",
    "KHR_mesh_quantization",
    "KHR_meshopt_compression",
    "KHR_texture_basisu",
    "KHR_texture_transform",
    "EXT_mesh_gpu_instancing",
    "EXT_meshopt_compression",
    "EXT_texture_webp",
];

/// Refuses what the file requires and we lack; warns of what it uses and we lack.
pub fn check(root: &Root, warnings: &mut Warnings) -> Result<(), ImportError> {
    let unknown = |name: &&String| !SUPPORTED.contains(&name.as_str());
    let short = |name: &String| name.chars().take(80).collect::<String>();
    let required: Vec<String> =
        root.extensions_required.iter().filter(unknown).take(20).map(short).collect();
    if !required.is_empty() {
        return Err(ImportError::RequiredExtensions { names: required });
    }
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for name in root.extensions_used.iter() {
        uses.entry(name).or_default();
    }
    for name in objects(root).flat_map(Extensions::names) {
        *uses.entry(name).or_default() += 1;
    }
    for (name, uses) in uses {
        if !SUPPORTED.contains(&name) {
            let name = name.chars().take(80).collect();
            warnings.push(ImportWarning::Extension { name, uses });
        }
    }
    Ok(())
}

/// The extensions of every object that can have some.
fn objects(root: &Root) -> impl Iterator<Item = &Extensions> {
    let channels = root.animations.iter().flat_map(|animation| animation.channels.iter());
    let primitives = root.meshes.iter().flat_map(|mesh| mesh.primitives.iter());
    std::iter::once(&root.extensions)
        .chain(root.animations.iter().map(|animation| &animation.extensions))
        .chain(channels.map(|channel| &channel.target.extensions))
        .chain(root.buffers.iter().map(|buffer| &buffer.extensions))
        .chain(root.buffer_views.iter().map(|view| &view.extensions))
        .chain(root.materials.iter().flat_map(material))
        .chain(root.meshes.iter().map(|mesh| &mesh.extensions))
        .chain(primitives.map(|primitive| &primitive.extensions))
        .chain(root.nodes.iter().map(|node| &node.extensions))
        .chain(root.scenes.iter().map(|scene| &scene.extensions))
        .chain(root.textures.iter().map(|texture| &texture.extensions))
}

fn material(material: &Material) -> impl Iterator<Item = &Extensions> {
    let pbr = &material.pbr_metallic_roughness;
    let textures = [
        &pbr.base_color_texture,
        &pbr.metallic_roughness_texture,
        &material.normal_texture,
        &material.occlusion_texture,
        &material.emissive_texture,
    ];
    let layers = material.extensions.known().into_iter().flat_map(Known::textures);
    let textures = textures.into_iter().flatten().chain(layers).map(|texture| &texture.extensions);
    std::iter::once(&material.extensions).chain(textures)
}
