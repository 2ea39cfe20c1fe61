//! What a refusal rests on, fetched by both sides over real sockets and checked without believing
//! the farm.

use std::sync::Arc;

use film::Film;
use film::evidence::{Examined, examine};
use protocol::message::RefusedCode;
use protocol::view::JobStatus;
use protocol::{Evidence, JobId, LeaseId, PublicKey, Refusal, Reply, Request, Signed, VerdictKind};
use renderer::{Backend as _, Cancel, RenderScene};

use crate::callers::{
    Caller, Farm, backend, client, honest, lazy, node, ordered, runtime, soon_paid, spec, wait_for,
    work,
};

/// The refusals of a job: its verdicts' leases and reasons.
async fn refusals(client: &Caller, job: JobId, farm: PublicKey) -> Vec<(LeaseId, Refusal)> {
    let reply = client.ask(Request::Refusals { job, after: 0 }).await;
    let Reply::Verdicts(verdicts) = reply else { panic!("{reply:?}") };
    let numbers: Vec<u64> = verdicts.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=verdicts.len() as u64).collect::<Vec<_>>());
    let verdicts =
        verdicts.into_iter().map(|(_, verdict)| verdict.open_from(farm).expect("signed"));
    verdicts
        .map(|verdict| match verdict.kind {
            VerdictKind::Refused(refusal) => (verdict.lease, refusal),
            other => panic!("{other:?}"),
        })
        .collect()
}

async fn fetched(caller: &Caller, lease: LeaseId) -> Signed<Evidence> {
    match caller.ask(Request::Evidence { lease }).await {
        Reply::Evidence(signed) => *signed,
        other => panic!("{other:?}"),
    }
}

/// Renders the shown pixels, as anyone with the scene can, and says who was right.
fn assert_the_farm_is_right(frame: &RenderScene, examined: &Examined) {
    let Examined { evidence, got, trusted } = examined;
    let own = backend()
        .render_pixels(frame, &evidence.places, evidence.piece.unit.batch, &Cancel::default())
        .expect("renders");
    assert_eq!(trusted.as_ref().expect("rendered again"), &own);
    assert!((0..own.len()).all(|at| !got.is_same(&own, at)), "no pixel of the film is right");
}

#[test]
fn both_sides_can_see_which_pixels_were_wrong() {
    for has_passes in [false, true] {
        runtime().block_on(async {
            let dir = tempfile::tempdir().expect("a folder");
            let farm = Farm::start(dir.path(), soon_paid).await;
            let (ticket, key) = (&farm.ready.ticket, farm.ready.key);
            let mut spec = spec("evidence");
            spec.settings.passes = has_passes;
            let frame = renderer::prepare(&scene::golden(), &spec.settings, 0.0).expect("prepares");
            let frame = Arc::new(frame);
            let (client, stranger) = (client(10, ticket).await, client(11, ticket).await);
            let (good, bad) = (node(1, ticket).await, node(2, ticket).await);
            let job = ordered(&client, &spec).await;
            work(&bad, frame.clone(), lazy, 200, 1).await;
            work(&good, frame.clone(), honest, 1_500, 1_000).await;
            wait_for(&client, job, JobStatus::Done).await;

            let refused = refusals(&client, job, key).await;
            let [(lease, Refusal::Pixels { .. })] = refused[..] else { panic!("{refused:?}") };
            let signed = fetched(&client, lease).await;
            assert_eq!(fetched(&bad, lease).await, signed, "both see the same");
            let examined = examine(&signed, key).expect("holds");
            assert!(examined.evidence.challenge.is_some(), "drawn by the nonce");
            assert_the_farm_is_right(&frame, &examined);
            for other in [&stranger, &good] {
                let refusal = other.refusal(Request::Evidence { lease }).await;
                assert_eq!(refusal.code, RefusedCode::NotFound);
            }
            let refusal = stranger.refusal(Request::Refusals { job, after: 0 }).await;
            assert_eq!(refusal.code, RefusedCode::NotFound);
            for caller in [client, stranger, good, bad] {
                caller.peer.close().await;
            }
            farm.stop().await;
        });
    }
}

/// No light can be this.
fn endless(film: &mut Film) {
    film.pixels_mut()[5].beauty[1] = f32::INFINITY;
}

#[test]
fn a_film_that_no_light_can_make_is_shown_by_its_pixel() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let (ticket, key) = (&farm.ready.ticket, farm.ready.key);
        let client = client(10, ticket).await;
        let bad = node(2, ticket).await;
        let job = ordered(&client, &spec("tripped")).await;
        work(&bad, crate::callers::frame(), endless, 200, 1).await;
        let refused = refusals(&client, job, key).await;
        let [(lease, Refusal::NotFinite { x, y })] = refused[..] else { panic!("{refused:?}") };
        let examined = examine(&fetched(&bad, lease).await, key).expect("holds");
        assert_eq!(examined.evidence.places, [(x, y)]);
        assert_eq!(examined.trusted, None);
        assert!(examined.got.pixels()[0].beauty[1].is_infinite());
        for caller in [client, bad] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
