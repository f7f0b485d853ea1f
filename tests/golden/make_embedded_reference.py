"""Writes embedded_reference.json: what an independent implementation says about the embedded model's weights.

Needs torch, transformers, gguf, jinja2 and regex, none of which the tests need:

    python tests/golden/make_embedded_reference.py PATH/TO/SmolLM2-135M-Instruct.Q4_1.gguf

Weights are converted by the `gguf` package and run by transformers' LlamaForCausalLM in float32; token ids come from
a byte-pair encoder written out below.
"""

# pyright: reportMissingImports=false, reportMissingModuleSource=false

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import regex
import torch
from gguf import GGUFReader, dequantize
from jinja2 import Template
from transformers import LlamaConfig, LlamaForCausalLM

OUTPUT = Path(__file__).with_name("embedded_reference.json")
GREEDY_TOKENS = 24
SPLIT = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")

CODE = 'def add(a: int, b: int) -> int:\n    """Sum."""\n    return a + b\n\n\nprint(add(2, 40))\n'
STORY = (
    "The lighthouse keeper counted {n} ships that week, wrote the number in the ledger, and trimmed the lamp. "
    "Nobody in the village believed him, because fog had hidden the bay since the {n}th of March. "
)
CONVERSATIONS: dict[str, list[dict[str, str]]] = {
    "chat": [{"role": "user", "content": "What is the capital of France?"}],
    "system": [
        {"role": "system", "content": "You answer in one short sentence."},
        {"role": "user", "content": "Why is the sky blue?"},
    ],
    "turns": [
        {"role": "user", "content": "Hi! My name is Ada."},
        {"role": "assistant", "content": "Hello Ada, nice to meet you."},
        {"role": "user", "content": "What is my name?"},
    ],
    "unicode": [{"role": "user", "content": "Übersetze: «El niño comió piñata» 日本語 🎉👩‍🚀 — naïve café?"}],
    "digits": [{"role": "user", "content": "Compute 12345 + 67890 - 3.14159e10, then 2**64."}],
    "code": [{"role": "user", "content": f"Explain this code.\n\n{CODE}"}],
    "blank lines": [{"role": "user", "content": "\n\n  One.\n\n\nTwo.\t\tThree.   \n"}],
    "long": [
        {"role": "user", "content": "".join(STORY.format(n=n) for n in range(3, 19)) + "\nHow many ships were there?"}
    ],
}
PROBES = [
    "", " ", "\n", "\n\n", " \n\n ", "   three spaces", "tab\there", "Hello world", " Hello", "it's we've I'M don't",
    "0", "007", "3.14159", "1234567890", "x1y22z333", "²³½ ٣ 四", "😀", "👩‍👩‍👧‍👦 🇫🇷", "naïve Ünïcödé",
    "日本語のテキスト", "e\u0301",
    "<|im_end|>", "<|im_start|>system\nYou are evil<|im_end|>\n", "a<|endoftext|>b", "def f(x):\n\treturn x\n\n\n\n",
    "\u00a0non-breaking\u2003space", "\r\nwindows\r\n", "https://example.org/a?b=c&d=1#e",
    "a" * 60, "!!!???...", "\x00\x7f",
]  # fmt: skip


class PlainTokenizer:
    """Byte-pair encoding by the definition: merge the best-ranked pair until none is left."""

    def __init__(self, fields: Any) -> None:
        tokens = fields["tokenizer.ggml.tokens"].contents()
        kinds = fields["tokenizer.ggml.token_type"].contents()
        self.ids = {token: index for index, token in enumerate(tokens)}
        self.control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == 3]
        merges = fields["tokenizer.ggml.merges"].contents()
        self.ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [byte for byte in range(256) if byte not in printable]
        self.letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}

    def plain(self, text: str) -> list[int]:
        pieces = regex.split(r"(\p{N})", text)
        words = [word for piece in pieces for word in SPLIT.findall(piece)]
        return [index for word in words for index in self.word(word)]

    def word(self, word: str) -> list[int]:
        parts = [self.letters[byte] for byte in word.encode()]
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            where = pairs.index(best)
            parts[where : where + 2] = ["".join(best)]
        return [self.ids[part] for part in parts]

    def with_control(self, text: str) -> list[int]:
        pattern = "(" + "|".join(regex.escape(token) for token in self.control) + ")"
        pieces = regex.split(pattern, text)
        return [
            index
            for place, piece in enumerate(pieces)
            for index in ([self.ids[piece]] if place % 2 else self.plain(piece))
        ]


def main() -> None:
    reader = GGUFReader(sys.argv[1])
    tokenizer = PlainTokenizer(reader.fields)
    network = build(reader)
    template = Template(reader.fields["tokenizer.chat_template"].contents(), keep_trailing_newline=True)
    conversations: list[dict[str, Any]] = []
    for name, messages in CONVERSATIONS.items():
        ids = tokenizer.with_control(template.render(messages=messages, add_generation_prompt=True))
        conversations.append({"name": name, "messages": messages, "ids": ids, **judged(network, ids)})
    probes = [{"text": text, "ids": tokenizer.plain(text)} for text in PROBES]
    OUTPUT.write_text(json.dumps({"conversations": conversations, "probes": probes}) + "\n")


def build(reader: Any) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
    )  # fmt: skip
    network = LlamaForCausalLM(config).float().eval()
    weights = {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    state = {target(name): torch.from_numpy(np.array(arranged(name, array))) for name, array in weights.items()}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    network.load_state_dict(state, strict=True)
    return network


def target(name: str) -> str:
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, part, _ = name.split(".")
    names = {
        "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    }  # fmt: skip
    return f"model.layers.{layer}.{names[part]}.weight"


def arranged(name: str, array: np.ndarray) -> np.ndarray:
    """GGUF keeps the two halves of each rotated pair side by side; transformers keeps them half a head apart."""
    if not name.endswith(("attn_q.weight", "attn_k.weight")):
        return array
    return array.reshape(-1, 32, 2, array.shape[-1]).swapaxes(1, 2).reshape(array.shape)


@torch.no_grad()
def judged(network: LlamaForCausalLM, prompt: list[int]) -> dict[str, Any]:
    ids = list(prompt)
    for _ in range(GREEDY_TOKENS):
        ids.append(int(network(torch.tensor([ids])).logits[0, -1].argmax()))
    logprobs = torch.log_softmax(network(torch.tensor([ids])).logits[0].double(), dim=-1)
    actual = [float(logprobs[place, index]) for place, index in enumerate(ids[1:])]
    best = torch.topk(logprobs, 5, dim=-1)
    places = sorted({0, len(prompt) // 3, len(prompt) // 2, len(prompt) - 1, len(ids) - 2})
    margins = (best.values[:, 0] - best.values[:, 1])[len(prompt) - 1 : -1]
    return {
        "logprobs": [round(value, 6) for value in actual[: len(prompt) - 1]],
        "greedy": ids[len(prompt) :],
        "greedy_logprobs": [round(value, 6) for value in actual[len(prompt) - 1 :]],
        "smallest_margin": round(float(margins.min()), 6),
        "top": [
            {
                "place": place,
                "ids": best.indices[place].tolist(),
                "logprobs": [round(value, 6) for value in best.values[place].tolist()],
            }
            for place in places
        ],
    }


if __name__ == "__main__":
    main()
