//! All that shines becomes one list of emitters, with an alias table over what is infinitely far
//! away and a tree over all else.

use protocol::Sun;
use scene::{LightKind, Scene};

use super::light_tree::{self, Angle, Cone, Lamp, Shine};
use super::place::{Place, unit};
use super::{PrepareError, checked};
use crate::RenderScene;
use crate::light::triangle_area;
use crate::math::{Vec3, cross, luminance};
use crate::moving::{corners_at_key, place_at_key, world_triangle};
use crate::precise::sin_cos;
use crate::tables::{
    EMITTER_DIRECTIONAL, EMITTER_ENVIRONMENT, EMITTER_MOVING, EMITTER_POINT, EMITTER_SPOT,
    EMITTER_TRIANGLE, Emitter, INSTANCE_MOVES, LIGHT_INDEX, LIGHT_LEAF, MATERIAL_DOUBLE_SIDED,
    MATERIAL_EMISSIVE, Material, NONE, Pick, TRIANGLE_MOVES,
};

/// Emitters: what is infinitely far away with its irradiance first, then all else with the bounds
/// of its light.
#[derive(Default)]
struct List {
    emitters: Vec<Emitter>,
    irradiances: Vec<f64>,
    lamps: Vec<Lamp>,
}

impl List {
    /// Adds an emitter infinitely far away that shines at all; returns its index.
    fn add_infinite(&mut self, emitter: Emitter, irradiance: f64) -> Option<u32> {
        assert!(self.lamps.is_empty(), "the infinite ones come first");
        if !(irradiance > 0.0 && irradiance.is_finite()) {
            return None;
        }
        self.irradiances.push(irradiance);
        self.emitters.push(emitter);
        Some(self.emitters.len() as u32 - 1)
    }

    /// Adds an emitter that shines at all within a sphere; returns its index.
    fn add(&mut self, emitter: Emitter, shine: Shine, radius: f64) -> Option<u32> {
        if !(shine.intensity > 0.0 && shine.intensity.is_finite()) {
            return None;
        }
        let index = self.emitters.len() as u32;
        let center = [0, 1, 2].map(|axis| (shine.low[axis] + shine.high[axis]) * 0.5);
        self.emitters.push(emitter);
        self.lamps.push(Lamp { shine, center, radius, emitter: index });
        Some(index)
    }
}

const DARK: Emitter = Emitter {
    kind: EMITTER_POINT,
    leaf: NONE,
    triangle: NONE,
    measure: 0.0,
    position: [0.0; 3],
    extent: 0.0,
    edge_b: [0.0; 3],
    cone_scale: 0.0,
    edge_c: [0.0; 3],
    cone_offset: 0.0,
};

