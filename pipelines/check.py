"""`webscale-rl check-run`: how a run went that nobody watched, and whether somebody should look at it."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.ending import DONE, UNFINISHED
from pipelines.options import Parser, UsageError
from pipelines.roots import last_night
from pipelines.rundir import read_manifest
from pipelines.summary import summary
from schemas.band import Band, outside

_STRAY: Final = "no part of the dataset: it is at work still, or has failed; then look at its log, and refresh again"


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What `webscale-rl check-run` was told: the directory of a run or a root, and what is expected."""

    directory: str
    band: Band


def parse_check(arguments: Sequence[str]) -> CheckOptions:
    """Return what the arguments of `webscale-rl check-run` describe.

    Raises:
      UsageError: a bad value, or a band that nothing can be in.
    """
    parser = Parser(
        prog="webscale-rl check-run",
        allow_abbrev=False,
        description="Show how a run went, and end with 3 if it is not complete or left its band.",
    )
    parser.add_argument("directory", metavar="DIR", help="a run's --output, or a --root for its last night")
    parser.add_argument("--min-yield", type=_number, metavar="N", help="fewest pairs for each document that was new")
    parser.add_argument("--max-yield", type=_number, metavar="N", help="most pairs for each document that was new")
    parser.add_argument("--max-error-share", type=_share, metavar="N", help="errors in a stage's input, 0 to 1")
    flags = parser.parse_args(list(arguments))
    least, most = flags.min_yield, flags.max_yield
    if least is not None and most is not None and least > most:
        raise UsageError(f"--min-yield {least:g} is above --max-yield {most:g}; exchange them")
    return CheckOptions(flags.directory.rstrip("/"), Band(least, most, flags.max_error_share))


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:  # nor is nan
        raise argparse.ArgumentTypeError(f"{text} must be a number, 0 or more")
    return number


def _share(text: str) -> float:
    share = _number(text)
    if share > 1:
        raise argparse.ArgumentTypeError(f"{text} must be a share, from 0 to 1: write 2 % as 0.02")
    return share


def check(options: CheckOptions) -> int:
    """Print the summary of a run, or of all of a root's last night, and on standard error what is not as it should be.

    Returns:
      0 when each is complete and in its band, and a root has no other; 3 otherwise.

    Raises:
      UsageError: there is no manifest, or a root has no run.
    """
    runs, strays = last_night(options.directory)
    if not runs and not strays:
        raise UsageError(f"{options.directory} has no run yet; wait for its first refresh")
    problems = []
    for directory in runs:
        manifest = read_manifest(directory)
        print(summary(directory, manifest))
        problems += [(directory, problem) for problem in (*manifest["unfinished"], *outside(options.band, manifest))]
    problems += [(directory, _STRAY) for directory in strays]
    for directory, problem in problems:
        print(f"webscale-rl check-run: {directory}: {problem}", file=sys.stderr)
    return UNFINISHED if problems else DONE
