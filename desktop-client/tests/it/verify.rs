//! A finished frame, checked without believing the farm, as far as the window has a hand in it.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::{Ask, VerifyAsk};
use desktop_client::state::sheet::Sheet;
use desktop_client::state::verify::{Doing, Event as News, Line, News as What, Part, Standing};
use desktop_client::state::{Door, Event};
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use protocol::ShotIndex;
use protocol::view::JobStatus;

use crate::fixtures::{ME, Step, asked, done, imported, job_id, rendering, staged, window};
use crate::hand::{does, happens, keys, press, sees};

/// What is asked of the desk that verifies.
fn wanted(asks: &[Ask]) -> &VerifyAsk {
    let asked = asks.iter().find_map(|ask| match ask {
        Ask::Verify(ask) => Some(&**ask),
        _other => None,
    });
    asked.unwrap_or_else(|| panic!("nothing is verified: {asks:?}"))
}

fn tell(harness: &mut Harness<'_, App>, serial: u64, what: What) {
    happens(harness, Event::Verify(News { serial, news: what }));
}

fn line(part: Part, standing: Standing, words: &str) -> What {
    What::Found(Line::new(part, standing, words))
}

#[test]
fn a_finished_frame_is_verified_part_by_part() {
    let (mut harness, mut ends) = window(done());
    asked(&mut ends);
    press(&mut harness, "Verify this frame");
    let asks = asked(&mut ends);
    let ask = wanted(&asks);
    assert_eq!((ask.job, ask.shot, ask.me, ask.pixels), (job_id(1), ShotIndex(0), ME, 64));
    assert!(ask.package.is_none(), "the scene on the stage is not the job's, there is none");
    assert!(ask.shown.is_some(), "what is seen is whole");
    let serial = ask.serial;
    assert!(sees(&harness, "Fetching the receipt"));
    tell(&mut harness, serial, line(Part::Order, Standing::Holds, "Both speak of this job"));
    tell(&mut harness, serial, line(Part::Ledger, Standing::Unchecked, "No witness yet"));
    tell(&mut harness, serial, What::Doing(Doing::Rendering { done: 3, of: 12 }));
    assert!(sees(&harness, "Rendering random pixels, 3 of 12 films"));
    tell(&mut harness, serial, line(Part::Pixels, Standing::Holds, "64 random pixels are those"));
    assert!(sees(&harness, "Cancel"), "it is not at its end");
    tell(&mut harness, serial, What::Ended(Ok(())));
    for words in [
        "Order and quote",
        "Both speak of this job",
        "No witness yet",
        "Not checked",
        "64 random pixels are those",
        "2 of 3 parts hold; 1 part is not checked",
    ] {
        assert!(sees(&harness, words), "{words}");
    }
    // It stays known, until somebody wants it again.
    keys(&mut harness, Modifiers::NONE, Key::Escape);
    asked(&mut ends);
    keys(&mut harness, Modifiers::NONE, Key::V);
    assert!(asked(&mut ends).is_empty());
    assert!(sees(&harness, "2 of 3 parts hold"));
    press(&mut harness, "Verify again");
    let asks = asked(&mut ends);
    assert!(wanted(&asks).serial > serial);
    assert!(!sees(&harness, "Both speak of this job"), "it begins anew");
}

#[test]
fn what_does_not_hold_is_told_also_to_who_does_not_look() {
    let (mut harness, mut ends) = window(done());
    press(&mut harness, "Verify this frame");
    let asks = asked(&mut ends);
    let serial = wanted(&asks).serial;
    keys(&mut harness, Modifiers::NONE, Key::Escape);
    let fault = "3 of 64 random pixels, rendered here, are others";
    tell(&mut harness, serial, line(Part::Pixels, Standing::Fails, fault));
    tell(&mut harness, serial, What::Ended(Ok(())));
    assert!(sees(&harness, "lighthouse_v12: This frame does not hold"));
    keys(&mut harness, Modifiers::NONE, Key::V);
    assert!(sees(&harness, fault) && sees(&harness, "Does not hold"));
}

