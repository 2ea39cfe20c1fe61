//! A scene on the stage: what one sees, from where, in what light; and what it will be.

use egui::{
    Align, ComboBox, Key, Layout, Modifiers, Painter, PointerButton, Pos2, RichText, ScrollArea,
    Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, WidgetType, pos2,
};
use protocol::Size;

use super::{compare, empty, light, order};
use crate::command::{Command, Commands, action};
use crate::look::{self, Shown};
use crate::state::State;
use crate::state::crop;
use crate::state::orbit::Orbit;
use crate::state::port::{Canvas, Port};
use crate::state::stage::{Staged, Standpoint};
use crate::theme::{self, Palette, palette, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{self, action_button, action_button_as, card, dim, heading, setting, slider};
use crate::words;

/// Width of the settings beside the picture.
const SIDE: f32 = 296.0;
/// Height of the line under the picture.
const FOOT: f32 = 28.0;
/// Largest preview, pixels: what two cores refine while one looks.
const ROOM_MAX: Size = Size::new(1600, 1200);
/// A drag over the whole height turns by half a circle.
const TURN: f32 = std::f32::consts::PI;
/// A step of an arrow key, in heights of the picture.
const KEY_STEP: f32 = 0.04;

pub(super) fn show(state: &State, scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    header(state, scene, ui, commands);
    if let Some(trouble) = &state.stage.trouble {
        empty::not_read(ui, trouble, commands);
    }
    let height = ui.available_height();
    ui.horizontal_top(|ui| {
        let width = (ui.available_width() - SIDE - space::PAGE).max(0.0);
        ui.allocate_ui_with_layout(Vec2::new(width, height), Layout::top_down(Align::Min), |ui| {
            if state.compares() {
                let room = ui.available_size() - Vec2::new(0.0, FOOT + space::ITEM);
                compare::canvas(state, ui, room, commands);
            } else {
                canvas(state, scene, ui, commands);
            }
            foot(scene, ui, commands);
        });
        ui.add_space(space::PAGE - space::ITEM);
        ui.allocate_ui_with_layout(Vec2::new(SIDE, height), Layout::top_down(Align::Min), |ui| {
            side(state, scene, ui, commands);
        });
    });
}

/// What leads to the picture scrolls; the price and the button are always in sight.
fn side(state: &State, scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    let bare = egui::Frame::new();
    egui::Panel::bottom("stage price").frame(bare).show_separator_line(false).show(ui, |ui| {
        order::price(state, scene, ui, commands);
    });
    let above = bare.inner_margin(egui::Margin { bottom: space::ITEM as i8, ..Default::default() });
    egui::CentralPanel::default().frame(above).show(ui, |ui| {
        ScrollArea::vertical().id_salt("stage settings").auto_shrink(false).show(ui, |ui| {
            view_card(state, scene, ui, commands);
            light::show(state, scene, ui, commands);
            order::settings(state, scene, ui, commands);
            compare::show(state, ui, commands);
        });
    });
}

fn header(state: &State, scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    ui.horizontal(|ui| {
        ui.set_min_height(space::CONTROL);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            action_button(ui, state, action("Open scene…"), false, commands);
            action_button(ui, state, action("Reload scene"), false, commands);
            let drawing = if state.stage.is_cropping { "Cancel crop" } else { "Draw a crop" };
            action_button_as(ui, state, action("Draw a crop"), drawing, false, commands);
            if let Some(path) = &state.stage.opening {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                dim(ui, format!("Reading {name}"));
                ui.spinner();
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                super::panes(state, ui, commands);
                heading(ui, &scene.imported.name);
            });
        });
    });
    ui.add_space(space::TINY);
}

