"""The filter of system calls, as classic BPF: installed once, inherited by every run, and not to be taken off."""

import ctypes
import struct

from . import kernel

ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS, EAFNOSUPPORT = 0x00050001, 0x00050026, 0x00050061
LOAD, EQUAL, GREATER, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.get(kernel.MACHINE, 0)
NEW_NAMESPACES = 0x7E020000
CLONE_THREAD = 0x10000

# Name, number on x86_64, number on aarch64; -1 where there is none.
REFUSED = (
    ("ptrace", 101, 117), ("process_vm_readv", 310, 270), ("process_vm_writev", 311, 271), ("kcmp", 312, 272),
    ("process_madvise", 440, 440), ("pidfd_getfd", 438, 438), ("mount", 165, 40), ("umount2", 166, 39),
    ("pivot_root", 155, 41), ("chroot", 161, 51), ("fsopen", 430, 430), ("fsconfig", 431, 431), ("fsmount", 432, 432),
    ("fspick", 433, 433), ("open_tree", 428, 428), ("move_mount", 429, 429), ("mount_setattr", 442, 442),
    ("open_tree_attr", 467, 467), ("statmount", 457, 457), ("listmount", 458, 458),
    ("unshare", 272, 97), ("setns", 308, 268), ("bpf", 321, 280), ("perf_event_open", 298, 241),
    ("userfaultfd", 323, 282), ("keyctl", 250, 219), ("add_key", 248, 217), ("request_key", 249, 218),
    ("io_uring_setup", 425, 425), ("io_uring_enter", 426, 426), ("io_uring_register", 427, 427),
    ("io_setup", 206, 0), ("io_submit", 209, 2), ("init_module", 175, 105), ("finit_module", 313, 273),
    ("delete_module", 176, 106), ("kexec_load", 246, 104), ("kexec_file_load", 320, 294), ("reboot", 169, 142),
    ("swapon", 167, 224), ("swapoff", 168, 225), ("acct", 163, 89), ("quotactl", 179, 60), ("quotactl_fd", 443, 443),
    ("syslog", 103, 116), ("settimeofday", 164, 170), ("clock_settime", 227, 112), ("adjtimex", 159, 171),
    ("clock_adjtime", 305, 266), ("sethostname", 170, 161), ("setdomainname", 171, 162), ("iopl", 172, -1),
    ("ioperm", 173, -1), ("modify_ldt", 154, -1), ("vhangup", 153, 58), ("lookup_dcookie", 212, 18),
    ("nfsservctl", 180, 42), ("fanotify_init", 300, 262), ("name_to_handle_at", 303, 264),
    ("open_by_handle_at", 304, 265), ("move_pages", 279, 239), ("migrate_pages", 256, 238), ("mbind", 237, 235),
    ("set_mempolicy", 238, 237), ("personality", 135, 92), ("memfd_create", 319, 279), ("memfd_secret", 447, 447),
    ("shmget", 29, 194), ("shmat", 30, 196), ("msgget", 68, 186), ("semget", 64, 190), ("mq_open", 240, 180),
    ("vmsplice", 278, 75), ("landlock_create_ruleset", 444, 444), ("seccomp", 317, 277),
)  # fmt: skip
CLONE, CLONE3, SOCKET, PRLIMIT = {"x86_64": (56, 435, 41, 302), "aarch64": (220, 435, 198, 261)}.get(
    kernel.MACHINE, (0, 0, 0, 0)
)
FORKING = {"x86_64": (57, 58), "aarch64": ()}.get(kernel.MACHINE, ())
EXECUTING = {"x86_64": (59, 322), "aarch64": (221, 281)}.get(kernel.MACHINE, ())


def step(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)


def answer_to(number: int, answer: int) -> bytes:
    return step(EQUAL, number, 0, 1) + step(RETURN, answer)


def program() -> bytes:
    """What every run lives with, whatever it is allowed to start."""
    text = step(LOAD, 4) + step(EQUAL, ARCHITECTURE, 1, 0) + step(RETURN, KILL) + step(LOAD, 0)
    if kernel.MACHINE == "x86_64":
        text += step(GREATER, 0x40000000, 0, 1) + step(RETURN, ENOSYS)
    text += answer_to(CLONE3, ENOSYS)
    for _, on_x86_64, on_aarch64 in REFUSED:
        number = on_x86_64 if kernel.MACHINE == "x86_64" else on_aarch64
        if number >= 0:
            text += answer_to(number, EPERM)
    # Namespaces by way of clone; sockets that are not AF_UNIX; limits of other processes.
    text += step(EQUAL, CLONE, 0, 4) + step(LOAD, 16) + step(ANY_BIT, NEW_NAMESPACES, 0, 1) + step(RETURN, EPERM)
    text += step(RETURN, ALLOW)
    text += step(EQUAL, SOCKET, 0, 4) + step(LOAD, 16) + step(EQUAL, 1, 1, 0) + step(RETURN, EAFNOSUPPORT)
    text += step(RETURN, ALLOW)
    text += step(EQUAL, PRLIMIT, 0, 3) + step(LOAD, 16) + step(EQUAL, 0, 1, 0) + step(RETURN, EPERM)
    return text + step(RETURN, ALLOW)


def lone_program(*, threads: bool) -> bytes:
    """No further process and no other program; threads if the run may have them."""
    text = step(LOAD, 0)
    for number in (*FORKING, *EXECUTING):
        text += answer_to(number, EPERM)
    text += step(EQUAL, CLONE, 0, 3)
    if threads:
        text += step(LOAD, 16) + step(ANY_BIT, CLONE_THREAD, 1, 0) + step(RETURN, EPERM)
    else:
        text += step(RETURN, EPERM) * 3
    return text + step(RETURN, ALLOW)


def install(text: bytes) -> None:
    """Put a filter on this process and its children. Needs no_new_privs. Raises OSError."""
    if not ARCHITECTURE:
        raise OSError(38, f"no table of system calls for {kernel.MACHINE}")
    buffer = ctypes.create_string_buffer(text, len(text))

    class Filter(ctypes.Structure):
        _fields_ = (("count", ctypes.c_ushort), ("steps", ctypes.c_void_p))

    told = Filter(len(text) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    kernel.control(kernel.PR_SET_SECCOMP, 2, ctypes.addressof(told))
