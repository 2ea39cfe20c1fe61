//! A picture: the means that people look at.

use protocol::{Rect, Size};

use crate::film::{Film, Pixel};

/// Means of a frame's samples, in rows from the upper left.
///
/// A pixel that has no samples yet is 0 in every field, its alpha too: it is transparent.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Width and height.
    pub size: Size,
    /// Scene-linear Rec.709 radiance, W·sr⁻¹·m⁻²; what the environment shines through included.
    pub beauty: Vec<[f32; 3]>,
    /// Share of the samples whose camera ray hit something, 0..=1.
    pub alpha: Vec<f32>,
    /// Albedo of the first hit, 0..=1; the environment counts as 0.
    pub albedo: Vec<[f32; 3]>,
    /// Shading normal of the first hit in world space, shorter than 1 where samples disagree.
    pub normal: Vec<[f32; 3]>,
    /// Distance of the first hit along the camera's axis, metres, over the samples that hit;
    /// infinite where none did.
    pub depth: Vec<f32>,
    /// Variance of the pixel's mean luminance; 0 with fewer than two samples.
    pub variance: Vec<f32>,
    /// Samples.
    pub samples: Vec<u32>,
}

/// Rec.709 luminance of linear RGB.
#[must_use]
pub fn luminance(rgb: [f32; 3]) -> f32 {
    0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
}

impl Picture {
    /// A picture of which nothing is there yet.
    #[must_use]
    pub fn transparent(size: Size) -> Self {
        let count = size.pixel_count() as usize;
        Self {
            size,
            beauty: vec![[0.0; 3]; count],
            alpha: vec![0.0; count],
            albedo: vec![[0.0; 3]; count],
            normal: vec![[0.0; 3]; count],
            depth: vec![0.0; count],
            variance: vec![0.0; count],
            samples: vec![0; count],
        }
    }

    /// The picture of one film alone, of the film's size.
    #[must_use]
    pub fn of_film(film: &Film) -> Self {
        let rect = film.rect();
        let mut picture = Self::transparent(Size::new(rect.width(), rect.height()));
        for (index, pixel) in film.pixels().iter().enumerate() {
            picture.set(index, pixel);
        }
        picture
    }

    /// Number of pixels.
    #[must_use]
    pub fn pixel_count(&self) -> usize {
        self.beauty.len()
    }

    /// Whether every pixel has samples.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        self.samples.iter().all(|&samples| samples > 0)
    }

    /// Puts a film's means where its tile lies; pixels outside the picture are left out.
    pub(crate) fn put(&mut self, film: &Film) {
        let rect = film.rect();
        let whole = Rect::of_size(self.size);
        for ((x, y), pixel) in rect.pixels().zip(film.pixels()) {
            if whole.contains(x, y) {
                self.set(y as usize * self.size.width as usize + x as usize, pixel);
            }
        }
    }

    fn set(&mut self, index: usize, pixel: &Pixel) {
        if pixel.samples == 0 {
            return;
        }
        let count = pixel.samples as f32;
        let mean = |sum: [f32; 3]| sum.map(|value| value / count);
        self.beauty[index] = mean(pixel.beauty);
        self.alpha[index] = pixel.alpha / count;
        self.albedo[index] = mean(pixel.albedo);
        self.normal[index] = mean(pixel.normal);
        // A ray that left the scene adds 0 to the depth, so the mean is over those that hit.
        self.depth[index] =
            if pixel.alpha > 0.0 { pixel.depth / pixel.alpha } else { f32::INFINITY };
        self.variance[index] = variance_of_mean(pixel);
        self.samples[index] = pixel.samples;
    }
}

/// Unbiased variance of the samples' luminance, over the number of samples.
fn variance_of_mean(pixel: &Pixel) -> f32 {
    if pixel.samples < 2 {
        return 0.0;
    }
    let count = f64::from(pixel.samples);
    let [red, green, blue] = pixel.beauty.map(f64::from);
    let sum = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    let spread = f64::from(pixel.luminance_squared) - sum * sum / count;
    (spread.max(0.0) / (count - 1.0) / count) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Batch;

    #[test]
    fn means_are_over_samples_and_depth_over_hits() {
        let rect = Rect { x0: 0, y0: 0, x1: 2, y1: 1 };
        let mut film = Film::zeroed(rect, Batch::new(0, 1).expect("aligned"));
        // Four samples of luminance 0, 0, 2 and 2: variance 4/3, of the mean 1/3.
        film.pixels_mut()[0] = Pixel {
            beauty: [4.0; 3],
            alpha: 2.0,
            albedo: [1.0, 2.0, 3.0],
            normal: [0.0, 4.0, 0.0],
            depth: 6.0,
            luminance_squared: 8.0,
            samples: 4,
            ..Pixel::default()
        };
        let picture = Picture::of_film(&film);
        assert_eq!(picture.beauty[0].map(f32::to_bits), [1.0_f32; 3].map(f32::to_bits));
        assert_eq!(picture.alpha[0].to_bits(), 0.5_f32.to_bits());
        assert_eq!(picture.depth[0].to_bits(), 3.0_f32.to_bits());
        assert!((picture.variance[0] - 1.0 / 3.0).abs() < 1e-6, "{}", picture.variance[0]);
        assert_eq!((picture.samples[1], picture.alpha[1].to_bits()), (0, 0));
        assert!(!picture.is_opaque());
    }

    #[test]
    fn nothing_hit_is_infinitely_far() {
        let rect = Rect { x0: 0, y0: 0, x1: 1, y1: 1 };
        let mut film = Film::zeroed(rect, Batch::new(0, 1).expect("aligned"));
        film.pixels_mut()[0].samples = 16;
        assert!(Picture::of_film(&film).depth[0].is_infinite());
    }
}
