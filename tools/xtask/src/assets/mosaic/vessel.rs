//! The painted amphora, the column and a marble ball.

use std::f32::consts::TAU;

use glam::{Quat, Vec2, Vec3};
use serde_json::json;

use super::super::glb::{Glb, Place};
use super::super::paint::{clouds, color_png, gloss_png, mix, srgb, step};
use super::super::shape::{Surface, ball, smooth};

/// The amphora's outline from the middle of its foot to its inside.
fn amphora_profile() -> Vec<Vec2> {
    let outside = [
        [0.040, 0.000],
        [0.043, 0.006],
        [0.036, 0.014],
        [0.030, 0.022],
        [0.052, 0.060],
        [0.088, 0.120],
        [0.112, 0.190],
        [0.114, 0.240],
        [0.094, 0.292],
        [0.058, 0.325],
        [0.038, 0.350],
        [0.033, 0.385],
        [0.037, 0.415],
        [0.052, 0.432],
        [0.055, 0.440],
    ];
    let mut profile = vec![Vec2::ZERO, Vec2::new(0.040, 0.0)];
    profile.extend(smooth(&outside.map(Vec2::from), 5));
    profile
        .extend([[0.051, 0.4425], [0.047, 0.440], [0.030, 0.400], [0.026, 0.36]].map(Vec2::from));
    profile
}

/// Running scrolls: whether a point is painted; `x` counts them, `y` runs from -1 to 1.
fn wave(x: f32, y: f32) -> bool {
    let at = Vec2::new(2.0 * x.rem_euclid(1.0) - 1.0, y);
    // A spiral around the middle of each, and a stem to the next.
    let (radius, angle) = (at.length(), at.y.atan2(at.x) / TAU);
    let arm = (1.9 * radius - angle).rem_euclid(1.0);
    let spiral = radius < 0.80 && (arm - 0.5).abs() < 0.24;
    spiral || (y + 0.86).abs() < 0.07 || (y - 0.86).abs() < 0.07
}

/// The amphora's painting: u runs around, v from the rim down, as the lathe lays them.
fn amphora_paint(uv: Vec2) -> Vec3 {
    let clay = mix(srgb(0xC06A35), srgb(0xA9552A), clouds(uv, 6, 4, 70));
    let black = srgb(0x17120F);
    // Height along the outline, 0 at the foot.
    let height = 1.0 - uv.y;
    let column = |count: f32| (uv.x * count).rem_euclid(1.0);
    let line = |at: f32, half: f32| (height - at).abs() < half;
    let painted = match height {
        h if h < 0.115 => true,
        // Rays that rise from the foot.
        h if h < 0.235 => (2.0 * column(24.0) - 1.0).abs() < 1.0 - (h - 0.115) / 0.12,
        _ if line(0.245, 0.004) || line(0.262, 0.003) => true,
        h if h < 0.400 => wave(uv.x * 12.0, (h - 0.335) / 0.065),
        // A key pattern between two lines, at the shoulder.
        _ if line(0.408, 0.004) || line(0.492, 0.004) => true,
        h if h < 0.492 => {
            const KEY: [&[u8; 8]; 6] =
                [b"######.#", b".....#.#", b".###.#.#", b".#...#.#", b".#####.#", b".......#"];
            let row = ((0.486 - h) / 0.072 * 6.0).clamp(0.0, 5.9) as usize;
            KEY[row][(column(20.0) * 8.0) as usize] == b'#'
        }
        // Tongues below the neck.
        h if h < 0.505 => false,
        h if h < 0.575 => (2.0 * column(32.0) - 1.0).abs() < 0.62 && h < 0.57,
        h if h < 0.585 => true,
        h if h < 0.60 => false,
        // Two rows of leaves on the neck.
        h if h < 0.70 => {
            let row = (h - 0.60) / 0.10;
            let leaf = Vec2::new(2.0 * column(16.0) - 1.0, 2.0 * row - 1.0);
            (leaf.x + 0.55 * leaf.y.signum() * leaf.y).abs() < 0.36 * (1.0 - leaf.y.abs()).sqrt()
                || (row - 0.5).abs() < 0.05
        }
        _ => true,
    };
    if painted { mix(black, clay, 0.04 * clouds(uv, 8, 3, 71)) } else { clay }
}

