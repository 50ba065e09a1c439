"""What must hold before a run asks in batches, or online where batches were sent before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pipelines.options import UsageError
from schemas.answers import Stage
from transforms.llm.batch.journal import Journal
from transforms.llm.batch.provider import PROVIDERS, provider_of
from transforms.llm.failures import mask, names_secret
from transforms.llm.requests import Settings


def check_no_batches(output: str) -> None:
    """Check that nothing that an online run would ask is under way in a batch.

    Raises:
      UsageError: there are batches that were not collected.
    """
    journal = Journal(output)
    if under_way := journal.open():
        raise UsageError(
            f"{len(under_way):,} batches of {output} are under way, and this run would pay for their requests again:"
            f" fetch them with `webscale-rl batch collect {output}`, or delete {journal.directory} to leave them"
        )


def check_batches(models: Mapping[Stage, Settings]) -> None:
    """Check that the models can be asked in batches.

    Raises:
      UsageError: a provider has no batch API that is known here, a key is not set, or a secret would be written down.
    """
    for stage, settings in models.items():
        if settings.embedded:
            continue
        if provider_of(settings) not in PROVIDERS:
            raise UsageError(
                f"models.{stage}: {settings.model} has no batch API known here ({', '.join(PROVIDERS)});"
                " use --llm-mode online"
            )
        if secret := _secret_of(settings):
            raise UsageError(
                f"models.{stage}.{secret} holds a secret, and a batch's files are no place for one: name an environment"
                " variable with api_key_env, or use --llm-mode online"
            )
        if settings.api_key_env is not None and not os.environ.get(settings.api_key_env):
            raise UsageError(f"models.{stage}: the environment variable {settings.api_key_env} (its key) is not set")


def _secret_of(settings: Settings) -> str | None:
    """Return the name of a setting that holds a secret, or None."""
    base = urlsplit(settings.api_base or "")
    if base.username is not None or base.password is not None or mask(base.query) != base.query:
        return "api_base"
    return _secret_in("extra_body", settings.extra_body)


def _secret_in(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        return name if names_secret(name) or mask(value) != value else None
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return next((found for key, item in items if (found := _secret_in(f"{name}.{key}", item))), None)
