"""The client over an engine of our own: cache, sharing, limits, retries, and the breaker."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from schemas.answers import JudgeAnswer, ScreenAnswer, Stage, json_schema
from transforms.llm.cache import CacheError, Entry
from transforms.llm.cache.local import LocalCache
from transforms.llm.client import Answered, ClientSettings, ModelClient, Unanswered
from transforms.llm.rates import Limits
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings

GOOD = Completion('{"thought": "t", "qualified": true}', "stop", 100, 10, 40, 2.5e-5)
PROSE = Completion("Well, let me think.", "stop", 100, 5)
CUT = Completion('{"thought": "t", "qual', "length", 100, 20)
REMOTE = Settings("remote", "http://nowhere/v1")


def request(text: str = "hi", stage: Stage = "screen") -> Request:
    return Request(stage, {"document": text}, ({"role": "user", "content": text},), json_schema(stage), "fp")


def failing(kind: Kind, retry_after: float | None = None) -> ModelError:
    return ModelError(kind, f"it is {kind.value}", retry_after=retry_after)


class Script:
    """An engine that plays outcomes in turn, the last one for ever; it knows how many calls were inside at once."""

    def __init__(self, *outcomes: Completion | Exception, hold: Callable[[], Awaitable[object]] | None = None) -> None:
        self.outcomes = list(outcomes)
        self.hold = hold
        self.calls = 0
        self.heard: list[tuple[Mapping[str, str], ...]] = []
        self.inside = 0
        self.most = 0

    async def complete(self, request: Request, settings: Settings) -> Completion:
        outcome = self.outcomes[min(self.calls, len(self.outcomes) - 1)]
        self.calls += 1
        self.heard.append(request.messages)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await (asyncio.sleep(0) if self.hold is None else self.hold())
        finally:
            self.inside -= 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def settings(cache: Path, concurrency: int = 4, **models: Settings) -> ClientSettings:
    stages: tuple[Stage, ...] = ("screen", "classify", "generate", "judge")
    return ClientSettings({stage: models.get(stage, REMOTE) for stage in stages}, str(cache), concurrency)


def client(cache: Path, engine: Script, time: Time | None = None, concurrency: int = 4) -> ModelClient:
    time = time or Time()
    return ModelClient(settings(cache, concurrency), engine=engine, clock=time, sleep=time.sleep, random=lambda: 1.0)


def ask(cache: Path, engine: Script, *requests: Request, time: Time | None = None) -> list[Answered | Unanswered]:
    async def scenario() -> list[Answered | Unanswered]:
        asked = client(cache, engine, time)
        try:
            return [(await asked.ask_all([one]))[0] for one in requests]
        finally:
            await asked.close()

    return asyncio.run(scenario())


def usage(outcome: Answered | Unanswered) -> dict[str, int]:
    assert {key[:3] for key in outcome.usage} == {("screen", "usage", "remote")}
    return {key[3]: n for key, n in outcome.usage.items()}


REPLAYED = {
    "answers": 1,
    "prompt_chars": 2,
    "replayed_prompt_tokens": 100,
    "replayed_completion_tokens": 10,
    "replayed_cost_nano_usd": 25_000,
}


def test_an_answer_comes_with_its_call_and_its_cost(tmp_path: Path) -> None:
    (outcome,) = ask(tmp_path, Script(GOOD), request())
    assert isinstance(outcome, Answered)
    assert outcome.expect(ScreenAnswer) == ScreenAnswer(thought="t", qualified=True)
    assert (outcome.call.model, outcome.call.prompt) == ("remote", "fp")
    entry = LocalCache(str(tmp_path)).get(outcome.call.key)
    assert entry is not None and entry.completion == GOOD
    assert usage(outcome) == {
        "requests": 1,
        "calls": 1,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "cached_tokens": 40,
        "cost_nano_usd": 25_000,
        "answers": 1,
        "prompt_chars": 2,
    }
    with pytest.raises(TypeError, match="ScreenAnswer, not a JudgeAnswer"):
        outcome.expect(JudgeAnswer)


def test_every_call_is_measured_whether_it_was_of_use_or_not(tmp_path: Path) -> None:
    tokens, took = "completion_tokens_per_call", ("call_ms", 0)
    answered, unanswered, replayed = ask(
        tmp_path,
        Script(failing(Kind.TRANSIENT), PROSE, GOOD, failing(Kind.BAD_REQUEST)),
        request("a"),
        request("b"),
        request("a"),
    )
    assert answered.samples == (took, took, (tokens, 5), took, (tokens, 10))
    assert isinstance(unanswered, Unanswered) and unanswered.samples == (took,)
    assert replayed.samples == ()


def test_an_answer_is_paid_once(tmp_path: Path) -> None:
    engine = Script(GOOD, failing(Kind.BAD_REQUEST))
    (first,) = ask(tmp_path, engine, request())
    (again,) = ask(tmp_path, engine, request())
    assert isinstance(again, Answered) and isinstance(first, Answered)
    assert (again.answer, again.call) == (first.answer, first.call)
    assert engine.calls == 1
    assert usage(again) == {"requests": 1, "cache_hits": 1, **REPLAYED}


@pytest.mark.parametrize("outcome", [GOOD, failing(Kind.BAD_REQUEST)])
def test_identical_requests_in_flight_are_one_call(tmp_path: Path, outcome: Completion | ModelError) -> None:
    async def scenario() -> list[Answered | Unanswered]:
        asked = client(tmp_path, engine)
        outcomes = await asked.ask_all([request("a"), request("b"), request("a"), request("a")])
        await asked.close()
        return outcomes

    engine = Script(outcome)
    first, other, *followers = asyncio.run(scenario())
    assert engine.calls == 2
    assert [usage(one)["calls"] for one in (first, other)] == [1, 1]
    assert other.call.key != first.call.key
    for follower in followers:
        assert follower.call == first.call
        assert follower is not first
        if isinstance(follower, Unanswered):
            assert follower.kind is Kind.BAD_REQUEST
            assert follower.attempts == 0
            assert usage(follower) == {"requests": 1}
        else:
            assert usage(follower) == {"requests": 1, "cache_hits": 1}


def test_who_stops_waiting_does_not_take_the_answer_from_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        engine = Script(GOOD, hold=gate.wait)
        asked = client(tmp_path, engine)
        leader = asyncio.create_task(asked.ask(request()))
        follower = asyncio.create_task(asked.ask(request()))
        await asyncio.sleep(0.01)
        leader.cancel()
        await asyncio.sleep(0.01)
        gate.set()
        assert (await follower).expect(ScreenAnswer).qualified
        assert leader.cancelled()
        assert engine.calls == 1
        await asked.close()

    asyncio.run(scenario())


def test_samples_of_one_request_are_different_calls(tmp_path: Path) -> None:
    engine = Script(GOOD)
    outcomes = ask(tmp_path, engine, request(), dataclasses.replace(request(), sample=1))
    assert engine.calls == 2
    assert len({outcome.call.key for outcome in outcomes}) == 2


def test_what_may_pass_is_tried_again_with_growing_waits(tmp_path: Path) -> None:
    time = Time()
    engine = Script(failing(Kind.TRANSIENT), failing(Kind.TIMEOUT), failing(Kind.THROTTLED, 9.0), GOOD)
    (outcome,) = ask(tmp_path, engine, request(), time=time)
    assert isinstance(outcome, Answered)
    assert time.slept == [0.5, 1.0, 9.0]
    found = usage(outcome)
    assert found["calls"] == 4
    assert {name: n for name, n in found.items() if name.startswith("failed_")} == {
        "failed_transient": 1,
        "failed_timeout": 1,
        "failed_throttled": 1,
    }


def test_eight_attempts_and_no_more(tmp_path: Path) -> None:
    time, engine = Time(), Script(failing(Kind.TRANSIENT))
    (outcome,) = ask(tmp_path, engine, request(), time=time)
    assert isinstance(outcome, Unanswered)
    assert (outcome.kind, outcome.attempts, str(outcome)) == (Kind.TRANSIENT, 8, "it is transient")
    assert time.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    assert engine.calls == 8
    assert usage(outcome)["failed_transient"] == 8


@pytest.mark.parametrize(("bad", "kind"), [(PROSE, Kind.INVALID), (CUT, Kind.TRUNCATED)])
def test_a_useless_answer_is_paid_kept_and_asked_for_once_more(tmp_path: Path, bad: Completion, kind: Kind) -> None:
    time, engine = Time(), Script(bad)
    (outcome,) = ask(tmp_path, engine, request(), time=time)
    assert isinstance(outcome, Unanswered)
    assert (outcome.kind, outcome.attempts, time.slept) == (kind, 2, [])
    assert usage(outcome)["prompt_tokens"] == 200
    cache = LocalCache(str(tmp_path))
    assert [(name, entry.valid) for name, entry in cache.entries()] == [(outcome.call.key, False)] * 2
    (later,) = ask(tmp_path, Script(GOOD), request())
    assert isinstance(later, Answered)
    assert usage(later)["calls"] == 1


def test_an_invalid_answer_is_sent_back_with_what_is_wrong_and_its_repair_answers_the_request(tmp_path: Path) -> None:
    asked = dataclasses.replace(request(), repair="No: $error!")
    engine = Script(PROSE, failing(Kind.TRANSIENT), GOOD)
    (outcome,) = ask(tmp_path, engine, asked)
    assert isinstance(outcome, Answered)
    assert usage(outcome)["calls"] == 3
    objection = {"role": "user", "content": "No: no JSON object in: Well, let me think.!"}
    repair = (*asked.messages, {"role": "assistant", "content": PROSE.text}, objection)
    assert engine.heard == [asked.messages, repair, repair]
    (again,) = ask(tmp_path, Script(failing(Kind.BAD_REQUEST)), asked)
    assert isinstance(again, Answered)
    assert outcome.call == again.call


@pytest.mark.parametrize("bad", [CUT, Completion(" \n", "stop", 100, 1)])
def test_what_has_nothing_to_repair_is_asked_for_again(tmp_path: Path, bad: Completion) -> None:
    engine = Script(bad, GOOD)
    (outcome,) = ask(tmp_path, engine, request())
    assert isinstance(outcome, Answered)
    assert engine.heard == [request().messages] * 2


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.TOO_LONG, Kind.BAD_REQUEST])
def test_what_is_wrong_with_a_request_stays_with_it(tmp_path: Path, kind: Kind) -> None:
    engine = Script(failing(kind), GOOD)
    bad, good = ask(tmp_path, engine, request("a"), request("b"))
    assert isinstance(bad, Unanswered) and isinstance(good, Answered)
    assert (bad.kind, bad.attempts) == (kind, 1)


def test_an_engine_that_breaks_breaks_one_request(tmp_path: Path) -> None:
    bad, good = ask(tmp_path, Script(IndexError("list index out of range"), GOOD), request("a"), request("b"))
    assert isinstance(bad, Unanswered) and isinstance(good, Answered)
    assert bad.kind is Kind.BAD_REQUEST
    assert "IndexError: list index out of range" in str(bad)


@pytest.mark.parametrize("kind", [Kind.AUTH, Kind.UNKNOWN_MODEL])
def test_a_refused_key_or_unknown_model_breaks_the_endpoint(tmp_path: Path, kind: Kind) -> None:
    cached = Script(GOOD)
    ask(tmp_path, cached, request("known"))
    engine = Script(failing(kind), GOOD)
    first, second, known = ask(tmp_path, engine, request("a"), request("b"), request("known"))
    assert isinstance(first, Unanswered) and isinstance(second, Unanswered)
    assert (first.kind, first.attempts) == (kind, 1)
    assert (second.kind, second.attempts) == (kind, 0)
    assert f"it is {kind.value}" in str(second)
    assert "calls" not in usage(second)
    assert engine.calls == 1
    assert isinstance(known, Answered), "what has been paid for is still answered"


def test_requests_that_wait_when_the_endpoint_breaks_are_not_sent(tmp_path: Path) -> None:
    async def scenario() -> None:
        asked = client(tmp_path, engine, concurrency=2)
        outcomes = await asked.ask_all([request(str(n)) for n in range(50)])
        assert all(isinstance(outcome, Unanswered) and outcome.kind is Kind.AUTH for outcome in outcomes)
        await asked.close()

    engine = Script(failing(Kind.AUTH))
    asyncio.run(scenario())
    assert engine.calls == 2


def test_one_endpoint_breaks_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        other = settings(tmp_path, judge=Settings("other", "http://nowhere/v1"))
        asked = ModelClient(other, engine=engine)
        broken, _ = await asked.ask_all([request("a"), request("b")])
        judged = await asked.ask(request(stage="judge"))
        assert isinstance(broken, Unanswered)
        assert judged.expect(JudgeAnswer).has_context
        await asked.close()

    verdict = '{"thought": "t", "has_context": true, "answer_correct": true, "leaks_answer": false}'
    engine = Script(failing(Kind.AUTH), failing(Kind.AUTH), Completion(verdict, "stop"))
    asyncio.run(scenario())


def test_no_more_calls_at_once_than_allowed_over_all_endpoints(tmp_path: Path) -> None:
    async def scenario() -> None:
        many = settings(tmp_path, 5, judge=Settings("other", "http://nowhere/v1"))
        asked = ModelClient(many, engine=engine)
        requests = [request(str(n), stage) for n in range(30) for stage in ("screen", "judge")]
        await asked.ask_all(requests)
        await asked.close()

    engine = Script(failing(Kind.REFUSED), hold=lambda: asyncio.sleep(0.002))
    asyncio.run(scenario())
    assert engine.calls == 60
    assert engine.most == 5


def test_a_wait_for_a_retry_occupies_no_place(tmp_path: Path) -> None:
    async def scenario() -> None:
        waiting, go_on = asyncio.Event(), asyncio.Event()

        async def sleep(seconds: float) -> None:
            waiting.set()
            await go_on.wait()

        asked = ModelClient(settings(tmp_path, 1), engine=engine, sleep=sleep, random=lambda: 1.0)
        slow = asyncio.create_task(asked.ask(request("slow")))
        await waiting.wait()
        assert (await asyncio.wait_for(asked.ask(request("quick")), 5)).expect(ScreenAnswer).qualified
        assert not slow.done()
        go_on.set()
        assert (await slow).expect(ScreenAnswer).qualified
        await asked.close()

    engine = Script(failing(Kind.TRANSIENT), GOOD)
    asyncio.run(scenario())


def test_a_cache_that_cannot_be_written_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        asked = client(tmp_path, Script(GOOD))
        monkeypatch.setattr(LocalCache, "put", full)
        with pytest.raises(CacheError, match="no space"):
            await asked.ask_all([request()])
        await asked.close()

    async def full(*_: object) -> None:
        raise CacheError("no space")

    asyncio.run(scenario())


def test_an_answer_that_waits_to_be_kept_occupies_no_place_and_nobody_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        kept = asyncio.Event()
        put = LocalCache.put

        async def late(self: LocalCache, key: str, entry: Entry) -> None:
            await kept.wait()
            await put(self, key, entry)

        monkeypatch.setattr(LocalCache, "put", late)
        engine = Script(GOOD)
        asked = client(tmp_path, engine, concurrency=1)
        tasks = [asyncio.create_task(asked.ask(request(name))) for name in ("a", "b", "b", "c")]
        while engine.calls < 3:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in tasks)
        kept.set()
        assert all(answered.expect(ScreenAnswer).qualified for answered in await asyncio.gather(*tasks))
        assert engine.calls == 3
        await asked.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("cache", "window"), [("run/cache", 8), ("gs://bucket/cache", 8 + 512)])
def test_a_stage_keeps_under_way_what_waits_for_packs(cache: str, window: int) -> None:
    assert ClientSettings({}, cache, 8).window == window


def test_closing_cancels_what_is_in_flight(tmp_path: Path) -> None:
    async def scenario() -> None:
        engine = Script(GOOD, hold=asyncio.Event().wait)
        asked = client(tmp_path, engine)
        task = asyncio.create_task(asked.ask(request()))
        await asyncio.sleep(0.01)
        assert engine.inside == 1
        await asked.close()
        assert engine.inside == 0
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_an_embedded_model_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"judge: no model 'embedded/x'; there is embedded/extractive"):
        ModelClient(settings(tmp_path, judge=Settings("embedded/x")))


TEXT = "The Forth Bridge opened in 1890. It carries a railway over the Firth of Forth. It is 2467 metres long."


def embedded(cache: Path) -> ClientSettings:
    model = Settings("embedded/extractive")
    return settings(cache, 2, screen=model, classify=model, generate=model, judge=model)


def test_the_embedded_engine_answers_without_a_place_and_is_cached(tmp_path: Path) -> None:
    async def scenario() -> None:
        asked = ModelClient(embedded(tmp_path))
        first = await asked.ask(request(TEXT))
        again = await asked.ask(request(TEXT))
        assert first.expect(ScreenAnswer) == again.expect(ScreenAnswer)
        fields = [Counter({key[2:]: n for key, n in one.usage.items()}) for one in (first, again)]
        model = "embedded/extractive"
        assert fields[0][model, "calls"] == 1
        assert fields[1] == {(model, "requests"): 1, (model, "cache_hits"): 1}
        await asked.close()

    asyncio.run(scenario())


def test_the_limits_of_a_model_hold_for_its_requests_and_no_others(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[float], Script]:
        time, went = Time(), []

        async def hold() -> None:
            went.append(time.now)

        engine = Script(GOOD, hold=hold)
        limits = {"remote": Limits(concurrency=1, requests_per_minute=6), "other": Limits(requests_per_minute=1)}
        limited = dataclasses.replace(settings(tmp_path), limits=limits)
        asked = ModelClient(limited, engine=engine, clock=time, sleep=time.sleep, random=lambda: 1.0)
        try:
            await asked.ask_all([request(str(n)) for n in range(4)])
        finally:
            await asked.close()
        return went, engine

    went, engine = asyncio.run(scenario())
    assert engine.most == 1
    assert went[0] == 0.0
    gaps = [after - before for before, after in itertools.pairwise(went)]
    assert all(9.5 < gap < 10.5 for gap in gaps)


def test_the_settings_do_not_show_the_limiters_password(tmp_path: Path) -> None:
    assert "hunter2" not in repr(dataclasses.replace(settings(tmp_path), limiter="redis://:hunter2@localhost"))
