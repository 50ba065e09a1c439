"""The Files and Batches API as a state machine: the files, the batches, and where the clock has brought each batch.

Sources: the Batch guide and the API reference of OpenAI (states, limits, the lines of the files, `batch_expired` and
`batch_cancelled`); the codes of validation errors are those of OpenAI where its guide names them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.model_server.api import Reply
from tests.model_server.behaviour import Behaviour

ENDPOINT: Final = "/v1/chat/completions"
WINDOW: Final = "24h"
ENDED: Final = ("completed", "failed", "expired", "cancelled")
"""The states that a batch does not leave."""

_WINDOW_S: Final = 24 * 3600
_MAX_CUSTOM_ID: Final = 64
_VALIDATED: Final = 0.1
_ANSWERED: Final = 0.9
"""The shares of a batch's seconds after which it is in progress and finalizing."""


class Lost(Exception):
    """No file or batch has this id."""


class Refused(Exception):
    """The state of a batch, or a parameter, does not allow what is asked."""


class Request(NamedTuple):
    """A line of an input file."""

    custom_id: str
    body: Any


@dataclass(frozen=True, slots=True)
class File:
    """A file that was uploaded or written by a batch; `created_at` is in seconds since 1970."""

    id: str
    filename: str
    purpose: str
    content: bytes
    created_at: int

    def as_json(self) -> dict[str, Any]:
        """Return OpenAI's file object."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
        }


@dataclass(slots=True)
class Batch:
    """A batch: what was asked, how far it is, and when it entered each state (seconds since 1970)."""

    id: str
    input_file_id: str
    metadata: Mapping[str, str] | None
    created: float
    status: str = "validating"
    times: dict[str, float] = field(default_factory=dict)
    requests: Sequence[Request] = ()
    tried: int = 0
    answered: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    lost: int = 0
    errors: list[dict[str, Any]] | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None

    @property
    def ended(self) -> bool:
        """Return whether the batch is in its last state."""
        return self.status in ENDED

    def enter(self, status: str, now: float) -> None:
        """Go into another state."""
        self.status = status
        self.times[f"{status}_at"] = now

    def as_json(self) -> dict[str, Any]:
        """Return OpenAI's batch object. A request that is in neither file counts as failed."""
        states = ("in_progress", "finalizing", "cancelling", *ENDED)
        times = {f"{state}_at": self.times.get(f"{state}_at") for state in states}
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": ENDPOINT,
            "errors": None if self.errors is None else {"object": "list", "data": self.errors},
            "input_file_id": self.input_file_id,
            "completion_window": WINDOW,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": int(self.created),
            "expires_at": int(self.created) + _WINDOW_S,
            **{name: None if at is None else int(at) for name, at in times.items()},
            "request_counts": {
                "total": len(self.requests),
                "completed": len(self.answered),
                "failed": len(self.failed) + self.lost,
            },
            "metadata": self.metadata,
        }


def read_requests(content: bytes, rules: Behaviour) -> tuple[list[Request], list[dict[str, Any]]]:
    """Return the requests of an input file, and the errors for which its batch fails; lines are counted from 1."""
    if len(content) > rules.batch_max_bytes:
        return [], [_error("file_too_large", f"the file has more than {rules.batch_max_bytes} bytes")]
    lines = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    if not lines:
        return [], [_error("empty_file", "the file has no request")]
    if len(lines) > rules.batch_max_requests:
        return [], [_error("too_many_tasks", f"the file has more than {rules.batch_max_requests} requests")]
    requests: list[Request] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    model: str | None = None
    for number, line in lines:
        try:
            request, found = _request(line)
        except _Fault as fault:
            errors.append(_error(fault.code, str(fault), number))
            continue
        model = model or found
        if request.custom_id in seen:
            errors.append(_error("duplicate_custom_id", f"custom_id {request.custom_id!r} is not the first", number))
        elif found is not None and found != model:
            errors.append(_error("mismatched_model", f"the model is {found!r}, that of other lines {model!r}", number))
        seen.add(request.custom_id)
        requests.append(request)
    return requests, errors


