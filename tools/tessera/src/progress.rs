//! Progress on standard error: a bar on a terminal, else a line now and then.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::manners;

/// Pause between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How far a piece of work is.
#[derive(Debug)]
pub struct Progress {
    unit: &'static str,
    started: Instant,
    bar: Option<ProgressBar>,
    line_due: Cell<Instant>,
}

impl Progress {
    /// Starts to count `unit`s.
    pub fn start(what: &str, unit: &'static str) -> Self {
        let started = Instant::now();
        let shows = !manners::is_quiet() && std::io::stderr().is_terminal();
        let bar = shows.then(|| bar(what, unit));
        Self { unit, started, bar, line_due: Cell::new(started + LINE_EVERY) }
    }

    /// Shows how far it is, with a word on what goes on.
    pub fn show(&self, done: u64, total: u64, word: &str) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(word.to_owned());
            return;
        }
        let now = Instant::now();
        if now >= self.line_due.get() {
            self.line_due.set(now + LINE_EVERY);
            let seconds = self.started.elapsed().as_secs();
            let comma = if word.is_empty() { "" } else { ", " };
            note!("  {done} of {total} {unit}{comma}{word}, {seconds} s", unit = self.unit);
        }
    }

    /// Prints a line above the bar.
    pub fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note!("{line}")),
            None => note!("{line}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &str, unit: &str) -> ProgressBar {
    let template = format!(
        "  {{prefix:<11}} {{bar:32.cyan/dim}} {{pos}}/{{len}} {unit}  {{elapsed}}  {{msg:.dim}}"
    );
    let style = ProgressStyle::with_template(&template)
        .expect("invariant: the template is a constant but for the unit's word")
        .progress_chars("━╸─");
    let bar = ProgressBar::new(0).with_style(style).with_prefix(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
