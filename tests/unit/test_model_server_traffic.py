"""The books of the test server: how many at once, what was answered, and the log."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from tests.model_server import Behaviour, ModelServer
from tests.model_server.answers import body_sha256
from tests.model_server.client import ask, ask_at_once, chat, get, lines
from tests.model_server.traffic import Traffic


def test_in_flight_is_weighted_by_time() -> None:
    # Seconds:  0    1    2    3    4    5    6
    # a         ==========
    # b              =========================
    # c                         ====
    times = iter([0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 100.0])
    traffic = Traffic(clock=lambda: next(times))
    a = traffic.open("a", "screen", "m")
    b = traffic.open("b", "judge", "m")
    traffic.close(a, 200)
    c = traffic.open("a", "screen", "m")
    traffic.close(c, 200)
    traffic.close(b, None)
    assert traffic.stats() == {
        "requests": 3,
        "batches": 0,
        "by_stage": {"screen": {"200": 2}, "judge": {"dropped": 1}},
        "by_status": {"200": 2, "dropped": 1},
        "faults": {},
        "answered_bodies": 1,
        "repeated_bodies": 1,
        "in_flight": 0,
        "max_in_flight": 2,
        "mean_in_flight": pytest.approx((2 + 5 + 1) / 6),
        "mean_in_flight_middle": pytest.approx((2 + 2) / 3),  # from a's arrival to c's
        "wall_s": 6.0,
    }


def test_the_middle_leaves_out_ramp_and_drain() -> None:
    # A window of two that slides by a second: request i lasts from i to i + 2, and one straggler ends late.
    events = sorted([(float(i), 1, i) for i in range(10)] + [(i + 2.0, 0, i) for i in range(9)] + [(50.0, 0, 9)])
    clock = itertools.chain((at for at, _, _ in events), itertools.repeat(60.0))
    traffic, visits = Traffic(clock=lambda: next(clock)), {}
    for _, arrives, number in events:
        if arrives:
            visits[number] = traffic.open(str(number), "screen", "m")
        else:
            traffic.close(visits[number], 200)
    stats = traffic.stats()
    assert stats["mean_in_flight_middle"] == pytest.approx(2)  # seconds 1 to 9
    assert stats["mean_in_flight"] == pytest.approx((9 * 2 + 41) / 50)


def test_an_open_request_counts_until_now() -> None:
    times = iter([0.0, 4.0])
    traffic = Traffic(clock=lambda: next(times))
    traffic.open("a", "screen", "m")
    stats = traffic.stats()
    assert (stats["in_flight"], stats["mean_in_flight"], stats["wall_s"]) == (1, 1.0, 4.0)


def test_no_requests_no_figures() -> None:
    with ModelServer() as server:
        stats = get(f"{server.url}/stats")
    assert stats == server.stats()
    assert not any(stats.values())


def test_a_limit_of_four_shows_as_four_in_flight() -> None:
    with ModelServer(Behaviour(latency=0.25)) as server:
        ask_at_once(server, [chat("screen", f"D {number}.") for number in range(16)], limit=4)
        stats = server.stats()
    assert (stats["max_in_flight"], stats["answered_bodies"], stats["repeated_bodies"]) == (4, 16, 0)
    assert 1.0 <= stats["wall_s"] < 3
    # At least sixteen quarters of a second of service in that wall time; what is missing to 4 is the client's own.
    assert 0.99 * 16 * 0.25 / stats["wall_s"] <= stats["mean_in_flight"] <= 4


def test_a_repeated_valid_answer_shows_and_a_retried_fault_does_not() -> None:
    with ModelServer(Behaviour(faults={"prose": 1})) as server:
        ask(server, chat("screen"), chat("screen"))
        assert (server.stats()["answered_bodies"], server.stats()["repeated_bodies"]) == (0, 0)
        server.set_faults({})
        ask(server, chat("screen"), chat("judge"))
        assert (server.stats()["answered_bodies"], server.stats()["repeated_bodies"]) == (2, 0)
        ask(server, chat("judge"))
        assert (server.stats()["answered_bodies"], server.stats()["repeated_bodies"]) == (2, 1)


def test_the_log_has_a_line_before_and_after_each_answer(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    before = time.time()
    with ModelServer(log=log) as server:
        ask(server, chat("screen"), chat("judge"))
    with ModelServer(Behaviour(faults={"500": 1}), log=log) as server:
        ask(server, chat("screen"))
    found = lines(log)
    assert [(line["event"], line["id"], line["stage"]) for line in found] == [
        ("received", 0, "screen"),
        ("answered", 0, "screen"),
        ("received", 1, "judge"),
        ("answered", 1, "judge"),
        ("received", 0, "screen"),
        ("answered", 0, "screen"),
    ]
    assert [(line["status"], line["fault"]) for line in found[1::2]] == [(200, None), (200, None), (500, "500")]
    shas = [body_sha256(chat(stage)) for stage in ("screen", "judge", "screen")]
    assert [line["sha256"] for line in found] == [sha for sha in shas for _ in range(2)]
    times = [before, *(line["at"] for line in found), time.time()]
    assert times == sorted(times)
