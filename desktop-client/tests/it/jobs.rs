//! The list of jobs: filtered, sorted, chosen from, and steered together.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::{Ask, FarEnds};
use desktop_client::state::jobs::{Column, Sort, Wish};
use desktop_client::state::sheet::Sheet;
use desktop_client::state::{Door, Event, Steered};
use egui::accesskit::{Role, SortDirection};
use egui::{Key, Modifiers, OutputCommand};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use protocol::view::{JobStatus, JobSummary};
use protocol::{Priority, Selection, Steering};

use crate::fixtures::{asked, connected, job, job_id, jobs, offline, rendering, window, window_of};
use crate::hand::{keys, press, sees};

/// The Jobs door with these jobs.
fn door_of(list: Vec<JobSummary>) -> (Harness<'static, App>, FarEnds) {
    let builder = Harness::builder().with_theme(egui::Theme::Dark);
    let (harness, mut ends) = window_of(builder, Some(Door::Jobs), connected(list));
    asked(&mut ends);
    (harness, ends)
}

/// Names of the rows in sight, from top to bottom, those that are chosen with a star.
fn rows(harness: &Harness<'_, App>) -> Vec<String> {
    let mut rows: Vec<(f32, String)> = harness
        .query_all_by_role(Role::Row)
        .map(|row| {
            let node = row.accesskit_node();
            let label = node.label().unwrap_or_default();
            let name = label.split(',').next().unwrap_or_default().to_owned();
            let star = if node.is_selected() == Some(true) { "*" } else { "" };
            (row.rect().top(), format!("{name}{star}"))
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.into_iter().map(|(_, name)| name).collect()
}

fn click(harness: &mut Harness<'_, App>, name: &str, modifiers: Modifiers) {
    let starts = |label: &str| label.split(',').next() == Some(name);
    let row = harness
        .query_all_by_role(Role::Row)
        .find(|row| starts(&row.accesskit_node().label().unwrap_or_default()))
        .expect("a row of this name");
    row.click_modifiers(modifiers);
    harness.run_steps(3);
}

fn type_filter(harness: &mut Harness<'_, App>, text: &str) {
    keys(harness, Modifiers::COMMAND, Key::F);
    harness.get_by_role_and_label(Role::TextInput, "Filter jobs").type_text(text);
    harness.run_steps(3);
}

fn steered(asks: &[Ask]) -> Vec<(u8, Steering)> {
    let of = |ask: &Ask| match ask {
        Ask::Steer(Steered { job, steering }) => Some((job.0[0], *steering)),
        _other => None,
    };
    asks.iter().filter_map(of).collect()
}

/// What was put on the clipboard last.
fn copied(harness: &Harness<'_, App>) -> Option<String> {
    let commands = &harness.output().platform_output.commands;
    commands.iter().rev().find_map(|command| match command {
        OutputCommand::CopyText(text) => Some(text.clone()),
        _other => None,
    })
}

#[test]
fn a_filter_is_typed_refused_in_a_sentence_and_cleared() {
    let (mut harness, mut ends) = door_of(jobs());
    assert!(sees(&harness, "4 jobs"));
    type_filter(&mut harness, "status:failed");
    assert_eq!(rows(&harness), ["turntable_car"]);
    assert!(sees(&harness, "1 of 4 jobs"));
    harness.get_by_role_and_label(Role::TextInput, "Filter jobs").type_text(" price:cheap");
    harness.run_steps(3);
    assert!(sees(&harness, "\"cheap\" is no price; it is an amount of tokens"));
    assert_eq!(rows(&harness), ["turntable_car"], "what was listed stays");
    press(&mut harness, "Clear filter");
    assert_eq!(rows(&harness).len(), 4);
    type_filter(&mut harness, "status:paused");
    assert!(sees(&harness, "No jobs match status:paused"));
    // Letters that are typed there do nothing else.
    harness.get_by_role_and_label(Role::TextInput, "Filter jobs").type_text("p r");
    harness.run_steps(3);
    assert_eq!(steered(&asked(&mut ends)), []);
    harness.query_all_by_role_and_label(Role::Button, "Clear filter").last().expect("one").click();
    harness.run_steps(3);
    assert_eq!(rows(&harness).len(), 4);
}

#[test]
fn a_slash_opens_the_filter_from_any_door() {
    let (mut harness, _ends) = window(rendering());
    keys(&mut harness, Modifiers::NONE, Key::Slash);
    assert_eq!(harness.state().state().door, Door::Jobs);
    assert!(harness.get_by_role_and_label(Role::TextInput, "Filter jobs").is_focused());
    // Where text is typed, choosing all of it chooses no job.
    keys(&mut harness, Modifiers::COMMAND, Key::A);
    assert!(harness.state().state().jobs.chosen().is_empty());
    keys(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(!harness.get_by_role_and_label(Role::TextInput, "Filter jobs").is_focused());
}

#[test]
fn a_column_is_sorted_by_a_press_and_says_so() {
    let (mut harness, _ends) = door_of(jobs());
    let newest_first = ["lighthouse_v12", "still_life", "turntable_car", "shot_020_beauty"];
    assert_eq!(rows(&harness), newest_first);
    let sorted = |harness: &Harness<'_, App>, name: &str| {
        let header = harness.get_by_role_and_label(Role::ColumnHeader, name);
        header.accesskit_node().data().sort_direction()
    };
    assert_eq!(sorted(&harness, "Ordered, sorted downwards"), Some(SortDirection::Descending));
    harness.get_by_role_and_label(Role::ColumnHeader, "Name").click();
    harness.run_steps(3);
    let by_name = ["lighthouse_v12", "shot_020_beauty", "still_life", "turntable_car"];
    assert_eq!(rows(&harness), by_name);
    assert_eq!(sorted(&harness, "Name, sorted upwards"), Some(SortDirection::Ascending));
    assert_eq!(sorted(&harness, "Ordered"), None);
    harness.get_by_role_and_label(Role::ColumnHeader, "Spent").click();
    harness.run_steps(3);
    let by_spent = ["still_life", "lighthouse_v12", "turntable_car", "shot_020_beauty"];
    assert_eq!(rows(&harness), by_spent);
}

#[test]
fn columns_are_hidden_and_all_of_it_is_remembered() {
    let (mut harness, mut ends) = door_of(jobs());
    assert!(harness.query_by_role_and_label(Role::ColumnHeader, "Refunded").is_some());
    press(&mut harness, "Columns");
    harness.get_by_role_and_label(Role::CheckBox, "Refunded").click();
    harness.run_steps(3);
    assert!(harness.query_by_role_and_label(Role::ColumnHeader, "Refunded").is_none());
    keys(&mut harness, Modifiers::NONE, Key::Escape);
    harness.get_by_role_and_label(Role::ColumnHeader, "Price, TES").click();
    harness.run_steps(3);
    type_filter(&mut harness, "shot");
    let last = std::iter::from_fn(|| ends.asks.try_recv().ok()).last();
    let Some(Ask::Remember(settings)) = last else { panic!("{last:?}") };
    assert_eq!(settings.jobs.filter, "shot");
    assert_eq!(settings.jobs.sort, Sort { column: Column::Price, descending: true });
    assert!(settings.jobs.hidden.contains(&Column::Refunded));
}

#[test]
fn rows_are_chosen_by_mouse_as_in_any_list() {
    let (mut harness, mut ends) = door_of(jobs());
    click(&mut harness, "still_life", Modifiers::NONE);
    let one = ["lighthouse_v12", "still_life*", "turntable_car", "shot_020_beauty"];
    assert_eq!(rows(&harness), one);
    click(&mut harness, "shot_020_beauty", Modifiers::COMMAND);
    let two = ["lighthouse_v12", "still_life*", "turntable_car", "shot_020_beauty*"];
    assert_eq!(rows(&harness), two);
    assert!(sees(&harness, "2 jobs selected"));
    click(&mut harness, "still_life", Modifiers::NONE);
    click(&mut harness, "shot_020_beauty", Modifiers::SHIFT);
    let three = ["lighthouse_v12", "still_life*", "turntable_car*", "shot_020_beauty*"];
    assert_eq!(rows(&harness), three);
    assert_eq!(asked(&mut ends).len(), 0, "choosing asks for nothing");
    click(&mut harness, "turntable_car", Modifiers::NONE);
    assert!(sees(&harness, "out of memory. Lower the texture size"), "why it failed");
}

#[test]
fn rows_are_chosen_by_keys_and_opened() {
    let (mut harness, mut ends) = door_of(jobs());
    keys(&mut harness, Modifiers::NONE, Key::J);
    keys(&mut harness, Modifiers::NONE, Key::ArrowDown);
    let one = ["lighthouse_v12", "still_life*", "turntable_car", "shot_020_beauty"];
    assert_eq!(rows(&harness), one);
    keys(&mut harness, Modifiers::SHIFT, Key::ArrowDown);
    let two = ["lighthouse_v12", "still_life*", "turntable_car*", "shot_020_beauty"];
    assert_eq!(rows(&harness), two);
    keys(&mut harness, Modifiers::NONE, Key::Space);
    assert_eq!(rows(&harness), one, "the row that one is at is let go");
    keys(&mut harness, Modifiers::NONE, Key::K);
    keys(&mut harness, Modifiers::COMMAND, Key::A);
    assert!(rows(&harness).iter().all(|row| row.ends_with('*')));
    assert_eq!(harness.state().state().door, Door::Jobs);
    keys(&mut harness, Modifiers::NONE, Key::K);
    keys(&mut harness, Modifiers::NONE, Key::End);
    keys(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(harness.state().state().door, Door::Render);
    assert!(matches!(asked(&mut ends)[..], [Ask::Watch { job, .. }] if job == job_id(4)));
}

#[test]
fn a_double_click_opens_a_job() {
    // Steps are as short as frames, so that two presses are one double click.
    let builder = Harness::builder().with_step_dt(1.0 / 60.0);
    let (mut harness, mut ends) = window_of(builder, Some(Door::Jobs), connected(jobs()));
    asked(&mut ends);
    for _press in 0..2 {
        let row = harness.get_by_role_and_label(
            Role::Row,
            "still_life, Done, 60 of 60 units accepted, 3.60 TES",
        );
        row.click();
        harness.run_steps(1);
    }
    harness.run_steps(3);
    assert_eq!(harness.state().state().door, Door::Render);
    assert!(matches!(asked(&mut ends)[..], [Ask::Watch { job, .. }] if job == job_id(2)));
}

#[test]
fn what_is_chosen_is_steered_job_by_job_and_buttons_count() {
    let mut list = jobs();
    list.push(job(5, "shot_030", JobStatus::Paused, 5, 100_000));
    let (mut harness, mut ends) = door_of(list);
    let can = |harness: &Harness<'_, App>, words: &str| {
        let button = harness.get_by_role_and_label(Role::Button, words);
        !button.accesskit_node().is_disabled()
    };
    assert!(!can(&harness, "Pause") && !can(&harness, "Stop…"), "nothing is selected");
    keys(&mut harness, Modifiers::COMMAND, Key::A);
    press(&mut harness, "Pause 2");
    assert_eq!(steered(&asked(&mut ends)), [(1, Steering::Pause), (4, Steering::Pause)]);
    press(&mut harness, "Resume 1");
    assert_eq!(steered(&asked(&mut ends)), [(5, Steering::Resume)]);
    keys(&mut harness, Modifiers::NONE, Key::R);
    let retry = Steering::Retry(Selection::default());
    assert_eq!(steered(&asked(&mut ends)), [(1, retry), (4, retry), (5, retry)]);
    assert!(can(&harness, "Retry failed in 3"));
    let refused = Steered { job: job_id(4), steering: Steering::Pause };
    let trouble = Some("It has not begun".to_owned());
    harness.state_mut().event(Event::Steered { steered: refused, trouble });
    harness.run_steps(3);
    assert!(sees(&harness, "shot_020_beauty: It has not begun"), "each refusal is told");
    harness.state_mut().event(offline());
    harness.run_steps(3);
    assert!(!can(&harness, "Pause"), "no farm, no steering");
}

#[test]
fn many_end_after_one_has_seen_what_would_return() {
    let (mut harness, mut ends) = door_of(jobs());
    keys(&mut harness, Modifiers::COMMAND, Key::A);
    press(&mut harness, "Stop 2…");
    assert_eq!(steered(&asked(&mut ends)), [], "it is asked first");
    assert!(sees(&harness, "Stop 2 renders"));
    assert!(sees(&harness, "31 of 120 units"), "what is kept");
    assert!(sees(&harness, "5.34 TES"), "1.74 and 3.60");
    press(&mut harness, "Let them go on");
    press(&mut harness, "Cancel 2…");
    press(&mut harness, "Cancel 2 renders");
    assert_eq!(steered(&asked(&mut ends)), [(1, Steering::Cancel), (4, Steering::Cancel)]);
    assert_eq!(harness.state().state().sheet, None);
}

#[test]
fn a_priority_is_chosen_for_many() {
    let (mut harness, mut ends) = door_of(jobs());
    keys(&mut harness, Modifiers::COMMAND, Key::A);
    press(&mut harness, "Priority…");
    let jobs = vec![job_id(1), job_id(4)];
    let sheet = Sheet::Prefer { jobs, priority: 80 };
    assert!(sees(&harness, "Set for 2 jobs"));
    harness.state_mut().command(Command::Sheet(Some(sheet)));
    harness.run_steps(3);
    press(&mut harness, "Set for 2 jobs");
    let high = Steering::Priority(Priority::try_from(80).expect("one"));
    assert_eq!(steered(&asked(&mut ends)), [(1, high), (4, high)]);
}

#[test]
fn commands_behind_this_door_are_for_what_is_chosen_here() {
    let (mut harness, mut ends) = door_of(jobs());
    // The farm's newest job is watched, and not chosen.
    assert_eq!(harness.state().state().selected, Some(job_id(1)));
    for words in ["Pause or resume", "Stop…", "Cancel…"] {
        let action = desktop_client::command::action(words);
        assert_eq!((action.enabled)(harness.state().state()), Err("Select jobs first"), "{words}");
    }
    click(&mut harness, "shot_020_beauty", Modifiers::NONE);
    keys(&mut harness, Modifiers::NONE, Key::P);
    assert_eq!(steered(&asked(&mut ends)), [(4, Steering::Pause)]);
    for (words, steering) in [("Stop…", Steering::Stop), ("Cancel…", Steering::Cancel)] {
        let action = desktop_client::command::action(words);
        let command = (action.command)(harness.state().state());
        harness.state_mut().command(command);
        let sheet = Sheet::EndMany { jobs: vec![job_id(4)], steering };
        assert_eq!(harness.state().state().sheet, Some(sheet));
    }
}

#[test]
fn ids_and_lines_for_a_terminal_are_copied() {
    let (mut harness, _ends) = door_of(jobs());
    click(&mut harness, "lighthouse_v12", Modifiers::NONE);
    click(&mut harness, "shot_020_beauty", Modifiers::COMMAND);
    harness.event(egui::Event::Copy);
    harness.step();
    let ids = format!("{}\n{}", job_id(1), job_id(4));
    assert_eq!(copied(&harness), Some(ids));
    press(&mut harness, "Copy as command");
    harness.get_by_role_and_label(Role::Button, "Stop 2").click();
    harness.step();
    let lines = copied(&harness).unwrap_or_default();
    let expected = format!("tessera jobs stop {}\ntessera jobs stop {}\n", job_id(1), job_id(4));
    assert!(lines.starts_with("export TESSERA_FARM=farm") && lines.ends_with(&expected), "{lines}");
}

#[test]
fn rows_are_not_put_in_order_while_drawing() {
    let (mut harness, _ends) = door_of(jobs());
    harness.state_mut().command(Command::Jobs(Wish::ChooseAll));
    let before = harness.state().state().jobs.arrangements();
    harness.run_steps(10);
    assert_eq!(harness.state().state().jobs.arrangements(), before);
}

#[test]
fn of_ten_thousand_jobs_only_those_in_sight_are_drawn() {
    let many = (0..10_000_u32).map(|number| {
        let mut row = job(4, &format!("shot_{number:05}"), JobStatus::Waiting, 0, 0);
        row.job.0[..4].copy_from_slice(&number.to_be_bytes());
        JobSummary { ordered_ms: row.ordered_ms - u64::from(number), ..row }
    });
    let (mut harness, _ends) = door_of(many.collect());
    let seen = rows(&harness);
    assert!((10..60).contains(&seen.len()), "{} rows", seen.len());
    assert_eq!(seen[0], "shot_00000");
    keys(&mut harness, Modifiers::NONE, Key::End);
    harness.run_steps(8);
    let seen = rows(&harness);
    assert_eq!(seen.last().map(String::as_str), Some("shot_09999*"), "one sees where one went");
}
