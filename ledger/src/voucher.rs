//! Vouchers: where tokens come from without a chain. The operator signs, the ledger pays once.

use std::io;

use proof::{Code, Link, Transfer, account, transfer_id};
use protocol::sign::public_key;
use protocol::{
    Digest, PublicKey, SignError, Signable as _, Signed, SigningKey, Tokens, TransferId, Voucher,
};

use crate::apply::ApplyError;
use crate::ledger::Ledger;

/// A voucher that was paid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redeemed {
    /// The transfer.
    pub transfer: TransferId,
    /// How much.
    pub amount: Tokens,
    /// Whether it had been paid out to the same wallet before.
    pub before: bool,
}

/// Why a voucher was not paid out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedeemError {
    /// The signature does not fit.
    #[error("the voucher is not genuine; it was altered, or nobody signed it")]
    Signature(#[source] SignError),
    /// Another farm's.
    #[error("the voucher is of another farm, {voucher}; redeem it there, this is {here}")]
    OtherFarm {
        /// The farm that signed it, or that it names.
        voucher: PublicKey,
        /// This one.
        here: PublicKey,
    },
    /// For somebody else.
    #[error("the voucher is for {recipient}, it does not pay to {asked}")]
    OtherRecipient {
        /// Whose it is.
        recipient: PublicKey,
        /// Whose wallet was named.
        asked: PublicKey,
    },
    /// Too late.
    #[error(
        "the voucher's time was over at {expires_ms} ms since 1970, now {now_ms}; ask its farm for another"
    )]
    Expired {
        /// Until when it could be redeemed, milliseconds since 1970.
        expires_ms: u64,
        /// The time now.
        now_ms: u64,
    },
    /// Somebody was paid already.
    #[error(
        "the voucher was redeemed for another wallet already, entry {seq}; a voucher pays once"
    )]
    Spent {
        /// The entry that paid it out.
        seq: u64,
    },
    /// The ledger.
    #[error("the ledger did not pay the voucher out")]
    Apply(#[from] ApplyError),
}

/// Signs a voucher of the farm whose key this is, with an id drawn at random.
///
/// # Errors
/// The system gave no randomness.
pub fn issue(
    key: &SigningKey,
    amount: Tokens,
    recipient: Option<PublicKey>,
    expires_ms: Option<u64>,
    memo: String,
) -> io::Result<Signed<Voucher>> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let farm = public_key(key);
    Ok(Signed::new(&Voucher { farm, id, amount, recipient, expires_ms, memo }, key))
}

/// What a voucher says, when the farm `here` signed it.
///
/// # Errors
/// [`RedeemError::Signature`], [`RedeemError::OtherFarm`].
pub fn genuine(signed: &Signed<Voucher>, here: PublicKey) -> Result<Voucher, RedeemError> {
    if signed.signer() != here {
        return Err(RedeemError::OtherFarm { voucher: signed.signer(), here });
    }
    let voucher = signed.open().map_err(RedeemError::Signature)?;
    if voucher.farm != here {
        return Err(RedeemError::OtherFarm { voucher: voucher.farm, here });
    }
    Ok(voucher)
}

impl Ledger {
    /// Pays a voucher of this ledger's key out to the wallet of `to`: once, whoever says it and
    /// however often. Whoever was paid hears it again, even after the voucher's time.
    ///
    /// # Errors
    /// See [`RedeemError`]; nothing was paid then.
    pub fn redeem(
        &mut self,
        signed: &Signed<Voucher>,
        to: PublicKey,
        now_ms: u64,
    ) -> Result<Redeemed, RedeemError> {
        let voucher = genuine(signed, self.key())?;
        if let Some(recipient) = voucher.recipient.filter(|&recipient| recipient != to) {
            return Err(RedeemError::OtherRecipient { recipient, asked: to });
        }
        let evidence = Digest::of(Voucher::DOMAIN, &[signed.payload()]);
        let id = transfer_id("voucher", &[&voucher.id]);
        let pair = (account::issuance(), account::wallet(to));
        let transfer = Transfer::posted(id, pair, voucher.amount, Code::Grant)
            .with_link(Link::default().with_evidence(evidence));
        if let Some(expires_ms) = voucher.expires_ms.filter(|&expires_ms| expires_ms <= now_ms)
            && !self.contains(id)
        {
            return Err(RedeemError::Expired { expires_ms, now_ms });
        }
        match self.apply(&[transfer], now_ms) {
            Ok(applied) => {
                let before = applied.outcomes[0].was_applied_before();
                Ok(Redeemed { transfer: id, amount: voucher.amount, before })
            }
            Err(ApplyError::IdReused { seq, .. }) => Err(RedeemError::Spent { seq }),
            Err(error) => Err(error.into()),
        }
    }
}
