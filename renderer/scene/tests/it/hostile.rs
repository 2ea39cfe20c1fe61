//! Hostile bytes: the way chosen to fuzz the decoders is a corpus-driven property test, which
//! runs on stable Rust in every `cargo test`.
//!
//! A corpus of generated `.glb`, `.gltf` and packages is mutated thousands of times: bits and
//! bytes change, ranges are cut, doubled or swapped, interesting integers and JSON tokens are
//! written over what was there. Whatever comes, decoding must return, without a panic, and
//! within its memory. The seed is printed; `TESSERA_FUZZ_SEED` sets another, and
//! `TESSERA_FUZZ_ROUNDS` multiplies the effort.

use scene::{NoFiles, golden, import_slice, pack, unpack};

use crate::build::{Build, moving, rich};

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Changes some of the bytes, most often within `focus`.
fn mutate(bytes: &mut Vec<u8>, focus: std::ops::Range<usize>, random: &mut Random) {
    const TOKENS: [&[u8]; 16] = [
        b"0",
        b"-1",
        b"4294967295",
        b"4294967296",
        b"18446744073709551615",
        b"1e39",
        b"1e-45",
        b"[]",
        b"{}",
        b"null",
        b"true",
        b"\"\"",
        b"9999999",
        b"[0,0,0,0]",
        b"\"data:;base64,AAAA\"",
        b"\"../x\"",
    ];
    const WORDS: [u32; 8] =
        [0, 1, 0x7F, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FC0_0000];
    for _change in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let inside = focus.start.min(bytes.len() - 1)..focus.end.min(bytes.len());
        let at = match random.below(4) {
            0 => random.below(bytes.len()),
            _ => inside.start + random.below(inside.len()),
        };
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => _ = bytes.drain(at..end),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            4 => {
                let word = WORDS[random.below(WORDS.len())].to_le_bytes();
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&word[..end - at]);
            }
            5 => {
                // Replace a JSON value: what stands between two separators.
                let separator = |byte: &u8| b",:[]{}".contains(byte);
                let start = bytes[..at].iter().rposition(separator).map_or(0, |start| start + 1);
                let end = bytes[at..].iter().position(separator).map_or(bytes.len(), |n| at + n);
                let token = TOKENS[random.below(TOKENS.len())];
                bytes.splice(start..end.max(start), token.iter().copied());
            }
            _ => bytes.truncate(at),
        }
    }
}

/// Repairs the lengths of a `.glb`, so that mutated JSON is read at all.
fn repair(mut json: Vec<u8>, blob: &[u8]) -> Vec<u8> {
    while !json.len().is_multiple_of(4) {
        json.push(b' ');
    }
    let word = |value: usize| (value as u32).to_le_bytes();
    let mut glb = b"glTF\x02\0\0\0".to_vec();
    glb.extend(word(28 + json.len() + blob.len()));
    glb.extend(word(json.len()));
    glb.extend(b"JSON");
    glb.extend(json);
    glb.extend(word(blob.len()));
    glb.extend(b"BIN\0");
    glb.extend(blob);
    glb
}

/// The most memory this process ever held, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[test]
fn mutated_files_neither_panic_nor_eat_memory() {
    const DECODED_BYTES_MAX: u64 = 1 << 20;
    let seed = variable("TESSERA_FUZZ_SEED", 0x7E55);
    let rounds = variable("TESSERA_FUZZ_ROUNDS", 1);
    println!("TESSERA_FUZZ_SEED={seed} TESSERA_FUZZ_ROUNDS={rounds}");
    let mut random = Random(seed);
    let (mut good, mut bad) = (0, 0);
    let mut count = |bytes: &[u8]| match import_slice(bytes, &mut NoFiles, DECODED_BYTES_MAX) {
        Ok(imported) => {
            // What was accepted keeps its promises and survives the journey.
            assert!(imported.report.bytes <= 2 * DECODED_BYTES_MAX);
            let package = pack(&imported.scene);
            assert_eq!(unpack(package.bytes()).expect("own package"), imported.scene);
            good += 1;
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            bad += 1;
        }
    };
    let corpus = [rich(), moving(), crate::pointer::varying()]
        .into_iter()
        .chain(crate::meshopt::compressed());
    let corpus = corpus.chain([crate::draco::compressed(), crate::extras::told()]);
    for glb in corpus.map(Build::glb) {
        let json_length = u32::from_le_bytes(glb[12..16].try_into().expect("4 bytes")) as usize;
        let (json, blob) = (&glb[20..20 + json_length], &glb[28 + json_length..]);
        for _round in 0..2000 * rounds {
            // The container, then the JSON alone, then the vertices and the image.
            let mut bytes = glb.clone();
            mutate(&mut bytes, 0..20, &mut random);
            count(&bytes);
            let mut text = json.to_vec();
            mutate(&mut text, 0..json.len(), &mut random);
            count(&repair(text, blob));
            let mut data = blob.to_vec();
            mutate(&mut data, 0..blob.len(), &mut random);
            count(&repair(json.to_vec(), &data));
        }
    }
    println!("{good} accepted, {bad} refused");
    assert!(good > 100 && bad > 100, "the mutations reach both sides");
    match peak_bytes() {
        Some(peak) => assert!(peak < 1 << 30, "held {peak} bytes"),
        None => println!("skipped: this system does not tell a process's peak memory"),
    }
}

#[test]
fn mutated_packages_neither_panic_nor_unpack_to_something_else() {
    let seed = variable("TESSERA_FUZZ_SEED", 0x7E55);
    let rounds = variable("TESSERA_FUZZ_ROUNDS", 1);
    println!("TESSERA_FUZZ_SEED={seed} TESSERA_FUZZ_ROUNDS={rounds}");
    let mut random = Random(seed);
    let imported = import_slice(&moving().glb(), &mut NoFiles, 1 << 20).expect("a valid file");
    let (mut good, mut bad) = (0, 0);
    for scene in [golden(), imported.scene] {
        let package = pack(&scene).into_bytes().to_vec();
        let outline = u64::from_le_bytes(package[20..28].try_into().expect("8 bytes")) as usize;
        for _round in 0..3000 * rounds {
            let mut bytes = package.clone();
            mutate(&mut bytes, 0..64 + outline, &mut random);
            match unpack(&bytes) {
                // Canonical: what unpacks packs to the very same bytes.
                Ok(scene) => {
                    assert_eq!(pack(&scene).into_bytes(), bytes);
                    good += 1;
                }
                Err(_refused) => bad += 1,
            }
        }
    }
    println!("{good} accepted, {bad} refused");
    assert!(good > 10 && bad > 100, "the mutations reach both sides");
}