/// The preview, which is walked around by dragging, scrolling and arrow keys.
fn canvas(state: &State, scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    let room = ui.available_size() - Vec2::new(0.0, FOOT + space::ITEM);
    let (area, response) = ui.allocate_exact_size(room, Sense::click_and_drag());
    let colours = palette(ui);
    ui.painter().rect_filled(area, theme::RADIUS_CONTROL, colours.surround);
    let points = ui.ctx().pixels_per_point();
    ask_for_room(state, area.size() * points, commands);

    let preview = &scene.preview;
    let size = state.draft.size;
    let canvas = Canvas { rect: area, size, pixels_per_point: points };
    let frame = fitted(&canvas);
    ui.painter().rect_filled(frame, 0.0, colours.missing);
    look::paint(ui, area, Shown::of(preview.picture.clone(), frame, state.look.clone()));
    let name = match state.draft.crop {
        None => format!("Preview of {}", scene.imported.name),
        Some(crop) => format!("Preview of {}, crop {crop}", scene.imported.name),
    };
    cropping(state, ui, &response, frame, commands);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &name));
    widgets::focus_ring(ui, &response);
    if let Some(trouble) = &preview.trouble {
        let place = egui::Rect::from_center_size(
            area.center(),
            Vec2::new((area.width() - 48.0).min(460.0), 90.0),
        );
        ui.scope_builder(egui::UiBuilder::new().max_rect(place), |ui| {
            if widgets::error_card(ui, "There is no preview", trouble, commands) {
                commands.push(Command::LookAgain);
            }
        });
    }
    if response.clicked() {
        response.request_focus();
    }
    if let Some(orbit) = scene.orbit()
        && !state.stage.is_cropping
        && let Some(moved) = walked(ui, &response, frame.height().max(1.0), orbit)
    {
        commands.push(Command::Stand(Standpoint::Free(moved)));
    }
}

/// What of the frame is rendered, and how one draws that.
fn cropping(
    state: &State,
    ui: &Ui,
    response: &egui::Response,
    frame: egui::Rect,
    commands: &mut Commands,
) {
    let size = state.draft.size;
    let mut shown = state.draft.crop;
    if state.stage.is_cropping {
        let pointer = response.interact_pointer_pos();
        let begun = match pointer.filter(|_| response.drag_started()) {
            Some(at) => Some(ui.input(|input| input.pointer.press_origin()).unwrap_or(at)),
            None => ui.data(|data| data.get_temp::<Pos2>(response.id)),
        };
        if response.hovered() {
            ui.ctx().set_cursor_icon(egui::CursorIcon::Crosshair);
        }
        if let (Some(from), Some(to)) = (begun, pointer) {
            let drawn = crop::drawn(from, to, frame, size);
            if response.drag_stopped() {
                commands
                    .push(drawn.map_or(Command::DrawCrop(false), |it| Command::SetCrop(Some(it))));
            }
            shown = drawn.or(shown);
            ui.data_mut(|data| data.insert_temp(response.id, from));
        }
        if pointer.is_none() {
            ui.data_mut(|data| data.remove::<Pos2>(response.id));
        }
    }
    let clip = ui.painter().with_clip_rect(response.rect);
    if let Some(crop) = shown {
        mark_crop(&clip, crop, frame, size, palette(ui));
    }
    if state.stage.is_cropping {
        let words = "Drag over what is to be rendered. Esc leaves it as it is";
        let colours = palette(ui);
        let galley = clip.layout_no_wrap(words.to_owned(), theme::sans(12.5), colours.on_picture);
        let at = response.rect.center_top() + Vec2::new(-galley.size().x / 2.0, 14.0);
        let plate = egui::Rect::from_min_size(at, galley.size()).expand2(Vec2::new(8.0, 4.0));
        clip.rect_filled(plate, 4.0, colours.scrim);
        clip.galley(at, galley, colours.on_picture);
    }
}

