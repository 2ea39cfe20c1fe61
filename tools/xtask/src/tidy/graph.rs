//! The dependency rules of the house.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, Metadata, PackageId};

/// What is linked into what, by package name; ours and everyone's.
#[derive(Debug, Default)]
pub struct Graph {
    /// Names of the workspace's members.
    pub members: BTreeSet<String>,
    /// Direct dependencies. Of packages that are there in several versions, each has its own, as
    /// `rand_core 0.6.4`.
    pub edges: BTreeMap<String, BTreeSet<String>>,
}

/// Members of the workspace that each member may use directly. What is missing may use none.
const MAY_USE: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("transport", &["protocol", "unify"]),
    ("scene", &["protocol"]),
    ("film", &["protocol"]),
    ("renderer", &["protocol", "scene", "film"]),
    ("gpu", &["protocol", "scene", "film", "renderer", "unify"]),
    ("sandbox", &["protocol", "scene", "film", "renderer"]),
    ("proof", &["protocol"]),
    ("ledger", &["protocol", "proof"]),
    (
        "scheduler",
        &[
            "protocol",
            "transport",
            "scene",
            "film",
            "renderer",
            "sandbox",
            "ledger",
            "proof",
            "unify",
        ],
    ),
    (
        "farm-node",
        &["protocol", "transport", "scene", "film", "renderer", "sandbox", "gpu", "proof", "unify"],
    ),
    (
        "client",
        &["protocol", "transport", "scene", "film", "renderer", "proof", "farm-node", "unify"],
    ),
    ("studio", &["protocol", "transport", "scene", "film", "client", "unify"]),
    ("openjd", &["client", "unify"]),
    ("desktop-client", &["*"]),
    ("tessera", &["*"]),
    ("farm-tests", &["*"]),
    ("xtask", &["scene"]),
    ("unify", &[]),
];

/// Members that must not reach these packages, however far down. A name ending in `*` is a prefix.
const MUST_NOT_REACH: &[(&str, &[&str])] = &[
    ("protocol", &["tokio", "iroh*", "std-*", "rand", "getrandom", "chrono", "time", "wgpu*"]),
    ("scene", GRAPHICS),
    ("film", GRAPHICS),
    ("renderer", GRAPHICS),
    ("sandbox", GRAPHICS),
    ("sandbox", &["iroh", "iroh-blobs", "sled"]),
    ("proof", &["tokio", "iroh*", "sled", "wgpu*", "bevy*", "egui*"]),
    ("ledger", &["tokio", "iroh*", "image", "exr", "wgpu*", "bevy*", "egui*", "eframe"]),
    ("scheduler", GRAPHICS),
    ("transport", GRAPHICS),
    ("farm-node", &["egui*", "eframe", "winit"]),
    ("gpu", &["winit", "egui*", "eframe"]),
];

const GRAPHICS: &[&str] = &["wgpu*", "bevy*", "egui*", "eframe", "winit"];

/// Members in whose manifest wgpu and bevy may stand.
const GRAPHICS_USERS: &[&str] = &["gpu", "desktop-client"];

