//! The trees as the SIMD path of the CPU walks them: eight boxes, then four triangles at a time.
//!
//! The packed trees with exact boxes instead of compressed ones. It finds the hits that
//! [`crate::trace::walk_packed`] finds, bit for bit: boxes only skip, and every triangle that
//! remains goes through the same scalar test.

use std::arch::x86_64::{
    __m128, __m256, _CMP_LE_OQ, _mm_and_ps, _mm_cmpgt_ps, _mm_cmplt_ps, _mm_loadu_ps,
    _mm_movemask_ps, _mm_mul_ps, _mm_or_ps, _mm_set1_ps, _mm_setzero_ps, _mm_sub_ps, _mm256_and_ps,
    _mm256_cmp_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_movemask_ps,
    _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps,
};
use std::collections::BTreeMap;
use std::mem::MaybeUninit;

use crate::RenderScene;
use crate::bvh::{Bounds, TOP_DEPTH_MAX, TREE_DEPTH_MAX, byte, plane};
use crate::math::{FAR, Vec3, vec3};
use crate::ray::{
    Hit, Probe, Query, Ray, SLACK, component, intersect_triangle, probe_of, transform_ray,
    triangle_box,
};
use crate::tables::{INSTANCE_IDENTITY, NONE, Node, TRIANGLE_ALPHA, TRIANGLE_CULL};
use crate::trace::{corners, is_before, is_there};

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
    /// Planes: low x, high x, low y, high y, low z, high z.
    planes: [[f32; 8]; 6],
    /// Index of a node, or [`LEAF`] with the index of a block (first instance and count, in the
    /// tree over instances), or [`EMPTY`].
    children: [u32; 8],
}

/// Up to four triangles, component by component.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
struct Block {
    /// Vertices a, b, c; x, y, z of each; four triangles of each.
    vertices: [[[f32; 4]; 3]; 3],
    /// Indices of the records.
    records: [u32; BLOCK_TRIANGLES],
    /// Bit i is set when triangle i exists.
    mask: u32,
    /// Bit i is set when alpha decides whether triangle i is there.
    alpha: u32,
    /// Bit i is set when camera rays do not see the back of triangle i.
    cull: u32,
    /// Always 0: fills the last 16 bytes.
    unused: u32,
}

impl Block {
    /// The corners of one of its triangles.
    #[inline(always)]
    fn corners(&self, lane: usize) -> (Vec3, Vec3, Vec3) {
        let corner =
            |vertex: &[[f32; 4]; 3]| vec3(vertex[0][lane], vertex[1][lane], vertex[2][lane]);
        (corner(&self.vertices[0]), corner(&self.vertices[1]), corner(&self.vertices[2]))
    }
}

/// Wide trees of a scene.
#[derive(Debug, Default)]
pub struct WideScene {
    nodes: Vec<WideNode>,
    blocks: Vec<Block>,
    /// Root of each instance's tree.
    roots: Vec<u32>,
    /// Root of the tree over instances.
    root: u32,
}

const EMPTY_NODE: WideNode = WideNode {
    planes: [[FAR; 8], [-FAR; 8], [FAR; 8], [-FAR; 8], [FAR; 8], [-FAR; 8]],
    children: [EMPTY; 8],
};

