//! Pictures that are kept beside each other.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::state::compare::{Showing, Slot, Wish};
use desktop_client::state::{Event, Pane, stage};
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use protocol::Size;

use crate::fixtures::{asked, connected, done, staged, window};
use crate::hand::{does, happens, keys, sees};

fn showing(harness: &Harness<'_, App>) -> Showing {
    harness.state().state().compare.showing
}

#[test]
fn a_key_keeps_what_one_sees_and_then_shows_it() {
    let (mut harness, mut ends) = window(staged(done()));
    asked(&mut ends);
    keys(&mut harness, Modifiers::NONE, Key::A);
    assert_eq!(showing(&harness), Showing::Live, "it was kept, and one sees on");
    assert!(sees(&harness, "Preview"));
    does(&mut harness, Command::Show(Pane::Job));
    keys(&mut harness, Modifiers::NONE, Key::W);
    assert_eq!(showing(&harness), Showing::Live, "there is nothing to wipe with");
    keys(&mut harness, Modifiers::NONE, Key::B);
    keys(&mut harness, Modifiers::NONE, Key::W);
    assert_eq!(showing(&harness), Showing::Wipe);
    harness.get_by_label("Wipe at 50 %: A, Preview, to the left; B, lighthouse_v12");
    keys(&mut harness, Modifiers::NONE, Key::D);
    harness.get_by_label("Difference of A, Preview, and B, lighthouse_v12");
    keys(&mut harness, Modifiers::NONE, Key::A);
    harness.get_by_label("Slot A: Preview");
    keys(&mut harness, Modifiers::NONE, Key::A);
    assert_eq!(showing(&harness), Showing::Live);
    harness.get_by_label("Render preview, 60 of 60 tiles accepted");
    assert!(asked(&mut ends).iter().all(|ask| !format!("{ask:?}").starts_with("Order")));
}

#[test]
fn what_is_kept_stays_as_it_was() {
    let (mut harness, _ends) = window(staged(connected(Vec::new())));
    keys(&mut harness, Modifiers::SHIFT, Key::A);
    let light = |harness: &Harness<'_, App>| {
        let kept = harness.state().state().compare.kept(Slot::A).expect("kept").clone();
        (kept.picture.id, kept.picture.light(5, 5))
    };
    let before = light(&harness);
    let serial = harness.state().state().stage.scene.as_ref().expect("a scene").preview.serial;
    let size = Size::new(640, 360);
    let texels = vec![[0, 0, 0, 0x3c00]; 640 * 360];
    happens(&mut harness, Event::Stage(stage::Event::Seen { serial, size, texels, samples: 64 }));
    assert_eq!(light(&harness), before);
    let live = &harness.state().state().stage.scene.as_ref().expect("a scene").preview.picture;
    assert_eq!(live.light(5, 5), Some([0.0; 3]), "the preview went on");
    assert_ne!(live.id, before.0, "its textures are its own");
    // Shift keeps anew.
    keys(&mut harness, Modifiers::SHIFT, Key::A);
    assert_eq!(light(&harness).1, Some([0.0; 3]));
    does(&mut harness, Command::Compare(Wish::Forget));
    assert!(harness.state().state().compare.kept(Slot::A).is_none());
}

#[test]
fn the_line_of_a_wipe_is_dragged_and_typed() {
    let (mut harness, _ends) = window(done());
    keys(&mut harness, Modifiers::NONE, Key::A);
    keys(&mut harness, Modifiers::NONE, Key::B);
    keys(&mut harness, Modifiers::NONE, Key::W);
    let wipe = |harness: &Harness<'_, App>| harness.state().state().compare.wipe;
    let canvas = harness.get_by_label_contains("Wipe at 50 %").rect();
    let from = canvas.center();
    harness.drag_at(from);
    harness.run_steps(2);
    harness.hover_at(from + egui::vec2(60.0, 0.0));
    harness.run_steps(2);
    harness.drop_at(from + egui::vec2(60.0, 0.0));
    harness.run_steps(2);
    let dragged = wipe(&harness);
    assert!(dragged > 0.55 && dragged < 0.8, "{dragged}");
    // Elsewhere a drag moves the pictures, not the line.
    let beside = canvas.left_center() + egui::vec2(120.0, 0.0);
    harness.drag_at(beside);
    harness.run_steps(2);
    harness.hover_at(beside + egui::vec2(30.0, 0.0));
    harness.run_steps(2);
    harness.drop_at(beside + egui::vec2(30.0, 0.0));
    harness.run_steps(2);
    assert!((wipe(&harness) - dragged).abs() < 1e-6);
    assert_ne!(harness.state().state().port, desktop_client::state::port::Port::Fit);
    does(&mut harness, Command::Compare(Wish::Wipe(7.0)));
    assert!((wipe(&harness) - 1.0).abs() < 1e-6, "no further than the edge");
}
