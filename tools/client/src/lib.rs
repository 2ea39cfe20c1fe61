//! A farm as its customers' programs see it: what the command line and the desktop app share.
//!
//! - [`Caller`] is who asks: a key and a socket.
//! - [`Farm`] is one admission to a farm; one method a question, answers checked before they are
//!   believed.
//! - [`description`] is a job as scripts describe it.
//! - [`pictures`] writes what was rendered to files, [`Shots`] puts accepted films together.
//! - [`verify`] checks receipts, and draws pixels that are rendered again.
//! - [`Pace`] says how fast a transfer goes.
//!
//! Nothing here prints, and nothing decides how a program ends.

mod caller;
pub mod description;
mod error;
mod farm;
mod pace;
pub mod pictures;
pub mod shots;
pub mod verify;

pub use caller::{Caller, checkpoints_beside};
pub use description::{Description, DescriptionError, SceneAsks, SceneImport};
pub use error::{Error, FilmFault};
pub use farm::{Admission, Farm, Grounds, Terms};
pub use pace::Pace;
pub use shots::Shots;
