//! A scene from a file to an order, as far as the window has a hand in it.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::Ask;
use desktop_client::state::draft::Preset;
use desktop_client::state::stage::{Sighting, Standpoint, Surroundings, Trouble};
use desktop_client::state::{Door, Event, Pane, checkout, stage};
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use protocol::{CameraChoice, Size, Tokens};

use crate::fixtures::{asked, connected, imported, job_id, jobs, priced, staged, window};
use crate::hand::{does, happens, press, sees};

const PATH: &str = "/home/mina/shots/lighthouse_v12.glb";

/// The last look that was asked for.
fn looked(asks: &[Ask]) -> Option<&Sighting> {
    asks.iter().rev().find_map(|ask| match ask {
        Ask::Look(sighting) => Some(&**sighting),
        _other => None,
    })
}

#[test]
fn a_dropped_file_is_opened_and_shown_with_what_was_left_out() {
    let (mut harness, mut ends) = window(connected(Vec::new()));
    asked(&mut ends);
    let file = |path: &str| egui::DroppedFile { path: Some(path.into()), ..Default::default() };
    harness.input_mut().dropped_files = vec![file("/home/mina/notes.txt"), file(PATH)];
    harness.run_steps(2);
    let opened = asked(&mut ends);
    assert!(matches!(&opened[..], [Ask::Import(path)] if path.ends_with("lighthouse_v12.glb")));
    assert!(sees(&harness, "Reading lighthouse_v12.glb"));

    let news = stage::Event::Imported(Box::new(imported(PATH)));
    happens(&mut harness, Event::Stage(news));
    for words in ["lighthouse_v12", "2 things left out", "1.2 M triangles", "812 MB"] {
        assert!(sees(&harness, words), "{words}");
    }
    let asks = asked(&mut ends);
    let sighting = looked(&asks).expect("a preview is asked for");
    assert_eq!(sighting.settings.camera, CameraChoice::Named("shot_cam".to_owned()));
    let recent = harness.state().state().settings.recent.clone();
    assert_eq!(recent, [std::path::PathBuf::from(PATH)]);
    harness.get_by_label_contains("things left out").click();
    harness.run_steps(3);
    assert!(sees(&harness, "A texture is missing and shown in magenta"));
}

#[test]
fn a_file_that_is_no_scene_is_said_so_and_the_last_scene_stays() {
    let (mut harness, _ends) = window(staged(connected(Vec::new())));
    does(&mut harness, Command::OpenScene("/tmp/old.gltf".into()));
    let why = "This is glTF 1.0. Export the scene again as glTF 2.0".to_owned();
    let trouble = Trouble { path: "/tmp/old.gltf".into(), why };
    happens(&mut harness, Event::Stage(stage::Event::NotImported(trouble)));
    assert!(sees(&harness, "old.gltf cannot be opened"));
    assert!(sees(&harness, "Export the scene again"));
    assert!(sees(&harness, "lighthouse_v12"), "what was there is still there");
}

#[test]
fn a_file_that_nobody_waits_for_any_more_is_not_shown() {
    let (mut harness, _ends) = window(Vec::new());
    does(&mut harness, Command::OpenScene("/tmp/a.glb".into()));
    does(&mut harness, Command::OpenScene("/tmp/b.glb".into()));
    let late = stage::Event::Imported(Box::new(imported("/tmp/a.glb")));
    happens(&mut harness, Event::Stage(late));
    assert!(harness.state().state().stage.scene.is_none());
}

#[test]
fn one_walks_around_by_keys_and_every_step_is_looked_at() {
    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    asked(&mut ends);
    harness.get_by_label("Preview of lighthouse_v12").click();
    harness.run_steps(2);
    harness.key_press(Key::ArrowRight);
    harness.run_steps(3);
    let asks = asked(&mut ends);
    let sighting = looked(&asks).expect("another look");
    assert!(matches!(sighting.settings.camera, CameraChoice::LookAt { .. }));
    let state = harness.state().state();
    let scene = state.stage.scene.as_ref().expect("a scene");
    let Standpoint::Free(orbit) = scene.standpoint else { panic!("still the scene's camera") };
    assert_eq!(scene.preview.serial, sighting.serial);
    harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    harness.run_steps(3);
    let state = harness.state().state();
    let moved = state.stage.scene.as_ref().expect("a scene").orbit().expect("somewhere");
    let went: f32 = moved.target.iter().zip(orbit.target).map(|(a, b)| (a - b).abs()).sum();
    assert!(went > 1e-3 && (moved.yaw - orbit.yaw).abs() < 1e-6, "it panned");
}

