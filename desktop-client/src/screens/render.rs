//! The Render door: a scene that is being prepared, or a job as it is rendered.

mod compare;
mod empty;
mod job;
mod light;
mod order;
mod stage;
mod strip;

use egui::Ui;

use crate::command::{Command, Commands};
use crate::state::{Pane, State};
use crate::theme::space;
use crate::widgets::segmented;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    if !state.shows_stage() {
        return job::show(state, ui, commands);
    }
    match &state.stage.scene {
        Some(scene) => stage::show(state, scene, ui, commands),
        None => empty::show(state, ui, commands),
    }
}

/// Chooses between scene and job, where there are both.
fn panes(state: &State, ui: &mut Ui, commands: &mut Commands) {
    if state.stage.scene.is_none() || state.selected.is_none() {
        return;
    }
    let shown = if state.shows_stage() { Pane::Stage } else { Pane::Job };
    if let Some(pane) = segmented(ui, Some(shown), &[(Pane::Stage, "Scene"), (Pane::Job, "Job")]) {
        commands.push(Command::Show(pane));
    }
    ui.add_space(space::ITEM);
}
