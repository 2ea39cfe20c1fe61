//! The same bits, however the work is done.

use std::num::NonZeroUsize;

use film::{Film, Pixel};
use protocol::{Batch, CameraChoice, Crop, Lens, Opening, PixelFilter, Rect, RenderSettings, Size};
use renderer::camera::camera_ray;
use renderer::math::dot;
use renderer::ray::{Cast, Hit, Query, Ray};
use renderer::sampler::hash;
use renderer::trace::{Path, Tracer};
use renderer::{
    Backend, Cancel, CpuBackend, Effort, PrepareError, RenderError, Work, prepare, prepare_with,
    probe,
};
use scene::{Mesh, Node, Scene, Transform};

use crate::make::{looking, material, node, prepared, quad, scene_of, sphere};

fn golden_settings(samples: u32) -> RenderSettings {
    RenderSettings { size: Size::new(40, 24), samples, ..RenderSettings::default() }
}

fn batch(first: u32, count: u32) -> Batch {
    Batch::new(first, count).expect("aligned")
}

fn render(backend: &mut CpuBackend, samples: u32, rect: Rect, batch: Batch) -> Film {
    let scene = prepared(&scene::golden(), &golden_settings(samples));
    backend.render(&scene, Work { rect, batch }, &Cancel::default()).expect("renders")
}

fn threads(count: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(count)
}

#[test]
fn four_chunks_are_the_merge_of_single_chunks() {
    let mut backend = CpuBackend::new(None);
    let rect = Rect { x0: 3, y0: 5, x1: 17, y1: 13 };
    let whole = render(&mut backend, 64, rect, batch(0, 4));
    let single: Vec<Film> =
        (0..4).map(|chunk| render(&mut backend, 64, rect, batch(chunk, 1))).collect();
    let low = single[0].merge(&single[1]).expect("siblings");
    let high = single[3].merge(&single[2]).expect("siblings");
    assert_eq!(whole.root(), high.merge(&low).expect("siblings").root());
}

#[test]
fn chunks_past_the_last_are_not_there() {
    let mut backend = CpuBackend::new(None);
    let rect = Rect { x0: 0, y0: 0, x1: 8, y1: 4 };
    // 40 samples: two full chunks and half a third.
    let whole = render(&mut backend, 40, rect, batch(0, 4));
    let low = render(&mut backend, 40, rect, batch(0, 2));
    let third = render(&mut backend, 40, rect, batch(2, 1));
    assert_eq!(render(&mut backend, 40, rect, batch(0, 1 << 31)).pixels(), whole.pixels());
    for ((all, low), third) in whole.pixels().iter().zip(low.pixels()).zip(third.pixels()) {
        assert_eq!(all.bits(), low.plus(third).bits());
        assert_eq!((all.samples, third.samples), (40, 8));
    }
}

