"""Parquet files of training sets, with a fixed schema: what pandas guesses changes with the rows it sees."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as arrow
from pyarrow import parquet

from palestra.data.export.record import Unusable

ROWS_OF_A_GROUP = 1024

TEXT = arrow.string()
FUNCTION = arrow.struct([("name", TEXT), ("arguments", TEXT)])
CALL = arrow.struct([("id", TEXT), ("type", TEXT), ("function", FUNCTION)])
MESSAGE = arrow.struct(
    [
        ("role", TEXT),
        ("content", TEXT),
        ("reasoning_content", TEXT),
        ("tool_calls", arrow.list_(CALL)),
        ("tool_call_id", TEXT),
    ]
)
SPOKEN = arrow.struct([("role", TEXT), ("content", TEXT)])
"""A message of a prompt, as verl's own data sets have it."""

SCHEMAS = MappingProxyType(
    {
        "MessagesOnly": arrow.schema([("messages", arrow.list_(MESSAGE))]),
        "VerlPrompt": arrow.schema(
            [
                ("data_source", TEXT),
                ("prompt", arrow.list_(SPOKEN)),
                ("ability", TEXT),
                ("reward_model", arrow.struct([("style", TEXT), ("ground_truth", TEXT)])),
                (
                    "extra_info",
                    arrow.struct(
                        [
                            ("index", arrow.int64()),
                            ("split", TEXT),
                            ("need_tools_kwargs", arrow.bool_()),
                            ("tools", TEXT),
                        ]
                    ),
                ),
            ]
        ),
    }
)


class ParquetWriter:
    """Writes rows in groups, so that memory does not grow with the file."""

    def __init__(self, path: Path, schema: str) -> None:
        self.schema = SCHEMAS[schema]
        self.writer = parquet.ParquetWriter(path, self.schema)
        self.rows: list[dict[str, Any]] = []

    def write(self, row: dict[str, Any]) -> None:
        """Raises Unusable for a row that has no place in the schema, such as one with images."""
        try:
            arrow.array([row], arrow.struct(list(self.schema)))
        except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
            raise Unusable("unsupported", f"it has no place in the parquet schema: {error}") from error
        self.rows.append(row)
        if len(self.rows) == ROWS_OF_A_GROUP:
            self.flush()

    def flush(self) -> None:
        if self.rows:
            self.writer.write_table(arrow.Table.from_pylist(self.rows, self.schema))
            self.rows = []

    def close(self) -> None:
        self.flush()
        self.writer.close()
