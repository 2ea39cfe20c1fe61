//! Which jobs are listed, as typed: `status:failed name:shot_0* priority:>50`.
//!
//! Terms stand apart by spaces and must all hold; `-` before one turns it round, a comma lets a value
//! be one of several. A word without a key is looked for in names.

use std::ops::Range;

use protocol::view::{JobStatus, JobSummary};
use protocol::{Priority, Tokens};

use crate::words;

/// What is asked of jobs; all of them hold where nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// Which part of the text it is about, bytes.
    pub at: Range<usize>,
    /// What is wrong and what would be right, in a sentence.
    pub words: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    is_turned: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// The name has one of these in it, or is like one with stars.
    Name(Vec<String>),
    /// The id begins with one of these.
    Id(Vec<String>),
    Status(Vec<JobStatus>),
    Number(Figure, Relation, u128),
    /// The day it was ordered on, by UTC.
    Ordered(Relation, String),
}

/// A figure of a job that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Priority,
    Units,
    Progress,
    Price,
    Spent,
    Refunded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Is,
    AtLeast,
    Above,
}

/// Every key, with an example of its values.
pub const KEYS: [(&str, &str); 10] = [
    ("name", "shot_0*"),
    ("status", "rendering,paused"),
    ("id", "job_3f"),
    ("priority", ">50"),
    ("units", ">=100"),
    ("progress", "<50"),
    ("price", "<10"),
    ("spent", ">2.5"),
    ("refunded", ">0"),
    ("ordered", ">=2026-11-01"),
];

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// A key that is none, or a value that its key cannot have.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let terms = tokens(text)?.into_iter().map(Token::term).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Whether all of it holds of a job.
    #[must_use]
    pub fn holds(&self, job: &JobSummary) -> bool {
        self.terms.iter().all(|term| term.test.holds(job) != term.is_turned)
    }

    /// Whether it asks nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.terms.is_empty()
    }

    /// The one status that it asks for, where it asks for that and nothing else.
    #[must_use]
    pub fn only_status(&self) -> Option<JobStatus> {
        match self.terms.as_slice() {
            [Term { is_turned: false, test: Test::Status(wanted) }] => match wanted.as_slice() {
                [one] => Some(*one),
                _several => None,
            },
            _more => None,
        }
    }
}

impl Test {
    fn holds(&self, job: &JobSummary) -> bool {
        match self {
            Self::Name(wanted) => {
                let name = job.spec.name.to_lowercase();
                wanted.iter().any(|wanted| is_like(&name, wanted))
            }
            Self::Id(wanted) => {
                let id = job.job.to_string();
                let bare = id.strip_prefix("job_").unwrap_or(&id);
                wanted.iter().any(|it| bare.starts_with(it.strip_prefix("job_").unwrap_or(it)))
            }
            Self::Status(wanted) => wanted.contains(&job.status),
            Self::Number(figure, relation, wanted) => relation.holds(&figure.of(job), wanted),
            Self::Ordered(relation, day) => relation.holds(&words::date(job.ordered_ms), day),
        }
    }
}

impl Figure {
    fn of(self, job: &JobSummary) -> u128 {
        match self {
            Self::Priority => u8::from(job.priority).into(),
            Self::Units => job.units.into(),
            Self::Progress => u128::from(job.units_accepted) * 100 / u128::from(job.units.max(1)),
            Self::Price => job.price.micro(),
            Self::Spent => job.spent.micro(),
            Self::Refunded => job.refunded.micro(),
        }
    }

    /// Reads a value, or says what it should be.
    fn read(self, text: &str) -> Result<u128, &'static str> {
        match self {
            Self::Priority => {
                let number = text.parse::<u8>().ok();
                let priority = number.and_then(|number| Priority::try_from(number).ok());
                priority.map(|it| u8::from(it).into()).ok_or("a number from 1 to 100")
            }
            Self::Units => text.parse::<u32>().map(Into::into).map_err(|_no| "a whole number"),
            Self::Progress => {
                let number = text.trim_end_matches('%').parse::<u8>().ok();
                number.filter(|it| *it <= 100).map(Into::into).ok_or("per cent from 0 to 100")
            }
            Self::Price | Self::Spent | Self::Refunded => {
                let tokens = text.parse::<Tokens>().map_err(|_no| "an amount of tokens, as 2.5");
                tokens.map(Tokens::micro)
            }
        }
    }
}

impl Relation {
    fn holds<T: Ord>(self, value: &T, wanted: &T) -> bool {
        match self {
            Self::Below => value < wanted,
            Self::AtMost => value <= wanted,
            Self::Is => value == wanted,
            Self::AtLeast => value >= wanted,
            Self::Above => value > wanted,
        }
    }

