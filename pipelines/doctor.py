"""`webscale-rl doctor`: whether a run could begin here and now, a line a check, in seconds."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, StandardOptions
from apache_beam.runners.runner import PipelineState

from pipelines.failures import told
from pipelines.inputs import benchmarks_of, check_filters, prompts_of
from pipelines.models import settings_of
from pipelines.options import Parser, add_run_flags, input_files, read_run
from pipelines.reach import reach
from pipelines.runners import LOCAL_RUNNER, cancelled, with_defaults
from pipelines.submit import empty_pipeline
from pipelines.workers import check_limiter
from schemas.config import RunConfig
from transforms.files import open_parquet
from transforms.llm.failures import mask
from transforms.llm.preflight import check_models
from transforms.probe import check_mark, marked, probe
from transforms.versions import Versions, check_versions, versions_here

LIMIT_S: Final = 7.0
"""How long all checks but the runner's may take, side by side; the imports before them take two seconds or three."""
JOB_LIMIT_S: Final = 20.0
"""How long the runner's check waits for its job, once that is submitted."""
_LOOK_S: Final = 0.2
_RUNNER: Final = "runner"
WELL: Final = 0
FAILED: Final = 1
_MARKS: Final = {"ok": "ok  ", "failed": "FAIL", "unsure": "?   "}


@dataclass(frozen=True, slots=True)
class Finding:
    """How a check ended.

    Attributes:
      check: its name.
      mark: "ok", "failed", or "unsure" where what was asked goes on, and nothing is known to be wrong.
      said: one line: what was found, and for what is not well the remedy.
    """

    check: str
    mark: str
    said: str


class Unsure(Exception):
    """What was asked goes on and nothing is known to be wrong; the message says what to look at."""


def parse_doctor(arguments: Sequence[str]) -> tuple[RunConfig, PipelineOptions]:
    """Return the run that is to be checked, and Beam's options. Raises `UsageError`."""
    parser = Parser(
        prog="webscale-rl doctor",
        allow_abbrev=False,
        description="Check what a run needs: the runner and its workers, buckets or directories, models, Redis.",
        epilog="It takes the flags and the configuration of `webscale-rl run`, and runs no part of it.",
    )
    add_run_flags(parser)
    _, config, options = read_run(parser, arguments)
    return config, options


def doctor(config: RunConfig, options: PipelineOptions) -> int:
    """Check the environment of a run, print a line a check, and return 0 where all is well, else 1."""
    findings = examine(checks_of(config, options), LIMIT_S)
    for finding in findings:
        print(f"{_MARKS[finding.mark]} {finding.check:<8} {finding.said}")
    return FAILED if any(finding.mark == "failed" for finding in findings) else WELL


def checks_of(config: RunConfig, options: PipelineOptions) -> dict[str, Callable[[], str]]:
    """Return the checks by their names: each returns what it found, or raises an error of one line with the remedy."""
    places = {"output": config.output}
    if settings_of(config):
        places["cache"] = config.cache_directory
    if config.state is not None:
        places["state"] = config.state
    checks: dict[str, Callable[[], str]] = {
        _RUNNER: lambda: _runner(options, list(places.values())),
        "input": lambda: _input(config),
        **{name: partial(_place, place) for name, place in places.items()},
    }
    if config.prompts is not None:
        checks["prompts"] = lambda: _done(lambda: prompts_of(config), f"{config.prompts} fits")
    if config.filters.language is not None or config.filters.quality is not None:
        checks["filters"] = lambda: _done(lambda: check_filters(config), "their models load")
    if config.decontaminate is not None:
        checks["benchmarks"] = lambda: _done(lambda: benchmarks_of(config), "their indexes load")
    models = {stage: settings for stage, settings in settings_of(config).items() if not settings.embedded}
    if models and config.llm_mode == "online":
        names = ", ".join(dict.fromkeys(settings.model for settings in models.values()))
        checks["models"] = lambda: _done(lambda: check_models(models, config.calls, LIMIT_S), f"{names} answered")
    if config.limiter is not None:
        checks["limiter"] = lambda: _done(lambda: check_limiter(config.limiter), "Redis answered")
    return checks


def examine(checks: Mapping[str, Callable[[], str]], limit_s: float) -> list[Finding]:
    """Make checks side by side and return their findings in their order; who takes longer than the limit has failed.

    The runner's has a limit of its own, and the main thread: Beam handles signals while it starts a runner.
    """
    found: dict[str, Finding] = {}

    def make(name: str, check: Callable[[], str]) -> None:
        try:
            found[name] = Finding(name, "ok", check())
        except Unsure as doubt:
            found[name] = Finding(name, "unsure", str(doubt))
        except Exception as error:
            said = told(error) or " ".join(f"{type(error).__name__}: {error}".split())
            found[name] = Finding(name, "failed", mask(said))

    # Threads of a pool would be waited for when the process ends, however long they take.
    threads = [threading.Thread(target=make, args=item, daemon=True) for item in checks.items() if item[0] != _RUNNER]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + limit_s
    if _RUNNER in checks:
        make(_RUNNER, checks[_RUNNER])
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {limit_s:g} s; see that it is reachable from here, and not overloaded"
    return [found.get(name) or Finding(name, "failed", late) for name in checks]


def _done(check: Callable[[], Any], said: str) -> str:
    check()
    return said


def _input(config: RunConfig) -> str:
    paths = input_files(config.input)
    with open_parquet(paths[0]) as file:
        rows = file.metadata.num_rows
    return f"{len(paths)} files; the first, {paths[0]}, has {rows} rows"


def _place(place: str) -> str:
    probe(place.rstrip("/"))
    return f"{place} can be written once, read and deleted"


def _runner(options: PipelineOptions, places: Sequence[str]) -> str:
    """Send a job of one element through the runner: on a worker it compares versions and tries the places."""
    began, versions = time.monotonic(), versions_here()
    name = str(options.view_as(StandardOptions).runner or LOCAL_RUNNER).rpartition(".")[2]
    with contextlib.ExitStack() as stack:
        marks = []
        for place in places:
            if "://" not in place:
                with contextlib.suppress(OSError):  # of which the check of that place tells
                    marks.append(stack.enter_context(marked(place)))
        asked = reach(with_defaults(options))
        asked.view_as(GoogleCloudOptions).job_name = job = f"webscale-rl-doctor-{uuid.uuid4().hex[:8]}"
        pipeline = empty_pipeline(asked)
        stores = [place for place in places if "://" in place]
        pipeline | beam.Create([versions]) | beam.Map(_on_worker, stores=stores, marks=marks)
        given = asked.get_all_options()  # now, as Beam changes what it is given
        result = None
        try:
            result = pipeline.run()
            if _ends(result):
                result.wait_until_finish()  # which has the words of a failure
                return f"{name} ended a job in {time.monotonic() - began:.1f} s; its workers have {versions}"
        except BaseException:
            cancelled(given, job, result)
            raise
        gone = cancelled(given, job, result)
    raise Unsure(
        f"{name} took a job and had not ended it after {JOB_LIMIT_S:g} s, so nothing is known of its workers; see there"
        f" whether they are only starting{'' if gone else f', and cancel {job}'}"
    )


def _ends(result: Any) -> bool:
    """Return whether a job ends in time. Beam's own waiting sleeps for seconds at a time, past any limit."""
    deadline = time.monotonic() + JOB_LIMIT_S
    while not PipelineState.is_terminal(result.state):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def _on_worker(client: Versions, stores: Sequence[str], marks: Sequence[str]) -> None:
    check_versions(client)
    for mark in marks:
        check_mark(mark)
    for store in stores:
        probe(store.rstrip("/"))
