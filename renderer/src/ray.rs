//! Rays, hits, and the one test of a ray against a triangle.

use crate::math::{
    FAR, Vec3, abs, copysign, cross, dot, max, max_component, min, rcp, sqrt, transform_direction,
    transform_point, vec3,
};
use crate::tables::NONE;

/// What a ray enters a box at is scaled by this before it is compared: 1 - 2⁻²⁰, eight roundings.
pub const SLACK: f32 = 0.999_999_05;
/// A triangle's box is widened by this share of its longest side.
pub const PAD_SIDE: f32 = 9.536_743e-7;
/// A triangle's box is widened by this share of its largest coordinate.
pub const PAD_PLACE: f32 = 2.384_185_8e-7;
/// Rays start this share of a place's reach off their surface: 2⁻¹⁸, 64 roundings.
const OFFSET: f32 = 3.814_697_3e-6;
/// Components of directions below this count as this when they are inverted.
const DIRECTION_MIN: f32 = 1e-20;

/// Origin and direction; a distance along it is in units of the direction's length.
#[derive(Debug, Clone, Copy)]
pub struct Ray {
    /// Origin.
    pub origin: Vec3,
    /// Direction.
    pub direction: Vec3,
}

/// What decides, besides geometry, whether a triangle is met.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// Hits beyond are not seen.
    pub t_max: f32,
    /// What alpha decisions hang on, see [`crate::sampler::ray_key`].
    pub key: u32,
    /// Whether it is a camera ray, which does not see culled back faces.
    pub camera: bool,
    /// When, while the shutter is open: 0..1 from its opening to its closing. 0 where nothing moves.
    pub time: f32,
}

/// A ray and what it asks.
#[derive(Debug, Clone, Copy)]
pub struct Cast {
    /// The ray.
    pub ray: Ray,
    /// What decides what it meets.
    pub query: Query,
}

/// Where a ray ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Distance in units of the ray's direction.
    pub t: f32,
    /// Weight of the triangle's second vertex.
    pub u: f32,
    /// Weight of its third vertex.
    pub v: f32,
    /// Index of the instance in the table.
    pub instance: u32,
    /// Index of the triangle's record, or [`NONE`] for a miss.
    pub triangle: u32,
}

impl Hit {
    /// Nothing up to `t_max`.
    #[inline(always)]
    #[must_use]
    pub const fn miss(t_max: f32) -> Self {
        Self { t: t_max, u: 0.0, v: 0.0, instance: NONE, triangle: NONE }
    }

    /// Whether something was met.
    #[inline(always)]
    #[must_use]
    pub const fn is_hit(&self) -> bool {
        self.triangle != NONE
    }
}

/// A ray made ready for boxes and triangles of one space.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// Origin.
    pub origin: Vec3,
    /// Direction.
    pub direction: Vec3,
    /// One over the direction, finite.
    pub inverse: Vec3,
    /// Axis along which the direction is longest; the two others follow in cyclic order.
    pub axis: u32,
    /// Shear that turns the direction into that axis, and the axis' scale.
    pub shear: Vec3,
}

#[inline(always)]
fn inverse_component(d: f32) -> f32 {
    rcp(if abs(d) < DIRECTION_MIN { copysign(DIRECTION_MIN, d) } else { d })
}

/// Component `axis` of `v`.
#[inline(always)]
#[must_use]
pub fn component(v: Vec3, axis: u32) -> f32 {
    if axis == 0 {
        v.x
    } else if axis == 1 {
        v.y
    } else {
        v.z
    }
}

/// `v` with `axis` last and the two others before it in cyclic order.
#[inline(always)]
#[must_use]
pub fn turn(v: Vec3, axis: u32) -> Vec3 {
    if axis == 0 {
        vec3(v.y, v.z, v.x)
    } else if axis == 1 {
        vec3(v.z, v.x, v.y)
    } else {
        v
    }
}

/// Makes a ray ready (Woop, Benthin and Wald, "Watertight ray/triangle intersection", JCGT 2013,
/// section 3.1; winding does not matter here, so the axes are never swapped).
#[inline(always)]
#[must_use]
pub fn probe_of(ray: &Ray) -> Probe {
    let d = ray.direction;
    let (ax, ay, az) = (abs(d.x), abs(d.y), abs(d.z));
    let axis = if ax >= ay && ax >= az {
        0
    } else if ay >= az {
        1
    } else {
        2
    };
    let turned = turn(d, axis);
    let scale = rcp(turned.z);
    Probe {
        origin: ray.origin,
        direction: d,
        inverse: vec3(inverse_component(d.x), inverse_component(d.y), inverse_component(d.z)),
        axis,
        shear: vec3(turned.x * scale, turned.y * scale, scale),
    }
}

/// The ray in the space that `world_to_object` leads to; distances along it stay the same.
#[inline(always)]
#[must_use]
pub fn transform_ray(world_to_object: &[[f32; 4]; 3], ray: &Ray) -> Ray {
    Ray {
        origin: transform_point(world_to_object, ray.origin),
        direction: transform_direction(world_to_object, ray.direction),
    }
}

