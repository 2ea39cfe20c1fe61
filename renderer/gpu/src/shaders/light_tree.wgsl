// Which light: a tree over all that shines from somewhere, and an alias table over what is
// infinitely far away; mirrored from renderer/src/light_tree.rs.
#define_import_path tessera::light_tree

#import tessera::math::{fabs, fclamp, fdot, fmax, fmin, fsqrt, rcp}
#import tessera::rounding::div
#import tessera::surface::Surface
#import tessera::tables::{
    Emitter, LIGHT_DEPTH_MAX, LIGHT_INDEX, LIGHT_LEAF, LIGHT_TWO_SIDED, LightNode, NONE,
    PICK_WORDS, emitter_measure, header, light_node_of, word_f, words,
}

const LIKELY_MAX: f32 = 0.99999905;
const SHARE_MIN: f32 = 0.1;
const BELOW_ONE: f32 = 0.99999994;
const HORIZON: f32 = 1e-3;
const RIM: f32 = 1e-2;
const NEAR: f32 = 1e-12;
const INSIDE: f32 = 0.1;
const PROMISE_MAX: f32 = 1e30;

// Where a path scatters, as far as the choice of a light depends on it: where rays to lights
// begin, and the unit normal of the only side that scatters, or zero where both sides do.
struct Vertex {
    point: vec3<f32>,
    normal: vec3<f32>,
}

fn vertex_of(surface: Surface, origin: vec3<f32>) -> Vertex {
    let passes = surface.transmission > 0.0 || surface.translucency > 0.0;
    return Vertex(origin, select(surface.normal, vec3<f32>(0.0), passes));
}

// An emitter, or NONE, and the probability that it was picked with.
struct Picked {
    emitter: u32,
    probability: f32,
}

// Cosine of the angle `a` less the angle `b`, or of 0 where `b` is the larger.
fn cos_less(a_cos: f32, b_cos: f32, b_sin: f32) -> f32 {
    if a_cos < b_cos { return a_cos * b_cos + fsqrt(1.0 - a_cos * a_cos) * b_sin; }
    return 1.0;
}

// Half the width of a box along a direction.
fn half_width(sides: vec3<f32>, d: vec3<f32>) -> f32 {
    return fabs(d.x) * sides.x + fabs(d.y) * sides.y + fabs(d.z) * sides.z;
}

// Light that a node may send to a vertex.
fn promise(node: LightNode, at: Vertex) -> f32 {
    let way = node.center - at.point;
    let sides = node.half_sides;
    let gap = vec3<f32>(
        fmax(fabs(way.x) - sides.x, 0.0),
        fmax(fabs(way.y) - sides.y, 0.0),
        fmax(fabs(way.z) - sides.z, 0.0),
    );
    let nearest = fsqrt(fdot(gap, gap));
    let is_one_sided = fdot(at.normal, at.normal) > 0.0;
    var height = 1.0;
    if is_one_sided {
        let top = fdot(at.normal, way) + half_width(sides, at.normal);
        if top <= 0.0 { return 0.0; }
        if top < nearest { height = div(top, nearest); }
    }
    let squared = fdot(way, way);
    let within = fmax(node.radius * node.radius, NEAR);
    if squared <= within {
        let reach = fmax(within * INSIDE, squared);
        return fmin(div(node.intensity, reach) * (height + HORIZON), PROMISE_MAX);
    }
    let distance = fsqrt(squared);
    let inverse = rcp(distance);
    let direction = way * inverse;
    let sphere_sin = node.radius * inverse;
    let sphere_cos = fsqrt(1.0 - sphere_sin * sphere_sin);
    if is_one_sided {
        let middle = fclamp(fdot(at.normal, direction), -1.0, 1.0);
        height = fmin(height, cos_less(middle, sphere_cos, sphere_sin));
    }

    // The angle to the axis, less the cone's.
    var along = -fdot(node.axis, way);
    if (node.child & LIGHT_TWO_SIDED) != 0u { along = fabs(along); }
    var cosine = cos_less(fclamp(along * inverse, -1.0, 1.0), sphere_cos, sphere_sin);
    let most = along + half_width(sides, node.axis);
    if most < nearest {
        // What is behind is least so when it is far.
        let divisor = select(nearest, distance + node.radius, most < 0.0);
        cosine = fmin(cosine, div(most, divisor));
    }
    let cone_sin = fsqrt(1.0 - node.cone_cos * node.cone_cos);
    cosine = cos_less(cosine, node.cone_cos, cone_sin);
    if cosine <= node.end_cos { return 0.0; }
    let light = node.intensity * inverse * inverse * fmax(cosine, RIM);
    return fmin(light * fmax(height + HORIZON, 0.0), PROMISE_MAX);
}

