//! States as literals, and the window around them.

use std::sync::Arc;

use desktop_client::app::App;
use desktop_client::command::Command;
use desktop_client::desk::{Ask, FarEnds, wires};
use desktop_client::state::orbit::Orbit;
use desktop_client::state::picture::texel;
use desktop_client::state::stage::{Imported, Report, Sight};
use desktop_client::state::{Door, Event, Identity, Link, State, book, checkout, live, stage};
use egui_kittest::Harness;
use protocol::view::{
    AcceptedUnit, BlockView, EarningsOf, EarningsRow, EarningsView, FarmView, HeldRow, JobStatus,
    JobSummary, MarketView, NodeView, Reputation, StatementPage, StatementRow, TileStatus,
    WalletView,
};
use protocol::{
    AccountId, Assurance, Batch, CameraChoice, Class, Digest, FrameRange, JobId, JobSpec, NodeId,
    Priority, PublicKey, RayCount, RenderSettings, SceneId, ShotIndex, Size, TileIndex, Tokens,
    TransferId, Unit,
};

/// 2026-11-23 10:31 UTC.
pub const NOW_MS: u64 = 1_795_429_860_000;
pub const ME: PublicKey = PublicKey([0x3e; 32]);
pub const TICKET: &str = "farmaebagbafaydqqcikbmga2dqpcaireeyuculbogazdinryhi6d4";

pub const fn job_id(seed: u8) -> JobId {
    JobId([seed; 16])
}

pub fn spec(name: &str) -> JobSpec {
    let size = Size::new(640, 360);
    JobSpec {
        name: name.to_owned(),
        scene: SceneId([9; 32]),
        settings: RenderSettings { size, samples: 64, ..RenderSettings::default() },
        more_cameras: Vec::new(),
        frames: FrameRange::STILL,
        tile_side_px: 64,
        base: None,
        noise: None,
        needs: protocol::Needs::default(),
    }
}

pub fn job(seed: u8, name: &str, status: JobStatus, accepted: u32, spent: u64) -> JobSummary {
    let over = status.is_over();
    JobSummary {
        job: job_id(seed),
        spec: spec(name),
        artist: ME,
        status,
        reason: None,
        priority: Priority::default(),
        stops_ms: None,
        wanted_by_ms: None,
        done_ms: None,
        memory: protocol::Footprint::default(),
        nodes_here: None,
        units: 60,
        units_accepted: accepted,
        price: Tokens::from_micro(3_600_000),
        price_per_gray: Tokens::from_micro(20_000),
        assurance: Assurance::P999,
        spent: Tokens::from_micro(u128::from(spent)),
        refunded: Tokens::from_micro(if over { 3_600_000 - u128::from(spent) } else { 0 }),
        ordered_ms: NOW_MS - 240_000 - u64::from(seed) * 1_900_000,
        expired: false,
        scene_dropped: false,
        ended_ms: over.then_some(NOW_MS - 61_000),
    }
}

pub fn jobs() -> Vec<JobSummary> {
    let mut failed = job(3, "turntable_car", JobStatus::Failed, 12, 700_000);
    failed.reason = Some("Tile 14 failed on 3 nodes: out of memory. Lower the texture size".into());
    vec![
        job(1, "lighthouse_v12", JobStatus::Rendering, 31, 1_860_000),
        job(2, "still_life", JobStatus::Done, 60, 3_412_345),
        failed,
        job(4, "shot_020_beauty", JobStatus::Waiting, 0, 0),
    ]
}

