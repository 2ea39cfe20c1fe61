//! Where a surface is and how it lies.

use super::attributes::{blend3, three_weights};
use crate::RenderScene;
use crate::columns::columnar;
use crate::math::{
    Vec3, abs, cross, dot, max, max_component, min, normalize_or, transform_point,
    transform_transposed, vec3,
};
use crate::moving::{corners_at, instance_at};
use crate::ray::Hit;
use crate::tables::Instance;

/// Height of the viewer's mirror direction over the surface that shading normals are bent for.
const MIRROR_HEIGHT_MIN: f32 = 0.01;

columnar! {
    /// A triangle as a ray has met it, in its object's space.
    Met,
    /// Of many rays.
    Mets {
        /// First corner.
        a: Vec3,
        /// Second corner.
        b: Vec3,
        /// Third corner.
        c: Vec3,
        /// Normal of the first corner; zeros where the shape is flat.
        normal_a: Vec3,
        /// Of the second.
        normal_b: Vec3,
        /// Of the third.
        normal_c: Vec3,
        /// Whether its corners have no normals.
        is_flat: bool,
        /// Weight of the second corner.
        u: f32,
        /// Weight of the third.
        v: f32,
    }
}

columnar! {
    /// Where a ray has met a surface and how it lies, without what normal maps do to it.
    Place,
    /// Of many rays.
    Places {
        /// See [`super::Surface::position`].
        position: Vec3,
        /// See [`super::Surface::reach`].
        reach: f32,
        /// See [`super::Surface::geometric`].
        geometric: Vec3,
        /// See [`super::Surface::normal`].
        normal: Vec3,
        /// Whether it is the triangle's front that was met.
        is_front: bool,
    }
}

impl Met {
    /// Normal of the corners, blended; in object space and of any length.
    #[inline(always)]
    pub(super) fn smooth(&self) -> Vec3 {
        let w = three_weights((self.u, self.v));
        blend3(self.normal_a, self.normal_b, self.normal_c, w)
    }

    /// Where the surface is and how it lies, seen along `incoming`, world space and of unit length.
    #[inline(always)]
    #[must_use]
    pub fn place(&self, instance: &Instance, incoming: Vec3) -> Place {
        let Self { a, b, c, .. } = *self;
        let w = three_weights((self.u, self.v));
        let viewer = -incoming;
        let flat = cross(b - a, c - a);
        let outward = normalize_or(transform_transposed(&instance.world_to_object, flat), viewer);
        let is_front = dot(outward, incoming) <= 0.0;
        let geometric = if is_front { outward } else { -outward };
        let world = transform_transposed(&instance.world_to_object, self.smooth());
        let bent = facing(normalize_or(world, geometric), geometric, viewer);
        Place {
            position: transform_point(&instance.object_to_world, blend3(a, b, c, w)),
            reach: reach_of([a, b, c]) * instance.stretch + instance.shift,
            geometric,
            normal: if self.is_flat { geometric } else { bent },
            is_front,
        }
    }
}

/// `normal` turned as far as it must be for the viewer's mirror direction to leave the surface:
/// normals of maps and of vertices may point where no light can come from.
#[inline(always)]
#[must_use]
pub fn facing(normal: Vec3, geometric: Vec3, viewer: Vec3) -> Vec3 {
    let near = if dot(normal, geometric) < 0.0 { -normal } else { normal };
    let mirrored = near * (2.0 * dot(near, viewer)) - viewer;
    let height = dot(mirrored, geometric);
    let least = min(0.9 * dot(viewer, geometric), MIRROR_HEIGHT_MIN);
    if height >= least {
        return near;
    }
    let raised = normalize_or(mirrored + geometric * (least - height), geometric);
    normalize_or(viewer + raised, geometric)
}

/// The largest coordinate of a triangle's corners.
#[inline(always)]
#[must_use]
pub fn reach_of([a, b, c]: [Vec3; 3]) -> f32 {
    let far = |p: Vec3| max_component(vec3(abs(p.x), abs(p.y), abs(p.z)));
    max(max(far(a), far(b)), far(c))
}

/// The place of a ray's hit at its time, world space.
#[inline(always)]
#[must_use]
pub fn hit_position(scene: &RenderScene, hit: &Hit, time: f32) -> Vec3 {
    let instance = instance_at(scene, &scene.instances[hit.instance as usize], time);
    let (a, b, c) = corners_at::<true>(scene, &scene.triangles[hit.triangle as usize], time);
    let w = three_weights((hit.u, hit.v));
    transform_point(&instance.object_to_world, blend3(a, b, c, w))
}
