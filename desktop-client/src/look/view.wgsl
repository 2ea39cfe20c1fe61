// From scene-linear light to what the display shows: the same as film's views, in a shader.
// Matrices are written row by row and multiplied from the right, as film writes them.

struct Params {
    // The picture's corners in the canvas: left, top, right, bottom, 0..1 over it.
    place: vec4<f32>,
    // Texels of this piece, and texels to a pixel of the screen.
    texels: vec4<f32>,
    // Gain; view; whether the target encodes by itself; whether the nearest texel is shown.
    look: vec4<f32>,
    // Rows of the white balance.
    red: vec4<f32>,
    green: vec4<f32>,
    blue: vec4<f32>,
    // What is shown of the picture, in x over the canvas: from, to.
    wipe: vec4<f32>,
    // What of this piece lies between the corners: left, top, right, bottom, 0..1 over it.
    part: vec4<f32>,
    // The same of the piece that it is held against, and that piece's texels.
    other_part: vec4<f32>,
    other_texels: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var light: texture_2d<f32>;
@group(0) @binding(2) var smooth_sampler: sampler;
@group(0) @binding(3) var other: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) uv: vec2<f32>,
    @location(1) canvas_x: f32,
    @location(2) other_uv: vec2<f32>,
}

@vertex
fn vs_main(@builtin(vertex_index) index: u32) -> Corner {
    let unit = vec2<f32>(f32(index & 1u), f32(index >> 1u));
    let place = mix(params.place.xy, params.place.zw, unit);
    var corner: Corner;
    corner.position = vec4<f32>(place.x * 2.0 - 1.0, 1.0 - place.y * 2.0, 0.0, 1.0);
    corner.uv = mix(params.part.xy, params.part.zw, unit);
    corner.other_uv = mix(params.other_part.xy, params.other_part.zw, unit);
    corner.canvas_x = place.x;
    return corner;
}

const BRIGHTEST: f32 = 1e9;
const TAPS_MAX: f32 = 8.0;

fn mul(x: vec3<f32>, y: vec3<f32>, z: vec3<f32>, v: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(dot(x, v), dot(y, v), dot(z, v));
}

fn least(v: vec3<f32>) -> f32 {
    return min(v.x, min(v.y, v.z));
}

fn highest(v: vec3<f32>) -> f32 {
    return max(v.x, max(v.y, v.z));
}

fn to_rec2020(v: vec3<f32>) -> vec3<f32> {
    return mul(
        vec3<f32>(0.62740195, 0.32929197, 0.0433061),
        vec3<f32>(0.06909549, 0.9195443, 0.01136023),
        vec3<f32>(0.01639371, 0.08802816, 0.89557815),
        v,
    );
}

fn from_rec2020(v: vec3<f32>) -> vec3<f32> {
    return mul(
        vec3<f32>(1.6604962, -0.58765644, -0.07283978),
        vec3<f32>(-0.1245471, 1.1328951, -0.00834801),
        vec3<f32>(-0.01815368, -0.10059737, 1.118751),
        v,
    );
}

fn hyperbola(x: f32, limit_x: f32, limit_y: f32) -> f32 {
    let reach = 2.4 * limit_x;
    let scale = pow(pow(reach, -1.5) * (pow(reach / limit_y, 1.5) - 1.0), -1.0 / 1.5);
    let t = 2.4 * x / scale;
    return scale * t / pow(1.0 + pow(t, 1.5), 1.0 / 1.5);
}

fn form(value: f32) -> f32 {
    let stops = log2(max(value, 1e-10) / 0.18);
    let x = max((stops + 10.0) / 16.5, 0.0);
    let pivot_x = 10.0 / 16.5;
    let pivot_y = pow(0.18, 1.0 / 2.4);
    var curved: f32;
    if (x < pivot_x) {
        curved = pivot_y - hyperbola(pivot_x - x, pivot_x, pivot_y);
    } else {
        curved = pivot_y + hyperbola(x - pivot_x, 1.0 - pivot_x, 1.0 - pivot_y);
    }
    return pow(max(curved, 0.0), 2.4);
}

fn darken_shadows(x: f32, slope: f32) -> f32 {
    let dark = 0.1;
    let bright = 0.4;
    let half_width = (bright - dark) / 2.0;
    let middle_y = (dark + bright) / 2.0 + (slope - 1.0) * half_width / 4.0;
    if (x < dark) {
        return dark + (x - dark) * slope;
    }
    if (x < dark + half_width) {
        let t = (x - dark) / half_width;
        return dark * (1.0 - t * t) + middle_y * t * t + slope * (1.0 - t) * t * half_width;
    }
    if (x < bright) {
        let t = (x - dark - half_width) / half_width;
        return middle_y * (1.0 - t) * (1.0 - t) + bright * (2.0 - t) * t + (t - 1.0) * t * half_width;
    }
    return x;
}

