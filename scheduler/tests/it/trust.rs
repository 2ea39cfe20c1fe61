//! Who is not believed, over real sockets: classes, twins, first films, forged passes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use film::Film;
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::JobStatus;
use protocol::{Class, JobId, Lease, NodeId, Refusal, Reply, Request, VerdictKind};
use transport::CallError;

use crate::callers::{
    Caller, Farm, assert_picture, client, commit, frame, golden, honest, lazy, leases, node,
    once_paid, order, ordered, quote, render, runtime, soon_paid, spec, wait_for, work,
};

/// A twin is paid from another account: while both are out, neither node's statement tells which it
/// has.
#[test]
fn a_node_cannot_tell_a_twin_by_its_account() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let all_twins = |config: &mut scheduler::Config| {
            (config.policy.newcomer_units, config.policy.verifier_units) = (0, 0);
            config.policy.twin_floor_ppm = 1_000_000;
        };
        let farm = Farm::start(dir.path(), all_twins).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let (a, b) = (node(1, ticket).await, node(2, ticket).await);
        let job = ordered(&client, &spec("twins")).await;
        let first = leases(&a, 1, 5_000).await.expect("leases").remove(0);
        let second = leases(&b, 1, 5_000).await.expect("leases").remove(0);
        assert_eq!(first.piece.unit, second.piece.unit, "twins");
        let mut seen = Vec::new();
        for node in [&a, &b] {
            let account = ledger::account::held(NodeId(public_key(&node.key).0)).id();
            let request = Request::Statement { account, offset: 0, limit: 10 };
            let page = loop {
                let reply = node.call(request.clone(), Bytes::new()).await;
                match reply {
                    Ok((Reply::Statement(page), _)) if page.total > 0 => break page,
                    Ok(_) | Err(CallError::Refused(_)) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            };
            let [row] = &page.rows[..] else { panic!("one lease, one row: {page:?}") };
            assert_eq!(row.other, account, "nobody's name is told");
            seen.push((row.code.clone(), row.amount, row.credit));
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0].0, "set aside");
        // The artist's own account tells the artist all.
        let escrow = ledger::account::escrow(job).id();
        let request = Request::Statement { account: escrow, offset: 0, limit: 10 };
        let Reply::Statement(page) = client.ask(request).await else { panic!("no statement") };
        assert!(page.rows.iter().any(|row| row.code == "pay (set aside)"), "{page:?}");
        for caller in [client, a, b] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// Says of some pixels that what is glossy were diffuse; the beauty stays as it is.
fn relabelling(film: &mut Film) {
    let passes = film.sums_mut().passes_mut().expect("the job asks for them");
    for passes in passes.iter_mut().step_by(3) {
        std::mem::swap(&mut passes.direct.diffuse, &mut passes.direct.glossy);
        std::mem::swap(&mut passes.environment, &mut passes.emission);
    }
}

