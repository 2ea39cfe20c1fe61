//! The bytes of sums: what is hashed, sent and kept.
//!
//! Pixels lie in sheets of 64 bytes a pixel, little-endian: the first holds [`Pixel`]. With light
//! passes two more follow, of direct light and emission and of indirect light and environment, in
//! each of which a pixel has twelve values and four zeros.

use crate::film::{FilmError, Pixel};
use crate::passes;
use crate::sums::Sums;

/// Bytes of a pixel in a sheet.
pub const PIXEL_BYTES: usize = size_of::<Pixel>();
/// Words of a pixel in a sheet.
const PIXEL_WORDS: usize = PIXEL_BYTES / 4;
/// Sheets of a film with light passes.
const SHEETS_WITH_PASSES: usize = 3;
/// Numbers of a pixel in each of the last two sheets; zeros fill them up.
const SHEET_VALUES: usize = passes::WORDS / (SHEETS_WITH_PASSES - 1);

/// Bytes of a pixel of a film.
#[must_use]
pub const fn film_pixel_bytes(has_passes: bool) -> usize {
    sheets(has_passes) * PIXEL_BYTES
}

/// Sheets of a film.
pub(crate) const fn sheets(has_passes: bool) -> usize {
    if has_passes { SHEETS_WITH_PASSES } else { 1 }
}

impl Sums {
    /// Reads the bytes of [`Sums::to_bytes`] of `count` pixels.
    ///
    /// # Errors
    /// [`FilmError::Length`], [`FilmError::Reserved`]; the bytes are not copied before their number
    /// is checked.
    pub fn from_bytes(count: usize, has_passes: bool, bytes: &[u8]) -> Result<Self, FilmError> {
        let wanted_bytes = count * film_pixel_bytes(has_passes);
        if bytes.len() != wanted_bytes {
            let got_bytes = bytes.len();
            return Err(FilmError::Length { pixels: count, wanted_bytes, got_bytes });
        }
        let (first, more) = bytes.split_at(count * PIXEL_BYTES);
        let mut pixels = vec![Pixel::default(); count];
        bytemuck::cast_slice_mut(&mut pixels).copy_from_slice(first);
        if cfg!(target_endian = "big") {
            let words: &mut [u32] = bytemuck::cast_slice_mut(&mut pixels);
            words.iter_mut().for_each(|word| *word = word.swap_bytes());
        }
        if !has_passes {
            return Ok(Self::from(pixels));
        }
        let (direct, indirect) = more.split_at(count * PIXEL_BYTES);
        let mut passes = Vec::with_capacity(count);
        let rows = direct.chunks_exact(PIXEL_BYTES).zip(indirect.chunks_exact(PIXEL_BYTES));
        for (at, (direct, indirect)) in rows.enumerate() {
            let mut values = [0_u32; passes::WORDS];
            for (sheet, row) in [direct, indirect].into_iter().enumerate() {
                let row = words(row);
                let (used, rest) = row.split_at(SHEET_VALUES);
                if let Some(odd) = rest.iter().position(|&word| word != 0) {
                    let word = ((sheet + 1) * count + at) * PIXEL_WORDS + SHEET_VALUES + odd;
                    return Err(FilmError::Reserved { word });
                }
                values[sheet * SHEET_VALUES..][..SHEET_VALUES].copy_from_slice(used);
            }
            passes.push(bytemuck::must_cast(values));
        }
        Ok(Self::with_passes(pixels, passes))
    }

    /// Canonical bytes: sheet by sheet, the pixels in their order.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let passes = self.passes();
        let pixel_bytes = film_pixel_bytes(passes.is_some());
        let mut bytes = Vec::with_capacity(self.len() * pixel_bytes);
        if cfg!(target_endian = "little") {
            bytes.extend_from_slice(bytemuck::cast_slice(self.pixels()));
        } else {
            let words = self.pixels().iter().flat_map(Pixel::bits);
            bytes.extend(words.flat_map(u32::to_le_bytes));
        }
        let mut push = |word: u32| bytes.extend(word.to_le_bytes());
        for sheet in 0..SHEETS_WITH_PASSES - 1 {
            for pixel in passes.into_iter().flatten() {
                pixel.bits()[sheet * SHEET_VALUES..][..SHEET_VALUES]
                    .iter()
                    .for_each(|&it| push(it));
                (SHEET_VALUES..PIXEL_WORDS).for_each(|_| push(0));
            }
        }
        bytes
    }
}

/// The words of a pixel in a sheet.
fn words(bytes: &[u8]) -> [u32; PIXEL_WORDS] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|at| u32::from_le_bytes(words[at]))
}
