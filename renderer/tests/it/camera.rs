//! Lenses and panoramas.

use protocol::{Batch, CameraChoice, Lens, Opening, Rect, RenderSettings};
use renderer::camera::{camera_ray, depth_of, iris_place};
use renderer::math::{Vec3, dot, vec3};
use renderer::sampler::sample_pair;
use renderer::{Backend, Cancel, CpuBackend, RenderError, Work, first_hits};

use crate::make::{looking, prepared};

/// Looks along -z from (1, 2, 3).
fn ahead() -> RenderSettings {
    looking([1.0, 2.0, 3.0], [1.0, 2.0, -7.0], 64, 16)
}

fn lens(opening: Opening, blades: u32) -> Option<Lens> {
    Some(Lens { opening, focus: 4.0, blades, rotation_degrees: 10.0 })
}

#[test]
fn all_rays_of_a_place_meet_at_the_focus() {
    let sharp = prepared(&scene::golden(), &ahead());
    for blades in [0, 6] {
        let settings = RenderSettings { lens: lens(Opening::Radius(0.2), blades), ..ahead() };
        let scene = prepared(&scene::golden(), &settings);
        let axis = vec3(0.0, 0.0, -1.0);
        for sample in 0..256 {
            let (x, y) = (13.0, 50.0);
            let pinhole = camera_ray(&sharp, x, y, (0.0, 0.0), 0.0);
            let wanted = pinhole.origin + pinhole.direction * (4.0 / dot(pinhole.direction, axis));
            let ray = camera_ray(&scene, x, y, sample_pair(7, 0, sample, 0), 0.0);
            let got = ray.origin + ray.direction * (4.0 / dot(ray.direction, axis));
            let off = got - wanted;
            assert!(dot(off, off) < 1e-8, "{off:?}");
            assert!((depth_of(&scene, got, 0.0) - 4.0).abs() < 1e-4);
            let place = ray.origin - pinhole.origin;
            assert!(place.z.abs() < 1e-6 && dot(place, place) <= 0.2 * 0.2 * 1.0001, "{place:?}");
        }
    }
}

/// Second moments tell an even spread: R² / 4 on a disc, and on a regular polygon of n corners
/// R² / 12 · (2 + cos 2π/n).
#[test]
fn irises_are_even() {
    for (blades, wanted) in [(0, 0.25), (3, 1.5 / 12.0), (6, 2.5 / 12.0)] {
        let settings = RenderSettings { lens: lens(Opening::Radius(1.0), blades), ..ahead() };
        let scene = prepared(&scene::golden(), &settings);
        let (mut mean, mut square) = ([0.0_f64; 2], [0.0_f64; 2]);
        let count = 1 << 14;
        for sample in 0..count {
            let (u, v) = sample_pair(3, 0, sample, 1);
            let (x, y) = iris_place(scene.header(), u, v);
            for (at, value) in [f64::from(x), f64::from(y)].into_iter().enumerate() {
                mean[at] += value / f64::from(count);
                square[at] += value * value / f64::from(count);
            }
        }
        assert!(mean.iter().all(|value| value.abs() < 2e-3), "{blades}: {mean:?}");
        assert!(square.iter().all(|value| (value - wanted).abs() < 2e-3), "{blades}: {square:?}");
    }
}

/// On film 24 mm high, a field of 2 atan(12 / 50) is a 50 mm lens: f/2 opens it 25 mm wide.
#[test]
fn f_numbers_are_those_of_film() {
    let vfov_degrees = (2.0 * (12.0_f32 / 50.0).atan()).to_degrees();
    let camera = CameraChoice::LookAt { eye: [0.0; 3], target: [0.0, 0.0, -1.0], vfov_degrees };
    let settings = RenderSettings { camera, lens: lens(Opening::FNumber(2.0), 0), ..ahead() };
    let radius = prepared(&scene::golden(), &settings).header().lens_radius;
    assert!((radius - 0.0125).abs() < 1e-6, "{radius}");
}

#[test]
fn a_panorama_looks_all_around() {
    let settings = RenderSettings { panorama: true, ..ahead() };
    let scene = prepared(&scene::golden(), &settings);
    let size = settings.size;
    let (w, h) = (size.width as f32, size.height as f32);
    let looks = |x: f32, y: f32| camera_ray(&scene, x * w, y * h, (0.0, 0.0), 0.0).direction;
    let near = |got: Vec3, wanted: Vec3| {
        let off = got - wanted;
        assert!(dot(off, off) < 1e-8, "{got:?}, not {wanted:?}");
    };
    near(looks(0.5, 0.5), vec3(0.0, 0.0, -1.0));
    near(looks(0.75, 0.5), vec3(1.0, 0.0, 0.0));
    near(looks(0.0, 0.5), vec3(0.0, 0.0, 1.0));
    near(looks(0.3, 0.0), vec3(0.0, 1.0, 0.0));
    near(looks(0.3, 1.0), vec3(0.0, -1.0, 0.0));
    assert!((depth_of(&scene, vec3(1.0, 7.0, 3.0), 0.0) - 5.0).abs() < 1e-5, "a distance");
}

/// The rays of first hits are those of the film: as many meet something in every pixel.
#[test]
fn first_hits_are_the_films() {
    let made = scene::golden();
    let settings = RenderSettings { samples: 24, ..RenderSettings::default() };
    let settings = RenderSettings { size: protocol::Size::new(48, 32), ..settings };
    let scene = prepared(&made, &settings);
    let rect = Rect::of_size(settings.size);
    let work = Work { rect, batch: Batch::new(0, 2).expect("aligned") };
    let film = CpuBackend::new(None).render(&scene, work, &Cancel::default()).expect("renders");
    let cancel = Cancel::default();
    let first = first_hits(&scene, rect, |_, _| 24, &cancel).expect("nobody stops it");
    let mut seen = std::collections::BTreeSet::new();
    for (pixel, first) in film.pixels().iter().zip(&first) {
        assert_eq!(first.samples, pixel.samples);
        assert!((first.met as f32 - pixel.alpha).abs() < 0.5, "{first:?}");
        let rays = |list: &[(u32, u32)]| list.iter().map(|(_, rays)| rays).sum::<u32>();
        assert_eq!((rays(&first.nodes), rays(&first.materials)), (first.met, first.met));
        seen.extend(first.nodes.iter().map(|(node, _)| *node));
    }
    let shown = made.nodes.iter().filter(|node| node.mesh.is_some()).count();
    assert!(seen.len() > 2 && seen.len() <= shown, "{seen:?}");
    assert!(seen.iter().all(|&node| made.nodes[node as usize].mesh.is_some()), "{seen:?}");

    // A tile alone has the same, and whoever stops it gets nothing.
    let tile = Rect { x0: 16, y0: 8, x1: 40, y1: 20 };
    let part = first_hits(&scene, tile, |_, _| u32::MAX, &cancel).expect("nobody stops it");
    let inside = rect.pixels().zip(first).filter(|((x, y), _)| tile.contains(*x, *y));
    assert!(inside.map(|(_, first)| first).eq(part));
    let few = first_hits(&scene, tile, |x, _| x % 3, &cancel).expect("nobody stops it");
    assert!(tile.pixels().zip(few).all(|((x, _), first)| first.samples == x % 3));
    cancel.set();
    assert_eq!(first_hits(&scene, rect, |_, _| 24, &cancel), Err(RenderError::Cancelled));
}
