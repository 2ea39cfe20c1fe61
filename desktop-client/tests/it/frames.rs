//! An animation's frames: which are how far, and playing those that are here.

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::Ask;
use desktop_client::state::compare::{Showing, Slot, Wish};
use desktop_client::state::picture::texel;
use desktop_client::state::reel::{Event as News, Fetching};
use desktop_client::state::{Event, Pane, book, live};
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use protocol::view::{JobStatus, TileStatus};
use protocol::{FrameRange, JobId, ShotIndex, Size};

use crate::fixtures::{NOW_MS, Step, asked, connected, job, job_id, staged, window};
use crate::hand::{does, happens, keys, press, sees};

/// A job of eight frames, of which five are finished.
pub fn animation() -> Vec<Step> {
    let mut row = job(1, "turntable", JobStatus::Rendering, 354, 1_860_000);
    row.units = 480;
    row.spec.frames = FrameRange { first: 10, last: 24, step: 2, fps: 48.0 };
    let per_frame = row.spec.grid().tile_count() as usize;
    let of = |frame: usize| match frame {
        0..5 => vec![TileStatus::Accepted; per_frame],
        5 => [vec![TileStatus::Rendering; 6], vec![TileStatus::Accepted; per_frame - 6]].concat(),
        _later => vec![TileStatus::Waiting; per_frame],
    };
    let tiles: Vec<TileStatus> = (0..8).flat_map(of).collect();
    let shots = live::looks_of_shots(&tiles, per_frame);
    let mut steps = connected(vec![row.clone()]);
    let (summary, shot, tiles, accepted) = (Box::new(row), ShotIndex(0), of(0), Vec::new());
    let news = live::Event::Update { summary, shot, tiles, accepted, shots };
    steps.push(Event::Live(news).into());
    steps
}

pub fn still(job: JobId, shot: u32) -> Event {
    let size = Size::new(64, 36);
    let light = |x: u32, y: u32| {
        let bar = x / 8 == shot % 8;
        if bar { [0.9, 0.5, 0.1] } else { [0.1, 0.1 + y as f32 * 0.01, 0.3] }
    };
    let texels = protocol::Rect::of_size(size).pixels().map(|(x, y)| texel(light(x, y)));
    let texels = texels.collect();
    Event::Reel(News::Still { job, shot: ShotIndex(shot), size, texels })
}

fn watched(harness: &Harness<'_, App>) -> Option<u32> {
    harness.state().state().live.as_ref().map(|live| live.shot.0)
}

fn played(harness: &Harness<'_, App>) -> Option<u32> {
    harness.state().state().played().map(|(shot, _)| shot.0)
}

#[test]
fn every_frame_has_a_cell_and_is_chosen_by_it_and_by_keys() {
    let (mut harness, mut ends) = window(animation());
    asked(&mut ends);
    for words in ["Frame 10, Accepted", "Frame 20, Rendering", "Frame 22, Waiting"] {
        harness.get_by_role_and_label(Role::Button, words);
    }
    press(&mut harness, "Frame 14, Accepted");
    let asks = asked(&mut ends);
    let is_third = |ask: &Ask| matches!(ask, Ask::Watch { shot, .. } if *shot == ShotIndex(2));
    assert!(asks.len() == 1 && is_third(&asks[0]), "{asks:?}");
    harness.get_by_role_and_label(Role::Button, "Frame 20, Rendering");
    keys(&mut harness, Modifiers::NONE, Key::ArrowRight);
    assert_eq!(watched(&harness), Some(3));
    for _step in 0..9 {
        keys(&mut harness, Modifiers::NONE, Key::ArrowLeft);
    }
    assert_eq!(watched(&harness), Some(0), "no further than the first");
    // A control that has the keyboard keeps the keys that move and press it.
    harness.get_by_role_and_label(Role::Button, "Copy id").focus();
    harness.run_steps(2);
    keys(&mut harness, Modifiers::NONE, Key::ArrowRight);
    assert_eq!(watched(&harness), Some(0));
}

#[test]
fn frames_that_are_here_are_played_and_no_others() {
    let (mut harness, mut ends) = window(animation());
    asked(&mut ends);
    keys(&mut harness, Modifiers::NONE, Key::Space);
    assert_eq!(played(&harness), None, "there is nothing to play");
    assert!(sees(&harness, "0 of 8 at hand"));
    for shot in [0, 1, 3] {
        happens(&mut harness, still(job_id(1), shot));
    }
    happens(&mut harness, still(job_id(2), 4));
    assert!(sees(&harness, "3 of 8 at hand"), "of this job");
    keys(&mut harness, Modifiers::NONE, Key::Space);
    assert_eq!(played(&harness), Some(0));
    harness.get_by_label("Frames as they are played");
    // Every other of 48 frames a second: 24 of them a second are shown. The window's clock stands.
    let mut at = |ms: u64| {
        harness.state_mut().event(Event::Now(NOW_MS + ms));
        played(&harness)
    };
    let shown = [41, 42, 84, 126, 1_000].map(&mut at);
    assert_eq!(shown, [Some(0), Some(1), Some(3), Some(0), Some(0)]);
    // It stops at what is seen, which is watched from then on.
    at(1_042);
    harness.state_mut().command(Command::PlayOrPause);
    harness.run_steps(2);
    assert_eq!((played(&harness), watched(&harness)), (None, Some(1)));
    let asks = asked(&mut ends);
    assert!(matches!(asks[..], [Ask::Watch { shot: ShotIndex(1), .. }]), "{asks:?}");
}

