//! Scenes with something left out or replaced: what look development and benchmarks ask for.

use crate::layers::Layers;
use crate::model::{Environment, Material, Scene};
use crate::variation::Target;

impl Scene {
    /// Every surface becomes the same clay: matte, opaque and grey on both sides. Nothing glows
    /// any more; vertex colours and textures are dropped.
    ///
    /// `reflectance` is the share of light that is scattered; it is held in 0..=1.
    pub fn make_clay(&mut self, reflectance: f32) {
        let grey = reflectance.clamp(0.0, 1.0);
        self.materials = vec![Material {
            name: "clay".to_owned(),
            base_color: [grey, grey, grey, 1.0],
            metallic: 0.0,
            double_sided: true,
            layers: Layers { specular: 0.0, ..Layers::default() },
            ..Material::default()
        }];
        for primitive in self.meshes.iter_mut().flat_map(|mesh| &mut mesh.primitives) {
            primitive.material = Some(0);
            primitive.colors.clear();
        }
        self.variations.retain(|own| !matches!(own.target, Target::Material { .. }));
        self.textures.clear();
        let surroundings = match &mut self.environment {
            Some(Environment::Map { image, .. }) => Some(std::mem::replace(image, 0)),
            _ => None,
        };
        self.images = match surroundings {
            Some(image) => vec![self.images.swap_remove(image as usize)],
            None => Vec::new(),
        };
    }

    /// Leaves out every lamp: points, spots, distant lights and flat ones.
    pub fn remove_lamps(&mut self) {
        self.lights.clear();
        self.area_lights.clear();
        self.variations.retain(|own| !matches!(own.target, Target::Light { .. }));
        for node in &mut self.nodes {
            node.light = None;
        }
    }

    /// Leaves out the glow of every surface.
    pub fn remove_emission(&mut self) {
        for material in &mut self.materials {
            material.emissive = [0.0; 3];
            material.emissive_texture = None;
        }
        self.variations.retain(|own| match own.target {
            Target::Material { factor, .. } => !factor.is_emission(),
            Target::Light { .. } | Target::Camera { .. } => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::animation::Interpolation;
    use crate::variation::{Factor, LightFactor, Target, TextureSlot, Variation};

    #[test]
    fn edited_scenes_are_valid() {
        let mut scene = crate::golden();
        // What changes goes with what it changes.
        let glow = Factor::TextureOffset(TextureSlot::Emissive);
        scene.variations = [
            (Target::Material { material: 5, factor: glow }, 2),
            (Target::Material { material: 5, factor: Factor::Roughness }, 1),
            (Target::Light { light: 0, factor: LightFactor::Intensity }, 3),
            (Target::Camera { camera: 0 }, 1),
        ]
        .map(|(target, size)| Variation {
            target,
            interpolation: Interpolation::Step,
            times: vec![0.0],
            values: vec![0.5; size],
        })
        .into();
        assert_eq!(scene.validate(), Ok(()));
        assert!(!scene.lights.is_empty() && !scene.textures.is_empty(), "a scene with something");
        scene.remove_lamps();
        scene.remove_emission();
        assert_eq!(scene.validate(), Ok(()));
        assert!(scene.lights.is_empty());
        assert_eq!(scene.variations.len(), 2);
        assert!(
            scene
                .materials
                .iter()
                .all(|material| material.emissive.iter().all(|&value| value <= 0.0))
        );
        scene.make_clay(1.5);
        assert_eq!(scene.validate(), Ok(()));
        assert_eq!(scene.materials.len(), 1);
        assert_eq!(scene.variations.len(), 1);
        assert!(scene.materials[0].base_color.iter().all(|value| (value - 1.0).abs() < 1e-9));
    }
}
