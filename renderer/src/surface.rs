//! What a hit looks like: place, normals, material, emission.

mod attributes;
mod found;
mod layers;
mod place;

pub use attributes::{alpha_of, base_color_at, emission_at, three_weights, uv_at, vertices};
pub use found::{Found, emission_of, fetch};
pub use place::{Met, Mets, Place, Places, facing, hit_position, reach_of};

use crate::RenderScene;
use crate::bsdf::{DIELECTRIC_F0, DIELECTRIC_INDEX};
use crate::columns::columnar;
use crate::math::{Vec3, cross, dot, frame_of, normalize_or, rcp, transform_transposed, vec3};
use crate::moving::{moved_instance, moved_triangle};
use crate::ray::Hit;
use crate::tables::{
    INSTANCE_MOVES, MATERIAL_MATTE, MATERIAL_UNLIT, NONE, TRIANGLE_MOVES, TextureUse,
};
use layers::{Spot, add_anisotropy, add_layers};

/// A point of a surface, seen from one side.
#[derive(Debug, Clone, Copy)]
pub struct Surface {
    /// Place in world space.
    pub position: Vec3,
    /// Largest coordinate that the place was computed with, metres: see
    /// [`crate::ray::offset_origin`].
    pub reach: f32,
    /// Unit normal of the triangle on the viewer's side.
    pub geometric: Vec3,
    /// Unit normal for shading on the viewer's side.
    pub normal: Vec3,
    /// Base colour, 0..=1.
    pub base_color: Vec3,
    /// 0 dielectric, 1 metal.
    pub metallic: f32,
    /// Perceptual roughness.
    pub roughness: f32,
    /// Radiance emitted towards the viewer.
    pub emission: Vec3,
    /// Whether it shows its emission and nothing else.
    pub is_unlit: bool,
    /// Whether it scatters evenly and does nothing else: a short way, not another result.
    pub is_matte: bool,
    /// Whether its material has more than glTF's metal and roughness.
    pub has_layers: bool,
    /// Reflectance of the dielectric along its normal.
    pub f0: Vec3,
    /// Its reflectance at the horizon.
    pub f90: f32,
    /// Index of refraction by which it rises to that, 1 or more.
    pub index: f32,
    /// How much it rises in all, see [`crate::bsdf::lobe::fresnel_rise`].
    pub rise: f32,
    /// Share of the dielectric's body that lets light through.
    pub transmission: f32,
    /// Index of refraction beyond the surface over the one on the viewer's side; 1 where the wall
    /// is thin.
    pub eta: f32,
    /// Whether what passes goes straight on.
    pub is_thin: bool,
    /// Half of the difference between the indices of refraction of blue and red.
    pub spread: f32,
    /// What the body on the viewer's side absorbs, octaves a metre.
    pub absorption: Vec3,
    /// Strength of the coat.
    pub coat: f32,
    /// Its roughness.
    pub coat_roughness: f32,
    /// Its unit normal on the viewer's side.
    pub coat_normal: Vec3,
    /// Colour of the sheen; black for none.
    pub sheen: Vec3,
    /// Its roughness.
    pub sheen_roughness: f32,
    /// Share of the diffuse light that is scattered to the other side.
    pub translucency: f32,
    /// Its colour.
    pub translucent: Vec3,
    /// Strength of the thin film.
    pub iridescence: f32,
    /// Its index of refraction.
    pub iridescence_ior: f32,
    /// Its thickness, nanometres.
    pub iridescence_thickness: f32,
    /// How much wider the base's lobe is along the tangent, 0..=1.
    pub anisotropy: f32,
    /// Along the wide side of the lobe; zero where it is round.
    pub tangent: Vec3,
}

