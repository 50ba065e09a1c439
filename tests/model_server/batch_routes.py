"""The Files and Batches API on the wire: its routes, and the work on the batches between the requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from tests.model_server.api import Reply, error_reply, refuse_key
from tests.model_server.batches import ENDPOINT, WINDOW, Batch, Batches, Lost, Refused
from tests.model_server.behaviour import Behaviour
from tests.model_server.traffic import Traffic

UPLOAD_BYTES: Final = 512 * 10**6
"""OpenAI takes files of up to 512 MB, whatever they are for; a larger one gets 413."""

_AT_ONCE: Final = 50
"""Requests of a batch that are answered in one step of the loop."""

_MAX_PAIRS, _MAX_KEY, _MAX_VALUE = 16, 64, 512
_MAX_PAGE: Final = 100

Handler = Callable[[web.Request], Awaitable[web.Response]]


class BatchRoutes:
    """The routes, and a task for each batch that has not ended."""

    def __init__(self, rules: Behaviour, batches: Batches, traffic: Traffic) -> None:
        self._rules = rules
        self._batches = batches
        self._traffic = traffic
        self._work: set[asyncio.Task[None]] = set()

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application, and stop the work with it."""
        add = app.router.add_route
        add("POST", "/v1/files", self._guarded(self._upload))
        add("GET", "/v1/files/{id}", self._guarded(self._file))
        add("GET", "/v1/files/{id}/content", self._guarded(self._content))
        add("DELETE", "/v1/files/{id}", self._guarded(self._delete))
        add("POST", "/v1/batches", self._guarded(self._create))
        add("GET", "/v1/batches/{id}", self._guarded(self._batch))
        add("POST", "/v1/batches/{id}/cancel", self._guarded(self._cancel))
        if self._rules.batch_listing:
            add("GET", "/v1/batches", self._guarded(self._list))
        app.cleanup_ctx.append(self._stopping)

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.Response:
            refused = refuse_key(request, self._rules.api_key)
            if refused is not None:
                return refused.response()
            try:
                return await handler(request)
            except Lost as error:
                return error_reply(404, None, str(error)).response()
            except Refused as error:
                return error_reply(409, None, str(error)).response()

        return guarded

    async def _stopping(self, app: web.Application) -> AsyncIterator[None]:
        yield
        for task in self._work:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._work)

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file, purpose = form.get("file"), form.get("purpose")
        if not isinstance(file, web.FileField) or purpose != "batch":
            return error_reply(400, None, "the body is not a form with a file and the purpose 'batch'").response()
        kept = self._batches.add_file(file.filename, purpose, file.file.read())
        self._traffic.note("file_uploaded", file=kept.id, bytes=len(kept.content))
        return web.json_response(kept.as_json())

    async def _file(self, request: web.Request) -> web.Response:
        return web.json_response(self._batches.file(request.match_info["id"]).as_json())

    async def _content(self, request: web.Request) -> web.Response:
        content = self._batches.file(request.match_info["id"]).content
        return web.Response(body=content, content_type="application/octet-stream")

    async def _delete(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        self._batches.delete_file(name)
        return web.json_response({"id": name, "object": "file", "deleted": True})

    async def _create(self, request: web.Request) -> web.Response:
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        refused = _unfit(asked)
        if refused is not None:
            return refused.response()
        batch = self._batches.create(asked["input_file_id"], asked.get("metadata"))
        self._traffic.note("batch_created", batch=batch.id, metadata=batch.metadata)
        created = batch.as_json()
        task = asyncio.create_task(self._bring_to_its_end(batch))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        # A client that leaves now cancels this handler, but not the batch that it has not heard of.
        await asyncio.sleep(self._rules.batch_hold_s)
        return web.json_response(created)

    async def _bring_to_its_end(self, batch: Batch) -> None:
        while not batch.ended:
            more = self._batches.advance(batch, _AT_ONCE)
            await asyncio.sleep(0 if more else max(0.005, self._rules.batch_seconds / 100))

    async def _batch(self, request: web.Request) -> web.Response:
        return web.json_response(self._batches.batch(request.match_info["id"]).as_json())

    async def _cancel(self, request: web.Request) -> web.Response:
        return web.json_response(self._batches.cancel(request.match_info["id"]).as_json())

    async def _list(self, request: web.Request) -> web.Response:
        limit = request.query.get("limit", "20")
        if not limit.isdecimal() or not 1 <= int(limit) <= _MAX_PAGE:
            return error_reply(400, None, f"limit is {limit!r}; give 1 to {_MAX_PAGE}").response()
        page, more = self._batches.page(request.query.get("after"), int(limit))
        ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {"first_id": None, "last_id": None}
        data = [batch.as_json() for batch in page]
        return web.json_response({"object": "list", "data": data, **ends, "has_more": more})


def _unfit(asked: Any) -> Reply | None:
    """Return the reply to a request for a batch that cannot be created, or None."""
    if not isinstance(asked, dict) or not isinstance(asked.get("input_file_id"), str):
        return error_reply(400, None, "the body is not an object with an input_file_id")
    if asked.get("endpoint") != ENDPOINT:
        return error_reply(400, None, f"the endpoint is {asked.get('endpoint')!r}; only {ENDPOINT} is known")
    if asked.get("completion_window") != WINDOW:
        return error_reply(400, None, f"the completion_window is {asked.get('completion_window')!r}; give {WINDOW}")
    metadata = asked.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or len(metadata) > _MAX_PAIRS:
        return error_reply(400, None, f"the metadata is not an object of at most {_MAX_PAIRS} pairs")
    for key, value in metadata.items():
        if not isinstance(value, str) or len(key) > _MAX_KEY or len(value) > _MAX_VALUE:
            message = f"the metadata {key!r} is not a text of at most {_MAX_VALUE} characters under a key of {_MAX_KEY}"
            return error_reply(400, None, message)
    return None
