//! AgX: Troy Sobotka's picture formation, with the settings of Blender 4's "AgX Base sRGB".
//!
//! # Source
//! - T. Sobotka, AgX and SB2383 configuration generation, github.com/sobotka: log2 range, inset
//!   and outset primaries, tunable sigmoid (after J. Smith).
//! - E. Chow, AgX_LUT_Gen, `AgXBasesRGB.py` and its imports: Rec.2020 as working space, 40 %
//!   per-channel hue, the lower guard rail. The tests below hold values of the published table.
//! - Blender 5.0's configuration: the look "AgX - Punchy", a shadow grade and a power in AgX's
//!   log space; the grade is OpenColorIO's `GradingTone`, two parabolas with given end slopes.
//!
//! Input is taken as Rec.709 without negative values, for which the guard rail at the input does
//! nothing.

use super::transform;

/// Linear Rec.709 to linear Rec.2020, D65.
const REC709_TO_REC2020: [[f32; 3]; 3] = [
    [0.627_401_95, 0.329_291_97, 0.043_306_1],
    [0.069_095_49, 0.919_544_3, 0.011_360_23],
    [0.016_393_71, 0.088_028_16, 0.895_578_15],
];
/// The inverse of [`REC709_TO_REC2020`].
const REC2020_TO_REC709: [[f32; 3]; 3] = [
    [1.660_496_2, -0.587_656_44, -0.072_839_78],
    [-0.124_547_1, 1.132_895_1, -0.008_348_01],
    [-0.018_153_68, -0.100_597_37, 1.118_751],
];
/// Pulls the primaries inwards: rotations 3°, −1°, −2°; insets 0.4, 0.22, 0.13.
const INSET: [[f32; 3]; 3] = [
    [0.856_627_17, 0.095_121_24, 0.048_251_61],
    [0.137_318_97, 0.761_242, 0.101_439_04],
    [0.111_898_21, 0.076_799_42, 0.811_302_36],
];
/// Pushes the primaries outwards again: the inverse of insets 0.4, 0.22, 0.04, not rotated.
const OUTSET: [[f32; 3]; 3] = [
    [1.127_100_6, -0.110_606_64, -0.016_493_94],
    [-0.141_329_77, 1.157_823_7, -0.016_493_94],
    [-0.141_329_77, -0.110_606_64, 1.251_936_4],
];
/// Luminance of Rec.2020 by the CIE 2015 functions under a 6504 K black body.
const LUMINANCE: [f32; 3] = [0.265_818_03, 0.598_469_85, 0.135_712_1];

const MIDDLE_GREY: f32 = 0.18;
/// Stops below and above middle grey that the curve spans.
const STOPS_BELOW: f32 = 10.0;
const STOPS_ABOVE: f32 = 6.5;
const SLOPE: f32 = 2.4;
/// Of the curve's toe and shoulder.
const POWER: f32 = 1.5;
const DISPLAY_POWER: f32 = 2.4;
/// Share of the hue that per-channel curves give; the rest is the scene's.
const HUE_FORMED: f32 = 0.4;

/// AgX's log space: log2 of radiance from black to the top of its 25 stops.
const LOG2_BLACK: f32 = -12.473_93;
const LOG2_WHITE: f32 = 12.526_069;
/// Shadows of the punchy look, graded twice: slopes at the dark end, and where the grades begin
/// and end.
const PUNCHY_SLOPES: [f32; 2] = [0.2, 0.35];
const PUNCHY_SHADOWS: [f32; 2] = [0.1, 0.4];
const PUNCHY_POWER: f32 = 1.0912;

/// How AgX is graded before its curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    /// Not at all.
    Base,
    /// Darker and richer.
    Punchy,
}

/// Scene-linear Rec.709 (0 or more, finite) to display-linear Rec.709; may exceed 1.
pub(super) fn to_display_linear(scene: [f32; 3], grade: Grade) -> [f32; 3] {
    let mut scene = transform(&INSET, transform(&REC709_TO_REC2020, scene));
    if grade == Grade::Punchy {
        scene = scene.map(punch);
    }
    let formed = keep_hue(scene, scene.map(form));
    guard_low(transform(&REC2020_TO_REC709, transform(&OUTSET, formed)))
}

