"""The APIs of the Hugging Face hub and of GitLab's model registry, as far as datasets need them, on the loopback."""

import base64
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from palestra.serve.run import bound, url_of

COMMIT = "a" * 40


@dataclass
class Files:
    """What a server holds, what it was asked, and how it misbehaves."""

    contents: dict[str, bytes] = field(default_factory=dict)
    collected: list[tuple[str, str]] = field(default_factory=list)
    """Collections, and what was put into them."""
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    token: str = "secret-token"
    large: bool = False
    """Whether files are kept as large ones, with a SHA-256."""
    breaks_after: int | None = None
    """The next download ends after so many bytes, and the server is out of order then."""
    is_down: bool = False
    lies: bool = False
    """Whether it sends something else than it says."""

    def seen(self, method: str, part: str) -> list[dict[str, str]]:
        return [headers for verb, path, headers in self.requests if verb == method and part in path]

    def serve(self, request: Request, name: str, headers: dict[str, str]) -> Response:
        """A file or the part of it that is asked for."""
        content = self.contents.get(name)
        if content is None:
            return JSONResponse({"error": "Entry not found"}, 404, headers={"X-Error-Code": "EntryNotFound"})
        if self.lies:
            content = content.swapcase()
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if start >= len(content) > 0:
            return Response(status_code=416)
        rest = content[start:]
        found = {**headers, "Content-Length": str(len(rest)), "Accept-Ranges": "bytes"}
        if "range" in request.headers:
            found["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if request.method == "HEAD":
            return Response(headers=found)
        return StreamingResponse(self.blocks(rest), 206 if "range" in request.headers else 200, found)

    async def blocks(self, content: bytes) -> AsyncIterator[bytes]:
        if self.breaks_after is None or len(content) <= self.breaks_after:
            yield content
            return
        cut, self.breaks_after, self.is_down = self.breaks_after, None, True
        yield content[:cut]
        raise ConnectionError("the line broke")


class Recorded:
    """Notes each request; answers 503 while the server is down, 401 without the token."""

    def __init__(self, app: Any, files: Files) -> None:
        self.app, self.files = app, files

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.files.requests.append((scope["method"], scope["path"], headers))
        if self.files.is_down:
            await JSONResponse({"error": "down"}, 503)(scope, receive, send)
        elif headers.get("authorization") != f"Bearer {self.files.token}":
            await JSONResponse({"error": "Unauthorized"}, 401)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def entry(files: Files, path: str) -> dict[str, Any]:
    content = files.contents[path]
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    found: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git}
    if files.large:
        sha256 = hashlib.sha256(content).hexdigest()
        found["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 130}
    return found


def hub_app(files: Files) -> Any:  # noqa: C901 - a function for each route
    async def info(request: Request) -> Response:
        name = f"{request.path_params['owner']}/{request.path_params['repo']}"
        return JSONResponse({"id": name, "sha": COMMIT, "private": True, "tags": [], "siblings": [], "downloads": 0,
                             "likes": 0, "gated": False, "disabled": False})  # fmt: skip

    async def paths(request: Request) -> Response:
        asked = parse_qs((await request.body()).decode())["paths"]
        return JSONResponse([entry(files, path) for path in asked if path in files.contents])

    async def tree(request: Request) -> Response:
        return JSONResponse([entry(files, path) for path in sorted(files.contents)])

    async def resolve(request: Request) -> Response:
        path = request.path_params["path"]
        found = entry(files, path) if path in files.contents else {"oid": ""}
        large: Any = found.get("lfs", found)
        etag = large["oid"]
        return files.serve(request, path, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

    async def create(request: Request) -> Response:
        body = await request.json()
        return JSONResponse({"url": f"{request.base_url}datasets/{body.get('organization', 'me')}/{body['name']}"})

    async def preupload(request: Request) -> Response:
        asked = (await request.json())["files"]
        answers = [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in asked]
        return JSONResponse({"files": answers})

    async def commit(request: Request) -> Response:
        for line in (await request.body()).splitlines():
            said = json.loads(line)
            if said["key"] == "file":
                files.contents[said["value"]["path"]] = base64.b64decode(said["value"]["content"])
        address = f"{request.base_url}datasets/{request.path_params['owner']}/{request.path_params['repo']}"
        return JSONResponse({"success": True, "commitOid": COMMIT, "commitUrl": f"{address}/commit/{COMMIT}"})

    async def collect(request: Request) -> Response:
        said = await request.json()
        slug = f"{request.path_params['owner']}/{request.path_params['name']}"
        files.collected.append((slug, said["item"]["id"]))
        return JSONResponse({"slug": slug, "title": "t", "owner": {"name": request.path_params["owner"]}, "items": [],
                             "theme": "pink", "private": True, "position": 0, "lastUpdated": "2026-01-01T00:00:00.000Z",
                             "upvotes": 0})  # fmt: skip

    root = "/api/datasets/{owner}/{repo}"
    routes = [
        Route("/api/repos/create", create, methods=["POST"]),
        Route("/api/collections/{owner}/{name}/items", collect, methods=["POST"]),
        Route(root, info),
        Route(f"{root}/revision/{{revision}}", info),
        Route(f"{root}/paths-info/{{revision}}", paths, methods=["POST"]),
        Route(f"{root}/tree/{{revision}}", tree),
        Route(f"{root}/preupload/{{revision}}", preupload, methods=["POST"]),
        Route(f"{root}/commit/{{revision}}", commit, methods=["POST"]),
        Route("/datasets/{owner}/{repo}/resolve/{revision}/{path:path}", resolve, methods=["GET", "HEAD"]),
    ]
    return Recorded(Starlette(routes=routes), files)


def gitlab_app(files: Files) -> Any:  # noqa: C901 - a function for each route
    models: dict[str, list[str]] = {}
    base = "/api/v4/projects/7/ml/mlflow/api/2.0/mlflow"

    async def create(request: Request) -> Response:
        name = (await request.json())["name"]
        if name in models:
            return JSONResponse({"error_code": "RESOURCE_ALREADY_EXISTS", "message": "exists"}, 400)
        models[name] = []
        return JSONResponse({"registered_model": {"name": name}})

    async def version(request: Request) -> Response:
        body = await request.json()
        (tag,) = [each["value"] for each in body["tags"] if each["key"] == "gitlab.version"]
        if tag in models[body["name"]]:
            return JSONResponse({"error_code": "INVALID_PARAMETER_VALUE", "message": "version is taken"}, 400)
        models[body["name"]].append(tag)
        return JSONResponse({"model_version": found(body["name"], tag)})

    def found(name: str, version: str) -> dict[str, str]:
        return {"name": name, "version": version, "run_id": f"{name}-{version}", "status": "READY"}

    async def delete(request: Request) -> Response:
        if models.pop((await request.json())["name"], None) is None:
            return JSONResponse({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"}, 404)
        return JSONResponse({})

    async def get(request: Request) -> Response:
        name, version = request.query_params["name"], request.query_params["version"]
        if version not in models.get(name, []):
            return JSONResponse({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such version"}, 404)
        return JSONResponse({"model_version": found(name, version)})

    async def run(request: Request) -> Response:
        run_id = request.query_params["run_id"]
        uri = f"{request.base_url}api/v4/projects/7/packages/ml_models/{run_id}/files/"
        return JSONResponse({"run": {"info": {"run_id": run_id, "artifact_uri": uri}, "data": {}}})

    async def artifact(request: Request) -> Response:
        name = f"{request.path_params['run']}/{request.path_params['path']}"
        if request.method == "PUT":
            files.contents[name] = await request.body()
            return JSONResponse({"message": "201 Created"}, 201)
        return files.serve(request, name, {})

    place = "/api/v4/projects/7/packages/ml_models/{run}/files/{path:path}"
    routes = [
        Route(f"{base}/registered-models/create", create, methods=["POST"]),
        Route(f"{base}/registered-models/delete", delete, methods=["DELETE"]),
        Route(f"{base}/model-versions/create", version, methods=["POST"]),
        Route(f"{base}/model-versions/get", get),
        Route(f"{base}/runs/get", run),
        Route(place, artifact, methods=["GET", "PUT"]),
    ]
    return Recorded(Starlette(routes=routes), files)


@contextmanager
def serving_hub(app: Any) -> Generator[str]:
    """The root of a server in a thread of its own: the clients wait for it."""
    listening = bound("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield url_of(listening)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()
