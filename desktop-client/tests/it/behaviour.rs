//! What a person finds by its name, and what pressing it asks for.

use desktop_client::command::Command;
use desktop_client::desk::Ask;
use desktop_client::state::settings::Theme;
use desktop_client::state::sheet::Sheet;
use desktop_client::state::{Door, Event, Link, Saved, Steered, book};
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use protocol::view::JobStatus;
use protocol::{CameraChoice, FrameRange, ShotIndex, Steering};

use crate::fixtures::{
    NOW_MS, TICKET, asked, connected, done, job, job_id, jobs, offline, rendering, wallet, window,
};
use crate::hand::{happens, keys, press, sees};

const ROW_OF_STILL_LIFE: &str = "still_life, Done, 60 of 60 units accepted, 3.60 TES";

fn is_watch(ask: &Ask, seed: u8, shot: u32) -> bool {
    matches!(ask, Ask::Watch { job, shot: at } if *job == job_id(seed) && *at == ShotIndex(shot))
}

#[test]
fn the_first_start_renders_without_a_farm_and_connects_with_a_ticket() {
    let (mut harness, mut ends) = window(Vec::new());
    assert!(sees(&harness, "Drop a scene to render it"));
    press(&mut harness, "Jobs");
    assert!(sees(&harness, "Connect to a farm"));
    let field = harness.get_by_role_and_label(Role::TextInput, "Farm ticket");
    field.focus();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::TextInput, "Farm ticket").type_text(TICKET);
    harness.run_steps(2);
    press(&mut harness, "Connect");
    let asked = asked(&mut ends);
    assert!(matches!(&asked[..], [Ask::Connect(ticket)] if ticket == TICKET), "{asked:?}");
    assert_eq!(harness.state().state().link, Link::Connecting);
    assert!(sees(&harness, "Connecting to the farm"));
}

#[test]
fn a_job_under_way_shows_its_tiles_and_its_money() {
    let (harness, _ends) = window(rendering());
    for words in [
        "lighthouse_v12",
        "Accepted 31",
        "Rendering 6",
        "Received 2",
        "Retrying 1",
        "Waiting 19",
        "In part 1",
        "1.86 of 3.60 TES",
        "51 %",
        "640 × 360 px",
    ] {
        assert!(sees(&harness, words), "{words}");
    }
    harness.get_by_label("Render preview, 31 of 60 tiles accepted");
}

#[test]
fn a_job_that_is_done_says_what_came_back() {
    let (harness, _ends) = window(done());
    assert!(sees(&harness, "Done"));
    assert!(sees(&harness, "0.18"), "the refund");
    harness.get_by_label("Render preview, 60 of 60 tiles accepted");
}

#[test]
fn a_lost_farm_keeps_what_was_known_and_can_be_tried_again() {
    let mut steps = rendering();
    steps.push(offline().into());
    let (mut harness, mut ends) = window(steps);
    assert!(sees(&harness, "Your renders continue on the farm"));
    assert!(sees(&harness, "showing the state from 2026-11-23 10:30 UTC"));
    assert!(sees(&harness, "Retrying in 8 s"));
    assert!(sees(&harness, "lighthouse_v12"));
    press(&mut harness, "Retry now");
    assert!(matches!(asked(&mut ends)[..], [Ask::RetryNow]));
}

#[test]
fn a_farm_that_never_answered_says_why() {
    let why = "nobody answers for key_3e at 127.0.0.1:4433 within 10s".to_owned();
    let lost = Event::Link(Link::Lost { why, retry_at_ms: 0 });
    let steps = vec![
        Command::Connect(TICKET.to_owned()).into(),
        Command::Open(Door::Jobs).into(),
        lost.into(),
    ];
    let (harness, _ends) = window(steps);
    assert!(sees(&harness, "The farm does not answer"));
    assert!(sees(&harness, "nobody answers for"));
}

