//! Which system calls a worker may make.
//!
//! On the CPU a list of what may be: memory, threads, clocks, the pipe. A graphics driver makes
//! calls that nobody has listed, so that beside one there is a list of what may not be. What is not
//! allowed fails with an error, as if the system did not permit it: nothing is killed by a library
//! that tries its luck.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::Profile;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Calls of a worker on the CPU.
const ALLOWED: &[c_long] = &[
    // The pipe and errors.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_ppoll,
    // Memory.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    // Threads; `clone3` is answered by a filter of its own, `clone` has a condition.
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_membarrier,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_gettid,
    // Signals, for a panic and an abort.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Clocks and who one is.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrusage,
    libc::SYS_uname,
];

/// Calls that no worker makes, a graphics driver beside it or not.
const DENIED: &[c_long] = &[
    // The network and other processes' sockets.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // Programs and other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // The kernel itself, and ways around a filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_personality,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

/// Calls of older machines, which have newer ones with more arguments on others.
#[cfg(target_arch = "x86_64")]
mod old {
    use libc::c_long;

    pub(super) const ALLOWED: &[c_long] = &[libc::SYS_poll, libc::SYS_dup2];
    pub(super) const DENIED: &[c_long] =
        &[libc::SYS_fork, libc::SYS_vfork, libc::SYS_iopl, libc::SYS_ioperm];
    /// The same calls in the 32-bit numbering of a 64-bit kernel.
    pub(super) const OTHER_NUMBERING: c_long = 0x4000_0000;
}

#[cfg(not(target_arch = "x86_64"))]
mod old {
    use libc::c_long;

    pub(super) const ALLOWED: &[c_long] = &[];
    pub(super) const DENIED: &[c_long] = &[];
    pub(super) const OTHER_NUMBERING: c_long = 0;
}

/// Puts the filters in place for this thread and all that it starts.
pub(super) fn filter(profile: Profile) -> Result<String, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    // A library that is told that there is no `clone3` takes `clone`, whose flags can be seen.
    let no_clone3 = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let (allow, refuse) = (SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32));
    apply(no_clone3, allow.clone(), SeccompAction::Errno(libc::ENOSYS as u32), arch)?;
    match profile {
        Profile::Cpu => {
            let rules = allowed().map_err(|error| error.to_string())?;
            let words = format!("{} may be made", rules.len());
            apply(rules, refuse, allow, arch)?;
            Ok(words)
        }
        Profile::Gpu => {
            let rules = denied().map_err(|error| error.to_string())?;
            let words =
                format!("{} may not be made, the rest may", DENIED.len() + old::DENIED.len());
            apply(rules, allow, refuse, arch)?;
            Ok(words)
        }
    }
}

fn apply(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
    arch: TargetArch,
) -> Result<(), String> {
    let filter = SeccompFilter::new(rules, otherwise, matched, arch);
    let program = filter.and_then(BpfProgram::try_from).map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

fn allowed() -> Result<Rules, seccompiler::BackendError> {
    let calls = ALLOWED.iter().chain(old::ALLOWED);
    let mut rules: Rules = calls.map(|&call| (call, Vec::new())).collect();
    let (eq, thread) = (SeccompCmpOp::Eq, libc::CLONE_THREAD as u64);
    let new_thread = one(0, SeccompCmpOp::MaskedEq(thread), thread)?;
    rules.insert(libc::SYS_clone, vec![new_thread]);
    // A process may abort itself and no other.
    rules.insert(libc::SYS_tgkill, vec![one(0, eq.clone(), u64::from(std::process::id()))?]);
    // Limits may be read; threads may be named.
    rules.insert(libc::SYS_prlimit64, vec![one(2, eq.clone(), 0)?]);
    rules.insert(libc::SYS_prctl, vec![one(0, eq, libc::PR_SET_NAME as u64)?]);
    Ok(rules)
}

fn denied() -> Result<Rules, seccompiler::BackendError> {
    let calls = DENIED.iter().chain(old::DENIED);
    let mut rules: Rules = calls.map(|&call| (call, Vec::new())).collect();
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![one(0, SeccompCmpOp::MaskedEq(thread), 0)?]);
    let ours = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![one(0, SeccompCmpOp::Ne, ours)?]);
    if old::OTHER_NUMBERING != 0 {
        let other = rules.clone().into_iter();
        rules.extend(other.map(|(call, rules)| (call | old::OTHER_NUMBERING, rules)));
    }
    Ok(rules)
}

/// A rule of one argument, of whose 64 bits all are looked at.
fn one(
    argument: u8,
    is: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Qword, is, value)?])
}
