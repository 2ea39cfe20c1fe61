//! Light passes: a pixel's beauty by the way on which its light came.

use bytemuck::{Pod, Zeroable};

/// Light of one pixel by how it came to the camera: scene-linear Rec.709 radiance, W·sr⁻¹·m⁻²,
/// sums over samples. All passes of a pixel add up to its beauty, but for rounding.
///
/// Direct is what an emitter or the environment sends to the surface that the camera sees; indirect
/// is what scatters more than once. By which lobe it came is said by that first surface: each class
/// of lobes gets its share of the BSDF's value, whichever of them was sampled. The surface's colour
/// is in it. See docs/decisions/0006-light-passes.md.
#[derive(Debug, Clone, Copy, PartialEq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Passes {
    /// What lights the surface that the camera sees.
    pub direct: Scattered,
    /// What that surface emits.
    pub emission: [f32; 3],
    /// What comes by way of other surfaces.
    pub indirect: Scattered,
    /// The environment, where the camera sees it.
    pub environment: [f32; 3],
}

/// Light by the lobes that scatter it to the camera.
#[derive(Debug, Clone, Copy, PartialEq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Scattered {
    /// Diffuse reflection and sheen.
    pub diffuse: [f32; 3],
    /// Reflection of metals, dielectrics and coats.
    pub glossy: [f32; 3],
    /// What passes the surface, refracted, straight on or diffuse.
    pub transmission: [f32; 3],
}

/// Numbers of a pixel's passes.
pub(crate) const WORDS: usize = size_of::<Passes>() / 4;

impl Passes {
    /// Adds another pixel's sums: one rounding per value, the same on every machine.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sums = self.values();
        for (sum, value) in sums.iter_mut().zip(other.values()) {
            *sum += value;
        }
        bytemuck::must_cast(sums)
    }

    /// The values' bits, for comparing within a class.
    #[must_use]
    pub fn bits(&self) -> [u32; 24] {
        bytemuck::must_cast(*self)
    }

    /// All values, in the order of the fields.
    #[must_use]
    pub fn values(&self) -> [f32; 24] {
        bytemuck::must_cast(*self)
    }

    /// Each pass with its name, which is that of its layer, too.
    #[must_use]
    pub fn named(&self) -> [(&'static str, [f32; 3]); 8] {
        [
            ("diffuse_direct", self.direct.diffuse),
            ("glossy_direct", self.direct.glossy),
            ("transmission_direct", self.direct.transmission),
            ("emission", self.emission),
            ("diffuse_indirect", self.indirect.diffuse),
            ("glossy_indirect", self.indirect.glossy),
            ("transmission_indirect", self.indirect.transmission),
            ("environment", self.environment),
        ]
    }
}
