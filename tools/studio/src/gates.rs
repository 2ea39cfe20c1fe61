//! How much each token may ask for, so that none keeps the others from asking.
//!
//! A farm grants the studio's one key an allowance, in which a price weighs as much as 25 plain
//! questions, and carries so many calls of it at once; all tokens share both. A token has a rate of its
//! own, in which requests weigh what they cost, and bounds of calls and streams. What the farm is asked
//! is paced below its allowance, where the cheap would keep the dear out for ever: tokens take turns,
//! however much each of them wants.

mod bucket;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bucket::{Bucket, Rate};
use protocol::limits::STREAMS_PER_CONNECTION_MAX;

use crate::problem::{Kind, Problem};

/// Seconds' worth of requests that a token may make at once.
const AT_ONCE_S: f64 = 4.0;
/// Who asks faster than that waits, for at most so many seconds.
const WAIT_S_MAX: f64 = 10.0;
/// Seconds' worth of the farm's allowance that may be asked at once, as at the farm.
const FARM_AT_ONCE_S: f64 = 10.0;
/// Who waits for so long for the farm's allowance is sent away.
const FARM_WAIT_MAX: Duration = Duration::from_secs(30);
/// What a film costs of the farm's allowance (`scheduler/src/shell/door/turnstile.rs`).
pub const FILM: f64 = 0.1;
/// Calls at the farm that one token may have under way: of those that the studio's one line
/// carries, a quarter is always left to the others.
const CALLS_MAX: u32 = STREAMS_PER_CONNECTION_MAX / 4 * 3;

/// Streams that one token may listen to at once: the 200 jobs of a batch, each watched by a stream of
/// its own, and some more.
const STREAMS_OF_TOKEN_MAX: u32 = 256;
/// Streams of all tokens: two thirds of the connections that there may be (`lines`).
const STREAMS_MAX: u32 = 512;
/// When to ask again where there are too many streams: they end when somebody leaves.
const STREAM_RETRY_S: u64 = 5;

/// What a request costs beside what every request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toll {
    /// Every request.
    Request,
    /// A list that is at hand: as many as a thousand rows.
    List,
    /// A question that the farm is asked.
    Look,
    /// A word on a job, after which the list is read.
    Steering,
    /// A scene that is read, and offered to the farm again and again until it is there.
    Scene,
    /// A picture, whose films are fetched a few at a time.
    Picture,
    /// A receipt, which the farm puts together of many films.
    Receipt,
    /// A price, for which the farm renders; an order as well, which asks for one.
    Quote,
}

impl Toll {
    /// In requests of the token's rate, beside the one that each is: about what it weighs at the farm,
    /// or more where that is little.
    const fn weight(self) -> f64 {
        match self {
            Self::Request => 1.0,
            Self::List | Self::Look => 4.0,
            Self::Steering => 6.0,
            Self::Scene | Self::Picture | Self::Receipt => 10.0,
            Self::Quote => 25.0,
        }
    }

    /// What it costs of the farm's allowance (`scheduler/src/shell/door/turnstile.rs`), with the look
    /// at the list that follows; a picture's films come on top.
    const fn at_farm(self) -> f64 {
        match self {
            Self::Request | Self::List => 0.0,
            Self::Picture => 2.0 * FILM,
            Self::Look | Self::Scene => 2.0,
            Self::Steering => 6.0,
            Self::Receipt => 10.0,
            Self::Quote => 27.0,
        }
    }

    /// Calls that it has under way at the farm at most.
    const fn calls(self) -> u32 {
        match self {
            Self::Request | Self::List => 0,
            Self::Look | Self::Steering | Self::Scene | Self::Receipt | Self::Quote => 1,
            Self::Picture => crate::films::FETCHES as u32,
        }
    }
}

/// What tokens ask for; cheap to clone.
#[derive(Debug, Clone)]
pub struct Gates {
    rate: Rate,
    by_token: Arc<Mutex<BTreeMap<String, Use>>>,
    farm: Arc<AtFarm>,
}

/// What is asked of the farm, by all tokens.
#[derive(Debug)]
struct AtFarm {
    rate: Rate,
    /// Whoever has it is next: of each token one waits for it, so that they take turns.
    left: tokio::sync::Mutex<Bucket>,
}

