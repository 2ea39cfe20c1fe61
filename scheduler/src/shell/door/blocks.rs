//! What an artist wants for all of his jobs: nodes that are kept off them, scenes that they need no
//! longer.

use protocol::message::{Refused, RefusedCode};
use protocol::view::BlockView;
use protocol::{NodeId, PublicKey, Reply, SceneId, limits};

use super::{Door, refused};
use crate::core::{Book, Event};

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
        let blocks = self.desk.ask(move |desk| {
            let book = &desk.state().book;
            let view = |(who, since_ms): (PublicKey, u64)| {
                let is_node = book.nodes.contains_key(&NodeId(who.0));
                BlockView { who, is_node, nodes: names(book, who), since_ms }
            };
            book.blocks.of(caller).map(view).collect()
        });
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
                may_drop(&desk.state().book, caller, scene)?;
                let now_ms = desk.now_ms();
                desk.apply(Event::SceneDropped { artist: caller, scene, now_ms });
                Ok::<(), Refused>(())
            })
            .await??;
        self.scene_uses.release(scene);
        Ok(Reply::Done)
    }
}

/// Names of the nodes that a key means: its own, or all of an owner's.
fn names(book: &Book, who: PublicKey) -> Vec<String> {
    let is_meant = |node: &&crate::core::Node| node.id.0 == who.0 || node.facts.owner == who;
    let meant = book.nodes.values().filter(is_meant);
    meant.take(limits::BLOCKS_MAX).map(|node| node.facts.name.clone()).collect()
}

/// Keys are free and the list is kept for ever: only who has had something rendered keeps one, of
/// nodes that are known.
fn may_block(book: &Book, caller: PublicKey, who: PublicKey) -> Result<(), Refused> {
    if !book.jobs.values().any(|job| job.artist == caller) {
        let message = "you have no jobs here to keep nodes off; order one first";
        return Err(refused(RefusedCode::NotAllowed, message));
    }
    if names(book, who).is_empty() {
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

fn may_drop(book: &Book, caller: PublicKey, scene: SceneId) -> Result<(), Refused> {
    let mut own = book.jobs.values().filter(|job| job.artist == caller && job.spec.scene == scene);
    let Some(first) = own.next() else {
        let message = format!("you have no job of such a scene: {scene}");
        return Err(refused(RefusedCode::NotFound, message));
    };
    match std::iter::once(first).chain(own).find(|job| !job.is_over()) {
        None => Ok(()),
        Some(job) => {
            let message = format!("{} is not over and needs it; stop or cancel it first", job.id);
            Err(refused(RefusedCode::NotAllowed, message))
        }
    }
}
