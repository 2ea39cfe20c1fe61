//! Cameras and the pixel filter.

use crate::RenderScene;
use crate::math::{Vec3, div, lerp, normalize};
use crate::ray::Ray;
use crate::tables::{CAMERA_ORTHOGRAPHIC, FILTER_ENTRIES};

/// Offset from a pixel's middle, in pixels, by the filter: the inverse of its distribution.
#[inline(always)]
#[must_use]
pub fn filter_offset(scene: &RenderScene, u: f32) -> f32 {
    let scaled = u * (FILTER_ENTRIES - 1) as f32;
    let entry = (scaled as i32).clamp(0, FILTER_ENTRIES as i32 - 2) as usize;
    lerp(scene.filter[entry], scene.filter[entry + 1], scaled - entry as f32)
}

/// The camera's ray through a place of the picture, in pixels from its upper left; its direction
/// has unit length.
#[must_use]
pub fn camera_ray(scene: &RenderScene, x: f32, y: f32) -> Ray {
    let header = &scene.header;
    let across = (div(x, header.width as f32) * 2.0 - 1.0) * header.camera_half_width;
    let up = (1.0 - div(y, header.height as f32) * 2.0) * header.camera_half_height;
    let origin = Vec3::of(header.camera_origin);
    let aside = Vec3::of(header.camera_right) * across + Vec3::of(header.camera_up) * up;
    let forward = Vec3::of(header.camera_forward);
    if header.camera_kind == CAMERA_ORTHOGRAPHIC {
        Ray { origin: origin + aside, direction: forward }
    } else {
        Ray { origin, direction: normalize(forward + aside) }
    }
}

/// The table of [`filter_offset`] for the Blackman-Harris window over ±1.5 px.
///
/// The window's distribution function is summed in fine steps and inverted at even steps of
/// probability; the table is odd about its middle to the bit.
#[must_use]
pub fn filter_table() -> Vec<f32> {
    let steps = 8192_u32;
    let density = |i: u32| {
        let x = f64::from(i) / f64::from(steps);
        let cos = |k: f64| crate::precise::sin_cos_turns(k * x).1;
        0.358_75 - 0.488_29 * cos(1.0) + 0.141_28 * cos(2.0) - 0.011_68 * cos(3.0)
    };
    let mut sums = vec![0.0_f64];
    for i in 0..steps {
        let last = sums[i as usize];
        sums.push(last + (density(i) + density(i + 1)) * 0.5);
    }
    let total = sums[steps as usize];
    let half = FILTER_ENTRIES / 2;
    let mut table = vec![0.0_f32; FILTER_ENTRIES];
    let mut at = 0;
    for entry in 0..half {
        let wanted = total * entry as f64 / (FILTER_ENTRIES - 1) as f64;
        while sums[at + 1] < wanted {
            at += 1;
        }
        let within = (wanted - sums[at]) / (sums[at + 1] - sums[at]).max(1e-300);
        let offset = ((at as f64 + within) / f64::from(steps) - 0.5) * 3.0;
        table[entry] = offset as f32;
        table[FILTER_ENTRIES - 1 - entry] = -(offset as f32);
    }
    table
}

/// Depth of a point along the camera's axis.
#[inline(always)]
#[must_use]
pub fn depth_of(scene: &RenderScene, point: Vec3) -> f32 {
    crate::math::dot(
        point - Vec3::of(scene.header.camera_origin),
        Vec3::of(scene.header.camera_forward),
    )
}
