//! What of a picture is rendered first.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::{Ask, FarEnds};
use desktop_client::state::port::Port;
use desktop_client::state::{Event, Steered};
use egui::accesskit::Role;
use egui::{Key, Modifiers, Pos2, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use protocol::view::JobStatus;
use protocol::{Selection, Steering, TileIndex, ViewIndex};

use crate::fixtures::{asked, done, job_id, rendering, spec, window};
use crate::hand::{does, happens, keys, press, sees};

/// Clicks the middle of a tile of the picture.
fn click(harness: &mut Harness<'_, App>, name: &str, tile: u32) {
    let area = harness.get_by_role_and_label(Role::Image, name).rect();
    let size = Vec2::new(640.0, 360.0);
    let scale = (area.width() / size.x).min(area.height() / size.y);
    let corner = area.center() - size * scale / 2.0;
    let rect = spec("").grid().rect(TileIndex(tile)).expect("of the grid");
    let middle = Vec2::new((rect.x0 + rect.x1) as f32, (rect.y0 + rect.y1) as f32) / 2.0;
    let at: Pos2 = corner + middle * scale;
    harness.hover_at(at);
    harness.run_steps(2);
    harness.drag_at(at);
    harness.run_steps(1);
    harness.drop_at(at);
    harness.run_steps(2);
}

fn steered(ends: &mut FarEnds) -> Vec<Steering> {
    let steered = |ask| match ask {
        Ask::Steer(steered) => Some(steered.steering),
        _other => None,
    };
    asked(ends).into_iter().filter_map(steered).collect()
}

#[test]
fn a_click_on_a_tile_that_waits_has_it_rendered_first() {
    let name = "Render preview, 31 of 60 tiles accepted";
    let (mut harness, mut ends) = window(rendering());
    asked(&mut ends);
    click(&mut harness, name, 0);
    let here = |tile| Selection { frame: Some(0), view: Some(ViewIndex(0)), tile };
    assert_eq!(steered(&mut ends), [Steering::First(here(Some(TileIndex(0))))]);
    // What is accepted has nothing to wait for.
    let centre = spec("").grid().from_centre()[0];
    click(&mut harness, name, centre.0);
    assert_eq!(steered(&mut ends), []);
    let (mut harness, mut ends) = window(done());
    asked(&mut ends);
    click(&mut harness, "Render preview, 60 of 60 tiles accepted", 0);
    assert_eq!(steered(&mut ends), []);
}

#[test]
fn of_several_pictures_one_comes_first_by_a_press() {
    let mut jobs = crate::fixtures::jobs();
    jobs[0].spec.frames.last = 9;
    jobs[0].status = JobStatus::Rendering;
    let mut steps = rendering();
    let event = desktop_client::state::book::Event::Jobs(Ok(jobs));
    steps.push(desktop_client::state::Event::Book(event).into());
    let (mut harness, mut ends) = window(steps);
    asked(&mut ends);
    assert!(sees(&harness, "Frame"));
    press(&mut harness, "This frame first");
    let all = Selection { frame: Some(0), view: Some(ViewIndex(0)), tile: None };
    assert_eq!(steered(&mut ends), [Steering::First(all)]);
}

/// Finds the command by its words, and gives it.
fn command_by_words(harness: &mut Harness<'_, App>) {
    keys(harness, Modifiers::COMMAND, Key::P);
    let field = harness.get_by_role_and_label(Role::TextInput, "Find a command");
    field.type_text("render first what");
    harness.run_steps(3);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
}

#[test]
fn without_a_pointer_it_is_the_tile_in_the_middle_of_the_view() {
    let (mut harness, mut ends) = window(rendering());
    asked(&mut ends);
    let here = |tile| Selection { frame: Some(0), view: Some(ViewIndex(0)), tile: Some(tile) };
    command_by_words(&mut harness);
    assert_eq!(steered(&mut ends), [Steering::First(here(TileIndex(25)))]);
    does(&mut harness, Command::SetPort(Port::Free { scale: 4.0, middle: Pos2::new(630.0, 10.0) }));
    command_by_words(&mut harness);
    let steering = Steering::First(here(TileIndex(9)));
    assert_eq!(steered(&mut ends), [steering]);
    // What cannot be seen to have happened is told.
    let steered_so = Steered { job: job_id(1), steering };
    happens(&mut harness, Event::Steered { steered: steered_so, trouble: None });
    assert!(sees(&harness, "lighthouse_v12: That tile comes first now"));
    // A job that is over has nothing to wait for.
    let (mut harness, mut ends) = window(done());
    asked(&mut ends);
    command_by_words(&mut harness);
    assert_eq!(steered(&mut ends), []);
}
