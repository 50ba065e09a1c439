"""How full the model layer keeps its limits: `python -m bench.llm`, `python -m bench.llm --requests-per-minute 600`.

Whole runs over generated documents against the tests' model server, which is a process of its own and answers after a
lognormal latency. By default it prints the requests in flight as the server saw them, as a share of the limit (those
with ramp and drain include the seconds between the one call that tries the model and the first document's), and the
processor time of a request: that of the run and all its workers, less that of a run over one document, by the requests
it made more; and that of the server, which says whether the server was the bottleneck. `--workers 2` divides the run
among two processes. With `--requests-per-minute` the server counts in a sliding window of a minute, one or more runs
share it, and what is printed is the share of it that they used and the share of 429s among what they asked, from a
minute after the first request until the first run is about to end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.measure import Usage
from bench.measure import measure as usage_of
from tests.support import prose_corpus

MODEL: Final = "hosted_vllm/bench"
WARM_UP_S: Final = 60.0
DRAIN_S: Final = 5.0
"""Seconds at the end of a run in which it has too few documents left to fill a limit."""


class Server(NamedTuple):
    """The model server, a process of its own."""

    url: str
    pid: int

    def stats(self) -> dict[str, Any]:
        """Return what it counted."""
        with urllib.request.urlopen(f"{self.url}/stats") as reply:
            return json.load(reply)  # type: ignore[no-any-return]

    def cpu_s(self) -> float:
        """Return the processor seconds that it has used, in itself and in the kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(*options: str) -> Iterator[Server]:
    """Run the model server."""
    command = [sys.executable, "-m", "tests.model_server", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(f"http://127.0.0.1:{process.stdout.readline().strip()}", process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def run_flags(corpus: str, output: str, url: str, concurrency: int) -> list[str]:
    """Return the arguments of a run."""
    model = ["--model", MODEL, "--api-base", f"{url}/v1"]
    return ["run", "--input", corpus, "--output", output, *model, "--concurrency", str(concurrency)]


def run_command(flags: Sequence[str]) -> list[str]:
    """Return the command of a run with some arguments."""
    return [sys.executable, "-m", "pipelines.build_qa", *flags[1:]]


class Load(NamedTuple):
    """What a command did to a server: what that counted and used (processor seconds), and what the command took."""

    stats: dict[str, Any]
    server_cpu: float
    usage: Usage


def load(command: Callable[[str, str, str], list[str]], documents: int, latency: str) -> Load:
    """Run a command on a new server; `command` is given a corpus, a directory to be made, and the server's URL."""
    with tempfile.TemporaryDirectory() as name, serving("--latency", latency) as server:
        corpus, before = prose_corpus(Path(name), documents), server.cpu_s()
        usage = usage_of(command(corpus, f"{name}/run", server.url), Path(name, "log"))
        return Load(server.stats(), server.cpu_s() - before, usage)


def cpu_ms(whole: Load, start: Load) -> float:
    """Return the milliseconds of processor time of a request, of a whole run less its start."""
    requests: int = whole.stats["requests"] - start.stats["requests"]
    return 1000 * (whole.usage.cpu - start.usage.cpu) / requests


def first_end(processes: Sequence[subprocess.Popen[bytes]]) -> float:
    """Wait for processes; return when the first of them ended, in seconds since 1970."""
    ended: float | None = None
    while any(process.poll() is None for process in processes):
        time.sleep(0.2)
        if ended is None and any(process.poll() is not None for process in processes):
            ended = time.time()
    codes = [process.returncode for process in processes]
    if any(codes):
        raise SystemExit(f"the runs ended with {codes}")
    return ended or time.time()


def measure_rate(flags: argparse.Namespace) -> dict[str, float]:
    """Run the pipeline in processes that share a rate limit; return how they used it."""
    with tempfile.TemporaryDirectory() as name:
        limits = {MODEL: {"requests_per_minute": flags.requests_per_minute}}
        config, log = Path(name, "run.yaml"), Path(name, "log.jsonl")
        config.write_text(json.dumps({} if flags.unconfigured else {"limits": limits}), encoding="utf-8")
        more = ["--config", str(config)]
        if flags.limiter:
            more += ["--limiter", flags.limiter]
        elif flags.processes > 1 and not flags.unconfigured:
            more += ["--num-workers-hint", str(flags.processes)]
        window = f"{flags.requests_per_minute}:60"
        with serving("--latency", flags.latency, "--sliding-window", window, "--log", str(log)) as server:
            processes = []
            for number in range(flags.processes):
                each = flags.documents // flags.processes
                corpus = prose_corpus(Path(name), each, first=number * each)
                command = run_flags(corpus, f"{name}/run-{number}", server.url, flags.concurrency)
                processes.append(subprocess.Popen(run_command([*command, *more])))
            ended = first_end(processes)
        return rate_figures(log, flags.requests_per_minute, ended - DRAIN_S)


def rate_figures(log: Path, requests_per_minute: int, end: float) -> dict[str, float]:
    """Return, from the server's log between warm-up and `end`: its seconds, share of the limit used, share of 429s."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    begin = lines[0]["at"] + WARM_UP_S
    if end <= begin:
        raise SystemExit("the runs were over before they were warm; give more --documents")
    statuses = Counter(line["status"] for line in lines if line["event"] == "answered" and begin <= line["at"] < end)
    admitted, refused = statuses[200], statuses[429]
    return {
        "seconds": end - begin,
        "used": admitted / (end - begin) * 60 / requests_per_minute,
        "refused": refused / max(1, admitted + refused),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", default="lognormal:0.3:0.5", help="seconds, or lognormal:MEDIAN:SIGMA")
    parser.add_argument("--workers", type=int, default=1, help="processes of the run, which divide the limit")
    parser.add_argument("--requests-per-minute", type=int, help="what the server allows; the runs are told, too")
    parser.add_argument("--unconfigured", action="store_true", help="the runs are not told")
    parser.add_argument("--processes", type=int, default=1, help="runs at once, each with its part of the documents")
    parser.add_argument("--limiter", help="what they share their limit by; otherwise each is told how many there are")
    flags = parser.parse_args()
    if flags.requests_per_minute is None:
        print(in_flight_words(flags, *measure_in_flight(flags)))
    else:
        found = measure_rate(flags)
        print(
            f"\n{flags.requests_per_minute} requests a minute, {flags.processes} processes, latency {flags.latency} s,"
            f" {found['seconds']:.0f} s: {found['used']:.1%} of the limit used, {found['refused']:.2%} refused"
        )


def measure_in_flight(flags: argparse.Namespace) -> tuple[Load, Load]:
    """Run the pipeline over one document and over all; return what each did."""
    more = []
    if flags.workers > 1:
        more = [f"--direct_num_workers={flags.workers}", "--direct_running_mode=multi_processing"]

    def command(corpus: str, output: str, url: str) -> list[str]:
        return run_command([*run_flags(corpus, output, url, flags.concurrency), *more])

    return load(command, 1, "0"), load(command, flags.documents, flags.latency)


def in_flight_words(flags: argparse.Namespace, start: Load, whole: Load) -> str:
    """Return what a run showed of the requests in flight, and what they cost."""
    found = whole.stats
    return (
        f"\nlimit {flags.concurrency}, processes {flags.workers}, latency {flags.latency} s:"
        f" {found['requests']} requests in {found['wall_s']:.1f} s, at most {found['max_in_flight']} in flight;"
        f"\nin flight on average, the middle 80 % of the requests: {found['mean_in_flight_middle']:.1f}"
        f" = {found['mean_in_flight_middle'] / flags.concurrency:.3f} of the limit;"
        f" with ramp and drain: {found['mean_in_flight']:.1f};"
        f"\nprocessor time: {cpu_ms(whole, start):.2f} ms a request, and {start.usage.cpu:.1f} s to start;"
        f" the server's {1000 * whole.server_cpu / found['requests']:.2f} ms a request,"
        f" {whole.server_cpu / found['wall_s']:.0%} of a processor"
    )


if __name__ == "__main__":
    main()
