"""The batches of a run's directory, in files of its own: `OUTPUT/batch/`, which no run clears.

A batch is NAME.batch.json, which says how far it has come and is replaced as a whole; NAME.asked.jsonl, what each
answer will be kept under; NAME.input.jsonl, what is sent; and NAME.failed.jsonl, what came to nothing. Those are
written before NAME.batch.json says so, hence a file that it does not know is of a process that died, and is ignored.
run.json says what the commands need to know of the run, whose own manifest is gone while a round is under way.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import posixpath
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from schemas.answers import Stage, Task
from schemas.config import RunConfig
from transforms.files import delete, exists, list_files, read_json, read_lines, replacing, write_text
from transforms.llm.batch.failed import Attempts, Failure
from transforms.llm.batch.wire import request_line
from transforms.llm.rates import TokenEstimate
from transforms.llm.requests import Kind, Request, Settings
from transforms.state import absolute

BATCH: Final = "batch"
"""Directory of the journal, within a run's output."""
IN_USE: Final = f"{BATCH}/in_use.json"
"""Names the process that changes the journal."""
_STATE: Final = "batch.json"
_RUN: Final = "run.json"


class JournalError(ValueError):
    """The journal cannot be read; one line that names the file and the remedy."""


Status = Literal["ready", "sending", "sent", "collected", "failed"]
"""ready: not sent. sending: sent or not, a process died over it. sent: at the provider, or left to `vllm run-batch`.
collected: its answers are in the cache. failed: the provider did not take it or lost it; its requests wait again."""
FILE_REQUESTS: Final = 50_000
FILE_BYTES: Final = 190 * 2**20
"""What fits into one file by the limits of OpenAI and Azure (50,000 requests, 200 MB), the narrowest."""


FIGURES: Final = ("answered", "invalid", "failed", "missing", "prompt_tokens", "completion_tokens", "cost_nano_usd")
"""What is counted of a batch that is over: requests by how they ended, and what its answers took.

missing: requests that the batch did not come to. cost_nano_usd: billionths of a dollar, see `usage`. Beside these there
are, of the stages that were answered, STAGE_answers, their STAGE_tokens, and the STAGE_characters and
STAGE_prompt_tokens of their prompts.
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """How far a batch has come.

    Attributes:
      name: its tag: what it is looked for by, where nobody knows whether it was sent.
      model, api_base, api_key_env: where it goes, as `Settings` has them.
      requests: how many it asks.
      status: see `Status`.
      since: when that began, in seconds since 1970.
      offline: whether `vllm run-batch` answers it, from file to file.
      file_id, batch_id: the provider's names of its input and of itself, once they are known.
      figures: see `FIGURES`, of a batch that was collected.
      error: what the provider said of a batch as a whole.
      expected_usd: what it was expected to cost when it was written, in dollars.
    """

    name: str
    model: str
    api_base: str | None
    api_key_env: str | None
    requests: int
    status: Status
    since: float
    offline: bool = False
    file_id: str | None = None
    batch_id: str | None = None
    figures: dict[str, int] = field(default_factory=dict)
    error: str | None = None
    expected_usd: float = 0.0

    @property
    def settings(self) -> Settings:
        """Where it goes."""
        return Settings(self.model, self.api_base, self.api_key_env)

    @property
    def under_way(self) -> bool:
        """Whether its requests may still be answered."""
        return self.status in ("ready", "sending", "sent")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a batch asks under one key: what its answer is read and kept by (see `Request`).

    `characters` are those of the messages as they were sent, 0 where another version wrote it.
    """

    key: str
    stage: Stage
    task: Task
    prompt: str
    count: int
    characters: int = 0


def _line(asked: Asked) -> bytes:
    return json.dumps(dataclasses.asdict(asked)).encode("ascii") + b"\n"


def _batch(path: str) -> Batch:
    try:
        return Batch(**read_json(path))
    except (TypeError, json.JSONDecodeError) as error:
        raise JournalError(
            f"{path} is damaged, or another version of webscale-rl has written it ({error}); go on with that one, or"
            f" delete {posixpath.dirname(path)}, whose answers are then asked for again"
        ) from None


_Place = tuple[str, str | None, str | None]


