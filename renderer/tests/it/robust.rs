//! Scenes that are no picture book's are rendered: finite, and alike by both ways of the CPU.

use protocol::{Batch, CameraChoice, Rect, RenderSettings, Size};
use renderer::math::{FAR, vec3};
use renderer::ray::{Cast, Hit, Query, Ray};
use renderer::surface::surface_at;
use renderer::trace::{Path, Tracer};
use renderer::{Backend, Cancel, CpuBackend, RenderScene, Work};
use scene::{
    Filter, Image, Mesh, Node, Pixels, Primitive, Scene, Texture, TextureRef, Transform, Wrap,
};

use crate::make::{material, node, quad, scene_of, sphere};

fn prepared(scene: &Scene) -> RenderScene {
    assert_eq!(scene.validate(), Ok(()));
    let camera =
        CameraChoice::LookAt { eye: [0.5, 1.5, 4.0], target: [0.0; 3], vfov_degrees: 40.0 };
    let settings = RenderSettings {
        size: Size::new(32, 24),
        samples: 16,
        camera,
        ..RenderSettings::default()
    };
    renderer::prepare(scene, &settings, 0.0).expect("the scene is sound")
}

/// Renders a scene both ways; returns how many pixels met something.
fn check(scene: &Scene) -> usize {
    let scene = prepared(scene);
    let batch = Batch::new(0, 1).expect("aligned");
    let work = Work { rect: Rect::of_size(scene.settings().size), batch };
    let cancel = Cancel::default();
    let film = CpuBackend::new(None).render(&scene, work, &cancel).expect("renders");
    let portable =
        CpuBackend::with_path(None, Path::Portable).render(&scene, work, &cancel).expect("renders");
    assert_eq!(film.root(), portable.root());
    assert!(film.pixels().iter().all(film::Pixel::is_finite));
    film.pixels().iter().filter(|pixel| pixel.alpha > 0.0).count()
}

/// A sphere, and glowing triangles without an area through and beside it.
#[test]
fn triangles_without_an_area_are_rendered_as_nothing() {
    let glow = scene::Material { emissive: [3.0; 3], ..material([0.5; 3], 0.0, 0.5) };
    let plain = || scene_of(vec![sphere(12, 0)], vec![material([0.8; 3], 0.0, 0.5), glow.clone()]);
    let line = Primitive {
        positions: vec![[-2.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0; 3], [0.5; 3]],
        normals: vec![[0.0, 1.0, 0.0]; 4],
        indices: vec![[0, 1, 2], [3, 3, 3], [0, 0, 1], [2, 1, 0]],
        material: Some(1),
        ..Primitive::default()
    };
    let wanted = check(&plain());
    let mut scene = plain();
    scene.meshes[0].primitives.push(line.clone());
    assert_eq!(check(&scene), wanted, "a line is not seen");
    // Nothing but such triangles: the sky of the studio.
    assert_eq!(check(&scene_of(vec![line], scene.materials)), 0);
}

/// Mirrored, stretched a thousandfold, squashed to a disc and ten thousand nodes deep.
#[test]
fn any_scale_and_depth_of_nodes_is_rendered() {
    let materials = vec![material([0.8; 3], 0.0, 0.5)];
    for scale in [[-1.0, 1.0, 1.0], [2.0, -0.3, -1.5], [1e3, 1.0, 1e-3], [1.0, 0.0, 1.0]] {
        let mut scene = scene_of(vec![sphere(12, 0)], materials.clone());
        let turned = [0.182_574_19, 0.365_148_37, 0.547_722_6, 0.730_296_7];
        let of = |rotation, scale| Transform::Trs { translation: [0.0; 3], rotation, scale };
        scene.nodes[0].transform = of(turned, scale);
        assert!(check(&scene) > 20, "{scale:?}");
        // Shown twice, so that an instance carries the scale.
        for _ in 0..2 {
            scene.nodes.push(Node { mesh: Some(0), ..node(of([0.0, 0.0, 0.0, 1.0], scale)) });
        }
        // What an instance squashes flat cannot be seen: rays have no way into it.
        let is_flat = scale.iter().any(|side| side.abs() < f32::MIN_POSITIVE);
        assert_eq!(check(&scene) > 20, !is_flat, "{scale:?}");
    }
    let mut deep = scene_of(vec![sphere(12, 0)], materials);
    let step = Transform::Trs {
        translation: [1e-4, 0.0, 0.0],
        rotation: [0.0, 0.0, 0.0, 1.0],
        scale: [1.0; 3],
    };
    deep.nodes[0].mesh = None;
    deep.nodes.extend((0..9_999).map(|parent| Node { parent: Some(parent), ..node(step) }));
    deep.nodes[9_999].mesh = Some(0);
    assert!(check(&deep) > 100);
}

/// A texture 16 384 px wide on a square: the colour of a texel stands where it belongs, at both ends.
#[test]
fn textures_of_sixteen_thousand_pixels_are_read_to_their_ends() {
    let (width, height) = (16_384_u32, 2_u32);
    let texels = (0..width * height).flat_map(|at| {
        let column = at % width;
        [(column >> 8) as u8, (column & 0xff) as u8, (at / width) as u8, 255]
    });
    let mut square = quad([0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], 0);
    square.uvs[0] = vec![[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]];
    let mut scene = scene_of(vec![square], vec![material([1.0; 3], 0.0, 0.5)]);
    scene.images.push(Image {
        name: String::new(),
        width,
        height,
        pixels: Pixels::Rgba8(texels.collect()),
    });
    let (wrap_u, wrap_v, filter) = (Wrap::Clamp, Wrap::Clamp, Filter::Nearest);
    scene.textures.push(Texture { image: 0, wrap_u, wrap_v, filter });
    let (offset, scale) = ([0.0; 2], [1.0; 2]);
    scene.materials[0].base_color_texture =
        Some(TextureRef { texture: 0, uv_set: 0, offset, rotation: 0.0, scale });
    scene.meshes.push(Mesh::default());
    let scene = prepared(&scene);
    assert_eq!(scene.texels().len(), (width * height) as usize);
    let tracer = Tracer::new(&scene, Path::best());
    for column in [0_u32, 255, 256, 8191, 16_128, 16_383] {
        let x = (column as f32 + 0.5) / width as f32;
        let ray = Ray { origin: vec3(x, 0.75, 1.0), direction: vec3(0.0, 0.0, -1.0) };
        let mut hits = [Hit::miss(FAR)];
        tracer.closest(
            &[Cast { ray, query: Query { t_max: FAR, key: 0, camera: false, time: 0.0 } }],
            &mut hits,
        );
        let color = surface_at(&scene, &hits[0], ray.direction, 0.0).base_color;
        let linear = |byte: u32| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        assert!((f64::from(color.x) - linear(column >> 8)).abs() < 1e-5, "column {column}");
        assert!((f64::from(color.y) - linear(column & 0xff)).abs() < 1e-5, "column {column}");
    }
}
