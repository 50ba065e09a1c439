"""Rates that all workers share through Redis. Imported only where `limiter` asks for it: it needs the extra `redis`."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from transforms.llm.failures import mask
from transforms.llm.limiter import Clock, Sleep
from transforms.llm.rates import TOLERANCE_S
from transforms.llm.requests import Kind, ModelError

TIMEOUT_S: Final = 5.0
OUTAGE_S: Final = 300.0
"""How long requests wait for a Redis that has gone, before they count as failed."""
BACKOFF_BASE_S: Final = 0.1
BACKOFF_CAP_S: Final = 5.0
_MICROSECONDS: Final = 1e6

_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local due, wait = {}, 0
for i, key in ipairs(KEYS) do
  due[i] = math.max(now, tonumber(redis.call('GET', key) or now) + ARGV[2 * i + 1])
  wait = math.max(wait, due[i] - ARGV[1] - now)
end
for i, key in ipairs(KEYS) do
  if wait <= 0 then due[i] = due[i] + ARGV[2 * i] end
  redis.call('SET', key, string.format('%.0f', due[i]), 'PX', math.ceil((due[i] - now) / 1000) + 60000)
end
return math.ceil(wait)
"""
"""`Arrivals.take` for the rates KEYS, all or nothing, in microseconds of Redis's own clock.

ARGV is the tolerance, then for each rate the interval and what is owed. A rate that nobody asks for is forgotten a
minute after its next request was due, when it has nothing more to say.
"""


class LimiterError(Exception):
    """A Redis that cannot keep limits: where and why, one line without its password."""


class RedisLimiter:
    """Keeps the rates of all workers that name the same Redis, in database keys that begin with `webscale-rl:`.

    A Redis that goes away in mid-run holds requests back: each endpoint tries again with backoff for five minutes. Then
    requests fail as `Kind.TRANSIENT`, so that the client retries them like any other call; those that use up their
    attempts end as errors, counted and open to `--retry-errors`. When it is back, even without its data, all goes on.

    All calls belong to one event loop, in which `close` must be awaited too.

    Args:
      url: redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS.
    """

    def __init__(self, url: str, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep) -> None:
        self._url = url
        self._clock = clock
        self._sleep = sleep
        # Retries are ours: the client's would not know how long Redis has been away for everybody.
        retry = Retry(NoBackoff(), 0)
        self._redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=retry)
        self._script = self._redis.register_script(_TAKE)
        self._down_since: float | None = None

    def arrivals(self, *endpoint: str | None) -> RedisArrivals:
        """Return the `Arrivals` of an endpoint, whose name may hold what no key should show."""
        name = hashlib.sha256(repr(endpoint).encode()).hexdigest()[:16]
        # The braces keep the rates of an endpoint on one node of a cluster.
        return RedisArrivals(self, f"webscale-rl:{{{name}}}")

    async def check(self) -> None:
        """Try the script.

        Raises:
          LimiterError: Redis cannot be reached, wants another password, or refuses scripts.
        """
        try:
            await self._script(keys=[f"webscale-rl:{{check}}:{rate}" for rate in "ab"], args=[0, 0, 0, 0, 0])
        except (RedisError, OSError) as error:
            raise LimiterError(self._said(error)) from None

    async def take(self, keys: list[str], args: list[float]) -> float:
        """Run the script and return its seconds; wait where Redis is away.

        Raises:
          ModelError: of kind `TRANSIENT`, when it has been away for five minutes.
        """
        tries = 0
        while True:
            try:
                wait = await self._script(keys=keys, args=[round(arg * _MICROSECONDS) for arg in args])
            except (RedisError, OSError) as error:
                said = self._said(error)
            else:
                self._down_since = None
                return float(wait) / _MICROSECONDS
            now = self._clock()
            self._down_since = now if self._down_since is None else self._down_since
            if now - self._down_since >= OUTAGE_S:
                raise ModelError(Kind.TRANSIENT, f"the limiter is away: {said}")
            await self._sleep(random.uniform(0.5, 1.0) * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**tries))
            tries += 1

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _said(self, error: Exception) -> str:
        said = " ".join(str(error).split()) or type(error).__name__
        password = urlsplit(self._url).password
        for secret in filter(None, [password, unquote(password or "")]):
            said = said.replace(secret, "[redacted]")
        return f"{mask(self._url)}: {said}"[:300]


class RedisArrivals:
    """`Arrivals` of all workers, for one endpoint."""

    def __init__(self, limiter: RedisLimiter, prefix: str) -> None:
        self._limiter = limiter
        self._prefix = prefix

    async def take(self, intervals: Mapping[str, float], owed: Mapping[str, float]) -> float:
        """See `Arrivals`; raises where Redis has been away for long."""
        args = [TOLERANCE_S]
        for rate, interval in intervals.items():
            args += [interval, owed.get(rate, 0.0)]
        return await self._limiter.take([f"{self._prefix}:{rate}" for rate in intervals], args)


async def check_limiter(url: str) -> None:
    """Try a limiter once.

    Raises:
      LimiterError: it cannot keep limits.
    """
    limiter = RedisLimiter(url)
    try:
        await limiter.check()
    finally:
        await limiter.close()
