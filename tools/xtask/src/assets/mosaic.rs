//! `mosaic.glb`: a still life before a window. Tiles in, tokens out: an unfinished mosaic, loose
//! tesserae, and the coins that pay for it.

use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, TAU};

use glam::{Quat, Vec2, Vec3};
use serde_json::json;

use super::glb::{Glb, MaterialId, MeshId, Place};
use super::paint::{
    Random, bytes, clouds, color_png, gloss_png, hash, mix, normal_png, srgb, step,
};
use super::shape::{Surface, ball, smooth};

/// Side of a tessera of the medallion, metres.
const SIDE: f32 = 0.0068;
/// Radius of the medallion.
const RADIUS: f32 = 0.30;
/// Half the side of the square around it.
const PANEL: f32 = 0.32;
/// Side of one unit of the key pattern around the square: 8 tesserae.
const KEY: f32 = 0.08;
/// Half the side of all that.
const BORDER: f32 = PANEL + KEY;
/// Side of a patch of the plain floor.
const PATCH: f32 = 0.16;
/// Wall with the window: its front and its back.
const WALL: [f32; 2] = [-0.62, -0.74];

pub fn build() -> anyhow::Result<Vec<u8>> {
    let mut glb = Glb::new("mosaic");
    floor(&mut glb)?;
    wall(&mut glb)?;
    amphora(&mut glb)?;
    column(&mut glb)?;
    coins(&mut glb)?;
    bowl(&mut glb);
    lights(&mut glb)?;
    glb.camera("hero", Vec3::new(0.13, 0.47, 1.12), Vec3::new(0.015, 0.118, -0.08), 32.0);
    glb.camera("above", Vec3::new(0.0, 1.25, 0.35), Vec3::new(0.0, 0.0, 0.0), 34.0);
    glb.camera("coins", Vec3::new(-0.02, 0.14, 0.62), Vec3::new(-0.15, 0.01, 0.24), 24.0);
    glb.finish()
}

// The floor.

/// What a tessera is made of.
#[derive(Clone, Copy, PartialEq)]
enum Stuff {
    Stone,
    Glass,
    Gold,
}

const CREAM: (u32, Stuff) = (0xE9DDC4, Stuff::Stone);
const BLACK: (u32, Stuff) = (0x2B2827, Stuff::Stone);
const RED: (u32, Stuff) = (0x9C3B25, Stuff::Stone);
const OCHRE: (u32, Stuff) = (0xCF9440, Stuff::Stone);
const BLUE: (u32, Stuff) = (0x1F5B8A, Stuff::Glass);
const TEAL: (u32, Stuff) = (0x2F8C86, Stuff::Glass);
const GOLD: (u32, Stuff) = (0xF0C060, Stuff::Gold);

/// Tesserae sorted by what they are made of.
#[derive(Default)]
struct Laid {
    stone: Surface,
    glass: Surface,
    gold: Surface,
}

impl Laid {
    fn lay(&mut self, mut corners: [Vec2; 4], (color, stuff): (u32, Stuff), random: &mut Random) {
        if (corners[1] - corners[0]).perp_dot(corners[2] - corners[0]) > 0.0 {
            corners.reverse();
        }
        let side = corners[0].distance(corners[1]).min(corners[1].distance(corners[2]));
        for corner in &mut corners {
            *corner += 0.04 * side * Vec2::new(random.signed(), random.signed());
        }
        // No two stones are alike: their shade, their height, and how they lie.
        let shade = 1.0 + 0.22 * random.signed();
        let warm = Vec3::new(1.0, 1.0 + 0.03 * random.signed(), 1.0 + 0.08 * random.signed());
        let lean = if stuff == Stuff::Stone { 0.02 } else { 0.05 };
        let tilt = lean * Vec2::new(random.signed(), random.signed());
        let height = 0.0004 * random.signed();
        let color = bytes(srgb(color) * shade * warm);
        let surface = match stuff {
            Stuff::Stone => &mut self.stone,
            Stuff::Glass => &mut self.glass,
            Stuff::Gold => &mut self.gold,
        };
        surface.tessera(corners, height, tilt, color);
    }

