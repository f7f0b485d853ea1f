"""The limits of one run: what a process sets for itself before it touches untrusted code."""

import resource

MIB = 1 << 20


class RunLimits:
    """As asked for by Palestra; CPU time and memory are also watched from outside."""

    def __init__(self, told: dict[str, float]) -> None:
        self.cpu_s = float(told["cpu_s"])
        self.wall_s = float(told["wall_s"])
        self.memory_bytes = int(told["memory_mb"]) * MIB
        self.processes = int(told["processes"])
        self.file_size_bytes = int(told["file_size_mb"]) * MIB
        self.open_files = int(told["open_files"])
        self.output_bytes = int(told["output_bytes"])


def base_address_space() -> int:
    """Bytes of addresses that this process has before any run."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 64 * MIB


def settings(limits: RunLimits, base_bytes: int, processes: int) -> list[tuple[int, tuple[int, int]]]:
    """Hard limits equal to soft ones; `processes` is the number at which no further one starts, negative for none."""
    values = {
        "RLIMIT_CPU": int(limits.cpu_s) + 2,
        "RLIMIT_AS": limits.memory_bytes + base_bytes,
        "RLIMIT_NPROC": processes,
        "RLIMIT_FSIZE": limits.file_size_bytes,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
    }
    found = [(getattr(resource, name, None), value) for name, value in values.items() if value >= 0]
    return [(number, (value, value)) for number, value in found if number is not None]


def apply(rows: list[tuple[int, tuple[int, int]]]) -> None:
    for number, pair in rows:
        resource.setrlimit(number, pair)