fn punch(value: f32) -> f32 {
    let black = -12.47393;
    let span = 12.526069 - black;
    let x = (log2(max(value, 1e-10)) - black) / span;
    let graded = darken_shadows(darken_shadows(x, 0.2), 0.35);
    return exp2(pow(max(graded, 0.0), 1.0912) * span + black);
}

// The middle channel moves so that the hue lies between the scene's and the formed one.
fn keep_hue(scene: vec3<f32>, formed: vec3<f32>) -> vec3<f32> {
    let low = least(scene);
    let high = highest(scene);
    let low_formed = least(formed);
    let high_formed = highest(formed);
    if (high <= low || high_formed <= low_formed) {
        return formed;
    }
    let middle = scene.x + scene.y + scene.z - low - high;
    let middle_formed = formed.x + formed.y + formed.z - low_formed - high_formed;
    let place = (middle - low) / (high - low);
    let place_formed = (middle_formed - low_formed) / (high_formed - low_formed);
    let hue = place + (place_formed - place) * 0.4;
    let moved = low_formed + (high_formed - low_formed) * hue;
    // Of equal channels either may be moved: it stays where it is.
    var result = formed;
    if ((scene.x >= scene.y && scene.x <= scene.z) || (scene.x >= scene.z && scene.x <= scene.y)) {
        result.x = moved;
    } else if ((scene.y >= scene.x && scene.y <= scene.z) || (scene.y >= scene.z && scene.y <= scene.x)) {
        result.y = moved;
    } else {
        result.z = moved;
    }
    return result;
}

fn guard_luminance(rgb: vec3<f32>) -> f32 {
    let weights = vec3<f32>(0.26581803, 0.59846985, 0.1357121);
    let opponent = vec3<f32>(highest(rgb)) - rgb;
    let own = dot(to_rec2020(rgb), weights);
    let compensated = highest(opponent) - dot(to_rec2020(opponent), weights) + own;
    let blend = clamp(pow(max(own, 0.0), 0.08), 0.0, 1.0);
    return compensated + (own - compensated) * blend;
}

fn guard_low(rgb: vec3<f32>) -> vec3<f32> {
    let low = least(rgb);
    if (low >= 0.0) {
        return rgb;
    }
    let lifted = rgb - vec3<f32>(low);
    let before = guard_luminance(rgb);
    let after = guard_luminance(lifted);
    if (after > before) {
        return lifted * (before / max(after, 1.1754944e-38));
    }
    return lifted;
}

fn agx(linear: vec3<f32>, is_punchy: bool) -> vec3<f32> {
    var scene = mul(
        vec3<f32>(0.85662717, 0.09512124, 0.04825161),
        vec3<f32>(0.13731897, 0.761242, 0.10143904),
        vec3<f32>(0.11189821, 0.07679942, 0.81130236),
        to_rec2020(linear),
    );
    if (is_punchy) {
        scene = vec3<f32>(punch(scene.x), punch(scene.y), punch(scene.z));
    }
    let formed = keep_hue(scene, vec3<f32>(form(scene.x), form(scene.y), form(scene.z)));
    let out = mul(
        vec3<f32>(1.1271006, -0.11060664, -0.01649394),
        vec3<f32>(-0.14132977, 1.1578237, -0.01649394),
        vec3<f32>(-0.14132977, -0.11060664, 1.2519364),
        formed,
    );
    return guard_low(from_rec2020(out));
}

fn neutral(scene: vec3<f32>) -> vec3<f32> {
    let low = least(scene);
    var offset = 0.04;
    if (low <= 0.08) {
        offset = low - low * low / 0.16;
    }
    let base = scene - vec3<f32>(offset);
    let peak = highest(base);
    if (peak <= 0.76) {
        return base;
    }
    let room = 0.24;
    let shown_peak = 1.0 - room * room / (peak + 1.0 - 1.52);
    let kept = 1.0 / (0.15 * (peak - shown_peak) + 1.0);
    return base / peak * shown_peak * kept + vec3<f32>(shown_peak * (1.0 - kept));
}