/// Crop and overscan change which pixels are rendered and no bit of them, whatever camera looks:
/// the frame's pixel (x, y) is the canvas' (x + overscan, y + overscan).
#[test]
fn crop_and_overscan_move_no_bit_of_the_frame() {
    let mut backend = CpuBackend::new(None);
    let cancel = Cancel::default();
    let lens = Lens { opening: Opening::Radius(0.1), focus: 4.0, blades: 0, rotation_degrees: 0.0 };
    let base = golden_settings(16);
    let cases = [
        base.clone(),
        RenderSettings { lens: Some(lens), ..base.clone() },
        RenderSettings { panorama: true, ..base },
    ];
    for settings in cases {
        let plain = prepared(&scene::golden(), &settings);
        let mut film = |scene: &renderer::RenderScene, rect: Rect| {
            let work = Work { rect, batch: batch(0, 1) };
            backend.render(scene, work, &cancel).expect("renders")
        };
        let whole = film(&plain, Rect::of_size(settings.size));
        let size = Size::new(11, 9);
        for (overscan, x, y) in [(0, 17, 8), (6, 17, 8), (6, -6, -2), (6, 30, 21)] {
            let crop = Some(Crop { x, y, size });
            let wide = RenderSettings { crop, overscan, ..settings.clone() };
            let scene = prepared(&scene::golden(), &wide);
            let got = film(&scene, wide.window());
            let mut inside = 0;
            for ((x, y), pixel) in got.rect().pixels().zip(got.pixels()) {
                let frame = (x.wrapping_sub(overscan), y.wrapping_sub(overscan));
                if let Some(wanted) = whole.pixel(frame.0, frame.1) {
                    assert_eq!(pixel.bits(), wanted.bits(), "{wide:?}: {frame:?}");
                    inside += 1;
                }
            }
            let all = if x < 0 || x + 11 > 40 { 10 } else { 99 };
            assert!(inside >= all, "{inside} of the crop's pixels are of the frame");
        }
    }
    // Beyond the frame the same camera goes on: with a box filter, what a frame twice as wide and
    // twice the field shows at the same place.
    let filter = PixelFilter::Box;
    let camera =
        CameraChoice::LookAt { eye: [0.0, 1.0, 5.0], target: [0.0; 3], vfov_degrees: 50.0 };
    let size = Size::new(20, 20);
    let narrow = RenderSettings { size, camera, filter, ..golden_settings(16) };
    let scene = prepared(&scene::golden(), &RenderSettings { overscan: 10, ..narrow.clone() });
    let wide = RenderSettings { size: Size::new(40, 40), ..narrow };
    let CameraChoice::LookAt { eye, target, vfov_degrees } = wide.camera else { panic!("set") };
    let doubled = (2.0 * (vfov_degrees.to_radians() * 0.5).tan()).atan() * 2.0;
    let vfov_degrees = doubled.to_degrees();
    let wide =
        RenderSettings { camera: CameraChoice::LookAt { eye, target, vfov_degrees }, ..wide };
    let doubled = prepared(&scene::golden(), &wide);
    for (x, y) in [(-10.0, -10.0), (30.0, 30.0), (-4.5, 12.0), (10.0, 10.0)] {
        let got = camera_ray(&scene, x, y, (0.0, 0.0), 0.0).direction;
        let wanted = camera_ray(&doubled, x + 10.0, y + 10.0, (0.0, 0.0), 0.0).direction;
        let off = got - wanted;
        assert!(dot(off, off) < 1e-10, "{x} {y}: {got:?}, not {wanted:?}");
    }
}

#[test]
fn samples_do_not_depend_on_how_many_there_are() {
    let mut backend = CpuBackend::new(None);
    let rect = Rect { x0: 0, y0: 0, x1: 8, y1: 4 };
    let few = render(&mut backend, 16, rect, batch(0, 1));
    let many = render(&mut backend, 4096, rect, batch(0, 1));
    assert_eq!(few.root(), many.root());
}

#[test]
fn a_pixel_is_the_same_alone_and_in_any_tile() {
    let scene = prepared(&scene::golden(), &golden_settings(32));
    let mut one = CpuBackend::new(threads(1));
    let mut three = CpuBackend::new(threads(3));
    let cancel = Cancel::default();
    let rect = Rect::of_size(Size::new(40, 24));
    let whole = one.render(&scene, Work { rect, batch: batch(0, 2) }, &cancel).expect("renders");
    let part = Rect { x0: 7, y0: 3, x1: 30, y1: 20 };
    let tile =
        three.render(&scene, Work { rect: part, batch: batch(0, 2) }, &cancel).expect("renders");
    let wanted = [(7, 3), (29, 19), (20, 10)];
    let alone = three.render_pixels(&scene, &wanted, batch(0, 2), &cancel).expect("renders");
    for (&(x, y), alone) in wanted.iter().zip(alone.pixels()) {
        let bits = whole.pixel(x, y).map(Pixel::bits);
        assert_eq!(bits, Some(alone.bits()));
        assert_eq!(bits, tile.pixel(x, y).map(Pixel::bits));
    }
}

/// A mesh of so many triangles that a preview's tree is made in pieces.
#[test]
fn trees_of_any_effort_give_the_same_film() {
    let mut scene = scene::golden();
    scene.materials.push(material([0.8, 0.6, 0.3], 1.0, 0.3));
    let primitives = vec![sphere(150, scene.materials.len() as u32 - 1)];
    scene.meshes.push(Mesh { primitives, ..Mesh::default() });
    scene.nodes.push(Node {
        mesh: Some(scene.meshes.len() as u32 - 1),
        ..node(Transform::Trs {
            translation: [0.3, 0.5, 1.0],
            rotation: [0.0, 0.0, 0.0, 1.0],
            scale: [0.7; 3],
        })
    });
    let settings = golden_settings(16);
    let work = Work { rect: Rect::of_size(settings.size), batch: batch(0, 1) };
    let mut films = Vec::new();
    for effort in [Effort::Full, Effort::Preview] {
        let prepared = prepare_with(&scene, &settings, 0.0, effort).expect("prepares");
        assert!(prepared.triangles().len() > 80_000);
        for path in Path::all() {
            let mut backend = CpuBackend::with_path(None, path);
            let film = backend.render(&prepared, work, &Cancel::default()).expect("renders");
            films.push((effort, path.name(), film.root()));
        }
    }
    for film in &films {
        assert_eq!(film.2, films[0].2, "{film:?}");
    }
}

