"""The dollars that a process may spend: no call begins that they do not cover, as far as one can tell before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from schemas.answers import Stage
from transforms.llm.prices import FREE, Price, price_at
from transforms.llm.rates import PROMPT_TOKENS_A_CHARACTER, UNKNOWN_ANSWER_TOKENS, TokenEstimate
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings


class Budget:
    """What is left of an amount, less what the calls in flight are expected to cost.

    A call is expected to cost what its stage's calls have cost so far, by the length of its prompt; before there was
    any, as much as it may. A call that is not covered waits for those in flight, whose answers may cost less, and is
    refused once there are none. So what is spent exceeds the amount by no more than the last calls in flight cost
    above the mean.

    Args:
      usd: the amount.
    """

    def __init__(self, usd: float) -> None:
        self._usd = usd
        self._left = usd
        self._held: dict[object, float] = {}
        self._estimate = TokenEstimate()
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def hold(self, request: Request, settings: Settings, price: Price) -> AsyncIterator[None]:
        """Hold back what a call is expected to cost, for the block.

        Raises:
          ModelError: of the kind `BUDGET`: what is left does not cover it.
        """
        prompt, answer = self._estimate.expected(request, settings)
        cost, ticket = prompt * price.input + answer * price.output, object()
        async with self._changed:
            while cost and cost > self._left - sum(self._held.values()):
                if not self._held:
                    raise ModelError(Kind.BUDGET, f"the budget of ${self._usd:.2f} a worker is spent")
                await self._changed.wait()
            self._held[ticket] = cost
        try:
            yield
        finally:
            del self._held[ticket]
            async with self._changed:
                self._changed.notify_all()

    def spend(self, request: Request, completion: Completion) -> None:
        """Take what an answer has cost from what is left."""
        self._left -= completion.cost_usd
        self._estimate.learn(request, completion)


class BatchBudget:
    """Says which requests an amount covers that are sent in batches, and remembers what it has said yes to.

    A request is expected to take a quarter of a token a character, and for its answer as many tokens as its stage's
    answers have had in batches so far; before there was any, as many as it may.

    Attributes:
      left_out: how many it did not cover.

    Args:
      usd: the amount.
      prices: of each model whose price is configured, by its name.
      answer_tokens: the mean of each stage that batches have answered.
    """

    def __init__(self, usd: float, prices: Mapping[str, Price], answer_tokens: Mapping[Stage, float]) -> None:
        self._left = usd
        self._prices = prices
        self._answer_tokens = answer_tokens
        self.left_out = 0

    def covers(self, request: Request, settings: Settings) -> bool:
        """Return whether a request is covered too; what it is expected to cost is then taken."""
        price = price_at(settings, self._prices) or FREE
        answer = self._answer_tokens.get(request.stage, settings.max_tokens or UNKNOWN_ANSWER_TOKENS)
        cost = request.characters * PROMPT_TOKENS_A_CHARACTER * price.batch_input + answer * price.batch_output
        if cost > self._left:
            self.left_out += 1
            return False
        self._left -= cost
        return True
