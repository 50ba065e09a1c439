"""`webscale-rl report`: a run to look at, or two beside each other, as one HTML file that needs no network."""

from __future__ import annotations

import argparse
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError

from pipelines.ending import DONE
from pipelines.options import Parser, UsageError
from pipelines.roots import last_night
from pipelines.rundir import read_manifest
from transforms.output import MANIFEST, REPORT
from transforms.report import ShardError, compare_runs, write_report
from transforms.storage import StorageError

_COMPARISON: Final = "comparison.html"
_NEEDED: Final = ("config", "stages", "usage", "cost", "rows")


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What `webscale-rl report` was told: one run or two, and where to write instead of where it would."""

    directories: tuple[str, ...]
    output: str | None


def parse_report(arguments: Sequence[str]) -> ReportOptions:
    """Return what the arguments of `webscale-rl report` describe.

    Raises:
      UsageError: there are more than two directories, or the output is one.
    """
    parser = Parser(
        prog="webscale-rl report",
        allow_abbrev=False,
        description=f"Write {REPORT} into the directory of a run, or a page that compares two runs.",
    )
    parser.add_argument("directories", metavar="DIR", nargs="+", help="a run's --output, or a --root; two are compared")
    parser.add_argument("--output", metavar="FILE", help=f"write there; by default DIR/{REPORT}, or {_COMPARISON} here")
    flags: argparse.Namespace = parser.parse_args(list(arguments))
    if len(flags.directories) > 2:
        raise UsageError(f"{len(flags.directories)} directories were given; name one run, or two to compare")
    if flags.output and (flags.output.endswith("/") or Path(flags.output).is_dir()):
        raise UsageError(f"--output {flags.output} is a directory; name a file")
    return ReportOptions(tuple(directory.rstrip("/") for directory in flags.directories), flags.output)


def report(options: ReportOptions) -> int:
    """Write the report of a run, of a root's last one, or of two; print where it is, and which run stands for a root.

    Raises:
      UsageError: a directory has no manifest, shards cannot be read, or the page cannot be written.
    """
    runs = [_run_of(directory) for directory in options.directories]
    try:
        if len(runs) == 2:
            path = options.output or _COMPARISON
            names = _names([directory for directory, _ in runs])
            compare_runs([(name, *run) for name, run in zip(names, runs, strict=True)], path)
        else:
            path = write_report(*runs[0], options.output)
    except (StorageError, ShardError) as error:
        raise UsageError(str(error)) from None
    except (OSError, BeamIOError, ValueError, pa.ArrowException) as error:
        line = " ".join(str(error).split())
        raise UsageError(
            f"no report: {line}; check that the shards are whole, and name a place to write to with --output"
        ) from None
    last = [
        f"the last run of {named}: {posixpath.basename(run)}"
        for named, (run, _) in zip(options.directories, runs, strict=True)
        if run != named
    ]
    print(f"{path} ({'; '.join(last)})" if last else path)
    return DONE


def _run_of(directory: str) -> tuple[str, dict[str, Any]]:
    """Return the directory and manifest of a run, the last one where a root is named."""
    runs, _ = last_night(directory)
    if not runs:
        raise UsageError(f"{directory} has no run yet; wait for its first refresh")
    if len(runs) > 1:
        raise UsageError(f"{directory} has several runs of one night; name one of {', '.join(runs)}")
    manifest = read_manifest(runs[0])
    if lacking := [name for name in _NEEDED if name not in manifest]:
        raise UsageError(
            f"{runs[0]}/{MANIFEST} lacks {', '.join(lacking)}: another version of webscale-rl has written it; make the"
            " report with that one"
        )
    return runs[0], manifest


def _names(directories: Sequence[str]) -> list[str]:
    """Return what the runs are called: the last part of their paths, or the whole where that is the same."""
    short = [posixpath.basename(directory) for directory in directories]
    return short if len(set(short)) == len(short) and all(short) else list(directories)
