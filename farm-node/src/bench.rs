//! Which leases have had their turn at rendering.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::{LeaseId, Unit};

/// Leases whose rendering has begun, until whoever holds them has seen what came of it: between the end
/// of a rendering and that there is a film which nobody must drop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bench(Arc<Mutex<BTreeMap<LeaseId, Turn>>>);

/// A lease's turn.
#[derive(Debug)]
struct Turn {
    unit: Unit,
    since: Instant,
    is_over: bool,
}

/// How far a lease is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its turn has not come.
    Waits,
    /// It is being rendered.
    Renders,
    /// It was rendered, or was not to be.
    IsOver,
}

/// A lease that is being rendered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rendering {
    /// The lease.
    pub lease: LeaseId,
    /// What is rendered.
    pub unit: Unit,
    /// Since its turn came, pauses and rests included.
    pub took: Duration,
}

/// The time of a turn; it is over when this is dropped, however it ends.
pub(crate) struct InTurn {
    bench: Bench,
    lease: LeaseId,
}

impl Bench {
    /// A lease's turn has come.
    pub(crate) fn begin(&self, lease: LeaseId, unit: Unit) -> InTurn {
        let turn = Turn { unit, since: Instant::now(), is_over: false };
        self.lock().insert(lease, turn);
        InTurn { bench: self.clone(), lease }
    }

    /// What came of a lease is known, or nobody wants to know.
    pub(crate) fn forget(&self, lease: LeaseId) {
        self.lock().remove(&lease);
    }

    pub(crate) fn stage(&self, lease: LeaseId) -> Stage {
        match self.lock().get(&lease) {
            None => Stage::Waits,
            Some(turn) if turn.is_over => Stage::IsOver,
            Some(_turn) => Stage::Renders,
        }
    }

    /// What is being rendered now.
    pub(crate) fn rendering(&self) -> Option<Rendering> {
        let turns = self.lock();
        let (&lease, turn) = turns.iter().find(|(_, turn)| !turn.is_over)?;
        Some(Rendering { lease, unit: turn.unit, took: turn.since.elapsed() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LeaseId, Turn>> {
        // Turns are put and taken as wholes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        if let Some(turn) = self.bench.lock().get_mut(&self.lease) {
            turn.is_over = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tests::sample;

    #[test]
    fn a_lease_is_known_from_its_turn_until_it_is_forgotten() {
        let (bench, lease) = (Bench::default(), sample());
        let (id, unit) = (lease.id, lease.piece.unit);
        assert_eq!((bench.stage(id), bench.rendering()), (Stage::Waits, None));
        let turn = bench.begin(id, unit);
        assert_eq!(bench.stage(id), Stage::Renders);
        let rendering = bench.rendering().expect("it renders");
        assert_eq!((rendering.lease, rendering.unit), (id, unit));
        drop(turn);
        assert_eq!((bench.stage(id), bench.rendering()), (Stage::IsOver, None));
        bench.forget(id);
        assert_eq!(bench.stage(id), Stage::Waits);
        // Who is let go of in his turn is gone for good.
        let turn = bench.begin(id, unit);
        bench.forget(id);
        drop(turn);
        assert_eq!(bench.stage(id), Stage::Waits);
    }
}
