//! The first words of a connection: hello, the farm's ledger, the golden film.

use bytes::Bytes;
use protocol::chain;
use protocol::message::{Qualification, RefusedCode};
use protocol::{Batch, PublicKey, Reply, Request, Role, limits};
use transport::{CallError, ConnectError, Connection};

use crate::RunError;
use crate::agent::Agent;
use crate::event::NodeEvent;
use crate::witness::{Seen, WitnessError};

/// What came of it.
pub(crate) enum Greeted {
    /// The farm has work for the node: the connection, with the scheduler's key.
    Welcome(Connection, PublicKey),
    /// It is tried again later; why.
    Not(String),
}

/// Connects, says hello, looks at the farm's ledger and qualifies.
///
/// # Errors
/// What no retry heals.
pub(crate) async fn greet(agent: &mut Agent) -> Result<Greeted, RunError> {
    let moved = agent.config.farm_file.as_deref().and_then(|file| agent.config.farm.as_in(file));
    agent.config.farm = moved.unwrap_or_else(|| agent.config.farm.clone());
    let connection = match agent.workshop.peer.connect(&agent.config.farm).await {
        Ok(connection) => connection,
        Err(error @ ConnectError::Key(_)) => return Err(RunError::Ticket(error)),
        Err(error) => return Ok(Greeted::Not(error.to_string())),
    };
    let hello = agent.config.farm.hello(Role::Node(agent.hello.clone()));
    let welcome = connection.call(&hello, Bytes::new(), limits::CALL_TIMEOUT).await;
    let (scheduler, engine, qualify) = match welcome {
        Ok((Reply::Welcome { scheduler, engine, qualify }, _)) => (scheduler, engine, qualify),
        Ok((other, _)) => return Ok(Greeted::Not(unexpected("hello", &other))),
        Err(CallError::Refused(refused))
            if refused.code == RefusedCode::NotInvited && agent.config.farm_file.is_some() =>
        {
            // The ticket of today may come into the file at any time.
            return Ok(Greeted::Not(refused.message));
        }
        Err(error) => return refusal(error).map(Greeted::Not),
    };
    if engine != renderer::ENGINE {
        return Err(RunError::Engine { farm: engine, node: renderer::ENGINE });
    }
    agent.connection = Some(connection.clone());
    agent.tell(NodeEvent::Connected { scheduler });
    // Before any work: it would be paid in the ledger that is looked at.
    let looked = agent.witness.look(&connection, agent.config.farm.key()).await;
    tell_looked(agent, looked)?;
    if let Some(qualification) = qualify
        && let Some(reason) = qualified(agent, &connection, qualification).await?
    {
        return Ok(Greeted::Not(reason));
    }
    agent.workshop.set_line(Some(connection.clone()));
    agent.workshop.tell_given();
    Ok(Greeted::Welcome(connection, scheduler))
}

/// Tells what looking at the farm's ledger found; an error when the farm is not to be worked for.
pub(crate) fn tell_looked(
    agent: &Agent,
    looked: Result<Seen, WitnessError>,
) -> Result<(), RunError> {
    match looked {
        Ok(Seen { entries, witnesses, .. }) => {
            agent.tell(NodeEvent::Witnessed { entries, others: witnesses.len() });
        }
        Err(error) if error.is_final() => return Err(RunError::Witness(error)),
        Err(WitnessError::Call(error)) => tracing::debug!(%error, "no checkpoint came"),
        Err(error) => agent.tell(NodeEvent::Error { message: chain(&error), retry_in: None }),
    }
    Ok(())
}

/// Renders the golden film; `Some` is why the connection is not worth going on with.
async fn qualified(
    agent: &Agent,
    connection: &Connection,
    Qualification { settings }: Qualification,
) -> Result<Option<String>, RunError> {
    settings.validate().map_err(RunError::GoldenSettings)?;
    let chunks = settings.chunk_count();
    let batch = Batch::new(0, chunks).ok_or(RunError::GoldenBatch { chunks })?;
    let film = agent.workshop.studio.ask(move |easel| easel.golden(&settings, batch)).await;
    let film = Bytes::from(film.map_err(RunError::Render)?.to_bytes());
    match connection.call(&Request::Qualify, film, limits::TRANSFER_TIMEOUT).await {
        Ok((Reply::Qualified { class }, _)) => {
            agent.tell(NodeEvent::Qualified { class });
            Ok(None)
        }
        Ok((other, _)) => Ok(Some(unexpected("golden film", &other))),
        Err(error) => refusal(error).map(Some),
    }
}

/// A refusal that no retry heals is an error; anything else is a reason to try again.
fn refusal(error: CallError) -> Result<String, RunError> {
    match error {
        CallError::Refused(refused) => match refused.code {
            RefusedCode::Busy | RefusedCode::Internal => Ok(refused.message),
            _final => Err(RunError::Refused(refused.message)),
        },
        error => Ok(error.to_string()),
    }
}

pub(crate) fn unexpected(to: &str, reply: &Reply) -> String {
    let kind = format!("{reply:?}");
    let kind: String = kind.chars().take_while(char::is_ascii_alphanumeric).collect();
    format!("the scheduler answered the {to} with {kind}, which is no answer to it")
}
