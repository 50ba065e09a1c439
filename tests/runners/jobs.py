"""Whole runs on a runner, each a process with a time limit, and what must be equal wherever they ran."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tests.runners.prepare import ROOT
from tests.support import manifest_of

LIMIT_S: Final = 240
DIRECTORIES: Final = ("qa", "rejected", "errors")
TOOK: Final[list[str]] = []
"""A line for each job that has ended, for the end of the report."""


def command(*flags: str) -> list[str]:
    """Return the command of a run with some flags."""
    return [sys.executable, "-m", "pipelines.build_qa", *flags]


def run(name: str, flags: Sequence[str], output: Path) -> Path:
    """Make a run and return its output; fails with what the run said, after a time limit too."""
    began = time.monotonic()
    done = subprocess.run(
        command(*flags, "--output", str(output)), cwd=ROOT, check=False, capture_output=True, text=True, timeout=LIMIT_S
    )
    TOOK.append(f"{name}: {time.monotonic() - began:.0f} s")
    assert done.returncode == 0, f"{name}: {done.stdout[-1000:]}\n{done.stderr[-4000:]}"
    return output


def content(path: Path) -> tuple[bytes, pa.Schema]:
    """Return what a shard holds but for its footer, which names the run: the bytes of all pages, and the columns."""
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    return whole[:-footer], pq.read_schema(path).remove_metadata()


def described(output: Path, usage: bool) -> dict[str, Any]:
    """Return a run's manifest but for its names, its times, where it wrote and, without `usage`, whom it asked."""
    manifest = manifest_of(output)
    for key in ("run_id", "started", "wall_seconds", *(() if usage else ("usage", "cost"))):
        del manifest[key]
    for row in manifest.get("usage", ()):
        del row["latency_ms"]
    for key in ("output", "cache", "state", *(() if usage else ("models",))):
        del manifest["config"][key]
    return manifest


def assert_same(one: Path, other: Path, *, usage: bool = True) -> None:
    """Check that two runs have the same shards, byte for byte, the same counts, and left nothing else.

    Args:
      usage: whether they have asked the same models, at the same address, equally often too.
    """
    for output in (one, other):
        assert (output / "_SUCCESS").exists()
        strays = [path for path in output.rglob("*") if path.suffix == ".tmp" or "scratch" in path.parts]
        assert not strays, f"{output} is not tidy: {strays[:5]}"
    for directory in DIRECTORIES:
        names = [sorted(path.name for path in (output / directory).iterdir()) for output in (one, other)]
        assert names[0] == names[1]
        for name in names[0]:
            assert content(one / directory / name) == content(other / directory / name), f"{directory}/{name} differs"
    assert json.dumps(described(one, usage), indent=1) == json.dumps(described(other, usage), indent=1)
