//! A film: what a batch of a tile yields, as sums.

use bytemuck::{Pod, Zeroable};
use protocol::{Batch, Digest, RayCount, Rect};

/// Sums over the samples of one pixel: 64 bytes, little-endian on the wire.
///
/// Every value is a sum over samples, never a mean, so that films of other samples of the same
/// pixel add up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Pixel {
    /// Scene-linear Rec.709 radiance, W·sr⁻¹·m⁻².
    pub beauty: [f32; 3],
    /// 1 for every sample whose camera ray hit something.
    pub alpha: f32,
    /// Albedo of the first hit, 0..=1; the environment counts as 0.
    pub albedo: [f32; 3],
    /// Shading normal of the first hit, world space.
    pub normal: [f32; 3],
    /// Distance of the first hit along the camera's axis, metres.
    pub depth: f32,
    /// Squared Rec.709 luminance of each sample: for variance.
    pub luminance_squared: f32,
    /// Samples.
    pub samples: u32,
    /// Rays that looked for the closest hit.
    pub closest_rays: u32,
    /// Rays that asked whether something is in the way.
    pub shadow_rays: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Bytes of a pixel.
pub const PIXEL_BYTES: usize = size_of::<Pixel>();

/// The pixels of one batch of one tile.
#[derive(Debug, Clone, PartialEq)]
pub struct Film {
    rect: Rect,
    batch: Batch,
    pixels: Vec<Pixel>,
}

/// Bytes or films that do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilmError {
    /// Another number of bytes than the rectangle needs.
    #[error("a film of {rect:?} has {wanted_bytes} bytes, these are {got_bytes}")]
    Size {
        /// Pixels of the tile.
        rect: Rect,
        /// Bytes that fit.
        wanted_bytes: u64,
        /// Bytes that came.
        got_bytes: u64,
    },
    /// Two films that are not halves of one batch of one tile.
    #[error("batches {a} and {b} are not two halves of one batch of the same tile")]
    NotSiblings {
        /// One batch.
        a: Batch,
        /// The other.
        b: Batch,
    },
}

impl Pixel {
    /// Adds another pixel's sums: one rounding per value, the same on every machine.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let add3 = |a: [f32; 3], b: [f32; 3]| [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
        Self {
            beauty: add3(self.beauty, other.beauty),
            alpha: self.alpha + other.alpha,
            albedo: add3(self.albedo, other.albedo),
            normal: add3(self.normal, other.normal),
            depth: self.depth + other.depth,
            luminance_squared: self.luminance_squared + other.luminance_squared,
            samples: self.samples.saturating_add(other.samples),
            closest_rays: self.closest_rays.saturating_add(other.closest_rays),
            shadow_rays: self.shadow_rays.saturating_add(other.shadow_rays),
            reserved: 0,
        }
    }

    /// The value's bits, for comparing within a class.
    #[must_use]
    pub fn bits(&self) -> [u32; 16] {
        bytemuck::must_cast(*self)
    }

    /// Whether every value is finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let floats = [
            &self.beauty[..],
            &[self.alpha],
            &self.albedo,
            &self.normal,
            &[self.depth, self.luminance_squared],
        ];
        floats.iter().flat_map(|values| values.iter()).all(|value| value.is_finite())
    }
}

impl Film {
    /// A film of no samples yet.
    #[must_use]
    pub fn zeroed(rect: Rect, batch: Batch) -> Self {
        Self { rect, batch, pixels: vec![Pixel::zeroed(); rect.pixel_count() as usize] }
    }

    /// A film from its pixels, rows from the upper left.
    ///
    /// # Errors
    /// [`FilmError::Size`] when there are more or fewer than the rectangle has.
    pub fn from_pixels(rect: Rect, batch: Batch, pixels: Vec<Pixel>) -> Result<Self, FilmError> {
        check_size(rect, (pixels.len() * PIXEL_BYTES) as u64)?;
        Ok(Self { rect, batch, pixels })
    }

    /// Reads the bytes of [`Film::to_bytes`].
    ///
    /// # Errors
    /// [`FilmError::Size`]; the bytes are not copied before that is checked.
    pub fn from_bytes(rect: Rect, batch: Batch, bytes: &[u8]) -> Result<Self, FilmError> {
        check_size(rect, bytes.len() as u64)?;
        let pixels = bytes
            .chunks_exact(PIXEL_BYTES)
            .map(|pixel| {
                let mut words = [0_u32; 16];
                for (word, four) in words.iter_mut().zip(pixel.chunks_exact(4)) {
                    *word = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                }
                bytemuck::must_cast(words)
            })
            .collect();
        Ok(Self { rect, batch, pixels })
    }

    /// Canonical bytes: 16 little-endian words a pixel, rows from the upper left.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.pixels.iter().flat_map(|pixel| pixel.bits()).flat_map(u32::to_le_bytes).collect()
    }

    /// BLAKE3 of [`Film::to_bytes`]: what a node commits to.
    #[must_use]
    pub fn root(&self) -> Digest {
        blake3::hash(&self.to_bytes()).into()
    }

    /// Pixels of the tile.
    #[must_use]
    pub const fn rect(&self) -> Rect {
        self.rect
    }

    /// The batch.
    #[must_use]
    pub const fn batch(&self) -> Batch {
        self.batch
    }

    /// Pixels in rows from the upper left.
    #[must_use]
    pub fn pixels(&self) -> &[Pixel] {
        &self.pixels
    }

    /// Pixels in rows from the upper left, to be written.
    #[must_use]
    pub fn pixels_mut(&mut self) -> &mut [Pixel] {
        &mut self.pixels
    }

    /// The pixel at frame coordinates, or `None` outside the tile.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> Option<&Pixel> {
        if !self.rect.contains(x, y) {
            return None;
        }
        let row = (y - self.rect.y0) as usize * self.rect.width() as usize;
        self.pixels.get(row + (x - self.rect.x0) as usize)
    }

    /// Rays of all pixels.
    #[must_use]
    pub fn rays(&self) -> RayCount {
        let mut rays = RayCount::default();
        for pixel in &self.pixels {
            rays += RayCount {
                closest: u64::from(pixel.closest_rays),
                shadow: u64::from(pixel.shadow_rays),
            };
        }
        rays
    }

    /// Adds the other half of the batch above: lower chunks first, one addition a value.
    ///
    /// # Errors
    /// [`FilmError::NotSiblings`].
    pub fn merge(&self, other: &Self) -> Result<Self, FilmError> {
        if self.batch.sibling() != other.batch || self.rect != other.rect {
            return Err(FilmError::NotSiblings { a: self.batch, b: other.batch });
        }
        let (low, high) = if self.batch < other.batch { (self, other) } else { (other, self) };
        Ok(Self {
            rect: self.rect,
            batch: self.batch.parent(),
            pixels: low.pixels.iter().zip(&high.pixels).map(|(a, b)| a.plus(b)).collect(),
        })
    }
}

fn check_size(rect: Rect, got_bytes: u64) -> Result<(), FilmError> {
    let wanted_bytes = rect.pixel_count() * PIXEL_BYTES as u64;
    if got_bytes == wanted_bytes {
        Ok(())
    } else {
        Err(FilmError::Size { rect, wanted_bytes, got_bytes })
    }
}
