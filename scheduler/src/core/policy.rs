//! What the operator decides. It enters the journal with every start, so that a replay judges
//! each event by the policy of its time.

use protocol::{Assurance, Class, Tokens};
use serde::{Deserialize, Serialize};

use crate::market;

/// The core's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// A lease lapses this long after its grant or its last heartbeat, milliseconds.
    pub lease_ms: u64,
    /// A lease lapses this long after its grant, heartbeats or not, milliseconds.
    pub lease_max_ms: u64,
    /// Grace for the leases of a node whose connection is gone, milliseconds.
    pub gone_ms: u64,
    /// Leases a node may hold at a time: one to render, one prefetched.
    pub leases_per_node: u32,
    /// Films of a node that may wait for their challenges, before it gets nothing new to do.
    pub unjudged_max: u32,
    /// Accepted pay is held back this long, milliseconds.
    pub hold_ms: u64,
    /// Held pay is released earlier once the node has this many newer accepted units.
    pub hold_units: u32,
    /// How many times longer pay is held of a node that has fewer accepted units than that.
    pub newcomer_hold: u32,
    /// A conviction can be appealed against this long, milliseconds; what was taken stays on the
    /// appeal account until then.
    pub appeal_ms: u64,
    /// Tokens at risk that halve what a name asks in twins beyond the floor; less halves less.
    #[serde(with = "protocol::tokens::as_text")]
    pub stake_full: Tokens,
    /// Accepted units of others' jobs that make a node a name; until then it is a newcomer, all of whose
    /// units want twins.
    pub newcomer_units: u32,
    /// Smallest share of units that get a twin, in millionths.
    pub twin_floor_ppm: u32,
    /// How long a checked film waits for its twin before more pixels are checked instead,
    /// milliseconds.
    pub twin_wait_ms: u64,
    /// Challenged pixels of a film of class Exact.
    pub pixels_exact: u32,
    /// Challenged pixels of a film of class Tolerant.
    pub pixels_tolerant: u32,
    /// How many times more pixels are challenged where a twin should have been.
    pub boost: u32,
    /// Challenges in line for the trusted renderer beyond which others' nodes get some.
    pub verifier_line: u32,
    /// Accepted units of others' jobs that make a node a veteran, who may be a verifier; one of each pair of
    /// twins is one.
    pub verifier_units: u32,
    /// How long a verifier may take, milliseconds; then the trusted renderer looks.
    pub verifier_wait_ms: u64,
    /// Share of verifiers' findings that the trusted renderer looks at again, in millionths; at 0 there
    /// are no verifiers.
    pub audit_ppm: u32,
    /// Most that the treasury adds to a job's price where that does not reach, in millionths of it.
    pub overrun_ppm: u32,
    /// The treasury's share of the farm's fee, in millionths.
    pub treasury_ppm: u32,
    /// Most that a unit pays, as a multiple of the average unit's price.
    pub pay_max_factor: u32,
    /// Soft failures of a node on one unit, after which it is offered to others only.
    pub unit_failures_per_node_max: u32,
    /// Soft failures of a node in one job without a good unit between, after which the job is
    /// offered to others only.
    pub job_failures_per_node_max: u32,
    /// Failures of one unit, after which the job is given up.
    pub unit_failures_max: u32,
    /// Tripped films of one node, after which it is barred.
    pub refusals_max: u64,
    /// Films are accepted unchecked when false: only for measuring what checking costs.
    pub check: bool,
    /// How long films of a job that is over are kept, and what is known of its units, milliseconds.
    pub keep_ms: u64,
    /// How the base price moves, and how bids order jobs.
    pub market: market::Rules,
}

impl Policy {
    /// Pixels of a challenge for an artist who has chosen this assurance: of a film of a node that
    /// has no name yet, as many as for any.
    #[must_use]
    pub const fn pixels_for(
        &self,
        (class, boosted): (Class, bool),
        assurance: Assurance,
        accepted_for_others: u64,
    ) -> u32 {
        let full = self.pixels(class, boosted);
        if accepted_for_others < self.newcomer_units as u64 { full } else { assurance.pixels(full) }
    }

    /// How long pay of a node with so many accepted units of others' jobs is held, milliseconds.
    #[must_use]
    pub fn hold_ms_after(&self, accepted_for_others: u64) -> u64 {
        if accepted_for_others < u64::from(self.hold_units) {
            self.hold_max_ms()
        } else {
            self.hold_ms
        }
    }

    /// The longest that pay is held, milliseconds.
    #[must_use]
    pub fn hold_max_ms(&self) -> u64 {
        self.hold_ms.saturating_mul(u64::from(self.newcomer_hold))
    }

    /// Pixels of a challenge that catches a forgery of 5 % of a film 999 times in 1000.
    #[must_use]
    pub const fn pixels(&self, class: Class, boosted: bool) -> u32 {
        let pixels = match class {
            Class::Exact => self.pixels_exact,
            Class::Tolerant => self.pixels_tolerant,
        };
        if boosted { pixels.saturating_mul(self.boost) } else { pixels }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            // Three missed heartbeats of a node on a poor line.
            lease_ms: 30_000,
            lease_max_ms: 3_600_000,
            gone_ms: 10_000,
            leases_per_node: 2,
            // Two minutes of a usual length: who judges may fall behind for a while, not for ever, or films
            // that nobody has looked at fill the disk.
            unjudged_max: 32,
            // A week: nobody fetches a picture later who has not by then.
            keep_ms: 7 * 24 * 3_600_000,
            // Long enough that a later conviction still finds something to take.
            hold_ms: 3_600_000,
            hold_units: 100,
            // A day, or half an hour of work: who comes for one night's theft has to stay.
            newcomer_hold: 24,
            // A night and a day: somebody who looks once a day sees it.
            appeal_ms: 36 * 3_600_000,
            stake_full: Tokens::from_whole(100),
            newcomer_units: 2,
            // What a twin sees and a challenge does not is worth less than a hundredth of the work.
            twin_floor_ppm: 2_500,
            twin_wait_ms: 60_000,
            // 1 - 0.95^136 = 99.9 %: DESIGN section 6.4.
            pixels_exact: 136,
            pixels_tolerant: 384,
            boost: 3,
            // Half a second of one core at the default sizes: what keeps up needs no help.
            verifier_line: 16,
            verifier_units: 8,
            // A verifier ends the unit it is at first.
            verifier_wait_ms: 15_000,
            // One in 16: a verifier's held pay must be 16 times what the film is worth.
            audit_ppm: 62_500,
            // A probe's bound is a sample's: what it misses is a few hundredths, seldom a tenth.
            overrun_ppm: 100_000,
            // A hundredth of all pay, at the usual fee of five.
            treasury_ppm: 200_000,
            pay_max_factor: 16,
            unit_failures_per_node_max: 3,
            job_failures_per_node_max: 3,
            unit_failures_max: 24,
            refusals_max: 3,
            check: true,
            market: market::Rules::default(),
        }
    }
}
