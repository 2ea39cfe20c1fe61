//! Tickets: who a peer is and where to find it, as one word to copy.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;

use iroh::{EndpointAddr, TransportAddr};
use iroh_tickets::{ParseError, Ticket as _};
use protocol::{Invitation, PROTOCOL_VERSION, PublicKey, Request, Role, limits};
use serde::{Deserialize, Serialize};

/// Who a peer is and where to find it. Text form: `farm` and base32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    key: PublicKey,
    addresses: Vec<SocketAddr>,
    invitation: Option<Invitation>,
}

/// Text that is not a ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a farm ticket ({why}); copy the whole word that begins with `farm` from the scheduler: {text}"
)]
pub struct TicketError {
    /// What is wrong.
    pub why: String,
    /// The beginning of what was given.
    pub text: String,
}

impl Ticket {
    /// A ticket; addresses past [`limits::TICKET_ADDRESSES_MAX`] are left out.
    #[must_use]
    pub fn new(key: PublicKey, mut addresses: Vec<SocketAddr>) -> Self {
        addresses.truncate(limits::TICKET_ADDRESSES_MAX);
        Self { key, addresses, invitation: None }
    }

    /// The same ticket, which lets whoever has it into a private farm.
    #[must_use]
    pub fn inviting(self, invitation: Invitation) -> Self {
        Self { invitation: Some(invitation), ..self }
    }

    /// The same ticket for a peer that may be found elsewhere too; addresses past
    /// [`limits::TICKET_ADDRESSES_MAX`] are left out.
    #[must_use]
    pub fn reaching(self, more: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut addresses = self.addresses;
        for address in more {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Self { invitation: self.invitation, ..Self::new(self.key, addresses) }
    }

    /// The first words to the peer: our version, what we are, and what the ticket lets us in by.
    #[must_use]
    pub const fn hello(&self, role: Role) -> Request {
        Request::Hello { protocol: PROTOCOL_VERSION, role, invitation: self.invitation }
    }

    /// The peer's key.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// Where to find it.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where to listen, at a free port, so as to reach the peer: one on this machine needs no other
    /// interface, and only a socket of the same family of addresses reaches one elsewhere.
    #[must_use]
    pub fn bind_address(&self) -> SocketAddr {
        let local = self.addresses.iter().all(|address| address.ip().is_loopback());
        let v4 = self.addresses.iter().any(SocketAddr::is_ipv4);
        let ip: IpAddr = match (local, v4) {
            (true, true) => Ipv4Addr::LOCALHOST.into(),
            (true, false) => Ipv6Addr::LOCALHOST.into(),
            (false, true) => Ipv4Addr::UNSPECIFIED.into(),
            (false, false) => Ipv6Addr::UNSPECIFIED.into(),
        };
        SocketAddr::new(ip, 0)
    }

    /// The same peer's ticket as a file has it now: where the peer has moved, it is found by it.
    #[must_use]
    pub fn as_in(&self, file: &Path) -> Option<Self> {
        let ticket: Self = std::fs::read_to_string(file).ok()?.parse().ok()?;
        (ticket.key == self.key).then_some(ticket)
    }

    /// For the endpoint, or `None` when the key is no point of the curve.
    pub(crate) fn endpoint_addr(&self) -> Option<EndpointAddr> {
        let id = iroh::EndpointId::from_bytes(&self.key.0).ok()?;
        Some(EndpointAddr::from_parts(id, self.addresses.iter().copied().map(TransportAddr::Ip)))
    }
}

/// The bytes in the text; a variant for every version of them.
#[derive(Serialize, Deserialize)]
enum Encoded {
    V1 { key: PublicKey, addresses: Vec<SocketAddr> },
    V2 { key: PublicKey, addresses: Vec<SocketAddr>, invitation: Invitation },
}

impl iroh_tickets::Ticket for Ticket {
    const KIND: &'static str = "farm";

