//! The path integrator: one sample of one pixel, a ray at a time.
//!
//! Unidirectional path tracing with next-event estimation (PBR 4e, section 13.4): every scattering
//! event draws one light and one direction, weighted against each other where both can find the
//! same light. Roulette ends dim paths from the third event on.
//!
//! A path is a state between rays: [`begin`] asks for the first, [`Path::arrive`] takes what a ray
//! met and asks for the next. Whoever traces may so trace many paths' rays together
//! (the CPU backend does); what a path gathers is the same.

use film::Pixel;

use crate::RenderScene;
use crate::bsdf::{bsdf_of, evaluate, sample_direction};
use crate::camera::{camera_ray, depth_of, filter_offset};
use crate::draws::Draw;
use crate::environment;
use crate::light::{hit_density, is_light, power_weight, sample_light, sky_density, sound};
use crate::light_tree::{Vertex, pick_emitter};
use crate::math::{FAR, Vec3, dot, exp2, luminance, max_component, min, rcp, vec3};
use crate::ray::{Cast, Hit, Query, Ray, offset_origin};
use crate::sampler::{
    PAIR_COLOR, PAIR_FILTER, PAIR_LENS, PAIR_TIME, pixel_key, ray_key, sample_pair,
};
use crate::surface::{Surface, surface_at};

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

/// A path between two rays.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    key: u32,
    sample: u32,
    /// When, while the shutter is open, see [`Query::time`].
    time: f32,
    /// Scattering events so far.
    bounce: u32,
    radiance: Vec3,
    throughput: Vec3,
    /// Density of the last scattering, per steradian; 0 for the camera ray.
    density: f32,
    /// Where that was.
    vertex: Vertex,
    /// Whether dispersion has left one colour of it.
    is_single: bool,
    shadow_rays: u32,
    /// What the camera ray met.
    seen: Seen,
}

/// What a camera ray met, for the film.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    alpha: f32,
    albedo: Vec3,
    normal: Vec3,
    depth: f32,
}

/// What a path asks for next.
#[derive(Debug, Clone, Copy, Default)]
pub struct Next {
    /// Light that arrives unless something is in the way of this ray: its gain is for
    /// [`Path::gain`], before the path goes on.
    pub shadow: Option<(Cast, Vec3)>,
    /// The ray whose nearest hit is for [`Path::arrive`]; without it the path is done.
    pub closest: Option<Cast>,
}

/// Begins the path of one sample of the pixel `(x, y)`, with its camera ray.
#[must_use]
pub fn begin(scene: &RenderScene, x: u32, y: u32, sample: u32) -> (Path, Cast) {
    let key = pixel_key(scene.header.seed, scene.header.time_hash, x, y);
    let (u, v) = sample_pair(key, sample, PAIR_FILTER);
    let place_x = x as f32 + 0.5 + filter_offset(scene, u);
    let place_y = y as f32 + 0.5 + filter_offset(scene, v);
    let moves = scene.header.motion_keys > 0;
    let time = if moves { sample_pair(key, sample, PAIR_TIME).0 } else { 0.0 };
    let path = Path {
        key,
        sample,
        time,
        bounce: 0,
        radiance: Vec3::ZERO,
        throughput: Vec3::ONE,
        density: 0.0,
        vertex: Vertex::NONE,
        is_single: false,
        shadow_rays: 0,
        seen: Seen::default(),
    };
    let lens = if scene.header.lens_radius > 0.0 {
        sample_pair(key, sample, PAIR_LENS)
    } else {
        (0.0, 0.0)
    };
    (path, path.closest(camera_ray(scene, place_x, place_y, lens, time)))
}

impl Path {
    #[inline(always)]
    fn closest(&self, ray: Ray) -> Cast {
        let key = ray_key(self.key, self.sample, self.bounce, 0);
        Cast { ray, query: Query { t_max: FAR, key, camera: self.bounce == 0, time: self.time } }
    }

    /// What its random numbers hang on: the pixel's key and the sample.
    #[inline(always)]
    #[must_use]
    pub fn number(&self) -> (u32, u32) {
        (self.key, self.sample)
    }

    /// Adds light that nothing was in the way of.
    #[inline(always)]
    pub fn gain(&mut self, gain: Vec3) {
        self.radiance += gain;
    }

