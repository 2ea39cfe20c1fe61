//! One's own node and one's own farm, as far as the window has a hand in them.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::Ask;
use desktop_client::state::lending::When;
use desktop_client::state::node::Run;
use desktop_client::state::own_farm::{self, OwnFarm};
use desktop_client::state::settings::Settings;
use desktop_client::state::{Door, Event, Link, State, book, node};
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use farm_node::Hold;
use serde_json::json;

use crate::fixtures::{asked, connected, said, window, window_of};
use crate::hand::{does, happens, keys, press, sees};

fn at_the_door() -> (Harness<'static, App>, desktop_client::desk::FarEnds) {
    let builder = Harness::builder().with_theme(egui::Theme::Dark);
    let mut steps = connected(Vec::new());
    steps.push(crate::fixtures::earned().into());
    let (harness, mut ends) = window_of(builder, Some(Door::MyNode), steps);
    asked(&mut ends);
    (harness, ends)
}

#[test]
fn one_press_lends_the_machine_with_manners_that_protect_its_owner() {
    let (mut harness, mut ends) = at_the_door();
    press(&mut harness, "Start");
    let asks = asked(&mut ends);
    let [Ask::StartNode(start)] = &asks[..] else { panic!("{asks:?}") };
    let manners = start.wishes.manners.clone().expect("they are told");
    assert_eq!(manners.away_minutes, Some(5));
    assert!(!manners.on_battery && !manners.through_full_screen);
    assert!(sees(&harness, "Preparing"));
    happens(&mut harness, said(json!({"event": "started", "backend": "cpu (avx2)"})));
    happens(&mut harness, said(json!({"event": "connected"})));
    assert!(sees(&harness, "Ready") && sees(&harness, "cpu (avx2)"));
    let mut farm = crate::fixtures::farm();
    assert!(sees(&harness, "What is under way is with other nodes"));
    farm.jobs_active = 0;
    happens(&mut harness, Event::Book(book::Event::Farm(Ok(farm))));
    assert!(sees(&harness, "No job is under way on this farm"), "why there is no work");
}

#[test]
fn every_pause_says_why_and_how_it_ends() {
    let (mut harness, mut ends) = at_the_door();
    press(&mut harness, "Start");
    happens(&mut harness, said(json!({"event": "connected"})));
    asked(&mut ends);
    let reason = "you are using this machine; resumes 5 min after you stop";
    let paused = json!({"event": "paused", "kind": "user-active", "reason": reason});
    happens(&mut harness, said(paused));
    assert!(sees(&harness, "You are using this machine; resumes 5 min after you stop"));
    press(&mut harness, "Run anyway for an hour");
    let asks = asked(&mut ends);
    let [Ask::Wish(wishes)] = &asks[..] else { panic!("{asks:?}") };
    assert!(wishes.run_anyway.is_some_and(|anyway| !anyway.on_battery));
}

#[test]
fn it_is_paused_after_a_tile_or_at_once_and_goes_on() {
    let (mut harness, mut ends) = at_the_door();
    press(&mut harness, "Start");
    happens(&mut harness, said(json!({"event": "connected"})));
    asked(&mut ends);
    let hold = |asks: &[Ask]| match asks {
        [Ask::Wish(wishes)] => wishes.hold,
        other => panic!("{other:?}"),
    };
    press(&mut harness, "Finish this tile, then pause");
    assert_eq!(hold(&asked(&mut ends)), Some(Hold::AfterThisTile));
    press(&mut harness, "Go on");
    assert_eq!(hold(&asked(&mut ends)), None);
    press(&mut harness, "Pause now");
    assert_eq!(hold(&asked(&mut ends)), Some(Hold::Now));
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::N);
    harness.run_steps(3);
    assert_eq!(hold(&asked(&mut ends)), None, "the key does the same from everywhere");
    press(&mut harness, "Stop");
    assert!(matches!(asked(&mut ends)[..], [Ask::StopNode]));
    happens(&mut harness, Event::Node(node::Event::Ended { trouble: None }));
    assert!(sees(&harness, "It renders nothing and earns nothing"));
}

