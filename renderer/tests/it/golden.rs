//! Hashes that must not change unless the engine does.

use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::{Backend, Cancel, CpuBackend, ENGINE, Effort, Work, prepare_with};

/// The engine these hashes belong to.
const OF_ENGINE: u32 = 4;
/// [`renderer::RenderScene::digest`] of the golden scene.
const SCENE: &str = "b3_2e05076a7650e448f9d6d34d62508ef4c0359a644012cd7d94e922a2b16e28f0";
/// [`film::Film::root`] of its 16 samples.
const FILM: &str = "b3_67ffa3f9688d3db87cbdeda7cd68dadc429048910ec9b04f64769c4092128a31";

/// The golden scene's digest, and the hash of its film.
fn golden(effort: Effort) -> (String, String) {
    let settings =
        RenderSettings { size: Size::new(48, 32), samples: 16, ..RenderSettings::default() };
    let scene = prepare_with(&scene::golden(), &settings, 0.0, effort).expect("prepares");
    let work =
        Work { rect: Rect::of_size(settings.size), batch: Batch::new(0, 1).expect("aligned") };
    let film = CpuBackend::new(None).render(&scene, work, &Cancel::default()).expect("renders");
    (scene.digest().to_string(), film.root().to_string())
}

#[test]
fn the_engine_renders_what_it_always_did() {
    let (scene, film) = golden(Effort::Full);
    assert_eq!(
        (ENGINE.0, scene, film),
        (OF_ENGINE, SCENE.to_owned(), FILM.to_owned()),
        "the renderer gives other bits than before. If that is meant, raise `renderer::ENGINE` and \
         put the new hashes here; if not, find out what changed them"
    );
}

/// A preview's trees are others, and its film is the engine's.
#[test]
fn trees_have_no_say_in_films() {
    let (scene, film) = golden(Effort::Preview);
    assert_ne!(scene, SCENE, "the trees should differ");
    assert_eq!(film, FILM);
}
