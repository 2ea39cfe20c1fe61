//! Meshes become objects with trees, nodes become instances.
//!
//! Meshes that are shown once are put into the world's own object, whose instance does not
//! transform: one deep tree is faster than many that overlap. Meshes that are shown several times
//! are stored once, in their own space. Where a node bends its mesh no two showings are alike: each
//! is posed and put into the world's object.
//!
//! What moves while the shutter is open is placed by an instance of its own, with a map to the world
//! for each key; what bends, and what cannot be placed so, has its vertices for each key.

use rayon::prelude::*;
use scene::{AlphaMode, Mesh, Primitive, Scene};

use super::motion::Motion;
use super::place::{Place, unit};
use super::pose::{self, Poser};
use super::shutter::Shutter;
use super::{PrepareError, checked, lamps};
use crate::bvh::{self, Bounds, TOP_DEPTH_MAX, TREE_DEPTH_MAX, Tree};
use crate::math::Vec3;
use crate::moving::{key_corners, swept_box};
use crate::ray::triangle_box;
use crate::tables::{
    INSTANCE_IDENTITY, INSTANCE_MOVES, Instance, NONE, Node, Shape, TRIANGLE_ALPHA, TRIANGLE_CULL,
    TRIANGLE_MOVES, Triangle,
};

/// Vertices at all keys, and triangles, of what moves vertex by vertex: 5 GiB of tables.
const MOVING_VERTICES_MAX: u64 = 1 << 27;

/// Geometry tables.
pub struct Geometry {
    pub instances: Vec<Instance>,
    pub shapes: Vec<Shape>,
    pub nodes: Vec<Node>,
    pub triangles: Vec<Triangle>,
    pub indices: Vec<u32>,
    pub attributes: Vec<f32>,
    pub root_node: u32,
    /// The scene's node that shows each shape, or [`NONE`] where instances do.
    pub shape_nodes: Vec<u32>,
    /// The scene's node of each instance, or [`NONE`] for the world's object.
    pub instance_nodes: Vec<u32>,
    /// Of everything, in world space, wherever it moves to; empty without geometry.
    pub bounds: Bounds,
    /// Whether anything moves while the shutter is open.
    pub moves: bool,
}

/// How much the map of an instance that moves may stretch one direction more than another, at most:
/// its inverse is taken in single precision. Sum of absolute values, 3 for a turned cube.
const STRETCH_MAX: f64 = 64.0;

/// Triangles that share a space and a tree.
#[derive(Default)]
struct Object {
    triangles: Vec<Triangle>,
}

/// An object placed in the world.
struct Placed {
    object: usize,
    place: Place,
    inverse: Place,
    is_identity: bool,
    /// Its place at each key, where it moves.
    keys: Vec<Place>,
    /// The scene's node, or [`NONE`] for the world's object.
    node: u32,
}

#[derive(Default)]
struct Packer<'a> {
    shapes: Vec<Shape>,
    indices: Vec<u32>,
    attributes: Vec<f32>,
    default_material: u32,
    /// The scene's node that shows each shape, or [`NONE`] where instances do.
    shape_nodes: Vec<u32>,
    /// Materials of flat lamps, which follow the default one.
    lamps: &'a [scene::Material],
    /// Whether any shape moves.
    moves: bool,
}

/// A part of a mesh and where it is placed.
type Posed<'a> = (&'a Primitive, &'a Place);

