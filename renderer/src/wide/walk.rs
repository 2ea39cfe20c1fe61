//! Many rays at once through the wide trees.
//!
//! One ray waits most of its time: for a node to arrive, for a comparison to end, for a branch
//! that was guessed wrong. So sixteen rays take turns. Each turn opens one node without a branch:
//! the children that are met are sorted by a network and put on the ray's stack as one vector.
//! Rays that come to triangles are tried in a turn of their own.
//!
//! It finds the hits that [`crate::trace::walk_packed`] finds, bit for bit: boxes only skip, and
//! the operations on triangles are those of [`crate::ray::intersect_triangle`], four at a time.

use std::arch::x86_64::{
    __m128, __m256, __m256i, _CMP_LE_OQ, _mm_add_ps, _mm_and_ps, _mm_andnot_ps, _mm_blendv_ps,
    _mm_cmpge_ps, _mm_cmpgt_ps, _mm_cmple_ps, _mm_cmplt_ps, _mm_div_ps, _mm_loadl_epi64,
    _mm_loadu_ps, _mm_max_ps, _mm_min_ps, _mm_movemask_ps, _mm_mul_ps, _mm_or_ps, _mm_set1_ps,
    _mm_setzero_ps, _mm_storeu_ps, _mm_sub_ps, _mm256_add_epi32, _mm256_and_ps, _mm256_and_si256,
    _mm256_blend_epi32, _mm256_castps_si256, _mm256_cmp_ps, _mm256_cvtepu8_epi32, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_max_epu32, _mm256_max_ps, _mm256_min_epu32, _mm256_min_ps,
    _mm256_movemask_ps, _mm256_mul_ps, _mm256_or_si256, _mm256_permutevar8x32_epi32,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32, _mm256_setzero_ps, _mm256_shuffle_epi32,
    _mm256_storeu_si256, _mm256_sub_ps,
};
use std::mem::MaybeUninit;

use super::{Block, LEAF, WideNode, WideScene};
use crate::RenderScene;
use crate::bvh::{TOP_DEPTH_MAX, TREE_DEPTH_MAX};
use crate::math::{FAR, between};
use crate::moving::{moment_of, ray_into};
use crate::ray::{Cast, Hit, PAD_PLACE, PAD_SIDE, Probe, SLACK, probe_of};
use crate::tables::{INSTANCE_IDENTITY, NONE};
use crate::trace::{is_before, is_there};

/// Rays that take turns: enough to cover each other's waiting, few enough to stay in the cache.
const SLOTS: usize = 16;
/// Below everything on a ray's stack: the ray has come to its end.
const DONE: u32 = u32::MAX;
/// Below an instance's nodes on a ray's stack: back to the world.
const RETURN: u32 = u32::MAX - 1;
/// Seven siblings wait on each level; then room for the marks, and for a vector's unused lanes.
const STACK_ENTRIES: usize = 8 * (TREE_DEPTH_MAX + TOP_DEPTH_MAX + 2) as usize;

/// Traces rays: the nearest hit of each, or with `ANY` the first that is found.
///
/// Only for machines with AVX2: [`crate::trace::Path::best`] has looked. `hits` is as long as
/// `casts`.
pub fn walk<const ANY: bool>(
    scene: &RenderScene,
    wide: &WideScene,
    casts: &[Cast],
    hits: &mut [Hit],
) {
    #[expect(unsafe_code, reason = "a wide scene is only made where AVX2 was detected")]
    // SAFETY: `Tracer::new` hands out wide trees only after `Path::best` has detected AVX2.
    unsafe {
        if scene.header.motion_keys == 0 {
            walk_avx2::<ANY, false>(scene, wide, casts, hits);
        } else {
            walk_avx2::<ANY, true>(scene, wide, casts, hits);
        }
    }
}

/// A ray on its way.
struct Slot {
    /// Origin and one over the direction, in the space of the nodes that are walked.
    origin: [f32; 3],
    inverse: [f32; 3],
    /// Which of a node's six lists of planes is near, per axis; its neighbour is far.
    near: [usize; 3],
    /// Axes of the triangle test, the longest last, and its shear.
    axes: [usize; 3],
    shear: [f32; 3],
    /// What comes next: a node, or something with [`LEAF`] set.
    current: u32,
    /// Instance whose tree is walked, or [`NONE`].
    instance: u32,
    /// Number of the ray.
    cast: usize,
    best: Hit,
    stack: Stack,
}

