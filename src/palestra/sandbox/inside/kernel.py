"""System calls that Python has no function for, through ctypes."""

import ctypes
import os
import platform
import sys

MACHINE = platform.machine()
NUMBERS = {
    "x86_64": (155, 317, 442, 444, 445, 446, 125, 126),
    "aarch64": (41, 277, 442, 444, 445, 446, 90, 91),
}.get(MACHINE, (0,) * 8)
PIVOT_ROOT, SECCOMP, MOUNT_SETATTR, LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT, CAPGET, CAPSET = NUMBERS

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 1, 4, 24, 36
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 22, 38, 47
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 16384, 1 << 18, 2

IS_LINUX = sys.platform == "linux"
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> int:
    """The result of a system call; a negative one raises OSError with what was tried."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def system_call(number: int, *arguments: object, what: str) -> int:
    LIBC.syscall.restype = ctypes.c_long
    return checked(LIBC.syscall(ctypes.c_long(number), *arguments), what)


def control(option: int, *arguments: int) -> int:
    """prctl."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return checked(LIBC.prctl(option, *(ctypes.c_ulong(argument) for argument in padded)), f"prctl {option}")


def unshare(flags: int) -> None:
    checked(LIBC.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    arguments = (text.encode() if text is not None else None for text in (source, target, kind))
    data_bytes = data.encode() if data is not None else None
    checked(LIBC.mount(*arguments, ctypes.c_ulong(flags), data_bytes), f"mount {kind or source} on {target}")


def bind(source: str, target: str, *, read_only: bool = True, devices: bool = False) -> None:
    """Show `source` at `target` too, read-only with everything mounted below it."""
    mount(source, target, flags=MS_BIND | MS_REC)
    attributes = (1 if read_only else 0) | 2 | (0 if devices else 4)
    words = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    path = ctypes.c_char_p(target.encode())
    recursive = ctypes.c_uint(0x8000)
    try:
        system_call(MOUNT_SETATTR, -100, path, recursive, words, ctypes.c_size_t(32), what="mount_setattr")
    except OSError:
        # Before Linux 5.12: what is mounted below keeps its flags; locked flags have to be repeated.
        locked = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
        mount("none", target, flags=MS_BIND | MS_REMOUNT | locked | (MS_RDONLY if read_only else 0))


def pivot(new_root: str) -> None:
    """Make `new_root` the root and let go of the old one."""
    os.chdir(new_root)
    system_call(PIVOT_ROOT, b".", b".", what="pivot_root")
    checked(LIBC.umount2(b".", MNT_DETACH), "umount of the old root")
    os.chdir("/")


def drop_capabilities() -> None:
    for capability in range(64):
        if LIBC.prctl(PR_CAPBSET_DROP, *(ctypes.c_ulong(word) for word in (capability, 0, 0, 0))) < 0:
            break
    LIBC.prctl(PR_CAP_AMBIENT, *(ctypes.c_ulong(word) for word in (4, 0, 0, 0)))
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    system_call(CAPSET, head, sets, what="capset")