/// Packs the geometry of all nodes.
pub fn pack(
    scene: &Scene,
    places: &[Place],
    motion: &Motion,
    shutter: Option<&Shutter<'_>>,
) -> Result<Geometry, PrepareError> {
    let mut uses = vec![0_u32; scene.meshes.len()];
    let bent = scene.bent_nodes();
    let nodes = || scene.nodes.iter().zip(&bent);
    for mesh in nodes().filter(|(_, bent)| !**bent).filter_map(|(node, _)| node.mesh) {
        uses[mesh as usize] += 1;
    }
    let lamp_materials = lamps::materials(scene);
    let mut packer = Packer {
        default_material: checked("materials", scene.materials.len())?,
        lamps: &lamp_materials,
        ..Packer::default()
    };

    // The world's own object first, then a mesh each.
    let mut world = Object::default();
    let shown =
        || scene.nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.mesh? as usize)));
    let mut poser = vec![Poser::new(scene, places, motion)];
    let keys = || shutter.iter().flat_map(|shutter| &shutter.keys);
    let mut posers: Vec<Poser> =
        keys().map(|key| Poser::new(scene, &key.places, &key.motion)).collect();
    let moves = |node: usize| shutter.is_some_and(|shutter| shutter.moves[node]);
    let bends = |node: usize| shutter.is_some_and(|shutter| shutter.bends[node]);
    // Where a node is at each key; once where it does not move.
    let course = |node: usize| -> Vec<Place> {
        if moves(node) { keys().map(|key| key.places[node]).collect() } else { vec![places[node]] }
    };
    let is_instance = |node: usize, mesh: usize| {
        !bent[node] && if moves(node) { is_placeable(&course(node)) } else { uses[mesh] > 1 }
    };
    let vertices: u64 = shown()
        .filter(|&(node, mesh)| (moves(node) || bends(node)) && !is_instance(node, mesh))
        .map(|(_, mesh)| moving_vertices(&scene.meshes[mesh], keys().count()))
        .fold(0, u64::saturating_add);
    if vertices > MOVING_VERTICES_MAX {
        return Err(PrepareError::Moving { count: vertices, max: MOVING_VERTICES_MAX });
    }
    for (node, mesh) in shown().filter(|&(node, mesh)| !is_instance(node, mesh)) {
        let added = if bent[node] {
            let posers = if bends(node) { &mut posers } else { &mut poser };
            packer.add_bent(scene, node, &scene.meshes[mesh], posers, &mut world)
        } else {
            packer.add_mesh(scene, &scene.meshes[mesh], &course(node), &mut world)
        };
        added.map_err(|problem| problem.at(node, &scene.nodes[node].name))?;
        packer.shape_nodes.resize(packer.shapes.len(), checked("nodes", node)?);
    }
    for (lamp, number) in scene.area_lights.iter().zip(1..) {
        let node = lamp.node as usize;
        let surface = lamps::surface(lamp, packer.default_material + number);
        let course = course(node);
        let posed: Vec<Posed> = course.iter().map(|place| (&surface, place)).collect();
        packer
            .add_primitive(scene, &posed, &mut world)
            .map_err(|problem| problem.at(node, &scene.nodes[node].name))?;
        packer.shape_nodes.resize(packer.shapes.len(), lamp.node);
    }
    let mut objects = Vec::new();
    let mut placed = Vec::new();
    if !world.triangles.is_empty() {
        objects.push(world);
        let place = Place::IDENTITY;
        let keys = Vec::new();
        placed.push(Placed {
            object: 0,
            place,
            inverse: place,
            is_identity: true,
            keys,
            node: NONE,
        });
    }
    let mut object_of = vec![None; scene.meshes.len()];
    for (node, mesh) in shown().filter(|&(node, mesh)| is_instance(node, mesh)) {
        let course = course(node);
        let place = course[0];
        // What is scaled to nothing cannot be seen.
        let Some(inverse) = place.inverse() else { continue };
        let object = match object_of[mesh] {
            Some(object) => object,
            None => {
                let mut object = Object::default();
                packer
                    .add_mesh(scene, &scene.meshes[mesh], &[Place::IDENTITY], &mut object)
                    .map_err(|problem| problem.at(node, &scene.nodes[node].name))?;
                objects.push(object);
                *object_of[mesh].insert(objects.len() - 1)
            }
        };
        if !objects[object].triangles.is_empty() {
            let node = checked("nodes", node)?;
            let keys = if course.len() > 1 { course } else { Vec::new() };
            placed.push(Placed { object, place, inverse, is_identity: false, keys, node });
        }
    }
    packer.shape_nodes.resize(packer.shapes.len(), NONE);
    let key_count = checked("keys", keys().count())?;
    assemble(packer, &objects, &placed, key_count)
}

