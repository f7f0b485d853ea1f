"""Datasets in GitLab's model registry, which speaks MLflow's REST API."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

from palestra.core.errors import PalestraError, describe
from palestra.core.extras import require
from palestra.data.content import content_of_path
from palestra.data.sources.transfer import BLOCK_BYTES, FIRST_PAUSE_S, TIMEOUT_S, fetch_rest, refused, tried
from palestra.store.paths import writing

API = "/api/2.0/mlflow/"


@dataclass(frozen=True, slots=True)
class Place:
    """A file of a version of a dataset."""

    name: str
    version: str
    """As MAJOR.MINOR.PATCH."""
    artifact: str


class GitlabRegistry:
    """A client, used as a context. `address` is the MLflow address of a project, usually from MLFLOW_TRACKING_URI.

    The token, usually from MLFLOW_TRACKING_TOKEN, goes to that origin only. Raises PalestraError.
    """

    def __init__(self, address: str | None = None, *, token: str | None = None, pause_s: float | None = None) -> None:
        require("hub", "GitLab's model registry")
        import httpx

        self.address = (address or os.environ.get("MLFLOW_TRACKING_URI", "")).rstrip("/")
        token = token or os.environ.get("MLFLOW_TRACKING_TOKEN")
        if urlsplit(self.address).scheme not in ("http", "https"):
            fix = "Set MLFLOW_TRACKING_URI to https://HOST/api/v4/projects/ID/ml/mlflow."
            raise PalestraError("usage", f"the address of the model registry is {self.address!r}", fix=fix)
        if not token:
            fix = "Set MLFLOW_TRACKING_TOKEN to an access token of the project with the scope api."
            raise PalestraError("usage", "the environment variable MLFLOW_TRACKING_TOKEN is not set", fix=fix)
        self.authorization = {"Authorization": f"Bearer {token}"}
        self.pause_s = FIRST_PAUSE_S if pause_s is None else pause_s
        self.client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=True)

    def __enter__(self) -> "GitlabRegistry":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def upload(self, path: Path, place: Place) -> str:
        """Put a file and its SHA-256 into a version, which is made; its address. Versions are never changed."""
        self.call("POST", "registered-models/create", {"name": place.name}, accepts="RESOURCE_ALREADY_EXISTS")
        tags = [{"key": "gitlab.version", "value": place.version}]
        body = {"name": place.name, "tags": tags}
        made = self.call("POST", "model-versions/create", body)["model_version"]
        url = self.artifact_url(str(made["run_id"]), place.artifact)
        digest = content_of_path(path).sha256

        def send() -> Any:
            # Opened for each try: one that broke off has read part of it.
            with path.open("rb") as file:
                return self.client.put(
                    url, content=iter(lambda: file.read(BLOCK_BYTES), b""), headers=self.headers(url)
                )

        tried(send, url, pause_s=self.pause_s)
        line = f"{digest}  {place.artifact}\n"
        tried(
            lambda: self.client.put(f"{url}.sha256", content=line, headers=self.headers(url)),
            url,
            pause_s=self.pause_s,
        )
        return url

    def download(self, place: Place, output: Path) -> dict[str, str]:
        """Fetch a file of a version; where it came from. Continues where an earlier try stopped.

        Its SHA-256 is compared with the one that was uploaded beside it, if there is one.
        """
        query = {"name": place.name, "version": place.version}
        version = self.call("GET", "model-versions/get", query)["model_version"]
        url = self.artifact_url(str(version["run_id"]), place.artifact)
        digest = tried(
            lambda: self.client.get(f"{url}.sha256", headers=self.headers(url)),
            url,
            accepts=(404,),
            pause_s=self.pause_s,
        )
        part = output.with_name(f"{output.name}.download")
        with writing(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            fetch_rest(self.client, url, part, self.headers(url), pause_s=self.pause_s)
            if digest.status_code != 404:
                require_digest(part, digest.text.split()[0] if digest.text.split() else "", url)
            part.replace(output)
        checked = "no" if digest.status_code == 404 else "sha256"
        return {"source": "gitlab", "name": place.name, "version": place.version, "artifact": place.artifact,
                "checksum": checked}  # fmt: skip

    def delete(self, name: str) -> None:
        """Delete a dataset with all its versions. Nothing brings it back."""
        self.call("DELETE", "registered-models/delete", {"name": name})

    def artifact_url(self, run_id: str, artifact: str) -> str:
        info = self.call("GET", "runs/get", {"run_id": run_id})["run"]["info"]
        return f"{str(info['artifact_uri']).rstrip('/')}/{quote(artifact)}"

    def headers(self, url: str) -> Mapping[str, str]:
        """The token, for addresses of the registry's own origin: artifacts may lie elsewhere."""
        ours, theirs = urlsplit(self.address), urlsplit(url)
        return self.authorization if (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc) else {}

    def call(self, method: str, route: str, values: Mapping[str, Any], *, accepts: str = "") -> Any:
        """One call of the API. An error whose code is `accepts` is none."""
        url = f"{self.address}{API}{route}"

        def request() -> Any:
            if method == "GET":
                return self.client.get(url, headers=self.headers(url), params=values)
            return self.client.request(method, url, headers=self.headers(url), json=values)

        answer = tried(request, url, accepts=(400, 409), pause_s=self.pause_s)
        with understood(url):
            body = answer.json()
            if answer.status_code < 400 or (accepts and body.get("error_code") == accepts):
                return body
        raise refused(url, answer)


@contextmanager
def understood(url: str) -> Generator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{url} did not answer as MLflow's API does: {describe(error)}"
        raise PalestraError("source-unavailable", message) from error


def require_digest(path: Path, expected: str, url: str) -> None:
    found = content_of_path(path).sha256
    if found != expected:
        path.unlink()
        message = f"{url} has the SHA-256 {found}, not {expected}; what was received is deleted"
        raise PalestraError("source-unavailable", message)
