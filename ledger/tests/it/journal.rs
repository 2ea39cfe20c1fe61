//! The journal from outside: whatever is synced comes back, in whatever pieces it was written.

use ledger::journal::{Journal, Options};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_synced_comes_back(
        groups in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5),
            0..12,
        ),
        lost in prop::collection::vec(any::<u8>(), 0..50),
        segment_bytes_max in 0..2000_u64,
        reopen_every in 1..6_usize,
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options { segment_bytes_max, ..Options::new("test") };
        let (mut journal, _) = Journal::open(dir.path(), options.clone()).expect("opens");
        let mut all = Vec::new();
        for (index, group) in groups.into_iter().enumerate() {
            for entry in group {
                prop_assert_eq!(journal.append(&entry).expect("fits"), all.len() as u64);
                all.push(entry);
            }
            journal.sync().expect("writes");
            prop_assert_eq!(journal.head().size, all.len() as u64);
            if index % reopen_every == 0 {
                // Entries in line that were not synced are lost, and only they.
                journal.append(&lost).expect("fits");
                drop(journal);
                let (reopened, replay) =
                    Journal::open(dir.path(), options.clone()).expect("opens");
                prop_assert_eq!(&replay.cut, &None);
                let found: Vec<Vec<u8>> = replay.map(|(_, bytes)| bytes).collect();
                prop_assert_eq!(&found, &all);
                journal = reopened;
            }
        }
    }
}
