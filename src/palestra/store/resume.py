"""Reading back what a run has stored, so that it can go on exactly where it was."""

from dataclasses import dataclass, field

from palestra.core.errors import PalestraError
from palestra.rollout.plan import task_identity
from palestra.store.ledger import DONE, FAILED, INPUT_WRITTEN, RolloutLedger
from palestra.store.paths import RunPaths, writing
from palestra.store.repair import FileState, end_last_line, repair, whole_lines
from palestra.store.scan import Line, Record


@dataclass
class Resumed:
    """What the stored files hold."""

    rollouts: int = 0
    failures: int = 0
    fingerprints: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Fingerprints found, by environment."""
    problems: list[str] = field(default_factory=list[str])
    """What was set aside, and why."""


def resume(paths: RunPaths, ledger: RolloutLedger) -> Resumed:
    """Heal the files and fill the ledger from them. Memory does not grow with the number of their lines.

    Half-written last lines, and lines that are damaged or there twice, move to the quarantine file; a rollout whose
    line did is owed again.
    """
    resumed = Resumed()
    states = [
        read_rollouts(FileState(paths.rollouts), ledger, resumed),
        read_others(FileState(paths.failures), ledger, resumed, flag=FAILED),
        read_others(FileState(paths.inputs), ledger, resumed, flag=INPUT_WRITTEN),
    ]
    # Only now that all files are known to be a run's: what cannot be continued is left as it is.
    for state in states:
        with writing(state.path):
            repair(state, paths.quarantine)
            # The last whole line may lack its line end, and others are going to be written behind it.
            end_last_line(state.path)
        aside = f"set aside in {paths.quarantine.name}"
        resumed.problems.extend(f"{state.path.name} {finding}: {aside}" for finding in state.findings())
    return resumed


def read_rollouts(state: FileState, ledger: RolloutLedger, resumed: Resumed) -> FileState:
    for line, record in whole_lines(state):
        if not (record.is_own and record.is_rollout):
            message = f"{state.path.name} line {line.number} was not written by a palestra run"
            fix = "Name another --output, or start a new file with --fork."
            raise PalestraError("run-changed", f"{message}, so it cannot be continued", fix=fix)
        resumed.fingerprints.setdefault(record.environment, set()).add(record.fingerprint)
        resumed.rollouts += noted(line, record, state, ledger, flag=DONE)
    return state


def read_others(state: FileState, ledger: RolloutLedger, resumed: Resumed, *, flag: int) -> FileState:
    """The lines of the failures or of the materialized inputs; those of other producers say nothing of this run."""
    for line, record in whole_lines(state):
        if record.is_own:
            is_new = noted(line, record, state, ledger, flag=flag)
            resumed.failures += is_new and flag == FAILED
    return state


def noted(line: Line, record: Record, state: FileState, ledger: RolloutLedger, *, flag: int) -> bool:
    """Take a line into account; False if it repeats one that was."""
    assert record.task_index is not None
    assert record.rollout_index is not None
    identity = task_identity(record.environment, record.task_hash)
    if ledger.note_stored(identity, record.task_index, record.rollout_index, flag):
        return True
    state.repeats(line, record)
    return False
