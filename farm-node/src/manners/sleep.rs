//! How long the machine has slept, and what a node does after it woke.

use std::time::Duration;

use protocol::limits;

/// Less than this is a tick between the reading of two clocks.
const SLEEP_MIN: Duration = Duration::from_secs(1);

/// What a node does after a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterSleep {
    /// The connection may live: say at once that it is there, and hear which leases lapsed.
    Beat,
    /// The scheduler has let go of the connection, and this side does not know: dial again.
    Redial,
}

/// All that the machine has slept since it was started: the time that passed on the clock of the
/// calendar but not on the one that every timeout goes by. None where the system does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn slept() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let read = |clock| {
        let now = clock_gettime(clock);
        let (s, ns) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
        Duration::new(s.unwrap_or_default(), ns.unwrap_or_default())
    };
    // In this order, so that being interrupted between them is no sleep.
    let boot = read(ClockId::Boottime);
    boot.saturating_sub(read(ClockId::Monotonic))
}

/// The same elsewhere.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn slept() -> Duration {
    Duration::ZERO
}

/// How long the machine slept between two readings of [`slept`], if it did.
pub(crate) fn woke(before: Duration, now: Duration) -> Option<Duration> {
    now.checked_sub(before).filter(|slept| *slept >= SLEEP_MIN)
}

/// What a node that is connected does after a sleep of this length.
pub(crate) fn after_sleep(slept: Duration) -> AfterSleep {
    if slept < limits::IDLE_TIMEOUT { AfterSleep::Beat } else { AfterSleep::Redial }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_told_by_two_clocks() {
        let ms = Duration::from_millis;
        assert_eq!(woke(ms(5_000), ms(5_000)), None);
        assert_eq!(woke(ms(5_000), ms(5_999)), None, "between the readings");
        assert_eq!(woke(ms(5_000), ms(4_000)), None, "no clock goes back");
        assert_eq!(woke(ms(5_000), ms(6_000)), Some(ms(1_000)));
        assert_eq!(woke(Duration::ZERO, ms(28_800_000)), Some(ms(28_800_000)));
        // While nobody sleeps the two go alike.
        let before = slept();
        std::thread::sleep(ms(20));
        assert_eq!(woke(before, slept()), None);
    }

    #[test]
    fn what_a_peer_has_forgotten_is_dialled_again() {
        let idle = limits::IDLE_TIMEOUT;
        assert_eq!(after_sleep(idle - Duration::from_millis(1)), AfterSleep::Beat);
        assert_eq!(after_sleep(idle), AfterSleep::Redial);
    }
}
