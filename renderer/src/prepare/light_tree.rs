//! Builds the tree over emitters that are somewhere, see [`crate::light_tree`].
//!
//! Splits are chosen by the surface area orientation heuristic (Conty Estevez and Kulla 2018,
//! section 4.4) over bins of the emitters' centres, with two changes: the squared diagonal of a box
//! stands for its surface, so that lamps in a row have one; and the solid angle of the light is that
//! of the cone with half of the fall-off added. One thread, one order.

use crate::bvh::Bounds;
use crate::tables::{LIGHT_DEPTH_MAX, LIGHT_INDEX, LIGHT_LEAF, LIGHT_TWO_SIDED, LightNode, NONE};

/// Bins along an axis.
const BINS: usize = 12;
/// Below this depth lists are halved, so that no tree is too deep.
const HEURISTIC_DEPTH_MAX: u32 = 32;
/// Spheres are widened by this share of their radius,
const PAD_RADIUS: f64 = 1e-5;
/// and by this share of the largest coordinate: what moving a point loses.
const PAD_PLACE: f64 = 1e-6;
/// Cones are widened by this much of their cosine, and fall-offs by this angle's sine and cosine.
const PAD_COS: f64 = 1e-6;
const PAD_ANGLE: (f64, f64) = (1e-3, 1.0 - 0.5e-6);

type Vector = [f64; 3];

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn plus(a: Vector, b: Vector, scale: f64) -> Vector {
    [a[0] + b[0] * scale, a[1] + b[1] * scale, a[2] + b[2] * scale]
}

/// An angle of 0..=π, by the cosine and the sine of its half.
#[derive(Debug, Clone, Copy)]
pub struct Angle {
    half_cos: f64,
    half_sin: f64,
}

impl Angle {
    const STRAIGHT: Self = Self { half_cos: 0.0, half_sin: 1.0 };

    pub fn of_cos(cos: f64) -> Self {
        let half = |value: f64| (value * 0.5).max(0.0).sqrt();
        Self { half_cos: half(1.0 + cos), half_sin: half(1.0 - cos) }
    }

    fn cos(self) -> f64 {
        self.half_cos * self.half_cos - self.half_sin * self.half_sin
    }

    fn sin(self) -> f64 {
        2.0 * self.half_sin * self.half_cos
    }
}

/// A cone of directions.
#[derive(Debug, Clone, Copy)]
pub struct Cone {
    /// Its middle, a unit vector.
    pub axis: Vector,
    /// Its half angle.
    pub angle: Angle,
}

impl Cone {
    /// All directions.
    pub const ALL: Self = Self { axis: [0.0, 0.0, 1.0], angle: Angle::STRAIGHT };

    /// A cone around both.
    fn union(self, other: Self) -> Self {
        let (wide, narrow) =
            if self.angle.half_cos <= other.angle.half_cos { (self, other) } else { (other, self) };
        let between = Angle::of_cos(dot(wide.axis, narrow.axis).clamp(-1.0, 1.0));
        // Is the narrow one inside? The sum of two angles, by their halves; it is at most 2π.
        let far = (
            between.half_cos * narrow.angle.half_cos - between.half_sin * narrow.angle.half_sin,
            between.half_sin * narrow.angle.half_cos + between.half_cos * narrow.angle.half_sin,
        );
        if far.0 >= wide.angle.half_cos {
            return wide;
        }
        // Half the sum of all three angles is the half angle of the union.
        let cos = far.0 * wide.angle.half_cos - far.1 * wide.angle.half_sin;
        let sin = far.1 * wide.angle.half_cos + far.0 * wide.angle.half_sin;
        let across = between.sin();
        if sin <= 1e-9 || across <= 1e-9 {
            return Self::ALL;
        }
        // Turn the wide one's axis by the difference of the half angles.
        let (wide_cos, wide_sin) = (wide.angle.cos(), wide.angle.sin());
        let turn_cos = cos * wide_cos + sin * wide_sin;
        let turn_sin = sin * wide_cos - cos * wide_sin;
        let toward = turn_sin / across;
        let stay = turn_cos - toward * between.cos();
        let axis = plus(wide.axis.map(|value| value * stay), narrow.axis, toward);
        let length = dot(axis, axis).sqrt();
        Self { axis: axis.map(|value| value / length), angle: Angle::of_cos(cos) }
    }
}

/// What bounds the light of some emitters.
#[derive(Debug, Clone, Copy)]
pub struct Shine {
    /// Box around them.
    pub low: Vector,
    pub high: Vector,
    /// The directions of their brightest light.
    pub cone: Cone,
    /// Cosine of the angle beyond the cone at which their last light ends, 0..=1.
    pub end_cos: f64,
    /// Whether they shine backwards too.
    pub is_two_sided: bool,
    /// Luminance of the light along the brightest directions, summed, W/sr.
    pub intensity: f64,
}

