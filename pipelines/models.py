"""What a configuration says of models, as those who call them want it."""

from __future__ import annotations

from pipelines.options import UsageError
from schemas.answers import Stage
from schemas.config import RunConfig
from transforms.llm.prices import FREE, Price, price, price_at
from transforms.llm.rates import UNKNOWN_ANSWER_TOKENS
from transforms.llm.requests import Settings


def settings_of(config: RunConfig) -> dict[Stage, Settings]:
    """Return the settings of the models that a run will call."""
    return {stage: Settings(**settings.model_dump()) for stage, settings in config.asked.items()}


def check_budget(config: RunConfig) -> None:
    """Check that what a budget is spent on has a price.

    Raises:
      UsageError: a model's price is not known.
    """
    if config.budget_usd is None:
        return
    prices = prices_of(config)
    for settings in settings_of(config).values():
        if price_at(settings, prices) is None:
            raise UsageError(
                f"budget_usd: nobody knows the price of {settings.model}; set prices.{settings.model} in --config, in"
                " dollars per million tokens: {input: 0, output: 0} where it is free"
            )


def below_a_call(config: RunConfig, stage: Stage) -> str:
    """Return what to say where a budget did not cover the first call of a stage.

    As a worker counts before any answer came: as many tokens of answer as there may be, beside the prompt.
    """
    settings = settings_of(config)[stage]
    tokens = settings.max_tokens or UNKNOWN_ANSWER_TOKENS
    answer = tokens * (price_at(settings, prices_of(config)) or FREE).output
    change = f"lower models.{stage}.max_tokens ({tokens:,})"
    if settings.max_tokens is None:
        change = f"set models.{stage}.max_tokens ({tokens:,} are supposed)"
    return (
        f"The budget of ${config.budget_usd:g} covers no call of {stage}: the answer alone may cost ${answer:.2g}, the"
        f" prompt comes to it, and workers divide the budget; raise --budget-usd, or {change}."
    )


def prices_of(config: RunConfig) -> dict[str, Price]:
    """Return the configured prices, which are in dollars per million tokens, per token."""
    return {
        model: price(**{name: dollars / 1e6 for name, dollars in given.model_dump(exclude_none=True).items()})
        for model, given in config.prices.items()
    }
