"""What a program has used of the processor."""

import resource


def cpu_s() -> float:
    """CPU seconds of this process, and of the children it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
