//! Rays and the boxes of a node's children, all eight at once.
//!
//! The operations are those of [`crate::ray::intersect_box`].

use std::arch::x86_64::{
    __m256, __m256i, _CMP_LE_OQ, _mm_loadl_epi64, _mm256_add_epi32, _mm256_and_ps,
    _mm256_and_si256, _mm256_blend_epi32, _mm256_castps_si256, _mm256_cmp_ps, _mm256_cvtepu8_epi32,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_max_epu32, _mm256_max_ps, _mm256_min_epu32,
    _mm256_min_ps, _mm256_movemask_ps, _mm256_mul_ps, _mm256_or_si256, _mm256_permutevar8x32_epi32,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32, _mm256_setzero_ps, _mm256_shuffle_epi32,
    _mm256_sub_ps,
};

use super::WideNode;
use super::stack::KEY_STEP;
use super::walk::Slot;
use crate::ray::SLACK;

/// Tests a node's boxes and lets the children that are met wait, the nearest on top; with `ANY` in
/// the node's own order.
#[target_feature(enable = "avx2,popcnt,bmi1,bmi2,lzcnt")]
#[inline]
pub fn open<const ANY: bool>(node: &WideNode, slot: &mut Slot) {
    macro_rules! distances {
        ($axis:literal) => {{
            let origin = _mm256_set1_ps(slot.origin[$axis]);
            let inverse = _mm256_set1_ps(slot.inverse[$axis]);
            let [near, far] = slot.sides(node, $axis);
            (
                _mm256_mul_ps(_mm256_sub_ps(load8(near), origin), inverse),
                _mm256_mul_ps(_mm256_sub_ps(load8(far), origin), inverse),
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
    let children = load_children(node);
    if ANY {
        #[expect(unsafe_code, reason = "a load of eight bytes from an array")]
        // SAFETY: the reference covers all eight bytes.
        let set = unsafe { _mm_loadl_epi64(SET_LANES[mask % 256].as_ptr().cast()) };
        let met = _mm256_permutevar8x32_epi32(children, _mm256_cvtepu8_epi32(set));
        return slot.stack.push_children(met, count);
    }
    let keys = _mm256_add_epi32(keys_of(enter), _mm256_set1_epi32(KEY_STEP as i32));
    let keys = sort_falling(_mm256_and_si256(keys, _mm256_castps_si256(inside)));
    slot.stack.push_lanes(keys, _mm256_permutevar8x32_epi32(children, keys), count);
}

/// Keys by which children are sorted, without [`KEY_STEP`]; a permutation reads the child's number
/// from their lowest three bits.
#[target_feature(enable = "avx2")]
#[inline]
fn keys_of(enter: __m256) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let coarse = _mm256_and_si256(_mm256_castps_si256(enter), _mm256_set1_epi32(!7));
    _mm256_or_si256(coarse, lanes)
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
fn load_children(node: &WideNode) -> __m256i {
    #[expect(unsafe_code, reason = "an unaligned load of eight words from an array of eight")]
    // SAFETY: the reference covers all 32 bytes.
    unsafe {
        _mm256_loadu_si256(node.children.as_ptr().cast())
    }
}
