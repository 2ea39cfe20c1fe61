//! White balance: the colour of light that is to look white.
//!
//! # Source
//! - M. Krystek, "An algorithm to calculate correlated colour temperature", Color Research &
//!   Application 10 (1985): Planck's locus in CIE 1960 u, v.
//! - K. Lam, "Metamerism and colour constancy" (1985): the Bradford cone responses; scaled after
//!   J. von Kries.

use std::str::FromStr;

/// Temperature and tint of the light that is to look white.
///
/// The default, 6500 K without tint, is the display's own white D65 and changes no bit. A lower
/// temperature says that the scene's light was warmer, so the picture becomes bluer. A positive
/// tint says that it was greener, so the picture becomes more magenta; 3000 of it are a distance
/// of 1 in CIE 1960 u, v.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WhiteBalance {
    temperature_k: f32,
    tint: f32,
}

/// A white balance out of range, or text that is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WhiteBalanceError {
    /// Not one number, or two with a comma.
    #[error("expected KELVIN or KELVIN,TINT, as 5600 or 5600,-4; this is `{text}`")]
    Text {
        /// What was typed.
        text: String,
    },
    /// Outside 1 700 K to 15 000 K.
    #[error("the white balance is {temperature_k} K; choose one from 1700 K to 15000 K")]
    Temperature {
        /// The temperature, kelvin.
        temperature_k: f32,
    },
    /// Outside ±150.
    #[error("the tint is {tint}; choose one from -150 to 150")]
    Tint {
        /// The tint.
        tint: f32,
    },
}

impl Default for WhiteBalance {
    fn default() -> Self {
        Self { temperature_k: D65_K, tint: 0.0 }
    }
}

/// The nominal temperature of the display's white.
const D65_K: f32 = 6500.0;
/// CIE 1931 x, y of D65, as Rec.709 has it.
const D65_XY: [f64; 2] = [0.3127, 0.3290];
/// Tints a unit of CIE 1960 u, v.
const TINTS_PER_UV: f64 = 3000.0;

impl WhiteBalance {
    /// A white balance in range.
    ///
    /// # Errors
    /// [`WhiteBalanceError::Temperature`] outside 1 700 K..=15 000 K, where the locus is known;
    /// [`WhiteBalanceError::Tint`] outside ±150.
    pub fn try_new(temperature_k: f32, tint: f32) -> Result<Self, WhiteBalanceError> {
        if !(1700.0..=15_000.0).contains(&temperature_k) {
            return Err(WhiteBalanceError::Temperature { temperature_k });
        }
        if !(-150.0..=150.0).contains(&tint) {
            return Err(WhiteBalanceError::Tint { tint });
        }
        Ok(Self { temperature_k, tint })
    }

    /// The matrix for linear Rec.709, or `None` where nothing changes.
    #[must_use]
    pub fn matrix(self) -> Option<[[f32; 3]; 3]> {
        if self == Self::default() {
            return None;
        }
        let [light, white] = [self.white_xy(), D65_XY].map(|xy| apply(&BRADFORD, xyz_of(xy)));
        let mut scale = [[0.0; 3]; 3];
        for (channel, row) in scale.iter_mut().enumerate() {
            row[channel] = white[channel] / light[channel];
        }
        let to_cones = product(&BRADFORD, &REC709_TO_XYZ);
        let from_cones = product(&XYZ_TO_REC709, &BRADFORD_INVERSE);
        let matrix = product(&from_cones, &product(&scale, &to_cones));
        Some(matrix.map(|row| row.map(|value| value as f32)))
    }

    /// Chromaticity of the light: Planck's locus, moved so that 6500 K is D65, and the tint
    /// square to it.
    fn white_xy(self) -> [f64; 2] {
        let kelvin = f64::from(self.temperature_k);
        let [u, v] = planck_uv(kelvin);
        let [u_next, v_next] = planck_uv(kelvin + 1.0);
        // Towards green: a quarter turn from the direction of hotter light.
        let (along_u, along_v) = (u_next - u, v_next - v);
        let length = along_u.hypot(along_v);
        let tint = f64::from(self.tint) / TINTS_PER_UV / length;
        let [u_grey, v_grey] = planck_uv(f64::from(D65_K));
        let [u_d65, v_d65] = uv_of(D65_XY);
        let u = u + u_d65 - u_grey + along_v * tint;
        let v = v + v_d65 - v_grey - along_u * tint;
        let scale = 2.0 * u - 8.0 * v + 4.0;
        [3.0 * u / scale, 2.0 * v / scale]
    }
}

impl FromStr for WhiteBalance {
    type Err = WhiteBalanceError;

    fn from_str(text: &str) -> Result<Self, WhiteBalanceError> {
        let (temperature, tint) = text.split_once(',').unwrap_or((text, "0"));
        let number = |part: &str| {
            let number: Result<f32, _> = part.trim().parse();
            number.map_err(|_no_number| WhiteBalanceError::Text { text: text.to_owned() })
        };
        Self::try_new(number(temperature)?, number(tint)?)
    }
}

