//! Hashes that must not change unless the engine does.

use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::{Backend, Cancel, CpuBackend, ENGINE, Work, prepare};

/// The engine these hashes belong to.
const OF_ENGINE: u32 = 5;
/// [`renderer::RenderScene::digest`] of the golden scene.
const SCENE: &str = "b3_478a626dfe05f75c199be35a1ace08ebda26f0b3e053a2de542fb63db54a12ed";
/// [`film::Film::root`] of its 16 samples.
const FILM: &str = "b3_4819e7923eafe1178192746670e69df6503f568eeebc5722f7d3c58e81d31429";

#[test]
fn the_engine_renders_what_it_always_did() {
    let settings =
        RenderSettings { size: Size::new(48, 32), samples: 16, ..RenderSettings::default() };
    let scene = prepare(&scene::golden(), &settings, 0.0).expect("prepares");
    let work =
        Work { rect: Rect::of_size(settings.size), batch: Batch::new(0, 1).expect("aligned") };
    let film = CpuBackend::new(None).render(&scene, work, &Cancel::default()).expect("renders");
    let got = (ENGINE.0, scene.digest().to_string(), film.root().to_string());
    assert_eq!(
        got,
        (OF_ENGINE, SCENE.to_owned(), FILM.to_owned()),
        "the renderer gives other bits than before. If that is meant, raise `renderer::ENGINE` and \
         put the new hashes here; if not, find out what changed them"
    );
}
