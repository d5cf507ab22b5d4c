//! What a process can still ask of the kernel once it serves strangers: system calls by a list (seccomp), files by
//! directories (Landlock). Both are for good, and hold for all threads that start later, so this comes before any does.
//!
//! What is not on the list fails with ENOSYS, as if the kernel did not have it: libraries are used to that and take
//! another way, where a process that is killed would take its sessions along.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};
use libc::*;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// The newest Landlock whose rights are known here. An older kernel grants what it can.
const LANDLOCK: ABI = ABI::V6;

/// Memory, threads, time, and what is open already: every process needs these.
const EVERYBODY: &[c_long] = &[
    // What is open.
    SYS_read,
    SYS_readv,
    SYS_write,
    SYS_writev,
    SYS_close,
    SYS_dup,
    SYS_dup3,
    SYS_fstat,
    // Sockets that are there.
    SYS_accept4,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_shutdown,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_socketpair,
    // Waiting.
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_ppoll,
    SYS_eventfd2,
    SYS_pipe2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_futex,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_restart_syscall,
    // Memory.
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_membarrier,
    SYS_mincore,
    // Threads; see in_part() too.
    SYS_set_robust_list,
    SYS_rseq,
    SYS_gettid,
    SYS_getpid,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_set_tid_address,
    SYS_exit,
    SYS_exit_group,
    SYS_prctl,
    SYS_getcpu,
    // Signals, to itself; and what it is.
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_getrandom,
    SYS_uname,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_sysinfo,
];

/// The same by older names.
#[cfg(target_arch = "x86_64")]
const EVERYBODY_OLD: &[c_long] = &[SYS_poll, SYS_epoll_wait, SYS_time, SYS_dup2, SYS_pipe];
#[cfg(not(target_arch = "x86_64"))]
const EVERYBODY_OLD: &[c_long] = &[];

/// Files, where Landlock lets it.
const FILES: &[c_long] = &[
    SYS_openat,
    SYS_openat2,
    SYS_newfstatat,
    SYS_statx,
    SYS_getdents64,
    SYS_lseek,
    SYS_pread64,
    SYS_preadv,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_fadvise64,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_flock,
    SYS_renameat,
    SYS_renameat2,
    SYS_linkat,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_symlinkat,
    SYS_readlinkat,
    SYS_fchmod,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_fstatfs,
    SYS_statfs,
    SYS_getcwd,
    SYS_umask,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_fchown,
];

/// The same by older names.
#[cfg(target_arch = "x86_64")]
const FILES_OLD: &[c_long] = &[
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_rename,
    SYS_link,
    SYS_unlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_symlink,
    SYS_readlink,
    SYS_getrlimit,
];
#[cfg(not(target_arch = "x86_64"))]
const FILES_OLD: &[c_long] = &[];

/// What became of a wish to be confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confined {
    /// All of it holds.
    Wholly,
    /// This kernel can do some of it.
    Partly,
    /// This kernel can do none of it.
    NotAtAll,
}

/// Which calls a process may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// On what is open: no file, no new socket, no other program.
    Open,
    /// And files, which are another matter; see [`to_directories`]. Where it does not hold, rights and times are changed of
    /// what is open alone.
    Files,
    /// And rights by name, too: no file of the user's own is another's.
    FilesAndRights,
    /// And sockets of the host itself, by which its libraries ask who users are.
    FilesAndHost,
}

/// From now on: no file but in the directories `own`, which it may change, and in `readable`, which it may not (a
/// file may stand there too). Those that are not there are left out. No signal to another process.
pub fn to_directories(own: &[PathBuf], readable: &[&str]) -> io::Result<Confined> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let status = Ruleset::default()
        // A kernel that does not know this right grants it to nobody, and no message could be delivered.
        .set_compatibility(CompatLevel::SoftRequirement)
        .handle_access(AccessFs::Refer)
        .map(|rules| rules.set_compatibility(CompatLevel::BestEffort))
        .and_then(|rules| rules.handle_access(AccessFs::from_all(LANDLOCK)))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(LANDLOCK)))
        .and_then(|rules| rules.scope(Scope::from_all(LANDLOCK)))
        .and_then(|rules| rules.create())
        .and_then(|rules| {
            let all = AccessFs::from_all(LANDLOCK) & !AccessFs::Execute;
            rules.add_rules(path_beneath_rules(own, all))
        })
        .and_then(|rules| rules.add_rules(path_beneath_rules(readable, read)))
        .and_then(|rules| rules.restrict_self())
        .map_err(io::Error::other)?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Confined::Wholly,
        RulesetStatus::PartiallyEnforced => Confined::Partly,
        RulesetStatus::NotEnforced => Confined::NotAtAll,
    })
}

