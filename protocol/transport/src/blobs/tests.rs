//! What stays on disk: parts as long as any scene has them.

use tempfile::TempDir;

use super::*;

const STALL: Duration = Duration::from_secs(10);
const SWEEP: Duration = Duration::from_millis(20);
/// Nothing waits this long when all is well.
const LONG: Duration = Duration::from_secs(60);

async fn store(folder: &TempDir) -> BlobStore {
    BlobStore::open_swept(folder.path(), STALL, SWEEP).await.expect("a store")
}

fn part(seed: u8, size_bytes: usize) -> Bytes {
    (0..size_bytes).map(|at| (at as u8).wrapping_mul(seed) ^ (at >> 8) as u8 ^ seed).collect()
}

/// Waits until a sweep has taken a blob.
async fn swept(store: &BlobStore, hash: Hash) {
    let gone = async {
        while store.api().blobs().has(hash).await.expect("a store") {
            tokio::time::sleep(SWEEP).await;
        }
    };
    timeout(LONG, gone).await.expect("it is swept");
}

#[tokio::test]
async fn a_removed_scene_leaves_the_parts_that_others_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    // Small blobs live in the index, larger ones in files.
    let (own, shared, small, other) =
        (part(1, 50_000), part(2, 300_000), part(3, 900), part(4, 40_000));
    let first = vec![own.clone(), shared.clone(), small.clone()];
    let second = vec![other, small, shared];
    let one = store.add(first).await.expect("kept");
    let two = store.add(second.clone()).await.expect("kept");
    store.remove(one).await.expect("removed");
    assert_eq!(store.held(one).await.expect("a store"), None);
    swept(&store, Hash::new(&own)).await;
    swept(&store, hash(one)).await;
    assert_eq!(store.read(two).await.expect("whole"), second.concat());
    store.remove(two).await.expect("removed");
    for part in &second {
        swept(&store, Hash::new(part)).await;
    }
    SceneStore::close(&store).await;
}

#[tokio::test]
async fn a_scene_that_lost_a_part_is_looked_at_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let parts = vec![part(1, 50_000), part(2, 60_000)];
    let scene = store.add(parts.clone()).await.expect("kept");
    let held = store.held(scene).await.expect("a store").expect("held");
    assert_eq!(held.size_bytes, Some(110_000));
    // As if a sweep had taken it: the tag holds the one part alone.
    store.api().tags().set(tag(scene), Hash::new(&parts[0])).await.expect("set");
    swept(&store, Hash::new(&parts[1])).await;
    store.read(scene).await.expect_err("a part is gone");
    let held = store.held(scene).await.expect("a store");
    assert!(held.is_none_or(|held| held.size_bytes.is_none()), "it is not whole any more");
    let again = store.add(parts.clone()).await.expect("kept");
    assert_eq!(again, scene);
    assert_eq!(store.read(scene).await.expect("whole"), parts.concat());
    SceneStore::close(&store).await;
}

#[tokio::test]
async fn scenes_of_earlier_releases_are_let_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = store(&folder).await;
    let uncut = part(1, 50_000);
    let scene = SceneId(*Hash::new(&uncut).as_bytes());
    let added = first.api().blobs().add_bytes(uncut.clone());
    added.with_named_tag(tag(scene)).await.expect("kept");
    let kept = first.add(vec![part(2, 1_000)]).await.expect("kept");
    SceneStore::close(&first).await;
    let again = store(&folder).await;
    assert_eq!(again.list().await.expect("a store"), BTreeSet::from([kept]));
    swept(&again, Hash::new(&uncut)).await;
    SceneStore::close(&again).await;
}

#[tokio::test]
async fn a_scene_has_parts_and_none_is_empty() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    for parts in [vec![], vec![part(1, 10), Bytes::new()]] {
        let refused = store.add(parts).await;
        assert!(matches!(refused, Err(SceneError::Uncut(_))), "{refused:?}");
    }
    SceneStore::close(&store).await;
}
