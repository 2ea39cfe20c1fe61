//! `spheres.glb`: a chart of materials. Metal rises from front to back, roughness from left to
//! right; around it a masked leaf, a blended film, a lamp and vertex colours.

use glam::{Quat, Vec2, Vec3};
use serde_json::json;

use super::glb::{Glb, Place};
use super::paint::{alpha_png, bytes, clouds, color_png, mix, normal_png, srgb, step};
use super::shape::{Surface, ball};

const COLUMNS: u32 = 6;
const ROWS: u32 = 3;

pub fn build() -> anyhow::Result<Vec<u8>> {
    let mut glb = Glb::new("spheres");
    floor(&mut glb)?;
    grid(&mut glb);
    extras(&mut glb)?;
    glb.light(
        json!({ "name": "key", "type": "point", "color": [1.0, 0.9, 0.8], "intensity": 18.0 }),
        Vec3::new(-2.2, 3.0, 2.0),
        Vec3::ZERO,
    );
    glb.light(
        json!({ "name": "sun", "type": "directional", "color": [0.8, 0.9, 1.0], "intensity": 0.9 }),
        Vec3::new(4.0, 2.5, 1.2),
        Vec3::ZERO,
    );
    glb.camera("front", Vec3::new(0.0, 1.75, 4.9), Vec3::new(0.0, 0.50, -0.3), 32.0);
    glb.camera("top", Vec3::new(0.0, 6.0, 0.01), Vec3::ZERO, 38.0);
    glb.finish()
}

fn floor(glb: &mut Glb) -> anyhow::Result<()> {
    let paint = color_png(256, 256, |uv| {
        let cell = (8.0 * uv).floor();
        let dark = (cell.x + cell.y).rem_euclid(2.0) > 0.5;
        let (a, b) = if dark { (0x4A4A50, 0x3C3C44) } else { (0xC9C2B4, 0xB8AF9E) };
        mix(srgb(a), srgb(b), clouds(uv, 8, 3, 11))
    })?;
    let paint = glb.texture("checker", &paint);
    let bumps = normal_png(128, |uv| {
        let local = (8.0 * uv).fract() - Vec2::splat(0.5);
        0.004 * step(0.5, 0.46, local.abs().max_element())
    })?;
    let bumps = glb.texture("joints", &bumps);
    let floor = glb.material(
        "floor",
        json!({ "pbrMetallicRoughness": { "baseColorTexture": { "index": paint },
                "metallicFactor": 0.0, "roughnessFactor": 0.45 },
                "normalTexture": { "index": bumps } }),
    );
    // A floor that bends up into a backdrop.
    let mut ground = Surface::default();
    let curve = |piece: u32| {
        let (sin, cos) = (std::f32::consts::FRAC_PI_2 * piece as f32 / 24.0).sin_cos();
        Vec2::new(-3.2 - 2.0 * sin, 2.0 - 2.0 * cos)
    };
    let outline: Vec<Vec2> = std::iter::once(Vec2::new(4.0, 0.0))
        .chain((0..=24).map(curve))
        .chain([Vec2::new(-5.2, 6.0)])
        .collect();
    let mut along = 0.0;
    for pair in outline.windows(2) {
        let next = along + pair[0].distance(pair[1]);
        let corner = |x: f32, at: Vec2| Vec3::new(x, at.y, at.x);
        ground.quad(
            [
                corner(-7.0, pair[0]),
                corner(7.0, pair[0]),
                corner(7.0, pair[1]),
                corner(-7.0, pair[1]),
            ],
            [[-3.5, -along / 2.0], [3.5, -along / 2.0], [3.5, -next / 2.0], [-3.5, -next / 2.0]]
                .map(Vec2::from),
        );
        along = next;
    }
    let plain = glb.material(
        "backdrop",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.30, 0.29, 0.28, 1.0],
                "metallicFactor": 0.0, "roughnessFactor": 0.9 } }),
    );
    let mut backdrop = ground.clone();
    // The first quad is the floor; what follows it bends up.
    ground.triangles.truncate(2);
    backdrop.triangles.drain(..2);
    let ground = glb.mesh("floor", &[(&ground, floor), (&backdrop, plain)]);
    glb.show("floor", ground, Place::at(0.0, 0.0, 0.0));
    Ok(())
}

fn grid(glb: &mut Glb) {
    let wood = glb.material(
        "steps",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.42, 0.27, 0.15, 1.0],
                "metallicFactor": 0.0, "roughnessFactor": 0.5 } }),
    );
    let mut steps = Surface::default();
    for row in 1..ROWS {
        let (rise, front) = (0.26 * row as f32, 0.92 - 0.60 * row as f32);
        let low = Vec3::new(-1.8, rise - 0.26, -0.88);
        steps.block(low, Vec3::new(1.8, rise, front), 1.0);
    }
    steps.uvs.clear();
    let steps = glb.mesh("steps", &[(&steps, wood)]);
    glb.show("steps", steps, Place::at(0.0, 0.0, 0.0));
    let mut sphere = Surface::default();
    sphere.lathe(&ball(0.24, 40), 80, |_, _| 0.0);
    let mut first = None;
    for row in 0..ROWS {
        let metallic = row as f32 / (ROWS - 1) as f32;
        let color = [[0.15, 0.35, 0.62], [0.55, 0.50, 0.42], [1.0, 0.72, 0.32]][row as usize];
        for column in 0..COLUMNS {
            let roughness = column as f32 / (COLUMNS - 1) as f32;
            let name = format!("metal {metallic:.1}, roughness {roughness:.1}");
            let [r, g, b] = color;
            let material = glb.material(
                &name,
                json!({ "pbrMetallicRoughness": { "baseColorFactor": [r, g, b, 1.0],
                        "metallicFactor": metallic, "roughnessFactor": roughness } }),
            );
            let mesh = match first {
                Some(first) => glb.recolored(&name, first, material),
                None => glb.mesh(&name, &[(&sphere, material)]),
            };
            first = Some(mesh);
            let x = 0.56 * (column as f32 - 0.5 * (COLUMNS - 1) as f32);
            let step = row as f32;
            glb.show(&name, mesh, Place::at(x, 0.24 + 0.26 * step, 0.62 - 0.60 * step));
        }
    }
}

