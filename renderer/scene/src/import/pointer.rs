//! `KHR_animation_pointer`: which place of the file a JSON pointer names (the Asset Object Model's
//! table of pointers).

use crate::animation::Property;
use crate::variation::{Factor, LightFactor, TextureSlot};

/// What a pointer names. Indices are the file's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Node(u32, Property),
    Material(u32, Factor),
    Light(u32, LightFactor),
    /// A camera's field of view or half height, by whether it is in perspective.
    Camera(u32, bool),
    /// What a path tracer does not have: clipping planes, a camera's aspect.
    Nothing,
}

const FACTORS: [(&str, Factor); 27] = [
    ("pbrMetallicRoughness/baseColorFactor", Factor::BaseColor),
    ("pbrMetallicRoughness/metallicFactor", Factor::Metallic),
    ("pbrMetallicRoughness/roughnessFactor", Factor::Roughness),
    ("normalTexture/scale", Factor::NormalScale),
    ("alphaCutoff", Factor::AlphaCutoff),
    ("emissiveFactor", Factor::Emissive),
    ("KHR_materials_emissive_strength/emissiveStrength", Factor::EmissiveStrength),
    ("KHR_materials_ior/ior", Factor::Ior),
    ("KHR_materials_specular/specularFactor", Factor::Specular),
    ("KHR_materials_specular/specularColorFactor", Factor::SpecularColor),
    ("KHR_materials_transmission/transmissionFactor", Factor::Transmission),
    ("KHR_materials_volume/attenuationColor", Factor::AttenuationColor),
    ("KHR_materials_volume/attenuationDistance", Factor::AttenuationDistance),
    ("KHR_materials_clearcoat/clearcoatFactor", Factor::Coat),
    ("KHR_materials_clearcoat/clearcoatRoughnessFactor", Factor::CoatRoughness),
    ("KHR_materials_clearcoat/clearcoatNormalTexture/scale", Factor::CoatNormalScale),
    ("KHR_materials_sheen/sheenColorFactor", Factor::SheenColor),
    ("KHR_materials_sheen/sheenRoughnessFactor", Factor::SheenRoughness),
    ("KHR_materials_anisotropy/anisotropyStrength", Factor::Anisotropy),
    ("KHR_materials_anisotropy/anisotropyRotation", Factor::AnisotropyRotation),
    ("KHR_materials_iridescence/iridescenceFactor", Factor::Iridescence),
    ("KHR_materials_iridescence/iridescenceIor", Factor::IridescenceIor),
    ("KHR_materials_iridescence/iridescenceThicknessMinimum", Factor::IridescenceThicknessMinimum),
    ("KHR_materials_iridescence/iridescenceThicknessMaximum", Factor::IridescenceThicknessMaximum),
    ("KHR_materials_dispersion/dispersion", Factor::Dispersion),
    ("KHR_materials_diffuse_transmission/diffuseTransmissionFactor", Factor::Translucency),
    ("KHR_materials_diffuse_transmission/diffuseTransmissionColorFactor", Factor::TranslucentColor),
];

const TEXTURES: [(&str, TextureSlot); 17] = [
    ("pbrMetallicRoughness/baseColorTexture", TextureSlot::BaseColor),
    ("pbrMetallicRoughness/metallicRoughnessTexture", TextureSlot::MetallicRoughness),
    ("normalTexture", TextureSlot::Normal),
    ("emissiveTexture", TextureSlot::Emissive),
    ("KHR_materials_specular/specularTexture", TextureSlot::Specular),
    ("KHR_materials_specular/specularColorTexture", TextureSlot::SpecularColor),
    ("KHR_materials_transmission/transmissionTexture", TextureSlot::Transmission),
    ("KHR_materials_clearcoat/clearcoatTexture", TextureSlot::Coat),
    ("KHR_materials_clearcoat/clearcoatRoughnessTexture", TextureSlot::CoatRoughness),
    ("KHR_materials_clearcoat/clearcoatNormalTexture", TextureSlot::CoatNormal),
    ("KHR_materials_sheen/sheenColorTexture", TextureSlot::SheenColor),
    ("KHR_materials_sheen/sheenRoughnessTexture", TextureSlot::SheenRoughness),
    ("KHR_materials_anisotropy/anisotropyTexture", TextureSlot::Anisotropy),
    ("KHR_materials_diffuse_transmission/diffuseTransmissionTexture", TextureSlot::Translucency),
    (
        "KHR_materials_diffuse_transmission/diffuseTransmissionColorTexture",
        TextureSlot::TranslucentColor,
    ),
    ("KHR_materials_iridescence/iridescenceTexture", TextureSlot::Iridescence),
    ("KHR_materials_iridescence/iridescenceThicknessTexture", TextureSlot::IridescenceThickness),
];

