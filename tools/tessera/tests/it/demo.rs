//! The demo, on a frame small enough for a test.

use crate::run::Place;

#[test]
fn the_demo_renders_catches_the_cheat_and_settles() {
    let place = Place::new();
    let scene = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/spheres.glb");
    let said = place.run(&[
        "demo",
        "--scene",
        scene,
        "--size",
        "96x64",
        "--spp",
        "16",
        "--backend",
        "cpu",
        "--out",
        "pictures",
    ]);
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    for words in ["ada", "grace", "mallory", "barred", "sum 0, journal verified"] {
        assert!(said.out.contains(words), "{words:?} is missing:\n{}", said.out);
    }
    for words in ["quote", "bit for bit", "was caught"] {
        assert!(said.err.contains(words), "{words:?} is missing:\n{}", said.err);
    }
    let picture = film::read_exr(&place.path("pictures/spheres.exr")).expect("an EXR");
    assert!(picture.samples.iter().all(|&samples| samples == 16));
    assert!(place.path("pictures/spheres.png").is_file());
}
