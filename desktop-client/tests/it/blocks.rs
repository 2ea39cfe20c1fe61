//! Nodes that an artist keeps off his jobs.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::{Ask, FarEnds};
use desktop_client::state::blocks::Blocking;
use desktop_client::state::sheet::Sheet;
use desktop_client::state::{Door, Event, book};
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use protocol::{NodeId, PublicKey};

use crate::fixtures::{asked, blocked, connected, offline, rendering, window, window_of};
use crate::hand::{does, happens, keys, press, sees};

/// Who rendered all of the fixtures' tiles.
const STUDIO: NodeId = NodeId([0x61; 32]);
const STUDIO_WORDS: &str = "studio-07 (nod_61616161)";

/// What was asked for, which is nothing else.
fn blocking(ends: &mut FarEnds) -> Vec<Blocking> {
    let blocking = |ask| match ask {
        Ask::Block(blocking) => blocking,
        other => panic!("{other:?}"),
    };
    asked(ends).into_iter().map(blocking).collect()
}

fn list(answer: Result<Vec<protocol::view::BlockView>, String>) -> Event {
    Event::Book(book::Event::Blocks(answer))
}

/// The window with the list open and nothing of it known.
fn opened() -> (Harness<'static, App>, FarEnds) {
    let builder = Harness::builder().with_theme(egui::Theme::Dark);
    let (mut harness, mut ends) = window_of(builder, Some(Door::Settings), connected(Vec::new()));
    asked(&mut ends);
    press(&mut harness, "List blocked nodes");
    assert!(matches!(asked(&mut ends)[..], [Ask::Blocks]));
    (harness, ends)
}

#[test]
fn who_rendered_a_tile_is_blocked_from_its_menu() {
    let (mut harness, mut ends) = window(rendering());
    asked(&mut ends);
    harness.get_by_label("Render preview, 31 of 60 tiles accepted").click_secondary();
    harness.run_steps(3);
    assert!(sees(&harness, "Rendered by studio-07 (nod_61616161)"));
    press(&mut harness, "Block this node…");
    for words in [
        STUDIO_WORDS,
        "What it works on goes on and is paid",
        "no twins from the reserve but three times the checked pixels",
        "nodes make no name by them",
    ] {
        assert!(sees(&harness, words), "{words}");
    }
    assert_eq!(blocking(&mut ends), [], "nothing is done before it is said what it does");
    press(&mut harness, "Block node");
    let wanted = Blocking::of(STUDIO);
    assert_eq!(blocking(&mut ends), [wanted]);
    assert_eq!(harness.state().state().sheet, None);

    let why = "You have no jobs here to keep nodes off; order one first".to_owned();
    happens(&mut harness, Event::Blocked { blocking: wanted, trouble: Some(why) });
    assert!(sees(&harness, "studio-07 (nod_61616161): You have no jobs here"), "the farm's word");
    happens(&mut harness, Event::Blocked { blocking: wanted, trouble: None });
    assert!(sees(&harness, "studio-07 (nod_61616161): Gets nothing of your jobs from now on"));
}

#[test]
fn of_several_nodes_one_is_chosen_and_one_may_leave_it() {
    let (mut harness, mut ends) = window(rendering());
    asked(&mut ends);
    let sheet = || Command::Sheet(Sheet::block(vec![STUDIO, NodeId([0x55; 32])]));
    does(&mut harness, sheet());
    assert!(sees(&harness, "Several nodes rendered this tile"));
    press(&mut harness, "Leave it");
    assert_eq!((blocking(&mut ends).len(), &harness.state().state().sheet), (0, &None));
    does(&mut harness, sheet());
    harness.get_by_role_and_label(Role::RadioButton, "attic-pc (nod_55555555)").click();
    harness.run_steps(3);
    press(&mut harness, "Block node");
    assert_eq!(blocking(&mut ends), [Blocking::of(NodeId([0x55; 32]))]);
}

#[test]
fn without_a_pointer_it_is_who_rendered_the_middle_of_the_view() {
    let (mut harness, mut ends) = window(rendering());
    let ask = |harness: &mut Harness<'_, App>| {
        keys(harness, Modifiers::COMMAND, Key::P);
        let field = harness.get_by_role_and_label(Role::TextInput, "Find a command");
        field.type_text("block middle");
        harness.run_steps(3);
        harness.key_press(Key::Enter);
        harness.run_steps(3);
    };
    ask(&mut harness);
    assert_eq!(harness.state().state().sheet, Sheet::block(vec![STUDIO]));
    asked(&mut ends);
    press(&mut harness, "Block node");
    assert_eq!(blocking(&mut ends), [Blocking::of(STUDIO)]);
    // Nobody is there to be told.
    happens(&mut harness, offline());
    ask(&mut harness);
    assert!(matches!(harness.state().state().sheet, Some(Sheet::Palette { .. })));
}

#[test]
fn the_list_shows_who_is_blocked_and_lets_them_back() {
    let (mut harness, mut ends) = opened();
    assert!(sees(&harness, "Loading whom you keep off your jobs"));
    happens(&mut harness, list(Ok(Vec::new())));
    assert!(sees(&harness, "Nobody is blocked"));
    happens(&mut harness, blocked());
    for words in [STUDIO_WORDS, "All nodes of key_77777777: attic, cellar", "blocked 4 min ago"] {
        assert!(sees(&harness, words), "{words}");
    }
    let button = "Unblock studio-07 (nod_61616161)";
    press(&mut harness, button);
    let wanted = Blocking::back(PublicKey(STUDIO.0));
    assert_eq!(blocking(&mut ends), [wanted]);
    assert!(sees(&harness, "One moment studio-07"), "the farm has not answered");
    happens(&mut harness, Event::Blocked { blocking: wanted, trouble: Some("Not so".to_owned()) });
    assert!(sees(&harness, "Not so"), "with the list still open");
    press(&mut harness, button);
    assert_eq!(blocking(&mut ends), [wanted]);
    happens(&mut harness, Event::Blocked { blocking: wanted, trouble: None });
    happens(&mut harness, list(Ok(Vec::new())));
    assert!(sees(&harness, "Nobody is blocked") && !sees(&harness, "Not so"));
}

#[test]
fn a_list_that_did_not_come_is_asked_for_again() {
    let (mut harness, mut ends) = opened();
    happens(&mut harness, list(Err("The books are being mended".to_owned())));
    assert!(sees(&harness, "The books are being mended"));
    press(&mut harness, "Try again");
    assert!(matches!(asked(&mut ends)[..], [Ask::Blocks]));
    assert!(sees(&harness, "Loading whom you keep off your jobs"));
}

#[test]
fn offline_the_list_is_what_it_was_and_nobody_is_let_back() {
    let (mut harness, mut ends) = opened();
    happens(&mut harness, blocked());
    happens(&mut harness, offline());
    assert!(sees(&harness, "Not connected; showing whom you had blocked"));
    press(&mut harness, "Unblock studio-07 (nod_61616161)");
    assert_eq!(blocking(&mut ends), []);
}
