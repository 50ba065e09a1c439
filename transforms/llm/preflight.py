"""One small call to each model before the work starts, so that a wrong key or name is told at once and by name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Final

from schemas.answers import MERGED, Calls, Stage, json_schema, task_of
from transforms.llm.failures import ModelUnreachable, redact
from transforms.llm.remote import RemoteEngine, is_served
from transforms.llm.requests import Engine, Kind, ModelError, Request, Settings
from transforms.llm.served_engine import key_variable

TIMEOUT_S: Final = 30.0
_MAX_TOKENS: Final = 16
_TOLERATED: Final = frozenset(
    {Kind.TRANSIENT, Kind.THROTTLED, Kind.TIMEOUT, Kind.REFUSED, Kind.TRUNCATED, Kind.INVALID}
)
"""What may pass, or says something about our little question and nothing about the model."""


class PreflightError(Exception):
    """Models that cannot work, a line each: which, for which stages, where, why, and what to do."""


def check_models(models: Mapping[Stage, Settings], calls: Calls = "reference", timeout_s: float = TIMEOUT_S) -> None:
    """Try each distinct model, address and key once, side by side; embedded models need no trying.

    Each is asked with the settings and the answer schema of the first stage that uses it, a few tokens long; what it
    answers does not matter. A model that is overloaded, throttled or slow is let through: the client waits for it.

    Raises:
      PreflightError: an environment variable is not set, a key is refused, a model is unknown, a server cannot be
        reached, or a server rejects the form of our requests.
    """
    distinct: dict[tuple[str, str | None, str | None], list[Stage]] = {}
    for stage, settings in models.items():
        if not settings.embedded:
            distinct.setdefault((settings.model, settings.api_base, settings.api_key_env), []).append(stage)
    if not distinct:
        return
    problems = asyncio.run(
        _problems({tuple(stages): models[stages[0]] for stages in distinct.values()}, calls, timeout_s)
    )
    if problems:
        raise PreflightError("\n".join(problems))


async def _problems(models: Mapping[tuple[Stage, ...], Settings], calls: Calls, timeout_s: float) -> list[str]:
    engine = RemoteEngine(timeout_s)
    try:
        found = await asyncio.gather(
            *(_problem(engine, stages, settings, calls) for stages, settings in models.items())
        )
    finally:
        await engine.close()
    return [problem for problem in found if problem is not None]


async def _problem(engine: Engine, stages: tuple[Stage, ...], settings: Settings, calls: Calls) -> str | None:
    """Return the line about a model that cannot work, or None."""
    who = redact(f"model {settings.model!r} ({', '.join(stages)}) at {settings.api_base or 'its provider'}", settings)
    if settings.api_key_env is not None and not os.environ.get(settings.api_key_env):
        return f"{who}: the environment variable {settings.api_key_env} is not set; export it with the model's key"
    try:
        await engine.complete(_small(stages[0], calls), _small_settings(settings))
    except ModelError as error:
        remedy = _remedy(error, settings)
        return None if remedy is None else f"{who}: {error}; {remedy}"
    return None


def _small(stage: Stage, calls: Calls) -> Request:
    messages = ({"role": "user", "content": "Reply with any JSON object of the given schema."},)
    merged = MERGED.get(stage) if calls == "merged" else None
    return Request(stage, {}, messages, json_schema(task_of(stage, calls)), prompt="preflight", merged=merged)


def _small_settings(settings: Settings) -> Settings:
    return Settings(
        settings.model,
        settings.api_base,
        settings.api_key_env,
        settings.temperature,
        min(settings.max_tokens or _MAX_TOKENS, _MAX_TOKENS),
        settings.extra_body,
    )


def _remedy(error: ModelError, settings: Settings) -> str | None:
    """Return what to do about a failure, None where the work may begin in spite of it."""
    if isinstance(error, ModelUnreachable):
        return "start the server there, or correct api_base"
    if error.kind in _TOLERATED or "max_tokens" in str(error):
        return None
    if error.kind is Kind.AUTH:
        if settings.api_key_env is not None:
            return f"put a key that is allowed to use it into {settings.api_key_env}"
        variable = f"{key_variable(settings)} was looked in for the key; " if is_served(settings) else ""
        return f"{variable}correct it, or name another environment variable with api_key_env in --config"
    if error.kind is Kind.UNKNOWN_MODEL:
        where = "the model's name and api_base" if settings.api_base else "the model's name (provider/name)"
        return f"correct {where}; a served name that begins with a provider's needs hosted_vllm/ before it"
    return "change temperature or extra_body, or use a model with structured outputs (response_format json_schema)"
