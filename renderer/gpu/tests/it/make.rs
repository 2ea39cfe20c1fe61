//! Inputs and scenes.

use protocol::settings::{Lighting, RenderSettings, Sun};
use protocol::{CameraChoice, Shutter, ShutterPosition, Size};
use renderer::{RenderScene, sampler};
use scene::{
    AreaLight, AreaShape, Layers, Light, LightKind, Material, Mesh, Node, Primitive, Scene,
    Transform,
};

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

/// The built-in scene with a layer or two on each of its materials: every class of lobes at the first
/// event of some path.
pub fn layered(settings: &RenderSettings) -> RenderScene {
    let mut scene = scene::golden();
    let body = Layers {
        transmission: 1.0,
        is_body: true,
        attenuation_color: [0.3, 0.6, 0.9],
        attenuation_distance: 0.3,
        dispersion: 0.4,
        ..Layers::default()
    };
    let cloth = Layers {
        sheen_color: [0.5, 0.3, 0.7],
        sheen_roughness: 0.4,
        coat: 0.8,
        coat_roughness: 0.2,
        ..Layers::default()
    };
    let leaf =
        Layers { translucency: 0.6, translucent_color: [0.2, 0.7, 0.3], ..Layers::default() };
    let pane = Layers { transmission: 0.6, iridescence: 0.8, ..Layers::default() };
    let kinds = [cloth, body, leaf, pane];
    for (material, layers) in scene.materials.iter_mut().zip(kinds.iter().cycle()) {
        *material = Material { layers: layers.clone(), metallic: 0.0, ..material.clone() };
    }
    renderer::prepare(&scene, settings, 0.0).expect("the layers are sound")
}

/// The built-in scene in motion, with the shutter open for nearly all of it.
pub fn moving(settings: &RenderSettings) -> RenderScene {
    let shutter = Some(Shutter { open_s: 0.9, position: ShutterPosition::Start });
    let settings = RenderSettings { shutter, ..settings.clone() };
    let scene =
        renderer::prepare(&scene::golden_in_motion(), &settings, 0.05).expect("it is sound");
    assert!(scene.header().motion_keys > 2, "it moves");
    scene
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
        sun: Some(Sun {
            direction: [0.3, 1.0, 0.2],
            irradiance: [3.0, 2.9, 2.7],
            angle_degrees: 2.0,
        }),
        sky: Some([0.2, 0.3, 0.5]),
    }
}

/// The built-in scene, its sun and its sky among two hundred lamps and four hundred triangles.
pub fn many_lights(settings: &RenderSettings) -> RenderScene {
    let mut random = Random::new(11);
    let mut scene = scene::golden();
    let mut lamps =
        Primitive { material: Some(scene.materials.len() as u32), ..Primitive::default() };
    scene.materials.push(Material { emissive: [3.0, 2.0, 1.0], ..Material::default() });
    for i in 0..200_u32 {
        let kind = if i % 3 == 0 {
            LightKind::Spot { inner_cone: 0.1, outer_cone: random.between(0.2, 1.5) }
        } else {
            LightKind::Point
        };
        let place = random.direction() * random.between(0.5, 5.0);
        let turn = random.direction();
        scene.lights.push(Light {
            intensity: [random.unit() * 0.1; 3],
            kind,
            range: (i % 5 == 0).then_some(4.0),
            radius: if i % 4 == 0 { random.between(0.01, 1.0) } else { 0.0 },
            ..Light::default()
        });
        scene.nodes.push(Node {
            light: Some(scene.lights.len() as u32 - 1),
            transform: Transform::Trs {
                translation: place.to_array(),
                rotation: [turn.x, turn.y, turn.z, 0.0],
                scale: [1.0; 3],
            },
            ..Node::default()
        });
        if i % 25 == 7 {
            let shape = if i % 50 == 7 { AreaShape::Rectangle } else { AreaShape::Disk };
            scene.area_lights.push(AreaLight {
                name: format!("lamp {i}"),
                node: scene.nodes.len() as u32 - 1,
                shape,
                size: [0.3, 0.2],
                radiance: [random.unit(); 3],
                two_sided: i == 7,
            });
        }
    }
    for _ in 0..400_u32 {
        let corner = random.direction() * random.between(1.0, 5.0);
        let first = lamps.positions.len() as u32;
        let edges = [random.direction() * 0.1, random.direction() * 0.1];
        lamps.positions.push(corner.to_array());
        lamps.positions.extend(edges.map(|edge| (corner + edge).to_array()));
        lamps.indices.push([first, first + 1, first + 2]);
    }
    scene.meshes.push(Mesh { primitives: vec![lamps], ..Mesh::default() });
    let mesh = Some(scene.meshes.len() as u32 - 1);
    scene.nodes.push(Node { mesh, ..Node::default() });
    renderer::prepare(&scene, settings, 0.0).expect("lamps are sound")
}
