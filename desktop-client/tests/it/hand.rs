//! What a person's eyes and hands do with the window.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::state::Event;
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

/// Whether these words are somewhere.
pub fn sees(harness: &Harness<'_, App>, text: &str) -> bool {
    harness.query_all_by_label_contains(text).next().is_some()
}

/// Presses the button of these words.
pub fn press(harness: &mut Harness<'_, App>, words: &str) {
    harness.get_by_role_and_label(Role::Button, words).click();
    harness.run_steps(3);
}

/// Presses a key with what is held down.
pub fn keys(harness: &mut Harness<'_, App>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run_steps(3);
}

/// Something happens outside.
pub fn happens(harness: &mut Harness<'_, App>, event: Event) {
    harness.state_mut().event(event);
    harness.run_steps(3);
}

/// A command is given, by whatever.
pub fn does(harness: &mut Harness<'_, App>, command: Command) {
    harness.state_mut().command(command);
    harness.run_steps(3);
}
