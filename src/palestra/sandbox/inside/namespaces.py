"""The strong boundary: user, process, network, mount, IPC, host-name and cgroup namespaces, without any helper."""

import os
import signal
import stat
from collections.abc import Sequence

from . import kernel

UNPRIVILEGED = 65534
"""The user that a sandbox started by root runs as: limits on processes do not hold for root."""
SCRATCH = ("/sandbox", "/tmp", "/dev/shm")  # noqa: S108 - of the sandbox's own root
DEVICES = ("null", "zero", "full", "random", "urandom")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
PASSWD = f"sandbox:x:{UNPRIVILEGED}:{UNPRIVILEGED}::/sandbox:/bin/sh\n"
ALL = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS | kernel.CLONE_NEWCGROUP
)  # fmt: skip
HANGUP_GRACE_S = 5


def enter(folders: Sequence[str], scratch_mb: int) -> None:
    """Go into namespaces of our own, as their first process; `folders` are what is shown of the machine, read-only.

    The process that called stays outside, waits, and ends with the sandbox. Raises OSError where
    the machine does not allow it.
    """
    if os.geteuid() == 0:
        kernel.unshare(kernel.CLONE_NEWNS)
        build_root(folders)
        become_unprivileged()
        user, group = UNPRIVILEGED, UNPRIVILEGED
        kernel.unshare(ALL)
        map_users(user, group)
    else:
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(ALL)
        map_users(user, group)
        build_root(folders)
    child = os.fork()
    if child:
        wait_outside(child)
    kernel.control(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    mount_own(folders, scratch_mb)


def become_unprivileged() -> None:
    os.setgroups([])
    os.setresgid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED)
    os.setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED)
    # Who changes its user may not write its own /proc files until it says so.
    kernel.control(kernel.PR_SET_DUMPABLE, 1)
    kernel.control(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_outside(child: int) -> None:
    """Stay as the parent that the sandbox dies with."""
    os.closerange(3, 1024)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def map_users(user: int, group: int) -> None:
    for name, text in (("setgroups", "deny"), ("uid_map", f"{UNPRIVILEGED} {user} 1"),
                       ("gid_map", f"{UNPRIVILEGED} {group} 1")):  # fmt: skip
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def build_root(folders: Sequence[str]) -> None:
    """A root of its own: the system read-only, no homes, no secrets of /etc."""
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    # Sources are held open, as the new root may cover them.
    sources = {path: os.open(path, os.O_PATH) for path in shown(folders)}
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in DEVICES}
    root = "/tmp"  # noqa: S108 - only a place to mount on
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    for path in SYSTEM:
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
    for path, source in sources.items():
        place(source, root + path)
    for name in ("/dev/shm", "/tmp", "/sandbox", "/proc", "/dev", "/etc"):  # noqa: S108
        os.makedirs(root + name, exist_ok=True)
    for name, source in devices.items():
        place(source, f"{root}/dev/{name}", devices=True)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"{root}/dev/{name}")
    with open(f"{root}/etc/passwd", "w") as file:
        file.write(PASSWD)
    # A fresh /proc is only granted where one is in sight; it covers this one.
    kernel.mount("/proc", f"{root}/proc", flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.pivot(root)
    for descriptor in (*sources.values(), *devices.values()):
        os.close(descriptor)
    kernel.mount(
        "none", "/", flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    )


def shown(folders: Sequence[str]) -> list[str]:
    """What exists of the system and `folders`, without what lies inside another, and without links."""
    found: list[str] = []
    for path in sorted({*(path for path in SYSTEM if not os.path.islink(path)), *folders}):
        if os.path.exists(path) and not any(path == other or path.startswith(other + "/") for other in found):
            found.append(path)
    return found


def place(source: int, target: str, *, devices: bool = False) -> None:
    """Show an open file or folder at `target`."""
    path = f"/proc/self/fd/{source}"
    if stat.S_ISDIR(os.fstat(source).st_mode):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w"):
            pass
    kernel.bind(path, target, devices=devices)


def mount_own(folders: Sequence[str], scratch_mb: int) -> None:
    """One size-capped tmpfs behind all that can be written, and the fresh /proc of this process namespace."""
    quiet = kernel.MS_NOSUID | kernel.MS_NODEV
    covered = [path for path in shown(folders) if path.startswith(tuple(f"{own}/" for own in SCRATCH))]
    sources = {path: os.open(path, os.O_PATH) for path in covered}
    options = f"size={scratch_mb}m,nr_inodes={scratch_mb * 256},mode=755"
    kernel.mount("tmpfs", "/sandbox", "tmpfs", quiet, options)
    for path in (*SCRATCH[1:], SCRATCH[0]):
        inner = "/sandbox/" + path.strip("/").replace("/", "-")
        os.mkdir(inner)
        os.chmod(inner, 0o1777)  # noqa: S103 - one user lives here
        kernel.mount(inner, path, flags=kernel.MS_BIND)
    show_again(sources)
    try:
        kernel.mount("proc", "/proc", "proc", quiet | kernel.MS_NOEXEC)
    except OSError:
        # A container that masks /proc: none is better than the outer one.
        kernel.mount("tmpfs", "/proc", "tmpfs", quiet | kernel.MS_RDONLY, "size=4k,mode=555")


def show_again(sources: dict[str, int]) -> None:
    """Folders of the machine that lie where runs write, such as an environment in /tmp: each below a mount of its own,
    which is read-only like them, so that nothing of a run can stay there."""
    quiet = kernel.MS_NOSUID | kernel.MS_NODEV
    tops: dict[str, None] = {}
    for path, source in sources.items():
        own = next(own for own in SCRATCH if path.startswith(f"{own}/"))
        top = f"{own}/{path.removeprefix(f'{own}/').partition('/')[0]}"
        if top not in tops:
            os.mkdir(top)
            kernel.mount("tmpfs", top, "tmpfs", quiet, "size=64k,mode=755")
        tops[top] = None
        place(source, path)
        os.close(source)
    for top in tops:
        kernel.mount("none", top, flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | quiet)
