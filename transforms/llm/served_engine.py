"""Chat completions of a server at an address of our own, in OpenAI's format: vLLM, llama.cpp, a gateway.

This is where a run is bound by how many calls one process can make, so it is a plain HTTP request: through litellm a
call costs several times the processor time (docs/adr/0004-served-models-are-called-directly.md has the figures).
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any, Final

import aiohttp
import httpx

from transforms.llm.failures import ModelUnreachable, of_response, redact
from transforms.llm.litellm_engine import named_key
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings

_KEYS: Final = {"openai": "OPENAI_API_KEY", "hosted_vllm": "HOSTED_VLLM_API_KEY"}
"""Prefixes of litellm's that mean this format, and where each looks for its key when none is named."""
_NO_KEY: Final = "no-key"


def served_name(settings: Settings) -> str:
    """Return the model's name as the server knows it: without a prefix that only says which format it speaks."""
    prefix, slash, name = settings.model.partition("/")
    return name if slash and prefix in _KEYS else settings.model


class ServedEngine:
    """Sends each request once to `api_base`, over HTTP connections that it owns.

    The key is the one `api_key_env` names, else what OpenAI's clients take by convention (OPENAI_API_KEY, or
    HOSTED_VLLM_API_KEY for `hosted_vllm/`), else a dummy. All calls belong to one event loop, in which `close` must be
    awaited too.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, request: Request, settings: Settings) -> Completion:
        """Return the completion of one HTTP call, which takes at most the timeout.

        Raises:
          ModelError: of any kind but `INVALID` and `TRUNCATED`; its message is one line and holds no key.
        """
        headers = {"Authorization": f"Bearer {_key(settings)}", "Content-Type": "application/json"}
        url = f"{(settings.api_base or '').rstrip('/')}/chat/completions"
        body = json.dumps(chat_body(request, settings), ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with self._open_session().post(url, data=body, headers=headers) as reply:
                content = await reply.read()
                response = httpx.Response(reply.status, headers=list(reply.headers.items()), content=content)
        except aiohttp.InvalidURL:
            raise ModelUnreachable(Kind.TRANSIENT, f"api_base {settings.api_base!r} is no URL") from None
        except asyncio.TimeoutError as error:  # before ClientError: aiohttp's timeouts are both
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                raise ModelUnreachable(Kind.TRANSIENT, f"no connection to {settings.api_base}") from None
            raise ModelError(
                Kind.TIMEOUT, redact(f"no answer from {settings.api_base} within {self._timeout_s:g} s", settings)
            ) from None
        except aiohttp.ClientConnectorError as error:
            why = os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)
            message = redact(f"no connection to {settings.api_base}: {why}", settings)
            raise ModelUnreachable(Kind.TRANSIENT, message) from None
        except (aiohttp.ClientError, OSError) as error:
            message = redact(f"connection to {settings.api_base} lost: {type(error).__name__}: {error}", settings)
            raise ModelError(Kind.TRANSIENT, message) from None
        if response.status_code != 200:
            raise of_response(response, response.reason_phrase, settings)
        return _read(content, settings)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # How many calls are in flight is decided before they get here.
            connector = aiohttp.TCPConnector(limit=0)
            timeout = aiohttp.ClientTimeout(total=self._timeout_s)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


def key_variable(settings: Settings) -> str:
    """Return the environment variable in which a served model's key is looked for."""
    return settings.api_key_env or _KEYS.get(settings.model.partition("/")[0], _KEYS["openai"])


def _key(settings: Settings) -> str:
    return named_key(settings) or os.environ.get(key_variable(settings)) or _NO_KEY


def chat_body(request: Request, settings: Settings) -> dict[str, Any]:
    """Return a request as OpenAI's chat completions take it."""
    schema = {"name": request.task, "schema": request.schema, "strict": True}
    body = {
        "model": served_name(settings),
        "messages": [dict(message) for message in request.messages],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "temperature": settings.temperature,
        "max_tokens": settings.max_tokens,
    }
    return {name: value for name, value in body.items() if value is not None} | dict(settings.extra_body or {})


def _read(content: bytes, settings: Settings) -> Completion:
    try:
        body = json.loads(content)
    except ValueError:
        body = content.decode("utf-8", "replace")
    return completion_of(body, settings)


def completion_of(body: Any, settings: Settings) -> Completion:
    """Return the completion that the body of a reply with status 200 holds.

    Raises:
      ModelError: it is no chat completion, `TRANSIENT`.
    """
    try:
        choice = body["choices"][0]
        message = choice["message"]
        usage = body.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        text = message.get("content") or ""
        if not isinstance(text, str):
            raise TypeError(f"its content is a {type(text).__name__}")
        return Completion(
            text=text,
            finish_reason=str(choice.get("finish_reason") or "stop"),
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0),
            refusal=message.get("refusal"),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        said = body[:200] if isinstance(body, str) else json.dumps(body)[:200]
        where = settings.api_base or settings.model
        message = redact(f"{where} answered no chat completion ({type(error).__name__}): {said}", settings)
        raise ModelError(Kind.TRANSIENT, message) from None
