//! What a hit looks like: place, normals, material, emission.

use crate::RenderScene;
use crate::bsdf::{DIELECTRIC_F0, lobe::SHEEN_ROUGHNESS_MIN};
use crate::columns::columnar;
use crate::math::{
    Vec3, abs, clamp, cross, div, dot, frame_of, lerp, max, max_component, min, normalize_or, rcp,
    saturate, transform_direction, transform_point, transform_transposed, vec3,
};
use crate::moving::{
    corners_at, instance_at, moved_instance, moved_normal, moved_tangent, moved_triangle,
};
use crate::ray::Hit;
use crate::tables::{
    INSTANCE_MOVES, Instance, LAYERS_BODY, Layers, MATERIAL_DOUBLE_SIDED, MATERIAL_EMISSIVE,
    MATERIAL_MATTE, MATERIAL_UNLIT, Material, NONE, Shape, TRIANGLE_MOVES, TextureUse, Triangle,
};
use crate::texture::{Rgba, sample};
use crate::trace::corners;

/// Height of the viewer's mirror direction over the surface that shading normals are bent for.
const MIRROR_HEIGHT_MIN: f32 = 0.01;

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
        /// See [`Surface::position`].
        position: Vec3,
        /// See [`Surface::reach`].
        reach: f32,
        /// See [`Surface::geometric`].
        geometric: Vec3,
        /// See [`Surface::normal`].
        normal: Vec3,
        /// Whether it is the triangle's front that was met.
        is_front: bool,
    }
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
    }
}

impl Place {
    /// The surface there with a look; what it emits and absorbs is left out.
    #[inline(always)]
    #[must_use]
    pub fn with(self, look: Look, is_matte: bool) -> Surface {
        let Self { position, reach, geometric, normal, .. } = self;
        let Look { base_color, metallic, roughness, f0, f90 } = look;
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
        let Self { base_color, metallic, roughness, f0, f90, .. } = *self;
        let place = Place { position, reach, geometric, normal, is_front: true };
        (place, Look { base_color, metallic, roughness, f0, f90 })
    }

