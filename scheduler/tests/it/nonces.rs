//! Nonces of leases, over real sockets.

use protocol::Lease;
use scheduler::core::Secret;

use crate::callers::{Farm, client, leases, node, ordered, runtime, spec};

/// Two owners who compare their leases of one unit learn nothing of either challenge: each lease has a
/// nonce of its own, which follows from the farm's secret and the lease's id alone.
#[test]
fn twins_have_nonces_of_their_own() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let all_twins = |config: &mut scheduler::Config| {
            (config.policy.newcomer_units, config.policy.verifier_units) = (0, 0);
            config.policy.twin_floor_ppm = 1_000_000;
        };
        let farm = Farm::start(dir.path(), all_twins).await;
        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let (a, b) = (node(1, ticket).await, node(2, ticket).await);
        ordered(&client, &spec("nonces")).await;
        let first = leases(&a, 1, 5_000).await.expect("leases").remove(0);
        let second = leases(&b, 1, 5_000).await.expect("leases").remove(0);
        assert_eq!(first.piece, second.piece, "twins");
        assert_ne!(first.id, second.id);
        assert_ne!(first.nonce_hash, second.nonce_hash);
        let secret = transport::identity::load(&dir.path().join("secret")).expect("kept");
        let secret = Secret::new(secret.to_bytes());
        for lease in [&first, &second] {
            assert_eq!(lease.nonce_hash, Lease::nonce_hash(&secret.nonce(lease.id)), "{lease:?}");
        }
        for caller in [client, a, b] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