/// Dims what is not rendered, and tells what is.
fn mark_crop(
    painter: &Painter,
    crop: protocol::Crop,
    frame: egui::Rect,
    size: Size,
    colours: &Palette,
) {
    let kept = crop::place(crop, frame, size);
    let rows = [
        egui::Rect::from_min_max(frame.min, pos2(frame.right(), kept.top())),
        egui::Rect::from_min_max(pos2(frame.left(), kept.bottom()), frame.max),
        egui::Rect::from_min_max(pos2(frame.left(), kept.top()), kept.left_bottom()),
        egui::Rect::from_min_max(kept.right_top(), pos2(frame.right(), kept.bottom())),
    ];
    for outside in rows.into_iter().filter(egui::Rect::is_positive) {
        painter.rect_filled(outside, 0.0, colours.veil);
    }
    painter.rect_stroke(kept, 0.0, Stroke::new(3.0, colours.scrim), StrokeKind::Middle);
    painter.rect_stroke(kept, 0.0, Stroke::new(1.0, colours.on_picture), StrokeKind::Middle);
    let text = format!("{} at {}, {}", words::size(crop.size), crop.x, crop.y);
    let galley = painter.layout_no_wrap(text, theme::mono(11.5), colours.on_picture);
    let below = kept.left_bottom() + Vec2::new(8.0, 10.0);
    let is_room = below.y + galley.size().y + 4.0 < painter.clip_rect().bottom();
    let at = if is_room { below } else { kept.left_top() + Vec2::new(8.0, 8.0) };
    let plate = egui::Rect::from_min_size(at, galley.size()).expand2(Vec2::new(6.0, 3.0));
    painter.rect_filled(plate, 4.0, colours.scrim);
    painter.galley(at, galley, colours.on_picture);
}

/// Where the whole frame lies, however small the preview's pixels are.
fn fitted(canvas: &Canvas) -> egui::Rect {
    // A frame larger than the screen is fitted; a smaller one is not blown up past the canvas.
    Port::Fit.place(canvas)
}

fn ask_for_room(state: &State, pixels: Vec2, commands: &mut Commands) {
    let most = Vec2::new(ROOM_MAX.width as f32, ROOM_MAX.height as f32);
    let Vec2 { x, y } = pixels.min(most).max(Vec2::splat(16.0));
    let room = Size::new(x as u32, y as u32);
    if state.room != Some(room) {
        commands.push(Command::Room(room));
    }
}

