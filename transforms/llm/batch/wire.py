"""Lines of batch files, in OpenAI's format, which `vllm run-batch` has too. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from transforms.llm.batch.provider import name_there
from transforms.llm.failures import of_response, redact
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings
from transforms.llm.served_engine import chat_body, completion_of

URL: Final = "/v1/chat/completions"
_UNDONE: Final = frozenset({"batch_expired", "batch_cancelled"})
"""Codes of requests that a batch did not come to."""


def request_line(key: str, request: Request, settings: Settings) -> bytes:
    """Return the line of a request, with its newline; the key, 64 characters, is its custom id."""
    body = chat_body(request, settings) | {"model": name_there(settings)}
    fields = {"custom_id": key, "method": "POST", "url": URL, "body": body}
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def read_result(line: bytes, settings: Settings) -> tuple[str, Completion | ModelError | None]:
    """Return the custom id of a line of results, and what came: None where the batch did not come to the request.

    Raises:
      ValueError: the line is no result.
    """
    try:
        fields = json.loads(line)
    except RecursionError:
        raise ValueError("too deeply nested") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("custom_id"), str):
        raise ValueError("no object with a custom_id")
    key, response, error = fields["custom_id"], fields.get("response"), fields.get("error")
    if isinstance(response, dict) and response.get("body") is not None:
        return key, _answer(response, settings)
    if isinstance(error, dict) and error.get("code") in _UNDONE:
        return key, None
    said = error.get("message") if isinstance(error, dict) else error
    return key, ModelError(Kind.TRANSIENT, redact(f"the batch had no answer: {said}", settings))


def _answer(response: Mapping[str, Any], settings: Settings) -> Completion | ModelError:
    status, body = response.get("status_code") or 200, response["body"]
    if not isinstance(status, int):
        raise ValueError(f"its status_code is {str(status)[:40]!r}")
    if status != 200:
        content = json.dumps(body).encode()
        # A response without a request has no address, which `of_response` asks for where there is no api_base.
        asked = httpx.Request("POST", settings.api_base or f"https://{settings.model.partition('/')[0]}")
        return of_response(httpx.Response(status, content=content, request=asked), "no answer", settings)
    try:
        return completion_of(body, settings)
    except ModelError as error:
        return error
