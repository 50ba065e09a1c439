"""A rate that nobody configured, learnt from what an endpoint refuses."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterator
from typing import Final

from transforms.llm.limiter import REFUSED_IN_A_ROW, Clock, Sleep
from transforms.llm.rates import MINUTE_S, TICK_S, TOLERANCE_S, USED, LocalArrivals, interval_s
from transforms.llm.requests import Kind, ModelError

REMEMBERED_S: Final = 600.0
"""How long a rate that was learnt holds."""
_REQUESTS: Final = "requests"


class LearntRate:
    """A rate of requests that an endpoint has shown to be its limit, where the configured one is higher or absent.

    Three refusals in a row teach it: what was let in during the minute before, which is the limit of a provider that
    counts in minutes. It is forgotten after ten minutes, so that a limit that was raised is found. `Window` alone keeps
    such a provider busy too, but asks in bursts, and 3 % of its calls are refused.
    """

    def __init__(self, clock: Clock, sleep: Sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._arrivals = LocalArrivals(clock)
        self._first: float | None = None
        self._let_in: deque[float] = deque()
        self._in_flight = 0
        self._refused = 0
        self._rate: float | None = None
        self._learnt_at = -math.inf
        self._owed_s = 0.0

    @property
    def per_minute(self) -> float | None:
        """Requests a minute; None while nothing has been learnt, or after it was forgotten."""
        return self._rate if self._clock() - self._learnt_at < REMEMBERED_S else None

    async def take(self) -> None:
        """Wait until a request may go."""
        while (rate := self.per_minute) is not None:
            owed_s, self._owed_s = self._owed_s, 0.0
            wait = await self._arrivals.take({_REQUESTS: interval_s(1.0, rate)}, {_REQUESTS: owed_s})
            if wait <= 0:
                return
            await self._sleep(max(wait, TICK_S))

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Learn from what becomes of a call."""
        began = self._clock()
        self._first = began if self._first is None else self._first
        self._in_flight += 1
        refused = False
        try:
            yield
        except ModelError as error:
            refused = error.kind is Kind.THROTTLED
            raise
        finally:
            self._in_flight -= 1
            if refused:
                self._refused += 1
                self._learn(self._first, began)
            else:
                self._refused = 0
                self._let_in.append(began)
                self._forget(self._clock() - MINUTE_S)

    def _forget(self, before: float) -> None:
        while self._let_in and self._let_in[0] <= before:
            self._let_in.popleft()

    def _learn(self, first: float, began: float) -> None:
        now, rate = self._clock(), self.per_minute
        if rate is not None:
            if began <= self._learnt_at:  # was under way then, and counted as let in
                self._rate = max(1.0, rate - 1.0)
            return
        if self._refused < REFUSED_IN_A_ROW or now - first < MINUTE_S:
            return
        self._forget(now - MINUTE_S)
        self._rate = max(1.0, float(len(self._let_in) + self._in_flight))
        self._learnt_at = now
        # The minute that is just over was full; at the new rate it would stay so, and refuse, until room is made.
        self._owed_s = (1.0 - USED) * MINUTE_S + TOLERANCE_S
