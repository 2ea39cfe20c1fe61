//! The floor: an unfinished medallion, its square, the border, and plain patches beyond.

use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, TAU};

use glam::{Quat, Vec2, Vec3};
use serde_json::json;

use super::super::glb::{Glb, MaterialId, MeshId, Place};
use super::super::paint::{Random, bytes, clouds, hash, normal_png, srgb};
use super::super::shape::Surface;
use super::WALL;

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
    let turns = 8.0 * angle;
    let strands = [(0.56 * turns.sin(), RED), (-0.56 * turns.sin(), BLUE)];
    // They cross where the sine is zero; the upper one changes from crossing to crossing.
    let order = if turns.cos() > 0.0 { [0, 1] } else { [1, 0] };
    for strand in order {
        let (at, color) = strands[strand];
        // Across the strand, not across the band: its slope makes it narrower there.
        let away = (across - at).abs() / (1.0 + 1.2 * turns.cos().powi(2)).sqrt();
        if away < 0.20 {
            return color;
        }
        if away < 0.36 {
            return CREAM;
        }
    }
    if across.abs() < 0.2 && turns.sin().abs() > 0.8 { OCHRE } else { BLACK }
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

pub fn floor(glb: &mut Glb) -> anyhow::Result<()> {
    let stuff = |roughness: f32, metal: f32| json!({ "pbrMetallicRoughness": { "metallicFactor": metal, "roughnessFactor": roughness } });
    let materials = [
        glb.material("stone", stuff(0.38, 0.0)),
        glb.material("smalti", stuff(0.09, 0.0)),
        glb.material("gold leaf", stuff(0.22, 1.0)),
    ];

    // The medallion: seven whole eighths and one that is still being laid.
    let whole = wedge(|_| false).mesh(glb, "medallion", materials);
    let edge = |at: Vec2| {
        // A scoop out of the rim, ragged where the last tesserae were set.
        let (radius, angle) = (at.length(), at.y.atan2(at.x));
        let side = (2.0 * angle / FRAC_PI_4 - 0.9).abs();
        let ragged = 0.040 * hash((at.x * 1e4) as i32, (at.y * 1e4) as i32, 77);
        radius > 0.140 + 0.165 * side.powf(1.6) + ragged
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