/// Finds all emitters and fills in the light tables. `lights` are the scene's at the time;
/// `sky_power` is the integral of the environment map's luminance over all directions; `sun` shines
/// beside the scene's lights.
pub fn pack(
    prepared: &mut RenderScene,
    scene: &Scene,
    lights: &[scene::Light],
    places: &[Place],
    sky_power: f64,
    sun: Option<&Sun>,
) -> Result<(), PrepareError> {
    let mut list = List::default();
    let shown = || {
        let carried = scene.nodes.iter().zip(places);
        carried.filter_map(|(node, place)| Some((&lights[node.light? as usize], place)))
    };
    for (light, place) in shown().filter(|(light, _)| light.kind == LightKind::Directional) {
        let towards = shines_along(place).map(|value| -value);
        add_directional(&mut list, towards, light.intensity, f64::from(light.angle));
    }
    if let Some(sun) = sun {
        let towards = unit(sun.direction.map(f64::from)).unwrap_or([0.0, 1.0, 0.0]);
        let angle = f64::from(sun.angle_degrees) / 180.0 * std::f64::consts::PI;
        add_directional(&mut list, towards, sun.irradiance, angle);
    }
    let sky = Emitter { kind: EMITTER_ENVIRONMENT, ..DARK };
    if let Some(index) = list.add_infinite(sky, sky_power) {
        prepared.header.environment_emitter = index;
    }
    add_triangles(&mut list, prepared)?;
    for (light, place) in shown() {
        add_punctual(&mut list, light, place);
    }
    if list.emitters.len() > LIGHT_INDEX as usize / 2 {
        return Err(PrepareError::TooLarge { what: "emitters", count: list.emitters.len() as u64 });
    }
    prepared.header.emitter_count = list.emitters.len() as u32;
    prepared.header.infinite_count = list.irradiances.len() as u32;
    prepared.header.infinite_irradiance = list.irradiances.iter().sum::<f64>() as f32;
    let (picks, probabilities) = alias_table(&list.irradiances);
    for (emitter, probability) in list.emitters.iter_mut().zip(probabilities) {
        emitter.measure = probability as f32;
    }
    prepared.light_nodes = light_tree::build(&list.lamps, &prepared.bounds);
    for (index, node) in prepared.light_nodes.iter().enumerate() {
        if node.child & LIGHT_LEAF != 0
            && let Some(emitter) = list.emitters.get_mut((node.child & LIGHT_INDEX) as usize)
        {
            emitter.leaf = index as u32;
        }
    }
    prepared.emitters = list.emitters;
    prepared.picks = picks;
    Ok(())
}

fn mean_emission(prepared: &RenderScene, material: &Material) -> f64 {
    let factor = Vec3::of(material.emissive);
    let usage = &material.emissive_texture;
    if usage.texture == NONE {
        return f64::from(luminance(factor));
    }
    let texture = &prepared.textures[usage.texture as usize];
    let first = texture.texels_at as usize;
    let count = texture.width as usize * texture.height as usize;
    let mut sums = [0.0_f64; 3];
    for texel in &prepared.texels[first..first + count] {
        for (channel, sum) in sums.iter_mut().enumerate() {
            *sum += f64::from(prepared.srgb[(texel >> (8 * channel) & 0xff) as usize]);
        }
    }
    let mean = sums.map(|sum| (sum / count as f64) as f32);
    f64::from(luminance(factor * Vec3::of(mean)))
}

/// Adds the triangles of emissive materials, by instance and then by primitive.
fn add_triangles(list: &mut List, prepared: &mut RenderScene) -> Result<(), PrepareError> {
    let radiances: Vec<f64> = prepared
        .materials
        .iter()
        .map(|material| {
            if material.flags & MATERIAL_EMISSIVE == 0 {
                0.0
            } else {
                mean_emission(prepared, material)
            }
        })
        .collect();
    if radiances.iter().all(|&radiance| radiance <= 0.0) {
        return Ok(());
    }
    for at in 0..prepared.instances.len() {
        let instance = prepared.instances[at];
        let range = object_triangles(prepared, instance.root_node);
        let mut by_primitive = vec![NONE; range.len()];
        for index in range.clone() {
            by_primitive[prepared.triangles[index].primitive as usize] = index as u32;
        }
        let first = checked("emitters", prepared.emitter_of.len())?;
        let mut found = Vec::with_capacity(by_primitive.len());
        for &index in &by_primitive {
            found.push(add_triangle(list, prepared, &radiances, at, index));
        }
        if found.iter().any(Option::is_some) {
            prepared.emitter_of.extend(found.into_iter().map(|emitter| emitter.unwrap_or(NONE)));
            checked("emitters", prepared.emitter_of.len())?;
            prepared.instances[at].emitters_of_at = first;
        }
    }
    Ok(())
}

/// The records of the object whose tree begins at a node: they lie side by side.
fn object_triangles(prepared: &RenderScene, root: u32) -> std::ops::Range<usize> {
    let first = prepared.nodes[root as usize].first_primitive;
    let after = prepared
        .instances
        .iter()
        .map(|instance| prepared.nodes[instance.root_node as usize].first_primitive)
        .filter(|&other| other > first)
        .min();
    first as usize..after.map_or(prepared.triangles.len(), |end| end as usize)
}

