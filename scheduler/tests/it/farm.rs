//! The shell over real sockets: orders, money, restarts, refusals.

use std::sync::Arc;

use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::JobStatus;
use protocol::{JobSpec, PROTOCOL_VERSION, RenderSettings, Reply, Request, Role, Size, Tokens};
use scheduler::Config;
use transport::CallError;

use crate::callers::{
    Caller, Farm, assert_ledger, assert_picture, client, commit, frame, honest, lazy, leases, node,
    node_hello, once_paid, order, ordered, quote, render, runtime, settings, soon_paid, spec,
    wait_for, work,
};

#[test]
fn a_frame_is_quoted_rendered_checked_and_paid() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let frame = frame();
        let (a, b, c) = (node(1, ticket).await, node(2, ticket).await, node(3, ticket).await);
        let job = ordered(&client, &spec("whole")).await;
        // The lazy one renders first, so that there is something to convict it of.
        work(&c, frame.clone(), lazy, 200, 1).await;
        let both = tokio::join!(
            work(&a, frame.clone(), honest, 1_500, 1_000),
            work(&b, frame.clone(), honest, 1_500, 1_000),
        );
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert!(both.0 + both.1 >= update.summary.units as usize);
        assert_picture(&client, &update, &frame).await;

        // Money: what was spent and returned is the price; the lazy node has nothing.
        let summary = &update.summary;
        let sum = summary.spent.checked_add(summary.refunded);
        assert_eq!(sum, Some(summary.price));
        assert!(!summary.refunded.is_zero() && !summary.spent.is_zero());
        assert_ledger(&client).await;
        for (node, barred) in [(&a, false), (&b, false), (&c, true)] {
            let view = once_paid(node).await;
            assert_eq!(view.barred, barred, "{view:?}");
            assert_eq!(view.earned.is_zero(), barred);
            let Reply::Wallet(wallet) = node.ask(Request::Wallet).await else { panic!("none") };
            assert_eq!(wallet.balance, view.earned);
        }
        let Reply::Verdicts(verdicts) = c.ask(Request::MyVerdicts { after: 0 }).await else {
            panic!("no verdicts")
        };
        let verdict = verdicts[0].1.open_from(farm.ready.key).expect("signed");
        assert!(matches!(verdict.kind, protocol::VerdictKind::Refused(_)), "{verdict:?}");
        assert_eq!(
            c.refusal(Request::Leases { max: 1, wait_ms: 0 }).await.code,
            RefusedCode::NotAllowed
        );
        for caller in [client, a, b, c] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// A crop with overscan: its tiles alone are planned and priced, and they have the local bits.
#[test]
fn a_crop_is_priced_and_rendered_alone() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let crop = Some(protocol::Crop { x: -3, y: 7, size: Size::new(22, 14) });
        let settings = RenderSettings { crop, overscan: 5, ..settings() };
        let spec = JobSpec { settings: settings.clone(), ..spec("crop") };
        let whole = RenderSettings { crop: None, overscan: 0, ..settings.clone() };
        let whole = JobSpec { settings: whole, ..spec.clone() };
        let (part, whole) = (quote(&client, &spec).await, quote(&client, &whole).await);
        assert!(part.rays.closest * 3 < whole.rays.closest, "{part:?}, {whole:?}");

        let frame = renderer::prepare(&scene::golden(), &settings, 0.0).expect("prepares");
        let frame = Arc::new(frame);
        let (a, b) = (node(1, ticket).await, node(2, ticket).await);
        let job = ordered(&client, &spec).await;
        tokio::join!(
            work(&a, frame.clone(), honest, 1_500, 1_000),
            work(&b, frame.clone(), honest, 1_500, 1_000),
        );
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert_eq!((update.tiles.len(), update.summary.units), (2, 4));
        assert_picture(&client, &update, &frame).await;
        for caller in [client, a, b] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

#[test]
fn a_stopped_scheduler_goes_on_where_it_was() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let frame = frame();
        let farm = Farm::start(dir.path(), |_| ()).await;
        let key = farm.ready.key;
        let first = client(10, &farm.ready.ticket).await;
        let job = ordered(&first, &spec("continued")).await;
        let worker = node(1, &farm.ready.ticket).await;
        // A lease is out when the scheduler stops; its film comes after the start.
        assert_eq!(work(&worker, frame.clone(), honest, 200, 3).await, 3);
        let out = leases(&worker, 1, 1_000).await.expect("leases").remove(0);
        worker.peer.close().await;
        first.peer.close().await;
        farm.stop().await;

        let farm = Farm::start(dir.path(), |_| ()).await;
        assert_eq!(farm.ready.key, key);
        let worker = node(1, &farm.ready.ticket).await;
        let film = render(&frame, &out);
        for _ in 0..2 {
            // Said twice, because the first reply may have been lost.
            let answer = worker.call(commit(&worker, &out, &film), film.to_bytes().into()).await;
            assert_eq!(answer.expect("an answer").0, Reply::Done);
        }
        let client = client(10, &farm.ready.ticket).await;
        work(&worker, frame.clone(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert_picture(&client, &update, &frame).await;
        assert_ledger(&client).await;
        worker.peer.close().await;
        client.peer.close().await;
        farm.stop().await;
    });
}

