//! Tangents by MikkTSpace (Mikkelsen, "Simulation of Wrinkled Surfaces Revisited", 2008, and its
//! reference code), which glTF asks for where a file brings none.
//!
//! Written anew rather than taken from a crate, because those at hand recurse once per triangle
//! around a vertex and compare all of them with each other: a hostile fan ends the stack or
//! never ends. Here everything is a loop, and sorting is the dearest step. What the reference
//! code does for quads does not arise; its angular threshold is at its default of 180°, where
//! a group of triangles has one tangent.

use crate::animation::MorphTarget;
use crate::model::{Primitive, TextureRef};

use glam::{DVec2, DVec3, Vec2, Vec3};

/// Gives every corner a vertex of its own and every triangle its flat normal.
pub fn flatten(primitive: &mut Primitive) {
    let corners: Vec<u32> = primitive.indices.as_flattened().to_vec();
    *primitive = gather(primitive, &corners);
    primitive.indices = sequence(corners.len());
    primitive.normals = (primitive.positions.as_chunks::<3>().0.iter())
        .flat_map(|&triangle| {
            let [a, b, c] = triangle.map(|point| Vec3::from(point).as_dvec3());
            let normal = (b - a).cross(c - a).try_normalize().unwrap_or(DVec3::Y);
            [normal.as_vec3().into(); 3]
        })
        .collect();
}

/// Computes the tangents for a normal map. Vertices whose triangles disagree are split.
///
/// The texture's transform is applied first, so that the tangent follows the map as it is seen.
pub fn generate(primitive: &mut Primitive, texture: &TextureRef) {
    let corners: Vec<u32> = primitive.indices.as_flattened().to_vec();
    let mesh = Corners::new(primitive, &corners, texture);
    let tangents = mesh.tangents();

    // Keep a vertex's first tangent; corners that differ get vertices of their own.
    let unset = [f32::NAN; 4];
    let mut chosen = vec![unset; primitive.positions.len()];
    let mut sources: Vec<u32> = (0..).take(primitive.positions.len()).collect();
    let mut split = std::collections::BTreeMap::new();
    let mut indices = Vec::with_capacity(corners.len());
    for (&vertex, &tangent) in corners.iter().zip(&tangents) {
        let first = &mut chosen[vertex as usize];
        if first[0].is_nan() {
            *first = tangent;
        }
        if bits(first) == bits(&tangent) {
            indices.push(vertex);
            continue;
        }
        let next = u32::try_from(sources.len()).expect("invariant: corners are counted in u32");
        let index = *split.entry((vertex, bits(&tangent))).or_insert(next);
        if index == next {
            sources.push(vertex);
            chosen.push(tangent);
        }
        indices.push(index);
    }
    let triangles = indices.as_chunks::<3>().0.to_vec();
    if sources.len() > primitive.positions.len() {
        *primitive = gather(primitive, &sources);
    }
    // Vertices of no triangle have no tangent; any direction will do.
    let filled = chosen.into_iter().map(|tangent| match tangent[0].is_nan() {
        true => [1.0, 0.0, 0.0, 1.0],
        false => tangent,
    });
    primitive.tangents = filled.collect();
    primitive.indices = triangles;
}

fn bits(tangent: &[f32; 4]) -> [u32; 4] {
    tangent.map(f32::to_bits)
}

fn sequence(count: usize) -> Vec<[u32; 3]> {
    let corners: Vec<u32> = (0..).take(count).collect();
    corners.as_chunks::<3>().0.to_vec()
}

/// The vertices named by `sources`, in that order; without indices and tangents.
fn gather(primitive: &Primitive, sources: &[u32]) -> Primitive {
    fn pick<T: Copy>(list: &[T], sources: &[u32]) -> Vec<T> {
        if list.is_empty() {
            return Vec::new();
        }
        sources.iter().map(|&source| list[source as usize]).collect()
    }
    Primitive {
        positions: pick(&primitive.positions, sources),
        normals: pick(&primitive.normals, sources),
        tangents: Vec::new(),
        uvs: [pick(&primitive.uvs[0], sources), pick(&primitive.uvs[1], sources)],
        colors: pick(&primitive.colors, sources),
        indices: Vec::new(),
        material: primitive.material,
        joints: primitive.joints.each_ref().map(|set| pick(set, sources)),
        joint_weights: primitive.joint_weights.each_ref().map(|set| pick(set, sources)),
        targets: (primitive.targets.iter())
            .map(|target| MorphTarget {
                positions: pick(&target.positions, sources),
                normals: pick(&target.normals, sources),
                tangents: pick(&target.tangents, sources),
            })
            .collect(),
    }
}