#[test]
fn the_newest_job_is_watched_by_itself_and_others_on_request() {
    let (mut harness, mut ends) = window(connected(Vec::new()));
    asked(&mut ends);
    happens(&mut harness, Event::Book(book::Event::Jobs(Ok(jobs()))));
    let first = asked(&mut ends);
    assert!(first.len() == 1 && is_watch(&first[0], 1, 0), "{first:?}");
    keys(&mut harness, Modifiers::COMMAND, Key::Num3);
    assert_eq!(harness.state().state().door, Door::Jobs);
    harness.get_by_role_and_label(Role::Row, ROW_OF_STILL_LIFE).click();
    harness.run_steps(3);
    press(&mut harness, "Open");
    assert_eq!(harness.state().state().door, Door::Render);
    assert!(is_watch(&asked(&mut ends)[0], 2, 0));
    keys(&mut harness, Modifiers::NONE, Key::J);
    assert!(is_watch(&asked(&mut ends)[0], 3, 0));
    assert!(sees(&harness, "out of memory. Lower the texture size"));
}

#[test]
fn every_frame_of_every_camera_can_be_watched() {
    let mut list = jobs();
    list[0].spec.more_cameras = vec![CameraChoice::Named("close up".to_owned())];
    list[0].spec.frames = FrameRange { first: 3, last: 7, step: 2, fps: 24.0 };
    let (mut harness, mut ends) = window(connected(list));
    asked(&mut ends);
    harness.get_by_role_and_label(Role::ComboBox, "Camera").click();
    harness.run_steps(3);
    harness.get_by_label("close up").click();
    harness.run_steps(3);
    assert!(is_watch(&asked(&mut ends)[0], 1, 1));
    let shot = harness.state().state().live.as_ref().map(|live| live.shot);
    assert_eq!(shot, Some(ShotIndex(1)));
}

#[test]
fn keys_open_every_door() {
    let (mut harness, _ends) = window(rendering());
    let doors = [
        (Key::Num2, Door::MyNode, "312 accepted, 1 refused, 2 dropped"),
        (Key::Num3, Door::Jobs, "Ordered"),
        (Key::Num4, Door::Wallet, "128.40 TES"),
        (Key::Num5, Door::Settings, "/home/mina/.config/tessera/key"),
        (Key::Num1, Door::Render, "Accepted 31"),
    ];
    for (key, door, words) in doors {
        keys(&mut harness, Modifiers::COMMAND, key);
        assert_eq!(harness.state().state().door, door);
        assert!(sees(&harness, words), "{door:?}: {words}");
    }
}

#[test]
fn my_node_shows_what_it_earned_and_why_it_is_trusted() {
    let (mut harness, _ends) = window(rendering());
    press(&mut harness, "My node");
    for words in ["workstation", "18.62 TES", "1.20 TES more held", "0.94", "312 accepted"] {
        assert!(sees(&harness, words), "{words}");
    }
    // The farm's others are there too, with their standing in words.
    harness.get_by_label("The farm").click();
    harness.run_steps(3);
    for words in ["studio-07", "Qualifying", "Barred", "4 refused", "no work judged yet"] {
        assert!(sees(&harness, words), "{words}");
    }
}

#[test]
fn a_farm_without_nodes_says_so() {
    let mut farm = crate::fixtures::farm();
    farm.nodes.clear();
    let mut steps = connected(Vec::new());
    steps.push(Event::Book(book::Event::Farm(Ok(farm))).into());
    let (mut harness, _ends) = window(steps);
    press(&mut harness, "My node");
    assert!(sees(&harness, "It renders nothing and earns nothing"));
    harness.get_by_label("The farm").click();
    harness.run_steps(3);
    assert!(sees(&harness, "No node is online"));
}

#[test]
fn the_wallet_fetches_its_statement_once() {
    let mut steps = connected(Vec::new());
    steps.retain(|step| {
        let is_statement = |event: &Event| matches!(event, Event::Book(book::Event::Statement(_)));
        !matches!(step, crate::fixtures::Step::Is(event) if is_statement(event))
    });
    let (mut harness, mut ends) = window(steps);
    asked(&mut ends);
    press(&mut harness, "Balance 128.40 TES");
    harness.run_steps(5);
    let asked = asked(&mut ends);
    let wanted = wallet().account;
    assert!(matches!(asked[..], [Ask::Statement(account, 100)] if account == wanted), "{asked:?}");
    assert!(sees(&harness, "Loading the statement"));
}

