// Cameras and the pixel filter, mirrored from renderer/src/camera.rs.
#define_import_path tessera::camera

#import tessera::math::{
    between, fclamp, fdot, flength, fmin, fnormalize, fsqrt, lerp, normalize_or, rcp, sin_cos_turns,
}
#import tessera::moving::{CAMERA_FLOATS, moment_of, vector_at}
#import tessera::ray::Ray
#import tessera::rounding::div
#import tessera::tables::{
    CAMERA_ORTHOGRAPHIC, CAMERA_PANORAMA, FILTER_ENTRIES, NONE, attribute_vec, attributes, header,
    word_f,
}

// Offset from a pixel's middle, in pixels, by the filter: the inverse of its distribution.
fn filter_offset(u: f32) -> f32 {
    let scaled = u * f32(FILTER_ENTRIES - 1u);
    let entry = u32(clamp(i32(scaled), 0, i32(FILTER_ENTRIES) - 2));
    let at = header.filter_at + entry;
    return lerp(word_f(at), word_f(at + 1u), scaled - f32(entry));
}

// A place on the iris for two numbers in 0..1, in units of the lens' radius.
fn iris_place(uv: vec2<f32>) -> vec2<f32> {
    if header.lens_blades == 0u {
        let radius = fsqrt(uv.x);
        let turned = sin_cos_turns(uv.y + header.lens_turn);
        return vec2<f32>(radius * turned.y, radius * turned.x);
    }
    let blades = f32(header.lens_blades);
    let scaled = uv.x * blades;
    let blade = fmin(f32(i32(scaled)), blades - 1.0);
    let outwards = fsqrt(fclamp(scaled - blade, 0.0, 1.0));
    let step = rcp(blades);
    let a = sin_cos_turns(blade * step + header.lens_turn);
    let b = sin_cos_turns((blade + 1.0) * step + header.lens_turn);
    return vec2<f32>(outwards * lerp(a.y, b.y, uv.y), outwards * lerp(a.x, b.x, uv.y));
}

// Where the camera is, and how wide it sees.
struct Stand {
    origin: vec3<f32>,
    right: vec3<f32>,
    up: vec3<f32>,
    forward: vec3<f32>,
    half_width: f32,
    half_height: f32,
}

// The camera at a time.
fn stand_at(time: f32) -> Stand {
#ifdef MOTION
    if header.camera_keys_at != NONE {
        let moment = moment_of(time);
        let at = header.camera_keys_at;
        let first = at + moment.key * CAMERA_FLOATS;
        let next = first + CAMERA_FLOATS;
        return Stand(
            vector_at(at, CAMERA_FLOATS, moment),
            normalize_or(vector_at(at + 4u, CAMERA_FLOATS, moment), attribute_vec(first + 4u)),
            normalize_or(vector_at(at + 8u, CAMERA_FLOATS, moment), attribute_vec(first + 8u)),
            normalize_or(vector_at(at + 12u, CAMERA_FLOATS, moment), attribute_vec(first + 12u)),
            between(attributes[first + 3u], attributes[next + 3u], moment.share),
            between(attributes[first + 7u], attributes[next + 7u], moment.share),
        );
    }
#endif
    return Stand(
        header.camera_origin, header.camera_right, header.camera_up, header.camera_forward,
        header.camera_half_width, header.camera_half_height,
    );
}

// The camera's ray through a place of the picture, in pixels from its upper left, and through a
// place of the lens, at a time.
fn camera_ray(x: f32, y: f32, lens: vec2<f32>, time: f32) -> Ray {
    let stand = stand_at(time);
    let origin = stand.origin;
    let forward = stand.forward;
    let to_right = div(x, f32(header.width));
    let down = div(y, f32(header.height));
    if header.camera_kind == CAMERA_PANORAMA {
        let aside = sin_cos_turns(to_right - 0.5);
        let level = sin_cos_turns(down * 0.5);
        let direction = stand.right * (aside.x * level.x) + stand.up * level.y
            + forward * (aside.y * level.x);
        return Ray(origin, fnormalize(direction));
    }
    let across = (to_right * 2.0 - 1.0) * stand.half_width;
    let up = (1.0 - down * 2.0) * stand.half_height;
    let aside = stand.right * across + stand.up * up;
    let is_flat = header.camera_kind == CAMERA_ORTHOGRAPHIC;
    if header.lens_radius <= 0.0 {
        if is_flat { return Ray(origin + aside, forward); }
        return Ray(origin, fnormalize(forward + aside));
    }
    let iris = iris_place(lens);
    let place = stand.right * (iris.x * header.lens_radius)
        + stand.up * (iris.y * header.lens_radius);
    if is_flat {
        let direction = fnormalize(forward * header.lens_focus - place);
        return Ray(origin + aside + place, direction);
    }
    let direction = fnormalize((forward + aside) * header.lens_focus - place);
    return Ray(origin + place, direction);
}

// Depth of a point along the camera's axis at a time; its distance in a panorama.
fn depth_of(point: vec3<f32>, time: f32) -> f32 {
    let stand = stand_at(time);
    let way = point - stand.origin;
    if header.camera_kind == CAMERA_PANORAMA { return flength(way); }
    return fdot(way, stand.forward);
}
