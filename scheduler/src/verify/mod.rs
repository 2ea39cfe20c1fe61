//! Trust by rendering again: which pixels, how many, and what counts as agreement.

mod judge;
pub mod welch;

pub use judge::{Distance, Drift, Tolerance, differing, differing_pixels, doubtful, judge};
pub use protocol::challenge::{challenge_pixels, detection_probability};