#[test]
fn a_refusal_is_shown_and_nothing_moves_after_it() {
    let (mut harness, mut ends) = window(connected(Vec::new()));
    let refused = book::Event::Wallet(Err("The books are being mended".to_owned()));
    // As on a first start: nothing was known before.
    let fresh = window(vec![
        Command::Connect(TICKET.to_owned()).into(),
        Event::Link(Link::Connected).into(),
        Event::Heard(NOW_MS).into(),
        Event::Book(refused).into(),
    ]);
    drop((harness, ends));
    (harness, ends) = fresh;
    press(&mut harness, "Wallet");
    assert!(sees(&harness, "The books are being mended"));
    asked(&mut ends);
    press(&mut harness, "Try again");
    assert!(matches!(asked(&mut ends)[..], [Ask::Refresh]));
}

#[test]
fn another_farm_forgets_everything_of_the_last() {
    let (mut harness, _ends) = window(rendering());
    keys(&mut harness, Modifiers::COMMAND, Key::Num5);
    let label = "Farm ticket";
    harness.get_by_role_and_label(Role::TextInput, label).focus();
    harness.run_steps(2);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.get_by_role_and_label(Role::TextInput, label).type_text("farmother");
    harness.run_steps(2);
    press(&mut harness, "Connect");
    let state = harness.state().state();
    assert_eq!(state.ticket, "farmother");
    let book = &state.book;
    assert!(book.jobs.get().is_none() && book.wallet.get().is_none() && state.live.is_none());
    assert!(state.identity.is_some(), "the key is the person's, not the farm's");
}

#[test]
fn a_job_is_paused_stopped_and_saved_by_keys() {
    let (mut harness, mut ends) = window(rendering());
    asked(&mut ends);
    keys(&mut harness, Modifiers::NONE, Key::P);
    let steered = |ask: &Ask, steering: Steering| matches!(ask, Ask::Steer(it) if *it == Steered { job: job_id(1), steering });
    let pausing = asked(&mut ends);
    assert!(pausing.len() == 1 && steered(&pausing[0], Steering::Pause), "{pausing:?}");
    assert!(sees(&harness, "One moment"), "the farm has not answered");
    let steered_so = Steered { job: job_id(1), steering: Steering::Pause };
    let trouble = Some("It is over already".to_owned());
    happens(&mut harness, Event::Steered { steered: steered_so, trouble });
    assert!(sees(&harness, "lighthouse_v12: It is over already"), "a refusal is told");

    press(&mut harness, "Stop…");
    assert!(sees(&harness, "31 of 60 units"), "what would be kept");
    assert!(sees(&harness, "1.74 TES"), "what would return");
    press(&mut harness, "Stop render");
    assert!(steered(&asked(&mut ends)[0], Steering::Stop));

    keys(&mut harness, Modifiers::COMMAND, Key::S);
    assert!(sees(&harness, "Save the picture"));
    press(&mut harness, "Save");
    let saving = asked(&mut ends);
    let [Ask::Save { sheet, .. }] = &saving[..] else { panic!("{saving:?}") };
    assert_eq!((sheet.name.as_str(), sheet.exr, sheet.png), ("lighthouse_v12", true, true));
    happens(
        &mut harness,
        Event::Saved(Saved {
            files: vec!["/tmp/a.exr".into(), "/tmp/a.png".into()],
            short: 1,
            trouble: None,
        }),
    );
    assert!(sees(&harness, "Saved 2 files in /tmp; 1 picture has not all samples yet"));
}

#[test]
fn a_job_that_ends_is_told_once() {
    let (mut harness, _ends) = window(rendering());
    let mut list = jobs();
    list[0] = job(1, "lighthouse_v12", JobStatus::Done, 60, 3_412_345);
    happens(&mut harness, Event::Book(book::Event::Jobs(Ok(list.clone()))));
    assert!(sees(&harness, "lighthouse_v12 is finished"));
    happens(&mut harness, Event::Book(book::Event::Jobs(Ok(list))));
    assert_eq!(harness.state().state().notices.list.len(), 1);
    press(&mut harness, "1 notice");
    assert!(sees(&harness, "Show job"));
    assert_eq!(harness.state().state().notices.unread(), 0);
}