impl Shine {
    fn union(&self, other: &Self) -> Self {
        Self {
            low: [0, 1, 2].map(|axis| self.low[axis].min(other.low[axis])),
            high: [0, 1, 2].map(|axis| self.high[axis].max(other.high[axis])),
            cone: self.cone.union(other.cone),
            end_cos: self.end_cos.min(other.end_cos),
            is_two_sided: self.is_two_sided || other.is_two_sided,
            intensity: self.intensity + other.intensity,
        }
    }

    fn center(&self, axis: usize) -> f64 {
        (self.low[axis] + self.high[axis]) * 0.5
    }

    /// Light times size times solid angle: what a node of these costs.
    fn cost(&self) -> f64 {
        let sides = [0, 1, 2].map(|axis| self.high[axis] - self.low[axis]);
        let end = Angle::of_cos(self.end_cos);
        // Half of the fall-off, as the sine and cosine of its half.
        let quarter = Angle::of_cos(end.half_cos);
        let cone = &self.cone.angle;
        let cos = cone.half_cos * quarter.half_cos - cone.half_sin * quarter.half_sin;
        let sin = cone.half_sin * quarter.half_cos + cone.half_cos * quarter.half_sin;
        let solid = if cos > 0.0 { sin * sin } else { 1.0 };
        self.intensity * dot(sides, sides) * solid
    }
}

/// An emitter that is somewhere: what bounds its light, and a sphere around it.
#[derive(Debug, Clone, Copy)]
pub struct Lamp {
    pub shine: Shine,
    pub center: Vector,
    pub radius: f64,
    /// Index of its emitter.
    pub emitter: u32,
}

/// A sphere around some emitters.
#[derive(Clone, Copy)]
struct Sphere {
    center: Vector,
    radius: f64,
}

struct Builder<'a> {
    lamps: &'a [Lamp],
    nodes: Vec<LightNode>,
    /// Added to every radius.
    pad: f64,
}

/// The tree's nodes; none without lamps. `bounds` holds the points that may be lit.
pub fn build(lamps: &[Lamp], bounds: &Bounds) -> Vec<LightNode> {
    if lamps.is_empty() {
        return Vec::new();
    }
    let mut reach = 0.0_f64;
    for value in bounds.low.iter().chain(&bounds.high).filter(|value| value.abs() <= 1e10) {
        reach = reach.max(f64::from(value.abs()));
    }
    for value in lamps.iter().flat_map(|lamp| lamp.shine.low.iter().chain(&lamp.shine.high)) {
        reach = reach.max(value.abs());
    }
    let mut builder = Builder { lamps, nodes: vec![EMPTY; 2], pad: reach * PAD_PLACE };
    let mut order: Vec<u32> = (0..lamps.len() as u32).collect();
    builder.add(&mut order, 0, 0, 0);
    if builder.nodes.len() == 2 {
        builder.nodes.pop();
    }
    builder.nodes
}

const EMPTY: LightNode = LightNode {
    center: [0.0; 3],
    radius: 0.0,
    half_sides: [0.0; 3],
    intensity: 0.0,
    axis: [0.0, 0.0, 1.0],
    cone_cos: -1.0,
    end_cos: 0.0,
    child: LIGHT_LEAF | LIGHT_INDEX,
    parent: NONE,
    reserved: 0,
};

