//! Inputs and scenes.

use protocol::settings::{Lighting, RenderSettings, Sun};
use protocol::{CameraChoice, Size};
use renderer::{RenderScene, sampler};
use scene::{Material, Mesh, Node, Primitive, Scene, Transform};

/// Numbers in 0..1 that look random, the same every time.
pub struct Random(u32);

impl Random {
    pub fn new(seed: u32) -> Self {
        Self(seed)
    }

    pub fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(1);
        sampler::hash(self.0.wrapping_mul(0x9e37_79b1))
    }

    pub fn unit(&mut self) -> f32 {
        sampler::to_unit(self.bits())
    }

    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A direction of length 1.
    pub fn direction(&mut self) -> renderer::math::Vec3 {
        let z = self.between(-1.0, 1.0);
        let (sin, cos) = renderer::math::sin_cos_turns(self.unit());
        let radius = renderer::math::sqrt(1.0 - z * z);
        renderer::math::vec3(radius * cos, radius * sin, z)
    }
}

pub fn settings(width: u32, height: u32, samples: u32) -> RenderSettings {
    RenderSettings { size: Size::new(width, height), samples, ..RenderSettings::default() }
}

/// The built-in scene at a small size.
pub fn golden(settings: &RenderSettings) -> RenderScene {
    renderer::prepare(&scene::golden(), settings, 0.0).expect("the golden scene is sound")
}

/// A white cube under a white sky: every pixel must show as much light as the sky.
pub fn furnace(metallic: f32, roughness: f32, settings: RenderSettings) -> RenderScene {
    let corner = |i: u32| {
        let side = |bit: u32| if i & bit == 0 { -0.5 } else { 0.5 };
        [side(1), side(2), side(4)]
    };
    let faces =
        [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]];
    let white = Material { metallic, roughness, double_sided: true, ..Material::default() };
    let cube = Primitive {
        positions: (0..8).map(corner).collect(),
        indices: faces.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect(),
        material: Some(0),
        ..Primitive::default()
    };
    let node = Node {
        name: "cube".to_owned(),
        transform: Transform::IDENTITY,
        mesh: Some(0),
        ..Node::default()
    };
    let scene = Scene {
        nodes: vec![node],
        meshes: vec![Mesh { name: "cube".to_owned(), primitives: vec![cube], ..Mesh::default() }],
        materials: vec![white],
        ..Scene::default()
    };
    let camera =
        CameraChoice::LookAt { eye: [1.1, 0.9, 1.3], target: [0.0; 3], vfov_degrees: 30.0 };
    let lighting = Lighting { sun: None, sky: Some([1.0; 3]) };
    renderer::prepare(&scene, &RenderSettings { camera, lighting, ..settings }, 0.0)
        .expect("a cube is sound")
}

/// Sunlight from aside.
pub fn sun() -> Lighting {
    Lighting {
        sun: Some(Sun { direction: [0.3, 1.0, 0.2], irradiance: [3.0, 2.9, 2.7] }),
        sky: Some([0.2, 0.3, 0.5]),
    }
}
