//! The light: the view from the window, a lamp, the sky above, the sun.

use glam::{Quat, Vec2, Vec3};
use serde_json::json;

use super::super::glb::{Glb, Place};
use super::super::paint::{clouds, color_png, mix, srgb, step};
use super::super::shape::Surface;

/// What lies beyond the window: sky, a few clouds, the sea, a far coast.
fn view(uv: Vec2) -> Vec3 {
    let height = 1.0 - uv.y;
    let horizon = 0.44;
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

pub fn lights(glb: &mut Glb) -> anyhow::Result<()> {
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

    // The view is a picture that shines: close and no larger than what the window shows of it,
    // since light samples beyond the window's edge are lost on the wall. The sun passes above it.
    let picture = color_png(320, 256, view)?;
    let picture = glb.texture("view", &picture);
    let sky = glb.material(
        "view",
        json!({ "pbrMetallicRoughness": { "baseColorFactor": [0.0, 0.0, 0.0, 1.0],
                "metallicFactor": 0.0 },
                "emissiveFactor": [1.0, 1.0, 1.0], "emissiveTexture": { "index": picture },
                "extensions": { "KHR_materials_emissive_strength": { "emissiveStrength": 2.2 } } }),
    );
    let sky = glb.mesh("view", &[(&square(1.04, 0.84), sky)]);
    glb.show("view", sky, Place::at(0.12, 0.40, -1.3));

    // A warm lamp from the left, and the open sky above.
    let warm = lamp(glb, "lamp", [1.0, 0.70, 0.40], 38.0);
    let warm = glb.mesh("lamp", &[(&square(0.42, 0.42), warm)]);
    let (from, to) = (Vec3::new(-0.95, 0.95, 0.80), Vec3::new(-0.05, 0.05, 0.0));
    glb.show("lamp", warm, Place { at: from, turn: facing(from, to), size: 1.0 });
    let cool = lamp(glb, "skylight", [0.62, 0.80, 1.0], 0.5);
    let cool = glb.mesh("skylight", &[(&square(3.0, 2.2), cool)]);
    let (from, to) = (Vec3::new(0.5, 1.9, 0.6), Vec3::new(0.2, 0.0, 0.1));
    glb.show("skylight", cool, Place { at: from, turn: facing(from, to), size: 1.0 });

    // The sun falls through the window on the medallion.
    glb.light(
        json!({ "name": "sun", "type": "spot", "color": [1.0, 0.86, 0.66], "intensity": 105.0,
                "spot": { "innerConeAngle": 0.30, "outerConeAngle": 0.34 } }),
        Vec3::new(1.05, 1.72, -2.1),
        Vec3::new(0.0, 0.1, -0.1),
    );
    Ok(())
}