/// What a token asks for.
#[derive(Debug)]
struct Use {
    left: Bucket,
    calls: u32,
    streams: u32,
    /// Whoever has it stands for the token where the farm is asked.
    first: Arc<tokio::sync::Mutex<()>>,
}

/// A stream that a token listens to, until this is dropped.
#[derive(Debug)]
#[must_use = "the stream counts as long as it is kept"]
pub struct Listening {
    gates: Gates,
    token: String,
}

/// Calls at the farm that a token has under way, until this is dropped.
#[derive(Debug)]
#[must_use = "the calls are under way as long as it is kept"]
pub struct Turn {
    gates: Gates,
    token: String,
    calls: u32,
    first: Arc<tokio::sync::Mutex<()>>,
}

impl Gates {
    /// Each token may ask so often a second in the long run, and four times that at once; the farm is
    /// asked so often by all of them, and ten times that at once, or without a bound where it is 0.
    #[must_use]
    pub fn new(per_second: u32, farm_per_second: u32) -> Self {
        let (per_second, of_farm) = (f64::from(per_second), f64::from(farm_per_second));
        let rate = Rate { per_second, most: per_second * AT_ONCE_S };
        let farm = Rate { per_second: of_farm, most: of_farm * FARM_AT_ONCE_S };
        let left = tokio::sync::Mutex::new(Bucket::full(farm, Instant::now()));
        Self { rate, by_token: Arc::default(), farm: Arc::new(AtFarm { rate: farm, left }) }
    }

    /// Lets a request through when it is its turn.
    ///
    /// # Errors
    /// Too many requests.
    pub async fn pass(&self, token: &str, toll: Toll) -> Result<Turn, Problem> {
        let (turn, wait) = self.enter(token, toll, Instant::now())?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        turn.ask_farm(toll.at_farm()).await?;
        Ok(turn)
    }

    /// Lets a request of a token's through once it has waited for so long.
    ///
    /// # Errors
    /// Too many requests: too fast, or too many at the farm.
    fn enter(&self, token: &str, toll: Toll, now: Instant) -> Result<(Turn, Duration), Problem> {
        let mut by_token = self.lock();
        let of_token = self.of_token(&mut by_token, token, now);
        if of_token.calls + toll.calls() > CALLS_MAX {
            let detail = format!(
                "the token has {} calls under way at the farm and may have {CALLS_MAX}, of which \
                 this takes {}; wait for one of its requests to be answered",
                of_token.calls,
                toll.calls()
            );
            return Err(Problem::new(Kind::TooManyRequests, detail).after(1));
        }
        let wait_s = of_token.left.take(self.rate, toll.weight(), now, WAIT_S_MAX);
        let wait_s = wait_s.map_err(|late_s| {
            let (Rate { per_second, most }, weight) = (self.rate, toll.weight());
            let detail = format!(
                "a token may ask {per_second} times a second, and {most} at once, and this counts as \
                 {weight}; wait {late_s} s"
            );
            Problem::new(Kind::TooManyRequests, detail).after(late_s)
        })?;
        of_token.calls += toll.calls();
        let (calls, first) = (toll.calls(), Arc::clone(&of_token.first));
        let turn = Turn { gates: self.clone(), token: token.to_owned(), calls, first };
        Ok((turn, Duration::from_secs_f64(wait_s)))
    }

    /// Lets a token, which was let through, listen to one stream more.
    ///
    /// # Errors
    /// Too many streams, of the token or of all.
    pub fn listen(&self, token: &str, now: Instant) -> Result<Listening, Problem> {
        let mut by_token = self.lock();
        let all: u32 = by_token.values().map(|of_token| of_token.streams).sum();
        let of_token = self.of_token(&mut by_token, token, now);
        if of_token.streams >= STREAMS_OF_TOKEN_MAX {
            let detail = format!(
                "the token listens to {STREAMS_OF_TOKEN_MAX} streams, as many as it may; close one, \
                 or listen to all jobs in one at /v1/events"
            );
            return Err(Problem::new(Kind::TooManyStreams, detail).after(STREAM_RETRY_S));
        }
        if all >= STREAMS_MAX {
            let detail = format!(
                "{STREAMS_MAX} streams are listened to, as many as the door can bear; ask later, or \
                 look at the job now and then"
            );
            return Err(Problem::new(Kind::DoorFull, detail).after(STREAM_RETRY_S));
        }
        of_token.streams += 1;
        Ok(Listening { gates: self.clone(), token: token.to_owned() })
    }

