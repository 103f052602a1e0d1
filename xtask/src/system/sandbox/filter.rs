//! Makes the seccomp filters of a process: what it may not call, and what is watched.
//!
//! Format: the kernel's "Seccomp BPF" (`userspace-api/seccomp_filter`).

use libc::{c_long, sock_filter};

#[cfg(target_arch = "x86_64")]
const ARCH: Option<u32> = Some(0xc000_003e);
#[cfg(target_arch = "aarch64")]
const ARCH: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCH: Option<u32> = None;

/// The bit in the numbers of x32, a second set of calls on `x86_64`.
const X32: u32 = 0x4000_0000;

/// Offsets in `struct seccomp_data`. Both processors have the lower half of an argument first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const ERROR: u32 = 0x0005_0000;
const NOTIFY: u32 = 0x7fc0_0000;

/// The numbers above 423 are the same on all processors; some C libraries do not name them.
const CLONE3: c_long = 435;

/// The system calls that are refused: no compiler needs them. Some of them pass by Landlock: `io_uring` opens sockets that no filter sees,
/// keyrings and System V IPC are no files, and the memory of other processes is no file either. The rest reaches much of the kernel.
const REFUSED: &[c_long] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_shmget,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_by_handle_at,
];

/// The system calls that are watched: they tell which files a process wants.
const WATCHED: &[c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_execve,
    libc::SYS_socket,
];

/// Returns whether the filters are known for this processor.
pub(super) fn is_known() -> bool {
    ARCH.is_some()
}

/// Makes the filter that refuses calls. `refuses_sockets` is false where a watcher refuses them.
///
/// No socket can be made but a pair of Unix sockets. A single Unix socket could connect to the server of an SSH
/// agent or of Docker, whose path neither Landlock nor a filter sees.
pub(super) fn refusing(refuses_sockets: bool) -> Vec<sock_filter> {
    let (permission, unknown) = (error(libc::EPERM), error(libc::ENOSYS));
    let mut program = beginning(permission);
    for number in REFUSED {
        program.extend(when(*number, permission));
    }
    if refuses_sockets {
        program.extend(when(libc::SYS_socket, error(libc::EACCES)));
    }
    let is_unix = statement(IF_EQUAL, libc::AF_UNIX as u32, 1, 0);
    program.extend([
        statement(IF_EQUAL, libc::SYS_socketpair as u32, 0, 3),
        statement(LOAD, FIRST_ARGUMENT, 0, 0),
        is_unix,
        statement(RETURN, error(libc::EACCES), 0, 0),
        statement(LOAD, NUMBER, 0, 0),
    ]);
    // A namespace of its own would give a process all capabilities in it. The flags of clone3 are in memory, where no
    // filter sees them; without it, C libraries call clone.
    program.extend(when(CLONE3, unknown));
    program.extend([
        statement(IF_EQUAL, libc::SYS_clone as u32, 0, 3),
        statement(LOAD, FIRST_ARGUMENT, 0, 0),
        statement(IF_ANY_BIT, NAMESPACES, 0, 1),
        statement(RETURN, permission, 0, 0),
        statement(RETURN, ALLOW, 0, 0),
    ]);
    program
}

/// The flags of clone that make namespaces.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Makes the filter that tells a watcher of calls.
pub(super) fn watching() -> Vec<sock_filter> {
    let mut program = beginning(ALLOW);
    for number in WATCHED {
        program.extend(when(*number, NOTIFY));
    }
    program.push(statement(RETURN, ALLOW, 0, 0));
    program
}

/// Begins a program: calls of another processor's set get `foreign`; then the number is loaded.
fn beginning(foreign: u32) -> Vec<sock_filter> {
    let mut program = vec![
        statement(LOAD, ARCHITECTURE, 0, 0),
        statement(IF_EQUAL, ARCH.unwrap_or_default(), 1, 0),
        statement(RETURN, foreign, 0, 0),
        statement(LOAD, NUMBER, 0, 0),
    ];
    if cfg!(target_arch = "x86_64") {
        program.push(statement(IF_AT_LEAST, X32, 0, 1));
        program.push(statement(RETURN, foreign, 0, 0));
    }
    program
}

fn when(number: c_long, action: u32) -> [sock_filter; 2] {
    [statement(IF_EQUAL, number.cast_unsigned() as u32, 0, 1), statement(RETURN, action, 0, 0)]
}

fn error(number: i32) -> u32 {
    ERROR | number.cast_unsigned()
}

fn statement(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use libc::{c_long, sock_filter};

    use super::{
        ALLOW, ARCH, IF_ANY_BIT, IF_AT_LEAST, IF_EQUAL, LOAD, NOTIFY, RETURN, X32, error, refusing,
        watching,
    };

    /// Does what the kernel does with a program.
    fn judge(program: &[sock_filter], arch: u32, number: u32, argument: u32) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let it = program[at];
            let jumps = match it.code {
                LOAD => {
                    value = match it.k {
                        0 => number,
                        4 => arch,
                        16 => argument,
                        other => panic!("nothing is at {other}"),
                    };
                    at += 1;
                    continue;
                }
                RETURN => return it.k,
                IF_EQUAL => value == it.k,
                IF_AT_LEAST => value >= it.k,
                IF_ANY_BIT => value & it.k != 0,
                other => panic!("no code {other}"),
            };
            at += 1 + usize::from(if jumps { it.jt } else { it.jf });
        }
    }

    #[test]
    fn filters_refuse_sockets_and_namespaces_and_foreign_calls() {
        let arch = ARCH.expect("this processor is known");
        let number = |number: c_long| u32::try_from(number).unwrap();
        let (eacces, eperm) = (error(libc::EACCES), error(libc::EPERM));
        let unix = u32::try_from(libc::AF_UNIX).unwrap();
        let inet = u32::try_from(libc::AF_INET).unwrap();
        let rows = [
            (libc::SYS_socket, inet, eacces),
            (libc::SYS_socket, unix, eacces),
            (libc::SYS_socketpair, unix, ALLOW),
            (libc::SYS_socketpair, inet, eacces),
            (libc::SYS_io_uring_setup, 0, eperm),
            (libc::SYS_process_vm_readv, 0, eperm),
            (libc::SYS_clone, libc::CLONE_VM as u32, ALLOW),
            (libc::SYS_clone, (libc::CLONE_VM | libc::CLONE_NEWUSER) as u32, eperm),
            (super::CLONE3, 0, error(libc::ENOSYS)),
            (libc::SYS_openat, 0, ALLOW),
            (libc::SYS_execve, 0, ALLOW),
        ];
        for (call, argument, expected) in rows {
            let judged = judge(&refusing(true), arch, number(call), argument);
            assert_eq!(judged, expected, "call {call} with {argument:#x}");
        }
        assert_eq!(judge(&refusing(true), 0x4000_0003, 5, 0), eperm, "i386");
        if cfg!(target_arch = "x86_64") {
            let x32 = X32 | number(libc::SYS_socket);
            assert_eq!(judge(&refusing(true), arch, x32, inet), eperm, "x32");
        }
        assert_eq!(judge(&refusing(false), arch, number(libc::SYS_socket), inet), ALLOW);
        let rows =
            [(libc::SYS_openat, NOTIFY), (libc::SYS_socket, NOTIFY), (libc::SYS_read, ALLOW)];
        for (call, expected) in rows {
            assert_eq!(judge(&watching(), arch, number(call), 0), expected, "call {call}");
        }
    }
}
