"""A model behind OpenAI's routes, and the few of vLLM's that a trainer asks for."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from palestra.core.errors import Failure, boundary
from palestra.core.model import Reply
from palestra.core.tools import validation_text
from palestra.serve.chat import ChatBody, completion
from palestra.serve.door import Door, json_object
from palestra.serve.refusals import Refusal
from palestra.serve.responses import ResponsesBody, response
from palestra.serve.served import Asked, Served, refuse_unhonoured, refuse_unknown
from palestra.wire.encoding import encode

Body = TypeVar("Body", bound=BaseModel)
Endpoint = Callable[[Request], Awaitable[Response]]


def model_app(served: Served, door: Door) -> Starlette:
    """The ASGI application; the end of its lifespan closes the model."""
    routes = ModelRoutes(served, door)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        yield
        await served.model.close()

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/v1/models", routes.guarded(routes.models)),
            Route("/v1/chat/completions", routes.guarded(routes.chat), methods=["POST"]),
            Route("/v1/responses", routes.guarded(routes.responses), methods=["POST"]),
            Route("/tokenize", routes.guarded(routes.tokenize), methods=["POST"]),
        ],
        exception_handlers={Refusal: refused, HTTPException: no_such_route, Exception: broken},
        lifespan=lifespan,
    )


class ModelRoutes:
    """What the routes do."""

    def __init__(self, served: Served, door: Door) -> None:
        self.served = served
        self.door = door

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guard(request: Request) -> Response:
            await self.door.admit(request)
            return await endpoint(request)

        return guard

    async def models(self, request: Request) -> Response:
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "palestra"} for name in self.served.names]
        return json_response({"object": "list", "data": entries})

    async def chat(self, request: Request) -> Response:
        body = await json_object(request)
        asked = self.read(ChatBody, body)
        reply = await self.door.answer(request, self.reply(asked))
        return json_response(completion(self.served, asked, reply))

    async def responses(self, request: Request) -> Response:
        body = await json_object(request)
        asked = self.read(ResponsesBody, body)
        reply = await self.door.answer(request, self.reply(asked))
        return json_response(response(self.served, asked, reply, body))

    async def tokenize(self, request: Request) -> Response:
        """vLLM's route: the ids of `messages` with the opening of a reply, or of a text `prompt`."""
        body = await json_object(request)
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
            ids = await self.door.answer(request, encoding)
        except Failure as failure:
            raise Refusal.of(failure) from None
        return json_response({"count": len(ids), "max_model_len": source.context_tokens, "tokens": ids})

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


async def health(request: Request) -> Response:
    return json_response({"status": "ok"})


async def refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return json_response(refusal.body(), refusal.status, refusal.headers)


async def no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"there is no route {request.method} {request.url.path}"
    return json_response(Refusal(error.status_code, message).body(), error.status_code)


async def broken(request: Request, error: Exception) -> Response:
    return json_response(Refusal(500, f"the server broke: {type(error).__name__}").body(), 500)


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(content), status, headers, media_type="application/json")