/// From now on: no other calls than these.
pub fn to_calls(calls: Calls) -> io::Result<Confined> {
    let Ok(here) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(Confined::NotAtAll);
    };
    let lists: &[&[c_long]] = match calls {
        Calls::Open => &[EVERYBODY, EVERYBODY_OLD],
        Calls::Files => &[EVERYBODY, EVERYBODY_OLD, FILES, FILES_OLD],
        Calls::FilesAndRights => &[EVERYBODY, EVERYBODY_OLD, FILES, FILES_OLD, &[SYS_fchmodat]],
        Calls::FilesAndHost => &[EVERYBODY, EVERYBODY_OLD, FILES, FILES_OLD, &[SYS_connect]],
    };
    let mut allowed: BTreeMap<i64, Vec<SeccompRule>> = lists
        .iter()
        .flat_map(|list| list.iter())
        .map(|call| (*call, Vec::new()))
        .collect();
    allowed.extend(in_part()?);
    if calls != Calls::Open {
        // Times of what is open: a name would be a pointer.
        let nameless = SeccompCondition::new(1, SeccompCmpArgLen::Qword, Eq, 0);
        let nameless = nameless.and_then(|condition| SeccompRule::new(vec![condition]));
        allowed.insert(SYS_utimensat, vec![nameless.map_err(io::Error::other)?]);
    }
    if calls == Calls::FilesAndHost {
        allowed.insert(SYS_socket, vec![rule(&[(0, Eq, number(AF_UNIX)?)])?]);
    }
    let unknown = u32::try_from(ENOSYS).map_err(io::Error::other)?;
    let program: BpfProgram = SeccompFilter::new(
        allowed,
        SeccompAction::Errno(unknown),
        SeccompAction::Allow,
        here,
    )
    .and_then(BpfProgram::try_from)
    .map_err(io::Error::other)?;
    match seccompiler::apply_filter(&program) {
        Ok(()) => Ok(Confined::Wholly),
        Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error))
            if matches!(error.raw_os_error(), Some(EINVAL | ENOSYS)) =>
        {
            Ok(Confined::NotAtAll)
        }
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Calls that every process may make, but not with all arguments: a call passes that one of its rules lets pass.
fn in_part() -> io::Result<Vec<(c_long, Vec<SeccompRule>)>> {
    let thread = number(CLONE_THREAD)?;
    let pid = u64::from(std::process::id());
    let linger = [(1, SOL_SOCKET), (2, SO_LINGER)];
    let linger = linger.map(|(place, value)| rule(&[(place, Ne, number(value)?)]));
    let requests = [FIONBIO, FIONREAD, FIOCLEX].map(|request| rule(&[(1, Eq, request)]));
    Ok(vec![
        // New threads, not new processes. clone3(2) keeps what it is asked in memory, where no filter looks, so it stays
        // unknown and the C library takes clone(2).
        (SYS_clone, vec![rule(&[(0, MaskedEq(thread), thread)])?]),
        // Who passes on a socket that lingers holds up whoever closes it.
        (
            SYS_setsockopt,
            linger.into_iter().collect::<io::Result<_>>()?,
        ),
        // Nothing of terminals.
        (SYS_ioctl, requests.into_iter().collect::<io::Result<_>>()?),
        // Signals to itself alone, also by way of a file.
        (SYS_tgkill, vec![rule(&[(0, Eq, pid)])?]),
        (
            SYS_fcntl,
            vec![rule(&[
                (1, Ne, number(F_SETOWN)?),
                (1, Ne, number(F_SETSIG)?),
                (1, Ne, number(F_SETOWN_EX)?),
            ])?],
        ),
        // Its own limits.
        (SYS_prlimit64, vec![rule(&[(0, Eq, 0)])?]),
    ])
}

/// `fcntl(2)`: whom a signal about a file goes to.
const F_SETOWN_EX: i32 = 15;
const F_SETSIG: i32 = 10;

/// A rule that all of these conditions make: the place of an argument, and how it compares.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> io::Result<SeccompRule> {
    let conditions = conditions.iter().map(|(place, operator, value)| {
        SeccompCondition::new(*place, SeccompCmpArgLen::Dword, operator.clone(), *value)
    });
    let conditions = conditions.collect::<Result<_, _>>();
    conditions
        .and_then(SeccompRule::new)
        .map_err(io::Error::other)
}

fn number(value: i32) -> io::Result<u64> {
    u64::try_from(value).map_err(io::Error::other)
}