    fn encode_bytes(&self) -> Vec<u8> {
        let (key, addresses) = (self.key, self.addresses.clone());
        protocol::encode(&match self.invitation {
            None => Encoded::V1 { key, addresses },
            Some(invitation) => Encoded::V2 { key, addresses, invitation },
        })
    }

    fn decode_bytes(bytes: &[u8]) -> Result<Self, ParseError> {
        let encoded = protocol::decode(bytes, limits::HELLO_BYTES_MAX)
            .map_err(|_why| ParseError::verification_failed("it is damaged or cut"))?;
        let (key, addresses, invitation) = match encoded {
            Encoded::V1 { key, addresses } => (key, addresses, None),
            Encoded::V2 { key, addresses, invitation } => (key, addresses, Some(invitation)),
        };
        if addresses.is_empty() || addresses.len() > limits::TICKET_ADDRESSES_MAX {
            return Err(ParseError::verification_failed("it holds no address, or too many"));
        }
        let ticket = Self { key, addresses, invitation };
        if ticket.endpoint_addr().is_none() {
            return Err(ParseError::verification_failed("its key is damaged"));
        }
        Ok(ticket)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encode_string())
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        Self::decode_string(text).map_err(|why| TicketError {
            why: why.to_string(),
            text: text.chars().take(60).collect(),
        })
    }
}

impl Serialize for Ticket {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ticket {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> Ticket {
        let key = protocol::sign::public_key(&protocol::SigningKey::from_bytes(&[7; 32]));
        let addresses = ["127.0.0.1:4000", "[2001:db8::1]:4000"];
        let parse = |text: &str| text.parse().expect("an address");
        Ticket::new(key, addresses.into_iter().map(parse).collect())
    }

    #[test]
    fn text_round_trips() {
        let text = ticket().to_string();
        assert!(text.starts_with("farm"), "{text}");
        assert_eq!(text.parse(), Ok(ticket()));
        assert_eq!(format!("  {text}\n").parse(), Ok(ticket()));
    }

    #[test]
    fn bad_text_says_what_to_do() {
        let text = ticket().to_string();
        let no_address = Ticket { addresses: Vec::new(), ..ticket() }.to_string();
        for bad in ["", "farm", "endpointabc", &text[..text.len() - 3], &text[1..], &no_address] {
            let error = bad.parse::<Ticket>().expect_err("not a ticket");
            assert!(error.to_string().contains("copy the whole word"), "{error}");
        }
    }

    #[test]
    fn a_peer_that_has_moved_is_found_by_the_file_and_no_other_peer_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("ticket");
        let write = |text: &str| std::fs::write(&file, text).expect("written");
        assert_eq!(ticket().as_in(&file), None);
        let moved = Ticket::new(ticket().key(), vec!["127.0.0.1:4001".parse().expect("one")]);
        write(&format!("{moved}\n"));
        assert_eq!(ticket().as_in(&file), Some(moved));
        let other = protocol::sign::public_key(&protocol::SigningKey::from_bytes(&[8; 32]));
        write(&Ticket::new(other, ticket().addresses().to_vec()).to_string());
        assert_eq!(ticket().as_in(&file), None);
        write("farm cut");
        assert_eq!(ticket().as_in(&file), None);
    }

    #[test]
    fn a_peer_on_this_machine_needs_no_other_interface() {
        let bind = |addresses: &[&str]| {
            let parse = |text: &&str| text.parse().expect("an address");
            let addresses = addresses.iter().map(parse).collect();
            Ticket { addresses, ..ticket() }.bind_address().to_string()
        };
        assert_eq!(bind(&["127.0.0.1:4000"]), "127.0.0.1:0");
        assert_eq!(bind(&["[::1]:4000"]), "[::1]:0");
        assert_eq!(bind(&["127.0.0.1:4000", "192.0.2.1:4000"]), "0.0.0.0:0");
        assert_eq!(bind(&["[2001:db8::1]:4000"]), "[::]:0");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_without_a_panic(text in "(farm)?[a-z2-7]{0,300}") {
            let _outcome = text.parse::<Ticket>();
        }
    }
}
