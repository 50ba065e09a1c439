"""Where the processor time of a call goes: `python -m bench.llm_profile --documents 2000`.

One run in one process, against the tests' model server. The functions at the seams are wrapped and told apart by the
processor clock of their thread, each without what it calls of the others; a coroutine is timed step by step, and what
sockets bring where it is read. So the figures are no samples, hold the kernel's part, and hardly depend on what else
the machine does; a profiler of every call would triple those of small functions. The wrapping itself takes some 50
microseconds a request. What no wrapper covers is the event loop's, if it is on its thread, and otherwise Beam's.
"""

from __future__ import annotations

import argparse
import functools
import gc
import tempfile
import threading
import time
import types
from asyncio.selector_events import _SelectorSocketTransport as _SocketTransport  # type: ignore[attr-defined]
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any, Final

from bench.llm import run_flags, serving
from pipelines.cli import main as webscale_rl
from tests.support import prose_corpus
from transforms.llm import client, served_engine, shared, stage
from transforms.llm.cache import request_key
from transforms.llm.cache.local import LocalCache
from transforms.llm.parsing import parsed

RENDER: Final = "rendering the prompt, hashing the request to its key"
CACHE: Final = "cache: looking up and appending"
HTTP: Final = "HTTP: body, aiohttp, sockets"
ANSWER: Final = "answer: JSON and validation"
CLIENT: Final = "client: limits, retries, requests in flight"
LOOP: Final = "event loop: polling, callbacks, wake-ups"
STAGE: Final = "stages: window, decisions, ledger"
BEAM: Final = "Beam, from the first document asked about to the last"
AROUND: Final = "the stages before and after, and start-up"
COLLECT: Final = "garbage collection"


class Books:
    """Processor seconds by what they were for; what is nested is taken off from what it is nested in."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._threads = threading.local()

    def enter(self, what: str) -> None:
        """Count this thread's time for `what` from now on."""
        self._settle()
        self._threads.stack.append(what)

    def leave(self) -> None:
        """Count it again for what was before."""
        self._settle()
        self._threads.stack.pop()

    def _settle(self) -> None:
        mine, now = self._threads, time.thread_time()
        if not hasattr(mine, "stack"):
            mine.stack, mine.since = [], now
        if mine.stack:
            self.seconds[mine.stack[-1]] += now - mine.since
        mine.since = now

    def call(self, what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose calls are entered."""

        @functools.wraps(function)
        def entered(*args: Any, **more: Any) -> Any:
            self.enter(what)
            try:
                return function(*args, **more)
            finally:
                self.leave()

        return entered

    def steps(self, what: str, function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        """Return a coroutine function whose steps are entered."""

        @types.coroutine
        def entered(running: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
            advance: Callable[[], Any] = functools.partial(running.send, None)
            while True:
                try:
                    awaited = self.call(what, advance)()
                except StopIteration as end:
                    return end.value
                try:
                    advance = functools.partial(running.send, (yield awaited))
                except BaseException as error:
                    advance = functools.partial(running.throw, error)

        @functools.wraps(function)
        async def run(*args: Any, **more: Any) -> Any:
            return await entered(function(*args, **more))

        return run

    def items(self, what: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """Return a generator function each of whose items is entered."""

        @functools.wraps(function)
        def run(*args: Any) -> Iterator[Any]:
            items, done = function(*args), object()
            following = self.call(what, lambda: next(items, done))
            while (item := following()) is not done:
                yield item

        return run

    def collecting(self, phase: str, _: object) -> None:
        """Enter a garbage collection (for `gc.callbacks`)."""
        if phase == "start":
            self.enter(COLLECT)
        else:
            self.leave()


class Asking:
    """The time from the first document asked about to the end of the last bundle: all that the process used in it."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._begin: float | None = None
        self._beam = 0.0

    def mark(self, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """Return a generator function that begins it, if nothing has yet, and that it lasts to the end of."""

        @functools.wraps(function)
        def run(*args: Any) -> Iterator[Any]:
            if self._begin is None:
                self._begin = self._other()
            yield from function(*args)
            self._beam = self._other() - self._begin

        return run

    def beam_s(self) -> float:
        """Return the seconds in it that are in no book."""
        return self._beam

    def _other(self) -> float:
        return time.process_time() - sum(self._books.seconds.values())


def instrument() -> tuple[Books, Asking]:
    """Wrap the seams."""
    books = Books()
    asking = Asking(books)
    patches: tuple[tuple[Any, str, Any], ...] = (
        (stage.DocumentRule, "requests", books.call(RENDER, stage.DocumentRule.requests)),
        (stage.SlotRule, "requests", books.call(RENDER, stage.SlotRule.requests)),
        (client, "request_key", books.call(RENDER, request_key)),
        (client.ModelClient, "ask_all", books.steps(CLIENT, client.ModelClient.ask_all)),
        (client.ModelClient, "_outcome", books.steps(CLIENT, client.ModelClient._outcome)),
        (client.ModelClient, "_answer", books.steps(CLIENT, client.ModelClient._answer)),
        (LocalCache, "get", books.call(CACHE, LocalCache.get)),
        (LocalCache, "put", books.steps(CACHE, LocalCache.put)),
        (served_engine.ServedEngine, "complete", books.steps(HTTP, served_engine.ServedEngine.complete)),
        (served_engine, "_read", books.call(ANSWER, served_engine._read)),
        (client, "parsed", books.call(ANSWER, parsed)),
        (shared, "_run", books.call(LOOP, shared._run)),
        (stage._Ask, "process", asking.mark(books.items(STAGE, stage._Ask.process))),
        (stage._Ask, "finish_bundle", asking.mark(books.items(STAGE, stage._Ask.finish_bundle))),
        (_SocketTransport, "_read_ready", books.call(HTTP, _SocketTransport._read_ready)),
        (_SocketTransport, "_write_ready", books.call(HTTP, _SocketTransport._write_ready)),
    )
    for owner, name, wrapped in patches:
        setattr(owner, name, wrapped)
    gc.callbacks.append(books.collecting)
    return books, asking


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", default="lognormal:0.3:0.5", help="seconds, or lognormal:MEDIAN:SIGMA")
    flags = parser.parse_args()
    books, asking = instrument()
    with tempfile.TemporaryDirectory() as name, serving("--latency", flags.latency) as server:
        corpus = prose_corpus(Path(name), flags.documents)
        code = webscale_rl(run_flags(corpus, f"{name}/run", server.url, flags.concurrency))
        requests = server.stats()["requests"]
    if code:
        raise SystemExit(f"the run ended with {code}")
    print(table(books, asking, requests))


def table(books: Books, asking: Asking, requests: int) -> str:
    """Return what the processor time was for, the most first."""
    seconds = {**books.seconds, BEAM: asking.beam_s()}
    total = time.process_time()
    seconds[AROUND] = total - sum(seconds.values())
    lines = [f"\n{requests} requests, {total:.1f} s of processor time; microseconds a request, and share:"]
    for what, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        lines.append(f"{1e6 * spent / requests:8.0f}  {spent / total:6.1%}  {what}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
