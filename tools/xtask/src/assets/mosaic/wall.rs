//! The wall and the window.

use glam::{Vec2, Vec3};
use serde_json::json;

use super::super::glb::{Glb, Place};
use super::super::paint::{bytes, clouds, normal_png, srgb};
use super::super::shape::Surface;
use super::WALL;

/// The window: from its left to its right, its sill, and where its arch begins.
const WINDOW: [f32; 2] = [-0.085, 0.335];
const SILL: f32 = 0.20;
const SPRING: f32 = 0.40;

pub fn wall(glb: &mut Glb) -> anyhow::Result<()> {
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
