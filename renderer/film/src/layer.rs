//! Named layers of a picture: what the renderer knows of a pixel beside its colour.

use protocol::Size;

/// Albedo of the first hit: R, G, B.
pub const ALBEDO: &str = "albedo";
/// Distance of the first hit along the camera's axis, metres, infinite where nothing was hit: Z.
pub const DEPTH: &str = "depth";
/// World-space shading normal of the first hit: X, Y, Z.
pub const NORMAL: &str = "normal";
/// Variance of the mean luminance: Y.
pub const VARIANCE: &str = "variance";

/// What a layer's values mean, and so how they may be stored and filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// Light or reflectance: may be rounded to half precision.
    Color,
    /// Measures such as distances: always 32 bits.
    Data,
    /// Names in disguise, where a neighbouring value means something else: never rounded.
    Id,
}

/// The values of a layer: all channels of a pixel beside each other, rows from the upper left.
#[derive(Debug, Clone, PartialEq)]
pub enum LayerValues {
    /// Real numbers.
    Float(Vec<f32>),
    /// Counts and ids.
    Uint(Vec<u32>),
}

/// One named layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    name: String,
    channels: Vec<String>,
    kind: LayerKind,
    values: LayerValues,
}

/// A layer that no picture can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// An empty name, one that a file cannot hold, or one that the picture uses itself.
    #[error("`{name}` cannot name a layer or channel; use 1 to 200 characters of printable ASCII")]
    Name {
        /// The name.
        name: String,
    },
    /// No channels, two of one name, or an order that a file would not keep.
    #[error(
        "channels {channels} of layer `{name}` are not in order; use R G B A, X Y Z W, U V, \
         then others by name, each once"
    )]
    Channels {
        /// The layer's name.
        name: String,
        /// The channels, with commas.
        channels: String,
    },
    /// Not as many values as channels times pixels.
    #[error("layer `{name}` has {got} values where {channels} channels of {size} need {wanted}")]
    Size {
        /// The layer's name.
        name: String,
        /// Channels.
        channels: usize,
        /// The picture's size.
        size: Size,
        /// Values that fit.
        wanted: u64,
        /// Values that came.
        got: usize,
    },
    /// The picture has a layer of that name.
    #[error("the picture has a layer `{name}` already")]
    Taken {
        /// The layer's name.
        name: String,
    },
}

impl Layer {
    /// A layer of named channels.
    ///
    /// # Errors
    /// [`LayerError::Name`], [`LayerError::Channels`]; whether the size fits is told by
    /// [`crate::Picture::add`].
    pub fn try_new(
        name: &str,
        channels: &[&str],
        kind: LayerKind,
        values: LayerValues,
    ) -> Result<Self, LayerError> {
        check_name(name)?;
        for channel in channels {
            check_name(channel)?;
        }
        let in_order = channels.is_sorted_by(|a, b| rank(a) < rank(b));
        if channels.is_empty() || !in_order || channels.iter().any(|name| name.contains('.')) {
            let (name, channels) = (name.to_owned(), channels.join(", "));
            return Err(LayerError::Channels { name, channels });
        }
        let channels = channels.iter().map(|&channel| channel.to_owned()).collect();
        Ok(Self { name: name.to_owned(), channels, kind, values })
    }

    /// One of the renderer's own, known to be well formed.
    pub(crate) fn known(name: &str, channels: &[&str], kind: LayerKind, values: Vec<f32>) -> Self {
        let layer = Self::try_new(name, channels, kind, LayerValues::Float(values));
        layer.expect("invariant: the renderer's layers are well formed")
    }

    /// The name, such as `albedo`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the channels, in the order of a pixel's values.
    #[must_use]
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// What the values mean.
    #[must_use]
    pub const fn kind(&self) -> LayerKind {
        self.kind
    }

    /// The values.
    #[must_use]
    pub const fn values(&self) -> &LayerValues {
        &self.values
    }

    /// The values, to be written; their number must stay.
    #[must_use]
    pub const fn values_mut(&mut self) -> &mut LayerValues {
        &mut self.values
    }

    /// Values of one pixel a time, where the layer has one channel of real numbers.
    #[must_use]
    pub fn scalars(&self) -> Option<&[f32]> {
        match &self.values {
            LayerValues::Float(values) if self.channels.len() == 1 => Some(values),
            _ => None,
        }
    }

