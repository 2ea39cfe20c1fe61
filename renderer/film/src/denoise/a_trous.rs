//! Edge-avoiding à-trous wavelets, guided by features and by the variance of each pixel.
//!
//! Light is filtered without the albedo, so that textures stay sharp: five passes of a 5×5 kernel
//! whose taps lie 1, 2, 4, 8 and 16 pixels apart. A tap counts as far as its surface is the
//! same (normal, depth, albedo) and its light differs no more than noise explains.
//!
//! # Source
//! - H. Dammertz et al., "Edge-Avoiding À-Trous Wavelet Transform for fast Global Illumination
//!   Filtering" (HPG 2010).
//! - C. Schied et al., "Spatiotemporal Variance-Guided Filtering" (HPG 2017), section 4: the
//!   variance as it is filtered, and the edge-stopping functions.

use rayon::prelude::*;

use super::{DenoiseError, Guides, finite};
use crate::layer::{self, LayerValues};
use crate::picture::{Picture, luminance};

/// The B3 spline, whose scaled copies make the wavelets.
const KERNEL: [f32; 5] = [1.0 / 16.0, 1.0 / 4.0, 3.0 / 8.0, 1.0 / 4.0, 1.0 / 16.0];
/// Passes; the last one's taps lie 2⁴ pixels apart.
const PASSES: u32 = 5;
// What follows was chosen by the relative error of two interiors at 16 samples, docs/benchmarks.md.
/// How many standard deviations of the mean two pixels of one light may differ by.
const LIGHT_DEVIATIONS: f32 = 3.0;
/// How much brighter than its second brightest neighbour a pixel may be.
const OUTLIER_RATIO: f32 = 3.0;
/// How far apart normals and albedos of one surface may lie.
const NORMAL_REACH: f32 = 0.2;
const ALBEDO_REACH: f32 = 0.15;
/// How far depths may differ, in the steepest step beside the pixel, and in parts of the depth.
const SLOPE_REACH: f32 = 2.0;
const DEPTH_REACH: f32 = 0.01;
/// Albedo below which dividing by it would only make noise.
const ALBEDO_MIN: f32 = 0.02;

/// A pixel's light without its albedo, and the variance of its luminance.
#[derive(Clone, Copy)]
struct Light {
    rgb: [f32; 3],
    variance: f32,
}

/// The image under way: everything indexed by `y * width + x`.
struct Scene<'a> {
    width: usize,
    height: usize,
    guides: Guides<'a>,
    slope: Vec<f32>,
    samples: &'a [u32],
}

/// Takes the noise out of the beauty; alpha, samples and layers stay as they are, but for the
/// variance, which becomes the filter's estimate of what is left.
///
/// # Errors
/// [`DenoiseError::NoLayer`].
///
/// # Determinism
/// The same bits for any number of threads.
pub fn a_trous(picture: &Picture) -> Result<Picture, DenoiseError> {
    let guides = Guides::of(picture)?;
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let mut scene = Scene { width, height, guides, slope: Vec::new(), samples: &picture.samples };
    scene.slope = scene.each(|x, y| scene.slope_at(x, y));

    // Take the albedo out.
    let divisor: Vec<[f32; 3]> = scene.each(|x, y| {
        scene.guides.albedo[y * width + x].map(|value| if value > ALBEDO_MIN { value } else { 1.0 })
    });
    let noisy: Vec<Light> = scene.each(|x, y| {
        let at = y * width + x;
        let rgb = [0, 1, 2].map(|c| finite(picture.beauty[at][c]) / divisor[at][c]);
        let scale = luminance(divisor[at]);
        Light { rgb, variance: finite(scene.guides.variance[at]) / (scale * scale) }
    });

    let mut light: Vec<Light> = scene.each(|x, y| scene.without_outlier(&noisy, x, y));
    for pass in 0..PASSES {
        let smooth: Vec<(f32, f32)> = scene.each(|x, y| scene.smooth(&light, x, y));
        light = scene.each(|x, y| scene.filter(&light, &smooth, x, y, 1 << pass));
    }

    // Put it back.
    let mut denoised = picture.clone();
    for ((rgb, light), divisor) in denoised.beauty.iter_mut().zip(&light).zip(&divisor) {
        *rgb = [0, 1, 2].map(|c| light.rgb[c] * divisor[c]);
    }
    if let Some(LayerValues::Float(values)) =
        denoised.layer_mut(layer::VARIANCE).map(layer::Layer::values_mut)
    {
        for ((value, light), divisor) in values.iter_mut().zip(&light).zip(&divisor) {
            *value = light.variance * luminance(*divisor).powi(2);
        }
    }
    Ok(denoised)
}

