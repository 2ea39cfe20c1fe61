//! Which nodes give scenes to others, so that not every node fetches from here. Of this process
//! only, and a node's own word: who does not give what it says is passed over by whoever asks it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::message::{Refused, RefusedCode};
use protocol::{Holder, Holders, NodeId, PublicKey, Reply, SceneId, ScenePass, Signed, limits};

use transport::{BoxFuture, Usher};

use super::{Door, Stopped, refused};

/// The nodes that give, and what.
#[derive(Default)]
pub(in crate::shell) struct Givers {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    givers: BTreeMap<PublicKey, Giver>,
    /// Who gives each scene.
    scenes: BTreeMap<SceneId, BTreeSet<PublicKey>>,
    /// Turns the list a little with every question, so that the work is shared.
    turn: usize,
}

#[derive(Debug)]
struct Giver {
    scenes: BTreeSet<SceneId>,
    addresses: Vec<SocketAddr>,
}

impl Givers {
    pub(super) fn gone(&self, node: PublicKey) {
        self.lock().gone(node);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // Both maps are written without a call that could panic between.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// All that a node gives from now on, at these addresses.
    fn gives(&mut self, node: PublicKey, scenes: BTreeSet<SceneId>, addresses: Vec<SocketAddr>) {
        self.gone(node);
        if scenes.is_empty() || addresses.is_empty() {
            return;
        }
        for scene in &scenes {
            self.scenes.entry(*scene).or_default().insert(node);
        }
        self.givers.insert(node, Giver { scenes, addresses });
    }

    fn gone(&mut self, node: PublicKey) {
        let Some(giver) = self.givers.remove(&node) else { return };
        for scene in giver.scenes {
            let Some(nodes) = self.scenes.get_mut(&scene) else { continue };
            nodes.remove(&node);
            if nodes.is_empty() {
                self.scenes.remove(&scene);
            }
        }
    }

    /// Some who give a scene, of those that a node seen at `fetcher_at` can reach.
    fn holders(
        &mut self,
        scene: SceneId,
        fetcher: PublicKey,
        fetcher_at: &[SocketAddr],
    ) -> Vec<Holder> {
        let needed = fetcher_at.iter().map(|address| Reach::of(address.ip())).max();
        let (Some(needed), Some(nodes)) = (needed, self.scenes.get(&scene)) else {
            return Vec::new();
        };
        let reachable = |node: &PublicKey| {
            let addresses = self.givers[node].addresses.iter();
            let addresses = addresses.filter(|address| Reach::of(address.ip()) >= needed);
            let addresses: Vec<SocketAddr> = addresses.copied().collect();
            (!addresses.is_empty()).then_some(Holder { node: *node, addresses })
        };
        let others = nodes.iter().filter(|node| **node != fetcher);
        let mut holders: Vec<Holder> = others.filter_map(reachable).collect();
        if !holders.is_empty() {
            let count = holders.len();
            holders.rotate_left(self.turn % count);
            self.turn = self.turn.wrapping_add(1);
        }
        holders.truncate(limits::HOLDERS_NAMED_MAX);
        holders
    }
}

/// From how far an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Machine,
    Site,
    World,
}

impl Reach {
    fn of(ip: IpAddr) -> Self {
        let (machine, site) = match ip.to_canonical() {
            IpAddr::V4(ip) => (ip.is_loopback(), ip.is_private() || ip.is_link_local()),
            IpAddr::V6(ip) => {
                (ip.is_loopback(), ip.is_unique_local() || ip.is_unicast_link_local())
            }
        };
        match (machine, site) {
            (true, _) => Self::Machine,
            (false, true) => Self::Site,
            (false, false) => Self::World,
        }
    }
}

/// Where a node listens, as far as it is seen there: behind a NAT it is seen elsewhere.
fn seen_where_told(told: &[SocketAddr], seen: &[SocketAddr]) -> Vec<SocketAddr> {
    let canonical = |at: &SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let told: Vec<SocketAddr> = told.iter().map(canonical).collect();
    seen.iter().map(canonical).filter(|seen| told.contains(seen)).collect()
}

impl Door {
    /// Notes what a node gives.
    pub(super) async fn gives(
        &self,
        caller: PublicKey,
        scenes: Vec<SceneId>,
        addresses: &[SocketAddr],
    ) -> Result<Reply, Refused> {
        let many = scenes.len() > limits::SCENES_GIVEN_MAX;
        if many || addresses.len() > limits::TICKET_ADDRESSES_MAX {
            let message = format!(
                "a node tells of {} scenes and {} addresses at most",
                limits::SCENES_GIVEN_MAX,
                limits::TICKET_ADDRESSES_MAX
            );
            return Err(refused(RefusedCode::BadRequest, message));
        }
        self.node_in_good_standing(caller).await?;
        let at = seen_where_told(addresses, &self.scenes.seen_at(caller));
        self.givers.lock().gives(caller, scenes.into_iter().collect(), at);
        Ok(Reply::Done)
    }

