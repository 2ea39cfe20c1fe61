//! Nodes that wait for work: they are called one after another while there is some.
//!
//! Thousands may wait for what a few could do. Whoever waits costs nothing until a job comes into
//! line, or the desk has changed and the last round is long enough ago; and a round ends with the last
//! unit that wants a film.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::{Duration, Instant};

use protocol::message::Refused;
use protocol::{Lease, NodeId};
use tokio::sync::oneshot;

/// A round begins no sooner than so many times the time that the last one took.
const REST_FACTOR: u32 = 10;

/// What a node that waits is told.
pub(super) type Told = Result<Vec<Lease>, Refused>;

/// Who waits, and whose turn it is to be called.
#[derive(Default)]
pub(super) struct Lobby {
    /// By node and number: a node may ask over several connections.
    waiting: BTreeMap<Place, Poll>,
    /// Polls ever.
    polls: u64,
    /// Nodes that have room for more than when they asked.
    called: Vec<NodeId>,
    /// The place that was called last: the next round goes on behind it.
    last: Option<Place>,
    /// Places that the round under way has still to come to.
    left: usize,
    /// What the round under way has taken.
    taken: Duration,
    /// When the next round may begin.
    rests_until: Option<Instant>,
    /// Jobs in line when it was last looked.
    jobs_in_line: usize,
}

/// A place in the lobby.
pub(super) type Place = (NodeId, u64);

struct Poll {
    max: usize,
    tell: oneshot::Sender<Told>,
}

impl Lobby {
    /// A node waits for at most `max` leases. The place is to be given up when it waits no longer.
    pub(super) fn wait(&mut self, node: NodeId, max: usize) -> (Place, oneshot::Receiver<Told>) {
        let (tell, told) = oneshot::channel();
        self.polls += 1;
        let place = (node, self.polls);
        self.waiting.insert(place, Poll { max, tell });
        (place, told)
    }

    /// Gives up a place.
    pub(super) fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    /// Gives up the places of connections that are gone.
    pub(super) fn sweep(&mut self) {
        self.waiting.retain(|_, poll| !poll.tell.is_closed());
    }

    /// A node may have room for more: it is called before all others.
    pub(super) fn call(&mut self, node: NodeId) {
        if self.waiting.range((node, 0)..=(node, u64::MAX)).next().is_some() {
            self.called.push(node);
        }
    }

    /// Takes note of how many jobs are in line; one more begins a round.
    pub(super) fn note_line(&mut self, jobs_in_line: usize) {
        if jobs_in_line > std::mem::replace(&mut self.jobs_in_line, jobs_in_line) {
            self.begin_round();
        }
    }

    /// Begins a round, if none is under way and the last is long enough ago.
    pub(super) fn begin_round(&mut self) {
        let rests = self.rests_until.is_some_and(|until| Instant::now() < until);
        if self.left == 0 && !rests {
            self.left = self.waiting.len();
        }
    }

    /// Ends the round: nobody else could get anything.
    pub(super) fn end_round(&mut self) {
        self.left = 0;
        self.called.clear();
        self.rest();
    }

    /// Whether somebody is still to be called.
    pub(super) fn is_calling(&self) -> bool {
        self.left > 0 || !self.called.is_empty()
    }

    /// Notes what calling has cost.
    pub(super) fn has_taken(&mut self, taken: Duration) {
        self.taken += taken;
        if self.left == 0 {
            self.rest();
        }
    }

    fn rest(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        if !taken.is_zero() {
            self.rests_until = Some(Instant::now() + taken * REST_FACTOR);
        }
    }

    /// Who is called next, and how many leases it wants at most.
    pub(super) fn next(&mut self) -> Option<(Place, usize)> {
        while let Some(node) = self.called.pop() {
            let of_node = self.waiting.range((node, 0)..=(node, u64::MAX));
            if let Some((&place, poll)) = of_node.last() {
                return Some((place, poll.max));
            }
        }
        while self.left > 0 {
            self.left -= 1;
            let behind = self.last.map_or(Unbounded, Excluded);
            let next = self.waiting.range((behind, Unbounded)).next();
            let (&place, poll) = next.or_else(|| self.waiting.first_key_value())?;
            self.last = Some(place);
            if !poll.tell.is_closed() {
                return Some((place, poll.max));
            }
            self.waiting.remove(&place);
        }
        None
    }

    /// Takes whoever was called out of the lobby, to be told.
    pub(super) fn take(&mut self, place: Place) -> Option<oneshot::Sender<Told>> {
        self.waiting.remove(&place).map(|poll| poll.tell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId([1; 32]);
    const TWO: NodeId = NodeId([2; 32]);
    const THREE: NodeId = NodeId([3; 32]);

    fn round(lobby: &mut Lobby) -> Vec<NodeId> {
        std::iter::from_fn(|| lobby.next()).map(|((node, _), _)| node).collect()
    }

    #[test]
    fn a_round_goes_on_where_the_last_one_stopped() {
        let mut lobby = Lobby::default();
        let _polls = [ONE, TWO, THREE].map(|node| lobby.wait(node, 1));
        assert_eq!(round(&mut lobby), [], "nobody is called without a round");
        lobby.note_line(1);
        assert_eq!(lobby.next().map(|((node, _), _)| node), Some(ONE));
        lobby.end_round();
        lobby.begin_round();
        assert_eq!(round(&mut lobby), [TWO, THREE, ONE]);
        lobby.note_line(1);
        assert_eq!(round(&mut lobby), [], "no more jobs than before");
        lobby.note_line(2);
        assert_eq!(round(&mut lobby), [TWO, THREE, ONE]);
    }

    #[test]
    fn who_has_room_again_is_called_first() {
        let mut lobby = Lobby::default();
        let _polls = [ONE, TWO].map(|node| lobby.wait(node, 1));
        lobby.call(THREE);
        assert!(!lobby.is_calling(), "it does not wait");
        lobby.call(TWO);
        assert_eq!(round(&mut lobby), [TWO]);
        lobby.call(TWO);
        lobby.begin_round();
        assert_eq!(round(&mut lobby), [TWO, ONE, TWO]);
    }

    #[test]
    fn who_is_gone_or_served_is_not_called() {
        let mut lobby = Lobby::default();
        let (one, _told) = lobby.wait(ONE, 1);
        let (_, gone) = lobby.wait(TWO, 1);
        let (three, _kept) = lobby.wait(THREE, 1);
        drop(gone);
        lobby.leave(three);
        lobby.begin_round();
        assert_eq!(round(&mut lobby), [ONE]);
        assert!(lobby.take(one).is_some());
        lobby.begin_round();
        assert_eq!(round(&mut lobby), []);
        assert!(!lobby.is_calling());
    }

    #[test]
    fn a_long_round_is_followed_by_a_long_rest() {
        let mut lobby = Lobby::default();
        let _poll = lobby.wait(ONE, 1);
        lobby.begin_round();
        assert_eq!(round(&mut lobby), [ONE]);
        lobby.has_taken(Duration::from_secs(3600));
        lobby.note_line(1);
        assert!(!lobby.is_calling());
    }
}
