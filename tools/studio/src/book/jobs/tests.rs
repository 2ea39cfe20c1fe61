use std::time::Instant;

use super::rows::DAY_MS;
use super::*;
use crate::book::Team;
use crate::book::scratch::{book, power_cut};

const DAY: u64 = DAY_MS;

fn quote(number: u32) -> QuoteId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    QuoteId(bytes)
}

fn job(number: u8) -> JobId {
    JobId([number; 16])
}

fn new(number: u32, team: Option<&str>, price: u64) -> NewCommitment {
    NewCommitment {
        quote: quote(number),
        team: team.map(str::to_owned),
        token: "tok_a".to_owned(),
        token_name: "nightly".to_owned(),
        price: Tokens::from_whole(price),
        note: vec![7; 3],
    }
}

fn budget(book: &Book, amount: u64, period: Period, at_limit: AtLimit) {
    let amount = Tokens::from_whole(amount);
    let budget = Some(Budget { amount, period, warn_percent: 80, at_limit });
    book.put_team(&Team { team: "fx".to_owned(), budget }).expect("it works");
}

fn committed(book: &Book, now_ms: u64) -> u64 {
    let tokens = book.committed("fx", now_ms).expect("it works");
    u64::try_from(tokens.micro() / Tokens::MICRO).expect("it works")
}

const NEW: Committed = Committed { warned: false, already: false };

#[test]
fn a_budget_covers_what_fits_and_warns_once() {
    let (_dir, book) = book();
    budget(&book, 10, Period::All, AtLimit::Refuse);
    assert_eq!(book.commit(new(1, Some("fx"), 7), None, 1).expect("it works"), NEW);
    let refused = book.commit(new(2, Some("fx"), 4), None, 2).expect_err("it is refused");
    let CommitError::Budget { team, amount, committed: taken, price } = refused else {
        panic!("{refused}");
    };
    assert_eq!((team.as_str(), amount), ("fx", Tokens::from_whole(10)));
    assert_eq!((taken, price), (Tokens::from_whole(7), Tokens::from_whole(4)));
    // 8 of 10 is 80 percent.
    assert!(book.commit(new(3, Some("fx"), 1), None, 3).expect("it works").warned);
    assert_eq!(book.commit(new(4, Some("fx"), 2), None, 4).expect("it works"), NEW);
    assert_eq!(committed(&book, 5), 10);
    assert!(book.commit(new(5, Some("fx"), 1), None, 5).is_err());
    // Neither other teams nor nobody's orders share it.
    assert_eq!(book.commit(new(6, Some("f"), 100), None, 6).expect("it works"), NEW);
    assert_eq!(book.commit(new(7, None, 100), None, 7).expect("it works"), NEW);
    assert_eq!(committed(&book, 5), 10);
}

#[test]
fn what_comes_back_or_was_not_taken_can_be_spent_again() {
    let (dir, book) = book();
    budget(&book, 10, Period::All, AtLimit::Refuse);
    book.commit(new(1, Some("fx"), 6), None, 1).expect("it works");
    book.commit(new(2, Some("fx"), 4), None, 2).expect("it works");
    assert_eq!(book.withdraw(quote(2)).expect("it works").expect("it works").quote, quote(2));
    assert_eq!(book.withdraw(quote(2)).expect("it works"), None);
    assert_eq!(committed(&book, 3), 6);

    assert_eq!(book.of_job(job(1)).expect("it works"), None);
    assert_eq!(book.settle(job(1), Tokens::ZERO, true).expect("it works"), None);
    let ordered = book.ordered(quote(1), job(1)).expect("it works").expect("it works");
    assert_eq!(book.of_job(job(1)).expect("it works"), Some(ordered.clone()));
    let settled =
        book.settle(job(1), Tokens::from_whole(2), false).expect("it works").expect("it works");
    assert_eq!(settled, Commitment { refunded: Tokens::from_whole(2), ..ordered.clone() });
    assert_eq!(book.settle(job(1), Tokens::from_whole(2), false).expect("it works"), Some(settled));
    assert_eq!(committed(&book, 3), 4);
    let over =
        book.settle(job(1), Tokens::from_whole(5), true).expect("it works").expect("it works");
    assert_eq!(over.counts(), Tokens::from_whole(1));
    assert_eq!(book.ordered(quote(9), job(9)).expect("it works"), None);

    let (_after, book) = power_cut(dir.path());
    assert_eq!(committed(&book, 3), 1);
    assert_eq!(book.of_job(job(1)).expect("it works"), Some(over.clone()));
    assert_eq!(book.of_quote(quote(1)).expect("it works"), Some(over));
}

#[test]
fn the_same_order_again_counts_once() {
    let (_dir, book) = book();
    budget(&book, 10, Period::All, AtLimit::Refuse);
    book.commit(new(1, Some("fx"), 9), Some(1), 1).expect("it works");
    let again = book.commit(new(1, Some("fx"), 9), Some(1), 2).expect("it works");
    assert_eq!(again, Committed { warned: false, already: true });
    assert_eq!(committed(&book, 3), 9);
    let other = NewCommitment { token: "tok_b".to_owned(), ..new(1, Some("fx"), 9) };
    for taken in [other, new(1, Some("fx"), 1)] {
        let refused = book.commit(taken, None, 3).expect_err("it is refused");
        assert!(matches!(refused, CommitError::Taken { quote: named } if named == quote(1)));
    }
}

