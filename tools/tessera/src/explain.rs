//! A quote in its parts, and what would change it.

use std::time::Duration;

use protocol::view::{FarmView, NodeView};
use protocol::{JobSpec, Offer, Quote, Tokens};
use serde_json::{Value, json};

use crate::json;
use crate::text;

/// How much more, and how much less, the bids of what-ifs are than the price, per cent of it.
const BIDS_PERCENT: [u128; 2] = [125, 80];

/// What a price is that is none.
pub const FREE: &str = "nothing: this farm is free";

/// Something that could be asked for instead.
pub struct Alternative {
    /// What, in a word for programs.
    pub change: &'static str,
    /// What, for people.
    pub words: String,
    pub spec: JobSpec,
    pub offer: Offer,
}

/// Other quotes worth asking for: more and less money, fewer samples, other assurances.
pub fn alternatives(spec: &JobSpec, quote: &Quote, floor: Tokens) -> Vec<Alternative> {
    let mut all = Vec::new();
    let price = quote.price_per_gray;
    for (change, percent) in ["bid up", "bid down"].into_iter().zip(BIDS_PERCENT) {
        let bid = price.checked_mul_div(percent, 100).filter(|bid| *bid >= floor && *bid != price);
        let Some(bid) = bid else { continue };
        let offer = Offer { bid: Some(bid), ..quote.offer };
        let words = format!("a bid of {}", text::tokens(bid));
        all.push(Alternative { change, words, spec: spec.clone(), offer });
    }
    if spec.settings.samples >= 2 {
        let mut fewer = spec.clone();
        fewer.settings.samples /= 2;
        let words = format!("{} samples", text::count(fewer.settings.samples.into()));
        all.push(Alternative { change: "samples", words, spec: fewer, offer: quote.offer });
    }
    let others = protocol::Assurance::ALL.into_iter().rev();
    for assurance in others.filter(|other| *other != quote.offer.assurance) {
        let offer = Offer { assurance, ..quote.offer };
        let words = format!("assurance {assurance}");
        all.push(Alternative { change: "assurance", words, spec: spec.clone(), offer });
    }
    all
}

/// A quote, the farm that made it, and its quotes for the alternatives.
pub struct Explained {
    pub quote: Quote,
    pub farm: FarmView,
    pub what_ifs: Vec<(Alternative, Quote)>,
}

/// One part of a price.
struct Part {
    what: &'static str,
    tokens: Tokens,
    why: String,
}

impl Explained {
    /// What the price is made of; the parts add up to it.
    fn parts(&self) -> Vec<Part> {
        let quote = &self.quote;
        let minus = |a: Tokens, b: Tokens| a.checked_sub(b).unwrap_or_default();
        let share = |part: Tokens| {
            let ppm = part.checked_mul_div(1_000_000, quote.work.micro().max(1));
            let ppm = ppm.unwrap_or_default().micro().min(u128::from(u32::MAX)) as u32;
            format!("{} of the work", text::percent(ppm))
        };
        let part = |what, tokens, why| Part { what, tokens, why };
        let twins = minus(quote.reserve, quote.checking);
        let pixels = format!("challenges, {} assurance", quote.offer.assurance);
        vec![
            part("tracing", minus(quote.work, quote.setup), self.tracing_words()),
            part("set-up", quote.setup, "making the scene ready, once a shot".to_owned()),
            part("fee", quote.fee, format!("the farm's, {}", share(quote.fee))),
            part("checking", quote.checking, format!("{pixels}, {}", share(quote.checking))),
            part("twins", twins, format!("second films by other owners, {}", share(twins))),
        ]
    }

    fn tracing_words(&self) -> String {
        let quote = &self.quote;
        let rays = quote.rays.metered_centirays() as f64 / 1e11;
        format!("{rays:.3} billion metered rays at {}", text::tokens(quote.pay_per_gray()))
    }

    /// What `price_per_gray` is.
    fn price_words(&self) -> String {
        let base = text::tokens(self.quote.base_per_gray);
        match self.quote.offer.bid {
            Some(bid) => format!("{}, your bid; the base price is {base}", text::tokens(bid)),
            None => format!("{base}, the base price"),
        }
    }

    fn rays_words(&self) -> String {
        let Quote { rays, probed, .. } = &self.quote;
        format!(
            "at most {}, expected {}; counted on {} of {}; what is not traced comes back",
            text::rays(*rays),
            text::rays(probed.expected),
            text::plural(probed.pixels.into(), "pixel", "pixels"),
            text::plural(probed.shots.into(), "shot", "shots"),
        )
    }

    fn weight_words(&self) -> String {
        let percent = self.quote.weight_percent;
        format!("{percent} %: how long a ray of this scene takes, beside the reference scene's")
    }

    /// Nodes that work for a price, of those that may work.
    fn nodes_for(&self, price: Tokens) -> (usize, usize) {
        let able = |node: &&NodeView| node.class.is_some() && !node.barred;
        let able = || self.farm.nodes.iter().filter(able);
        (able().filter(|node| node.ask_per_gray <= price).count(), able().count())
    }

