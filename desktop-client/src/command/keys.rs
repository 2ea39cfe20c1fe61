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

    /// Whether it presses or moves what has the keyboard: a button, a slider.
    const fn is_of_focus(&self) -> bool {
        let moves =
            matches!(self.key, Key::ArrowLeft | Key::ArrowRight | Key::ArrowUp | Key::ArrowDown);
        let presses = matches!(self.key, Key::Space | Key::Enter);
        (moves || presses) && !self.modifiers.command && !self.modifiers.ctrl
    }

    /// Whether it is a letter.
    fn is_letter(self) -> bool {
        let name = self.key.name();
        name.len() == 1 && name.starts_with(|c: char| c.is_ascii_alphabetic())
    }

    /// Whether it means the same again for as long as it is held down: a step, and no switch.
    const fn goes_on(self) -> bool {
        let steps = matches!(self.key, Key::ArrowLeft | Key::ArrowRight | Key::J | Key::K);
        let grows = matches!(self.key, Key::Plus | Key::Equals | Key::Minus);
        // Ctrl K opens a sheet.
        steps && !self.modifiers.command || grows
    }

    /// Whether it is pressed in this frame.
    fn is_pressed(self, ctx: &Context) -> bool {
        // Windows tell of copying, not of the key for it.
        let is_copy = self.modifiers.command && self.key == Key::C;
        let is_held = |held: Modifiers| {
            // Some signs need Shift to be written; a letter with it is another key.
            let is_exact = !self.is_letter() || held.shift == self.modifiers.shift;
            is_exact && held.matches_logically(self.modifiers)
        };
        ctx.input(|input| {
            input.events.iter().any(|event| match event {
                egui::Event::Key { key, pressed: true, modifiers, repeat, .. } => {
                    *key == self.key && is_held(*modifiers) && (!*repeat || self.goes_on())
                }
                egui::Event::Copy => is_copy,
                _other => false,
            })
        })
    }

    /// Takes the press of it, so that it means nothing else.
    fn take(self, ctx: &Context) {
        let shortcut = KeyboardShortcut::new(self.modifiers, self.key);
        ctx.input_mut(|input| input.consume_shortcut(&shortcut));
    }
}

/// Turns key presses into commands. What writes text counts only while no text is being typed; a
/// sheet keeps what lies under it from being commanded, but for other sheets.
pub fn read_keys(ctx: &Context, state: &State, commands: &mut Commands) {
    let is_typing = ctx.text_edit_focused();
    let has_focus = ctx.memory(|memory| memory.focused().is_some());
    for action in ACTIONS {
        for keys in action.keys {
            let is_taken = is_typing && keys.is_typed() || has_focus && keys.is_of_focus();
            // What cannot be done now leaves the key to what it can be of use to.
            if is_taken || !keys.is_pressed(ctx) || (action.enabled)(state).is_err() {
                continue;
            }
            let command = (action.command)(state);
            let is_over_sheet = state.sheet.is_some()
                && !matches!(command, Command::Sheet(_) | Command::SetZoom(_) | Command::Open(_));
            if !is_over_sheet {
                keys.take(ctx);
                commands.push(command);
            }
        }
    }
    if state.sheet.is_none()
        && state.stage.is_cropping
        && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
    {
        commands.push(Command::DrawCrop(false));
    }
    // Without a sheet Esc belongs to whatever popup is open.
    if state.sheet.is_some()
        && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
    {
        commands.push(Command::Sheet(None));
    }
}