fn add_triangle(
    list: &mut List,
    prepared: &RenderScene,
    radiances: &[f64],
    instance: usize,
    index: u32,
) -> Option<u32> {
    let triangle = prepared.triangles.get(index as usize)?;
    let shape = &prepared.shapes[triangle.shape as usize];
    let radiance = radiances[shape.material as usize];
    if radiance <= 0.0 {
        return None;
    }
    let placed = &prepared.instances[instance];
    let moves = placed.flags & INSTANCE_MOVES != 0 || triangle.flags & TRIANGLE_MOVES != 0;
    let key_count = if moves { prepared.header.motion_keys } else { 1 };
    let keys: Vec<[Vec3; 3]> = (0..key_count)
        .map(|key| {
            let m = place_at_key(prepared, placed, key);
            world_triangle(&m, corners_at_key(prepared, triangle, key))
        })
        .collect();
    let [a, b, c] = keys[0];
    let area = keys.iter().map(|&[_, b, c]| triangle_area(b, c)).fold(0.0, f32::max);
    let is_two_sided =
        prepared.materials[shape.material as usize].flags & MATERIAL_DOUBLE_SIDED != 0;
    let sign = if mirrors(&placed.object_to_world) { -1.0 } else { 1.0 };
    // One that moves may turn anywhere.
    let normal = (!moves).then(|| cross(b, c).to_array().map(|value| f64::from(value) * sign));
    let corners: Vec<[f64; 3]> = keys
        .iter()
        .flat_map(|&[a, b, c]| [a, a + b, a + c].map(|corner| corner.to_array().map(f64::from)))
        .collect();
    let (shine, radius) =
        triangle_shine(&corners, normal, is_two_sided, f64::from(area) * radiance);
    list.add(
        Emitter {
            kind: if moves { EMITTER_MOVING } else { EMITTER_TRIANGLE },
            triangle: index,
            measure: if moves { f32::from_bits(instance as u32) } else { 0.0 },
            position: a.to_array(),
            extent: area,
            edge_b: b.to_array(),
            cone_scale: sign as f32,
            edge_c: c.to_array(),
            ..DARK
        },
        shine,
        radius,
    )
}

/// What bounds the light of a triangle that is at some corners, one after the other, and the radius
/// of the sphere around the middle of its box.
fn triangle_shine(
    corners: &[[f64; 3]],
    normal: Option<[f64; 3]>,
    is_two_sided: bool,
    intensity: f64,
) -> (Shine, f64) {
    let low = [0, 1, 2].map(|axis| corners.iter().fold(f64::MAX, |low, c| low.min(c[axis])));
    let high = [0, 1, 2].map(|axis| corners.iter().fold(f64::MIN, |high, c| high.max(c[axis])));
    let squared = corners.iter().fold(0.0_f64, |most, corner| {
        let way = [0, 1, 2].map(|axis| corner[axis] - (low[axis] + high[axis]) * 0.5);
        most.max(way[0] * way[0] + way[1] * way[1] + way[2] * way[2])
    });
    // Triangles too thin to have a normal may shine anywhere.
    let axis = normal.and_then(unit);
    let cone = axis.map_or(Cone::ALL, |axis| Cone { axis, angle: Angle::of_cos(1.0) });
    (Shine { low, high, cone, end_cos: 0.0, is_two_sided, intensity }, squared.sqrt())
}

fn mirrors(m: &[[f32; 4]; 3]) -> bool {
    Place(m.map(|row| row.map(f64::from))).determinant() < 0.0
}

/// The direction along which the light of a node shines.
fn shines_along(place: &Place) -> [f64; 3] {
    let m = &place.0;
    unit([-m[0][2], -m[1][2], -m[2][2]]).unwrap_or([0.0, 0.0, -1.0])
}

