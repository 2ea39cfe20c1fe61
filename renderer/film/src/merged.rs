//! Films of one tile, added up in one order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use protocol::Batch;

use crate::film::Film;

/// Films of one tile, merged with their siblings as far as they go.
///
/// Whatever the order in which they came, and however the samples were split into batches, the sum
/// has the same bits.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    roots: BTreeMap<Batch, Film>,
}

impl Merged {
    /// Adds a film of chunks that are not there yet.
    ///
    /// # Panics
    /// When its sibling is there and is of another tile, or one has light passes and the other has
    /// none: all films are of one tile and the same settings.
    pub fn add(&mut self, mut film: Film) {
        while let Some(sibling) = self.roots.remove(&film.batch().sibling()) {
            film = film.merge(&sibling).expect("invariant: two halves of one batch of one tile");
        }
        self.roots.insert(film.batch(), film);
    }

    /// The film of all of a batch, where it is there and no larger one that holds it.
    #[must_use]
    pub fn get(&self, batch: Batch) -> Option<&Film> {
        self.roots.get(&batch)
    }

    /// The film of the lowest chunks, merged as far as it goes.
    #[must_use]
    pub fn first(&self) -> Option<&Film> {
        self.roots.values().next()
    }

    /// Everything there, as one film, folded from the highest chunk down; its batch is that of the
    /// lowest. Nothing while there is none.
    ///
    /// # Panics
    /// See [`Merged::add`].
    #[must_use]
    pub fn sum(&self) -> Option<Cow<'_, Film>> {
        let mut roots = self.roots.values().rev();
        let mut sum = Cow::Borrowed(roots.next()?);
        for lower in roots {
            let mut sums = lower.sums().clone();
            sums.add(sum.sums());
            let both = Film::new(lower.rect(), lower.batch(), sums);
            sum = Cow::Owned(both.expect("invariant: films of one tile have one size"));
        }
        Some(sum)
    }
}
