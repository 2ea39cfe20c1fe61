//! The walls of Linux, in the order in which they can be raised: before any thread, file or scene.

use std::collections::BTreeSet;
use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use super::calls;
use super::{Confinement, ENVIRONMENT, Profile, Wall};

/// Descriptors of a worker on the CPU: the pipe and errors, and some to spare.
const DESCRIPTORS_CPU: u64 = 32;
/// Descriptors of a worker with a graphics driver.
const DESCRIPTORS_GPU: u64 = 1024;

/// What graphics drivers read: themselves, their settings, what the kernel says of the hardware.
const DRIVERS_READ: &[&str] = &[
    "/usr",
    "/lib",
    "/lib64",
    "/opt",
    "/nix/store",
    "/run/opengl-driver",
    "/etc/vulkan",
    "/etc/glvnd",
    "/etc/nvidia",
    "/etc/drirc",
    "/etc/ld.so.cache",
    "/sys",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/devices",
    "/proc/driver/nvidia",
    "/proc/self",
];
/// Devices that they read and write; what in `/dev` begins with `nvidia` comes on top.
const DEVICES: &[&str] = &[
    "/dev/dri",
    "/dev/dxg",
    "/dev/kfd",
    "/dev/mali0",
    "/dev/null",
    "/dev/udmabuf",
    "/dev/urandom",
    "/dev/zero",
];

/// Raises every wall that this system has; says of each what came of it.
pub(crate) fn confine(profile: Profile, limit_bytes: u64) -> Confinement {
    let mut walls = Confinement::default();
    walls.note(Wall::Environment, environment());
    walls.note(Wall::Session, said(rustix::process::setsid(), "its own, no terminal"));
    let orphan = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    walls.note(Wall::Orphan, said(orphan, "killed when its keeper ends"));
    walls.note(Wall::Descriptors, descriptors());
    let words = format!("{} MiB of data", limit_bytes >> 20);
    match (limit(Resource::Data, limit_bytes), goes_first()) {
        (Ok(()), Ok(())) => {
            walls.note(Wall::Memory, Ok(format!("{words}; the first to go where there is none")));
        }
        (Ok(()), Err(why)) => {
            walls.note_part(Wall::Memory, format!("{words}; others may go first ({why})"));
        }
        (Err(why), _) => walls.note(Wall::Memory, Err(why)),
    }
    walls.note(Wall::Limits, limits(profile));
    walls.note(Wall::Network, network());
    walls.note(Wall::Privileges, privileges());
    match (files(profile), profile) {
        (Ok(words), Profile::Cpu) => walls.note(Wall::Files, Ok(words)),
        (Ok(words), Profile::Gpu) => walls.note_part(Wall::Files, words),
        (Err(why), _) => walls.note(Wall::Files, Err(why)),
    }
    match (calls::filter(profile), profile) {
        (Ok(words), Profile::Cpu) => walls.note(Wall::Calls, Ok(words)),
        (Ok(words), Profile::Gpu) => walls.note_part(Wall::Calls, words),
        (Err(why), _) => walls.note(Wall::Calls, Err(why)),
    }
    walls
}

fn said<T>(outcome: rustix::io::Result<T>, words: &str) -> Result<String, String> {
    outcome.map(|_done| words.to_owned()).map_err(|error| error.to_string())
}

/// The keeper starts the worker with nothing but what [`ENVIRONMENT`] names; here it is looked at.
fn environment() -> Result<String, String> {
    let known: BTreeSet<&str> = ENVIRONMENT.iter().copied().collect();
    let names = std::env::vars_os().map(|(name, _value)| name);
    let unknown = names.filter(|name| !name.to_str().is_some_and(|it| known.contains(it))).count();
    if unknown == 0 {
        Ok("empty but for the graphics driver's".to_owned())
    } else {
        Err(format!("{unknown} variables of its keeper"))
    }
}