/// Whether an instance can be placed at all times between some keys: nowhere flattened, mirrored
/// halfway, or stretched beyond what the inverse in single precision bears.
fn is_placeable(keys: &[Place]) -> bool {
    let sign = keys[0].determinant() < 0.0;
    let bears = |place: &Place| {
        let inverse = place.inverse();
        (place.determinant() < 0.0) == sign
            && inverse.is_some_and(|inverse| stretch(place, &inverse) <= STRETCH_MAX)
    };
    keys.windows(2).all(|pair| {
        [0.0, 0.25, 0.5, 0.75, 1.0].into_iter().all(|share| {
            let mut between = pair[0];
            let values = between.0.iter_mut().flatten().zip(pair[1].0.iter().flatten());
            values.for_each(|(from, to)| *from += (to - *from) * share);
            bears(&between)
        })
    })
}

/// Vertices at so many keys, and triangles, of a mesh.
fn moving_vertices(mesh: &Mesh, keys: usize) -> u64 {
    let part = |part: &Primitive| (part.positions.len() * keys + part.indices.len()) as u64;
    mesh.primitives.iter().map(part).fold(0, u64::saturating_add)
}

/// Why a mesh cannot be added.
enum Problem {
    Place,
    Prepare(PrepareError),
}

impl From<PrepareError> for Problem {
    fn from(error: PrepareError) -> Self {
        Self::Prepare(error)
    }
}

impl Problem {
    fn at(self, node: usize, name: &str) -> PrepareError {
        match self {
            Self::Place => PrepareError::Place { node, name: name.to_owned() },
            Self::Prepare(error) => error,
        }
    }
}

