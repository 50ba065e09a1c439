"""The books of the server: each request with its times and its end, the log of both, and the totals."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TextIO


@dataclass(slots=True)
class Visit:
    """One request from its arrival until it is answered or dropped. Times are seconds of the clock of `Traffic`."""

    number: int
    sha256: str
    stage: str
    model: str | None
    start: float
    batch: str | None = None
    end: float | None = None
    fault: str | None = None


class Traffic:
    """What came and what was answered. Not safe for threads: it belongs to the server's loop.

    Each line of the log is a JSON object: event ("received", "answered" or "dropped": nothing was sent, or the client
    had left), id (of the request, in this log's process), at (seconds since 1970), sha256 (`body_sha256`), stage,
    model; answered and dropped add status (null when dropped) and fault (null when none was asked for). A request of a
    batch has batch, the id of it. The lines of the events of `note` have event, at and what else is noted.
    """

    def __init__(self, log: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._noted: Counter[str] = Counter()
        self._visits: list[Visit] = []
        self._in_flight = 0
        self._max_in_flight = 0
        self._statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._faults: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()

    def open(self, sha256: str, stage: str, model: str | None, batch: str | None = None) -> Visit:
        """Note that a request arrived, or that the request of a batch is being answered."""
        visit = Visit(len(self._visits), sha256, stage, model, self._clock(), batch)
        self._visits.append(visit)
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        self._write("received", visit)
        return visit

    def close(self, visit: Visit, status: int | None) -> None:
        """Note that a request was answered with a status, or dropped (None)."""
        visit.end = self._clock()
        self._in_flight -= 1
        self._statuses[visit.stage]["dropped" if status is None else str(status)] += 1
        if visit.fault is not None:
            self._faults[visit.fault] += 1
        elif status == 200:
            self._answered[visit.sha256] += 1
        self._write("dropped" if status is None else "answered", visit, status=status, fault=visit.fault)

    def note(self, event: Literal["file_uploaded", "batch_created"], **more: object) -> None:
        """Note that a file (file, bytes) or a batch (batch, metadata) was created."""
        self._noted[event] += 1
        self._log_line({"event": event, "at": time.time(), **more})

    def _write(self, event: str, visit: Visit, **more: object) -> None:
        line = {
            "event": event,
            "id": visit.number,
            "at": time.time(),
            "sha256": visit.sha256,
            "stage": visit.stage,
            "model": visit.model,
            **more,
        }
        self._log_line(line if visit.batch is None else {**line, "batch": visit.batch})

    def _log_line(self, line: Mapping[str, object]) -> None:
        if self._log is not None:
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()

    def stats(self) -> dict[str, Any]:
        """Return the totals so far.

        requests: all that arrived, those of batches too. batches: all that were created. by_stage: {stage: {status or
        "dropped": count}}. by_status: the same over all stages. faults: {fault: count}. answered_bodies: distinct
        bodies that got a valid answer (200 and no fault). repeated_bodies: those of them that got more than one.
        in_flight, max_in_flight. mean_in_flight: weighted by time, from the first arrival to the last end.
        mean_in_flight_middle: the same between the arrivals of the requests at 10 % and 90 % of all, so without ramp
        and drain. wall_s: first arrival to last end (now, while one is open). A batch's requests take no time in
        flight: each is opened and closed as it is answered.
        """
        now = self._clock()
        spans = [(visit.start, now if visit.end is None else visit.end) for visit in self._visits]
        first = spans[0][0] if spans else now
        last = max((end for _, end in spans), default=now)
        low, high = (spans[len(spans) * tenths // 10][0] if spans else now for tenths in (1, 9))
        return {
            "requests": len(self._visits),
            "batches": self._noted["batch_created"],
            "by_stage": {stage: dict(counts) for stage, counts in self._statuses.items()},
            "by_status": dict(sum(self._statuses.values(), Counter())),
            "faults": dict(self._faults),
            "answered_bodies": len(self._answered),
            "repeated_bodies": sum(count > 1 for count in self._answered.values()),
            "in_flight": self._in_flight,
            "max_in_flight": self._max_in_flight,
            "mean_in_flight": _mean_in_flight(spans, first, last),
            "mean_in_flight_middle": _mean_in_flight(spans, low, high),
            "wall_s": last - first,
        }


def _mean_in_flight(spans: Sequence[tuple[float, float]], low: float, high: float) -> float:
    if high <= low:
        return 0.0
    return sum(max(0.0, min(end, high) - max(start, low)) for start, end in spans) / (high - low)
