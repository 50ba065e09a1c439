"""Runs that are killed at ten random moments, online and in batches: what is asked twice was in flight at a kill."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support import manifest_of, prose_corpus, rows_of, stages_of

ROOT = Path(__file__).parents[2]
KILLS = 10
CONCURRENCY = 4
QUICK = """
import sys
from pipelines.cli import main
from transforms.llm.batch import rounds

rounds.SETTLE_S = 1.0  # the server creates a batch at once; a wait of 10 s would catch each kill after the first
sys.exit(main(["run", *sys.argv[1:]]))
"""


@contextlib.contextmanager
def server_process(log: Path, *options: str) -> Iterator[str]:
    """Run the model server as a process that outlives its clients; yields its base URL."""
    command = [sys.executable, "-m", "tests.model_server", "--log", str(log), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.send_signal(signal.SIGTERM)


Begun = Callable[[Path, subprocess.Popen[bytes], float], bool]


class Kill(NamedTuple):
    """A kill: when, in seconds since 1970, and how far each batch had come, the oldest first."""

    at: float
    batches: tuple[str, ...]


def journal(output: Path) -> list[Path]:
    """Return the files that say how far each batch of a run has come, the oldest first."""
    return sorted((output / "batch").glob("*.batch.json"))


def statuses(output: Path) -> tuple[str, ...]:
    """Return the statuses of a run's batches, the oldest first."""
    return tuple(json.loads(path.read_text())["status"] for path in journal(output))


def is_at_work(output: Path, process: subprocess.Popen[bytes], since: float) -> bool:
    """Whether a process has begun its run."""
    owner = output / "scratch" / "owner.json"
    return owner.exists() and json.loads(owner.read_text())["pid"] == process.pid


def is_at_batches(output: Path, process: subprocess.Popen[bytes], since: float) -> bool:
    """Whether a process that was started at a time has taken a batch a step on."""
    return any(path.stat().st_mtime > since for path in journal(output))


def is_asking(log: Path) -> Begun:
    """Return whether a server that writes a log has answered more to a process than its first call.

    What it received before the process was started is the last one's, though it may be answered after that was killed.
    """

    def begun(output: Path, process: subprocess.Popen[bytes], since: float) -> bool:
        lines = log.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()[-5 * CONCURRENCY :]
        last = [json.loads(line) for line in lines]
        received = {line["id"] for line in last if line["event"] == "received" and line["at"] > since}
        return sum(line["event"] == "answered" and line["id"] in received for line in last) > 1

    return begun


def kill_again_and_again(
    command: Sequence[str], output: Path, begun: Sequence[Begun], longest: float, seed: int
) -> list[Kill]:
    """Start a command ten times and kill it at a random moment of its work: after what `begun` says, in turn."""
    kills, rng = [], random.Random(seed)
    for number in range(KILLS):
        since = time.time()
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while not begun[number % len(begun)](output, process, since):
                assert time.monotonic() < deadline, "the run has not come so far within a minute"
                assert process.poll() is None, "the run ended before it could be killed: make it longer"
                time.sleep(0.01)
            time.sleep(rng.uniform(0, longest))
            assert process.poll() is None, "the run ended before it could be killed: make it longer"
            process.kill()
        kills.append(Kill(time.time(), statuses(output)))
    return kills


def finish(command: Sequence[str], output: Path) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (output / "_SUCCESS").exists()
    for stage in stages_of(output).values():
        assert stage["in"] == stage["kept"] + stage["rejected"] + stage["errors"] + stage["pending"]


def visits(log: Path) -> dict[str, list[float]]:
    """Return when each body came, visit by visit, in seconds since 1970."""
    came: dict[int, float] = {}
    found = defaultdict(list)
    for line in map(json.loads, log.read_text(encoding="utf-8").splitlines()):
        if line["event"] == "received":
            came[line["id"]] = line["at"]
        elif line["event"] in ("answered", "dropped"):
            found[line["sha256"]].append(came[line["id"]])
    return dict(found)