impl Graph {
    /// The resolved graph with all features, on every platform; what only builds or tests is left out.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self> {
        let resolve = metadata.resolve.as_ref().context("cargo metadata resolved nothing")?;
        let mut graph = Self::default();
        for package in metadata.workspace_packages() {
            graph.members.insert(package.name.to_string());
        }
        let mut versions = BTreeMap::<&str, usize>::new();
        for node in &resolve.nodes {
            *versions.entry(metadata[&node.id].name.as_str()).or_default() += 1;
        }
        let name_of = |id: &PackageId| {
            let package = &metadata[id];
            match versions.get(package.name.as_str()) {
                Some(2..) => format!("{} {}", package.name, package.version),
                _one => package.name.to_string(),
            }
        };
        for node in &resolve.nodes {
            let from = name_of(&node.id);
            let used = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            let names = used.map(|dependency| name_of(&dependency.pkg));
            graph.edges.entry(from).or_default().extend(names);
        }
        Ok(graph)
    }

    /// How `from` reaches a package that `wanted` names, if it does: the names on the way.
    fn path(&self, from: &str, wanted: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(name) = queue.pop_front() {
            if name != from && wanted(name) {
                let mut path = vec![name.to_owned()];
                let mut step = name;
                while let Some(&previous) = came_from.get(step) {
                    path.push(previous.to_owned());
                    step = previous;
                }
                path.reverse();
                return Some(path);
            }
            for next in self.edges.get(name).into_iter().flatten() {
                if next != from && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, name);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

/// Every dependency rule that is broken.
pub fn problems(graph: &Graph) -> Vec<String> {
    let mut problems = Vec::new();
    let no_edges = BTreeSet::new();
    for member in &graph.members {
        let used = graph.edges.get(member).unwrap_or(&no_edges);
        let allowed = MAY_USE.iter().find(|(name, _)| name == member).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            problems.push(format!("{member} has no rule in xtask's tidy; say what it may use"));
            continue;
        };
        for name in used.intersection(&graph.members) {
            if !allowed.contains(&name.as_str()) && !allowed.contains(&"*") {
                problems.push(format!("{member} must not use {name} (docs/architecture.md)"));
            }
        }
        let graphics = |name: &str| name == "wgpu" || name.starts_with("bevy");
        if !GRAPHICS_USERS.contains(&member.as_str()) && used.iter().any(|name| graphics(name)) {
            problems.push(format!("{member} must not name wgpu or bevy (docs/architecture.md)"));
        }
    }
    for (member, banned) in MUST_NOT_REACH {
        if let Some(path) = graph.path(member, |name| banned.iter().any(|ban| matches(ban, name))) {
            problems.push(format!("{member} must not reach {}", path.join(" -> ")));
        }
    }
    problems
}

/// Packages of which the lock file may hold one version only.
const ONE_VERSION: &[&str] = &["wgpu", "naga", "iroh", "glam", "egui", "ed25519-dalek"];

/// Every rule that the lock file breaks.
pub fn lock_problems(lock: &str) -> Vec<String> {
    let count = |name: &str| {
        let line = format!("name = \"{name}\"");
        lock.lines().filter(|text| *text == line).count()
    };
    ONE_VERSION
        .iter()
        .filter_map(|name| match count(name) {
            1 => None,
            n => Some(format!("Cargo.lock holds {n} versions of {name}, there must be one")),
        })
        .collect()
}

/// Whether a pattern is of a package, in whichever version.
fn matches(pattern: &str, name: &str) -> bool {
    let name = name.split(' ').next().unwrap_or(name);
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let mut graph = Graph::default();
        for (member, _) in MAY_USE {
            graph.members.insert((*member).to_owned());
        }
        for (from, to) in edges {
            let to = to.iter().map(|name| (*name).to_owned()).collect();
            graph.edges.insert((*from).to_owned(), to);
        }
        graph
    }

    fn check(edges: &[(&str, &[&str])], expected: &[&str]) {
        assert_eq!(problems(&graph(edges)), expected);
    }

    #[test]
    fn versions_of_a_package_are_packages_of_their_own() {
        let edges: &[(&str, &[&str])] =
            &[("protocol", &["rand_core 0.10.0"]), ("rand_core 0.6.4", &["getrandom 0.2.0"])];
        check(edges, &[]);
        let found = "protocol must not reach protocol -> rand_core 0.10.0 -> getrandom 0.3.0";
        let edges: &[(&str, &[&str])] =
            &[("protocol", &["rand_core 0.10.0"]), ("rand_core 0.10.0", &["getrandom 0.3.0"])];
        check(edges, &[found]);
    }

    #[test]
    fn the_drawn_house_stands() {
        check(&[("scheduler", &["ledger", "renderer"]), ("gpu", &["wgpu", "bevy_render"])], &[]);
    }

    #[test]
    fn a_wall_that_is_broken_through_is_found() {
        check(
            &[("ledger", &["scheduler"])],
            &["ledger must not use scheduler (docs/architecture.md)"],
        );
    }

    #[test]
    fn graphics_under_the_scheduler_are_found_however_deep() {
        check(
            &[("scheduler", &["film"]), ("film", &["pretty"]), ("pretty", &["wgpu-core"])],
            &[
                "film must not reach film -> pretty -> wgpu-core",
                "scheduler must not reach scheduler -> film -> pretty -> wgpu-core",
            ],
        );
    }

    #[test]
    fn wgpu_outside_its_rooms_is_found() {
        check(
            &[("tessera", &["wgpu"])],
            &["tessera must not name wgpu or bevy (docs/architecture.md)"],
        );
    }

    #[test]
    fn a_window_under_the_node_is_found() {
        check(
            &[("farm-node", &["gpu"]), ("gpu", &["winit"])],
            &[
                "farm-node must not reach farm-node -> gpu -> winit",
                "gpu must not reach gpu -> winit",
            ],
        );
    }

    #[test]
    fn a_member_without_a_rule_is_found() {
        let mut graph = graph(&[]);
        graph.members.insert("shed".to_owned());
        assert_eq!(problems(&graph), ["shed has no rule in xtask's tidy; say what it may use"]);
    }

    #[test]
    fn a_second_wgpu_is_found() {
        let one: String = ONE_VERSION.iter().map(|name| format!("name = \"{name}\"\n")).collect();
        assert!(lock_problems(&one).is_empty());
        let two = format!("{one}name = \"wgpu\"\n");
        assert_eq!(lock_problems(&two), ["Cargo.lock holds 2 versions of wgpu, there must be one"]);
    }
}
