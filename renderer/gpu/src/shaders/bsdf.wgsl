// How a surface scatters: glTF's material model in layers, with energy; mirrored from
// renderer/src/bsdf.rs. Directions are in the shading frame, z along the normal.
#define_import_path tessera::bsdf

#import tessera::iridescence::iridescent_reflectance
#import tessera::lobe::{
    Widths, compensated, compensated_mean, fresnel_weight, ggx_distribution, glass_albedo, lobe_albedo,
    lobe_loss, refracted, sample_cosine, sample_visible_normal, schlick_weight, sheen_albedo,
    sheen_value, smith_root, width_of, widths_distribution, widths_of, widths_root,
    widths_roughness,
}
#import tessera::math::{
    INV_PI, fabs, fcross, fdot, fmax, fnormalize, frame_of, lerp, lerp_vec, luminance, max_component,
    normalize_or, rcp,
}
#import tessera::rounding::div
#import tessera::surface::{DIELECTRIC_INDEX, DIELECTRIC_REFLECTANCE, Surface, shading_frame}

const COSINE_MIN: f32 = 1e-6;

// A surface point's scattering, seen from one direction.
struct Bsdf {
    view: vec3<f32>,
    diffuse: vec3<f32>,
    behind: vec3<f32>,
    transmitted: vec3<f32>,
    metal_reflectance: vec3<f32>,
    metallic: f32,
    reflectance: vec3<f32>,
    reflectance_rim: f32,
    bend: f32,
    rise: f32,
    gain: vec3<f32>,
    transmitted_gain: f32,
    eta: f32,
    is_thin: bool,
    roughness: f32,
    widths: Widths,
    loss: f32,
    left_view: f32,
    coat: f32,
    coat_width: f32,
    coat_gain: f32,
    coat_normal: vec3<f32>,
    sheen: vec3<f32>,
    sheen_roughness: f32,
    left: f32,
    left_coat: f32,
    // Probabilities of sampling the lobes.
    share_lobe: f32,
    share_transmission: f32,
    share_coat: f32,
    share_cosine: f32,
    share_behind: f32,
}

// Scattering towards one direction: value times its cosine, the part of it that diffuse reflection
// and sheen make, and the density of sampling it.
struct Scatter {
    value: vec3<f32>,
    diffuse: vec3<f32>,
    density: f32,
}

fn nothing() -> Scatter {
    return Scatter(vec3<f32>(0.0), vec3<f32>(0.0), 0.0);
}

// The coat's reflectance along its normal and at the horizon.
fn coat_reflectance() -> vec2<f32> {
    return vec2<f32>(DIELECTRIC_REFLECTANCE, 1.0);
}

