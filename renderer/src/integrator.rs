//! The path integrator: one sample of one pixel, and the sums over samples.
//!
//! Unidirectional path tracing with next-event estimation (PBR 4e, section 13.4): every scattering
//! event draws one light and one direction, weighted against each other where both can find the
//! same light. Roulette ends dim paths from the third event on.

use film::Pixel;
use protocol::settings::CHUNK_SAMPLES;

use crate::backend::Cancel;
use crate::bsdf::{bsdf_of, evaluate, sample_direction};
use crate::camera::{camera_ray, depth_of, filter_offset};
use crate::environment;
use crate::light::{
    hit_density, is_light, pick_emitter, power_weight, sample_light, sky_density, sound,
};
use crate::math::{FAR, Vec3, dot, exp2, luminance, min, rcp, vec3};
use crate::ray::{Query, Ray, offset_origin};
use crate::sampler::{
    PAIR_CELL, PAIR_CHOICE, PAIR_COLOR, PAIR_FILTER, PAIR_LIGHT, PAIR_PICK, PAIR_SCATTER,
    bounce_pair, pixel_key, ray_key, sample_pair,
};
use crate::surface::{Surface, surface_at};
use crate::trace::Tracer;

/// Most likely that roulette lets a path go on.
const SURVIVAL_MAX: f32 = 0.95;

/// The shading frame of a surface.
#[derive(Debug, Clone, Copy)]
struct Frame {
    x: Vec3,
    y: Vec3,
    z: Vec3,
}

impl Frame {
    #[inline(always)]
    fn of(surface: &Surface) -> Self {
        let (x, y) = surface.frame();
        Self { x, y, z: surface.normal }
    }

    #[inline(always)]
    fn to_local(self, d: Vec3) -> Vec3 {
        vec3(dot(d, self.x), dot(d, self.y), dot(d, self.z))
    }

    #[inline(always)]
    fn to_world(self, d: Vec3) -> Vec3 {
        self.x * d.x + self.y * d.y + self.z * d.z
    }
}

/// A path on its way.
#[derive(Debug, Clone, Copy)]
struct Walk {
    key: u32,
    sample: u32,
    radiance: Vec3,
    throughput: Vec3,
    /// Density of the last scattering, per steradian; 0 for the camera ray.
    density: f32,
    /// Whether dispersion has left one colour of it.
    is_single: bool,
    shadow_rays: u32,
}

/// Renders one sample of the pixel `(x, y)`: every sum is of this one sample.
#[must_use]
pub fn render_sample(tracer: &Tracer<'_>, x: u32, y: u32, sample: u32) -> Pixel {
    let scene = tracer.scene;
    let key = pixel_key(scene.header.seed, scene.header.time_hash, x, y);
    let (u, v) = sample_pair(key, sample, PAIR_FILTER);
    let place_x = x as f32 + 0.5 + filter_offset(scene, u);
    let place_y = y as f32 + 0.5 + filter_offset(scene, v);
    let mut ray = camera_ray(scene, place_x, place_y);
    let mut walk = Walk {
        key,
        sample,
        radiance: Vec3::ZERO,
        throughput: Vec3::ONE,
        density: 0.0,
        is_single: false,
        shadow_rays: 0,
    };
    let mut pixel = Pixel { samples: 1, ..Pixel::default() };
    let mut bounce = 0;
    loop {
        let query = Query { t_max: FAR, key: ray_key(key, sample, bounce, 0), camera: bounce == 0 };
        let hit = tracer.closest(&ray, &query);
        pixel.closest_rays += 1;
        if !hit.is_hit() {
            let sky = environment::radiance(scene, ray.direction);
            let weight = if bounce == 0 {
                1.0
            } else {
                power_weight(walk.density, sky_density(scene, ray.direction))
            };
            walk.radiance += walk.throughput * sky * weight;
            break;
        }
        let surface = surface_at(scene, &hit, ray.direction);
        if bounce == 0 {
            pixel.alpha = 1.0;
            pixel.albedo = surface.base_color.to_array();
            pixel.normal = surface.normal.to_array();
            pixel.depth = depth_of(scene, surface.position);
        }
        if is_light(surface.absorption) {
            walk.throughput *= transmittance(surface.absorption, hit.t);
        }
        if is_light(surface.emission) {
            let weight = if bounce == 0 {
                1.0
            } else {
                power_weight(walk.density, hit_density(scene, &hit, ray.direction))
            };
            walk.radiance += walk.throughput * surface.emission * weight;
        }
        if bounce == scene.header.bounces || surface.is_unlit {
            break;
        }
        match scatter(tracer, &mut walk, &surface, ray.direction, bounce) {
            Some(next) => ray = next,
            None => break,
        }
        bounce += 1;
    }
    let radiance = sound(walk.radiance);
    let light = luminance(radiance);
    pixel.beauty = radiance.to_array();
    pixel.luminance_squared = light * light;
    pixel.shadow_rays = walk.shadow_rays;
    pixel
}

/// What is left of light after a way through a body, by Beer's law.
#[inline(always)]
fn transmittance(absorption: Vec3, distance: f32) -> Vec3 {
    vec3(
        exp2(-absorption.x * distance),
        exp2(-absorption.y * distance),
        exp2(-absorption.z * distance),
    )
}

/// The side of a surface on which a direction leaves, or nothing where the shading normal and the
/// triangle's disagree about it.
#[inline(always)]
fn side_of(surface: &Surface, local: Vec3, direction: Vec3) -> Option<Vec3> {
    let height = dot(direction, surface.geometric);
    if local.z > 0.0 && height > 0.0 {
        Some(surface.geometric)
    } else if local.z < 0.0 && height < 0.0 {
        Some(-surface.geometric)
    } else {
        None
    }
}