impl Packer<'_> {
    fn add_mesh(
        &mut self,
        scene: &Scene,
        mesh: &Mesh,
        course: &[Place],
        object: &mut Object,
    ) -> Result<(), Problem> {
        for primitive in &mesh.primitives {
            if primitive.indices.is_empty() {
                continue;
            }
            let morphed;
            let primitive = if primitive.targets.is_empty() {
                primitive
            } else {
                morphed = pose::morph(primitive, &pose::shared_weights(mesh));
                &morphed
            };
            let posed: Vec<Posed> = course.iter().map(|place| (primitive, place)).collect();
            self.add_primitive(scene, &posed, object)?;
        }
        Ok(())
    }

    /// Adds a node's mesh as it is posed, once or at each key.
    fn add_bent(
        &mut self,
        scene: &Scene,
        node: usize,
        mesh: &Mesh,
        posers: &mut [Poser],
        object: &mut Object,
    ) -> Result<(), Problem> {
        for primitive in mesh.primitives.iter().filter(|primitive| !primitive.indices.is_empty()) {
            let posed: Vec<(Primitive, Place)> =
                posers.iter_mut().map(|poser| poser.pose(node, primitive)).collect();
            let posed: Vec<Posed> = posed.iter().map(|(posed, place)| (posed, place)).collect();
            self.add_primitive(scene, &posed, object)?;
        }
        Ok(())
    }

    /// Adds a part of a mesh, as it is placed once or at each key: vertices count alike at all of
    /// them, and the first says the rest.
    fn add_primitive(
        &mut self,
        scene: &Scene,
        posed: &[Posed<'_>],
        object: &mut Object,
    ) -> Result<(), Problem> {
        let (primitive, place) = posed[0];
        let default = scene::Material::default();
        let material_index = primitive.material.unwrap_or(self.default_material);
        let lamps = self.lamps;
        let lamp = || lamps.get((material_index as usize).checked_sub(scene.materials.len() + 1)?);
        let material =
            scene.materials.get(material_index as usize).or_else(lamp).unwrap_or(&default);
        let mirrored = place.determinant() < 0.0;
        let positions: Vec<Vec<[f32; 3]>> = posed
            .iter()
            .map(|(primitive, place)| {
                primitive.positions.iter().map(|&at| place.point(at)).collect()
            })
            .collect();
        if !positions.iter().flatten().flatten().all(|value| value.abs() <= 1e9) {
            return Err(Problem::Place);
        }
        // What all keys place alike stands still.
        let is_apart = |key: &Vec<[f32; 3]>, vertex: usize| {
            key[vertex].map(f32::to_bits) != positions[0][vertex].map(f32::to_bits)
        };
        let moves = |vertex: usize| positions.iter().skip(1).any(|key| is_apart(key, vertex));
        let posed = if (0..positions[0].len()).any(moves) { posed } else { &posed[..1] };
        let mut flags = 0;
        if material.alpha != AlphaMode::Opaque {
            flags |= TRIANGLE_ALPHA;
        }
        if !material.double_sided {
            flags |= TRIANGLE_CULL;
        }
        let shape = self.add_shape(material, material_index, posed, &positions, object)?;
        for corners in &primitive.indices {
            // A mirror turns the winding round; the front stays the front.
            let [i, j, k] = *corners;
            let order = if mirrored { [i, k, j] } else { [i, j, k] };
            self.indices.extend(order);
            let [a, b, c] = order.map(|index| positions[0][index as usize]);
            let primitive = checked("triangles", object.triangles.len())?;
            let is_moved = order.iter().any(|&vertex| moves(vertex as usize));
            let flags = if is_moved { flags | TRIANGLE_MOVES } else { flags };
            object.triangles.push(Triangle { a, b, c, primitive, shape, flags });
        }
        checked("vertex indices", self.indices.len())?;
        Ok(())
    }

    fn add_shape(
        &mut self,
        material: &scene::Material,
        material_index: u32,
        posed: &[Posed<'_>],
        positions: &[Vec<[f32; 3]>],
        object: &Object,
    ) -> Result<u32, Problem> {
        let (primitive, _) = posed[0];
        let uses_set = |set| material.textures().any(|usage| usage.uv_set == set);
        let normals_at = {
            let turned =
                posed.iter().flat_map(|(primitive, place)| turned_normals(primitive, place));
            self.add_attributes(primitive.normals.is_empty(), turned)?
        };
        let tangents_at = {
            let wanted = material.tangent_map().is_some() && !primitive.tangents.is_empty();
            let turned =
                posed.iter().flat_map(|(primitive, place)| turned_tangents(primitive, place));
            self.add_attributes(!wanted, turned)?
        };
        let mut uvs_at = [NONE; 2];
        for (set, uvs) in primitive.uvs.iter().enumerate() {
            let unused = uvs.is_empty() || !uses_set(set as u32);
            uvs_at[set] = self.add_attributes(unused, uvs.iter().flatten().copied())?;
        }
        let colors = &primitive.colors;
        let colors_at = self.add_attributes(colors.is_empty(), colors.iter().flatten().copied())?;
        let is_still = posed.len() == 1;
        let values = positions.iter().flatten().flatten().copied();
        let positions_at = self.add_attributes(is_still, values)?;
        self.moves |= !is_still;
        self.shapes.push(Shape {
            material: material_index,
            first_primitive: checked("triangles", object.triangles.len())?,
            indices_at: checked("vertex indices", self.indices.len())?,
            normals_at,
            tangents_at,
            uvs_at,
            colors_at,
            positions_at,
            vertex_count: checked("vertices", primitive.positions.len())?,
            reserved: [0; 2],
        });
        Ok(checked("shapes", self.shapes.len() - 1)?)
    }

    fn add_attributes(
        &mut self,
        unused: bool,
        values: impl Iterator<Item = f32>,
    ) -> Result<u32, PrepareError> {
        if unused {
            return Ok(NONE);
        }
        let at = checked("vertex attributes", self.attributes.len())?;
        self.attributes.extend(values);
        checked("vertex attributes", self.attributes.len())?;
        Ok(at)
    }
}

fn sign_of(place: &Place) -> f64 {
    if place.determinant() < 0.0 { -1.0 } else { 1.0 }
}

/// Unit normals in the place's outer space; zero where there is none.
fn turned_normals<'a>(primitive: &'a Primitive, place: &Place) -> impl Iterator<Item = f32> + 'a {
    let (cofactors, sign) = (place.cofactors(), sign_of(place));
    primitive.normals.iter().flat_map(move |&normal| {
        let n = normal.map(f64::from);
        let turned = cofactors.map(|row| (n[0] * row[0] + n[1] * row[1] + n[2] * row[2]) * sign);
        unit(turned).unwrap_or([0.0, 0.0, 0.0]).map(|value| value as f32)
    })
}

