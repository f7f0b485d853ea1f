"""The first tasks of an environment as rows that any agent can play: with the prompt and tools that it makes."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from palestra.core.discovery import Source
from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Sampling
from palestra.data.load import EXAMPLES, rows_of_environment
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from palestra.store.paths import replacing, writing
from palestra.wire.encoding import encode
from palestra.wire.rows import AGENT_REF, PARAMS, create_params


def write_examples(source: Source, path: Path) -> int:
    """Write the examples of an environment, without an agent; how many they are.

    Raises PalestraError if a task cannot be opened, or the file cannot be written.
    """
    rows = asyncio.run(example_rows(source))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        for row in rows:
            file.write(encode(row) + b"\n")
    return len(rows)


async def example_rows(source: Source) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    async with AsyncExitStack() as stack:
        pool = GradingPool()
        stack.push_async_callback(pool.close)
        # Nobody is judged, so neither models nor a sandbox are needed.
        host = LocalHost(source, source.options({}), pool)
        stack.push_async_callback(host.close)
        for row in rows_of_environment(source, "example"):
            content = {name: value for name, value in row.content.items() if name not in (AGENT_REF, PARAMS)}
            try:
                session = await host.open(row.content, seed=0)
            except Failure as failure:
                raise PalestraError("invalid-row", f"{row.origin}: {failure.message}") from failure
            params = create_params(row.content, session.prompt, session.tools, Sampling())
            await session.close()
            found.append({PARAMS: params, **content})
    assert len(found) <= EXAMPLES
    return found
