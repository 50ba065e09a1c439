"""One job, the same rows wherever it runs: byte for byte, in the same shards, with the same counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runners.conftest import Cluster
from tests.runners.jobs import LIMIT_S, assert_same, run
from tests.runners.prepare import PRISM, job_server
from tests.support import manifest_of, prose_corpus, rows_of

pytestmark = pytest.mark.timeout(LIMIT_S + 60)


@pytest.fixture(scope="session")
def local(corpus: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = run("FnApiRunner", ["--input", *corpus], tmp_path_factory.mktemp("local") / "run")
    assert len(rows_of(output, "qa")) > 20 and len(rows_of(output, "rejected")) > 20
    return output


ELSEWHERE = {
    "embedded portable": ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"],
    "Spark local[2]": [
        "--runner=SparkRunner", "--spark_master_url=local[2]", f"--spark_job_server_jar={job_server('spark')}",
    ],
    "Prism": ["--runner=PrismRunner", f"--prism_location={PRISM}"],
}  # fmt: skip


@pytest.mark.parametrize("name", ELSEWHERE)
def test_another_runner_makes_the_same(name: str, local: Path, corpus: list[str], tmp_path: Path) -> None:
    assert_same(local, run(name, ["--input", *corpus, *ELSEWHERE[name]], tmp_path / "run"))


def test_a_flink_cluster_makes_the_same(local: Path, corpus: list[str], cluster: Cluster, tmp_path: Path) -> None:
    output = run("Flink cluster, external worker pool", ["--input", *corpus, *cluster.flags], tmp_path / "run")
    assert_same(local, output)
    log = cluster.dies.with_name("pool.log").read_text(encoding="utf-8", errors="replace")
    assert f"run={manifest_of(output)['run_id']} stage=screen in=" in log, "nobody hears what workers log"


def wait_until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < deadline, f"{what} has not happened within {LIMIT_S} s"
        time.sleep(0.1)


def test_a_client_that_does_not_wait_is_not_missed(cluster: Cluster, tmp_path: Path) -> None:
    corpus, state = ["--input", prose_corpus(tmp_path, 20)], tmp_path / "state"
    flags = [*corpus, "--state", str(state), *cluster.flags, "--no-wait"]
    output = run("Flink cluster, --no-wait", flags, tmp_path / "left")
    assert not (output / "_SUCCESS").exists(), "the client has waited"
    (job,) = [job for job in cluster.flink.jobs() if job["state"] == "RUNNING"]
    assert job["name"].startswith("webscale-rl-")
    wait_until((output / "_SUCCESS").exists, "the end of a job without a client")
    wait_until(lambda: not (output / "scratch").exists(), "the last step")
    assert not (state / "in_use.json").exists(), "the next night is kept out"
    assert len(list(state.glob("*/_SUCCESS"))) == 1
    flags = [*corpus, "--state", str(tmp_path / "other")]
    assert_same(run("FnApiRunner with a state", flags, tmp_path / "local"), output)