#[test]
fn simd_and_portable_films_are_equal() {
    let rect = Rect::of_size(Size::new(40, 24));
    let films = Path::all().into_iter().map(|path| {
        let mut backend = CpuBackend::with_path(None, path);
        (path.name(), render(&mut backend, 16, rect, batch(0, 1)).root())
    });
    let films: Vec<_> = films.collect();
    for (name, root) in &films {
        assert_eq!(*root, films[0].1, "{name} differs from {}", films[0].0);
    }
}

/// Many spheres and quads, instanced with turns, mirrors and uneven scales; coplanar doubles.
fn crowd() -> Scene {
    let base = vec![material([0.5; 3], 0.0, 1.0)];
    let floor = quad([-9.0, 0.0, 9.0], [18.0, 0.0, 0.0], [0.0, 0.0, -18.0], 0);
    let mut scene = scene_of(vec![floor.clone(), floor], base);
    scene.meshes.push(Mesh { primitives: vec![sphere(12, 0)], ..Mesh::default() });
    let unit = |i: u32| hash(i) as f32 / u32::MAX as f32;
    for i in 0..60 {
        let at = |k: u32| unit(i * 8 + k);
        let transform = Transform::Trs {
            translation: [at(0) * 12.0 - 6.0, at(1) * 3.0, at(2) * 12.0 - 6.0],
            rotation: [at(3) - 0.5, at(4) - 0.5, 0.3, 0.4],
            scale: [0.2 + at(5), if i % 5 == 0 { -0.6 } else { 0.4 }, 0.3 + at(6)],
        };
        scene.nodes.push(Node { mesh: Some(1), ..node(transform) });
        if i % 7 == 0 {
            scene.nodes.push(Node { mesh: Some(1), ..node(transform) });
        }
    }
    // The model wants unit quaternions.
    for node in &mut scene.nodes {
        if let Transform::Trs { rotation, .. } = &mut node.transform {
            let length = rotation.iter().map(|v| v * v).sum::<f32>().sqrt();
            *rotation = rotation.map(|v| v / length);
        }
    }
    scene
}

fn closest(tracer: &Tracer<'_>, casts: &[Cast]) -> Vec<Hit> {
    let mut hits = vec![Hit::miss(0.0); casts.len()];
    tracer.closest(casts, &mut hits);
    hits
}

fn any(tracer: &Tracer<'_>, casts: &[Cast]) -> Vec<Hit> {
    let mut hits = vec![Hit::miss(0.0); casts.len()];
    tracer.any(casts, &mut hits);
    hits
}

