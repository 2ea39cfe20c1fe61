//! Meshes become objects with trees, nodes become instances.
//!
//! Meshes that are shown once are put into the world's own object, whose instance does not
//! transform: one deep tree is faster than many that overlap. Meshes that are shown several times
//! are stored once, in their own space. Where a node bends its mesh no two showings are alike: each
//! is posed and put into the world's object.

use rayon::prelude::*;
use scene::{AlphaMode, Mesh, Primitive, Scene};

use super::motion::Motion;
use super::place::{Place, unit};
use super::pose::{self, Poser};
use super::{PrepareError, checked, lamps};
use crate::bvh::{self, Bounds, TOP_DEPTH_MAX, TREE_DEPTH_MAX, Tree};
use crate::math::Vec3;
use crate::ray::triangle_box;
use crate::tables::{
    INSTANCE_IDENTITY, Instance, NONE, Node, Shape, TRIANGLE_ALPHA, TRIANGLE_CULL, Triangle,
};

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
    /// Of everything, in world space; empty without geometry.
    pub bounds: Bounds,
}

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
}

/// Packs the geometry of all nodes.
pub fn pack(scene: &Scene, places: &[Place], motion: &Motion) -> Result<Geometry, PrepareError> {
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
    let mut poser = Poser::new(scene, places, motion);
    for (node, mesh) in shown().filter(|&(node, mesh)| uses[mesh] == 1 || bent[node]) {
        let added = if bent[node] {
            packer.add_bent(scene, node, &scene.meshes[mesh], &mut poser, &mut world)
        } else {
            packer.add_mesh(scene, &scene.meshes[mesh], &places[node], &mut world)
        };
        added.map_err(|problem| problem.at(node, &scene.nodes[node].name))?;
        packer.shape_nodes.resize(packer.shapes.len(), checked("nodes", node)?);
    }
    for (lamp, number) in scene.area_lights.iter().zip(1..) {
        let node = lamp.node as usize;
        packer
            .add_primitive(
                scene,
                &lamps::surface(lamp, packer.default_material + number),
                &places[node],
                &mut world,
            )
            .map_err(|problem| problem.at(node, &scene.nodes[node].name))?;
        packer.shape_nodes.resize(packer.shapes.len(), lamp.node);
    }
    let mut objects = Vec::new();
    let mut placed = Vec::new();
    if !world.triangles.is_empty() {
        objects.push(world);
        let place = Place::IDENTITY;
        placed.push(Placed { object: 0, place, inverse: place, is_identity: true, node: NONE });
    }
    let mut object_of = vec![None; scene.meshes.len()];
    for (node, mesh) in shown().filter(|&(node, mesh)| uses[mesh] > 1 && !bent[node]) {
        let place = places[node];
        // What is scaled to nothing cannot be seen.
        let Some(inverse) = place.inverse() else { continue };
        let object = match object_of[mesh] {
            Some(object) => object,
            None => {
                let mut object = Object::default();
                packer
                    .add_mesh(scene, &scene.meshes[mesh], &Place::IDENTITY, &mut object)
                    .map_err(|problem| problem.at(node, &scene.nodes[node].name))?;
                objects.push(object);
                *object_of[mesh].insert(objects.len() - 1)
            }
        };
        if !objects[object].triangles.is_empty() {
            let node = checked("nodes", node)?;
            placed.push(Placed { object, place, inverse, is_identity: false, node });
        }
    }
    packer.shape_nodes.resize(packer.shapes.len(), NONE);
    assemble(packer, &objects, &placed)
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
        place: &Place,
        object: &mut Object,
    ) -> Result<(), Problem> {
        for primitive in &mesh.primitives {
            if primitive.indices.is_empty() {
                continue;
            }
            if primitive.targets.is_empty() {
                self.add_primitive(scene, primitive, place, object)?;
            } else {
                let morphed = pose::morph(primitive, &pose::shared_weights(mesh));
                self.add_primitive(scene, &morphed, place, object)?;
            }
        }
        Ok(())
    }

    /// Adds a node's mesh as it is posed.
    fn add_bent(
        &mut self,
        scene: &Scene,
        node: usize,
        mesh: &Mesh,
        poser: &mut Poser,
        object: &mut Object,
    ) -> Result<(), Problem> {
        for primitive in mesh.primitives.iter().filter(|primitive| !primitive.indices.is_empty()) {
            let (posed, place) = poser.pose(node, primitive);
            self.add_primitive(scene, &posed, &place, object)?;
        }
        Ok(())
    }

    fn add_primitive(
        &mut self,
        scene: &Scene,
        primitive: &Primitive,
        place: &Place,
        object: &mut Object,
    ) -> Result<(), Problem> {
        let default = scene::Material::default();
        let material_index = primitive.material.unwrap_or(self.default_material);
        let lamps = self.lamps;
        let lamp = || lamps.get((material_index as usize).checked_sub(scene.materials.len() + 1)?);
        let material =
            scene.materials.get(material_index as usize).or_else(lamp).unwrap_or(&default);
        let mirrored = place.determinant() < 0.0;
        let positions: Vec<[f32; 3]> =
            primitive.positions.iter().map(|&position| place.point(position)).collect();
        if !positions.iter().flatten().all(|value| value.abs() <= 1e9) {
            return Err(Problem::Place);
        }
        let mut flags = 0;
        if material.alpha != AlphaMode::Opaque {
            flags |= TRIANGLE_ALPHA;
        }
        if !material.double_sided {
            flags |= TRIANGLE_CULL;
        }
        let shape = self.add_shape(material, material_index, primitive, place, object)?;
        for corners in &primitive.indices {
            // A mirror turns the winding round; the front stays the front.
            let [i, j, k] = *corners;
            let order = if mirrored { [i, k, j] } else { [i, j, k] };
            self.indices.extend(order);
            let [a, b, c] = order.map(|index| positions[index as usize]);
            let primitive = checked("triangles", object.triangles.len())?;
            object.triangles.push(Triangle { a, b, c, primitive, shape, flags });
        }
        checked("vertex indices", self.indices.len())?;
        Ok(())
    }

    fn add_shape(
        &mut self,
        material: &scene::Material,
        material_index: u32,
        primitive: &Primitive,
        place: &Place,
        object: &Object,
    ) -> Result<u32, Problem> {
        let sign = if place.determinant() < 0.0 { -1.0 } else { 1.0 };
        let uses_set = |set| material.textures().any(|usage| usage.uv_set == set);
        let normals_at = {
            let cofactors = place.cofactors();
            let turned = primitive.normals.iter().flat_map(|&normal| {
                let n = normal.map(f64::from);
                let turned =
                    cofactors.map(|row| (n[0] * row[0] + n[1] * row[1] + n[2] * row[2]) * sign);
                unit(turned).unwrap_or([0.0, 0.0, 0.0]).map(|value| value as f32)
            });
            self.add_attributes(primitive.normals.is_empty(), turned)?
        };
        let tangents_at = {
            let wanted = material.tangent_map().is_some() && !primitive.tangents.is_empty();
            let turned = primitive.tangents.iter().flat_map(|&[x, y, z, w]| {
                let turned = place.direction([x, y, z].map(f64::from));
                let [x, y, z] = unit(turned).unwrap_or([1.0, 0.0, 0.0]).map(|value| value as f32);
                [x, y, z, w * sign as f32]
            });
            self.add_attributes(!wanted, turned)?
        };
        let mut uvs_at = [NONE; 2];
        for (set, uvs) in primitive.uvs.iter().enumerate() {
            let unused = uvs.is_empty() || !uses_set(set as u32);
            uvs_at[set] = self.add_attributes(unused, uvs.iter().flatten().copied())?;
        }
        let colors = &primitive.colors;
        let colors_at = self.add_attributes(colors.is_empty(), colors.iter().flatten().copied())?;
        self.shapes.push(Shape {
            material: material_index,
            first_primitive: checked("triangles", object.triangles.len())?,
            indices_at: checked("vertex indices", self.indices.len())?,
            normals_at,
            tangents_at,
            uvs_at,
            colors_at,
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

fn bounds_of(triangle: &Triangle) -> Bounds {
    let [a, b, c] = [triangle.a, triangle.b, triangle.c].map(Vec3::of);
    let (low, high) = triangle_box(a, b, c);
    Bounds { low: low.to_array(), high: high.to_array() }
}

/// Builds the trees and puts all tables together.
fn assemble(
    packer: Packer<'_>,
    objects: &[Object],
    placed: &[Placed],
) -> Result<Geometry, PrepareError> {
    let built: Vec<(Tree, Bounds)> = objects
        .par_iter()
        .map(|object| {
            let boxes: Vec<Bounds> = object.triangles.iter().map(bounds_of).collect();
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
        let Placed { object, place, inverse, is_identity, node } = &placed[index as usize];
        let rows = place.rows();
        geometry.instance_nodes.push(*node);
        geometry.instances.push(Instance {
            world_to_object: inverse.rows(),
            object_to_world: rows,
            root_node: roots[*object],
            id: index,
            emitters_of_at: NONE,
            flags: if *is_identity { INSTANCE_IDENTITY } else { 0 },
            stretch: largest(rows.map(|[x, y, z, _]| x.abs() + y.abs() + z.abs())),
            shift: largest(rows.map(|[.., moved]| moved.abs())),
        });
    }
    Ok(geometry)
}

/// The largest of three numbers.
fn largest(values: [f32; 3]) -> f32 {
    values.into_iter().fold(0.0, f32::max)
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
    if placed.is_identity { *own } else { moved_box(&placed.place, own) }
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

/// Makes room for the roundings of rays that are moved into the object's space: some 2⁻²⁴ of the
/// scene's reach, as often as the matrix stretches one axis more than another.
fn widen(placed: &Placed, own: &Bounds, reach: f32) -> Bounds {
    if placed.is_identity {
        return *own;
    }
    let norm = |place: &Place| {
        let row = |row: &[f64; 4]| row[0].abs() + row[1].abs() + row[2].abs();
        place.0.iter().map(row).fold(0.0, f64::max)
    };
    let stretch = norm(&placed.place) * norm(&placed.inverse);
    let pad = (f64::from(reach) * (1.0 + stretch) * 2e-6) as f32;
    Bounds { low: own.low.map(|value| value - pad), high: own.high.map(|value| value + pad) }
}