    /// Who gives a scene, and a pass for them.
    pub(super) async fn holders(
        &self,
        caller: PublicKey,
        scene: SceneId,
    ) -> Result<Reply, Refused> {
        self.node_in_good_standing(caller).await?;
        if !self.is_shown(caller, scene).await? {
            let message = format!("you have no lease of this scene; ask for one: {scene}");
            return Err(refused(RefusedCode::NotAllowed, message));
        }
        let holders = self.givers.lock().holders(scene, caller, &self.scenes.seen_at(caller));
        let now_ms = self.desk.ask(|desk| desk.now_ms()).await?;
        let expires_ms = now_ms + limits::PASS_LIFE.as_millis() as u64;
        let pass = ScenePass { fetcher: caller, scene, expires_ms };
        let pass = Signed::new(&pass, &self.key);
        Ok(Reply::Holders(Box::new(Holders { holders, pass })))
    }

    /// Whether a node has a lease that shows it a scene: who may render it decides who gets it.
    async fn is_shown(&self, caller: PublicKey, scene: SceneId) -> Result<bool, Stopped> {
        let id = NodeId(caller.0);
        self.desk
            .ask(move |desk| {
                let book = &desk.state().book;
                let leases = book.nodes.get(&id).into_iter().flat_map(|node| &node.leases);
                let mut jobs = leases.map(|lease| &book.jobs[&book.leases[lease].job]);
                jobs.any(|job| job.spec.scene == scene) || desk.docket().shows(id, scene)
            })
            .await
    }

    /// A node that gets work, or whoever calls is refused.
    async fn node_in_good_standing(&self, caller: PublicKey) -> Result<(), Refused> {
        let node = NodeId(caller.0);
        let works = self.desk.ask(move |desk| {
            let node = desk.state().book.nodes.get(&node);
            node.is_some_and(|node| node.class.is_some() && !node.barred)
        });
        if works.await? {
            return Ok(());
        }
        let message = "scenes are passed on among nodes that get work on this farm";
        Err(refused(RefusedCode::NotAllowed, message))
    }
}

impl Usher for Door {
    fn may_fetch(&self, caller: PublicKey, scene: SceneId) -> BoxFuture<'_, bool> {
        // A scheduler that stops gives nothing any more.
        Box::pin(async move { self.is_shown(caller, scene).await.unwrap_or(false) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENE: SceneId = SceneId([1; 32]);

    fn key(number: u8) -> PublicKey {
        PublicKey([number; 32])
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().expect("an address")
    }

    fn book(givers: &[(u8, &str)]) -> Book {
        let mut book = Book::default();
        for (number, address) in givers {
            book.gives(key(*number), BTreeSet::from([SCENE]), vec![at(address)]);
        }
        book
    }

    fn named(book: &mut Book, fetcher: u8, from: &str) -> Vec<u8> {
        let holders = book.holders(SCENE, key(fetcher), &[at(from)]);
        holders.iter().map(|holder| holder.node.0[0]).collect()
    }

    #[test]
    fn only_those_are_named_whom_the_fetcher_can_reach() {
        let givers = [(1, "127.0.0.1:7"), (2, "192.168.1.5:7"), (3, "198.51.100.7:7")];
        let check = |fetcher, from, expected: &[u8]| {
            let mut book = book(&givers);
            assert_eq!(named(&mut book, fetcher, from), expected, "{from}");
        };
        check(9, "127.0.0.1:9", &[1, 2, 3]);
        check(9, "[::1]:9", &[1, 2, 3]);
        check(9, "192.168.1.9:9", &[2, 3]);
        check(9, "[::ffff:10.0.0.9]:9", &[2, 3]);
        check(9, "[fd00::9]:9", &[2, 3]);
        check(9, "203.0.113.9:9", &[3]);
        check(3, "203.0.113.9:9", &[]);
    }

    #[test]
    fn the_work_is_shared_and_who_is_gone_is_forgotten() {
        let mut book = book(&[1, 2, 3, 4].map(|number| (number, "198.51.100.7:7")));
        let first: Vec<u8> = (0..4).map(|_| named(&mut book, 9, "127.0.0.1:9")[0]).collect();
        assert_eq!(first, [1, 2, 3, 4]);
        assert_eq!(named(&mut book, 9, "127.0.0.1:9").len(), limits::HOLDERS_NAMED_MAX);
        [1, 2, 3].into_iter().for_each(|number| book.gone(key(number)));
        assert_eq!(named(&mut book, 9, "127.0.0.1:9"), [4]);
        book.gives(key(4), BTreeSet::new(), vec![at("198.51.100.7:7")]);
        assert!(named(&mut book, 9, "127.0.0.1:9").is_empty());
        assert!(book.scenes.is_empty() && book.givers.is_empty());
    }

    #[test]
    fn a_node_behind_a_nat_is_seen_elsewhere_than_it_listens() {
        let told = [at("192.168.1.5:4000"), at("127.0.0.1:4000")];
        let check = |seen, expected: &[SocketAddr]| {
            assert_eq!(seen_where_told(&told, &[at(seen)]), expected, "{seen}");
        };
        check("192.168.1.5:4000", &[at("192.168.1.5:4000")]);
        check("[::ffff:192.168.1.5]:4000", &[at("192.168.1.5:4000")]);
        check("203.0.113.9:4000", &[]);
        check("192.168.1.5:4001", &[]);
    }
}