    fn mesh(&self, glb: &mut Glb, name: &str, materials: [MaterialId; 3]) -> MeshId {
        let parts: Vec<_> = [&self.stone, &self.glass, &self.gold]
            .into_iter()
            .zip(materials)
            .filter(|(surface, _)| !surface.triangles.is_empty())
            .collect();
        glb.mesh(name, &parts)
    }
}

/// The medallion's picture at a radius and an angle.
fn medallion(radius: f32, angle: f32) -> (u32, Stuff) {
    let rings = radius / SIDE;
    match radius {
        _ if radius < 0.030 => GOLD,
        _ if radius < 0.037 => BLACK,
        _ if radius < 0.150 => {
            // A rosette: eight petals, and eight narrow ones between them.
            let wave = (4.0 * angle).cos().abs();
            let petal = 0.037 + 0.100 * wave.powf(0.55);
            let between = 0.037 + 0.100 * (1.0 - wave).powf(1.4);
            if radius < petal - 0.052 {
                OCHRE
            } else if radius < petal - 0.013 {
                RED
            } else if radius < petal {
                BLACK
            } else if radius < between {
                TEAL
            } else {
                CREAM
            }
        }
        _ if radius < 0.158 => BLACK,
        _ if radius < 0.166 => CREAM,
        _ if radius < 0.226 => guilloche((radius - 0.196) / 0.030, angle),
        _ if radius < 0.233 => CREAM,
        _ if radius < 0.240 => BLACK,
        _ if radius < 0.274 => {
            // Saw teeth.
            let tooth = (angle / TAU * 48.0).rem_euclid(1.0);
            if (2.0 * tooth - 1.0).abs() > (radius - 0.240) / 0.034 { BLUE } else { CREAM }
        }
        _ if radius < 0.281 => BLUE,
        _ if rings < 42.9 => CREAM,
        _ => BLACK,
    }
}

/// A braid of two strands; `across` runs from -1 to 1 over the band.
fn guilloche(across: f32, angle: f32) -> (u32, Stuff) {
    let turns = 12.0 * angle;
    let strands = [(0.62 * turns.sin(), RED, OCHRE), (-0.62 * turns.sin(), BLUE, TEAL)];
    // They cross where the sine is zero; the upper one changes from crossing to crossing.
    let first_above = turns.cos() > 0.0;
    let order = if first_above { [0, 1] } else { [1, 0] };
    for strand in order {
        let (at, rim, core) = strands[strand];
        let away = (across - at).abs();
        if away < 0.14 {
            return CREAM;
        }
        if away < 0.30 {
            return core;
        }
        if away < 0.44 {
            return rim;
        }
        if away < 0.52 {
            return BLACK;
        }
    }
    BLACK
}

/// An eighth of the medallion; `skip` leaves tesserae out.
fn wedge(skip: impl Fn(Vec2) -> bool) -> Laid {
    let mut laid = Laid::default();
    let mut random = Random(1);
    let rings = (RADIUS / SIDE).round() as u32;
    for ring in 0..rings {
        let (inner, outer) = (ring as f32 * SIDE, (ring + 1) as f32 * SIDE);
        let middle = 0.5 * (inner + outer);
        let count = (FRAC_PI_4 * middle / SIDE).round().max(1.0) as u32;
        let (inner, outer) = (inner + 0.06 * SIDE, outer - 0.06 * SIDE);
        for piece in 0..count {
            let pitch = FRAC_PI_4 / count as f32;
            let gap = 0.06 * SIDE / middle;
            let (from, to) = (piece as f32 * pitch + gap, (piece + 1) as f32 * pitch - gap);
            let angle = 0.5 * (from + to);
            if skip(middle * Vec2::from_angle(angle)) {
                continue;
            }
            let corners = [(inner, from), (outer, from), (outer, to), (inner, to)]
                .map(|(radius, angle)| radius * Vec2::from_angle(angle));
            laid.lay(corners, medallion(middle, angle), &mut random);
        }
    }
    laid
}

