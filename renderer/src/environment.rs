//! What surrounds the scene: radiance of a direction, and picking directions by radiance.

use crate::RenderScene;
use crate::math::{
    Vec3, atan2_turns, clamp, floor_to_i32, lerp, lerp3, min, saturate, sin_cos_turns, sqrt, vec3,
};
use crate::tables::{ENVIRONMENT_MAP, ENVIRONMENT_NONE};

/// Words of a sampling cell.
const CELL_WORDS: u32 = 4;

/// A direction picked by radiance.
#[derive(Debug, Clone, Copy)]
pub struct SkySample {
    /// Unit direction.
    pub direction: Vec3,
    /// Density per steradian.
    pub density: f32,
}

/// From the world into the map's own space: undoes its turn about y.
#[inline(always)]
fn to_map(scene: &RenderScene, d: Vec3) -> Vec3 {
    let (sin, cos) = (scene.header.environment_sin, scene.header.environment_cos);
    vec3(d.x * cos - d.z * sin, d.y, d.x * sin + d.z * cos)
}

/// From the map's own space into the world.
#[inline(always)]
fn from_map(scene: &RenderScene, d: Vec3) -> Vec3 {
    let (sin, cos) = (scene.header.environment_sin, scene.header.environment_cos);
    vec3(d.x * cos + d.z * sin, d.y, d.z * cos - d.x * sin)
}

/// Where a direction of the map's own space lies on it: 0..1 across and down.
#[inline(always)]
#[must_use]
pub fn map_place(d: Vec3) -> (f32, f32) {
    let u = 0.5 + atan2_turns(d.x, -d.z);
    let v = atan2_turns(sqrt(d.x * d.x + d.z * d.z), d.y) * 2.0;
    (saturate(u), saturate(v))
}

#[inline(always)]
fn map_texel(scene: &RenderScene, x: i32, y: i32) -> Vec3 {
    let width = scene.header.environment_width as i32;
    let height = scene.header.environment_height as i32;
    let column = if x < 0 {
        x + width
    } else if x >= width {
        x - width
    } else {
        x
    };
    let row = y.clamp(0, height - 1);
    let at = (scene.header.environment_texels_at as i32 + (row * width + column) * 3) as usize;
    vec3(
        f32::from_bits(scene.environment[at]),
        f32::from_bits(scene.environment[at + 1]),
        f32::from_bits(scene.environment[at + 2]),
    )
}

/// Radiance that comes from a direction of unit length.
#[must_use]
pub fn radiance(scene: &RenderScene, direction: Vec3) -> Vec3 {
    if scene.header.environment_kind == ENVIRONMENT_NONE {
        return Vec3::ZERO;
    }
    if scene.header.environment_kind != ENVIRONMENT_MAP {
        return Vec3::of(scene.header.sky);
    }
    let (u, v) = map_place(to_map(scene, direction));
    let x = u * scene.header.environment_width as f32 - 0.5;
    let y = v * scene.header.environment_height as f32 - 0.5;
    let left = floor_to_i32(x);
    let top = floor_to_i32(y);
    let across = x - left as f32;
    let down = y - top as f32;
    let upper = lerp3(map_texel(scene, left, top), map_texel(scene, left + 1, top), across);
    let lower = lerp3(map_texel(scene, left, top + 1), map_texel(scene, left + 1, top + 1), across);
    lerp3(upper, lower, down)
}

#[inline(always)]
fn cell_word(scene: &RenderScene, cell: u32, word: u32) -> u32 {
    scene.environment[(scene.header.environment_cells_at + cell * CELL_WORDS + word) as usize]
}

#[inline(always)]
fn row_edge(scene: &RenderScene, row: u32) -> f32 {
    f32::from_bits(scene.environment[(scene.header.environment_rows_at + row) as usize])
}

/// Density of [`pick`] for a direction, per steradian.
#[must_use]
pub fn density(scene: &RenderScene, direction: Vec3) -> f32 {
    let (u, v) = map_place(to_map(scene, direction));
    let columns = scene.header.environment_cell_columns;
    let rows = scene.header.environment_cell_rows;
    let column = min(u * columns as f32, (columns - 1) as f32) as u32;
    let row = min(v * rows as f32, (rows - 1) as f32) as u32;
    f32::from_bits(cell_word(scene, row * columns + column, 2))
}

/// Picks a direction: a cell by its power, with the two numbers of its alias table, then any
/// direction of the cell.
#[must_use]
pub fn pick(scene: &RenderScene, cell: (f32, f32), u: f32, v: f32) -> SkySample {
    let columns = scene.header.environment_cell_columns;
    let rows = scene.header.environment_cell_rows;
    let count = columns * rows;
    let drawn = min(cell.0 * count as f32, (count - 1) as f32) as u32;
    let cell = if cell.1 < f32::from_bits(cell_word(scene, drawn, 0)) {
        drawn
    } else {
        cell_word(scene, drawn, 1)
    };
    let row = cell / columns;
    let column = cell - row * columns;
    let y = clamp(lerp(row_edge(scene, row), row_edge(scene, row + 1), v), -1.0, 1.0);
    let across = (column as f32 + u) * crate::math::rcp(columns as f32);
    let (sin, cos) = sin_cos_turns(across - 0.5);
    let radius = sqrt(1.0 - y * y);
    SkySample {
        direction: from_map(scene, vec3(radius * sin, y, -(radius * cos))),
        density: f32::from_bits(cell_word(scene, cell, 2)),
    }
}
