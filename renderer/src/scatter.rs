//! One scattering event: how much of a light's light goes on to the viewer, and where the path
//! goes.
//!
//! Written for one path; [`crate::events`] calls it from plain loops over paths with the same kind
//! of surface: what a kind does not have folds away, and compilers make vectors of the rest.

use crate::bsdf::albedo::AlbedoTable;
use crate::bsdf::{bsdf_of, evaluate, sample_direction};
use crate::columns::columnar;
use crate::light::{LightSample, is_light, power_weight};
use crate::math::{Vec3, dot, max_component, min, rcp, sqrt, vec3};
use crate::passes::{Split, Splits};
use crate::ray::offset_origin;
use crate::surface::Surface;

columnar! {
    /// What arrives at a surface.
    Arrival,
    /// Of many paths.
    Arrivals {
        /// What is left of light that goes along the path to the camera.
        throughput: Vec3,
        /// The light that may arrive from an emitter.
        light: LightSample,
        /// Which lobe scatters.
        choice: f32,
        /// Where it scatters to.
        u: f32,
        /// And the second number of it.
        v: f32,
        /// Whether the path goes on.
        roulette: f32,
    }
}

columnar! {
    /// What becomes of it.
    Departure,
    /// Of many paths.
    Departures {
        /// Light of the emitter that reaches the camera if nothing is in the way; black for none.
        gain: Vec3,
        /// Where the ray to the emitter begins.
        shadow_origin: Vec3,
        /// Whether the path goes on.
        goes_on: bool,
        /// Where its next ray begins.
        origin: Vec3,
        /// And where it goes, unit length.
        direction: Vec3,
        /// What is left of light along the longer path.
        throughput: Vec3,
        /// Density of the direction, per steradian.
        density: f32,
        /// Whether it passes the surface.
        passes: bool,
    }
}

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

/// The start of a ray along `direction`, and whether it may leave the surface there: not where the
/// shading normal and the triangle's disagree about the side.
#[inline(always)]
fn leave(surface: &Surface, local: Vec3, direction: Vec3) -> (Vec3, bool) {
    let height = dot(direction, surface.geometric);
    let is_front = (local.z > 0.0) & (height > 0.0);
    let is_back = (local.z < 0.0) & (height < 0.0);
    let side = if is_front { surface.geometric } else { -surface.geometric };
    (offset_origin(surface.position, side, surface.reach), is_front | is_back)
}

/// Probability that roulette lets a path go on: the fourth root of the largest channel of what is
/// left of its light.
///
/// The root keeps paths longer than their light alone would: the few that come back as bright as
/// the first are most of a dim corner's noise. See docs/renderer.md for what was measured.
#[inline(always)]
fn survival(throughput: Vec3) -> f32 {
    min(sqrt(sqrt(max_component(throughput))), 1.0)
}

/// Scatters at a surface that a ray along `incoming` met; tells also how it splits light among
/// classes of lobes, for who asks.
///
/// `passing` is what is left of light that passes the surface; with `roulette`, dim paths may end.
#[inline(always)]
pub fn scatter(
    albedo: &AlbedoTable,
    surface: &Surface,
    incoming: Vec3,
    arrival: &Arrival,
    passing: Vec3,
    roulette: bool,
) -> (Departure, Splits) {
    let Arrival { throughput, light, .. } = *arrival;
    let frame = Frame::of(surface);
    let bsdf = bsdf_of(albedo, surface, frame.to_local(-incoming));

    // The emitter's light.
    let local = frame.to_local(light.direction);
    let scattered = evaluate(albedo, &bsdf, local);
    let balanced = power_weight(light.density, scattered.density);
    let weight = if light.is_point { 1.0 } else { balanced };
    let arriving = light.radiance * (weight * rcp(light.density));
    let whole = throughput * scattered.value * arriving;
    let gain = if local.z < 0.0 { whole * passing } else { whole };
    let (shadow_origin, leaves) = leave(surface, local, light.direction);
    let gain = if leaves & (light.density > 0.0) { gain } else { Vec3::ZERO };
    let of_gain = Split::of(&scattered, local.z < 0.0);

    // The direction that goes on.
    let local = sample_direction(&bsdf, arrival.choice, arrival.u, arrival.v);
    let scattered = evaluate(albedo, &bsdf, local);
    let direction = frame.to_world(local);
    let (origin, leaves) = leave(surface, local, direction);
    let whole = throughput * (scattered.value * rcp(scattered.density));
    let passes = local.z < 0.0;
    let onward = Split::of(&scattered, passes);
    let throughput = if passes { whole * passing } else { whole };
    let is_lit = leaves & (scattered.density > 0.0) & is_light(throughput);
    let survival = survival(throughput);
    let departure = Departure {
        gain,
        shadow_origin,
        goes_on: is_lit & (!roulette | (arrival.roulette < survival)),
        origin,
        direction,
        throughput: if roulette { throughput * rcp(survival) } else { throughput },
        density: scattered.density,
        passes,
    };
    (departure, Splits { gain: of_gain, onward })
}