pub fn node(seed: u8, name: &str, owner: PublicKey) -> NodeView {
    NodeView {
        equipment: protocol::Equipment::default(),
        node: NodeId([seed; 32]),
        name: name.to_owned(),
        backend: "cpu (avx2, 16 threads)".to_owned(),
        owner,
        ask_per_gray: Tokens::from_micro(15_000),
        base_per_gray: Tokens::from_micro(20_000),
        class: Some(Class::Exact),
        barred: false,
        reputation: Reputation { mean_ppm: 941_000, accepted: 312, refused: 1, dropped: 2 },
        rays: RayCount { closest: 41_300_000_000, shadow: 30_100_000_000 },
        claimed_rays_per_second: 5_200_000,
        shown_rays_per_second: Some(4_900_000),
        earned: Tokens::from_micro(18_624_511),
        held: Tokens::from_micro(1_204_000),
        verified: 214,
        stake: Tokens::ZERO,
        leases: 2,
        seen_ms: NOW_MS - 2_000,
    }
}

pub fn farm() -> FarmView {
    let mut cheat = node(0x77, "quick-one", PublicKey([0x77; 32]));
    cheat.barred = true;
    cheat.leases = 0;
    cheat.reputation = Reputation { mean_ppm: 83_000, accepted: 0, refused: 4, dropped: 0 };
    let mut newcomer = node(0x55, "attic-pc", PublicKey([0x55; 32]));
    newcomer.class = None;
    newcomer.leases = 0;
    newcomer.reputation = Reputation { mean_ppm: 500_000, ..Reputation::default() };
    FarmView {
        nodes: vec![
            node(0x42, "workstation", ME),
            node(0x61, "studio-07", PublicKey([0x61; 32])),
            newcomer,
            cheat,
        ],
        jobs_active: 1,
        price_per_gray: Tokens::from_micro(20_000),
        market: MarketView::default(),
    }
}

pub fn wallet() -> WalletView {
    WalletView {
        account: AccountId([5; 32]),
        balance: Tokens::from_micro(128_401_234),
        escrowed: Tokens::from_micro(1_740_000),
        held: Tokens::from_micro(1_204_000),
        staked: Tokens::ZERO,
    }
}

pub fn statement() -> StatementPage {
    let row =
        |seed: u8, credit, amount: u128, code: &str, balance: u128, age_s: u64| StatementRow {
            transfer: TransferId([seed; 16]),
            credit,
            other: AccountId([7; 32]),
            other_is: "escrow of job_07".to_owned(),
            job: None,
            amount: Tokens::from_micro(amount),
            code: code.to_owned(),
            balance: Tokens::from_micro(balance),
            time_ms: NOW_MS - age_s * 1000,
        };
    StatementPage {
        account: wallet().account,
        rows: vec![
            row(1, false, 3_600_000, "escrow", 128_401_234, 240),
            row(2, true, 187_655, "refund", 132_001_234, 7_000),
            row(3, false, 3_600_000, "escrow", 131_813_579, 9_000),
            row(4, true, 100_000_000, "grant", 135_413_579, 200_000),
        ],
        total: 4,
    }
}

/// Tiles of a half-done frame: accepted from the centre outwards.
pub fn tiles() -> Vec<TileStatus> {
    let grid = spec("").grid();
    let mut tiles = vec![TileStatus::Waiting; grid.tile_count() as usize];
    for (place, tile) in grid.from_centre().into_iter().enumerate() {
        tiles[tile.0 as usize] = match place {
            0..31 => TileStatus::Accepted,
            31..33 => TileStatus::Received,
            33 => TileStatus::Retrying,
            34..40 => TileStatus::Rendering,
            _ => TileStatus::Waiting,
        };
    }
    tiles
}

/// The tile of which half is there.
const HALF_DONE: TileIndex = TileIndex(20);

fn unit(tile: u32) -> AcceptedUnit {
    let chunks = if tile == HALF_DONE.0 { 2 } else { 4 };
    AcceptedUnit {
        unit: Unit {
            job: job_id(1),
            shot: ShotIndex(0),
            tile: TileIndex(tile),
            batch: Batch::new(0, chunks).expect("aligned"),
        },
        node: NodeId([0x61; 32]),
        root: Digest([0; 32]),
        rays: RayCount { closest: 1_100_000, shadow: 900_000 },
        pixels_checked: 136,
    }
}

