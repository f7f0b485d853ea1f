"""The page on datasets lists every rule of the validator, and every key of a mapping."""

from palestra.data.adapters.mapping import Mapping
from palestra.data.validate.rules import RULES
from tests.docs.pages import DOCS

PAGE = DOCS / "how-to" / "manage-training-datasets.md"


def test_every_rule_and_key_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, rule in RULES.items():
        assert f"| `{name}` | {rule.severity} | {rule.meaning} |" in text
    assert all(f"`{name}`" in text for name in Mapping.model_fields)
