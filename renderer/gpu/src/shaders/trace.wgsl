// What a ray meets, mirrored from renderer/src/trace.rs: of all triangles that the test accepts
// and that are there, the nearest; of equally near ones, that of the smaller (instance,
// primitive). Trees only skip what cannot be it.
#define_import_path tessera::trace

#import tessera::moving::{placed_at, triangle_at}
#import tessera::ray::{
    Hit, Probe, Query, Ray, intersect_box, intersect_triangle, miss, probe_of, sees_back,
    transform_ray,
}
#import tessera::sampler::alpha_draw
#import tessera::surface::alpha_of
#import tessera::tables::{
    ALPHA_MASK, INSTANCE_IDENTITY, NONE, TRIANGLE_ALPHA, TRIANGLE_CULL, Triangle, header,
    instance_at, instance_flags, instance_id, instance_root_node, material_of, nodes, shape_of,
    triangle_of,
}

// Groups that wait: one per level, and two at the entrance of an instance.
const STACK_ENTRIES: u32 = 40u;
const NODE_BITS: u32 = 0xff000000u;

// A hit, and whether the walk came to its end by itself: Mesa before 25 ends the loops of an
// invocation after 65 535 rounds in all, without a word.
struct Walked {
    hit: Hit,
    finished: bool,
}

// Whether a hit comes before another: nearer, or as near and of a smaller number.
fn is_before(t: f32, instance: u32, primitive: u32, best: Hit) -> bool {
    if t < best.t { return true; }
    if t > best.t { return false; }
    if best.triangle == NONE { return true; }
    let id = instance_id(instance_at(instance));
    let best_id = instance_id(instance_at(best.instance));
    return id < best_id
        || (id == best_id && primitive < triangle_of(best.triangle).primitive);
}

// Whether a triangle, as it is at the ray's time, is there for it: neither culled nor transparent at that point.
fn is_there(
    query: Query, direction: vec3<f32>, instance: u32, triangle: Triangle, weights: vec2<f32>,
) -> bool {
    if (triangle.flags & TRIANGLE_CULL) != 0u && query.camera {
        if sees_back(direction, triangle.a, triangle.b, triangle.c) { return false; }
    }
    if (triangle.flags & TRIANGLE_ALPHA) != 0u {
        let shape = shape_of(triangle.shape);
        let material = material_of(shape.material);
        let alpha = alpha_of(shape, material, triangle.primitive, weights);
        if material.alpha_mode == ALPHA_MASK { return alpha >= material.alpha_cutoff; }
        let id = instance_id(instance_at(instance));
        let draw = alpha_draw(header.frame_key, query.key, id, triangle.primitive);
        return draw < alpha;
    }
    return true;
}

// The order in which a ray visits slots: bits of the axes along which it runs upwards.
fn octant(probe: Probe) -> u32 {
    let x = select(4u, 0u, probe.inverse.x < 0.0);
    let y = select(2u, 0u, probe.inverse.y < 0.0);
    let z = select(1u, 0u, probe.inverse.z < 0.0);
    return x + y + z;
}

struct Grid {
    origin: vec3<f32>,
    scale: vec3<f32>,
}

// The bits that a child adds to the hits of its node.
fn intersect_child(
    probe: Probe, order: u32, t_max: f32, grid: Grid, tag: u32, inner: u32, low: vec3<u32>,
    high: vec3<u32>,
) -> u32 {
    let inside = intersect_box(
        probe,
        grid.origin + vec3<f32>(low) * grid.scale,
        grid.origin + vec3<f32>(high) * grid.scale,
    );
    let met = tag != 0u && inside.x <= inside.y && inside.x <= t_max;
    let leaf_bits = (tag >> 5u) << (tag & 31u);
    let node_bits = 1u << (24u + ((tag & 7u) ^ order));
    return select(0u, select(leaf_bits, node_bits, inner != 0u), met);
}

// Four children whose bytes lie in one word each.
fn intersect_four(
    probe: Probe, order: u32, t_max: f32, grid: Grid, tag: u32, inner: u32, low_x: u32,
    high_x: u32, low_y: u32, high_y: u32, low_z: u32, high_z: u32,
) -> u32 {
    let low = vec3<u32>(low_x, low_y, low_z);
    let high = vec3<u32>(high_x, high_y, high_z);
    let byte = vec3<u32>(0xffu);
    let a = intersect_child(
        probe, order, t_max, grid, tag & 0xffu, inner & 1u, low & byte, high & byte,
    );
    let b = intersect_child(
        probe, order, t_max, grid, (tag >> 8u) & 0xffu, inner & 2u,
        (low >> vec3<u32>(8u)) & byte, (high >> vec3<u32>(8u)) & byte,
    );
    let c = intersect_child(
        probe, order, t_max, grid, (tag >> 16u) & 0xffu, inner & 4u,
        (low >> vec3<u32>(16u)) & byte, (high >> vec3<u32>(16u)) & byte,
    );
    let d = intersect_child(
        probe, order, t_max, grid, tag >> 24u, inner & 8u, low >> vec3<u32>(24u),
        high >> vec3<u32>(24u),
    );
    return a | b | c | d;
}

