//! What nodes, owners, artists, the bank and the trusted renderer do.

use super::*;

impl World {
    /// One thing happens.
    pub fn turn(&mut self) {
        match self.dice.below(100) {
            0..30 => self.node_asks(),
            30..55 => self.node_answers(),
            55..75 => self.bank_works(),
            75..92 => self.verifier_works(),
            92..96 => {
                self.now_ms += self.dice.below(4_000);
                for event in plan::due(&self.state, self.now_ms) {
                    self.apply(event);
                }
                self.sync();
            }
            _ => self.connection_changes(),
        }
        if self.reequips && self.dice.percent(2) {
            self.node_changes();
        }
        if self.owners_act && self.dice.percent(10) {
            self.owner_acts();
        }
        self.watch();
    }

    fn pick(&mut self) -> usize {
        self.dice.below(self.nodes.len() as u64) as usize
    }

    fn node_asks(&mut self) {
        let index = self.pick();
        let node = self.nodes[index].id;
        if !self.state.live.connected.contains_key(&node) {
            return;
        }
        if let Some(event) = plan::next_grant(&self.state, node, self.now_ms) {
            let Event::Granted { lease, job, unit_index, .. } = event.clone() else {
                panic!("a plan is a grant")
            };
            self.assert_not_both_twins(node, job, unit_index);
            self.note_chosen(node, job);
            self.apply(event);
            self.nodes[index].leases.push(lease);
        }
    }

    /// Nodes get what is for them only.
    fn note_chosen(&mut self, node: NodeId, job: JobId) {
        let (node, job) = (&self.state.book.nodes[&node], &self.state.book.jobs[&job]);
        let (needs, facts) = (&job.spec.needs, &node.facts);
        assert!(needs.allow(facts.owner, &facts.equipment), "{needs}: {facts:?}");
        let memory = job.quote.memory;
        assert!(memory.fits(&facts.equipment), "{memory}: {facts:?}");
        self.chosen += u32::from(!needs.is_nothing());
    }

    /// A node comes back with the equipment of another, or without any.
    fn node_changes(&mut self) {
        let (index, other) = (self.pick(), self.pick());
        let other = self.state.book.nodes[&self.nodes[other].id].facts.equipment.clone();
        let equipment = if self.dice.percent(30) { Equipment::default() } else { other };
        self.equip(index, equipment);
    }

    /// Nodes of one owner never hold both films of a unit.
    fn assert_not_both_twins(&self, node: NodeId, job: JobId, unit_index: u32) {
        let book = &self.state.book;
        let owner = book.nodes[&node].facts.owner;
        for lease in &book.jobs[&job].units[unit_index as usize].leases {
            assert_ne!(book.nodes[&book.leases[lease].node].facts.owner, owner);
        }
    }

    fn node_answers(&mut self) {
        let index = self.pick();
        let Some(lease) = self.nodes[index].leases.pop() else { return };
        let Node { id, character, .. } = self.nodes[index];
        if self.dice.percent(character.sleeps_percent) {
            return;
        }
        // As the shell: an unknown lease, or somebody else's, is refused.
        let Some(record) = self.state.book.leases.get(&lease).filter(|l| l.node == id) else {
            return;
        };
        if record.committed().is_some() {
            return;
        }
        let unit = self.state.book.jobs[&record.job].units[record.unit_index as usize].unit;
        if character.forges_percent > 0 && self.dice.percent(3) {
            let root = Digest([0; 32]);
            let (refusal, evidence, now_ms) = (Refusal::Shape, None, self.now_ms);
            self.apply(Event::Tripped { lease, root, refusal, evidence, now_ms });
            self.settled.insert(lease);
            return;
        }
        let forged = self.state.book.nodes[&id].accepted >= character.good_units
            && self.dice.percent(character.forges_percent);
        let root = if forged {
            Digest::of("forged", &[&protocol::encode(&unit), &id.0])
        } else {
            truth(&unit, character.class)
        };
        let rays = rays(&unit);
        let commitment = self.signed(index, lease, &unit, root);
        self.apply(Event::Committed { lease, root, rays, commitment, now_ms: self.now_ms });
        self.acknowledged.insert(lease, unit.job);
    }

