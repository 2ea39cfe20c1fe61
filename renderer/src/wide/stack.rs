//! What waits to be visited by a ray.

use std::arch::x86_64::{__m256i, _mm256_storeu_si256};
use std::mem::MaybeUninit;

use crate::bvh::{TOP_DEPTH_MAX, TREE_DEPTH_MAX};

/// Seven siblings wait on each level; then room for the marks, and for a vector's unused lanes.
const ENTRIES: usize = 8 * (TREE_DEPTH_MAX + TOP_DEPTH_MAX + 2) as usize;

/// Keys are an entry's bits, which grow with it, with the child's number in the lowest three, and
/// this added: 0 is no child.
pub const KEY_STEP: u32 = 8;

/// What waits, the nearest on top, each with a key that grows with the distance of its entry.
///
/// Lives in memory that is not zeroed first: that would cost a tenth of a ray.
pub struct Stack {
    top: usize,
    keys: [MaybeUninit<u32>; ENTRIES],
    children: [MaybeUninit<u32>; ENTRIES],
}

impl Stack {
    /// Leaves one child.
    #[inline(always)]
    pub fn begin(&mut self, child: u32) {
        self.top = 0;
        self.push(child);
    }

    /// Puts a child on top that is visited whatever has been met.
    #[inline(always)]
    pub fn push(&mut self, child: u32) {
        self.keys[self.top] = MaybeUninit::new(0);
        self.children[self.top] = MaybeUninit::new(child);
        self.top += 1;
    }

    /// Puts a vector's first `count` lanes on top, the last of them uppermost.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn push_lanes(&mut self, keys: __m256i, children: __m256i, count: usize) {
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
    pub fn push_children(&mut self, children: __m256i, count: usize) {
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
    pub fn pop<const ANY: bool>(&mut self, t_max: f32) -> u32 {
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