// Prepares a surface's scattering for the direction to the viewer.
fn bsdf_of(surface: Surface, view: vec3<f32>) -> Bsdf {
    let widths = widths_of(surface.roughness, surface.anisotropy);
    var roughness = surface.roughness;
    if surface.anisotropy > 0.0 { roughness = widths_roughness(widths); }
    let kept = lobe_albedo(view.z, roughness);
    let loss = lobe_loss(kept.white);
    var bend = surface.eta;
    if surface.is_thin { bend = surface.index; }
    let weight = fresnel_weight(view.z, bend);
    // A thin film changes the reflectances below it, seen from the viewer.
    var reflectance = surface.reflectance;
    var metal_reflectance = surface.base_color;
    if surface.iridescence > 0.0 {
        let ior = surface.iridescence_ior;
        let thickness = surface.iridescence_thickness;
        let over = iridescent_reflectance(view.z, ior, thickness, reflectance, weight);
        let over_metal = iridescent_reflectance(
            view.z, ior, thickness, metal_reflectance, schlick_weight(view.z),
        );
        reflectance = lerp_vec(reflectance, over, surface.iridescence);
        metal_reflectance = lerp_vec(metal_reflectance, over_metal, surface.iridescence);
    }
    let highest = vec2<f32>(max_component(reflectance), surface.reflectance_rim);
    let dielectric = compensated(kept.white, kept.fresnel * surface.rise, highest);
    let mean = compensated_mean(roughness, surface.rise, highest);
    let body = surface.base_color * (1.0 - surface.metallic);
    let opaque = 1.0 - surface.transmission;
    let diffuse = body * (opaque * (1.0 - surface.translucency));
    let behind =
        surface.translucent * ((1.0 - surface.metallic) * opaque * surface.translucency);

    // The base's shares.
    let metal_lobe = vec2<f32>(luminance(metal_reflectance), 1.0);
    let metal = compensated(kept.white, kept.schlick, metal_lobe);
    let reflected = lerp(highest.x, highest.y, weight);
    let lobe = lerp(lerp(dielectric, reflected, surface.transmission), metal, surface.metallic);
    let rest = luminance(diffuse) * (1.0 - dielectric);
    let rest_behind = luminance(behind) * (1.0 - dielectric);
    let transmitted = body * surface.transmission;
    // Where the surface as a whole reflects all, some of its microfacets still let light through.
    let through = luminance(transmitted) * fmax(1.0 - reflected, 0.5 * widths.x);
    var through_gain = 1.0 + loss;
    if !surface.is_thin {
        through_gain = rcp(glass_albedo(view.z, roughness, surface.eta));
    }
    let f = reflectance;
    let passing = through_gain * surface.transmission;
    let gain = vec3<f32>(
        (1.0 + f.x * loss) * opaque + passing,
        (1.0 + f.y * loss) * opaque + passing,
        (1.0 + f.z * loss) * opaque + passing,
    );

    // The layers above.
    var bsdf = Bsdf(
        view, diffuse, behind, transmitted, metal_reflectance, surface.metallic, reflectance,
        surface.reflectance_rim, bend, surface.rise, gain, through_gain, surface.eta, surface.is_thin,
        roughness, widths, loss,
        div(1.0 - dielectric, fmax(1.0 - mean, 1e-3)),
        surface.coat, 0.0, 1.0, vec3<f32>(0.0, 0.0, 1.0), surface.sheen, surface.sheen_roughness,
        1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0,
    );
    var sheen = 0.0;
    var coat = 0.0;
    let sheen_color = max_component(surface.sheen);
    if sheen_color > 0.0 {
        sheen = sheen_color * sheen_albedo(view.z, surface.sheen_roughness);
        bsdf.left_coat = 1.0 - sheen;
        bsdf.left = bsdf.left_coat;
    }
    if surface.coat > 0.0 {
        let xy = shading_frame(surface);
        let n = surface.coat_normal;
        bsdf.coat_normal = vec3<f32>(fdot(n, xy.s), fdot(n, xy.t), fdot(n, surface.normal));
        bsdf.coat_width = width_of(surface.coat_roughness);
        let cosine = fdot(bsdf.coat_normal, view);
        let coat_kept = lobe_albedo(cosine, surface.coat_roughness);
        bsdf.coat_gain = 1.0 + DIELECTRIC_REFLECTANCE * lobe_loss(coat_kept.white);
        let albedo = surface.coat
            * compensated(coat_kept.white, coat_kept.fresnel, coat_reflectance());
        coat = albedo * bsdf.left_coat;
        bsdf.left = bsdf.left * (1.0 - albedo);
    }
    let cosine = rest * bsdf.left + sheen;
    let base = (lobe + through) * bsdf.left;
    let beyond = rest_behind * bsdf.left;
    let all = base + cosine + coat + beyond;
    if all > 0.0 {
        bsdf.share_lobe = div(lobe * bsdf.left, all);
        bsdf.share_transmission = div(through * bsdf.left, all);
        bsdf.share_coat = div(coat, all);
        bsdf.share_cosine = div(cosine, all);
        bsdf.share_behind = div(beyond, all);
    }
    return bsdf;
}

// Value and density for a direction.
fn evaluate(bsdf: Bsdf, light: vec3<f32>) -> Scatter {
    if bsdf.view.z < COSINE_MIN || fabs(light.z) < COSINE_MIN { return nothing(); }
    if light.z > 0.0 { return reflected_to(bsdf, light); }
    var through = nothing();
    if bsdf.share_transmission > 0.0 {
        if bsdf.is_thin {
            through = transmit_thin(bsdf, light);
        } else {
            through = transmit(bsdf, light);
        }
    }
    if bsdf.share_behind > 0.0 {
        let cosine = -light.z * INV_PI;
        let left = bsdf.left_view * left_of(bsdf, -light.z) * bsdf.left;
        through.value = through.value + bsdf.behind * (left * cosine);
        through.density = through.density + bsdf.share_behind * cosine;
    }
    return through;
}

