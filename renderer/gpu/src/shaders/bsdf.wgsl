// How a surface scatters: GGX over a diffuse lobe, with energy; mirrored from
// renderer/src/bsdf.rs. Directions are in the shading frame, z along the normal.
#define_import_path tessera::bsdf

#import tessera::math::{
    INV_PI, PI, fclamp, fdot, fmax, fnormalize, fsqrt, lerp, luminance, sin_cos_turns,
}
#import tessera::rounding::div
#import tessera::surface::Surface
#import tessera::tables::{ALBEDO_SIDE, header, word_f}

const WIDTH_MIN: f32 = 1e-3;
const DIELECTRIC_REFLECTANCE: f32 = 0.04;
const COSINE_MIN: f32 = 1e-6;

// A surface point's scattering, seen from one direction.
struct Bsdf {
    view: vec3<f32>,
    diffuse: vec3<f32>,
    metal_reflectance: vec3<f32>,
    metallic: f32,
    roughness: f32,
    width_squared: f32,
    width: f32,
    loss: f32,
    left_view: f32,
    lobe_probability: f32,
}

// Scattering towards one direction: value times its cosine, and the density of sampling it.
struct Scatter {
    value: vec3<f32>,
    density: f32,
}

fn width_of(roughness: f32) -> f32 {
    return fmax(roughness * roughness, WIDTH_MIN);
}

// The cell of a table coordinate: the last cell holds the end too.
fn min_index(x: f32) -> u32 {
    return u32(clamp(i32(x), 0, i32(ALBEDO_SIDE) - 2));
}

fn albedo(at: u32) -> f32 {
    return word_f(header.albedo_at + at);
}

// Albedo of the lobe as (a, b): reflectance f along the normal gives f * a + b.
fn lobe_albedo(cosine: f32, roughness: f32) -> vec2<f32> {
    let last = f32(ALBEDO_SIDE - 1u);
    let x = fclamp(cosine * last, 0.0, last);
    let y = fclamp(roughness * last, 0.0, last);
    let column = min_index(x);
    let row = min_index(y);
    let fx = x - f32(column);
    let fy = y - f32(row);
    let at = (row * ALBEDO_SIDE + column) * 2u;
    let below = at + ALBEDO_SIDE * 2u;
    return vec2<f32>(
        lerp(lerp(albedo(at), albedo(at + 2u), fx), lerp(albedo(below), albedo(below + 2u), fx), fy),
        lerp(
            lerp(albedo(at + 1u), albedo(at + 3u), fx),
            lerp(albedo(below + 1u), albedo(below + 3u), fx),
            fy,
        ),
    );
}

// Mean albedo of the dielectric's compensated lobe over all directions.
fn dielectric_mean(roughness: f32) -> f32 {
    let last = f32(ALBEDO_SIDE - 1u);
    let y = fclamp(roughness * last, 0.0, last);
    let row = min_index(y);
    let at = ALBEDO_SIDE * ALBEDO_SIDE * 2u + row;
    return lerp(albedo(at), albedo(at + 1u), y - f32(row));
}

// Albedo of the dielectric's compensated lobe in one direction.
fn dielectric_albedo(a: f32, b: f32) -> f32 {
    let loss = lobe_loss(a, b);
    return (DIELECTRIC_REFLECTANCE * a + b) * (1.0 + DIELECTRIC_REFLECTANCE * loss);
}

fn lobe_loss(a: f32, b: f32) -> f32 {
    let kept = fclamp(a + b, 1e-3, 1.0);
    return div(1.0 - kept, kept);
}

// Prepares a surface's scattering for the direction to the viewer.
fn bsdf_of(surface: Surface, view: vec3<f32>) -> Bsdf {
    let ab = lobe_albedo(view.z, surface.roughness);
    let loss = lobe_loss(ab.x, ab.y);
    let dielectric = dielectric_albedo(ab.x, ab.y);
    let mean = dielectric_mean(surface.roughness);
    let diffuse = surface.base_color * (1.0 - surface.metallic);
    let reflectance = luminance(surface.base_color);
    let metal = (reflectance * ab.x + ab.y) * (1.0 + reflectance * loss);
    let lobe = lerp(dielectric, metal, surface.metallic);
    let rest = luminance(diffuse) * (1.0 - dielectric);
    let both = lobe + rest;
    let width = width_of(surface.roughness);
    var lobe_probability = 1.0;
    if both > 0.0 { lobe_probability = div(lobe, both); }
    return Bsdf(
        view,
        diffuse,
        surface.base_color,
        surface.metallic,
        surface.roughness,
        width * width,
        width,
        loss,
        div(1.0 - dielectric, fmax(1.0 - mean, 1e-3)),
        lobe_probability,
    );
}

