//! Anyone's requests: the own wallet, the ledger's health, the farm at a glance.

use ledger::{Account, Phase, account};
use protocol::message::{Refused, RefusedCode};
use protocol::view::{StatementPage, WalletView};
use protocol::{AccountId, NodeId, PublicKey, Reply, limits};

use super::{Door, internal, refused};
use crate::core::{Book, view};

/// Takes out of a node's own statement where the pay of a lease is set aside and as what: a twin's
/// comes from the verification reserve, and who knew that before the film was judged could cheat
/// where nobody compares.
fn conceal(page: &mut StatementPage) {
    let set_aside = Phase::SetAside.word();
    let account = page.account;
    let concerned = page.rows.iter_mut().filter(|row| row.code.contains(set_aside));
    for row in concerned {
        set_aside.clone_into(&mut row.code);
        row.other = account;
    }
}

impl Door {
    pub(super) async fn wallet(&self, caller: PublicKey) -> Result<Reply, Refused> {
        let account = account::wallet(caller);
        let balance = self.till.ask(move |ledger| ledger.balance(account).available).await?;
        let told = move |book: &Book| {
            let (escrowed, held) = view::escrowed_and_held(book, caller);
            let staked = view::staked(book, caller);
            WalletView { account: account.id(), balance, escrowed, held, staked }
        };
        let wallet = self.desk.ask(move |desk| told(&desk.state().book)).await?;
        Ok(Reply::Wallet(wallet))
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
        let named = known.or_else(|| own.into_iter().find(|own| own.id() == id));
        let is_held = matches!(named, Some(Account::Held(_)));
        let is_own = match named {
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
        let mut page = page.map_err(|error| internal("the statement was not made", error))?;
        if is_held {
            conceal(&mut page);
        }
        Ok(Reply::Statement(page))
    }

    pub(super) async fn check_ledger(&self) -> Result<Reply, Refused> {
        let _turn = self.ledger_checks.acquire().await;
        let check = self.till.ask(|ledger| ledger.check()).await?;
        Ok(Reply::Ledger(check))
    }

    pub(super) async fn farm(&self) -> Result<Reply, Refused> {
        let rows = limits::PAGE_ROWS_MAX as usize;
        let farm = self.desk.ask(move |desk| {
            let now_ms = desk.now_ms();
            view::farm(desk.state(), rows, now_ms)
        });
        let farm = farm.await?;
        Ok(Reply::Farm(farm))
    }
}
