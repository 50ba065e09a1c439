"""What a request costs, as counts that add up, and how many calls this process has in flight."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, Literal, get_args

from schemas.answers import Stage
from schemas.counts import Counts
from transforms.llm.requests import Completion, Kind, Request

Field = Literal[
    "requests",
    "calls",
    "latency_ms",
    "cache_hits",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cost_nano_usd",
    "replayed_prompt_tokens",
    "replayed_completion_tokens",
    "replayed_cost_nano_usd",
    "answers",
    "prompt_chars",
]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)
"""What is counted, besides `failed_KIND` for each value of `Kind`.

requests: questions asked by a stage, however they ended.
calls: attempts that reached for an engine, retries included.
latency_ms: milliseconds that the calls took, added up; calls in flight side by side count each.
cache_hits: requests without a call of their own: replayed, or answered together with an identical one in flight.
prompt_tokens, completion_tokens: as the provider counts them; answers paid for and then discarded count too.
cached_tokens: the part of prompt_tokens that the provider read from its own prompt cache.
cost_nano_usd: billionths of a dollar, because integers have one sum in any order; 0 for a model without a known price.
replayed_*: what answers from the cache took when they were paid, once where several requests share one; not what was
  discarded before them.
answers: completions that came with the tokens above, paid and replayed; none of an engine that counts no tokens.
prompt_chars: characters of their prompts; those of the first attempt for one that was replayed.
failed_KIND: attempts that failed so. A request may fail, be retried and succeed.
"""

Sample = tuple[Literal["call_ms", "completion_tokens_per_call"], int]
"""A value that adds up with no other, for a distribution on dashboards, under the name of what was measured.

call_ms: milliseconds that a call took, once for each of `calls`, whether it failed or not.
completion_tokens_per_call: once for each call that brought a completion.
"""


class CallGauge:
    """How many calls this process has in flight and how many have ended: for the terminal only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self._ended = 0

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Count a call as in flight for the block, however it ends."""
        with self._lock:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1
                self._ended += 1

    def snapshot(self) -> tuple[int, int]:
        """Return the calls in flight and the calls that have ended."""
        with self._lock:
            return self._in_flight, self._ended


CALLS: Final = CallGauge()


class Meter:
    """Measures one request of a stage to a model.

    Attributes:
      counts: under the keys (stage, "usage", model, field).
    """

    def __init__(self, stage: Stage, model: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counts = Counter()
        self._samples: list[Sample] = []
        self._clock = clock
        self._prefix = (stage, "usage", model)
        self._add("requests", 1)

    @property
    def calls(self) -> int:
        """Calls made for the request so far."""
        return self.counts[self._key("calls")]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What was measured of each call so far."""
        return tuple(self._samples)

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """Count an attempt, and measure it for the block."""
        self._add("calls", 1)
        started = self._clock()
        try:
            with CALLS.held():
                yield
        finally:
            took = round((self._clock() - started) * 1000)
            self._add("latency_ms", took)
            self._samples.append(("call_ms", took))

    def cache_hit(self) -> None:
        """Count an answer that took no call."""
        self._add("cache_hits", 1)

    def replayed(self, request: Request, completion: Completion) -> None:
        """Count what an answer from the cache took when it was paid; once for all requests that share it."""
        self._answer(request, completion, "replayed_")

    def paid(self, request: Request, completion: Completion) -> None:
        """Count what came back, whether it turns out to be of use or not."""
        self._answer(request, completion, "")
        self._add("cached_tokens", completion.cached_tokens)
        self._samples.append(("completion_tokens_per_call", completion.completion_tokens))

    def failed(self, kind: Kind) -> None:
        """Count an attempt that failed."""
        self._add(f"failed_{kind.value}", 1)

    def _answer(self, request: Request, completion: Completion, prefix: str) -> None:
        if completion.prompt_tokens:
            self._add("answers", 1)
            self._add("prompt_chars", request.characters)
        self._add(f"{prefix}prompt_tokens", completion.prompt_tokens)
        self._add(f"{prefix}completion_tokens", completion.completion_tokens)
        self._add(f"{prefix}cost_nano_usd", round(completion.cost_usd * 1e9))

    def _add(self, field: str, n: int) -> None:
        if n:
            self.counts[self._key(field)] += n

    def _key(self, field: str) -> tuple[str, ...]:
        return (*self._prefix, field)
