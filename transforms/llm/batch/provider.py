"""The batch API of a provider, through litellm: one call each, and none is tried again here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from transforms.llm.failures import failure
from transforms.llm.litellm_engine import load_litellm, named_key
from transforms.llm.requests import Settings
from transforms.llm.served_engine import key_variable

PROVIDERS: Final = ("openai", "azure", "hosted_vllm", "vertex_ai")
"""Providers whose batches litellm 1.91 takes and returns in OpenAI's format.

Of Bedrock it returns what each of its models says, and it asks them for no schema; Mistral's batches it does not know.
"""
TAG: Final = "webscale_rl"
"""Key of a batch's metadata that holds its name."""
TIMEOUT_S: Final = 600.0
_PAGE: Final = 100
_OVER: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_LOST: Final = frozenset({"failed", "cancelled"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """How far a provider has come with a batch.

    Attributes:
      status: in OpenAI's words.
      done: requests that it has come to, as far as it tells.
      files: names of the files of its results.
      errors: (code, message) of what it found wrong with the batch as a whole.
    """

    status: str
    done: int
    files: tuple[str, ...]
    errors: tuple[tuple[str, str], ...]

    @property
    def over(self) -> bool:
        """Whether no more will come."""
        return self.status in _OVER


def provider_of(settings: Settings) -> str:
    """Return the provider of a model, as litellm names it; a server at an address of our own speaks OpenAI's format."""
    prefix, slash, _ = settings.model.partition("/")
    return prefix if slash and (prefix in PROVIDERS or settings.api_base is None) else "openai"


def name_there(settings: Settings) -> str:
    """Return the model's name in the body of a batch's line, where no prefix of litellm's is taken off on the way.

    For Azure it is the deployment's; litellm makes the model of a job on Vertex AI from it.
    """
    prefix, slash, name = settings.model.partition("/")
    return name if slash and prefix in PROVIDERS else settings.model


class Provider:
    """The batch API where a model is served. Every method may raise `ModelError`."""

    def __init__(self, settings: Settings) -> None:
        self.name = provider_of(settings)
        self._settings = settings

    def upload(self, name: str, data: bytes) -> str:
        """Give it the lines of a batch; returns its name of the file."""
        file = self._call("create_file", file=(f"{name}.jsonl", data, "application/jsonl"), purpose="batch")
        return str(file.id)

    def create(self, file_id: str, name: str) -> str:
        """Start a batch on a file; returns its name of the batch."""
        batch = self._call(
            "create_batch",
            completion_window="24h",
            endpoint="/v1/chat/completions",
            input_file_id=file_id,
            metadata={TAG: name},
        )
        return str(batch.id)

    def find(self, file_id: str, name: str) -> str | None:
        """Return the batch of that tag, or on that file (Vertex AI keeps no tags), that has answers or may, or None.

        Raises:
          ModelError: of the kind `UNKNOWN_MODEL` where the provider does not list its batches.
        """
        for batch in self._listed():
            tagged = (getattr(batch, "metadata", None) or {}).get(TAG) == name
            answered = batch.status not in _LOST or (batch.status == "cancelled" and batch.output_file_id)
            if (tagged or batch.input_file_id == file_id) and answered:
                return str(batch.id)
        return None

    def _listed(self) -> Iterator[Any]:
        page = self._call("list_batches", limit=_PAGE)
        if not isinstance(page, dict):
            yield from self._guarded(lambda: list(page))  # which asks for the pages that follow
            return
        while True:  # Vertex AI's
            yield from page["data"]
            if not page.get("next_page_token"):
                return
            page = self._call("list_batches", limit=_PAGE, after=page["next_page_token"])

    def look(self, batch_id: str) -> Look:
        """Return how far it has come with a batch."""
        batch = self._call("retrieve_batch", batch_id=batch_id)
        counts, errors = getattr(batch, "request_counts", None), getattr(batch, "errors", None)
        return Look(
            status=str(batch.status),
            done=0 if counts is None else (counts.completed or 0) + (counts.failed or 0),
            files=tuple(str(each) for each in (batch.output_file_id, batch.error_file_id) if each),
            errors=tuple((str(one.code), str(one.message)) for one in (errors.data if errors else None) or ()),
        )

    def lines(self, file_id: str) -> Iterator[bytes]:
        """Yield the lines of a file of results."""
        content = self._call("file_content", file_id=file_id)
        return (line for line in content.content.splitlines() if line.strip())

    def _call(self, name: str, **arguments: Any) -> Any:
        call: Callable[..., Any] = getattr(load_litellm(), name)
        where = {"api_base": self._settings.api_base, "api_key": self._key()}
        given = {name: value for name, value in (arguments | where).items() if value is not None}
        return self._guarded(lambda: call(custom_llm_provider=self.name, timeout=TIMEOUT_S, max_retries=0, **given))

    def _guarded(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:
            failed = failure(error, self._settings, TIMEOUT_S)
        raise failed

    def _key(self) -> str | None:
        key = named_key(self._settings)
        # litellm looks for those of others itself: Azure's have names of their own, Vertex AI takes no such key.
        if key is None and self._settings.api_base is not None and self.name in ("openai", "hosted_vllm"):
            return os.environ.get(key_variable(self._settings)) or "no-key"
        return key
