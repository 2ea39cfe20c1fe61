//! `tessera ledger` on a ledger that lies beside a scheduler's key.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use ledger::{Code, Ledger, Options, Transfer, account, transfer_id};
use protocol::sign::public_key;
use protocol::{PublicKey, Tokens};
use serde_json::Value;

use crate::run::Place;

const ARTIST: PublicKey = PublicKey([2; 32]);

/// A folder with `farm/key` and `farm/ledger`, and the farm's key as text.
fn farm() -> (Place, String) {
    let place = Place::new();
    fs::create_dir(place.path("farm")).expect("a folder");
    let key = transport::identity::load_or_create(&place.path("farm/key")).expect("a key");
    let text = public_key(&key).to_string();
    grow(&place, 0, 40);
    (place, text)
}

fn open(place: &Place, farm: &str) -> Ledger {
    let farm = place.path(farm);
    let key = transport::identity::load(&farm.join("key")).expect("a key");
    let options = Options { index: false, ..Options::default() };
    Ledger::open(&farm.join("ledger"), key, &options).expect("opens")
}

fn id(number: u64) -> protocol::TransferId {
    transfer_id("command", &[&number.to_le_bytes()])
}

fn grow(place: &Place, from: u64, to: u64) {
    grow_at(place, "farm", from, to);
}

fn grow_at(place: &Place, farm: &str, from: u64, to: u64) {
    let mut ledger = open(place, farm);
    let pair = (account::issuance(), account::wallet(ARTIST));
    for number in from..to {
        let grant = Transfer::posted(id(number), pair, Tokens::from_micro(1), Code::Grant);
        ledger.apply(&[grant], 1_700_000_000_000 + number).expect("applies");
    }
}

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_transfer_is_proven_and_the_proof_is_checked_elsewhere() {
    let (place, key) = farm();
    let transfer = id(7).to_string();
    let proof = ["ledger", "prove", &transfer, "--data", "farm", "-o", "paid.proof"];
    assert_eq!(place.done(&proof), "");
    let check = ["ledger", "check-proof", "paid.proof", "--farm-key", &key];
    let said = place.done(&check);
    assert!(said.contains("entry 7: grant 0.000001, in the first 40 entries"), "{said}");
    assert!(said.contains(&transfer) && said.contains("wallet of key_0202"), "{said}");
    let json = object(&place.done(&[&check[..], &["--json"]].concat()));
    assert_eq!((&json["entry"], &json["entries"]), (&7.into(), &40.into()));
    // The entry by its number is the same, and goes to standard output as well.
    let text = place.done(&["ledger", "prove", "7", "--data", "farm"]);
    assert_eq!(text, fs::read_to_string(place.path("paid.proof")).expect("reads"));

    // Against the checkpoint that was kept, and a later one.
    let checkpoint = place.path("farm/ledger/journal/checkpoint");
    fs::copy(&checkpoint, place.path("kept.txt")).expect("copies");
    place.done(&[&check[..], &["--checkpoint", "kept.txt"]].concat());
    grow(&place, 40, 50);
    fs::copy(&checkpoint, place.path("later.txt")).expect("copies");
    let later = [&check[..], &["--checkpoint", "later.txt"]].concat();
    place.refused(1, &["at 40 entries, yours is at 50", "prove --checkpoint"], &later);
    let kept = [&proof[..], &["--checkpoint", "kept.txt"]].concat();
    place.done(&kept);
    place.done(&check);
    let fresh = ["ledger", "prove", "45", "--data", "farm", "--checkpoint", "kept.txt"];
    place.refused(1, &["entry 45", "first 40"], &fresh);

    // What does not hold.
    let other = PublicKey([3; 32]).to_string();
    let forged = ["ledger", "check-proof", "paid.proof", "--farm-key", &other];
    place.refused(1, &["the proof does not hold"], &forged);
    let text = text.replace("index 7", "index 8");
    fs::write(place.path("paid.proof"), text).expect("writes");
    place.refused(1, &["the proof does not hold", "never was in the ledger"], &check);
    fs::write(place.path("paid.proof"), "hello").expect("writes");
    place.refused(2, &["not a proof"], &check);
    place.refused(3, &["nowhere"], &["ledger", "check-proof", "nowhere", "--farm-key", &key]);
    let unknown = id(999).to_string();
    place.refused(3, &["no such entry"], &["ledger", "prove", &unknown, "--data", "farm"]);
    place.refused(2, &["tra_"], &["ledger", "prove", "tra_12", "--data", "farm"]);
    place.refused(3, &["no such entry or account"], &["ledger", "prove", "fee", "--data", "farm"]);
}

