// Lights: a place on one, its light, and the density of picking both; mirrored from
// renderer/src/light.rs.
#define_import_path tessera::light

#import tessera::environment::{sky_pick, sky_pick_density, sky_radiance}
#import tessera::light_tree::{Picked, Vertex, finite_probability, infinite_probability}
#import tessera::math::{
    FAR, fabs, fclamp, fcross, fdot, fmax, frame_of, fsaturate, fsqrt, normalize_or, sin_cos_turns,
}
#import tessera::moving::emitter_at
#import tessera::ray::{Hit, offset_origin, towards}
#import tessera::rounding::div
#import tessera::surface::{
    SHOW_BASE_COLOR, SHOW_EMISSIVE, base_color_at, emission_at, reach_of, texels_at, three_weights,
}
#import tessera::tables::{
    ALPHA_MASK, EMITTER_DIRECTIONAL, EMITTER_ENVIRONMENT, EMITTER_MOVING, EMITTER_SPOT, EMITTER_TRIANGLE,
    Emitter, MATERIAL_DOUBLE_SIDED, NONE, TRIANGLE_ALPHA, emitter_of, header, instance_at,
    instance_emitters_of_at, material_of, shape_of, triangle_of, vertices, words,
}

// Shadow rays end this share before the light.
const SHADOW_END: f32 = 0.9999;

// Light that may arrive at a point, where it shines at all.
struct LightSample {
    shines: bool,
    direction: vec3<f32>,
    distance: f32,
    radiance: vec3<f32>,
    density: f32,
    is_point: bool,
}

fn no_light() -> LightSample {
    return LightSample(false, vec3<f32>(0.0), 0.0, vec3<f32>(0.0), 0.0, false);
}

// Light at `point` from one emitter. `cell` picks a part of the environment, `u` and `v` the
// place; `time` is the path's.
fn sample_light(
    picked: Picked, point: vec3<f32>, cell: vec2<f32>, u: f32, v: f32, time: f32,
) -> LightSample {
    let light = emitter_at(picked.emitter, emitter_of(picked.emitter), time);
    let probability = picked.probability;
    if light.kind == EMITTER_TRIANGLE || light.kind == EMITTER_MOVING {
        return sample_triangle(light, probability, point, u, v);
    }
    if light.kind == EMITTER_ENVIRONMENT {
        let sky = sky_pick(cell, u, v);
        let density = sky.density * probability;
        if !(density > 0.0) { return no_light(); }
        return LightSample(true, sky.direction, FAR, sky_radiance(sky.direction), density, false);
    }
    if light.kind == EMITTER_DIRECTIONAL { return sample_directional(light, probability, u, v); }
    return sample_punctual(light, probability, point, u, v);
}

// A direction within a cap of the unit sphere, even over its solid angle, and its cosine to the
// middle. `height` is 1 less the cosine of the cap's half angle.
fn in_cap(middle: vec3<f32>, height: f32, u: f32, v: f32) -> vec4<f32> {
    let below = u * height;
    let cosine = 1.0 - below;
    let sine = fsqrt(below * (2.0 - below));
    let sin_cos = sin_cos_turns(v);
    let around = frame_of(middle);
    let direction =
        around.s * (sine * sin_cos.y) + around.t * (sine * sin_cos.x) + middle * cosine;
    return vec4<f32>(direction, cosine);
}

// A sun: of even radiance over a cap, where it has a size.
fn sample_directional(light: Emitter, probability: f32, u: f32, v: f32) -> LightSample {
    if light.extent > 0.0 {
        let drawn = in_cap(light.position, light.extent, u, v);
        let radiance = light.edge_c * div(2.0, 2.0 - light.extent);
        return LightSample(true, drawn.xyz, FAR, radiance, probability, true);
    }
    return LightSample(true, light.position, FAR, light.edge_c, probability, true);
}

// A lamp: a point, or a sphere of even radiance, of which the cap that is seen is drawn from.
fn sample_punctual(
    light: Emitter, probability: f32, point: vec3<f32>, u: f32, v: f32,
) -> LightSample {
    let way = towards(point, light.position);
    if way.distance == 0.0 { return no_light(); }
    let squared = way.distance * way.distance;
    var direction = way.direction;
    var end = way.distance;
    var strength = div(1.0, squared);
    if light.measure > 0.0 {
        // Radiance I / (π r²) times the solid angle; from inside, all directions see the sphere.
        let radius_squared = light.measure * light.measure;
        let sine_squared = radius_squared * strength;
        let is_outside = sine_squared < 1.0;
        var height = 2.0;
        if is_outside {
            let divisor = 1.0 + fsqrt(1.0 - sine_squared);
            height = div(sine_squared, divisor);
            strength = strength * div(2.0, divisor);
        } else {
            strength = div(4.0, radius_squared);
        }
        let drawn = in_cap(way.direction, height, u, v);
        direction = drawn.xyz;
        let across = squared * (1.0 - drawn.w * drawn.w);
        let chord = fsqrt(radius_squared - across);
        end = way.distance * drawn.w + select(chord, -chord, is_outside);
    }
    if light.extent > 0.0 {
        // The window that the extension recommends.
        let ratio = div(way.distance, light.extent);
        let fourth = ratio * ratio * ratio * ratio;
        strength = strength * fclamp(1.0 - fourth, 0.0, 1.0);
    }
    if light.kind == EMITTER_SPOT {
        let cosine = fdot(light.edge_b, -way.direction);
        let cone = fclamp(cosine * light.cone_scale + light.cone_offset, 0.0, 1.0);
        strength = strength * (cone * cone);
    }
    if !(strength > 0.0) { return no_light(); }
    return LightSample(
        true, direction, fmax(end, 0.0) * SHADOW_END, light.edge_c * strength, probability, true,
    );
}

