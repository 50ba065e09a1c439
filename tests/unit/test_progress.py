"""What a person sees while a run works: figures that are known, and nothing for those that are not."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

from pipelines.progress import (
    Moment,
    Outlook,
    Recent,
    board,
    counts_of,
    duration,
    figures,
    forecast,
    plain_line,
    progress,
    seconds_left,
    stage_rows,
    under_way,
    watch,
)
from pipelines.workers import work_is_here
from schemas.counts import Counts, metric_name
from tests.support import RUNNER
from transforms.ledger import PROGRESS, Ledger
from transforms.llm.usage import CALLS

STAGES = ("read", "filter", "dedup", "screen", "classify", "generate")
OUTLOOK = Outlook(STAGES, 100, here=True)
ELSEWHERE = Outlook(STAGES, 100, here=False)


def counts(**stages: dict[str, int]) -> Counts:
    return Counter({(stage, name): n for stage, doors in stages.items() for name, n in doors.items()})


def usage(**fields: int) -> Counts:
    return Counter({("screen", "usage", "m", name): n for name, n in fields.items()})


def read_through(kept: int = 90) -> Counts:
    return counts(read={"in": 100, "kept": kept, "rejected": 100 - kept})


def screened(n: int) -> Counts:
    """Return counts of a run of which the stages before screen are through and `n` of 80 documents are screened."""
    through = counts(filter={"in": 90, "kept": 85, "errors": 5}, dedup={"in": 85, "kept": 80, "rejected": 5})
    return read_through() + through + counts(screen={"in": 80, "kept": n})


def terminal(outlook: Outlook, moments: list[Moment]) -> str:
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system=None, width=100, _environ={}).print(board(outlook, moments))
    return stream.getvalue()


def test_a_stage_that_has_not_begun_has_no_figures() -> None:
    assert stage_rows(("read", "filter"), Counter()) == [("read", *"-----"), ("filter", *"-----")]
    begun = counts(read={"in": 1200, "kept": 1100, "rejected": 90, "errors": 7, "pending": 3})
    assert stage_rows(("read", "filter"), begun) == [("read", "1,200", "1,100", "90", "7", "3"), ("filter", *"-----")]


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        (Counter(), ("read", 100)),
        (counts(read={"in": 40, "kept": 30, "rejected": 10}), ("read", 60)),
        (read_through(), ("filter", 90)),
        (read_through(kept=0), None),
        (screened(0), ("screen", 80)),
        (screened(79), ("screen", 1)),
        (screened(80), ("classify", 80)),
        (screened(80) + counts(classify={"in": 80, "kept": 80, "fan_out": 200}), ("generate", 200)),
        (
            screened(80)
            + counts(classify={"kept": 80, "fan_out": 200}, generate={"kept": 150, "errors": 40, "pending": 10}),
            None,
        ),
    ],
)
def test_what_is_under_way_is_the_first_stage_that_is_not_through(
    counted: Counts, expected: tuple[str, int] | None
) -> None:
    assert under_way(OUTLOOK, counted) == expected


def test_a_run_without_rows_has_nothing_under_way() -> None:
    assert under_way(Outlook(STAGES, 0, here=True), Counter()) is None


def test_the_rate_is_that_since_the_stage_began() -> None:
    idle = [Moment(second, screened(0)) for second in range(10)]
    # Ten when it was first seen, ten more in the five seconds that followed.
    moments = [*idle, Moment(10, screened(10)), Moment(15, screened(20))]
    assert seconds_left(moments, "screen", 60) == pytest.approx(30)
    assert forecast(OUTLOOK, moments) == "screen ends in 30 s"


@pytest.mark.parametrize(
    "moments",
    [
        [Moment(0, Counter())],
        [Moment(0, screened(0)), Moment(9, screened(0))],
        [Moment(0, screened(0)), Moment(9, screened(5))],  # when did the first five begin?
        [Moment(0, screened(5)), Moment(9, screened(5))],
        [Moment(0, screened(5)), Moment(1.9, screened(9))],
    ],
    ids=["at once", "not begun", "just begun", "standing still", "too short"],
)
def test_without_a_basis_there_is_no_forecast(moments: list[Moment]) -> None:
    assert forecast(OUTLOOK, moments) == "ETA -"


def test_a_stage_that_groups_has_no_forecast() -> None:
    def at(kept: int) -> Counts:
        return read_through() + counts(filter={"in": 90, "kept": 90}, dedup={"in": 90, "kept": kept})

    moments = [Moment(0, at(10)), Moment(10, at(50))]
    assert under_way(OUTLOOK, at(50)) == ("dedup", 40)
    assert forecast(OUTLOOK, moments) == "ETA -"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.2, "1 s"), (59, "59 s"), (60, "1 min"), (61, "2 min"), (3599, "1 h 0 min"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_calls_tokens_and_dollars_are_shown_once_there_are_any() -> None:
    assert figures(OUTLOOK, [Moment(0, Counter()), Moment(10, Counter())]) == ["ETA -"]
    waiting = [Moment(0, screened(0)), Moment(10, screened(0), in_flight=64)]
    assert figures(OUTLOOK, waiting) == ["64 in flight", "0.0 calls/s", "ETA -"]
    assert figures(OUTLOOK, [Moment(1, screened(0), in_flight=1)]) == ["1 in flight", "ETA -"]
    free = screened(10) + usage(calls=10, prompt_tokens=12_000, completion_tokens=345)
    moments = [Moment(5, screened(1), 8, 100), Moment(25, free, 7, 350)]
    assert figures(OUTLOOK, moments) == [
        "7 in flight", "12.5 calls/s", "12,000 tokens in, 345 out", "screen ends in 3 min",
    ]  # fmt: skip


@pytest.mark.parametrize(("nano_usd", "shown"), [(123_456, "$0.0001"), (12_345_000_000, "$12.35")])
def test_dollars(nano_usd: int, shown: str) -> None:
    assert figures(OUTLOOK, [Moment(0, usage(cost_nano_usd=nano_usd))]) == [shown, "ETA -"]


def test_counts_elsewhere_are_not_shown_as_zeros() -> None:
    moments = [Moment(0, Counter()), Moment(30, Counter())]
    assert plain_line(ELSEWHERE, moments) == "[  30.0 s] progress is in the runner's counters (webscale_rl)"
    assert terminal(ELSEWHERE, moments) == "progress is in the runner's counters (webscale_rl), 30 s elapsed\n"
    # A runner whose workers turn out to be here after all.
    assert plain_line(ELSEWHERE, [Moment(30, read_through())]) == "[  30.0 s] read 100, ETA -"


def test_a_plain_line() -> None:
    assert plain_line(OUTLOOK, [Moment(0.04, Counter())]) == "[   0.0 s] starting, ETA -"
    moments = [Moment(10, screened(10), 3, 20), Moment(20, screened(45) + usage(prompt_tokens=9), 4, 55)]
    assert plain_line(OUTLOOK, moments) == (
        "[  20.0 s] read 100 > filter 90 > dedup 85 > screen 45, 4 in flight, 3.5 calls/s,"
        " 9 tokens in, 0 out, screen ends in 10 s"
    )
    through = Moment(20, counts(read={"in": 100, "rejected": 100}))
    assert plain_line(OUTLOOK, [through]) == "[  20.0 s] read 100"


def test_a_terminal_has_a_row_a_stage_and_the_figures_below() -> None:
    moments = [Moment(10, screened(10), 3, 20), Moment(80, screened(45) + usage(prompt_tokens=9), 4, 55)]
    lines = [line.split() for line in terminal(OUTLOOK, moments).splitlines()]
    assert lines == [
        "stage in kept rejected errors pending".split(),
        "read 100 90 10 0 0".split(),
        "filter 90 85 0 5 0".split(),
        "dedup 85 80 5 0 0".split(),
        "screen 80 45 0 0 0".split(),
        "classify - - - - -".split(),
        "generate - - - - -".split(),
        "4 in flight, 0.5 calls/s, 9 tokens in, 0 out, screen ends in 2 min, 2 min elapsed".split(),
    ]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Ticks(threading.Event):
    """An event for which waiting takes no time but the clock's, and which is set after some seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.clock = clock
        self.end = clock.now + seconds

    def wait(self, timeout: float | None = None) -> bool:
        self.clock.now += timeout or 0.0
        return self.clock.now > self.end


