"""Requests that batches have not answered, and when they are given up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from transforms.llm.limiter import Retries
from transforms.llm.requests import Kind, ModelError

MAX_ATTEMPTS: Final = 3
"""Batches in which a request may fail for a reason that may pass."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request has no answer yet.

    Attributes:
      kind: the class of the last failure.
      message: what was said, a line.
      attempts: the batches in which it failed.
      reply: what the model said, where that was not valid.
    """

    kind: Kind
    message: str
    attempts: int = 1
    reply: str = ""

    @property
    def error(self) -> ModelError:
        """The failure as an error."""
        return ModelError(self.kind, self.message, attempts=self.attempts)


WAITS: Final = Failure(Kind.BATCH, "waits for a batch", 0)


class Attempts:
    """The failures of one request, in their order."""

    def __init__(self) -> None:
        self._retries = Retries(MAX_ATTEMPTS, lambda: 0.0)
        self._count = 0
        self.last = WAITS
        self.over = False

    def add(self, failure: Failure) -> None:
        """Enter a failure. The rules are those of calls online: what may pass is tried again, an answer once."""
        self._count += 1
        self.over = self.over or self._retries.delay(failure.error) is None
        self.last = Failure(failure.kind, failure.message, self._count, failure.reply)
