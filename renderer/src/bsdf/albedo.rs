//! How much the lobes reflect in all: tables by cosine and roughness, made once per process with
//! the lobes' own arithmetic, and what is read from them.

use rayon::prelude::*;

use super::DIELECTRIC_INDEX;
use super::lobe::{
    SHEEN_ROUGHNESS_MIN, fresnel_weight, refract, sample_cosine, sample_visible_normal,
    schlick_weight, sheen_value, smith_root, width_of,
};
use crate::math::{
    PI, clamp, div, dot, lerp, max, min, normalize, rcp, sqrt, truncate_to_i32, vec3,
};
use crate::tables::{
    ALBEDO_FLOATS, ALBEDO_GLASS_AT, ALBEDO_MEANS_AT, ALBEDO_SHEEN_AT, ALBEDO_SIDE, GLASS_INDICES,
    GLASS_SIDE,
};

/// The table of directional albedos, see [`albedo_table`].
pub type AlbedoTable = [f32; ALBEDO_FLOATS];

/// A reflectance along the normal and at the horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reflectance {
    /// Along the normal.
    pub f0: f32,
    /// At the horizon.
    pub f90: f32,
}

/// A table coordinate of so many steps: the cell, and the place in it. The last cell holds the end
/// too.
#[inline(always)]
fn cell_of(x: f32, steps: usize) -> (usize, f32) {
    let last = (steps - 1) as f32;
    let scaled = clamp(x * last, 0.0, last);
    let index = truncate_to_i32(scaled).clamp(0, steps as i32 - 2) as usize;
    (index, scaled - index as f32)
}

#[inline(always)]
fn cell(x: f32) -> (usize, f32) {
    cell_of(x, ALBEDO_SIDE)
}

/// What the GGX lobe reflects in one direction, scattering light once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LobeAlbedo {
    /// Where all is reflected.
    pub white: f32,
    /// With Schlick's weight.
    pub schlick: f32,
    /// With Fresnel's weight of index 1.5.
    pub fresnel: f32,
}

/// The lobe's albedos for a direction's cosine.
#[inline(always)]
#[must_use]
pub fn lobe_albedo(albedo: &AlbedoTable, cosine: f32, roughness: f32) -> LobeAlbedo {
    let (column, fx) = cell(cosine);
    let (row, fy) = cell(roughness);
    let at = (row * ALBEDO_SIDE + column) * 3;
    let below = at + ALBEDO_SIDE * 3;
    let read = |k: usize| {
        lerp(
            lerp(albedo[at + k], albedo[at + 3 + k], fx),
            lerp(albedo[below + k], albedo[below + 3 + k], fx),
            fy,
        )
    };
    LobeAlbedo { white: read(0), schlick: read(1), fresnel: read(2) }
}

/// What a white lobe loses per unit it keeps, because light is scattered once only.
#[inline(always)]
#[must_use]
pub fn lobe_loss(white: f32) -> f32 {
    let kept = clamp(white, 1e-3, 1.0);
    div(1.0 - kept, kept)
}

/// Albedo of a compensated lobe in one direction, from what a white one keeps and what its weight
/// towards the horizon keeps.
#[inline(always)]
#[must_use]
pub fn compensated(white: f32, weighted: f32, r: Reflectance) -> f32 {
    (r.f0 * (white - weighted) + r.f90 * weighted) * (1.0 + r.f0 * lobe_loss(white))
}

/// Mean of [`compensated`] over all directions, weighted by the cosine, for Fresnel's weight times
/// `rise`, see [`super::lobe::fresnel_rise`].
#[inline(always)]
#[must_use]
pub fn compensated_mean(albedo: &AlbedoTable, roughness: f32, rise: f32, r: Reflectance) -> f32 {
    let (row, fy) = cell(roughness);
    let at = ALBEDO_MEANS_AT + row * 4;
    let mean = |k: usize| lerp(albedo[at + k], albedo[at + 4 + k], fy);
    let (weighted, weighted_loss) = (mean(1) * rise, mean(3) * rise);
    r.f0 * (mean(0) - weighted + r.f0 * (mean(2) - weighted_loss))
        + r.f90 * (weighted + r.f0 * weighted_loss)
}

/// Albedo of white sheen in one direction, at most 1.
#[inline(always)]
#[must_use]
pub fn sheen_albedo(albedo: &AlbedoTable, cosine: f32, roughness: f32) -> f32 {
    let (column, fx) = cell(cosine);
    let (row, fy) = cell(roughness);
    let at = ALBEDO_SHEEN_AT + row * ALBEDO_SIDE + column;
    let below = at + ALBEDO_SIDE;
    lerp(lerp(albedo[at], albedo[at + 1], fx), lerp(albedo[below], albedo[below + 1], fx), fy)
}