/// `angle` is the apparent diameter, radians.
fn add_directional(list: &mut List, towards: [f64; 3], irradiance: [f32; 3], angle: f64) {
    let (sine, _) = sin_cos(angle * 0.25);
    let emitter = Emitter {
        kind: EMITTER_DIRECTIONAL,
        position: towards.map(|value| value as f32),
        // 1 - cos a = 2 sin² (a / 2).
        extent: (2.0 * sine * sine).min(1.0) as f32,
        edge_c: irradiance,
        ..DARK
    };
    list.add_infinite(emitter, f64::from(luminance(Vec3::of(irradiance))));
}

fn add_punctual(list: &mut List, light: &scene::Light, place: &Place) {
    let m = &place.0;
    let along = shines_along(place);
    let position = [m[0][3], m[1][3], m[2][3]];
    let radius = f64::from(light.radius);
    let base = Emitter {
        kind: EMITTER_POINT,
        measure: light.radius,
        position: position.map(|value| value as f32),
        extent: light.range.unwrap_or(0.0),
        edge_c: light.intensity,
        ..DARK
    };
    let mut shine = Shine {
        low: position.map(|value| value - radius),
        high: position.map(|value| value + radius),
        cone: Cone::ALL,
        end_cos: 1.0,
        is_two_sided: false,
        intensity: f64::from(luminance(Vec3::of(light.intensity))),
    };
    match light.kind {
        LightKind::Directional => {}
        LightKind::Point => {
            list.add(base, shine, radius);
        }
        LightKind::Spot { inner_cone, outer_cone } => {
            let (outer_sin, outer) = sin_cos(f64::from(outer_cone));
            let (inner_sin, inner) = sin_cos(f64::from(inner_cone));
            let scale = 1.0 / (inner - outer).max(1e-3);
            let emitter = Emitter {
                kind: EMITTER_SPOT,
                edge_b: along.map(|value| value as f32),
                cone_scale: scale as f32,
                cone_offset: (-outer * scale) as f32,
                ..base
            };
            shine.cone = Cone { axis: along, angle: Angle::of_cos(inner) };
            shine.end_cos = inner * outer + inner_sin * outer_sin;
            list.add(emitter, shine, radius);
        }
    }
}

/// An alias table for weights above 0 (Vose 1991), and the probability of each.
pub fn alias_table(weights: &[f64]) -> (Vec<Pick>, Vec<f64>) {
    let total: f64 = weights.iter().sum();
    let count = weights.len();
    let probabilities: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
    let mut scaled: Vec<f64> = probabilities.iter().map(|p| p * count as f64).collect();
    let mut picks: Vec<Pick> =
        (0..count).map(|index| Pick { threshold: 1.0, alias: index as u32 }).collect();
    let mut small: Vec<usize> = (0..count).filter(|&index| scaled[index] < 1.0).collect();
    let mut large: Vec<usize> = (0..count).filter(|&index| scaled[index] >= 1.0).collect();
    while let (Some(&low), Some(&high)) = (small.last(), large.last()) {
        small.pop();
        picks[low] = Pick { threshold: scaled[low] as f32, alias: high as u32 };
        scaled[high] -= 1.0 - scaled[low];
        if scaled[high] < 1.0 {
            large.pop();
            small.push(high);
        }
    }
    (picks, probabilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alias_tables_keep_the_probabilities() {
        let weights = [1.0, 0.001, 5.0, 2.5, 2.5, 1e-9, 40.0];
        let (picks, probabilities) = alias_table(&weights);
        let mut got = vec![0.0; weights.len()];
        for (index, pick) in picks.iter().enumerate() {
            let threshold = f64::from(pick.threshold);
            got[index] += threshold / weights.len() as f64;
            got[pick.alias as usize] += (1.0 - threshold) / weights.len() as f64;
        }
        for (got, wanted) in got.iter().zip(&probabilities) {
            assert!((got - wanted).abs() < 1e-7, "{got} {wanted}");
        }
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
