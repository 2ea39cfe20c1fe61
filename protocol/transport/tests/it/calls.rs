//! Calls between peers of good will.

use std::time::Duration;

use bytes::Bytes;
use protocol::message::{Refused, RefusedCode};
use protocol::{GivenBack, PROTOCOL_VERSION, Reply, Request, Role, limits};
use transport::{CallError, ConnectError, PeerLimits, Ticket};

use crate::desk::{Office, Seen, admitted, bind, call, hello};

fn code(outcome: Result<(Reply, Bytes), CallError>) -> (RefusedCode, String) {
    match outcome {
        Err(CallError::Refused(Refused { code, message })) => (code, message),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_of_full_size_goes_and_comes_back() {
    let mut office = Office::open(PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let connection = admitted(&guest, &office).await;
    assert_eq!(connection.peer(), office.peer.id());
    assert_eq!(office.seen.recv().await, Some(Seen::Asked(guest.id())), "the proven key");

    let film: Bytes = (0..limits::FILM_BYTES_MAX).map(|index| (index % 251) as u8).collect();
    let (reply, back) = call(&connection, &Request::Qualify, film.clone()).await.expect("answered");
    assert_eq!(reply, Reply::Film);
    assert!(back.iter().eq(film.iter().rev()), "the same bytes, mirrored");

    let longer = Bytes::from(vec![0; limits::FILM_BYTES_MAX + 1]);
    let refused = call(&connection, &Request::Qualify, longer).await;
    assert!(matches!(refused, Err(CallError::TooLarge(_))), "{refused:?}");
    guest.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_failures_and_answers_without_end_are_told_apart() {
    let office = Office::open(PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let connection = admitted(&guest, &office).await;
    let ask = |request: Request| {
        let connection = connection.clone();
        async move { code(call(&connection, &request, Bytes::new()).await) }
    };
    assert_eq!(ask(Request::Wallet).await, (RefusedCode::NotFound, "no wallet here".into()));
    assert_eq!(ask(Request::MyNode).await.0, RefusedCode::Internal, "a panic");
    assert_eq!(ask(Request::CheckLedger).await.0, RefusedCode::Internal, "an answer too large");

    let body = Bytes::from_static(b"nobody asked for this");
    let (kind, why) = code(call(&connection, &Request::Farm, body).await);
    assert_eq!(kind, RefusedCode::BadRequest);
    assert!(why.contains("21 bytes"), "{why}");

    let waited = connection.call(&Request::Farm, Bytes::new(), Duration::from_millis(50)).await;
    assert!(matches!(waited, Err(CallError::Timeout { .. })), "{waited:?}");
    // The connection outlives a call that was given up.
    let release =
        Request::Release { leases: Vec::new(), reason: "none held".into(), why: GivenBack::Undone };
    let (reply, _body) = call(&connection, &release, Bytes::new()).await.expect("answered");
    assert_eq!(reply, Reply::Done);

    office.peer.close().await;
    let reason = connection.closed().await;
    let closed = call(&connection, &Request::Wallet, Bytes::new()).await;
    assert!(matches!(closed, Err(CallError::Closed { .. })), "{reason}: {closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_heard_before_a_hello_of_the_same_version() {
    let mut office = Office::open(PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let connection = guest.connect(&office.peer.ticket()).await.expect("connected");

    let (kind, why) = code(call(&connection, &Request::Wallet, Bytes::new()).await);
    assert_eq!(kind, RefusedCode::BadRequest);
    assert!(why.contains("hello"), "{why}");

    let strange = PROTOCOL_VERSION + 41;
    let other = Request::Hello { protocol: strange, role: Role::Client, invitation: None };
    let (kind, why) = code(call(&connection, &other, Bytes::new()).await);
    assert_eq!(kind, RefusedCode::Version);
    let names = |version: u32| why.contains(&format!("version {version}"));
    assert!(names(strange) && names(PROTOCOL_VERSION), "{why}");

    call(&connection, &hello(), Bytes::new()).await.expect("welcome at the third attempt");
    assert_eq!(office.seen.recv().await, Some(Seen::Asked(guest.id())));
    assert!(office.seen.try_recv().is_err(), "the service heard one hello only");
    guest.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_gone_with_the_last_connection() {
    let mut office = Office::open(PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let first = admitted(&guest, &office).await;
    let second = admitted(&guest, &office).await;
    first.close("one is enough");
    // Whatever the desk heard of the first close, it heard before this answer.
    call(&second, &hello(), Bytes::new()).await.expect("welcome");
    drop(second);
    for expected in ["Asked", "Asked", "Asked", "Gone"] {
        let seen = office.seen.recv().await;
        assert!(format!("{seen:?}").contains(expected), "{seen:?}, not {expected}");
    }
    guest.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_bound_wait_their_turn() {
    let office = Office::open(PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let connection = admitted(&guest, &office).await;
    let bound = limits::STREAMS_PER_CONNECTION_MAX as usize;
    let calls: Vec<_> = (0..2 * bound)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { call(&connection, &Request::Farm, Bytes::new()).await })
        })
        .collect();
    office.doors.send(true).expect("the desk listens");
    for answer in calls {
        assert_eq!(answer.await.expect("no panic").expect("answered").0, Reply::Done);
    }
    assert!(office.most_under_way() <= bound, "{}", office.most_under_way());
    guest.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_serve_is_named() {
    let (idle, _idle_folder) = bind(1, PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let refused = guest.connect(&idle.ticket()).await.expect_err("no service");
    assert!(matches!(refused, ConnectError::NotServing(peer) if peer == idle.id()), "{refused}");
    let damaged = (0..=255).map(|byte| [byte; 32]);
    let damaged = damaged.into_iter().find(|key| iroh::EndpointId::from_bytes(key).is_err());
    let damaged = protocol::PublicKey(damaged.expect("half of all bytes are no point"));
    let nobody = Ticket::new(damaged, idle.ticket().addresses().to_vec());
    let refused = guest.connect(&nobody).await.expect_err("no such key");
    assert!(matches!(refused, ConnectError::Key(_)), "{refused}");
    guest.close().await;
    idle.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_on_all_interfaces_is_found_by_its_ticket() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = transport::PeerConfig::new([1; 32], folder.path());
    config.bind = "0.0.0.0:0".parse().expect("an address");
    let open = transport::Peer::bind(config).await.expect("a free port");
    let office = Office::at(open);
    let addresses = office.peer.ticket().addresses().to_vec();
    assert!(addresses.iter().all(|address| !address.ip().is_unspecified()), "{addresses:?}");
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    admitted(&guest, &office).await;
    guest.close().await;
    office.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_peer_frees_its_port_though_calls_were_waiting() {
    let office = Office::open(PeerLimits::default()).await;
    let (guest, _folder) = bind(2, PeerLimits::default()).await;
    let connection = admitted(&guest, &office).await;
    let waiting = tokio::spawn({
        let connection = connection.clone();
        async move { call(&connection, &Request::Farm, Bytes::new()).await }
    });
    while office.most_under_way() == 0 {
        tokio::task::yield_now().await;
    }
    let address = office.peer.ticket().addresses()[0];
    office.peer.close().await;
    let cut = waiting.await.expect("no panic");
    assert!(matches!(cut, Err(CallError::Closed { .. })), "{cut:?}");
    drop(office);
    let free = async {
        while std::net::UdpSocket::bind(address).is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::desk::LONG, free).await.expect("the port comes free");
    guest.close().await;
}
