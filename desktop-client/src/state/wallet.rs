//! What a person does with his tokens and his key, beside spending them.

use std::path::PathBuf;

use protocol::{Tokens, VoucherText};

/// What a sheet is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// Putting tokens at risk.
    Stake,
    /// Asking for them back.
    Unstake,
    /// Paying a voucher out.
    Redeem,
    /// The statement as a file.
    Export,
    /// A copy of the key.
    BackUp,
}

/// A sheet, with what was typed into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletSheet {
    /// What it is about.
    pub matter: Matter,
    /// An amount, a voucher or a path.
    pub typed: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Put so much at risk.
    Stake(Tokens),
    /// Ask for so much back.
    Unstake(Tokens),
    /// Pay this voucher out to one's own wallet.
    Redeem(Box<VoucherText>),
    /// Write the whole statement there, as CSV.
    Export(PathBuf),
    /// Copy the key there.
    BackUp(PathBuf),
}

impl WalletSheet {
    /// An empty sheet.
    #[must_use]
    pub const fn of(matter: Matter) -> Self {
        Self { matter, typed: String::new() }
    }

    /// What it asks for.
    ///
    /// # Errors
    /// What is wrong with what was typed, in a sentence.
    pub fn act(&self) -> Result<Act, String> {
        let typed = self.typed.trim();
        let amount = || match typed.parse::<Tokens>() {
            Ok(amount) if !amount.is_zero() => Ok(amount),
            Ok(_nothing) => Err("Type how much, more than 0".to_owned()),
            Err(_no_amount) => Err("Type how many tokens, as 50 or 2.5".to_owned()),
        };
        let path = || match typed.is_empty() {
            true => Err("Type where the file is to be".to_owned()),
            false => Ok(PathBuf::from(typed)),
        };
        match self.matter {
            Matter::Stake => amount().map(Act::Stake),
            Matter::Unstake => amount().map(Act::Unstake),
            Matter::Redeem => match typed.parse::<VoucherText>() {
                Ok(voucher) => Ok(Act::Redeem(Box::new(voucher))),
                Err(_none) => Err("Paste the whole voucher; it begins with vou_".to_owned()),
            },
            Matter::Export => path().map(Act::Export),
            Matter::BackUp => path().map(Act::BackUp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(matter: Matter, typed: &str) -> Result<Act, String> {
        WalletSheet { matter, typed: typed.to_owned() }.act()
    }

    #[test]
    fn what_is_typed_is_an_amount_a_voucher_or_a_path() {
        assert_eq!(act(Matter::Stake, " 2.5 "), Ok(Act::Stake(Tokens::from_micro(2_500_000))));
        assert_eq!(act(Matter::Unstake, "50"), Ok(Act::Unstake(Tokens::from_whole(50))));
        assert_eq!(act(Matter::Export, "/tmp/a.csv"), Ok(Act::Export("/tmp/a.csv".into())));
        for (matter, typed, expected) in [
            (Matter::Stake, "0", "more than 0"),
            (Matter::Stake, "-1", "how many tokens"),
            (Matter::Unstake, "much", "how many tokens"),
            (Matter::Redeem, "vou_12", "Paste the whole voucher"),
            (Matter::BackUp, "  ", "where the file"),
        ] {
            let why = act(matter, typed).expect_err(typed);
            assert!(why.contains(expected), "{why}");
        }
    }
}
