"""What rough weather costs the model layer: `python -m bench.llm_faults --documents 5000`.

A whole run over generated documents against the tests' model server, where a share of all replies is some fault: 429,
500, a lost connection, prose, a refusal, an empty, cut-off or ill-typed answer, in equal parts. It prints how the
documents and pairs ended, how many calls were made beside those that nobody could have spared (one for each answer and
one for each fault that the server answered with), and the open files and memory of the run as the calls went by.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import urllib.error
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.llm import Server, run_flags, serving
from pipelines.cli import main as webscale_rl
from tests.support import prose_corpus

FAULTS: Final = ("429", "500", "timeout", "prose", "refusal", "empty", "truncated", "wrong_types")
SAMPLE_S: Final = 2.0
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """Calls that the server has seen, open files of this process, and its resident bytes."""

    calls: int
    files: int
    resident: int


def sample(server: Server) -> Sample:
    """Take a sample now."""
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE
    return Sample(server.stats()["requests"], len(list(Path("/proc/self/fd").iterdir())), resident)


class Sampler:
    """Takes samples while the block runs."""

    def __init__(self, server: Server) -> None:
        self.samples: list[Sample] = []
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            try:
                self.samples.append(sample(self._server))
            except urllib.error.URLError:  # the server is busy; another time
                continue

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def spread(samples: Sequence[Sample]) -> str:
    """Return the samples at six moments, from a tenth of the calls to the last."""
    last = samples[-1].calls
    lines = ["     calls   open files   resident MB"]
    for tenths in (1, 2, 4, 6, 8, 10):
        at = next(one for one in samples if one.calls >= last * tenths // 10)
        lines.append(f"{at.calls:10,} {at.files:12} {at.resident / 1e6:13,.0f}")
    return "\n".join(lines)


def doors(manifest: dict[str, Any]) -> str:
    """Return how each stage that asks a model let its input go."""
    lines = []
    for stage in manifest["stages"]:
        if stage["stage"] in ("screen", "classify", "generate", "judge"):
            ends = {name: stage[name] for name in ("kept", "rejected", "errors", "pending")}
            lines.append(f"{stage['stage']:9} in {stage['in']:,} = {ends}, failures {stage['failures']}")
            assert stage["in"] == sum(ends.values()), stage
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", default="lognormal:0.1:0.5", help="seconds, or lognormal:MEDIAN:SIGMA")
    parser.add_argument("--share", type=float, default=0.3, help="of all replies that is a fault")
    flags = parser.parse_args()
    faults = [f"--fault={name}={flags.share / len(FAULTS)}" for name in FAULTS]
    with tempfile.TemporaryDirectory() as name:
        weather = ["--latency", flags.latency, *faults, "--retry-after", "0.2", "--hold", "0"]
        with serving(*weather) as server, Sampler(server) as sampler:
            corpus = prose_corpus(Path(name), flags.documents)
            config = Path(name, "run.yaml")
            config.write_text("max_error_share: 1", encoding="utf-8")
            run = run_flags(corpus, f"{name}/run", server.url, flags.concurrency)
            code = webscale_rl([*run, "--config", str(config)])
            sampler.samples.append(sample(server))
            found = server.stats()
        manifest = json.loads(Path(name, "run", "manifest.json").read_text(encoding="utf-8"))
        needed = sum(found["faults"].values()) + found["answered_bodies"]
        print(
            f"\nended with {code}; {found['requests']:,} calls, {found['requests'] / needed:.4f} of the"
            f" {needed:,} that were needed; faults {found['faults']};"
            f" {found['repeated_bodies']} bodies were answered twice\n{doors(manifest)}\n{spread(sampler.samples)}"
        )


if __name__ == "__main__":
    main()