impl WideScene {
    /// Converts the packed trees of a scene.
    pub fn new(scene: &RenderScene) -> Self {
        let mut wide = Self::default();
        if scene.header.root_node == NONE {
            return wide;
        }
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
            self.blocks.push(block_of(scene, &leaf.records));
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

    fn set_child(&mut self, at: usize, slot: usize, child: u32, bounds: &Bounds) {
        let node = &mut self.nodes[at];
        node.children[slot] = child;
        for axis in 0..3 {
            node.planes[2 * axis][slot] = bounds.low[axis];
            node.planes[2 * axis + 1][slot] = bounds.high[axis];
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
            let (a, b, c) = corners(&scene.triangles[record as usize]);
            let (low, high) = triangle_box(a, b, c);
            sum.union(&Bounds { low: low.to_array(), high: high.to_array() })
        });
        Self { records: records.to_vec(), bounds }
    }
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

fn block_of(scene: &RenderScene, records: &[u32]) -> Block {
    let mut block = Block {
        vertices: [[[0.0; 4]; 3]; 3],
        records: [NONE; BLOCK_TRIANGLES],
        mask: (1 << records.len()) - 1,
        alpha: 0,
        cull: 0,
        unused: 0,
    };
    for (lane, &record) in records.iter().enumerate() {
        let triangle = &scene.triangles[record as usize];
        for (vertex, corner) in [triangle.a, triangle.b, triangle.c].into_iter().enumerate() {
            for (lanes, value) in block.vertices[vertex].iter_mut().zip(corner) {
                lanes[lane] = value;
            }
        }
        block.records[lane] = record;
        block.alpha |= u32::from(triangle.flags & TRIANGLE_ALPHA != 0) << lane;
        block.cull |= u32::from(triangle.flags & TRIANGLE_CULL != 0) << lane;
    }
    block
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

/// The nearest hit, or with `ANY` the first that is found.
///
/// Only for machines with AVX2: [`crate::trace::Path::best`] has looked.
#[inline]
pub fn walk<const ANY: bool>(
    scene: &RenderScene,
    wide: &WideScene,
    ray: &Ray,
    query: &Query,
) -> Hit {
    #[expect(unsafe_code, reason = "a wide scene is only made where AVX2 was detected")]
    // SAFETY: `Tracer::new` hands out wide trees only after `Path::best` has detected AVX2.
    unsafe {
        walk_avx2::<ANY>(scene, wide, ray, query)
    }
}

/// A probe in eight lanes.
struct Lanes {
    origin: [__m256; 3],
    inverse: [__m256; 3],
    /// Which of the six plane lists is near, per axis; the other is far.
    near: [usize; 3],
}

/// Nodes that wait, with where the ray enters them.
///
/// Lives in memory that is not zeroed first: that would cost a tenth of a ray.
struct Stack {
    entries: [MaybeUninit<(u32, f32)>; STACK_ENTRIES],
    top: usize,
}

/// Seven siblings wait on each level.
const STACK_ENTRIES: usize = 8 * (TREE_DEPTH_MAX + TOP_DEPTH_MAX) as usize;

impl Stack {
    /// An empty stack in memory that holds anything.
    #[inline(always)]
    fn empty(memory: &mut MaybeUninit<Self>) -> &mut Self {
        #[expect(unsafe_code, reason = "zeroing the stack for every ray costs a tenth of the ray")]
        // SAFETY: `top` is written before the reference is made, and entries may be anything.
        unsafe {
            (&raw mut (*memory.as_mut_ptr()).top).write(0);
            memory.assume_init_mut()
        }
    }

    #[inline(always)]
    fn push(&mut self, child: u32, enter: f32) {
        self.entries[self.top] = MaybeUninit::new((child, enter));
        self.top += 1;
    }

    /// An entry below `top`.
    #[inline(always)]
    fn get(&self, at: usize) -> (u32, f32) {
        #[expect(unsafe_code, reason = "the stack is not zeroed first")]
        // SAFETY: callers stay below `top`, where `push` has written every entry.
        unsafe {
            self.entries[at].assume_init()
        }
    }

    #[inline(always)]
    fn pop(&mut self) -> (u32, f32) {
        self.top -= 1;
        self.get(self.top)
    }

    /// Moves the last entry down until those above `base` fall from far to near.
    #[inline(always)]
    fn sift(&mut self, base: usize) {
        let mut at = self.top - 1;
        let last = self.get(at);
        while at > base && self.get(at - 1).1 < last.1 {
            self.entries[at] = self.entries[at - 1];
            at -= 1;
        }
        self.entries[at] = MaybeUninit::new(last);
    }
}

#[target_feature(enable = "avx2")]
fn walk_avx2<const ANY: bool>(
    scene: &RenderScene,
    wide: &WideScene,
    ray: &Ray,
    query: &Query,
) -> Hit {
    let mut best = Hit::miss(query.t_max);
    let mut memory = MaybeUninit::uninit();
    let stack = Stack::empty(&mut memory);
    match scene.instances.as_slice() {
        [] => {}
        // One placed object: its own root says what the tree over instances would.
        [_] => {
            walk_instance::<ANY>(scene, wide, ray, query, 0, stack, &mut best);
        }
        _ => {
            let lanes = lanes_of(&probe_of(ray));
            let mut current = wide.root;
            loop {
                if current & LEAF == 0 {
                    current = open(&wide.nodes[current as usize], &lanes, best.t, stack);
                    if current != EMPTY {
                        continue;
                    }
                } else {
                    let first = (current & !LEAF) >> 2;
                    for index in first..first + (current & 3) {
                        if walk_instance::<ANY>(scene, wide, ray, query, index, stack, &mut best) {
                            return best;
                        }
                    }
                }
                match next(stack, 0, best.t) {
                    Some(child) => current = child,
                    None => break,
                }
            }
        }
    }
    best
}

/// Walks one instance's tree; returns whether to stop.
#[target_feature(enable = "avx2")]
#[inline]
fn walk_instance<const ANY: bool>(
    scene: &RenderScene,
    wide: &WideScene,
    ray: &Ray,
    query: &Query,
    index: u32,
    stack: &mut Stack,
    best: &mut Hit,
) -> bool {
    let placed = &scene.instances[index as usize];
    let probe = if placed.flags & INSTANCE_IDENTITY == 0 {
        probe_of(&transform_ray(&placed.world_to_object, ray))
    } else {
        probe_of(ray)
    };
    let lanes = lanes_of(&probe);
    let edges = EdgeLanes::new(&probe);
    let floor = stack.top;
    let mut current = wide.roots[index as usize];
    loop {
        if current & LEAF == 0 {
            current = open(&wide.nodes[current as usize], &lanes, best.t, stack);
            if current != EMPTY {
                continue;
            }
        } else {
            let block = &wide.blocks[(current & !LEAF) as usize];
            let mut met = edges.test(block);
            while met != 0 {
                let lane = met.trailing_zeros();
                met &= met - 1;
                if try_lane(scene, query, &probe, index, block, lane, best) && ANY {
                    return true;
                }
            }
        }
        match next(stack, floor, best.t) {
            Some(child) => current = child,
            None => return false,
        }
    }
}

/// What [`crate::trace::try_triangle`] does, without a look at the triangle's record where neither
/// a tie nor its flags ask for one: the block is in the cache already, the record is not.
#[inline(always)]
fn try_lane(
    scene: &RenderScene,
    query: &Query,
    probe: &Probe,
    instance: u32,
    block: &Block,
    lane: u32,
    best: &mut Hit,
) -> bool {
    let (a, b, c) = block.corners(lane as usize);
    let Some((t, u, v)) = intersect_triangle(probe, a, b, c) else { return false };
    let triangle = block.records[lane as usize];
    if t > best.t || (t >= best.t && !is_before(scene, t, instance, triangle, best)) {
        return false;
    }
    let asked = if query.camera { block.alpha | block.cull } else { block.alpha };
    if asked >> lane & 1 != 0 {
        let placed = &scene.instances[instance as usize];
        let record = &scene.triangles[triangle as usize];
        if !is_there(scene, query, probe.direction, placed, record, (u, v)) {
            return false;
        }
    }
    *best = Hit { t, u, v, instance, triangle };
    true
}

#[inline(always)]
fn next(stack: &mut Stack, floor: usize, t_max: f32) -> Option<u32> {
    while stack.top > floor {
        let (child, enter) = stack.pop();
        if enter <= t_max {
            return Some(child);
        }
    }
    None
}

#[target_feature(enable = "avx2")]
#[inline]
fn lanes_of(probe: &Probe) -> Lanes {
    let o = probe.origin;
    let i = probe.inverse;
    Lanes {
        origin: [_mm256_set1_ps(o.x), _mm256_set1_ps(o.y), _mm256_set1_ps(o.z)],
        inverse: [_mm256_set1_ps(i.x), _mm256_set1_ps(i.y), _mm256_set1_ps(i.z)],
        near: [usize::from(i.x < 0.0), 2 + usize::from(i.y < 0.0), 4 + usize::from(i.z < 0.0)],
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load8(values: &[f32; 8]) -> __m256 {
    #[expect(unsafe_code, reason = "an unaligned load of eight floats from an array of eight")]
    // SAFETY: the reference covers all 32 bytes.
    unsafe {
        _mm256_loadu_ps(values.as_ptr())
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load4(values: &[f32; 4]) -> __m128 {
    #[expect(unsafe_code, reason = "an unaligned load of four floats from an array of four")]
    // SAFETY: the reference covers all 16 bytes.
    unsafe {
        _mm_loadu_ps(values.as_ptr())
    }
}

/// Where a ray meets eight planes across an axis.
#[target_feature(enable = "avx2")]
#[inline]
fn distance(planes: &[f32; 8], lanes: &Lanes, axis: usize) -> __m256 {
    _mm256_mul_ps(_mm256_sub_ps(load8(planes), lanes.origin[axis]), lanes.inverse[axis])
}

/// Tests a node's boxes, returns the nearest child that is met or [`EMPTY`], and lets the others
/// wait, the nearest on top. The operations are those of [`crate::ray::intersect_box`].
#[target_feature(enable = "avx2")]
#[inline]
fn open(node: &WideNode, lanes: &Lanes, t_max: f32, stack: &mut Stack) -> u32 {
    let [x, y, z] = lanes.near;
    let near_x = distance(&node.planes[x], lanes, 0);
    let near_y = distance(&node.planes[y], lanes, 1);
    let near_z = distance(&node.planes[z], lanes, 2);
    let far_x = distance(&node.planes[x ^ 1], lanes, 0);
    let far_y = distance(&node.planes[y ^ 1], lanes, 1);
    let far_z = distance(&node.planes[z ^ 1], lanes, 2);
    let enter = _mm256_max_ps(_mm256_max_ps(near_x, near_y), near_z);
    let enter = _mm256_mul_ps(_mm256_max_ps(enter, _mm256_setzero_ps()), _mm256_set1_ps(SLACK));
    let leave = _mm256_min_ps(_mm256_min_ps(far_x, far_y), far_z);
    let inside = _mm256_and_ps(
        _mm256_cmp_ps::<_CMP_LE_OQ>(enter, leave),
        _mm256_cmp_ps::<_CMP_LE_OQ>(enter, _mm256_set1_ps(t_max)),
    );
    let mut met = _mm256_movemask_ps(inside) as u32;
    if met == 0 {
        return EMPTY;
    }
    let first = met.trailing_zeros() as usize;
    met &= met - 1;
    if met == 0 {
        return node.children[first];
    }
    let mut enters = [0.0_f32; 8];
    #[expect(unsafe_code, reason = "an unaligned store of eight floats into an array of eight")]
    // SAFETY: the array has all 32 bytes.
    unsafe {
        _mm256_storeu_ps(enters.as_mut_ptr(), enter);
    }
    let second = met.trailing_zeros() as usize;
    met &= met - 1;
    if met == 0 {
        let (near, far) =
            if enters[second] < enters[first] { (second, first) } else { (first, second) };
        stack.push(node.children[far], enters[far]);
        return node.children[near];
    }
    let base = stack.top;
    stack.push(node.children[first], enters[first]);
    stack.push(node.children[second], enters[second]);
    stack.sift(base);
    while met != 0 {
        let child = met.trailing_zeros() as usize;
        met &= met - 1;
        stack.push(node.children[child], enters[child]);
        stack.sift(base);
    }
    stack.pop().0
}

/// A probe in four lanes, with its axes in the order of the triangle test.
struct EdgeLanes {
    axes: [usize; 3],
    origin: [__m128; 3],
    shear_x: __m128,
    shear_y: __m128,
}

impl EdgeLanes {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn new(probe: &Probe) -> Self {
        let axis = probe.axis;
        let (first, second) = if axis == 0 {
            (1, 2)
        } else if axis == 1 {
            (2, 0)
        } else {
            (0, 1)
        };
        Self {
            axes: [first as usize, second as usize, axis as usize],
            origin: [
                _mm_set1_ps(component(probe.origin, first)),
                _mm_set1_ps(component(probe.origin, second)),
                _mm_set1_ps(component(probe.origin, axis)),
            ],
            shear_x: _mm_set1_ps(probe.shear.x),
            shear_y: _mm_set1_ps(probe.shear.y),
        }
    }

    /// Which of four triangles the ray's line may meet: the edge test of
    /// [`crate::ray::intersect_triangle`].
    #[target_feature(enable = "avx2")]
    #[inline]
    fn test(&self, block: &Block) -> u32 {
        // A macro, because the compiler does not inline three calls of a function.
        macro_rules! shear {
            ($vertex:expr) => {{
                let x = _mm_sub_ps(load4(&$vertex[self.axes[0]]), self.origin[0]);
                let y = _mm_sub_ps(load4(&$vertex[self.axes[1]]), self.origin[1]);
                let z = _mm_sub_ps(load4(&$vertex[self.axes[2]]), self.origin[2]);
                (
                    _mm_sub_ps(x, _mm_mul_ps(self.shear_x, z)),
                    _mm_sub_ps(y, _mm_mul_ps(self.shear_y, z)),
                )
            }};
        }
        let (ax, ay) = shear!(block.vertices[0]);
        let (bx, by) = shear!(block.vertices[1]);
        let (cx, cy) = shear!(block.vertices[2]);
        let u = _mm_sub_ps(_mm_mul_ps(cx, by), _mm_mul_ps(cy, bx));
        let v = _mm_sub_ps(_mm_mul_ps(ax, cy), _mm_mul_ps(ay, cx));
        let w = _mm_sub_ps(_mm_mul_ps(bx, ay), _mm_mul_ps(by, ax));
        let zero = _mm_setzero_ps();
        let below = _mm_or_ps(
            _mm_or_ps(_mm_cmplt_ps(u, zero), _mm_cmplt_ps(v, zero)),
            _mm_cmplt_ps(w, zero),
        );
        let above = _mm_or_ps(
            _mm_or_ps(_mm_cmpgt_ps(u, zero), _mm_cmpgt_ps(v, zero)),
            _mm_cmpgt_ps(w, zero),
        );
        let outside = _mm_movemask_ps(_mm_and_ps(below, above)) as u32;
        !outside & block.mask
    }
}