// The nearest hit, or with `any` the first that is found.
fn walk(ray: Ray, query: Query, any_hit: bool) -> Walked {
    var best = miss(query.t_max);
    if header.root_node == NONE { return Walked(best, true); }
    let world = probe_of(ray);
    var probe = world;
    var order = octant(probe);
    var instance = NONE;
    var stack: array<vec2<u32>, STACK_ENTRIES>;
    var top = 0u;
    var instance_floor = 0u;
    var group = vec2<u32>(header.root_node, 0x80000000u);
    var primitives = vec2<u32>(0u, 0u);
    var finished = false;
    loop {
        // Open the next node of the group.
        if (group.y & NODE_BITS) != 0u {
            let bit = firstLeadingBit(group.y);
            let inner = group.y & 0xffu;
            let rest = group.y & ~(1u << bit);
            if (rest & NODE_BITS) != 0u {
                stack[top] = vec2<u32>(group.x, rest);
                top += 1u;
            }
            let slot = (bit - 24u) ^ order;
            let before = countOneBits(inner & ~(0xffffffffu << slot));
            let at = (group.x + before) * 5u;
            let n0 = nodes[at];
            let n1 = nodes[at + 1u];
            let n2 = nodes[at + 2u];
            let n3 = nodes[at + 3u];
            let n4 = nodes[at + 4u];
            let exponents =
                (vec3<u32>(n0.w, n0.w >> 8u, n0.w >> 16u) & vec3<u32>(0xffu)) << vec3<u32>(23u);
            let grid = Grid(bitcast<vec3<f32>>(n0.xyz), bitcast<vec3<f32>>(exponents));
            let children = n0.w >> 24u;
            let hits = intersect_four(
                probe, order, best.t, grid, n1.z, children, n2.x, n2.z, n3.x, n3.z, n4.x, n4.z,
            ) | intersect_four(
                probe, order, best.t, grid, n1.w, children >> 4u, n2.y, n2.w, n3.y, n3.w, n4.y,
                n4.w,
            );
            group = vec2<u32>(n1.x, (hits & NODE_BITS) | children);
            primitives = vec2<u32>(n1.y, hits & 0x00ffffffu);
        }
        // Try its primitives: triangles, or the first instance.
        var blocked = false;
        while primitives.y != 0u {
            let index = primitives.x + firstTrailingBit(primitives.y);
            primitives.y &= primitives.y - 1u;
            if instance != NONE {
                let triangle = triangle_at(index, query.time);
                let met = intersect_triangle(probe, triangle.a, triangle.b, triangle.c);
                if met.x > 0.0
                    && is_before(met.x, instance, triangle.primitive, best)
                    && is_there(query, probe.direction, instance, triangle, met.yz)
                {
                    best = Hit(met.x, met.y, met.z, instance, index);
                    blocked = any_hit;
                    if any_hit { break; }
                }
            } else {
                if (group.y & NODE_BITS) != 0u {
                    stack[top] = group;
                    top += 1u;
                }
                if primitives.y != 0u {
                    stack[top] = primitives;
                    top += 1u;
                }
                let at = instance_at(index);
                instance = index;
                instance_floor = top;
                if (instance_flags(at) & INSTANCE_IDENTITY) == 0u {
                    let placed = placed_at(at, query.time);
                    probe = probe_of(transform_ray(placed.world_to_object, ray));
                    order = octant(probe);
                }
                group = vec2<u32>(instance_root_node(at), 0x80000000u);
                primitives = vec2<u32>(0u, 0u);
            }
        }
        if blocked {
            finished = true;
            break;
        }
        // Take the next group that waits, and leave the instance when none of its own does.
        if (group.y & NODE_BITS) == 0u {
            if instance != NONE && top == instance_floor {
                instance = NONE;
                probe = world;
                order = octant(probe);
            }
            if top == 0u {
                finished = true;
                break;
            }
            top -= 1u;
            let waiting = stack[top];
            if (waiting.y & NODE_BITS) != 0u {
                group = waiting;
            } else {
                group = vec2<u32>(0u, 0u);
                primitives = waiting;
            }
        }
    }
    return Walked(best, finished);
}