pub fn amphora(glb: &mut Glb) -> anyhow::Result<()> {
    let paint = color_png(1024, 512, amphora_paint)?;
    let paint = glb.texture("amphora", &paint);
    let glaze = gloss_png(64, 32, |uv| (0.16 + 0.14 * clouds(uv, 4, 3, 72), 0.0))?;
    let glaze = glb.texture("amphora glaze", &glaze);
    let glazed = glb.material(
        "glazed clay",
        json!({ "pbrMetallicRoughness": { "baseColorTexture": { "index": paint },
                "metallicRoughnessTexture": { "index": glaze }, "metallicFactor": 0.0 } }),
    );
    let mut body = Surface::default();
    body.lathe(&amphora_profile(), 80, |_, _| 0.0);
    for side in [1.0, -1.0] {
        let knots =
            [[0.034, 0.392], [0.062, 0.402], [0.088, 0.380], [0.094, 0.335], [0.086, 0.296]];
        let path: Vec<Vec3> = smooth(&knots.map(Vec2::from), 6)
            .into_iter()
            .map(|at| Vec3::new(side * at.x, at.y, 0.0))
            .collect();
        body.tube(&path, |t| 0.0075 + 0.003 * (2.0 * t - 1.0).powi(2), 16);
    }
    let body = glb.mesh("amphora", &[(&body, glazed)]);
    let turn = Quat::from_rotation_y(0.45);
    glb.show("amphora", body, Place::at(-0.40, 0.0, -0.27).turned(turn));
    Ok(())
}

/// Veined marble.
pub fn marble(uv: Vec2) -> Vec3 {
    let warp = Vec2::new(clouds(uv, 3, 4, 80), clouds(uv, 3, 4, 85));
    let vein = |scale: i32, seed: u32| {
        let field = clouds(uv + 0.35 * warp, scale, 4, seed);
        1.0 - (2.0 * field - 1.0).abs()
    };
    let base = mix(srgb(0xEFEAE0), srgb(0xDDD5C8), clouds(uv, 4, 3, 90));
    let thin = step(0.93, 1.0, vein(2, 91));
    let wide = step(0.75, 1.0, vein(3, 95));
    mix(mix(base, srgb(0xB9B0A4), 0.5 * wide), srgb(0x7F7A78), 0.75 * thin)
}

pub fn column(glb: &mut Glb) -> anyhow::Result<()> {
    let paint = color_png(256, 256, marble)?;
    let paint = glb.texture("marble", &paint);
    let marble = glb.material(
        "marble",
        json!({ "pbrMetallicRoughness": { "baseColorTexture": { "index": paint },
                "metallicFactor": 0.0, "roughnessFactor": 0.32 } }),
    );
    let mut base = Surface::default();
    base.block(Vec3::new(-0.105, 0.0, -0.105), Vec3::new(0.105, 0.035, 0.105), 0.4);
    // An Attic base: torus, scotia, torus.
    let profile = smooth(
        &[
            [0.090, 0.035],
            [0.101, 0.043],
            [0.103, 0.052],
            [0.099, 0.061],
            [0.088, 0.066],
            [0.083, 0.074],
            [0.084, 0.082],
            [0.090, 0.085],
            [0.094, 0.092],
            [0.090, 0.099],
            [0.080, 0.101],
        ]
        .map(Vec2::from),
        4,
    );
    base.lathe(&profile, 64, |_, _| 0.0);
    let shaft = [[0.080, 0.101], [0.076, 0.112], [0.074, 0.125], [0.072, 0.60], [0.069, 1.20]];
    base.lathe(&shaft.map(Vec2::from), 160, |angle, height| {
        // Twenty flutes with sharp ridges, which begin above the foot.
        let flute = (angle / TAU * 20.0).rem_euclid(1.0) - 0.5;
        -0.0052 * (1.0 - 4.0 * flute * flute) * step(0.112, 0.135, height)
    });
    let base = glb.mesh("column", &[(&base, marble)]);
    glb.show("column", base, Place::at(0.555, 0.0, -0.40));

    let mut ball_shape = Surface::default();
    ball_shape.lathe(&ball(0.045, 32), 64, |_, _| 0.0);
    let ball_mesh = glb.mesh("marble ball", &[(&ball_shape, marble)]);
    let turn = Quat::from_rotation_x(0.9) * Quat::from_rotation_y(1.2);
    glb.show("marble ball", ball_mesh, Place::at(-0.215, 0.045, -0.115).turned(turn));
    Ok(())
}
