"""Retries of one request and the window of one endpoint, on a clock of our own."""

from __future__ import annotations

import asyncio

import pytest

from transforms.llm.limiter import Retries, Window
from transforms.llm.requests import Kind, ModelError


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def error(kind: Kind, retry_after: float | None = None) -> ModelError:
    return ModelError(kind, "x", retry_after=retry_after)


def test_the_wait_doubles_up_to_its_cap() -> None:
    retries = Retries(9, lambda: 1.0)
    waits = [retries.delay(error(Kind.TRANSIENT)) for _ in range(9)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, None]


def test_the_wait_is_spread_over_its_whole_range() -> None:
    draws = iter([0.0, 0.25, 0.5])
    retries = Retries(6, lambda: next(draws))
    assert [retries.delay(error(kind)) for kind in (Kind.TIMEOUT, Kind.TRANSIENT, Kind.THROTTLED)] == [0.0, 0.25, 1.0]


@pytest.mark.parametrize(("asked", "waited"), [(0.0, 0.5), (0.2, 0.5), (7.0, 7.0), (120.0, 120.0), (3600.0, 120.0)])
def test_waits_as_long_as_the_provider_asks_up_to_two_minutes(asked: float, waited: float) -> None:
    assert Retries(6, lambda: 1.0).delay(error(Kind.THROTTLED, asked)) == waited


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.TOO_LONG, Kind.BAD_REQUEST, Kind.AUTH, Kind.UNKNOWN_MODEL])
def test_what_would_fail_again_is_not_retried(kind: Kind) -> None:
    assert Retries(6, lambda: 1.0).delay(error(kind)) is None


@pytest.mark.parametrize("again", [Kind.INVALID, Kind.TRUNCATED])
def test_an_invalid_answer_is_asked_for_once_more_at_once(again: Kind) -> None:
    retries = Retries(6, lambda: 1.0)
    kinds = [Kind.INVALID, Kind.TRANSIENT, again]
    assert [retries.delay(error(kind)) for kind in kinds] == [0.0, 0.5, None]


def test_failures_of_all_kinds_share_the_attempts() -> None:
    retries = Retries(3, lambda: 1.0)
    assert [retries.delay(error(kind)) for kind in (Kind.INVALID, Kind.TIMEOUT, Kind.INVALID)] == [0.0, 0.5, None]
    assert Retries(1, lambda: 1.0).delay(error(Kind.TRANSIENT)) is None


class Load:
    """Calls through a window that end when told; counts how many are inside."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.inside: list[asyncio.Future[None]] = []
        self.most = 0

    async def call(self) -> None:
        async with self.window.slot():
            end = asyncio.get_running_loop().create_future()
            self.inside.append(end)
            self.most = max(self.most, len(self.inside))
            try:
                await end
            finally:
                self.inside.remove(end)

    async def end(self, failure: ModelError | None = None) -> None:
        first = self.inside[0]
        if failure is None:
            first.set_result(None)
        else:
            first.set_exception(failure)
        await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_never_more_than_the_ceiling_and_none_is_forgotten() -> None:
    async def scenario() -> None:
        time = Time()
        load = Load(Window(3, time, time.sleep))
        tasks = [asyncio.create_task(load.call()) for _ in range(10)]
        await settle()
        for left in range(10, 0, -1):
            assert len(load.inside) == min(3, left)
            await load.end()
        await asyncio.gather(*tasks)
        assert load.most == 3

    asyncio.run(scenario())


def test_throttling_halves_the_window_once_and_answers_widen_it_again() -> None:
    async def scenario() -> None:
        time = Time()
        window = Window(8, time, time.sleep)
        load = Load(window)
        tasks = [asyncio.create_task(load.call()) for _ in range(40)]
        await settle()
        for _ in range(8):  # all eight were under way before the first was throttled
            await load.end(error(Kind.THROTTLED))
        assert window.width == 4
        assert len(load.inside) == 4
        await load.end(error(Kind.THROTTLED))
        assert window.width == 2
        assert len(load.inside) == 3, "those under way are left to end"
        await load.end()
        assert len(load.inside) == 2
        for _ in range(5):
            await load.end()
        assert window.width == 4
        assert len(load.inside) == 4
        while load.inside:
            await load.end()
        assert window.width == 8
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(outcome is None for outcome in outcomes) == 31

    asyncio.run(scenario())


def test_the_window_never_closes_and_other_failures_leave_it() -> None:
    async def scenario() -> None:
        time = Time()
        window = Window(2, time, time.sleep)
        for kind in (Kind.TRANSIENT, Kind.TIMEOUT, Kind.REFUSED):
            with pytest.raises(ModelError):
                async with window.slot():
                    raise error(kind)
        assert window.width == 2
        for _ in range(5):
            with pytest.raises(ModelError):
                async with window.slot():
                    raise error(Kind.THROTTLED)
        assert window.width == 1
        async with window.slot():
            pass

    asyncio.run(scenario())


def test_three_refusals_in_a_row_hold_back_every_call_to_the_endpoint() -> None:
    async def scenario() -> list[float]:
        time = Time()
        window = Window(4, time, time.sleep)

        async def refuse(retry_after: float) -> None:
            with pytest.raises(ModelError):
                async with window.slot():
                    raise error(Kind.THROTTLED, retry_after)

        async def answer() -> None:
            async with window.slot():
                pass

        await refuse(7.0)
        await refuse(7.0)
        await answer()
        await refuse(7.0)
        await answer()
        assert time.slept == []
        for _ in range(3):
            await refuse(7.0)
        await answer()
        for _ in range(3):
            await refuse(3600.0)
        await answer()
        return time.slept

    assert asyncio.run(scenario()) == [7.0, 120.0]


def test_refusals_without_a_time_to_wait_hold_calls_back_for_twice_as_long_each_time() -> None:
    async def scenario() -> list[float]:
        time = Time()
        window = Window(4, time, time.sleep)

        async def refuse() -> None:
            with pytest.raises(ModelError):
                async with window.slot():
                    raise error(Kind.THROTTLED)

        async def answer() -> None:
            async with window.slot():
                pass

        await refuse()
        await refuse()
        await answer()
        assert time.slept == [], "two may be an accident"
        for _ in range(11):
            await refuse()
        assert time.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
        await answer()
        for _ in range(3):
            await refuse()
        await answer()
        return time.slept[8:]

    assert asyncio.run(scenario()) == [30.0, 0.5]


def test_calls_that_were_under_way_together_and_are_refused_make_no_pause() -> None:
    async def scenario() -> list[float]:
        time = Time()
        load = Load(Window(4, time, time.sleep))
        tasks = [asyncio.create_task(load.call()) for _ in range(5)]
        await settle()
        for _ in range(4):
            await load.end(error(Kind.THROTTLED))
        await load.end()
        await asyncio.gather(*tasks, return_exceptions=True)
        return time.slept

    assert asyncio.run(scenario()) == []


def test_a_cancelled_wait_gives_its_place_back() -> None:
    async def scenario() -> None:
        time = Time()
        load = Load(Window(1, time, time.sleep))
        first, second, third = (asyncio.create_task(load.call()) for _ in range(3))
        await settle()
        second.cancel()
        first.cancel()
        await settle()
        assert len(load.inside) == 1
        await load.end()
        await third
        assert first.cancelled() and second.cancelled()

    asyncio.run(scenario())
