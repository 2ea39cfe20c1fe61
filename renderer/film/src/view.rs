//! Looks: from scene-linear radiance to what a display shows.

mod aces;
mod agx;
mod lut;
mod neutral;
mod white_balance;

use std::sync::Arc;

use rayon::prelude::*;

use crate::picture::Picture;

pub use lut::{Lut, LutError};
pub use white_balance::{WhiteBalance, WhiteBalanceError};

/// How scene-linear colour becomes sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// AgX as Blender shows it: film-like, highlights lose their colour softly.
    #[default]
    Agx,
    /// AgX with Blender's punchy look: darker, richer.
    AgxPunchy,
    /// Khronos PBR Neutral: base colours as they are, only highlights are compressed.
    Neutral,
    /// A fit of the ACES 1 rendering for sRGB displays, not ACES itself.
    AcesLike,
    /// The sRGB curve alone; what is brighter than 1 is cut.
    Srgb,
    /// The values as they are, cut to 0..=1: for passes that are no picture.
    Raw,
}

/// Everything between light and display: balance, exposure, view, table, in this order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// How colour is formed.
    pub view: View,
    /// Brightens by powers of two.
    pub exposure_ev: f32,
    /// The light that is to look white.
    pub white_balance: WhiteBalance,
    /// A table for what the view shows.
    pub lut: Option<Arc<Lut>>,
}

impl Look {
    /// A view at 0 EV under D65.
    #[must_use]
    pub fn of(view: View) -> Self {
        Self { view, ..Self::default() }
    }

    /// The function from scene-linear Rec.709 to display values, 0..=1, encoded for sRGB (but for
    /// [`View::Raw`], which encodes nothing).
    ///
    /// Values that are not finite, or negative, show as black or white; none comes out.
    pub fn develop(&self) -> impl Fn([f32; 3]) -> [f32; 3] + Sync {
        let (view, gain, balance) =
            (self.view, self.exposure_ev.exp2(), self.white_balance.matrix());
        let lut = self.lut.as_deref();
        move |rgb| {
            // A comparison that fails for NaN sends it to black.
            let cut = |value: f32| if value > 0.0 { value.min(BRIGHTEST) } else { 0.0 };
            let balanced = match &balance {
                Some(matrix) => transform(matrix, rgb.map(cut)),
                None => rgb,
            };
            let scene = balanced.map(|value| cut(value * gain));
            let shown = match view {
                View::Agx => agx::to_display_linear(scene, agx::Grade::Base).map(encode_srgb),
                View::AgxPunchy => {
                    agx::to_display_linear(scene, agx::Grade::Punchy).map(encode_srgb)
                }
                View::Neutral => neutral::to_display_linear(scene).map(encode_srgb),
                View::AcesLike => aces::to_display_linear(scene).map(encode_srgb),
                View::Srgb => scene.map(encode_srgb),
                View::Raw => scene.map(|value| value.min(1.0)),
            };
            lut.map_or(shown, |lut| lut.apply(shown))
        }
    }
}

/// Above what any view tells from white; keeps the curves away from infinity.
const BRIGHTEST: f32 = 1e9;

/// One colour as the display shows it; for many, keep [`Look::develop`]'s function.
#[must_use]
pub fn display_rgb(look: &Look, rgb: [f32; 3]) -> [f32; 3] {
    look.develop()(rgb)
}

/// The picture as the display shows it: 8-bit sRGB and alpha, rows from the upper left.
///
/// Pixels without samples are transparent, all others opaque, sky included.
#[must_use]
pub fn view_rgba8(picture: &Picture, look: &Look) -> Vec<u8> {
    codes(picture, look, u8::MAX, |value| (value * 255.0).round() as u8)
}

/// [`view_rgba8`] with 16 bits a value.
#[must_use]
pub fn view_rgba16(picture: &Picture, look: &Look) -> Vec<u16> {
    codes(picture, look, u16::MAX, |value| (value * 65_535.0).round() as u16)
}

fn codes<T: Copy + Default + Send + Sync>(
    picture: &Picture,
    look: &Look,
    opaque: T,
    code: impl Fn(f32) -> T + Sync,
) -> Vec<T> {
    let mut codes = vec![T::default(); picture.pixel_count() * 4];
    let shown = look.develop();
    codes
        .par_chunks_exact_mut(4)
        .zip(&picture.beauty)
        .zip(&picture.samples)
        .with_min_len(1024)
        .for_each(|((out, &rgb), &samples)| {
            if samples > 0 {
                for (out, value) in out.iter_mut().zip(shown(rgb)) {
                    *out = code(value);
                }
                out[3] = opaque;
            }
        });
    codes
}

