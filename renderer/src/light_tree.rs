//! Which light: a tree over all that shines from somewhere, and an alias table over what is
//! infinitely far away.
//!
//! The tree is descended by chance (Conty Estevez and Kulla, "Importance sampling of many lights
//! with adaptive tree splitting", 2018; PBR 4e, section 12.6.3): at each node the child that
//! promises more light at the point is the likelier. A node promises what its brightest direction
//! would give from the middle of its sphere, unless the cone of its light or the horizon of the
//! point forbids it. The bounds err on the bright side, so that whatever can light a point can be
//! picked. Cosines alone, no angles: every number here has the same bits in a shader.

use crate::RenderScene;
use crate::math::{Vec3, abs, clamp, div, dot, max, min, rcp, sqrt, vec3};
use crate::tables::{
    Emitter, LIGHT_DEPTH_MAX, LIGHT_INDEX, LIGHT_LEAF, LIGHT_TWO_SIDED, LightNode, NONE,
};

/// The likelier child of a node is picked with this probability at most.
const LIKELY_MAX: f32 = 0.999_999_05;
/// The share of what is infinitely far away lies between this and 1 less this, where there is both.
const SHARE_MIN: f32 = 0.1;
/// The largest number below 1: 1 - 2⁻²⁴.
const BELOW_ONE: f32 = 0.999_999_94;
/// Added to a cosine over the horizon, more than its roundings.
const HORIZON: f32 = 1e-3;
/// Least cosine that light along the rim of a cone counts with.
const RIM: f32 = 1e-2;
/// Squared distances, m², below which a point lies at the light.
const NEAR: f32 = 1e-12;
/// Within a node's sphere light counts as from this share of its squared radius at least: measured,
/// the whole radius makes three times the noise.
const INSIDE: f32 = 0.1;
/// The most that a node may promise: sums of two stay finite.
const PROMISE_MAX: f32 = 1e30;

/// Where a path scatters, as far as the choice of a light depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Vertex {
    /// Where rays to lights begin.
    pub point: Vec3,
    /// Unit normal of the only side that scatters; zero where both sides do.
    pub normal: Vec3,
}

impl Vertex {
    /// Nowhere: the camera, before anything was met.
    pub const NONE: Self = Self { point: Vec3::ZERO, normal: Vec3::ZERO };
}

/// An emitter and the probability that it was picked with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Picked {
    /// Index of the emitter.
    pub emitter: u32,
    /// Its probability at this vertex.
    pub probability: f32,
}

/// Cosine of the angle `a` less the angle `b`, or of 0 where `b` is the larger; both 0..=π.
#[inline(always)]
fn cos_less(a_cos: f32, b_cos: f32, b_sin: f32) -> f32 {
    if a_cos < b_cos { a_cos * b_cos + sqrt(1.0 - a_cos * a_cos) * b_sin } else { 1.0 }
}

/// Half the width of a box along a direction.
#[inline(always)]
fn half_width(half: Vec3, d: Vec3) -> f32 {
    abs(d.x) * half.x + abs(d.y) * half.y + abs(d.z) * half.z
}

/// Light that a node may send to a vertex, W/m²: never 0 where it sends any.
///
/// A direction from the vertex to any of the node's emitters lies within the sphere's cone and
/// leads into the box: the two bound the cosines over the horizon and to the axis.
#[inline]
#[must_use]
pub fn promise(node: &LightNode, at: &Vertex) -> f32 {
    let way = Vec3::of(node.center) - at.point;
    let half = Vec3::of(node.half_sides);
    let gap = vec3(
        max(abs(way.x) - half.x, 0.0),
        max(abs(way.y) - half.y, 0.0),
        max(abs(way.z) - half.z, 0.0),
    );
    let nearest = sqrt(dot(gap, gap));
    let n = at.normal;
    let is_one_sided = dot(n, n) > 0.0;
    let mut height = 1.0;
    if is_one_sided {
        let top = dot(n, way) + half_width(half, n);
        if top <= 0.0 {
            return 0.0;
        }
        if top < nearest {
            height = div(top, nearest);
        }
    }
    let squared = dot(way, way);
    let within = max(node.radius * node.radius, NEAR);
    if squared <= within {
        let reach = max(within * INSIDE, squared);
        return min(div(node.intensity, reach) * (height + HORIZON), PROMISE_MAX);
    }
    let distance = sqrt(squared);
    let inverse = rcp(distance);
    let direction = way * inverse;
    let sphere_sin = node.radius * inverse;
    let sphere_cos = sqrt(1.0 - sphere_sin * sphere_sin);
    if is_one_sided {
        height = min(height, cos_less(clamp(dot(n, direction), -1.0, 1.0), sphere_cos, sphere_sin));
    }

    // The angle to the axis, less the cone's.
    let axis = Vec3::of(node.axis);
    let mut along = -dot(axis, way);
    if node.child & LIGHT_TWO_SIDED != 0 {
        along = abs(along);
    }
    let mut cos = cos_less(clamp(along * inverse, -1.0, 1.0), sphere_cos, sphere_sin);
    let most = along + half_width(half, axis);
    if most < nearest {
        // What is behind is least so when it is far.
        let divisor = if most < 0.0 { distance + node.radius } else { nearest };
        cos = min(cos, div(most, divisor));
    }
    let cone_sin = sqrt(1.0 - node.cone_cos * node.cone_cos);
    cos = cos_less(cos, node.cone_cos, cone_sin);
    if cos <= node.end_cos {
        return 0.0;
    }
    let light = node.intensity * inverse * inverse * max(cos, RIM);
    min(light * max(height + HORIZON, 0.0), PROMISE_MAX)
}