#[test]
fn limits_are_heard_while_it_runs() {
    let (mut harness, mut ends) = at_the_door();
    press(&mut harness, "Start");
    asked(&mut ends);
    harness.get_by_label("Quiet").click();
    harness.run_steps(3);
    let asks = asked(&mut ends);
    let [Ask::Wish(wishes)] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!(wishes.duty_percent.map(u8::from), Some(40));
    harness.get_by_label("Always").click();
    harness.run_steps(3);
    let asks = asked(&mut ends);
    let [Ask::Wish(wishes)] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!(wishes.manners.clone().expect("they are told").away_minutes, None);
}

#[test]
fn a_node_that_ends_by_itself_is_started_again_three_times_and_then_a_person_is_told() {
    let (mut harness, mut ends) = at_the_door();
    press(&mut harness, "Start");
    asked(&mut ends);
    let why = || Some("The node ended by itself (signal: 9): out of memory".to_owned());
    let mut waits = Vec::new();
    for _time in 0..3 {
        happens(&mut harness, Event::Node(node::Event::Ended { trouble: why() }));
        let asks = asked(&mut ends);
        let [Ask::StartNode(start)] = &asks[..] else { panic!("{asks:?}") };
        waits.push(start.after.as_secs());
    }
    assert_eq!(waits, [2, 4, 8]);
    happens(&mut harness, Event::Node(node::Event::Ended { trouble: why() }));
    assert!(asked(&mut ends).is_empty());
    assert!(sees(&harness, "out of memory. It is not started again by itself"));
    press(&mut harness, "Start");
    assert_eq!(asked(&mut ends).len(), 1, "a person may");
}

#[test]
fn a_farm_of_ones_own_is_one_press_and_connects_by_itself() {
    let (mut harness, mut ends) = window(Vec::new());
    press(&mut harness, "Jobs");
    press(&mut harness, "Start a farm on this machine");
    assert!(matches!(asked(&mut ends)[..], [Ask::StartFarm]));
    assert_eq!(harness.state().state().own_farm, OwnFarm::Starting);
    let ticket = "@/home/mina/.config/tessera/farm/ticket".to_owned();
    let up = own_farm::Event::Up { ticket: ticket.clone() };
    happens(&mut harness, Event::OwnFarm(up));
    let asks = asked(&mut ends);
    assert!(matches!(&asks[..], [Ask::Connect(to)] if *to == ticket), "{asks:?}");
    // Its first node is this machine, whose owner sits before it.
    let connected = crate::fixtures::connected(Vec::new()).remove(1);
    let crate::fixtures::Step::Is(identity) = connected else { panic!("the key") };
    happens(&mut harness, identity);
    happens(&mut harness, Event::Link(Link::Connected));
    let asks = asked(&mut ends);
    assert!(matches!(&asks[..], [Ask::StartNode(_)]), "{asks:?}");
    let [Ask::StartNode(start)] = &asks[..] else { return };
    let manners = start.wishes.manners.as_ref().expect("they are told");
    assert_eq!(manners.away_minutes, None, "its owner sits before it");
    let state = harness.state().state();
    assert_eq!(state.node.run, Run::Preparing);
    // How the machine is lent to others is as it was, and another farm is another matter.
    assert_eq!((state.settings.lending.when, state.settings.lending.with_app), (When::Away, false));
    assert!(state.settings.own_farm);
    harness.state_mut().command(Command::Connect(crate::fixtures::TICKET.to_owned()));
    assert!(!harness.state().state().settings.own_farm);
}

#[test]
fn a_farm_of_ones_own_that_does_not_start_says_why() {
    let (mut harness, _ends) = window(Vec::new());
    press(&mut harness, "Jobs");
    press(&mut harness, "Start a farm on this machine");
    let trouble = Some("The farm ended by itself (exit status: 1): no space left".to_owned());
    happens(&mut harness, Event::OwnFarm(own_farm::Event::Ended { trouble }));
    assert!(sees(&harness, "no space left"));
    harness.get_by_role_and_label(Role::Button, "Start a farm on this machine");
}

