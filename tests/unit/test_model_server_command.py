"""The test server as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.model_server import Behaviour
from tests.model_server.__main__ import behaviour_of, parser
from tests.model_server.client import chat, get, lines, wait_for

ROOT = Path(__file__).parents[2]
CLIENT = """
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1], sys.argv[2].encode()))
"""


def test_the_process_outlives_a_killed_client(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    command = [sys.executable, "-m", "tests.model_server", "--port", "0", "--log", str(log), "--latency", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        client = [sys.executable, "-c", CLIENT, f"{url}/v1/chat/completions"]
        with subprocess.Popen([*client, json.dumps(chat("screen"))]) as killed:
            wait_for(lambda: log.exists() and len(lines(log)) == 1)
            killed.kill()
        subprocess.run([*client, json.dumps(chat("judge"))], check=True)
        stats = get(f"{url}/stats")
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=20) == 0
    assert stats["by_stage"] == {"screen": {"dropped": 1}, "judge": {"200": 1}}
    ends = {line["stage"]: line["event"] for line in lines(log)}
    assert ends == {"screen": "dropped", "judge": "answered"}
    assert len(lines(log)) == 4


def test_every_option_of_the_command_reaches_the_behaviour() -> None:
    options = "--seed 3 --latency lognormal:0.01:0.5 --fault 429=0.5 --fault empty=0.1 --retry-after 7 --hold 1"
    gates = "--api-key k --model a --model b --context-chars 1000 --requests-per-minute 6000 --sliding-window 600:60"
    batches = "--batch-seconds 2 --batch-max-requests 7 --batch-max-bytes 99 --no-batch-listing --batch-hold 3"
    arguments = [
        *options.split(),
        *gates.split(),
        *batches.split(),
        "--chars-per-token",
        "2.5",
        "--batch-expired",
        "0.5",
    ]
    assert behaviour_of(parser().parse_args(arguments)) == Behaviour(
        seed=3,
        latency=("lognormal", 0.01, 0.5),
        faults={"429": 0.5, "empty": 0.1},
        retry_after=7,
        hold_s=1,
        api_key="k",
        models=("a", "b"),
        chars_per_token=2.5,
        context_chars=1000,
        requests_per_minute=6000,
        sliding_window=(600, 60.0),
        batch_seconds=2,
        batch_max_requests=7,
        batch_max_bytes=99,
        batch_listing=False,
        batch_hold_s=3,
        batch_expired=0.5,
    )
    assert behaviour_of(parser().parse_args([])) == Behaviour()
    assert behaviour_of(parser().parse_args(["--latency", "0.2"])) == Behaviour(latency=0.2)


def test_a_wrong_option_is_named() -> None:
    command = [sys.executable, "-m", "tests.model_server", "--fault", "503=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'503'" in done.stderr