/// A grid of tesserae; `color` says which one lies at a place, if any.
fn grid(
    low: Vec2,
    count: [u32; 2],
    side: f32,
    seed: u32,
    color: impl Fn(Vec2) -> Option<(u32, Stuff)>,
) -> Laid {
    let mut laid = Laid::default();
    let mut random = Random(seed);
    for row in 0..count[1] {
        for column in 0..count[0] {
            let center = low + side * Vec2::new(column as f32 + 0.5, row as f32 + 0.5);
            let half = 0.44 * side;
            let corners = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
                .map(|corner| center + half * Vec2::from(corner));
            if let Some(color) = color(center) {
                laid.lay(corners, color, &mut random);
            }
        }
    }
    laid
}

/// A quarter of what lies between the medallion and the square.
fn spandrel() -> Laid {
    let side = PANEL / 40.0;
    grid(Vec2::ZERO, [40, 40], side, 5, |at| {
        if at.length() < RADIUS + 0.6 * side {
            return None;
        }
        // A bud in the corner.
        let corner = (Vec2::splat(PANEL - 0.035) - at).length();
        Some(match corner {
            _ if corner < 0.011 => GOLD,
            _ if corner < 0.020 => RED,
            _ if corner < 0.027 => BLACK,
            _ if (at.max_element() - PANEL).abs() < side => BLACK,
            _ => CREAM,
        })
    })
}

fn floor(glb: &mut Glb) -> anyhow::Result<()> {
    let stuff = |roughness: f32, metal: f32| json!({ "pbrMetallicRoughness": { "metallicFactor": metal, "roughnessFactor": roughness } });
    let materials = [
        glb.material("stone", stuff(0.38, 0.0)),
        glb.material("smalti", stuff(0.09, 0.0)),
        glb.material("gold leaf", stuff(0.22, 1.0)),
    ];

    // The medallion: seven whole eighths and one that is still being laid.
    let whole = wedge(|_| false).mesh(glb, "medallion", materials);
    let edge = |at: Vec2| {
        let wobble = 0.05 * clouds(at * 3.0, 4, 3, 40) - 0.025;
        at.length() > 0.157 + wobble + 0.10 * (at.y / at.x.max(1e-3) - 0.55).abs()
    };
    let begun = wedge(edge).mesh(glb, "medallion, unfinished", materials);
    for eighth in 0..8 {
        let turn = Quat::from_rotation_y(FRAC_PI_4 * eighth as f32);
        let mesh = if eighth == 7 { begun } else { whole };
        glb.show("medallion", mesh, Place::at(0.0, 0.0, 0.0).turned(turn));
    }
    let quarter = spandrel().mesh(glb, "spandrel", materials);
    for side in 0..4 {
        let turn = Quat::from_rotation_y(FRAC_PI_2 * side as f32);
        glb.show("spandrel", quarter, Place::at(0.0, 0.0, 0.0).turned(turn));
    }

    // The key pattern around the square.
    const PATTERN: [&[u8; 8]; 8] = [
        b"........",
        b"########",
        b".......#",
        b"######.#",
        b"#....#.#",
        b"#.##.#.#",
        b"#.####.#",
        b"#......#",
    ];
    let key = grid(Vec2::splat(-0.5 * KEY), [8, 8], KEY / 8.0, 6, |at| {
        let cell = |value: f32| ((value / KEY + 0.5) * 8.0) as usize;
        Some(if PATTERN[cell(at.y)][cell(at.x)] == b'#' { BLACK } else { CREAM })
    });
    let key = key.mesh(glb, "key", materials);
    let corner = grid(Vec2::splat(-0.5 * KEY), [8, 8], KEY / 8.0, 7, |at| {
        let away = at.abs().max_element() / KEY * 8.0;
        Some(match away {
            _ if away < 1.0 => RED,
            _ if away < 2.0 => OCHRE,
            _ if away < 3.0 => CREAM,
            _ => BLACK,
        })
    });
    let corner = corner.mesh(glb, "corner", materials);
    let middle = PANEL + 0.5 * KEY;
    for side in 0..4 {
        let turn = Quat::from_rotation_y(FRAC_PI_2 * side as f32);
        let mut show = |name, mesh, x: f32| {
            let at = turn * Vec3::new(x, 0.0, middle);
            glb.show(name, mesh, Place { at, turn, size: 1.0 });
        };
        for unit in 0..8 {
            show("key", key, -PANEL + KEY * (unit as f32 + 0.5));
        }
        show("corner", corner, middle);
    }

    // The plain floor beyond.
    let patch = grid(Vec2::splat(-0.5 * PATCH), [10, 10], PATCH / 10.0, 8, |at| {
        let pick = hash((at.x * 1e4) as i32, (at.y * 1e4) as i32, 3);
        Some(if pick > 0.93 { OCHRE } else { CREAM })
    });
    let patch = patch.mesh(glb, "patch", materials);
    for row in -7..=2_i32 {
        for column in -7..=7_i32 {
            let at = Vec2::new(column as f32, row as f32) * PATCH;
            if at.abs().max_element() < BORDER || at.y - 0.5 * PATCH < WALL[1] {
                continue;
            }
            let turn = Quat::from_rotation_y(FRAC_PI_2 * (3 * column + row) as f32);
            glb.show("patch", patch, Place::at(at.x, 0.0, at.y).turned(turn));
        }
    }
    mortar(glb)
}

