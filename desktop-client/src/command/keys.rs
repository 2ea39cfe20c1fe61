//! Keys to commands.

use egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::Commands;
use super::table::ACTIONS;
use crate::command::Command;
use crate::state::State;

/// A key with what is held down with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortcut {
    /// What is held down.
    pub modifiers: Modifiers,
    /// The key.
    pub key: Key,
}

impl Shortcut {
    /// `Ctrl+O`, as this system writes it.
    #[must_use]
    pub fn words(&self) -> String {
        let names = &egui::ModifierNames::NAMES;
        let is_mac = cfg!(target_os = "macos");
        let held = names.format(&self.modifiers, is_mac);
        let name = match self.key {
            Key::Questionmark => "?",
            key => key.symbol_or_name(),
        };
        if held.is_empty() { name.to_owned() } else { format!("{held}+{name}") }
    }

    /// Whether it writes text where text is being typed.
    const fn is_typed(&self) -> bool {
        // What is typed is chosen and copied by the keys that choose and copy.
        if matches!(self.key, Key::A | Key::C) {
            return true;
        }
        !self.modifiers.command && !self.modifiers.ctrl && !matches!(self.key, Key::F1 | Key::F12)
    }

    /// Whether it presses whatever button the keyboard is at.
    fn is_press(&self) -> bool {
        self.modifiers.is_none() && matches!(self.key, Key::Enter | Key::Space)
    }

    /// Whether its key was pressed, with whatever held down.
    fn may_be_pressed(&self, ctx: &Context) -> bool {
        ctx.input(|input| {
            let copies = |event: &egui::Event| matches!(event, egui::Event::Copy);
            input.key_pressed(self.key) || (self.key == Key::C && input.events.iter().any(copies))
        })
    }

    /// Takes a press of it, where there is one.
    fn is_pressed(self, ctx: &Context) -> bool {
        let shortcut = KeyboardShortcut::new(self.modifiers, self.key);
        // Windows tell of copying, not of the key for it.
        let is_copy = self.modifiers.command && self.key == Key::C;
        ctx.input_mut(|input| {
            let copies = |event: &egui::Event| matches!(event, egui::Event::Copy);
            input.consume_shortcut(&shortcut) || (is_copy && input.events.iter().any(copies))
        })
    }
}

/// Turns key presses into commands. What writes text counts only while no text is being typed, what
/// presses buttons only while the keyboard is at none; a sheet keeps what lies under it from being
/// commanded, but for other sheets. A key that commands nothing now is left to the page.
pub fn read_keys(ctx: &Context, state: &State, commands: &mut Commands) {
    let is_typing = ctx.text_edit_focused();
    let has_focus = ctx.memory(|memory| memory.focused().is_some());
    for action in ACTIONS {
        for keys in action.keys {
            if (is_typing && keys.is_typed()) || (has_focus && keys.is_press()) {
                continue;
            }
            if !keys.may_be_pressed(ctx) {
                continue;
            }
            let command = (action.command)(state);
            let is_over_sheet = state.sheet.is_some()
                && !matches!(command, Command::Sheet(_) | Command::SetZoom(_) | Command::Open(_));
            if (action.enabled)(state).is_ok() && !is_over_sheet && keys.is_pressed(ctx) {
                commands.push(command);
            }
        }
    }
    // Without a sheet Esc belongs to whatever popup is open.
    if state.sheet.is_some()
        && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
    {
        commands.push(Command::Sheet(None));
    }
}
