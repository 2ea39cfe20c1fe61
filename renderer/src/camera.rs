//! Cameras and the pixel filter.

use protocol::PixelFilter;

use crate::RenderScene;
use crate::math::{
    Vec3, between, between3, clamp, div, dot, length, lerp, min, normalize, normalize_or, rcp,
    sin_cos_turns, sqrt, truncate_to_i32, vec3,
};
use crate::moving::{CAMERA_FLOATS, moment_of};
use crate::precise;
use crate::ray::Ray;
use crate::tables::{CAMERA_ORTHOGRAPHIC, CAMERA_PANORAMA, FILTER_ENTRIES, Header, NONE};

/// Offset from a pixel's middle, in pixels, by the filter: the inverse of its distribution.
#[inline(always)]
#[must_use]
pub fn filter_offset(scene: &RenderScene, u: f32) -> f32 {
    let scaled = u * (FILTER_ENTRIES - 1) as f32;
    let entry = truncate_to_i32(scaled).clamp(0, FILTER_ENTRIES as i32 - 2) as usize;
    lerp(scene.filter[entry], scene.filter[entry + 1], scaled - entry as f32)
}

/// A place on the iris for two numbers in 0..1, in units of the lens' radius.
#[inline]
#[must_use]
pub fn iris_place(header: &Header, u: f32, v: f32) -> (f32, f32) {
    if header.lens_blades == 0 {
        let radius = sqrt(u);
        let (sin, cos) = sin_cos_turns(v + header.lens_turn);
        return (radius * cos, radius * sin);
    }
    // One of the polygon's triangles, then a place in it, even over the area.
    let blades = header.lens_blades as f32;
    let scaled = u * blades;
    let blade = min((scaled as i32) as f32, blades - 1.0);
    let outwards = sqrt(clamp(scaled - blade, 0.0, 1.0));
    let step = rcp(blades);
    let (sin_a, cos_a) = sin_cos_turns(blade * step + header.lens_turn);
    let (sin_b, cos_b) = sin_cos_turns((blade + 1.0) * step + header.lens_turn);
    (outwards * lerp(cos_a, cos_b, v), outwards * lerp(sin_a, sin_b, v))
}

/// Where the camera is, and how wide it sees.
#[derive(Debug, Clone, Copy)]
pub struct Stand {
    /// Place, world space.
    pub origin: Vec3,
    /// Unit vector to the right of the picture.
    pub right: Vec3,
    /// Unit vector to its top.
    pub up: Vec3,
    /// Unit vector into it.
    pub forward: Vec3,
    /// Half the picture's width: tangent (perspective) or metres (orthographic).
    pub half_width: f32,
    /// Half its height.
    pub half_height: f32,
}

/// The camera at a time: place and widths move in straight lines from key to key, directions as
/// straight and are made of unit length again.
#[inline(always)]
#[must_use]
pub fn stand_at(scene: &RenderScene, time: f32) -> Stand {
    let header = &scene.header;
    let still = Stand {
        origin: Vec3::of(header.camera_origin),
        right: Vec3::of(header.camera_right),
        up: Vec3::of(header.camera_up),
        forward: Vec3::of(header.camera_forward),
        half_width: header.camera_half_width,
        half_height: header.camera_half_height,
    };
    if header.camera_keys_at == NONE { still } else { moving_stand(scene, time) }
}

#[inline(never)]
fn moving_stand(scene: &RenderScene, time: f32) -> Stand {
    let moment = moment_of(&scene.header, time);
    let first = (scene.header.camera_keys_at + moment.key * CAMERA_FLOATS) as usize;
    let next = first + CAMERA_FLOATS as usize;
    let list = &scene.attributes;
    let vector = |at: usize| vec3(list[at], list[at + 1], list[at + 2]);
    let place = |at: usize| between3(vector(first + at), vector(next + at), moment.share);
    let turned = |at: usize| normalize_or(place(at), vector(first + at));
    Stand {
        origin: place(0),
        right: turned(4),
        up: turned(8),
        forward: turned(12),
        half_width: between(list[first + 3], list[next + 3], moment.share),
        half_height: between(list[first + 7], list[next + 7], moment.share),
    }
}

