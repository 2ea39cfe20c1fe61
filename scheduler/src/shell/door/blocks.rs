//! What an artist wants for all of his jobs: nodes that are kept off them, scenes that they need no
//! longer.

use std::collections::{BTreeMap, BTreeSet};

use protocol::message::{Refused, RefusedCode};
use protocol::view::BlockView;
use protocol::{NodeId, PublicKey, Reply, SceneId, limits};

use super::{Door, refused};
use crate::core::{Book, Event};

/// Names that are told of all nodes of an owner.
const NAMES_MAX: usize = 10;

impl Door {
    /// Keeps a node, or all of an owner's, off the caller's jobs, or lets it back.
    pub(super) async fn block(
        &self,
        caller: PublicKey,
        who: PublicKey,
        is_blocked: bool,
    ) -> Result<Reply, Refused> {
        self.desk
            .ask(move |desk| {
                let book = &desk.state().book;
                let is_so = book.blocks.of(caller).any(|(other, _)| other == who);
                if is_so == is_blocked {
                    return Ok(Reply::Done);
                }
                if is_blocked {
                    may_block(book, caller, who)?;
                }
                let now_ms = desk.now_ms();
                desk.apply(Event::Blocked { artist: caller, who, is_blocked, now_ms });
                Ok(Reply::Done)
            })
            .await?
    }

    /// Whom the caller keeps off his jobs.
    pub(super) async fn blocks(&self, caller: PublicKey) -> Result<Reply, Refused> {
        let blocks = self.desk.ask(move |desk| views(&desk.state().book, caller));
        Ok(Reply::Blocks(blocks.await?))
    }

    /// Has a scene dropped once no job needs it.
    pub(super) async fn drop_scene(
        &self,
        caller: PublicKey,
        scene: SceneId,
    ) -> Result<Reply, Refused> {
        self.desk
            .ask(move |desk| {
                if is_kept_for(&desk.state().book, caller, scene)? {
                    let now_ms = desk.now_ms();
                    desk.apply(Event::SceneDropped { artist: caller, scene, now_ms });
                }
                Ok(Reply::Done)
            })
            .await?
    }
}

/// Whom an artist keeps off, with names of some of the nodes that it means.
fn views(book: &Book, artist: PublicKey) -> Vec<BlockView> {
    let view = |(who, since_ms): (PublicKey, u64)| {
        let is_node = book.nodes.contains_key(&NodeId(who.0));
        (who, BlockView { who, is_node, nodes: Vec::new(), since_ms })
    };
    let mut views: BTreeMap<PublicKey, BlockView> = book.blocks.of(artist).map(view).collect();
    if views.is_empty() {
        return Vec::new();
    }
    for node in book.nodes.values() {
        // A node without an owner has but one key.
        for key in BTreeSet::from([PublicKey(node.id.0), node.facts.owner]) {
            if let Some(view) = views.get_mut(&key).filter(|view| view.nodes.len() < NAMES_MAX) {
                view.nodes.push(node.facts.name.clone());
            }
        }
    }
    views.into_values().collect()
}

/// Whether a node has this key, or an owner of one.
fn is_known(book: &Book, who: PublicKey) -> bool {
    book.nodes.contains_key(&NodeId(who.0))
        || book.nodes.values().any(|node| node.facts.owner == who)
}

/// Keys are free and the list is kept for ever: only who has had something rendered keeps one, of
/// nodes that are known.
fn may_block(book: &Book, caller: PublicKey, who: PublicKey) -> Result<(), Refused> {
    if !book.jobs.values().any(|job| job.artist == caller) {
        let message = "you have no jobs here to keep nodes off; order one first";
        return Err(refused(RefusedCode::NotAllowed, message));
    }
    if !is_known(book, who) {
        let message = format!(
            "no node of that key, and none of an owner of that key, is known here: {who}; see them with tessera nodes list"
        );
        return Err(refused(RefusedCode::NotFound, message));
    }
    if book.blocks.of(caller).count() >= limits::BLOCKS_MAX {
        let message = format!(
            "you have blocked {} nodes and owners, which is as many as can be; let some back, or say with --owners or --pool who is to render",
            limits::BLOCKS_MAX
        );
        return Err(refused(RefusedCode::NotAllowed, message));
    }
    Ok(())
}

/// Whether the farm keeps a scene for jobs of an artist's, of which none is under way.
fn is_kept_for(book: &Book, artist: PublicKey, scene: SceneId) -> Result<bool, Refused> {
    let mut own = book.jobs.values().filter(|job| job.artist == artist && job.spec.scene == scene);
    let Some(first) = own.next() else {
        let message = format!("you have no job of such a scene: {scene}");
        return Err(refused(RefusedCode::NotFound, message));
    };
    let mut is_kept = false;
    for job in std::iter::once(first).chain(own) {
        if !job.is_over() {
            let message = format!("{} is not over and needs it; stop or cancel it first", job.id);
            return Err(refused(RefusedCode::NotAllowed, message));
        }
        is_kept |= !job.expired && !job.scene_dropped;
    }
    Ok(is_kept)
}
