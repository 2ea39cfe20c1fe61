//! What a hit has met: its records, and what is read of them.

use super::attributes::{
    base_color_at, emission_at, sample_at, three_weights, vertex_normal, vertices,
};
use super::{Look, Met, Surface};
use crate::RenderScene;
use crate::math::{Vec3, clamp, saturate, vec3};
use crate::ray::Hit;
use crate::tables::{
    INSTANCE_MOVES, Instance, MATERIAL_DOUBLE_SIDED, MATERIAL_MATTE, MATERIAL_UNLIT, Material,
    NONE, Shape, TRIANGLE_MOVES, Triangle,
};
use crate::trace::corners;

/// What is met by a hit.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// The triangle's record.
    pub triangle: &'a Triangle,
    /// What the triangle belongs to.
    pub shape: &'a Shape,
    /// Its material.
    pub material: &'a Material,
}

impl<'a> Found<'a> {
    /// Looks it up.
    #[inline(always)]
    #[must_use]
    pub fn of(scene: &'a RenderScene, hit: &Hit) -> Self {
        let triangle = &scene.triangles[hit.triangle as usize];
        let shape = &scene.shapes[triangle.shape as usize];
        Self {
            instance: &scene.instances[hit.instance as usize],
            triangle,
            shape,
            material: &scene.materials[shape.material as usize],
        }
    }

    /// Whether [`Met::place`] and [`Found::look`] say all about how the surface scatters.
    #[inline(always)]
    #[must_use]
    pub fn is_simple(&self) -> bool {
        let Material { flags, layers, .. } = *self.material;
        (layers == NONE || flags & MATERIAL_MATTE != 0)
            && flags & MATERIAL_UNLIT == 0
            && self.material.normal_texture.texture == NONE
            && self.triangle.flags & TRIANGLE_MOVES == 0
            && self.instance.flags & INSTANCE_MOVES == 0
    }

    /// The triangle as the ray met it at a time; `index` are its vertices.
    #[inline(always)]
    #[must_use]
    pub fn met(&self, scene: &RenderScene, index: [u32; 3], hit: &Hit, time: f32) -> Met {
        let (a, b, c) = corners(self.triangle);
        let is_flat = self.shape.normals_at == NONE;
        let normal = |vertex| {
            if is_flat { Vec3::ZERO } else { vertex_normal(scene, self.shape, vertex, time) }
        };
        // Not by `map`, which would be a call of its own here.
        let [normal_a, normal_b, normal_c] =
            [normal(index[0]), normal(index[1]), normal(index[2])];
        Met { a, b, c, normal_a, normal_b, normal_c, is_flat, u: hit.u, v: hit.v }
    }

    /// Its look, where the material has no layers.
    #[inline(always)]
    #[must_use]
    pub fn look(&self, scene: &RenderScene, index: [u32; 3], w: [f32; 3]) -> Look {
        let Self { shape, material, .. } = *self;
        let color = base_color_at(scene, shape, material, index, w).rgb;
        let mut gloss = Vec3::ONE;
        if material.metallic_roughness_texture.texture != NONE {
            gloss =
                sample_at(scene, shape, &material.metallic_roughness_texture, index, w, false).rgb;
        }
        Look {
            base_color: vec3(saturate(color.x), saturate(color.y), saturate(color.z)),
            metallic: saturate(material.metallic * gloss.z),
            roughness: clamp(material.roughness * gloss.y, 0.0, 1.0),
            f0: Surface::PLAIN.f0,
            f90: Surface::PLAIN.f90,
            index: Surface::PLAIN.index,
            rise: Surface::PLAIN.rise,
        }
    }

    /// Radiance that it emits on a side.
    #[inline(always)]
    #[must_use]
    pub fn emission(
        &self,
        scene: &RenderScene,
        index: [u32; 3],
        w: [f32; 3],
        is_front: bool,
    ) -> Vec3 {
        if is_front || self.material.flags & MATERIAL_DOUBLE_SIDED != 0 {
            emission_at(scene, self.shape, self.material, index, w)
        } else {
            Vec3::ZERO
        }
    }
}

/// Radiance that is emitted at a hit, by a side.
#[must_use]
pub fn emission_of(scene: &RenderScene, hit: &Hit, is_front: bool) -> Vec3 {
    let found = Found::of(scene, hit);
    let index = vertices(scene, found.shape, found.triangle.primitive);
    found.emission(scene, index, three_weights((hit.u, hit.v)), is_front)
}

/// Asks the cache for what [`super::surface_at`] reads of some hits, in the steps in which it finds it:
/// records, then vertex numbers, then attributes. One hit's waiting covers the others'.
pub fn fetch(scene: &RenderScene, hits: &[Hit]) {
    let met = || hits.iter().filter(|hit| hit.is_hit());
    for hit in met() {
        prefetch(&scene.triangles, hit.triangle);
    }
    let shape_of = |triangle: &Triangle| &scene.shapes[triangle.shape as usize];
    for hit in met() {
        let triangle = &scene.triangles[hit.triangle as usize];
        let shape = shape_of(triangle);
        let primitive = triangle.primitive - shape.first_primitive;
        prefetch(&scene.indices, shape.indices_at + primitive * 3);
    }
    for hit in met() {
        let triangle = &scene.triangles[hit.triangle as usize];
        let shape = shape_of(triangle);
        for vertex in vertices(scene, shape, triangle.primitive) {
            for (at, floats) in
                [(shape.normals_at, 3), (shape.uvs_at[0], 2), (shape.tangents_at, 4)]
            {
                if at != NONE {
                    prefetch(&scene.attributes, at + vertex * floats);
                }
            }
        }
    }
}

/// Asks the cache for an entry of a table; nothing where there is none.
#[inline(always)]
fn prefetch<T>(table: &[T], at: u32) {
    #[cfg(target_arch = "x86_64")]
    if let Some(entry) = table.get(at as usize) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "a hint to the cache")]
        // SAFETY: a hint reads nothing, and the address is an entry's.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(entry).cast());
        }
    }
}
