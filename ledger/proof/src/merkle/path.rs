//! Making proofs from the hashes of perfect subtrees, wherever those are kept.
//!
//! RFC 6962 cuts a tree at the largest power of two below its size, so that every hash of every
//! path is the root of a range that begins at a multiple of a power of two no smaller than it: a
//! few perfect subtrees, as many as the range's length has bits set.

use super::{Hash, node};

/// Hands out the hash over the leaves `index << level .. (index + 1) << level`, all of which there
/// are.
pub type Perfect<'a, E> = dyn FnMut(u32, u64) -> Result<Hash, E> + 'a;

/// The root of the first `size` leaves, at least one.
///
/// # Errors
/// Those of `perfect`.
pub fn root_by<E>(size: u64, perfect: &mut Perfect<'_, E>) -> Result<Hash, E> {
    range(0, size, perfect)
}

/// The hashes that tie leaf `index` to the root of the first `size` leaves; `None` past the last.
///
/// # Errors
/// Those of `perfect`.
pub fn inclusion_by<E>(
    index: u64,
    size: u64,
    perfect: &mut Perfect<'_, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if index >= size {
        return Ok(None);
    }
    let (mut path, mut start, mut end) = (Vec::new(), 0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(middle, end, perfect)?);
            end = middle;
        } else {
            path.push(range(start, middle, perfect)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// The hashes that show that the tree of the first `old_size` leaves is a beginning of that of the
/// first `size` (RFC 6962 section 2.1.2); `None` unless `0 < old_size <= size`.
///
/// # Errors
/// Those of `perfect`.
pub fn consistency_by<E>(
    old_size: u64,
    size: u64,
    perfect: &mut Perfect<'_, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if old_size == 0 || old_size > size {
        return Ok(None);
    }
    let (mut path, mut start, mut end) = (Vec::new(), 0, size);
    while old_size < end {
        let middle = start + split(end - start);
        if old_size <= middle {
            path.push(range(middle, end, perfect)?);
            end = middle;
        } else {
            path.push(range(start, middle, perfect)?);
            start = middle;
        }
    }
    // Whoever checks has the whole old tree's root already.
    if start > 0 {
        path.push(range(start, end, perfect)?);
    }
    path.reverse();
    Ok(Some(path))
}

/// The root over the leaves `start..end`.
fn range<E>(start: u64, end: u64, perfect: &mut Perfect<'_, E>) -> Result<Hash, E> {
    assert!(start < end, "a root is over at least one leaf");
    let (mut at, mut peaks) = (start, Vec::new());
    while at < end {
        let level = (end - at).ilog2();
        assert!(at.trailing_zeros() >= level, "a range begins where a perfect subtree does");
        peaks.push(perfect(level, at >> level)?);
        at += 1 << level;
    }
    let last = peaks.pop().expect("invariant: a range has a leaf");
    Ok(peaks.into_iter().rev().fold(last, |right, left| node(&left, &right)))
}

/// Leaves of the left subtree: the largest power of two below `size`.
const fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// A tree that only grows, with all its hashes: twice as many as leaves.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Hashes of the perfect subtrees, from the leaves up.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            match hashes.as_slice() {
                [.., left, right] if hashes.len().is_multiple_of(2) => hash = node(left, right),
                _ => return,
            }
        }
    }

    /// The root of the first `size` leaves; `None` of none, and past the last.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<Hash> {
        let is_there = 0 < size && size <= self.size();
        is_there.then(|| always(root_by(size, &mut |level, index| Ok(self.perfect(level, index)))))
    }

    /// The hashes that tie leaf `index` to the root of the first `size` leaves; `None` past the
    /// last.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        let path = |size| inclusion_by(index, size, &mut |level, at| Ok(self.perfect(level, at)));
        (size <= self.size()).then(|| always(path(size))).flatten()
    }

    /// The hashes that show that the first `old_size` leaves are a beginning of the first `size`;
    /// `None` unless `0 < old_size <= size` and so many there are.
    #[must_use]
    pub fn consistency(&self, old_size: u64, size: u64) -> Option<Vec<Hash>> {
        let path =
            |size| consistency_by(old_size, size, &mut |level, at| Ok(self.perfect(level, at)));
        (size <= self.size()).then(|| always(path(size))).flatten()
    }

    fn perfect(&self, level: u32, index: u64) -> Hash {
        let index = usize::try_from(index).expect("invariant: inside, so it was addressed");
        self.levels[level as usize][index]
    }
}

impl FromIterator<Hash> for Tree {
    fn from_iter<T: IntoIterator<Item = Hash>>(leaves: T) -> Self {
        let mut tree = Self::default();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }
}

fn always<T>(result: Result<T, std::convert::Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}
