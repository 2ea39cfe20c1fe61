//! The part of the frame that is rendered, drawn and typed.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::Ask;
use desktop_client::state::crop::resized;
use egui::accesskit::Role;
use egui::{Key, Modifiers, Pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use protocol::{Crop, Size};

use crate::fixtures::{asked, connected, staged, window};
use crate::hand::{does, keys, press, sees};

fn crop(harness: &Harness<'_, App>) -> Option<Crop> {
    harness.state().state().draft.crop
}

fn drag(harness: &mut Harness<'_, App>, from: Pos2, to: Pos2) {
    harness.hover_at(from);
    harness.run_steps(1);
    harness.drag_at(from);
    harness.run_steps(2);
    harness.hover_at(from + (to - from) * 0.5);
    harness.run_steps(2);
    harness.hover_at(to);
    harness.run_steps(2);
    harness.drop_at(to);
    harness.run_steps(3);
}

#[test]
fn a_rectangle_over_the_preview_is_what_is_priced_and_ordered() {
    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    press(&mut harness, "Get a firm price");
    asked(&mut ends);
    keys(&mut harness, Modifiers::NONE, Key::C);
    assert!(sees(&harness, "Cancel crop"));
    let canvas = harness.get_by_label("Preview of lighthouse_v12").rect();
    let middle = canvas.center();
    drag(&mut harness, middle, middle + egui::vec2(60.0, 30.0));
    let drawn = crop(&harness).expect("drawn");
    let frame = harness.state().state().draft.size;
    // From the middle of the frame to the right and down, as far as was dragged.
    assert!((drawn.x - frame.width as i32 / 2).abs() <= 2, "{drawn:?} of {frame}");
    assert!((drawn.y - frame.height as i32 / 2).abs() <= 2, "{drawn:?} of {frame}");
    let shape = f64::from(drawn.size.width) / f64::from(drawn.size.height);
    assert!((shape - 2.0).abs() < 0.1, "{drawn:?}");
    assert!(!harness.state().state().stage.is_cropping, "one drag is one crop");
    let asks = asked(&mut ends);
    let priced = asks.iter().find_map(|ask| match ask {
        Ask::Price(ask) => Some(ask.spec.settings.crop),
        _other => None,
    });
    assert_eq!(priced, Some(Some(drawn)), "{asks:?}");
    assert!(!asks.iter().any(|ask| matches!(ask, Ask::Look(_))), "all of it is previewed");
    assert!(sees(&harness, &format!("Preview of lighthouse_v12, crop {drawn}")));
    does(&mut harness, Command::SetCrop(None));
    assert_eq!(crop(&harness), None);
}

#[test]
fn a_drag_turns_the_view_unless_a_crop_is_drawn() {
    let (mut harness, _ends) = window(staged(connected(Vec::new())));
    let orbit = |harness: &Harness<'_, App>| {
        harness.state().state().stage.scene.as_ref().expect("a scene").orbit()
    };
    let before = orbit(&harness);
    press(&mut harness, "Draw a crop");
    let middle = harness.get_by_label("Preview of lighthouse_v12").rect().center();
    drag(&mut harness, middle, middle + egui::vec2(40.0, 40.0));
    assert!(crop(&harness).is_some() && orbit(&harness) == before, "nobody has walked");
    let name = "Preview of lighthouse_v12, crop";
    let middle = harness.get_by_label_contains(name).rect().center();
    drag(&mut harness, middle, middle + egui::vec2(40.0, 0.0));
    assert_ne!(orbit(&harness), before);
    // Esc and a mere press leave it as it is.
    let drawn = crop(&harness);
    keys(&mut harness, Modifiers::NONE, Key::C);
    keys(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(!harness.state().state().stage.is_cropping && crop(&harness) == drawn);
    press(&mut harness, "Wallet");
    keys(&mut harness, Modifiers::NONE, Key::C);
    assert!(!harness.state().state().stage.is_cropping, "only where one sees it");
}

/// Chooses a size of the frame from the list.
fn choose(harness: &mut Harness<'_, App>, size: &str) {
    harness.get_by_role_and_label(Role::ComboBox, "Size").click();
    harness.run_steps(3);
    harness.get_by_label_contains(size).click();
    harness.run_steps(3);
}

fn frame(harness: &Harness<'_, App>) -> Size {
    harness.state().state().draft.size
}

#[test]
fn a_crop_stays_the_same_part_of_a_frame_that_is_chosen_typed_and_dragged() {
    let (mut harness, mut ends) = window(staged(connected(Vec::new())));
    let (full, drawn) = (frame(&harness), Crop { x: 481, y: 271, size: Size::new(963, 541) });
    assert_eq!(full, Size::new(1920, 1080));
    press(&mut harness, "Get a firm price");
    does(&mut harness, Command::SetCrop(Some(drawn)));
    harness.get_by_role_and_label(Role::ComboBox, "Size").scroll_to_me();
    harness.run_steps(8);
    choose(&mut harness, "4K UHD");
    assert_eq!(frame(&harness), Size::new(3840, 2160));
    let twice = Crop { x: 962, y: 542, size: Size::new(1926, 1082) };
    assert_eq!(crop(&harness), Some(twice));
    choose(&mut harness, "HD 720");
    assert_eq!(crop(&harness), Some(resized(drawn, full, Size::new(1280, 720))), "nothing is cut");
    choose(&mut harness, "Full HD");
    assert_eq!(crop(&harness), Some(drawn), "nor rounded twice");

    // A number counts once it is typed to its end.
    asked(&mut ends);
    harness.get_by_role_and_label(Role::SpinButton, "Width").focus();
    harness.run_steps(2);
    keys(&mut harness, Modifiers::COMMAND, Key::A);
    for digit in ["9", "6", "0"] {
        harness.event(egui::Event::Text(digit.to_owned()));
        harness.run_steps(2);
        assert_eq!((frame(&harness), crop(&harness)), (full, Some(drawn)), "typed {digit}");
    }
    keys(&mut harness, Modifiers::NONE, Key::Enter);
    let narrow = Size::new(960, 1080);
    let wanted = Some(resized(drawn, full, narrow));
    assert_eq!((frame(&harness), crop(&harness)), (narrow, wanted));
    let asks = asked(&mut ends);
    let priced = asks.iter().rev().find_map(|ask| match ask {
        Ask::Price(ask) => Some((ask.spec.settings.size, ask.spec.settings.crop)),
        _other => None,
    });
    assert_eq!(priced, Some((narrow, wanted)), "{asks:?}");

    // Dragged point by point, it shrinks with the frame.
    let at = harness.get_by_role_and_label(Role::SpinButton, "Width").rect().center();
    harness.hover_at(at);
    harness.run_steps(1);
    harness.drag_at(at);
    harness.run_steps(2);
    for step in 1..=80 {
        harness.hover_at(at - egui::vec2(step as f32, 0.0));
        harness.run_steps(1);
    }
    harness.drop_at(at - egui::vec2(80.0, 0.0));
    harness.run_steps(3);
    let dragged = frame(&harness);
    assert!(dragged.width < narrow.width - 10, "{dragged}");
    assert_eq!(crop(&harness), Some(resized(drawn, full, dragged)));
}

#[test]
fn a_crop_is_typed_and_stays_inside() {
    let (mut harness, _ends) = window(staged(connected(Vec::new())));
    let ticked = |harness: &mut Harness<'_, App>| {
        harness.get_by_role_and_label(Role::CheckBox, "Crop").scroll_to_me();
        harness.run_steps(8);
        harness.get_by_role_and_label(Role::CheckBox, "Crop").click();
        harness.run_steps(3);
    };
    ticked(&mut harness);
    let frame = harness.state().state().draft.size;
    let half = Size::new(frame.width / 2, frame.height / 2);
    assert_eq!(crop(&harness).map(|crop| crop.size), Some(half));
    for field in ["From the left", "From the top", "Crop width", "Crop height"] {
        harness.get_by_role_and_label(Role::SpinButton, field);
    }
    assert!(sees(&harness, "25 % of the frame"));
    // Half the frame's size is the same part of the picture.
    let mut draft = harness.state().state().draft.clone();
    draft.size = half;
    does(&mut harness, Command::SetDraft(Box::new(draft)));
    let quarter = Size::new(half.width / 2, half.height / 2);
    assert_eq!(crop(&harness).map(|crop| crop.size), Some(quarter));
    let wild = Crop { x: -7, y: 9_999, size: Size::new(50_000, 0) };
    does(&mut harness, Command::SetCrop(Some(wild)));
    let tame = crop(&harness).expect("one");
    assert_eq!((tame.x, tame.y), (0, half.height as i32 - 1));
    ticked(&mut harness);
    assert_eq!(crop(&harness), None);
}
