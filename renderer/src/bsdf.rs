//! How a surface scatters: glTF's metallic-roughness model (glTF 2.0, appendix B), with energy.
//!
//! A GGX lobe over a diffuse one. The lobe gets back what single scattering loses (Turquin,
//! "Practical multiple scattering compensation for microfacet models", 2019); the diffuse lobe
//! gets what the dielectric's lobe leaves, the same way round for light and viewer (Kulla and
//! Conty, "Revisiting physically based shading", 2017). Metal and dielectric are blended.
//!
//! Directions are in the shading frame, z along the normal, both away from the surface.

use crate::RenderScene;
use crate::math::{
    INV_PI, PI, Vec3, clamp, div, dot, lerp, luminance, max, min, normalize, rcp, sin_cos_turns,
    sqrt, vec3,
};
use crate::surface::Surface;
use crate::tables::ALBEDO_SIDE;

/// Smallest GGX width: smoother surfaces are rendered as this one.
pub const WIDTH_MIN: f32 = 1e-3;
/// Reflectance of a dielectric along its normal (glTF: index of refraction 1.5).
pub const DIELECTRIC_F0: f32 = 0.04;
/// Directions closer to the horizon scatter nothing.
const COSINE_MIN: f32 = 1e-6;

/// A surface point's scattering, seen from one direction.
#[derive(Debug, Clone, Copy)]
pub struct Bsdf {
    /// Direction to the viewer.
    pub view: Vec3,
    /// Albedo of the diffuse lobe before coupling.
    pub diffuse: Vec3,
    /// Reflectance of the metal along its normal.
    pub metal_f0: Vec3,
    /// 0 dielectric, 1 metal.
    pub metallic: f32,
    /// Perceptual roughness.
    pub roughness: f32,
    /// GGX width squared.
    pub width_squared: f32,
    /// GGX width.
    pub width: f32,
    /// What the lobe loses per unit it keeps, for the viewer's direction.
    pub loss: f32,
    /// Share of light the dielectric's lobe leaves to the diffuse one, for the viewer's direction
    /// and divided by the mean over all.
    pub left_view: f32,
    /// Probability of sampling the lobe rather than the diffuse one.
    pub lobe_probability: f32,
}

/// Scattering towards one direction.
#[derive(Debug, Clone, Copy)]
pub struct Scatter {
    /// Value times the cosine of the direction.
    pub value: Vec3,
    /// Density of sampling the direction, per steradian.
    pub density: f32,
}

impl Scatter {
    /// None at all.
    pub const NONE: Self = Self { value: Vec3::ZERO, density: 0.0 };
}

/// GGX width of a perceptual roughness.
#[inline(always)]
#[must_use]
pub fn width_of(roughness: f32) -> f32 {
    max(roughness * roughness, WIDTH_MIN)
}

/// Albedo of the lobe as `(a, b)`: reflectance `f0` along the normal gives `f0·a + b`.
#[inline(always)]
#[must_use]
pub fn lobe_albedo(albedo: &[f32], cosine: f32, roughness: f32) -> (f32, f32) {
    let last = (ALBEDO_SIDE - 1) as f32;
    let x = clamp(cosine * last, 0.0, last);
    let y = clamp(roughness * last, 0.0, last);
    let column = min_index(x);
    let row = min_index(y);
    let fx = x - column as f32;
    let fy = y - row as f32;
    let at = (row * ALBEDO_SIDE + column) * 2;
    let below = at + ALBEDO_SIDE * 2;
    (
        lerp(lerp(albedo[at], albedo[at + 2], fx), lerp(albedo[below], albedo[below + 2], fx), fy),
        lerp(
            lerp(albedo[at + 1], albedo[at + 3], fx),
            lerp(albedo[below + 1], albedo[below + 3], fx),
            fy,
        ),
    )
}

/// The cell of a table coordinate: the last cell holds the end too.
#[inline(always)]
fn min_index(x: f32) -> usize {
    (x as i32).clamp(0, ALBEDO_SIDE as i32 - 2) as usize
}

/// Mean albedo of the dielectric's compensated lobe over all directions.
#[inline(always)]
#[must_use]
pub fn dielectric_mean(albedo: &[f32], roughness: f32) -> f32 {
    let last = (ALBEDO_SIDE - 1) as f32;
    let y = clamp(roughness * last, 0.0, last);
    let row = min_index(y);
    let at = ALBEDO_SIDE * ALBEDO_SIDE * 2 + row;
    lerp(albedo[at], albedo[at + 1], y - row as f32)
}

/// Albedo of the dielectric's compensated lobe in one direction.
#[inline(always)]
#[must_use]
pub fn dielectric_albedo(a: f32, b: f32) -> f32 {
    let loss = lobe_loss(a, b);
    (DIELECTRIC_F0 * a + b) * (1.0 + DIELECTRIC_F0 * loss)
}

