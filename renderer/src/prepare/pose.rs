//! Meshes that bend: morph targets are blended in, then joints pull the vertices.
//!
//! Double precision, sums in the order of targets and joints; vertices are independent of each
//! other, so that threads may share them.

use rayon::prelude::*;
use scene::{Mesh, MorphTarget, Primitive, Scene};

use super::motion::Motion;
use super::place::{Place, unit};

/// Poses meshes at the time of the places and the motion.
pub struct Poser<'a> {
    scene: &'a Scene,
    places: &'a [Place],
    motion: &'a Motion,
    /// Where each skin's joints pull to, found when it is first asked for.
    joints: Vec<Option<Vec<Place>>>,
}

impl<'a> Poser<'a> {
    /// Nothing posed yet.
    pub fn new(scene: &'a Scene, places: &'a [Place], motion: &'a Motion) -> Self {
        Self { scene, places, motion, joints: vec![None; scene.skins.len()] }
    }

    /// A part of the node's mesh as it is posed, and where that is placed.
    ///
    /// What joints pull is in the world already: the mesh's own node has no say (glTF 2.0,
    /// section 3.7.3.3).
    pub fn pose(&mut self, node: usize, primitive: &Primitive) -> (Primitive, Place) {
        let morphed = morph(primitive, &self.motion.weights(self.scene, node));
        match self.scene.nodes[node].skin {
            Some(skin) if !primitive.joints[0].is_empty() => {
                (bend(morphed, self.joints(skin as usize)), Place::IDENTITY)
            }
            _ => (morphed, self.places[node]),
        }
    }

    /// For every joint of a skin, from the mesh's space to the world: the joint's place after its
    /// inverse bind matrix.
    fn joints(&mut self, skin: usize) -> &[Place] {
        self.joints[skin].get_or_insert_with(|| {
            let skin = &self.scene.skins[skin];
            let pairs = skin.joints.iter().zip(&skin.inverse_binds);
            pairs
                .map(|(&joint, bind)| self.places[joint as usize].after(&of_columns(bind)))
                .collect()
        })
    }
}

fn of_columns(columns: &[[f32; 3]; 4]) -> Place {
    let at = |row: usize, column: usize| f64::from(columns[column][row]);
    Place([0, 1, 2].map(|row| [at(row, 0), at(row, 1), at(row, 2), at(row, 3)]))
}

