//! `atrium.glb`: a Roman hall around a pool, lit by the sun and the sky through its open roof:
//! most of what one sees was reflected at least once.

use std::f32::consts::TAU;

use glam::{Quat, Vec2, Vec3};
use serde_json::json;

use super::glb::{Glb, MaterialId, Place};
use super::mosaic::marble;
use super::paint::{bytes, clouds, color_png, mix, normal_png, srgb, step};
use super::shape::{Surface, smooth};

/// Half of the hall's inside, metres: across and along.
const HALL: [f32; 2] = [5.0, 7.0];
/// Half of the pool and of the opening above it.
const POOL: [f32; 2] = [1.8, 2.6];
/// Where the columns stand.
const RING: [f32; 2] = [2.5, 3.4];
const CEILING: f32 = 4.2;

pub fn build() -> anyhow::Result<Vec<u8>> {
    let mut glb = Glb::new("atrium");
    let paint = glb.texture("marble", &color_png(256, 256, marble)?);
    let marble = glb.material(
        "marble",
        json!({ "pbrMetallicRoughness": { "baseColorTexture": { "index": paint },
                "metallicFactor": 0.0, "roughnessFactor": 0.35 } }),
    );
    floor(&mut glb, marble)?;
    walls(&mut glb)?;
    columns(&mut glb, marble);
    stairs(&mut glb, marble);
    lights(&mut glb);
    glb.camera("hall", Vec3::new(-0.45, 1.60, 3.25), Vec3::new(0.10, 1.50, -1.5), 62.0);
    glb.camera("pool", Vec3::new(1.7, 2.2, 2.9), Vec3::new(-1.3, 0.5, -1.4), 60.0);
    glb.finish()
}

fn floor(glb: &mut Glb, marble: MaterialId) -> anyhow::Result<()> {
    let paint = color_png(512, 512, |uv| {
        // Opus sectile: squares set in squares.
        let cell = (4.0 * uv).floor();
        let local = 2.0 * (4.0 * uv).fract() - Vec2::ONE;
        let stone = clouds(uv, 16, 3, 12 + (cell.x + 4.0 * cell.y) as u32);
        let diamond = local.x.abs() + local.y.abs();
        let color = match diamond {
            _ if local.abs().max_element() > 0.97 => srgb(0x5B5048),
            d if d > 1.0 => mix(srgb(0xD9CDB4), srgb(0xC4B498), stone),
            _ if local.abs().max_element() < 0.33 => mix(srgb(0xD0A24C), srgb(0xB9873A), stone),
            _ if (cell.x + cell.y).rem_euclid(2.0) > 0.5 => {
                mix(srgb(0x7C2F27), srgb(0x5D2420), stone)
            }
            _ => mix(srgb(0x355E4B), srgb(0x27483B), stone),
        };
        color * (0.9 + 0.2 * stone)
    })?;
    let paint = glb.texture("floor", &paint);
    let tiled = glb.material(
        "floor",
        json!({ "pbrMetallicRoughness": { "baseColorTexture": { "index": paint },
                "metallicFactor": 0.0, "roughnessFactor": 0.22 } }),
    );
    let ([x, z], [px, pz]) = (HALL, POOL);
    let mut ground = Surface::default();
    for [x0, z0, x1, z1] in [[-x, -z, x, -pz], [-x, pz, x, z], [-x, -pz, -px, pz], [px, -pz, x, pz]]
    {
        let corners = [[x0, z1], [x1, z1], [x1, z0], [x0, z0]];
        ground.quad(
            corners.map(|[x, z]| Vec3::new(x, 0.0, z)),
            corners.map(|corner| Vec2::from(corner) / 3.2),
        );
    }
    let ground = glb.mesh("floor", &[(&ground, tiled)]);
    glb.show("floor", ground, Place::at(0.0, 0.0, 0.0));

    // The pool: a marble rim, walls below it, and still water.
    let mut rim = Surface::default();
    let (wide, high) = (0.22, 0.10);
    for (low, high) in [
        (Vec3::new(-px, -0.3, -pz), Vec3::new(px, high, -pz + wide)),
        (Vec3::new(-px, -0.3, pz - wide), Vec3::new(px, high, pz)),
        (Vec3::new(-px, -0.3, -pz + wide), Vec3::new(-px + wide, high, pz - wide)),
        (Vec3::new(px - wide, -0.3, -pz + wide), Vec3::new(px, high, pz - wide)),
    ] {
        rim.block(low, high, 1.5);
    }
    let rim = glb.mesh("rim", &[(&rim, marble)]);
    glb.show("rim", rim, Place::at(0.0, 0.0, 0.0));
    let ripples = normal_png(128, |uv| 0.010 * clouds(uv, 4, 3, 44))?;
    let ripples = glb.texture("ripples", &ripples);
    let water = glb.material(
        "water",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.012, 0.055, 0.060, 1.0],
                "metallicFactor": 0.0, "roughnessFactor": 0.03 },
                "normalTexture": { "index": ripples, "scale": 0.5 } }),
    );
    let mut pool = Surface::default();
    let corners = [[-px, pz], [px, pz], [px, -pz], [-px, -pz]];
    pool.quad(
        corners.map(|[x, z]| Vec3::new(x, 0.0, z)),
        corners.map(|corner| Vec2::from(corner) / 1.3),
    );
    let pool = glb.mesh("water", &[(&pool, water)]);
    glb.show("water", pool, Place::at(0.0, -0.02, 0.0));
    Ok(())
}

