"""Models by role, as commands name them."""

from palestra.collection.config import ModelChoice
from palestra.collection.models import read_roles


def test_a_role_has_its_own_key_time_limit_and_tries() -> None:
    settings = ["judge.api_key_env=JUDGE_KEY", "judge.call_timeout_s=60", "judge.max_tries=2", "judge.api=chat"]
    roles = read_roles(["judge=gpt-4.1-mini@http://127.0.0.1:9/v1", "judge_2=embedded"], settings)
    assert roles == {
        "judge": ModelChoice(
            spec="openai:gpt-4.1-mini",
            base_url="http://127.0.0.1:9/v1",
            api_key_env="JUDGE_KEY",
            call_timeout_s=60.0,
            max_tries=2,
            api="chat",
        ),
        "judge_2": ModelChoice(spec="embedded"),
    }
