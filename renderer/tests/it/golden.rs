//! Hashes that must not change unless the engine does.

use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::{Backend, Cancel, CpuBackend, ENGINE, Effort, Work, prepare_with};

/// The engine these hashes belong to.
const OF_ENGINE: u32 = 5;
/// [`renderer::RenderScene::digest`] of the golden scene.
const SCENE: &str = "b3_478a626dfe05f75c199be35a1ace08ebda26f0b3e053a2de542fb63db54a12ed";
/// [`film::Film::root`] of its 16 samples.
const FILM: &str = "b3_4819e7923eafe1178192746670e69df6503f568eeebc5722f7d3c58e81d31429";

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
