// What surrounds the scene: radiance of a direction, and picking directions by radiance; mirrored
// from renderer/src/environment.rs.
#define_import_path tessera::environment

#import tessera::math::{
    atan2_turns, fclamp, floor_to_i32, fmin, fsaturate, fsqrt, lerp, lerp_vec, rcp, sin_cos_turns,
}
#import tessera::tables::{
    ENVIRONMENT_MAP, ENVIRONMENT_NONE, environment, environment_f, environment_vec, header,
}

const CELL_WORDS: u32 = 4u;

// A direction picked by radiance, and its density per steradian.
struct SkySample {
    direction: vec3<f32>,
    density: f32,
}

// From the world into the map's own space: undoes its turn about y.
fn to_map(d: vec3<f32>) -> vec3<f32> {
    let sine = header.environment_sin;
    let cosine = header.environment_cos;
    return vec3<f32>(d.x * cosine - d.z * sine, d.y, d.x * sine + d.z * cosine);
}

// From the map's own space into the world.
fn from_map(d: vec3<f32>) -> vec3<f32> {
    let sine = header.environment_sin;
    let cosine = header.environment_cos;
    return vec3<f32>(d.x * cosine + d.z * sine, d.y, d.z * cosine - d.x * sine);
}

// Where a direction of the map's own space lies on it: 0..1 across and down.
fn map_place(d: vec3<f32>) -> vec2<f32> {
    let u = 0.5 + atan2_turns(d.x, -d.z);
    let v = atan2_turns(fsqrt(d.x * d.x + d.z * d.z), d.y) * 2.0;
    return vec2<f32>(fsaturate(u), fsaturate(v));
}

fn map_texel(x: i32, y: i32) -> vec3<f32> {
    let width = i32(header.environment_width);
    let height = i32(header.environment_height);
    let column = select(select(x, x - width, x >= width), x + width, x < 0);
    let row = clamp(y, 0, height - 1);
    return environment_vec(u32(i32(header.environment_texels_at) + (row * width + column) * 3));
}

// Radiance that comes from a direction of unit length.
fn sky_radiance(direction: vec3<f32>) -> vec3<f32> {
    if header.environment_kind == ENVIRONMENT_NONE { return vec3<f32>(0.0); }
    if header.environment_kind != ENVIRONMENT_MAP { return header.sky; }
    let place = map_place(to_map(direction));
    let x = place.x * f32(header.environment_width) - 0.5;
    let y = place.y * f32(header.environment_height) - 0.5;
    let left = floor_to_i32(x);
    let top = floor_to_i32(y);
    let across = x - f32(left);
    let down = y - f32(top);
    let upper = lerp_vec(map_texel(left, top), map_texel(left + 1, top), across);
    let lower = lerp_vec(map_texel(left, top + 1), map_texel(left + 1, top + 1), across);
    return lerp_vec(upper, lower, down);
}

fn cell_word(cell: u32, index: u32) -> u32 {
    return environment[header.environment_cells_at + cell * CELL_WORDS + index];
}

fn row_edge(row: u32) -> f32 {
    return environment_f(header.environment_rows_at + row);
}

// Density of `sky_pick` for a direction, per steradian: density in Rust.
fn sky_pick_density(direction: vec3<f32>) -> f32 {
    let place = map_place(to_map(direction));
    let columns = header.environment_cell_columns;
    let rows = header.environment_cell_rows;
    let column = u32(fmin(place.x * f32(columns), f32(columns - 1u)));
    let row = u32(fmin(place.y * f32(rows), f32(rows - 1u)));
    return bitcast<f32>(cell_word(row * columns + column, 2u));
}

// Picks a direction: a cell by its power, with the two numbers of its alias table, then any
// direction of the cell; pick in Rust.
fn sky_pick(draw: vec2<f32>, u: f32, v: f32) -> SkySample {
    let columns = header.environment_cell_columns;
    let rows = header.environment_cell_rows;
    let count = columns * rows;
    let drawn = u32(fmin(draw.x * f32(count), f32(count - 1u)));
    var cell = drawn;
    if !(draw.y < bitcast<f32>(cell_word(drawn, 0u))) { cell = cell_word(drawn, 1u); }
    let row = cell / columns;
    let column = cell - row * columns;
    let y = fclamp(lerp(row_edge(row), row_edge(row + 1u), v), -1.0, 1.0);
    let across = (f32(column) + u) * rcp(f32(columns));
    let sin_cos = sin_cos_turns(across - 0.5);
    let radius = fsqrt(1.0 - y * y);
    return SkySample(
        from_map(vec3<f32>(radius * sin_cos.x, y, -(radius * sin_cos.y))),
        bitcast<f32>(cell_word(cell, 2u)),
    );
}