/// What waits, the nearest on top, each with a key that grows with the distance of its entry.
///
/// Lives in memory that is not zeroed first: that would cost a tenth of a ray.
struct Stack {
    top: usize,
    keys: [MaybeUninit<u32>; STACK_ENTRIES],
    children: [MaybeUninit<u32>; STACK_ENTRIES],
}

impl Stack {
    #[inline(always)]
    fn push(&mut self, child: u32) {
        self.keys[self.top] = MaybeUninit::new(0);
        self.children[self.top] = MaybeUninit::new(child);
        self.top += 1;
    }

    /// Puts a vector's first `count` lanes on top, the last of them uppermost.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn push_lanes(&mut self, keys: __m256i, children: __m256i, count: usize) {
        let to = self.top..self.top + 8;
        let (keys_to, children_to) = (&mut self.keys[to.clone()], &mut self.children[to]);
        #[expect(unsafe_code, reason = "unaligned stores of eight words over eight entries")]
        // SAFETY: both slices have eight entries of four bytes.
        unsafe {
            _mm256_storeu_si256(keys_to.as_mut_ptr().cast(), keys);
            _mm256_storeu_si256(children_to.as_mut_ptr().cast(), children);
        }
        self.top += count;
    }

    /// Puts the first `count` lanes of a vector on top, without keys.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn push_children(&mut self, children: __m256i, count: usize) {
        let to = &mut self.children[self.top..self.top + 8];
        #[expect(unsafe_code, reason = "an unaligned store of eight words over eight entries")]
        // SAFETY: the slice has eight entries of four bytes.
        unsafe {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), children);
        }
        self.top += count;
    }

    /// Takes the uppermost that is not certain to begin beyond `t_max`; with `ANY` the uppermost,
    /// for which no keys are kept.
    #[inline(always)]
    fn pop<const ANY: bool>(&mut self, t_max: f32) -> u32 {
        if ANY {
            self.top -= 1;
            #[expect(unsafe_code, reason = "the stack is not zeroed first")]
            // SAFETY: entries below `top` were written by `push` or `push_children`.
            return unsafe { self.children[self.top].assume_init() };
        }
        let beyond = t_max.to_bits().saturating_add(2 * KEY_STEP);
        loop {
            self.top -= 1;
            #[expect(unsafe_code, reason = "the stack is not zeroed first")]
            // SAFETY: entries below `top` were written by `push` or `push_lanes`.
            let (key, child) = unsafe {
                (self.keys[self.top].assume_init(), self.children[self.top].assume_init())
            };
            if key <= beyond {
                return child;
            }
        }
    }
}

/// Keys are an entry's bits, which grow with it, with the child's number in the lowest three, and
/// this added: 0 is no child.
const KEY_STEP: u32 = 8;

impl Slot {
    /// Takes a ray into the space of `probe`.
    #[inline(always)]
    fn aim(&mut self, probe: &Probe) {
        let i = probe.inverse;
        self.origin = probe.origin.to_array();
        self.inverse = i.to_array();
        self.near =
            [usize::from(i.x < 0.0), 2 + usize::from(i.y < 0.0), 4 + usize::from(i.z < 0.0)];
        let axis = probe.axis as usize;
        self.axes = [NEXT[axis], NEXT[NEXT[axis]], axis];
        self.shear = probe.shear.to_array();
    }

    /// Begins a ray.
    #[inline(always)]
    fn begin<const MOVES: bool>(
        &mut self,
        scene: &RenderScene,
        wide: &WideScene,
        cast: usize,
        of: &Cast,
    ) {
        self.cast = cast;
        self.best = Hit::miss(of.query.t_max);
        self.stack.top = 0;
        self.stack.push(DONE);
        self.instance = NONE;
        match scene.instances.as_slice() {
            [] => self.current = DONE,
            // One placed object: its own root says what the tree over instances would.
            [_] => self.enter::<MOVES>(scene, wide, 0, of),
            _ => {
                self.current = wide.root;
                self.aim(&probe_of(&of.ray));
            }
        }
    }

    /// Goes to the root of an instance's tree.
    #[inline(always)]
    fn enter<const MOVES: bool>(
        &mut self,
        scene: &RenderScene,
        wide: &WideScene,
        index: u32,
        of: &Cast,
    ) {
        let placed = &scene.instances[index as usize];
        if placed.flags & INSTANCE_IDENTITY == 0 {
            self.aim(&probe_of(&ray_into::<MOVES>(scene, placed, &of.ray, of.query.time)));
        } else {
            self.aim(&probe_of(&of.ray));
        }
        self.instance = index;
        self.current = wide.roots[index as usize];
    }

