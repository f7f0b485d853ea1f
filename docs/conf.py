"""How the documentation is built: `sphinx-build -n -W --keep-going docs docs/_build/html`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent / "src")]

from pygments.lexers.data import JsonLexer  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

import palestra  # noqa: E402

project = "Palestra"
copyright = "the Palestra authors, Apache-2.0"  # noqa: A001
version = release = palestra.__version__

extensions = [
    "myst_parser",
    "sphinx_design",
    "sphinx.ext.autodoc",
    "sphinxext.rediraffe",
    "measured_results",
    "redirect_maps",
    "plain_text",
    "python_api",
]
exclude_patterns = ["_build", "_extensions", "generation", "examples"]
# sphinx-design wants a directive for the `+++` footer of a card; the short form is the one writers know.
suppress_warnings = ["design.card_legacy"]

myst_enable_extensions = ["colon_fence", "attrs_inline", "deflist"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = "Palestra"
html_static_path = ["_static"]
html_css_files = ["palestra.css"]
html_show_sphinx = False
html_copy_source = False

# Only our own names can be resolved without a network; a wrong one of them fails the build.
nitpick_ignore_regex = [("py:.*", r"(?!palestra\.).*"), ("py:class", r"palestra\.core\.\w+\.(Result|TaskType|Method)")]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

rediraffe_redirects = {
    # Names that readers of NeMo Gym's plans and pages look for.
    "reference/rollout-format-spec": "reference/rollout-format",
    "reference/configuration": "reference/configuration-options",
    "reference/cli-commands": "reference/cli",
    "training/reference/rollout-format-spec": "reference/rollout-format",
    "training/reference/configuration-options": "reference/configuration-options",
    "get-started/rollout-collection": "get-started/collecting-rollouts",
    "about/architecture": "concepts/architecture",
    "training/tutorials/offline-training-with-rollouts": "tutorials/offline-training-with-rollouts",
}


def setup(app: Sphinx) -> None:
    app.add_lexer("jsonl", JsonLexer)