// Share of light the dielectric's lobe leaves to what is below it, for a light's cosine.
fn left_of(bsdf: Bsdf, cosine: f32) -> f32 {
    let kept = lobe_albedo(cosine, bsdf.roughness);
    let highest = vec2<f32>(max_component(bsdf.reflectance), bsdf.reflectance_rim);
    return 1.0 - compensated(kept.white, kept.fresnel * bsdf.rise, highest);
}

fn dielectric_and_metal(
    reflectance: f32, rim: f32, gain: f32, between: f32, metal_reflectance: f32, weight: f32,
    loss: f32, metallic: f32,
) -> f32 {
    return lerp(metal_reflectance, 1.0, weight) * (1.0 + metal_reflectance * loss) * metallic
        + lerp(reflectance, rim, between) * gain * (1.0 - metallic);
}

// `evaluate` on the viewer's side.
fn reflected_to(bsdf: Bsdf, light: vec3<f32>) -> Scatter {
    let cos_view = bsdf.view.z;
    let cos_light = light.z;

    // The lobe: distribution times visibility, height-correlated.
    let halfway = fnormalize(bsdf.view + light);
    let half_sine = halfway.x * halfway.x + halfway.y * halfway.y;
    let root_view = widths_root(bsdf.widths, bsdf.view);
    let root_light = widths_root(bsdf.widths, light);
    let distribution = widths_distribution(bsdf.widths, halfway);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let cos_half = fdot(bsdf.view, halfway);
    let weight = schlick_weight(cos_half);
    let between = fresnel_weight(cos_half, bsdf.bend);
    let f = bsdf.reflectance;
    let m = bsdf.metal_reflectance;
    let g = bsdf.gain;
    let rim = bsdf.reflectance_rim;
    let fresnel = vec3<f32>(
        dielectric_and_metal(f.x, rim, g.x, between, m.x, weight, bsdf.loss, bsdf.metallic),
        dielectric_and_metal(f.y, rim, g.y, between, m.y, weight, bsdf.loss, bsdf.metallic),
        dielectric_and_metal(f.z, rim, g.z, between, m.z, weight, bsdf.loss, bsdf.metallic),
    );
    let lobe = fresnel * (distribution * visibility * cos_light);
    let lobe_density = div(distribution, 2.0 * (cos_view + root_view));

    // The diffuse lobe gets what the dielectric's lobe leaves.
    let left_light = left_of(bsdf, cos_light);
    let diffuse = bsdf.diffuse * (bsdf.left_view * left_light * INV_PI * cos_light);
    var value = (lobe + diffuse) * bsdf.left;
    var below = diffuse * bsdf.left;
    var density = bsdf.share_lobe * lobe_density + bsdf.share_cosine * (cos_light * INV_PI);

    // The layers above.
    if max_component(bsdf.sheen) > 0.0 {
        let sheen = sheen_value(half_sine, cos_view, cos_light, bsdf.sheen_roughness);
        value = value + bsdf.sheen * sheen;
        below = below + bsdf.sheen * sheen;
    }
    if bsdf.coat > 0.0 {
        let coat = coat_to(bsdf, light, halfway, cos_half);
        value = value + coat.value;
        density = density + bsdf.share_coat * coat.density;
    }
    return Scatter(value, below, density);
}

// The coat's part of `reflected_to`, its density not yet weighted.
fn coat_to(bsdf: Bsdf, light: vec3<f32>, halfway: vec3<f32>, cos_half: f32) -> Scatter {
    let cos_view = fdot(bsdf.coat_normal, bsdf.view);
    let cos_light = fdot(bsdf.coat_normal, light);
    if cos_view < COSINE_MIN || cos_light < COSINE_MIN { return nothing(); }
    let width_squared = bsdf.coat_width * bsdf.coat_width;
    let across = fcross(bsdf.coat_normal, halfway);
    let distribution =
        ggx_distribution(fdot(across, across), fdot(bsdf.coat_normal, halfway), width_squared);
    let root_view = smith_root(cos_view, width_squared);
    let root_light = smith_root(cos_light, width_squared);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let r = coat_reflectance();
    let fresnel = lerp(r.x, r.y, fresnel_weight(cos_half, DIELECTRIC_INDEX)) * bsdf.coat_gain;
    let value = bsdf.coat * bsdf.left_coat * fresnel * (distribution * visibility * cos_light);
    return Scatter(
        vec3<f32>(value),
        vec3<f32>(0.0),
        div(distribution, 2.0 * (cos_view + root_view)),
    );
}

