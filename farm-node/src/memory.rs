//! How much memory the machine has, and its graphics devices.

use crate::cards::{self, Card};

/// Half of the machine's memory, or 4 GiB where it cannot be learnt.
pub(crate) fn half_bytes() -> u64 {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    total.map_or(4 << 30, |bytes| bytes / 2)
}

fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Least of a card's own memory, bytes: what has less borrows the machine's.
const OWN_BYTES_MIN: u64 = 2_000_000_000;

/// Memory of the graphics device, bytes, where drivers tell; nothing where several cards differ. Which of
/// them renders is not known here: of too little no scene would come, and of too much none would fit.
pub(crate) fn gpu_bytes() -> Option<u64> {
    agreed_bytes(&cards::cards().0)
}

fn agreed_bytes(cards: &[Card]) -> Option<u64> {
    let mut told = cards.iter().filter_map(|card| card.memory_bytes);
    let first = told.find(|bytes| *bytes >= OWN_BYTES_MIN)?;
    told.filter(|bytes| *bytes >= OWN_BYTES_MIN).all(|bytes| bytes == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cards_memory_is_claimed_where_it_is_certain() {
        let check = |told: &[Option<u64>], expected| {
            let card = |gigabytes: &Option<u64>| Card {
                memory_bytes: gigabytes.map(|count| count * 1_000_000_000),
                ..Card::default()
            };
            let cards: Vec<Card> = told.iter().map(card).collect();
            let bytes = agreed_bytes(&cards).map(|bytes| bytes / 1_000_000_000);
            assert_eq!(bytes, expected, "{told:?}");
        };
        check(&[], None);
        check(&[None], None);
        check(&[Some(8)], Some(8));
        check(&[None, Some(8), Some(8)], Some(8));
        check(&[Some(8), Some(16)], None);
        // A processor's own graphics borrow the machine's memory.
        check(&[Some(1)], None);
        check(&[Some(1), Some(8)], Some(8));
    }

    #[test]
    fn the_total_is_read_and_nonsense_is_none() {
        let text = "MemTotal:       24690524 kB\nMemFree:         1 kB\n";
        assert_eq!(total_bytes(text), Some(24_690_524 * 1024));
        for text in ["", "MemTotal: many kB", "MemTotal: 3 MB"] {
            assert_eq!(total_bytes(text), None, "{text}");
        }
    }
}
