use sha2::{Digest as _, Sha256};

use super::*;

fn hash(bytes: &[u8]) -> FileHash {
    crate::book::hex("", &Sha256::digest(bytes)).parse().expect("a hash")
}

async fn put(
    files: &Files,
    of: &[u8],
    offset: u64,
    bytes: &'static [u8],
) -> Result<FileState, PutError> {
    files.put(hash(of), offset, of.len() as u64, Body::from(bytes)).await
}

#[tokio::test]
async fn a_file_comes_in_pieces_and_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::open(folder.path()).expect("opens");
    let whole = b"what is here is never sent twice";
    assert_eq!(files.state(hash(whole)), None);
    let state = put(&files, whole, 0, &whole[..10]).await.expect("taken");
    assert_eq!((state.received_bytes, state.complete), (10, false));
    let again = Files::open(folder.path()).expect("opens");
    let wrong = put(&again, whole, 0, &whole[..10]).await;
    assert!(matches!(wrong, Err(PutError::Offset { received_bytes: 10 })), "{wrong:?}");
    let state = put(&again, whole, 10, &whole[10..]).await.expect("taken");
    assert!(state.complete && files.has(hash(whole)));
    assert_eq!(std::fs::read(files.path(hash(whole))).expect("there"), whole);
    let state = put(&files, whole, 0, b"ignored").await.expect("it is here already");
    assert!(state.complete);
}

#[tokio::test]
async fn bytes_of_another_hash_or_size_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::open(folder.path()).expect("opens");
    let other = put(&files, b"these", 0, b"those").await;
    assert!(matches!(&other, Err(PutError::Hash { found }) if *found == hash(b"those")));
    assert_eq!(files.state(hash(b"these")), None, "thrown away");
    let many = put(&files, b"these", 0, b"these and more").await;
    assert!(matches!(many, Err(PutError::TooMany(5))), "{many:?}");
    put(&files, b"these", 0, b"th").await.expect("taken");
    let size = files.put(hash(b"these"), 2, 9, Body::from("ese")).await;
    assert!(matches!(size, Err(PutError::OtherSize { before: 5, now: 9 })), "{size:?}");
    let anew = files.put(hash(b"these"), 0, 9, Body::from("thes")).await.expect("begun anew");
    assert_eq!((anew.size_bytes, anew.received_bytes), (9, 4));
    let right = put(&files, b"these", 0, b"these").await.expect("begun anew");
    assert!(right.complete);
    let huge = files.put(hash(b"huge"), 0, u64::MAX, Body::empty()).await;
    assert!(matches!(huge, Err(PutError::TooLarge(u64::MAX))), "{huge:?}");
    let beyond = files.put(hash(b"short"), 6, 5, Body::from("more")).await;
    assert!(matches!(beyond, Err(PutError::Beyond { offset: 6, size_bytes: 5 })), "{beyond:?}");
}

#[tokio::test]
async fn who_hangs_up_keeps_others_out_until_nothing_more_of_his_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::open(folder.path()).expect("opens");
    let (told, hears) = tokio::sync::oneshot::channel::<&'static [u8]>();
    let bytes = n0_future::stream::unfold(Some(hears), |hears| async move {
        let bytes = hears?.await.ok()?;
        Some((Ok::<_, std::convert::Infallible>(bytes), None))
    });
    let first = files.put(hash(b"it"), 0, 2, Body::from_stream(bytes));
    let gone = tokio::time::timeout(Duration::from_millis(50), first).await;
    assert!(gone.is_err(), "nothing has come");
    let beside = put(&files, b"it", 0, b"it").await;
    assert!(matches!(beside, Err(PutError::UnderWay)), "{beside:?}");
    told.send(b"it").expect("it is waited for");
    while files.turn(hash(b"it")).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(std::fs::read(files.path(hash(b"it"))).expect("it is whole"), b"it");
}

