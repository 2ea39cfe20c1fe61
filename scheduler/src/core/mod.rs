//! The scheduler's core: a state machine without clock, thread, network, disk or dice.
//!
//! Time comes in with events. Randomness is keyed BLAKE3 of the scheduler's secret and of
//! counters. What depends on who happens to be connected is decided by [`plan`], which only
//! reads, and enters as a plain fact: so the journal of durable events, played through [`step()`]
//! again, gives the same [`Book`] to the bit.

mod draw;
mod event;
mod fold;
pub mod gauge;
pub mod history;
pub mod keep;
mod kept;
pub mod plan;
mod policy;
mod race;
mod state;
mod step;
pub mod verifiers;
pub mod view;

pub use draw::Secret;
pub use event::{
    Challenged, Check, CheckKind, CheckOutcome, Durability, Effect, Event, FilmRef, Finding,
    NodeFacts, Ordered, Tried,
};
pub use fold::event_of;
pub use kept::{BaseError, bases, kept, kept_units};
pub use policy::Policy;
pub use state::{
    Able, Accepted, Appeal, Audit, Book, Committed, Conviction, Demand, Dispute, Ending, Hold,
    InLine, Index, Job, JobPhase, LeasePhase, LeasePurse, LeaseRecord, Live, Node, Pause, Quoted,
    Recheck, Stake, State, Times, Touched, UnitState, Verdicts, Want,
};
pub use step::{AppealError, dispute_fee, may_appeal, outstanding, step};
