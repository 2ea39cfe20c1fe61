//! Lamps and skies that glTF has no word for; `docs/extras.md` says how files carry them.

use serde::{Deserialize, Serialize};

/// A flat lamp on a node: in its xy plane around its origin, shining along -z.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaLight {
    /// A name for people.
    pub name: String,
    /// Index of the node that carries it.
    pub node: u32,
    /// Its outline.
    pub shape: AreaShape,
    /// Width along x and height along y, metres, before the node's scale.
    pub size: [f32; 2],
    /// RGB radiance, W·sr⁻¹·m⁻².
    pub radiance: [f32; 3],
    /// Whether it shines along +z as well.
    pub two_sided: bool,
}

/// Outline of an area light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AreaShape {
    /// A rectangle.
    Rectangle,
    /// An ellipse that fills the rectangle.
    Disk,
}

impl AreaShape {
    /// Area of a shape of this width and height, m².
    #[must_use]
    pub fn area(self, [width, height]: [f32; 2]) -> f32 {
        match self {
            Self::Rectangle => width * height,
            Self::Disk => std::f32::consts::FRAC_PI_4 * width * height,
        }
    }
}

/// A clear sky by the place of its sun.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SunSky {
    /// Height of the sun above the horizon, radians; below it where negative.
    pub elevation: f32,
    /// Turn of the sun from -z about y, radians, clockwise seen from above, as on a compass.
    pub azimuth: f32,
    /// How hazy the air is: 1 is pure, 2 to 3 a clear day, 10 thick haze.
    pub turbidity: f32,
    /// Factor of its light.
    pub strength: f32,
}

/// A camera's lens and shutter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lens {
    /// Radius of the aperture, metres; 0 keeps everything sharp.
    pub aperture: f32,
    /// Distance along the view at which things are sharp, metres.
    pub focus_distance: f32,
    /// Blades of the aperture, 3 and more; 0 for a round one.
    pub blades: u32,
    /// Turn of the blades, radians, counter-clockwise in the picture.
    pub blade_rotation: f32,
    /// How long the shutter is open, as a fraction of a frame; 0 stops all motion.
    pub shutter: f32,
}

impl Default for Lens {
    /// A pinhole that is open for no time.
    fn default() -> Self {
        Self { aperture: 0.0, focus_distance: 1.0, blades: 0, blade_rotation: 0.0, shutter: 0.0 }
    }
}