#[inline(always)]
fn lobe_loss(a: f32, b: f32) -> f32 {
    let kept = clamp(a + b, 1e-3, 1.0);
    div(1.0 - kept, kept)
}

/// Prepares a surface's scattering for the direction to the viewer.
#[inline]
#[must_use]
pub fn bsdf_of(scene: &RenderScene, surface: &Surface, view: Vec3) -> Bsdf {
    let (a, b) = lobe_albedo(&scene.albedo, view.z, surface.roughness);
    let loss = lobe_loss(a, b);
    let dielectric = dielectric_albedo(a, b);
    let mean = dielectric_mean(&scene.albedo, surface.roughness);
    let diffuse = surface.base_color * (1.0 - surface.metallic);
    let f0 = luminance(surface.base_color);
    let metal = (f0 * a + b) * (1.0 + f0 * loss);
    let lobe = lerp(dielectric, metal, surface.metallic);
    let rest = luminance(diffuse) * (1.0 - dielectric);
    let both = lobe + rest;
    let width = width_of(surface.roughness);
    Bsdf {
        view,
        diffuse,
        metal_f0: surface.base_color,
        metallic: surface.metallic,
        roughness: surface.roughness,
        width_squared: width * width,
        width,
        loss,
        left_view: div(1.0 - dielectric, max(1.0 - mean, 1e-3)),
        lobe_probability: if both > 0.0 { div(lobe, both) } else { 1.0 },
    }
}

/// Height distribution of GGX (Trowbridge-Reitz), from the half vector's components.
#[inline(always)]
#[must_use]
pub fn ggx_distribution(half: Vec3, width_squared: f32) -> f32 {
    let t = half.x * half.x + half.y * half.y + width_squared * half.z * half.z;
    div(width_squared, PI * t * t)
}

/// `sqrt(w² + (1 - w²)·cos²)`: the root in Smith's masking for GGX.
#[inline(always)]
#[must_use]
pub fn smith_root(cosine: f32, width_squared: f32) -> f32 {
    sqrt(width_squared + (1.0 - width_squared) * cosine * cosine)
}

/// Schlick's weight, `(1 - cos)⁵`.
#[inline(always)]
#[must_use]
pub fn schlick_weight(cosine: f32) -> f32 {
    let m = clamp(1.0 - cosine, 0.0, 1.0);
    let squared = m * m;
    squared * squared * m
}

/// Value and density for a direction.
#[inline]
#[must_use]
pub fn evaluate(scene: &RenderScene, bsdf: &Bsdf, light: Vec3) -> Scatter {
    let (cos_view, cos_light) = (bsdf.view.z, light.z);
    if cos_view < COSINE_MIN || cos_light < COSINE_MIN {
        return Scatter::NONE;
    }

    // The lobe: distribution times visibility, height-correlated (Heitz 2014).
    let half = normalize(bsdf.view + light);
    let root_view = smith_root(cos_view, bsdf.width_squared);
    let root_light = smith_root(cos_light, bsdf.width_squared);
    let distribution = ggx_distribution(half, bsdf.width_squared);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let weight = schlick_weight(dot(bsdf.view, half));
    let dielectric = lerp(DIELECTRIC_F0, 1.0, weight)
        * (1.0 + DIELECTRIC_F0 * bsdf.loss)
        * (1.0 - bsdf.metallic);
    let f0 = bsdf.metal_f0;
    let metal = vec3(
        lerp(f0.x, 1.0, weight) * (1.0 + f0.x * bsdf.loss),
        lerp(f0.y, 1.0, weight) * (1.0 + f0.y * bsdf.loss),
        lerp(f0.z, 1.0, weight) * (1.0 + f0.z * bsdf.loss),
    );
    let fresnel = metal * bsdf.metallic + vec3(dielectric, dielectric, dielectric);
    let lobe = fresnel * (distribution * visibility * cos_light);
    let lobe_density = div(distribution, 2.0 * (cos_view + root_view));

    // The diffuse lobe gets what the dielectric's lobe leaves.
    let (a, b) = lobe_albedo(&scene.albedo, cos_light, bsdf.roughness);
    let left_light = 1.0 - dielectric_albedo(a, b);
    let diffuse = bsdf.diffuse * (bsdf.left_view * left_light * INV_PI * cos_light);
    let diffuse_density = cos_light * INV_PI;
    Scatter {
        value: lobe + diffuse,
        density: lerp(diffuse_density, lobe_density, bsdf.lobe_probability),
    }
}

/// A direction to go on, from two numbers for it and one for the lobe.
#[inline]
#[must_use]
pub fn sample_direction(bsdf: &Bsdf, choice: f32, u: f32, v: f32) -> Vec3 {
    if choice < bsdf.lobe_probability {
        let half = sample_visible_normal(bsdf.view, bsdf.width, u, v);
        half * (2.0 * dot(bsdf.view, half)) - bsdf.view
    } else {
        sample_cosine(u, v)
    }
}

