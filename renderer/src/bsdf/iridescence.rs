//! Colours of thin films: what a film of some hundred nanometres makes of a reflectance.
//!
//! Belcour and Barla, "A practical extension to microfacet theory for the modeling of varying
//! iridescence", SIGGRAPH 2017, in the form that `KHR_materials_iridescence` gives: two bounces
//! within the film, their spectra integrated against Gaussian fits of the observer.

use super::lobe::schlick_weight;
use crate::math::{Vec3, clamp, div, exp2, lerp, max, saturate, sin_cos_turns, sqrt, vec3};

/// A Gaussian of the observer: its height, its centre in turns a nanometre of path, its width in
/// octaves a square nanometre.
struct Gauss {
    height: f32,
    turns: f32,
    octaves: f32,
}

/// X, Y, Z, and the second hump of X. Of the paper's value `v`, position `p` and variance `s`:
/// `v·√(2πs) / 1.0685e-7`, `p·1e-9`, and `s·(2π·1e-9)²·log₂e`.
const OBSERVER: [Gauss; 4] = [
    Gauss { height: 0.846_59, turns: 1.681e-3, octaves: 2.464_912e-7 },
    Gauss { height: 1.000_222, turns: 1.795_3e-3, octaves: 5.299_464e-7 },
    Gauss { height: 1.001_122, turns: 2.208_4e-3, octaves: 3.765_943e-7 },
    Gauss { height: 0.153_868, turns: 2.239_9e-3, octaves: 2.579_051e-7 },
];

/// Reflectance along the normal between two indices of refraction.
#[inline(always)]
fn normal_reflectance(beyond: f32, before: f32) -> f32 {
    let ratio = div(beyond - before, beyond + before);
    ratio * ratio
}

/// What the observer sees of a wave after so many nanometres of path, its phase shifted by turns.
#[inline(always)]
fn wave(g: &Gauss, path: f32, shift: f32) -> f32 {
    let (_, cos) = sin_cos_turns(g.turns * path + shift);
    g.height * cos * exp2(-path * path * g.octaves)
}

/// The same as linear Rec.709, the phase shifted per component.
#[inline]
fn seen(path: f32, shift: Vec3) -> Vec3 {
    let x = wave(&OBSERVER[0], path, shift.x) + wave(&OBSERVER[3], path, shift.x);
    let y = wave(&OBSERVER[1], path, shift.y);
    let z = wave(&OBSERVER[2], path, shift.z);
    vec3(
        3.240_454_2 * x - 1.537_138_5 * y - 0.498_531_4 * z,
        -0.969_266 * x + 1.876_010_8 * y + 0.041_556 * z,
        0.055_643_4 * x - 0.204_025_9 * y + 1.057_225_2 * z,
    )
}

/// What lies below the film: its reflectance in a direction, and the phase of what it reflects, in
/// turns. A wave turns by half at the top of the film, and again where the film is the denser.
#[inline(always)]
fn below(f0: f32, eta: f32, weight: f32) -> (f32, f32) {
    let root = sqrt(clamp(f0, 0.0, 0.999_9));
    let base = div(1.0 + root, 1.0 - root);
    let reflected = lerp(normal_reflectance(base, eta), 1.0, weight);
    (reflected, if base < eta { 1.0 } else { 0.5 })
}

/// Reflectance along the normal that, by a weight towards the horizon, gives what the film reflects
/// in a direction.
///
/// # Shapes and units
/// - `cosine`: of the viewer's direction, above 0
/// - `ior`, `thickness`: of the film; nanometres
/// - `f0`: of what is below the film, along the normal, per RGB component
/// - `weight`: with which the result will be brought to the direction
#[inline]
#[must_use]
pub fn iridescent_f0(cosine: f32, ior: f32, thickness: f32, f0: Vec3, weight: f32) -> Vec3 {
    // A film of no thickness is not there.
    let t = saturate(div(thickness, 30.0));
    let eta = lerp(1.0, ior, t * t * (3.0 - 2.0 * t));
    let within = sqrt(1.0 - div(1.0 - cosine * cosine, eta * eta));
    let top = lerp(normal_reflectance(eta, 1.0), 1.0, schlick_weight(cosine));
    let path = 2.0 * eta * thickness * within;
    let weight_within = schlick_weight(within);
    let (rx, sx) = below(f0.x, eta, weight_within);
    let (ry, sy) = below(f0.y, eta, weight_within);
    let (rz, sz) = below(f0.z, eta, weight_within);
    let shift = vec3(sx, sy, sz);
    let first = seen(path, shift);
    let second = seen(2.0 * path, shift * 2.0);
    vec3(
        component(top, weight, rx, first.x, second.x),
        component(top, weight, ry, first.y, second.y),
        component(top, weight, rz, first.z, second.z),
    )
}

/// The direct reflection and two bounces of one component, taken back by the weight.
#[inline(always)]
fn component(top: f32, weight: f32, bottom: f32, first: f32, second: f32) -> f32 {
    let through = 1.0 - top;
    let both = clamp(top * bottom, 1e-5, 0.999_9);
    let amplitude = sqrt(both);
    let inner = div(through * through * bottom, 1.0 - both);
    let bounce = (inner - through) * amplitude;
    let value = top + inner + 2.0 * bounce * first + 2.0 * bounce * amplitude * second;
    saturate(div(value - weight, max(1.0 - weight, 1e-3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_film_changes_nothing_and_a_film_makes_colours() {
        let grey = vec3(0.04, 0.04, 0.04);
        for value in iridescent_f0(0.8, 1.3, 0.0, grey, schlick_weight(0.8)).to_array() {
            assert!((value - 0.04).abs() < 0.02, "{value}");
        }
        let mut spread = 0.0_f32;
        for step in 0..40 {
            let grey = vec3(0.3, 0.3, 0.3);
            let thickness = 100.0 + 10.0 * step as f32;
            let film = iridescent_f0(0.9, 1.5, thickness, grey, schlick_weight(0.9));
            assert!(film.to_array().iter().all(|value| (0.0..=1.0).contains(value)), "{film:?}");
            spread = spread.max((film.x - film.z).abs());
        }
        assert!(spread > 0.1, "red and blue come and go: {spread}");
    }

    #[test]
    fn the_observer_sees_waves_in_phase_as_white_light() {
        // Rec.709's white is D65 and the fits are of equal energy: red is a fifth too bright.
        for (value, wanted) in seen(0.0, Vec3::ZERO).to_array().into_iter().zip([1.2, 0.95, 0.91]) {
            assert!((value - wanted).abs() < 0.02, "{value}, wanted {wanted}");
        }
    }
}