fn walls(glb: &mut Glb) -> anyhow::Result<()> {
    let trowel = glb.texture("plaster", &normal_png(128, |uv| 0.010 * clouds(uv, 6, 4, 61))?);
    let plaster = glb.material(
        "plaster",
        json!({ "pbrMetallicRoughness": { "metallicFactor": 0.0, "roughnessFactor": 0.9 },
                "normalTexture": { "index": trowel, "scale": 0.6 } }),
    );
    let ([x, z], [px, pz]) = (HALL, POOL);
    let mut shell = Surface::default();
    // Walls in strips, so that the paint's edges fall on vertices: dado, line, field, line, frieze.
    let cuts = [0.0, 1.05, 1.08, 1.14, 1.17, 3.40, 3.43, 3.50, 3.53, CEILING];
    let sides = [[[-x, z], [-x, -z]], [[-x, -z], [x, -z]], [[x, -z], [x, z]], [[x, z], [-x, z]]];
    for [from, to] in sides {
        let length = Vec2::from(from).distance(Vec2::from(to));
        // In panels: dark lines between them.
        let panels = (length / 2.0).round() as u32;
        for panel in 0..panels {
            for [start, end] in [[0.0, 0.03], [0.03, 0.97], [0.97, 1.0]] {
                let at = |t: f32| {
                    Vec2::from(from).lerp(Vec2::from(to), (panel as f32 + t) / panels as f32)
                };
                let (a, b) = (at(start), at(end));
                for pair in cuts.windows(2) {
                    let corner = |at: Vec2, y: f32| Vec3::new(at.x, y, at.y);
                    let corners = [
                        corner(a, pair[0]),
                        corner(b, pair[0]),
                        corner(b, pair[1]),
                        corner(a, pair[1]),
                    ];
                    let along = |t: f32| length * (panel as f32 + t) / panels as f32;
                    let uvs = [
                        [along(start), -pair[0]],
                        [along(end), -pair[0]],
                        [along(end), -pair[1]],
                        [along(start), -pair[1]],
                    ];
                    shell.quad(corners, uvs.map(|uv| Vec2::from(uv) / 1.6));
                    let line = end - start < 0.5;
                    let paint = match pair[0] {
                        y if y < 1.04 => srgb(0x2E2320),
                        y if y < 1.16 => {
                            if (1.07..1.10).contains(&y) {
                                srgb(0xD8B35A)
                            } else {
                                srgb(0x3F7A4E)
                            }
                        }
                        y if y < 3.39 => {
                            if line {
                                srgb(0xD8B35A)
                            } else {
                                srgb(0xA83A26)
                            }
                        }
                        y if y < 3.52 => srgb(0x2F5D7C),
                        _ => srgb(0xEFE3C8),
                    };
                    shell.colors.extend([bytes(paint); 4]);
                }
            }
        }
    }
    // The ceiling around the opening, and its edge.
    for [x0, z0, x1, z1] in [[-x, -z, x, -pz], [-x, pz, x, z], [-x, -pz, -px, pz], [px, -pz, x, pz]]
    {
        let corners = [[x0, z0], [x1, z0], [x1, z1], [x0, z1]];
        shell.quad(
            corners.map(|[x, z]| Vec3::new(x, CEILING, z)),
            corners.map(|corner| Vec2::from(corner) / 1.6),
        );
        shell.colors.extend([bytes(srgb(0xE6D6B8)); 4]);
    }
    // The opening's edge, up to the sky.
    let rim = [[-px, -pz], [-px, pz], [px, pz], [px, -pz], [-px, -pz]];
    for pair in rim.windows(2) {
        let corner = |[x, z]: [f32; 2], y: f32| Vec3::new(x, y, z);
        let (low, high) = (CEILING, CEILING + 0.3);
        let corners = [
            corner(pair[0], low),
            corner(pair[0], high),
            corner(pair[1], high),
            corner(pair[1], low),
        ];
        shell.quad(corners, [Vec2::ZERO, Vec2::Y, Vec2::ONE, Vec2::X]);
        shell.colors.extend([bytes(srgb(0xE6D6B8)); 4]);
    }
    let shell = glb.mesh("walls", &[(&shell, plaster)]);
    glb.show("walls", shell, Place::at(0.0, 0.0, 0.0));

    let wood = glb.material(
        "beams",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.20, 0.11, 0.06, 1.0],
                "metallicFactor": 0.0, "roughnessFactor": 0.6 } }),
    );
    let mut beams = Surface::default();
    let (rx, rz) = (RING[0] + 0.16, RING[1] + 0.16);
    for sign in [-1.0, 1.0] {
        let block = |a: Vec3, b: Vec3, beams: &mut Surface| beams.block(a.min(b), a.max(b), 1.0);
        let (low, high) = (3.30, CEILING);
        block(Vec3::new(-rx, low, sign * (rz - 0.32)), Vec3::new(rx, high, sign * rz), &mut beams);
        block(
            Vec3::new(sign * (rx - 0.32), low, -rz + 0.32),
            Vec3::new(sign * rx, high, rz - 0.32),
            &mut beams,
        );
    }
    for beam in 0..13 {
        let z = -6.6 + 1.1 * beam as f32;
        for [from, to] in [[-HALL[0], -rx], [rx, HALL[0]]] {
            let low = Vec3::new(from, CEILING - 0.22, z - 0.09);
            beams.block(low, Vec3::new(to, CEILING, z + 0.09), 1.0);
        }
    }
    beams.uvs.clear();
    let beams = glb.mesh("beams", &[(&beams, wood)]);
    glb.show("beams", beams, Place::at(0.0, 0.0, 0.0));
    Ok(())
}

