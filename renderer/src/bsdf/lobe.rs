//! The lobes that layers are made of: GGX, Charlie's sheen, the cosine lobe.
//!
//! Directions are in the lobe's own frame, z along its normal.

use crate::math::{
    INV_PI, PI, Vec3, clamp, div, dot, lerp, max, min, normalize, power, rcp, sin_cos_turns, sqrt,
    vec3,
};

/// Smallest GGX width: smoother surfaces are rendered as this one.
pub const WIDTH_MIN: f32 = 1e-3;
/// Smallest roughness of sheen: below it the lobe is a rim that no sampling finds.
pub const SHEEN_ROUGHNESS_MIN: f32 = 0.1;

/// GGX width of a perceptual roughness.
#[inline(always)]
#[must_use]
pub fn width_of(roughness: f32) -> f32 {
    max(roughness * roughness, WIDTH_MIN)
}

/// GGX widths along the frame's x and y.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Widths {
    /// Along x.
    pub x: f32,
    /// Along y.
    pub y: f32,
    /// `x · y`.
    pub product: f32,
    /// `y / x`.
    pub ratio: f32,
    /// `x / y`.
    pub inverse: f32,
}

impl Widths {
    /// Of a perceptual roughness, stretched along x (`KHR_materials_anisotropy`).
    #[inline(always)]
    #[must_use]
    pub fn of(roughness: f32, anisotropy: f32) -> Self {
        let y = width_of(roughness);
        let x = lerp(y, 1.0, anisotropy * anisotropy);
        Self { x, y, product: x * y, ratio: div(y, x), inverse: div(x, y) }
    }

    /// The roughness whose round lobe loses about as much: losses grow with the square of a width.
    #[inline(always)]
    #[must_use]
    pub fn roughness(&self) -> f32 {
        sqrt(sqrt((self.x * self.x + self.y * self.y) * 0.5))
    }

    /// Height distribution of GGX for a half vector.
    #[inline(always)]
    #[must_use]
    pub fn distribution(&self, half: Vec3) -> f32 {
        let t = half.x * half.x * self.ratio
            + half.y * half.y * self.inverse
            + self.product * half.z * half.z;
        div(self.product, PI * t * t)
    }

    /// The root in Smith's masking for GGX.
    #[inline(always)]
    #[must_use]
    pub fn root(&self, v: Vec3) -> f32 {
        let stretched = vec3(v.x * self.x, v.y * self.y, v.z);
        sqrt(dot(stretched, stretched))
    }
}

/// Height distribution of GGX (Trowbridge-Reitz) from the half vector: its squared sine and its
/// cosine.
#[inline(always)]
#[must_use]
pub fn ggx_distribution(sine_squared: f32, cosine: f32, width_squared: f32) -> f32 {
    let t = sine_squared + width_squared * cosine * cosine;
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

/// Fresnel's reflectance of a dielectric without colour, between 0 along the normal and 1 at the
/// horizon and for total reflection: what stands where glTF puts Schlick's weight.
///
/// `eta` is the index of refraction beyond the surface over the one before it. The form is Cook
/// and Torrance's ("A reflectance model for computer graphics", 1982).
#[inline(always)]
#[must_use]
pub fn fresnel_weight(cosine: f32, eta: f32) -> f32 {
    let cosine = clamp(cosine, 0.0, 1.0);
    let squared = eta * eta - 1.0 + cosine * cosine;
    let bent = sqrt(max(squared, 0.0));
    let across = div(bent - cosine, bent + cosine);
    let along = div(cosine * (bent + cosine) - 1.0, cosine * (bent - cosine) + 1.0);
    let reflected = 0.5 * across * across * (1.0 + along * along);
    let ratio = div(eta - 1.0, eta + 1.0);
    let normal = ratio * ratio;
    let weight = clamp(div(reflected - normal, 1.0 - normal), 0.0, 1.0);
    if squared > 0.0 { weight } else { 1.0 }
}

/// Mean of [`fresnel_weight`] over all directions in means of that of index 1.5.
///
/// From the mean reflectance's fit by Kulla and Conty ("Revisiting physically based shading", 2017)
/// for indices of 1 to 3.
#[inline(always)]
#[must_use]
pub fn fresnel_rise(index: f32) -> f32 {
    let mean = div(index - 1.0, 4.085_67 + 1.000_71 * index);
    let ratio = div(index - 1.0, index + 1.0);
    let normal = ratio * ratio;
    clamp(div(mean - normal, (1.0 - normal) * 0.051_56), 0.0, 2.0)
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
pub fn sample_visible_normal(view: Vec3, (x, y): (f32, f32), u: f32, v: f32) -> Vec3 {
    let stretched = normalize(vec3(view.x * x, view.y * y, view.z));
    let (sin, cos) = sin_cos_turns(u);
    let z = (1.0 - v) * (1.0 + stretched.z) - stretched.z;
    let radius = sqrt(clamp(1.0 - z * z, 0.0, 1.0));
    let half = vec3(radius * cos, radius * sin, z) + stretched;
    normalize(vec3(half.x * x, half.y * y, max(half.z, 1e-7)))
}

/// `view` refracted about `half`; along the surface where it is reflected in total.
#[inline(always)]
#[must_use]
pub fn refract(view: Vec3, half: Vec3, eta: f32) -> Vec3 {
    let cosine = dot(view, half);
    let beyond = 1.0 - div(1.0 - cosine * cosine, eta * eta);
    if beyond > 0.0 {
        half * (div(cosine, eta) - sqrt(beyond)) - view * rcp(eta)
    } else {
        Vec3::ZERO
    }
}

/// Sheen towards a light, its cosine included, for a white fibre.
///
/// Charlie's distribution (Estevez and Kulla, "Production friendly microfacet sheen BRDF", 2017)
/// with Neubelt's visibility, as glTF's `KHR_materials_sheen` gives them.
#[inline(always)]
#[must_use]
pub fn sheen_value(half_sine_squared: f32, cos_view: f32, cos_light: f32, roughness: f32) -> f32 {
    let exponent = rcp(roughness * roughness);
    let distribution = (2.0 + exponent) * (0.5 * INV_PI) * power(half_sine_squared, exponent * 0.5);
    let visibility = div(0.25, cos_light + cos_view - cos_light * cos_view);
    min(distribution * visibility * cos_light, 1e6)
}
