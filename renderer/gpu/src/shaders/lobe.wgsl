// The lobes that layers are made of, and how much they reflect in all; mirrored from
// renderer/src/bsdf/lobe.rs and albedo.rs. Directions are in the lobe's own frame.
#define_import_path tessera::lobe

#import tessera::math::{
    INV_PI, PI, fclamp, fdot, fmax, fmin, fnormalize, fsqrt, lerp, power, rcp, sin_cos_turns,
}
#import tessera::rounding::div
#import tessera::tables::{
    ALBEDO_GLASS_AT, ALBEDO_MEANS_AT, ALBEDO_SHEEN_AT, ALBEDO_SIDE, GLASS_INDICES, GLASS_SIDE,
    header, word_f,
}

const WIDTH_MIN: f32 = 1e-3;

fn width_of(roughness: f32) -> f32 {
    return fmax(roughness * roughness, WIDTH_MIN);
}

// GGX widths along the frame's x and y, their product, and their ratios both ways.
struct Widths {
    x: f32,
    y: f32,
    product: f32,
    ratio: f32,
    inverse: f32,
}

fn widths_of(roughness: f32, anisotropy: f32) -> Widths {
    let y = width_of(roughness);
    let x = lerp(y, 1.0, anisotropy * anisotropy);
    return Widths(x, y, x * y, div(y, x), div(x, y));
}

// The roughness whose round lobe loses about as much.
fn widths_roughness(w: Widths) -> f32 {
    return fsqrt(fsqrt((w.x * w.x + w.y * w.y) * 0.5));
}

// Height distribution of GGX for a half vector.
fn widths_distribution(w: Widths, halfway: vec3<f32>) -> f32 {
    let t = halfway.x * halfway.x * w.ratio
        + halfway.y * halfway.y * w.inverse
        + w.product * halfway.z * halfway.z;
    return div(w.product, PI * t * t);
}

// The root in Smith's masking for GGX.
fn widths_root(w: Widths, v: vec3<f32>) -> f32 {
    let stretched = vec3<f32>(v.x * w.x, v.y * w.y, v.z);
    return fsqrt(fdot(stretched, stretched));
}

