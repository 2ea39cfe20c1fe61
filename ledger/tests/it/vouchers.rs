//! Vouchers pay once, to whom they are for, while their time lasts.

use ledger::{Options, RedeemError, account, issue};
use protocol::{PublicKey, Signed, SigningKey, Tokens, Voucher};

use crate::{key, open, public, small};

const A: PublicKey = PublicKey([1; 32]);
const B: PublicKey = PublicKey([2; 32]);

fn voucher(recipient: Option<PublicKey>, expires_ms: Option<u64>) -> Signed<Voucher> {
    issue(&key(), Tokens::from_whole(100), recipient, expires_ms, "a test".to_owned())
        .expect("drawn")
}

#[test]
fn a_voucher_pays_once_however_often_it_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { index: false, ..small() };
    let mut ledger = open(dir.path(), &options);
    let signed = voucher(None, Some(5_000));
    let first = ledger.redeem(&signed, A, 1_000).expect("pays");
    assert!(!first.before && first.amount == Tokens::from_whole(100));
    let again = ledger.redeem(&signed, A, 2_000).expect("harmless");
    assert!(again.before && again.transfer == first.transfer);
    // Whoever was paid hears so after its time and after another opening, too.
    drop(ledger);
    let mut ledger = open(dir.path(), &options);
    assert!(ledger.redeem(&signed, A, 9_000).expect("harmless").before);
    let error = ledger.redeem(&signed, B, 9_000).expect_err("spent");
    assert!(matches!(error, RedeemError::Spent { seq: 0 }), "{error}");
    assert_eq!(ledger.balance(account::wallet(A)).available, Tokens::from_whole(100));
    assert_eq!(ledger.balance(account::wallet(B)).available, Tokens::ZERO);
    // Two vouchers are two, though all that is written on them is the same.
    ledger.redeem(&voucher(None, None), A, 9_000).expect("another");
    assert_eq!(ledger.balance(account::wallet(A)).available, Tokens::from_whole(200));
    assert!(ledger.check().verified && ledger.check().sum_is_zero);
}

#[test]
fn a_voucher_for_somebody_pays_to_nobody_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &Options { index: false, ..small() });
    let signed = voucher(Some(A), None);
    let error = ledger.redeem(&signed, B, 1).expect_err("not theirs");
    assert!(matches!(error, RedeemError::OtherRecipient { recipient: A, asked: B }), "{error}");
    ledger.redeem(&signed, A, 1).expect("theirs");
}

#[test]
fn what_is_late_forged_of_another_farm_or_of_nothing_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), &Options { index: false, ..small() });
    let error = ledger.redeem(&voucher(None, Some(5_000)), A, 5_000).expect_err("late");
    assert!(matches!(error, RedeemError::Expired { expires_ms: 5_000, .. }), "{error}");

    let other = SigningKey::from_bytes(&[9; 32]);
    let theirs = issue(&other, Tokens::from_whole(1), None, None, String::new()).expect("drawn");
    let error = ledger.redeem(&theirs, A, 1).expect_err("another farm's");
    assert!(matches!(error, RedeemError::OtherFarm { .. }), "{error}");
    // Another farm's word on this farm's money, and this farm's key on another's.
    let named = Voucher { farm: public(), ..theirs.open().expect("signed") };
    let error = ledger.redeem(&Signed::new(&named, &other), A, 1).expect_err("not our word");
    assert!(matches!(error, RedeemError::OtherFarm { .. }), "{error}");
    let error = ledger.redeem(&Signed::new(&theirs.open().expect("signed"), &key()), A, 1);
    assert!(matches!(error, Err(RedeemError::OtherFarm { .. })), "{error:?}");

    let mut bytes = protocol::encode(&voucher(None, None));
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let forged: Signed<Voucher> = protocol::decode(&bytes, 1000).expect("the same shape");
    let error = ledger.redeem(&forged, A, 1).expect_err("forged");
    assert!(matches!(error, RedeemError::Signature(_)), "{error}");

    let nothing = issue(&key(), Tokens::ZERO, None, None, String::new()).expect("drawn");
    let error = ledger.redeem(&nothing, A, 1).expect_err("of nothing");
    assert!(matches!(error, RedeemError::Apply(_)), "{error}");
    assert_eq!(ledger.books().size(), 0);
}
