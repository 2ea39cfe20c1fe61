//! What the caller's nodes have earned, a bar a day.

use egui::{Rect, Sense, Ui, Vec2, WidgetInfo, WidgetType, pos2};
use protocol::Tokens;
use protocol::view::{EarningsOf, EarningsRow, EarningsView};

use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::book::EARNINGS_DAYS;
use crate::theme::{self, palette, space};
use crate::widgets::{caption, card, dim, fact};
use crate::words;

const DAY_MS: u64 = 86_400_000;
/// Height of the highest bar, points.
const HEIGHT: f32 = 72.0;

pub(super) fn show(state: &State, ui: &mut Ui, commands: &mut Commands) {
    let earned = &state.book.earnings;
    if state.book.is_free() {
        return;
    }
    if state.identity.is_some() && earned.is_unasked() {
        commands.push(Command::Earnings);
    }
    let Some(view) = earned.get() else { return };
    card(ui, |ui| {
        caption(ui, "Earned a day, TES");
        if view.rows.is_empty() {
            dim(ui, "Nothing in the last two weeks");
        } else {
            bars(ui, &days(view, state.now_ms), state.now_ms);
        }
        held(ui, view, state.now_ms);
    });
}

/// What each of the last days brought, the oldest first.
fn days(view: &EarningsView, now_ms: u64) -> Vec<Tokens> {
    let today = now_ms / DAY_MS;
    let sum = |row: &EarningsRow| {
        let all = row.pay.micro() + row.checking.micro();
        Tokens::from_micro(all.saturating_sub(row.taken.micro()))
    };
    let of = |day: u64| {
        let is_of =
            |row: &&EarningsRow| matches!(row.of, EarningsOf::Day(ms) if ms / DAY_MS == day);
        view.rows.iter().find(is_of).map_or(Tokens::ZERO, sum)
    };
    (0..EARNINGS_DAYS).rev().map(|back| of(today.saturating_sub(back))).collect()
}

fn bars(ui: &mut Ui, days: &[Tokens], now_ms: u64) {
    let most = days.iter().max().copied().unwrap_or(Tokens::ZERO).micro().max(1);
    let size = Vec2::new(ui.available_width(), HEIGHT + 16.0);
    let (area, response) = ui.allocate_exact_size(size, Sense::hover());
    let said: Vec<String> = days.iter().map(|earned| words::bare_tokens(*earned)).collect();
    let words = format!("Earned a day, the oldest first: {}", said.join(", "));
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Label, true, &words));
    let colours = palette(ui);
    let step = area.width() / days.len().max(1) as f32;
    for (place, earned) in days.iter().enumerate() {
        let share = earned.micro() as f64 / most as f64;
        let height = (share as f32 * HEIGHT).max(1.0);
        let left = area.left() + step * place as f32;
        let bottom = area.top() + HEIGHT;
        let bar =
            Rect::from_min_max(pos2(left + 2.0, bottom - height), pos2(left + step - 2.0, bottom));
        let colour = if earned.is_zero() { colours.track } else { colours.ok };
        ui.painter().rect_filled(bar, 2.0, colour);
    }
    let labels = [(0, egui::Align2::LEFT_TOP), (days.len() - 1, egui::Align2::RIGHT_TOP)];
    for (place, align) in labels {
        let back = (days.len() - 1 - place) as u64;
        let word = words::day(now_ms.saturating_sub(back * DAY_MS));
        let x = if place == 0 { area.left() } else { area.right() };
        let at = pos2(x, area.bottom() - 12.0);
        ui.painter().text(at, align, word, theme::sans(11.0), colours.text_dim);
    }
    let under = response.hover_pos().map(|at| ((at.x - area.left()) / step).max(0.0) as usize);
    if let Some(place) = under.filter(|place| *place < days.len()) {
        let back = (days.len() - 1 - place) as u64;
        let day = words::day(now_ms.saturating_sub(back * DAY_MS));
        response.on_hover_text_at_pointer(format!("{day}  {} TES", days[place]));
    }
}

/// What is held back, and when the next of it comes free.
fn held(ui: &mut Ui, view: &EarningsView, now_ms: u64) {
    let all: u128 = view.held.iter().map(|row| row.amount.micro()).sum();
    if let Some(next) = view.held.iter().min_by_key(|row| row.until_ms) {
        ui.add_space(space::TINY);
        fact(ui, "Held for a while", &words::tokens(Tokens::from_micro(all)));
        let left = std::time::Duration::from_millis(next.until_ms.saturating_sub(now_ms));
        let words = format!("{} in {}", words::tokens(next.amount), words::span(left));
        fact(ui, "The next comes free", &words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_has_its_bar_and_days_without_earnings_too() {
        let now_ms = 1_795_429_860_000;
        let today = now_ms / DAY_MS * DAY_MS;
        let row = |back: u64, pay: u128, taken: u128| EarningsRow {
            of: EarningsOf::Day(today - back * DAY_MS),
            payments: 1,
            pay: Tokens::from_micro(pay),
            checks: 0,
            checking: Tokens::from_micro(5),
            taken: Tokens::from_micro(taken),
        };
        let rows = vec![row(0, 100, 0), row(2, 50, 20), row(13, 1, 900), row(14, 7, 0)];
        let view = EarningsView { rows, held: Vec::new(), complete: true };
        let micros: Vec<u128> = days(&view, now_ms).iter().map(|day| day.micro()).collect();
        assert_eq!(micros.len(), 14);
        assert_eq!((micros[13], micros[12], micros[11], micros[0]), (105, 0, 35, 0));
    }
}
