//! Quotes of a farm that is there: prices, bids, assurance and their explanation.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::run::Place;

/// A scheduler that stops when it is dropped.
pub struct Farm(Child);

impl Farm {
    /// Starts one in `farm`, whose ticket is `@farm/ticket`.
    pub fn open(place: &Place, more: &[&str]) -> Self {
        let arguments = ["scheduler", "--data", "farm", "--stop-on-stdin-eof"];
        let mut command = place.command(&[&arguments[..], more].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut farm = Self(command.spawn().expect("the binary runs"));
        let out = farm.0.stdout.take().expect("piped");
        let mut ticket = String::new();
        BufReader::new(out).read_line(&mut ticket).expect("a ticket");
        assert!(ticket.starts_with("farm"), "{ticket:?}");
        farm
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it stops");
    }
}

fn micro(amount: &Value) -> u128 {
    let amount: protocol::Tokens = amount.as_str().expect("text").parse().expect("an amount");
    amount.micro()
}

#[test]
fn a_quote_explains_itself() {
    let place = Place::new();
    let scene = place.scene();
    let _farm = Farm::open(&place, &[]);
    let quote = |more: &[&str]| {
        let asked = ["quote", &scene, "--farm", "@farm/ticket", "--size", "64x48"];
        place.run(&[&asked[..], more].concat())
    };
    let said = quote(&["--spp", "32", "--explain", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let explained: Value = serde_json::from_str(&said.out).expect("JSON");
    let parts = explained["parts"].as_array().expect("parts");
    let price = micro(&explained["quote"]["price"]);
    assert_eq!(parts.iter().map(|part| micro(&part["tokens"])).sum::<u128>(), price);
    assert_eq!(explained["quote"]["assurance"], "99.9 %");
    assert!(explained["quote"]["weight_percent"].as_u64().is_some_and(|w| (50..=400).contains(&w)));
    assert_eq!(explained["market"]["floor"], "5.000000");

    // A what-if is what the farm says when it is really asked.
    let what_if = |change: &str| {
        let all = explained["what_if"].as_array().expect("a list").iter();
        let found: Vec<&Value> = all.filter(|what_if| what_if["change"] == change).collect();
        found.first().map(|what_if| micro(&what_if["price"])).expect("it is there")
    };
    let price_of = |more: &[&str]| {
        let said = quote(more);
        assert_eq!(said.code, Some(0), "{}", said.err);
        said.out.trim().parse::<protocol::Tokens>().expect("an amount").micro()
    };
    assert_eq!(price_of(&["--spp", "32", "--bid", "12.5"]), what_if("bid up"));
    assert_eq!(price_of(&["--spp", "32", "--bid", "8"]), what_if("bid down"));
    assert_eq!(price_of(&["--spp", "32", "--assurance", "99"]), what_if("assurance"));
    assert_eq!(price_of(&["--spp", "16"]), what_if("samples"));
    assert!(what_if("bid down") < price && what_if("bid up") > price);
    assert!(what_if("samples") < price && what_if("assurance") < price);

    let text = quote(&["--spp", "32", "--explain"]).out;
    for words in ["10.00, the base price", "a bid of 12.50", "16 samples", "assurance 95 %", "wait"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let refused = quote(&["--bid", "4.5"]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(
        refused.err.contains("4.500000") && refused.err.contains("5.000000"),
        "{}",
        refused.err
    );
}

#[test]
fn terms_that_cannot_be_are_usage_errors() {
    let place = Place::new();
    fn quote<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["quote", "a.glb", "--farm", "x"][..], more].concat()
    }
    place.refused(2, &["12,5", "as 3.5"], &quote(&["--bid", "12,5"]));
    place.refused(2, &["pays nobody"], &quote(&["--bid", "0"]));
    place.refused(2, &["1000001", "at most 1000000"], &quote(&["--bid", "1000001"]));
    place.refused(2, &["90", "95, 99 or 99.9"], &quote(&["--assurance", "90"]));
    let node = |ask| ["node", "--farm", "x", "--data", "n", "--ask", ask];
    place.refused(2, &["cheap", "as 3.5"], &node("cheap"));
    place.refused(2, &["2000000", "at most 1000000"], &node("2000000"));
}
