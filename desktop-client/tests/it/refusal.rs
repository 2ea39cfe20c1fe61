//! A job that its owner does not want on his machine.

use desktop_client::command::{Command, action};
use desktop_client::desk::Ask;
use desktop_client::state::settings::Settings;
use desktop_client::state::{Door, Event, Link, State, own_farm};
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use farm_node::Unwanted;
use protocol::JobId;
use serde_json::json;

use crate::fixtures::{asked, connected, said, window_of};
use crate::hand::{does, happens, press, sees};

const JOB: JobId = JobId([0x3f; 16]);

#[test]
fn the_job_at_hand_is_refused_with_a_word_to_the_operator() {
    let builder = Harness::builder().with_theme(egui::Theme::Dark);
    let (mut harness, mut ends) = window_of(builder, Some(Door::MyNode), connected(Vec::new()));
    press(&mut harness, "Start");
    happens(&mut harness, said(json!({"event": "connected"})));
    assert!(harness.query_by_role_and_label(Role::Button, "Not this job…").is_none());
    let unit = json!({"job": JOB.to_string(), "tile": 52});
    happens(&mut harness, said(json!({"event": "rendering", "unit": unit})));
    asked(&mut ends);
    press(&mut harness, "Not this job…");
    assert!(sees(&harness, &JOB.short()) && sees(&harness, "Refuse the job"));
    let name = "Report to the farm's operator, if it should not be rendered at all";
    harness.get_by_role_and_label(Role::MultilineTextInput, name).type_text("not a lighthouse");
    harness.run_steps(3);
    press(&mut harness, "Refuse and report");
    let refused = Unwanted { job: JOB, report: "not a lighthouse".to_owned() };
    let asks = asked(&mut ends);
    let wished = asks.iter().find_map(|ask| match ask {
        Ask::Wish(wishes) => Some(wishes.unwanted.clone()),
        _other => None,
    });
    assert_eq!(wished.as_deref(), Some(std::slice::from_ref(&refused)));
    let kept = &harness.state().state().settings.lending.unwanted;
    assert_eq!(*kept, [refused], "the next start knows it, too");
    // One that only looked at it has refused nothing.
    does(&mut harness, Command::Sheet(None));
    press(&mut harness, "Not this job…");
    press(&mut harness, "Let it go on");
    assert!(asked(&mut ends).is_empty());
}

#[test]
fn on_a_farm_of_ones_own_there_is_nobody_to_refuse_a_job_to() {
    let refuse = action("Refuse the job at hand…");
    let mut state = State::new(Settings::default());
    let ticket = "@/home/mina/.config/tessera/farm/ticket".to_owned();
    state.act(Command::Connect(ticket.clone()));
    state.apply(Event::Link(Link::Connected));
    state.act(Command::StartNode);
    let unit = json!({"job": JOB.to_string(), "tile": 52});
    state.apply(said(json!({"event": "connected"})));
    state.apply(said(json!({"event": "rendering", "unit": unit})));
    assert!((refuse.enabled)(&state).is_ok());
    state.apply(Event::OwnFarm(own_farm::Event::Up { ticket }));
    assert_eq!((refuse.enabled)(&state), Err("The farm is your own; cancel the job instead"));
}
