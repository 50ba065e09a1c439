"""What the cache of answers takes, in a directory and in a bucket: `python -m bench.cache [--answers N] [--at PLACE]`.

Without --at it measures a directory, and a bucket of the emulator (processor time of the emulator not counted). The
peer of `put` is the bare append of the same bytes to one file.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import hashlib
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.caches import ENTRY, emulator
from transforms.llm.cache import Entry, open_cache
from transforms.llm.cache.lines import encode
from transforms.llm.requests import Completion

_IN_FLIGHT = 1024
_READ = 20_000


def entry(n: int) -> Entry:
    """Return an answer of about 1.5 KB as a line."""
    return dataclasses.replace(ENTRY, completion=Completion(f"{n:07d} " + "answer " * 185, "stop", 900, 300))


def key(n: int) -> str:
    """Return the key of an answer."""
    return hashlib.sha256(b"%d" % n).hexdigest()


class Watch:
    """Wall and processor time of this process, an answer."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def line(self, what: str, answers: int) -> str:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return f"{what:24} {wall / answers * 1e6:9.1f} us wall {cpu / answers * 1e6:9.1f} us CPU an answer"


async def fill(place: str, answers: int) -> None:
    """Put answers, so many at once."""
    cache = open_cache(place)
    numbers = iter(range(answers))

    async def work(mine: Iterator[int]) -> None:
        for n in mine:
            await cache.put(key(n), entry(n))

    watch = Watch()
    await asyncio.gather(*(work(numbers) for _ in range(_IN_FLIGHT)))
    print(watch.line("put", answers), flush=True)
    cache.close()


def read(place: str, answers: int) -> None:
    """Open the cache and get answers at random."""
    before = _resident()
    watch = Watch()
    cache = open_cache(place)
    print(watch.line("open", answers), flush=True)
    print(
        f"{'memory of the index':24} {(_resident() - before) / 2**20:9.0f} MiB, at the peak {_peak() / 2**20:.0f} MiB"
    )
    chosen = [random.randrange(answers) for _ in range(_READ)]
    watch = Watch()
    assert all(cache.get(key(n)) is not None for n in chosen)
    print(watch.line("get", _READ))
    watch = Watch()
    assert all(cache.get(key(answers + n)) is None for n in range(_READ))
    print(watch.line("get, a miss", _READ), flush=True)
    cache.close()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def append(directory: str, answers: int) -> None:
    """Append the same bytes without a cache."""
    line = encode(key(0), entry(0))
    with (Path(directory) / "bare").open("ab", buffering=0) as file:
        watch = Watch()
        for _ in range(answers):
            file.write(line)
        print(watch.line(f"bare append, {len(line)} bytes", answers), flush=True)


def measure(place: str, answers: int) -> None:
    """Fill a cache and read it, each in a process of its own, so that memory is not mixed."""
    for action in ("fill", "read"):
        command = [sys.executable, "-m", "bench.cache", "--answers", str(answers), "--at", place, "--only", action]
        subprocess.run(command, check=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--at", metavar="PLACE", help="an empty directory, or gs://BUCKET/PREFIX")
    parser.add_argument("--only", choices=("fill", "read"), help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.only == "fill":
        asyncio.run(fill(flags.at, flags.answers))
    elif flags.only == "read":
        read(flags.at, flags.answers)
    elif flags.at:
        measure(flags.at, flags.answers)
    else:
        with tempfile.TemporaryDirectory() as directory, emulator(Path(directory)) as bucket:
            append(directory, flags.answers)
            for place in (f"{directory}/cache", f"gs://{bucket}/cache"):
                print(place)
                measure(place, flags.answers)


if __name__ == "__main__":
    main()