#[tokio::test]
async fn a_part_and_its_size_go_together_a_week_after_the_last_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::open(folder.path()).expect("opens");
    let it = hash(b"a part");
    put(&files, b"a part", 0, b"a").await.expect("taken");
    let old = |path: PathBuf| {
        let file = std::fs::OpenOptions::new().write(true).open(path);
        let then = SystemTime::now() - 8 * DAY;
        file.and_then(|file| file.set_modified(then)).expect("it looks older");
    };
    old(files.part_size(it));
    assert_eq!(files.tidy().expect("read"), 0, "somebody has gone on with it");
    assert!(files.state(it).is_some());
    old(files.part(it));
    let turn = files.turn(it).expect("nobody sends it");
    assert_eq!(files.tidy().expect("read"), 0, "somebody goes on with it");
    drop(turn);
    assert_eq!(files.tidy().expect("read"), 1);
    assert!(!files.part(it).exists() && !files.part_size(it).exists());
}

#[tokio::test]
async fn a_part_whose_size_nobody_knows_is_begun_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::open(folder.path()).expect("opens");
    put(&files, b"a part", 0, b"a pa").await.expect("taken");
    std::fs::remove_file(files.part_size(hash(b"a part"))).expect("it is there");
    let lost = files.put(hash(b"a part"), 3, 3, Body::empty()).await;
    assert!(matches!(lost, Err(PutError::Offset { received_bytes: 0 })), "{lost:?}");
    assert!(put(&files, b"a part", 0, b"a part").await.expect("begun anew").complete);
}

const DAY: Duration = Duration::from_hours(24);

/// Makes a file look as if nobody had used it for so long.
fn age(files: &Files, of: &[u8], by: Duration) {
    let file = std::fs::OpenOptions::new().write(true).open(files.path(hash(of)));
    let then = SystemTime::now() - by;
    file.and_then(|file| file.set_modified(then)).expect("it looks older");
}

#[tokio::test]
async fn what_nobody_has_used_for_a_day_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::open(folder.path()).expect("opens");
    for name in [&b"old"[..], b"young", b"asked for", b"wanted"] {
        files.put(hash(name), 0, name.len() as u64, Body::from(name)).await.expect("taken");
    }
    put(&files, b"a part", 0, b"a").await.expect("taken");
    for name in [&b"old"[..], b"asked for", b"wanted"] {
        age(&files, name, 2 * DAY);
    }
    assert!(files.state(hash(b"asked for")).is_some_and(|state| state.complete));
    assert_eq!(files.unused(DAY).expect("read").len(), 2);
    assert!(files.touch(hash(b"wanted")), "after the sweep has begun");
    let sweep = |name: &[u8]| files.sweep(hash(name), DAY).expect("read");
    assert_eq!(sweep(b"old"), Some(3));
    for name in [&b"young"[..], b"asked for", b"wanted", b"old"] {
        assert_eq!(sweep(name), None);
    }
    assert!(!files.has(hash(b"old")) && files.has(hash(b"wanted")));
    assert!(files.state(hash(b"a part")).is_some(), "parts have their own time");
}

#[tokio::test]
async fn what_is_sent_or_made_into_a_scene_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::open(folder.path()).expect("opens");
    put(&files, b"it", 0, b"it").await.expect("taken");
    age(&files, b"it", 2 * DAY);
    let sweep = || files.sweep(hash(b"it"), DAY).expect("read");
    let (one, other) = (files.hold([hash(b"it")]), files.hold([hash(b"it")]));
    assert_eq!(sweep(), None);
    drop(one);
    assert_eq!(sweep(), None, "two scenes are made of it");
    files.remove(hash(b"it")).expect("it stays");
    assert!(files.has(hash(b"it")));
    drop(other);
    let turn = files.turn(hash(b"it")).expect("nobody sends it");
    assert_eq!(sweep(), None);
    drop(turn);
    assert_eq!(sweep(), Some(2));
}
