//! First words: versions, owners, grants, golden films.

use std::sync::PoisonError;

use ledger::{ApplyError, Code, Transfer, account};
use protocol::message::{NodeHello, Qualification, Refused, RefusedCode};
use protocol::offer;
use protocol::sign::public_key;
use protocol::{Invitation, NodeId, PROTOCOL_VERSION, PublicKey, Reply, Role, limits};

use super::{Bytes, Door, blocking, chain, internal, refused};
use crate::core::{Event, NodeFacts};
use crate::money;
use crate::shell::golden::{self, GoldenError};
use crate::shell::till;

impl Door {
    /// Whether a caller may come in: on a private farm, who was invited.
    pub(super) fn invited(&self, invitation: Option<Invitation>) -> Result<(), Refused> {
        match self.invitation {
            None => Ok(()),
            Some(_) if invitation == self.invitation => Ok(()),
            Some(_) => Err(refused(RefusedCode::NotInvited, NOT_INVITED)),
        }
    }

    pub(super) async fn hello(
        &self,
        caller: PublicKey,
        protocol: u32,
        role: Role,
    ) -> Result<Reply, Refused> {
        if protocol != PROTOCOL_VERSION {
            let message = format!(
                "you speak protocol {protocol}, this farm speaks {PROTOCOL_VERSION}; use the version of Tessera that the farm uses"
            );
            return Err(refused(RefusedCode::Version, message));
        }
        let qualify = match role {
            Role::Client => {
                self.welcome_grant(caller).await?;
                None
            }
            Role::Node(hello) => self.meet(NodeId(caller.0), hello).await?,
        };
        let scheduler = public_key(&self.key);
        Ok(Reply::Welcome { scheduler, engine: renderer::ENGINE, qualify })
    }

    /// The welcome grant: once for each key, however often it says hello, while there are any today.
    async fn welcome_grant(&self, to: PublicKey) -> Result<(), Refused> {
        let amount = self.config.welcome_grant();
        if amount.is_zero() {
            return Ok(());
        }
        if self.has_grant(to).await? || !self.turnstile.grant() {
            return Ok(());
        }
        let applied = self
            .till
            .ask(move |ledger| {
                let id = money::grant_id(to);
                let accounts = (account::issuance(), account::wallet(to));
                let grant = Transfer::posted(id, accounts, amount, Code::Grant);
                ledger.apply(&[grant], till::now_ms()).map(|_applied| ())
            })
            .await?;
        applied.map_err(|error: ApplyError| internal("the welcome grant was not made", error))
    }

    /// Whether a key has had its welcome grant.
    async fn has_grant(&self, key: PublicKey) -> Result<bool, Refused> {
        Ok(self.till.ask(move |ledger| ledger.contains(money::grant_id(key))).await?)
    }