    pub fn bank_works(&mut self) {
        let Some((seq, transfers)) = self.moves.pop_front() else { return };
        match self.bank.apply(&transfers) {
            Ok(()) => self.apply(Event::Moved { seq, now_ms: self.now_ms }),
            Err(refusal) => {
                let unfunded = match transfers[0].credit {
                    Account::Escrow(job) => Event::Unfunded { job },
                    Account::Stake(_) => Event::StakeUnfunded { seq },
                    Account::Reserve => Event::DisputeUnfunded { seq },
                    _other => panic!("{} has not enough for {transfers:?}", refusal.account),
                };
                self.apply(unfunded);
            }
        }
    }

    fn outcome(&mut self, unit: &Unit, film: &FilmRef, missed_percent: u64) -> CheckOutcome {
        let good = film.root == truth(unit, film.class);
        if good || self.dice.percent(missed_percent) {
            self.confirmed.insert((*unit, film.root));
            return CheckOutcome::Passed { pixels: 136 };
        }
        let refusal = Refusal::Pixels { differing: 7, checked: 136, x: 0, y: 0 };
        CheckOutcome::Refused { refusal, evidence: Some(Digest([9; 32])) }
    }

    /// Somebody appeals, puts tokens at risk or asks for them back.
    fn owner_acts(&mut self) {
        let index = self.pick();
        let node = &self.state.book.nodes[&self.nodes[index].id];
        let (id, owner) = (node.id, node.facts.owner);
        let book = &self.state.book;
        match self.dice.below(4) {
            3 => self.artist_doubts(),
            0 => {
                let convictions = book.convictions.iter();
                let own = convictions.filter(|(_, it)| it.node == id).map(|(lease, _)| *lease);
                let appealed: Vec<LeaseId> =
                    own.filter(|lease| may_appeal(book, owner, *lease).is_ok()).collect();
                for lease in appealed {
                    self.apply(Event::Appealed { lease });
                }
            }
            1 => {
                self.stakes_made += 1;
                let mut id = [0; 16];
                id[..4].copy_from_slice(&self.stakes_made.to_le_bytes());
                let amount = Tokens::from_whole(1);
                self.apply(Event::Staked { owner, amount, id });
            }
            _ => {
                let (amount, now_ms) = (Tokens::from_micro(700_000), self.now_ms);
                self.apply(Event::Unstaked { owner, amount, now_ms });
            }
        }
    }

    /// An artist has an accepted tile rendered once more.
    fn artist_doubts(&mut self) {
        let jobs: Vec<JobId> = self.state.book.jobs.keys().copied().collect();
        let job = jobs[self.dice.below(jobs.len() as u64) as usize];
        let units = self.state.book.jobs[&job].units.len() as u64;
        let unit_index = self.dice.below(units) as u32;
        let unit = &self.state.book.jobs[&job].units[unit_index as usize];
        if unit.accepted.as_ref().is_some_and(|accepted| !accepted.disputed) {
            self.disputes += 1;
            self.apply(Event::Disputed { job, unit_index });
        }
    }