    /// Values of one pixel a time, where the layer has three channels of real numbers.
    #[must_use]
    pub fn triples(&self) -> Option<&[[f32; 3]]> {
        match &self.values {
            LayerValues::Float(values) if self.channels.len() == 3 => {
                Some(values.as_chunks::<3>().0)
            }
            _ => None,
        }
    }

    /// Whether the layer has all values of a picture of this size.
    pub(crate) fn check_size(&self, size: Size) -> Result<(), LayerError> {
        let got = self.values.len();
        let wanted = size.pixel_count() * self.channels.len() as u64;
        if wanted == got as u64 {
            return Ok(());
        }
        let (name, channels) = (self.name.clone(), self.channels.len());
        Err(LayerError::Size { name, channels, size, wanted, got })
    }
}

impl LayerValues {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Uint(values) => values.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bits of one value.
    pub(crate) fn bits(&self, index: usize) -> Option<u32> {
        match self {
            Self::Float(values) => values.get(index).map(|value| value.to_bits()),
            Self::Uint(values) => values.get(index).copied(),
        }
    }
}

impl LayerKind {
    /// What channels of these names and values most likely mean.
    #[must_use]
    pub(crate) fn guess(channels: &[&str], values: &LayerValues) -> Self {
        let all_of = |set: &str| {
            channels.iter().all(|name| name.len() == 1 && set.contains(name.as_bytes()[0] as char))
        };
        match values {
            LayerValues::Uint(_) => Self::Id,
            // Cryptomatte's channels are lower case, its ids real numbers by their bits.
            LayerValues::Float(_) if all_of("rgba") => Self::Id,
            LayerValues::Float(_) if all_of("RGBA") => Self::Color,
            LayerValues::Float(_) => Self::Data,
        }
    }
}

/// Where a channel stands among others of its layer: conventional names first.
pub(crate) fn rank(channel: &str) -> (usize, &str) {
    const CONVENTION: &str = "RGBArgbaXYZWUV";
    let mut letters = channel.chars();
    let place = match (letters.next(), letters.next()) {
        (Some(letter), None) => CONVENTION.find(letter),
        _ => None,
    };
    (place.unwrap_or(CONVENTION.len()), channel)
}

fn check_name(name: &str) -> Result<(), LayerError> {
    let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if (1..=200).contains(&name.len()) && name.bytes().all(printable) {
        Ok(())
    } else {
        Err(LayerError::Name { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, channels: &[&str]) -> Result<Layer, LayerError> {
        Layer::try_new(name, channels, LayerKind::Data, LayerValues::Float(vec![0.0; 6]))
    }

    #[test]
    fn names_and_channels_must_survive_a_file() {
        for (name, channels) in [
            ("motion", &["X", "Y", "Z", "W"][..]),
            ("CryptoObject00", &["r", "g", "b", "a"]),
            ("uv", &["U", "V"]),
            ("light.key", &["R", "G", "B"]),
            ("odd", &["A", "X", "alpha", "beta"]),
        ] {
            assert!(layer(name, channels).is_ok(), "{name}");
        }
        for (name, channels) in [
            ("", &["X"][..]),
            ("none", &[]),
            ("twice", &["X", "X"]),
            ("order", &["G", "R"]),
            ("dots", &["a.b"]),
            ("umläute", &["X"]),
            ("line\n", &["X"]),
        ] {
            assert!(layer(name, channels).is_err(), "{name}");
        }
    }

    #[test]
    fn values_come_by_pixel() {
        let one = layer("one", &["Z"]).expect("well formed");
        assert_eq!((one.scalars().map(<[f32]>::len), one.triples()), (Some(6), None));
        let three = layer("three", &["X", "Y", "Z"]).expect("well formed");
        assert_eq!((three.scalars(), three.triples().map(<[_]>::len)), (None, Some(2)));
        assert_eq!(three.check_size(Size::new(1, 2)), Ok(()));
        let error = three.check_size(Size::new(2, 2)).expect_err("too few");
        assert_eq!(error.to_string(), "layer `three` has 6 values where 3 channels of 2x2 need 12");
    }
}
