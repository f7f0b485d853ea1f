"""SmolLM2-135M-Instruct as a `Model`: real tokens and log-probabilities without a server."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from palestra.core.errors import Failure
from palestra.core.model import CallTokens, Item, Reply, Sampling, TokenTrace, ToolSchema, Usage
from palestra.core.transcript import assistant_message
from palestra.models.embedded.weights import require_libraries, required_weights_path

if TYPE_CHECKING:
    from palestra.models.embedded.engine import Completion

NAME = "SmolLM2-135M-Instruct"


class EmbeddedModel:
    """A language model of 135 million parameters on the CPU, in float32.

    Log-probabilities are natural logarithms of the network's own distribution, at temperature 1 and over the whole
    vocabulary, whatever temperature and top_p the tokens were drawn with.
    A seed gives the same tokens again; on most processors also among other requests (see docs/decisions/0001).
    """

    def __init__(self, *, max_sequences: int = 64, default_max_output_tokens: int = 256) -> None:
        require_libraries()
        path = required_weights_path()
        # Here and not above: without these packages the module must still be importable, to say what to install.
        from palestra.models.embedded.chat import Chat
        from palestra.models.embedded.engine import Engine
        from palestra.models.embedded.gguf import GgufFile
        from palestra.models.embedded.network import Network, Shape
        from palestra.models.embedded.worker import Worker

        weights = GgufFile(path)
        self._chat = Chat(weights.metadata)
        self.context_tokens = Shape.of(weights.metadata).context
        self._default_max_output_tokens = default_max_output_tokens
        self._worker = Worker(lambda: Engine(Network(weights), max_sequences))

    @property
    def name(self) -> str:
        return NAME

    @property
    def vocabulary_size(self) -> int:
        return self._chat.tokenizer.size

    def prompt_ids(self, items: Sequence[Item], trace: TokenTrace | None = None) -> list[int]:
        """The tokens that `respond` would read."""
        return self._chat.prompt(items, trace)

    def encode(self, text: str) -> list[int]:
        return self._chat.tokenizer.encode(text)

    def token_text(self, index: int) -> str:
        return self._chat.tokenizer.text_of(index)

    @property
    def is_running(self) -> bool:
        """Whether the thread that holds the weights is alive."""
        return self._worker.is_alive

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        """Continue `items`; with a `trace`, from its tokens on."""
        if tools:
            raise without_tools(tools)
        prompt = tuple(self._chat.prompt(items, trace))
        completion = await self._complete(prompt, sampling)
        return self._reply(prompt, completion)

    async def close(self) -> None:
        await asyncio.to_thread(self._worker.close)

    async def _complete(self, prompt: tuple[int, ...], sampling: Sampling) -> "Completion":
        from palestra.models.embedded.engine import Request
        from palestra.models.embedded.sampling import Draw

        limit = self._limit(len(prompt), sampling.max_output_tokens)
        refuse_outside(sampling)
        draw = Draw.seeded(
            seed=secrets.randbelow(2**31) if sampling.seed is None else sampling.seed,
            temperature=1.0 if sampling.temperature is None else float(sampling.temperature),
            top_p=1.0 if sampling.top_p is None else float(sampling.top_p),
            positions=len(prompt) + limit,
        )
        request = Request(prompt, limit, draw, self._chat.tokenizer.stop_ids)
        self._worker.submit(request, asyncio.get_running_loop())
        # Cancelling the task cancels the future, which takes the request out of the batch.
        return await asyncio.wrap_future(request.result)

    def _limit(self, prompt_tokens: int, asked: int | None) -> int:
        room = self.context_tokens - prompt_tokens
        if room < 1:
            most = f"{NAME} has a maximum context length of {self.context_tokens} tokens for prompt and reply"
            raise Failure("limit", f"The prompt has {prompt_tokens} tokens; {most}.", code="context-overflow")
        return min(self._default_max_output_tokens if asked is None else asked, room)

    def _reply(self, prompt: tuple[int, ...], completion: "Completion") -> Reply:
        return Reply(
            items=(assistant_message(self._chat.tokenizer.decode(completion.ids)),),
            stop_reason="stop" if completion.stopped else "max_output_tokens",
            model=NAME,
            usage=Usage(input_tokens=len(prompt), output_tokens=len(completion.ids)),
            tokens=CallTokens(prompt, completion.ids, completion.logprobs),
        )


def refuse_outside(sampling: Sampling) -> None:
    """Failure if a value cannot be drawn with."""
    temperature, top_p, seed = sampling.temperature, sampling.top_p, sampling.seed
    if temperature is not None and not 0 <= temperature <= 2:
        what = f"temperature {temperature} is outside 0 to 2"
    elif top_p is not None and not 0 < top_p <= 1:
        what = f"top_p {top_p} is outside 0 (excluded) to 1"
    elif seed is not None and seed < 0:
        what = f"seed {seed} is outside 0 and more"
    else:
        return
    raise Failure("model", f"{NAME} cannot sample with this: {what}.", code="model-rejected-request")


def without_tools(tools: Sequence[ToolSchema]) -> Failure:
    names = ", ".join(str(tool.get("name")) for tool in tools)
    return Failure(
        "model",
        f"{NAME} cannot call tools, and the environment has some ({names}). Use another model "
        "(openai:NAME or vllm:NAME), or an environment without tools.",
        code="model-without-tools",
        fatal=True,
    )
