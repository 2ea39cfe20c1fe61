//! Checkpoints over real sockets: handed out, co-signed, shown with receipts.

use proof::{Consistency, receipt::check, witness};
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::JobStatus;
use protocol::{PublicKey, Reply, Request, Role};

use crate::callers::{
    Caller, Farm, client, frame, honest, node, ordered, runtime, soon_paid, spec, wait_for, work,
};
use crate::receipts::receipt;

async fn shown(caller: &Caller, since: u64) -> Consistency {
    let Reply::Checkpoint(text) = caller.ask(Request::Checkpoint { since }).await else {
        panic!("no checkpoint")
    };
    Consistency::parse(&text).expect("reads")
}

fn line(caller: &Caller, note: &str) -> String {
    witness::cosign(note, 1_700_000_000, &caller.key).expect("a note")
}

fn witnesses(note: &str) -> Vec<PublicKey> {
    let found = witness::cosignatures(note).expect("a note");
    found.iter().map(|it| it.witness).collect()
}

#[test]
fn a_checkpoint_goes_on_from_every_one_before_it() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |config| config.publish_ms = 0).await;
        let (ticket, key) = (&farm.ready.ticket, farm.ready.key);
        let first = Caller::connect(10, ticket).await;
        let mut kept = Vec::new();
        // Every newcomer gets a grant: the ledger grows.
        for number in 10..20 {
            let newcomer = Caller::connect(number, ticket).await;
            newcomer.hello(Role::Client).await;
            if number == 10 {
                first.hello(Role::Client).await;
            }
            let size = kept.last().map_or(0, |point: &proof::Checkpoint| point.size);
            let point = shown(&newcomer, size).await.check(key, kept.last()).expect("goes on");
            assert!(point.size > size, "a grant was written");
            kept.push(point);
            newcomer.peer.close().await;
        }
        for point in &kept {
            let goes_on = shown(&first, point.size).await;
            assert_eq!(goes_on.old_size, point.size);
            goes_on.check(key, Some(point)).expect("goes on");
        }
        // Whoever says that he has seen more is shown what there is, and may judge for himself.
        let last = kept.last().expect("ten");
        let more = shown(&first, last.size + 5).await;
        assert_eq!((more.old_size, more.checkpoint(key).expect("signed").size), (0, last.size));
        first.peer.close().await;
        farm.stop().await;
    });
}

#[test]
fn co_signatures_meet_under_one_checkpoint() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_config| {}).await;
        let ticket = &farm.ready.ticket;
        let (one, other) = (Caller::connect(10, ticket).await, Caller::connect(11, ticket).await);
        for caller in [&one, &other] {
            caller.hello(Role::Client).await;
        }
        let published = shown(&one, 0).await;
        let size = published.checkpoint(farm.ready.key).expect("signed").size;
        assert_eq!(witnesses(&published.note), []);
        let cosign = |line: String| Request::Cosign { size, line };
        for caller in [&one, &other] {
            assert_eq!(caller.ask(cosign(line(caller, &published.note))).await, Reply::Done);
        }
        let note = shown(&one, size).await.note;
        assert_eq!(witnesses(&note), [&one, &other].map(|caller| public_key(&caller.key)));

        // Nobody signs for others, nor anything else, nor what is not published.
        let theirs = one.refusal(cosign(line(&other, &published.note))).await;
        let elsewhere = published.note.replacen(&format!("\n{size}\n"), "\n99999\n", 1);
        let something = one.refusal(cosign(line(&one, &elsewhere))).await;
        let long = one.refusal(cosign("x".repeat(1000))).await;
        for refused in [theirs, something, long] {
            assert_eq!(refused.code, RefusedCode::BadRequest, "{refused}");
        }
        let own = line(&one, &published.note);
        let unknown = one.refusal(Request::Cosign { size: size + 1, line: own }).await;
        assert_eq!(unknown.code, RefusedCode::NotFound);
        for caller in [one, other] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

#[test]
fn a_receipt_says_who_has_witnessed_the_ledger_that_it_rests_on() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let (ticket, key) = (&farm.ready.ticket, farm.ready.key);
        let (client, good) = (client(10, ticket).await, node(1, ticket).await);
        let early = shown(&good, 0).await;
        let size = early.checkpoint(key).expect("signed").size;
        good.ask(Request::Cosign { size, line: line(&good, &early.note) }).await;
        let job = ordered(&client, &spec("witnessed")).await;
        work(&good, frame(), honest, 1_500, 1_000).await;
        wait_for(&client, job, JobStatus::Done).await;

        // What was co-signed does not cover the payments.
        let fresh = check(&receipt(&client, job).await, key).expect("holds");
        assert!(fresh.witnesses.is_empty() && fresh.checkpoint.size > size);
        // Somebody who has seen as much as the receipt shows asks for more than is published.
        let published = shown(&client, fresh.checkpoint.size).await;
        published.check(key, Some(&fresh.checkpoint)).expect("goes on");
        let size = published.checkpoint(key).expect("signed").size;
        for caller in [&client, &good] {
            let line = line(caller, &published.note);
            assert_eq!(caller.ask(Request::Cosign { size, line }).await, Reply::Done);
        }
        let receipt = receipt(&client, job).await;
        let checked = check(&receipt, key).expect("holds");
        let by: Vec<PublicKey> = checked.witnesses.iter().map(|it| it.witness).collect();
        // Nodes come last: they are driven out last.
        assert_eq!(by, [public_key(&client.key), public_key(&good.key)]);
        assert_eq!(checked.checkpoint.size, size);
        for caller in [client, good] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
