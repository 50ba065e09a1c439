"""How full the model layer keeps its limit: `python -m bench.llm`.

A whole run over generated documents against the tests' model server, which is a process of its own and answers after a
lognormal latency. Prints the requests in flight as the server saw them, as a share of the limit, and the processor time
a call costs the client.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.cli import main as webscale_rl
from tests.support import prose_corpus


@contextlib.contextmanager
def serving(latency: str) -> Iterator[str]:
    """Run the model server; yields its URL."""
    command = [sys.executable, "-m", "tests.model_server", "--latency", latency]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.send_signal(signal.SIGTERM)


def stats(url: str) -> dict[str, Any]:
    """Return what the server counted."""
    with urllib.request.urlopen(f"{url}/stats") as reply:
        return json.load(reply)  # type: ignore[no-any-return]


def measure(documents: int, concurrency: int, latency: str) -> dict[str, Any]:
    """Run the pipeline once and return the server's figures with the client's processor seconds."""
    with tempfile.TemporaryDirectory() as name, serving(latency) as url:
        corpus = prose_corpus(Path(name), documents)
        flags = [
            "--input",
            corpus,
            "--output",
            f"{name}/run",
            "--model",
            "hosted_vllm/bench",
            "--api-base",
            f"{url}/v1",
        ]
        before = resource.getrusage(resource.RUSAGE_SELF)
        code = webscale_rl(["run", *flags, "--concurrency", str(concurrency)])
        after = resource.getrusage(resource.RUSAGE_SELF)
        if code:
            raise SystemExit(f"the run ended with {code}")
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {**stats(url), "cpu_seconds": seconds}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", default="lognormal:0.3:0.5", help="seconds, or lognormal:MEDIAN:SIGMA")
    flags = parser.parse_args()
    found = measure(flags.documents, flags.concurrency, flags.latency)
    print(
        f"\nlimit {flags.concurrency}, latency {flags.latency} s:"
        f" {found['requests']} requests in {found['wall_s']:.1f} s, at most {found['max_in_flight']} in flight;"
        f"\nin flight on average, the middle 80 % of the requests: {found['mean_in_flight_middle']:.1f}"
        f" = {found['mean_in_flight_middle'] / flags.concurrency:.3f} of the limit;"
        f" with ramp and drain: {found['mean_in_flight']:.1f};"
        f"\nprocessor time: {1000 * found['cpu_seconds'] / found['requests']:.2f} ms a request"
    )


if __name__ == "__main__":
    main()
