//! Receipts over real sockets: what they prove, and that nothing altered proves anything.

use film::opening::opened;
use proof::receipt::{Checked, ReceiptError, check};
use protocol::message::RefusedCode;
use protocol::view::JobStatus;
use protocol::{JobId, PublicKey, Receipt, Reply, Request, ShotIndex, Signed, SigningKey, Tokens};

use crate::callers::{
    Caller, Farm, client, frame, honest, lazy, node, ordered, render_unit, runtime, soon_paid,
    spec, wait_for, work,
};

pub async fn receipt(client: &Caller, job: JobId) -> Receipt {
    for _ in 0..200 {
        let request = Request::Receipt { job, shot: ShotIndex(0) };
        match client.call(request, bytes::Bytes::new()).await {
            Ok((Reply::Receipt, body)) => {
                return protocol::decode(&body, 16 << 20).expect("a receipt");
            }
            Err(transport::CallError::Refused(refused)) if refused.code == RefusedCode::Busy => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("never paid")
}

/// Whether a receipt with one part altered still proves anything.
fn refused(receipt: &Receipt, farm: PublicKey, alter: impl FnOnce(&mut Receipt)) -> ReceiptError {
    let mut altered = receipt.clone();
    alter(&mut altered);
    check(&altered, farm).expect_err("it was altered")
}

#[test]
fn a_receipt_proves_who_rendered_a_picture_and_where_it_was_paid() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let (ticket, key) = (&farm.ready.ticket, farm.ready.key);
        let (client, stranger) = (client(10, ticket).await, client(11, ticket).await);
        let (good, bad) = (node(1, ticket).await, node(2, ticket).await);
        let frame = frame();
        let job = ordered(&client, &spec("receipt")).await;
        work(&bad, frame.clone(), lazy, 200, 1).await;
        work(&good, frame.clone(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;

        let receipt = receipt(&client, job).await;
        let checked = check(&receipt, key).expect("holds");
        let Checked { units, complete, artist, .. } = &checked;
        assert!(complete);
        assert_eq!((checked.job, *artist), (job, protocol::sign::public_key(&client.key)));
        assert_eq!(units.len(), update.accepted.len());
        let pay =
            units.iter().fold(Tokens::ZERO, |sum, unit| sum.checked_add(unit.pay).expect("small"));
        assert!(!pay.is_zero() && pay < update.summary.spent, "{pay}: fees come beside it");

        // Single pixels of a film, opened under the root that the receipt names, are those of an
        // honest render.
        let unit = &units[0];
        let rect = receipt.jobs[0].spec.grid().rect(unit.unit.tile).expect("a tile");
        let places = [(rect.x0, rect.y0), (rect.x1 - 1, rect.y1 - 1)];
        let request = Request::Opening { unit: unit.unit, places: places.to_vec() };
        let Reply::Opening(opening) = client.ask(request.clone()).await else { panic!("none") };
        let sums = opened(unit.root, rect, false, &places, &opening).expect("leads to the root");
        let own = render_unit(&frame, rect, unit.unit.batch);
        let own = own.sums().picked([0, own.pixels().len() - 1].into_iter()).expect("corners");
        assert_eq!(sums, own);
        for request in [request, Request::Receipt { job, shot: ShotIndex(0) }] {
            assert_eq!(stranger.refusal(request).await.code, RefusedCode::NotFound);
        }
        let none = client.refusal(Request::Receipt { job, shot: ShotIndex(9) }).await;
        assert_eq!(none.code, RefusedCode::NotFound);

        assert_nothing_altered_holds(&receipt, key);
        let farm_key = transport::identity::load_or_create(&dir.path().join("key")).expect("kept");
        assert_nobody_can_name_another_piece(&receipt, &farm_key, &good.key);
        for caller in [client, stranger, good, bad] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// Not even who holds the farm's key, or the node's.
fn assert_nobody_can_name_another_piece(receipt: &Receipt, farm: &SigningKey, node: &SigningKey) {
    let refused =
        |alter: &dyn Fn(&mut Receipt)| refused(receipt, protocol::sign::public_key(farm), alter);
    let by_farm = refused(&|it| {
        let mut word = it.jobs[0].units[0].verdict.open().expect("signed");
        word.unit.tile.0 += 1;
        it.jobs[0].units[0].verdict = Signed::new(&word, farm);
    });
    assert_eq!(by_farm, ReceiptError::Differs("film"));
    let by_node = refused(&|it| {
        let unit = it.jobs[0].units[0].verdict.open().expect("signed").unit;
        let mut piece = it.jobs[0].spec.piece(unit, it.engine).expect("a unit of the shot");
        piece.settings.samples /= 2;
        let mut word = it.jobs[0].units[0].commitment.open().expect("signed");
        word.piece = piece.digest();
        it.jobs[0].units[0].commitment = Signed::new(&word, node);
    });
    assert_eq!(by_node, ReceiptError::Differs("film"));
}

fn assert_nothing_altered_holds(receipt: &Receipt, farm: PublicKey) {
    let refused = |alter: fn(&mut Receipt)| refused(receipt, farm, alter);
    let other = SigningKey::from_bytes(&[77; 32]);
    let own = check(receipt, protocol::sign::public_key(&other));
    assert!(matches!(own, Err(ReceiptError::Signature { what: "quote", .. })));
    assert!(matches!(
        refused(|it| it.jobs[0].spec.settings.samples += 16),
        ReceiptError::Differs("order")
    ));
    assert!(matches!(refused(|it| it.engine.0 += 1), ReceiptError::Differs("film")));
    assert!(matches!(refused(|it| it.shot.0 += 1), ReceiptError::Differs("shot")));
    let twice = refused(|it| {
        let unit = it.jobs[0].units[0].clone();
        it.jobs[0].units.push(unit);
    });
    assert!(matches!(twice, ReceiptError::Entry { .. }), "{twice:?}");
    let swapped = refused(|it| {
        let first = it.jobs[0].units[0].payments.clone();
        it.jobs[0].units[0].payments = std::mem::replace(&mut it.jobs[0].units[1].payments, first);
    });
    assert!(matches!(swapped, ReceiptError::Entry { .. }), "{swapped:?}");
    let unpaid = refused(|it| it.jobs[0].units[0].payments.clear());
    assert!(matches!(unpaid, ReceiptError::Sum { .. }), "{unpaid:?}");
    assert!(matches!(
        refused(|it| it.jobs[0].units[0].payments[0].entry += 1),
        ReceiptError::Payment(_)
    ));
    assert!(matches!(
        refused(|it| it.jobs[0].units[0].payments[0].bytes[3] ^= 1),
        ReceiptError::Payment(_)
    ));
    let commitment = refused(|it| {
        it.jobs[0].units[0].commitment = it.jobs[0].units[1].commitment.clone();
    });
    assert!(
        matches!(commitment, ReceiptError::Differs("film") | ReceiptError::Signature { .. }),
        "{commitment:?}"
    );
    let forged = refused(|it| {
        let word = it.jobs[0].units[0].verdict.open().expect("signed");
        it.jobs[0].units[0].verdict = Signed::new(&word, &SigningKey::from_bytes(&[77; 32]));
    });
    assert!(matches!(forged, ReceiptError::Signature { what: "verdict", .. }), "{forged:?}");
    let fewer = {
        let mut fewer = receipt.clone();
        fewer.jobs[0].units.pop();
        check(&fewer, farm).expect("what is left holds")
    };
    assert!(!fewer.complete, "a part is no whole");
}
