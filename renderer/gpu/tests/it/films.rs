//! Whole films: equal to the CPU's, bit for bit.

use film::Film;
use protocol::settings::RenderSettings;
use protocol::{Batch, Crop, Lens, Opening, PixelFilter, Rect, Size};
use renderer::{Backend, Cancel, CpuBackend, Effort, RenderError, RenderScene, Work};

use crate::device::backend;
use crate::make::{furnace, golden, layered, many_lights, moving, settings, sun};

fn batch(first: u32, count: u32) -> Batch {
    Batch::new(first, count).expect("aligned")
}

fn whole(scene: &RenderScene) -> Work {
    let chunks = scene.settings().chunk_count().next_power_of_two();
    Work { rect: scene.settings().window(), batch: batch(0, chunks) }
}

/// Renders on both and compares every bit.
fn check(name: &str, scene: &RenderScene, work: Work) -> Option<Film> {
    let mut backend = backend()?;
    let cancel = Cancel::default();
    let got = backend.render(scene, work, &cancel).expect("the GPU renders");
    let wanted = CpuBackend::new(None).render(scene, work, &cancel).expect("the CPU renders");
    let differ =
        got.pixels().iter().zip(wanted.pixels()).filter(|(a, b)| a.bits() != b.bits()).count();
    assert_eq!(differ, 0, "{name}: {differ} of {} pixels differ", got.pixels().len());
    assert_eq!(got.root(), wanted.root());
    Some(got)
}

#[test]
fn the_golden_scene() {
    let scene = golden(&settings(48, 32, 8));
    let Some(film) = check("golden", &scene, whole(&scene)) else { return };
    let rays = film.rays();
    assert!(rays.closest > 48 * 32 * 8 && rays.shadow > 0, "{rays:?}");
}

#[test]
fn settings_that_change_the_way() {
    let lens = |blades| {
        let opening = Opening::FNumber(0.5);
        Some(Lens { opening, focus: 2.0, blades, rotation_degrees: 20.0 })
    };
    let base = settings(24, 16, 3);
    let cases = [
        ("no bounce", RenderSettings { bounces: 0, ..base.clone() }),
        ("many bounces", RenderSettings { bounces: 64, ..base.clone() }),
        ("another seed", RenderSettings { seed: 77, ..base.clone() }),
        ("sun and sky", RenderSettings { lighting: sun(), ..base.clone() }),
        (
            "a box filter, no roulette",
            RenderSettings { filter: PixelFilter::Box, roulette: false, ..base.clone() },
        ),
        ("a round lens", RenderSettings { lens: lens(0), ..base.clone() }),
        ("an iris", RenderSettings { lens: lens(5), ..base.clone() }),
        ("overscan", RenderSettings { overscan: 5, ..base.clone() }),
        ("a panorama", RenderSettings { panorama: true, overscan: 3, ..base }),
    ];
    for (name, settings) in cases {
        let scene = golden(&settings);
        check(name, &scene, whole(&scene));
    }
}

/// Views of one scene share its tables on the device, and each has its own film.
#[test]
fn views_of_a_scene() {
    let base = settings(24, 16, 2);
    let lens =
        Lens { opening: Opening::FNumber(0.5), focus: 2.0, blades: 0, rotation_degrees: 0.0 };
    let views = [
        RenderSettings { seed: 1, ..base.clone() },
        RenderSettings { lens: Some(lens), ..base.clone() },
        RenderSettings { lighting: sun(), ..base.clone() },
        RenderSettings { filter: PixelFilter::Box, ..base.clone() },
        base.clone(),
    ];
    let mut scene = golden(&base);
    let mut films = Vec::new();
    for view in views {
        scene = scene.seen_through(&scene::golden(), &view).expect("sound");
        let Some(film) = check("a view", &scene, whole(&scene)) else { return };
        films.push(film.root());
    }
    films.sort_unstable();
    films.dedup();
    assert_eq!(films.len(), 5, "each view has its own film");
}

