//! The light of a scene that brings none: a soft key from the upper left, a bright ceiling, a dim
//! floor. A white sky all around would make white things vanish in front of it.

use scene::{Image, Pixels};

use crate::precise::{exp, sin_cos_turns};

/// Texels across; half as many down.
const WIDTH: u32 = 128;
/// Radiance straight up, at the horizon and straight down.
const CEILING: f64 = 0.9;
const HORIZON: f64 = 0.35;
const FLOOR: f64 = 0.12;
/// Where the key stands, of unit length: left of, above and behind a viewer who looks along -z.
const KEY: [f64; 3] = [-0.48, 0.64, 0.6];
/// Radiance in its middle.
const KEY_RADIANCE: f64 = 9.0;
/// How fast it falls off: it has half of its radiance 17 degrees from its middle.
const KEY_SHARPNESS: f64 = 16.0;

/// The light as an equirectangular map, its middle column towards -z.
pub fn studio() -> Image {
    let height = WIDTH / 2;
    let pixels = (0..height).flat_map(|row| {
        let (radius, up) = sin_cos_turns((f64::from(row) + 0.5) / f64::from(height) * 0.5);
        (0..WIDTH).map(move |column| {
            let (sin, cos) = sin_cos_turns((f64::from(column) + 0.5) / f64::from(WIDTH) - 0.5);
            radiance([radius * sin, up, -radius * cos])
        })
    });
    Image {
        name: "studio".to_owned(),
        width: WIDTH,
        height,
        pixels: Pixels::Rgb32F(pixels.collect()),
    }
}

/// Radiance from a direction of unit length.
fn radiance([x, y, z]: [f64; 3]) -> [f32; 3] {
    let end = if y > 0.0 { CEILING } else { FLOOR };
    let around = HORIZON + (end - HORIZON) * y.abs();
    let off = 1.0 - (x * KEY[0] + y * KEY[1] + z * KEY[2]);
    let key = KEY_RADIANCE * exp(-KEY_SHARPNESS * off);
    // The key is a little warm, its surroundings a little cool.
    [(1.03, 0.97), (1.0, 1.0), (0.95, 1.05)].map(|(warm, cool)| (key * warm + around * cool) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_where_it_should_be_and_nothing_is_black() {
        let image = studio();
        let Pixels::Rgb32F(pixels) = &image.pixels else { panic!("floats") };
        let (brightest, _) = pixels
            .iter()
            .enumerate()
            .max_by(|a, b| a.1[1].total_cmp(&b.1[1]))
            .expect("there are pixels");
        let (row, column) = (brightest as u32 / WIDTH, brightest as u32 % WIDTH);
        // Up 40 degrees; behind and to the left of -z: far to the left of the middle column.
        assert!((12..24).contains(&row) && column < WIDTH / 4, "{row}, {column}");
        assert!(pixels.iter().flatten().all(|value| (0.1..12.0).contains(value)));
    }
}
