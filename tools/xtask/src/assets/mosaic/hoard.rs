//! Coins, and a bowl of loose tesserae.

use std::f32::consts::{FRAC_PI_2, TAU};

use glam::{Quat, Vec2, Vec3};
use serde_json::json;

use super::super::glb::{Glb, MeshId, Place};
use super::super::paint::{Random, bytes, normal_png, srgb, step};
use super::super::shape::{Surface, smooth};

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

pub fn coins(glb: &mut Glb) -> anyhow::Result<()> {
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

pub fn bowl(glb: &mut Glb) {
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
