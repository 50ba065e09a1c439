"""The preflight over HTTP: what it asks each model, what it lets pass, and how it names what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model_server import Behaviour, ModelServer
from tests.prepared_replies import GOOD, error, said, serving, settings
from transforms.llm.preflight import PreflightError, check_models
from transforms.llm.requests import Settings


def refused_models(**models: Settings) -> str:
    with pytest.raises(PreflightError) as caught:
        check_models(models)  # type: ignore[arg-type]
    return str(caught.value)


def test_preflight_asks_each_distinct_model_once_and_briefly() -> None:
    with serving(said("anything")) as server:
        one, two = settings(server.base, max_tokens=4096, temperature=1.0), settings(server.base, "other", max_tokens=5)
        embedded = Settings("embedded/extractive")
        check_models({"screen": embedded, "classify": one, "generate": two, "judge": one})
        check_models({"screen": embedded})
    asked = {
        body["model"]: (body["max_tokens"], body["response_format"]["json_schema"]["name"]) for body in server.bodies
    }
    assert len(server.bodies) == 2
    assert asked == {"my-model": (16, "classify"), "other": (5, "generate")}


def test_preflight_asks_for_the_answer_that_the_calls_will_ask_for() -> None:
    with serving(said("anything")) as server:
        check_models({"classify": settings(server.base), "judge": settings(server.base, "other")}, "merged")
    formats = {body["model"]: body["response_format"]["json_schema"] for body in server.bodies}
    assert {model: form["name"] for model, form in formats.items()} == {"my-model": "read", "other": "judge_all"}
    assert list(formats["other"]["schema"]["properties"]) == ["verdicts"]


@pytest.mark.parametrize(
    "reply",
    [
        error(429, "slow down"),
        error(500, "oops"),
        error(503, "oops"),
        error(400, "could not finish the message because max_tokens was reached"),
        error(400, "rejected by our safety system"),
        said(GOOD, "length"),
        said(None, refusal="no"),
    ],
)
def test_preflight_lets_pass_what_may_pass(reply: dict[str, Any]) -> None:
    with serving(reply) as server:
        check_models({"screen": settings(server.base)})
    assert len(server.bodies) == 1


def test_preflight_names_the_variable_of_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "OPENAI_API_KEY" in refused_models(screen=Settings("openai/gpt-4.1-mini"))


def test_preflight_lets_a_slow_model_pass() -> None:
    with ModelServer(Behaviour(latency=30.0)) as server:
        check_models({"screen": settings(server.base_url)}, timeout_s=0.3)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (error(401, "wrong key"), "api_key_env"),
        (error(403, "not allowed"), "api_key_env"),
        (error(404, "no", "model_not_found"), "api_base"),
        (error(400, "response_format is not supported"), "structured outputs"),
    ],
)
def test_preflight_names_model_place_reason_and_remedy(reply: dict[str, Any], words: str) -> None:
    with serving(reply) as server:
        message = refused_models(screen=settings(server.base), judge=settings(server.base))
    assert "\n" not in message
    for part in ("'my-model' (screen, judge)", server.base, str(reply["status"]), words):
        assert part in message


def test_preflight_names_a_missing_variable_and_an_unreachable_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    one = Settings("openai/gpt-4.1-mini", api_key_env="NO_SUCH_VARIABLE")
    two = settings("http://127.0.0.1:9/v1")
    first, second = refused_models(screen=one, classify=two).splitlines()
    assert "'openai/gpt-4.1-mini' (screen)" in first and "NO_SUCH_VARIABLE is not set" in first
    assert "'my-model' (classify)" in second and "http://127.0.0.1:9/v1" in second and "start the server" in second
