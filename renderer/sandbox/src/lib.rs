//! Scenes of strangers, read and rendered where they can do no harm.
//!
//! What reads scenes is large, and who sends them is unknown. So whoever has keys and a network, a node
//! or a scheduler, never reads one: it starts its own program as a worker, which locks itself in (see
//! [`Confinement`]) before it is given a byte of a scene, and talks to it over a pipe. A worker that
//! dies, hangs or talks nonsense is replaced; a scene that ends two is not rendered again.
//!
//! ```text
//! keeper: keys, network, films ──Ask──► worker: unpack, prepare, render
//!                              ◄─Told──
//! ```
//!
//! A [`Hand`] is such a worker, or, for tests and for who trusts what he is sent, this process.

mod confinement;
mod easel;
mod hand;
mod keeper;
mod memory;
mod process;
mod reins;
mod serve;
mod trial;
mod wire;

pub use confinement::{Confinement, Raised, Standing, Wall};
pub use easel::{Frame, Order, Probed, Probing, RenderFault, Seen, Sight};
pub use hand::{BackendChoice, Hand, Open, OpenError, open_cpu};
pub use keeper::{FEARED, LIVES, Patience, Worker};
pub use memory::{default_memory_bytes, half_bytes};
pub use process::WorkerError;
pub use reins::{Reins, Rest};
pub use serve::run;
pub use trial::{Attempt, Outcome};
pub use wire::{Setup, Trial, WireError};

/// Longest line of a worker that is shown, characters.
const LINE_CHARS_MAX: usize = 400;

/// A worker's words without what a terminal would obey, and not too many of them.
fn plain(words: &str) -> String {
    let shown = words.chars().map(|it| if it.is_control() { ' ' } else { it });
    let shown: String = shown.take(LINE_CHARS_MAX).collect();
    shown.trim().to_owned()
}

/// This program, to be started again as a worker: on Linux even where its file was replaced by another
/// release meanwhile.
///
/// # Errors
/// The system does not tell.
pub fn own_program() -> std::io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// What a panic says.
#[must_use]
pub fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_words_are_harmless() {
        assert_eq!(plain(" \x1b[2Jout of\nmemory\r\n"), "[2Jout of memory");
        assert_eq!(plain(&"é".repeat(1000)).chars().count(), LINE_CHARS_MAX);
    }
}