    /// Whether nothing else decides how it scatters: it is opaque, with neither coat nor sheen nor
    /// film, and its lobe is round.
    #[inline(always)]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.has_layers
            || self.transmission == 0.0
                && self.eta == 1.0
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

/// Vertex indices of a primitive.
#[inline(always)]
#[must_use]
pub fn vertices(scene: &RenderScene, shape: &Shape, primitive: u32) -> [u32; 3] {
    let at = (shape.indices_at + (primitive - shape.first_primitive) * 3) as usize;
    [scene.indices[at], scene.indices[at + 1], scene.indices[at + 2]]
}

#[inline(always)]
fn attribute2(scene: &RenderScene, at: u32, vertex: u32) -> (f32, f32) {
    let i = (at + vertex * 2) as usize;
    (scene.attributes[i], scene.attributes[i + 1])
}

#[inline(always)]
fn attribute3(scene: &RenderScene, at: u32, vertex: u32) -> Vec3 {
    let i = (at + vertex * 3) as usize;
    vec3(scene.attributes[i], scene.attributes[i + 1], scene.attributes[i + 2])
}

#[inline(always)]
fn attribute4(scene: &RenderScene, at: u32, vertex: u32) -> Rgba {
    let i = (at + vertex * 4) as usize;
    Rgba {
        rgb: vec3(scene.attributes[i], scene.attributes[i + 1], scene.attributes[i + 2]),
        a: scene.attributes[i + 3],
    }
}

/// Normal of a vertex at a time, of any length; only for shapes that have normals.
#[inline(always)]
fn vertex_normal(scene: &RenderScene, shape: &Shape, vertex: u32, time: f32) -> Vec3 {
    if shape.positions_at == NONE {
        return attribute3(scene, shape.normals_at, vertex);
    }
    moved_normal(scene, shape, vertex, time)
}

/// Tangent of a vertex at a time, of any length, and the sign of its bitangent; only for shapes
/// that have tangents.
#[inline(always)]
fn vertex_tangent(scene: &RenderScene, shape: &Shape, vertex: u32, time: f32) -> Rgba {
    if shape.positions_at == NONE {
        return attribute4(scene, shape.tangents_at, vertex);
    }
    let (rgb, a) = moved_tangent(scene, shape, vertex, time);
    Rgba { rgb, a }
}

/// The weights of a triangle's three vertices, from those of the second and third.
#[inline(always)]
#[must_use]
pub fn three_weights(weights: (f32, f32)) -> [f32; 3] {
    [1.0 - weights.0 - weights.1, weights.0, weights.1]
}

#[inline(always)]
fn blend3(a: Vec3, b: Vec3, c: Vec3, w: [f32; 3]) -> Vec3 {
    a * w[0] + b * w[1] + c * w[2]
}

#[inline(always)]
fn blend(a: f32, b: f32, c: f32, w: [f32; 3]) -> f32 {
    a * w[0] + b * w[1] + c * w[2]
}

/// Texture coordinates of a set; the origin where the shape has none.
#[inline(always)]
#[must_use]
pub fn uv_at(
    scene: &RenderScene,
    shape: &Shape,
    set: u32,
    index: [u32; 3],
    w: [f32; 3],
) -> (f32, f32) {
    let at = shape.uvs_at[(set & 1) as usize];
    if at == NONE {
        return (0.0, 0.0);
    }
    let a = attribute2(scene, at, index[0]);
    let b = attribute2(scene, at, index[1]);
    let c = attribute2(scene, at, index[2]);
    (blend(a.0, b.0, c.0, w), blend(a.1, b.1, c.1, w))
}

#[inline(always)]
fn sample_at(
    scene: &RenderScene,
    shape: &Shape,
    usage: &TextureUse,
    index: [u32; 3],
    w: [f32; 3],
    srgb: bool,
) -> Rgba {
    let (u, v) = uv_at(scene, shape, usage.uv_set, index, w);
    sample(scene, usage, u, v, srgb)
}

/// Base colour with alpha: factor, texture and vertex colour multiplied.
#[inline(always)]
#[must_use]
pub fn base_color_at(
    scene: &RenderScene,
    shape: &Shape,
    material: &Material,
    index: [u32; 3],
    w: [f32; 3],
) -> Rgba {
    let factor = material.base_color;
    let mut color = Rgba { rgb: vec3(factor[0], factor[1], factor[2]), a: factor[3] };
    if material.base_color_texture.texture != NONE {
        let texel = sample_at(scene, shape, &material.base_color_texture, index, w, true);
        color = Rgba { rgb: color.rgb * texel.rgb, a: color.a * texel.a };
    }
    if shape.colors_at != NONE {
        let a = attribute4(scene, shape.colors_at, index[0]);
        let b = attribute4(scene, shape.colors_at, index[1]);
        let c = attribute4(scene, shape.colors_at, index[2]);
        let tint = Rgba { rgb: blend3(a.rgb, b.rgb, c.rgb, w), a: blend(a.a, b.a, c.a, w) };
        color = Rgba { rgb: color.rgb * tint.rgb, a: color.a * tint.a };
    }
    color
}

/// Alpha of a triangle at a point.
#[inline]
#[must_use]
pub fn alpha_of(
    scene: &RenderScene,
    shape: &Shape,
    material: &Material,
    primitive: u32,
    weights: (f32, f32),
) -> f32 {
    let index = vertices(scene, shape, primitive);
    base_color_at(scene, shape, material, index, three_weights(weights)).a
}

/// Radiance that the material of a triangle emits at a point, on a side that emits.
#[inline]
#[must_use]
pub fn emission_at(
    scene: &RenderScene,
    shape: &Shape,
    material: &Material,
    index: [u32; 3],
    w: [f32; 3],
) -> Vec3 {
    if material.flags & MATERIAL_EMISSIVE == 0 {
        return Vec3::ZERO;
    }
    let mut emission = Vec3::of(material.emissive);
    if material.emissive_texture.texture != NONE {
        emission *= sample_at(scene, shape, &material.emissive_texture, index, w, true).rgb;
    }
    emission
}

/// A point of a triangle with what its attributes are read by.
#[derive(Clone, Copy)]
struct Spot<'a> {
    scene: &'a RenderScene,
    instance: &'a Instance,
    shape: &'a Shape,
    index: [u32; 3],
    w: [f32; 3],
    time: f32,
}