// `evaluate` beyond a thin wall: the mirrored lobe.
fn transmit_thin(bsdf: Bsdf, light: vec3<f32>) -> Scatter {
    let cos_view = bsdf.view.z;
    let cos_light = -light.z;
    let halfway = fnormalize(bsdf.view + vec3<f32>(light.x, light.y, cos_light));
    let root_view = widths_root(bsdf.widths, bsdf.view);
    let root_light = widths_root(bsdf.widths, light);
    let distribution = widths_distribution(bsdf.widths, halfway);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let weight = fresnel_weight(fdot(bsdf.view, halfway), bsdf.bend);
    let passes = 1.0 - lerp(max_component(bsdf.reflectance), bsdf.reflectance_rim, weight);
    let value = passes * bsdf.transmitted_gain * (distribution * visibility * cos_light);
    return Scatter(
        bsdf.transmitted * (value * bsdf.left),
        vec3<f32>(0.0),
        bsdf.share_transmission * div(distribution, 2.0 * (cos_view + root_view)),
    );
}

// `evaluate` beyond the surface of a body.
fn transmit(bsdf: Bsdf, light: vec3<f32>) -> Scatter {
    let cos_view = bsdf.view.z;
    let cos_light = -light.z;
    let sum = normalize_or(bsdf.view + light * bsdf.eta, vec3<f32>(0.0));
    let halfway = select(sum, -sum, sum.z < 0.0);
    let half_view = fdot(bsdf.view, halfway);
    let half_light = fdot(light, halfway);
    if half_view < COSINE_MIN || half_light > -COSINE_MIN { return nothing(); }
    let root_view = widths_root(bsdf.widths, bsdf.view);
    let root_light = widths_root(bsdf.widths, light);
    let distribution = widths_distribution(bsdf.widths, halfway);
    let visibility = div(0.5, cos_light * root_view + cos_view * root_light);
    let along = half_light + div(half_view, bsdf.eta);
    let stretch = div(-half_light, along * along);
    let weight = fresnel_weight(half_view, bsdf.eta);
    let passes = 1.0 - lerp(max_component(bsdf.reflectance), bsdf.reflectance_rim, weight);
    let value = passes
        * bsdf.transmitted_gain
        * (distribution * visibility * cos_light)
        * (4.0 * half_view * stretch);
    let seen = div(2.0 * distribution * half_view, cos_view + root_view);
    return Scatter(
        bsdf.transmitted * (value * bsdf.left),
        vec3<f32>(0.0),
        bsdf.share_transmission * (seen * stretch),
    );
}

// A direction to go on, from two numbers for it and one for the lobe; zero where the lobe's
// microfacet sends light to the wrong side of the surface.
fn sample_direction(bsdf: Bsdf, choice: f32, u: f32, v: f32) -> vec3<f32> {
    let diffuse = bsdf.share_cosine + bsdf.share_behind;
    if choice < diffuse {
        let d = sample_cosine(u, v);
        return vec3<f32>(d.xy, select(-d.z, d.z, choice < bsdf.share_cosine));
    }
    let is_coat = choice < diffuse + bsdf.share_coat;
    let passes = !is_coat && choice < diffuse + bsdf.share_coat + bsdf.share_transmission;

    // One place for both lobes keeps the kernel small; the base's frame is the shading frame.
    var s = vec3<f32>(1.0, 0.0, 0.0);
    var t = vec3<f32>(0.0, 1.0, 0.0);
    let n = bsdf.coat_normal;
    var view = bsdf.view;
    var width = vec2<f32>(bsdf.widths.x, bsdf.widths.y);
    if is_coat {
        let xy = frame_of(n);
        s = xy.s;
        t = xy.t;
        view = vec3<f32>(fdot(bsdf.view, s), fdot(bsdf.view, t), fdot(bsdf.view, n));
        width = vec2<f32>(bsdf.coat_width);
    }
    var halfway = sample_visible_normal(view, width, u, v);
    if is_coat { halfway = s * halfway.x + t * halfway.y + n * halfway.z; }
    let mirrored = halfway * (2.0 * fdot(bsdf.view, halfway)) - bsdf.view;
    var direction = mirrored;
    if passes {
        if bsdf.is_thin {
            direction = vec3<f32>(mirrored.x, mirrored.y, -mirrored.z);
        } else {
            direction = refracted(bsdf.view, halfway, bsdf.eta);
        }
    }
    return select(vec3<f32>(0.0), direction, (direction.z < 0.0) == passes);
}
