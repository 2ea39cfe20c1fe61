//! Verifiers over the wire: who answers is paid, who answers wrongly is convicted and shown why, and
//! nothing waits for who does not answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::view::{EarningsBy, JobStatus, NodeView};
use protocol::{
    Digest, Findings, JobId, NodeId, Reply, Request, Signed, Spots, VerdictKind, VerificationLease,
};
use renderer::{Backend as _, Cancel, RenderScene};
use scheduler::Config;
use transport::CallError;

use crate::callers::{
    Caller, Farm, assert_ledger, assert_picture, backend, client, frame, honest, node, ordered,
    runtime, spec, wait_for, work,
};

/// Every challenge is for a verifier where there is one; half of the findings are looked at again.
fn entrusting(config: &mut Config) {
    config.policy.verifier_line = 0;
    config.policy.verifier_units = 1;
    config.policy.newcomer_units = 1;
    config.policy.audit_ppm = 500_000;
    config.policy.verifier_wait_ms = 60_000;
}

async fn verification_lease(node: &Caller, wait_ms: u32) -> Option<VerificationLease> {
    match node.call(Request::VerificationLease { wait_ms }, Bytes::new()).await {
        Ok((Reply::VerificationLease(lease), _)) => {
            lease.map(|signed| signed.open().expect("signed"))
        }
        Ok((other, _)) => panic!("{other:?}"),
        Err(CallError::Refused(refused)) => {
            assert_eq!(refused.code, RefusedCode::NotAllowed, "{refused}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The digest of one entry, honestly rendered.
fn digest(frame: &RenderScene, lease: &VerificationLease, entry: usize) -> Digest {
    let Spots { batch, places } = &lease.spots[entry];
    let sums = backend().render_pixels(frame, places, *batch, &Cancel::default());
    Findings::digest(lease.id, entry, &sums.expect("renders").to_bytes())
}

fn findings(node: &Caller, lease: &VerificationLease, digests: Vec<Digest>) -> Request {
    let id = NodeId(public_key(&node.key).0);
    let findings = Findings { lease: lease.id, node: id, digests };
    Request::Findings { findings: Signed::new(&findings, &node.key) }
}

/// Answers verification leases until none comes for a while; how many films were looked at.
async fn verify(
    node: &Caller,
    frame: Arc<RenderScene>,
    answer: fn(&RenderScene, &VerificationLease, usize) -> Digest,
) -> usize {
    let mut films = 0;
    while let Some(lease) = verification_lease(node, 1_500).await {
        lease.check_spots().expect("a lease that can be worked on");
        films += lease.spots.len();
        let (frame, asked) = (frame.clone(), lease.clone());
        let digests = tokio::task::spawn_blocking(move || {
            (0..asked.spots.len()).map(|entry| answer(&frame, &asked, entry)).collect()
        });
        let request = findings(node, &lease, digests.await.expect("renders"));
        assert_eq!(node.ask(request).await, Reply::Done);
    }
    films
}

async fn view(node: &Caller) -> NodeView {
    let Reply::Node(view) = node.ask(Request::MyNode).await else { panic!("no view") };
    view
}

/// A farm with a job under way and two nodes that have worked for it: `a` has five films behind it, which
/// makes it a verifier of what `b` renders.
struct Stage {
    farm: Farm,
    client: Caller,
    a: Caller,
    b: Caller,
    job: JobId,
    frame: Arc<RenderScene>,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn set(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), change).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let (a, b) = (node(1, ticket).await, node(2, ticket).await);
        let job = ordered(&client, &spec("verified")).await;
        let stage = Self { client, a, b, job, frame: frame(), farm, _dir: dir };
        // At once, or twins would wait for each other.
        let (first, second) =
            tokio::join!(stage.work(&stage.a, 600, 6), stage.work(&stage.b, 600, 1));
        assert!(first >= 5 && second == 1, "{first} and {second} films");
        stage
    }

    async fn work(&self, node: &Caller, idle_ms: u32, units: usize) -> usize {
        work(node, self.frame.clone(), honest, idle_ms, units).await
    }

    /// Both nodes do what is left; the picture is right, and the ledger.
    async fn finish(&self) {
        tokio::join!(self.work(&self.a, 1_500, 100), self.work(&self.b, 1_500, 100));
        let update = wait_for(&self.client, self.job, JobStatus::Done).await;
        assert_picture(&self.client, &update, &self.frame).await;
        assert_ledger(&self.client).await;
    }

    async fn strike(self) {
        for caller in [self.client, self.a, self.b] {
            caller.peer.close().await;
        }
        self.farm.stop().await;
    }
}

#[test]
fn an_honest_verifier_is_paid_and_the_picture_is_right() {
    runtime().block_on(async {
        let stage = Stage::set(entrusting).await;
        let Stage { a, b, frame, .. } = &stage;
        let (films, _rest) =
            tokio::join!(verify(a, frame.clone(), digest), stage.work(b, 1_000, 100));
        assert!(films > 0, "no film was looked at");
        stage.finish().await;
        let view = view(a).await;
        assert_eq!((view.verified, view.barred), (films as u64, false), "{view:?}");
        // Its own pay is still held: what it has earned is its wages.
        assert!(!view.earned.is_zero() && !view.held.is_zero(), "{view:?}");
        assert_earnings(a, &view).await;
        stage.strike().await;
    });
}

/// What a node hears of its earnings fits what it has, however they are added up.
async fn assert_earnings(node: &Caller, view: &NodeView) {
    for by in [EarningsBy::Day, EarningsBy::Job, EarningsBy::Node] {
        let asked = node.ask(Request::Earnings { by, from_ms: 0 }).await;
        let Reply::Earnings(earnings) = asked else { panic!("no earnings") };
        let [row] = earnings.rows[..] else { panic!("one of each: {earnings:?}") };
        assert!(row.checks >= view.verified && row.checking >= view.earned, "{row:?}");
        // A film whose reservation fell short is paid in two parts.
        assert!(row.payments + row.checks >= view.reputation.accepted + view.verified, "{row:?}");
        let held = earnings.held.iter().map(|row| row.amount.micro()).sum::<u128>();
        assert_eq!((held, earnings.complete), (view.held.micro(), true));
        let paid = row.pay.micro() + row.checking.micro();
        assert_eq!(paid, view.held.micro() + view.earned.micro(), "what was paid is held or free");
    }
    let later = Request::Earnings { by: EarningsBy::Day, from_ms: u64::MAX };
    let Reply::Earnings(none) = node.ask(later).await else { panic!("no earnings") };
    assert!(none.rows.is_empty() && none.complete, "{none:?}");
}

#[test]
fn a_lazy_verifier_is_convicted_and_shown_why() {
    runtime().block_on(async {
        let stage = Stage::set(entrusting).await;
        let Stage { a, b, frame, .. } = &stage;
        let (films, _rest) = tokio::join!(
            verify(a, frame.clone(), |_, _, _| Digest([7; 32])),
            stage.work(b, 3_000, 100)
        );
        assert!(films > 0, "no film was looked at");
        stage.finish().await;
        let (lazy, honest) = (view(a).await, view(b).await);
        assert!(lazy.barred && lazy.held.is_zero() && lazy.verified == 0, "{lazy:?}");
        assert!(!honest.barred && honest.reputation.refused == 0, "{honest:?}");

        let Reply::Verdicts(verdicts) = a.ask(Request::MyVerdicts { after: 0 }).await else {
            panic!("no verdicts")
        };
        let mut verdicts = verdicts.iter().map(|(_, signed)| signed.open().expect("signed"));
        let wrong = verdicts
            .find(|it| it.kind == VerdictKind::WrongFinding { agreed: false })
            .expect("told that it was wrong");
        let asked = Request::Evidence { lease: wrong.lease };
        let Reply::Testimony(testimony) = a.ask(asked.clone()).await else { panic!("none") };
        let opened = testimony.open(stage.farm.ready.key);
        let (lease, said) = opened.expect("the farm's word and its own");
        assert_eq!((lease.id, said), (wrong.lease, Digest([7; 32])));
        assert_ne!(said, digest(frame, &lease, testimony.entry as usize));
        assert_eq!(b.refusal(asked).await.code, RefusedCode::NotFound, "it is nobody else's");
        stage.strike().await;
    });
}

#[test]
fn nothing_waits_for_a_verifier_that_does_not_answer_or_not_well() {
    runtime().block_on(async {
        let soon = |config: &mut Config| {
            entrusting(config);
            config.policy.verifier_wait_ms = 800;
        };
        let stage = Stage::set(soon).await;
        let Stage { a, b, .. } = &stage;
        let asking = async {
            let lease = verification_lease(a, 5_000).await.expect("a lease");
            // Too many digests: the trusted renderer looks at once, and there is no second answer.
            let many = vec![Digest([1; 32]); lease.spots.len() + 1];
            let refused = a.refusal(findings(a, &lease, many)).await;
            assert_eq!(refused.code, RefusedCode::BadRequest, "{refused}");
            let refused = a.refusal(findings(a, &lease, vec![Digest([1; 32])])).await;
            assert_eq!(refused.code, RefusedCode::LeaseLapsed, "{refused}");
            if let Some(lease) = verification_lease(a, 1_000).await {
                let theirs = b.refusal(findings(b, &lease, Vec::new())).await;
                assert_eq!(theirs.code, RefusedCode::LeaseLapsed);
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                let late = a.refusal(findings(a, &lease, vec![Digest([1; 32])])).await;
                assert_eq!(late.code, RefusedCode::LeaseLapsed, "{late}");
            }
        };
        tokio::join!(asking, stage.work(b, 3_000, 100));
        stage.finish().await;
        let view = view(a).await;
        assert_eq!((view.verified, view.barred), (0, false), "{view:?}");
        stage.strike().await;
    });
}
