//! What owners of nodes have at risk: stakes, and appeals against what was taken.

use ledger::account;
use protocol::message::{Refused, RefusedCode};
use protocol::{LeaseId, PublicKey, Reply, Tokens};

use super::{Door, refused};
use crate::core::{AppealError, Event, may_appeal};

impl Door {
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
        if amount.is_zero() || balance < amount {
            let message = format!(
                "{amount} tokens cannot be put at risk: your wallet holds {balance}; choose an amount above zero and up to that"
            );
            return Err(refused(RefusedCode::NotEnoughTokens, message));
        }
        let owner = caller;
        self.desk.ask(move |desk| desk.apply(Event::Staked { owner, amount, id })).await?;
        Ok(Reply::Done)
    }

    /// Asks for tokens at risk back.
    pub(super) async fn unstake(
        &self,
        caller: PublicKey,
        amount: Tokens,
    ) -> Result<Reply, Refused> {
        let counted = self
            .desk
            .ask(move |desk| {
                let book = &desk.state().book;
                let counted = book.stakes.get(&caller).map_or(Tokens::ZERO, |it| it.amount);
                if !counted.is_zero() && !amount.is_zero() {
                    let now_ms = desk.now_ms();
                    desk.apply(Event::Unstaked { owner: caller, amount, now_ms });
                }
                counted
            })
            .await?;
        if counted.is_zero() || amount.is_zero() {
            let message =
                format!("{amount} tokens cannot be asked back: you have {counted} at risk");
            return Err(refused(RefusedCode::NotEnoughTokens, message));
        }
        Ok(Reply::Done)
    }
}