/// Weights of a mesh's morph targets where no node has its own.
pub fn shared_weights(mesh: &Mesh) -> Vec<f64> {
    mesh.weights.iter().map(|&weight| f64::from(weight)).collect()
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
fn bend(mut posed: Primitive, joints: &[Place]) -> Primitive {
    let places: Vec<(Place, bool)> = (0..posed.positions.len())
        .into_par_iter()
        .map(|vertex| {
            let place = vertex_place(&posed, vertex, joints);
            (place, place.determinant() < 0.0)
        })
        .collect();
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

#[cfg(test)]
mod tests {
    use scene::{Material, Node, Skin, Transform};

    use super::*;

    fn check(what: &str, found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() < 1e-6, "{what}: {found:?}, expected {expected:?}");
        }
    }

    /// A strip up along y, three pairs of vertices at 0, 1 and 2, on two bones that meet at 1.
    fn bar() -> Primitive {
        let rows = [0.0, 1.0, 2.0];
        let both = |row: f32| [[0.0, row, 0.0], [0.5, row, 0.0]];
        let weights =
            [[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]].map(|w| [w; 2]);
        Primitive {
            positions: rows.map(both).concat(),
            normals: vec![[0.0, 0.0, 1.0]; 6],
            tangents: vec![[0.0, 1.0, 0.0, 1.0]; 6],
            indices: vec![[0, 1, 3], [0, 3, 2], [2, 3, 5], [2, 5, 4]],
            joints: [vec![[0, 1, 0, 0]; 6], Vec::new()],
            joint_weights: [weights.concat(), Vec::new()],
            ..Primitive::default()
        }
    }

    fn scene_of(primitive: Primitive, upper: Transform) -> Scene {
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]];
        let lowered = [identity[0], identity[1], identity[2], [0.0, -1.0, 0.0]];
        let moved = Transform::Trs {
            translation: [90.0, 80.0, 70.0],
            rotation: [0.0, 0.0, 0.0, 1.0],
            scale: [5.0; 3],
        };
        Scene {
            nodes: vec![
                Node::default(),
                Node { parent: Some(0), transform: upper, ..Node::default() },
                Node { mesh: Some(0), skin: Some(0), transform: moved, ..Node::default() },
            ],
            meshes: vec![Mesh { primitives: vec![primitive], ..Mesh::default() }],
            materials: vec![Material::default()],
            skins: vec![Skin {
                name: String::new(),
                joints: vec![0, 1],
                inverse_binds: vec![identity, lowered],
            }],
            ..Scene::default()
        }
    }

    fn posed(scene: &Scene) -> (Primitive, Place) {
        assert_eq!(scene.validate(), Ok(()));
        let motion = Motion::at(scene, 0.0);
        let places = super::super::place::world_places(scene, &motion).expect("in range");
        let node = scene.nodes.iter().position(|node| node.mesh.is_some()).expect("a mesh");
        Poser::new(scene, &places, &motion).pose(node, &scene.meshes[0].primitives[0])
    }

    /// The upper bone sits at y = 1 of the lower one.
    fn upper(rotation: [f32; 4], scale: [f32; 3]) -> Transform {
        Transform::Trs { translation: [0.0, 1.0, 0.0], rotation, scale }
    }

    #[test]
    fn a_bar_bends_about_its_joint_and_its_node_has_no_say() {
        // A quarter turn about z takes y to -x.
        let half = std::f32::consts::FRAC_1_SQRT_2;
        let (bar, place) = posed(&scene_of(bar(), upper([0.0, 0.0, half, half], [1.0; 3])));
        assert_eq!(place, Place::IDENTITY);
        check("the lower bone's", &bar.positions[1], &[0.5, 0.0, 0.0]);
        // Half (0.5, 1, 0), half turned: (0, 1.5, 0).
        check("between both", &bar.positions[3], &[0.25, 1.25, 0.0]);
        check("the upper bone's", &bar.positions[4], &[-1.0, 1.0, 0.0]);
        check("the upper bone's", &bar.positions[5], &[-1.0, 1.5, 0.0]);
        check("a normal along the axis", &bar.normals[4], &[0.0, 0.0, 1.0]);
        check("the upper tangent", &bar.tangents[4], &[-1.0, 0.0, 0.0, 1.0]);
        let half = f64::from(half);
        check("the middle tangent", &bar.tangents[2], &[-half, half, 0.0, 1.0]);
        assert_eq!(bar.indices, super::tests::bar().indices);
    }

    #[test]
    fn normals_of_stretched_vertices_stay_upright() {
        // A slope of 45° in y and z; stretched by 3 along z, its normal leans towards y.
        let mut slope = bar();
        let half = std::f32::consts::FRAC_1_SQRT_2;
        slope.normals = vec![[0.0, half, half]; 6];
        let (bent, _) = posed(&scene_of(slope, upper([0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 3.0])));
        let length = 10.0_f64.sqrt();
        check("a normal", &bent.normals[5], &[0.0, 3.0 / length, 1.0 / length]);
        check("another bone's", &bent.normals[0], &[0.0, f64::from(half), f64::from(half)]);
    }

    #[test]
    fn what_a_mirrored_bone_pulls_keeps_its_front() {
        let (bent, _) = posed(&scene_of(bar(), upper([0.0, 0.0, 0.0, 1.0], [-1.0, 1.0, 1.0])));
        check("mirrored", &bent.positions[5], &[-0.5, 2.0, 0.0]);
        check("the normal stays", &bent.normals[5], &[0.0, 0.0, 1.0]);
        check("the bitangent's sign turns", &bent.tangents[5], &[0.0, 1.0, 0.0, -1.0]);
        // Two of its corners follow the lower bone alone, or as much as the upper.
        assert_eq!(bent.indices[0], [0, 1, 3]);
        let mut upper_only = bar();
        upper_only.joint_weights[0] = vec![[0.0, 1.0, 0.0, 0.0]; 6];
        let scene = scene_of(upper_only, upper([0.0, 0.0, 0.0, 1.0], [-1.0, 1.0, 1.0]));
        assert_eq!(posed(&scene).0.indices[0], [0, 3, 1]);
    }

    #[test]
    fn eight_joints_pull_as_their_weights_say() {
        let mut many = bar();
        many.joints[1] = vec![[1, 1, 1, 1]; 6];
        many.joint_weights[0] = vec![[0.125, 0.125, 0.125, 0.125]; 6];
        many.joint_weights[1] = vec![[0.125; 4]; 6];
        // Five of eight follow the upper bone, which moves by 8 along x.
        let far = Transform::Trs {
            translation: [8.0, 1.0, 0.0],
            rotation: [0.0, 0.0, 0.0, 1.0],
            scale: [1.0; 3],
        };
        check("a vertex", &posed(&scene_of(many, far)).0.positions[0], &[5.0, 0.0, 0.0]);
    }

    #[test]
    fn targets_are_added_by_weight_and_the_rest_stays() {
        let target = |positions: [f32; 3], normals: Option<[f32; 3]>| MorphTarget {
            positions: vec![positions; 6],
            normals: normals.map_or(Vec::new(), |normal| vec![normal; 6]),
            tangents: Vec::new(),
        };
        let mut shape = bar();
        shape.targets = vec![
            target([1.0, 0.0, 0.0], None),
            target([0.0, 2.0, 0.0], Some([1.0, 0.0, 0.0])),
            target([0.0, 0.0, 4.0], None),
        ];
        let mut scene = scene_of(shape, Transform::IDENTITY);
        scene.nodes[2].skin = None;
        scene.meshes[0].weights = vec![0.5, 0.0, -0.25];
        let (morphed, place) = posed(&scene);
        check("moved", &morphed.positions[0], &[0.5, 0.0, -1.0]);
        check("the normal stays", &morphed.normals[0], &[0.0, 0.0, 1.0]);
        check("placed by its node", &place.point(morphed.positions[0]), &[92.5, 80.0, 65.0]);
        // A node's weights stand for the mesh's; a channel's for both.
        scene.nodes[2].weights = vec![0.0, 1.0, 0.0];
        let half = f64::from(std::f32::consts::FRAC_1_SQRT_2);
        let (morphed, _) = posed(&scene);
        check("moved", &morphed.positions[3], &[0.5, 3.0, 0.0]);
        check("the normal leans", &morphed.normals[0], &[half, 0.0, half]);
        check("the tangent stays", &morphed.tangents[0], &[0.0, 1.0, 0.0, 1.0]);
        scene.channels = vec![scene::Channel {
            node: 2,
            property: scene::Property::Weights,
            interpolation: scene::Interpolation::Linear,
            times: vec![-1.0, 1.0],
            values: vec![0.0, 0.0, 0.0, 2.0, 1.0, 0.0],
        }];
        check("moved", &posed(&scene).0.positions[3], &[1.5, 2.0, 0.0]);
        // Joints pull what was morphed.
        scene.nodes[2].skin = Some(0);
        scene.nodes[1].transform = upper([0.0, 0.0, 0.0, 1.0], [1.0; 3]);
        check("both", &posed(&scene).0.positions[3], &[1.5, 2.0, 0.0]);
    }
}
