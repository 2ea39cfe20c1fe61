//! How a surface scatters: glTF's material model (glTF 2.0, appendix B, and the `KHR_materials_`
//! extensions) as one layered BSDF that keeps the energy.
//!
//! ```text
//!   sheen      Charlie                                   ┐ each leaves the rest of its albedo,
//!   coat       GGX, reflectance 0.04, a normal of its own ┘ seen from the viewer, to what is below
//!   base       metal | dielectric by `metallic`:
//!              GGX lobe over diffuse | GGX transmission by `transmission`;
//!              the diffuse lobe on both sides by `translucency`
//! ```
//!
//! The GGX lobe gets back what single scattering loses (Turquin, "Practical multiple scattering
//! compensation for microfacet models", 2019), glass its reflection and transmission together; the
//! diffuse lobe gets what the dielectric's lobe leaves, the same way round for light and viewer (Kulla and Conty, "Revisiting physically based
//! shading", 2017). Transmission is Walter et al.'s (EGSR 2007), carrying radiance over the squared
//! index of refraction, so that entering and leaving a body need no factor.
//!
//! Directions are in the shading frame, z along the normal, both away from the surface.

pub mod albedo;
pub mod iridescence;
pub mod lobe;

use crate::math::{
    INV_PI, Vec3, abs, cross, div, dot, frame_of, lerp, lerp3, luminance, max, max_component,
    normalize, normalize_or, rcp, vec3,
};
use crate::surface::Surface;
use albedo::{
    AlbedoTable, LobeAlbedo, Reflectance, compensated, compensated_mean, glass_albedo, lobe_albedo,
    lobe_loss, sheen_albedo,
};
use iridescence::iridescent_f0;
use lobe::{
    Widths, fresnel_weight, ggx_distribution, refract, sample_cosine, sample_visible_normal,
    schlick_weight, sheen_value, smith_root, width_of,
};

/// Reflectance of a dielectric along its normal (glTF: index of refraction 1.5).
pub const DIELECTRIC_F0: f32 = 0.04;
/// Index of refraction of a dielectric that says nothing else.
pub const DIELECTRIC_INDEX: f32 = 1.5;
/// The coat's: index of refraction 1.5 (`KHR_materials_clearcoat`).
const COAT: Reflectance = Reflectance { f0: DIELECTRIC_F0, f90: 1.0 };
/// Directions closer to the horizon scatter nothing.
const COSINE_MIN: f32 = 1e-6;

/// A surface point's scattering, seen from one direction.
#[derive(Debug, Clone, Copy)]
pub struct Bsdf {
    /// Direction to the viewer.
    pub view: Vec3,
    /// Albedo of the diffuse lobe before coupling.
    pub diffuse: Vec3,
    /// Albedo of the diffuse lobe beyond the surface before coupling.
    pub behind: Vec3,
    /// What is transmitted before Fresnel's share.
    pub transmitted: Vec3,
    /// Reflectance of the metal along its normal.
    pub metal_f0: Vec3,
    /// 0 dielectric, 1 metal.
    pub metallic: f32,
    /// Reflectance of the dielectric along its normal.
    pub f0: Vec3,
    /// Its reflectance at the horizon.
    pub f90: f32,
    /// Index of refraction by which it rises to that: beyond the surface over before it.
    pub bend: f32,
    /// How much it rises in all, see [`lobe::fresnel_rise`].
    pub rise: f32,
    /// The dielectric's compensation for single scattering.
    pub gain: Vec3,
    /// The transmission's.
    pub transmitted_gain: f32,
    /// Index of refraction beyond the surface over the one before it; 1 where the wall is thin.
    pub eta: f32,
    /// Whether what passes goes straight on.
    pub is_thin: bool,
    /// Perceptual roughness of a round lobe.
    pub roughness: f32,
    /// GGX widths.
    pub widths: Widths,
    /// What the lobe loses per unit it keeps, for the viewer's direction.
    pub loss: f32,
    /// Share of light the dielectric's lobe leaves to the diffuse one, for the viewer's direction
    /// and divided by the mean over all.
    pub left_view: f32,
    /// Strength of the coat, 0..=1.
    pub coat: f32,
    /// GGX width of the coat.
    pub coat_width: f32,
    /// The coat's compensation for single scattering.
    pub coat_gain: f32,
    /// The coat's normal in this frame.
    pub coat_normal: Vec3,
    /// Colour of the sheen.
    pub sheen: Vec3,
    /// Roughness of the sheen.
    pub sheen_roughness: f32,
    /// What coat and sheen leave of the base.
    pub left: f32,
    /// What the sheen leaves of the coat.
    pub left_coat: f32,
    /// Whether nothing but the diffuse lobe scatters.
    pub is_matte: bool,
    /// Probabilities of sampling the lobes; they add up to 1.
    pub shares: Shares,
}