columnar! {
    /// What a surface without layers looks like.
    Look,
    /// Of many rays.
    Looks {
        /// See [`Surface::base_color`].
        base_color: Vec3,
        /// See [`Surface::metallic`].
        metallic: f32,
        /// See [`Surface::roughness`].
        roughness: f32,
        /// See [`Surface::f0`].
        f0: Vec3,
        /// See [`Surface::f90`].
        f90: f32,
        /// See [`Surface::index`].
        index: f32,
        /// See [`Surface::rise`].
        rise: f32,
    }
}

impl Place {
    /// The surface there with a look; what it emits and absorbs is left out.
    #[inline(always)]
    #[must_use]
    pub fn with(self, look: Look, is_matte: bool) -> Surface {
        let Self { position, reach, geometric, normal, .. } = self;
        let Look { base_color, metallic, roughness, f0, f90, index, rise } = look;
        Surface {
            position,
            reach,
            geometric,
            normal,
            base_color,
            metallic,
            roughness,
            f0,
            f90,
            index,
            rise,
            is_matte,
            ..Surface::PLAIN
        }
    }
}

impl Surface {
    /// Its place and its look.
    #[inline(always)]
    #[must_use]
    pub const fn parts(&self) -> (Place, Look) {
        let Self { position, reach, geometric, normal, .. } = *self;
        let Self { base_color, metallic, roughness, f0, f90, index, rise, .. } = *self;
        let place = Place { position, reach, geometric, normal, is_front: true };
        (place, Look { base_color, metallic, roughness, f0, f90, index, rise })
    }

    /// Whether nothing else decides how it scatters: it is opaque, with neither coat nor sheen nor
    /// film, and its lobe is round.
    #[inline(always)]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.has_layers
            || self.transmission == 0.0
                && self.eta.to_bits() == 1.0_f32.to_bits()
                && self.is_thin
                && self.spread == 0.0
                && self.coat == 0.0
                && self.sheen == Vec3::ZERO
                && self.translucency == 0.0
                && self.iridescence == 0.0
                && self.anisotropy == 0.0
    }
}

impl Surface {
    /// Two unit vectors that complete the normal to the shading frame.
    #[inline(always)]
    #[must_use]
    pub fn frame(&self) -> (Vec3, Vec3) {
        let (s, t) = frame_of(self.normal);
        if self.anisotropy > 0.0 {
            let flat = self.tangent - self.normal * dot(self.tangent, self.normal);
            let x = normalize_or(flat, s);
            return (x, cross(self.normal, x));
        }
        (s, t)
    }

    /// The index of refraction beyond over the one before for a colour: 0 red, 1 green, 2 blue.
    #[inline(always)]
    #[must_use]
    pub fn eta_of(&self, channel: u32) -> f32 {
        let offset = (channel as f32 - 1.0) * self.spread;
        if self.eta >= 1.0 { self.eta + offset } else { rcp(rcp(self.eta) + offset) }
    }

    /// A surface without layers at the origin, z up: what tests begin with.
    pub const PLAIN: Self = Self {
        position: Vec3::ZERO,
        reach: 1.0,
        geometric: vec3(0.0, 0.0, 1.0),
        normal: vec3(0.0, 0.0, 1.0),
        base_color: Vec3::ONE,
        metallic: 0.0,
        roughness: 1.0,
        emission: Vec3::ZERO,
        is_unlit: false,
        is_matte: false,
        has_layers: false,
        f0: vec3(DIELECTRIC_F0, DIELECTRIC_F0, DIELECTRIC_F0),
        f90: 1.0,
        index: DIELECTRIC_INDEX,
        rise: 1.0,
        transmission: 0.0,
        eta: 1.0,
        is_thin: true,
        spread: 0.0,
        absorption: Vec3::ZERO,
        coat: 0.0,
        coat_roughness: 0.0,
        coat_normal: vec3(0.0, 0.0, 1.0),
        sheen: Vec3::ZERO,
        sheen_roughness: 1.0,
        translucency: 0.0,
        translucent: Vec3::ZERO,
        iridescence: 0.0,
        iridescence_ior: 1.0,
        iridescence_thickness: 0.0,
        anisotropy: 0.0,
        tangent: Vec3::ZERO,
    };
}

