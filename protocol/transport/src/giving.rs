//! Scenes for strangers whom somebody vouches for: a protocol of its own, which begins with a pass.
//!
//! ```text
//! fetcher ──► giver   the pass, at most PASS_BYTES_MAX bytes, and the end of the stream
//! fetcher ◄── giver   one byte 1: what the pass names is given over this connection
//! ```
//!
//! Then the connection is one of the store's own protocol, on which nothing but that scene is
//! given. What a pass is, only its porter knows.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use iroh::endpoint::Connection as Link;
use protocol::{PublicKey, SceneId, limits};
use tokio::time::timeout;

use crate::pace::Pace;
use crate::scenes::SceneStore;

/// The name of the protocol on the network.
pub(crate) const GIVE_ALPN: &[u8] = b"tessera/scenes/1";

const ADMITTED: u8 = 1;
/// Connections of one guest: its last may not be known to have ended when the next comes.
const SEATS_PER_GUEST: usize = 2;

/// Decides who may fetch which scene.
pub trait Porter: Send + Sync + 'static {
    /// The scene that the caller may fetch with this pass, if any.
    fn admits(&self, caller: PublicKey, pass: &[u8]) -> Option<SceneId>;
}

/// What a peer gives, and to whom.
pub(crate) struct Giving {
    porter: Arc<dyn Porter>,
    /// Of what is given, and of all that leaves this peer, where that has one.
    paces: Vec<Arc<Pace>>,
    /// Who is being given something, over how many connections.
    guests: Mutex<BTreeMap<PublicKey, usize>>,
}

/// A place among the guests; given up when dropped.
struct Guest<'a> {
    giving: &'a Giving,
    key: PublicKey,
}

impl Giving {
    pub(crate) fn new(
        porter: Arc<dyn Porter>,
        bytes_per_second: NonZeroU64,
        up: Option<Arc<Pace>>,
    ) -> Self {
        let paces = [Arc::new(Pace::new(Some(bytes_per_second)))].into_iter().chain(up).collect();
        Self { porter, paces, guests: Mutex::default() }
    }

    /// Looks at a caller's pass, and gives what it names; why not, for the closing word.
    pub(crate) async fn welcome(
        &self,
        store: &dyn SceneStore,
        link: &Link,
        hello_timeout: Duration,
    ) -> Result<(), &'static str> {
        let caller = PublicKey(*link.remote_id().as_bytes());
        let _guest = self.seat(caller).ok_or("this node gives to enough others; ask another")?;
        let shown = async {
            let (mut answer, mut pass) = link.accept_bi().await.ok()?;
            let pass = pass.read_to_end(limits::PASS_BYTES_MAX).await.ok()?;
            let scene = self.porter.admits(caller, &pass)?;
            answer.write_all(&[ADMITTED]).await.ok()?;
            answer.finish().ok()?;
            Some(scene)
        };
        let Ok(Some(scene)) = timeout(hello_timeout, shown).await else {
            return Err("a pass of this farm's scheduler is needed");
        };
        let giving = store.give(link.clone(), scene, self.paces.clone());
        timeout(limits::GIVING_MAX, giving).await.map_err(|_elapsed| "that takes too long")
    }

    fn seat(&self, key: PublicKey) -> Option<Guest<'_>> {
        let mut guests = self.guests();
        let all: usize = guests.values().sum();
        let own = guests.get(&key).copied().unwrap_or_default();
        if all >= limits::GUESTS_MAX || own >= SEATS_PER_GUEST {
            return None;
        }
        guests.insert(key, own + 1);
        Some(Guest { giving: self, key })
    }

    fn guests(&self) -> MutexGuard<'_, BTreeMap<PublicKey, usize>> {
        // A map of counts is whole after any panic.
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let mut guests = self.giving.guests();
        if let Some(count) = guests.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                guests.remove(&self.key);
            }
        }
    }
}

/// Shows a pass to a giver; why it was not taken.
pub(crate) async fn show(link: &Link, pass: &[u8]) -> Result<(), String> {
    let shown = async {
        let (mut send, mut answer) = link.open_bi().await.map_err(|error| format!("{error:#}"))?;
        send.write_all(pass).await.map_err(|error| format!("{error:#}"))?;
        send.finish().map_err(|error| format!("{error:#}"))?;
        match answer.read_to_end(1).await.as_deref() {
            Ok([ADMITTED]) => Ok(()),
            Ok(_other) => Err("the pass was not taken".to_owned()),
            Err(error) => Err(format!("{error:#}")),
        }
    };
    match timeout(limits::HELLO_TIMEOUT, shown).await {
        Ok(shown) => shown,
        Err(_elapsed) => Err(format!("no answer within {:?}", limits::HELLO_TIMEOUT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Porter for Nobody {
        fn admits(&self, _caller: PublicKey, _pass: &[u8]) -> Option<SceneId> {
            None
        }
    }

    #[test]
    fn so_many_guests_and_few_seats_for_one() {
        let giving = Giving::new(Arc::new(Nobody), NonZeroU64::MIN, None);
        let seat = |number| giving.seat(PublicKey([number; 32]));
        let first = seat(1).expect("room");
        let mut seats = vec![seat(1).expect("another")];
        assert!(seat(1).is_none(), "too many of one");
        seats.extend((2..).map_while(seat));
        assert_eq!(seats.len() + 1, limits::GUESTS_MAX);
        drop(first);
        assert!(seat(9).is_some());
        drop(seats);
        assert!(giving.guests().is_empty());
    }
}