/// Probabilities of sampling each lobe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// The base's GGX reflection.
    pub lobe: f32,
    /// Through the surface.
    pub transmission: f32,
    /// The coat's GGX reflection.
    pub coat: f32,
    /// The diffuse lobe and the sheen: a cosine.
    pub cosine: f32,
    /// The diffuse lobe beyond the surface: a cosine.
    pub behind: f32,
}

/// Scattering towards one direction.
#[derive(Debug, Clone, Copy)]
pub struct Scatter {
    /// Value times the cosine of the direction.
    pub value: Vec3,
    /// The part of it that diffuse reflection and sheen make: for light passes.
    pub diffuse: Vec3,
    /// Density of sampling the direction, per steradian.
    pub density: f32,
}

impl Bsdf {
    /// A black matte surface seen along its normal: what the rest of this module makes of one.
    const MATTE: Self = Self {
        view: vec3(0.0, 0.0, 1.0),
        diffuse: Vec3::ZERO,
        behind: Vec3::ZERO,
        transmitted: Vec3::ZERO,
        metal_f0: Vec3::ZERO,
        metallic: 0.0,
        f0: Vec3::ZERO,
        f90: 0.0,
        bend: DIELECTRIC_INDEX,
        rise: 1.0,
        gain: Vec3::ONE,
        transmitted_gain: 1.0,
        eta: 1.0,
        is_thin: true,
        roughness: 1.0,
        widths: Widths { x: 1.0, y: 1.0, product: 1.0, ratio: 1.0, inverse: 1.0 },
        loss: 0.0,
        left_view: 1.0,
        coat: 0.0,
        coat_width: 0.0,
        coat_gain: 1.0,
        coat_normal: vec3(0.0, 0.0, 1.0),
        sheen: Vec3::ZERO,
        sheen_roughness: 1.0,
        left: 1.0,
        left_coat: 1.0,
        is_matte: true,
        shares: Shares { lobe: 0.0, transmission: 0.0, coat: 0.0, cosine: 1.0, behind: 0.0 },
    };
}

impl Scatter {
    /// None at all.
    pub const NONE: Self = Self { value: Vec3::ZERO, diffuse: Vec3::ZERO, density: 0.0 };
}

