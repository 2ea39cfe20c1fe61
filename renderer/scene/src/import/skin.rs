//! What bends meshes: joints and weights of vertices, morph targets, and skins.

use super::error::ImportError;
use super::json;
use super::report::ImportWarning;
use super::{Importer, name};
use crate::animation::{MorphTarget, Skin};
use crate::model::Primitive;

/// Weights are often quantised; what is further from 1 than rounding explains is worth a word.
const WEIGHT_SUM_ROUNDING: f32 = 0.02;

impl Importer<'_> {
    /// Reads JOINTS and WEIGHTS (glTF 2.0, section 3.7.3.3) and scales every vertex's weights to
    /// a sum of 1.
    pub fn read_joints(
        &mut self,
        source: &json::Primitive,
        mesh: &str,
        primitive: &mut Primitive,
    ) -> Result<(), ImportError> {
        const SETS: [[&str; 2]; 2] = [["JOINTS_0", "WEIGHTS_0"], ["JOINTS_1", "WEIGHTS_1"]];
        let mut is_whole = true;
        for (set, attributes) in SETS.into_iter().enumerate() {
            let found = attributes.map(|attribute| source.attributes.get(attribute));
            is_whole &= !found.contains(&None);
            let [Some(joints), Some(_weights)] =
                found.map(|accessor| accessor.filter(|_| is_whole))
            else {
                // Half a set means nothing, and neither does what comes after it.
                for (name, _accessor) in attributes.iter().zip(found).filter(|(_, a)| a.is_some()) {
                    self.warnings.push(ImportWarning::Attribute { name: (*name).to_owned() });
                }
                continue;
            };
            primitive.joints[set] = self
                .data
                .joints(joints, &mut self.budget)
                .map_err(|problem| ImportError::Accessor { accessor: joints, problem })?;
            primitive.joint_weights[set] = self.attribute(source, attributes[1])?;
        }
        let vertices = primitive.positions.len();
        let lists = primitive.joints.iter().map(Vec::len);
        let lists = lists.chain(primitive.joint_weights.iter().map(Vec::len));
        // Lists of other lengths are left for validation to name.
        if lists.clone().any(|length| length != 0 && length != vertices) {
            return Ok(());
        }
        if scale_weights(primitive) {
            self.warnings.push(ImportWarning::JointWeights { mesh: mesh.to_owned() });
        }
        Ok(())
    }

    /// Reads the morph targets (glTF 2.0, section 3.7.2.2).
    pub fn read_targets(
        &mut self,
        source: &json::Primitive,
        mesh: &str,
        primitive: &mut Primitive,
    ) -> Result<(), ImportError> {
        for target in source.targets.iter() {
            for (attribute, _accessor) in &target.0 {
                if !["POSITION", "NORMAL", "TANGENT"].contains(&attribute.as_str()) {
                    let (name, mesh) = (attribute.chars().take(80).collect(), mesh.to_owned());
                    self.warnings.push(ImportWarning::MorphAttribute { name, mesh });
                }
            }
            let mut read = |attribute, wanted: bool| match target.get(attribute) {
                Some(accessor) if wanted => self
                    .data
                    .floats(accessor, &mut self.budget)
                    .map_err(|problem| ImportError::Accessor { accessor, problem }),
                _ => Ok(Vec::new()),
            };
            // What a primitive does not have cannot be changed.
            let target = MorphTarget {
                positions: read("POSITION", true)?,
                normals: read("NORMAL", !primitive.normals.is_empty())?,
                tangents: read("TANGENT", !primitive.tangents.is_empty())?,
            };
            self.take(size_of::<MorphTarget>() as u64, "morph targets")?;
            primitive.targets.push(target);
        }
        Ok(())
    }

    /// Reads the skins of all shown nodes (glTF 2.0, section 3.7.3).
    pub fn read_skins(&mut self) -> Result<(), ImportError> {
        let mut taken = std::collections::BTreeMap::<u32, Option<u32>>::new();
        for (index, source) in self.data.root.nodes.iter().enumerate() {
            let (Some(shown), Some(skin)) = (self.shown[index], source.skin) else { continue };
            let source = super::at(("node", index), "skin", skin, &self.data.root.skins)?;
            let node = &self.scene.nodes[shown as usize];
            let Some(mesh) = node.mesh else {
                if self.data.root.nodes[index].mesh.is_some() {
                    let (skin, why) = (name(source.name.as_deref(), "skin", skin), INSTANCED);
                    self.warnings.push(ImportWarning::Skin { skin, why });
                }
                continue;
            };
            let primitives = &self.scene.meshes[mesh as usize].primitives;
            if primitives.iter().all(|primitive| primitive.joints[0].is_empty()) {
                continue;
            }
            let skin = match taken.get(&skin) {
                Some(&skin) => skin,
                None => *taken.entry(skin).or_insert(self.skin(skin, source)?),
            };
            self.scene.nodes[shown as usize].skin = skin;
        }
        Ok(())
    }

    /// Index in the scene of the file's skin, or none for one that cannot be used.
    fn skin(&mut self, index: u32, source: &json::Skin) -> Result<Option<u32>, ImportError> {
        let owner = ("skin", index as usize);
        let name = name(source.name.as_deref(), "skin", index);
        let mut joints = Vec::with_capacity(source.joints.len());
        for &joint in source.joints.iter() {
            super::at(owner, "node", joint, &self.data.root.nodes)?;
            joints.extend(self.shown[joint as usize]);
        }
        if joints.len() != source.joints.len() {
            let why = "a joint is no node of the shown scene";
            self.warnings.push(ImportWarning::Skin { skin: name, why });
            return Ok(None);
        }
        self.take(52 * joints.len() as u64, "joints")?;
        let inverse_binds = match source.inverse_bind_matrices {
            Some(accessor) => {
                let matrices: Vec<[f32; 16]> = self
                    .data
                    .floats(accessor, &mut self.budget)
                    .map_err(|problem| ImportError::Accessor { accessor, problem })?;
                if matrices.len() < joints.len() {
                    let (matrices, joints) = (matrices.len(), joints.len());
                    return Err(ImportError::InverseBinds { skin: owner.1, matrices, joints });
                }
                matrices.iter().take(joints.len()).map(affine).collect()
            }
            None => vec![IDENTITY; joints.len()],
        };
        let skin = Skin { name, joints, inverse_binds };
        Ok(Some(super::push(&mut self.scene.skins, skin)))
    }
}

