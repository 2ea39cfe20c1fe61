//! A line between peers that loses, damages, delays and reorders datagrams, without any privileges.
//!
//! Whoever is given the proxy's address instead of the scheduler's talks to it over the line. Each
//! caller has a socket of its own towards the scheduler, as behind an address translator. Peers tell
//! each other their addresses and take the shortest way: so that there is no other, the scheduler
//! listens on IPv6 alone and callers come by IPv4.

use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a thread looks whether the proxy is still there.
const LOOK: Duration = Duration::from_millis(50);
/// The largest datagram.
const DATAGRAM_BYTES: usize = 1 << 16;

/// What the line does to a datagram; the same seed and the same number give the same fate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// What the draws depend on.
    pub seed: u64,
    /// Datagrams lost, in a thousand.
    pub lost_per_mille: u64,
    /// Datagrams with a flipped bit, in a thousand of those that are not lost.
    pub flipped_per_mille: u64,
    /// How late each one is.
    pub delay: Duration,
    /// How much later it may be: more than the time between two, and they change places.
    pub jitter: Duration,
}

impl Weather {
    /// How late datagram `number` is; none where it is lost.
    #[must_use]
    pub fn fate(&self, number: u64) -> Option<Duration> {
        let drawn = mix(self.seed ^ mix(number));
        if drawn % 1000 < self.lost_per_mille {
            return None;
        }
        let share = (drawn >> 32) as u32;
        Some(self.delay + self.jitter.mul_f64(f64::from(share) / f64::from(u32::MAX)))
    }

    /// Which of so many bits of datagram `number` is flipped; none where it stays whole.
    #[must_use]
    pub fn flip(&self, number: u64, bits: usize) -> Option<usize> {
        // Whether it is lost was drawn from the seed itself.
        let drawn = mix(!self.seed ^ mix(number));
        let place = mix(drawn).checked_rem(bits as u64)?;
        (drawn % 1000 < self.flipped_per_mille).then_some(place as usize)
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The proxy; its threads end with it.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
}

struct Line {
    front: UdpSocket,
    to: SocketAddr,
    weather: Weather,
    /// Towards the scheduler, by caller.
    backs: Mutex<BTreeMap<SocketAddr, Arc<UdpSocket>>>,
    under_way: Mutex<BinaryHeap<Datagram>>,
    came: Condvar,
    cut: AtomicBool,
    closed: AtomicBool,
    number: AtomicU64,
    carried_bytes: AtomicU64,
    damaged: AtomicU64,
}

/// A datagram on the line, the earliest first in a heap.
struct Datagram {
    due: Instant,
    number: u64,
    from: Arc<UdpSocket>,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl Proxy {
    /// A line to an address.
    ///
    /// # Errors
    /// No socket is to be had.
    pub fn new(to: SocketAddr, weather: Weather) -> io::Result<Self> {
        let front = UdpSocket::bind("127.0.0.1:0")?;
        front.set_read_timeout(Some(LOOK))?;
        let address = front.local_addr()?;
        let line = Arc::new(Line {
            front,
            to,
            weather,
            backs: Mutex::default(),
            under_way: Mutex::default(),
            came: Condvar::new(),
            cut: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            number: AtomicU64::new(0),
            carried_bytes: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
        });
        let (hearing, delivering) = (line.clone(), line.clone());
        thread::spawn(move || hearing.hear());
        thread::spawn(move || delivering.deliver());
        Ok(Self { address, line })
    }

    /// Where callers find it.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loses every datagram from now on, or no longer.
    pub fn cut(&self, cut: bool) {
        self.line.cut.store(cut, Ordering::SeqCst);
    }

    /// Gives every caller another address towards the scheduler, as a translator does that has
    /// forgotten them.
    pub fn forget(&self) {
        lock(&self.line.backs).clear();
    }

    /// Bytes delivered so far, both ways.
    #[must_use]
    pub fn carried_bytes(&self) -> u64 {
        self.line.carried_bytes.load(Ordering::SeqCst)
    }

    /// Datagrams damaged so far, both ways.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.line.damaged.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.line.closed.store(true, Ordering::SeqCst);
        self.line.came.notify_all();
    }
}

impl Line {
    fn is_open(&self) -> bool {
        !self.closed.load(Ordering::SeqCst)
    }

    /// Takes what callers send.
    fn hear(self: Arc<Self>) {
        let mut buffer = vec![0; DATAGRAM_BYTES];
        while self.is_open() {
            let Ok((size, caller)) = self.front.recv_from(&mut buffer) else { continue };
            if let Ok(back) = self.back(caller) {
                self.send(back, self.to, &buffer[..size]);
            }
        }
    }

    /// A caller's socket towards the scheduler.
    fn back(self: &Arc<Self>, caller: SocketAddr) -> io::Result<Arc<UdpSocket>> {
        let mut backs = lock(&self.backs);
        if let Some(back) = backs.get(&caller) {
            return Ok(back.clone());
        }
        let local = if self.to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let back = Arc::new(UdpSocket::bind(local)?);
        back.set_read_timeout(Some(LOOK))?;
        backs.insert(caller, back.clone());
        let (line, hearing) = (self.clone(), back.clone());
        thread::spawn(move || line.answer(&hearing, caller));
        Ok(back)
    }

    /// Takes what the scheduler sends to a caller.
    fn answer(&self, back: &Arc<UdpSocket>, caller: SocketAddr) {
        let Ok(front) = self.front.try_clone().map(Arc::new) else { return };
        let mut buffer = vec![0; DATAGRAM_BYTES];
        let is_known = || lock(&self.backs).get(&caller).is_some_and(|it| Arc::ptr_eq(it, back));
        while self.is_open() && is_known() {
            if let Ok((size, _from)) = back.recv_from(&mut buffer) {
                self.send(front.clone(), caller, &buffer[..size]);
            }
        }
    }