/// Probability that one of the infinitely far emitters is picked, not one of the tree.
#[inline]
fn infinite_share(scene: &RenderScene, at: &Vertex) -> f32 {
    let header = &scene.header;
    if header.infinite_count == 0 {
        return 0.0;
    }
    if header.infinite_count == header.emitter_count {
        return 1.0;
    }
    let near = promise(&scene.light_nodes[0], at);
    if near > 0.0 {
        let far = header.infinite_irradiance;
        clamp(div(far, far + near), SHARE_MIN, 1.0 - SHARE_MIN)
    } else {
        1.0
    }
}

/// Probability of the likelier of two children, of which at least one promises light.
#[inline(always)]
fn likely(high: f32, low: f32) -> f32 {
    if low > 0.0 { min(div(high, high + low), LIKELY_MAX) } else { 1.0 }
}

/// Picks an emitter for a vertex; nothing where none can light it.
///
/// `u` decides between the far and the near, then the far's entry of the alias table or every other
/// step down the tree; `v` the alias, or the other steps. What a decision leaves of its number,
/// stretched to 0..1, decides the next but one: two numbers of 24 bits are enough for a hundred
/// thousand emitters, and runs of samples stay spread out over the tree. The likelier child is
/// asked for first, since numbers of 24 bits tell its probability exactly.
#[must_use]
pub fn pick_emitter(scene: &RenderScene, at: &Vertex, u: f32, v: f32) -> Option<Picked> {
    let header = &scene.header;
    let share = infinite_share(scene, at);
    if u < share {
        let count = header.infinite_count;
        let choice = div(u, share);
        let drawn = min(choice * count as f32, (count - 1) as f32) as u32;
        let pick = &scene.picks[drawn as usize];
        let emitter = if v < pick.threshold { drawn } else { pick.alias };
        let probability = share * scene.emitters[emitter as usize].measure;
        return Some(Picked { emitter, probability });
    }
    if header.infinite_count == header.emitter_count {
        return None;
    }
    let mut draw = min(div(u - share, 1.0 - share), BELOW_ONE);
    let mut other = v;
    let mut probability = 1.0 - share;
    let mut node = &scene.light_nodes[0];
    for _level in 0..LIGHT_DEPTH_MAX {
        if node.child & LIGHT_LEAF != 0 {
            return Some(Picked { emitter: node.child & LIGHT_INDEX, probability });
        }
        let child = (node.child & LIGHT_INDEX) as usize;
        let (first, second) = (&scene.light_nodes[child], &scene.light_nodes[child + 1]);
        let (a, b) = (promise(first, at), promise(second, at));
        if a <= 0.0 && b <= 0.0 {
            return None;
        }
        let p = likely(max(a, b), min(a, b));
        let is_likely = draw < p;
        if is_likely {
            draw = min(div(draw, p), BELOW_ONE);
            probability *= p;
        } else {
            draw = min(div(draw - p, 1.0 - p), BELOW_ONE);
            probability *= 1.0 - p;
        }
        node = if is_likely == (a >= b) { first } else { second };
        (draw, other) = (other, draw);
    }
    None
}

/// Probability of [`pick_emitter`] for an emitter of the tree.
#[must_use]
pub fn finite_probability(scene: &RenderScene, at: &Vertex, light: &Emitter) -> f32 {
    if light.leaf == NONE {
        return 0.0;
    }
    let mut probability = 1.0 - infinite_share(scene, at);
    let mut index = light.leaf;
    for _level in 0..LIGHT_DEPTH_MAX {
        if index == 0 {
            return probability;
        }
        let node = &scene.light_nodes[index as usize];
        let own = promise(node, at);
        let sibling = promise(&scene.light_nodes[(index ^ 1) as usize], at);
        if own <= 0.0 {
            return 0.0;
        }
        let p = likely(max(own, sibling), min(own, sibling));
        probability *= if own >= sibling { p } else { 1.0 - p };
        index = node.parent;
    }
    0.0
}

/// Probability of [`pick_emitter`] for an emitter that is infinitely far away.
#[must_use]
pub fn infinite_probability(scene: &RenderScene, at: &Vertex, light: &Emitter) -> f32 {
    infinite_share(scene, at) * light.measure
}