/// The punchy look of one channel, in AgX's log space.
fn punch(value: f32) -> f32 {
    let span = LOG2_WHITE - LOG2_BLACK;
    let x = (value.max(1e-10).log2() - LOG2_BLACK) / span;
    let graded = PUNCHY_SLOPES.into_iter().fold(x, darken_shadows);
    let graded = graded.max(0.0).powf(PUNCHY_POWER);
    (graded * span + LOG2_BLACK).exp2()
}

/// Keeps both ends of the shadows in place and darkens between them: `slope` at the dark end, 1 at
/// the bright one, two parabolas that meet halfway.
fn darken_shadows(x: f32, slope: f32) -> f32 {
    let [dark, bright] = PUNCHY_SHADOWS;
    let half = (bright - dark) / 2.0;
    let middle_y = (dark + bright) / 2.0 + (slope - 1.0) * half / 4.0;
    if x < dark {
        dark + (x - dark) * slope
    } else if x < dark + half {
        let t = (x - dark) / half;
        dark * (1.0 - t * t) + middle_y * t * t + slope * (1.0 - t) * t * half
    } else if x < bright {
        let t = (x - dark - half) / half;
        middle_y * (1.0 - t) * (1.0 - t) + bright * (2.0 - t) * t + (t - 1.0) * t * half
    } else {
        x
    }
}

/// The curve of one channel: log2, sigmoid, display power; linear out.
fn form(value: f32) -> f32 {
    let stops = (value.max(1e-10) / MIDDLE_GREY).log2();
    let x = ((stops + STOPS_BELOW) / (STOPS_BELOW + STOPS_ABOVE)).max(0.0);
    let pivot_x = STOPS_BELOW / (STOPS_BELOW + STOPS_ABOVE);
    let pivot_y = MIDDLE_GREY.powf(1.0 / DISPLAY_POWER);
    let curved = if x < pivot_x {
        pivot_y - hyperbola(pivot_x - x, pivot_x, pivot_y)
    } else {
        pivot_y + hyperbola(x - pivot_x, 1.0 - pivot_x, 1.0 - pivot_y)
    };
    curved.max(0.0).powf(DISPLAY_POWER)
}

/// Rises from 0 with [`SLOPE`] and reaches `limit_y` at `limit_x`.
fn hyperbola(x: f32, limit_x: f32, limit_y: f32) -> f32 {
    let reach = SLOPE * limit_x;
    let scale = (reach.powf(-POWER) * ((reach / limit_y).powf(POWER) - 1.0)).powf(-1.0 / POWER);
    let t = SLOPE * x / scale;
    scale * t / (1.0 + t.powf(POWER)).powf(1.0 / POWER)
}

/// Moves the middle channel so that the hue lies between the scene's and the formed one.
///
/// The curve is monotonic, so both hues lie in one sextant, where hue is the place of the middle
/// channel between the other two.
fn keep_hue(scene: [f32; 3], mut formed: [f32; 3]) -> [f32; 3] {
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| scene[a].total_cmp(&scene[b]));
    let [low, middle, high] = order;
    let place = |rgb: [f32; 3]| (rgb[middle] - rgb[low]) / (rgb[high] - rgb[low]);
    if scene[high] > scene[low] && formed[high] > formed[low] {
        let hue = place(scene) + (place(formed) - place(scene)) * HUE_FORMED;
        formed[middle] = formed[low] + (formed[high] - formed[low]) * hue;
    }
    formed
}

/// The lower guard rail: lifts negative channels and takes the added light back.
fn guard_low(rgb: [f32; 3]) -> [f32; 3] {
    let least = rgb[0].min(rgb[1]).min(rgb[2]);
    if least >= 0.0 {
        return rgb;
    }
    let lifted = rgb.map(|value| value - least);
    let (before, after) = (guard_luminance(rgb), guard_luminance(lifted));
    let ratio = if after > before { before / after.max(f32::MIN_POSITIVE) } else { 1.0 };
    lifted.map(|value| value * ratio)
}