/// Prepares a surface's scattering for the direction to the viewer.
#[inline(always)]
#[must_use]
pub fn bsdf_of(albedo: &AlbedoTable, surface: &Surface, view: Vec3) -> Bsdf {
    if surface.is_matte {
        return Bsdf { view, diffuse: surface.base_color, ..Bsdf::MATTE };
    }
    let widths = Widths::of(surface.roughness, surface.anisotropy);
    let roughness = if surface.anisotropy > 0.0 { widths.roughness() } else { surface.roughness };
    let kept = lobe_albedo(albedo, view.z, roughness);
    let loss = lobe_loss(kept.white);
    let bend = if surface.is_thin { surface.index } else { surface.eta };
    let weight = fresnel_weight(view.z, bend);
    // A thin film changes the reflectances below it, seen from the viewer.
    let (mut f0, mut metal_f0) = (surface.f0, surface.base_color);
    if surface.iridescence > 0.0 {
        let film = |f0: Vec3, weight: f32| {
            let (ior, thickness) = (surface.iridescence_ior, surface.iridescence_thickness);
            lerp3(f0, iridescent_f0(view.z, ior, thickness, f0, weight), surface.iridescence)
        };
        f0 = film(f0, weight);
        metal_f0 = film(metal_f0, schlick_weight(view.z));
    }
    let highest = Reflectance { f0: max_component(f0), f90: surface.f90 };
    let dielectric = compensated(kept.white, kept.fresnel * surface.rise, highest);
    let mean = compensated_mean(albedo, roughness, surface.rise, highest);
    let body = surface.base_color * (1.0 - surface.metallic);
    let opaque = 1.0 - surface.transmission;
    let diffuse = body * (opaque * (1.0 - surface.translucency));
    let behind = surface.translucent * ((1.0 - surface.metallic) * opaque * surface.translucency);

    // The base's shares.
    let metal_lobe = Reflectance { f0: luminance(metal_f0), f90: 1.0 };
    let metal = compensated(kept.white, kept.schlick, metal_lobe);
    let reflected = lerp(highest.f0, highest.f90, weight);
    let lobe = lerp(lerp(dielectric, reflected, surface.transmission), metal, surface.metallic);
    let rest = luminance(diffuse) * (1.0 - dielectric);
    let rest_behind =
        if surface.translucency > 0.0 { luminance(behind) * (1.0 - dielectric) } else { 0.0 };
    let transmitted = body * surface.transmission;
    // Where the surface as a whole reflects all, some of its microfacets still let light through.
    let through = if surface.transmission > 0.0 {
        luminance(transmitted) * max(1.0 - reflected, 0.5 * widths.x)
    } else {
        0.0
    };
    let through_gain = if surface.is_thin {
        1.0 + loss
    } else {
        rcp(glass_albedo(albedo, view.z, roughness, surface.eta))
    };
    let gain_of = |f0: f32| (1.0 + f0 * loss) * opaque + through_gain * surface.transmission;

    // The layers above.
    let mut bsdf = Bsdf {
        view,
        diffuse,
        behind,
        transmitted,
        metal_f0,
        metallic: surface.metallic,
        f0,
        f90: surface.f90,
        bend,
        rise: surface.rise,
        gain: vec3(gain_of(f0.x), gain_of(f0.y), gain_of(f0.z)),
        transmitted_gain: through_gain,
        eta: surface.eta,
        is_thin: surface.is_thin,
        roughness,
        widths,
        loss,
        left_view: div(1.0 - dielectric, max(1.0 - mean, 1e-3)),
        coat: surface.coat,
        coat_width: 0.0,
        coat_gain: 1.0,
        coat_normal: vec3(0.0, 0.0, 1.0),
        sheen: surface.sheen,
        sheen_roughness: surface.sheen_roughness,
        left: 1.0,
        left_coat: 1.0,
        is_matte: false,
        shares: Shares { lobe: 1.0, transmission: 0.0, coat: 0.0, cosine: 0.0, behind: 0.0 },
    };
    let mut sheen = 0.0;
    let mut coat = 0.0;
    let sheen_color = max_component(surface.sheen);
    if sheen_color > 0.0 {
        sheen = sheen_color * sheen_albedo(albedo, view.z, surface.sheen_roughness);
        bsdf.left_coat = 1.0 - sheen;
        bsdf.left = bsdf.left_coat;
    }
    if surface.coat > 0.0 {
        let (s, t) = surface.frame();
        let normal = surface.coat_normal;
        bsdf.coat_normal = vec3(dot(normal, s), dot(normal, t), dot(normal, surface.normal));
        bsdf.coat_width = width_of(surface.coat_roughness);
        let cosine = dot(bsdf.coat_normal, view);
        let LobeAlbedo { white, fresnel, .. } = lobe_albedo(albedo, cosine, surface.coat_roughness);
        bsdf.coat_gain = 1.0 + COAT.f0 * lobe_loss(white);
        let kept = surface.coat * compensated(white, fresnel, COAT);
        coat = kept * bsdf.left_coat;
        bsdf.left *= 1.0 - kept;
    }
    let cosine = rest * bsdf.left + sheen;
    let base = (lobe + through) * bsdf.left;
    let beyond = rest_behind * bsdf.left;
    let all = base + cosine + coat + beyond;
    if all > 0.0 {
        bsdf.shares = Shares {
            lobe: div(lobe * bsdf.left, all),
            transmission: if surface.transmission > 0.0 {
                div(through * bsdf.left, all)
            } else {
                0.0
            },
            coat: if surface.coat > 0.0 { div(coat, all) } else { 0.0 },
            cosine: div(cosine, all),
            behind: if surface.translucency > 0.0 { div(beyond, all) } else { 0.0 },
        };
    }
    bsdf
}

/// Value and density for a direction.
#[inline(always)]
#[must_use]
pub fn evaluate(albedo: &AlbedoTable, bsdf: &Bsdf, light: Vec3) -> Scatter {
    let is_seen = bsdf.view.z >= COSINE_MIN && abs(light.z) >= COSINE_MIN;
    if bsdf.is_matte {
        let cosine = if is_seen { max(light.z, 0.0) * INV_PI } else { 0.0 };
        let value = bsdf.diffuse * cosine;
        return Scatter { value, diffuse: value, density: cosine };
    }
    // Looked up before anything is decided: loops over lookups that depend stay scalar.
    let left_light = left_of(albedo, bsdf, abs(light.z));
    if !is_seen {
        return Scatter::NONE;
    }
    if light.z > 0.0 {
        return reflect(bsdf, light, left_light);
    }
    let mut through = Scatter::NONE;
    if bsdf.shares.transmission > 0.0 {
        through = if bsdf.is_thin { transmit_thin(bsdf, light) } else { transmit(bsdf, light) };
    }
    if bsdf.shares.behind > 0.0 {
        let cosine = -light.z * INV_PI;
        let left = bsdf.left_view * left_light * bsdf.left;
        through.value += bsdf.behind * (left * cosine);
        through.density += bsdf.shares.behind * cosine;
    }
    through
}

