"""A server that sends prepared replies, for what our model server never says."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import threading
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from transforms.llm.requests import Settings

GOOD = '{"thought": "t", "qualified": true}'


def settings(base: str, model: str = "my-model", **changes: Any) -> Settings:
    """Return the settings of a model that a server at `base` serves."""
    return dataclasses.replace(Settings(model, base), **changes)


class Replies:
    """A server that sends prepared replies in turn, the last one for ever, and keeps the requests."""

    def __init__(self, *replies: dict[str, Any]) -> None:
        self.replies = replies
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.base = ""

    async def handle(self, incoming: web.Request) -> web.Response:
        reply = self.replies[min(len(self.bodies), len(self.replies) - 1)]
        self.bodies.append(await incoming.json())
        self.headers.append(dict(incoming.headers))
        return web.Response(**{"content_type": "application/json", **reply})


@contextlib.contextmanager
def serving(*replies: dict[str, Any]) -> Iterator[Replies]:
    server, loop = Replies(*replies), asyncio.new_event_loop()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
    server.base = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(runner.cleanup())
        loop.close()


def said(text: str | None, finish_reason: str = "stop", **message: object) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text, **message}}
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 800},
    }
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return {"text": json.dumps(body)}


def error(status: int, message: str, code: str | None = None, **headers: str) -> dict[str, Any]:
    body = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
    return {"status": status, "text": json.dumps(body), "headers": headers}
