//! Questions about the wallet, the ledger, and who else is there.

use proof::Consistency;
use protocol::view::{
    BlockView, EarningsBy, EarningsView, FarmView, LedgerCheck, StatementPage, WalletView,
};
use protocol::{AccountId, PublicKey, Reply, Request, Signed, TransferId, Voucher, limits};

use super::Farm;
use crate::error::Error;

impl Farm {
    /// Whom we keep off our jobs.
    ///
    /// # Errors
    /// The network.
    pub async fn blocks(&self) -> Result<Vec<BlockView>, Error> {
        match self.call(Request::Blocks, limits::CALL_TIMEOUT).await? {
            (Reply::Blocks(blocks), _) => Ok(blocks),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// Our balances.
    ///
    /// # Errors
    /// The network.
    pub async fn wallet(&self) -> Result<WalletView, Error> {
        match self.call(Request::Wallet, limits::CALL_TIMEOUT).await? {
            (Reply::Wallet(wallet), _) => Ok(wallet),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// What nodes of ours have earned.
    ///
    /// # Errors
    /// The farm.
    pub async fn earnings(&self, by: EarningsBy, from_ms: u64) -> Result<EarningsView, Error> {
        match self.call(Request::Earnings { by, from_ms }, limits::CALL_TIMEOUT).await? {
            (Reply::Earnings(earnings), _) => Ok(earnings),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// A page of an account's entries, newest first.
    ///
    /// # Errors
    /// The account is not ours.
    pub async fn statement(
        &self,
        account: AccountId,
        offset: u32,
        limit: u32,
    ) -> Result<StatementPage, Error> {
        let request = Request::Statement { account, offset, limit };
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Statement(page), _) => Ok(page),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// Pays a voucher out to a wallet; returns the transfer, and whether it was done before.
    ///
    /// # Errors
    /// The voucher is not of this farm, not for that wallet, spent or too late.
    pub async fn redeem(
        &self,
        voucher: &Signed<Voucher>,
        to: PublicKey,
    ) -> Result<(TransferId, bool), Error> {
        let request = Request::Redeem { voucher: voucher.clone(), to };
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Redeemed { transfer, before }, _) => Ok((transfer, before)),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// The farm at a glance.
    ///
    /// # Errors
    /// The network.
    pub async fn farm(&self) -> Result<FarmView, Error> {
        match self.call(Request::Farm, limits::CALL_TIMEOUT).await? {
            (Reply::Farm(farm), _) => Ok(farm),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// The newest published checkpoint of the farm's ledger, and how it goes on from `since` entries.
    ///
    /// # Errors
    /// The network, or a reply that is none.
    pub async fn checkpoint(&self, since: u64) -> Result<Consistency, Error> {
        let request = Request::Checkpoint { since };
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Checkpoint(text), _) => Consistency::parse(&text).map_err(Error::Checkpoint),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// What verifying the ledger finds.
    ///
    /// # Errors
    /// The network.
    pub async fn check_ledger(&self) -> Result<LedgerCheck, Error> {
        match self.call(Request::CheckLedger, limits::TRANSFER_TIMEOUT).await? {
            (Reply::Ledger(check), _) => Ok(check),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }
}