    pub fn verifier_works(&mut self) {
        if self.verifiers_answer() || self.checks.is_empty() {
            return;
        }
        let index = self.dice.below(self.checks.len() as u64) as usize;
        let check = self.checks.swap_remove(index);
        let now_ms = self.now_ms;
        let unjudged = match &check.kind {
            CheckKind::Challenge { film, .. } => Some(film),
            CheckKind::Trial { films } => films.last(),
            _ => None,
        };
        if self.loses_percent > 0
            && let Some(lease) = unjudged.map(|film| film.lease)
            && self.dice.percent(self.loses_percent)
        {
            self.lost += 1;
            // Its node was told that it is here, and will hear no more of it.
            self.settled.insert(lease);
            self.apply(Event::FilmLost { lease, now_ms });
            return;
        }
        if unjudged.is_some()
            && self.unrenderable_percent > 0
            && self.dice.percent(self.unrenderable_percent)
        {
            self.give_up(&check);
            return;
        }
        match check.kind {
            CheckKind::Challenge { film, challenge } => {
                let round = challenge.round;
                let entrusted = self.dice.percent(self.entrusts_percent);
                let (piece, unit_index) = (check.piece, check.unit_index);
                let challenged = Challenged { piece, unit_index, film, challenge };
                let verifier = verifiers::choose(&self.state, &challenged, |_| entrusted);
                if let Some(verifier) = verifier {
                    self.note_chosen(verifier.0, challenged.piece.unit.job);
                    self.entrusted.push((challenged, verifier));
                    return;
                }
                let shows = shows_forgery(&film, round);
                let missed_percent = if shows { 0 } else { 100 };
                let mut outcome = self.outcome(&challenged.piece.unit, &film, missed_percent);
                if self.faults_percent > 0 && self.dice.percent(self.faults_percent) {
                    let refusal = Refusal::Pixels { differing: 1, checked: 136, x: 9, y: 9 };
                    outcome = CheckOutcome::Refused { refusal, evidence: None };
                }
                self.apply(Event::Judged { lease: film.lease, round, outcome, now_ms });
            }
            CheckKind::Recheck { film, .. } => {
                let missed_percent = self.recheck_missed_percent;
                let is_convicts = self.state.book.rechecks.contains_key(&film.lease);
                self.doubted += u32::from(!is_convicts);
                let outcome = self.outcome(&check.piece.unit, &film, missed_percent);
                let is_bad = matches!(outcome, CheckOutcome::Refused { .. });
                let was_done = self.state.book.jobs[&check.piece.unit.job].phase == JobPhase::Done;
                self.reopened += u32::from(is_bad);
                self.reopened_done += u32::from(is_bad && was_done);
                self.apply(Event::Rechecked { lease: film.lease, outcome, now_ms });
            }
            CheckKind::Dispute { film } => {
                let outcome = self.outcome(&check.piece.unit, &film, 0);
                self.disputes_won += u32::from(matches!(outcome, CheckOutcome::Refused { .. }));
                self.apply(Event::DisputeHeard { lease: film.lease, outcome, now_ms });
            }
            CheckKind::Appeal { conviction: lease, film, challenge } => {
                let of_pixels =
                    challenge.is_some_and(|challenge| !shows_forgery(&film, challenge.round));
                let holds = film.root == truth(&check.piece.unit, film.class) || of_pixels;
                self.apply(Event::AppealHeard { lease, holds: Some(holds) });
            }
            CheckKind::Noise { target, films } => {
                self.looks += 1;
                let unit = check.piece.unit;
                let chunks = unit.batch.chunk_count();
                let there: u32 = films.iter().map(|(batch, _)| batch.chunk_count()).sum();
                assert_eq!(there, chunks, "all of the first chunks, each once");
                // What a cheat has made up has no noise.
                let is_good = |&(batch, film): &(_, FilmRef)| {
                    let of_job = |job| truth(&Unit { job, batch, ..unit }, film.class) == film.root;
                    self.state.book.jobs.keys().any(|&job| of_job(job))
                };
                let is_enough = chunks >= quiet_after(&unit, target) || !films.iter().all(is_good);
                let (job, unit_index) = (unit.job, check.unit_index);
                self.apply(Event::Weighed { job, unit_index, chunks, is_enough, now_ms });
            }
            CheckKind::Trial { films } => {
                self.trials += 1;
                let films = films
                    .iter()
                    .map(|film| {
                        let good = film.root == truth(&check.piece.unit, film.class);
                        let differing = u32::from(!good) * 9;
                        Tried { lease: film.lease, differing, evidence: None }
                    })
                    .collect();
                let (job, unit_index) = (check.piece.unit.job, check.unit_index);
                self.apply(Event::Tried { job, unit_index, films, now_ms });
            }
        }
    }

