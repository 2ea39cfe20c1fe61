//! What moves while the shutter is open, at a ray's time.
//!
//! A prepared scene holds everything that moves at a few equally spaced times, the keys, from the
//! opening of the shutter to its closing; from key to key it moves in a straight line. Times are
//! shares of that span, in 0..1. Every function here is a function of the tables and the time, in
//! one order of operations, so that traversal, camera and shading see the same place.

use crate::RenderScene;
use crate::math::{Vec3, abs, between, between3, max, max_component, min, rcp, vec3};
use crate::ray::{PAD_PLACE, PAD_SIDE, Ray, transform_ray};
use crate::surface::vertices;
use crate::tables::{Emitter, Header, INSTANCE_MOVES, Instance, Shape, TRIANGLE_MOVES, Triangle};
use crate::trace::corners;

/// Floats of one key of an instance: the rows of its map to the world.
pub const PLACE_FLOATS: u32 = 12;
/// Floats of one key of a camera: origin and half its width, right and half its height, up and 0,
/// forward and 0.
pub const CAMERA_FLOATS: u32 = 16;

/// Between two keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The earlier key.
    pub key: u32,
    /// How far from it to the next, 0..=1.
    pub share: f32,
}

/// The moment of a time in 0..1; only for scenes in which something moves.
#[inline(always)]
#[must_use]
pub fn moment_of(header: &Header, time: f32) -> Moment {
    let steps = header.motion_keys - 1;
    let scaled = time * steps as f32;
    let key = min(scaled, (steps - 1) as f32) as i32 as u32;
    Moment { key, share: scaled - key as f32 }
}

/// Three floats of a list at `at`, at a moment: the list stands there once for each key, `stride`
/// floats apart.
#[inline(always)]
fn vector_at(scene: &RenderScene, at: u32, stride: u32, moment: Moment) -> Vec3 {
    let first = (at + moment.key * stride) as usize;
    let next = first + stride as usize;
    let list = &scene.attributes;
    between3(
        vec3(list[first], list[first + 1], list[first + 2]),
        vec3(list[next], list[next + 1], list[next + 2]),
        moment.share,
    )
}

/// Position of a vertex of a shape that moves.
#[inline(always)]
fn position_at(scene: &RenderScene, shape: &Shape, vertex: u32, moment: Moment) -> Vec3 {
    vector_at(scene, shape.positions_at + vertex * 3, shape.vertex_count * 3, moment)
}

/// Normal at a time of a vertex of a shape that moves and has normals; of any length.
#[cold]
#[inline(never)]
#[must_use]
pub fn moved_normal(scene: &RenderScene, shape: &Shape, vertex: u32, time: f32) -> Vec3 {
    let moment = moment_of(&scene.header, time);
    vector_at(scene, shape.normals_at + vertex * 3, shape.vertex_count * 3, moment)
}

/// Tangent at a time of a vertex of a shape that moves and has tangents, of any length, and the sign of its
/// bitangent.
#[cold]
#[inline(never)]
#[must_use]
pub fn moved_tangent(scene: &RenderScene, shape: &Shape, vertex: u32, time: f32) -> (Vec3, f32) {
    let moment = moment_of(&scene.header, time);
    let (at, stride) = (shape.tangents_at + vertex * 4, shape.vertex_count * 4);
    let sign = scene.attributes[(at + moment.key * stride + 3) as usize];
    (vector_at(scene, at, stride, moment), sign)
}

/// A triangle that moves as it is at a time. Out of line, as all here that still scenes pass by.
#[cold]
#[inline(never)]
#[must_use]
pub fn moved_triangle(scene: &RenderScene, triangle: &Triangle, time: f32) -> Triangle {
    let shape = &scene.shapes[triangle.shape as usize];
    let index = vertices(scene, shape, triangle.primitive);
    let moment = moment_of(&scene.header, time);
    let [a, b, c] = index.map(|vertex| position_at(scene, shape, vertex, moment).to_array());
    Triangle { a, b, c, ..*triangle }
}

/// The corners of a triangle's record at a time; without `MOVES` nothing in the scene moves.
#[inline(always)]
#[must_use]
pub fn corners_at<const MOVES: bool>(
    scene: &RenderScene,
    triangle: &Triangle,
    time: f32,
) -> (Vec3, Vec3, Vec3) {
    if !MOVES || triangle.flags & TRIANGLE_MOVES == 0 {
        corners(triangle)
    } else {
        corners(&moved_triangle(scene, triangle, time))
    }
}

