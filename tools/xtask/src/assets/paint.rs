//! Procedural textures: noise, colours, height maps, PNG.

use glam::{Vec2, Vec3};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

/// A hash of integers to 0..1 (PCG-like finaliser).
pub fn hash(x: i32, y: i32, seed: u32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77) ^ seed;
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    ((h ^ (h >> 15)) >> 8) as f32 / (1 << 24) as f32
}

/// Random numbers in order.
pub struct Random(pub u32);

impl Random {
    /// 0..1.
    pub fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(1);
        hash(self.0 as i32, 17, 0xA5A5)
    }

    /// -1..1.
    pub fn signed(&mut self) -> f32 {
        2.0 * self.unit() - 1.0
    }
}

/// Value noise that repeats after `period` cells, 0..1.
fn noise(at: Vec2, period: i32, seed: u32) -> f32 {
    let cell = at.floor();
    let local = at - cell;
    let ease = local * local * (Vec2::splat(3.0) - 2.0 * local);
    let corner = |dx: i32, dy: i32| {
        let (x, y) = (cell.x as i32 + dx, cell.y as i32 + dy);
        hash(x.rem_euclid(period), y.rem_euclid(period), seed)
    };
    let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
    let below = mix(corner(0, 0), corner(1, 0), ease.x);
    mix(below, mix(corner(0, 1), corner(1, 1), ease.x), ease.y)
}

/// Octaves of noise over the unit square, which repeats; 0..1.
pub fn clouds(uv: Vec2, period: i32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut total) = (0.0, 1.0, 0.0);
    for octave in 0..octaves {
        let cells = period << octave;
        sum += weight * noise(uv * cells as f32, cells, seed + octave);
        total += weight;
        weight *= 0.5;
    }
    sum / total
}

pub fn mix(a: Vec3, b: Vec3, t: f32) -> Vec3 {
    a + (b - a) * t.clamp(0.0, 1.0)
}

/// From 0 to 1 between two edges.
pub fn step(from: f32, to: f32, value: f32) -> f32 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A colour from its sRGB bytes, linear.
pub fn srgb(hex: u32) -> Vec3 {
    let channel = |shift: u32| {
        let value = ((hex >> shift) & 0xFF) as f32 / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    Vec3::new(channel(16), channel(8), channel(0))
}

fn encode(value: f32) -> u8 {
    let value = value.clamp(0.0, 1.0);
    let coded =
        if value <= 0.003_130_8 { 12.92 * value } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
    (255.0 * coded).round() as u8
}

/// A linear colour as vertex colour bytes.
pub fn bytes(color: Vec3) -> [u8; 4] {
    let [r, g, b] = color.to_array().map(|value| (255.0 * value.clamp(0.0, 1.0)).round() as u8);
    [r, g, b, 255]
}

/// Paints a colour texture from linear colours over the unit square.
pub fn color_png(width: u32, height: u32, paint: impl Fn(Vec2) -> Vec3) -> anyhow::Result<Vec<u8>> {
    let pixel = |uv: Vec2| paint(uv).to_array().map(encode);
    png(width, height, ExtendedColorType::Rgb8, raster(width, height, pixel))
}

/// Paints a colour texture with alpha.
pub fn alpha_png(
    width: u32,
    height: u32,
    paint: impl Fn(Vec2) -> (Vec3, f32),
) -> anyhow::Result<Vec<u8>> {
    let pixel = |uv: Vec2| {
        let (color, alpha) = paint(uv);
        let [r, g, b] = color.to_array().map(encode);
        [r, g, b, (255.0 * alpha.clamp(0.0, 1.0)).round() as u8]
    };
    png(width, height, ExtendedColorType::Rgba8, raster(width, height, pixel))
}

/// Paints roughness and metal as glTF packs them: green and blue.
pub fn gloss_png(
    width: u32,
    height: u32,
    paint: impl Fn(Vec2) -> (f32, f32),
) -> anyhow::Result<Vec<u8>> {
    let byte = |value: f32| (255.0 * value.clamp(0.0, 1.0)).round() as u8;
    let pixel = |uv: Vec2| {
        let (roughness, metal) = paint(uv);
        [0, byte(roughness), byte(metal)]
    };
    png(width, height, ExtendedColorType::Rgb8, raster(width, height, pixel))
}

/// A normal map of a height field whose unit is the texture's width; it repeats.
pub fn normal_png(side: u32, height: impl Fn(Vec2) -> f32) -> anyhow::Result<Vec<u8>> {
    let texel = 1.0 / side as f32;
    let pixel = |uv: Vec2| {
        let slope = |along: Vec2| (height(uv + along) - height(uv - along)) / (2.0 * texel);
        // v runs down, the map's green points up.
        let (across, down) = (slope(Vec2::X * texel), slope(Vec2::Y * texel));
        let normal = Vec3::new(-across, down, 1.0).normalize();
        normal.to_array().map(|value| (127.5 * value + 127.5).round() as u8)
    };
    png(side, side, ExtendedColorType::Rgb8, raster(side, side, pixel))
}

fn raster<const N: usize>(width: u32, height: u32, pixel: impl Fn(Vec2) -> [u8; N]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((width * height) as usize * N);
    for y in 0..height {
        for x in 0..width {
            let uv = Vec2::new((x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32);
            bytes.extend_from_slice(&pixel(uv));
        }
    }
    bytes
}

fn png(width: u32, height: u32, kind: ExtendedColorType, raw: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive)
        .write_image(&raw, width, height, kind)?;
    Ok(bytes)
}