/// The surface at a ray's hit at its time, seen against `direction`.
#[must_use]
pub fn surface_at(scene: &RenderScene, hit: &Hit, direction: Vec3, time: f32) -> Surface {
    let mut found = Found::of(scene, hit);
    let (placed, posed);
    if found.instance.flags & INSTANCE_MOVES != 0 {
        placed = moved_instance(scene, found.instance, time);
        found.instance = &placed;
    }
    if found.triangle.flags & TRIANGLE_MOVES != 0 {
        posed = moved_triangle(scene, found.triangle, time);
        found.triangle = &posed;
    }
    let Found { instance, triangle, shape, material } = found;
    let index = vertices(scene, shape, triangle.primitive);
    let w = three_weights((hit.u, hit.v));
    let met = found.met(scene, index, hit, time);
    let place = met.place(instance, direction);
    let Place { geometric, is_front: front, .. } = place;
    let viewer = -direction;

    // Shading normals: the base's, and the coat's, which the base's normal map does not bend.
    let spot = Spot { scene, instance, shape, index, w, time };
    let mut normal = place.normal;
    let mut coat_normal = place.normal;
    let mut axes = (Vec3::ZERO, Vec3::ZERO);
    if !met.is_flat && shape.tangents_at != NONE {
        let smooth = met.smooth();
        let outward = if front { geometric } else { -geometric };
        let plain = transform_transposed(&instance.world_to_object, smooth);
        let unit = normalize_or(plain, outward);
        let mapped = |usage: &TextureUse, scale| {
            let world = spot.mapped_normal(usage, scale, smooth, unit);
            facing(normalize_or(world, geometric), geometric, viewer)
        };
        if material.normal_texture.texture != NONE {
            normal = mapped(&material.normal_texture, material.normal_scale);
        }
        if material.layers != NONE {
            let layers = &scene.layers[material.layers as usize];
            if layers.coat_normal_texture.texture != NONE {
                coat_normal = mapped(&layers.coat_normal_texture, layers.coat_normal_scale);
            }
            if layers.anisotropy > 0.0 {
                axes = spot.axes(smooth);
            }
        }
    }

    // Material.
    let look = found.look(scene, index, w);
    let is_matte = material.flags & MATERIAL_MATTE != 0;
    let mut surface = Surface {
        normal,
        coat_normal,
        emission: found.emission(scene, index, w, front),
        ..place.with(look, is_matte)
    };
    if material.flags & MATERIAL_UNLIT != 0 {
        surface.is_unlit = true;
        surface.emission = look.base_color;
    }
    if !is_matte && material.layers != NONE {
        surface.has_layers = true;
        let layers = &scene.layers[material.layers as usize];
        add_layers(&mut surface, layers, &spot, front);
        add_anisotropy(&mut surface, layers, &spot, axes);
    }
    surface
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::normalize;

    #[test]
    fn bent_normals_mirror_to_the_outside() {
        let up = vec3(0.0, 1.0, 0.0);
        for viewer in [vec3(0.1, 0.9, 0.2), vec3(0.99, 0.05, 0.0), vec3(-0.9, 0.3, 0.3)] {
            let viewer = normalize(viewer);
            for normal in [vec3(0.9, 0.1, 0.0), vec3(-0.9, 0.2, 0.3), vec3(0.2, -0.4, 0.9), up] {
                let normal = normalize(normal);
                let bent = facing(normal, up, viewer);
                let mirrored = bent * (2.0 * dot(bent, viewer)) - viewer;
                assert!((dot(bent, bent) - 1.0).abs() < 1e-5);
                assert!(dot(bent, viewer) > 0.0 && dot(mirrored, up) > 0.0, "{normal:?}");
            }
            assert_eq!(facing(up, up, viewer), up, "what is right stays");
        }
    }
}
