//! What the scheduler's journal comes to, and its image in a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use ledger::journal::{EntryProblem, Fold};
use protocol::wire::{self, DecodeError};
use protocol::{Digest, JobId, NodeId, PROTOCOL_VERSION, ShotIndex};
use serde::{Deserialize, Serialize};

use super::{Book, Event, Live, Secret, State, step};

/// No event of the journal is longer, bytes.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// What decides what an image holds, its form and the rules by which it came about: whatever changes
/// here makes older images worthless, so that a snapshot never gives what a replay would not. What the
/// book takes from other crates changes with the protocol's version.
const RULES: [&[u8]; 40] = [
    include_bytes!("draw.rs"),
    include_bytes!("event.rs"),
    include_bytes!("fold.rs"),
    include_bytes!("kept.rs"),
    include_bytes!("policy.rs"),
    include_bytes!("state.rs"),
    include_bytes!("state/able.rs"),
    include_bytes!("state/blocks.rs"),
    include_bytes!("state/demand.rs"),
    include_bytes!("state/index.rs"),
    include_bytes!("state/job.rs"),
    include_bytes!("state/line.rs"),
    include_bytes!("state/quiet.rs"),
    include_bytes!("state/reports.rs"),
    include_bytes!("state/risk.rs"),
    include_bytes!("state/times.rs"),
    include_bytes!("state/verdicts.rs"),
    include_bytes!("step/accept.rs"),
    include_bytes!("step/artist.rs"),
    include_bytes!("step/conviction.rs"),
    include_bytes!("step/dispute.rs"),
    include_bytes!("step/finding.rs"),
    include_bytes!("step/hold.rs"),
    include_bytes!("step/job.rs"),
    include_bytes!("step/lease.rs"),
    include_bytes!("step/mod.rs"),
    include_bytes!("step/node.rs"),
    include_bytes!("step/quiet.rs"),
    include_bytes!("step/stake.rs"),
    include_bytes!("step/steering.rs"),
    include_bytes!("step/verdict.rs"),
    include_bytes!("../market/base.rs"),
    include_bytes!("../market/mod.rs"),
    include_bytes!("../market/pace.rs"),
    include_bytes!("../market/place.rs"),
    include_bytes!("../market/rules.rs"),
    include_bytes!("../market/weight.rs"),
    include_bytes!("../money.rs"),
    include_bytes!("../reputation.rs"),
    include_bytes!("../split.rs"),
];

/// An image of another version.
#[derive(Debug, thiserror::Error)]
#[error("its form or its rules are others")]
struct OtherForm;

/// What is restored: the book, and of the rest what would only come again with time.
#[derive(Serialize)]
struct Image<'a> {
    book: &'a Book,
    rendered: &'a Rendered,
}

/// The same, read.
#[derive(Deserialize)]
struct Restored {
    book: Book,
    rendered: Rendered,
}

/// As [`Live::rendered`].
type Rendered = BTreeMap<JobId, BTreeMap<ShotIndex, BTreeSet<NodeId>>>;

/// The event that an entry of the journal is.
///
/// # Errors
/// Another version wrote it.
pub fn event_of(entry: &[u8]) -> Result<Event, DecodeError> {
    wire::decode(entry, EVENT_BYTES_MAX)
}

/// What an image begins with.
fn form() -> Digest {
    let version = PROTOCOL_VERSION.to_le_bytes();
    let parts: Vec<&[u8]> = RULES.into_iter().chain([&version[..]]).collect();
    Digest::of("tessera 2026 form of the scheduler's book", &parts)
}

impl Fold for State {
    type Seed = Secret;

    fn begin(secret: &Secret) -> Self {
        Self::new(secret.clone())
    }

    fn take_in(&mut self, _seq: u64, entry: &[u8]) -> Result<(), EntryProblem> {
        let event = event_of(entry)?;
        // Its effects were seen to when it happened, or are outstanding.
        let _effects = step(self, event);
        Ok(())
    }

    fn write_image(&self, to: &mut Vec<u8>) {
        to.extend(form().0);
        to.extend(wire::encode(&Image { book: &self.book, rendered: &self.live.rendered }));
    }

    fn from_image(secret: &Secret, _size: u64, image: &[u8]) -> Result<Self, EntryProblem> {
        let image = image.strip_prefix(&form().0).ok_or(OtherForm)?;
        let Restored { book, rendered } = wire::decode(image, usize::MAX)?;
        let book = Book { secret: secret.clone(), ..book };
        let live = Live { rendered, ..Live::default() };
        let mut state = Self { book, live, ..Self::begin(secret) };
        state.index = state.indexed_anew();
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_decides_a_book_is_among_the_rules() {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for folder in ["core/step", "core/state", "market"] {
            for file in std::fs::read_dir(source.join(folder)).expect("a folder") {
                let path = file.expect("an entry").path();
                let bytes = std::fs::read(&path).expect("a file");
                let is_listed = RULES.contains(&bytes.as_slice());
                assert!(is_listed, "add it to RULES: {}", path.display());
            }
        }
    }

    #[test]
    fn an_image_of_another_form_or_cut_short_is_refused() {
        let secret = Secret::new([9; 32]);
        let mut image = Vec::new();
        State::begin(&secret).write_image(&mut image);
        let restored = State::from_image(&secret, 0, &image).expect("its own image");
        assert_eq!(restored.book, State::begin(&secret).book, "the secret is put back");
        let mut other = image.clone();
        other[31] ^= 1;
        let error = State::from_image(&secret, 0, &other).expect_err("another form");
        assert!(error.is::<OtherForm>(), "{error}");
        for length in 0..image.len() {
            assert!(State::from_image(&secret, 0, &image[..length]).is_err(), "{length} bytes");
        }
        image.push(0);
        assert!(State::from_image(&secret, 0, &image).is_err(), "a byte too many");
        assert!(!image.windows(32).any(|bytes| bytes == [9; 32]), "the secret is in it");
    }
}
