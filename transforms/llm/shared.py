"""One client a process: its event loop has a thread of its own, and any thread may ask it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import weakref
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from transforms.llm.client import Answered, ClientSettings, ModelClient, Unanswered
from transforms.llm.requests import Request

T = TypeVar("T")


class _Host:
    """A `ModelClient` on an event loop of its own, in a thread that ends when the host is collected or closed."""

    def __init__(self, settings: ClientSettings) -> None:
        client = ModelClient(settings)
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        # The thread holds no reference to the host, or the host would never be collected.
        thread = threading.Thread(target=_run, args=(client, started), name="model-client", daemon=True)
        thread.start()
        self.client = client
        self.loop, stop = started.result()
        self.close = weakref.finalize(self, _stop, thread, self.loop, stop)


def _run(client: ModelClient, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    try:
        asyncio.run(_serve(client, started))
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)


async def _serve(client: ModelClient, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    stop = asyncio.Event()
    started.set_result((asyncio.get_running_loop(), stop))
    try:
        await stop.wait()
    finally:
        await client.close()


def _stop(thread: threading.Thread, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)
    if thread is not threading.current_thread():
        thread.join()


_HOSTS: Final[weakref.WeakValueDictionary[str, _Host]] = weakref.WeakValueDictionary()
_HOSTS_LOCK: Final = threading.Lock()


class SharedClient:
    """The one client of a process for given settings, for use from any thread.

    All instances with equal settings share one event loop, one cache index, one set of limits; these end when the last
    instance is closed or collected. Made in a DoFn's `setup`, never pickled with it.

    Raises:
      ValueError, CacheError: as `ModelClient`.
    """

    def __init__(self, settings: ClientSettings) -> None:
        name = json.dumps(dataclasses.asdict(settings), sort_keys=True)
        with _HOSTS_LOCK:
            host = _HOSTS.get(name)
            if host is None:
                host = _HOSTS[name] = _Host(settings)
        self._host: _Host | None = host

    def ask_all(self, requests: Sequence[Request]) -> Future[list[Answered | Unanswered]]:
        """Ask requests side by side; the future holds their outcomes in their order, and raises only `CacheError`."""
        return self.submit(lambda client: client.ask_all(requests))

    def submit(self, job: Callable[[ModelClient], Coroutine[Any, Any, T]]) -> Future[T]:
        """Run `job(client)` on the client's event loop.

        Raises:
          RuntimeError: the client is closed.
        """
        if self._host is None:
            raise RuntimeError("the shared client is closed; make another")
        return asyncio.run_coroutine_threadsafe(job(self._host.client), self._host.loop)

    def close(self) -> None:
        """Give up this instance's share. What is in flight is cancelled when nobody else holds one."""
        self._host = None
