//! What channels, skins and morph targets promise.

use super::{Range, at, bounded, require, within};
use crate::animation::{Interpolation, Keys, Property};
use crate::limits::{
    BENT_TRIANGLES_MAX, COORDINATE_ABS_MAX, LIST_MAX, MORPH_STEPS_MAX, UNIT_TOLERANCE,
};
use crate::model::{Mesh, Node, Primitive, Scene, Transform};
use crate::validate::SceneError;
use crate::variation::Target;

impl Scene {
    pub(super) fn validate_animation(&self) -> Result<(), SceneError> {
        self.validate_counts()?;
        for (index, mesh) in self.meshes.iter().enumerate() {
            validate_targets(index, mesh)?;
            for primitive in &mesh.primitives {
                validate_joints(index, primitive)?;
            }
        }
        self.validate_skins()?;
        self.validate_bent_nodes()?;
        self.validate_channels()?;
        self.validate_variations()
    }

    fn validate_counts(&self) -> Result<(), SceneError> {
        let primitives = || self.meshes.iter().flat_map(|mesh| &mesh.primitives);
        let lists = [
            ("skins", self.skins.len()),
            ("joints", self.skins.iter().map(|skin| skin.joints.len()).sum()),
            ("channels", self.channels.len()),
            ("variations", self.variations.len()),
            ("morph targets", primitives().map(|primitive| primitive.targets.len()).sum()),
        ];
        for (what, count) in lists {
            too_many(what, count as u64, LIST_MAX as u64)?;
        }

        // What bends is posed for every node: stored once, it may be traced a thousand times.
        let (mut bent, mut steps) = (0_u64, 0_u64);
        for (node, _) in self.nodes.iter().zip(self.bent_nodes()).filter(|(_, bent)| *bent) {
            let mesh = node.mesh.and_then(|mesh| self.meshes.get(mesh as usize));
            for primitive in mesh.iter().flat_map(|mesh| &mesh.primitives) {
                let vertices = primitive.positions.len() as u64;
                bent += vertices.max(primitive.indices.len() as u64);
                steps = steps.saturating_add(vertices * primitive.targets.len() as u64);
            }
            too_many("triangles of meshes that bend", bent, BENT_TRIANGLES_MAX)?;
            too_many("vertices of morph targets", steps, MORPH_STEPS_MAX)?;
        }
        Ok(())
    }

    fn validate_skins(&self) -> Result<(), SceneError> {
        for (index, skin) in self.skins.iter().enumerate() {
            if skin.joints.is_empty() || skin.joints.len() != skin.inverse_binds.len() {
                return broken("skin", index, "needs one matrix a joint, and a joint at least");
            }
            for &joint in &skin.joints {
                at("skin", index, "node", joint, &self.nodes)?;
            }
            for &value in skin.inverse_binds.as_flattened().as_flattened() {
                let range = ("an inverse bind matrix with", "within ±1e9");
                bounded("skin", index, range, value, COORDINATE_ABS_MAX)?;
            }
        }
        Ok(())
    }

    fn validate_bent_nodes(&self) -> Result<(), SceneError> {
        let last_joints: Vec<Option<u16>> = self.meshes.iter().map(last_joint).collect();
        for (index, node) in self.nodes.iter().enumerate() {
            let mesh = node.mesh.and_then(|mesh| self.meshes.get(mesh as usize));
            if !node.weights.is_empty() {
                let wanted = mesh.map_or(0, Mesh::target_count);
                validate_weights("node", index, &node.weights, wanted)?;
            }
            let Some(skin) = node.skin else { continue };
            let skin = at("node", index, "skin", skin, &self.skins)?;
            let last = node.mesh.and_then(|mesh| last_joints.get(mesh as usize).copied().flatten());
            match last {
                None => return broken("node", index, "has a skin, but no mesh with joints"),
                Some(joint) => {
                    at("node", index, "joint", u32::from(joint), &skin.joints)?;
                }
            }
        }
        Ok(())
    }

