"""The test server itself: its answers, each way to misbehave, and its books."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.answers import ANSWERS, Stage
from schemas.domains import DOMAINS
from tests.model_server import (
    FAULTS,
    REJECT_MARKER,
    Behaviour,
    ModelServer,
    Traffic,
    behaviour_of,
    body_sha256,
    document_of,
    parser,
    valid_answer,
)

ROOT = Path(__file__).parents[2]
FENCE = "0123456789abcdef"
BRIDGE = (
    "The old bridge is 412 metres long and carries two lanes. It was finished in 1931 after a long dispute. "
    "The engineer in charge was Clara Holt from the north.\nEvery morning about 9,300 bicycles cross the river there."
)


def chat(stage: str | None, document: str = BRIDGE, task: str = "Do the task.", model: str = "small") -> dict[str, Any]:
    content = f"--- begin {FENCE}\n{document}\n--- end {FENCE}\n\n{task}"
    messages = [{"role": "system", "content": "You read."}, {"role": "user", "content": content}]
    body: dict[str, Any] = {"model": model, "messages": messages}
    if stage is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": stage, "schema": {}}}
    return body


Answer = tuple[int, Mapping[str, str], Any]


async def post(session: aiohttp.ClientSession, url: str, body: object, key: str | None = None) -> Answer:
    headers = None if key is None else {"Authorization": f"Bearer {key}"}
    async with session.post(url, json=body, headers=headers) as response:
        return response.status, response.headers, await response.json()


def ask(server: ModelServer, *bodies: object, key: str | None = None, timeout_s: float = 20) -> list[Answer]:
    """Send the bodies one after another over one connection."""

    async def run() -> list[Answer]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(timeout_s)) as session:
            return [await post(session, f"{server.base_url}/chat/completions", body, key) for body in bodies]

    return asyncio.run(run())


def ask_at_once(server: ModelServer, bodies: Sequence[object], limit: int) -> list[Answer]:
    """Send all bodies, at most `limit` of them at any time."""

    async def run() -> list[Answer]:
        connector = aiohttp.TCPConnector(limit=limit)
        async with aiohttp.ClientSession(connector=connector) as session:
            return await asyncio.gather(
                *(post(session, f"{server.base_url}/chat/completions", body) for body in bodies)
            )

    return asyncio.run(run())


def get(url: str) -> Any:
    async def run() -> Any:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.json()

    return asyncio.run(run())


def message(answer: Answer) -> dict[str, Any]:
    status, _, payload = answer
    assert status == 200
    found: dict[str, Any] = payload["choices"][0]["message"]
    return found


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited for 20 seconds in vain"
        time.sleep(0.01)


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ANSWERS)
def test_an_answer_is_valid_and_the_same_every_time(stage: Stage) -> None:
    with ModelServer() as server:
        first, second = ask(server, chat(stage), chat(stage))
    assert first[2] == second[2]
    ANSWERS[stage].model_validate_json(message(first)["content"])
    assert first[2]["choices"][0]["finish_reason"] == "stop"
    assert message(first)["refusal"] is None


def test_usage_is_a_token_for_four_characters_rounded_up_and_the_model_is_echoed() -> None:
    body = {"model": "grand-1", "messages": [{"role": "system", "content": "abc"}, {"role": "user", "content": "de"}]}
    with ModelServer() as server:
        (answer,) = ask(server, body)
    assert message(answer)["content"] == "ok"
    assert answer[2]["usage"] == {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
    assert answer[2]["model"] == "grand-1"


def test_a_schema_of_another_name_gets_plain_text() -> None:
    with ModelServer() as server:
        answers = ask(server, chat("summarise"), chat(None))
        assert set(server.stats()["by_stage"]) == {"plain"}
    assert [message(answer)["content"] for answer in answers] == ["ok", "ok"]


def test_the_screen_sees_the_marker_inside_the_fence_only() -> None:
    inside = valid_answer(chat("screen", document=f"First line.\n{REJECT_MARKER} here.")) or {}
    outside = valid_answer(chat("screen", task=f"Say {REJECT_MARKER}.")) or {}
    assert (inside["qualified"], outside["qualified"]) == (False, True)


@pytest.mark.parametrize(
    ("content", "document"),
    [
        (f"<{FENCE}>\none\n\ntwo\n</{FENCE}>\ntask", "one\n\ntwo"),
        (f"Between lines with {FENCE}.\n{FENCE}\nthe document itself\n{FENCE}\nEnd.", "the document itself"),
        (f"{FENCE}\nthe document\n{FENCE}\nx\n{FENCE}", "the document"),
        (f"{FENCE}\n{FENCE}", ""),
        (f"commit {'f' * 16} alone\n{FENCE}\nsee {'a' * 16}\n{FENCE}", f"see {'a' * 16}"),
        (f"{FENCE} once only\ntext", f"{FENCE} once only\ntext"),
        (f"{FENCE}0\ntext\n{FENCE}0", f"{FENCE}0\ntext\n{FENCE}0"),
        ("no fence", "no fence"),
        ("", ""),
    ],
)
def test_the_document_is_what_the_fence_encloses(content: str, document: str) -> None:
    assert document_of(content) == document


def test_classify_depends_on_the_document_alone_and_covers_its_choices() -> None:
    answers = [valid_answer(chat("classify", document=f"Document {number}.")) or {} for number in range(200)]
    again = [valid_answer(chat("classify", f"Document {number}.", "Other.", "big")) for number in range(200)]
    assert answers == again
    assert {answer["domain"] for answer in answers} == set(DOMAINS)
    assert {len(set(answer["personas"])) for answer in answers} == {1, 2, 3}
    assert {len(answer["personas"]) for answer in answers} == {1, 2, 3}


def check_pair(pair: Mapping[str, Any], document: str) -> None:
    question, answer, evidence = pair["question"], pair["answer"], pair["evidence"]
    assert evidence in document
    assert answer in evidence
    assert len(answer.split()) <= 12
    assert question.endswith("?")
    assert len(question.split()) >= 5
    assert answer.casefold() not in question.casefold()
    assert not re.search(r"\b(passage|text|document|article)\b", question, re.IGNORECASE)


def test_a_generated_pair_is_grounded_typed_and_differs_between_requests() -> None:
    pairs = [valid_answer(chat("generate", task=f"Write for reader {number}.")) or {} for number in range(60)]
    for pair in pairs:
        check_pair(pair, BRIDGE)
    assert {(pair["answer_type"], pair["answer"]) for pair in pairs} == {
        ("number", "412"),
        ("date", "1931"),
        ("name", "Clara Holt"),
        ("number", "9,300"),
    }


@pytest.mark.parametrize(
    ("document", "answer", "evidence"),
    [
        # A time, a decade, a range and a percentage are parts of something longer.
        ("Late trains leave the station at 12:30.", "station", "Late trains leave the station at 12:30."),
        ("Half of the 1990s was dry here.", "Half", "Half of the 1990s was dry here."),
        ("From 1914-1918 nobody lived up there.", "nobody", "From 1914-1918 nobody lived up there."),
        ("About 40% of them came back home.", "About", "About 40% of them came back home."),
        # The figure occurs twice, so that its blank would give it away.
        ("Out of 15 ships there returned only 15.", "returned", "Out of 15 ships there returned only 15."),
        # Four words are too few to ask for a figure in.
        ("It weighs 7 tonnes.", "weighs", "It weighs 7 tonnes."),
        # A sentence that speaks of its document is asked for only where there is no other.
        ("This article names 88 tall towers. Rain fell.", "Rain", "Rain fell."),
        ("This article names 88 tall towers.", "article", "This article names 88 tall towers."),
        # The question says "statement" itself.
        ("statement alpha", "alpha", "statement alpha"),
        ("** --- **\n... The word\nAn owl", "owl", "An owl"),
        ("12 + 30", "12 + 30", "12 + 30"),
        ("你好世界。再见", "你好世界", "你好世界。"),
    ],
)
def test_without_a_figure_or_name_the_longest_word_is_asked_for(document: str, answer: str, evidence: str) -> None:
    pair = valid_answer(chat("generate", document=document)) or {}
    check_pair(pair, document)
    assert (pair["answer_type"], pair["answer"], pair["evidence"]) == ("phrase", answer, evidence)


@given(st.text(max_size=300))
def test_no_text_breaks_the_answers(document: str) -> None:
    pair = valid_answer({**chat("generate"), "messages": [{"role": "user", "content": document}]}) or {}
    assert pair["answer"] in pair["evidence"]
    if document.strip() and document_of(document) == document:
        assert pair["evidence"] in document
    ANSWERS["generate"].model_validate(pair)


# --- faults ----------------------------------------------------------------------------------------------------------


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


def test_the_server_stops_while_it_holds_a_connection() -> None:
    async def leave_open(url: str) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        data = json.dumps(chat("screen")).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        while server.stats()["in_flight"] == 0:
            await asyncio.sleep(0.01)
        started = time.monotonic()
        await asyncio.to_thread(server.__exit__, None, None, None)
        assert time.monotonic() - started < 5
        writer.close()

    server = ModelServer(Behaviour(latency=60)).__enter__()
    asyncio.run(leave_open(server.url))
    assert (server.stats()["by_status"], server.stats()["in_flight"]) == ({"dropped": 1}, 0)


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


def test_faults_change_at_run_time() -> None:
    async def change(server: ModelServer, faults: object) -> Answer:
        async with aiohttp.ClientSession() as session:
            return await post(session, f"{server.url}/faults", faults)

    with ModelServer(Behaviour(faults={"500": 1})) as server:
        assert ask(server, chat("screen"))[0][0] == 500
        status, _, payload = asyncio.run(change(server, {"401": 1}))
        assert (status, payload) == (200, {"401": 1})
        assert ask(server, chat("screen"))[0][0] == 401
        for wrong, complaint in [({"503": 1}, "503"), ({"500": 2}, "500"), ({"500": "1"}, "500"), ([], "object")]:
            status, _, payload = asyncio.run(change(server, wrong))
            assert status == 400
            assert complaint in payload["error"]["message"]
        assert ask(server, chat("screen"))[0][0] == 401
        server.set_faults({})
        assert ask(server, chat("screen"))[0][0] == 200


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"faults": {"503": 0.1}}, "'503'.*choose from 429"),
        ({"faults": {"500": -0.1}}, "'500' is -0.1"),
        ({"faults": {"500": True}}, "'500' is True"),
        ({"faults": {"500": 0.6, "429": 0.6}}, "add up to 1.2"),
        ({"latency": ("normal", 1.0, 1.0)}, "normal"),
        ({"latency": ("lognormal", 0.0, 1.0)}, "median > 0"),
    ],
)
def test_a_behaviour_that_cannot_be_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Behaviour(**settings)


# --- gates and pace --------------------------------------------------------------------------------------------------


def test_a_key_is_asked_for() -> None:
    with ModelServer(Behaviour(api_key="sesame")) as server:
        right, wrong, none = (ask(server, chat("screen"), key=key)[0] for key in ("sesame", "barley", None))
        assert "error" in get(f"{server.base_url}/models")
    assert [right[0], wrong[0], none[0]] == [200, 401, 401]
    assert wrong[2]["error"]["code"] == "invalid_api_key"


def test_unknown_models_do_not_exist() -> None:
    with ModelServer(Behaviour(models=("small", "big"))) as server:
        known, unknown = ask(server, chat("screen"), chat("screen", model="huge"))
        listed = get(f"{server.base_url}/models")
    assert (known[0], unknown[0]) == (200, 404)
    assert unknown[2]["error"]["code"] == "model_not_found"
    assert "huge" in unknown[2]["error"]["message"]
    assert [model["id"] for model in listed["data"]] == ["small", "big"]


def test_the_context_has_a_limit() -> None:
    def of(chars: int) -> dict[str, Any]:
        return {
            "model": "m",
            "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y" * (chars - 1)}],
        }

    with ModelServer(Behaviour(context_chars=100)) as server:
        fits, exceeds = ask(server, of(100), of(101))
    assert (fits[0], exceeds[0]) == (200, 400)
    assert exceeds[2]["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"model": "m"},
        {"model": "m", "messages": []},
        {"model": "m", "messages": [{"role": "user"}]},
        {"model": 1},
    ],
)
def test_a_malformed_request_is_a_bad_request(body: object) -> None:
    with ModelServer() as server:
        ((status, _, payload),) = ask(server, body)
        assert server.stats()["by_stage"] == {"plain": {"400": 1}}
    assert status == 400
    assert "messages" in payload["error"]["message"]


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


# --- books -----------------------------------------------------------------------------------------------------------


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


def test_256_connections_are_served_side_by_side() -> None:
    with ModelServer(Behaviour(latency=2)) as server:
        ask_at_once(server, [chat("classify", f"D {number}.") for number in range(256)], limit=256)
        stats = server.stats()
    assert (stats["max_in_flight"], stats["by_stage"]) == (256, {"classify": {"200": 256}})


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


def test_a_body_has_one_name_whatever_the_order_of_its_keys() -> None:
    body = chat("screen")
    assert body_sha256(dict(reversed(body.items()))) == body_sha256(body)
    assert body_sha256({**body, "temperature": 1.0}) != body_sha256(body)


def test_a_log_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"), ModelServer(log=tmp_path / "nowhere" / "log.jsonl"):
        pytest.fail("the server started")


# --- the process -----------------------------------------------------------------------------------------------------

CLIENT = """
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1], sys.argv[2].encode()))
"""


def test_the_process_outlives_a_killed_client(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    command = [sys.executable, "-m", "tests.model_server", "--port", "0", "--log", str(log), "--latency", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        client = [sys.executable, "-c", CLIENT, f"{url}/v1/chat/completions"]
        with subprocess.Popen([*client, json.dumps(chat("screen"))]) as killed:
            wait_for(lambda: log.exists() and len(lines(log)) == 1)
            killed.kill()
        subprocess.run([*client, json.dumps(chat("judge"))], check=True)
        stats = get(f"{url}/stats")
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=20) == 0
    assert stats["by_stage"] == {"screen": {"dropped": 1}, "judge": {"200": 1}}
    ends = {line["stage"]: line["event"] for line in lines(log)}
    assert ends == {"screen": "dropped", "judge": "answered"}
    assert len(lines(log)) == 4


def test_every_option_of_the_command_reaches_the_behaviour() -> None:
    options = "--seed 3 --latency lognormal:0.01:0.5 --fault 429=0.5 --fault empty=0.1 --retry-after 7 --hold 1"
    gates = "--api-key k --model a --model b --context-chars 1000 --requests-per-minute 6000"
    assert behaviour_of(parser().parse_args([*options.split(), *gates.split()])) == Behaviour(
        seed=3,
        latency=("lognormal", 0.01, 0.5),
        faults={"429": 0.5, "empty": 0.1},
        retry_after=7,
        hold_s=1,
        api_key="k",
        models=("a", "b"),
        context_chars=1000,
        requests_per_minute=6000,
    )
    assert behaviour_of(parser().parse_args([])) == Behaviour()
    assert behaviour_of(parser().parse_args(["--latency", "0.2"])) == Behaviour(latency=0.2)


def test_a_wrong_option_is_named() -> None:
    command = [sys.executable, "-m", "tests.model_server", "--fault", "503=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'503'" in done.stderr
