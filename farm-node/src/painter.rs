//! What the render thread has: an easel in this process or in another, and perhaps a fraud before it.

use bytes::Bytes;
use film::{Film, Sums};
use protocol::{Batch, RenderSettings, Spots};
use renderer::Cancel;

use crate::cheat::Fraud;
use crate::easel::{Easel, Frame, Order, RenderFault};
use crate::worker::{Confinement, Reins, Worker};

/// Who renders.
pub(crate) enum Hand {
    /// This process.
    Here(Box<Easel>),
    /// One that is locked in.
    Apart(Box<Worker>),
}

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
        match &self.hand {
            Hand::Here(easel) => easel.description(),
            Hand::Apart(worker) => worker.description().to_owned(),
        }
    }

    /// What the rendering is locked in with; `None` where it is done in this process.
    pub(crate) fn confinement(&self) -> Option<Confinement> {
        match &self.hand {
            Hand::Here(_) => None,
            Hand::Apart(worker) => Some(worker.confinement().clone()),
        }
    }

    /// What halts the rendering; `None` where it is done in this process.
    pub(crate) fn reins(&self) -> Option<Reins> {
        match &self.hand {
            Hand::Here(_) => None,
            Hand::Apart(worker) => Some(worker.reins()),
        }
    }

    /// Whether a frame can be rendered without the scene's package.
    pub(crate) fn holds(&mut self, frame: &Frame) -> Result<bool, RenderFault> {
        match &mut self.hand {
            Hand::Here(easel) => Ok(easel.holds(frame)),
            Hand::Apart(worker) => worker.holds(frame),
        }
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
        let film = match &mut self.hand {
            Hand::Here(easel) => easel.film(&shown, package, cancel, &mut || ())?,
            Hand::Apart(worker) => worker.film(&shown, package, cancel)?,
        };
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
        let rendered = match &mut self.hand {
            Hand::Here(easel) => easel.spots(frame, &asked, package, &mut || ())?,
            Hand::Apart(worker) => worker.spots(frame, &asked, package)?,
        };
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
        match &mut self.hand {
            Hand::Here(easel) => easel.golden(settings, batch),
            Hand::Apart(worker) => worker.golden(settings, batch),
        }
    }

    /// Metered rays a second on the built-in scene.
    pub(crate) fn benchmark(&mut self) -> Result<u64, RenderFault> {
        match &mut self.hand {
            Hand::Here(easel) => easel.benchmark(),
            Hand::Apart(worker) => worker.benchmark(),
        }
    }

    /// After a panic nothing of the hand's state is trusted.
    pub(crate) fn recover(&mut self) {
        match &mut self.hand {
            Hand::Here(easel) => easel.recover(),
            Hand::Apart(worker) => worker.replace(),
        }
    }
}