    fn of_token<'a>(
        &self,
        by_token: &'a mut BTreeMap<String, Use>,
        token: &str,
        now: Instant,
    ) -> &'a mut Use {
        let left = Bucket::full(self.rate, now);
        let new = || Use { left, calls: 0, streams: 0, first: Arc::default() };
        by_token.entry(token.to_owned()).or_insert_with(new)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Use>> {
        // A map of numbers is whole after any panic.
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until the farm may be asked for so much of its allowance.
    ///
    /// # Errors
    /// Too many requests, of all tokens.
    pub async fn ask_farm(&self, cost: f64) -> Result<(), Problem> {
        let AtFarm { rate, left } = &*self.gates.farm;
        if cost <= 0.0 || rate.per_second <= 0.0 {
            return Ok(());
        }
        let waits = async {
            let _first_of_token = self.first.lock().await;
            let mut left = left.lock().await;
            let wait_s = left.wait_s(*rate, cost, Instant::now());
            // Whoever is next waits meanwhile; a sleep of nothing would still be one of a millisecond.
            if wait_s > 0.0 {
                tokio::time::sleep(Duration::from_secs_f64(wait_s)).await;
            }
            // Not before: who goes away while he waits owes nothing.
            let _waited = left.take(*rate, cost, Instant::now(), f64::INFINITY);
        };
        tokio::time::timeout(FARM_WAIT_MAX, waits).await.map_err(|_elapsed| {
            let detail = "the farm is asked for as much as it allows the studio; ask again later";
            Problem::new(Kind::TooManyRequests, detail).after(5)
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(of_token) = self.gates.lock().get_mut(&self.token) {
            of_token.calls -= self.calls;
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(of_token) = self.gates.lock().get_mut(&self.token) {
            of_token.streams -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of very many requests are let through without a wait, and how many in all.
    fn passed(gates: &Gates, toll: Toll, at: Instant) -> (usize, usize) {
        let waits = (0..10_000).map_while(|_| gates.enter("a", toll, at).ok());
        let waits: Vec<Duration> = waits.map(|(_turn, wait)| wait).collect();
        (waits.iter().filter(|wait| wait.is_zero()).count(), waits.len())
    }

    #[test]
    fn a_token_may_burst_and_then_asks_at_its_rate() {
        let (gates, start) = (Gates::new(50, 0), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(passed(&gates, Toll::Request, start), (200, 700), "ten seconds' worth wait");
        assert_eq!(passed(&gates, Toll::Request, after(1)), (0, 50), "they are let in at its rate");
        assert_eq!(passed(&gates, Toll::Request, after(60)), (200, 700), "no more than a full one");
        assert!(gates.enter("b", Toll::Request, start).is_ok(), "another token has its own");
        let refused = gates.enter("a", Toll::Request, after(60)).expect_err("too many");
        assert_eq!((refused.status, refused.retry_after_s), (429, Some(1)));
    }

    /// A token that does nothing but this asks the farm for so much a second in the long run, of the
    /// 50 that a farm usually grants.
    #[test]
    fn what_is_dear_at_the_farm_is_dear_here() {
        let check = |toll: Toll, most: f64| {
            let (gates, start) = (Gates::new(50, 0), Instant::now());
            passed(&gates, toll, start);
            let (_, count) = passed(&gates, toll, start + Duration::from_secs(10));
            let per_second = count as f64 / 10.0 * toll.at_farm();
            assert!(count > 0 && per_second <= most, "{toll:?}: {per_second} a second");
        };
        check(Toll::Look, 26.0);
        check(Toll::Steering, 51.0);
        check(Toll::Scene, 10.0);
        check(Toll::Picture, 1.0);
        check(Toll::Receipt, 51.0);
        check(Toll::Quote, 55.0);
    }

    #[test]
    fn two_dozen_orders_at_once_wait_and_are_let_in() {
        let (gates, start) = (Gates::new(50, 0), Instant::now());
        let orders = (0..24).map(|_| {
            drop(gates.enter("a", Toll::Request, start));
            gates.enter("a", Toll::Quote, start).map(|(turn, _wait)| turn)
        });
        let turns: Vec<Turn> = orders.collect::<Result<_, _>>().expect("they are let in");
        let refused = gates.enter("a", Toll::Look, start).expect_err("it has its calls");
        assert_eq!((refused.status, refused.retry_after_s), (429, Some(1)));
        assert!(refused.detail.contains("24 calls under way at the farm"), "{}", refused.detail);
        assert!(gates.enter("a", Toll::Request, start).is_ok(), "what the farm is not asked");
        assert!(gates.enter("b", Toll::Look, start).is_ok(), "another token has its own");
        drop(turns);
        assert!(gates.enter("a", Toll::Look, start).is_ok(), "they were answered");
    }

    #[test]
    fn what_is_dearer_than_the_bucket_takes_all_of_it() {
        let (gates, start) = (Gates::new(1, 0), Instant::now());
        let (_turn, wait) = gates.enter("a", Toll::Quote, start).expect("let through");
        assert!(wait.is_zero());
        let (_turn, wait) = gates.enter("a", Toll::Request, start).expect("let through");
        assert_eq!(wait, Duration::from_secs(1));
    }

    #[test]
    fn two_hundred_watch_at_once_and_streams_are_bounded() {
        let (gates, now) = (Gates::new(50, 0), Instant::now());
        let listen = |token: &str, count: u32| {
            (0..count).map(|_| gates.listen(token, now)).collect::<Result<Vec<_>, _>>()
        };
        let watchers = listen("a", 200).expect("as tools/python/benches/scale.py does");
        let more = listen("a", STREAMS_OF_TOKEN_MAX - 200).expect("and some");
        let refused = listen("a", 1).expect_err("too many of one token");
        assert_eq!((refused.status, refused.retry_after_s), (429, Some(5)));
        let _others = listen("b", STREAMS_MAX - STREAMS_OF_TOKEN_MAX).expect("another's");
        let refused = listen("c", 1).expect_err("too many of all");
        assert_eq!((refused.status, refused.retry_after_s), (503, Some(5)));
        drop((watchers, more));
        assert!(listen("c", 1).is_ok(), "they have left");
    }

    #[test]
    fn a_picture_counts_as_its_fetches() {
        let (gates, start) = (Gates::new(1_000, 0), Instant::now());
        let pictures = (0..100).map_while(|_| gates.enter("a", Toll::Picture, start).ok());
        assert_eq!(pictures.collect::<Vec<_>>().len(), 6);
    }

    #[tokio::test]
    async fn who_hangs_up_while_he_waits_for_the_farm_owes_nothing() {
        let gates = Gates::new(1_000, 1);
        let turn = gates.pass("a", Toll::Request).await.expect("let through");
        turn.ask_farm(10.0).await.expect("what may be asked at once");
        let waits = turn.ask_farm(10.0);
        assert!(tokio::time::timeout(Duration::from_millis(10), waits).await.is_err());
        let left = gates.farm.left.lock().await;
        assert!(left.wait_s(gates.farm.rate, 1.0, Instant::now()) <= 1.0);
    }

    /// Only the order of what is let through is looked at, and no time.
    #[tokio::test]
    async fn tokens_take_turns_where_the_farm_is_asked() {
        let gates = Gates::new(1_000_000, 200);
        // What may be asked at once is used up.
        drop(
            gates.pass("greedy", Toll::Request).await.expect("let through").ask_farm(2_000.0).await,
        );
        let (told, mut passed) = tokio::sync::mpsc::channel(100);
        let mut asking = tokio::task::JoinSet::new();
        for (token, toll) in [("greedy", Toll::Quote); 20].into_iter().chain([("b", Toll::Look)]) {
            let (gates, told) = (gates.clone(), told.clone());
            asking.spawn(async move {
                let turn = gates.pass(token, toll).await.expect("let through");
                told.send(token).await.expect("somebody listens");
                drop(turn);
            });
        }
        let mut order = Vec::new();
        for _one in 0..3 {
            order.extend(passed.recv().await);
        }
        assert_eq!(order, ["greedy", "b", "greedy"]);
    }
}