    #[inline(always)]
    fn pop<const ANY: bool>(&mut self) {
        self.current = self.stack.pop::<ANY>(self.best.t);
    }
}

/// The axis after each.
const NEXT: [usize; 3] = [1, 2, 0];

/// Slots by what comes next for them.
struct Turns {
    nodes: [u8; SLOTS],
    node_count: usize,
    others: [u8; SLOTS],
    other_count: usize,
}

impl Turns {
    /// Notes what comes next for a slot.
    #[inline(always)]
    fn note(&mut self, slot: u8, current: u32) {
        let is_other = (current >> 31) as usize;
        self.nodes[self.node_count % SLOTS] = slot;
        self.node_count += 1 - is_other;
        self.others[self.other_count % SLOTS] = slot;
        self.other_count += is_other;
    }
}

#[target_feature(enable = "avx2")]
fn walk_avx2<const ANY: bool, const MOVES: bool>(
    scene: &RenderScene,
    wide: &WideScene,
    casts: &[Cast],
    hits: &mut [Hit],
) {
    let mut memory = [const { MaybeUninit::<Slot>::uninit() }; SLOTS];
    #[expect(unsafe_code, reason = "zeroing the stacks for every call costs more than short calls")]
    // SAFETY: `Slot` is plain numbers and entries that may be anything; every number is written by
    // `Slot::begin` before the slot's number stands in `turns`, and nothing else reads slots.
    let slots = unsafe { &mut *(&raw mut memory).cast::<[Slot; SLOTS]>() };
    let mut turns = Turns { nodes: [0; SLOTS], node_count: 0, others: [0; SLOTS], other_count: 0 };
    let mut waiting = casts.iter().enumerate();
    for (number, slot) in (0..).zip(slots.iter_mut()) {
        let Some((cast, of)) = waiting.next() else { break };
        slot.begin::<MOVES>(scene, wide, cast, of);
        turns.note(number, slot.current);
    }
    while turns.node_count + turns.other_count > 0 {
        let count = std::mem::take(&mut turns.node_count);
        for turn in 0..count {
            let number = turns.nodes[turn];
            let slot = &mut slots[number as usize];
            open::<ANY>(&wide.nodes[slot.current as usize], slot);
            slot.pop::<ANY>();
            turns.note(number, slot.current);
        }
        let count = std::mem::take(&mut turns.other_count);
        for turn in 0..count {
            let number = turns.others[turn];
            let slot = &mut slots[number as usize];
            if slot.current == DONE {
                hits[slot.cast] = slot.best;
                let Some((cast, of)) = waiting.next() else { continue };
                slot.begin::<MOVES>(scene, wide, cast, of);
            } else {
                visit::<ANY, MOVES>(scene, wide, slot, &casts[slot.cast]);
            }
            turns.note(number, slot.current);
        }
    }
}

/// Visits what is no node: triangles, instances, or the way back from one.
#[target_feature(enable = "avx2")]
#[inline]
fn visit<const ANY: bool, const MOVES: bool>(
    scene: &RenderScene,
    wide: &WideScene,
    slot: &mut Slot,
    of: &Cast,
) {
    if slot.current == RETURN {
        slot.instance = NONE;
        slot.aim(&probe_of(&of.ray));
        slot.pop::<ANY>();
    } else if slot.instance == NONE {
        let (first, count) = ((slot.current & !LEAF) >> 2, slot.current & 3);
        if count > 1 {
            slot.stack.push(LEAF | (first + 1) << 2 | (count - 1));
        }
        slot.stack.push(RETURN);
        slot.enter::<MOVES>(scene, wide, first, of);
    } else {
        let block = &wide.blocks[(slot.current & !LEAF) as usize];
        let moved;
        let block = if !MOVES || block.moves == 0 {
            block
        } else {
            moved = block_at(scene, wide, block, of.query.time);
            &moved
        };
        if try_block::<MOVES>(scene, of, block, slot) && ANY {
            slot.current = DONE;
        } else {
            slot.pop::<ANY>();
        }
    }
}

