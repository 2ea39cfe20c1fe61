//! How a node and its machine are, once a second while somebody wants to know.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::bench::Rendering;
use crate::cards::{self, Card};
use crate::duty::Duty;
use crate::event::NodeEvent;
use crate::manners;
use crate::wishes::Wishes;
use crate::work::Workshop;

/// How often it is told.
const BEAT: Duration = Duration::from_secs(1);

/// How a node and its machine are. What no sensor tells is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Vitals {
    /// The graphics cards that may be the one that renders, of those that tell something: the one whose
    /// name the backend has, or all where none has it; none on the CPU, since to ask wakes a card.
    pub cards: Vec<Card>,
    /// The hottest sensor of the processor, °C.
    pub cpu_temperature_c: Option<f32>,
    /// Scenes on disk, bytes.
    pub cache_bytes: u64,
    /// Of scenes fetched since the start, bytes.
    pub fetched_bytes: u64,
    /// Of films handed in and scenes given since the start, bytes.
    pub sent_bytes: u64,
    /// What is being rendered.
    pub rendering: Option<Rendering>,
    /// The share of the time that the worker may compute.
    pub duty: Duty,
    /// Rests that the worker was given for it since the start.
    pub rests: u64,
}

impl fmt::Display for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes / 1_000_000;
        let (fetched, sent) = (megabytes(self.fetched_bytes), megabytes(self.sent_bytes));
        write!(
            f,
            "{} MB of scenes, {fetched} MB fetched, {sent} MB sent",
            megabytes(self.cache_bytes)
        )?;
        if let Some(celsius) = self.cpu_temperature_c {
            write!(f, "; processor {celsius:.0} °C")?;
        }
        self.cards.iter().try_for_each(|card| write!(f, "; {card}"))
    }
}

/// Tells them while they are wished for, until it is aborted.
pub(crate) async fn tell(mut wishes: watch::Receiver<Wishes>, workshop: Arc<Workshop>) {
    loop {
        if wishes.wait_for(|wishes| wishes.vitals).await.is_err() {
            return;
        }
        let duty = wishes.borrow().duty_percent;
        let vitals = vitals(duty, &workshop).await;
        (workshop.events)(NodeEvent::Vitals(Box::new(vitals)));
        tokio::time::sleep(BEAT).await;
    }
}

async fn vitals(duty: Option<Duty>, workshop: &Workshop) -> Vitals {
    let backend = workshop.studio.description().to_owned();
    // Files and drivers may take their time.
    let sensors = move || (cards_of(&backend), manners::cpu_temperature_c());
    let sensed = tokio::task::spawn_blocking(sensors).await;
    let (cards, cpu_temperature_c) = sensed.unwrap_or_default();
    let carried = workshop.peer.carried();
    Vitals {
        cards,
        cpu_temperature_c,
        cache_bytes: workshop.shelf().cache.total_bytes(),
        fetched_bytes: carried.down_bytes,
        sent_bytes: carried.up_bytes,
        rendering: workshop.bench.rendering(),
        duty: duty.unwrap_or(Duty::FULL),
        rests: workshop.studio.reins().map_or(0, |reins| reins.rests()),
    }
}

fn cards_of(backend: &str) -> Vec<Card> {
    if backend.starts_with("cpu") { Vec::new() } else { rendering(backend, cards::cards().0) }
}

/// Of the cards that tell something, those that may be what this backend renders on.
fn rendering(backend: &str, mut cards: Vec<Card>) -> Vec<Card> {
    cards.retain(|card| !card.is_silent());
    if cards.iter().any(|card| backend.contains(&card.name)) {
        cards.retain(|card| backend.contains(&card.name));
    }
    cards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_that_renders_is_known_by_its_name() {
        let check = |backend: &str, names: &[&str], expected: &[&str]| {
            let card = |name: &&str| Card {
                name: (*name).to_owned(),
                temperature_c: (*name != "silent").then_some(50.0),
                ..Card::default()
            };
            let cards = rendering(backend, names.iter().map(card).collect());
            let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
            assert_eq!(names, expected, "{backend}");
        };
        let backend = "gpu NVIDIA GeForce RTX 4070 (Vulkan)";
        let (one, other) = ("NVIDIA GeForce RTX 4070", "NVIDIA GeForce GTX 1060");
        check(backend, &["card0", one, other, "silent"], &[one]);
        check(backend, &[one, one], &[one, one]);
        check("gpu AMD Radeon (Vulkan)", &["card0", "card1", "silent"], &["card0", "card1"]);
        check(backend, &["silent"], &[]);
        check(backend, &[], &[]);
        assert_eq!(cards_of("cpu, 8 threads"), []);
    }
}