/// Closes whatever was open in its keeper and not marked to stay there.
fn descriptors() -> Result<String, String> {
    #[expect(unsafe_code, reason = "rustix has no such call")]
    // SAFETY: nothing in this process has opened a file yet; input, output and errors stay.
    let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    match closed {
        0 => Ok("the pipe alone".to_owned()),
        _failed => Err(std::io::Error::last_os_error().to_string()),
    }
}

fn limit(resource: Resource, value: u64) -> Result<(), String> {
    let limit = Rlimit { current: Some(value), maximum: Some(value) };
    rustix::process::setrlimit(resource, limit).map_err(|error| error.to_string())
}

/// Where the machine runs out of memory the kernel ends this process before any other (proc(5)).
fn goes_first() -> Result<(), String> {
    std::fs::write("/proc/self/oom_score_adj", "1000").map_err(|error| error.to_string())
}

fn limits(profile: Profile) -> Result<String, String> {
    limit(Resource::Core, 0)?;
    match profile {
        Profile::Cpu => {
            // Files are out of reach anyway; a pipe is none.
            limit(Resource::Fsize, 0)?;
            limit(Resource::Nofile, DESCRIPTORS_CPU)?;
            Ok(format!("no core, no file that grows, {DESCRIPTORS_CPU} descriptors"))
        }
        Profile::Gpu => {
            // Drivers share memory in files without a name.
            limit(Resource::Nofile, DESCRIPTORS_GPU)?;
            Ok(format!("no core, {DESCRIPTORS_GPU} descriptors"))
        }
    }
}

/// A network of its own, in which nothing is: not even the loopback interface is up.
fn network() -> Result<String, String> {
    let apart = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    match unshare(apart | UnshareFlags::NEWUSER) {
        Ok(()) => Ok("own user, network and IPC namespaces".to_owned()),
        Err(first) => match unshare(apart) {
            Ok(()) => Ok("own network and IPC namespaces".to_owned()),
            Err(_second) => Err(format!(
                "this system gives no namespaces ({first}); system calls alone keep it off"
            )),
        },
    }
}

fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    #[expect(unsafe_code, reason = "the call is unsafe for file descriptors and the file system")]
    // SAFETY: neither is parted, and the process has one thread.
    unsafe {
        rustix::thread::unshare_unsafe(flags)
    }
}

/// No way up: nothing that is executed gains rights, and those of the namespace are given up.
fn privileges() -> Result<String, String> {
    let words = |error: rustix::io::Errno| error.to_string();
    rustix::thread::set_no_new_privs(true).map_err(words)?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).map_err(words)?;
    Ok("none, and none to be had".to_owned())
}

fn files(profile: Profile) -> Result<String, String> {
    // What a kernel does not know of it yet is left out by the crate, and told in the status.
    let abi = ABI::V6;
    let restrict = || {
        let rules = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?;
        let rules = match profile {
            Profile::Cpu => rules,
            Profile::Gpu => {
                let read = AccessFs::ReadFile | AccessFs::ReadDir;
                let write = read | AccessFs::WriteFile | AccessFs::IoctlDev;
                rules
                    .add_rules(path_beneath_rules(DRIVERS_READ, read))?
                    .add_rules(path_beneath_rules(devices(), write))?
            }
        };
        rules.restrict_self()
    };
    let status = restrict().map_err(|error: landlock::RulesetError| error.to_string())?;
    let words = match profile {
        Profile::Cpu => "none to be had",
        Profile::Gpu => "system folders to be read, devices to be used, for the graphics driver",
    };
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(words.to_owned()),
        RulesetStatus::PartiallyEnforced => Ok(format!("{words}, as far as this kernel knows how")),
        RulesetStatus::NotEnforced => Err("this kernel has no Landlock".to_owned()),
    }
}

fn devices() -> Vec<PathBuf> {
    let found = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let of_nvidia = found.filter(|entry| entry.file_name().to_string_lossy().starts_with("nvidia"));
    DEVICES.iter().map(PathBuf::from).chain(of_nvidia.map(|entry| entry.path())).collect()
}