    /// How far a price moves a job in line against the base price; forward is above zero.
    fn moved_ms(&self, price: Tokens) -> i128 {
        let market = &self.farm.market;
        let above = price.micro() as i128 - self.quote.base_per_gray.micro() as i128;
        above * i128::from(market.bid_moves_ms) / market.per_gray.micro().max(1) as i128
    }

    fn effect_words(&self, alternative: &Alternative, quote: &Quote) -> String {
        match alternative.change {
            "bid up" | "bid down" => {
                let (willing, able) = self.nodes_for(quote.price_per_gray);
                let moved = self.moved_ms(quote.price_per_gray);
                let span = text::span(Duration::from_millis(moved.unsigned_abs() as u64));
                let place = if moved < 0 { "behind" } else { "before" };
                format!("{willing} of {able} nodes work for it; as if ordered {span} {place}")
            }
            "samples" => "more noise".to_owned(),
            _ => {
                format!(
                    "a forgery of 5 % of a tile is caught {} of the time",
                    quote.offer.assurance
                )
            }
        }
    }

    /// What the job would cost if it were quoted once the base price is where it goes, and how
    /// long that takes; none where waiting changes nothing, or a bid has been made.
    fn after_waiting(&self) -> Option<(Tokens, Duration)> {
        let (quote, market) = (&self.quote, &self.farm.market);
        let (now, then) = (quote.base_per_gray.micro(), market.heading.micro());
        if quote.offer.bid.is_some() || now == 0 || now == then {
            return None;
        }
        // All but the set-up goes with the base price, fee and checking in proportion.
        let setup = quote.price.checked_mul_div(quote.setup.micro(), quote.work.micro().max(1))?;
        let rest = quote.price.checked_sub(setup)?.checked_mul_div(then, now)?;
        let step = f64::from(market.step_ppm) / 1e6;
        let each = if then > now { 1.0 + step } else { 1.0 - step };
        let epochs = ((then as f64 / now as f64).ln() / each.ln()).ceil().clamp(1.0, 1e6);
        let wait = Duration::from_millis((market.epoch_ms as f64 * epochs) as u64);
        Some((setup.checked_add(rest)?, wait))
    }

    fn difference(&self, price: Tokens) -> i128 {
        price.micro() as i128 - self.quote.price.micro() as i128
    }

    /// For people: a line a part, a line a what-if.
    pub fn lines(&self) -> Vec<String> {
        let named = |name: &str, words: &str| format!("{name:<22}{words}");
        let amount = |name: &str, tokens: Tokens, why: &str| {
            format!("{name:<22}{:>14}   {why}", tokens.to_string())
        };
        if self.quote.price.is_zero() {
            return vec![
                named("rays", &self.rays_words()),
                named("weight", &self.weight_words()),
                named("price", FREE),
            ];
        }
        let valid_ms = self.quote.valid_until_ms.saturating_sub(text::now_ms());
        let valid = format!("firm for {}", text::span(Duration::from_millis(valid_ms)));
        let mut lines = vec![
            named("rays", &self.rays_words()),
            named("tokens per billion", &self.price_words()),
            named("weight", &self.weight_words()),
            String::new(),
        ];
        lines.extend(self.parts().iter().map(|part| amount(part.what, part.tokens, &part.why)));
        lines.push(amount("price", self.quote.price, &valid));
        lines.extend([String::new(), "what if".to_owned()]);
        for (alternative, quote) in &self.what_ifs {
            let difference = self.difference(quote.price);
            let sign = if difference < 0 { "" } else { "+" };
            let change = format!("{sign}{}", text::signed_tokens(difference));
            let why = format!("{change}: {}", self.effect_words(alternative, quote));
            lines.push(amount(&alternative.words, quote.price, &why));
        }
        lines.push(match self.after_waiting() {
            Some((price, wait)) => {
                let heading = text::tokens(self.farm.market.heading);
                let why = format!("the base price goes to {heading} if the line stays as it is");
                amount(&format!("wait about {}", text::span(wait)), price, &why)
            }
            None => named("wait", "changes nothing as things are"),
        });
        lines
    }

    /// The same facts for programs.
    pub fn json(&self) -> Value {
        let parts = self.parts();
        let parts = parts.iter().map(|part| {
            json!({ "what": part.what, "tokens": part.tokens.to_string(), "words": part.why })
        });
        let what_ifs = self.what_ifs.iter().map(|(alternative, quote)| {
            let (willing, able) = self.nodes_for(quote.price_per_gray);
            json!({
                "change": alternative.change,
                "words": alternative.words,
                "price": quote.price.to_string(),
                "difference": text::signed_tokens(self.difference(quote.price)),
                "price_per_gray": quote.price_per_gray.to_string(),
                "samples": alternative.spec.settings.samples,
                "assurance": quote.offer.assurance.to_string(),
                "moved_ms": self.moved_ms(quote.price_per_gray) as i64,
                "nodes_willing": willing,
                "nodes_able": able,
            })
        });
        let waiting = self
            .after_waiting()
            .map(|(price, wait)| json!({ "about": price.to_string(), "seconds": wait.as_secs() }));
        json!({
            "v": json::VERSION,
            "quote": json::quote(&self.quote),
            "parts": parts.collect::<Vec<_>>(),
            "market": json::market(&self.farm),
            "what_if": what_ifs.collect::<Vec<_>>(),
            "waiting": waiting,
        })
    }
}