/// What a rough surface of white glass reflects and transmits in all, scattering light once, seen
/// from one direction. `eta` is the index of refraction beyond the surface over the one before it.
#[inline]
#[must_use]
pub fn glass_albedo(albedo: &AlbedoTable, cosine: f32, roughness: f32, eta: f32) -> f32 {
    let is_within = eta < 1.0;
    let index = if is_within { rcp(eta) } else { eta };
    let (layer, fz) = cell_of((index - 1.0) * 0.5, GLASS_INDICES);
    let (column, fx) = cell_of(cosine, GLASS_SIDE);
    let (row, fy) = cell_of(roughness, GLASS_SIDE);
    let side = if is_within { GLASS_INDICES } else { 0 };
    let plane = |layer: usize| {
        let at = ALBEDO_GLASS_AT + ((side + layer) * GLASS_SIDE + row) * GLASS_SIDE + column;
        let below = at + GLASS_SIDE;
        lerp(lerp(albedo[at], albedo[at + 1], fx), lerp(albedo[below], albedo[below + 1], fx), fy)
    };
    lerp(plane(layer), plane(layer + 1), fz)
}

/// All tables one after the other.
///
/// # Shapes
/// See [`ALBEDO_FLOATS`]: roughness grows by row, cosine by column, both from 0 to 1
/// inclusive. First [`LobeAlbedo`] per cell; then, per roughness, the means of its `white` and
/// `fresnel`, and of both times the loss; then the albedo of sheen per cell; last that of glass, by side, index, roughness and
/// cosine.
#[must_use]
pub fn albedo_table() -> Box<AlbedoTable> {
    let mut table = Box::new([0.0; ALBEDO_FLOATS]);
    let last = (ALBEDO_SIDE - 1) as f32;
    let cosine_of = |at: usize| max(div((at % ALBEDO_SIDE) as f32, last), 1e-3);
    let roughness_of = |at: usize| div((at / ALBEDO_SIDE) as f32, last);
    // Cells do not depend on each other: any number of threads gives the same table.
    let cells = || (0..ALBEDO_SIDE * ALBEDO_SIDE).into_par_iter();
    let lobes: Vec<[f32; 3]> =
        cells().map(|at| integrate_lobe(cosine_of(at), width_of(roughness_of(at)))).collect();
    table[..ALBEDO_MEANS_AT].copy_from_slice(lobes.as_flattened());
    for row in 0..ALBEDO_SIDE {
        let mut sums = [0.0; 4];
        let steps = 256;
        for step in 0..steps {
            let cosine = (step as f32 + 0.5) * rcp(steps as f32);
            let lobe = lobe_albedo(&table, cosine, div(row as f32, last));
            let (white, fresnel) = (lobe.white, lobe.fresnel);
            let loss = lobe_loss(white);
            for (sum, value) in sums.iter_mut().zip([white, fresnel, white * loss, fresnel * loss])
            {
                *sum += value * cosine;
            }
        }
        let means = sums.map(|sum| sum * 2.0 * rcp(steps as f32));
        table[ALBEDO_MEANS_AT + row * 4..][..4].copy_from_slice(&means);
    }
    let sheens: Vec<f32> = cells()
        .map(|at| integrate_sheen(cosine_of(at), max(roughness_of(at), SHEEN_ROUGHNESS_MIN)))
        .collect();
    table[ALBEDO_SHEEN_AT..ALBEDO_GLASS_AT].copy_from_slice(&sheens);
    let plane = GLASS_SIDE * GLASS_SIDE;
    table[ALBEDO_GLASS_AT..].par_iter_mut().enumerate().for_each(|(at, kept)| {
        let (layer, at) = (at / plane, at % plane);
        // At 1 nothing bends, and a half vector would have no direction.
        let step = (layer % GLASS_INDICES) as f32;
        let index = max(1.0 + 2.0 * div(step, (GLASS_INDICES - 1) as f32), 1.001);
        let eta = if layer < GLASS_INDICES { index } else { rcp(index) };
        let last = (GLASS_SIDE - 1) as f32;
        let width = width_of(div((at / GLASS_SIDE) as f32, last));
        *kept = integrate_glass(max(div((at % GLASS_SIDE) as f32, last), 1e-3), width, eta);
    });
    table
}

/// Steps of the integrals, in each of two directions.
const STEPS: usize = 24;

