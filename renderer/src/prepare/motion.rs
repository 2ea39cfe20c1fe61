//! Where everything moves to: the channels' values at a time (glTF 2.0, section 3.11, appendix C).
//!
//! Double precision and our own sine and arctangent: two machines place a joint at the same bits.

use std::collections::BTreeMap;

use scene::{Interpolation, Keys, Property, Scene, Transform};

use super::pose::shared_weights;
use crate::precise::{atan, sin_cos};

/// Arcs below are straight, to more than 53 bits.
const STRAIGHT_ARC: f64 = 1e-8;

/// A node's transform in parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trs {
    /// Metres.
    pub translation: [f64; 3],
    /// Quaternion x, y, z, w of any length.
    pub rotation: [f64; 4],
    /// Factors.
    pub scale: [f64; 3],
}

/// What the scene's channels say at a time.
pub struct Motion {
    /// Of the nodes that channels move.
    places: BTreeMap<usize, Trs>,
    /// Of the nodes whose weights channels give.
    weights: BTreeMap<usize, Vec<f64>>,
}

impl Motion {
    /// Evaluates every channel at `time_s` seconds.
    pub fn at(scene: &Scene, time_s: f64) -> Self {
        let mut motion = Self { places: BTreeMap::new(), weights: BTreeMap::new() };
        for channel in &scene.channels {
            let node = channel.node as usize;
            if channel.property == Property::Weights {
                motion.weights.insert(node, value(channel.keys(), time_s));
                continue;
            }
            // A matrix is not moved, which validation has seen to.
            let Transform::Trs { translation, rotation, scale } = scene.nodes[node].transform
            else {
                continue;
            };
            let trs = motion.places.entry(node).or_insert(Trs {
                translation: translation.map(f64::from),
                rotation: rotation.map(f64::from),
                scale: scale.map(f64::from),
            });
            match channel.property {
                Property::Translation => trs.translation = array(&value(channel.keys(), time_s)),
                Property::Scale => trs.scale = array(&value(channel.keys(), time_s)),
                Property::Rotation => trs.rotation = rotation_at(channel.keys(), time_s),
                Property::Weights => {}
            }
        }
        motion
    }

    /// The node's transform, where a channel moves it.
    pub fn trs(&self, node: usize) -> Option<&Trs> {
        self.places.get(&node)
    }

    /// Whether a channel gives the node's weights.
    pub fn has_weights(&self, node: usize) -> bool {
        self.weights.contains_key(&node)
    }

    /// Weights of the morph targets of the node's mesh: the channel's, the node's own or the
    /// mesh's (glTF 2.0, section 3.7.2.2). Those that are missing are 0.
    pub fn weights(&self, scene: &Scene, node: usize) -> Vec<f64> {
        if let Some(weights) = self.weights.get(&node) {
            return weights.clone();
        }
        let node = &scene.nodes[node];
        match node.mesh {
            Some(mesh) if node.weights.is_empty() => shared_weights(&scene.meshes[mesh as usize]),
            _ => node.weights.iter().map(|&weight| f64::from(weight)).collect(),
        }
    }
}

fn array<const N: usize>(values: &[f64]) -> [f64; N] {
    std::array::from_fn(|index| values.get(index).copied().unwrap_or_default())
}

/// The two keys around a time, and how far from the first to the second it is.
struct Span {
    before: usize,
    after: usize,
    /// 0..=1.
    share: f64,
    /// From key to key, seconds.
    length_s: f64,
}

/// Before the first key and after the last, their values hold.
fn span(times: &[f32], time_s: f64) -> Span {
    let after = times.partition_point(|&time| f64::from(time) <= time_s);
    let last = times.len().saturating_sub(1);
    if after == 0 || after > last {
        let key = if after == 0 { 0 } else { last };
        return Span { before: key, after: key, share: 0.0, length_s: 0.0 };
    }
    let (start, end) = (f64::from(times[after - 1]), f64::from(times[after]));
    let length_s = end - start;
    Span { before: after - 1, after, share: (time_s - start) / length_s, length_s }
}

/// Tangent before a spline's key, its value, tangent behind; of other keys all are the value.
fn parts(keys: Keys<'_>, key: usize) -> [&[f32]; 3] {
    let size = keys.values.len() / keys.times.len().max(1);
    let values = &keys.values[key * size..(key + 1) * size];
    if keys.interpolation == Interpolation::CubicSpline {
        let (before, rest) = values.split_at(size / 3);
        let (value, behind) = rest.split_at(size / 3);
        [before, value, behind]
    } else {
        [values; 3]
    }
}

