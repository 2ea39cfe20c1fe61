//! Where and how a picture is saved.

use egui::{TextEdit, Ui};

use crate::command::{Command, Commands};
use crate::state::sheet::{SaveSheet, Sheet};
use crate::theme::{palette, space};
use crate::widgets::{check, dim, primary_button};

pub(super) fn show(sheet: &SaveSheet, ui: &mut Ui, commands: &mut Commands) {
    let mut new = sheet.clone();
    let label = dim(ui, "Folder");
    let folder = TextEdit::singleline(&mut new.folder).desired_width(f32::INFINITY);
    ui.add(folder.margin(egui::Margin::symmetric(8, 6))).labelled_by(label.id);
    let label = dim(ui, "Name; {frame} and {camera} are filled in");
    let name = TextEdit::singleline(&mut new.name).desired_width(f32::INFINITY);
    ui.add(name.margin(egui::Margin::symmetric(8, 6))).labelled_by(label.id);
    ui.add_space(space::TINY);
    check(ui, &mut new.exr, "EXR, the light as it was rendered");
    check(ui, &mut new.png, "PNG, as it looks here");
    check(ui, &mut new.replaces, "Replace files of these names; else they are numbered");
    let mut all = new.shot.is_none();
    let shot = sheet.shot;
    if check(ui, &mut all, "Every frame and camera of the job").changed() {
        new.shot = if all { None } else { shot.or(Some(protocol::ShotIndex::default())) };
    }
    ui.add_space(space::ITEM);
    if let Some(problem) = new.problem() {
        ui.colored_label(palette(ui).error, problem);
    }
    ui.add_enabled_ui(new.problem().is_none(), |ui| {
        if primary_button(ui, "Save").clicked() {
            commands.push(Command::Save(Box::new(new.clone())));
        }
    });
    if new != *sheet {
        commands.insert(0, Command::Sheet(Some(Sheet::Save(new))));
    }
}
