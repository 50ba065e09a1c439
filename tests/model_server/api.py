"""The chat completions API on the wire: a request's body read, and the replies there are, spoilt ones too."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiohttp import web

from tests.model_server.answers import valid_answer
from tests.model_server.traffic import Visit


class Reply(NamedTuple):
    """A reply before it is sent; `retry_after` is the Retry-After header."""

    payload: Mapping[str, Any]
    status: int = 200
    retry_after: str | None = None

    def response(self) -> web.Response:
        headers = None if self.retry_after is None else {"Retry-After": self.retry_after}
        return web.json_response(self.payload, status=self.status, headers=headers)


def error_reply(status: int, code: str | None, message: str, retry_after: str | None = None) -> Reply:
    """Return the reply that carries an error object."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return Reply({"error": {"message": message, "type": kind, "param": None, "code": code}}, status, retry_after)


WRONG_KEY: Final = error_reply(401, "invalid_api_key", "the bearer key is missing or wrong")


def refuse_key(request: web.Request, key: str | None) -> Reply | None:
    """Return the reply to a request that lacks the bearer key, or None."""
    if key is None or request.headers.get("Authorization") == f"Bearer {key}":
        return None
    return WRONG_KEY


def parse(raw: bytes) -> dict[str, Any] | None:
    """Return a request's body, or None unless it is JSON with a model and messages that have a role and a text."""
    try:
        return checked(json.loads(raw))
    except ValueError:
        return None


def checked(body: object) -> dict[str, Any] | None:
    """Return a body, or None unless it is an object with a model and messages that have a role and a text."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return None
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return None
    fine = all(isinstance(m, dict) and isinstance(m.get("content"), str) and "role" in m for m in messages)
    return body if fine else None


def prompt_chars(body: Mapping[str, Any]) -> int:
    """Return the characters in all messages of a request together."""
    return sum(len(message["content"]) for message in body["messages"])


def _spoilt(answer: Mapping[str, Any] | None, fault: str | None) -> tuple[str, str | None]:
    """Return the content and the refusal of a message that carries an answer as the fault says."""
    content = "ok" if answer is None else json.dumps(answer)
    if fault == "prose":
        return "Gladly! Here is what I think about it, in my own words and at some length.", None
    if fault == "refusal":
        return "", "I would rather not help with this one."
    if fault == "empty":
        return "", None
    if fault == "truncated":
        return content[: len(content) // 2], None
    if fault == "wrong_types":
        wrong = {key: "yes" if isinstance(value, (bool, int)) else 7 for key, value in (answer or {}).items()}
        return json.dumps(wrong), None
    return content, None


def completion_reply(body: Mapping[str, Any], visit: Visit, chars_per_token: float) -> Reply:
    """Return the completion of a request, spoilt where its visit has a fault that spoils it."""
    content, refusal = _spoilt(valid_answer(body), visit.fault)
    prompt, completion = (
        math.ceil(characters / chars_per_token) for characters in (prompt_chars(body), len(refusal or content))
    )
    message = {"role": "assistant", "content": None if refusal else content, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": "length" if visit.fault == "truncated" else "stop"}
    return Reply(
        {
            "id": f"chatcmpl-{visit.sha256[:24]}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
        }
    )
