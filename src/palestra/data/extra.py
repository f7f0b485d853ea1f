"""The packages that datasets need and a base install does not bring."""

from collections.abc import Generator
from contextlib import contextmanager

from palestra.core.errors import PalestraError


@contextmanager
def data_packages() -> Generator[None]:
    """Imports of the extra `data`; PalestraError with the command that installs it if one is missing."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "palestra":
            raise
        message = f"datasets need the package {error.name!r}, which is not installed"
        raise PalestraError("missing-package", message, fix='pip install "palestra[data]"') from error
