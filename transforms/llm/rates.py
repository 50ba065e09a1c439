"""When the next request to a model may go: a configured rate of requests, and of tokens, a minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.answers import Stage
from transforms.llm.limiter import Clock, Sleep
from transforms.llm.requests import Completion, Request, Settings

MINUTE_S: Final = 60.0
USED: Final = 0.98
"""The share of a rate that is asked for."""
TOLERANCE_S: Final = 0.6
"""How much earlier than evenly spaced a request may go.

In any minute that lets ceil(0.98 * 1.01 * rate) requests go: as a provider that counts in a sliding window allows, and
about a hundredth less, for the time that requests take to reach it. Who wakes up late catches up within it.
"""
POLL_S: Final = 0.2
"""Seconds after which a waiting request looks again, since an answer may have cost less than was reserved for it."""
TICK_S: Final = 0.001
"""An event loop's timers are no finer."""
PROMPT_TOKENS_A_CHARACTER: Final = 0.25
"""Until a stage's answers tell; the usual rule of thumb for English."""
UNKNOWN_ANSWER_TOKENS: Final = 1024
"""What an answer is taken to cost where `max_tokens` is not set and none has come yet."""

_REQUESTS: Final = "requests"
_TOKENS: Final = "tokens"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may ask of one model; None is no limit.

    Attributes:
      concurrency: requests in flight.
      requests_per_minute, tokens_per_minute: rates; tokens are those of prompts and answers together. Of this process
        alone, or where workers share a limiter of all of them.
    """

    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    @property
    def paced(self) -> bool:
        """Whether there is a limit on a rate."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None


class Arrivals(Protocol):
    """Keeps, for each rate, when its next request is due if all are evenly spaced.

    This is the generic cell rate algorithm (ITU-T I.371, annex A), a token bucket that needs one number a rate: a
    request may go up to `TOLERANCE_S` before it is due, and puts the next one off by the seconds that it takes up.
    """

    async def take(self, intervals: Mapping[str, float], owed: Mapping[str, float]) -> float:
        """Let a request go and return 0.0, or return the seconds until it may and leave all rates as they are.

        Args:
          intervals: for each rate, the seconds that the request takes up.
          owed: seconds by which to correct some rates first, whether the request may go or not.

        Raises:
          ModelError: nobody can tell.
        """


class LocalArrivals:
    """`Arrivals` of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}

    async def take(self, intervals: Mapping[str, float], owed: Mapping[str, float]) -> float:
        """See `Arrivals`; never raises."""
        now = self._clock()
        for rate in intervals:
            self._due[rate] = max(now, self._due.get(rate, now) + owed.get(rate, 0.0))
        wait = max(self._due[rate] for rate in intervals) - TOLERANCE_S - now
        if wait > 0:
            return wait
        for rate, interval in intervals.items():
            self._due[rate] += interval
        return 0.0


def interval_s(cost: float, per_minute: float) -> float:
    """Return the seconds of a rate that something takes up.

    As many of its size as fit into a minute share 1/0.98 of one, so that at requests of one size no minute sees more.
    What is above a whole minute's worth takes as many minutes.
    """
    if cost <= 0:
        return 0.0
    fitting = per_minute // cost or per_minute / cost
    return MINUTE_S / (USED * fitting)


class TokenEstimate:
    """How many tokens a request will take, learnt stage by stage from those that were answered.

    The prompt counts by its characters, the answer as the mean of its stage so far, both as providers count them. A
    mean, and not the most that may come, because what is reserved too much keeps others waiting until the answer
    settles it.

    Args:
      a_character: tokens that a character of a prompt is taken for until its stage's answers tell.
    """

    def __init__(self, a_character: float = PROMPT_TOKENS_A_CHARACTER) -> None:
        self._a_character = a_character
        self._answers: Counter[Stage] = Counter()
        self._characters: Counter[Stage] = Counter()
        self._prompt_tokens: Counter[Stage] = Counter()
        self._answer_tokens: Counter[Stage] = Counter()

    def tokens(self, request: Request, settings: Settings) -> float:
        """Return the tokens to reserve."""
        return sum(self.expected(request, settings))

    def expected(self, request: Request, settings: Settings) -> tuple[float, float]:
        """Return the tokens of a request's prompt and of its answer."""
        stage = request.stage
        answers, characters = self._answers[stage], self._characters[stage]
        a_character = self._prompt_tokens[stage] / characters if characters else self._a_character
        answer = self._answer_tokens[stage] / answers if answers else settings.max_tokens or UNKNOWN_ANSWER_TOKENS
        return request.characters * a_character, float(answer)

    def learn(self, request: Request, completion: Completion) -> None:
        """Take note of what an answer took."""
        characters, usage = max(1, request.characters), (completion.prompt_tokens, completion.completion_tokens)
        self.learn_all(request.stage, 1, characters, *usage)

    def learn_all(self, stage: Stage, answers: int, characters: int, prompt_tokens: int, answer_tokens: int) -> None:
        """Take note of what many answers of a stage took together; 0 characters where nobody counted the prompts'."""
        self._answers[stage] += answers
        self._characters[stage] += characters
        self._prompt_tokens[stage] += prompt_tokens
        self._answer_tokens[stage] += answer_tokens


class Pace:
    """Lets the requests to one endpoint go at the rates of its limits.

    What fails keeps what was reserved for it, since providers count what they refuse, and nobody knows what a lost
    connection took. So does an answer without token counts.
    """

    def __init__(self, limits: Limits, arrivals: Arrivals, sleep: Sleep) -> None:
        self._limits = limits
        self._arrivals = arrivals
        self._sleep = sleep
        self._estimate = TokenEstimate()
        self._owed_s = 0.0

    async def take(self, request: Request, settings: Settings) -> float:
        """Wait until a request may go, and return the tokens reserved for it.

        To be called by one request at a time: who waits behind another one learns from the answers in the meantime.

        Raises:
          ModelError: nobody can tell when.
        """
        while True:
            tokens = self._estimate.tokens(request, settings)
            owed_s = self._owed_s
            wait = await self._arrivals.take(self._intervals(tokens), {_TOKENS: owed_s})
            self._owed_s -= owed_s
            if wait <= 0:
                return tokens
            await self._sleep(min(max(wait, TICK_S), POLL_S))

    def settle(self, request: Request, reserved: float, completion: Completion) -> None:
        """Correct what was reserved for a request by what its answer took; the next request takes it to the rates."""
        used = completion.prompt_tokens + completion.completion_tokens
        if self._limits.tokens_per_minute is not None and used:
            self._estimate.learn(request, completion)
            self._owed_s += self._intervals(used)[_TOKENS] - self._intervals(reserved)[_TOKENS]

    def _intervals(self, tokens: float) -> dict[str, float]:
        rates = {_REQUESTS: (1.0, self._limits.requests_per_minute), _TOKENS: (tokens, self._limits.tokens_per_minute)}
        return {rate: interval_s(cost, limit) for rate, (cost, limit) in rates.items() if limit is not None}