impl Scene<'_> {
    /// One value a pixel, rows in parallel; each value depends on its place alone.
    fn each<T: Send>(&self, value: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
        let row = |y: usize| (0..self.width).map(|x| value(x, y)).collect::<Vec<T>>();
        let rows: Vec<Vec<T>> = (0..self.height).into_par_iter().map(row).collect();
        rows.into_iter().flatten().collect()
    }

    /// Pixels `step` apart around a pixel, itself included, and how far each is moved.
    fn around(
        &self,
        x: usize,
        y: usize,
        radius: isize,
        step: isize,
    ) -> impl Iterator<Item = (usize, isize, isize)> {
        let (width, height) = (self.width, self.height);
        let inside = move |at: usize, by: isize, end: usize| {
            at.checked_add_signed(by * step).filter(|&at| at < end)
        };
        (-radius..=radius).flat_map(move |dy| {
            let row = inside(y, dy, height);
            (-radius..=radius).filter_map(move |dx| {
                let (row, column) = (row?, inside(x, dx, width)?);
                Some((row * width + column, dx, dy))
            })
        })
    }

    /// The smaller of the depth's steps to either side, of the steeper axis.
    fn slope_at(&self, x: usize, y: usize) -> f32 {
        let depth = |x: usize, y: usize| self.guides.depth[y * self.width + x];
        let here = depth(x, y);
        let step = |there: Option<f32>| there.map_or(f32::INFINITY, |z| (z - here).abs());
        let left = step((x > 0).then(|| depth(x - 1, y)));
        let right = step((x + 1 < self.width).then(|| depth(x + 1, y)));
        let above = step((y > 0).then(|| depth(x, y - 1)));
        let below = step((y + 1 < self.height).then(|| depth(x, y + 1)));
        let steepest = left.min(right).max(above.min(below));
        if steepest.is_finite() { steepest } else { 0.0 }
    }

    /// The pixel's light, cut to a few times the brightest but one of its neighbours: a single
    /// sample that found a light by chance would become a blot.
    fn without_outlier(&self, light: &[Light], x: usize, y: usize) -> Light {
        let here = light[y * self.width + x];
        let (mut first, mut second) = (0.0_f32, 0.0_f32);
        for (at, dx, dy) in self.around(x, y, 1, 1) {
            if (dx, dy) != (0, 0) {
                let bright = luminance(light[at].rgb);
                (first, second) = (first.max(bright), second.max(first.min(bright)));
            }
        }
        let own = luminance(here.rgb);
        if own <= second * OUTLIER_RATIO || own <= 0.0 {
            return here;
        }
        let share = second * OUTLIER_RATIO / own;
        Light { rgb: here.rgb.map(|value| value * share), variance: here.variance * share * share }
    }

    /// Luminance and variance around a pixel, on its surface: those of one pixel are themselves
    /// guesses, and a pixel must not be compared by its own noise.
    fn smooth(&self, light: &[Light], x: usize, y: usize) -> (f32, f32) {
        let here = y * self.width + x;
        let (mut bright, mut variance, mut weights) = (0.0, 0.0, 0.0);
        for (at, dx, dy) in self.around(x, y, 1, 1) {
            let side = |by: isize| if by == 0 { 0.5 } else { 0.25 };
            let distance = ((dx * dx + dy * dy) as f32).sqrt();
            let weight = side(dx) * side(dy) * (-self.surface_difference(here, at, distance)).exp();
            bright += luminance(light[at].rgb) * weight;
            variance += light[at].variance * weight;
            weights += weight;
        }
        (bright / weights, variance / weights)
    }

    fn filter(
        &self,
        light: &[Light],
        smooth: &[(f32, f32)],
        x: usize,
        y: usize,
        step: isize,
    ) -> Light {
        let here = y * self.width + x;
        if self.samples[here] == 0 {
            return light[here];
        }
        let (own, variance) = smooth[here];
        let light_reach = LIGHT_DEVIATIONS * variance.max(0.0).sqrt() + 1e-6;
        let (mut rgb, mut spread, mut weights) = ([0.0; 3], 0.0, 0.0);
        for (at, dx, dy) in self.around(x, y, 2, step) {
            if self.samples[at] == 0 {
                continue;
            }
            let mut weight = KERNEL[(dx + 2) as usize] * KERNEL[(dy + 2) as usize];
            if at != here {
                let distance = ((dx * dx + dy * dy) as f32).sqrt() * step as f32;
                let difference = (smooth[at].0 - own).abs() / light_reach;
                weight *= (-(self.surface_difference(here, at, distance) + difference)).exp();
            }
            rgb = [0, 1, 2].map(|c| rgb[c] + light[at].rgb[c] * weight);
            spread += light[at].variance * weight * weight;
            weights += weight;
        }
        if weights <= 0.0 {
            return light[here];
        }
        Light { rgb: rgb.map(|sum| sum / weights), variance: spread / (weights * weights) }
    }

    /// 0 on one surface, growing with what tells two apart.
    fn surface_difference(&self, a: usize, b: usize, distance: f32) -> f32 {
        let guides = &self.guides;
        let square = |a: [f32; 3], b: [f32; 3]| {
            (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2)
        };
        let normal = square(guides.normal[a], guides.normal[b]) / (NORMAL_REACH * NORMAL_REACH);
        let albedo = square(guides.albedo[a], guides.albedo[b]) / (ALBEDO_REACH * ALBEDO_REACH);
        let (near, far) = (guides.depth[a], guides.depth[b]);
        let depth = match (near.is_finite(), far.is_finite()) {
            (true, true) => {
                let reach = SLOPE_REACH * self.slope[a] * distance + DEPTH_REACH * near + 1e-6;
                (near - far).abs() / reach
            }
            (false, false) => 0.0,
            _ => return f32::INFINITY,
        };
        normal + albedo + depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{bit_equal_share, rel_mse};
    use protocol::Size;

    const SIZE: Size = Size::new(48, 40);

    /// Two walls that meet at a vertical edge, under even light, textured; with noise or without.
    fn picture(noise: f32) -> Picture {
        let mut picture = Picture::transparent(SIZE);
        let mut state = 7_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0 - 0.5
        };
        let mut layers = [const { Vec::new() }; 4];
        for index in 0..picture.pixel_count() {
            let x = index % SIZE.width as usize;
            let left = x < 24;
            let albedo = if x % 8 < 4 { 0.8 } else { 0.3 };
            let light = if left { 2.0 } else { 0.5 };
            let value = albedo * (light + noise * random());
            picture.beauty[index] = [value; 3];
            picture.samples[index] = 16;
            picture.alpha[index] = 1.0;
            let normal = if left { [1.0, 0.0, 0.0] } else { [0.0, 0.0, 1.0] };
            layers[0].extend([albedo; 3]);
            layers[1].push(4.0);
            layers[2].extend(normal);
            layers[3].push((albedo * noise).powi(2) / 12.0);
        }
        let names = [layer::ALBEDO, layer::DEPTH, layer::NORMAL, layer::VARIANCE];
        for (name, values) in names.into_iter().zip(layers) {
            let layer = picture.layer_mut(name).expect("of every film");
            *layer.values_mut() = LayerValues::Float(values);
        }
        picture
    }

    #[test]
    fn noise_goes_and_edges_and_textures_stay() {
        let (clean, noisy) = (picture(0.0), picture(0.6));
        let denoised = a_trous(&noisy).expect("has its layers");
        let error = |picture| rel_mse(&clean, picture).expect("one size");
        assert!(error(&denoised) < error(&noisy) / 15.0, "{} {}", error(&denoised), error(&noisy));
        for (got, want) in denoised.beauty.iter().zip(&clean.beauty) {
            assert!((got[0] - want[0]).abs() < 0.2 * want[0], "{got:?} {want:?}");
        }
        let variance = |picture: &Picture| picture.scalars(layer::VARIANCE).expect("there")[1000];
        assert!(variance(&denoised) < variance(&noisy) / 10.0);
        assert_eq!(denoised.layer(layer::ALBEDO), noisy.layer(layer::ALBEDO));
    }

    #[test]
    fn what_has_no_noise_stays() {
        let clean = picture(0.0);
        let denoised = a_trous(&clean).expect("has its layers");
        assert!(rel_mse(&clean, &denoised).expect("one size") < 1e-9);
    }

    #[test]
    fn threads_change_no_bit() {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("a pool").install(|| a_trous(&picture(0.6))).expect("has its layers")
        };
        assert_eq!(bit_equal_share(&with(1), &with(3)), Ok(1.0));
    }

    #[test]
    fn nonsense_and_missing_pixels_spread_nowhere() {
        let mut odd = picture(0.6);
        odd.beauty[100] = [f32::NAN, f32::INFINITY, 1e38];
        for index in 500..700 {
            (odd.samples[index], odd.beauty[index]) = (0, [0.0; 3]);
        }
        let depth = odd.layer_mut(layer::DEPTH).expect("there").values_mut();
        if let LayerValues::Float(depth) = depth {
            depth[900..].fill(f32::INFINITY);
        }
        let denoised = a_trous(&odd).expect("has its layers");
        assert!(denoised.beauty.as_flattened().iter().all(|value| value.is_finite()));
        let bright =
            denoised.beauty[300..480].as_flattened().iter().fold(0.0_f32, |a, &b| a.max(b));
        assert!(bright < 2.5, "{bright}");
        assert_eq!(denoised.samples, odd.samples);
        assert!(denoised.beauty[500..700].as_flattened().iter().all(|value| value.abs() <= 0.0));

        let bare = Picture::bare(Size::new(4, 4));
        assert_eq!(a_trous(&bare), Err(DenoiseError::NoLayer { layer: layer::ALBEDO }));
        assert!(a_trous(&Picture::transparent(Size::new(0, 0))).is_ok());
    }
}
