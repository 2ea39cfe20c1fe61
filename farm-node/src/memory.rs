//! How much memory the machine's graphics devices have.

use crate::cards::{self, Card};

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
}