const INSTANCED: &str = "its node's mesh is instanced";
const IDENTITY: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]];

/// The matrix without its last row, which glTF fixes (section 3.7.3.1) and exporters round.
fn affine(matrix: &[f32; 16]) -> [[f32; 3]; 4] {
    [0, 4, 8, 12].map(|at| [matrix[at], matrix[at + 1], matrix[at + 2]])
}

/// Scales every vertex's weights to a sum of 1; true when some were far from it.
///
/// A vertex without weights follows its first joint. Joints that do not count become 0, so that
/// what an exporter left there points nowhere.
fn scale_weights(primitive: &mut Primitive) -> bool {
    let mut far = false;
    let [joints, more_joints] = &mut primitive.joints;
    let [weights, more_weights] = &mut primitive.joint_weights;
    let mut more = more_joints.iter_mut().zip(more_weights);
    for (joints, weights) in joints.iter_mut().zip(weights) {
        let (mut no_joints, mut no_weights) = ([0; 4], [0.0; 4]);
        let (more_joints, more_weights) = more.next().unwrap_or((&mut no_joints, &mut no_weights));
        let mut pairs: [(&mut u16, &mut f32); 8] = {
            let [a, b, c, d] = joints;
            let [e, f, g, h] = more_joints;
            let [i, j, k, l] = weights;
            let [m, n, o, p] = more_weights;
            [(a, i), (b, j), (c, k), (d, l), (e, m), (f, n), (g, o), (h, p)]
        };
        // What is not a weight at all stays for validation to name.
        if pairs.iter().any(|(_, weight)| !weight.is_finite()) {
            continue;
        }
        far |= pairs.iter().any(|(_, weight)| **weight < 0.0);
        let sum: f64 = pairs.iter().map(|(_, weight)| f64::from(weight.max(0.0))).sum();
        far |= (sum - 1.0).abs() > f64::from(WEIGHT_SUM_ROUNDING);
        for (index, (joint, weight)) in pairs.iter_mut().enumerate() {
            **weight = match sum > 0.0 {
                true => (f64::from(weight.max(0.0)) / sum) as f32,
                false => f32::from(u8::from(index == 0)),
            };
            if **weight <= 0.0 {
                **joint = 0;
            }
        }
    }
    far
}
