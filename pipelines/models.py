"""What a configuration says of models, as those who call them want it."""

from __future__ import annotations

from pipelines.options import UsageError
from schemas.answers import Stage
from schemas.config import MODEL_STAGES, RunConfig
from schemas.counts import stages_until
from transforms.llm.prices import Price, price, price_at
from transforms.llm.requests import Settings


def settings_of(config: RunConfig) -> dict[Stage, Settings]:
    """Return the settings of the models that a run will call."""
    reached = stages_until(config.until)
    return {stage: Settings(**getattr(config.models, stage).model_dump()) for stage in MODEL_STAGES if stage in reached}


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


def prices_of(config: RunConfig) -> dict[str, Price]:
    """Return the configured prices, which are in dollars per million tokens, per token."""
    return {
        model: price(**{name: dollars / 1e6 for name, dollars in given.model_dump(exclude_none=True).items()})
        for model, given in config.prices.items()
    }
