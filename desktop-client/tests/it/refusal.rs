//! A job that its owner does not want on his machine.

use desktop_client::command::Command;
use desktop_client::desk::Ask;
use desktop_client::state::Door;
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
    let kept = asks.iter().any(|ask| matches!(ask, Ask::Remember(_)));
    assert!(kept, "the next start knows it, too: {asks:?}");
    // One that only looked at it has refused nothing.
    does(&mut harness, Command::Sheet(None));
    press(&mut harness, "Not this job…");
    press(&mut harness, "Let it go on");
    assert!(asked(&mut ends).is_empty());
}