#[test]
fn a_verification_that_is_cancelled_is_over_at_once() {
    let (mut harness, mut ends) = window(done());
    press(&mut harness, "Verify this frame");
    let asks = asked(&mut ends);
    let serial = wanted(&asks).serial;
    press(&mut harness, "Cancel");
    assert!(matches!(asked(&mut ends)[..], [Ask::StopVerifying]));
    tell(&mut harness, serial, line(Part::Order, Standing::Holds, "too late"));
    assert!(!sees(&harness, "too late"));
    assert!(sees(&harness, "Cancelled") && sees(&harness, "Verify again"));
    // A refusal of the farm is told like a cancel, with its words.
    press(&mut harness, "Verify again");
    let asks = asked(&mut ends);
    let serial = wanted(&asks).serial;
    tell(&mut harness, serial, What::Ended(Err("12 units are just being paid".to_owned())));
    assert!(sees(&harness, "12 units are just being paid"));
}

#[test]
fn a_scene_that_is_at_hand_is_rendered_again() {
    let path = "/home/mina/shots/lighthouse_v12.glb";
    let package = imported(path).package;
    let mut steps = staged(done());
    for step in &mut steps {
        let Step::Is(event) = step else { continue };
        match event {
            Event::Book(desktop_client::state::book::Event::Jobs(Ok(jobs))) => {
                jobs.iter_mut().for_each(|job| job.spec.scene = package.id());
            }
            Event::Live(desktop_client::state::live::Event::Update { summary, .. }) => {
                summary.spec.scene = package.id();
            }
            _other => {}
        }
    }
    let (mut harness, mut ends) = window(steps);
    does(&mut harness, Command::Show(desktop_client::state::Pane::Job));
    asked(&mut ends);
    press(&mut harness, "Verify this frame");
    let asks = asked(&mut ends);
    let sent = wanted(&asks).package.as_ref().map(|it| it.id());
    assert_eq!(sent, Some(package.id()));
}

#[test]
fn what_is_not_finished_cannot_be_verified() {
    let (mut harness, mut ends) = window(rendering());
    asked(&mut ends);
    assert!(!sees(&harness, "Verify this frame"));
    keys(&mut harness, Modifiers::NONE, Key::V);
    assert!(asked(&mut ends).is_empty() && harness.state().state().sheet.is_none());
    // Nor what the farm has let go of; and only what one sees.
    let mut steps = done();
    steps.push(Command::Open(Door::Wallet).into());
    let (mut harness, mut ends) = window(steps);
    keys(&mut harness, Modifiers::NONE, Key::V);
    assert!(asked(&mut ends).is_empty());
    let mut gone = crate::fixtures::job(1, "lighthouse_v12", JobStatus::Done, 60, 3_412_345);
    gone.expired = true;
    does(&mut harness, Command::Open(Door::Render));
    let rows = desktop_client::state::book::Event::Jobs(Ok(vec![gone]));
    happens(&mut harness, Event::Book(rows));
    assert!(!sees(&harness, "Verify this frame"));
    assert!(!matches!(harness.state().state().sheet, Some(Sheet::Verify { .. })));
}

#[test]
fn in_the_smallest_window_every_button_is_in_reach() {
    // 960 × 600 at twice the size.
    let room = egui::vec2(480.0, 300.0);
    let (mut harness, mut ends) = window(done());
    harness.set_size(room);
    harness.run_steps(4);
    asked(&mut ends);
    does(&mut harness, Command::Verify);
    let asks = asked(&mut ends);
    let serial = wanted(&asks).serial;
    let words = "64 random pixels, rendered here, are those of the films that the nodes signed";
    for part in [
        Part::Order,
        Part::Films,
        Part::Whole,
        Part::Payments,
        Part::Ledger,
        Part::Pixels,
        Part::Screen,
    ] {
        tell(&mut harness, serial, line(part, Standing::Holds, words));
    }
    tell(&mut harness, serial, What::Ended(Ok(())));
    for words in ["Close", "Verify again", "Copy"] {
        let place = harness.get_by_role_and_label(Role::Button, words).rect();
        let whole = egui::Rect::from_min_size(egui::Pos2::ZERO, room);
        assert!(whole.contains_rect(place), "{words}: {place:?}");
    }
    assert!(sees(&harness, "This frame holds, in every part"));
}

#[test]
fn pixels_that_differ_are_a_warning_and_no_verdict() {
    let (mut harness, mut ends) = window(done());
    press(&mut harness, "Verify this frame");
    let asks = asked(&mut ends);
    let serial = wanted(&asks).serial;
    tell(&mut harness, serial, line(Part::Pixels, Standing::Differs, "2 of 64 random pixels"));
    tell(&mut harness, serial, What::Ended(Ok(())));
    assert!(sees(&harness, "Differs") && !sees(&harness, "This frame does not hold"));
    assert!(sees(&harness, "Pixels differ; honest nodes of class tolerant may differ a little"));
}
