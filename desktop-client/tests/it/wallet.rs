//! Tokens at risk, vouchers, older entries, files.

use desktop_client::app::App;
use desktop_client::desk::{Ask, FarEnds};
use desktop_client::state::wallet::Act;
use desktop_client::state::{Door, Event, book};
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use protocol::Tokens;

use crate::fixtures::{asked, connected, statement, wallet, window_of};
use crate::hand::{happens, press, sees};

fn at_the_door() -> (Harness<'static, App>, FarEnds) {
    let builder = Harness::builder().with_theme(egui::Theme::Dark);
    let (harness, mut ends) = window_of(builder, Some(Door::Wallet), connected(Vec::new()));
    asked(&mut ends);
    (harness, ends)
}

fn acts(ends: &mut FarEnds) -> Vec<Act> {
    let act = |ask| match ask {
        Ask::Wallet(account, act) => {
            assert_eq!(account, Some(wallet().account));
            Some(act)
        }
        _other => None,
    };
    asked(ends).into_iter().filter_map(act).collect()
}

fn typed(harness: &mut Harness<'_, App>, field: &str, text: &str) {
    harness.get_by_role_and_label(Role::TextInput, field).type_text(text);
    harness.run_steps(3);
}

#[test]
fn tokens_are_put_at_risk_and_asked_back() {
    let (mut harness, mut ends) = at_the_door();
    press(&mut harness, "Put tokens at risk…");
    assert!(sees(&harness, "All of it is taken with one result of theirs that is found wrong"));
    // Nothing is typed yet, and what makes no sense is said.
    press(&mut harness, "Put at risk");
    assert_eq!(acts(&mut ends), []);
    typed(&mut harness, "Tokens", "2.5");
    press(&mut harness, "Put at risk");
    assert_eq!(acts(&mut ends), [Act::Stake(Tokens::from_micro(2_500_000))]);
    // There is nothing to ask back before the farm says that there is.
    press(&mut harness, "Ask tokens back…");
    assert!(!sees(&harness, "Ask tokens back, "));
    let mut staked = wallet();
    staked.staked = Tokens::from_whole(3);
    happens(&mut harness, Event::Book(book::Event::Wallet(Ok(staked))));
    assert!(sees(&harness, "At risk"));
    press(&mut harness, "Ask tokens back…");
    typed(&mut harness, "Tokens", "3");
    press(&mut harness, "Ask back");
    assert_eq!(acts(&mut ends), [Act::Unstake(Tokens::from_whole(3))]);
}

#[test]
fn a_voucher_that_is_none_is_not_sent() {
    let (mut harness, mut ends) = at_the_door();
    press(&mut harness, "Redeem a voucher…");
    typed(&mut harness, "Voucher", "vou_1234");
    assert!(sees(&harness, "Paste the whole voucher"));
    press(&mut harness, "Redeem");
    assert_eq!(acts(&mut ends), []);
}

#[test]
fn older_entries_come_at_a_press_and_the_statement_goes_to_a_file() {
    let (mut harness, mut ends) = at_the_door();
    let mut page = statement();
    page.total = 1_000;
    happens(&mut harness, Event::Book(book::Event::Statement(Ok(page.clone()))));
    press(&mut harness, "Older entries");
    let wanted = page.rows.len() as u64 + 400;
    let asks = asked(&mut ends);
    let [Ask::Statement(account, rows)] = asks[..] else { panic!("{asks:?}") };
    assert_eq!((account, rows), (page.account, wanted));
    press(&mut harness, "Save the statement…");
    typed(&mut harness, "File, .csv", "/tmp/statement.csv");
    press(&mut harness, "Save");
    assert_eq!(acts(&mut ends), [Act::Export("/tmp/statement.csv".into())]);
}
