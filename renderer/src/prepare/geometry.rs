//! Meshes become objects with trees, nodes become instances.
//!
//! Meshes that are shown once are put into the world's own object, whose instance does not
//! transform: one deep tree is faster than many that overlap. Meshes that are shown several times
//! are stored once, in their own space. Where a node bends its mesh no two showings are alike: each
//! is posed and put into the world's object.
//!
//! What moves while the shutter is open is placed by an instance of its own, with a map to the world
//! for each key; what bends, and what cannot be placed so, has its vertices for each key.

use scene::{AlphaMode, Mesh, Primitive, Scene};

use super::motion::Motion;
use super::objects::{Geometry, Object, Parts, Placed, assemble, is_placeable};
use super::place::{Place, unit};
use super::pose::{self, Poser};
use super::shutter::{Pose, Shutter};
use super::{PrepareError, checked, lamps};
use crate::bvh::Effort;
use crate::render_scene::Part;
use crate::tables::{NONE, Shape, TRIANGLE_ALPHA, TRIANGLE_CULL, TRIANGLE_MOVES, Triangle};

/// Vertices at all keys, and triangles, of what moves vertex by vertex: 5 GiB of tables.
const MOVING_VERTICES_MAX: u64 = 1 << 27;

#[derive(Default)]
struct Packer<'a> {
    shapes: Vec<Shape>,
    indices: Vec<u32>,
    attributes: Vec<f32>,
    default_material: u32,
    /// The scene's node that shows each shape, or [`NONE`] where instances do.
    shape_nodes: Vec<u32>,
    /// Which part of that node's each shape is.
    shape_parts: Vec<Part>,
    /// Materials of flat lamps, which follow the default one.
    lamps: &'a [scene::Material],
    /// Whether any shape moves.
    moves: bool,
}

/// A part of a mesh and where it is placed.
type Posed<'a> = (&'a Primitive, &'a Place);

/// How each node's mesh is shown.
struct Showing<'a> {
    scene: &'a Scene,
    places: &'a [Place],
    shutter: Option<&'a Shutter<'a>>,
    /// Nodes that show each mesh unbent.
    uses: Vec<u32>,
    /// Of each node, whether it bends its mesh.
    bent: Vec<bool>,
}

impl<'a> Showing<'a> {
    fn new(scene: &'a Scene, places: &'a [Place], shutter: Option<&'a Shutter<'a>>) -> Self {
        let mut uses = vec![0; scene.meshes.len()];
        let bent = scene.bent_nodes();
        let nodes = scene.nodes.iter().zip(&bent).filter(|(_, bent)| !**bent);
        nodes.filter_map(|(node, _)| node.mesh).for_each(|mesh| uses[mesh as usize] += 1);
        Self { scene, places, shutter, uses, bent }
    }

    /// The nodes that show a mesh, and which, placed by instances or not.
    fn shown(&self, by_instance: bool) -> impl Iterator<Item = (usize, usize)> {
        let nodes = self.scene.nodes.iter().enumerate();
        let shown = nodes.filter_map(|(at, node)| Some((at, node.mesh? as usize)));
        shown.filter(move |&(node, mesh)| self.is_instance(node, mesh) == by_instance)
    }

    fn is_instance(&self, node: usize, mesh: usize) -> bool {
        if self.bent[node] {
            return false;
        }
        if self.moves(node) { is_placeable(&self.course(node)) } else { self.uses[mesh] > 1 }
    }

    fn keys(&self) -> impl Iterator<Item = &'a Pose<'a>> {
        self.shutter.into_iter().flat_map(|shutter| &shutter.keys)
    }

    fn moves(&self, node: usize) -> bool {
        self.shutter.is_some_and(|shutter| shutter.moves[node])
    }

    fn bends(&self, node: usize) -> bool {
        self.shutter.is_some_and(|shutter| shutter.bends[node])
    }

    /// Where a node is at each key; once where it does not move.
    fn course(&self, node: usize) -> Vec<Place> {
        if self.moves(node) {
            self.keys().map(|key| key.places[node]).collect()
        } else {
            vec![self.places[node]]
        }
    }

    /// Sees to it that what moves vertex by vertex is not too much, before any of it is posed.
    fn check_size(&self) -> Result<(), PrepareError> {
        let key_count = self.keys().count();
        let count = self
            .shown(false)
            .filter(|&(node, _)| self.moves(node) || self.bends(node))
            .map(|(_, mesh)| moving_vertices(&self.scene.meshes[mesh], key_count))
            .fold(0, u64::saturating_add);
        if count > MOVING_VERTICES_MAX {
            return Err(PrepareError::Moving { count, max: MOVING_VERTICES_MAX });
        }
        Ok(())
    }

