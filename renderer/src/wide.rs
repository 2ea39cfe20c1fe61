//! The trees as the SIMD path of the CPU walks them: eight boxes, then four triangles at a time.
//!
//! The packed trees with exact boxes instead of compressed ones.

mod boxes;
mod stack;
mod triangles;
mod walk;

use std::collections::BTreeMap;

pub use walk::walk;

use crate::RenderScene;
use crate::bvh::{Bounds, byte, plane};
use crate::footprint::{WIDE_BLOCK_BYTES, WIDE_CORNERS_BYTES, WIDE_NODE_BYTES};
use crate::math::{FAR, Vec3};
use crate::moving::{corners_at_key, swept_box};
use crate::ray::triangle_box;
use crate::tables::{NONE, Node, TRIANGLE_ALPHA, TRIANGLE_CULL, TRIANGLE_MOVES, Triangle};
use crate::trace::corners;

/// Set in references to leaves.
const LEAF: u32 = 1 << 31;
/// No child.
const EMPTY: u32 = u32::MAX;

/// Triangles of a block.
const BLOCK_TRIANGLES: usize = 4;

/// Boxes of eight children.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct WideNode {
    /// Lower and upper planes along x, y and z.
    planes: [[[f32; 8]; 2]; 3],
    /// Index of a node, or [`LEAF`] with the index of a block (first instance and count, in the
    /// tree over instances), or [`EMPTY`].
    children: [u32; 8],
}

/// Vertices a, b, c of four triangles; x, y, z of each; four triangles of each.
type Corners = [[[f32; 4]; 3]; 3];

/// Up to four triangles, component by component.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
struct Block {
    /// Where the triangles are; at the first key where they move.
    vertices: Corners,
    /// Indices of the records.
    records: [u32; BLOCK_TRIANGLES],
    /// Bit i is set when triangle i exists.
    mask: u32,
    /// Bit i is set when alpha decides whether triangle i is there.
    alpha: u32,
    /// Bit i is set when camera rays do not see the back of triangle i.
    cull: u32,
    /// 0 where all stand still; else 1 more than where their keys begin in [`WideScene::keys`].
    moves: u32,
}

/// Wide trees of a scene.
#[derive(Debug, Default)]
pub struct WideScene {
    nodes: Vec<WideNode>,
    blocks: Vec<Block>,
    /// Corners of blocks that move, at each key.
    keys: Vec<Corners>,
    /// Root of each instance's tree.
    roots: Vec<u32>,
    /// Root of the tree over instances.
    root: u32,
}

const _: () = {
    assert!(size_of::<WideNode>() as u64 == WIDE_NODE_BYTES);
    assert!(size_of::<Block>() as u64 == WIDE_BLOCK_BYTES);
    assert!(size_of::<Corners>() as u64 == WIDE_CORNERS_BYTES);
};

const EMPTY_NODE: WideNode = WideNode { planes: [[[FAR; 8], [-FAR; 8]]; 3], children: [EMPTY; 8] };

impl WideScene {
    /// Converts the packed trees of a scene.
    pub fn new(scene: &RenderScene) -> Self {
        let mut wide = Self::default();
        if scene.header.root_node == NONE {
            return wide;
        }
        // As much as [`RenderScene::cpu_bytes`] counts: what grows step by step takes more.
        wide.nodes.reserve_exact(scene.nodes.len());
        wide.blocks.reserve_exact(scene.leaf_count() as usize);
        let mut roots = BTreeMap::new();
        for instance in &scene.instances {
            let root = *roots
                .entry(instance.root_node)
                .or_insert_with(|| wide.add_tree(scene, instance.root_node).0);
            wide.roots.push(root);
        }
        wide.root = wide.add_top(scene, scene.header.root_node);
        wide
    }

    /// Memory that it takes, bytes.
    #[cfg(test)]
    pub(crate) fn byte_size(&self) -> u64 {
        let bytes = [
            size_of_val(&*self.nodes),
            size_of_val(&*self.blocks),
            size_of_val(&*self.keys),
            size_of_val(&*self.roots),
        ];
        bytes.iter().sum::<usize>() as u64
    }

