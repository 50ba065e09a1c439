"""The dollars that a process may spend: no call begins that they do not cover, as far as one can tell before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from transforms.llm.prices import FREE, Price, price_at
from transforms.llm.rates import UNKNOWN_ANSWER_TOKENS, TokenEstimate
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings

_UNKNOWN_TOKENS_A_CHARACTER: Final = 0.5
"""Of a prompt before a stage's answers tell: twice what English takes, since what was sent is paid for."""


class Budget:
    """What is left of an amount, less what the calls in flight are expected to cost.

    A call is expected to cost what its stage's calls have cost so far, by the length of its prompt; before there was
    any, as many tokens as its answer may take, and one for two characters of its prompt. A call that is not covered
    waits for those in flight, whose answers may cost less, and is refused once there are none. So what is spent exceeds
    the amount by no more than the last calls in flight cost above what was expected.

    Args:
      usd: the amount.
    """

    def __init__(self, usd: float) -> None:
        self._usd = usd
        self._left = usd
        self._held: dict[object, float] = {}
        self._estimate = TokenEstimate(_UNKNOWN_TOKENS_A_CHARACTER)
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def hold(self, request: Request, settings: Settings, price: Price) -> AsyncIterator[None]:
        """Hold back what a call is expected to cost, for the block.

        Raises:
          ModelError: of the kind `BUDGET`: what is left does not cover it.
        """
        ticket = object()
        async with self._changed:
            # Anew after each wait, since the answers that it waited for tell more.
            while (cost := self._expected_usd(request, settings, price)) > self._free():
                if not self._held:
                    raise ModelError(Kind.BUDGET, self._refusal(request, settings, cost))
                await self._changed.wait()
            self._held[ticket] = cost
        try:
            yield
        finally:
            del self._held[ticket]
            async with self._changed:
                self._changed.notify_all()

    def _expected_usd(self, request: Request, settings: Settings, price: Price) -> float:
        prompt, answer = self._estimate.expected(request, settings)
        return prompt * price.input + answer * price.output

    def _free(self) -> float:
        """Return what is left beside the calls in flight; never less than what costs nothing needs."""
        return max(0.0, self._left - sum(self._held.values()))

    def _refusal(self, request: Request, settings: Settings, cost: float) -> str:
        if self._left < self._usd:
            return f"the budget of ${self._usd:.2f} a worker is spent but for ${max(0.0, self._left):.2f}"
        return (
            f"the budget of ${self._usd:g} a worker covers no call of {request.stage}, which may cost ${cost:.2g} with"
            f" {settings.max_tokens or UNKNOWN_ANSWER_TOKENS} tokens of answer; raise budget_usd or lower"
            f" models.{request.stage}.max_tokens"
        )

    def spend(self, request: Request, completion: Completion) -> None:
        """Take what an answer has cost from what is left."""
        self._left -= completion.cost_usd
        self._estimate.learn(request, completion)


class BatchBudget:
    """Says which requests an amount covers that are sent in batches, and remembers what it has said yes to.

    A request is expected to cost what its stage's requests have cost in batches so far, by the length of its prompt;
    before there was any, as many tokens as its answer may take, and one for two characters of its prompt. So a round
    of batches exceeds the amount by what its stages' means turn out to be above those so far; the first round of a
    stage, only where two characters of its prompts are more than a token, or where `max_tokens` is not set.

    Attributes:
      estimate: what batches have taken so far, to be taught.
      left_out: how many it did not cover.

    Args:
      usd: the amount.
      prices: of each model whose price is configured, by its name.
    """

    def __init__(self, usd: float, prices: Mapping[str, Price]) -> None:
        self._left = usd
        self._prices = prices
        self.estimate = TokenEstimate(_UNKNOWN_TOKENS_A_CHARACTER)
        self.left_out = 0

    def expected_usd(self, request: Request, settings: Settings) -> float:
        """Return what a request is expected to cost."""
        price = price_at(settings, self._prices) or FREE
        prompt, answer = self.estimate.expected(request, settings)
        return prompt * price.batch_input + answer * price.batch_output

    def covers(self, request: Request, settings: Settings) -> bool:
        """Return whether a request is covered too; what it is expected to cost is then taken."""
        cost = self.expected_usd(request, settings)
        if cost > max(0.0, self._left):
            self.left_out += 1
            return False
        self._left -= cost
        return True