/// A card of unit width that faces +z.
fn card(wide: f32, tall: f32) -> Surface {
    let x = 0.5 * wide;
    let mut card = Surface::default();
    card.quad(
        [[-x, 0.0, 0.0], [x, 0.0, 0.0], [x, tall, 0.0], [-x, tall, 0.0]].map(Vec3::from),
        [[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]].map(Vec2::from),
    );
    card
}

fn extras(glb: &mut Glb) -> anyhow::Result<()> {
    // A leaf cut out of a card.
    let leaf = alpha_png(128, 256, |uv| {
        let (x, t) = (2.0 * uv.x - 1.0, 1.0 - uv.y);
        let lobes = 0.12 * (30.0 * t).sin().abs();
        let width = (0.95 * (std::f32::consts::PI * t.powf(0.75)).sin() - lobes).max(0.035);
        let rib =
            step(0.03, 0.015, x.abs()).max(step(0.93, 0.99, (9.0 * (t - 0.5 * x.abs())).sin()));
        let green = mix(srgb(0x4F8A2E), srgb(0x86B34A), 0.6 * rib + 0.4 * clouds(uv, 6, 3, 5));
        (green, step(0.02, -0.02, x.abs() - width))
    })?;
    let leaf = glb.texture("leaf", &leaf);
    let leaf = glb.material(
        "leaf",
        json!({ "pbrMetallicRoughness": { "baseColorTexture": { "index": leaf },
                "metallicFactor": 0.0, "roughnessFactor": 0.5 },
                "alphaMode": "MASK", "alphaCutoff": 0.5, "doubleSided": true }),
    );
    let leaf = glb.mesh("leaf", &[(&card(0.55, 1.1), leaf)]);
    for (x, turn) in [(-2.15, 0.5), (-2.40, 1.2)] {
        let turn = Quat::from_rotation_y(turn) * Quat::from_rotation_x(-0.15);
        glb.show("leaf", leaf, Place::at(x, 0.0, -0.2).turned(turn));
    }

    // A film that is half there, more so towards its top.
    let film =
        alpha_png(64, 64, |uv| (mix(srgb(0xE05A3A), srgb(0x3A8FE0), uv.x), 0.85 - 0.7 * uv.y))?;
    let film = glb.texture("film", &film);
    let film = glb.material(
        "film",
        json!({ "pbrMetallicRoughness": { "baseColorTexture": { "index": film },
                "metallicFactor": 0.0, "roughnessFactor": 0.2 },
                "alphaMode": "BLEND", "doubleSided": true }),
    );
    let film = glb.mesh("film", &[(&card(0.9, 0.9), film)]);
    let turn = Quat::from_rotation_y(-0.5);
    glb.show("film", film, Place::at(2.1, 0.0, 0.35).turned(turn));

    // A panel with every colour at its vertices, behind.
    let plain = glb.material(
        "vertex colours",
        json!({ "pbrMetallicRoughness": { "metallicFactor": 0.0, "roughnessFactor": 0.7 } }),
    );
    let mut wall = Surface::default();
    for column in 0..12 {
        let at = |edge: u32| 4.4 * (edge as f32 / 12.0 - 0.5);
        let (left, right) = (at(column), at(column + 1));
        let corners = [[left, 0.0], [right, 0.0], [right, 0.9], [left, 0.9]];
        wall.quad(corners.map(|[x, y]| Vec3::new(x, y, 0.0)), [Vec2::ZERO; 4]);
    }
    wall.uvs.clear();
    let wall = wall.colored(|at| {
        let hue = 6.0 * (at.x / 4.4 + 0.5);
        let channel = |shift: f32| ((hue + shift).rem_euclid(6.0) - 3.0).abs() - 1.0;
        let color =
            Vec3::new(channel(0.0), channel(4.0), channel(2.0)).clamp(Vec3::ZERO, Vec3::ONE);
        bytes(mix(color, Vec3::splat(0.8), if at.y > 0.1 { 0.1 } else { 0.7 }))
    });
    let wall = glb.mesh("vertex colours", &[(&wall, plain)]);
    glb.show("vertex colours", wall, Place::at(0.0, 0.62, -1.5));

    // A lamp: the only thing that shines by itself.
    let lamp = glb.material(
        "lamp",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.0, 0.0, 0.0, 1.0] },
                "emissiveFactor": [1.0, 0.86, 0.66],
                "extensions": { "KHR_materials_emissive_strength": { "emissiveStrength": 9.0 } } }),
    );
    let lamp = glb.mesh("lamp", &[(&card(3.4, 0.8), lamp)]);
    let turn = Quat::from_rotation_x(std::f32::consts::FRAC_PI_2 + 0.45);
    glb.show("lamp", lamp, Place::at(0.0, 3.3, 2.2).turned(turn));
    Ok(())
}