/// An instance as it is placed at a time.
#[inline(always)]
#[must_use]
pub fn instance_at(scene: &RenderScene, instance: &Instance, time: f32) -> Instance {
    if instance.flags & INSTANCE_MOVES == 0 {
        *instance
    } else {
        moved_instance(scene, instance, time)
    }
}

/// An instance that moves as it is placed at a time.
#[cold]
#[inline(never)]
#[must_use]
pub fn moved_instance(scene: &RenderScene, instance: &Instance, time: f32) -> Instance {
    let moment = moment_of(&scene.header, time);
    let first = (instance.motion_at + moment.key * PLACE_FLOATS) as usize;
    let next = first + PLACE_FLOATS as usize;
    let list = &scene.attributes;
    let mut object_to_world = [[0.0; 4]; 3];
    for (number, value) in object_to_world.as_flattened_mut().iter_mut().enumerate() {
        *value = between(list[first + number], list[next + number], moment.share);
    }
    Instance { world_to_object: inverse(&object_to_world), object_to_world, ..*instance }
}

/// The map of an instance to the world at a key.
#[must_use]
pub fn place_at_key(scene: &RenderScene, instance: &Instance, key: u32) -> [[f32; 4]; 3] {
    let mut place = instance.object_to_world;
    if instance.flags & INSTANCE_MOVES != 0 {
        let first = (instance.motion_at + key * PLACE_FLOATS) as usize;
        let keys = &scene.attributes[first..first + PLACE_FLOATS as usize];
        place.as_flattened_mut().copy_from_slice(keys);
    }
    place
}

/// A ray in the space of an instance, as that is placed at a time; without `MOVES` nothing in the
/// scene moves.
#[inline(always)]
#[must_use]
pub fn ray_into<const MOVES: bool>(
    scene: &RenderScene,
    instance: &Instance,
    ray: &Ray,
    time: f32,
) -> Ray {
    if !MOVES || instance.flags & INSTANCE_MOVES == 0 {
        transform_ray(&instance.world_to_object, ray)
    } else {
        transform_ray(&moved_instance(scene, instance, time).world_to_object, ray)
    }
}

/// The inverse of an affine map by its minors; preparing sees to it that it has one.
#[inline(always)]
#[must_use]
pub fn inverse(m: &[[f32; 4]; 3]) -> [[f32; 4]; 3] {
    let [a, b, c] = m;
    // Minors with their signs, in the places of the inverse.
    let x = vec3(b[1] * c[2] - b[2] * c[1], a[2] * c[1] - a[1] * c[2], a[1] * b[2] - a[2] * b[1]);
    let y = vec3(b[2] * c[0] - b[0] * c[2], a[0] * c[2] - a[2] * c[0], a[2] * b[0] - a[0] * b[2]);
    let z = vec3(b[0] * c[1] - b[1] * c[0], a[1] * c[0] - a[0] * c[1], a[0] * b[1] - a[1] * b[0]);
    let scale = rcp(a[0] * x.x + a[1] * y.x + a[2] * z.x);
    let row = |minors: Vec3| {
        let r = minors * scale;
        [r.x, r.y, r.z, -(r.x * a[3] + r.y * b[3] + r.z * c[3])]
    };
    [row(x), row(y), row(z)]
}

/// A triangle emitter that moves as it is at a time, in world space.
#[cold]
#[inline(never)]
#[must_use]
pub fn moved_emitter(scene: &RenderScene, light: &Emitter, time: f32) -> Emitter {
    let instance = &scene.instances[light.measure.to_bits() as usize];
    let m = instance_at(scene, instance, time).object_to_world;
    let triangle = &scene.triangles[light.triangle as usize];
    let [a, edge_b, edge_c] = world_triangle(&m, corners_at::<true>(scene, triangle, time));
    Emitter {
        position: a.to_array(),
        edge_b: edge_b.to_array(),
        edge_c: edge_c.to_array(),
        extent: crate::light::triangle_area(edge_b, edge_c),
        ..*light
    }
}

/// A corner and the two edges from it, in world space.
#[inline(always)]
#[must_use]
pub fn world_triangle(m: &[[f32; 4]; 3], (a, b, c): (Vec3, Vec3, Vec3)) -> [Vec3; 3] {
    let a = crate::math::transform_point(m, a);
    [a, crate::math::transform_point(m, b) - a, crate::math::transform_point(m, c) - a]
}

