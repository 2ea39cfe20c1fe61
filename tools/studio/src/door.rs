//! What every request has at hand.

use client::Farm;
use tokio::sync::watch;

use crate::book::Desk;
use crate::files::Files;
use crate::films::Films;
use crate::gates::Gates;
use crate::gather::Gather;
use crate::hooks::Courier;
use crate::news::News;
use crate::orders::Orders;
use crate::scenes::Scenes;

/// The studio's door.
pub struct Door {
    /// The farm.
    pub farm: Farm,
    /// What is remembered.
    pub book: Desk,
    /// Files of scenes.
    pub files: Files,
    /// Scenes.
    pub scenes: Scenes,
    /// The studio's jobs.
    pub gather: Gather,
    /// Whoever prices and orders.
    pub orders: Orders,
    /// Pictures.
    pub films: Films,
    /// What happens.
    pub news: News,
    /// Whoever posts to webhooks.
    pub courier: Courier,
    /// How much each token may ask for.
    pub gates: Gates,
    /// True once the door closes.
    pub stop: watch::Receiver<bool>,
}