/// The keys' value at a time, component by component.
pub fn value(keys: Keys<'_>, time_s: f64) -> Vec<f64> {
    let Span { before, after, share, length_s } = span(keys.times, time_s);
    let [_, start, leaving] = parts(keys, before);
    let [arriving, end, _] = parts(keys, after);
    let components = start.iter().zip(end).zip(leaving.iter().zip(arriving));
    let pair = |(a, b): (&f32, &f32)| (f64::from(*a), f64::from(*b));
    let at = |(values, tangents)| {
        let ((start, end), (leaving, arriving)) = (pair(values), pair(tangents));
        match keys.interpolation {
            Interpolation::Step => start,
            Interpolation::Linear => (1.0 - share) * start + share * end,
            Interpolation::CubicSpline => {
                // Appendix C.5: the tangents are per second.
                let (s1, s2, s3) = (share, share * share, share * share * share);
                (2.0 * s3 - 3.0 * s2 + 1.0) * start
                    + length_s * (s3 - 2.0 * s2 + s1) * leaving
                    + (3.0 * s2 - 2.0 * s3) * end
                    + length_s * (s3 - s2) * arriving
            }
        }
    };
    components.map(at).collect()
}

fn rotation_at(keys: Keys<'_>, time_s: f64) -> [f64; 4] {
    if keys.interpolation != Interpolation::Linear {
        return array(&value(keys, time_s));
    }
    let Span { before, after, share, .. } = span(keys.times, time_s);
    let key = |key| parts(keys, key)[1].iter().copied().map(f64::from).collect::<Vec<f64>>();
    slerp(array(&key(before)), array(&key(after)), share)
}

/// From one unit quaternion to another on the shorter arc (glTF 2.0, appendix C.4).
///
/// The angle comes from the chords to `b` and to `-b`, which is exact where the arc cosine of the
/// specification's formula is not: near 0.
fn slerp(a: [f64; 4], b: [f64; 4], share: f64) -> [f64; 4] {
    let dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
    let b = if dot < 0.0 { b.map(|value| -value) } else { b };
    let length = |sign: f64| {
        let chord = [0, 1, 2, 3].map(|k| a[k] + sign * b[k]);
        let [x, y, z, w] = chord.map(|value| value * value);
        (x + y + z + w).sqrt()
    };
    // At most a quarter turn apart, so that the tangent of half the angle is at most 1.
    let angle = 2.0 * atan(length(-1.0) / length(1.0));
    let (from, to) = if angle < STRAIGHT_ARC {
        (1.0 - share, share)
    } else {
        let sin = |angle| sin_cos(angle).0;
        (sin(angle * (1.0 - share)) / sin(angle), sin(angle * share) / sin(angle))
    };
    [0, 1, 2, 3].map(|k| from * a[k] + to * b[k])
}

#[cfg(test)]
mod tests {
    use scene::Channel;

    use super::*;

    const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;

    fn channel(
        property: Property,
        interpolation: Interpolation,
        times: &[f32],
        values: &[f32],
    ) -> Channel {
        Channel { node: 0, property, interpolation, times: times.to_vec(), values: values.to_vec() }
    }

