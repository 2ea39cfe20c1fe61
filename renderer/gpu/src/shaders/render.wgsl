// The kernel: one invocation is one pixel and a few samples of it, added in index order to the
// chunk's sums.
//
// An invocation whose path has ended starts its next sample at once (path regeneration, Novák et
// al. 2010), so that neighbours with longer paths are not waited for after every sample.

#import tessera::integrator::{RAY_NONE, Sample, advance, finish, path_of}
#ifdef PASSES
#import tessera::integrator::finish_passes
#endif

struct Work {
    // Which of the list's pixels, and how many.
    first_pixel: u32,
    pixel_count: u32,
    // Which samples, and how many.
    first_sample: u32,
    sample_count: u32,
    // Where the chunk's sums lie in the film, in pixels.
    film_at: u32,
    // 1 for the first samples of a chunk: sums start from zero.
    fresh: u32,
    // Invocations of a row of workgroups.
    columns: u32,
}

@group(0) @binding(0) var<uniform> work: Work;
// x in the lower half of the word, y in the upper.
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
// Four rows a pixel: beauty, alpha | albedo, normal.x | normal.yz, depth, luminance squared |
// samples, closest rays, shadow rays, 0. With PASSES six rows more: direct diffuse, glossy and
// transmission, emission | the same of what is indirect, environment.
@group(0) @binding(2) var<storage, read_write> film: array<vec4<u32>>;
#ifdef PASSES
const ROWS: u32 = 10u;
#else
const ROWS: u32 = 4u;
#endif
// Not 0 when a driver ended a loop early.
@group(0) @binding(3) var<storage, read_write> faults: atomic<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * work.columns + id.x;
    if index >= work.pixel_count { return; }
    let pixel = work.first_pixel + index;
    let place = pixels[pixel];
    let at = (work.film_at + pixel) * ROWS;
    var a = vec4<f32>(0.0);
    var b = vec4<f32>(0.0);
    var c = vec4<f32>(0.0);
    var counts = vec4<u32>(0u);
    if work.fresh == 0u {
        a = bitcast<vec4<f32>>(film[at]);
        b = bitcast<vec4<f32>>(film[at + 1u]);
        c = bitcast<vec4<f32>>(film[at + 2u]);
        counts = film[at + 3u];
    }
#ifdef PASSES
    var passes = array<vec4<f32>, 6>();
    if work.fresh == 0u {
        for (var row = 0u; row < 6u; row += 1u) {
            passes[row] = bitcast<vec4<f32>>(film[at + 4u + row]);
        }
    }
#endif
    let x = place & 0xffffu;
    let y = place >> 16u;
    var path = path_of(x, y, work.first_sample);
    var done = 0u;
    loop {
        advance(&path);
        if path.broken { break; }
        if path.pending == RAY_NONE {
            let seen = finish(path);
            a = a + vec4<f32>(seen.beauty, seen.alpha);
            b = b + vec4<f32>(seen.albedo, seen.normal.x);
            c = c + vec4<f32>(seen.normal.yz, seen.depth, seen.luminance_squared);
            counts = counts + vec4<u32>(1u, seen.closest_rays, seen.shadow_rays, 0u);
#ifdef PASSES
            let tally = finish_passes(path);
            let d = tally.direct;
            let e = tally.emission;
            passes[0] = passes[0] + vec4<f32>(d.diffuse, d.glossy.x);
            passes[1] = passes[1] + vec4<f32>(d.glossy.yz, d.transmission.xy);
            passes[2] = passes[2] + vec4<f32>(d.transmission.z, e);
            let i = tally.indirect;
            let s = tally.environment;
            passes[3] = passes[3] + vec4<f32>(i.diffuse, i.glossy.x);
            passes[4] = passes[4] + vec4<f32>(i.glossy.yz, i.transmission.xy);
            passes[5] = passes[5] + vec4<f32>(i.transmission.z, s);
#endif
            done += 1u;
            if done == work.sample_count { break; }
            path = path_of(x, y, work.first_sample + done);
        }
    }
    film[at] = bitcast<vec4<u32>>(a);
    film[at + 1u] = bitcast<vec4<u32>>(b);
    film[at + 2u] = bitcast<vec4<u32>>(c);
    film[at + 3u] = counts;
#ifdef PASSES
    for (var row = 0u; row < 6u; row += 1u) {
        film[at + 4u + row] = bitcast<vec4<u32>>(passes[row]);
    }
#endif
    if path.broken || done < work.sample_count { atomicOr(&faults, 1u); }
}
