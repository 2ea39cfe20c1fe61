//! All that shines becomes one list of emitters with one alias table, by power.

use protocol::RenderSettings;
use scene::{LightKind, Scene};

use super::place::{Place, unit};
use super::{PrepareError, checked};
use crate::RenderScene;
use crate::bvh::Bounds;
use crate::light::triangle_area;
use crate::math::{Vec3, luminance, transform_point};
use crate::precise::sin_cos;
use crate::tables::{
    EMITTER_DIRECTIONAL, EMITTER_ENVIRONMENT, EMITTER_POINT, EMITTER_SPOT, EMITTER_TRIANGLE,
    Emitter, MATERIAL_DOUBLE_SIDED, MATERIAL_EMISSIVE, Material, NONE, Pick,
};
use crate::trace::corners;

const PI: f64 = std::f64::consts::PI;

/// Emitters with their power, in the order of the list.
#[derive(Default)]
struct List {
    emitters: Vec<Emitter>,
    powers: Vec<f64>,
}

impl List {
    /// Adds an emitter that shines at all; returns its index.
    fn add(&mut self, emitter: Emitter, power: f64) -> Option<u32> {
        if !(power > 0.0 && power.is_finite()) {
            return None;
        }
        self.emitters.push(emitter);
        self.powers.push(power);
        Some(self.emitters.len() as u32 - 1)
    }
}

const DARK: Emitter = Emitter {
    kind: EMITTER_POINT,
    instance: NONE,
    triangle: NONE,
    probability: 0.0,
    position: [0.0; 3],
    extent: 0.0,
    edge_b: [0.0; 3],
    cone_scale: 0.0,
    edge_c: [0.0; 3],
    cone_offset: 0.0,
};

/// Finds all emitters and fills in the light tables. `lights` are the scene's at the time;
/// `sky_power` is the integral of the environment map's luminance over all directions.
pub fn pack(
    prepared: &mut RenderScene,
    scene: &Scene,
    lights: &[scene::Light],
    places: &[Place],
    bounds: &Bounds,
    sky_power: f64,
    settings: &RenderSettings,
) -> Result<(), PrepareError> {
    let mut list = List::default();
    add_triangles(&mut list, prepared)?;
    let disc = PI * radius_squared(bounds);
    for (node, place) in scene.nodes.iter().zip(places) {
        if let Some(light) = node.light {
            add_punctual(&mut list, &lights[light as usize], place, disc);
        }
    }
    if let Some(sun) = &settings.lighting.sun {
        let towards = unit(sun.direction.map(f64::from)).unwrap_or([0.0, 1.0, 0.0]);
        add_directional(&mut list, towards, sun.irradiance, disc);
    }
    let sky = Emitter { kind: EMITTER_ENVIRONMENT, ..DARK };
    if let Some(index) = list.add(sky, sky_power * disc) {
        prepared.header.environment_emitter = index;
    }
    prepared.header.emitter_count = checked("emitters", list.emitters.len())?;
    let (picks, probabilities) = alias_table(&list.powers);
    for (emitter, probability) in list.emitters.iter_mut().zip(probabilities) {
        emitter.probability = probability as f32;
    }
    prepared.emitters = list.emitters;
    prepared.picks = picks;
    Ok(())
}

/// Squared radius of the sphere around the scene's box.
fn radius_squared(bounds: &Bounds) -> f64 {
    if bounds.low[0] > bounds.high[0] {
        return 1.0;
    }
    let side = |axis: usize| f64::from(bounds.high[axis]) - f64::from(bounds.low[axis]);
    let squared = (side(0) * side(0) + side(1) * side(1) + side(2) * side(2)) * 0.25;
    squared.max(1e-12)
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
            found.push(add_triangle(list, prepared, &radiances, at as u32, index));
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
    instance: u32,
    index: u32,
) -> Option<u32> {
    let triangle = prepared.triangles.get(index as usize)?;
    let shape = &prepared.shapes[triangle.shape as usize];
    let radiance = radiances[shape.material as usize];
    if radiance <= 0.0 {
        return None;
    }
    let placed = &prepared.instances[instance as usize];
    let m = &placed.object_to_world;
    let (a, b, c) = corners(triangle);
    let a = transform_point(m, a);
    let (b, c) = (transform_point(m, b) - a, transform_point(m, c) - a);
    let area = triangle_area(b, c);
    let double_sided =
        prepared.materials[shape.material as usize].flags & MATERIAL_DOUBLE_SIDED != 0;
    let sides = if double_sided { 2.0 } else { 1.0 };
    list.add(
        Emitter {
            kind: EMITTER_TRIANGLE,
            instance,
            triangle: index,
            position: a.to_array(),
            extent: area,
            edge_b: b.to_array(),
            cone_scale: if mirrors(m) { -1.0 } else { 1.0 },
            edge_c: c.to_array(),
            ..DARK
        },
        f64::from(area) * PI * radiance * sides,
    )
}

fn mirrors(m: &[[f32; 4]; 3]) -> bool {
    Place(m.map(|row| row.map(f64::from))).determinant() < 0.0
}

fn add_directional(list: &mut List, towards: [f64; 3], irradiance: [f32; 3], disc: f64) {
    let emitter = Emitter {
        kind: EMITTER_DIRECTIONAL,
        position: towards.map(|value| value as f32),
        edge_c: irradiance,
        ..DARK
    };
    list.add(emitter, f64::from(luminance(Vec3::of(irradiance))) * disc);
}

fn add_punctual(list: &mut List, light: &scene::Light, place: &Place, disc: f64) {
    let m = &place.0;
    let along = unit([-m[0][2], -m[1][2], -m[2][2]]).unwrap_or([0.0, 0.0, -1.0]);
    let strength = f64::from(luminance(Vec3::of(light.intensity)));
    let base = Emitter {
        position: [m[0][3], m[1][3], m[2][3]].map(|value| value as f32),
        extent: light.range.unwrap_or(0.0),
        edge_b: along.map(|value| value as f32),
        edge_c: light.intensity,
        ..DARK
    };
    match light.kind {
        LightKind::Directional => {
            add_directional(list, along.map(|value| -value), light.intensity, disc);
        }
        LightKind::Point => {
            list.add(Emitter { kind: EMITTER_POINT, ..base }, strength * 4.0 * PI);
        }
        LightKind::Spot { inner_cone, outer_cone } => {
            let (_, outer) = sin_cos(f64::from(outer_cone));
            let (_, inner) = sin_cos(f64::from(inner_cone));
            let scale = 1.0 / (inner - outer).max(1e-3);
            let emitter = Emitter {
                kind: EMITTER_SPOT,
                cone_scale: scale as f32,
                cone_offset: (-outer * scale) as f32,
                ..base
            };
            list.add(emitter, strength * 2.0 * PI * (1.0 - outer).max(1e-6));
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
