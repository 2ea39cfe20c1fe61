// Random numbers, mirrored from renderer/src/sampler.rs: integers only.
#define_import_path tessera::sampler

const PAIR_FILTER: u32 = 0u;
const PAIR_LENS: u32 = 1u;
const PAIR_COLOR: u32 = 2u;
const PAIR_TIME: u32 = 3u;
const PAIR_BOUNCE: u32 = 4u;
const PAIRS_PER_BOUNCE: u32 = 5u;
const PAIR_SCATTER: u32 = 0u;
const PAIR_CHOICE: u32 = 1u;
const PAIR_LIGHT: u32 = 2u;
const PAIR_PICK: u32 = 3u;
const PAIR_CELL: u32 = 4u;

fn hash(value: u32) -> u32 {
    let a = value ^ (value >> 16u);
    let b = a * 0x7feb352du;
    let c = b ^ (b >> 15u);
    let d = c * 0x846ca68bu;
    return d ^ (d >> 16u);
}

fn hash_with(state: u32, value: u32) -> u32 {
    return hash((state * 0x9e3779b1u) ^ hash(value + 0x85ebca6bu));
}

fn pixel_key(seed: u32, time_hash: u32, x: u32, y: u32) -> u32 {
    return hash_with(hash_with(hash_with(hash(seed), time_hash), x), y);
}

fn ray_key(pixel_key: u32, sample: u32, bounce: u32, kind: u32) -> u32 {
    return hash_with(hash_with(pixel_key ^ 0x5bd1e995u, sample), bounce * 2u + kind);
}

fn to_unit(bits: u32) -> f32 {
    return f32(bits >> 8u) * 5.9604645e-8;
}

fn laine_karras(bits: u32, seed: u32) -> u32 {
    let a = bits ^ (bits * 0x3d20adeau);
    let b = a + seed;
    let c = b * ((seed >> 16u) | 1u);
    let d = c ^ (c * 0x05526c56u);
    return d ^ (d * 0x53a22864u);
}

fn pascal(index: u32) -> u32 {
    let a = index ^ ((index >> 1u) & 0x55555555u);
    let b = a ^ ((a >> 2u) & 0x33333333u);
    let c = b ^ ((b >> 4u) & 0x0f0f0f0fu);
    let d = c ^ ((c >> 8u) & 0x00ff00ffu);
    return d ^ (d >> 16u);
}

fn sample_pair(pixel_key: u32, sample: u32, pair: u32) -> vec2<f32> {
    let seed = hash_with(pixel_key, pair);
    let index = reverseBits(laine_karras(reverseBits(sample), seed));
    let first = reverseBits(laine_karras(index, hash(seed ^ 0xa511e9b3u)));
    let second = reverseBits(laine_karras(pascal(index), hash(seed ^ 0x63d83595u)));
    return vec2<f32>(to_unit(first), to_unit(second));
}

fn bounce_pair(bounce: u32, purpose: u32) -> u32 {
    return PAIR_BOUNCE + bounce * PAIRS_PER_BOUNCE + purpose;
}
