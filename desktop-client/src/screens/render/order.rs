//! What the render will be, what it will cost, and the button that orders it.

use egui::{ComboBox, DragValue, RichText, TextEdit, Ui};
use protocol::{Assurance, Size};

use crate::command::{Command, Commands, action};
use crate::state::checkout::Price;
use crate::state::crop;
use crate::state::draft::{Draft, Preset};
use crate::state::stage::Staged;
use crate::state::{Link, State};
use crate::theme::{self, palette, space};
use crate::widgets::{
    self, action_button, action_button_as, bar, card, check, dim, segmented, setting,
};
use crate::words;

/// Sizes by name.
const SIZES: [(&str, Size); 6] = [
    ("HD 720", Size::new(1280, 720)),
    ("Full HD", Size::new(1920, 1080)),
    ("4K UHD", Size::new(3840, 2160)),
    ("Square", Size::new(1080, 1080)),
    ("Portrait", Size::new(1080, 1920)),
    ("Small", Size::new(640, 360)),
];

/// Settings of the render.
pub(super) fn settings(state: &State, scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    let mut draft = state.draft.clone();
    card(ui, |ui| {
        widgets::caption(ui, "Render");
        let presets = Preset::ALL.map(|preset| (preset, preset.word()));
        if let Some(preset) = segmented(ui, draft.preset(), &presets) {
            draft.set(preset);
        }
        picture(ui, &mut draft);
        // The crop is of the frame as it was: with another size it is scaled, not cut.
        crop(ui, &mut draft, state.draft.size);
        quality(ui, &mut draft);
        if scene.imported.animation_s > 0.0 {
            frames(ui, &mut draft);
        }
        egui::CollapsingHeader::new("More").show(ui, |ui| more(ui, &mut draft));
    });
    if draft != state.draft {
        commands.push(Command::SetDraft(Box::new(draft)));
    }
}

fn picture(ui: &mut Ui, draft: &mut Draft) {
    let known =
        SIZES.iter().find(|(_, size)| *size == draft.size).map_or("Other", |(name, _)| name);
    setting(ui, "Size", |ui| {
        let list = ComboBox::from_id_salt("size").selected_text(known).width(110.0);
        let list = list.show_ui(ui, |ui| {
            for (name, size) in SIZES {
                let words = format!("{name}  {}", words::size(size));
                ui.selectable_value(&mut draft.size, size, words);
            }
        });
        list.response
    });
    setting(ui, "Width", |ui| ui.add(pixels(&mut draft.size.width, 16..=32_768)));
    setting(ui, "Height", |ui| ui.add(pixels(&mut draft.size.height, 16..=32_768)));
}

/// A number of pixels, which counts once it is typed to its end: `1920` begins with 1, 19 and 192.
fn pixels<N: egui::emath::Numeric>(
    value: &mut N,
    range: std::ops::RangeInclusive<N>,
) -> DragValue<'_> {
    DragValue::new(value).range(range).suffix(" px").update_while_editing(false)
}

/// The part of the frame that is rendered: typed here, or drawn on the preview.
fn crop(ui: &mut Ui, draft: &mut Draft, frame: Size) {
    let mut is_cropped = draft.crop.is_some();
    if check(ui, &mut is_cropped, "Crop").changed() {
        draft.crop = is_cropped.then(|| crop::middle(frame));
    }
    let Some(mut crop) = draft.crop else { return };
    let (right, bottom) = (frame.width.max(1) as i32 - 1, frame.height.max(1) as i32 - 1);
    setting(ui, "From the left", |ui| ui.add(pixels(&mut crop.x, 0..=right)));
    setting(ui, "From the top", |ui| ui.add(pixels(&mut crop.y, 0..=bottom)));
    setting(ui, "Crop width", |ui| ui.add(pixels(&mut crop.size.width, 1..=frame.width)));
    setting(ui, "Crop height", |ui| ui.add(pixels(&mut crop.size.height, 1..=frame.height)));
    draft.crop = Some(crop::inside(crop, frame));
    dim(ui, format!("{:.0} % of the frame", crop::share(crop, frame) * 100.0));
}

fn quality(ui: &mut Ui, draft: &mut Draft) {
    let most = if draft.noise.is_some() { "Samples at most" } else { "Samples" };
    setting(ui, most, |ui| {
        ui.add(DragValue::new(&mut draft.samples).range(1..=65_536).suffix(" spp"))
    });
    let mut stops = draft.noise.is_some();
    if check(ui, &mut stops, "Stop where it is clean enough").changed() {
        draft.noise = stops.then_some(0.02);
    }
    if let Some(noise) = &mut draft.noise {
        let mut percent = *noise * 100.0;
        setting(ui, "Noise", |ui| {
            let value = DragValue::new(&mut percent).range(0.1..=20.0).speed(0.05);
            ui.add(value.max_decimals(1).suffix(" % of white"))
        });
        *noise = percent / 100.0;
    }
    setting(ui, "Bounces", |ui| ui.add(DragValue::new(&mut draft.bounces).range(0..=64)));
}