/// Luminance with the opponent colour's part for dark colours, where channels go negative.
fn guard_luminance(rgb: [f32; 3]) -> f32 {
    let luminance = |rgb: [f32; 3]| -> f32 {
        let wide = transform(&REC709_TO_REC2020, rgb);
        wide.iter().zip(LUMINANCE).map(|(value, weight)| value * weight).sum()
    };
    let highest = rgb[0].max(rgb[1]).max(rgb[2]);
    let opponent = rgb.map(|value| highest - value);
    let opponent_highest = opponent[0].max(opponent[1]).max(opponent[2]);
    let own = luminance(rgb);
    let compensated = opponent_highest - luminance(opponent) + own;
    let blend = own.max(0.0).powf(0.08).clamp(0.0, 1.0);
    compensated + (own - compensated) * blend
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grid points of `AgX_Base_sRGB.cube` as Blender ships it, their inputs decoded from
    /// E-Gamut log2 to linear Rec.709, their values as they stand (encoded with power 2.4).
    const TABLE: [([f32; 3], [f32; 3]); 11] = [
        ([0.380_007, 0.001_506, 0.027_254], [0.656_58, 0.069_23, 0.188_56]),
        ([0.002_41, 0.000_49, 0.000_268], [0.051_54, 0.019_75, 0.0]),
        ([0.340_525, 0.069_234, 0.037_868], [0.629_56, 0.319_37, 0.230_03]),
        ([0.000_638, 0.002_776, 0.012_106], [0.0, 0.073_07, 0.129_61]),
        ([0.121_513, 0.039_704, 0.041_092], [0.399_8, 0.242_3, 0.241_53]),
        ([1.401_92, 0.429_415, 0.759_571], [0.837_91, 0.688_62, 0.743_97]),
        ([0.012_351, 0.000_612, 0.000_81], [0.127_41, 0.014_54, 0.013_41]),
        ([0.011_155, 0.001_779, 0.022_352], [0.123_67, 0.072_91, 0.177_35]),
        ([0.918_56, 0.025_155, 0.197_967], [0.831_57, 0.373_39, 0.509_38]),
        ([2.070_163, 0.031_384, 1.619_511], [0.898_97, 0.626_74, 0.852_03]),
        ([3.385_477, 1.966_091, 0.614_287], [0.918_09, 0.847_11, 0.763_29]),
    ];

    #[test]
    fn equals_the_table_that_blender_ships() {
        for (scene, wanted) in TABLE {
            let shown =
                to_display_linear(scene, Grade::Base).map(|value| value.max(0.0).powf(1.0 / 2.4));
            for (got, want) in shown.iter().zip(wanted) {
                // A dark channel near 0 is steep under the power: compare where it can be seen.
                assert!((got - want).abs() < 0.002, "{scene:?}: {shown:?}, want {wanted:?}");
            }
        }
    }

    /// Codes of "AgX - Punchy" for sRGB in Blender 5.0's configuration, by OpenColorIO 2.6.
    const PUNCHY: [([f32; 3], [f32; 3]); 6] = [
        ([0.18; 3], [0.346_29; 3]),
        ([0.05, 0.02, 0.01], [0.124_24, 0.037_02, 0.0]),
        ([1.4, 0.43, 0.76], [0.760_56, 0.568_17, 0.641_4]),
        ([4.0, 3.0, 1.0], [0.879_47, 0.831_61, 0.731_94]),
        ([0.8, 0.8, 0.2], [0.659_46, 0.640_15, 0.413_36]),
        ([0.0, 0.5, 0.05], [0.098_97, 0.544_92, 0.150_95]),
    ];

    #[test]
    fn the_punchy_look_is_blenders() {
        for (scene, wanted) in PUNCHY {
            let shown = to_display_linear(scene, Grade::Punchy).map(super::super::encode_srgb);
            for (got, want) in shown.iter().zip(wanted) {
                assert!((got - want).abs() < 0.02, "{scene:?}: {shown:?}, want {wanted:?}");
            }
        }
    }

    #[test]
    fn grey_stays_grey_and_middle_grey_stays_put() {
        for value in [0.001, 0.18, 1.0, 16.0] {
            let [red, green, blue] = to_display_linear([value; 3], Grade::Base);
            assert!((red - green).abs() < 1e-4 && (green - blue).abs() < 1e-4, "{value}");
        }
        assert!((to_display_linear([0.18; 3], Grade::Base)[1] - 0.18).abs() < 1e-4);
    }

    #[test]
    fn brighter_never_looks_darker() {
        let mut last = -1.0;
        for step in 0..200 {
            let value = (step as f32 * 0.1 - 12.0).exp2();
            let [red, ..] = to_display_linear([value; 3], Grade::Base);
            assert!(red >= last - 1e-6, "{value}");
            last = red;
        }
        assert!(last > 0.99);
    }
}
