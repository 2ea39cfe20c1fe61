//! Each rule by itself, with the error that a caller sees.

use std::slice::from_ref;

use ledger::{ApplyError, Code, Ended, Ledger, Options, Outcome, Transfer, TransferKind, account};
use protocol::Tokens;
use tempfile::TempDir;

use crate::{escrow, grant, id, micro, open, wallet};

/// A ledger with 1000 micro-tokens in the first wallet.
fn funded() -> (TempDir, Ledger) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &Options { index: false, ..Options::default() });
    ledger.apply(&[grant(0, wallet(1), 1000)], 100).expect("applies");
    (dir, ledger)
}

fn lease(number: u64, amount: u128, timeout_ms: u64) -> Transfer {
    Transfer::pending(id(number), (wallet(1), escrow(1)), micro(amount), Code::Pay, timeout_ms)
}

/// Applies a batch that must be refused, and checks that nothing changed.
fn refused(ledger: &mut Ledger, batch: &[Transfer], now_ms: u64) -> ApplyError {
    let before = (ledger.books().clone(), ledger.head());
    let error = ledger.apply(batch, now_ms).expect_err("must be refused");
    assert_eq!((ledger.books(), ledger.head()), (&before.0, before.1), "{error}");
    error
}

#[test]
fn nobody_but_issuance_goes_below_zero() {
    let (_dir, mut ledger) = funded();
    let most = Transfer::posted(id(1), (wallet(1), wallet(2)), micro(1000), Code::Escrow);
    let more = Transfer { amount: micro(1001), ..most.clone() };
    let error = refused(&mut ledger, &[more], 200);
    assert_eq!(
        error.to_string(),
        format!("{} takes 0.001001 from the {}, which has 0.001000 available", id(1), wallet(1))
    );
    ledger.apply(&[most], 200).expect("all of it may go");
    assert_eq!(ledger.balance(wallet(1)).posted, 0);
    assert_eq!(ledger.balance(account::issuance()).posted, -1000);
    assert!(ledger.balance(account::issuance()).available.is_zero());
}

#[test]
fn what_is_set_aside_cannot_be_spent_again() {
    let (_dir, mut ledger) = funded();
    ledger.apply(&[lease(1, 700, 0)], 200).expect("sets aside");
    let balance = ledger.balance(wallet(1));
    assert_eq!((balance.posted, balance.available), (1000, micro(300)));
    assert_eq!(ledger.balance(escrow(1)).pending_credits, micro(700));
    assert!(ledger.balance(escrow(1)).available.is_zero());
    let error = refused(&mut ledger, &[lease(2, 301, 0)], 200);
    assert!(matches!(error, ApplyError::NotEnough { .. }), "{error}");
}

#[test]
fn a_batch_is_all_or_nothing() {
    let (_dir, mut ledger) = funded();
    let good = Transfer::posted(id(1), (wallet(1), wallet(2)), micro(600), Code::Escrow);
    let bad = Transfer { id: id(2), ..good.clone() };
    let error = refused(&mut ledger, &[good.clone(), lease(3, 10, 50), bad], 200);
    assert!(matches!(error, ApplyError::NotEnough { transfer, .. } if transfer == id(2)));
    assert!(!ledger.contains(id(1)) && ledger.next_expiry_ms().is_none());
    ledger.apply(&[good], 200).expect("applies alone");
}

#[test]
fn batches_of_one_write_stand_for_themselves() {
    let (_dir, mut ledger) = funded();
    let pay = |number, amount| {
        [Transfer::posted(id(number), (wallet(1), wallet(2)), micro(amount), Code::Escrow)]
    };
    let batches = [&pay(1, 600)[..], &pay(2, 600)[..], &pay(3, 400)[..]];
    let results = ledger.apply_all(&batches, 200).expect("writes");
    let is_ok: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(is_ok, [true, false, true]);
    assert_eq!((ledger.balance(wallet(2)).posted, ledger.head().size), (1000, 3));
    assert!(ledger.check().verified);
}

#[test]
fn an_id_names_one_transfer() {
    let (_dir, mut ledger) = funded();
    let pay = Transfer::posted(id(1), (wallet(1), wallet(2)), micro(10), Code::Escrow);
    let applied = ledger.apply(&[pay.clone(), pay.clone()], 200).expect("said twice");
    let seq = 1;
    assert_eq!(applied.outcomes, [Outcome::Applied { seq }, Outcome::AlreadyApplied { seq }]);
    let size = ledger.head().size;
    assert!(ledger.apply(from_ref(&pay), 300).expect("again").outcomes[0].was_applied_before());
    assert_eq!(ledger.head().size, size, "a repetition writes nothing");
    let other = Transfer { code: Code::Refund, ..pay };
    let error = refused(&mut ledger, &[other], 300);
    assert!(matches!(error, ApplyError::IdReused { seq: 1, .. }), "{error}");
}

