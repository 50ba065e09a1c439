"""The client, litellm and a server on loopback: what each failure on the wire becomes, and what stays open after it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.answers import GenerateAnswer, Stage, json_schema
from tests.model_server import Behaviour, ModelServer
from tests.prepared_replies import GOOD, error, said, serving, settings
from transforms.llm.client import Answered, ClientSettings, ModelClient, Unanswered
from transforms.llm.preflight import PreflightError, check_models
from transforms.llm.remote import RemoteEngine
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings
from transforms.llm.shared import SharedClient

KEY = "sk-this-key-must-never-appear-0123456789"
DOCUMENT = "The Forth Bridge opened in 1890 and carries a railway over the Firth of Forth."


def request(text: str = DOCUMENT, stage: Stage = "screen") -> Request:
    messages = ({"role": "system", "content": "Answer."}, {"role": "user", "content": text})
    return Request(stage, {"document": text}, messages, json_schema(stage), "fp")


def complete(model: Settings, one: Request | None = None, timeout_s: float = 10.0) -> Completion:
    """Call a model once, without cache or retry."""

    async def scenario() -> Completion:
        engine = RemoteEngine(timeout_s)
        try:
            return await engine.complete(one or request(), model)
        finally:
            await engine.close()

    return asyncio.run(scenario())


def fails(model: Settings, one: Request | None = None, timeout_s: float = 10.0) -> ModelError:
    with pytest.raises(ModelError) as caught:
        complete(model, one, timeout_s)
    return caught.value


def ask(cache: Path, model: Settings, *requests: Request, timeout_s: float = 10.0) -> list[Answered | Unanswered]:
    """Ask through a client whose waits take no time."""

    async def no_wait(seconds: float) -> None:
        await asyncio.sleep(0)

    async def scenario() -> list[Answered | Unanswered]:
        stages: tuple[Stage, ...] = ("screen", "classify", "generate", "judge")
        models = dict.fromkeys(stages, model)
        client = ModelClient(ClientSettings(models, str(cache), 8, timeout_s=timeout_s), sleep=no_wait)
        try:
            return await client.ask_all(requests)
        finally:
            await client.close()

    return asyncio.run(scenario())


# --- what is sent and what comes back --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["my-model", "org/my-model", "openai/my-model", "hosted_vllm/my-model"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_one_request_with_schema_and_settings(model: str, slash: str) -> None:
    with serving(said(GOOD)) as server:
        called = settings(server.base + slash, model, temperature=0.5, max_tokens=77, extra_body={"top_k": 5})
        completion = complete(called)
    assert completion == Completion(GOOD, "stop", 1000, 100, 800, 0.0, None)
    (body,) = server.bodies
    schema = {"name": "screen", "schema": json_schema("screen"), "strict": True}
    assert body == {
        "model": model if model == "org/my-model" else "my-model",
        "messages": [dict(message) for message in request().messages],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "temperature": 0.5,
        "max_tokens": 77,
        "top_k": 5,
    }


def test_what_is_not_set_is_not_sent() -> None:
    with serving(said(GOOD)) as server:
        complete(settings(server.base))
    assert set(server.bodies[0]) == {"model", "messages", "response_format"}


@pytest.mark.parametrize(
    ("model", "nano_usd"),
    [("openai/gpt-4.1-mini", 200 * 400 + 800 * 100 + 100 * 1600), ("hosted_vllm/gpt-4.1-mini", 0), ("my-model", 0)],
)
def test_a_gateway_to_openai_costs_what_the_list_says_and_a_model_of_ones_own_nothing(
    tmp_path: Path, model: str, nano_usd: int
) -> None:
    with serving(said(GOOD)) as server:
        (outcome,) = ask(tmp_path, settings(server.base, model), request())
    assert isinstance(outcome, Answered)
    assert outcome.usage["screen", "usage", model, "cost_nano_usd"] == nano_usd


def test_the_key_is_the_named_one_else_the_conventional_one_else_a_dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", "key-of-vllm")
    with serving(said(GOOD)) as server:
        complete(settings(server.base))
        complete(settings(server.base, "hosted_vllm/my-model"))
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        for model in ("my-model", "openai/my-model"):
            complete(settings(server.base, model))
            complete(settings(server.base, model, api_key_env="HOSTED_VLLM_API_KEY"))
    keys = [headers["Authorization"] for headers in server.headers]
    assert keys == ["Bearer no-key", "Bearer key-of-vllm", *[f"Bearer {KEY}", "Bearer key-of-vllm"] * 2]


# --- failures, one call ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["my-model", "openai/my-model"])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(400, "maximum 429 of something"), Kind.BAD_REQUEST),
        (error(400, "no", "context_length_exceeded"), Kind.TOO_LONG),
        (error(400, "rejected by our safety system"), Kind.REFUSED),
        (error(401, "wrong key"), Kind.AUTH),
        (error(403, "not yours"), Kind.AUTH),
        (error(404, "no", "model_not_found"), Kind.UNKNOWN_MODEL),
        (error(422, "no"), Kind.BAD_REQUEST),
        (error(429, "slow down"), Kind.THROTTLED),
        (error(429, "no money", "insufficient_quota"), Kind.AUTH),
        (error(500, "oops"), Kind.TRANSIENT),
        (error(503, "oops"), Kind.TRANSIENT),
        (error(504, "oops"), Kind.TIMEOUT),
        ({"text": "<html>not an API</html>", "content_type": "text/html"}, Kind.TRANSIENT),
        ({"text": '{"choices": []}'}, Kind.TRANSIENT),
    ],
)
def test_each_status_has_its_class(model: str, reply: dict[str, Any], kind: Kind) -> None:
    with serving(reply) as server:
        failed = fails(settings(server.base, model))
    assert failed.kind is kind
    assert len(server.bodies) == 1, "the transport does not retry"
    assert "\n" not in str(failed) and len(str(failed)) <= 300


@pytest.mark.parametrize("model", ["my-model", "openai/my-model"])
def test_retry_after_survives_litellm(model: str) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=40), usegmt=True)
    for value, low, high in (("7", 7, 7), (date, 30, 40)):
        with serving(error(429, "slow down", **{"Retry-After": value})) as server:
            failed = fails(settings(server.base, model))
        assert failed.retry_after is not None and low <= failed.retry_after <= high


def test_a_silent_server_is_a_timeout_and_takes_no_longer() -> None:
    with ModelServer(Behaviour(faults={"timeout": 1.0}, hold_s=30)) as server:
        before = time.monotonic()
        failed = fails(settings(server.base_url), timeout_s=0.3)
        assert time.monotonic() - before < 5
    assert failed.kind is Kind.TIMEOUT
    assert "0.3 s" in str(failed)


@contextlib.contextmanager
def dripping() -> Iterator[str]:
    """A server that sends a byte every tenth of a second and never ends: no single read of the socket times out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n")
                for _ in range(100):
                    connection.sendall(b" ")
                    time.sleep(0.1)

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            thread.join()


