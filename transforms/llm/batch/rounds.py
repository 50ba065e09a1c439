"""From requests that wait to answers in the cache, a step at a time; each is written down before the next begins.

A process may die anywhere. What the provider may have begun is looked for by its tag before it is begun again; what was
not kept of an answered batch is fetched again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow.parquet as pq

from schemas.answers import Stage, Task
from transforms.files import exists, list_files, open_parquet, read_lines
from transforms.llm.batch.failed import Attempts, Failure
from transforms.llm.batch.journal import FIGURES, Asked, Batch, Journal, Status
from transforms.llm.batch.provider import Look, Provider
from transforms.llm.batch.wire import read_result
from transforms.llm.budget import BatchBudget
from transforms.llm.cache import Entry, ResponseCache, open_cache
from transforms.llm.parsing import parsed
from transforms.llm.prices import Price, charged
from transforms.llm.requests import HOPELESS, Completion, Kind, ModelError, Request, Settings

OUTPUT: Final = "output.jsonl"
"""Suffix of the file in which `vllm run-batch` leaves the answers of a batch."""
SETTLE_S: Final = 10.0
"""How long a call that a dead process made may take to show at the provider."""
_AT_ONCE: Final = 256
"""Answers that are put into the cache side by side: as many as a bucket's pack has."""
_READ_ROWS: Final = 500
_UNCLEAR: Final = frozenset({Kind.TRANSIENT, Kind.TIMEOUT})
"""Failures of a call that may have been carried out all the same; what others say was refused."""
_QUEUE_FULL: Final = frozenset({"token_limit_exceeded", "request_limit_exceeded"})
"""Codes of a batch that the provider takes once others are done."""


