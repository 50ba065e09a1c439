"""Each way in which the test server misbehaves: faults by their shares, latency, pace."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from schemas.answers import ANSWERS, Stage
from tests.model_server import Behaviour, ModelServer
from tests.model_server.answers import body_sha256
from tests.model_server.behaviour import FAULTS, SlidingWindow
from tests.model_server.client import ask, ask_at_once, chat, lines, message, wait_for


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("429", 429, "rate_limit_exceeded"), ("500", 500, None), ("401", 401, "invalid_api_key")],
)
def test_a_status_fault_is_an_error_object(fault: str, status: int, code: str | None) -> None:
    with ModelServer(Behaviour(faults={fault: 1})) as server:
        ((got, headers, payload),) = ask(server, chat("screen"))
        stats = server.stats()
    assert (got, payload["error"]["code"]) == (status, code)
    assert set(payload["error"]) == {"message", "type", "param", "code"}
    assert "Retry-After" not in headers
    assert stats["by_stage"] == {"screen": {str(status): 1}}
    assert (stats["faults"], stats["answered_bodies"]) == ({fault: 1}, 0)


@pytest.mark.parametrize(("retry_after", "header"), [(2, "2"), (0.05, "0.05"), (0, "0")])
def test_a_429_says_when_to_come_back(retry_after: float, header: str) -> None:
    with ModelServer(Behaviour(faults={"429": 1}, retry_after=retry_after)) as server:
        ((_, headers, _),) = ask(server, chat("screen"))
    assert headers["Retry-After"] == header


@pytest.mark.parametrize("stage", ANSWERS)
@pytest.mark.parametrize("fault", ["prose", "refusal", "empty", "truncated", "wrong_types"])
def test_a_useless_answer_has_status_200_and_no_valid_content(fault: str, stage: Stage) -> None:
    with ModelServer(Behaviour(faults={fault: 1})) as server:
        (answer,) = ask(server, chat(stage))
        stats = server.stats()
    assert (message(answer)["refusal"] is not None) == (fault == "refusal")
    assert answer[2]["choices"][0]["finish_reason"] == ("length" if fault == "truncated" else "stop")
    with pytest.raises(ValidationError) as invalid:
        ANSWERS[stage].model_validate_json(message(answer)["content"] or "")
    unreadable = {error["type"] for error in invalid.value.errors()} == {"json_invalid"}
    assert unreadable == (fault != "wrong_types")
    assert (stats["by_status"], stats["answered_bodies"]) == ({"200": 1}, 0)


def test_wrong_types_are_wrong_in_every_field() -> None:
    with ModelServer(Behaviour(faults={"wrong_types": 1})) as server:
        for stage, answer in zip(ANSWERS, ask(server, *map(chat, ANSWERS)), strict=True):
            with pytest.raises(ValidationError) as invalid:
                ANSWERS[stage].model_validate_json(message(answer)["content"])
            assert {error["loc"][0] for error in invalid.value.errors()} == set(ANSWERS[stage].model_fields)


def test_a_timeout_holds_the_connection_until_the_client_leaves(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with ModelServer(Behaviour(faults={"timeout": 1}, hold_s=60), log=log) as server:
        with pytest.raises(asyncio.TimeoutError):
            ask(server, chat("screen"), timeout_s=0.3)
        wait_for(lambda: server.stats()["in_flight"] == 0)
        assert server.stats()["by_status"] == {"dropped": 1}
    assert [(line["event"], line.get("fault")) for line in lines(log)] == [("received", None), ("dropped", "timeout")]


def test_a_timeout_drops_the_connection_in_the_end() -> None:
    with ModelServer(Behaviour(faults={"timeout": 1}, hold_s=0.1)) as server:
        started = time.monotonic()
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            ask(server, chat("screen"))
        assert 0.1 <= time.monotonic() - started < 10
        assert server.stats()["by_status"] == {"dropped": 1}


def outcomes(behaviour: Behaviour, bodies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    with ModelServer(behaviour) as server:
        answers = ask(server, *bodies)
    return {body_sha256(body): (status, payload) for body, (status, _, payload) in zip(bodies, answers, strict=True)}


def test_faults_depend_on_seed_and_content_and_not_on_order() -> None:
    bodies = [chat("screen", f"Document {number}.") for number in range(120)]
    faults = {"429": 0.2, "500": 0.2, "prose": 0.2}
    first = outcomes(Behaviour(seed=1, faults=faults), bodies)
    assert outcomes(Behaviour(seed=1, faults=faults), bodies[::-1]) == first
    assert outcomes(Behaviour(seed=2, faults=faults), bodies) != first


def test_a_retry_draws_again() -> None:
    body = chat("screen")
    behaviour = Behaviour(faults={"500": 0.5})
    with ModelServer(behaviour) as server:
        statuses = [status for status, _, _ in ask(server, *[body] * 24)]
    assert set(statuses) == {200, 500}
    drawn = [behaviour.fault(body_sha256(body), attempt) for attempt in range(24)]
    assert [fault or "200" for fault in drawn] == list(map(str, statuses))


def test_shares_are_met() -> None:
    behaviour = Behaviour(faults=dict.fromkeys(FAULTS, 0.1))
    counts = Counter(behaviour.fault(f"{number:064x}", number % 3) for number in range(20_000))
    assert set(counts) == {*FAULTS, None}
    # Four standard deviations of a binomial share of 0.1 over 20,000 draws.
    assert all(abs(count / 20_000 - 0.1) < 0.0085 for count in counts.values())


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"faults": {"503": 0.1}}, "'503'.*choose from 429"),
        ({"faults": {"500": -0.1}}, "'500' is -0.1"),
        ({"faults": {"500": True}}, "'500' is True"),
        ({"faults": {"500": 0.6, "429": 0.6}}, "add up to 1.2"),
        ({"latency": ("normal", 1.0, 1.0)}, "normal"),
        ({"latency": ("lognormal", 0.0, 1.0)}, "median > 0"),
        ({"sliding_window": (0, 60.0)}, "above 0"),
        ({"sliding_window": (600, 0.0)}, "above 0"),
    ],
)
def test_a_behaviour_that_cannot_be_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Behaviour(**settings)


def test_requests_per_minute_are_limited_to_a_second_of_them_at_once() -> None:
    with ModelServer(Behaviour(requests_per_minute=300)) as server:
        answers = ask_at_once(server, [chat("screen", f"D {number}.") for number in range(40)], limit=40)
        statuses = Counter(status for status, _, _ in answers)
        # Five at once, and one more each 0.2 s that the burst takes.
        assert 5 <= statuses[200] <= 6 + server.stats()["wall_s"] / 0.2
        assert statuses[200] + statuses[429] == 40
        assert {headers["Retry-After"] for status, headers, _ in answers if status == 429} == {"1"}
        time.sleep(1)
        assert ask(server, chat("screen"))[0][0] == 200


def test_a_sliding_window_counts_what_it_let_in_during_the_last_seconds() -> None:
    times = iter([0.0, 4.0, 5.0, 9.5, 10.0, 13.0, 14.0])
    window = SlidingWindow(2, 10.0, lambda: next(times))
    waits = [window.wait_s() for _ in range(7)]
    assert waits == [0.0, 0.0, 5.0, 0.5, 0.0, 1.0, 0.0]


def test_a_request_over_the_sliding_window_gets_429_with_the_seconds_to_wait() -> None:
    with ModelServer(Behaviour(sliding_window=(2, 30.0))) as server:
        answers = ask(server, chat("screen"), chat("judge"), chat("screen"))
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert answers[-1][1]["Retry-After"] == "30"


def test_a_request_over_the_limit_is_no_attempt() -> None:
    body = chat("screen")
    behaviour = Behaviour(requests_per_minute=30, faults={"500": 0.5})
    with ModelServer(behaviour) as server:
        first, over = ask(server, body, body)
        time.sleep(2.1)
        (second,) = ask(server, body)
    assert over[0] == 429
    drawn = [behaviour.fault(body_sha256(body), attempt) or "200" for attempt in (0, 1)]
    assert [str(first[0]), str(second[0])] == drawn


def test_latency_is_kept() -> None:
    with ModelServer(Behaviour(latency=0.3)) as server:
        started = time.monotonic()
        ask(server, chat("screen"))
        assert 0.3 <= time.monotonic() - started < 3


def test_lognormal_latency_has_its_median_and_spread() -> None:
    behaviour = Behaviour(latency=("lognormal", 0.3, 0.8))
    drawn = [behaviour.latency_s(f"{number:064x}", 0) for number in range(5_000)]
    assert drawn[:10] == [behaviour.latency_s(f"{number:064x}", 0) for number in range(10)]
    assert statistics.median(drawn) == pytest.approx(0.3, rel=0.06)
    # The upper quartile of a lognormal is median * exp(0.6745 sigma).
    assert statistics.quantiles(drawn, n=4)[2] == pytest.approx(0.5146, rel=0.06)
    assert Behaviour(seed=1, latency=("lognormal", 0.3, 0.8)).latency_s("0" * 64, 0) != drawn[0]