/// The place that a pointer names; none for one that nothing here can change.
pub fn resolve(pointer: &str) -> Option<Place> {
    let (list, rest) = pointer.strip_prefix('/')?.split_once('/')?;
    match list {
        "nodes" => {
            let (index, name) = entry(rest)?;
            Some(Place::Node(index, property(name)?))
        }
        "materials" => {
            let (index, name) = entry(rest)?;
            Some(Place::Material(index, factor(name)?))
        }
        "cameras" => {
            let (index, name) = entry(rest)?;
            match name {
                "perspective/yfov" => Some(Place::Camera(index, true)),
                "orthographic/ymag" => Some(Place::Camera(index, false)),
                "perspective/znear"
                | "perspective/zfar"
                | "perspective/aspectRatio"
                | "orthographic/znear"
                | "orthographic/zfar"
                | "orthographic/xmag" => Some(Place::Nothing),
                _ => None,
            }
        }
        "extensions" => {
            let (index, name) = entry(rest.strip_prefix("KHR_lights_punctual/lights/")?)?;
            let factor = match name {
                "color" => LightFactor::Intensity,
                "intensity" => LightFactor::Strength,
                "range" => LightFactor::Range,
                "spot/innerConeAngle" => LightFactor::InnerCone,
                "spot/outerConeAngle" => LightFactor::OuterCone,
                _ => return None,
            };
            Some(Place::Light(index, factor))
        }
        _ => None,
    }
}

/// `index/rest`.
fn entry(text: &str) -> Option<(u32, &str)> {
    let (index, rest) = text.split_once('/')?;
    // Numbers as JSON pointers write them: no sign, no leading zero.
    let plain = index.bytes().all(|byte| byte.is_ascii_digit())
        && (index.len() == 1 || !index.starts_with('0'));
    Some((index.parse().ok().filter(|_index| plain)?, rest))
}

/// What of a node a name is, as channels without a pointer give it too.
pub fn property(name: &str) -> Option<Property> {
    match name {
        "translation" => Some(Property::Translation),
        "rotation" => Some(Property::Rotation),
        "scale" => Some(Property::Scale),
        "weights" => Some(Property::Weights),
        _ => None,
    }
}

fn factor(name: &str) -> Option<Factor> {
    let name = name.strip_prefix("extensions/").unwrap_or(name);
    if let Some((texture, part)) = name.rsplit_once("/extensions/KHR_texture_transform/") {
        let &(_, slot) = TEXTURES.iter().find(|(known, _)| *known == texture)?;
        return match part {
            "offset" => Some(Factor::TextureOffset(slot)),
            "rotation" => Some(Factor::TextureRotation(slot)),
            "scale" => Some(Factor::TextureScale(slot)),
            _ => None,
        };
    }
    FACTORS.iter().find(|(known, _)| *known == name).map(|&(_, factor)| factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pointer: &str, expected: Option<Place>) {
        assert_eq!(resolve(pointer), expected, "{pointer}");
    }

    #[test]
    fn pointers_name_places() {
        check("/nodes/12/rotation", Some(Place::Node(12, Property::Rotation)));
        check("/nodes/0/weights", Some(Place::Node(0, Property::Weights)));
        let color = "/materials/3/pbrMetallicRoughness/baseColorFactor";
        check(color, Some(Place::Material(3, Factor::BaseColor)));
        let coat = "/materials/0/extensions/KHR_materials_clearcoat";
        check(&format!("{coat}/clearcoatFactor"), Some(Place::Material(0, Factor::Coat)));
        let normal = Factor::CoatNormalScale;
        check(&format!("{coat}/clearcoatNormalTexture/scale"), Some(Place::Material(0, normal)));
        let moved = format!("{coat}/clearcoatTexture/extensions/KHR_texture_transform/offset");
        check(&moved, Some(Place::Material(0, Factor::TextureOffset(TextureSlot::Coat))));
        let turned = "/materials/0/normalTexture/extensions/KHR_texture_transform/rotation";
        check(turned, Some(Place::Material(0, Factor::TextureRotation(TextureSlot::Normal))));
        check("/cameras/1/perspective/yfov", Some(Place::Camera(1, true)));
        check("/cameras/1/orthographic/ymag", Some(Place::Camera(1, false)));
        check("/cameras/1/perspective/znear", Some(Place::Nothing));
        let lamp = "/extensions/KHR_lights_punctual/lights/7/intensity";
        check(lamp, Some(Place::Light(7, LightFactor::Strength)));
    }

    #[test]
    fn what_is_no_place_is_none() {
        for pointer in [
            "",
            "/",
            "nodes/0/scale",
            "/nodes/0",
            "/nodes/-1/scale",
            "/nodes/+1/scale",
            "/nodes/01/scale",
            "/nodes/99999999999/scale",
            "/nodes//scale",
            "/nodes/0/scale/0",
            "/nodes/0/weights/1",
            "/meshes/0/weights",
            "/materials/0/occlusionTexture/strength",
            "/materials/0/extensions/KHR_materials_volume/thicknessFactor",
            "/materials/0/normalTexture/extensions/KHR_texture_transform/texCoord",
            "/extensions/KHR_lights_punctual/lights/0/name",
            "/nodes/0/extensions/KHR_node_visibility/visible",
        ] {
            check(pointer, None);
        }
    }
}