def test_a_dripping_server_is_a_timeout_too() -> None:
    with dripping() as base:
        before = time.monotonic()
        failed = fails(settings(base), timeout_s=1.0)
        assert time.monotonic() - before < 6
    assert failed.kind is Kind.TIMEOUT


def test_a_dropped_connection_passes() -> None:
    with ModelServer(Behaviour(faults={"timeout": 1.0}, hold_s=0.0)) as server:
        assert fails(settings(server.base_url)).kind is Kind.TRANSIENT


def test_nobody_there() -> None:
    failed = fails(settings("http://127.0.0.1:9/v1"))
    assert failed.kind is Kind.TRANSIENT
    assert "http://127.0.0.1:9/v1" in str(failed)
    assert "refused" in str(failed).lower()


def test_a_provider_that_litellm_does_not_know() -> None:
    assert fails(Settings("nosuchprovider/x")).kind is Kind.UNKNOWN_MODEL


def test_a_provider_without_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert fails(Settings("openai/gpt-4.1-mini")).kind is Kind.AUTH
    failed = fails(Settings("openai/gpt-4.1-mini", api_key_env="NO_SUCH_VARIABLE"))
    assert failed.kind is Kind.AUTH
    assert "NO_SUCH_VARIABLE" in str(failed)


# --- failures, through the client ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "calls"),
    [
        ("429", Kind.THROTTLED, 8),
        ("500", Kind.TRANSIENT, 8),
        ("timeout", Kind.TRANSIENT, 8),
        ("401", Kind.AUTH, 1),
        ("prose", Kind.INVALID, 2),
        ("refusal", Kind.REFUSED, 1),
        ("empty", Kind.INVALID, 2),
        ("truncated", Kind.TRUNCATED, 2),
        ("wrong_types", Kind.INVALID, 2),
    ],
)
def test_each_fault_has_its_class_and_its_number_of_calls(tmp_path: Path, fault: str, kind: Kind, calls: int) -> None:
    with ModelServer(Behaviour(faults={fault: 1.0}, retry_after=0.01, hold_s=0.0)) as server:
        (outcome,) = ask(tmp_path, settings(server.base_url), request())
        assert server.stats()["requests"] == calls
    assert isinstance(outcome, Unanswered)
    assert (outcome.kind, outcome.attempts) == (kind, calls)


