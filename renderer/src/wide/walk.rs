//! Many rays at once through the wide trees.
//!
//! One ray waits most of its time: for a node to arrive, for a comparison to end, for a branch
//! that was guessed wrong. So sixteen rays take turns. Each turn opens one node without a branch:
//! the children that are met are sorted by a network and put on the ray's stack as one vector.
//! Rays that come to triangles are tried in a turn of their own.
//!
//! It finds the hits that [`crate::trace::walk_packed`] finds, bit for bit: boxes only skip, and
//! the operations on triangles are those of [`crate::ray::intersect_triangle`], four at a time.

use std::mem::MaybeUninit;

use super::boxes::open;
use super::stack::Stack;
use super::triangles::{block_at, try_block};
use super::{LEAF, WideNode, WideScene};
use crate::RenderScene;
use crate::moving::ray_into;
use crate::ray::{Cast, Hit, Probe, probe_of};
use crate::tables::{INSTANCE_IDENTITY, NONE};

/// Rays that take turns: enough to cover each other's waiting, few enough to stay in the cache.
const SLOTS: usize = 16;
/// Below everything on a ray's stack: the ray has come to its end.
const DONE: u32 = u32::MAX;
/// Below an instance's nodes on a ray's stack: back to the world.
const RETURN: u32 = u32::MAX - 1;

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
pub struct Slot {
    /// Where it begins, in the space of the nodes that are walked.
    pub origin: [f32; 3],
    /// One over its direction there.
    pub inverse: [f32; 3],
    /// Whether the upper planes are the near ones, per axis.
    from_above: [bool; 3],
    /// Axes of the triangle test, the longest last.
    pub axes: [usize; 3],
    /// Its shear.
    pub shear: [f32; 3],
    /// What comes next: a node, or something with [`LEAF`] set.
    current: u32,
    /// Instance whose tree is walked, or [`NONE`].
    pub instance: u32,
    /// Number of the ray.
    cast: usize,
    /// The hit that comes first so far.
    pub best: Hit,
    /// What waits.
    pub stack: Stack,
}

impl Slot {
    /// Near and far planes of a node's boxes along an axis.
    #[inline(always)]
    pub fn sides<'a>(&self, node: &'a WideNode, axis: usize) -> [&'a [f32; 8]; 2] {
        let (planes, above) = (&node.planes[axis], self.from_above[axis]);
        [&planes[usize::from(above)], &planes[usize::from(!above)]]
    }

    /// Takes a ray into the space of `probe`.
    #[inline(always)]
    fn aim(&mut self, probe: &Probe) {
        let i = probe.inverse;
        self.origin = probe.origin.to_array();
        self.inverse = i.to_array();
        self.from_above = self.inverse.map(|one| one < 0.0);
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
        self.stack.begin(DONE);
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

#[target_feature(enable = "avx2,popcnt,bmi1,bmi2,lzcnt")]
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
            let number = turns.nodes[turn % SLOTS];
            let slot = &mut slots[number as usize % SLOTS];
            let node = &wide.nodes[slot.current as usize];
            open::<ANY>(node, slot);
            slot.pop::<ANY>();
            turns.note(number, slot.current);
        }
        let count = std::mem::take(&mut turns.other_count);
        for turn in 0..count {
            let number = turns.others[turn % SLOTS];
            let slot = &mut slots[number as usize % SLOTS];
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