/// Unit tangents in the place's outer space, and their bitangents' signs.
fn turned_tangents<'a>(primitive: &'a Primitive, place: &Place) -> impl Iterator<Item = f32> + 'a {
    let (place, sign) = (*place, sign_of(place));
    primitive.tangents.iter().flat_map(move |&[x, y, z, w]| {
        let turned = place.direction([x, y, z].map(f64::from));
        let [x, y, z] = unit(turned).unwrap_or([1.0, 0.0, 0.0]).map(|value| value as f32);
        [x, y, z, w * sign as f32]
    })
}

impl Packer<'_> {
    /// The box of a triangle, wherever it is while the shutter is open.
    fn bounds_of(&self, triangle: &Triangle, key_count: u32) -> Bounds {
        let (low, high) = if triangle.flags & TRIANGLE_MOVES == 0 {
            let [a, b, c] = [triangle.a, triangle.b, triangle.c].map(Vec3::of);
            triangle_box(a, b, c)
        } else {
            let shape = &self.shapes[triangle.shape as usize];
            let tables = (shape, self.indices.as_slice(), self.attributes.as_slice());
            swept_box((0..key_count).map(|key| key_corners(tables, triangle.primitive, key)))
        };
        Bounds { low: low.to_array(), high: high.to_array() }
    }
}

/// Builds the trees and puts all tables together.
fn assemble(
    packer: Packer<'_>,
    objects: &[Object],
    placed: &[Placed],
    key_count: u32,
) -> Result<Geometry, PrepareError> {
    let built: Vec<(Tree, Bounds)> = objects
        .par_iter()
        .map(|object| {
            let boxes: Vec<Bounds> =
                object.triangles.iter().map(|own| packer.bounds_of(own, key_count)).collect();
            let all = boxes.iter().fold(Bounds::EMPTY, |sum, own| sum.union(own));
            (bvh::build(&boxes, TREE_DEPTH_MAX), all)
        })
        .collect();
    let mut geometry = Geometry {
        instances: Vec::new(),
        shapes: packer.shapes,
        nodes: Vec::new(),
        triangles: Vec::new(),
        indices: packer.indices,
        attributes: packer.attributes,
        root_node: NONE,
        shape_nodes: packer.shape_nodes,
        instance_nodes: Vec::new(),
        bounds: Bounds::EMPTY,
        moves: packer.moves || placed.iter().any(|placed| !placed.keys.is_empty()),
    };
    let mut roots = Vec::with_capacity(objects.len());
    for (object, (tree, _)) in objects.iter().zip(&built) {
        let first = checked("triangles", geometry.triangles.len())?;
        roots.push(append(&mut geometry.nodes, tree, first)?);
        let sorted = tree.order.iter().map(|&index| object.triangles[index as usize]);
        geometry.triangles.extend(sorted);
    }
    checked("triangles", geometry.triangles.len())?;
    if placed.is_empty() {
        return Ok(geometry);
    }
    let exact: Vec<Bounds> =
        placed.iter().map(|placed| world_bounds(placed, &built[placed.object].1)).collect();
    geometry.bounds = exact.iter().fold(Bounds::EMPTY, |sum, own| sum.union(own));
    let size = geometry.bounds.low.iter().chain(&geometry.bounds.high);
    let reach = size.fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let boxes: Vec<Bounds> =
        placed.iter().zip(&exact).map(|(placed, own)| widen(placed, own, reach)).collect();
    let top = bvh::build(&boxes, TOP_DEPTH_MAX);
    geometry.root_node = append(&mut geometry.nodes, &top, 0)?;
    for &index in &top.order {
        let Placed { object, place, inverse, is_identity, keys, node } = &placed[index as usize];
        let mut flags = if *is_identity { INSTANCE_IDENTITY } else { 0 };
        let mut motion_at = NONE;
        if !keys.is_empty() {
            flags |= INSTANCE_MOVES;
            motion_at = checked("vertex attributes", geometry.attributes.len())?;
            geometry.attributes.extend(keys.iter().flat_map(Place::rows).flatten());
        }
        geometry.instance_nodes.push(*node);
        geometry.instances.push(Instance {
            world_to_object: inverse.rows(),
            object_to_world: place.rows(),
            root_node: roots[*object],
            id: index,
            emitters_of_at: NONE,
            flags,
            motion_at,
            reserved: [0; 3],
        });
    }
    checked("vertex attributes", geometry.attributes.len())?;
    Ok(geometry)
}