    /// Takes a relation from the front of a value.
    fn split(text: &str) -> (Self, &str) {
        let signs = [
            ("<=", Self::AtMost),
            (">=", Self::AtLeast),
            ("<", Self::Below),
            (">", Self::Above),
            ("=", Self::Is),
        ];
        let found = signs.into_iter().find_map(|(sign, it)| Some((it, text.strip_prefix(sign)?)));
        found.unwrap_or((Self::Is, text))
    }
}

/// Part of a text between spaces, without its quotes.
struct Token {
    at: Range<usize>,
    text: String,
    /// Where its key ends, bytes of `text`; none where the colon is quoted or missing.
    colon: Option<usize>,
}

fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut found: Vec<Token> = Vec::new();
    let mut open: Option<Token> = None;
    let mut quote: Option<usize> = None;
    for (place, letter) in text.char_indices() {
        if quote.is_none() && letter.is_whitespace() {
            found.extend(open.take());
            continue;
        }
        let token = open.get_or_insert_with(|| Token {
            at: place..place,
            text: String::new(),
            colon: None,
        });
        token.at.end = place + letter.len_utf8();
        match letter {
            '"' => quote = if quote.is_some() { None } else { Some(place) },
            _other => {
                if letter == ':' && quote.is_none() && token.colon.is_none() {
                    token.colon = Some(token.text.len());
                }
                token.text.push(letter);
            }
        }
    }
    if let Some(place) = quote {
        let words = "A quotation mark opens here and none closes it".to_owned();
        return Err(FilterError { at: place..text.len(), words });
    }
    found.extend(open);
    Ok(found)
}

impl Token {
    fn term(self) -> Result<Term, FilterError> {
        let is_turned = self.text.starts_with('-') && self.text.len() > 1;
        let text = if is_turned { &self.text[1..] } else { self.text.as_str() };
        let wrong = |words: String| FilterError { at: self.at.clone(), words };
        let colon = self.colon.map(|colon| colon - usize::from(is_turned));
        let Some(colon) = colon else {
            let test = Test::Name(vec![text.to_lowercase()]);
            return Ok(Term { is_turned, test });
        };
        let (key, value) = (text[..colon].to_lowercase(), &text[colon + 1..]);
        if value.is_empty() {
            let example = KEYS.iter().find(|(known, _)| *known == key);
            if let Some((_, example)) = example {
                return Err(wrong(format!("Say which {key}, as {key}:{example}")));
            }
        }
        let test = match key.as_str() {
            "name" => Test::Name(value.to_lowercase().split(',').map(Into::into).collect()),
            "id" => Test::Id(value.to_lowercase().split(',').map(Into::into).collect()),
            "status" => Test::Status(statuses(value).map_err(wrong)?),
            "ordered" => {
                let (relation, day) = Relation::split(value);
                let is_day = is_like(day, "????-??-??")
                    && day.chars().all(|c| c.is_ascii_digit() || c == '-');
                if !is_day {
                    return Err(wrong(format!("{day:?} is no day; write it as 2026-11-01")));
                }
                Test::Ordered(relation, day.to_owned())
            }
            _other => {
                let Some(figure) = figure(&key) else {
                    let keys = KEYS.map(|(key, _)| key).join(", ");
                    return Err(wrong(format!("There is no {key:?} to look at; there are {keys}")));
                };
                let (relation, number) = Relation::split(value);
                let read = figure.read(number).map_err(|wanted| {
                    wrong(format!("{number:?} is no {key}; it is {wanted}, after <, >, <= or >="))
                })?;
                Test::Number(figure, relation, read)
            }
        };
        Ok(Term { is_turned, test })
    }
}

fn figure(key: &str) -> Option<Figure> {
    Some(match key {
        "priority" => Figure::Priority,
        "units" => Figure::Units,
        "progress" => Figure::Progress,
        "price" => Figure::Price,
        "spent" => Figure::Spent,
        "refunded" => Figure::Refunded,
        _other => return None,
    })
}

/// Statuses by the beginning of their words.
fn statuses(value: &str) -> Result<Vec<JobStatus>, String> {
    let mut wanted = Vec::new();
    for part in value.to_lowercase().split(',').filter(|part| !part.is_empty()) {
        let before = wanted.len();
        wanted.extend(JobStatus::ALL.into_iter().filter(|it| it.word().starts_with(part)));
        if wanted.len() == before {
            let known = JobStatus::ALL.map(JobStatus::word).join(", ");
            return Err(format!("No job can be {part:?}; it can be {known}"));
        }
    }
    Ok(wanted)
}

