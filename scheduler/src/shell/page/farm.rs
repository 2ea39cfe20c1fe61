//! The first page: figures, jobs, nodes.

use maud::{Markup, html};
use protocol::view::{JobStatus, JobSummary, NodeView};

use super::super::drain;
use super::{layout, words};
use crate::core::{State, view};

/// Jobs and nodes on one page; the figures count all.
const ROWS_MAX: usize = 100;

pub(super) fn page(state: &State, checks_in_line: usize, now_ms: u64) -> Markup {
    let book = &state.book;
    let mut jobs: Vec<_> = book.jobs.values().collect();
    jobs.sort_by_key(|job| (job.is_over(), std::cmp::Reverse(job.number)));
    let shown: Vec<JobSummary> =
        jobs.iter().take(ROWS_MAX).map(|job| view::row(state, job, now_ms)).collect();
    let farm = view::farm(state, ROWS_MAX, now_ms);
    let waiting: usize = book.active.values().map(|id| book.jobs[id].waiting.len()).sum();
    let price = words::tokens(farm.price_per_gray);
    let (able, here) = (u64::from(farm.market.nodes_able), state.live.connected.len() as u64);
    let line = farm.market.line_ms.filter(|&ms| ms < u64::MAX);
    let figures = html! {
        dl #figures .figures {
            (layout::figure("Nodes", &able.to_string(), &format!("of {here} connected")))
            (layout::figure("Jobs", &book.active.len().to_string(), &format!("of {} ever", book.jobs.len())))
            (layout::figure("Units waiting", &waiting.to_string(), &format!("{} leased", book.leases.len())))
            (layout::figure("Checks waiting", &checks_in_line.to_string(), ""))
            (layout::figure("Line", &line.map_or_else(|| "–".to_owned(), words::span), ""))
            (layout::figure("Base price", &price, "a billion rays"))
        }
    };
    let main = html! {
        h1 { "Farm" }
        div #draining {
            @if state.live.drains {
                p.notice role="status" {
                    "Draining: no new jobs are taken, and the scheduler stops after those that go on ("
                    (drain::going(state, now_ms)) "). tessera scheduler drain --undo takes that back."
                }
            }
        }
        (figures)
        h2 { "Jobs" }
        (job_table(&shown, jobs.len(), now_ms))
        h2 { "Nodes" }
        (node_table(state, &farm.nodes, now_ms))
    };
    layout::page("Farm", &html! { strong { "Tessera farm" } }, &main)
}

fn job_table(jobs: &[JobSummary], all: usize, now_ms: u64) -> Markup {
    html! {
        div #jobs .table {
            @if jobs.is_empty() {
                p.empty { "No job has been ordered yet." }
            } @else {
                table {
                    thead { tr {
                        th { "Job" } th { "Status" } th { "Progress" }
                        th.number { "Frames" } th.number { "Spent" } th.number { "Price" }
                        th.number { "Ordered" }
                    } }
                    tbody { @for job in jobs { (job_row(job, now_ms)) } }
                }
                @if all > jobs.len() { p.empty { "The newest " (jobs.len()) " of " (all) "." } }
            }
        }
    }
}

fn job_row(job: &JobSummary, now_ms: u64) -> Markup {
    let (tone, word) = words::status(job.status);
    let share = job.units_accepted as f32 / job.units.max(1) as f32;
    let why = job.reason.as_deref().unwrap_or_default();
    html! {
        tr {
            td { a href={ "/jobs/" (job.job) } { (job.spec.name) } " " small { (job.job.short()) } }
            td { span.tag.(tone) title=(why) { (word) } }
            td.bar {
                progress max="1" value=(share) { }
                small { (job.units_accepted) " of " (job.units) }
            }
            td.number { (job.spec.shot_count()) }
            td.number { (job.spent) }
            td.number { (job.price) }
            td.number { (ordered(job, now_ms)) }
        }
    }
}

fn ordered(job: &JobSummary, now_ms: u64) -> String {
    let took = |until: u64| words::span(until.saturating_sub(job.ordered_ms));
    match (job.status, job.ended_ms) {
        (JobStatus::Done | JobStatus::Stopped, Some(ended_ms)) => {
            format!("took {}", took(ended_ms))
        }
        _ => format!("{} ago", took(now_ms)),
    }
}

fn node_table(state: &State, nodes: &[NodeView], now_ms: u64) -> Markup {
    html! {
        div #nodes .table {
            @if nodes.is_empty() {
                p.empty { "No node has said hello since the start." }
            } @else {
                table {
                    thead { tr {
                        th { "Node" } th { "Standing" } th { "Backend" } th.number { "Rays a second" }
                        th.number { "Reputation" } th.number { "Accepted" } th.number { "Refused" }
                        th.number { "Earned" } th.number { "Heard" }
                    } }
                    tbody { @for node in nodes { (node_row(state, node, now_ms)) } }
                }
            }
        }
    }
}

fn node_row(state: &State, node: &NodeView, now_ms: u64) -> Markup {
    let is_here = state.live.connected.contains_key(&node.node);
    let (tone, word) = words::standing(node, is_here);
    let name = &node.reputation;
    html! {
        tr {
            td { (node.name) " " small { (node.node.short()) } }
            td { span.tag.(tone) { (word) } }
            td { (node.backend) }
            td.number {
                (node.shown_rays_per_second.map_or_else(|| "–".to_owned(), words::large))
                " " small { "says " (words::large(node.claimed_rays_per_second)) }
            }
            td.number { (format!("{:.1} %", f64::from(name.mean_ppm) / 1e4)) }
            td.number { (name.accepted) }
            td.number { (name.refused) }
            td.number { (node.earned) }
            td.number { (words::span(now_ms.saturating_sub(node.seen_ms))) " ago" }
        }
    }
}