    /// Adds the tree of triangles below a packed node; returns its place and box.
    fn add_tree(&mut self, scene: &RenderScene, packed: u32) -> (u32, Bounds) {
        let at = self.nodes.len();
        self.nodes.push(EMPTY_NODE);
        let node = &scene.nodes[packed as usize];
        let (mut slot, mut all) = (0, Bounds::EMPTY);
        let mut leaves = Vec::with_capacity(8);
        let mut next = node.first_child;
        for packed_slot in 0..8 {
            let meta = byte(node.meta, packed_slot);
            if meta == 0 {
                continue;
            }
            if !is_inner(node, packed_slot) {
                leaves.push(Leaf::of(scene, &leaf_records(node, packed_slot)));
                continue;
            }
            next += 1;
            if let Some(records) = few_records(scene, next - 1) {
                leaves.push(Leaf::of(scene, &records));
                continue;
            }
            let (child, bounds) = self.add_tree(scene, next - 1);
            self.set_child(at, slot, child, &bounds);
            all = all.union(&bounds);
            slot += 1;
        }
        merge_leaves(&mut leaves);
        for leaf in &leaves {
            self.set_child(at, slot, LEAF | self.blocks.len() as u32, &leaf.bounds);
            let block = self.block_of(scene, &leaf.records);
            self.blocks.push(block);
            all = all.union(&leaf.bounds);
            slot += 1;
        }
        (at as u32, all)
    }

    /// Adds the tree over instances; its boxes stay as they are packed.
    fn add_top(&mut self, scene: &RenderScene, packed: u32) -> u32 {
        let at = self.nodes.len();
        self.nodes.push(EMPTY_NODE);
        let node = &scene.nodes[packed as usize];
        let mut next = node.first_child;
        for slot in 0..8 {
            let meta = byte(node.meta, slot);
            if meta == 0 {
                continue;
            }
            let child = if is_inner(node, slot) {
                next += 1;
                self.add_top(scene, next - 1)
            } else {
                LEAF | (node.first_primitive + (meta & 31)) << 2 | (meta >> 5).count_ones()
            };
            self.set_child(at, slot, child, &packed_bounds(node, slot));
        }
        at as u32
    }

    fn block_of(&mut self, scene: &RenderScene, records: &[u32]) -> Block {
        let mut block = Block {
            vertices: block_corners(scene, records, 0),
            records: [NONE; BLOCK_TRIANGLES],
            mask: (1 << records.len()) - 1,
            alpha: 0,
            cull: 0,
            moves: 0,
        };
        let mut moves = false;
        for (lane, &record) in records.iter().enumerate() {
            let flags = scene.triangles[record as usize].flags;
            block.records[lane] = record;
            block.alpha |= u32::from(flags & TRIANGLE_ALPHA != 0) << lane;
            block.cull |= u32::from(flags & TRIANGLE_CULL != 0) << lane;
            moves |= flags & TRIANGLE_MOVES != 0;
        }
        if moves {
            block.moves = self.keys.len() as u32 + 1;
            let keys = 0..scene.header.motion_keys;
            self.keys.extend(keys.map(|key| block_corners(scene, records, key)));
        }
        block
    }

    fn set_child(&mut self, at: usize, slot: usize, child: u32, bounds: &Bounds) {
        let node = &mut self.nodes[at];
        node.children[slot] = child;
        for axis in 0..3 {
            node.planes[axis][0][slot] = bounds.low[axis];
            node.planes[axis][1][slot] = bounds.high[axis];
        }
    }
}

/// Triangles that will share a block.
struct Leaf {
    records: Vec<u32>,
    bounds: Bounds,
}