def test_a_model_that_does_not_exist_is_asked_once(tmp_path: Path) -> None:
    with ModelServer(Behaviour(models=("other",))) as server:
        first, *rest = ask(tmp_path, settings(server.base_url), *(request(str(n)) for n in range(20)))
        assert server.stats()["by_status"] == {"404": server.stats()["requests"]}
        assert server.stats()["requests"] <= 8, "no more than were in flight"
    assert isinstance(first, Unanswered) and first.kind is Kind.UNKNOWN_MODEL
    assert {outcome.kind for outcome in rest if isinstance(outcome, Unanswered)} <= {Kind.AUTH, Kind.UNKNOWN_MODEL}
    assert all(isinstance(outcome, Unanswered) for outcome in rest)


def test_a_document_that_is_too_long_leaves_the_others(tmp_path: Path) -> None:
    with ModelServer(Behaviour(context_chars=500)) as server:
        long, short = ask(tmp_path, settings(server.base_url), request("x " * 1000), request())
    assert isinstance(long, Unanswered) and long.kind is Kind.TOO_LONG
    assert isinstance(short, Answered)


def test_rough_weather_changes_no_answer(tmp_path: Path) -> None:
    requests = [request(f"{DOCUMENT} It has {n} rivets.", stage) for n in range(20) for stage in ("screen", "generate")]
    with ModelServer() as server:
        calm = ask(tmp_path / "calm", settings(server.base_url), *requests)
    faults = {"429": 0.1, "500": 0.1, "timeout": 0.05, "prose": 0.05, "truncated": 0.05}
    # A seed that draws each fault, and spoils no reply twice; it goes by the bodies, so by the prompts and schemas too.
    with ModelServer(Behaviour(seed=14, faults=faults, retry_after=0.01, hold_s=0.0)) as server:
        rough = ask(tmp_path / "rough", settings(server.base_url), *requests)
        assert set(server.stats()["faults"]) == set(faults)
    assert [one.answer for one in calm if isinstance(one, Answered)] == [
        one.answer for one in rough if isinstance(one, Answered)
    ]
    assert len(calm) == len(rough) == 40 and all(isinstance(one, Answered) for one in (*calm, *rough))


def test_a_limit_on_requests_per_minute_costs_waits_and_no_answer(tmp_path: Path) -> None:
    requests = [request(f"{DOCUMENT} {n}") for n in range(40)]
    models: dict[Stage, Settings] = {}
    with ModelServer(Behaviour(requests_per_minute=1200)) as server:
        models["screen"] = settings(server.base_url)
        shared = SharedClient(ClientSettings(models, str(tmp_path), 32))
        outcomes = shared.ask_all(requests).result(timeout=60)
        shared.close()
        stats = server.stats()
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    assert 0 < stats["by_status"].get("429", 0) < 80


@pytest.mark.parametrize("source", [r"\frac{1}{2}", r"\\frac{1}{2}"])
def test_latex_arrives_with_its_backslash(tmp_path: Path, source: str) -> None:
    before, after = (
        '{"thought":"t","question":"q","answer":"',
        '","evidence":"e","answer_type":"expression","aliases":[]}',
    )
    with serving(said(before + source + after)) as server:
        (outcome,) = ask(tmp_path, settings(server.base), request(stage="generate"))
    assert isinstance(outcome, Answered)
    assert outcome.expect(GenerateAnswer).answer == r"\frac{1}{2}"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (said(GOOD, "length"), Kind.TRUNCATED),
        (said(None, "content_filter"), Kind.REFUSED),
        (said(None, refusal="I will not."), Kind.REFUSED),
        (said("I'm sorry, but I can't."), Kind.REFUSED),
        (said(None), Kind.INVALID),
        (said(GOOD.replace("true", '"yes"')), Kind.INVALID),
    ],
)
@pytest.mark.parametrize("model", ["my-model", "openai/my-model"])
def test_answers_of_no_use(tmp_path: Path, model: str, reply: dict[str, Any], kind: Kind) -> None:
    with serving(reply) as server:
        (outcome,) = ask(tmp_path, settings(server.base, model), request())
    assert isinstance(outcome, Unanswered)
    assert outcome.kind is kind


