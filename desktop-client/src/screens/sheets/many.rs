//! What would happen to several jobs, before it does.

use egui::{RichText, Ui};
use protocol::view::JobSummary;
use protocol::{JobId, Priority, Steering};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::jobs::{Tally, Wish};
use crate::state::sheet::Sheet;
use crate::theme::palette;
use crate::widgets::{dim, fact, primary_button, slider};
use crate::words;

/// Names that are told; of more, how many.
const NAMES: usize = 5;

/// `Stop 3 renders`.
pub(super) fn title(jobs: &[JobId], steering: Steering) -> String {
    let renders = words::plural(jobs.len() as u64, "render", "renders");
    format!("{} {renders}", verb(steering))
}

fn verb(steering: Steering) -> &'static str {
    if steering == Steering::Stop { "Stop" } else { "Cancel" }
}

/// Asks whether jobs are to end.
pub(super) fn end(
    state: &State,
    jobs: &[JobId],
    steering: Steering,
    ui: &mut Ui,
    commands: &mut Commands,
) {
    let known = jobs.iter().filter_map(|job| state.book.job(*job));
    let (ending, over): (Vec<&JobSummary>, Vec<&JobSummary>) =
        known.partition(|job| !job.status.is_over());
    dim(
        ui,
        match steering {
            Steering::Stop => {
                "They end with the samples that they have. What nodes have begun comes in and is paid"
            }
            _cancel => {
                "They end at once. What nodes have begun is dropped; films that are here are judged \
                 and paid"
            }
        },
    );
    names(&ending, ui);
    if !over.is_empty() {
        let are = words::plural(over.len() as u64, "of them is", "of them are");
        dim(ui, format!("{are} over already"));
    }
    let tally = Tally::of(ending.iter().copied());
    fact(ui, "Kept", &words::units(tally.units_accepted, tally.units));
    if !tally.price.is_zero() {
        fact(ui, "Returns, at most", &words::tokens(tally.returns));
    }
    ui.horizontal(|ui| {
        let renders = words::plural(ending.len() as u64, "render", "renders");
        let words = format!("{} {renders}", verb(steering));
        let is_of_use = !ending.is_empty();
        let button = ui.add_enabled_ui(is_of_use, |ui| primary_button(ui, &words)).inner;
        if button.clicked() {
            let jobs = ending.iter().map(|job| job.job).collect();
            commands.push(Command::Jobs(Wish::Steer { jobs, steering }));
        }
        if ui.button("Let them go on").clicked() {
            commands.push(Command::Sheet(None));
        }
    });
}

/// Asks which priority jobs are to have.
pub(super) fn prefer(
    state: &State,
    jobs: &[JobId],
    priority: u8,
    ui: &mut Ui,
    commands: &mut Commands,
) {
    let known: Vec<&JobSummary> = jobs.iter().filter_map(|job| state.book.job(*job)).collect();
    dim(ui, "The highest comes first, among your own jobs. 50 is usual");
    names(&known, ui);
    let mut chosen = f32::from(priority);
    slider(ui, "Priority", &mut chosen, 1.0..=100.0, ("", 0));
    let chosen = chosen.round() as u8;
    if chosen != priority {
        let sheet = Sheet::Prefer { jobs: jobs.to_vec(), priority: chosen };
        commands.push(Command::Sheet(Some(sheet)));
    }
    ui.horizontal(|ui| {
        let words = format!("Set for {}", words::plural(jobs.len() as u64, "job", "jobs"));
        if primary_button(ui, &words).clicked()
            && let Ok(priority) = Priority::try_from(chosen)
        {
            let steering = Steering::Priority(priority);
            commands.push(Command::Jobs(Wish::Steer { jobs: jobs.to_vec(), steering }));
        }
        if ui.button("Leave it").clicked() {
            commands.push(Command::Sheet(None));
        }
    });
}

fn names(jobs: &[&JobSummary], ui: &mut Ui) {
    let colour = palette(ui).text;
    for job in jobs.iter().take(NAMES) {
        let name = RichText::new(&job.spec.name).color(colour);
        ui.add(egui::Label::new(name).truncate());
    }
    if jobs.len() > NAMES {
        dim(ui, format!("and {} more", jobs.len() - NAMES));
    }
}
