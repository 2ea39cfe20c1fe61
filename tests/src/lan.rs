//! Hosts on a network of their own: network namespaces of the kernel, joined by a bridge.
//!
//! It needs Linux, `ip`, `unshare`, `nsenter`, and root or user namespaces. Nothing of it is seen
//! outside, and nothing is left behind: see [`Holder`].

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};

use crate::place::{Holder, Place};

/// A network: one bridge, and hosts with one address each and no way out.
pub struct Lan {
    hosts: Vec<Holder>,
    routers: Vec<Holder>,
    bridge: Holder,
}

impl Lan {
    /// A network of so many hosts.
    ///
    /// # Errors
    /// Why it cannot be had here.
    pub fn new(hosts: usize) -> Result<Self> {
        let net: &[&str] = &["--net"];
        // As root without further ado, else as root of a namespace of users.
        let holder = Holder::new(&Place::default(), net)
            .or_else(|_not_root| Holder::new(&Place::default(), &["--user", "--net"]))
            .context("no network namespaces here")?;
        let inside = holder.place();
        // Without the delay, for which a new port learns and forwards nothing.
        let bridge = "ip link add bridge type bridge forward_delay 0";
        inside.run(bridge).context("no bridges here")?;
        inside.run("ip link set bridge up")?;
        let mut lan = Self { hosts: Vec::new(), routers: Vec::new(), bridge: holder };
        for index in 0..hosts {
            lan.hosts.push(Holder::new(&inside, net)?);
            lan.join(index).context("no links between network namespaces here")?;
        }
        Ok(lan)
    }

    fn join(&self, index: usize) -> Result<()> {
        let (inside, host) = (self.bridge.place(), self.host(index));
        let (port, id) = (port(index), self.hosts[index].id());
        inside.run(&format!("ip link add {port} type veth peer name eth0 netns {id}"))?;
        inside.run(&format!("ip link set {port} master bridge up"))?;
        host.run(&format!("ip address add {}/24 dev eth0", self.address(index)))?;
        host.run("ip link set lo up")?;
        host.run("ip link set eth0 up")?;
        Ok(())
    }

    /// A host as a place for processes.
    #[must_use]
    pub fn host(&self, index: usize) -> Place {
        self.hosts[index].place()
    }

    /// A host's address.
    #[must_use]
    pub fn address(&self, index: usize) -> Ipv4Addr {
        let last = u8::try_from(index + 1).expect("invariant: a test has few hosts");
        Ipv4Addr::new(10, 77, 0, last)
    }

    /// Pulls a host's cable, or plugs it in: the host sees that it has no link.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn unplug(&self, index: usize, unplugged: bool) -> Result<()> {
        let state = if unplugged { "down" } else { "up" };
        self.bridge.place().run(&format!("ip link set {} {state}", port(index))).map(drop)
    }

    /// Cuts a host off somewhere behind its cable, where it sees nothing of it, or no longer.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn part(&self, index: usize, parted: bool) -> Result<()> {
        let master = if parted { "nomaster" } else { "master bridge" };
        self.bridge.place().run(&format!("ip link set {} {master}", port(index))).map(drop)
    }

    /// Gives a host a line of so many megabits a second, each way.
    ///
    /// # Errors
    /// The kernel has no token bucket filter, or there is no `tc`.
    pub fn narrow(&self, index: usize, mbit: u32) -> Result<()> {
        let bucket = |place: Place, device: &str| {
            place.run(&format!(
                "tc qdisc add dev {device} root tbf rate {mbit}mbit burst 32kbit latency 200ms"
            ))
        };
        bucket(self.bridge.place(), &port(index)).context("no token bucket filter here")?;
        bucket(self.host(index), "eth0")?;
        Ok(())
    }

    /// Puts a host behind a router that takes its address and translates: nobody outside can dial it.
    ///
    /// # Errors
    /// There is neither `nft` nor `iptables`, or the kernel does not translate.
    pub fn hide(&mut self, index: usize) -> Result<()> {
        let (inside, host) = (self.bridge.place(), self.host(index));
        let router = Holder::new(&inside, &["--net"])?;
        let place = router.place();
        place.run("command -v nft || command -v iptables").context("no nft and no iptables")?;
        let (port, router_id, id) = (port(index), router.id(), self.hosts[index].id());
        inside.run(&format!("ip link delete {port}"))?;
        inside.run(&format!("ip link add {port} type veth peer name outside netns {router_id}"))?;
        inside.run(&format!("ip link set {port} master bridge up"))?;
        place.run(&format!("ip address add {}/24 dev outside", self.address(index)))?;
        place.run("ip link set outside up")?;
        place.run(&format!("ip link add inside type veth peer name eth0 netns {id}"))?;
        place.run("ip address add 10.78.0.1/24 dev inside && ip link set inside up")?;
        host.run("ip address add 10.78.0.2/24 dev eth0 && ip link set eth0 up")?;
        host.run("ip route add 10.77.0.0/24 via 10.78.0.1")?;
        place.run("echo 1 > /proc/sys/net/ipv4/ip_forward").context("routes nothing here")?;
        place.run(MASQUERADE).context("translates no addresses here")?;
        self.routers.push(router);
        Ok(())
    }
}

/// Translates addresses of what leaves a router.
const MASQUERADE: &str = "if command -v nft; then nft add table ip nat && \
    nft 'add chain ip nat out { type nat hook postrouting priority 100 ; }' && \
    nft add rule ip nat out oifname outside masquerade; \
    else iptables -t nat -A POSTROUTING -o outside -j MASQUERADE; fi";

/// A host's port of the bridge.
fn port(index: usize) -> String {
    format!("port{index}")
}
