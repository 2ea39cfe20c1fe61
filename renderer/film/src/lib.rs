//! Films, frames and pictures: sums become an image here.

pub mod film;

pub use film::{Film, FilmError, PIXEL_BYTES, Pixel};
