//! Films, frames and pictures: sums become an image here.
//!
//! A [`Film`] holds the sums of one batch of one tile. A [`Frame`] takes films in any order and
//! adds them up in one fixed order. Its [`Picture`] holds means, to be written as EXR
//! ([`write_exr`]), shown through a [`Look`] ([`write_png`], [`write_jpeg`]) or compared ([`compare`]).

mod atomic;
pub mod compare;
mod exr_file;
pub mod film;
mod frame;
mod image_file;
mod picture;
pub mod tripwire;
mod view;

pub use exr_file::{
    Metadata, Precision, ReadError, WriteError, read_exr, read_exr_bytes, write_exr,
};
pub use film::{Film, FilmError, PIXEL_BYTES, Pixel};
pub use frame::{Frame, InsertError};
pub use image_file::{ImageFileError, JpegQuality, PngDepth, write_jpeg, write_png};
pub use picture::{Picture, luminance};
pub use view::{Look, View, WhiteBalance, WhiteBalanceError, display_rgb, view_rgba8, view_rgba16};
