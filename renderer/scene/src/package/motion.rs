//! What moves, as bytes: joints and morph targets behind a primitive's lists in `GEOM`, matrices
//! and keys in `MOVE`.

use serde::{Deserialize, Serialize};

use super::{Reader, count, write_floats};
use crate::animation::{Channel, Keys, MorphTarget, Skin};
use crate::model::{Primitive, Scene};
use crate::variation::Variation;

/// Length of a primitive's joints, weights and morph targets.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BendCounts {
    joints: [u32; 2],
    weights: [u32; 2],
    /// Positions, normals and tangents of every target.
    targets: Vec<[u32; 3]>,
}

impl BendCounts {
    pub fn of(primitive: &Primitive) -> Self {
        let target = |target: &MorphTarget| {
            let MorphTarget { positions, normals, tangents } = target;
            [positions, normals, tangents].map(|list| count(list.len()))
        };
        Self {
            joints: primitive.joints.each_ref().map(|set| count(set.len())),
            weights: primitive.joint_weights.each_ref().map(|set| count(set.len())),
            targets: primitive.targets.iter().map(target).collect(),
        }
    }

    pub fn bytes(&self) -> u128 {
        let sum = |counts: &[u32]| counts.iter().map(|&count| u128::from(count)).sum::<u128>();
        8 * sum(&self.joints) + 16 * sum(&self.weights) + 12 * sum(self.targets.as_flattened())
    }
}

pub fn write_bends(primitive: &Primitive, bytes: &mut Vec<u8>) {
    for joint in primitive.joints.iter().flat_map(|set| set.as_flattened()) {
        bytes.extend_from_slice(&joint.to_le_bytes());
    }
    for set in &primitive.joint_weights {
        write_floats(set.as_flattened(), bytes);
    }
    for MorphTarget { positions, normals, tangents } in &primitive.targets {
        for list in [positions, normals, tangents] {
            write_floats(list.as_flattened(), bytes);
        }
    }
}

/// Length of the lists in `MOVE`.
#[derive(PartialEq, Default, Serialize, Deserialize)]
pub struct MoveCounts {
    /// Matrices of every skin.
    skins: Vec<u32>,
    /// Times and values of every channel.
    channels: Vec<[u32; 2]>,
    /// Times and values of every variation.
    variations: Vec<[u32; 2]>,
}

impl MoveCounts {
    pub fn of(scene: &Scene) -> Self {
        let keys = |keys: Keys| [keys.times.len(), keys.values.len()].map(count);
        Self {
            skins: scene.skins.iter().map(|skin| count(skin.inverse_binds.len())).collect(),
            channels: scene.channels.iter().map(|channel| keys(channel.keys())).collect(),
            variations: scene.variations.iter().map(|own| keys(own.keys())).collect(),
        }
    }

    /// Bytes of every skin, channel and variation, in the order of `MOVE`.
    pub fn items(&self) -> Vec<u128> {
        let keys = self.channels.iter().chain(&self.variations);
        let keys = keys.map(|[times, values]| 4 * (u128::from(*times) + u128::from(*values)));
        self.skins.iter().map(|&count| 48 * u128::from(count)).chain(keys).collect()
    }

    /// What is counted and what the outline lists, where they disagree.
    pub fn disagreement(&self, scene: &Scene) -> Option<(&'static str, usize, usize)> {
        let lists = [
            ("skins", self.skins.len(), scene.skins.len()),
            ("channels", self.channels.len(), scene.channels.len()),
            ("variations", self.variations.len(), scene.variations.len()),
        ];
        lists.into_iter().find(|(_, counts, listed)| counts != listed)
    }
}

pub fn write_moves(scene: &Scene, bytes: &mut Vec<u8>) {
    for skin in &scene.skins {
        write_floats(skin.inverse_binds.as_flattened().as_flattened(), bytes);
    }
    let channels = scene.channels.iter().map(Channel::keys);
    for keys in channels.chain(scene.variations.iter().map(Variation::keys)) {
        write_floats(keys.times, bytes);
        write_floats(keys.values, bytes);
    }
}

/// The skins without their matrices.
pub fn strip_skins(skins: &[Skin]) -> Vec<Skin> {
    let strip = |skin: &Skin| Skin {
        name: skin.name.clone(),
        joints: skin.joints.clone(),
        inverse_binds: Vec::new(),
    };
    skins.iter().map(strip).collect()
}

/// The channels without their keys.
pub fn strip_channels(channels: &[Channel]) -> Vec<Channel> {
    let strip = |channel: &Channel| {
        let Channel { node, property, interpolation, .. } = *channel;
        Channel { node, property, interpolation, times: Vec::new(), values: Vec::new() }
    };
    channels.iter().map(strip).collect()
}

/// The variations without their keys.
pub fn strip_variations(variations: &[Variation]) -> Vec<Variation> {
    let strip = |variation: &Variation| {
        let Variation { target, interpolation, .. } = *variation;
        Variation { target, interpolation, times: Vec::new(), values: Vec::new() }
    };
    variations.iter().map(strip).collect()
}

impl Reader<'_> {
    pub fn bends(&mut self, counts: &BendCounts, target: &mut Primitive) {
        target.joints = counts.joints.map(|count| self.joints(count as usize));
        target.joint_weights = counts.weights.map(|count| self.floats(count as usize));
        let morph = |&[positions, normals, tangents]: &[u32; 3]| MorphTarget {
            positions: self.floats(positions as usize),
            normals: self.floats(normals as usize),
            tangents: self.floats(tangents as usize),
        };
        target.targets = counts.targets.iter().map(morph).collect();
    }

    pub fn moves(&mut self, counts: &MoveCounts, scene: &mut Scene) {
        for (skin, &count) in scene.skins.iter_mut().zip(&counts.skins) {
            let columns: Vec<[f32; 12]> = self.floats(count as usize);
            let matrix = |flat: &[f32; 12]| {
                let columns = flat.as_chunks::<3>().0;
                [columns[0], columns[1], columns[2], columns[3]]
            };
            skin.inverse_binds = columns.iter().map(matrix).collect();
        }
        for (channel, &[times, values]) in scene.channels.iter_mut().zip(&counts.channels) {
            channel.times = self.floats::<1>(times as usize).into_flattened();
            channel.values = self.floats::<1>(values as usize).into_flattened();
        }
        for (own, &[times, values]) in scene.variations.iter_mut().zip(&counts.variations) {
            own.times = self.floats::<1>(times as usize).into_flattened();
            own.values = self.floats::<1>(values as usize).into_flattened();
        }
    }

    fn joints(&mut self, count: usize) -> Vec<[u16; 4]> {
        let words: Vec<[[u8; 4]; 2]> = self.words(count, |word| word);
        let joints = words.iter().map(|&[[a, b, c, d], [e, f, g, h]]| {
            [[a, b], [c, d], [e, f], [g, h]].map(u16::from_le_bytes)
        });
        joints.collect()
    }
}
