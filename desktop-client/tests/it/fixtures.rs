//! States as literals, and the window around them.

use desktop_client::app::App;
use desktop_client::bridge::{FarEnds, wires};
use desktop_client::state::{Door, Event, Identity, Link, State};
use egui_kittest::Harness;
use protocol::view::{
    AcceptedUnit, FarmView, JobStatus, JobSummary, MarketView, NodeView, Reputation, StatementPage,
    StatementRow, TileStatus, WalletView,
};
use protocol::{
    AccountId, Assurance, Batch, Class, Digest, FrameRange, JobId, JobSpec, NodeId, Priority,
    PublicKey, RayCount, RenderSettings, SceneId, ShotIndex, Size, TileIndex, Tokens, TransferId,
    Unit,
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

/// A picture to look at: a sky, a hill, a sun.
fn paint(x: u32, y: u32) -> [u8; 4] {
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
    let [red, green, blue] = rgb.map(|value: f32| (value.clamp(0.0, 1.0) * 255.0) as u8);
    [red, green, blue, 255]
}

/// The events of a farm with one job under way.
pub fn rendering_events() -> Vec<Event> {
    let mut events = connected_events(jobs());
    let summary = Box::new(jobs().remove(0));
    let here = |tile: &usize| *tile == 20 || tiles()[*tile] == TileStatus::Accepted;
    let accepted = (0..60).filter(here);
    let accepted: Vec<AcceptedUnit> = accepted.map(|tile| unit(tile as u32)).collect();
    events.push(Event::Selected { job: job_id(1), shot: ShotIndex(0) });
    for unit in &accepted {
        let rect = spec("").grid().rect(unit.unit.tile).expect("of the grid");
        let rgba = rect.pixels().flat_map(|(x, y)| paint(x, y)).collect();
        events.push(Event::Pixels { job: job_id(1), shot: ShotIndex(0), rect, rgba });
    }
    events.push(Event::Update { summary, shot: ShotIndex(0), tiles: tiles(), accepted });
    events
}

/// The same job once it is done.
pub fn done_events() -> Vec<Event> {
    let done = job(1, "lighthouse_v12", JobStatus::Done, 60, 3_412_345);
    let mut events = connected_events(vec![done.clone()]);
    events.push(Event::Selected { job: job_id(1), shot: ShotIndex(0) });
    for tile in 0..60 {
        let rect = spec("").grid().rect(TileIndex(tile)).expect("of the grid");
        let rgba = rect.pixels().flat_map(|(x, y)| paint(x, y)).collect();
        events.push(Event::Pixels { job: job_id(1), shot: ShotIndex(0), rect, rgba });
    }
    let tiles = vec![TileStatus::Accepted; 60];
    let accepted = (0..60).map(unit).collect();
    events.push(Event::Update { summary: Box::new(done), shot: ShotIndex(0), tiles, accepted });
    events
}

/// A farm that answers, with these jobs.
pub fn connected_events(jobs: Vec<JobSummary>) -> Vec<Event> {
    vec![
        Event::Ticket(TICKET.to_owned()),
        Event::Identity(Identity { key: ME, path: "/home/mina/.config/tessera/key".to_owned() }),
        Event::Link(Link::Connected),
        Event::Heard(NOW_MS - 1_000),
        Event::Wallet(wallet()),
        Event::Statement(statement()),
        Event::Farm(farm()),
        Event::Jobs(jobs),
    ]
}

/// The farm has gone away.
pub fn offline() -> Event {
    let why = "The connection to the farm ended: timed out".to_owned();
    Event::Link(Link::Lost { why, retry_at_ms: NOW_MS + 8_000 })
}

/// The window after these events, with the far ends of its wires.
pub fn window(events: Vec<Event>) -> (Harness<'static, App>, FarEnds) {
    window_of(Harness::builder().with_theme(egui::Theme::Dark), Door::Render, events)
}

pub fn window_of(
    builder: egui_kittest::HarnessBuilder<App>,
    door: Door,
    events: Vec<Event>,
) -> (Harness<'static, App>, FarEnds) {
    let mut state = State::default();
    for event in events {
        state.apply(event);
    }
    state.apply(Event::Opened(door));
    let (wires, far_ends) = wires();
    let mut harness = builder
        .with_size([1120.0, 700.0])
        .with_max_steps(12)
        .build_eframe(|cc| App::new(&cc.egui_ctx, state, wires, || NOW_MS));
    harness.run_steps(4);
    (harness, far_ends)
}
