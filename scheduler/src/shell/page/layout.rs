//! What all pages share.

use maud::{DOCTYPE, Markup, html};

/// A page with its parts that change by themselves: each with an id, replaced when it differs.
pub(super) fn page(title: &str, crumbs: &Markup, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="dark light";
                title { (title) " · Tessera" }
                link rel="icon" href="/icon.svg";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                header { nav aria-label="Where you are" { (crumbs) } p id="contact" role="status" {} }
                main { (main) }
                footer { a href="/metrics" { "Metrics" } " for Prometheus" }
            }
        }
    }
}

/// One figure with its name.
pub(super) fn figure(name: &str, value: &str, detail: &str) -> Markup {
    html! {
        div.figure {
            dt { (name) }
            dd { (value) @if !detail.is_empty() { small { (detail) } } }
        }
    }
}