def test_what_ran_before_in_the_process_is_not_counted() -> None:
    PROGRESS.add(screened(3))
    with CALLS.held():
        pass
    clock = Clock()
    recent = Recent(clock)
    PROGRESS.add(counts(read={"in": 5, "kept": 5}))
    with CALLS.held():
        (now,) = recent.look()
    assert (now.seconds, +now.counts, now.in_flight, now.calls) == (0.0, counts(read={"in": 5, "kept": 5}), 1, 0)
    clock.now += 5
    assert [(moment.seconds, moment.in_flight, moment.calls) for moment in recent.look()] == [(0, 1, 0), (5, 0, 1)]
    clock.now += 20
    assert [moment.seconds for moment in recent.look()] == [5, 25]


def test_without_a_terminal_there_is_a_line_every_ten_seconds() -> None:
    clock, stream = Clock(), io.StringIO()
    watch(OUTLOOK, Recent(clock), None, stream, Ticks(clock, 35))
    assert stream.getvalue().splitlines() == [f"[  {seconds}.0 s] starting, ETA -" for seconds in (10, 20, 30)]


def test_without_a_terminal_there_are_no_escape_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    with progress(OUTLOOK, stream):
        PROGRESS.add(read_through())
    assert stream.getvalue() == "[   0.0 s] read 100, ETA -\n"


