//! How long a firm price stands, over real sockets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use protocol::message::RefusedCode;
use protocol::{JobSpec, Quote, Reply, Request};
use scheduler::Config;
use transport::CallError;

use crate::callers::{Caller, Farm, client, order, quote, runtime, spec};

/// How long quotes stand here: enough to order at once.
const VALID_MS: u64 = 400;

fn hasty(config: &mut Config) {
    config.prices.valid_ms = VALID_MS;
    // Nobody clears away what has lapsed: it is the order that is looked at.
    config.tick_ms = 60_000;
}

/// Waits until a quote's time is over by this machine's clock, which is the farm's.
async fn lapse(quote: &Quote) {
    let now_ms = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        since.as_millis() as u64
    };
    while now_ms() <= quote.valid_until_ms {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A quote that was ordered while it stood, the order and its answer: at the first try, unless the
/// machine is busy.
async fn in_time(client: &Caller, spec: &JobSpec) -> (Quote, Request, Reply) {
    for _ in 0..50 {
        let quote = quote(client, spec).await;
        let request = order(client, spec, &quote);
        match client.call(request.clone(), Bytes::new()).await {
            Ok((reply, _)) => return (quote, request, reply),
            Err(CallError::Refused(refused)) => {
                assert_eq!(refused.code, RefusedCode::QuoteLapsed, "{refused}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no quote was ordered in time");
}

#[test]
fn a_quote_past_its_time_is_not_taken_and_sets_nothing_aside() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), hasty).await;
        let client = client(10, &farm.ready.ticket).await;
        let spec = spec("late");
        let before = client.ask(Request::Wallet).await;
        let late = quote(&client, &spec).await;
        lapse(&late).await;
        let refused = client.refusal(order(&client, &spec, &late)).await;
        assert_eq!(refused.code, RefusedCode::QuoteLapsed, "{refused}");
        assert!(refused.message.contains("the quote has lapsed"), "{refused}");
        assert!(refused.message.contains("ask for a new one"), "{refused}");
        let jobs = client.ask(Request::Jobs { offset: 0, limit: 10 }).await;
        assert_eq!(jobs, Reply::Jobs(Vec::new()));
        assert_eq!(client.ask(Request::Wallet).await, before);

        // A new one is; what was ordered in time and is said again after it is the same job.
        let (taken, request, ordered) = in_time(&client, &spec).await;
        let Reply::Wallet(wallet) = client.ask(Request::Wallet).await else { panic!("no wallet") };
        assert_eq!(wallet.escrowed, taken.price);
        lapse(&taken).await;
        assert_eq!(client.ask(request).await, ordered);
        client.peer.close().await;
        farm.stop().await;
    });
}
