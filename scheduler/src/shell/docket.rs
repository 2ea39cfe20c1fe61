//! Challenges that verifiers have instead of the trusted renderer. Of this process only: after a
//! restart they are asked for anew.

use std::collections::BTreeMap;

use protocol::{LeaseId, NodeId, PublicKey, SceneId, limits};
use tokio::sync::oneshot;

use crate::core::Challenged;

/// Films in one verification lease: they share its frame's `prepare`.
const TOGETHER_MAX: usize = 16;
/// Leases in a row that a verifier may leave unanswered, or give back.
const MISSED_MAX: u32 = 3;
/// How long it is left alone then, milliseconds.
const MISSED_REST_MS: u64 = 600_000;

/// Which verifier has which challenges.
#[derive(Debug, Default)]
pub(super) struct Docket {
    /// Verifiers that wait for work.
    polls: BTreeMap<NodeId, oneshot::Sender<()>>,
    /// Challenges that their verifier has not fetched.
    waiting: BTreeMap<NodeId, Vec<Entrusted>>,
    /// Verification leases that are out.
    out: BTreeMap<LeaseId, Errand>,
    /// Leases in a row that each verifier has left unanswered, and when the last.
    missed: BTreeMap<NodeId, (u32, u64)>,
    /// Verification leases ever made.
    leases: u64,
}

#[derive(Debug)]
struct Entrusted {
    owner: PublicKey,
    challenged: Challenged,
    until_ms: u64,
}

/// A verification lease: challenges of films of one frame.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub(super) verifier: NodeId,
    pub(super) owner: PublicKey,
    pub(super) challenged: Vec<Challenged>,
    pub(super) until_ms: u64,
}

impl Docket {
    /// A verifier waits for work: it is told when there is some.
    pub(super) fn listen(&mut self, verifier: NodeId) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.polls.insert(verifier, tell);
        told
    }

    /// Whether a verifier waits for work, has room for more, and is known to answer.
    pub(super) fn listens(&self, verifier: NodeId) -> bool {
        let waiting = self.waiting.get(&verifier).map_or(0, Vec::len);
        let polls = self.polls.get(&verifier).is_some_and(|poll| !poll.is_closed());
        let missed = self.missed.get(&verifier).map_or(0, |(count, _)| *count);
        (polls || waiting > 0) && waiting < TOGETHER_MAX && missed < MISSED_MAX
    }

    /// Gives a verifier a challenge, to be answered by `until_ms`.
    pub(super) fn put(
        &mut self,
        (verifier, owner): (NodeId, PublicKey),
        challenged: Challenged,
        until_ms: u64,
    ) {
        let entrusted = Entrusted { owner, challenged, until_ms };
        self.waiting.entry(verifier).or_default().push(entrusted);
        if let Some(poll) = self.polls.remove(&verifier) {
            // Who has hung up meanwhile lets the time run out.
            let _gone = poll.send(());
        }
    }

    /// Begins a verification lease of what waits for a verifier, of one frame; `id` names it by its
    /// number.
    pub(super) fn begin(
        &mut self,
        verifier: NodeId,
        id: impl FnOnce(u64) -> LeaseId,
    ) -> Option<(LeaseId, Errand)> {
        let waiting = self.waiting.get_mut(&verifier)?;
        let first = waiting.first()?;
        let frame_of =
            |it: &Entrusted| (it.challenged.piece.unit.job, it.challenged.piece.unit.shot);
        let (frame, owner) = (frame_of(first), first.owner);
        let mut room = limits::VERIFICATION_PIXELS_MAX;
        let of_frame = |it: &mut Entrusted| {
            let pixels = it.challenged.challenge.pixels as usize;
            let fits = frame_of(it) == frame && it.owner == owner && pixels <= room;
            room -= if fits { pixels } else { 0 };
            fits
        };
        let taken: Vec<Entrusted> = waiting.extract_if(.., of_frame).collect();
        if waiting.is_empty() {
            self.waiting.remove(&verifier);
        }
        let until_ms = taken.iter().map(|it| it.until_ms).min()?;
        let challenged = taken.into_iter().map(|it| it.challenged).collect();
        self.leases += 1;
        let (id, errand) = (id(self.leases), Errand { verifier, owner, challenged, until_ms });
        self.out.insert(id, errand.clone());
        Some((id, errand))
    }

    /// Whether a verifier has been asked for pixels of a scene, and has not answered.
    pub(super) fn shows(&self, verifier: NodeId, scene: SceneId) -> bool {
        let errands = self.out.values().filter(|errand| errand.verifier == verifier);
        errands.flat_map(|errand| &errand.challenged).any(|it| it.piece.scene == scene)
    }

    /// Ends a verification lease of a verifier's, which has answered.
    pub(super) fn end(&mut self, id: LeaseId, verifier: NodeId) -> Option<Errand> {
        if self.out.get(&id)?.verifier != verifier {
            return None;
        }
        self.missed.remove(&verifier);
        self.out.remove(&id)
    }

    /// Ends one that was given back, which counts like no answer: else a verifier could keep each as
    /// long as it likes, or choose.
    pub(super) fn give_back(
        &mut self,
        id: LeaseId,
        verifier: NodeId,
        now_ms: u64,
    ) -> Option<Errand> {
        if self.out.get(&id)?.verifier != verifier {
            return None;
        }
        miss(&mut self.missed, verifier, now_ms);
        self.out.remove(&id)
    }

    /// Challenges whose time is over: somebody else has to look.
    pub(super) fn overdue(&mut self, now_ms: u64) -> Vec<Challenged> {
        let mut late = Vec::new();
        for (_, errand) in self.out.extract_if(.., |_, errand| errand.until_ms <= now_ms) {
            miss(&mut self.missed, errand.verifier, now_ms);
            late.extend(errand.challenged);
        }
        for (verifier, waiting) in &mut self.waiting {
            let lapsed = waiting.extract_if(.., |it| it.until_ms <= now_ms);
            let before = late.len();
            late.extend(lapsed.map(|it| it.challenged));
            if late.len() > before {
                miss(&mut self.missed, *verifier, now_ms);
            }
        }
        self.waiting.retain(|_, waiting| !waiting.is_empty());
        self.missed.retain(|_, (_, last_ms)| now_ms < *last_ms + MISSED_REST_MS);
        late
    }
}

