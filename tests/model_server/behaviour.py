"""How the server behaves: its latency, its faults, whom it lets in and at what pace."""

from __future__ import annotations

import hashlib
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

FAULTS: Final = ("429", "500", "401", "timeout", "prose", "refusal", "empty", "truncated", "wrong_types")
"""What can go wrong on request: three HTTP statuses, a silent connection, five useless answers with status 200."""

Latency = float | tuple[Literal["lognormal"], float, float]
"""Seconds, or ("lognormal", median in seconds, sigma of the logarithm)."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How fast, how badly and for whom the server answers.

    Attributes:
      seed: the seed of latencies and faults; answers do not depend on it.
      latency: how long an answer takes. The statuses 401, 404, 400 and 429 are sent at once.
      faults: the share of the requests that meets each fault (see `FAULTS`), at most 1 in all.
        Of a batch's requests one with "timeout" is in neither of its files, and "401" is no fault.
      retry_after: seconds in the Retry-After header of the fault "429"; no header where None.
      hold_s: seconds for which the fault "timeout" keeps a connection before it drops it; 0 drops it at once.
      api_key: the bearer key that every request must carry; a wrong one gets 401.
      models: the models that exist; another one gets 404. Any exists where None.
      chars_per_token: characters that count as a token, in prompts and answers.
      context_chars: characters in all messages together above which a request gets 400 context_length_exceeded.
      requests_per_minute: the pace above which a request gets 429 with Retry-After; a second's worth may come at once.
      sliding_window: (N, S): a request gets 429 with Retry-After where N have been let in during the last S seconds.
      batch_seconds: how long a batch takes from its creation to its end, without regard to `latency`; 0 is at once.
      batch_max_requests: the requests in a batch's input file above which the batch fails.
      batch_max_bytes: the bytes of a batch's input file above which the batch fails.
      batch_listing: whether batches can be listed; if not, the listing gets 405.
      batch_hold_s: seconds between the creation of a batch and the reply that tells its id.
      batch_expired: the share of a batch's requests, the last ones, rounded down, that is left undone when it expires.
    """

    seed: int = 0
    latency: Latency = 0.0
    faults: Mapping[str, float] = field(default_factory=dict)
    retry_after: float | None = None
    hold_s: float = 600.0
    api_key: str | None = None
    models: tuple[str, ...] | None = None
    chars_per_token: float = 4.0
    context_chars: int | None = None
    requests_per_minute: float | None = None
    sliding_window: tuple[int, float] | None = None
    batch_seconds: float = 0.0
    batch_max_requests: int = 50_000
    batch_max_bytes: int = 200 * 10**6
    batch_listing: bool = True
    batch_hold_s: float = 0.0
    batch_expired: float = 0.0

    def __post_init__(self) -> None:
        for name, share in self.faults.items():
            if name not in FAULTS:
                raise ValueError(f"no fault is called {name!r}; choose from {', '.join(FAULTS)}")
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
                raise ValueError(f"the share of fault {name!r} is {share!r}; give a number from 0 to 1")
        if sum(self.faults.values()) > 1 + 1e-9:
            raise ValueError(f"the shares of faults add up to {sum(self.faults.values())}; keep them within 1")
        if isinstance(self.latency, tuple) and (self.latency[0] != "lognormal" or self.latency[1] <= 0):
            raise ValueError(f'the latency is {self.latency!r}; give seconds or ("lognormal", median > 0, sigma)')

        if self.sliding_window is not None and min(self.sliding_window) <= 0:
            raise ValueError(f"the sliding window is {self.sliding_window}; give requests and seconds above 0")
        if self.chars_per_token <= 0:
            raise ValueError(f"there are {self.chars_per_token!r} characters in a token; give a number above 0")
        if not 0 <= self.batch_expired <= 1:
            raise ValueError(f"the share of expired requests is {self.batch_expired!r}; give a number from 0 to 1")

    def fault(self, sha256: str, attempt: int) -> str | None:
        """Return the fault that the given attempt (from 0) at a request meets, if any."""
        draw = self._draw("fault", sha256, attempt)
        for name in FAULTS:
            draw -= self.faults.get(name, 0.0)
            if draw < 0:
                return name
        return None

    def latency_s(self, sha256: str, attempt: int) -> float:
        """Return the seconds that the given attempt (from 0) at a request takes."""
        if not isinstance(self.latency, tuple):
            return self.latency
        _, median, sigma = self.latency
        return median * math.exp(sigma * statistics.NormalDist().inv_cdf(self._draw("latency", sha256, attempt)))

    def _draw(self, what: str, sha256: str, attempt: int) -> float:
        """Return a number strictly between 0 and 1, the same for the same arguments."""
        digest = hashlib.sha256(f"{self.seed} {what} {sha256} {attempt}".encode()).digest()
        # 52 bits and a half: one bit more and the largest would round to 1, where a quantile is infinite.
        return ((int.from_bytes(digest[:8], "big") >> 12) + 0.5) / 2**52


class Bucket:
    """A token bucket that holds one second's worth of a rate."""

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._size = max(1.0, self._per_second)
        self._tokens = self._size
        self._filled_at = time.monotonic()

    def wait_s(self) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        now = time.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second


class SlidingWindow:
    """Counts what was let in during the last seconds, to the moment."""

    def __init__(self, requests: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests = requests
        self._seconds = seconds
        self._clock = clock
        self._let_in: deque[float] = deque()

    def wait_s(self) -> float:
        """Let a request in and return 0, or return the seconds until one may come in."""
        now = self._clock()
        while self._let_in and self._let_in[0] <= now - self._seconds:
            self._let_in.popleft()
        if len(self._let_in) < self._requests:
            self._let_in.append(now)
            return 0.0
        return self._let_in[0] + self._seconds - now
