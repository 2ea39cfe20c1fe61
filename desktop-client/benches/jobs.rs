//! What a long list of jobs costs: to filter and sort it, and to draw it, without a GPU.
//!
//! ```text
//! cargo bench --profile release -p desktop-client --bench jobs
//! ```
//!
//! Ten thousand literal jobs; each figure is the median of many, in milliseconds. A frame is input,
//! layout, shapes and accessible names; making triangles of the shapes is told by itself.

#[path = "../tests/it/fixtures.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod fixtures;

use std::time::Instant;

use desktop_client::command::Command;
use desktop_client::state::jobs::{Column, Wish};
use desktop_client::state::{Door, Event, State, book};
use egui::Key;
use egui_kittest::Harness;
use fixtures::{connected, job, window_of};
use protocol::view::{JobStatus, JobSummary};

/// Jobs of the list.
const JOBS: u32 = 10_000;
/// Times that each thing is done.
const ROUNDS: usize = 41;

fn jobs() -> Vec<JobSummary> {
    let of = |number: u32| {
        let status = JobStatus::ALL[number as usize * 31 % JobStatus::ALL.len()];
        let name = format!("shot_{:05}_beauty", number * 7919 % JOBS);
        let mut row = job(1, &name, status, number % 61, u64::from(number) * 300);
        row.job.0[..4].copy_from_slice(&number.to_be_bytes());
        row.ordered_ms -= u64::from(number);
        row
    };
    (0..JOBS).map(of).collect()
}

/// Does it many times and prints the median and the worst.
fn measure(name: &str, mut deed: impl FnMut(usize)) {
    let mut spans: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let begin = Instant::now();
            deed(round);
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    spans.sort_by(f64::total_cmp);
    println!("{name:<44}{:>8.2} ms, at most {:>8.2} ms", spans[ROUNDS / 2], spans[ROUNDS - 1]);
}

fn main() {
    let list = jobs();
    let mut state = State::default();
    state.apply(Event::Book(book::Event::Jobs(Ok(list.clone()))));
    let mut wish = |wish: Wish| drop(state.act(Command::Jobs(wish)));
    for (name, filter) in [
        ("filter: status:failed", "status:failed"),
        ("filter: name:shot_0*beauty priority:>20", "name:shot_0*beauty priority:>20"),
        ("filter: none, sorted by when ordered", ""),
    ] {
        measure(name, |_| wish(Wish::Filter(filter.to_owned())));
    }
    measure("sort by name", |_| wish(Wish::SortBy(Column::Name)));
    measure("sort by spent", |_| wish(Wish::SortBy(Column::Spent)));
    measure("choose all", |_| wish(Wish::ChooseAll));
    measure("a first page of 500, half of it changed", |round| {
        let mut page = list[..500].to_vec();
        for row in page.iter_mut().skip(round % 2).step_by(2) {
            row.units_accepted += 1;
        }
        drop(state.apply(Event::Book(book::Event::NewestJobs(page))));
    });

    let builder = Harness::builder().with_theme(egui::Theme::Dark);
    let (mut harness, _ends) = window_of(builder, Some(Door::Jobs), connected(list));
    measure("a frame", |_| harness.step());
    measure("the triangles of a frame", |_| {
        let shapes = harness.output().shapes.clone();
        drop(harness.ctx.tessellate(shapes, 1.0));
    });
    harness.state_mut().command(Command::Jobs(Wish::ChooseAll));
    measure("a frame, all chosen", |_| harness.step());
    measure("a frame that goes twenty rows down", |_| {
        harness.key_press(Key::PageDown);
        harness.step();
    });
}
