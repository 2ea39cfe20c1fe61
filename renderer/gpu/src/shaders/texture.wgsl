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
fn texel(image: Texture, column: u32, row: u32, srgb: bool) -> vec4<f32> {
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
    let nearest = image.filtering == FILTER_NEAREST;
    let moved_x = select(x - 0.5, x, nearest);
    let moved_y = select(y - 0.5, y, nearest);
    let left = floor_to_i32(moved_x);
    let top = floor_to_i32(moved_y);
    let column = wrap(left, image.width, image.wrap_u);
    let row = wrap(top, image.height, image.wrap_v);
    let a = texel(image, column, row, srgb);
    if nearest { return a; }
    let across = moved_x - f32(left);
    let down = moved_y - f32(top);
    let next_column = wrap(left + 1, image.width, image.wrap_u);
    let next_row = wrap(top + 1, image.height, image.wrap_v);
    let b = texel(image, next_column, row, srgb);
    let c = texel(image, column, next_row, srgb);
    let d = texel(image, next_column, next_row, srgb);
    let upper = a * (1.0 - across) + b * across;
    let lower = c * (1.0 - across) + d * across;
    return upper * (1.0 - down) + lower * down;
}
