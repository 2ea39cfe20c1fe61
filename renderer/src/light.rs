//! Lights: a place on one, its light, and the density of picking both.

use crate::RenderScene;
use crate::columns::columnar;
use crate::environment;
use crate::light_tree::{Picked, Vertex, finite_probability, infinite_probability};
use crate::math::{
    FAR, Vec3, abs, clamp, cross, div, dot, frame_of, length, max, normalize_or, saturate,
    sin_cos_turns, sqrt, vec3,
};
use crate::moving::moved_emitter;
use crate::ray::{Hit, offset_origin, towards};
use crate::surface::{alpha_of, emission_at, reach_of, three_weights, vertices};
use crate::tables::{
    ALPHA_MASK, EMITTER_DIRECTIONAL, EMITTER_ENVIRONMENT, EMITTER_MOVING, EMITTER_SPOT,
    EMITTER_TRIANGLE, Emitter, MATERIAL_DOUBLE_SIDED, NONE, TRIANGLE_ALPHA,
};

/// Shadow rays end this share before the light.
const SHADOW_END: f32 = 0.999_9;

columnar! {
    /// Light that may arrive at a point.
    LightSample,
    /// Of many paths.
    LightSamples {
        /// Unit direction towards the light.
        direction: Vec3,
        /// Where the shadow ray ends.
        distance: f32,
        /// Radiance from there; for lights that no ray can meet, irradiance on a surface that faces
        /// the direction.
        radiance: Vec3,
        /// Density per steradian of light and place; for lights that no ray can meet, the
        /// probability of the light; 0 where there is no light.
        density: f32,
        /// Whether no scattered ray can meet the light: points, lamps and suns, whatever their
        /// size.
        is_point: bool,
    }
}

impl LightSample {
    /// No light.
    pub const NONE: Self = Self {
        direction: Vec3::ZERO,
        distance: 0.0,
        radiance: Vec3::ZERO,
        density: 0.0,
        is_point: true,
    };
}

/// Light at `point` from one emitter, or nothing where it does not shine.
///
/// `picked` is the emitter with its probability, `cell` picks a part of the environment, `place` the
/// place, `time` is the path's.
#[must_use]
pub fn sample_light(
    scene: &RenderScene,
    picked: Picked,
    point: Vec3,
    cell: (f32, f32),
    place: (f32, f32),
    time: f32,
) -> Option<LightSample> {
    let light = &scene.emitters[picked.emitter as usize];
    let probability = picked.probability;
    let (u, v) = place;
    if light.kind == EMITTER_TRIANGLE {
        sample_triangle(scene, light, probability, point, u, v)
    } else if light.kind == EMITTER_MOVING {
        sample_triangle(scene, &moved_emitter(scene, light, time), probability, point, u, v)
    } else if light.kind == EMITTER_ENVIRONMENT {
        let sky = environment::pick(scene, cell, u, v);
        let density = sky.density * probability;
        (density > 0.0).then(|| LightSample {
            direction: sky.direction,
            distance: FAR,
            radiance: environment::radiance(scene, sky.direction),
            density,
            is_point: false,
        })
    } else if light.kind == EMITTER_DIRECTIONAL {
        Some(sample_directional(light, probability, u, v))
    } else {
        sample_punctual(light, probability, point, u, v)
    }
}

/// A direction within a cap of the unit sphere, even over its solid angle, and its cosine to the
/// middle. `height` is 1 less the cosine of the cap's half angle.
#[inline(always)]
fn in_cap(middle: Vec3, height: f32, u: f32, v: f32) -> (Vec3, f32) {
    let below = u * height;
    let cosine = 1.0 - below;
    let sine = sqrt(below * (2.0 - below));
    let (sin, cos) = sin_cos_turns(v);
    let (s, t) = frame_of(middle);
    (s * (sine * cos) + t * (sine * sin) + middle * cosine, cosine)
}

