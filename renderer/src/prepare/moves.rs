//! Where surfaces and the camera are one frame before, now, and one frame after: what motion vectors
//! are made of.
//!
//! A place on a surface is a part of a node's mesh, three of its vertices and their weights, whatever
//! tables a prepared scene keeps it in; so no tree is built for the neighbouring frames. Motion
//! vectors are no part of a film.

use std::collections::BTreeMap;

use scene::Scene;

use super::motion::Motion;
use super::place::{Place, dot, world_places};
use super::pose::{self, Poser};
use super::{PrepareError, cameras, lamps, vary};
use crate::RenderScene;
use crate::bvh::Bounds;
use crate::precise;
use crate::render_scene::Part;
use crate::tables::{CAMERA_ORTHOGRAPHIC, CAMERA_PANORAMA, Header};

/// Nearer to the camera's plane than this share of its distance to the eye nothing has a place in
/// the picture.
const DEPTH_MIN: f64 = 1e-6;

/// A scene at a frame's time and at those of its two neighbours.
pub struct Moves<'s> {
    scene: &'s Scene,
    /// Vertices of parts that blend targets by their mesh's weights, by mesh and part.
    blended: BTreeMap<(u32, u32), Vec<[f32; 3]>>,
    /// Vertices of the flat lamps.
    lamps: Vec<Vec<[f32; 3]>>,
    /// Before, now and after.
    instants: [Instant; 3],
}

/// The scene at one time.
struct Instant {
    /// Its camera, and the picture's size.
    camera: Header,
    places: Vec<Place>,
    /// Of every node that bends its mesh, each part's vertices and where they are placed.
    bent: BTreeMap<u32, Vec<Bent>>,
}

/// Vertices of a part that is posed, and where that is placed.
type Bent = (Vec<[f32; 3]>, Place);

/// A place on a surface: whose node, which part, which vertices and how much of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) node: u32,
    pub(crate) part: Part,
    pub(crate) vertices: [u32; 3],
    pub(crate) weights: [f32; 3],
}

/// Where something is in the picture before, now and after, pixels from the lower left; `None`
/// where it is behind the camera.
type Way = [Option<[f64; 2]>; 3];

impl<'s> Moves<'s> {
    /// Evaluates a scene at the time that it was prepared for, and `step_s` seconds before and
    /// after.
    ///
    /// # Errors
    /// [`PrepareError::Time`] for a step that is not above 0; what [`super::prepare()`] says of the
    /// neighbouring times.
    pub fn of(
        scene: &'s Scene,
        prepared: &RenderScene,
        time_s: f32,
        step_s: f32,
    ) -> Result<Self, PrepareError> {
        if !(step_s > 0.0 && step_s.is_finite()) {
            return Err(PrepareError::Time(step_s));
        }
        let (time_s, step_s) = (f64::from(time_s), f64::from(step_s));
        let at = |time_s| Instant::at(scene, prepared, time_s);
        let instants = [at(time_s - step_s)?, at(time_s)?, at(time_s + step_s)?];
        let mut blended = BTreeMap::new();
        for (mesh, number) in scene.meshes.iter().zip(0..) {
            for (part, primitive) in (0..).zip(&mesh.primitives) {
                if !primitive.targets.is_empty() {
                    let posed = pose::morph(primitive, &pose::shared_weights(mesh));
                    blended.insert((number, part), posed.positions);
                }
            }
        }
        let lamps = scene.area_lights.iter().map(|lamp| lamps::surface(lamp, 0).positions);
        Ok(Self { scene, blended, lamps: lamps.collect(), instants })
    }

    /// Where a place on a surface is in the picture.
    pub(crate) fn spot(&self, spot: &Spot) -> Way {
        self.instants.each_ref().map(|instant| {
            let (vertices, place) = self.vertices(instant, spot)?;
            let mut local = [0.0; 3];
            for (vertex, weight) in spot.vertices.iter().zip(spot.weights) {
                let position = vertices.get(*vertex as usize)?;
                for (sum, value) in local.iter_mut().zip(position) {
                    *sum += f64::from(*value) * f64::from(weight);
                }
            }
            let point = place.0.map(|row| dot([row[0], row[1], row[2]], local) + row[3]);
            let eye = instant.camera.camera_origin.map(f64::from);
            instant.raster([0, 1, 2].map(|axis| point[axis] - eye[axis]))
        })
    }

    /// Where what is infinitely far away along a direction is in the picture. A camera without
    /// perspective sees one direction everywhere: for it nothing moves.
    pub(crate) fn direction(&self, direction: [f32; 3]) -> Way {
        self.instants.each_ref().map(|instant| {
            let is_flat = instant.camera.camera_kind == CAMERA_ORTHOGRAPHIC;
            if is_flat { Some([0.0; 2]) } else { instant.raster(direction.map(f64::from)) }
        })
    }

