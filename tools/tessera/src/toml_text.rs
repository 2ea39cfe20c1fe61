//! What is wrong in a TOML file, and where: with its line and field.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// What is wrong, and where: `3: needs.pool: …`, to stand behind the file's name and a colon.
#[derive(Debug)]
pub struct Fault {
    line: Option<usize>,
    words: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{line}: {}", self.words),
            None => write!(f, " {}", self.words),
        }
    }
}

impl Fault {
    /// Of a part of the file under `within`.
    fn of(error: &toml::de::Error, text: &str, within: Option<&str>) -> Self {
        let field = field(error, within).map(|field| format!("{field}: ")).unwrap_or_default();
        let line = error.span().map(|span| line_of(text, span.start));
        Self { line, words: format!("{field}{}", error.message()) }
    }

    /// Of a field, in words.
    pub fn new(lines: &Lines, field: &str, words: impl std::fmt::Display) -> Self {
        Self { line: lines.of(field), words: format!("{field}: {words}") }
    }
}

/// The field that an error is about: its library tells it as the last line of its words.
fn field(error: &toml::de::Error, within: Option<&str>) -> Option<String> {
    let words = error.to_string();
    let named = words.lines().last().and_then(|line| line.strip_prefix("in `"));
    let named = named.and_then(|rest| rest.strip_suffix('`'));
    let parts: Vec<&str> = within.into_iter().chain(named).collect();
    (!parts.is_empty()).then(|| parts.join("."))
}

/// The text as a table.
///
/// # Errors
/// It is no TOML.
pub fn table(text: &str) -> Result<Spanned<DeTable<'_>>, Fault> {
    DeTable::parse(text).map_err(|error| Fault::of(&error, text, None))
}

/// A table of this text as what it is to be; `within` is what it is called.
///
/// # Errors
/// A key that is not known, or a value that cannot be.
pub fn read<T: DeserializeOwned>(
    table: Spanned<DeTable<'_>>,
    text: &str,
    within: Option<&str>,
) -> Result<T, Fault> {
    T::deserialize(Deserializer::from(table)).map_err(|error| Fault::of(&error, text, within))
}

/// A value that is to be a table.
///
/// # Errors
/// It is none.
pub fn into_table<'i>(
    value: Spanned<DeValue<'i>>,
    name: &str,
    lines: &Lines,
) -> Result<Spanned<DeTable<'i>>, Fault> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Ok(Spanned::new(span, table)),
        other => {
            let words = format!("a table is wanted, not {}", other.type_str());
            Err(Fault::new(lines, name, words))
        }
    }
}

/// The line of each field of a file, by its path: `lens.focus`.
#[derive(Debug, Clone, Default)]
pub struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Those of a table's fields.
    pub fn in_table(table: &DeTable<'_>, text: &str) -> Self {
        let mut lines = Self::default();
        lines.note(table, text, "");
        lines
    }

    fn note(&mut self, table: &DeTable<'_>, text: &str, within: &str) {
        for (key, value) in table {
            let path = match within {
                "" => key.get_ref().to_string(),
                within => format!("{within}.{}", key.get_ref()),
            };
            if let DeValue::Table(table) = value.get_ref() {
                self.note(table, text, &path);
            }
            self.0.insert(path, line_of(text, key.span().start));
        }
    }

    /// The line of a field, where it is there.
    pub fn of(&self, field: &str) -> Option<usize> {
        self.0.get(field).copied()
    }
}

/// The number of the line with this byte, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
