//! Trees by halving, for boxes that clustering is not made for: always shallow, whatever they are.

use obvhs::Boundable as _;
use obvhs::bvh2::Bvh2;
use obvhs::bvh2::node::Bvh2Node;

use super::wide::widen_evenly;
use super::{Bounds, Tree};

/// Sum of the boxes' areas, in areas of the box around them, beyond which they are a heap.
const COVER_MAX: f64 = 1000.0;
/// Boxes of one place, to the scene's 2 millionth part, that are a heap.
const SAME_PLACE_MAX: usize = 256;

/// Builds a tree by halving.
pub(super) fn build(boxes: &[Bounds]) -> Tree {
    widen_evenly(&halve(boxes))
}

/// Whether so many boxes lie in one place that clustering neighbours would join one pair at a
/// time: most of them over most of the others, or hundreds with the same middle.
pub(super) fn is_heap(boxes: &[Bounds]) -> bool {
    let all = boxes.iter().fold(Bounds::EMPTY, |sum, own| sum.union(own));
    let area = |b: &Bounds| {
        let side = |axis: usize| f64::from(b.high[axis]) - f64::from(b.low[axis]);
        side(0) * side(1) + side(1) * side(2) + side(2) * side(0)
    };
    let covered: f64 = boxes.iter().map(area).sum();
    if covered > area(&all) * COVER_MAX {
        return true;
    }
    let cell = |own: &Bounds, axis: usize| {
        let (low, high) = (f64::from(all.low[axis]), f64::from(all.high[axis]));
        let middle = (f64::from(own.low[axis]) + f64::from(own.high[axis])) * 0.5;
        let share = if high > low { (middle - low) / (high - low) } else { 0.0 };
        (share * f64::from(1 << 21)) as u64
    };
    let mut cells: Vec<u64> =
        boxes.iter().map(|own| cell(own, 0) << 42 | cell(own, 1) << 21 | cell(own, 2)).collect();
    cells.sort_unstable();
    cells.windows(SAME_PLACE_MAX).any(|run| run.first() == run.last())
}

/// A binary tree that halves the boxes by number along the longest axis of their centres.
fn halve(boxes: &[Bounds]) -> Bvh2 {
    let mut binary = Bvh2::zeroed(boxes.len());
    binary.primitive_indices = (0..boxes.len() as u32).collect();
    binary.nodes.clear();
    binary.nodes.push(Bvh2Node::default());
    let mut order = std::mem::take(&mut binary.primitive_indices);
    halve_range(boxes, &mut order, 0, 0, &mut binary.nodes);
    binary.primitive_indices = order;
    binary
}

fn halve_range(
    boxes: &[Bounds],
    order: &mut [u32],
    offset: usize,
    at: usize,
    nodes: &mut Vec<Bvh2Node>,
) {
    let all = order.iter().fold(Bounds::EMPTY, |sum, &index| sum.union(&boxes[index as usize]));
    if order.len() == 1 {
        nodes[at] = Bvh2Node::new(all.aabb(), 1, offset as u32);
        return;
    }
    let axis = all.longest_axis();
    let center = |index: u32| {
        let own = &boxes[index as usize];
        own.low[axis] + own.high[axis]
    };
    order.sort_by(|&a, &b| center(a).total_cmp(&center(b)).then(a.cmp(&b)));
    let middle = order.len() / 2;
    let first = nodes.len();
    nodes.extend([Bvh2Node::default(); 2]);
    nodes[at] = Bvh2Node::new(all.aabb(), 0, first as u32);
    let (low, high) = order.split_at_mut(middle);
    halve_range(boxes, low, offset, first, nodes);
    halve_range(boxes, high, offset + middle, first + 1, nodes);
}