class _Part:
    """What goes into one batch."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.asked: list[bytes] = []
        self.expected_usd = 0.0
        self._bytes = 0

    def is_full(self, line: bytes) -> bool:
        """Return whether one more line is too much for a file."""
        return len(self.lines) >= FILE_REQUESTS or (bool(self.lines) and self._bytes + len(line) > FILE_BYTES)

    def add(self, line: bytes, asked: Asked, expected_usd: float) -> None:
        self.expected_usd += expected_usd
        self.lines.append(line)
        self.asked.append(_line(asked))
        self._bytes += len(line)


class Journal:
    """The batches of one output. One process at a time may change it."""

    def __init__(self, output: str) -> None:
        self._output = output.rstrip("/")
        self.directory = f"{self._output}/{BATCH}"

    def write_run(self, config: RunConfig) -> None:
        """Write down what `run` needs of a configuration: the models that are called, and where answers go."""
        models = {stage: settings.model_dump(mode="json") for stage, settings in config.asked.items()}
        called = {model["model"] for model in models.values()}
        fields = {
            "models": models,
            # The cache of the output itself moves with it.
            "cache": None if config.cache is None else absolute(config.cache),
            "prices": {name: price.model_dump() for name, price in config.prices.items() if name in called},
            "budget_usd": config.budget_usd,
            "until": config.until,
            "closed_book": config.closed_book.model_dump(),
            "decontaminate": None if config.decontaminate is None else config.decontaminate.model_dump(mode="json"),
        }
        write_text(f"{self.directory}/{_RUN}", json.dumps(fields, indent=2) + "\n")

    def run(self) -> RunConfig | None:
        """Return the configuration as far as `write_run` kept it; None where no run in batch mode was here.

        Raises:
          ValueError: another version wrote it.
        """
        path = f"{self.directory}/{_RUN}"
        if not exists(path):
            return None
        fixed = {"input": [f"{self._output}/pending"], "output": self._output, "llm_mode": "batch"}
        return RunConfig.model_validate(read_json(path) | fixed)

    def batches(self) -> list[Batch]:
        """Return all batches, the oldest first."""
        return [_batch(path) for path in list_files(f"{self.directory}/*.{_STATE}")]

    def open(self) -> list[Batch]:
        """Return the batches whose requests may still be answered."""
        return [batch for batch in self.batches() if batch.under_way]

    def save(self, batch: Batch) -> None:
        """Write down how far a batch has come; what it no longer needs goes, but for the output that a user made."""
        write_text(self.path(batch, _STATE), json.dumps(dataclasses.asdict(batch), indent=2) + "\n")
        if not batch.under_way:
            delete([self.path(batch, name) for name in ("input.jsonl", "asked.jsonl")])

    def settle(self, batch: Batch, batch_id: str | None, now: float) -> None:
        """Write down that the provider has a batch under an id, or, with None, that it has not."""
        status: Status = "ready" if batch_id is None else "sent"
        file_id = batch.file_id if batch_id else None  # what took no batch may have lost the file as well
        self.save(dataclasses.replace(batch, status=status, batch_id=batch_id, file_id=file_id, since=now))

    def path(self, batch: Batch, suffix: str) -> str:
        """Return the path of a batch's file."""
        return f"{self.directory}/{batch.name}.{suffix}"

    def asked(self, batch: Batch) -> Iterator[Asked]:
        """Yield what a batch asks."""
        for line in read_lines(self.path(batch, "asked.jsonl")):
            yield Asked(**json.loads(line))

    def taken(self) -> set[str]:
        """Return the keys of all requests that are under way."""
        return {asked.key for batch in self.open() for asked in self.asked(batch)}

    def drop(self, keys: set[str]) -> None:
        """Keep no answer to some requests, whatever a batch under way brings."""
        for batch in self.open():
            asked = list(self.asked(batch))
            left = [each for each in asked if each.key not in keys]
            if len(left) < len(asked):
                with replacing(self.path(batch, "asked.jsonl")) as stream:
                    stream.writelines(map(_line, left))

    def write_failures(self, batch: Batch, failures: Iterable[tuple[str, Failure]]) -> None:
        """Write down which requests of a batch came to nothing, and why."""
        with replacing(self.path(batch, "failed.jsonl")) as stream:
            for key, failure in failures:
                fields = {"key": key, "kind": failure.kind.value, "message": failure.message, "reply": failure.reply}
                stream.write(json.dumps(fields).encode("ascii") + b"\n")

    def failures(self) -> dict[str, Attempts]:
        """Return the failures of requests in all batches that are over, by key."""
        found: defaultdict[str, Attempts] = defaultdict(Attempts)
        for batch in self.batches():
            if batch.status == "collected" and batch.figures["failed"] + batch.figures["invalid"]:
                for line in read_lines(self.path(batch, "failed.jsonl")):
                    fields = json.loads(line)
                    failure = Failure(Kind(fields["kind"]), fields["message"], reply=fields["reply"])
                    found[fields["key"]].add(failure)
        return dict(found)

    def given_up(self) -> dict[str, Failure]:
        """Return the last failure of each request that is not asked again."""
        return {key: attempts.last for key, attempts in self.failures().items() if attempts.over}

    def figures(self) -> dict[str, int]:
        """Return what all batches together have asked, answered and cost (see `Batch.figures`)."""
        total = Counter(dict.fromkeys(("batches", "requests", *FIGURES), 0))
        for batch in self.batches():
            total.update({"batches": 1, "requests": batch.requests, **batch.figures})
        return dict(total)

    def teach(self, estimate: TokenEstimate) -> None:
        """Let an estimate learn what the answers of all batches took."""
        total = Counter(self.figures())
        stages: tuple[Stage, ...] = get_args(Stage)
        for stage in stages:
            names = ("answers", "characters", "prompt_tokens", "tokens")
            estimate.learn_all(stage, *(total[f"{stage}_{name}"] for name in names))

    def forgive(self) -> None:
        """Forget all failures, so that what met them is asked anew."""
        for batch in self.batches():
            if batch.status == "collected":
                self.write_failures(batch, ())

    def add(
        self,
        requests: Iterable[tuple[str, Request, Settings]],
        *,
        offline: bool,
        now: float,
        expected_usd: Callable[[Request, Settings], float] = lambda request, settings: 0.0,
    ) -> list[Batch]:
        """Write batches of requests: as many as there are models and places of them, and as the limits of files demand.

        Args:
          requests: (key, request, settings) of each.
          offline: whether they are for `vllm run-batch`.
          now: seconds since 1970.
          expected_usd: what a request is expected to cost, in dollars.
        """
        self._sweep()
        parts: defaultdict[_Place, _Part] = defaultdict(_Part)
        done = []
        for key, request, settings in requests:
            place = (settings.model, settings.api_base, settings.api_key_env)
            line = request_line(key, request, settings)
            if parts[place].is_full(line):
                done.append(self._write(place, parts.pop(place), offline, now))
            asked = Asked(key, request.stage, request.task, request.prompt, request.count, request.characters)
            parts[place].add(line, asked, expected_usd(request, settings))
        return done + [self._write(place, part, offline, now) for place, part in parts.items()]

    def _write(self, place: _Place, part: _Part, offline: bool, now: float) -> Batch:
        # To the microsecond, since the order of names is that of batches, and a server of one's own is quick.
        name = f"{datetime.datetime.fromtimestamp(now, datetime.timezone.utc):%Y%m%dT%H%M%S%fZ}-{uuid.uuid4().hex[:8]}"
        batch = Batch(name, *place, len(part.asked), "ready", now, offline, expected_usd=part.expected_usd)
        for suffix, lines in (("input.jsonl", part.lines), ("asked.jsonl", part.asked)):
            with replacing(self.path(batch, suffix)) as stream:
                stream.writelines(lines)
        self.save(batch)
        return batch

    def _sweep(self) -> None:
        """Delete what a process that died has left: of batches that were never written, and files half written."""
        known = {batch.name for batch in self.batches()}
        stray = [
            path
            for path in list_files(f"{self.directory}/*.jsonl*")
            if path.endswith(".tmp") or posixpath.basename(path).partition(".")[0] not in known
        ]
        delete(stray)


def write_failed(path: str, failures: Mapping[str, Failure]) -> None:
    """Write failures by the keys of their requests, for `read_failed`."""
    lines = (
        json.dumps({"key": key, "kind": each.kind.value, "message": each.message, "attempts": each.attempts})
        for key, each in failures.items()
    )
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_failed(path: str) -> dict[str, Failure]:
    """Return what `write_failed` wrote."""
    found = {}
    for line in read_lines(path):
        fields = json.loads(line)
        found[fields["key"]] = Failure(Kind(fields["kind"]), fields["message"], fields["attempts"])
    return found