#[cfg(test)]
mod tests {
    use protocol::view::MarketView;
    use protocol::{Digest, FrameRange, Probed, QuoteId, RayCount, RenderSettings, SceneId};

    use super::*;

    fn tokens(text: &str) -> Tokens {
        text.parse().expect("an amount")
    }

    fn spec(samples: u32) -> JobSpec {
        JobSpec {
            name: "explained".to_owned(),
            scene: SceneId([1; 32]),
            settings: RenderSettings { samples, ..RenderSettings::default() },
            more_cameras: Vec::new(),
            frames: FrameRange::STILL,
            tile_side_px: 128,
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        }
    }

    fn explained(bid: Option<Tokens>, heading: &str) -> Explained {
        let quote = Quote {
            id: QuoteId([1; 16]),
            spec: Digest([0; 32]),
            price: tokens("11"),
            work: tokens("10"),
            setup: tokens("2"),
            fee: tokens("0.5"),
            reserve: tokens("0.5"),
            checking: tokens("0.15"),
            offer: Offer { bid, ..Offer::default() },
            base_per_gray: tokens("10"),
            price_per_gray: bid.unwrap_or(tokens("10")),
            weight_percent: 141,
            samples: 1,
            rays: RayCount { closest: 567_375_886, shadow: 0 },
            probed: Probed { shots: 3, pixels: 1_024, expected: RayCount::default() },
            memory: protocol::Footprint::default(),
            reach: protocol::Reach::default(),
            valid_until_ms: 0,
        };
        let market = MarketView {
            floor: tokens("5"),
            per_gray: tokens("10"),
            ceiling: tokens("40"),
            heading: tokens(heading),
            step_ppm: 20_000,
            epoch_ms: 60_000,
            bid_moves_ms: 3_600_000,
            ..MarketView::default()
        };
        let price_per_gray = quote.base_per_gray;
        let farm = FarmView { nodes: Vec::new(), jobs_active: 0, price_per_gray, market };
        Explained { quote, farm, what_ifs: Vec::new() }
    }

    #[test]
    fn the_parts_add_up_to_the_price() {
        let explained = explained(None, "10");
        let sum: u128 = explained.parts().iter().map(|part| part.tokens.micro()).sum();
        assert_eq!(sum, explained.quote.price.micro());
        let text = explained.lines().join("\n");
        for words in ["at 14.10", "141 %", "5.0 % of the work", "99.9 % assurance", "3 shots"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(text.contains("the base price") && text.contains("changes nothing"), "{text}");
    }

    #[test]
    fn what_is_free_has_no_parts() {
        let mut free = explained(None, "10");
        free.quote = Quote { price: Tokens::ZERO, work: Tokens::ZERO, ..free.quote };
        let lines = free.lines();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[2], "price                 nothing: this farm is free");
    }

    #[test]
    fn what_ifs_are_bids_within_the_floor_samples_and_assurances() {
        let quote = explained(None, "10").quote;
        let changes = |samples, floor| -> Vec<&str> {
            let all = alternatives(&spec(samples), &quote, tokens(floor));
            all.iter().map(|alternative| alternative.change).collect()
        };
        assert_eq!(changes(64, "5"), ["bid up", "bid down", "samples", "assurance", "assurance"]);
        assert_eq!(changes(1, "9"), ["bid up", "assurance", "assurance"]);
        let all = alternatives(&spec(64), &quote, tokens("5"));
        assert_eq!(all[0].offer.bid, Some(tokens("12.5")));
        assert_eq!(all[1].offer.bid, Some(tokens("8")));
        assert_eq!(all[2].spec.settings.samples, 32);
        assert_eq!(all[3].words, "assurance 99 %");
    }

    #[test]
    fn waiting_follows_the_base_price_in_its_steps() {
        // 2.2 of 11 are set-up with its shares; 8.8 fall by half, in ln 2 / -ln 0.98 minutes.
        let (price, wait) = explained(None, "5").after_waiting().expect("it falls");
        assert_eq!((price, wait), (tokens("6.6"), Duration::from_secs(35 * 60)));
        assert_eq!(explained(None, "10").after_waiting(), None);
        assert_eq!(explained(Some(tokens("20")), "5").after_waiting(), None);
        let moved = |price| explained(None, "10").moved_ms(tokens(price));
        assert_eq!((moved("20"), moved("9")), (3_600_000, -360_000));
    }
}