/// A direction with density cos/π (Malley's method).
#[inline(always)]
#[must_use]
pub fn sample_cosine(u: f32, v: f32) -> Vec3 {
    let (sin, cos) = sin_cos_turns(u);
    let radius = sqrt(v);
    vec3(radius * cos, radius * sin, sqrt(1.0 - v))
}

/// A normal of GGX that is seen from `view` (Dupuy and Benyoub, "Sampling visible GGX normals with
/// spherical caps", HPG 2023).
#[inline(always)]
#[must_use]
pub fn sample_visible_normal(view: Vec3, width: f32, u: f32, v: f32) -> Vec3 {
    let stretched = normalize(vec3(view.x * width, view.y * width, view.z));
    let (sin, cos) = sin_cos_turns(u);
    let z = (1.0 - v) * (1.0 + stretched.z) - stretched.z;
    let radius = sqrt(clamp(1.0 - z * z, 0.0, 1.0));
    let half = vec3(radius * cos, radius * sin, z) + stretched;
    normalize(vec3(half.x * width, half.y * width, max(half.z, 1e-7)))
}

/// Rows and columns of the albedo table, made once per process with this module's own arithmetic.
///
/// # Shapes
/// See [`crate::tables::ALBEDO_FLOATS`]: roughness grows by row, cosine by column, both from 0 to 1
/// inclusive; `(a, b)` per cell; then the mean of [`dielectric_albedo`] per row.
#[must_use]
pub fn albedo_table() -> Vec<f32> {
    let mut table = Vec::with_capacity(crate::tables::ALBEDO_FLOATS);
    let last = (ALBEDO_SIDE - 1) as f32;
    for row in 0..ALBEDO_SIDE {
        let width = width_of(div(row as f32, last));
        for column in 0..ALBEDO_SIDE {
            let cosine = max(div(column as f32, last), 1e-3);
            let (a, b) = integrate_lobe(cosine, width);
            table.extend([a, b]);
        }
    }
    for row in 0..ALBEDO_SIDE {
        let mut sum = 0.0;
        let steps = 256;
        for step in 0..steps {
            let cosine = (step as f32 + 0.5) * rcp(steps as f32);
            let (a, b) = lobe_albedo(&table, cosine, div(row as f32, last));
            sum += dielectric_albedo(a, b) * cosine;
        }
        table.push(sum * 2.0 * rcp(steps as f32));
    }
    table
}

/// Integrates the lobe over all directions, once without and once with Schlick's weight.
fn integrate_lobe(cosine: f32, width: f32) -> (f32, f32) {
    let view = vec3(sqrt(1.0 - cosine * cosine), 0.0, cosine);
    let width_squared = width * width;
    let root_view = smith_root(cosine, width_squared);
    let side = 24;
    let (mut a, mut b) = (0.0, 0.0);
    for i in 0..side {
        for j in 0..side {
            let u = (i as f32 + 0.5) * rcp(side as f32);
            let v = (j as f32 + 0.5) * rcp(side as f32);
            let half = sample_visible_normal(view, width, u, v);
            let light = half * (2.0 * dot(view, half)) - view;
            if light.z <= 0.0 {
                continue;
            }
            let root_light = smith_root(light.z, width_squared);
            let kept =
                div(light.z * (cosine + root_view), light.z * root_view + cosine * root_light);
            let weight = schlick_weight(dot(view, half));
            a += kept * (1.0 - weight);
            b += kept * weight;
        }
    }
    let scale = rcp((side * side) as f32);
    (min(a * scale, 1.0), min(b * scale, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lobe_without_loss_keeps_nearly_all() {
        let table = albedo_table();
        assert_eq!(table.len(), crate::tables::ALBEDO_FLOATS);
        assert!(table.iter().all(|value| (0.0..=1.0).contains(value)));
        let (a, b) = lobe_albedo(&table, 0.7, 0.05);
        assert!(a + b > 0.99, "smooth surfaces lose little: {a} {b}");
        let (a, b) = lobe_albedo(&table, 0.7, 1.0);
        assert!(a + b > 0.3 && a + b < 0.5, "rough ones lose more than half: {a} {b}");
    }

    #[test]
    fn visible_normals_are_unit_and_upward() {
        for i in 0..100 {
            let (u, v) = (i as f32 / 100.0, (i * 37 % 100) as f32 / 100.0);
            let view = normalize(vec3(0.9, -0.2, 0.05));
            let half = sample_visible_normal(view, 0.3, u, v);
            assert!((dot(half, half) - 1.0).abs() < 1e-5 && half.z > 0.0);
            assert!(dot(half, view) > -1e-6, "it is seen");
        }
    }
}