#[test]
fn an_old_look_never_replaces_a_newer_one() {
    let (mut harness, _ends) = window(staged(connected(Vec::new())));
    let serial = |harness: &Harness<'_, App>| {
        harness.state().state().stage.scene.as_ref().map_or(0, |scene| scene.preview.serial)
    };
    let before = serial(&harness);
    let mut light = harness.state().state().stage.scene.as_ref().expect("a scene").light;
    light.has_sun = true;
    does(&mut harness, Command::Shine(light));
    assert!(serial(&harness) > before, "light is looked at again");
    let size = Size::new(64, 36);
    let texels = vec![[0; 4]; 64 * 36];
    let seen = |serial, samples| {
        Event::Stage(stage::Event::Seen { serial, size, texels: texels.clone(), samples })
    };
    let now = serial(&harness);
    happens(&mut harness, seen(now, 16));
    happens(&mut harness, seen(now + 1, 64));
    let samples = harness.state().state().stage.scene.as_ref().map(|it| it.preview.samples);
    assert_eq!(samples, Some(16), "what nobody asked for is not shown");
    happens(&mut harness, Event::Stage(stage::Event::NotSeen { serial: now, why: "Lost".into() }));
    assert!(sees(&harness, "There is no preview"));
    press(&mut harness, "Try again");
    assert!(!sees(&harness, "There is no preview"));
    assert!(serial(&harness) > now);
}

#[test]
fn exposure_and_view_change_what_one_sees_and_ask_for_nothing() {
    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    asked(&mut ends);
    let mut look = harness.state().state().look.clone();
    look.exposure_ev = 2.0;
    look.view = film::View::Neutral;
    does(&mut harness, Command::SetLook(look));
    assert!(asked(&mut ends).is_empty());
    assert_eq!(harness.state().state().look.view, film::View::Neutral);
    harness.key_press(Key::Num0);
    harness.run_steps(3);
    assert!(harness.state().state().look.exposure_ev.abs() < 1e-6);
}

#[test]
fn a_price_is_asked_for_follows_the_settings_and_is_what_is_ordered() {
    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    asked(&mut ends);
    assert!(sees(&harness, "The farm needs the scene to say what it costs"));
    press(&mut harness, "Get a firm price");
    let asks = asked(&mut ends);
    assert!(matches!(&asks[..], [Ask::Price(_)]), "{asks:?}");
    let price = priced(harness.state().state(), Tokens::from_micro(3_600_000));
    happens(&mut harness, price.clone());
    assert!(sees(&harness, "3.60 TES"));
    assert!(sees(&harness, "31 of 42 nodes can hold it"));

    // Other settings: the price is asked for anew, and the old one orders nothing.
    let mut draft = harness.state().state().draft.clone();
    draft.set(Preset::Final);
    does(&mut harness, Command::SetDraft(Box::new(draft)));
    let asks = asked(&mut ends);
    assert!(asks.iter().any(|ask| matches!(ask, Ask::Price(_))), "{asks:?}");
    assert!(sees(&harness, "The farm is looking at it"));
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run_steps(3);
    assert!(!asked(&mut ends).iter().any(|ask| matches!(ask, Ask::Order { .. })));
    happens(&mut harness, price);
    assert!(!harness.state().state().price_holds(), "an answer to an older question is none");

    let price = priced(harness.state().state(), Tokens::from_micro(9_000_000));
    happens(&mut harness, price);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run_steps(3);
    let asks = asked(&mut ends);
    let [Ask::Order { firm, .. }] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!(firm.quote.price, Tokens::from_micro(9_000_000));
    assert_eq!(firm.spec.settings.samples, 1024);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run_steps(3);
    assert!(asked(&mut ends).is_empty(), "an order is sent once");

    let ordered = checkout::Event::Ordered(Ok(job_id(1)));
    happens(&mut harness, Event::Checkout(ordered));
    let state = harness.state().state();
    assert_eq!(
        (state.door, state.pane, state.selected),
        (Door::Render, Pane::Job, Some(job_id(1)))
    );
    let rows = desktop_client::state::book::Event::Jobs(Ok(jobs()));
    happens(&mut harness, Event::Book(rows));
    let asks = asked(&mut ends);
    assert!(asks.iter().any(|ask| matches!(ask, Ask::Watch { .. })), "{asks:?}");
    assert!(sees(&harness, "Scene") && sees(&harness, "Job"), "both are a press away");
}