    fn validate_channels(&self) -> Result<(), SceneError> {
        let mut taken = std::collections::BTreeSet::new();
        for (index, channel) in self.channels.iter().enumerate() {
            let node = at("channel", index, "node", channel.node, &self.nodes)?;
            if !taken.insert((channel.node, channel.property)) {
                return broken("channel", index, "moves what another channel moves already");
            }
            let components = self.components(index, node, channel.property)?;
            validate_keys("channel", index, channel.keys(), components)?;
            // Splines may pass through values of other lengths; the renderer scales what comes out.
            let is_unit = channel.property == Property::Rotation
                && channel.interpolation != Interpolation::CubicSpline;
            for rotation in channel.values.as_chunks::<4>().0.iter().filter(|_| is_unit) {
                super::unit("channel", index, "a rotation of length²", rotation)?;
            }
        }
        Ok(())
    }

    fn validate_variations(&self) -> Result<(), SceneError> {
        let mut taken = std::collections::BTreeSet::new();
        let owner = "variation";
        for (index, variation) in self.variations.iter().enumerate() {
            if !taken.insert(variation.target) {
                return broken(owner, index, "changes what another variation changes already");
            }
            let components = match variation.target {
                Target::Material { material, factor } => {
                    let mut own = at(owner, index, "material", material, &self.materials)?.clone();
                    factor.slot(&mut own).map(|slot| slot.components())
                }
                Target::Light { light, factor } => {
                    let mut own = at(owner, index, "light", light, &self.lights)?.clone();
                    factor.slot(&mut own).map(|slot| slot.components())
                }
                Target::Camera { camera } => {
                    let mut own = at(owner, index, "camera", camera, &self.cameras)?.clone();
                    own.slot().map(|slot| slot.components())
                }
            };
            let Some(components) = components else {
                return broken(owner, index, "changes a factor that its target does not have");
            };
            validate_keys(owner, index, variation.keys(), components)?;
        }
        Ok(())
    }

    /// Components of a property's value.
    fn components(
        &self,
        channel: usize,
        node: &Node,
        property: Property,
    ) -> Result<usize, SceneError> {
        if property == Property::Weights {
            let mesh = node.mesh.and_then(|mesh| self.meshes.get(mesh as usize));
            return match mesh.map_or(0, Mesh::target_count) {
                0 => broken("channel", channel, "moves weights of a node without morph targets"),
                count => Ok(count),
            };
        }
        match node.transform {
            Transform::Trs { .. } if property == Property::Rotation => Ok(4),
            Transform::Trs { .. } => Ok(3),
            Transform::Matrix(_) => broken("channel", channel, "moves a node placed by a matrix"),
        }
    }
}

fn too_many(what: &'static str, count: u64, max: u64) -> Result<(), SceneError> {
    if count > max { Err(SceneError::TooMany { what, count, max }) } else { Ok(()) }
}

fn broken<T>(
    owner: &'static str,
    owner_index: usize,
    problem: &'static str,
) -> Result<T, SceneError> {
    Err(SceneError::Broken { owner, owner_index, problem })
}

fn validate_keys(
    owner: &'static str,
    index: usize,
    keys: Keys,
    components: usize,
) -> Result<(), SceneError> {
    let Keys { times, values, interpolation } = keys;
    let expected = times.len().saturating_mul(interpolation.parts()).saturating_mul(components);
    if times.is_empty() || values.len() != expected {
        let (keys, count) = (times.len(), values.len());
        return Err(SceneError::Keys { owner, owner_index: index, count, keys, expected });
    }
    let mut previous = f32::NEG_INFINITY;
    for &time in times {
        let range: Range = ("a time of", "within ±1e9 s and later than the time before");
        let holds = time.abs() <= COORDINATE_ABS_MAX && time > previous;
        require(owner, index, range, time, holds)?;
        previous = time;
    }
    for &value in values {
        bounded(owner, index, ("a value of", "within ±1e9"), value, COORDINATE_ABS_MAX)?;
    }
    Ok(())
}

fn validate_weights(
    owner: &'static str,
    index: usize,
    weights: &[f32],
    wanted: usize,
) -> Result<(), SceneError> {
    if weights.len() != wanted {
        return broken(owner, index, "has not one weight for each of its morph targets");
    }
    weights.iter().try_for_each(|&weight| {
        bounded(owner, index, ("a morph weight of", "within ±1e9"), weight, COORDINATE_ABS_MAX)
    })
}

