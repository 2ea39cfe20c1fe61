//! Anyone's requests: the own wallet, the ledger's health, the farm at a glance.

use std::time::{Duration, Instant};

use ledger::{Account, ApplyError, Phase, RedeemError, Redeemed, account};
use protocol::message::{Refused, RefusedCode};
use protocol::sign::public_key;
use protocol::view::{LedgerCheck, StatementPage, WalletView};
use protocol::{AccountId, NodeId, PublicKey, Reply, Signed, Voucher, limits};
use tokio::sync::Mutex;

use super::{Door, blocking, chain, internal, refused};
use crate::core::{Book, view};
use crate::shell::till;

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
        row.other_is.clear();
    }
}

/// How long the result of a look at the whole ledger is shared, at least.
const CHECK_REST: Duration = Duration::from_secs(30);
/// And as a multiple of how long it took: whoever asks for ever keeps a tenth of a processor busy.
const CHECK_REST_FACTOR: u32 = 10;

/// The last look at the whole ledger.
#[derive(Debug, Default)]
pub(in crate::shell) struct LedgerChecks(Mutex<Option<Shared>>);

#[derive(Debug)]
struct Shared {
    check: LedgerCheck,
    until: Instant,
}

/// What whoever cannot redeem a voucher is told.
fn not_redeemed(error: RedeemError) -> Refused {
    let code = match &error {
        RedeemError::Apply(ApplyError::NoAmount { .. } | ApplyError::Overflow { .. }) => {
            RefusedCode::BadRequest
        }
        RedeemError::Apply(_) => return internal("the voucher was not paid out", error),
        RedeemError::Signature(_) | RedeemError::OtherRecipient { .. } => RefusedCode::NotAllowed,
        _ => RefusedCode::BadRequest,
    };
    refused(code, chain(&error))
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
        let reader = self.till.ask(|ledger| ledger.reader()).await?;
        let _turn = self.statements.acquire().await;
        let page = blocking(move || reader.statement(id, u64::from(offset), limit)).await?;
        let mut page = page.map_err(|error| internal("the statement was not made", error))?;
        if is_held {
            conceal(&mut page);
        }
        Ok(Reply::Statement(page))
    }

    /// Verifies the ledger beside the till, which goes on meanwhile. Whoever asks while a check
    /// runs waits for that one; whoever asks soon after gets its result.
    pub(super) async fn check_ledger(&self) -> Result<Reply, Refused> {
        let mut last = self.ledger_check.0.lock().await;
        if let Some(shared) = &*last
            && Instant::now() < shared.until
        {
            return Ok(Reply::Ledger(shared.check.clone()));
        }
        let checker = self.till.ask(|ledger| ledger.checker()).await?;
        let started = Instant::now();
        let check = blocking(move || checker.run()).await?;
        let rest = CHECK_REST.max(CHECK_REST_FACTOR * started.elapsed());
        *last = Some(Shared { check: check.clone(), until: Instant::now() + rest });
        Ok(Reply::Ledger(check))
    }

    /// Pays a voucher out. The till writes it like any other movement of money.
    pub(super) async fn redeem(
        &self,
        voucher: Signed<Voucher>,
        to: PublicKey,
    ) -> Result<Reply, Refused> {
        // A forged one costs the till nothing.
        ledger::genuine(&voucher, public_key(&self.key)).map_err(not_redeemed)?;
        let redeemed =
            self.till.ask(move |ledger| ledger.redeem(&voucher, to, till::now_ms())).await?;
        let Redeemed { transfer, amount, before } = redeemed.map_err(not_redeemed)?;
        if !before {
            tracing::info!(%to, %amount, %transfer, "a voucher was redeemed");
        }
        Ok(Reply::Redeemed { transfer, before })
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
