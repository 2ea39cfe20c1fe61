//! What must hold, whatever happens.

use super::*;

impl World {
    /// Whether every job is over, and no film of one is being checked once more.
    pub fn all_over(&self) -> bool {
        let book = &self.state.book;
        book.active.is_empty() && book.rechecks.is_empty() && book.disputes.is_empty()
    }

    /// What must hold whatever happens.
    pub fn assert_invariants(&self) {
        self.assert_indexed();
        let book = &self.state.book;
        for job in book.jobs.values() {
            let mut accepted = 0;
            for unit in &job.units {
                if let Some(in_use) = &unit.accepted {
                    accepted += 1;
                    assert!(
                        self.confirmed.contains(&(unit.unit, in_use.film.root)),
                        "accepted without a check"
                    );
                }
                // Two films and two races.
                assert!(unit.leases.len() <= 4);
            }
            assert!(job.expired || accepted == job.units_accepted);
            let given = money::plus(job.quote.price, job.cover.unwrap_or_default());
            assert!(job.available <= given && job.spent <= given);
        }
        for node in book.nodes.values().filter(|node| node.barred) {
            assert!(node.holds.is_empty(), "a convict's pay is held on");
            assert!(book.leases.values().all(|lease| lease.node != node.id));
        }
        // What a node had under way when it was convicted went to others.
        let was_barred = |node: &scheduler::core::Node| {
            let won = |verdict: &protocol::Verdict| {
                matches!(verdict.kind, VerdictKind::Overturned { .. })
            };
            node.barred || node.verdicts.iter().any(won)
        };
        for (lease, job) in &self.acknowledged {
            // Nothing is known of its units any more.
            if self.settled.contains(lease) || book.jobs[job].expired {
                continue;
            }
            let judged = book
                .nodes
                .values()
                .any(|node| was_barred(node) || node.verdicts.iter().any(|v| v.lease == *lease));
            assert!(judged || book.leases.contains_key(lease), "an acknowledged film was lost");
        }
    }

    /// What is looked up is what a search would find.
    fn assert_indexed(&self) {
        let book = &self.state.book;
        assert_eq!(self.state.index, self.state.indexed_anew());
        let mut vouched = BTreeMap::<NodeId, BTreeSet<(NodeId, u64)>>::new();
        let mut leases = BTreeMap::<NodeId, BTreeSet<LeaseId>>::new();
        for node in book.nodes.values() {
            for (&number, hold) in &node.holds {
                if let Some(verifier) = hold.vouched_by() {
                    vouched.entry(verifier).or_default().insert((node.id, number));
                }
            }
        }
        for lease in book.leases.values() {
            leases.entry(lease.node).or_default().insert(lease.id);
        }
        let is_out = |lease: &&scheduler::core::LeaseRecord| lease.phase == LeasePhase::Out;
        for node in book.nodes.values() {
            assert_eq!(node.leases, leases.remove(&node.id).unwrap_or_default());
            let out = node.leases.iter().map(|lease| &book.leases[lease]).filter(is_out);
            assert_eq!(node.out as usize, out.count());
            assert_eq!(node.vouched, vouched.remove(&node.id).unwrap_or_default());
        }
        let out = book.leases.values().filter(is_out).count();
        assert_eq!(self.state.live.deadlines.len(), out, "a lease that is out has a deadline");
        for (lease, dispute) in &book.disputes {
            let ordered = dispute.seq.map(|seq| book.disputes_ordered[&seq]);
            assert!(ordered.is_none_or(|ordered| ordered == *lease));
        }
    }

    /// What must hold once nothing is under way.
    pub fn assert_settled(&mut self) {
        self.sync();
        while !self.moves.is_empty() {
            self.bank_works();
            self.sync();
        }
        let book = &self.state.book;
        assert!(book.outbox.is_empty() && book.leases.is_empty() && book.rechecks.is_empty());
        for job in book.jobs.values() {
            assert_eq!(self.bank.posted(account::escrow(job.id)), 0, "escrow of {}", job.id);
            let given = money::plus(job.quote.price, job.cover.unwrap_or_default());
            assert_eq!(money::plus(job.spent, job.refunded), given);
        }
        assert_eq!(self.bank.available(account::treasury()), book.treasury);
        assert_eq!(self.bank.available(account::reserve()), book.reserve);
        self.assert_risk_adds_up(book);
        self.assert_pay_matches(book);
        self.assert_all_was_told();
    }

    /// On the appeal account is what was taken and may go back, and what is to render bad films
    /// anew: nothing is left there for ever. Stakes are where the book says.
    fn assert_risk_adds_up(&self, book: &Book) {
        let taken = book.convictions.values().map(|it| it.taken.micro() + it.stake.micro());
        let units = book.jobs.values().flat_map(|job| &job.units);
        let anew = units.map(|unit| unit.clawed_back.micro());
        let on_appeal = taken.chain(anew).sum::<u128>();
        assert_eq!(self.bank.posted(account::appeal()), on_appeal as i128);
        for (&owner, stake) in &book.stakes {
            let sum = stake.amount.micro() + stake.leaving.micro();
            assert_eq!(self.bank.posted(account::stake(owner)), sum as i128);
        }
    }

    /// The bank holds for each node what the book says it holds.
    fn assert_pay_matches(&self, book: &Book) {
        let mut earned = BTreeMap::<PublicKey, u128>::new();
        for node in book.nodes.values() {
            let held: u128 = node.holds.values().map(|hold| hold.amount.micro()).sum();
            assert_eq!(self.bank.posted(account::held(node.id)), held as i128);
            *earned.entry(node.facts.owner).or_default() += node.earned.micro();
        }
        for (owner, sum) in earned {
            let (wallet, stake) = (account::wallet(owner), account::stake(owner));
            let flow = |from, to| self.bank.flow(from, to) as i128;
            let other = flow(account::issuance(), wallet) + flow(stake, wallet);
            let expected = sum as i128 + other - flow(wallet, stake);
            assert_eq!(self.bank.posted(wallet), expected);
        }
    }
}