impl Builder<'_> {
    /// Builds the node `at` over lamps.
    fn add(&mut self, order: &mut [u32], at: usize, parent: u32, depth: u32) -> (Shine, Sphere) {
        assert!(depth < LIGHT_DEPTH_MAX - 1, "lists are halved before that");
        if let [only] = order {
            let lamp = &self.lamps[*only as usize];
            let sphere = Sphere { center: lamp.center, radius: lamp.radius };
            return (
                lamp.shine,
                self.set(at, parent, LIGHT_LEAF | lamp.emitter, lamp.shine, sphere),
            );
        }
        let middle = self.split(order, depth);
        let child = self.nodes.len();
        self.nodes.extend([EMPTY; 2]);
        let (low, high) = order.split_at_mut(middle);
        let (first, near) = self.add(low, child, at as u32, depth + 1);
        let (second, far) = self.add(high, child + 1, at as u32, depth + 1);
        let shine = first.union(&second);

        // Around the box, or around the children's spheres, whichever is smaller.
        let center = [0, 1, 2].map(|axis| shine.center(axis));
        let half = [0, 1, 2].map(|axis| (shine.high[axis] - shine.low[axis]) * 0.5);
        let distance = |sphere: Sphere| {
            let way = plus(sphere.center, center, -1.0);
            dot(way, way).sqrt() + sphere.radius
        };
        let radius = dot(half, half).sqrt().min(distance(near).max(distance(far)));
        let sphere = Sphere { center, radius };
        (shine, self.set(at, parent, child as u32, shine, sphere))
    }

    /// Writes a node; returns its sphere, around the centre as it is written.
    fn set(&mut self, at: usize, parent: u32, child: u32, shine: Shine, own: Sphere) -> Sphere {
        let center = own.center.map(|value| value as f32);
        let (pad_sin, pad_cos) = PAD_ANGLE;
        let end_sin = (1.0 - shine.end_cos * shine.end_cos).max(0.0).sqrt();
        let two_sided = if shine.is_two_sided { LIGHT_TWO_SIDED } else { 0 };
        self.nodes[at] = LightNode {
            center,
            radius: (own.radius * (1.0 + PAD_RADIUS) + self.pad) as f32,
            half_sides: [0, 1, 2].map(|axis| {
                let half = (shine.high[axis] - shine.low[axis]) * 0.5;
                (half * (1.0 + PAD_RADIUS) + self.pad) as f32
            }),
            intensity: shine.intensity as f32,
            axis: shine.cone.axis.map(|value| value as f32),
            cone_cos: (shine.cone.angle.cos() - PAD_COS).max(-1.0) as f32,
            end_cos: (shine.end_cos * pad_cos - end_sin * pad_sin - PAD_COS) as f32,
            child: child | two_sided,
            parent,
            reserved: 0,
        };
        own
    }

    /// Sorts lamps into two groups; returns how many are in the first.
    fn split(&self, order: &mut [u32], depth: u32) -> usize {
        let half = order.len() / 2;
        if depth >= HEURISTIC_DEPTH_MAX || order.len() == 2 {
            return half;
        }
        let shine = |index: &u32| &self.lamps[*index as usize].shine;
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        for index in order.iter() {
            for axis in 0..3 {
                low[axis] = low[axis].min(shine(index).center(axis));
                high[axis] = high[axis].max(shine(index).center(axis));
            }
        }
        let longest = [0, 1, 2].map(|axis| high[axis] - low[axis]);
        let longest = longest.iter().fold(0.0_f64, |most, &side| most.max(side));
        let bin = |axis: usize, index: &u32| {
            let share = (shine(index).center(axis) - low[axis]) / (high[axis] - low[axis]);
            ((share * BINS as f64) as usize).min(BINS - 1)
        };
        let mut best = (f64::INFINITY, 0, 0);
        for axis in (0..3).filter(|&axis| high[axis] > low[axis]) {
            let stretch = longest / (high[axis] - low[axis]);
            let mut bins: [Option<Shine>; BINS] = [None; BINS];
            for index in order.iter() {
                join(&mut bins[bin(axis, index)], shine(index));
            }
            // Costs from the far end, then from the near one.
            let mut above = [0.0; BINS];
            let mut sum = None;
            for at in (1..BINS).rev() {
                above[at] = if let Some(own) = &bins[at] {
                    join(&mut sum, own);
                    sum.as_ref().map_or(0.0, Shine::cost)
                } else {
                    above.get(at + 1).copied().unwrap_or(0.0)
                };
            }
            let mut sum = None;
            for at in 0..BINS - 1 {
                let Some(own) = &bins[at] else { continue };
                join(&mut sum, own);
                let below = sum.as_ref().map_or(0.0, Shine::cost);
                let cost = (below + above[at + 1]) * stretch;
                if cost < best.0 {
                    best = (cost, axis, at);
                }
            }
        }
        let (_, axis, last) = best;
        if best.0.is_finite() {
            let (mut first, second): (Vec<u32>, Vec<u32>) =
                order.iter().partition(|index| bin(axis, index) <= last);
            let count = first.len();
            if count > 0 && count < order.len() {
                first.extend(second);
                order.copy_from_slice(&first);
                return count;
            }
        }
        half
    }
}

fn join(sum: &mut Option<Shine>, own: &Shine) {
    *sum = Some(match sum {
        Some(sum) => sum.union(own),
        None => *own,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(v: Vector) -> Vector {
        let length = dot(v, v).sqrt();
        v.map(|value| value / length)
    }

    #[test]
    fn unions_of_cones_hold_both() {
        let axes = [[0.0, 0.0, 1.0], [1.0, 0.2, -0.3], [0.0, 0.1, 1.0], [0.0, 0.0, -1.0]].map(unit);
        for a in axes {
            for b in axes {
                for cosines in [(0.9, 0.5), (1.0, 1.0), (-0.5, 0.99), (-0.9, -0.8)] {
                    let one = Cone { axis: a, angle: Angle::of_cos(cosines.0) };
                    let two = Cone { axis: b, angle: Angle::of_cos(cosines.1) };
                    let union = one.union(two);
                    let half = |cone: Cone| cone.angle.cos().clamp(-1.0, 1.0).acos();
                    for cone in [one, two] {
                        let between = dot(cone.axis, union.axis).clamp(-1.0, 1.0).acos();
                        let whole = half(union) > std::f64::consts::PI - 1e-6;
                        assert!(
                            whole || between + half(cone) < half(union) + 1e-6,
                            "{one:?} {two:?} {union:?}"
                        );
                    }
                    let between = dot(a, b).clamp(-1.0, 1.0).acos();
                    let most = (half(one) + half(two) + between) * 0.5;
                    let most = most.max(half(one)).max(half(two));
                    let opposite = between > std::f64::consts::PI - 1e-6;
                    assert!(opposite || half(union) < most + 1e-6, "no wider than it must be");
                }
            }
        }
    }
}