#[test]
fn a_pending_transfer_ends_once() {
    let (_dir, mut ledger) = funded();
    let (first, second) = (lease(1, 100, 0), lease(2, 100, 0));
    ledger.apply(&[first.clone(), second.clone()], 200).expect("sets aside");
    ledger.apply(&[Transfer::post(id(3), &first, micro(60))], 300).expect("posts");
    ledger.apply(&[Transfer::void(id(4), &second)], 300).expect("voids");
    assert_eq!(ledger.balance(wallet(1)).available, micro(940));
    assert_eq!(ledger.balance(escrow(1)).available, micro(60));
    for (pending, how) in [(&first, Ended::Posted), (&second, Ended::Voided)] {
        for again in [Transfer::post(id(5), pending, micro(1)), Transfer::void(id(5), pending)] {
            let error = refused(&mut ledger, &[again], 400);
            assert!(matches!(error, ApplyError::Ended { ended, .. } if ended == how), "{error}");
        }
    }
}

#[test]
fn a_post_fits_its_pending_transfer() {
    let (_dir, mut ledger) = funded();
    let pending = lease(1, 100, 0);
    ledger.apply(from_ref(&pending), 200).expect("sets aside");
    let post = Transfer::post(id(2), &pending, micro(100));
    let of = |amount| TransferKind::Post { pending: id(1), amount: micro(amount) };
    let wrong = [
        (Transfer { debit: wallet(2), ..post.clone() }, "debit account"),
        (Transfer { credit: wallet(2), ..post.clone() }, "credit account"),
        (Transfer { amount: micro(99), ..post.clone() }, "amount"),
        (Transfer { kind: of(101), ..post.clone() }, "posts 0.000101 of a pending 0.000100"),
        (Transfer { kind: of(0), ..post.clone() }, "moves nothing"),
        (Transfer::post(id(2), &lease(9, 100, 0), micro(1)), "not a pending transfer"),
        (Transfer::void(id(2), &grant(0, wallet(1), 1000)), "not a pending transfer"),
    ];
    for (transfer, words) in wrong {
        let error = refused(&mut ledger, &[transfer], 300).to_string();
        assert!(error.contains(words), "{error}");
    }
    let bad = Transfer::void(id(3), &pending);
    refused(&mut ledger, &[post.clone(), bad], 300);
    ledger.apply(&[post], 300).expect("posts");
}

#[test]
fn an_expired_transfer_restores_exactly() {
    let (_dir, mut ledger) = funded();
    let before: Vec<_> = [wallet(1), escrow(1)].map(|account| ledger.balance(account)).to_vec();
    let (pending, later) = (lease(1, 100, 50), lease(2, 100, 80));
    ledger.apply(&[pending.clone(), later.clone()], 200).expect("sets aside");
    assert_eq!(ledger.next_expiry_ms(), Some(250));
    assert!(ledger.expire(249).expect("none due").is_empty());
    let error = refused(&mut ledger, &[Transfer::post(id(3), &pending, micro(1))], 250);
    assert!(matches!(error, ApplyError::TooLate { expired_ms: 250, .. }), "{error}");
    assert_eq!(ledger.expire(250).expect("expires"), from_ref(&pending));
    let error = refused(&mut ledger, &[Transfer::void(id(3), &pending)], 251);
    assert!(matches!(error, ApplyError::Ended { ended: Ended::Expired, .. }), "{error}");
    assert_eq!(ledger.expire(10_000).expect("expires"), [later]);
    let after: Vec<_> = [wallet(1), escrow(1)].map(|account| ledger.balance(account)).to_vec();
    assert_eq!(after, before);
    assert!(ledger.check().verified);
}

#[test]
fn time_never_goes_back() {
    let (_dir, mut ledger) = funded();
    let applied = ledger.apply(&[lease(1, 10, 50)], 40).expect("a clock that was set back");
    assert_eq!((applied.time_ms, ledger.next_expiry_ms()), (100, Some(150)));
    assert!(ledger.expire(120).expect("not due").is_empty());
}

/// A time in 2027 and a day, milliseconds.
const NOW_MS: u64 = 1_800_000_000_000;
const DAY_MS: u64 = 86_400_000;

/// A ledger with 1000 micro-tokens in the first wallet, closed in 2027.
fn of_2027() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = without_index(&dir);
    ledger.apply(&[grant(0, wallet(1), 1000)], NOW_MS).expect("applies");
    dir
}

fn without_index(dir: &TempDir) -> Ledger {
    open(dir.path(), &Options { index: false, ..Options::default() })
}

