//! Channels that change factors: `KHR_animation_pointer` on materials, lights and cameras.

use super::animation::interpolation;
use super::error::ImportError;
use super::pointer::Place;
use super::{Importer, json};
use crate::model::{Camera, Light, Material, Projection};
use crate::variation::{Factor, LightFactor, Target, TextureSlot, Variation};

/// What keys are multiplied with, because the model keeps the product alone.
enum Other {
    Nothing,
    /// Keys of a colour and a strength that stands still.
    Strength(f32),
    /// Keys of a strength and a colour that stands still.
    Color([f32; 3]),
}

impl Importer<'_> {
    /// Reads a channel that changes a factor. `places` are those of all channels, `source.target`
    /// has been read as `place`.
    pub fn read_variation(
        &mut self,
        index: usize,
        source: &json::AnimationChannel,
        place: Place,
        places: &[Option<Place>],
        sampler: &json::AnimationSampler,
    ) -> Result<(), ImportError> {
        let found = match place {
            Place::Material(material, factor) => self.varied_material(index, material, factor),
            Place::Light(light, factor) => self.varied_light(index, light, factor),
            Place::Camera(camera, flat) => self.varied_camera(index, camera, flat),
            Place::Node(..) | Place::Nothing => return Ok(()),
        }?;
        let (target, components) = match found {
            Found::Unseen => return Ok(()),
            Found::Not(why) => {
                self.leave_out(source, None, why);
                return Ok(());
            }
            Found::Target(target, components) => (target, components),
        };
        let (target, other) = self.other(place, target, places);
        if self.scene.variations.iter().any(|variation| variation.target == target) {
            self.leave_out(source, None, "another channel changes it already");
            return Ok(());
        }
        let interpolation = interpolation(index, sampler)?;
        let times = self.values::<1>(sampler.input)?;
        let values = match components {
            1 => self.values::<1>(sampler.output)?,
            2 => self.values::<2>(sampler.output)?,
            3 => self.values::<3>(sampler.output)?,
            _ => self.values::<4>(sampler.output)?,
        };
        let values = match other {
            Other::Nothing => values,
            Other::Strength(strength) => values.iter().map(|value| value * strength).collect(),
            Other::Color(color) => {
                self.take(8 * values.len() as u64, "keys")?;
                values.iter().flat_map(|&value| color.map(|channel| channel * value)).collect()
            }
        };
        let variation = Variation { target, interpolation, times, values };
        self.scene.variations.push(variation);
        Ok(())
    }

    fn varied_material(
        &mut self,
        index: usize,
        source: u32,
        factor: Factor,
    ) -> Result<Found, ImportError> {
        let list = &self.data.root.materials;
        let known = super::at(("channel", index), "material", source, list)?.extensions.known();
        let Some(material) = self.taken_material(source) else { return Ok(Found::Unseen) };
        let own: &mut Material = &mut self.scene.materials[material as usize];
        if known.is_some_and(|known| known.specular_glossiness.is_some()) && factor.is_surface() {
            return Ok(Found::Not("its material is one of KHR_materials_pbrSpecularGlossiness"));
        }
        if own.is_unlit && !factor.is_of_unlit() {
            return Ok(Found::Not("its material is unlit"));
        }
        Ok(match factor.slot(own) {
            Some(slot) => Found::Target(Target::Material { material, factor }, slot.components()),
            None => Found::Not("its material has no such texture, or no cutoff"),
        })
    }

    fn varied_light(
        &mut self,
        index: usize,
        source: u32,
        factor: LightFactor,
    ) -> Result<Found, ImportError> {
        let known = self.data.root.extensions.known().and_then(|known| known.lights.as_ref());
        let list = known.map_or(&[][..], |lights| &lights.lights);
        super::at(("channel", index), "light", source, list)?;
        let Some(&light) = self.lights.get(&source) else { return Ok(Found::Unseen) };
        let own: &mut Light = &mut self.scene.lights[light as usize];
        Ok(match factor.slot(own) {
            Some(slot) => Found::Target(Target::Light { light, factor }, slot.components()),
            None => Found::Not("its light has none"),
        })
    }

    fn varied_camera(
        &mut self,
        index: usize,
        source: u32,
        is_perspective: bool,
    ) -> Result<Found, ImportError> {
        super::at(("channel", index), "camera", source, &self.data.root.cameras)?;
        let Some(&camera) = self.cameras.get(&source) else { return Ok(Found::Unseen) };
        let own: &Camera = &self.scene.cameras[camera as usize];
        let fits = matches!(own.projection, Projection::Perspective { .. }) == is_perspective;
        Ok(match fits {
            true => Found::Target(Target::Camera { camera }, 1),
            false => Found::Not("its camera is of the other kind"),
        })
    }

    /// Emission and intensity are products of two of the file's factors. Where one of them stands
    /// still it goes into the other's keys; where both change, they stay two.
    fn other(&self, place: Place, target: Target, places: &[Option<Place>]) -> (Target, Other) {
        let changes = |place| places.contains(&Some(place));
        match (place, target) {
            (Place::Material(source, factor), Target::Material { material, .. }) => {
                let file = &self.data.root.materials[source as usize];
                let known = file.extensions.known();
                let strength = known.and_then(|known| known.emissive_strength.as_ref());
                let strength = strength.map_or(1.0, |strength| strength.emissive_strength);
                match factor {
                    Factor::Emissive
                        if !changes(Place::Material(source, Factor::EmissiveStrength)) =>
                    {
                        (target, Other::Strength(strength))
                    }
                    Factor::EmissiveStrength
                        if !changes(Place::Material(source, Factor::Emissive)) =>
                    {
                        let target = Target::Material { material, factor: Factor::Emissive };
                        (target, Other::Color(file.emissive_factor))
                    }
                    _ => (target, Other::Nothing),
                }
            }
            (Place::Light(source, factor), Target::Light { light, .. }) => {
                let known = self.data.root.extensions.known();
                let file = known.and_then(|known| known.lights.as_ref());
                let file = file.and_then(|lights| lights.lights.get(source as usize));
                let (color, strength) =
                    file.map_or(([1.0; 3], 1.0), |light| (light.color, light.intensity));
                let unit = self.lamps.factor(self.scene.lights[light as usize].kind);
                let (color, strength) = (color.map(|channel| channel * unit), strength * unit);
                match factor {
                    LightFactor::Intensity
                        if !changes(Place::Light(source, LightFactor::Strength)) =>
                    {
                        (target, Other::Strength(strength))
                    }
                    LightFactor::Strength
                        if !changes(Place::Light(source, LightFactor::Intensity)) =>
                    {
                        let factor = LightFactor::Intensity;
                        (Target::Light { light, factor }, Other::Color(color))
                    }
                    // The colour's keys alone carry the unit.
                    LightFactor::Intensity => (target, Other::Strength(unit)),
                    _ => (target, Other::Nothing),
                }
            }
            _ => (target, Other::Nothing),
        }
    }
}

/// What a pointer's place is in the scene.
enum Found {
    /// A target, and components of its values.
    Target(Target, usize),
    /// Of something that the scene does not show: nothing to speak of.
    Unseen,
    /// It cannot be changed, and why.
    Not(&'static str),
}

impl Factor {
    /// Whether a conversion from specular-glossiness decides it.
    fn is_surface(self) -> bool {
        !self.is_emission()
            && !matches!(
                self,
                Self::NormalScale
                    | Self::AlphaCutoff
                    | Self::TextureOffset(TextureSlot::Normal)
                    | Self::TextureRotation(TextureSlot::Normal)
                    | Self::TextureScale(TextureSlot::Normal)
            )
    }

    /// Whether an unlit material shows it.
    fn is_of_unlit(self) -> bool {
        matches!(
            self,
            Self::BaseColor
                | Self::AlphaCutoff
                | Self::TextureOffset(TextureSlot::BaseColor)
                | Self::TextureRotation(TextureSlot::BaseColor)
                | Self::TextureScale(TextureSlot::BaseColor)
        )
    }
}
