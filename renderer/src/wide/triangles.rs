//! Rays and triangles, four at a time.

use std::arch::x86_64::{
    __m128, _mm_add_ps, _mm_and_ps, _mm_andnot_ps, _mm_blendv_ps, _mm_cmpge_ps, _mm_cmpgt_ps,
    _mm_cmple_ps, _mm_cmplt_ps, _mm_div_ps, _mm_loadu_ps, _mm_max_ps, _mm_min_ps, _mm_movemask_ps,
    _mm_mul_ps, _mm_or_ps, _mm_set1_ps, _mm_setzero_ps, _mm_storeu_ps, _mm_sub_ps,
};

use super::walk::Slot;
use super::{Block, WideScene};
use crate::RenderScene;
use crate::math::{FAR, between};
use crate::moving::{moment_of, ray_into};
use crate::ray::{Cast, Hit, PAD_PLACE, PAD_SIDE, SLACK};
use crate::tables::INSTANCE_IDENTITY;
use crate::trace::{is_before, is_there};

/// A block as it is at a time: what [`crate::moving::moved_triangle`] does, four at a time.
#[inline(never)]
pub fn block_at(scene: &RenderScene, wide: &WideScene, block: &Block, time: f32) -> Block {
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

/// Tries the triangles of a block and keeps what comes first. Returns whether one was kept.
///
/// What [`crate::trace::try_triangle`] does, without a look at a triangle's record where neither a
/// tie nor its flags ask for one: the block is in the cache already, the record is not.
#[target_feature(enable = "avx2")]
#[inline]
pub fn try_block<const MOVES: bool>(
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
