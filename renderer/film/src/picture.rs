//! A picture: the means that people look at.

use std::borrow::Cow;

use protocol::{Rect, RenderSettings, Size};

use crate::film::{Film, Pixel};
use crate::layer::{self, Layer, LayerError, LayerKind};
use crate::passes::Passes;

/// Means of a frame's samples, in rows from the upper left: the beauty, and named layers.
///
/// A pixel that has no samples yet is 0 in every value, its alpha too: it is transparent.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Width and height of what is here.
    pub size: Size,
    /// Where that lies in its frame.
    pub place: Place,
    /// Scene-linear Rec.709 radiance, W·sr⁻¹·m⁻²; what the environment shines through included.
    pub beauty: Vec<[f32; 3]>,
    /// Share of the samples whose camera ray hit something, 0..=1.
    pub alpha: Vec<f32>,
    /// Samples.
    pub samples: Vec<u32>,
    /// By name.
    pub(crate) layers: Vec<Layer>,
}

/// Where a picture lies in the frame that it is of: a crop in it, overscan around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The frame's size: OpenEXR's display window, which begins at 0,0.
    pub frame: Size,
    /// Column of the picture's first pixel in the frame; negative left of it.
    pub x: i32,
    /// Row of its first pixel; negative above it.
    pub y: i32,
}

impl Place {
    /// That of a picture which is all of its frame.
    #[must_use]
    pub const fn whole(frame: Size) -> Self {
        Self { frame, x: 0, y: 0 }
    }

    /// That of a picture rendered with these settings.
    #[must_use]
    pub fn of(settings: &RenderSettings) -> Self {
        let (window, overscan) = (settings.window(), settings.overscan.cast_signed());
        let from_frame = |at: u32| at.cast_signed().wrapping_sub(overscan);
        Self { frame: settings.size, x: from_frame(window.x0), y: from_frame(window.y0) }
    }
}

/// Rec.709 luminance of linear RGB.
#[must_use]
pub fn luminance(rgb: [f32; 3]) -> f32 {
    0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
}

impl Picture {
    /// A picture of which nothing is there yet, with the layers that every film fills.
    #[must_use]
    pub fn transparent(size: Size) -> Self {
        Means::zeroed(Rect::of_size(size), false).into_picture()
    }

    /// A picture of which nothing is there yet, without layers.
    #[must_use]
    pub fn bare(size: Size) -> Self {
        let count = size.pixel_count() as usize;
        Self {
            size,
            place: Place::whole(size),
            beauty: vec![[0.0; 3]; count],
            alpha: vec![0.0; count],
            samples: vec![0; count],
            layers: Vec::new(),
        }
    }

