//! How much one key may ask for, and how many keys are given something: allowances that fill at a
//! steady rate.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use protocol::message::{Refused, RefusedCode};
use protocol::{PublicKey, Request, Steering};

use super::refused;
use crate::config::Config;

/// Seconds' worth of requests that may come at once.
const BURST_S: f64 = 10.0;
/// Keys that are remembered before those are dropped that have not asked for a while.
const KEYS_MAX: usize = 10_000;
const DAY_S: f64 = 24.0 * 3_600.0;

/// Counts what keys ask for; in memory only.
pub(in crate::shell) struct Turnstile {
    begun: Instant,
    requests: Rate,
    grants: Rate,
    keys: Mutex<BTreeMap<PublicKey, Allowance>>,
    grants_left: Mutex<Allowance>,
}

/// How fast an allowance fills, and how much it is at most.
#[derive(Debug, Clone, Copy)]
struct Rate {
    per_second: f64,
    most: f64,
}

/// What is left at a time.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    left: f64,
    at_s: f64,
}

impl Allowance {
    const fn full(rate: Rate, now_s: f64) -> Self {
        Self { left: rate.most, at_s: now_s }
    }

    fn fill(&mut self, rate: Rate, now_s: f64) {
        self.left = rate.most.min(self.left + (now_s - self.at_s).max(0.0) * rate.per_second);
        self.at_s = now_s;
    }

    /// Takes something, or says in how many seconds it can be had. What is dearer than the allowance
    /// ever is takes all of it.
    fn take(&mut self, rate: Rate, cost: f64, now_s: f64) -> Result<(), f64> {
        self.fill(rate, now_s);
        let wanted = cost.min(rate.most);
        if self.left >= wanted {
            self.left -= wanted;
            Ok(())
        } else {
            Err((wanted - self.left) / rate.per_second)
        }
    }
}

impl Turnstile {
    pub(in crate::shell) fn new(config: &Config) -> Self {
        let per_second = f64::from(config.requests_per_second);
        let per_day = f64::from(config.welcome_grants_per_day);
        let grants = Rate { per_second: per_day / DAY_S, most: per_day };
        Self {
            begun: Instant::now(),
            requests: Rate { per_second, most: BURST_S * per_second },
            grants,
            keys: Mutex::default(),
            grants_left: Mutex::new(Allowance::full(grants, 0.0)),
        }
    }

    fn now_s(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Lets a request through.
    ///
    /// # Errors
    /// Busy: the key has asked for too much, and when it may again.
    pub(super) fn pass(&self, caller: PublicKey, request: &Request) -> Result<(), Refused> {
        let cost = cost(request);
        if cost <= 0.0 || self.requests.per_second <= 0.0 {
            return Ok(());
        }
        self.count(caller, cost, self.now_s()).map_err(|wait_s| {
            let wait_ms = (wait_s * 1e3).ceil();
            let message = format!("your key asks for too much; try again in {wait_ms} ms");
            refused(RefusedCode::Busy, message)
        })
    }

    fn count(&self, caller: PublicKey, cost: f64, now_s: f64) -> Result<(), f64> {
        let rate = self.requests;
        // A map of numbers is whole after any panic.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX && !keys.contains_key(&caller) {
            // Whose allowance is full is as one that was never seen.
            keys.retain(|_key, allowance| {
                allowance.fill(rate, now_s);
                allowance.left < rate.most
            });
        }
        let allowance = keys.entry(caller).or_insert_with(|| Allowance::full(rate, now_s));
        allowance.take(rate, cost, now_s)
    }

    /// Takes one of the day's welcome grants; false when there is none.
    pub(super) fn grant(&self) -> bool {
        let mut left = self.grants_left.lock().unwrap_or_else(PoisonError::into_inner);
        self.grants.most >= 1.0 && left.take(self.grants, 1.0, self.now_s()).is_ok()
    }
}

/// What a request costs, in requests: nothing where a node works by it, which leases bound; little where
/// it fetches what was paid for; more where it makes this machine render or read much.
const fn cost(request: &Request) -> f64 {
    match request {
        Request::Leases { .. }
        | Request::Heartbeat { .. }
        | Request::Submit { .. }
        | Request::Release { .. }
        | Request::MyVerdicts { .. }
        | Request::VerificationLease { .. }
        | Request::Findings { .. } => 0.0,
        Request::Film { .. } | Request::Watch { .. } | Request::Opening { .. } => 0.1,
        Request::Steer { steering: Steering::First(_) | Steering::Retry(_), .. }
        | Request::Block { .. }
        | Request::Blocks
        | Request::DropScene { .. } => 5.0,
        Request::CheckLedger | Request::Receipt { .. } => 10.0,
        Request::Quote { .. } | Request::Qualify => 25.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turnstile(requests_per_second: u32, welcome_grants_per_day: u32) -> Turnstile {
        let config = Config { requests_per_second, welcome_grants_per_day, ..Config::default() };
        Turnstile::new(&config)
    }

    fn key(number: u32) -> PublicKey {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        PublicKey(key)
    }

    #[test]
    fn a_key_has_its_own_allowance_and_is_told_when_there_is_more() {
        let turnstile = turnstile(10, 1);
        let ask = |key, now_s| turnstile.count(key, 1.0, now_s);
        let let_through = (0..1_000).filter(|_| ask(key(1), 5.0).is_ok()).count();
        assert_eq!(let_through, 100, "ten seconds' worth");
        let wait_s = ask(key(1), 5.0).expect_err("nothing is left");
        assert!((wait_s - 0.1).abs() < 1e-9, "{wait_s}");
        assert_eq!(ask(key(2), 5.0), Ok(()), "another key");
        assert_eq!(ask(key(1), 5.25), Ok(()));
        assert_eq!(ask(key(1), 5.25), Ok(()));
        assert!(ask(key(1), 5.25).is_err(), "two came in the meantime");
        assert_eq!(turnstile.count(key(3), 1e9, 5.0), Ok(()));
        assert!(ask(key(3), 5.0).is_err(), "the dearest takes all there is");
    }

    #[test]
    fn work_is_not_counted_and_the_limit_can_be_lifted() {
        let poll = Request::Leases { max: 2, wait_ms: 0 };
        let one = turnstile(1, 1);
        assert!((0..1_000).all(|_| one.pass(key(1), &poll).is_ok()));
        let refused = (0..1_000).find_map(|_| one.pass(key(1), &Request::Farm).err());
        let refused = refused.expect("too many");
        assert_eq!(refused.code, RefusedCode::Busy);
        assert!(refused.message.contains("try again in"), "{refused}");
        let open = turnstile(0, 1);
        assert!((0..1_000).all(|_| open.pass(key(1), &Request::Farm).is_ok()));
    }

    #[test]
    fn keys_that_are_silent_are_forgotten() {
        let turnstile = turnstile(10, 1);
        for number in 0..3 * KEYS_MAX as u32 {
            // A thousand keys a second, each of which has all it may again after a tenth of one.
            let now_s = f64::from(number) * 1e-3;
            assert_eq!(turnstile.count(key(number), 1.0, now_s), Ok(()));
        }
        let kept = turnstile.keys.lock().expect("whole").len();
        assert!(kept <= KEYS_MAX, "{kept}");
    }

    #[test]
    fn grants_are_as_many_a_day_as_the_operator_says() {
        let grants = |per_day| {
            let turnstile = turnstile(10, per_day);
            (0..50).filter(|_| turnstile.grant()).count()
        };
        assert_eq!([grants(0), grants(1), grants(7)], [0, 1, 7]);
    }
}
