//! Views of a farm that never change: for tests.

use protocol::view::{
    AcceptedUnit, BlockView, FarmView, JobStatus, JobSummary, LedgerCheck, MarketView, NodeView,
    Reputation, StatementRow, WalletView,
};
use protocol::{
    AccountId, Assurance, BackendKind, Batch, CameraChoice, Class, Crop, Digest, Equipment,
    Footprint, FrameRange, JobId, JobSpec, LeaseId, Needs, NodeId, NoiseTarget, Offer, Priority,
    Probed, PublicKey, Quote, QuoteId, RayCount, Reach, Refusal, RenderSettings, SceneId,
    ShotIndex, Size, TileIndex, Tokens, TransferId, Unit, Verdict, VerdictKind,
};

fn tokens(text: &str) -> Tokens {
    text.parse().expect("an amount")
}

/// A job of two cameras and twelve frames, 10 by 8 tiles, under way.
pub fn job() -> JobSummary {
    JobSummary {
        job: JobId([0x3f; 16]),
        spec: spec(),
        artist: PublicKey([4; 32]),
        status: JobStatus::Rendering,
        reason: Some("two nodes are slow".to_owned()),
        priority: Priority::default(),
        stops_ms: Some(1_800_000_900_000),
        wanted_by_ms: Some(1_800_001_000_000),
        done_ms: Some(1_800_000_800_000),
        memory: Footprint { cpu_bytes: 3_000_000_000, gpu_bytes: 2_000_000_000 },
        nodes_here: Some(7),
        units: 1_920,
        units_accepted: 960,
        price: tokens("12.5"),
        price_per_gray: tokens("10"),
        assurance: Assurance::default(),
        spent: tokens("6.25"),
        refunded: Tokens::ZERO,
        ordered_ms: 1_800_000_000_000,
        ended_ms: None,
        expired: false,
        scene_dropped: false,
    }
}

/// What that job renders.
pub fn spec() -> JobSpec {
    JobSpec {
        name: "shot_010".to_owned(),
        scene: SceneId([0x5c; 32]),
        settings: RenderSettings {
            size: Size::new(1280, 1024),
            samples: 256,
            crop: Some(Crop { x: 0, y: 0, size: Size::new(1280, 1024) }),
            camera: CameraChoice::Named("left".to_owned()),
            ..RenderSettings::default()
        },
        more_cameras: vec![CameraChoice::Named("right".to_owned())],
        frames: FrameRange { first: 1, last: 23, step: 2, fps: 24.0 },
        tile_side_px: 128,
        base: Some(JobId([0x2e; 16])),
        noise: NoiseTarget::try_new(0.01, 32).ok(),
        needs: Needs {
            owners: [PublicKey([4; 32])].into(),
            pool: "night".parse().ok(),
            backend: Some(BackendKind::Gpu),
            memory_bytes: 8_000_000_000,
        },
    }
}

/// The quote that it was ordered by.
pub fn quote() -> Quote {
    Quote {
        id: QuoteId([1; 16]),
        spec: Digest([0; 32]),
        price: tokens("12.5"),
        work: tokens("11"),
        setup: tokens("2"),
        fee: tokens("0.75"),
        reserve: tokens("0.75"),
        checking: tokens("0.15"),
        offer: Offer { bid: Some(tokens("15")), ..Offer::default() },
        base_per_gray: tokens("10"),
        price_per_gray: tokens("15"),
        weight_percent: 141,
        samples: 8_053_063_680,
        rays: RayCount { closest: 567_375_886, shadow: 123_456_789 },
        probed: Probed {
            shots: 3,
            pixels: 1_024,
            expected: RayCount { closest: 400_000_000, shadow: 100_000_000 },
        },
        memory: Footprint { cpu_bytes: 3_000_000_000, gpu_bytes: 2_000_000_000 },
        reach: Reach { known: 12, meet: 9, hold: 8, here: 7 },
        valid_until_ms: 1_800_000_060_000,
    }
}

