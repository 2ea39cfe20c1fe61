// Textures: where coordinates fall, and what colour lies there; mirrored from
// renderer/src/texture.rs. A colour with alpha is a vec4.
#define_import_path tessera::texture

#import tessera::math::{floor_to_i32, lerp, lerp_vec}
#import tessera::tables::{
    FILTER_NEAREST, Texture, TextureUse, WRAP_CLAMP, WRAP_MIRROR, header, texels, texture_of,
    word_f,
}

// Column or row `i` of a texture with `count` of them.
fn wrap(i: i32, count: u32, mode: u32) -> u32 {
    let n = i32(count);
    if mode == WRAP_CLAMP { return u32(clamp(i, 0, n - 1)); }
    let period = select(n, n * 2, mode == WRAP_MIRROR);
    let rest = i % period;
    let inside = select(rest, rest + period, rest < 0);
    return u32(select(period - 1 - inside, inside, inside < n));
}

// The texel at a wrapped column and row: sRGB bytes are made linear, alpha always is.
fn texel(image: Texture, x: i32, y: i32, srgb: bool) -> vec4<f32> {
    let column = wrap(x, image.width, image.wrap_u);
    let row = wrap(y, image.height, image.wrap_v);
    let packed = texels[image.texels_at + row * image.width + column];
    let r = packed & 0xffu;
    let g = (packed >> 8u) & 0xffu;
    let b = (packed >> 16u) & 0xffu;
    let a = byte_to_unit(packed >> 24u);
    if srgb {
        let at = header.srgb_at;
        return vec4<f32>(word_f(at + r), word_f(at + g), word_f(at + b), a);
    }
    return vec4<f32>(byte_to_unit(r), byte_to_unit(g), byte_to_unit(b), a);
}

fn byte_to_unit(byte: u32) -> f32 {
    return f32(byte) * 0.003921569;
}

// Colour of a texture at (u, v), before the use's own map of coordinates.
fn sample(usage: TextureUse, uv: vec2<f32>, srgb: bool) -> vec4<f32> {
    let image = texture_of(usage.texture);
    let moved_u = uv.x * usage.row_u.x + uv.y * usage.row_u.y + usage.row_u.z;
    let moved_v = uv.x * usage.row_v.x + uv.y * usage.row_v.y + usage.row_v.z;
    let x = moved_u * f32(image.width);
    let y = moved_v * f32(image.height);
    if image.filtering == FILTER_NEAREST {
        return texel(image, floor_to_i32(x), floor_to_i32(y), srgb);
    }
    let left = floor_to_i32(x - 0.5);
    let top = floor_to_i32(y - 0.5);
    let across = x - 0.5 - f32(left);
    let down = y - 0.5 - f32(top);
    let a = texel(image, left, top, srgb);
    let b = texel(image, left + 1, top, srgb);
    let c = texel(image, left, top + 1, srgb);
    let d = texel(image, left + 1, top + 1, srgb);
    let upper = a * (1.0 - across) + b * across;
    let lower = c * (1.0 - across) + d * across;
    return upper * (1.0 - down) + lower * down;
}
