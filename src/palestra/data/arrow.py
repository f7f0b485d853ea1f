"""pyarrow's functions over columns, which it makes as it is imported: no type checker knows them."""

import importlib
from typing import Any

compute: Any = importlib.import_module("pyarrow.compute")
