"""The seam between a stage and whatever answers it: a request in, a validated answer or a typed failure out."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any, Final, Protocol

from schemas.answers import MERGED, MergedTask, Stage, Task
from schemas.records import Call


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    Attributes:
      stage: the stage that asks; it selects the model's settings and, but for merged calls, the task.
      variables: what the prompt was rendered from, by name (see `prompts.VARIABLES`); the embedded engine reads these.
      messages: the rendered chat messages, each `{"role": ..., "content": ...}`.
      schema: the JSON Schema of the answer, sent as `response_format`.
      prompt: the fingerprint of the prompt.
      repair: what is said to a reply that is not valid, a `string.Template` with `$error`.
      sample: distinguishes repeated samples of one request in the cache.
      merged: the task that is asked in place of the stage's own where calls are merged.
      count: how many numbered things it lists; its answer has a part for each, and no other.
    """

    stage: Stage
    variables: Mapping[str, str]
    messages: tuple[Mapping[str, str], ...]
    schema: Mapping[str, Any]
    prompt: str
    repair: str = "$error"
    sample: int = 0
    merged: MergedTask | None = None
    count: int = 1

    @property
    def task(self) -> Task:
        """What is asked: it selects the class of the answer and names the `response_format`."""
        return self.merged or self.stage

    @property
    def pays(self) -> bool:
        """Whether the stage is the first to ask its task: it pays for the answer that others find in the cache."""
        return self.merged is None or self.stage == next(stage for stage, task in MERGED.items() if task == self.merged)

    @property
    def characters(self) -> int:
        """The characters of all messages together."""
        return sum(len(message["content"]) for message in self.messages)

    def repaired(self, reply: str, error: str) -> Request:
        """Return the request that follows a reply which was not valid: the conversation so far, and what was wrong."""
        said = {"role": "assistant", "content": reply}
        objection = {"role": "user", "content": Template(self.repair).substitute(error=error)}
        return dataclasses.replace(self, messages=(*self.messages, said, objection))

    def to_json(self) -> str:
        """Return the request as it waits in `pending/`, without its variables, which the messages hold."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "variables"}
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Return the request of `to_json`."""
        fields = json.loads(text)
        return cls(**{**fields, "variables": {}, "messages": tuple(fields["messages"])})


@dataclass(frozen=True, slots=True)
class Settings:
    """How one stage's model is called. `api_key_env` names an environment variable; the key itself never travels."""

    model: str
    api_base: str | None = None
    api_key_env: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    extra_body: Mapping[str, Any] | None = None

    @property
    def embedded(self) -> bool:
        """Whether the model runs inside this package, without a network."""
        return self.model.startswith("embedded/")


@dataclass(frozen=True, slots=True)
class Completion:
    """What came over the wire, before anyone looked at it. Token counts are the provider's, 0 where it gave none.

    `cost_usd` is set by the client (see `prices.charged`); an engine sets it where it was told.
    """

    text: str
    finish_reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0
    refusal: str | None = None


class Kind(str, enum.Enum):
    """Why a request has no answer; the value is the `error` column of `errors/`."""

    TRANSIENT = "transient"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    INVALID = "invalid"
    TRUNCATED = "truncated"
    TOO_LONG = "too_long"
    BAD_REQUEST = "bad_request"
    AUTH = "auth"
    UNKNOWN_MODEL = "unknown_model"
    BATCH = "batch"
    BUDGET = "budget"


HOPELESS: Final = frozenset({Kind.AUTH, Kind.UNKNOWN_MODEL, Kind.BUDGET})
"""Failures of an endpoint and not of the request: no other call will succeed there."""
PENDING: Final = HOPELESS | {Kind.BATCH}
"""What keeps a request for another run: a key or a model that works, more money, the answers of a batch."""


class ModelError(Exception):
    """A request that got no answer.

    Attributes:
      kind: the class of the failure.
      retry_after: seconds the provider asked us to wait, if it did.
      attempts: calls made for this request so far.
      call: the model, the prompt's fingerprint and the key that an answer would have had, once a client knows them.
    """

    def __init__(self, kind: Kind, message: str, *, retry_after: float | None = None, attempts: int = 1) -> None:
        # Half a surrogate from a server is no text that a row could hold.
        super().__init__(message.encode("utf-8", "replace").decode("utf-8"))
        self.kind = kind
        self.retry_after = retry_after
        self.attempts = attempts
        self.call: Call | None = None


class Engine(Protocol):
    """Answers one request once: no retry, no cache, no validation of the text."""

    async def complete(self, request: Request, settings: Settings) -> Completion:
        """Return the completion, or raise `ModelError`."""