/// A picture to look at: a sky, a hill, a sun; as light.
fn paint(x: u32, y: u32) -> [f32; 3] {
    let (u, v) = (x as f32 / 640.0, y as f32 / 360.0);
    let hill = 0.72 - 0.16 * (u * 5.0).sin() * (u * 2.0 + 0.4).cos();
    let sun = ((u - 0.68).powi(2) * 3.2 + (v - 0.34).powi(2)).sqrt();
    let rgb = if v > hill {
        [0.16 + 0.1 * v, 0.22 + 0.2 * (1.0 - v), 0.18]
    } else if sun < 0.07 {
        [1.0, 0.93, 0.75]
    } else {
        let glow = (0.2 / (sun + 0.15)).min(0.6);
        [0.35 + 0.3 * v + glow * 0.5, 0.48 + 0.2 * v + glow * 0.3, 0.72 - 0.1 * v]
    };
    rgb.map(|value: f32| value.max(0.0).powf(2.2))
}

/// Something that happens, or that a person does.
pub enum Step {
    Is(Event),
    Does(Command),
}

impl From<Event> for Step {
    fn from(event: Event) -> Self {
        Self::Is(event)
    }
}

impl From<Command> for Step {
    fn from(command: Command) -> Self {
        Self::Does(command)
    }
}

fn light(tile: u32) -> Event {
    let rect = spec("").grid().rect(TileIndex(tile)).expect("of the grid");
    let texels = rect.pixels().map(|(x, y)| texel(paint(x, y))).collect();
    Event::Live(live::Event::Light { job: job_id(1), shot: ShotIndex(0), rect, texels })
}

fn update(summary: JobSummary, tiles: Vec<TileStatus>, accepted: Vec<AcceptedUnit>) -> Event {
    let (summary, shot) = (Box::new(summary), ShotIndex(0));
    let shots = live::looks_of_shots(&tiles, tiles.len());
    Event::Live(live::Event::Update { summary, shot, tiles, accepted, shots })
}

fn looked_at() -> Command {
    Command::Watch { job: job_id(1), shot: ShotIndex(0) }
}

/// A job under way, half of whose picture is there.
pub fn rendering() -> Vec<Step> {
    let mut steps = connected(jobs());
    let here = |tile: &usize| *tile == 20 || tiles()[*tile] == TileStatus::Accepted;
    let accepted: Vec<AcceptedUnit> = (0..60).filter(here).map(|tile| unit(tile as u32)).collect();
    steps.push(looked_at().into());
    steps.extend(accepted.iter().map(|unit| light(unit.unit.tile.0).into()));
    steps.push(update(jobs().remove(0), tiles(), accepted).into());
    steps
}

/// The same job once it is done.
pub fn done() -> Vec<Step> {
    let done = job(1, "lighthouse_v12", JobStatus::Done, 60, 3_412_345);
    let mut steps = connected(vec![done.clone()]);
    steps.push(looked_at().into());
    steps.extend((0..60).map(|tile| light(tile).into()));
    let all = vec![TileStatus::Accepted; 60];
    steps.push(update(done, all, (0..60).map(unit).collect()).into());
    steps
}

/// A farm that answers, with these jobs.
pub fn connected(jobs: Vec<JobSummary>) -> Vec<Step> {
    let identity = Identity { key: ME, path: "/home/mina/.config/tessera/key".to_owned() };
    vec![
        Command::Connect(TICKET.to_owned()).into(),
        Event::Identity(identity).into(),
        Event::Link(Link::Connected).into(),
        Event::Heard(NOW_MS - 1_000).into(),
        Event::Book(book::Event::Wallet(Ok(wallet()))).into(),
        Event::Book(book::Event::Statement(Ok(statement()))).into(),
        Event::Book(book::Event::Farm(Ok(farm()))).into(),
        Event::Book(book::Event::Jobs(Ok(jobs))).into(),
    ]
}

