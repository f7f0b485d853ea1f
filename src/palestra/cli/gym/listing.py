"""`gym list KIND` and `gym search TEXT`: what there is for NeMo Gym's configurations."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from palestra.cli.output import print_json, print_table
from palestra.compat.shipped import AGENT_PATH, Shipped, models
from palestra.core.errors import PalestraError, suggestion

KINDS = ("resources-servers", "environments", "agents", "models", "benchmarks")
WORDS = ("list", "search")
SUMMARIES = MappingProxyType(
    {
        "openai_model": "An endpoint of OpenAI's API.",
        "azure_openai_model": "A deployment of Azure's.",
        "vllm_model": "A vLLM endpoint by Chat Completions.",
        "vllm_model_for_training": "The same, with token ids and log-probabilities.",
    }
)
"""Of the model configurations, by file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be named in `config_paths`."""

    kind: str
    name: str
    config: str
    summary: str


def run_listing(words: Sequence[str]) -> int:
    """`list KIND [TEXT]` or `search TEXT`. Raises PalestraError with the nearest kind."""
    plain = [word for word in words if word != "--json"]
    if plain[0] == "search":
        kinds, text = KINDS, plain[1:]
    else:
        kinds, text = (kind_of(plain),), plain[2:]
    if len(text) > 1 or any(word.startswith("-") for word in text) or (plain[0] == "search" and not text):
        raise PalestraError(
            "usage", f"{' '.join(plain)!r} is none of `list KIND [TEXT]` and `search TEXT`, each --json"
        )
    found = [each for each in entries() if each.kind in kinds and all(is_about(each, word) for word in text)]
    if "--json" in words:
        print_json([asdict(each) for each in found])
    else:
        print_table(("kind", "name", "config_paths", "summary"), [tuple(asdict(each).values()) for each in found])
    return 0


def kind_of(words: Sequence[str]) -> str:
    kind = "".join(words[1:2])
    if kind not in KINDS:
        message = f"list what? {kind!r} is none of {', '.join(KINDS)}.{suggestion(kind, KINDS)}"
        raise PalestraError("usage", message)
    return kind


def is_about(entry: Entry, text: str) -> bool:
    return text.lower() in f"{entry.name} {entry.summary}".lower()


def entries() -> Iterator[Entry]:
    """Everything, by kind. A benchmark of NeMo Gym's is an environment with tasks of its own: there is none besides."""
    for name, source in sorted(Shipped().sources.items()):
        path = f"resources_servers/{name}/configs/{name}.yaml"
        yield Entry("resources-servers", name, path, source.manifest.summary)
        yield Entry("environments", name, f"environments/{name}/config.yaml", source.manifest.summary)
    yield Entry("agents", "simple_agent", AGENT_PATH, "Model and tools in turn, until the model calls none.")
    for path in models():
        yield Entry("models", f"{Path(path).parts[1]}/{Path(path).stem}", path, SUMMARIES[Path(path).stem])
