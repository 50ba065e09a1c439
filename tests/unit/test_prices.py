"""What tokens cost: configured, listed and unknown prices."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.models import prices_of
from schemas.config import RunConfig
from transforms.llm.client import Answered, ClientSettings, ModelClient
from transforms.llm.prices import FREE, Price, charged, cost_usd, price, price_at, price_of
from transforms.llm.requests import Completion, Request, Settings

MINE = Price(input=4e-7, output=1.6e-6, cached_input=1e-7, batch_input=2e-7, batch_output=8e-7)
SAID = Completion('{"thought": "t", "qualified": true}', "stop", 1000, 100, 800)
HERE = "http://127.0.0.1:1/v1"


def test_a_completion_costs_its_prompt_what_was_cached_of_it_and_its_answer() -> None:
    assert cost_usd(MINE, SAID) == pytest.approx(200 * 4e-7 + 800 * 1e-7 + 100 * 1.6e-6)
    assert cost_usd(MINE, SAID, batch=True) == pytest.approx(1000 * 2e-7 + 100 * 8e-7)
    assert cost_usd(MINE, Completion("", "stop")) == 0
    more_cached_than_sent = Completion("", "stop", 10, 0, 900)
    assert cost_usd(MINE, more_cached_than_sent) == pytest.approx(10 * 1e-7)


def test_what_a_price_leaves_out_costs_as_other_tokens_do() -> None:
    assert price(2e-6, 8e-6) == Price(2e-6, 8e-6, 2e-6, 2e-6, 8e-6)
    assert price(2e-6, 8e-6, cached_input=0.0, batch_output=4e-6) == Price(2e-6, 8e-6, 0.0, 2e-6, 4e-6)


def test_a_configured_price_beats_the_list_which_knows_batches_and_cached_prompts() -> None:
    listed = price_of("openai/gpt-4.1-mini", {})
    assert listed == Price(4e-7, 1.6e-6, 1e-7, 2e-7, 8e-7) == price_of("gpt-4.1-mini", {})
    assert price_of("openai/gpt-4.1-mini", {"openai/gpt-4.1-mini": FREE}) == FREE
    assert price_of("openai/gpt-4.1-mini", {"gpt-4.1-mini": FREE}) == listed


@pytest.mark.parametrize("model", ["openai/no-such-model", "no-such-model", "codestral/codestral-latest"])
def test_a_model_that_is_not_listed_or_listed_at_nothing_has_an_unknown_price(model: str) -> None:
    assert price_of(model, {}) is None
    assert price_of(model, {model: MINE}) == MINE


@pytest.mark.parametrize(
    ("model", "api_base", "known"),
    [
        ("openai/gpt-4.1-mini", HERE, True),
        ("openai/gpt-4.1-mini", None, True),
        ("openai/test", HERE, False),
        ("hosted_vllm/gpt-4.1-mini", HERE, False),
        ("gpt-4.1-mini", HERE, False),
        ("gpt-4.1-mini", None, True),
    ],
)
def test_where_a_model_is_served_decides_whether_the_list_speaks_of_it(
    model: str, api_base: str | None, known: bool
) -> None:
    settings = Settings(model, api_base)
    assert (price_at(settings, {}) is not None) is known
    assert price_at(settings, {model: MINE}) == MINE


def test_an_embedded_model_is_free() -> None:
    assert price_at(Settings("embedded/extractive"), {}) == FREE


def test_what_the_provider_charged_stays_unless_a_price_is_configured_or_it_was_a_batch() -> None:
    told = Completion("", "stop", 1000, 100, cost_usd=0.5)
    settings = Settings("gpt-4.1-mini")
    assert charged(told, settings, {}) is told
    assert charged(told, settings, {"gpt-4.1-mini": MINE}).cost_usd == pytest.approx(1000 * 4e-7 + 100 * 1.6e-6)
    assert charged(told, settings, {}, batch=True).cost_usd == pytest.approx(1000 * 2e-7 + 100 * 8e-7)
    assert charged(Completion("", "stop", 9, 9), Settings("my-model", HERE), {}).cost_usd == 0


class Says:
    """An engine that says one thing."""

    async def complete(self, request: Request, settings: Settings) -> Completion:
        return SAID


def test_the_client_charges_the_configured_price_and_keeps_it_with_the_answer(tmp_path: Path) -> None:
    async def ask(prices: dict[str, Price]) -> Answered:
        settings = ClientSettings({"screen": Settings("m", HERE)}, str(tmp_path), 1, prices=prices)
        client = ModelClient(settings, engine=Says())
        try:
            return await client.ask(Request("screen", {}, ({"role": "user", "content": "hi"},), {}, "fp"))
        finally:
            await client.close()

    paid = asyncio.run(ask({"m": MINE}))
    again = asyncio.run(ask({"m": FREE}))
    assert paid.usage["screen", "usage", "m", "cost_nano_usd"] == 320_000
    assert again.usage["screen", "usage", "m", "replayed_cost_nano_usd"] == 320_000
    assert again.usage["screen", "usage", "m", "cost_nano_usd"] == 0


def config(**prices: Any) -> RunConfig:
    models = {stage: {"model": "m", "api_base": HERE} for stage in ("screen", "classify", "generate")}
    return RunConfig.model_validate({"input": ["x"], "output": "y", "models": models, "prices": prices})


def test_prices_are_configured_in_dollars_per_million_tokens() -> None:
    given = {"input": 0.4, "output": 1.6, "cached_input": 0.1, "batch_input": 0.2, "batch_output": 0.8}
    (made,) = prices_of(config(m=given)).values()
    assert [getattr(made, name) for name in given] == pytest.approx([getattr(MINE, name) for name in given])
    assert prices_of(config(m={"input": 0, "output": 1})) == {"m": Price(0.0, 1e-6, 0.0, 0.0, 1e-6)}
    assert prices_of(config()) == {}


@pytest.mark.parametrize(
    ("prices", "wrong"),
    [
        ({"other": {"input": 1, "output": 1}}, "prices.other: no stage calls that model over a network; name one"),
        ({"embedded/extractive": {"input": 1, "output": 1}}, r"prices\.embedded/extractive: no stage calls that"),
        ({"m": {"input": 1}}, r"prices\.m\.output"),
        ({"m": {"input": -1, "output": 1}}, "greater than or equal to 0"),
        ({"m": {"input": float("nan"), "output": 1}}, "finite"),
        ({"m": {"input": 1, "output": 1, "cached": 1}}, r"prices\.m\.cached"),
    ],
)
def test_a_price_that_is_none_is_refused(prices: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        config(**prices)