/// The camera's ray through a place of the picture, in pixels from its upper left, and through a
/// place of the lens, at a time; its direction has unit length.
#[must_use]
pub fn camera_ray(scene: &RenderScene, x: f32, y: f32, lens: (f32, f32), time: f32) -> Ray {
    let header = &scene.header;
    let Stand { origin, right, up: above, forward, half_width, half_height } =
        stand_at(scene, time);
    let (across, down) = (div(x, header.width as f32), div(y, header.height as f32));
    if header.camera_kind == CAMERA_PANORAMA {
        let (side, ahead) = sin_cos_turns(across - 0.5);
        let (level, height) = sin_cos_turns(down * 0.5);
        let direction = right * (side * level) + above * height + forward * (ahead * level);
        return Ray { origin, direction: normalize(direction) };
    }
    let across = (across * 2.0 - 1.0) * half_width;
    let up = (1.0 - down * 2.0) * half_height;
    let aside = right * across + above * up;
    let is_flat = header.camera_kind == CAMERA_ORTHOGRAPHIC;
    if header.lens_radius <= 0.0 {
        return if is_flat {
            Ray { origin: origin + aside, direction: forward }
        } else {
            Ray { origin, direction: normalize(forward + aside) }
        };
    }
    let (lens_x, lens_y) = iris_place(header, lens.0, lens.1);
    let place = right * (lens_x * header.lens_radius) + above * (lens_y * header.lens_radius);
    let ahead = if is_flat { forward } else { forward + aside };
    let direction = normalize(ahead * header.lens_focus - place);
    let start = if is_flat { origin + aside } else { origin };
    Ray { origin: start + place, direction }
}

/// Density of a filter, times any constant, where `x` goes from 0 to 1 across its width.
fn filter_density(filter: PixelFilter, x: f64) -> f64 {
    match filter {
        PixelFilter::BlackmanHarris => {
            let cos = |k: f64| precise::sin_cos_turns(k * x).1;
            0.358_75 - 0.488_29 * cos(1.0) + 0.141_28 * cos(2.0) - 0.011_68 * cos(3.0)
        }
        PixelFilter::Gaussian => {
            let deviations = (x - 0.5) * WIDE_PX / GAUSSIAN_DEVIATION_PX;
            precise::exp(-0.5 * deviations * deviations)
        }
        PixelFilter::Box => 1.0,
    }
}

/// Width of the filters that reach beyond the pixel.
const WIDE_PX: f64 = 3.0;
const GAUSSIAN_DEVIATION_PX: f64 = 0.5;

/// The table of [`filter_offset`] for a filter.
///
/// The filter's distribution function is summed in fine steps and inverted at even steps of
/// probability; the table is odd about its middle to the bit.
#[must_use]
pub fn filter_table(filter: PixelFilter) -> Vec<f32> {
    let width = if filter == PixelFilter::Box { 1.0 } else { WIDE_PX };
    let steps = 8192_u32;
    let density = |i: u32| filter_density(filter, f64::from(i) / f64::from(steps));
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
        let offset = ((at as f64 + within) / f64::from(steps) - 0.5) * width;
        table[entry] = offset as f32;
        table[FILTER_ENTRIES - 1 - entry] = -(offset as f32);
    }
    table
}

/// Depth of a point along the camera's axis at a time; its distance in a panorama.
#[inline(always)]
#[must_use]
pub fn depth_of(scene: &RenderScene, point: Vec3, time: f32) -> f32 {
    let Stand { origin, forward, .. } = stand_at(scene, time);
    let way = point - origin;
    if scene.header.camera_kind == CAMERA_PANORAMA {
        return length(way);
    }
    dot(way, forward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::FILTER_ENTRIES;

    /// Variance of the offsets that a table gives, px².
    fn variance(table: &[f32]) -> f64 {
        let count = 10_000;
        let offset = |i: u32| {
            let scaled = (f64::from(i) + 0.5) / f64::from(count) * (FILTER_ENTRIES - 1) as f64;
            let entry = (scaled as usize).min(FILTER_ENTRIES - 2);
            let (a, b) = (f64::from(table[entry]), f64::from(table[entry + 1]));
            a + (b - a) * (scaled - entry as f64)
        };
        (0..count).map(|i| offset(i).powi(2)).sum::<f64>() / f64::from(count)
    }

    #[test]
    fn filters_are_as_wide_as_they_say() {
        let of = |filter| variance(&filter_table(filter));
        // The table's last step is a straight line, which makes tails a little heavier.
        let near = |filter, wanted: f64| {
            let got = of(filter);
            assert!(got > wanted - 1e-4 && got < wanted * 1.03, "{filter:?}: {got}, not {wanted}");
        };
        near(PixelFilter::Box, 1.0 / 12.0);
        // A normal distribution cut at three deviations has 0.9733 of its variance.
        near(PixelFilter::Gaussian, 0.25 * 0.9733);
        // 9 / 12 + 9 / (2 π² a₀) · Σ (-1)ᵏ aₖ / k².
        near(PixelFilter::BlackmanHarris, 0.1727);
    }
}