/// A box that holds [`crate::ray::triangle_box`] of a triangle at every time between its keys.
///
/// Corners that move in straight lines stay between the keys, and so do sides and coordinates;
/// twice the padding of the largest covers the roundings of what lies in between.
#[must_use]
pub fn swept_box(keys: impl Iterator<Item = [Vec3; 3]>) -> (Vec3, Vec3) {
    let mut low = vec3(f32::MAX, f32::MAX, f32::MAX);
    let mut high = -low;
    let mut side = 0.0;
    for [a, b, c] in keys {
        let least = |a: Vec3, b: Vec3| vec3(min(a.x, b.x), min(a.y, b.y), min(a.z, b.z));
        let most = |a: Vec3, b: Vec3| vec3(max(a.x, b.x), max(a.y, b.y), max(a.z, b.z));
        let (own_low, own_high) = (least(least(a, b), c), most(most(a, b), c));
        side = max(side, max_component(own_high - own_low));
        (low, high) = (least(low, own_low), most(high, own_high));
    }
    let far = |v: Vec3| max(max(abs(v.x), abs(v.y)), abs(v.z));
    let pad = (side * PAD_SIDE + max(far(low), far(high)) * PAD_PLACE) * 2.0;
    (low - vec3(pad, pad, pad), high + vec3(pad, pad, pad))
}

/// Corners of a triangle of a shape that moves, at a key.
#[must_use]
pub fn key_corners(
    (shape, indices, attributes): (&Shape, &[u32], &[f32]),
    primitive: u32,
    key: u32,
) -> [Vec3; 3] {
    let at = (shape.indices_at + (primitive - shape.first_primitive) * 3) as usize;
    let first = shape.positions_at + key * shape.vertex_count * 3;
    [0, 1, 2].map(|corner| {
        let vertex = (first + indices[at + corner] * 3) as usize;
        vec3(attributes[vertex], attributes[vertex + 1], attributes[vertex + 2])
    })
}

/// The corners of a triangle's record at a key.
#[must_use]
pub fn corners_at_key(scene: &RenderScene, triangle: &Triangle, key: u32) -> (Vec3, Vec3, Vec3) {
    if triangle.flags & TRIANGLE_MOVES == 0 {
        return corners(triangle);
    }
    let shape = &scene.shapes[triangle.shape as usize];
    key_corners((shape, &scene.indices, &scene.attributes), triangle.primitive, key).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ray::triangle_box;
    use crate::sampler::{hash, to_unit};

    fn random(seed: u32) -> impl FnMut(f32) -> f32 {
        let mut state = seed;
        move |scale| {
            state = hash(state.wrapping_add(0x9e37_79b9));
            (to_unit(state) * 2.0 - 1.0) * scale
        }
    }

    #[test]
    fn moments_lie_between_their_keys() {
        let header = Header { motion_keys: 5, ..bytemuck::Zeroable::zeroed() };
        let at = |time| moment_of(&header, time);
        assert_eq!(at(0.0), Moment { key: 0, share: 0.0 });
        assert_eq!(at(0.25), Moment { key: 1, share: 0.0 });
        assert_eq!(at(0.625), Moment { key: 2, share: 0.5 });
        let last = at(0.999_999_94);
        assert!(last.key == 3 && last.share < 1.0 && last.share > 0.999);
    }

    #[test]
    fn inverses_undo() {
        let mut number = random(7);
        for _ in 0..500 {
            // Not far from a turned and stretched cube: what preparing lets through.
            let mut m = [[0.0_f32; 4]; 3];
            for (row, values) in m.iter_mut().enumerate() {
                values.iter_mut().for_each(|value| *value = number(0.4));
                values[row] += 1.5;
                values[3] = number(9.0);
            }
            let point = vec3(number(5.0), number(5.0), number(5.0));
            let there = crate::math::transform_point(&m, point);
            let back = crate::math::transform_point(&inverse(&m), there) - point;
            assert!(crate::math::length(back) < 3e-5, "{m:?}: {back:?}");
        }
    }

    #[test]
    fn swept_boxes_hold_the_box_of_every_moment() {
        let mut number = random(9);
        for turn in 0..400 {
            let scale = [1e-3, 1.0, 300.0][turn % 3];
            let far = [0.0, 1.0, 1e6][turn / 3 % 3];
            let middle = vec3(number(far), number(far), number(far));
            let mut key =
                || [(); 3].map(|()| middle + vec3(number(scale), number(scale), number(scale)));
            let (from, to) = (key(), key());
            let (low, high) = swept_box([from, to].into_iter());
            for step in 0..=64 {
                let share = step as f32 / 64.0;
                let [a, b, c] = [0, 1, 2].map(|k| between3(from[k], to[k], share));
                let (own_low, own_high) = triangle_box(a, b, c);
                let inside = |a: Vec3, b: Vec3| a.x <= b.x && a.y <= b.y && a.z <= b.z;
                assert!(inside(low, own_low) && inside(own_high, high), "{from:?} {to:?} {share}");
            }
        }
    }
}
