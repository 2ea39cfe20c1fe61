// Cameras and the pixel filter, mirrored from renderer/src/camera.rs.
#define_import_path tessera::camera

#import tessera::math::{fdot, fnormalize, lerp}
#import tessera::ray::Ray
#import tessera::rounding::div
#import tessera::tables::{CAMERA_ORTHOGRAPHIC, FILTER_ENTRIES, header, word_f}

// Offset from a pixel's middle, in pixels, by the filter: the inverse of its distribution.
fn filter_offset(u: f32) -> f32 {
    let scaled = u * f32(FILTER_ENTRIES - 1u);
    let entry = u32(clamp(i32(scaled), 0, i32(FILTER_ENTRIES) - 2));
    let at = header.filter_at + entry;
    return lerp(word_f(at), word_f(at + 1u), scaled - f32(entry));
}

// The camera's ray through a place of the picture, in pixels from its upper left.
fn camera_ray(x: f32, y: f32) -> Ray {
    let across = (div(x, f32(header.width)) * 2.0 - 1.0) * header.camera_half_width;
    let up = (1.0 - div(y, f32(header.height)) * 2.0) * header.camera_half_height;
    let aside = header.camera_right * across + header.camera_up * up;
    if header.camera_kind == CAMERA_ORTHOGRAPHIC {
        return Ray(header.camera_origin + aside, header.camera_forward);
    }
    return Ray(header.camera_origin, fnormalize(header.camera_forward + aside));
}

// Depth of a point along the camera's axis.
fn depth_of(point: vec3<f32>) -> f32 {
    return fdot(point - header.camera_origin, header.camera_forward);
}
