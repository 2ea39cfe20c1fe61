//! The extensions of an object: those we read, by name, and the names of all.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::{
    Anisotropy, Clearcoat, DiffuseTransmission, Dispersion, Draco, EmissiveStrength, Instancing,
    Ior, Iridescence, Lights, Meshopt, OtherSource, Pointer, Sheen, Specular, SpecularGlossiness,
    TextureTransform, Transmission, Variants, Volume,
};

/// The extensions of one object: those we read, and the names of all.
#[derive(Default)]
pub struct Extensions(Option<Box<Known>>);

#[derive(Default)]
pub struct Known {
    pub names: Vec<String>,
    pub lights: Option<Lights>,
    pub emissive_strength: Option<EmissiveStrength>,
    pub texture_transform: Option<TextureTransform>,
    pub webp: Option<OtherSource>,
    pub basisu: Option<OtherSource>,
    pub meshopt: Option<Meshopt>,
    pub pointer: Option<Pointer>,
    pub draco: Option<Draco>,
    pub instancing: Option<Instancing>,
    pub ior: Option<Ior>,
    pub specular: Option<Specular>,
    pub transmission: Option<Transmission>,
    pub volume: Option<Volume>,
    pub clearcoat: Option<Clearcoat>,
    pub sheen: Option<Sheen>,
    pub anisotropy: Option<Anisotropy>,
    pub iridescence: Option<Iridescence>,
    pub dispersion: Option<Dispersion>,
    pub diffuse_transmission: Option<DiffuseTransmission>,
    pub specular_glossiness: Option<SpecularGlossiness>,
    pub unlit: Option<IgnoredAny>,
    pub variants: Option<Variants>,
}

impl Extensions {
    pub fn known(&self) -> Option<&Known> {
        self.0.as_deref()
    }

    pub fn names(&self) -> &[String] {
        self.known().map_or(&[], |known| &known.names)
    }
}

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Objects;
        impl<'de> Visitor<'de> for Objects {
            type Value = Extensions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of extensions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Extensions, A::Error> {
                let mut known = Known::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "KHR_lights_punctual" => known.lights = Some(map.next_value()?),
                        "KHR_materials_emissive_strength" => {
                            known.emissive_strength = Some(map.next_value()?);
                        }
                        "KHR_animation_pointer" => known.pointer = Some(map.next_value()?),
                        "KHR_draco_mesh_compression" => known.draco = Some(map.next_value()?),
                        "KHR_texture_transform" => {
                            known.texture_transform = Some(map.next_value()?);
                        }
                        "KHR_materials_ior" => known.ior = Some(map.next_value()?),
                        "KHR_materials_specular" => known.specular = Some(map.next_value()?),
                        "KHR_materials_transmission" => {
                            known.transmission = Some(map.next_value()?);
                        }
                        "KHR_materials_volume" => known.volume = Some(map.next_value()?),
                        "KHR_materials_clearcoat" => known.clearcoat = Some(map.next_value()?),
                        "KHR_materials_sheen" => known.sheen = Some(map.next_value()?),
                        "KHR_materials_anisotropy" => known.anisotropy = Some(map.next_value()?),
                        "KHR_materials_iridescence" => known.iridescence = Some(map.next_value()?),
                        "KHR_materials_dispersion" => known.dispersion = Some(map.next_value()?),
                        "KHR_materials_diffuse_transmission" => {
                            known.diffuse_transmission = Some(map.next_value()?);
                        }
                        "KHR_materials_pbrSpecularGlossiness" => {
                            known.specular_glossiness = Some(map.next_value()?);
                        }
                        "KHR_materials_unlit" => known.unlit = Some(map.next_value()?),
                        "KHR_materials_variants" => known.variants = Some(map.next_value()?),
                        "EXT_mesh_gpu_instancing" => known.instancing = Some(map.next_value()?),
                        "KHR_texture_basisu" => known.basisu = Some(map.next_value()?),
                        "EXT_texture_webp" => known.webp = Some(map.next_value()?),
                        "EXT_meshopt_compression" | "KHR_meshopt_compression" => {
                            known.meshopt = Some(map.next_value()?);
                        }
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                    if known.names.len() >= 64 {
                        return Err(A::Error::custom("an object has more than 64 extensions"));
                    }
                    known.names.push(name);
                }
                Ok(Extensions((!known.names.is_empty()).then(|| Box::new(known))))
            }
        }
        deserializer.deserialize_map(Objects)
    }
}
