//! Meshes that bend: morph targets are blended in, then joints pull the vertices.
//!
//! Double precision, sums in the order of targets and joints; vertices are independent of each
//! other, so that threads may share them.

use rayon::prelude::*;
use scene::{MorphTarget, Primitive, Scene};

use super::place::{Place, unit};

/// Where skins pull to, each found when it is first asked for.
pub struct JointPlaces(Vec<Option<Vec<Place>>>);

impl JointPlaces {
    /// Nothing found yet.
    pub fn new(scene: &Scene) -> Self {
        Self(vec![None; scene.skins.len()])
    }

    /// For every joint of a skin, from the mesh's space to the world: the joint's place after its
    /// inverse bind matrix (glTF 2.0, section 3.7.3.1). The mesh's own node has no say.
    pub fn of(&mut self, scene: &Scene, skin: usize, places: &[Place]) -> &[Place] {
        self.0[skin].get_or_insert_with(|| {
            let skin = &scene.skins[skin];
            let pairs = skin.joints.iter().zip(&skin.inverse_binds);
            pairs.map(|(&joint, bind)| places[joint as usize].after(&of_columns(bind))).collect()
        })
    }
}

fn of_columns(columns: &[[f32; 3]; 4]) -> Place {
    let at = |row: usize, column: usize| f64::from(columns[column][row]);
    Place([0, 1, 2].map(|row| [at(row, 0), at(row, 1), at(row, 2), at(row, 3)]))
}

/// The primitive with its morph targets blended in (glTF 2.0, section 3.7.2.2).
///
/// Normals and tangents that no target changes stay; what is flat stays flat.
pub fn morph(primitive: &Primitive, weights: &[f64]) -> Primitive {
    let active: Vec<(f64, &MorphTarget)> = (weights.iter().copied())
        .zip(&primitive.targets)
        .filter(|(weight, _)| weight.abs() > 0.0)
        .collect();
    let mut posed = without_targets(primitive);
    if active.is_empty() {
        return posed;
    }
    posed.positions.par_iter_mut().enumerate().for_each(|(vertex, position)| {
        let moved = blend(*position, vertex, &active, |target| &target.positions);
        *position = moved.map(|value| value as f32);
    });
    posed.normals.par_iter_mut().enumerate().for_each(|(vertex, normal)| {
        let moved = blend(*normal, vertex, &active, |target| &target.normals);
        *normal = unit(moved).map_or(*normal, |unit| unit.map(|value| value as f32));
    });
    posed.tangents.par_iter_mut().enumerate().for_each(|(vertex, tangent)| {
        let [x, y, z, w] = *tangent;
        let moved = blend([x, y, z], vertex, &active, |target| &target.tangents);
        let [x, y, z] = unit(moved).map_or([x, y, z], |unit| unit.map(|value| value as f32));
        *tangent = [x, y, z, w];
    });
    posed
}

/// The base plus every target's change times its weight, in the order of the targets.
fn blend(
    base: [f32; 3],
    vertex: usize,
    active: &[(f64, &MorphTarget)],
    list: impl Fn(&MorphTarget) -> &[[f32; 3]],
) -> [f64; 3] {
    let mut sum = base.map(f64::from);
    for (weight, target) in active {
        let change = list(target).get(vertex).copied().unwrap_or_default();
        for (sum, change) in sum.iter_mut().zip(change) {
            *sum += weight * f64::from(change);
        }
    }
    sum
}

/// The primitive in the world, each vertex pulled by its joints (glTF 2.0, section 3.7.3.3).
///
/// A vertex's matrix is the weighted sum of its joints'. Normals follow its cofactors. Where it
/// mirrors, as below a mirrored bone, the front stays the front.
pub fn bend(primitive: &Primitive, joints: &[Place]) -> Primitive {
    let places: Vec<(Place, bool)> = (0..primitive.positions.len())
        .into_par_iter()
        .map(|vertex| {
            let place = vertex_place(primitive, vertex, joints);
            (place, place.determinant() < 0.0)
        })
        .collect();
    let mut posed = without_targets(primitive);
    posed.positions.par_iter_mut().zip(&places).for_each(|(position, (place, _))| {
        *position = place.point(*position);
    });
    posed.normals.par_iter_mut().zip(&places).for_each(|(normal, (place, mirrors))| {
        let n = normal.map(f64::from);
        let sign = if *mirrors { -1.0 } else { 1.0 };
        let turned =
            place.cofactors().map(|row| (n[0] * row[0] + n[1] * row[1] + n[2] * row[2]) * sign);
        *normal = unit(turned).map_or(*normal, |unit| unit.map(|value| value as f32));
    });
    posed.tangents.par_iter_mut().zip(&places).for_each(|(tangent, (place, mirrors))| {
        let [x, y, z, w] = *tangent;
        let turned = place.direction([x, y, z].map(f64::from));
        let [x, y, z] = unit(turned).map_or([x, y, z], |unit| unit.map(|value| value as f32));
        *tangent = [x, y, z, if *mirrors { -w } else { w }];
    });
    // A mirror turns the winding round: most corners decide.
    for corners in &mut posed.indices {
        let mirrored = corners.iter().filter(|&&corner| places[corner as usize].1).count();
        if mirrored >= 2 {
            corners.swap(1, 2);
        }
    }
    posed
}

fn vertex_place(primitive: &Primitive, vertex: usize, joints: &[Place]) -> Place {
    let mut sum = Place([[0.0; 4]; 3]);
    for (set, weights) in primitive.joints.iter().zip(&primitive.joint_weights) {
        let (Some(set), Some(weights)) = (set.get(vertex), weights.get(vertex)) else { continue };
        for (&joint, &weight) in set.iter().zip(weights) {
            let (joint, weight) = (&joints[usize::from(joint)], f64::from(weight));
            if weight > 0.0 {
                for (sum, value) in sum.0.iter_mut().flatten().zip(joint.0.iter().flatten()) {
                    *sum += weight * value;
                }
            }
        }
    }
    sum
}

/// A copy to pose. Targets are large, and done with.
fn without_targets(primitive: &Primitive) -> Primitive {
    Primitive {
        positions: primitive.positions.clone(),
        normals: primitive.normals.clone(),
        tangents: primitive.tangents.clone(),
        uvs: primitive.uvs.clone(),
        colors: primitive.colors.clone(),
        indices: primitive.indices.clone(),
        material: primitive.material,
        joints: primitive.joints.clone(),
        joint_weights: primitive.joint_weights.clone(),
        targets: Vec::new(),
    }
}
