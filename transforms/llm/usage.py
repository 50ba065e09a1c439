"""What a request costs, as counts that add up."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, get_args

from schemas.answers import Stage
from schemas.counts import Counts
from transforms.llm.requests import Completion, Kind

Field = Literal[
    "requests", "calls", "cache_hits", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_nano_usd"
]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)
"""What is counted, besides `failed_KIND` for each value of `Kind`.

requests: questions asked by a stage, however they ended.
calls: attempts that reached for an engine, retries included.
cache_hits: requests without a call of their own: replayed, or answered together with an identical one in flight.
prompt_tokens, completion_tokens: as the provider counts them; answers paid for and then discarded count too.
cached_tokens: the part of prompt_tokens that the provider read from its own prompt cache.
cost_nano_usd: billionths of a dollar, because integers have one sum in any order; 0 for a model without a known price.
failed_KIND: attempts that failed so. A request may fail, be retried and succeed.
"""


class Meter:
    """Counts one request of a stage to a model, under the keys (stage, "usage", model, field)."""

    def __init__(self, stage: Stage, model: str) -> None:
        self.counts: Counts = Counter()
        self._prefix = (stage, "usage", model)
        self._add("requests", 1)

    @property
    def calls(self) -> int:
        """Calls made for the request so far."""
        return self.counts[self._key("calls")]

    def call(self) -> None:
        """Count an attempt."""
        self._add("calls", 1)

    def cache_hit(self) -> None:
        """Count an answer that took no call."""
        self._add("cache_hits", 1)

    def paid(self, completion: Completion) -> None:
        """Count what came back, whether it turns out to be of use or not."""
        self._add("prompt_tokens", completion.prompt_tokens)
        self._add("completion_tokens", completion.completion_tokens)
        self._add("cached_tokens", completion.cached_tokens)
        self._add("cost_nano_usd", round(completion.cost_usd * 1e9))

    def failed(self, kind: Kind) -> None:
        """Count an attempt that failed."""
        self._add(f"failed_{kind.value}", 1)

    def _add(self, field: str, n: int) -> None:
        if n:
            self.counts[self._key(field)] += n

    def _key(self, field: str) -> tuple[str, ...]:
        return (*self._prefix, field)
