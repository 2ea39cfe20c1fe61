//! Scenes with something left out or replaced: what look development and benchmarks ask for.

use crate::SunSky;
use crate::layers::Layers;
use crate::limits::LIST_MAX;
use crate::model::{Environment, Image, Material, Scene};
use crate::validate::SceneError;
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

    /// Surrounds the scene with an equirectangular map of radiance in place of what surrounded it,
    /// as [`crate::ImportOptions::environment`] does; see [`crate::read_environment`].
    ///
    /// `strength` is a factor of its radiance, `rotation` its turn about y in radians,
    /// counter-clockwise seen from above. The map that was there before goes.
    ///
    /// # Errors
    /// [`SceneError`] where the image, the strength or the rotation is none that a scene may have;
    /// the scene is then as it was.
    pub fn set_environment(
        &mut self,
        image: Image,
        strength: f32,
        rotation: f32,
    ) -> Result<(), SceneError> {
        // Tried by itself: of the scene only the number of its images matters.
        let map = |image| Environment::Map { image, strength, rotation };
        let alone = Self { images: vec![image], environment: Some(map(0)), ..Self::default() };
        alone.validate()?;
        let kept = self.images.len() - usize::from(self.environment_image().is_some());
        if kept >= LIST_MAX {
            return Err(SceneError::TooMany {
                what: "images",
                count: kept as u64 + 1,
                max: LIST_MAX as u64,
            });
        }
        self.clear_surroundings();
        self.images.extend(alone.images);
        self.environment = Some(map(kept as u32));
        Ok(())
    }

    /// Surrounds the scene with a clear sky and its sun in place of what surrounded it; with
    /// nothing where there is none.
    ///
    /// # Errors
    /// [`SceneError`] where the sky is out of range; the scene is then as it was.
    pub fn set_sun_sky(&mut self, sky: Option<SunSky>) -> Result<(), SceneError> {
        Self { sun_sky: sky, ..Self::default() }.validate()?;
        self.clear_surroundings();
        self.sun_sky = sky;
        Ok(())
    }

    /// Leaves out the sky, the map or the constant radiance around the scene, and the map's image.
    fn clear_surroundings(&mut self) {
        self.sun_sky = None;
        let image = self.environment_image();
        self.environment = None;
        if let Some(image) = image {
            // No texture has it: textures are of bytes, environments of floats.
            self.images.remove(image as usize);
            for texture in self.textures.iter_mut().filter(|own| own.image > image) {
                texture.image -= 1;
            }
        }
    }

    fn environment_image(&self) -> Option<u32> {
        match self.environment {
            Some(Environment::Map { image, .. }) => Some(image),
            Some(Environment::Constant(_)) | None => None,
        }
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
    use crate::SunSky;
    use crate::animation::Interpolation;
    use crate::variation::{Factor, LightFactor, Target, TextureSlot, Variation};

    use crate::model::{Environment, Image, Pixels, Texture};
    use crate::{Scene, SceneError};

    fn map(radiance: f32) -> Image {
        let pixels = Pixels::Rgb32F(vec![[radiance; 3]; 2]);
        Image { name: "sky".to_owned(), width: 2, height: 1, pixels }
    }

    const SKY: SunSky = SunSky { elevation: 0.4, azimuth: 1.0, turbidity: 3.0, strength: 1.0 };

    #[test]
    fn what_surrounds_a_scene_is_replaced() {
        let mut scene = crate::golden();
        let Some(Environment::Map { image: 4, .. }) = scene.environment else {
            panic!("a scene with a map at the end of its images");
        };
        // A map before the images of textures.
        scene.images.rotate_right(1);
        scene.textures.iter_mut().for_each(|texture: &mut Texture| texture.image += 1);
        scene.environment = Some(Environment::Map { image: 0, strength: 0.5, rotation: 0.3 });
        assert_eq!(scene.validate(), Ok(()));
        let mut bare = crate::golden();
        bare.environment = None;
        bare.images.truncate(4);

        scene.set_environment(map(2.0), 3.0, 0.5).expect("a map");
        let around = Some(Environment::Map { image: 4, strength: 3.0, rotation: 0.5 });
        let with_map = Scene {
            environment: around,
            images: [bare.images.clone(), vec![map(2.0)]].concat(),
            ..bare.clone()
        };
        assert_eq!(scene, with_map);
        scene.set_sun_sky(Some(SKY)).expect("a sky");
        assert_eq!(scene, Scene { sun_sky: Some(SKY), ..bare.clone() });
        scene.set_environment(map(2.0), 3.0, 0.5).expect("a map");
        assert_eq!(scene, with_map, "nothing is left of the sky");
        scene.environment = Some(Environment::Constant([1.0; 3]));
        scene.images.truncate(4);
        scene.set_sun_sky(None).expect("nothing");
        assert_eq!(scene, bare);
    }

    #[test]
    fn surroundings_out_of_range_change_nothing() {
        let mut scene = crate::golden();
        let bytes = Image { pixels: Pixels::Rgba8(vec![0; 8]), ..map(1.0) };
        let kind = scene.set_environment(bytes, 1.0, 0.0);
        assert!(matches!(kind, Err(SceneError::ImageKind { .. })), "{kind:?}");
        for (radiance, strength, rotation) in
            [(f32::NAN, 1.0, 0.0), (1.0, -1.0, 0.0), (1.0, 1.0, f32::INFINITY)]
        {
            scene.set_environment(map(radiance), strength, rotation).expect_err("out of range");
        }
        let hazy = SunSky { turbidity: 99.0, ..SKY };
        scene.set_sun_sky(Some(hazy)).expect_err("too hazy");
        assert_eq!(scene, crate::golden());
    }

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
