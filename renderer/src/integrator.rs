//! The path integrator: one sample of one pixel, a ray at a time.
//!
//! Unidirectional path tracing with next-event estimation (PBR 4e, section 13.4): every scattering
//! event draws one light and one direction, weighted against each other where both can find the
//! same light. Roulette ends dim paths from the third event on.
//!
//! A path is a state between rays: [`begin`] asks for the first; [`Path::miss`], [`Path::see`],
//! [`Path::absorb`] and [`Path::glow`] take what it met, [`Path::gather`] draws what may light it
//! there, [`Path::depart`] asks for the next. Whoever drives may
//! so trace and scatter many paths together (the CPU backend does); what a path gathers is the
//! same.

use film::Pixel;

use crate::RenderScene;
use crate::camera::{camera_ray, depth_of, filter_offset};
use crate::draws::Draw;
use crate::environment;
use crate::light::{
    LightSample, hit_density, is_light, power_weight, sample_light, sky_density, sound,
};
use crate::light_tree::{Vertex, pick_emitter};
use crate::math::{FAR, Vec3, exp2, luminance, min, vec3};
use crate::ray::{Cast, Hit, Query, Ray, offset_origin};
use crate::sampler::{
    PAIR_COLOR, PAIR_FILTER, PAIR_LENS, PAIR_TIME, place_of, ray_key, sample_pair,
};
use crate::scatter::{Arrival, Departure};
use crate::surface::{Place, Surface};

/// A path between two rays.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    /// Of its pixel, see [`place_of`].
    place: u32,
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

