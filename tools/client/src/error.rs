//! What can go wrong between a customer and a farm.

use farm_node::WitnessError;
use film::{FilmError, InsertError};
use proof::ConsistencyError;
use protocol::message::Refused;
use protocol::{DecodeError, Reply, SignError};
use transport::identity::IdentityError;
use transport::{BindError, CallError, ConnectError, SceneError};

/// Why there is no answer, or none to believe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key file cannot be used.
    #[error(transparent)]
    Key(IdentityError),
    /// No temporary folder.
    #[error("no folder for scenes under way can be made")]
    Folder(#[source] std::io::Error),
    /// No socket.
    #[error("no network socket can be opened")]
    Bind(#[source] BindError),
    /// Nobody answers at the ticket's addresses.
    #[error("the farm cannot be reached")]
    Connect(#[source] ConnectError),
    /// It answers, and does not admit us.
    #[error("the farm did not let us in")]
    Hello(#[source] CallError),
    /// Somebody else answers.
    #[error("the peer signs with another key than the ticket's; ask the farm for a new ticket")]
    OtherKey,
    /// The farm's ledger tells another story than it did before.
    #[error(transparent)]
    Ledger(WitnessError),
    /// The farm's refusal, or a call that did not get through.
    #[error(transparent)]
    Call(CallError),
    /// It was dialled again for a while.
    #[error("the farm does not answer any more")]
    Gone(#[source] CallError),
    /// The program was asked to stop before there was an answer.
    #[error("interrupted")]
    Stopped,
    /// An answer to another question.
    #[error(
        "the scheduler answered {0}, which does not fit the question; it may run another version"
    )]
    Unexpected(String),
    /// The scene cannot be stored for sending.
    #[error("the scene cannot be sent")]
    Scene(#[source] SceneError),
    /// The quote's signature is not the scheduler's.
    #[error("the quote is not genuine")]
    QuoteSign(#[source] SignError),
    /// The quote is for something else.
    #[error("the quote is for another job; nothing was ordered")]
    QuoteJob,
    /// The quote is on other terms.
    #[error("the quote is on other terms than were asked for; nothing was ordered")]
    QuoteTerms,
    /// A verdict's signature is not the scheduler's.
    #[error("a verdict is not genuine")]
    Verdict(#[source] SignError),
    /// A film that is not what was accepted.
    #[error(transparent)]
    Film(#[from] FilmFault),
    /// A receipt that cannot be read.
    #[error("the reply is no receipt")]
    Receipt(#[source] DecodeError),
    /// A checkpoint that cannot be read.
    #[error(transparent)]
    Checkpoint(ConsistencyError),
}

/// What is wrong with a film.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilmFault {
    /// A tile that the frame does not have.
    #[error("the scheduler named a tile past the frame")]
    Tile,
    /// A shot that the job does not have.
    #[error("the scheduler named a shot that the job does not have")]
    Shot,
    /// Another size or layout.
    #[error("a film has another size or layout")]
    Layout(#[source] FilmError),
    /// Other bytes than those that were accepted.
    #[error("a film's bytes are not the accepted ones; fetch it again")]
    Bytes,
    /// It does not go with the others of its frame.
    #[error("an accepted film does not fit its frame")]
    Fit(#[source] InsertError),
}

impl Error {
    /// The farm's own reason, where it has refused.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refused> {
        match self {
            Self::Call(CallError::Refused(refused)) | Self::Hello(CallError::Refused(refused)) => {
                Some(refused)
            }
            _other => None,
        }
    }

    /// Whether the connection is the matter, so that asking again on another may help.
    #[must_use]
    pub const fn is_of_network(&self) -> bool {
        match self {
            Self::Call(error) | Self::Gone(error) | Self::Hello(error) => !matches!(
                error,
                CallError::Refused(_) | CallError::TooLarge(_) | CallError::Decode { .. }
            ),
            Self::Connect(error) => !matches!(error, ConnectError::Key(_)),
            _other => false,
        }
    }

    /// The error with its causes, in one sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        words
    }

    pub(crate) fn unexpected(reply: &Reply) -> Self {
        let text = format!("{reply:?}");
        Self::Unexpected(text.chars().take_while(|c| c.is_alphanumeric()).collect())
    }
}
