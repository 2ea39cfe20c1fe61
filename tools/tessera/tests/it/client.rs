//! Doors to a farm that is not there.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use transport::Ticket;

use crate::run::Place;

/// A good ticket to nobody.
fn somewhere() -> String {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    Ticket::new(protocol::PublicKey([1; 32]), vec![address]).to_string()
}

#[test]
fn a_bad_ticket_is_a_usage_error() {
    let place = Place::new();
    place.refused(2, &["not a farm ticket"], &["farm", "--farm", "farmnonsense"]);
    place.refused(2, &["not a farm ticket"], &["wallet", "balance", "--farm", ""]);
    place.refused(3, &["nowhere"], &["jobs", "list", "--farm", "@nowhere"]);
    place.refused(2, &["--farm"], &["jobs", "list"]);
    fs::write(place.path("ticket"), "garbage\n").expect("written");
    place.refused(2, &["not a farm ticket"], &["jobs", "list", "--farm", "@ticket"]);
}

#[test]
fn a_bad_id_is_a_usage_error() {
    let ticket = somewhere();
    let place = Place::new();
    place.refused(2, &["job_"], &["jobs", "show", "nod_00", "--farm", &ticket]);
    place.refused(2, &["scn_"], &["quote", "--scene", "scn_12", "--farm", &ticket]);
}

#[test]
fn a_script_must_state_its_limit() {
    let place = Place::new();
    let ticket = somewhere();
    let submit = ["jobs", "submit", "a.glb", "--farm", &ticket];
    place.refused(2, &["--max-cost"], &[&submit[..], &["--yes"]].concat());
    place.refused(2, &["tokens"], &[&submit[..], &["--max-cost", "1e3"]].concat());
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::new();
    let ticket = somewhere();
    let key = place.path("key");
    fs::write(&key, "00".repeat(32)).expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("changed");
    place.refused(4, &["chmod 600"], &["wallet", "balance", "--farm", &ticket]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("changed");
    fs::write(&key, "no key").expect("written");
    place.refused(4, &["64 hex digits"], &["wallet", "balance", "--farm", &ticket]);
}

#[test]
fn a_scheduler_that_is_away_is_a_network_error() {
    let place = Place::new();
    // A socket that never answers, so that nobody else gets the port meanwhile.
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let address: SocketAddr = silent.local_addr().expect("an address");
    let key = protocol::sign::public_key(&protocol::SigningKey::from_bytes(&[1; 32]));
    let ticket = Ticket::new(key, vec![address]).to_string();
    place.refused(6, &["cannot be reached"], &["wallet", "balance", "--farm", &ticket]);
    assert!(place.path("key").is_file(), "the first use makes a key");
}

#[cfg(unix)]
#[test]
fn the_first_interrupt_ends_a_call_that_hangs() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let place = Place::new();
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    silent.set_read_timeout(Some(Duration::from_secs(60))).expect("a patient socket");
    let key = protocol::sign::public_key(&protocol::SigningKey::from_bytes(&[1; 32]));
    let ticket = Ticket::new(key, vec![silent.local_addr().expect("an address")]).to_string();
    let child = place
        .command(&["wallet", "balance", "--farm", &ticket])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    silent.recv_from(&mut [0; 2048]).expect("it dials");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("interrupted"), "{said}");
}
