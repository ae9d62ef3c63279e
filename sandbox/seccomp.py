"""A seccomp filter as the kernel reads it: system calls that a Python program does not need are refused.

Format: linux/filter.h (struct sock_filter), linux/seccomp.h, linux/audit.h. Numbers: the kernel's tables for
x86_64 (arch/x86/entry/syscalls/syscall_64.tbl) and the generic one that aarch64 uses
(include/uapi/asm-generic/unistd.h); from 424 on they are the same everywhere.
"""

from __future__ import annotations

import errno
import platform
import struct

from sandbox.inside.confinement import OWN_PID

_LOAD, _AND, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data (little endian)
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020080  # CLONE_NEWUSER and all its siblings
# CLONE_PARENT makes a sibling. On older kernels one made while its parent died could become a child of the zygote for
# which no plain wait waits, as only the process of the tests is to be (sandbox/inside/forks.py).
_SIBLING = 0x8000

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
            "setpriority": 141, "memfd_create": 319, "mmap": 9, "madvise": 28,
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
            "sched_setparam": 118, "sched_setattr": 274, "setpriority": 140, "memfd_create": 279, "mmap": 222,
            "madvise": 233,
        },
    ),
}  # fmt: skip
_COMMON = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442,
    "setxattrat": 463, "memfd_secret": 447, "process_madvise": 440,
}  # fmt: skip
# What namespaces are for, where there are none: objects of the whole machine and of the user's other programs.
_HOST_TABLES: dict[str, dict[str, int]] = {
    "x86_64": {
        "shmat": 30, "shmctl": 31, "semop": 65, "semctl": 66, "semtimedop": 220, "msgsnd": 69, "msgrcv": 70,
        "msgctl": 71, "inotify_init": 253, "inotify_init1": 294, "removexattr": 197, "lremovexattr": 198,
        "fremovexattr": 199, "connect": 42, "bind": 49, "listen": 50, "fallocate": 285,
    },
    "aarch64": {
        "shmat": 196, "shmctl": 195, "semop": 193, "semctl": 191, "semtimedop": 192, "msgsnd": 189, "msgrcv": 188,
        "msgctl": 187, "inotify_init1": 26, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16,
        "bind": 200, "listen": 201, "connect": 203, "fallocate": 47,
    },
}  # fmt: skip
_HOST_COMMON = {"statmount": 457, "listmount": 458, "removexattrat": 466, "file_setattr": 469}
# These can make a file that no folder names (O_TMPFILE), so that nobody sees how large it is; by place of the flags.
_OPENING = {"x86_64": {2: 1, 257: 2}, "aarch64": {56: 2}}
_OPENAT2 = 437  # its flags lie in memory
_NAMELESS = 0x400000
# A file that another takes the place of while it is open is seen by nobody either. `shutil.move` then copies.
_RENAMING = {"x86_64": (82, 264, 316), "aarch64": (38, 276)}
# Landlock does not look at the first ones, and is not asked to allow the last ones. They answer that all went well, and
# do nothing, since `shutil.copy` and `tempfile` need them.
_PRETENDED: dict[str, dict[str, int]] = {
    "x86_64": {
        "chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260,
        "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280, "fchmodat2": 452,
        "unlink": 87, "rmdir": 84, "unlinkat": 263,
    },
    "aarch64": {
        "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "utimensat": 88, "fchmodat2": 452, "unlinkat": 35,
    },
}  # fmt: skip
# Ways to a signal: to one process, named first; to what a number in another place names; by a file (its requests).
_SIGNALS: dict[str, tuple[dict[str, int], dict[str, int], dict[str, int]]] = {
    "x86_64": (
        {"kill": 62, "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297},
        {"tkill": 200, "pidfd_send_signal": 424},
        {"fcntl": 72, "ioctl": 16},
    ),
    "aarch64": (
        {"kill": 129, "tgkill": 131, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240},
        {"tkill": 130, "pidfd_send_signal": 424},
        {"fcntl": 25, "ioctl": 29},
    ),
}
_OWNER_REQUESTS = {
    "fcntl": (8, 10, 15),
    "ioctl": (0x8901, 0x8902),
}  # F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN ...
# How much may wait in a socket is memory of no process. It stays what the kernel gives, so that it can be counted; to
# ask for more answers that all went well, as it does beyond the kernel's own limit.
_SETSOCKOPT = {0xC000003E: 54, 0xC00000B7: 208}
_SEND_BUFFERS = (7, 32)  # SO_SNDBUF, SO_SNDBUFFORCE
_SOCKETPAIR = {"x86_64": 53, "aarch64": 199}
# Allowed on the calling process only, named by 0 (in so many of the first arguments): given the number of another
# process, such as the zygote, they would change it.
_ON_ITSELF = {
    "prlimit64": 1, "sched_setaffinity": 1, "sched_setscheduler": 1, "sched_setparam": 1, "sched_setattr": 1,
    "setpriority": 2,
}  # fmt: skip
_OWN_PID = int.from_bytes(OWN_PID, "little")
# Memory that is shared and has no file belongs to no process, so nobody sees how much it is; nor what was paged out.
_SHARED, _WITHOUT_FILE, _PAGE_OUT = 0x01, 0x20, 21
# Where processor time and memory go that belong to another process, or to none: a link holds 4 KB, a name 255 bytes.
# Who moves between processors leaves some memory uncounted on each. Threads are the process's own.
_HIDING_PLACES: dict[str, dict[str, int]] = {
    "x86_64": {
        "fork": 57, "vfork": 58, "pipe": 22, "pipe2": 293, "socket": 41, "socketpair": 53, "memfd_create": 319,
        "shmget": 29, "msgget": 68, "mq_open": 240, "sched_setaffinity": 203, "creat": 85, "symlink": 88,
        "symlinkat": 266, "link": 86, "linkat": 265, "mkdir": 83, "mkdirat": 258, "mknod": 133, "mknodat": 259,
    },
    "aarch64": {
        "pipe2": 59, "socket": 198, "socketpair": 199, "memfd_create": 279, "shmget": 194, "msgget": 186,
        "mq_open": 180, "sched_setaffinity": 122, "symlinkat": 36, "linkat": 37, "mkdirat": 34, "mknodat": 33,
    },
}  # fmt: skip
_CREATE = 0x40  # O_CREAT
_THREAD = 0x10000  # CLONE_THREAD
_CLONE3 = 435  # its flags lie in memory, where a filter can't look: ENOSYS makes libc fall back to clone


def filter_program(machine: str | None = None) -> bytes | None:
    """The filter for this machine's processor, for what runs in namespaces; None where no table is known."""
    table = _TABLES.get(machine or platform.machine())
    if table is None:
        return None
    _architecture, numbers = table
    # AF_UNIX: with nothing to connect to, and multiprocessing needs it
    return b"".join([*_refusals(table), *_only(numbers["socket"], 0, (1,)), _statement(_RETURN, _ALLOW)])


def host_filter_program(machine: str | None = None) -> bytes | None:
    """The same for what has no namespaces.

    There are no sockets but connected pairs: Landlock leaves Unix sockets open, behind which stand the desktop, the
    agent with the user's keys, containers.
    """
    name = machine or platform.machine()
    table = _TABLES.get(name)
    if table is None:
        return None
    _architecture, numbers = table
    program = _refusals(table)
    for number in sorted([*_HOST_TABLES[name].values(), *_HOST_COMMON.values(), numbers["socket"]]):
        program += _always(number, errno.EPERM)
    for number, argument in _OPENING[name].items():
        program += _with_bits(number, argument, (_NAMELESS,), errno.EOPNOTSUPP)
    program += _always(_OPENAT2, errno.ENOSYS)
    program += [
        _jump(_JUMP_EQUAL, _SOCKETPAIR[name], 0, 7),
        _statement(_LOAD, _FIRST_ARGUMENT),
        _jump(_JUMP_EQUAL, 1, 0, 4),  # AF_UNIX
        _statement(_LOAD, _FIRST_ARGUMENT + 8),
        _statement(_AND, 0xF),
        _jump(_JUMP_EQUAL, 1, 0, 1),  # SOCK_STREAM: the other kinds can be sent to any name
        _statement(_RETURN, _ALLOW),
        _statement(_RETURN, _ERROR | errno.EPERM),
    ]
    return b"".join([*program, _statement(_RETURN, _ALLOW)])


def child_filter_program(machine: str | None = None, *, signals: bool) -> bytes | None:
    """On top of that for programs, and not for what cleans up after them; of the same processor.

    signals: something else keeps them from other processes. Else a process may signal itself only, known by
    `confinement.OWN_PID`.
    """
    name = machine or platform.machine()
    if name not in _TABLES:
        return None
    program = [_statement(_LOAD, _NUMBER)]
    for number in sorted(_PRETENDED[name].values()):
        program += _always(number, 0)
    for number in _RENAMING[name]:
        program += _always(number, errno.EXDEV)
    if not signals:
        to_one, elsewhere, by_file = _SIGNALS[name]
        for number in to_one.values():
            program += _only(number, 0, (0, _OWN_PID))
        for number in elsewhere.values():
            program += _always(number, errno.EPERM)
        for call, number in by_file.items():
            for request in _OWNER_REQUESTS[call]:
                program += [
                    _jump(_JUMP_EQUAL, number, 0, 4),
                    _statement(_LOAD, _FIRST_ARGUMENT + 8),
                    _jump(_JUMP_EQUAL, request, 0, 1),
                    _statement(_RETURN, _ERROR | errno.EPERM),
                    _statement(_LOAD, _NUMBER),
                ]
    return b"".join([*program, _statement(_RETURN, _ALLOW)])


def seal_program(machine: str | None = None) -> bytes | None:
    """On top of all that, for a program that is measured: see `Limits.sealed`. None where no table is known."""
    name = machine or platform.machine()
    if name not in _TABLES:
        return None
    architecture, numbers = _TABLES[name]
    program = [
        _statement(_LOAD, _ARCHITECTURE),
        _jump(_JUMP_EQUAL, architecture, 1, 0),
        _statement(_RETURN, _KILL),
        _statement(_LOAD, _NUMBER),
        _jump(_JUMP_GREATER_EQUAL, _X32, 0, 1),
        _statement(_RETURN, _KILL),
    ]
    for number in sorted(_HIDING_PLACES[name].values()):
        program += _always(number, errno.EPERM)
    for number, argument in _OPENING[name].items():
        program += _with_bits(number, argument, (_CREATE,), errno.EPERM)
    for number in (_CLONE3, _OPENAT2):
        program += _always(number, errno.ENOSYS)
    program += [
        _jump(_JUMP_EQUAL, numbers["clone"], 0, 3),
        _statement(_LOAD, _FIRST_ARGUMENT),
        _jump(_JUMP_ANY_BIT, _THREAD, 1, 0),
        _statement(_RETURN, _ERROR | errno.EPERM),
    ]
    return b"".join([*program, _statement(_RETURN, _ALLOW)])


def _refusals(table: tuple[int, dict[str, int]]) -> list[bytes]:
    """What no program needs, wherever it runs. The accumulator holds the call's number before and after."""
    architecture, numbers = table
    calls = {**numbers, **_COMMON}
    clone = calls.pop("clone")
    del calls["socket"]
    mmap, madvise = calls.pop("mmap"), calls.pop("madvise")
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
        program += _always(number, errno.EPERM)
    program += [
        _jump(_JUMP_EQUAL, _SETSOCKOPT[architecture], 0, 7),
        _statement(_LOAD, _FIRST_ARGUMENT + 8),
        _jump(_JUMP_EQUAL, 1, 0, 3),  # SOL_SOCKET
        _statement(_LOAD, _FIRST_ARGUMENT + 8 * 2),
        *(_jump(_JUMP_EQUAL, option, 2 - at, 0) for at, option in enumerate(_SEND_BUFFERS)),
        _statement(_RETURN, _ALLOW),
        _statement(_RETURN, _ERROR),
    ]
    program += _always(_CLONE3, errno.ENOSYS)
    program += _with_bits(mmap, 3, (_SHARED, _WITHOUT_FILE), errno.EPERM)
    program += [
        _jump(_JUMP_EQUAL, madvise, 0, 4),
        _statement(_LOAD, _FIRST_ARGUMENT + 8 * 2),
        _jump(_JUMP_EQUAL, _PAGE_OUT, 0, 1),
        _statement(_RETURN, _ERROR | errno.EPERM),
        _statement(_RETURN, _ALLOW),
    ]
    for number, arguments in on_itself.items():
        program.append(_jump(_JUMP_EQUAL, number, 0, 3 * arguments + 1))
        for argument in range(arguments):
            program += [
                _statement(_LOAD, _FIRST_ARGUMENT + 8 * argument),
                _jump(_JUMP_EQUAL, 0, 1, 0),
                _statement(_RETURN, _ERROR | errno.EPERM),
            ]
        program.append(_statement(_RETURN, _ALLOW))
    return [
        *program,
        _jump(_JUMP_EQUAL, clone, 0, 4),
        _statement(_LOAD, _FIRST_ARGUMENT),
        _jump(_JUMP_ANY_BIT, _NEW_NAMESPACES | _SIBLING, 0, 1),
        _statement(_RETURN, _ERROR | errno.EPERM),
        _statement(_RETURN, _ALLOW),
    ]


def _always(number: int, error: int) -> list[bytes]:
    return [_jump(_JUMP_EQUAL, number, 0, 1), _statement(_RETURN, _ERROR | error)]


def _with_bits(number: int, argument: int, bits: tuple[int, ...], error: int) -> list[bytes]:
    """A call that is refused where that argument has all of them."""
    program = [
        _jump(_JUMP_EQUAL, number, 0, len(bits) + 3),
        _statement(_LOAD, _FIRST_ARGUMENT + 8 * argument),
    ]
    program += [_jump(_JUMP_ANY_BIT, bit, 0, len(bits) - at) for at, bit in enumerate(bits)]
    return [*program, _statement(_RETURN, _ERROR | error), _statement(_RETURN, _ALLOW)]


def _only(number: int, argument: int, values: tuple[int, ...]) -> list[bytes]:
    """A call that is refused unless that argument is one of these."""
    program = [
        _jump(_JUMP_EQUAL, number, 0, len(values) + 3),
        _statement(_LOAD, _FIRST_ARGUMENT + 8 * argument),
    ]
    program += [_jump(_JUMP_EQUAL, value, len(values) - at, 0) for at, value in enumerate(values)]
    return [*program, _statement(_RETURN, _ERROR | errno.EPERM), _statement(_RETURN, _ALLOW)]


def _statement(code: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, 0, 0, value)


def _jump(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
