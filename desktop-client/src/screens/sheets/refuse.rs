//! A job that is not to be rendered on this machine, and a word to the farm's operator.

use egui::{TextEdit, Ui};
use farm_node::Unwanted;
use protocol::limits;

use crate::command::{Command, Commands};
use crate::state::sheet::Sheet;
use crate::theme::space;
use crate::widgets::{dim, fact, primary_button};

pub(super) fn show(job: &Unwanted, ui: &mut Ui, commands: &mut Commands) {
    fact(ui, "Job", &job.job.short());
    dim(
        ui,
        "Its tile goes back, and the farm gives this machine no more of it. Other work goes on",
    );
    ui.add_space(space::ITEM);
    let label = dim(ui, "Report to the farm's operator, if it should not be rendered at all");
    let mut report = job.report.clone();
    let field = TextEdit::multiline(&mut report)
        .desired_rows(3)
        .desired_width(f32::INFINITY)
        .char_limit(limits::REPORT_CHARS_MAX)
        .margin(egui::Margin::symmetric(8, 6));
    let field = ui.add(field).labelled_by(label.id);
    if ui.memory(|memory| memory.focused().is_none()) {
        field.request_focus();
    }
    if report != job.report {
        let changed = Unwanted { report: report.clone(), ..job.clone() };
        commands.push(Command::Sheet(Some(Sheet::Refuse(changed))));
    }
    ui.horizontal(|ui| {
        let is_report = !report.trim().is_empty();
        let verb = if is_report { "Refuse and report" } else { "Refuse the job" };
        if primary_button(ui, verb).clicked() {
            let refused = Unwanted { report: report.trim().to_owned(), ..job.clone() };
            commands.push(Command::Refuse(Box::new(refused)));
        }
        if ui.button("Let it go on").clicked() {
            commands.push(Command::Sheet(None));
        }
    });
}
