"""What tokens cost: the price that the configuration gives a model, else that of litellm's list, read offline."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from transforms.llm.litellm_engine import load_litellm
from transforms.llm.remote import is_served
from transforms.llm.requests import Completion, Settings


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per token.

    Attributes:
      input, output: of a prompt and of an answer.
      cached_input: of the part of a prompt that the provider read from its own cache.
      batch_input, batch_output: where the provider's batch API is used.
    """

    input: float
    output: float
    cached_input: float
    batch_input: float
    batch_output: float


FREE: Final = Price(0.0, 0.0, 0.0, 0.0, 0.0)
_KEYS: Final = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "batch_input": "input_cost_per_token_batches",
    "batch_output": "output_cost_per_token_batches",
}
"""Where litellm's list has each field of a `Price`."""


def price(
    input: float,
    output: float,
    cached_input: float | None = None,
    batch_input: float | None = None,
    batch_output: float | None = None,
) -> Price:
    """Return a price in dollars per token; cached prompts and batches cost as others do where they are not given."""

    def given(value: float | None, default: float) -> float:
        return default if value is None else value

    return Price(input, output, given(cached_input, input), given(batch_input, input), given(batch_output, output))


def price_of(model: str, configured: Mapping[str, Price]) -> Price | None:
    """Return a model's price: the configured one, else that of litellm's list; None where neither knows it."""
    return configured.get(model) or _listed(model)


def price_at(settings: Settings, configured: Mapping[str, Price]) -> Price | None:
    """Return the price of a model where it is called; None where nobody knows it.

    An embedded model is free. One served at an address of our own costs what is configured; only where it goes by
    OpenAI's prefix, as behind a gateway, does litellm's list say something about it.
    """
    if settings.embedded:
        return FREE
    if is_served(settings) and not settings.model.startswith("openai/"):
        return configured.get(settings.model)
    return price_of(settings.model, configured)


def cost_usd(price: Price, completion: Completion, batch: bool = False) -> float:
    """Return what a completion cost in dollars; no discount for cached prompts is added to that of a batch."""
    if batch:
        return completion.prompt_tokens * price.batch_input + completion.completion_tokens * price.batch_output
    cached = min(completion.cached_tokens, completion.prompt_tokens)
    prompt = (completion.prompt_tokens - cached) * price.input + cached * price.cached_input
    return prompt + completion.completion_tokens * price.output


def charged(
    completion: Completion, settings: Settings, configured: Mapping[str, Price], batch: bool = False
) -> Completion:
    """Return a completion with its cost, 0 where no price is known.

    What litellm found out with the answer stays where no price is configured: it knows tiers by length and fees by the
    call, which a `Price` does not.
    """
    if completion.cost_usd and settings.model not in configured and not batch:
        return completion
    price = price_at(settings, configured)
    return dataclasses.replace(completion, cost_usd=0.0 if price is None else cost_usd(price, completion, batch))


@functools.cache
def _listed(model: str) -> Price | None:
    listed = load_litellm().model_cost
    found = listed.get(model) or listed.get(model.partition("/")[2]) or {}
    given = {name: float(found[key]) for name, key in _KEYS.items() if found.get(key) is not None}
    if not given.get("input") and not given.get("output"):
        return None  # models that nobody has priced yet are listed at nothing
    return price(**{"input": 0.0, "output": 0.0, **given})
