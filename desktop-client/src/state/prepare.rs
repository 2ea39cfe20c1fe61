//! From a scene on the stage to an order: what becomes of what the desks say of it.

use protocol::ShotIndex;

use super::checkout::{Checkout, Price};
use super::draft::Draft;
use super::stage::Sighting;
use super::{Door, Link, Pane, State, checkout, stage};
use crate::desk::Ask;

/// Most samples a pixel of a preview: beyond, one renders.
const PREVIEW_SAMPLES_MAX: u32 = 256;

impl State {
    pub(super) fn restage(&mut self, event: stage::Event, asks: &mut Vec<Ask>) {
        let is_import = matches!(event, stage::Event::Imported(_));
        let is_surrounded = matches!(event, stage::Event::Surrounded { .. });
        let last = if is_import { self.stage.scene.clone() } else { None };
        let is_taken = self.stage.apply(event, &mut self.picture_ids);
        if is_surrounded && is_taken {
            // The same camera, and another scene.
            self.asked_look = None;
            self.look_again(asks);
            if self.checkout.follows && self.link == Link::Connected {
                self.reprice(asks);
            }
        }
        if is_import && is_taken {
            self.set_the_stage(last.as_deref(), asks);
        }
    }

    /// A scene has come onto the stage, in place of `last`.
    fn set_the_stage(&mut self, last: Option<&stage::Staged>, asks: &mut Vec<Ask>) {
        let Some(scene) = &mut self.stage.scene else { return };
        let path = scene.imported.path.clone();
        self.pane = Pane::Stage;
        self.door = Door::Render;
        self.sheet = None;
        match last.filter(|last| last.imported.path == path) {
            // The same file again: where one stands and what one has set stays.
            Some(last) => {
                scene.keep(last);
                if let Some(surroundings) = scene.surrounding.clone() {
                    asks.push(Ask::Surround(Some(surroundings)));
                }
            }
            None => {
                self.draft = Draft::of(scene, &self.draft);
                let wishes = &scene.imported.wishes;
                let view = wishes.view.as_deref().and_then(client::pictures::view_named);
                self.look.view = view.unwrap_or(self.look.view);
                self.look.exposure_ev = wishes.exposure.unwrap_or_default();
                self.checkout =
                    Checkout { serial: self.checkout.serial + 1, ..Checkout::default() };
                asks.push(Ask::DropPrice);
            }
        }
        self.settings.opened(&path);
        self.remember(asks);
        self.look_again(asks);
        if self.settings.sends_ahead {
            self.checkout.follows = true;
        }
        if self.checkout.follows {
            self.reprice(asks);
        }
    }

    pub(super) fn check_out(&mut self, event: checkout::Event, asks: &mut Vec<Ask>) {
        use checkout::Event as News;
        match event {
            News::Price { serial, .. } | News::Firm { serial, .. }
                if serial != self.checkout.serial => {}
            News::Price { price, .. } => {
                if let Price::Refused(_) = &price {
                    self.checkout.orders_if_free = None;
                }
                self.checkout.price = price;
            }
            News::Firm { firm, .. } => {
                let is_free = firm.quote.price.is_zero();
                self.checkout.price = Price::Firm;
                self.checkout.firm = Some(firm);
                let wanted = self.checkout.orders_if_free.take();
                let is_wanted = self.checkout.firm.as_ref().is_some_and(|firm| {
                    wanted.is_some_and(|(spec, offer)| (&spec, offer) == (&firm.spec, firm.offer))
                });
                if is_wanted && is_free {
                    self.order(asks);
                }
            }
            News::Ordered(Ok(job)) => {
                self.checkout.is_ordering = false;
                self.checkout.trouble = None;
                self.checkout.firm = None;
                self.checkout.price = Price::Unknown;
                self.pane = Pane::Job;
                self.watch(job, ShotIndex::default(), asks);
                asks.push(Ask::Refresh);
            }
            News::Ordered(Err(why)) => {
                self.checkout.is_ordering = false;
                self.checkout.trouble = Some(why);
            }
        }
    }

    /// Asks for what one sees of the scene, where that is not what was asked for last.
    pub(crate) fn look_again(&mut self, asks: &mut Vec<Ask>) {
        let (Some(scene), Some(room)) = (&mut self.stage.scene, self.room) else { return };
        let settings = self.draft.settings(scene);
        let size = stage::fitted(settings.size, room);
        let settings = protocol::RenderSettings {
            size,
            crop: None,
            passes: false,
            samples: settings.samples.min(PREVIEW_SAMPLES_MAX),
            ..settings
        };
        let time_s = self.draft.range(scene.frame).time_s(scene.frame);
        let serial = scene.preview.serial;
        let wanted = Sighting { serial, settings, time_s };
        if self.asked_look.as_ref() == Some(&wanted) {
            return;
        }
        scene.preview.serial += 1;
        scene.preview.wanted = wanted.settings.samples;
        scene.preview.samples = 0;
        let wanted = Sighting { serial: scene.preview.serial, ..wanted };
        self.asked_look = Some(wanted.clone());
        asks.push(Ask::Look(Box::new(wanted)));
    }

    /// Asks for the price of what is drafted.
    pub(crate) fn reprice(&mut self, asks: &mut Vec<Ask>) {
        let (Some(scene), Some(identity)) = (&self.stage.scene, &self.identity) else { return };
        self.checkout.serial += 1;
        let serial = self.checkout.serial;
        match self.draft.spec(scene, identity.key) {
            Ok(spec) => {
                let offer = self.draft.offer();
                if self.checkout.holds(&spec, offer, self.now_ms) {
                    self.checkout.price = Price::Firm;
                    return;
                }
                let package = scene.imported.package.clone();
                if !matches!(self.checkout.price, Price::Sending { .. }) {
                    self.checkout.price = Price::Asking;
                }
                let ask = crate::desk::PriceAsk { serial, spec, offer, package };
                asks.push(Ask::Price(Box::new(ask)));
            }
            Err(why) => {
                self.checkout.orders_if_free = None;
                self.checkout.price = Price::Refused(why);
            }
        }
    }

    /// What would be ordered now.
    pub(crate) fn drafted(&self) -> Option<(protocol::JobSpec, protocol::Offer)> {
        let (scene, identity) = (self.stage.scene.as_ref()?, self.identity.as_ref()?);
        Some((self.draft.spec(scene, identity.key).ok()?, self.draft.offer()))
    }

    /// Whether the price on the button is for what is drafted.
    #[must_use]
    pub fn price_holds(&self) -> bool {
        self.drafted().is_some_and(|(spec, offer)| self.checkout.holds(&spec, offer, self.now_ms))
    }

    /// Orders what the firm price is for.
    pub(crate) fn order(&mut self, asks: &mut Vec<Ask>) {
        if !self.price_holds() || self.checkout.is_ordering {
            return;
        }
        if let Some(firm) = &self.checkout.firm {
            self.checkout.is_ordering = true;
            self.checkout.trouble = None;
            asks.push(Ask::Order { firm: firm.clone(), schedule: self.draft.schedule() });
        }
    }
}
