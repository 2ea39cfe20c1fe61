//! Films, frames and pictures: sums become an image here.
//!
//! A [`Film`] holds the sums of one batch of one tile. A [`Frame`] takes films in any order and
//! adds them up in one fixed order. Its [`Picture`] holds means and named layers, to be written as
//! EXR ([`write_exr`]), shown through a [`Look`] ([`write_png`], [`write_jpeg`]), denoised
//! ([`denoise`]) or compared ([`compare`]).

mod atomic;
mod bytes;
pub mod compare;
pub mod cryptomatte;
pub mod denoise;
pub mod evidence;
mod exr_file;
pub mod film;
mod frame;
mod halves;
mod image_file;
pub mod layer;
mod merged;
pub mod noise;
pub mod opening;
pub mod passes;
mod picture;
mod sums;
pub mod tripwire;
mod view;

pub use bytes::{PIXEL_BYTES, film_pixel_bytes};
pub use exr_file::{
    ChannelNames, ExrCompression, ExrOptions, FrameRate, Metadata, Precision, ReadError,
    WriteError, read_exr, read_exr_bytes, read_exr_metadata, write_exr,
};
pub use film::{Film, FilmError, Pixel};
pub use frame::{Frame, InsertError};
pub use halves::half_means;
pub use image_file::{ImageFileError, JpegQuality, PngDepth, write_jpeg, write_png};
pub use layer::{Layer, LayerError, LayerKind, LayerValues};
pub use merged::Merged;
pub use noise::is_quiet;
pub use passes::{Passes, Scattered};
pub use picture::{Picture, Place, luminance};
pub use sums::Sums;
pub use view::{
    Look, Lut, LutError, View, WhiteBalance, WhiteBalanceError, display_rgb, view_rgba8,
    view_rgba16,
};
