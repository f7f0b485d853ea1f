"""The embedded model's network read over given token ids, apart from sampling and batching."""

import numpy as np

from palestra.models.embedded.attention import PrefillAttention, Tile
from palestra.models.embedded.cache import BLOCK_POSITIONS, BlockTable, KeyValueCache
from palestra.models.embedded.gguf import Floats
from palestra.models.embedded.network import Network


def log_softmax(network: Network, ids: list[int]) -> Floats:
    """(positions, vocabulary), with all of `ids` read as a prompt."""
    shape = network.shape
    cache, table = KeyValueCache(shape.layers, shape.key_heads, shape.width), BlockTable()
    cache.extend(table, len(ids))
    starts = range(0, len(ids), BLOCK_POSITIONS)
    tiles = [Tile(table, start, min(BLOCK_POSITIONS, len(ids) - start)) for start in starts]
    hidden = network.hidden(np.array(ids), np.arange(len(ids)), PrefillAttention(cache, network.threads, tiles))
    logits = network.logits(hidden)[:, : len(ids)]
    logits -= logits.max(axis=0)
    logits -= np.log(np.exp(logits).reshape(-1, 256, len(ids)).sum(axis=1).sum(axis=0))
    return logits.T
