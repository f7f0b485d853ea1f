"""What a block of a program cost: wall time, and CPU time of this process and of the children it has waited for."""

import resource
import time


class Spent:
    """`with Spent() as spent: ...`, then `spent.wall_s` and `spent.cpu_s`."""

    def __enter__(self) -> "Spent":
        self.began = time.monotonic()
        self.cpu_began = cpu_s()
        return self

    def __exit__(self, *exception: object) -> None:
        self.wall_s = time.monotonic() - self.began
        self.cpu_s = cpu_s() - self.cpu_began

    def to_json(self) -> dict[str, float]:
        return {"wall_s": self.wall_s, "cpu_s": self.cpu_s}


def cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