fn columns(glb: &mut Glb, marble: MaterialId) {
    let mut column = Surface::default();
    column.block(Vec3::new(-0.27, 0.0, -0.27), Vec3::new(0.27, 0.10, 0.27), 1.0);
    let foot = [
        [0.235, 0.10],
        [0.262, 0.125],
        [0.265, 0.155],
        [0.250, 0.185],
        [0.222, 0.20],
        [0.212, 0.22],
        [0.220, 0.245],
        [0.234, 0.265],
        [0.228, 0.29],
        [0.200, 0.30],
    ];
    column.lathe(&smooth(&foot.map(Vec2::from), 4), 48, |_, _| 0.0);
    let shaft = [[0.200, 0.30], [0.192, 0.34], [0.190, 0.40], [0.184, 1.6], [0.168, 2.98]];
    column.lathe(&shaft.map(Vec2::from), 120, |angle, height| {
        let flute = (angle / TAU * 20.0).rem_euclid(1.0) - 0.5;
        let ends = step(0.34, 0.40, height) * step(2.99, 2.9, height);
        -0.015 * (1.0 - 4.0 * flute * flute) * ends
    });
    // A Doric head: ring, cushion, slab.
    let head = [
        [0.168, 2.98],
        [0.182, 3.00],
        [0.182, 3.02],
        [0.172, 3.04],
        [0.180, 3.08],
        [0.215, 3.135],
        [0.245, 3.18],
    ];
    column.lathe(&smooth(&head.map(Vec2::from), 4), 48, |_, _| 0.0);
    column.block(Vec3::new(-0.26, 3.18, -0.26), Vec3::new(0.26, 3.30, 0.26), 1.0);
    let column = glb.mesh("column", &[(&column, marble)]);
    let [x, z] = RING;
    for side in [-1.0, 1.0] {
        for place in 0..5 {
            let z = z * (0.5 * place as f32 - 1.0);
            let turn = Quat::from_rotation_y(0.7 * place as f32);
            glb.show("column", column, Place::at(side * x, 0.0, z).turned(turn));
        }
        for place in 1..3 {
            let x = x * (2.0 / 3.0 * place as f32 - 1.0);
            glb.show("column", column, Place::at(x, 0.0, side * z));
        }
    }
}

