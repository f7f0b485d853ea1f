"""NeMo Gym's dataset commands: real clients against servers of the same APIs."""

import io
from collections.abc import Generator
from pathlib import Path

import pytest

from palestra.cli.gym.main import main
from tests.dataset_hubs import Files, gitlab_app, hub_app, serving_hub

pytest.importorskip("huggingface_hub")
ROW = b'{"responses_create_params": {"input": "2 + 2?"}, "answer": "4"}\n'
CONFIG = "resources_servers/math_with_judge/configs/math_with_judge.yaml"
UPLOAD = (
    "+hf_organization=org",
    "+hf_collection_name=My  Sums",
    "+hf_collection_slug=6838",
    f"+resource_config_path={CONFIG}",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HF_TOKEN", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "train.jsonl").write_bytes(ROW)
    return tmp_path


@pytest.fixture
def hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Files]:
    files = Files()
    with serving_hub(hub_app(files)) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        # The token comes from the configuration here, as NeMo Gym has it.
        (folder / "env.yaml").write_text(f"hf_token: {files.token}\n")
        yield files


@pytest.fixture
def gitlab(folder: Path) -> Generator[Files]:
    files = Files()
    with serving_hub(gitlab_app(files)) as url:
        address = f"{url}/api/v4/projects/7/ml/mlflow"
        (folder / "env.yaml").write_text(f"mlflow_tracking_uri: {address}\nmlflow_tracking_token: {files.token}\n")
        yield files


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_dataset_goes_to_the_hub_and_into_its_collection_and_comes_back(hub: Files, folder: Path) -> None:
    assert main("ng_upload_dataset_to_hf", [*UPLOAD, "+input_jsonl_fpath=train.jsonl"]) == 0
    assert hub.contents == {"train.jsonl": ROW}
    repository = "org/Nemotron-RL-math-math_with_judge"
    assert hub.collected == [("org/my-sums-6838", repository)]
    words = [f"+repo_id={repository}", "+artifact_fpath=train.jsonl", "+output_fpath=back/train.jsonl"]
    assert main("ng_download_dataset_from_hf", words) == 0
    assert (folder / "back/train.jsonl").read_bytes() == ROW
    assert main("ng_download_dataset_from_hf", [words[0], "+output_dirpath=splits"]) == 0
    assert (folder / "splits/train.jsonl").read_text().count("\n") == 1


def test_rows_for_training_need_their_parameters(hub: Files, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "plain.jsonl").write_text('{"question": "2 + 2?"}\n')
    assert main("ng_upload_dataset_to_hf", [*UPLOAD, "+input_jsonl_fpath=plain.jsonl"]) == 2
    assert "responses_create_params" in capsys.readouterr().err
    assert hub.contents == {}


@pytest.mark.parametrize(
    "words",
    [
        ["+output_fpath=a", "+output_dirpath=b"],
        ["+output_fpath=a"],
        ["+output_fpath=a", "+split=train", "+artifact_fpath=train.jsonl"],
        ["+output_fpath=a", "+split=holdout"],
    ],
)
def test_downloads_that_contradict_themselves_are_refused(words: list[str]) -> None:
    assert main("ng_download_dataset_from_hf", ["+repo_id=org/sums", *words]) == 2


def test_a_dataset_goes_to_gitlab_comes_back_and_is_deleted_with_consent_only(
    gitlab: Files, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["+dataset_name=sums", "+version=0.0.1"]
    assert main("ng_upload_dataset_to_gitlab", [*words, "+input_jsonl_fpath=train.jsonl"]) == 0
    fetch = [*words, "+artifact_fpath=train.jsonl", "+output_fpath=back.jsonl"]
    assert main("ng_download_dataset_from_gitlab", fetch) == 0
    assert (folder / "back.jsonl").read_bytes() == ROW
    for answer in ("", "n\n", "perhaps\n"):
        answering(monkeypatch, answer)
        assert main("ng_delete_dataset_from_gitlab", words[:1]) == 1
    assert not gitlab.seen("DELETE", "delete")
    answering(monkeypatch, "y\n")
    assert main("ng_delete_dataset_from_gitlab", words[:1]) == 0
    assert main("ng_download_dataset_from_gitlab", fetch) == 2
    assert gitlab.token not in "".join(capsys.readouterr())


def test_a_version_is_three_numbers(gitlab: Files) -> None:
    words = ["+dataset_name=sums", "+version=1.0", "+input_jsonl_fpath=train.jsonl"]
    assert main("ng_upload_dataset_to_gitlab", words) == 2
    assert gitlab.requests == []


def test_moving_to_the_hub_asks_before_it_deletes(
    hub: Files, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = ["+mlflow_tracking_uri=http://127.0.0.1:9/mlflow", "+mlflow_tracking_token=a-long-secret"]
    words = [*UPLOAD, *registry, "+input_jsonl_fpath=train.jsonl", "+dataset_name=sums"]
    answering(monkeypatch, "n\n")
    assert main("ng_gitlab_to_hf_dataset", words) == 0
    assert "sums was left as it is" in capsys.readouterr().out
    assert hub.collected == [("org/my-sums-6838", "org/Nemotron-RL-math-sums")]
    assert main("ng_gitlab_to_hf_dataset", [*words, "+delete_from_gitlab=true"]) == 2
    assert "delete_from_gitlab" in capsys.readouterr().err
