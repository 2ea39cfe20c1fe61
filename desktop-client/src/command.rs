//! What a person can ask of the app: one list for buttons, keys, the palette and tests.

mod conditions;
mod keys;
mod table;

use std::path::PathBuf;

use farm_node::{Hold, Unwanted};
use film::Look;
use protocol::view::JobSummary;
use protocol::{AccountId, Crop, JobId, Selection, ShotIndex, Size, Steering, TileIndex};

use crate::state::blocks::Blocking;
use crate::state::compare;
use crate::state::draft::Draft;
use crate::state::jobs::Wish;
use crate::state::lending::Lending;
use crate::state::port::Port;
use crate::state::settings::Theme;
use crate::state::sheet::{SaveSheet, Sheet};
use crate::state::stage::{Light, Standpoint, Surroundings};
use crate::state::wallet::Act;
use crate::state::{Door, Pane};

pub use keys::{Shortcut, read_keys};
pub use table::{ACTIONS, Action, Group, action, door_name};

/// Asked by a screen or a key; carried out after the frame is drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Open a door.
    Open(Door),
    /// Show the scene or the job behind the Render door.
    Show(Pane),
    /// Put a sheet over the page, or take it away.
    Sheet(Option<Sheet>),
    /// Connect to the farm of this ticket.
    Connect(String),
    /// Do not wait for the next attempt.
    RetryNow,
    /// Ask the farm's books again.
    Refresh,
    /// Fetch the newest rows of an account.
    Statement(AccountId),
    /// Fetch older rows of the wallet.
    OlderEntries,
    /// Do something with the wallet or the key.
    Wallet(Act),
    /// Fetch what the caller's nodes have earned.
    Earnings,
    /// Keep somebody off one's jobs, or let him back.
    Block(Blocking),
    /// Put text on the clipboard.
    Copy(String),

    /// Import a scene.
    OpenScene(PathBuf),
    /// Import the scene on the stage again.
    ReloadScene,
    /// Clear the stage.
    CloseScene,
    /// Look from there.
    Stand(Standpoint),
    /// Add this light.
    Shine(Light),
    /// Put an image of light around the scene, or what its file has there.
    Surround(Option<Surroundings>),
    /// Show this frame of the scene.
    SetFrame(u32),
    /// Ask for the preview again, whatever was asked.
    LookAgain,
    /// There is so much room for the preview, pixels of the screen.
    Room(Size),
    /// See light so.
    SetLook(Look),
    /// Change what will be ordered.
    SetDraft(Box<Draft>),
    /// Whether the next drag over the preview draws what of the frame is rendered.
    DrawCrop(bool),
    /// Render only this part of the frame, or all of it.
    SetCrop(Option<Crop>),
    /// Ask for a firm price, and let it follow the settings.
    GetPrice,
    /// Order what the firm price is for.
    Submit,

    /// Look at a shot of a job.
    Watch {
        /// The job.
        job: JobId,
        /// The shot.
        shot: ShotIndex,
    },
    /// Look at the next job of the list.
    NextJob,
    /// Look at the previous job of the list.
    PreviousJob,
    /// Change the course of a job.
    Steer {
        /// Of which.
        job: JobId,
        /// How.
        steering: Steering,
    },
    /// Ask where the watched picture is to be saved.
    AskToSave,
    /// Save pictures.
    Save(Box<SaveSheet>),
    /// Show what is known of the watched frame without the farm's word, and find it out.
    Verify,
    /// Find it out again.
    VerifyAgain {
        /// By so many random pixels.
        pixels: u32,
    },
    /// Do not find it out.
    StopVerifying,
    /// Pause the watched job, or let it go on.
    PauseOrResume,
    /// Ask whether the watched job is to end.
    AskToStop,
    /// Put the exposure back.
    ResetExposure,
    /// Play the frames that are at hand, or stop at the one that is shown.
    PlayOrPause,
    /// Look at the frame so many further on.
    StepFrame(i64),
    /// Fetch finished frames, to be played.
    FetchFrames,
    /// Fetch no more of them.
    StopFetchingFrames,
    /// Keep pictures beside each other, and look at them.
    Compare(compare::Wish),
    /// See this part of the watched picture.
    SetPort(Port),

    /// Show the farm's nodes, or one's own.
    ShowFarm(bool),
    /// Start one's own node.
    StartNode,
    /// Let it hand in what is at hand, and end it.
    StopNode,
    /// Let it rest.
    PauseNode(Hold),
    /// Let it go on.
    ResumeNode,
    /// Let it work for a while though one uses the machine.
    RunAnyway,
    /// Do not render this job on the machine.
    Refuse(Box<Unwanted>),
    /// Lend the machine so.
    SetLending(Box<Lending>),
    /// Start a farm of one's own on this machine, and connect to it.
    StartOwnFarm,
    /// End it.
    StopOwnFarm,

    /// Bright or dark.
    SetTheme(Theme),
    /// Make everything so much larger.
    SetZoom(f32),
    /// Whether scenes are sent ahead for a firm price.
    SendAhead(bool),
    /// Whether the app is started with the session, to lend the machine.
    StartWithSession(bool),
    /// Put a notice away.
    Dismiss(u64),
    /// Show a folder in the system's own window.
    ShowFolder(PathBuf),

    /// Look otherwise at the list of jobs, or do something to what is chosen of it.
    Jobs(Wish),
}

impl Command {
    /// Has a tile of a picture rendered before all others, or all of the picture.
    #[must_use]
    pub fn first(job: &JobSummary, shot: ShotIndex, tile: Option<TileIndex>) -> Self {
        let shot = job.spec.shot(shot);
        let (frame, view) = (shot.map(|shot| shot.frame), shot.map(|shot| shot.view));
        let steering = Steering::First(Selection { frame, view, tile });
        Self::Steer { job: job.job, steering }
    }
}

/// The commands of one frame, in order.
pub type Commands = Vec<Command>;
