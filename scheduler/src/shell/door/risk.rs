//! Who doubts a decision, and what is at risk: disputes of artists, appeals of nodes, stakes.

use ledger::account;
use protocol::message::{Refused, RefusedCode};
use protocol::{LeaseId, PublicKey, Reply, Tokens, Unit};

use super::{Door, artist, refused};
use crate::core::{AppealError, Event, dispute_fee, may_appeal};

/// Least that is put at risk at a time: each is an entry of the journal for ever.
const STAKE_MIN: Tokens = Tokens::from_whole(1);

impl Door {
    /// Has an accepted tile rendered once more as a whole.
    pub(super) async fn dispute(
        &self,
        caller: PublicKey,
        unit: Unit,
        fee_max: Tokens,
    ) -> Result<Reply, Refused> {
        let balance =
            self.till.ask(move |ledger| ledger.balance(account::wallet(caller)).available);
        let balance = balance.await?;
        let refuse = |code, message| Err(refused(code, message));
        self.desk
            .ask(move |desk| {
                artist::own_kept_job(desk.state(), caller, unit.job)?;
                let book = &desk.state().book;
                let job = &book.jobs[&unit.job];
                let index = job.index_of(&unit);
                let accepted = index.and_then(|at| job.units[at as usize].accepted.as_ref());
                let Some((unit_index, accepted)) = index.zip(accepted) else {
                    let message = "that tile is not accepted; there is nothing to dispute";
                    return refuse(RefusedCode::NotFound, message.to_owned());
                };
                if accepted.disputed {
                    return Ok(Reply::Done);
                }
                if book.disputes.contains_key(&accepted.film.lease) {
                    let message = "that tile is being rendered again already; ask once more in a while";
                    return refuse(RefusedCode::Busy, message.to_owned());
                }
                if job.does_without_scene() {
                    let message = "you have let the farm drop the job's scene, and nothing of it can be rendered again";
                    return refuse(RefusedCode::NotAllowed, message.to_owned());
                }
                if job.engine != book.engine {
                    let message = format!(
                        "the job is of {}, the farm renders as {} by now and cannot render it again",
                        job.engine, book.engine
                    );
                    return refuse(RefusedCode::NotAllowed, message);
                }
                let fee = dispute_fee(book, unit.job, unit_index);
                if fee > fee_max {
                    let message = format!(
                        "rendering that tile again costs {fee} tokens, which come back if the film is bad; allow as much"
                    );
                    return refuse(RefusedCode::NotEnoughTokens, message);
                }
                if fee > balance {
                    let message = format!(
                        "rendering that tile again costs {fee} tokens and your wallet holds {balance}"
                    );
                    return refuse(RefusedCode::NotEnoughTokens, message);
                }
                desk.apply(Event::Disputed { job: unit.job, unit_index });
                Ok(Reply::Done)
            })
            .await?
    }

    /// Has the tile of a film that convicted a node rendered once more.
    pub(super) async fn appeal(&self, caller: PublicKey, lease: LeaseId) -> Result<Reply, Refused> {
        let asked = self.desk.ask(move |desk| {
            may_appeal(&desk.state().book, caller, lease)?;
            desk.apply(Event::Appealed { lease });
            Ok(())
        });
        match asked.await? {
            // Said twice, it is done once.
            Ok(()) | Err(AppealError::Asked) => Ok(Reply::Done),
            Err(error @ AppealError::Unknown) => {
                Err(refused(RefusedCode::NotFound, error.to_string()))
            }
            Err(error) => Err(refused(RefusedCode::NotAllowed, error.to_string())),
        }
    }

    /// Puts tokens of the caller's wallet at risk.
    pub(super) async fn stake(
        &self,
        caller: PublicKey,
        amount: Tokens,
        id: [u8; 16],
    ) -> Result<Reply, Refused> {
        let transfer = crate::money::stake_id(caller, id);
        let (done, balance) = self
            .till
            .ask(move |ledger| {
                let balance = ledger.balance(account::wallet(caller)).available;
                (ledger.contains(transfer), balance)
            })
            .await?;
        if done {
            return Ok(Reply::Done);
        }
        if amount < STAKE_MIN || balance < amount {
            let message = format!(
                "{amount} tokens cannot be put at risk: your wallet holds {balance}; choose {STAKE_MIN} up to that"
            );
            return Err(refused(RefusedCode::NotEnoughTokens, message));
        }
        let owner = caller;
        self.desk.ask(move |desk| desk.apply(Event::Staked { owner, amount, id })).await?;
        Ok(Reply::Done)
    }

    /// Asks for tokens at risk back: no more than count, which what is leaving already does not.
    pub(super) async fn unstake(
        &self,
        caller: PublicKey,
        amount: Tokens,
    ) -> Result<Reply, Refused> {
        let can_be = move |counted: Tokens| !amount.is_zero() && amount <= counted;
        let counted = self
            .desk
            .ask(move |desk| {
                let book = &desk.state().book;
                let counted = book.stakes.get(&caller).map_or(Tokens::ZERO, |it| it.amount);
                if can_be(counted) {
                    let now_ms = desk.now_ms();
                    desk.apply(Event::Unstaked { owner: caller, amount, now_ms });
                }
                counted
            })
            .await?;
        if !can_be(counted) {
            let message = format!(
                "{amount} tokens cannot be asked back: you have {counted} at risk that are not on their way back already"
            );
            return Err(refused(RefusedCode::NotEnoughTokens, message));
        }
        Ok(Reply::Done)
    }
}
