//! What a person can ask of the app: one list for buttons, keys and tests.

use egui::{Context, Key, KeyboardShortcut, Modifiers};
use protocol::{AccountId, JobId, ShotIndex};

use crate::state::Door;

/// Asked by a screen or a key; carried out by the app after the frame is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Open a door.
    Open(Door),
    /// Connect to the farm of this ticket.
    Connect(String),
    /// Do not wait for the next attempt.
    RetryNow,
    /// Look at a shot of a job.
    Watch {
        /// The job.
        job: JobId,
        /// The shot.
        shot: ShotIndex,
    },
    /// Fetch the newest rows of an account.
    Statement(AccountId),
    /// Put text on the clipboard.
    Copy(String),
    /// Look at the next job of the list.
    NextJob,
    /// Look at the previous job of the list.
    PreviousJob,
}

/// The commands of one frame, in order.
pub type Commands = Vec<Command>;

/// Keys that open doors, in the rail's order.
pub const DOOR_KEYS: [(Key, Door); 5] = [
    (Key::Num1, Door::Render),
    (Key::Num2, Door::MyNode),
    (Key::Num3, Door::Jobs),
    (Key::Num4, Door::Wallet),
    (Key::Num5, Door::Settings),
];

/// A door's name.
#[must_use]
pub const fn door_name(door: Door) -> &'static str {
    match door {
        Door::Render => "Render",
        Door::MyNode => "My node",
        Door::Jobs => "Jobs",
        Door::Wallet => "Wallet",
        Door::Settings => "Settings",
    }
}

/// Turns key presses into commands. Single letters count only while no text is being typed.
pub fn read_keys(ctx: &Context, commands: &mut Commands) {
    let typing = ctx.egui_wants_keyboard_input();
    ctx.input_mut(|input| {
        for (key, door) in DOOR_KEYS {
            if input.consume_shortcut(&KeyboardShortcut::new(Modifiers::COMMAND, key)) {
                commands.push(Command::Open(door));
            }
        }
        let comma = KeyboardShortcut::new(Modifiers::COMMAND, Key::Comma);
        if input.consume_shortcut(&comma) {
            commands.push(Command::Open(Door::Settings));
        }
        if !typing {
            let mut pressed = |key| input.consume_key(Modifiers::NONE, key);
            if pressed(Key::J) {
                commands.push(Command::NextJob);
            }
            if pressed(Key::K) {
                commands.push(Command::PreviousJob);
            }
        }
    });
}
