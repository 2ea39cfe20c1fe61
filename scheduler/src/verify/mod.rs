//! Trust by rendering again: which pixels, how many, and what counts as agreement.

mod judge;
mod pixels;

pub use judge::{Tolerance, differing_pixels, judge};
pub use pixels::{challenge_pixels, detection_probability};
