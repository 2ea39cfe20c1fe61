//! A process that unpacks, prepares and renders, and can do nothing else.
//!
//! Scenes come from strangers, and what reads them is large. So the node, which has keys and a
//! network, never reads one: it starts its own program as a worker, which locks itself in (see
//! [`Confinement`]) before it is given a byte of a scene, and talks to it over a pipe. A worker that
//! dies, hangs or talks nonsense is replaced; a scene that ends two is not rendered again.
//!
//! ```text
//! node: keys, network, leases, films ──Ask──► worker: unpack, prepare, render
//!                                    ◄─Told──
//! ```

mod confinement;
mod keeper;
mod process;
mod reins;
mod serve;
mod trial;
mod wire;

pub use confinement::{Confinement, Raised, Standing, Wall};
pub use keeper::{Patience, Worker};
pub use process::WorkerError;
pub use reins::Reins;
pub(crate) use reins::Rest;
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

/// Memory for prepared scenes, and of the whole worker, where nothing else is asked for: half of
/// the machine's, and half as much again. Bytes.
#[must_use]
pub fn default_memory_bytes() -> (u64, u64) {
    let half = crate::memory::half_bytes();
    (half, half.saturating_add(half / 2))
}

/// What a panic says.
pub(crate) fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
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
