//! An artist who doubts a tile, over real sockets.

use film::Film;
use ledger::account;
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::{AcceptedUnit, JobStatus};
use protocol::{Class, JobSpec, RenderSettings, Reply, Request, Tokens};
use transport::Ticket;

use crate::callers::{
    Caller, Farm, assert_ledger, client, frame, golden, honest, node, ordered, render_unit,
    runtime, settings, soon_paid, spec, wait_for, work,
};

async fn balance(client: &Caller) -> Tokens {
    let Reply::Wallet(wallet) = client.ask(Request::Wallet).await else { panic!("no wallet") };
    wallet.balance
}

/// How a device that rounds otherwise makes a film: some paths went another way. Every 55th pixel,
/// which is more than the tolerance allows, is of other random numbers.
fn gone_another_way(film: &mut Film) {
    let settings = RenderSettings { seed: 77, ..settings() };
    let frame = renderer::prepare(&scene::golden(), &settings, 0.0).expect("prepares");
    let other = render_unit(&frame, film.rect(), film.batch());
    let pixels = film.pixels_mut().iter_mut().zip(other.pixels());
    pixels.step_by(55).for_each(|(pixel, other)| *pixel = *other);
}

/// As many pixels, three times as bright as they are.
fn brightened(film: &mut Film) {
    for pixel in film.pixels_mut().iter_mut().step_by(55) {
        pixel.beauty = pixel.beauty.map(|channel| 3.0 * channel);
        pixel.luminance_squared *= 9.0;
    }
}

/// A node whose films are compared by the tolerance.
async fn tolerant(number: u8, ticket: &Ticket) -> Caller {
    let caller = Caller::connect(number, ticket).await;
    let mut film = golden(&caller, "another device").await.expect("asked for");
    film.pixels_mut().iter_mut().for_each(|pixel| pixel.beauty[0] *= 1.000_001);
    let reply = caller.call(Request::Qualify, film.to_bytes().into()).await.expect("an answer").0;
    assert_eq!(reply, Reply::Qualified { class: Class::Tolerant });
    caller
}

/// The whole tile decides in a dispute, whatever the challenge has drawn.
#[test]
fn a_film_whose_paths_went_another_way_is_honest_and_a_brightened_one_is_not() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let (good, bad) = (tolerant(1, ticket).await, tolerant(2, ticket).await);
        // One tile of 1536 pixels, in two batches: 16 may be outliers, 28 are.
        let spec = JobSpec { tile_side_px: 64, ..spec("another way") };
        let job = ordered(&client, &spec).await;
        work(&bad, frame(), brightened, 500, 1).await;
        work(&good, frame(), gone_another_way, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        for AcceptedUnit { unit, .. } in update.accepted {
            let request = Request::Dispute { unit, fee_max: Tokens::from_whole(1) };
            assert_eq!(client.ask(request).await, Reply::Done);
        }
        let view = async |node: &Caller| match node.ask(Request::MyNode).await {
            Reply::Node(view) => view,
            other => panic!("{other:?}"),
        };
        let mut tries = 0;
        while !view(&bad).await.barred {
            tries += 1;
            assert!(tries < 500, "never convicted");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        // Were it convicted, it would get no more work: the other's tile is its to do again.
        work(&good, frame(), gone_another_way, 1_500, 1_000).await;
        wait_for(&client, job, JobStatus::Done).await;
        let view = view(&good).await;
        assert_eq!((view.barred, view.reputation.refused), (false, 0), "{view:?}");
        for caller in [client, good, bad] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

#[test]
fn who_disputes_good_work_pays_for_looking_and_the_node_keeps_its_pay() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let ticket = &farm.ready.ticket;
        let (client, stranger) = (client(10, ticket).await, client(11, ticket).await);
        let good = node(1, ticket).await;
        let job = ordered(&client, &spec("disputed")).await;
        work(&good, frame(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        let first = &update.accepted[0];
        let unit = first.unit;
        let dispute = |fee_max| Request::Dispute { unit, fee_max };

        let refusal = stranger.refusal(dispute(Tokens::from_whole(1))).await;
        assert_eq!(refusal.code, RefusedCode::NotFound);
        let refusal = client.refusal(dispute(Tokens::from_micro(1))).await;
        assert_eq!(refusal.code, RefusedCode::NotEnoughTokens, "{refusal}");

        let before = balance(&client).await;
        assert_eq!(client.ask(dispute(Tokens::from_whole(1))).await, Reply::Done);
        let statement = Request::Statement {
            account: account::wallet(public_key(&client.key)).id(),
            offset: 0,
            limit: 1,
        };
        let mut tries = 0;
        let row = loop {
            let reply = client.ask(statement.clone()).await;
            let Reply::Statement(page) = reply else { panic!("{reply:?}") };
            let row = page.rows[0].clone();
            if row.code.starts_with("verification") && !row.code.contains("set aside") {
                break row;
            }
            tries += 1;
            assert!(tries < 500, "the dispute was never decided: {row:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        let paid = before.checked_sub(balance(&client).await).expect("no richer");
        assert_eq!((row.amount, row.credit), (paid, false));
        assert!(!paid.is_zero() && paid < update.summary.spent);

        // Twice about the same film costs nothing more, and the node is as it was.
        assert_eq!(client.ask(dispute(Tokens::from_whole(1))).await, Reply::Done);
        assert_eq!(before.checked_sub(paid), Some(balance(&client).await));
        let Reply::Node(view) = good.ask(Request::MyNode).await else { panic!("no view") };
        assert_eq!((view.barred, view.reputation.refused), (false, 0));
        assert_ledger(&client).await;
        for caller in [client, stranger, good] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