/// A triangle's own tangent space.
#[derive(Clone, Copy, Default)]
struct Face {
    /// Unit vector along u, turned by the orientation.
    tangent: DVec3,
    /// Whether u and v turn as the triangle does.
    preserving: bool,
    /// Its map has no area: it joins any group and adds nothing.
    joins_any: bool,
    /// Two of its corners coincide: it takes what its neighbours found.
    degenerate: bool,
    /// Neighbours across the edges 0-1, 1-2, 2-0.
    neighbours: [Option<u32>; 3],
}

struct Corners {
    positions: Vec<DVec3>,
    normals: Vec<DVec3>,
    uvs: Vec<DVec2>,
    /// For every corner, the first vertex of equal position, normal and texture coordinates.
    welded: Vec<u32>,
}

impl Corners {
    fn new(primitive: &Primitive, corners: &[u32], texture: &TextureRef) -> Self {
        let uv_set = &primitive.uvs[texture.uv_set as usize];
        let vertex = |index: u32| index as usize;
        let positions: Vec<DVec3> = corners
            .iter()
            .map(|&index| Vec3::from(primitive.positions[vertex(index)]).as_dvec3())
            .collect();
        let normals: Vec<DVec3> = corners
            .iter()
            .map(|&index| Vec3::from(primitive.normals[vertex(index)]).as_dvec3())
            .collect();
        let uvs = corners.iter().map(|&index| moved(uv_set[vertex(index)], texture)).collect();
        let welded = weld(primitive, uv_set, corners);
        Self { positions, normals, uvs, welded }
    }

    /// A tangent and the bitangent's sign for every corner.
    fn tangents(&self) -> Vec<[f32; 4]> {
        let mut faces = self.faces();
        self.connect(&mut faces);
        let mut tangents: Vec<Option<[f32; 4]>> = vec![None; self.welded.len()];
        let mut grouped = vec![false; self.welded.len()];
        for corner in 0..self.welded.len() {
            let face = faces[corner / 3];
            if face.joins_any || face.degenerate || grouped[corner] {
                continue;
            }
            let group = self.group(corner, &mut faces, &mut grouped);
            let tangent = self.group_tangent(&group, &faces, face.preserving);
            for member in group {
                tangents[member] = Some(tangent);
            }
        }
        self.fill(tangents)
    }

    fn faces(&self) -> Vec<Face> {
        let count = self.welded.len() / 3;
        let face = |face: usize| {
            let [a, b, c] = [0, 1, 2].map(|corner| self.positions[3 * face + corner]);
            if a == b || b == c || c == a {
                return Face { degenerate: true, ..Face::default() };
            }
            let [t0, t1, t2] = [0, 1, 2].map(|corner| self.uvs[3 * face + corner]);
            let (t1, t2) = (t1 - t0, t2 - t0);
            let area = t1.perp_dot(t2);
            let preserving = area > 0.0;
            // Equation 18 of the thesis, without the division that only scales.
            let along_u = t2.y * (b - a) - t1.y * (c - a);
            let tangent = along_u.try_normalize().map(|unit| if preserving { unit } else { -unit });
            let joins_any = area.abs() <= f64::from(f32::MIN_POSITIVE) || tangent.is_none();
            Face { tangent: tangent.unwrap_or_default(), preserving, joins_any, ..Face::default() }
        };
        (0..count).map(face).collect()
    }

    /// Finds the neighbour across every edge: the first triangle that runs along it the other way
    /// and has not got one yet.
    fn connect(&self, faces: &mut [Face]) {
        struct Edge {
            ends: (u32, u32),
            face: u32,
            side: u8,
            forward: bool,
        }
        let mut edges = Vec::new();
        for (index, _) in faces.iter().enumerate().filter(|(_, face)| !face.degenerate) {
            for side in 0..3_u8 {
                let from = self.welded[3 * index + usize::from(side)];
                let to = self.welded[3 * index + usize::from((side + 1) % 3)];
                let face = u32::try_from(index).expect("invariant: corners are counted in u32");
                let ends = (from.min(to), from.max(to));
                edges.push(Edge { ends, face, side, forward: from < to });
            }
        }
        edges.sort_unstable_by_key(|edge| (edge.ends, edge.face, edge.side));
        for group in edges.chunk_by(|a, b| a.ends == b.ends) {
            // Those that wait all run the same way: any of the other way would have met one.
            let mut waiting = std::collections::VecDeque::<&Edge>::new();
            for edge in group {
                match waiting.front() {
                    Some(first) if first.forward != edge.forward => {
                        faces[first.face as usize].neighbours[usize::from(first.side)] =
                            Some(edge.face);
                        faces[edge.face as usize].neighbours[usize::from(edge.side)] =
                            Some(first.face);
                        waiting.pop_front();
                    }
                    _ => waiting.push_back(edge),
                }
            }
        }
    }

