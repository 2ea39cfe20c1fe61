//! Textures: where coordinates fall, and what colour lies there.

use crate::RenderScene;
use crate::math::{Vec3, floor_to_i32, lerp, lerp3, vec3};
use crate::tables::{FILTER_NEAREST, Texture, TextureUse, WRAP_CLAMP, WRAP_MIRROR};

/// A colour with alpha.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rgba {
    /// Red, green, blue.
    pub rgb: Vec3,
    /// Alpha.
    pub a: f32,
}

/// Column or row `i` of a texture with `count` of them.
#[inline(always)]
#[must_use]
pub fn wrap(i: i32, count: u32, mode: u32) -> u32 {
    let n = count as i32;
    if mode == WRAP_CLAMP {
        return i.clamp(0, n - 1) as u32;
    }
    let period = if mode == WRAP_MIRROR { n * 2 } else { n };
    let rest = i % period;
    let inside = if rest < 0 { rest + period } else { rest };
    (if inside < n { inside } else { period - 1 - inside }) as u32
}

/// The texel at a wrapped column and row: sRGB bytes are made linear, alpha always is.
#[inline(always)]
#[must_use]
pub fn texel(scene: &RenderScene, texture: &Texture, x: i32, y: i32, srgb: bool) -> Rgba {
    let column = wrap(x, texture.width, texture.wrap_u);
    let row = wrap(y, texture.height, texture.wrap_v);
    let word = scene.texels[(texture.texels_at + row * texture.width + column) as usize];
    let (r, g, b) = (word & 0xff, word >> 8 & 0xff, word >> 16 & 0xff);
    let rgb = if srgb {
        vec3(scene.srgb[r as usize], scene.srgb[g as usize], scene.srgb[b as usize])
    } else {
        vec3(byte_to_unit(r), byte_to_unit(g), byte_to_unit(b))
    };
    Rgba { rgb, a: byte_to_unit(word >> 24) }
}

#[inline(always)]
fn byte_to_unit(byte: u32) -> f32 {
    byte as f32 * 0.003_921_569
}

/// Colour of a texture at `(u, v)`, before the use's own map of coordinates.
#[inline]
#[must_use]
pub fn sample(scene: &RenderScene, usage: &TextureUse, u: f32, v: f32, srgb: bool) -> Rgba {
    let texture = &scene.textures[usage.texture as usize];
    let moved_u = u * usage.row_u[0] + v * usage.row_u[1] + usage.row_u[2];
    let moved_v = u * usage.row_v[0] + v * usage.row_v[1] + usage.row_v[2];
    let x = moved_u * texture.width as f32;
    let y = moved_v * texture.height as f32;
    if texture.filter == FILTER_NEAREST {
        return texel(scene, texture, floor_to_i32(x), floor_to_i32(y), srgb);
    }
    let left = floor_to_i32(x - 0.5);
    let top = floor_to_i32(y - 0.5);
    let across = x - 0.5 - left as f32;
    let down = y - 0.5 - top as f32;
    let a = texel(scene, texture, left, top, srgb);
    let b = texel(scene, texture, left + 1, top, srgb);
    let c = texel(scene, texture, left, top + 1, srgb);
    let d = texel(scene, texture, left + 1, top + 1, srgb);
    Rgba {
        rgb: lerp3(lerp3(a.rgb, b.rgb, across), lerp3(c.rgb, d.rgb, across), down),
        a: lerp(lerp(a.a, b.a, across), lerp(c.a, d.a, across), down),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::WRAP_REPEAT;

    #[test]
    fn indices_wrap() {
        let row = |mode| [-5, -4, -1, 0, 3, 4, 7, 8].map(|i| wrap(i, 4, mode));
        assert_eq!(row(WRAP_REPEAT), [3, 0, 3, 0, 3, 0, 3, 0]);
        assert_eq!(row(WRAP_MIRROR), [3, 3, 0, 0, 3, 3, 0, 0]);
        assert_eq!(row(WRAP_CLAMP), [0, 0, 0, 0, 3, 3, 3, 3]);
        assert_eq!(wrap(-(1 << 30), 3, WRAP_REPEAT), 2);
    }
}
