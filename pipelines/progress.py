"""What a person sees while a run works: a table on a terminal, a line every ten seconds elsewhere.

The figures are of this process: what its stages have counted and its calls to models. Where the stages work elsewhere
they are the runner's, of those runners that tell their metrics while a job runs; others have dashboards of their own.
"""

from __future__ import annotations

import contextlib
import copy
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

from apache_beam.metrics import MetricsFilter
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from schemas.counts import DOORS, Counts, key_of, stage_counts
from transforms.ledger import NAMESPACE, PROGRESS
from transforms.llm.usage import CALLS

_LOOK_SECONDS: Final = 0.5
_PLAIN_SECONDS: Final = 10.0
_RATE_SECONDS: Final = 20.0
_LEAST_SECONDS: Final = 2.0
_ASK_SECONDS: Final = 5.0
_GOODBYE_SECONDS: Final = 10.0
_AT_ONCE: Final = frozenset({"dedup", "questions"})
"""Stages that group all rows before the first leaves: what has left says nothing of what is still to come."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a run before it starts.

    Attributes:
      stages: those it will go through, in the order of the figure.
      rows: how many will be read.
      here: whether its stages run in this process.
    """

    stages: tuple[str, ...]
    rows: int
    here: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """What has been counted after some seconds, the calls to models in flight then, and those that had ended."""

    seconds: float
    counts: Counts
    in_flight: int = 0
    calls: int = 0


def stage_rows(stages: Sequence[str], counts: Counts) -> list[tuple[str, ...]]:
    """Return a row a stage: its name, what came in, and what left by each door; "-" until anything has come in."""
    rows = []
    for stage in stages:
        begun = counts[stage, "in"] > 0
        rows.append((stage, *(f"{counts[stage, name]:,}" if begun else "-" for name in ("in", *DOORS))))
    return rows


def under_way(outlook: Outlook, counts: Counts) -> tuple[str, int] | None:
    """Return the first stage that is not through with its input, and how many are left for it; None when all are.

    All before it are through, so that how many it gets is known. That is the rule the manifest is checked by.
    """
    due = outlook.rows
    for stage in outlook.stages:
        left = due - _done(counts, stage)
        if left > 0:
            return stage, left
        due = stage_counts(counts, stage).leaves
    return None


def seconds_left(moments: Sequence[Moment], stage: str, left: int) -> float | None:
    """Return how long a stage will take for what is left, at its rate over some moments, the oldest first.

    Idle time before the stage began does not count. None where that is no basis: nothing passed lately, less than two
    seconds, or a stage that lets nothing go before it has seen everything.
    """
    now = moments[-1]
    since = next((moment for moment in moments if _done(moment.counts, stage)), now)
    seconds, passed = now.seconds - since.seconds, _done(now.counts, stage) - _done(since.counts, stage)
    if stage in _AT_ONCE or seconds < _LEAST_SECONDS or passed <= 0:
        return None
    return left * seconds / passed


def forecast(outlook: Outlook, moments: Sequence[Moment]) -> str:
    """Return when the stage under way will end ("screen ends in 3 min"), or that nobody can say: "ETA -".

    Nothing is said of the whole run, as nobody knows how much of its input a stage will let go, nor what a call to the
    next stage's model takes. When the stages are through and only writing is left, there is nothing to say.
    """
    stage = under_way(outlook, moments[-1].counts)
    if stage is None:
        return ""
    seconds = seconds_left(moments, *stage)
    return "ETA -" if seconds is None else f"{stage[0]} ends in {duration(seconds)}"


def figures(outlook: Outlook, moments: Sequence[Moment]) -> list[str]:
    """Return what is known beside the stages: calls, tokens, dollars, each once there are any, and the forecast."""
    now, first = moments[-1], moments[0]
    if not (outlook.here or any(now.counts.values())):
        return [f"progress is in the runner's counters ({NAMESPACE})"]
    parts = []
    if now.calls or now.in_flight:
        parts.append(f"{now.in_flight:,} in flight")
        if now.seconds - first.seconds >= _LEAST_SECONDS:
            parts.append(f"{(now.calls - first.calls) / (now.seconds - first.seconds):,.1f} calls/s")
    spent: Counter[str] = Counter()
    for key, n in now.counts.items():
        if key[1] == "usage":
            spent[key[3]] += n
    if spent["prompt_tokens"]:
        parts.append(f"{spent['prompt_tokens']:,} tokens in, {spent['completion_tokens']:,} out")
    if dollars := spent["cost_nano_usd"] / 1e9:
        parts.append(f"${dollars:,.2f}" if dollars >= 1 else f"${dollars:.4f}")
    return [part for part in (*parts, forecast(outlook, moments)) if part]


