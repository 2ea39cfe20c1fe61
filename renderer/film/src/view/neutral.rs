//! The Khronos PBR Neutral tone mapper: base colours come out as they are, highlights roll off.
//!
//! # Source
//! Khronos Group, "Khronos PBR Neutral Tone Mapper", specification 1.0 (2024), whose symbols the
//! constants name.

/// F₉₀: reflection of common dielectrics (index 1.5) seen head-on, taken off again.
const REFLECTED: f32 = 0.04;
/// Kₛ: where compression begins.
const COMPRESSION_START: f32 = 0.8 - REFLECTED;
/// K_d: how fast highlights lose their colour.
const DESATURATION: f32 = 0.15;

/// Scene-linear Rec.709 (0 or more, finite) to display-linear Rec.709 in 0..=1.
pub(super) fn to_display_linear(scene: [f32; 3]) -> [f32; 3] {
    let least = scene[0].min(scene[1]).min(scene[2]);
    let offset = if least <= 2.0 * REFLECTED {
        least - least * least / (4.0 * REFLECTED)
    } else {
        REFLECTED
    };
    let base = scene.map(|value| value - offset);
    let peak = base[0].max(base[1]).max(base[2]);
    if peak <= COMPRESSION_START {
        return base;
    }
    let room = 1.0 - COMPRESSION_START;
    let shown_peak = 1.0 - room * room / (peak + 1.0 - 2.0 * COMPRESSION_START);
    let kept = 1.0 / (DESATURATION * (peak - shown_peak) + 1.0);
    // A ratio to the peak first: the product of two large values could leave the range.
    base.map(|value| value / peak * shown_peak * kept + shown_peak * (1.0 - kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_colours_lose_the_reflection_and_nothing_else() {
        for colour in [[0.08, 0.5, 0.8], [0.3, 0.2, 0.1], [0.8; 3]] {
            let shown = to_display_linear(colour);
            for (got, was) in shown.iter().zip(colour) {
                assert!((got - (was - 0.04)).abs() < 1e-7, "{colour:?}: {shown:?}");
            }
        }
        // Below twice the reflection the offset follows a parabola: 0.04 − 0.04² / 0.16.
        let dark = to_display_linear([0.04; 3]);
        assert!((dark[0] - 0.01).abs() < 1e-7, "{dark:?}");
    }

    #[test]
    fn the_published_formula_in_the_highlights() {
        // [4, 3, 1]: f 0.04, p 3.96, pₙ 1 − 0.0576 / 3.44, g 1 / (1 + 0.15 · 2.976744).
        let (peak, shown, kept) = (3.96_f64, 0.983_255_814, 1.0 / 1.446_511_628);
        let wanted = [3.96, 2.96, 0.96].map(|c| c / peak * shown * kept + shown * (1.0 - kept));
        for (got, want) in to_display_linear([4.0, 3.0, 1.0]).iter().zip(wanted) {
            assert!((f64::from(*got) - want).abs() < 1e-6, "{got}, want {want}");
        }
    }

    #[test]
    fn hues_stay() {
        let hue = |[red, green, blue]: [f32; 3]| (green - blue) / (red - blue);
        for gain in [0.5, 2.0, 8.0, 64.0] {
            let scene = [0.9 * gain, 0.4 * gain, 0.1 * gain];
            assert!((hue(to_display_linear(scene)) - 0.375).abs() < 1e-4, "{gain}");
        }
    }
}
