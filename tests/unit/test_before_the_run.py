"""What the client finds out and writes down before a run starts."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options import UsageError
from pipelines.run import redacted
from pipelines.workers import budget_of, check_limiter, concurrency_of, limits_of, worker_processes
from schemas.config import RunConfig
from transforms.llm.rates import Limits


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://user:word@host/v1", "http://[redacted]@host/v1"),
        ("redis://:w@rd@host:1/0", "redis://[redacted]@host:1/0"),
        ("http://host/v1?api_key=abc123&x=1", "http://host/v1?api_key=[redacted]&x=1"),
        (
            {"api_key": "abc", "accessToken": "abc", "seed": 42},
            {"api_key": "[redacted]", "accessToken": "[redacted]", "seed": 42},
        ),
        ({"headers": ["Bearer abc.def"]}, {"headers": ["[redacted]"]}),
        ({"api_key_env": "OPENAI_API_KEY", "max_tokens": 4096}, {"api_key_env": "OPENAI_API_KEY", "max_tokens": 4096}),
        ({"input": ["corpus/*.parquet"]}, {"input": ["corpus/*.parquet"]}),
    ],
)
def test_the_manifests_configuration_holds_no_secret(value: object, shown: object) -> None:
    assert redacted(value) == shown


MODEL = "openai/a"


def config(**settings: object) -> RunConfig:
    models = {stage: {"model": MODEL} for stage in ("screen", "classify", "generate", "judge")}
    return RunConfig.model_validate({"input": ["x"], "output": "y", "models": models, **settings})


@pytest.mark.parametrize(
    ("hint", "flags", "workers"),
    [
        (None, [], 1),
        (None, ["--direct_num_workers=3"], 1),
        (None, ["--direct_num_workers=3", "--direct_running_mode=multi_processing"], 3),
        (None, ["--parallelism=8"], 8),
        (None, ["--max_num_workers=64", "--num_workers=2"], 64),
        (None, ["--sdk_worker_parallelism=2"], 2),
        (None, ["--sdk_worker_parallelism=0"], 1),
        (None, ["--parallelism=8", "--sdk_worker_parallelism=2"], 16),
        (None, ["--max_num_workers=6", "--num_workers=2", "--sdk_worker_parallelism=4"], 24),
        (5, ["--max_num_workers=64", "--sdk_worker_parallelism=2"], 5),
        (1, ["--direct_num_workers=3", "--direct_running_mode=multi_processing"], 1),
    ],
)
def test_the_hint_beats_what_the_runners_options_reveal(hint: int | None, flags: list[str], workers: int) -> None:
    assert worker_processes(hint, PipelineOptions(flags)) == workers


def test_a_negative_number_of_workers_is_refused() -> None:
    with pytest.raises(UsageError, match="--direct_num_workers=-1 must be 0"):
        worker_processes(3, PipelineOptions(["--direct_num_workers=-1"]))


@pytest.mark.parametrize("written", ["two", "-1", "1.5", ""])
@pytest.mark.parametrize("hint", [None, 3])
def test_processes_a_worker_that_are_no_number_are_refused(written: str, hint: int | None) -> None:
    with pytest.raises(UsageError, match=f"--sdk_worker_parallelism={written} must be 0 "):
        worker_processes(hint, PipelineOptions([f"--sdk_worker_parallelism={written}"]))


DATAFLOW, FLINK = "--runner=DataflowRunner", "--runner=FlinkRunner"


@pytest.mark.parametrize(
    ("hint", "flags", "part"),
    [
        (None, [], 12.0),
        (None, ["--runner=DirectRunner", "--direct_num_workers=3", "--direct_running_mode=multi_processing"], 4.0),
        (None, ["--runner=PortableRunner", "--environment_type=LOOPBACK"], 12.0),
        (None, [DATAFLOW, "--max_num_workers=6"], 2.0),
        (None, [DATAFLOW, "--num_workers=6", "--autoscaling_algorithm=NONE"], 2.0),
        (None, [FLINK, "--parallelism=3", "--sdk_worker_parallelism=2"], 2.0),
        (4, ["--runner=SparkRunner"], 3.0),
    ],
)
def test_each_worker_has_its_part_of_the_budget(hint: int | None, flags: list[str], part: float) -> None:
    assert budget_of(config(budget_usd=12, num_workers_hint=hint), PipelineOptions(flags)) == part


@pytest.mark.parametrize(
    "flags",
    [
        [DATAFLOW],
        [DATAFLOW, "--num_workers=6"],
        [DATAFLOW, "--direct_num_workers=3", "--direct_running_mode=multi_processing"],
        [FLINK, "--parallelism=-1"],
        [FLINK, "--sdk_worker_parallelism=2"],
        [FLINK, "--parallelism=3", "--sdk_worker_parallelism=0"],
        ["--runner=SparkRunner"],
        ["--runner=PortableRunner"],
    ],
)
def test_a_budget_wants_to_know_how_many_workers_there_are(flags: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^budget_usd .* how many \w+Runner will have; .*--num-workers-hint$"):
        budget_of(config(budget_usd=12), PipelineOptions(flags))
    assert budget_of(config(), PipelineOptions(flags)) is None
    assert budget_of(config(budget_usd=12, llm_mode="batch"), PipelineOptions(flags)) is None


def test_limits_are_divided_among_the_worker_processes() -> None:
    limits = {MODEL: {"concurrency": 7, "requests_per_minute": 600, "tokens_per_minute": 100_000}}
    assert concurrency_of(config(), 3) == 21
    assert limits_of(config(limits=limits), 3) == {MODEL: Limits(2, 200.0, 100_000 / 3)}
    assert limits_of(config(limits={MODEL: {}}), 3) == {MODEL: Limits()}


def test_a_limiter_shares_rates_and_leaves_concurrency_to_the_processes() -> None:
    limits = {MODEL: {"concurrency": 7, "requests_per_minute": 600}}
    shared = config(limits=limits, limiter="redis://localhost:6379/0")
    assert limits_of(shared, 3) == {MODEL: Limits(2, 600.0, None)}


def test_more_workers_than_requests_are_refused() -> None:
    with pytest.raises(UsageError, match="--concurrency 64 is less than one request for each of 65 workers"):
        concurrency_of(config(), 65)
    with pytest.raises(UsageError, match=r"limits\.openai/a\.concurrency = 2 is less than one request for each of 3"):
        limits_of(config(limits={MODEL: {"concurrency": 2}}), 3)


def test_an_unreachable_limiter_is_one_line_without_its_password(closed_port: int) -> None:
    pytest.importorskip("redis")
    with pytest.raises(UsageError) as refused:
        check_limiter(f"redis://:hunter%2F2@127.0.0.1:{closed_port}/0")
    said = str(refused.value)
    assert said.startswith(f"--limiter redis://[redacted]@127.0.0.1:{closed_port}/0: ") and "start Redis there" in said
    assert "hunter" not in said and "\n" not in said


def test_a_limiter_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    for name in [name for name in sys.modules if name.startswith("redis.") or name.endswith(".redis_limiter")]:
        monkeypatch.delitem(sys.modules, name)
    import transforms.llm

    monkeypatch.delattr(transforms.llm, "redis_limiter", raising=False)
    with pytest.raises(UsageError, match=r"install ours with that extra: pip install '\.\[redis\]'"):
        check_limiter("redis://127.0.0.1:6379/0")


ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pipelines.rundir import using
try:
    with using([sys.argv[1]], "a run"):
        print("in", flush=True)
        sys.stdin.read()
except ValueError as error:
    print(error, flush=True)
"""


def test_of_processes_that_begin_together_one_gets_in(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "batch" / "in_use.json")]
    started = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        for _ in range(4)
    ]
    try:
        said = [process.stdout.readline().strip() for process in started if process.stdout]
        assert sorted(line == "in" for line in said) == [False, False, False, True]
        assert all("is at work there; wait for it" in line for line in said if line != "in")
    finally:
        for process in started:
            process.communicate("")
    assert not (tmp_path / "batch" / "in_use.json").exists()
