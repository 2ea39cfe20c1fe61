//! Scenes between peers.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use bytes::Bytes;
use protocol::SceneId;
use tokio::sync::Notify;
use transport::{FetchError, FetchProgress, Peer, PeerConfig, PeerLimits, SceneError, Ticket};

use crate::desk::{Office, admitted, bind, call, hello};

/// Bytes that do not compress and differ everywhere.
fn package(size_bytes: usize) -> Bytes {
    noise(1, size_bytes)
}

/// The same, of a seed.
pub fn noise(seed: u64, size_bytes: usize) -> Bytes {
    let mut state = seed;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size_bytes).map(|_| next()).collect()
}

/// A package in parts of 5 MiB.
pub fn parts(package: &Bytes) -> Vec<Bytes> {
    package.chunks(5 << 20).map(|part| package.slice_ref(part)).collect()
}

/// The id of a scene of these parts.
pub fn id(parts: &[Bytes]) -> SceneId {
    let hashes: Vec<u8> =
        parts.iter().flat_map(|part| *iroh_blobs::Hash::new(part).as_bytes()).collect();
    SceneId(*iroh_blobs::Hash::new(hashes).as_bytes())
}

async fn fetch(to: &Peer, scene: SceneId, limit: u64, from: &Peer) -> Result<u64, FetchError> {
    to.scenes().fetch(scene, limit, from.id(), |_progress| ()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scene_travels_both_ways_over_one_meeting() {
    let office = Office::open(PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let bytes = package(3_000_001);
    let scene = office.peer.scenes().add(parts(&bytes)).await.expect("kept");
    let unmet = fetch(&guest, scene, u64::MAX, &office.peer).await;
    assert!(matches!(unmet, Err(FetchError::NotConnected(_))), "{unmet:?}");
    let connection = admitted(&guest, &office).await;

    // The dialled peer gives.
    let reports = Mutex::new(Vec::new());
    let progress = |report: FetchProgress| reports.lock().expect("no panic").push(report);
    let size = guest.scenes().fetch(scene, 3_000_001, office.peer.id(), progress).await;
    assert_eq!(size.expect("fetched"), 3_000_001);
    assert_eq!(guest.scenes().read(scene).await.expect("here"), bytes);
    let reports = reports.into_inner().expect("no panic");
    assert!(reports.is_sorted_by_key(|report| report.received_bytes));
    let first = reports.first().expect("reports");
    assert_eq!((first.found_bytes, first.received_bytes), (0, 0));
    let last = reports.last().expect("reports");
    assert_eq!((last.received_bytes, last.size_bytes), (3_000_001, 3_000_001));

    // The dialled peer takes: it never had the guest's ticket.
    let other = guest.scenes().add(parts(&package(70_000))).await.expect("kept");
    assert_eq!(fetch(&office.peer, other, 70_000, &guest).await.expect("fetched"), 70_000);
    let mut expected = [(scene, 3_000_001), (other, 70_000)];
    expected.sort_unstable();
    assert_eq!(office.peer.scenes().list().await.expect("a store"), expected);

    connection.close("done");
    guest.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_share_a_key_each_give_their_own_scenes() {
    let office = Office::open(PeerLimits::default()).await;
    // A window that stays open, and a tool that has the scene: one person, one key.
    let (window, _window_folder) = bind(3, PeerLimits::default()).await;
    let (tool, _tool_folder) = bind(3, PeerLimits::default()).await;
    let first = admitted(&window, &office).await;
    let second = admitted(&tool, &office).await;
    let of_tool = tool.scenes().add(parts(&package(50_000))).await.expect("kept");
    let of_window = window.scenes().add(parts(&package(60_000))).await.expect("kept");
    assert_eq!(fetch(&office.peer, of_tool, 50_000, &tool).await.expect("fetched"), 50_000);
    assert_eq!(fetch(&office.peer, of_window, 60_000, &tool).await.expect("fetched"), 60_000);
    let of_nobody = SceneId([9; 32]);
    let missing = fetch(&office.peer, of_nobody, 60_000, &tool).await;
    assert!(matches!(missing, Err(FetchError::NotGiven { .. })), "{missing:?}");

    // The tool is gone; the window still gives.
    second.close("done");
    tool.close().await;
    let later = window.scenes().add(parts(&package(70_000))).await.expect("kept");
    assert_eq!(fetch(&office.peer, later, 70_000, &window).await.expect("fetched"), 70_000);
    first.close("done");
    window.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_is_said_before_anything_is_kept() {
    let office = Office::open(PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let _connection = admitted(&guest, &office).await;
    let scene = office.peer.scenes().add(parts(&package(200_000))).await.expect("kept");

    let refused = fetch(&guest, scene, 199_999, &office.peer).await;
    let expected = (200_000, 199_999);
    assert!(
        matches!(refused, Err(FetchError::TooLarge { size_bytes, limit_bytes, .. }) if (size_bytes, limit_bytes) == expected),
        "{refused:?}"
    );
    let unknown = SceneId([3; 32]);
    let refused = fetch(&guest, unknown, u64::MAX, &office.peer).await;
    assert!(matches!(refused, Err(FetchError::NotGiven { .. })), "{refused:?}");
    assert!(guest.scenes().list().await.expect("a store").is_empty());

    fetch(&guest, scene, 200_000, &office.peer).await.expect("fetched");
    guest.scenes().remove(scene).await.expect("removed");
    assert!(!guest.scenes().has(scene).await.expect("a store"));
    let read = guest.scenes().read(scene).await;
    assert!(matches!(read, Err(SceneError::Missing(_))), "{read:?}");
    guest.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_fetch_goes_on_where_it_stopped() {
    let office = Office::open(PeerLimits::default()).await;
    let bytes = package(24 << 20);
    let size_bytes = bytes.len() as u64;
    let scene = office.peer.scenes().add(parts(&bytes)).await.expect("kept");
    let folder = tempfile::tempdir().expect("a folder");
    let config = PeerConfig::new([2; 32], folder.path());

    let guest = Peer::bind(config.clone()).await.expect("a free port");
    let _connection = admitted(&guest, &office).await;
    let half = Notify::new();
    let notify_at_half = |report: FetchProgress| {
        if report.received_bytes >= size_bytes / 2 {
            half.notify_one();
        }
    };
    let fetching = guest.scenes().fetch(scene, size_bytes, office.peer.id(), notify_at_half);
    tokio::select! {
        biased;
        () = half.notified() => {}
        whole = fetching => panic!("the fetch should have been dropped at half: {whole:?}"),
    }
    assert!(!guest.scenes().has(scene).await.expect("a store"));
    guest.close().await;

    let guest = Peer::bind(config).await.expect("a free port");
    let _connection = admitted(&guest, &office).await;
    let first = Mutex::new(None);
    let note_first = |report: FetchProgress| {
        first.lock().expect("no panic").get_or_insert(report.received_bytes);
    };
    let fetched = guest.scenes().fetch(scene, size_bytes, office.peer.id(), note_first).await;
    assert_eq!(fetched.expect("fetched"), size_bytes);
    let kept = first.into_inner().expect("no panic").expect("a report");
    assert!(kept > 0, "nothing was kept of the first attempt");
    assert_eq!(guest.scenes().read(scene).await.expect("here"), bytes);
    guest.close().await;
    office.peer.close().await;
}

const CHILD_FOLDER: &str = "TESSERA_TEST_FOLDER";
const CHILD_TICKET: &str = "TESSERA_TEST_TICKET";
const HALF: &str = "half is here";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_fetch_goes_on_where_it_stopped() {
    let office = Office::open(PeerLimits::default()).await;
    let bytes = package(24 << 20);
    let scene = office.peer.scenes().add(parts(&bytes)).await.expect("kept");
    let folder = tempfile::tempdir().expect("a folder");

    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "scenes::child_that_is_killed", "--ignored", "--nocapture"])
        .env(CHILD_FOLDER, folder.path())
        .env(CHILD_TICKET, office.peer.ticket().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let found = tokio::task::spawn_blocking(move || {
        lines.map_while(Result::ok).any(|line| line.contains(HALF))
    });
    assert!(found.await.expect("no panic"), "the child ended before it had half");
    child.kill().expect("killed");
    child.wait().expect("gone");

    let config = PeerConfig::new([2; 32], folder.path());
    let guest = Peer::bind(config).await.expect("the store opens after a kill");
    let _connection = admitted(&guest, &office).await;
    let first = Mutex::new(None);
    let note_first = |report: FetchProgress| {
        first.lock().expect("no panic").get_or_insert(report.received_bytes);
    };
    let fetched = guest.scenes().fetch(scene, u64::MAX, office.peer.id(), note_first).await;
    assert_eq!(fetched.expect("fetched"), bytes.len() as u64);
    let kept = first.into_inner().expect("no panic").expect("a report");
    assert!(kept > 0, "nothing was kept of the killed attempt");
    assert_eq!(guest.scenes().read(scene).await.expect("here"), bytes);
    guest.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as a child of a_killed_fetch_goes_on_where_it_stopped"]
async fn child_that_is_killed() {
    let folder = std::env::var(CHILD_FOLDER).expect("run by its parent");
    let ticket: Ticket =
        std::env::var(CHILD_TICKET).expect("run by its parent").parse().expect("a ticket");
    let guest = Peer::bind(PeerConfig::new([2; 32], folder)).await.expect("a free port");
    let connection = guest.connect(&ticket).await.expect("connected");
    call(&connection, &hello(), Bytes::new()).await.expect("welcome");
    let scene = id(&parts(&package(24 << 20)));
    let halt_at_half = |report: FetchProgress| {
        if report.received_bytes >= report.size_bytes / 2 {
            println!("{HALF}");
            // Hold still until the parent kills.
            loop {
                std::thread::park();
            }
        }
    };
    let _never = guest.scenes().fetch(scene, u64::MAX, ticket.key(), halt_at_half).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_on_disk_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = PeerConfig::new([2; 32], folder.path());
    let peer = Peer::bind(config.clone()).await.expect("a free port");
    let scene = peer.scenes().add(parts(&package(500_000))).await.expect("kept");
    peer.close().await;
    let files = std::fs::read_dir(folder.path().join("data")).expect("the store's files");
    for file in files.map(|file| file.expect("a file").path()) {
        if file.extension().is_some_and(|extension| extension == "data") {
            let mut bytes = std::fs::read(&file).expect("read");
            bytes[250_000] ^= 1;
            std::fs::write(&file, bytes).expect("written");
        }
    }
    let peer = Peer::bind(config).await.expect("a free port");
    let read = peer.scenes().read(scene).await;
    assert!(matches!(read, Err(SceneError::Damaged(_) | SceneError::Store(_))), "{read:?}");
    peer.close().await;
}