    /// The farm cannot render what a check asks for: its films are neither good nor bad.
    fn give_up(&mut self, check: &Check) {
        let leases: Vec<LeaseId> = match &check.kind {
            CheckKind::Challenge { film, .. } => vec![film.lease],
            CheckKind::Trial { films } => films.iter().map(|film| film.lease).collect(),
            _ => Vec::new(),
        };
        let on_trial = leases.len() > 1;
        match on_trial {
            false => self.given_up.0 += 1,
            true => self.given_up.1 += 1,
        }
        self.settled.extend(&leases);
        let (job, why) = (check.piece.unit.job, "it hangs".to_owned());
        self.apply(Event::Unrenderable { job, leases, why, now_ms: self.now_ms });
        let unit = &self.state.book.jobs[&job].units[check.unit_index as usize];
        assert!(!on_trial || unit.accepted.is_none(), "one of two that differ was accepted");
    }

    /// A node hands in films that trip every wire, until it is barred.
    pub fn burn(&mut self, id: NodeId) {
        while !self.state.book.nodes[&id].barred {
            let event = plan::next_grant(&self.state, id, self.now_ms);
            let out = self.state.book.leases.values();
            let out = out.filter(|lease| lease.node == id && lease.committed().is_none());
            let held = out.map(|lease| lease.id).next();
            if let Some(event) = event.filter(|_| held.is_none()) {
                self.apply(event);
                continue;
            }
            let lease = held.expect("a lease to burn");
            let (root, refusal, now_ms) = (Digest([0; 32]), Refusal::Shape, self.now_ms);
            self.apply(Event::Tripped { lease, root, refusal, evidence: None, now_ms });
            self.settled.insert(lease);
        }
    }

    /// A verifier answers, or does not: some time later, when much may have happened.
    fn verifiers_answer(&mut self) -> bool {
        if self.entrusted.is_empty() || self.dice.percent(50) {
            return false;
        }
        let index = self.dice.below(self.entrusted.len() as u64) as usize;
        let (challenged, verifier) = self.entrusted.swap_remove(index);
        if self.dice.percent(10) {
            self.checks.push(challenged.into());
            return true;
        }
        let Challenged { piece, film, challenge, .. } = challenged;
        self.verifier_finds(&piece.unit, &film, challenge.round, verifier);
        true
    }

    fn verifier_finds(
        &mut self,
        unit: &Unit,
        film: &FilmRef,
        round: u32,
        (verifier, owner): (NodeId, PublicKey),
    ) {
        let node = self.nodes.iter().find(|node| node.id == verifier).expect("one of ours");
        let looks_good = film.root == truth(unit, film.class) || !shows_forgery(film, round);
        let agrees = match node.character.says {
            Says::Truth => looks_good,
            Says::Good => true,
            Says::Lies => looks_good != self.dice.percent(10),
        };
        self.found += 1;
        if agrees {
            self.confirmed.insert((*unit, film.root));
        }
        let mut lease = [7; 16];
        lease[..4].copy_from_slice(&self.found.to_le_bytes());
        let lease = LeaseId(lease);
        let finding = Finding { lease, verifier, owner, agrees, pixels: 136, evidence: film.root };
        self.apply(Event::Found { lease: film.lease, round, finding, now_ms: self.now_ms });
    }

    fn connection_changes(&mut self) {
        let index = self.pick();
        let node = self.nodes[index].id;
        if self.dice.percent(30) {
            self.apply(Event::Gone { node, now_ms: self.now_ms });
        } else {
            self.apply(Event::Heard { node, now_ms: self.now_ms });
            let leases = self.nodes[index].leases.clone();
            for lease in leases {
                self.apply(Event::Beat { node, lease, now_ms: self.now_ms });
            }
            if self.dice.percent(5)
                && let Some(lease) = self.nodes[index].leases.pop()
            {
                self.apply(Event::Released {
                    lease,
                    why: protocol::GivenBack::Undone,
                    now_ms: self.now_ms,
                });
            }
        }
    }
}

/// Whether a challenge draws a forged pixel of a bad film: whoever looks sees the same.
pub fn shows_forgery(film: &FilmRef, round: u32) -> bool {
    Dice::new(
        u64::from_le_bytes(film.lease.0[..8].try_into().expect("eight bytes")) + u64::from(round),
    )
    .percent(40)
}
