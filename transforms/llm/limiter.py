"""When to call and when to call again: the retries of one request, the in-flight window of one endpoint."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from transforms.llm.requests import Kind, ModelError

BACKOFF_BASE_S: Final = 0.5
BACKOFF_CAP_S: Final = 30.0
RETRY_AFTER_CAP_S: Final = 120.0
REFUSED_IN_A_ROW: Final = 3
MAX_REASKED: Final = 1
"""Times a request is asked again because its reply was invalid or cut off."""

_WORTH_A_RETRY: Final = frozenset({Kind.TRANSIENT, Kind.THROTTLED, Kind.TIMEOUT})
_WORTH_ASKING_AGAIN: Final = frozenset({Kind.INVALID, Kind.TRUNCATED})

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]


class Retries:
    """The retry budget of one request.

    Waits follow exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture
    Blog, 2015): uniform over [0, min(cap, base * 2^n)], and never less than the provider asked for.
    """

    def __init__(self, max_attempts: int, random: Callable[[], float]) -> None:
        self._max_attempts = max_attempts
        self._random = random
        self._attempts = 0
        self._reasked = 0
        self._backoffs = 0

    def delay(self, error: ModelError) -> float | None:
        """Return the seconds to wait before the next attempt, after one that failed; None to give up."""
        self._attempts += 1
        if self._attempts >= self._max_attempts:
            return None
        if error.kind in _WORTH_ASKING_AGAIN:
            self._reasked += 1
            return 0.0 if self._reasked <= MAX_REASKED else None
        if error.kind not in _WORTH_A_RETRY:
            return None
        backoff = self._random() * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**self._backoffs)
        self._backoffs += 1
        return max(backoff, min(error.retry_after or 0.0, RETRY_AFTER_CAP_S))


class Window:
    """How many calls to one endpoint may be in flight, learnt from how it answers.

    Additive increase, multiplicative decrease (Chiu and Jain, 1989): a throttled call halves the window, a window full
    of answers widens it by one, up to `ceiling`. Calls that were already under way when the window was halved say
    nothing new, so they do not halve it again. After three refusals without an answer between them, which are no
    accident, a Retry-After holds every call back, not only the one that was told; where a provider names none, a pause
    does that doubles with every halving until an answer comes.
    Without this, a limit of the provider below our concurrency would spend the attempts of most requests on 429s.
    """

    def __init__(self, ceiling: int, clock: Clock, sleep: Sleep) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._sleep = sleep
        self._width = float(ceiling)
        self._running = 0
        self._halvings = 0
        self._refused = 0
        self._pauses = 0
        self._resume_at = 0.0
        self._changed = asyncio.Condition()

    @property
    def width(self) -> int:
        """Calls that may be in flight now."""
        return int(self._width)

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place in the window, hold it for the block, and learn from what the block raises."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._running < self.width)
            self._running += 1
        try:
            await self.resumed()
            halvings = self._halvings
            try:
                yield
            except ModelError as error:
                if error.kind is Kind.THROTTLED:
                    self._throttled(halvings, error.retry_after)
                raise
            self._refused = self._pauses = 0
            self._width = min(float(self._ceiling), self._width + 1.0 / self._width)
        finally:
            self._running -= 1
            async with self._changed:
                self._changed.notify(max(0, self.width - self._running))

    async def resumed(self) -> None:
        """Wait until no Retry-After holds the endpoint's calls back."""
        while (pause := self._resume_at - self._clock()) > 0:
            await self._sleep(pause)

    def _throttled(self, halvings: int, retry_after: float | None) -> None:
        news = halvings == self._halvings
        if news:
            self._width = max(1.0, self._width / 2)
            self._halvings += 1
        self._refused += 1
        if self._refused < REFUSED_IN_A_ROW:
            return
        if retry_after is not None:
            pause = min(retry_after, RETRY_AFTER_CAP_S)
        elif news:
            pause = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**self._pauses)
            self._pauses += 1
        else:
            return
        self._resume_at = max(self._resume_at, self._clock() + pause)