/// What is left of light that passes a surface whose index of refraction depends on the colour, and
/// that surface as the path's colour sees it.
///
/// A path that passes goes on with one colour for good, three times as bright: it is the same one at
/// every surface.
#[inline(never)]
fn disperse(walk: &Walk, surface: &Surface) -> (Surface, Vec3) {
    let (u, _) = sample_pair(walk.key, walk.sample, PAIR_COLOR);
    let channel = min(u * 3.0, 2.0) as u32;
    let seen = Surface { eta: surface.eta_of(channel), ..*surface };
    if walk.is_single {
        return (seen, Vec3::ONE);
    }
    let share = |this: u32| if this == channel { 3.0 } else { 0.0 };
    (seen, vec3(share(0), share(1), share(2)))
}

/// One scattering event: adds the light of one emitter, and returns the ray that goes on.
#[inline]
fn scatter(
    tracer: &Tracer<'_>,
    walk: &mut Walk,
    surface: &Surface,
    incoming: Vec3,
    bounce: u32,
) -> Option<Ray> {
    let scene = tracer.scene;
    let dispersed = (surface.spread > 0.0).then(|| disperse(walk, surface));
    let (surface, only) =
        dispersed.as_ref().map_or((surface, Vec3::ONE), |(seen, only)| (seen, *only));
    let frame = Frame::of(surface);
    let view = frame.to_local(-incoming);
    let bsdf = bsdf_of(scene, surface, view);
    let origin = offset_origin(surface.position, surface.geometric);

    // One light.
    if scene.header.emitter_count > 0 {
        let draw = |purpose| sample_pair(walk.key, walk.sample, bounce_pair(bounce, purpose));
        let (choice, threshold) = draw(PAIR_PICK);
        let emitter = pick_emitter(scene, choice, threshold);
        let is_sky = emitter == scene.header.environment_emitter;
        let cell = if is_sky { draw(PAIR_CELL) } else { (0.0, 0.0) };
        let (u, v) = draw(PAIR_LIGHT);
        if let Some(light) = sample_light(scene, emitter, origin, cell, u, v) {
            let local = frame.to_local(light.direction);
            let scattered = evaluate(scene, &bsdf, local);
            let weight =
                if light.is_point { 1.0 } else { power_weight(light.density, scattered.density) };
            let arriving = light.radiance * (weight * rcp(light.density));
            let mut gain = walk.throughput * scattered.value * arriving;
            if local.z < 0.0 {
                gain *= only;
            }
            if is_light(gain)
                && let Some(side) = side_of(surface, local, light.direction)
            {
                let query = Query {
                    t_max: light.distance,
                    key: ray_key(walk.key, walk.sample, bounce, 1),
                    camera: false,
                };
                walk.shadow_rays += 1;
                let origin = offset_origin(surface.position, side);
                if !tracer.is_blocked(&Ray { origin, direction: light.direction }, &query) {
                    walk.radiance += gain;
                }
            }
        }
    }

    // One direction.
    let (choice, roulette) = sample_pair(walk.key, walk.sample, bounce_pair(bounce, PAIR_CHOICE));
    let (u, v) = sample_pair(walk.key, walk.sample, bounce_pair(bounce, PAIR_SCATTER));
    let local = sample_direction(&bsdf, choice, u, v);
    let scattered = evaluate(scene, &bsdf, local);
    let direction = frame.to_world(local);
    let has_density = scattered.density > 0.0;
    if !has_density {
        return None;
    }
    let side = side_of(surface, local, direction)?;
    walk.throughput *= scattered.value * rcp(scattered.density);
    if local.z < 0.0 && surface.spread > 0.0 {
        walk.throughput *= only;
        walk.is_single = true;
    }
    walk.density = scattered.density;
    if !is_light(walk.throughput) {
        return None;
    }

    // Roulette.
    if bounce + 1 >= scene.header.roulette_after {
        let survival = min(luminance(walk.throughput), SURVIVAL_MAX);
        let survives = roulette < survival;
        if !survives {
            return None;
        }
        walk.throughput = walk.throughput * rcp(survival);
    }
    Some(Ray { origin: offset_origin(surface.position, side), direction })
}

/// Renders a chunk of a pixel: its samples summed in the order of their indices, from zero.
#[must_use]
pub fn render_chunk(tracer: &Tracer<'_>, x: u32, y: u32, chunk: u32) -> Pixel {
    let first = chunk * CHUNK_SAMPLES;
    let end = (first + CHUNK_SAMPLES).min(tracer.scene.header.samples);
    (first..end)
        .fold(Pixel::default(), |sum, sample| sum.plus(&render_sample(tracer, x, y, sample)))
}

/// Renders an aligned run of chunks of a pixel: halves are merged, the lower first.
///
/// Chunks past the last sample are not there: a run without its upper half is its lower half.
/// `first` lies before the last chunk's end. Nothing when somebody asked for a stop.
#[must_use]
pub fn render_run(
    tracer: &Tracer<'_>,
    place: (u32, u32),
    first: u32,
    count: u32,
    cancel: &Cancel,
) -> Option<Pixel> {
    if cancel.is_set() {
        return None;
    }
    if count == 1 {
        return Some(render_chunk(tracer, place.0, place.1, first));
    }
    let half = count / 2;
    let low = render_run(tracer, place, first, half, cancel)?;
    if first + half >= tracer.scene.settings().chunk_count() {
        return Some(low);
    }
    Some(low.plus(&render_run(tracer, place, first + half, half, cancel)?))
}
