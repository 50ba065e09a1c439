"""Which engine calls a model that is not embedded: the server at `api_base`, or a provider through litellm."""

from __future__ import annotations

from typing import Final

from transforms.llm.litellm_engine import LiteLLMEngine, is_provider
from transforms.llm.requests import Completion, Request, Settings
from transforms.llm.served_engine import ServedEngine, served_name

DEFAULT_TIMEOUT_S: Final = 120.0


class RemoteEngine:
    """An `Engine` for all models behind HTTP.

    With an `api_base` a model is served in OpenAI's format, unless its name begins with another provider that litellm
    knows; then, and without an `api_base`, litellm calls it.
    """

    def __init__(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._served = ServedEngine(timeout_s)
        self._litellm = LiteLLMEngine(timeout_s)

    async def complete(self, request: Request, settings: Settings) -> Completion:
        """Return the completion of one HTTP call, or raise `ModelError`."""
        engine = self._served if is_served(settings) else self._litellm
        return await engine.complete(request, settings)

    async def close(self) -> None:
        """Close the connections."""
        await self._served.close()
        await self._litellm.close()


def is_served(settings: Settings) -> bool:
    """Whether a model is served at an address of our own by a server that speaks OpenAI's format."""
    if settings.api_base is None:
        return False
    prefix, slash, _ = settings.model.partition("/")
    return not slash or served_name(settings) != settings.model or not is_provider(prefix)
