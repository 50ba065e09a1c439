"""A budget: what is covered, what waits, what is refused, and what batches may be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from transforms.llm.budget import BatchBudget, Budget
from transforms.llm.prices import FREE, Price
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings

PRICE = Price(input=0.01, output=0.1, cached_input=0.01, batch_input=0.005, batch_output=0.05)
MODEL = Settings("some/model", max_tokens=10)
# A prompt of 100 tokens for a dollar, and an answer that may cost a dollar.
REQUEST = Request("screen", {}, ({"role": "user", "content": "x" * 400},), {}, "prompt")


def answer(usd: float, tokens: int = 5) -> Completion:
    return Completion("{}", "stop", prompt_tokens=100, completion_tokens=tokens, cost_usd=usd)


async def call(budget: Budget, ends: Awaitable[object] | None, usd: float, price: Price = PRICE) -> None:
    async with budget.hold(REQUEST, MODEL, price):
        if ends is not None:
            await ends
        budget.spend(REQUEST, answer(usd))


def test_a_call_goes_while_the_amount_covers_the_most_it_may_cost() -> None:
    async def run() -> None:
        budget = Budget(3.4)
        await call(budget, None, 1.5)
        with pytest.raises(ModelError, match=r"the budget of \$1.90 a worker is spent") as refused:
            await call(Budget(1.9), None, 1.5)
        assert refused.value.kind is Kind.BUDGET
        await call(budget, None, 1.5)  # by now one is known to cost 1.5, of 1.9 that are left
        with pytest.raises(ModelError):
            await call(budget, None, 0.5)

    asyncio.run(run())


def test_a_call_that_is_not_covered_waits_for_those_in_flight() -> None:
    async def run() -> list[str]:
        budget, first_ends, order = Budget(3.5), asyncio.Event(), list[str]()

        async def one(name: str, ends: Awaitable[object] | None) -> None:
            try:
                await call(budget, ends, 1.2)
                order.append(name)
            except ModelError:
                order.append(f"{name} refused")

        tasks = [asyncio.create_task(one("first", first_ends.wait()))]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(one(name, None)) for name in ("second", "third")]
        for _ in range(10):
            await asyncio.sleep(0)
        assert order == [], "1.5 are left beside the first one, and the second may cost 2"
        first_ends.set()
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(run()) == ["first", "second", "third refused"]


def test_what_a_failed_call_held_is_free_again() -> None:
    async def run() -> None:
        budget = Budget(2.0)
        for _ in range(3):
            with pytest.raises(ModelError, match="slow"):
                async with budget.hold(REQUEST, MODEL, PRICE):
                    raise ModelError(Kind.THROTTLED, "slow")
        await call(budget, None, 2.0)

    asyncio.run(run())


def test_what_costs_nothing_goes_on_when_the_budget_is_spent() -> None:
    async def run() -> None:
        budget = Budget(2.0)
        await call(budget, None, 2.5)
        await call(budget, None, 0.0, FREE)

    asyncio.run(run())


def test_batches_take_what_the_amount_covers_at_their_prices() -> None:
    budget = BatchBudget(2.9, {"some/model": PRICE}, {"judge": 4.0})  # a dollar each
    assert [budget.covers(REQUEST, MODEL) for _ in range(3)] == [True, True, False]
    experienced = BatchBudget(2.9, {"some/model": PRICE}, {"screen": 4.0})  # 0.7 each
    assert [experienced.covers(REQUEST, MODEL) for _ in range(5)] == [True] * 4 + [False]
