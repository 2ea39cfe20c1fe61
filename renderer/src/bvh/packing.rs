//! Nodes as traversals read them: eight boxes on a grid of bytes, by octant.

use super::Bounds;
use crate::tables::Node;

/// Smallest biased exponent of a grid: keeps grid steps well above denormal numbers.
const EXPONENT_MIN: u32 = 27;

/// A node without children.
pub(super) const EMPTY_NODE: Node = Node {
    origin: [0; 3],
    exponents_and_inner: 0,
    first_child: 0,
    first_primitive: 0,
    meta: [0; 2],
    low_x: [0; 2],
    high_x: [0; 2],
    low_y: [0; 2],
    high_y: [0; 2],
    low_z: [0; 2],
    high_z: [0; 2],
};

/// Puts each child, by its index, into the slot of the octant it lies in, the clearest cases first:
/// rays visit slots in the order of `slot XOR octant` (Ylitie et al. 2017, section 3.2).
pub(super) fn slots(bounds: &Bounds, children: &[Bounds]) -> [Option<usize>; 8] {
    let center = |b: &Bounds, axis: usize| (b.low[axis] + b.high[axis]) * 0.5;
    let mut slots = [None; 8];
    let mut left: Vec<(usize, [f32; 3])> = children
        .iter()
        .enumerate()
        .map(|(child, own)| {
            let axis = |axis| center(own, axis) - center(bounds, axis);
            (child, [axis(0), axis(1), axis(2)])
        })
        .collect();
    while !left.is_empty() {
        let mut best = (f32::NEG_INFINITY, 0, 0);
        for (which, (_, offset)) in left.iter().enumerate() {
            for (slot, taken) in slots.iter().enumerate() {
                let side = |bit: usize| if slot & bit == 0 { -1.0 } else { 1.0 };
                let gain = offset[0] * side(4) + offset[1] * side(2) + offset[2] * side(1);
                if taken.is_none() && gain > best.0 {
                    best = (gain, which, slot);
                }
            }
        }
        let (_, which, slot) = best;
        // Without a finite gain slot 0 may be taken already.
        let slot = if slots[slot].is_some() {
            slots.iter().position(Option::is_none).unwrap_or(slot)
        } else {
            slot
        };
        slots[slot] = Some(left.remove(which).0);
    }
    slots
}

/// Where plane `q` lies: the one expression that builders and traversals share.
#[inline(always)]
#[must_use]
pub fn plane(origin: f32, scale: f32, q: u32) -> f32 {
    origin + q as f32 * scale
}

/// The step of a grid.
pub(super) fn scale_of(exponent: u32) -> f32 {
    f32::from_bits(exponent << 23)
}

/// A node over a box, its grid the finest of which every plane can be told.
pub(super) fn start_node(bounds: &Bounds) -> Node {
    let mut node = EMPTY_NODE;
    for axis in 0..3 {
        let (low, high) = (bounds.low[axis], bounds.high[axis]);
        let step = (high - low) * (1.0 / 255.0);
        let mut exponent = (step.to_bits() >> 23).max(EXPONENT_MIN);
        while plane(low, scale_of(exponent), 255) < high && exponent < 254 {
            exponent += 1;
        }
        node.origin[axis] = low.to_bits();
        node.exponents_and_inner |= exponent << (8 * axis);
    }
    node
}

/// Writes a child's box, widened to the grid.
pub(super) fn set_child_bounds(node: &mut Node, slot: usize, bounds: &Bounds) {
    for axis in 0..3 {
        let origin = f32::from_bits(node.origin[axis]);
        let scale = scale_of(node.exponents_and_inner >> (8 * axis) & 0xff);
        let guess = |value: f32| ((value - origin) / scale).clamp(0.0, 255.0) as u32;
        let mut low = guess(bounds.low[axis]);
        while low > 0 && plane(origin, scale, low) > bounds.low[axis] {
            low -= 1;
        }
        let mut high = guess(bounds.high[axis]);
        while high < 255 && plane(origin, scale, high) < bounds.high[axis] {
            high += 1;
        }
        let (lows, highs) = match axis {
            0 => (&mut node.low_x, &mut node.high_x),
            1 => (&mut node.low_y, &mut node.high_y),
            _ => (&mut node.low_z, &mut node.high_z),
        };
        lows[slot / 4] |= low << (slot % 4 * 8);
        highs[slot / 4] |= high << (slot % 4 * 8);
    }
}

/// Byte `index` of eight.
#[inline(always)]
#[must_use]
pub fn byte(words: [u32; 2], index: usize) -> u32 {
    words[index / 4] >> (index % 4 * 8) & 0xff
}