def plain_line(outlook: Outlook, moments: Sequence[Moment]) -> str:
    """Return all in one line: how many have passed each stage that has begun, and the figures."""
    now = moments[-1]
    passed = [f"{stage} {_done(now.counts, stage):,}" for stage in outlook.stages if now.counts[stage, "in"]]
    parts = [" > ".join(passed) or ("starting" if outlook.here else ""), *figures(outlook, moments)]
    return f"[{now.seconds:6.1f} s] " + ", ".join(part for part in parts if part)


def board(outlook: Outlook, moments: Sequence[Moment]) -> RenderableType:
    """Return what a terminal shows: a row a stage once anything is counted here, and the figures below."""
    now = moments[-1]
    footer = Text(", ".join([*figures(outlook, moments), f"{duration(now.seconds)} elapsed"]))
    if not (outlook.here or any(now.counts.values())):
        return footer
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    for name in ("in", *DOORS):
        table.add_column(name, justify="right")
    for row in stage_rows(outlook.stages, now.counts):
        table.add_row(*row)
    return Group(table, footer)


def duration(seconds: float) -> str:
    """Return a time for people: 45 s, 3 min, 2 h 10 min. Minutes are rounded up."""
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _done(counts: Counts, stage: str) -> int:
    return sum(counts[stage, door] for door in DOORS)


def counts_of(result: Any) -> Counts:
    """Return what a runner says that a job has counted so far; nothing where it does not say.

    Args:
      result: of Beam; what a retried bundle counted may be in it twice.
    """
    try:
        # A copy, because a portable result repeats for ever what it was told first.
        found = copy.copy(result).metrics().query(MetricsFilter().with_namespace(NAMESPACE))
        counts: Counts = Counter()
        for counter in found["counters"]:
            counts[key_of(counter.key.metric.name)] += counter.result or 0
    except Exception:  # whatever a runner's client raises: a run does not end because nobody can be shown how far it is
        return Counter()
    return counts


class Recent:
    """The last moments of a run: as this process sees it, which may have run others before, or else as its runner does.

    Args:
      clock: seconds, to be replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._result: Any = None
        self._told: Counts = Counter()
        self._ask_at = 0.0
        self._started = clock()
        self._counts = PROGRESS.snapshot()
        self._calls = CALLS.snapshot()[1]
        self._moments: list[Moment] = []

    def follow(self, result: Any) -> None:
        """Ask a job's result, every five seconds, for what is not counted in this process."""
        self._result = result

    def look(self) -> list[Moment]:
        """Return the moments of the last twenty seconds, the oldest first and now the last."""
        counts = PROGRESS.snapshot()
        counts.subtract(self._counts)
        if self._result is not None and not any(counts.values()):
            counts = self._elsewhere()
        in_flight, calls = CALLS.snapshot()
        now = Moment(self._clock() - self._started, counts, in_flight, calls - self._calls)
        recent = [moment for moment in self._moments if moment.seconds >= now.seconds - _RATE_SECONDS]
        self._moments = [*recent, now]
        return self._moments

    def _elsewhere(self) -> Counts:
        if self._clock() >= self._ask_at:
            self._ask_at = self._clock() + _ASK_SECONDS
            self._told = counts_of(self._result) or self._told
        return self._told


@contextlib.contextmanager
def progress(outlook: Outlook, stream: TextIO) -> Iterator[Recent]:
    """Show progress while the block runs: a table on a terminal, a line every ten seconds elsewhere; then a last line.

    The block is given what is shown, so that it can name the job to `follow`.

    Args:
      outlook: what is known of the run.
      stream: where it is shown.
    """
    console = Console(file=stream)
    terminal = stream.isatty() and not console.is_dumb_terminal
    recent, stop = Recent(), threading.Event()
    live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) if terminal else None
    thread = threading.Thread(target=watch, args=(outlook, recent, live, stream, stop), name="progress", daemon=True)
    try:
        with live or contextlib.nullcontext():
            thread.start()
            try:
                yield recent
            finally:
                stop.set()
                thread.join(_GOODBYE_SECONDS)  # a runner's client may be waiting for an answer that never comes
    finally:
        _write(stream, plain_line(outlook, recent.look()))  # a run that failed too has got somewhere


def watch(outlook: Outlook, recent: Recent, live: Live | None, stream: TextIO, stop: threading.Event) -> None:
    """Show progress until `stop` is set: on a live display, or else as lines."""
    written = 0.0
    while not stop.wait(_LOOK_SECONDS):
        moments = recent.look()
        if live is not None:
            live.update(board(outlook, moments), refresh=True)
        elif moments[-1].seconds >= written + _PLAIN_SECONDS:
            written = moments[-1].seconds
            _write(stream, plain_line(outlook, moments))


def _write(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()