/// The scene whose file a test says it is.
pub fn imported(path: &str) -> Imported {
    let package = Arc::new(scene::pack(&scene::golden()));
    let sight = |words: &str, eye: [f32; 3]| Sight {
        camera: CameraChoice::Named(words.to_owned()),
        words: words.to_owned(),
        orbit: Orbit::of(eye, [0.0, 1.0, 0.0], 40.0, 12.0),
        shutter: 0.0,
    };
    Imported {
        path: path.into(),
        name: "lighthouse_v12".to_owned(),
        report: Report {
            warnings: vec![
                "A texture is missing and shown in magenta: rust.png".to_owned(),
                "KHR_xmp_json_ld is not supported; 1 object uses it".to_owned(),
            ],
            triangles: 1_234_567,
            textures: 14,
            bytes: 912_000_000,
            package_bytes: 812_400_000,
        },
        package,
        sights: vec![sight("shot_cam", [4.0, 2.0, 6.0]), sight("door", [0.0, 1.6, 3.0])],
        scale: 12.0,
        animation_s: 4.0,
        wishes: scene::Wishes::default(),
    }
}

/// A scene on the stage, previewed.
pub fn staged(before: Vec<Step>) -> Vec<Step> {
    let mut steps = before;
    let path = "/home/mina/shots/lighthouse_v12.glb";
    steps.push(Command::OpenScene(path.into()).into());
    steps.push(Event::Stage(stage::Event::Imported(Box::new(imported(path)))).into());
    steps.push(Command::Room(Size::new(640, 360)).into());
    let size = Size::new(640, 360);
    let texels =
        (0..360).flat_map(|y| (0..640).map(move |x| texel(paint(x, y)))).collect::<Vec<_>>();
    let seen = stage::Event::Seen { serial: 1, size, texels, samples: 48 };
    steps.push(Event::Stage(seen).into());
    steps
}

/// The price of what is drafted, as the farm names it.
pub fn priced(state: &State, price: Tokens) -> Event {
    let scene = state.stage.scene.as_ref().expect("a scene on the stage");
    let spec = state.draft.spec(scene, ME).expect("sound settings");
    let (offer, serial) = (state.draft.offer(), state.checkout.serial);
    let quote = protocol::Quote {
        id: protocol::QuoteId([3; 16]),
        spec: spec.digest(),
        price,
        work: price,
        setup: Tokens::ZERO,
        fee: Tokens::ZERO,
        reserve: Tokens::ZERO,
        checking: Tokens::ZERO,
        offer,
        base_per_gray: Tokens::from_micro(20_000),
        price_per_gray: Tokens::from_micro(20_000),
        weight_percent: 100,
        samples: 1,
        rays: RayCount::default(),
        probed: protocol::Probed::default(),
        memory: protocol::Footprint::default(),
        reach: protocol::Reach { known: 42, meet: 42, hold: 31, here: 30 },
        valid_until_ms: NOW_MS + 600_000,
    };
    let firm = Box::new(checkout::Firm { spec, offer, quote });
    Event::Checkout(checkout::Event::Firm { serial, firm })
}

/// What one's own node says.
pub fn said(line: serde_json::Value) -> Event {
    Event::Node(desktop_client::state::node::Event::Said(line))
}

/// What the caller's nodes have earned lately.
pub fn earned() -> Event {
    let today = NOW_MS / 86_400_000 * 86_400_000;
    let row = |back: u64, pay: u128| EarningsRow {
        of: EarningsOf::Day(today - back * 86_400_000),
        payments: 41,
        pay: Tokens::from_micro(pay),
        checks: 0,
        checking: Tokens::ZERO,
        taken: Tokens::ZERO,
    };
    let days = [1_204_000, 2_810_000, 2_400_000, 0, 1_950_000, 2_100_000, 900_000, 1_700_000];
    let rows = days.into_iter().enumerate().map(|(back, pay)| row(back as u64, pay)).collect();
    let held = vec![HeldRow {
        node: NodeId([0x42; 32]),
        until_ms: NOW_MS + 5_400_000,
        amount: Tokens::from_micro(1_204_000),
        films: 41,
    }];
    Event::Book(book::Event::Earnings(Ok(EarningsView { rows, held, complete: true })))
}