#[test]
fn a_quota_counts_a_token_s_unfinished_jobs() {
    let (_dir, book) = book();
    book.commit(new(1, None, 1), Some(2), 1).expect("it works");
    book.commit(new(2, None, 1), Some(2), 2).expect("it works");
    let other = NewCommitment { token: "tok_aa".to_owned(), ..new(3, None, 1) };
    book.commit(other, Some(1), 3).expect("it works");
    let refused = book.commit(new(4, None, 1), Some(2), 4).expect_err("it is refused");
    assert!(matches!(refused, CommitError::Quota { jobs_max: 2, unfinished: 2 }), "{refused}");
    book.ordered(quote(1), job(1)).expect("it works");
    book.settle(job(1), Tokens::ZERO, true).expect("it works");
    book.commit(new(4, None, 1), Some(2), 5).expect("it works");
    book.withdraw(quote(4)).expect("it works");
    book.commit(new(5, None, 1), Some(2), 6).expect("it works");
    let open: Vec<QuoteId> =
        book.open_commitments().expect("it works").into_iter().map(|open| open.quote).collect();
    assert_eq!(open, [quote(2), quote(3), quote(5)]);
}

#[test]
fn a_budget_begins_anew_with_its_period() {
    let (_dir, book) = book();
    budget(&book, 10, Period::Day, AtLimit::Refuse);
    book.commit(new(1, Some("fx"), 10), None, DAY - 1).expect("it works");
    assert!(book.commit(new(2, Some("fx"), 1), None, DAY - 1).is_err());
    book.commit(new(2, Some("fx"), 1), None, DAY).expect("it works");
    assert_eq!(committed(&book, DAY), 1);
    // January of 1970 is days 0 to 30.
    budget(&book, 20, Period::Month, AtLimit::Refuse);
    assert_eq!(committed(&book, 31 * DAY - 1), 11);
    assert_eq!(committed(&book, 31 * DAY), 0);
    budget(&book, 20, Period::All, AtLimit::Refuse);
    assert_eq!(committed(&book, 400 * DAY), 11);
    // What comes back counts in the period of its order.
    book.ordered(quote(1), job(1)).expect("it works");
    book.settle(job(1), Tokens::from_whole(4), true).expect("it works");
    budget(&book, 10, Period::Day, AtLimit::Refuse);
    assert_eq!(committed(&book, DAY), 1);
    book.commit(new(3, Some("fx"), 9), None, DAY).expect("it works");
}

#[test]
fn only_a_lowered_budget_that_pauses_is_exceeded() {
    let (_dir, book) = book();
    budget(&book, 10, Period::Day, AtLimit::Pause);
    book.commit(new(1, Some("fx"), 10), None, 1).expect("it works");
    assert!(book.over_budget(2).expect("it works").is_empty());
    budget(&book, 9, Period::Day, AtLimit::Pause);
    assert_eq!(book.over_budget(2).expect("it works"), ["fx"]);
    assert!(book.over_budget(DAY).expect("it works").is_empty());
    budget(&book, 9, Period::Day, AtLimit::Refuse);
    assert!(book.over_budget(2).expect("it works").is_empty());
}

#[test]
fn two_orders_do_not_share_what_is_left() {
    let (_dir, book) = book();
    budget(&book, 10, Period::All, AtLimit::Refuse);
    let taken: usize = std::thread::scope(|scope| {
        let commit = |number| {
            let book = book.clone();
            move || usize::from(book.commit(new(number, Some("fx"), 3), None, 1).is_ok())
        };
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(commit(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it works")).sum()
    });
    assert_eq!((taken, committed(&book, 1)), (3, 9));
}

/// A hundred thousand commitments: reading them all for each of these calls would take minutes.
#[test]
fn sums_and_quotas_are_quick_among_a_hundred_thousand() {
    let (_dir, book) = book();
    budget(&book, 1_000_000, Period::All, AtLimit::Pause);
    let count = 100_000_u32;
    book.write(Keep::Now, |change| {
        for number in 0..count {
            // A thousand days of a hundred orders.
            let ordered_ms = u64::from(number) * DAY / 100;
            let over = number % 100 != 0;
            let made = new(number, Some("fx"), 1).into_commitment(ordered_ms);
            replace(change, None, Some(&Commitment { over, ..made }))?;
        }
        Ok::<_, BookError>(())
    })
    .expect("it works");
    let now_ms = 1_000 * DAY;
    let begun = Instant::now();
    for _again in 0..200 {
        assert_eq!(committed(&book, now_ms), u64::from(count));
        assert!(book.over_budget(now_ms).expect("it works").is_empty());
    }
    let quota =
        book.commit(new(count, Some("fx"), 1), Some(1_000), now_ms).expect_err("it is refused");
    assert!(matches!(quota, CommitError::Quota { unfinished: 1_000, .. }), "{quota}");
    for number in count..count + 20 {
        book.commit(new(number, Some("fx"), 1), Some(2_000), now_ms).expect("it works");
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    assert_eq!(book.open_commitments().expect("it works").len(), 1_020);
}
