//! A film: what a batch of a tile yields, as sums.

use bytemuck::{Pod, Zeroable};
use protocol::{Batch, Digest, RayCount, Rect};

use crate::bytes::film_pixel_bytes;
use crate::passes::Passes;
use crate::sums::Sums;

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

/// The pixels of one batch of one tile.
#[derive(Debug, Clone, PartialEq)]
pub struct Film {
    rect: Rect,
    batch: Batch,
    sums: Sums,
}

/// Bytes or films that do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilmError {
    /// Another number of bytes than these pixels need.
    #[error("{pixels} pixels have {wanted_bytes} bytes, these are {got_bytes}")]
    Length {
        /// Pixels.
        pixels: usize,
        /// Bytes that fit.
        wanted_bytes: usize,
        /// Bytes that came.
        got_bytes: usize,
    },
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
    /// One film with light passes, one without.
    #[error("films of one batch with light passes and without do not add up; ask for both alike")]
    Passes,
    /// Words of a sheet of passes that no value uses are not zero.
    #[error("word {word} of the film is not zero, and no value is kept there")]
    Reserved {
        /// Index among the film's words.
        word: usize,
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
    /// A film of no samples yet, without light passes.
    #[must_use]
    pub fn zeroed(rect: Rect, batch: Batch) -> Self {
        Self { rect, batch, sums: Sums::zeroed(rect.pixel_count() as usize, false) }
    }

    /// A film from its pixels' sums, rows from the upper left.
    ///
    /// # Errors
    /// [`FilmError::Size`] when there are more or fewer than the rectangle has.
    pub fn new(rect: Rect, batch: Batch, sums: Sums) -> Result<Self, FilmError> {
        let pixel_bytes = film_pixel_bytes(sums.passes().is_some());
        check_size(rect, pixel_bytes, (sums.len() * pixel_bytes) as u64)?;
        Ok(Self { rect, batch, sums })
    }

    /// A film without light passes.
    ///
    /// # Errors
    /// [`FilmError::Size`] when there are more or fewer than the rectangle has.
    pub fn from_pixels(rect: Rect, batch: Batch, pixels: Vec<Pixel>) -> Result<Self, FilmError> {
        Self::new(rect, batch, Sums::from(pixels))
    }

    /// Reads the bytes of [`Film::to_bytes`]; the settings say whether there are light passes.
    ///
    /// # Errors
    /// [`FilmError::Size`], [`FilmError::Reserved`]; the bytes are not copied before the size is
    /// checked.
    pub fn from_bytes(
        rect: Rect,
        batch: Batch,
        has_passes: bool,
        bytes: &[u8],
    ) -> Result<Self, FilmError> {
        check_size(rect, film_pixel_bytes(has_passes), bytes.len() as u64)?;
        let sums = Sums::from_bytes(rect.pixel_count() as usize, has_passes, bytes)?;
        Ok(Self { rect, batch, sums })
    }

    /// Canonical bytes, see [`Sums::to_bytes`]: rows from the upper left.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.sums.to_bytes()
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

    /// Sums of the pixels, in rows from the upper left.
    #[must_use]
    pub const fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Sums of the pixels, to be written.
    #[must_use]
    pub const fn sums_mut(&mut self) -> &mut Sums {
        &mut self.sums
    }

    /// Pixels in rows from the upper left.
    #[must_use]
    pub fn pixels(&self) -> &[Pixel] {
        self.sums.pixels()
    }

    /// Pixels in rows from the upper left, to be written.
    #[must_use]
    pub fn pixels_mut(&mut self) -> &mut [Pixel] {
        self.sums.pixels_mut()
    }

    /// The film of the same pixels without light passes.
    #[must_use]
    pub fn without_passes(self) -> Self {
        Self { sums: self.sums.without_passes(), ..self }
    }

    /// Light passes of the pixels, where the film has any.
    #[must_use]
    pub fn passes(&self) -> Option<&[Passes]> {
        self.sums.passes()
    }

    /// Where a pixel of frame coordinates lies among the film's, or `None` outside the tile.
    #[must_use]
    pub fn index(&self, x: u32, y: u32) -> Option<usize> {
        let row = (y.checked_sub(self.rect.y0)? as usize).checked_mul(self.rect.width() as usize)?;
        let is_inside = self.rect.contains(x, y);
        is_inside.then(|| row + (x - self.rect.x0) as usize)
    }

    /// The pixel at frame coordinates, or `None` outside the tile.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> Option<&Pixel> {
        self.pixels().get(self.index(x, y)?)
    }

    /// Rays of all pixels.
    #[must_use]
    pub fn rays(&self) -> RayCount {
        let mut rays = RayCount::default();
        for pixel in self.pixels() {
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
    /// [`FilmError::NotSiblings`], [`FilmError::Passes`].
    pub fn merge(&self, other: &Self) -> Result<Self, FilmError> {
        if self.batch.sibling() != other.batch || self.rect != other.rect {
            return Err(FilmError::NotSiblings { a: self.batch, b: other.batch });
        }
        if self.passes().is_some() != other.passes().is_some() {
            return Err(FilmError::Passes);
        }
        let (low, high) = if self.batch < other.batch { (self, other) } else { (other, self) };
        let mut sums = low.sums.clone();
        sums.add(&high.sums);
        Ok(Self { rect: self.rect, batch: self.batch.parent(), sums })
    }
}

fn check_size(rect: Rect, pixel_bytes: usize, got_bytes: u64) -> Result<(), FilmError> {
    let wanted_bytes = rect.pixel_count() * pixel_bytes as u64;
    if got_bytes == wanted_bytes {
        Ok(())
    } else {
        Err(FilmError::Size { rect, wanted_bytes, got_bytes })
    }
}
