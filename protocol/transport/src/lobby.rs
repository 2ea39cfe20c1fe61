//! Who has come and has not said hello yet: so many at most, and no crowd keeps others out.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Seats for strangers. Who comes always gets one: where all are taken, somebody must go, of the
/// address that has most of them whoever has sat longest. An honest peer needs his for a moment only.
#[derive(Debug)]
pub(crate) struct Lobby {
    seats: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// By number: the oldest first.
    seats: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    from: Option<IpAddr>,
    /// Dropped when the seat is needed.
    _stay: oneshot::Sender<()>,
}

/// A seat; given up when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    lobby: Arc<Lobby>,
    number: u64,
    stay: oneshot::Receiver<()>,
}

impl Lobby {
    pub(crate) fn new(seats: usize) -> Self {
        assert!(seats > 0, "a lobby without seats lets nobody in");
        Self { seats, taken: Mutex::default() }
    }

    /// Whether more than half of the seats are taken.
    pub(crate) fn is_busy(&self) -> bool {
        self.lock().seats.len() > self.seats / 2
    }

    /// A seat for who comes from this address, if it is one.
    pub(crate) fn seat(self: &Arc<Self>, from: Option<IpAddr>) -> Seat {
        let mut taken = self.lock();
        if taken.seats.len() >= self.seats
            && let Some(number) = whose_turn_it_is_to_go(&taken.seats)
        {
            taken.seats.remove(&number);
        }
        let number = taken.next;
        taken.next += 1;
        let (sender, stay) = oneshot::channel();
        taken.seats.insert(number, Waiting { from: from.map(household), _stay: sender });
        Seat { lobby: self.clone(), number, stay }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // A map of handles is whole after any panic.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The oldest seat of the address that has most.
fn whose_turn_it_is_to_go(seats: &BTreeMap<u64, Waiting>) -> Option<u64> {
    let mut crowds: BTreeMap<Option<IpAddr>, (usize, u64)> = BTreeMap::new();
    for (&number, Waiting { from, .. }) in seats {
        crowds.entry(*from).or_insert((0, number)).0 += 1;
    }
    // Of two crowds of one size, that of the older seat.
    let most = crowds.into_values().max_by_key(|&(count, oldest)| (count, u64::MAX - oldest));
    most.map(|(_, oldest)| oldest)
}

/// What one customer of a provider has at least: an IPv4 address, or 64 bits of an IPv6 one.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

impl Seat {
    /// Waits until the seat is needed by somebody else.
    pub(crate) async fn needed(&mut self) {
        // Nothing is ever sent.
        let _dropped = (&mut self.stay).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.lobby.lock().seats.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    fn is_needed(seat: &mut Seat) -> bool {
        seat.stay.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn a_crowd_of_one_address_shows_out_its_own() {
        let lobby = Arc::new(Lobby::new(4));
        let mut honest = lobby.seat(address("192.0.2.1"));
        let mut crowd: Vec<Seat> = (0..10).map(|_| lobby.seat(address("192.0.2.66"))).collect();
        assert!(!is_needed(&mut honest));
        let gone = crowd.iter_mut().map(is_needed).collect::<Vec<_>>();
        assert_eq!(gone, [vec![true; 7], vec![false; 3]].concat());
        assert!(lobby.is_busy());
        drop(crowd);
        assert!(!lobby.is_busy());
    }

    #[test]
    fn a_customer_of_many_addresses_is_one() {
        let lobby = Arc::new(Lobby::new(3));
        let mut honest = lobby.seat(address("2001:db8:1::1"));
        let mut crowd: Vec<Seat> =
            (1..9).map(|n| lobby.seat(address(&format!("2001:db8:2::{n}")))).collect();
        assert!(!is_needed(&mut honest));
        assert!(is_needed(&mut crowd[0]));
        assert_eq!(household("::ffff:192.0.2.1".parse().expect("one")).to_string(), "192.0.2.1");
    }

    #[test]
    fn where_all_come_from_elsewhere_the_longest_wait_ends() {
        let lobby = Arc::new(Lobby::new(2));
        let mut seats: Vec<Seat> =
            (1..4).map(|n| lobby.seat(address(&format!("192.0.2.{n}")))).collect();
        assert_eq!(seats.iter_mut().map(is_needed).collect::<Vec<_>>(), [true, false, false]);
    }
}
