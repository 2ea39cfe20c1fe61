//! Anyone's requests: the own wallet, the ledger's health, the farm at a glance.

use ledger::{Account, account};
use protocol::message::{Refused, RefusedCode};
use protocol::view::{StatementPage, WalletView};
use protocol::{AccountId, NodeId, PublicKey, Reply, limits};

use super::{Door, internal, refused};
use crate::core::view;

impl Door {
    pub(super) async fn wallet(&self, caller: PublicKey) -> Result<Reply, Refused> {
        let account = account::wallet(caller);
        let balance = self.till.ask(move |ledger| ledger.balance(account).available).await?;
        let (escrowed, held) =
            self.desk.ask(move |desk| view::escrowed_and_held(&desk.state().book, caller)).await?;
        Ok(Reply::Wallet(WalletView { account: account.id(), balance, escrowed, held }))
    }

    pub(super) async fn statement(
        &self,
        caller: PublicKey,
        id: AccountId,
        offset: u32,
        limit: u32,
    ) -> Result<Reply, Refused> {
        let own =
            [account::wallet(caller), account::stake(caller), account::held(NodeId(caller.0))];
        let known = self.till.ask(move |ledger| ledger.account(id)).await?;
        let is_own = match known.or_else(|| own.into_iter().find(|own| own.id() == id)) {
            None => {
                return Err(refused(RefusedCode::NotFound, format!("no such account: {id}")));
            }
            Some(Account::Escrow(job)) => {
                let artist = self
                    .desk
                    .ask(move |desk| desk.state().book.jobs.get(&job).map(|job| job.artist))
                    .await?;
                artist == Some(caller)
            }
            Some(Account::Held(node)) => {
                node.0 == caller.0
                    || self
                        .desk
                        .ask(move |desk| view::owns(&desk.state().book, caller, node))
                        .await?
            }
            Some(other) => own.contains(&other),
        };
        if !is_own {
            let message = "that account is not yours; its owner alone sees its entries";
            return Err(refused(RefusedCode::NotAllowed, message));
        }
        let limit = limit.min(limits::PAGE_ROWS_MAX);
        let page: Result<StatementPage, _> =
            self.till.ask(move |ledger| ledger.statement(id, u64::from(offset), limit)).await?;
        page.map(Reply::Statement).map_err(|error| internal("the statement was not made", error))
    }

    pub(super) async fn check_ledger(&self) -> Result<Reply, Refused> {
        let _turn = self.ledger_checks.acquire().await;
        let check = self.till.ask(|ledger| ledger.check()).await?;
        Ok(Reply::Ledger(check))
    }

    pub(super) async fn farm(&self) -> Result<Reply, Refused> {
        let price = self.config.prices.per_gray;
        let rows = limits::PAGE_ROWS_MAX as usize;
        let farm = self.desk.ask(move |desk| view::farm(desk.state(), price, rows)).await?;
        Ok(Reply::Farm(farm))
    }
}