/// Begins the path of one sample of the pixel `(x, y)` of the canvas, with its camera ray.
///
/// Random numbers hang on the pixel's place in the frame, negative ones by their two's complement:
/// overscan moves no bit of the frame.
#[must_use]
pub fn begin(scene: &RenderScene, x: u32, y: u32, sample: u32) -> (Path, Cast) {
    let (x, y) = (x.wrapping_sub(scene.header.overscan), y.wrapping_sub(scene.header.overscan));
    let place = place_of(x, y);
    let draw = |pair| sample_pair(scene.header.frame_key, place, sample, pair);
    let (u, v) = draw(PAIR_FILTER);
    let place_x = x.cast_signed() as f32 + 0.5 + filter_offset(scene, u);
    let place_y = y.cast_signed() as f32 + 0.5 + filter_offset(scene, v);
    let moves = scene.header.motion_keys > 0;
    let time = if moves { draw(PAIR_TIME).0 } else { 0.0 };
    let path = Path {
        place,
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
    let lens = if scene.header.lens_radius > 0.0 { draw(PAIR_LENS) } else { (0.0, 0.0) };
    (path, path.closest(camera_ray(scene, place_x, place_y, lens, time)))
}

impl Path {
    #[inline(always)]
    fn closest(&self, ray: Ray) -> Cast {
        let key = ray_key(self.place, self.sample, self.bounce, 0);
        Cast { ray, query: Query { t_max: FAR, key, camera: self.bounce == 0, time: self.time } }
    }

    /// What its random numbers hang on: the pixel's place and the sample.
    #[inline(always)]
    #[must_use]
    pub fn number(&self) -> (u32, u32) {
        (self.place, self.sample)
    }

    /// When, while the shutter is open, see [`Query::time`].
    #[inline(always)]
    #[must_use]
    pub const fn time(&self) -> f32 {
        self.time
    }

    /// Adds light that nothing was in the way of.
    #[inline(always)]
    pub fn gain(&mut self, gain: Vec3) {
        self.radiance += gain;
    }

    /// Takes the light of what is around the scene: the path's ray along `direction` met nothing,
    /// and the path is done. Returns what was added.
    #[inline(always)]
    pub fn miss(&mut self, scene: &RenderScene, direction: Vec3) -> Vec3 {
        let sky = environment::radiance(scene, direction);
        let weight = if self.bounce == 0 {
            1.0
        } else {
            power_weight(self.density, sky_density(scene, &self.vertex, direction))
        };
        let light = self.throughput * sky * weight;
        self.radiance += light;
        light
    }

    /// Takes note of a surface that the camera sees.
    #[inline(always)]
    pub fn see(&mut self, scene: &RenderScene, position: Vec3, normal: Vec3, albedo: Vec3) {
        if self.bounce == 0 {
            self.seen =
                Seen { alpha: 1.0, albedo, normal, depth: depth_of(scene, position, self.time) };
        }
    }

    /// Takes what a body leaves of light on the way to a surface.
    #[inline(always)]
    pub fn absorb(&mut self, absorption: Vec3, distance: f32) {
        if is_light(absorption) {
            self.throughput *= transmittance(absorption, distance);
        }
    }

    /// Takes the light that a surface emits, which the path's ray along `direction` has met.
    /// Returns what was added.
    #[inline(always)]
    pub fn glow(
        &mut self,
        scene: &RenderScene,
        hit: &Hit,
        direction: Vec3,
        emission: Vec3,
    ) -> Vec3 {
        let mut light = Vec3::ZERO;
        if is_light(emission) {
            let weight = if self.bounce == 0 {
                1.0
            } else {
                let density = hit_density(scene, &self.vertex, hit, direction, self.time);
                power_weight(self.density, density)
            };
            light = self.throughput * emission * weight;
            self.radiance += light;
        }
        light
    }

    /// What arrives where the path scatters: the light of one emitter is drawn.
    ///
    /// `is_open` is a surface that scatters to both sides.
    #[inline(always)]
    #[must_use]
    pub fn gather(
        &mut self,
        scene: &RenderScene,
        place: &Place,
        is_open: bool,
        draw: &Draw,
    ) -> Arrival {
        let point = offset_origin(place.position, place.geometric, place.reach);
        self.vertex = Vertex { point, normal: if is_open { Vec3::ZERO } else { place.normal } };
        let mut light = LightSample::NONE;
        if scene.header.emitter_count > 0 {
            let [choice, other] = draw.pick;
            if let Some(picked) = pick_emitter(scene, &self.vertex, choice, other)
                && let Some(sampled) = sample_light(
                    scene,
                    picked,
                    point,
                    draw.cell.into(),
                    draw.light.into(),
                    self.time,
                )
            {
                light = sampled;
            }
        }
        let ([choice, roulette], [u, v]) = (draw.choice, draw.scatter);
        Arrival { throughput: self.throughput, light, choice, u, v, roulette }
    }

    /// What is left of light that passes a surface whose index of refraction depends on the
    /// colour; makes of the surface what the path's colour sees.
    ///
    /// A path that passes goes on with one colour for good, three times as bright: it is the same
    /// one at every surface.
    #[must_use]
    pub fn disperse(&self, scene: &RenderScene, surface: &mut Surface) -> Vec3 {
        if surface.spread <= 0.0 {
            return Vec3::ONE;
        }
        let (u, _) = sample_pair(scene.header.frame_key, self.place, self.sample, PAIR_COLOR);
        let channel = min(u * 3.0, 2.0) as u32;
        surface.eta = surface.eta_of(channel);
        if self.is_single {
            return Vec3::ONE;
        }
        let share = |this: u32| if this == channel { 3.0 } else { 0.0 };
        vec3(share(0), share(1), share(2))
    }

    /// The ray that asks whether an emitter's light arrives; nothing where none would. Its light is
    /// for [`Path::gain`].
    #[inline(always)]
    #[must_use]
    pub fn ask(&mut self, light: &LightSample, departure: &Departure) -> Option<Cast> {
        if !is_light(departure.gain) {
            return None;
        }
        self.shadow_rays += 1;
        let key = ray_key(self.place, self.sample, self.bounce, 1);
        Some(Cast {
            ray: Ray { origin: departure.shadow_origin, direction: light.direction },
            query: Query { t_max: light.distance, key, camera: false, time: self.time },
        })
    }

    /// Takes up the direction in which a surface scatters: the path's next ray;
    /// without it the path is done.
    #[inline(always)]
    #[must_use]
    pub fn depart(&mut self, departure: &Departure, disperses: bool) -> Option<Cast> {
        if !departure.goes_on {
            return None;
        }
        self.throughput = departure.throughput;
        self.density = departure.density;
        self.is_single |= disperses & departure.passes;
        self.bounce += 1;
        let Departure { origin, direction, .. } = *departure;
        Some(self.closest(Ray { origin, direction }))
    }

    /// Light gathered so far, not yet made [`sound`].
    #[must_use]
    pub const fn radiance(&self) -> Vec3 {
        self.radiance
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
