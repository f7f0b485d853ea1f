"""Landlock: what of the file system, of TCP and of other processes this process and its children can reach."""

import ctypes
import os
import struct
from collections.abc import Sequence

from . import kernel, namespaces

READ = 1 | 4 | 8
"""Execute, read files, list folders."""
DEVICE = 2 | 4 | 1 << 15
LEAST_ABI = 6
"""From here on signals and abstract sockets are kept in, too."""


def abi() -> int:
    """The version that the kernel offers; 0 for none."""
    if not kernel.LANDLOCK_CREATE:
        return 0
    try:
        return kernel.system_call(
            kernel.LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1), what="landlock version"
        )
    except OSError:
        return 0


def ruleset(writable: Sequence[str], readable: Sequence[str]) -> int:
    """A descriptor of rules, for `restrict`; -1 where the kernel has no Landlock."""
    version = abi()
    if not version:
        return -1
    files = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    network = 3 if version >= 4 else 0
    scoped = 3 if version >= LEAST_ABI else 0
    told = struct.pack("=QQQ", files, network, scoped)
    size = 24 if version >= LEAST_ABI else 16 if version >= 4 else 8
    rules = kernel.system_call(
        kernel.LANDLOCK_CREATE, told[:size], ctypes.c_size_t(size), ctypes.c_uint(0), what="landlock ruleset"
    )
    for paths, access in ((writable, files), (readable, READ), (("/dev",), DEVICE | READ)):
        for path in paths:
            allow(rules, path, access & files)
    return rules


def allow(rules: int, path: str, access: int) -> None:
    try:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        access &= 1 | 2 | 4 | 1 << 14 | 1 << 15
    told = struct.pack("=Qi", access, folder)
    kernel.system_call(
        kernel.LANDLOCK_ADD, ctypes.c_int(rules), ctypes.c_int(1), told, ctypes.c_uint(0), what=f"landlock {path}"
    )
    os.close(folder)


def restrict(rules: int) -> None:
    kernel.system_call(kernel.LANDLOCK_RESTRICT, ctypes.c_int(rules), ctypes.c_uint(0), what="landlock restrict")


def system_folders() -> list[str]:
    return [path for path in namespaces.SYSTEM if os.path.exists(path)]