#[test]
fn an_order_that_is_not_taken_says_why_and_can_be_sent_again() {
    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    press(&mut harness, "Get a firm price");
    let price = priced(harness.state().state(), Tokens::from_micro(3_600_000));
    happens(&mut harness, price);
    asked(&mut ends);
    press(&mut harness, "Submit render");
    assert_eq!(asked(&mut ends).len(), 1);
    let why = "3.60 TES are needed, and the wallet holds 2.40".to_owned();
    happens(&mut harness, Event::Checkout(checkout::Event::Ordered(Err(why))));
    assert!(sees(&harness, "the wallet holds 2.40"));
    press(&mut harness, "Submit render");
    assert_eq!(asked(&mut ends).len(), 1);
}

#[test]
fn nothing_of_a_scene_leaves_the_machine_unasked() {
    let (mut harness, mut ends) = window(connected(Vec::new()));
    does(&mut harness, Command::OpenScene(PATH.into()));
    let news = stage::Event::Imported(Box::new(imported(PATH)));
    happens(&mut harness, Event::Stage(news));
    let mut draft = harness.state().state().draft.clone();
    draft.set(Preset::Draft);
    does(&mut harness, Command::SetDraft(Box::new(draft)));
    let asks = asked(&mut ends);
    assert!(!asks.iter().any(|ask| matches!(ask, Ask::Price(_))), "{asks:?}");
    // Whoever wants it says so once.
    does(&mut harness, Command::SendAhead(true));
    does(&mut harness, Command::OpenScene(PATH.into()));
    let news = stage::Event::Imported(Box::new(imported(PATH)));
    happens(&mut harness, Event::Stage(news));
    assert!(asked(&mut ends).iter().any(|ask| matches!(ask, Ask::Price(_))));
}

#[test]
fn an_animation_is_rendered_where_it_is_wanted() {
    let (mut harness, _ends) = window(staged(connected(Vec::new())));
    let state = harness.state().state();
    assert_eq!(state.draft.frames, (0, 96), "four seconds at 24 frames");
    let scene = state.stage.scene.as_ref().expect("a scene");
    assert_eq!(state.draft.range(scene.frame).count(), 1);
    harness.get_by_role_and_label(Role::CheckBox, "Render the animation").scroll_to_me();
    harness.run_steps(8);
    harness.get_by_role_and_label(Role::CheckBox, "Render the animation").click();
    harness.run_steps(3);
    let state = harness.state().state();
    assert_eq!(state.draft.range(0).count(), 97);
}

#[test]
fn an_image_of_light_is_dropped_on_the_scene_and_makes_it_another() {
    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    asked(&mut ends);
    let path = std::path::PathBuf::from("/home/mina/light/studio.HDR");
    harness.input_mut().dropped_files =
        vec![egui::DroppedFile { path: Some(path.clone()), ..Default::default() }];
    harness.run_steps(2);
    let asks = asked(&mut ends);
    let [Ask::Surround(Some(surroundings))] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!(surroundings, &Surroundings::of(path));
    let mut lit = scene::golden();
    lit.set_sun_sky(None).expect("nothing around it");
    let package = std::sync::Arc::new(scene::pack(&lit));
    let news = |surroundings: &Surroundings, package| {
        let surroundings = Some(surroundings.clone());
        Event::Stage(stage::Event::Surrounded { surroundings, package })
    };
    let other = Surroundings::of("/tmp/other.hdr".into());
    happens(&mut harness, news(&other, Ok(package.clone())));
    assert!(asked(&mut ends).is_empty(), "what nobody waits for changes nothing");
    let surroundings = surroundings.clone();
    happens(&mut harness, news(&surroundings, Ok(package.clone())));
    let asks = asked(&mut ends);
    assert!(looked(&asks).is_some(), "{asks:?}");
    let scene =
        |harness: &Harness<'_, App>| harness.state().state().stage.scene.clone().expect("a scene");
    assert_eq!(scene(&harness).imported.package.id(), package.id());
    // An image that cannot be read leaves the last one.
    does(&mut harness, Command::Surround(Some(other.clone())));
    happens(&mut harness, news(&other, Err("This is no .hdr image".to_owned())));
    assert!(sees(&harness, "This is no .hdr image"));
    assert_eq!(scene(&harness).surroundings, Some(surroundings));
}