#[test]
fn a_command_is_found_by_its_words() {
    let (mut harness, _ends) = window(rendering());
    keys(&mut harness, Modifiers::COMMAND, Key::P);
    let label = "Find a command";
    harness.get_by_role_and_label(Role::TextInput, label).type_text("wallet");
    harness.run_steps(3);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    let state = harness.state().state();
    assert_eq!((state.door, &state.sheet), (Door::Wallet, &None));
    // Letters that are typed there are no commands.
    keys(&mut harness, Modifiers::COMMAND, Key::K);
    harness.get_by_role_and_label(Role::TextInput, label).type_text("p");
    harness.run_steps(3);
    assert!(harness.state().state().steering.is_empty());
    keys(&mut harness, Modifiers::NONE, Key::Escape);
    assert_eq!(harness.state().state().sheet, None);
}

#[test]
fn keys_are_listed_from_the_table() {
    let (mut harness, _ends) = window(rendering());
    keys(&mut harness, Modifiers::NONE, Key::F1);
    assert_eq!(harness.state().state().sheet, Some(Sheet::Keys));
    for words in ["Submit render", "Ctrl+Enter", "Pause or resume", "Ctrl+O"] {
        assert!(sees(&harness, words), "{words}");
    }
}

#[test]
fn theme_and_size_are_chosen_and_remembered() {
    let (mut harness, mut ends) = window(rendering());
    keys(&mut harness, Modifiers::COMMAND, Key::Num5);
    while ends.asks.try_recv().is_ok() {}
    harness.get_by_label("Light").click();
    harness.run_steps(3);
    assert_eq!(harness.state().state().settings.theme, Theme::Light);
    let remembered = ends.asks.try_recv();
    assert!(matches!(&remembered, Ok(Ask::Remember(it)) if it.theme == Theme::Light));
    keys(&mut harness, Modifiers::COMMAND, Key::Plus);
    assert!((harness.ctx.zoom_factor() - 1.1).abs() < 1e-3);
    for _step in 0..20 {
        keys(&mut harness, Modifiers::COMMAND, Key::Plus);
    }
    assert!((harness.ctx.zoom_factor() - 2.0).abs() < 1e-3, "no further");
}

#[test]
fn connecting_again_watches_again() {
    let (mut harness, mut ends) = window(rendering());
    asked(&mut ends);
    harness.state_mut().command(Command::Connect(TICKET.to_owned()));
    harness.run_steps(3);
    let asks = asked(&mut ends);
    assert!(matches!(&asks[..], [Ask::Connect(_), watch] if is_watch(watch, 1, 0)), "{asks:?}");
    let state = harness.state().state();
    assert_eq!(state.live.as_ref().map(|live| live.picture.changes()), Some(0), "it comes anew");
}

#[test]
fn letters_are_commands_unless_text_is_being_typed() {
    let (mut harness, mut ends) = window(rendering());
    asked(&mut ends);
    harness.key_press(Key::Tab);
    harness.run_steps(2);
    keys(&mut harness, Modifiers::NONE, Key::P);
    assert!(matches!(asked(&mut ends)[..], [Ask::Steer(_)]), "a focused button takes no text");
    keys(&mut harness, Modifiers::COMMAND, Key::Num4);
    keys(&mut harness, Modifiers::NONE, Key::P);
    assert!(asked(&mut ends).is_empty(), "what is not seen is not paused");
}

#[test]
fn esc_closes_a_list_before_anything_else() {
    let (mut harness, _ends) = window(rendering());
    harness.get_by_role_and_label(Role::ComboBox, "View").click();
    harness.run_steps(3);
    assert!(sees(&harness, "Khronos Neutral"));
    keys(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(!sees(&harness, "Khronos Neutral"));
}