fn mortar(glb: &mut Glb) -> anyhow::Result<()> {
    let rough = normal_png(128, |uv| 0.020 * clouds(uv, 16, 3, 21))?;
    let rough = glb.texture("mortar", &rough);
    let mortar = glb.material(
        "mortar",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.36, 0.31, 0.25, 1.0],
                "metallicFactor": 0.0, "roughnessFactor": 0.95 },
                "normalTexture": { "index": rough, "scale": 0.8 } }),
    );
    let mut ground = Surface::default();
    let corner = |x: f32, z: f32| Vec3::new(x, -0.0014, z);
    ground.quad(
        [corner(-2.5, 2.0), corner(2.5, 2.0), corner(2.5, -1.0), corner(-2.5, -1.0)],
        [[0.0, 12.0], [20.0, 12.0], [20.0, 0.0], [0.0, 0.0]].map(Vec2::from),
    );
    let ground = glb.mesh("mortar", &[(&ground, mortar)]);
    glb.show("mortar", ground, Place::at(0.0, 0.0, 0.0));
    Ok(())
}

// The wall and the window.

/// The window: from its left to its right, its sill, and where its arch begins.
const WINDOW: [f32; 2] = [-0.085, 0.335];
const SILL: f32 = 0.20;
const SPRING: f32 = 0.40;

