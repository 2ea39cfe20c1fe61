//! What refusals rest on: for the node that was refused and the artist whose tile it was.

use protocol::message::{Refused, RefusedCode};
use protocol::{
    Digest, JobId, LeaseId, PublicKey, Reply, Signed, Verdict, VerdictKind, limits, wire,
};

use super::{Door, artist, blocking, internal, refused};
use crate::core::{State, view};

/// What is shown to be wrong.
enum EvidenceOf {
    Film,
    Finding,
}

/// Verdicts in one reply.
const REFUSALS_PER_REPLY_MAX: usize = 500;

impl Door {
    /// The evidence against a film, to both sides.
    pub(super) async fn evidence(
        &self,
        caller: PublicKey,
        lease: LeaseId,
    ) -> Result<Reply, Refused> {
        let (hash, of) =
            self.desk.ask(move |desk| evidence_of(desk.state(), caller, lease)).await??;
        let store = self.evidence.clone();
        let bytes = blocking(move || store.read(hash)).await?;
        let bytes = bytes.map_err(|error| internal("the evidence was not read", error))?;
        let old = |error| internal("the evidence is of another version", error);
        let bytes_max = limits::MESSAGE_BYTES_MAX;
        Ok(match of {
            EvidenceOf::Film => Reply::Evidence(wire::decode(&bytes, bytes_max).map_err(old)?),
            EvidenceOf::Finding => Reply::Testimony(wire::decode(&bytes, bytes_max).map_err(old)?),
        })
    }

    /// Films of a job that were refused.
    pub(super) async fn refusals(
        &self,
        caller: PublicKey,
        job: JobId,
        after: u64,
    ) -> Result<Reply, Refused> {
        let verdicts: Vec<(u64, Verdict)> = self
            .desk
            .ask(move |desk| {
                artist::own_job(desk.state(), caller, job)?;
                let refusals = view::refusals(&desk.state().book, job);
                let fresh = (1..).zip(refusals).skip(usize::try_from(after).unwrap_or(usize::MAX));
                let fresh = fresh.take(REFUSALS_PER_REPLY_MAX);
                Ok::<_, Refused>(fresh.map(|(number, verdict)| (number, verdict.clone())).collect())
            })
            .await??;
        let sign = |(number, verdict)| (number, Signed::new(&verdict, &self.key));
        Ok(Reply::Verdicts(verdicts.into_iter().map(sign).collect()))
    }
}

/// The evidence against a film of the caller's, or of one of the caller's jobs; what is somebody
/// else's is answered like what is not there.
fn evidence_of(
    state: &State,
    caller: PublicKey,
    lease: LeaseId,
) -> Result<(Digest, EvidenceOf), Refused> {
    let verdict = view::refusal(&state.book, caller, lease).ok_or_else(|| {
        let message = format!("no film of yours, or of a job of yours, was refused: {lease}");
        refused(RefusedCode::NotFound, message)
    })?;
    let (of, why) = match &verdict.kind {
        VerdictKind::Refused(refusal) => (EvidenceOf::Film, refusal.to_string()),
        _wrong_finding => (EvidenceOf::Finding, String::new()),
    };
    let hash = verdict.evidence.ok_or_else(|| {
        let message = format!("no pixel shows why this film was refused: {why}");
        refused(RefusedCode::NotFound, message)
    })?;
    Ok((hash, of))
}