def test_answers_are_paid_once_over_http(tmp_path: Path) -> None:
    with ModelServer(Behaviour(latency=0.05)) as server:
        together = ask(tmp_path, settings(server.base_url), *[request()] * 5)
        again = ask(tmp_path, settings(server.base_url), request())
        assert server.stats()["requests"] == 1
    answers = {one.answer.model_dump_json() for one in (*together, *again) if isinstance(one, Answered)}
    assert len(answers) == 1


# --- what must not happen --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["my-model", "openai/my-model"])
def test_the_key_appears_nowhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    model: str,
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    leak = f"Incorrect API key provided: {KEY}, header was Authorization: Bearer {KEY}"
    with serving(error(500, leak), said("prose"), error(401, leak)) as server:
        called = settings(server.base, model, api_key_env="MY_KEY")
        (outcome,) = ask(tmp_path, called, request())
        with pytest.raises(PreflightError) as refused:
            check_models({"screen": called})
    assert isinstance(outcome, Unanswered)
    assert [headers["Authorization"] for headers in server.headers] == [f"Bearer {KEY}"] * 4
    chain: list[BaseException | None] = [outcome, outcome.__cause__, outcome.__context__]
    stored = "".join(path.read_text() for path in tmp_path.iterdir())
    out, err = capfd.readouterr()
    for text in (repr(called), *map(repr, chain), str(outcome), str(refused.value), stored, caplog.text, out, err):
        assert KEY not in text
    assert (out, err) == ("", "")


def test_descriptors_and_tasks_stay_flat_over_500_calls(tmp_path: Path) -> None:
    async def scenario(base: str) -> tuple[list[int], int]:
        models: dict[Stage, Settings] = {"screen": settings(base), "judge": settings(base, "openai/my-model")}
        client = ModelClient(ClientSettings(models, str(tmp_path), 8))
        counts = []
        for block in range(5):
            requests = [request(f"{block} {n}", stage) for n in range(50) for stage in models]
            outcomes = await client.ask_all(requests)
            assert all(isinstance(outcome, Answered) for outcome in outcomes)
            counts.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208
        tasks = len(asyncio.all_tasks())
        await client.close()
        return counts, tasks

    with ModelServer() as server:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        counts, tasks = asyncio.run(scenario(server.base_url))
        gc.collect()
        # The server, in this process, sees the last connections end a little later than the client.
        deadline = time.monotonic() + 5
        while (after := len(os.listdir("/proc/self/fd"))) > before and time.monotonic() < deadline:  # noqa: PTH208
            time.sleep(0.01)
    assert max(counts) - counts[0] <= 2
    assert max(counts) - before < 8 * 2 * 2 + 10
    assert after <= before
    assert tasks <= 10


def test_one_client_after_another_in_one_process(tmp_path: Path) -> None:
    with ModelServer() as server:
        for n in range(5):
            model = settings(server.base_url, ("my-model", "openai/my-model")[n % 2])
            (outcome,) = ask(tmp_path, model, request(str(n)))
            assert isinstance(outcome, Answered)


FORGOTTEN = """
import sys
from pathlib import Path
from tests.integration.test_llm_http import request
from tests.prepared_replies import settings
from transforms.llm.client import ClientSettings
from transforms.llm.shared import SharedClient
models = {"screen": settings(sys.argv[1]), "judge": settings(sys.argv[1], "openai/x")}
shared = SharedClient(ClientSettings(models, sys.argv[2], 4))
for outcome in shared.ask_all([request(), request("no", "judge")]).result():
    print(type(outcome).__name__)
pending = shared.ask_all([request("still in flight")])
"""


def test_a_process_that_forgets_to_close_ends_in_silence(tmp_path: Path) -> None:
    with ModelServer(Behaviour(latency=0.2)) as server:
        command = [sys.executable, "-W", "error", "-c", FORGOTTEN, server.base_url, str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.split() == ["Answered", "Answered"]
    assert result.stderr == ""