fn wall(glb: &mut Glb) -> anyhow::Result<()> {
    let trowel = normal_png(256, |uv| 0.012 * clouds(uv, 6, 5, 60))?;
    let trowel = glb.texture("plaster", &trowel);
    let plaster = glb.material(
        "plaster",
        json!({ "pbrMetallicRoughness": { "metallicFactor": 0.0, "roughnessFactor": 0.85 },
                "normalTexture": { "index": trowel, "scale": 0.9 } }),
    );
    let [front, back] = WALL;
    let (high, wide) = (1.3, 2.5);
    let mut wall = Surface::default();
    let texel = 0.5;
    let uv = |x: f32, y: f32| Vec2::new(x, -y) / texel;
    let mut face = |x0: f32, y0: f32, x1: f32, y1: f32| {
        // Cut in strips, so that the paint's edges fall on vertices.
        let cuts = [y0, 0.145, 0.150, 0.158, 0.163, y1];
        let mut low = y0;
        for cut in cuts.into_iter().filter(|&cut| cut > y0 && cut <= y1) {
            let corners = [(x0, low), (x1, low), (x1, cut), (x0, cut)];
            let at = corners.map(|(x, y)| Vec3::new(x, y, front));
            wall.quad(at, corners.map(|(x, y)| uv(x, y)));
            low = cut;
        }
    };
    let [left, right] = WINDOW;
    face(-wide, -0.01, left, high);
    face(right, -0.01, wide, high);
    face(left, -0.01, right, SILL);

    // Above the window, around the arch; and the reveal, the thickness of the wall.
    let radius = 0.5 * (right - left);
    let center = Vec2::new(0.5 * (left + right), SPRING);
    let arch: Vec<Vec2> = (0..=32)
        .map(|piece| {
            let angle = std::f32::consts::PI * (1.0 - piece as f32 / 32.0);
            center + radius * Vec2::from_angle(angle)
        })
        .collect();
    for pair in arch.windows(2) {
        let corners = [pair[0], pair[1], Vec2::new(pair[1].x, high), Vec2::new(pair[0].x, high)];
        wall.quad(corners.map(|at| at.extend(front)), corners.map(|at| uv(at.x, at.y)));
    }
    let sides = [Vec2::new(left, SILL), Vec2::new(left, SPRING)];
    let outline: Vec<Vec2> = sides
        .into_iter()
        .chain(arch[1..].iter().copied())
        .chain([Vec2::new(right, SILL), Vec2::new(left, SILL)])
        .collect();
    let mut along = 0.0;
    for pair in outline.windows(2) {
        let next = along + pair[0].distance(pair[1]);
        let corners = [
            pair[1].extend(front),
            pair[0].extend(front),
            pair[0].extend(back),
            pair[1].extend(back),
        ];
        let depth = (front - back) / texel;
        let uvs = [
            [next / texel, 0.0],
            [along / texel, 0.0],
            [along / texel, depth],
            [next / texel, depth],
        ];
        wall.quad(corners, uvs.map(Vec2::from));
        along = next;
    }
    // Pompeian: a red dado, a black line, cream above.
    let wall = wall.colored(|at| {
        let paint = match at.y {
            y if at.z < front - 1e-4 || y > 0.1635 => srgb(0xE3CFA6),
            y if y > 0.1575 => srgb(0xE9DDC4),
            y if y > 0.1445 => srgb(0x2B2827),
            _ => srgb(0x8E2F1F),
        };
        bytes(paint)
    });
    let wall = glb.mesh("wall", &[(&wall, plaster)]);
    glb.show("wall", wall, Place::at(0.0, 0.0, 0.0));

    // A marble sill that reaches out.
    let marble = glb.material(
        "sill",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.80, 0.77, 0.71, 1.0],
                "metallicFactor": 0.0, "roughnessFactor": 0.30 } }),
    );
    let mut sill = Surface::default();
    let low = Vec3::new(left - 0.03, SILL - 0.022, front - 0.02);
    sill.block(low, Vec3::new(right + 0.03, SILL, front + 0.035), 0.5);
    let sill = glb.mesh("sill", &[(&sill, marble)]);
    glb.show("sill", sill, Place::at(0.0, 0.0, 0.0));
    Ok(())
}

// The things.

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
        h if h < 0.400 => h > 0.270,
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

