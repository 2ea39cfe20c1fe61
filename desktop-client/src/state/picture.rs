//! A picture as it arrives: scene-linear light in patches, never what a display makes of it.

use std::sync::Arc;

use protocol::{Rect, Size};

/// Scene-linear RGB and coverage in half floats: red, green, blue, alpha (0 where nothing is).
pub type Texel = [u16; 4];

/// The light of a half float that is not a number, cut to what a texture filter can stand.
const BRIGHTEST: f32 = 60_000.0;

/// A rectangle of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Its place among the picture's changes, from 1 on.
    pub number: u64,
    /// Where, pixels.
    pub rect: Rect,
    /// Rows from the upper left.
    pub texels: Vec<Texel>,
}

/// What has come of a picture. Clones share their patches.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Tells it from the other pictures of this run of the app.
    pub id: u64,
    /// Width and height, pixels.
    pub size: Size,
    changes: u64,
    patches: Vec<Arc<Patch>>,
}

impl Picture {
    /// Nothing yet.
    #[must_use]
    pub const fn new(id: u64, size: Size) -> Self {
        Self { id, size, changes: 0, patches: Vec::new() }
    }

    /// All of it at once, as the change of this number: pictures of one name that follow each other.
    #[must_use]
    pub fn whole(id: u64, size: Size, number: u64, texels: Vec<Texel>) -> Self {
        let patch = Patch { number, rect: Rect::of_size(size), texels };
        Self { id, size, changes: number, patches: vec![Arc::new(patch)] }
    }

    /// Takes a rectangle in; one of the same place is replaced. One that does not fit is left out.
    pub fn write(&mut self, rect: Rect, texels: Vec<Texel>) {
        let Size { width, height } = self.size;
        let fits = rect.x0 < rect.x1 && rect.y0 < rect.y1 && rect.x1 <= width && rect.y1 <= height;
        if !fits || rect.pixel_count() != texels.len() as u64 {
            return;
        }
        self.patches.retain(|patch| patch.rect != rect);
        self.changes += 1;
        self.patches.push(Arc::new(Patch { number: self.changes, rect, texels }));
    }

    /// What there is, in order of arrival.
    #[must_use]
    pub fn patches(&self) -> &[Arc<Patch>] {
        &self.patches
    }

    /// Number of the last change; 0 before there is one.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Scene-linear RGB of a pixel, where there is one.
    #[must_use]
    pub fn light(&self, x: u32, y: u32) -> Option<[f32; 3]> {
        let [red, green, blue, alpha] = self.texel(x, y)?.map(half_to_f32);
        (alpha > 0.0).then_some([red, green, blue])
    }

    /// A pixel as it is kept, where one has come.
    #[must_use]
    pub fn texel(&self, x: u32, y: u32) -> Option<Texel> {
        let inside =
            |rect: &Rect| (rect.x0..rect.x1).contains(&x) && (rect.y0..rect.y1).contains(&y);
        let patch = self.patches.iter().rev().find(|patch| inside(&patch.rect))?;
        let Rect { x0, y0, .. } = patch.rect;
        let index = (y - y0) as usize * patch.rect.width() as usize + (x - x0) as usize;
        patch.texels.get(index).copied()
    }
}

/// A pixel's light as a texel, opaque: a picture shows what its rays saw, sky included.
#[must_use]
pub fn texel(rgb: [f32; 3]) -> Texel {
    let [red, green, blue] = rgb.map(|value| {
        let cut = if value > 0.0 { value.min(BRIGHTEST) } else { 0.0 };
        half::f16::from_f32(cut).to_bits()
    });
    [red, green, blue, half::f16::ONE.to_bits()]
}

fn half_to_f32(bits: u16) -> f32 {
    half::f16::from_bits(bits).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(8, 8);

    fn rect(x0: u32, y0: u32, x1: u32, y1: u32) -> Rect {
        Rect { x0, y0, x1, y1 }
    }

    #[test]
    fn a_patch_is_replaced_by_a_later_one_of_its_place() {
        let mut picture = Picture::new(1, SIZE);
        picture.write(rect(0, 0, 4, 4), vec![texel([0.25; 3]); 16]);
        picture.write(rect(4, 0, 8, 4), vec![texel([0.5; 3]); 16]);
        picture.write(rect(0, 0, 4, 4), vec![texel([2.0; 3]); 16]);
        let numbers: Vec<u64> = picture.patches().iter().map(|patch| patch.number).collect();
        assert_eq!(numbers, [2, 3]);
        assert_eq!(picture.light(3, 3), Some([2.0; 3]));
        assert_eq!(picture.light(4, 3), Some([0.5; 3]));
        assert_eq!(picture.light(0, 4), None, "nothing has come there");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut picture = Picture::new(1, SIZE);
        picture.write(rect(4, 4, 9, 8), vec![texel([1.0; 3]); 20]);
        picture.write(rect(0, 0, 4, 4), vec![texel([1.0; 3]); 15]);
        picture.write(rect(2, 2, 2, 4), Vec::new());
        assert!(picture.patches().is_empty() && picture.changes() == 0);
    }

    #[test]
    fn texels_are_finite() {
        let [red, green, blue, alpha] = texel([f32::NAN, f32::INFINITY, -1.0]).map(half_to_f32);
        assert!(
            red == 0.0
                && green.is_finite()
                && green > 5e4
                && blue == 0.0
                && (alpha - 1.0).abs() < 1e-6
        );
    }
}
