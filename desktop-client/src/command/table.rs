//! Commands that need no more than the state: their words and keys.

use egui::{Key, Modifiers};
use farm_node::{Hold, Unwanted};
use protocol::ShotIndex;

use super::Command;
use super::conditions::{
    always, comparable, croppable, keepable, lendable, orderable, pausable, priceable, verifiable,
    with_both, with_canvas, with_chosen, with_farm, with_farm_or_blocks, with_farm_or_jobs,
    with_frames, with_job, with_kept, with_list, with_middle, with_node, with_picture,
    with_rendered_middle, with_running_job, with_scene, with_stake, with_wallet,
};
use super::keys::Shortcut;
use crate::state::compare::{self, Showing, Slot};
use crate::state::draft::Preset;
use crate::state::jobs::{Deed, Wish};
use crate::state::node::Run;
use crate::state::own_farm::OwnFarm;
use crate::state::port::Port;
use crate::state::sheet::Sheet;
use crate::state::wallet::{Matter, WalletSheet};
use crate::state::{Door, Link, Pane, State};

/// Where a command belongs in the list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Doors and sheets.
    App,
    /// The scene on the stage.
    Scene,
    /// The watched job.
    Render,
    /// One's own node.
    Node,
    /// The window.
    View,
    /// The list of jobs.
    Jobs,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::App, Self::Scene, Self::Render, Self::View, Self::Jobs, Self::Node];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::App => "Tessera",
            Self::Scene => "Scene",
            Self::Render => "Render",
            Self::Node => "My node",
            Self::View => "View",
            Self::Jobs => "Jobs",
        }
    }
}

/// A command that a button, a key or the palette can give.
pub struct Action {
    /// Its words: a verb first, `…` only if more is asked.
    pub words: &'static str,
    /// Where it belongs.
    pub group: Group,
    /// Its keys.
    pub keys: &'static [Shortcut],
    /// What is to be done.
    pub command: fn(&State) -> Command,
    /// Why it cannot be given now.
    pub enabled: fn(&State) -> Result<(), &'static str>,
}

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

/// The action of these words.
///
/// # Panics
/// There is none: a typing mistake, which a test of every screen finds.
#[must_use]
pub fn action(words: &str) -> &'static Action {
    let found = ACTIONS.iter().find(|action| action.words == words);
    found.unwrap_or_else(|| panic!("no action {words:?} in the table"))
}

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

const fn ctrl(key: Key) -> Shortcut {
    Shortcut { modifiers: CTRL, key }
}

const fn plain(key: Key) -> Shortcut {
    Shortcut { modifiers: Modifiers::NONE, key }
}

fn quality(state: &State, preset: Preset) -> Command {
    let mut draft = state.draft.clone();
    draft.set(preset);
    Command::SetDraft(Box::new(draft))
}