impl Leaf {
    fn of(scene: &RenderScene, records: &[u32]) -> Self {
        let bounds = records.iter().fold(Bounds::EMPTY, |sum, &record| {
            let (low, high) = record_box(scene, &scene.triangles[record as usize]);
            sum.union(&Bounds { low: low.to_array(), high: high.to_array() })
        });
        Self { records: records.to_vec(), bounds }
    }
}

/// The box of a triangle, wherever it is while the shutter is open.
fn record_box(scene: &RenderScene, triangle: &Triangle) -> (Vec3, Vec3) {
    if triangle.flags & TRIANGLE_MOVES == 0 {
        let (a, b, c) = corners(triangle);
        return triangle_box(a, b, c);
    }
    let keys = 0..scene.header.motion_keys;
    swept_box(keys.map(|key| corners_at_key(scene, triangle, key).into()))
}

/// The corners of up to four triangles at a key.
fn block_corners(scene: &RenderScene, records: &[u32], key: u32) -> Corners {
    let mut vertices = [[[0.0; 4]; 3]; 3];
    for (lane, &record) in records.iter().enumerate() {
        let (a, b, c) = corners_at_key(scene, &scene.triangles[record as usize], key);
        for (vertex, corner) in vertices.iter_mut().zip([a, b, c]) {
            for (lanes, value) in vertex.iter_mut().zip(corner.to_array()) {
                lanes[lane] = value;
            }
        }
    }
    vertices
}

fn half_area(bounds: &Bounds) -> f32 {
    let side = |axis: usize| bounds.high[axis] - bounds.low[axis];
    side(0) * side(1) + side(1) * side(2) + side(2) * side(0)
}

/// Joins leaves of one node as long as that saves work: a block of four triangles costs what a
/// block of one does, so two boxes may become one that is smaller than both together.
fn merge_leaves(leaves: &mut Vec<Leaf>) {
    loop {
        let mut best = (0.0, 0, 0);
        for (j, b) in leaves.iter().enumerate() {
            for (i, a) in leaves[..j].iter().enumerate() {
                if a.records.len() + b.records.len() > BLOCK_TRIANGLES {
                    continue;
                }
                let both = half_area(&a.bounds.union(&b.bounds));
                let gain = half_area(&a.bounds) + half_area(&b.bounds) - both;
                if gain > best.0 {
                    best = (gain, i, j);
                }
            }
        }
        let (gain, i, j) = best;
        if gain <= 0.0 {
            return;
        }
        let joined = leaves.remove(j);
        leaves[i].records.extend(&joined.records);
        leaves[i].bounds = leaves[i].bounds.union(&joined.bounds);
    }
}

/// The records of a packed leaf.
fn leaf_records(node: &Node, slot: usize) -> Vec<u32> {
    let meta = byte(node.meta, slot);
    let first = node.first_primitive + (meta & 31);
    (first..first + (meta >> 5).count_ones()).collect()
}

/// The records below a packed node, when there is room for all of them in one block.
fn few_records(scene: &RenderScene, packed: u32) -> Option<Vec<u32>> {
    let node = &scene.nodes[packed as usize];
    if node.exponents_and_inner >> 24 != 0 {
        return None;
    }
    let records: Vec<u32> = (0..8).flat_map(|slot| leaf_records(node, slot)).collect();
    (records.len() <= BLOCK_TRIANGLES).then_some(records)
}

fn is_inner(node: &Node, slot: usize) -> bool {
    node.exponents_and_inner >> (24 + slot) & 1 == 1
}

fn packed_bounds(node: &Node, slot: usize) -> Bounds {
    let mut bounds = Bounds::EMPTY;
    let planes = [(node.low_x, node.high_x), (node.low_y, node.high_y), (node.low_z, node.high_z)];
    for (axis, (low, high)) in planes.into_iter().enumerate() {
        let origin = f32::from_bits(node.origin[axis]);
        let scale = f32::from_bits((node.exponents_and_inner >> (8 * axis) & 0xff) << 23);
        bounds.low[axis] = plane(origin, scale, byte(low, slot));
        bounds.high[axis] = plane(origin, scale, byte(high, slot));
    }
    bounds
}