fn validate_targets(index: usize, mesh: &Mesh) -> Result<(), SceneError> {
    let wanted = mesh.target_count();
    if !mesh.weights.is_empty() {
        validate_weights("mesh", index, &mesh.weights, wanted)?;
    }
    for primitive in &mesh.primitives {
        if primitive.targets.len() != wanted {
            return broken("mesh", index, "has parts with different numbers of morph targets");
        }
        for target in &primitive.targets {
            let lists = [
                ("morphed positions", &target.positions),
                ("morphed normals", &target.normals),
                ("morphed tangents", &target.tangents),
            ];
            for (what, list) in lists {
                lengths(index, what, list.len(), primitive)?;
                for &value in list.as_flattened() {
                    let range = ("a morph target with", "within ±1e9");
                    bounded("mesh", index, range, value, COORDINATE_ABS_MAX)?;
                }
            }
        }
    }
    Ok(())
}

fn lengths(
    mesh: usize,
    what: &'static str,
    count: usize,
    primitive: &Primitive,
) -> Result<(), SceneError> {
    let positions = primitive.positions.len();
    if count == 0 || count == positions {
        Ok(())
    } else {
        Err(SceneError::Lengths { mesh, what, count, positions })
    }
}

fn validate_joints(mesh: usize, primitive: &Primitive) -> Result<(), SceneError> {
    let [first, second] = &primitive.joint_weights;
    for (joints, weights) in primitive.joints.iter().zip([first, second]) {
        lengths(mesh, "joints", joints.len(), primitive)?;
        if joints.len() != weights.len() {
            return broken("mesh", mesh, "has joints without weights, or weights without joints");
        }
        for &weight in weights.as_flattened() {
            within("mesh", mesh, ("a joint weight of", "in 0..=1"), weight, 1.0)?;
        }
    }
    if first.is_empty() && !second.is_empty() {
        return broken("mesh", mesh, "has a second set of joints, but no first");
    }
    for (vertex, weights) in first.iter().enumerate() {
        let more = second.get(vertex).copied().unwrap_or_default();
        let sum: f32 = weights.iter().chain(&more).sum();
        let holds = (sum - 1.0).abs() <= UNIT_TOLERANCE;
        require("mesh", mesh, ("joint weights with a sum of", "1"), sum, holds)?;
    }
    Ok(())
}