/// Share of light the dielectric's lobe leaves to what is below it, for a light's cosine.
#[inline(always)]
fn left_of(albedo: &AlbedoTable, bsdf: &Bsdf, cosine: f32) -> f32 {
    let LobeAlbedo { white, fresnel, .. } = lobe_albedo(albedo, cosine, bsdf.roughness);
    let highest = Reflectance { f0: max_component(bsdf.f0), f90: bsdf.f90 };
    1.0 - compensated(white, fresnel * bsdf.rise, highest)
}

/// [`evaluate`] on the viewer's side.
#[inline(always)]
fn reflect(bsdf: &Bsdf, light: Vec3, left_light: f32) -> Scatter {
    let (cos_view, cos_light) = (bsdf.view.z, light.z);

    // The lobe: distribution times visibility, height-correlated (Heitz 2014).
    let half = normalize(bsdf.view + light);
    let half_sine = half.x * half.x + half.y * half.y;
    let root_view = bsdf.widths.root(bsdf.view);
    let root_light = bsdf.widths.root(light);
    let distribution = bsdf.widths.distribution(half);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let cos_half = dot(bsdf.view, half);
    let weight = schlick_weight(cos_half);
    let between = fresnel_weight(cos_half, bsdf.bend);
    let dielectric = 1.0 - bsdf.metallic;
    let fresnel = |f0: f32, gain: f32, metal_f0: f32| {
        lerp(metal_f0, 1.0, weight) * (1.0 + metal_f0 * bsdf.loss) * bsdf.metallic
            + lerp(f0, bsdf.f90, between) * gain * dielectric
    };
    let (f0, gain, metal) = (bsdf.f0, bsdf.gain, bsdf.metal_f0);
    let fresnel = vec3(
        fresnel(f0.x, gain.x, metal.x),
        fresnel(f0.y, gain.y, metal.y),
        fresnel(f0.z, gain.z, metal.z),
    );
    let lobe = fresnel * (distribution * visibility * cos_light);
    let lobe_density = div(distribution, 2.0 * (cos_view + root_view));

    // The diffuse lobe gets what the dielectric's lobe leaves.
    let diffuse = bsdf.diffuse * (bsdf.left_view * left_light * INV_PI * cos_light);
    let mut value = (lobe + diffuse) * bsdf.left;
    let mut diffuse = diffuse * bsdf.left;
    let mut density = bsdf.shares.lobe * lobe_density + bsdf.shares.cosine * (cos_light * INV_PI);

    // The layers above.
    if max_component(bsdf.sheen) > 0.0 {
        let sheen = sheen_value(half_sine, cos_view, cos_light, bsdf.sheen_roughness);
        value += bsdf.sheen * sheen;
        diffuse += bsdf.sheen * sheen;
    }
    if bsdf.coat > 0.0 {
        let coat = coat(bsdf, light, half, cos_half);
        value += coat.value;
        density += bsdf.shares.coat * coat.density;
    }
    Scatter { value, diffuse, density }
}

/// The coat's part of [`reflect`], its density not yet weighted.
#[inline(always)]
fn coat(bsdf: &Bsdf, light: Vec3, half: Vec3, cos_half: f32) -> Scatter {
    let cos_view = dot(bsdf.coat_normal, bsdf.view);
    let cos_light = dot(bsdf.coat_normal, light);
    if cos_view < COSINE_MIN || cos_light < COSINE_MIN {
        return Scatter::NONE;
    }
    let width_squared = bsdf.coat_width * bsdf.coat_width;
    let across = cross(bsdf.coat_normal, half);
    let distribution =
        ggx_distribution(dot(across, across), dot(bsdf.coat_normal, half), width_squared);
    let root_view = smith_root(cos_view, width_squared);
    let root_light = smith_root(cos_light, width_squared);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let fresnel =
        lerp(COAT.f0, COAT.f90, fresnel_weight(cos_half, DIELECTRIC_INDEX)) * bsdf.coat_gain;
    let value = bsdf.coat * bsdf.left_coat * fresnel * (distribution * visibility * cos_light);
    Scatter {
        value: vec3(value, value, value),
        diffuse: Vec3::ZERO,
        density: div(distribution, 2.0 * (cos_view + root_view)),
    }
}