/// Appends a tree's nodes with indices into the whole tables; returns its root.
fn append(nodes: &mut Vec<Node>, tree: &Tree, first: u32) -> Result<u32, PrepareError> {
    let root = checked("nodes", nodes.len())?;
    checked("nodes", nodes.len() + tree.nodes.len())?;
    nodes.extend(tree.nodes.iter().map(|node| Node {
        first_child: node.first_child + root,
        first_primitive: node.first_primitive + first,
        ..*node
    }));
    Ok(root)
}

/// An object's box in the world: the box of its moved corners.
fn world_bounds(placed: &Placed, own: &Bounds) -> Bounds {
    if placed.is_identity {
        return *own;
    }
    // Its corners move in straight lines from key to key.
    let keys = placed.keys.iter().map(|place| moved_box(place, own));
    keys.fold(moved_box(&placed.place, own), |all, key| all.union(&key))
}

/// The box of a box's moved corners.
pub fn moved_box(place: &Place, own: &Bounds) -> Bounds {
    let mut bounds = Bounds::EMPTY;
    for corner in 0..8 {
        let pick = |axis: usize| {
            if corner >> axis & 1 == 0 { own.low[axis] } else { own.high[axis] }
        };
        let moved = place.point([pick(0), pick(1), pick(2)]);
        bounds = bounds.union(&Bounds { low: moved, high: moved });
    }
    bounds
}

/// How much more a map stretches one direction than another, by the largest sums of rows.
fn stretch(place: &Place, inverse: &Place) -> f64 {
    let norm = |place: &Place| {
        let row = |row: &[f64; 4]| row[0].abs() + row[1].abs() + row[2].abs();
        place.0.iter().map(row).fold(0.0, f64::max)
    };
    norm(place) * norm(inverse)
}

/// Makes room for the roundings of rays that are moved into the object's space: some 2⁻²⁴ of the
/// scene's reach, as often as the matrix stretches one axis more than another. An inverse that is
/// taken in single precision, where the instance moves, is worse by that factor once more.
fn widen(placed: &Placed, own: &Bounds, reach: f32) -> Bounds {
    if placed.is_identity {
        return *own;
    }
    let mut room = 1.0 + stretch(&placed.place, &placed.inverse);
    if !placed.keys.is_empty() {
        let inverses = placed.keys.iter().map(|place| (place, place.inverse()));
        let stretches = inverses.filter_map(|(own, inverse)| Some(stretch(own, &inverse?)));
        // Between keys turned maps shrink a little, which stretches more.
        let most = stretches.fold(0.0, f64::max) * 1.5;
        room = 1.0 + most * most;
    }
    let pad = (f64::from(reach) * room * 2e-6) as f32;
    Bounds { low: own.low.map(|value| value - pad), high: own.high.map(|value| value + pad) }
}