def test_online_only_what_was_in_flight_is_asked_again(tmp_path: Path) -> None:
    corpus, output, log = prose_corpus(tmp_path, 120), tmp_path / "run", tmp_path / "calls.jsonl"
    with server_process(log, "--latency", "0.1") as url:
        flags = ["--input", corpus, "--output", str(output), "--model", "openai/test", "--api-base", url]
        command = [sys.executable, "-m", "pipelines.build_qa", *flags, "--concurrency", str(CONCURRENCY)]
        kills = kill_again_and_again(command, output, [is_at_work, is_asking(log)], longest=5.0, seed=1)
        finish(command, output)
    seen = visits(log)
    small = json.loads(log.read_text(encoding="utf-8").split("\n")[0])["sha256"]  # the call that tries the model
    assert len(seen.pop(small)) == KILLS + 1
    requests = sum(row["requests"] for row in manifest_of(output)["usage"])
    assert len(seen) == requests, "all that was ever asked is what the finished run has asked"
    again = [came for visits_of_one in seen.values() for came in visits_of_one[:-1]]
    assert len(again) <= KILLS * CONCURRENCY
    everything = [came for visits_of_one in seen.values() for came in visits_of_one]
    for came in again:
        kill = min(kill.at for kill in kills if kill.at >= came)
        # By order and not by time, since a client on a busy machine may take seconds to read what has been answered.
        later = sum(came < other <= kill for other in everything)
        assert later < 2 * CONCURRENCY, "asked again, but not in flight at a kill"
    replayed = sum(row["cache_hits"] for row in manifest_of(output)["usage"])
    assert replayed > 0, "no kill fell into the work"


def test_a_run_that_a_scheduler_stops_says_so_and_goes_on_from_the_cache(tmp_path: Path) -> None:
    corpus, output, log = prose_corpus(tmp_path, 40), tmp_path / "run", tmp_path / "calls.jsonl"
    with server_process(log, "--latency", "0.1") as url:
        flags = ["--input", corpus, "--output", str(output), "--model", "openai/test", "--api-base", url]
        command = [sys.executable, "-m", "pipelines.build_qa", *flags, "--concurrency", str(CONCURRENCY)]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 60
            while not (list(output.glob("cache/*")) or process.poll() is not None):
                assert time.monotonic() < deadline, "no answer came within a minute"
                time.sleep(0.01)
            process.terminate()
            _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert said.splitlines()[-1] == "webscale-rl: interrupted; the same command goes on from the cache"
        finish(command, output)
    assert sum(row["cache_hits"] for row in manifest_of(output)["usage"]) > 0


def test_in_batches_nothing_is_sent_again(tmp_path: Path) -> None:
    corpus, output, log = prose_corpus(tmp_path, 12), tmp_path / "run", tmp_path / "calls.jsonl"
    with server_process(log, "--batch-seconds", "2", "--batch-hold", "0.7") as url:
        flags = ["--input", corpus, "--output", str(output), "--model", "openai/test", "--api-base", url]
        command = [sys.executable, "-c", QUICK, *flags, "--llm-mode", "batch", "--wait"]
        kills = kill_again_and_again(command, output, [is_at_work, is_at_batches], longest=2.5, seed=2)
        finish(command, output)
    met = {kill.batches for kill in kills}
    assert len(met) >= 3, f"the kills met {met} only"
    assert max(map(len, met)) > 1, "no kill fell into a later round"
    seen = visits(log)
    requests = sum(row["requests"] for row in manifest_of(output)["usage"])
    assert len(seen) == requests, "all that was ever sent is what the finished run has asked"
    assert all(len(visit) == 1 for visit in seen.values())
    batches = manifest_of(output)["batches"]
    assert batches["requests"] == batches["answered"] == requests
    assert len(rows_of(output, "qa")) == stages_of(output)["questions"]["kept"] > 0
