//! Vouchers over the wire, and looks at the whole ledger that hold nobody up.

use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::{PublicKey, Reply, Request, Role, Signed, SigningKey, Tokens, Voucher};

use crate::callers::{Caller, Farm, assert_ledger, runtime};

async fn poor(number: u8, farm: &Farm) -> Caller {
    let caller = Caller::connect(number, &farm.ready.ticket).await;
    caller.hello(Role::Client).await;
    caller
}

async fn balance(caller: &Caller) -> Tokens {
    let Reply::Wallet(wallet) = caller.ask(Request::Wallet).await else { panic!("no wallet") };
    wallet.balance
}

fn redeem(voucher: &Signed<Voucher>, to: PublicKey) -> Request {
    Request::Redeem { voucher: voucher.clone(), to }
}

#[test]
fn a_voucher_pays_once_and_every_misuse_is_named() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |config| config.welcome_grant = Tokens::ZERO).await;
        let key = transport::identity::load(&dir.path().join("key")).expect("the farm's key");
        let (ana, ben) = (poor(10, &farm).await, poor(11, &farm).await);
        let (ana_key, ben_key) = (public_key(&ana.key), public_key(&ben.key));
        let amount = Tokens::from_whole(100);
        let issue = |key: &SigningKey, to, expires_ms| {
            ledger::issue(key, amount, to, expires_ms, String::new()).expect("drawn")
        };

        // For whoever is first: once, however often it is said.
        let open = issue(&key, None, None);
        let first = ana.ask(redeem(&open, ana_key)).await;
        let Reply::Redeemed { transfer, before: false } = first else { panic!("{first:?}") };
        assert_eq!(
            ana.ask(redeem(&open, ana_key)).await,
            Reply::Redeemed { transfer, before: true }
        );
        let refused = ben.refusal(redeem(&open, ben_key)).await;
        assert!(refused.message.contains("another wallet already"), "{refused}");

        // For one of them: it pays to her, whoever says it, and to nobody else.
        let hers = issue(&key, Some(ana_key), None);
        let refused = ben.refusal(redeem(&hers, ben_key)).await;
        assert_eq!(refused.code, RefusedCode::NotAllowed, "{refused}");
        assert!(refused.message.contains(&format!("is for {ana_key}")), "{refused}");
        ben.ask(redeem(&hers, ana_key)).await;
        assert_eq!(
            (balance(&ana).await, balance(&ben).await),
            (Tokens::from_whole(200), Tokens::ZERO)
        );

        // Late, another farm's, forged.
        let refused = ben.refusal(redeem(&issue(&key, None, Some(1)), ben_key)).await;
        assert!(refused.message.contains("time was over"), "{refused}");
        let theirs = issue(&SigningKey::from_bytes(&[9; 32]), None, None);
        let refused = ben.refusal(redeem(&theirs, ben_key)).await;
        assert!(refused.message.contains("of another farm"), "{refused}");
        let mut bytes = protocol::encode(&issue(&key, None, None));
        let at = bytes.len() - 1;
        bytes[at] ^= 1;
        let forged = protocol::decode(&bytes, 1000).expect("the same shape");
        let refused = ben.refusal(redeem(&forged, ben_key)).await;
        assert_eq!(refused.code, RefusedCode::NotAllowed, "{refused}");
        assert!(refused.message.contains("not genuine"), "{refused}");
        assert_eq!(balance(&ben).await, Tokens::ZERO);

        // After another start it is still spent.
        for caller in [&ana, &ben] {
            caller.peer.close().await;
        }
        farm.stop().await;
        let farm = Farm::start(dir.path(), |config| config.welcome_grant = Tokens::ZERO).await;
        let ben = poor(11, &farm).await;
        let refused = ben.refusal(redeem(&open, ben_key)).await;
        assert!(refused.message.contains("another wallet already"), "{refused}");
        assert_ledger(&ben).await;
        ben.peer.close().await;
        farm.stop().await;
    });
}

#[test]
fn looks_at_the_whole_ledger_are_shared() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), |_config| ()).await;
        let caller = poor(10, &farm).await;
        let ask = || caller.ask(Request::CheckLedger);
        let checks = tokio::join!(ask(), ask(), ask(), ask());
        let Reply::Ledger(first) = &checks.0 else { panic!("{checks:?}") };
        assert!(first.verified && first.sum_is_zero && first.entries > 0, "{first:?}");
        // Money moves on, and whoever asks soon after gets the same look.
        let key = transport::identity::load(&dir.path().join("key")).expect("the farm's key");
        let amount = Tokens::from_whole(1);
        let voucher = ledger::issue(&key, amount, None, None, String::new()).expect("drawn");
        caller.ask(redeem(&voucher, public_key(&caller.key))).await;
        for check in [&checks.1, &checks.2, &checks.3, &ask().await] {
            assert_eq!(check, &checks.0);
        }
        caller.peer.close().await;
        farm.stop().await;
    });
}