#[test]
fn a_scene_that_is_read_again_keeps_the_walk_and_the_light() {
    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    let scene =
        |harness: &Harness<'_, App>| harness.state().state().stage.scene.clone().expect("a scene");
    let orbit = scene(&harness).orbit().expect("somewhere").turned(0.5, 0.1);
    does(&mut harness, Command::Stand(Standpoint::Free(orbit)));
    let mut light = scene(&harness).light;
    light.has_sun = true;
    does(&mut harness, Command::Shine(light));
    let mut draft = harness.state().state().draft.clone();
    draft.samples = 77;
    does(&mut harness, Command::SetDraft(Box::new(draft)));
    let serial = scene(&harness).preview.serial;
    harness.key_press_modifiers(Modifiers::COMMAND, Key::R);
    harness.run_steps(3);
    assert!(asked(&mut ends).iter().any(|ask| matches!(ask, Ask::Import(_))));
    let news = stage::Event::Imported(Box::new(imported(PATH)));
    happens(&mut harness, Event::Stage(news));
    let read = scene(&harness);
    assert_eq!(read.standpoint, Standpoint::Free(orbit));
    assert!(read.light.has_sun);
    assert_eq!(harness.state().state().draft.samples, 77);
    // A look at what was there before is none at this.
    let size = Size::new(64, 36);
    let texels = vec![[0; 4]; 64 * 36];
    happens(&mut harness, Event::Stage(stage::Event::Seen { serial, size, texels, samples: 9 }));
    assert_eq!(scene(&harness).preview.picture.changes(), 0);
}

#[test]
fn a_free_order_is_for_what_it_was_when_it_was_pressed() {
    let mut farm = crate::fixtures::farm();
    farm.price_per_gray = Tokens::ZERO;
    let mut steps = staged(connected(Vec::new()));
    let farm = desktop_client::state::book::Event::Farm(Ok(farm));
    steps.push(Event::Book(farm).into());
    let (mut harness, mut ends) = window(steps);
    let free = |harness: &Harness<'_, App>| priced(harness.state().state(), Tokens::ZERO);
    press(&mut harness, "Submit render");
    let orbit = harness.state().state().stage.scene.as_ref().and_then(|it| it.orbit());
    let turned = orbit.expect("somewhere").turned(1.0, 0.0);
    does(&mut harness, Command::Stand(Standpoint::Free(turned)));
    asked(&mut ends);
    let other = free(&harness);
    happens(&mut harness, other);
    let orders =
        |asks: Vec<Ask>| asks.iter().filter(|ask| matches!(ask, Ask::Order { .. })).count();
    assert_eq!(orders(asked(&mut ends)), 0, "another view was not ordered");
    press(&mut harness, "Submit render");
    assert_eq!(orders(asked(&mut ends)), 1);
}

#[test]
fn nothing_is_previewed_that_nobody_sees() {
    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    asked(&mut ends);
    press(&mut harness, "Wallet");
    assert!(asked(&mut ends).iter().any(|ask| matches!(ask, Ask::LookAway)));
    press(&mut harness, "Render");
    assert!(looked(&asked(&mut ends)).is_some());
}

#[test]
fn a_path_is_typed_and_entered() {
    let (mut harness, mut ends) = window(connected(Vec::new()));
    asked(&mut ends);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::O);
    harness.run_steps(4);
    let field = "File, .glb or .gltf";
    harness.get_by_role_and_label(Role::TextInput, field).type_text("/tmp/a.glb");
    harness.run_steps(3);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    let asks = asked(&mut ends);
    let is_opened = |ask: &Ask| matches!(ask, Ask::Import(path) if path.ends_with("a.glb"));
    assert!(asks.len() == 1 && is_opened(&asks[0]), "{asks:?}");

    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    asked(&mut ends);
    press(&mut harness, "Light from an image…");
    let field = "Equirectangular image, .hdr";
    harness.get_by_role_and_label(Role::TextInput, field).type_text("/tmp/a.hdr");
    harness.run_steps(3);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    let asks = asked(&mut ends);
    let light = Surroundings::of("/tmp/a.hdr".into());
    assert!(matches!(&asks[..], [Ask::Surround(Some(asked))] if *asked == light), "{asks:?}");
}
