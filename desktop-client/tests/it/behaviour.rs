//! What a person finds by its name, and what pressing it asks for.

use desktop_client::bridge::{Ask, FarEnds};
use desktop_client::state::{Door, Event, Link};
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use protocol::{CameraChoice, FrameRange, ShotIndex};

use crate::fixtures::{
    TICKET, connected_events, done_events, job_id, offline, rendering_events, wallet, window,
};

fn asked(ends: &mut FarEnds) -> Vec<Ask> {
    std::iter::from_fn(|| ends.asks.try_recv().ok()).collect()
}

fn sees(harness: &Harness<'_, desktop_client::app::App>, text: &str) -> bool {
    harness.query_all_by_label_contains(text).next().is_some()
}

#[test]
fn the_first_start_asks_for_a_ticket_and_connects_with_it() {
    let (mut harness, mut ends) = window(Vec::new());
    assert!(sees(&harness, "Connect to a farm"));
    let field = harness.get_by_role_and_label(Role::TextInput, "Farm ticket");
    field.focus();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::TextInput, "Farm ticket").type_text(TICKET);
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::Button, "Connect").click();
    harness.run_steps(3);
    assert_eq!(asked(&mut ends), [Ask::Connect(TICKET.to_owned())]);
    assert_eq!(harness.state().state().link, Link::Connecting);
    assert!(sees(&harness, "Connecting to the farm"));
}

#[test]
fn an_artist_without_jobs_is_told_how_to_begin() {
    let (harness, _ends) = window(connected_events(Vec::new()));
    assert!(sees(&harness, "No jobs yet"));
    assert!(sees(&harness, "tessera jobs submit"));
    assert!(sees(&harness, "Balance 128.40 TES"));
    assert!(sees(&harness, "4 nodes online"));
}

#[test]
fn a_job_under_way_shows_its_tiles_and_its_money() {
    let (harness, _ends) = window(rendering_events());
    for words in [
        "lighthouse_v12",
        "Accepted 31",
        "Rendering 6",
        "Received 2",
        "Retrying 1",
        "Waiting 19",
        "In part 1",
        "1.86 of 3.60 TES",
        "51 %",
        "640 × 360 px",
    ] {
        assert!(sees(&harness, words), "{words}");
    }
    harness.get_by_label("Render preview, 31 of 60 tiles accepted");
}

#[test]
fn a_job_that_is_done_says_what_came_back() {
    let (harness, _ends) = window(done_events());
    assert!(sees(&harness, "Done"));
    assert!(sees(&harness, "0.18"), "the refund");
    harness.get_by_label("Render preview, 60 of 60 tiles accepted");
}

#[test]
fn a_lost_farm_keeps_what_was_known_and_can_be_tried_again() {
    let mut events = rendering_events();
    events.push(offline());
    let (mut harness, mut ends) = window(events);
    assert!(sees(&harness, "Your renders continue on the farm"));
    assert!(sees(&harness, "showing the state from 2026-11-23 10:30 UTC"));
    assert!(sees(&harness, "Retrying in 8 s"));
    assert!(sees(&harness, "lighthouse_v12"));
    harness.get_by_role_and_label(Role::Button, "Retry now").click();
    harness.run_steps(2);
    assert_eq!(asked(&mut ends), [Ask::RetryNow]);
}

#[test]
fn a_farm_that_never_answered_says_why() {
    let why = "nobody answers for key_3e at 127.0.0.1:4433 within 10s".to_owned();
    let events =
        vec![Event::Ticket(TICKET.to_owned()), Event::Link(Link::Lost { why, retry_at_ms: 0 })];
    let (harness, _ends) = window(events);
    assert!(sees(&harness, "The farm does not answer"));
    assert!(sees(&harness, "nobody answers for"));
}

#[test]
fn the_newest_job_is_watched_by_itself_and_others_on_request() {
    let (mut harness, mut ends) = window(connected_events(crate::fixtures::jobs()));
    assert_eq!(asked(&mut ends), [Ask::Watch { job: job_id(1), shot: ShotIndex(0) }]);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Num3);
    harness.run_steps(3);
    assert_eq!(harness.state().state().door, Door::Jobs);
    harness.get_by_role_and_label(Role::Button, "Open still_life").click();
    harness.run_steps(3);
    assert_eq!(harness.state().state().door, Door::Render);
    assert_eq!(asked(&mut ends), [Ask::Watch { job: job_id(2), shot: ShotIndex(0) }]);
    harness.key_press(Key::J);
    harness.run_steps(3);
    assert_eq!(asked(&mut ends), [Ask::Watch { job: job_id(3), shot: ShotIndex(0) }]);
    assert!(sees(&harness, "out of memory. Lower the texture size"));
}

