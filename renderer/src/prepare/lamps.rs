//! Flat lamps: lights that have an area become triangles that glow, and so hang in the light tree.

use scene::{AreaLight, AreaShape, Layers, Material, Primitive, Scene};

use crate::precise::sin_cos_turns;

/// Sides of the polygon that stands for a disk, of the same area.
const DISK_SIDES: u32 = 32;

/// A material for each flat lamp: it glows and reflects nothing.
pub fn materials(scene: &Scene) -> Vec<Material> {
    let material = |lamp: &AreaLight| Material {
        name: lamp.name.clone(),
        base_color: [0.0, 0.0, 0.0, 1.0],
        metallic: 0.0,
        emissive: lamp.radiance,
        double_sided: lamp.two_sided,
        layers: Layers { specular: 0.0, ..Layers::default() },
        ..Material::default()
    };
    scene.area_lights.iter().map(material).collect()
}

/// The surface of a flat lamp in its node's space, its front towards -z.
pub fn surface(lamp: &AreaLight, material: u32) -> Primitive {
    let corners = corners(lamp);
    let last = corners.len() as u32 - 1;
    Primitive {
        positions: corners,
        indices: (1..last).map(|corner| [0, corner, corner + 1]).collect(),
        material: Some(material),
        ..Primitive::default()
    }
}

/// The outline, clockwise seen from +z.
fn corners(lamp: &AreaLight) -> Vec<[f32; 3]> {
    let [x, y] = lamp.size.map(|side| side * 0.5);
    match lamp.shape {
        AreaShape::Rectangle => vec![[-x, -y, 0.0], [-x, y, 0.0], [x, y, 0.0], [x, -y, 0.0]],
        AreaShape::Disk => {
            let sides = f64::from(DISK_SIDES);
            let (sine, _) = sin_cos_turns(1.0 / sides);
            let reach = (std::f64::consts::TAU / (sides * sine)).sqrt();
            let corner = |index| {
                let (sin, cos) = sin_cos_turns(-f64::from(index) / sides);
                [(cos * reach * f64::from(x)) as f32, (sin * reach * f64::from(y)) as f32, 0.0]
            };
            (0..DISK_SIDES).map(corner).collect()
        }
    }
}
