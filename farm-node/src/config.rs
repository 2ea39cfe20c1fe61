//! What a node is told at start.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use protocol::tokens::as_text;
use protocol::{Pool, Tokens};
use sandbox::BackendChoice;
use serde::{Deserialize, Serialize};
use transport::Ticket;

use crate::manners::Manners;

/// How a node is set up. Only the folder and the farm have no default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the node's key and scenes; one node at a time may use it.
    pub data_dir: PathBuf,
    /// The farm to work for.
    pub farm: Ticket,
    /// The file that the ticket came from: looked at again whenever the farm is dialled, so that a
    /// scheduler that has moved is found.
    #[serde(default)]
    pub farm_file: Option<PathBuf>,
    /// A name for people.
    #[serde(default = "Config::default_name")]
    pub name: String,
    /// What renders.
    #[serde(default)]
    pub backend: BackendChoice,
    /// Whether a GPU that is simulated on the CPU may be taken: slower than the CPU backend.
    #[serde(default)]
    pub software_gpu: bool,
    /// Which GPU, by its number in what `tessera doctor` lists or by part of its name; without it
    /// the best.
    #[serde(default)]
    pub gpu: Option<String>,
    /// Threads of the CPU backend; all cores without it.
    #[serde(default)]
    pub threads: Option<NonZeroUsize>,
    /// Key file of the owner, whose wallet is paid; without it the node owns itself. The key
    /// signs once, at start, that the node is its owner's, and is not kept.
    #[serde(default)]
    pub owner_key: Option<PathBuf>,
    /// Least that the node works for, tokens per billion metered rays, as text: `ask = "8.5"`.
    /// Nothing by default: whatever the farm pays.
    #[serde(default, with = "as_text")]
    pub ask: Tokens,
    /// Disk space for scenes, bytes; the least recently used go first.
    #[serde(default = "Config::default_cache_bytes")]
    pub cache_bytes: u64,
    /// What of its scenes the node gives to other nodes of the farm, bytes a second over all of
    /// them; nothing without it. They learn its address by it.
    #[serde(default)]
    pub give_bytes_per_second: Option<NonZeroU64>,
    /// Pools that the node says it is in, at most [`protocol::limits::POOLS_MAX`]: jobs may ask for
    /// one. Anybody can say so.
    #[serde(default)]
    pub pools: BTreeSet<Pool>,
    /// Memory of the graphics device that renders, bytes; what its driver tells without it. Jobs may ask
    /// for as much.
    #[serde(default)]
    pub gpu_memory_bytes: Option<u64>,
    /// Scenes fetched, bytes a second at most, from whomever; as fast as they come without it.
    #[serde(default)]
    pub down_bytes_per_second: Option<NonZeroU64>,
    /// Films handed in and scenes given, bytes a second at most over all of them; as fast as they
    /// go without it.
    #[serde(default)]
    pub up_bytes_per_second: Option<NonZeroU64>,
    /// Memory for prepared scenes, bytes; half of the machine's without it.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// The program that renders in a process of its own, locked in: started with the one argument
    /// `worker`, it calls [`crate::worker()`]. Without it scenes are read and rendered in this
    /// process, beside its keys and its network.
    #[serde(default)]
    pub worker: Option<PathBuf>,
    /// Memory that the worker process may use in all, bytes; half as much again as
    /// `memory_bytes` without it.
    #[serde(default)]
    pub worker_bytes: Option<u64>,
    /// Whether to render pixels of others' films for the farm, which pays for them.
    #[serde(default = "Config::default_verify")]
    pub verify: bool,
    /// Whether to measure the node's speed at start.
    #[serde(default = "Config::default_benchmark")]
    pub benchmark: bool,
    /// When the node leaves the machine to the person before it.
    #[serde(default)]
    pub manners: Manners,
    /// Where to listen; by default on this machine only when the farm is on it.
    #[serde(default)]
    pub bind: Option<SocketAddr>,
    /// How to defraud the farm, for demonstrations and tests of its defences.
    #[serde(default)]
    pub cheat: Option<Cheat>,
}

/// A way to defraud the farm. It exists so that the farm can be shown to notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cheat {
    /// Renders a quarter of the samples and scales the sums and counts up to look like all.
    QuarterSamples,
    /// The same, with the noise taken out as artists do it.
    QuarterDenoised,
    /// Renders at half the width and height, and repeats every pixel.
    HalfSize,
    /// Renders one film, and hands it in again and again.
    Replay,
    /// Renders a tile once, and hands that in for every frame of the shot.
    ReplayFrame,
    /// Hands in black.
    Black,
    /// Hands in tiles of one colour: the mean of a quarter of the samples.
    Mean,
    /// Leaves out one pixel in twenty: a copy of its neighbour.
    FewPixels,
    /// Renders as many samples as ordered, of another seed.
    OtherSeed,
    /// Renders as many samples as ordered, of another range.
    OtherSamples,
    /// Claims twice the rays.
    MoreRays,
    /// Says that it is fifty times as fast as it is.
    Boaster,
    /// Works well for a while, then renders a quarter of the samples.
    Late,
    /// Takes leases and never answers.
    Silent,
    /// Takes leases, says that it works on them, and never hands anything in.
    Hostage,
    /// Copies the film of a unit from another node of the same person, where that has rendered it.
    Copier,
    /// Works well for a while, then leaves out one pixel in twenty; as a verifier, vouches for such
    /// films of other nodes of the same person.
    Friends,
    /// As a verifier, answers without rendering.
    LazyVerifier,
    /// As a verifier, says of every fourth film that it is wrong.
    LyingVerifier,
}