/// A block as it is at a time: what [`crate::moving::moved_triangle`] does, four at a time.
#[inline(never)]
fn block_at(scene: &RenderScene, wide: &WideScene, block: &Block, time: f32) -> Block {
    let moment = moment_of(&scene.header, time);
    let first = (block.moves - 1 + moment.key) as usize;
    let (from, to) = (&wide.keys[first], &wide.keys[first + 1]);
    let mut moved = *block;
    let lanes = moved.vertices.as_flattened_mut().as_flattened_mut();
    let (from, to) = (from.as_flattened().as_flattened(), to.as_flattened().as_flattened());
    for ((lane, &from), &to) in lanes.iter_mut().zip(from).zip(to) {
        *lane = between(from, to, moment.share);
    }
    moved
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

#[target_feature(enable = "avx2")]
#[inline]
fn store4(values: __m128) -> [f32; 4] {
    let mut stored = [0.0; 4];
    #[expect(unsafe_code, reason = "an unaligned store of four floats into an array of four")]
    // SAFETY: the array has all 16 bytes.
    unsafe {
        _mm_storeu_ps(stored.as_mut_ptr(), values);
    }
    stored
}

/// Tests a node's boxes and lets the children that are met wait, the nearest on top; with `ANY` in
/// the node's own order. The operations are those of [`crate::ray::intersect_box`].
#[target_feature(enable = "avx2")]
#[inline]
fn open<const ANY: bool>(node: &WideNode, slot: &mut Slot) {
    macro_rules! distances {
        ($axis:literal) => {{
            let origin = _mm256_set1_ps(slot.origin[$axis]);
            let inverse = _mm256_set1_ps(slot.inverse[$axis]);
            let near = load8(&node.planes[slot.near[$axis]]);
            let far = load8(&node.planes[slot.near[$axis] ^ 1]);
            (
                _mm256_mul_ps(_mm256_sub_ps(near, origin), inverse),
                _mm256_mul_ps(_mm256_sub_ps(far, origin), inverse),
            )
        }};
    }
    let (near_x, far_x) = distances!(0);
    let (near_y, far_y) = distances!(1);
    let (near_z, far_z) = distances!(2);
    let enter = _mm256_max_ps(_mm256_max_ps(near_x, near_y), near_z);
    let enter = _mm256_mul_ps(_mm256_max_ps(enter, _mm256_setzero_ps()), _mm256_set1_ps(SLACK));
    let leave = _mm256_min_ps(_mm256_min_ps(far_x, far_y), far_z);
    let inside = _mm256_and_ps(
        _mm256_cmp_ps::<_CMP_LE_OQ>(enter, leave),
        _mm256_cmp_ps::<_CMP_LE_OQ>(enter, _mm256_set1_ps(slot.best.t)),
    );
    let mask = _mm256_movemask_ps(inside) as usize;
    let count = mask.count_ones() as usize;
    #[expect(unsafe_code, reason = "unaligned loads of eight words and of eight bytes from arrays")]
    // SAFETY: the references cover all 32 and all 8 bytes.
    let (children, set) = unsafe {
        (
            _mm256_loadu_si256(node.children.as_ptr().cast()),
            _mm_loadl_epi64(SET_LANES[mask % 256].as_ptr().cast()),
        )
    };
    if ANY {
        let met = _mm256_permutevar8x32_epi32(children, _mm256_cvtepu8_epi32(set));
        return slot.stack.push_children(met, count);
    }
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let coarse = _mm256_and_si256(_mm256_castps_si256(enter), _mm256_set1_epi32(!7));
    let keys = _mm256_add_epi32(_mm256_or_si256(coarse, lanes), _mm256_set1_epi32(KEY_STEP as i32));
    let keys = sort_falling(_mm256_and_si256(keys, _mm256_castps_si256(inside)));
    // The permutation reads the lowest three bits of each key: the child's number.
    slot.stack.push_lanes(keys, _mm256_permutevar8x32_epi32(children, keys), count);
}

/// The numbers of the bits that are set in a byte, in order; then zeros.
static SET_LANES: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut count) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 != 0 {
                table[mask][count] = lane as u8;
                count += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// Eight numbers from the greatest to the least: a bitonic network of six layers.
#[target_feature(enable = "avx2")]
#[inline]
fn sort_falling(keys: __m256i) -> __m256i {
    // A layer compares each lane with its partner; lanes of the mask keep the lesser.
    macro_rules! layer {
        ($keys:expr, $partners:expr, $lesser:literal) => {{
            let (own, other) = ($keys, $partners);
            _mm256_blend_epi32::<$lesser>(
                _mm256_max_epu32(own, other),
                _mm256_min_epu32(own, other),
            )
        }};
    }
    let a = layer!(keys, _mm256_shuffle_epi32::<0b10_11_00_01>(keys), 0b1010_1010);
    let b = layer!(a, _mm256_shuffle_epi32::<0b00_01_10_11>(a), 0b1100_1100);
    let c = layer!(b, _mm256_shuffle_epi32::<0b10_11_00_01>(b), 0b1010_1010);
    let turned = _mm256_permutevar8x32_epi32(c, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
    let d = layer!(c, turned, 0b1111_0000);
    let e = layer!(d, _mm256_shuffle_epi32::<0b01_00_11_10>(d), 0b1100_1100);
    layer!(e, _mm256_shuffle_epi32::<0b10_11_00_01>(e), 0b1010_1010)
}

/// Tries the triangles of a block and keeps what comes first. Returns whether one was kept.
///
/// What [`crate::trace::try_triangle`] does, without a look at a triangle's record where neither a
/// tie nor its flags ask for one: the block is in the cache already, the record is not.
#[target_feature(enable = "avx2")]
#[inline]
fn try_block<const MOVES: bool>(
    scene: &RenderScene,
    of: &Cast,
    block: &Block,
    slot: &mut Slot,
) -> bool {
    let (mut met, t, u, v) = intersect_block(block, slot);
    if met == 0 {
        return false;
    }
    let (t, u, v) = (store4(t), store4(u), store4(v));
    let mut kept = false;
    while met != 0 {
        let lane = met.trailing_zeros() as usize;
        met &= met - 1;
        let (t, u, v) = (t[lane], u[lane], v[lane]);
        let triangle = block.records[lane];
        let best = &slot.best;
        if t > best.t || (t >= best.t && !is_before(scene, t, slot.instance, triangle, best)) {
            continue;
        }
        let asked = if of.query.camera { block.alpha | block.cull } else { block.alpha };
        if asked >> lane & 1 != 0 {
            let placed = &scene.instances[slot.instance as usize];
            let record = &scene.triangles[triangle as usize];
            let direction = if placed.flags & INSTANCE_IDENTITY == 0 {
                ray_into::<MOVES>(scene, placed, &of.ray, of.query.time).direction
            } else {
                of.ray.direction
            };
            if !is_there::<MOVES>(scene, &of.query, direction, placed, record, (u, v)) {
                continue;
            }
        }
        slot.best = Hit { t, u, v, instance: slot.instance, triangle };
        kept = true;
    }
    kept
}

/// [`crate::ray::intersect_triangle`], four at a time: the lanes that are met no later than the
/// best hit so far, and `t`, `u`, `v` of each lane.
///
/// Macros stand where one would write closures: what takes vectors must be inlined here.
#[target_feature(enable = "avx2")]
#[inline]
fn intersect_block(block: &Block, slot: &Slot) -> (u32, __m128, __m128, __m128) {
    let [first, second, last] = slot.axes;
    let [a, b, c] = &block.vertices;
    macro_rules! origin {
        ($axis:expr) => {
            _mm_set1_ps(slot.origin[$axis])
        };
    }
    let [x_from, y_from, z_from] = [origin!(first), origin!(second), origin!(last)];
    let [shear_x, shear_y] = [_mm_set1_ps(slot.shear[0]), _mm_set1_ps(slot.shear[1])];
    macro_rules! sheared {
        ($vertex:expr) => {{
            let z = _mm_sub_ps(load4(&$vertex[last]), z_from);
            let x = _mm_sub_ps(load4(&$vertex[first]), x_from);
            let y = _mm_sub_ps(load4(&$vertex[second]), y_from);
            (_mm_sub_ps(x, _mm_mul_ps(shear_x, z)), _mm_sub_ps(y, _mm_mul_ps(shear_y, z)), z)
        }};
    }
    let (ax, ay, az) = sheared!(a);
    let (bx, by, bz) = sheared!(b);
    let (cx, cy, cz) = sheared!(c);
    let u = _mm_sub_ps(_mm_mul_ps(cx, by), _mm_mul_ps(cy, bx));
    let v = _mm_sub_ps(_mm_mul_ps(ax, cy), _mm_mul_ps(ay, cx));
    let w = _mm_sub_ps(_mm_mul_ps(bx, ay), _mm_mul_ps(by, ax));
    let zero = _mm_setzero_ps();
    let below =
        _mm_or_ps(_mm_or_ps(_mm_cmplt_ps(u, zero), _mm_cmplt_ps(v, zero)), _mm_cmplt_ps(w, zero));
    let above =
        _mm_or_ps(_mm_or_ps(_mm_cmpgt_ps(u, zero), _mm_cmpgt_ps(v, zero)), _mm_cmpgt_ps(w, zero));
    let outside = _mm_movemask_ps(_mm_and_ps(below, above)) as u32;
    if !outside & block.mask == 0 {
        return (0, zero, zero, zero);
    }
    let determinant = _mm_add_ps(_mm_add_ps(u, v), w);
    let scale = _mm_div_ps(_mm_set1_ps(1.0), determinant);
    let along = _mm_add_ps(_mm_add_ps(_mm_mul_ps(u, az), _mm_mul_ps(v, bz)), _mm_mul_ps(w, cz));
    let plain = _mm_mul_ps(_mm_mul_ps(along, _mm_set1_ps(slot.shear[2])), scale);

    // The triangles' own boxes, as in `crate::ray::triangle_box`.
    let sign = _mm_set1_ps(-0.0);
    macro_rules! box_side {
        ($axis:expr) => {{
            let (a, b, c) = (load4(&a[$axis]), load4(&b[$axis]), load4(&c[$axis]));
            let low = _mm_min_ps(_mm_min_ps(a, b), c);
            let high = _mm_max_ps(_mm_max_ps(a, b), c);
            let far = _mm_max_ps(_mm_andnot_ps(sign, low), _mm_andnot_ps(sign, high));
            (low, high, _mm_sub_ps(high, low), far)
        }};
    }
    let (low_x, high_x, side_x, far_x) = box_side!(0);
    let (low_y, high_y, side_y, far_y) = box_side!(1);
    let (low_z, high_z, side_z, far_z) = box_side!(2);
    let pad = _mm_add_ps(
        _mm_mul_ps(_mm_max_ps(_mm_max_ps(side_x, side_y), side_z), _mm_set1_ps(PAD_SIDE)),
        _mm_mul_ps(_mm_max_ps(_mm_max_ps(far_x, far_y), far_z), _mm_set1_ps(PAD_PLACE)),
    );

    // The ray's way through them, as in `crate::ray::intersect_box`.
    macro_rules! way {
        ($axis:expr, $low:expr, $high:expr) => {{
            let (from, inverse) = (origin!($axis), _mm_set1_ps(slot.inverse[$axis]));
            let to_low = _mm_mul_ps(_mm_sub_ps(_mm_sub_ps($low, pad), from), inverse);
            let to_high = _mm_mul_ps(_mm_sub_ps(_mm_add_ps($high, pad), from), inverse);
            // The nearer of the two by the direction's sign, which the inverse carries.
            let near = _mm_blendv_ps(to_low, to_high, inverse);
            let far = _mm_blendv_ps(to_high, to_low, inverse);
            (near, far)
        }};
    }
    let (near_x, far_x) = way!(0, low_x, high_x);
    let (near_y, far_y) = way!(1, low_y, high_y);
    let (near_z, far_z) = way!(2, low_z, high_z);
    let enter = _mm_max_ps(_mm_max_ps(_mm_max_ps(near_x, near_y), near_z), zero);
    let enter = _mm_mul_ps(enter, _mm_set1_ps(SLACK));
    let leave = _mm_min_ps(_mm_min_ps(far_x, far_y), far_z);
    let t = _mm_min_ps(_mm_max_ps(plain, enter), leave);

    let has_area = _mm_cmplt_ps(_mm_andnot_ps(sign, scale), _mm_set1_ps(FAR));
    let is_inside = _mm_cmple_ps(enter, leave);
    let is_ahead = _mm_cmpgt_ps(t, zero);
    let is_near = _mm_cmpge_ps(_mm_set1_ps(slot.best.t), t);
    let met = _mm_and_ps(_mm_and_ps(has_area, is_inside), _mm_and_ps(is_ahead, is_near));
    let met = _mm_movemask_ps(met) as u32 & !outside & block.mask;
    (met, t, _mm_mul_ps(v, scale), _mm_mul_ps(w, scale))
}