#[test]
fn finished_frames_are_fetched_when_they_are_wanted() {
    let (mut harness, mut ends) = window(animation());
    happens(&mut harness, still(job_id(1), 1));
    asked(&mut ends);
    press(&mut harness, "Fetch frames");
    let asks = asked(&mut ends);
    let [Ask::FetchFrames(ask)] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!((ask.job, ask.here.len()), (job_id(1), 1));
    assert!(ask.room > 100, "{}", ask.room);
    let serial = ask.serial;
    press(&mut harness, "Stop fetching");
    assert!(matches!(asked(&mut ends)[..], [Ask::StopFetchingFrames]));
    press(&mut harness, "Fetch frames");
    let trouble = Some("The farm cannot be reached now".to_owned());
    happens(&mut harness, Event::Reel(News::Ended { serial, trouble: trouble.clone() }));
    let fetching = |harness: &Harness<'_, App>| harness.state().state().reel.fetching.clone();
    assert_eq!(fetching(&harness), Fetching::UnderWay, "that was of the one before");
    let serial = match &asked(&mut ends)[..] {
        [Ask::FetchFrames(ask)] => ask.serial,
        asks => panic!("{asks:?}"),
    };
    happens(&mut harness, Event::Reel(News::Ended { serial, trouble }));
    assert!(sees(&harness, "Not all frames could be fetched. The farm cannot be reached now"));
    for shot in 0..5 {
        happens(&mut harness, still(job_id(1), shot));
    }
    let can = harness.state().state().can_fetch_frames();
    assert_eq!(can, Err("All that are finished are at hand"));
    // Another job begins with nothing.
    let rows = vec![job(2, "other", JobStatus::Done, 60, 0)];
    happens(&mut harness, Event::Book(book::Event::Jobs(Ok(rows))));
    assert_eq!(harness.state().state().can_play(), Err("It is one frame"));
}

#[test]
fn nothing_is_fetched_on_of_a_job_that_nobody_looks_at() {
    let (mut harness, mut ends) = window(animation());
    let row = harness.state().state().book.job(job_id(1)).expect("a row").clone();
    let rows = vec![row, job(2, "other", JobStatus::Done, 60, 0)];
    happens(&mut harness, Event::Book(book::Event::Jobs(Ok(rows))));
    press(&mut harness, "Fetch frames");
    asked(&mut ends);
    // Another frame of the same job is no other matter.
    press(&mut harness, "Frame 14, Accepted");
    assert!(matches!(asked(&mut ends)[..], [Ask::Watch { .. }]));
    does(&mut harness, Command::Watch { job: job_id(2), shot: ShotIndex(0) });
    let asks = asked(&mut ends);
    assert!(matches!(asks[..], [Ask::StopFetchingFrames, Ask::Watch { .. }]), "{asks:?}");
    assert_eq!(harness.state().state().reel.fetching, Fetching::Idle);
}

#[test]
fn a_key_that_is_held_down_is_no_second_press() {
    let (mut harness, _ends) = window(animation());
    for shot in [0, 1, 3] {
        happens(&mut harness, still(job_id(1), shot));
    }
    for _told in 0..4 {
        harness.key_down(Key::Space);
        harness.run_steps(2);
        assert_eq!(played(&harness), Some(0), "it goes on");
    }
    harness.key_up(Key::Space);
    keys(&mut harness, Modifiers::NONE, Key::Space);
    assert_eq!(played(&harness), None, "that is one");
}

#[test]
fn what_is_compared_is_not_played_and_shift_makes_another_letter() {
    let mut steps = staged(animation());
    steps.extend([Slot::A, Slot::B].map(|slot| Command::Compare(Wish::Keep(slot)).into()));
    steps.push(Command::Show(Pane::Job).into());
    let (mut harness, _ends) = window(steps);
    let showing = |harness: &Harness<'_, App>| harness.state().state().compare.showing;
    // Nothing of the render is here that could be kept; what is kept is not shown for that.
    keys(&mut harness, Modifiers::SHIFT, Key::A);
    assert_eq!(showing(&harness), Showing::Live);
    for shot in [0, 1, 3] {
        happens(&mut harness, still(job_id(1), shot));
    }
    keys(&mut harness, Modifiers::NONE, Key::Space);
    harness.state_mut().event(Event::Now(NOW_MS + 42));
    assert_eq!(played(&harness), Some(1));
    harness.state_mut().command(Command::Compare(Wish::Toggle(Showing::Wipe)));
    assert_eq!((showing(&harness), watched(&harness)), (Showing::Wipe, Some(1)));
    assert!(harness.state().state().reel.play.is_none(), "it stopped at what was seen");
}
