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

fn place_of(x: u32, y: u32) -> u32 {
    return spread(x & 0xffffu) << 1u | spread(y & 0xffffu);
}

fn spread(half: u32) -> u32 {
    let a = (half | half << 8u) & 0x00ff00ffu;
    let b = (a | a << 4u) & 0x0f0f0f0fu;
    let c = (b | b << 2u) & 0x33333333u;
    return (c | c << 1u) & 0x55555555u;
}

fn ray_key(place: u32, sample: u32, bounce: u32, kind: u32) -> u32 {
    return hash_with(hash_with(place ^ 0x5bd1e995u, sample), bounce * 2u + kind);
}

fn alpha_draw(frame_key: u32, ray_key: u32, instance: u32, primitive: u32) -> f32 {
    return to_unit(hash_with(hash_with(frame_key ^ ray_key, instance), primitive));
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

// The digits of a place in the grid of a pair.
fn digits_of(place: u32, pair: u32, seed: u32) -> u32 {
    let aside = (hash(seed ^ 0xb5297a4du) & ~3u) | (pair & 3u);
    let x = ((place | 0x55555555u) + (aside & 0xaaaaaaaau)) & 0xaaaaaaaau;
    let y = ((place | 0xaaaaaaaau) + (aside & 0x55555555u)) & 0x55555555u;
    let digits = reverseBits(x | y);
    let upper = (digits >> 1u) & 0x55555555u;
    let lower = digits & 0x55555555u;
    let turns = pair % 3u;
    var turned = digits;
    if turns == 1u { turned = ((upper ^ lower) << 1u) | upper; }
    if turns == 2u { turned = (lower << 1u) | (upper ^ lower); }
    return laine_karras(turned, hash(seed ^ 0x68bc21ebu));
}

// What the digits of a place add to those of its samples.
fn of_digits(digits: u32) -> u32 {
    let a = times_q(digits, 0xccccccccu, 1u);
    let b = times_q(a, 0xf0f0f0f0u, 2u);
    let c = times_q(b, 0xff00ff00u, 4u);
    let d = times_q(c, 0xffff0000u, 8u);
    return d ^ (d << 16u);
}

fn times_q(value: u32, upper: u32, step: u32) -> u32 {
    let part = value & upper;
    return value ^ (part >> step) ^ (part >> (2u * step));
}

fn seen_from_one(digits: u32) -> u32 {
    return digits ^ ((digits & 0xaaaaaaaau) >> 1u);
}

fn sample_pair(frame_key: u32, place: u32, sample: u32, pair: u32) -> vec2<f32> {
    let seed = hash_with(frame_key, pair);
    let index = reverseBits(laine_karras(reverseBits(sample), seed));
    let digits = digits_of(place, pair, seed);
    let first = index ^ of_digits(digits);
    let second = pascal(index) ^ of_digits(seen_from_one(digits));
    let u = reverseBits(laine_karras(first, hash(seed ^ 0xa511e9b3u)));
    let v = reverseBits(laine_karras(second, hash(seed ^ 0x63d83595u)));
    return vec2<f32>(to_unit(u), to_unit(v));
}

fn bounce_pair(bounce: u32, purpose: u32) -> u32 {
    return PAIR_BOUNCE + bounce * PAIRS_PER_BOUNCE + purpose;
}
