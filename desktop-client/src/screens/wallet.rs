//! The caller's tokens: how many, where they are, and how they came and went.

use egui::{Align, Layout, RichText, TextStyle, Ui};
use egui_extras::{Column, TableBuilder};
use protocol::view::StatementPage;

use super::jobs::column_name;
use crate::command::{Command, Commands, action};
use crate::state::State;
use crate::theme::{self, DISPLAY, palette, space};
use crate::widgets::icon::{self, Icon};
use crate::widgets::{action_button, caption, card, dim, fact, fetched, heading, number};
use crate::words;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let words = "Loading your wallet";
    let Some(wallet) = fetched(ui, &state.book.wallet, words, commands) else { return };
    let statement_of = &state.book.statement;
    if statement_of.is_unasked() {
        commands.push(Command::Statement(wallet.account));
    }
    heading(ui, "Wallet");
    ui.add_space(space::ITEM);
    card(ui, |ui| {
        ui.columns(3, |columns| {
            let [first, second, third] = columns else { return };
            caption(first, "Free to spend");
            let style = TextStyle::Name(DISPLAY.into());
            let colour = palette(first).text;
            let text = RichText::new(words::tokens(wallet.balance)).text_style(style).color(colour);
            first.label(text).on_hover_text(format!("{} TES", wallet.balance));
            caption(second, "In escrow for your jobs");
            number(second, words::tokens(wallet.escrowed), 20.0);
            dim(second, "What a job does not use returns");
            caption(third, "Held pay of your nodes");
            number(third, words::tokens(wallet.held), 20.0);
            dim(third, "Free once its results have aged");
            if !wallet.staked.is_zero() {
                fact(third, "At risk", &words::tokens(wallet.staked));
            }
        });
        ui.add_space(space::ITEM);
        ui.horizontal_wrapped(|ui| {
            for words in ["Redeem a voucher…", "Put tokens at risk…", "Ask tokens back…"] {
                action_button(ui, state, action(words), false, commands);
            }
        });
    });
    ui.add_space(space::PAGE);
    ui.horizontal(|ui| {
        heading(ui, "Statement");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            action_button(ui, state, action("Save the statement…"), false, commands);
            let page = statement_of.get().filter(|page| (page.rows.len() as u64) < page.total);
            if let Some(page) = page {
                if ui.button("Older entries").clicked() {
                    commands.push(Command::OlderEntries);
                }
                dim(ui, format!("The newest {} of {}", page.rows.len(), page.total));
            }
        });
    });
    ui.add_space(space::TINY);
    match statement_of.get() {
        None => {
            let words = statement_of.trouble.as_deref().unwrap_or("Loading the statement");
            dim(ui, words);
        }
        Some(page) if page.rows.is_empty() => {
            dim(ui, "No tokens have moved yet");
        }
        Some(page) => statement(ui, page, state.now_ms),
    }
}

fn statement(ui: &mut Ui, page: &StatementPage, now_ms: u64) {
    let table = TableBuilder::new(ui)
        .id_salt("statement")
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::exact(130.0))
        .column(Column::remainder().at_least(140.0).clip(true))
        .columns(Column::exact(170.0), 2)
        .column(Column::exact(140.0));
    let table = table.header(26.0, |mut row| {
        let names = ["When", "Why", "Amount, TES", "Balance after, TES", "Transfer"];
        for (index, name) in names.into_iter().enumerate() {
            row.col(|ui| {
                if index == 4 {
                    ui.add_space(space::PAGE);
                }
                column_name(ui, name, index == 2 || index == 3);
            });
        }
    });
    table.body(|body| {
        body.rows(space::ROW - 6.0, page.rows.len(), |mut row| {
            let entry = &page.rows[row.index()];
            row.col(|ui| {
                ui.label(words::ago(entry.time_ms, now_ms))
                    .on_hover_text(words::date_time(entry.time_ms));
            });
            row.col(|ui| {
                let (icon, word) =
                    if entry.credit { (Icon::Download, "In") } else { (Icon::Coin, "Out") };
                let colour = palette(ui).text_dim;
                icon::show(ui, icon, 13.0, colour);
                let why = ui.label(format!("{word}: {}", entry.code));
                if !entry.other_is.is_empty() {
                    why.on_hover_text(format!(
                        "{} {}",
                        if entry.credit { "from" } else { "to" },
                        entry.other_is
                    ));
                }
            });
            let sign = if entry.credit { "+" } else { "−" };
            for text in [format!("{sign}{}", entry.amount), entry.balance.to_string()] {
                row.col(|ui| {
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        ui.add_space(space::ITEM);
                        ui.label(RichText::new(text).font(theme::mono(12.5)));
                    });
                });
            }
            row.col(|ui| {
                ui.add_space(space::PAGE);
                let id = RichText::new(entry.transfer.short()).font(theme::mono(12.0));
                ui.label(id.color(palette(ui).text_dim)).on_hover_text(entry.transfer.to_string());
            });
        });
    });
}
