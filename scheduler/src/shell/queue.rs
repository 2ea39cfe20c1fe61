//! Work handed from thread to thread in order.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue that never makes its filler wait.
///
/// It needs no bound of its own: what goes in is the state's outbox and its unanswered checks, of which
/// each node has so many at most (`unjudged_max`).
#[derive(Debug)]
pub(super) struct Queue<T> {
    inside: Mutex<Inside<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct Inside<T> {
    items: VecDeque<T>,
    /// Items that were pushed and are not done.
    line: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let inside = Inside { items: VecDeque::new(), line: 0, closed: false };
        Self { inside: Mutex::new(inside), filled: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inside<T>> {
        // A deque is whole after any panic.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item; a closed queue drops it.
    pub(super) fn push(&self, item: T) {
        let mut inside = self.lock();
        if !inside.closed {
            inside.items.push_back(item);
            inside.line += 1;
            self.filled.notify_one();
        }
    }

    /// Waits for items and takes up to `max` of them; `None` once closed, even with items left.
    pub(super) fn take(&self, max: usize) -> Option<Vec<T>> {
        let mut inside = self.lock();
        loop {
            if inside.closed {
                return None;
            }
            if !inside.items.is_empty() {
                let count = max.min(inside.items.len());
                return Some(inside.items.drain(..count).collect());
            }
            inside = self.filled.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// An item that was taken is done.
    pub(super) fn done(&self) {
        let inside = &mut *self.lock();
        inside.line = inside.line.saturating_sub(1);
    }

    /// Items that were pushed and are not done: waiting or being worked on.
    pub(super) fn line(&self) -> usize {
        self.lock().line
    }

    /// Ends the queue: whoever waits is told.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_and_a_closed_queue_ends() {
        let queue = Queue::new();
        (0..5).for_each(|item| queue.push(item));
        assert_eq!(queue.take(3), Some(vec![0, 1, 2]));
        assert_eq!(queue.take(3), Some(vec![3, 4]));
        assert_eq!(queue.line(), 5);
        queue.done();
        assert_eq!(queue.line(), 4);
        queue.push(5);
        queue.close();
        queue.push(6);
        assert_eq!(queue.take(3), None);
    }
}