/// A node, and all of an owner's, whom the caller keeps off his jobs.
pub fn blocked() -> Event {
    let block = |seed: u8, is_node, nodes: &[&str]| BlockView {
        who: PublicKey([seed; 32]),
        is_node,
        nodes: nodes.iter().map(|name| (*name).to_owned()).collect(),
        since_ms: NOW_MS - 240_000,
    };
    let blocks = vec![block(0x61, true, &["studio-07"]), block(0x77, false, &["attic", "cellar"])];
    Event::Book(book::Event::Blocks(Ok(blocks)))
}

/// A node of one's own that renders for others.
pub fn lending() -> Vec<Step> {
    use serde_json::json;
    let mut steps = rendering();
    steps.push(earned().into());
    steps.push(Command::StartNode.into());
    let unit = json!({"job": "job_8a5f10f5c3", "tile": 62});
    let card = json!({
        "name": "NVIDIA GeForce RTX 4070", "temperature_c": 64.0, "power_w": 171.3,
        "fan_percent": 40, "memory_bytes": 12_878_610_432_u64, "memory_used_bytes": 2_147_483_648_u64,
    });
    let lines = [
        json!({"event": "started", "node": "nod_42", "backend": "gpu (NVIDIA GeForce RTX 4070)"}),
        json!({"event": "benchmarked", "rays_per_second": 81_000_000}),
        json!({"event": "connected"}),
        json!({"event": "accepted", "pay": "0.012000"}),
        json!({"event": "accepted", "pay": "0.034500"}),
        json!({"event": "yielded", "kind": "user-active", "seconds": 0.0031}),
        json!({"event": "rendering", "unit": unit}),
        json!({"event": "vitals", "cards": [card], "cpu_temperature_c": 55.3,
            "cache_bytes": 8_388_608, "fetched_bytes": 8_650_752, "sent_bytes": 393_216}),
    ];
    steps.extend(lines.map(|line| said(line).into()));
    steps
}

/// The same node while its owner plays.
pub fn paused() -> Vec<Step> {
    let reason = "full-screen program (portal2); resumes when it leaves the screen";
    let mut steps = lending();
    steps.push(
        said(serde_json::json!({"event": "paused", "kind": "full-screen", "reason": reason}))
            .into(),
    );
    steps
}

/// The farm has gone away.
pub fn offline() -> Event {
    let why = "The connection to the farm ended: timed out".to_owned();
    Event::Link(Link::Lost { why, retry_at_ms: NOW_MS + 8_000 })
}

/// The window after these steps, with the far ends of its wires.
pub fn window(steps: Vec<Step>) -> (Harness<'static, App>, FarEnds) {
    window_of(Harness::builder().with_theme(egui::Theme::Dark), None, steps)
}

/// The same at a door.
pub fn window_of(
    builder: egui_kittest::HarnessBuilder<App>,
    door: Option<Door>,
    steps: Vec<Step>,
) -> (Harness<'static, App>, FarEnds) {
    let mut state = State::default();
    state.apply(Event::Now(NOW_MS));
    for step in steps {
        // What is asked for on the way here was answered by what follows.
        drop(match step {
            Step::Is(event) => state.apply(event),
            Step::Does(command) => state.act(command),
        });
    }
    if let Some(door) = door {
        drop(state.act(Command::Open(door)));
    }
    let (wires, far_ends) = wires();
    let mut harness = builder
        .with_size([1280.0, 800.0])
        .with_max_steps(12)
        .build_eframe(|cc| App::new(cc, state, wires, || NOW_MS));
    harness.run_steps(4);
    (harness, far_ends)
}

/// What the window has asked for since the last time.
pub fn asked(ends: &mut FarEnds) -> Vec<Ask> {
    let all = std::iter::from_fn(|| ends.asks.try_recv().ok());
    // Settings are written down all the time.
    all.filter(|ask| !matches!(ask, Ask::Remember(_))).collect()
}