/// Every action, in the order of the palette.
pub const ACTIONS: &[Action] = &[
    Action {
        words: "Open scene…",
        group: Group::Scene,
        keys: &[ctrl(Key::O)],
        command: |state| {
            let recent = state.settings.recent.first();
            let folder = recent.and_then(|path| path.parent());
            let path = folder.map(|folder| folder.join("").display().to_string());
            Command::Sheet(Some(Sheet::OpenScene { path: path.unwrap_or_default() }))
        },
        enabled: always,
    },
    Action {
        words: "Reload scene",
        group: Group::Scene,
        keys: &[ctrl(Key::R)],
        command: |_state| Command::ReloadScene,
        enabled: with_scene,
    },
    Action {
        words: "Close scene",
        group: Group::Scene,
        keys: &[],
        command: |_state| Command::CloseScene,
        enabled: with_scene,
    },
    Action {
        words: "Show the scene",
        group: Group::Scene,
        keys: &[],
        command: |_state| Command::Show(Pane::Stage),
        enabled: with_scene,
    },
    Action {
        words: "Draw a crop",
        group: Group::Scene,
        keys: &[plain(Key::C)],
        command: |state| Command::DrawCrop(!state.stage.is_cropping),
        enabled: croppable,
    },
    Action {
        words: "Render all of the frame",
        group: Group::Scene,
        keys: &[],
        command: |_state| Command::SetCrop(None),
        enabled: |state| {
            with_scene(state)?;
            if state.draft.crop.is_some() { Ok(()) } else { Err("All of it is rendered already") }
        },
    },
    Action {
        words: "Get a firm price",
        group: Group::Scene,
        keys: &[],
        command: |_state| Command::GetPrice,
        enabled: priceable,
    },
    Action {
        words: "Choose draft quality",
        group: Group::Scene,
        keys: &[],
        command: |state| quality(state, Preset::Draft),
        enabled: with_scene,
    },
    Action {
        words: "Choose good quality",
        group: Group::Scene,
        keys: &[],
        command: |state| quality(state, Preset::Good),
        enabled: with_scene,
    },
    Action {
        words: "Choose final quality",
        group: Group::Scene,
        keys: &[],
        command: |state| quality(state, Preset::Final),
        enabled: with_scene,
    },
    Action {
        words: "Submit render",
        group: Group::Scene,
        keys: &[ctrl(Key::Enter), plain(Key::F12)],
        command: |_state| Command::Submit,
        enabled: orderable,
    },
    Action {
        words: "Show the render",
        group: Group::Render,
        keys: &[],
        command: |_state| Command::Show(Pane::Job),
        enabled: with_job,
    },
    Action {
        words: "Pause or resume",
        group: Group::Render,
        keys: &[plain(Key::P)],
        command: |_state| Command::PauseOrResume,
        enabled: pausable,
    },
    Action {
        words: "Stop…",
        group: Group::Render,
        keys: &[],
        command: |_state| Command::AskToStop,
        enabled: with_running_job,
    },
    Action {
        words: "Cancel…",
        group: Group::Render,
        keys: &[],
        command: |state| match state.selected {
            _chosen if state.door == Door::Jobs => Command::Jobs(Wish::Do(Deed::Cancel)),
            Some(job) => Command::Sheet(Some(Sheet::Cancel(job))),
            None => Command::Sheet(None),
        },
        enabled: with_running_job,
    },
    Action {
        words: "Save…",
        group: Group::Render,
        keys: &[ctrl(Key::S)],
        command: |_state| Command::AskToSave,
        enabled: with_picture,
    },
    Action {
        words: "Verify this frame",
        group: Group::Render,
        keys: &[plain(Key::V)],
        command: |_state| Command::Verify,
        enabled: verifiable,
    },
    Action {
        words: "Play or pause frames",
        group: Group::Render,
        keys: &[plain(Key::Space)],
        command: |_state| Command::PlayOrPause,
        enabled: State::can_play,
    },
    Action {
        words: "Next frame",
        group: Group::Render,
        keys: &[plain(Key::ArrowRight)],
        command: |_state| Command::StepFrame(1),
        enabled: with_frames,
    },
    Action {
        words: "Previous frame",
        group: Group::Render,
        keys: &[plain(Key::ArrowLeft)],
        command: |_state| Command::StepFrame(-1),
        enabled: with_frames,
    },
    Action {
        words: "Fetch finished frames",
        group: Group::Render,
        keys: &[],
        command: |_state| Command::FetchFrames,
        enabled: |state| {
            state.can_fetch_frames()?;
            with_farm(state)
        },
    },
    Action {
        words: "Render first what is in the middle of the view",
        group: Group::Render,
        keys: &[],
        command: |state| {
            let row = state.live.as_ref().and_then(|live| Some((state.book.job(live.job)?, live)));
            match (row, state.tile_in_middle()) {
                (Some((job, live)), Some(tile)) => Command::first(job, live.shot, Some(tile)),
                _nothing => Command::Show(Pane::Job),
            }
        },
        enabled: with_middle,
    },
    Action {
        words: "Block who rendered the middle of the view…",
        group: Group::Render,
        keys: &[],
        command: |state| Command::Sheet(Sheet::block(state.nodes_in_middle())),
        enabled: with_rendered_middle,
    },
    Action {
        words: "Next job",
        group: Group::Render,
        keys: &[plain(Key::J)],
        command: |_state| Command::NextJob,
        enabled: with_job,
    },
    Action {
        words: "Previous job",
        group: Group::Render,
        keys: &[plain(Key::K)],
        command: |_state| Command::PreviousJob,
        enabled: with_job,
    },
    Action {
        words: "Show all of it",
        group: Group::View,
        keys: &[plain(Key::F)],
        command: |_state| Command::SetPort(Port::Fit),
        enabled: with_canvas,
    },
    Action {
        words: "Show its own size",
        group: Group::View,
        keys: &[plain(Key::Num1)],
        command: |_state| Command::SetPort(Port::Actual),
        enabled: with_canvas,
    },
    Action {
        words: "Keep in slot A",
        group: Group::View,
        keys: &[Shortcut { modifiers: Modifiers::SHIFT, key: Key::A }],
        command: |_state| Command::Compare(compare::Wish::Keep(Slot::A)),
        enabled: keepable,
    },
    Action {
        words: "Keep in slot B",
        group: Group::View,
        keys: &[Shortcut { modifiers: Modifiers::SHIFT, key: Key::B }],
        command: |_state| Command::Compare(compare::Wish::Keep(Slot::B)),
        enabled: keepable,
    },
    Action {
        words: "Keep or show slot A",
        group: Group::View,
        keys: &[plain(Key::A)],
        command: |_state| Command::Compare(compare::Wish::Look(Slot::A)),
        enabled: |state| comparable(state, Slot::A),
    },
    Action {
        words: "Keep or show slot B",
        group: Group::View,
        keys: &[plain(Key::B)],
        command: |_state| Command::Compare(compare::Wish::Look(Slot::B)),
        enabled: |state| comparable(state, Slot::B),
    },
    Action {
        words: "Wipe between A and B",
        group: Group::View,
        keys: &[plain(Key::W)],
        command: |_state| Command::Compare(compare::Wish::Toggle(Showing::Wipe)),
        enabled: with_both,
    },
    Action {
        words: "Show how far A and B are apart",
        group: Group::View,
        keys: &[plain(Key::D)],
        command: |_state| Command::Compare(compare::Wish::Toggle(Showing::Difference)),
        enabled: with_both,
    },
    Action {
        words: "Empty both slots",
        group: Group::View,
        keys: &[],
        command: |_state| Command::Compare(compare::Wish::Forget),
        enabled: with_kept,
    },
    Action {
        words: "Reset exposure",
        group: Group::View,
        keys: &[plain(Key::Num0)],
        command: |_state| Command::ResetExposure,
        enabled: always,
    },
    Action {
        words: "Make everything larger",
        group: Group::View,
        keys: &[ctrl(Key::Plus), ctrl(Key::Equals)],
        command: |state| Command::SetZoom(state.settings.zoom + 0.1),
        enabled: always,
    },
    Action {
        words: "Make everything smaller",
        group: Group::View,
        keys: &[ctrl(Key::Minus)],
        command: |state| Command::SetZoom(state.settings.zoom - 0.1),
        enabled: always,
    },
    Action {
        words: "Usual size of everything",
        group: Group::View,
        keys: &[ctrl(Key::Num0)],
        command: |_state| Command::SetZoom(1.0),
        enabled: always,
    },
    Action {
        words: "Open Render",
        group: Group::App,
        keys: &[ctrl(Key::Num1)],
        command: |_state| Command::Open(Door::Render),
        enabled: always,
    },
    Action {
        words: "Open My node",
        group: Group::App,
        keys: &[ctrl(Key::Num2)],
        command: |_state| Command::Open(Door::MyNode),
        enabled: always,
    },
    Action {
        words: "Open Jobs",
        group: Group::App,
        keys: &[ctrl(Key::Num3)],
        command: |_state| Command::Open(Door::Jobs),
        enabled: always,
    },
    Action {
        words: "Open Wallet",
        group: Group::App,
        keys: &[ctrl(Key::Num4)],
        command: |_state| Command::Open(Door::Wallet),
        enabled: always,
    },
    Action {
        words: "Open Settings",
        group: Group::App,
        keys: &[ctrl(Key::Num5), ctrl(Key::Comma)],
        command: |_state| Command::Open(Door::Settings),
        enabled: always,
    },
    Action {
        words: "Find a command…",
        group: Group::App,
        keys: &[ctrl(Key::P), ctrl(Key::K)],
        command: |_state| Command::Sheet(Some(Sheet::Palette { query: String::new(), chosen: 0 })),
        enabled: always,
    },
    Action {
        words: "Show keys",
        group: Group::App,
        keys: &[plain(Key::F1), plain(Key::Questionmark)],
        command: |_state| Command::Sheet(Some(Sheet::Keys)),
        enabled: always,
    },
    Action {
        words: "Show notices",
        group: Group::App,
        keys: &[Shortcut { modifiers: CTRL_SHIFT, key: Key::B }],
        command: |_state| Command::Sheet(Some(Sheet::Notices)),
        enabled: always,
    },
    Action {
        words: "Start or pause my node",
        group: Group::Node,
        keys: &[Shortcut { modifiers: CTRL_SHIFT, key: Key::N }],
        command: |state| match (state.node.run, state.node.hold) {
            (Run::Off, _) => Command::StartNode,
            (_, None) => Command::PauseNode(Hold::AfterThisTile),
            (_, Some(_)) => Command::ResumeNode,
        },
        enabled: lendable,
    },
    Action {
        words: "Stop the tile at once and pause my node",
        group: Group::Node,
        keys: &[],
        command: |_state| Command::PauseNode(Hold::Now),
        enabled: with_node,
    },
    Action {
        words: "Stop my node",
        group: Group::Node,
        keys: &[],
        command: |_state| Command::StopNode,
        enabled: with_node,
    },
    Action {
        words: "Run anyway for an hour",
        group: Group::Node,
        keys: &[],
        command: |_state| Command::RunAnyway,
        enabled: |state| {
            with_node(state)?;
            if state.node.may_run_anyway() {
                Ok(())
            } else {
                Err("It does not rest for your sake now")
            }
        },
    },
    Action {
        words: "Refuse the job at hand…",
        group: Group::Node,
        keys: &[],
        command: |state| {
            let refused = state.node.job().map(|job| Unwanted { job, report: String::new() });
            Command::Sheet(refused.map(Sheet::Refuse))
        },
        enabled: |state| {
            with_node(state)?;
            if state.is_on_own_farm() {
                return Err("The farm is your own; cancel the job instead");
            }
            state.node.job().map(|_job| ()).ok_or("It renders nothing now")
        },
    },
    Action {
        words: "List blocked nodes",
        group: Group::App,
        keys: &[],
        command: |_state| Command::Sheet(Some(Sheet::Blocks)),
        enabled: with_farm_or_blocks,
    },
    Action {
        words: "Redeem a voucher…",
        group: Group::App,
        keys: &[],
        command: |_state| Command::Sheet(Some(Sheet::Wallet(WalletSheet::of(Matter::Redeem)))),
        enabled: with_farm,
    },
    Action {
        words: "Put tokens at risk…",
        group: Group::App,
        keys: &[],
        command: |_state| Command::Sheet(Some(Sheet::Wallet(WalletSheet::of(Matter::Stake)))),
        enabled: with_wallet,
    },
    Action {
        words: "Ask tokens back…",
        group: Group::App,
        keys: &[],
        command: |_state| Command::Sheet(Some(Sheet::Wallet(WalletSheet::of(Matter::Unstake)))),
        enabled: with_stake,
    },
    Action {
        words: "Save the statement…",
        group: Group::App,
        keys: &[],
        command: |_state| Command::Sheet(Some(Sheet::Wallet(WalletSheet::of(Matter::Export)))),
        enabled: with_wallet,
    },
    Action {
        words: "Back up the key…",
        group: Group::App,
        keys: &[],
        command: |_state| Command::Sheet(Some(Sheet::Wallet(WalletSheet::of(Matter::BackUp)))),
        enabled: |_state| Ok(()),
    },
    Action {
        words: "Start a farm on this machine",
        group: Group::App,
        keys: &[],
        command: |_state| Command::StartOwnFarm,
        enabled: |state| match state.own_farm {
            OwnFarm::Off | OwnFarm::Failed { .. } => Ok(()),
            OwnFarm::Starting | OwnFarm::Up { .. } => Err("It runs already"),
        },
    },
    Action {
        words: "Retry now",
        group: Group::App,
        keys: &[],
        command: |_state| Command::RetryNow,
        enabled: |state| match &state.link {
            Link::Lost { .. } => Ok(()),
            _other => Err("The connection is not lost"),
        },
    },
    Action {
        words: "Filter jobs",
        group: Group::Jobs,
        keys: &[ctrl(Key::F), plain(Key::Slash)],
        command: |_state| Command::Jobs(Wish::FocusFilter),
        enabled: with_farm_or_jobs,
    },
    Action {
        words: "Select all jobs",
        group: Group::Jobs,
        keys: &[ctrl(Key::A)],
        command: |_state| Command::Jobs(Wish::ChooseAll),
        enabled: with_list,
    },
    Action {
        words: "Select or unselect this job",
        group: Group::Jobs,
        keys: &[plain(Key::Space)],
        command: |_state| Command::Jobs(Wish::ToggleHere),
        enabled: with_list,
    },
    Action {
        words: "Open the selected job",
        group: Group::Jobs,
        keys: &[plain(Key::Enter)],
        command: |state| match state.jobs.cursor().or(state.selected) {
            Some(job) => Command::Watch { job, shot: ShotIndex::default() },
            None => Command::Open(Door::Jobs),
        },
        enabled: with_chosen,
    },
    Action {
        words: "Retry failed",
        group: Group::Jobs,
        keys: &[plain(Key::R)],
        command: |_state| Command::Jobs(Wish::Do(Deed::Retry)),
        enabled: |state| {
            with_list(state)?;
            state.can_do(Deed::Retry).map(|_count| ())
        },
    },
    Action {
        words: "Priority…",
        group: Group::Jobs,
        keys: &[],
        command: |_state| Command::Jobs(Wish::Do(Deed::Prefer)),
        enabled: |state| {
            with_list(state)?;
            state.can_do(Deed::Prefer).map(|_count| ())
        },
    },
    Action {
        words: "Copy ids",
        group: Group::Jobs,
        keys: &[ctrl(Key::C)],
        command: |state| Command::Copy(state.chosen_ids()),
        enabled: with_chosen,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn no_key_has_two_meanings() {
        let mut seen = BTreeMap::new();
        for action in ACTIONS {
            for keys in action.keys {
                // What is selected in the list of jobs is so behind its door alone.
                let is_of_list = action.group == Group::Jobs && keys.key == Key::Space;
                let before = seen.insert((keys.words(), is_of_list), action.words);
                assert_eq!(before, None, "{} is also {}", keys.words(), action.words);
            }
        }
    }

    #[test]
    fn words_are_told_apart_and_read_well() {
        let mut words: Vec<&str> = ACTIONS.iter().map(|action| action.words).collect();
        for words in &words {
            let first = words.chars().next().expect("not empty");
            assert!(first.is_uppercase() && !words.ends_with('.'), "{words}");
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ACTIONS.len());
    }
}
