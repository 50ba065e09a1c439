"""The HTTP service: its routes, the port it is bound to, and the thread it may live in."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import math
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

from aiohttp import web

from tests.model_server.answers import PLAIN, body_sha256, stage_of
from tests.model_server.api import (
    WRONG_KEY,
    Reply,
    checked,
    completion_reply,
    error_reply,
    parse,
    prompt_chars,
    refuse_key,
)
from tests.model_server.batch_routes import UPLOAD_BYTES, BatchRoutes
from tests.model_server.batches import Batches
from tests.model_server.behaviour import Behaviour, Bucket, SlidingWindow
from tests.model_server.traffic import Traffic, Visit

_FORM_BYTES: Final = 2**20
"""What a form may have besides its file."""


_AT_ONCE: Final = ("401", "429")
"""The faults that take no time."""


class Service:
    """The routes, and what they share."""

    def __init__(self, behaviour: Behaviour, traffic: Traffic) -> None:
        self.behaviour = behaviour
        self.traffic = traffic
        self._attempts: Counter[str] = Counter()
        self._gates: list[Bucket | SlidingWindow] = []
        if behaviour.requests_per_minute is not None:
            self._gates.append(Bucket(behaviour.requests_per_minute))
        if behaviour.sliding_window is not None:
            self._gates.append(SlidingWindow(*behaviour.sliding_window))

    def app(self) -> web.Application:
        """Return the application with all routes."""
        app = web.Application(client_max_size=UPLOAD_BYTES + _FORM_BYTES)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_get("/stats", self._stats)
        app.router.add_post("/faults", self._faults)
        batches = Batches(self.behaviour, self._answer_of_batch, time.time)
        BatchRoutes(self.behaviour, batches, self.traffic).add_to(app)
        return app

    async def _chat(self, request: web.Request) -> web.Response:
        raw = await request.read()
        body = parse(raw)
        if body is None:
            visit = self.traffic.open(hashlib.sha256(raw).hexdigest(), PLAIN, None)
        else:
            visit = self.traffic.open(body_sha256(body), stage_of(body), body["model"])
        status = None
        try:
            reply = self._refuse(request, body) if body is None else await self._reply(request, body, visit)
            if reply is None:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            response = reply.response()
            # Sent here and not by the framework, so that no step of the loop lies between the answer and its entry.
            await response.prepare(request)
            await response.write_eof()
            status = reply.status
        finally:
            self.traffic.close(visit, status)
        return response

    def _refuse(self, request: web.Request, body: Mapping[str, Any] | None) -> Reply | None:
        """Return the reply to a request that gets no answer whatever it asks, or None."""
        refused = refuse_key(request, self.behaviour.api_key) or self._unfit(body)
        if refused is not None:
            return refused
        wait_s = next((wait_s for gate in self._gates if (wait_s := gate.wait_s()) > 0), 0.0)
        if wait_s > 0:
            # Whole seconds, as RFC 9110 (section 10.2.3) has them.
            return error_reply(429, "rate_limit_exceeded", "requests per minute reached", str(math.ceil(wait_s)))
        return None

    def _unfit(self, body: Mapping[str, Any] | None) -> Reply | None:
        """Return the reply to a body that cannot be answered, or None."""
        rules = self.behaviour
        if body is None:
            return error_reply(400, None, "the body is not JSON with a model and messages of a role and a text each")
        if rules.models is not None and body["model"] not in rules.models:
            return error_reply(404, "model_not_found", f"the model {body['model']!r} does not exist")
        if rules.context_chars is not None and prompt_chars(body) > rules.context_chars:
            message = f"the messages have {prompt_chars(body)} characters; this model's maximum context length is "
            return error_reply(400, "context_length_exceeded", f"{message}{rules.context_chars} characters")
        return None

    async def _reply(self, request: web.Request, body: Mapping[str, Any], visit: Visit) -> Reply | None:
        """Return the reply to a request after its latency; None where the connection is to be dropped."""
        refused = self._refuse(request, body)
        if refused is not None:
            return refused
        attempt = self._meet_fault(visit)
        if visit.fault == "timeout":
            await asyncio.sleep(self.behaviour.hold_s)
            return None
        if visit.fault not in _AT_ONCE:
            await asyncio.sleep(self.behaviour.latency_s(visit.sha256, attempt))
        return self._answer(body, visit)

    def _meet_fault(self, visit: Visit) -> int:
        """Note the fault that this attempt at a body meets; return the attempt, counted from 0."""
        attempt = self._attempts[visit.sha256]
        self._attempts[visit.sha256] += 1
        visit.fault = self.behaviour.fault(visit.sha256, attempt)
        return attempt

    def _answer(self, body: Mapping[str, Any], visit: Visit) -> Reply:
        if visit.fault == "401":
            return WRONG_KEY
        if visit.fault == "429":
            wait = None if self.behaviour.retry_after is None else f"{self.behaviour.retry_after:g}"
            return error_reply(429, "rate_limit_exceeded", "too many requests", wait)
        if visit.fault == "500":
            return error_reply(500, None, "the server failed on purpose")
        return completion_reply(body, visit, self.behaviour.chars_per_token)

    def _answer_of_batch(self, asked: object, batch_id: str) -> Reply | None:
        """Return the reply to a request of a batch; None where it is to be lost, as the fault "timeout" has it.

        The fault "401" is none here, for a batch has its key already; nor do the limits on requests and the latency
        apply, for batches have a pace of their own.
        """
        body = checked(asked)
        stage, model = (PLAIN, None) if body is None else (stage_of(body), body["model"])
        visit = self.traffic.open(body_sha256(asked), stage, model, batch_id)
        reply = self._unfit(body)
        if reply is None and body is not None:
            self._meet_fault(visit)
            visit.fault = None if visit.fault == "401" else visit.fault
            reply = None if visit.fault == "timeout" else self._answer(body, visit)
        self.traffic.close(visit, None if reply is None else reply.status)
        return reply

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _models(self, request: web.Request) -> web.Response:
        refused = refuse_key(request, self.behaviour.api_key)
        if refused is not None:
            return refused.response()
        names = self.behaviour.models or ()
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "tests"} for name in names]
        return web.json_response({"object": "list", "data": models})

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response(self.traffic.stats())

    async def _faults(self, request: web.Request) -> web.Response:
        try:
            faults = await request.json()
            if not isinstance(faults, dict):
                raise ValueError('the body must be an object like {"429": 0.1}')
            self.set_faults(faults)
        except ValueError as error:
            return error_reply(400, None, str(error)).response()
        return web.json_response(faults)

    def set_faults(self, faults: Mapping[str, float]) -> None:
        """Replace the shares of faults (see `ModelServer.set_faults`)."""
        self.behaviour = dataclasses.replace(self.behaviour, faults=dict(faults))


@contextlib.asynccontextmanager
async def serving(service: Service, port: int) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 while the context lasts; yields the port, which is a free one where `port` is 0."""
    # A client that leaves cancels its request, so that what nobody waits for is not counted as in flight.
    runner = web.AppRunner(service.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def opened(log: Path | None) -> Iterator[TextIO | None]:
    """Keep a log open for appending while the context lasts; yields None where there is none."""
    if log is None:
        yield None
    else:
        with log.open("a", encoding="utf-8") as file:
            yield file


class ModelServer:
    """The server in a thread of its own, from `__enter__` to `__exit__`.

    Attributes:
      base_url: what an OpenAI client takes, "http://127.0.0.1:PORT/v1".
      url: the same without /v1, for /stats and /faults.
    """

    base_url: str
    url: str

    def __init__(self, behaviour: Behaviour | None = None, *, log: Path | None = None) -> None:
        self._behaviour = behaviour or Behaviour()
        self._log = log
        self._started: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._started.result(timeout=30)}"
        self.base_url = f"{self.url}/v1"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def stats(self) -> dict[str, Any]:
        """Return the totals so far (see `Traffic.stats`); also after the server has stopped."""
        if not self._thread.is_alive():
            return self._service.traffic.stats()
        # On the server's loop, so that every answer a client already has is counted.
        return asyncio.run_coroutine_threadsafe(self._read_stats(), self._loop).result(timeout=30)

    def set_faults(self, faults: Mapping[str, float]) -> None:
        """Replace the shares of faults.

        Raises:
          ValueError: a fault is unknown, or a share is not one.
        """
        self._service.set_faults(faults)

    async def _read_stats(self) -> dict[str, Any]:
        return self._service.traffic.stats()

    def _run(self) -> None:
        try:
            with opened(self._log) as log:
                self._service = Service(self._behaviour, Traffic(log))
                asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with serving(self._service, 0) as port:
            self._started.set_result(port)
            await self._stop.wait()
