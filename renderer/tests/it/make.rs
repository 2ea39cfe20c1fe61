//! Small scenes, made by hand.

use film::Film;
use protocol::{Batch, CameraChoice, Lighting, Rect, RenderSettings, Size};
use renderer::{Backend, Cancel, CpuBackend, RenderScene, Work, prepare};
use scene::{
    Channel, Interpolation, Light, LightKind, Material, Mesh, Node, Primitive, Property, Scene,
    Transform,
};

/// A diffuse white material: no lobe could be darker, see the furnace tests.
pub fn material(base_color: [f32; 3], metallic: f32, roughness: f32) -> Material {
    let [r, g, b] = base_color;
    Material { base_color: [r, g, b, 1.0], metallic, roughness, ..Material::default() }
}

/// A quad from a corner and two edges; its front is the side of `u × v`.
pub fn quad(corner: [f32; 3], u: [f32; 3], v: [f32; 3], material: u32) -> Primitive {
    let at = |s: f32, t: f32| [0, 1, 2].map(|k: usize| corner[k] + u[k] * s + v[k] * t);
    Primitive {
        positions: vec![at(0.0, 0.0), at(1.0, 0.0), at(1.0, 1.0), at(0.0, 1.0)],
        indices: vec![[0, 1, 2], [0, 2, 3]],
        material: Some(material),
        ..Primitive::default()
    }
}

/// A unit sphere with smooth normals.
pub fn sphere(steps: u32, material: u32) -> Primitive {
    let mut sphere = Primitive { material: Some(material), ..Primitive::default() };
    for row in 0..=steps {
        for column in 0..=2 * steps {
            let theta = std::f32::consts::PI * row as f32 / steps as f32;
            let phi = std::f32::consts::PI * column as f32 / steps as f32;
            let point = [theta.sin() * phi.cos(), theta.cos(), -theta.sin() * phi.sin()];
            sphere.positions.push(point);
            sphere.normals.push(point);
        }
    }
    let at = |row: u32, column: u32| row * (2 * steps + 1) + column;
    for row in 0..steps {
        for column in 0..2 * steps {
            let (a, b) = (at(row, column), at(row + 1, column));
            if row > 0 {
                sphere.indices.push([a, b, at(row, column + 1)]);
            }
            if row + 1 < steps {
                sphere.indices.push([at(row, column + 1), b, at(row + 1, column + 1)]);
            }
        }
    }
    sphere
}

pub fn node(transform: Transform) -> Node {
    Node { transform, ..Node::default() }
}

/// A scene of one mesh at the origin.
pub fn scene_of(primitives: Vec<Primitive>, materials: Vec<Material>) -> Scene {
    Scene {
        nodes: vec![Node { mesh: Some(0), ..node(Transform::IDENTITY) }],
        meshes: vec![Mesh { primitives, ..Mesh::default() }],
        materials,
        ..Scene::default()
    }
}

/// Adds a punctual light at a place, shining downwards.
pub fn add_light(scene: &mut Scene, at: [f32; 3], kind: LightKind, intensity: f32) {
    scene.lights.push(Light { intensity: [intensity; 3], kind, ..Light::default() });
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let transform =
        Transform::Trs { translation: at, rotation: [-half, 0.0, 0.0, half], scale: [1.0; 3] };
    scene.nodes.push(Node { light: Some(scene.lights.len() as u32 - 1), ..node(transform) });
}

/// A channel with keys at 0 s, 1 s and so on.
pub fn moving(node: u32, property: Property, values: &[&[f32]]) -> Channel {
    Channel {
        node,
        property,
        interpolation: Interpolation::Linear,
        times: (0..values.len()).map(|key| key as f32).collect(),
        values: values.concat(),
    }
}

/// Settings that look from one point to another through a narrow lens.
pub fn looking(eye: [f32; 3], target: [f32; 3], side: u32, samples: u32) -> RenderSettings {
    RenderSettings {
        size: Size::new(side, side),
        samples,
        camera: CameraChoice::LookAt { eye, target, vfov_degrees: 1.0 },
        lighting: Lighting { sun: None, sky: Some([0.0; 3]) },
        ..RenderSettings::default()
    }
}

pub fn prepared(scene: &Scene, settings: &RenderSettings) -> RenderScene {
    prepare(scene, settings, 0.0).expect("the scene is sound")
}

/// All pixels and samples of a prepared scene.
pub fn rendered(scene: &RenderScene) -> Film {
    let settings = scene.settings();
    let chunks = settings.chunk_count().next_power_of_two();
    let batch = Batch::new(0, chunks).expect("aligned");
    let work = Work { rect: settings.window(), batch };
    CpuBackend::new(None).render(scene, work, &Cancel::default()).expect("renders")
}

/// Mean and standard error of the green channel over the pixels of a frame.
pub fn mean_green(scene: &Scene, settings: &RenderSettings) -> (f64, f64) {
    let scene = prepared(scene, settings);
    let chunks = settings.chunk_count().next_power_of_two();
    let work =
        Work { rect: Rect::of_size(settings.size), batch: Batch::new(0, chunks).expect("aligned") };
    let film = CpuBackend::new(None).render(&scene, work, &Cancel::default()).expect("renders");
    let values: Vec<f64> = film
        .pixels()
        .iter()
        .map(|pixel| f64::from(pixel.beauty[1]) / f64::from(pixel.samples))
        .collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// Asserts that a mean lies within five standard errors and a small share of what it must be.
pub fn assert_mean(what: &str, got: (f64, f64), wanted: f64, share: f64) {
    let (mean, error) = got;
    let room = 5.0 * error + share * wanted;
    assert!((mean - wanted).abs() <= room, "{what}: {mean} ± {error}, wanted {wanted} ± {room}");
}
