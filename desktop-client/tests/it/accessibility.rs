//! Everything that can be pressed or typed into has a name that can be said.

use desktop_client::state::{Door, Event};
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::NodeT as _;
use egui_kittest::kittest::Queryable as _;

use crate::fixtures::{connected_events, offline, rendering_events, window_of};

fn sweep(name: &str, door: Door, events: Vec<Event>) {
    let builder = Harness::builder().with_theme(egui::Theme::Dark);
    let (harness, _ends) = window_of(builder, door, events);
    let mut swept = 0;
    for role in [Role::Button, Role::TextInput, Role::Slider, Role::ComboBox, Role::Image] {
        for node in harness.query_all_by_role(role) {
            let label = node.accesskit_node().label().unwrap_or_default();
            let value = node.accesskit_node().value().unwrap_or_default();
            let said = format!("{label}{value}");
            assert!(said.chars().any(char::is_alphanumeric), "{name}, {door:?}: {role:?} {said:?}");
            // Glyphs of an icon font would be read aloud as nonsense.
            let private = |c: char| ('\u{e000}'..='\u{f8ff}').contains(&c);
            assert!(!said.chars().any(private), "{name}, {door:?}: {said:?}");
            swept += 1;
        }
    }
    assert!(swept >= 5, "{name}, {door:?}: the rail alone has five buttons, found {swept}");
}

#[test]
fn every_control_of_every_screen_has_a_name() {
    for door in [Door::Render, Door::MyNode, Door::Jobs, Door::Wallet, Door::Settings] {
        sweep("first start", door, Vec::new());
        sweep("no jobs", door, connected_events(Vec::new()));
        sweep("rendering", door, rendering_events());
        let mut away = rendering_events();
        away.push(offline());
        sweep("offline", door, away);
    }
}