impl Cheat {
    /// Every way, by the name that is typed.
    pub const NAMED: [(&str, Self); 19] = [
        ("quarter", Self::QuarterSamples),
        ("quarter-denoised", Self::QuarterDenoised),
        ("half-size", Self::HalfSize),
        ("replay", Self::Replay),
        ("replay-frame", Self::ReplayFrame),
        ("black", Self::Black),
        ("mean", Self::Mean),
        ("few-pixels", Self::FewPixels),
        ("other-seed", Self::OtherSeed),
        ("other-samples", Self::OtherSamples),
        ("more-rays", Self::MoreRays),
        ("boaster", Self::Boaster),
        ("late", Self::Late),
        ("silent", Self::Silent),
        ("hostage", Self::Hostage),
        ("copier", Self::Copier),
        ("friends", Self::Friends),
        ("lazy-verifier", Self::LazyVerifier),
        ("lying-verifier", Self::LyingVerifier),
    ];

    /// The way of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find_map(|(known, cheat)| (known == name).then_some(cheat))
    }
}

impl Config {
    /// A node with the defaults.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, farm: Ticket) -> Self {
        Self {
            data_dir: data_dir.into(),
            farm,
            farm_file: None,
            name: Self::default_name(),
            backend: BackendChoice::Auto,
            software_gpu: false,
            gpu: None,
            threads: None,
            owner_key: None,
            ask: Tokens::ZERO,
            cache_bytes: Self::default_cache_bytes(),
            give_bytes_per_second: None,
            pools: BTreeSet::new(),
            gpu_memory_bytes: None,
            down_bytes_per_second: None,
            up_bytes_per_second: None,
            memory_bytes: None,
            worker: None,
            worker_bytes: None,
            verify: Self::default_verify(),
            benchmark: Self::default_benchmark(),
            manners: Manners::default(),
            bind: None,
            cheat: None,
        }
    }

    fn default_name() -> String {
        "node".to_owned()
    }

    /// Room for a good dozen of film scenes, and no surprise on a gamer's disk.
    const fn default_cache_bytes() -> u64 {
        20 << 30
    }

    const fn default_verify() -> bool {
        true
    }

    const fn default_benchmark() -> bool {
        true
    }

    /// Memory that the worker process may use: a scene that is being unpacked and prepared lies
    /// beside those that are.
    pub(crate) fn worker_bytes(&self, memory_bytes: u64) -> u64 {
        self.worker_bytes.unwrap_or(memory_bytes.saturating_add(memory_bytes / 2))
    }

    /// Where to listen.
    pub(crate) fn bind_address(&self) -> SocketAddr {
        self.bind.unwrap_or_else(|| self.farm.bind_address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(addresses: &[&str]) -> Config {
        let key = protocol::sign::public_key(&protocol::SigningKey::from_bytes(&[7; 32]));
        let parse = |text: &&str| text.parse().expect("an address");
        Config::new("node", Ticket::new(key, addresses.iter().map(parse).collect()))
    }

    #[test]
    fn a_file_needs_the_folder_and_the_farm_only() {
        let expected = config(&["127.0.0.1:4000"]);
        let text = format!("data_dir = \"node\"\nfarm = \"{}\"\n", expected.farm);
        assert_eq!(toml::from_str::<Config>(&text).expect("a config"), expected);
        let unknown = format!("{text}cach_bytes = 3\n");
        let error = toml::from_str::<Config>(&unknown).expect_err("a typing mistake");
        assert!(error.to_string().contains("cach_bytes"), "{error}");
        let ask = |ask: &str| toml::from_str::<Config>(&format!("{text}ask = {ask}\n"));
        let asked = ask("\"8.5\"").expect("a config").ask;
        assert_eq!(asked, Tokens::from_micro(8_500_000));
        let error = ask("\"a lot\"").expect_err("no amount").to_string();
        assert!(error.contains("a lot") && error.contains("as 3.5"), "{error}");
        assert!(ask("8.5").is_err(), "a number is no amount");
        let pools = |pools: &str| toml::from_str::<Config>(&format!("{text}pools = {pools}\n"));
        let named = pools("[\"studio\", \"night\"]").expect("a config").pools;
        let named: Vec<String> = named.into_iter().map(String::from).collect();
        assert_eq!(named, ["night", "studio"]);
        let error = pools("[\"Studio 1\"]").expect_err("no name").to_string();
        assert!(error.contains("Studio 1") && error.contains("a to z"), "{error}");
        let cheat = format!("{text}cheat = \"quarter-samples\"\nbackend = \"cpu\"\n");
        let cheat: Config = toml::from_str(&cheat).expect("a config");
        assert_eq!((cheat.cheat, cheat.backend), (Some(Cheat::QuarterSamples), BackendChoice::Cpu));
    }
}