/// What a crop leaves has the bits that it has in the whole frame.
#[test]
fn a_crop_of_the_frame() {
    let whole_frame = settings(24, 16, 3);
    let scene = golden(&whole_frame);
    let Some(film) = check("the frame", &scene, whole(&scene)) else { return };
    let crop = Some(Crop { x: 13, y: 2, size: Size::new(9, 11) });
    for overscan in [0, 4] {
        let scene = golden(&RenderSettings { crop, overscan, ..whole_frame.clone() });
        let part = check("a crop", &scene, whole(&scene)).expect("there is a device");
        for ((x, y), pixel) in part.rect().pixels().zip(part.pixels()) {
            let wanted = film.pixel(x - overscan, y - overscan).expect("of the frame");
            assert_eq!(pixel.bits(), wanted.bits(), "{x} {y}");
        }
    }
}

/// A preview's trees give the film of the others, here as on the CPU.
#[test]
fn trees_of_a_preview() {
    let settings = settings(24, 16, 3);
    let preview = renderer::prepare_with(&scene::golden(), &settings, 0.0, Effort::Preview);
    let preview = preview.expect("the golden scene is sound");
    let scene = golden(&settings);
    let Some(film) = check("a preview", &preview, whole(&preview)) else { return };
    let wanted = check("the same", &scene, whole(&scene)).expect("there is a device");
    assert_eq!(film.root(), wanted.root());
}

/// Hundreds of lamps and emissive triangles: both descend the light tree to the same leaf.
#[test]
fn many_lights_in_a_tree() {
    let scene = many_lights(&settings(32, 24, 6));
    check("many lights", &scene, whole(&scene));
}

/// What moves while the shutter is open: a camera, instances, cards with alpha, bones, lamps.
#[test]
fn blurred_by_motion() {
    let scene = moving(&settings(32, 24, 8));
    check("in motion", &scene, whole(&scene));
}

/// The short way through matte surfaces gives the bits of the long one, which shaders take.
#[test]
fn clay() {
    let mut scene = scene::golden();
    scene.make_clay(0.8);
    let clay = renderer::prepare(&scene, &settings(24, 16, 5), 0.0).expect("clay is sound");
    check("clay", &clay, whole(&clay));
    // Sheen is drawn by the same cosine, and nothing else is: it must not count as matte.
    scene.materials[0].layers.sheen_color = [0.6, 0.5, 0.4];
    scene.materials[0].layers.sheen_roughness = 0.5;
    let velvet = renderer::prepare(&scene, &settings(24, 16, 5), 0.0).expect("velvet is sound");
    check("velvet", &velvet, whole(&velvet));
}

/// Light passes, of scenes that stand still and that move; all else has the bits of a film without.
#[test]
fn light_passes() {
    let with = |settings: RenderSettings| RenderSettings { passes: true, ..settings };
    let scenes = [
        ("golden", golden(&with(settings(48, 32, 40)))),
        ("sun and sky", golden(&with(RenderSettings { lighting: sun(), ..settings(24, 16, 5) }))),
        ("many lights", many_lights(&with(settings(24, 16, 4)))),
        ("in motion", moving(&with(settings(32, 24, 8)))),
        ("layers", layered(&with(settings(48, 32, 8)))),
    ];
    for (name, scene) in &scenes {
        let Some(film) = check(name, scene, whole(scene)) else { return };
        let lit = |passes: &film::Passes| passes.values().iter().any(|&light| light > 0.0);
        assert!(film.passes().is_some_and(|passes| passes.iter().any(lit)), "{name}");
    }
    let scene = golden(&settings(48, 32, 40));
    let plain = check("without passes", &scene, whole(&scene)).expect("there is a device");
    let film = check("golden", &scenes[0].1, whole(&scenes[0].1)).expect("there is a device");
    assert_eq!(plain.pixels(), film.pixels());
    let mut backend = backend().expect("there is a device");
    let places = [(3, 30), (47, 0), (20, 16)];
    let alone = backend.render_pixels(&scenes[0].1, &places, film.batch(), &Cancel::default());
    let indices = places.iter().filter_map(|&(x, y)| film.index(x, y));
    assert_eq!(film.sums().picked(indices), alone.ok());
}