/// The box of a triangle, wide enough for every point at which the test may meet it.
///
/// The test moves vertices by a few roundings of their distance from the ray's origin. The part of
/// it within the triangle's own size is covered by `PAD_SIDE`, the rest by [`SLACK`].
#[inline(always)]
#[must_use]
pub fn triangle_box(a: Vec3, b: Vec3, c: Vec3) -> (Vec3, Vec3) {
    let low = vec3(min(min(a.x, b.x), c.x), min(min(a.y, b.y), c.y), min(min(a.z, b.z), c.z));
    let high = vec3(max(max(a.x, b.x), c.x), max(max(a.y, b.y), c.y), max(max(a.z, b.z), c.z));
    let far = vec3(
        max(abs(low.x), abs(high.x)),
        max(abs(low.y), abs(high.y)),
        max(abs(low.z), abs(high.z)),
    );
    let pad = max_component(high - low) * PAD_SIDE + max_component(far) * PAD_PLACE;
    (low - vec3(pad, pad, pad), high + vec3(pad, pad, pad))
}

/// Where a ray is inside a box: enters, slackened and not below 0, and leaves.
///
/// A larger box never gives a later entry or an earlier exit, rounding included. That makes the
/// result of a traversal independent of its tree: see [`intersect_triangle`].
#[inline(always)]
#[must_use]
pub fn intersect_box(probe: &Probe, low: Vec3, high: Vec3) -> (f32, f32) {
    let a = (low - probe.origin) * probe.inverse;
    let b = (high - probe.origin) * probe.inverse;
    let enter_x = if probe.inverse.x < 0.0 { b.x } else { a.x };
    let enter_y = if probe.inverse.y < 0.0 { b.y } else { a.y };
    let enter_z = if probe.inverse.z < 0.0 { b.z } else { a.z };
    let leave_x = if probe.inverse.x < 0.0 { a.x } else { b.x };
    let leave_y = if probe.inverse.y < 0.0 { a.y } else { b.y };
    let leave_z = if probe.inverse.z < 0.0 { a.z } else { b.z };
    let enter = max(max(max(enter_x, enter_y), enter_z), 0.0) * SLACK;
    let leave = min(min(leave_x, leave_y), leave_z);
    (enter, leave)
}

/// Where a ray meets a triangle: distance and the weights of the second and third vertex.
///
/// Watertight: of two triangles that share an edge no ray slips between. The distance is held
/// within the ray's way through the triangle's own box, so that no box around it can be entered
/// later: every traversal finds the same hits, whatever its tree.
///
/// # Source
/// Woop, Benthin and Wald, JCGT 2013; products that are zero count as inside on both sides, which
/// needs no second precision.
#[inline(always)]
#[must_use]
pub fn intersect_triangle(probe: &Probe, a: Vec3, b: Vec3, c: Vec3) -> Option<(f32, f32, f32)> {
    let at = turn(a - probe.origin, probe.axis);
    let bt = turn(b - probe.origin, probe.axis);
    let ct = turn(c - probe.origin, probe.axis);
    let ax = at.x - probe.shear.x * at.z;
    let ay = at.y - probe.shear.y * at.z;
    let bx = bt.x - probe.shear.x * bt.z;
    let by = bt.y - probe.shear.y * bt.z;
    let cx = ct.x - probe.shear.x * ct.z;
    let cy = ct.y - probe.shear.y * ct.z;
    let u = cx * by - cy * bx;
    let v = ax * cy - ay * cx;
    let w = bx * ay - by * ax;
    if (u < 0.0 || v < 0.0 || w < 0.0) && (u > 0.0 || v > 0.0 || w > 0.0) {
        return None;
    }
    let determinant = u + v + w;
    let scale = rcp(determinant);
    let has_area = abs(scale) < FAR;
    if !has_area {
        return None;
    }
    let distance = u * at.z + v * bt.z + w * ct.z;
    let plain = distance * probe.shear.z * scale;
    let (low, high) = triangle_box(a, b, c);
    let (enter, leave) = intersect_box(probe, low, high);
    let is_inside = enter <= leave;
    if !is_inside {
        return None;
    }
    let t = min(max(plain, enter), leave);
    if t > 0.0 { Some((t, v * scale, w * scale)) } else { None }
}

/// A ray's start, moved off the surface it starts on, to the side `normal` points to.
///
/// `reach` is the largest coordinate that the place was computed with, metres: that of the
/// triangle's corners, not the place's own. A place in the middle of a wide floor is as uncertain
/// as the floor's far corners, and the next ray's test of that floor rounds as coarsely.
#[inline(always)]
#[must_use]
pub fn offset_origin(p: Vec3, normal: Vec3, reach: f32) -> Vec3 {
    p + normal * (reach * OFFSET)
}

/// Unit direction and distance from `a` to `b`; nothing when they are the same point.
#[inline(always)]
#[must_use]
pub fn towards(a: Vec3, b: Vec3) -> Option<(Vec3, f32)> {
    let way = b - a;
    let squared = dot(way, way);
    if squared > 1e-20 && squared < FAR {
        let distance = sqrt(squared);
        Some((way * rcp(distance), distance))
    } else {
        None
    }
}

/// Whether a ray along `direction` sees the back of a triangle, all in its object's space.
#[inline(always)]
#[must_use]
pub fn sees_back(direction: Vec3, a: Vec3, b: Vec3, c: Vec3) -> bool {
    dot(cross(b - a, c - a), direction) > 0.0
}
