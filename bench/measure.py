"""What the comparisons with peers share: whole commands over Parquet files, and what they take."""

from __future__ import annotations

import argparse
import glob
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

REPOSITORY: Final = Path(__file__).parents[1]
OURS: Final = "webscale-rl"
ROUNDS: Final = 3
"""Runs of which the median counts."""

Command = Callable[[Path, Path], list[str]]
"""(directory of the corpus, directory to write) -> what to run."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Who is compared.

    Attributes:
      command: the command that reads the files of one directory and writes into another.
      kept: the files in the latter that hold what is left, by a glob; empty for one that drops nothing.
      start: the directory of the corpus on which a run is its start-up.
    """

    command: Command
    kept: str
    start: str = "empty"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command took: seconds of processors and of the clock, and the bytes its largest process held."""

    cpu: float
    wall: float
    peak: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a contender took without rows, what it took on the corpus beyond that (the peak is whole), its output."""

    start: Usage
    used: Usage
    output: Path


def webscale_rl(flags: str) -> Command:
    """Return this package's command: `webscale-rl run` with some flags."""
    script = str(Path(sys.executable).with_name("webscale-rl"))
    return lambda corpus, output: [script, "run", *f"--input {corpus}/*.parquet --output {output} {flags}".split()]


def peer(script: str, python: str) -> Command:
    """Return a peer's command: a script of this directory, with an interpreter that has the peer."""
    path = str(Path(__file__).with_name(script))
    return lambda corpus, output: [python, path, str(corpus), str(output)]


def measure(command: list[str], log: Path) -> Usage:
    """Run a command to its end, its output in `log`."""
    report = log.with_name("usage.json")
    launcher = [sys.executable, str(Path(__file__).with_name("usage.py")), str(report)]
    with log.open("wb") as out:
        code = subprocess.call([*launcher, *command], stdout=out, stderr=subprocess.STDOUT, cwd=REPOSITORY)
    if code:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SystemExit(f"{tail}\n{' '.join(command)} ended with {code}")
    return Usage(**json.loads(report.read_text(encoding="utf-8")))


def median(command: Command, corpus: Path, rounds: int) -> tuple[Usage, Path]:
    """Run a command several times, each into a new directory beside `corpus`; return its median usage, the last one."""
    runs = []
    for _ in range(rounds):
        output = Path(tempfile.mkdtemp(dir=corpus.parent)) / "output"
        runs.append(measure(command(corpus, output), output.with_name("log")))
    cpu, wall, peak = (statistics.median(getattr(run, name) for run in runs) for name in ("cpu", "wall", "peak"))
    return Usage(cpu, wall, peak), output


def results(contenders: Mapping[str, Contender], scratch: Path) -> Iterator[tuple[str, Result]]:
    """Measure every command on its start's corpus, then on `scratch/all`: ours and all starts several times."""
    for name, contender in contenders.items():
        start, _ = median(contender.command, scratch / contender.start, ROUNDS)
        whole, output = median(contender.command, scratch / "all", ROUNDS if name == OURS else 1)
        yield name, Result(start, Usage(whole.cpu - start.cpu, whole.wall - start.wall, whole.peak), output)


def lay_out(paths: Sequence[str], scratch: Path) -> int:
    """Lay the corpus out in directories `all` and `empty`, the latter without rows; return its documents."""
    for name in ("all", "empty"):
        (scratch / name).mkdir()
    for number, path in enumerate(paths):
        (scratch / "all" / f"{number:05}.parquet").symlink_to(Path(path).resolve())
    pq.write_table(pq.read_schema(paths[0]).empty_table(), scratch / "empty" / "none.parquet")
    return sum(pq.read_metadata(path).num_rows for path in paths)


def corpus_files(parser: argparse.ArgumentParser, patterns: Sequence[str]) -> list[str]:
    """Return the files that match `--input`, sorted; none ends the program."""
    paths = sorted(path for pattern in patterns for path in glob.glob(pattern))  # noqa: PTH207
    if not paths:
        parser.error(f"no file matches --input {' '.join(patterns)}")
    return paths
