"""Classes of failure and their messages, from exceptions as litellm chains them."""

from __future__ import annotations

import asyncio
import json
import socket

import httpx
import pytest

from transforms.llm.failures import ModelUnreachable, failure, redact, retry_after_s
from transforms.llm.requests import Kind, ModelError, Settings

SETTINGS = Settings("m", "http://127.0.0.1:1/v1", "MY_MODEL_KEY")
NOW = 1_700_000_000.0


class Wrapped(Exception):
    """Like litellm's: raised from the cause, with a status of its own making."""

    def __init__(self, message: str, status_code: int = 500) -> None:
        super().__init__(message)
        self.status_code = status_code


def chained(cause: BaseException, message: str = "wrapped", status_code: int = 500) -> Wrapped:
    error = Wrapped(message, status_code)
    error.__context__ = Wrapped("middle")
    error.__context__.__cause__ = cause
    return error


def of_response(status: int, body: object, headers: dict[str, str] | None = None) -> ModelError:
    text = body if isinstance(body, str) else json.dumps(body)
    url = httpx.Request("POST", "http://127.0.0.1:1/v1/chat/completions")
    response = httpx.Response(status, text=text, headers=headers, request=url)
    # The status that litellm gives is wrong on purpose: what came over the wire counts.
    return failure(chained(httpx.HTTPStatusError("x", request=url, response=response), status_code=429), SETTINGS, 5)


def said(message: str, code: str | None = None) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, said("temperature must be below 2"), Kind.BAD_REQUEST),
        (400, said("at most 429 tokens, rate limit of nonsense"), Kind.BAD_REQUEST),
        (400, said("This model's maximum context length is 8192 tokens"), Kind.TOO_LONG),
        (400, said("too big", "context_length_exceeded"), Kind.TOO_LONG),
        (400, said("the request exceeds the available context size. try increasing it"), Kind.TOO_LONG),
        (400, {"message": "The decoder prompt (9) is longer than the maximum model length of 8"}, Kind.TOO_LONG),
        (400, said("prompt is too long: 210000 tokens > 200000 maximum"), Kind.TOO_LONG),
        (400, said("Your request was rejected as a result of our safety system"), Kind.REFUSED),
        (400, said("filtered by the content management policy", "content_filter"), Kind.REFUSED),
        (400, said("x is not a valid model ID"), Kind.UNKNOWN_MODEL),
        (400, said("API key not valid. Please pass a valid API key."), Kind.AUTH),
        (401, said("no"), Kind.AUTH),
        (402, said("Insufficient Balance"), Kind.AUTH),
        (403, said("no"), Kind.AUTH),
        (403, said("your input was flagged", "moderation"), Kind.REFUSED),
        (404, said("no", "model_not_found"), Kind.UNKNOWN_MODEL),
        (404, "404 page not found", Kind.UNKNOWN_MODEL),
        (405, "", Kind.UNKNOWN_MODEL),
        (408, said("slow"), Kind.TIMEOUT),
        (409, said("busy"), Kind.TRANSIENT),
        (413, "too large", Kind.TOO_LONG),
        (422, {"detail": [{"loc": ["body"], "msg": "wrong", "input": "context length " * 999}]}, Kind.TOO_LONG),
        (422, {"detail": "extra fields"}, Kind.BAD_REQUEST),
        (429, said("slow down, see the billing page"), Kind.THROTTLED),
        (429, said("You exceeded your current quota", "insufficient_quota"), Kind.AUTH),
        (429, said("Request too large for m: limit 10000, requested 12000"), Kind.TOO_LONG),
        (500, said("context length of the stack trace"), Kind.TRANSIENT),
        (502, "<html>bad gateway</html>", Kind.TRANSIENT),
        (503, [], Kind.TRANSIENT),
        (504, None, Kind.TIMEOUT),
        (529, said("overloaded"), Kind.TRANSIENT),
    ],
)
def test_the_response_decides(status: int, body: object, kind: Kind) -> None:
    error = of_response(status, body)
    assert error.kind is kind
    assert str(error).startswith(f"HTTP {status} from http://127.0.0.1:1/v1:")
    assert len(str(error)) <= 300
    assert "\n" not in str(error)


def test_connections_and_timeouts() -> None:
    refused = httpx.ConnectError("all attempts failed")
    refused.__cause__ = ConnectionRefusedError(111, "Connection refused")
    unknown = httpx.ConnectError("no")
    unknown.__cause__ = socket.gaierror(-2, "Name or service not known")
    for cause, reason in ((refused, "refused"), (unknown, "not known"), (httpx.ConnectTimeout("slow"), "slow")):
        error = failure(chained(cause), SETTINGS, 5)
        assert isinstance(error, ModelUnreachable)
        assert error.kind is Kind.TRANSIENT
        assert "http://127.0.0.1:1/v1" in str(error) and reason in str(error)
    for timeout in (httpx.ReadTimeout("x"), asyncio.TimeoutError()):
        error = failure(chained(timeout), SETTINGS, 5)
        assert (error.kind, str(error)) == (Kind.TIMEOUT, "no answer from http://127.0.0.1:1/v1 within 5 s")
    lost = failure(chained(httpx.ReadError("peer closed")), SETTINGS, 5)
    assert lost.kind is Kind.TRANSIENT and not isinstance(lost, ModelUnreachable)


def test_what_never_reached_the_wire() -> None:
    assert (
        failure(Wrapped("LLM Provider NOT provided. You passed model=x/y", 400), SETTINGS, 5).kind is Kind.UNKNOWN_MODEL
    )
    assert failure(Wrapped("m does not support response_format", 400), SETTINGS, 5).kind is Kind.BAD_REQUEST
    assert failure(Wrapped("set OPENAI_API_KEY", 401), SETTINGS, 5).kind is Kind.AUTH
    assert failure(ValueError("odd"), SETTINGS, 5).kind is Kind.TRANSIENT
    known = ModelError(Kind.AUTH, "x")
    assert failure(known, SETTINGS, 5) is known


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0.25 ", 0.25),
        ("-3", 0.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_s(httpx.Headers({"Retry-After": value}), NOW) == seconds


def test_retry_after_comes_with_the_failure() -> None:
    assert retry_after_s(httpx.Headers(), NOW) is None
    assert of_response(429, said("slow down"), {"retry-after": "12"}).retry_after == 12.0


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: SECRET",
        "header Authorization: Bearer SECRET, again",
        "https://user:SECRET@host/v1",
        "https://host/v1beta/models?key=SECRET&alt=sse",
        "first line\nSECRET " + "x" * 500,
    ],
)
@pytest.mark.parametrize(
    "secret", ["hunter2", "sk-ant-api03-abcDEF_123-xyz", "sk-abc***...xyz", "AIzaSyA-1234567890abcdefghij"]
)
def test_keys_never_reach_a_message(monkeypatch: pytest.MonkeyPatch, text: str, secret: str) -> None:
    if secret == "hunter2":
        monkeypatch.setenv("MY_MODEL_KEY", secret)
    line = redact(text.replace("SECRET", secret), SETTINGS)
    assert secret not in line
    assert "[redacted]" in line
    assert len(line) <= 300
    assert "\n" not in line


def test_keys_of_other_models_do_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOTHER_API_KEY", "abcdefgh")
    monkeypatch.setenv("SHORT_API_KEY", "the")
    assert redact("the key abcdefgh is wrong", SETTINGS) == "the key [redacted] is wrong"
