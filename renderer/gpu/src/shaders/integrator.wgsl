// The path integrator: one sample of one pixel; mirrored from renderer/src/integrator.rs.
//
// The Rust function asks for a shadow ray within each scattering event. Here a path is a state
// that advances by one ray at a time, shadow rays included, so that the traversal stands in the
// kernel once; the order of every sum is the same. The state is all that a wavefront of kernels
// would have to keep between them.
#define_import_path tessera::integrator

#import tessera::bsdf::{bsdf_of, evaluate, sample_direction}
#import tessera::camera::{camera_ray, depth_of, filter_offset}
#import tessera::environment::sky_radiance
#import tessera::light::{hit_density, is_light, no_light, power_weight, sample_light, sky_density, sound}
#import tessera::light_tree::{Vertex, pick_emitter, vertex_of}
#import tessera::math::{FAR, fdot, fexp2, fmin, fsqrt, luminance, max_component, rcp}
#import tessera::passes::{Split, Tally, finished, met, split_of, with_light}
#import tessera::ray::{Hit, Query, Ray, offset_origin}
#import tessera::sampler::{
    PAIR_CELL, PAIR_CHOICE, PAIR_COLOR, PAIR_FILTER, PAIR_LENS, PAIR_LIGHT, PAIR_PICK, PAIR_SCATTER,
    PAIR_TIME, bounce_pair, place_of, ray_key, sample_pair,
}
#import tessera::surface::{Surface, eta_of, shading_frame, surface_at}
#import tessera::tables::{NONE, header}
#import tessera::trace::walk

// What a path's next ray is for.
const RAY_CLOSEST: u32 = 0u;
const RAY_SHADOW: u32 = 1u;
const RAY_NONE: u32 = 2u;

// The values of one sample, in the order of a film's pixel.
struct Sample {
    beauty: vec3<f32>,
    alpha: f32,
    albedo: vec3<f32>,
    normal: vec3<f32>,
    depth: f32,
    luminance_squared: f32,
    closest_rays: u32,
    shadow_rays: u32,
}

// A path on its way.
struct Path {
    place: u32,
    sample: u32,
    // While the shutter is open; 0 where nothing moves.
    time: f32,
    bounce: u32,
    // One of RAY_: what `ray` is for.
    pending: u32,
    ray: Ray,
    // Shadow ray: where it ends, and the light that arrives when nothing is in the way.
    distance: f32,
    gain: vec3<f32>,
    // Shadow ray: whether, from where and along which direction the path goes on.
    goes_on: bool,
    origin: vec3<f32>,
    direction: vec3<f32>,
    radiance: vec3<f32>,
    throughput: vec3<f32>,
    // Density of the last scattering, per steradian; 0 for the camera ray.
    density: f32,
    // Where that was.
    vertex: Vertex,
    // Whether dispersion has left one colour of it.
    is_single: bool,
    // Whether a driver ended a loop early: the sample is of no use.
    broken: bool,
    seen: Sample,
#ifdef PASSES
    // Shadow ray of the first event: how that splits its light.
    gain_split: Split,
    tally: Tally,
#endif
}

// The path of one sample of a pixel of the canvas; its numbers hang on its place in the frame.
fn path_of(canvas_x: u32, canvas_y: u32, sample: u32) -> Path {
    let x = canvas_x - header.overscan;
    let y = canvas_y - header.overscan;
    let frame = header.frame_key;
    let place = place_of(x, y);
    let uv = sample_pair(frame, place, sample, PAIR_FILTER);
    let place_x = f32(bitcast<i32>(x)) + 0.5 + filter_offset(uv.x);
    let place_y = f32(bitcast<i32>(y)) + 0.5 + filter_offset(uv.y);
    var path: Path;
    path.place = place;
    path.sample = sample;
    path.pending = RAY_CLOSEST;
    var lens = vec2<f32>(0.0);
    if header.lens_radius > 0.0 { lens = sample_pair(frame, place, sample, PAIR_LENS); }
#ifdef MOTION
    if header.motion_keys > 0u { path.time = sample_pair(frame, place, sample, PAIR_TIME).x; }
#endif
    path.ray = camera_ray(place_x, place_y, lens, path.time);
    path.throughput = vec3<f32>(1.0);
    return path;
}