#[test]
fn simd_and_portable_rays_are_equal() {
    let settings = looking([0.0, 5.0, 12.0], [0.0; 3], 8, 16);
    let unit = |i: u32| hash(i) as f32 / u32::MAX as f32;
    for (made, reach, least) in [(crowd(), 1.0, 6_000), (scene::golden(), 0.2, 4_000)] {
        let scene = prepared(&made, &settings);
        let portable = Tracer::new(&scene, Path::Portable);
        let best = Tracer::new(&scene, Path::best());
        let cast = |i: u32| {
            let at = |k: u32| unit(i.wrapping_mul(16) + k);
            let origin = renderer::math::vec3(
                (at(0) * 20.0 - 10.0) * reach,
                at(1) * 6.0 * reach,
                (at(2) * 20.0 - 10.0) * reach,
            );
            let mut direction = renderer::math::vec3(at(3) - 0.5, at(4) - 0.6, at(5) - 0.5);
            // Some rays run along axes or aim at a corner.
            match i % 8 {
                0 => direction = renderer::math::vec3(0.0, -1.0, 0.0),
                1 => direction = renderer::math::vec3(-0.0, 0.0, 1.0),
                2 => direction = renderer::math::vec3(9.0, 0.0, 9.0) - origin,
                _ => {}
            }
            let ray = Ray { origin, direction };
            Cast {
                ray,
                query: Query { t_max: 1e30, key: hash(i), camera: i.is_multiple_of(3), time: 0.0 },
            }
        };
        let far: Vec<Cast> = (0..20_000).map(cast).collect();
        let (a, b) = (closest(&portable, &far), closest(&best, &far));
        for ((a, b), cast) in a.iter().zip(&b).zip(&far) {
            assert_eq!(
                (a.t.to_bits(), a.u.to_bits(), a.v.to_bits(), a.instance, a.triangle),
                (b.t.to_bits(), b.u.to_bits(), b.v.to_bits(), b.instance, b.triangle),
                "{cast:?}"
            );
        }
        let hits = a.iter().filter(|hit| hit.is_hit()).count();
        assert!(hits > least, "many rays should meet something: {hits}");
        let mut near = far;
        near.iter_mut().for_each(|cast| cast.query.t_max = 3.0);
        let met = |hits: &[Hit]| hits.iter().map(Hit::is_hit).collect::<Vec<_>>();
        let wanted = met(&closest(&portable, &near));
        assert_eq!(met(&any(&portable, &near)), wanted);
        assert_eq!(met(&any(&best, &near)), wanted);
        // However few rays are traced together.
        let one_by_one = near.chunks(1).flat_map(|few| closest(&best, few)).collect::<Vec<_>>();
        assert_eq!(met(&one_by_one), wanted);
    }
}

#[test]
fn no_ray_slips_between_triangles() {
    let mut inside = sphere(40, 0);
    inside.normals.clear();
    let scene = scene_of(vec![inside], vec![material([0.5; 3], 0.0, 1.0)]);
    let scene = prepared(&scene, &looking([0.0; 3], [0.0, 0.0, 1.0], 8, 16));
    let tracer = Tracer::new(&scene, Path::best());
    for triangle in scene.triangles() {
        // Through corners, and through points of edges.
        for (from, to, share) in [(0, 1, 0.0), (0, 1, 0.5), (1, 2, 0.3), (2, 0, 0.7)] {
            let corners = [triangle.a, triangle.b, triangle.c];
            let point: Vec<f32> =
                (0..3).map(|k| corners[from][k] * (1.0 - share) + corners[to][k] * share).collect();
            let direction = renderer::math::vec3(point[0], point[1], point[2]);
            for origin in [renderer::math::Vec3::ZERO, direction * -3.0] {
                let ray = Ray { origin, direction };
                let query = Query { t_max: 1e30, key: 0, camera: false, time: 0.0 };
                assert!(closest(&tracer, &[Cast { ray, query }])[0].is_hit(), "{ray:?}");
            }
        }
    }
}

#[test]
fn preparing_is_the_same_in_any_pool() {
    let (scene, settings) = (crowd(), golden_settings(16));
    let wanted = prepared(&scene, &settings).digest();
    for count in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().expect("a pool");
        assert_eq!(pool.install(|| prepared(&scene, &settings).digest()), wanted);
    }
    let other = prepare(&scene, &settings, 0.5).expect("prepares").digest();
    assert_ne!(other, wanted, "another time is another frame");
}

#[test]
fn an_empty_scene_shows_its_sky() {
    let mut settings = golden_settings(16);
    settings.lighting.sky = Some([1.0; 3]);
    let scene = prepared(&Scene::default(), &settings);
    let mut backend = CpuBackend::new(threads(1));
    let rect = Rect { x0: 0, y0: 0, x1: 2, y1: 1 };
    let work = Work { rect, batch: batch(0, 1) };
    let film = backend.render(&scene, work, &Cancel::default()).expect("renders");
    for pixel in film.pixels() {
        let bits = pixel.beauty.map(f32::to_bits);
        assert_eq!(bits, [16.0_f32.to_bits(); 3], "the sky is white");
        assert_eq!((pixel.alpha.to_bits(), pixel.closest_rays, pixel.samples), (0, 16, 16));
    }
}