    /// What a key is told that has too few tokens, and missed its welcome grant.
    pub(super) async fn about_grants(&self, key: PublicKey) -> Result<&'static str, Refused> {
        let missed = !self.config.welcome_grant().is_zero() && !self.has_grant(key).await?;
        Ok(if missed { NO_GRANT } else { "" })
    }

    /// A node's hello: what it must render before it gets work, if anything.
    async fn meet(&self, node: NodeId, hello: NodeHello) -> Result<Option<Qualification>, Refused> {
        if hello.engine != renderer::ENGINE {
            let message = format!(
                "your renderer is {}, this farm takes films of {} only; use the version of Tessera that the farm uses",
                hello.engine,
                renderer::ENGINE
            );
            return Err(refused(RefusedCode::Version, message));
        }
        for (what, text) in [("name", &hello.name), ("backend", &hello.backend)] {
            let chars = text.chars().count();
            if chars > limits::NAME_CHARS_MAX {
                let max = limits::NAME_CHARS_MAX;
                let message = format!("the node's {what} has {chars} characters, at most {max}");
                return Err(refused(RefusedCode::BadRequest, message));
            }
            // Others read it in their terminals and logs.
            if text.contains(char::is_control) {
                let message = format!("the node's {what} has control characters: {text:?}");
                return Err(refused(RefusedCode::BadRequest, message));
            }
        }
        offer::check_ask(hello.ask_per_gray).map_err(|error| {
            let message = format!("the node's ask cannot be met: {error}");
            refused(RefusedCode::BadRequest, message)
        })?;
        hello
            .equipment
            .validate()
            .map_err(|error| refused(RefusedCode::BadRequest, error.to_string()))?;
        let owner = owner_of(node, &hello)?;
        let facts = NodeFacts {
            name: hello.name,
            backend: hello.backend,
            equipment: hello.equipment,
            engine: hello.engine,
            owner,
            rays_per_second: hello.rays_per_second,
            ask_per_gray: hello.ask_per_gray,
        };
        let (class, barred, seed) = self
            .desk
            .ask(move |desk| {
                let now_ms = desk.now_ms();
                let known = desk.state().book.nodes.get(&node);
                if known.is_none_or(|known| known.facts != facts) {
                    desk.apply(Event::NodeMet { node, facts });
                }
                desk.apply(Event::Heard { node, now_ms });
                let book = &desk.state().book;
                let known = book.nodes.get(&node);
                (
                    known.and_then(|known| known.class),
                    known.is_some_and(|known| known.barred),
                    book.secret.golden_seed(node, book.boot, now_ms),
                )
            })
            .await?;
        if barred {
            return Err(refused(RefusedCode::NotAllowed, BARRED));
        }
        if class.is_some() {
            return Ok(None);
        }
        let settings = golden::settings(seed);
        let mut asked = self.qualifying.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(node, settings.clone());
        Ok(Some(Qualification { settings }))
    }

    pub(super) async fn qualify(&self, caller: PublicKey, body: Bytes) -> Result<Reply, Refused> {
        let node = NodeId(caller.0);
        let asked = {
            let mut asked = self.qualifying.lock().unwrap_or_else(PoisonError::into_inner);
            asked.remove(&node)
        };
        let Some(settings) = asked else {
            let message = "no golden film was asked for; say hello first";
            return Err(refused(RefusedCode::BadRequest, message));
        };
        let _turn = self.renders.acquire().await;
        let backend = self.backend.clone();
        let judged = blocking(move || {
            let mut backend = backend.lock().unwrap_or_else(PoisonError::into_inner);
            golden::judge(&body, &settings, &mut backend)
        })
        .await?;
        let class = match judged {
            Ok(class) => class,
            Err(error @ (GoldenError::Prepare(_) | GoldenError::Render(_))) => {
                return Err(internal("the golden frame was not rendered here", error));
            }
            Err(error) => {
                tracing::warn!(%node, "not qualified: {error}");
                return Err(refused(RefusedCode::NotAllowed, chain(&error)));
            }
        };
        self.desk.ask(move |desk| desk.apply(Event::Qualified { node, class })).await?;
        tracing::info!(%node, ?class, "qualified");
        Ok(Reply::Qualified { class })
    }
}

/// What a caller is told who has another ticket of a private farm, or an old one.
const NOT_INVITED: &str = "this farm is private and your ticket does not invite you, or does not any more; ask whoever runs it for its ticket of today";

/// What a key is told that has no welcome grant because others had the day's.
const NO_GRANT: &str = "; the farm's welcome grants of today were given to others, so come again tomorrow, or redeem a voucher";

/// What a convicted node is told.
pub(super) const BARRED: &str = "this node was convicted of a wrong film and gets no more work; its held pay is on the appeal account; if the film was good, appeal: tessera verdicts list, tessera verdicts appeal, both with --key FOLDER/key";

/// The owner that a hello proves, or the node itself.
fn owner_of(node: NodeId, hello: &NodeHello) -> Result<PublicKey, Refused> {
    let Some(binding) = &hello.owner else { return Ok(node.into()) };
    let bad = |message: String| refused(RefusedCode::NotAllowed, message);
    let binding_node = binding
        .open()
        .map_err(|error| bad(format!("the owner's word is not valid: {}", chain(&error))))?
        .node;
    if binding_node != node {
        return Err(bad(format!("the owner's word is for {binding_node}, you are {node}")));
    }
    Ok(binding.signer())
}