fn frames(ui: &mut Ui, draft: &mut Draft) {
    check(ui, &mut draft.is_animated, "Render the animation");
    if !draft.is_animated {
        return;
    }
    setting(ui, "First frame", |ui| {
        ui.add(DragValue::new(&mut draft.frames.0).range(0..=draft.frames.1))
    });
    setting(ui, "Last frame", |ui| {
        ui.add(DragValue::new(&mut draft.frames.1).range(draft.frames.0..=1_000_000))
    });
    setting(ui, "Every", |ui| {
        ui.add(DragValue::new(&mut draft.step).range(1..=1000).suffix(" frames"))
    });
    setting(ui, "Rate", |ui| {
        ui.add(DragValue::new(&mut draft.fps).range(1.0..=240.0).suffix(" fps").max_decimals(3))
    });
}

fn more(ui: &mut Ui, draft: &mut Draft) {
    setting(ui, "Name", |ui| ui.add(TextEdit::singleline(&mut draft.name).desired_width(150.0)));
    setting(ui, "Forgeries caught", |ui| {
        let list = ComboBox::from_id_salt("assurance")
            .selected_text(draft.assurance.to_string())
            .width(90.0);
        let list = list.show_ui(ui, |ui| {
            for assurance in Assurance::ALL {
                ui.selectable_value(&mut draft.assurance, assurance, assurance.to_string());
            }
        });
        list.response
    });
    check(ui, &mut draft.has_blur, "Blur what moves, as the camera says");
    check(ui, &mut draft.passes, "Keep light passes");
    check(ui, &mut draft.progressive, "Show all of it early");
    check(ui, &mut draft.only_mine, "On my own nodes only");
}

/// The price, and the button that orders what it is for.
pub(super) fn price(state: &State, scene: &Staged, ui: &mut Ui, commands: &mut Commands) {
    let is_firm = state.price_holds();
    let is_free = state.book.is_free();
    card(ui, |ui| {
        widgets::caption(ui, "Price");
        match &state.checkout.price {
            _ if state.link != Link::Connected => {
                let words = match &state.link {
                    Link::NoFarm => "No farm yet. The preview needs none",
                    _other => "The farm cannot be reached now; your settings are kept",
                };
                dim(ui, words);
            }
            Price::Refused(why) => {
                let text = RichText::new(why).color(palette(ui).error);
                ui.add(egui::Label::new(text).wrap());
            }
            Price::Sending { come, of, pace } => sending(ui, *come, *of, *pace),
            Price::Asking => {
                ui.horizontal(|ui| {
                    old_price(state, ui);
                    ui.spinner();
                    dim(ui, "The farm is looking at it");
                });
            }
            Price::Firm if is_firm => firm(state, ui),
            Price::Firm => {
                old_price(state, ui);
                dim(ui, "For other settings than these");
            }
            Price::Unknown if is_free => {
                dim(ui, "This farm is free");
            }
            Price::Unknown => {
                let bytes = words::bytes(scene.imported.report.package_bytes);
                dim(ui, format!("The farm needs the scene to say what it costs: {bytes}"));
            }
        }
        if let Some(why) = &state.checkout.trouble {
            let text = RichText::new(why).color(palette(ui).error);
            ui.add(egui::Label::new(text).wrap());
        }
        ui.add_space(space::TINY);
        if state.link == Link::NoFarm {
            if widgets::primary_button(ui, "Connect to a farm…").clicked() {
                commands.push(Command::Open(crate::state::Door::Jobs));
            }
        } else if is_firm || is_free {
            let words = if state.checkout.is_ordering { "Ordering" } else { "Submit render" };
            action_button_as(ui, state, action("Submit render"), words, true, commands);
        } else {
            action_button(ui, state, action("Get a firm price"), true, commands);
        }
    });
}

/// What is on the button's price tag.
fn firm(state: &State, ui: &mut Ui) {
    let Some(firm) = &state.checkout.firm else { return };
    let quote = &firm.quote;
    if quote.price.is_zero() {
        dim(ui, "Nothing: this farm is free");
    } else {
        let price = words::tokens(quote.price);
        ui.label(RichText::new(price).font(theme::mono(20.0)).color(palette(ui).text)).on_hover_ui(
            |ui| {
                for (what, amount) in
                    [("Work", quote.work), ("Fee", quote.fee), ("Checking", quote.reserve)]
                {
                    widgets::fact(ui, what, &amount.to_string());
                }
            },
        );
    }
    let reach = &quote.reach;
    let nodes = words::plural(u64::from(reach.known), "node", "nodes");
    let rest = if quote.price.is_zero() { "" } else { ". What is not used returns" };
    dim(ui, format!("{} of {nodes} can hold it{rest}", reach.hold));
}

fn old_price(state: &State, ui: &mut Ui) {
    if let Some(firm) = &state.checkout.firm {
        let text = RichText::new(words::tokens(firm.quote.price)).font(theme::mono(20.0));
        ui.label(text.color(palette(ui).text_dim));
    }
}

fn sending(ui: &mut Ui, come: u64, of: u64, pace: Option<(u64, std::time::Duration)>) {
    let words = format!("Sending the scene, {} of {}", words::bytes(come), words::bytes(of));
    dim(ui, &words);
    let width = ui.available_width();
    bar(ui, width, come as f32 / of.max(1) as f32, palette(ui).running, &words);
    if let Some((rate, left)) = pace {
        dim(ui, format!("{}/s, {} left", words::bytes(rate), words::span(left)));
    }
}
