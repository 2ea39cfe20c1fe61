//! The environment: a constant, or a map with tables for picking directions by radiance.

use protocol::{Lighting, Sun};
use scene::{Environment, Image, Pixels, Scene, SunSky};

use super::atmosphere::{Atmosphere, atmosphere};
use super::lights::alias_table;
use super::{PrepareError, checked};
use crate::math::{Vec3, luminance};
use crate::precise::{sin_cos, sin_cos_turns};
use crate::tables::{ENVIRONMENT_CONSTANT, ENVIRONMENT_MAP, ENVIRONMENT_NONE, Header};

/// Most cells across and down: finer maps share a cell between texels.
const CELLS_MAX: (u32, u32) = (1024, 512);
/// Largest radiance of a texel: keeps products and sums finite.
const RADIANCE_MAX: f32 = 1e9;

/// The sun's apparent diameter.
const SUN_DEGREES: f32 = 0.533;

/// The environment buffer.
pub struct Sky {
    pub words: Vec<u32>,
    /// Integral of luminance over all directions, for picking; 0 where it is never picked.
    pub power: f64,
    /// Whether any light comes from it.
    pub is_lit: bool,
    /// The sun that stands in it.
    pub sun: Option<Sun>,
}

impl Sky {
    const NONE: Self = Self { words: Vec::new(), power: 0.0, is_lit: false, sun: None };
}

/// Packs the environment: the artist's sky, else the scene's, else a clear sky by its sun.
pub fn pack(header: &mut Header, scene: &Scene, lighting: &Lighting) -> Result<Sky, PrepareError> {
    let chosen = lighting.sky.map(Environment::Constant).or(scene.environment);
    match chosen {
        None => match &scene.sun_sky {
            Some(sky) => pack_atmosphere(header, sky),
            None => Ok(Sky::NONE),
        },
        Some(Environment::Constant(sky)) => {
            let is_lit = sky.iter().any(|&value| value > 0.0);
            header.environment_kind = if is_lit { ENVIRONMENT_CONSTANT } else { ENVIRONMENT_NONE };
            header.sky = sky;
            Ok(Sky { is_lit, ..Sky::NONE })
        }
        Some(Environment::Map { image, strength, rotation }) => {
            let image = &scene.images[image as usize];
            let (sin, cos) = sin_cos(f64::from(rotation));
            header.environment_sin = sin as f32;
            header.environment_cos = cos as f32;
            pack_map(header, image, strength)
        }
    }
}

/// Packs a clear sky and its sun.
fn pack_atmosphere(header: &mut Header, sky: &SunSky) -> Result<Sky, PrepareError> {
    let Atmosphere { image, towards, irradiance } = atmosphere(sky);
    header.environment_cos = 1.0;
    let sun = irradiance.iter().any(|&value| value > 0.0).then_some(Sun {
        direction: towards.map(|value| value as f32),
        irradiance,
        angle_degrees: SUN_DEGREES,
    });
    Ok(Sky { sun, ..pack_map(header, &image, 1.0)? })
}

/// Packs an equirectangular map of this many times its radiance.
pub fn pack_map(header: &mut Header, image: &Image, strength: f32) -> Result<Sky, PrepareError> {
    let Pixels::Rgb32F(pixels) = &image.pixels else {
        // A validated scene never has that; without floats there is no light.
        return Ok(Sky::NONE);
    };
    let texels: Vec<[f32; 3]> = pixels
        .iter()
        .map(|rgb| rgb.map(|value| crate::math::clamp(value * strength, 0.0, RADIANCE_MAX)))
        .collect();
    let columns = image.width.min(CELLS_MAX.0);
    let rows = image.height.min(CELLS_MAX.1);
    let edges: Vec<f64> =
        (0..=rows).map(|row| sin_cos_turns(f64::from(row) / f64::from(rows) * 0.5).1).collect();
    let weights = cell_weights(&texels, image.width, image.height, columns, &edges);
    let power: f64 = weights.iter().sum();
    header.environment_kind = ENVIRONMENT_MAP;
    header.environment_width = image.width;
    header.environment_height = image.height;
    header.environment_cell_columns = columns;
    header.environment_cell_rows = rows;
    let mut words: Vec<u32> = texels.iter().flatten().map(|value| value.to_bits()).collect();
    header.environment_cells_at = checked("environment texels", words.len())?;
    let (picks, probabilities) = alias_table(&weights);
    for (cell, (pick, probability)) in picks.iter().zip(probabilities).enumerate() {
        let row = cell / columns as usize;
        let angle = solid_angle(&edges, row, columns);
        let density = if power > 0.0 { (probability / angle) as f32 } else { 0.0 };
        words.extend([pick.threshold.to_bits(), pick.alias, density.to_bits(), 0]);
    }
    header.environment_rows_at = checked("environment texels", words.len())?;
    words.extend(edges.iter().map(|&edge| (edge as f32).to_bits()));
    checked("environment texels", words.len())?;
    Ok(Sky { words, power, is_lit: power > 0.0, sun: None })
}

fn solid_angle(edges: &[f64], row: usize, columns: u32) -> f64 {
    (edges[row] - edges[row + 1]) * std::f64::consts::TAU / f64::from(columns)
}

/// Power of each cell: the mean luminance of the interpolated map over it, times its solid angle.
fn cell_weights(
    texels: &[[f32; 3]],
    width: u32,
    height: u32,
    columns: u32,
    edges: &[f64],
) -> Vec<f64> {
    let lights: Vec<f32> = texels.iter().map(|&rgb| luminance(Vec3::of(rgb))).collect();
    let rows = edges.len() as u32 - 1;
    let across: Vec<Vec<(i64, f64)>> =
        (0..columns).map(|column| texel_shares(column, columns, width)).collect();
    let mut weights = Vec::with_capacity((columns * rows) as usize);
    for row in 0..rows {
        let angle = solid_angle(edges, row as usize, columns);
        let down = texel_shares(row, rows, height);
        for across in &across {
            let (mut sum, mut area) = (0.0_f64, 0.0_f64);
            for &(y, share_y) in &down {
                let start = y.clamp(0, i64::from(height) - 1) * i64::from(width);
                for &(x, share_x) in across {
                    let at = start + x.rem_euclid(i64::from(width));
                    sum += f64::from(lights[at as usize]) * share_x * share_y;
                    area += share_x * share_y;
                }
            }
            weights.push(sum / area * angle);
        }
    }
    weights
}

/// The texels that a cell shows along one axis, and how much of each: linear interpolation lets
/// an eighth of a texel's width leak over each of its borders.
fn texel_shares(cell: u32, cells: u32, texels: u32) -> Vec<(i64, f64)> {
    let (cell, cells, texels) = (i64::from(cell), i64::from(cells), i64::from(texels));
    let first = cell * texels / cells;
    let last = ((cell + 1) * texels - 1) / cells;
    (first - 1..=last + 1)
        .map(|texel| {
            let leaks = i64::from(texel == first) + i64::from(texel == last);
            let outside = texel < first || texel > last;
            (texel, if outside { 0.125 } else { 1.0 - 0.125 * leaks as f64 })
        })
        .collect()
}
