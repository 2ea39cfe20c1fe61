//! Words that were altered since they were signed, or that somebody else signed, over real sockets.

use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::{
    Commitment, Digest, NodeId, Order, Priority, Reply, Request, Signable, Signed, SigningKey,
    Tokens,
};
use scheduler::core::history::Told;
use transport::CallError;

use crate::callers::{
    Caller, Farm, client, commit, frame, leases, node, order, ordered, quote, render, runtime, spec,
};

/// A word that somebody else has signed in its signer's name, that has one bit of its signature
/// flipped, and that somebody else has signed in his own.
fn forged<T: Signable>(signed: &Signed<T>, other: &SigningKey) -> [Signed<T>; 3] {
    let word = signed.open().expect("signed");
    let theirs = Signed::new(&word, other);
    let mut flipped = signed.signature();
    flipped[40] ^= 1;
    [
        Signed::from_parts(&word, signed.signer(), theirs.signature()),
        Signed::from_parts(&word, signed.signer(), flipped),
        theirs,
    ]
}

/// An order that was altered on its way, or that its artist did not sign, is no order: there is no job,
/// no token moves, and the journal knows of none.
#[test]
fn an_order_that_its_artist_did_not_sign_is_not_taken_and_leaves_no_trace() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let client = client(10, &farm.ready.ticket).await;
        let other = SigningKey::from_bytes(&[77; 32]);
        let spec = spec("altered");
        let quote = quote(&client, &spec).await;
        let before = client.ask(Request::Wallet).await;
        let Request::Order { order: signed, .. } = order(&client, &spec, &quote) else {
            panic!("an order")
        };
        // But for the signature the last two could be taken: quote, job and price are as they should be.
        let changes: [fn(&mut Order); 3] = [
            |order| order.price = Tokens::from_micro(1),
            |order| order.schedule.paused = true,
            |order| order.schedule.priority = Priority::try_from(100_u8).expect("a priority"),
        ];
        let altered = changes.map(|change| {
            let mut word = signed.open().expect("signed");
            change(&mut word);
            Signed::from_parts(&word, signed.signer(), signed.signature())
        });
        let does_not_fit = "the order is not yours: the signature does not fit";
        let mut attempts: Vec<(Signed<Order>, &str)> =
            altered.into_iter().map(|order| (order, does_not_fit)).collect();
        let [in_his_name, flipped, in_theirs] = forged(&signed, &other);
        attempts.extend([(in_his_name, does_not_fit), (flipped, does_not_fit)]);
        attempts.push((in_theirs, "the order is not yours: signed by"));
        // Somebody else would pay.
        let mut word = signed.open().expect("signed");
        word.artist = public_key(&other);
        attempts.push((Signed::new(&word, &client.key), "sign your own"));
        for (order, words) in attempts {
            let refused = client.refusal(Request::Order { spec: spec.clone(), order }).await;
            assert_eq!(refused.code, RefusedCode::NotAllowed, "{refused}");
            assert!(refused.message.contains(words), "{refused}");
        }
        let jobs = client.ask(Request::Jobs { offset: 0, limit: 10 }).await;
        assert_eq!(jobs, Reply::Jobs(Vec::new()));
        assert_eq!(client.ask(Request::Wallet).await, before);

        let reply = client.ask(Request::Order { spec: spec.clone(), order: signed }).await;
        let Reply::Ordered { job } = reply else { panic!("{reply:?}") };
        client.peer.close().await;
        farm.stop().await;
        let mut journalled = Vec::new();
        let read = scheduler::history(dir.path(), &mut |told| match told {
            Told::Deed(deed) if deed.act == "job_ordered" => journalled.push(deed.job),
            _ => {}
        });
        read.expect("the journal holds");
        assert_eq!(journalled, [Some(job)], "the artist's own order alone");
    });
}

/// Who hands in a film under another's word, or a word of another node, is told so; the lease is still
/// open, and nobody's name suffers.
#[test]
fn a_commitment_of_another_key_or_node_is_not_taken_and_the_lease_stays_open() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let (node, other) = (node(1, ticket).await, node(2, ticket).await);
        ordered(&client, &spec("forged")).await;
        let lease = leases(&node, 1, 5_000).await.expect("leases").remove(0);
        let film = render(&frame(), &lease);
        let Request::Submit { commitment: signed } = commit(&node, &lease, &film) else {
            panic!("a commitment")
        };
        let word = signed.open().expect("signed");
        let id = |caller: &Caller| NodeId(public_key(&caller.key).0);
        let (own, theirs) = (id(&node), id(&other));
        let altered = Commitment { root: Digest([7; 32]), ..word.clone() };
        let altered = Signed::from_parts(&altered, signed.signer(), signed.signature());
        let renamed = Signed::new(&Commitment { node: theirs, ..word }, &node.key);
        let [in_its_name, flipped, in_theirs] = forged(&signed, &other.key);
        let does_not_fit = "the commitment is not yours: the signature does not fit";
        let another_signed = "the commitment is not yours: signed by";
        let of_another = format!("the commitment is of {theirs}, you are {own}");
        let attempts = [
            (&node, altered, does_not_fit),
            (&node, in_its_name, does_not_fit),
            (&node, flipped, does_not_fit),
            (&node, in_theirs, another_signed),
            (&node, renamed, of_another.as_str()),
            (&other, signed.clone(), another_signed),
        ];
        for (caller, commitment, words) in attempts {
            let said = caller.call(Request::Submit { commitment }, film.to_bytes().into()).await;
            match said {
                Err(CallError::Refused(refused)) => {
                    assert_eq!(refused.code, RefusedCode::BadRequest, "{refused}");
                    assert!(refused.message.contains(words), "{refused}");
                }
                taken => panic!("taken: {taken:?}"),
            }
        }
        for caller in [&node, &other] {
            let Reply::Node(view) = caller.ask(Request::MyNode).await else { panic!("no view") };
            assert_eq!((view.reputation.refused, view.barred), (0, false), "{view:?}");
        }
        let request = Request::Submit { commitment: signed };
        let said = node.call(request, film.to_bytes().into()).await;
        assert_eq!(said.expect("an answer").0, Reply::Done);
        for caller in [client, node, other] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
