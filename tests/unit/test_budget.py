"""A budget: what is covered, what waits, what is refused, and what batches may be sent."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable
from pathlib import Path

import pytest

from tests.batch_desk import HERE, PROSE, Desk, line
from transforms.llm.budget import BatchBudget, Budget
from transforms.llm.prices import FREE, Price
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings

PRICE = Price(input=0.01, output=0.1, cached_input=0.01, batch_input=0.005, batch_output=0.05)
MODEL = Settings("some/model", max_tokens=10)
# A prompt of 100 tokens for a dollar, taken for 200 before one is known, and an answer that may cost a dollar.
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
        await call(budget, None, 1.5)  # by now one is known to cost 1.5, of 1.9 that are left
        with pytest.raises(ModelError, match=r"^the budget of \$3.40 a worker is spent but for \$0.40$") as refused:
            await call(budget, None, 0.5)
        assert refused.value.kind is Kind.BUDGET

    asyncio.run(run())


def test_a_budget_below_the_first_call_says_what_that_may_cost_and_what_to_change() -> None:
    said = (
        r"^the budget of \$2.9 a worker covers no call of screen, which may cost \$3 with 10 tokens of answer;"
        r" raise budget_usd or lower models.screen.max_tokens$"
    )
    with pytest.raises(ModelError, match=said) as refused:
        asyncio.run(call(Budget(2.9), None, 1.5))
    assert refused.value.kind is Kind.BUDGET


def test_a_call_that_is_not_covered_waits_for_those_in_flight() -> None:
    async def run() -> list[str]:
        budget, first_ends, order = Budget(3.9), asyncio.Event(), list[str]()

        async def one(name: str, ends: Awaitable[object] | None) -> None:
            try:
                await call(budget, ends, 1.2)
                order.append(name)
            except ModelError:
                order.append(f"{name} refused")

        tasks = [asyncio.create_task(one("first", first_ends.wait()))]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(one(name, None)) for name in ("second", "third", "fourth")]
        for _ in range(10):
            await asyncio.sleep(0)
        assert order == [], "0.9 are left beside the first one, and the second may cost 3, until an answer tells"
        first_ends.set()
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(run()) == ["first", "second", "third", "fourth refused"]


def test_what_a_failed_call_held_is_free_again() -> None:
    async def run() -> None:
        budget = Budget(3.0)
        for _ in range(3):
            with pytest.raises(ModelError, match="slow"):
                async with budget.hold(REQUEST, MODEL, PRICE):
                    raise ModelError(Kind.THROTTLED, "slow")
        await call(budget, None, 2.0)

    asyncio.run(run())


def test_what_costs_nothing_goes_on_when_the_budget_is_spent() -> None:
    async def run() -> None:
        budget = Budget(3.0)
        await call(budget, None, 3.5)
        await call(budget, None, 0.0, FREE)

    asyncio.run(run())


def test_batches_take_what_the_amount_covers_at_their_prices() -> None:
    budget = BatchBudget(3.1, {"some/model": PRICE})  # 1.5 each
    budget.estimate.learn(dataclasses.replace(REQUEST, stage="judge"), answer(0.0, 4))
    assert [budget.covers(REQUEST, MODEL) for _ in range(3)] == [True, True, False]
    experienced = BatchBudget(2.9, {"some/model": PRICE})
    experienced.estimate.learn(REQUEST, answer(0.0, 4))  # 0.7 each
    assert [experienced.covers(REQUEST, MODEL) for _ in range(5)] == [True] * 4 + [False]
    assert (budget.left_out, experienced.left_out) == (1, 1)


def test_batches_ask_what_is_free_when_nothing_is_left() -> None:
    budget = BatchBudget(-0.5, {"free/model": FREE, "some/model": PRICE})
    assert budget.covers(REQUEST, dataclasses.replace(MODEL, model="free/model"))
    assert not budget.covers(REQUEST, MODEL)


def test_a_repair_is_covered_with_the_reply_and_what_was_wrong_with_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "run")
    desk.collect(desk.sent("a"), line("a", PROSE))
    prices = {HERE.model: Price(1.0, 0.0, 1.0, 1.0, 0.0)}
    assert desk.prepare("a", budget=BatchBudget(5.0, prices)) == [], "one character was 1 at half a token each"
    (batch,) = desk.prepare("a", budget=BatchBudget(500.0, prices))
    (sent,) = desk.asked(batch)
    said = sum(len(each["content"]) for each in sent["body"]["messages"])
    assert said > 10
    assert batch.expected_usd == pytest.approx(said / 2)