// Traces the path's pending ray and decides about the next.
fn advance(path: ptr<function, Path>) {
    let bounce = (*path).bounce;
    let shadow = (*path).pending == RAY_SHADOW;
    let query = Query(
        select(FAR, (*path).distance, shadow),
        ray_key((*path).place, (*path).sample, bounce, select(0u, 1u, shadow)),
        !shadow && bounce == 0u,
        (*path).time,
    );
    let ray = (*path).ray;
    let walked = walk(ray, query, shadow);
    let is_hit = walked.hit.triangle != NONE;
    if !walked.finished { (*path).broken = true; }
    if shadow {
        (*path).seen.shadow_rays += 1u;
        if !is_hit {
            (*path).radiance = (*path).radiance + (*path).gain;
#ifdef PASSES
            let tally = (*path).tally;
            if bounce == 0u {
                (*path).tally.direct =
                    with_light(tally.direct, (*path).gain, (*path).gain_split);
            } else {
                (*path).tally.indirect =
                    with_light(tally.indirect, (*path).gain, tally.onward);
            }
#endif
        }
        go_on(path);
        return;
    }
    (*path).seen.closest_rays += 1u;
    if !is_hit {
        let sky = sky_radiance(ray.direction);
        var weight = 1.0;
        if bounce != 0u {
            weight =
                power_weight((*path).density, sky_density((*path).vertex, ray.direction));
        }
        let light = (*path).throughput * sky * weight;
        (*path).radiance = (*path).radiance + light;
#ifdef PASSES
        (*path).tally = met((*path).tally, bounce, light, true);
#endif
        (*path).pending = RAY_NONE;
        return;
    }
    let surface = surface_at(walked.hit, ray.direction, (*path).time);
    if bounce == 0u {
        (*path).seen.alpha = 1.0;
        (*path).seen.albedo = surface.base_color;
        (*path).seen.normal = surface.normal;
        (*path).seen.depth = depth_of(surface.position, (*path).time);
    }
    if is_light(surface.absorption) {
        (*path).throughput =
            (*path).throughput * transmittance(surface.absorption, walked.hit.t);
    }
    if is_light(surface.emission) {
        var weight = 1.0;
        if bounce != 0u {
            let density =
                hit_density((*path).vertex, walked.hit, ray.direction, (*path).time);
            weight = power_weight((*path).density, density);
        }
        let light = (*path).throughput * surface.emission * weight;
        (*path).radiance = (*path).radiance + light;
#ifdef PASSES
        (*path).tally = met((*path).tally, bounce, light, false);
#endif
    }
    if bounce == header.bounces || surface.is_unlit {
        (*path).pending = RAY_NONE;
        return;
    }
    scatter(path, surface, ray.direction);
}

// Takes up the direction that the last scattering event chose.
fn go_on(path: ptr<function, Path>) {
    if (*path).goes_on {
        (*path).pending = RAY_CLOSEST;
        (*path).ray = Ray((*path).origin, (*path).direction);
        (*path).bounce += 1u;
    } else {
        (*path).pending = RAY_NONE;
    }
}

fn to_local(x: vec3<f32>, y: vec3<f32>, z: vec3<f32>, d: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(fdot(d, x), fdot(d, y), fdot(d, z));
}

// What is left of light after a way through a body, by Beer's law.
fn transmittance(absorption: vec3<f32>, distance: f32) -> vec3<f32> {
    return vec3<f32>(
        fexp2(-absorption.x * distance),
        fexp2(-absorption.y * distance),
        fexp2(-absorption.z * distance),
    );
}

// The side of a surface on which a direction leaves: 1 the viewer's, -1 the other, 0 where the
// shading normal and the triangle's disagree about it.
fn side_of(surface: Surface, local: vec3<f32>, direction: vec3<f32>) -> f32 {
    let height = fdot(direction, surface.geometric);
    if local.z > 0.0 && height > 0.0 { return 1.0; }
    if local.z < 0.0 && height < 0.0 { return -1.0; }
    return 0.0;
}

