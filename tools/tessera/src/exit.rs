//! What the process says to the shell: exit codes, and how an error becomes one.

use std::fmt;
use std::io;
use std::process::ExitCode;

use client::pictures::PictureError;
use protocol::message::{Refused, RefusedCode};
use transport::CallError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; also when whoever read our output has gone.
    Done = 0,
    /// It ran and failed.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// No such file, camera, job or scene.
    NotFound = 3,
    /// The key is unusable, or may not do this.
    Auth = 4,
    /// The wallet holds less than the price.
    NotEnoughTokens = 5,
    /// The network or the scheduler is away.
    Network = 6,
    /// Some tiles are missing; what is there was saved.
    Partial = 7,
    /// It had not ended in the time that it was given; it goes on.
    TimedOut = 8,
    /// Ctrl+C; what is there was saved.
    Interrupted = 130,
}

#[cfg(test)]
impl Exit {
    /// All of them, with what each means, in a few words.
    const ALL: [(Self, &'static str); 10] = [
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Usage, "usage"),
        (Self::NotFound, "not found"),
        (Self::Auth, "auth"),
        (Self::NotEnoughTokens, "not enough tokens"),
        (Self::Network, "network or scheduler away"),
        (Self::Partial, "partial"),
        (Self::TimedOut, "not ended in time"),
        (Self::Interrupted, "interrupted"),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that knows its exit code.
#[derive(Debug)]
struct Coded {
    exit: Exit,
    error: anyhow::Error,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for Coded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// An error with its exit code from words.
pub fn fail(exit: Exit, message: impl fmt::Display) -> anyhow::Error {
    Coded { exit, error: anyhow::anyhow!("{message}") }.into()
}

/// Gives an error its exit code.
pub trait WithExit<T> {
    /// The same, ending the process with `exit`.
    fn exit(self, exit: Exit) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithExit<T> for Result<T, E> {
    fn exit(self, exit: Exit) -> anyhow::Result<T> {
        self.map_err(|error| Coded { exit, error: error.into() }.into())
    }
}

/// The exit code of an error: the first of its causes that has one.
pub fn classify(error: &anyhow::Error) -> Exit {
    error.chain().find_map(exit_of).unwrap_or(Exit::Failed)
}

fn exit_of(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(coded) = cause.downcast_ref::<Coded>() {
        return Some(coded.exit);
    }
    if let Some(refused) = cause.downcast_ref::<Refused>() {
        return exit_of_refusal(refused);
    }
    if let Some(call) = cause.downcast_ref::<CallError>() {
        return exit_of_call(call);
    }
    if let Some(error) = cause.downcast_ref::<client::Error>() {
        return exit_of_client(error);
    }
    if let Some(error) = cause.downcast_ref::<PictureError>() {
        return exit_of_picture(error);
    }
    if cause.downcast_ref::<transport::ConnectError>().is_some() {
        return Some(Exit::Network);
    }
    if cause.downcast_ref::<transport::identity::IdentityError>().is_some() {
        return Some(Exit::Auth);
    }
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::BrokenPipe) => Some(Exit::Done),
        _ => None,
    }
}

fn exit_of_call(call: &CallError) -> Option<Exit> {
    match call {
        CallError::Refused(refused) => exit_of_refusal(refused),
        _ => Some(Exit::Network),
    }
}

/// Of errors that show their cause as themselves, and of those that have none.
fn exit_of_client(error: &client::Error) -> Option<Exit> {
    match error {
        client::Error::Call(call) => exit_of_call(call),
        client::Error::Key(_) | client::Error::OtherKey => Some(Exit::Auth),
        client::Error::Ledger(_) => Some(Exit::Failed),
        client::Error::Stopped => Some(Exit::Interrupted),
        _ => None,
    }
}

fn exit_of_picture(error: &PictureError) -> Option<Exit> {
    match error {
        PictureError::Ending(_) => Some(Exit::Usage),
        PictureError::Folder(_) => Some(Exit::NotFound),
        _ => None,
    }
}

fn exit_of_refusal(refused: &Refused) -> Option<Exit> {
    match refused.code {
        RefusedCode::NotFound => Some(Exit::NotFound),
        RefusedCode::NotAllowed | RefusedCode::NotInvited => Some(Exit::Auth),
        RefusedCode::NotEnoughTokens => Some(Exit::NotEnoughTokens),
        RefusedCode::Busy | RefusedCode::Draining => Some(Exit::Network),
        RefusedCode::Version
        | RefusedCode::BadRequest
        | RefusedCode::BadScene
        | RefusedCode::QuoteLapsed
        | RefusedCode::LeaseLapsed
        | RefusedCode::Internal => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn refused(code: RefusedCode) -> anyhow::Error {
        Refused { code, message: "no".to_owned() }.into()
    }

    #[test]
    fn the_first_cause_with_a_code_decides() {
        let check = |error: anyhow::Error, exit| assert_eq!(classify(&error), exit, "{error:#}");
        check(anyhow::anyhow!("plain"), Exit::Failed);
        check(fail(Exit::NotFound, "gone").context("outer"), Exit::NotFound);
        check(refused(RefusedCode::NotEnoughTokens).context("ordering"), Exit::NotEnoughTokens);
        check(refused(RefusedCode::BadScene), Exit::Failed);
        check(io::Error::from(io::ErrorKind::BrokenPipe).into(), Exit::Done);
        let inner: anyhow::Result<()> = Err(fail(Exit::NotFound, "inner"));
        let outer = inner.context("outer").exit(Exit::Usage).expect_err("an error");
        check(outer, Exit::Usage);
    }

    #[test]
    fn the_documented_codes_are_these() {
        let document = include_str!("../../../docs/cli.md");
        let row = |line: &str| -> Option<(u8, String)> {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let code = cells.next()?.parse().ok()?;
            Some((code, cells.next()?.trim_end_matches(" |").to_owned()))
        };
        let documented: Vec<(u8, String)> = document.lines().filter_map(row).collect();
        let ours: Vec<(u8, String)> =
            Exit::ALL.iter().map(|(exit, words)| (*exit as u8, (*words).to_owned())).collect();
        assert_eq!(documented, ours, "docs/cli.md has another table of exit codes");
        let help = crate::cli::command().render_help().to_string().replace('\n', " ");
        for (code, words) in ours {
            assert!(help.contains(&format!("{code} {words}")), "{code} {words}: {help}");
        }
    }

    #[test]
    fn a_coded_error_keeps_its_words_and_causes() {
        let error = Err::<(), _>(io::Error::other("disk on fire"))
            .context("saving failed")
            .exit(Exit::Partial)
            .expect_err("an error");
        assert_eq!(format!("{error:#}"), "saving failed: disk on fire");
    }
}