    /// The corners that share a tangent with `corner`: those around its vertex that are reached
    /// over edges and are mapped with the same orientation.
    fn group(&self, corner: usize, faces: &mut [Face], grouped: &mut [bool]) -> Vec<usize> {
        let vertex = self.welded[corner];
        let preserving = faces[corner / 3].preserving;
        let mut group = Vec::new();
        let mut waiting = vec![corner / 3];
        while let Some(face) = waiting.pop() {
            let Some(corner) = (3 * face..3 * face + 3).find(|&c| self.welded[c] == vertex) else {
                continue;
            };
            if grouped[corner] {
                continue;
            }
            // The first group to reach a triangle without area decides its orientation.
            let untouched = !grouped[3 * face..3 * face + 3].contains(&true);
            if faces[face].joins_any && untouched {
                faces[face].preserving = preserving;
            }
            if faces[face].preserving != preserving {
                continue;
            }
            grouped[corner] = true;
            group.push(corner);
            let side = corner % 3;
            let next = [(side + 2) % 3, side].map(|side| faces[face].neighbours[side]);
            waiting.extend(next.into_iter().flatten().map(|face| face as usize));
        }
        group.sort_unstable();
        group
    }

    /// The members' tangents in the plane of the normal, weighted by their angles.
    fn group_tangent(&self, group: &[usize], faces: &[Face], preserving: bool) -> [f32; 4] {
        let normal = self.normals[group[0]];
        let flat = |vector: DVec3| (vector - normal.dot(vector) * normal).normalize_or_zero();
        let mut sum = DVec3::ZERO;
        for &corner in group.iter().filter(|&&corner| !faces[corner / 3].joins_any) {
            let face = corner - corner % 3;
            let at = self.positions[corner];
            let before = flat(self.positions[face + (corner + 2 - face) % 3] - at);
            let after = flat(self.positions[face + (corner + 1 - face) % 3] - at);
            let angle = before.dot(after).clamp(-1.0, 1.0).acos();
            sum += angle * flat(faces[corner / 3].tangent);
        }
        let tangent = sum.try_normalize().unwrap_or_else(|| normal.any_orthonormal_vector());
        let [x, y, z] = tangent.as_vec3().into();
        [x, y, z, if preserving { 1.0 } else { -1.0 }]
    }

    /// Corners of degenerate triangles take the tangent of another corner at their vertex.
    fn fill(&self, tangents: Vec<Option<[f32; 4]>>) -> Vec<[f32; 4]> {
        let vertices = self.welded.iter().max().map_or(0, |&last| last as usize + 1);
        let mut at_vertex = vec![None; vertices];
        for (&vertex, tangent) in self.welded.iter().zip(&tangents) {
            at_vertex[vertex as usize] = at_vertex[vertex as usize].or(*tangent);
        }
        let any = |corner: usize| {
            let [x, y, z] = self.normals[corner].any_orthonormal_vector().as_vec3().into();
            [x, y, z, 1.0]
        };
        let known = |corner: usize, tangent: Option<[f32; 4]>| {
            tangent.or(at_vertex[self.welded[corner] as usize]).unwrap_or_else(|| any(corner))
        };
        (0..).zip(tangents).map(|(corner, tangent)| known(corner, tangent)).collect()
    }
}

/// Texture coordinates as the texture sees them (`KHR_texture_transform`), with v upwards:
/// MikkTSpace's handedness assumes it, and glTF's v points down.
fn moved(uv: [f32; 2], texture: &TextureRef) -> DVec2 {
    let scaled = Vec2::from(uv).as_dvec2() * Vec2::from(texture.scale).as_dvec2();
    let (sin, cos) = f64::from(texture.rotation).sin_cos();
    let turned = DVec2::new(cos * scaled.x + sin * scaled.y, -sin * scaled.x + cos * scaled.y);
    DVec2::new(turned.x, 1.0 - turned.y)
}