// Height distribution of GGX (Trowbridge-Reitz), from the half vector's components. `half` is
// reserved in WGSL.
fn ggx_distribution(halfway: vec3<f32>, width_squared: f32) -> f32 {
    let t = halfway.x * halfway.x + halfway.y * halfway.y + width_squared * halfway.z * halfway.z;
    return div(width_squared, PI * t * t);
}

// sqrt(w^2 + (1 - w^2) * cos^2): the root in Smith's masking for GGX.
fn smith_root(cosine: f32, width_squared: f32) -> f32 {
    return fsqrt(width_squared + (1.0 - width_squared) * cosine * cosine);
}

// Schlick's weight, (1 - cos)^5.
fn schlick_weight(cosine: f32) -> f32 {
    let m = fclamp(1.0 - cosine, 0.0, 1.0);
    let squared = m * m;
    return squared * squared * m;
}

// Value and density for a direction.
fn evaluate(bsdf: Bsdf, light: vec3<f32>) -> Scatter {
    let cos_view = bsdf.view.z;
    let cos_light = light.z;
    if cos_view < COSINE_MIN || cos_light < COSINE_MIN {
        return Scatter(vec3<f32>(0.0), 0.0);
    }

    // The lobe: distribution times visibility, height-correlated.
    let halfway = fnormalize(bsdf.view + light);
    let root_view = smith_root(cos_view, bsdf.width_squared);
    let root_light = smith_root(cos_light, bsdf.width_squared);
    let distribution = ggx_distribution(halfway, bsdf.width_squared);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let weight = schlick_weight(fdot(bsdf.view, halfway));
    let dielectric = lerp(DIELECTRIC_REFLECTANCE, 1.0, weight)
        * (1.0 + DIELECTRIC_REFLECTANCE * bsdf.loss)
        * (1.0 - bsdf.metallic);
    let f = bsdf.metal_reflectance;
    let metal = vec3<f32>(
        lerp(f.x, 1.0, weight) * (1.0 + f.x * bsdf.loss),
        lerp(f.y, 1.0, weight) * (1.0 + f.y * bsdf.loss),
        lerp(f.z, 1.0, weight) * (1.0 + f.z * bsdf.loss),
    );
    let fresnel = metal * bsdf.metallic + vec3<f32>(dielectric);
    let lobe = fresnel * (distribution * visibility * cos_light);
    let lobe_density = div(distribution, 2.0 * (cos_view + root_view));

    // The diffuse lobe gets what the dielectric's lobe leaves.
    let ab = lobe_albedo(cos_light, bsdf.roughness);
    let left_light = 1.0 - dielectric_albedo(ab.x, ab.y);
    let diffuse = bsdf.diffuse * (bsdf.left_view * left_light * INV_PI * cos_light);
    let diffuse_density = cos_light * INV_PI;
    return Scatter(lobe + diffuse, lerp(diffuse_density, lobe_density, bsdf.lobe_probability));
}

// A direction to go on, from two numbers for it and one for the lobe.
fn sample_direction(bsdf: Bsdf, choice: f32, u: f32, v: f32) -> vec3<f32> {
    if choice < bsdf.lobe_probability {
        let halfway = sample_visible_normal(bsdf.view, bsdf.width, u, v);
        return halfway * (2.0 * fdot(bsdf.view, halfway)) - bsdf.view;
    }
    return sample_cosine(u, v);
}

// A direction with density cos/pi.
fn sample_cosine(u: f32, v: f32) -> vec3<f32> {
    let sin_cos = sin_cos_turns(u);
    let radius = fsqrt(v);
    return vec3<f32>(radius * sin_cos.y, radius * sin_cos.x, fsqrt(1.0 - v));
}

// A normal of GGX that is seen from `view`.
fn sample_visible_normal(view: vec3<f32>, width: f32, u: f32, v: f32) -> vec3<f32> {
    let stretched = fnormalize(vec3<f32>(view.x * width, view.y * width, view.z));
    let sin_cos = sin_cos_turns(u);
    let z = (1.0 - v) * (1.0 + stretched.z) - stretched.z;
    let radius = fsqrt(fclamp(1.0 - z * z, 0.0, 1.0));
    let halfway = vec3<f32>(radius * sin_cos.y, radius * sin_cos.x, z) + stretched;
    return fnormalize(vec3<f32>(halfway.x * width, halfway.y * width, fmax(halfway.z, 1e-7)));
}
