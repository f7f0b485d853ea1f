"""Environments are found by name, folder, module:Class and entry point, and nothing is imported to list them."""

import subprocess
import sys
from pathlib import Path

import pytest

from palestra import Environment, PalestraError, Task, Transcript
from palestra.core.discovery import every_environment, find, folder_of_package, folder_package, import_by_name

MANIFEST = """
name = "{name}"
summary = "A test."
domain = "other"
licence = "Apache-2.0"
reward = {{ kind = "binary" }}
{more}
"""

CODE = """
from palestra import Environment, Task, Transcript
from . import neighbour
from .neighbour import WORD

class Mine(Environment[Task]):
    def prompt(self):
        return neighbour.WORD
    def verify(self, transcript):
        return 1.0
"""


def write(folder: Path, *, name: str = "mine", word: str = "word", code: str = CODE, more: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "environment.toml").write_text(MANIFEST.format(name=name, more=more))
    (folder / "env.py").write_text(code)
    (folder / "neighbour.py").write_text(f"WORD = {word!r}\n")
    return folder


def prompt_of(environment: type[Environment[Task]]) -> object:
    return environment(Task(), None, None).prompt()  # type: ignore[arg-type]


def refused(spec: str) -> PalestraError:
    with pytest.raises(PalestraError) as caught:
        find(spec).load()
    return caught.value


class Inline(Environment[Task]):
    def prompt(self) -> str:
        return "inline"

    def verify(self, transcript: Transcript) -> float:
        return 1.0


class TestByName:
    def test_a_packaged_environment_is_found(self) -> None:
        source = find("mcqa")
        assert (source.name, source.folder.name) == ("mcqa", "mcqa")
        assert issubclass(source.load(), Environment)

    def test_an_unknown_name_suggests_the_nearest(self) -> None:
        error = refused("mqca")
        assert (error.code, error.message) == (
            "unknown-environment",
            "no environment is named 'mqca'. Did you mean 'mcqa'?",
        )

    def test_listing_imports_no_environment(self) -> None:
        code = (
            "import sys; from palestra.core.discovery import every_environment; n = len(list(every_environment()));"
            "print(n, *[name for name in sys.modules if name.startswith('palestra.environments.')])"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        count, *imported = found.stdout.split()
        assert int(count) > 0
        assert not imported


class TestByFolder:
    def test_a_folder_with_spaces_and_unicode_is_imported_with_its_neighbours(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "mit Leerzeichen" / "Größe 量.x", word="here")
        source = find(str(folder))
        assert (source.name, source.spec) == ("mine", str(folder))
        assert prompt_of(source.load()) == "here"

    def test_two_folders_of_the_same_name_do_not_mix(self, tmp_path: Path) -> None:
        one, other = (write(tmp_path / place / "mine", word=place) for place in ("one", "other"))
        assert prompt_of(find(str(one)).load()) == "one"
        assert prompt_of(find(str(other)).load()) == "other"

    def test_a_relative_path_becomes_a_spec_that_any_process_can_load(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path / "mine")
        monkeypatch.chdir(tmp_path)
        assert find("mine").spec == find("./mine").spec == str(tmp_path / "mine")
        monkeypatch.chdir(tmp_path / "mine")
        assert find(".").spec == str(tmp_path / "mine")

    def test_the_package_name_holds_the_folder(self, tmp_path: Path) -> None:
        for folder in (tmp_path, Path("/a b/ü/日本"), Path("/\udcff")):
            name = folder_package(folder)
            assert name.isidentifier()
            assert folder_of_package(name) == folder

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        assert refused(str(tmp_path / "none")).message == f"no folder {str(tmp_path / 'none')!r}"

    def test_what_is_wrong_with_a_manifest_is_named(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "mine", more="agnet = 1")
        error = refused(str(folder))
        assert error.code == "invalid-environment"
        assert f"{folder}/environment.toml: agnet: Extra inputs" in error.message
        (folder / "environment.toml").write_text("= broken")
        assert "is not TOML" in refused(str(folder)).message
        (folder / "environment.toml").unlink()
        assert "cannot be read" in refused(str(folder)).message

    def test_a_folder_without_env_py_is_refused(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "mine")
        (folder / "env.py").unlink()
        assert refused(str(folder)).message == f"{folder} has no env.py"

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("x = ", "env.py raised SyntaxError: invalid syntax"),
            ("1 / 0", "env.py raised ZeroDivisionError: division by zero"),
            ("import sys; sys.exit(3)", "env.py raised SystemExit: 3"),
            ("from . import nothing", "env.py raised ImportError"),
            ("from .nothing import x", "env.py imports 'nothing', which is not there"),
            ("x = 1", "must hold one Environment class, found []"),
            (CODE + CODE.replace("Mine", "Other"), "found ['Mine', 'Other']"),
        ],
    )
    def test_what_is_wrong_with_the_code_is_said_with_the_file(self, tmp_path: Path, code: str, expected: str) -> None:
        folder = write(tmp_path / "mine", code=code)
        error = refused(str(folder))
        assert error.code == "invalid-environment"
        assert expected in error.message
        assert str(folder) in error.message
        assert "palestra_environment_" not in error.message

    @pytest.mark.parametrize("package", ["no_such_package_xyz", "palestra_no_such_thing", "p"])
    def test_a_missing_package_is_named(self, tmp_path: Path, package: str) -> None:
        folder = write(tmp_path / "mine", code=f"import {package}")
        error = refused(str(folder))
        assert error.code == "missing-package"
        assert f"{folder}/env.py needs the package {package!r}" in error.message