/// Whether a name has a text in it, or is as one with stars (any letters) and question marks (any
/// letter) says.
fn is_like(name: &str, wanted: &str) -> bool {
    if !wanted.contains(['*', '?']) {
        return name.contains(wanted);
    }
    let (name, wanted): (Vec<char>, Vec<char>) = (name.chars().collect(), wanted.chars().collect());
    let (mut n, mut w) = (0, 0);
    // Where the last star stands, and the first letter that it does not take.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match wanted.get(w) {
            Some('*') => {
                star = Some((w, n));
                w += 1;
            }
            Some(&letter) if letter == '?' || letter == name[n] => (n, w) = (n + 1, w + 1),
            _other => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (n, w) = (taken + 1, at + 1);
            }
        }
    }
    wanted[w..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::jobs::tests::job;

    fn check(text: &str, expected: &[&str]) {
        let filter = Filter::parse(text).expect("a filter");
        let mut car = job(3, "Turntable Car", JobStatus::Failed);
        car.priority = Priority::try_from(80).expect("one");
        (car.units_accepted, car.spent) = (12, Tokens::from_micro(700_000));
        let mut shot = job(4, "shot_020", JobStatus::Rendering);
        (shot.units_accepted, shot.ordered_ms) = (30, 1_795_429_860_000);
        let jobs = [job(1, "shot_010", JobStatus::Done), car, shot];
        let held = jobs.iter().filter(|job| filter.holds(job));
        let names: Vec<&str> = held.map(|job| job.spec.name.as_str()).collect();
        assert_eq!(names, expected, "{text}");
    }

    #[test]
    fn a_filter_holds_what_it_says() {
        let all = ["shot_010", "Turntable Car", "shot_020"];
        check("", &all);
        check("  ", &all);
        check("shot", &["shot_010", "shot_020"]);
        check("CAR", &["Turntable Car"]);
        check("\"table car\"", &["Turntable Car"]);
        check("name:\"table car\"", &["Turntable Car"]);
        check("name:shot_0*", &["shot_010", "shot_020"]);
        check("name:*_02?", &["shot_020"]);
        check("name:hot_0*", &[]);
        check("name:turn,_010", &["shot_010", "Turntable Car"]);
        check("-name:shot", &["Turntable Car"]);
        check("-shot -car", &[]);
        check("status:failed", &["Turntable Car"]);
        check("status:fa", &["Turntable Car"]);
        check("status:done,rendering", &["shot_010", "shot_020"]);
        check("-status:done", &["Turntable Car", "shot_020"]);
        check("status:rendering shot", &["shot_020"]);
        check("status:failed shot", &[]);
        check("id:job_0303", &["Turntable Car"]);
        check("id:01,03", &["shot_010", "Turntable Car"]);
        check("priority:>50", &["Turntable Car"]);
        check("priority:<=50", &["shot_010", "shot_020"]);
        check("priority:80", &["Turntable Car"]);
        check("progress:>=50%", &["shot_020"]);
        check("units:60", &all);
        check("units:<60", &[]);
        check("spent:>0.5", &["Turntable Car"]);
        check("price:=3.6", &all);
        check("ordered:2026-11-23", &["shot_020"]);
        check("ordered:<2026-11-23", &["shot_010", "Turntable Car"]);
    }

    fn refuse(text: &str, at: Range<usize>, part: &str) {
        let error = Filter::parse(text).expect_err("no filter");
        assert_eq!(error.at, at, "{text}");
        assert!(error.words.contains(part), "{}", error.words);
        assert!(!error.words.ends_with('.'), "{}", error.words);
    }

    #[test]
    fn what_is_no_filter_says_where_and_what_would_be() {
        refuse("shot status:lost", 5..16, "No job can be \"lost\"; it can be waiting, rendering");
        refuse("user:mina", 0..9, "There is no \"user\" to look at; there are name, status");
        refuse("status:", 0..7, "Say which status, as status:rendering,paused");
        refuse("priority:>101", 0..13, "\"101\" is no priority; it is a number from 1 to 100");
        refuse("progress:101", 0..12, "per cent from 0 to 100");
        refuse("price:cheap", 0..11, "an amount of tokens");
        refuse("ordered:yesterday", 0..17, "write it as 2026-11-01");
        refuse("é name:\"shot", 8..13, "none closes it");
    }

    #[test]
    fn only_one_status_is_what_the_command_line_can_ask() {
        let only = |text: &str| Filter::parse(text).expect("a filter").only_status();
        assert_eq!(only("status:failed"), Some(JobStatus::Failed));
        for text in ["", "status:failed shot", "-status:failed", "status:failed,done", "failed"] {
            assert_eq!(only(text), None, "{text}");
        }
    }
}
