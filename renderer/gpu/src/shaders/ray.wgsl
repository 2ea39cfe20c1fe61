// Rays, hits, and the one test of a ray against a triangle, mirrored from renderer/src/ray.rs.
#define_import_path tessera::ray

#import tessera::math::{
    FAR, Affine, copysign, fabs, fcross, fdot, fmax, fmin, fsqrt, max_component, rcp,
    transform_direction, transform_point,
}
#import tessera::tables::NONE

// What a ray enters a box at is scaled by this before it is compared: 1 - 2^-20, eight roundings.
const SLACK: f32 = 0.99999905;
const PAD_SIDE: f32 = 9.536743e-7;
const PAD_PLACE: f32 = 2.3841858e-7;
// Rays start this share of a place's reach off their surface: 2^-18, 64 roundings.
const OFFSET: f32 = 3.8146973e-6;
const DIRECTION_MIN: f32 = 1e-20;

struct Ray {
    origin: vec3<f32>,
    direction: vec3<f32>,
}

struct Query {
    t_max: f32,
    key: u32,
    camera: bool,
    // While the shutter is open; 0 where nothing moves.
    time: f32,
}

struct Hit {
    t: f32,
    u: f32,
    v: f32,
    instance: u32,
    triangle: u32,
}

fn miss(t_max: f32) -> Hit {
    return Hit(t_max, 0.0, 0.0, NONE, NONE);
}

// A ray made ready for boxes and triangles of one space.
struct Probe {
    origin: vec3<f32>,
    direction: vec3<f32>,
    inverse: vec3<f32>,
    axis: u32,
    shear: vec3<f32>,
}

fn inverse_component(d: f32) -> f32 {
    return rcp(select(d, copysign(DIRECTION_MIN, d), fabs(d) < DIRECTION_MIN));
}

// `v` with `axis` last and the two others before it in cyclic order.
fn turn(v: vec3<f32>, axis: u32) -> vec3<f32> {
    return select(select(v, v.zxy, axis == 1u), v.yzx, axis == 0u);
}

fn probe_of(ray: Ray) -> Probe {
    let d = ray.direction;
    let ax = fabs(d.x);
    let ay = fabs(d.y);
    let az = fabs(d.z);
    let axis = select(select(2u, 1u, ay >= az), 0u, ax >= ay && ax >= az);
    let turned = turn(d, axis);
    let scale = rcp(turned.z);
    return Probe(
        ray.origin,
        d,
        vec3<f32>(inverse_component(d.x), inverse_component(d.y), inverse_component(d.z)),
        axis,
        vec3<f32>(turned.x * scale, turned.y * scale, scale),
    );
}

fn transform_ray(world_to_object: Affine, ray: Ray) -> Ray {
    return Ray(
        transform_point(world_to_object, ray.origin),
        transform_direction(world_to_object, ray.direction),
    );
}

struct Box {
    low: vec3<f32>,
    high: vec3<f32>,
}

// The box of a triangle, wide enough for every point at which the test may meet it.
fn triangle_box(a: vec3<f32>, b: vec3<f32>, c: vec3<f32>) -> Box {
    let low = vec3<f32>(
        fmin(fmin(a.x, b.x), c.x),
        fmin(fmin(a.y, b.y), c.y),
        fmin(fmin(a.z, b.z), c.z),
    );
    let high = vec3<f32>(
        fmax(fmax(a.x, b.x), c.x),
        fmax(fmax(a.y, b.y), c.y),
        fmax(fmax(a.z, b.z), c.z),
    );
    let far = vec3<f32>(
        fmax(fabs(low.x), fabs(high.x)),
        fmax(fabs(low.y), fabs(high.y)),
        fmax(fabs(low.z), fabs(high.z)),
    );
    let pad = max_component(high - low) * PAD_SIDE + max_component(far) * PAD_PLACE;
    return Box(low - vec3<f32>(pad), high + vec3<f32>(pad));
}

// Where a ray is inside a box: enters (x), slackened and not below 0, and leaves (y).
fn intersect_box(probe: Probe, low: vec3<f32>, high: vec3<f32>) -> vec2<f32> {
    let a = (low - probe.origin) * probe.inverse;
    let b = (high - probe.origin) * probe.inverse;
    let down = probe.inverse < vec3<f32>(0.0);
    let enters = select(a, b, down);
    let leaves = select(b, a, down);
    let enter = fmax(fmax(fmax(enters.x, enters.y), enters.z), 0.0) * SLACK;
    let leave = fmin(fmin(leaves.x, leaves.y), leaves.z);
    return vec2<f32>(enter, leave);
}

// Where a ray meets a triangle: distance (x) and the weights of the second (y) and third (z)
// vertex; a distance of 0 when it does not.
fn intersect_triangle(
    probe: Probe, a: vec3<f32>, b: vec3<f32>, c: vec3<f32>,
) -> vec3<f32> {
    let nothing = vec3<f32>(0.0);
    let at = turn(a - probe.origin, probe.axis);
    let bt = turn(b - probe.origin, probe.axis);
    let ct = turn(c - probe.origin, probe.axis);
    let ax = at.x - probe.shear.x * at.z;
    let ay = at.y - probe.shear.y * at.z;
    let bx = bt.x - probe.shear.x * bt.z;
    let by = bt.y - probe.shear.y * bt.z;
    let cx = ct.x - probe.shear.x * ct.z;
    let cy = ct.y - probe.shear.y * ct.z;
    let u = cx * by - cy * bx;
    let v = ax * cy - ay * cx;
    let w = bx * ay - by * ax;
    if (u < 0.0 || v < 0.0 || w < 0.0) && (u > 0.0 || v > 0.0 || w > 0.0) { return nothing; }
    let determinant = u + v + w;
    let scale = rcp(determinant);
    if !(fabs(scale) < FAR) { return nothing; }
    let distance = u * at.z + v * bt.z + w * ct.z;
    let plain = distance * probe.shear.z * scale;
    let bounds = triangle_box(a, b, c);
    let inside = intersect_box(probe, bounds.low, bounds.high);
    if !(inside.x <= inside.y) { return nothing; }
    let t = fmin(fmax(plain, inside.x), inside.y);
    if t > 0.0 { return vec3<f32>(t, v * scale, w * scale); }
    return nothing;
}

// A ray's start, moved off the surface it starts on; `reach` is the largest coordinate that the place
// was computed with.
fn offset_origin(p: vec3<f32>, normal: vec3<f32>, reach: f32) -> vec3<f32> {
    return p + normal * (reach * OFFSET);
}

// Unit direction and distance from `a` to `b`; a distance of 0 when they are the same point.
struct Way {
    direction: vec3<f32>,
    distance: f32,
}

fn towards(a: vec3<f32>, b: vec3<f32>) -> Way {
    let way = b - a;
    let squared = fdot(way, way);
    if squared > 1e-20 && squared < FAR {
        let distance = fsqrt(squared);
        return Way(way * rcp(distance), distance);
    }
    return Way(vec3<f32>(0.0), 0.0);
}

fn sees_back(direction: vec3<f32>, a: vec3<f32>, b: vec3<f32>, c: vec3<f32>) -> bool {
    return fdot(fcross(b - a, c - a), direction) > 0.0;
}
