"""A model behind OpenAI's routes, and the few of vLLM's that a trainer asks for."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from palestra.core.errors import Failure, boundary
from palestra.core.model import Reply
from palestra.core.tools import validation_text
from palestra.serve.asgi import Answer, Call, Handler, Routes, ServerBroke, json_answer
from palestra.serve.chat import ChatBody, completion
from palestra.serve.door import Door, json_object
from palestra.serve.refusals import Refusal
from palestra.serve.responses import ResponsesBody, response
from palestra.serve.served import Asked, Served, refuse_unhonoured, refuse_unknown

Body = TypeVar("Body", bound=BaseModel)


def model_app(served: Served, door: Door) -> Routes:
    """The ASGI application; the end of its life closes the model."""
    routes = ModelRoutes(served, door)

    @asynccontextmanager
    async def life() -> AsyncGenerator[None, None]:
        yield
        await served.model.close()

    return Routes(
        {
            "/health": {"GET": health},
            "/v1/models": {"GET": routes.guarded(routes.models)},
            "/v1/chat/completions": {"POST": routes.guarded(routes.chat)},
            "/v1/responses": {"POST": routes.guarded(routes.responses)},
            "/tokenize": {"POST": routes.guarded(routes.tokenize)},
        },
        broken=refused,
        unknown=no_such_route,
        life=life,
    )


class ModelRoutes:
    """What the routes do."""

    def __init__(self, served: Served, door: Door) -> None:
        self.served = served
        self.door = door

    def guarded(self, handler: Handler) -> Handler:
        async def guard(call: Call) -> Answer:
            await self.door.admit(call)
            return await handler(call)

        return guard

    async def models(self, call: Call) -> Answer:
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "palestra"} for name in self.served.names]
        return json_answer({"object": "list", "data": entries})

    async def chat(self, call: Call) -> Answer:
        body = await json_object(call)
        asked = self.read(ChatBody, body)
        reply = await self.door.answer(call, self.reply(asked))
        return json_answer(completion(self.served, asked, reply))

    async def responses(self, call: Call) -> Answer:
        body = await json_object(call)
        asked = self.read(ResponsesBody, body)
        reply = await self.door.answer(call, self.reply(asked))
        return json_answer(response(self.served, asked, reply, body))

    async def tokenize(self, call: Call) -> Answer:
        """vLLM's route: the ids of `messages` with the opening of a reply, or of a text `prompt`."""
        body = await json_object(call)
        source = self.served.tokens
        if source is None:
            raise Refusal(404, f"{self.served.names[0]} has no tokenizer here")
        prompt = body.get("prompt")
        if isinstance(prompt, str):
            self.require_model(body)
            encoding = asyncio.to_thread(source.encode, prompt)
        else:
            asked = self.read(ChatBody, body)
            encoding = asyncio.to_thread(source.prompt_ids, asked.items, asked.trace)
        try:
            ids = await self.door.answer(call, encoding)
        except Failure as failure:
            raise Refusal.of(failure) from None
        return json_answer({"count": len(ids), "max_model_len": source.context_tokens, "tokens": ids})

    def read(self, kind: type[ChatBody] | type[ResponsesBody], body: dict[str, Any]) -> Asked:
        """Raises Refusal for what is malformed, unknown, or cannot be honoured."""
        self.require_model(body)
        refuse_unhonoured(self.served, body)
        try:
            asked = kind.model_validate(body).asked()
        except ValidationError as error:
            param = ".".join(map(str, error.errors()[0]["loc"]))
            raise Refusal(400, validation_text(error), param=param) from None
        except Failure as failure:
            raise Refusal(400, failure.message, param="input") from None
        except ValueError as error:
            raise Refusal(400, str(error), param="messages" if kind is ChatBody else "input") from None
        refuse_unknown(self.served, asked)
        return asked

    def require_model(self, body: dict[str, Any]) -> None:
        name = body.get("model")
        if name is not None and name not in self.served.names:
            known = ", ".join(self.served.names)
            message = f"the model {name!r} does not exist here; there is {known}"
            raise Refusal(404, message, code="model_not_found", param="model")

    async def reply(self, asked: Asked) -> Reply:
        try:
            with boundary("model"):
                return await self.served.model.respond(asked.items, asked.tools, asked.sampling, asked.trace)
        except Failure as failure:
            raise Refusal.of(failure) from failure


async def health(call: Call) -> Answer:
    return json_answer({"status": "ok"})


def refused(error: Exception) -> Answer | None:
    if isinstance(error, ServerBroke):
        error = Refusal(500, str(error))
    return json_answer(error.body(), error.status, error.headers) if isinstance(error, Refusal) else None


def no_such_route(call: Call, status: int) -> Answer:
    message = f"there is no route {call.method} {call.path}"
    return json_answer(Refusal(status, message).body(), status)
