//! The arguments of `tessera render`: taken apart once for all tasks of a step, and read for each.

use openjd_model::{FormatString, SymbolTable};

use crate::options::{self, Opt, Role, Takes};
use crate::refusal::Problem;
use crate::values::{Values, resolve};

/// Arguments of a command: all options twice are a tenth.
const ARGUMENTS_MAX: usize = 2_000;

/// An argument with values put in.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    /// As the command would see it.
    pub text: String,
    /// What the template itself says of it.
    pub own: String,
}

/// An argument of a step's action.
#[derive(Debug)]
struct Argument<'a> {
    format: &'a FormatString,
    /// For the step's first task.
    word: Word,
    /// Whether it has something of the task.
    varies: bool,
    /// Whether it has something of a session.
    of_session: bool,
}

/// What an argument is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    /// The scene.
    Scene,
    /// An option, or its value.
    Option(&'static Opt),
}

/// A scene, or an option with its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    /// What is said.
    pub subject: Subject,
    /// The argument that has the value; none where nothing is to be said.
    argument: Option<usize>,
    /// Whether the value stands after `=` there.
    is_attached: bool,
}

/// The arguments of a step, taken apart.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    arguments: Vec<Argument<'a>>,
    tokens: Vec<Token>,
}

impl<'a> Arguments<'a> {
    /// Takes apart what comes after `render`, as it is for the step's first task.
    pub fn parse(formats: &'a [FormatString], values: &Values) -> Result<Self, Vec<Problem>> {
        if formats.len() > ARGUMENTS_MAX {
            let (count, max) = (formats.len(), ARGUMENTS_MAX);
            return Err(vec![Problem::ArgumentCount { count, max }]);
        }
        let mut arguments = Vec::with_capacity(formats.len());
        let mut problems = Vec::new();
        for format in formats {
            let names = format.expression_names();
            let varies = names.iter().any(|name| name.starts_with("Task."));
            let of_session = names.iter().any(|name| name.starts_with("Session."));
            match word(format, &values.all, &values.own) {
                Ok(word) => arguments.push(Argument { format, word, varies, of_session }),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut parsed = Self { arguments, tokens: Vec::new() };
        parsed.take_apart(&mut problems);
        if problems.is_empty() { Ok(parsed) } else { Err(problems) }
    }

    /// Whether what a token says is another thing in each task.
    pub fn varies(&self, token: Token) -> bool {
        token.argument.is_some_and(|index| self.arguments[index].varies)
    }

    /// What there is.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// What a token says, to the first task.
    pub fn first(&self, token: Token) -> Word {
        match token.argument {
            Some(index) => token.value(self.arguments[index].word.clone()),
            None => Word { text: String::new(), own: String::new() },
        }
    }

    /// What a token says to the task of these values.
    pub fn of_task(&self, token: Token, values: &Values) -> Result<Word, Problem> {
        match token.argument {
            Some(index) if self.arguments[index].varies => {
                let word = word(self.arguments[index].format, &values.all, &values.own)?;
                Ok(token.value(word))
            }
            _ => Ok(self.first(token)),
        }
    }

    fn take_apart(&mut self, problems: &mut Vec<Problem>) {
        let mut has_scene = false;
        let mut is_only_scenes = false;
        let mut unknown = false;
        let mut index = 0;
        while index < self.arguments.len() {
            let text = self.arguments[index].word.text.clone();
            if text == "--" && !is_only_scenes {
                is_only_scenes = true;
            } else if text.starts_with('-') && text.len() > 1 && !is_only_scenes {
                match self.option(&mut index, &text) {
                    Ok(token) => self.tokens.push(token),
                    Err(problem) => {
                        unknown |= matches!(
                            problem,
                            Problem::UnknownOption(_) | Problem::VaryingOption(_)
                        );
                        problems.push(problem);
                    }
                }
            } else if has_scene {
                problems.push(Problem::SecondScene(text));
            } else {
                has_scene = true;
                let argument = Some(index);
                self.tokens.push(Token { subject: Subject::Scene, argument, is_attached: false });
            }
            index += 1;
        }
        if unknown {
            // What an unknown option takes is not known either.
            problems.retain(|problem| !matches!(problem, Problem::SecondScene(_)));
        } else if !has_scene {
            problems.push(Problem::NoScene);
        }
        for token in &self.tokens {
            if let Some(problem) = self.forbidden(*token) {
                problems.push(problem);
            }
        }
    }

    /// The option that stands at `index`, which is moved to its value.
    fn option(&self, index: &mut usize, text: &str) -> Result<Token, Problem> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let argument = &self.arguments[*index];
        let is_said = argument.format.raw().strip_prefix(name);
        if argument.varies && !is_said.is_some_and(|rest| rest.starts_with('=')) {
            return Err(Problem::VaryingOption(argument.format.raw().to_owned()));
        }
        let Some(opt) = options::find(name) else {
            let is_short_out = text.starts_with("-o") && !text.starts_with("--");
            return match options::find("-o") {
                Some(opt) if is_short_out => Ok(Token::bare(opt)),
                _ => Err(Problem::UnknownOption(name.to_owned())),
            };
        };
        let subject = Subject::Option(opt);
        match (opt.takes, value) {
            (Takes::Nothing, Some(value)) => {
                Err(Problem::NeedlessValue { option: opt.name, value: value.to_owned() })
            }
            (Takes::Nothing | Takes::Perhaps, None) => Ok(Token::bare(opt)),
            (_, Some(_)) => Ok(Token { subject, argument: Some(*index), is_attached: true }),
            (Takes::Value, None) => {
                *index += 1;
                let next = self.arguments.get(*index).map(|next| next.word.text.as_str());
                match next {
                    Some(next) if next.starts_with("--") && options::find(next).is_some() => {
                        *index -= 1;
                        Err(Problem::MissingValue(opt.name))
                    }
                    Some(_) => Ok(Token { subject, argument: Some(*index), is_attached: false }),
                    None => Err(Problem::MissingValue(opt.name)),
                }
            }
        }
    }

    /// Why a token cannot be had, where it cannot.
    fn forbidden(&self, token: Token) -> Option<Problem> {
        let argument = token.argument.map(|index| &self.arguments[index]);
        let of_session = argument.filter(|argument| argument.of_session);
        let problem = of_session.map(|argument| Problem::Session(argument.format.raw().to_owned()));
        let Subject::Option(opt) = token.subject else { return problem };
        let others = self.tokens.iter().filter(
            |other| matches!(other.subject, Subject::Option(other) if std::ptr::eq(other, opt)),
        );
        match opt.role {
            Role::Output | Role::Machine => None,
            Role::Refused(why) => Some(Problem::Option { option: opt.name, why }),
            Role::Add(_) => problem,
            _ if others.count() > 1 => {
                Some(Problem::Option { option: opt.name, why: "it is given twice; leave one out" })
            }
            _ => problem,
        }
    }
}

impl Token {
    const fn bare(opt: &'static Opt) -> Self {
        Self { subject: Subject::Option(opt), argument: None, is_attached: false }
    }

    /// The value in an argument.
    fn value(self, word: Word) -> Word {
        if !self.is_attached {
            return word;
        }
        let after = |text: String| match text.split_once('=') {
            Some((_name, value)) => value.to_owned(),
            None => text,
        };
        Word { text: after(word.text), own: after(word.own) }
    }
}

/// An argument with values put in.
fn word(format: &FormatString, all: &SymbolTable, own: &SymbolTable) -> Result<Word, Problem> {
    let failed = |message| Problem::Argument { argument: format.raw().to_owned(), message };
    let text = resolve(format, all).map_err(failed)?;
    let own =
        if format.is_literal() { text.clone() } else { resolve(format, own).map_err(failed)? };
    Ok(Word { text, own })
}