#[test]
fn a_clock_far_ahead_is_refused_and_leaves_no_trace() {
    let dir = of_2027();
    let mut ledger = without_index(&dir);
    let pending = lease(1, 100, 60_000);
    ledger.apply(from_ref(&pending), NOW_MS + DAY_MS).expect("the farm slept for a day");
    let far_ms = NOW_MS + 30 * DAY_MS;
    let error = refused(&mut ledger, &[lease(2, 1, 0)], far_ms);
    assert!(matches!(error, ApplyError::ClockAhead { now_ms, .. } if now_ms == far_ms), "{error}");
    assert!(error.to_string().contains("set it right and try again"), "{error}");
    for error in [
        ledger.expire(far_ms).expect_err("nothing expires"),
        ledger.apply_all(&[&[lease(2, 1, 0)]], u64::MAX).expect_err("no batch is applied"),
    ] {
        assert!(matches!(error, ApplyError::ClockAhead { .. }), "{error}");
    }
    // Set right, all is as it was: the lease is open and can be paid.
    let post = Transfer::post(id(3), &pending, micro(60));
    let applied = ledger.apply(&[post], NOW_MS + DAY_MS + 5).expect("in time");
    assert_eq!(applied.time_ms, NOW_MS + DAY_MS + 5);
}

#[test]
fn a_farm_that_paused_goes_on_but_not_after_more_years_than_a_pause_has() {
    for days in [1, 40, 400, 3600] {
        let dir = of_2027();
        let mut ledger = without_index(&dir);
        let now_ms = NOW_MS + days * DAY_MS;
        assert_eq!(ledger.apply(&[lease(1, 1, 0)], now_ms).expect("applies").time_ms, now_ms);
    }
    let dir = of_2027();
    let mut ledger = without_index(&dir);
    let error = refused(&mut ledger, &[lease(1, 1, 0)], NOW_MS + 4000 * DAY_MS);
    assert!(matches!(error, ApplyError::ClockAhead { .. }), "{error}");
    ledger.apply(&[lease(1, 1, 0)], NOW_MS + 40 * DAY_MS).expect("set right");
}

#[test]
fn a_farm_that_wakes_in_1970_works_and_is_set_right_weeks_later() {
    let dir = of_2027();
    let mut ledger = without_index(&dir);
    let applied = ledger.apply(&[lease(1, 10, 50)], 7).expect("a clock without a battery");
    assert!((NOW_MS..NOW_MS + 1000).contains(&applied.time_ms), "{}", applied.time_ms);
    let now_ms = NOW_MS + 20 * DAY_MS;
    assert_eq!(ledger.apply(&[lease(2, 10, 50)], now_ms).expect("set right").time_ms, now_ms);
}

#[test]
fn a_journal_from_the_future_does_not_stop_the_timeouts() {
    // The machine woke five years ahead, which nothing there could tell from a pause.
    let dir = of_2027();
    let mut ledger = without_index(&dir);
    let ahead_ms = NOW_MS + 1800 * DAY_MS;
    ledger.apply(&[lease(1, 10, 0)], ahead_ms).expect("believed");
    drop(ledger);
    let mut ledger = without_index(&dir);
    let pending = lease(2, 10, 20);
    let applied = ledger.apply(from_ref(&pending), NOW_MS + DAY_MS).expect("set right");
    assert!((ahead_ms..ahead_ms + 1000).contains(&applied.time_ms), "{}", applied.time_ms);
    // Time goes on half as fast, so forty milliseconds are enough for twenty.
    std::thread::sleep(std::time::Duration::from_millis(60));
    assert_eq!(ledger.expire(NOW_MS + DAY_MS).expect("expires"), [pending]);
    assert!(ledger.check().verified);
}

#[test]
fn nonsense_is_refused_by_name() {
    let (_dir, mut ledger) = funded();
    let pay = Transfer::posted(id(1), (wallet(1), wallet(2)), micro(1), Code::Escrow);
    let huge = Tokens::from_micro(u128::MAX);
    let half = Tokens::from_micro(i128::MAX as u128 - 500);
    let wrong = [
        (Transfer { amount: Tokens::ZERO, ..pay.clone() }, "moves nothing"),
        (Transfer { credit: wallet(1), ..pay.clone() }, "to itself"),
        (Transfer { amount: huge, ..pay.clone() }, "over"),
        (Transfer { amount: huge, debit: account::issuance(), ..pay.clone() }, "over"),
        (Transfer { amount: half, debit: account::issuance(), ..pay.clone() }, "over"),
    ];
    for (transfer, words) in wrong {
        let error = refused(&mut ledger, &[transfer], 200).to_string();
        assert!(error.contains(words), "{error}");
    }
    let many = vec![pay; ledger::BATCH_TRANSFERS_MAX + 1];
    assert!(matches!(refused(&mut ledger, &many, 200), ApplyError::BatchTooLarge(8191)));
    assert!(ledger.apply(&[], 200).expect("nothing to do").outcomes.is_empty());
}

#[test]
fn a_ledger_may_live_on_any_thread() {
    fn is_send<T: Send>() {}
    is_send::<Ledger>();
    is_send::<ledger::journal::Journal>();
}