    /// What a file without OpenEXR's two windows shows: the frame alone where the picture reaches
    /// over all of its edges or touches them, without layers; else all that is here, such as a
    /// crop.
    #[must_use]
    pub fn without_overscan(&self) -> Cow<'_, Self> {
        let Place { frame, x, y } = self.place;
        let covers = |at: i32, here: u32, frame: u32| {
            at <= 0 && i64::from(at) + i64::from(here) >= i64::from(frame)
        };
        let (width, height) = (self.size.width, self.size.height);
        if self.size == frame || !covers(x, width, frame.width) || !covers(y, height, frame.height)
        {
            return Cow::Borrowed(self);
        }
        let (x, y) = (x.unsigned_abs() as usize, y.unsigned_abs() as usize);
        let rows = y..y + frame.height as usize;
        let from = |row: usize| row * width as usize + x;
        let spans = rows.map(|row| from(row)..from(row) + frame.width as usize);
        let mut cut = Self { beauty: Vec::new(), alpha: Vec::new(), ..Self::bare(frame) };
        cut.samples.clear();
        for span in spans {
            cut.beauty.extend_from_slice(&self.beauty[span.clone()]);
            cut.alpha.extend_from_slice(&self.alpha[span.clone()]);
            cut.samples.extend_from_slice(&self.samples[span]);
        }
        Cow::Owned(cut)
    }

    /// The picture of one film alone, of the film's size.
    #[must_use]
    pub fn of_film(film: &Film) -> Self {
        let rect = film.rect();
        let mut means = Means::zeroed(rect, film.passes().is_some());
        for index in 0..film.pixels().len() {
            means.set(index, film, index);
        }
        means.into_picture()
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

    /// All layers, by name.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layer of this name.
    #[must_use]
    pub fn layer(&self, name: &str) -> Option<&Layer> {
        self.find(name).ok().map(|at| &self.layers[at])
    }

    /// The layer of this name, to be written.
    #[must_use]
    pub fn layer_mut(&mut self, name: &str) -> Option<&mut Layer> {
        self.find(name).ok().map(|at| &mut self.layers[at])
    }

    /// The values of a layer of one channel, such as [`layer::DEPTH`].
    #[must_use]
    pub fn scalars(&self, name: &str) -> Option<&[f32]> {
        self.layer(name)?.scalars()
    }

    /// The values of a layer of three channels, such as [`layer::ALBEDO`].
    #[must_use]
    pub fn triples(&self, name: &str) -> Option<&[[f32; 3]]> {
        self.layer(name)?.triples()
    }

    /// Adds a layer.
    ///
    /// # Errors
    /// [`LayerError::Size`], [`LayerError::Taken`]; the picture is then as it was.
    pub fn add(&mut self, layer: Layer) -> Result<(), LayerError> {
        layer.check_size(self.size)?;
        match self.find(layer.name()) {
            Ok(_) => Err(LayerError::Taken { name: layer.name().to_owned() }),
            Err(at) => {
                self.layers.insert(at, layer);
                Ok(())
            }
        }
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.layers.binary_search_by(|layer| layer.name().cmp(name))
    }
}

/// The means of films, before they become layers.
pub(crate) struct Means {
    window: Rect,
    beauty: Vec<[f32; 3]>,
    alpha: Vec<f32>,
    albedo: Vec<[f32; 3]>,
    normal: Vec<[f32; 3]>,
    depth: Vec<f32>,
    variance: Vec<f32>,
    samples: Vec<u32>,
    /// Light passes by name, where films have any.
    passes: Vec<(&'static str, Vec<[f32; 3]>)>,
}

impl Means {
    /// Of nothing yet, of these pixels.
    pub(crate) fn zeroed(window: Rect, has_passes: bool) -> Self {
        let count = window.pixel_count() as usize;
        Self {
            window,
            beauty: vec![[0.0; 3]; count],
            alpha: vec![0.0; count],
            albedo: vec![[0.0; 3]; count],
            normal: vec![[0.0; 3]; count],
            depth: vec![0.0; count],
            variance: vec![0.0; count],
            samples: vec![0; count],
            passes: match has_passes {
                true => {
                    Passes::default().named().map(|(name, _)| (name, vec![[0.0; 3]; count])).into()
                }
                false => Vec::new(),
            },
        }
    }

    /// Puts a film's means where its tile lies; pixels outside the picture are left out.
    pub(crate) fn put(&mut self, film: &Film) {
        let rect = film.rect();
        let Rect { x0, y0, .. } = self.window;
        let width = self.window.width() as usize;
        for (from, (x, y)) in rect.pixels().enumerate() {
            if self.window.contains(x, y) {
                self.set((y - y0) as usize * width + (x - x0) as usize, film, from);
            }
        }
    }

