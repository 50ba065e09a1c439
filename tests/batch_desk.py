"""What the tests of batches share: requests, the lines of their results, a provider in memory and a run's directory."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from schemas.answers import Stage, json_schema
from schemas.records import Pending, to_table
from transforms.llm.batch.journal import Batch, Journal
from transforms.llm.batch.provider import Look
from transforms.llm.batch.rounds import Courier, prepare
from transforms.llm.budget import BatchBudget
from transforms.llm.cache import open_cache, request_key
from transforms.llm.requests import ModelError, Request, Settings

HERE = Settings("openai/small", "http://127.0.0.1:1/v1")
MODELS: Mapping[Stage, Settings] = {"screen": HERE}
NOW = 1_700_000_000.0
GOOD, PROSE = '{"thought": "t", "qualified": true}', "Well, let me think."


def request(text: str) -> Request:
    return Request("screen", {}, ({"role": "user", "content": text},), json_schema("screen"), "fp", "Wrong: $error")


def key(text: str) -> str:
    return request_key(request(text), HERE)


def line(text: str, said: str = GOOD, finish_reason: str = "stop", **more: Any) -> bytes:
    """Return the line of a result: what the model said to a text."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"content": said}}
    body = {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 2}}
    response = {"status_code": 200, "body": body}
    return json.dumps({"custom_id": key(text), "response": response, "error": None, **more}).encode()


def refused(text: str, status: int, message: str = "no") -> bytes:
    return line(text, response={"status_code": status, "body": {"error": {"message": message}}})


def undone(text: str) -> bytes:
    return line(text, response=None, error={"code": "batch_expired", "message": "too late"})


class Dead(BaseException):
    """The process was killed."""


class Place:
    """A provider's batches in memory, for `Courier`: what was asked of it, and what it answers.

    Attributes:
      calls: what was asked, in its order.
      dies: a call after which the process is dead: what it asked for has been done, and nobody hears of it.
      fails: what a call meets instead.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, tuple[str, str]] = {}
        self.results: dict[str, list[bytes]] = {}
        self.dies = ""
        self.fails: dict[str, ModelError] = {}
        self.tagged = True

    def __call__(self, settings: Settings) -> Place:
        assert settings == HERE
        return self

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise self.fails[name]

    def _ends(self, name: str) -> None:
        if self.dies == name:
            raise Dead

    def upload(self, name: str, data: bytes) -> str:
        self._called("upload")
        self.files[file_id := f"file-{len(self.files)}"] = data
        self._ends("upload")
        return file_id

    def create(self, file_id: str, name: str) -> str:
        self._called("create")
        assert file_id in self.files
        self.batches[batch_id := f"batch-{len(self.batches)}"] = (file_id, name)
        self._ends("create")
        return batch_id

    def find(self, file_id: str, name: str) -> str | None:
        self._called("find")
        for batch_id, (file, tag) in self.batches.items():
            if file == file_id or (self.tagged and tag == name):
                return batch_id
        return None

    def look(self, batch_id: str) -> Look:
        self._called("look")
        return Look("in_progress", 0, (), ())

    def lines(self, file_id: str) -> Iterator[bytes]:
        self._called(f"lines {file_id}")
        return iter(self.results[file_id])


class Desk:
    """A run's directory with requests in `pending/`, and who takes them on."""

    def __init__(self, output: Path) -> None:
        self.output = str(output)
        self.cache = f"{output}/cache"
        self.journal = Journal(self.output)
        self.place = Place()
        self.now = NOW
        self.slept: list[float] = []

    def wait_for(self, *texts: str) -> None:
        rows = [Pending(key(text), "d", "screen", HERE.model, "fp", request(text).to_json()) for text in texts]
        path = Path(self.output) / "pending" / "part-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(Pending, rows), path)

    def prepare(self, *texts: str, offline: bool = False, budget: BatchBudget | None = None) -> list[Batch]:
        self.wait_for(*texts)
        budget = budget or BatchBudget(math.inf, {})
        return prepare(self.journal, self.output, self.cache, MODELS, budget=budget, offline=offline)

    def courier(self) -> Courier:
        """Return a process of its own."""
        place: Any = self.place
        return Courier(self.journal, self.cache, {}, provider=place, clock=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def sent(self, *texts: str) -> Batch:
        (batch,) = self.prepare(*texts)
        return self.courier().send(batch)

    def collect(self, batch: Batch, *lines: bytes, status: str = "completed") -> Batch:
        self.place.results["out"] = list(lines)
        return self.courier().collect(batch, Look(status, 0, ("out",), ()))

    def only(self) -> Batch:
        (batch,) = self.journal.batches()
        return batch

    def kept(self) -> list[tuple[str, bool]]:
        """Return the key and the validity of every line of the cache."""
        cache = open_cache(self.cache)
        found = [(name, entry.valid) for name, entry in cache.entries()]
        cache.close()
        return found

    def asked(self, batch: Batch) -> list[dict[str, Any]]:
        lines = Path(self.journal.path(batch, "input.jsonl")).read_bytes().splitlines()
        return [json.loads(each) for each in lines]