class TestByModule:
    def test_a_class_is_found_and_given_a_manifest(self) -> None:
        source = find(f"{__name__}:Inline")
        assert (source.name, source.spec) == ("inline", f"{__name__}:Inline")
        assert source.load() is Inline
        assert source.folder == Path(__file__).parent

    def test_a_class_beside_a_manifest_uses_it(self) -> None:
        assert find("palestra.environments.mcqa.env:MultipleChoice").manifest == find("mcqa").manifest

    def test_a_wrong_class_suggests_the_nearest(self) -> None:
        assert refused(f"{__name__}:Inlin").message.endswith("has no 'Inlin'. Did you mean 'Inline'?")

    def test_what_is_no_environment_is_refused(self) -> None:
        assert "must hold one Environment class, found ['Path']" in refused(f"{__name__}:Path").message

    def test_a_missing_module_is_named(self) -> None:
        error = refused("no.such.module:Thing")
        assert (error.code, error.message) == ("unknown-environment", "no module 'no.such.module'")

    def test_a_missing_dependency_is_not_mistaken_for_a_missing_module(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "abcx_environment.py").write_text("import abcx\n")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(PalestraError) as caught:
            import_by_name("abcx_environment")
        assert caught.value.code == "missing-package"
        assert "needs the package 'abcx'" in caught.value.message


class TestInstalled:
    @pytest.fixture
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.syspath_prepend(tmp_path)
        return tmp_path

    def install(self, site: Path, name: str, module: str) -> None:
        information = site / f"{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[palestra.environments]\n{name} = {module}\n")

    def test_an_installed_environment_and_its_variants_are_found_by_name(self, site: Path) -> None:
        folder = write(
            site / "installed_pkg_a",
            name="installed_a",
            code="import palestra\n" + CODE + "    class Options(palestra.Options):\n        level: int = 1\n",
            more='[variants.installed_a_hard]\nsummary = "Hard."\noptions = { level = 3 }',
        )
        (folder / "__init__.py").touch()
        self.install(site, "dist_a", "installed_pkg_a.env:Mine")
        names = [source.name for source in every_environment()]
        assert names[-2:] == ["installed_a", "installed_a_hard"]
        assert "installed_pkg_a.env" not in sys.modules
        hard = find("installed_a_hard")
        assert hard.manifest.summary == "Hard."
        assert hard.options({}).model_dump() == {"level": 3}
        assert hard.options({"level": 5}).model_dump() == {"level": 5}
        assert prompt_of(hard.load()) == "word"
        assert find("installed_a").options({}).model_dump() == {"level": 1}

    def test_a_broken_installed_package_does_not_hide_our_own(self, site: Path) -> None:
        self.install(site, "dist_b", "no_such_package_b.env:Mine")
        assert find("mcqa").name == "mcqa"
        error = refused("something_else")
        assert error.code == "invalid-environment"
        assert "entry point 'dist_b'" in error.message

    def test_an_installed_package_cannot_replace_one_of_ours(self, site: Path) -> None:
        (write(site / "installed_pkg_c", name="mcqa") / "__init__.py").touch()
        self.install(site, "dist_c", "installed_pkg_c.env:Mine")
        assert find("mcqa").folder.parent.name == "environments"


class TestOptions:
    def test_an_unknown_option_suggests_the_nearest_and_lists_all(self) -> None:
        source = find("example_single_tool_call")
        with pytest.raises(PalestraError) as caught:
            source.options({"require_cal": True})
        assert caught.value.code == "unknown-option"
        assert "Did you mean 'require_call'? It has: require_call." in caught.value.message

    def test_a_wrong_value_is_named(self) -> None:
        with pytest.raises(PalestraError) as caught:
            find("example_single_tool_call").options({"require_call": "perhaps"})
        assert caught.value.code == "invalid-option"
        assert "require_call: Input should be a valid boolean" in caught.value.message
        assert "'perhaps'" in caught.value.message
