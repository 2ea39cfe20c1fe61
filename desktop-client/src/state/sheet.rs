//! What lies over the page until it is answered or put away.

use std::path::PathBuf;

use farm_node::Unwanted;
use protocol::{JobId, NodeId, ShotIndex, Steering};

use super::wallet::WalletSheet;

/// A sheet, with what a person has typed into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sheet {
    /// Which scene is opened.
    OpenScene {
        /// The path, as typed.
        path: String,
    },
    /// Which image of light is put around the scene.
    Surround {
        /// The path, as typed.
        path: String,
    },
    /// Every command, by its words.
    Palette {
        /// What is looked for.
        query: String,
        /// Which of those found is chosen.
        chosen: usize,
    },
    /// Every key.
    Keys,
    /// What happened.
    Notices,
    /// Where a picture is saved.
    Save(SaveSheet),
    /// What is checked of the watched frame.
    Verify {
        /// How many pixels are rendered again the next time.
        pixels: u32,
    },
    /// Whether a job is to end with what it has.
    Stop(JobId),
    /// Whether a job is to end at once.
    Cancel(JobId),
    /// Whether several jobs are to end.
    EndMany {
        /// Which.
        jobs: Vec<JobId>,
        /// How: [`Steering::Stop`] or [`Steering::Cancel`].
        steering: Steering,
    },
    /// Whether a job is not to be rendered on this machine, and why.
    Refuse(Unwanted),
    /// Whether a node is to get no more of one's jobs.
    Block {
        /// Those that are in question.
        nodes: Vec<NodeId>,
        /// The one of them that is meant.
        node: NodeId,
    },
    /// Whom one keeps off one's jobs.
    Blocks,
    /// What is done with the wallet or the key.
    Wallet(WalletSheet),
    /// Which priority jobs are to have.
    Prefer {
        /// Which.
        jobs: Vec<JobId>,
        /// The priority so far.
        priority: u8,
    },
}

impl Sheet {
    /// Asks whether one of these nodes is to be blocked; nothing where there is none.
    #[must_use]
    pub fn block(nodes: Vec<NodeId>) -> Option<Self> {
        let node = *nodes.first()?;
        Some(Self::Block { nodes, node })
    }
}

/// Where and how pictures of a job are saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveSheet {
    /// Of which job.
    pub job: JobId,
    /// Of which shot; of all of them without one.
    pub shot: Option<ShotIndex>,
    /// Folder, as typed.
    pub folder: String,
    /// Name without its ending, as typed; may hold `{frame}` and `{camera}`.
    pub name: String,
    /// Whether the light is saved, as an EXR.
    pub exr: bool,
    /// Whether it is saved as it looks, as a PNG.
    pub png: bool,
    /// Whether files that are there are replaced.
    pub replaces: bool,
}

impl SaveSheet {
    /// The files' paths before cameras and frames are filled in.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let folder = PathBuf::from(self.folder.trim());
        let kinds = [(self.exr, "exr"), (self.png, "png")];
        let chosen = kinds.into_iter().filter(|(chosen, _)| *chosen);
        chosen.map(|(_, ending)| folder.join(format!("{}.{ending}", self.name.trim()))).collect()
    }

    /// What is wrong with it, in a sentence.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        if !(self.exr || self.png) {
            Some("Choose EXR, PNG or both")
        } else if self.name.trim().is_empty() {
            Some("Give the files a name")
        } else if self.name.contains(['/', '\\']) {
            Some("A name cannot hold / or \\; choose another folder for that")
        } else {
            None
        }
    }
}
