//! What the render thread has: a hand that renders, and perhaps a fraud that guides it.

use bytes::Bytes;
use film::{Film, Sums};
use protocol::{Batch, RenderSettings, Spots};
use renderer::Cancel;
use sandbox::{Confinement, Frame, Hand, Order, Reins, RenderFault};

use crate::cheat::Fraud;

/// Renders what leases ask for, honestly or not. One thread owns it.
pub(crate) struct Painter {
    hand: Hand,
    fraud: Option<Fraud>,
}

impl Painter {
    pub(crate) fn new(hand: Hand, fraud: Option<Fraud>) -> Self {
        Self { hand, fraud }
    }

    pub(crate) fn description(&self) -> String {
        self.hand.description()
    }

    /// What the rendering is locked in with; `None` where it is done in this process.
    pub(crate) fn confinement(&self) -> Option<Confinement> {
        self.hand.confinement()
    }

    /// What halts the rendering; `None` where it is done in this process.
    pub(crate) fn reins(&self) -> Option<Reins> {
        self.hand.reins()
    }

    /// Whether a frame can be rendered without the scene's package.
    pub(crate) fn holds(&mut self, frame: &Frame) -> Result<bool, RenderFault> {
        self.hand.holds(frame)
    }

    /// Renders what a lease asks for; `None` when the package is needed for it.
    pub(crate) fn film(
        &mut self,
        order: &Order,
        package: Option<&Bytes>,
        cancel: &Cancel,
    ) -> Result<Option<Film>, RenderFault> {
        let shown = match &self.fraud {
            Some(fraud) => fraud.instead(order),
            None => order.clone(),
        };
        let film = self.hand.film(&shown, package, cancel)?;
        Ok(film.map(|film| match &mut self.fraud {
            Some(fraud) => fraud.dressed(film, order, &shown),
            None => film,
        }))
    }

    /// Renders the pixels that a verification lease asks for, film by film; `None` when the package is
    /// needed for it.
    pub(crate) fn spots(
        &mut self,
        frame: &Frame,
        spots: &[Spots],
        package: Option<&Bytes>,
    ) -> Result<Option<Vec<Sums>>, RenderFault> {
        // A fraud counts what it is asked: it is asked once.
        if package.is_none() && !self.holds(frame)? {
            return Ok(None);
        }
        let told: Vec<Option<Sums>> = match &mut self.fraud {
            Some(fraud) => spots.iter().map(|spots| fraud.found(frame, spots)).collect(),
            None => spots.iter().map(|_spots| None).collect(),
        };
        let asked = spots.iter().zip(&told).filter(|(_, told)| told.is_none());
        let asked: Vec<Spots> = asked.map(|(spots, _)| spots.clone()).collect();
        let rendered = self.hand.spots(frame, &asked, package, &Cancel::default())?;
        let Some(rendered) = rendered else { return Ok(None) };
        let mut rendered = rendered.into_iter();
        Ok(told.into_iter().map(|told| told.or_else(|| rendered.next())).collect())
    }

    /// Renders a whole frame of the built-in scene, honestly.
    pub(crate) fn golden(
        &mut self,
        settings: &RenderSettings,
        batch: Batch,
    ) -> Result<Film, RenderFault> {
        self.hand.golden(settings, batch)
    }

    /// Metered rays a second on the built-in scene.
    pub(crate) fn benchmark(&mut self) -> Result<u64, RenderFault> {
        self.hand.benchmark()
    }

    /// After a panic nothing of the hand's state is trusted.
    pub(crate) fn recover(&mut self) {
        self.hand.recover()
    }
}