    /// From where something is to where it was, and from where it will be to where it is, pixels to
    /// the right and up: Blender's pass `Vector`.
    pub(crate) fn vectors(&self, way: &Way) -> [Option<[f64; 2]>; 2] {
        let [before, now, after] = *way;
        let camera = &self.instants[1].camera;
        let width = f64::from(camera.width);
        let less = |a: Option<[f64; 2]>, b: Option<[f64; 2]>| {
            let ([ax, ay], [bx, by]) = (a?, b?);
            let mut x = ax - bx;
            // A panorama's sides meet.
            if camera.camera_kind == CAMERA_PANORAMA {
                x -= width * (x / width).round();
            }
            Some([x, ay - by])
        };
        [less(before, now), less(now, after)]
    }

    /// The vertices that a place lies between, and where they are placed.
    fn vertices<'a>(
        &'a self,
        instant: &'a Instant,
        spot: &Spot,
    ) -> Option<(&'a [[f32; 3]], Place)> {
        let place = *instant.places.get(spot.node as usize)?;
        match spot.part {
            Part::Lamp(lamp) => Some((self.lamps.get(lamp as usize)?, place)),
            Part::Mesh(part) => {
                if let Some(bent) = instant.bent.get(&spot.node) {
                    let (vertices, place) = bent.get(part as usize)?;
                    return Some((vertices, *place));
                }
                let mesh = self.scene.nodes.get(spot.node as usize)?.mesh?;
                if let Some(vertices) = self.blended.get(&(mesh, part)) {
                    return Some((vertices, place));
                }
                let mesh = self.scene.meshes.get(mesh as usize)?;
                Some((&mesh.primitives.get(part as usize)?.positions, place))
            }
        }
    }
}

impl Instant {
    fn at(scene: &Scene, prepared: &RenderScene, time_s: f64) -> Result<Self, PrepareError> {
        let motion = Motion::at(scene, time_s);
        let places = world_places(scene, &motion)?;
        let settings = prepared.settings();
        let mut camera = *prepared.header();
        // A camera of our own stands still.
        if !cameras::frames(scene, &settings.camera) {
            let list = vary::cameras_at(scene, time_s);
            let bounds = Bounds { low: [0.0; 3], high: [0.0; 3] };
            cameras::place(&mut camera, scene, &list, &places, &bounds, &settings.camera)?;
            cameras::look_through(&mut camera, settings);
        }
        let mut bent = BTreeMap::new();
        let mut poser = Poser::new(scene, &places, &motion);
        let bends = scene.bent_nodes();
        for (node, number) in scene.nodes.iter().zip(0_u32..) {
            let Some(mesh) = node.mesh.filter(|_| bends[number as usize]) else { continue };
            let mesh = &scene.meshes[mesh as usize];
            let parts = mesh.primitives.iter().map(|primitive| {
                let (posed, place) = poser.pose(number as usize, primitive);
                (posed.positions, place)
            });
            bent.insert(number, parts.collect());
        }
        Ok(Self { camera, places, bent })
    }

    /// Where the camera shows what lies `way` from its eye, pixels from the lower left: the camera's
    /// ray turned round, through the middle of its lens.
    fn raster(&self, way: [f64; 3]) -> Option<[f64; 2]> {
        let camera = &self.camera;
        let along = |axis: [f32; 3]| dot(way, axis.map(f64::from));
        let right = along(camera.camera_right);
        let (up, ahead) = (along(camera.camera_up), along(camera.camera_forward));
        let size = [camera.width, camera.height].map(f64::from);
        if camera.camera_kind == CAMERA_PANORAMA {
            let across = turns(right, ahead) + 0.5;
            let level = length(right, ahead);
            let down = turns(level, up) * 2.0;
            return Some([across * size[0], (1.0 - down) * size[1]]);
        }
        let half = [camera.camera_half_width, camera.camera_half_height].map(f64::from);
        let depth = if camera.camera_kind == CAMERA_ORTHOGRAPHIC { 1.0 } else { ahead };
        if depth <= DEPTH_MIN * dot(way, way).sqrt() {
            return None;
        }
        let place = |aside: f64, half: f64| (aside / depth / half + 1.0) * 0.5;
        Some([place(right, half[0]) * size[0], place(up, half[1]) * size[1]])
    }
}

fn length(a: f64, b: f64) -> f64 {
    (a * a + b * b).sqrt()
}

/// The angle of a direction from the axis of `ahead` towards that of `aside`, turns, -0.5..=0.5.
fn turns(aside: f64, ahead: f64) -> f64 {
    let quarter = if aside < 0.0 { -0.25 } else { 0.25 };
    if ahead.abs() < aside.abs() {
        return quarter - precise::atan(ahead / aside) / std::f64::consts::TAU;
    }
    if ahead.abs() <= 0.0 {
        return 0.0;
    }
    let near = precise::atan(aside / ahead) / std::f64::consts::TAU;
    if ahead > 0.0 { near } else { near + 2.0 * quarter }
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn angles_are_told_all_around() {
        for step in -99..=99 {
            let wanted = f64::from(step) / 200.0;
            let (sin, cos) = (wanted * std::f64::consts::TAU).sin_cos();
            let got = turns(sin * 3.0, cos * 3.0);
            assert!((got - wanted).abs() < 1e-9, "{wanted}: {got}");
        }
        assert!((turns(0.0, -1.0).abs() - 0.5).abs() < 1e-12 && turns(0.0, 0.0).abs() < 1e-12);
    }
}