    fn problem(&self, problem: Problem, node: usize) -> PrepareError {
        match problem {
            Problem::Place => {
                PrepareError::Place { node, name: self.scene.nodes[node].name.clone() }
            }
            Problem::Prepare(error) => error,
        }
    }
}

/// Packs the geometry of all nodes.
pub fn pack(
    scene: &Scene,
    places: &[Place],
    motion: &Motion,
    shutter: Option<&Shutter<'_>>,
    effort: Effort,
) -> Result<Geometry, PrepareError> {
    let showing = Showing::new(scene, places, shutter);
    showing.check_size()?;
    let lamp_materials = lamps::materials(scene);
    let mut packer = Packer {
        default_material: checked("materials", scene.materials.len())?,
        lamps: &lamp_materials,
        ..Packer::default()
    };

    // The world's own object first, then a mesh each.
    let (mut objects, mut placed) = (Vec::new(), Vec::new());
    let world = packer.add_world(&showing, motion)?;
    if !world.triangles.is_empty() {
        objects.push(world);
        placed.push(Placed {
            object: 0,
            place: Place::IDENTITY,
            inverse: Place::IDENTITY,
            is_identity: true,
            keys: Vec::new(),
            node: NONE,
        });
    }
    let mut object_of = vec![None; scene.meshes.len()];
    for (node, mesh) in showing.shown(true) {
        let course = showing.course(node);
        let place = course[0];
        // What is scaled to nothing cannot be seen.
        let Some(inverse) = place.inverse() else { continue };
        let object = match object_of[mesh] {
            Some(object) => object,
            None => {
                let mut object = Object::default();
                packer
                    .add_mesh(scene, &scene.meshes[mesh], &[Place::IDENTITY], &mut object)
                    .map_err(|problem| showing.problem(problem, node))?;
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
    let Packer { shapes, indices, attributes, shape_nodes, shape_parts, moves, .. } = packer;
    assert_eq!(shapes.len(), shape_parts.len(), "every shape is a part of something");
    let key_count = checked("keys", showing.keys().count())?;
    let parts = Parts { shapes, indices, attributes, shape_nodes, shape_parts, moves };
    assemble(parts, &objects, &placed, key_count, effort)
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

impl Packer<'_> {
    /// The world's own object: meshes that no instance places, and flat lamps.
    fn add_world(
        &mut self,
        showing: &Showing<'_>,
        motion: &Motion,
    ) -> Result<Object, PrepareError> {
        let Showing { scene, places, .. } = *showing;
        let mut world = Object::default();
        let mut poser = vec![Poser::new(scene, places, motion)];
        let mut posers: Vec<Poser> =
            showing.keys().map(|key| Poser::new(scene, &key.places, &key.motion)).collect();
        for (node, mesh) in showing.shown(false) {
            let mesh = &scene.meshes[mesh];
            let added = if showing.bent[node] {
                let posers = if showing.bends(node) { &mut posers } else { &mut poser };
                self.add_bent(scene, node, mesh, posers, &mut world)
            } else {
                self.add_mesh(scene, mesh, &showing.course(node), &mut world)
            };
            added.map_err(|problem| showing.problem(problem, node))?;
            self.shape_nodes.resize(self.shapes.len(), checked("nodes", node)?);
        }
        for (lamp, number) in scene.area_lights.iter().zip(1..) {
            let node = lamp.node as usize;
            let surface = lamps::surface(lamp, self.default_material + number);
            let course = showing.course(node);
            let posed: Vec<Posed> = course.iter().map(|place| (&surface, place)).collect();
            self.add_primitive(scene, &posed, &mut world)
                .map_err(|problem| showing.problem(problem, node))?;
            self.shape_nodes.resize(self.shapes.len(), lamp.node);
            self.shape_parts.push(Part::Lamp(number - 1));
        }
        Ok(world)
    }

    fn add_mesh(
        &mut self,
        scene: &Scene,
        mesh: &Mesh,
        course: &[Place],
        object: &mut Object,
    ) -> Result<(), Problem> {
        for (part, primitive) in mesh.primitives.iter().enumerate() {
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
            self.shape_parts.push(Part::Mesh(checked("primitives", part)?));
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
        for (part, primitive) in mesh.primitives.iter().enumerate() {
            if primitive.indices.is_empty() {
                continue;
            }
            let posed: Vec<(Primitive, Place)> =
                posers.iter_mut().map(|poser| poser.pose(node, primitive)).collect();
            let posed: Vec<Posed> = posed.iter().map(|(posed, place)| (posed, place)).collect();
            self.add_primitive(scene, &posed, object)?;
            self.shape_parts.push(Part::Mesh(checked("primitives", part)?));
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