/// Planck's locus in CIE 1960 u, v, within 1e-4: Krystek 1985.
fn planck_uv(kelvin: f64) -> [f64; 2] {
    let t = kelvin;
    let u = (0.860_117_757 + 1.541_182_54e-4 * t + 1.286_412_12e-7 * t * t)
        / (1.0 + 8.424_202_35e-4 * t + 7.081_451_63e-7 * t * t);
    let v = (0.317_398_726 + 4.228_062_45e-5 * t + 4.204_816_91e-8 * t * t)
        / (1.0 - 2.897_418_16e-5 * t + 1.614_560_53e-7 * t * t);
    [u, v]
}

fn uv_of([x, y]: [f64; 2]) -> [f64; 2] {
    let scale = -2.0 * x + 12.0 * y + 3.0;
    [4.0 * x / scale, 6.0 * y / scale]
}

/// X, Y, Z of luminance 1.
fn xyz_of([x, y]: [f64; 2]) -> [f64; 3] {
    [x / y, 1.0, (1.0 - x - y) / y]
}

/// Linear Rec.709 to CIE 1931 XYZ, D65 at luminance 1.
const REC709_TO_XYZ: [[f64; 3]; 3] = [
    [0.412_390_799_265_96, 0.357_584_339_383_88, 0.180_480_788_401_83],
    [0.212_639_005_871_51, 0.715_168_678_767_76, 0.072_192_315_360_73],
    [0.019_330_818_715_59, 0.119_194_779_794_63, 0.950_532_152_249_66],
];
/// The inverse of [`REC709_TO_XYZ`].
const XYZ_TO_REC709: [[f64; 3]; 3] = [
    [3.240_969_941_904_52, -1.537_383_177_570_09, -0.498_610_760_293_00],
    [-0.969_243_636_280_88, 1.875_967_501_507_72, 0.041_555_057_407_18],
    [0.055_630_079_696_99, -0.203_976_958_888_98, 1.056_971_514_242_88],
];
/// XYZ to the cone responses of Lam 1985.
const BRADFORD: [[f64; 3]; 3] =
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]];
/// The inverse of [`BRADFORD`].
const BRADFORD_INVERSE: [[f64; 3]; 3] = [
    [0.986_992_905_466_71, -0.147_054_256_420_99, 0.159_962_651_663_73],
    [0.432_305_269_723_39, 0.518_360_271_536_78, 0.049_291_228_212_86],
    [-0.008_528_664_575_18, 0.040_042_821_654_08, 0.968_486_695_787_55],
];

fn apply(matrix: &[[f64; 3]; 3], v: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

fn product(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    a.map(|row| [0, 1, 2].map(|j| row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(matrix: [[f64; 3]; 3]) {
        for (i, row) in matrix.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                let wanted = if i == j { 1.0 } else { 0.0 };
                assert!((value - wanted).abs() < 1e-9, "{matrix:?}");
            }
        }
    }

    #[test]
    fn the_inverses_are_inverses() {
        identity(product(&REC709_TO_XYZ, &XYZ_TO_REC709));
        identity(product(&BRADFORD, &BRADFORD_INVERSE));
        assert_eq!(WhiteBalance::default().matrix(), None);
    }

    #[test]
    fn known_lights_become_white() {
        // CIE illuminants: D50, D55, D75 lie on the moved locus, A near it with a tint.
        let lights = [
            (5003.0, 0.0, [0.3457, 0.3585], 0.015),
            (5503.0, 0.0, [0.3324, 0.3474], 0.015),
            (7504.0, 0.0, [0.2990, 0.3149], 0.015),
            (2856.0, -10.0, [0.4476, 0.4074], 0.07),
        ];
        for (kelvin, tint, xy, tolerance) in lights {
            let matrix = WhiteBalance::try_new(kelvin, tint).expect("in range").matrix();
            let light = apply(&XYZ_TO_REC709, xyz_of(xy));
            let matrix = matrix.expect("not the default").map(|row| row.map(f64::from));
            let shown = apply(&matrix, light);
            for value in shown {
                assert!((value - 1.0).abs() < tolerance, "{kelvin} K: {light:?} became {shown:?}");
            }
        }
    }

    #[test]
    fn warm_light_makes_the_picture_blue_and_green_light_makes_it_magenta() {
        let white = |kelvin, tint| {
            let balance = WhiteBalance::try_new(kelvin, tint).expect("in range");
            let matrix = balance.matrix().expect("not the default");
            matrix.map(|row| row[0] + row[1] + row[2])
        };
        let [red, _, blue] = white(4000.0, 0.0);
        assert!(red < 0.8 && blue > 1.3, "{red} {blue}");
        let [red, green, blue] = white(6500.0, 30.0);
        assert!(green < 1.0 && red > green && blue > green, "{red} {green} {blue}");
    }

    #[test]
    fn text() {
        assert_eq!("6500".parse(), Ok(WhiteBalance::default()));
        assert_eq!("5600, -4".parse(), WhiteBalance::try_new(5600.0, -4.0));
        for text in ["", "warm", "5600,", "5600,1,2", "100", "20000", "NaN", "5600,200"] {
            assert!(text.parse::<WhiteBalance>().is_err(), "{text}");
        }
    }
}