#[test]
fn a_scene_without_any_light_gets_the_studios_and_only_such_a_scene() {
    let bare = prepared(&Scene::default(), &golden_settings(16));
    assert_eq!(bare.header().environment_kind, renderer::tables::ENVIRONMENT_MAP);
    assert_eq!((bare.header().emitter_count, bare.header().environment_emitter), (1, 0));
    let mut dark = golden_settings(16);
    dark.lighting.sky = Some([0.0; 3]);
    let dark = prepared(&Scene::default(), &dark);
    assert_eq!(dark.header().emitter_count, 0, "who asks for black gets black");
}

#[test]
fn work_outside_is_refused_and_stops_are_heard() {
    let scene = prepared(&scene::golden(), &golden_settings(32));
    let mut backend = CpuBackend::new(threads(1));
    let inside = Rect { x0: 0, y0: 0, x1: 4, y1: 4 };
    let outside = Rect { x0: 38, y0: 0, x1: 41, y1: 4 };
    for (rect, batch) in [(outside, batch(0, 1)), (inside, batch(2, 1))] {
        let work = Work { rect, batch };
        let refused = backend.render(&scene, work, &Cancel::default());
        assert_eq!(refused, Err(RenderError::OutOfRange(work)));
    }
    assert!(backend.render_pixels(&scene, &[(40, 0)], batch(0, 1), &Cancel::default()).is_err());
    let cancel = Cancel::default();
    cancel.set();
    let work = Work { rect: inside, batch: batch(0, 1) };
    assert_eq!(backend.render(&scene, work, &cancel), Err(RenderError::Cancelled));
}

#[test]
fn a_missing_camera_names_those_there_are() {
    let settings =
        RenderSettings { camera: CameraChoice::Named("nope".to_owned()), ..golden_settings(16) };
    let error = prepare(&scene::golden(), &settings, 0.0).expect_err("there is none");
    assert!(matches!(error, PrepareError::NoCamera { .. }));
    assert!(error.to_string().contains("golden"), "{error}");
    assert!(prepare(&scene::golden(), &golden_settings(16), f32::NAN).is_err());
}

#[test]
fn the_probe_expects_what_the_frame_costs() {
    let settings = golden_settings(16);
    let scene = prepared(&scene::golden(), &settings);
    let mut backend = CpuBackend::new(None);
    let cancel = Cancel::default();
    let probe = probe(&mut backend, &scene, 0, &cancel).expect("renders");
    assert_eq!(probe, renderer::probe(&mut backend, &scene, 0, &cancel).expect("renders"));
    let rect = Rect::of_size(settings.size);
    let film = backend.render(&scene, Work { rect, batch: batch(0, 1) }, &cancel).expect("renders");
    let samples = settings.size.pixel_count() as f64 * 16.0;
    assert!(film.rays().closest as f64 / samples <= probe.closest_bound);
    assert!(film.rays().shadow as f64 / samples <= probe.shadow_bound);
    assert!(probe.closest_mean > 1.0 && probe.closest_bound < probe.closest_mean * 1.2);
}

/// Which pixels are probed hangs on the draw, where there are more than are looked at.
#[test]
fn another_draw_probes_other_pixels() {
    let settings = RenderSettings { size: Size::new(256, 192), ..golden_settings(16) };
    let scene = prepared(&scene::golden(), &settings);
    let mut backend = CpuBackend::new(None);
    let mut rays = |draw| {
        let probe = probe(&mut backend, &scene, draw, &Cancel::default()).expect("renders");
        assert!(u64::from(probe.pixels) < settings.size.pixel_count());
        probe.rays
    };
    assert_eq!(rays(0), rays(0));
    assert_ne!(rays(0), rays(1));
}

/// A crop is priced by its own pixels: here by those of the sky, which cost one ray a sample.
#[test]
fn the_probe_looks_at_the_crop_alone() {
    let crop = Some(Crop { x: 2, y: 1, size: Size::new(9, 4) });
    let settings = RenderSettings { crop, overscan: 3, ..golden_settings(16) };
    let scene = prepared(&scene::golden(), &settings);
    let mut backend = CpuBackend::new(None);
    let cancel = Cancel::default();
    let probe = probe(&mut backend, &scene, 0, &cancel).expect("renders");
    assert_eq!((probe.pixels, probe.samples), (36, 36 * 16));
    let work = Work { rect: settings.window(), batch: batch(0, 1) };
    assert_eq!(probe.rays, backend.render(&scene, work, &cancel).expect("renders").rays());
}
