"""The lines of batch files: what is sent, and every shape in which a result comes back."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from schemas.answers import json_schema
from transforms.llm.batch.provider import PROVIDERS, provider_of
from transforms.llm.batch.wire import URL, read_result, request_line
from transforms.llm.cache import request_key
from transforms.llm.litellm_engine import load_litellm
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings
from transforms.llm.served_engine import chat_body

KEY = "0a" * 32
SERVED = Settings("hosted_vllm/my/model", "http://127.0.0.1:8000/v1", temperature=0.5, extra_body={"top_k": 3})
GEMINI = Settings("vertex_ai/gemini-2.5-flash")
SECRET = "sk-a-secret-of-the-provider"
BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '{"a": 1}'}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}},
}
ANSWER = Completion('{"a": 1}', "stop", 10, 5, 4)


def request(text: str = "Hi") -> Request:
    return Request("screen", {}, ({"role": "user", "content": text},), json_schema("screen"), "fp")


def result(
    response: object = None, error: object = None, settings: Settings = SERVED, **more: object
) -> Completion | ModelError | None:
    line = json.dumps({"id": "batch_req_1", "custom_id": KEY, "response": response, "error": error, **more}).encode()
    key, outcome = read_result(line, settings)
    assert key == KEY
    return outcome


def error_of(*arguments: Any, **more: Any) -> ModelError:
    outcome = result(*arguments, **more)
    assert isinstance(outcome, ModelError)
    return outcome


def reply(status: object, body: object) -> dict[str, object]:
    return {"status_code": status, "request_id": "r", "body": body}


def test_a_request_is_a_line_of_openais_format() -> None:
    key = request_key(request(), SERVED)
    line = request_line(key, request("Zeile\neins „é“ \u2028 \ud800"), SERVED)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert "„é“".encode() in line
    fields = json.loads(line)
    body = fields.pop("body")
    assert fields == {"custom_id": key, "method": "POST", "url": URL}
    assert len(key) == 64, "what OpenAI takes at most as a custom_id"
    assert (body["model"], body["top_k"], body["temperature"]) == ("my/model", 3, 0.5)
    assert body["messages"] == [{"role": "user", "content": "Zeile\neins „é“ \u2028 ?"}]
    assert body["response_format"]["json_schema"]["name"] == "screen"
    assert body.keys() == chat_body(request(), SERVED).keys()


SERVED_MODELS = {
    "gpt-4.1-mini": "gpt-4.1-mini",
    "openai/gpt-4.1-mini": "gpt-4.1-mini",
    "azure/my-deployment": "my-deployment",
    "vertex_ai/gemini-2.5-flash": "gemini-2.5-flash",
    "hosted_vllm/openai/gpt-oss-20b": "openai/gpt-oss-20b",
}


@pytest.mark.parametrize(("model", "name"), SERVED_MODELS.items())
def test_a_line_names_the_model_as_its_provider_does(model: str, name: str) -> None:
    body = json.loads(request_line(KEY, request(), Settings(model)))["body"]
    assert body["model"] == name


def test_every_provider_has_such_a_name() -> None:
    assert {provider_of(Settings(model)) for model in SERVED_MODELS} == set(PROVIDERS)


def test_a_server_of_ones_own_may_have_a_model_of_any_name() -> None:
    settings = Settings("Qwen/Qwen3-8B", "http://127.0.0.1:8000/v1")
    assert json.loads(request_line(KEY, request(), settings))["body"]["model"] == "Qwen/Qwen3-8B"


def test_litellm_makes_the_job_on_vertex_of_the_name_in_the_first_line() -> None:
    load_litellm()
    files = importlib.import_module("litellm.llms.vertex_ai.files.transformation")
    data = request_line(KEY, request(), GEMINI)
    made = files.VertexAIFilesConfig().get_object_name(("mine.jsonl", data, "application/jsonl"), "batch")
    jobs = importlib.import_module("litellm.llms.vertex_ai.batches.transformation")
    job = jobs.VertexAIBatchTransformation._get_model_from_gcs_file(f"gs://bucket/{made}")
    assert job == "publishers/google/models/gemini-2.5-flash"


def test_an_answer() -> None:
    assert result(reply(200, BODY)) == ANSWER


def test_an_answer_of_vllm_run_batch_has_null_where_others_have_nothing() -> None:
    message: dict[str, object] = {
        "role": "assistant", "content": '{"a": 1}', "refusal": None, "tool_calls": [], "reasoning_content": None,
    }  # fmt: skip
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "stop_reason": None}
    usage = {"prompt_tokens": 10, "total_tokens": 15, "completion_tokens": 5, "prompt_tokens_details": None}
    body = {**BODY, "choices": [choice], "usage": usage, "prompt_logprobs": None}
    line = {"id": "vllm-1", "custom_id": KEY, "response": reply(200, body), "error": None}
    assert read_result(json.dumps(line).encode(), SERVED) == (KEY, Completion('{"a": 1}', "stop", 10, 5))


def test_an_error_of_vllm_run_batch() -> None:
    said = {"object": "error", "message": "This model's maximum context length is 4096 tokens", "code": 400}
    outcome = error_of(reply(400, said))
    assert outcome.kind is Kind.TOO_LONG
    assert "maximum context length" in str(outcome)
    assert error_of(reply(400, {"error": said})).kind is Kind.TOO_LONG


def test_an_answer_that_ended_early_keeps_why() -> None:
    choice = {**BODY["choices"][0], "finish_reason": "length"}  # type: ignore[index]
    outcome = result(reply(200, {**BODY, "choices": [choice], "usage": None}))
    assert outcome == Completion('{"a": 1}', "length")


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "a bad parameter", Kind.BAD_REQUEST),
        (400, "context_length_exceeded", Kind.TOO_LONG),
        (400, "your prompt was flagged by the safety system", Kind.REFUSED),
        (401, "no such key", Kind.AUTH),
        (403, "not yours", Kind.AUTH),
        (404, "the model does not exist", Kind.UNKNOWN_MODEL),
        (408, "too slow", Kind.TIMEOUT),
        (429, "too many requests", Kind.THROTTLED),
        (500, "oops", Kind.TRANSIENT),
        (503, "overloaded", Kind.TRANSIENT),
    ],
)
def test_a_status_means_what_it_means_online(status: int, message: str, kind: Kind) -> None:
    for settings in (SERVED, GEMINI, Settings("gpt-4.1-mini")):
        outcome = error_of(reply(status, {"error": {"message": message}}), settings=settings)
        assert outcome.kind is kind
        assert message in str(outcome)


def test_a_status_of_null_is_taken_for_an_answer() -> None:
    assert result(reply(None, BODY)) == ANSWER


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "overloaded",
        7,
        {"choices": []},
        {"choices": [{"message": None}]},
        {"choices": [{"message": {"content": ["not", "a", "text"]}}]},
        {"choices": [{"message": {"content": "a"}}], "usage": [1]},
        {"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": "many"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("settings", [SERVED, GEMINI], ids=["served", "gemini"])
def test_a_body_that_is_no_chat_completion_may_pass(body: object, settings: Settings) -> None:
    outcome = error_of(reply(200, body), settings=settings)
    assert outcome.kind is Kind.TRANSIENT
    assert str(outcome).startswith(f"{settings.api_base or settings.model} answered no chat completion")


@pytest.mark.parametrize("code", ["batch_expired", "batch_cancelled"])
def test_a_request_that_the_batch_did_not_come_to_has_not_failed(code: str) -> None:
    assert result(None, {"code": code, "message": "too late"}) is None
    assert result(reply(None, None), {"code": code, "message": "too late"}) is None


@pytest.mark.parametrize(
    ("response", "error", "said"),
    [
        (None, {"code": "server_error", "message": "it broke"}, "it broke"),
        (None, {"code": "vertex_ai_error", "message": 'Bad Request: {"error": {"code": 400}}'}, "Bad Request"),
        (None, {"code": "transformation_error", "message": "Failed to transform response: 'parts'"}, "'parts'"),
        (None, "in words alone", "in words alone"),
        (None, None, "None"),
        ({}, None, "None"),
        ("nothing", None, "None"),
        (reply(500, None), {"code": None, "message": "the body is missing"}, "the body is missing"),
    ],
)
def test_a_request_without_an_answer_may_get_one_from_another_batch(response: object, error: object, said: str) -> None:
    outcome = error_of(response, error, settings=GEMINI)
    assert outcome.kind is Kind.TRANSIENT
    assert said in str(outcome)


def test_no_secret_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "hush-hush")
    settings = Settings("openai/m", "http://127.0.0.1:1/v1", "MY_KEY")
    for outcome in (
        error_of(None, {"message": f"the key hush-hush or {SECRET}\nis wrong"}, settings=settings),
        error_of(reply(401, {"error": {"message": f"the key hush-hush or {SECRET} is wrong"}}), settings=settings),
        error_of(reply(200, f"hush-hush {SECRET}"), settings=settings),
    ):
        assert "hush" not in str(outcome)
        assert SECRET not in str(outcome)
        assert "\n" not in str(outcome)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no JSON",
        b'{"custom_id": "a", "respon',
        b'"a text"',
        b"[1]",
        b"null",
        b"{}",
        b'{"custom_id": 7, "response": null}',
        b'{"custom_id": "\xff"}',
        b"[" * 200_000,
        b'{"custom_id": "a", "response": {"status_code": "fine", "body": {}}}',
        b'{"custom_id": "a", "response": {"status_code": [200], "body": {}}}',
    ],
    ids=lambda line: line[:40].decode(errors="replace"),
)
def test_garbage_is_no_result(line: bytes) -> None:
    with pytest.raises(ValueError):
        read_result(line, SERVED)
