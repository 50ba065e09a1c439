"""The console script `webscale-rl`."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Sequence

_USAGE = """usage: webscale-rl COMMAND ...

Turn pretraining text into verifiable question-answer pairs for reinforcement learning.

commands:
  run    corpus Parquet in, question-answer Parquet out (webscale-rl run --help)
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
    if not arguments or arguments[0] != "run":
        named = f"unknown command {arguments[0]!r}" if arguments else "no command"
        print(f"webscale-rl: {named}; known is run\n\n{_USAGE}", file=sys.stderr, end="")
        return _WRONG_USAGE
    return _run(arguments[1:])


def _run(arguments: Sequence[str]) -> int:
    # A failed bundle is logged with its traceback and then raised; what is raised is told below, once.
    logging.getLogger("apache_beam.runners").setLevel(logging.CRITICAL)
    from pipelines.options import UsageError, parse_run
    from pipelines.run import run

    try:
        return run(parse_run(arguments))
    except UsageError as error:
        print(f"webscale-rl: {error}", file=sys.stderr)
        return _WRONG_USAGE
    except (KeyboardInterrupt, Exception) as error:
        if "KeyboardInterrupt" in f"{type(error).__name__} {error}":  # Beam wraps one that meets a bundle
            print("webscale-rl: interrupted; the same command goes on from the cache", file=sys.stderr)
            return _INTERRUPTED
        line = _remedied(error)
        if line is None:
            raise
        print(f"webscale-rl: {line}", file=sys.stderr)
        return _FAILED


def _remedied(error: BaseException) -> str | None:
    """Return one line for a failure that is the machine's and not ours; Beam wraps it, so its text is what there is."""
    text = str(error)
    if os.strerror(errno.ENOSPC) in text:
        return "the disk is full; make room and run the same command again, it goes on from the cache"
    for number in (errno.EACCES, errno.EROFS):
        if os.strerror(number) in text:
            line = next(line for line in reversed(text.splitlines()) if os.strerror(number) in line)
            return f"{line.strip()}; make it writable and run the same command again, it goes on from the cache"
    return None
