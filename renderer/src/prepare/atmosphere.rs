//! A clear sky by the place of its sun: light that air and haze scatter once on its way through the
//! atmosphere, and what is left of the sun itself.
//!
//! # Source
//! T. Nishita, T. Sirai, K. Tadamura and E. Nakamae, "Display of the Earth taking into account
//! atmospheric scattering", SIGGRAPH 1993, for three wavelengths (680, 550 and 440 nm), with the
//! absorption of ozone as S. Hillaire has it (EGSR 2020). What is scattered more than once is left
//! out, so that a real sky is some tens of percent brighter, and more so near the horizon.

use rayon::prelude::*;
use scene::{Image, Pixels, SunSky};

use crate::precise::{exp, sin_cos, sin_cos_turns};

/// Texels across; half as many down.
const WIDTH: u32 = 256;
/// Radii of the earth and of the atmosphere's end, metres.
const EARTH: f64 = 6_360e3;
const END: f64 = 6_420e3;
/// Scattering of air and of haze at turbidity 2 on the ground, per metre.
const AIR: [f64; 3] = [5.802e-6, 13.558e-6, 33.1e-6];
const HAZE: f64 = 4e-6;
/// What haze takes away in all, over what it scatters.
const HAZE_EXTINCTION: f64 = 1.11;
/// Absorption of ozone in the middle of its layer, per metre.
const OZONE: [f64; 3] = [0.65e-6, 1.881e-6, 0.085e-6];
/// Heights over which air and haze thin out by e, metres.
const AIR_HEIGHT: f64 = 8_000.0;
const HAZE_HEIGHT: f64 = 1_200.0;
/// How much haze scatters forwards (Cornette and Shanks 1992).
const HAZE_FORWARD: f64 = 0.8;
/// Irradiance of the sun above the atmosphere, RGB. Where it is 1361 W/m² in truth, this is so that
/// a white wall in the sun is about 1 in the picture and needs no exposure.
const SUN: [f64; 3] = [4.0, 3.9, 3.75];
/// Share of light that the ground scatters.
const GROUND: f64 = 0.25;
/// Steps along a view, and along the way to the sun.
const STEPS: u32 = 32;
const STEPS_TO_SUN: u32 = 24;
/// Heights and directions for which the ways to the sun are kept.
const HEIGHTS: usize = 32;
const COSINES: usize = 64;
/// The lowest direction to the sun that is kept.
const COSINE_MIN: f64 = -0.25;
/// Where the sun stands below the horizon this far, radians, all is dark.
pub const NIGHT: f64 = -0.15;

/// A sky as a map, and its sun.
pub struct Atmosphere {
    /// Equirectangular, its middle column towards -z, without the sun's disc.
    pub image: Image,
    /// Unit vector towards the sun.
    pub towards: [f64; 3],
    /// Irradiance of the sun's disc on a surface that faces it.
    pub irradiance: [f32; 3],
}

/// Air, haze and ozone along a way, each as if all of it were as on the ground, metres.
#[derive(Clone, Copy, Default)]
struct Depth {
    air: f64,
    haze: f64,
    ozone: f64,
}

impl Depth {
    /// At a height, per metre.
    fn at(height: f64) -> Self {
        let height = height.max(0.0);
        Self {
            air: exp(-height / AIR_HEIGHT),
            haze: exp(-height / HAZE_HEIGHT),
            ozone: (1.0 - (height - 25e3).abs() / 15e3).max(0.0),
        }
    }

    fn plus(self, other: Self, factor: f64) -> Self {
        Self {
            air: self.air + other.air * factor,
            haze: self.haze + other.haze * factor,
            ozone: self.ozone + other.ozone * factor,
        }
    }

    /// What is left of light, by Beer's law.
    fn transmittance(self, haze: f64) -> [f64; 3] {
        let hazy = haze * HAZE_EXTINCTION * self.haze;
        [0, 1, 2].map(|k| exp(-(AIR[k] * self.air + hazy + OZONE[k] * self.ozone).min(600.0)))
    }
}

/// From a point at `radius` from the earth's middle, where does a ray that rises by `cosine` leave
/// a sphere, or meet it?
fn to_sphere(radius: f64, cosine: f64, sphere: f64, first: bool) -> Option<f64> {
    let along = radius * cosine;
    let square = along * along - radius * radius + sphere * sphere;
    if square < 0.0 {
        return None;
    }
    let root = square.sqrt();
    let way = if first { -along - root } else { -along + root };
    (way > 0.0).then_some(way)
}

/// What is left of the sun's light by height and direction: nothing where the earth is between.
struct ToSun(Vec<[f64; 3]>);

impl ToSun {
    fn new(haze: f64) -> Self {
        let cells = (0..HEIGHTS * COSINES).into_par_iter();
        let left = |depth: Option<Depth>| depth.map_or([0.0; 3], |depth| depth.transmittance(haze));
        Self(cells.map(|at| left(Self::integrate(at / COSINES, at % COSINES))).collect())
    }

