//! Against the definitions of RFC 6962, word for word, and against published values.

use super::*;

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digits).collect()
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|index| leaf(&index.to_le_bytes())).collect()
}

fn tree(leaves: &[Hash]) -> Tree {
    leaves.iter().copied().collect()
}

/// MTH of section 2.1.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(k(leaves.len()));
            node(&mth(left), &mth(right))
        }
    }
}

/// The largest power of two smaller than n.
fn k(n: usize) -> usize {
    (0..).map(|power| 1 << power).take_while(|&power| power < n).last().expect("n is at least 2")
}

/// PATH(m, D[n]) of section 2.1.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(k(leaves.len()));
    if m < left.len() {
        [path(m, left), vec![mth(right)]].concat()
    } else {
        [path(m - left.len(), right), vec![mth(left)]].concat()
    }
}

/// SUBPROOF(m, D[n], b) of section 2.1.2.
fn subproof(m: usize, leaves: &[Hash], b: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if b { Vec::new() } else { vec![mth(leaves)] };
    }
    let (left, right) = leaves.split_at(k(leaves.len()));
    if m <= left.len() {
        [subproof(m, left, b), vec![mth(right)]].concat()
    } else {
        [subproof(m - left.len(), right, false), vec![mth(left)]].concat()
    }
}

/// Leaves, roots and proofs that the certificate transparency project tests its own code with.
#[test]
fn published_values() {
    assert_eq!(hex(&root(&[])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let entries = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let all: Vec<Hash> = entries.iter().map(|entry| leaf(&unhex(entry))).collect();
    let tree = tree(&all);
    for (size, expected) in (1..).zip(roots) {
        assert_eq!(tree.root(size).map(|root| hex(&root)).as_deref(), Some(expected), "{size}");
    }
    let check = |old: u64, size: u64, expected: &[&str]| {
        let proof = tree.consistency(old, size).expect("a beginning");
        assert_eq!(proof.iter().map(hex).collect::<Vec<_>>(), expected, "{old} of {size}");
    };
    check(1, 1, &[]);
    check(
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    check(
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    );
    check(
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    );
}

#[test]
fn roots_equal_the_definition() {
    let tree = tree(&leaves(70));
    for count in 0..70 {
        assert_eq!(root(&leaves(count)), mth(&leaves(count)), "{count} leaves");
        let expected = (count > 0).then(|| mth(&leaves(count)));
        assert_eq!(tree.root(count as u64), expected, "{count} leaves");
    }
    assert_eq!(tree.root(71), None);
}

#[test]
fn inclusion_holds_for_its_leaf_only() {
    let (all, tree) = (leaves(40), tree(&leaves(40)));
    for count in 1..40_usize {
        let (all, root) = (&all[..count], mth(&all[..count]));
        for index in 0..count {
            let path = path(index, all);
            let size = count as u64;
            assert_eq!(tree.inclusion(index as u64, size).as_ref(), Some(&path));
            for other in 0..size + 1 {
                let held = is_included(all[index], other, size, &path, &root);
                assert_eq!(held, other == index as u64, "{index} of {count} as {other}");
            }
            let mut longer = path.clone();
            longer.push(root);
            assert!(!is_included(all[index], index as u64, size, &longer, &root));
            for_each_flip(&path, |altered| {
                assert!(!is_included(all[index], index as u64, size, altered, &root));
            });
        }
        assert_eq!(tree.inclusion(count as u64, count as u64), None);
    }
    assert_eq!(tree.inclusion(0, 41), None);
}

#[test]
fn consistency_holds_for_beginnings_only() {
    let (all, tree) = (leaves(66), tree(&leaves(66)));
    for size in 1..66_usize {
        let new_root = mth(&all[..size]);
        let new = (size as u64, &new_root);
        for old_size in 1..=size {
            let path = subproof(old_size, &all[..size], true);
            let old = old_size as u64;
            assert_eq!(tree.consistency(old, size as u64).as_ref(), Some(&path));
            let old_root = mth(&all[..old_size]);
            assert!(is_consistent((old, &old_root), new, &path));
            // Neither another root of the same size, nor another size of the same root.
            let mut forged = old_root;
            forged[5] ^= 1;
            assert!(!is_consistent((old, &forged), new, &path));
            for other in (1..=size as u64).filter(|other| *other != old) {
                assert!(!is_consistent((other, &old_root), new, &path), "{old} as {other}");
            }
            assert!(!is_consistent((old, &old_root), (size as u64, &forged), &path));
            let mut longer = path.clone();
            longer.push(new_root);
            assert!(!is_consistent((old, &old_root), new, &longer));
            if let Some(shorter) = path.len().checked_sub(1) {
                assert!(!is_consistent((old, &old_root), new, &path[..shorter]));
            }
        }
        assert_eq!(tree.consistency(0, size as u64), None);
        assert_eq!(tree.consistency(size as u64 + 1, size as u64), None);
    }
    assert_eq!(tree.consistency(1, 67), None);
}

#[test]
fn every_flipped_byte_of_a_consistency_proof_is_noticed() {
    let all = leaves(23);
    let tree = tree(&all);
    for size in [8, 13, 23_u64] {
        for old in 1..size {
            let path = tree.consistency(old, size).expect("a beginning");
            let roots = [old, size].map(|size| tree.root(size).expect("inside"));
            for_each_flip(&path, |altered| {
                assert!(!is_consistent((old, &roots[0]), (size, &roots[1]), altered));
            });
        }
    }
}

/// Hands out the path with one byte altered, for every byte.
fn for_each_flip(path: &[Hash], mut check: impl FnMut(&[Hash])) {
    let mut altered = path.to_vec();
    for step in 0..path.len() {
        for at in 0..32 {
            altered[step][at] ^= 1 << (at % 8);
            check(&altered);
            altered[step][at] = path[step][at];
        }
    }
}