#[test]
fn a_ledger_that_goes_on_is_told_from_one_that_does_not() {
    let (place, key) = farm();
    let checkpoint = place.path("farm/ledger/journal/checkpoint");
    fs::copy(&checkpoint, place.path("kept.txt")).expect("copies");
    // Another history from here on, kept apart.
    copy_dir(&place.path("farm"), &place.path("other"));
    grow(&place, 40, 55);
    fs::copy(&checkpoint, place.path("later.txt")).expect("copies");
    place.done(&["ledger", "prove", "40..", "--data", "farm", "-o", "growth.proof"]);
    let check = ["ledger", "check-proof", "growth.proof", "--farm-key", &key];
    place.refused(2, &["checkpoint of 40 entries", "--checkpoint"], &check);
    let against = |kept| [&check[..], &["--checkpoint", kept]].concat();
    let said = place.done(&against("kept.txt"));
    assert!(said.contains("the first 55 entries go on from the 40"), "{said}");
    let json = object(&place.done(&[&against("kept.txt")[..], &["--json"]].concat()));
    assert_eq!((&json["old_entries"], &json["entries"]), (&40.into(), &55.into()));
    // Standard output holds the same, and a kept checkpoint ends it where it is.
    let text = place.done(&["ledger", "prove", "40..", "--data", "farm"]);
    assert_eq!(text, fs::read_to_string(place.path("growth.proof")).expect("reads"));
    place.refused(1, &["60", "first 55"], &["ledger", "prove", "61..", "--data", "farm"]);

    let compare = |one, other| ["ledger", "compare", one, other];
    assert!(place.done(&compare("kept.txt", "kept.txt")).contains("one history"));
    place.refused(2, &["must be shown", "prove 40.."], &compare("later.txt", "kept.txt"));
    let with_proof = [&compare("later.txt", "kept.txt")[..], &["--proof", "growth.proof"]].concat();
    let said = place.done(&with_proof);
    assert!(said.contains("one history: 40 entries and 55 entries"), "{said}");

    // Thirteen other entries, and as many.
    grow_at(&place, "other", 100, 113);
    let other = place.path("other/ledger/journal/checkpoint");
    fs::copy(&other, place.path("apart.txt")).expect("copies");
    place.refused(2, &["must be shown"], &compare("apart.txt", "later.txt"));
    place.done(&["ledger", "prove", "53..", "--data", "farm", "-o", "apart.proof"]);
    let apart = [&compare("apart.txt", "later.txt")[..], &["--proof", "apart.proof"]].concat();
    place.refused(1, &["does not show"], &apart);
    let apart = ["ledger", "check-proof", "apart.proof", "--farm-key", &key];
    let apart = [&apart[..], &["--checkpoint", "apart.txt"]].concat();
    place.refused(1, &["does not go on from the 53", "two histories"], &apart);
    grow_at(&place, "other", 113, 115);
    fs::copy(&other, place.path("apart.txt")).expect("copies");
    place.refused(1, &["forked", "first 55 entries"], &compare("apart.txt", "later.txt"));

    place.refused(3, &["no checkpoint"], &["ledger", "witnessed", "--data", "farm"]);
    let accept = ["ledger", "witnessed", "--data", "farm", "--accept", &key];
    place.refused(3, &["nothing speaks against"], &accept);
}

fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).expect("a folder");
    for file in fs::read_dir(from).expect("lists") {
        let path = file.expect("a file").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_dir(&path, &to);
        } else {
            fs::copy(&path, &to).expect("copies");
        }
    }
}

