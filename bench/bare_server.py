"""The least a server can do: parse the body, and answer the bytes of a file."""

import json
import sys
from pathlib import Path

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from palestra.serve.run import bound, url_of


def app(answer: bytes) -> Starlette:
    async def endpoint(request: Request) -> Response:
        orjson.loads(await request.body())
        return Response(answer, media_type="application/json")

    return Starlette(routes=[Route("/{name}", endpoint, methods=["POST"])])


def main() -> None:
    answer = Path(sys.argv[1]).read_bytes()
    listening = bound("127.0.0.1", 0)
    listening.listen(2048)
    print(json.dumps({"url": url_of(listening)}), flush=True)
    config = uvicorn.Config(
        app(answer), log_level="error", access_log=False, server_header=False, date_header=False, http="httptools"
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
