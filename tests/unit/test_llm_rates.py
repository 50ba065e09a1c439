"""Rates of requests and tokens in virtual time: what a provider that counts in a sliding window sees."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from collections.abc import Iterable
from random import Random

import pytest

from schemas.answers import Stage
from tests.model_server.behaviour import SlidingWindow
from tests.virtual_time import now, run
from transforms.llm.endpoint import Endpoint
from transforms.llm.learnt_rate import REMEMBERED_S, LearntRate
from transforms.llm.limiter import Retries, Window
from transforms.llm.rates import POLL_S, TOLERANCE_S, Limits, LocalArrivals, Pace, TokenEstimate, interval_s
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings

MODEL = Settings("m", max_tokens=500)


def request(characters: int = 400, stage: Stage = "screen") -> Request:
    return Request(stage, {}, ({"role": "user", "content": "x" * characters},), {}, "fp")


def completion(prompt: int, answer: int) -> Completion:
    return Completion("{}", "stop", prompt, answer)


def most_in_a_minute(events: Iterable[tuple[float, float]]) -> float:
    """Return the largest sum of sizes within any sixty seconds, of (time, size) in the order of time."""
    recent: deque[tuple[float, float]] = deque()
    most = total = 0.0
    for at, size in events:
        recent.append((at, size))
        total += size
        while recent[0][0] <= at - 60.0:
            total -= recent.popleft()[1]
        most = max(most, total)
    return most


@pytest.mark.parametrize(
    ("cost", "per_minute", "seconds"),
    [
        (1, 600, 60 / 588),
        (1, 1, 60 / 0.98),
        (1, 0.5, 120 / 0.98),
        (300, 1000, 20 / 0.98),  # three fit into a minute
        (1000, 1000, 60 / 0.98),
        (2500, 1000, 150 / 0.98),
        (0, 1000, 0.0),
    ],
)
def test_what_a_request_takes_up_of_a_rate(cost: float, per_minute: float, seconds: float) -> None:
    assert interval_s(cost, per_minute) == pytest.approx(seconds)


async def saturate(pace: Pace, minutes: float, callers: int = 8) -> list[tuple[float, float]]:
    """Let callers take turns without a pause; return when each request went."""
    went: list[tuple[float, float]] = []
    turn, end = asyncio.Lock(), now() + 60.0 * minutes

    async def caller() -> None:
        while now() < end:
            async with turn:
                await pace.take(request(), MODEL)
            went.append((now(), 1.0))

    await asyncio.gather(*(caller() for _ in range(callers)))
    return [(at, size) for at, size in went if at < end]


@pytest.mark.parametrize("limit", [1, 2, 7, 49, 50, 51, 60, 600, 3000])
def test_no_minute_sees_more_than_the_limit_and_it_is_used(limit: int) -> None:
    random = Random(limit)

    async def late(seconds: float) -> None:
        await asyncio.sleep(seconds + random.uniform(0.0, 0.3))

    async def scenario() -> list[tuple[float, float]]:
        pace = Pace(Limits(requests_per_minute=limit), LocalArrivals(now), late)
        return await saturate(pace, 10) + await idle_then_saturate(pace)

    async def idle_then_saturate(pace: Pace) -> list[tuple[float, float]]:
        await asyncio.sleep(3600)
        return await saturate(pace, 2)

    went = run(scenario())
    assert most_in_a_minute(went) <= limit
    assert sum(at < 1000.0 + 600 for at, _ in went) >= math.floor(0.97 * limit * 10)


def test_parts_of_a_limit_add_up_to_it() -> None:
    async def scenario() -> list[tuple[float, float]]:
        paces = [Pace(Limits(requests_per_minute=600 / 7), LocalArrivals(now), asyncio.sleep) for _ in range(7)]
        return sorted(itertools.chain(*await asyncio.gather(*(saturate(pace, 5) for pace in paces))))

    went = run(scenario())
    assert most_in_a_minute(went) <= 600
    assert len(went) >= 0.95 * 600 * 5


def test_tokens_of_any_size_stay_below_their_limit_and_use_it() -> None:
    random, limit = Random(3), 100_000
    spent: list[tuple[float, float]] = []

    async def scenario() -> None:
        pace = Pace(Limits(tokens_per_minute=limit), LocalArrivals(now), asyncio.sleep)
        turn = asyncio.Lock()

        async def caller() -> None:
            while now() < 1000.0 + 600:
                asked = request(random.randint(400, 4000))
                async with turn:
                    reserved = await pace.take(asked, MODEL)
                used = completion(len(asked.messages[0]["content"]) // 3, random.randint(20, 480))
                spent.append((now(), used.prompt_tokens + used.completion_tokens))
                await asyncio.sleep(random.uniform(0.1, 5.0))
                pace.settle(asked, reserved, used)

        await asyncio.gather(*(caller() for _ in range(32)))

    run(scenario())
    warm = [(at, size) for at, size in spent if 1060 <= at < 1600]
    assert most_in_a_minute(warm) <= limit
    assert sum(size for _, size in warm) >= 0.95 * limit * 9


@pytest.mark.parametrize("per_minute", [999, 1000, 1999])
def test_large_requests_are_counted_whole(per_minute: int) -> None:
    async def scenario() -> list[float]:
        pace = Pace(Limits(tokens_per_minute=per_minute), LocalArrivals(now), asyncio.sleep)
        times = []
        for _ in range(3):
            reserved = await pace.take(request(2000), MODEL)
            assert reserved == 1000
            times.append(now())
        return times

    first, second, third = run(scenario())
    assert first == 1000.0
    assert second - first >= 60.0 and third - second >= 60.0


def test_a_request_waits_for_both_rates_and_takes_of_neither_meanwhile() -> None:
    async def scenario() -> tuple[float, float]:
        arrivals = LocalArrivals(now)
        tokens_full = {"requests": 1.0, "tokens": 30.0}
        assert await arrivals.take(tokens_full, {}) == 0.0
        waits = [await arrivals.take(tokens_full, {}) for _ in range(50)]
        assert waits == [pytest.approx(30.0 - TOLERANCE_S)] * 50
        return await arrivals.take({"requests": 1.0}, {}), await arrivals.take({"requests": 5.0}, {"tokens": 1.0})

    assert run(scenario()) == (pytest.approx(1.0 - TOLERANCE_S), pytest.approx(1.0 - TOLERANCE_S))


def test_an_estimate_begins_with_a_rule_of_thumb_and_learns_each_stage() -> None:
    estimate = TokenEstimate()
    assert estimate.tokens(request(400), MODEL) == 100 + 500
    assert estimate.tokens(request(400), Settings("m")) == 100 + 1024
    estimate.learn(request(400), completion(200, 10))
    estimate.learn(request(1200), completion(600, 30))
    assert estimate.tokens(request(800), MODEL) == 400 + 20
    assert estimate.tokens(request(800, "judge"), MODEL) == 200 + 500
    estimate.learn(request(0, "generate"), completion(3, 4))
    assert estimate.tokens(request(0, "generate"), MODEL) == 4


def test_what_an_answer_took_less_than_reserved_is_given_back_and_what_it_took_more_is_charged() -> None:
    async def wait_after(used: Completion) -> float:
        pace = Pace(Limits(tokens_per_minute=6000), LocalArrivals(now), asyncio.sleep)
        asked = request()
        reserved = await pace.take(asked, MODEL)  # 600 tokens, about six seconds
        start = now()
        waiting = asyncio.create_task(pace.take(request(0, "judge"), Settings("m", max_tokens=10)))
        await asyncio.sleep(1.0)
        pace.settle(asked, reserved, used)
        await waiting
        return now() - start

    assert 1.0 <= run(wait_after(completion(50, 50))) <= 1.0 + POLL_S
    assert run(wait_after(completion(600, 600))) == pytest.approx(12 / 0.98 - TOLERANCE_S, abs=POLL_S)
    assert run(wait_after(completion(0, 0))) == pytest.approx(6 / 0.98 - TOLERANCE_S, abs=POLL_S), "it stays reserved"


class Calls:
    """Requests through an endpoint that end when told."""

    def __init__(self, limits: Limits, places: asyncio.Semaphore) -> None:
        pace = Pace(limits, LocalArrivals(now), asyncio.sleep) if limits.paced else None
        self.window = Window(8, now, asyncio.sleep)
        self.endpoint = Endpoint(self.window, pace, LearntRate(now, asyncio.sleep), places)
        self.went: list[float] = []

    async def call(self, seconds: float = 0.0, error: ModelError | None = None) -> None:
        async with self.endpoint.call(request(), MODEL):
            self.went.append(now() - 1000.0)
            await asyncio.sleep(seconds)
            if error is not None:
                raise error


def test_who_waits_for_a_rate_takes_no_place_from_other_models() -> None:
    async def scenario() -> None:
        places = asyncio.Semaphore(2)
        slow, free = Calls(Limits(requests_per_minute=1), places), Calls(Limits(), places)
        waiting = [asyncio.create_task(slow.call()) for _ in range(4)]
        await asyncio.sleep(1.0)
        await asyncio.gather(*(free.call(1.0) for _ in range(6)))
        assert free.went == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
        assert slow.went == [0.0]
        for task in waiting[1:3]:
            task.cancel()
        await waiting[3]
        assert len(slow.went) == 2 and slow.went[1] < 62.0, "who has left takes no turn"

    run(scenario())


def test_who_waits_for_a_rate_of_a_broken_endpoint_is_told_at_once() -> None:
    async def scenario() -> None:
        calls = Calls(Limits(requests_per_minute=1), asyncio.Semaphore(8))
        waiting = [asyncio.create_task(calls.call()) for _ in range(8)]
        await asyncio.sleep(1.0)
        calls.endpoint.broken = ModelError(Kind.AUTH, "no such key")
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert now() < 1000.0 + 62, "only the one that had its turn has waited"
        assert [str(outcome) for outcome in outcomes[2:]] == [
            "not asked, since an earlier call failed: no such key"
        ] * 6

    run(scenario())


def test_requests_do_not_pile_up_behind_full_places() -> None:
    async def scenario() -> list[float]:
        places = asyncio.Semaphore(1)
        other, paced = Calls(Limits(), places), Calls(Limits(requests_per_minute=30), places)
        long = asyncio.create_task(other.call(120.0))
        await asyncio.sleep(0)
        await asyncio.gather(long, *(paced.call() for _ in range(5)))
        return paced.went

    went = run(scenario())
    assert went[0] == 120.0
    assert went[-1] - went[0] >= 3 * 2.0 - TOLERANCE_S


def test_a_retry_after_holds_back_those_that_wait_for_a_rate() -> None:
    async def scenario() -> list[float]:
        calls = Calls(Limits(requests_per_minute=600), asyncio.Semaphore(8))
        refusal = ModelError(Kind.THROTTLED, "x", retry_after=30.0)
        refused = [calls.call(0.01, refusal) for _ in range(3)]
        await asyncio.gather(*refused, *(calls.call() for _ in range(5)), return_exceptions=True)
        return calls.went

    went = run(scenario())
    assert len(went) == 8
    # The burst that the tolerance allows is through before the third refusal is known; the others wait.
    assert [at for at in went if 0.1 < at < 30.0] == []
    assert went[-1] >= 30.0


async def against(limit: int, minutes: int, limits: Limits, *, names_wait: bool = True) -> tuple[float, float, int]:
    """Ask a provider with a sliding window all the time; return, after a minute, the share of its limit that was used,
    the share of refusals, and the requests given up."""
    random = Random(1)
    provider, places = SlidingWindow(limit, 60.0, now), asyncio.Semaphore(64)
    window, learnt = Window(64, now, asyncio.sleep), LearntRate(now, asyncio.sleep)
    pace = Pace(limits, LocalArrivals(now), asyncio.sleep) if limits.paced else None
    endpoint = Endpoint(window, pace, learnt, places)
    let_in, refused, given_up = [], [], 0
    end = now() + 60.0 * minutes

    async def attempt() -> None:
        async with endpoint.call(request(), MODEL):
            wait = provider.wait_s()
            (refused if wait else let_in).append(now())
            await asyncio.sleep(0.002 if wait else random.lognormvariate(math.log(0.3), 0.5))
            if wait:
                raise ModelError(Kind.THROTTLED, "x", retry_after=float(math.ceil(wait)) if names_wait else None)

    async def caller() -> None:
        nonlocal given_up
        while now() < end:
            retries = Retries(8, random.random)
            delay: float | None = 0.0
            while delay is not None:
                await asyncio.sleep(delay)
                try:
                    await attempt()
                    break
                except ModelError as error:
                    delay = retries.delay(error)
            given_up += delay is None

    await asyncio.gather(*(caller() for _ in range(128)))
    warm = [sum(1060.0 <= at < end for at in times) for times in (let_in, refused)]
    return warm[0] / limit / (minutes - 1), warm[1] / sum(warm), given_up


def test_a_configured_limit_is_used_and_not_once_exceeded() -> None:
    used, refused, given_up = run(against(600, 5, Limits(requests_per_minute=600)))
    assert used >= 0.975
    assert (refused, given_up) == (0.0, 0)


@pytest.mark.parametrize("names_wait", [True, False])
def test_a_limit_that_nobody_configured_is_learnt(names_wait: bool) -> None:
    used, refused, given_up = run(against(600, 16, Limits(), names_wait=names_wait))
    assert used >= 0.95
    assert refused < 0.02
    assert given_up == 0


def test_a_limit_below_the_configured_one_is_learnt() -> None:
    used, refused, _ = run(against(300, 11, Limits(requests_per_minute=600)))
    assert used >= 0.95
    assert refused < 0.02


async def refuse(learnt: LearntRate, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ModelError), learnt.watching():
            raise ModelError(Kind.THROTTLED, "x")


def test_a_rate_is_learnt_from_a_whole_minute_and_three_refusals_in_a_row_and_then_forgotten() -> None:
    async def scenario() -> None:
        learnt = LearntRate(now, asyncio.sleep)
        await refuse(learnt, 5)
        assert learnt.per_minute is None, "nothing is known of the minute before"
        await asyncio.sleep(30)
        with learnt.watching():
            await asyncio.sleep(20)
        for _ in range(7):
            with learnt.watching():
                await asyncio.sleep(1)
        await asyncio.sleep(43)
        await refuse(learnt, 2)
        assert learnt.per_minute is None
        with learnt.watching():
            pass
        await refuse(learnt, 2)
        with pytest.raises(ModelError), learnt.watching():
            raise ModelError(Kind.TRANSIENT, "an overload tells nothing of a rate")
        await refuse(learnt, 2)
        assert learnt.per_minute is None
        under_way, accepted = learnt.watching(), learnt.watching()
        under_way.__enter__()
        accepted.__enter__()
        await refuse(learnt, 1)
        assert learnt.per_minute == 7 + 2 + 2, "what began within the minute, and what is under way"
        accepted.__exit__(None, None, None)
        refusal = ModelError(Kind.THROTTLED, "x")
        assert not under_way.__exit__(ModelError, refusal, None)
        assert learnt.per_minute == 10, "what was under way and is refused was not let in"
        await asyncio.sleep(1)
        await refuse(learnt, 4)
        assert learnt.per_minute == 10
        await asyncio.sleep(REMEMBERED_S)
        assert learnt.per_minute is None
        start = now()
        for _ in range(1000):
            await learnt.take()
        assert now() == start

    run(scenario())
