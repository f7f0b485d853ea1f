"""Finding environments: in this package, in a folder, by module:Class, and in installed packages."""

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from palestra.core.environment import Environment
from palestra.core.errors import PalestraError, describe, suggestion
from palestra.core.extras import require
from palestra.core.manifest import Manifest, Reward, read_manifest
from palestra.core.tools import validation_text

ENTRY_POINT_GROUP = "palestra.environments"
PACKAGED = Path(__file__).parent.parent / "environments"
FOLDER_PACKAGE = "palestra_environment_"
"""Prefix of the package name under which a folder outside any package is imported."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an environment is, and how to load it here or in another process."""

    spec: str
    """Loads the same environment in any process: a name, an absolute folder, or module:Class."""
    manifest: Manifest
    folder: Path
    module: str | None = None
    """The module that holds the class, if it is importable by name."""
    class_name: str | None = None

    @property
    def name(self) -> str:
        return self.manifest.name

    def load(self) -> type[Environment[Any]]:
        """Import the class. Raises PalestraError if env.py breaks or holds no environment, or more than one.

        Also if an extra that the manifest requires is not installed: every verdict would fail for want of it.
        """
        for extra in self.manifest.requires:
            require(extra, self.name)
        module = import_by_name(self.module) if self.module else import_folder(self.folder)
        if self.class_name:
            found = [getattr(module, self.class_name, None)]
        else:
            found = [value for value in vars(module).values() if is_environment_of(value, module)]
        if len(found) != 1 or not inspect.isclass(found[0]) or not issubclass(found[0], Environment):
            names = [getattr(value, "__name__", self.class_name) for value in found]
            raise PalestraError("invalid-environment", f"{self.spec} must hold one Environment class, found {names}")
        return cast("type[Environment[Any]]", found[0])

    def options(self, values: dict[str, Any]) -> BaseModel:
        """The options of this environment with `values` set. Raises PalestraError naming the option."""
        options = self.load().Options
        for name in values:
            if name not in options.model_fields:
                known = ", ".join(options.model_fields) or "none"
                hint = suggestion(name, options.model_fields)
                raise PalestraError("unknown-option", f"{self.name} has no option {name!r}.{hint} It has: {known}.")
        try:
            return options.model_validate({**self.manifest.options, **values})
        except ValidationError as error:
            raise PalestraError("invalid-option", f"{self.name}: {validation_text(error)}") from error


def is_environment_of(value: object, module: ModuleType) -> bool:
    return inspect.isclass(value) and issubclass(value, Environment) and value.__module__ == module.__name__


def find(spec: str) -> Source:
    """The environment a user means by a name, a folder, or module:Class. Raises PalestraError with the nearest name."""
    if ":" in spec and not Path(spec).exists():
        return from_module(spec)
    if "/" in spec or Path(spec, "environment.toml").is_file():
        folder = Path(spec).resolve()
        if not folder.is_dir():
            raise PalestraError("unknown-environment", f"no folder {spec!r}")
        return Source(str(folder), read_manifest(folder), folder)
    known: list[str] = []
    # One by one, our own first: what another package installs cannot replace them, and a broken one hides none.
    for source in every_environment():
        if source.name == spec:
            return source
        known.append(source.name)
    raise PalestraError("unknown-environment", f"no environment is named {spec!r}.{suggestion(spec, known)}")


def every_environment() -> Iterator[Source]:
    """All environments of this package and of installed ones, variants included. Imports none of them."""
    for folder in sorted(PACKAGED.iterdir()):
        if (folder / "environment.toml").is_file():
            yield from with_variants(folder, f"palestra.environments.{folder.name}.env")
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        try:
            found = importlib.util.find_spec(entry.module)
        except Exception as error:
            message = f"entry point {entry.name!r}: finding {entry.module!r} raised {describe(error)}"
            raise PalestraError("invalid-environment", message) from error
        if found is None or found.origin is None:
            raise PalestraError("invalid-environment", f"entry point {entry.name!r}: no module {entry.module!r}")
        yield from with_variants(Path(found.origin).parent, entry.module, entry.attr or None)


def with_variants(folder: Path, module: str, class_name: str | None = None) -> Iterator[Source]:
    manifest = read_manifest(folder)
    for name in (manifest.name, *manifest.variants):
        own = manifest if name == manifest.name else manifest.as_variant(name)
        yield Source(name, own, folder, module, class_name)


def from_module(spec: str) -> Source:
    """An environment by module:Class; its folder is the module's, with a manifest if there is one."""
    module_name, _, class_name = spec.partition(":")
    module = import_by_name(module_name)
    if not hasattr(module, class_name):
        hint = suggestion(class_name, vars(module))
        raise PalestraError("unknown-environment", f"module {module_name!r} has no {class_name!r}.{hint}")
    folder = Path(module.__file__ or ".").parent
    if (folder / "environment.toml").is_file():
        return Source(spec, read_manifest(folder), folder, module_name, class_name)
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in class_name).lstrip("_")
    summary = (inspect.getdoc(module) or name).splitlines()[0]
    manifest = Manifest(name=name, summary=summary, domain="other", reward=Reward(kind="continuous"), licence="unknown")
    return Source(spec, manifest, folder, module_name, class_name)


def import_by_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if f"{name}.".startswith(f"{missing}."):
            raise PalestraError("unknown-environment", f"no module {name!r}") from error
        if missing.partition(".")[0] != name.partition(".")[0]:
            raise missing_package(readable(name), error) from error
        message = f"{readable(name)} imports {missing.partition('.')[2]!r}, which is not there"
        raise PalestraError("invalid-environment", message) from error
    except (Exception, SystemExit) as error:
        message = readable(f"importing {name} raised {describe(error)}")
        raise PalestraError("invalid-environment", message) from error


def readable(text: str) -> str:
    """A text with the paths of folders instead of the names of the packages they were imported as."""
    names = rf"({FOLDER_PACKAGE}[0-9a-f]+)(\.env\b)?"
    return re.sub(names, lambda name: str(folder_of_package(name[1])) + ("/env.py" if name[2] else ""), text)


def missing_package(name: str, error: ModuleNotFoundError) -> PalestraError:
    return PalestraError("missing-package", f"{name} needs the package {error.name!r}, which is not installed")


def import_folder(folder: Path) -> ModuleType:
    """Import env.py of a folder that is in no package, so that it may import its neighbours with `from . import`."""
    package_name = folder_package(folder)
    if package_name not in sys.modules:
        package = ModuleType(package_name)
        package.__path__ = [str(folder)]
        sys.modules[package_name] = package
    if not (folder / "env.py").is_file():
        raise PalestraError("invalid-environment", f"{folder} has no env.py")
    return import_by_name(f"{package_name}.env")


def folder_package(folder: Path) -> str:
    """An importable name that holds the folder's path, so that another process can find the folder again."""
    return FOLDER_PACKAGE + os.fsencode(folder).hex()


def folder_of_package(name: str) -> Path:
    """The inverse of `folder_package`."""
    return Path(os.fsdecode(bytes.fromhex(name.removeprefix(FOLDER_PACKAGE))))
