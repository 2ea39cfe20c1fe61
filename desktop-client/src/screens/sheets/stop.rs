//! What would happen, before it does.

use egui::{RichText, Ui};
use protocol::{JobId, Steering, Tokens};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::theme::palette;
use crate::widgets::{dim, fact, primary_button};
use crate::words;

/// Ends with what is there.
pub(super) fn stop(state: &State, job: JobId, ui: &mut Ui, commands: &mut Commands) {
    let meaning =
        "It ends with the samples that it has. What nodes have begun comes in and is paid";
    ask(state, job, meaning, "Stop render", Steering::Stop, ui, commands);
}

/// Ends at once.
pub(super) fn cancel(state: &State, job: JobId, ui: &mut Ui, commands: &mut Commands) {
    let meaning = "It ends at once. What nodes have begun is dropped; films that are here are judged \
                   and paid";
    ask(state, job, meaning, "Cancel render", Steering::Cancel, ui, commands);
}

fn ask(
    state: &State,
    job: JobId,
    meaning: &str,
    verb: &str,
    steering: Steering,
    ui: &mut Ui,
    commands: &mut Commands,
) {
    let Some(summary) = state.book.job(job) else {
        dim(ui, "This job is not known any more");
        return;
    };
    ui.label(RichText::new(&summary.spec.name).color(palette(ui).text));
    dim(ui, meaning);
    let kept = words::units(summary.units_accepted.into(), summary.units.into());
    fact(ui, "Kept", &kept);
    if !summary.price.is_zero() {
        let rest = summary.price.checked_sub(summary.spent).unwrap_or(Tokens::ZERO);
        fact(ui, "Returns, at most", &words::tokens(rest));
    }
    ui.horizontal(|ui| {
        if primary_button(ui, verb).clicked() {
            commands.push(Command::Steer { job, steering });
        }
        if ui.button("Let it go on").clicked() {
            commands.push(Command::Sheet(None));
        }
    });
}