/// Where one has walked in this frame, if anywhere: dragging turns, with Shift or the middle button
/// it pans, scrolling goes nearer; arrow keys do the same.
fn walked(ui: &Ui, response: &egui::Response, height: f32, orbit: Orbit) -> Option<Orbit> {
    let mut moved = orbit;
    let shift = ui.input(|input| input.modifiers.shift);
    let drag = response.drag_delta() / height;
    if drag != Vec2::ZERO {
        let pans = shift || response.dragged_by(PointerButton::Middle);
        moved = if pans {
            moved.panned(-drag.x, drag.y)
        } else {
            moved.turned(drag.x * TURN, drag.y * TURN)
        };
    }
    let motion = widgets::motion(response);
    if (motion.factor - 1.0).abs() > 1e-4 {
        moved = moved.nearer(motion.factor);
    }
    if response.has_focus() {
        // Arrows walk here; elsewhere they lead from one control to the next.
        let filter = egui::EventFilter {
            horizontal_arrows: true,
            vertical_arrows: true,
            ..egui::EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        ui.input_mut(|input| {
            let keys = [
                (Key::ArrowLeft, -1.0, 0.0),
                (Key::ArrowRight, 1.0, 0.0),
                (Key::ArrowUp, 0.0, 1.0),
                (Key::ArrowDown, 0.0, -1.0),
            ];
            for (key, x, y) in keys {
                let (x, y) = (x * KEY_STEP, y * KEY_STEP);
                if input.consume_key(Modifiers::SHIFT, key) {
                    moved = moved.panned(x, y);
                } else if input.consume_key(Modifiers::NONE, key) {
                    moved = moved.turned(-x * TURN, y * TURN);
                }
            }
            if input.consume_key(Modifiers::NONE, Key::PageUp) {
                moved = moved.nearer(1.15);
            }
            if input.consume_key(Modifiers::NONE, Key::PageDown) {
                moved = moved.nearer(1.0 / 1.15);
            }
        });
    }
    (moved != orbit).then_some(moved)
}

/// What was imported, and how far the preview is.
fn foot(scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    let report = &scene.imported.report;
    ui.horizontal(|ui| {
        ui.set_min_height(FOOT);
        let colours = palette(ui);
        if !report.warnings.is_empty() {
            icon::show(ui, Icon::Warning, 14.0, colours.warn);
            let count = report.warnings.len() as u64;
            let words = words::plural(count, "thing left out", "things left out");
            let more = ui.link(RichText::new(words).color(colours.warn));
            egui::Popup::menu(&more).width(420.0).show(|ui| {
                ui.set_max_width(420.0);
                for warning in &report.warnings {
                    ui.add(egui::Label::new(warning).wrap());
                }
                if ui.button("Copy").clicked() {
                    commands.push(Command::Copy(report.warnings.join("\n")));
                }
            });
        }
        let facts = format!(
            "{} triangles · {} · {}",
            words::count(report.triangles),
            words::plural(report.textures as u64, "texture", "textures"),
            words::bytes(report.package_bytes),
        );
        dim(ui, facts);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let preview = &scene.preview;
            let words = match (preview.samples, preview.wanted) {
                _ if preview.trouble.is_some() => String::new(),
                (0, _) => "Looking".to_owned(),
                (samples, wanted) if samples >= wanted => format!("{samples} spp"),
                (samples, wanted) => format!("{samples} of {wanted} spp"),
            };
            ui.label(RichText::new(words).font(theme::mono(12.0)).color(colours.text_dim));
        });
    });
}

/// From where one looks, and how light is seen.
fn view_card(state: &State, scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    card(ui, |ui| {
        widgets::caption(ui, "Camera");
        let sights = &scene.imported.sights;
        let shown = match scene.standpoint {
            Standpoint::Sight(place) => {
                sights.get(place).map_or_else(String::new, |sight| sight.words.clone())
            }
            Standpoint::Free(_) => "My own view".to_owned(),
        };
        setting(ui, "Look through", |ui| {
            let list =
                ComboBox::from_id_salt("camera").selected_text(shown).width(150.0).truncate();
            let list = list.show_ui(ui, |ui| {
                for (place, sight) in sights.iter().enumerate() {
                    let is_chosen = scene.standpoint == Standpoint::Sight(place);
                    if ui.selectable_label(is_chosen, &sight.words).clicked() {
                        commands.push(Command::Stand(Standpoint::Sight(place)));
                    }
                }
            });
            list.response
        });
        if let Standpoint::Free(orbit) = scene.standpoint {
            let mut vfov = orbit.vfov_degrees;
            setting(ui, "Field of view", |ui| {
                let value = egui::DragValue::new(&mut vfov).range(1.0..=170.0).suffix(" °");
                ui.add(value.speed(0.25).max_decimals(1))
            });
            if (vfov - orbit.vfov_degrees).abs() > 1e-3 {
                let orbit = Orbit { vfov_degrees: vfov, ..orbit };
                commands.push(Command::Stand(Standpoint::Free(orbit)));
            }
        }
        if scene.imported.animation_s > 0.0 {
            let mut frame = scene.frame as f32;
            let last = state.draft.frames.1.max(1) as f32;
            slider(ui, "Frame", &mut frame, 0.0..=last, ("", 0));
            let frame = frame.round() as u32;
            if frame != scene.frame {
                commands.push(Command::SetFrame(frame));
            }
        }
        dim(ui, "Drag to turn, Shift to pan, scroll to go nearer");
    });
}
