// What moves while the shutter is open, at a ray's time; mirrored from renderer/src/moving.rs.
//
// Only the kernel for scenes in which something moves has it: without MOTION everything stays where
// the tables say.
#define_import_path tessera::moving

#import tessera::math::{
    Affine, between_row, between_vec, fcross, flength, fmin, rcp, transform_point,
}
#import tessera::tables::{
    EMITTER_MOVING, Emitter, INSTANCE_MOVES, NONE, Shape, TRIANGLE_MOVES, Triangle, attribute_row,
    attribute_vec, attributes, emitter_measure_bits, header, instance_at, instance_flags,
    instance_motion_at, instance_object_to_world, instance_world_to_object, shape_of, triangle_of,
    vertices,
}

// Floats of one key of an instance, and of one of the camera.
const PLACE_FLOATS: u32 = 12u;
const CAMERA_FLOATS: u32 = 16u;

// Between two keys.
struct Moment {
    key: u32,
    share: f32,
}

fn moment_of(time: f32) -> Moment {
    let steps = header.motion_keys - 1u;
    let scaled = time * f32(steps);
    let key = u32(i32(fmin(scaled, f32(steps - 1u))));
    return Moment(key, scaled - f32(key));
}

// Three floats of a list at `at`: the list stands there once for each key, `stride` floats apart.
fn vector_at(at: u32, stride: u32, moment: Moment) -> vec3<f32> {
    let first = at + moment.key * stride;
    return between_vec(attribute_vec(first), attribute_vec(first + stride), moment.share);
}

// Normal of a vertex at a time, of any length; only for shapes that have normals.
fn vertex_normal(shape: Shape, vertex: u32, time: f32) -> vec3<f32> {
    let at = shape.normals_at + vertex * 3u;
#ifdef MOTION
    if shape.positions_at != NONE {
        return vector_at(at, shape.vertex_count * 3u, moment_of(time));
    }
#endif
    return attribute_vec(at);
}

// Tangent of a vertex at a time, of any length, and the sign of its bitangent.
fn vertex_tangent(shape: Shape, vertex: u32, time: f32) -> vec4<f32> {
    let at = shape.tangents_at + vertex * 4u;
#ifdef MOTION
    if shape.positions_at != NONE {
        let moment = moment_of(time);
        let stride = shape.vertex_count * 4u;
        let sign = attributes[at + moment.key * stride + 3u];
        return vec4<f32>(vector_at(at, stride, moment), sign);
    }
#endif
    return attribute_row(at);
}

// A triangle as it is at a time.
fn triangle_at(index: u32, time: f32) -> Triangle {
    var triangle = triangle_of(index);
#ifdef MOTION
    if (triangle.flags & TRIANGLE_MOVES) != 0u {
        let shape = shape_of(triangle.shape);
        let corners = vertices(shape, triangle.primitive);
        let moment = moment_of(time);
        let stride = shape.vertex_count * 3u;
        triangle.a = vector_at(shape.positions_at + corners.x * 3u, stride, moment);
        triangle.b = vector_at(shape.positions_at + corners.y * 3u, stride, moment);
        triangle.c = vector_at(shape.positions_at + corners.z * 3u, stride, moment);
    }
#endif
    return triangle;
}

// The maps of an instance.
struct Placed {
    object_to_world: Affine,
    world_to_object: Affine,
}

// An instance, whose words begin at `at`, as it is placed at a time.
fn placed_at(at: u32, time: f32) -> Placed {
#ifdef MOTION
    if (instance_flags(at) & INSTANCE_MOVES) != 0u {
        let moment = moment_of(time);
        let first = instance_motion_at(at) + moment.key * PLACE_FLOATS;
        let next = first + PLACE_FLOATS;
        let m = Affine(
            between_row(attribute_row(first), attribute_row(next), moment.share),
            between_row(attribute_row(first + 4u), attribute_row(next + 4u), moment.share),
            between_row(attribute_row(first + 8u), attribute_row(next + 8u), moment.share),
        );
        return Placed(m, inverse_of(m));
    }
#endif
    return Placed(instance_object_to_world(at), instance_world_to_object(at));
}

// A row of the inverse from its minors.
fn inverse_row(minors: vec3<f32>, scale: f32, m: Affine) -> vec4<f32> {
    let r = minors * scale;
    return vec4<f32>(r, -(r.x * m.x.w + r.y * m.y.w + r.z * m.z.w));
}

// The inverse of an affine map by its minors: `inverse` in Rust.
fn inverse_of(m: Affine) -> Affine {
    let a = m.x;
    let b = m.y;
    let c = m.z;
    let x = vec3<f32>(b.y * c.z - b.z * c.y, a.z * c.y - a.y * c.z, a.y * b.z - a.z * b.y);
    let y = vec3<f32>(b.z * c.x - b.x * c.z, a.x * c.z - a.z * c.x, a.z * b.x - a.x * b.z);
    let z = vec3<f32>(b.x * c.y - b.y * c.x, a.y * c.x - a.x * c.y, a.x * b.y - a.y * b.x);
    let scale = rcp(a.x * x.x + a.y * y.x + a.z * z.x);
    return Affine(inverse_row(x, scale, m), inverse_row(y, scale, m), inverse_row(z, scale, m));
}

// A triangle emitter, number `index`, as it is at a time, in world space.
fn emitter_at(index: u32, light: Emitter, time: f32) -> Emitter {
    var moved = light;
#ifdef MOTION
    if light.kind == EMITTER_MOVING {
        let m = placed_at(instance_at(emitter_measure_bits(index)), time).object_to_world;
        let triangle = triangle_at(light.triangle, time);
        let a = transform_point(m, triangle.a);
        moved.position = a;
        moved.edge_b = transform_point(m, triangle.b) - a;
        moved.edge_c = transform_point(m, triangle.c) - a;
        moved.extent = flength(fcross(moved.edge_b, moved.edge_c)) * 0.5;
    }
#endif
    return moved;
}
