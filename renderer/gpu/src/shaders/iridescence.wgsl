// Colours of thin films; mirrored from renderer/src/bsdf/iridescence.rs.
#define_import_path tessera::iridescence

#import tessera::lobe::schlick_weight
#import tessera::math::{fclamp, fexp2, fmax, fsaturate, fsqrt, lerp, sin_cos_turns}
#import tessera::rounding::div

// Reflectance along the normal between two indices of refraction.
fn normal_reflectance(beyond: f32, before: f32) -> f32 {
    let ratio = div(beyond - before, beyond + before);
    return ratio * ratio;
}

// What the observer sees of a wave after so many nanometres of path, its phase shifted by turns.
fn wave(height: f32, turns: f32, octaves: f32, path: f32, shift: f32) -> f32 {
    let cosine = sin_cos_turns(turns * path + shift).y;
    return height * cosine * fexp2(-path * path * octaves);
}

// The same as linear Rec.709, the phase shifted per component.
fn seen(path: f32, shift: vec3<f32>) -> vec3<f32> {
    let x = wave(0.84659, 1.681e-3, 2.464912e-7, path, shift.x)
        + wave(0.153868, 2.2399e-3, 2.579051e-7, path, shift.x);
    let y = wave(1.000222, 1.7953e-3, 5.299464e-7, path, shift.y);
    let z = wave(1.001122, 2.2084e-3, 3.765943e-7, path, shift.z);
    return vec3<f32>(
        3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
        -0.969266 * x + 1.8760108 * y + 0.041556 * z,
        0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
    );
}

// What lies below the film: its reflectance in a direction (x), and the phase of what it reflects,
// in turns (y).
fn below(reflectance: f32, eta: f32, weight: f32) -> vec2<f32> {
    let root = fsqrt(fclamp(reflectance, 0.0, 0.9999));
    let base = div(1.0 + root, 1.0 - root);
    let reflected = lerp(normal_reflectance(base, eta), 1.0, weight);
    return vec2<f32>(reflected, select(0.5, 1.0, base < eta));
}

// Reflectance along the normal that, by a weight towards the horizon, gives what the film reflects
// in a direction: iridescent_f0 in Rust.
fn iridescent_reflectance(
    cosine: f32, ior: f32, thickness: f32, reflectance: vec3<f32>, weight: f32,
) -> vec3<f32> {
    let t = fsaturate(div(thickness, 30.0));
    let eta = lerp(1.0, ior, t * t * (3.0 - 2.0 * t));
    let within = fsqrt(1.0 - div(1.0 - cosine * cosine, eta * eta));
    let top = lerp(normal_reflectance(eta, 1.0), 1.0, schlick_weight(cosine));
    let path = 2.0 * eta * thickness * within;
    let weight_within = schlick_weight(within);
    let x = below(reflectance.x, eta, weight_within);
    let y = below(reflectance.y, eta, weight_within);
    let z = below(reflectance.z, eta, weight_within);
    let shift = vec3<f32>(x.y, y.y, z.y);
    let first = seen(path, shift);
    let second = seen(2.0 * path, shift * 2.0);
    return vec3<f32>(
        component(top, weight, x.x, first.x, second.x),
        component(top, weight, y.x, first.y, second.y),
        component(top, weight, z.x, first.z, second.z),
    );
}

// The direct reflection and two bounces of one component, taken back by the weight.
fn component(top: f32, weight: f32, bottom: f32, first: f32, second: f32) -> f32 {
    let through = 1.0 - top;
    let both = fclamp(top * bottom, 1e-5, 0.9999);
    let amplitude = fsqrt(both);
    let inner = div(through * through * bottom, 1.0 - both);
    let bounce = (inner - through) * amplitude;
    let value = top + inner + 2.0 * bounce * first + 2.0 * bounce * amplitude * second;
    return fsaturate(div(value - weight, fmax(1.0 - weight, 1e-3)));
}