    fn integrate(row: usize, column: usize) -> Option<Depth> {
        // Heights grow by their squares: the air is thickest below.
        let share = row as f64 / (HEIGHTS - 1) as f64;
        let radius = EARTH + 1.0 + share * share * (END - EARTH - 2.0);
        let cosine = COSINE_MIN + (1.0 - COSINE_MIN) * column as f64 / (COSINES - 1) as f64;
        if to_sphere(radius, cosine, EARTH, true).is_some() {
            return None;
        }
        let step = to_sphere(radius, cosine, END, false)? / f64::from(STEPS_TO_SUN);
        let mut sum = Depth::default();
        for k in 0..STEPS_TO_SUN {
            let way = (f64::from(k) + 0.5) * step;
            let there = (radius * radius + way * way + 2.0 * radius * way * cosine).sqrt();
            sum = sum.plus(Depth::at(there - EARTH), step);
        }
        Some(sum)
    }

    /// What is left of the sun's light at a height, between the four nearest ways.
    fn light(&self, height: f64, cosine: f64) -> [f64; 3] {
        let row = (height.clamp(0.0, END - EARTH) / (END - EARTH)).sqrt() * (HEIGHTS - 1) as f64;
        let column = (cosine - COSINE_MIN) / (1.0 - COSINE_MIN) * (COSINES - 1) as f64;
        if column < 0.0 {
            return [0.0; 3];
        }
        let (y, x) = ((row as usize).min(HEIGHTS - 2), (column as usize).min(COSINES - 2));
        let (down, across) = (row - y as f64, column - x as f64);
        let mut light = [0.0; 3];
        for (at, weight) in [
            (y * COSINES + x, (1.0 - down) * (1.0 - across)),
            (y * COSINES + x + 1, (1.0 - down) * across),
            ((y + 1) * COSINES + x, down * (1.0 - across)),
            ((y + 1) * COSINES + x + 1, down * across),
        ] {
            light = [0, 1, 2].map(|k| light[k] + self.0[at][k] * weight);
        }
        light
    }
}

/// The sky and the sun, as seen from the ground.
pub fn atmosphere(sky: &SunSky) -> Atmosphere {
    let (sin, cos) = sin_cos(f64::from(sky.elevation));
    let (aside, ahead) = sin_cos(f64::from(sky.azimuth));
    let towards = [cos * aside, sin, -cos * ahead];
    let haze = HAZE * (f64::from(sky.turbidity) - 1.0);
    let strength = f64::from(sky.strength);
    let to_sun = ToSun::new(haze);
    let left = if f64::from(sky.elevation) > NIGHT { to_sun.light(0.0, sin) } else { [0.0; 3] };
    let irradiance = [0, 1, 2].map(|k| SUN[k] * left[k] * strength);

    let height = WIDTH / 2;
    let above: Vec<[f64; 3]> = (0..height / 2 * WIDTH)
        .into_par_iter()
        .map(|at| {
            let direction = direction_of(at, height);
            radiance(&to_sun, direction, towards, haze).map(|value| value * strength)
        })
        .collect();
    // The ground is lit by both.
    let mut lit = irradiance.map(|value| value * sin.max(0.0));
    for (at, rgb) in (0..).zip(&above) {
        let [_, up, _] = direction_of(at, height);
        // A texel's solid angle, by its row's middle.
        let angle = std::f64::consts::TAU / f64::from(WIDTH) * std::f64::consts::PI
            / f64::from(height)
            * (1.0 - up * up).sqrt();
        lit = [0, 1, 2].map(|k| lit[k] + rgb[k] * up * angle);
    }
    let ground = lit.map(|value| value * GROUND / std::f64::consts::PI);
    let below = std::iter::repeat_n(ground, (height / 2 * WIDTH) as usize);
    let pixels = above.into_iter().chain(below).map(|rgb| rgb.map(|value| value as f32));
    Atmosphere {
        image: Image {
            name: "sky".to_owned(),
            width: WIDTH,
            height,
            pixels: Pixels::Rgb32F(pixels.collect()),
        },
        towards,
        irradiance: irradiance.map(|value| value as f32),
    }
}

/// Unit vector of a texel's middle.
fn direction_of(at: u32, height: u32) -> [f64; 3] {
    let (row, column) = (at / WIDTH, at % WIDTH);
    let (radius, up) = sin_cos_turns((f64::from(row) + 0.5) / f64::from(height) * 0.5);
    let (sin, cos) = sin_cos_turns((f64::from(column) + 0.5) / f64::from(WIDTH) - 0.5);
    [radius * sin, up, -radius * cos]
}

