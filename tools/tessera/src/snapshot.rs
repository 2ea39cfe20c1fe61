//! Every object that `--json` prints, as the file `tests/json.snap` has it: programs read them, and
//! a field that changes its name or type is a break that somebody must want.
//!
//! What is new is accepted with `TESSERA_ACCEPT=1 cargo test -p tessera`; a change that breaks
//! readers needs another [`json::VERSION`].

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use protocol::view::{EarningsOf, EarningsRow, HeldRow, SceneArrival};
use protocol::{NodeId, RayCount, Shot, Size, Tokens, ViewIndex};
use serde_json::Value;

use crate::commands::{config, jobs, nodes, render, scenes, verdicts, video, wallet::earnings};
use crate::config::Config;
use crate::download::Downloaded;
use crate::examples;
use crate::explain::{self, Explained};
use crate::json;
use crate::local::Rendered;
use crate::video::{Codec, Made, Video};

fn all() -> Vec<(&'static str, Value)> {
    let (job, quote) = (examples::job(), examples::quote());
    let mut all = vec![
        ("jobs list, jobs show, jobs watch", json::job(&job)),
        ("jobs download, jobs submit --follow", json::saved(&job, &downloaded())),
        ("jobs wait", json::ended(&job, false)),
        ("jobs submit", json::ordered(job.job, &quote)),
        ("jobs dispute", json::disputed(2)),
        ("quote", json::quote(&quote)),
        ("quote --explain", explained().json()),
        ("scenes push", scenes::pushed(job.spec.scene, &arrival())),
        ("scenes list", scenes::used(std::slice::from_ref(&job))[0].json()),
        ("scenes gc", scenes::collected(&scenes::used(std::slice::from_ref(&job))[0], false)),
        ("nodes blocked, nodes block", nodes::blocked(&examples::block())),
        ("nodes list, nodes show, farm", json::node(&examples::node())),
        ("wallet balance", json::wallet(&examples::wallet())),
        ("wallet statement", json::statement_row(&examples::statement_row())),
        ("wallet earnings, a sum", earnings::sum_object(&sum())),
        ("wallet earnings, what is held", earnings::held_object(&held())),
        ("wallet redeem", redeemed()),
        ("ledger verify", json::ledger_check(&examples::ledger_check())),
        ("verdicts list", verdicts::object(12, &examples::verdict())),
        ("render", rendered()),
        ("video", filmed()),
        ("config", settings()),
    ];
    all.extend(jobs::event_examples().into_iter().map(|event| ("jobs logs", event)));
    all
}

fn downloaded() -> Downloaded {
    let shot = |frame| Shot { frame, view: ViewIndex(1) };
    Downloaded {
        written: vec!["shot_010.left.0001.exr".into()],
        skipped: 3,
        incomplete: vec![shot(3)],
        short: vec![(shot(5), 0.25)],
        left: false,
        missing: 2,
        video: None,
    }
}

fn explained() -> Explained {
    let (quote, farm) = (examples::quote(), examples::farm());
    let alternatives = explain::alternatives(&examples::spec(), &quote, farm.market.floor);
    let what_ifs = alternatives.into_iter().take(1).map(|it| (it, quote.clone())).collect();
    let mut quote = quote;
    // What is bid does not change by waiting; the example shows that, too.
    quote.offer.bid = None;
    Explained { quote, farm, what_ifs }
}

fn arrival() -> SceneArrival {
    let (found_bytes, received_bytes) = (10_000_000, 12_000_000);
    SceneArrival { found_bytes, received_bytes, size_bytes: received_bytes, is_whole: true }
}

fn sum() -> EarningsRow {
    EarningsRow {
        of: EarningsOf::Day(1_800_000_000_000),
        payments: 12,
        pay: Tokens::from_whole(3),
        checks: 4,
        checking: Tokens::from_whole(1),
        taken: Tokens::ZERO,
    }
}

fn held() -> HeldRow {
    let (node, until_ms) = (NodeId([0x3f; 32]), 1_800_000_060_000);
    HeldRow { node, until_ms, amount: Tokens::from_whole(1), films: 7 }
}

fn redeemed() -> Value {
    let (transfer, amount) = (examples::statement_row().transfer, Tokens::from_whole(20));
    json::redeemed(transfer, amount, false, Tokens::from_whole(120))
}

fn rendered() -> Value {
    let rendered = Rendered {
        picture: film::Picture::bare(Size::new(1, 1)),
        complete: true,
        rays: RayCount { closest: 1_000_000, shadow: 500_000 },
        samples: 64_000,
        quiet_tiles: 3,
        tiles: 12,
        wall: Duration::from_millis(2_500),
        cpu: Duration::from_millis(4_750),
    };
    render::object(&rendered, &["frame.exr".into()], "cpu: an example", Some("left"))
}

fn filmed() -> Value {
    let video = Video {
        ffmpeg: "ffmpeg".into(),
        output: "shot.mp4".into(),
        frames: vec!["shot.0001.exr".into()],
        rate: None,
        codec: Codec::H264,
        look: film::Look::default(),
        overwrites: false,
    };
    let rate = film::FrameRate { frames: 24, seconds: 1 };
    self::video::object(&video, &Made { size: Size::new(1280, 720), rate })
}

fn settings() -> Value {
    let config = Config::example();
    config::object(&config, &config.settings(|_| None), Some("/home/artist/.config/tessera/key"))
}

fn written() -> String {
    let mut text = String::new();
    for (name, object) in all() {
        assert_eq!(object["v"], json::VERSION, "{name} tells its version");
        let object = serde_json::to_string_pretty(&object).expect("an object");
        writeln!(text, "# {name}\n{object}\n").expect("text takes text");
    }
    text
}

#[test]
fn objects_are_as_programs_know_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/json.snap");
    let now = written();
    if std::env::var_os("TESSERA_ACCEPT").is_some() {
        std::fs::write(&path, &now).expect("the snapshot is written");
    }
    let before = std::fs::read_to_string(&path).expect("the snapshot is there");
    let changed = before.lines().zip(now.lines()).find(|(before, now)| before != now);
    assert!(
        before == now,
        "what --json prints has changed, first at {changed:?}; if that is wanted: TESSERA_ACCEPT=1"
    );
}
