//! A job: where each tile stands, over the picture as far as it has come.

use std::collections::BTreeMap;

use maud::{Markup, html};
use protocol::view::TileStatus;
use protocol::{JobId, NodeId, Shot, ShotIndex};

use super::{layout, words};
use crate::core::{Job, State, view};

/// Shots that a page links to before and after the one it shows.
const SHOTS_AROUND: u32 = 12;

/// A shot of a job; none where there is none.
pub(super) fn page(state: &State, id: JobId, shot: ShotIndex, now_ms: u64) -> Option<Markup> {
    let job = state.book.jobs.get(&id)?;
    let shown = job.spec.shot(shot)?;
    let summary = view::row(state, job, now_ms);
    let tiles = view::tiles_of(&state.book, job, shot);
    let (tone, word) = words::status(summary.status);
    let took = summary.ended_ms.unwrap_or(now_ms).saturating_sub(summary.ordered_ms);
    let units = format!("of {} units", summary.units);
    let main = html! {
        h1 { (summary.spec.name) }
        dl #figures .figures {
            div.figure { dt { "Status" } dd { span.tag.(tone) { (word) } } }
            (layout::figure("Accepted", &summary.units_accepted.to_string(), &units))
            (layout::figure("Spent", &summary.spent.to_string(), &format!("of {}", summary.price)))
            (layout::figure("Checked again", &job.pixels_checked.to_string(), "pixels"))
            (layout::figure(if job.is_over() { "Took" } else { "For" }, &words::span(took), ""))
        }
        @if let Some(reason) = &summary.reason { p.error #reason { (reason) } }
        (reports(&job.reports))
        (shots(job, id, shot, shown))
        (mosaic(job, id, shot, &tiles))
    };
    let crumbs = html! { a href="/" { "Tessera farm" } " / " strong { (id.short()) } };
    Some(layout::page(&summary.spec.name, &crumbs, &main))
}

/// What owners of nodes that do not want it have to say of it.
fn reports(reports: &BTreeMap<NodeId, String>) -> Markup {
    html! {
        div #reports {
            @for (node, words) in reports {
                p.notice { "Reported by " (node.short()) ": " (words) }
            }
        }
    }
}

/// Links to the shots around this one.
fn shots(job: &Job, id: JobId, shot: ShotIndex, shown: Shot) -> Markup {
    let count = job.spec.shot_count();
    let first = shot.0.saturating_sub(SHOTS_AROUND);
    let last = shot.0.saturating_add(SHOTS_AROUND).min(count.saturating_sub(1));
    let named = |index: u32| job.spec.shot(ShotIndex(index)).map_or(index, |shot| shot.frame);
    html! {
        @if count > 1 {
            nav.shots aria-label="Frames" {
                "Frame " (shown.frame) " of " (count) ": "
                @for index in first..=last {
                    @if index == shot.0 { strong aria-current="page" { (named(index)) } " " }
                    @else { a href={ "/jobs/" (id) "/" (index) } { (named(index)) } " " }
                }
            }
        }
    }
}

/// The picture, and over it the tiles that are not in it yet.
fn mosaic(job: &Job, id: JobId, shot: ShotIndex, tiles: &[TileStatus]) -> Markup {
    let (grid, window) = (job.spec.grid(), job.spec.settings.window());
    let (width, height) = (window.width(), window.height());
    let of_shot = job.units.iter().filter(|unit| unit.unit.shot == shot);
    let versions = of_shot.filter_map(|unit| Some(unit.accepted.as_ref()?.version));
    // A new address when there is more to see, or less: something was taken out.
    let (newest, films) = versions.fold((0, 0), |(newest, films), it| (it.max(newest), films + 1));
    let place = |index: usize| grid.rect(protocol::TileIndex(index as u32));
    let mut counts = BTreeMap::<TileStatus, u64>::new();
    tiles.iter().for_each(|&status| *counts.entry(status).or_default() += 1);
    html! {
        div.mosaic {
            img #picture src={ "/jobs/" (id) "/" (shot.0) "/mosaic.png?v=" (newest) "-" (films) }
                width=(width) height=(height) alt="The picture as far as it has come";
            svg #tiles viewBox={ "0 0 " (width) " " (height) } aria-hidden="true" {
                @for (index, &status) in tiles.iter().enumerate().filter(|(_, it)| **it != TileStatus::Accepted) {
                    @if let Some(rect) = place(index) {
                        rect.(words::tile(status).0) x=(rect.x0 - window.x0) y=(rect.y0 - window.y0)
                            width=(rect.width()) height=(rect.height()) {}
                    }
                }
            }
        }
        ul #legend .legend {
            @for (status, count) in &counts {
                li { span.swatch.(words::tile(*status).0) {} (words::plural(*count, "tile", "tiles")) " " (words::tile(*status).1) }
            }
        }
    }
}