#[test]
fn a_balance_is_proven() {
    let (place, key) = farm();
    let wallet = format!("wallet:{ARTIST}");
    place.done(&["ledger", "prove", &wallet, "--data", "farm", "-o", "balance.proof"]);
    let check = ["ledger", "check-proof", "balance.proof", "--farm-key", &key];
    let said = place.done(&check);
    assert!(said.contains("after 40 entries") && said.contains("0.000040"), "{said}");
    let json = object(&place.done(&[&check[..], &["--json"]].concat()));
    assert_eq!((&json["kind"], &json["credits"]), (&"account".into(), &"0.000040".into()));
    // Without the scheduler's key nobody can sign what accounts hold now.
    fs::remove_file(place.path("farm/key")).expect("removes");
    let again = ["ledger", "prove", &wallet, "--data", "farm", "--farm-key", &key];
    place.refused(1, &["no snapshot", "key"], &again);
}

#[test]
fn a_backup_is_made_brought_up_to_date_and_restored() {
    let (place, key) = farm();
    let backup = ["ledger", "backup", "--data", "farm", "--to", "backup", "--json"];
    let json = object(&place.done(&backup));
    assert_eq!((&json["entries"], &json["new_entries"]), (&40.into(), &40.into()));
    grow(&place, 40, 45);
    let json = object(&place.done(&backup));
    assert_eq!((&json["entries"], &json["new_entries"]), (&45.into(), &5.into()));
    place.refused(
        2,
        &["ledger's own"],
        &["ledger", "backup", "--data", "farm", "--to", "farm/ledger"],
    );

    let restore = ["ledger", "restore", "backup", "--data", "new", "--farm-key", &key];
    let said = place.done(&restore);
    assert!(said.contains("verified and restored: 45 entries"), "{said}");
    place.refused(2, &["nothing was restored", "there is a ledger already"], &restore);
    let verify = ["ledger", "verify", "--data", "new", "--farm-key", &key];
    assert!(place.done(&verify).contains("45 entries"));

    // A backup behind what somebody kept is refused, and so is a ledger.
    grow(&place, 45, 50);
    fs::copy(place.path("farm/ledger/journal/checkpoint"), place.path("kept.txt")).expect("copies");
    let behind = ["ledger", "restore", "backup", "--data", "newer", "--checkpoint", "kept.txt"];
    place.refused(1, &["nothing was restored", "signed at 50"], &behind);
    assert!(!place.path("newer").exists());
    place.refused(1, &["signed at 50"], &[&verify[..], &["--checkpoint", "kept.txt"]].concat());
    place.done(&backup);
    place.done(&behind);
    place.refused(3, &["nowhere"], &["ledger", "restore", "nowhere", "--data", "newest"]);
}

#[test]
fn a_damaged_snapshot_is_named_and_does_no_harm() {
    let (place, _) = farm();
    let key = transport::identity::load(&place.path("farm/key")).expect("a key");
    let options = Options { index: false, snapshot_entries: 10, ..Options::default() };
    drop(Ledger::open(&place.path("farm/ledger"), key, &options).expect("opens"));
    let path = place.path("farm/ledger/journal/00000000000000000040.snapshot");
    let mut bytes = fs::read(&path).expect("a snapshot");
    let verify = ["ledger", "verify", "--data", "farm"];
    let said = place.run(&verify);
    assert!(said.code == Some(0) && !said.err.contains("snapshot"), "{}", said.err);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).expect("writes");
    let said = place.run(&verify);
    assert!(said.code == Some(0) && said.err.contains("it is damaged"), "{}", said.err);
    assert_eq!(open(&place, "farm").opened_at(), 0);
}

#[test]
fn an_export_speaks_three_languages() {
    let (place, _) = farm();
    let export = |format| ["ledger", "export", "--data", "farm", "--format", format];
    assert_eq!(place.done(&export("jsonl")).lines().count(), 40);
    let csv = place.done(&export("csv"));
    assert!(csv.starts_with("entry,time,") && csv.contains("2023-11-14T22:13:20.000Z"), "{csv}");
    let books = place.done(&export("beancount"));
    assert!(
        books.contains("2023-11-14 * \"grant\"") && books.contains("-0.000040 ~ 0 TES"),
        "{books}"
    );
    place.done(&[&export("csv")[..], &["-o", "ledger.csv"]].concat());
    assert_eq!(fs::read_to_string(place.path("ledger.csv")).expect("reads"), csv);
    place.refused(2, &["beancount"], &export("xls"));
}

