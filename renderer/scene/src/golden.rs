//! A small built-in scene: the same bytes on every machine, so that a farm can qualify nodes and
//! tests can pin hashes without a file.
//!
//! It touches what the renderer tells apart: flat and smooth normals, every texture slot, a
//! texture transform, nearest and linear filters, all three wraps, masked and blended alpha,
//! vertex colours, rough and smooth metal and dielectric, an emitter, all three punctual lights,
//! a nested and mirrored node, and an environment map. Its numbers come from `+`, `-`, `*`, `/`
//! and `sqrt` alone, which round alike everywhere.

mod motion;

pub use motion::golden_in_motion;

use crate::lamps::Lens;
use crate::model::{
    AlphaMode, Camera, Environment, Filter, Image, Layers, Light, LightKind, Material, Mesh, Node,
    Pixels, Primitive, Projection, Scene, Texture, TextureRef, Transform, Wrap,
};

const IDENTITY: [f32; 4] = [0.0, 0.0, 0.0, 1.0];
/// Half of √2.
const HALF_TURN: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// The golden scene: a room corner with two spheres, a masked and a blended card, and a lamp.
#[must_use]
pub fn golden() -> Scene {
    let scene = Scene {
        name: "golden".to_owned(),
        nodes: nodes(),
        meshes: meshes(),
        materials: materials(),
        textures: textures(),
        images: images(),
        lights: lights(),
        cameras: vec![Camera {
            name: "golden".to_owned(),
            projection: Projection::Perspective { vfov: 0.75 },
            lens: Lens::default(),
        }],
        environment: Some(Environment::Map { image: 4, strength: 0.5, rotation: 0.3 }),
        ..Scene::default()
    };
    debug_assert_eq!(scene.validate(), Ok(()));
    scene
}

fn node(name: &str, translation: [f32; 3]) -> Node {
    Node {
        name: name.to_owned(),
        parent: None,
        transform: Transform::Trs { translation, rotation: IDENTITY, scale: [1.0; 3] },
        ..Node::default()
    }
}

fn nodes() -> Vec<Node> {
    let mesh = |name, index, at| Node { mesh: Some(index), ..node(name, at) };
    let light = |name, index, at| Node { light: Some(index), ..node(name, at) };
    let down = [-HALF_TURN, 0.0, 0.0, HALF_TURN];
    let turned = |at, rotation| Transform::Trs { translation: at, rotation, scale: [1.0; 3] };
    vec![
        mesh("floor", 0, [0.0; 3]),
        mesh("metal sphere", 1, [-0.7, 0.5, 0.0]),
        // A mirrored child of a scaled parent: its triangles are seen from their other side.
        Node {
            parent: Some(1),
            transform: Transform::Matrix([
                [-0.5, 0.0, 0.0, 0.0],
                [0.0, 0.5, 0.0, 0.0],
                [0.0, 0.0, 0.5, 0.0],
                [1.25, -0.25, 0.5, 1.0],
            ]),
            ..mesh("glazed sphere", 2, [0.0; 3])
        },
        mesh("leaf", 3, [0.9, 0.6, -0.3]),
        mesh("film", 4, [0.2, 0.5, 0.75]),
        Node {
            transform: turned([0.0, 2.5, 0.0], [HALF_TURN, 0.0, 0.0, HALF_TURN]),
            ..mesh("lamp", 5, [0.0; 3])
        },
        Node { transform: turned([0.0; 3], down), ..light("sun", 0, [0.0; 3]) },
        light("bulb", 1, [-1.5, 1.5, 1.0]),
        Node { transform: turned([1.0, 2.0, 0.5], down), ..light("spot", 2, [0.0; 3]) },
        Node {
            camera: Some(0),
            // Looks from above, 11.5° down: sin and cos of half of it, scaled to unit length.
            transform: turned([0.0, 1.3, 4.0], unit4([-0.1, 0.0, 0.0, 0.995])),
            ..node("camera", [0.0; 3])
        },
    ]
}

fn unit4(vector: [f32; 4]) -> [f32; 4] {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.map(|value| value / length)
}

