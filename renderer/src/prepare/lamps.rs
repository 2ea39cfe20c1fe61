//! Flat lamps: lights that have an area become triangles that glow, and so hang in the light tree.

use scene::{Layers, LightKind, Material, Primitive, Scene};

use crate::precise::sin_cos_turns;

/// Sides of the polygon that stands for a disk, of the same area.
const DISK_SIDES: u32 = 32;

/// A material for each flat lamp, in the order of the lights: it glows and reflects nothing.
pub fn materials(scene: &Scene) -> Vec<Material> {
    let flat = scene.lights.iter().filter_map(|light| match light.kind {
        LightKind::Rectangle { two_sided, .. } | LightKind::Disk { two_sided, .. } => {
            Some((light, two_sided))
        }
        _ => None,
    });
    flat.map(|(light, double_sided)| Material {
        base_color: [0.0, 0.0, 0.0, 1.0],
        metallic: 0.0,
        emissive: light.intensity,
        double_sided,
        layers: Layers { specular: 0.0, ..Layers::default() },
        ..Material::default()
    })
    .collect()
}

/// The surface of a light in its node's space, its front towards -z; none where it is not flat. Its
/// material is the one of [`materials`], counted from `first_material`.
pub fn surface(scene: &Scene, light: u32, first_material: u32) -> Option<Primitive> {
    let corners = corners(&scene.lights[light as usize].kind)?;
    let before = scene.lights[..light as usize].iter().filter(|light| light.kind.is_area());
    let last = corners.len() as u32 - 1;
    Some(Primitive {
        positions: corners,
        indices: (1..last).map(|corner| [0, corner, corner + 1]).collect(),
        material: Some(first_material + before.count() as u32),
        ..Primitive::default()
    })
}

/// The outline, clockwise seen from +z.
fn corners(kind: &LightKind) -> Option<Vec<[f32; 3]>> {
    match *kind {
        LightKind::Rectangle { width, height, .. } => {
            let (x, y) = (width * 0.5, height * 0.5);
            Some(vec![[-x, -y, 0.0], [-x, y, 0.0], [x, y, 0.0], [x, -y, 0.0]])
        }
        LightKind::Disk { radius, .. } => {
            let sides = f64::from(DISK_SIDES);
            let (sine, _) = sin_cos_turns(1.0 / sides);
            let reach = f64::from(radius) * (std::f64::consts::TAU / (sides * sine)).sqrt();
            let corner = |index| {
                let (sin, cos) = sin_cos_turns(-f64::from(index) / sides);
                [(cos * reach) as f32, (sin * reach) as f32, 0.0]
            };
            Some((0..DISK_SIDES).map(corner).collect())
        }
        _ => None,
    }
}
