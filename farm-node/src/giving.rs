//! Scenes from other nodes of the farm, and for them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use protocol::{
    Holder, Holders, PublicKey, Reply, Request, SceneId, ScenePass, Signed, decode, encode, limits,
};
use transport::{Connection, FetchError, FetchProgress, Porter, Scenes, Ticket};

use crate::work::Workshop;

/// How much later than the scheduler's a clock here may be for its passes to be good.
const CLOCKS_APART: Duration = Duration::from_secs(120);

/// Lets in who shows a pass of the farm's scheduler, made out to himself.
pub(crate) struct Passes {
    pub(crate) farm: PublicKey,
}

impl Porter for Passes {
    fn admits(&self, caller: PublicKey, pass: &[u8]) -> Option<SceneId> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        admitted(self.farm, caller, pass, now)
    }
}

fn admitted(farm: PublicKey, caller: PublicKey, pass: &[u8], now: Duration) -> Option<SceneId> {
    let signed: Signed<ScenePass> = decode(pass, limits::PASS_BYTES_MAX).ok()?;
    let ScenePass { fetcher, scene, expires_ms } = signed.open_from(farm).ok()?;
    let expires = Duration::from_millis(expires_ms).saturating_add(CLOCKS_APART);
    (fetcher == caller && now <= expires).then_some(scene)
}

/// Tells the scheduler which scenes this node gives: those it holds whole.
///
/// Nothing depends on it: who is not told fetches from the scheduler.
pub(crate) async fn tell(connection: &Connection, scenes: &Scenes, listens: &Ticket) {
    let Ok(whole) = scenes.list().await else { return };
    let scenes = whole.into_iter().map(|(scene, _size_bytes)| scene);
    let scenes = scenes.take(limits::SCENES_GIVEN_MAX).collect();
    let addresses = listens.addresses().to_vec();
    let request = Request::Gives { scenes, addresses };
    if let Err(error) = connection.call(&request, Bytes::new(), limits::CALL_TIMEOUT).await {
        tracing::debug!(%error, "the scheduler does not know what this node gives");
    }
}

impl Workshop {
    /// Has a scene from another node, if one is named that gives it; false: ask the scheduler.
    pub(crate) async fn fetch_given(
        &self,
        scene: SceneId,
        size_bytes_max: u64,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<bool, FetchError> {
        let Some(connection) = self.line() else { return Ok(false) };
        let request = Request::Holders { scene };
        let answer = connection.call(&request, Bytes::new(), limits::CALL_TIMEOUT).await;
        let Ok((Reply::Holders(named), _body)) = answer else { return Ok(false) };
        let Holders { holders, pass } = *named;
        let pass = encode(&pass);
        for Holder { node, addresses } in holders.into_iter().take(limits::HOLDERS_NAMED_MAX) {
            let giver = Ticket::new(node, addresses);
            let fetching =
                self.peer.scenes().fetch_given(scene, size_bytes_max, (&giver, &pass), progress);
            match fetching.await {
                Ok(_size_bytes) => {
                    tracing::info!(%scene, %node, "a node gave the scene");
                    return Ok(true);
                }
                // Neither heals by asking somebody else.
                Err(error @ (FetchError::TooLarge { .. } | FetchError::Scene(_))) => {
                    return Err(error);
                }
                Err(error) => tracing::info!(%error, "a node did not give a scene"),
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use protocol::SigningKey;
    use protocol::sign::public_key;

    use super::*;

    #[test]
    fn a_pass_is_good_for_whom_and_as_long_as_it_says() {
        let farm = SigningKey::from_bytes(&[1; 32]);
        let (caller, scene) = (PublicKey([2; 32]), SceneId([3; 32]));
        let pass = ScenePass { fetcher: caller, scene, expires_ms: 1_000_000 };
        let signed = encode(&Signed::new(&pass, &farm));
        assert!(signed.len() <= limits::PASS_BYTES_MAX);
        let check = |farm, caller, pass: &[u8], now_s| {
            admitted(farm, caller, pass, Duration::from_secs(now_s))
        };
        let key = public_key(&farm);
        assert_eq!(check(key, caller, &signed, 900), Some(scene));
        assert_eq!(check(key, caller, &signed, 1_100), Some(scene), "clocks differ a little");
        assert_eq!(check(key, caller, &signed, 1_121), None);
        assert_eq!(check(key, PublicKey([4; 32]), &signed, 900), None, "somebody else's");
        let other = SigningKey::from_bytes(&[5; 32]);
        assert_eq!(check(public_key(&other), caller, &signed, 900), None, "another farm's");
        let own = encode(&Signed::new(&pass, &other));
        assert_eq!(check(key, caller, &own, 900), None, "signed by itself");
        let mut altered = signed.clone();
        altered[70] ^= 1;
        assert_eq!(check(key, caller, &altered, 900), None);
        assert_eq!(check(key, caller, &[], 900), None);
    }
}