/// Light that comes down from a direction above the horizon.
fn radiance(to_sun: &ToSun, direction: [f64; 3], towards: [f64; 3], haze: f64) -> [f64; 3] {
    let [_, up, _] = direction;
    let radius = EARTH + 1.0;
    let Some(length) = to_sphere(radius, up, END, false) else { return [0.0; 3] };
    let between: f64 = direction.iter().zip(towards).map(|(a, b)| a * b).sum();
    let square = 1.0 + between * between;
    let air_phase = 3.0 / (16.0 * std::f64::consts::PI) * square;
    let g = HAZE_FORWARD;
    let spread = 1.0 + g * g - 2.0 * g * between;
    let haze_phase = 3.0 / (8.0 * std::f64::consts::PI) * (1.0 - g * g) * square
        / ((2.0 + g * g) * spread * spread.sqrt());
    let mut passed = Depth::default();
    let mut light = [0.0; 3];
    let mut start = 0.0;
    for k in 1..=STEPS {
        // Steps grow with the distance: what is near is thick.
        let share = f64::from(k) / f64::from(STEPS);
        let end = length * share * share;
        let (step, way) = (end - start, (start + end) * 0.5);
        start = end;
        let there = (radius * radius + way * way + 2.0 * radius * way * up).sqrt();
        let here = Depth::at(there - EARTH);
        let middle = passed.plus(here, step * 0.5);
        passed = passed.plus(here, step);
        // The sun's height as seen from there: up has turned with the earth.
        let rises = (towards[1] * radius + way * between) / there;
        let sun = to_sun.light(there - EARTH, rises);
        let left = middle.transmittance(haze);
        light = [0, 1, 2].map(|k| {
            let scattered = AIR[k] * here.air * air_phase + haze * here.haze * haze_phase;
            light[k] + SUN[k] * sun[k] * left[k] * scattered * step
        });
    }
    light
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sky(elevation: f32, turbidity: f32) -> Atmosphere {
        atmosphere(&SunSky {
            elevation: elevation.to_radians(),
            azimuth: 90_f32.to_radians(),
            turbidity,
            strength: 1.0,
        })
    }

    fn at(sky: &Atmosphere, row: u32, column: u32) -> [f32; 3] {
        let Pixels::Rgb32F(pixels) = &sky.image.pixels else { panic!("floats") };
        pixels[(row * WIDTH + column) as usize]
    }

    #[test]
    fn the_sun_stands_where_it_is_asked_to() {
        let noon = sky(50.0, 3.0);
        // Azimuth 90° is +x: a quarter of the map right of its middle.
        assert!(noon.towards[0] > 0.64 && noon.towards[2].abs() < 1e-6, "{:?}", noon.towards);
        let row = (40.0 / 180.0 * f64::from(WIDTH / 2)) as u32;
        let [near, far] = [WIDTH / 2 + WIDTH / 4, WIDTH / 4].map(|column| at(&noon, row, column));
        assert!(near[1] > 2.0 * far[1], "haze glows around the sun: {near:?}, {far:?}");
    }

    #[test]
    fn days_are_blue_and_evenings_red() {
        let (noon, evening) = (sky(60.0, 2.0), sky(2.0, 2.0));
        let zenith = at(&noon, 2, WIDTH / 4);
        assert!(zenith[2] > 2.0 * zenith[0], "{zenith:?}");
        assert!(noon.irradiance.iter().all(|value| (2.0..4.0).contains(value)));
        let [red, _, blue] = evening.irradiance;
        assert!(red > 3.0 * blue && red < noon.irradiance[0], "{:?}", evening.irradiance);
        let night = sky(-20.0, 2.0);
        assert!(night.irradiance.iter().all(|&value| value <= 0.0));
        assert!(at(&night, 10, 10)[1] < 1e-3);
    }

    #[test]
    fn everything_is_a_number_and_no_light_is_made() {
        for (elevation, turbidity) in [(90.0, 1.0), (30.0, 10.0), (0.0, 3.0), (-5.0, 3.0)] {
            let sky = sky(elevation, turbidity);
            let Pixels::Rgb32F(pixels) = &sky.image.pixels else { panic!("floats") };
            assert!(pixels.iter().flatten().all(|value| (0.0..100.0).contains(value)));
            // What comes down is less than what came to the atmosphere.
            let down: f64 = (0..WIDTH * WIDTH / 4)
                .map(|place| {
                    let [_, up, _] = direction_of(place, WIDTH / 2);
                    let cell = 2.0 * (std::f64::consts::PI / f64::from(WIDTH / 2)).powi(2);
                    f64::from(pixels[place as usize][1]) * up * cell * 0.5 * (1.0 - up * up).sqrt()
                })
                .sum();
            let sun = f64::from(sky.irradiance[1]) * sky.towards[1].max(0.0);
            assert!(down + sun < SUN[1] * sky.towards[1].max(0.1), "{elevation}: {down} + {sun}");
        }
    }
}