fn stairs(glb: &mut Glb, marble: MaterialId) {
    // Seven steps up to a platform at the far end, with a bronze disc on a pedestal.
    let mut steps = Surface::default();
    for step in 0..7 {
        let rise = 0.15 * (step + 1) as f32;
        let front = -4.1 - 0.26 * step as f32;
        steps.block(Vec3::new(-1.9, rise - 0.15, -HALL[1]), Vec3::new(1.9, rise, front), 1.2);
    }
    for side in [-1.0_f32, 1.0] {
        let (a, b) = (side * 1.9, side * 2.2);
        steps.block(Vec3::new(a.min(b), 0.0, -HALL[1]), Vec3::new(a.max(b), 1.25, -3.95), 1.2);
    }
    steps.block(Vec3::new(-0.35, 1.05, -6.55), Vec3::new(0.35, 1.75, -5.95), 1.2);
    let steps = glb.mesh("stairs", &[(&steps, marble)]);
    glb.show("stairs", steps, Place::at(0.0, 0.0, 0.0));

    let bronze = glb.material(
        "bronze",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.82, 0.52, 0.24, 1.0],
                "metallicFactor": 1.0, "roughnessFactor": 0.24 } }),
    );
    let urn = [
        [0.00, 0.000],
        [0.14, 0.000],
        [0.15, 0.020],
        [0.07, 0.050],
        [0.05, 0.100],
        [0.16, 0.240],
        [0.24, 0.400],
        [0.25, 0.500],
        [0.19, 0.600],
        [0.15, 0.640],
        [0.20, 0.680],
        [0.21, 0.700],
        [0.19, 0.705],
        [0.13, 0.650],
        [0.00, 0.600],
    ];
    let mut shape = Surface::default();
    shape.lathe(&smooth(&urn.map(Vec2::from), 5), 96, |_, _| 0.0);
    let urn = glb.mesh("urn", &[(&shape, bronze)]);
    glb.show("urn", urn, Place::at(0.0, 1.75, -6.25));
    for side in [-1.0, 1.0] {
        glb.show("urn", urn, Place::at(side * 2.05, 1.25, -4.2).sized(0.75));
    }
}

fn lights(glb: &mut Glb) {
    // The sky: a lid over the opening, open where the sun comes in, and what is seen there.
    let sky = glb.material(
        "sky",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.0, 0.0, 0.0, 1.0],
                "metallicFactor": 0.0 },
                "emissiveFactor": [0.55, 0.75, 1.0],
                "extensions": { "KHR_materials_emissive_strength": { "emissiveStrength": 10.0 } } }),
    );
    let ([px, pz], low) = (POOL, CEILING + 0.3);
    let mut lid = Surface::default();
    let mut quad = |corners: [[f32; 3]; 4]| lid.quad(corners.map(Vec3::from), [Vec2::ZERO; 4]);
    quad([[-px, low, -pz], [0.4, low, -pz], [0.4, low, pz], [-px, low, pz]]);
    let (back, top) = (-pz - 0.1, low + 0.8);
    quad([[0.3, low, back], [2.4, low, back], [2.4, top, back], [0.3, top, back]]);
    lid.uvs.clear();
    let lid = glb.mesh("sky", &[(&lid, sky)]);
    glb.show("sky", lid, Place::at(0.0, 0.0, 0.0));
    glb.light(
        json!({ "name": "sun", "type": "directional", "color": [1.0, 0.84, 0.62],
                "intensity": 20.0 }),
        Vec3::new(1.0, 1.3, 0.35),
        Vec3::ZERO,
    );
}
