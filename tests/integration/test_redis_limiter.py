"""Rates that processes share, with a Redis server of the test's own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from schemas.answers import Stage, json_schema
from tests.model_server import ModelServer
from tests.redis_server import RedisServer
from transforms.llm.client import Answered, ClientSettings, ModelClient, Unanswered
from transforms.llm.rates import TOLERANCE_S, Limits
from transforms.llm.requests import Kind, ModelError, Request, Settings

pytest.importorskip("redis", reason="the package redis is not installed")

from transforms.llm.redis_limiter import OUTAGE_S, LimiterError, RedisLimiter, check_limiter

T = TypeVar("T")
PASSWORD = "hunter2/@:"
QUOTED = "hunter2%2F%40%3A"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


def request(number: int) -> Request:
    messages = ({"role": "user", "content": f"The bridge has {number} arches."},)
    return Request("screen", {}, messages, json_schema("screen"), "fp")


def with_limiter(url: str, scenario: Callable[[RedisLimiter], Awaitable[T]]) -> T:
    async def run() -> T:
        limiter = RedisLimiter(url)
        try:
            return await scenario(limiter)
        finally:
            await limiter.close()

    return asyncio.run(run())


def test_both_rates_or_neither(redis: RedisServer) -> None:
    async def scenario(limiter: RedisLimiter) -> None:
        arrivals = limiter.arrivals("m", None, None)
        assert await arrivals.take({"requests": 0.1, "tokens": 30.0}, {}) == 0.0
        waits = [await arrivals.take({"requests": 5.0, "tokens": 30.0}, {}) for _ in range(20)]
        assert all(28.0 < wait <= 30.0 - TOLERANCE_S for wait in waits)
        assert await arrivals.take({"requests": 5.0}, {}) == 0.0, "the refused ones took no part of the requests"
        assert 4.0 < await arrivals.take({"requests": 5.0}, {}) <= 5.0 + 0.1 - TOLERANCE_S

    with_limiter(redis.url, scenario)


def test_what_is_owed_is_settled_though_the_request_must_wait(redis: RedisServer) -> None:
    async def scenario(limiter: RedisLimiter) -> None:
        arrivals = limiter.arrivals("m")
        assert await arrivals.take({"tokens": 30.0}, {}) == 0.0
        assert 18.0 < await arrivals.take({"tokens": 30.0}, {"tokens": -10.0}) <= 20.0 - TOLERANCE_S
        assert 23.0 < await arrivals.take({"tokens": 30.0}, {"tokens": 5.0}) <= 25.0 - TOLERANCE_S
        assert await arrivals.take({"tokens": 1.0}, {"tokens": -3600.0}) == 0.0
        assert await arrivals.take({"tokens": 30.0}, {}) <= 1.0, "what is given back makes no credit"

    with_limiter(redis.url, scenario)


def test_limiters_share_an_endpoint_and_endpoints_share_nothing(redis: RedisServer) -> None:
    async def scenario(one: RedisLimiter) -> None:
        other = RedisLimiter(redis.url)
        try:
            assert await one.arrivals("m", "http://a", None).take({"requests": 9.0}, {}) == 0.0
            assert await other.arrivals("m", "http://a", None).take({"requests": 9.0}, {}) > 8.0
            assert await other.arrivals("m", "http://b", None).take({"requests": 9.0}, {}) == 0.0
            assert await other.arrivals("n", "http://a", None).take({"requests": 9.0}, {}) == 0.0
        finally:
            await other.close()

    with_limiter(redis.url, scenario)


def test_keys_show_no_address_and_go_by_themselves(redis: RedisServer) -> None:
    async def scenario(limiter: RedisLimiter) -> None:
        await limiter.arrivals("m", "http://user:hunter2@host", "KEY").take({"requests": 9.0, "tokens": 0.0}, {})
        keys = [key.decode() async for key in limiter._redis.scan_iter()]
        assert sorted(key.rpartition(":")[2] for key in keys) == ["requests", "tokens"]
        assert all(key.startswith("webscale-rl:{") and "host" not in key and "hunter" not in key for key in keys)
        for key in keys:
            assert 50_000 < await limiter._redis.pttl(key) <= 70_000

    with_limiter(redis.url, scenario)


def test_a_wrong_password_is_named_without_it(tmp_path: Path) -> None:
    with RedisServer(tmp_path, PASSWORD) as redis:
        address = redis.url.removeprefix("redis://")
        asyncio.run(check_limiter(f"redis://:{QUOTED}@{address}"))
        for wrong in ("", ":hunter3@", "user:hunter3@"):
            with pytest.raises(LimiterError) as refused:
                asyncio.run(check_limiter(f"redis://{wrong}{address}"))
            said = str(refused.value)
            assert address in said and "hunter" not in said and "\n" not in said


def test_a_server_that_is_no_redis_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(LimiterError, match=r"^redis://127\.0\.0\.1"):
            asyncio.run(check_limiter(f"redis://127.0.0.1:{listener.getsockname()[1]}/0"))
        thread.join()


def test_requests_wait_while_redis_is_away_and_go_on_when_it_is_back(redis: RedisServer) -> None:
    async def scenario() -> list[float]:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 4:
                redis.start()

        limiter = RedisLimiter(redis.url, clock=lambda: sum(waits), sleep=sleep)
        try:
            arrivals = limiter.arrivals("m")
            assert await arrivals.take({"requests": 60.0}, {}) == 0.0
            redis.stop()
            assert await arrivals.take({"requests": 60.0}, {}) == 0.0, "its data is gone"
            assert await arrivals.take({"requests": 60.0}, {}) > 50.0
        finally:
            await limiter.close()
        return waits

    waits = asyncio.run(scenario())
    assert len(waits) == 4
    assert all(0.05 * 2**n <= wait <= 0.1 * 2**n for n, wait in enumerate(waits))


def test_a_redis_that_comes_and_goes_loses_no_request(redis: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> tuple[list[Answered | Unanswered], int]:
        limits = {"hosted_vllm/test": Limits(requests_per_minute=1200)}
        with ModelServer() as server:
            models: dict[Stage, Settings] = {"screen": Settings("hosted_vllm/test", server.base_url, max_tokens=50)}
            settings = ClientSettings(models, str(tmp_path / "cache"), 8, limits=limits, limiter=redis.url)
            client = ModelClient(settings)
            try:
                asked = asyncio.create_task(client.ask_all([request(number) for number in range(40)]))
                await asyncio.sleep(0.3)
                redis.stop()
                await asyncio.sleep(0.7)
                before = server.stats()["requests"]
                redis.start()
                return await asked, before
            finally:
                await client.close()

    outcomes, before = asyncio.run(scenario())
    assert len(outcomes) == 40 and all(isinstance(outcome, Answered) for outcome in outcomes)
    assert 0 < before < 40, "Redis was away in the middle of the work"


def test_requests_fail_for_the_time_being_when_redis_stays_away(redis: RedisServer) -> None:
    async def scenario() -> float:
        time = [0.0]

        async def sleep(seconds: float) -> None:
            time[0] += seconds

        limiter = RedisLimiter(redis.url, clock=lambda: time[0], sleep=sleep)
        redis.stop()
        try:
            for _ in range(3):
                with pytest.raises(ModelError) as failed:
                    await limiter.arrivals("m").take({"requests": 1.0}, {})
                assert failed.value.kind is Kind.TRANSIENT
                assert str(failed.value).startswith(f"the limiter is away: {redis.url}: ")
        finally:
            await limiter.close()
        return time[0]

    assert OUTAGE_S <= asyncio.run(scenario()) < OUTAGE_S + 10, "the others do not wait as long again"
