//! Strangers' text, made fit to be shown.

use std::fmt;

use openjd_model::ModelError;

/// Characters of a foreign name or value that are shown.
const QUOTED_CHARS_MAX: usize = 80;
/// Characters of a foreign message that are shown.
const MESSAGE_CHARS_MAX: usize = 400;
/// What the model says of every text that cannot be read.
const NO_DOCUMENT: &str = "document consisting of key-value pairs.";

/// Text in quotes: its beginning, and nothing of it steers a terminal or turns the line around.
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(QUOTED_CHARS_MAX) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Names in quotes with commas between them, the first few.
pub(crate) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    const SHOWN: usize = 8;
    let mut names = names.into_iter();
    let shown: Vec<String> =
        names.by_ref().take(SHOWN).map(|name| Quoted(name).to_string()).collect();
    let more = if names.next().is_some() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A foreign message in one line: the lines that draw its place are left out.
pub(crate) fn plain(message: &str) -> String {
    let lines = message.lines().map(str::trim);
    let told = lines.filter(|line| !line.is_empty() && !is_drawing(line));
    let mut plain = String::new();
    let mut chars = 0;
    for (at, line) in told.enumerate() {
        let gap = if at > 0 { " " } else { "" };
        for char in gap.chars().chain(line.chars()) {
            if chars == MESSAGE_CHARS_MAX {
                plain.push('…');
                return plain;
            }
            chars += 1;
            match char {
                '\'' | '"' | '\\' => plain.push(char),
                shown => plain.extend(shown.escape_debug()),
            }
        }
    }
    plain
}

/// What the model says, in one line, without what it says each time.
pub(crate) fn of_model(error: &ModelError) -> String {
    match error {
        ModelError::DecodeValidation(message) => match message.split_once(NO_DOCUMENT) {
            Some((_, rest)) if !rest.trim().is_empty() => plain(rest),
            Some(_) => "it says something else".to_owned(),
            None => plain(message),
        },
        other => plain(&other.to_string()),
    }
}

/// Whether a line of a message shows a line of the text, or points into one.
fn is_drawing(line: &str) -> bool {
    let rest = line.trim_start_matches(|char: char| char.is_ascii_digit()).trim_start();
    rest.starts_with('|')
        || rest.starts_with("-->")
        || rest.chars().all(|char| "^~ ".contains(char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_write_is_shown_whole_only_where_it_is_short_and_harmless() {
        assert_eq!(Quoted("shot 010").to_string(), "\"shot 010\"");
        assert_eq!(Quoted("a\u{1b}[2J\u{202e}").to_string(), "\"a\\u{1b}[2J\\u{202e}\"");
        let long = Quoted(&"ä".repeat(1_000)).to_string();
        assert_eq!(long.chars().count(), QUOTED_CHARS_MAX + 3);
        assert_eq!(plain("it's bad:\n  7 | a: [\n    |    ^\nhere\u{7}"), "it's bad: here\\u{7}");
        assert!(plain(&"word ".repeat(1_000)).chars().count() <= MESSAGE_CHARS_MAX + 1);
    }
}
