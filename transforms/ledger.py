"""The side doors of a stage: rejected rows, error rows and counts, gathered over a bundle and emitted as data."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindows

from schemas.counts import Counts, metric_name
from schemas.records import Failed, Pending, Rejected, to_table

REJECTED: Final = "rejected"
ERRORS: Final = "errors"
COUNTS: Final = "counts"
PENDING: Final = "pending"
"""The side door of the stages that ask a model, beside those that all have."""
WAITING: Final = "requests_waiting"
"""The figure of a stage that counts its rows of `pending/`."""
SIDE_DOORS: Final = (REJECTED, ERRORS, COUNTS)
Reason = tuple[str, str]
"""The name of the rule that turned something away, and the value that broke it."""
_FLUSH_ROWS: Final = 500
_PUBLISH_SECONDS: Final = 0.5
NAMESPACE: Final = "webscale_rl"
"""Of Beam's counters and distributions, which are for dashboards: a retried bundle may count twice there."""


class Doors(NamedTuple):
    """The outputs of a stage: what goes on, tables of `Rejected`, tables of `Failed`, and `Counts`.

    Where the stage asks a model also tables of `Pending`.
    """

    kept: Any
    rejected: Any
    errors: Any
    counts: Any
    pending: Any = None


def doors(outputs: Any) -> Doors:
    """Name the outputs of `ParDo(...).with_outputs(*SIDE_DOORS, main="kept")`."""
    return Doors(outputs["kept"], outputs[REJECTED], outputs[ERRORS], outputs[COUNTS])


class Progress:
    """How many elements have left each door in this process: for the terminal only, never for the manifest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counts = Counter()

    def add(self, counts: Counts) -> None:
        """Add what a bundle counted."""
        with self._lock:
            self._counts.update(counts)

    def snapshot(self) -> Counts:
        """Return a copy of the counts so far."""
        with self._lock:
            return Counter(self._counts)


PROGRESS: Final = Progress()

# Made once a name: what they are made of costs more than moving them.
_counter = functools.cache(functools.partial(Metrics.counter, NAMESPACE))
_distribution = functools.cache(functools.partial(Metrics.distribution, NAMESPACE))


class Ledger:
    """One bundle's rejected rows, error rows and counts.

    `flush` yields the rows once enough of them wait, from `process`; `close` yields the rest and the counts, from
    `finish_bundle`. Every row is counted where it is entered, so that rows and counts cannot disagree.
    """

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._rejected: list[Rejected] = []
        self._failed: list[Failed] = []
        self._pending: list[Pending] = []
        self._counts: Counts = Counter()
        self._published: Counts = Counter()
        self._published_at = time.monotonic()

    def count(self, door: str, n: int = 1) -> None:
        """Count `n` elements at a door ("in", "kept", "pending", "fan_out")."""
        self._counts[self._stage, door] += n

    def figure(self, name: str, n: int) -> None:
        """Add to a figure of the stage that is no door, such as the comparisons it made."""
        self._counts[self._stage, "figure", name] += n

    def count_usage(self, usage: Counts) -> None:
        """Add up the calls, tokens and cost of answered or failed requests."""
        self._counts.update(usage)

    def measure(self, samples: Iterable[tuple[str, int]]) -> None:
        """Add values to the stage's distributions by their names; from a bundle alone, as Beam knows the step."""
        for name, value in samples:
            _distribution(f"{self._stage}/{name}").update(value)

    def reject(self, rows: Sequence[Rejected]) -> None:
        """Enter rejected documents or pairs."""
        self._rejected.extend(rows)
        self.count("rejected", len(rows))
        for row in rows:
            self._counts[self._stage, "reason", row.reason] += 1

    def fail(self, rows: Sequence[Failed]) -> None:
        """Enter documents or pairs that could not be decided."""
        self._failed.extend(rows)
        self.count("errors", len(rows))
        for row in rows:
            self._counts[self._stage, "failure", row.error] += 1

    def hold(self, causes: Sequence[str]) -> None:
        """Count documents or pairs that wait for another run, by what they wait for."""
        self.count("pending", len(causes))
        for cause in causes:
            self._counts[self._stage, "waiting", cause] += 1

    def wait(self, rows: Sequence[Pending]) -> None:
        """Enter requests that wait for a batch; the documents or pairs that wait with them are counted apart."""
        self._pending.extend(rows)
        if rows:
            self.figure(WAITING, len(rows))

    def flush(self, at_least: int = _FLUSH_ROWS) -> Iterator[TaggedOutput]:
        """Yield the waiting rows as tables when there are `at_least` so many of them."""
        self._publish(_PUBLISH_SECONDS)
        if self._rejected and len(self._rejected) >= at_least:
            yield TaggedOutput(REJECTED, to_table(Rejected, self._rejected))
            self._rejected = []
        if self._failed and len(self._failed) >= at_least:
            yield TaggedOutput(ERRORS, to_table(Failed, self._failed))
            self._failed = []
        if self._pending and len(self._pending) >= at_least:
            yield TaggedOutput(PENDING, to_table(Pending, self._pending))
            self._pending = []

    def close(self) -> Iterator[TaggedOutput]:
        """Yield all that is left, for `finish_bundle`."""
        for output in self.flush(at_least=1):
            yield TaggedOutput(output.tag, windowed(output.value))
        self._publish(0.0)
        if self._counts:
            yield TaggedOutput(COUNTS, windowed(self._counts))

    def _publish(self, interval: float) -> None:
        now = time.monotonic()
        if now - self._published_at < interval:
            return
        self._published_at = now
        news = Counter({key: n - self._published[key] for key, n in self._counts.items() if n != self._published[key]})
        self._published = Counter(self._counts)
        PROGRESS.add(news)
        for key, n in news.items():
            name = metric_name(key)
            if name is not None:
                _counter(name).inc(n)


class LedgerDoFn(beam.DoFn):
    """A DoFn with a ledger a bundle: `process` enters rows and counts into `self.ledger` and yields its flushes."""

    stage: str

    def start_bundle(self) -> None:
        self.ledger = Ledger(self.stage)

    def finish_bundle(self) -> Iterator[Any]:
        yield from self.ledger.close()


def windowed(value: Any) -> Any:
    """Wrap a value that is emitted from `finish_bundle`."""
    return GlobalWindows.windowed_value(value)
