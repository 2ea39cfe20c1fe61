//! Everything that can be pressed or typed into has a name that can be said.

use desktop_client::command::Command;
use desktop_client::state::Door;
use desktop_client::state::compare::{Showing, Slot, Wish};
use desktop_client::state::jobs;
use desktop_client::state::sheet::Sheet;
use desktop_client::state::wallet::{Matter, WalletSheet};
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::NodeT as _;
use egui_kittest::kittest::Queryable as _;
use farm_node::Unwanted;
use protocol::{NodeId, Steering};

use crate::fixtures::{
    Step, blocked, connected, done, job_id, lending, offline, paused, rendering, staged, window_of,
};
use crate::frames::{animation, still};

fn sweep(name: &str, door: Option<Door>, steps: Vec<Step>) {
    let builder = Harness::builder().with_theme(egui::Theme::Dark);
    let (harness, _ends) = window_of(builder, door, steps);
    let mut swept = 0;
    for role in [
        Role::Button,
        Role::CheckBox,
        Role::ColumnHeader,
        Role::ComboBox,
        Role::Image,
        Role::Link,
        Role::RadioButton,
        Role::Row,
        Role::Slider,
        Role::SpinButton,
        Role::TextInput,
    ] {
        for node in harness.query_all_by_role(role) {
            let label = node.accesskit_node().label().unwrap_or_default();
            // A value alone does not say what it is the value of.
            let said = match role {
                Role::ComboBox | Role::TextInput | Role::Slider | Role::SpinButton => label,
                _other => format!("{label}{}", node.accesskit_node().value().unwrap_or_default()),
            };
            assert!(said.chars().any(char::is_alphanumeric), "{name}, {door:?}: {role:?} {said:?}");
            // Glyphs of an icon font would be read aloud as nonsense.
            let private = |c: char| ('\u{e000}'..='\u{f8ff}').contains(&c);
            assert!(!said.chars().any(private), "{name}, {door:?}: {said:?}");
            swept += 1;
        }
    }
    assert!(swept >= 5, "{name}, {door:?}: the rail alone has five buttons, found {swept}");
    if name.starts_with("Sheet") || name.starts_with("AskToSave") {
        harness.get_by_role_and_label(Role::Button, "Close");
    }
}

#[test]
fn every_control_of_every_screen_has_a_name() {
    for door in [Door::Render, Door::MyNode, Door::Jobs, Door::Wallet, Door::Settings] {
        let door = Some(door);
        sweep("first start", door, Vec::new());
        sweep("no jobs", door, connected(Vec::new()));
        sweep("rendering", door, rendering());
        let mut away = rendering();
        away.push(offline().into());
        sweep("offline", door, away);
        sweep("lending", door, lending());
        sweep("paused", door, paused());
        sweep("a scene", door, staged(connected(Vec::new())));
        sweep("a crop", door, {
            let crop = protocol::Crop { x: 40, y: 30, size: protocol::Size::new(80, 60) };
            let mut cropped = staged(connected(Vec::new()));
            cropped.push(Command::SetCrop(Some(crop)).into());
            cropped.push(Command::DrawCrop(true).into());
            cropped
        });
        for showing in [Showing::Wipe, Showing::Difference] {
            let mut compared = done();
            compared
                .extend([Slot::A, Slot::B].map(|slot| Command::Compare(Wish::Keep(slot)).into()));
            compared.push(Command::Compare(Wish::Show(showing)).into());
            sweep("compared", door, compared);
        }
        let mut frames = animation();
        frames.extend((0..3).map(|shot| still(job_id(1), shot).into()));
        sweep("frames", door, frames);
        for filter in ["status:failed", "status:lost", "nothing is called so"] {
            let mut filtered = rendering();
            filtered.push(Command::Jobs(jobs::Wish::ChooseAll).into());
            filtered.push(Command::Jobs(jobs::Wish::Filter(filter.to_owned())).into());
            sweep(filter, door, filtered);
        }
    }
}

#[test]
fn every_control_of_every_sheet_has_a_name() {
    let sheets = [
        Command::Sheet(Some(Sheet::OpenScene { path: "/tmp".to_owned() })),
        Command::Sheet(Some(Sheet::Surround { path: "/tmp".to_owned() })),
        Command::Sheet(Some(Sheet::Palette { query: String::new(), chosen: 0 })),
        Command::Sheet(Some(Sheet::Keys)),
        Command::Sheet(Some(Sheet::Notices)),
        Command::Sheet(Some(Sheet::Stop(job_id(1)))),
        Command::Sheet(Some(Sheet::Cancel(job_id(1)))),
        Command::AskToSave,
        Command::Sheet(Some(Sheet::Verify { pixels: 64 })),
        Command::Sheet(Some(Sheet::EndMany {
            jobs: vec![job_id(1), job_id(2), job_id(4)],
            steering: Steering::Stop,
        })),
        Command::Sheet(Some(Sheet::Prefer { jobs: vec![job_id(1)], priority: 50 })),
        Command::Sheet(Some(Sheet::Wallet(WalletSheet::of(Matter::Stake)))),
        Command::Sheet(Some(Sheet::Wallet(WalletSheet::of(Matter::BackUp)))),
        Command::Sheet(Sheet::block(vec![NodeId([0x61; 32])])),
        Command::Sheet(Sheet::block(vec![NodeId([0x61; 32]), NodeId([0x55; 32])])),
        Command::Sheet(Some(Sheet::Blocks)),
        Command::Sheet(Some(Sheet::Refuse(Unwanted { job: job_id(1), report: String::new() }))),
    ];
    for sheet in sheets {
        let name = format!("{sheet:?}");
        let mut steps = rendering();
        steps.push(blocked().into());
        steps.push(sheet.into());
        sweep(&name, None, steps);
    }
}
