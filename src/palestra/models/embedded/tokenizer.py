"""Text to token ids and back, with control tokens only where the caller names them."""

from collections.abc import Iterable, Mapping
from typing import Any

from tokenizers import Tokenizer as Encoder
from tokenizers import decoders, pre_tokenizers
from tokenizers.models import BPE

CONTROL = 3
"""GGUF's token type of control tokens."""


class Tokenizer:
    """Byte-level BPE from a GGUF vocabulary. `encode` never yields a control token, whatever the text says."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        tokens: list[str] = metadata["tokenizer.ggml.tokens"]
        merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
        kinds: list[int] = metadata["tokenizer.ggml.token_type"]
        self.control = {token: index for index, token in enumerate(tokens) if kinds[index] == CONTROL}
        vocabulary = {token: index for index, token in enumerate(tokens)}
        self._control_names = {index: token for token, index in self.control.items()}
        self.size = len(tokens)
        self.longest = max(map(len, tokens))
        """Characters that one token covers at most."""
        self._encoder = Encoder(BPE(vocabulary, merges))
        # What GGUF calls the pre-tokeniser "smollm".
        self._encoder.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        self._encoder.decoder = decoders.ByteLevel()
        end = metadata["tokenizer.ggml.eos_token_id"]
        self.turn_end: int = end
        self.stop_ids = frozenset({end, self.control["<|endoftext|>"]})

    def encode(self, text: str) -> list[int]:
        # Half of a surrogate pair is no character; the encoder takes none.
        whole = text if text.isascii() else text.encode(errors="surrogatepass").decode(errors="replace")
        return self._encoder.encode(whole, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, without control tokens."""
        return self._encoder.decode([index for index in ids if index not in self._control_names])

    def with_control_tokens(self) -> Encoder:
        """A tokenizer that reads control tokens in a text as such: for texts of which the template made all of them."""
        whole = Encoder.from_str(self._encoder.to_str())
        whole.add_special_tokens(list(self.control))
        return whole

    def text_of(self, index: int) -> str:
        """The text of one token; control tokens by their name, parts of a character as U+FFFD."""
        return self._control_names.get(index) or self._encoder.decode([index])
