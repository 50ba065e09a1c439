"""A bare client of the server, for the tests of the server itself: what it asks, and how it reads answers and log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.model_server.batches import ENDPOINT
from tests.model_server.service import ModelServer

FENCE = "0123456789abcdef"
BRIDGE = (
    "The old bridge is 412 metres long and carries two lanes. It was finished in 1931 after a long dispute. "
    "The engineer in charge was Clara Holt from the north.\nEvery morning about 9,300 bicycles cross the river there."
)


def chat(stage: str | None, document: str = BRIDGE, task: str = "Do the task.", model: str = "small") -> dict[str, Any]:
    content = f"--- begin {FENCE}\n{document}\n--- end {FENCE}\n\n{task}"
    messages = [{"role": "system", "content": "You read."}, {"role": "user", "content": content}]
    body: dict[str, Any] = {"model": model, "messages": messages}
    if stage is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": stage, "schema": {}}}
    return body


Answer = tuple[int, Mapping[str, str], Any]


async def post(session: aiohttp.ClientSession, url: str, body: object, key: str | None = None) -> Answer:
    headers = None if key is None else {"Authorization": f"Bearer {key}"}
    async with session.post(url, json=body, headers=headers) as response:
        return response.status, response.headers, await response.json()


def ask(server: ModelServer, *bodies: object, key: str | None = None, timeout_s: float = 20) -> list[Answer]:
    """Send the bodies one after another over one connection."""

    async def run() -> list[Answer]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(timeout_s)) as session:
            return [await post(session, f"{server.base_url}/chat/completions", body, key) for body in bodies]

    return asyncio.run(run())


def ask_at_once(server: ModelServer, bodies: Sequence[object], limit: int) -> list[Answer]:
    """Send all bodies, at most `limit` of them at any time."""

    async def run() -> list[Answer]:
        connector = aiohttp.TCPConnector(limit=limit)
        async with aiohttp.ClientSession(connector=connector) as session:
            return await asyncio.gather(
                *(post(session, f"{server.base_url}/chat/completions", body) for body in bodies)
            )

    return asyncio.run(run())


def get(url: str) -> Any:
    async def run() -> Any:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.json()

    return asyncio.run(run())


def batch_line(custom_id: str, body: object, url: str = ENDPOINT) -> bytes:
    """Return a line of a batch's input file."""
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body}).encode() + b"\n"


def batch_of(count: int) -> bytes:
    """Return an input file with a request for each document."""
    return b"".join(batch_line(f"r{n}", chat("screen", f"Document {n}.")) for n in range(count))


def message(answer: Answer) -> dict[str, Any]:
    status, _, payload = answer
    assert status == 200
    found: dict[str, Any] = payload["choices"][0]["message"]
    return found


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited for 20 seconds in vain"
        time.sleep(0.01)
