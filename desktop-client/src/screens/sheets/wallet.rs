//! Tokens at risk, vouchers, files: one field, what it means, one press.

use egui::Ui;

use super::open;
use crate::command::{Command, Commands};
use crate::state::State;
use crate::state::sheet::Sheet;
use crate::state::wallet::{Matter, WalletSheet};
use crate::theme::space;
use crate::widgets::{dim, fact, primary_button};
use crate::words;

/// What a sheet is called.
pub(super) const fn title(matter: Matter) -> &'static str {
    match matter {
        Matter::Stake => "Put tokens at risk",
        Matter::Unstake => "Ask tokens back",
        Matter::Redeem => "Redeem a voucher",
        Matter::Export => "Save the statement",
        Matter::BackUp => "Back up your key",
    }
}

/// The field's name, an example of what it takes, and the word of the press.
const fn words_of(matter: Matter) -> (&'static str, &'static str, &'static str) {
    match matter {
        Matter::Stake => ("Tokens", "50", "Put at risk"),
        Matter::Unstake => ("Tokens", "50", "Ask back"),
        Matter::Redeem => ("Voucher", "vou_…", "Redeem"),
        Matter::Export => ("File, .csv", "/home/you/statement.csv", "Save"),
        Matter::BackUp => ("File", "/media/stick/tessera.key", "Copy the key"),
    }
}

const fn meaning(matter: Matter) -> &'static str {
    match matter {
        Matter::Stake => {
            "The names of your nodes ask for fewer second renders the more is at risk. All of it is \
             taken with one result of theirs that is found wrong"
        }
        Matter::Unstake => {
            "They count for nothing from now on, and stay at risk as long as pay is held"
        }
        Matter::Redeem => "It pays once, into this wallet",
        Matter::Export => "All entries as a table, the newest first. No file is overwritten",
        Matter::BackUp => {
            "The key is your wallet: who loses it loses the tokens, and who has it has them. Copy it \
             to a place that only you reach. On another machine, put the copy where Settings says \
             the key is before the app is first started there"
        }
    }
}

pub(super) fn show(state: &State, sheet: &WalletSheet, ui: &mut Ui, commands: &mut Commands) {
    dim(ui, meaning(sheet.matter));
    if let (Matter::Stake | Matter::Unstake, Some(wallet)) = (sheet.matter, state.book.wallet.get())
    {
        fact(ui, "Free to spend", &words::tokens(wallet.balance));
        fact(ui, "At risk", &words::tokens(wallet.staked));
    }
    ui.add_space(space::ITEM);
    let (name, hint, verb) = words_of(sheet.matter);
    let mut typed = sheet.typed.clone();
    let is_entered = open::field(ui, name, hint, &mut typed);
    let act = sheet.act();
    ui.horizontal(|ui| {
        let press = ui.add_enabled_ui(act.is_ok(), |ui| primary_button(ui, verb)).inner;
        if let (true, Ok(act)) = (press.clicked() || is_entered, &act) {
            commands.push(Command::Wallet(act.clone()));
        }
        if let Err(why) = &act {
            dim(ui, why);
        }
    });
    if typed != sheet.typed {
        let changed = WalletSheet { typed, ..sheet.clone() };
        commands.push(Command::Sheet(Some(Sheet::Wallet(changed))));
    }
}
