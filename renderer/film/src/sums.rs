//! Sums of pixels, with light passes or without.

use crate::film::Pixel;
use crate::passes::Passes;

/// Sums of some pixels: of a film, or of those that a challenge picks. All of them have light
/// passes, or none has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sums {
    pixels: Vec<Pixel>,
    /// As many as pixels, or none at all.
    passes: Option<Vec<Passes>>,
}

impl Sums {
    /// Sums of no samples yet.
    #[must_use]
    pub fn zeroed(count: usize, has_passes: bool) -> Self {
        Self {
            pixels: vec![Pixel::default(); count],
            passes: has_passes.then(|| vec![Passes::default(); count]),
        }
    }

    /// Sums with light passes.
    ///
    /// # Panics
    /// When there are not as many passes as pixels: each pixel has its own.
    #[must_use]
    pub fn with_passes(pixels: Vec<Pixel>, passes: Vec<Passes>) -> Self {
        assert_eq!(pixels.len(), passes.len(), "every pixel has its passes");
        Self { pixels, passes: Some(passes) }
    }

    /// The pixels alone.
    #[must_use]
    pub fn without_passes(self) -> Self {
        Self::from(self.pixels)
    }

    /// Number of pixels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pixels.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The pixels.
    #[must_use]
    pub fn pixels(&self) -> &[Pixel] {
        &self.pixels
    }

    /// The pixels, to be written.
    #[must_use]
    pub fn pixels_mut(&mut self) -> &mut [Pixel] {
        &mut self.pixels
    }

    /// The pixels' light passes, where there are any.
    #[must_use]
    pub fn passes(&self) -> Option<&[Passes]> {
        self.passes.as_deref()
    }

    /// The pixels' light passes, to be written.
    #[must_use]
    pub fn passes_mut(&mut self) -> Option<&mut [Passes]> {
        self.passes.as_deref_mut()
    }

    /// Both, to be written: no passes where there are none.
    #[must_use]
    pub fn parts_mut(&mut self) -> (&mut [Pixel], &mut [Passes]) {
        (&mut self.pixels, self.passes.as_deref_mut().unwrap_or_default())
    }

    /// The light passes of one pixel.
    #[must_use]
    pub fn passes_of(&self, index: usize) -> Option<&Passes> {
        self.passes.as_ref()?.get(index)
    }

    /// Some of the pixels, in this order; `None` where one of them is not there.
    #[must_use]
    pub fn picked(&self, indices: impl Iterator<Item = usize> + Clone) -> Option<Self> {
        let pixels: Option<_> = indices.clone().map(|at| self.pixels.get(at).copied()).collect();
        let passes = match &self.passes {
            Some(passes) => Some(indices.map(|at| passes.get(at).copied()).collect::<Option<_>>()?),
            None => None,
        };
        Some(Self { pixels: pixels?, passes })
    }

    /// Puts the sums of a pixel of `other` in the place of one of these.
    ///
    /// # Panics
    /// When one of the two has passes and the other has none, or a place is out of range.
    pub fn put(&mut self, at: usize, other: &Self, from: usize) {
        self.pixels[at] = other.pixels[from];
        match (&mut self.passes, &other.passes) {
            (Some(passes), Some(others)) => passes[at] = others[from],
            (None, None) => (),
            _ => panic!("sums with light passes and without do not mix"),
        }
    }

    /// Adds the sums of other samples of the same pixels, in place: one addition a value.
    ///
    /// # Panics
    /// When one of the two has passes and the other has none, or they differ in length: both are of
    /// the same settings and places.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.len(), other.len(), "sums of the same pixels");
        for (sum, more) in self.pixels.iter_mut().zip(&other.pixels) {
            *sum = sum.plus(more);
        }
        match (&mut self.passes, &other.passes) {
            (Some(passes), Some(others)) => {
                for (sum, more) in passes.iter_mut().zip(others) {
                    *sum = sum.plus(more);
                }
            }
            (None, None) => (),
            _ => panic!("sums with light passes and without do not mix"),
        }
    }

    /// Whether a pixel has the same bits in both, its passes included.
    #[must_use]
    pub fn is_same(&self, other: &Self, index: usize) -> bool {
        let bits = |sums: &Self| {
            (sums.pixels.get(index).map(Pixel::bits), sums.passes_of(index).map(Passes::bits))
        };
        bits(self) == bits(other)
    }
}

impl From<Vec<Pixel>> for Sums {
    /// Sums without light passes.
    fn from(pixels: Vec<Pixel>) -> Self {
        Self { pixels, passes: None }
    }
}