impl Spot<'_> {
    #[inline(always)]
    fn texel(&self, usage: &TextureUse, srgb: bool) -> Rgba {
        sample_at(self.scene, self.shape, usage, self.index, self.w, srgb)
    }

    /// A texel where there is a texture, ones where there is none.
    #[inline(always)]
    fn factor(&self, usage: &TextureUse, srgb: bool) -> Rgba {
        if usage.texture == NONE {
            return Rgba { rgb: Vec3::ONE, a: 1.0 };
        }
        self.texel(usage, srgb)
    }

    /// Unit tangent and bitangent in world space; `smooth` is the vertex normal in object space.
    #[inline]
    fn axes(&self, smooth: Vec3) -> (Vec3, Vec3) {
        let Self { scene, instance, shape, index, w, time } = *self;
        let [a, b, c] = index.map(|vertex| vertex_tangent(scene, shape, vertex, time));
        let along = blend3(a.rgb, b.rgb, c.rgb, w);
        let across = cross(smooth, along) * a.a;
        let to_world = &instance.object_to_world;
        let tangent = normalize_or(transform_direction(to_world, along), Vec3::ZERO);
        let bitangent = normalize_or(transform_direction(to_world, across), Vec3::ZERO);
        (tangent, bitangent)
    }

    /// A normal map's normal in world space, not yet of unit length; `smooth` is the vertex normal
    /// in object space, `world` the same as a unit vector in world space.
    #[inline]
    fn mapped_normal(&self, usage: &TextureUse, scale: f32, smooth: Vec3, world: Vec3) -> Vec3 {
        let (tangent, bitangent) = self.axes(smooth);
        let texel = self.texel(usage, false).rgb;
        let x = (texel.x * 2.0 - 1.0) * scale;
        let y = (texel.y * 2.0 - 1.0) * scale;
        let z = texel.z * 2.0 - 1.0;
        tangent * x + bitangent * y + world * z
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

/// Asks the cache for what [`surface_at`] reads of some hits, in the steps in which it finds it:
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
        let [normal_a, normal_b, normal_c] = index.map(normal);
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

impl Met {
    /// Normal of the corners, blended; in object space and of any length.
    #[inline(always)]
    fn smooth(&self) -> Vec3 {
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

/// Radiance that is emitted at a hit, by a side.
#[must_use]
pub fn emission_of(scene: &RenderScene, hit: &Hit, is_front: bool) -> Vec3 {
    let found = Found::of(scene, hit);
    let index = vertices(scene, found.shape, found.triangle.primitive);
    found.emission(scene, index, three_weights((hit.u, hit.v)), is_front)
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

/// `KHR_materials_anisotropy`; round where the mesh has no tangents.
#[inline]
fn add_anisotropy(surface: &mut Surface, layers: &Layers, spot: &Spot<'_>, axes: (Vec3, Vec3)) {
    let (tangent, bitangent) = axes;
    if dot(tangent, tangent) > 0.0 {
        let (mut x, mut y, mut strength) = (1.0, 0.0, 1.0);
        if layers.anisotropy_texture.texture != NONE {
            let texel = spot.texel(&layers.anisotropy_texture, false).rgb;
            (x, y, strength) = (texel.x * 2.0 - 1.0, texel.y * 2.0 - 1.0, texel.z);
        }
        let along = x * layers.anisotropy_cos - y * layers.anisotropy_sin;
        let across = x * layers.anisotropy_sin + y * layers.anisotropy_cos;
        surface.anisotropy = saturate(layers.anisotropy * strength);
        surface.tangent = tangent * along + bitangent * across;
    }
}

/// Puts the layers of a material on a surface.
#[inline]
fn add_layers(surface: &mut Surface, layers: &Layers, spot: &Spot<'_>, front: bool) {
    // The dielectric's reflectance: KHR_materials_ior and KHR_materials_specular.
    let ratio = div(layers.ior - 1.0, layers.ior + 1.0);
    let normal = ratio * ratio;
    surface.f90 = saturate(layers.specular * spot.factor(&layers.specular_texture, false).a);
    let tint = spot.factor(&layers.specular_color_texture, true).rgb;
    let reflectance = |color: f32, tint: f32| min(normal * color * tint, 1.0) * surface.f90;
    let color = layers.specular_color;
    surface.f0 = vec3(
        reflectance(color[0], tint.x),
        reflectance(color[1], tint.y),
        reflectance(color[2], tint.z),
    );

    // What passes: KHR_materials_transmission and KHR_materials_volume.
    let passes = spot.factor(&layers.transmission_texture, false).rgb.x;
    surface.transmission = saturate(layers.transmission * passes);
    surface.is_thin = layers.flags & LAYERS_BODY == 0;
    surface.spread = layers.spread;
    if !surface.is_thin {
        surface.eta = if front { layers.ior } else { rcp(layers.ior) };
    }
    if !front {
        surface.absorption = Vec3::of(layers.absorption);
    }

    // KHR_materials_diffuse_transmission.
    let share = spot.factor(&layers.translucency_texture, false).a;
    surface.translucency = saturate(layers.translucency * share);
    let tint = spot.factor(&layers.translucent_color_texture, true).rgb;
    surface.translucent = Vec3::of(layers.translucent_color) * tint;

    // KHR_materials_iridescence.
    surface.iridescence =
        saturate(layers.iridescence * spot.factor(&layers.iridescence_texture, false).rgb.x);
    surface.iridescence_ior = layers.iridescence_ior;
    let place = spot.factor(&layers.iridescence_thickness_texture, false).rgb.y;
    surface.iridescence_thickness = lerp(layers.iridescence_thin, layers.iridescence_thick, place);

    // KHR_materials_clearcoat.
    surface.coat = saturate(layers.coat * spot.factor(&layers.coat_texture, false).rgb.x);
    let rough = spot.factor(&layers.coat_roughness_texture, false).rgb.y;
    surface.coat_roughness = saturate(layers.coat_roughness * rough);

    // KHR_materials_sheen.
    let tint = spot.factor(&layers.sheen_color_texture, true).rgb;
    surface.sheen = Vec3::of(layers.sheen_color) * tint;
    let rough = spot.factor(&layers.sheen_roughness_texture, false).a;
    surface.sheen_roughness = max(saturate(layers.sheen_roughness * rough), SHEEN_ROUGHNESS_MIN);
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