    fn send(&self, from: Arc<UdpSocket>, to: SocketAddr, bytes: &[u8]) {
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        let Some(late) = self.weather.fate(number) else { return };
        let mut bytes = bytes.to_vec();
        if let Some(bit) = self.weather.flip(number, 8 * bytes.len()) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            self.damaged.fetch_add(1, Ordering::SeqCst);
        }
        let due = Instant::now() + late;
        lock(&self.under_way).push(Datagram { due, number, from, to, bytes });
        self.came.notify_one();
    }

    /// Hands over what is due.
    fn deliver(&self) {
        let mut under_way = lock(&self.under_way);
        while self.is_open() {
            let now = Instant::now();
            let wait = under_way.peek().map_or(LOOK, |first| first.due.duration_since(now));
            if !wait.is_zero() || under_way.is_empty() {
                let waited = self.came.wait_timeout(under_way, wait.min(LOOK));
                under_way = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let Some(Datagram { from, to, bytes, .. }) = under_way.pop() else { continue };
            if !self.cut.load(Ordering::SeqCst) && from.send_to(&bytes, to).is_ok() {
                self.carried_bytes.fetch_add(bytes.len() as u64, Ordering::SeqCst);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PartialEq for Datagram {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Datagram {}

impl PartialOrd for Datagram {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Datagram {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_what_is_lost_and_what_changes_places() {
        let delay = Duration::from_millis(2);
        let jitter = Duration::from_millis(20);
        let weather = Weather { seed: 3, lost_per_mille: 50, delay, jitter, ..Weather::default() };
        let fates: Vec<_> = (0..10_000).map(|number| weather.fate(number)).collect();
        let lost = fates.iter().filter(|fate| fate.is_none()).count();
        assert!((400..600).contains(&lost), "{lost} of 10000");
        assert!(fates.iter().flatten().all(|late| (delay..=delay + jitter).contains(late)));
        assert_eq!(fates, (0..10_000).map(|number| weather.fate(number)).collect::<Vec<_>>());
        let other = Weather { seed: 4, ..weather };
        assert_ne!(fates, (0..10_000).map(|number| other.fate(number)).collect::<Vec<_>>());
    }

    #[test]
    fn a_seed_decides_which_bits_are_flipped() {
        let bits = 8 * 1200;
        let weather = Weather { seed: 3, flipped_per_mille: 20, ..Weather::default() };
        let flips = |weather: Weather| -> Vec<Option<usize>> {
            (0..10_000).map(|number| weather.flip(number, bits)).collect()
        };
        let flipped: Vec<usize> = flips(weather).into_iter().flatten().collect();
        assert!((150..250).contains(&flipped.len()), "{} of 10000", flipped.len());
        assert!(flipped.iter().all(|bit| *bit < bits));
        assert!(flipped.iter().any(|bit| *bit < bits / 4), "none near its beginning");
        assert!(flipped.iter().any(|bit| *bit >= bits / 4 * 3), "none near its end");
        assert_eq!(flips(weather), flips(weather));
        assert_ne!(flips(weather), flips(Weather { seed: 4, ..weather }));
        assert!(flips(Weather { flipped_per_mille: 0, ..weather }).iter().all(Option::is_none));
        let all = Weather { flipped_per_mille: 1000, ..weather };
        assert!(flips(all).iter().all(Option::is_some));
        assert_eq!(all.flip(0, 0), None);
    }

    #[test]
    fn what_is_damaged_differs_in_one_bit() -> io::Result<()> {
        let far = UdpSocket::bind("127.0.0.1:0")?;
        let weather = Weather { flipped_per_mille: 1000, ..Weather::default() };
        let proxy = Proxy::new(far.local_addr()?, weather)?;
        let near = UdpSocket::bind("127.0.0.1:0")?;
        near.send_to(b"ping", proxy.address())?;
        let mut buffer = [0_u8; 8];
        let (size, _caller) = far.recv_from(&mut buffer)?;
        let pairs = buffer[..size].iter().zip(b"ping");
        let differing: u32 = pairs.map(|(came, sent)| (came ^ sent).count_ones()).sum();
        assert_eq!((size, differing, proxy.damaged()), (4, 1, 1));
        Ok(())
    }

    #[test]
    fn what_is_sent_comes_back_until_the_line_is_cut() -> io::Result<()> {
        let far = UdpSocket::bind("127.0.0.1:0")?;
        let proxy = Proxy::new(far.local_addr()?, Weather::default())?;
        let near = UdpSocket::bind("127.0.0.1:0")?;
        let mut buffer = [0; 8];
        let mut callers = Vec::new();
        for _ in 0..2 {
            near.send_to(b"ping", proxy.address())?;
            let (size, caller) = far.recv_from(&mut buffer)?;
            assert_eq!(&buffer[..size], b"ping");
            far.send_to(b"pong", caller)?;
            let (size, from) = near.recv_from(&mut buffer)?;
            assert_eq!((&buffer[..size], from), (&b"pong"[..], proxy.address()));
            callers.push(caller);
            proxy.forget();
        }
        assert_ne!(callers[0], callers[1]);
        proxy.cut(true);
        near.send_to(b"ping", proxy.address())?;
        far.set_read_timeout(Some(4 * LOOK))?;
        assert!(far.recv_from(&mut buffer).is_err());
        assert_eq!(proxy.carried_bytes(), 16);
        Ok(())
    }
}