/// Chunks, batches and tiles: any way of cutting gives the same bits.
#[test]
fn however_the_work_is_cut() {
    // 40 samples: two whole chunks and half a one.
    let scene = golden(&settings(20, 12, 40));
    let Some(film) = check("four chunks", &scene, whole(&scene)) else { return };
    let part = Work { rect: Rect { x0: 3, y0: 2, x1: 14, y1: 11 }, batch: batch(0, 2) };
    let low = check("a tile of two chunks", &scene, part).expect("there is a device");
    let part = Work { batch: batch(2, 2), ..part };
    let high = check("the rest", &scene, part).expect("there is a device");
    let merged = low.merge(&high).expect("siblings");
    let mut backend = backend().expect("there is a device");
    let picked: Vec<(u32, u32)> = merged.rect().pixels().step_by(7).collect();
    let pixels = backend
        .render_pixels(&scene, &picked, batch(0, 4), &Cancel::default())
        .expect("the GPU renders");
    for (&(x, y), pixel) in picked.iter().zip(pixels.pixels()) {
        let wanted = film.pixel(x, y).expect("inside").bits();
        assert_eq!(merged.pixel(x, y).expect("inside").bits(), wanted, "{x} {y}");
        assert_eq!(pixel.bits(), wanted, "{x} {y}");
    }
}

/// A white body under a white sky is not seen: no energy is lost or made.
#[test]
fn the_furnace_is_white() {
    for (metallic, roughness) in [(0.0, 1.0), (0.0, 0.3), (1.0, 0.2), (1.0, 0.9), (0.5, 0.5)] {
        let scene = furnace(metallic, roughness, settings(24, 16, 64));
        let Some(film) = check("furnace", &scene, whole(&scene)) else { return };
        let hit: Vec<_> = film.pixels().iter().filter(|pixel| pixel.alpha >= 64.0).collect();
        assert!(hit.len() > 24 * 16 / 4, "the cube fills much of the picture");
        let mean = hit.iter().map(|pixel| f64::from(pixel.beauty[0]) / 64.0).sum::<f64>()
            / hit.len() as f64;
        assert!((mean - 1.0).abs() < 0.02, "metallic {metallic}, roughness {roughness}: {mean}");
    }
}

#[test]
fn work_outside_the_frame_is_refused() {
    let Some(mut backend) = backend() else { return };
    let scene = golden(&settings(20, 12, 16));
    let cancel = Cancel::default();
    let inside = whole(&scene);
    for rect in [Rect { x1: 21, ..inside.rect }, Rect { x0: 5, x1: 5, ..inside.rect }] {
        let error = backend.render(&scene, Work { rect, ..inside }, &cancel).err();
        assert!(matches!(error, Some(RenderError::OutOfRange(_))), "{rect:?}: {error:?}");
    }
    let late = Work { batch: batch(1, 1), ..inside };
    assert!(matches!(backend.render(&scene, late, &cancel), Err(RenderError::OutOfRange(_))));
    let error = backend.render_pixels(&scene, &[(0, 12)], batch(0, 1), &cancel).err();
    assert!(matches!(error, Some(RenderError::OutOfRange(_))), "{error:?}");
    let none = backend.render_pixels(&scene, &[], batch(0, 1), &cancel);
    assert_eq!(none, Ok(film::Sums::default()));
}

#[test]
fn a_cancelled_render_stops() {
    let Some(mut backend) = backend() else { return };
    let scene = golden(&settings(64, 64, 4096));
    let cancel = Cancel::default();
    cancel.set();
    assert_eq!(backend.render(&scene, whole(&scene), &cancel), Err(RenderError::Cancelled));
    // The backend is as good as before.
    drop(backend);
    let scene = golden(&settings(16, 8, 2));
    check("after a stop", &scene, whole(&scene));
}

/// Real scenes of other people, where the checkout has them.
#[test]
fn shared_scenes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/scenes");
    let scenes = [
        "CornellBox/CornellBox.glb",
        "Suzanne/Suzanne.glb",
        "Lights/Lights.glb",
        "house/house.glb",
        "NormalTangentTest/NormalTangentTest.glb",
        "TextureSettingsTest/TextureSettingsTest.glb",
    ];
    for name in scenes {
        let path = std::path::Path::new(folder).join(name);
        if !path.exists() {
            println!("skipped: {name} is not beside this checkout");
            continue;
        }
        let imported =
            scene::import(&path, &scene::ImportOptions::default()).expect("it can be imported");
        let scene = renderer::prepare(&imported.scene, &settings(48, 32, 2), 0.0)
            .expect("it can be prepared");
        check(name, &scene, whole(&scene));
    }
}
