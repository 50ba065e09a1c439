"""What the tests of the runners share: the tools that `make test-runners` has prepared, a cluster, a corpus."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.runners.flink_cluster import FlinkCluster, worker_pool
from tests.runners.jobs import TOOK
from tests.runners.prepare import CORPUS, ROOT, job_server

DOCUMENTS = 2000


class Cluster(NamedTuple):
    """A Flink cluster and a pool of Python workers beside it; a worker dies once the file `dies` is there."""

    flink: FlinkCluster
    pool: str
    dies: Path

    @property
    def flags(self) -> list[str]:
        """The flags of a run on it."""
        return [
            "--runner=FlinkRunner",
            f"--flink_master={self.flink.address}",
            f"--flink_job_server_jar={job_server('flink')}",
            "--environment_type=EXTERNAL",
            f"--environment_config={self.pool}",
        ]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    dies = directory / "dies"
    environment = {
        "WEBSCALE_RL_DIES": str(dies),
        "PYTHONPATH": f"{ROOT}:{Path(__file__).with_name('dying')}",
    }
    with (
        FlinkCluster(directory / "flink") as flink,
        worker_pool(environment, directory / "pool.log") as pool,
    ):
        yield Cluster(flink, pool, dies)


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    yield running
    running.flink.free()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The globs of the example corpus and of 2,000 real documents, where a corpus is named."""
    inputs = [str(ROOT / "examples" / "corpus" / "*.parquet")]
    if CORPUS:
        paths = sorted(glob.glob(CORPUS))  # noqa: PTH207, since Path.glob takes no absolute pattern
        assert paths, f"WEBSCALE_RL_RUNNERS_CORPUS={CORPUS} matches no file"
        real = pa.concat_tables([pq.read_table(path).slice(0, DOCUMENTS) for path in paths]).slice(0, DOCUMENTS)
        path = tmp_path_factory.mktemp("corpus") / "real.parquet"
        pq.write_table(real, path, row_group_size=250)
        inputs.append(str(path))
    return inputs


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in TOOK:
        terminalreporter.write_line(line)
