"""The forward pass: a Llama network in float32, its columns independent of each other."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palestra.models.embedded.gguf import Floats, GgufFile
from palestra.models.embedded.threads import Threads

Ints = NDArray[np.intp]
COLUMN_TILE = 16
"""Matrix products are this wide at least: at most widths from here on a column does not depend on the others."""
HEAD_ROWS = 1024
"""Rows of the output head in one product, so that the part of the result being written stays in the cache."""

Attend: TypeAlias = Callable[[int, Floats, Floats, Floats], Floats]
"""(layer, queries, keys, values), each (tokens, heads, width), to (tokens, heads * width)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that the metadata of the weights give."""

    layers: int
    features: int
    inner: int
    heads: int
    key_heads: int
    width: int
    context: int
    epsilon: float
    rotation_base: float

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "Shape":
        heads = metadata["llama.attention.head_count"]
        return cls(
            layers=metadata["llama.block_count"],
            features=metadata["llama.embedding_length"],
            inner=metadata["llama.feed_forward_length"],
            heads=heads,
            key_heads=metadata["llama.attention.head_count_kv"],
            width=metadata["llama.embedding_length"] // heads,
            context=metadata["llama.context_length"],
            epsilon=metadata["llama.attention.layer_norm_rms_epsilon"],
            rotation_base=metadata["llama.rope.freq_base"],
        )


@dataclass(frozen=True, slots=True)
class Layer:
    attention_norm: Floats
    projections: Floats
    """Queries, keys and values in one matrix; the queries carry attention's scale."""
    output: Floats
    feed_norm: Floats
    gate: Floats
    up: Floats
    down: Floats


class Network:
    """Activations are (features, tokens): with the weights on the left, BLAS is fastest for few tokens."""

    def __init__(self, file: GgufFile) -> None:
        self.shape = Shape.of(file.metadata)
        with ThreadPoolExecutor(2) as pool:
            embedding = pool.submit(file.tensor, "token_embd.weight")
            self._layers = list(pool.map(partial(read_layer, file, self.shape), range(self.shape.layers)))
            self._embedding = embedding.result()
        self._final_norm = file.tensor("output_norm.weight")[:, None]
        self._rotations = rotations(self.shape)
        self._scratch: dict[str, Floats] = {}
        self.threads = Threads()

    def close(self) -> None:
        self.threads.close()

    @property
    def vocabulary(self) -> int:
        return len(self._embedding)

    def hidden(self, tokens: Ints, positions: Ints, attend: Attend) -> Floats:
        """The last layer's activations, (features, tokens)."""
        count = len(tokens)
        width = padded(count)
        state = np.zeros((self.shape.features, width), np.float32)
        state[:, :count] = self._embedding[tokens].T
        turns = np.ones((width, 1, self.shape.width // 2), np.complex64)
        turns[:count, 0] = self._rotations[positions]
        for index, layer in enumerate(self._layers):
            self._mix(index, layer, state, turns, count, attend)
            self._feed(layer, state)
        return state[:, :count]

    def logits(self, hidden: Floats) -> Floats:
        """(vocabulary, padded tokens); only the first columns mean anything. Valid until the next call."""
        features, count = hidden.shape
        state = np.zeros((features, padded(count)), np.float32)
        state[:, :count] = hidden
        state = self._normalised(state, self._final_norm)
        logits = self._room("logits", self.vocabulary, state.shape[1])

        def part(index: int) -> None:
            share = self.threads.share(self.vocabulary, index)
            for start in range(share.start, share.stop, HEAD_ROWS):
                rows = slice(start, min(start + HEAD_ROWS, share.stop))
                np.matmul(self._embedding[rows], state, out=logits[rows])

        self.threads.run(part)
        return logits

    def _mix(self, index: int, layer: Layer, state: Floats, turns: Any, count: int, attend: Attend) -> None:
        shape, width = self.shape, state.shape[1]
        projected = self._room("projected", len(layer.projections), width)
        self._product(layer.projections, self._normalised(state, layer.attention_norm), projected)
        heads = np.ascontiguousarray(projected.T).reshape(width, -1, shape.width)
        rotated = shape.heads + shape.key_heads
        heads.view(np.complex64)[:, :rotated] *= turns
        mixed = np.zeros((width, shape.features), np.float32)
        real = heads[:count]
        mixed[:count] = attend(index, real[:, : shape.heads], real[:, shape.heads : rotated], real[:, rotated:])
        self._add_product(layer.output, np.ascontiguousarray(mixed.T), state)

    def _feed(self, layer: Layer, state: Floats) -> None:
        normalised = self._normalised(state, layer.feed_norm)
        inner = (self.shape.inner, state.shape[1])
        gates, ups = self._room("gate", *inner), self._room("up", *inner)

        def part(index: int) -> None:
            rows = self.threads.share(self.shape.inner, index)
            gate = np.matmul(layer.gate[rows], normalised, out=gates[rows])
            up = np.matmul(layer.up[rows], normalised, out=ups[rows])
            up *= gate
            np.negative(gate, out=gate)
            with np.errstate(over="ignore"):  # an infinite exp(-gate) leaves 0, as it should
                np.exp(gate, out=gate)
            gate += 1
            up /= gate

        self.threads.run(part)
        self._add_product(layer.down, ups, state)

    def _product(self, weight: Floats, right: Floats, result: Floats) -> None:
        def part(index: int) -> None:
            rows = self.threads.share(len(weight), index)
            np.matmul(weight[rows], right, out=result[rows])

        self.threads.run(part)

    def _add_product(self, weight: Floats, right: Floats, state: Floats) -> None:
        added = self._room("added", *state.shape)

        def part(index: int) -> None:
            rows = self.threads.share(len(weight), index)
            state[rows] += np.matmul(weight[rows], right, out=added[rows])

        self.threads.run(part)

    def _normalised(self, state: Floats, weight: Floats) -> Floats:
        square = np.square(state, out=self._room("square", *state.shape))
        mean = square.sum(axis=0) / np.float32(len(state))
        return np.multiply(state / np.sqrt(mean + np.float32(self.shape.epsilon)), weight)

    def _room(self, name: str, rows: int, columns: int) -> Floats:
        """A matrix that is written over by the next call of the same name: fresh memory costs page faults."""
        flat = self._scratch.get(name)
        if flat is None or len(flat) < rows * columns:
            flat = self._scratch[name] = np.empty(rows * columns, np.float32)
        return flat[: rows * columns].reshape(rows, columns)


def read_layer(file: GgufFile, shape: Shape, index: int) -> Layer:
    def read(name: str) -> Floats:
        return file.tensor(f"blk.{index}.{name}.weight")

    scale = np.float32(shape.width**-0.5)
    return Layer(
        attention_norm=read("attn_norm")[:, None],
        projections=np.concatenate([read("attn_q") * scale, read("attn_k"), read("attn_v")]),
        output=read("attn_output"),
        feed_norm=read("ffn_norm")[:, None],
        gate=read("ffn_gate"),
        up=read("ffn_up"),
        down=read("ffn_down"),
    )


def rotations(shape: Shape) -> NDArray[np.complex64]:
    """Rotary embedding as one complex factor for each position and pair of neighbouring features."""
    frequencies = shape.rotation_base ** (-np.arange(0, shape.width, 2) / shape.width)
    return np.exp(1j * np.outer(np.arange(shape.context), frequencies)).astype(np.complex64)


def padded(columns: int) -> int:
    return -(-columns // COLUMN_TILE) * COLUMN_TILE
