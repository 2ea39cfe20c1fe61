//! A farm of one's own on this machine.

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OwnFarm {
    /// There is none, or it does not run.
    #[default]
    Off,
    /// It starts.
    Starting,
    /// It runs.
    Up {
        /// The file of its ticket, as `@FILE`.
        ticket: String,
    },
    /// It does not run, though it should.
    Failed {
        /// Why, in a sentence.
        why: String,
    },
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It can be connected to.
    Up {
        /// The file of its ticket, as `@FILE`.
        ticket: String,
    },
    /// It has ended.
    Ended {
        /// Why, where it was not asked to.
        trouble: Option<String>,
    },
}

impl OwnFarm {
    /// Takes in what becomes of it.
    pub fn apply(&mut self, event: Event) {
        *self = match event {
            Event::Up { ticket } => Self::Up { ticket },
            Event::Ended { trouble: None } => Self::Off,
            Event::Ended { trouble: Some(why) } => Self::Failed { why },
        };
    }
}