/// [`evaluate`] beyond a thin wall: the mirrored lobe.
#[inline(always)]
fn transmit_thin(bsdf: &Bsdf, light: Vec3) -> Scatter {
    let (cos_view, cos_light) = (bsdf.view.z, -light.z);
    let half = normalize(bsdf.view + vec3(light.x, light.y, cos_light));
    let root_view = bsdf.widths.root(bsdf.view);
    let root_light = bsdf.widths.root(light);
    let distribution = bsdf.widths.distribution(half);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let weight = fresnel_weight(dot(bsdf.view, half), bsdf.bend);
    let passes = 1.0 - lerp(max_component(bsdf.f0), bsdf.f90, weight);
    let value = passes * bsdf.transmitted_gain * (distribution * visibility * cos_light);
    Scatter {
        value: bsdf.transmitted * (value * bsdf.left),
        diffuse: Vec3::ZERO,
        density: bsdf.shares.transmission * div(distribution, 2.0 * (cos_view + root_view)),
    }
}

/// [`evaluate`] beyond the surface of a body (Walter et al. 2007, equations 17 and 21).
#[inline(always)]
fn transmit(bsdf: &Bsdf, light: Vec3) -> Scatter {
    let (cos_view, cos_light) = (bsdf.view.z, -light.z);
    let sum = normalize_or(bsdf.view + light * bsdf.eta, Vec3::ZERO);
    let half = if sum.z < 0.0 { -sum } else { sum };
    let half_view = dot(bsdf.view, half);
    let half_light = dot(light, half);
    if half_view < COSINE_MIN || half_light > -COSINE_MIN {
        return Scatter::NONE;
    }
    let root_view = bsdf.widths.root(bsdf.view);
    let root_light = bsdf.widths.root(light);
    let distribution = bsdf.widths.distribution(half);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let along = half_light + div(half_view, bsdf.eta);
    let stretch = div(-half_light, along * along);
    let weight = fresnel_weight(half_view, bsdf.eta);
    let passes = 1.0 - lerp(max_component(bsdf.f0), bsdf.f90, weight);
    let value = passes
        * bsdf.transmitted_gain
        * (distribution * visibility * cos_light)
        * (4.0 * half_view * stretch);
    let seen = div(2.0 * distribution * half_view, cos_view + root_view);
    Scatter {
        value: bsdf.transmitted * (value * bsdf.left),
        diffuse: Vec3::ZERO,
        density: bsdf.shares.transmission * (seen * stretch),
    }
}

/// A direction to go on, from two numbers for it and one for the lobe; zero where the lobe's
/// microfacet sends light to the wrong side of the surface, which no density tells of.
#[inline(always)]
#[must_use]
pub fn sample_direction(bsdf: &Bsdf, choice: f32, u: f32, v: f32) -> Vec3 {
    let shares = &bsdf.shares;
    let diffuse = shares.cosine + shares.behind;
    if choice < diffuse {
        let d = sample_cosine(u, v);
        return if choice < shares.cosine { d } else { vec3(d.x, d.y, -d.z) };
    }
    let is_coat = bsdf.coat > 0.0 && choice < diffuse + shares.coat;
    let passes = !is_coat && choice < diffuse + shares.coat + shares.transmission;
    let half = if is_coat {
        let (s, t) = frame_of(bsdf.coat_normal);
        let n = bsdf.coat_normal;
        let view = vec3(dot(bsdf.view, s), dot(bsdf.view, t), dot(bsdf.view, n));
        let half = sample_visible_normal(view, (bsdf.coat_width, bsdf.coat_width), u, v);
        s * half.x + t * half.y + n * half.z
    } else {
        sample_visible_normal(bsdf.view, (bsdf.widths.x, bsdf.widths.y), u, v)
    };
    let mirrored = half * (2.0 * dot(bsdf.view, half)) - bsdf.view;
    let direction = if !passes {
        mirrored
    } else if bsdf.is_thin {
        vec3(mirrored.x, mirrored.y, -mirrored.z)
    } else {
        refract(bsdf.view, half, bsdf.eta)
    };
    if (direction.z < 0.0) == passes { direction } else { Vec3::ZERO }
}