fn amphora(glb: &mut Glb) -> anyhow::Result<()> {
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

fn column(glb: &mut Glb) -> anyhow::Result<()> {
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

/// A coin's relief: a beaded rim, a wreath, and a T of two bars with serifs.
fn relief(uv: Vec2) -> f32 {
    let at = 2.0 * uv - Vec2::ONE;
    let (radius, angle) = (at.length(), at.y.atan2(at.x));
    let mut height: f32 = step(0.90, 0.94, radius) * 0.9;
    let bead = Vec2::new((angle / TAU * 60.0).rem_euclid(1.0) - 0.5, (radius - 0.84) / 0.105);
    height = height.max(0.7 * (1.0 - 4.0 * bead.length_squared()).max(0.0).sqrt());
    // Leaves along two branches that meet at the top.
    let from_bottom = (angle - FRAC_PI_2).abs();
    let along = from_bottom.min(TAU - from_bottom);
    if along < 2.8 {
        let leaf = (along * 5.2).rem_euclid(1.0) - 0.5;
        for side in [-1.0, 1.0] {
            let away = (radius - 0.645) / 0.17 - side * (0.45 + 0.35 * leaf);
            let body = 1.0 - (leaf / 0.48).powi(2) - (away / 0.34).powi(2);
            height = height.max(0.75 * body.max(0.0).sqrt());
        }
        height = height.max(0.5 * step(0.03, 0.01, (radius - 0.645).abs()));
    }
    // v runs down: the letter's top has the smaller y.
    let bar = |x: f32, y: f32, wide: f32, tall: f32| {
        let edge = (wide - (at.x - x).abs()).min(tall - (at.y - y).abs());
        step(0.0, 0.045, edge)
    };
    let letter = bar(0.0, -0.27, 0.33, 0.075)
        .max(bar(0.0, 0.03, 0.085, 0.33))
        .max(bar(-0.29, -0.21, 0.05, 0.135))
        .max(bar(0.29, -0.21, 0.05, 0.135))
        .max(bar(0.0, 0.34, 0.18, 0.05));
    height.max(letter)
}

fn coins(glb: &mut Glb) -> anyhow::Result<()> {
    let stamp = normal_png(256, |uv| 0.030 * relief(uv))?;
    let stamp = glb.texture("coin", &stamp);
    let metal = |color: [f32; 4], roughness: f32| {
        json!({ "pbrMetallicRoughness": { "baseColorFactor": color, "metallicFactor": 1.0,
                "roughnessFactor": roughness },
                "normalTexture": { "index": stamp, "scale": 1.0 } })
    };
    let gold = glb.material("gold", metal([1.0, 0.72, 0.29, 1.0], 0.20));
    let silver = glb.material("silver", metal([0.93, 0.91, 0.87, 1.0], 0.24));
    let bronze = glb.material("bronze coin", metal([0.78, 0.47, 0.27, 1.0], 0.33));

    let (radius, half) = (0.0185, 0.0016);
    let mut coin = Surface::default();
    let profile = [
        [0.0, -half],
        [0.9 * radius, -half],
        [0.97 * radius, -0.8 * half],
        [radius, -0.3 * half],
        [radius, 0.3 * half],
        [0.97 * radius, 0.8 * half],
        [0.9 * radius, half],
        [0.0, half],
    ];
    coin.lathe(&profile.map(Vec2::from), 64, |_, _| 0.0);
    for (uv, at) in coin.uvs.iter_mut().zip(&coin.positions) {
        *uv = Vec2::splat(0.5) + Vec2::new(at.x, at.z) / (2.02 * radius);
    }
    let first = glb.mesh("gold coin", &[(&coin, gold)]);
    let kinds = [
        first,
        glb.recolored("silver coin", first, silver),
        glb.recolored("bronze coin", first, bronze),
    ];

    // A stack, two small ones beside it, and coins that rolled away.
    let mut random = Random(500);
    let mut pile = |center: Vec2, count: u32, kinds: &[MeshId]| {
        for level in 0..count {
            let slide = 0.0017 * Vec2::new(random.signed(), random.signed());
            let height = half * (2.05 * level as f32 + 1.0) + 0.0006;
            let turn = Quat::from_rotation_y(TAU * random.unit());
            let kind = kinds[(random.unit() * kinds.len() as f32) as usize % kinds.len()];
            let at = center + slide;
            glb.show("coin", kind, Place::at(at.x, height, at.y).turned(turn));
        }
    };
    pile(Vec2::new(-0.255, 0.215), 11, &kinds[..1]);
    pile(Vec2::new(-0.212, 0.188), 7, &kinds[1..2]);
    pile(Vec2::new(-0.294, 0.178), 5, &kinds);
    let mut flat = |x: f32, z: f32, kind: usize, turn: f32| {
        let place = Place::at(x, half + 0.0007, z).turned(Quat::from_rotation_y(turn));
        glb.show("coin", kinds[kind], place);
    };
    flat(-0.185, 0.262, 0, 0.35);
    flat(-0.118, 0.292, 0, -0.25);
    flat(-0.045, 0.316, 1, 0.5);
    flat(-0.300, 0.285, 2, 0.1);
    flat(0.035, 0.285, 0, 0.2);
    // Two lean on others.
    let lean = Quat::from_rotation_z(-0.20) * Quat::from_rotation_y(0.6);
    glb.show("coin", kinds[0], Place::at(-0.158, 0.0062, 0.278).turned(lean));
    let lean = Quat::from_rotation_z(1.28) * Quat::from_rotation_y(0.3);
    glb.show("coin", kinds[0], Place::at(-0.2295, 0.0178, 0.2255).turned(lean));
    Ok(())
}

/// A cube of glass or stone as mosaicists cut it.
fn cube(color: u32) -> Surface {
    let mut cube = Surface::default();
    let half = 0.0058;
    cube.block(Vec3::splat(-half), Vec3::splat(half), 1.0);
    cube.uvs.clear();
    cube.coarse_normals = true;
    cube.colored(|_| bytes(srgb(color)))
}

fn bowl(glb: &mut Glb) {
    let bronze = glb.material(
        "bronze",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.70, 0.43, 0.22, 1.0],
                "metallicFactor": 1.0, "roughnessFactor": 0.28 } }),
    );
    let outline = [
        [0.034, 0.000],
        [0.036, 0.005],
        [0.034, 0.010],
        [0.052, 0.018],
        [0.074, 0.032],
        [0.086, 0.052],
        [0.089, 0.056],
        [0.086, 0.058],
        [0.082, 0.054],
        [0.070, 0.037],
        [0.048, 0.022],
        [0.020, 0.015],
        [0.000, 0.0145],
    ];
    let mut shape = Surface::default();
    let mut profile = vec![Vec2::ZERO];
    profile.extend(smooth(&outline.map(Vec2::from), 4));
    shape.lathe(&profile, 72, |_, _| 0.0);
    let shape = glb.mesh("bowl", &[(&shape, bronze)]);
    let center = Vec2::new(0.40, 0.055);
    glb.show("bowl", shape, Place::at(center.x, 0.0005, center.y));

    let stuff = |roughness: f32| json!({ "pbrMetallicRoughness": { "metallicFactor": 0.0, "roughnessFactor": roughness } });
    let glass = glb.material("loose smalti", stuff(0.10));
    let stone = glb.material("loose stone", stuff(0.45));
    let kinds = [
        (0x1F5B8A, glass),
        (0x2F8C86, glass),
        (0x9C3B25, stone),
        (0xCF9440, stone),
        (0xE9DDC4, stone),
        (0x1B3F73, glass),
    ]
    .map(|(color, material)| glb.mesh("tessera", &[(&cube(color), material)]));
    let mut random = Random(900);
    let mut drop = |at: Vec3, tumbled: bool, glb: &mut Glb| {
        let kind = kinds[(random.unit() * 6.0) as usize % 6];
        let mut turn = Quat::from_rotation_y(TAU * random.unit());
        if tumbled {
            turn *= Quat::from_rotation_x(1.2 * random.signed());
            turn *= Quat::from_rotation_z(1.2 * random.signed());
        }
        glb.show("tessera", kind, Place { at, turn, size: 1.0 });
    };
    // The heap: rings that shrink as it rises.
    let rings = [
        (0.0165, 0.036, 0.023),
        (0.026, 0.055, 0.030),
        (0.020, 0.040, 0.039),
        (0.024, 0.064, 0.043),
        (0.015, 0.044, 0.050),
        (0.0, 0.026, 0.056),
    ];
    for (level, (inner, outer, height)) in rings.into_iter().enumerate() {
        for ring in [inner, outer] {
            let count = ((TAU * ring / 0.0155) as u32).max(1);
            for piece in 0..count {
                let angle = TAU * (piece as f32 + 0.37 * level as f32) / count as f32;
                let away = center + ring * Vec2::from_angle(angle);
                let sag = if ring > 0.05 { 0.004 } else { 0.0 };
                drop(Vec3::new(away.x, height + sag, away.y), true, glb);
            }
        }
    }
    // Those that wait beside the unfinished part.
    let loose = [
        [0.300, 0.150],
        [0.319, 0.172],
        [0.286, 0.178],
        [0.262, 0.205],
        [0.305, 0.205],
        [0.330, 0.222],
        [0.245, 0.236],
        [0.275, 0.243],
        [0.222, 0.262],
        [0.352, 0.168],
        [0.375, 0.196],
        [0.200, 0.228],
        [0.336, 0.262],
        [0.295, 0.282],
        [0.405, 0.180],
        [0.180, 0.272],
        [0.252, 0.285],
    ];
    for [x, z] in loose {
        drop(Vec3::new(x, 0.0060, z), false, glb);
    }
}