    /// The channel's value at a time is `expected`, to 1e-7.
    fn check(channel: &Channel, time_s: f64, expected: &[f64]) {
        let found = match channel.property {
            Property::Rotation => rotation_at(channel.keys(), time_s).to_vec(),
            _ => value(channel.keys(), time_s),
        };
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "at {time_s} s: {found:?}, expected {expected:?}");
        }
    }

    #[test]
    fn steps_hold_until_the_next_key() {
        let keys = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let step = channel(Property::Scale, Interpolation::Step, &[1.0, 2.0], &keys);
        for (time_s, expected) in [(-9.0, 1.0), (1.0, 1.0), (1.999, 1.0), (2.0, 4.0), (99.0, 4.0)] {
            check(&step, time_s, &[expected, expected + 1.0, expected + 2.0]);
        }
    }

    #[test]
    fn lines_go_from_key_to_key_and_end_with_them() {
        let keys = [0.0, 1.0, 2.0, 10.0, 1.0, -2.0, 10.0, 9.0, 8.0];
        let line = channel(Property::Translation, Interpolation::Linear, &[0.5, 1.0, 3.0], &keys);
        check(&line, 0.0, &[0.0, 1.0, 2.0]);
        check(&line, 0.75, &[5.0, 1.0, 0.0]);
        check(&line, 1.0, &[10.0, 1.0, -2.0]);
        check(&line, 1.5, &[10.0, 3.0, 0.5]);
        check(&line, 1e9, &[10.0, 9.0, 8.0]);
        let one = channel(Property::Translation, Interpolation::Linear, &[1.0], &[1.0, 2.0, 3.0]);
        check(&one, 0.0, &[1.0, 2.0, 3.0]);
        check(&one, 2.0, &[1.0, 2.0, 3.0]);
    }

    #[test]
    fn splines_follow_their_tangents() {
        // Two targets. Tangents per second over two seconds; by hand, at a quarter of the way:
        // 2s³-3s²+1 = 27/32, s³-2s²+s = 9/64, 3s²-2s³ = 5/32, s³-s² = -3/64.
        let keys = [9.0, 9.0, 1.0, 0.0, 2.0, 4.0, 1.0, -2.0, 3.0, 0.0, 9.0, 9.0];
        let spline = channel(Property::Weights, Interpolation::CubicSpline, &[1.0, 3.0], &keys);
        check(&spline, 0.0, &[1.0, 0.0]);
        check(&spline, 1.0, &[1.0, 0.0]);
        let first = 27.0 / 32.0 + 2.0 * 9.0 / 64.0 * 2.0 + 5.0 / 32.0 * 3.0 - 2.0 * 3.0 / 64.0;
        let second = 2.0 * 9.0 / 64.0 * 4.0 + 2.0 * 3.0 / 64.0 * 2.0;
        check(&spline, 1.5, &[first, second]);
        check(&spline, 3.0, &[3.0, 0.0]);
        check(&spline, 4.0, &[3.0, 0.0]);
        // Tangents as steep as the line between the keys make a line.
        let keys = [0.0, 1.0, 2.0, 2.0, 5.0, 0.0];
        let line = channel(Property::Weights, Interpolation::CubicSpline, &[0.0, 2.0], &keys);
        check(&line, 0.6, &[2.2]);
    }

    #[test]
    fn rotations_turn_evenly_on_the_shorter_arc() {
        // A quarter turn about y: a third of the way is 30°, whichever sign the quaternion has.
        let (sin, cos) = sin_cos(std::f64::consts::PI / 12.0);
        for sign in [1.0, -1.0] {
            let keys = [0.0, 0.0, 0.0, 1.0, 0.0, sign * HALF, 0.0, sign * HALF];
            let turn = channel(Property::Rotation, Interpolation::Linear, &[0.0, 3.0], &keys);
            check(&turn, 1.0, &[0.0, sin, 0.0, cos]);
            check(&turn, 0.0, &[0.0, 0.0, 0.0, 1.0]);
            let half = f64::from(HALF);
            check(&turn, 3.0, &[0.0, f64::from(sign) * half, 0.0, f64::from(sign) * half]);
        }
        // Half a turn apart there are two shorter arcs; either is one.
        let far = slerp([0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0], 0.5);
        assert!((far[0] - far[3]).abs() < 1e-15 && far[3] > 0.7, "{far:?}");
    }

    #[test]
    fn tiny_arcs_and_equal_ends_are_no_trouble() {
        let a = [0.5, -0.5, 0.5, 0.5];
        assert_eq!(slerp(a, a, 0.3).map(f64::to_bits), a.map(f64::to_bits));
        let b = [0.5 + 3e-9, -0.5, 0.5, 0.5];
        let between = slerp(a, b, 0.5);
        assert!((between[0] - 0.5 - 1.5e-9).abs() < 1e-15, "{between:?}");
    }

    #[test]
    fn channels_leave_what_they_do_not_give() {
        let mut scene = scene::golden();
        scene.channels =
            vec![channel(Property::Scale, Interpolation::Step, &[0.0], &[2.0, 3.0, 4.0])];
        scene.nodes[0].transform = Transform::Trs {
            translation: [7.0, 8.0, 9.0],
            rotation: [1.0, 0.0, 0.0, 0.0],
            scale: [1.0; 3],
        };
        let motion = Motion::at(&scene, 0.0);
        let wanted = Trs {
            translation: [7.0, 8.0, 9.0],
            rotation: [1.0, 0.0, 0.0, 0.0],
            scale: [2.0, 3.0, 4.0],
        };
        assert_eq!(motion.trs(0), Some(&wanted));
        assert_eq!(motion.trs(1), None);
    }
}