#[test]
fn earnings_are_fetched_once_and_drawn_a_bar_a_day() {
    let builder = Harness::builder().with_theme(egui::Theme::Dark);
    let (mut harness, mut ends) = window_of(builder, Some(Door::MyNode), connected(Vec::new()));
    harness.run_steps(5);
    let asks = asked(&mut ends);
    assert!(matches!(asks[..], [Ask::Earnings]), "{asks:?}");
    happens(&mut harness, crate::fixtures::earned());
    assert!(sees(&harness, "Earned a day, the oldest first: 0.00"));
    assert!(sees(&harness, "2.81"));
}

#[test]
fn a_node_that_was_paused_is_started_again_paused() {
    let (mut harness, mut ends) = at_the_door();
    press(&mut harness, "Start");
    happens(&mut harness, said(json!({"event": "connected"})));
    press(&mut harness, "Pause now");
    happens(&mut harness, said(json!({"event": "resumed"})));
    asked(&mut ends);
    happens(&mut harness, Event::Node(node::Event::Ended { trouble: Some("Killed".to_owned()) }));
    let asks = asked(&mut ends);
    let [Ask::StartNode(start)] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!(start.wishes.hold, Some(Hold::Now));
}

#[test]
fn a_machine_is_lent_from_the_start_of_the_session_where_that_is_known() {
    let words = "Lend it from the start of the session";
    let (mut harness, mut ends) = at_the_door();
    does(&mut harness, Command::Open(Door::Settings));
    assert!(!sees(&harness, words), "nothing is offered that cannot be done");
    happens(&mut harness, Event::WithSession(Some(false)));
    asked(&mut ends);
    let ticked = |harness: &Harness<'_, App>| {
        let node = harness.get_by_role_and_label(Role::CheckBox, words);
        node.accesskit_node().toggled()
    };
    harness.get_by_role_and_label(Role::CheckBox, words).click();
    harness.run_steps(3);
    let asks = asked(&mut ends);
    assert!(matches!(asks[..], [Ask::StartWithSession(true)]), "{asks:?}");
    assert_eq!(ticked(&harness), Some(Toggled::False), "it is not written yet");
    happens(&mut harness, Event::WithSession(Some(true)));
    assert_eq!(ticked(&harness), Some(Toggled::True));
}

#[test]
fn what_is_started_with_the_session_lends_when_the_farm_answers() {
    let mut state = State::new(Settings::default());
    state.lends_at_once = true;
    state.act(Command::Connect("farmx".to_owned()));
    let asks = state.apply(Event::Link(Link::Connected));
    assert!(asks.iter().any(|ask| matches!(ask, Ask::StartNode(_))), "{asks:?}");
    let asks = state.apply(Event::Link(Link::Connected));
    assert!(asks.is_empty(), "once: {asks:?}");
}

#[test]
fn what_is_started_with_the_session_lends_to_no_other_farm() {
    let mut state = State::new(Settings::default());
    state.lends_at_once = true;
    state.act(Command::Connect("farmx".to_owned()));
    // It does not answer, and somebody chooses another.
    state.act(Command::Connect("farmy".to_owned()));
    let asks = state.apply(Event::Link(Link::Connected));
    assert!(!asks.iter().any(|ask| matches!(ask, Ask::StartNode(_))), "{asks:?}");
}

#[test]
fn a_button_that_the_keyboard_is_at_is_pressed_by_enter_and_by_space() {
    for key in [Key::Enter, Key::Space] {
        let (mut harness, mut ends) = at_the_door();
        harness.get_by_role_and_label(Role::Button, "Start").focus();
        harness.run_steps(2);
        keys(&mut harness, Modifiers::NONE, key);
        let asks = asked(&mut ends);
        assert!(matches!(asks[..], [Ask::StartNode(_)]), "{key:?}: {asks:?}");
    }
}
