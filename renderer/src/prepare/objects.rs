//! Objects and their instances: trees are built, boxes drawn around all that may be met, and the
//! geometry tables put together.

use rayon::prelude::*;

use super::place::Place;
use super::{PrepareError, checked};
use crate::bvh::{self, Bounds, Effort, TOP_DEPTH_MAX, TREE_DEPTH_MAX, Tree};
use crate::math::Vec3;
use crate::moving::{key_corners, swept_box};
use crate::ray::triangle_box;
use crate::render_scene::Part;
use crate::tables::{
    INSTANCE_IDENTITY, INSTANCE_MOVES, Instance, NONE, Node, Shape, TRIANGLE_MOVES, Triangle,
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
    /// Which part of that node's each shape is.
    pub shape_parts: Vec<Part>,
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

/// What the packer made: shapes, and what their triangles are read by.
pub struct Parts {
    pub shapes: Vec<Shape>,
    pub indices: Vec<u32>,
    pub attributes: Vec<f32>,
    /// The scene's node that shows each shape, or [`NONE`] where instances do.
    pub shape_nodes: Vec<u32>,
    /// Which part of that node's each shape is.
    pub shape_parts: Vec<Part>,
    /// Whether any shape moves.
    pub moves: bool,
}

/// Triangles that share a space and a tree.
#[derive(Default)]
pub struct Object {
    pub triangles: Vec<Triangle>,
}

/// An object placed in the world.
pub struct Placed {
    pub object: usize,
    pub place: Place,
    pub inverse: Place,
    pub is_identity: bool,
    /// Its place at each key, where it moves.
    pub keys: Vec<Place>,
    /// The scene's node, or [`NONE`] for the world's object.
    pub node: u32,
}

impl Parts {
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

/// Whether an instance can be placed at all times between some keys: nowhere flattened, mirrored
/// halfway, or stretched beyond what the inverse in single precision bears.
pub fn is_placeable(keys: &[Place]) -> bool {
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

/// Builds the trees and puts all tables together.
pub fn assemble(
    parts: Parts,
    objects: &[Object],
    placed: &[Placed],
    key_count: u32,
    effort: Effort,
) -> Result<Geometry, PrepareError> {
    let built: Vec<(Tree, Bounds)> = objects
        .par_iter()
        .map(|object| {
            let boxes: Vec<Bounds> =
                object.triangles.par_iter().map(|own| parts.bounds_of(own, key_count)).collect();
            let all = boxes.iter().fold(Bounds::EMPTY, |sum, own| sum.union(own));
            (bvh::build(&boxes, TREE_DEPTH_MAX, effort), all)
        })
        .collect();
    let mut geometry = Geometry {
        instances: Vec::new(),
        shapes: parts.shapes,
        nodes: Vec::new(),
        triangles: Vec::new(),
        indices: parts.indices,
        attributes: parts.attributes,
        root_node: NONE,
        shape_nodes: parts.shape_nodes,
        shape_parts: parts.shape_parts,
        instance_nodes: Vec::new(),
        bounds: Bounds::EMPTY,
        moves: parts.moves || placed.iter().any(|placed| !placed.keys.is_empty()),
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
    let top = bvh::build(&boxes, TOP_DEPTH_MAX, effort);
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
        let rows: Vec<_> = std::iter::once(place).chain(keys).flat_map(Place::rows).collect();
        let most = |of: &dyn Fn([f32; 4]) -> f32| {
            rows.iter().fold(0.0_f32, |largest, &row| largest.max(of(row)))
        };
        geometry.instance_nodes.push(*node);
        geometry.instances.push(Instance {
            world_to_object: inverse.rows(),
            object_to_world: place.rows(),
            root_node: roots[*object],
            id: index,
            emitters_of_at: NONE,
            flags,
            motion_at,
            stretch: most(&|[x, y, z, _]| x.abs() + y.abs() + z.abs()),
            shift: most(&|[.., moved]| moved.abs()),
            reserved: 0,
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