/// Keys are free: what each gets and may ask for is bounded, and who hits the bound is told.
#[test]
fn a_farm_gives_so_many_grants_and_answers_so_many_questions() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let frugal = |config: &mut Config| {
            config.welcome_grants_per_day = 1;
            config.requests_per_second = 10;
        };
        let farm = Farm::start(dir.path(), frugal).await;
        let ticket = &farm.ready.ticket;
        let (first, second) = (client(10, ticket).await, client(11, ticket).await);
        let spec = spec("grants");
        let quoted = quote(&first, &spec).await;
        let asked = |caller: &Caller| order(caller, &spec, &quoted);
        let refused = second.refusal(asked(&second)).await;
        assert_eq!(refused.code, RefusedCode::NotEnoughTokens, "{refused}");
        assert!(refused.message.contains("grants of today were given to others"), "{refused}");
        let ordered = first.ask(asked(&first)).await;
        assert!(matches!(ordered, Reply::Ordered { .. }), "{ordered:?}");

        // Ten seconds' worth is a hundred questions; polls for work are none.
        let node = node(1, ticket).await;
        for caller in [&second, &node] {
            let mut refused = None;
            for _ in 0..400 {
                let work = Request::Leases { max: 1, wait_ms: 0 };
                match caller.call(work, bytes::Bytes::new()).await {
                    Ok(_) => {}
                    Err(CallError::Refused(refused)) => {
                        assert_ne!(refused.code, RefusedCode::Busy, "{refused}");
                    }
                    Err(error) => panic!("{error}"),
                }
                if let Err(CallError::Refused(why)) =
                    caller.call(Request::Farm, bytes::Bytes::new()).await
                {
                    refused = Some(why);
                    break;
                }
            }
            let refused = refused.expect("four hundred at once are too many");
            assert_eq!(refused.code, RefusedCode::Busy);
            assert!(refused.message.contains("try again in"), "{refused}");
        }
        for caller in [first, second, node] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

#[test]
fn who_may_not_is_told_why() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let poor = |config: &mut Config| config.welcome_grant = Tokens::from_micro(5);
        let farm = Farm::start(dir.path(), poor).await;
        let ticket = &farm.ready.ticket;
        let artist = client(10, ticket).await;
        let spec = spec("refused");

        // Not enough tokens: both amounts are named, and no job exists.
        let quoted = quote(&artist, &spec).await;
        let refused = artist.refusal(order(&artist, &spec, &quoted)).await;
        assert_eq!(refused.code, RefusedCode::NotEnoughTokens);
        assert!(refused.message.contains(&quoted.price.to_string()), "{refused}");
        assert!(refused.message.contains("0.000005"), "{refused}");
        let jobs = artist.ask(Request::Jobs { offset: 0, limit: 10 }).await;
        assert_eq!(jobs, Reply::Jobs(Vec::new()));

        // Another price, another quote, another's order.
        let mut cheaper = quoted.clone();
        cheaper.price = Tokens::from_micro(1);
        let refused = artist.refusal(order(&artist, &spec, &cheaper)).await;
        assert_eq!(refused.code, RefusedCode::QuoteLapsed);
        let stranger = client(11, ticket).await;
        let theirs = order(&artist, &spec, &quoted);
        assert_eq!(stranger.refusal(theirs).await.code, RefusedCode::NotAllowed);

        let asked = |spec| Request::Quote { spec, offer: protocol::Offer::default() };
        // Settings that cannot be, scenes that are not here, cameras that are not in them.
        let mut bad = spec.clone();
        bad.settings.samples = 0;
        assert_eq!(artist.refusal(asked(bad)).await.code, RefusedCode::BadRequest);
        let mut elsewhere = spec.clone();
        elsewhere.scene = protocol::SceneId([7; 32]);
        let refused = artist.refusal(asked(elsewhere)).await;
        assert_eq!(refused.code, RefusedCode::NotFound);
        let mut blind = spec.clone();
        blind.settings.camera = protocol::CameraChoice::Named("no such camera".to_owned());
        let refused = artist.refusal(asked(blind)).await;
        assert_eq!(refused.code, RefusedCode::BadScene);
        assert!(refused.message.contains("no such camera"), "{refused}");

        // Other people's accounts and nodes' requests.
        let account = ledger::account::wallet(public_key(&artist.key)).id();
        let peek = Request::Statement { account, offset: 0, limit: 10 };
        assert_eq!(stranger.refusal(peek.clone()).await.code, RefusedCode::NotAllowed);
        assert!(matches!(artist.ask(peek).await, Reply::Statement(page) if page.total == 1));
        let work = Request::Leases { max: 1, wait_ms: 0 };
        assert_eq!(stranger.refusal(work).await.code, RefusedCode::NotFound);

        // A node of another engine.
        let old = Caller::connect(12, ticket).await;
        let Role::Node(mut hello) = node_hello("cpu") else { panic!("a node") };
        hello.engine = protocol::Engine(renderer::ENGINE.0 + 1);
        let protocol = PROTOCOL_VERSION;
        let refused = old
            .refusal(Request::Hello { protocol, role: Role::Node(hello), invitation: None })
            .await;
        assert_eq!(refused.code, RefusedCode::Version);
        for caller in [artist, stranger, old] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
