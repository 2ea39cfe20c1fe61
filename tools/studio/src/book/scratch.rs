//! Books of tests.

use std::path::Path;

use super::Book;

/// A new book, in a folder that goes with the test.
pub(crate) fn book() -> (tempfile::TempDir, Book) {
    let dir = tempfile::tempdir().expect("a folder");
    let book = Book::open(&dir.path().join("studio.redb")).expect("a book");
    (dir, book)
}

/// What a power cut would leave of the book in a folder, which is open: what has reached the disk.
pub(crate) fn power_cut(dir: &Path) -> (tempfile::TempDir, Book) {
    let after = tempfile::tempdir().expect("a folder");
    let path = after.path().join("studio.redb");
    std::fs::copy(dir.join("studio.redb"), &path).expect("a copy");
    (after, Book::open(&path).expect("a book"))
}
