//! A farm of one's own: strangers stay out, nothing costs anything, films are checked all the same.

use proof::receipt::check;
use protocol::message::RefusedCode;
use protocol::view::JobStatus;
use protocol::{Reply, Request, Role, Tokens};
use scheduler::Config;
use transport::Ticket;

use crate::callers::{
    Caller, Farm, assert_ledger, assert_picture, client, frame, honest, lazy, node, ordered, quote,
    runtime, spec, wait_for, work,
};
use crate::receipts::receipt;

#[test]
fn a_private_farm_lets_in_who_was_invited_and_takes_no_tokens() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let private = |config: &mut Config| (config.private, config.free) = (true, true);
        let farm = Farm::start(dir.path(), private).await;
        let ticket = &farm.ready.ticket;
        let uninvited = Ticket::new(ticket.key(), ticket.addresses().to_vec());
        let wrong = uninvited.clone().inviting(protocol::Invitation([0; 16]));
        for ticket in [&uninvited, &wrong] {
            let stranger = Caller::connect(20, ticket).await;
            let hello = ticket.hello(Role::Client);
            let refused = stranger.refusal(hello).await;
            assert_eq!(refused.code, RefusedCode::NotInvited);
            assert!(refused.message.contains("private"), "{refused}");
            stranger.peer.close().await;
        }

        let client = client(10, ticket).await;
        let (one, two) = (node(1, ticket).await, node(2, ticket).await);
        let spec = spec("our own");
        let quote = quote(&client, &spec).await;
        assert!(quote.price.is_zero() && quote.price_per_gray.is_zero());
        let offer = protocol::Offer { bid: Some(Tokens::from_whole(1)), ..Default::default() };
        let refused = client.refusal(Request::Quote { spec: spec.clone(), offer }).await;
        assert!(refused.message.contains("free"), "{refused}");
        let job = ordered(&client, &spec).await;
        // One of them forges, and is found.
        let (good, bad) = tokio::join!(
            work(&one, frame(), honest, 1_500, 1_000),
            work(&two, frame(), lazy, 1_500, 1_000)
        );
        assert!(good > 0 && bad > 0);
        work(&one, frame(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert_picture(&client, &update, &frame()).await;
        assert!(update.summary.spent.is_zero() && update.summary.price.is_zero());
        let Reply::Node(forger) = two.ask(Request::MyNode).await else { panic!("no answer") };
        assert!(forger.barred && forger.reputation.refused > 0);
        assert!(check(&receipt(&client, job).await, farm.ready.key).expect("holds").complete);
        assert_ledger(&client).await;
        let old = ticket.clone();
        for caller in [client, one, two] {
            caller.peer.close().await;
        }
        farm.stop().await;

        // Another number, and the old tickets are worth nothing.
        let farm = Farm::start(dir.path(), |config| {
            private(config);
            config.invitation = 2;
        })
        .await;
        let moved = Ticket::new(old.key(), farm.ready.ticket.addresses().to_vec());
        assert_ne!(farm.ready.ticket, old);
        let Request::Hello { invitation: Some(invitation), .. } = old.hello(Role::Client) else {
            panic!("it invited")
        };
        let stale = moved.inviting(invitation);
        let late = Caller::connect(10, &stale).await;
        assert_eq!(late.refusal(stale.hello(Role::Client)).await.code, RefusedCode::NotInvited);
        late.peer.close().await;
        farm.stop().await;
    });
}