fn sample_triangle(
    light: Emitter, probability: f32, point: vec3<f32>, u: f32, v: f32,
) -> LightSample {
    // A place, even over the area.
    let root = fsqrt(u);
    let weights = vec2<f32>(root * (1.0 - v), root * v);
    let place = light.position + light.edge_b * weights.x + light.edge_c * weights.y;

    // The side that is seen, and whether it shines.
    let normal =
        normalize_or(fcross(light.edge_b, light.edge_c) * light.cone_scale, vec3<f32>(0.0));
    let side = fdot(normal, point - place);
    let facing = select(normal, -normal, side < 0.0);
    let triangle = triangle_of(light.triangle);
    let shape = shape_of(triangle.shape);
    let material = material_of(shape.material);
    if side < 0.0 && (material.flags & MATERIAL_DOUBLE_SIDED) == 0u { return no_light(); }
    let b = light.position + light.edge_b;
    let c = light.position + light.edge_c;
    let reach = reach_of(light.position, b, c);
    let way = towards(point, offset_origin(place, facing, reach));
    if way.distance == 0.0 { return no_light(); }
    let density = triangle_density(light, probability, way.distance, fdot(normal, way.direction));
    if !(density > 0.0) { return no_light(); }
    let index = vertices(shape, triangle.primitive);
    let w = three_weights(weights);
    let has_alpha = (triangle.flags & TRIANGLE_ALPHA) != 0u;
    let wanted = SHOW_EMISSIVE | select(0u, SHOW_BASE_COLOR, has_alpha);
    let shown = texels_at(shape, material, index, w, wanted);
    var radiance = emission_at(material, shown);
    if has_alpha {
        // The shadow ray ends before the light, so its own alpha is asked for here.
        let alpha = base_color_at(shape, material, index, w, shown).w;
        let masked = select(0.0, 1.0, alpha >= material.alpha_cutoff);
        radiance = radiance * select(fsaturate(alpha), masked, material.alpha_mode == ALPHA_MASK);
    }
    return LightSample(
        true,
        way.direction,
        way.distance * SHADOW_END,
        radiance,
        density,
        false,
    );
}

// Density per steradian of picking a triangle and a place on it; 0 where it is seen edge-on.
fn triangle_density(light: Emitter, probability: f32, distance: f32, cosine: f32) -> f32 {
    let projected = light.extent * fabs(cosine);
    if projected > 1e-20 { return div(probability * distance * distance, projected); }
    return 0.0;
}

// Density of picking and `sample_light` for a triangle that a ray scattered at `at` has met; 0 when
// it is no emitter. `time` is the path's.
fn hit_density(at: Vertex, hit: Hit, direction: vec3<f32>, time: f32) -> f32 {
    let emitters_of_at = instance_emitters_of_at(instance_at(hit.instance));
    if emitters_of_at == NONE { return 0.0; }
    let primitive = triangle_of(hit.triangle).primitive;
    let emitter = words[header.emitter_of_at + emitters_of_at + primitive];
    if emitter == NONE { return 0.0; }
    let light = emitter_at(emitter, emitter_of(emitter), time);
    let unit = normalize_or(fcross(light.edge_b, light.edge_c), vec3<f32>(0.0));
    let probability = finite_probability(at, light.leaf);
    return triangle_density(light, probability, hit.t, fdot(unit, direction));
}

// Density of picking and `sample_light` for a direction from `at` into the environment; 0 when it is
// no emitter.
fn sky_density(at: Vertex, direction: vec3<f32>) -> f32 {
    let emitter = header.environment_emitter;
    if emitter == NONE { return 0.0; }
    let probability = infinite_probability(at, emitter);
    return sky_pick_density(direction) * probability;
}

// Weight of a sample of density `a` that could have been drawn with density `b` too.
fn power_weight(a: f32, b: f32) -> f32 {
    if a > b {
        let ratio = div(b, a);
        return div(1.0, 1.0 + ratio * ratio);
    }
    if b > 0.0 {
        let ratio = div(a, b);
        return div(ratio * ratio, 1.0 + ratio * ratio);
    }
    return 0.0;
}

// The darkest an RGB may be and still count as light.
fn is_light(rgb: vec3<f32>) -> bool {
    return rgb.x > 0.0 || rgb.y > 0.0 || rgb.z > 0.0;
}

// RGB without what is not a number, not finite or negative.
fn sound(rgb: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(
        fclamp(rgb.x, 0.0, FAR), fclamp(rgb.y, 0.0, FAR), fclamp(rgb.z, 0.0, FAR),
    );
}