// Probability that one of the infinitely far emitters is picked, not one of the tree.
fn infinite_share(at: Vertex) -> f32 {
    if header.infinite_count == 0u { return 0.0; }
    if header.infinite_count == header.emitter_count { return 1.0; }
    let near = promise(light_node_of(0u), at);
    if near > 0.0 {
        let far = header.infinite_irradiance;
        return fclamp(div(far, far + near), SHARE_MIN, 1.0 - SHARE_MIN);
    }
    return 1.0;
}

// Probability of the likelier of two children, of which at least one promises light.
fn likely(high: f32, low: f32) -> f32 {
    if low > 0.0 { return fmin(div(high, high + low), LIKELY_MAX); }
    return 1.0;
}

// Picks an emitter for a vertex; NONE where none can light it.
fn pick_emitter(at: Vertex, u: f32, v: f32) -> Picked {
    let share = infinite_share(at);
    if u < share {
        let count = header.infinite_count;
        let choice = div(u, share);
        let drawn = u32(fmin(choice * f32(count), f32(count - 1u)));
        let entry = header.picks_at + drawn * PICK_WORDS;
        var emitter = drawn;
        if !(v < word_f(entry)) { emitter = words[entry + 1u]; }
        return Picked(emitter, share * emitter_measure(emitter));
    }
    if header.infinite_count == header.emitter_count { return Picked(NONE, 0.0); }
    var draw = fmin(div(u - share, 1.0 - share), BELOW_ONE);
    var other = v;
    var probability = 1.0 - share;
    var node = light_node_of(0u);
    for (var level = 0u; level < LIGHT_DEPTH_MAX; level += 1u) {
        let child = node.child & LIGHT_INDEX;
        if (node.child & LIGHT_LEAF) != 0u { return Picked(child, probability); }
        let first = light_node_of(child);
        let second = light_node_of(child + 1u);
        let a = promise(first, at);
        let b = promise(second, at);
        if a <= 0.0 && b <= 0.0 { break; }
        let p = likely(fmax(a, b), fmin(a, b));
        let is_likely = draw < p;
        let next = other;
        if is_likely {
            other = fmin(div(draw, p), BELOW_ONE);
            probability = probability * p;
        } else {
            other = fmin(div(draw - p, 1.0 - p), BELOW_ONE);
            probability = probability * (1.0 - p);
        }
        draw = next;
        if is_likely == (a >= b) { node = first; } else { node = second; }
    }
    return Picked(NONE, 0.0);
}

// Probability of `pick_emitter` for an emitter of the tree.
fn finite_probability(at: Vertex, leaf: u32) -> f32 {
    if leaf == NONE { return 0.0; }
    var probability = 1.0 - infinite_share(at);
    var index = leaf;
    for (var level = 0u; level < LIGHT_DEPTH_MAX; level += 1u) {
        if index == 0u { return probability; }
        let node = light_node_of(index);
        let own = promise(node, at);
        let sibling = promise(light_node_of(index ^ 1u), at);
        if own <= 0.0 { return 0.0; }
        let p = likely(fmax(own, sibling), fmin(own, sibling));
        probability = probability * select(1.0 - p, p, own >= sibling);
        index = node.parent;
    }
    return 0.0;
}

// Probability of `pick_emitter` for an emitter that is infinitely far away.
fn infinite_probability(at: Vertex, emitter: u32) -> f32 {
    return infinite_share(at) * emitter_measure(emitter);
}