fn meshes() -> Vec<Mesh> {
    let mesh = |name: &str, primitive| Mesh {
        name: name.to_owned(),
        primitives: vec![primitive],
        ..Mesh::default()
    };
    let floor = Primitive {
        tangents: vec![[1.0, 0.0, 0.0, 1.0]; 4],
        normals: vec![[0.0, 1.0, 0.0]; 4],
        positions: [[-2.0, 2.0], [2.0, 2.0], [2.0, -2.0], [-2.0, -2.0]]
            .map(|[x, z]| [x, 0.0, z])
            .to_vec(),
        uvs: [vec![[0.0, 2.0], [2.0, 2.0], [2.0, 0.0], [0.0, 0.0]], Vec::new()],
        material: Some(0),
        ..card(1.0)
    };
    let colors = vec![[1.0, 0.5, 0.5, 0.75], [0.5, 1.0, 0.5, 0.5], [0.5, 0.5, 1.0, 0.25], [1.0; 4]];
    let film = Primitive { colors, material: Some(4), ..card(0.4) };
    let second = vec![[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]];
    let leaf =
        Primitive { uvs: [card(0.5).uvs[0].clone(), second], material: Some(3), ..card(0.5) };
    let mut facets = sphere(2, 0.5);
    facets.normals.clear();
    facets.material = Some(2);
    let smooth = Primitive { material: Some(1), ..sphere(3, 0.5) };
    let lamp = Primitive { material: Some(5), ..card(0.5) };
    vec![
        mesh("floor", floor),
        mesh("smooth sphere", smooth),
        mesh("faceted sphere", facets),
        mesh("leaf", leaf),
        mesh("film", film),
        mesh("lamp", lamp),
    ]
}

