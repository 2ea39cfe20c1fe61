//! Hashes that must not change unless the engine does.

use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::{Backend, Cancel, CpuBackend, ENGINE, Effort, Work, prepare_with};

/// The engine these hashes belong to.
const OF_ENGINE: u32 = 6;
/// [`renderer::RenderScene::digest`] of the golden scene.
const SCENE: &str = "b3_871a452996ece6cd50811b8083760b7b5e5d88b2af1e536eeeed90a6970d5eef";
/// [`film::Film::root`] of its 16 samples.
const FILM: &str = "b3_92f8ae27a8820eea9ffae0b42fea5f09953e827622b673b7250d8e89918f56cd";

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
