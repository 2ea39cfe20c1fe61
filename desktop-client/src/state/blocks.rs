//! Whom an artist keeps off his jobs: from a wish to what came of it.

use protocol::{NodeId, PublicKey};

use super::State;
use super::notices::Tone;
use crate::desk::Ask;
use crate::words;

/// Somebody who is to be kept off one's jobs, or let back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocking {
    /// A node's key, or its owner's.
    pub who: PublicKey,
    /// Whether he is kept off.
    pub is_blocked: bool,
}

impl Blocking {
    /// Keeps a node off.
    #[must_use]
    pub const fn of(node: NodeId) -> Self {
        Self { who: PublicKey(node.0), is_blocked: true }
    }

    /// Lets a node, or an owner's, back.
    #[must_use]
    pub const fn back(who: PublicKey) -> Self {
        Self { who, is_blocked: false }
    }
}

impl State {
    /// Who rendered the tile in the middle of what one sees, as far as it is accepted.
    #[must_use]
    pub fn nodes_in_middle(&self) -> Vec<NodeId> {
        let seen = self.live.as_ref().zip(self.tile_in_middle());
        seen.map_or_else(Vec::new, |(live, tile)| live.nodes_of(tile))
    }

    /// Asks whom one keeps off, unless that is under way.
    pub(super) fn ask_for_blocks(&mut self, asks: &mut Vec<Ask>) {
        if !self.book.blocks.is_asked {
            self.book.blocks.ask();
            asks.push(Ask::Blocks);
        }
    }

    /// Has somebody kept off, or let back; the list, where that was asked for, stays open.
    pub(super) fn block(&mut self, blocking: Blocking, asks: &mut Vec<Ask>) {
        if blocking.is_blocked {
            self.sheet = None;
        }
        if !self.blocking.contains(&blocking) {
            self.blocking.push(blocking);
            asks.push(Ask::Block(blocking));
        }
    }

    /// Tells what came of it.
    pub(super) fn blocked(&mut self, blocking: Blocking, trouble: Option<String>) {
        self.blocking.retain(|under_way| *under_way != blocking);
        // Notices are not in sight while a sheet is open.
        if let (Some(why), false) = (&trouble, blocking.is_blocked) {
            self.book.blocks.take(Err(why.clone()));
        }
        let (tone, what) = match (trouble, blocking.is_blocked) {
            (Some(why), _) => (Tone::Bad, why),
            (None, true) => (Tone::Good, "Gets nothing of your jobs from now on".to_owned()),
            (None, false) => (Tone::Good, "Let back to your jobs".to_owned()),
        };
        let words = format!("{}: {what}", self.words_of_blocked(blocking.who));
        self.notices.add(self.now_ms, tone, words);
    }

    /// Whom it means, as the list says it; else as the farm calls a node of that key.
    fn words_of_blocked(&self, who: PublicKey) -> String {
        let list = self.book.blocks.get().map_or(&[][..], Vec::as_slice);
        let block = list.iter().find(|block| block.who == who);
        block.map_or_else(|| self.book.words_of_node(NodeId(who.0)), words::blocked)
    }
}

#[cfg(test)]
mod tests {
    use protocol::view::BlockView;

    use super::*;
    use crate::command::Command;
    use crate::state::sheet::Sheet;
    use crate::state::{Event, book};

    const NODE: NodeId = NodeId([7; 32]);

    fn told(state: &State) -> Vec<(Tone, &str)> {
        state.notices.list.iter().map(|notice| (notice.tone, notice.words.as_str())).collect()
    }

    fn list(answer: Result<Vec<BlockView>, String>) -> Event {
        Event::Book(book::Event::Blocks(answer))
    }

    #[test]
    fn a_wish_is_asked_for_once_until_it_is_answered() {
        let (mut state, blocking) = (State::default(), Blocking::of(NODE));
        state.sheet = Sheet::block(vec![NODE]);
        let asks = state.act(Command::Block(blocking));
        assert!(matches!(asks[..], [Ask::Block(it)] if it == blocking), "{asks:?}");
        assert_eq!(state.sheet, None);
        assert!(state.act(Command::Block(blocking)).is_empty());
        state.apply(Event::Blocked { blocking, trouble: Some("Too many".to_owned()) });
        assert_eq!(told(&state), [(Tone::Bad, "nod_07070707: Too many")]);
        assert_eq!(state.act(Command::Block(blocking)).len(), 1);
        state.apply(Event::Blocked { blocking, trouble: None });
        let words = "nod_07070707: Gets nothing of your jobs from now on";
        assert_eq!(told(&state)[1], (Tone::Good, words));
        assert!(state.blocking.is_empty());
    }

    #[test]
    fn the_list_is_asked_for_at_each_opening_and_not_while_it_is_on_its_way() {
        let mut state = State::default();
        let mut open = |before: Option<Event>| {
            before.into_iter().for_each(|event| drop(state.apply(event)));
            state.act(Command::Sheet(Some(Sheet::Blocks))).len()
        };
        assert_eq!([open(None), open(None)], [1, 0]);
        assert_eq!(open(Some(list(Err("No".to_owned())))), 1);
        assert_eq!(open(Some(list(Ok(Vec::new())))), 1);
    }

    #[test]
    fn who_could_not_be_let_back_stays_in_the_list_with_the_reason() {
        let mut state = State::default();
        let (who, nodes) = (PublicKey([7; 32]), vec!["attic".to_owned()]);
        let block = BlockView { who, is_node: true, nodes, since_ms: 0 };
        state.apply(list(Ok(vec![block.clone()])));
        state.sheet = Some(Sheet::Blocks);
        let blocking = Blocking::back(who);
        state.act(Command::Block(blocking));
        assert_eq!(state.sheet, Some(Sheet::Blocks));
        state.apply(Event::Blocked { blocking, trouble: Some("Gone".to_owned()) });
        assert_eq!(told(&state), [(Tone::Bad, "attic (nod_07070707): Gone")]);
        let blocks = &state.book.blocks;
        assert_eq!((blocks.get(), blocks.trouble.as_deref()), (Some(&vec![block]), Some("Gone")));
    }
}