/// A square that faces +z, its texture upright.
fn card(half: f32) -> Primitive {
    Primitive {
        positions: vec![
            [-half, -half, 0.0],
            [half, -half, 0.0],
            [half, half, 0.0],
            [-half, half, 0.0],
        ],
        uvs: [vec![[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], Vec::new()],
        indices: vec![[0, 1, 2], [0, 2, 3]],
        ..Primitive::default()
    }
}

/// An octahedron whose faces were split in four `levels` times and pushed out to a sphere.
fn sphere(levels: u32, radius: f32) -> Primitive {
    let mut normals: Vec<[f32; 3]> = vec![
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [-1.0, 0.0, 0.0],
        [0.0, -1.0, 0.0],
        [0.0, 0.0, -1.0],
    ];
    let mut indices = vec![
        [0, 1, 2],
        [1, 3, 2],
        [3, 4, 2],
        [4, 0, 2],
        [1, 0, 5],
        [3, 1, 5],
        [4, 3, 5],
        [0, 4, 5],
    ];
    for _level in 0..levels {
        let mut halves = std::collections::BTreeMap::new();
        let mut half = |a: u32, b: u32, normals: &mut Vec<[f32; 3]>| {
            *halves.entry((a.min(b), a.max(b))).or_insert_with(|| {
                let (a, b) = (normals[a as usize], normals[b as usize]);
                let sum = [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
                let length = (sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2]).sqrt();
                normals.push(sum.map(|value| value / length));
                u32::try_from(normals.len() - 1).expect("invariant: few vertices")
            })
        };
        let split = |&[a, b, c]: &[u32; 3]| {
            let (ab, bc, ca) =
                (half(a, b, &mut normals), half(b, c, &mut normals), half(c, a, &mut normals));
            [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
        };
        indices = indices.iter().flat_map(split).collect();
    }
    let positions = normals.iter().map(|normal| normal.map(|value| radius * value)).collect();
    Primitive { positions, normals, indices, ..Primitive::default() }
}

fn texture_ref(texture: u32) -> Option<TextureRef> {
    Some(TextureRef { texture, uv_set: 0, offset: [0.0; 2], rotation: 0.0, scale: [1.0; 2] })
}

fn materials() -> Vec<Material> {
    let named = |name: &str| Material { name: name.to_owned(), ..Material::default() };
    vec![
        Material {
            base_color_texture: Some(TextureRef {
                texture: 0,
                uv_set: 0,
                offset: [0.125, 0.25],
                rotation: 0.5,
                scale: [2.0, 2.0],
            }),
            metallic_roughness_texture: texture_ref(1),
            normal_texture: texture_ref(2),
            normal_scale: 0.5,
            layers: Layers {
                coat: 0.5,
                coat_texture: texture_ref(0),
                coat_roughness: 0.5,
                coat_roughness_texture: texture_ref(1),
                coat_normal_texture: texture_ref(2),
                coat_normal_scale: 0.25,
                anisotropy: 0.75,
                anisotropy_rotation: 0.5,
                anisotropy_texture: texture_ref(0),
                ..Layers::default()
            },
            ..named("floor")
        },
        Material {
            base_color: [0.95, 0.7, 0.3, 1.0],
            roughness: 0.25,
            layers: Layers {
                iridescence: 0.75,
                iridescence_ior: 1.5,
                iridescence_thickness: [100.0, 450.0],
                ..Layers::default()
            },
            ..named("gold")
        },
        Material {
            base_color: [0.1, 0.3, 0.6, 1.0],
            metallic: 0.0,
            roughness: 0.1,
            layers: Layers {
                ior: 1.45,
                transmission: 0.75,
                is_body: true,
                attenuation_color: [0.5, 0.7, 0.9],
                attenuation_distance: 0.5,
                dispersion: 2.0,
                ..Layers::default()
            },
            ..named("glaze")
        },
        Material {
            base_color: [0.3, 0.7, 0.2, 1.0],
            base_color_texture: Some(TextureRef {
                uv_set: 1,
                ..texture_ref(3).expect("invariant: always some")
            }),
            metallic: 0.0,
            roughness: 0.8,
            alpha: AlphaMode::Mask(0.5),
            double_sided: true,
            layers: Layers {
                specular: 0.5,
                specular_color: [1.0, 0.8, 0.5],
                transmission: 0.25,
                translucency: 0.5,
                translucent_color: [0.8, 0.9, 0.3],
                ..Layers::default()
            },
            ..named("leaf")
        },
        Material {
            metallic: 0.0,
            roughness: 0.5,
            alpha: AlphaMode::Blend,
            double_sided: true,
            layers: Layers {
                sheen_color: [0.6, 0.5, 0.3],
                sheen_color_texture: texture_ref(0),
                sheen_roughness: 0.5,
                ..Layers::default()
            },
            ..named("film")
        },
        Material {
            base_color: [0.0, 0.0, 0.0, 1.0],
            metallic: 0.0,
            emissive: [6.0, 5.0, 4.0],
            emissive_texture: texture_ref(0),
            ..named("lamp")
        },
    ]
}

fn textures() -> Vec<Texture> {
    let texture = |image, wrap, filter| Texture { image, wrap_u: wrap, wrap_v: wrap, filter };
    vec![
        texture(0, Wrap::Repeat, Filter::Linear),
        texture(1, Wrap::Mirror, Filter::Linear),
        texture(2, Wrap::Repeat, Filter::Linear),
        texture(3, Wrap::Clamp, Filter::Nearest),
    ]
}

fn images() -> Vec<Image> {
    let image = |name: &str, side: u32, pixel: fn(u32, u32) -> [u8; 4]| Image {
        name: name.to_owned(),
        width: side,
        height: side,
        pixels: Pixels::Rgba8(
            (0..side).flat_map(|y| (0..side).flat_map(move |x| pixel(x, y))).collect(),
        ),
    };
    let checker = |x: u32, y: u32| match (x / 4 + y / 4) % 2 {
        0 => [235, 225, 205, 255],
        _ => [150, 60, 50, 255],
    };
    // Green is roughness, blue is metallic.
    let gloss = |x: u32, y: u32| [0, 60 + 12 * (x as u8), if y < 8 { 0 } else { 128 }, 255];
    // Shallow ridges along v.
    let ridges = |x: u32, _y: u32| match x % 4 {
        1 => [150, 128, 250, 255],
        3 => [106, 128, 250, 255],
        _ => [128, 128, 255, 255],
    };
    let leaf = |x: u32, y: u32| {
        let (x, y) = (2 * x as i32 - 15, 2 * y as i32 - 15);
        let inside = 2 * x * x + y * y < 200;
        [255, 255, 255, if inside { 255 } else { 0 }]
    };
    let sky = (0..4_u32).flat_map(|row| {
        (0..8_u32).map(move |column| {
            let height = 1.0 - row as f32 / 4.0;
            let sun = if (row, column) == (1, 5) { 20.0 } else { 0.0 };
            [0.4 * height + sun, 0.6 * height + sun, height + 0.8 * sun]
        })
    });
    vec![
        image("checker", 16, checker),
        image("gloss", 16, gloss),
        image("ridges", 16, ridges),
        image("leaf", 16, leaf),
        Image {
            name: "sky".to_owned(),
            width: 8,
            height: 4,
            pixels: Pixels::Rgb32F(sky.collect()),
        },
    ]
}

fn lights() -> Vec<Light> {
    let light = |name: &str, intensity, kind, range| Light {
        name: name.to_owned(),
        intensity,
        kind,
        range,
        ..Light::default()
    };
    vec![
        light("sun", [1.0, 0.9, 0.8], LightKind::Directional, None),
        light("bulb", [0.8, 0.8, 1.0], LightKind::Point, Some(6.0)),
        light("spot", [4.0, 3.0, 2.0], LightKind::Spot { inner_cone: 0.2, outer_cone: 0.5 }, None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_everywhere() {
        let id = crate::pack(&golden()).id();
        assert_eq!(
            id.to_string(),
            "scn_f9762dc454ac3e7ac6cc34b8978524d4e822a3a6300fa9e805ff57ed1f2b2f5c",
            "the golden scene changed: bump the engine; or its package did, then bump its version"
        );
    }

    #[test]
    fn it_holds_every_kind() {
        let scene = golden();
        let alpha = |wanted: fn(&AlphaMode) -> bool| {
            assert!(scene.materials.iter().any(|material| wanted(&material.alpha)));
        };
        alpha(|mode| matches!(mode, AlphaMode::Opaque));
        alpha(|mode| matches!(mode, AlphaMode::Mask(_)));
        alpha(|mode| matches!(mode, AlphaMode::Blend));
        assert_eq!(scene.lights.len(), 3);
        assert!(scene.triangle_count() > 500, "{}", scene.triangle_count());
    }
}
