"""The Hugging Face hub and GitLab's model registry: real clients against a server of the same API."""

import hashlib
import json
from collections.abc import Generator
from pathlib import Path

import pytest

from palestra.cli.main import main
from palestra.data.sources.gitlab import GitlabRegistry, Place
from palestra.data.sources.huggingface import Hub, files_of_split, split_of
from tests.dataset_hubs import COMMIT, Files, gitlab_app, hub_app, serving_hub

pytest.importorskip("huggingface_hub")
ROW = b'{"responses_create_params": {"input": "2 + 2?"}, "answer": "4"}\n'
ROWS = b"".join(b'{"responses_create_params": {"input": "%d %s"}}\n' % (n, b"why? " * 1000) for n in range(400))


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    found = Files()
    monkeypatch.setenv("HF_TOKEN", found.token)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", found.token)
    return found


@pytest.fixture
def hub(files: Files, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    with serving_hub(hub_app(files)) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.setattr("palestra.data.sources.huggingface.FIRST_PAUSE_S", 0.01)
        yield url


@pytest.fixture
def gitlab(files: Files, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    with serving_hub(gitlab_app(files)) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{url}/api/v4/projects/7/ml/mlflow")
        monkeypatch.setattr("palestra.data.sources.gitlab.FIRST_PAUSE_S", 0.01)
        yield url


def download(output: Path, *words: str) -> int:
    return main(["data", "download", *words, "--output", str(output), "--json"])


@pytest.mark.parametrize("large", [False, True])
def test_a_file_goes_to_the_hub_and_comes_back(
    hub: str, files: Files, tmp_path: Path, large: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "mine.jsonl", tmp_path / "new" / "back.jsonl"
    source.write_bytes(ROW)
    assert main(["data", "upload", str(source), "--repo-id", "org/sums", "--json"]) == 0
    assert COMMIT in json.loads(capsys.readouterr().out)["address"]
    assert files.contents == {"train.jsonl": ROW}
    # The hub keeps large files apart, and gives their SHA-256 instead of the hash of git.
    files.large = large
    assert download(output, "--repo-id", "org/sums", "--artifact", "train.jsonl") == 0
    (told,) = json.loads(capsys.readouterr().out)["files"]
    assert told["sha256"] == hashlib.sha256(ROW).hexdigest()
    assert (told["revision"], output.read_bytes()) == (COMMIT, ROW)
    assert {path.name for path in output.parent.iterdir()} >= {"back.jsonl", "back.jsonl.lineage.json"}
    assert not list(output.parent.glob("*download*"))
    assert download(output, "--repo-id", "org/sums", "--artifact", "train.jsonl") == 2


def test_a_broken_download_goes_on_where_it_stopped(hub: str, files: Files, tmp_path: Path) -> None:
    files.contents["train.jsonl"], files.breaks_after = ROWS, 700_000
    output = tmp_path / "train.jsonl"
    words = ("--repo-id", "org/sums", "--artifact", "train.jsonl")
    assert download(output, *words) == 2
    assert not output.exists()
    files.is_down = False
    files.requests.clear()
    assert download(output, *words) == 0
    assert output.read_bytes() == ROWS
    (headers,) = files.seen("GET", "/resolve/")
    assert int(headers["range"].removeprefix("bytes=").partition("-")[0]) > 0


def test_a_content_that_is_not_what_the_hub_says_is_refused(
    hub: str, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.contents["train.jsonl"], files.lies = ROW, True
    assert download(tmp_path / "x.jsonl", "--repo-id", "org/sums", "--artifact", "train.jsonl") == 2
    assert "does not have the hash" in capsys.readouterr().err
    assert not (tmp_path / "x.jsonl").exists()


def test_splits_are_the_files_that_are_named_after_them(hub: str, files: Files, tmp_path: Path) -> None:
    files.contents = {
        "data/train-00001.csv": b"q,a\n2,b\n", "data/train-00000.csv": b"q,a\n1,a\n", "test.jsonl": ROW,
        "README.md": b"train", "dev.txt": b"",
    }  # fmt: skip
    assert main(["data", "download", "--repo-id", "org/sums", "--output-dir", str(tmp_path)]) == 0
    assert (tmp_path / "train.jsonl").read_text() == '{"q":"1","a":"a"}\n{"q":"2","a":"b"}\n'
    assert json.loads((tmp_path / "test.jsonl").read_text()) == json.loads(ROW)
    assert not (tmp_path / "validation.jsonl").exists()
    assert download(tmp_path / "v.jsonl", "--repo-id", "org/sums", "--split", "validation") == 2


@pytest.mark.parametrize(
    ("name", "split"),
    [("train.jsonl", "train"), ("data/validation-0.parquet", "validation"), ("my_dev.csv", "validation"),
     ("strained.jsonl", None), ("latest.jsonl", None), ("eval/x.jsonl", "test")],
)  # fmt: skip
def test_names_of_splits(name: str, split: str | None) -> None:
    assert split_of(name) == split
    assert files_of_split([name], "train") == ([name] if split == "train" else [])


def test_a_wrong_row_is_not_uploaded(
    hub: str, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "mine.jsonl"
    source.write_text('{"question": "2 + 2?"}\n')
    assert main(["data", "upload", str(source), "--repo-id", "org/sums"]) == 2
    assert "rows for training need responses_create_params" in capsys.readouterr().err
    assert not files.requests
    assert main(["data", "upload", str(source), "--repo-id", "org/sums", "--split", "test"]) == 0


def test_the_token_is_never_told(
    hub: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_and_secret")
    assert download(tmp_path / "x.jsonl", "--repo-id", "org/sums", "--artifact", "train.jsonl") == 2
    told = capsys.readouterr()
    assert "401" in told.err
    assert "hf_wrong_and_secret" not in told.err + told.out


def test_a_version_goes_to_gitlab_and_comes_back(
    gitlab: str, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "train.jsonl", tmp_path / "back.jsonl"
    source.write_bytes(ROWS)
    upload = ["data", "upload", str(source), "--name", "sums", "--version"]
    assert main([*upload, "1.0.0"]) == 0
    assert main([*upload, "1.0.1"]) == 0
    assert main([*upload, "1.0.0"]) == 2
    assert "version is taken" in capsys.readouterr().err
    assert main([*upload, "latest"]) == 2
    words = ("--name", "sums", "--version", "1.0.0", "--artifact", "train.jsonl")
    capsys.readouterr()
    assert download(output, *words) == 0
    assert output.read_bytes() == ROWS
    (told,) = json.loads(capsys.readouterr().out)["files"]
    assert (told["checksum"], told["sha256"]) == ("sha256", hashlib.sha256(ROWS).hexdigest())
    assert download(tmp_path / "x", "--name", "sums", "--version", "9.0.0", "--artifact", "train.jsonl") == 2
    assert "no such version" in capsys.readouterr().err


def test_a_broken_line_to_gitlab_is_mended_within_one_command_or_the_next(
    gitlab: str, files: Files, tmp_path: Path
) -> None:
    source, output = tmp_path / "train.jsonl", tmp_path / "back.jsonl"
    source.write_bytes(ROWS)
    place = Place("sums", "1.0.0", "train.jsonl")
    with GitlabRegistry(pause_s=0.01) as registry:
        registry.upload(source, place)
    words = ("--name", "sums", "--version", "1.0.0", "--artifact", "train.jsonl")
    files.breaks_after = 500_000
    assert download(output, *words) == 2
    received = output.with_name("back.jsonl.download").stat().st_size
    assert 0 < received < len(ROWS)
    files.is_down = False
    files.requests.clear()
    assert download(output, *words) == 0
    assert output.read_bytes() == ROWS
    assert [headers["range"] for headers in files.seen("GET", "files/train.jsonl") if "range" in headers] == [
        f"bytes={received}-"
    ]


def test_a_wrong_checksum_of_gitlab_is_refused(
    gitlab: str, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "train.jsonl", tmp_path / "back.jsonl"
    source.write_bytes(ROW)
    assert main(["data", "upload", str(source), "--name", "sums", "--version", "1.0.0"]) == 0
    files.contents["sums-1.0.0/train.jsonl"] = ROW.upper()
    words = ("--name", "sums", "--version", "1.0.0", "--artifact", "train.jsonl")
    assert download(output, *words) == 2
    assert "has the SHA-256" in capsys.readouterr().err
    assert not output.exists()
    assert not output.with_name("back.jsonl.download").exists()
    del files.contents["sums-1.0.0/train.jsonl.sha256"]
    assert download(output, *words) == 0


def test_the_token_goes_to_the_registrys_own_origin_only(files: Files) -> None:
    with GitlabRegistry("https://gitlab.example/api") as registry:
        assert registry.headers("https://gitlab.example/files/x")
        assert not registry.headers("https://elsewhere.example/files/x")
        assert not registry.headers("http://gitlab.example/files/x")


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"])
def test_what_is_not_set_is_told(
    files: Files, tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9/x")
    monkeypatch.delenv(variable)
    words = ("--name", "sums", "--version", "1.0.0", "--artifact", "train.jsonl")
    assert download(tmp_path / "x", *words) == 2
    assert variable in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--repo-id", "a/b", "--name", "c"),
        ("--repo-id", "a/b"),
        ("--repo-id", "a/b", "--split", "train", "--artifact", "x"),
        ("--name", "a", "--version", "1.0.0"),
        ("--repo-id", "a/b", "--artifact", "x", "--output-dir", "d"),
    ],
)
def test_options_that_exclude_or_need_each_other(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert download(tmp_path / "x", *words) == 2


def test_prepare_downloads_what_is_missing(hub: str, files: Files, tmp_path: Path) -> None:
    files.contents["few.jsonl"] = ROW
    config = tmp_path / "datasets.toml"
    config.write_text(
        f'[[datasets]]\nagent = "a"\nname = "few"\ntype = "example"\njsonl_fpath = "{tmp_path}/raw/few.jsonl"\n'
        'huggingface_identifier = { repo_id = "org/sums", artifact_fpath = "few.jsonl" }\n'
    )
    words = ["data", "prepare", str(config), "--mode", "example_validation", "--output", str(tmp_path / "out")]
    assert main(words) == 2
    assert main([*words, "--download"]) == 0
    assert len((tmp_path / "out" / "example.jsonl").read_text().splitlines()) == 1
    assert Hub().splits("org/sums") == []