// One scattering event: draws the light of one emitter, and the direction that goes on.
fn scatter(path: ptr<function, Path>, seen: Surface, incoming: vec3<f32>) {
    let frame = header.frame_key;
    let place = (*path).place;
    let sample = (*path).sample;
    let bounce = (*path).bounce;

    // The surface as one colour of the path sees it, and what is left of light that passes it.
    var surface = seen;
    var only = vec3<f32>(1.0);
    if surface.spread > 0.0 {
        let channel = u32(fmin(sample_pair(frame, place, sample, PAIR_COLOR).x * 3.0, 2.0));
        surface.eta = eta_of(seen, channel);
        if !(*path).is_single {
            only = vec3<f32>(
                select(0.0, 3.0, channel == 0u),
                select(0.0, 3.0, channel == 1u),
                select(0.0, 3.0, channel == 2u),
            );
        }
    }
    let z = surface.normal;
    let xy = shading_frame(surface);
    let bsdf = bsdf_of(surface, to_local(xy.s, xy.t, z, -incoming));
    let origin = offset_origin(surface.position, surface.geometric, surface.reach);
    let vertex = vertex_of(surface, origin);
    let before = (*path).throughput;
    (*path).vertex = vertex;
    (*path).pending = RAY_NONE;

    // One light.
    if header.emitter_count > 0u {
        let pick = sample_pair(frame, place, sample, bounce_pair(bounce, PAIR_PICK));
        let picked = pick_emitter(vertex, pick.x, pick.y);
        var cell = vec2<f32>(0.0);
        if picked.emitter != NONE && picked.emitter == header.environment_emitter {
            cell = sample_pair(frame, place, sample, bounce_pair(bounce, PAIR_CELL));
        }
        let point = sample_pair(frame, place, sample, bounce_pair(bounce, PAIR_LIGHT));
        var light = no_light();
        if picked.emitter != NONE {
            light = sample_light(picked, origin, cell, point.x, point.y, (*path).time);
        }
        if light.shines {
            let local = to_local(xy.s, xy.t, z, light.direction);
            let scattered = evaluate(bsdf, local);
            var weight = 1.0;
            if !light.is_point { weight = power_weight(light.density, scattered.density); }
            let arriving = light.radiance * (weight * rcp(light.density));
            var gain = before * scattered.value * arriving;
            if local.z < 0.0 { gain = gain * only; }
            let side = side_of(surface, local, light.direction);
            if is_light(gain) && side != 0.0 {
                let start = offset_origin(surface.position, surface.geometric * side, surface.reach);
                (*path).pending = RAY_SHADOW;
                (*path).ray = Ray(start, light.direction);
                (*path).distance = light.distance;
                (*path).gain = gain;
#ifdef PASSES
                if bounce == 0u { (*path).gain_split = split_of(scattered, local.z < 0.0); }
#endif
            }
        }
    }

    // One direction.
    (*path).goes_on = false;
    let choice = sample_pair(frame, place, sample, bounce_pair(bounce, PAIR_CHOICE));
    let way = sample_pair(frame, place, sample, bounce_pair(bounce, PAIR_SCATTER));
    let local = sample_direction(bsdf, choice.x, way.x, way.y);
    let scattered = evaluate(bsdf, local);
    let direction = xy.s * local.x + xy.t * local.y + z * local.z;
    let side = side_of(surface, local, direction);
    if scattered.density > 0.0 && side != 0.0 {
        var throughput = before * (scattered.value * rcp(scattered.density));
        if local.z < 0.0 && surface.spread > 0.0 {
            throughput = throughput * only;
            (*path).is_single = true;
        }
        var survives = is_light(throughput);
        // Roulette.
        if bounce + 1u >= header.roulette_after {
            let survival = fmin(fsqrt(fsqrt(max_component(throughput))), 1.0);
            survives = survives && choice.y < survival;
            throughput = throughput * rcp(survival);
        }
        (*path).throughput = throughput;
        (*path).density = scattered.density;
        (*path).origin = offset_origin(surface.position, surface.geometric * side, surface.reach);
        (*path).direction = direction;
        (*path).goes_on = survives;
#ifdef PASSES
        if bounce == 0u { (*path).tally.onward = split_of(scattered, local.z < 0.0); }
#endif
    }
    if (*path).pending == RAY_NONE { go_on(path); }
}

// The values of a path's sample, once nothing is pending.
fn finish(path: Path) -> Sample {
    var seen = path.seen;
    let radiance = sound(path.radiance);
    let light = luminance(radiance);
    seen.beauty = radiance;
    seen.luminance_squared = light * light;
    return seen;
}

#ifdef PASSES
// The light passes of a path's sample, once nothing is pending.
fn finish_passes(path: Path) -> Tally {
    return finished(path.tally, path.radiance);
}
#endif
