"""What `record_derivation` leaves: one record beside the output, one in the registry, and the same when repeated."""

import json
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.core.errors import PalestraError
from palestra.data.content import content_of_path
from palestra.data.lineage import read_sidecar, record_derivation, sidecar_of
from palestra.data.registry import Registry, Version


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def version(name: str, sha256: str) -> Version:
    return Version(name, 0, sha256, "/x", 1, 1, {"licence": "MIT"}, 0.0)


def test_a_derivation_is_beside_the_output_and_in_the_registry(tmp_path: Path) -> None:
    source, output = written(tmp_path / "in" / "a.jsonl", "{}\n\n{}"), written(tmp_path / "out" / "b.jsonl", "{}\n")
    (tmp_path / ".palestra").mkdir()
    record = record_derivation(output, [source], "curate", {"rules": ["reward > 0"]})
    stored = json.loads(sidecar_of(output).read_text())
    assert stored["inputs"][0]["path"] == "../in/a.jsonl"
    assert stored["inputs"][0]["rows"] == 2
    assert stored["output"] == {"path": "b.jsonl", "rows": 1, "size_bytes": 3, "sha256": content_of_path(output).sha256}
    assert read_sidecar(sidecar_of(output)) == record
    registry = Registry(tmp_path / ".palestra" / "registry.sqlite3")
    assert list(registry.made(content_of_path(output).sha256)) == [record]
    assert list(registry.used(content_of_path(source).sha256, "")) == [record]
    assert list(registry.used("", str(source.resolve()))) == [record]


def test_the_same_derivation_again_changes_nothing(tmp_path: Path) -> None:
    source, output = written(tmp_path / "a.jsonl", "{}\n"), written(tmp_path / "b.jsonl", "{}\n{}\n")
    registry = Registry(tmp_path / "r.sqlite3")
    first = record_derivation(output, [source], "split", {"seed": 1}, registry=registry)
    before = sidecar_of(output).read_bytes()
    assert record_derivation(output, [source], "split", {"seed": 1}, registry=registry) == first
    assert sidecar_of(output).read_bytes() == before
    assert len(list(registry.made(first["output"]["sha256"]))) == 1
    other = record_derivation(output, [source], "split", {"seed": 2}, registry=registry)
    assert other["id"] != first["id"]
    assert len(list(registry.made(first["output"]["sha256"]))) == 2


def test_a_folder_is_its_files_without_what_is_written_about_them(tmp_path: Path) -> None:
    folder = tmp_path / "sft"
    written(folder / "train.jsonl", "{}\n")
    written(folder / "deep" / "validation.jsonl", "{}\n{}\n")
    before = content_of_path(folder)
    record_derivation(folder / "train.jsonl", [], "export", {}, registry=Registry(tmp_path / "r"))
    assert content_of_path(folder) == before
    assert before.rows == 3
    (folder / "train.jsonl").rename(folder / "other.jsonl")
    assert content_of_path(folder).sha256 != before.sha256


def test_registering_a_content_again_is_a_no_op_and_another_content_another_number(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "r.sqlite3")
    first = registry.register(version("math", "a"))
    assert (first.number, registry.register(version("math", "b")).number) == (1, 2)
    assert registry.register(version("math", "a")) == first
    assert registry.register(version("other", "a")).label == "other@1"
    assert [each.label for each in registry.versions()] == ["math@1", "math@2", "other@1"]
    assert [each.label for each in registry.versions(sha256="a")] == ["math@1", "other@1"]


@given(st.lists(st.sampled_from("abcde"), max_size=12))
@settings(max_examples=20)
def test_numbers_follow_the_order_of_first_registration(contents: list[str]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        registry = Registry(Path(folder) / "r.sqlite3")
        for sha256 in contents:
            registry.register(version("d", sha256))
        assert [each.sha256 for each in registry.versions(name="d")] == list(dict.fromkeys(contents))


def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite3"
    threads = [
        threading.Thread(target=lambda n=number: [Registry(path).register(version("d", f"{n}-{i}")) for i in range(5)])
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(each.number for each in Registry(path).versions(name="d")) == list(range(1, 31))
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_registry_that_is_no_database_is_told_and_the_record_stays(tmp_path: Path) -> None:
    output, registry = written(tmp_path / "b.jsonl", "{}\n"), written(tmp_path / "r.sqlite3", "no database " * 100)
    with pytest.raises(PalestraError, match=r"r\.sqlite3 cannot be used"):
        record_derivation(output, [], "curate", {}, registry=Registry(registry))
    assert sidecar_of(output).exists()


def test_a_damaged_record_is_told_with_its_name(tmp_path: Path) -> None:
    output = written(tmp_path / "b.jsonl", "{}\n")
    sidecar_of(output).write_text('{"output": {}}')
    with pytest.raises(PalestraError, match=r"b\.jsonl\.lineage\.json is damaged"):
        record_derivation(output, [], "curate", {}, registry=Registry(tmp_path / "r"))


def test_the_registry_is_the_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    monkeypatch.delenv("PALESTRA_REGISTRY", raising=False)
    monkeypatch.chdir(project)
    assert Registry.near(project / "data" / "x.jsonl").path == project / ".palestra" / "registry.sqlite3"
    assert Registry.near(tmp_path / "x.jsonl").path == tmp_path / ".palestra" / "registry.sqlite3"
    (project / "data" / ".palestra").mkdir()
    assert Registry.near(Path("data/x.jsonl")).path == project / "data" / ".palestra" / "registry.sqlite3"
    monkeypatch.setenv("PALESTRA_REGISTRY", str(tmp_path / "own"))
    assert Registry.near(project / "x").path == tmp_path / "own"
