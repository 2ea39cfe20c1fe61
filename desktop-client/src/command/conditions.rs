//! When commands can be given, and else why not.

use crate::state::compare::Slot;
use crate::state::jobs::Deed;
use crate::state::node::Run;
use crate::state::{Door, Link, State};
use crate::words::FARM_AWAY;

pub(super) const fn always(_state: &State) -> Result<(), &'static str> {
    Ok(())
}

pub(super) fn with_scene(state: &State) -> Result<(), &'static str> {
    if state.stage.scene.is_some() { Ok(()) } else { Err("Open a scene first") }
}

pub(super) fn with_job(state: &State) -> Result<(), &'static str> {
    if state.selected_job().is_some() { Ok(()) } else { Err("There is no job to do it to") }
}

pub(super) fn with_farm(state: &State) -> Result<(), &'static str> {
    match &state.link {
        Link::Connected => Ok(()),
        Link::NoFarm => Err("Connect to a farm first"),
        _away => Err(FARM_AWAY),
    }
}

pub(super) fn with_running_job(state: &State) -> Result<(), &'static str> {
    with_farm(state)?;
    // Behind the door of all jobs, it is what is chosen there that is meant.
    if state.door == Door::Jobs {
        return state.can_do(Deed::Stop).map(|_count| ());
    }
    match state.selected_job() {
        None => Err("There is no job to do it to"),
        Some(job) if job.status.is_over() => Err("This job is over"),
        Some(_job) => Ok(()),
    }
}

pub(super) fn croppable(state: &State) -> Result<(), &'static str> {
    with_scene(state)?;
    match (state.sees_stage(), state.compares()) {
        (false, _) => Err("Show the scene first"),
        (true, true) => Err("Look at the preview first"),
        (true, false) => Ok(()),
    }
}

pub(super) fn priceable(state: &State) -> Result<(), &'static str> {
    with_scene(state)?;
    with_farm(state)
}

pub(super) fn orderable(state: &State) -> Result<(), &'static str> {
    priceable(state)?;
    if state.checkout.is_ordering {
        return Err("The order is on its way");
    }
    if state.price_holds() || state.book.is_free() { Ok(()) } else { Err("Get a firm price first") }
}

pub(super) fn with_picture(state: &State) -> Result<(), &'static str> {
    match &state.live {
        Some(live) if live.picture.changes() > 0 => Ok(()),
        _nothing => Err("Nothing of the picture is here yet"),
    }
}

pub(super) fn verifiable(state: &State) -> Result<(), &'static str> {
    with_shown_job(state)?;
    // What is known of it already needs no farm.
    if state.verification().is_none() {
        with_farm(state)?;
    }
    state.can_verify()
}

pub(super) fn with_shown_job(state: &State) -> Result<(), &'static str> {
    with_job(state)?;
    if state.sees_job() { Ok(()) } else { Err("Show the job first") }
}

pub(super) fn keepable(state: &State) -> Result<(), &'static str> {
    match state.picture_to_keep() {
        Some(_picture) => Ok(()),
        None => Err("There is no picture to keep"),
    }
}

pub(super) fn comparable(state: &State, slot: Slot) -> Result<(), &'static str> {
    if !(state.sees_stage() || state.sees_job()) {
        return Err("Open Render first");
    }
    if state.compare.kept(slot).is_some() { Ok(()) } else { keepable(state) }
}

pub(super) fn with_both(state: &State) -> Result<(), &'static str> {
    comparable(state, Slot::A)?;
    if state.compare.both().is_some() { Ok(()) } else { Err("Keep a picture in A and one in B") }
}

pub(super) fn with_kept(state: &State) -> Result<(), &'static str> {
    let is_kept = |slot| state.compare.kept(slot).is_some();
    if is_kept(Slot::A) || is_kept(Slot::B) { Ok(()) } else { Err("Both slots are empty") }
}

pub(super) fn with_frames(state: &State) -> Result<(), &'static str> {
    with_shown_job(state)?;
    match state.selected_job() {
        Some(job) if job.spec.frames.count() > 1 => Ok(()),
        _one => Err("It is one frame"),
    }
}

pub(super) fn with_middle(state: &State) -> Result<(), &'static str> {
    with_shown_job(state)?;
    with_running_job(state)?;
    if state.compares() || state.played().is_some() {
        return Err("Look at the render first");
    }
    state.tile_in_middle().map(|_tile| ()).ok_or("There is no picture of it yet")
}

pub(super) fn with_rendered_middle(state: &State) -> Result<(), &'static str> {
    with_shown_job(state)?;
    with_farm(state)?;
    if state.compares() || state.played().is_some() {
        return Err("Look at the render first");
    }
    if state.nodes_in_middle().is_empty() { Err("Nothing of it is accepted yet") } else { Ok(()) }
}

pub(super) fn with_farm_or_blocks(state: &State) -> Result<(), &'static str> {
    match state.book.blocks.get() {
        Some(_known) => Ok(()),
        None => with_farm(state),
    }
}

pub(super) fn with_canvas(state: &State) -> Result<(), &'static str> {
    if state.compares() { Ok(()) } else { with_picture(state) }
}

pub(super) fn with_wallet(state: &State) -> Result<(), &'static str> {
    with_farm(state)?;
    state.book.wallet.get().map(|_wallet| ()).ok_or("The wallet is not known yet")
}

pub(super) fn with_stake(state: &State) -> Result<(), &'static str> {
    with_wallet(state)?;
    let staked = state.book.wallet.get().is_some_and(|wallet| !wallet.staked.is_zero());
    if staked { Ok(()) } else { Err("Nothing is at risk") }
}

pub(super) fn with_farm_or_jobs(state: &State) -> Result<(), &'static str> {
    match state.book.jobs.get() {
        Some(_known) => Ok(()),
        None => with_farm(state),
    }
}

pub(super) fn with_list(state: &State) -> Result<(), &'static str> {
    if state.door == Door::Jobs { Ok(()) } else { Err("Open Jobs first") }
}

pub(super) fn with_chosen(state: &State) -> Result<(), &'static str> {
    with_list(state)?;
    if state.jobs.chosen().is_empty() { Err("Select jobs first") } else { Ok(()) }
}

pub(super) fn pausable(state: &State) -> Result<(), &'static str> {
    with_running_job(state)?;
    match state.door {
        Door::Jobs => Ok(()),
        Door::Render if !state.shows_stage() => Ok(()),
        _elsewhere => Err("Show the job first"),
    }
}

pub(super) fn with_node(state: &State) -> Result<(), &'static str> {
    match state.node.run {
        Run::Off => Err("Your node is off"),
        Run::Stopping => Err("It is ending"),
        Run::Preparing | Run::Up => Ok(()),
    }
}

pub(super) fn lendable(state: &State) -> Result<(), &'static str> {
    match state.node.run {
        Run::Off => with_farm(state),
        Run::Stopping => Err("It is ending"),
        Run::Preparing | Run::Up => Ok(()),
    }
}