class UnsureError(Exception):
    """A batch that may or may not have been sent, at a provider that cannot tell."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(f"batch {batch.name} on the file {batch.file_id}")
        self.batch = batch


def waiting_requests(output: str, taken: set[str]) -> Iterator[tuple[str, Request]]:
    """Yield (key, request) of the rows of `pending/`, each key once and none of those that are under way."""
    seen = set(taken)
    for path in list_files(f"{output}/pending/part-*.parquet"):
        with open_parquet(path) as file:
            for key, request in _rows(file):
                if key not in seen:
                    seen.add(key)
                    yield key, Request.from_json(request)


def _rows(file: pq.ParquetFile) -> Iterator[tuple[str, str]]:
    for batch in file.iter_batches(batch_size=_READ_ROWS, columns=["id", "request"], use_threads=False):
        yield from zip(batch.column("id").to_pylist(), batch.column("request").to_pylist(), strict=True)


def prepare(
    journal: Journal,
    output: str,
    cache: str,
    models: Mapping[Stage, Settings],
    *,
    budget: BatchBudget,
    offline: bool = False,
) -> list[Batch]:
    """Write batches of the requests that wait and are not under way; one that had no valid answer says what was wrong.

    What is answered or given up by now, for `pending/` is of the last run, is left out.

    Args:
      cache: where answers are kept.
      models: how the model of each stage is called.
      budget: what the requests may cost; those it does not cover go on waiting.
      offline: whether the batches are for `vllm run-batch`.
    """
    failures = journal.failures()
    over = {key for key, attempts in failures.items() if attempts.over}
    with contextlib.closing(open_cache(cache)) as kept:
        requests = (
            (key, request, models[request.stage])
            for key, first in waiting_requests(output, journal.taken() | over)
            if not _is_kept(kept, key, first.task, first.count)
            for request in [_again(first, failures.get(key))]
            if budget.covers(request, models[request.stage])
        )
        return journal.add(requests, offline=offline, now=time.time(), expected_usd=budget.expected_usd)


def _is_kept(cache: ResponseCache, key: str, task: Task, count: int) -> bool:
    """Return whether a run would find the answer; one that another version kept may be none by now."""
    entry = cache.get(key)
    return entry is not None and not isinstance(parsed(task, entry.completion, count), ModelError)


def _again(request: Request, attempts: Attempts | None) -> Request:
    if attempts is None or attempts.last.kind is not Kind.INVALID or not attempts.last.reply.strip():
        return request
    return request.repaired(attempts.last.reply, attempts.last.message)


class Courier:
    """Takes the batches of a journal on, one step at a time.

    Args:
      journal: the batches.
      cache: where answers are kept.
      prices: of each model whose price is configured, by its name.
      provider: the batch API of a place.
      clock, sleep: seconds since 1970, to be replaced in tests.
    """

    def __init__(
        self,
        journal: Journal,
        cache: str,
        prices: Mapping[str, Price],
        *,
        provider: Callable[[Settings], Provider] = Provider,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._journal = journal
        self._cache = cache
        self._prices = prices
        self._new_provider, self._clock, self._sleep = provider, clock, sleep
        self._providers: dict[Settings, Provider] = {}

    def send(self, batch: Batch) -> Batch:
        """Send a batch that is not sent.

        Raises:
          ModelError: the provider did not take it; where that may pass, the batch can be sent again.
          UnsureError: a dead process may have sent it, and the provider cannot tell.
        """
        if batch.status not in ("ready", "sending"):
            return batch
        if batch.offline:
            return self._turn(batch, "sent")
        provider = self._provider(batch)
        if batch.status == "sending" and (found := self._found(provider, batch)) is not None:
            return self._turn(batch, "sent", batch_id=found)
        file_id = batch.file_id or provider.upload(batch.name, self._input(batch))
        batch = self._turn(batch, "sending", file_id=file_id)
        try:
            batch_id = provider.create(file_id, batch.name)
        except ModelError as error:
            if error.kind not in _UNCLEAR:
                lost = error.kind in (Kind.UNKNOWN_MODEL, Kind.BAD_REQUEST)  # what a file that is gone comes to
                self._turn(batch, "ready", file_id=None if lost else file_id)
            raise
        return self._turn(batch, "sent", batch_id=batch_id)

    def look(self, batch: Batch) -> Look:
        """Return how far a batch that was sent has come."""
        if not batch.offline:
            return self._provider(batch).look(batch.batch_id or "")
        path = self._journal.path(batch, OUTPUT)
        # A last line without its end is still being written.
        done = sum(line.endswith(b"\n") and not line.isspace() for line in read_lines(path)) if exists(path) else 0
        over = done >= batch.requests
        return Look("completed" if over else "in_progress", done, (path,) if over else (), ())

    def give_up(self, batch: Batch) -> Batch:
        """Collect what `vllm run-batch` has answered of a batch so far; the rest of its requests wait again."""
        path = self._journal.path(batch, OUTPUT)
        return self.collect(batch, Look("cancelled", 0, (path,) if exists(path) else (), ()))

    def collect(self, batch: Batch, look: Look) -> Batch:
        """Keep what a batch that is over has answered, and write down what came to nothing."""
        harvest = asyncio.run(self._harvest(batch, look))
        if look.status != "completed" and not harvest.heard:
            if look.errors and all(code in _QUEUE_FULL for code, _ in look.errors):
                return self._turn(batch, "ready", batch_id=None)
            said = "; ".join(f"{code}: {message}" for code, message in look.errors[:3])
            return self._turn(batch, "failed", error=said or harvest.broken or f"it is {look.status}")
        self._journal.write_failures(batch, harvest.failures.items())
        return self._turn(batch, "collected", figures=dict(harvest.figures), error=harvest.broken)

    def _turn(self, batch: Batch, status: Status, **changes: object) -> Batch:
        batch = dataclasses.replace(batch, status=status, since=self._clock(), **changes)  # type: ignore[arg-type]
        self._journal.save(batch)
        return batch

    def _provider(self, batch: Batch) -> Provider:
        if batch.settings not in self._providers:
            self._providers[batch.settings] = self._new_provider(batch.settings)
        return self._providers[batch.settings]

    def _found(self, provider: Provider, batch: Batch) -> str | None:
        """Look for a batch whose sender died: its call may still be on its way."""
        # Never longer, should another machine's clock have been ahead.
        self._sleep(min(SETTLE_S, max(0.0, batch.since + SETTLE_S - self._clock())))
        try:
            return provider.find(batch.file_id or "", batch.name)
        except ModelError as error:
            if error.kind is Kind.UNKNOWN_MODEL:  # what a server says that has no such list
                raise UnsureError(batch) from None
            raise

    def _input(self, batch: Batch) -> bytes:
        return b"".join(read_lines(self._journal.path(batch, "input.jsonl")))

    def _lines(self, batch: Batch, look: Look) -> Iterator[bytes]:
        for file in look.files:
            try:
                lines = read_lines(file) if batch.offline else self._provider(batch).lines(file)
            except ModelError as error:
                if look.status == "completed" or error.kind is not Kind.UNKNOWN_MODEL:
                    raise
                continue  # Vertex AI names the file of a batch that came to nothing too
            yield from (line for line in lines if line.strip())

    async def _harvest(self, batch: Batch, look: Look) -> _Harvest:
        asked = {each.key: each for each in self._journal.asked(batch)}
        harvest = _Harvest(batch, self._prices)
        with contextlib.closing(open_cache(self._cache)) as cache:
            for lines in _chunks(self._lines(batch, look)):
                await asyncio.gather(*(harvest.take(line, asked, cache) for line in lines))
        harvest.close(asked if look.status == "completed" else ())
        return harvest


def _chunks(lines: Iterable[bytes]) -> Iterator[Sequence[bytes]]:
    chunk = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == _AT_ONCE:
            yield chunk
            chunk = []
    yield chunk


@dataclass(slots=True)
class _Harvest:
    """What came of a batch's requests, as its lines are read."""

    batch: Batch
    prices: Mapping[str, Price]
    figures: Counter[str] = dataclasses.field(default_factory=lambda: Counter(dict.fromkeys(FIGURES, 0)))
    failures: dict[str, Failure] = dataclasses.field(default_factory=dict)
    broken: str | None = None

    async def take(self, line: bytes, asked: dict[str, Asked], cache: ResponseCache) -> None:
        """Keep the answer in a line, or its failure."""
        try:
            key, outcome = read_result(line, self.batch.settings)
        except ValueError as error:
            self.broken = f"a line of the results is no result ({error})"
            return
        known = None if outcome is None else asked.pop(key, None)  # a repeated line is none
        if known is None or outcome is None:
            return
        if isinstance(outcome, Completion):
            await self._keep(known, charged(outcome, self.batch.settings, self.prices, batch=True), cache)
        elif outcome.kind in HOPELESS:  # says nothing about the request, which waits for another batch
            self.broken = str(outcome)
        else:
            self._fail(key, outcome)

    @property
    def heard(self) -> int:
        """Requests of which the batch says how they ended."""
        return sum(self.figures[name] for name in ("answered", "invalid", "failed"))

    def close(self, unheard: Iterable[str]) -> None:
        """Count what is missing; requests of which a batch that has done all says nothing have failed."""
        for key in unheard:
            self._fail(key, ModelError(Kind.TRANSIENT, "the batch ended without a word on this request"))
        self.figures["missing"] = self.batch.requests - self.heard

    def _fail(self, key: str, error: ModelError) -> None:
        self.figures["failed"] += 1
        self.failures[key] = Failure(error.kind, str(error))

    async def _keep(self, asked: Asked, completion: Completion, cache: ResponseCache) -> None:
        answer = parsed(asked.task, completion, asked.count)
        valid = not isinstance(answer, ModelError)
        if not _is_kept(cache, asked.key, asked.task, asked.count):  # by a process that died over this batch
            await cache.put(asked.key, Entry(asked.stage, self.batch.model, asked.prompt, completion, valid))
        self.figures["answered" if valid else "invalid"] += 1
        self.figures["prompt_tokens"] += completion.prompt_tokens
        self.figures["completion_tokens"] += completion.completion_tokens
        self.figures[f"{asked.stage}_answers"] += 1
        self.figures[f"{asked.stage}_tokens"] += completion.completion_tokens
        if asked.characters:
            self.figures[f"{asked.stage}_characters"] += asked.characters
            self.figures[f"{asked.stage}_prompt_tokens"] += completion.prompt_tokens
        self.figures["cost_nano_usd"] += round(completion.cost_usd * 1e9)
        if isinstance(answer, ModelError):
            self.failures[asked.key] = Failure(answer.kind, str(answer), reply=completion.text)
