"""What the requests to one model, at one place and with one key, share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from transforms.llm.learnt_rate import LearntRate
from transforms.llm.limiter import Window
from transforms.llm.rates import Pace
from transforms.llm.requests import Completion, ModelError, Request, Settings


class Endpoint:
    """The window and the rates of an endpoint, and whether it works at all.

    Args:
      window: how many calls may be in flight.
      pace: at which rates they may go, None where none is configured.
      learnt: at which rate they may go as far as the endpoint has shown.
      places: the calls that the whole process may have in flight.
    """

    def __init__(self, window: Window, pace: Pace | None, learnt: LearntRate, places: asyncio.Semaphore) -> None:
        self.broken: ModelError | None = None
        self._window = window
        self._pace = pace
        self._learnt = learnt
        self._places = places
        self._turn = asyncio.Lock()

    def check(self) -> None:
        """Raise `ModelError` where an earlier call has shown that no call can succeed."""
        if self.broken is not None:
            raise ModelError(self.broken.kind, f"not asked, since an earlier call failed: {self.broken}"[:300])

    @contextlib.asynccontextmanager
    async def call(self, request: Request, settings: Settings) -> AsyncIterator[float]:
        """Wait until a request may go, and hold its place for the block; yields the tokens reserved for it.

        One request at a time waits for the rates, and then for a place of the process: it occupies none before, and
        those behind it cannot all go at once when places become free.

        Raises:
          ModelError: the endpoint is broken, or the limiter that workers share cannot be reached.
        """
        async with self._window.slot():
            async with self._turn:
                self.check()  # those in the queue need not wait for a turn that is in vain
                reserved = 0.0 if self._pace is None else await self._pace.take(request, settings)
                await self._learnt.take()
                await self._window.resumed()
                await self._places.acquire()
            try:
                with self._learnt.watching():
                    yield reserved
            finally:
                self._places.release()

    def settle(self, request: Request, reserved: float, completion: Completion) -> None:
        """Correct what was reserved for a request by what its answer took."""
        if self._pace is not None:
            self._pace.settle(request, reserved, completion)
