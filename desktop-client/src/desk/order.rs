//! Scenes to the farm, prices, orders.

use std::time::Instant;

use client::{Farm, Pace};
use protocol::Schedule;
use protocol::view::SceneArrival;
use tokio::sync::{mpsc, watch};

use super::{FarmSeat, Outlet, PriceAsk, sentence};
use crate::state::Event;
use crate::state::checkout::{self, Firm, Price};

/// Rest after a change before a price is asked for: a slider that is being dragged is not asked about
/// at every step.
const SETTLE: std::time::Duration = std::time::Duration::from_millis(250);

/// Answers the newest question; the answer to an older one is not waited for.
pub(super) async fn prices(
    mut seat: FarmSeat,
    mut wanted: watch::Receiver<Option<PriceAsk>>,
    outlet: Outlet,
) {
    loop {
        let ask = wanted.borrow_and_update().clone();
        let farm = seat.borrow_and_update().clone();
        let answering = async {
            if let (Some(farm), Some(ask)) = (farm, ask) {
                tokio::time::sleep(SETTLE).await;
                let event = answer(&farm, &ask, &outlet).await;
                outlet.send(Event::Checkout(event)).await;
            }
            std::future::pending::<()>().await;
        };
        let goes_on = tokio::select! {
            () = answering => true,
            changed = wanted.changed() => changed.is_ok(),
            changed = seat.changed() => changed.is_ok(),
        };
        if !goes_on {
            return;
        }
    }
}

async fn answer(farm: &Farm, ask: &PriceAsk, outlet: &Outlet) -> checkout::Event {
    let PriceAsk { serial, spec, offer, package } = ask;
    let serial = *serial;
    let (begun, mut pace) = (Instant::now(), Pace::default());
    let sent = farm.offer_scene((**package).clone(), |arrival| {
        let SceneArrival { found_bytes, received_bytes, size_bytes, .. } = arrival;
        let of = size_bytes.saturating_sub(found_bytes);
        let come = received_bytes.saturating_sub(found_bytes).min(of);
        let pace = pace.note(begun.elapsed(), come, of);
        let pace = pace.map(|(rate, left)| (rate as u64, left));
        let price = Price::Sending { come, of, pace };
        outlet.mention(Event::Checkout(checkout::Event::Price { serial, price }));
    });
    let refused = |error: client::Error| checkout::Event::Price {
        serial,
        price: Price::Refused(sentence(&error)),
    };
    if let Err(error) = sent.await {
        return refused(error);
    }
    let asking = checkout::Event::Price { serial, price: Price::Asking };
    outlet.send(Event::Checkout(asking)).await;
    match farm.quote(spec, *offer).await {
        Ok(quote) => {
            let firm = Box::new(Firm { spec: spec.clone(), offer: *offer, quote });
            checkout::Event::Firm { serial, firm }
        }
        Err(error) => refused(error),
    }
}

/// Sends orders, one after the other.
pub(super) async fn orders(
    seat: FarmSeat,
    mut inbox: mpsc::Receiver<(Box<Firm>, Schedule)>,
    outlet: Outlet,
) {
    while let Some((firm, schedule)) = inbox.recv().await {
        let farm = seat.borrow().clone();
        let ordered = match farm {
            Some(farm) => {
                let job = farm.order(&firm.spec, &firm.quote, schedule).await;
                job.map_err(|error| sentence(&error))
            }
            None => Err("The farm cannot be reached; nothing was ordered".to_owned()),
        };
        outlet.send(Event::Checkout(checkout::Event::Ordered(ordered))).await;
    }
}