#[test]
fn every_frame_of_every_camera_can_be_watched() {
    let mut jobs = crate::fixtures::jobs();
    jobs[0].spec.more_cameras = vec![CameraChoice::Named("close up".to_owned())];
    jobs[0].spec.frames = FrameRange { first: 3, last: 7, step: 2, fps: 24.0 };
    let (mut harness, mut ends) = window(connected_events(jobs));
    harness.run_steps(3);
    assert_eq!(asked(&mut ends), [Ask::Watch { job: job_id(1), shot: ShotIndex(0) }]);
    harness.get_by_role_and_label(Role::ComboBox, "Camera").click();
    harness.run_steps(3);
    harness.get_by_label("close up").click();
    harness.run_steps(3);
    assert_eq!(asked(&mut ends), [Ask::Watch { job: job_id(1), shot: ShotIndex(1) }]);
    assert_eq!(harness.state().state().live.as_ref().map(|live| live.shot), Some(ShotIndex(1)));
}

#[test]
fn keys_open_every_door() {
    let (mut harness, mut ends) = window(rendering_events());
    asked(&mut ends);
    let doors = [
        (Key::Num2, Door::MyNode, "312 accepted, 1 refused, 2 dropped"),
        (Key::Num3, Door::Jobs, "Ordered"),
        (Key::Num4, Door::Wallet, "128.40 TES"),
        (Key::Num5, Door::Settings, "/home/mina/.config/tessera/key"),
        (Key::Num1, Door::Render, "Accepted 31"),
    ];
    for (key, door, words) in doors {
        harness.key_press_modifiers(Modifiers::COMMAND, key);
        harness.run_steps(3);
        assert_eq!(harness.state().state().door, door);
        assert!(sees(&harness, words), "{door:?}: {words}");
    }
}

#[test]
fn my_node_shows_what_it_earned_and_why_it_is_trusted() {
    let (mut harness, _ends) = window(rendering_events());
    harness.get_by_role_and_label(Role::Button, "My node").click();
    harness.run_steps(3);
    for words in ["workstation", "18.62 TES", "1.20 TES more held", "0.94", "312 accepted"] {
        assert!(sees(&harness, words), "{words}");
    }
    // The farm's others are there too, with their standing in words.
    for words in ["studio-07", "Qualifying", "Barred", "4 refused", "no work judged yet"] {
        assert!(sees(&harness, words), "{words}");
    }
}

#[test]
fn an_owner_without_a_node_is_told_how_to_start_one() {
    let mut events = connected_events(Vec::new());
    let mut farm = crate::fixtures::farm();
    farm.nodes.clear();
    events.push(Event::Farm(farm));
    events.push(Event::Opened(Door::MyNode));
    let (mut harness, _ends) = window(events);
    harness.get_by_role_and_label(Role::Button, "My node").click();
    harness.run_steps(3);
    assert!(sees(&harness, "You run no node on this farm"));
    assert!(sees(&harness, "No node is online"));
}

#[test]
fn the_wallet_fetches_its_statement_once() {
    let mut events = connected_events(Vec::new());
    events.retain(|event| !matches!(event, Event::Statement(_)));
    let (mut harness, mut ends) = window(events);
    harness.get_by_role_and_label(Role::Button, "Balance 128.40 TES").click();
    harness.run_steps(5);
    assert_eq!(asked(&mut ends), [Ask::Statement(wallet().account)]);
    assert!(sees(&harness, "Loading the statement"));
}

#[test]
fn another_farm_forgets_everything_of_the_last() {
    let (mut harness, _ends) = window(rendering_events());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Num5);
    harness.run_steps(3);
    let label = "Farm ticket";
    harness.get_by_role_and_label(Role::TextInput, label).focus();
    harness.run_steps(2);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.get_by_role_and_label(Role::TextInput, label).type_text("farmother");
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::Button, "Connect").click();
    harness.run_steps(3);
    let state = harness.state().state();
    assert_eq!(state.ticket, "farmother");
    assert!(state.jobs.is_none() && state.wallet.is_none() && state.live.is_none());
    assert!(state.identity.is_some(), "the key is the person's, not the farm's");
}