def test_a_run_that_fails_says_how_far_it_came() -> None:
    stream = io.StringIO()
    with pytest.raises(RuntimeError, match="no"), progress(OUTLOOK, stream):
        PROGRESS.add(read_through())
        raise RuntimeError("no")
    assert stream.getvalue() == "[   0.0 s] read 100, ETA -\n"
    assert "progress" not in {thread.name for thread in threading.enumerate()}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_table_and_keeps_the_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with progress(OUTLOOK, stream):
        PROGRESS.add(read_through())
        end = time.monotonic() + 10
        while "elapsed" not in stream.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    shown = stream.getvalue()
    assert "\x1b[" in shown and "rejected" in shown and "ETA -, 1 s elapsed" in shown
    assert shown.splitlines()[-1].endswith("read 100, ETA -")


def test_a_dumb_terminal_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with progress(OUTLOOK, stream):
        pass
    assert stream.getvalue() == "[   0.0 s] starting, ETA -\n"


@pytest.mark.parametrize(
    ("flags", "here"),
    [
        ([], True),
        (["--runner=DirectRunner"], True),
        (["--direct_num_workers=2", "--direct_running_mode=multi_threading"], True),
        (["--direct_num_workers=2", "--direct_running_mode=multi_processing"], False),
        (["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"], True),
        (["--runner=FlinkRunner"], False),
        (["--runner=DataflowRunner"], False),
    ],
)
def test_where_the_work_is(flags: list[str], here: bool) -> None:
    assert work_is_here(PipelineOptions(flags)) is here


class Job:
    """The result of a job that counts elsewhere; like a portable one it repeats what it was told first."""

    def __init__(self, told: list[Counts]) -> None:
        self.told = told
        self.first: Counts | None = None

    def metrics(self) -> Job:
        if self.first is None:
            self.first = self.told[0]
        return self

    def query(self, _: object) -> dict[str, list[Any]]:
        assert self.first is not None
        return {
            "counters": [
                SimpleNamespace(key=SimpleNamespace(metric=SimpleNamespace(name=metric_name(key))), result=n)
                for key, n in self.first.items()
            ]
        }


def test_what_is_counted_elsewhere_is_asked_of_the_runner_every_five_seconds() -> None:
    clock, job = Clock(), Job([screened(0)])
    recent = Recent(clock)
    recent.follow(job)
    assert recent.look()[-1].counts == screened(0)
    job.told[0] = screened(45) + Counter({("screen", "usage", "m", "prompt_tokens"): 9})
    clock.now += 4
    assert recent.look()[-1].counts == screened(0)
    clock.now += 1
    moments = recent.look()
    assert plain_line(ELSEWHERE, moments) == (
        "[   5.0 s] read 100 > filter 90 > dedup 85 > screen 45, 9 tokens in, 0 out, ETA -"
    )


def test_what_is_counted_here_is_not_asked_of_the_runner() -> None:
    recent = Recent(Clock())
    recent.follow(Job([screened(80)]))
    PROGRESS.add(screened(3))
    assert recent.look()[-1].counts == screened(3)


class Mute:
    def metrics(self) -> None:
        raise ConnectionError("the job server has gone")


def test_a_runner_that_says_nothing_is_no_failure() -> None:
    assert counts_of(Mute()) == Counter()
    recent = Recent(Clock())
    recent.follow(Mute())
    assert plain_line(ELSEWHERE, recent.look()) == "[   0.0 s] progress is in the runner's counters (webscale_rl)"


class Counting(beam.DoFn):
    def process(self, n: int) -> None:
        ledger = Ledger("screen")
        ledger.count("in", n)
        ledger.count("kept", n)
        list(ledger.close())


def test_the_counters_of_a_real_result_are_known_again() -> None:
    pipeline = beam.Pipeline(runner=RUNNER, options=PipelineOptions([]))
    pipeline | beam.Create([3, 4]) | beam.ParDo(Counting())
    result = pipeline.run()
    result.wait_until_finish()
    assert counts_of(result) == Counter({("screen", "in"): 7, ("screen", "kept"): 7})
