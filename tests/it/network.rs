use std::net::{Ipv6Addr, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, Lan, Place, Weather, skip};

use crate::{IMPATIENT, submit};

/// Longer than a connection lives without a sign of its peer. It lives from the first word that gets no
/// answer, which comes five seconds late at most.
const PARTED: Duration = Duration::from_secs(21);

/// Bytes that the films of a job take on their way: less, and they went another way.
const FILMS_BYTES: u64 = 1 << 20;

/// A farm on a network of its own: the scheduler on host 0, the artist on host 1; others are nodes.
fn farm(lan: &Lan, settings: &str) -> Result<Farm> {
    let mut farm = Farm::start_at(lan.host(0), lan.address(0).into(), settings)?;
    farm.move_artist(lan.host(1));
    Ok(farm)
}

#[test]
fn a_farm_without_internet_completes_a_job_over_narrow_lines() -> Result<()> {
    let lan = match Lan::new(3) {
        Ok(lan) => lan,
        Err(why) => return skip("a farm without internet", &why),
    };
    for index in 0..3 {
        let routes = lan.host(index).run("ip route")?;
        ensure!(!routes.contains("default"), "there is a way out: {routes}");
    }
    // The scene takes its five seconds, which a lease must live.
    if let Err(why) = lan.narrow(2, 6) {
        skip("narrow lines (the rest of that test goes on)", &why)?;
    }
    let mut farm = farm(&lan, "[policy]\ngone_ms = 500\n")?;
    let _narrow = farm.start_node_at(&lan.host(2), "narrow", &[])?;
    let units = submit(&farm)?.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// First a node is cut off where nobody sees it, then the scheduler's cable is pulled for longer than
/// any connection lives, then all heals.
#[test]
fn a_network_that_parts_and_heals_in_the_middle_of_a_job_costs_only_time() -> Result<()> {
    let lan = match Lan::new(4) {
        Ok(lan) => lan,
        Err(why) => return skip("a network that parts and heals", &why),
    };
    let mut farm = farm(&lan, IMPATIENT)?;
    let one = farm.start_node_at(&lan.host(2), "one", &[])?;
    let two = farm.start_node_at(&lan.host(3), "two", &[])?;
    farm.wait_for_nodes(2)?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 2)?;
    lan.part(2, true)?;
    job.wait_for_units(&farm, 8)?;
    lan.unplug(0, true)?;
    thread::sleep(PARTED);
    lan.unplug(0, false)?;
    lan.part(2, false)?;
    let units = job.finish(&farm)?;
    for (name, process) in [("one", one), ("two", two)] {
        process.wait_for_log(|line| line.contains("trying again in"))?;
        let node = farm.node(name)?;
        ensure!(node["barred"] == false && node["refused"] == 0, "{node}");
    }
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[test]
fn a_node_behind_a_router_that_translates_works_like_any_other() -> Result<()> {
    let hidden = || -> Result<Lan> {
        let mut lan = Lan::new(3)?;
        lan.hide(2)?;
        Ok(lan)
    };
    let lan = match hidden() {
        Ok(lan) => lan,
        Err(why) => return skip("a node behind a router that translates", &why),
    };
    let unreachable = lan.host(0).run("ip route get 10.78.0.2");
    ensure!(unreachable.is_err(), "the scheduler can dial the node: {unreachable:?}");
    let mut farm = farm(&lan, IMPATIENT)?;
    let _node = farm.start_node_at(&lan.host(2), "node", &[])?;
    let units = submit(&farm)?.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A farm whose scheduler is reached over a proxy only.
fn apart() -> Result<Farm> {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).context("no IPv6 on this machine")?;
    Farm::start_at(Place::default(), Ipv6Addr::LOCALHOST.into(), IMPATIENT)
}

/// Two nodes and the artist over lines that lose one datagram in twenty and let the others overtake
/// each other.
#[test]
fn lines_that_lose_delay_and_reorder_change_nothing() -> Result<()> {
    let mut farm = match apart() {
        Ok(farm) => farm,
        Err(why) => return skip("lines that lose, delay and reorder", &why),
    };
    let weather = |seed| Weather {
        seed,
        lost_per_mille: 50,
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(15),
        ..Weather::default()
    };
    let (one_line, one) = farm.line("one", weather(1))?;
    let (two_line, two) = farm.line("two", weather(2))?;
    let (artist_line, artist) = farm.line("artist", weather(3))?;
    farm.move_artist(artist);
    let _one = farm.start_node_at(&one, "one", &[])?;
    let _two = farm.start_node_at(&two, "two", &[])?;
    let units = submit(&farm)?.finish(&farm)?;
    let carried = one_line.carried_bytes() + two_line.carried_bytes();
    ensure!(carried > FILMS_BYTES, "the films went another way: {carried} bytes");
    let carried = artist_line.carried_bytes();
    ensure!(carried > FILMS_BYTES, "the pictures went another way: {carried} bytes");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A node and the artist over lines that flip a bit in one datagram of fifty: what is damaged is as good as
/// lost, and nothing of it comes into a film.
#[test]
fn lines_that_damage_what_they_carry_change_nothing() -> Result<()> {
    let mut farm = match apart() {
        Ok(farm) => farm,
        Err(why) => return skip("lines that damage what they carry", &why),
    };
    let weather = |seed| Weather { seed, flipped_per_mille: 20, ..Weather::default() };
    let (node_line, place) = farm.line("node", weather(1))?;
    let (artist_line, artist) = farm.line("artist", weather(2))?;
    farm.move_artist(artist);
    let _node = farm.start_node_at(&place, "node", &[])?;
    let units = submit(&farm)?.finish(&farm)?;
    for (whose, line) in [("node", node_line), ("artist", artist_line)] {
        let (carried, damaged) = (line.carried_bytes(), line.damaged());
        ensure!(carried > FILMS_BYTES, "the {whose}'s films went another way: {carried} bytes");
        ensure!(damaged > 0, "nothing of the {whose}'s {carried} bytes was damaged");
    }
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A cut that is shorter than a connection lives, and addresses that change under it.
#[test]
fn a_line_that_breaks_and_comes_back_under_another_address_is_gone_on_with() -> Result<()> {
    let mut farm = match apart() {
        Ok(farm) => farm,
        Err(why) => return skip("a line that breaks", &why),
    };
    let (_artist_line, artist) = farm.line("artist", Weather::default())?;
    farm.move_artist(artist);
    let (line, place) = farm.line("node", Weather::default())?;
    let _node = farm.start_node_at(&place, "node", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    line.cut(true);
    let before = accepted(&farm)?;
    thread::sleep(Duration::from_secs(4));
    // What was under way when it was cut may have arrived.
    let during = accepted(&farm)?;
    ensure!(during <= before + 4, "the films went another way: {before}, then {during}");
    line.forget();
    line.cut(false);
    let units = job.finish(&farm)?;
    ensure!(line.carried_bytes() > FILMS_BYTES, "{} bytes", line.carried_bytes());
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

fn accepted(farm: &Farm) -> Result<u64> {
    farm.node("node")?["accepted"].as_u64().context("a count")
}

/// Who comes later has the scene from a node that has it, and not from the scheduler.
#[test]
fn a_node_gives_a_scene_to_the_next_one() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _giver = farm.start_node("giver", &["--give", "100"])?;
    let first = submit(&farm)?.finish(&farm)?;
    let next = farm.start_node("next", &["-v"])?;
    farm.wait_for_nodes(2)?;
    let second = submit(&farm)?.finish(&farm)?;
    let said = next.wait_for_log(|line| line.contains("a node gave the scene"))?;
    let giver = farm.node("giver")?;
    let key = giver["node"].as_str().and_then(|id| id.split_once('_')).context("no node's id")?.1;
    ensure!(said.contains(key), "somebody else gave it: {said}\n{giver}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(first + second)
}

/// The rig itself takes nothing from this machine's network and leaves nothing behind.
#[test]
fn a_network_of_a_test_is_seen_by_nobody_else() -> Result<()> {
    let links = || Place::default().run("ip -brief link");
    let before = match links() {
        Ok(before) => before,
        Err(why) => return skip("a network of a test", &why),
    };
    let lan = match Lan::new(2) {
        Ok(lan) => lan,
        Err(why) => return skip("a network of a test", &why),
    };
    assert_eq!(links()?, before);
    let bridge = lan.host(0).run("ip neighbour; cat /proc/net/dev")?;
    ensure!(bridge.contains("eth0"), "{bridge}");
    drop(lan);
    assert_eq!(links()?, before);
    Ok(())
}
