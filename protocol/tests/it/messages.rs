//! Every message goes there and back; any damage to it is an error, never a panic.

use proptest::prelude::*;
use protocol::message::{Qualification, RefusedCode};
use protocol::view::{JobStatus, JobSummary, JobUpdate, StatementPage, StatementRow, TileStatus};
use protocol::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn unit() -> Unit {
    let batch = Batch::new(4, 2).expect("aligned");
    Unit { job: JobId([1; 16]), shot: ShotIndex(3), tile: TileIndex(7), batch }
}

fn spec() -> JobSpec {
    JobSpec {
        name: "still life, night".into(),
        scene: SceneId([2; 32]),
        settings: RenderSettings {
            camera: CameraChoice::LookAt { eye: [1.0; 3], target: [0.0; 3], vfov_degrees: 40.0 },
            lighting: Lighting {
                sun: Some(Sun {
                    direction: [0.0, 1.0, 0.0],
                    irradiance: [3.0; 3],
                    angle_degrees: 0.5,
                }),
                sky: Some([0.1; 3]),
            },
            ..RenderSettings::default()
        },
        more_cameras: vec![CameraChoice::Named("left".into())],
        frames: FrameRange::STILL,
        tile_side_px: 128,
        base: Some(JobId([9; 16])),
        noise: Some(NoiseTarget::try_new(0.01, 64).expect("in range")),
        needs: needs(),
    }
}

fn lease() -> Lease {
    Lease {
        id: LeaseId([3; 16]),
        node: NodeId([4; 32]),
        piece: Piece {
            unit: unit(),
            scene: SceneId([2; 32]),
            settings: spec().settings,
            time_s: 0.5,
            rect: Rect { x0: 0, y0: 128, x1: 128, y1: 200 },
            engine: Engine(1),
        },
        nonce_hash: Lease::nonce_hash(&[9; 32]),
        pay_max: Tokens::from_whole(2),
        deadline_ms: 1_800_000_000_000,
    }
}

fn selection() -> Selection {
    Selection { frame: Some(12), view: Some(ViewIndex(1)), tile: None }
}

fn pool() -> Pool {
    "studio".parse().expect("a name")
}

fn needs() -> Needs {
    Needs {
        owners: [PublicKey([8; 32])].into(),
        pool: Some(pool()),
        backend: Some(BackendKind::Gpu),
        memory_bytes: 8_000_000_000,
    }
}

fn equipment() -> Equipment {
    let (backend, memory_bytes) = (BackendKind::Gpu, Some(1 << 34));
    Equipment { backend, memory_bytes, pools: [pool()].into() }
}

fn commitment() -> Commitment {
    Commitment {
        lease: LeaseId([3; 16]),
        node: NodeId([4; 32]),
        piece: lease().piece.digest(),
        root: Digest([6; 32]),
        rays: RayCount { closest: 1 << 40, shadow: 12 },
        engine: Engine(1),
    }
}

fn verdict() -> Verdict {
    let refusal = Refusal::Pixels { differing: 3, checked: 136, x: 4, y: 140 };
    Verdict {
        lease: LeaseId([3; 16]),
        unit: unit(),
        node: NodeId([4; 32]),
        root: Digest([6; 32]),
        kind: VerdictKind::Refused(refusal),
        evidence: Some(Digest([7; 32])),
    }
}

fn requests() -> Vec<Request> {
    let order = Order {
        quote: QuoteId([7; 16]),
        spec: spec().digest(),
        price: Tokens::from_whole(9),
        artist: PublicKey([8; 32]),
        schedule: Schedule { after: vec![JobId([2; 16])], ..Schedule::default() },
    };
    let node = NodeHello {
        name: "attic".into(),
        engine: Engine(1),
        backend: "cpu (avx2, 16 threads)".into(),
        rays_per_second: 5_000_000,
        equipment: equipment(),
        ask_per_gray: Tokens::from_micro(8_500_000),
        owner: Some(Signed::new(&OwnerBinding { node: NodeId([4; 32]) }, &key())),
    };
    vec![
        Request::Hello { protocol: PROTOCOL_VERSION, role: Role::Node(node), invitation: None },
        Request::Hello {
            protocol: PROTOCOL_VERSION,
            role: Role::Client,
            invitation: Some(Invitation([3; 16])),
        },
        Request::Qualify,
        Request::Leases { max: 2, wait_ms: 10_000 },
        Request::Heartbeat { leases: vec![LeaseId([3; 16]); 2] },
        Request::Submit { commitment: Signed::new(&commitment(), &key()) },
        Request::Release {
            leases: vec![LeaseId([3; 16])],
            reason: "stopping".into(),
            why: GivenBack::TooLarge,
        },
        Request::MyVerdicts { after: 12 },
        Request::Holders { scene: SceneId([2; 32]) },
        Request::Block { who: PublicKey([8; 32]), is_blocked: true },
        Request::Blocks,
        Request::DropScene { scene: SceneId([2; 32]) },
        Request::Gives {
            scenes: vec![SceneId([2; 32])],
            addresses: vec!["[::1]:7".parse().expect("an address")],
        },
        Request::OfferScene { scene: SceneId([2; 32]), size_bytes: 1 << 30, wait_ms: 1_000 },
        Request::Quote { spec: spec(), offer: Offer::default() },
        Request::Order { spec: spec(), order: Signed::new(&order, &key()) },
        Request::Steer { job: JobId([1; 16]), steering: Steering::Priority(Priority::default()) },
        Request::Steer { job: JobId([1; 16]), steering: Steering::Retry(selection()) },
        Request::Steer { job: JobId([1; 16]), steering: Steering::First(selection()) },
        Request::Jobs { offset: 0, limit: 50 },
        Request::Watch { job: JobId([1; 16]), after: 4, wait_ms: 10_000 },
        Request::Film { unit: unit() },
        Request::Statement { account: AccountId([1; 32]), offset: 0, limit: 500 },
        Request::Farm,
    ]
}

