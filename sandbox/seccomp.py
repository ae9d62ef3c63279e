"""A seccomp filter as the kernel reads it: system calls that a Python program does not need are refused.

Format: linux/filter.h (struct sock_filter), linux/seccomp.h, linux/audit.h. Numbers: the kernel's tables for
x86_64 (arch/x86/entry/syscalls/syscall_64.tbl) and the generic one that aarch64 uses
(include/uapi/asm-generic/unistd.h); from 424 on they are the same everywhere.
"""

from __future__ import annotations

import errno
import platform
import struct

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data (little endian)
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020080  # CLONE_NEWUSER and all its siblings

# audit architecture, {name: number}
_TABLES: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "clone": 56, "socket": 41, "ptrace": 101, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161,
            "unshare": 272, "setns": 308, "bpf": 321, "userfaultfd": 323, "perf_event_open": 298, "keyctl": 250,
            "add_key": 248, "request_key": 249, "process_vm_readv": 310, "process_vm_writev": 311, "kexec_load": 246,
            "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176, "reboot": 169,
            "swapon": 167, "swapoff": 168, "acct": 163, "syslog": 103, "quotactl": 179, "open_by_handle_at": 304,
            "name_to_handle_at": 303, "kcmp": 312, "iopl": 172, "ioperm": 173, "modify_ldt": 154, "personality": 135,
            "settimeofday": 164, "clock_settime": 227, "sethostname": 170,
            "setdomainname": 171, "fanotify_init": 300, "vhangup": 153, "migrate_pages": 256, "move_pages": 279,
            "mbind": 237, "set_mempolicy": 238, "ioprio_set": 251, "setxattr": 188, "lsetxattr": 189,
            "fsetxattr": 190, "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240, "prlimit64": 302,
            "sched_setaffinity": 203, "sched_setscheduler": 144, "sched_setparam": 142, "sched_setattr": 314,
            "setpriority": 141,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "clone": 220, "socket": 198, "ptrace": 117, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51,
            "unshare": 97, "setns": 268, "bpf": 280, "userfaultfd": 282, "perf_event_open": 241, "keyctl": 219,
            "add_key": 217, "request_key": 218, "process_vm_readv": 270, "process_vm_writev": 271, "kexec_load": 104,
            "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106, "reboot": 142,
            "swapon": 224, "swapoff": 225, "acct": 89, "syslog": 116, "quotactl": 60, "open_by_handle_at": 265,
            "name_to_handle_at": 264, "kcmp": 272, "personality": 92, "settimeofday": 170,
            "clock_settime": 112, "sethostname": 161, "setdomainname": 162, "fanotify_init": 262, "vhangup": 58,
            "migrate_pages": 238, "move_pages": 239, "mbind": 235, "set_mempolicy": 237, "ioprio_set": 30,
            "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "shmget": 194, "semget": 190, "msgget": 186,
            "mq_open": 180, "prlimit64": 261, "sched_setaffinity": 122, "sched_setscheduler": 119,
            "sched_setparam": 118, "sched_setattr": 274, "setpriority": 140,
        },
    ),
}  # fmt: skip
_COMMON = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442,
    "setxattrat": 463,
}  # fmt: skip
# Allowed on the calling process only, named by 0 (in so many of the first arguments): given the number of another
# process, such as the zygote, they would change it.
_ON_ITSELF = {
    "prlimit64": 1, "sched_setaffinity": 1, "sched_setscheduler": 1, "sched_setparam": 1, "sched_setattr": 1,
    "setpriority": 2,
}  # fmt: skip
_CLONE3 = 435  # its flags lie in memory, where a filter can't look: ENOSYS makes libc fall back to clone


def filter_program(machine: str | None = None) -> bytes | None:
    """The filter for this machine's processor, for bwrap's --seccomp; None where no table is known."""
    table = _TABLES.get(machine or platform.machine())
    if table is None:
        return None
    architecture, numbers = table
    calls = {**numbers, **_COMMON}
    clone, socket = calls.pop("clone"), calls.pop("socket")
    on_itself = {calls.pop(name): arguments for name, arguments in _ON_ITSELF.items()}
    program = [
        _statement(_LOAD, _ARCHITECTURE),
        _jump(_JUMP_EQUAL, architecture, 1, 0),
        _statement(_RETURN, _KILL),
        _statement(_LOAD, _NUMBER),
        _jump(_JUMP_GREATER_EQUAL, _X32, 0, 1),
        _statement(_RETURN, _KILL),
    ]
    for number in sorted(calls.values()):
        program += [_jump(_JUMP_EQUAL, number, 0, 1), _statement(_RETURN, _ERROR | errno.EPERM)]
    program += [_jump(_JUMP_EQUAL, _CLONE3, 0, 1), _statement(_RETURN, _ERROR | errno.ENOSYS)]
    for number, arguments in on_itself.items():
        program.append(_jump(_JUMP_EQUAL, number, 0, 3 * arguments + 1))
        for argument in range(arguments):
            program += [
                _statement(_LOAD, _FIRST_ARGUMENT + 8 * argument),
                _jump(_JUMP_EQUAL, 0, 1, 0),
                _statement(_RETURN, _ERROR | errno.EPERM),
            ]
        program.append(_statement(_RETURN, _ALLOW))
    program += [
        _jump(_JUMP_EQUAL, clone, 0, 4),
        _statement(_LOAD, _FIRST_ARGUMENT),
        _jump(_JUMP_ANY_BIT, _NEW_NAMESPACES, 0, 1),
        _statement(_RETURN, _ERROR | errno.EPERM),
        _statement(_RETURN, _ALLOW),
    ]
    program += [
        _jump(_JUMP_EQUAL, socket, 0, 4),
        _statement(_LOAD, _FIRST_ARGUMENT),
        _jump(_JUMP_EQUAL, 1, 1, 0),  # AF_UNIX: with nothing to connect to, and multiprocessing needs it
        _statement(_RETURN, _ERROR | errno.EPERM),
        _statement(_RETURN, _ALLOW),
    ]
    program.append(_statement(_RETURN, _ALLOW))
    return b"".join(program)


def _statement(code: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, 0, 0, value)


def _jump(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
