//! An artist who doubts a tile, over real sockets.

use ledger::account;
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::JobStatus;
use protocol::{Reply, Request, Tokens, Unit};

use crate::callers::{
    Caller, Farm, assert_ledger, client, frame, honest, node, ordered, runtime, soon_paid, spec,
    wait_for, work,
};

async fn balance(client: &Caller) -> Tokens {
    let Reply::Wallet(wallet) = client.ask(Request::Wallet).await else { panic!("no wallet") };
    wallet.balance
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
        let unit = Unit { job, shot: first.shot, tile: first.tile, batch: first.batch };
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