    /// Takes what the path's ray along `direction` met, with the numbers for scattering there.
    #[must_use]
    pub fn arrive(&mut self, scene: &RenderScene, direction: Vec3, hit: &Hit, draw: &Draw) -> Next {
        let bounce = self.bounce;
        if !hit.is_hit() {
            let sky = environment::radiance(scene, direction);
            let weight = if bounce == 0 {
                1.0
            } else {
                power_weight(self.density, sky_density(scene, &self.vertex, direction))
            };
            self.radiance += self.throughput * sky * weight;
            return Next::default();
        }
        let surface = surface_at(scene, hit, direction, self.time);
        if bounce == 0 {
            self.seen = Seen {
                alpha: 1.0,
                albedo: surface.base_color,
                normal: surface.normal,
                depth: depth_of(scene, surface.position, self.time),
            };
        }
        if is_light(surface.absorption) {
            self.throughput *= transmittance(surface.absorption, hit.t);
        }
        if is_light(surface.emission) {
            let weight = if bounce == 0 {
                1.0
            } else {
                let density = hit_density(scene, &self.vertex, hit, direction, self.time);
                power_weight(self.density, density)
            };
            self.radiance += self.throughput * surface.emission * weight;
        }
        if bounce == scene.header.bounces || surface.is_unlit {
            return Next::default();
        }
        scatter(scene, self, &surface, direction, draw)
    }

    /// The values of the path's sample, once it is done: sums of this one sample.
    #[must_use]
    pub fn finish(&self) -> Pixel {
        let radiance = sound(self.radiance);
        let light = luminance(radiance);
        Pixel {
            beauty: radiance.to_array(),
            alpha: self.seen.alpha,
            albedo: self.seen.albedo.to_array(),
            normal: self.seen.normal.to_array(),
            depth: self.seen.depth,
            luminance_squared: light * light,
            samples: 1,
            closest_rays: self.bounce + 1,
            shadow_rays: self.shadow_rays,
            reserved: 0,
        }
    }
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
fn disperse(path: &Path, surface: &Surface) -> (Surface, Vec3) {
    let (u, _) = sample_pair(path.key, path.sample, PAIR_COLOR);
    let channel = min(u * 3.0, 2.0) as u32;
    let seen = Surface { eta: surface.eta_of(channel), ..*surface };
    if path.is_single {
        return (seen, Vec3::ONE);
    }
    let share = |this: u32| if this == channel { 3.0 } else { 0.0 };
    (seen, vec3(share(0), share(1), share(2)))
}

/// One scattering event: draws the light of one emitter, and the direction that goes on.
#[inline]
fn scatter(
    scene: &RenderScene,
    path: &mut Path,
    surface: &Surface,
    incoming: Vec3,
    draw: &Draw,
) -> Next {
    let dispersed = (surface.spread > 0.0).then(|| disperse(path, surface));
    let (surface, only) =
        dispersed.as_ref().map_or((surface, Vec3::ONE), |(seen, only)| (seen, *only));
    let frame = Frame::of(surface);
    let view = frame.to_local(-incoming);
    let bsdf = bsdf_of(scene, surface, view);
    let origin = offset_origin(surface.position, surface.geometric);
    let (key, sample, bounce) = (path.key, path.sample, path.bounce);
    let mut next = Next::default();
    path.vertex = Vertex::of(surface, origin);

    // One light.
    if scene.header.emitter_count > 0 {
        let [choice, other] = draw.pick;
        let [u, v] = draw.light;
        if let Some(picked) = pick_emitter(scene, &path.vertex, choice, other)
            && let Some(light) =
                sample_light(scene, picked, origin, draw.cell.into(), (u, v), path.time)
        {
            let local = frame.to_local(light.direction);
            let scattered = evaluate(scene, &bsdf, local);
            let weight =
                if light.is_point { 1.0 } else { power_weight(light.density, scattered.density) };
            let arriving = light.radiance * (weight * rcp(light.density));
            let mut gain = path.throughput * scattered.value * arriving;
            if local.z < 0.0 {
                gain *= only;
            }
            if is_light(gain)
                && let Some(side) = side_of(surface, local, light.direction)
            {
                let query = Query {
                    t_max: light.distance,
                    key: ray_key(key, sample, bounce, 1),
                    camera: false,
                    time: path.time,
                };
                path.shadow_rays += 1;
                let origin = offset_origin(surface.position, side);
                let ray = Ray { origin, direction: light.direction };
                next.shadow = Some((Cast { ray, query }, gain));
            }
        }
    }

    // One direction.
    let [choice, roulette] = draw.choice;
    let [u, v] = draw.scatter;
    let local = sample_direction(&bsdf, choice, u, v);
    let scattered = evaluate(scene, &bsdf, local);
    let direction = frame.to_world(local);
    let has_density = scattered.density > 0.0;
    let Some(side) = side_of(surface, local, direction).filter(|_side| has_density) else {
        return next;
    };
    path.throughput *= scattered.value * rcp(scattered.density);
    if local.z < 0.0 && surface.spread > 0.0 {
        path.throughput *= only;
        path.is_single = true;
    }
    path.density = scattered.density;
    if !is_light(path.throughput) {
        return next;
    }

    // Roulette.
    if bounce + 1 >= scene.header.roulette_after {
        let survival = min(max_component(path.throughput), SURVIVAL_MAX);
        let survives = roulette < survival;
        if !survives {
            return next;
        }
        path.throughput = path.throughput * rcp(survival);
    }
    path.bounce += 1;
    next.closest =
        Some(path.closest(Ray { origin: offset_origin(surface.position, side), direction }));
    next
}
