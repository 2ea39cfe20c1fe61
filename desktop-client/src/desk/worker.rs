//! Worker processes that render for the window.

use std::path::PathBuf;

use sandbox::{BackendChoice, Patience, Setup, Worker};

use super::chain;

/// Starts one; `what` it renders is said where there is none.
///
/// # Errors
/// The program is missing or does not start, in a sentence.
pub(super) fn start(
    program: Option<&PathBuf>,
    backend: BackendChoice,
    what: &str,
) -> Result<Worker, String> {
    let program = program.ok_or_else(|| {
        format!(
            "The program that renders {what} is missing: tessera, beside this app or on the PATH"
        )
    })?;
    let (memory_bytes, limit_bytes) = sandbox::default_memory_bytes();
    let setup = Setup { backend, memory_bytes, limit_bytes, ..Setup::default() };
    let started = Worker::start(program.clone(), setup, Patience::default());
    let started = started
        .map_err(|error| format!("There is nothing to render {what} with: {}", chain(&error)))?;
    tracing::info!(on = started.description(), "a worker for {what}");
    Ok(started)
}
