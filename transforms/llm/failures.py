"""Which class of failure an HTTP response or an exception of litellm is, and a message about it without secrets.

litellm goes by words in the message (a 400 that mentions "429" becomes its RateLimitError) and gives a refused
connection the status 500. So the first thing looked for, in the chain of causes, is the HTTP response as it came.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from transforms.llm.requests import Kind, ModelError, Settings

MAX_MESSAGE_CHARS: Final = 300

_TOO_LONG = re.compile(
    r"context[ _](?:length|window|size|limit)|maximum model length|max_model_len|prompt is too long|input is too long|"
    r"(?:too many|maximum number of) (?:input )?tokens|request too large|max_new_tokens",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"content[ _]?(?:policy|filter|management)|safety system|moderation|was flagged|usage policy",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"model_not_found|invalid model|not a valid model|model .{0,100}(?:does not exist|not found)|"
    r"LLM Provider NOT provided",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(r"insufficient[ _](?:quota|balance|credit)", re.IGNORECASE)
_NO_KEY = re.compile(r"missing .{0,30}(?:credentials|api[ _]?key)|api_key client option must be set", re.IGNORECASE)
_BAD_KEY = re.compile(
    r"(?:invalid|incorrect|missing|not valid).{0,20}api[ _]?key|api[ _]?key.{0,20}(?:not valid|invalid)", re.I
)

_SECRETS = re.compile(
    r"(?i:\bbearer\s+)[^\s'\",}]+"
    r"|\bsk-[\w\-*.]{4,}"
    r"|\bAIza[\w\-]{20,}"
    r"|(?i:(?<=key=)|(?<=token=))[^&\s'\"]+"
    r"|(?<=://)[^/\s]+(?=@)"
)
_SECRET_KEYS = re.compile(r"(key|token|secret|password|authorization)$", re.IGNORECASE)
_SECRET_NAMES = re.compile(r"(?:API_KEY|TOKEN|SECRET|PASSWORD)$")
_REDACTED: Final = "[redacted]"


class ModelUnreachable(ModelError):
    """No connection to the server was made: nobody listens there, or its name is unknown."""


def redact(text: str, settings: Settings) -> str:
    """Return a text as one line of at most 300 characters, without keys: this model's, or whatever looks like one."""
    named = os.environ.get(settings.api_key_env or "", "")
    others = [value for name, value in os.environ.items() if _SECRET_NAMES.search(name) and len(value) >= 8]
    for secret in sorted(filter(None, [named, *others]), key=len, reverse=True):
        text = text.replace(secret, _REDACTED)
    return " ".join(mask(text).split())[:MAX_MESSAGE_CHARS]


def names_secret(key: str) -> bool:
    """Whether the value under a key of a configuration is a secret by the key's name, such as `api_token`."""
    return bool(_SECRET_KEYS.search(key))


def mask(text: str) -> str:
    """Return a text without what looks like a key, or a password in a URL."""
    return _SECRETS.sub(_REDACTED, text)


def failure(error: Exception, settings: Settings, timeout_s: float) -> ModelError:
    """Return what an exception of `litellm.acompletion` means."""
    if isinstance(error, ModelError):
        return error
    chain = list(_chain(error))
    response = next((link.response for link in chain if isinstance(link, httpx.HTTPStatusError)), None)
    if response is not None:
        return of_response(response, str(error), settings)
    where = settings.api_base or settings.model
    if any(isinstance(link, httpx.ConnectError | httpx.ConnectTimeout) for link in chain):
        return ModelUnreachable(Kind.TRANSIENT, redact(f"no connection to {where}: {_innermost(chain)}", settings))
    if any(isinstance(link, httpx.TimeoutException | asyncio.TimeoutError) for link in chain):
        return ModelError(Kind.TIMEOUT, redact(f"no answer from {where} within {timeout_s:g} s", settings))
    if any(isinstance(link, httpx.TransportError | OSError) for link in chain):
        return ModelError(Kind.TRANSIENT, redact(f"connection to {where} lost: {_innermost(chain)}", settings))
    kind = Kind.AUTH if _NO_KEY.search(str(error)) else _kind(_status(error), str(error))
    return ModelError(kind, redact(f"{type(error).__name__}: {error}", settings))


def retry_after_s(headers: httpx.Headers, now: float) -> float | None:
    """Return the seconds that a Retry-After header (RFC 9110, section 10.2.3: seconds or a date) asks for, or None.

    Args:
      headers: the response's headers.
      now: the time, in seconds since the epoch.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def of_response(response: httpx.Response, otherwise: str, settings: Settings) -> ModelError:
    """Return what a response that is no completion means; `otherwise` is said where its body names no error."""
    said = _said(response, otherwise)
    message = redact(f"HTTP {response.status_code} from {settings.api_base or response.url.host}: {said}", settings)
    return ModelError(
        _kind(response.status_code, said), message, retry_after=retry_after_s(response.headers, time.time())
    )


def _kind(status: int, said: str) -> Kind:
    """Return the class of an HTTP status, with what the server said where the status leaves it open."""
    if status == 429:
        if _NO_CREDIT.search(said):
            return Kind.AUTH
        # A single request above the limit of tokens a minute never gets through.
        return Kind.TOO_LONG if "request too large" in said.lower() else Kind.THROTTLED
    if status in (408, 504):
        return Kind.TIMEOUT
    if status == 409 or status >= 500 or status < 400:
        return Kind.TRANSIENT
    if status == 401 or status == 402:
        return Kind.AUTH
    if status == 403:
        return Kind.REFUSED if _REFUSED.search(said) else Kind.AUTH
    if status in (404, 405):
        return Kind.UNKNOWN_MODEL
    if status == 413:
        return Kind.TOO_LONG
    return _kind_of_bad_request(said)


def _kind_of_bad_request(said: str) -> Kind:
    for pattern, kind in (
        (_REFUSED, Kind.REFUSED),
        (_TOO_LONG, Kind.TOO_LONG),
        (_UNKNOWN_MODEL, Kind.UNKNOWN_MODEL),
        (_BAD_KEY, Kind.AUTH),
    ):
        if pattern.search(said):
            return kind
    return Kind.BAD_REQUEST


def _said(response: httpx.Response, otherwise: str) -> str:
    """Return the error in a response's body, and not the whole body: some servers send the request back in it."""
    try:
        body = json.loads(response.content)
    except (ValueError, httpx.StreamError):
        return otherwise
    inner = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(inner, dict):
        return str(inner)[:MAX_MESSAGE_CHARS]
    message = inner.get("message") or inner.get("detail") or inner.get("msg") or inner
    return " ".join(str(part)[:MAX_MESSAGE_CHARS] for part in (message, inner.get("type"), inner.get("code")) if part)


def _status(error: Exception) -> int:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else 500


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _innermost(chain: list[BaseException]) -> str:
    return f"{type(chain[-1]).__name__}: {chain[-1]}"
