"""The console script `webscale-rl`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

_USAGE = """usage: webscale-rl COMMAND ...

Turn pretraining text into verifiable question-answer pairs for reinforcement learning.

commands:
  run            corpus Parquet in, question-answer Parquet out (webscale-rl run --help)
  refresh        adds what is new in a corpus to a dataset, every night (webscale-rl refresh --help)
  estimate       what a run would ask of its models and cost, without asking any (webscale-rl estimate --help)
  inspect        a pair's whole life, from its document to where it ended (webscale-rl inspect --help)
  check-run      how a run went, and whether it stayed in its band (webscale-rl check-run --help)
  report         figures and pairs of a run to look at, or of two beside each other (webscale-rl report --help)
  batch          sends what a run in batch mode waits for, and fetches the answers (webscale-rl batch --help)
  export         a run's pairs as a trainer reads them, with the reward (webscale-rl export --help)
  train-quality  a classifier out of a run's verdicts, that spares the next run calls (webscale-rl train-quality --help)
  doctor         whether a run could begin: its runner, buckets, models, Redis, versions (webscale-rl doctor --help)
  benchmarks     indexes evaluation sets, and finds their questions in pairs (webscale-rl benchmarks --help)
  cache          what a cache of model answers holds, whether it is whole, and a smaller one (webscale-rl cache --help)
"""
_FAILED = 1
_WRONG_USAGE = 2
_INTERRUPTED = 128 + 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed while running, 2 wrong usage, 3 not complete."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments in (["-h"], ["--help"]):
        print(_USAGE, end="")
        return 0
    if not arguments or arguments[0] not in _COMMANDS:
        named = f"unknown command {arguments[0]!r}" if arguments else "no command"
        print(f"webscale-rl: {named}; known are {', '.join(_COMMANDS)}\n\n{_USAGE}", file=sys.stderr, end="")
        return _WRONG_USAGE
    # A failed bundle is logged with its traceback and then raised; what is raised is told below, once.
    logging.getLogger("apache_beam.runners").setLevel(logging.CRITICAL)
    from pipelines.failures import remedied
    from pipelines.options import UsageError

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as schedulers stop what they have started
    command, again = _COMMANDS[arguments[0]]
    try:
        return command(arguments[1:])
    except UsageError as error:
        print(f"webscale-rl: {error}", file=sys.stderr)
        return _WRONG_USAGE
    except (KeyboardInterrupt, Exception) as error:
        if "KeyboardInterrupt" in f"{type(error).__name__} {error}":  # Beam wraps one that meets a bundle
            print(f"webscale-rl: interrupted; the same command {again}", file=sys.stderr)
            return _INTERRUPTED
        line = remedied(error, again)
        if line is None:
            raise
        print(f"webscale-rl: {line}", file=sys.stderr)
        return _FAILED


def _run(arguments: Sequence[str]) -> int:
    from pipelines.options import parse_run
    from pipelines.run import run

    return run(parse_run(arguments))


def _refresh(arguments: Sequence[str]) -> int:
    from pipelines.refresh import parse_refresh, refresh

    return refresh(parse_refresh(arguments))


def _estimate(arguments: Sequence[str]) -> int:
    from pipelines.estimate import estimate, parse_estimate

    return estimate(parse_estimate(arguments))


def _check(arguments: Sequence[str]) -> int:
    from pipelines.check import check, parse_check

    return check(parse_check(arguments))


def _inspect(arguments: Sequence[str]) -> int:
    from pipelines.inspect import inspect, parse_inspect

    return inspect(parse_inspect(arguments))


def _report(arguments: Sequence[str]) -> int:
    from pipelines.report import parse_report, report

    return report(parse_report(arguments))


def _batch(arguments: Sequence[str]) -> int:
    from pipelines.batch import batch, parse_batch

    return batch(parse_batch(arguments))


def _export(arguments: Sequence[str]) -> int:
    from pipelines.export import export, parse_export

    return export(parse_export(arguments))


def _train_quality(arguments: Sequence[str]) -> int:
    from pipelines.train_quality import parse_train_quality, train_quality

    return train_quality(parse_train_quality(arguments))


def _doctor(arguments: Sequence[str]) -> int:
    from pipelines.doctor import doctor, parse_doctor

    return doctor(*parse_doctor(arguments))


def _benchmarks(arguments: Sequence[str]) -> int:
    from pipelines.benchmarks import benchmarks

    return benchmarks(arguments)


def _cache(arguments: Sequence[str]) -> int:
    from pipelines.cache import cache, parse_cache

    return cache(parse_cache(arguments))


_COMMANDS: Final[Mapping[str, tuple[Callable[[Sequence[str]], int], str]]] = {
    "run": (_run, "goes on from the cache"),
    "refresh": (_refresh, "clears up and goes on from the cache"),
    "estimate": (_estimate, "starts again"),
    "check-run": (_check, "starts again"),
    "inspect": (_inspect, "starts again"),
    "report": (_report, "starts again"),
    "batch": (_batch, "goes on from there"),
    "export": (_export, "starts again, in another directory"),
    "train-quality": (_train_quality, "starts again"),
    "doctor": (_doctor, "starts again"),
    "benchmarks": (_benchmarks, "starts again"),
    "cache": (_cache, "starts again and has lost nothing"),
}
"""Each command, and what it does when it is given a second time after a failure."""