/// A node with a GPU, in a pool.
pub fn node() -> NodeView {
    NodeView {
        node: NodeId([0x3f; 32]),
        name: "ada".to_owned(),
        backend: "gpu: a card".to_owned(),
        equipment: Equipment {
            backend: BackendKind::Gpu,
            memory_bytes: Some(12_000_000_000),
            pools: "night".parse().into_iter().collect(),
        },
        owner: PublicKey([4; 32]),
        ask_per_gray: tokens("8"),
        base_per_gray: tokens("10"),
        class: Some(Class::Tolerant),
        barred: false,
        reputation: Reputation { mean_ppm: 990_000, accepted: 99, refused: 1, dropped: 2 },
        rays: RayCount { closest: 1_000_000, shadow: 500_000 },
        claimed_rays_per_second: 90_000_000,
        shown_rays_per_second: Some(80_000_000),
        earned: tokens("42"),
        held: tokens("1.5"),
        verified: 17,
        stake: tokens("50"),
        leases: 3,
        seen_ms: 1_800_000_000_000,
    }
}

/// A farm with that node.
pub fn farm() -> FarmView {
    let market = MarketView {
        floor: tokens("5"),
        per_gray: tokens("10"),
        ceiling: tokens("40"),
        heading: tokens("8"),
        step_ppm: 20_000,
        epoch_ms: 60_000,
        bid_moves_ms: 3_600_000,
        line_ms: Some(120_000),
        nodes_able: 1,
        nodes_willing: 1,
    };
    FarmView { nodes: vec![node()], jobs_active: 1, price_per_gray: tokens("10"), market }
}

/// A wallet.
pub fn wallet() -> WalletView {
    WalletView {
        account: AccountId([7; 32]),
        balance: tokens("100"),
        escrowed: tokens("6.25"),
        held: tokens("1.5"),
        staked: tokens("50"),
    }
}

/// A node that is blocked.
pub fn block() -> BlockView {
    let (who, since_ms) = (PublicKey([0x3f; 32]), 1_800_000_000_000);
    BlockView { who, is_node: true, nodes: vec!["attic".to_owned()], since_ms }
}

/// An entry of its account.
pub fn statement_row() -> StatementRow {
    StatementRow {
        transfer: TransferId([8; 16]),
        credit: false,
        other: AccountId([9; 32]),
        other_is: format!("escrow of {}", job().job),
        job: Some(job().job),
        amount: tokens("12.5"),
        code: "escrow".to_owned(),
        balance: tokens("100"),
        time_ms: 1_800_000_000_000,
    }
}

/// A look at a ledger.
pub fn ledger_check() -> LedgerCheck {
    LedgerCheck {
        sum_is_zero: true,
        verified: true,
        entries: 4_096,
        head: Digest([6; 32]),
        problem: Some("none; an example".to_owned()),
    }
}

/// A unit of the job: frame 3 of the camera on the right, column 3, row 7.
pub fn unit() -> Unit {
    let batch = Batch::cover(16, 16).next().expect("one");
    Unit { job: JobId([0x3f; 16]), shot: ShotIndex(3), tile: TileIndex(73), batch }
}

/// It, accepted.
pub fn accepted() -> AcceptedUnit {
    AcceptedUnit {
        unit: unit(),
        node: NodeId([0x3f; 32]),
        root: Digest([5; 32]),
        rays: RayCount { closest: 1_000, shadow: 500 },
        pixels_checked: 64,
    }
}

/// A film of it that was refused.
pub fn verdict() -> Verdict {
    Verdict {
        lease: LeaseId([2; 16]),
        unit: unit(),
        node: NodeId([0x11; 32]),
        root: Digest([5; 32]),
        kind: VerdictKind::Refused(Refusal::Shape),
        evidence: Some(Digest([3; 32])),
    }
}