fn miss(missed: &mut BTreeMap<NodeId, (u32, u64)>, verifier: NodeId, now_ms: u64) {
    let (count, last_ms) = missed.entry(verifier).or_default();
    (*count, *last_ms) = (*count + 1, now_ms);
}

#[cfg(test)]
mod tests {
    use protocol::{
        Batch, Challenge, Class, Digest, Engine, JobId, Piece, RayCount, Rect, RenderSettings,
        SceneId, ShotIndex, TileIndex, Unit,
    };

    use super::*;
    use crate::core::FilmRef;

    const VERIFIER: (NodeId, PublicKey) = (NodeId([1; 32]), PublicKey([2; 32]));

    fn challenged(shot: u32, tile: u32) -> Challenged {
        let batch = Batch::new(0, 1).expect("aligned");
        let unit =
            Unit { job: JobId([0; 16]), shot: ShotIndex(shot), tile: TileIndex(tile), batch };
        let film = FilmRef {
            lease: LeaseId([tile as u8; 16]),
            node: NodeId([3; 32]),
            owner: PublicKey([3; 32]),
            class: Class::Exact,
            root: Digest([0; 32]),
            rays: RayCount::default(),
            signature: [0; 64],
        };
        let piece = Piece {
            unit,
            scene: SceneId([0; 32]),
            settings: RenderSettings::default(),
            time_s: 0.0,
            rect: Rect { x0: 0, y0: 0, x1: 64, y1: 64 },
            engine: Engine(1),
        };
        let challenge = Challenge { nonce: [0; 32], round: 0, pixels: 136 };
        Challenged { piece, unit_index: tile, film, challenge }
    }

    fn id(number: u64) -> LeaseId {
        LeaseId([number as u8; 16])
    }

    #[test]
    fn a_lease_holds_challenges_of_one_frame() {
        let mut docket = Docket::default();
        assert!(!docket.listens(VERIFIER.0));
        let mut told = docket.listen(VERIFIER.0);
        assert!(docket.listens(VERIFIER.0));
        for (shot, tile) in [(0, 0), (1, 1), (0, 2)] {
            docket.put(VERIFIER, challenged(shot, tile), 100 + u64::from(tile));
        }
        assert_eq!(told.try_recv(), Ok(()));
        let (first, errand) = docket.begin(VERIFIER.0, id).expect("work");
        let tiles = |errand: &Errand| {
            errand.challenged.iter().map(|it| it.piece.unit.tile.0).collect::<Vec<_>>()
        };
        assert_eq!((tiles(&errand), errand.until_ms), (vec![0, 2], 100));
        let (_second, errand) = docket.begin(VERIFIER.0, id).expect("more work");
        assert_eq!(tiles(&errand), vec![1]);
        assert!(docket.begin(VERIFIER.0, id).is_none());
        assert!(docket.end(first, NodeId([9; 32])).is_none(), "another node's");
        assert!(docket.end(first, VERIFIER.0).is_some());
        assert!(docket.end(first, VERIFIER.0).is_none(), "answered before");
    }

    #[test]
    fn who_hangs_up_or_does_not_answer_gets_no_more() {
        let mut docket = Docket::default();
        let told = docket.listen(VERIFIER.0);
        drop(told);
        assert!(!docket.listens(VERIFIER.0));
        for round in 0..MISSED_MAX {
            let _told = docket.listen(VERIFIER.0);
            assert!(docket.listens(VERIFIER.0), "round {round}");
            docket.put(VERIFIER, challenged(0, round), 100);
            if round > 0 {
                docket.begin(VERIFIER.0, id).expect("work");
            }
            assert_eq!(docket.overdue(99), []);
            assert_eq!(docket.overdue(100), [challenged(0, round)]);
        }
        let _told = docket.listen(VERIFIER.0);
        assert!(!docket.listens(VERIFIER.0));
        assert_eq!(docket.overdue(99 + MISSED_REST_MS), []);
        assert!(!docket.listens(VERIFIER.0));
        assert_eq!(docket.overdue(100 + MISSED_REST_MS), []);
        assert!(docket.listens(VERIFIER.0), "after a while it is asked again");
    }
}