// Height distribution of GGX (Trowbridge-Reitz).
fn ggx_distribution(sine_squared: f32, cosine: f32, width_squared: f32) -> f32 {
    let t = sine_squared + width_squared * cosine * cosine;
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

// Fresnel's reflectance of a dielectric, between 0 along the normal and 1 at the horizon and for
// total reflection.
fn fresnel_weight(cosine_given: f32, eta: f32) -> f32 {
    let cosine = fclamp(cosine_given, 0.0, 1.0);
    let squared = eta * eta - 1.0 + cosine * cosine;
    let bent = fsqrt(fmax(squared, 0.0));
    let across = div(bent - cosine, bent + cosine);
    let along = div(cosine * (bent + cosine) - 1.0, cosine * (bent - cosine) + 1.0);
    let reflected = 0.5 * across * across * (1.0 + along * along);
    let ratio = div(eta - 1.0, eta + 1.0);
    let normal = ratio * ratio;
    let weight = fclamp(div(reflected - normal, 1.0 - normal), 0.0, 1.0);
    if squared > 0.0 { return weight; }
    return 1.0;
}

// Mean of `fresnel_weight` over all directions in means of that of index 1.5.
fn fresnel_rise(index: f32) -> f32 {
    let mean = div(index - 1.0, 4.08567 + 1.00071 * index);
    let ratio = div(index - 1.0, index + 1.0);
    let normal = ratio * ratio;
    return fclamp(div(mean - normal, (1.0 - normal) * 0.05156), 0.0, 2.0);
}

// A direction with density cos/pi.
fn sample_cosine(u: f32, v: f32) -> vec3<f32> {
    let sin_cos = sin_cos_turns(u);
    let radius = fsqrt(v);
    return vec3<f32>(radius * sin_cos.y, radius * sin_cos.x, fsqrt(1.0 - v));
}

// A normal of GGX that is seen from `view`. `half` is reserved in WGSL.
fn sample_visible_normal(view: vec3<f32>, width: vec2<f32>, u: f32, v: f32) -> vec3<f32> {
    let stretched = fnormalize(vec3<f32>(view.x * width.x, view.y * width.y, view.z));
    let sin_cos = sin_cos_turns(u);
    let z = (1.0 - v) * (1.0 + stretched.z) - stretched.z;
    let radius = fsqrt(fclamp(1.0 - z * z, 0.0, 1.0));
    let halfway = vec3<f32>(radius * sin_cos.y, radius * sin_cos.x, z) + stretched;
    return fnormalize(vec3<f32>(halfway.x * width.x, halfway.y * width.y, fmax(halfway.z, 1e-7)));
}

// `view` refracted about `halfway`; nothing where it is reflected in total.
fn refracted(view: vec3<f32>, halfway: vec3<f32>, eta: f32) -> vec3<f32> {
    let cosine = fdot(view, halfway);
    let beyond = 1.0 - div(1.0 - cosine * cosine, eta * eta);
    if beyond > 0.0 {
        return halfway * (div(cosine, eta) - fsqrt(beyond)) - view * rcp(eta);
    }
    return vec3<f32>(0.0);
}

// Sheen towards a light, its cosine included, for a white fibre.
fn sheen_value(half_sine_squared: f32, cos_view: f32, cos_light: f32, roughness: f32) -> f32 {
    let exponent = rcp(roughness * roughness);
    let distribution =
        (2.0 + exponent) * (0.5 * INV_PI) * power(half_sine_squared, exponent * 0.5);
    let visibility = div(0.25, cos_light + cos_view - cos_light * cos_view);
    return fmin(distribution * visibility * cos_light, 1e6);
}

// A table coordinate: the cell, and the place in it. The last cell holds the end too.
struct Cell {
    index: u32,
    place: f32,
}

fn cell_of(x: f32, steps: u32) -> Cell {
    let last = f32(steps - 1u);
    let scaled = fclamp(x * last, 0.0, last);
    let index = u32(clamp(i32(scaled), 0, i32(steps) - 2));
    return Cell(index, scaled - f32(index));
}

fn cell(x: f32) -> Cell {
    return cell_of(x, ALBEDO_SIDE);
}

fn albedo(at: u32) -> f32 {
    return word_f(header.albedo_at + at);
}

// What the GGX lobe reflects in one direction: where all is reflected, with Schlick's weight, and
// with Fresnel's of index 1.5.
struct LobeAlbedo {
    white: f32,
    schlick: f32,
    fresnel: f32,
}

fn lobe_albedo(cosine: f32, roughness: f32) -> LobeAlbedo {
    let x = cell(cosine);
    let y = cell(roughness);
    let at = (y.index * ALBEDO_SIDE + x.index) * 3u;
    return LobeAlbedo(
        lobe_plane(at, x.place, y.place),
        lobe_plane(at + 1u, x.place, y.place),
        lobe_plane(at + 2u, x.place, y.place),
    );
}

fn lobe_plane(at: u32, fx: f32, fy: f32) -> f32 {
    let below = at + ALBEDO_SIDE * 3u;
    return lerp(
        lerp(albedo(at), albedo(at + 3u), fx), lerp(albedo(below), albedo(below + 3u), fx), fy,
    );
}

// What a white lobe loses per unit it keeps.
fn lobe_loss(white: f32) -> f32 {
    let kept = fclamp(white, 1e-3, 1.0);
    return div(1.0 - kept, kept);
}

// Albedo of a compensated lobe in one direction, from what a white one keeps and what its weight
// keeps; `r` is the reflectance along the normal and at the horizon.
fn compensated(white: f32, weighted: f32, r: vec2<f32>) -> f32 {
    return (r.x * (white - weighted) + r.y * weighted) * (1.0 + r.x * lobe_loss(white));
}

// Mean of `compensated` over all directions, for Fresnel's weight times `rise`.
fn compensated_mean(roughness: f32, rise: f32, r: vec2<f32>) -> f32 {
    let y = cell(roughness);
    let at = ALBEDO_MEANS_AT + y.index * 4u;
    let m0 = lerp(albedo(at), albedo(at + 4u), y.place);
    let m1 = lerp(albedo(at + 1u), albedo(at + 5u), y.place);
    let m2 = lerp(albedo(at + 2u), albedo(at + 6u), y.place);
    let m3 = lerp(albedo(at + 3u), albedo(at + 7u), y.place);
    let weighted = m1 * rise;
    let weighted_loss = m3 * rise;
    return r.x * (m0 - weighted + r.x * (m2 - weighted_loss))
        + r.y * (weighted + r.x * weighted_loss);
}

// Albedo of white sheen in one direction.
fn sheen_albedo(cosine: f32, roughness: f32) -> f32 {
    let x = cell(cosine);
    let y = cell(roughness);
    let at = ALBEDO_SHEEN_AT + y.index * ALBEDO_SIDE + x.index;
    let below = at + ALBEDO_SIDE;
    return lerp(
        lerp(albedo(at), albedo(at + 1u), x.place),
        lerp(albedo(below), albedo(below + 1u), x.place),
        y.place,
    );
}

// What a rough surface of white glass reflects and transmits in all, seen from one direction.
fn glass_albedo(cosine: f32, roughness: f32, eta: f32) -> f32 {
    let is_within = eta < 1.0;
    var index = eta;
    if is_within { index = rcp(eta); }
    let z = cell_of((index - 1.0) * 0.5, GLASS_INDICES);
    let x = cell_of(cosine, GLASS_SIDE);
    let y = cell_of(roughness, GLASS_SIDE);
    let layer = select(0u, GLASS_INDICES, is_within) + z.index;
    let at = ALBEDO_GLASS_AT + (layer * GLASS_SIDE + y.index) * GLASS_SIDE + x.index;
    return lerp(glass_plane(at, x.place, y.place),
        glass_plane(at + GLASS_SIDE * GLASS_SIDE, x.place, y.place), z.place);
}

fn glass_plane(at: u32, fx: f32, fy: f32) -> f32 {
    let below = at + GLASS_SIDE;
    return lerp(
        lerp(albedo(at), albedo(at + 1u), fx), lerp(albedo(below), albedo(below + 1u), fx), fy,
    );
}