#[test]
fn light_passes_are_rendered_checked_and_a_forged_one_is_caught() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let mut spec = spec("passes");
        spec.settings.passes = true;
        let frame = renderer::prepare(&scene::golden(), &spec.settings, 0.0).expect("prepares");
        let frame = Arc::new(frame);
        let (a, b) = (node(1, ticket).await, node(2, ticket).await);
        let job = ordered(&client, &spec).await;
        work(&b, frame.clone(), relabelling, 200, 1).await;
        work(&a, frame.clone(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert_picture(&client, &update, &frame).await;
        for (node, barred) in [(&a, false), (&b, true)] {
            let view = once_paid(node).await;
            assert_eq!((view.barred, view.earned.is_zero()), (barred, barred), "{view:?}");
        }
        let Reply::Verdicts(verdicts) = b.ask(Request::MyVerdicts { after: 0 }).await else {
            panic!("no verdicts")
        };
        let verdict = verdicts[0].1.open_from(farm.ready.key).expect("signed");
        let by_pixels =
            |kind: &VerdictKind| matches!(kind, VerdictKind::Refused(Refusal::Pixels { .. }));
        assert!(by_pixels(&verdict.kind), "{verdict:?}");
        for caller in [client, a, b] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// The first film of a lease counts, be it good or bad; an order and a film that are said twice count
/// once.
#[test]
fn what_is_said_twice_counts_once_and_nothing_is_taken_back() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let frame = frame();
        let spec = spec("twice");
        let quote = quote(&client, &spec).await;
        let request = order(&client, &spec, &quote);
        let first = client.ask(request.clone()).await;
        assert_eq!(client.ask(request).await, first, "the order was replayed");
        let Reply::Jobs(jobs) = client.ask(Request::Jobs { offset: 0, limit: 10 }).await else {
            panic!("no jobs")
        };
        assert_eq!(jobs.len(), 1);
        let (good, bad) = (node(1, ticket).await, node(2, ticket).await);

        for (node, honest_first) in [(&good, true), (&bad, false)] {
            let lease = leases(node, 1, 5_000).await.expect("leases").remove(0);
            let right = render(&frame, &lease);
            let mut wrong = right.clone();
            lazy(&mut wrong);
            let (first, second) = if honest_first { (right, wrong) } else { (wrong, right) };
            let say = |film: &Film| node.call(commit(node, &lease, film), film.to_bytes().into());
            assert_eq!(say(&first).await.expect("an answer").0, Reply::Done);
            match say(&second).await {
                Err(CallError::Refused(refused)) => {
                    assert_eq!(refused.code, RefusedCode::LeaseLapsed, "{refused}");
                }
                other => panic!("a second film was taken: {other:?}"),
            }
        }
        work(&good, frame.clone(), honest, 1_500, 1_000).await;
        let Reply::Ordered { job } = first else { panic!("{first:?}") };
        let update = wait_for(&client, job, JobStatus::Done).await;
        assert_picture(&client, &update, &frame).await;
        for (node, barred) in [(&good, false), (&bad, true)] {
            let Reply::Node(view) = node.ask(Request::MyNode).await else { panic!("no view") };
            assert_eq!(view.barred, barred, "{view:?}");
        }
        let account = ledger::account::escrow(JobId([7; 16])).id();
        let unknown = client.refusal(Request::Statement { account, offset: 0, limit: 10 }).await;
        assert_eq!(unknown.code, RefusedCode::NotFound, "{unknown}");
        for caller in [client, good, bad] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// Who signs for something else than what was leased is told so, and the lease is still open.
#[test]
fn a_film_of_another_piece_is_not_taken_and_leaves_no_trace() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let node = node(1, ticket).await;
        ordered(&client, &spec("another piece")).await;
        let lease = leases(&node, 1, 5_000).await.expect("leases").remove(0);
        let film = render(&frame(), &lease);
        let changes: [fn(&mut Lease); 4] = [
            |lease| lease.piece.unit.tile.0 += 1,
            |lease| lease.piece.settings.seed += 1,
            |lease| lease.piece.time_s = 1.0,
            |lease| lease.piece.rect.x0 += 1,
        ];
        for change in changes {
            let mut other = lease.clone();
            change(&mut other);
            match node.call(commit(&node, &other, &film), film.to_bytes().into()).await {
                Err(CallError::Refused(refused)) => {
                    assert_eq!(refused.code, RefusedCode::BadRequest, "{refused}");
                    assert!(refused.message.contains("another piece"), "{refused}");
                }
                other => panic!("taken: {other:?}"),
            }
        }
        let Reply::Node(view) = node.ask(Request::MyNode).await else { panic!("no view") };
        assert_eq!((view.reputation.refused, view.barred), (0, false), "{view:?}");
        let said = node.call(commit(&node, &lease, &film), film.to_bytes().into()).await;
        assert_eq!(said.expect("an answer").0, Reply::Done);
        for caller in [client, node] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

/// What is done to a film before it is handed in.
type Forge = fn(&mut Film);

/// Equal bits are class Exact, rounding is class Tolerant, and everything else is no work.
#[test]
fn a_golden_film_decides_the_class() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_| ()).await;
        let caller = Caller::connect(1, &farm.ready.ticket).await;
        let mut seeds = Vec::new();
        let rounding: Forge = |film| {
            film.pixels_mut().iter_mut().for_each(|pixel| pixel.beauty[0] *= 1.000_001);
        };
        let forgeries: [(Forge, Option<Class>); 4] = [
            (honest, Some(Class::Exact)),
            (rounding, Some(Class::Tolerant)),
            (lazy, None),
            (|film| film.pixels_mut().iter_mut().for_each(|pixel| pixel.albedo = [0.5; 3]), None),
        ];
        for (number, (forge, class)) in forgeries.into_iter().enumerate() {
            // Another backend must qualify anew, with a fresh seed.
            let mut film = golden(&caller, &format!("card {number}")).await.expect("asked for");
            seeds.push(film.root());
            forge(&mut film);
            match (class, caller.call(Request::Qualify, film.to_bytes().into()).await) {
                (Some(class), Ok((reply, _))) => assert_eq!(reply, Reply::Qualified { class }),
                (None, Err(CallError::Refused(refused))) => {
                    assert!(refused.message.contains("golden film differs"), "{refused}");
                    let none = caller.refusal(Request::Leases { max: 1, wait_ms: 0 }).await;
                    assert_eq!(none.code, RefusedCode::NotAllowed, "{none}");
                }
                (class, reply) => panic!("{class:?}: {reply:?}"),
            }
        }
        seeds.sort();
        seeds.dedup();
        assert_eq!(seeds.len(), 4, "each golden frame has a seed of its own");
        caller.peer.close().await;
        farm.stop().await;
    });
}