#[test]
fn a_grant_is_a_word_that_begins_with_vou() {
    let (place, key) = farm();
    let grant = ["ledger", "grant", "--data", "farm", "--amount", "2.5", "--memo", "a workshop"];
    let word = place.done(&grant);
    let voucher: protocol::VoucherText = word.parse().expect("a voucher");
    let voucher = voucher.0.open().expect("signed");
    assert_eq!((voucher.farm.to_string(), voucher.amount.to_string()), (key, "2.500000".into()));
    assert_eq!((voucher.recipient, voucher.expires_ms), (None, None));
    let to = ARTIST.to_string();
    let json = place.done(&[&grant[..], &["--to", &to, "--days", "30", "--json"]].concat());
    let json = object(&json);
    assert_eq!((&json["to"], &json["redeemed"]), (&to.into(), &Value::Null));
    assert!(json["expires_ms"].as_u64() > Some(1_700_000_000_000), "{json}");
    place.refused(2, &["nothing"], &["ledger", "grant", "--data", "farm", "--amount", "0"]);
    place.refused(2, &["amount"], &["ledger", "grant", "--data", "farm", "--amount", "ten"]);
    place.refused(3, &["no scheduler's key"], &["ledger", "grant", "--data", "x", "--amount", "1"]);
    place.refused(2, &["not a voucher"], &["wallet", "redeem", "vou_12", "--farm", "x"]);
}

#[test]
fn a_running_farm_redeems_its_vouchers_and_is_backed_up_meanwhile() {
    let place = Place::new();
    let scheduler = ["scheduler", "--data", "farm", "--bind", "127.0.0.1:0", "--stop-on-stdin-eof"];
    let mut scheduler = place
        .command(&scheduler)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut ticket = String::new();
    let out = scheduler.stdout.take().expect("a pipe");
    BufReader::new(out).read_line(&mut ticket).expect("a ticket");
    fs::write(place.path("ticket"), ticket).expect("writes");

    let (to, farm) = (ARTIST.to_string(), ["--farm", "@ticket"]);
    let grant = ["ledger", "grant", "--data", "farm", "--amount", "7", "--to", &to, "--json"];
    let json = object(&place.done(&[&grant[..], &farm].concat()));
    assert!(json["redeemed"].as_str().is_some_and(|id| id.starts_with("tra_")), "{json}");
    // Redeemed for the artist, it is not ours, though we said it.
    let word = json["voucher"].as_str().expect("a voucher");
    let redeem = |word: &str| ["wallet", "redeem", word, "--json"].map(str::to_owned);
    let refused = redeem(word);
    let refused: Vec<&str> = refused.iter().map(String::as_str).chain(farm).collect();
    place.refused(4, &["is for key_0202"], &refused);
    let word = place.done(&["ledger", "grant", "--data", "farm", "--amount", "5"]);
    let redeem = redeem(word.trim());
    let redeem: Vec<&str> = redeem.iter().map(String::as_str).chain(farm).collect();
    for before in [false, true] {
        let json = object(&place.done(&redeem));
        assert_eq!((&json["amount"], &json["before"]), (&"5.000000".into(), &before.into()));
    }
    let backup = ["ledger", "backup", "--data", "farm", "--to", "backup"];
    assert!(place.done(&backup).starts_with("verified and backed up: "));

    drop(scheduler.stdin.take());
    assert!(scheduler.wait().expect("it stops").success());
    let wallet = format!("wallet:{ARTIST}");
    for data in ["farm", "backup"] {
        let balance = ["ledger", "balance", &wallet, "--data", data, "--json"];
        assert_eq!(object(&place.done(&balance))["balance"], "7.000000");
    }
}