fn aces_fit(value: f32) -> f32 {
    let v = min(value, 1e6);
    return (v * (v + 0.0245786) - 0.000090537) / (v * (0.983729 * v + 0.432951) + 0.238081);
}

fn aces(scene: vec3<f32>) -> vec3<f32> {
    let ap1 = mul(
        vec3<f32>(0.59719, 0.35458, 0.04823),
        vec3<f32>(0.076, 0.90834, 0.01566),
        vec3<f32>(0.0284, 0.13383, 0.83777),
        scene,
    );
    return mul(
        vec3<f32>(1.60475, -0.53108, -0.07367),
        vec3<f32>(-0.10208, 1.10813, -0.00605),
        vec3<f32>(-0.00327, -0.07276, 1.07602),
        vec3<f32>(aces_fit(ap1.x), aces_fit(ap1.y), aces_fit(ap1.z)),
    );
}

fn encode(linear: f32) -> f32 {
    let value = clamp(linear, 0.0, 1.0);
    if (value <= 0.0031308) {
        return value * 12.92;
    }
    return 1.055 * pow(value, 1.0 / 2.4) - 0.055;
}

fn decode(code: f32) -> f32 {
    if (code <= 0.04045) {
        return code / 12.92;
    }
    return pow((code + 0.055) / 1.055, 2.4);
}

fn develop(rgb: vec3<f32>) -> vec3<f32> {
    let cut = clamp(rgb, vec3<f32>(0.0), vec3<f32>(BRIGHTEST));
    let balanced = mul(params.red.xyz, params.green.xyz, params.blue.xyz, cut);
    let scene = clamp(balanced * params.look.x, vec3<f32>(0.0), vec3<f32>(BRIGHTEST));
    let view = u32(params.look.y);
    if (view == 5u) {
        return min(scene, vec3<f32>(1.0));
    }
    var shown = scene;
    if (view == 0u) {
        shown = agx(scene, false);
    } else if (view == 1u) {
        shown = agx(scene, true);
    } else if (view == 2u) {
        shown = neutral(scene);
    } else if (view == 3u) {
        shown = aces(scene);
    }
    return vec3<f32>(encode(shown.x), encode(shown.y), encode(shown.z));
}

// The mean of what a pixel of the screen covers, in light: a large picture does not shimmer.
fn mean_light(source: texture_2d<f32>, texels: vec4<f32>, uv: vec2<f32>) -> vec4<f32> {
    let size = texels.xy;
    if (params.look.w > 0.5) {
        let at = clamp(vec2<i32>(uv * size), vec2<i32>(0), vec2<i32>(size) - vec2<i32>(1));
        return textureLoad(source, at, 0);
    }
    let span = texels.zw;
    let taps = clamp(ceil(span / 2.0), vec2<f32>(1.0), vec2<f32>(TAPS_MAX));
    var sum = vec4<f32>(0.0);
    for (var y = 0.0; y < taps.y; y += 1.0) {
        for (var x = 0.0; x < taps.x; x += 1.0) {
            let offset = ((vec2<f32>(x, y) + 0.5) / taps - 0.5) * span / size;
            let texel = textureSampleLevel(source, smooth_sampler, uv + offset, 0.0);
            sum += texel;
        }
    }
    return sum / (taps.x * taps.y);
}

@fragment
fn fs_main(corner: Corner) -> @location(0) vec4<f32> {
    if (corner.canvas_x < params.wipe.x || corner.canvas_x >= params.wipe.y) {
        discard;
    }
    let mean = mean_light(light, params.texels, corner.uv);
    if (mean.w <= 0.0) {
        discard;
    }
    var shown = develop(mean.rgb / mean.w);
    if (params.look.z > 0.5) {
        shown = vec3<f32>(decode(shown.x), decode(shown.y), decode(shown.z));
    }
    return vec4<f32>(shown * mean.w, mean.w);
}

// How far two pictures are apart, in light: no view, which would bend it.
@fragment
fn fs_difference(corner: Corner) -> @location(0) vec4<f32> {
    let own = mean_light(light, params.texels, corner.uv);
    let others = mean_light(other, params.other_texels, corner.other_uv);
    if (own.w <= 0.0 || others.w <= 0.0) {
        discard;
    }
    let gap = abs(own.rgb / own.w - others.rgb / others.w) * params.look.x;
    var shown = clamp(gap, vec3<f32>(0.0), vec3<f32>(1.0));
    if (params.look.z < 0.5) {
        shown = vec3<f32>(encode(shown.x), encode(shown.y), encode(shown.z));
    }
    return vec4<f32>(shown, 1.0);
}
