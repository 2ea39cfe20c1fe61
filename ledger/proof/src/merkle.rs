//! The tree over all entries of a journal, RFC 6962 section 2.1 (SHA-256), so that the tools and
//! witnesses of certificate transparency can follow a ledger.

use sha2::{Digest as _, Sha256};

/// SHA-256 of a leaf or an inner node.
pub type Hash = [u8; 32];

/// Hash of an entry: a leaf of the tree.
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A tree that only grows: the hashes of its perfect subtrees, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The tree of `size` leaves with these peaks; `None` unless there is one for every set bit of
    /// the size.
    #[must_use]
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (size.count_ones() as usize == peaks.len()).then_some(Self { size, peaks })
    }

    /// Hashes of the perfect subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("invariant: a peak for every set bit of the size");
            hash = node(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root; of no leaves it is the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(&last) = peaks.next() else { return Sha256::digest([]).into() };
        peaks.fold(last, |right, left| node(left, &right))
    }
}

/// The root of a whole list of leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|&leaf| frontier.push(leaf));
    frontier.root()
}

/// The hashes that tie leaf `index` to the root of all `leaves`; `None` past the last leaf.
#[must_use]
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    let (mut path, mut rest, mut at) = (Vec::new(), leaves, index);
    if index >= leaves.len() {
        return None;
    }
    while rest.len() > 1 {
        let (left, right) = rest.split_at(split(rest.len()));
        if at < left.len() {
            path.push(root(right));
            rest = left;
        } else {
            path.push(root(left));
            at -= left.len();
            rest = right;
        }
    }
    path.reverse();
    Some(path)
}

/// All hashes of a tree, for many proofs at once: twice as many as leaves.
#[derive(Debug, Clone)]
pub struct Tree {
    /// From the leaves up; a last hash without a sibling is carried up as it is.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree over these leaves.
    #[must_use]
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(last) = levels.last().filter(|level| level.len() > 1) {
            let pairs = last.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                _ => pair[0],
            });
            let next = pairs.collect();
            levels.push(next);
        }
        Self { levels }
    }

    /// The same as [`inclusion`] of its leaves, in as many steps as the tree is high.
    #[must_use]
    pub fn inclusion(&self, index: usize) -> Option<Vec<Hash>> {
        let leaves = self.levels.first()?.len();
        let at_level =
            |(level, hashes): (usize, &Vec<Hash>)| hashes.get((index >> level) ^ 1).copied();
        (index < leaves).then(|| self.levels.iter().enumerate().filter_map(at_level).collect())
    }
}

/// Whether `path` ties the leaf at `index` to the root of a tree of `size` leaves
/// (RFC 9162 section 2.1.3.2).
#[must_use]
pub fn is_included(leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for step in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(step, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// The hashes that show that the tree of the first `old_size` leaves is a beginning of the tree
/// of all `leaves` (RFC 6962 section 2.1.2); `None` unless `0 < old_size <= leaves.len()`.
#[must_use]
pub fn consistency(leaves: &[Hash], old_size: usize) -> Option<Vec<Hash>> {
    if old_size == 0 || old_size > leaves.len() {
        return None;
    }
    let (mut path, mut rest, mut old, mut whole) = (Vec::new(), leaves, old_size, true);
    while old < rest.len() {
        let (left, right) = rest.split_at(split(rest.len()));
        if old <= left.len() {
            path.push(root(right));
            rest = left;
        } else {
            path.push(root(left));
            old -= left.len();
            rest = right;
            whole = false;
        }
    }
    if !whole {
        path.push(root(rest));
    }
    path.reverse();
    Some(path)
}

/// Whether `path` shows that the tree `(old_size, old_root)` is a beginning of the tree
/// `(size, root)` (RFC 9162 section 2.1.4.2).
#[must_use]
pub fn is_consistent(
    (old_size, old_root): (u64, &Hash),
    (size, root): (u64, &Hash),
    path: &[Hash],
) -> bool {
    if old_size == 0 || old_size > size {
        return false;
    }
    if old_size == size {
        return path.is_empty() && old_root == root;
    }
    let start = if old_size.is_power_of_two() { Some(old_root) } else { None };
    let mut steps = start.into_iter().chain(path);
    let Some(&first) = steps.next() else { return false };
    let (mut old_hash, mut hash) = (first, first);
    let shift = (old_size - 1).trailing_ones();
    let (mut at, mut last) = ((old_size - 1) >> shift, (size - 1) >> shift);
    for step in steps {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_hash = node(step, &old_hash);
            hash = node(step, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && hash == *root
}

/// Leaves of the left subtree: the largest power of two below `size`.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(hash: &Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|index| leaf(&index.to_le_bytes())).collect()
    }

    /// The definition of RFC 6962, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [only] => *only,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    #[test]
    fn known_answers() {
        // The empty tree and the empty leaf, as published for certificate transparency.
        assert_eq!(
            hex(&root(&[])),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex(&leaf(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }

    #[test]
    fn the_frontier_equals_the_definition() {
        for count in 0..70 {
            assert_eq!(root(&leaves(count)), by_definition(&leaves(count)), "{count} leaves");
        }
    }

    #[test]
    fn inclusion_holds_for_its_leaf_only() {
        for count in 1..40_usize {
            let (all, root) = (leaves(count), root(&leaves(count)));
            for index in 0..count {
                let path = inclusion(&all, index).expect("inside");
                assert_eq!(Tree::new(all.clone()).inclusion(index).as_ref(), Some(&path));
                for other in 0..count as u64 + 1 {
                    let held = is_included(all[index], other, count as u64, &path, &root);
                    assert_eq!(held, other == index as u64, "{index} of {count} as {other}");
                }
                let mut longer = path.clone();
                longer.push(root);
                assert!(!is_included(all[index], index as u64, count as u64, &longer, &root));
                for step in 0..path.len() {
                    let mut altered = path.clone();
                    altered[step][0] ^= 1;
                    assert!(!is_included(all[index], index as u64, count as u64, &altered, &root));
                }
            }
            assert_eq!(inclusion(&all, count), None);
            assert_eq!(Tree::new(all).inclusion(count), None);
        }
    }

    #[test]
    fn consistency_holds_for_beginnings_only() {
        for size in 1..34_usize {
            let all = leaves(size);
            let new = (size as u64, &root(&all));
            for old_size in 1..=size {
                let path = consistency(&all, old_size).expect("a beginning");
                let old_root = root(&all[..old_size]);
                assert!(is_consistent((old_size as u64, &old_root), new, &path));
                let mut forged = old_root;
                forged[5] ^= 1;
                assert!(!is_consistent((old_size as u64, &forged), new, &path));
                for step in 0..path.len() {
                    let mut altered = path.clone();
                    altered[step][9] ^= 1;
                    assert!(!is_consistent((old_size as u64, &old_root), new, &altered));
                }
            }
            assert_eq!(consistency(&all, 0), None);
            assert_eq!(consistency(&all, size + 1), None);
        }
    }
}