/// For every corner, the first vertex that equals its own.
fn weld(primitive: &Primitive, uv_set: &[[f32; 2]], corners: &[u32]) -> Vec<u32> {
    // Adding zero makes one zero of two.
    let key = |vertex: u32| {
        let vertex = vertex as usize;
        let ([px, py, pz], [nx, ny, nz]) = (primitive.positions[vertex], primitive.normals[vertex]);
        let [u, v] = uv_set[vertex];
        [px, py, pz, nx, ny, nz, u, v].map(|value| (value + 0.0).to_bits())
    };
    let mut order: Vec<u32> = (0..).take(primitive.positions.len()).collect();
    order.sort_unstable_by_key(|&vertex| (key(vertex), vertex));
    let mut first = vec![0; order.len()];
    for group in order.chunk_by(|&a, &b| key(a) == key(b)) {
        for &vertex in group {
            first[vertex as usize] = group[0];
        }
    }
    corners.iter().map(|&vertex| first[vertex as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTURE: TextureRef =
        TextureRef { texture: 0, uv_set: 0, offset: [0.0; 2], rotation: 0.0, scale: [1.0; 2] };

    /// A square that faces +z; `u` runs along +x, and v of the file runs down.
    fn square() -> Primitive {
        Primitive {
            positions: vec![[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]],
            normals: vec![[0.0, 0.0, 1.0]; 4],
            uvs: [vec![[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], Vec::new()],
            indices: vec![[0, 1, 2], [0, 2, 3]],
            ..Primitive::default()
        }
    }

    fn check(mut primitive: Primitive, texture: &TextureRef, expected: [f32; 4]) {
        generate(&mut primitive, texture);
        for tangent in &primitive.tangents {
            for (found, expected) in tangent.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{tangent:?} is not {expected:?}");
            }
        }
    }

    #[test]
    fn a_plain_map_has_its_tangent_along_u() {
        check(square(), &TEXTURE, [1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn a_mirrored_map_has_the_other_sign() {
        let mut mirrored = square();
        for uv in &mut mirrored.uvs[0] {
            uv[0] = -uv[0];
        }
        check(mirrored, &TEXTURE, [-1.0, 0.0, 0.0, -1.0]);
        // The texture's transform mirrors just as well.
        check(square(), &TextureRef { scale: [-1.0, 1.0], ..TEXTURE }, [-1.0, 0.0, 0.0, -1.0]);
    }

    #[test]
    fn a_turned_map_has_a_turned_tangent() {
        let turned = TextureRef { rotation: std::f32::consts::FRAC_PI_2, ..TEXTURE };
        // u' = v, v' = -u: u' grows where v grows, which is down.
        check(square(), &turned, [0.0, -1.0, 0.0, 1.0]);
    }

    #[test]
    fn a_seam_of_mirrored_maps_splits_its_vertices() {
        let mut seam = square();
        seam.positions.extend([[2.0, 0.0, 0.0], [2.0, 1.0, 0.0]]);
        seam.normals.extend([[0.0, 0.0, 1.0]; 2]);
        seam.uvs[0].extend([[0.0, 1.0], [0.0, 0.0]]);
        seam.indices.extend([[1, 4, 5], [1, 5, 2]]);
        generate(&mut seam, &TEXTURE);
        assert_eq!(seam.positions.len(), 8, "two vertices on the seam are split");
        let signs: Vec<f32> = (seam.indices.iter())
            .map(|&[a, b, c]| {
                let signs = [a, b, c].map(|index| seam.tangents[index as usize][3]);
                assert_eq!(signs.map(f32::to_bits), [signs[0].to_bits(); 3]);
                signs[0]
            })
            .collect();
        assert_eq!(signs, [1.0, 1.0, -1.0, -1.0]);
    }

    #[test]
    fn shapes_without_area_get_some_unit_tangent() {
        let mut flat = square();
        flat.uvs[0] = vec![[0.5, 0.5]; 4];
        flat.positions.push([9.0; 3]);
        flat.normals.push([0.0, 1.0, 0.0]);
        flat.uvs[0].push([0.0; 2]);
        flat.positions[3] = flat.positions[2];
        generate(&mut flat, &TEXTURE);
        for tangent in &flat.tangents {
            let length = Vec3::from_slice(&tangent[..3]).length();
            assert!((length - 1.0).abs() < 1e-6, "{tangent:?}");
        }
    }

    #[test]
    fn a_fan_of_many_triangles_takes_no_time_and_no_stack() {
        let count = 100_000_u32;
        let rim = (0..=count).map(|index| {
            let (sin, cos) = (f64::from(index) * 6e-5).sin_cos();
            [cos as f32, sin as f32, 0.0]
        });
        let positions: Vec<[f32; 3]> = std::iter::once([0.0; 3]).chain(rim).collect();
        let mut fan = Primitive {
            normals: vec![[0.0, 0.0, 1.0]; positions.len()],
            uvs: [positions.iter().map(|&[x, y, _]| [x, -y]).collect(), Vec::new()],
            indices: (1..=count).map(|index| [0, index, index + 1]).collect(),
            positions,
            ..Primitive::default()
        };
        generate(&mut fan, &TEXTURE);
        assert_eq!(fan.positions.len() as u32, count + 2);
        assert!(fan.tangents.iter().all(|tangent| (tangent[0] - 1.0).abs() < 1e-3));
    }

    #[test]
    fn flat_normals_face_the_viewer() {
        let mut square = Primitive { normals: Vec::new(), ..square() };
        flatten(&mut square);
        assert_eq!(square.normals, [[0.0, 0.0, 1.0]; 6]);
        assert_eq!(square.indices, [[0, 1, 2], [3, 4, 5]]);
    }
}
