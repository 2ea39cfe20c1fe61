//! Lending the machine, and a farm of one's own: what becomes of a person's commands, and of what the
//! processes say.

use std::time::Duration;

use farm_node::{RunAnyway, Wishes};

use super::lending::When;
use super::node::{ANYWAY_MS, RESTARTS, Run, STEADY_MS};
use super::notices::Tone;
use super::own_farm::OwnFarm;
use super::{Door, Link, State, node, own_farm};
use crate::command::Command;
use crate::desk::{Ask, NodeStart};

impl State {
    /// Commands about one's own node and farm.
    pub(super) fn lend(&mut self, command: Command, asks: &mut Vec<Ask>) {
        match command {
            Command::StartNode => {
                (self.node.restarts, self.node.hold, self.node.anyway) = (0, None, None);
                self.start_node(asks);
            }
            Command::StopNode if self.node.run != Run::Off => {
                self.node.run = Run::Stopping;
                asks.push(Ask::StopNode);
            }
            Command::PauseNode(hold) => {
                self.node.hold = Some(hold);
                self.node.anyway = None;
                self.tell_node(asks);
            }
            Command::ResumeNode => {
                self.node.hold = None;
                self.tell_node(asks);
            }
            Command::RunAnyway => {
                self.node.hold = None;
                let on_battery = self.node.pauses_for_battery();
                let until_ms = self.now_ms + ANYWAY_MS;
                self.node.anyway = Some(RunAnyway { until_ms, on_battery });
                self.tell_node(asks);
            }
            Command::Refuse(job) => {
                self.sheet = None;
                self.settings.lending.refuse(*job);
                self.remember(asks);
                self.tell_node(asks);
            }
            Command::SetLending(lending) => {
                self.settings.lending = *lending;
                self.remember(asks);
                self.tell_node(asks);
            }
            Command::StartOwnFarm => {
                self.own_farm = OwnFarm::Starting;
                self.settings.own_farm = true;
                self.remember(asks);
                asks.push(Ask::StartFarm);
            }
            Command::StopOwnFarm => {
                self.settings.own_farm = false;
                self.remember(asks);
                asks.push(Ask::StopFarm);
            }
            _other => {}
        }
    }

    /// Tells the node what its owner wishes, where there is one.
    pub(super) fn tell_node(&self, asks: &mut Vec<Ask>) {
        if matches!(self.node.run, Run::Preparing | Run::Up) {
            asks.push(Ask::Wish(Box::new(self.wishes())));
        }
    }

    /// What the owner wishes of his node. On a farm of his own it works at any time: it works for
    /// him, and he sits before it.
    fn wishes(&self) -> Wishes {
        let mut lending = self.settings.lending.clone();
        if self.is_on_own_farm() {
            lending.when = When::Always;
        }
        Wishes { vitals: self.door == Door::MyNode, ..self.node.wishes(&lending) }
    }

    /// Whether the farm is the own one.
    #[must_use]
    pub fn is_on_own_farm(&self) -> bool {
        matches!(&self.own_farm, OwnFarm::Up { ticket } if *ticket == self.ticket)
    }

    pub(super) fn start_node(&mut self, asks: &mut Vec<Ask>) {
        if self.node.run != Run::Off || self.ticket.is_empty() {
            return;
        }
        let last = std::mem::take(&mut self.node);
        let restarts = last.restarts;
        self.node = node::Node {
            run: Run::Preparing,
            restarts,
            lines: last.lines,
            hold: last.hold,
            anyway: last.anyway,
            ..node::Node::default()
        };
        let name = self.settings.lending.name.trim();
        let start = NodeStart {
            ticket: self.ticket.clone(),
            name: if name.is_empty() { "desktop".to_owned() } else { name.to_owned() },
            wishes: self.wishes(),
            // Twice as long each time: what ends it may pass.
            after: Duration::from_secs(if restarts == 0 { 0 } else { 2u64.pow(restarts) }),
        };
        asks.push(Ask::StartNode(Box::new(start)));
    }

    /// Why one's own node, which is ready, has no work; as far as that is known.
    #[must_use]
    pub fn why_no_work(&self) -> &'static str {
        let Some(farm) = self.book.farm.get() else { return "It waits for work" };
        let own = self.node.id.as_deref();
        let view = farm.nodes.iter().find(|node| own == Some(node.node.to_string().as_str()));
        match view {
            Some(node) if node.barred => "The farm bars it: a result of its was refused",
            Some(node) if node.class.is_none() => "The farm still judges its first picture",
            Some(node) if node.ask_per_gray > node.base_per_gray => {
                "The farm's base price is below what it asks; only jobs that bid more are offered"
            }
            _other if farm.jobs_active == 0 => "No job is under way on this farm",
            _other => "What is under way is with other nodes, or asks for other ones",
        }
    }

    /// What the node says; one that ends by itself is started again a few times.
    pub(super) fn hear_node(&mut self, event: node::Event, asks: &mut Vec<Ask>) {
        let ended = match &event {
            node::Event::Ended { trouble } => trouble.clone(),
            node::Event::Said(_) => None,
        };
        let was_up_long =
            self.node.up_since_ms.is_some_and(|since_ms| self.now_ms > since_ms + STEADY_MS);
        self.node.apply(event);
        if self.node.is_connected && self.node.up_since_ms.is_none() {
            self.node.up_since_ms = Some(self.now_ms);
        }
        let Some(why) = ended else { return };
        if was_up_long {
            self.node.restarts = 0;
        }
        if self.node.restarts < RESTARTS && self.link == Link::Connected {
            self.node.restarts += 1;
            self.start_node(asks);
            self.node.trouble = Some(why);
        } else {
            let words = format!("{why}. It is not started again by itself");
            self.notices.add(self.now_ms, Tone::Bad, words);
        }
    }

    /// What becomes of the own farm; the app connects to it as soon as it is up.
    pub(super) fn hear_own_farm(&mut self, event: own_farm::Event, asks: &mut Vec<Ask>) {
        self.own_farm.apply(event);
        match &self.own_farm {
            // Somebody may have chosen another farm meanwhile.
            OwnFarm::Up { ticket } if self.settings.own_farm => {
                asks.extend(self.act(Command::Connect(ticket.clone())));
            }
            OwnFarm::Up { .. } => {}
            OwnFarm::Failed { why } => {
                let words = why.clone();
                self.notices.add(self.now_ms, Tone::Bad, words);
            }
            OwnFarm::Off | OwnFarm::Starting => {}
        }
    }
}