class _Fault(Exception):
    """What is wrong with a line."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _error(code: str, message: str, line: int | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "line": line, "param": None}


def _request(line: bytes) -> tuple[Request, str | None]:
    """Return the request of a line and the model that it names, if any."""
    try:
        found = json.loads(line)
    except ValueError:
        raise _Fault("invalid_json_line", "the line is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("custom_id"), str) or "body" not in found:
        raise _Fault("missing_required_parameter", "the line is not an object with a custom_id and a body")
    custom_id, body = found["custom_id"], found["body"]
    if len(custom_id) > _MAX_CUSTOM_ID:
        raise _Fault("invalid_custom_id", f"the custom_id has more than {_MAX_CUSTOM_ID} characters")
    if found.get("url") != ENDPOINT:
        raise _Fault("invalid_url", f"the url is {found.get('url')!r}; this batch is for {ENDPOINT}")
    if found.get("method") != "POST":
        raise _Fault("invalid_method", f"the method is {found.get('method')!r}; only POST is known")
    model = body.get("model") if isinstance(body, dict) else None
    return Request(custom_id, body), model if isinstance(model, str) else None


def _undone(request: Request, number: int, status: str) -> dict[str, Any]:
    error = {"code": f"batch_{status}", "message": f"the batch was {status} before this request was executed"}
    return {"id": f"batch_req_{number}", "custom_id": request.custom_id, "response": None, "error": error}


def _done(request: Request, number: int, reply: Reply) -> dict[str, Any]:
    response = {"status_code": reply.status, "request_id": f"req_{number}", "body": reply.payload}
    return {"id": f"batch_req_{number}", "custom_id": request.custom_id, "response": response, "error": None}


class Batches:
    """The files and the batches of a server, in memory. Not safe for threads: it belongs to the server's loop.

    Time passes only by the clock, and a batch moves only when `advance` is called.

    Args:
      rules: the fields `batch_*` of it.
      answer: takes the body of a request and the id of its batch; returns None for a request that gets lost.
      clock: seconds since 1970.
    """

    def __init__(
        self, rules: Behaviour, answer: Callable[[Any, str], Reply | None], clock: Callable[[], float]
    ) -> None:
        self._rules = rules
        self._answer = answer
        self._clock = clock
        self._files: dict[str, File] = {}
        self._batches: dict[str, Batch] = {}

    def add_file(self, filename: str, purpose: str, content: bytes) -> File:
        """Keep a file under a new id."""
        file = File(f"file-{uuid.uuid4().hex}", filename, purpose, content, int(self._clock()))
        self._files[file.id] = file
        return file

    def file(self, file_id: str) -> File:
        """Return a file.

        Raises:
          Lost: there is none.
        """
        if file_id not in self._files:
            raise Lost(f"No such File object: {file_id}")
        return self._files[file_id]

    def delete_file(self, file_id: str) -> None:
        """Forget a file.

        Raises:
          Lost: there is none.
        """
        del self._files[self.file(file_id).id]

    def create(self, input_file_id: str, metadata: Mapping[str, str] | None) -> Batch:
        """Keep a new batch, which is validating.

        Raises:
          Lost: there is no such file.
        """
        batch = Batch(f"batch_{uuid.uuid4().hex}", self.file(input_file_id).id, metadata, self._clock())
        self._batches[batch.id] = batch
        return batch

    def batch(self, batch_id: str) -> Batch:
        """Return a batch.

        Raises:
          Lost: there is none.
        """
        if batch_id not in self._batches:
            raise Lost(f"No batch found with id '{batch_id}'.")
        return self._batches[batch_id]

    def page(self, after: str | None, limit: int) -> tuple[list[Batch], bool]:
        """Return at most `limit` batches, the newest first, from behind the batch `after`; and whether more follow.

        Raises:
          Lost: there is no batch `after`.
        """
        newest = list(reversed(self._batches.values()))
        start = 0 if after is None else newest.index(self.batch(after)) + 1
        return newest[start : start + limit], start + limit < len(newest)

    def cancel(self, batch_id: str) -> Batch:
        """Stop a batch: it is cancelling, and at the next step cancelled.

        Raises:
          Lost: there is no such batch.
          Refused: it has ended.
        """
        batch = self.batch(batch_id)
        if batch.ended:
            raise Refused(f"Cannot cancel a batch with status '{batch.status}'.")
        if batch.status != "cancelling":
            batch.enter("cancelling", self._clock())
        return batch

    def advance(self, batch: Batch, most: int) -> bool:
        """Bring a batch to where the clock says, answering at most `most` requests; return whether more are due."""
        now = self._clock()
        seconds = self._rules.batch_seconds
        progress = (now - batch.created) / seconds if seconds > 0 else 1.0
        if batch.status == "validating" and progress >= _VALIDATED:
            self._validate(batch, now)
        if batch.status == "in_progress":
            last = len(batch.requests) - self._left_undone(batch)
            due = int(last * min(1.0, (progress - _VALIDATED) / (_ANSWERED - _VALIDATED)))
            for _ in range(min(most, due - batch.tried)):
                self._try(batch)
            if batch.tried < due:
                return True
            if progress >= _ANSWERED:
                batch.enter("finalizing", now)
        if batch.status == "finalizing" and progress >= 1:
            self._finish(batch, "expired" if self._left_undone(batch) else "completed", now)
        if batch.status == "cancelling":
            self._finish(batch, "cancelled", now)
        return False

    def _left_undone(self, batch: Batch) -> int:
        """Return how many of the last requests expire; rounded down, so that a batch of one request gets done."""
        return int(len(batch.requests) * self._rules.batch_expired)

    def _validate(self, batch: Batch, now: float) -> None:
        try:
            requests, errors = read_requests(self.file(batch.input_file_id).content, self._rules)
        except Lost as error:
            requests, errors = [], [_error("file_not_found", str(error))]
        if errors:
            batch.errors = errors
            batch.enter("failed", now)
        else:
            batch.requests = requests
            batch.enter("in_progress", now)

    def _try(self, batch: Batch) -> None:
        request = batch.requests[batch.tried]
        batch.tried += 1
        reply = self._answer(request.body, batch.id)
        if reply is None:
            batch.lost += 1
        else:
            lines = batch.answered if reply.status == 200 else batch.failed
            lines.append(_done(request, batch.tried, reply))

    def _finish(self, batch: Batch, status: str, now: float) -> None:
        """Write the files of a batch, with an error for each request that was not tried."""
        for number, request in enumerate(batch.requests[batch.tried :], batch.tried + 1):
            batch.failed.append(_undone(request, number, status))
        batch.output_file_id = self._written(batch, "output", batch.answered)
        batch.error_file_id = self._written(batch, "error", batch.failed)
        batch.enter(status, now)

    def _written(self, batch: Batch, kind: str, lines: Sequence[Mapping[str, Any]]) -> str | None:
        if not lines:
            return None
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        return self.add_file(f"{batch.id}_{kind}.jsonl", "batch_output", content).id
