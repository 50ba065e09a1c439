"""Runs a command and writes down what it took: `python bench/usage.py FILE COMMAND...`, for `bench.measure`.

A process of its own, because Linux counts the peak of whoever starts a process as the new one's; this one stays small.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path


def main(report: str, *command: str) -> int:
    """Run the command, write its usage as JSON (seconds; bytes of its largest process), return its exit code."""
    begin = time.perf_counter()
    code = subprocess.call(command)
    wall = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = {"cpu": used.ru_utime + used.ru_stime, "wall": wall, "peak": used.ru_maxrss * 1024}
    Path(report).write_text(json.dumps(usage), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