/// The places of a square's cells.
fn places() -> impl Iterator<Item = (f32, f32)> {
    let at = |k: usize| (k as f32 + 0.5) * rcp(STEPS as f32);
    (0..STEPS * STEPS).map(move |k| (at(k / STEPS), at(k % STEPS)))
}

/// Integrates the lobe over all directions: [`LobeAlbedo`]'s fields.
fn integrate_lobe(cosine: f32, width: f32) -> [f32; 3] {
    let view = vec3(sqrt(1.0 - cosine * cosine), 0.0, cosine);
    let width_squared = width * width;
    let root_view = smith_root(cosine, width_squared);
    let mut sums = [0.0; 3];
    for (u, v) in places() {
        let half = sample_visible_normal(view, (width, width), u, v);
        let light = half * (2.0 * dot(view, half)) - view;
        if light.z <= 0.0 {
            continue;
        }
        let root_light = smith_root(light.z, width_squared);
        let kept = div(light.z * (cosine + root_view), light.z * root_view + cosine * root_light);
        let cos_half = dot(view, half);
        let weights = [1.0, schlick_weight(cos_half), fresnel_weight(cos_half, DIELECTRIC_INDEX)];
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum += kept * weight;
        }
    }
    let scale = rcp((STEPS * STEPS) as f32);
    sums.map(|sum| min(sum * scale, 1.0))
}

fn integrate_glass(cosine: f32, width: f32, eta: f32) -> f32 {
    let view = vec3(sqrt(1.0 - cosine * cosine), 0.0, cosine);
    let width_squared = width * width;
    let root_view = smith_root(cosine, width_squared);
    let ratio = div(eta - 1.0, eta + 1.0);
    let kept = |out: f32| {
        let root = smith_root(out, width_squared);
        div(out * (cosine + root_view), out * root_view + cosine * root)
    };
    let mut sum = 0.0;
    for (u, v) in places() {
        let half = sample_visible_normal(view, (width, width), u, v);
        let weight = fresnel_weight(dot(view, half), eta);
        let fresnel = lerp(ratio * ratio, 1.0, weight);
        let mirrored = half * (2.0 * dot(view, half)) - view;
        if mirrored.z > 0.0 {
            sum += fresnel * kept(mirrored.z);
        }
        let bent = refract(view, half, eta);
        if bent.z < 0.0 {
            sum += (1.0 - fresnel) * kept(-bent.z);
        }
    }
    clamp(sum * rcp((STEPS * STEPS) as f32), 0.1, 1.0)
}

fn integrate_sheen(cosine: f32, roughness: f32) -> f32 {
    let view = vec3(sqrt(1.0 - cosine * cosine), 0.0, cosine);
    let mut sum = 0.0;
    for (u, v) in places() {
        let light = sample_cosine(u, v);
        let half = normalize(view + light);
        let sine_squared = half.x * half.x + half.y * half.y;
        sum += div(sheen_value(sine_squared, cosine, light.z, roughness) * PI, light.z);
    }
    min(sum * rcp((STEPS * STEPS) as f32), 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lobe_without_loss_keeps_nearly_all() {
        let table = albedo_table();
        assert_eq!(table.len(), ALBEDO_FLOATS);
        assert!(table[..ALBEDO_MEANS_AT].iter().all(|value| (0.0..=1.0).contains(value)));
        let smooth = lobe_albedo(&table, 0.7, 0.05).white;
        assert!(smooth > 0.99, "smooth surfaces lose little: {smooth}");
        let rough = lobe_albedo(&table, 0.7, 1.0).white;
        assert!(rough > 0.3 && rough < 0.5, "rough ones lose more than half: {rough}");
    }

    #[test]
    fn sheen_is_a_rim() {
        let table = albedo_table();
        for roughness in [0.2, 0.5, 1.0] {
            let [front, rim] = [1.0, 0.1].map(|cosine| sheen_albedo(&table, cosine, roughness));
            assert!(front < rim && rim <= 1.0, "{roughness}: {front} {rim}");
        }
    }

    #[test]
    fn the_mean_is_that_of_the_directions() {
        let table = albedo_table();
        let r = Reflectance { f0: 0.3, f90: 0.8 };
        let steps = 2000;
        let sum: f64 = (0..steps)
            .map(|i| {
                let cosine = (i as f32 + 0.5) / steps as f32;
                let lobe = lobe_albedo(&table, cosine, 0.6);
                f64::from(compensated(lobe.white, lobe.fresnel * 0.7, r) * cosine * 2.0)
                    / f64::from(steps)
            })
            .sum();
        assert!((f64::from(compensated_mean(&table, 0.6, 0.7, r)) - sum).abs() < 1e-3);
    }
}
