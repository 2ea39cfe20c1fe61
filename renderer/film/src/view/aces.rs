//! An ACES-like view: a fit of the ACES 1 reference rendering and its sRGB output transform.
//!
//! It is a fit, not ACES: no gamut compression, no glow, no red modifier.
//!
//! # Source
//! S. Hill, "ACES.hlsl" of MJP's BakingLab (2016): the matrices from sRGB over XYZ and the D60
//! adaptation to AP1 with the rendering's saturation, the rational fit, and the way back.

/// Linear Rec.709 to the fit's saturated AP1.
const TO_AP1: [[f32; 3]; 3] =
    [[0.597_19, 0.354_58, 0.048_23], [0.076, 0.908_34, 0.015_66], [0.028_4, 0.133_83, 0.837_77]];
/// The fit's AP1 to linear Rec.709.
const TO_REC709: [[f32; 3]; 3] = [
    [1.604_75, -0.531_08, -0.073_67],
    [-0.102_08, 1.108_13, -0.006_05],
    [-0.003_27, -0.072_76, 1.076_02],
];

/// Scene-linear Rec.709 (0 or more, finite) to display-linear Rec.709; may leave 0..=1.
pub(super) fn to_display_linear(scene: [f32; 3]) -> [f32; 3] {
    super::transform(&TO_REC709, super::transform(&TO_AP1, scene).map(fit))
}

/// Reference rendering and output transform of one channel.
fn fit(value: f32) -> f32 {
    // Above this the fit is flat to the last bit of a 16-bit picture; its squares stay finite.
    let v = value.min(1e6);
    (v * (v + 0.024_578_6) - 0.000_090_537) / (v * (0.983_729 * v + 0.432_951) + 0.238_081)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::encode_srgb;

    /// Codes of "ACES 1.3" for sRGB in Blender 5.0's configuration, by OpenColorIO 2.6.
    const REFERENCE: [([f32; 3], [f32; 3]); 6] = [
        ([0.18; 3], [0.355_95; 3]),
        ([0.05, 0.02, 0.01], [0.118_59, 0.044_72, 0.016_96]),
        ([1.4, 0.43, 0.76], [0.887_99, 0.631_93, 0.756_74]),
        ([0.8, 0.8, 0.2], [0.773_45, 0.768_52, 0.460_53]),
        ([4.0, 3.0, 1.0], [0.958_5, 0.938_02, 0.851_27]),
        ([0.002, 0.003, 0.004], [0.0, 0.000_55, 0.001_73]),
    ];

    #[test]
    fn is_near_aces_for_colours_inside_the_display() {
        for (scene, wanted) in REFERENCE {
            let shown = to_display_linear(scene).map(encode_srgb);
            for (got, want) in shown.iter().zip(wanted) {
                assert!((got - want).abs() < 0.03, "{scene:?}: {shown:?}, ACES {wanted:?}");
            }
        }
    }
}