    /// The picture of these means.
    pub(crate) fn into_picture(self) -> Picture {
        let three = |name, channels: &[&str; 3], kind, values: Vec<[f32; 3]>| {
            Layer::known(name, channels, kind, values.into_flattened())
        };
        let one =
            |name, channel: &str, values| Layer::known(name, &[channel], LayerKind::Data, values);
        let mut layers = vec![
            three(layer::ALBEDO, &["R", "G", "B"], LayerKind::Color, self.albedo),
            one(layer::DEPTH, "Z", self.depth),
            three(layer::NORMAL, &["X", "Y", "Z"], LayerKind::Data, self.normal),
            one(layer::VARIANCE, "Y", self.variance),
        ];
        for (name, values) in self.passes {
            layers.push(three(name, &["R", "G", "B"], LayerKind::Color, values));
        }
        // As `Picture` keeps them.
        layers.sort_by(|a, b| a.name().cmp(b.name()));
        let size = self.window.size();
        let Self { beauty, alpha, samples, .. } = self;
        Picture { size, place: Place::whole(size), beauty, alpha, samples, layers }
    }

    /// Sets a pixel to the means of pixel `from` of a film.
    fn set(&mut self, index: usize, film: &Film, from: usize) {
        let pixel = &film.pixels()[from];
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
        self.variance[index] = variance_of_mean(pixel) as f32;
        self.samples[index] = pixel.samples;
        if let Some(passes) = film.sums().passes_of(from) {
            for ((_, values), (_, sum)) in self.passes.iter_mut().zip(passes.named()) {
                values[index] = mean(sum);
            }
        }
    }
}

/// Rec.709 luminance of a pixel's summed beauty.
pub(crate) fn sum_luminance(pixel: &Pixel) -> f64 {
    let [red, green, blue] = pixel.beauty.map(f64::from);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// Unbiased variance of the samples' luminance, over the number of samples.
pub(crate) fn variance_of_mean(pixel: &Pixel) -> f64 {
    if pixel.samples < 2 {
        return 0.0;
    }
    let count = f64::from(pixel.samples);
    let sum = sum_luminance(pixel);
    let spread = f64::from(pixel.luminance_squared) - sum * sum / count;
    spread.max(0.0) / (count - 1.0) / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::LayerValues;
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
        let scalar = |name| picture.scalars(name).expect("a layer")[0];
        assert_eq!(scalar(layer::DEPTH).to_bits(), 3.0_f32.to_bits());
        assert!((scalar(layer::VARIANCE) - 1.0 / 3.0).abs() < 1e-6);
        let normals = picture.triples(layer::NORMAL).expect("a layer");
        assert_eq!(normals[0].map(f32::to_bits), [0.0_f32, 1.0, 0.0].map(f32::to_bits));
        assert_eq!((picture.samples[1], picture.alpha[1].to_bits()), (0, 0));
        assert!(!picture.is_opaque());
    }

    #[test]
    fn nothing_hit_is_infinitely_far() {
        let rect = Rect { x0: 0, y0: 0, x1: 1, y1: 1 };
        let mut film = Film::zeroed(rect, Batch::new(0, 1).expect("aligned"));
        film.pixels_mut()[0].samples = 16;
        let depth = Picture::of_film(&film).scalars(layer::DEPTH).map(|depth| depth[0]);
        assert_eq!(depth, Some(f32::INFINITY));
    }

    #[test]
    fn layers_are_kept_by_name_once_each_and_whole() {
        let mut picture = Picture::transparent(Size::new(2, 1));
        let layer = |name, count| {
            let values = LayerValues::Uint(vec![7; count]);
            Layer::try_new(name, &["X"], LayerKind::Id, values).expect("well formed")
        };
        assert_eq!(picture.add(layer("object", 2)), Ok(()));
        let names: Vec<&str> = picture.layers().iter().map(Layer::name).collect();
        assert_eq!(names, ["albedo", "depth", "normal", "object", "variance"]);
        let taken = picture.add(layer("depth", 2)).expect_err("there already");
        assert_eq!(taken, LayerError::Taken { name: "depth".to_owned() });
        let small = picture.add(layer("small", 1)).expect_err("too few");
        assert!(matches!(small, LayerError::Size { wanted: 2, got: 1, .. }), "{small}");
        assert!(picture.layer("small").is_none() && picture.layer_mut("object").is_some());
    }
}