/// The largest joint that any vertex names.
fn last_joint(mesh: &Mesh) -> Option<u16> {
    let sets = mesh.primitives.iter().flat_map(|primitive| &primitive.joints);
    sets.flat_map(|set| set.as_flattened()).max().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::animation::{Channel, MorphTarget, Skin};
    use crate::golden;

    /// The golden scene with a bent, morphed and moved floor.
    fn moving() -> Scene {
        let mut scene = golden();
        let floor = &mut scene.meshes[0].primitives[0];
        floor.joints[0] = vec![[0, 1, 0, 0]; 4];
        floor.joint_weights[0] = vec![[0.5, 0.25, 0.25, 0.0]; 4];
        floor.targets =
            vec![MorphTarget { positions: vec![[0.0, 1.0, 0.0]; 4], ..MorphTarget::default() }; 2];
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]];
        scene.skins.push(Skin {
            name: "bones".to_owned(),
            joints: vec![6, 7],
            inverse_binds: vec![identity; 2],
        });
        scene.nodes[0].skin = Some(0);
        scene.nodes[0].weights = vec![0.0, 1.0];
        let channel = |property, interpolation, values: &[f32]| Channel {
            node: 0,
            property,
            interpolation,
            times: vec![0.0, 1.0],
            values: values.to_vec(),
        };
        scene.channels = vec![
            channel(Property::Rotation, Interpolation::Linear, &[0.0, 0.0, 0.0, 1.0].repeat(2)),
            channel(Property::Weights, Interpolation::CubicSpline, &[0.5; 12]),
            channel(Property::Translation, Interpolation::Step, &[1.0; 6]),
        ];
        scene
    }

    fn check(change: impl FnOnce(&mut Scene), part: &str) {
        let mut scene = moving();
        assert_eq!(scene.validate(), Ok(()));
        change(&mut scene);
        let error = scene.validate().expect_err(part).to_string();
        assert!(error.contains(part), "{error:?} should contain {part:?}");
    }

    #[test]
    fn every_promise_of_what_moves_is_checked() {
        check(|s| s.channels[0].node = 99, "channel 0 points at node 99");
        check(|s| s.channels[0].node = 2, "placed by a matrix");
        check(|s| s.channels[1].node = 1, "without morph targets");
        check(|s| s.channels[2].property = Property::Rotation, "another channel moves");
        check(|s| s.channels[0].times[1] = 0.0, "time of 0; it must be");
        check(|s| s.channels[0].times[1] = f32::NAN, "time of NaN");
        check(|s| s.channels[0].times.clear(), "8 values for 0 keys; 0 are needed");
        check(|s| _ = s.channels[1].values.pop(), "11 values for 2 keys; 12 are needed");
        check(|s| s.channels[1].values[3] = f32::INFINITY, "value of inf");
        check(|s| s.channels[0].values[3] = 2.0, "rotation of length² 4");
        check(|s| s.skins[0].joints[1] = 99, "skin 0 points at node 99");
        check(|s| _ = s.skins[0].joints.pop(), "one matrix a joint");
        check(|s| s.skins[0].inverse_binds[1][3][0] = f32::NAN, "bind matrix with NaN");
        check(|s| s.nodes[0].skin = Some(7), "points at skin 7");
        check(|s| s.nodes[1].skin = Some(0), "no mesh with joints");
        check(|s| s.nodes[0].weights = vec![0.5], "one weight for each");
        check(|s| s.meshes[1].weights = vec![0.5], "mesh 1 has not one weight");
        let floor = |s: &mut Scene, change: fn(&mut Primitive)| {
            change(&mut s.meshes[0].primitives[0]);
        };
        check(|s| floor(s, |p| p.joints[0][0][0] = 2), "points at joint 2");
        check(|s| floor(s, |p| _ = p.joints[0].pop()), "3 joints for 4 positions");
        check(|s| floor(s, |p| p.joint_weights[0].clear()), "joints without weights");
        check(|s| floor(s, |p| p.joint_weights[0][1][0] = 0.0), "sum of 0.5");
        check(|s| floor(s, |p| p.joint_weights[0][1][0] = -0.5), "weight of -0.5");
        check(|s| floor(s, |p| p.joints.swap(0, 1)), "joints without weights");
        check(|s| floor(s, |p| p.targets[1].normals = vec![[0.0; 3]]), "1 morphed normals");
        check(|s| floor(s, |p| p.targets[1].positions[2][1] = f32::NAN), "target with NaN");
        check(|s| s.meshes[0].primitives.push(Primitive::default()), "different numbers");
    }

    #[test]
    fn every_promise_of_what_varies_is_checked() {
        use crate::variation::{Factor, LightFactor, Target, TextureSlot, Variation};
        let material = |material, factor| Target::Material { material, factor };
        let light = |light, factor| Target::Light { light, factor };
        let varied = |target, values: &[f32]| Variation {
            target,
            interpolation: Interpolation::Linear,
            times: vec![0.0, 1.0],
            values: values.to_vec(),
        };
        let add = |target, values: &'static [f32]| {
            move |s: &mut Scene| s.variations.push(varied(target, values))
        };
        let twice = |s: &mut Scene| {
            s.variations = vec![varied(material(0, Factor::Roughness), &[0.0, 1.0]); 2];
        };
        check(twice, "another variation changes already");
        check(add(material(99, Factor::Metallic), &[0.0; 2]), "points at material 99");
        check(add(light(99, LightFactor::Intensity), &[0.0; 6]), "points at light 99");
        check(add(Target::Camera { camera: 9 }, &[0.0; 2]), "points at camera 9");
        check(add(material(0, Factor::BaseColor), &[0.0; 6]), "variation 0 has 6 values for 2");
        check(add(material(0, Factor::Emissive), &[f32::NAN; 6]), "value of NaN");
        check(add(material(0, Factor::EmissiveStrength), &[0.0; 6]), "2 are needed");
        check(add(material(0, Factor::AlphaCutoff), &[0.0; 2]), "its target does not have");
        let texture = Factor::TextureScale(TextureSlot::SheenColor);
        check(add(material(0, texture), &[0.0; 4]), "its target does not have");
        check(add(light(0, LightFactor::Range), &[0.0; 2]), "its target does not have");
        check(add(light(1, LightFactor::InnerCone), &[0.0; 2]), "its target does not have");
    }

    #[test]
    fn one_bent_mesh_cannot_become_too_many_triangles() {
        check(
            |s| {
                s.meshes[0].primitives[0].indices = vec![[0, 1, 2]; 1 << 10];
                let node = Node { weights: Vec::new(), ..s.nodes[0].clone() };
                s.nodes.extend(std::iter::repeat_n(node, (1 << 16) + 1));
            },
            "triangles of meshes that bend",
        );
    }
}