/// IEC 61966-2-1: linear to sRGB, cut to 0..=1.
fn encode_srgb(linear: f32) -> f32 {
    let linear = linear.clamp(0.0, 1.0);
    if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

fn transform(matrix: &[[f32; 3]; 3], rgb: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Size;

    const VIEWS: [View; 6] =
        [View::Agx, View::AgxPunchy, View::Neutral, View::AcesLike, View::Srgb, View::Raw];

    fn picture(beauty: Vec<[f32; 3]>) -> Picture {
        let size = Size::new(beauty.len() as u32, 1);
        let samples = vec![16; beauty.len()];
        Picture { beauty, samples, ..Picture::transparent(size) }
    }

    #[test]
    fn middle_grey_has_its_known_codes() {
        let grey = |view| view_rgba8(&picture(vec![[0.18; 3]]), &Look::of(view));
        let wanted = [118, 88, 105, 91, 118, 46];
        for (view, code) in VIEWS.into_iter().zip(wanted) {
            assert_eq!(grey(view), [code, code, code, 255], "{view:?}");
        }
    }

    #[test]
    fn srgb_has_its_known_codes() {
        let bright = picture(vec![[0.0, 0.215_861, 1.0], [9.0; 3]]);
        let shown = view_rgba8(&bright, &Look::of(View::Srgb));
        assert_eq!(shown, [0, 128, 255, 255, 255, 255, 255, 255]);
        let fine = view_rgba16(&bright, &Look::of(View::Srgb));
        assert_eq!(fine[..4], [0, 32_896, 65_535, 65_535]);
        let shown = view_rgba8(&bright, &Look::of(View::Raw));
        assert_eq!(shown, [0, 55, 255, 255, 255, 255, 255, 255]);
    }

    /// Codes before looks existed: AgX must not move.
    #[test]
    fn agx_is_as_it_was() {
        let colours =
            vec![[0.38, 0.0015, 0.027], [1.4, 0.43, 0.76], [0.01, 0.03, 0.2], [4.0, 3.0, 1.0]];
        let shown = view_rgba8(&picture(colours), &Look::default());
        let wanted = [163, 5, 36, 255, 211, 171, 186, 255, 5, 55, 123, 255, 235, 225, 205, 255];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn one_stop_doubles() {
        let bright = view_rgba8(&picture(vec![[0.4, 0.2, 0.1]]), &Look::default());
        let stop = Look { exposure_ev: 1.0, ..Look::default() };
        let pushed = view_rgba8(&picture(vec![[0.2, 0.1, 0.05]]), &stop);
        assert_eq!(bright, pushed);
    }

    #[test]
    fn more_exposure_never_looks_darker() {
        let colours =
            [[1.0; 3], [1.0, 0.4, 0.1], [0.02, 0.1, 0.9], [0.7, 0.05, 0.3], [0.3, 1.0, 0.3]];
        for view in VIEWS {
            for colour in colours {
                let mut last = -1.0;
                for step in -60..=60 {
                    let look = Look { view, exposure_ev: step as f32 * 0.2, ..Look::default() };
                    let luminance = crate::luminance(display_rgb(&look, colour));
                    assert!(
                        luminance >= last - 2e-4,
                        "{view:?} {colour:?} {step}: {luminance} {last}"
                    );
                    last = luminance;
                }
                assert!(last > 0.6, "{view:?} {colour:?}: {last}");
            }
        }
    }

    #[test]
    fn white_balance_comes_before_the_view() {
        let balance = |text: &str| text.parse().expect("a white balance");
        let look = Look { white_balance: balance("6500"), ..Look::of(View::Neutral) };
        let colour = [0.4, 0.3, 0.2];
        assert_eq!(
            display_rgb(&look, colour).map(f32::to_bits),
            display_rgb(&Look::of(View::Neutral), colour).map(f32::to_bits),
        );
        let warm = Look { white_balance: balance("3200"), ..look };
        let [red, _, blue] = display_rgb(&warm, [0.5; 3]);
        assert!(blue > red + 0.2, "{red} {blue}");
    }

    #[test]
    fn nonsense_is_shown_and_missing_pixels_are_transparent() {
        let mut nonsense = picture(vec![[f32::NAN; 3], [f32::INFINITY; 3], [-1.0; 3], [1.0; 3]]);
        nonsense.samples[3] = 0;
        let warm = "3200,20".parse().expect("a white balance");
        for white_balance in [WhiteBalance::default(), warm] {
            for view in VIEWS {
                let shown = view_rgba8(&nonsense, &Look { white_balance, ..Look::of(view) });
                assert_eq!(shown[..4], [0, 0, 0, 255], "{view:?}");
                assert!(
                    shown[4..8].iter().all(|&code| code >= 254),
                    "{view:?}: {:?}",
                    &shown[4..8]
                );
                assert_eq!(shown[8..12], [0, 0, 0, 255], "{view:?}");
                assert_eq!(shown[12..], [0; 4], "{view:?}");
            }
        }
        for view in VIEWS {
            for exposure_ev in [-200.0, 200.0, f32::NAN, f32::INFINITY] {
                let look = Look { view, exposure_ev, ..Look::default() };
                for colour in [[0.0; 3], [1e-38, 1.0, 1e38], [f32::MAX, 0.0, -f32::MAX]] {
                    let shown = display_rgb(&look, colour);
                    let fits = |value: &f32| (0.0..=1.0).contains(value);
                    assert!(shown.iter().all(fits), "{look:?} {colour:?}: {shown:?}");
                }
            }
        }
    }
}