// The light.

/// What lies beyond the window: sky, a few clouds, the sea, a far coast.
fn view(uv: Vec2) -> Vec3 {
    let height = 1.0 - uv.y;
    let horizon = 0.36;
    if height < horizon {
        let depth = height / horizon;
        let glint = clouds(Vec2::new(0.3 * uv.x, uv.y * 6.0 * (0.2 + depth)), 16, 3, 31);
        return mix(srgb(0x2C6E93), srgb(0x9CC3CF), depth.powi(4)) * (0.85 + 0.3 * glint);
    }
    let coast = horizon + 0.055 * clouds(Vec2::new(uv.x, 0.3), 4, 4, 33) * step(0.15, 0.75, uv.x);
    if height < coast {
        return mix(srgb(0x7F93A6), srgb(0xA3B0B6), (height - horizon) / 0.05);
    }
    let up = (height - horizon) / (1.0 - horizon);
    let sky = mix(srgb(0xE9E3D2), srgb(0x6FA6D6), up.powf(0.55));
    let puff = clouds(Vec2::new(uv.x, 2.2 * uv.y), 4, 5, 35);
    mix(sky, Vec3::splat(1.0), 0.8 * step(0.52, 0.75, puff) * (1.0 - 0.5 * up))
}

fn lights(glb: &mut Glb) -> anyhow::Result<()> {
    let lamp = |glb: &mut Glb, name: &str, color: [f32; 3], strength: f32| {
        glb.material(
            name,
            json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.0, 0.0, 0.0, 1.0],
                    "metallicFactor": 0.0 },
                    "emissiveFactor": color,
                    "extensions": { "KHR_materials_emissive_strength":
                        { "emissiveStrength": strength } } }),
        )
    };
    let square = |wide: f32, tall: f32| {
        let (x, y) = (0.5 * wide, 0.5 * tall);
        let mut square = Surface::default();
        square.quad(
            [[-x, -y, 0.0], [x, -y, 0.0], [x, y, 0.0], [-x, y, 0.0]].map(Vec3::from),
            [[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]].map(Vec2::from),
        );
        square
    };
    let facing = |from: Vec3, to: Vec3| Quat::from_rotation_arc(Vec3::Z, (to - from).normalize());

    // The view is a picture that shines.
    let picture = color_png(384, 192, view)?;
    let picture = glb.texture("view", &picture);
    let sky = glb.material(
        "view",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.0, 0.0, 0.0, 1.0],
                "metallicFactor": 0.0 },
                "emissiveFactor": [1.0, 1.0, 1.0], "emissiveTexture": { "index": picture },
                "extensions": { "KHR_materials_emissive_strength": { "emissiveStrength": 2.2 } } }),
    );
    let sky = glb.mesh("view", &[(&square(3.2, 1.6), sky)]);
    glb.show("view", sky, Place::at(0.0, 0.36, -2.6));

    // A warm lamp from the left, and the open sky above.
    let warm = lamp(glb, "lamp", [1.0, 0.74, 0.46], 30.0);
    let warm = glb.mesh("lamp", &[(&square(0.42, 0.42), warm)]);
    let (from, to) = (Vec3::new(-0.95, 0.95, 0.80), Vec3::new(-0.05, 0.05, 0.0));
    glb.show("lamp", warm, Place { at: from, turn: facing(from, to), size: 1.0 });
    let cool = lamp(glb, "skylight", [0.62, 0.80, 1.0], 0.9);
    let cool = glb.mesh("skylight", &[(&square(3.0, 2.2), cool)]);
    let (from, to) = (Vec3::new(0.5, 1.9, 0.6), Vec3::new(0.2, 0.0, 0.1));
    glb.show("skylight", cool, Place { at: from, turn: facing(from, to), size: 1.0 });

    // The sun falls through the window on the medallion.
    glb.light(
        json!({ "name": "sun", "type": "spot", "color": [1.0, 0.86, 0.66], "intensity": 110.0,
                "spot": { "innerConeAngle": 0.30, "outerConeAngle": 0.34 } }),
        Vec3::new(1.05, 1.72, -2.1),
        Vec3::new(0.0, 0.1, -0.1),
    );
    Ok(())
}
