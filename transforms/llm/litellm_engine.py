"""Chat completions through litellm, used as a transport and nothing else: no retry, no cache, no validation."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import warnings
from typing import TYPE_CHECKING, Any

from transforms.llm.failures import failure
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings

if TYPE_CHECKING:
    import aiohttp


@functools.cache
def load_litellm() -> Any:
    """Import litellm (seconds, so only where a call is made) and keep it from printing, logging and downloading."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # otherwise it downloads its price list
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")  # otherwise it reads a .env file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litellm
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


class LiteLLMEngine:
    """Sends each request once, over HTTP connections that it owns.

    A model named "provider/name" goes to that provider, at `api_base` if one is given. Where no environment variable
    is named for the key, litellm looks for the provider's own (such as OPENAI_API_KEY).

    All calls belong to one event loop, in which `close` must be awaited too.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, request: Request, settings: Settings) -> Completion:
        """Return the completion of one HTTP call, which takes at most the timeout.

        Raises:
          ModelError: of any kind but `INVALID` and `TRUNCATED`; its message is one line and holds no key.
        """
        parameters = self._parameters(request, settings)
        try:
            response = await asyncio.wait_for(load_litellm().acompletion(**parameters), self._timeout_s + 1.0)
        except Exception as error:
            # Raised below and not here, because what litellm raised holds the request and its key.
            failed = failure(error, settings, self._timeout_s)
        else:
            return _completion(response)
        raise failed

    async def close(self) -> None:
        """Close the connections."""
        if self._session is None:
            return
        # litellm keeps its clients, which use our session, by event loop; another loop may get the same id.
        clients = load_litellm().in_memory_llm_clients_cache
        suffix = f"-{id(asyncio.get_running_loop())}"
        for key in [key for key in clients.cache_dict if key.endswith(suffix)]:
            clients.delete_cache(key)
        await self._session.close()
        self._session = None

    def _parameters(self, request: Request, settings: Settings) -> dict[str, Any]:
        optional = {
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "extra_body": None if settings.extra_body is None else dict(settings.extra_body),
            "api_base": settings.api_base,
            "api_key": named_key(settings),
        }
        schema = {"name": request.task, "schema": dict(request.schema), "strict": True}
        return {
            "model": settings.model,
            "messages": [dict(message) for message in request.messages],
            "response_format": {"type": "json_schema", "json_schema": schema},
            "timeout": self._timeout_s,
            "num_retries": 0,
            "max_retries": 0,
            "shared_session": self._open_session(),
            **{name: value for name, value in optional.items() if value is not None},
        }

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            # How many calls are in flight is decided before they get here.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self._session


def is_provider(prefix: str) -> bool:
    """Whether litellm knows a provider by this name."""
    return prefix in load_litellm().provider_list


def named_key(settings: Settings) -> str | None:
    """Return the key in the environment variable that the settings name; none where they name none.

    Raises:
      ModelError: the variable is not set.
    """
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env)
    if not key:
        raise ModelError(Kind.AUTH, f"the environment variable {settings.api_key_env} (its key) is not set")
    return key


def _completion(response: Any) -> Completion:
    choice = response.choices[0]
    message = choice.message
    extra = getattr(message, "provider_specific_fields", None) or {}
    usage = getattr(response, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    return Completion(
        text=message.content or "",
        finish_reason=str(choice.finish_reason or "stop"),
        prompt_tokens=getattr(usage, "prompt_tokens", None) or 0,
        completion_tokens=getattr(usage, "completion_tokens", None) or 0,
        cached_tokens=getattr(details, "cached_tokens", None) or 0,
        # For a model without a price `litellm.completion_cost` would raise.
        cost_usd=response._hidden_params.get("response_cost") or 0.0,
        refusal=getattr(message, "refusal", None) or extra.get("refusal"),
    )