fn replies() -> Vec<Reply> {
    let summary = JobSummary {
        job: JobId([1; 16]),
        spec: spec(),
        artist: PublicKey([8; 32]),
        status: JobStatus::Failed,
        reason: Some("three nodes gave up".into()),
        priority: Priority::default(),
        stops_ms: Some(3),
        wanted_by_ms: Some(1_900_000_000_000),
        done_ms: None,
        memory: Footprint::in_steps(3_000_000_000, 2_000_000_000),
        nodes_here: Some(3),
        units: 30,
        units_accepted: 11,
        price: Tokens::from_whole(9),
        price_per_gray: Tokens::from_whole(10),
        assurance: Assurance::P99,
        spent: Tokens::from_micro(5),
        refunded: Tokens::ZERO,
        ordered_ms: 1,
        expired: false,
        scene_dropped: true,
        ended_ms: Some(2),
    };
    let row = StatementRow {
        transfer: TransferId([2; 16]),
        credit: true,
        other: AccountId([1; 32]),
        other_is: "escrow".into(),
        job: Some(JobId([1; 16])),
        amount: Tokens::from_micro(77),
        code: "verdict".into(),
        balance: Tokens::from_whole(1),
        time_ms: 3,
    };
    let tiles = vec![TileStatus::Retrying; 12];
    vec![
        Reply::Welcome {
            scheduler: PublicKey([8; 32]),
            engine: Engine(1),
            qualify: Some(Qualification { settings: RenderSettings::default() }),
        },
        Reply::Qualified { class: Class::Exact },
        Reply::Leases(vec![Signed::new(&lease(), &key()); 2]),
        Reply::Lapsed(vec![LeaseId([3; 16])]),
        Reply::Verdicts(vec![(1, Signed::new(&verdict(), &key()))]),
        Reply::Job(Box::new(JobUpdate {
            summary: summary.clone(),
            tiles,
            accepted: vec![],
            next: 5,
        })),
        Reply::Jobs(vec![summary]),
        Reply::Statement(StatementPage { account: AccountId([1; 32]), rows: vec![row], total: 1 }),
        Reply::refused(RefusedCode::Busy, "try again"),
    ]
}

fn check_round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = encode(value);
    assert_eq!(decode::<T>(&bytes, limits::MESSAGE_BYTES_MAX).as_ref(), Ok(value));
    for length in 0..bytes.len() {
        let cut = decode::<T>(&bytes[..length], limits::MESSAGE_BYTES_MAX);
        assert!(cut.is_err(), "{value:?} cut to {length} bytes still decodes");
    }
}

#[test]
fn every_message_round_trips_and_no_beginning_of_one_decodes() {
    requests().iter().for_each(check_round_trip);
    replies().iter().for_each(check_round_trip);
}

#[test]
fn a_film_comes_with_the_requests_that_say_so() {
    let with_body = requests().iter().filter(|request| request.has_body()).count();
    assert_eq!(with_body, 2, "qualify and submit");
}

#[test]
fn absurd_lengths_are_refused_at_once() {
    // Reply::Lapsed and its list's length, with nothing behind: 2^63 leases.
    let mut bytes = encode(&Reply::Lapsed(Vec::new()));
    bytes.pop();
    bytes.extend_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
    assert!(decode::<Reply>(&bytes, limits::MESSAGE_BYTES_MAX).is_err());
}

#[test]
fn a_batch_that_is_none_does_not_decode() {
    for run in [(2_u32, 4_u32), (0, 3), (0, 0), (u32::MAX, 1)] {
        assert!(decode::<Batch>(&encode(&run), 100).is_err(), "{run:?}");
    }
    assert_eq!(decode(&encode(&(4_u32, 2_u32)), 100), Ok(Batch::new(4, 2).expect("aligned")));
}

proptest! {
    #[test]
    fn any_bytes_decode_or_not_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _request = decode::<Request>(&bytes, limits::MESSAGE_BYTES_MAX);
        let _reply = decode::<Reply>(&bytes, limits::MESSAGE_BYTES_MAX);
        let _lease = decode::<Lease>(&bytes, limits::MESSAGE_BYTES_MAX);
        let signed = decode::<Signed<Lease>>(&bytes, limits::MESSAGE_BYTES_MAX);
        let _opened = signed.map(|signed| signed.open());
    }

    #[test]
    fn damaged_messages_decode_or_not_without_a_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut messages: Vec<Vec<u8>> = requests().iter().map(encode).collect();
        messages.extend(replies().iter().map(encode));
        let bytes = &mut messages[which.index(26)];
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(Request::Quote { spec, .. } | Request::Order { spec, .. }) =
            decode(bytes, limits::MESSAGE_BYTES_MAX)
        {
            let _outcome = spec.validate();
        }
        if let Ok(Reply::Leases(leases)) = decode(bytes, limits::MESSAGE_BYTES_MAX) {
            for lease in leases {
                let opened = lease.open();
                prop_assert!(opened.is_err() || opened == Ok(self::lease()));
            }
        }
    }
}

#[test]
fn a_jobs_name_is_a_line_of_text() {
    let named = |name: &str| JobSpec { name: name.to_owned(), ..spec() }.validate();
    assert_eq!(named("Stillleben, Nacht (2) ../../é"), Ok(()));
    assert_eq!(named(""), Err(SpecError::Name(0)));
    for name in ["two\nlines", "red \u{1b}[31m", "bell \u{7}", "\u{9b}31m"] {
        assert_eq!(named(name), Err(SpecError::NameControl(name.to_owned())));
    }
}
