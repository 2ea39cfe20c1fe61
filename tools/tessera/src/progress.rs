//! Progress on standard error: a bar on a terminal, else a line now and then.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::IsTerminal as _;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::{manners, text};

/// Pause between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The bars of this process: whoever says a line meanwhile says it above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Says a line above what bar there is.
pub fn note_above(line: &str) {
    BARS.suspend(|| note!("{line}"));
}

/// What is counted, one and many of it.
type Unit = [&'static str; 2];

/// How far a piece of work is.
#[derive(Debug)]
pub struct Progress {
    unit: Unit,
    started: Instant,
    bar: Option<ProgressBar>,
    line_due: Cell<Instant>,
    /// Why it does not go on.
    why: RefCell<Option<String>>,
}

impl Progress {
    /// Starts to count `unit`s.
    pub fn start(what: &str, unit: Unit) -> Self {
        let started = Instant::now();
        let shows = !manners::is_quiet() && std::io::stderr().is_terminal();
        let bar = shows.then(|| bar(what, unit));
        let line_due = Cell::new(started + LINE_EVERY);
        Self { unit, started, bar, line_due, why: RefCell::new(None) }
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
            let why = self.why.borrow();
            let done = text::share(done, total, self.unit);
            note!("  {}", line(&done, why.as_deref(), word, self.started.elapsed()));
        }
    }

    /// Why it does not go on, where it does not: a terminal has that once, above the bar, lines have it
    /// each.
    pub fn because(&self, why: Option<String>) {
        if *self.why.borrow() == why {
            return;
        }
        if let (Some(_bar), Some(why)) = (&self.bar, &why) {
            self.note(&format!("  {why}"));
        }
        self.why.replace(why);
    }

    /// Prints a line above the bar.
    pub fn note(&self, line: &str) {
        match &self.bar {
            Some(_bar) => note_above(line),
            None => note!("{line}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            BARS.remove(bar);
        }
    }
}

/// `waiting: no node that gets work is connected; 0 of 1 unit, 10 s`.
fn line(done: &str, why: Option<&str>, word: &str, elapsed: Duration) -> String {
    let why = why.map_or_else(String::new, |why| format!("{why}; "));
    let comma = if word.is_empty() { "" } else { ", " };
    format!("{why}{done}{comma}{word}, {} s", elapsed.as_secs())
}

fn bar(what: &str, [one, many]: Unit) -> ProgressBar {
    let template =
        "  {prefix:<11} {bar:32.cyan/dim} {pos}/{len} {unit}  {elapsed}  {wide_msg:.dim}";
    let unit = move |state: &ProgressState, out: &mut dyn fmt::Write| {
        // A word that does not come out is no harm.
        let _shown = out.write_str(if state.len() == Some(1) { one } else { many });
    };
    let style = ProgressStyle::with_template(template)
        .expect("invariant: the template is a constant")
        .with_key("unit", unit)
        .progress_chars("━╸─");
    let bar = ProgressBar::new(0).with_style(style).with_prefix(what.to_owned());
    let bar = BARS.add(bar);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_why_nothing_happens() {
        let at = Duration::from_millis(10_400);
        let why = "waiting: no node that gets work is connected";
        assert_eq!(
            line("0 of 1 unit", Some(why), "", at),
            "waiting: no node that gets work is connected; 0 of 1 unit, 10 s"
        );
        assert_eq!(line("1 of 8 tiles", None, "9 rays/s", at), "1 of 8 tiles, 9 rays/s, 10 s");
        assert_eq!(line("1 of 2 jobs", None, "", at), "1 of 2 jobs, 10 s");
    }
}