/// A sun: of even radiance over a cap, where it has a size.
fn sample_directional(light: &Emitter, probability: f32, u: f32, v: f32) -> LightSample {
    let mut direction = Vec3::of(light.position);
    let mut radiance = Vec3::of(light.edge_c);
    if light.extent > 0.0 {
        // Radiance E / (π sin²) times the solid angle 2π (1 - cos).
        (direction, _) = in_cap(direction, light.extent, u, v);
        radiance = radiance * div(2.0, 2.0 - light.extent);
    }
    LightSample { direction, distance: FAR, radiance, density: probability, is_point: true }
}

/// A lamp: a point, or a sphere of even radiance, of which the cap that is seen is drawn from.
fn sample_punctual(
    light: &Emitter,
    probability: f32,
    point: Vec3,
    u: f32,
    v: f32,
) -> Option<LightSample> {
    let (middle, distance) = towards(point, Vec3::of(light.position))?;
    let squared = distance * distance;
    let mut direction = middle;
    let mut end = distance;
    let mut strength = div(1.0, squared);
    if light.measure > 0.0 {
        // Radiance I / (π r²) times the solid angle; from inside, all directions see the sphere.
        let radius_squared = light.measure * light.measure;
        let sine_squared = radius_squared * strength;
        let is_outside = sine_squared < 1.0;
        let mut height = 2.0;
        if is_outside {
            let divisor = 1.0 + sqrt(1.0 - sine_squared);
            height = div(sine_squared, divisor);
            strength *= div(2.0, divisor);
        } else {
            strength = div(4.0, radius_squared);
        }
        let (drawn, cosine) = in_cap(middle, height, u, v);
        direction = drawn;
        let across = squared * (1.0 - cosine * cosine);
        let half = sqrt(radius_squared - across);
        end = distance * cosine + if is_outside { -half } else { half };
    }
    if light.extent > 0.0 {
        // The window that the extension recommends.
        let ratio = div(distance, light.extent);
        let fourth = ratio * ratio * ratio * ratio;
        strength *= clamp(1.0 - fourth, 0.0, 1.0);
    }
    if light.kind == EMITTER_SPOT {
        let cosine = dot(Vec3::of(light.edge_b), -middle);
        let cone = clamp(cosine * light.cone_scale + light.cone_offset, 0.0, 1.0);
        strength *= cone * cone;
    }
    (strength > 0.0).then(|| LightSample {
        direction,
        distance: max(end, 0.0) * SHADOW_END,
        radiance: Vec3::of(light.edge_c) * strength,
        density: probability,
        is_point: true,
    })
}

fn sample_triangle(
    scene: &RenderScene,
    light: &Emitter,
    probability: f32,
    point: Vec3,
    u: f32,
    v: f32,
) -> Option<LightSample> {
    // A place, even over the area.
    let root = sqrt(u);
    let weights = (root * (1.0 - v), root * v);
    let (edge_b, edge_c) = (Vec3::of(light.edge_b), Vec3::of(light.edge_c));
    let place = Vec3::of(light.position) + edge_b * weights.0 + edge_c * weights.1;

    // The side that is seen, and whether it shines.
    let normal = normalize_or(cross(edge_b, edge_c) * light.cone_scale, Vec3::ZERO);
    let side = dot(normal, point - place);
    let facing = if side < 0.0 { -normal } else { normal };
    let triangle = &scene.triangles[light.triangle as usize];
    let shape = &scene.shapes[triangle.shape as usize];
    let material = &scene.materials[shape.material as usize];
    if side < 0.0 && material.flags & MATERIAL_DOUBLE_SIDED == 0 {
        return None;
    }
    let corner = Vec3::of(light.position);
    let reach = reach_of([corner, corner + edge_b, corner + edge_c]);
    let (direction, distance) = towards(point, offset_origin(place, facing, reach))?;
    let density = triangle_density(light, probability, distance, dot(normal, direction));
    let is_seen = density > 0.0;
    if !is_seen {
        return None;
    }
    let index = vertices(scene, shape, triangle.primitive);
    let mut radiance = emission_at(scene, shape, material, index, three_weights(weights));
    if triangle.flags & TRIANGLE_ALPHA != 0 {
        // The shadow ray ends before the light, so its own alpha is asked for here.
        let alpha = alpha_of(scene, shape, material, triangle.primitive, weights);
        let masked = if alpha >= material.alpha_cutoff { 1.0 } else { 0.0 };
        let seen = if material.alpha_mode == ALPHA_MASK { masked } else { saturate(alpha) };
        radiance = radiance * seen;
    }
    let distance = distance * SHADOW_END;
    Some(LightSample { direction, distance, radiance, density, is_point: false })
}

