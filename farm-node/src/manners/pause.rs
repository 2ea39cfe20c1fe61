//! Why a node does not work, and how that ends.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wishes::Hold;

/// Why a node does not work now. As text it says how it ends, too.
///
/// Serialised it is an object whose `kind` is the variant's name as in `user-active`, beside the
/// variant's fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pause {
    /// Its owner wishes it.
    Held {
        /// How it stopped.
        hold: Hold,
    },
    /// Somebody uses the machine.
    UserActive {
        /// Minutes without a key that end the pause.
        away_minutes: u32,
    },
    /// A program that wants the machine for itself runs.
    Exclusive {
        /// Its name.
        program: String,
    },
    /// A program fills the screen.
    FullScreen {
        /// Its name.
        program: String,
    },
    /// The machine is about to sleep.
    Sleep,
    /// Outside the schedule.
    Schedule {
        /// Minutes until the next span.
        resumes_in_minutes: u32,
    },
    /// On battery.
    Battery,
    /// Too hot.
    TooHot {
        /// Now, °C.
        temperature_c: f32,
        /// Below which it goes on, °C.
        resumes_below_c: f32,
    },
    /// The disk is nearly full.
    DiskFull {
        /// Free, bytes.
        free_bytes: u64,
        /// That must be free, bytes.
        wanted_bytes: u64,
    },
    /// The farm gives the node no work over a film that it refused. Ends when the farm lifts it,
    /// which the node asks twice a minute.
    Barred,
    /// The farm gives the node no work for another reason. The node asks again every minute.
    Refused {
        /// The farm's words.
        message: String,
    },
    /// What renders is lost. Ends with the next film that renders, else with a new start.
    BackendLost,
}

impl Pause {
    /// Whether a person takes the machine, so that every moment until it is free counts.
    pub(crate) const fn is_of_a_person(&self) -> bool {
        matches!(
            self,
            Self::Held { hold: Hold::Now }
                | Self::UserActive { .. }
                | Self::Exclusive { .. }
                | Self::FullScreen { .. }
        )
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { hold: Hold::AfterThisTile } => {
                f.write_str("you paused it after a tile; resumes when you start it again")
            }
            Self::Held { hold: Hold::Now } => {
                f.write_str("you stopped it at once; resumes when you start it again")
            }
            Self::UserActive { away_minutes } => {
                write!(f, "you are using this machine; resumes {away_minutes} min after you stop")
            }
            Self::Exclusive { program } => {
                write!(f, "{program} is running; resumes when it ends")
            }
            Self::FullScreen { program } => {
                write!(f, "full-screen program ({program}); resumes when it leaves the screen")
            }
            Self::Sleep => f.write_str("the machine goes to sleep; resumes when it wakes"),
            Self::Schedule { resumes_in_minutes } => {
                let (hours, minutes) = (resumes_in_minutes / 60, resumes_in_minutes % 60);
                write!(f, "outside the schedule; resumes in {hours} h {minutes} min")
            }
            Self::Battery => f.write_str("on battery; resumes when plugged in"),
            Self::TooHot { temperature_c, resumes_below_c } => {
                write!(f, "too hot, {temperature_c:.0} °C; resumes below {resumes_below_c:.0} °C")
            }
            Self::DiskFull { free_bytes, wanted_bytes } => write!(
                f,
                "the disk is nearly full, {} free; resumes at {}",
                gigabytes(*free_bytes),
                gigabytes(*wanted_bytes)
            ),
            Self::Barred => f.write_str("the farm bars this node: a film of its was refused"),
            Self::Refused { message } => f.write_str(message),
            Self::BackendLost => f.write_str("the backend is lost; restart the node"),
        }
    }
}

/// Gigabytes, as people's tools count them, no more than there are; tenths where there are few.
fn gigabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000_000;
    match tenths {
        100.. => format!("{} GB", tenths / 10),
        few => format!("{}.{} GB", few / 10, few % 10),
    }
}