/// Density per steradian of picking a triangle and a place on it; 0 where it is seen edge-on.
#[inline(always)]
#[must_use]
pub fn triangle_density(light: &Emitter, probability: f32, distance: f32, cosine: f32) -> f32 {
    let projected = light.extent * abs(cosine);
    if projected > 1e-20 { div(probability * distance * distance, projected) } else { 0.0 }
}

/// Density of picking and [`sample_light`] for a triangle that a ray scattered at `from` has met; 0
/// when it is no emitter. `direction` has unit length, `time` is the path's.
#[must_use]
pub fn hit_density(
    scene: &RenderScene,
    from: &Vertex,
    hit: &Hit,
    direction: Vec3,
    time: f32,
) -> f32 {
    let instance = &scene.instances[hit.instance as usize];
    if instance.emitters_of_at == NONE {
        return 0.0;
    }
    let triangle = &scene.triangles[hit.triangle as usize];
    let emitter = scene.emitter_of[(instance.emitters_of_at + triangle.primitive) as usize];
    if emitter == NONE {
        return 0.0;
    }
    let mut light = &scene.emitters[emitter as usize];
    let moved;
    if light.kind == EMITTER_MOVING {
        moved = moved_emitter(scene, light, time);
        light = &moved;
    }
    let normal = cross(Vec3::of(light.edge_b), Vec3::of(light.edge_c));
    let unit = normalize_or(normal, Vec3::ZERO);
    let probability = finite_probability(scene, from, light);
    triangle_density(light, probability, hit.t, dot(unit, direction))
}

/// Density of picking and [`sample_light`] for a direction from `from` into the environment; 0 when
/// it is no emitter.
#[must_use]
pub fn sky_density(scene: &RenderScene, from: &Vertex, direction: Vec3) -> f32 {
    let emitter = scene.header.environment_emitter;
    if emitter == NONE {
        return 0.0;
    }
    let probability = infinite_probability(scene, from, &scene.emitters[emitter as usize]);
    environment::density(scene, direction) * probability
}

/// Weight of a sample of density `a` that could have been drawn with density `b` too (Veach 1995,
/// the power heuristic).
#[inline(always)]
#[must_use]
pub fn power_weight(a: f32, b: f32) -> f32 {
    // The larger is divided out, so that the squares stay finite.
    let is_more = a > b;
    let (low, high) = if is_more { (b, a) } else { (a, b) };
    let ratio = div(low, high);
    let squared = ratio * ratio;
    let weight = div(if is_more { 1.0 } else { squared }, 1.0 + squared);
    if high > 0.0 { weight } else { 0.0 }
}

/// Area of a triangle from two of its edges.
#[must_use]
pub fn triangle_area(edge_b: Vec3, edge_c: Vec3) -> f32 {
    length(cross(edge_b, edge_c)) * 0.5
}

/// The darkest an RGB may be and still count as light.
#[inline(always)]
#[must_use]
pub fn is_light(rgb: Vec3) -> bool {
    rgb.x > 0.0 || rgb.y > 0.0 || rgb.z > 0.0
}

/// RGB without what is not a number, not finite or negative.
#[inline(always)]
#[must_use]
pub fn sound(rgb: Vec3) -> Vec3 {
    vec3(clamp(rgb.x, 0.0, FAR), clamp(rgb.y, 0.0, FAR), clamp(rgb.z, 0.0, FAR))
}
